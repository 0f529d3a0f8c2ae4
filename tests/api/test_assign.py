"""Files of places over HTTP, and who gets there first."""

import io
import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import SmallCounty, middle

AsActor = Callable[[str], dict[str, str]]


def rows(keys: list[str]) -> str:
    return "".join(f"{key},{middle(key)[0]},{middle(key)[1]}\n" for key in keys)


def test_a_csv_comes_back_in_order(client: TestClient, small_county: SmallCounty) -> None:
    keys = ["g22", "g00", "g11"] * 400
    answer = client.post(
        "/api/assign?crs=cgcs2000",
        content=("n,lon,lat\n" + rows(keys)).encode(),
        headers={"content-type": "text/csv"},
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/csv")
    table = pd.read_csv(io.StringIO(answer.text), dtype=str)
    assert table["n"].tolist() == keys
    assert table["grid_name"].tolist() == [f"格{key}" for key in keys]
    assert json.loads(answer.headers["x-gis-versions"])[0]["effective_day"] == "2024-07-01"


def test_a_form_gives_the_file_its_name_back(client: TestClient) -> None:
    feature = {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": list(middle("g11"))},
        "properties": {"n": 1},
    }
    body = json.dumps({"type": "FeatureCollection", "features": [feature]})
    answer = client.post(
        "/api/assign?crs=wgs84&scheme=all", files={"file": ("点.geojson", body.encode())}
    )
    assert answer.status_code == 200, answer.text
    assert "%E7%82%B9.geojson" in answer.headers["content-disposition"]
    assert answer.json()["features"][0]["properties"]["grid_name"] == "格g11"


def test_another_reading_is_offered_in_a_header(client: TestClient) -> None:
    lon, lat = middle("g11")
    answer = client.post(
        "/api/assign?crs=cgcs2000",
        content=f"lon,lat\n{lat},{lon}\n".encode(),
        headers={"content-type": "text/csv"},
    )
    assert json.loads(answer.headers["x-gis-suggestion"])["swapped"]


@pytest.mark.parametrize(
    ("query", "media", "body"),
    [
        ("", "text/csv", b"lon,lat\n112.9,28.7\n"),
        ("crs=mars", "text/csv", b"lon,lat\n112.9,28.7\n"),
        ("crs=wgs84", "text/csv", b"a,b\n1,2\n"),
        ("crs=wgs84", "image/png", b"lon,lat\n112.9,28.7\n"),
        ("crs=wgs84", "application/geo+json", b"[]"),
        ("crs=wgs84", "application/geopackage+sqlite3", b"nothing"),
        ("crs=wgs84", "multipart/form-data", b"broken"),
    ],
)
def test_a_wrong_file_is_refused_before_anything_is_sent(
    client: TestClient, query: str, media: str, body: bytes
) -> None:
    answer = client.post(f"/api/assign?{query}", content=body, headers={"content-type": media})
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_form_without_a_file_is_refused(client: TestClient) -> None:
    assert client.post("/api/assign?crs=wgs84", files={"other": ("a.csv", b"")}).status_code == 422


def test_a_file_that_is_too_large_is_refused(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Small:
        assign_mb = 1

    monkeypatch.setattr("gis_service.api.body_limit.import_settings", Small)

    def parts() -> Any:
        for _ in range(3):
            yield b"x" * 500_000

    answer = client.post(
        "/api/assign?crs=wgs84", content=parts(), headers={"content-type": "text/csv"}
    )
    assert answer.status_code == 413


def test_who_comes_is_told_with_the_way(
    client: TestClient, small_county: SmallCounty, as_actor: AsActor
) -> None:
    lon, lat = middle("g10")
    found = client.get(f"/api/arrivals?lon={lon}&lat={lat}&radius_m=50").json()
    assert found["status"] == "ok"
    assert found["fire_20"]["standard"] == "fire-20"
    assert found["fire_20"]["limit_minutes"] == 20
    assert set(found["near"]) >= {"radius_m", "hazards", "water_sources", "premises", "households"}
    visitor = client.get(f"/api/arrivals?lon={lon}&lat={lat}", headers=as_actor("visitor")).json()
    assert visitor["near"]["households"] is None


@pytest.mark.parametrize("query", ["", "lon=112.9", "lon=1&lat=91", "lon=1&lat=1&scenario=war"])
def test_a_wrong_question_for_arrivals_is_refused(client: TestClient, query: str) -> None:
    assert client.get(f"/api/arrivals?{query}").status_code in {404, 422}


@pytest.mark.parametrize("role", ["analyst", "grid_officer"])
def test_staff_may_have_a_file_located(client: TestClient, as_actor: AsActor, role: str) -> None:
    answer = client.post(
        "/api/assign?crs=cgcs2000",
        content=b"lon,lat\n112.9,28.7\n",
        headers={"content-type": "text/csv", **as_actor(role)},
    )
    assert answer.status_code == 200, answer.text


def test_a_visitor_may_not_have_a_file_located(client: TestClient, as_actor: AsActor) -> None:
    answer = client.post(
        "/api/assign?crs=cgcs2000",
        content=b"lon,lat\n112.9,28.7\n",
        headers={"content-type": "text/csv", **as_actor("visitor")},
    )
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_form_with_a_file_that_is_too_large_is_refused(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Small:
        assign_mb = 1

    monkeypatch.setattr("gis_service.api.body_limit.import_settings", Small)
    answer = client.post("/api/assign?crs=wgs84", files={"file": ("a.csv", b"x" * 1_300_000)})
    assert answer.status_code == 413


def test_a_located_file_is_as_sent_but_for_formulas(client: TestClient) -> None:
    given = '名,lon,lat\r\n"=1+1, 2",112.9,28.7\r\n 甲 ,112.9 , -12.5\r\n-1+1,112.9,28.7\r\n'
    answer = client.post(
        "/api/assign?crs=cgcs2000", content=given.encode(), headers={"content-type": "text/csv"}
    )
    head, first, second, third = answer.content.decode().splitlines()
    assert head.startswith("名,lon,lat,")
    assert first.startswith('"\'=1+1, 2",112.9,28.7,')
    assert second.startswith(" 甲 ,112.9 , -12.5,")
    assert third.startswith("'-1+1,112.9,28.7,")
