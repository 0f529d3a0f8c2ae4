"""Where places lie on a day: the grid, the nearest border, and what lies across it.

The same findings come from the index in memory (today, and whole files) or from the store (any
day, a few places). Distances are for people; which grid it is, is exact in both.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely
import sqlalchemy as sa

from gis_service.geodesy import distance_m, lon_degree_in_lat_degrees
from gis_service.grids.locator.locator import NO_GRID, Locator
from gis_service.grids.versions import Version, find_lowest_rank
from gis_service.store import tables as t
from gis_service.store.tables import SRID

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

_NEAREST_ARCS: Final = 12
"""Arcs nearest in degrees that are then measured in metres: more than meet anywhere."""


@dataclass(frozen=True)
class PlacesFound:
    """
    What is found of an array of places.

    Attributes
    ----------
    grid_id
        The responsible grid; ``NO_GRID`` outside every one.
    tie
        True where a shared edge holds the place and the lowest id decided.
    beyond
        The grid across the nearest border, for a place outside the nearest grid; ``NO_GRID`` where
        the county ends there, or where there is no grid at all.
    distance_m
        To the nearest border on the ellipsoid; infinite where there is none.
    """

    grid_id: IntArray
    tie: npt.NDArray[np.bool_]
    beyond: IntArray
    distance_m: FloatArray


def find_by_index(locator: Locator, lon: npt.ArrayLike, lat: npt.ArrayLike) -> PlacesFound:
    """Ask the index."""
    x, y = np.atleast_1d(np.asarray(lon, float)), np.atleast_1d(np.asarray(lat, float))
    if len(x) == 1:  # what a dispatcher asks: arrays of one would cost more than the answer
        grid_id, tie, across, metres = locator.find_one(float(x[0]), float(y[0]))
        return PlacesFound(
            np.array([grid_id]), np.array([tie]), np.array([across]), np.array([metres])
        )
    located = locator.locate(x, y)
    return PlacesFound(
        located.grid_id, located.tie, *find_borders_near(locator, x, y, located.grid_id)
    )


def find_borders_near(
    locator: Locator, lon: FloatArray, lat: FloatArray, grid_id: IntArray
) -> tuple[IntArray, FloatArray]:
    """Find the nearest border of every place by the index."""
    near = locator.borders_near(lon, lat, grid_id)
    return near.grid_id, near.distance_m


def find_in_store(
    connection: sa.Connection, version: Version, lon: npt.ArrayLike, lat: npt.ArrayLike
) -> PlacesFound:
    """Ask the database, by its own rule."""
    x = np.atleast_1d(np.asarray(lon, dtype=float))
    y = np.atleast_1d(np.asarray(lat, dtype=float))
    grid_id = np.full(len(x), NO_GRID, dtype=np.int64)
    tie = np.zeros(len(x), dtype=bool)
    places = _places_table(x, y)
    state, day = t.grid_state.c, sa.literal(version.effective_day, sa.Date)
    within = (
        sa.select(places.c.n, sa.func.min(state.grid_id), sa.func.count())
        .join(
            t.grid_state,
            sa.and_(
                state.scheme_id == version.scheme_id,
                state.rank == find_lowest_rank(connection, version.scheme_id),
                state.valid.op("@>")(day),
                state.geom.op("&&")(_point(places)),
                sa.func.gis_holds(state.geom, _point(places)),
            ),
        )
        .group_by(places.c.n)
    )
    for n, lowest, count in connection.execute(within):
        grid_id[n - 1], tie[n - 1] = lowest, count > 1
    beyond, metres = _find_nearest_border(connection, version, x, y, grid_id)
    return PlacesFound(grid_id, tie, beyond, metres)


def _places_table(x: FloatArray, y: FloatArray) -> sa.TableValuedAlias:
    numbers = sa.ARRAY(sa.Double)
    return (
        sa.func.unnest(sa.literal(x.tolist(), numbers), sa.literal(y.tolist(), numbers))
        .table_valued(
            sa.column("lon", sa.Double),
            sa.column("lat", sa.Double),
            with_ordinality="n",
            name="place",
        )
        .render_derived()
    )


def _point(places: sa.TableValuedAlias) -> sa.ColumnElement[Any]:
    point: sa.ColumnElement[Any] = sa.func.ST_SetSRID(
        sa.func.ST_MakePoint(places.c.lon, places.c.lat), SRID
    )
    return point


def _find_nearest_border(
    connection: sa.Connection, version: Version, x: FloatArray, y: FloatArray, own_grid: IntArray
) -> tuple[IntArray, FloatArray]:
    """Measure to the arcs that are nearest in degrees; of equal ones the lowest grid is told."""
    places, arc = _places_table(x, y), t.linework_arc.c
    nearest = (
        sa.select(arc.left_grid_id, arc.right_grid_id, sa.func.ST_AsBinary(arc.geom).label("wkb"))
        .where(
            arc.scheme_id == version.scheme_id,
            arc.valid.op("@>")(sa.literal(version.effective_day, sa.Date)),
        )
        .order_by(arc.geom.op("<->")(_point(places)))
        .limit(_NEAREST_ARCS)
        .lateral("arc")
    )
    rows = connection.execute(
        sa.select(places.c.n, nearest.c.left_grid_id, nearest.c.right_grid_id, nearest.c.wkb)
        .select_from(places.join(nearest, sa.true()))
    ).all()  # fmt: skip
    beyond = np.full(len(x), NO_GRID, dtype=np.int64)
    best = np.full(len(x), np.inf)
    if not rows:
        return beyond, best
    place = np.array([row[0] - 1 for row in rows], dtype=np.int64)
    sides = np.array(
        [[NO_GRID if side is None else side for side in row[1:3]] for row in rows], dtype=np.int64
    )
    arcs = np.asarray(shapely.from_wkb([bytes(row[3]) for row in rows]), dtype=object)
    metres = measure_metres(arcs, x[place], y[place])
    np.minimum.at(best, place, metres)
    across = np.where(sides[:, 0] == own_grid[place], sides[:, 1], sides[:, 0])
    # A place that a tie gave to one grid may lie at the end of an arc that is not its own.
    is_nearest = (metres <= best[place] + 1e-6) & (across != NO_GRID)
    lowest = np.full(len(x), np.iinfo(np.int64).max)
    np.minimum.at(lowest, place[is_nearest], across[is_nearest])
    has_neighbour = lowest < np.iinfo(np.int64).max
    beyond[has_neighbour] = lowest[has_neighbour]
    return beyond, best


def measure_metres(shapes: npt.NDArray[np.object_], lon: FloatArray, lat: FloatArray) -> FloatArray:
    """Measure from places to shapes, one to one."""
    shrink = lon_degree_in_lat_degrees(lat)
    narrow = shapely.from_wkb(shapely.to_wkb(shapes))  # coordinates are set in place
    xy, owner = shapely.get_coordinates(narrow, return_index=True)
    xy[:, 0] *= shrink[owner]
    narrow = shapely.set_coordinates(narrow, xy)
    lines = shapely.shortest_line(shapely.points(lon * shrink, lat), narrow)
    feet = shapely.get_coordinates(lines)[1::2]
    return distance_m(lon, lat, feet[:, 0] / shrink, feet[:, 1])
