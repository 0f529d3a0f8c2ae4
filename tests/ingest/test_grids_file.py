"""Grids from a file: published with their codes, repaired within the tolerance, or refused."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.boundaries.linework.noding import metres_per_degree
from gis_service.coordinate_systems import from_cgcs2000, parse_crs
from gis_service.errors import ConflictError, HeldBackError, InputError
from gis_service.grids.versions import read_versions, today
from gis_service.ingest.importing import import_file
from gis_service.ingest.kinds.grids_file import FlawedGridsError, take_grids
from gis_service.ingest.kinds.kind import HandlerResult, ImportOptions
from gis_service.store import Store
from gis_service.store import tables as t
from tests.ingest.matched import matched
from tests.support import SOUTH, add_households, cell

EAST_M, _ = metres_per_degree(SOUTH)
GCJ02 = parse_crs("gcj02")


def nine(**changed: shapely.Geometry) -> list[dict[str, Any]]:
    """The nine base grids of the drawn county in three villages of one town."""
    town = "990101101"
    rows: list[dict[str, Any]] = [
        {"key": town, "name": "东镇", "level": "大网格", "geometry": None}
    ]
    rows += [
        {"key": f"{town}00{i}", "name": f"村{i}", "level": "中网格", "parent": town,
         "geometry": shapely.box(*shapely.total_bounds([cell(0, i), cell(2, i)]))}
        for i in range(3)
    ]  # fmt: skip
    rows += [
        {"key": f"{town}00{j}00{i}", "name": f"格{i}{j}", "level": "基础网格",
         "parent": f"{town}00{j}", "geometry": changed.get(f"g{i}{j}", cell(i, j))}
        for j in range(3)
        for i in range(3)
    ]  # fmt: skip
    return rows


def take(
    connection: sa.Connection, rows: Sequence[Mapping[str, Any]], *, replace: bool = False,
    **extra: str,
) -> HandlerResult:  # fmt: skip
    options = ImportOptions(extra=extra, replace=replace)
    return take_grids(connection, SYSTEM, matched(rows), options, lambda _share, _step: None)


@pytest.fixture
def connection(store: Store) -> Any:
    """A transaction that is taken back after the test."""
    with store.transaction(SYSTEM) as connection:
        savepoint = connection.begin_nested()
        yield connection
        savepoint.rollback()


def states(connection: sa.Connection) -> dict[str, Any]:
    state = t.grid_state
    query = sa.select(state).where(sa.func.upper_inf(state.c.valid))
    return {row.code: row for row in connection.execute(query)}


def shifted(i: int, j: int, metres: float) -> shapely.Geometry:
    """The western border moved to the east."""
    west, south, east, north = cell(i, j).bounds
    return shapely.box(west + metres / EAST_M, south, east, north)


def test_a_file_of_three_levels_becomes_the_first_version(connection: sa.Connection) -> None:
    add_households(connection, [(112.905, 28.705)])
    applied = take(connection, nine(), effective="2024-07-01", title="第一版")
    assert (applied.new, applied.changed, applied.same, applied.removed) == (13, 0, 0, 0)
    held = states(connection)
    assert len(held) == 13
    assert {row.rank for row in held.values()} == {1, 2, 3}
    assert held["990101101000000"].parent_grid_id == held["990101101000"].grid_id
    assert held["990101101000"].name == "村0"
    (version,) = read_versions(connection)
    assert (version.title, version.effective_day.isoformat()) == ("第一版", "2024-07-01")
    home = connection.execute(sa.select(t.household.c.base_grid_id)).scalar_one()
    assert home == held["990101101000000"].grid_id


def test_the_same_file_twice_changes_nothing(connection: sa.Connection) -> None:
    take(connection, nine(), effective="2024-07-01")
    applied = take(connection, nine())
    assert (applied.new, applied.changed, applied.same) == (0, 0, 13)
    assert len(read_versions(connection)) == 1


def test_a_redrawn_grid_keeps_its_identity_and_the_rest_stays(connection: sa.Connection) -> None:
    take(connection, nine(), effective="2024-07-01")
    before = states(connection)
    moved = [
        {"key": "990101101001001", "geometry": shifted(1, 1, 100.0)},
        {"key": "990101101001000", "geometry": shapely.difference(
            shapely.union_all([cell(0, 1), cell(1, 1)]), shifted(1, 1, 100.0))},
    ]  # fmt: skip
    applied = take(connection, moved)
    assert (applied.new, applied.changed, applied.same, applied.removed) == (0, 2, 0, 0)
    after = states(connection)
    assert {code: row.grid_id for code, row in after.items()} == {
        code: row.grid_id for code, row in before.items()
    }
    assert after["990101101001001"].name == "格11"
    assert after["990101101001001"].area_m2 < before["990101101001001"].area_m2
    assert after["990101101001"].area_m2 == pytest.approx(before["990101101001"].area_m2, rel=1e-9)


def test_a_narrow_slit_is_repaired_and_said(connection: sa.Connection) -> None:
    applied = take(connection, nine(g11=shifted(1, 1, 0.3)), effective="2024-07-01")
    assert [note.key for note in applied.notes] == ["grids_file.repaired_gap"]
    assert applied.details["boundaries"]["repairs"]["gap"] == 1
    repair = applied.details["repairs"][0]
    assert repair["width_m"] == pytest.approx(0.3, rel=0.01)
    wide = take(connection, nine(), tolerance_m="0.4")
    assert wide.changed <= 2


@pytest.mark.parametrize(("metres", "kind"), [(1.0, "gap"), (-1.0, "overlap")])
def test_a_metre_is_refused_with_its_place(
    connection: sa.Connection, metres: float, kind: str
) -> None:
    with pytest.raises(FlawedGridsError) as caught:
        take(connection, nine(g11=shifted(1, 1, metres)))
    error = caught.value
    assert error.key == f"grids_file.{kind}"
    assert "1.00 m wide" in error.say("en")
    details: Any = error.details("zh-CN")
    assert details["counts"]["errors"][kind] == 1
    assert details["places"][0]["geometry"]["type"] == "Polygon"
    assert set(details["places"][0]["grids"]) >= {"990101101001000", "990101101001001"}
    assert states(connection) == {}


def test_a_self_crossing_polygon_is_refused(connection: sa.Connection) -> None:
    west, south, east, north = cell(1, 1).bounds
    bow = shapely.Polygon([(west, south), (east, north), (east, south), (west, north)])
    with pytest.raises(FlawedGridsError) as caught:
        take(connection, nine(g11=bow))
    assert caught.value.key == "grids_file.invalid"
    assert states(connection) == {}


def test_an_upper_grid_drawn_otherwise_is_told(connection: sa.Connection) -> None:
    rows = nine()
    rows[1]["geometry"] = shapely.box(*cell(0, 0).bounds)
    applied = take(connection, rows, effective="2024-07-01")
    assert [note.key for note in applied.notes] == ["grids_file.warned_upper"]


def test_grids_of_one_level_alone_make_a_scheme_of_one_level(connection: sa.Connection) -> None:
    rows = [{"key": f"c{i}", "name": f"县{i}", "geometry": cell(i, 0)} for i in range(3)]
    applied = take(connection, rows)
    assert applied.new == 3
    assert {row.rank for row in states(connection).values()} == {1}
    assert read_versions(connection)[0].effective_day == today(connection)


def test_parents_that_only_their_children_name_are_made(connection: sa.Connection) -> None:
    rows = [
        {"key": f"c{i}", "name": f"格{i}", "parent": "v1", "parent_name": "一村",
         "geometry": cell(i, 0)}
        for i in range(3)
    ]  # fmt: skip
    take(connection, rows)
    held = states(connection)
    assert held["v1"].name == "一村"
    assert held["c0"].parent_grid_id == held["v1"].grid_id


def test_parents_known_by_name_only_get_a_code_and_keep_it(connection: sa.Connection) -> None:
    rows = [
        {"key": f"c{i}", "name": f"格{i}", "parent_name": "一村", "geometry": cell(i, 0)}
        for i in range(3)
    ]
    take(connection, rows)
    held = states(connection)
    parent = next(row for row in held.values() if row.name == "一村")
    assert {held[f"c{i}"].parent_grid_id for i in range(3)} == {parent.grid_id}
    assert not parent.code.startswith("name:")
    assert take(connection, rows).same == 3


def test_a_new_grid_finds_its_parent_by_its_place(connection: sa.Connection) -> None:
    take(connection, nine(), effective="2024-07-01")
    west, south, east, north = cell(1, 1).bounds
    middle = (west + east) / 2
    halves = [
        {"key": "990101101001001", "geometry": shapely.box(west, south, middle, north)},
        {"key": "990101101001009", "name": "新格",
         "geometry": shapely.box(middle, south, east, north)},
    ]  # fmt: skip
    applied = take(connection, halves)
    assert (applied.new, applied.changed) == (1, 1)
    held = states(connection)
    assert held["990101101001009"].parent_grid_id == held["990101101001"].grid_id


def test_a_dedicated_grid_is_cut_out_of_the_ground(connection: sa.Connection) -> None:
    west, south, *_ = cell(1, 1).bounds
    ground = shapely.box(west + 2e-3, south + 2e-3, west + 3e-3, south + 3e-3)
    school = {
        "key": "990101101001010",
        "name": "学校",
        "level": "基础网格",
        "kind": "dedicated",
        "parent": "990101101001",
        "geometry": ground,
    }
    take(connection, [*nine(), school], effective="2024-07-01")
    held = states(connection)
    kinds = dict(connection.execute(sa.select(t.grid.c.grid_id, t.grid.c.kind)).all())
    assert kinds[held["990101101001010"].grid_id] == "dedicated"
    assert held["990101101001001"].area_m2 < held["990101101001000"].area_m2


def test_with_replace_what_the_file_does_not_name_ends(connection: sa.Connection) -> None:
    take(connection, nine(), effective="2024-07-01")
    two_rows = [row for row in nine() if not row["key"].startswith("990101101002")]
    assert take(connection, two_rows).removed == 0
    applied = take(connection, two_rows, replace=True)
    assert applied.removed == 4
    assert len(states(connection)) == 9


def test_what_is_wrong_with_codes_levels_and_days_is_said(connection: sa.Connection) -> None:
    doubled = nine()
    doubled[5]["key"] = doubled[4]["key"]
    nameless = nine()
    nameless[4]["key"] = None
    odd = nine()
    odd[4]["level"] = "圈"
    for rows, key in (
        (doubled, "grids_file.code_twice"),
        (nameless, "grids_file.no_code"),
        (odd, "grids_file.level_unknown"),
    ):
        with pytest.raises(InputError) as caught:
            take(connection, rows)
        assert caught.value.key == key
    for extra, key in (
        ({"tolerance_m": "six"}, "grids_file.bad_tolerance"),
        ({"effective": "morgen"}, "grids_file.bad_day"),
        ({"levels": "一,二"}, "grids_file.levels_differ"),
    ):
        with pytest.raises(InputError) as caught:
            take(connection, nine(), replace=False, **extra)
        assert caught.value.key == key


def test_a_second_version_of_one_day_is_a_conflict(connection: sa.Connection) -> None:
    take(connection, nine(), effective="2024-07-01")
    renamed = nine()
    renamed[4]["name"] = "新名"
    tomorrow = today(connection) + timedelta(days=1)
    take(connection, renamed, effective=tomorrow.isoformat())
    renamed[4]["name"] = "另一名"
    with pytest.raises(ConflictError):
        take(connection, renamed)


# --- bad files, as they come ---------------------------------------------------------------------

TABLES = (t.grid_scheme, t.grid, t.grid_state, t.grid_version, t.linework_arc, t.import_record)


def counts(store: Store) -> list[int]:
    with store.transaction(SYSTEM) as connection:
        return [
            connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in TABLES
        ]


def swapped(shape: shapely.Geometry) -> shapely.Geometry:
    return shapely.transform(shape, lambda xy: xy[:, ::-1])


def bow(i: int, j: int) -> shapely.Polygon:
    west, south, east, north = cell(i, j).bounds
    return shapely.Polygon([(west, south), (east, north), (east, south), (west, north)])


@pytest.mark.parametrize(
    ("shapes", "crs", "key"),
    [
        ({}, None, "ingest.no_rows"),
        ({"g11": shifted(1, 1, 1.0)}, "cgcs2000", "grids_file.gap"),
        ({"g11": shifted(1, 1, -1.0)}, "cgcs2000", "grids_file.overlap"),
        ({"g11": bow(1, 1)}, "cgcs2000", "grids_file.invalid"),
        ({"all": swapped}, "cgcs2000", "ingest.swapped"),
        ({"g11": cell(1, 1)}, "EPSG:4526", "ingest.degrees_not_metres"),
        ({"g11": shapely.Polygon()}, "cgcs2000", "grids_file.rows_unread"),
    ],
)
def test_a_bad_file_says_what_is_wrong_and_leaves_the_store_as_it_was(
    store: Store, tmp_path: Path, shapes: dict[str, Any], crs: str | None, key: str
) -> None:
    rows = [row for row in nine() if row["level"] == "基础网格"] if shapes else []
    for row in rows:
        cell_key = f"g{row['key'][-1]}{row['key'][-4]}"
        shape = shapes.get(cell_key, row["geometry"])
        row["geometry"] = shapes["all"](shape) if "all" in shapes else shape
    features = [
        {
            "type": "Feature",
            "properties": {
                "网格编码": row["key"],
                "网格名称": row["name"],
                "上级编码": row["parent"],
            },
            "geometry": shapely.geometry.mapping(row["geometry"]),
        }
        for row in rows
    ]
    file = tmp_path / "grids.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}), "utf-8")
    before = counts(store)
    options = ImportOptions(crs=parse_crs(crs or "cgcs2000"))
    with pytest.raises(InputError) as caught:
        import_file(store, SYSTEM, "grids", file, options)
    assert caught.value.key == key
    assert counts(store) == before


def test_grids_of_several_parts_in_another_system_are_held_back_too(
    connection: sa.Connection,
) -> None:
    take(connection, nine())
    moved = nine()
    for row in moved:
        if row["geometry"] is not None:
            row["geometry"] = shapely.MultiPolygon(
                [
                    shapely.transform(part, lambda xy: np.column_stack(from_cgcs2000(GCJ02, *xy.T)))
                    for part in shapely.get_parts(row["geometry"])
                ]
            )
    with pytest.raises(HeldBackError) as caught:
        take(connection, moved)
    assert caught.value.key == "grids_file.off_the_borders"
    assert caught.value.values["fits"] == "gcj02"
