"""Coverage over HTTP: standards, runs and their figures, blind spots, comparing, and what if."""

import time
from contextlib import AbstractContextManager
from typing import Annotated, Any, Literal

from fastapi import Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from gis_service import jobs
from gis_service.access import Actor
from gis_service.access.permissions import MEASURE, READ_COUNTS
from gis_service.api import examples
from gis_service.api.dependencies import (
    WHOLE,
    ActorDep,
    ConnectionDep,
    IdPath,
    IdQuery,
    LanguageDep,
    Name,
    Page,
    PagingDep,
    RecordingDep,
    RequestBody,
    StoreDep,
    make_page,
)
from gis_service.api.maps import figures_answer
from gis_service.api.request_checks import BIGGEST
from gis_service.api.routing import ServiceRouter
from gis_service.coverage.county.parts import COUNTY, ROADS
from gis_service.coverage.measuring import notes as run_notes
from gis_service.coverage.measuring.blind_spots import BlindSpot
from gis_service.coverage.runs import runs
from gis_service.coverage.runs.comparing import make_comparison
from gis_service.coverage.runs.staleness import find_stale_parts
from gis_service.coverage.siting import what_if
from gis_service.coverage.siting.what_if_answers import MEASURED, answer_what_if
from gis_service.coverage.standards.book import (
    Profile,
    Scenario,
    Standard,
    standard_book,
    translate_sources,
)
from gis_service.grids.reading import find_scheme
from gis_service.ingest.writing.past_imports import region_notes
from gis_service.maps.figures.coverage_figures import figures_seen
from gis_service.maps.page.answer_cache import find_answer, question_of
from gis_service.messages import Language, text
from gis_service.snapshot import Snapshot
from gis_service.store.tables import FACILITY_KINDS, ROAD_CLASSES


def _wait_for_parts(request: Request, _: dict[str, Any]) -> AbstractContextManager[None]:
    """Wait for what others read for the same question."""
    is_what_if = request.url.path.endswith("/what-if")
    snapshot: Snapshot = request.app.state.snapshot
    return snapshot.wait_until_free(ROADS, COUNTY, *([MEASURED] if is_what_if else []))


router = ServiceRouter(prefix="/api/coverage", tags=["coverage"], first=_wait_for_parts)


class StandardAnswer(Standard):
    """A standard with its code; every number with its source."""

    code: str


class ScenarioAnswer(Scenario):
    """A scenario with its code; every number with its source."""

    code: str


class ProfileAnswer(Profile):
    """A profile with its code; every speed with its source."""

    code: str


class RunListed(BaseModel):
    """A finished run with the county's figures and all that it was measured by."""

    model_config = ConfigDict(from_attributes=True)

    run_id: int
    standard: str
    scenario: str
    network_id: int | None
    version_id: int
    kinds: tuple[str, ...]
    parameters: dict[str, Any]
    fingerprint: str
    software_version: str
    finished_at: Any
    summary: dict[str, Any]


class RunNote(BaseModel):
    """What to know of a run's input, such as a station that no road leads to."""

    note: str
    text: str


class RunAnswer(RunListed):
    """A run, whether it still is what would be measured now, and what to know of its input."""

    is_stale: bool = False
    stale_because: tuple[str, ...] = ()
    stale_texts: tuple[str, ...] = ()
    notes: tuple[RunNote, ...] = ()
    region_notes: tuple[RunNote, ...] = ()


class RunRequest(RequestBody):
    """What is to be measured."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"standard": "fire-20", "scenario": "normal"}}
    )

    standard: Annotated[str, Field(max_length=100)]
    scenario: Annotated[str, Field(max_length=100)] = "normal"


class JobAccepted(BaseModel):
    """The job that does the work."""

    model_config = ConfigDict(json_schema_extra={"example": {"job_id": 5}})

    job_id: int


class GridFiguresAnswer(BaseModel):
    """A grid's figures; counts are null for one who sees the share only."""

    model_config = ConfigDict(from_attributes=True)

    grid_id: int
    code: str
    name: str
    parent_grid_id: int | None
    of: str
    n: int | None
    covered: int | None
    too_far: int | None
    unreachable: int | None
    off_network: int | None
    share: float | None
    status: str
    median_minutes: float | None
    p90_minutes: float | None
    worst_minutes: float | None


_run_figures = TypeAdapter(list[GridFiguresAnswer])


