"""Files into the store: what a key does, what moves, what is refused, and what stays as it was."""

import csv
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gis_service.access import SYSTEM, Actor
from gis_service.coordinate_systems import CoordinateSystem, from_cgcs2000
from gis_service.errors import GisError, HeldBackError, InputError, NotAllowedError, NotFoundError
from gis_service.ingest.importing import import_file, list_kinds
from gis_service.ingest.kinds.kind import ImportOptions, ImportOutcome
from gis_service.store import Store
from gis_service.store import tables as t
from tests.support import SIDE, SOUTH, WEST, publish_nine

WGS84 = CoordinateSystem("wgs84")
BUILDINGS = 40


def middle(column: int, row: int, step: int = 0) -> tuple[float, float]:
    """A place inside a cell of the drawn county."""
    return WEST + (column + 0.5) * SIDE + step * 2e-4, SOUTH + (row + 0.5) * SIDE


def write_csv(path: Path, rows: list[dict[str, Any]], encoding: str = "utf-8") -> Path:
    """A table with the columns of its first row."""
    with path.open("w", encoding=encoding, newline="") as file:
        out = csv.DictWriter(file, list(rows[0]))
        out.writeheader()
        out.writerows(rows)
    return path


def buildings() -> list[dict[str, Any]]:
    """Forty buildings in two cells."""
    places = [middle(index % 2, 0, index // 2 - 10) for index in range(BUILDINGS)]
    return [
        {"楼栋编号": f"B{index}", "名称": f"{index}号楼", "层数": 2, "经度": x, "纬度": y}
        for index, (x, y) in enumerate(places)
    ]


def households() -> list[dict[str, Any]]:
    """A household in each building, without a place of its own."""
    return [
        {
            "户编号": f"H{index}",
            "楼栋编号": f"B{index}",
            "户主姓名": f"户主{index}",
            "人数": 3,
            "重点人群": "独居、残疾" if index == 0 else "",
        }
        for index in range(BUILDINGS)
    ]


def take(store: Store, kind: str, path: Path, **options: Any) -> ImportOutcome:
    """Import in the system's name."""
    return import_file(store, SYSTEM, kind, path, ImportOptions(**options))


def counts(outcome: ImportOutcome) -> tuple[int, int, int, int, int]:
    """New, changed, same, removed, refused."""
    return (
        outcome.new,
        outcome.changed,
        outcome.same,
        outcome.removed,
        len(outcome.refusals),
    )


def fingerprint(store: Store, *tables: sa.Table) -> list[Any]:
    """Every row with the transaction that wrote it last, and how many events there are."""
    with store.transaction(SYSTEM) as connection:
        written = [
            sa.select(sa.literal_column("xmin::text"), *table.primary_key.columns)
            for table in (*tables, t.membership)
        ]
        counted = [
            sa.select(sa.func.count()).select_from(table) for table in (t.event, t.import_record)
        ]
        rows = [sorted(map(str, connection.execute(query))) for query in written]
        return [*rows, *(connection.scalar(query) for query in counted)]


@pytest.fixture(scope="module", autouse=True)
def county(store: Store) -> None:
    with store.transaction(SYSTEM) as connection:
        publish_nine(connection)


@pytest.fixture(scope="module")
def building_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("files") / "房屋.csv", buildings(), "gb18030")


@pytest.fixture(scope="module")
def household_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("files") / "住户.csv", households(), "gb18030")


def test_a_dry_run_says_what_would_happen_and_writes_nothing(
    store: Store, building_file: Path
) -> None:
    before = fingerprint(store, t.building)
    outcome = take(store, "buildings", building_file, crs=WGS84, dry_run=True)
    assert counts(outcome) == (BUILDINGS, 0, 0, 0, 0)
    assert outcome.encoding == "GB18030"
    assert outcome.import_id is None
    assert {"file": "楼栋编号", "field": "key"} in outcome.as_dict()["columns"]
    assert fingerprint(store, t.building) == before


