"""Streams of events: told to those who may see it, taken up where they broke off, ended in time."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
import uvicorn

from gis_service.access import SYSTEM, accounts, keys, queries, signing_in
from gis_service.access.actor import Origin
from gis_service.api import create_app
from gis_service.api.serve import Server
from gis_service.incidents.life_cycle import StepRequest, take_step
from gis_service.incidents.reporting import NewIncident, report_incident
from gis_service.incidents.watching import Mark, read_mark
from gis_service.settings import incident_settings
from gis_service.store import Store
from gis_service.store import tables as t
from tests.api.conftest import SmallCounty, middle
from tests.people import PASSWORD, make_person

As = Callable[[str], dict[str, str]]
HURRY = httpx.Timeout(20)
PATIENCE_S = 0.5
"""What a busy machine may add to a time that is promised."""


@dataclass
class Running:
    """A server in a thread, and its address."""

    server: Server
    thread: threading.Thread
    url: str

    def stop(self) -> None:
        """Ask it to end; a server that waits for a stream never does."""
        self.server.should_exit = True
        self.thread.join(timeout=20)


@contextmanager
def running(store: Store) -> Iterator[Running]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        app = create_app(store, loopback_only=True)
        server = Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        found = Running(server, thread, f"http://127.0.0.1:{port}")
        try:
            yield found
        finally:
            found.stop()
            assert not thread.is_alive()


@pytest.fixture(scope="module")
def served(store: Store, small_county: SmallCounty) -> Iterator[Running]:
    """The drawn county, served for real."""
    with running(store) as found:
        yield found


@dataclass
class Event:
    """One event as a browser would see it."""

    name: str = ""
    number: str = ""
    data: dict[str, Any] = field(default_factory=dict)


def events(response: httpx.Response) -> Iterator[Event]:
    event = Event()
    for line in response.iter_lines():
        name, _, value = line.partition(": ")
        if name == "event":
            event.name = value
        elif name == "id":
            event.number = value
        elif name == "data":
            event.data = json.loads(value)
        elif not line and event.name:
            yield event
            event = Event()


@contextmanager
def listening(
    served: Running, headers: dict[str, str], last: str | None = None
) -> Iterator[Iterator[Event]]:
    more = {"Last-Event-ID": last} if last else {}
    with (
        httpx.Client(timeout=HURRY, trust_env=False) as client,
        client.stream("GET", f"{served.url}/api/live", headers={**headers, **more}) as response,
    ):
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in response.headers
        yield events(response)


def until(
    stream: Iterator[Event], name: str, number: int = 1, *, of: int | None = None
) -> list[Event]:
    """The events up to so many of a name, of an incident; what others did may be told late."""
    found: list[Event] = []
    wanted = 0
    for event in stream:
        found.append(event)
        wanted += event.name == name and of in (None, event.data.get("incident_id"))
        if wanted == number:
            return found
    raise AssertionError(f"the stream ended after {found}")


def steps_of(told: list[Event], *incident_ids: int) -> list[dict[str, Any]]:
    """What was told of some incidents."""
    return [one.data for one in told if one.data.get("incident_id") in incident_ids]


def reported(store: Store, key: str) -> int:
    with store.transaction(SYSTEM) as connection:
        return report_incident(
            connection, SYSTEM, NewIncident("noise", *middle(key), text="夜间施工")
        )


def moved(store: Store, incident_id: int, wish: str) -> None:
    with store.transaction(SYSTEM) as connection:
        take_step(connection, SYSTEM, incident_id, StepRequest(wish))


def test_an_incident_is_told_when_it_is_made_and_when_it_moves(
    served: Running, store: Store, as_actor: As
) -> None:
    with listening(served, as_actor("county_office")) as stream:
        until(stream, "ready")
        incident_id = reported(store, "g11")
        moved(store, incident_id, "accept")
        told = until(stream, "incident", 2, of=incident_id)
    assert steps_of(told, incident_id) == [
        {"incident_id": incident_id, "version": 1, "move": "report", "state": "reported"},
        {"incident_id": incident_id, "version": 2, "move": "accept", "state": "accepted"},
    ]


def test_a_reader_is_told_of_the_own_grids_only(
    served: Running, store: Store, as_actor: As
) -> None:
    with listening(served, as_actor("grid_officer")) as stream:
        until(stream, "ready")
        foreign = reported(store, "g11")
        own = reported(store, "g00")
        told = until(stream, "incident", of=own)
    assert not steps_of(told, foreign)


def test_a_visitor_is_told_of_no_incident(served: Running, store: Store, as_actor: As) -> None:
    with (
        listening(served, as_actor("county_office")) as office,
        listening(served, as_actor("visitor")) as stream,
    ):
        mark = until(stream, "ready")[-1].number
        until(office, "ready")
        reported(store, "g00")
        until(office, "incident")
    with listening(served, as_actor("visitor"), mark) as stream:
        assert [one.name for one in until(stream, "ready")] == ["ready"]


def test_what_was_missed_is_told_from_where_the_reader_was(
    served: Running, store: Store, as_actor: As
) -> None:
    office = as_actor("county_office")
    with listening(served, office) as stream:
        until(stream, "ready")
        first = reported(store, "g11")
        last = until(stream, "incident", of=first)[-1].number
    second = reported(store, "g11")
    moved(store, first, "accept")
    with listening(served, office, last) as stream:
        missed = steps_of(until(stream, "ready"), first, second)
        third = reported(store, "g11")
        live = until(stream, "incident", of=third)[-1].data
    assert [(one["incident_id"], one["state"]) for one in missed] == [
        (second, "reported"),
        (first, "accepted"),
    ]
    assert live["incident_id"] == third


def test_a_step_that_is_committed_late_is_told_all_the_same(
    served: Running, store: Store, as_actor: As
) -> None:
    """Its number is lower than that of a step which was told before."""
    office = as_actor("county_office")
    with listening(served, office) as stream:
        until(stream, "ready")
        with store.transaction(SYSTEM) as slow:
            late = report_incident(slow, SYSTEM, NewIncident("noise", *middle("g11")))
            early = reported(store, "g11")
            first = until(stream, "incident", of=early)[-1]
        told = until(stream, "incident", of=late)
    assert steps_of(told, late)
    with listening(served, office, first.number) as stream:
        again = {one.data.get("incident_id") for one in until(stream, "ready")}
    assert late in again


def test_a_listener_that_lost_the_database_goes_on_where_it_was(
    served: Running, store: Store, as_actor: As
) -> None:
    with listening(served, as_actor("county_office")) as stream:
        until(stream, "ready")
        with store.engine.begin() as connection:
            ended = connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
                )
            ).scalars()
            assert True in list(ended)
        missed = reported(store, "g11")
        assert steps_of(until(stream, "incident", of=missed), missed)


def test_more_than_can_be_told_asks_for_the_lists_anew(
    served: Running, store: Store, as_actor: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gis_service.incidents.watching.MOST_STEPS", 2)
    with listening(served, as_actor("county_office"), "0-1") as stream:
        assert next(stream).data == {"reload": True}


def test_new_boundaries_are_told(served: Running, store: Store, as_actor: As) -> None:
    with listening(served, as_actor("visitor")) as stream:
        until(stream, "ready")
        with store.transaction(SYSTEM) as connection:
            scheme = connection.scalar(sa.select(t.grid_scheme.c.scheme_id))
            connection.execute(
                sa.insert(t.grid_version).values(
                    scheme_id=scheme,
                    effective_day=sa.func.gis_today(),
                    published_by=1,
                    title="第二版",
                )
            )
        told = until(stream, "version")[-1].data
    assert [one["scheme"] for one in told["versions"]] == ["base"]


def test_one_stream_too_many_is_refused(
    served: Running, as_actor: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incident_settings(), "live_clients", 1)
    with listening(served, as_actor("visitor")) as stream:
        until(stream, "ready")
        refused = httpx.get(f"{served.url}/api/live", trust_env=False)
    assert refused.status_code == 429
    assert refused.headers["content-type"] == "application/problem+json"


def test_a_stream_ends_with_the_service(
    store: Store, small_county: SmallCounty, as_actor: As
) -> None:
    with running(store) as own, listening(own, as_actor("county_office")) as stream:
        until(stream, "ready")
        own.stop()
        assert list(stream) == []
        assert not own.thread.is_alive()


@pytest.mark.parametrize("word", [None, "", "7", "a-b", "7-", "1-2-3", "9" * 19 + "-1"])
def test_a_mark_that_is_not_ours_is_none(word: str | None) -> None:
    assert read_mark(word) is None


def test_a_mark_says_itself() -> None:
    assert read_mark(str(Mark(7, 812))) == Mark(7, 812)


# --- who may not read any more -------------------------------------------------------------------


@pytest.fixture(scope="module")
def served_beside(store: Store, small_county: SmallCounty) -> Iterator[Running]:
    """Another server process's worth of app on the same store."""
    with running(store) as found:
        yield found


