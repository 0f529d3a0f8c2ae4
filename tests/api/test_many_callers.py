"""Many at once: they wait their turn or are told to come again; nothing waits with a connection."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from typing import Any

import anyio.to_thread
import httpx
import pytest
import sqlalchemy as sa
from starlette.types import Message, Receive, Scope, Send

from gis_service.api import create_app
from gis_service.api.admission import Admission
from gis_service.coverage.areas.service import AREA_INPUTS
from gis_service.coverage.county.parts import ROADS, ROUTERS
from gis_service.grids.answers.serving import BOUNDARIES
from gis_service.grids.answers.tallies import TALLIES
from gis_service.incidents.watching import Mark
from gis_service.maps.sheets import printing
from gis_service.settings import ServerSettings, server_settings
from gis_service.snapshot import SnapshotPart
from gis_service.store import Store
from tests.api.conftest import SmallCounty, TestClient
from tests.api.test_live import Running, listening, reported, running, steps_of, until

As = Callable[[str], dict[str, str]]


@pytest.fixture
def narrow(store: Store) -> Iterator[Store]:
    """The drawn county behind a pool of two connections."""
    with_two = Store(store.url, connections=2)
    yield with_two
    with_two.close()


@contextmanager
def emptied(store: Store) -> Iterator[None]:
    """Every connection of a pool is taken meanwhile."""
    with ExitStack() as held:
        while store.engine.pool.checkedout() < store.engine.pool.size():  # type: ignore[attr-defined]
            held.enter_context(store.engine.connect())
        yield


def asked(app: Any, *questions: str, headers: dict[str, str] | None = None) -> list[httpx.Response]:
    """Ask all questions at once, without a server between."""

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1", headers=headers, timeout=60
        ) as client:
            return list(await asyncio.gather(*(client.get(one) for one in questions)))

    return asyncio.run(ask())


def test_a_hundred_callers_share_two_connections(
    narrow: Store, small_county: SmallCounty, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every thread stood in the pool once, each dependency holding what an endpoint waited for."""
    patient = ServerSettings(request_wait_s=60, requests_at_once=40)
    monkeypatch.setattr("gis_service.api.admission.server_settings", lambda: patient)
    monkeypatch.setattr(narrow.engine.pool, "_timeout", 60)
    app = create_app(narrow, loopback_only=True)
    grid = small_county.grid_ids["g00"]
    answers = asked(
        app, *["/api/schemes", f"/api/grids/{grid}", f"/api/households?grid_id={grid}"] * 33
    )
    assert {one.status_code for one in answers} == {200}


def test_an_empty_pool_is_told_as_busy_while_health_answers(
    narrow: Store, small_county: SmallCounty, monkeypatch: pytest.MonkeyPatch
) -> None:
    del small_county
    monkeypatch.setattr(narrow.engine.pool, "_timeout", 0.05)
    app = create_app(narrow, loopback_only=True)
    with emptied(narrow):
        card, health = asked(app, "/api/schemes", "/health")
    assert card.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert int(card.headers["retry-after"]) > 0
    assert card.json()["type"].endswith(":busy")
    assert health.status_code == HTTPStatus.OK


def test_an_error_is_told_while_every_thread_is_taken(store: Store) -> None:
    app = create_app(store, loopback_only=True)

    async def ask() -> int:
        threads = anyio.to_thread.current_default_thread_limiter()
        threads.total_tokens = 1
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with (
            threads,
            httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
        ):
            return (await asyncio.wait_for(client.get("/api/nothing/here"), 10)).status_code

    assert asyncio.run(ask()) == HTTPStatus.NOT_FOUND


# --- whose turn it is ----------------------------------------------------------------------------


def a_lane(**settings: Any) -> tuple[Admission, asyncio.Event, list[str]]:
    """A service that answers when the event is set, and what it was asked."""
    goes_on, seen = asyncio.Event(), []

    async def service(scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        seen.append(scope["path"])
        if "starts_at_once" in scope:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await goes_on.wait()
        await send({"type": "http.response.body", "body": b""})

    return Admission(service, ServerSettings(**settings)), goes_on, seen


async def told(app: Admission, path: str, **more: Any) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "path": path, "headers": [], "query_string": b"", "method": "GET"}
    await app({**scope, **more}, receive, send)
    return sent


