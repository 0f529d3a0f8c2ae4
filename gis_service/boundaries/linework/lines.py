"""Cutting a piece of noded linework on the lattice of whole numbers: pieces, atoms, chains.

Everything here is counted in steps of 1e-9° from a local corner, so that every comparison is exact.
A new vertex on an existing edge is put where the lattice comes nearest to that edge within a few
centimetres; so the land beside it keeps its area. Nothing here knows grids by more than their name.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely

from gis_service.errors import InputError
from gis_service.geodesy import GeometryArray

PER_DEGREE: Final = 1e9
SLIDE: Final = 500
"""Steps (5 cm) by which a crossing may move along an existing edge to lie on it more exactly."""
BENT: Final = 2.5e-10
"""Land that new vertices may take from a square as wide as their edge, as a share of it."""
_EXACT: Final = 100  # square steps: nothing is more exact than this
_TRIES: Final = 4096
AT_END: Final = 100
"""Steps (1 cm): a crossing that near to a vertex of an existing edge is taken to be the vertex."""
_MOST_ROUNDS: Final = 40

IntArray = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Arc:
    """A line between two nodes, with the grids beside it."""

    # Vertices in steps of the lattice (1e-9°), shape (n, 2).
    xy: IntArray
    # ``street``, ``water`` or ``other``.
    kind: str
    # Names of the grids along its direction; None for the outside.
    left: str | None
    right: str | None
    # Whether a planner drew it: not part of the version that was edited.
    drawn: bool = False

    @cached_property
    def line(self) -> shapely.LineString:
        """Lon, lat in degrees."""
        return shapely.LineString(self.xy / PER_DEGREE)


def to_lattice(geometry: Any) -> IntArray:
    """Count a geometry's vertices in steps of the lattice."""
    return np.rint(shapely.get_coordinates(geometry) * PER_DEGREE).astype(np.int64)


def segments_of(lines: Iterable[IntArray]) -> tuple[IntArray, IntArray]:
    """Take lines apart."""
    arrays = list(lines)
    if not arrays:
        return np.empty((0, 4), np.int64), np.empty(0, np.int64)
    xy = np.concatenate(arrays)
    line = np.repeat(np.arange(len(arrays)), [len(array) for array in arrays])
    same = line[1:] == line[:-1]
    segments = np.column_stack([xy[:-1], xy[1:]])[same]
    line = line[1:][same]
    long = (segments[:, :2] != segments[:, 2:]).any(axis=1)
    return segments[long], line[long]


# --- noding ------------------------------------------------------------------------------------


def node(segments: IntArray, cutters: IntArray) -> tuple[IntArray, IntArray]:
    """
    Cut segments where they meet.

    Parameters
    ----------
    segments
        Existing ones, shape (n, 4), that meet at their ends only.
    cutters
        New ones, shape (m, 4).

    Returns
    -------
    pieces, source
        Shape (k, 4), each along its source's direction, meeting at their ends only or equal; the
        source is a position in ``segments`` followed by ``cutters``.

    Raises
    ------
    InputError
        The lines do not come to rest on the lattice.
    """
    pieces = np.concatenate([segments, cutters])
    source = np.arange(len(pieces))
    boxes = _boxes_of(pieces)
    existing = source < len(segments)
    fresh = ~existing
    for _ in range(_MOST_ROUNDS):
        splits = _find_splits(pieces, boxes, existing, np.flatnonzero(fresh))
        if not splits:
            return pieces, source
        cut = np.array(sorted(splits), dtype=np.int64)
        parts = [
            _split_at(pieces[index], splits[index], existing=bool(existing[index]))
            for index in cut.tolist()
        ]
        counts = [len(part) for part in parts]
        keep = np.ones(len(pieces), dtype=bool)
        keep[cut] = False
        pieces = np.concatenate([pieces[keep], *parts])
        boxes = np.concatenate([boxes[keep], _boxes_of(np.concatenate(parts))])
        source = np.concatenate([source[keep], np.repeat(source[cut], counts)])
        existing = source < len(segments)
        fresh = np.zeros(len(pieces), dtype=bool)
        fresh[int(keep.sum()) :] = True
    raise InputError("boundaries.too_fine")


