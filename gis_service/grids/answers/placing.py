"""Where places lie on a day: the grid, the nearest border, and what lies across it.

The same findings come from the index in memory (today, and whole files) or from the store (any
day, a few places). Distances are for people; which grid it is, is exact in both.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
import sqlalchemy as sa

from gis_service.geodesy import distance_m, lon_degree_in_lat_degrees
from gis_service.grids.answers import queries
from gis_service.grids.locator.locator import NO_GRID, Locator
from gis_service.grids.versions import Version

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


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
    for n, lowest, count in queries.find_holders(connection, version, x, y):
        grid_id[n - 1], tie[n - 1] = lowest, count > 1
    beyond, metres = _find_nearest_border(connection, version, x, y, grid_id)
    return PlacesFound(grid_id, tie, beyond, metres)


def _find_nearest_border(
    connection: sa.Connection, version: Version, x: FloatArray, y: FloatArray, own_grid: IntArray
) -> tuple[IntArray, FloatArray]:
    """Measure to the arcs that are nearest in degrees; of equal ones the lowest grid is told."""
    rows = queries.find_nearest_arcs(connection, version, x, y)
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
