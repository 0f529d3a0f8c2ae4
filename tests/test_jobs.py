"""Jobs: done by a worker, seen while they run, taken up again after a kill."""

import asyncio
import multiprocessing
import os
import signal
import time
from collections.abc import Mapping
from typing import Any

import pytest
import sqlalchemy as sa

from gis_service import job_queries, jobs
from gis_service.access import SYSTEM, accounts, record
from gis_service.access.actor import Actor, find_actor
from gis_service.errors import InputError, NotFoundError, ServerLostError
from gis_service.store import tables as t
from gis_service.store.engine import Store


@jobs.work("test_add")
def add(
    store: Store, actor: Actor, arguments: Mapping[str, Any], progress: jobs.Progress
) -> Mapping[str, Any]:
    progress(0.5, "jobs.half")
    return {"sum": arguments["a"] + arguments["b"]}


@jobs.work("test_role")
def tell_role(
    store: Store, actor: Actor, arguments: Mapping[str, Any], progress: jobs.Progress
) -> Mapping[str, Any]:
    return {"role": actor.role}


@jobs.work("test_refuse")
def refuse(
    store: Store, actor: Actor, arguments: Mapping[str, Any], progress: jobs.Progress
) -> Mapping[str, Any]:
    raise InputError("jobs.unknown_kind", kind="x")


def _write_an_event(connection: sa.Connection, job_id: int) -> None:
    record(connection, SYSTEM, "test_write", "job", job_id)


@jobs.work("test_write")
def write(
    store: Store, actor: Actor, arguments: Mapping[str, Any], progress: jobs.Progress
) -> Mapping[str, Any]:
    result = {"written": 1}
    with store.transaction(actor) as connection:
        _write_an_event(connection, arguments["job_id"])
        jobs.complete_job(connection, arguments["job_id"], result)
    return result


@jobs.work("test_sleep")
def sleep(
    store: Store, actor: Actor, arguments: Mapping[str, Any], progress: jobs.Progress
) -> Mapping[str, Any]:
    for step in range(int(arguments["steps"])):
        progress(step / arguments["steps"], "jobs.sleeping")
        time.sleep(0.25)
    return {}


def state(store: Store, job_id: int) -> job_queries.JobState:
    with store.transaction(SYSTEM) as connection:
        return job_queries.find_job(connection, job_id)


def test_a_worker_does_what_was_submitted(store: Store) -> None:
    job_id = jobs.submit(store, SYSTEM, "test_add", {"a": 1, "b": 2})
    assert state(store, job_id).status == "waiting"
    jobs.run_worker(store, wait=False)
    done = state(store, job_id)
    assert (done.status, done.progress, done.result) == ("done", 1.0, {"sum": 3})


def test_a_job_of_an_account_that_has_ended_is_not_done(store: Store) -> None:
    with store.transaction(SYSTEM) as connection:
        new = accounts.NewAccount("planner.one", "李四", "planner")
        actor_id = accounts.make_account(connection, SYSTEM, new).actor_id
        planner = find_actor(connection, actor_id)
    job_id = jobs.submit(store, planner, "test_add", {"a": 2, "b": 3})
    with store.transaction(SYSTEM) as connection:
        accounts.end_account(connection, SYSTEM, actor_id)
    state = jobs.wait_for(store, job_id)
    assert (state.status, state.result) == ("failed", None)
    assert "no account" in (state.error_in("en") or "")


def test_a_job_runs_with_the_rights_its_actor_has_today(store: Store) -> None:
    with store.transaction(SYSTEM) as connection:
        new = accounts.NewAccount("planner.two", "李四", "planner")
        actor_id = accounts.make_account(connection, SYSTEM, new).actor_id
        planner = find_actor(connection, actor_id)
    job_id = jobs.submit(store, planner, "test_role", {})
    with store.transaction(SYSTEM) as connection:
        accounts.change_account(connection, SYSTEM, actor_id, {"role": "display"})
    assert jobs.wait_for(store, job_id).result == {"role": "display"}