def _boxes_of(pieces: IntArray) -> GeometryArray:
    low, high = np.minimum(pieces[:, :2], pieces[:, 2:]), np.maximum(pieces[:, :2], pieces[:, 2:])
    return np.asarray(shapely.box(*low.T, *high.T), dtype=object)


def _find_splits(
    pieces: IntArray, boxes: GeometryArray, existing: Mask, fresh: IntArray
) -> dict[int, list[tuple[int, int]]]:
    """Find where a fresh piece meets another one elsewhere than end to end."""
    if not len(fresh):
        return {}
    low, high = np.minimum(pieces[:, :2], pieces[:, 2:]), np.maximum(pieces[:, :2], pieces[:, 2:])
    box_low, box_high = low[fresh].min(axis=0), high[fresh].max(axis=0)
    near = np.flatnonzero(((low <= box_high) & (high >= box_low)).all(axis=1))
    first_index, second_index = shapely.STRtree(boxes[near]).query(boxes[fresh])
    first_index, second_index = fresh[first_index], near[second_index]
    is_fresh = np.zeros(len(pieces), dtype=bool)
    is_fresh[fresh] = True
    once = (first_index != second_index) & (~is_fresh[second_index] | (first_index < second_index))
    first_index, second_index = first_index[once], second_index[once]
    # the existing one comes first: it keeps its place
    swap = existing[second_index] & ~existing[first_index]
    first_index, second_index = (
        np.where(swap, second_index, first_index),
        np.where(swap, first_index, second_index),
    )
    a, b, c, d = (
        pieces[first_index, :2],
        pieces[first_index, 2:],
        pieces[second_index, :2],
        pieces[second_index, 2:],
    )
    sides = [_turn_of(a, b, c), _turn_of(a, b, d), _turn_of(c, d, a), _turn_of(c, d, b)]
    mixed = existing[first_index] & ~existing[second_index]
    splits: dict[int, list[tuple[int, int]]] = {}
    for side, point, (start, end), index in (
        (sides[0], c, (a, b), first_index), (sides[1], d, (a, b), first_index),
        (sides[2], a, (c, d), second_index), (sides[3], b, (c, d), second_index),
    ):  # fmt: skip
        near_line = (side == 0) | (mixed & _within_a_step(point, start, end))
        on_line = np.flatnonzero(near_line & _strictly_between(point, start, end))
        side[on_line] = 0
        for row in on_line.tolist():
            splits.setdefault(int(index[row]), []).append((int(point[row, 0]), int(point[row, 1])))
    crossing = np.flatnonzero((sides[0] * sides[1] < 0) & (sides[2] * sides[3] < 0))
    for row in crossing.tolist():
        first, second = int(first_index[row]), int(second_index[row])
        place = _choose_crossing(pieces[first], pieces[second], slide=bool(existing[first]))
        for index in (first, second):
            if place not in (tuple(pieces[index, :2].tolist()), tuple(pieces[index, 2:].tolist())):
                splits.setdefault(index, []).append(place)
    return splits


def _turn_of(a: IntArray, b: IntArray, c: IntArray) -> npt.NDArray[np.int8]:
    along, to = b - a, c - a
    turn = np.sign(along[:, 0] * to[:, 1] - along[:, 1] * to[:, 0])
    return np.asarray(turn, dtype=np.int8)


def _within_a_step(point: IntArray, start: IntArray, end: IntArray) -> Mask:
    """Tell which points lie less than a step beside the line: what is snapped cannot be nearer."""
    along, to = (end - start).astype(float), (point - start).astype(float)
    across = np.abs(along[:, 0] * to[:, 1] - along[:, 1] * to[:, 0])
    return np.asarray(across < np.hypot(along[:, 0], along[:, 1]), dtype=bool)


