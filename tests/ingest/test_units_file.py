"""Administrative units from lists that disagree: taken with their list, never joined by code."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import shapely
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.errors import InputError
from gis_service.ingest.kinds.kind import HandlerResult, ImportOptions
from gis_service.ingest.kinds.units_file import find_level, is_same_name, take_units
from gis_service.store import Store
from gis_service.store import tables as t
from tests.ingest.matched import matched
from tests.support import cell

Rows = list[dict[str, Any]]
STATISTICS: Rows = [
    {"key": "430624", "name": "湘阴县"},
    {"key": "430624110", "name": "三塘镇"},
    {"key": "430624117", "name": "新泉镇"},
    {"key": "430624101", "name": "东塘镇"},
]
OTHERS: Rows = [
    {"key": "430624117", "name": "三塘镇"},
    {"key": "430624107", "name": "新泉镇"},
    {"key": "430624101000", "name": "东塘"},
]


@pytest.fixture
def connection(store: Store) -> Any:
    """A transaction that is taken back after the test."""
    with store.transaction(SYSTEM) as connection:
        savepoint = connection.begin_nested()
        yield connection
        savepoint.rollback()


def take(
    connection: sa.Connection,
    rows: Sequence[Mapping[str, Any]],
    name: str = "statistics.csv",
    *,
    replace: bool = False,
    **extra: str,
) -> HandlerResult:
    options = ImportOptions(extra=extra, replace=replace)
    return take_units(connection, SYSTEM, matched(rows, name), options, lambda *_: None)


def units(connection: sa.Connection) -> dict[tuple[str, str], Any]:
    unit = t.admin_unit
    rows = connection.execute(sa.select(unit).where(sa.func.upper_inf(unit.c.valid)))
    return {(row.source_list, row.code): row for row in rows}


@pytest.mark.parametrize(
    ("code", "meant"),
    [
        ("43", ("province", "43")),
        ("430000", ("province", "43")),
        ("430600", ("prefecture", "4306")),
        ("430624", ("county", "430624")),
        ("430624000", ("county", "430624")),
        ("430624101", ("town", "430624101")),
        ("430624101000", ("town", "430624101")),
        ("430624101203", ("village", "430624101203")),
        ("43062", None),
        ("43062x", None),
        ("", None),
    ],
)
def test_a_code_tells_its_level(code: str, meant: tuple[str, str] | None) -> None:
    assert find_level(code) == meant


def test_a_name_may_leave_out_what_it_is_but_not_be_something_else() -> None:
    assert is_same_name("东塘", "东塘镇")
    assert is_same_name("文星街道办事处", "文星街道")
    assert not is_same_name("东塘乡", "东塘镇")
    assert not is_same_name("东塘", "西塘")


def test_a_list_is_taken_with_its_parents_and_its_name(connection: sa.Connection) -> None:
    applied = take(connection, STATISTICS, source_list="统计局", valid_from="2023-01-01")
    assert (applied.new, applied.changed, applied.same) == (4, 0, 0)
    held = units(connection)
    town, county = held["统计局", "430624110"], held["统计局", "430624"]
    assert (town.level, town.parent_id, town.valid.lower.isoformat()) == (
        "town", county.admin_unit_id, "2023-01-01",
    )  # fmt: skip


def test_the_same_list_twice_changes_nothing_and_a_new_name_is_one_change(
    connection: sa.Connection,
) -> None:
    take(connection, STATISTICS)
    again = take(connection, STATISTICS)
    assert (again.new, again.changed, again.same) == (0, 0, 4)
    renamed = [*STATISTICS[:3], {"key": "430624101", "name": "东塘街道"}]
    assert take(connection, renamed).changed == 1
    assert units(connection)["statistics", "430624101"].name == "东塘街道"


def test_lists_that_disagree_are_both_kept_and_each_conflict_is_told(
    connection: sa.Connection,
) -> None:
    take(connection, STATISTICS)
    applied = take(connection, OTHERS, "others.csv")
    assert applied.new == 3
    told = {(one["kind"], one["row"], one["name"]) for one in applied.details["conflicts"]}
    assert told == {
        ("other_name", 1, "三塘镇"),
        ("other_code", 1, "三塘镇"),
        ("other_code", 2, "新泉镇"),
    }
    keys = [note.key for note in applied.notes]
    assert keys.count("units_file.other_code") == 2
    assert keys.count("units_file.other_name") == 1
    assert "430624117" in next(n for n in applied.notes if n.key.endswith("other_name")).say("en")
    held = units(connection)
    assert held["statistics", "430624117"].name == "新泉镇"
    assert held["others", "430624117"].name == "三塘镇"
    county = held["statistics", "430624"].admin_unit_id
    assert held["others", "430624117"].parent_id == county


def test_two_lists_side_by_side_are_two_lists(connection: sa.Connection) -> None:
    rows = [
        {"name": "三塘镇", "nbs_code12": "430624110000", "other_code12": "430624117000"},
        {"name": "新泉镇", "nbs_code12": "430624117000", "other_code12": "430624107000"},
    ]
    applied = take(connection, rows, "crosswalk.csv")
    assert set(units(connection)) == {
        ("nbs", "430624110"), ("nbs", "430624117"), ("other", "430624117"), ("other", "430624107"),
    }  # fmt: skip
    assert [one["kind"] for one in applied.details["conflicts"]] == [
        "other_code", "other_name", "other_code",
    ]  # fmt: skip


def test_one_code_for_two_units_of_a_list_is_refused(connection: sa.Connection) -> None:
    odd: Rows = [
        {"key": "430624110", "name": "四塘镇"},
        {"key": "4306", "name": "岳阳市"},
        {"key": "43062411", "name": "短"},
        {"key": "430624120", "name": None},
    ]
    rows = [*STATISTICS, *odd]
    applied = take(connection, rows)
    assert [(one.row, one.key) for one in applied.refusals] == [
        (5, "units_file.code_of_two"), (7, "units_file.bad_code"), (8, "ingest.row_empty"),
    ]  # fmt: skip
    assert applied.new == 4
    assert [note.key for note in applied.notes] == ["units_file.above_county"]


def test_only_what_lies_within_is_taken_and_replace_ends_only_that(
    connection: sa.Connection,
) -> None:
    both = [*STATISTICS, {"key": "430626", "name": "平江县"}]
    assert take(connection, both, within="430624").new == 4
    take(connection, both)
    applied = take(connection, STATISTICS[:2], replace=True, within="430624")
    assert applied.removed == 2
    assert {code for _, code in units(connection)} == {"430624", "430624110", "430626"}


def test_a_city_without_counties_stands_among_the_counties(connection: sa.Connection) -> None:
    rows: Rows = [
        {"key": "441900", "name": "东莞市"},
        {"key": "430600", "name": "岳阳市"},
        {"key": "430624", "name": "湘阴县"},
        {"key": "441900003", "name": "东城街道"},
    ]
    assert take(connection, rows).new == 3
    held = units(connection)
    assert held["statistics", "441900"].level == "county"
    city = held["statistics", "441900"].admin_unit_id
    assert held["statistics", "441900003"].parent_id == city
    assert ("statistics", "4306") not in held


def test_polygons_are_kept_and_bad_ones_refused(connection: sa.Connection) -> None:
    west, south, east, north = cell(0, 0).bounds
    bow = shapely.Polygon([(west, south), (east, north), (east, south), (west, north)])
    rows = [
        {"key": "430624", "name": "湘阴县", "geometry": cell(0, 0)},
        {"key": "430626", "name": "平江县", "geometry": bow},
        {"key": "430621", "name": "岳阳县", "geometry": shapely.Point(west, south)},
    ]
    applied = take(connection, rows)
    assert (applied.new, len(applied.refusals)) == (1, 2)
    assert units(connection)["statistics", "430624"].geom is not None
    assert take(connection, rows).same == 1
    rows[0]["geometry"] = cell(0, 1)
    assert take(connection, rows).changed == 1


def test_a_file_without_names_or_codes_says_what_it_lacks(connection: sa.Connection) -> None:
    for rows, key in (
        ([{"key": "430624"}], "units_file.no_names"),
        ([{"name": "湘阴县"}], "units_file.no_codes"),
    ):
        with pytest.raises(InputError) as caught:
            take(connection, rows)
        assert caught.value.key == key
