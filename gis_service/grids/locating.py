"""One place, asked by a person: whose grid it is, how near the border, and what lies beyond.

The grid itself comes from the locator (exact); distances are for people. A place outside
every grid is told so, with the nearest grid, and never given to it.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
import sqlalchemy as sa
from shapely import affinity

from gis_service.geodesy import distance_m
from gis_service.grids.locator import NO_GRID, Locator
from gis_service.grids.reading import (
    GridHead,
    GridName,
    SchemeKey,
    grid_head,
    on_day,
)
from gis_service.settings import number_settings
from gis_service.store import tables as t
from gis_service.store.tables import SRID

ON_BORDER_M: Final = 0.01
_CANDIDATES: Final = 16


@dataclass(frozen=True)
class Neighbour(GridName):
    """The nearest other grid, and how far its land is."""

    distance_m: float


@dataclass(frozen=True)
class Located:
    """
    The answer for one place.

    Attributes
    ----------
    grid
        Who answers for it; None outside every grid.
    nearest
        Outside: the nearest grid. Inside: the nearest other one.
    distance_m
        To the border of the grid, outside to the nearest grid; None where there is no grid at all.
    on_border
        Within 0.01 m of the border; the grid is then the one with the lowest id.
    near_border
        Within the setting ``GIS_NEAR_BORDER_M``.
    """

    lon: float
    lat: float
    grid: GridHead | None
    outside: bool
    nearest: Neighbour | None
    distance_m: float | None
    on_border: bool
    near_border: bool


def locate(
    connection: sa.Connection, scheme: SchemeKey, locator: Locator, lon: float, lat: float
) -> Located:
    """
    Find the grid of one place today.

    Parameters
    ----------
    connection
        An open transaction.
    scheme
        Which scheme.
    locator
        Of the scheme's version in force.
    lon, lat
        CGCS2000 degrees.

    Returns
    -------
    Located
        With distances in metres on the ellipsoid, to the nearest point of a border whose lines
        are straight in lon and lat.
    """
    found = int(locator.locate(lon, lat).grid_id[0])
    grid_id = None if found == NO_GRID else found
    others, own_border = _distances(connection, scheme, lon, lat, grid_id)
    nearest = min(others, key=lambda other: (other.distance_m, other.grid_id), default=None)
    reach = own_border if grid_id is not None else (nearest.distance_m if nearest else None)
    return Located(
        lon=lon,
        lat=lat,
        grid=grid_head(connection, grid_id) if grid_id is not None else None,
        outside=grid_id is None,
        nearest=nearest,
        distance_m=reach,
        on_border=reach is not None and reach <= ON_BORDER_M,
        near_border=reach is not None and reach <= number_settings().near_border_m,
    )


def _distances(
    connection: sa.Connection, scheme: SchemeKey, lon: float, lat: float, own: int | None
) -> tuple[list[Neighbour], float | None]:
    """Distances to the grids around, and to the border of the grid itself."""
    state = t.grid_state.c
    place = sa.func.ST_SetSRID(sa.func.ST_MakePoint(lon, lat), SRID)
    rows = connection.execute(
        sa.select(
            state.grid_id,
            state.name,
            state.code,
            state.rank,
            sa.func.ST_AsBinary(state.geom).label("wkb"),
        )
        .where(
            state.scheme_id == scheme.scheme_id,
            state.rank == scheme.base_rank,
            on_day(state.valid, None),
        )
        .order_by(state.geom.op("<->")(place))
        .limit(_CANDIDATES)
    )
    others: list[Neighbour] = []
    own_border = None
    for row in rows:
        land = shapely.from_wkb(bytes(row.wkb))
        if row.grid_id == own:
            own_border = _metres_to(shapely.boundary(land), lon, lat)
        else:
            metres = _metres_to(land, lon, lat)
            others.append(Neighbour(row.grid_id, row.name, row.code, row.rank, metres))
    return others, own_border


def _metres_to(shape: shapely.Geometry, lon: float, lat: float) -> float:
    """Distance on the ellipsoid to the nearest point of a shape.

    The nearest point is looked for with degrees of longitude shortened as at this latitude, which
    keeps the lines straight; only then is it measured.
    """
    shrink = max(math.cos(math.radians(lat)), 1e-9)
    narrow = affinity.scale(shape, shrink, 1.0, origin=(0.0, 0.0))
    line = shapely.shortest_line(shapely.Point(lon * shrink, lat), narrow)
    there = shapely.get_coordinates(line)[1]
    return float(np.asarray(distance_m(lon, lat, there[0] / shrink, there[1])))
