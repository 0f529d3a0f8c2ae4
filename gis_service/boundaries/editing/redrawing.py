"""A redraw of many grids at once: regions that tile their land, each given to a grid.

Only what is no border yet is drawn, so that today's borders keep their vertices and those who live
beyond them notice nothing. Regions are taken as they are: nothing is snapped. Nothing here knows
the store.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely

from gis_service.boundaries.linework.atoms import SLIVER_M2, CutGrids
from gis_service.boundaries.linework.lines import PER_DEGREE, segments_of, to_lattice
from gis_service.errors import InputError, Place

ALONG: Final = 2.0
"""Steps of the lattice: a line no farther than this from a border runs along it."""

IntArray = npt.NDArray[np.int64]


def find_new_lines(regions: Sequence[Any], borders: Sequence[IntArray]) -> list[IntArray]:
    """Take from the outlines of regions (lon, lat) what is no border yet: segments in steps."""
    rings = shapely.get_rings(shapely.get_parts(np.asarray(regions, dtype=object)))
    drawn = _ordered(segments_of(to_lattice(ring) for ring in rings)[0])
    there = _ordered(segments_of(borders)[0])
    drawn = np.unique(drawn, axis=0)
    both, times = np.unique(
        np.concatenate([drawn, np.unique(there, axis=0)]), axis=0, return_counts=True
    )
    twice = both[times > 1]
    count = np.unique(np.concatenate([drawn, twice]), axis=0, return_counts=True)[1]
    fresh = drawn[count == 1]
    if not len(fresh):
        return []
    corner = there[:, :2].min(axis=0)
    tree = shapely.STRtree(_lines(there - np.tile(corner, 2)))
    ends = (fresh - np.tile(corner, 2)).reshape(-1, 2, 2).astype(float)
    along = np.ones(len(fresh), dtype=bool)
    for places in (ends[:, 0], ends[:, 1], ends.mean(axis=1)):
        near = tree.query(shapely.points(places), predicate="dwithin", distance=ALONG)[0]
        along &= np.isin(np.arange(len(fresh)), near)
    return list(fresh[~along].reshape(-1, 2, 2))


def _ordered(segments: IntArray) -> IntArray:
    """Turn each segment so that its lower end comes first."""
    a, b = segments[:, :2], segments[:, 2:]
    swap = (a[:, 0] > b[:, 0]) | ((a[:, 0] == b[:, 0]) & (a[:, 1] > b[:, 1]))
    return np.where(swap[:, None], np.column_stack([b, a]), segments)


def _lines(segments: IntArray) -> Any:
    return shapely.linestrings(segments.reshape(-1, 2, 2).astype(float))


def give_regions(opened: CutGrids, regions: Mapping[str, Any]) -> IntArray:
    """Give each atom to the grid in whose region it lies; an error where they do not tile."""
    codes = np.array([opened.code(key) for key in regions], dtype=np.int64)
    owner = opened.old.copy()
    ours = np.flatnonzero(opened.old >= 0)
    inside = shapely.transform(
        shapely.point_on_surface(opened.cut.atoms[ours]),
        lambda xy: (xy + opened.origin) / PER_DEGREE,
    )
    tree = shapely.STRtree(np.array(list(regions.values()), dtype=object))
    atom, region = tree.query(inside, predicate="intersects")
    claims = np.bincount(atom, minlength=len(ours))
    wrong = np.flatnonzero((claims != 1) & (opened.area_m2[ours] >= SLIVER_M2))
    if len(wrong):
        x, y = shapely.get_coordinates(inside[wrong[0]])[0].tolist()
        key = "redraw_overlaps" if claims[wrong[0]] else "redraw_leaves_out"
        area = f"{float(opened.area_m2[ours[wrong[0]]]):,.0f}"
        raise InputError(
            f"boundaries.{key}", place=Place(feature=f"{x:.6f}, {y:.6f}"), area_m2=area
        )
    steps_m2 = float(opened.scale.prod()) * PER_DEGREE**2
    given_m2 = steps_m2 * sum(region.area for region in regions.values())
    beyond_m2 = given_m2 - float(opened.area_m2[ours].sum())
    if beyond_m2 >= SLIVER_M2:
        area = f"{beyond_m2:,.0f}"
        raise InputError("boundaries.redraw_beyond", place=Place(field="regions"), area_m2=area)
    owner[ours[atom[::-1]]] = codes[region[::-1]]
    lost = np.flatnonzero(claims == 0)
    if len(lost):
        owner[ours[lost]] = codes[tree.query_nearest(inside[lost], all_matches=False)[1]]
    return owner
