"""Incidents and hazards over HTTP: report, look, move on, photos, duplicates, the working days."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from fastapi import Body, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool

from gis_service.access import Actor, record
from gis_service.api import examples, request_checks
from gis_service.api.dependencies import (
    FLAG,
    NUMBER,
    ActorDep,
    ConnectionDep,
    Day,
    Days,
    IdPath,
    IdQuery,
    LanguageDep,
    Moment,
    Name,
    Page,
    PagingDep,
    RecordingDep,
    RequestBody,
    StoreDep,
    Words,
    make_page,
)
from gis_service.api.routing import ServiceRouter
from gis_service.coordinate_systems import parse_crs, to_cgcs2000
from gis_service.errors import GisError, InputError, NotFoundError
from gis_service.incidents import (
    following,
    intake,
    life_cycle,
    photos,
    queries,
    reading,
    reporting,
    working_days,
)
from gis_service.incidents.rules import RuleBook, rule_book
from gis_service.messages import Language
from gis_service.settings import service_folder
from gis_service.store import Store

router = ServiceRouter(prefix="/api", tags=["incidents"])

MOST_AT_ONCE: Final = 2000
_SHA256: Final = "^[0-9a-f]{64}$"
_IMAGES: Final = ("image/jpeg", "image/png", "image/webp")

Crs = Annotated[str, Field(max_length=40, description="cgcs2000, wgs84, gcj02, bd09 or EPSG:n.")]
Number = Annotated[float, Field(allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=reporting.MOST_TEXT)]
Short = Annotated[str, Field(max_length=reporting.MOST_SHORT)]
Id = Annotated[int, Field(ge=1, le=request_checks.BIGGEST)]
Sha256 = Annotated[str, Field(pattern=_SHA256)]
RequestKey = Annotated[
    str | None, Header(alias="Idempotency-Key", description="The same key makes one incident.")
]


class DevicePlace(RequestBody):
    """From where something is done, as the device says; in the system that ``crs`` names."""

    lon: Number
    lat: Number
    crs: Crs = "cgcs2000"


class IncidentReport(RequestBody):
    """A report; what is left out is not known. ``on_spot`` closes it in the same step."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "kind": "dispute",
                "lon": 112.906,
                "lat": 28.705,
                "crs": "cgcs2000",
                "text": "楼道堆物",
                "address": "东街12号",
            }
        },
    )

    kind: Short
    lon: Number
    lat: Number
    crs: Crs = "cgcs2000"
    text: Text = ""
    address: Short = ""
    reported_at: Moment | None = None
    reporter_name: Short = ""
    reporter_phone: Short = ""
    reporter_email: Short = ""
    key: Annotated[str | None, Field(min_length=1, max_length=reporting.MOST_SHORT)] = None
    media_url: Annotated[str, Field(max_length=reporting.MOST_URL)] = ""
    details: dict[str, Any] = Field(default_factory=dict)
    note: Text = ""
    where: DevicePlace | None = None
    on_spot: bool = False
    channel: Literal["page", "api"] = "api"


class StepBody(RequestBody):
    """One thing to do with an incident; ``version`` is the one that was seen."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"move": "return", "note": "照片看不清，请重拍", "version": 4, "photos": []}
        },
    )

    move: Annotated[str, Field(max_length=40)]
    note: Text = ""
    department: Short = ""
    duplicate_of: Id | None = None
    officer_post: Literal["A", "B"] | None = None
    photos: Annotated[list[Sha256], Field(default_factory=list, max_length=50)]
    where: DevicePlace | None = None
    version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    state: Annotated[str, Field(max_length=20)] | None = None


class IncidentReports(RequestBody):
    """A list of reports."""

    items: Annotated[list[IncidentReport], Field(min_length=1, max_length=MOST_AT_ONCE)]


class ListTaken(BaseModel):
    """What became of a list of reports."""

    new: list[int]
    known: int
    refused: list[dict[str, Any]]


class ReporterReason(RequestBody):
    """Why somebody must know who reported."""

    reason: Literal["call_back", "visit", "emergency", "correction"]


class OwnDay(RequestBody):
    """What a day is in this county."""

    is_working: bool
    reason: Short = ""


class OwnYear(RequestBody):
    """Whether the county has entered a year's holidays whole."""

    complete: bool
    reason: Short = ""


