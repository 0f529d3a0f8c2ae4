"""Districts of stations: the ground each of them serves, how large it is, and what it crosses.

Every piece of ground belongs to the station that serves the street nearest to it; a district that
falls into pieces keeps them. Pure: polygons and arrays in, polygons and figures out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from gis_service.coverage.areas.station_reach import NOBODY
from gis_service.coverage.areas.street_cells import StreetCells
from gis_service.coverage.network.graph import IntArray
from gis_service.coverage.standards.book import DistrictRules


@dataclass(frozen=True)
class Barrier:
    """What a district should not cross."""

    # ``motorway``, ``railway`` or ``river``.
    kind: str
    # Empty where it has none.
    name: str
    # Polygons in the plane of the cells; a line is given a width first.
    body: Any


@dataclass(frozen=True)
class Crossing:
    """A barrier and how much of the district lies beyond it, square kilometres."""

    kind: str
    name: str
    beyond_km2: float


@dataclass(frozen=True)
class District:
    """The ground of one station."""

    # Index of the station; ``NOBODY`` for ground that none reaches.
    station: int
    # In the plane of the cells, the station's own piece first, then by size.
    geometry: shapely.MultiPolygon
    # Of all pieces.
    area_km2: float
    # Pieces that do not touch the station's own, largest first; smaller ones than the rules say are
    # drawn and not listed.
    detached: tuple[shapely.Polygon, ...]
    # Barriers with ground beyond them.
    crosses: tuple[Crossing, ...]


def divide_into_districts(
    cells: StreetCells,
    owner: IntArray,
    stations: Sequence[shapely.Point],
    outline: Any,
    barriers: Sequence[Barrier],
    rules: DistrictRules,
) -> list[District]:
    """Divide the county among its stations; all is in the plane of the cells."""
    # Given back is one district a station that serves anything, then the ground that nobody serves,
    # if any; together they tile the county.
    shapely.prepare(outline)
    districts: list[District] = []
    for station in [*range(len(stations)), NOBODY]:
        served = shapely.intersection(cells.draw_ground_of(owner, station), outline)
        parts = _take_polygons(served)
        if len(parts) == 0:
            continue
        at = stations[station] if station != NOBODY else None
        parts = _put_own_first(parts, at)
        large = shapely.area(parts) / 1e6 >= rules.smallest_piece_km2.value
        districts.append(
            District(
                station=station,
                geometry=shapely.MultiPolygon(list(parts)),
                area_km2=float(shapely.area(parts).sum()) / 1e6,
                detached=tuple(parts[1:][large[1:]]) if at is not None else (),
                crosses=_find_crossed_barriers(parts, at, barriers, rules)
                if at is not None
                else (),
            )
        )
    return districts


def _take_polygons(shape: Any) -> Any:
    parts = shapely.get_parts(shape)
    return parts[
        (shapely.get_type_id(parts) == shapely.GeometryType.POLYGON) & (shapely.area(parts) > 0)
    ]


def _put_own_first(parts: Any, at: shapely.Point | None) -> Any:
    """Put the piece where the station stands first; beside its ground it owns the nearest."""
    order = np.argsort(-shapely.area(parts), kind="stable")
    if at is not None:
        own = int(np.argmin(shapely.distance(parts, at)))
        order = np.concatenate(([own], order[order != own]))
    return parts[order]


def _find_crossed_barriers(
    parts: Any, at: shapely.Point, barriers: Sequence[Barrier], rules: DistrictRules
) -> tuple[Crossing, ...]:
    crossings = []
    for barrier in barriers:
        beyond_m2 = 0.0
        for number, part in enumerate(parts):
            if not shapely.intersects(part, barrier.body):
                continue
            pieces = _take_polygons(shapely.difference(part, barrier.body))
            if len(pieces) < 2:
                continue
            sizes = shapely.area(pieces)
            own = int(np.argmin(shapely.distance(pieces, at))) if number == 0 else sizes.argmax()
            sizes[own] = 0.0
            beyond_m2 += float(sizes.sum())
        if beyond_m2 / 1e6 >= rules.smallest_piece_km2.value and beyond_m2 > 0:
            crossings.append(Crossing(barrier.kind, barrier.name, beyond_m2 / 1e6))
    return tuple(crossings)
