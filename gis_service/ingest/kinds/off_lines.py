"""Does a file of lines or borders lie on those that are there? Another system would say so.

A border or a road read in the wrong system is 100 to 700 m off and nothing fails; but the same
border or road is in the store already, and in one system the two fall together.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely

from gis_service.coordinate_systems import (
    CoordinateSystem,
    find_best_fit,
    from_cgcs2000,
    to_cgcs2000,
)
from gis_service.errors import HeldBackError
from gis_service.geodesy import GeometryArray

_SAMPLE: Final = 300
_DEGREE_M: Final = 111_320.0
_LEAST_SHARE: Final = 0.5
_CLEARLY: Final = 0.3


def hold_back_off_lines(
    key: str,
    file: str,
    system: CoordinateSystem,
    new_lines: GeometryArray,
    known_lines: GeometryArray,
    near_m: float,
) -> None:
    """Refuse lines that would lie on the known ones in another system."""
    sample = np.linspace(0, len(new_lines) - 1, min(_SAMPLE, len(new_lines))).astype(int)
    middles = shapely.line_interpolate_point(new_lines[sample], 0.5, normalized=True)
    x, y = from_cgcs2000(system, shapely.get_x(middles), shapely.get_y(middles))
    tree = shapely.STRtree(known_lines)

    def share_near(lon: npt.NDArray[np.float64], lat: npt.NDArray[np.float64]) -> float:
        is_finite = np.isfinite(lon) & np.isfinite(lat)
        points: Any = shapely.points(np.where(is_finite, lon, 0.0), np.where(is_finite, lat, 0.0))
        near_rows = tree.query(points, predicate="dwithin", distance=near_m / _DEGREE_M)[0]
        return len(np.unique(near_rows)) / len(sample)

    share = share_near(*to_cgcs2000(system, x, y))
    if share >= _LEAST_SHARE:
        return
    fit = find_best_fit(x, y, share_near, system)
    if fit.share >= share + _CLEARLY:
        raise HeldBackError(
            key, file=file, crs=system.code, percent=round(100 * share), fits=fit.system.code,
            fits_percent=round(100 * fit.share),
        )  # fmt: skip