class TransitionAnswer(BaseModel):
    """Which state an incident is in now, and what may follow."""

    incident_id: int
    status: str
    tier: str
    version: int
    allowed: list[following.AllowedMove]


class IncidentKindAnswer(BaseModel):
    """A kind of incident, its deadlines in working days by tier, its questions."""

    kind: str
    name: str
    name_en: str
    group: str
    group_en: str
    on_spot: bool
    keywords: list[str]
    working_days: dict[str, int]
    attributes: list[dict[str, Any]]


_KIND: Final = {
    "kind": "dispute",
    "name": "矛盾纠纷",
    "name_en": "Dispute",
    "group": "社会治安",
    "group_en": "Public order",
    "on_spot": True,
    "keywords": ["纠纷", "争执", "口角"],
    "working_days": {"village": 3, "town": 5, "county": 10},
    "attributes": [],
}
_MOVED: Final = {
    "incident_id": 31,
    "status": "accepted",
    "tier": "village",
    "version": 2,
    "allowed": [examples.ALLOWED_MOVE],
}
_DAY: Final = {
    "day": "2026-10-10",
    "is_working": True,
    "source": "published",
    "reason": "",
}
_LIKELY: Final = {"incident": examples.INCIDENT, "distance_m": 41.7, "hours_apart": 3.25}
_WAITING: Final = {
    "token": "5f0c1e9a77b2400f8a5d3c2b1a09f8e7",
    "at": "2026-03-01T08:12:00+08:00",
    "kind": "rubbish",
    "text": "垃圾桶满溢",
    "address": "东街小学门口",
    "reporter_name": "张*",
    "reporter_phone": "139******21",
}


# --- lists ---------------------------------------------------------------------------------------


@router.get("/incidents", responses=examples.ok(examples.page(examples.INCIDENT)))
def list_incidents(
    connection: ConnectionDep,
    actor: ActorDep,
    paging: PagingDep,
    status: Name = None,
    kind: Name = None,
    tier: Literal["village", "town", "county"] | None = None,
    days: Days = None,
    grid_id: IdQuery = None,
    due: Annotated[
        Literal["overdue", "soon", "pass_up"] | None,
        Query(description="Past the last day, near it, or not passed upward in time."),
    ] = None,
    flagged: Annotated[bool, Query(description="Returned too often."), FLAG] = False,
    mine: Annotated[bool, Query(description="The actor had a hand in it."), FLAG] = False,
    q: Words = "",
) -> Page[reading.IncidentRow]:
    """List the incidents that the actor may see: the newest first, by their last day with due."""
    which = reading.IncidentFilter(
        status=status, kind=kind, tier=tier, days=days, grid_id=grid_id, due=due,
        flagged=flagged, mine=mine, q=q or None,
    )  # fmt: skip
    page = reading.list_incidents(
        connection, actor, which, limit=paging.limit, offset=paging.offset
    )
    return make_page(page, paging)


@router.get("/incidents/kinds", responses=examples.ok([_KIND]))
def list_kinds() -> list[IncidentKindAnswer]:
    """List the kinds of incident that can be reported."""
    book = rule_book()
    return [_describe_incident_kind(book, code) for code in book.kinds]


def _describe_incident_kind(book: RuleBook, code: str) -> IncidentKindAnswer:
    kind = book.kinds[code]
    return IncidentKindAnswer(
        kind=code,
        name=kind.name,
        name_en=kind.name_en,
        group=kind.group,
        group_en=kind.group_en,
        on_spot=kind.on_spot.value,
        keywords=list(kind.keywords),
        working_days={tier: book.working_days(code, tier) for tier in book.deadlines.working_days},
        attributes=[question.model_dump() for question in kind.attributes],
    )


