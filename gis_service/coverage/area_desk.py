"""Bands, districts and enclaves of the county as it is: what is read, kept ready and named.

The cells around the streets are made once for a network and a profile and kept by the process.
No household is named or counted here.
"""

import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.coverage.districts import Barrier, District, districts
from gis_service.coverage.measurement import Facilities, minutes_before_moving
from gis_service.coverage.network import FloatArray, IntArray, RoadNetwork
from gis_service.coverage.service_area import NOBODY, Reacher, StreetCells
from gis_service.coverage.standards import Standard, StandardBook
from gis_service.coverage.travel_time import by_rule
from gis_service.coverage.what_if import Prepared
from gis_service.coverage.what_if_desk import WhatIfDesk
from gis_service.errors import InputError, NotFoundError, Place
from gis_service.grids.reading import find_scheme, on_day
from gis_service.store import tables as t
from gis_service.store.bulk import read_arrays

_MOST: Final = 3
_MOTORWAY_HALF_M: Final = 5.0
MOST_LIMITS: Final = 12
SENDING_M: Final = 3.0
"""How far a border that is sent may be from the one that was drawn."""


@dataclass(frozen=True)
class AreaBand:
    """A band of minutes; lon, lat."""

    from_minutes: float
    to_minutes: float
    geometry: Any


@dataclass(frozen=True)
class NamedPiece:
    """A detached piece with the name of where it lies; lon, lat of a point in it."""

    name: str
    area_km2: float
    lon: float
    lat: float
    geometry: Any


@dataclass(frozen=True)
class NamedDistrict:
    """A district with its station's name; nobody's ground has no facility."""

    facility_id: int | None
    name: str
    grade: str
    area_km2: float
    limit_km2: float | None
    too_large: bool
    crosses: tuple[dict[str, Any], ...]
    detached: tuple[NamedPiece, ...]
    geometry: Any


class AreaDesk:
    """
    Cells by network and profile, shared by the threads of one process.

    Parameters
    ----------
    counties
        Keeps the county and its network ready.
    """

    def __init__(self, counties: WhatIfDesk) -> None:
        self._counties = counties
        self._lock = threading.Lock()
        self._cells: OrderedDict[tuple[str, str], tuple[RoadNetwork, StreetCells]] = OrderedDict()

    def _prepared(
        self, connection: sa.Connection, standard: str, scenario: str
    ) -> tuple[Prepared, StreetCells]:
        prepared, _ = self._counties.prepared(connection, SYSTEM, standard, scenario)
        key = (prepared.standard.profile, scenario)
        with self._lock:
            held = self._cells.get(key)
            if held is None or held[0] is not prepared.network:
                cells = StreetCells(prepared.ground.profiled, prepared.book.place)
                held = (prepared.network, cells)
                self._cells[key] = held
            self._cells.move_to_end(key)
            while len(self._cells) > _MOST:
                self._cells.popitem(last=False)
            return prepared, held[1]

    def areas(
        self,
        connection: sa.Connection,
        standard: str,
        scenario: str,
        limits: Sequence[float],
        facility_id: int | None = None,
    ) -> tuple[list[AreaBand], float]:
        """
        Draw the bands of all stations together, or of one.

        Parameters
        ----------
        connection
            An open transaction.
        standard, scenario
            Their codes.
        limits
            Minutes.
        facility_id
            Only this one.

        Returns
        -------
        bands, tolerance_minutes
            Rising; with several kinds, ground from where as many kinds as the rule asks for are
            reached.

        Raises
        ------
        InputError
            A limit cannot be, or there are too many.
        NotFoundError
            There is no such standard, scenario or facility.
        """
        wanted = limits_of(limits)
        prepared, cells = self._prepared(connection, standard, scenario)
        minutes = _rule_minutes(prepared, cells, facility_id, max(wanted))
        drawn, above = [], None
        for limit in wanted:
            shape = cells.to_lonlat(_lighter(cells.area(minutes, above, limit)))
            drawn.append(AreaBand(above or 0.0, limit, shape))
            above = limit
        sent = SENDING_M * prepared.book.place.off_road_minutes_per_m
        return drawn, cells.tolerance_minutes + sent

    def districts(
        self, connection: sa.Connection, standard: str, scenario: str, kind: str | None = None
    ) -> list[NamedDistrict]:
        """
        Divide the county among the stations of a standard.

        Parameters
        ----------
        connection
            An open transaction.
        standard, scenario
            Their codes.
        kind
            Which kind of station; the standard's first where it is left out.

        Returns
        -------
        list of NamedDistrict
            By facility; ground that none reaches last.

        Raises
        ------
        NotFoundError
            There is no such standard or scenario.
        InputError
            The standard has no such kind.
        """
        prepared, cells = self._prepared(connection, standard, scenario)
        if kind is not None and kind not in prepared.standard.kinds:
            raise InputError(
                "coverage.kind_not_in_standard",
                place=Place(field="kind"),
                kind=kind,
                known=", ".join(prepared.standard.kinds),
            )
        of_kind = np.flatnonzero(prepared.facilities.kind == (kind or prepared.standard.kinds[0]))
        reach = _reach(prepared, of_kind)
        places = shapely.points(prepared.facilities.lon[of_kind], prepared.facilities.lat[of_kind])
        rules = prepared.book.districts
        found = districts(
            cells,
            cells.owner(reach),
            list(cells.to_plane(places)),
            _outline(connection, cells),
            _barriers(connection, prepared.network, cells, prepared.book),
            rules,
        )
        names = _facility_names(connection)
        villages = _Villages(connection)
        return [
            _named(one, prepared.facilities, of_kind, names, villages, cells, prepared.book)
            for one in found
        ]

    def names_at(
        self, connection: sa.Connection, places: Sequence[tuple[float, float]]
    ) -> list[str]:
        """
        Name places by the ground they stand on.

        Parameters
        ----------
        connection
            An open transaction.
        places
            Lon, lat.

        Returns
        -------
        list of str
            The village or middle grid of each, or the nearest one.
        """
        villages = _Villages(connection)
        return [villages.name(shapely.Point(place)) for place in places]


