"""A drawn line is taken to mean the border, the road or the vertex that it nearly follows.

Vertices go to vertices first, then to edges; then the line takes up the vertices that it passes by.
Distances are metres by the local scale; coordinates stay on the lattice. Nothing here knows grids.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from gis_service.boundaries.linework.lines import PER_DEGREE, nearest_on, segments_of, to_lattice
from gis_service.boundaries.linework.noding import metres_per_degree
from gis_service.geodesy import GeometryArray

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def snap(line: Any, targets: Sequence[Any], tolerance_m: float) -> Any:
    """
    Pull a line to given lines.

    Parameters
    ----------
    line
        LineString in lon, lat.
    targets
        LineStrings or polygons to follow: borders, roads, water, parcels.
    tolerance_m
        What is farther away is left alone.

    Returns
    -------
    LineString
        On the lattice; vertices on vertices, then on edges, and the vertices of targets that the
        line passed by taken up.
    """
    lines = [to_lattice(part) for target in targets for part in _lines(target)]
    path = snapped_rings([to_lattice(line)], lines, tolerance_m)[0]
    return shapely.LineString(path / PER_DEGREE)


def snapped_rings(
    rings: Sequence[IntArray], lines: Sequence[IntArray], tolerance_m: float
) -> list[IntArray]:
    """Pull lines or rings to existing lines, in steps of the lattice."""
    segments, _ = segments_of(lines)
    if tolerance_m <= 0 or not len(segments):
        return list(rings)
    there = _Targets(segments, tolerance_m)
    return [there.pulled(ring) for ring in rings]


class _Targets:
    def __init__(self, segments: IntArray, tolerance_m: float) -> None:
        self._segments = segments
        self._tolerance = tolerance_m
        self._origin = segments[:, :2].min(axis=0)
        lat = float(segments[:, 1].mean()) / PER_DEGREE
        self._scale = metres_per_degree(lat) / PER_DEGREE
        self._vertices = np.unique(segments.reshape(-1, 2), axis=0)
        self._vertex_tree = shapely.STRtree(_points(self._plane(self._vertices)))
        ends = self._plane(segments.reshape(-1, 2)).reshape(-1, 2, 2)
        self._lines = np.asarray(shapely.linestrings(ends), dtype=object)
        self._edge_tree = shapely.STRtree(self._lines)

    def _plane(self, xy: IntArray) -> FloatArray:
        return np.asarray((xy - self._origin) * self._scale, dtype=float)

    def pulled(self, ring: IntArray) -> IntArray:
        moved = self._vertices_pulled(ring)
        moved = self._vertices_taken_up(moved)
        same = np.zeros(len(moved), dtype=bool)
        same[1:] = (moved[1:] == moved[:-1]).all(axis=1)
        return moved[~same]

    def _vertices_pulled(self, ring: IntArray) -> IntArray:
        places = _points(self._plane(ring))
        moved = ring.copy()
        pairs, far = self._vertex_tree.query_nearest(
            places, max_distance=self._tolerance, return_distance=True, all_matches=False
        )
        del far
        moved[pairs[0]] = self._vertices[pairs[1]]
        free = np.setdiff1d(np.arange(len(ring)), pairs[0])
        if not len(free):
            return moved
        pairs = self._edge_tree.query_nearest(
            places[free], max_distance=self._tolerance, all_matches=False
        )
        for index, edge in zip(free[pairs[0]].tolist(), pairs[1].tolist(), strict=True):
            line = self._lines[edge]
            foot = line.interpolate(line.project(places[index]))
            steps = np.rint(np.array([foot.x, foot.y]) / self._scale).astype(np.int64)
            x, y = (steps + self._origin).tolist()
            moved[index] = nearest_on(self._segments[edge], x, y)
        return moved

    def _vertices_taken_up(self, ring: IntArray) -> IntArray:
        """Put in the vertices of what is there that lie beside a segment of the line."""
        plane = self._plane(ring)
        runs = shapely.linestrings(np.stack([plane[:-1], plane[1:]], axis=1))
        run, vertex = self._vertex_tree.query(runs, predicate="dwithin", distance=self._tolerance)
        if not len(run):
            return ring
        start, end, place = ring[run], ring[run + 1], self._vertices[vertex]
        along = (end - start) * self._scale
        square = np.maximum((along**2).sum(axis=1), 1e-12)
        share = (((place - start) * self._scale) * along).sum(axis=1) / square
        tip = (place == start).all(axis=1) | (place == end).all(axis=1)
        between = (share > 0) & (share < 1) & ~tip
        run, place, share = run[between], place[between], share[between]
        order = np.lexsort((share, run))
        return np.insert(ring, run[order] + 1, place[order], axis=0)


def _points(xy: FloatArray) -> GeometryArray:
    return np.asarray(shapely.points(xy), dtype=object)


def _lines(geometry: Any) -> list[Any]:
    parts = shapely.get_parts(geometry)
    if shapely.get_dimensions(geometry) == 2:
        return list(shapely.get_rings(parts))
    return list(parts)