def test_an_error_we_can_name_is_told(store: Store) -> None:
    job_id = jobs.submit(store, SYSTEM, "test_refuse", {})
    jobs.run_worker(store, wait=False)
    failed = state(store, job_id)
    assert failed.status == "failed"
    assert failed.error_in("zh-CN") == "没有“x”这种任务。"
    assert failed.error_in("en") == "There is no work of the kind «x»."


def test_an_error_of_ours_is_told_without_its_words(store: Store) -> None:
    job_id = jobs.submit(store, SYSTEM, "test_add", {"a": "王某某", "b": 1})
    jobs.run_worker(store, wait=False)
    failed = state(store, job_id)
    assert failed.status == "failed"
    said = failed.error_in("en")
    assert said is not None
    assert "TypeError" in said
    assert "王" not in said


@pytest.mark.parametrize("end", ["cancelled", "done"])
def test_what_is_written_for_a_job_that_is_over_does_not_stay(store: Store, end: str) -> None:
    """Cancelled while it wrote, or done by a second worker: the result is there once or never."""
    job_id = jobs.submit(store, SYSTEM, "test_write", {})
    if end == "cancelled":
        jobs.cancel(store, SYSTEM, job_id)
    else:
        jobs.perform(store, job_id)
        assert state(store, job_id).result == {"written": 1}
    with pytest.raises(jobs.JobOverError):
        write(store, SYSTEM, {"job_id": job_id}, lambda _share, _step: None)
    with store.transaction(SYSTEM) as connection:
        events = connection.scalar(
            sa.select(sa.func.count()).where(
                t.event.c.action == "test_write", t.event.c.object_id == str(job_id)
            )
        )
    assert events == (0 if end == "cancelled" else 1)
    assert state(store, job_id).status == end
    jobs.run_worker(store, wait=False)


def test_cancelling_what_has_ended_is_no_event(store: Store) -> None:
    job_id = jobs.submit(store, SYSTEM, "test_add", {"a": 1, "b": 2})
    jobs.run_worker(store, wait=False)
    jobs.cancel(store, SYSTEM, job_id)
    with store.transaction(SYSTEM) as connection:
        cancelled = connection.scalar(
            sa.select(sa.func.count()).where(
                t.event.c.action == "cancel", t.event.c.object_id == str(job_id)
            )
        )
    assert cancelled == 0
    assert state(store, job_id).status == "done"


def test_a_running_job_whose_heart_stopped_is_taken_up_by_the_next_worker(store: Store) -> None:
    """The queue thinks that it failed, for the store went away while it ran."""
    job_id = jobs.submit(store, SYSTEM, "test_add", {"a": 1, "b": 2})
    jobs.cancel(store, SYSTEM, job_id)
    jobs.run_worker(store, wait=False)
    long_ago = sa.func.now() - sa.func.make_interval(0, 0, 0, 0, 1)
    with store.transaction(SYSTEM) as connection:
        connection.execute(
            sa.update(t.job)
            .where(t.job.c.job_id == job_id)
            .values(status="running", attempts=1, finished_at=None, heartbeat_at=long_ago)
        )
    jobs.run_worker(store, wait=False)
    assert state(store, job_id).status == "done"


def test_a_job_that_the_queue_gave_up_before_it_began_is_found(store: Store) -> None:
    """The store was away when a worker had taken it, and back when the queue wrote it off."""
    job_id = jobs.submit(store, SYSTEM, "test_add", {"a": 1, "b": 2})
    written_off = sa.text(
        "UPDATE procrastinate_jobs SET status = 'failed'"
        " WHERE id = (SELECT queue_id FROM job WHERE job_id = :job_id)"
    )
    with store.transaction(SYSTEM) as connection:
        assert connection.execute(written_off, {"job_id": job_id}).rowcount == 1
    jobs.run_worker(store, wait=False)
    assert state(store, job_id).status == "done"


