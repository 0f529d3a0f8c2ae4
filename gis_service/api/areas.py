"""Service areas over HTTP: bands of minutes, station districts, and the best next sites."""

import hashlib
from typing import Annotated, Any, Final, Literal

from fastapi import Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from gis_service import job_queries, jobs
from gis_service.access.permissions import MEASURE
from gis_service.api import examples
from gis_service.api.coverage import JobAccepted, Position
from gis_service.api.dependencies import (
    ActorDep,
    ConnectionDep,
    IdPath,
    IdQuery,
    LanguageDep,
    Name,
    RequestBody,
    StoreDep,
    TilePart,
)
from gis_service.api.etags import ASK_FIRST, send_tagged, strong_tag
from gis_service.api.geojson import FeatureCollection
from gis_service.api.routing import Afterwards, ServiceRouter, wait_until_made
from gis_service.coverage.areas.service import AREA_INPUTS, AreaService
from gis_service.coverage.county.parts import COUNTY, ROADS
from gis_service.coverage.runs.staleness import find_stale_parts
from gis_service.coverage.siting import job as sites_job
from gis_service.coverage.standards.book import standard_book
from gis_service.errors import InputError, NotFoundError, Place
from gis_service.maps.tiles import tiles
from gis_service.messages import text


def get_area_service(request: Request) -> AreaService:
    """Give what the app was made with."""
    areas: AreaService = request.app.state.areas
    return areas


router = ServiceRouter(
    prefix="/api/coverage",
    tags=["coverage"],
    first=wait_until_made(ROADS, COUNTY, AREA_INPUTS),
)

StandardQuery = Annotated[str, Query(max_length=100, description="Its code, such as fire-20.")]
MinutesQuery = Annotated[str, Query(max_length=200, description="Limits, separated by commas.")]
ScenarioQuery = Annotated[str, Query(max_length=100, description="Its code.")]

_ASK_FIRST: Final = {"Cache-Control": ASK_FIRST}
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
        "limit_sources": {
            "zh-CN": ["《城市消防站建设标准》：二级站不大于 4 平方千米", "等级名称即类别"],
            "en": [
                "urban fire station construction standard: second-class station, at most 4 km2",
                "the word itself",
            ],
        },
        "too_large": True,
        "crosses": [{"kind": "river", "name": "东河", "beyond_km2": 0.83}],
        "detached": [_PIECE],
    },
    not_checked=["railway"],
)
ENCLAVES: Final = _example({**_PIECE, "facility_id": 12, "facility_name": "南桥镇消防站"})

SITES: Final = {
    "problem": "max_cover",
    "kind": "fire_station",
    "sites": [
        {"lon": 112.98, "lat": 28.71, "name": "东街社区", "facility_id": None,
         "gain_households": 8112}
    ],
    "before": {"n": 200011, "covered": 166437, "share": 0.8321},
    "after": {"n": 200011, "covered": 174549, "share": 0.8727},
    "objective": 174549.0,
    "bound": 174549.0,
    "gap": 0.0,
    "optimum_proved": True,
    "candidates": 393,
    "aggregated": False,
    "seconds": 4.1,
    "standard": "fire-20",
    "scenario": "normal",
    "fingerprint": "9f3c…",
    "is_stale": False,
    "stale_because": [],
    "stale_texts": [],
}  # fmt: skip


_TILE: Final = {
    **examples.files({tiles.CONTENT_TYPE: "a Mapbox vector tile with the layer bands"}),
    204: {"description": "Nothing is there."},
}


class BandProperties(BaseModel):
    """A band of minutes."""

    from_minutes: float
    to_minutes: float


class AreasAnswer(FeatureCollection[BandProperties]):
    """Bands, and how far a drawn border may be from the true one."""

    tolerance_minutes: float


class PieceAnswer(BaseModel):
    """A piece of a district that lies apart from its station's own."""

    name: str
    area_km2: float
    lon: float
    lat: float


class EnclaveProperties(PieceAnswer):
    """The same, with its station."""

    facility_id: int | None
    facility_name: str


class CrossedAnswer(BaseModel):
    """What a district lies across, with its ground on the far side."""

    kind: str
    name: str
    beyond_km2: float


class DistrictProperties(BaseModel):
    """A station's ground; without a station nobody's."""

    facility_id: int | None
    name: str
    grade: str
    area_km2: float
    limit_km2: float | None
    limit_sources: dict[str, list[str]]
    too_large: bool
    crosses: list[CrossedAnswer]
    detached: list[PieceAnswer]


class DistrictsAnswer(FeatureCollection[DistrictProperties]):
    """Districts, and what may cross them but is not in the data."""

    not_checked: list[str]


@router.get("/areas", responses=examples.ok(AREAS), response_model=AreasAnswer)
def read_areas(
    request: Request,
    connection: ConnectionDep,
    _actor: ActorDep,
    standard: StandardQuery,
    scenario: ScenarioQuery = "normal",
    minutes: MinutesQuery = "5,10,20",
    facility_id: IdQuery = None,
) -> Afterwards:
    """Draw bands of minutes that follow the streets; for looking at, not for counting."""
    limits = _read_limits(minutes)
    answer = get_area_service(request).answer_bands(
        connection, standard, scenario, limits, facility_id
    )
    return Afterwards(lambda: _send_packed(request, answer()))


