"""Coverage over HTTP: the standards, the runs, and the households that are not reached."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from gis_service import jobs
from gis_service.api import examples
from gis_service.api.dependencies import (
    ActorDep,
    ConnectionDep,
    IdPath,
    IdQuery,
    Name,
    Page,
    PagingDep,
    StoreDep,
    page_of,
)
from gis_service.coverage import runs
from gis_service.coverage.standards import Standard, standard_book
from gis_service.errors import NotAllowedError

router = APIRouter(prefix="/api/coverage", tags=["coverage"])
MEASURERS = frozenset({"county_office", "planner", "analyst"})


class StandardAnswer(Standard):
    """A standard with its code; every number with its source."""

    code: str


class RunAnswer(BaseModel):
    """A finished run with the county's figures."""

    model_config = ConfigDict(from_attributes=True)

    run_id: int
    standard: str
    scenario: str
    version_id: int
    kinds: tuple[str, ...]
    parameters: dict[str, Any]
    fingerprint: str
    software_version: str
    finished_at: Any


class RunRequest(BaseModel):
    """What is to be measured."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"standard": "fire-20", "scenario": "normal"}}
    )

    standard: Annotated[str, Field(max_length=100)]
    scenario: Annotated[str, Field(max_length=100)] = "normal"


class JobAccepted(BaseModel):
    """The job that does the work."""

    model_config = ConfigDict(json_schema_extra={"example": {"job_id": 5}})

    job_id: int


@router.get("/standards", responses=examples.ok([examples.STANDARD]))
def list_standards() -> list[StandardAnswer]:
    """List the standards in force, each number with its source."""
    return [
        StandardAnswer(code=code, **dict(standard))
        for code, standard in standard_book().standards.items()
    ]


@router.get(
    "/runs", response_model=Page[RunAnswer], responses=examples.ok(examples.page(examples.RUN))
)
def list_runs(connection: ConnectionDep, paging: PagingDep, standard: Name = None) -> object:
    """List finished runs, the newest first."""
    found, total = runs.list_runs(connection, standard, limit=paging.limit, offset=paging.offset)
    return page_of(([RunAnswer.model_validate(run) for run in found], total), paging)


@router.post("/runs", status_code=202, responses=examples.problems())
def start_run(wish: RunRequest, store: StoreDep, actor: ActorDep) -> JobAccepted:
    """Measure a standard anew; the job tells how far it is."""
    if actor.role not in MEASURERS or actor.areas is not None:
        raise NotAllowedError("coverage.whole_county_only", actor=actor.name)
    book = standard_book()
    book.standard(wish.standard)
    book.scenario(wish.scenario)
    return JobAccepted(job_id=jobs.submit(store, actor, "coverage_run", wish.model_dump()))


@router.get("/runs/{run_id}/unreached", responses=examples.ok(examples.page(examples.UNREACHED)))
def list_unreached(
    connection: ConnectionDep,
    actor: ActorDep,
    paging: PagingDep,
    run_id: IdPath,
    grid_id: IdQuery = None,
    reason: Name = None,
) -> Page[runs.Unreached]:
    """List the households that are not covered, the longest way first."""
    found = runs.unreached(
        connection,
        actor,
        run_id,
        grid_id=grid_id,
        reason=reason,
        limit=paging.limit,
        offset=paging.offset,
    )
    return page_of(found, paging)
