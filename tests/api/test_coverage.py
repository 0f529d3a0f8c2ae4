"""Coverage over HTTP: measured as a job, exact for who answers, small cells hidden from others."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from gis_service import jobs
from gis_service.access import SYSTEM
from gis_service.messages import LANGUAGES
from gis_service.store import Store
from gis_service.store import tables as t
from tests.api.conftest import HOUSEHOLDS_PER_GRID, SmallCounty

As = Callable[[str], dict[str, str]]
TOTAL = sum(HOUSEHOLDS_PER_GRID.values()) + 1


@pytest.fixture(scope="module")
def run_id(store: Store, client: TestClient) -> int:
    """A run of the service standard, started over HTTP and done by a worker."""
    accepted = client.post("/api/coverage/runs", json={"standard": "service-15"})
    assert accepted.status_code == 202
    job_id = accepted.json()["job_id"]
    assert client.get(f"/api/jobs/{job_id}").json()["status"] == "waiting"
    jobs.run_worker(store, wait=False)
    job = client.get(f"/api/jobs/{job_id}?lang=en").json()
    assert job["status"] == "done"
    assert job["step_text"] == "Writing the run"
    return int(job["result"]["run_id"])


def figures(client: TestClient, headers: dict[str, str], theme: str) -> dict[str, Any]:
    told: dict[str, Any] = client.get(
        f"/api/layers/figures?rank=3&theme={theme}", headers=headers
    ).json()
    return told


@pytest.mark.usefixtures("run_id")
def test_figures_of_the_county_add_up(client: TestClient) -> None:
    told = client.get("/api/overview").json()["coverage"]["service-15"]
    for one in (told, *told["kinds"].values()):
        parts = (one["covered"], one["too_far"], one["unreachable"], one["off_network"])
        assert sum(parts) == one["n"] == TOTAL
        assert one["of"] == "households"
    assert told["kinds"]["bank"]["status"] == "no_facility"
    assert told["kinds"]["clinic"]["status"] == "ok"


@pytest.mark.usefixtures("run_id")
def test_one_kind_of_facility_is_a_theme(
    client: TestClient, small_county: SmallCounty, as_actor: As
) -> None:
    told = figures(client, as_actor("county_office"), "service-15:clinic")
    assert told["status"] == "ok"
    assert told["values"][str(small_county.grid_ids["g00"])] == 100
    assert told["values"][str(small_county.grid_ids["g21"])] == 0
    assert told["values"][str(small_county.grid_ids["g22"])] is None
    assert sum(line["count"] for line in told["classes"]) == len(HOUSEHOLDS_PER_GRID)
    bank = figures(client, as_actor("county_office"), "service-15:bank")
    assert bank["status"] == "no_facility"


@pytest.mark.usefixtures("run_id")
def test_a_small_cell_is_hidden_from_a_visitor_with_a_sibling(
    client: TestClient, small_county: SmallCounty, as_actor: As
) -> None:
    ids = small_county.grid_ids
    seen = figures(client, as_actor("visitor"), "service-15")["values"]
    assert seen[str(ids["g00"])] is None  # one household
    assert seen[str(ids["g10"])] is None  # seven, the next smallest of the same parent
    assert seen[str(ids["g20"])] is not None
    own = figures(client, as_actor("grid_officer"), "service-15")["values"]
    assert own[str(ids["g00"])] is not None


@pytest.mark.usefixtures("run_id")
def test_a_sheet_tells_a_visitor_shares_and_no_counts(
    client: TestClient, small_county: SmallCounty, as_actor: As
) -> None:
    path = f"/api/grids/{small_county.grid_ids['g20']}"
    told = client.get(path, headers=as_actor("visitor")).json()["coverage"]["service-15"]
    assert told["share"] is not None
    assert told["n"] is None
    assert told["worst_minutes"] is None
    small = f"/api/grids/{small_county.grid_ids['g00']}"
    hidden = client.get(small, headers=as_actor("visitor")).json()["coverage"]["service-15"]
    assert hidden["share"] is None
    assert {one["share"] for one in hidden["kinds"].values()} == {None}


def test_who_is_not_reached_is_listed_to_those_who_may_see(
    client: TestClient, as_actor: As, run_id: int
) -> None:
    path = f"/api/coverage/runs/{run_id}/unreached"
    number = {
        role: client.get(path, headers=as_actor(role)).json()["total"]
        for role in ("county_office", "grid_officer", "visitor")
    }
    assert number["county_office"] == TOTAL
    assert number["grid_officer"] == 1
    assert number["visitor"] == 0
    page = client.get(f"{path}?limit=3&reason=off_network").json()
    assert {one["status"] for one in page["items"]} == {"off_network"}


def test_runs_are_listed_with_what_they_assume(client: TestClient, run_id: int) -> None:
    (run,) = client.get("/api/coverage/runs?standard=service-15").json()["items"]
    assert run["run_id"] == run_id
    assert run["parameters"]["standard"]["limit_minutes"]["source"]


def test_standards_carry_their_sources(client: TestClient) -> None:
    told = {
        language: {
            one["code"]: one["limit_minutes"]["source"]
            for one in client.get(f"/api/coverage/standards?lang={language}").json()
        }
        for language in LANGUAGES
    }
    assert set(told["en"]) >= {"service-15", "fire-20"}
    assert "the 20-minute circle" in told["en"]["fire-20"]
    assert "乡镇消防队 20 分钟救援圈" in told["zh-CN"]["fire-20"]


@pytest.mark.parametrize("role", ["grid_officer", "visitor"])
def test_who_sees_a_part_may_not_measure_the_whole(
    client: TestClient, as_actor: As, role: str
) -> None:
    answer = client.post("/api/coverage/runs", json={"standard": "fire-20"}, headers=as_actor(role))
    assert answer.status_code == 403


def test_an_unknown_standard_starts_no_job(store: Store, client: TestClient) -> None:
    with store.transaction(SYSTEM) as connection:
        before = connection.scalar(sa.select(sa.func.count()).select_from(t.job))
    assert client.post("/api/coverage/runs", json={"standard": "x"}).status_code == 404
    wish = {"standard": "fire-20", "scenario": "x"}
    assert client.post("/api/coverage/runs", json=wish).status_code == 404
    with store.transaction(SYSTEM) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(t.job)) == before


def test_a_job_is_seen_by_its_own_actor_and_the_county_office(
    client: TestClient, as_actor: As
) -> None:
    job_id = client.post(
        "/api/coverage/runs", json={"standard": "fire-20"}, headers=as_actor("analyst")
    ).json()["job_id"]
    status = {
        role: client.get(f"/api/jobs/{job_id}", headers=as_actor(role)).status_code
        for role in ("analyst", "county_office", "grid_officer", "visitor")
    }
    assert status == {"analyst": 200, "county_office": 200, "grid_officer": 404, "visitor": 404}
    assert client.post(f"/api/jobs/{job_id}/cancel", headers=as_actor("visitor")).status_code == 404
    stopped = client.post(f"/api/jobs/{job_id}/cancel", headers=as_actor("analyst"))
    assert stopped.json()["status"] == "cancelled"


def test_a_run_says_that_it_is_fresh(client: TestClient, run_id: int) -> None:
    told = client.get(f"/api/coverage/runs/{run_id}?lang=en").json()
    assert (told["is_stale"], told["stale_because"]) == (False, [])
    assert told["summary"]["n"] == TOTAL
    assert told["summary"]["others"]["people"]["n"] > TOTAL
    assert client.get("/api/coverage/runs/999999").status_code == 404


def test_a_visitor_reads_the_share_of_a_run_only(
    client: TestClient, as_actor: As, run_id: int
) -> None:
    told = client.get(f"/api/coverage/runs/{run_id}", headers=as_actor("visitor")).json()
    assert set(told["summary"]) == {"of", "status", "share"}


@pytest.mark.parametrize("of", ["households", "people", "care_households", "hazards"])
def test_figures_by_grid_add_up(client: TestClient, run_id: int, of: str) -> None:
    path = f"/api/coverage/runs/{run_id}/figures"
    for rank in (0, 1, 2, 3):
        rows = client.get(f"{path}?rank={rank}&of={of}").json()
        for row in rows:
            parts = [row[name] for name in ("covered", "too_far", "unreachable", "off_network")]
            assert (sum(parts), row["of"]) == (row["n"], of)
    clinics = client.get(f"{path}?rank=3&kind=clinic").json()
    assert len(clinics) == 9
    assert client.get(f"{path}?of=dogs").status_code == 422
    assert client.get(f"{path}?kind=dogs").status_code == 404


def test_figures_hide_small_cells_from_a_visitor(
    client: TestClient, small_county: SmallCounty, as_actor: As, run_id: int
) -> None:
    path = f"/api/coverage/runs/{run_id}/figures?rank=3"
    ids = small_county.grid_ids
    for of in ("households", "people", "hazards"):
        rows = client.get(f"{path}&of={of}", headers=as_actor("visitor")).json()
        told = {row["grid_id"]: row for row in rows}
        assert {row["n"] for row in rows} == {None}
        assert told[ids["g00"]]["share"] is None
        assert (told[ids["g20"]]["share"] is None) == (of == "hazards")


def test_a_grid_tells_its_stations_and_kinds(
    client: TestClient, small_county: SmallCounty, as_actor: As, run_id: int
) -> None:
    path = f"/api/coverage/runs/{run_id}/grids/{small_county.grid_ids['g20']}"
    told = client.get(path).json()
    assert told["n"] == HOUSEHOLDS_PER_GRID["g20"]
    assert set(told["kinds"]) == set(client.get("/api/coverage/standards").json()[0]["kinds"])
    assert {one["kind"] for one in told["stations"]} <= {"clinic"}
    assert client.get(path, headers=as_actor("visitor")).json()["stations"] == []
    assert client.get(f"/api/coverage/runs/{run_id}/grids/999999").status_code == 404


def test_blind_spots_hold_every_household_that_is_missed(
    client: TestClient, as_actor: As, run_id: int
) -> None:
    path = f"/api/coverage/runs/{run_id}/blind-spots"
    spots = client.get(path).json()
    missed = client.get(f"/api/coverage/runs/{run_id}/unreached").json()["total"]
    assert sum(one["households"] for one in spots) == missed
    assert {"name", "people", "reason", "bbox", "geometry", "grid_ids"} <= set(spots[0])
    assert client.get(path, headers=as_actor("visitor")).json() == []


def test_two_runs_are_compared_for_who_sees_the_county(
    client: TestClient, as_actor: As, run_id: int
) -> None:
    path = f"/api/coverage/compare?a={run_id}&b={run_id}"
    told = client.get(path).json()
    assert (told["gained"], told["lost"], told["grids"], told["differs"]) == (0, 0, [], [])
    assert told["county"]["households"]["delta"]["covered"] == 0
    assert client.get(path, headers=as_actor("visitor")).status_code == 403


def test_what_if_answers_and_stores_nothing(
    store: Store, client: TestClient, as_actor: As, run_id: int
) -> None:
    path = "/api/coverage/what-if"
    wish: dict[str, Any] = {"standard": "service-15", "changes": []}
    told = client.post(path, json=wish).json()
    assert told["before"] == told["after"]
    assert told["before"]["n"] == TOTAL
    with store.transaction(SYSTEM) as connection:
        facility = connection.scalar(sa.select(t.facility.c.facility_id).limit(1))
    wish["changes"] = [{"kind": "remove_station", "facility_id": facility}]
    gone = client.post(path, json=wish).json()
    assert gone["after"]["facilities"]["clinic"] == told["before"]["facilities"]["clinic"] - 1
    assert len(gone["towns"]) == 1
    assert client.post(path, json=wish, headers=as_actor("grid_officer")).status_code == 403
    assert client.post(path, json=wish, headers=as_actor("visitor")).status_code == 403
    assert client.get("/api/coverage/runs").json()["total"] >= 1


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "move_station", "facility_id": 999_999, "lon": 112.9, "lat": 28.7},
        {"kind": "move_station", "facility_id": 1, "lon": 512.9, "lat": 28.7},
        {"kind": "add_station", "facility_kind": "castle", "lon": 112.9, "lat": 28.7},
        {"kind": "close_road"},
        {"kind": "add_road", "line": [[112.9, 28.7]], "road_class": "tertiary"},
        {"kind": "blow_up_road"},
    ],
)
def test_a_change_that_cannot_be_is_refused(client: TestClient, change: dict[str, Any]) -> None:
    wish = {"standard": "service-15", "changes": [change]}
    answer = client.post("/api/coverage/what-if", json=wish)
    assert answer.status_code == 422
    assert answer.json()["detail"]


def test_scenarios_and_profiles_carry_their_sources(client: TestClient) -> None:
    scenarios = {one["code"]: one for one in client.get("/api/coverage/scenarios").json()}
    assert set(scenarios) >= {"normal", "night", "rain", "rush_hour", "emergency_privilege"}
    assert scenarios["rain"]["speed_factor"]["source"]
    profiles = {one["code"]: one for one in client.get("/api/coverage/profiles").json()}
    assert profiles["walk"]["speed_kmh"]["steps"]["source"]