def test_new_rows_are_placed_with_their_history(store: Store, building_file: Path) -> None:
    outcome = take(store, "buildings", building_file, crs=WGS84)
    assert counts(outcome) == (BUILDINGS, 0, 0, 0, 0)
    assert outcome.key == "楼栋编号"
    with store.transaction(SYSTEM) as connection:
        placed = connection.execute(
            sa.select(t.grid_state.c.name, sa.func.count())
            .join(t.building, t.building.c.base_grid_id == t.grid_state.c.grid_id)
            .join(
                t.assignment,
                (t.assignment.c.object_id == t.building.c.building_id)
                & (t.assignment.c.object_kind == "building")
                & (t.assignment.c.grid_id == t.building.c.base_grid_id),
            )
            .group_by(t.grid_state.c.name)
            .order_by(t.grid_state.c.name)
        ).all()
        record = connection.execute(sa.select(t.import_record)).one()
    assert placed == [("格g00", BUILDINGS // 2), ("格g10", BUILDINGS // 2)]
    assert (record.kind, record.source_name, record.crs) == ("buildings", "房屋.csv", "wgs84")
    assert record.details["counts"]["new"] == BUILDINGS
    assert record.details["key"] == "楼栋编号"


def test_the_same_file_twice_touches_no_row(store: Store, building_file: Path) -> None:
    before = fingerprint(store, t.building)
    outcome = take(store, "buildings", building_file, crs=WGS84)
    assert counts(outcome) == (0, 0, BUILDINGS, 0, 0)
    assert outcome.import_id is None
    assert fingerprint(store, t.building) == before


def test_households_without_a_place_stand_in_their_building(
    store: Store, household_file: Path
) -> None:
    outcome = take(store, "households", household_file)
    assert counts(outcome) == (BUILDINGS, 0, 0, 0, 0)
    with store.transaction(SYSTEM) as connection:
        rows = connection.execute(
            sa.select(t.household, t.building.c.base_grid_id.label("of_building")).join(t.building)
        ).all()
        methods = connection.execute(
            sa.select(t.assignment.c.method).where(t.assignment.c.object_kind == "household")
        ).scalars()
        assert set(methods) == {"by_building"}
    assert all(row.base_grid_id == row.of_building for row in rows)
    assert next(row.care_tags for row in rows if row.key == "H0") == ["lives_alone", "disabled"]
    before = fingerprint(store, t.household)
    assert counts(take(store, "households", household_file)) == (0, 0, BUILDINGS, 0, 0)
    assert fingerprint(store, t.household) == before


def test_a_building_that_moves_takes_its_household_along(store: Store, tmp_path: Path) -> None:
    x, y = middle(2, 2)
    moved = {"楼栋编号": "B1", "名称": "1号楼", "层数": 2, "经度": x, "纬度": y}
    outcome = take(store, "buildings", write_csv(tmp_path / "b.csv", [moved]), crs=WGS84)
    assert counts(outcome) == (0, 1, 0, 0, 0)
    with store.transaction(SYSTEM) as connection:
        today = connection.execute(sa.select(sa.func.gis_today())).scalar_one()
        for kind, table in (("building", t.building), ("household", t.household)):
            identity = table.c[f"{kind}_id"]
            rows = connection.execute(
                sa.select(t.assignment.c.grid_id, t.assignment.c.valid, table.c.base_grid_id)
                .join(table, identity == t.assignment.c.object_id)
                .where(t.assignment.c.object_kind == kind, table.c.key.in_(["B1", "H1"]))
                .order_by(sa.func.lower(t.assignment.c.valid))
            ).all()
            assert len(rows) == 2, kind
            assert rows[0].valid.upper == today == rows[1].valid.lower
            assert rows[1].valid.upper is None
            assert rows[1].grid_id == rows[1].base_grid_id != rows[0].grid_id
    assert {note.key for note in outcome.notes} >= {
        "ingest.rehomed_building",
        "ingest.rehomed_household",
    }


def test_a_household_that_changes_its_building_is_rehomed(store: Store, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "h.csv", [{"户编号": "H2", "楼栋编号": "B3"}])
    outcome = take(store, "households", file)
    assert counts(outcome) == (0, 1, 0, 0, 0)
    with store.transaction(SYSTEM) as connection:
        row = connection.execute(
            sa.select(
                t.household.c.head_name,
                t.household.c.people,
                t.household.c.base_grid_id,
                t.building.c.base_grid_id.label("of_building"),
                (sa.func.ST_Distance(t.household.c.point, t.building.c.point)).label("apart"),
            )
            .join(t.building)
            .where(t.household.c.key == "H2")
        ).one()
    assert (row.head_name, row.people) == ("户主2", 3)  # columns the file lacks stay
    assert row.base_grid_id == row.of_building
    assert row.apart == 0


def test_an_own_place_in_another_grid_than_the_building_is_told(
    store: Store, tmp_path: Path
) -> None:
    x, y = middle(2, 2)
    file = write_csv(
        tmp_path / "h.csv",
        [{"户编号": "HX", "楼栋编号": "B0", "人数": 1, "lon": x, "lat": y}],
    )
    outcome = take(store, "households", file, crs=WGS84, accept_shift=True)
    assert "ingest.elsewhere_than_building" in {note.key for note in outcome.notes}
    assert outcome.new == 1


def test_rows_that_cannot_be_taken_are_listed_and_written_to_be_sent_back(
    store: Store, tmp_path: Path
) -> None:
    x, y = middle(0, 0)
    rows = [
        {"编号": "R1", "层数": 3, "经度": x, "纬度": y},
        {"编号": "R1", "层数": 3, "经度": x, "纬度": y},
        {"编号": "R2", "层数": 900, "经度": x, "纬度": y},
        {"编号": "R3", "层数": 3, "经度": "NaN", "纬度": y},
        {"编号": "", "层数": 3, "经度": x, "纬度": y},
        {"编号": "R5", "层数": 3, "经度": "", "纬度": ""},
        {"编号": "R6", "层数": 3, "经度": y, "纬度": x},
    ]
    back = tmp_path / "back.csv"
    outcome = import_file(
        store,
        SYSTEM,
        "buildings",
        write_csv(tmp_path / "rows.csv", rows),
        ImportOptions(crs=WGS84),
        refusals_to=back,
    )
    assert counts(outcome) == (1, 0, 0, 0, 6)
    listed = {(one.row, one.field, one.key) for one in outcome.refusals}
    assert listed == {
        (3, "编号", "ingest.row_repeated"),
        (4, "层数", "ingest.row_bad_number"),
        (5, "经度", "ingest.row_bad_coordinate"),
        (6, "编号", "ingest.row_empty"),
        (7, "经度", "ingest.row_no_place"),
        (8, None, "ingest.row_swapped"),
    }
    with back.open(encoding="utf-8-sig", newline="") as file:
        written = list(csv.DictReader(file))
    assert [int(row["行号"]) for row in written] == [3, 4, 5, 6, 7, 8]
    assert written[1]["层数"] == "900"
    assert all(row["原因"] for row in written)


def test_keys_of_households_are_in_no_record(store: Store, tmp_path: Path) -> None:
    rows = [
        {"户编号": "430624199001011234", "楼栋编号": "nowhere", "人数": 2},
        {"户编号": "HN", "楼栋编号": "B5", "人数": 2},
    ]
    outcome = take(store, "households", write_csv(tmp_path / "h.csv", rows))
    assert counts(outcome) == (1, 0, 0, 0, 1)
    assert "430624199001011234" not in str(outcome.as_dict())
    with store.transaction(SYSTEM) as connection:
        said = connection.execute(
            sa.select(t.import_record.c.refusals).order_by(t.import_record.c.import_id.desc())
        ).scalars()
        assert "430624199001011234" not in str(list(said))
        events = connection.execute(sa.select(t.event.c.before, t.event.c.after)).all()
    assert "户主" not in str(events)


def test_replace_takes_away_what_is_missing_and_keeps_what_is_held(
    store: Store, tmp_path: Path
) -> None:
    rows = [row for row in buildings() if row["楼栋编号"] != "B7"]
    outcome = take(store, "buildings", write_csv(tmp_path / "b.csv", rows), crs=WGS84, replace=True)
    assert outcome.removed == 1  # R1; B7 still has its household
    assert [(one.feature, one.key) for one in outcome.refusals] == [
        ("B7", "ingest.still_held_building")
    ]
    with store.transaction(SYSTEM) as connection:
        keys = set(connection.execute(sa.select(t.building.c.key)).scalars())
    assert "B7" in keys
    assert "R1" not in keys


@pytest.mark.parametrize(("code", "swap"), [("gcj02", False), ("bd09", False)])
def test_households_off_their_buildings_are_held_back_with_the_system_that_fits(
    store: Store, tmp_path: Path, code: str, swap: bool
) -> None:
    rows = []
    for index in range(BUILDINGS):
        x, y = middle(index % 2, 0, index // 2 - 10)
        lon, lat = from_cgcs2000(CoordinateSystem(code), x, y)
        rows.append({"户编号": f"S{index}", "人数": 1, "lon": float(lon), "lat": float(lat)})
    file = write_csv(tmp_path / "shifted.csv", rows)
    before = fingerprint(store, t.household)
    with pytest.raises(HeldBackError) as error:
        take(store, "households", file, crs=WGS84)
    assert error.value.key == "ingest.off_buildings"
    assert error.value.values["fits"] == code
    assert error.value.exit_code == 8
    assert fingerprint(store, t.household) == before
    outcome = take(store, "households", file, crs=CoordinateSystem(code), dry_run=True)
    assert outcome.new == BUILDINGS


def test_points_outside_the_county_are_held_back_unless_the_sender_insists(
    store: Store, tmp_path: Path
) -> None:
    rows = [{"编号": f"F{i}", "类型": "消防站", "x": 113.9 + i / 1e3, "y": 28.7} for i in range(5)]
    file = write_csv(tmp_path / "far.csv", rows)
    with pytest.raises(HeldBackError) as error:
        take(store, "facilities", file, crs=WGS84)
    assert error.value.key == "ingest.outside_county_nothing_fits"
    outcome = take(store, "facilities", file, crs=WGS84, accept_shift=True, dry_run=True)
    assert outcome.new == 5


def test_officers_duties_and_leaves_by_name_and_code(store: Store, tmp_path: Path) -> None:
    officers: list[dict[str, Any]] = [
        {"工号": "W1", "姓名": "甲", "电话": 13800000001, "开始日期": "2024-07-01"},
        {"工号": "W2", "姓名": "乙", "电话": "138 0000 0002", "开始日期": "2024年7月1日"},
    ]
    outcome = take(store, "officers", write_csv(tmp_path / "o.csv", officers))
    assert counts(outcome) == (2, 0, 0, 0, 0)
    with store.transaction(SYSTEM) as connection:
        code = connection.execute(
            sa.select(t.grid_state.c.code).where(t.grid_state.c.name == "格g00")
        ).scalar_one()
    duties: list[dict[str, Any]] = [
        {"网格员": "甲", "网格编码": code, "岗": "A岗", "角色": "网格员", "起始日期": "2024-07-01"},
        {
            "网格员": "W2",
            "网格编码": "格g10",
            "岗": "A岗",
            "角色": "网格员",
            "起始日期": "2024/7/1",
        },
        {"网格员": "W2", "网格编码": code, "岗": "A岗", "角色": "网格员", "起始日期": "20250101"},
        {"网格员": "丙", "网格编码": code, "岗": "B岗", "角色": "网格员", "起始日期": "20250101"},
    ]
    file = write_csv(tmp_path / "d.csv", duties)
    outcome = take(store, "duties", file)
    assert counts(outcome) == (2, 0, 0, 0, 2)
    assert {(one.row, one.key) for one in outcome.refusals} == {
        (4, "ingest.row_meets_another"),
        (5, "ingest.row_unknown_key"),
    }
    before = fingerprint(store, t.grid_duty)
    assert counts(take(store, "duties", file)) == (0, 0, 2, 0, 2)
    assert fingerprint(store, t.grid_duty) == before
    handover: list[dict[str, Any]] = [
        duties[0] | {"结束日期": "2025-01-01"},
        duties[2] | {"结束日期": ""},
    ]
    outcome = take(store, "duties", write_csv(tmp_path / "d2.csv", handover))
    assert counts(outcome) == (1, 1, 0, 0, 0)
    leaves = [{"工号": "W1", "开始日期": "2026-12-01", "结束日期": "2026-12-05"}]
    assert take(store, "leaves", write_csv(tmp_path / "l.csv", leaves)).new == 1


def test_hazards_and_incidents_keep_what_a_file_leaves_out(store: Store, tmp_path: Path) -> None:
    x, y = middle(0, 0)
    premises = [{"编号": "P1", "名称": "某店", "类型": "商铺", "等级": "B级", "楼栋编号": "B0"}]
    assert take(store, "premises", write_csv(tmp_path / "p.csv", premises)).new == 1
    hazards = [
        {
            "隐患编号": "Z1", "类型": "燃气", "等级": "重大隐患", "状态": "待整改",
            "场所编号": "P1",
            "发现日期": "2026-01-05", "整改期限": "2026-02-05",
        }
    ]  # fmt: skip
    assert take(store, "hazards", write_csv(tmp_path / "z.csv", hazards)).new == 1
    closed = [{"隐患编号": "Z1", "状态": "已销号", "销号日期": "2026-01-20"}]
    assert counts(take(store, "hazards", write_csv(tmp_path / "z2.csv", closed)))[:2] == (0, 1)
    incidents = [
        {
            "事件编号": "E1", "类型": "火灾", "状态": "已上报", "内容": "x",
            "上报时间": "2026-03-01 08:30", "经度": x, "纬度": y,
        }
    ]  # fmt: skip
    file = write_csv(tmp_path / "e.csv", incidents)
    assert take(store, "incidents", file, crs=WGS84).new == 1
    assert counts(take(store, "incidents", file, crs=WGS84)) == (0, 0, 1, 0, 0)
    with store.transaction(SYSTEM) as connection:
        hazard = connection.execute(sa.select(t.hazard).where(t.hazard.c.key == "Z1")).one()
        at = connection.execute(
            sa.select(t.incident.c.reported_at).where(t.incident.c.key == "E1")
        ).scalar_one()
    assert (hazard.grade, hazard.status, hazard.note) == ("major", "closed", "")
    assert hazard.base_grid_id is not None
    assert at.astimezone().utctimetuple()[:5] == (2026, 3, 1, 0, 30)


def test_who_may_not_import_is_refused_before_the_file_is_read(
    store: Store, tmp_path: Path
) -> None:
    visitor = Actor(1, "访客", "Visitor", "visitor")
    with pytest.raises(NotAllowedError):
        import_file(store, visitor, "buildings", tmp_path / "none.csv")


def test_an_unknown_kind_names_the_known_ones(store: Store, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as error:
        take(store, "houses", tmp_path / "none.csv")
    assert all(kind in str(error.value) for kind in list_kinds())


def test_an_option_that_the_kind_does_not_know_is_an_error(
    store: Store, building_file: Path
) -> None:
    with pytest.raises(InputError, match="colour"):
        take(store, "buildings", building_file, crs=WGS84, extra={"colour": "red"})


def test_what_fails_half_way_leaves_nothing(
    store: Store, building_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fingerprint(store, t.building)

    def broken(*_: Any, **__: Any) -> None:
        raise GisError("ingest.no_rows", file="x")

    monkeypatch.setattr("gis_service.ingest.importing._record_import", broken)
    rows = [row | {"名称": "改名"} for row in buildings()]
    with pytest.raises(GisError):
        take(store, "buildings", write_csv(building_file.parent / "n.csv", rows), crs=WGS84)
    assert fingerprint(store, t.building) == before
