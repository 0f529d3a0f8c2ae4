"""A real worker process: what it does is ended by a cancel, its own end, and its child's."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from gis_service import job_queries, jobs
from gis_service.access import SYSTEM
from gis_service.store import Store
from gis_service.store import tables as t
from tests import works  # noqa: F401 (adds works)
from tests.conftest import ROOT

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workers") / "log"


def begin(store: Store, log: Path, shutdown_s: float) -> "subprocess.Popen[str]":
    url = store.url.render_as_string(hide_password=False)
    with log.open("a") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.worker_process", url],
            cwd=ROOT,
            stderr=errors,
            text=True,
            env={**os.environ, "GIS_SHUTDOWN_S": str(shutdown_s)},
        )


@pytest.fixture(scope="module")
def worker(store: Store, log: Path) -> Iterator[None]:
    """One that goes on."""
    process = begin(store, log, 0)
    yield
    process.terminate()
    process.wait()


def row(store: Store, job_id: int) -> sa.Row[tuple[object, ...]]:
    with store.transaction(SYSTEM) as connection:
        return connection.execute(sa.select(t.job).where(t.job.c.job_id == job_id)).one()


def until(condition: Callable[[], object]) -> None:
    """Wait for what must come; a minute and a half is for a machine that is very busy."""
    ends = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.05)


def ended(store: Store, job_id: int) -> str:
    until(lambda: row(store, job_id).status not in ("waiting", "running"))
    return str(row(store, job_id).status)


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def pid_in(file: Path) -> int:
    until(lambda: file.exists() and file.read_text())
    return int(file.read_text())


def submit(store: Store, kind: str, folder: Path, **more: object) -> int:
    return jobs.submit(store, SYSTEM, kind, {"folder": str(folder), **more})


# First those that need a worker of their own: the one of the module takes every job.


def test_a_worker_that_has_to_stop_gives_its_job_back(
    store: Store, tmp_path: Path, log: Path
) -> None:
    job_id = submit(store, "test_wait", tmp_path)
    first = begin(store, log, 0.2)
    until(lambda: row(store, job_id).status == "running")
    first.terminate()
    assert first.wait() == 0
    given_back = row(store, job_id)
    assert (given_back.status, given_back.attempts) == ("waiting", 0)
    (tmp_path / "go_on").touch()
    second = begin(store, log, 0.2)
    assert ended(store, job_id) == "done"
    assert row(store, job_id).attempts == 1
    second.terminate()
    second.wait()


def test_a_worker_that_has_to_stop_lets_its_job_end_in_time(
    store: Store, tmp_path: Path, log: Path
) -> None:
    job_id = submit(store, "test_wait", tmp_path)
    process = begin(store, log, 300)
    until(lambda: row(store, job_id).status == "running")
    process.terminate()
    (tmp_path / "go_on").touch()
    assert process.wait() == 0
    assert row(store, job_id).status == "done"


def test_nothing_outlives_a_worker_that_is_killed(store: Store, tmp_path: Path, log: Path) -> None:
    job_id = submit(store, "test_spin", tmp_path)
    process = begin(store, log, 0)
    child, server = (pid_in(tmp_path / name) for name in ("child", "server"))
    process.send_signal(signal.SIGKILL)
    process.wait()
    until(lambda: not alive(server))
    until(lambda: not alive(child))
    assert row(store, job_id).status == "running"  # a stalled one, which the next takes up
    os.kill(pid_in(tmp_path / "helper"), signal.SIGKILL)
    jobs.cancel(store, SYSTEM, job_id)


# --- the worker that goes on


def test_a_cancel_ends_compiled_code_and_the_next_job_is_taken(
    store: Store, worker: None, tmp_path: Path
) -> None:
    first = submit(store, "test_spin", tmp_path)
    child, helper = (pid_in(tmp_path / name) for name in ("child", "helper"))
    server = pid_in(tmp_path / "server")
    threads = Path(f"/proc/{server}/status").read_text().partition("Threads:")[2].split()[0]
    assert threads == "1"  # a fork of several threads would not be clean
    began = row(store, first).started_at
    until(lambda: row(store, first).heartbeat_at > began)  # beats while nothing else may run
    (tmp_path / "go_on").touch()
    second = submit(store, "test_wait", tmp_path)
    jobs.cancel(store, SYSTEM, first)
    assert ended(store, second) == "done"
    assert row(store, first).status == "cancelled"
    until(lambda: not alive(child))
    until(lambda: not alive(helper))
    assert alive(server)  # which had read the program already


def test_a_cancel_ends_what_the_database_does_for_the_job(
    store: Store, worker: None, tmp_path: Path
) -> None:
    first = submit(store, "test_hold", tmp_path, seconds=1000)
    pid_in(tmp_path / "child")
    second = submit(store, "test_hold", tmp_path, seconds=0)
    jobs.cancel(store, SYSTEM, first)
    assert ended(store, second) == "done"


def test_a_job_that_is_done_may_go_on(store: Store, worker: None, tmp_path: Path) -> None:
    first = submit(store, "test_tidy", tmp_path)
    assert ended(store, first) == "done"
    (tmp_path / "go_on").touch()
    assert ended(store, submit(store, "test_wait", tmp_path)) == "done"
    assert (tmp_path / "tidy").exists()


def test_a_child_that_dies_is_one_attempt(store: Store, worker: None, tmp_path: Path) -> None:
    job_id = submit(store, "test_die", tmp_path, times=1)
    assert ended(store, job_id) == "done"
    assert row(store, job_id).attempts == 2


def test_a_child_that_dies_three_times_is_told(
    store: Store, worker: None, tmp_path: Path, log: Path
) -> None:
    job_id = submit(store, "test_die", tmp_path, times=9)
    assert ended(store, job_id) == "failed"
    assert (tmp_path / "deaths").read_text() == "+" * jobs.ATTEMPTS
    with store.transaction(SYSTEM) as connection:
        assert "three times" in str(job_queries.find_job(connection, job_id).error_in("en"))
    assert f"job {job_id}: its process ended with -9" in log.read_text()


def test_a_lost_server_is_one_attempt(store: Store, worker: None, tmp_path: Path) -> None:
    job_id = submit(store, "test_lose", tmp_path)
    assert ended(store, job_id) == "done"
    assert row(store, job_id).attempts == 2


def test_a_job_that_failed_of_a_full_disk_says_so(
    store: Store, worker: None, tmp_path: Path, log: Path
) -> None:
    job_id = submit(store, "test_fill", tmp_path)
    assert ended(store, job_id) == "failed"
    with store.transaction(SYSTEM) as connection:
        found = job_queries.find_job(connection, job_id)
    assert "no room left" in str(found.error_in("en"))
    assert "磁盘空间已满" in str(found.error_in("zh-CN"))
    assert "ENOSPC" in log.read_text()


def test_the_log_tells_where_it_broke_and_no_name(
    store: Store, worker: None, tmp_path: Path, log: Path
) -> None:
    job_id = submit(store, "test_break", tmp_path, name="王某某")
    assert ended(store, job_id) == "failed"
    until(lambda: "in break_" in log.read_text())
    assert "ValueError" in log.read_text()
    assert "王" not in log.read_text()
