"""The county's households to their grids: in memory, out of the store, and written into it.

Peers: ``geopandas.sjoin``; PostGIS going polygon by polygon (LATERAL); and ``UPDATE … FROM``. The
rule is one for all: the grid that holds the place, on a border the lowest id; what is written
follows the building where a household has one.
"""

import operator
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.geodesy import GeometryArray
from gis_service.grids.assignment import assign_new
from gis_service.grids.locator.locator import NO_GRID, Locator
from gis_service.grids.versions import (
    find_lowest_rank,
    find_version_in_force,
    read_polygons,
    read_versions,
)
from gis_service.store import Store
from gis_service.store import tables as t
from scripts.benches.context import Context
from scripts.benches.framework import Limit, Row, Side, compare, plain
from scripts.benches.processes import in_child

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
SCRATCH: Final = "gis_bench_assign"

_INSIDE: Final = """
    SELECT inside.household_id, min(state.grid_id) AS grid_id
    FROM grid_state AS state
    CROSS JOIN LATERAL (
        SELECT household_id FROM household
        WHERE household.point && state.geom AND ST_Intersects(state.geom, household.point)
    ) AS inside
    WHERE state.scheme_id = :scheme AND state.rank = :rank AND state.valid @> CAST(:day AS date)
    GROUP BY inside.household_id
"""
LATERAL: Final = _INSIDE + "    ORDER BY inside.household_id"
"""Polygon first: the index of the households is asked once for each grid."""

UPDATE: Final = f"""
    UPDATE household SET base_grid_id = coalesce(building.base_grid_id, placed.grid_id)
    FROM ({_INSIDE}) AS placed
    JOIN household AS who USING (household_id)
    LEFT JOIN building USING (building_id)
    WHERE household.household_id = placed.household_id
"""  # noqa: S608 (both parts stand here)
"""
Today's copy alone: no history, and the buildings' grids taken as they stand.

With the place as ``coalesce(building.point, household.point)`` no index fits, and it took minutes.
"""

_PLACED: Final = """
    CREATE TEMPORARY TABLE placed ON COMMIT DROP AS
    WITH days AS (SELECT unnest(CAST(:days AS date[])) AS day)
    SELECT who.household_id, days.day, coalesce(house.grid_id, own.grid_id) AS grid_id,
           own.tie, house.grid_id IS NOT NULL AS housed
    FROM days
    CROSS JOIN household AS who
    LEFT JOIN (
        SELECT days.day, inside.household_id, min(state.grid_id) AS grid_id, count(*) > 1 AS tie
        FROM days
        JOIN grid_state AS state
          ON state.scheme_id = :scheme AND state.rank = :rank AND state.valid @> days.day
        CROSS JOIN LATERAL (
            SELECT household_id FROM household
            WHERE household.point && state.geom AND ST_Intersects(state.geom, household.point)
        ) AS inside
        GROUP BY days.day, inside.household_id
    ) AS own ON own.household_id = who.household_id AND own.day = days.day
    LEFT JOIN assignment AS house
      ON house.scheme_id = :scheme AND house.object_kind = 'building'
     AND house.object_id = who.building_id AND house.valid @> days.day
"""
_COHORTS: Final = """
    WITH named AS (
        SELECT grid_id, nextval(pg_get_serial_sequence('cohort', 'cohort_id')) AS cohort_id
        FROM (SELECT DISTINCT grid_id FROM placed WHERE grid_id IS NOT NULL) AS goal
    ), made AS (
        INSERT INTO cohort (cohort_id, scheme_id)
        SELECT cohort_id, :scheme FROM named RETURNING cohort_id
    )
    INSERT INTO cohort_grid (cohort_id, scheme_id, grid_id, valid)
    SELECT cohort_id, :scheme, grid_id, daterange(NULL, NULL) FROM named JOIN made USING (cohort_id)
"""
_HISTORY: Final = """
    INSERT INTO membership (scheme_id, object_kind, object_id, valid, cohort_id, method)
    SELECT :scheme, 'household', household_id,
           daterange(day, lead(day) OVER (PARTITION BY household_id ORDER BY day)),
           cohort.cohort_id,
           CASE WHEN housed THEN 'by_building' WHEN tie THEN 'border_tie' ELSE 'within' END
    FROM (
        SELECT *, lag(grid_id) OVER (PARTITION BY household_id ORDER BY day) AS before
        FROM placed
    ) AS stretch
    JOIN (SELECT grid_id, max(cohort_id) AS cohort_id FROM cohort_grid
          WHERE valid = daterange(NULL, NULL) GROUP BY grid_id) AS cohort USING (grid_id)
    WHERE before IS DISTINCT FROM grid_id
"""
_COPY: Final = """
    UPDATE household SET base_grid_id = assignment.grid_id
    FROM assignment
    WHERE assignment.scheme_id = :scheme AND assignment.object_kind = 'household'
      AND assignment.object_id = household.household_id
      AND assignment.valid @> gis_today()
      AND household.base_grid_id IS DISTINCT FROM assignment.grid_id
"""
_EMPTIED: Final = (
    "DELETE FROM membership WHERE object_kind = 'household' AND scheme_id = :scheme",
    "UPDATE household SET base_grid_id = NULL",
)


