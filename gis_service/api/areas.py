"""Service areas over HTTP: bands of minutes, station districts, and their detached pieces."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from gis_service.api import examples
from gis_service.api.dependencies import ActorDep, ConnectionDep, IdQuery, Name
from gis_service.coverage.area_desk import AreaDesk, NamedDistrict, NamedPiece, as_geojson
from gis_service.errors import InputError, Place

router = APIRouter(prefix="/api/coverage", tags=["coverage"])

StandardQuery = Annotated[str, Query(max_length=100, description="Its code, such as fire-20.")]
ScenarioQuery = Annotated[str, Query(max_length=100, description="Its code.")]


def area_desk(request: Request) -> AreaDesk:
    """Give the desk that the app was made with."""
    desk: AreaDesk = request.app.state.areas
    return desk


@router.get("/areas", responses=examples.problems())
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


@router.get("/districts", responses=examples.problems())
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


@router.get("/enclaves", responses=examples.problems())
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