def _strictly_between(point: IntArray, start: IntArray, end: IntArray) -> Mask:
    """Of points on the line through start and end, or a step beside it."""
    along = end - start
    along_line = ((point - start) * along).sum(axis=1)
    tip = (point == start).all(axis=1) | (point == end).all(axis=1)
    return np.asarray((along_line > 0) & (along_line < (along**2).sum(axis=1)) & ~tip, dtype=bool)


def _choose_crossing(first: IntArray, second: IntArray, *, slide: bool) -> tuple[int, int]:
    """Choose the lattice point for a crossing; on an existing edge the one that bends it least."""
    x0, y0, x1, y1 = first.tolist()
    u0, v0, u1, v1 = second.tolist()
    dx, dy, du, dv = x1 - x0, y1 - y0, u1 - u0, v1 - v0
    t = ((u0 - x0) * dv - (v0 - y0) * du) / (dx * dv - dy * du)
    x, y = x0 + t * dx, y0 + t * dy
    if not slide:
        return round(x), round(y)
    for end in ((x0, y0), (x1, y1)):
        if max(abs(x - end[0]), abs(y - end[1])) <= AT_END:
            return end
    return find_nearest_on(first, round(x), round(y))


def find_nearest_on(edge: IntArray, x: int, y: int) -> tuple[int, int]:
    """Find the lattice point near a place on an edge that lies on the edge most exactly."""
    x0, y0, x1, y1 = edge.tolist()
    flat = abs(x1 - x0) >= abs(y1 - y0)
    if not flat:
        x0, y0, x1, y1, x, y = y0, x0, y1, x1, y, x
    low, high = min(x0, x1) + 1, max(x0, x1) - 1
    across = np.arange(max(low, x - SLIDE), min(high, x + SLIDE) + 1, dtype=np.int64)
    if not len(across):
        return (x, y) if flat else (y, x)
    run, rise = x1 - x0, y1 - y0
    upright = y0 + np.floor_divide(2 * (across - x0) * rise + run, 2 * run)
    miss = np.abs((across - x0) * rise - (upright - y0) * run)
    enough = max(_EXACT, int(BENT * (run * run + rise * rise)))
    best = np.lexsort((np.abs(across - x), np.maximum(miss, enough)))[0]
    place = int(across[best]), int(upright[best])
    return place if flat else (place[1], place[0])


def _split_at(piece: IntArray, places: list[tuple[int, int]], *, existing: bool) -> IntArray:
    start, end = piece[:2], piece[2:]
    points = np.array(sorted(set(places)), dtype=np.int64)
    order = np.argsort(((points - start) * (end - start)).sum(axis=1), kind="stable")
    path = np.concatenate([[start], points[order], [end]])
    if existing:
        path = _level(path)
    parts = np.column_stack([path[:-1], path[1:]])
    segments: IntArray = parts[(parts[:, :2] != parts[:, 2:]).any(axis=1)]
    return segments


def _level(path: IntArray) -> IntArray:
    """Bend an edge back by one vertex more where its new vertices took land of one side."""
    local = path - path[0]
    area_taken = int((local[:-1, 0] * local[1:, 1] - local[:-1, 1] * local[1:, 0]).sum())
    steps = (path[1:] - path[:-1]).astype(float)
    if abs(area_taken) <= max(_EXACT, int(BENT * float((local[-1] ** 2).sum()))):
        return path
    longest = int(np.argmax(np.hypot(steps[:, 0], steps[:, 1])))
    (x0, y0), (x1, y1) = path[longest].tolist(), path[longest + 1].tolist()
    flat = abs(x1 - x0) >= abs(y1 - y0)
    if not flat:
        x0, y0, x1, y1, area_taken = y0, x0, y1, x1, -area_taken
    run, rise = x1 - x0, y1 - y0
    across = np.unique(np.linspace(x0, x1, _TRIES + 2)[1:-1].astype(np.int64))
    across = across[(across != x0) & (across != x1)]
    if not len(across):
        return path
    # the triangle start, new vertex, end has to give back what was taken: run·h - rise·a = taken
    needed = (across - x0) * rise + area_taken
    upright = y0 + np.floor_divide(2 * needed + run, 2 * run)
    miss = np.abs((upright - y0) * run - needed)
    best = int(np.argmin(miss))
    place = (int(across[best]), int(upright[best]))
    return np.insert(path, longest + 1, place if flat else place[::-1], axis=0)


