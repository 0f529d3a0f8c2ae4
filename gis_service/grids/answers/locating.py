"""One place, asked by a person: whose grid it is, whom to call, what lies across the border.

The grid itself is exact; distances are for people. A place outside every grid is told so, with the
nearest grid, and never given to it. Every answer names its version and the day it speaks of.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, Literal

import sqlalchemy as sa

from gis_service.access import Actor
from gis_service.coordinate_systems import CoordinateSystem, find_best_fit, to_cgcs2000
from gis_service.errors import InputError, NotFoundError, Place
from gis_service.grids.answers import queries
from gis_service.grids.answers.border_roads import BorderRoad, BorderRoads, read_border_roads
from gis_service.grids.answers.directory import (
    Directory,
    GridCard,
    VersionDates,
    find_version_dates,
    read_directory,
)
from gis_service.grids.answers.on_post import Because, find_first_at_work
from gis_service.grids.answers.placing import FloatArray, PlacesFound, find_in_store
from gis_service.grids.locator.locator import NO_GRID
from gis_service.grids.reading import GridName, OfficerOnDuty, SchemeKey, find_scheme
from gis_service.grids.versions import Version, today
from gis_service.messages import Language, text
from gis_service.settings import number_settings

ON_BORDER_M: Final = 0.01
ALL: Final = "all"
"""Instead of a scheme's code: every scheme."""

Method = Literal["within", "border_tie", "outside"]
CGCS2000: Final = CoordinateSystem("cgcs2000")

_DEGREE_M: Final = 111_000.0
_METRE_DIGITS: Final = 3


@dataclass(frozen=True)
class Neighbour(GridName):
    """The grid on the other side of the nearest border, how far it is, and who answers there."""

    distance_m: float
    officers: list[OfficerOnDuty]


@dataclass(frozen=True)
class FirstCall:
    """
    Whom to ring first.

    Attributes
    ----------
    grid_id
        For which grid of the chain this officer answers.
    because
        ``post_a``; ``post_b`` where post A is held by nobody; ``a_on_leave`` where the officer of
        post A is on leave; ``head`` where the grid itself has nobody at work.
    """

    grid_id: int
    because: Because
    officer: OfficerOnDuty


@dataclass(frozen=True)
class GivenPlace:
    """A place as it was given."""

    crs: str
    x: float
    y: float
    notes: list[str]


@dataclass(frozen=True)
class SchemeAnswer:
    """
    The answer of one scheme for one place.

    Attributes
    ----------
    day
        Boundaries and officers are those of this day.
    method
        ``within``; ``border_tie``: a shared edge holds the place, the lowest id decided;
        ``outside``.
    grid
        Who answers for it; None outside every grid.
    call
        Whom to ring first; None where nobody is known, or the actor sees no officers.
    nearest
        Outside: the nearest grid. Inside: the one across the nearest border, None where the county
        ends there.
    distance_m
        To that border; None where there is no grid at all.
    on_border
        Within 0.01 m.
    near_border
        Within the setting ``GIS_NEAR_BORDER_M``.
    border_road
        The road along that border on which the place lies: then the officers of both grids are
        concerned.
    """

    scheme: str
    scheme_name: str
    day: date
    version: VersionDates
    method: Method
    grid: GridCard | None
    outside: bool
    call: FirstCall | None
    nearest: Neighbour | None
    distance_m: float | None
    on_border: bool
    near_border: bool
    border_road: BorderRoad | None


@dataclass(frozen=True)
class Suggestion:
    """
    Another way to read coordinates, by which the place lies in a grid.

    Attributes
    ----------
    crs
        The system they would have to be of.
    swapped
        True where latitude seems to have come first.
    lon, lat
        CGCS2000 degrees of the place they would mean.
    """

    crs: str
    swapped: bool
    lon: float
    lat: float


@dataclass(frozen=True)
class LocatedPlace(SchemeAnswer):
    """
    The answer for one place: of one scheme, and of every scheme where all are asked.

    Attributes
    ----------
    lon, lat
        CGCS2000 degrees.
    given
        As the place was given.
    suggestions
        Where the place is outside: other ways to read the coordinates that fall into a grid.
    schemes
        Every scheme's own answer where all are asked; the fields above are then the base scheme's.
    """

    lon: float
    lat: float
    given: GivenPlace
    suggestions: list[Suggestion]
    schemes: dict[str, SchemeAnswer] | None


class UnreadableError(InputError):
    """Coordinates that make no sense as stated, with the ways in which they would."""

    def __init__(
        self, key: str, suggestions: list[Suggestion], field: str = "lon", **values: object
    ) -> None:
        super().__init__(key, place=Place(field=field), **values)
        self.suggestions = suggestions

    def details(self, language: Language) -> dict[str, object]:
        """
        Offer the other readings.

        Parameters
        ----------
        language
            The reader's.

        Returns
        -------
        dict
            ``suggestions``, each with ``crs``, ``swapped``, ``lon``, ``lat`` and a sentence.
        """
        return {
            "suggestions": [
                {
                    "crs": suggestion.crs,
                    "swapped": suggestion.swapped,
                    "lon": suggestion.lon,
                    "lat": suggestion.lat,
                    "detail": describe_suggestion(suggestion, language),
                }
                for suggestion in self.suggestions
            ]
        }


