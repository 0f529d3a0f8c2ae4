"""Drawn lines become a network: joined where roads meet, and only there.

Lines meet where their ends lie together, where one ends on another, and where both have a vertex
at one place; a bridge, a tunnel or another layer meets the others at its ends only. Lines that
cross without a common vertex are not joined unless it is asked for; they are listed. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from gis_service.boundaries.linework.noding import metres_per_degree
from gis_service.geodesy import GeometryArray, on_lattice

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]
_SAME_M: Final = 1e-3


@dataclass(frozen=True)
class NodedRoads:
    """A network."""

    # Lon, lat of each node.
    nodes: FloatArray
    # Of each edge, the position of the line that it was cut from.
    line: IndexArray
    # Which piece of that line, from 0.
    part: IndexArray
    # Positions in ``nodes``.
    source: IndexArray
    target: IndexArray
    # LineStrings from source to target.
    geometry: GeometryArray
    # Ends that were moved onto another one or onto a line, within the snapping distance.
    joined: int
    # Lon, lat of places where two lines of one layer cross without a common vertex.
    crossings: FloatArray
    # Their two lines, by position.
    crossing_lines: IndexArray
    # Lines shorter than the snapping distance, of which nothing is left.
    lost: list[int]


@dataclass
class _LineSet:
    """Lines being noded: their vertices in lon, lat, and what is to be put in between."""

    xy: list[FloatArray]
    scale: FloatArray
    more: dict[int, list[tuple[float, FloatArray]]] = field(default_factory=dict)

    def metric(self) -> GeometryArray:
        lines = np.empty(len(self.xy), dtype=object)
        for index, xy in enumerate(self.xy):
            lines[index] = shapely.LineString(xy * self.scale) if len(xy) > 1 else None
        return lines

    def put(self, line: int, along: float, place: FloatArray) -> None:
        self.more.setdefault(line, []).append((along, place))

    def settle(self) -> None:
        """Put the new vertices in, each at its place along the line; a near vertex is moved."""
        for line, new in self.more.items():
            xy = self.xy[line]
            metric = xy * self.scale
            steps = np.hypot(*np.diff(metric, axis=0).T)
            along = np.concatenate([[0.0], np.cumsum(steps)])
            inner = [(float(a), point) for a, point in zip(along, xy, strict=True)]
            for at, place in new:
                near = [i for i, (a, _) in enumerate(inner[1:-1], 1) if abs(a - at) <= _SAME_M]
                if near:
                    inner[near[0]] = (inner[near[0]][0], place)
                else:
                    inner.append((at, place))
            ordered = sorted(inner, key=lambda one: one[0])
            self.xy[line] = _without_repeats(np.array([point for _, point in ordered]))
        self.more = {}


def node_roads(
    lines: Sequence[Any] | GeometryArray,
    layers: Sequence[int],
    snap_m: float,
    *,
    cross: bool = False,
) -> NodedRoads:
    """Cut lines into the edges of a network."""
    work = _prepared(lines)
    layer = np.asarray(layers, dtype=np.int64)
    joined = _join_ends(work, snap_m)
    lost = [index for index, xy in enumerate(work.xy) if len(xy) < 2]
    joined += _join_tees(work, layer, snap_m)
    places, pairs = _crossings(work, layer, snap_m, join=cross)
    nodes, edges = _cut(work, layer)
    geometry = np.empty(len(edges), dtype=object)
    geometry[:] = [shapely.LineString(edge[4]) for edge in edges]
    numbers = np.array([edge[:4] for edge in edges], dtype=np.int64).reshape(-1, 4)
    return NodedRoads(
        nodes, numbers[:, 0], numbers[:, 1], numbers[:, 2], numbers[:, 3], geometry, joined,
        places, pairs, lost,
    )  # fmt: skip


def _prepared(lines: Sequence[Any] | GeometryArray) -> _LineSet:
    array = on_lattice(shapely.force_2d(np.asarray(lines, dtype=object)))
    bare = shapely.remove_repeated_points(array)
    xy = [shapely.get_coordinates(line) for line in bare]
    lat = float(np.mean([points[:, 1].mean() for points in xy])) if xy else 0.0
    return _LineSet(xy, metres_per_degree(lat))


def _join_ends(work: _LineSet, snap_m: float) -> int:
    """Move ends that lie together onto the first of them."""
    count = len(work.xy)
    if not count:
        return 0
    ends = np.array([point for xy in work.xy for point in (xy[0], xy[-1])])
    pairs = KDTree(ends * work.scale).query_pairs(max(snap_m, _SAME_M), output_type="ndarray")
    links = coo_array(
        (np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(2 * count, 2 * count)
    )
    _, group = connected_components(links, directed=False)
    first = np.full(int(group.max()) + 1, -1, dtype=np.int64)
    order = np.arange(2 * count)[::-1]
    first[group[order]] = order
    chosen = ends[first[group]]
    moved = int((chosen != ends).any(axis=1).sum())
    for index, xy in enumerate(work.xy):
        xy[0], xy[-1] = chosen[2 * index], chosen[2 * index + 1]
        work.xy[index] = _without_repeats(xy)
    return moved


def _without_repeats(xy: FloatArray) -> FloatArray:
    keep = np.ones(len(xy), dtype=bool)
    keep[1:] = (xy[1:] != xy[:-1]).any(axis=1)
    return xy[keep]


def _join_tees(work: _LineSet, layer: IndexArray, snap_m: float) -> int:
    """Give a line a vertex where another one ends on it."""
    metric = work.metric()
    there = [index for index, xy in enumerate(work.xy) if len(xy) > 1]
    ends = np.array([point for index in there for point in work.xy[index][[0, -1]]])
    if not len(ends):
        return 0
    owner = np.repeat(there, 2)
    end, line = shapely.STRtree(metric).query(
        shapely.points(ends * work.scale), predicate="dwithin", distance=max(snap_m, _SAME_M)
    )
    # a bridge comes down to the ground, but nothing on the ground ends on a bridge above it
    reached = (layer[owner[end]] == layer[line]) | (layer[line] == 0)
    other = (owner[end] != line) & reached
    joined: set[tuple[int, complex]] = set()
    for at, on in zip(end[other].tolist(), line[other].tolist(), strict=True):
        point = shapely.Point(ends[at] * work.scale)
        own = metric[on]
        along = float(shapely.line_locate_point(own, point))
        near_end = min(along, own.length - along) <= max(snap_m, _SAME_M)
        key = (on, complex(*ends[at]))
        if near_end or key in joined:
            continue
        joined.add(key)
        if not (work.xy[on] == ends[at]).all(axis=1).any():
            work.put(on, along, ends[at])
    before = sum(len(new) for new in work.more.values())
    work.settle()
    return before


def _crossings(
    work: _LineSet, layer: IndexArray, snap_m: float, *, join: bool
) -> tuple[FloatArray, IndexArray]:
    """Find where lines of one layer cross without a common vertex; join them there if asked to."""
    metric = work.metric()
    tree = shapely.STRtree(metric)
    one, other = tree.query(metric, predicate="intersects")
    mine = (one < other) & (layer[one] == layer[other])
    one, other = one[mine], other[mine]
    meet = shapely.intersection(metric[one], metric[other])
    points, pair = shapely.get_parts(meet, return_index=True)
    spot = shapely.get_type_id(points) == shapely.GeometryType.POINT
    points, pair = points[spot], pair[spot]
    places, pairs = [], []
    for point, index in zip(points, pair.tolist(), strict=True):
        a, b = int(one[index]), int(other[index])
        at = shapely.get_coordinates(point)[0]
        near_a, near_b = (np.hypot(*(work.xy[line] * work.scale - at).T).min() for line in (a, b))
        if near_a <= max(snap_m, _SAME_M) and near_b <= max(snap_m, _SAME_M):
            continue
        place = on_lattice(shapely.Point(at / work.scale))
        places.append((place.x, place.y))
        pairs.append((a, b))
        if join:
            for line in (a, b):
                along = float(shapely.line_locate_point(metric[line], point))
                work.put(line, along, np.array([place.x, place.y]))
    work.settle()
    return np.array(places).reshape(-1, 2), np.array(pairs, dtype=np.int64).reshape(-1, 2)


_Edge = tuple[int, int, int, int, FloatArray]


def _cut(work: _LineSet, layer: IndexArray) -> tuple[FloatArray, list[_Edge]]:
    """Cut each line where another one ends, and at vertices that one of its layer has too."""
    ends: set[complex] = set()
    uses: dict[tuple[complex, int], int] = {}
    keys = [[complex(x, y) for x, y in xy.tolist()] for xy in work.xy]
    for index, points in enumerate(keys):
        if len(points) < 2:
            continue
        ends |= {points[0], points[-1]}
        for key in points:
            mine = (key, int(layer[index]))
            uses[mine] = uses.get(mine, 0) + 1
    nodes: dict[complex, int] = {}
    edges: list[_Edge] = []
    for index, points in enumerate(keys):
        start, part = 0, 0
        for place in range(1, len(points)):
            last = place == len(points) - 1
            alone = uses[points[place], int(layer[index])] < 2 and points[place] not in ends
            if alone and not last:
                continue
            source = nodes.setdefault(points[start], len(nodes))
            target = nodes.setdefault(points[place], len(nodes))
            edges.append((index, part, source, target, work.xy[index][start : place + 1]))
            start, part = place, part + 1
    places = np.array([(key.real, key.imag) for key in nodes], dtype=float).reshape(-1, 2)
    return places, edges
