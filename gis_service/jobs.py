"""Long work: submitted as a row, done by a worker from the queue in PostgreSQL, seen while it runs.

A room registers what it can do with :func:`work`; the queue itself is procrastinate's. A worker
does each job in a process of its own, which is ended when the job is cancelled or the worker has to
stop. A worker that is killed leaves a stalled job behind, which the next one takes up again; after
three attempts the job says that it failed. Work must therefore write its result in one
transaction, and end its job in that same one (:func:`complete`): then it is there once, and never
for a job that is over.
"""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import procrastinate
import sqlalchemy as sa
from procrastinate import App, JobContext, PsycopgConnector, SyncPsycopgConnector

from gis_service import access
from gis_service.access import SYSTEM, Actor
from gis_service.access.actor import find_actor
from gis_service.access.permissions import SEE_ALL_JOBS
from gis_service.errors import GisError, NotFoundError, ServerLostError, StoreError
from gis_service.fork_server import ForkServer
from gis_service.messages import Language, text
from gis_service.settings import keeping_settings, server_settings
from gis_service.store import tables as t
from gis_service.store.engine import Store, again_after_deadlock, conninfo, end_connections
from gis_service.store.failures import described, outage_of

Progress = Callable[[float, str], None]
"""Takes the share that is done (0 to 1) and the message key of the step."""
Work = Callable[[Store, Actor, Mapping[str, Any], Progress], Mapping[str, Any]]
Regular = Callable[[Store], None]
"""Takes the store; done again and again."""

ATTEMPTS: Final = 3
STUCK_S: Final = 60.0
"""A running job whose heart has not beaten for so long is stuck."""
_BEAT_S: Final = 5.0
_LOOK_AGAIN_S: Final = 0.5
"""So often a worker looks whether its job was cancelled."""
_NOT_ENDED: Final = ("waiting", "running")
_WORKS: dict[str, Work] = {}
_REGULAR: list[Regular] = []
_QUEUE: Final = sa.table(  # the queue library's own
    "procrastinate_jobs", sa.column("id", sa.BigInteger), sa.column("status")
)
_PROCESSES: Final = ForkServer("gis_service.job_process")
_log = logging.getLogger(__name__)


class JobOverError(Exception):
    """Raised inside the work when its job has ended: cancelled, or done by another worker."""


def work(kind: str) -> Callable[[Work], Work]:
    """
    Register a function as the work of a kind of job.

    Parameters
    ----------
    kind
        The name under which it is submitted.

    Returns
    -------
    decorator
        Leaves the function as it is.
    """

    def register(function: Work) -> Work:
        _WORKS[kind] = function
        return function

    return register


def regularly(function: Regular) -> Regular:
    """
    Register what a worker does every ten minutes, however many workers there are.

    Parameters
    ----------
    function
        Takes the store.

    Returns
    -------
    callable
        As it was given.
    """
    _REGULAR.append(function)
    return function


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
        said = json.loads(self.error)
        return text(said["key"], language, **said["values"])


def _error(key: str, /, **values: object) -> str:
    """Keep an error so that it can be said in any language."""
    return json.dumps({"key": key, "values": values}, ensure_ascii=False, default=str)


def submit(store: Store, actor: Actor, kind: str, arguments: Mapping[str, Any]) -> int:
    """
    Ask for work to be done.

    Parameters
    ----------
    store
        The store.
    actor
        In whose name it will run.
    kind
        A registered kind.
    arguments
        What the work takes; JSON.

    Returns
    -------
    int
        The job's id.

    Raises
    ------
    NotFoundError
        Nobody registered that kind.
    """
    if kind not in _WORKS:
        raise NotFoundError("jobs.unknown_kind", kind=kind)
    with store.transaction(actor) as connection:
        job_id: int = connection.execute(
            sa.insert(t.job)
            .values(kind=kind, actor_id=actor.actor_id, arguments=dict(arguments))
            .returning(t.job.c.job_id)
        ).scalar_one()
        access.record(connection, actor, "submit", "job", job_id, after={"kind": kind})
    _enqueue(store, job_id)
    return job_id


def _enqueue(store: Store, job_id: int) -> None:
    """Hand a waiting job to the queue; one that is killed before this is found by the worker."""
    app = _app(store, SyncPsycopgConnector(conninfo=conninfo(store.url)))
    with app.open():
        task = app.configure_task(_TASK, queueing_lock=f"job {job_id}")
        try:
            queue_id = task.defer(job_id=job_id)
        except procrastinate.exceptions.AlreadyEnqueued:
            return
    with store.transaction(SYSTEM) as connection:
        connection.execute(
            sa.update(t.job).values(queue_id=queue_id).where(t.job.c.job_id == job_id)
        )