class GridAnswer(GridFiguresAnswer):
    """A grid's figures by the rule and by kind, and the stations that serve it."""

    kinds: dict[str, GridFiguresAnswer]
    stations: tuple[runs.ServingStation, ...]


class RunComparisonAnswer(BaseModel):
    """Two runs side by side."""

    a: RunListed
    b: RunListed
    comparable: bool
    differs: tuple[str, ...]
    county: dict[str, dict[str, Any]]
    grids: list[dict[str, Any]]
    gained: int
    lost: int
    only_in_one: int


LonValue = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
LatValue = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]


Position = Annotated[tuple[LonValue, LatValue], Field(strict=False)]


class MoveStationRequest(RequestBody):
    """A facility stands elsewhere."""

    kind: Literal["move_station"]
    facility_id: int
    lon: LonValue
    lat: LatValue

    def as_change(self) -> what_if.Change:
        """Give what the room understands."""
        return what_if.MoveStation(self.facility_id, self.lon, self.lat)


class AddStationRequest(RequestBody):
    """A facility more."""

    kind: Literal["add_station"]
    facility_kind: Literal[FACILITY_KINDS]  # type: ignore[valid-type]
    lon: LonValue
    lat: LatValue
    name: Annotated[str, Field(max_length=100)] = ""

    def as_change(self) -> what_if.Change:
        """Give what the room understands; the name is the page's own."""
        return what_if.AddStation(self.facility_kind, self.lon, self.lat)


class RemoveStationRequest(RequestBody):
    """A facility less."""

    kind: Literal["remove_station"]
    facility_id: int

    def as_change(self) -> what_if.Change:
        """Give what the room understands."""
        return what_if.RemoveStation(self.facility_id)


class CloseRoadRequest(RequestBody):
    """Roads that nobody may use, by id or by a point on one."""

    kind: Literal["close_road"]
    edge_ids: Annotated[tuple[int, ...], Field(max_length=1000, strict=False)] = ()
    lon: LonValue | None = None
    lat: LatValue | None = None

    def as_change(self) -> what_if.Change:
        """Give what the room understands."""
        return what_if.CloseRoad(self.edge_ids, self.lon, self.lat)


class AddRoadRequest(RequestBody):
    """A road more."""

    kind: Literal["add_road"]
    line: Annotated[tuple[Position, ...], Field(min_length=2, max_length=500, strict=False)]
    road_class: Literal[ROAD_CLASSES] = "tertiary"  # type: ignore[valid-type]

    def as_change(self) -> what_if.Change:
        """Give what the room understands."""
        return what_if.AddRoad(self.line, self.road_class)


ChangeWish = Annotated[
    MoveStationRequest
    | AddStationRequest
    | RemoveStationRequest
    | CloseRoadRequest
    | AddRoadRequest,
    Field(discriminator="kind"),
]


