"""The history that an assignment writes: from when, by which rule, and for what comes later."""

from collections.abc import Iterator
from datetime import UTC, date, datetime

import numpy as np
import pytest
import shapely
import sqlalchemy as sa

from gis_service.boundaries.publication.publishing import Published
from gis_service.grids import assignment
from gis_service.store import tables as t
from gis_service.store.bulk import copy_rows
from gis_service.store.engine import Store
from tests.support import (
    FIRST_DAY,
    SIDE,
    SOUTH,
    WEST,
    add_buildings,
    add_households,
    publish_nine,
    thrown_away,
)


@pytest.fixture
def connection(store: Store) -> Iterator[sa.Connection]:
    """A transaction that is thrown away."""
    with thrown_away(store) as connection:
        yield connection


@pytest.fixture
def county(connection: sa.Connection) -> Published:
    return publish_nine(connection)


def middle(column: int, row: int) -> tuple[float, float]:
    return WEST + (column + 0.5) * SIDE, SOUTH + (row + 0.5) * SIDE


def history(connection: sa.Connection, kind: str) -> list[tuple[object, ...]]:
    a = t.assignment.c
    rows = connection.execute(
        sa.select(a.object_id, a.grid_id, a.method, sa.func.lower(a.valid))
        .where(a.object_kind == kind)
        .order_by(a.object_id, sa.func.lower(a.valid))
    )
    return [tuple(row) for row in rows]


def test_a_household_follows_its_building_and_a_differing_point_is_a_fault(
    connection: sa.Connection, county: Published
) -> None:
    add_buildings(connection, [middle(0, 0)])
    add_households(connection, [middle(0, 0), middle(2, 2), middle(2, 2)], ["b0", "b0", None])
    report = assignment.assign_new(connection)
    rows = history(connection, "household")
    g00, g22 = county.grid_ids["g00"], county.grid_ids["g22"]
    assert [row[1:3] for row in rows] == [
        (g00, "by_building"),
        (g00, "by_building"),
        (g22, "within"),
    ]
    assert report.faults == [rows[1][0]]


def test_a_household_that_comes_later_follows_a_building_that_was_there(
    connection: sa.Connection, county: Published
) -> None:
    add_buildings(connection, [middle(0, 0), middle(1, 1)])
    assignment.assign_new(connection)
    copy_rows(
        connection,
        t.building,
        {"key": ["later"], "point": np.array([shapely.Point(middle(2, 0))], dtype=object)},
    )
    add_households(connection, [middle(1, 1), middle(2, 0)], ["b1", "later"])
    assignment.assign_new(connection)
    found = [row[1] for row in history(connection, "household")]
    assert found == [county.grid_ids["g11"], county.grid_ids["g20"]]


def test_a_second_assignment_changes_nothing(connection: sa.Connection, county: Published) -> None:
    add_buildings(connection, [middle(0, 0)])
    assignment.assign_new(connection)
    before = history(connection, "building")
    assert assignment.assign_new(connection).counts == {}
    assert history(connection, "building") == before


def test_an_incident_begins_on_its_own_day_in_shanghai(
    connection: sa.Connection, county: Published
) -> None:
    late = datetime(2025, 3, 1, 18, 30, tzinfo=UTC)  # the 2nd of March in Shanghai
    early = datetime(2020, 1, 1, tzinfo=UTC)  # before there were grids
    connection.execute(
        sa.insert(t.incident),
        [
            {
                "key": key,
                "kind": "fire",
                "reported_at": at,
                "point": f"SRID=4490;POINT({middle(0, 0)[0]} {middle(0, 0)[1]})",
            }
            for key, at in (("late", late), ("early", early))
        ],
    )
    assignment.assign_new(connection)
    days = [row[3] for row in history(connection, "incident")]
    assert days == [date(2025, 3, 2), FIRST_DAY]


def test_what_lies_outside_names_the_nearest_grid_and_the_distance(
    connection: sa.Connection, county: Published
) -> None:
    add_buildings(connection, [(WEST - 0.001, SOUTH + 0.5 * SIDE)])
    report = assignment.assign_new(connection)
    (outside,) = report.outside
    assert outside.nearest_grid_id == county.grid_ids["g00"]
    assert outside.distance_m == pytest.approx(97.7, abs=0.5)
    assert connection.execute(sa.select(t.building.c.base_grid_id)).scalar_one() is None