def as_geojson(shape: Any) -> dict[str, Any]:
    """
    Write a geometry for sending.

    Parameters
    ----------
    shape
        Lon, lat.

    Returns
    -------
    dict
        GeoJSON, rounded to 7 decimals (1 cm).
    """
    rounded = shapely.transform(shape, lambda xy: np.round(xy, 7))
    found: dict[str, Any] = json.loads(shapely.to_geojson(rounded))
    return found


def limits_of(limits: Sequence[float]) -> list[float]:
    """
    Put limits in order.

    Parameters
    ----------
    limits
        Minutes as they were asked for.

    Returns
    -------
    list of float
        Rising, none twice.

    Raises
    ------
    InputError
        There is none, one is not above 0 or more than a day, or there are too many.
    """
    wanted = sorted(set(limits))
    if not wanted or len(wanted) > MOST_LIMITS or not (wanted[0] > 0 and wanted[-1] <= 1440):
        raise InputError("coverage.area_limits", place=Place(field="minutes"), most=MOST_LIMITS)
    return wanted


def _rule_minutes(
    prepared: Prepared, cells: StreetCells, facility_id: int | None, limit: float
) -> FloatArray:
    facilities, standard = prepared.facilities, prepared.standard
    if facility_id is not None:
        one = np.flatnonzero(facilities.facility_id == facility_id)
        if len(one) == 0:
            raise NotFoundError("coverage.no_facility_there", facility=facility_id)
        return cells.minutes(_reach(prepared, one, limit))
    by_kind = [
        cells.minutes(_reach(prepared, np.flatnonzero(facilities.kind == kind), limit))
        for kind in standard.kinds
    ]
    return by_rule(np.column_stack(by_kind), standard.kinds_needed)


def _reach(prepared: Prepared, of_kind: IntArray, limit: float = np.inf) -> Any:
    facilities, ground = prepared.facilities, prepared.ground
    standard: Standard = prepared.standard
    stations = ground.snapper.snap(
        facilities.lon[of_kind], facilities.lat[of_kind], prepared.book.place.snap_cap_m.value
    )
    reacher = Reacher(ground.profiled, standard.direction, prepared.book.place, ground.graph)
    begins = minutes_before_moving(facilities, of_kind, standard)
    return reacher.together(stations, begins, limit)


