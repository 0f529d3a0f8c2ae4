"""Coordinates of other systems, to CGCS2000 and back: GCJ-02, BD-09 and whatever EPSG knows.

CGCS2000 is taken as identical to WGS 84. GCJ-02 (Amap, Tencent) and BD-09 (Baidu) shift every
point of mainland China, Hong Kong and Macao by 100–1,200 m and leave the rest of the world where
it is; both ways are exact to far below a millimetre. Nothing here guesses: a system is always
stated.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
import pyproj
import shapely
from pyproj.exceptions import CRSError, ProjError

from gis_service.errors import InputError

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Pair = tuple[FloatArray, FloatArray]

KNOWN: Final = "cgcs2000, wgs84, gcj02, bd09, EPSG:n"
"""What a user may state."""


@dataclass(frozen=True)
class CoordinateSystem:
    """
    A coordinate system that an input names.

    Attributes
    ----------
    code
        ``cgcs2000``, ``wgs84``, ``gcj02``, ``bd09`` or ``EPSG:n``.
    """

    code: str


@dataclass(frozen=True)
class Fit:
    """
    A way to read coordinates, and how well it fits.

    Attributes
    ----------
    system
        The system.
    swapped
        True where the two columns would have to change places.
    share
        Of all points, as the caller's measure says; 0 to 1.
    """

    system: CoordinateSystem
    swapped: bool
    share: float


_SAME: Final = ("cgcs2000", "wgs84")
_NAMES: Final = {
    "cgcs2000": "cgcs2000",
    "国家2000": "cgcs2000",
    "2000国家大地坐标系": "cgcs2000",
    "epsg:4490": "cgcs2000",
    "wgs84": "wgs84",
    "epsg:4326": "wgs84",
    "crs84": "wgs84",
    "ogc:crs84": "wgs84",
    "gcj02": "gcj02",
    "火星坐标": "gcj02",
    "火星坐标系": "gcj02",
    "amap": "gcj02",
    "高德": "gcj02",
    "tencent": "gcj02",
    "腾讯": "gcj02",
    "bd09": "bd09",
    "bd09ll": "bd09",
    "baidu": "bd09",
    "百度": "bd09",
}


def parse_crs(text: str) -> CoordinateSystem:
    """
    Read the name of a coordinate system.

    Parameters
    ----------
    text
        A name of :data:`KNOWN`; case, spaces, hyphens and underscores do not matter. EPSG:4490 is
        ``cgcs2000``, EPSG:4326 is ``wgs84``.

    Returns
    -------
    CoordinateSystem
        One that :func:`to_cgcs2000` can read.

    Raises
    ------
    InputError
        The name is not known, or the system has no plane or geographic coordinates, or nobody has
        published how it relates to CGCS2000.
    """
    name = re.sub(r"[\s_\-]", "", text).casefold().replace("：", ":")
    if name in _NAMES:
        return CoordinateSystem(_NAMES[name])
    number = re.fullmatch(r"epsg:?(\d{1,6})", name)
    if number is None:
        raise InputError("coordinates.unknown_crs", crs=text[:60], known=KNOWN)
    code = f"EPSG:{int(number[1])}"
    if code.casefold() in _NAMES:
        return CoordinateSystem(_NAMES[code.casefold()])
    _find_transformers(code)
    return CoordinateSystem(code)


def to_cgcs2000(system: CoordinateSystem, x: npt.ArrayLike, y: npt.ArrayLike) -> Pair:
    """
    Bring coordinates to CGCS2000.

    Parameters
    ----------
    system
        Of ``x`` and ``y``.
    x, y
        Longitude and latitude in degrees, of a projected system easting and northing in its own
        unit; scalars or arrays of one shape.

    Returns
    -------
    lon, lat
        Degrees, in the shape of the input. What is not finite, or lies where the system has no
        meaning, is NaN in both.
    """
    return _convert(system, x, y, to=True)


def from_cgcs2000(system: CoordinateSystem, lon: npt.ArrayLike, lat: npt.ArrayLike) -> Pair:
    """
    Bring CGCS2000 coordinates to another system.

    Parameters
    ----------
    system
        Of the result.
    lon, lat
        Degrees; scalars or arrays of one shape.

    Returns
    -------
    x, y
        As :func:`to_cgcs2000` takes them, in the shape of the input. What is not finite, or lies
        where the system has no meaning, is NaN in both.
    """
    return _convert(system, lon, lat, to=False)


def geometries_to_cgcs2000(
    system: CoordinateSystem, geometries: Sequence[object] | npt.NDArray[np.object_]
) -> npt.NDArray[np.object_]:
    """
    Bring geometries to CGCS2000, vertex by vertex.

    Parameters
    ----------
    system
        Of the vertices.
    geometries
        Shapely geometries; None stays None, a height is dropped.

    Returns
    -------
    array of geometries
        Lines are straight between the new vertices.
    """
    array = np.empty(len(geometries), dtype=object)
    array[:] = list(geometries)
    flat = shapely.force_2d(array)
    if system.code in _SAME:
        return np.asarray(flat, dtype=object)

    def moved(xy: FloatArray) -> FloatArray:
        return np.column_stack(to_cgcs2000(system, xy[:, 0], xy[:, 1]))

    return np.asarray(shapely.transform(flat, moved), dtype=object)


def find_best_fit(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    fits: Callable[[FloatArray, FloatArray], float],
    stated: CoordinateSystem | None = None,
) -> Fit:
    """
    Find the system in which coordinates would make the most sense, for a question to the sender.

    Parameters
    ----------
    x, y
        As they were read; arrays of one length.
    fits
        Takes CGCS2000 lon, lat (NaN where a reading has no meaning) and gives the share of points
        that fall where they should, 0 to 1.
    stated
        The system that the sender named; it is kept unless another one is better.

    Returns
    -------
    Fit
        The best reading: the three systems of web maps; for numbers too large for degrees the
        Gauss–Krüger zones of CGCS2000; each also with the columns swapped.
    """
    first, second = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    codes = ["cgcs2000", "gcj02", "bd09"]
    finite = np.isfinite(first) & np.isfinite(second)
    if np.any(np.abs(first[finite]) > 360) or np.any(np.abs(second[finite]) > 360):
        codes = [f"EPSG:{number}" for number in range(4491, 4555)]  # zones of 6 and 3 degrees
    systems = [CoordinateSystem(code) for code in codes]
    if stated is not None:
        systems = [stated, *(system for system in systems if system != stated)]
    readings = [
        Fit(system, swapped, fits(*to_cgcs2000(system, *pair)))
        for swapped, pair in ((False, (first, second)), (True, (second, first)))
        for system in systems
    ]
    return max(readings, key=lambda fit: fit.share)


# --- mainland China ----------------------------------------------------------------------------

_RECTANGLE: Final = (72.004, 0.8293, 137.8347, 55.8271)
"""West, south, east, north: outside of it every published converter leaves points alone."""

_ABROAD: Final = (
    # Parts of the rectangle without any of mainland China, Hong Kong or Macao, edges well away
    # from all of them: there, too, the map services publish WGS 84.
    (119.0, 21.7, 122.6, 24.3),  # Taiwan, south and middle, Penghu
    (120.1, 24.3, 122.6, 25.1),  # Taiwan, north
    (120.6, 25.1, 122.6, 25.8),
    (124.8, 0.0, 138.0, 38.0),  # Korea, Japan
    (124.8, 38.0, 138.0, 39.6),
    (131.8, 39.6, 138.0, 44.5),  # Sea of Japan, Vladivostok
    (97.0, 43.4, 109.8, 56.0),  # Mongolia
    (72.0, 49.8, 115.0, 56.0),  # Siberia
    (72.0, 42.8, 79.5, 49.8),  # Kazakhstan
    (72.0, 0.0, 77.8, 31.5),  # India, west
    (72.0, 0.0, 97.0, 26.2),  # India, south and east, Bangladesh, the Bay of Bengal
    (78.0, 26.2, 85.6, 27.8),  # Nepal
    (97.0, 0.0, 107.2, 20.9),  # Thailand, Laos, Cambodia, Malaysia
    (103.0, 20.9, 106.2, 21.8),  # Tonkin
    (119.8, 0.0, 138.0, 21.7),  # Philippines
)


def _is_shifted(lon: FloatArray, lat: FloatArray) -> BoolArray:
    """Tell where GCJ-02 and BD-09 shift."""
    west, south, east, north = _RECTANGLE
    is_shifted = (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
    for west, south, east, north in _ABROAD:
        is_shifted &= ~((lon > west) & (lon < east) & (lat > south) & (lat < north))
    return np.asarray(is_shifted)


# --- GCJ-02 and BD-09: the published formulas --------------------------------------------------

_AXIS_M: Final = 6378245.0  # Krasovsky 1940
_ECCENTRICITY_2: Final = 0.00669342162296594323
_BD_TURN: Final = np.pi * 3000.0 / 180.0
_ROUNDS: Final = 12  # each round of an inverse leaves about a 300th of the error: 5 would do


def _shift_to_gcj02(lon: FloatArray, lat: FloatArray) -> Pair:
    """Shift WGS 84 to GCJ-02: waves of some hundred metres, on the ellipsoid of Krasovsky."""
    x, y = lon - 105.0, lat - 35.0
    root = np.sqrt(np.abs(x))
    short = (20.0 * np.sin(6.0 * np.pi * x) + 20.0 * np.sin(2.0 * np.pi * x)) * 2.0 / 3.0
    north_m = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + short
    north_m += (20.0 * np.sin(np.pi * y) + 40.0 * np.sin(np.pi * y / 3.0)) * 2.0 / 3.0
    north_m += (160.0 * np.sin(np.pi * y / 12.0) + 320.0 * np.sin(np.pi * y / 30.0)) * 2.0 / 3.0
    east_m = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + short
    east_m += (20.0 * np.sin(np.pi * x) + 40.0 * np.sin(np.pi * x / 3.0)) * 2.0 / 3.0
    east_m += (150.0 * np.sin(np.pi * x / 12.0) + 300.0 * np.sin(np.pi * x / 30.0)) * 2.0 / 3.0
    phi = np.radians(lat)
    w2 = 1.0 - _ECCENTRICITY_2 * np.sin(phi) ** 2
    meridian_m = _AXIS_M * (1.0 - _ECCENTRICITY_2) / (w2 * np.sqrt(w2))
    parallel_m = _AXIS_M / np.sqrt(w2) * np.cos(phi)
    return lon + np.degrees(east_m / parallel_m), lat + np.degrees(north_m / meridian_m)


def _shift_to_bd09(lon: FloatArray, lat: FloatArray) -> Pair:
    """Shift GCJ-02 to BD-09: a small turn and stretch around (0, 0), and a step."""
    far = np.hypot(lon, lat) + 0.00002 * np.sin(lat * _BD_TURN)
    angle = np.arctan2(lat, lon) + 0.000003 * np.cos(lon * _BD_TURN)
    return far * np.cos(angle) + 0.0065, far * np.sin(angle) + 0.006


def _shift_twice_to_bd09(lon: FloatArray, lat: FloatArray) -> Pair:
    return _shift_to_bd09(*_shift_to_gcj02(lon, lat))


_SHIFTS: Final[dict[str, Callable[[FloatArray, FloatArray], Pair]]] = {
    "gcj02": _shift_to_gcj02,
    "bd09": _shift_twice_to_bd09,
}


def _undo_shift(
    shift: Callable[[FloatArray, FloatArray], Pair], x: FloatArray, y: FloatArray
) -> Pair:
    """Find what a shift brings to x, y: correct the guess by the error until it stands still."""
    lon, lat = x.copy(), y.copy()
    for _ in range(_ROUNDS):
        there_x, there_y = shift(lon, lat)
        step_x, step_y = x - there_x, y - there_y
        lon, lat = lon + step_x, lat + step_y
        if not np.any(np.abs(step_x) + np.abs(step_y) > 1e-13):
            break
    return lon, lat


def _convert_web_map(code: str, x: FloatArray, y: FloatArray, *, to: bool) -> Pair:
    """
    Convert where the shift holds; elsewhere the identity.

    Along an edge of the shifted area (kilometres away from mainland China) the two meet with a
    step: a point there may come from both sides, and then the one inside is the answer.
    """
    shift = _SHIFTS[code]
    near = (x > _RECTANGLE[0] - 1) & (x < _RECTANGLE[2] + 1)
    near &= (y > _RECTANGLE[1] - 1) & (y < _RECTANGLE[3] + 1)
    out_x, out_y = x.copy(), y.copy()
    if to:
        lon, lat = _undo_shift(shift, x[near], y[near])
        is_shifted = _is_shifted(lon, lat)
    else:
        is_shifted = _is_shifted(x[near], y[near])
        lon, lat = shift(x[near], y[near])
    shifted_index = np.flatnonzero(near)[is_shifted]
    out_x[shifted_index], out_y[shifted_index] = lon[is_shifted], lat[is_shifted]
    return out_x, out_y


# --- EPSG --------------------------------------------------------------------------------------


@cache
def _find_transformers(code: str) -> tuple[pyproj.Transformer, pyproj.Transformer]:
    """Make the way to CGCS2000 and the way back."""
    try:
        crs = pyproj.CRS.from_user_input(code)
    except CRSError as error:
        raise InputError("coordinates.unknown_crs", crs=code, known=KNOWN) from error
    if not (crs.is_geographic or crs.is_projected) or crs.is_compound:
        raise InputError("coordinates.not_flat", crs=code, name=crs.name)
    # CGCS2000 is the same as WGS 84 here: whichever EPSG knows a way to.
    for target in (4490, 4326):
        try:
            forward = pyproj.Transformer.from_crs(crs, target, always_xy=True, allow_ballpark=False)
            backward = pyproj.Transformer.from_crs(
                target, crs, always_xy=True, allow_ballpark=False
            )
        except ProjError:
            continue
        return forward, backward
    raise InputError("coordinates.no_way", crs=code, name=crs.name)


def _convert(system: CoordinateSystem, x: npt.ArrayLike, y: npt.ArrayLike, *, to: bool) -> Pair:
    x_array, y_array = np.broadcast_arrays(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
    shape = x_array.shape
    flat_x, flat_y = x_array.ravel().copy(), y_array.ravel().copy()
    finite = np.isfinite(flat_x) & np.isfinite(flat_y)
    flat_x[~finite] = np.nan
    flat_y[~finite] = np.nan
    if system.code not in _SAME:
        if system.code in _SHIFTS:
            converted = _convert_web_map(system.code, flat_x[finite], flat_y[finite], to=to)
        else:
            transformer = _find_transformers(system.code)[0 if to else 1]
            converted = transformer.transform(flat_x[finite], flat_y[finite])
        is_finite = np.isfinite(converted[0]) & np.isfinite(converted[1])
        flat_x[finite] = np.where(is_finite, converted[0], np.nan)
        flat_y[finite] = np.where(is_finite, converted[1], np.nan)
    return flat_x.reshape(shape), flat_y.reshape(shape)
