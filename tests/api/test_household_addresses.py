"""One rule for addresses: each role at each door is told where a household lives, or is not."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import shapely
import sqlalchemy as sa

from gis_service import jobs
from gis_service.access import SYSTEM
from gis_service.access.households import ROUGH_DECIMALS
from gis_service.access.permissions import KNOW_ADDRESSES, STAFF, Need
from gis_service.api import create_app
from gis_service.coverage.areas.service import AreaService
from gis_service.grids.assignment import assign_new
from gis_service.reports.coverage import ReportOptions, read_report
from gis_service.roles import ROLES
from gis_service.search.entries import refresh
from gis_service.snapshot import Snapshot
from gis_service.store import Store
from gis_service.store import tables as t
from gis_service.store.bulk import copy_rows
from tests.api.conftest import SmallCounty, TestClient, middle

LON, LAT = middle("g00")[0] + 0.00037, middle("g00")[1] + 0.00041
ADDRESS = "西巷9号 502"
ROUGH = (round(LON, ROUGH_DECIMALS), round(LAT, ROUGH_DECIMALS))
SEES_NOBODY = frozenset(ROLES) - STAFF


@dataclass(frozen=True)
class County:
    """A client, one household, a run that does not reach it, and an actor of each role."""

    client: TestClient
    household: int
    run: int
    actors: dict[str, int]

    def get(self, role: str, path: str) -> Any:
        """What a role is answered, whatever the status."""
        headers = {"x-gis-actor": str(self.actors[role])}
        return self.client.get(path, headers=headers)


@pytest.fixture(scope="module")
def county(store: Store, small_county: SmallCounty) -> Iterator[County]:
    """The drawn county with a household that has no building and lives off the lattice."""
    with store.transaction(SYSTEM) as connection:
        copy_rows(
            connection,
            t.household,
            {
                "key": ["far"],
                "street": ["西巷"],
                "house_number": ["9号"],
                "room": ["502"],
                "head_name": ["李四"],
                "phone": ["13911112222"],
                "people": [1],
                "care_tags": [["lives_alone"]],
                "point": np.array([shapely.Point(LON, LAT)], dtype=object),
            },
        )
        assign_new(connection)
        household = connection.scalar(
            sa.select(sa.column("household_id"))
            .select_from(sa.table("household"))
            .where(sa.column("key") == "far")
        )
        areas = [small_county.grid_ids["g00"]]
        ids = connection.execute(
            sa.insert(t.actor).returning(t.actor.c.actor_id, sort_by_parameter_order=True),
            [
                {
                    "name": role,
                    "name_en": role,
                    "role": role,
                    "is_demo": True,
                    "areas": areas if role == "grid_officer" else None,
                }
                for role in ROLES
            ],
        ).scalars()
        actors = dict(zip(ROLES, ids, strict=True))
    refresh(store)
    app = create_app(store, loopback_only=True)
    with TestClient(app, "http://127.0.0.1:8000", client=("127.0.0.1", 50000)) as client:
        office = {"x-gis-actor": str(actors["county_office"])}
        wish = {"standard": "service-15"}
        job = client.post("/api/coverage/runs", json=wish, headers=office).json()["job_id"]
        jobs.run_worker(store, wait=False)
        run = client.get(f"/api/jobs/{job}", headers=office).json()["result"]["run_id"]
        yield County(client, int(household or 0), run, actors)


Told = tuple[str, float, float]
Door = Callable[[County, str], Told | None]


def of_list(county: County, role: str) -> Told | None:
    answer = county.get(role, "/api/households?limit=500&offset=500").json()
    answer["items"] += county.get(role, "/api/households?limit=500").json()["items"]
    rows = [one for one in answer["items"] if one["household_id"] == county.household]
    return (rows[0]["address"], rows[0]["lon"], rows[0]["lat"]) if rows else None


def of_unreached(county: County, role: str) -> Told | None:
    grid = county.get("county_office", f"/api/entry/household/{county.household}").json()["grid"]
    path = f"/api/coverage/runs/{county.run}/unreached?limit=500&grid_id={grid['grid_id']}"
    answer = county.get(role, path).json()
    rows = [one for one in answer["items"] if one["household_id"] == county.household]
    return (rows[0]["address"], rows[0]["lon"], rows[0]["lat"]) if rows else None


def of_run(county: County, role: str) -> Told | None:
    answer = county.get(role, f"/api/coverage/runs/{county.run}/households/{county.household}")
    if answer.status_code == 404:
        return None
    return answer.json()["address"], answer.json()["lon"], answer.json()["lat"]


def of_entry(county: County, role: str) -> Told | None:
    answer = county.get(role, "/api/entry/household?q=西巷")
    if answer.status_code == 403:
        return None
    (row,) = answer.json()["items"]
    return row["title"], row["lon"], row["lat"]


def of_search(county: County, role: str) -> Told | None:
    answer = county.get(role, "/api/search?q=西巷9号").json()
    rows = [one for one in answer if one["kind"] == "house"]
    return (rows[0]["name"], rows[0]["lon"], rows[0]["lat"]) if rows else None


def of_arrivals(county: County, role: str) -> Told | None:
    path = f"/api/arrivals?lon={LON}&lat={LAT}&radius_m=30&kinds=fire_station"
    rows = county.get(role, path).json()["near"]["households"] or []
    return (rows[0]["name"], rows[0]["lon"], rows[0]["lat"]) if rows else None


DOORS: dict[str, tuple[Door, Need]] = {
    "households": (of_list, "records"),
    "unreached": (of_unreached, "records"),
    "run": (of_run, "records"),
    "entry": (of_entry, "records"),
    "search": (of_search, "help"),
    "arrivals": (of_arrivals, "help"),
}
NOTHING_ROUGH = frozenset({"entry", "search", "arrivals"})
"""Doors that say nothing at all where they may not say it exactly."""


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("door", DOORS)
def test_each_door_tells_a_role_where_a_household_lives_by_the_one_rule(
    county: County, door: str, role: str
) -> None:
    ask, need = DOORS[door]
    told = ask(county, role)
    if role in KNOW_ADDRESSES[need].roles:
        assert told is not None
        address, lon, lat = told
        assert address == (ADDRESS.removesuffix(" 502") if door == "search" else ADDRESS)
        assert (lon, lat) == pytest.approx((LON, LAT), abs=1e-9)
    elif door in NOTHING_ROUGH or role in SEES_NOBODY:
        assert told is None
    else:
        assert told == ("西巷***", *ROUGH)


@pytest.mark.parametrize("role", ["planner", "dispatcher", "analyst"])
def test_a_blind_spot_is_the_same_place_with_a_rough_outline(county: County, role: str) -> None:
    path = f"/api/coverage/runs/{county.run}/blind-spots?limit=500"
    exact = county.get("county_office", path).json()
    found = county.get(role, path).json()
    assert [one["households"] for one in found] == [one["households"] for one in exact]
    for one, other in zip(found, exact, strict=True):
        assert (one["lon"], one["lat"]) == (
            round(one["lon"], ROUGH_DECIMALS),
            round(one["lat"], ROUGH_DECIMALS),
        )
        assert (other["lon"], other["lat"]) == pytest.approx((one["lon"], one["lat"]), abs=1e-3)
    assert f"{LON:.6f}"[:9] not in str(found)


@pytest.mark.parametrize("role", ROLES)
def test_the_street_of_a_household_is_found_without_its_house(county: County, role: str) -> None:
    answer = county.get(role, "/api/search?q=西巷1号").json()
    streets = [one for one in answer if one["kind"] == "street"]
    assert [(one["name"], one["lon"], one["lat"]) for one in streets] == [("西巷", *ROUGH)]


def test_another_officer_finds_no_house_in_this_grid(
    county: County, store: Store, small_county: SmallCounty
) -> None:
    with store.transaction(SYSTEM) as connection:
        actor_id = connection.scalar(
            sa.insert(t.actor)
            .values(
                name="网格员",
                name_en="Officer",
                role="grid_officer",
                is_demo=True,
                areas=[small_county.grid_ids["g11"]],
            )
            .returning(t.actor.c.actor_id)
        )
    other = County(county.client, county.household, county.run, {"grid_officer": actor_id or 0})
    assert of_search(other, "grid_officer") is None


@pytest.mark.parametrize("form", ["html", "gpkg"])
def test_no_address_leaves_with_a_report(county: County, store: Store, form: Any) -> None:
    with store.transaction(SYSTEM) as connection:
        wish = ReportOptions(standard="service-15", run_id=county.run, language="zh-CN")
        body = read_report(connection, SYSTEM, wish, AreaService(Snapshot())).write_body(form)
    assert "西巷".encode() not in body
