"""Which grid a point lies in: exact, for one version of one scheme, arrays in and arrays out.

A point on a shared edge belongs to the grid with the lowest id. Points outside are told so, with
the nearest grid and its distance, and are never given away silently. Knows nothing of the store.

The land is cut into small cells. A cell wholly inside one grid answers at once; in the others the
few edges between the point and the nearest such cell are counted, each shared edge once, with a
bound on the rounding error and arithmetic without rounding where the bound does not decide.
"""

import math
import time
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Final, Literal

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
class BorderNear:
    """The nearest border of a place."""

    # On the ellipsoid; infinite where there is no grid at all.
    distance_m: float
    # The grid beyond the border, outside every grid the one that begins there; None where nothing
    # lies beyond.
    grid_across: int | None
    # ``shared`` between two grids, ``outer`` around them all, ``none`` without any grid.
    kind: Literal["shared", "outer", "none"]


@dataclass(frozen=True)
class LocatorReport:
    """What an index is made of."""

    # How many; an edge that two grids share is one.
    grids: int
    edges: int
    # How many, and how many of them hold an edge.
    cells: int
    border_cells: int
    # Border cells among the cells that the grids touch at all: about the share of points that look
    # at geometry.
    border_share: float
    # Their height in metres.
    cell_m: float
    # Memory of the index.
    index_bytes: int
    # Seconds that building took.
    build_s: float


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

    Attributes
    ----------
    report
        What the index is made of.
    """

    def __init__(self, grid_ids: npt.ArrayLike, polygons: Geometries) -> None:
        began = time.perf_counter()
        order = np.argsort(np.asarray(grid_ids, dtype=np.int64), kind="stable")
        self.grid_ids = np.asarray(grid_ids, dtype=np.int64)[order]
        self.polygons: GeometryArray = np.asarray(polygons, dtype=object)[order]
        self._ids = np.concatenate([[NO_GRID], self.grid_ids])
        edges = _take_edges(self.polygons)
        self._frame, self._columns, self._rows = _lay_frame(edges.ends)
        border = self._index(edges)
        touched = int(np.count_nonzero(self._cells))
        self.report = LocatorReport(
            grids=len(self.grid_ids),
            edges=len(edges.ends),
            cells=len(self._cells),
            border_cells=border,
            border_share=border / max(touched, 1),
            cell_m=float(distance_m(0.0, 0.0, 0.0, 1.0) / self._frame[3]),
            index_bytes=sum(
                part.nbytes
                for part in (self._cells, self._words, self._start, self._within, self._ids)
            ),
            build_s=time.perf_counter() - began,
        )

    def _index(self, edges: _Edges) -> int:
        """Make the cells and their records; tell how many have one."""
        self._cells, self._words = self._records(edges)
        # By now the scratch, as large as the index itself, is free again.
        self._start, self._within, self._empty = kernels.list_borders(
            self._cells, self._columns, self._rows
        )
        return int(np.count_nonzero(self._cells < 0))

    def _records(self, edges: _Edges) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Fill the cells, and write what is known of those that a border crosses."""
        columns, rows = self._columns, self._rows
        start, listed = kernels.list_edges_of_cells(edges.ends, self._frame, columns, rows, _WIDEN)
        cells = np.empty(columns * rows, dtype=np.int32)
        layer_start, layers = kernels.fill_cells(
            start, listed, edges.ends, edges.polygons, len(self.grid_ids),
            self._frame, columns, rows, cells,
        )  # fmt: skip

        def write(words: npt.NDArray[np.int64]) -> int:
            return kernels.write_records(
                cells, layer_start, layers, start, listed, edges.ends, edges.polygons, columns,
                words,
            )  # fmt: skip

        words = np.empty(write(np.empty(0, dtype=np.int64)), dtype=np.int64)
        if len(words):
            write(words)
        return cells, words

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
            x, y, self._frame, self._columns, self._rows, self._cells, self._words, self._ids,
            grid_id, tie,
        )  # fmt: skip
        if unsure:
            for index in np.flatnonzero(grid_id == kernels.UNSURE).tolist():
                grid_id[index], tie[index] = self._without_rounding(x[index], y[index])
        return Located(grid_id, tie)

    def locate_one(self, lon: float, lat: float) -> tuple[int, bool]:
        """Find the grid of one point, in a few microseconds."""
        position, tie = kernels.locate_one(
            float(lon), float(lat),
            self._frame, self._columns, self._rows, self._cells, self._words,
        )  # fmt: skip
        if position == kernels.UNSURE:
            return self._without_rounding(lon, lat)
        return int(self._ids[position]), bool(tie)

    def border_near(self, lon: float, lat: float) -> BorderNear:
        """Find the border nearest to a place, and which grid lies across it."""
        grid_id, _ = self.locate_one(lon, lat)
        near = self.borders_near([lon], [lat], [grid_id])
        metres, beyond = float(near.distance_m[0]), int(near.grid_id[0])
        if math.isinf(metres):
            return BorderNear(metres, None, "none")
        kind: Literal["shared", "outer"] = "outer" if NO_GRID in (grid_id, beyond) else "shared"
        return BorderNear(metres, None if beyond == NO_GRID else beyond, kind)

    def borders_near(
        self, lon: npt.ArrayLike, lat: npt.ArrayLike, own: npt.ArrayLike, *, exact: bool = True
    ) -> Nearest:
        """Find the nearest border of many places, and which grid lies across each."""
        x, y = np.array(lon, dtype=float, ndmin=1), np.array(lat, dtype=float, ndmin=1)
        ids = np.array(own, dtype=np.int64, ndmin=1)
        position = np.where(ids == NO_GRID, 0, np.searchsorted(self.grid_ids, ids) + 1)
        shrink = lon_degree_in_lat_degrees(y)
        there_lon, there_lat = np.empty(len(x)), np.empty(len(x))
        across = np.empty(len(x), dtype=np.int64)
        kernels.find_nearest_edges(
            x, y, shrink, position,
            self._frame, self._columns, self._rows, self._cells, self._words,
            self._start, self._within, self._empty,
            there_lon, there_lat, across,
        )  # fmt: skip
        for index in np.flatnonzero(across == kernels.UNSURE).tolist():
            there_lon[index], there_lat[index], across[index] = self._nearest_of_all(
                x[index], y[index], shrink[index], int(position[index])
            )
        metres = np.full(len(x), np.inf)
        has_border = np.flatnonzero(~np.isnan(there_lon))
        measure = distance_m if exact else near_distance_m
        metres[has_border] = measure(
            x[has_border], y[has_border], there_lon[has_border], there_lat[has_border]
        )
        return Nearest(self._ids[across], metres)

    def find_one(self, lon: float, lat: float) -> tuple[int, bool, int, float]:
        """Find the grid of one point and its nearest border, in some ten microseconds."""
        grid_id, tie = self.locate_one(lon, lat)
        own = 0 if grid_id == NO_GRID else int(np.searchsorted(self.grid_ids, grid_id)) + 1
        shrink = float(lon_degree_in_lat_degrees(lat))
        there_lon, there_lat, across = kernels.find_nearest_edge(
            float(lon), float(lat), shrink, own,
            self._frame, self._columns, self._rows, self._cells, self._words,
            self._start, self._within, self._empty,
        )  # fmt: skip
        if across == kernels.UNSURE:
            there_lon, there_lat, across = self._nearest_of_all(lon, lat, shrink, own)
        if math.isnan(there_lon):
            return grid_id, tie, NO_GRID, math.inf
        metres = CGCS2000.inv(lon, lat, there_lon, there_lat)[2]
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
