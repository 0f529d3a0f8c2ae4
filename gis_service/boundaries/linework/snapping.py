"""A drawn line is taken to mean the border, the road or the vertex that it nearly follows.

Vertices go to vertices first, then to edges; then the line takes up the vertices that it passes by.
Distances are metres by the local scale; coordinates stay on the lattice. Nothing here knows grids.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import shapely

from gis_service.boundaries.linework.lines import (
    PER_DEGREE,
    find_nearest_on,
    segments_of,
)
from gis_service.boundaries.linework.noding import metres_per_degree
from gis_service.geodesy import GeometryArray

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def snap_rings(
    rings: Sequence[IntArray], lines: Sequence[IntArray], tolerance_m: float
) -> list[IntArray]:
    """Pull lines or rings to existing lines, in steps of the lattice."""
    segments, _ = segments_of(lines)
    if tolerance_m <= 0 or not len(segments):
        return list(rings)
    targets = _Targets(segments, tolerance_m)
    return [targets.pull(ring) for ring in rings]


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

    def pull(self, ring: IntArray) -> IntArray:
        moved = self._pull_vertices(ring)
        moved = self._add_passed_vertices(moved)
        same = np.zeros(len(moved), dtype=bool)
        same[1:] = (moved[1:] == moved[:-1]).all(axis=1)
        return moved[~same]

    def _pull_vertices(self, ring: IntArray) -> IntArray:
        places = _points(self._plane(ring))
        moved = ring.copy()
        pairs = self._vertex_tree.query_nearest(
            places, max_distance=self._tolerance, all_matches=False
        )
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
            moved[index] = find_nearest_on(self._segments[edge], x, y)
        return moved

    def _add_passed_vertices(self, ring: IntArray) -> IntArray:
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
