"""A town that a clerk can read: drawn as text, imported, assigned, measured, redrawn.

The answers stand beside the drawing and are asked of all who can give them: whose grid a home lies
in of ours, PostGIS and shapely, how long the engine takes of ours, scipy and pgRouting.
"""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pytest
import scipy.sparse as sp
import shapely
import sqlalchemy as sa
from psycopg2.extensions import cursor as Cursor  # noqa: N812 (it is a class)
from scipy.sparse.csgraph import dijkstra

from gis_service.access import SYSTEM
from gis_service.boundaries.plans.drafts import DraftCache
from gis_service.boundaries.plans.publication import compare_draft
from gis_service.boundaries.plans.queries import StoredEdit
from gis_service.boundaries.publication.publishing import publish
from gis_service.boundaries.publication.queries import find_newest_version
from gis_service.coordinate_systems import parse_crs
from gis_service.coverage.runs.runs import measure
from gis_service.grids.versions import today
from gis_service.ingest.importing import import_file
from gis_service.ingest.kinds.kind import ImportOptions
from gis_service.store import Store
from gis_service.store import tables as t
from tests import drawn_town
from tests.conftest import DatabaseServer

ROADS: Final = """
A--a--B-----b-----C--------c--D
|     |           |
|     *           |
d     |           e
|     |           |
G-----H-----------I    J-j-K
"""
LAND: Final = """
1111111111222222222222222222222
1111111111222222222222222222222
1111111111222222222222222222222
3333333333333334444444444444444
3333333333333334444444444444444
3333333333333334444444444444444
"""
TAGS: Final = {
    "BC": {"道路等级": "primary"},  # an engine drives 50 km/h there, and 20 in the other streets
    "GH": {"单行": "yes"},  # from G to H only
}

# An engine sets out after a minute and must be there within five: four minutes of driving, which
# are 1,333 m at 20 km/h. The station stands between B and H, 200 m from B and 300 m from H.
HOMES: Final = {
    # home: grid, minutes, status
    "a": ("1", 1 + 0.5 / 20 * 60, "covered"),  # 200 m to B, 300 m on
    "b": ("2", 1 + 0.2 / 20 * 60 + 0.6 / 50 * 60, "covered"),  # 200 m to B, 600 m of main road
    "c": ("2", 1 + 0.2 / 20 * 60 + 1.2 / 50 * 60 + 0.9 / 20 * 60, "too_far"),
    "d": ("3", 1 + 1.1 / 20 * 60, "covered"),  # by A: the street from H to G is one-way
    "e": ("4", 1 + 0.2 / 20 * 60 + 1.2 / 50 * 60 + 0.3 / 20 * 60, "covered"),  # by C
    "j": ("4", None, "off_network"),  # its street meets no other: too small a piece to count
}
SPEEDS: Final = {"residential": 20.0, "primary": 50.0}


@pytest.fixture(scope="module")
def town() -> drawn_town.DrawnTown:
    return drawn_town.read(ROADS, LAND)


@pytest.fixture(scope="module")
def county(
    store: Store, town: drawn_town.DrawnTown, tmp_path_factory: pytest.TempPathFactory
) -> Store:
    """The town, imported file by file as a county hands it in, and measured."""
    files = drawn_town.write(town, tmp_path_factory.mktemp("town"), TAGS)
    options = ImportOptions(crs=parse_crs("cgcs2000"))
    for kind in ("grids", "roads", "households", "facilities"):
        outcome = import_file(store, SYSTEM, kind, files[kind], options)
        assert not outcome.refusals, kind
    measure(store, SYSTEM, "fire-5")
    return store


def rows(store: Store, query: sa.Select[Any]) -> dict[Any, tuple[Any, ...]]:
    with store.transaction(SYSTEM) as connection:
        return {row[0]: tuple(row[1:]) for row in connection.execute(query)}


def grids_by_ours(store: Store, _: drawn_town.DrawnTown) -> dict[str, str]:
    state, home = t.grid_state.c, t.household.c
    query = sa.select(home.key, state.code).join(
        t.grid_state,
        (state.grid_id == home.base_grid_id) & state.valid.op("@>")(sa.func.gis_today()),
    )
    return {key: code for key, (code,) in rows(store, query).items()}


def grids_by_postgis(store: Store, _: drawn_town.DrawnTown) -> dict[str, str]:
    state, home = t.grid_state.c, t.household.c
    query = sa.select(home.key, state.code).join(
        t.grid_state,
        sa.func.ST_Contains(state.geom, home.point)
        & state.valid.op("@>")(sa.func.gis_today())
        & (sa.func.length(state.code) == 15),
    )
    return {key: code for key, (code,) in rows(store, query).items()}


def grids_by_shapely(_: Store, town: drawn_town.DrawnTown) -> dict[str, str]:
    return {
        home: drawn_town.code_of(digit)
        for home, place in town.homes.items()
        for digit, land in town.land.items()
        if land.contains(shapely.Point(place))
    }


@pytest.mark.parametrize("ask", [grids_by_ours, grids_by_postgis, grids_by_shapely])
def test_a_home_lies_in_the_grid_under_its_letter(
    county: Store, town: drawn_town.DrawnTown, ask: Any
) -> None:
    expected = {home: drawn_town.code_of(digit) for home, (digit, _, _) in HOMES.items()}
    assert ask(county, town) == expected


