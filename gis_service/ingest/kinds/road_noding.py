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

    def in_metres(self) -> GeometryArray:
        lines = np.empty(len(self.xy), dtype=object)
        for index, xy in enumerate(self.xy):
            lines[index] = shapely.LineString(xy * self.scale) if len(xy) > 1 else None
        return lines

    def add_vertex(self, line: int, along: float, place: FloatArray) -> None:
        self.more.setdefault(line, []).append((along, place))

    def insert_vertices(self) -> None:
        """Put the new vertices in, each at its place along the line; a near vertex is moved."""
        for line, new_vertices in self.more.items():
            xy = self.xy[line]
            metric = xy * self.scale
            steps = np.hypot(*np.diff(metric, axis=0).T)
            along = np.concatenate([[0.0], np.cumsum(steps)])
            vertices = [(float(distance), point) for distance, point in zip(along, xy, strict=True)]
            for position, place in new_vertices:
                near = [
                    i
                    for i, (distance, _) in enumerate(vertices[1:-1], 1)
                    if abs(distance - position) <= _SAME_M
                ]
                if near:
                    vertices[near[0]] = (vertices[near[0]][0], place)
                else:
                    vertices.append((position, place))
            ordered = sorted(vertices, key=lambda vertex: vertex[0])
            self.xy[line] = _without_repeated_points(np.array([point for _, point in ordered]))
        self.more = {}


def node_roads(
    lines: Sequence[Any] | GeometryArray,
    layers: Sequence[int],
    snap_m: float,
    *,
    cross: bool = False,
) -> NodedRoads:
    """Cut lines into the edges of a network."""
    line_set = _prepare_lines(lines)
    layer = np.asarray(layers, dtype=np.int64)
    joined = _join_ends(line_set, snap_m)
    lost = [index for index, xy in enumerate(line_set.xy) if len(xy) < 2]
    joined += _join_tees(line_set, layer, snap_m)
    places, pairs = _find_crossings(line_set, layer, snap_m, join=cross)
    nodes, edges = _cut_lines(line_set, layer)
    geometry = np.empty(len(edges), dtype=object)
    geometry[:] = [shapely.LineString(edge[4]) for edge in edges]
    numbers = np.array([edge[:4] for edge in edges], dtype=np.int64).reshape(-1, 4)
    return NodedRoads(
        nodes, numbers[:, 0], numbers[:, 1], numbers[:, 2], numbers[:, 3], geometry, joined,
        places, pairs, lost,
    )  # fmt: skip


def _prepare_lines(lines: Sequence[Any] | GeometryArray) -> _LineSet:
    array = on_lattice(shapely.force_2d(np.asarray(lines, dtype=object)))
    simplified = shapely.remove_repeated_points(array)
    xy = [shapely.get_coordinates(line) for line in simplified]
    lat = float(np.mean([points[:, 1].mean() for points in xy])) if xy else 0.0
    return _LineSet(xy, metres_per_degree(lat))


