"""A county whose boundaries are there first: roads, homes and stations come later, or never."""

import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import shapely
from typer.testing import CliRunner

from gis_service import main_job
from gis_service.cli import app
from gis_service.store.engine import Store
from tests.conftest import DatabaseServer
from tests.generated.whole_way import take_the_whole_way
from tests.support import SIDE, SOUTH, WEST, cell


@pytest.fixture
def empty_store(database_server: DatabaseServer, template_database: str) -> Iterator[Store]:
    name = database_server.create(template_database)
    store = Store(database_server.url("gis_service", name))
    yield store
    store.close()
    database_server.drop(name)


def collection(features: list[tuple[Any, dict[str, Any]]]) -> str:
    return json.dumps(
        {
            "type": "FeatureCollection",
            "features": [
                {
                    "type": "Feature",
                    "properties": said,
                    "geometry": None if shape is None else shapely.geometry.mapping(shape),
                }
                for shape, said in features
            ],
        }
    )


GRIDS = collection(
    [
        (cell(i, j), {"code": f"g{i}{j}", "name": f"格{i}{j}", "parent": "top"})
        for i in range(3)
        for j in range(3)
    ]
)
HOMES = "key,street,house_number,people,lon,lat\n" + "".join(
    f"h{n},街,{n}号,3,{WEST + SIDE * (n + 0.5)},{SOUTH + SIDE / 2}\n" for n in range(3)
)
STATIONS = "key,kind,name,lon,lat\n" + "".join(
    f"s{kind},{kind},站,{WEST + SIDE / 2},{SOUTH + SIDE / 2}\n"
    for kind in ("fire_station", "school", "clinic")
)
STREET = collection(
    [
        (
            shapely.LineString([(WEST, SOUTH + SIDE / 2), (WEST + 3 * SIDE, SOUTH + SIDE / 2)]),
            {"highway": "residential"},
        )
    ]
)
SHORT_ROADS = collection(
    [
        (
            shapely.LineString(
                [(WEST + 0.003 * n, SOUTH + 0.002), (WEST + 0.003 * n + 0.001, SOUTH + 0.002)]
            ),
            {"highway": "residential"},
        )
        for n in range(8)
    ]
)


@pytest.mark.parametrize(
    ("files", "status", "note"),
    [
        ({}, "no_households", "no_roads"),
        ({"households": HOMES}, "no_roads", "no_roads"),
        ({"households": HOMES, "facilities": STATIONS, "roads": SHORT_ROADS}, "no_roads",
         "no_usable_road"),
        ({"households": HOMES, "roads": STREET}, "no_facility", "no_facility"),
    ],
    ids=["boundaries only", "homes", "short pieces of road", "no station"],
)  # fmt: skip
def test_what_lacks_has_figures_with_their_reason_map_and_report(
    empty_store: Store,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    files: dict[str, str],
    status: str,
    note: str,
) -> None:
    paths = {}
    for kind, body in {"grids": GRIDS, **files}.items():
        paths[kind] = tmp_path / f"{kind}.{'geojson' if body.startswith('{') else 'csv'}"
        paths[kind].write_text(body, "utf-8")
    done = take_the_whole_way(empty_store, paths, tmp_path, formats=("xlsx", "html"))
    assert done.refused == {}
    assert done.result is not None
    assert done.result["map"] is not None
    assert not [one for one in caplog.records if one.exc_info]
    for figures in done.result["coverage"].values():
        assert figures["covered"] == 0
        assert figures["status"] == status
        assert figures["notes"][0]["note"] == note


def test_a_map_that_fails_stops_nothing_and_is_no_success(
    empty_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise AssertionError("a tooltip has no field")

    (tmp_path / "grids.geojson").write_text(GRIDS, "utf-8")
    take_the_whole_way(empty_store, {"grids": tmp_path / "grids.geojson"}, tmp_path, formats=())
    monkeypatch.setattr(main_job, "write_map", fail)
    said: list[str] = []
    result = main_job.main_job(empty_store, tmp_path / "new.html", said.append)
    assert result["map"] is None
    assert "a tooltip has no field" in result["map_error"]
    assert any("could not be drawn" in line for line in said)
    assert result["coverage"]


def test_run_once_ends_with_an_error_where_the_map_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"map": None, "map_error": "why"}
    monkeypatch.setattr(main_job, "main_job", lambda *_: answer)
    monkeypatch.setattr("gis_service.store.open_store", lambda **_: nullcontext())
    monkeypatch.setattr("gis_service.commands.job_summary.describe_result", lambda *_: [])
    ended = CliRunner().invoke(app, ["run", "--once"])
    assert (ended.exit_code, json.loads(ended.stdout)) == (1, answer)