@router.get("/incidents/duplicates", responses=examples.ok([_LIKELY]))
def list_duplicates(
    connection: ConnectionDep,
    actor: ActorDep,
    kind: Annotated[str, Query(max_length=100)],
    lon: Annotated[float, Query(allow_inf_nan=False), NUMBER],
    lat: Annotated[float, Query(allow_inf_nan=False), NUMBER],
    at: Annotated[Moment | None, Query(description="Now where it is left out.")] = None,
    besides: IdQuery = None,
    crs: Annotated[str, Query(max_length=40)] = "cgcs2000",
) -> list[following.LikelyDuplicate]:
    """Offer incidents of the same kind that are near in place and time."""
    if at is not None and (at.tzinfo is None or not 1900 <= at.year <= 2900):
        raise InputError("incidents.no_offset")
    x, y = _to_degrees(crs, lon, lat)
    reporting.check_place(x, y)
    return following.find_duplicates(connection, actor, kind, x, y, at, besides=besides)


@router.get("/incidents/waiting", responses=examples.ok([_WAITING]))
def list_waiting(connection: ConnectionDep, actor: ActorDep, paging: PagingDep) -> Any:
    """List reports with an address that nobody has found on the map yet."""
    return intake.list_waiting(connection, actor, paging.limit)


# --- report --------------------------------------------------------------------------------------


@router.post(
    "/incidents",
    status_code=201,
    response_model=following.Incident,
    responses={
        **examples.ok(examples.INCIDENT_WHOLE, status=201),
        200: {"model": following.Incident, "description": "The same request was sent before."},
    },
)
def report_incident(
    connection: ConnectionDep,
    actor: ActorDep,
    response: Response,
    report: IncidentReport,
    idempotency_key: RequestKey = None,
) -> object:
    """Make an incident; sent again with the same key it is the same incident (200)."""

    def make() -> int:
        lon, lat = _read_device_place(report.where)
        incident_id = reporting.report_incident(
            connection, actor, _as_draft(report), note=report.note, lon=lon, lat=lat
        )
        if report.on_spot:
            request = life_cycle.StepRequest("close_on_spot", note=report.note, lon=lon, lat=lat)
            life_cycle.take_step(connection, actor, incident_id, request)
        return incident_id

    body = report.model_dump(mode="json")
    incident_id, is_new = intake.make_once(connection, actor, idempotency_key, body, make)
    if not is_new:
        response.status_code = 200
    response.headers["Location"] = f"/api/incidents/{incident_id}"
    return following.find_incident(connection, actor, incident_id)


def _as_draft(report: IncidentReport) -> reporting.NewIncident:
    lon, lat = _to_degrees(report.crs, report.lon, report.lat)
    values = report.model_dump(exclude={"lon", "lat", "crs", "note", "where", "on_spot"})
    return reporting.NewIncident(lon=lon, lat=lat, **values)


def _to_degrees(crs: str, lon: float, lat: float) -> tuple[float, float]:
    x, y = to_cgcs2000(parse_crs(crs), [lon], [lat])
    return float(x[0]), float(y[0])


def _read_device_place(device: DevicePlace | None) -> tuple[float | None, float | None]:
    if device is None:
        return None, None
    lon, lat = _to_degrees(device.crs, device.lon, device.lat)
    reporting.check_place(lon, lat)
    return lon, lat


_REPORTS = IncidentReports.model_json_schema(ref_template="#/components/schemas/{model}")
del _REPORTS["$defs"]  # among the components already, because POST /api/incidents takes one


@router.post(
    "/incidents/import",
    responses=examples.ok({"new": [31, 32], "known": 0, "refused": []}),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _REPORTS}},
        }
    },
)
async def report_list(
    request: Request, store: StoreDep, actor: ActorDep, language: LanguageDep
) -> ListTaken:
    """Make incidents of a list; what is wrong is listed by row, the others go in."""
    try:
        reports = IncidentReports.model_validate(request_checks.read_json(await request.body()))
    except ValidationError as error:
        errors = [
            {**detail, "loc": ("body", *detail["loc"])}
            for detail in error.errors(include_url=False)
        ]
        raise RequestValidationError(errors) from error
    return await run_in_threadpool(_take_list, store, actor, language, reports)


def _take_list(
    store: Store, actor: Actor, language: Language, reports: IncidentReports
) -> ListTaken:
    drafts: dict[int, reporting.NewIncident] = {}
    refused: list[dict[str, Any]] = []
    for row, report in enumerate(reports.items, start=1):
        try:
            drafts[row] = _as_draft(report)
        except InputError as error:
            refused.append(_describe_refusal(row, error, language))
    with store.transaction(actor) as connection:
        result = reporting.report_many(connection, actor, list(drafts.values()))
    rows = list(drafts)
    refused += [
        _describe_refusal(rows[refusal.row - 1], refusal.error, language)
        for refusal in result.refused
    ]
    refused.sort(key=lambda refusal: refusal["row"])
    return ListTaken(new=result.incident_ids, known=result.known, refused=refused)