_TASK: Final = "gis_service.run_job"


def _app(store: Store, connector: Any, *, apart: bool = True) -> App:
    app = App(connector=connector)

    @app.task(name=_TASK, pass_context=True)
    def run_job(context: JobContext, job_id: int) -> None:
        if apart:
            _perform_apart(store, job_id, context.should_abort)
        else:
            perform(store, job_id)

    @app.periodic(cron="* * * * * */15")
    @app.task(name="gis_service.retry_stalled", queueing_lock="retry_stalled", pass_context=True)
    async def retry_stalled(context: JobContext, timestamp: int) -> None:
        del timestamp
        manager = context.app.job_manager
        for job in await manager.get_stalled_jobs():
            await manager.retry_job(job)
        await asyncio.to_thread(_enqueue_lost, store)

    @app.periodic(cron="*/10 * * * *")
    @app.task(name="gis_service.prune", queueing_lock="prune", pass_context=True)
    async def prune(context: JobContext, timestamp: int) -> None:
        del timestamp
        await _prune(context.app, store)

    return app


async def _prune(app: App, store: Store) -> None:
    """Take out rows of the queue whose work has ended, then what the rooms have registered."""
    hours = round(24 * keeping_settings().queue_days)
    await app.job_manager.delete_old_jobs(
        hours, include_failed=True, include_cancelled=True, include_aborted=True
    )
    for function in _REGULAR:
        await asyncio.to_thread(function, store.under("job"))


async def prune_now(store: Store) -> None:
    """
    Do at once what a worker does every ten minutes.

    Parameters
    ----------
    store
        The store.
    """
    app = _app(store, PsycopgConnector(conninfo=conninfo(store.url)))
    async with app.open_async():
        await _prune(app, store)


@dataclass(frozen=True)
class Task:
    """What a process has to know to do a job: where, which, and what registers its work."""

    url: str
    job_id: int
    modules: tuple[str, ...]


def connection_name(job_id: int) -> str:
    """
    Name the connections of the process that does a job.

    Parameters
    ----------
    job_id
        Which.

    Returns
    -------
    str
        As the server lists them.
    """
    return f"gis_service job {job_id}"


def _perform_apart(store: Store, job_id: int, is_stopping: Callable[[], bool]) -> None:
    """Do one job in a process of its own, and end that when the job is over or the worker stops."""
    url = store.url.render_as_string(hide_password=False)
    modules = sorted({function.__module__ for function in _WORKS.values()})
    child = _PROCESSES.fork(Task(url, job_id, tuple(modules)))
    beaten_at = time.monotonic()
    while not child.ended(_LOOK_AGAIN_S):
        beats = time.monotonic() - beaten_at >= _BEAT_S
        beaten_at = time.monotonic() if beats else beaten_at
        stopping = is_stopping()
        if stopping or not _goes_on(store, job_id, beats=beats):
            child.end()
            _end_connections(store, job_id)
            if stopping:
                _give_back(store, job_id, "jobs.handed_back", attempts=t.job.c.attempts - 1)
            return
    if child.exit_code:
        _log.error("job %s: its process ended with %s", job_id, child.exit_code)
        _end_connections(store, job_id)
        _give_back(store, job_id, "jobs.interrupted", attempts=t.job.c.attempts)


def _end_connections(store: Store, job_id: int) -> None:
    """Let the server stop at once what it still does for a process that is gone."""
    with store.transaction(SYSTEM) as connection:
        end_connections(connection, connection_name(job_id))


def _goes_on(store: Store, job_id: int, *, beats: bool) -> bool:
    """Look whether a job is wanted still, and let its heart beat."""
    status, mine = t.job.c.status, t.job.c.job_id == job_id
    beat = sa.update(t.job).where(mine).values(heartbeat_at=sa.func.now()).returning(status)
    try:
        with store.transaction(SYSTEM) as connection:
            found = connection.scalar(beat if beats else sa.select(status).where(mine))
    except StoreError as error:  # it may be back for the next look
        _log.warning("job %s: cannot look after it: %s", job_id, described(error))
        return True
    return found not in (None, "cancelled")  # one that is done may tidy up for a while


def _give_back(store: Store, job_id: int, step: str, *, attempts: sa.ColumnElement[int]) -> None:
    """Let a running job wait for the next worker."""
    query = (
        sa.update(t.job)
        .where(t.job.c.job_id == job_id, t.job.c.status == "running")
        .values(status="waiting", attempts=attempts, step=step, progress=0)
    )
    if store.run(SYSTEM, lambda connection: connection.execute(query).rowcount):
        _enqueue(store, job_id)


