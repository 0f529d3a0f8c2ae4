"""The files of ``tests/data/small``: each once broke an import, or came in wrong without a word."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from gis_service.access import SYSTEM
from gis_service.cli import app
from gis_service.coordinate_systems import parse_crs
from gis_service.errors import InputError
from gis_service.ingest.importing import import_file
from gis_service.ingest.kinds.grid_check import check_grids_file
from gis_service.ingest.kinds.kind import ImportOptions, ImportOutcome
from gis_service.store import tables as t
from gis_service.store.engine import Store
from tests.conftest import DatabaseServer

SMALL = Path(__file__).resolve().parents[1] / "data" / "small"
WGS84 = parse_crs("wgs84")

TAKEN = {
    "multi_repeated_vertex": "duplicate_vertex",
    "multi_spike": "spike",
    "multi_shared_edge": "shared_edge",
    "ring_of_two_points": "spike",
    "hole_of_two_points": "spike",
    "collection_of_polygons": "spike",
    "open_ring": "",
    "heights_and_mixed_turns": "",
    "enclave": "",
    "nested_parent": "",
    "nested_parent_as_python": "",
    "nested_without_code": "",
    "by_lines": "",
    "notch_of_the_outline": "",
    "accents": "",
    "chinese_gbk": "",
    "chinese_bom": "",
    "crs_member": "",
    "a_hair_beyond_180": "",
}
"""Grids that are taken, and what is repaired."""
REFUSED = {
    "only_two_points": ("grids_file.empty", 1),
    "no_geometry": ("grids_file.empty", 1),
    "empty_geometry": ("grids_file.rows_unread", 1),
    "across_an_ocean": ("boundaries.land_apart", None),
    "both_sides_of_180": ("boundaries.land_apart", None),
    "by_lines_broken": ("ingest.geojson_bad_line", 2),
    "not_a_number": ("grids_file.rows_unread", 1),
}
"""Grids that are not, why, and the row."""


@pytest.fixture
def empty_store(database_server: DatabaseServer, template_database: str) -> Iterator[Store]:
    name = database_server.create(template_database)
    store = Store(database_server.url("gis_service", name))
    yield store
    store.close()
    database_server.drop(name)


def take(store: Store, name: str, kind: str = "grids", **options: Any) -> ImportOutcome:
    return import_file(store, SYSTEM, kind, SMALL / name, ImportOptions(crs=WGS84, **options))


def names(store: Store) -> dict[str, str]:
    with store.transaction(SYSTEM) as connection:
        return dict(connection.execute(sa.select(t.grid_state.c.code, t.grid_state.c.name)).all())


def test_every_small_file_is_in_one_of_the_lists() -> None:
    elsewhere = {"accents_latin1"}
    listed = {*TAKEN, *REFUSED, *elsewhere}
    assert {file.stem for file in SMALL.glob("*.geojson")} == listed


@pytest.mark.parametrize("name", TAKEN)
def test_what_can_be_taken_is_taken_whole(empty_store: Store, name: str) -> None:
    file = f"{name}.geojson"
    checked = check_grids_file(SMALL / file, crs="wgs84")
    assert not any(checked["errors"].values())
    outcome = take(empty_store, file)
    assert outcome.new == outcome.rows == checked["grids"]
    assert not outcome.refusals
    repairs = outcome.details["boundaries"]["repairs"]
    assert TAKEN[name] in {kind for kind, n in repairs.items() if n} | {""}
    assert bool(TAKEN[name]) == any(repairs.values())


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_taken_says_why_and_where(empty_store: Store, name: str) -> None:
    key, row = REFUSED[name]
    with pytest.raises(InputError) as caught:
        take(empty_store, f"{name}.geojson")
    error = caught.value
    assert error.key == key
    assert error.place.row == row
    assert error.place.row or error.place.feature
    assert not any("\u4e00" <= sign <= "\u9fff" for sign in error.say("en").replace("甲", ""))
    assert names(empty_store) == {}


def test_a_parent_that_is_an_object_is_read_as_its_code(empty_store: Store) -> None:
    for file in ("nested_parent.geojson", "nested_parent_as_python.geojson"):
        outcome = take(empty_store, file)
        assert [(one.key, one.values["code"]) for one in outcome.notes] == [
            ("ingest.nested_read", "430600")
        ]
        assert names(empty_store) == {"430600": "430600", "430601": "甲", "430602": "乙"}


def test_a_parent_without_a_code_is_left_out_with_a_note(empty_store: Store) -> None:
    outcome = take(empty_store, "nested_without_code.geojson")
    assert [one.key for one in outcome.notes] == ["ingest.nested_ignored"]
    assert set(names(empty_store)) == {"430601", "430602"}


def test_the_stated_encoding_is_obeyed(empty_store: Store) -> None:
    take(empty_store, "accents_latin1.geojson", encoding="latin-1")
    assert set(names(empty_store).values()) == {"Örebro", "Åmål"}


@pytest.mark.parametrize(
    ("file", "kind", "field"),
    [("no_kind.csv", "facilities", "kind"), ("no_place.csv", "households", "lon")],
)
def test_a_column_that_every_row_would_need_is_said_once(
    empty_store: Store, file: str, kind: str, field: str
) -> None:
    with pytest.raises(InputError) as caught:
        take(empty_store, file, kind)
    assert (caught.value.key, caught.value.place.field) == ("ingest.column_needed", field)
    assert caught.value.exit_code == 2


def test_a_column_that_names_the_rows_stays_the_name(empty_store: Store) -> None:
    outcome = take(empty_store, "named_by_name.csv", "facilities", key="名称")
    assert outcome.new == 2
    with empty_store.transaction(SYSTEM) as connection:
        found = connection.execute(sa.select(t.facility.c.key, t.facility.c.name)).all()
    assert {tuple(row) for row in found} == {("甲站", "甲站"), ("乙站", "乙站")}


def test_plan_check_tells_rows_and_notes() -> None:
    file = str(SMALL / "no_geometry.geojson")
    answer = CliRunner().invoke(app, ["plan", "check", file, "--crs", "wgs84", "--json"])
    assert answer.exit_code == 1
    (place,) = json.loads(answer.stdout)["places"]
    assert (place["kind"], place["grids"], place["rows"]) == ("empty", ["430601"], [1])
    told = check_grids_file(SMALL / "nested_parent.geojson", crs="wgs84")["notes"]
    assert [one["note"] for one in told] == ["ingest.nested_read"]
