"""Areas over HTTP: bands as GeoJSON and tiles, districts, enclaves, and the best next sites."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import shapely
import sqlalchemy as sa
from fastapi.testclient import TestClient

from gis_service import jobs
from gis_service.access import SYSTEM
from gis_service.coverage.areas.service import AreaService
from gis_service.snapshot import Snapshot
from gis_service.store import Store
from gis_service.store import tables as t
from tests.api.conftest import SmallCounty, middle
from tests.support import SIDE, SOUTH, WEST

As = Callable[[str], dict[str, str]]
CLINIC = "/api/coverage/areas?standard=service-15&minutes=5,10,15&facility_id={}"


@pytest.fixture(scope="module", autouse=True)
def _kept_here(client: TestClient, tmp_path_factory: pytest.TempPathFactory) -> None:
    state = client.app.state  # type: ignore[attr-defined]
    state.areas = AreaService(state.snapshot, tmp_path_factory.mktemp("areas"))


@pytest.fixture(scope="module")
def clinic(store: Store, small_county: SmallCounty) -> int:
    with store.transaction(SYSTEM) as connection:
        found = connection.scalar(
            sa.select(t.facility.c.facility_id).where(t.facility.c.kind == "clinic")
        )
    assert small_county.grid_ids
    assert found is not None
    return int(found)


def shapes(answer: dict[str, Any]) -> list[Any]:
    return [shapely.geometry.shape(one["geometry"]) for one in answer["features"]]


def test_bands_follow_the_street(client: TestClient, clinic: int) -> None:
    answer = client.get(CLINIC.format(clinic)).json()
    limits = [(one["properties"]["from_minutes"], one["properties"]["to_minutes"])
              for one in answer["features"]]  # fmt: skip
    assert limits == [(0, 5), (5, 10), (10, 15)]
    first, second, third = shapes(answer)
    door = shapely.Point(middle("g00"))
    assert first.covers(door)
    assert not second.covers(door)
    assert max(a.intersection(b).area for a, b in ((first, second), (second, third))) < 1e-9
    everything = shapely.union_all([first, second, third])
    assert not everything.intersects(shapely.Point(middle("g22")))
    assert not everything.intersects(shapely.Point(middle("g20")))  # 976 m of them on foot: later
    assert 0 < answer["tolerance_minutes"] < 1


def test_what_is_held_is_not_sent_again(client: TestClient, clinic: int) -> None:
    first = client.get(CLINIC.format(clinic))
    assert first.headers["content-encoding"] == "gzip"
    again = client.get(CLINIC.format(clinic), headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    plain = client.get(CLINIC.format(clinic), headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.json() == first.json()


def test_another_process_draws_nothing_again(
    store: Store, clinic: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with store.transaction(SYSTEM) as connection:
        asked = (connection, "service-15", "normal", [5.0, 10.0, 15.0], clinic)
        first = AreaService(Snapshot(), tmp_path).answer_bands(*asked)
        again = AreaService(Snapshot(), tmp_path).answer_bands(*asked)
    drawn = first()  # neither needs the connection any more
    monkeypatch.setattr("gis_service.coverage.areas.service._draw_bands", None)
    assert again() == drawn
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".gz", ".npz"]


def test_a_new_station_is_seen_at_once(store: Store, client: TestClient) -> None:
    asked = "/api/coverage/areas?standard=fire-20"
    before = client.get(asked).json()  # the county's only fire station stands off every road
    assert all(shape.is_empty for shape in shapes(before))
    point = shapely.Point(middle("g10"))
    with store.transaction(SYSTEM) as connection:
        connection.execute(
            sa.insert(t.facility).values(
                key="new", kind="fire_station", name="新站", point=sa.func.ST_SetSRID(
                    sa.func.ST_MakePoint(point.x, point.y), 4490))
        )  # fmt: skip
    try:
        after = client.get(asked).json()
        assert shapes(after)[0].covers(point)
    finally:
        with store.transaction(SYSTEM) as connection:
            connection.execute(sa.delete(t.facility).where(t.facility.c.key == "new"))


@pytest.fixture
def fire_station(store: Store) -> Iterator[None]:
    lon, lat = middle("g00")
    with store.transaction(SYSTEM) as connection:
        connection.execute(
            sa.insert(t.facility).values(
                key="on-road",
                kind="fire_station",
                name="街口站",
                point=sa.func.ST_SetSRID(sa.func.ST_MakePoint(lon, lat), 4490),
            )
        )
    yield
    with store.transaction(SYSTEM) as connection:
        connection.execute(sa.delete(t.facility).where(t.facility.c.key == "on-road"))


@pytest.mark.usefixtures("fire_station")
def test_bands_are_cut_into_tiles(client: TestClient) -> None:
    lon, lat = middle("g00")
    column = int((lon + 180) / 360 * 2**10)
    for row in range(2**10):
        north, south = _lat(row), _lat(row + 1)
        if south <= lat < north:
            break
    found = client.get(f"/api/coverage/areas/10/{column}/{row}.pbf?standard=fire-20")
    assert found.status_code == 200
    assert found.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    assert b"bands" in found.content
    assert b"to_minutes" in found.content
    assert client.get("/api/coverage/areas/10/0/0.pbf?standard=fire-20").status_code == 204
    assert client.get("/api/coverage/areas/10/0/9999.pbf?standard=fire-20").status_code == 404


def _lat(row: int) -> float:

    return math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * row / 2**10))))


@pytest.mark.usefixtures("fire_station")
def test_districts_tile_the_county(client: TestClient) -> None:
    answer = client.get("/api/coverage/districts").json()
    assert [one["properties"]["name"] for one in answer["features"]] == ["街口站"]
    (one,) = answer["features"]
    assert one["properties"]["too_large"] == (
        one["properties"]["area_km2"] > one["properties"]["limit_km2"]
    )
    assert "15 km2" in one["properties"]["limit_sources"]["en"][0]
    county = shapely.box(WEST, SOUTH, WEST + 3 * SIDE, SOUTH + 3 * SIDE)
    assert shapes(answer)[0].symmetric_difference(county).area < 0.01 * county.area
    assert client.get("/api/coverage/enclaves").json()["features"] == []


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("areas?standard=fire-20&minutes=five", 422),
        ("areas?standard=fire-20&minutes=0", 422),
        ("areas?standard=fire-20&minutes=1,2,3,4,5,6,7,8,9,10,11,12,13", 422),
        ("areas?standard=fire-99", 404),
        ("areas?standard=fire-20&scenario=flood", 404),
        ("areas?standard=fire-20&facility_id=999999", 404),
        ("districts?kind=bank", 422),
    ],
)
def test_what_cannot_be_drawn_is_said(client: TestClient, address: str, status: int) -> None:
    answer = client.get(f"/api/coverage/{address}")
    assert answer.status_code == status
    assert answer.json()["detail"]


def test_the_best_site_is_the_best_of_all_tried(store: Store, client: TestClient) -> None:
    asked = {"standard": "service-15", "kind": "clinic", "add": 1}
    answer = client.post("/api/coverage/sites", json=asked)
    assert answer.status_code == 202
    job_id = answer.json()["job_id"]
    assert client.get(f"/api/coverage/sites/{job_id}").status_code == 404
    jobs.perform(store, job_id)
    found = client.get(f"/api/coverage/sites/{job_id}").json()
    assert not found["is_stale"]
    assert found["optimum_proved"]
    covered = []
    for key in ("g00", "g10", "g20"):
        lon, lat = middle(key)
        change = {"kind": "add_station", "facility_kind": "clinic", "lon": lon, "lat": lat}
        wish = {"standard": "service-15", "scenario": "normal", "changes": [change]}
        tried = client.post("/api/coverage/what-if", json=wish).json()
        covered.append(tried["after"]["kinds"]["clinic"]["covered"])
    assert found["after"]["kinds"]["clinic"]["covered"] == max(covered)
    (site,) = found["sites"]
    assert site["name"]
    before = found["before"]["kinds"]["clinic"]["covered"]
    assert site["gain_households"] == max(covered) - before > 0


def test_sites_are_for_who_measures(client: TestClient, as_actor: As) -> None:
    asked = {"standard": "fire-20"}
    for role in ("visitor", "grid_officer"):
        refused = client.post("/api/coverage/sites", json=asked, headers=as_actor(role))
        assert refused.status_code == 403


def test_what_cannot_be_asked_starts_no_job(store: Store, client: TestClient) -> None:
    with store.transaction(SYSTEM) as connection:
        before = connection.scalar(sa.select(sa.func.max(t.job.c.job_id)))
    for asked, status in (
        ({"standard": "none"}, 404),
        ({"standard": "fire-20", "kind": "bank"}, 422),
    ):
        assert client.post("/api/coverage/sites", json=asked).status_code == status
    with store.transaction(SYSTEM) as connection:
        assert connection.scalar(sa.select(sa.func.max(t.job.c.job_id))) == before
