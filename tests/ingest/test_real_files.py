"""Every real file through the import, and what each of them says."""

from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.coordinate_systems import parse_crs
from gis_service.errors import HeldBackError, InputError
from gis_service.ingest.importing import import_file
from gis_service.ingest.kinds.kind import ImportOptions, ImportOutcome
from gis_service.store import Store
from gis_service.store import tables as t

pytestmark = pytest.mark.real_data

CITY = "boundaries/yueyang_districts_gcj02.geojson"
SHAPEFILES = "boundaries/shapefile_gcj02_no_prj"


def take(
    store: Store, kind: str, file: Path, crs: str | None = "gcj02", *, dry: bool = False,
    **extra: str,
) -> ImportOutcome:  # fmt: skip
    system = None if crs is None else parse_crs(crs)
    return import_file(
        store, SYSTEM, kind, file, ImportOptions(crs=system, dry_run=dry, extra=extra)
    )


def keys(outcome: ImportOutcome) -> Counter[str]:
    return Counter(note.key for note in outcome.notes)


@pytest.mark.parametrize(
    "name",
    [CITY, "boundaries/xiangyin_430624_gcj02.geojson", f"{SHAPEFILES}/宜昌市.shp",
     f"{SHAPEFILES}/岳阳市.shp", f"{SHAPEFILES}/淄博市.shp"],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["grids", "admin_units"])
def test_boundaries_that_name_no_system_are_refused_without_one(
    store: Store, real_data: Path, name: str, kind: str
) -> None:
    with pytest.raises(InputError) as caught:
        take(store, kind, real_data / name, None)
    assert caught.value.key.startswith("ingest.crs_missing")
    assert "--crs" in caught.value.say("zh-CN")


@pytest.mark.parametrize(("name", "counties"), [("岳阳市", 9), ("淄博市", 8)])
def test_counties_as_shapefiles_tile_their_city(
    store: Store, real_data: Path, name: str, counties: int
) -> None:
    outcome = take(store, "grids", real_data / SHAPEFILES / f"{name}.shp", dry=True)
    assert (outcome.new, len(outcome.refusals)) == (counties, 0)
    errors = outcome.details["boundaries"]["errors"]
    assert (errors["gap"], errors["overlap"]) == (0, 0)
    assert outcome.encoding is not None
    assert outcome.encoding.lower().replace("-", "") == "utf8"


def test_enclaves_of_another_city_are_gaps_with_their_place(store: Store, real_data: Path) -> None:
    file = real_data / SHAPEFILES / "宜昌市.shp"
    with pytest.raises(InputError) as caught:
        take(store, "grids", file)
    assert caught.value.key == "grids_file.gap"
    assert "420526" in caught.value.say("en")
    allowed = take(store, "grids", file, dry=True, allow_holes="yes")
    assert allowed.new == 13
    assert allowed.details["boundaries"]["warnings"]["left_out"] == 2


def test_nine_counties_are_published_as_grids_and_twice_is_once(
    store: Store, real_data: Path
) -> None:
    outcome = take(store, "grids", real_data / CITY)
    assert (outcome.rows, outcome.new) == (9, 9)
    assert not any(outcome.details["boundaries"]["errors"].values())
    assert not any(outcome.details["boundaries"]["repairs"].values())
    assert keys(outcome) == {"grids_file.warned_several_parts": 1}
    again = take(store, "grids", real_data / CITY)
    assert (again.new, again.changed, again.same, again.import_id) == (0, 0, 9, None)
    with store.transaction(SYSTEM) as connection:
        state = t.grid_state.c
        names = dict(connection.execute(sa.select(state.code, state.name)).all())
    assert names["430624"] == "湘阴县"
    assert len(names) == 9


def test_the_same_counties_read_in_the_wrong_system_are_held_back(
    store: Store, real_data: Path
) -> None:
    for wrong in ("cgcs2000", "bd09"):
        with pytest.raises(HeldBackError) as caught:
            take(store, "grids", real_data / CITY, wrong)
        assert caught.value.key == "grids_file.off_the_borders"
        assert "--crs gcj02" in caught.value.say("zh-CN")


