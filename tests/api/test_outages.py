"""What the database or the disk cannot do now, over HTTP: five answers, and a log without names."""

import logging
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
import uvicorn

from gis_service.access import SYSTEM
from gis_service.api import create_app
from gis_service.api.dependencies import ConnectionDep
from gis_service.api.routing import ServiceRouter
from gis_service.errors import (
    DeadlockError,
    DiskFullError,
    LockTimeoutError,
    OutageError,
    QueryCancelledError,
    ServerLostError,
)
from gis_service.logs import keep_values_out_of_logs
from gis_service.settings import limit_settings, store_settings
from gis_service.store import Store
from gis_service.store import tables as t
from gis_service.store.engine import whole_county
from tests.api.conftest import TestClient

SECRET = "王某某"
router = ServiceRouter()
calls: list[str] = []


@router.get("/api/test/outage")
def outage(kind: str) -> None:
    """Raise one of them."""
    classes = {one.kind: one for one in OutageError.__subclasses__()}
    raise classes[kind]("SQLSTATE 00000, the cause")


@router.get("/api/test/full")
def full(connection: ConnectionDep) -> None:
    """Write where there is no room."""
    Path("/dev/full").write_text("x")


@router.post("/api/test/twice")
def twice(connection: ConnectionDep) -> None:
    """Break a constraint with a row that holds a name."""
    new = sa.insert(t.officer).values(key=SECRET, name=SECRET, valid="[2024-07-01,)")
    with whole_county(connection):
        connection.execute(new)
        connection.execute(new)


@router.get("/api/test/crossed")
def crossed(connection: ConnectionDep) -> str:
    """Be taken back by a deadlock once."""
    calls.append("called")
    if len(calls) == 1:
        raise DeadlockError("SQLSTATE 40P01")
    return str(connection.scalar(sa.text("SELECT 'done'")))


@pytest.fixture
def ask(store: Store) -> Iterator[TestClient]:
    app = create_app(store, loopback_only=True)
    app.router.routes[:0] = router.routes
    with TestClient(
        app, "http://localhost", raise_server_exceptions=False, client=("127.0.0.1", 1)
    ) as client:
        yield client


@pytest.mark.parametrize(
    ("error", "status", "retry"),
    [
        (QueryCancelledError, 504, None),
        (LockTimeoutError, 503, "5"),
        (DeadlockError, 503, "1"),
        (DiskFullError, 507, None),
        (ServerLostError, 503, "5"),
    ],
)
@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_each_is_an_answer_of_its_own(
    ask: TestClient,
    error: type[OutageError],
    status: int,
    retry: str | None,
    language: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = ask.get("/api/test/outage", params={"kind": error.kind, "lang": language})
    assert answer.status_code == status
    told = answer.json()
    assert told["type"] == f"urn:gis-service:problem:{error.kind}"
    assert told["detail"] == error("").say(language)
    assert answer.headers.get("Retry-After") == retry
    assert "SQLSTATE 00000, the cause" in caplog.text
    assert "SQLSTATE" not in answer.text


def test_a_held_lock_is_told_after_the_pages_limit(
    store: Store, ask: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIS_PAGE_LOCK_S", "0.2")
    limit_settings.cache_clear()
    try:
        app = create_app(store, loopback_only=True)
        with (
            TestClient(app, "http://localhost", client=("127.0.0.1", 1)) as client,
            store.transaction(SYSTEM) as holder,
        ):
            holder.execute(sa.text("LOCK TABLE grid_scheme IN ACCESS EXCLUSIVE MODE"))
            answer = client.get("/api/schemes")
    finally:
        limit_settings.cache_clear()
    assert (answer.status_code, answer.json()["type"]) == (
        503,
        "urn:gis-service:problem:lock-timeout",
    )


def test_our_own_full_disk_is_told(ask: TestClient) -> None:
    assert ask.get("/api/test/full").status_code == 507


def test_what_a_deadlock_took_back_is_asked_again(ask: TestClient) -> None:
    calls.clear()
    answer = ask.get("/api/test/crossed")
    assert (answer.status_code, answer.json()) == (200, "done")
    assert len(calls) == 2


def test_a_broken_constraint_tells_the_log_no_row(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With the server that writes tracebacks, which the client of other tests leaves out."""
    monkeypatch.setattr(logging, "_logRecordFactory", logging.getLogRecordFactory())
    keep_values_out_of_logs()
    app = create_app(store, loopback_only=True)
    app.router.routes[:0] = router.routes
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        port = listener.getsockname()[1]
        answer = httpx.post(f"http://127.0.0.1:{port}/api/test/twice")
        server.should_exit = True
        thread.join()
    assert answer.status_code == 500
    assert SECRET not in answer.text
    assert "SQLSTATE 23" in caplog.text
    assert "in twice" in caplog.text
    assert SECRET not in caplog.text


def test_a_full_disk_is_not_healthy(ask: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gis_service.api.health._LOOK_EVERY_S", 0)
    assert ask.get("/health").json()["disk"] == {"status": "ok"}
    monkeypatch.setenv("GIS_DISK_FREE_MB", "1000000000")
    store_settings.cache_clear()
    try:
        answer = ask.get("/health")
    finally:
        monkeypatch.undo()
        store_settings.cache_clear()
    assert answer.status_code == 503
    told = answer.json()
    assert (told["status"], told["disk"]) == ("failing", {"status": "full"})
    assert "/" not in str(told["disk"])
