"""Whose grid a place is, over HTTP: one place by coordinates or pasted text, or thousands at once.

The answer for many is made in the event loop from what the process holds in memory: no validation
model, no thread and no query stand between the bytes that come and those that go.
"""

import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final

import numpy as np
from anyio.to_thread import run_sync
from fastapi import Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel

from gis_service.access import Actor
from gis_service.api import examples, request_checks
from gis_service.api.dependencies import (
    NUMBER,
    ActorDep,
    At,
    ConnectionDep,
    SchemeCode,
    get_caller,
)
from gis_service.api.revalidating import RevalidatingCache
from gis_service.api.routing import ServiceRouter, wait_until_made
from gis_service.coordinate_systems import CoordinateSystem, find_best_fit, parse_crs, to_cgcs2000
from gis_service.errors import InputError, Place, TooLargeError
from gis_service.grids.answers import locating
from gis_service.grids.answers.answering import (
    DIRECTORIES,
    AnswerService,
    SchemeAnswers,
    find_places,
    render_answers,
)
from gis_service.grids.answers.border_roads import BorderRoad
from gis_service.grids.answers.directory import GridCard, VersionDates
from gis_service.grids.answers.placing import FloatArray, PlacesFound
from gis_service.grids.answers.serving import BORDER_ROADS, BOUNDARIES
from gis_service.grids.locator.locator import NO_GRID
from gis_service.grids.versions import today
from gis_service.pasted_coordinates import read_pasted

router = ServiceRouter(
    prefix="/api",
    tags=["locate"],
    first=wait_until_made(BOUNDARIES, BORDER_ROADS, DIRECTORIES),
)

MOST_POINTS: Final = 10_000
_LONG: Final = 2_000
"""So many places are answered beside the event loop, so that others need not wait."""

System = Annotated[
    str | None,
    Query(
        max_length=60,
        description="The system of the coordinates: cgcs2000, wgs84, gcj02, bd09 or EPSG:n.",
    ),
]
Number = Annotated[float | None, Query(allow_inf_nan=False, examples=[112.9]), NUMBER]
Text = Annotated[
    str | None,
    Query(max_length=4000, description="Coordinates as people paste them, instead of lon, lat."),
]


def _get_answer_service(request: Request) -> AnswerService:
    service: AnswerService = request.app.state.answer_service
    return service


def read_system(crs: str | None) -> CoordinateSystem:
    """Read the name of a coordinate system."""
    if crs is None:
        return locating.CGCS2000
    try:
        return parse_crs(crs)
    except InputError as error:
        raise InputError(error.key, place=Place(field="crs"), **error.values) from error


@router.get("/locate", responses=examples.ok(examples.LOCATED))
def locate(
    request: Request,
    connection: ConnectionDep,
    actor: ActorDep,
    lon: Number = None,
    lat: Number = None,
    text: Text = None,
    crs: System = None,
    scheme: SchemeCode = "base",
    at: At = None,
) -> locating.LocatedPlace:
    """Tell whose grid a place is, whom to call, how near its border, and what lies beyond."""
    service = _get_answer_service(request)
    x, y, system, notes = read_given_place(lon, lat, text, crs)
    keys = locating.find_schemes(connection, scheme)
    day = at or today(connection)

    def fits(lons: FloatArray, lats: FloatArray) -> float:
        return locating.measure_share_in_grids(connection, keys[0], day, lons, lats)

    place = locating.read_place(system, x, y, fits)
    return locating.join_answers(
        keys,
        lambda key: service.answer(connection, actor, key, *place, day),
        place,
        locating.GivenPlace(system.code, x, y, notes),
        every=scheme == locating.ALL,
        suggestions=lambda: locating.suggest_readings(system, x, y, fits),
    )


