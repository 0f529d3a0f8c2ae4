"""Works that spin, die, wait or break, for the tests of workers."""

import itertools
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from gis_service import jobs
from gis_service.access.actor import Actor
from gis_service.store.engine import Store


@jobs.work("test_spin")
def spin(
    store: Store, actor: Actor, arguments: Mapping[str, Any], progress: jobs.Progress
) -> Mapping[str, Any]:
    """Never leave one call of compiled code, which no signal handler and no thread interrupts."""
    helper = subprocess.Popen(["sleep", "1000"])
    folder = Path(arguments["folder"])
    (folder / "helper").write_text(str(helper.pid))
    (folder / "server").write_text(str(os.getppid()))
    (folder / "child").write_text(str(os.getpid()))
    sum(itertools.repeat(0))
    return {}


@jobs.work("test_hold")
def hold(
    store: Store, actor: Actor, arguments: Mapping[str, Any], progress: jobs.Progress
) -> Mapping[str, Any]:
    """Hold a lock in the database, and let the server work for as long as was asked for."""
    with store.transaction(actor) as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(78)))
        Path(arguments["folder"], "child").write_text(str(os.getpid()))
        connection.execute(sa.select(sa.func.pg_sleep(arguments["seconds"])))
    return {}


@jobs.work("test_die")
def die(
    store: Store, actor: Actor, arguments: Mapping[str, Any], progress: jobs.Progress
) -> Mapping[str, Any]:
    """Be killed by the system, so many times."""
    with Path(arguments["folder"], "deaths").open("a+") as file:
        file.seek(0)
        if len(file.read()) < arguments["times"]:
            file.write("+")
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
    return {}


@jobs.work("test_lose")
def lose(
    store: Store, actor: Actor, arguments: Mapping[str, Any], progress: jobs.Progress
) -> Mapping[str, Any]:
    """Lose the connection to the server, once."""
    mark = Path(arguments["folder"], "lost")
    with store.transaction(actor) as connection:
        pid = connection.scalar(sa.select(sa.func.pg_backend_pid()))
        if not mark.exists():
            mark.touch()
            with store.transaction(actor) as other:
                other.execute(sa.select(sa.func.pg_terminate_backend(pid)))
        connection.scalar(sa.select(sa.func.now()))
    return {}


@jobs.work("test_wait")
def wait(
    store: Store, actor: Actor, arguments: Mapping[str, Any], progress: jobs.Progress
) -> Mapping[str, Any]:
    """Tell progress until a file is there."""
    folder = Path(arguments["folder"])
    while not (folder / "go_on").exists():
        progress(0.5, "jobs.half")
        time.sleep(0.05)
    return {}


@jobs.work("test_tidy")
def tidy(
    store: Store, actor: Actor, arguments: Mapping[str, Any], progress: jobs.Progress
) -> Mapping[str, Any]:
    """Be done, and go on for some looks of the worker."""
    with store.transaction(actor) as connection:
        jobs.complete_job(connection, arguments["job_id"], {})
    time.sleep(3 * jobs._LOOK_AGAIN_S)
    Path(arguments["folder"], "tidy").touch()
    return {}


@jobs.work("test_fill")
def fill(
    store: Store, actor: Actor, arguments: Mapping[str, Any], progress: jobs.Progress
) -> Mapping[str, Any]:
    """Write to a disk without room."""
    Path("/dev/full").write_text("a report")
    return {}


@jobs.work("test_break")
def break_(
    store: Store, actor: Actor, arguments: Mapping[str, Any], progress: jobs.Progress
) -> Mapping[str, Any]:
    """Break with somebody's name in the words of the error."""
    raise ValueError(f"no number: {arguments['name']}")
