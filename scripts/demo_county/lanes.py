"""Local roads inside one face: blocks of streets in towns, winding lanes in the country."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial import Delaunay, QhullError

from scripts.demo_county.geography import Floats, Ints


@dataclass
class Plot:
    """A face free of water and motorway, metres, and the road vertices on its border."""

    shape: Any
    doors: Floats
    ring: Ints  # of each door: 0 on the outer border, 1 on that of a hole
    angle: float
    urban: bool


def _inside(shape: Any, pairs: Floats) -> Any:
    lines = shapely.linestrings(pairs)
    return shapely.covers(shape, lines)


def blocks(plot: Plot, spacing_m: float) -> list[tuple[Floats, str]]:
    """
    Lay a lattice of streets.

    Parameters
    ----------
    plot
        The face.
    spacing_m
        Between parallel streets.

    Returns
    -------
    list
        Lines (n, 2) in metres and their road class.
    """
    shapely.prepare(plot.shape)
    inner = plot.shape.buffer(-0.42 * spacing_m)
    if inner.is_empty:
        return []
    centre = np.asarray(plot.shape.centroid.coords[0])
    c, s = np.cos(plot.angle), np.sin(plot.angle)
    turn = np.array([[c, s], [-s, c]])  # row vectors: local = world @ turn.T
    xy = (shapely.get_coordinates(inner) - centre) @ turn.T
    low, high = xy.min(axis=0), xy.max(axis=0)
    ticks = []
    for k in (0, 1):
        n = max(1, round((high[k] - low[k]) / spacing_m))
        ticks.append(
            np.linspace(low[k], high[k], n + 1)[:40]
            if n > 1
            else np.array([0.5 * (low[k] + high[k])])
        )
    u, v = np.meshgrid(*ticks, indexing="ij")
    points = np.stack([u, v], axis=-1) @ turn + centre
    good = shapely.contains_xy(inner.buffer(0.5), points[..., 0], points[..., 1])
    lines: list[tuple[Floats, str]] = []
    for axis in (0, 1):
        p, q = (points[:-1], points[1:]) if axis == 0 else (points[:, :-1], points[:, 1:])
        g, h = (good[:-1], good[1:]) if axis == 0 else (good[:, :-1], good[:, 1:])
        pairs = np.stack([p[g & h], q[g & h]], axis=1)
        pairs = pairs[_inside(plot.shape, pairs)] if len(pairs) else pairs
        kind = "residential" if axis == 0 else "living_street"
        lines.extend((pair, kind) for pair in pairs)
    lines.extend(_doorways(plot, points, good, turn, spacing_m))
    return lines


def _doorways(
    plot: Plot, points: Floats, good: Any, turn: Floats, spacing_m: float
) -> list[tuple[Floats, str]]:
    """Lead the ends of the lattice out to the street around it."""
    if not len(plot.doors):
        return []
    padded = np.pad(good, 1)
    pairs = []
    for du, dv in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        beside = padded[1 + du : padded.shape[0] - 1 + du, 1 + dv : padded.shape[1] - 1 + dv]
        way = np.array([du, dv], dtype=float) @ turn
        for point in points[good & ~beside]:
            gap = plot.doors - point
            ahead = gap @ way
            aside = np.abs(gap @ np.array([-way[1], way[0]]))
            fits = (ahead > 3) & (ahead < 1.5 * spacing_m) & (aside < 0.45 * ahead)
            if fits.any():
                best = int(np.argmin(np.where(fits, ahead + aside, np.inf)))
                pairs.append(np.stack([point, plot.doors[best]]))
    if not pairs:
        return []
    every = np.stack(pairs)
    return [(pair, "residential") for pair in every[_inside(plot.shape.buffer(0.3), every)]]


def lanes(plot: Plot, count: int, rng: np.random.Generator) -> list[tuple[Floats, str]]:
    """
    Lay winding lanes that hang on the roads around.

    Parameters
    ----------
    plot
        The face.
    count
        Inner points wanted.
    rng
        Where chance comes from.

    Returns
    -------
    list
        Lines (n, 2) in metres and their road class.
    """
    inner = plot.shape.buffer(-22)
    if inner.is_empty or not len(plot.doors):
        return []
    x0, y0, x1, y1 = inner.bounds
    cloud = rng.uniform((x0, y0), (x1, y1), (6 * count, 2))
    hamlets = cloud[: max(2, count // 9)]
    near = hamlets[rng.integers(0, len(hamlets), 6 * count)] + rng.normal(0, 75, (6 * count, 2))
    points = np.where((rng.random(6 * count) < 0.6)[:, None], near, cloud)
    points = points[shapely.contains_xy(inner, points[:, 0], points[:, 1])][: 3 * count]
    kept: list[int] = []
    for i, point in enumerate(points):
        if len(kept) == count:
            break
        if not kept or np.hypot(*(points[kept] - point).T).min() > 32:
            kept.append(i)
    points = points[kept]
    some = np.arange(0, len(plot.doors), max(1, len(plot.doors) // 12))
    hole = np.flatnonzero(plot.ring == 1)[::8]
    some = np.unique(np.concatenate([some, hole]))
    doors, ring = plot.doors[some], plot.ring[some]
    every = np.concatenate([points, doors])
    if len(points) < 2 or len(every) < 4:
        return []
    try:
        triangles = Delaunay(every).simplices
    except QhullError:
        return []
    pairs = np.unique(
        np.sort(
            np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [0, 2]]]),
            axis=1,
        ),
        axis=0,
    )
    door = pairs >= len(points)
    pairs = pairs[~door.all(axis=1)]
    ends = every[pairs]
    wide = plot.shape.buffer(0.3)
    shapely.prepare(wide)
    fine = _inside(wide, ends)
    pairs, ends = pairs[fine], ends[fine]
    if not len(pairs):
        return []
    chosen = _tree(pairs, ends, len(points), ring, rng)
    return [
        (_curved(ends[i], wide, rng), _class(ends[i], pairs[i], len(points), rng)) for i in chosen
    ]


def _tree(pairs: Ints, ends: Floats, inner: int, ring: Ints, rng: np.random.Generator) -> list[int]:
    """
    Choose a tree over the inner points, and a few more lines that close loops.

    All doors of a ring count as one place.
    """
    length = np.hypot(*(ends[:, 0] - ends[:, 1]).T)
    place = np.concatenate([np.arange(inner), inner + ring])
    folded = place[pairs]
    weight = length * (1 + 0.5 * (pairs >= inner).any(axis=1))
    order = np.lexsort((weight, folded[:, 1], folded[:, 0]))
    first = np.ones(len(order), dtype=bool)
    first[1:] = (np.diff(folded[order], axis=0) != 0).any(axis=1)
    best = order[first]
    graph = coo_array(
        (weight[best], (folded[best, 0], folded[best, 1])), shape=(inner + 2, inner + 2)
    )
    tree = minimum_spanning_tree(graph.tocsr()).tocoo()
    name = {(int(a), int(b)): int(i) for i, (a, b) in zip(best, folded[best], strict=True)}
    picked = {
        name[min(a, b), max(a, b)]
        for a, b in zip(tree.row.tolist(), tree.col.tolist(), strict=True)
    }
    spare = [i for i in range(len(pairs)) if i not in picked and length[i] < 260]
    extra = rng.permutation(spare)[: max(1, round(0.16 * inner))].tolist() if spare else []
    return sorted(picked | set(extra))


def _curved(ends: Floats, shape: Any, rng: np.random.Generator) -> Floats:
    way = ends[1] - ends[0]
    t = np.array([0.0, 0.3, 0.6, 1.0]) if np.hypot(*way) > 70 else np.array([0.0, 0.5, 1.0])
    bend = rng.normal(0, 0.06) * np.sin(np.pi * t) + 0.025 * np.sin(2 * np.pi * t) * rng.normal()
    line = ends[0] + t[:, None] * way + bend[:, None] * np.array([-way[1], way[0]])
    return line if shapely.covers(shape, shapely.LineString(line)) else ends


def _class(ends: Floats, pair: Ints, inner: int, rng: np.random.Generator) -> str:
    if pair[1] >= inner:
        return "unclassified"
    draw = rng.random()
    long = np.hypot(*(ends[1] - ends[0])) > 120
    if long:
        return "track" if draw < 0.35 else "unclassified"
    return "service" if draw < 0.2 else "footway" if draw < 0.28 else "residential"