def perform(store: Store, job_id: int) -> None:
    """
    Do one job here and now, and write down how it ended.

    Parameters
    ----------
    store
        The store.
    job_id
        A waiting job, or a running one whose worker died. One that has ended is left alone.

    Raises
    ------
    ServerLostError
        The store is away; the job is left as one whose worker died.
    """
    with store.transaction(SYSTEM) as connection:
        row = connection.execute(
            sa.select(t.job).where(t.job.c.job_id == job_id).with_for_update()
        ).one()
        if row.status not in _NOT_ENDED:
            return
        actor = find_actor(connection, row.actor_id)
        if row.attempts >= ATTEMPTS:
            _end(connection, job_id, "failed", error=_error("jobs.died"))
            return
        connection.execute(
            sa.update(t.job)
            .where(t.job.c.job_id == job_id)
            .values(
                status="running",
                attempts=row.attempts + 1,
                progress=0,
                started_at=sa.func.now(),
                heartbeat_at=sa.func.now(),
            )
        )
    given = {**row.arguments, "job_id": job_id}
    try:
        result = again_after_deadlock(
            lambda: _WORKS[row.kind](store, actor, given, _progress(store, job_id))
        )
    except JobOverError:
        return
    except Exception as error:
        named = error if isinstance(error, GisError) else outage_of(error)
        if isinstance(named, ServerLostError):
            raise
        refused = named is not None and named.status < HTTPStatus.INTERNAL_SERVER_ERROR
        level = logging.INFO if refused else logging.ERROR
        _log.log(level, "job %s (%s) failed: %s", job_id, row.kind, described(named or error))
        broke = _error("jobs.broke", error=type(error).__name__)
        said = broke if named is None else _error(named.key, **named.values)
        with store.transaction(actor) as connection:
            failed = _end(connection, job_id, "failed", error=said)
        if not failed:
            # The work itself was written down as done; what was to follow is not a failure of it.
            _log.warning("job %s is done, but not what follows it: %s", job_id, described(error))
        elif named is None:
            raise
        return
    with store.transaction(actor) as connection:
        _end(connection, job_id, "done", result=dict(result))


def _progress(store: Store, job_id: int) -> Progress:
    last = [0.0]

    def tell(share: float, step: str) -> None:
        now = time.monotonic()
        if now - last[0] < 0.2 and share < 1:
            return
        last[0] = now
        with store.transaction(SYSTEM) as connection:
            status = connection.execute(
                sa.update(t.job)
                .where(t.job.c.job_id == job_id)
                .values(progress=min(max(share, 0.0), 1.0), step=step, heartbeat_at=sa.func.now())
                .returning(t.job.c.status)
            ).scalar_one()
        if status != "running":
            raise JobOverError

    return tell


def complete(connection: sa.Connection, job_id: int, result: Mapping[str, Any]) -> None:
    """
    End a job in the transaction that writes its result, so that both stand or fall.

    Nothing may tell progress after this in the same transaction: the job's row is held.

    Parameters
    ----------
    connection
        The transaction that holds what the work wrote.
    job_id
        The job that is done.
    result
        What it answers; JSON.

    Raises
    ------
    JobOverError
        It was cancelled, or another worker was quicker: nothing of this may stay.
    """
    if not _end(connection, job_id, "done", result=dict(result)):
        raise JobOverError


def _end(
    connection: sa.Connection,
    job_id: int,
    status: str,
    *,
    result: dict[str, Any] | None = None,
    error: str | None = None,
) -> bool:
    """End a job that has not ended yet; tell whether it was so."""
    values: dict[str, Any] = {"status": status, "finished_at": sa.func.now(), "error": error}
    if status == "done":
        values |= {"result": result, "progress": 1}
    running = t.job.c.status.in_(_NOT_ENDED)
    ended = connection.execute(
        sa.update(t.job).where(t.job.c.job_id == job_id, running).values(**values)
    )
    return ended.rowcount == 1


def cancel(store: Store, actor: Actor, job_id: int) -> None:
    """
    Stop a job: a waiting one does not begin, the process of a running one is ended.

    Parameters
    ----------
    store
        The store.
    actor
        Who cancels.
    job_id
        Which; one that has ended stays as it is.
    """
    with store.transaction(actor) as connection:
        if _end(connection, job_id, "cancelled"):
            access.record(connection, actor, "cancel", "job", job_id)


def find(connection: sa.Connection, job_id: int) -> JobState:
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
    told: Mapping[str, Any] | None = connection.scalar(
        sa.select(job.result)
        .where(
            job.kind == kind, job.status == "done", job.result["fingerprint"].astext == fingerprint
        )
        .order_by(job.job_id.desc())
        .limit(1)
    )
    return told


