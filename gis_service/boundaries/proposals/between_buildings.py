"""Where to cut a block that no street or footpath parts: between its buildings, by short lines.

Each building has the land that is nearer to it than to any other one (Voronoi). Buildings are
halved again and again across the shortest quiet border that leaves both sides a fair share: far
from houses, or along a street that ends in the block.
Everything is metres in a local plane. Nothing here knows grids.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import scipy  # whose spatial is read when it is used
import shapely

from gis_service.geodesy import GeometryArray

OUTLINE_STEP_M: Final = 8.0
"""A footprint's outline is taken at so many metres, so that no line cuts a corner off."""
_DIRECTIONS: Final = 8
_QUIET_M: Final = 20.0
"""So far from the nearest building a metre of border counts half."""
_BESIDE_M: Final = 8.0
_STREET_SHARE: Final = 0.3
"""A metre so near to a street that ends in the block counts so much of that."""
_LIGHTER_SHARE: Final = 0.35
"""A side gets at least so much of the weight, where the buildings allow it."""

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def draw_lines_between(
    block: Any, buildings: GeometryArray, weight: FloatArray, limit: float, streets: GeometryArray
) -> GeometryArray:
    """Draw lines that part a block's buildings into groups no heavier than ``limit``."""
    places, owner = _sample_outlines(buildings)
    if len(places) < 2:
        return np.empty(0, dtype=object)
    ridges, beside = _draw_ridges(places, block)
    noise = _measure_noise(places[beside[:, 0]], ridges, streets)
    beside = owner[beside]
    apart = beside[:, 0] != beside[:, 1]
    ridges, beside, noise = ridges[apart], beside[apart], noise[apart]
    shapely.prepare(block)
    within = shapely.intersects_xy(block, ridges.mean(axis=1))
    lengths = np.hypot(*(ridges[:, 1] - ridges[:, 0]).T) * noise * within
    middles = shapely.get_coordinates(shapely.centroid(buildings))
    group = _halve(middles, weight, beside, lengths, limit)
    lines: Any = shapely.linestrings(ridges[group[beside[:, 0]] != group[beside[:, 1]]])
    return np.asarray(lines, dtype=object)


def _sample_outlines(buildings: GeometryArray) -> tuple[FloatArray, IntArray]:
    """Take outlines at even steps, each place once, with the building it belongs to."""
    dense = shapely.segmentize(buildings, OUTLINE_STEP_M)
    xy, owner = shapely.get_coordinates(dense, return_index=True)
    xy = np.round(xy, 2)
    _, first = np.unique(xy, axis=0, return_index=True)
    first.sort()
    return xy[first], owner[first].astype(np.int64)


def _draw_ridges(places: FloatArray, block: Any) -> tuple[FloatArray, IntArray]:
    """Draw the borders between nearest-place cells: ends, and the two places beside each."""
    west, south, east, north = block.bounds
    reach = 3 * max(east - west, north - south, 1.0)
    middle = np.array([(west + east) / 2, (south + north) / 2])
    # four places far out, so that every border between two real ones that counts has two ends
    far = middle + reach * np.array([[-1, -1.1], [1.1, -1], [1, 1.1], [-1.1, 1]])
    cells = scipy.spatial.Voronoi(np.concatenate([places, far]))
    ends = np.asarray(cells.ridge_vertices, dtype=np.int64)
    beside = np.asarray(cells.ridge_points, dtype=np.int64)
    inner = (ends >= 0).all(axis=1) & (beside < len(places)).all(axis=1)
    return cells.vertices[ends[inner]], beside[inner]


def _measure_noise(places: FloatArray, ridges: FloatArray, streets: GeometryArray) -> FloatArray:
    """Tell how unwelcome a metre of each border is: less far from houses, least along a street."""
    middles = ridges.mean(axis=1)
    noise: FloatArray = _QUIET_M / (_QUIET_M + np.hypot(*(middles - places).T))
    points = shapely.points(middles)
    near = shapely.STRtree(streets).query(points, predicate="dwithin", distance=_BESIDE_M)[0]
    noise[near] *= _STREET_SHARE
    return noise


def _halve(
    middles: FloatArray, weight: FloatArray, beside: IntArray, lengths: FloatArray, limit: float
) -> IntArray:
    """Halve buildings until no group is too heavy; give the number of each building's group."""
    group = np.zeros(len(middles), dtype=np.int64)
    waiting, count = [np.arange(len(middles))], 1
    while waiting:
        members = waiting.pop()
        if weight[members].sum() <= limit or (weight[members] > 0).sum() < 2:
            continue
        side = _find_shortest_cut(members, middles, weight, beside, lengths)
        group[members[side]] = count
        count += 1
        waiting += [members[~side], members[side]]
    return group


def _find_shortest_cut(
    members: IntArray,
    middles: FloatArray,
    weight: FloatArray,
    beside: IntArray,
    lengths: FloatArray,
) -> npt.NDArray[np.bool_]:
    """Tell which buildings lie on one side of the shortest line that parts them fairly."""
    position = np.full(len(middles), -1, dtype=np.int64)
    position[members] = np.arange(len(members))
    pairs = position[beside]
    inner = (pairs >= 0).all(axis=1)
    pairs, metres = pairs[inner], lengths[inner]
    best: tuple[float, float] = (np.inf, np.inf)
    chosen = np.zeros(len(members), dtype=bool)
    for turn in np.arange(_DIRECTIONS) * np.pi / _DIRECTIONS:
        along = middles[members] @ np.array([np.cos(turn), np.sin(turn)])
        order = np.argsort(along, kind="stable")
        rank = np.empty(len(members), dtype=np.int64)
        rank[order] = np.arange(len(members))
        first, last = rank[pairs].min(axis=1), rank[pairs].max(axis=1)
        opened = np.bincount(first, weights=metres, minlength=len(members))
        closed = np.bincount(last, weights=metres, minlength=len(members))
        border = np.cumsum(opened - closed)[:-1]  # after each place but the last
        share = np.cumsum(weight[members][order])[:-1] / weight[members].sum()
        unfair = np.maximum(_LIGHTER_SHARE - np.minimum(share, 1 - share), 0)
        place = int(np.lexsort((border, unfair))[0])
        cost = (float(unfair[place]), float(border[place]))
        if cost < best:
            best, chosen = cost, rank > place
    return chosen


__all__ = ["OUTLINE_STEP_M", "draw_lines_between"]