@dataclass(frozen=True)
class County:
    """What both sides start from."""

    ids: Ids
    lon: Floats
    lat: Floats
    grid_ids: Ids
    wkb: Any
    values: dict[str, Any]
    days: list[date]


@dataclass(frozen=True)
class Given:
    """The same for one run: polygons of its own, that no earlier run has prepared."""

    lon: Floats
    lat: Floats
    grid_ids: Ids
    shapes: GeometryArray


def run(context: Context) -> list[Row]:
    """
    Measure.

    Parameters
    ----------
    context
        Its surroundings.

    Returns
    -------
    list of Row
        Four works.
    """
    store = context.county_store
    context.print_versions("geopandas", "sqlalchemy", "psycopg2-binary")
    context.print_server_version(store)
    county = read(store)
    context.say(f"{len(county.ids):,} households, {len(county.grid_ids):,} grids")
    with store.transaction(SYSTEM) as connection:
        context.print_plan(connection, "polygon first, LATERAL", LATERAL, county.values)
    scratch = Scratch(context, county)
    with scratch.store.transaction(SYSTEM) as connection:
        values = {**county.values, "days": county.days}
        context.print_plan(connection, "UPDATE … FROM", UPDATE, values)
        context.print_plan(connection, "history in SQL, its places", _PLACED, values)
    return [
        in_memory(county),
        out_of_the_store(store, context.peer_store, county),
        copy_written(scratch, county),
        all_written(scratch, county),
    ]


def read(store: Store) -> County:
    """Read households and grids, which is outside every clock but that of ``out_of_the_store``."""
    with store.transaction(SYSTEM) as connection:
        version = find_version_in_force(connection)
        rank = find_lowest_rank(connection, version.scheme_id)
        ids, lon, lat = _households(connection)
        grid_ids, shapes = read_polygons(connection, version.scheme_id, version.effective_day)
        days = [one.effective_day for one in read_versions(connection)]
    values = {"scheme": version.scheme_id, "rank": rank, "day": version.effective_day}
    wkb = gpd.GeoSeries(shapes).to_wkb().to_numpy()
    return County(ids, lon, lat, grid_ids, wkb, values, days)


def _households(connection: sa.Connection) -> tuple[Ids, Floats, Floats]:
    household = t.household.c
    rows = connection.execute(
        sa.select(
            household.household_id,
            sa.func.ST_X(household.point),
            sa.func.ST_Y(household.point),
        ).order_by(household.household_id)
    ).all()
    ids, lon, lat = zip(*rows, strict=True)
    return np.array(ids, dtype=np.int64), np.array(lon), np.array(lat)


# --- in memory ---------------------------------------------------------------------------------


def in_memory(county: County) -> Row:
    """
    Locate arrays of coordinates in polygons that are in memory; indexes are built on the clock.

    Parameters
    ----------
    county
        As read.

    Returns
    -------
    Row
        Ours beside ``geopandas.sjoin``, with the memory of both.
    """
    arguments = (county.lon, county.lat, county.grid_ids, county.wkb)
    ours, theirs = in_child(_locate_child, *arguments), in_child(_sjoin_child, *arguments)
    return compare(
        "households → grids, in memory",
        Side(_locate, lambda: _given(*arguments)),
        "geopandas.sjoin",
        Side(_sjoin, lambda: _given(*arguments)),
        agree=np.array_equal,
        limits=[
            Limit("memory ours adds, MB", ours.grown_mb),
            Limit("memory the peer adds, MB", theirs.grown_mb),
        ],
    )


def _given(lon: Floats, lat: Floats, grid_ids: Ids, wkb: Any) -> Given:
    return Given(lon, lat, grid_ids, gpd.GeoSeries.from_wkb(wkb).to_numpy())


def _locate(given: Given) -> Ids:
    """Locate as an assignment does: a new index, then every place."""
    return Locator(given.grid_ids, given.shapes).locate(given.lon, given.lat).grid_id


def _sjoin(given: Given) -> Ids:
    """Locate by the spatial join; on a border it gives every grid, and the lowest id is taken."""
    places = gpd.GeoDataFrame(geometry=gpd.points_from_xy(given.lon, given.lat, crs=4490))
    grids = gpd.GeoDataFrame({"grid_id": given.grid_ids}, geometry=given.shapes, crs=4490)
    joined = gpd.sjoin(places, grids, how="left", predicate="intersects")
    lowest = joined.groupby(level=0)["grid_id"].min().fillna(NO_GRID)
    return np.asarray(lowest.to_numpy(dtype=np.int64))


def _locate_child(*arguments: Any) -> int:
    return len(_locate(_given(*arguments)))


def _sjoin_child(*arguments: Any) -> int:
    return len(_sjoin(_given(*arguments)))


# --- out of the store --------------------------------------------------------------------------


