"""Coordinates: lengths and areas on the ellipsoid, a local metric plane, the lattice.

All input is CGCS2000 (EPSG:4490) lon, lat in degrees, taken as identical to WGS 84. Nothing here
knows what a coordinate stands for.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyproj
import shapely

LATTICE: Final = 1e-9
"""Degrees (about 0.1 mm): every boundary vertex lies on a multiple of this."""
_PER_DEGREE: Final = 1e9  # dividing by it gives the double nearest to the decimal; times 1e-9 not

CGCS2000: Final = pyproj.Geod(a=6378137.0, rf=298.257222101)
"""The ellipsoid of GB 22021-2008; areas differ from WGS 84's in the 11th digit."""

FloatArray = npt.NDArray[np.float64]
GeometryArray = npt.NDArray[np.object_]
Geometries = Sequence[Any] | npt.NDArray[Any]
Projector = Callable[[npt.ArrayLike, npt.ArrayLike], tuple[FloatArray, FloatArray]]


def on_lattice(geometry: Any) -> Any:
    """
    Round every vertex to the lattice without moving topology otherwise.

    Parameters
    ----------
    geometry
        One geometry or an array of them.

    Returns
    -------
    same shape as the input
        Vertices rounded to :data:`LATTICE`.
    """
    return shapely.transform(geometry, lambda xy: np.round(xy * _PER_DEGREE) / _PER_DEGREE)


def area_m2(geometries: Any) -> FloatArray:
    """
    Measure polygons on the ellipsoid.

    Parameters
    ----------
    geometries
        (Multi)Polygons.

    Returns
    -------
    array of float
        Square metres; holes are subtracted, orientation does not matter, None and empty give 0.
    """
    array = np.atleast_1d(np.asarray(geometries, dtype=object))
    parts, owner = shapely.get_parts(array, return_index=True)
    areas = np.zeros(len(array))
    for part, index in zip(parts, owner, strict=True):
        areas[index] += _polygon_area(part)
    return areas


def _polygon_area(polygon: shapely.Polygon) -> float:
    if polygon.is_empty:
        return 0.0
    outer = abs(CGCS2000.polygon_area_perimeter(*_lonlat(polygon.exterior))[0])
    holes = sum(
        abs(CGCS2000.polygon_area_perimeter(*_lonlat(ring))[0]) for ring in polygon.interiors
    )
    return float(outer - holes)


def _lonlat(line: shapely.Geometry) -> tuple[FloatArray, FloatArray]:
    xy = shapely.get_coordinates(line)
    return xy[:, 0], xy[:, 1]


def length_m(lines: Any) -> FloatArray:
    """
    Measure lines on the ellipsoid, segment by segment.

    Parameters
    ----------
    lines
        LineStrings or MultiLineStrings.

    Returns
    -------
    array of float
        Metres; None and empty give 0.
    """
    array = np.atleast_1d(np.asarray(lines, dtype=object))
    parts, owner = shapely.get_parts(array, return_index=True)
    xy, index = shapely.get_coordinates(parts, return_index=True)
    if len(xy) < 2:
        return np.zeros(len(array))
    same = index[1:] == index[:-1]
    start, end = xy[:-1][same], xy[1:][same]
    metres = distance_m(start[:, 0], start[:, 1], end[:, 0], end[:, 1])
    total = np.bincount(owner[index[1:][same]], weights=metres, minlength=len(array))
    return np.asarray(total, dtype=float)


def distance_m(
    lon_from: npt.ArrayLike, lat_from: npt.ArrayLike, lon_to: npt.ArrayLike, lat_to: npt.ArrayLike
) -> FloatArray:
    """
    Measure between points on the ellipsoid.

    Parameters
    ----------
    lon_from, lat_from, lon_to, lat_to
        Degrees; arrays of one length or scalars.

    Returns
    -------
    array of float
        Metres.
    """
    arrays = np.broadcast_arrays(
        *(np.asarray(value, dtype=float) for value in (lon_from, lat_from, lon_to, lat_to))
    )
    flat = [np.ascontiguousarray(array).ravel() for array in arrays]
    if flat[0].size == 0:
        return np.zeros(arrays[0].shape)
    metres = CGCS2000.inv(flat[0], flat[1], flat[2], flat[3])[2]
    return np.asarray(metres, dtype=float).reshape(arrays[0].shape)


