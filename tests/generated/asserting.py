"""What must hold of every town that was taken the whole way, asked of PostGIS where it can be."""

from typing import Any

import pytest
import shapely
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.store.engine import Store
from tests.generated.towns import Town
from tests.generated.whole_way import WholeWay


def assert_all_holds(store: Store, town: Town, done: WholeWay) -> None:
    """Grids as they must be taken or refused; tiles, adds up, nothing lost, exact, notes told."""
    assert ("grids" in done.outcomes) == town.is_good, done.refused.get("grids")
    for kind, error in done.refused.items():
        for language in ("en", "zh-CN"):
            assert error.say(language)
            assert "{" not in error.say(language).replace("{name}", "")
        assert (
            kind == "grids"
            or not town.features[kind]
            or "grids" in done.refused
            or (error.exit_code != 1)
        )
    if not town.is_good:
        return
    with store.transaction(SYSTEM) as connection:
        _assert_tiles(connection, town)
        _assert_homes_are_where_postgis_says(connection)
    _assert_nothing_is_lost(town, done)
    _assert_told(town, done)
    _assert_adds_up(done)
    assert done.result is not None
    assert done.result["map"] is not None, done.result.get("map_error")
    for name, document in done.documents.items():
        if not name.endswith("gpkg"):  # a table holds names as they are; nothing runs in it
            assert b"<script>alert(1)" not in document, name


def _assert_tiles(connection: sa.Connection, town: Town) -> None:
    lowest = (
        "SELECT geom, area_m2 FROM grid_state"
        " WHERE rank = (SELECT max(rank) FROM grid_state) AND upper_inf(valid)"
    )
    count, valid, whole, union, areas, measured = connection.execute(
        sa.text(
            f"WITH base AS ({lowest}) SELECT count(*), bool_and(ST_IsValid(geom)),"
            " sum(ST_Area(geom)), ST_AsBinary(ST_Union(geom)), sum(area_m2),"
            " sum(ST_Area(geom::geography)) FROM base"
        )
    ).one()
    assert (count, valid) == (town.grids, True)
    land = shapely.from_wkb(bytes(union))
    assert whole == pytest.approx(land.area, rel=1e-9)  # nothing twice
    assert shapely.area(shapely.symmetric_difference(land, town.land)) <= 1e-7 * land.area
    assert areas == pytest.approx(measured, rel=1e-6)
    for rank in range(1, 9):
        total = connection.scalar(
            sa.text("SELECT sum(ST_Area(geom)) FROM grid_state WHERE rank = :rank"), {"rank": rank}
        )
        assert total is None or total == pytest.approx(whole, rel=1e-9)


def _assert_homes_are_where_postgis_says(connection: sa.Connection) -> None:
    rows = connection.execute(
        sa.text(
            "SELECT h.base_grid_id, array_remove(array_agg(g.grid_id), NULL) AS around,"
            " array_remove(array_agg(g.grid_id) FILTER (WHERE ST_Contains(g.geom, h.point)), NULL)"
            " AS inside FROM household h LEFT JOIN grid_state g ON ST_Intersects(g.geom, h.point)"
            " AND g.rank = (SELECT max(rank) FROM grid_state) GROUP BY h.household_id"
        )
    ).all()
    for own, around, inside in rows:
        assert own in (inside or around or [None]), (own, around, inside)


def _assert_nothing_is_lost(town: Town, done: WholeWay) -> None:
    for kind, outcome in done.outcomes.items():
        assert outcome.rows == town.features[kind], kind
        if kind != "roads":
            taken = outcome.new + outcome.changed + outcome.same
            assert taken + len(outcome.refusals) == outcome.rows, kind


def _assert_told(town: Town, done: WholeWay) -> None:
    told = done.outcomes["grids"].details["boundaries"]["repairs"]
    assert {kind for kind, n in told.items() if n} >= town.repairs
    notes = {note.key for note in done.outcomes["grids"].notes}
    parent = town.choices["parent"]
    assert ("ingest.nested_read" in notes) == (parent == 1)
    assert ("ingest.nested_ignored" in notes) == (parent == 4)
    outside = [one for note in done.outcomes["grids"].notes for one in note.say("en")]
    assert outside or not notes


def _assert_adds_up(done: WholeWay) -> None:
    assert done.result is not None
    households = done.outcomes.get("households")
    n = households.new if households else 0
    assert done.result["households"] == n
    for figures in done.result["coverage"].values():
        assert figures["n"] == n
        assert _parts(figures) == n
        for kind in figures["kinds"].values():
            assert _parts(kind) == kind["n"]
        assert (figures["status"] == "no_households") == (n == 0)


def _parts(figures: dict[str, Any]) -> int:
    names = ("covered", "too_far", "unreachable", "off_network")
    return sum(int(figures[name]) for name in names)