def out_of_the_store(store: Store, peer_store: Store, county: County) -> Row:
    """
    Answer for every household of the store, from a cold start: reading is on both clocks.

    Parameters
    ----------
    store, peer_store
        With the county; the peer's without rules by rows.
    county
        Its scheme and day.

    Returns
    -------
    Row
        Ours beside one query.
    """

    def ours() -> tuple[Ids, Ids]:
        with store.transaction(SYSTEM) as connection:
            ids, lon, lat = _households(connection)
            grids = read_polygons(connection, county.values["scheme"], county.values["day"])
        stored = Locator(*grids).locate(lon, lat).grid_id
        inside = stored != NO_GRID
        return ids[inside], stored[inside]

    def theirs() -> tuple[Ids, Ids]:
        with peer_store.transaction(SYSTEM) as connection:
            rows = connection.execute(sa.text(LATERAL), county.values).all()
        ids, grid_ids = zip(*rows, strict=True)
        return np.array(ids, dtype=np.int64), np.array(grid_ids, dtype=np.int64)

    return compare(
        "households → grids, out of the store",
        plain(ours),
        "PostGIS, polygon-first LATERAL join",
        plain(theirs),
        agree=lambda a, b: np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1]),
    )


# --- written -----------------------------------------------------------------------------------


class Scratch:
    """
    A copy of the county in which no household has a grid or a history; every run is undone.

    Parameters
    ----------
    context
        Its surroundings.
    county
        Its scheme.
    """

    def __init__(self, context: Context, county: County) -> None:
        self._context, self._values = context, county.values
        self.store = context.fresh_database(SCRATCH, copy_of_county=True)
        # The peers know of no rules by rows, which would keep them from the spatial index.
        self._peer_store = Store(self.store.url.set(username="gis_admin"), pooled=False)
        with self.store.transaction(SYSTEM) as connection:
            for statement in _EMPTIED:
                connection.execute(sa.text(statement), self._values)
        self._vacuum()

    def undo(self, connection: sa.Connection) -> None:
        """
        Roll a run back and clear its dead rows away, so that the next finds the same tables.

        Parameters
        ----------
        connection
            Of the run.
        """
        connection.rollback()
        connection.close()
        self._vacuum()

    def _vacuum(self) -> None:
        with closing(self._context.connect(SCRATCH)) as connection, connection.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE) household, membership")

    def side(
        self, work: Callable[[sa.Connection], object], *, is_peer: bool = False
    ) -> Side[sa.Connection, object]:
        """
        Make a side of a work that writes.

        Parameters
        ----------
        work
            Takes the open transaction.
        is_peer
            Whether it knows of no rules by rows.

        Returns
        -------
        Side
            Undone after each run.
        """
        store = self._peer_store if is_peer else self.store
        return Side(work, lambda: store.begin(SYSTEM), self.undo)


def copy_written(scratch: Scratch, county: County) -> Row:
    """
    Write the grid on every household. Ours writes the history of all versions along with it.

    Parameters
    ----------
    scratch
        Where.
    county
        Its scheme and day.

    Returns
    -------
    Row
        The whole assignment beside a bare ``UPDATE … FROM``.
    """
    return compare(
        "households → grids, written (ours with its history)",
        scratch.side(assign_new),
        "PostGIS, UPDATE … FROM (no history)",
        scratch.side(
            lambda connection: connection.execute(sa.text(UPDATE), county.values), is_peer=True
        ),
        read=lambda connection, _: _copies(connection),
        agree=operator.eq,
    )


def all_written(scratch: Scratch, county: County) -> Row:
    """
    Write history and today's copy; the peer does all of it in SQL.

    Parameters
    ----------
    scratch
        Where.
    county
        Its scheme and days.

    Returns
    -------
    Row
        The whole assignment beside the same in four statements.
    """
    values = {**county.values, "days": county.days}

    def in_sql(connection: sa.Connection) -> None:
        for statement in (_PLACED, _COHORTS, _HISTORY, _COPY):
            connection.execute(sa.text(statement), values)

    return compare(
        "households → grids, history and copy written",
        scratch.side(assign_new),
        "PostGIS, INSERT … SELECT and UPDATE … FROM",
        scratch.side(in_sql, is_peer=True),
        read=lambda connection, _: (_copies(connection), _history(connection, values)),
        agree=operator.eq,
    )


def _copies(connection: sa.Connection) -> list[tuple[Any, ...]]:
    household = t.household.c
    query = sa.select(household.household_id, household.base_grid_id)
    return [tuple(row) for row in connection.execute(query.order_by(household.household_id))]


def _history(connection: sa.Connection, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    one = t.assignment.c
    query = (
        sa.select(
            one.object_id,
            sa.func.lower(one.valid),
            sa.func.upper(one.valid),
            one.grid_id,
            one.method,
        )
        .where(one.scheme_id == values["scheme"], one.object_kind == "household")
        .order_by(one.object_id, one.valid)
    )
    return [tuple(row) for row in connection.execute(query)]
