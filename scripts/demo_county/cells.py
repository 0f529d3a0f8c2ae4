"""The smallest pieces of land of the demo county: Voronoi cells of seeds that know the country.

Seeds stand in mirrored pairs along rivers and main roads, so that cell borders follow these, on a
lattice in towns, so that borders are streets, and at random elsewhere. Nothing here knows grids.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import Voronoi, cKDTree

from scripts.demo_county import geography as geo
from scripts.demo_county.geography import Bools, Floats, Ints

REDRAWN_CENTRE = (8300.0, -1900.0)
REDRAWN_RADIUS_M = 1500.0


@dataclass(frozen=True)
class Cells:
    """
    Cells and the edges between them.

    ``seeds`` (n, 2) and ``nodes`` (m, 2) in metres; ``town`` (n,) the town whose street lattice a
    cell belongs to or -1; ``inside`` (n,) whether it is land of the county; ``edges`` (k, 2) node
    numbers; ``sides`` (k, 2) cell numbers, left and right of the edge.
    """

    seeds: Floats
    town: Ints
    inside: Bools
    nodes: Floats
    edges: Ints
    sides: Ints


def spacing_m(xy: Floats) -> Floats:
    """
    Say how far apart seeds stand in the open country.

    Parameters
    ----------
    xy
        Shape (n, 2), metres.

    Returns
    -------
    numpy.ndarray
        Shape (n,), metres.
    """
    to_town = np.full(len(xy), np.inf)
    for town in geo.TOWNS:
        to_town = np.minimum(
            to_town, np.hypot(xy[:, 0] - town.x, xy[:, 1] - town.y) - town.radius_m
        )
    wide = 560 + 0.22 * np.clip(to_town, 0, None)
    waves = 1 + 0.22 * np.sin(xy[:, 0] / 2900 + 1.3) * np.cos(xy[:, 1] / 3400 - 0.4)
    spacing = np.clip(wide, 520, 1330) * waves
    near = np.hypot(xy[:, 0] - REDRAWN_CENTRE[0], xy[:, 1] - REDRAWN_CENTRE[1])
    return np.asarray(np.where(near < REDRAWN_RADIUS_M, 0.52 * spacing, spacing))


def _pairs_along(curve: Floats, step_of: Floats, step_m: float) -> tuple[Floats, Floats]:
    """Mirrored pairs of seeds left and right of a curve, and the room each pair takes."""
    tangent = np.gradient(curve, axis=0)
    tangent /= np.hypot(tangent[:, 0], tangent[:, 1])[:, None]
    normal = np.column_stack([-tangent[:, 1], tangent[:, 0]])
    picked, at = [], 0.0
    while at < len(curve):
        picked.append(int(at))
        at += step_of[int(at)] / step_m
    index = np.asarray(picked)
    offset = 0.5 * step_of[index][:, None]
    points = np.stack(
        [curve[index] + offset * normal[index], curve[index] - offset * normal[index]], 1
    )
    return points, step_of[index]


def _lattice(town: geo.Town, rng: np.random.Generator) -> Floats:
    """Seeds of the town's street lattice; a border line passes through the centre both ways."""
    cut = []
    for _ in range(2):
        marks = []
        for sign in (1.0, -1.0):
            at = 0.0
            while at < 1.5 * town.radius_m:
                width = rng.uniform(215, 335) if town.radius_m > 1000 else rng.uniform(190, 300)
                marks.append(sign * (at + width / 2))
                at += width
        cut.append(np.asarray(marks))
    u, v = (grid.ravel() for grid in np.meshgrid(*cut))
    lobe = np.arctan2(v, u)
    reach = town.radius_m * (
        1 + 0.16 * np.cos(2 * lobe + town.x) + 0.10 * np.cos(3 * lobe + town.y)
    )
    keep = np.hypot(u, v) < reach
    u, v = u[keep], v[keep]
    cos, sin = np.cos(town.angle), np.sin(town.angle)
    return np.column_stack([town.x + u * cos - v * sin, town.y + u * sin + v * cos])


def _free(points: Floats, taken: list[Floats], room: Floats) -> Bools:
    """Which points keep their room to all seeds taken before."""
    if not taken:
        return np.ones(len(points), dtype=bool)
    distance, _ = cKDTree(np.concatenate(taken)).query(points)
    return np.asarray(distance > room)