def describe_suggestion(suggestion: Suggestion, language: Language) -> str:
    """
    Put another reading into words.

    Parameters
    ----------
    one
        The reading.
    language
        The reader's.

    Returns
    -------
    str
        A question to the sender.
    """
    key = "locate.suggest_swapped" if suggestion.swapped else "locate.suggest_system"
    return text(
        key, language, crs=suggestion.crs, lon=f"{suggestion.lon:.6f}", lat=f"{suggestion.lat:.6f}"
    )


# --- a place from what was given ---------------------------------------------------------------


def read_place(
    system: CoordinateSystem, x: float, y: float, fits: Callable[[FloatArray, FloatArray], float]
) -> tuple[float, float]:
    """
    Bring the coordinates of one place to CGCS2000.

    Parameters
    ----------
    system
        That they are of.
    x, y
        As given.
    fits
        Which share of places lies in a grid; asked only where the coordinates make no sense.

    Returns
    -------
    lon, lat
        Degrees.

    Raises
    ------
    UnreadableError
        They are no place on Earth in that system.
    """
    lon, lat = (float(value) for value in to_cgcs2000(system, x, y))
    if abs(lon) <= 180 and abs(lat) <= 90:
        return lon, lat
    suggestions = suggest_readings(system, x, y, fits)
    key = "locate.other_reading" if suggestions else "locate.no_place"
    raise UnreadableError(key, suggestions, x=x, y=y, crs=system.code)


def suggest_readings(
    system: CoordinateSystem, x: float, y: float, fits: Callable[[FloatArray, FloatArray], float]
) -> list[Suggestion]:
    """
    Look for another reading by which a place lies in a grid.

    Parameters
    ----------
    system
        The one that was stated.
    x, y
        As given.
    fits
        Which share of places (CGCS2000 degrees) lies in a grid.

    Returns
    -------
    list of Suggestion
        The best one, if there is any.
    """
    fit = find_best_fit([x], [y], fits, system)
    if fit.share == 0 or (fit.system == system and not fit.swapped):
        return []
    pair = (y, x) if fit.swapped else (x, y)
    lon, lat = (float(value) for value in to_cgcs2000(fit.system, *pair))
    return [Suggestion(fit.system.code, fit.swapped, round(lon, 9), round(lat, 9))]


# --- the answer --------------------------------------------------------------------------------


def make_answer(
    directory: Directory,
    roads: BorderRoads | None,
    findings: PlacesFound,
    index: int,
    lon: float,
    lat: float,
) -> SchemeAnswer:
    """Say what was found of one place."""
    grid_id, beyond = int(findings.grid_id[index]), int(findings.beyond[index])
    metres = float(findings.distance_m[index])
    outside = grid_id == NO_GRID
    has_distance = metres < float("inf")
    nearest = None
    if beyond != NO_GRID:
        name = directory.name(beyond)
        nearest = Neighbour(
            name.grid_id, name.name, name.code, name.rank, round(metres, _METRE_DIGITS),
            directory.officers_of(beyond),
        )  # fmt: skip
    card = None if outside else directory.card(grid_id)
    return SchemeAnswer(
        scheme=directory.scheme.code,
        scheme_name=directory.scheme.name,
        day=directory.day,
        version=directory.version,
        method=method_of(findings, index),
        grid=card,
        outside=outside,
        call=choose_first_call(card),
        nearest=nearest,
        distance_m=round(metres, _METRE_DIGITS) if has_distance else None,
        on_border=metres <= ON_BORDER_M,
        near_border=metres <= number_settings().near_border_m,
        border_road=None
        if outside or beyond == NO_GRID
        else find_border_road(roads, metres, lon, lat),
    )


def method_of(findings: PlacesFound, index: int) -> Method:
    """Name how the grid of a place was found."""
    if findings.grid_id[index] == NO_GRID:
        return "outside"
    return "border_tie" if findings.tie[index] else "within"


def find_border_road(
    roads: BorderRoads | None, metres: float, lon: float, lat: float
) -> BorderRoad | None:
    """Find the road along the border on which a place lies."""
    reach = number_settings().border_road_m
    if roads is None or metres > reach + 1.0:  # the road keeps within a metre of the border
        return None
    road = roads.at(lon, lat, reach)
    return None if road is None else replace(road, distance_m=round(road.distance_m, 2))


def choose_first_call(card: GridCard | None) -> FirstCall | None:
    """Choose whom to ring first."""
    if card is None:
        return None
    upward = card.chain[::-1]
    first = find_first_at_work(step.officers for step in upward)
    if first is None:
        return None
    step, because, officer = first
    return FirstCall(upward[step].grid_id, because, officer)


# --- from the store ----------------------------------------------------------------------------


