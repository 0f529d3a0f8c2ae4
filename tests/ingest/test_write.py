"""What goes into the store, what is turned away at its door, and what a second region does."""

import json
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import shapely
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gis_service.access import SYSTEM
from gis_service.errors import InputError
from gis_service.ingest.readers.frames import COLUMNS, CountyFrames, Refusal
from gis_service.ingest.writing import write
from gis_service.ingest.writing.queries import ImportSource
from gis_service.ingest.writing.write import ImportResult, write_frames
from gis_service.records import RECORDS
from gis_service.store import tables as t
from gis_service.store.engine import Store
from tests.support import publish_nine, thrown_away

DAY = date(2024, 7, 1)
SOURCE = ImportSource("county.osm.pbf", "ab" * 32, "EPSG:4326", "osm", DAY)
MOMENT = datetime(2025, 3, 1, 8, tzinfo=UTC)
SQUARE = shapely.box(112.901, 28.701, 112.902, 28.702)


@pytest.fixture(scope="module")
def grid_ids(store: Store) -> dict[str, int]:
    with store.transaction(SYSTEM) as connection:
        return dict(publish_nine(connection).grid_ids)


@pytest.fixture
def connection(store: Store, grid_ids: dict[str, int]) -> Iterator[sa.Connection]:
    """A transaction that leaves nothing behind."""
    with thrown_away(store) as connection:
        yield connection


def rows(name: str, *values: dict[str, Any]) -> pd.DataFrame:
    frame = pd.DataFrame(list(values), columns=list(COLUMNS[name]), dtype=object)
    return frame.astype(object).where(frame.notna(), None)


def unit(code: str, level: str, parent: str | None = None, **other: Any) -> dict[str, Any]:
    same = {"code": code, "name": f"名{code}", "level": level, "parent_code": parent}
    return same | {"source_list": "名单", "valid_from": DAY, "geometry": SQUARE} | other


def edge(edge_id: int, source: int, target: int, line: Any, **other: Any) -> dict[str, Any]:
    flags = dict.fromkeys(("bridge", "tunnel", "dual_carriageway", "roundabout"), False)
    same: dict[str, Any] = {
        "edge_id": edge_id,
        "source_node": source,
        "target_node": target,
        "oneway": 0,
    }
    same |= {"road_class": "residential", "name": "长岭路", "foot": True, "motor": True}
    return same | flags | {"geometry": shapely.LineString(line)} | other


def household(key: str, building: str | None = "b1", **other: Any) -> dict[str, Any]:
    same = {"key": key, "building_key": building, "people": 3, "care_tags": ["独居"]}
    return same | {"head_name": "某甲", "phone": "13800000000", "lon": 112.9, "lat": 28.7} | other


def hazard(key: str, **other: Any) -> dict[str, Any]:
    same = {"key": key, "kind": "electric", "grade": "major", "status": "found"}
    return same | {"found_on": DAY, "due_on": DAY, "lon": 112.9, "lat": 28.7} | other


def incident(key: str, **other: Any) -> dict[str, Any]:
    same = {"key": key, "kind": "fire", "status": "reported", "reported_at": MOMENT}
    return same | {"lon": 112.9, "lat": 28.7} | other


def building(key: str, **other: Any) -> dict[str, Any]:
    same = {"key": key, "kind": "residential", "storeys": 3, "footprint": SQUARE}
    return same | {"lon": 112.9015, "lat": 28.7015} | other


def officer(key: str, **other: Any) -> dict[str, Any]:
    return {"key": key, "name": "员", "full_time": True, "valid_from": DAY} | other


def duty(officer_key: str, grid_key: str, **other: Any) -> dict[str, Any]:
    same = {"officer_key": officer_key, "grid_key": grid_key, "role": "officer", "post": "A"}
    return same | {"valid_from": DAY} | other


A, B = (112.9, 28.7), (112.91, 28.7)
NODES = rows(
    "road_nodes", *({"node_id": n, "lon": x, "lat": y} for n, (x, y) in enumerate((A, B), start=1))
)


