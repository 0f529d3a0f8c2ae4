"""Jobs: done by a worker, seen while they run, taken up again after a kill."""

import multiprocessing
import os
import signal
import time
from collections.abc import Mapping
from typing import Any

import pytest
import sqlalchemy as sa

from gis_service import jobs
from gis_service.access import SYSTEM
from gis_service.access.actor import Actor
from gis_service.errors import InputError, NotFoundError
from gis_service.store import tables as t
from gis_service.store.engine import Store


@jobs.work("test_add")
def add(
    store: Store, actor: Actor, arguments: Mapping[str, Any], progress: jobs.Progress
) -> Mapping[str, Any]:
    progress(0.5, "jobs.half")
    return {"sum": arguments["a"] + arguments["b"]}


@jobs.work("test_refuse")
def refuse(
    store: Store, actor: Actor, arguments: Mapping[str, Any], progress: jobs.Progress
) -> Mapping[str, Any]:
    raise InputError("jobs.unknown_kind", kind="x")


@jobs.work("test_sleep")
def sleep(
    store: Store, actor: Actor, arguments: Mapping[str, Any], progress: jobs.Progress
) -> Mapping[str, Any]:
    for step in range(int(arguments["steps"])):
        progress(step / arguments["steps"], "jobs.sleeping")
        time.sleep(0.25)
    return {}


def state(store: Store, job_id: int) -> jobs.JobState:
    with store.transaction(SYSTEM) as connection:
        return jobs.find(connection, job_id)


def test_a_worker_does_what_was_submitted(store: Store) -> None:
    job_id = jobs.submit(store, SYSTEM, "test_add", {"a": 1, "b": 2})
    assert state(store, job_id).status == "waiting"
    jobs.run_worker(store, wait=False)
    done = state(store, job_id)
    assert (done.status, done.progress, done.result) == ("done", 1.0, {"sum": 3})


def test_an_error_we_can_name_is_told(store: Store) -> None:
    job_id = jobs.submit(store, SYSTEM, "test_refuse", {})
    jobs.run_worker(store, wait=False)
    failed = state(store, job_id)
    assert failed.status == "failed"
    assert failed.error is not None
    assert "“x”" in failed.error


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
    worker.join(20)
    assert worker.exitcode == 0
    assert state(store, job_id).status == "cancelled"


def test_a_killed_worker_leaves_a_job_that_is_taken_up_again_or_given_up(store: Store) -> None:
    job_id = jobs.submit(store, SYSTEM, "test_sleep", {"steps": 1000})
    worker = multiprocessing.get_context("fork").Process(target=_work, args=(store.url,))
    worker.start()
    _wait_for(store, job_id, "running")
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    worker.join(20)
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
        assert jobs.stuck(connection) == [job_id]
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
    until = time.monotonic() + 20
    while state(store, job_id).status != status:
        assert time.monotonic() < until
        time.sleep(0.05)