def read_given_place(
    lon: float | None, lat: float | None, text: str | None, crs: str | None
) -> tuple[float, float, CoordinateSystem, list[str]]:
    """Read one place from what a request gives."""
    if text is not None:
        if lon is not None or lat is not None:
            raise InputError("locate.lon_or_text", place=Place(field="text"))
        pasted = read_pasted(text)
        system = read_system(crs if crs is not None else pasted.system)
        return pasted.lon, pasted.lat, system, list(pasted.notes)
    if lon is None or lat is None:
        raise InputError("locate.lon_or_text", place=Place(field="lon" if lon is None else "lat"))
    return lon, lat, read_system(crs), []


# --- many at once ------------------------------------------------------------------------------


@dataclass(frozen=True)
class PlacesRequest:
    """What a request asks about many places."""

    x: FloatArray
    y: FloatArray
    # CGCS2000 degrees.
    lon: FloatArray
    lat: FloatArray
    # What the sender calls each place; None where places are pairs.
    ids: list[object] | None
    system: CoordinateSystem
    scheme: str
    at: date | None
    # False: codes only.
    full: bool


def read_places_request(body: bytes) -> PlacesRequest:
    """Read the body of a request about many places."""
    members = request_checks.read_json(body)
    if not isinstance(members, dict):
        raise InputError("locate.no_points", place=Place(field="points"))
    unknown = members.keys() - {"points", "crs", "scheme", "at", "detail"}
    if unknown:
        raise InputError("locate.unknown_member", place=Place(field=min(unknown)[:60]))
    points = members.pop("points", None)
    request_checks.check_values(members)
    crs = _text_of(members, "crs", None)
    scheme = _text_of(members, "scheme", "base")
    detail = _text_of(members, "detail", "full")
    if detail not in ("codes", "full"):
        raise InputError("locate.bad_detail", place=Place(field="detail"))
    x, y, ids = _read_points(points)
    request_checks.check_values(ids, "points")
    system = locating.CGCS2000 if crs is None else read_system(crs)
    lon, lat = (x, y) if system == locating.CGCS2000 else to_cgcs2000(system, x, y)
    return PlacesRequest(
        x,
        y,
        lon,
        lat,
        ids,
        system,
        scheme or "base",
        _read_day(members.get("at")),
        detail == "full",
    )


def _text_of(members: dict[str, Any], name: str, default: str | None) -> str | None:
    value = members.get(name)
    if value is None:
        return default
    if not isinstance(value, str) or len(value) > 100:
        raise InputError("locate.no_text", place=Place(field=name), field=name)
    return value


def _read_day(value: object) -> date | None:
    if value is None:
        return None
    try:
        return date.fromisoformat(value)  # type: ignore[arg-type]  # anything else is refused
    except (TypeError, ValueError) as error:
        raise InputError("locate.bad_day", place=Place(field="at")) from error


def _read_points(points: object) -> tuple[FloatArray, FloatArray, list[object] | None]:
    if not isinstance(points, list) or not points:
        raise InputError("locate.no_points", place=Place(field="points"))
    if len(points) > MOST_POINTS:
        raise TooLargeError(
            "locate.too_many", place=Place(field="points"), count=len(points), limit=MOST_POINTS
        )
    ids: list[object] | None = None
    pairs: list[Any] = points
    if isinstance(points[0], dict):
        ids = [point.get("id") if isinstance(point, dict) else None for point in points]
        pairs = [
            [point.get("lon"), point.get("lat")] if isinstance(point, dict) else 0
            for point in points
        ]
    for index, pair in enumerate(pairs):
        fits = type(pair) is list and len(pair) == 2
        if not fits or type(pair[0]) not in _NUMBERS or type(pair[1]) not in _NUMBERS:
            raise _bad_point(index)
    try:
        xy = np.array(pairs, dtype=float)
    except OverflowError as error:
        raise InputError("locate.bad_point", place=Place(field="points"), index=0) from error
    if not np.isfinite(xy).all():
        raise _bad_point(int(np.flatnonzero(~np.isfinite(xy).all(axis=1))[0]))
    return xy[:, 0].copy(), xy[:, 1].copy(), ids