def a_county() -> CountyFrames:
    """Of each table a little."""
    points = {"lon": 112.9015, "lat": 28.7015}
    return CountyFrames(
        admin_units=rows(
            "admin_units", unit("430101", "county"), unit("430101001", "town", "430101")
        ),
        road_nodes=NODES,
        road_edges=rows("road_edges", edge(1, 1, 2, [A, B], maxspeed_kmh=40)),
        road_turns=rows(
            "road_turns",
            {"relation_id": 7, "kind": "no_u_turn", "from_edge": 1, "via_node": 2, "to_edge": 1},
        ),
        buildings=rows("buildings", building("b1"), building("b2", footprint=None)),
        households=rows("households", household("h1"), household("h2", None, care_tags=[])),
        premises=rows(
            "premises",
            {"key": "p1", "name": "店", "kind": "shop", "grade": "A", "building_key": "b1"}
            | points,
        ),
        facilities=rows(
            "facilities", {"key": "f1", "kind": "clinic", "name": "站"} | points
        ),
        hazards=rows(
            "hazards",
            hazard("z1", premises_key="p1"),
            hazard("z2", status="closed", closed_on=date(2024, 8, 1)),
        ),
        incidents=rows(
            "incidents", incident("i1"), incident("i2", status="closed", closed_at=MOMENT)
        ),
        officers=rows("officers", officer("o1", **points), officer("o2")),
        duties=rows("duties", duty("o1", "g00"), duty("o2", "g00", post="B")),
        leaves=rows(
            "leaves", {"officer_key": "o1", "valid_from": DAY, "valid_to": date(2024, 7, 9)}
        ),
        land_cover=rows("land_cover", {"key": "l1", "kind": "water", "geometry": SQUARE}),
    )  # fmt: skip


def put(connection: sa.Connection, frames: CountyFrames, ids: dict[str, int]) -> ImportResult:
    return write_frames(connection, SYSTEM, frames, grid_ids=ids, source=SOURCE)


def count(connection: sa.Connection, table: sa.Table) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def only(connection: sa.Connection, table: sa.Table, *columns: str) -> list[tuple[Any, ...]]:
    chosen = [table.c[column] for column in columns]
    found = connection.execute(sa.select(*chosen).order_by(chosen[0]))
    return [tuple(row) for row in found]


# --- a whole county ----------------------------------------------------------------------------


def test_every_table_takes_its_rows(connection: sa.Connection, grid_ids: dict[str, int]) -> None:
    result = put(connection, a_county(), grid_ids)
    assert result.refusals == []
    assert result.taken == {
        "road_node": 2, "road_edge": 1, "road_turn": 1, "admin_unit": 2, "building": 2,
        "household": 2,
        "premises": 1, "facility": 1, "hazard": 2, "incident": 2, "officer": 2, "grid_duty": 2,
        "leave": 1, "land_cover": 1,
    }  # fmt: skip
    for name, number in result.taken.items():
        assert count(connection, t.metadata.tables[name]) == number


def test_rows_point_to_what_they_belong_to(
    connection: sa.Connection, grid_ids: dict[str, int]
) -> None:
    put(connection, a_county(), grid_ids)
    homes = sa.select(t.household.c.key, t.building.c.key, t.household.c.care_tags).outerjoin(
        t.building
    )
    found = {tuple(map(str, row)) for row in connection.execute(homes)}
    assert found == {("h1", "b1", "['独居']"), ("h2", "None", "[]")}
    duties = sa.select(t.officer.c.key, t.grid_duty.c.grid_id, t.grid_duty.c.post).join(t.officer)
    assert {tuple(row) for row in connection.execute(duties)} == {
        ("o1", grid_ids["g00"], "A"),
        ("o2", grid_ids["g00"], "B"),
    }
    parent = t.admin_unit.alias()
    units = sa.select(t.admin_unit.c.code, parent.c.code).join(
        parent, t.admin_unit.c.parent_id == parent.c.admin_unit_id
    )
    assert [tuple(row) for row in connection.execute(units)] == [("430101001", "430101")]
    here = grid_ids["g00"]
    assert only(connection, t.household, "base_grid_id") == [(here,), (here,)]


def test_an_import_leaves_its_record_and_an_event(
    connection: sa.Connection, grid_ids: dict[str, int]
) -> None:
    frames = a_county()
    frames.households = rows("households", household("h1", people=500))
    result = put(connection, frames, grid_ids)
    entry = connection.execute(sa.select(t.import_record)).one()
    assert (entry.import_id, entry.sha256, entry.crs) == (result.import_id, "ab" * 32, "EPSG:4326")
    assert entry.taken["building"] == 2
    assert entry.refused == 1
    assert entry.refusals[0]["feature"] == "h1"
    event = connection.execute(
        sa.select(t.event).where(t.event.c.object_id == str(result.import_id))
    ).one()
    assert (event.action, event.object_kind, event.actor_id) == ("import", "region", 1)
    said = json.dumps([entry.refusals, event.after, event.before], ensure_ascii=False)
    assert "某甲" not in said
    assert "13800000000" not in said


