"""Every door is in the table of what it leaves in the record, and leaves that."""

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from gis_service.access import SYSTEM
from gis_service.api.dependencies import ConnectionDep, RecordingDep
from gis_service.search.entries import refresh
from gis_service.store import Store
from gis_service.store import tables as t
from tests.api.conftest import SmallCounty, middle
from tests.security.doors import app_without_data
from tests.security.recorded_doors import NOT_RECORDED, RECORDED

LON, LAT = middle("g11")
Ask = Callable[[], Any]


def _walk(routes: Iterable[Any]) -> Iterator[tuple[str, APIRoute]]:
    """Every endpoint of the app with its method; what only refuses a method is none."""
    for route in routes:
        if isinstance(route, APIRoute):
            yield from ((f"{method} {route.path}", route) for method in route.methods or ())
        elif hasattr(route, "original_router"):
            yield from _walk(route.original_router.routes)


DOORS = dict(_walk(app_without_data().routes))


def test_every_door_says_what_it_records_or_why_not() -> None:
    assert set(DOORS) == {*NOT_RECORDED, *RECORDED}
    assert not set(NOT_RECORDED) & set(RECORDED)


def test_a_get_may_write_exactly_where_it_records() -> None:
    kinds: dict[str, Any] = {}
    for name, route in DOORS.items():
        parameters = inspect.signature(inspect.unwrap(route.endpoint)).parameters
        if name.startswith("GET") and "connection" in parameters:
            kinds[name] = parameters["connection"].annotation
    recording = {name for name, kind in kinds.items() if kind == RecordingDep}
    reading = {name for name, kind in kinds.items() if kind == ConnectionDep}
    assert len(recording) > 10
    assert len(reading) > 40
    assert recording <= set(RECORDED)
    assert reading <= set(NOT_RECORDED)


@pytest.fixture
def household(store: Store, small_county: SmallCounty) -> int:
    """A household of no building, at an address of its own."""
    with store.transaction(SYSTEM) as connection:
        return int(connection.execute(sa.select(t.household.c.household_id).limit(1)).scalar_one())


def asks(client: TestClient, household: int, office: dict[str, str]) -> dict[str, Ask]:
    """A request for each of the doors that need no long way to be asked."""

    def get(path: str) -> Ask:
        return lambda: client.get(path, headers=office)

    def put_day() -> Any:
        return client.put(
            "/api/working-days/2031-05-01", json={"is_working": False, "reason": "劳动节"},
            headers=office,
        )  # fmt: skip

    return {
        "GET /api/arrivals": get(f"/api/arrivals?lon={LON}&lat={LAT}&radius_m=300"),
        "GET /api/entry/{kind}": get("/api/entry/household?q=东街"),
        "GET /api/entry/{kind}/{record_id}": get(f"/api/entry/household/{household}"),
        "GET /api/households": get("/api/households?limit=3"),
        "GET /api/search": get("/api/search?q=东街3号"),
        "POST /api/entry/{kind}/{record_id}/reveal": lambda: client.post(
            f"/api/entry/household/{household}/reveal", json={"reason": "visit"}, headers=office
        ),
        "POST /api/imports/uploads": lambda: client.post(
            "/api/imports/uploads", files={"file": ("户.csv", b"a,b\n1,2\n")}, headers=office
        ),
        "DELETE /api/imports/uploads/{token}": lambda: client.delete(
            "/api/imports/uploads/"
            + client.post(
                "/api/imports/uploads", files={"file": ("户.csv", b"a\n1\n")}, headers=office
            ).json()["token"],
            headers=office,
        ),
        "POST /api/incidents": lambda: client.post(
            "/api/incidents",
            json={"kind": "dispute", "lon": LON, "lat": LAT, "text": "吵架"}, headers=office,
        ),
        "POST /api/plans": lambda: client.post("/api/plans", json={"title": "试"}, headers=office),
        "PUT /api/working-days/{day}": put_day,
    }  # fmt: skip


NAMES = sorted(asks(None, 0, {}))  # type: ignore[arg-type]  # nothing is asked


@pytest.mark.parametrize("name", NAMES)
def test_a_door_leaves_what_the_table_says(
    client: TestClient,
    store: Store,
    household: int,
    as_actor: Callable[[str], dict[str, str]],
    small_county: SmallCounty,
    name: str,
) -> None:
    refresh(store)
    newest = _newest(store)
    answer = asks(client, household, as_actor("county_office"))[name]()
    assert answer.status_code in (200, 201, 204), answer.text
    query = sa.select(t.event).where(t.event.c.event_id > newest)
    with store.transaction(SYSTEM) as connection:
        events = connection.execute(query).all()
    assert RECORDED[name] in {f"{event.action} {event.object_kind}" for event in events}
    office = small_county.actors["county_office"]
    assert {(event.actor_id, event.actor_role) for event in events} == {(office, "county_office")}
    told = str([(event.before, event.after) for event in events])
    for secret in ("东街", "王小明", "1381234", "吵架", f"{LON}"):
        assert secret not in told


def _newest(store: Store) -> int:
    with store.transaction(SYSTEM) as connection:
        return connection.scalar(sa.select(sa.func.max(t.event.c.event_id))) or 0


@pytest.mark.parametrize("path", ["/api/households", "/api/search?q=东街3号", "/api/arrivals?{}"])
def test_who_is_given_no_home_leaves_nothing(
    client: TestClient, store: Store, as_actor: Callable[[str], dict[str, str]], path: str
) -> None:
    newest = _newest(store)
    address = path.format(f"lon={LON}&lat={LAT}")
    assert client.get(address, headers=as_actor("visitor")).status_code == 200
    assert _newest(store) == newest
