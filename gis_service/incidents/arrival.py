"""Who gets to a place first, by which way, whether that is in time, and what is near it.

Minutes are those of a coverage run: from there to the place, turnout and the ways off the road
included. Officers, hazards and households are read through :func:`gis_service.access.visible`; a
list of households that need help is written to the record of who looked.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import sqlalchemy as sa

from gis_service.access import Actor, record
from gis_service.access.households import knows_address, write_address
from gis_service.coverage.county.parts import WALKED_METRES, get_router
from gis_service.coverage.network.graph import FloatArray, Snapped
from gis_service.coverage.standards.book import Standard, StandardBook, standard_book
from gis_service.coverage.travel.routes import Router, Ways
from gis_service.geodesy import distance_m
from gis_service.incidents import queries
from gis_service.snapshot import Snapshot

OFFICER: Final = "officer"
MOST_NEAR: Final = 200
"""So many things of a kind are listed; the count is of all."""
_DIGITS: Final = 7


@dataclass(frozen=True)
class RouteLine:
    """A way as GeoJSON, from the site to the place with the ways off the road."""

    type: str
    coordinates: list[tuple[float, float]]


@dataclass(frozen=True)
class Responder:
    """
    Somebody who can come.

    Attributes
    ----------
    kind
        A kind of facility, or ``officer``.
    minutes
        ``turnout_minutes``, ``road_minutes`` and ``off_road_minutes`` together.
    distance_m
        Along the roads; ``off_road_m`` is the rest, at both ends.
    route
        None where it was not asked for.
    """

    kind: str
    id: int
    name: str
    phone: str
    profile: str
    minutes: float
    turnout_minutes: float
    road_minutes: float
    off_road_minutes: float
    distance_m: float
    off_road_m: float
    lon: float
    lat: float
    route: RouteLine | None


@dataclass(frozen=True)
class InTime:
    """
    Whether help comes within the standard's limit.

    Attributes
    ----------
    status
        ``covered``, ``too_far``, ``unreachable``, ``off_network``, or ``no_facility``.
    minutes
        Of the first one; None where none arrives.
    source
        Of the limit.
    """

    standard: str
    kept: bool
    status: str
    minutes: float | None
    limit_minutes: float
    source: str


@dataclass(frozen=True)
class NearThing:
    """Something near, with its distance: straight, or along the ways one can walk."""

    kind: str
    id: int
    name: str
    grade: str | None
    distance_m: float
    lon: float
    lat: float


@dataclass(frozen=True)
class Near:
    """
    What is near a place.

    Attributes
    ----------
    radius_m, network_m
        Which of the two was asked.
    households
        Those that may need help to get out, by address; None to those who may not see them.
    counts
        By list, of all there are; without households for those who see none.
    """

    radius_m: float | None
    network_m: float | None
    hazards: list[NearThing]
    water_sources: list[NearThing]
    premises: list[NearThing]
    households: list[NearThing] | None
    counts: dict[str, int]


@dataclass(frozen=True)
class Arrivals:
    """
    The answer for one place.

    Attributes
    ----------
    status
        ``ok``; ``off_network`` where no road is near enough; ``no_roads``.
    arrivals
        The first of every kind, the quickest on top.
    kinds
        By kind, how many there are and how many of them arrive at all.
    fire_20
        By the standard that help is judged by; its own name stands in it.
    """

    lon: float
    lat: float
    status: str
    scenario: str
    off_road_m: float | None
    arrivals: list[Responder]
    kinds: dict[str, dict[str, int]]
    fire_20: InTime
    near: Near


@dataclass(frozen=True)
class _Site:
    kind: str
    id: int
    name: str
    phone: str
    turnout_minutes: float | None
    lon: float
    lat: float


def find_arrivals(
    connection: sa.Connection,
    actor: Actor,
    snapshot: Snapshot,
    lon: float,
    lat: float,
    *,
    first: int = 3,
    scenario: str = "normal",
    radius_m: float = 500.0,
    network_m: float | None = None,
    routes: bool = True,
) -> Arrivals:
    """
    Tell who gets to a place first, and what is near it.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    snapshot
        Of the process: holds the roads.
    lon, lat
        CGCS2000 degrees.
    first
        How many of each kind.
    scenario
        Such as ``normal`` or ``emergency_privilege``.
    radius_m
        What counts as near, straight.
    network_m
        Instead of it: so many metres on foot along the roads.
    routes
        Whether the ways are drawn.

    Returns
    -------
    Arrivals
        Minutes from there to the place.

    Raises
    ------
    NotFoundError
        There is no such scenario.
    """
    book = standard_book()
    sites_by_kind = _read_sites(connection, actor, book)
    responders: list[Responder] = []
    kinds: dict[str, dict[str, int]] = {}
    status, off_road_m = "ok", None
    ways_by_profile: dict[str, tuple[Router, Ways]] = {}
    quickest: dict[str, float] = {}
    for kind, sites in sites_by_kind.items():
        profile, turnout = _profile_and_turnout(book, kind)
        if profile not in ways_by_profile:
            profile_router = get_router(snapshot, connection, profile, scenario)
            if profile_router is None:
                status = "no_roads"
                kinds[kind] = {"count": len(sites), "arrive": 0}
                continue
            ways_by_profile[profile] = (profile_router, profile_router.find_ways_to(lon, lat))
        trip = _Trip(*ways_by_profile[profile], profile, (lon, lat), routes)
        first_of_kind, arrive = _find_first(trip, sites, turnout, first)
        kinds[kind] = {"count": len(sites), "arrive": arrive}
        quickest[kind] = first_of_kind[0].minutes if first_of_kind else math.inf
        responders += first_of_kind
    standard = book.standard(book.arrival.standard.value)
    judged_by = ways_by_profile.get(standard.profile)
    if judged_by is not None:
        if judged_by[1].place.edge[0] < 0:
            status = "off_network"
        else:
            off_road_m = round(float(judged_by[1].place.off_road_m[0]), 1)
    responders.sort(key=lambda responder: (responder.minutes, responder.kind, responder.id))
    return Arrivals(
        lon=lon,
        lat=lat,
        status=status,
        scenario=scenario,
        off_road_m=off_road_m,
        arrivals=responders,
        kinds=kinds,
        fire_20=_judge(book, standard, kinds, quickest, status),
        near=_read_near(connection, actor, snapshot, lon, lat, radius_m, network_m),
    )


def prepare_routers(snapshot: Snapshot, connection: sa.Connection) -> None:
    """
    Make the roads ready for those who come to places, before anybody asks for them.

    Parameters
    ----------
    snapshot
        Of the process.
    connection
        An open transaction.
    """
    book = standard_book()
    profiles = {rule.profile.value for rule in book.arrival.comers.values()}
    for profile in sorted(profiles | {book.standard(book.arrival.standard.value).profile}):
        get_router(snapshot, connection, profile)


def _profile_and_turnout(book: StandardBook, kind: str) -> tuple[str, float]:
    """By which profile a kind comes, and its turnout where the site has none of its own."""
    standard = book.standard(book.arrival.standard.value)
    if kind in standard.kinds:
        return standard.profile, standard.turnout_minutes.value
    rule = book.arrival.comers[kind]
    return rule.profile.value, rule.turnout_minutes.value


@dataclass(frozen=True)
class _Trip:
    """The ways to one place by one profile."""

    router: Router
    ways: Ways
    profile: str
    place: tuple[float, float]
    # Whether they are drawn.
    routes: bool


def _find_first(
    trip: _Trip, sites: Sequence[_Site], turnout: float, first: int
) -> tuple[list[Responder], int]:
    """Choose the first of one kind; also how many arrive at all."""
    if not sites:
        return [], 0
    snapped = trip.router.snap(
        np.array([site.lon for site in sites]), np.array([site.lat for site in sites])
    )
    turnouts = np.array(
        [turnout if site.turnout_minutes is None else site.turnout_minutes for site in sites]
    )
    minutes = trip.router.measure_minutes(trip.ways, snapped, turnouts)
    arriving = np.flatnonzero(np.isfinite(minutes))
    order = arriving[np.argsort(minutes[arriving], kind="stable")][:first]
    return [
        _responder(
            trip, snapped, int(index), sites[index], float(turnouts[index]), float(minutes[index])
        )
        for index in order
    ], len(arriving)


def _responder(
    trip: _Trip, snapped: Snapped, index: int, site: _Site, turnout: float, minutes: float
) -> Responder:
    router, ways = trip.router, trip.ways
    legs = router.find_way(ways, snapped, index)
    off_road_m = float(snapped.off_road_m[index] + ways.place.off_road_m[0])
    off_road = off_road_m * router.rules.off_road_minutes_per_m
    line = None
    if trip.routes:
        xy = np.vstack(([[site.lon, site.lat]], router.draw_line(legs), [trip.place]))
        line = RouteLine("LineString", [(x, y) for x, y in np.round(xy, _DIGITS).tolist()])
    return Responder(
        kind=site.kind,
        id=site.id,
        name=site.name,
        phone=site.phone,
        profile=trip.profile,
        minutes=round(minutes, 4),
        turnout_minutes=turnout,
        road_minutes=round(minutes - turnout - off_road, 4),
        off_road_minutes=round(off_road, 4),
        distance_m=round(router.measure_length_m(legs), 1),
        off_road_m=round(off_road_m, 1),
        lon=site.lon,
        lat=site.lat,
        route=line,
    )


def _judge(
    book: StandardBook,
    standard: Standard,
    kinds: dict[str, dict[str, int]],
    quickest: dict[str, float],
    status: str,
) -> InTime:
    limit = standard.limit_minutes
    minutes = min((quickest.get(kind, math.inf) for kind in standard.kinds), default=math.inf)
    arrives = math.isfinite(minutes)
    if arrives:
        outcome = "covered" if minutes <= limit.value else "too_far"
    elif not any(kinds.get(kind, {}).get("count") for kind in standard.kinds):
        outcome = "no_facility"
    else:
        outcome = "off_network" if status == "off_network" else "unreachable"
    return InTime(
        standard=book.arrival.standard.value,
        kept=outcome == "covered",
        status=outcome,
        minutes=minutes if arrives else None,
        limit_minutes=limit.value,
        source=limit.source,
    )


# --- who could come ----------------------------------------------------------------------------


def _read_sites(
    connection: sa.Connection, actor: Actor, book: StandardBook
) -> dict[str, list[_Site]]:
    standard = book.standard(book.arrival.standard.value)
    kinds = [*standard.kinds, *(kind for kind in book.arrival.comers if kind not in standard.kinds)]
    sites: dict[str, list[_Site]] = {kind: [] for kind in kinds}
    facility_kinds = [kind for kind in kinds if kind != OFFICER]
    for row in queries.read_facilities(connection, facility_kinds):
        sites[row.kind].append(_Site(*row))
    if OFFICER in sites:
        sites[OFFICER] = [
            _Site(OFFICER, row.id, row.name, row.phone, None, row.lon, row.lat)
            for row in queries.read_officers_at_work(connection, actor)
        ]
    return sites


# --- what is near ------------------------------------------------------------------------------


def _read_near(
    connection: sa.Connection,
    actor: Actor,
    snapshot: Snapshot,
    lon: float,
    lat: float,
    radius_m: float,
    network_m: float | None,
) -> Near:
    reach = _Reach(connection, snapshot, lon, lat, radius_m, network_m)
    tags = standard_book().arrival.care_tags.value
    box = reach.box
    hazards, hazard_count = reach.nearest(queries.read_hazards_in_box(connection, actor, box))
    water, water_count = reach.nearest(queries.read_water_sources_in_box(connection, box))
    premises, premises_count = reach.nearest(queries.read_premises_in_box(connection, actor, box))
    counts = {"hazards": hazard_count, "water_sources": water_count, "premises": premises_count}
    homes: list[NearThing] | None = None
    if queries.sees_households(actor):
        homes, counts["households"] = reach.nearest(
            queries.read_households_in_box(connection, actor, box, tags)
        )
        if not knows_address(actor, "help"):
            homes = None
        elif homes:
            after = {"households": len(homes), "for": "arrivals"}
            record(connection, actor, "see", "household", after=after)
    return Near(
        None if network_m is not None else radius_m,
        network_m,
        hazards,
        water,
        premises,
        homes,
        counts,
    )


class _Reach:
    """What lies within a distance of a place."""

    def __init__(
        self,
        connection: sa.Connection,
        snapshot: Snapshot,
        lon: float,
        lat: float,
        radius_m: float,
        network_m: float | None,
    ) -> None:
        self._place = lon, lat
        self._limit_m = radius_m if network_m is None else network_m
        self._router: Router | None = None
        self._ways: Ways | None = None
        self._by_network = network_m is not None
        if self._by_network:
            self._router = get_router(snapshot, connection, WALKED_METRES)
            self._ways = self._router.find_ways_to(lon, lat) if self._router else None

    @property
    def box(self) -> queries.Box:
        """Hold the circle: a degree of latitude is never below 110.5 km."""
        lon, lat = self._place
        high = self._limit_m / 110_500.0
        wide = high / max(math.cos(math.radians(min(abs(lat) + high, 89.0))), 0.01)
        return lon - wide, lat - high, lon + wide, lat + high

    def nearest(self, rows: queries.Rows) -> tuple[list[NearThing], int]:
        """List what is near, nearest first, and count all of it."""
        if not rows:
            return [], 0
        metres = self._metres(
            np.array([row.lon for row in rows], dtype=float),
            np.array([row.lat for row in rows], dtype=float),
        )
        order = [int(i) for i in np.argsort(metres, kind="stable") if metres[i] <= self._limit_m]
        things = [_near_thing(rows[index], float(metres[index])) for index in order[:MOST_NEAR]]
        return things, len(order)

    def _metres(self, lon: FloatArray, lat: FloatArray) -> FloatArray:
        straight = distance_m(*self._place, lon, lat)
        if not self._by_network:
            return straight
        if self._router is None or self._ways is None:
            return np.full(len(lon), np.inf)
        snapped = self._router.snap(lon, lat)
        # In metres instead of minutes, each metre off the road counts as one.
        roads = self._router.measure_minutes(self._ways, snapped) - self._off_minutes(snapped)
        place_m = float(self._ways.place.off_road_m[0])
        return np.asarray(np.maximum(roads + snapped.off_road_m + place_m, straight))

    def _off_minutes(self, snapped: Snapped) -> FloatArray:
        """Tell what the router took for the ways off the road, at both ends."""
        assert self._router is not None
        assert self._ways is not None
        per_m = self._router.rules.off_road_minutes_per_m
        sites = np.where(snapped.edge >= 0, snapped.off_road_m, 0.0)
        place = float(self._ways.place.off_road_m[0]) if self._ways.place.edge[0] >= 0 else 0.0
        return np.asarray((sites + place) * per_m)


def _near_thing(row: Any, metres: float) -> NearThing:
    name = row.name if hasattr(row, "name") else write_address(row)
    grade = getattr(row, "grade", None)
    return NearThing(row.kind, row.id, name, grade, round(metres, 1), row.lon, row.lat)
