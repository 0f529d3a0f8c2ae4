"""Vector tiles over HTTP: TileJSON, what may be kept for ever, and clear refusals."""

import gzip
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from gis_service.access import SYSTEM
from gis_service.store import Store
from gis_service.store import tables as t
from tests.api.conftest import middle
from tests.maps.test_tiles import place, read


def described(client: TestClient, layer: str, **query: Any) -> dict[str, Any]:
    """The TileJSON of a layer."""
    answer = client.get(f"/api/tiles/{layer}.json", params=query)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def address(description: dict[str, Any], key: str, zoom: int) -> str:
    """The address of the tile that holds the middle of a base grid."""
    z, x, y = place(key, zoom)
    template = str(description["tiles"][0])
    return template.replace("{z}", str(z)).replace("{x}", str(x)).replace("{y}", str(y))


def test_tile_json_says_where_and_what(client: TestClient) -> None:
    found = described(client, "county")
    lon, lat = middle("g11")
    west, south, east, north = found["bounds"]
    assert west < lon < east
    assert south < lat < north
    assert [layer["id"] for layer in found["vector_layers"]] == ["grids", "borders"]
    assert (found["minzoom"], found["maxzoom"]) == (0, 16)


def test_a_tile_of_a_named_state_may_be_kept_for_ever(client: TestClient) -> None:
    found = address(described(client, "county"), "g11", 11)
    answer = client.get(found)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    assert "immutable" in answer.headers["cache-control"]
    assert len(read(answer.content, "grids")[1]) == 9
    again = client.get(found)  # now it is held in memory
    assert again.content == answer.content
    assert "immutable" in again.headers["cache-control"]


def test_a_tile_without_a_state_or_of_a_past_one_is_asked_for_again(client: TestClient) -> None:
    found = address(described(client, "roads"), "g00", 14)
    assert "immutable" in client.get(found).headers["cache-control"]
    for plain in (found.partition("?")[0], found + "0"):
        assert client.get(plain).headers["cache-control"] == "public, no-cache"


def test_whoever_holds_a_tile_gets_no_body(client: TestClient) -> None:
    found = address(described(client, "ground"), "g00", 14)
    tag = client.get(found).headers["etag"]
    assert not tag.startswith("W/")
    again = client.get(found, headers={"If-None-Match": tag})
    assert again.status_code == 304
    assert again.content == b""


def test_a_client_that_unpacks_nothing_gets_it_plain(client: TestClient) -> None:
    found = address(described(client, "ground"), "g00", 14)
    packed = client.get(found)
    plain = client.get(found, headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert plain.content == packed.content
    assert plain.headers["etag"] != packed.headers["etag"]
    assert gzip.compress(plain.content)


def test_nothing_there_is_204(client: TestClient) -> None:
    answer = client.get("/api/tiles/ground/10/0/0.pbf")
    assert answer.status_code == 204
    assert answer.content == b""


@pytest.mark.parametrize(
    "path",
    [
        "ground/17/0/0.pbf",
        "ground/-1/0/0.pbf",
        "ground/3/8/0.pbf",
        "ground/3/0/999999999999999999.pbf",
        "households/3/0/0.pbf",
        "households.json",
        "county/3/0/0.pbf?scheme=none",
        "county/3/0/0.pbf?rank=9",
    ],
)
def test_what_is_not_there_is_said_as_a_problem(client: TestClient, path: str) -> None:
    answer = client.get(f"/api/tiles/{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.json()["detail"]


def test_a_visitor_sees_the_map(client: TestClient, as_actor: Any) -> None:
    found = address(described(client, "county"), "g11", 11)
    assert client.get(found, headers=as_actor("visitor")).status_code == 200


def test_figures_are_counted_once_and_follow_the_data(client: TestClient, store: Store) -> None:
    query = {"rank": 3, "theme": "people"}
    first = client.get("/api/layers/figures", params=query)
    tag = first.headers["etag"]
    again = client.get("/api/layers/figures", params=query, headers={"If-None-Match": tag})
    assert again.status_code == 304
    with store.transaction(SYSTEM) as connection:
        connection.execute(sa.update(t.household).values(people=t.household.c.people + 1))
    changed = client.get("/api/layers/figures", params=query, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    before, after = (sum(v or 0 for v in a.json()["values"].values()) for a in (first, changed))
    assert after == before + 968


def test_figures_kept_for_one_are_not_shown_to_another(client: TestClient, as_actor: Any) -> None:
    query = {"rank": 3, "theme": "households"}
    office = client.get("/api/layers/figures", params=query, headers=as_actor("county_office"))
    officer = client.get("/api/layers/figures", params=query, headers=as_actor("grid_officer"))
    visitor = client.get("/api/layers/figures", params=query, headers=as_actor("visitor"))
    known = [
        sum(value is not None for value in answer.json()["values"].values())
        for answer in (office, officer, visitor)
    ]
    assert known == [9, 1, 0]
    assert len({answer.headers["etag"] for answer in (office, officer, visitor)}) == 3