_NEAR_M: Final = 10_000.0
_NEAR_LAT: Final = 60.0


def near_distance_m(
    lon_from: FloatArray, lat_from: FloatArray, lon_to: FloatArray, lat_to: FloatArray
) -> FloatArray:
    """
    Measure between points of which most are near each other, ten times as fast.

    Parameters
    ----------
    lon_from, lat_from, lon_to, lat_to
        Degrees; flat arrays of one length.

    Returns
    -------
    array of float
        Metres: up to 10 km and 60° of latitude by the radii of curvature half way, which is within
        4 mm of the ellipsoid's own; beyond, as :func:`distance_m`.
    """
    sine = np.sin(np.radians((lat_from + lat_to) / 2))
    square = 1.0 - CGCS2000.es * sine * sine
    across = CGCS2000.a / np.sqrt(square)
    along = across * (1.0 - CGCS2000.es) / square
    east = across * np.sqrt(1.0 - sine * sine) * np.radians(lon_to - lon_from)
    metres = np.hypot(east, along * np.radians(lat_to - lat_from))
    is_near = (metres < _NEAR_M) & (np.abs(lat_from) < _NEAR_LAT) & (np.abs(lat_to) < _NEAR_LAT)
    is_far = np.flatnonzero(~is_near)
    metres[is_far] = distance_m(lon_from[is_far], lat_from[is_far], lon_to[is_far], lat_to[is_far])
    return np.asarray(metres)


def lon_degree_in_lat_degrees(lat: npt.ArrayLike) -> FloatArray:
    """
    Say how long a degree of longitude is beside one of latitude, on the ellipsoid.

    Parameters
    ----------
    lat
        Degrees.

    Returns
    -------
    array of float
        About the cosine; up to 0.7 % more, which decides which of two borders is the nearer.
    """
    phi = np.radians(lat)
    stretch = (1.0 - CGCS2000.es * np.sin(phi) ** 2) / (1.0 - CGCS2000.es)
    return np.asarray(np.maximum(np.cos(phi) * stretch, 1e-9))


@cache
def local_metres(lon0: float, lat0: float) -> tuple[Projector, Projector]:
    """
    Make a plane in metres around a place, for buffers and snapping.

    Parameters
    ----------
    lon0, lat0
        Where the plane touches, degrees.

    Returns
    -------
    to_xy, to_lonlat
        Each takes two arrays and gives two: a transverse Mercator of scale 1 along ``lon0``. 40 km
        away from it lengths are too long by 2 parts in 100,000.
    """
    plane = pyproj.CRS.from_proj4(
        f"+proj=tmerc +lat_0={lat0} +lon_0={lon0} +k=1 +x_0=0 +y_0=0 +ellps=GRS80 +units=m"
    )
    geographic = pyproj.CRS.from_epsg(4490)
    forward = pyproj.Transformer.from_crs(geographic, plane, always_xy=True)
    backward = pyproj.Transformer.from_crs(plane, geographic, always_xy=True)

    def to_xy(lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        x, y = forward.transform(np.asarray(lon, dtype=float), np.asarray(lat, dtype=float))
        return np.asarray(x), np.asarray(y)

    def to_lonlat(x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        lon, lat = backward.transform(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
        return np.asarray(lon), np.asarray(lat)

    return to_xy, to_lonlat


def in_metres(geometries: Geometries, lon0: float, lat0: float) -> GeometryArray:
    """
    Put geometries into the local plane.

    Parameters
    ----------
    geometries
        Lon, lat.
    lon0, lat0
        As for :func:`local_metres`.

    Returns
    -------
    array of geometries
        In metres.
    """
    to_xy, _ = local_metres(lon0, lat0)

    def project(xy: FloatArray) -> FloatArray:
        return np.column_stack(to_xy(xy[:, 0], xy[:, 1]))

    moved = shapely.transform(np.asarray(geometries, dtype=object), project)
    return np.asarray(moved, dtype=object)
