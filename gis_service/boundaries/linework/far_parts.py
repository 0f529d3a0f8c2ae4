"""Is the land of a county one country? What lies across oceans is not measured in one plane."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely

from gis_service.errors import InputError, Place
from gis_service.geodesy import Geometries

MOST_APART_KM: Final = 1000.0
"""So much of nothing between two parts is more than one plane in metres can bear."""
_DEGREE_KM: Final = 111.32
_SQUARE_DEGREES: Final = 5
"""Land in one such square is taken as one piece, so that there are few to compare."""
_HALF_ROUND: Final = 180.0
_SHOWN: Final = 6


@dataclass(frozen=True)
class LandPart:
    """
    Land that hangs together, islands counted in.

    Attributes
    ----------
    places
        Which of the polygons have land in it.
    lon, lat
        Its middle, degrees.
    """

    places: tuple[int, ...]
    lon: float
    lat: float


def find_parts_apart(polygons: Geometries) -> list[LandPart]:
    """Divide land where there is nothing for a thousand kilometres."""
    pieces, owner = shapely.get_parts(np.asarray(polygons, dtype=object), return_index=True)
    is_land = ~shapely.is_empty(pieces)
    pieces, owner = pieces[is_land], owner[is_land]
    boxes = shapely.bounds(pieces)
    _, square = np.unique(np.floor(boxes[:, :2] / _SQUARE_DEGREES), axis=0, return_inverse=True)
    square = square.ravel()
    west, south = (np.full(square.max(initial=-1) + 1, np.inf) for _ in range(2))
    east, north = -west, -south
    for low, high, column in ((west, east, 0), (south, north, 1)):
        np.minimum.at(low, square, boxes[:, column])
        np.maximum.at(high, square, boxes[:, column + 2])
    shrink = np.cos(np.radians((south + north) / 2))
    across = np.maximum(west[:, None] - east, west - east[:, None]).clip(0)
    along = np.maximum(south[:, None] - north, south - north[:, None]).clip(0)
    gap_km = _DEGREE_KM * np.hypot(across * np.minimum(shrink[:, None], shrink), along)
    of_square = _number_connected(gap_km <= MOST_APART_KM)
    land_parts = []
    for number in np.unique(of_square):
        is_member = of_square == number
        lon = (west[is_member].min() + east[is_member].max()) / 2
        lat = (south[is_member].min() + north[is_member].max()) / 2
        places = np.unique(owner[is_member[square]])
        land_parts.append(LandPart(tuple(places.tolist()), float(lon), float(lat)))
    return sorted(land_parts, key=lambda part: -len(part.places))


def _number_connected(near: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Give what is near in steps the number of its first square; without reading scipy."""
    number = np.arange(len(near))
    while True:
        spread = np.where(near, number, len(near)).min(axis=1, initial=len(near))
        if np.array_equal(spread, number):
            return number
        number = spread


def refuse_apart(names: Sequence[str], polygons: Any) -> None:
    """
    Refuse grids that lie so far apart that nothing could be measured between them.

    Parameters
    ----------
    names
        Of the grids.
    polygons
        Their land, lon, lat.

    Raises
    ------
    InputError
        It says which parts, how many grids each has, and where; or which grid lies across 180°.
    """
    bounds = shapely.bounds(np.asarray(polygons, dtype=object))
    round_the_globe = np.flatnonzero(bounds[:, 2] - bounds[:, 0] > _HALF_ROUND)
    if len(round_the_globe):
        first = int(round_the_globe[0])
        raise InputError(
            "boundaries.land_across_180", place=Place(feature=str(names[first])), grid=names[first],
            west=f"{bounds[first, 0]:.4f}", east=f"{bounds[first, 2]:.4f}",
        )  # fmt: skip
    parts = find_parts_apart(polygons)
    if len(parts) < 2:
        return
    described = "; ".join(
        f"{names[part.places[0]]}{f' +{len(part.places) - 1}' if len(part.places) > 1 else ''}"
        f" ({part.lon:.2f}, {part.lat:.2f})"
        for part in parts[:_SHOWN]
    )
    second = parts[1].places[0]
    raise InputError(
        "boundaries.land_apart", place=Place(feature=str(names[second])), n=len(parts),
        km=f"{MOST_APART_KM:,.0f}", parts=described,
    )  # fmt: skip
