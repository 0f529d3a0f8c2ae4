"""What visitors ask for leaves nothing that grows with what they can think of."""

import asyncio
import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from gis_service import jobs
from gis_service.access import SYSTEM
from gis_service.coverage.areas.cache import AreaCache
from gis_service.coverage.areas.service import find_area_folder
from gis_service.maps.tiles.tile_sets import LAYERS
from gis_service.settings import incident_settings, keeping_settings
from gis_service.store import Store
from gis_service.store import tables as t
from tests.api.conftest import SmallCounty, middle
from tests.api.test_live import Running, listening, running, until

As = Callable[[str], dict[str, str]]
LON, LAT = middle("g00")
DAYS = [f"20{year}-0{month}-01" for year in range(24, 34) for month in range(1, 9)]
MINUTES = [f"{first},{first + 1.5},{first + 7}" for first in range(1, 41)]
VARIED: dict[str, list[str]] = {
    "at": DAYS,
    "v": [f"1-{n}" for n in range(40)],
    "minutes": MINUTES,
    "q": [f"东街{n}号" for n in range(40)],
    "lon": [f"{LON + n / 10_000:.5f}" for n in range(40)],
    "lat": [f"{LAT + n / 10_000:.5f}" for n in range(40)],
    "bbox": [f"112.{n},28.6,113.9,28.9" for n in range(10, 50)],
    "limit": [str(n) for n in range(1, 41)],
    "offset": [str(n) for n in range(1, 41)],
    "radius_m": [str(n) for n in range(100, 140)],
    "paper": ["A4", "A3"],
    "lang": ["en", "zh-CN"],
    "format": ["html"],
}
"""What a visitor may vary at will; the first value is what the first walk asks for."""

USUAL = {
    "theme": "fire-20", "rank": "3", "scheme": "base", "standard": "fire-20", "crs": "cgcs2000",
    "layer": "county", "form": "json", "kind": "clinic", "z": "9", "x": "416", "y": "213",
}  # fmt: skip


@pytest.fixture(scope="module")
def run_id(store: Store, client: TestClient) -> int:
    """A run, so that coverage has something to say."""
    job_id = client.post("/api/coverage/runs", json={"standard": "fire-20"}).json()["job_id"]
    jobs.run_worker(store, wait=False)
    return int(client.get(f"/api/jobs/{job_id}").json()["result"]["run_id"])


def gets(client: TestClient) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Every documented GET but those that answer with files of tiles, which are asked below."""
    for path, methods in client.get("/api/openapi.json").json()["paths"].items():
        if "get" in methods and "{z}" not in path:
            yield path, methods["get"].get("parameters", [])


def asked(path: str, parameters: list[dict[str, Any]], turn: int, ids: dict[str, int]) -> str:
    query = {}
    for one in parameters:
        name = one["name"]
        varied = VARIED.get(name)
        value = str(ids.get(name, USUAL.get(name, "1")))
        if varied:
            value = varied[turn % len(varied)]
        if one["in"] == "path":
            path = path.replace("{" + name + "}", value)
        elif one["in"] == "query" and (one.get("required") or varied or name in USUAL):
            query[name] = value
    return f"{path}?{urlencode(query)}"


READABLE = [table for table in t.metadata.sorted_tables if table is not t.digest_key]
"""By the service's role."""


def left(store: Store) -> dict[str, int]:
    """Rows of every table, and files of the data folder."""
    with store.transaction(SYSTEM) as connection:
        rows = {
            table.name: connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for table in READABLE
        }
    files = [file for file in find_area_folder().parent.rglob("*") if file.is_file()]
    return {**rows, "files": len(files)}


def test_no_get_of_a_visitor_leaves_more_when_it_is_varied(
    client: TestClient, store: Store, small_county: SmallCounty, as_actor: As, run_id: int
) -> None:
    ids = {"grid_id": small_county.grid_ids["g00"], "run_id": run_id, "a": 1, "b": 1}
    paths = list(gets(client))
    assert len(paths) > 50
    visitor = as_actor("visitor")
    good = set()
    for turn in (0, 1):  # two languages, two papers
        for path, parameters in paths:
            address = asked(path, parameters, turn, ids)
            answer = client.get(address, headers=visitor)
            assert answer.status_code < 500, address
            good |= {path} if answer.status_code == 200 else set()
    assert len(good) > 30, sorted(good)
    before = left(store)
    for path, parameters in paths:
        free = {one["name"] for one in parameters} & set(VARIED) - {"paper", "lang", "format"}
        for turn in range(2, 8 if free else 3):
            client.get(asked(path, parameters, turn, ids), headers=visitor)
    assert left(store) == before


KEPT = {"answer", "tile", "tile_shape"}
"""What can be made again: pieces of a map and figures, written down for other processes."""