def test_what_fails_leaves_the_store_as_it_was(store: Store, grid_ids: dict[str, int]) -> None:
    def fail_half_way() -> None:
        with store.transaction(SYSTEM) as connection:
            frames = a_county()
            frames.facilities = pd.DataFrame({"key": ["f"]})
            put(connection, frames, grid_ids)

    with pytest.raises(InputError) as caught:
        fail_half_way()
    assert caught.value.key == "ingest.columns_missing"
    assert "lon" in caught.value.say("zh-CN")
    with store.transaction(SYSTEM) as connection:
        assert count(connection, t.building) == 0
        assert count(connection, t.import_record) == 0


def test_a_source_knows_its_file(tmp_path: Path) -> None:
    path = tmp_path / "a.osm"
    path.write_bytes(b"abc")
    source = ImportSource.of_file(path, "osm")
    assert source.name == "a.osm"
    assert source.sha256.startswith("ba7816bf")


# --- roads -------------------------------------------------------------------------------------


def test_lengths_are_those_of_the_ellipsoid(
    connection: sa.Connection, grid_ids: dict[str, int]
) -> None:
    put(connection, a_county(), grid_ids)
    # WGS 84 and CGCS2000 differ in the 11th digit; PostGIS measures the first
    geography = sa.func.ST_GeogFromWKB(sa.func.ST_AsBinary(t.road_edge.c.geom))
    ours, theirs = connection.execute(
        sa.select(t.road_edge.c.length_m, sa.func.ST_Length(geography))
    ).one()
    assert ours == pytest.approx(theirs, rel=1e-9)
    assert 900 < ours < 1000


def test_a_new_network_becomes_the_active_one(connection: sa.Connection) -> None:
    edges = rows("road_edges", edge(1, 1, 2, [A, B]))
    first = write.write_roads(connection, NODES, edges, "一", "osm", DAY, clipped=True)
    second = write.write_roads(connection, NODES, edges, "二", "osm")
    assert only(connection, t.road_network, "network_id", "active", "clipped", "data_day") == [
        (first.network_id, False, True, DAY),
        (second.network_id, True, False, None),
    ]
    none = write.write_roads(connection, NODES, rows("road_edges"), "无", "osm")
    assert none.network_id is None
    assert [active for _, active in only(connection, t.road_network, "network_id", "active")] == [
        False,
        False,
    ]


def test_edges_that_do_not_fit_their_nodes_are_refused(connection: sa.Connection) -> None:
    edges = rows(
        "road_edges",
        edge(1, 1, 2, [A, B]),
        edge(2, 2, 1, [A, B]),
        edge(3, 1, 9, [A, B]),
        edge(4, 1, 2, [A, B], road_class="runway"),
        edge(5, 1, 2, [A, B], oneway=2),
        edge(6, 1, 2, [A, B], maxspeed_kmh=0),
        edge(1, 1, 2, [A, B]),
        edge(8, 1, 1, [A, A]),
        edge(9, 1, 2, [A, B], foot="maybe"),
        edge(10, 1, 1, [A, B, A]),
    )
    result = write.write_roads(connection, NODES, edges, "路", "osm")
    assert only(connection, t.road_edge, "edge_id") == [(1,), (10,)]
    assert {(refusal.row, refusal.field) for refusal in result.refusals} == {
        (2, "source_node"),
        (3, "target_node"),
        (4, "road_class"),
        (5, "oneway"),
        (6, "maxspeed_kmh"),
        (7, "edge_id"),
        (8, "geometry"),
        (9, "foot"),
    }


# --- what is turned away -----------------------------------------------------------------------


def refusal_of(
    connection: sa.Connection, table: str, frame: pd.DataFrame
) -> tuple[int, list[Refusal]]:
    frames = CountyFrames(buildings=rows("buildings", building("b1")))
    if table == "buildings":
        frame = pd.concat([frames.buildings, frame], ignore_index=True)
    setattr(frames, table, frame)
    result = write_frames(connection, SYSTEM, frames, grid_ids={}, source=SOURCE)
    return result.taken[dict(zip(TABLES, NAMES, strict=True))[table]], result.refusals


TABLES = ("buildings", "households", "hazards", "incidents", "admin_units", "officers")
NAMES = ("building", "household", "hazard", "incident", "admin_unit", "officer")
BOW_TIE = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])


