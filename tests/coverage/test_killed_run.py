"""A run whose process is killed, or that is cancelled half way, leaves nothing half-written."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from gis_service import job_queries, jobs
from gis_service.access import SYSTEM
from gis_service.coverage.runs import runs
from gis_service.store import Store
from gis_service.store import tables as t
from tests.conftest import ROOT, DatabaseServer
from tests.coverage.drawn_county import HOUSEHOLDS

STEPS = ("count_figures", "complete_job")


class Workers:
    """The process whose children work on the queue, one at a time."""

    def __init__(self, url: str, folder: Path) -> None:
        command = [sys.executable, "-m", "tests.coverage.measuring_process", url]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._go_on = folder / "go_on"
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def start(self, step: str = "nowhere") -> int:
        """Start one; where it is to stop after a step, return when it does so."""
        assert self._process.stdin is not None
        self._go_on.unlink(missing_ok=True)
        self._process.stdin.write(f"{step} {self._go_on}\n")
        self._process.stdin.flush()
        # The parent tells the child's number, the child that it waits; either may be the first.
        lines = {self._line() for _ in range(1 if step == "nowhere" else 2)} - {"held"}
        return int(lines.pop())

    def let_go_on(self) -> None:
        """Let the one that waits go on."""
        self._go_on.touch()

    def ended(self) -> None:
        """Wait until the one that runs has ended, whatever its end."""
        assert self._line() == "ended"

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


@pytest.fixture(scope="module")
def workers(
    database_server: DatabaseServer, database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workers]:
    url = database_server.url("gis_service", database).render_as_string(hide_password=False)
    started = Workers(url, tmp_path_factory.mktemp("workers"))
    yield started
    started.close()


def kept(store: Store) -> tuple[int, int, int]:
    """How many runs there are, with how many households' answers and figures."""
    with store.transaction(SYSTEM) as connection:
        tables = (t.coverage_run, t.coverage_household, t.coverage_figure)
        counts = [
            connection.scalar(sa.select(sa.func.count()).select_from(table)) for table in tables
        ]
    runs_, answers, figures = (int(count or 0) for count in counts)
    return runs_, answers, figures


def job_of(store: Store, job_id: int) -> job_queries.JobState:
    with store.transaction(SYSTEM) as connection:
        return job_queries.find_job(connection, job_id)


def kill(store: Store, workers: Workers, step: str) -> None:
    """Kill a worker after a step with what it wrote uncommitted, and let a minute pass."""
    child = workers.start(step)
    os.kill(child, signal.SIGKILL)
    workers.ended()
    with store.transaction(SYSTEM) as connection:
        a_minute = sa.func.make_interval(0, 0, 0, 0, 0, 1, job_queries.STUCK_S)
        connection.execute(
            sa.update(t.job)
            .where(t.job.c.status == "running")
            .values(heartbeat_at=sa.func.now() - a_minute)
        )


def settled(store: Store) -> None:
    """Wait until the server has noticed that its client is gone, so that nothing is held."""
    others = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
    )
    for _ in range(200):
        with store.transaction(SYSTEM) as connection:
            if not connection.scalar(others):
                return
        time.sleep(0.02)


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_run_leaves_nothing_and_the_next_worker_does_it(
    county: Store, workers: Workers, step: str
) -> None:
    job_id = jobs.submit(county, SYSTEM, "coverage_run", {"standard": "fire-20"})
    kill(county, workers, step)
    settled(county)
    assert job_of(county, job_id).status == "running"
    assert kept(county) == (0, 0, 0)
    workers.start()
    workers.ended()
    done = job_of(county, job_id)
    assert done.status == "done"
    number, answers, figures = kept(county)
    assert (number, answers) == (1, len(HOUSEHOLDS))
    assert figures > 0
    with county.transaction(SYSTEM) as connection:
        run = runs.find_latest_run(connection, "fire-20")
    assert run is not None
    assert done.result is not None
    assert done.result["run_id"] == run.run_id


def test_a_run_that_kills_its_worker_every_time_says_that_it_failed(
    county: Store, workers: Workers
) -> None:
    job_id = jobs.submit(county, SYSTEM, "coverage_run", {"standard": "fire-20"})
    for _ in range(jobs.ATTEMPTS):
        kill(county, workers, "write_run")
        settled(county)
    workers.start()
    workers.ended()
    failed = job_of(county, job_id)
    assert failed.status == "failed"
    assert failed.error_in("zh-CN")
    assert failed.error_in("en") != failed.error_in("zh-CN")
    assert kept(county) == (0, 0, 0)


def test_a_run_that_is_cancelled_in_another_process_leaves_nothing(
    county: Store, workers: Workers
) -> None:
    job_id = jobs.submit(county, SYSTEM, "coverage_run", {"standard": "fire-20"})
    workers.start("write_run")
    jobs.cancel(county, SYSTEM, job_id)
    workers.let_go_on()
    workers.ended()
    assert job_of(county, job_id).status == "cancelled"
    assert kept(county) == (0, 0, 0)
