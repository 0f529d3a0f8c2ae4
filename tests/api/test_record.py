"""The auditor reads the record, page by page and as a file, and is on it; nobody else does."""

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from gis_service.access import SYSTEM, record, record_file
from gis_service.access.actor import Actor, Origin
from gis_service.access.sealing import seal
from gis_service.api import record as routes
from gis_service.store import Store
from gis_service.store import tables as t
from tests.api.conftest import SmallCounty

Headers = dict[str, str]
PATHS = ("/api/record", "/api/record.csv", "/api/record/state")


@pytest.fixture
def auditor(as_actor: Callable[[str], Headers]) -> Headers:
    return as_actor("auditor")


@pytest.fixture
def looked(store: Store, small_county: SmallCounty) -> int:
    """Twelve events of one officer, from one session; gives the officer's id."""
    officer = small_county.actors["grid_officer"]
    origin = Origin(31, "10.3.0.17", "r-1")
    actor = Actor(officer, "赵一", "Zhao", "grid_officer", None, origin)
    with store.transaction(actor) as connection:
        for number in range(12):
            record(connection, actor, "reveal", "household", number, after={"reason": "visit"})
    return officer


def ask(client: TestClient, headers: Headers, **wanted: Any) -> Any:
    answer = client.get("/api/record", params=wanted, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("role", ["county_office", "grid_officer", "analyst", "visitor"])
def test_nobody_but_the_auditor_reads_it_and_a_refusal_says_who_may(
    client: TestClient, as_actor: Callable[[str], Headers], path: str, role: str
) -> None:
    answer = client.get(path, headers={**as_actor(role), "Accept-Language": "en"})
    assert answer.status_code == 403
    assert "auditor" in answer.json()["detail"]


def test_pages_follow_each_other_without_gap_or_repetition(
    client: TestClient, auditor: Headers, looked: int
) -> None:
    wanted = {"actor_id": looked, "action": "reveal", "limit": 5}
    seen: list[str] = []
    page = ask(client, auditor, **wanted)
    while True:
        seen += [event["object_id"] for event in page["items"]]
        if page["next"] is None:
            break
        page = ask(client, auditor, **wanted, before_id=page["next"])
    assert seen[:12] == [str(number) for number in reversed(range(12))]


def test_an_event_tells_who_in_which_session_from_where_and_for_which_request(
    client: TestClient, auditor: Headers, looked: int
) -> None:
    event = ask(client, auditor, actor_id=looked, object_id="3")["items"][0]
    told = {name: event[name] for name in ("actor_id", "actor_role", "session_id", "address")}
    assert told == {
        "actor_id": looked, "actor_role": "grid_officer", "session_id": 31, "address": "10.3.0.17",
    }  # fmt: skip
    assert (event["request_id"], event["actor_name"]) == ("r-1", "grid_officer")
    assert event["after"] == {"reason": "visit"}


def test_filters_narrow_by_time_kind_and_object(
    client: TestClient, auditor: Headers, looked: int
) -> None:
    newest = ask(client, auditor, object_kind="household", limit=1)["items"][0]
    assert ask(client, auditor, until=newest["at"], since=newest["at"])["items"] == []
    later = ask(client, auditor, since=newest["at"], object_kind="household")["items"]
    assert newest in later
    assert ask(client, auditor, object_kind="household", object_id="11", limit=1)["items"]
    assert ask(client, auditor, object_kind="building", object_id="11")["items"] == []


def test_a_moment_without_its_offset_is_refused(client: TestClient, auditor: Headers) -> None:
    answer = client.get("/api/record?since=2026-03-01T08:00:00", headers=auditor)
    assert (answer.status_code, answer.json()["field"]) == (422, "since")


def test_whoever_reads_the_record_is_on_it(
    client: TestClient, auditor: Headers, small_county: SmallCounty
) -> None:
    ask(client, auditor, action="reveal", limit=3)
    me = small_county.actors["auditor"]
    event = ask(client, auditor, actor_id=me, action="read", limit=1)["items"][0]
    assert event["object_kind"] == "event"
    assert event["after"]["action"] == "reveal"
    client.get("/api/record.csv?action=reveal", headers=auditor)
    event = ask(client, auditor, actor_id=me, action="download", limit=1)["items"][0]
    assert event["after"] == {"action": "reveal"}


def test_the_file_has_every_row_and_no_formula(
    client: TestClient,
    auditor: Headers,
    store: Store,
    looked: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(record_file, "ROWS_AT_ONCE", 5)
    with store.transaction(SYSTEM) as connection:
        record(connection, SYSTEM, "test_formula", "plan", "=1+1", after={"title": "=2+2"})
    answer = client.get("/api/record.csv", headers=auditor)
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    ids = [int(row["event_id"]) for row in rows]
    with store.transaction(SYSTEM) as connection:
        kept = list(connection.scalars(sa.select(t.event.c.event_id).order_by(-t.event.c.event_id)))
    assert ids == kept
    assert all(cell[:1] not in ("=", "+", "@", "\t") for row in rows for cell in row.values())
    (formula,) = (row for row in rows if row["action"] == "test_formula")
    assert formula["object_id"] == "'=1+1"


def test_a_file_ends_at_its_bound(
    client: TestClient, auditor: Headers, looked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_file, "ROWS_AT_ONCE", 4)
    monkeypatch.setattr(routes, "MOST_IN_FILE", 7)
    answer = client.get(f"/api/record.csv?actor_id={looked}", headers=auditor)
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert len(rows) == 7
    older = client.get(
        f"/api/record.csv?actor_id={looked}&before_id={rows[-1]['event_id']}", headers=auditor
    )
    first = next(csv.DictReader(io.StringIO(older.text.removeprefix("\ufeff"))))
    assert int(first["event_id"]) < int(rows[-1]["event_id"])


def test_the_state_tells_where_the_chain_ends(
    client: TestClient, auditor: Headers, store: Store, looked: int
) -> None:
    seal(store)
    state = client.get("/api/record/state", headers=auditor).json()
    with store.transaction(SYSTEM) as connection:
        rows = connection.execute(sa.select(sa.func.count()).select_from(t.event)).scalar_one()
        newest = sa.select(t.event_seal.c.hash).order_by(t.event_seal.c.seal_number.desc())
        head = bytes(connection.execute(newest).scalars().first() or b"").hex()
    assert state["rows"] == state["sealed_to"] == rows
    assert (state["head"], state["unsealed"]) == (head, 0)
    ask(client, auditor)
    after = client.get("/api/record/state", headers=auditor).json()
    assert (after["unsealed"], after["rows"]) == (1, rows + 1)
