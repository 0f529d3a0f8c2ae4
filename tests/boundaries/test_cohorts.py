"""Objects that move together are written as one, and read as if each had its own row."""

import random
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.boundaries.history import changes as history
from gis_service.boundaries.publication.queries import find_newest_version
from gis_service.grids import assignment
from gis_service.grids.versions import read_versions, today
from gis_service.store import Store
from gis_service.store import tables as t
from tests.boundaries.test_publishing import merge, publish, split
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

HOMES = 60


def anywhere(chance: random.Random) -> tuple[float, float]:
    """Off the outline, so that nothing is outside; often on a border between grids."""
    along = [chance.choice([0.5, 1.0, 1.4, 2.0, chance.uniform(0.1, 2.9)]) for _ in range(2)]
    return WEST + along[0] * SIDE, SOUTH + along[1] * SIDE


@pytest.fixture
def empty(store: Store) -> Iterator[sa.Connection]:
    """A transaction that is thrown away, with the drawn county."""
    with thrown_away(store) as connection:
        publish_nine(connection)
        yield connection


@pytest.fixture
def connection(empty: sa.Connection) -> sa.Connection:
    """With homes all over it."""
    chance = random.Random(5)
    add_buildings(empty, [anywhere(chance) for _ in range(HOMES)])
    housed: list[str | None] = [f"b{number // 2}" for number in range(HOMES)]
    keys = housed + [None] * (HOMES // 2)
    add_households(empty, [anywhere(chance) for _ in keys], keys)
    assignment.assign_new(empty)
    return empty


def ids(connection: sa.Connection, day: date) -> dict[str, int]:
    """Base grids on a day under the names that the edits use, as far as they are still there."""
    state, grid = t.grid_state.c, t.grid.c
    rows = connection.execute(
        sa.select(state.grid_id)
        .join(t.grid, grid.grid_id == state.grid_id)
        .where(grid.rank == 3, state.valid.op("@>", is_comparison=True)(sa.literal(day, sa.Date)))
        .order_by(state.grid_id)
    ).scalars()
    return {str(one): one for one in rows}


def points(connection: sa.Connection) -> dict[tuple[str, int], tuple[float, float]]:
    """The place by which each object is placed: a home in a building has the building's."""
    found: dict[tuple[str, int], tuple[float, float]] = {}
    for kind in ("building", "household"):
        table = t.metadata.tables[kind]
        place = table.c.point
        query = sa.select(table.c[f"{kind}_id"], sa.func.ST_X(place), sa.func.ST_Y(place))
        for number, x, y in connection.execute(query):
            found[kind, number] = (x, y)
    homes = sa.select(t.household.c.household_id, t.household.c.building_id).where(
        t.household.c.building_id.is_not(None)
    )
    for number, building in connection.execute(homes):
        found["household", number] = found["building", building]
    return found


def by_place(
    connection: sa.Connection, day: date, places: dict[tuple[str, int], tuple[float, float]]
) -> dict[tuple[str, int], int]:
    """The rule by PostGIS, place by place: the lowest id of the grids that hold it."""
    found = {}
    query = sa.text(
        "SELECT min(grid_id) FROM grid_state JOIN grid USING (grid_id)"
        " WHERE grid.rank = 3 AND grid_state.valid @> CAST(:day AS date)"
        " AND ST_Intersects(geom, ST_SetSRID(ST_MakePoint(:x, :y), 4490))"
    )
    known: dict[tuple[float, float], int] = {}
    for key, (x, y) in places.items():
        if (x, y) not in known:
            values = {"day": day, "x": x, "y": y}
            known[x, y] = connection.execute(query, values).scalar_one()
        found[key] = known[x, y]
    return found


def said(connection: sa.Connection, day: date) -> dict[tuple[str, int], int]:
    """What the history says of a day; each object once."""
    a = t.assignment.c
    rows = connection.execute(
        sa.select(a.object_kind, a.object_id, a.grid_id).where(
            a.valid.op("@>", is_comparison=True)(sa.literal(day, sa.Date))
        )
    ).all()
    found = {(kind, number): grid_id for kind, number, grid_id in rows}
    assert len(found) == len(rows)
    return found


def merge_two(connection: sa.Connection, chance: random.Random, day: date) -> None:
    here = ids(connection, day)
    gone, into = chance.sample(sorted(here), 2)
    publish(connection, [merge(here, gone, into)], day)


def cut_one(connection: sa.Connection, chance: random.Random, day: date) -> None:
    """One of the first nine, if it is there still."""
    edit = split(
        _first_names(connection, FIRST_DAY), f"g{chance.choice(range(3))}{chance.choice(range(3))}"
    )
    edit["key"] = f"new-{day.toordinal()}"
    if edit["grid"] in ids(connection, day):
        publish(connection, [edit], day)


def take_back(connection: sa.Connection, _chance: random.Random, day: date) -> None:
    if len(read_versions(connection, "base")) > 1:
        newest = find_newest_version(connection, "base")
        history.withdraw_version(connection, SYSTEM, newest.version_id, day, "弄错")


def move_one(connection: sa.Connection, chance: random.Random, _day: date) -> None:
    number = _some_building(connection, chance, 1)[0]
    _put(connection, number, anywhere(chance))
    assignment.place_again(connection, "building", [number])


def move_many(connection: sa.Connection, chance: random.Random, _day: date) -> None:
    chosen = _some_building(connection, chance, 5)
    for number in chosen:
        _put(connection, number, anywhere(chance))
    assignment.place_again(connection, "building", chosen)


def take_out(connection: sa.Connection, _chance: random.Random, _day: date) -> None:
    home = t.household.c
    gone = connection.scalar(
        sa.select(home.household_id).where(home.building_id.is_(None)).limit(1)
    )
    assert gone is not None
    assignment.end_history(connection, "household", [gone])
    connection.execute(sa.delete(t.household).where(home.household_id == gone))


STEPS = (merge_two, merge_two, cut_one, take_back, move_one, move_many, take_out)


@pytest.mark.parametrize("seed", range(4))
def test_after_any_publications_and_moves_the_history_is_the_rule_on_every_day(
    connection: sa.Connection, seed: int
) -> None:
    chance = random.Random(seed)
    day = now = today(connection)
    before = points(connection)
    was = said(connection, now - timedelta(days=1))
    for _ in range(7):
        chance.choice(STEPS)(connection, chance, day)
        day = max(day, find_newest_version(connection, "base").effective_day) + timedelta(days=1)
        assert said(connection, now - timedelta(days=1)) == was
    after = points(connection)
    assert was == by_place(connection, FIRST_DAY, before)
    for version in read_versions(connection, "base")[1:]:
        on = version.effective_day
        assert said(connection, on) == by_place(connection, on, after), (seed, on)
    for kind in ("building", "household"):
        table = t.metadata.tables[kind]
        copies = sa.select(table.c[f"{kind}_id"], table.c.base_grid_id)
        current = said(connection, now)
        for number, grid_id in connection.execute(copies):
            assert current[kind, number] == grid_id


def _first_names(connection: sa.Connection, day: date) -> dict[str, int]:
    state, grid = t.grid_state.c, t.grid.c
    rows = connection.execute(
        sa.select(
            state.grid_id,
            sa.func.ST_X(sa.func.ST_Centroid(state.geom)),
            sa.func.ST_Y(sa.func.ST_Centroid(state.geom)),
        )
        .join(t.grid, grid.grid_id == state.grid_id)
        .where(grid.rank == 3, state.valid.op("@>", is_comparison=True)(sa.literal(day, sa.Date)))
    )
    return {
        f"g{int((x - WEST) / SIDE)}{int((y - SOUTH) / SIDE)}": grid_id for grid_id, x, y in rows
    }


def _some_building(connection: sa.Connection, chance: random.Random, count: int) -> list[int]:
    known = connection.execute(
        sa.select(t.building.c.building_id).order_by(t.building.c.building_id)
    ).scalars()
    return chance.sample(list(known), count)


def _put(connection: sa.Connection, number: int, place: tuple[float, float]) -> None:
    point = sa.func.ST_SetSRID(sa.func.ST_MakePoint(*place), t.SRID)
    mine = t.building.c.building_id == number
    connection.execute(sa.update(t.building).where(mine).values(point=point))


def test_what_moves_as_a_whole_is_one_row(empty: sa.Connection) -> None:
    inside = [(WEST + 1.5 * SIDE, SOUTH + (1 + 0.01 * number) * SIDE) for number in range(1, 90)]
    add_buildings(empty, inside)
    add_households(empty, inside, [f"b{number}" for number in range(len(inside))])
    assignment.assign_new(empty)
    named = _first_names(empty, FIRST_DAY)

    def counted(table: sa.Table) -> int:
        return empty.scalar(sa.select(sa.func.count()).select_from(table)) or 0

    rows, read, cohorts = (counted(one) for one in (t.membership, t.assignment, t.cohort_grid))
    published = publish(empty, [merge(named, "g11", "g12")], today(empty))
    assert sum(published.moved.values()) == rows
    assert counted(t.membership) == rows
    assert counted(t.cohort_grid) == cohorts + 1
    assert counted(t.assignment) == 2 * read