def test_the_counties_of_another_city_are_held_back(store: Store, real_data: Path) -> None:
    with pytest.raises(HeldBackError) as caught:
        take(store, "grids", real_data / SHAPEFILES / "淄博市.shp")
    assert caught.value.key.startswith("ingest.outside_county")


def test_one_county_alone_is_taken_too(store: Store, real_data: Path) -> None:
    file = real_data / "boundaries/xiangyin_430624_gcj02.geojson"
    outcome = take(store, "admin_units", file, source_list="gcj02 map")
    assert (outcome.new, outcome.refusals) == (1, [])


def test_counties_as_administrative_units(store: Store, real_data: Path) -> None:
    outcome = take(store, "admin_units", real_data / CITY, source_list="city map")
    assert (outcome.new, outcome.changed, outcome.same) == (9, 0, 0)
    assert take(store, "admin_units", real_data / CITY, source_list="city map").same == 9


def test_the_statistical_offices_list_of_2023(store: Store, real_data: Path) -> None:
    codes = real_data / "codes"
    areas = take(store, "admin_units", codes / "modood_2023_areas.csv", None, source_list="nbs")
    assert (areas.rows, areas.new, areas.refusals) == (2978, 2978, [])
    file = codes / "modood_2023_streets.csv"
    county = take(store, "admin_units", file, None, source_list="nbs", within="430624")
    assert (county.rows, county.new) == (41352, 15)
    assert keys(county)["units_file.outside"] == 1
    whole = take(store, "admin_units", file, None, source_list="nbs")
    # 金门县 stands in the list of towns too: 350527000 is the county
    assert (whole.new, whole.same, whole.refusals) == (41352 - 15 - 1, 15 + 1, [])
    unit, above = t.admin_unit.alias(), t.admin_unit.alias()
    with store.transaction(SYSTEM) as connection:
        parents = connection.execute(
            sa.select(sa.func.count())
            .select_from(unit.join(above, above.c.admin_unit_id == unit.c.parent_id))
            .where(unit.c.source_list == "nbs", above.c.code == "430624")
        ).scalar_one()
    assert parents == 15


def test_a_second_list_disagrees_about_eight_towns_of_xiangyin(
    store: Store, real_data: Path
) -> None:
    codes = real_data / "codes"
    take(store, "admin_units", codes / "modood_2023_streets.csv", None, source_list="nbs",
         within="430624")  # fmt: skip
    outcome = take(
        store, "admin_units", codes / "xiangyuecn_2025_level4_three_counties.csv", None,
        source_list="xiangyuecn", within="430624",
    )  # fmt: skip
    assert (outcome.new, outcome.refusals) == (15, [])
    conflicts = outcome.details["conflicts"]
    other_code = {one["name"] for one in conflicts if one["kind"] == "other_code"}
    assert other_code == {
        "三塘镇", "岭北镇", "新泉镇", "湘滨镇", "南湖洲镇", "鹤龙湖镇", "静河镇", "杨林寨乡",
    }  # fmt: skip
    two = {one["code"]: (one["name"], one["other_name"]) for one in conflicts
           if one["kind"] == "other_name"}  # fmt: skip
    assert two["430624117"] == ("三塘镇", "新泉镇")
    said = [note.say("zh-CN") for note in outcome.notes]
    assert any("430624117" in line and "三塘镇" in line and "新泉镇" in line for line in said)


def test_both_lists_side_by_side(store: Store, real_data: Path) -> None:
    file = real_data / "codes/township_code_crosswalk_three_counties.csv"
    outcome = take(store, "admin_units", file, None, dry=True, within="430624")
    by_kind = Counter(
        one["kind"] for one in outcome.details["conflicts"] if one["other_list"] == "nbs"
        and one["source_list"] == "xiangyuecn"
    )  # fmt: skip
    assert by_kind["other_code"] == 8
    assert outcome.refusals == []