# --- atoms -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cut:
    """Linework with a new line in it."""

    # Segments (k, 4) that meet at their ends only, each once.
    pieces: IntArray
    # Position of the existing segment a piece comes from; -1 for the new line's own.
    source: IntArray
    # How often the new line runs along a piece, odd or even.
    parity: Mask
    # Node at the start and at the end of each piece, shape (k, 2).
    nodes: IntArray
    # Place of each node.
    points: npt.NDArray[np.complex128]
    # The faces between the pieces, in steps of the lattice.
    atoms: GeometryArray
    # Atom beside each piece; ``len(atoms)`` is the outside.
    left: IntArray
    right: IntArray

    def spread(self, known: dict[int, Any], flips: Mask | None = None) -> list[Any]:
        """
        Spread what is known of some atoms over pieces of the new line to the others.

        Parameters
        ----------
        known
            Values of atoms.
        flips
            Pieces across which a truth value turns round; without it the value goes across the new
            line's own pieces only, unchanged.

        Returns
        -------
        list
            A value for each atom and, last, the outside.
        """
        beside: dict[int, list[tuple[int, bool]]] = {}
        across = np.flatnonzero(self.source < 0) if flips is None else np.arange(len(self.pieces))
        turned = np.zeros(len(self.pieces), dtype=bool) if flips is None else flips
        pairs = np.unique(
            np.column_stack([self.left[across], self.right[across], turned[across]]), axis=0
        )
        for left_atom, neighbour, turn in pairs.tolist():
            beside.setdefault(left_atom, []).append((neighbour, bool(turn)))
            beside.setdefault(neighbour, []).append((left_atom, bool(turn)))
        values: list[Any] = [None] * (len(self.atoms) + 1)
        is_known = [False] * (len(self.atoms) + 1)
        waiting = sorted(known)
        for index in waiting:
            values[index], is_known[index] = known[index], True
        while waiting:
            index = waiting.pop()
            for neighbour, turn in beside.get(index, ()):
                if not is_known[neighbour]:
                    values[neighbour] = (not values[index]) if turn else values[index]
                    is_known[neighbour] = True
                    waiting.append(neighbour)
        return values


def cut_linework(segments: IntArray, cutters: IntArray) -> Cut:
    """Put a new line into linework and find the faces."""
    pieces, source = node(segments, cutters)
    is_new = source >= len(segments)
    points, inverse = np.unique(_complex(pieces.reshape(-1, 2)), return_inverse=True)
    nodes = inverse.reshape(-1, 2)
    count = len(points)
    keys = nodes.min(axis=1) * count + nodes.max(axis=1)
    order = np.lexsort((source, keys))  # existing ones before new ones
    first = np.ones(len(order), dtype=bool)
    first[1:] = keys[order][1:] != keys[order][:-1]
    group = np.cumsum(first) - 1
    times = np.bincount(group, weights=is_new[order])
    first_of_each = order[first]
    if np.bincount(group, weights=~is_new[order]).max(initial=0) > 1:
        raise InputError("boundaries.too_fine")
    along = np.argsort(first_of_each, kind="stable")
    chosen = first_of_each[along]
    parity = (times[along] % 2).astype(bool)
    pieces, nodes = pieces[chosen], nodes[chosen]
    source = np.where(is_new[chosen], -1, source[chosen])
    atoms, left, right = _find_atoms(pieces, nodes, points)
    return Cut(pieces, source, parity, nodes, points, atoms, left, right)