def signed_in(store: Store, role: str) -> tuple[int, dict[str, str]]:
    """An account, and the headers of its browser."""
    login, actor_id = make_person(store, role)
    origin = Origin(address="127.0.0.1")
    name = signing_in.sign_in(store, login, PASSWORD, origin, "a test")[1]
    return actor_id, {"Cookie": f"gis_session={name}"}


def end_it(store: Store, actor_id: int, how: str) -> None:
    with store.transaction(SYSTEM) as connection:
        if how == "account":
            accounts.end_account(connection, SYSTEM, actor_id)
        elif how == "role":
            accounts.change_account(connection, SYSTEM, actor_id, {"role": "display"})
        elif how == "session":
            queries.end_sessions(connection, actor_id)


@pytest.mark.parametrize("how", ["account", "session", "role"])
def test_streams_of_every_process_end_within_a_second(
    served: Running, served_beside: Running, store: Store, how: str
) -> None:
    actor_id, headers = signed_in(store, "county_office")
    _, others = signed_in(store, "county_office")
    with (
        listening(served, headers) as one,
        listening(served_beside, headers) as two,
        listening(served, others) as unharmed,
    ):
        for stream in (one, two, unharmed):
            until(stream, "ready")
        time.sleep(0.7)  # both have been looked at once
        end_it(store, actor_id, how)
        began = time.monotonic()
        for stream in (one, two):
            with pytest.raises((StopIteration, httpx.RemoteProtocolError)):
                next(stream)
        assert time.monotonic() - began < 1.0 + PATIENCE_S
        incident_id = reported(store, "g11")
        assert until(unharmed, "incident", of=incident_id)


def test_a_stream_of_a_key_ends_with_the_key(served: Running, store: Store) -> None:
    with store.transaction(SYSTEM) as connection:
        new = keys.NewKey("大屏", "analyst", ("read",), None, 1)
        made, key = keys.make_key(connection, SYSTEM, new)
    with listening(served, {"Authorization": f"Bearer {key}"}) as stream:
        until(stream, "ready")
        with store.transaction(SYSTEM) as connection:
            keys.end_key(connection, SYSTEM, made.key_id)
        began = time.monotonic()
        with pytest.raises((StopIteration, httpx.RemoteProtocolError)):
            next(stream)
        assert time.monotonic() - began < 1.0 + PATIENCE_S