def _seen_by(actor: Actor) -> sa.ColumnElement[bool]:
    """Let the county office see every job, others their own."""
    return sa.true() if SEE_ALL_JOBS.allows(actor) else t.job.c.actor_id == actor.actor_id


def find_seen(connection: sa.Connection, actor: Actor, job_id: int) -> JobState:
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
    wanted = (t.job.c.job_id == job_id) & _seen_by(actor)
    if connection.scalar(sa.select(t.job.c.job_id).where(wanted)) is None:
        raise NotFoundError("jobs.no_job", job=job_id)
    return find(connection, job_id)


def list_seen(
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
    wanted = _seen_by(actor)
    total = connection.scalar(sa.select(sa.func.count()).select_from(t.job).where(wanted)) or 0
    query = sa.select(t.job).where(wanted).order_by(t.job.c.job_id.desc())
    return [
        JobState(row.job_id, row.kind, row.status, row.progress, row.step, row.result, row.error)
        for row in connection.execute(query.limit(limit).offset(offset))
    ], total


def stuck(connection: sa.Connection) -> list[int]:
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
    silent = _longer_ago(t.job.c.heartbeat_at)
    query = sa.select(t.job.c.job_id).where(t.job.c.status == "running", silent)
    return list(connection.execute(query).scalars())


def _longer_ago(moment: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    return sa.func.now() - moment > sa.func.make_interval(0, 0, 0, 0, 0, 0, STUCK_S)


def _enqueue_lost(store: Store, *, young_too: bool = False) -> None:
    """Hand those to the queue that it does not know any more: killed on the way, or died in it."""
    job = t.job.c
    queued = sa.exists().where(
        _QUEUE.c.id == job.queue_id, sa.cast(_QUEUE.c.status, sa.Text).in_(("todo", "doing"))
    )
    unqueued: sa.ColumnElement[bool] = job.queue_id.is_(None)
    if not young_too:  # one that is being submitted right now is not lost
        unqueued &= _longer_ago(job.created_at)
    given_up = job.queue_id.is_not(None) & ~queued  # the store was away when it was to begin
    lost = (job.status == "waiting") & (unqueued | given_up)
    with store.transaction(SYSTEM) as connection:
        found = [
            *connection.execute(sa.select(job.job_id).where(lost)).scalars(),
            *stuck(connection),
        ]
    for job_id in found:
        _enqueue(store, job_id)


def run_worker(
    store: Store,
    *,
    wait: bool,
    tick: Callable[[Store], None] | None = None,
    apart: bool = True,
) -> None:
    """
    Work on the queue.

    Parameters
    ----------
    store
        The store.
    wait
        True goes on until a signal ends it; False returns when the queue is empty. A signal lets
        the running job end within the setting ``shutdown_s``; otherwise it is given back.
    tick
        Called once a second while the worker waits, for what is due by the clock.
    apart
        False does the jobs in this process, where nothing ends them: for tests that hold a step.
    """
    if apart:
        _PROCESSES.start()
    _enqueue_lost(store, young_too=True)
    asyncio.run(_run_worker(store.under("page"), wait=wait, tick=tick, apart=apart))


def wait_for(store: Store, job_id: int) -> JobState:
    """
    Work on the queue until a job has ended, whichever worker takes it.

    Parameters
    ----------
    store
        The store.
    job_id
        Which; a server on the same store may have a worker that is quicker.

    Returns
    -------
    JobState
        Done, failed or cancelled.
    """
    while True:
        run_worker(store, wait=False)
        with store.transaction(SYSTEM) as connection:
            state = find(connection, job_id)
        if state.status not in _NOT_ENDED:
            return state
        time.sleep(_LOOK_AGAIN_S)


async def _run_worker(
    store: Store, *, wait: bool, tick: Callable[[Store], None] | None, apart: bool
) -> None:
    app = _app(store, PsycopgConnector(conninfo=conninfo(store.url)), apart=apart)
    async with app.open_async():
        worker: Awaitable[None] = app.run_worker_async(
            wait=wait, concurrency=1, shutdown_graceful_timeout=server_settings().shutdown_s
        )
        if tick is None:
            await worker
            return
        clock = asyncio.create_task(_tick(store.under("job"), tick))
        try:
            await worker
        finally:
            clock.cancel()


async def _tick(store: Store, tick: Callable[[Store], None]) -> None:
    while True:
        try:
            await asyncio.to_thread(tick, store)
        except StoreError as error:  # the clock goes on; what is due is still due afterwards
            _log.warning("the clock could not look into the store: %s", described(error))
        await asyncio.sleep(1)