class WhatIfRequest(RequestBody):
    """What is to be otherwise; no change at all makes the county ready."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "standard": "fire-20",
                "changes": [
                    {"kind": "move_station", "facility_id": 7, "lon": 112.906, "lat": 28.705}
                ],
            }
        },
    )

    standard: Annotated[str, Field(max_length=100)]
    scenario: Annotated[str, Field(max_length=100)] = "normal"
    changes: Annotated[tuple[ChangeWish, ...], Field(max_length=50, strict=False)] = ()


class NoteAnswer(BaseModel):
    """What a reader should know of the change of this number, from 0."""

    change: int
    note: str
    text: str


class WhatIfAnswer(BaseModel):
    """The figures as they are and as they would be."""

    before: dict[str, Any]
    after: dict[str, Any]
    towns: list[dict[str, Any]]
    grids: list[dict[str, Any]]
    gained: int
    lost: int
    closed: tuple[int, ...]
    notes: list[NoteAnswer]
    seconds: float


@router.get("/standards", responses=examples.ok([examples.STANDARD]))
def list_standards(language: LanguageDep) -> list[StandardAnswer]:
    """List the standards in force, each number with its source."""
    return [
        StandardAnswer(code=code, **translate_sources(standard.model_dump(), language))
        for code, standard in standard_book().standards.items()
    ]


@router.get("/scenarios", responses=examples.ok([examples.SCENARIO]))
def list_scenarios(language: LanguageDep) -> list[ScenarioAnswer]:
    """List the scenarios in force, each number with its source."""
    return [
        ScenarioAnswer(code=code, **translate_sources(scenario.model_dump(), language))
        for code, scenario in standard_book().scenarios.items()
    ]


@router.get("/profiles", responses=examples.ok([examples.PROFILE]))
def list_profiles(language: LanguageDep) -> list[ProfileAnswer]:
    """List the profiles in force: speeds by road class, each with its source."""
    return [
        ProfileAnswer(code=code, **translate_sources(profile.model_dump(), language))
        for code, profile in standard_book().profiles.items()
    ]


@router.get(
    "/runs", response_model=Page[RunListed], responses=examples.ok(examples.page(examples.RUN))
)
def list_runs(
    connection: ConnectionDep, actor: ActorDep, paging: PagingDep, standard: Name = None
) -> object:
    """List finished runs, the newest first."""
    page, total = runs.list_runs(connection, standard, limit=paging.limit, offset=paging.offset)
    return make_page(([_as_listed(run, actor) for run in page], total), paging)


def _as_listed(run: runs.Run, actor: Actor) -> RunListed:
    """Keep counts from whoever sees shares only."""
    answer = RunListed.model_validate(run)
    if READ_COUNTS.allows(actor):
        return answer
    share = run.summary.get("share")
    rounded = None if share is None else round(share, 2)
    public = {name: run.summary.get(name) for name in ("of", "status")}
    return answer.model_copy(update={"summary": {**public, "share": rounded}})


@router.get("/runs/{run_id}", responses=examples.ok(examples.RUN))
def read_run(
    request: Request,
    connection: ConnectionDep,
    actor: ActorDep,
    language: LanguageDep,
    run_id: IdPath,
) -> RunAnswer:
    """Read a run, and whether anything that it was measured on has changed since."""
    run = runs.find_run(connection, run_id)
    because = find_stale_parts(request.app.state.snapshot, connection, run, standard_book())
    return RunAnswer(
        **dict(_as_listed(run, actor)),
        is_stale=bool(because),
        stale_because=because,
        stale_texts=tuple(_stale_text(part, language) for part in because),
        notes=_run_notes(run, language) if READ_COUNTS.allows(actor) else (),
        region_notes=tuple(
            RunNote(note=note.key.partition(".")[2], text=note.say(language))
            for note in (region_notes(connection) if READ_COUNTS.allows(actor) else ())
        ),
    )


def _run_notes(run: runs.Run, language: Language) -> tuple[RunNote, ...]:
    notes = run.summary.get("notes", ())  # an older run has none
    texts = run_notes.notes_as_text(notes, language)
    return tuple(
        RunNote(note=note["note"], text=sentence)
        for note, sentence in zip(notes, texts, strict=True)
    )


def _stale_text(part: str, language: Language) -> str:
    return text(f"coverage.stale_{part}", language)


@router.post("/runs", status_code=202)
def start_run(wanted_run: RunRequest, store: StoreDep, actor: ActorDep) -> JobAccepted:
    """Measure a standard anew; the job tells how far it is."""
    MEASURE.require(actor)
    book = standard_book()
    book.standard(wanted_run.standard)
    book.scenario(wanted_run.scenario)
    return JobAccepted(job_id=jobs.submit(store, actor, "coverage_run", wanted_run.model_dump()))


@router.get(
    "/runs/{run_id}/figures",
    responses=examples.ok([examples.GRID_FIGURES]),
    response_model=list[GridFiguresAnswer],
)
def read_figures(
    request: Request,
    connection: ConnectionDep,
    actor: ActorDep,
    run_id: IdPath,
    rank: Annotated[int, Query(ge=0, le=20, description="Level; 0 is the county."), WHOLE] = 1,
    of: Annotated[str, Query(max_length=100, description="What is counted.")] = "households",
    kind: Annotated[
        str, Query(max_length=100, description="A kind of facility; empty is the rule.")
    ] = "",
) -> Response:
    """Read the figures of every grid of a level; they add up to n."""

    def make() -> bytes:
        run = runs.find_run(connection, run_id)
        scheme = find_scheme(connection, "base")
        rows = figures_seen(connection, actor, scheme, run, rank, of, kind)
        return _run_figures.dump_json([GridFiguresAnswer(**row) for row in rows])

    question = question_of("run", actor, run_id, rank, of, kind)
    return figures_answer(
        request, find_answer(connection, request.app.state.answers, question, make)
    )


@router.get("/runs/{run_id}/blind-spots", responses=examples.ok([examples.BLIND_SPOT]))
def list_blind_spots(
    connection: ConnectionDep,
    actor: ActorDep,
    run_id: IdPath,
    limit: Annotated[int, Query(ge=1, le=5000, description="The largest so many."), WHOLE] = 200,
) -> list[BlindSpot]:
    """List the places whose households are not reached in time, the largest first."""
    return runs.find_blind_spots(connection, actor, run_id)[:limit]


@router.get("/runs/{run_id}/grids/{grid_id}", responses=examples.ok(examples.GRID_MINUTES))
def read_grid(
    connection: ConnectionDep, actor: ActorDep, run_id: IdPath, grid_id: IdPath
) -> GridAnswer:
    """Tell a grid's figures and from which stations its households are served."""
    run = runs.find_run(connection, run_id)
    scheme = find_scheme(connection, "base")
    rank = runs.find_grid_rank(connection, run_id, grid_id)
    by_kind = {}
    for kind in ("", *run.kinds):
        (row,) = figures_seen(connection, actor, scheme, run, rank, kind=kind, only=grid_id)
        by_kind[kind] = GridFiguresAnswer(**row)
    rule = by_kind.pop("")
    stations = runs.list_serving_stations(connection, actor, run_id, grid_id)
    return GridAnswer(**dict(rule), kinds=by_kind, stations=tuple(stations))