_NUMBERS: Final = frozenset({int, float})


def _bad_point(index: int) -> InputError:
    return InputError("locate.bad_point", place=Place(field=f"points.{index}"), index=index)


def check_on_earth(request: PlacesRequest, answers: SchemeAnswers) -> None:
    """Refuse coordinates that are no place on Earth, and offer the reading by which they are."""
    if len(request.lon) == 1 and abs(request.lon[0]) <= 180 and abs(request.lat[0]) <= 90:
        return
    good = (np.abs(request.lon) <= 180) & (np.abs(request.lat) <= 90)
    if np.count_nonzero(good) == len(good):
        return
    index = int(np.flatnonzero(~good)[0])
    x, y = float(request.x[index]), float(request.y[index])
    suggestions = locating.suggest_readings(request.system, x, y, _share_in_grids(answers))
    key = "locate.other_reading" if suggestions else "locate.no_place"
    raise locating.UnreadableError(
        key, suggestions, field=f"points.{index}", x=x, y=y, crs=request.system.code
    )


def _share_in_grids(answers: SchemeAnswers) -> Callable[[FloatArray, FloatArray], float]:
    def fits(lon: FloatArray, lat: FloatArray) -> float:
        assert answers.locator is not None
        grid_ids = answers.locator.locate(lon, lat).grid_id
        return float((grid_ids != NO_GRID).mean())

    return fits


def write_answer(request: PlacesRequest, answers: SchemeAnswers, findings: PlacesFound) -> bytes:
    """
    Write the answer of one scheme.

    Parameters
    ----------
    request
        The request.
    answers
        What answers.
    findings
        Of its places.

    Returns
    -------
    bytes
        JSON. Where most places are outside and another reading of the coordinates would put them
        into grids, ``suggestion`` names it.
    """
    body = render_answers(
        answers, findings, request.lon, request.lat, request.ids, full=request.full
    )
    outside = findings.grid_id == NO_GRID
    if answers.locator is None or 2 * np.count_nonzero(outside) <= len(outside):
        return body
    fit = find_best_fit(request.x, request.y, _share_in_grids(answers), request.system)
    if fit.share <= 0.5:
        return body
    parts = {"crs": fit.system.code, "swapped": fit.swapped, "share": round(fit.share, 4)}
    return b'%b,"suggestion":%b}' % (body[:-1], json.dumps(parts).encode())


class LeanRoute(APIRoute):
    """A route that is described like any other, but calls its function with the request alone."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Give the function itself: no dependency is solved and no model is filled."""
        handler: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return handler


def _get_cache(request: Request) -> RevalidatingCache:
    cache: RevalidatingCache = request.app.state.revalidating
    return cache


async def get_scheme_answers(request: Request, actor: Actor, scheme: str) -> SchemeAnswers:
    """Give what answers for today."""
    service = _get_answer_service(request)
    key = (scheme, actor.role, actor.areas)
    return await _get_cache(request).get(key, lambda: service.current(actor, scheme, anew=True))


_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["points"],
                    "properties": {
                        "points": {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": MOST_POINTS,
                            "items": {
                                "oneOf": [
                                    {
                                        "type": "array",
                                        "items": {"type": "number"},
                                        "minItems": 2,
                                        "maxItems": 2,
                                    },
                                    {
                                        "type": "object",
                                        "required": ["lon", "lat"],
                                        "properties": {
                                            "id": {},
                                            "lon": {"type": "number"},
                                            "lat": {"type": "number"},
                                        },
                                    },
                                ]
                            },
                        },
                        "crs": {"type": "string", "default": "cgcs2000"},
                        "scheme": {"type": "string", "default": "base"},
                        "at": {"type": "string", "format": "date"},
                        "detail": {"enum": ["full", "codes"], "default": "full"},
                    },
                },
                "example": {"points": [[112.906, 28.705]], "crs": "gcj02"},
            }
        },
    }
}