def test_who_waits_too_long_is_told_when_to_come_again() -> None:
    async def run() -> list[Message]:
        app, goes_on, seen = a_lane(requests_at_once=1, request_wait_s=0.05)
        first = asyncio.create_task(told(app, "/api/grids"))
        await asyncio.sleep(0)
        refused = await told(app, "/api/search")
        assert seen == ["/api/grids"]
        goes_on.set()
        await first
        assert (await told(app, "/api/search"))[-1]["type"] == "http.response.body"
        return refused

    refused = asyncio.run(run())
    assert refused[0]["status"] == HTTPStatus.SERVICE_UNAVAILABLE
    assert b"retry-after" in dict(refused[0]["headers"])


def test_a_line_that_is_too_long_is_refused_at_once() -> None:
    async def run() -> None:
        app, goes_on, _ = a_lane(requests_at_once=1, requests_waiting=1, request_wait_s=60)
        taken = [asyncio.create_task(told(app, "/api/grids")) for _ in range(2)]
        await asyncio.sleep(0)
        refused = await asyncio.wait_for(told(app, "/api/grids"), 5)
        assert refused[0]["status"] == HTTPStatus.SERVICE_UNAVAILABLE
        goes_on.set()
        await asyncio.gather(*taken)

    asyncio.run(run())


@pytest.mark.parametrize("path", ["/health", "/static/js/main.js", "/api/live", "/api/plans/stage"])
def test_what_needs_no_connection_waits_for_nobody(path: str) -> None:
    async def run() -> None:
        app, goes_on, seen = a_lane(requests_at_once=1)
        first = asyncio.create_task(told(app, "/api/grids"))
        await asyncio.sleep(0)
        other = asyncio.create_task(told(app, path))
        await asyncio.sleep(0)
        assert seen == ["/api/grids", path]
        goes_on.set()
        await asyncio.gather(first, other)

    asyncio.run(run())


def test_slow_work_leaves_room_for_quick_questions_and_slow_readers_for_others() -> None:
    async def run() -> None:
        app, goes_on, seen = a_lane(
            requests_at_once=1, slow_requests_at_once=1, request_wait_s=0.05
        )
        drawing = asyncio.create_task(told(app, "/api/coverage/areas"))
        await asyncio.sleep(0)
        assert (await told(app, "/api/plans/7/faces"))[0]["status"] == 503
        reading = asyncio.create_task(told(app, "/api/grids", starts_at_once=True))
        await asyncio.sleep(0)
        quick = asyncio.create_task(told(app, "/api/search"))
        await asyncio.sleep(0)
        assert seen == ["/api/coverage/areas", "/api/grids", "/api/search"]
        goes_on.set()
        await asyncio.gather(drawing, reading, quick)

    asyncio.run(run())


# --- who waits for something of ours holds no connection -----------------------------------------


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/api/coverage/areas?standard=fire-20", AREA_INPUTS),
        ("/api/coverage/districts", ROADS),
        ("/api/arrivals?lon=112.9&lat=28.7", ROUTERS),
        ("/api/locate?lon=112.9&lat=28.7", BOUNDARIES),
        ("/api/overview", TALLIES),
    ],
)
def test_a_lock_is_waited_for_without_a_connection(
    narrow: Store,
    small_county: SmallCounty,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    part: SnapshotPart,
) -> None:
    app = create_app(narrow, loopback_only=True)
    office = {"X-Gis-Actor": str(small_county.actors["county_office"])}
    reached = threading.Event()
    answered: list[httpx.Response] = []

    class Watched:
        """The same lock; it tells when somebody waits for it."""

        def __enter__(self) -> None:
            reached.set()
            held.acquire()

        def __exit__(self, *_: object) -> None:
            held.release()

    held = threading.RLock()
    monkeypatch.setattr(app.state.snapshot._shelf(part), "lock", Watched())
    held.acquire()
    asking = threading.Thread(target=lambda: answered.extend(asked(app, path, headers=office)))
    asking.start()
    assert reached.wait(20)
    assert narrow.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    held.release()
    asking.join(60)
    assert answered[0].status_code == 200, answered[0].text