def arcs(town: drawn_town.DrawnTown) -> tuple[list[str], list[tuple[int, int, float]]]:
    """Places on the streets and the minutes from each to the next, read off the drawing."""
    places = {**town.junctions, **town.homes, "*": town.stations[0]}
    names = list(places)
    found = []
    for begin, end in town.streets:
        line = shapely.LineString([town.junctions[begin], town.junctions[end]])
        tags = TAGS.get(begin + end, {})
        on_it = [name for name in names if line.distance(shapely.Point(places[name])) < 1e-8]
        on_it.sort(key=lambda name: line.project(shapely.Point(places[name])))
        for one, other in pairwise(on_it):
            steps = np.abs(np.subtract(sign_of(town, one), sign_of(town, other))).sum()
            minutes = steps * drawn_town.STEP_M / 1000 / SPEEDS[tags.get("道路等级", "residential")]
            found.append((names.index(one), names.index(other), float(minutes) * 60))
            if tags.get("单行") != "yes":
                found.append((names.index(other), names.index(one), float(minutes) * 60))
    return names, found


def sign_of(town: drawn_town.DrawnTown, name: str) -> tuple[int, int]:
    """Column and row of a letter in the drawing."""
    del town
    for row, line in enumerate(ROADS.strip("\n").split("\n")):
        if name in line:
            return line.index(name), row
    raise AssertionError(name)


def minutes_by_ours(store: Store, _: drawn_town.DrawnTown) -> dict[str, float | None]:
    run, home = t.coverage_household.c, t.household.c
    query = sa.select(home.key, run.minutes).join(
        t.household, home.household_id == run.household_id
    )
    return {key: minutes for key, (minutes,) in rows(store, query).items()}


def minutes_by_scipy(_: Store, town: drawn_town.DrawnTown) -> dict[str, float | None]:
    names, found = arcs(town)
    begin, end, minutes = zip(*found, strict=True)
    graph: Any = sp.csr_array((minutes, (begin, end)), shape=(len(names), len(names)))
    reached = dijkstra(graph, indices=[names.index("*")])[0]
    return {
        home: 1 + reached[names.index(home)] if np.isfinite(reached[names.index(home)]) else None
        for home in town.homes
    }


def minutes_by_pgrouting(cursor: Cursor, town: drawn_town.DrawnTown) -> dict[str, float | None]:
    names, found = arcs(town)
    values = " UNION ALL ".join(
        f"SELECT {n} AS id, {begin} AS source, {end} AS target, {minutes!r}::float8 AS cost"
        for n, (begin, end, minutes) in enumerate(found)
    )
    cursor.execute(
        "SELECT end_vid, agg_cost FROM pgr_dijkstraCost(%s, %s, %s)",
        (values, names.index("*"), [names.index(home) for home in town.homes]),
    )
    reached = dict(cursor.fetchall())
    return {
        home: 1 + reached[names.index(home)] if names.index(home) in reached else None
        for home in town.homes
    }


@pytest.fixture
def pgrouting(database_server: DatabaseServer, database: str) -> Iterator[Cursor]:
    with closing(database_server.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_available_extensions WHERE name = 'pgrouting'")
        if cursor.fetchone() == (0,):
            pytest.skip("this system has no pgRouting (package postgresql-VERSION-pgrouting)")
        cursor.execute("CREATE EXTENSION pgrouting CASCADE")
        yield cursor


def assert_minutes(told: dict[str, float | None]) -> None:
    for home, (_, minutes, _) in HOMES.items():
        assert told[home] == (None if minutes is None else pytest.approx(minutes, abs=0.01)), home


@pytest.mark.parametrize("ask", [minutes_by_ours, minutes_by_scipy])
def test_the_engine_takes_as_long_as_the_streets_say(
    county: Store, town: drawn_town.DrawnTown, ask: Any
) -> None:
    assert_minutes(ask(county, town))


def test_pgrouting_takes_as_long(pgrouting: Cursor, town: drawn_town.DrawnTown) -> None:
    assert_minutes(minutes_by_pgrouting(pgrouting, town))


def test_figures_add_up_to_the_homes(county: Store) -> None:
    figure = t.coverage_figure.c
    query = sa.select(
        figure.rank,
        figure.n,
        figure.covered,
        figure.too_far,
        figure.unreachable,
        figure.off_network,
    ).where(figure.rank == 1, figure.of == "households", figure.kind == "")
    told = rows(county, query)
    statuses = [status for _, _, status in HOMES.values()]
    order = ("covered", "too_far", "unreachable", "off_network")
    counts = tuple(statuses.count(name) for name in order)
    assert told == {1: (len(HOMES), *counts)}


def test_a_redraw_takes_the_homes_on_its_land_along(
    county: Store, town: drawn_town.DrawnTown
) -> None:
    """Grids 1 and 3 become one: their homes go with them, the others stay."""
    del town
    with county.transaction(SYSTEM) as connection:
        state = t.grid_state.c
        ids = dict(
            connection.execute(
                sa.select(state.code, state.grid_id).where(sa.func.length(state.code) == 15)
            ).all()
        )
        one, three = (str(ids[drawn_town.code_of(digit)]) for digit in ("1", "3"))
        edit = {"kind": "merge", "grids": [one, three], "into": three}
        version = find_newest_version(connection, "base")
        with DraftCache().open(connection, 1, version, [StoredEdit(1, edit)]) as draft:
            day = max(today(connection), version.effective_day + timedelta(days=1))
            publish(connection, SYSTEM, compare_draft(draft), day, "合并", "并组")
        member = t.assignment.c
        found = dict(
            connection.execute(
                sa.select(t.household.c.key, member.grid_id)
                .join(
                    t.assignment,
                    (member.object_kind == "household")
                    & (member.object_id == t.household.c.household_id),
                )
                .where(member.valid.op("@>")(sa.bindparam("day", day, sa.Date)))
            ).all()
        )
    expected = {
        home: ids[drawn_town.code_of("3" if digit == "1" else digit)]
        for home, (digit, _, _) in HOMES.items()
    }
    assert found == expected
