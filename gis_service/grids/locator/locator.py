"""Which grid a point lies in: exact, for one version of one scheme, arrays in and arrays out.

A point on a shared edge belongs to the grid with the lowest id. Points outside are told so, with
the nearest grid and its distance, and are never given away silently. Knows nothing of the store.

The land is cut into small cells. A cell wholly inside one grid answers at once; in the others the
few edges between the point and the nearest such cell are counted, each shared edge once, with a
bound on the rounding error and arithmetic without rounding where the bound does not decide.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely

from gis_service.geodesy import (
    CGCS2000,
    Geometries,
    GeometryArray,
    distance_m,
    in_metres,
    local_metres,
    lon_degree_in_lat_degrees,
    near_distance_m,
)
from gis_service.grids.locator import kernels

NO_GRID: Final = -1
CELLS_PER_EDGE: Final = 32
"""More cells make fewer points meet an edge, and more memory; measured best on a county."""
_MOST_CELLS: Final = 400_000_000
_WIDEN: Final = 1e-4  # of a cell; rounding is below a millionth of one
_MARGIN: Final = 2  # empty cells around the land


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
    """The nearest grid of each point, or the one across its border, and how far, in metres."""

    grid_id: npt.NDArray[np.int64]
    distance_m: npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Edges:
    """Every edge once, with the one or two polygons (-1) that it bounds."""

    ends: npt.NDArray[np.float64]
    polygons: npt.NDArray[np.int32]


class Locator:
    """
    An index of one version of one scheme's lowest level.

    Parameters
    ----------
    grid_ids
        Identity of each grid.
    polygons
        Its land, lon, lat; valid (Multi)Polygons. Where some lie upon each other the lowest id
        answers.
    """

    def __init__(self, grid_ids: npt.ArrayLike, polygons: Geometries) -> None:
        order = np.argsort(np.asarray(grid_ids, dtype=np.int64), kind="stable")
        self.grid_ids = np.asarray(grid_ids, dtype=np.int64)[order]
        self.polygons: GeometryArray = np.asarray(polygons, dtype=object)[order]
        self._ids = np.concatenate([[NO_GRID], self.grid_ids])
        self._index = _build_index(_take_edges(self.polygons), len(self.grid_ids))
        self._cells = self._index[:5]  # what a single point needs, cut out once

    @property
    def nbytes(self) -> int:
        """Memory of the index, without the polygons."""
        return sum(part.nbytes for part in self._index if isinstance(part, np.ndarray))

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
        x = np.ascontiguousarray(np.atleast_1d(np.asarray(lon, dtype=float)))
        y = np.ascontiguousarray(np.atleast_1d(np.asarray(lat, dtype=float)))
        if x.shape != y.shape or x.ndim != 1:
            raise ValueError("lon and lat must be of one length")
        grid_id = np.empty(len(x), dtype=np.int64)
        tie = np.empty(len(x), dtype=np.bool_)
        unsure = kernels.locate_many(
            x, y, *self._cells, self._ids, grid_id, tie
        )  # fmt: skip
        if unsure:
            for index in np.flatnonzero(grid_id == kernels.UNSURE).tolist():
                grid_id[index], tie[index] = self._without_rounding(x[index], y[index])
        return Located(grid_id, tie)

    def locate_one(self, lon: float, lat: float) -> tuple[int, bool]:
        """Find the grid of one point, in a few microseconds."""
        position, tie = kernels.locate_one(float(lon), float(lat), *self._cells)
        if position == kernels.UNSURE:
            return self._without_rounding(lon, lat)
        return int(self._ids[position]), bool(tie)

    def borders_near(
        self, lon: npt.ArrayLike, lat: npt.ArrayLike, own: npt.ArrayLike, *, exact: bool = True
    ) -> Nearest:
        """Find the nearest border of many places, and which grid lies across each."""
        x, y = np.array(lon, dtype=float, ndmin=1), np.array(lat, dtype=float, ndmin=1)
        ids = np.array(own, dtype=np.int64, ndmin=1)
        position = np.where(ids == NO_GRID, 0, np.searchsorted(self.grid_ids, ids) + 1)
        shrink = lon_degree_in_lat_degrees(y)
        foot_lon, foot_lat = np.empty(len(x)), np.empty(len(x))
        across = np.empty(len(x), dtype=np.int64)
        kernels.find_nearest_edges(x, y, shrink, position, self._index, foot_lon, foot_lat, across)
        for index in np.flatnonzero(across == kernels.UNSURE).tolist():
            foot_lon[index], foot_lat[index], across[index] = self._nearest_of_all(
                x[index], y[index], shrink[index], int(position[index])
            )
        metres = np.full(len(x), np.inf)
        has_border = np.flatnonzero(~np.isnan(foot_lon))
        measure = distance_m if exact else near_distance_m
        metres[has_border] = measure(
            x[has_border], y[has_border], foot_lon[has_border], foot_lat[has_border]
        )
        return Nearest(self._ids[across], metres)

    def find_one(self, lon: float, lat: float) -> tuple[int, bool, int, float]:
        """Find the grid of one point and its nearest border, in some ten microseconds."""
        grid_id, tie = self.locate_one(lon, lat)
        own = 0 if grid_id == NO_GRID else int(np.searchsorted(self.grid_ids, grid_id)) + 1
        shrink = float(lon_degree_in_lat_degrees(lat))
        foot_lon, foot_lat, across = kernels.find_nearest_edge(
            float(lon), float(lat), shrink, own, self._index
        )
        if across == kernels.UNSURE:
            foot_lon, foot_lat, across = self._nearest_of_all(lon, lat, shrink, own)
        if math.isnan(foot_lon):
            return grid_id, tie, NO_GRID, math.inf
        metres = CGCS2000.inv(lon, lat, foot_lon, foot_lat)[2]
        return grid_id, tie, int(self._ids[across]), float(metres)

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

    # --- without the index: numbers beyond all measure, and cells in which dozens of grids meet

    @cached_property
    def _all_edges(self) -> _Edges:
        return _take_edges(self.polygons)

    def _without_rounding(self, lon: float, lat: float) -> tuple[int, bool]:
        """Ask every edge at this latitude, in fractions."""
        ends, owners = self._all_edges.ends, self._all_edges.polygons
        candidates = np.flatnonzero((ends[:, 1] <= lat) & (lat <= ends[:, 3]))
        crossed: set[int] = set()
        touched: set[int] = set()
        x, y = Fraction(float(lon)), Fraction(float(lat))
        for (x1, y1, x2, y2), pair in zip(
            ends[candidates].tolist(), owners[candidates].tolist(), strict=True
        ):
            bounded = {polygon for polygon in pair if polygon >= 0}
            left, low, right, high = Fraction(x1), Fraction(y1), Fraction(x2), Fraction(y2)
            side = (right - left) * (y - low) - (high - low) * (x - left)
            if side == 0 and min(left, right) <= x <= max(left, right):
                touched |= bounded
            elif side < 0 and y < high:
                crossed ^= bounded
        holders = sorted(crossed | touched)
        return (int(self.grid_ids[holders[0]]) if holders else NO_GRID), len(holders) > 1

    def _nearest_of_all(
        self, lon: float, lat: float, shrink: float, own: int
    ) -> tuple[float, float, int]:
        """Measure to every edge."""
        ends, owners = self._all_edges.ends, self._all_edges.polygons
        scale = np.array([shrink, 1.0])
        first, last = ends[:, :2] * scale, ends[:, 2:] * scale
        along, to = last - first, np.array([lon * shrink, lat]) - first
        share = np.clip((to * along).sum(axis=1) / (along * along).sum(axis=1), 0, 1)
        square = ((to - share[:, None] * along) ** 2).sum(axis=1)
        nearest = np.flatnonzero(square <= square.min() * (1 + 1e-12))
        beyond = sorted(set(owners[nearest].ravel().tolist()) - {-1, own - 1})
        foot = first[nearest[0]] + share[nearest[0]] * along[nearest[0]]
        return float(foot[0] / shrink), float(foot[1]), beyond[0] + 1 if beyond else 0


def _take_edges(polygons: GeometryArray) -> _Edges:
    """Take polygons apart."""
    parts, part_polygon = shapely.get_parts(polygons, return_index=True)
    rings, ring_part = shapely.get_rings(parts, return_index=True)
    coordinates, ring = shapely.get_coordinates(rings, return_index=True)
    ends, owners, n = kernels.match_edges(
        np.ascontiguousarray(coordinates), ring, part_polygon[ring_part]
    )
    return _Edges(ends[:n].copy(), owners[:n].copy())


def _lay_frame(ends: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], int, int]:
    """Lay cells, about square on the ground, over the edges, with empty ones around."""
    if len(ends) == 0:
        return np.array([0.0, 0.0, 1.0, 1.0]), 1, 1
    west, east = ends[:, ::2].min(), ends[:, ::2].max()
    south, north = ends[:, 1::2].min(), ends[:, 1::2].max()
    shrink = max(math.cos(math.radians(min(abs(south + north) / 2, 89.0))), 0.01)
    cell_count = min(max(len(ends) * CELLS_PER_EDGE, 64), _MOST_CELLS)
    # No smaller than a million times what rounding does to a coordinate.
    finest = float(np.spacing(np.abs(ends).max())) * 2**20
    height = max(math.sqrt((east - west) * shrink * (north - south) / cell_count), finest)
    width = max(height / shrink, finest)
    columns = int((east - west) / width) + 1 + 2 * _MARGIN
    rows = int((north - south) / height) + 1 + 2 * _MARGIN
    frame = np.array([west - _MARGIN * width, south - _MARGIN * height, 1 / width, 1 / height])
    return frame, columns, rows


def _build_index(edges: _Edges, n_polygons: int) -> kernels.BorderIndex:
    """Lay the cells, and list those that a border crosses."""
    frame, columns, rows = _lay_frame(edges.ends)
    cells, words = _write_cells(edges, n_polygons, frame, columns, rows)
    # By now the scratch, as large as the index itself, is free again.
    start, within, empty = kernels.list_borders(cells, columns, rows)
    return kernels.BorderIndex(frame, columns, rows, cells, words, start, within, empty)


def _write_cells(
    edges: _Edges, n_polygons: int, frame: npt.NDArray[np.float64], columns: int, rows: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Fill the cells, and write what is known of those that a border crosses."""
    start, listed = kernels.list_edges_of_cells(edges.ends, frame, columns, rows, _WIDEN)
    cells = np.empty(columns * rows, dtype=np.int32)
    layer_start, layers = kernels.fill_cells(
        start, listed, edges.ends, edges.polygons, n_polygons, frame, columns, rows, cells
    )

    def write(words: npt.NDArray[np.int64]) -> int:
        return kernels.write_records(
            cells, layer_start, layers, start, listed, edges.ends, edges.polygons, columns, words
        )

    words = np.empty(write(np.empty(0, dtype=np.int64)), dtype=np.int64)
    if len(words):
        write(words)
    return cells, words