def _describe_refusal(row: int, error: GisError, language: Language) -> dict[str, Any]:
    return {**error.place.as_dict(), "row": row, "reason": error.say(language)}


@router.post(
    "/incidents/waiting/{token}",
    response_model=following.Incident,
    responses=examples.ok(examples.INCIDENT_WHOLE),
)
def place_waiting(
    connection: ConnectionDep,
    actor: ActorDep,
    token: str,
    where: Annotated[DevicePlace, Body(examples=[{"lon": 112.906, "lat": 28.705}])],
) -> object:
    """Put a waiting report on the map: it becomes an incident."""
    lon, lat = _to_degrees(where.crs, where.lon, where.lat)
    reporting.check_place(lon, lat)
    incident_id = intake.place_waiting(connection, actor, token[:100], lon, lat)
    return following.find_incident(connection, actor, incident_id)


# --- one incident --------------------------------------------------------------------------------


@router.get(
    "/incidents/{incident_id}",
    response_model=following.Incident,
    responses=examples.ok(examples.INCIDENT_WHOLE),
)
def read_incident(connection: ConnectionDep, actor: ActorDep, incident_id: IdPath) -> object:
    """Tell an incident with all its steps, and what the actor may do with it."""
    return following.find_incident(connection, actor, incident_id)


@router.get("/incidents/{incident_id}/allowed", responses=examples.ok(_MOVED))
def read_allowed(
    connection: ConnectionDep, actor: ActorDep, incident_id: IdPath
) -> TransitionAnswer:
    """Tell what the actor may do with an incident now."""
    return _transition_answer(*following.read_allowed_moves(connection, actor, incident_id))


@router.post("/incidents/{incident_id}/steps", responses=examples.ok(_MOVED))
def add_step(
    connection: ConnectionDep, actor: ActorDep, incident_id: IdPath, step: StepBody
) -> TransitionAnswer:
    """Do one thing with an incident; 409 names the state and what it allows."""
    lon, lat = _read_device_place(step.where)
    request = life_cycle.StepRequest(
        move=step.move,
        note=step.note,
        department=step.department,
        duplicate_of=step.duplicate_of,
        photos=tuple(step.photos),
        officer_post=step.officer_post,
        expected_version=step.version,
        expected_state=step.state,
        lon=lon,
        lat=lat,
    )
    life_cycle.take_step(connection, actor, incident_id, request)
    return _transition_answer(*following.read_allowed_moves(connection, actor, incident_id))


def _transition_answer(
    row: reading.IncidentRow, allowed: list[following.AllowedMove]
) -> TransitionAnswer:
    return TransitionAnswer(
        incident_id=row.incident_id,
        status=row.status,
        tier=row.tier,
        version=row.version,
        allowed=allowed,
    )


@router.post(
    "/incidents/{incident_id}/reporter",
    response_model=following.Reporter,
    responses=examples.ok({"name": "张三", "phone": "13900000021", "email": ""}),
)
def reveal_reporter(
    connection: ConnectionDep, actor: ActorDep, incident_id: IdPath, reason: ReporterReason
) -> object:
    """Tell who reported; that somebody asked, and why, is written down."""
    return following.reveal_reporter(connection, actor, incident_id, reason.reason)


# --- photos --------------------------------------------------------------------------------------


@router.post(
    "/incidents/{incident_id}/photos",
    status_code=201,
    responses=examples.ok({"photo": "9f…", "width": 1536, "height": 2048}, status=201),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {name: {"schema": examples.FILE} for name in _IMAGES},
        }
    },
)
async def add_photo(
    request: Request, store: StoreDep, actor: ActorDep, incident_id: IdPath
) -> dict[str, object]:
    """Take a photo as the body; a step may name it then. Only the picture itself is kept."""
    if request.headers.get("content-type", "").partition(";")[0].strip() not in _IMAGES:
        raise InputError("incidents.body_not_image")
    await run_in_threadpool(_check_sight, store, actor, incident_id)
    return await run_in_threadpool(_take_photo, store, actor, incident_id, await request.body())