def test_no_get_changes_a_row_but_what_is_kept_and_who_looked(
    client: TestClient, store: Store, small_county: SmallCounty, as_actor: As, run_id: int
) -> None:
    office = as_actor("county_office")
    plan = client.post("/api/plans", json={"title": "东街"}, headers=office).json()
    ids = {"grid_id": small_county.grid_ids["g11"], "run_id": run_id, "a": 1, "b": 1}
    ids |= {"plan_id": plan["plan_id"], "parent": small_county.grid_ids["g11"], "incident_id": 1}
    before = contents(store)
    good = set()
    for path, parameters in gets(client):
        answer = client.get(asked(path, parameters, 0, ids), headers=office)
        good |= {path} if answer.status_code == 200 else set()
    assert len(good) > 55, sorted(good)
    after = contents(store)
    changed = {name for name in after if after[name] != before[name]}
    assert changed <= {*KEPT, "event", "event_unsealed"}
    events = set(before["event"].splitlines())
    assert events <= (now := set(after["event"].splitlines()))
    looks = re.compile(",(print|see|list|search|download|read|refuse),")
    assert all(looks.search(line) for line in now - events)


def contents(store: Store) -> dict[str, str]:
    """Every row of every table, as text."""
    lines = "SELECT string_agg(row::text, chr(10) ORDER BY row::text) FROM {} AS row"
    with store.transaction(SYSTEM) as connection:
        return {
            table.name: connection.scalar(sa.text(lines.format(table.name))) or ""
            for table in READABLE
        }


def test_a_visitor_who_opens_sheets_writes_no_event(
    client: TestClient, store: Store, small_county: SmallCounty, as_actor: As
) -> None:
    path = f"/api/grids/{small_county.grid_ids['g00']}/sheet?format=html"
    before = left(store)["event"]
    assert client.get(path, headers=as_actor("visitor")).status_code == 200
    assert left(store)["event"] == before
    assert client.get(path, headers=as_actor("analyst")).status_code == 200
    assert left(store)["event"] == before + 1


@pytest.mark.parametrize("layer", LAYERS)
def test_empty_tiles_are_not_kept_whatever_their_address(
    client: TestClient, store: Store, as_actor: As, layer: str
) -> None:
    before = left(store)["tile"]
    for n, z in itertools.product(range(5), (12, 16)):
        path = f"/api/tiles/{layer}/{z}/{n}/{n}.pbf?v={n}"
        answer = client.get(path, headers=as_actor("visitor"))
        assert answer.status_code == 204
    assert left(store)["tile"] == before


def test_bands_of_any_minutes_are_drawn_and_only_the_usual_ones_written(
    client: TestClient, as_actor: As, run_id: int
) -> None:
    del run_id
    path = "/api/coverage/areas?standard=fire-20&scenario=normal&minutes={}"
    visitor = as_actor("visitor")
    usual = client.get(path.format("5,10,20"), headers=visitor)
    assert usual.status_code == 200
    files = {file.name for file in find_area_folder().iterdir()}
    assert any(name.endswith(".json.gz") for name in files)
    for minutes in (f"{n}.25,{n}.75" for n in range(3, 8)):
        assert client.get(path.format(minutes), headers=visitor).status_code == 200
    assert {file.name for file in find_area_folder().iterdir()} == files


def test_kept_areas_hold_no_more_bytes_than_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIS_KEEP_AREAS_MB", "1")
    keeping_settings.cache_clear()
    try:
        kept = AreaCache(tmp_path)
        for n in range(12):
            kept.keep_answer(f"{n:02}", bytes(300_000))
        files = list(tmp_path.iterdir())
    finally:
        monkeypatch.undo()
        keeping_settings.cache_clear()
    assert sum(file.stat().st_size for file in files) <= 1_000_000
    assert len(files) == 3


@pytest.fixture
def two_each(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two streams a caller."""
    monkeypatch.setenv("GIS_LIVE_CLIENTS_EACH", "2")
    incident_settings.cache_clear()
    yield
    monkeypatch.undo()
    incident_settings.cache_clear()


@pytest.fixture
def served(store: Store, small_county: SmallCounty, two_each: None) -> Iterator[Running]:
    """The drawn county, served for real."""
    del small_county, two_each
    with running(store) as found:
        yield found


def test_one_visitor_cannot_take_every_stream(served: Running, as_actor: As) -> None:
    visitor = as_actor("visitor")
    with listening(served, visitor) as one, listening(served, visitor) as two:
        for stream in (one, two):
            until(stream, "ready")
        refused = httpx.get(f"{served.url}/api/live", headers=visitor, trust_env=False)
        assert refused.status_code == 429
        assert refused.headers["content-type"] == "application/problem+json"
        with listening(served, as_actor("analyst")) as other:
            until(other, "ready")


def test_of_many_streams_asked_for_at_once_no_more_are_opened(
    served: Running, as_actor: As
) -> None:
    visitor = as_actor("visitor")
    answered: list[int] = []

    async def one(client: httpx.AsyncClient, over: asyncio.Event) -> None:
        async with client.stream("GET", f"{served.url}/api/live", headers=visitor) as answer:
            answered.append(answer.status_code)
            if len(answered) == 30:
                over.set()
            await over.wait()

    async def many() -> None:
        over = asyncio.Event()
        limits = httpx.Limits(max_connections=40)
        async with httpx.AsyncClient(limits=limits, trust_env=False, timeout=20) as client:
            await asyncio.gather(*(one(client, over) for _ in range(30)))

    asyncio.run(many())
    assert sorted(answered) == [200] * 2 + [429] * 28
    with listening(served, visitor) as stream:  # places that were given back are free
        until(stream, "ready")