@router.get("/areas/{z}/{x}/{y}.pbf", responses=_TILE, response_class=Response)
def read_area_tile(
    request: Request,
    store: StoreDep,
    actor: ActorDep,
    z: TilePart,
    x: TilePart,
    y: TilePart,
    standard: StandardQuery,
    scenario: ScenarioQuery = "normal",
    minutes: MinutesQuery = "5,10,20",
) -> Response:
    """Give one tile (MVT) of the bands of all stations, in the layer ``bands``."""
    tiles.check_place(z, x, y)
    areas, limits = get_area_service(request), _read_limits(minutes)
    with store.transaction(actor, read_only=True) as connection:
        answer = areas.answer_bands(connection, standard, scenario, limits)
    packed = answer()
    with store.transaction(actor, read_only=True) as connection:
        tile = areas.cut_tile(connection, packed, (z, x, y))
    if not tile:
        return Response(status_code=204, headers=_ASK_FIRST)
    return Response(tile, media_type=tiles.CONTENT_TYPE, headers=_ASK_FIRST)


def _read_limits(text_of_limits: str) -> list[float]:
    try:
        return [float(part) for part in text_of_limits.split(",") if part.strip()]
    except ValueError as error:
        raise InputError("coverage.area_limits", place=Place(field="minutes"), most=12) from error


def _send_packed(request: Request, packed: bytes) -> Response:
    name = hashlib.sha256(packed).hexdigest()[:20]
    return send_tagged(request, packed, strong_tag(request, name))


@router.get("/districts", responses=examples.ok(DISTRICTS), response_model=DistrictsAnswer)
def read_districts(
    request: Request,
    connection: ConnectionDep,
    _actor: ActorDep,
    standard: StandardQuery = "fire-20",
    scenario: ScenarioQuery = "normal",
    kind: Name = None,
) -> Afterwards:
    """Draw the ground of every station, with its size and what it crosses."""
    answer = get_area_service(request).answer_districts(connection, standard, scenario, kind)
    return Afterwards(lambda: _send_packed(request, answer()))


@router.get(
    "/enclaves",
    responses=examples.ok(ENCLAVES),
    response_model=FeatureCollection[EnclaveProperties],
)
def read_enclaves(
    request: Request,
    connection: ConnectionDep,
    _actor: ActorDep,
    standard: StandardQuery = "fire-20",
    scenario: ScenarioQuery = "normal",
    kind: Name = None,
) -> Afterwards:
    """Draw the pieces of districts that lie apart from their station's own, the largest first."""
    areas = get_area_service(request)
    answer = areas.answer_districts(connection, standard, scenario, kind, enclaves=True)
    return Afterwards(lambda: _send_packed(request, answer()))


class SitesRequest(RequestBody):
    """Where stations should be looked for, and what the best is."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"standard": "fire-20", "problem": "max_cover", "add": 3}},
    )

    standard: Annotated[str, Field(max_length=100)]
    scenario: Annotated[str, Field(max_length=100)] = "normal"
    problem: Literal["max_cover", "set_cover", "p_median", "p_centre"] = "max_cover"
    add: Annotated[int, Field(ge=1, le=50)] = 1
    target_share: Annotated[float | None, Field(ge=0, le=1)] = None
    candidates: Literal["facilities", "road_nodes", "places"] = "road_nodes"
    kind: Annotated[str | None, Field(max_length=100)] = None
    places: Annotated[tuple[Position, ...], Field(max_length=1000, strict=False)] = ()


class SiteAnswer(BaseModel):
    """A chosen site, with what it adds to those before it."""

    lon: float
    lat: float
    name: str
    facility_id: int | None
    gain_households: int


class SitesAnswer(BaseModel):
    """Chosen sites, the measured figures, the gap proven by the solver, and what it stands on."""

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
    standard: str
    scenario: str
    fingerprint: str
    is_stale: bool = False
    stale_because: tuple[str, ...] = ()
    stale_texts: tuple[str, ...] = ()


@router.post("/sites", status_code=202)
def find_sites(wanted_sites: SitesRequest, store: StoreDep, actor: ActorDep) -> JobAccepted:
    """Choose where the next stations should stand; the job tells how far it is."""
    MEASURE.require(actor)
    arguments = wanted_sites.model_dump(mode="json")
    sites_job.read_request(arguments)  # what cannot be is said at once
    return JobAccepted(job_id=jobs.submit(store, actor, sites_job.KIND, arguments))


@router.get("/sites/{job_id}", responses=examples.ok(SITES))
def read_sites(
    request: Request,
    connection: ConnectionDep,
    actor: ActorDep,
    language: LanguageDep,
    job_id: IdPath,
) -> SitesAnswer:
    """Read the sites that a job has chosen, and whether the county is another one by now."""
    state = job_queries.find_visible_job(connection, actor, job_id)
    if state.kind != sites_job.KIND or state.result is None:
        raise NotFoundError("coverage.no_sites", job=job_id)
    answered = sites_job.AnsweredSites.from_job(state)
    because = find_stale_parts(request.app.state.snapshot, connection, answered, standard_book())
    return SitesAnswer(
        **state.result,
        is_stale=bool(because),
        stale_because=because,
        stale_texts=tuple(text(f"coverage.stale_{part}", language) for part in because),
    )