def _check_sight(store: Store, actor: Actor, incident_id: int) -> None:
    """Refuse before anything is read."""
    with store.transaction(actor) as connection:
        following.read_allowed_moves(connection, actor, incident_id)


def _take_photo(store: Store, actor: Actor, incident_id: int, raw: bytes) -> dict[str, object]:
    rules = rule_book().photos
    photo = photos.clean_photo(
        raw, most_pixels=rules.most_pixels.value, longest_side=rules.longest_side.value
    )
    with store.transaction(actor) as connection:
        life_cycle.add_photo(connection, actor, incident_id, photo)
        photos.save_photo(photos_folder(), photo)
    return {"photo": photo.sha256, "width": photo.width, "height": photo.height}


def photos_folder() -> Any:
    """Say where photos lie."""
    return service_folder("photos")


@router.get(
    "/incidents/{incident_id}/photos/{sha256}",
    response_class=Response,
    responses=examples.files({photos.MEDIA_TYPE: "a JPEG"}),
)
def read_photo(
    connection: RecordingDep, actor: ActorDep, incident_id: IdPath, sha256: str
) -> Response:
    """Give a photo of an incident that the actor may see."""
    digest = sha256.removesuffix(".jpg")
    is_digest = len(digest) == 64 and digest.isalnum() and digest.isascii()
    if not is_digest or not queries.has_photo(connection, actor, incident_id, digest):
        raise NotFoundError("incidents.no_photo")
    headers = {"Content-Disposition": "inline", "Content-Security-Policy": "default-src 'none'"}
    body = photos.read_photo(photos_folder(), digest)
    record(connection, actor, "see", "incident", incident_id, after={"photo": digest})
    return Response(body, media_type=photos.MEDIA_TYPE, headers=headers)


# --- working days --------------------------------------------------------------------------------


@router.get("/working-days", responses=examples.ok([_DAY]))
def list_working_days(
    connection: ConnectionDep,
    first: Annotated[Day, Query(alias="from")],
    last: Annotated[Day, Query(alias="to")],
) -> list[working_days.CalendarDay]:
    """List days: worked or not, and who says so; at most 400."""
    return working_days.list_days(connection, first, last)


@router.put("/working-days/{day}", responses=examples.ok([_DAY]))
def set_working_day(
    connection: ConnectionDep, actor: ActorDep, day: Day, override: OwnDay
) -> list[working_days.CalendarDay]:
    """Count a day otherwise than published; every deadline counts by it at once."""
    working_days.set_day(
        connection, actor, day, is_working=override.is_working, reason=override.reason
    )
    return working_days.list_days(connection, day, day)


@router.delete("/working-days/{day}", responses=examples.ok([_DAY]))
def clear_working_day(
    connection: ConnectionDep, actor: ActorDep, day: Day
) -> list[working_days.CalendarDay]:
    """Let a day count as published again."""
    working_days.clear_day(connection, actor, day)
    return working_days.list_days(connection, day, day)


@router.put("/working-years/{year}", responses=examples.ok({"year": 2027, "complete": True}))
def set_working_year(
    connection: ConnectionDep, actor: ActorDep, year: IdPath, override: OwnYear
) -> Mapping[str, object]:
    """Say that a year's holidays are entered whole: its deadlines are no longer provisional."""
    working_days.set_year(
        connection, actor, year, complete=override.complete, reason=override.reason
    )
    return {"year": year, "complete": override.complete}


# --- hazards -------------------------------------------------------------------------------------


@router.get("/hazards", responses=examples.ok(examples.page(examples.HAZARD)))
def list_hazards(
    connection: ConnectionDep,
    actor: ActorDep,
    paging: PagingDep,
    status: Name = None,
    grid_id: IdQuery = None,
) -> Page[reading.HazardRow]:
    """List the hazards that the actor may see, the one that is due first on top."""
    page = reading.list_hazards(
        connection,
        actor,
        status=status,
        grid_id=grid_id,
        limit=paging.limit,
        offset=paging.offset,
    )
    return make_page(page, paging)
