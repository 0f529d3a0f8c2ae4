"""Long work: submitted as a row, done by a worker from the queue in PostgreSQL, seen while it runs.

A room registers what it can do with :func:`work`; the queue itself is procrastinate's. A worker
does each job in a process of its own, which is ended when the job is cancelled or the worker has to
stop. A worker that is killed leaves a stalled job behind, which the next one takes up again; after
three attempts the job says that it failed. Work must therefore write its result in one
transaction, and end its job in that same one (:func:`complete_job`): then it is there once, and
never for a job that is over.
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

from gis_service import access, job_queries
from gis_service.access import SYSTEM, Actor
from gis_service.access.actor import find_actor
from gis_service.access.queries import is_ended
from gis_service.errors import GisError, NotFoundError, ServerLostError, StoreError
from gis_service.fork_server import ForkServer
from gis_service.job_queries import NOT_ENDED, JobState, end_job, find_job, find_stuck_jobs
from gis_service.settings import keeping_settings, server_settings
from gis_service.store.engine import Store, end_connections, libpq_address, retry_after_deadlock
from gis_service.store.failures import describe_error, find_outage

Progress = Callable[[float, str], None]
"""Takes the share that is done (0 to 1) and the message key of the step."""
Work = Callable[[Store, Actor, Mapping[str, Any], Progress], Mapping[str, Any]]
Regular = Callable[[Store], None]
"""Takes the store; done again and again."""

ATTEMPTS: Final = 3
_BEAT_S: Final = 5.0
_LOOK_AGAIN_S: Final = 0.5
"""So often a worker looks whether its job was cancelled."""
_WORKS: dict[str, Work] = {}
_REGULAR: list[Regular] = []
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


def _error_as_json(key: str, /, **values: object) -> str:
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
        job_id = job_queries.insert_job(connection, actor, kind, arguments)
        access.record(connection, actor, "submit", "job", job_id, after={"kind": kind})
    _enqueue(store, job_id)
    return job_id


def _enqueue(store: Store, job_id: int) -> None:
    """Hand a waiting job to the queue; one that is killed before this is found by the worker."""
    app = _make_app(store, SyncPsycopgConnector(conninfo=libpq_address(store.url)))
    with app.open():
        task = app.configure_task(_TASK, queueing_lock=f"job {job_id}")
        try:
            queue_id = task.defer(job_id=job_id)
        except procrastinate.exceptions.AlreadyEnqueued:
            return
    with store.transaction(SYSTEM) as connection:
        job_queries.set_queue_id(connection, job_id, queue_id)


_TASK: Final = "gis_service.run_job"


def _make_app(store: Store, connector: Any, *, in_child: bool = True) -> App:
    app = App(connector=connector)

    @app.task(name=_TASK, pass_context=True)
    def run_job(context: JobContext, job_id: int) -> None:
        if in_child:
            _perform_in_child(store, job_id, context.should_abort)
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


def _perform_in_child(store: Store, job_id: int, is_stopping: Callable[[], bool]) -> None:
    """Do one job in a process of its own, and end that when the job is over or the worker stops."""
    url = store.url.render_as_string(hide_password=False)
    modules = sorted({function.__module__ for function in _WORKS.values()})
    child = _PROCESSES.fork(Task(url, job_id, tuple(modules)))
    beaten_at = time.monotonic()
    while not child.ended(_LOOK_AGAIN_S):
        beats = time.monotonic() - beaten_at >= _BEAT_S
        beaten_at = time.monotonic() if beats else beaten_at
        stopping = is_stopping()
        if stopping or not _is_wanted(store, job_id, beats=beats):
            child.end()
            _end_connections(store, job_id)
            if stopping:
                _requeue(store, job_id, "jobs.handed_back", is_attempt=False)
            return
    if child.exit_code:
        _log.error("job %s: its process ended with %s", job_id, child.exit_code)
        _end_connections(store, job_id)
        _requeue(store, job_id, "jobs.interrupted", is_attempt=True)


def _end_connections(store: Store, job_id: int) -> None:
    """Let the server stop at once what it still does for a process that is gone."""
    with store.transaction(SYSTEM) as connection:
        end_connections(connection, connection_name(job_id))


def _is_wanted(store: Store, job_id: int, *, beats: bool) -> bool:
    """Look whether a job is wanted still, and let its heart beat."""
    try:
        with store.transaction(SYSTEM) as connection:
            status = job_queries.read_status(connection, job_id, beats=beats)
    except StoreError as error:  # it may be back for the next look
        _log.warning("job %s: cannot look after it: %s", job_id, describe_error(error))
        return True
    return status not in (None, "cancelled")  # one that is done may tidy up for a while


def _requeue(store: Store, job_id: int, step: str, *, is_attempt: bool) -> None:
    """Let a running job wait for the next worker."""

    def let_wait(connection: sa.Connection) -> bool:
        return job_queries.let_wait(connection, job_id, step, is_attempt=is_attempt)

    if store.run(SYSTEM, let_wait):
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
        row = job_queries.lock_job(connection, job_id)
        if row.status not in NOT_ENDED:
            return
        actor = find_actor(connection, row.actor_id)
        if row.attempts >= ATTEMPTS:
            end_job(connection, job_id, "failed", error=_error_as_json("jobs.died"))
            return
        if is_ended(connection, row.actor_id):  # a job has the rights its actor has today
            end_job(connection, job_id, "failed", error=_error_as_json("jobs.account_ended"))
            return
        job_queries.begin_job(connection, job_id, row.attempts + 1)
    arguments = {**row.arguments, "job_id": job_id}
    try:
        result = retry_after_deadlock(
            lambda: _WORKS[row.kind](store, actor, arguments, _progress_of(store, job_id))
        )
    except JobOverError:
        return
    except Exception as error:
        known_error = error if isinstance(error, GisError) else find_outage(error)
        if isinstance(known_error, ServerLostError):
            raise
        is_refusal = (
            known_error is not None and known_error.status < HTTPStatus.INTERNAL_SERVER_ERROR
        )
        level = logging.INFO if is_refusal else logging.ERROR
        _log.log(
            level, "job %s (%s) failed: %s", job_id, row.kind, describe_error(known_error or error)
        )
        unknown_error = _error_as_json("jobs.broke", error=type(error).__name__)
        error_text = (
            unknown_error
            if known_error is None
            else _error_as_json(known_error.key, **known_error.values)
        )
        with store.transaction(actor) as connection:
            failed = end_job(connection, job_id, "failed", error=error_text)
        if not failed:
            # The work itself was written down as done; what was to follow is not a failure of it.
            _log.warning(
                "job %s is done, but not what follows it: %s", job_id, describe_error(error)
            )
        elif known_error is None:
            raise
        return
    with store.transaction(actor) as connection:
        end_job(connection, job_id, "done", result=dict(result))


def _progress_of(store: Store, job_id: int) -> Progress:
    last = [0.0]

    def tell(share: float, step: str) -> None:
        now = time.monotonic()
        if now - last[0] < 0.2 and share < 1:
            return
        last[0] = now
        with store.transaction(SYSTEM) as connection:
            status = job_queries.write_progress(connection, job_id, share, step)
        if status != "running":
            raise JobOverError

    return tell


def complete_job(connection: sa.Connection, job_id: int, result: Mapping[str, Any]) -> None:
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
    if not end_job(connection, job_id, "done", result=dict(result)):
        raise JobOverError


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
        if end_job(connection, job_id, "cancelled"):
            access.record(connection, actor, "cancel", "job", job_id)


def _enqueue_lost(store: Store, *, young_too: bool = False) -> None:
    """Hand those to the queue that it does not know any more: killed on the way, or died in it."""
    with store.transaction(SYSTEM) as connection:
        job_ids = [
            *job_queries.find_lost_jobs(connection, young_too=young_too),
            *find_stuck_jobs(connection),
        ]
    for job_id in job_ids:
        _enqueue(store, job_id)


def run_worker(
    store: Store,
    *,
    wait: bool,
    tick: Callable[[Store], None] | None = None,
    in_child: bool = True,
) -> None:
    """
    Work on the queue.

    Parameters
    ----------
    store
        The store.
    wait
        True goes on until a signal ends it; False returns when the queue is empty. A signal lets
        the running job end within the setting ``shutdown_s``; otherwise it goes back to the queue.
    tick
        Called once a second while the worker waits, for what is due by the clock.
    in_child
        False does the jobs in this process, where nothing ends them: for tests that hold a step.
    """
    if in_child:
        _PROCESSES.start()
    _enqueue_lost(store, young_too=True)
    asyncio.run(_run_worker(store.under("page"), wait=wait, tick=tick, in_child=in_child))


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
            state = find_job(connection, job_id)
        if state.status not in NOT_ENDED:
            return state
        time.sleep(_LOOK_AGAIN_S)


async def _run_worker(
    store: Store, *, wait: bool, tick: Callable[[Store], None] | None, in_child: bool
) -> None:
    app = _make_app(store, PsycopgConnector(conninfo=libpq_address(store.url)), in_child=in_child)
    async with app.open_async():
        worker: Awaitable[None] = app.run_worker_async(
            wait=wait, concurrency=1, shutdown_graceful_timeout=server_settings().shutdown_s
        )
        if tick is None:
            await worker
            return
        clock = asyncio.create_task(_tick_every_second(store.under("job"), tick))
        try:
            await worker
        finally:
            clock.cancel()


async def _tick_every_second(store: Store, tick: Callable[[Store], None]) -> None:
    while True:
        try:
            await asyncio.to_thread(tick, store)
        except StoreError as error:  # the clock goes on; what is due is still due afterwards
            _log.warning("the clock could not look into the store: %s", describe_error(error))
        await asyncio.sleep(1)