class PlaceAnswer(BaseModel):
    """One place; what is asked for by ``detail`` only is left out where it was not."""

    id: Any = None
    lon: float
    lat: float
    method: locating.Method
    outside: bool
    grid_id: int | None
    code: str | None
    nearest: int | None = None
    distance_m: float | None = None
    on_border: bool = False
    near_border: bool = False
    border_road: BorderRoad | None = None


class OtherReading(BaseModel):
    """By which system most places would lie in grids, and the share that would."""

    crs: str
    swapped: bool
    share: float


class AnswersOfScheme(BaseModel):
    """The places in their order; every grid they name once, by its id."""

    scheme: str
    scheme_name: str
    day: date
    version: VersionDates
    answers: list[PlaceAnswer]
    grids: dict[int, GridCard] = {}
    suggestion: OtherReading | None = None


class AnswersOfSchemes(BaseModel):
    """The answer of every scheme."""

    schemes: list[AnswersOfScheme]


_ANSWERED: Final[dict[str, Any]] = {
    "scheme": "base",
    "scheme_name": "基础网格",
    "day": "2026-01-02",
    "version": {
        "version_id": 2, "effective_day": "2026-01-01", "title": "2026 年版", "until": None,
    },
    "answers": [
        {
            "lon": 112.906,
            "lat": 28.705,
            "method": "within",
            "outside": False,
            "grid_id": 412,
            "code": "990101102003005",
            "nearest": 413,
            "distance_m": 12.4,
            "on_border": False,
            "near_border": True,
            "border_road": None,
        }
    ],
    "grids": {"412": examples.LOCATED["grid"]},
}  # fmt: skip


async def locate_points(request: Request) -> Response:
    """
    Tell the grids of up to 10,000 places.

    The answers stand in the order of the places; every grid they name stands once under `grids`.
    With the scheme `all` there is one such answer a scheme under `schemes`.
    """
    places = read_places_request(await request.body())
    actor = (await get_caller(request)).actor
    if places.at is not None or places.scheme == locating.ALL:
        body = await run_sync(_answer_from_store, request, actor, places)
    else:
        answers = await get_scheme_answers(request, actor, places.scheme)
        if len(places.lon) > _LONG:
            body = await run_sync(_answer_places, places, answers)
        else:
            body = _answer_places(places, answers)
    return Response(body, media_type="application/json")


def _answer_places(request: PlacesRequest, answers: SchemeAnswers) -> bytes:
    assert answers.locator is not None
    check_on_earth(request, answers)
    findings = find_places(answers.locator, request.lon, request.lat, full=request.full)
    return write_answer(request, answers, findings)


def _answer_from_store(request: Request, actor: Actor, places: PlacesRequest) -> bytes:
    """Answer for another day, or for every scheme."""
    service, store = _get_answer_service(request), request.app.state.store
    answers = []
    with store.transaction(actor, read_only=True) as connection:
        keys = locating.find_schemes(connection, places.scheme)
        check_on_earth(places, service.current(actor, keys[0].code))
        now = today(connection)
        day = places.at or now
        for key in keys:
            if day == now:
                answers.append(_answer_places(places, service.current(actor, key.code)))
            else:
                on_day = service.on_day(connection, actor, key, day, places.lon, places.lat)
                answers.append(write_answer(places, *on_day))
    if places.scheme != locating.ALL:
        return answers[0]
    return b'{"schemes":[%b]}' % b",".join(answers)


router.add_api_route(
    "/locate",
    locate_points,
    methods=["POST"],
    openapi_extra=_BODY,
    responses=examples.ok(_ANSWERED),
    response_model=AnswersOfScheme | AnswersOfSchemes,
    route_class_override=LeanRoute,
)