def _complex(xy: npt.NDArray[Any]) -> npt.NDArray[np.complex128]:
    return np.asarray(xy[:, 0] + 1j * xy[:, 1], dtype=np.complex128)


def _find_atoms(
    pieces: IntArray, nodes: IntArray, points: npt.NDArray[np.complex128]
) -> tuple[GeometryArray, IntArray, IntArray]:
    lines = np.asarray(shapely.linestrings(pieces.reshape(-1, 2, 2).astype(float)), dtype=object)
    atoms = shapely.orient_polygons(shapely.get_parts(shapely.polygonize(lines)))
    rings, ring_atom = shapely.get_rings(atoms, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    count, outside = len(points), len(atoms)
    if not len(xy):
        none = np.full(len(pieces), outside)
        return atoms, none, none.copy()
    node_of_vertex = np.searchsorted(points, _complex(xy))
    same = ring[1:] == ring[:-1]
    directed = node_of_vertex[:-1][same] * count + node_of_vertex[1:][same]
    atom = ring_atom[ring[1:][same]]
    order = np.argsort(directed)
    directed, atom = directed[order], atom[order]

    def beside(keys: IntArray) -> IntArray:
        place = np.minimum(np.searchsorted(directed, keys), len(directed) - 1)
        return np.where(directed[place] == keys, atom[place], outside).astype(np.int64)

    forward = nodes[:, 0] * count + nodes[:, 1]
    backward = nodes[:, 1] * count + nodes[:, 0]
    return atoms, beside(forward), beside(backward)


# --- chains ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Link:
    """A piece on its way into an arc: its nodes, its kind, the grids beside it, who drew it."""

    start: int
    end: int
    kind: str
    left: str | None
    right: str | None
    drawn: bool = False

    def turned(self) -> "Link":
        """Look at it the other way round."""
        return Link(self.end, self.start, self.kind, self.right, self.left, self.drawn)


def join_links(links: list[Link], is_junction: Mask) -> list[list[Link]]:
    """Join pieces into arcs, each along one direction, in a fixed order."""
    links_at: dict[int, list[int]] = {}
    for index, link in enumerate(links):
        links_at.setdefault(link.start, []).append(index)
        links_at.setdefault(link.end, []).append(index)
    used = [False] * len(links)

    def follow(link: Link) -> list[Link]:
        path = [link]
        while True:
            node = path[-1].end
            if is_junction[node] or len(links_at[node]) != 2:
                return path
            ahead = next((index for index in links_at[node] if not used[index]), None)
            if ahead is None:
                return path
            after = links[ahead]
            after = after if after.start == node else after.turned()
            last = path[-1]
            if _marks_of(after) != _marks_of(last):
                return path
            used[ahead] = True
            path.append(after)

    arcs = []
    for index in sorted(range(len(links)), key=lambda i: (links[i].start, links[i].end)):
        if used[index]:
            continue
        used[index] = True
        forward = follow(links[index])
        back = follow(links[index].turned())[1:]
        path = [link.turned() for link in reversed(back)] + forward
        arcs.append(_in_order(path, is_junction))
    return arcs


def _marks_of(link: Link) -> tuple[str, str | None, str | None, bool]:
    return link.kind, link.left, link.right, link.drawn


def _in_order(path: list[Link], is_junction: Mask) -> list[Link]:
    """Give an arc the direction that begins at its lower end, a free ring its lowest node."""
    start = path[0].start
    if start == path[-1].end and is_junction[start]:
        return path if path[0].end < path[-1].start else [link.turned() for link in reversed(path)]
    if start == path[-1].end:
        lowest = min(range(len(path)), key=lambda i: path[i].start)
        path = path[lowest:] + path[:lowest]
        if path[0].end > path[-1].start:
            path = [link.turned() for link in reversed(path)]
        return path
    if path[0].start > path[-1].end:
        return [link.turned() for link in reversed(path)]
    return path
