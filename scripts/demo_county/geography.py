"""The lie of the demo county: where its towns, rivers and main roads are, in metres.

Everything here is made up; only the rough place (112.9° E, 28.7° N) is on a real map. Metres are a
plain equirectangular plane that the demo alone uses: measuring is the service's own business.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

CENTRE_LON: Final = 112.9
CENTRE_LAT: Final = 28.7
METRES_PER_LON: Final = 97_640.0
METRES_PER_LAT: Final = 110_840.0

COUNTY_CODE: Final = "990101"
COUNTY_NAME: Final = "汀兰县"


@dataclass(frozen=True)
class Town:
    """A town: its name, centre (metres), radius of the built-up lattice (m), lattice angle."""

    name: str
    name_en: str
    code: str
    x: float
    y: float
    radius_m: float
    angle: float


TOWNS: Final = (
    Town("汀城街道", "Tingcheng", "001", 1500, -800, 1900, 0.10),
    Town("望湖镇", "Wanghu", "101", 3900, 13300, 760, -0.35),
    Town("芦林镇", "Lulin", "102", -9600, 13800, 700, 0.42),
    Town("白鹭镇", "Bailu", "103", 10400, -7600, 760, -0.22),
    Town("石埠镇", "Shibu", "104", -5900, -13700, 760, 0.30),
    Town("双渡镇", "Shuangdu", "105", -7600, 2900, 740, -0.15),
    Town("柳堰镇", "Liuyan", "106", 9800, 6300, 800, 0.25),
    Town("青枫镇", "Qingfeng", "107", -15300, 9300, 640, 0.55),
    Town("鹤溪镇", "Hexi", "108", 16000, 300, 660, -0.48),
    Town("沙洲镇", "Shazhou", "109", 3900, -15300, 720, 0.12),
    Town("樟岭镇", "Zhangling", "110", 12300, -14800, 620, -0.05),
    Town("荷坪镇", "Heping", "111", -14200, -12600, 640, 0.36),
    Town("松涧乡", "Songjian", "201", 13700, 13900, 560, 0.05),
    Town("云田乡", "Yuntian", "202", -15600, -2600, 560, -0.30),
    Town("竹泉乡", "Zhuquan", "203", -8900, -5900, 600, 0.18),
)

# Where main roads leave the county.
EXITS: Final = (
    (26_000.0, 1_500.0),
    (5_500.0, -26_000.0),
    (3_500.0, 26_000.0),
    (-26_000.0, -3_500.0),
    (-20_000.0, 24_000.0),
    (-21_000.0, -24_000.0),
    (24_000.0, 23_000.0),
)

TOWN_LINKS: Final = (
    # (town, town, road class, name); a negative number -k is EXITS[k - 1]
    (-2, 9, "trunk", "901国道"),
    (9, 0, "trunk", "901国道"),
    (0, 1, "trunk", "901国道"),
    (1, -3, "trunk", "901国道"),
    (0, 5, "primary", "双汀公路"),
    (5, 13, "primary", "云双公路"),
    (13, -4, "primary", "云双公路"),
    (0, 6, "primary", "汀柳大道"),
    (6, 12, "primary", "柳松公路"),
    (12, -7, "primary", "柳松公路"),
    (0, 8, "primary", "汀鹤公路"),
    (8, -1, "primary", "汀鹤公路"),
    (0, 3, "primary", "汀白公路"),
    (3, 10, "secondary", "白樟公路"),
    (10, 9, "secondary", "沙樟公路"),
    (4, 9, "primary", "石沙公路"),
    (4, 14, "secondary", "石竹公路"),
    (14, 0, "primary", "竹汀公路"),
    (14, 11, "secondary", "竹荷公路"),
    (11, -6, "secondary", "竹荷公路"),
    (14, 13, "secondary", "竹云公路"),
    (5, 7, "secondary", "双枫公路"),
    (5, 2, "primary", "双芦公路"),
    (2, 7, "secondary", "芦枫公路"),
    (2, -5, "primary", "双芦公路"),
    (2, 1, "secondary", "望芦公路"),
    (1, 6, "secondary", "望柳公路"),
    (6, 8, "secondary", "柳鹤公路"),
    (3, 8, "secondary", "白鹤公路"),
    (4, 11, "secondary", "石荷公路"),
)

RIVERS: Final = (
    # (name, half width at the start and end in metres, points)
    (
        "芷水",
        (88.0, 118.0),
        (
            (-9500, -28000), (-7200, -20500), (-2300, -15600), (-3700, -9600), (-1200, -4600),
            (-700, 600), (-3600, 6800), (-1900, 12300), (1100, 16900), (500, 21500), (2200, 28000),
        ),
    ),
    (
        "白鹭溪",
        (30.0, 44.0),
        (
            (28000, -7500), (20500, -6400), (14500, -9700), (8200, -10300), (3800, -8600),
            (-200, -9700), (-3600, -8900),
        ),
    ),
    (
        "青枫港",
        (30.0, 40.0),
        (
            (-28000, 4200), (-20000, 6700), (-14200, 5800), (-9300, 8400), (-5600, 7700),
            (-3300, 8100),
        ),
    ),
)  # fmt: skip

MOTORWAY: Final = (
    (-27000, -9300), (-18500, -8300), (-11500, -9400), (-4000, -11800), (3000, -12200),
    (8500, -11900), (15000, -11600), (20500, -10800), (27000, -9600),
)  # fmt: skip


def to_lonlat(xy: Floats) -> Floats:
    """
    Turn the demo's metres into degrees.

    Parameters
    ----------
    xy
        Shape (n, 2), metres east and north of the centre.

    Returns
    -------
    numpy.ndarray
        Shape (n, 2), lon and lat, CGCS2000, whole multiples of 1e-7 degrees.
    """
    lonlat = xy / (METRES_PER_LON, METRES_PER_LAT) + (CENTRE_LON, CENTRE_LAT)
    return np.asarray(np.round(lonlat, 7), dtype=np.float64)


def to_metres(lonlat: Floats) -> Floats:
    """
    Turn degrees into the demo's metres.

    Parameters
    ----------
    lonlat
        Shape (n, 2), lon and lat.

    Returns
    -------
    numpy.ndarray
        Shape (n, 2), metres east and north of the centre.
    """
    return np.asarray(
        (lonlat - (CENTRE_LON, CENTRE_LAT)) * (METRES_PER_LON, METRES_PER_LAT), dtype=np.float64
    )


def smooth_curve(points: npt.ArrayLike, step_m: float) -> Floats:
    """
    Draw a smooth curve through points.

    Parameters
    ----------
    points
        Shape (n, 2), metres.
    step_m
        Distance between the points returned.

    Returns
    -------
    numpy.ndarray
        Shape (m, 2), metres, evenly spaced along the curve.
    """
    fixed = np.asarray(points, dtype=np.float64)
    chord = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(fixed, axis=0).T))])
    spline = CubicSpline(chord, fixed)
    dense = np.asarray(spline(np.linspace(0.0, chord[-1], 4000)))
    run = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(dense, axis=0).T))])
    at = np.arange(0.0, run[-1], step_m)
    return np.column_stack([np.interp(at, run, dense[:, 0]), np.interp(at, run, dense[:, 1])])


def road_curve(link: tuple[int, int, str, str], step_m: float) -> Floats:
    """
    Draw the wished course of a main road between two towns, or from a town to the outside.

    Parameters
    ----------
    link
        One of :data:`TOWN_LINKS`.
    step_m
        Distance between the points returned.

    Returns
    -------
    numpy.ndarray
        Shape (m, 2), metres. It leaves each town along one of the axes of its street lattice.
    """
    ends = [_site(number) for number in link[:2]]
    way = np.subtract(ends[1][0], ends[0][0])
    length = float(np.hypot(*way))
    points = [ends[0][0]]
    for sign, (place, angle) in zip((1.0, -1.0), ends, strict=True):
        if angle is None:
            continue
        axes = [angle + k * np.pi / 2 for k in range(4)]
        best = max(axes, key=lambda a: float(np.dot((np.cos(a), np.sin(a)), sign * way)))
        reach = min(0.28 * length, 2600.0)
        points.append((place[0] + reach * np.cos(best), place[1] + reach * np.sin(best)))
    points.append(ends[1][0])
    control = np.asarray(points, dtype=np.float64)
    if len(control) == 4:
        t = np.linspace(0.0, 1.0, 400)[:, None]
        dense = (
            (1 - t) ** 3 * control[0]
            + 3 * (1 - t) ** 2 * t * control[1]
            + 3 * (1 - t) * t**2 * control[2]
            + t**3 * control[3]
        )
    else:
        t = np.linspace(0.0, 1.0, 400)[:, None]
        dense = (1 - t) ** 2 * control[0] + 2 * (1 - t) * t * control[1] + t**2 * control[2]
    run = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(dense, axis=0).T))])
    at = np.arange(0.0, run[-1], step_m)
    return np.column_stack([np.interp(at, run, dense[:, 0]), np.interp(at, run, dense[:, 1])])


def _site(number: int) -> tuple[tuple[float, float], float | None]:
    if number < 0:
        return EXITS[-number - 1], None
    town = TOWNS[number]
    return (town.x, town.y), town.angle


def inside_outline(xy: Floats) -> Bools:
    """
    Say which points lie inside the county's rough outline.

    Parameters
    ----------
    xy
        Shape (n, 2), metres.

    Returns
    -------
    numpy.ndarray
        Shape (n,), boolean.
    """
    angle = np.arctan2(xy[:, 1], xy[:, 0])
    reach = 19_900 * (
        1
        - 0.070 * np.cos(4 * angle)
        + 0.040 * np.cos(3 * angle + 0.9)
        + 0.032 * np.cos(5 * angle - 1.7)
        + 0.022 * np.cos(9 * angle + 0.4)
        + 0.016 * np.cos(14 * angle + 2.0)
    )
    return np.asarray(np.hypot(xy[:, 0], xy[:, 1]) < reach)