def test_a_plan_that_another_works_on_is_waited_for_without_a_connection(
    narrow: Store, small_county: SmallCounty
) -> None:
    app = create_app(narrow, loopback_only=True)
    office = {"X-Gis-Actor": str(small_county.actors["county_office"])}
    answered: list[httpx.Response] = []
    with app.state.drafts.turn(1):
        asking = threading.Thread(
            target=lambda: answered.extend(asked(app, "/api/plans/1/checks", headers=office))
        )
        asking.start()
        time.sleep(0.5)
        assert not answered
        assert narrow.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    asking.join(60)
    assert answered[0].status_code == 404


def test_a_sheet_is_printed_without_a_connection(
    narrow: Store, small_county: SmallCounty, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []

    def print_it(document: str) -> bytes:
        assert document.startswith("<!DOCTYPE html>")
        taken.append(narrow.engine.pool.checkedout())  # type: ignore[attr-defined]
        return b"%PDF-1.7"

    monkeypatch.setattr(printing, "print_pdf", print_it)
    app = create_app(narrow, loopback_only=True)
    answer = asked(app, f"/api/grids/{small_county.grid_ids['g00']}/sheet")[0]
    assert (answer.status_code, taken) == (200, [0])


# --- the stream of events ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(store: Store, small_county: SmallCounty) -> Iterator[Running]:
    del small_county
    with running(store) as found:
        yield found


def test_the_stream_goes_on_while_the_pool_is_empty(
    served: Running, store: Store, as_actor: As
) -> None:
    with listening(served, as_actor("county_office")) as stream:
        until(stream, "ready")
        incident_id = reported(store, "g11")
        with emptied(store):
            assert steps_of(until(stream, "incident", of=incident_id), incident_id)


def test_the_stream_goes_on_after_a_table_was_locked_and_a_read_failed(
    served: Running,
    store: Store,
    owner_engine: sa.Engine,
    as_actor: As,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(connection: sa.Connection, mark: Mark) -> Any:
        monkeypatch.undo()
        raise sa.exc.TimeoutError

    with listening(served, as_actor("county_office")) as stream:
        until(stream, "ready")
        monkeypatch.setattr("gis_service.api.live.read_changes_since", fails)
        first = reported(store, "g11")
        assert steps_of(until(stream, "incident", of=first), first)
        with owner_engine.begin() as connection:
            connection.execute(sa.text("LOCK TABLE incident_step IN ACCESS EXCLUSIVE MODE"))
            time.sleep(0.2)
        second = reported(store, "g11")
        assert steps_of(until(stream, "incident", of=second), second)


def test_who_signs_in_waits_in_a_line_of_their_own(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_settings(), "request_wait_s", 0.2)
    app = create_app(store, loopback_only=True)
    slow = threading.Event()

    def wait_for_it(password_hash: str | None, password: str) -> bool:
        del password_hash, password
        assert slow.wait(20)
        return False

    monkeypatch.setattr("gis_service.access.passwords.verify_password", wait_for_it)
    with TestClient(app, "http://127.0.0.1:8000", client=("127.0.0.1", 50000)) as client:

        def sign_in(number: int) -> int:
            body = {"login": f"somebody.{number}", "password": "stone bridge 7"}
            status: int = client.post("/api/session", json=body).status_code
            return status

        with ThreadPoolExecutor(12) as many:
            signing_in = [many.submit(sign_in, number) for number in range(12)]
            time.sleep(0.5)  # longer than others wait for their turn
            assert client.get("/api/actors/current").status_code == 200
            slow.set()
            assert {one.result() for one in signing_in} == {403}