def _join_ends(line_set: _LineSet, snap_m: float) -> int:
    """Move ends that lie together onto the first of them."""
    count = len(line_set.xy)
    if not count:
        return 0
    ends = np.array([point for xy in line_set.xy for point in (xy[0], xy[-1])])
    pairs = KDTree(ends * line_set.scale).query_pairs(max(snap_m, _SAME_M), output_type="ndarray")
    links = coo_array(
        (np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(2 * count, 2 * count)
    )
    _, group = connected_components(links, directed=False)
    first_of_group = np.full(int(group.max()) + 1, -1, dtype=np.int64)
    order = np.arange(2 * count)[::-1]
    first_of_group[group[order]] = order
    joined_ends = ends[first_of_group[group]]
    moved = int((joined_ends != ends).any(axis=1).sum())
    for index, xy in enumerate(line_set.xy):
        xy[0], xy[-1] = joined_ends[2 * index], joined_ends[2 * index + 1]
        line_set.xy[index] = _without_repeated_points(xy)
    return moved


def _without_repeated_points(xy: FloatArray) -> FloatArray:
    keep = np.ones(len(xy), dtype=bool)
    keep[1:] = (xy[1:] != xy[:-1]).any(axis=1)
    return xy[keep]


def _join_tees(line_set: _LineSet, layer: IndexArray, snap_m: float) -> int:
    """Give a line a vertex where another one ends on it."""
    metric = line_set.in_metres()
    drawn = [index for index, xy in enumerate(line_set.xy) if len(xy) > 1]
    ends = np.array([point for index in drawn for point in line_set.xy[index][[0, -1]]])
    if not len(ends):
        return 0
    owner = np.repeat(drawn, 2)
    end, line = shapely.STRtree(metric).query(
        shapely.points(ends * line_set.scale), predicate="dwithin", distance=max(snap_m, _SAME_M)
    )
    # a bridge comes down to the ground, but nothing on the ground ends on a bridge above it
    reached = (layer[owner[end]] == layer[line]) | (layer[line] == 0)
    is_other = (owner[end] != line) & reached
    joined: set[tuple[int, complex]] = set()
    for end_index, target in zip(end[is_other].tolist(), line[is_other].tolist(), strict=True):
        point = shapely.Point(ends[end_index] * line_set.scale)
        target_line = metric[target]
        along = float(shapely.line_locate_point(target_line, point))
        near_end = min(along, target_line.length - along) <= max(snap_m, _SAME_M)
        key = (target, complex(*ends[end_index]))
        if near_end or key in joined:
            continue
        joined.add(key)
        if not (line_set.xy[target] == ends[end_index]).all(axis=1).any():
            line_set.add_vertex(target, along, ends[end_index])
    added = sum(len(new) for new in line_set.more.values())
    line_set.insert_vertices()
    return added


def _find_crossings(
    line_set: _LineSet, layer: IndexArray, snap_m: float, *, join: bool
) -> tuple[FloatArray, IndexArray]:
    """Find where lines of one layer cross without a common vertex; join them there if asked to."""
    metric = line_set.in_metres()
    tree = shapely.STRtree(metric)
    first, second = tree.query(metric, predicate="intersects")
    same_layer = (first < second) & (layer[first] == layer[second])
    first, second = first[same_layer], second[same_layer]
    intersections = shapely.intersection(metric[first], metric[second])
    points, pair = shapely.get_parts(intersections, return_index=True)
    is_point = shapely.get_type_id(points) == shapely.GeometryType.POINT
    points, pair = points[is_point], pair[is_point]
    places, pairs = [], []
    for point, index in zip(points, pair.tolist(), strict=True):
        a, b = int(first[index]), int(second[index])
        metric_xy = shapely.get_coordinates(point)[0]
        near_a, near_b = (
            np.hypot(*(line_set.xy[line] * line_set.scale - metric_xy).T).min() for line in (a, b)
        )
        if near_a <= max(snap_m, _SAME_M) and near_b <= max(snap_m, _SAME_M):
            continue
        place = on_lattice(shapely.Point(metric_xy / line_set.scale))
        places.append((place.x, place.y))
        pairs.append((a, b))
        if join:
            for line in (a, b):
                along = float(shapely.line_locate_point(metric[line], point))
                line_set.add_vertex(line, along, np.array([place.x, place.y]))
    line_set.insert_vertices()
    return np.array(places).reshape(-1, 2), np.array(pairs, dtype=np.int64).reshape(-1, 2)


_CutEdge = tuple[int, int, int, int, FloatArray]


def _cut_lines(line_set: _LineSet, layer: IndexArray) -> tuple[FloatArray, list[_CutEdge]]:
    """Cut each line where another one ends, and at vertices that one of its layer has too."""
    ends: set[complex] = set()
    uses: dict[tuple[complex, int], int] = {}
    keys = [[complex(x, y) for x, y in xy.tolist()] for xy in line_set.xy]
    for index, points in enumerate(keys):
        if len(points) < 2:
            continue
        ends |= {points[0], points[-1]}
        for key in points:
            layer_key = (key, int(layer[index]))
            uses[layer_key] = uses.get(layer_key, 0) + 1
    nodes: dict[complex, int] = {}
    edges: list[_CutEdge] = []
    for index, points in enumerate(keys):
        start, part = 0, 0
        for position in range(1, len(points)):
            is_last = position == len(points) - 1
            passes_through = (
                uses[points[position], int(layer[index])] < 2 and points[position] not in ends
            )
            if passes_through and not is_last:
                continue
            source = nodes.setdefault(points[start], len(nodes))
            target = nodes.setdefault(points[position], len(nodes))
            edges.append((index, part, source, target, line_set.xy[index][start : position + 1]))
            start, part = position, part + 1
    places = np.array([(key.real, key.imag) for key in nodes], dtype=float).reshape(-1, 2)
    return places, edges