def find_schemes(connection: sa.Connection, scheme: str) -> list[SchemeKey]:
    """
    Find the scheme that is asked, or all of them.

    Parameters
    ----------
    connection
        An open transaction.
    scheme
        A code, or :data:`ALL`.

    Returns
    -------
    list of SchemeKey
        The base scheme first.

    Raises
    ------
    NotFoundError
        There is no such scheme.
    """
    if scheme != ALL:
        return [find_scheme(connection, scheme)]
    return [find_scheme(connection, code) for code in queries.read_scheme_codes(connection)]


def answer_from_store(
    connection: sa.Connection, actor: Actor, scheme: SchemeKey, lon: float, lat: float, day: date
) -> SchemeAnswer:
    """Ask the store about one place on any day."""
    version, dates = find_version_dates(connection, scheme, day)
    findings = find_in_store(connection, version, lon, lat)
    grids = [int(findings.grid_id[0]), int(findings.beyond[0])]
    directory = read_directory(connection, actor, scheme, dates, day, only=grids)
    roads = read_roads_around(connection, version, lon, lat, float(findings.distance_m[0]))
    return make_answer(directory, roads, findings, 0, lon, lat)


def read_roads_around(
    connection: sa.Connection, version: Version, lon: float, lat: float, metres: float
) -> BorderRoads | None:
    """Read the border roads around one place, where it may lie on one."""
    reach = number_settings().border_road_m
    if metres > reach + 1.0:
        return None
    # A degree of longitude is shorter than one of latitude: twice the reach is enough up to 60° N.
    return read_border_roads(connection, version, (lon, lat, 2 * reach / _DEGREE_M))


def locate(
    connection: sa.Connection,
    actor: Actor,
    system: CoordinateSystem,
    x: float,
    y: float,
    *,
    scheme: str = "base",
    at: date | None = None,
    notes: tuple[str, ...] = (),
) -> LocatedPlace:
    """
    Answer for one place from the store.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    system
        Of the coordinates.
    x, y
        As given.
    scheme
        A scheme's code, or :data:`ALL`.
    at
        The day; None is today.
    notes
        Message keys of what was decided when the place was read.

    Returns
    -------
    LocatedPlace
        With every scheme's own answer where all are asked.

    Raises
    ------
    UnreadableError
        The coordinates are no place in that system.
    NotFoundError
        There is no such scheme, or nothing holds on that day.
    """
    keys = find_schemes(connection, scheme)
    day = at or today(connection)

    def fits(lon: FloatArray, lat: FloatArray) -> float:
        return measure_share_in_grids(connection, keys[0], day, lon, lat)

    lon, lat = read_place(system, x, y, fits)
    return join_answers(
        keys,
        lambda key: answer_from_store(connection, actor, key, lon, lat, day),
        (lon, lat),
        GivenPlace(system.code, x, y, list(notes)),
        every=scheme == ALL,
        suggestions=lambda: suggest_readings(system, x, y, fits),
    )


def join_answers(
    keys: list[SchemeKey],
    ask: Callable[[SchemeKey], SchemeAnswer],
    place: tuple[float, float],
    given: GivenPlace,
    *,
    every: bool,
    suggestions: Callable[[], list[Suggestion]],
) -> LocatedPlace:
    """
    Ask scheme by scheme and put the answers together.

    Parameters
    ----------
    keys
        The schemes.
    ask
        Answers for one of them.
    place
        Lon, lat in CGCS2000 degrees.
    given
        The place as it was given.
    every
        Whether all schemes were asked: then one without boundaries on that day is left out.
    suggestions
        Asked where the place is outside.

    Returns
    -------
    LocatedPlace
        The first scheme's answer, and all of them where all were asked.

    Raises
    ------
    NotFoundError
        No scheme has boundaries on that day.
    """
    answers: dict[str, SchemeAnswer] = {}
    missing: NotFoundError | None = None
    for key in keys:
        try:
            answers[key.code] = ask(key)
        except NotFoundError as error:
            missing = missing or error
    if not answers:
        raise missing or NotFoundError("grids.no_county")
    first = next(iter(answers.values()))
    return LocatedPlace(
        **vars(first),
        lon=place[0],
        lat=place[1],
        given=given,
        suggestions=suggestions() if first.outside else [],
        schemes=answers if every else None,
    )


def measure_share_in_grids(
    connection: sa.Connection, scheme: SchemeKey, day: date, lon: FloatArray, lat: FloatArray
) -> float:
    """
    Tell which share of places lies in a grid, by the store.

    Parameters
    ----------
    connection
        An open transaction.
    scheme
        Whose grids.
    day
        On which day.
    lon, lat
        CGCS2000 degrees, NaN where there is no place.

    Returns
    -------
    float
        0 to 1.
    """
    inside = 0
    for x, y in zip(lon.tolist(), lat.tolist(), strict=True):
        if abs(x) <= 180 and abs(y) <= 90:
            inside += queries.find_grid_on(connection, x, y, scheme.code, day) is not None
    return inside / len(lon) if len(lon) else 0.0