def make_seeds(rng: np.random.Generator) -> tuple[Floats, Ints]:
    """
    Sow the seeds of the cells.

    Parameters
    ----------
    rng
        Where chance comes from.

    Returns
    -------
    tuple
        Seeds (n, 2) in metres, and for each the town whose lattice it is part of or -1.
    """
    taken: list[Floats] = []
    towns: list[Ints] = []

    def take(points: Floats, town: int) -> None:
        taken.append(points)
        towns.append(np.full(len(points), town))

    step = 20.0
    for _, _, control in geo.RIVERS:
        curve = geo.smooth_curve(control, step)
        pairs, room = _pairs_along(curve, np.clip(0.8 * spacing_m(curve), 330, 760), step)
        flat = pairs.reshape(-1, 2)
        free = _free(flat, taken, np.repeat(0.75 * room, 2)).reshape(-1, 2).all(axis=1)
        take(pairs[free].reshape(-1, 2), -1)
    for number, town in enumerate(geo.TOWNS):
        points = _lattice(town, rng)
        take(points[_free(points, taken, np.full(len(points), 205.0))], number)
    for link in geo.TOWN_LINKS:
        curve = geo.road_curve(link, step)
        pairs, room = _pairs_along(curve, np.clip(0.85 * spacing_m(curve), 300, 900), step)
        flat = pairs.reshape(-1, 2)
        free = _free(flat, taken, np.repeat(0.72 * room, 2)).reshape(-1, 2).all(axis=1)
        take(pairs[free].reshape(-1, 2), -1)
    scattered = rng.uniform(-25_000, 25_000, (60_000, 2))
    room = spacing_m(scattered)
    free = _free(scattered, taken, 0.78 * room)
    scattered, room = scattered[free], room[free]
    near = cKDTree(scattered).query_ball_point(scattered, 0.86 * room, return_sorted=True)
    alive = np.ones(len(scattered), dtype=bool)
    for i, others in enumerate(near):
        if alive[i]:
            alive[[j for j in others if j > i]] = False
    take(scattered[alive], -1)
    return np.concatenate(taken), np.concatenate(towns)


def make_cells(rng: np.random.Generator) -> Cells:
    """
    Make the cells of the county and a rim of cells outside it.

    Parameters
    ----------
    rng
        Where chance comes from.

    Returns
    -------
    Cells
        Every cell inside is closed and star-shaped about its seed.
    """
    seeds, town = make_seeds(rng)
    inside = geo.inside_outline(seeds)
    voronoi = Voronoi(seeds)
    sides = np.asarray(voronoi.ridge_points, dtype=np.int64)
    edges = np.asarray(voronoi.ridge_vertices, dtype=np.int64)
    inside = _one_piece(sides, inside)
    wanted = inside[sides].any(axis=1) & (edges >= 0).all(axis=1)
    sides, edges, nodes = sides[wanted], edges[wanted], np.asarray(voronoi.vertices)
    order = np.lexsort((sides[:, 1], sides[:, 0]))
    sides, edges = _turned(nodes, edges[order], sides[order], seeds)
    nodes, edges, sides = _without_short_edges(nodes, edges, sides, seeds)
    return Cells(seeds, town, inside, nodes, edges, sides)


def _one_piece(sides: Ints, inside: Bools) -> Bools:
    both = sides[inside[sides].all(axis=1)]
    size = len(inside)
    _, label = connected_components(
        coo_array((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(size, size)),
        directed=False,
    )
    biggest = np.bincount(label[inside]).argmax()
    return np.asarray(inside & (label == biggest))


def cross(a: Floats, b: Floats) -> Floats:
    """
    Take the cross product of plane vectors.

    Parameters
    ----------
    a, b
        Shape (n, 2).

    Returns
    -------
    numpy.ndarray
        Shape (n,), positive where ``b`` points left of ``a``.
    """
    return np.asarray(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])


def _turned(nodes: Floats, edges: Ints, sides: Ints, seeds: Floats) -> tuple[Ints, Ints]:
    """Order the sides so that the first is on the left of the edge."""
    along = nodes[edges[:, 1]] - nodes[edges[:, 0]]
    right = cross(along, seeds[sides[:, 0]] - nodes[edges[:, 0]]) < 0
    turned = sides.copy()
    turned[right] = sides[right][:, ::-1]
    return turned, edges


def _without_short_edges(
    nodes: Floats, edges: Ints, sides: Ints, seeds: Floats
) -> tuple[Floats, Ints, Ints]:
    """Draw the ends of very short edges together, where all cells stay star-shaped."""
    length = np.hypot(*(nodes[edges[:, 1]] - nodes[edges[:, 0]]).T)
    size = np.hypot(*(seeds[sides[:, 1]] - seeds[sides[:, 0]]).T)
    short = (length < 0.17 * size) & (length < 120)
    for _ in range(40):
        pairs = edges[short]
        _, label = connected_components(
            coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(nodes),) * 2),
            directed=False,
        )
        count = np.bincount(label)
        merged = np.column_stack([np.bincount(label, nodes[:, k]) / count for k in (0, 1)])
        new_edges = label[edges]
        kept = new_edges[:, 0] != new_edges[:, 1]
        start, stop = merged[new_edges[:, 0]], merged[new_edges[:, 1]]
        span = np.hypot(*(stop - start).T)
        height = np.minimum(
            cross(stop - start, seeds[sides[:, 0]] - start),
            -cross(stop - start, seeds[sides[:, 1]] - start),
        ) / np.maximum(span, 1e-9)
        bad = kept & (height < 0.12 * size)
        if not bad.any():
            break
        blamed = np.isin(label, np.unique(new_edges[bad]))
        before = short.copy()
        short &= ~blamed[edges[:, 0]]
        if (before == short).all():
            break
    used, compact = np.unique(new_edges[kept], return_inverse=True)
    return merged[used], compact.reshape(-1, 2).astype(np.int64), sides[kept]