@pytest.mark.parametrize(
    ("table", "bad", "field", "key"),
    [
        ("buildings", building("x", lon=None), "lon", "ingest.row_bad_degrees"),
        ("buildings", building("x", lon=float("inf")), "lon", "ingest.row_bad_degrees"),
        ("buildings", building("x", lon="far"), "lon", "ingest.row_bad_degrees"),
        ("buildings", building("x", lat=91), "lat", "ingest.row_bad_degrees"),
        ("buildings", building(" "), "key", "ingest.row_empty"),
        ("buildings", building("x", kind=None), "kind", "ingest.row_empty"),
        ("buildings", building("b1"), "key", "ingest.row_repeated"),
        ("buildings", building("x", storeys=0), "storeys", "ingest.row_bad_number"),
        ("buildings", building("x", storeys=2.5), "storeys", "ingest.row_bad_number"),
        ("buildings", building("x", storeys="two"), "storeys", "ingest.row_bad_number"),
        ("buildings", building("x", name="a\x00b"), "name", "ingest.row_bad_text"),
        ("buildings", building("x", footprint=BOW_TIE), "footprint", "ingest.row_invalid_shape"),
        (
            "buildings",
            building("x", footprint=shapely.Point(1, 1)),
            "footprint",
            "ingest.row_wrong_shape",
        ),
        (
            "buildings",
            building("x", footprint=shapely.box(500, 0, 501, 1)),
            "footprint",
            "ingest.row_outside_globe",
        ),
        (
            "buildings",
            building("x", footprint=shapely.Polygon()),
            "footprint",
            "ingest.row_outside_globe",
        ),
        ("households", household("x", people=100), "people", "ingest.row_bad_number"),
        ("households", household("x", people=None), "people", "ingest.row_empty"),
        ("households", household("x", "b404"), "building_key", "ingest.row_unknown_key"),
        ("households", household("x", care_tags="独居"), "care_tags", "ingest.row_bad_list"),
        ("households", household("x", care_tags=[""]), "care_tags", "ingest.row_bad_list"),
        ("households", household("x", group_number=-1), "group_number", "ingest.row_bad_number"),
        ("hazards", hazard("x", grade="huge"), "grade", "ingest.row_unknown_word"),
        ("hazards", hazard("x", due_on=date(2024, 6, 1)), "due_on", "ingest.row_out_of_order"),
        ("hazards", hazard("x", found_on="soon"), "found_on", "ingest.row_bad_day"),
        ("hazards", hazard("x", closed_on=DAY), "closed_on", "ingest.row_does_not_fit"),
        ("hazards", hazard("x", status="closed"), "closed_on", "ingest.row_does_not_fit"),
        ("hazards", hazard("x", premises_key="p404"), "premises_key", "ingest.row_unknown_key"),
        (
            "incidents",
            incident("x", reported_at=MOMENT.replace(tzinfo=None)),
            "reported_at",
            "ingest.row_bad_moment",
        ),
        (
            "incidents",
            incident("x", status="closed", closed_at=MOMENT - timedelta(days=1)),
            "closed_at",
            "ingest.row_out_of_order",
        ),
        ("incidents", incident("x", status="lost"), "status", "ingest.row_unknown_word"),
        ("admin_units", unit("1", "hamlet"), "level", "ingest.row_unknown_word"),
        ("admin_units", unit("1", "town", "404"), "parent_code", "ingest.row_unknown_key"),
        (
            "admin_units",
            unit("1", "town", urban_rural_class="999"),
            "urban_rural_class",
            "ingest.row_unknown_word",
        ),
        ("officers", officer("x", valid_to=DAY), "valid_to", "ingest.row_out_of_order"),
        ("officers", officer("x", lon=112.0), "lon", "ingest.row_half_a_point"),
        ("officers", officer("x", full_time=None), "full_time", "ingest.row_bad_flag"),
    ],
)
def test_a_wrong_row_is_refused_with_its_reason_and_the_others_go_in(
    connection: sa.Connection, table: str, bad: dict[str, Any], field: str, key: str
) -> None:
    good = {
        "buildings": building("b9"),
        "households": household("h9"),
        "hazards": hazard("z9"),
        "incidents": incident("i9"),
        "admin_units": unit("9", "county"),
        "officers": officer("o9"),
    }[table]
    taken, refusals = refusal_of(connection, table, rows(table, bad, good))
    assert taken == (2 if table == "buildings" else 1)
    (refusal,) = refusals
    assert (refusal.field, refusal.key) == (field, key)
    assert refusal.row == (2 if table == "buildings" else 1)
    assert refusal.feature == bad["code" if table == "admin_units" else "key"]
    assert refusal.reason == refusal.say("zh-CN")
    assert refusal.say("en") != refusal.reason


