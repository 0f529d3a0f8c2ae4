"""Drawn rings as shapes: valid, nested, and without what nobody would see. Reads no store."""

from collections.abc import Sequence
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt
import shapely

from gis_service.coverage.areas import ring_kernels
from gis_service.coverage.network.graph import FloatArray, IntArray

SMALLEST_M2: Final = 1.0
"""What is smaller is a rounding error, not a piece."""


def generalise(shapes: Sequence[Any], finest_m: float) -> tuple[list[Any], float]:
    """Leave out vertices that show nowhere, of all shapes together so that they still meet."""
    drawn = np.empty(len(shapes), dtype=object)
    drawn[:] = [make_valid_area(shape) for shape in shapes]
    if shapely.is_empty(drawn).all():
        return list(drawn), 0.0
    light = shapely.coverage_simplify(drawn, finest_m)
    moved_m = max(
        _measure_moved_m(before, after) for before, after in zip(drawn, light, strict=True)
    )
    return [drop_specks(shape, finest_m * finest_m) for shape in light], moved_m


def drop_specks(shape: Any, smallest: float) -> shapely.MultiPolygon:
    """
    Leave out pieces and holes that are too small to be seen.

    Parameters
    ----------
    shape
        Polygon or MultiPolygon.
    smallest
        Area, in the square of the unit of the coordinates.

    Returns
    -------
    MultiPolygon
        Empty where nothing is left.
    """
    polygons = shapely.get_parts(shape)
    rings, owner = shapely.get_rings(polygons, return_index=True)
    is_shell = np.diff(owner, prepend=-1) > 0
    large: Any = shapely.area(shapely.polygons(rings)) >= smallest
    large &= large[is_shell][np.cumsum(is_shell) - 1]  # a hole goes with its shell
    if not large.any():
        return shapely.MultiPolygon()
    rings, is_shell = rings[large], is_shell[large]
    begins = np.append(np.flatnonzero(is_shell), len(rings))
    left: Any = shapely.polygons(rings[is_shell])
    for at in np.flatnonzero(np.diff(begins) > 1):
        shell, *holes = rings[begins[at] : begins[at + 1]]
        left[at] = shapely.Polygon(shell, holes)
    return shapely.MultiPolygon(list(left))


def _measure_moved_m(before: Any, after: Any) -> float:
    """How far vertices that went were from the line between those beside them that stayed."""
    rings = shapely.get_rings(shapely.get_parts(before))
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    at = xy[:, 0] + 1j * xy[:, 1]
    left = shapely.get_coordinates(after)
    stays = np.isin(at, left[:, 0] + 1j * left[:, 1])
    begins = np.searchsorted(ring, np.arange(len(rings)))
    ends = np.append(begins[1:], len(at)) - 1
    place = np.arange(len(at))
    last = np.maximum.accumulate(np.where(stays, place, -1))
    following = np.minimum.accumulate(np.where(stays, place, len(at))[::-1])[::-1]
    stayed = np.flatnonzero(stays)
    # Round the ring: before the first that stays comes the last one, and the other way.
    of_first = np.searchsorted(stayed, begins[ring])
    of_last = np.searchsorted(stayed, ends[ring], side="right") - 1
    gone = np.flatnonzero(~stays & (of_first <= of_last))  # a ring that went whole moved nowhere
    first, final = stayed[of_first[gone]], stayed[of_last[gone]]
    low = np.where(last[gone] < begins[ring[gone]], final, last[gone])
    high = np.where(following[gone] > ends[ring[gone]], first, following[gone])
    chord = at[high] - at[low]
    with np.errstate(invalid="ignore", divide="ignore"):
        along = ((at[gone] - at[low]) * chord.conj()).real / np.abs(chord) ** 2
    along = np.clip(np.nan_to_num(along), 0.0, 1.0)
    return float(np.abs(at[gone] - at[low] - along * chord).max(initial=0.0))


def nest_rings(
    x: FloatArray, y: FloatArray, ring: IntArray, area: FloatArray, of_band: IntArray, band: int
) -> shapely.MultiPolygon:
    """Give every hole to the shell around it."""
    wkb = ring_kernels.write_nested(x, y, ring, area, of_band, band, SMALLEST_M2)
    return cast("shapely.MultiPolygon", shapely.from_wkb(wkb.tobytes()))


def untangle_rings(
    x: FloatArray, y: FloatArray, ring: IntArray, area: FloatArray, of_band: IntArray, band: int
) -> shapely.MultiPolygon:
    """Give every hole to the smallest shell around it, and part rings that touch themselves."""
    kept = np.flatnonzero((np.abs(area) >= SMALLEST_M2) & (of_band == band))
    lines: Any = np.empty(len(kept), dtype=object)
    lines[:] = [
        shapely.LinearRing(np.column_stack((x[low:high], y[low:high])))
        for low, high in zip(ring[kept], ring[kept + 1], strict=True)
    ]
    area = area[kept]
    shells, holes = np.flatnonzero(area > 0), np.flatnonzero(area < 0)
    if len(shells) == 0:
        return shapely.MultiPolygon()
    of_shell = _find_shells(
        np.atleast_1d(shapely.polygons(lines[shells])), area[shells], lines[holes]
    )
    polygons: Any = np.empty(len(shells), dtype=object)
    polygons[:] = [
        shapely.Polygon(lines[shell], list(lines[holes[of_shell == place]]))
        for place, shell in enumerate(shells)
    ]
    return shapely.orient_polygons(make_valid_area(shapely.multipolygons(polygons)))


def make_valid_area(drawn: Any) -> shapely.MultiPolygon:
    """
    Make sure that what a kernel drew is valid, before anything else is done with it.

    Parameters
    ----------
    drawn
        MultiPolygon.

    Returns
    -------
    MultiPolygon
        As it is, or the same ground without what has no width.
    """
    if shapely.is_valid(drawn):
        return cast("shapely.MultiPolygon", drawn)
    # Each polygon by itself: together what lies twice in them would become a hole.
    parts = shapely.get_parts(shapely.make_valid(shapely.get_parts(drawn)))
    parts = shapely.get_parts(parts)
    whole = shapely.union_all(parts[shapely.get_dimensions(parts) == 2])
    return shapely.MultiPolygon(list(shapely.get_parts(whole)))


def _find_shells(
    shells: npt.NDArray[np.object_], area: FloatArray, holes: npt.NDArray[np.object_]
) -> IntArray:
    """Find the smallest shell around each hole; shells are asked, since they are prepared once."""
    smallest = np.full(len(holes), -1, np.int64)
    if len(holes) == 0:
        return smallest
    shapely.prepare(shells)
    corners = shapely.get_point(holes, 0)
    around, inside = shapely.STRtree(corners).query(shells, predicate="intersects")
    largest_first = np.argsort(-area[around], kind="stable")
    smallest[inside[largest_first]] = around[largest_first]
    return smallest