def _lighter(shape: Any) -> Any:
    """Leave out vertices that show nowhere, for sending: half the walk the tolerance allows."""
    light = shapely.simplify(shape, SENDING_M, preserve_topology=False)
    return light if shapely.is_valid(light) else shapely.make_valid(light, method="structure")


def _outline(connection: sa.Connection, cells: StreetCells) -> Any:
    scheme = find_scheme(connection, "base")
    state = t.grid_state.c
    top = (
        sa.select(sa.func.min(state.rank))
        .where(state.scheme_id == scheme.scheme_id, on_day(state.valid, None))
        .scalar_subquery()
    )
    rows = read_arrays(
        connection,
        sa.select(state.grid_id, state.geom.label("geometry")).where(
            state.scheme_id == scheme.scheme_id, state.rank == top, on_day(state.valid, None)
        ),
    )
    return shapely.union_all(cells.to_plane(rows["geometry"]))


def _barriers(
    connection: sa.Connection, network: RoadNetwork, cells: StreetCells, book: StandardBook
) -> list[Barrier]:
    barriers = []
    motorway = network.geometry[network.road_class == "motorway"]
    if len(motorway):
        body = shapely.union_all(shapely.buffer(cells.to_plane(motorway), _MOTORWAY_HALF_M))
        barriers.append(Barrier("motorway", "", body))
    cover = t.land_cover.c
    water = read_arrays(
        connection,
        sa.select(cover.land_cover_id, cover.name, cover.geom.label("geometry")).where(
            cover.kind == "water"
        ),
    )
    if len(water["geometry"]):
        bodies = cells.to_plane(water["geometry"])
        large = shapely.area(bodies) / 1e6 >= book.districts.large_river_km2.value
        barriers += [
            Barrier("river", str(name), body)
            for name, body in zip(water["name"][large], bodies[large], strict=True)
        ]
    return barriers


def _facility_names(connection: sa.Connection) -> dict[int, tuple[str, str]]:
    facility = t.facility.c
    rows = connection.execute(sa.select(facility.facility_id, facility.name, facility.grade))
    return {row.facility_id: (row.name, row.grade) for row in rows}


class _Villages:
    """Names of the ground: the grid of the second lowest level around a point."""

    def __init__(self, connection: sa.Connection) -> None:
        state = t.grid_state.c
        scheme = find_scheme(connection, "base")
        rows = read_arrays(
            connection,
            sa.select(state.grid_id, state.rank, state.name, state.geom.label("geometry")).where(
                state.scheme_id == scheme.scheme_id, on_day(state.valid, None)
            ),
        )
        ranks = np.unique(rows["rank"])
        at = rows["rank"] == ranks[max(len(ranks) - 2, 0)]
        self._names = rows["name"][at]
        self._tree = shapely.STRtree(rows["geometry"][at])

    def name(self, point: Any) -> str:
        found = self._tree.query_nearest(point)
        return str(self._names[found[0]]) if len(found) else ""


def _named(
    one: District,
    facilities: Facilities,
    of_kind: IntArray,
    names: dict[int, tuple[str, str]],
    villages: _Villages,
    cells: StreetCells,
    book: StandardBook,
) -> NamedDistrict:
    shape = cells.to_lonlat(_lighter(one.geometry))
    if one.station == NOBODY:
        return NamedDistrict(
            facility_id=None,
            name="",
            grade="",
            area_km2=one.area_km2,
            limit_km2=None,
            too_large=False,
            crosses=(),
            detached=(),
            geometry=shape,
        )
    facility_id = int(facilities.facility_id[of_kind[one.station]])
    name, grade = names[facility_id]
    limit_km2 = book.districts.limit_km2(grade)
    pieces = []
    for piece in one.detached:
        inside = cells.to_lonlat(piece.point_on_surface())
        pieces.append(
            NamedPiece(
                villages.name(inside),
                piece.area / 1e6,
                inside.x,
                inside.y,
                cells.to_lonlat(_lighter(piece)),
            )
        )
    return NamedDistrict(
        facility_id=facility_id,
        name=name,
        grade=grade,
        area_km2=one.area_km2,
        limit_km2=limit_km2,
        too_large=one.area_km2 > limit_km2,
        crosses=tuple(vars(crossing) for crossing in one.crosses),
        detached=tuple(pieces),
        geometry=shape,
    )