def test_two_officers_never_hold_one_post_on_one_day(
    connection: sa.Connection, grid_ids: dict[str, int]
) -> None:
    frames = CountyFrames(
        officers=rows("officers", officer("o1"), officer("o2"), officer("o3")),
        duties=rows(
            "duties",
            duty("o1", "g00", valid_to=date(2025, 1, 1)),
            duty("o2", "g00", valid_from=date(2024, 12, 31)),  # a day too early
            duty("o3", "g00", valid_from=date(2025, 1, 1)),
            duty("o3", "g00", post="B", valid_from=date(2025, 6, 1)),  # holds post A already
            duty("o2", "g00", post="B", valid_from=date(2025, 6, 1)),
            duty("o9", "g00", role="head"),
            duty("o1", "nowhere"),
        ),
        leaves=rows(
            "leaves",
            {"officer_key": "o1", "valid_from": DAY, "valid_to": date(2024, 7, 5)},
            {"officer_key": "o1", "valid_from": date(2024, 7, 4), "valid_to": date(2024, 7, 9)},
            {"officer_key": "o1", "valid_from": date(2024, 7, 5), "valid_to": date(2024, 7, 9)},
        ),
    )
    result = put(connection, frames, grid_ids)
    assert [(one.row, dict(one.values)["table"], one.field) for one in result.refusals] == [
        (6, "duties", "officer_key"),
        (7, "duties", "grid_key"),
        (2, "duties", "valid_from"),
        (4, "duties", "valid_from"),
        (2, "leaves", "valid_from"),
    ]
    assert result.taken["grid_duty"] == 3
    assert result.taken["leave"] == 2


def test_duties_without_published_grids_are_all_refused(connection: sa.Connection) -> None:
    frames = CountyFrames(
        officers=rows("officers", officer("o1")), duties=rows("duties", duty("o1", "g00"))
    )
    result = write_frames(connection, SYSTEM, frames, grid_ids=None, source=SOURCE)
    assert [one.field for one in result.refusals] == ["grid_key"]


def test_an_admin_unit_that_is_there_is_brought_up_to_date(connection: sa.Connection) -> None:
    first = write.write_admin_units(connection, rows("admin_units", unit("1", "county")))
    second = write.write_admin_units(
        connection,
        rows(
            "admin_units",
            unit("1", "county", name="新县", geometry=None),
            unit("1", "county", valid_from=date(2024, 9, 1)),
        ),
    )
    assert first.ids == second.ids
    assert only(connection, t.admin_unit, "name", "geom") == [("新县", None)]
    assert [one.key for one in second.refusals] == ["ingest.row_overlaps"]


# --- the door and the database agree -----------------------------------------------------------

DAYS = st.one_of(st.none(), st.dates(date(2024, 1, 1), date(2024, 1, 4)))
HAZARD = st.fixed_dictionaries(
    {
        "key": st.sampled_from(["a", "b", "c", "d", ""]),
        "kind": st.sampled_from(["x", "", None]),
        "grade": st.sampled_from(["ordinary", "major", "grave"]),
        "status": st.sampled_from([*t.HAZARD_STATES, "lost"]),
        "note": st.one_of(st.none(), st.text(max_size=5)),
        "premises_key": st.sampled_from([None, "p404"]),
        "found_on": DAYS,
        "due_on": DAYS,
        "rectified_on": DAYS,
        "closed_on": DAYS,
        "lon": st.one_of(st.none(), st.floats(-200, 200), st.just(float("nan"))),
        "lat": st.floats(-100, 100),
    }
)


@given(st.lists(HAZARD, max_size=8))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_passes_the_door_passes_the_database(
    connection: sa.Connection, values: list[dict[str, Any]]
) -> None:
    with connection.begin_nested() as savepoint:
        written = write.write_records(
            connection, RECORDS["hazard"], rows("hazards", *values), {"premises": {}}
        )
        assert written.rows + len(written.refusals) == len(values)
        assert count(connection, t.hazard) == written.rows
        savepoint.rollback()


def test_every_frame_is_written(connection: sa.Connection, grid_ids: dict[str, int]) -> None:
    frames = a_county()
    assert all(len(getattr(frames, one.name)) for one in fields(frames)), "the county lacks a table"
    result = put(connection, frames, grid_ids)
    assert sum(result.taken.values()) == sum(
        len(getattr(frames, one.name)) for one in fields(frames)
    )


def test_a_float_column_with_gaps_stays_whole(connection: sa.Connection) -> None:
    frame = rows("households", household("h1"), household("h2"))
    frame["group_number"] = pd.Series([4, np.nan])
    frame["people"] = pd.Series([1.0, 2.0])
    written = write.write_records(
        connection, RECORDS["household"], frame.assign(building_key=None), {"building": {}}
    )
    assert written.refusals == []
    assert only(connection, t.household, "key", "group_number", "people") == [
        ("h1", 4, 1),
        ("h2", None, 2),
    ]
