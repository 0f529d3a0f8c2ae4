"""The rows of jobs: submitted, begun, ended, and seen by those who may.

Nothing here runs a job or knows the queue but for its table of rows.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from gis_service.access import Actor, visible
from gis_service.access.permissions import JOB_RESULTS
from gis_service.errors import NotFoundError
from gis_service.messages import Language, text
from gis_service.store import tables as t
from gis_service.store.engine import in_whole_county

NOT_ENDED: Final = ("waiting", "running")
STUCK_S: Final = 60.0
"""A running job whose heart has not beaten for so long is stuck."""
_QUEUE: Final = sa.table(  # the queue library's own
    "procrastinate_jobs", sa.column("id", sa.BigInteger), sa.column("status")
)


@dataclass(frozen=True)
class JobState:
    """
    A job as it stands.

    Attributes
    ----------
    error
        Why it failed, as :meth:`error_in` reads it.
    """

    job_id: int
    kind: str
    status: str
    progress: float
    step: str
    result: Mapping[str, Any] | None
    error: str | None

    def error_in(self, language: Language) -> str | None:
        """
        Say why the job failed.

        Parameters
        ----------
        language
            The reader's, whoever submitted it.

        Returns
        -------
        str or None
            None where it did not fail.
        """
        if self.error is None:
            return None
        message = json.loads(self.error)
        return text(message["key"], language, **message["values"])


def find_job(connection: sa.Connection, job_id: int) -> JobState:
    """
    Read how a job stands.

    Parameters
    ----------
    connection
        An open transaction.
    job_id
        Which.

    Returns
    -------
    JobState
        As it stands now.

    Raises
    ------
    NotFoundError
        There is no such job.
    """
    row = connection.execute(sa.select(t.job).where(t.job.c.job_id == job_id)).first()
    if row is None:
        raise NotFoundError("jobs.no_job", job=job_id)
    return JobState(row.job_id, row.kind, row.status, row.progress, row.step, row.result, row.error)


@in_whole_county
def find_result(connection: sa.Connection, kind: str, fingerprint: str) -> Mapping[str, Any] | None:
    """
    Find the newest result of a kind that stands on the same input.

    Parameters
    ----------
    connection
        An open transaction.
    kind
        Of the job.
    fingerprint
        As the result tells it.

    Returns
    -------
    mapping or None
        None where no such job is done.
    """
    job = t.job.c
    result: Mapping[str, Any] | None = connection.scalar(
        sa.select(job.result)
        .where(
            job.kind == kind, job.status == "done", job.result["fingerprint"].astext == fingerprint
        )
        .order_by(job.job_id.desc())
        .limit(1)
    )
    return result


def _is_visible_to(actor: Actor) -> sa.ColumnElement[bool]:
    """Let nobody see a job whose result needs a right that they have lost since."""
    lost = [kind for kind, right in JOB_RESULTS.items() if not right.allows(actor)]
    return visible(actor, t.job) & t.job.c.kind.not_in(lost)


def find_visible_job(connection: sa.Connection, actor: Actor, job_id: int) -> JobState:
    """
    Read how a job stands, for one who may see it.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    job_id
        Which.

    Returns
    -------
    JobState
        As it stands now.

    Raises
    ------
    NotFoundError
        There is no such job, or it is somebody else's.
    """
    condition = (t.job.c.job_id == job_id) & _is_visible_to(actor)
    if connection.scalar(sa.select(t.job.c.job_id).where(condition)) is None:
        raise NotFoundError("jobs.no_job", job=job_id)
    return find_job(connection, job_id)


def list_visible_jobs(
    connection: sa.Connection, actor: Actor, *, limit: int, offset: int = 0
) -> tuple[list[JobState], int]:
    """
    List the jobs that an actor may see, the newest first.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    limit, offset
        Which page.

    Returns
    -------
    jobs, total
        The page, and how many there are in all.
    """
    condition = _is_visible_to(actor)
    total = connection.scalar(sa.select(sa.func.count()).select_from(t.job).where(condition)) or 0
    query = sa.select(t.job).where(condition).order_by(t.job.c.job_id.desc())
    return [
        JobState(row.job_id, row.kind, row.status, row.progress, row.step, row.result, row.error)
        for row in connection.execute(query.limit(limit).offset(offset))
    ], total


@in_whole_county
def find_stuck_jobs(connection: sa.Connection) -> list[int]:
    """
    List running jobs whose heart has stopped.

    Parameters
    ----------
    connection
        An open transaction.

    Returns
    -------
    list of int
        Their ids.
    """
    is_silent = _is_overdue(t.job.c.heartbeat_at)
    query = sa.select(t.job.c.job_id).where(t.job.c.status == "running", is_silent)
    return list(connection.execute(query).scalars())


def _is_overdue(moment: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    return sa.func.now() - moment > sa.func.make_interval(0, 0, 0, 0, 0, 0, STUCK_S)


def find_lost_jobs(connection: sa.Connection, *, young_too: bool) -> list[int]:
    """Find the waiting jobs that the queue does not know any more."""
    job = t.job.c
    queued = sa.exists().where(
        _QUEUE.c.id == job.queue_id, sa.cast(_QUEUE.c.status, sa.Text).in_(("todo", "doing"))
    )
    unqueued: sa.ColumnElement[bool] = job.queue_id.is_(None)
    if not young_too:  # one that is being submitted right now is not lost
        unqueued &= _is_overdue(job.created_at)
    is_dropped = job.queue_id.is_not(None) & ~queued  # the store was away when it was to begin
    is_lost = (job.status == "waiting") & (unqueued | is_dropped)
    return list(connection.execute(sa.select(job.job_id).where(is_lost)).scalars())


# --- the life of a job -------------------------------------------------------------------------


def insert_job(
    connection: sa.Connection, actor: Actor, kind: str, arguments: Mapping[str, Any]
) -> int:
    """Write a waiting job; tell its id."""
    insert = sa.insert(t.job).values(kind=kind, actor_id=actor.actor_id, arguments=dict(arguments))
    return int(connection.execute(insert.returning(t.job.c.job_id)).scalar_one())


def set_queue_id(connection: sa.Connection, job_id: int, queue_id: int) -> None:
    """Write down under which number the queue has a job."""
    connection.execute(sa.update(t.job).values(queue_id=queue_id).where(t.job.c.job_id == job_id))


def lock_job(connection: sa.Connection, job_id: int) -> Any:
    """Read the row of a job and hold it to the end of the transaction."""
    return connection.execute(
        sa.select(t.job).where(t.job.c.job_id == job_id).with_for_update()
    ).one()


def begin_job(connection: sa.Connection, job_id: int, attempts: int) -> None:
    """Write down that a job runs."""
    connection.execute(
        sa.update(t.job)
        .where(t.job.c.job_id == job_id)
        .values(
            status="running",
            attempts=attempts,
            progress=0,
            started_at=sa.func.now(),
            heartbeat_at=sa.func.now(),
        )
    )


def read_status(connection: sa.Connection, job_id: int, *, beats: bool) -> str | None:
    """Read the status of a job, and let its heart beat; None where there is no such job."""
    status, is_this_job = t.job.c.status, t.job.c.job_id == job_id
    beat = sa.update(t.job).where(is_this_job).values(heartbeat_at=sa.func.now()).returning(status)
    return connection.scalar(beat if beats else sa.select(status).where(is_this_job))


def write_progress(connection: sa.Connection, job_id: int, share: float, step: str) -> str:
    """Write how far a job is; tell its status."""
    update = (
        sa.update(t.job)
        .where(t.job.c.job_id == job_id)
        .values(progress=min(max(share, 0.0), 1.0), step=step, heartbeat_at=sa.func.now())
    )
    return str(connection.execute(update.returning(t.job.c.status)).scalar_one())


def let_wait(connection: sa.Connection, job_id: int, step: str, *, is_attempt: bool) -> bool:
    """Let a running job wait again; tell whether it was running."""
    attempts = t.job.c.attempts if is_attempt else t.job.c.attempts - 1
    update = (
        sa.update(t.job)
        .where(t.job.c.job_id == job_id, t.job.c.status == "running")
        .values(status="waiting", attempts=attempts, step=step, progress=0)
    )
    return bool(connection.execute(update).rowcount)


def end_job(
    connection: sa.Connection,
    job_id: int,
    status: str,
    *,
    result: dict[str, Any] | None = None,
    error: str | None = None,
) -> bool:
    """
    End a job that has not ended yet.

    Parameters
    ----------
    connection
        An open transaction that may write.
    job_id
        The job.
    status
        ``done``, ``failed`` or ``cancelled``.
    result, error
        What a done job answers, and why one failed.

    Returns
    -------
    bool
        False where it had ended already; nothing is changed then.
    """
    values: dict[str, Any] = {"status": status, "finished_at": sa.func.now(), "error": error}
    if status == "done":
        values |= {"result": result, "progress": 1}
    is_open = t.job.c.status.in_(NOT_ENDED)
    ended = connection.execute(
        sa.update(t.job).where(t.job.c.job_id == job_id, is_open).values(**values)
    )
    return ended.rowcount == 1
