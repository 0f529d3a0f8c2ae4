"""Which grid a point lies in: exact, for one version of one scheme, arrays in and arrays out.

A point on a shared edge belongs to the grid with the lowest id. Points outside are told so, with
the nearest grid and its distance, and are never given away silently. Knows nothing of the store.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely

from gis_service.geodesy import Geometries, GeometryArray, in_metres, local_metres

NO_GRID: Final = -1


@dataclass(frozen=True)
class Located:
    """
    The answer for an array of points.

    Attributes
    ----------
    grid_id
        The responsible grid; :data:`NO_GRID` outside every one.
    tie
        True where the point lies on a shared edge and the lowest id decided.
    """

    grid_id: npt.NDArray[np.int64]
    tie: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Nearest:
    """The nearest grid of each point and how far away it is, in metres."""

    grid_id: npt.NDArray[np.int64]
    distance_m: npt.NDArray[np.float64]


class Locator:
    """
    An index of one version of one scheme's lowest level.

    Parameters
    ----------
    grid_ids
        Identity of each grid.
    polygons
        Its land, lon, lat.
    """

    def __init__(self, grid_ids: npt.ArrayLike, polygons: Geometries) -> None:
        order = np.argsort(np.asarray(grid_ids, dtype=np.int64), kind="stable")
        self.grid_ids = np.asarray(grid_ids, dtype=np.int64)[order]
        self.polygons: GeometryArray = np.asarray(polygons, dtype=object)[order].copy()
        shapely.prepare(self.polygons)
        self._tree = shapely.STRtree(self.polygons)

    def locate(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> Located:
        """
        Find the grid of every point.

        Parameters
        ----------
        lon, lat
            Degrees; NaN and infinite are outside every grid.

        Returns
        -------
        Located
            In the order of the input.
        """
        x = np.atleast_1d(np.asarray(lon, dtype=float))
        y = np.atleast_1d(np.asarray(lat, dtype=float))
        usable = np.isfinite(x) & np.isfinite(y)
        points = shapely.points(x[usable], y[usable])
        polygon, point = shapely.STRtree(points).query(self.polygons, predicate="intersects")
        found = np.full(len(points), len(self.grid_ids), dtype=np.int64)
        np.minimum.at(found, point, polygon)  # positions are sorted by id: the lowest id wins
        grid_id = np.full(len(x), NO_GRID, dtype=np.int64)
        grid_id[usable] = np.append(self.grid_ids, NO_GRID)[found]
        tie = np.zeros(len(x), dtype=bool)
        tie[usable] = np.bincount(point, minlength=len(points)) > 1
        return Located(grid_id, tie)

    def nearest(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> Nearest:
        """
        Find the nearest grid of points that lie outside.

        Parameters
        ----------
        lon, lat
            Degrees, finite.

        Returns
        -------
        Nearest
            Metres in a plane through the middle of the grids; equal distances go to the lowest
            id. Without any grid the answer is :data:`NO_GRID` and infinite.
        """
        x = np.atleast_1d(np.asarray(lon, dtype=float))
        y = np.atleast_1d(np.asarray(lat, dtype=float))
        grid_id = np.full(len(x), NO_GRID, dtype=np.int64)
        distance = np.full(len(x), np.inf)
        if len(self.grid_ids) == 0 or len(x) == 0:
            return Nearest(grid_id, distance)
        west, south, east, north = shapely.total_bounds(self.polygons)
        lon0, lat0 = (west + east) / 2, (south + north) / 2
        tree = shapely.STRtree(in_metres(self.polygons, lon0, lat0))
        to_xy, _ = local_metres(lon0, lat0)
        points = shapely.points(*to_xy(x, y))
        (point, polygon), metres = tree.query_nearest(points, return_distance=True)
        order = np.lexsort((polygon, point))[::-1]
        grid_id[point[order]] = self.grid_ids[polygon[order]]
        distance[point[order]] = metres[order]
        return Nearest(grid_id, distance)
