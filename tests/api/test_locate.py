"""Whose grid a place is, over HTTP: one place and many, and what is refused."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from gis_service.api import body_limit
from gis_service.api import locate as router
from gis_service.coordinate_systems import CoordinateSystem, from_cgcs2000
from tests.api.conftest import SmallCounty, middle
from tests.support import SIDE, SOUTH, WEST

AsActor = Callable[[str], dict[str, str]]


def post(client: TestClient, headers: dict[str, str] | None = None, **body: Any) -> dict[str, Any]:
    answer = client.post("/api/locate", json=body, headers=headers or {})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_pasted_place_is_read_and_located(client: TestClient, small_county: SmallCounty) -> None:
    answer = client.get("/api/locate", params={"text": "北纬28.715度，东经112.915度"})
    found = answer.json()
    assert found["grid"]["grid_id"] == small_county.grid_ids["g11"]
    assert found["lon"] == pytest.approx(112.915)


def test_a_pasted_link_brings_its_own_system(client: TestClient) -> None:
    url = "https://uri.amap.com/marker?position=112.915,28.715"
    found = client.get("/api/locate", params={"text": url}).json()
    assert found["given"]["crs"] == "gcj02"
    assert found["given"]["notes"] == ["coordinates.pasted_system"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "lon"),
        ("lon=112.9", "lat"),
        ("lon=112.9&lat=28.7&text=1,2", "text"),
        ("lon=112.9&lat=28.7&crs=mars", "crs"),
        ("lon=28.7&lat=112.9", "lon"),
    ],
)
def test_what_is_wrong_is_named(client: TestClient, query: str, field: str) -> None:
    answer = client.get(f"/api/locate?{query}")
    assert answer.status_code == 422
    assert answer.json()["field"] == field


def test_swapped_coordinates_are_offered_the_right_way(client: TestClient) -> None:
    said = client.get("/api/locate?lon=28.715&lat=112.915&lang=en").json()
    (one,) = said["suggestions"]
    assert one["swapped"]
    assert (one["lon"], one["lat"]) == pytest.approx((112.915, 28.715))
    assert "Latitude" in one["detail"]


def test_the_officers_of_the_day_come_with_the_answer(client: TestClient) -> None:
    lon, lat = middle("g00")
    then = client.get(f"/api/locate?lon={lon}&lat={lat}&at=2025-08-15").json()
    assert [(one["name"], one["on_leave"]) for one in then["grid"]["officers"]] == [
        ("钱二", True),
        ("赵一", False),
    ]
    assert then["call"]["officer"]["name"] == "赵一"


def test_a_day_before_the_first_version_is_not_found(client: TestClient) -> None:
    answer = client.get("/api/locate?lon=112.905&lat=28.705&at=2020-01-01")
    assert answer.status_code == 404
    assert "2024-07-01" in answer.json()["detail"]


def test_many_places_are_answered_in_their_order(
    client: TestClient, small_county: SmallCounty
) -> None:
    keys = ["g22", "g00", "g11", "g22"]
    found = post(client, points=[list(middle(key)) for key in keys])
    ids = [small_county.grid_ids[key] for key in keys]
    assert [one["grid_id"] for one in found["answers"]] == ids
    assert set(map(str, ids)) <= set(found["grids"])
    grid = found["grids"][str(small_county.grid_ids["g00"])]
    assert grid["call"]["officer"]["name"] == "钱二"
    assert [step["rank"] for step in grid["chain"]] == [1, 2, 3]


def test_one_place_says_the_same_by_get_and_by_post(client: TestClient) -> None:
    lon, lat = WEST + SIDE - 1e-4, SOUTH + 0.4 * SIDE
    one = client.get(f"/api/locate?lon={lon}&lat={lat}").json()
    many = post(client, points=[[lon, lat]])
    (answer,) = many["answers"]
    for name in ("method", "outside", "distance_m", "on_border", "near_border", "border_road"):
        assert answer[name] == one[name], name
    assert answer["grid_id"] == one["grid"]["grid_id"]
    assert answer["nearest"] == one["nearest"]["grid_id"]
    card = many["grids"][str(answer["grid_id"])]
    assert {**one["grid"], "call": one["call"]} == card


def test_codes_are_short_but_tell_what_is_outside(
    client: TestClient, small_county: SmallCounty
) -> None:
    points = [{"id": 'a"b', "lon": WEST - 0.01, "lat": SOUTH}, {"lon": 112.915, "lat": 28.715}]
    found = post(client, points=points, detail="codes")
    outside, inside = found["answers"]
    assert outside["id"] == 'a"b'
    assert outside["outside"]
    assert outside["nearest"] == small_county.grid_ids["g00"]
    assert outside["distance_m"] == pytest.approx(977, abs=1)
    assert inside["code"].startswith("990101101")
    assert "grids" not in found


def test_other_systems_and_days_and_all_schemes(
    client: TestClient, small_county: SmallCounty
) -> None:
    x, y = from_cgcs2000(CoordinateSystem("bd09"), *middle("g11"))
    found = post(client, points=[[float(x), float(y)]], crs="bd09", at="2025-03-01", scheme="all")
    (only,) = found["schemes"]
    assert only["day"] == "2025-03-01"
    assert only["answers"][0]["grid_id"] == small_county.grid_ids["g11"]


def test_a_past_day_for_many_places_builds_an_index(
    client: TestClient, small_county: SmallCounty
) -> None:
    rng = np.random.default_rng(3)
    points = np.column_stack(
        (WEST + SIDE * rng.uniform(0, 3, 300), SOUTH + SIDE * rng.uniform(0, 3, 300))
    ).tolist()
    now = post(client, points=points)["answers"]
    then = post(client, points=points, at="2025-03-01")["answers"]
    assert then == now
    assert len(then) == 300


def test_who_may_not_see_officers_gets_none(client: TestClient, as_actor: AsActor) -> None:
    found = post(client, as_actor("visitor"), points=[list(middle("g00"))])
    (grid,) = (one for one in found["grids"].values() if one["name"] == "格g00")
    assert grid["officers"] == []
    assert grid["call"] is None
    known = post(client, as_actor("county_office"), points=[list(middle("g00"))])
    assert "钱二" in json.dumps(known, ensure_ascii=False)


def test_many_swapped_places_are_refused_with_the_first_one(client: TestClient) -> None:
    answer = client.post("/api/locate", json={"points": [[112.915, 28.715], [28.715, 112.915]]})
    assert answer.status_code == 422
    assert answer.json()["field"] == "points.1"
    assert answer.json()["suggestions"][0]["swapped"]


def test_shifted_places_outside_are_offered_their_system(client: TestClient) -> None:
    # Just beyond the western edge as they stand, just inside read as GCJ-02.
    inside = [(WEST + SIDE * 0.01, SOUTH + SIDE * part) for part in (0.5, 1.5, 2.5)]
    east = [
        tuple(map(float, from_cgcs2000(CoordinateSystem("gcj02"), WEST + 3 * SIDE - 1e-4, lat)))
        for _, lat in inside
    ]
    found = post(client, points=[list(one) for one in east])
    assert all(one["outside"] for one in found["answers"])
    assert found["suggestion"]["crs"] == "gcj02"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("[]", "points"),
        ('{"points":[]}', "points"),
        ('{"points":[[1,2,3]]}', "points.0"),
        ('{"points":[[112.9,28.7],["112.9",28.7]]}', "points.1"),
        ('{"points":[[112.9,28.7],[true,28.7]]}', "points.1"),
        ('{"points":[[112.9,28.7],5]}', "points.1"),
        ('{"points":[{"lon":1}]}', "points.0"),
        ('{"points":[[1e400,28.7]]}', "points.0"),
        ('{"points":[[112.9,28.7]],"crs":"mars"}', "crs"),
        ('{"points":[[112.9,28.7]],"crs":5}', "crs"),
        ('{"points":[[112.9,28.7]],"detail":"more"}', "detail"),
        ('{"points":[[112.9,28.7]],"at":"yesterday"}', "at"),
        ('{"points":[[112.9,28.7]],"pionts":1}', "pionts"),
    ],
)
def test_a_wrong_body_is_refused_by_name(client: TestClient, body: str, field: str) -> None:
    answer = client.post("/api/locate", content=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["field"] == field
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("body", [b"", b"{", b'{"points":[[NaN,1]]}', b"\xff", b'{"points":'])
def test_what_is_no_json_is_refused(client: TestClient, body: bytes) -> None:
    assert client.post("/api/locate", content=body).status_code == 422


def test_an_unknown_scheme_is_not_found(client: TestClient) -> None:
    answer = client.post("/api/locate", json={"points": [[112.9, 28.7]], "scheme": "none"})
    assert answer.status_code == 404


def test_ten_megabytes_of_json_are_too_large(client: TestClient) -> None:
    answer = client.post("/api/locate", content=b" " * (body_limit.LIST_BYTES + 1))
    assert answer.status_code == 413
    assert answer.json()["type"].endswith("too-large")


def test_too_many_places_are_sent_to_the_upload(client: TestClient) -> None:
    points = [[112.9, 28.7]] * (router.MOST_POINTS + 1)
    answer = client.post("/api/locate", json={"points": points, "detail": "codes"})
    assert answer.status_code == 413
    assert "/api/assign" in answer.json()["detail"]


def test_the_request_for_many_is_described(client: TestClient) -> None:
    described = client.get("/api/openapi.json").json()["paths"]["/api/locate"]
    assert set(described) == {"get", "post"}
    schema = described["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["points"]
