"""Whether what a file holds is one region: not thousands of kilometres apart, not across 180°.

Grids are cut and measured on one plane around the middle of the region. Pure: degrees in, an error
out.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from gis_service.errors import InputError
from gis_service.geodesy import distance_m

MOST_KM: Final = 1000
"""From corner to corner; the largest counties span 600 km, and a plane is 0.3 % wrong by then."""
_GAP_KM: Final = 100

FloatArray = npt.NDArray[np.float64]


def check_extent(file: str, lonlat: FloatArray) -> None:
    """Refuse what is no one region."""
    if not len(lonlat):
        return
    lon = lonlat[:, 0]
    lon_eastward = lon % 360
    if np.ptp(lon) > 180 > np.ptp(lon_eastward):
        raise InputError("ingest.osm_across_180", file=file)
    low, high = lonlat.min(axis=0), lonlat.max(axis=0)
    km = float(distance_m(low[0], low[1], high[0], high[1])) / 1000
    if km <= MOST_KM:
        return
    gap, first = _find_widest_gap(lonlat)
    if gap < _GAP_KM:
        raise InputError("ingest.osm_too_wide", file=file, km=f"{km:,.0f}", most=f"{MOST_KM:,}")
    raise InputError(
        "ingest.osm_far_apart", file=file, gap=f"{gap:,.0f}",
        first=_describe_extent(lonlat[first]), second=_describe_extent(lonlat[~first]),
    )  # fmt: skip


def _find_widest_gap(lonlat: FloatArray) -> tuple[float, npt.NDArray[np.bool_]]:
    """Find the widest empty strip from north to south or east to west, km, and who is before it."""
    widest_km, is_before = 0.0, np.zeros(len(lonlat), dtype=bool)
    stretch = np.cos(np.radians(lonlat[:, 1].mean()))
    for axis, km_a_degree in ((0, 111.3 * stretch), (1, 111.3)):
        values = np.unique(lonlat[:, axis])
        steps = np.diff(values)
        if len(steps) and steps.max() * km_a_degree > widest_km:
            widest_km = float(steps.max() * km_a_degree)
            is_before = lonlat[:, axis] <= values[steps.argmax()]
    return widest_km, is_before


def _describe_extent(lonlat: FloatArray) -> str:
    (west, south), (east, north) = lonlat.min(axis=0), lonlat.max(axis=0)
    return f"{west:.2f}, {south:.2f} – {east:.2f}, {north:.2f}"