@router.get("/runs/{run_id}/households/{household_id}", responses=examples.ok(examples.UNREACHED))
def read_household(
    connection: RecordingDep, actor: ActorDep, run_id: IdPath, household_id: IdPath
) -> runs.Unreached:
    """Tell what a run says of one household, for who may see it."""
    return runs.read_household(connection, actor, run_id, household_id)


@router.get("/compare", responses=examples.ok(examples.COMPARISON))
def compare_runs(
    connection: ConnectionDep,
    actor: ActorDep,
    a: Annotated[int, Query(ge=1, le=BIGGEST, description="The run before."), WHOLE],
    b: Annotated[int, Query(ge=1, le=BIGGEST, description="The run after."), WHOLE],
    limit: Annotated[int, Query(ge=1, le=100_000, description="So many grids."), WHOLE] = 5000,
) -> RunComparisonAnswer:
    """Compare two runs: county, grids, households gained and lost."""
    comparison = make_comparison(connection, actor, a, b)
    return RunComparisonAnswer(
        **{
            **vars(comparison),
            "a": _as_listed(comparison.a, actor),
            "b": _as_listed(comparison.b, actor),
            "grids": [vars(grid) for grid in comparison.grids[:limit]],
        }
    )


@router.post("/what-if")
def ask_what_if(
    request: Request,
    question: WhatIfRequest,
    connection: ConnectionDep,
    actor: ActorDep,
    language: LanguageDep,
) -> WhatIfAnswer:
    """Say what the figures would be with stations or roads changed; nothing is stored."""
    MEASURE.require(actor)
    began = time.perf_counter()
    answer = answer_what_if(
        request.app.state.snapshot,
        connection,
        actor,
        question.standard,
        question.scenario,
        [change.as_change() for change in question.changes],
    )
    what_if_result = answer.what_if
    return WhatIfAnswer(
        before=what_if_result.before,
        after=what_if_result.after,
        towns=[vars(town) for town in answer.towns],
        grids=[vars(grid) for grid in answer.grids],
        gained=what_if_result.gained,
        lost=what_if_result.lost,
        closed=what_if_result.closed,
        notes=[
            NoteAnswer(change=number, note=note, text=text(f"coverage.note_{note}", language))
            for number, note in what_if_result.notes
        ],
        seconds=round(time.perf_counter() - began, 4),
    )


@router.get("/runs/{run_id}/unreached", responses=examples.ok(examples.page(examples.UNREACHED)))
def list_unreached(
    connection: RecordingDep,
    actor: ActorDep,
    paging: PagingDep,
    run_id: IdPath,
    grid_id: IdQuery = None,
    reason: Name = None,
) -> Page[runs.Unreached]:
    """List the households that are not covered, the longest way first."""
    page = runs.list_unreached(
        connection,
        actor,
        run_id,
        grid_id=grid_id,
        reason=reason,
        limit=paging.limit,
        offset=paging.offset,
    )
    return make_page(page, paging)
