"""Service areas over HTTP: bands of minutes, station districts, and the best next sites."""

from dataclasses import asdict
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from gis_service.api import examples
from gis_service.api.coverage import MEASURERS, LatValue, LonValue
from gis_service.api.dependencies import ActorDep, ConnectionDep, IdQuery, Name
from gis_service.coverage.area_desk import AreaDesk, NamedDistrict, NamedPiece, as_geojson
from gis_service.coverage.sites import SiteWish, best_sites
from gis_service.coverage.standards import standard_book
from gis_service.coverage.what_if_desk import WhatIfDesk
from gis_service.errors import InputError, NotAllowedError, Place

router = APIRouter(prefix="/api/coverage", tags=["coverage"])

StandardQuery = Annotated[str, Query(max_length=100, description="Its code, such as fire-20.")]
ScenarioQuery = Annotated[str, Query(max_length=100, description="Its code.")]

_SQUARE: Final = {
    "type": "MultiPolygon",
    "coordinates": [[[[112.9, 28.7], [112.91, 28.7], [112.91, 28.71], [112.9, 28.7]]]],
}
_PIECE: Final = {"name": "东街社区", "area_km2": 0.412, "lon": 112.904, "lat": 28.704}


def _example(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    feature = {"type": "Feature", "properties": properties, "geometry": _SQUARE}
    return {"type": "FeatureCollection", "features": [feature], **more}


AREAS: Final = _example({"from_minutes": 5.0, "to_minutes": 10.0}, tolerance_minutes=0.21)
DISTRICTS: Final = _example(
    {
        "facility_id": 12,
        "name": "南桥镇消防站",
        "grade": "second",
        "area_km2": 5.217,
        "limit_km2": 4.0,
        "too_large": True,
        "crosses": [{"kind": "river", "name": "东河", "beyond_km2": 0.83}],
        "detached": [_PIECE],
    },
    not_checked=["railway"],
)
ENCLAVES: Final = _example({**_PIECE, "facility_id": 12, "facility_name": "南桥镇消防站"})


def area_desk(request: Request) -> AreaDesk:
    """Give the desk that the app was made with."""
    desk: AreaDesk = request.app.state.areas
    return desk


@router.get("/areas", responses=examples.ok(AREAS))
def read_areas(
    request: Request,
    connection: ConnectionDep,
    _actor: ActorDep,
    standard: StandardQuery,
    scenario: ScenarioQuery = "normal",
    minutes: Annotated[
        str, Query(max_length=200, description="Limits, separated by commas.")
    ] = "5,10,20",
    facility_id: IdQuery = None,
) -> dict[str, Any]:
    """Draw bands of minutes that follow the streets; for looking at, not for counting."""
    bands, tolerance = area_desk(request).areas(
        connection, standard, scenario, _minutes(minutes), facility_id
    )
    features = [
        _feature({"from_minutes": band.from_minutes, "to_minutes": band.to_minutes}, band.geometry)
        for band in bands
    ]
    return {**_collection(features), "tolerance_minutes": round(tolerance, 3)}


def _minutes(given: str) -> list[float]:
    try:
        return [float(part) for part in given.split(",") if part.strip()]
    except ValueError as error:
        raise InputError("coverage.area_limits", place=Place(field="minutes"), most=12) from error


@router.get("/districts", responses=examples.ok(DISTRICTS))
def read_districts(
    request: Request,
    connection: ConnectionDep,
    _actor: ActorDep,
    standard: StandardQuery = "fire-20",
    scenario: ScenarioQuery = "normal",
    kind: Name = None,
) -> dict[str, Any]:
    """Draw the ground of every station, with its size and what it crosses."""
    found = area_desk(request).districts(connection, standard, scenario, kind)
    features = [
        _feature(
            {
                **_station(one),
                "grade": one.grade,
                "area_km2": round(one.area_km2, 3),
                "limit_km2": one.limit_km2,
                "too_large": one.too_large,
                "crosses": [
                    {**crossing, "beyond_km2": round(crossing["beyond_km2"], 3)}
                    for crossing in one.crosses
                ],
                "detached": [_piece(piece) for piece in one.detached],
            },
            one.geometry,
        )
        for one in found
    ]
    return {**_collection(features), "not_checked": ["railway"]}


@router.get("/enclaves", responses=examples.ok(ENCLAVES))
def read_enclaves(
    request: Request,
    connection: ConnectionDep,
    _actor: ActorDep,
    standard: StandardQuery = "fire-20",
    scenario: ScenarioQuery = "normal",
    kind: Name = None,
) -> dict[str, Any]:
    """Draw the pieces of districts that lie apart from their station's own, the largest first."""
    found = area_desk(request).districts(connection, standard, scenario, kind)
    pieces = [(one, piece) for one in found for piece in one.detached]
    pieces.sort(key=lambda pair: -pair[1].area_km2)
    features = [
        _feature(
            {
                **_piece(piece),
                "facility_id": one.facility_id,
                "facility_name": one.name,
            },
            piece.geometry,
        )
        for one, piece in pieces
    ]
    return _collection(features)


class SitesRequest(BaseModel):
    """Where stations should be looked for, and what the best is."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"standard": "fire-20", "problem": "max_cover", "add": 3}},
    )

    standard: Annotated[str, Field(max_length=100)]
    scenario: Annotated[str, Field(max_length=100)] = "normal"
    problem: Literal["max_cover", "set_cover", "p_median", "p_centre"] = "max_cover"
    add: Annotated[int, Field(ge=1, le=50)] = 1
    target_share: Annotated[float | None, Field(ge=0, le=1)] = None
    candidates: Literal["facilities", "road_nodes", "places"] = "road_nodes"
    kind: Annotated[str | None, Field(max_length=100)] = None
    places: Annotated[tuple[tuple[LonValue, LatValue], ...], Field(max_length=1000)] = ()


class SiteAnswer(BaseModel):
    """A chosen site, with what it adds to those before it."""

    lon: float
    lat: float
    name: str
    facility_id: int | None
    gain_households: int


class SitesAnswer(BaseModel):
    """Chosen sites, the measured figures, and the gap proven by the solver."""

    problem: str
    kind: str
    sites: list[SiteAnswer]
    before: dict[str, Any]
    after: dict[str, Any]
    objective: float
    bound: float
    gap: float
    optimum_proved: bool
    candidates: int
    aggregated: bool
    seconds: float


@router.post("/sites", responses=examples.problems())
def find_sites(
    request: Request, wish: SitesRequest, connection: ConnectionDep, actor: ActorDep
) -> SitesAnswer:
    """Choose where the next stations should stand; nothing is stored."""
    if actor.role not in MEASURERS or actor.areas is not None:
        raise NotAllowedError("coverage.whole_county_only", actor=actor.name)
    standard_book().standard(wish.standard)
    desk: WhatIfDesk = request.app.state.what_if
    prepared, _ = desk.prepared(connection, actor, wish.standard, wish.scenario)
    asked = wish.model_dump(exclude={"standard", "scenario"})
    found = best_sites(prepared, SiteWish(**asked))
    names = area_desk(request).names_at(connection, [(one.lon, one.lat) for one in found.sites])
    answer = asdict(found)
    answer["sites"] = [
        {**site, "name": name} for site, name in zip(answer["sites"], names, strict=True)
    ]
    return SitesAnswer(**answer)


def _station(one: NamedDistrict) -> dict[str, Any]:
    return {"facility_id": one.facility_id, "name": one.name}


def _piece(piece: NamedPiece) -> dict[str, Any]:
    return {
        "name": piece.name,
        "area_km2": round(piece.area_km2, 3),
        "lon": round(piece.lon, 6),
        "lat": round(piece.lat, 6),
    }


def _feature(properties: dict[str, Any], geometry: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": as_geojson(geometry)}


def _collection(features: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": features}