def test_waiting_goes_on_while_another_worker_has_the_job(store: Store) -> None:
    job_id = jobs.submit(store, SYSTEM, "test_sleep", {"steps": 8})
    worker = multiprocessing.get_context("fork").Process(target=_work, args=(store.url,))
    worker.start()
    _wait_for(store, job_id, "running")
    assert jobs.wait_for(store, job_id).status == "done"
    worker.join(60)


def test_the_clock_goes_on_when_the_store_was_away_for_a_moment(store: Store) -> None:
    looked = []

    def tick(_store: Store) -> None:
        looked.append(time.monotonic())
        if len(looked) == 1:
            raise ServerLostError("restarting")
        raise SystemExit

    with pytest.raises(SystemExit):
        asyncio.run(jobs._tick_every_second(store, tick))
    assert len(looked) == 2


def test_unknown_work_and_unknown_jobs_are_said(store: Store) -> None:
    with pytest.raises(NotFoundError):
        jobs.submit(store, SYSTEM, "nothing", {})
    with pytest.raises(NotFoundError):
        state(store, 999_999)


def test_a_job_that_was_never_handed_to_the_queue_is_found(store: Store) -> None:
    with store.transaction(SYSTEM) as connection:
        job_id = connection.execute(
            sa.insert(t.job)
            .values(kind="test_add", actor_id=1, arguments={"a": 2, "b": 2})
            .returning(t.job.c.job_id)
        ).scalar_one()
    jobs.run_worker(store, wait=False)
    assert state(store, job_id).status == "done"


def test_cancelling_ends_a_running_job_at_its_next_step(store: Store) -> None:
    job_id = jobs.submit(store, SYSTEM, "test_sleep", {"steps": 200})
    worker = multiprocessing.get_context("fork").Process(target=_work, args=(store.url,))
    worker.start()
    _wait_for(store, job_id, "running")
    jobs.cancel(store, SYSTEM, job_id)
    worker.join(60)
    assert worker.exitcode == 0
    assert state(store, job_id).status == "cancelled"


def test_a_killed_worker_leaves_a_job_that_is_taken_up_again_or_given_up(store: Store) -> None:
    job_id = jobs.submit(store, SYSTEM, "test_sleep", {"steps": 1000})
    worker = multiprocessing.get_context("fork").Process(target=_work, args=(store.url,))
    worker.start()
    _wait_for(store, job_id, "running")
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    worker.join(60)
    assert state(store, job_id).status == "running"
    with store.transaction(SYSTEM) as connection:
        connection.execute(
            sa.update(t.job)
            .where(t.job.c.job_id == job_id)
            .values(
                arguments={"steps": 1},
                heartbeat_at=sa.func.now() - sa.func.make_interval(0, 0, 0, 0, 1),
            )
        )
    with store.transaction(SYSTEM) as connection:
        assert job_queries.find_stuck_jobs(connection) == [job_id]
    jobs.perform(store, job_id)
    assert state(store, job_id).status == "done"


def test_after_three_attempts_a_job_says_that_it_failed(store: Store) -> None:
    job_id = jobs.submit(store, SYSTEM, "test_add", {"a": 1, "b": 1})
    with store.transaction(SYSTEM) as connection:
        connection.execute(
            sa.update(t.job)
            .where(t.job.c.job_id == job_id)
            .values(attempts=jobs.ATTEMPTS, status="running")
        )
    jobs.run_worker(store, wait=False)
    assert state(store, job_id).status == "failed"


def _work(url: sa.URL) -> None:
    store = Store(url, pooled=False)
    jobs.run_worker(store, wait=False)
    store.close()


def _wait_for(store: Store, job_id: int, status: str) -> None:
    until = time.monotonic() + 60
    while state(store, job_id).status != status:
        assert time.monotonic() < until
        time.sleep(0.05)
