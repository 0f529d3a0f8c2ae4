"""Natural lines: each straight edge between two cells becomes a winding one that meets no other.

The line is a height over its edge. It keeps within a share of the diamond that the ends of the edge
and the two seeds span; the diamonds of all edges are disjoint, hence so are the lines.
"""

import numpy as np
from scipy.spatial import cKDTree

from scripts.demo_county.cells import Cells, cross
from scripts.demo_county.geography import Bools, Floats

DEPTH = 5
SHARE = 0.38
"""How much of the diamond a line may use at most."""


def heights(cells: Cells) -> tuple[Floats, Floats]:
    """
    Measure the diamonds: the room of a line on either side of its edge.

    Parameters
    ----------
    cells
        The cells.

    Returns
    -------
    tuple
        Two arrays (k, 33), metres: room to the left and to the right at even steps of the edge.
    """
    start, stop = cells.nodes[cells.edges[:, 0]], cells.nodes[cells.edges[:, 1]]
    along = stop - start
    square = (along**2).sum(axis=1)
    t = np.linspace(0.0, 1.0, 2**DEPTH + 1)[None, :]
    room = []
    for side in (0, 1):
        to_seed = cells.seeds[cells.sides[:, side]] - start
        height = np.abs(cross(along, to_seed)) / np.sqrt(square)
        foot = ((to_seed * along).sum(axis=1) / square)[:, None]
        rising = t / np.maximum(foot, 1e-3)
        falling = (1 - t) / np.maximum(1 - foot, 1e-3)
        room.append(height[:, None] * np.clip(np.minimum(rising, falling), 0, 1))
    return room[0], room[1]


def rough(count: int, roughness: float, rng: np.random.Generator) -> Floats:
    """
    Make fractal profiles that are zero at both ends.

    Parameters
    ----------
    count
        How many.
    roughness
        Ratio of the amplitude of a level of detail to that of the next coarser one.
    rng
        Where chance comes from.

    Returns
    -------
    numpy.ndarray
        Shape (count, 33).
    """
    profile = np.zeros((count, 2**DEPTH + 1))
    amplitude = 1.0
    for level in range(DEPTH):
        step = 2 ** (DEPTH - level)
        half = step // 2
        middle = 0.5 * (profile[:, :-1:step] + profile[:, step::step])
        profile[:, half::step] = middle + amplitude * rng.normal(0, 1, middle.shape)
        amplitude *= roughness
    return profile


def towards(cells: Cells, chosen: Bools, curve: Floats, reach_m: float) -> Floats:
    """
    Say how far a curve runs beside the chosen edges.

    Parameters
    ----------
    cells
        The cells.
    chosen
        Which edges follow the curve.
    curve
        Shape (n, 2), metres, dense.
    reach_m
        Where the curve is farther away than this it is left out of account.

    Returns
    -------
    numpy.ndarray
        Shape (number chosen, 33), metres left of the edge, zero at both ends.
    """
    start = cells.nodes[cells.edges[chosen, 0]][:, None, :]
    along = cells.nodes[cells.edges[chosen, 1]][:, None, :] - start
    t = np.linspace(0.0, 1.0, 2**DEPTH + 1)[None, :, None]
    points = start + t * along
    distance, nearest = cKDTree(curve).query(points)
    normal = np.stack([-along[..., 1], along[..., 0]], axis=-1)
    normal = normal / np.hypot(normal[..., 0], normal[..., 1])[..., None]
    offset = ((curve[nearest] - points) * normal).sum(axis=-1)
    offset = np.where(distance > reach_m, 0.0, offset)
    line = offset[:, :1] * (1 - t[..., 0]) + offset[:, -1:] * t[..., 0]
    return np.asarray(offset - line)


def winding(cells: Cells, amplitude: Floats, base: Floats, rng: np.random.Generator) -> Floats:
    """
    Draw the lines.

    Parameters
    ----------
    cells
        The cells.
    amplitude
        Shape (k,): 0 is nearly straight, 1 winds as wide as the room allows.
    base
        Shape (k, 33): the course the line would take without chance, metres left of the edge.
    rng
        Where chance comes from.

    Returns
    -------
    numpy.ndarray
        Shape (k, 33, 2), metres.
    """
    left, right = heights(cells)
    start, stop = cells.nodes[cells.edges[:, 0]], cells.nodes[cells.edges[:, 1]]
    along = stop - start
    length = np.hypot(along[:, 0], along[:, 1])
    t = np.linspace(0.0, 1.0, 2**DEPTH + 1)
    fine = rough(len(along), 0.48, rng) * np.sqrt(4 * t * (1 - t))[None, :]
    size = np.minimum(0.085 * length, 75.0)
    wish = base + amplitude[:, None] * size[:, None] * fine
    room = np.where(wish > 0, left, right)
    limit = SHARE * np.minimum(room, 0.6 * length[:, None])
    offset = limit * np.tanh(wish / np.maximum(limit, 1e-9))
    jitter = np.full(offset.shape, t) + rng.uniform(-0.3, 0.3, offset.shape) / 2**DEPTH
    jitter[:, 0], jitter[:, -1] = 0.0, 1.0
    # a height at a shifted place must keep within the room there
    at_left = np.minimum(left, np.minimum(np.roll(left, 1, axis=1), np.roll(left, -1, axis=1)))
    at_right = np.minimum(right, np.minimum(np.roll(right, 1, axis=1), np.roll(right, -1, axis=1)))
    inner = slice(1, -1)
    offset[:, inner] = np.clip(
        offset[:, inner],
        -0.45 * np.maximum(at_right[:, inner], 0.3 * right[:, inner]),
        0.45 * np.maximum(at_left[:, inner], 0.3 * left[:, inner]),
    )
    normal = np.column_stack([-along[:, 1], along[:, 0]]) / length[:, None]
    return np.asarray(
        start[:, None, :]
        + jitter[..., None] * along[:, None, :]
        + offset[..., None] * normal[:, None, :]
    )
