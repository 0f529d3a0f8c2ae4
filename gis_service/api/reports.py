"""Reports over HTTP: the coverage report of a run as a file to download, and its pages to see."""

import base64
from contextlib import AbstractContextManager
from typing import Annotated, Final

from fastapi import Query, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field

from gis_service import job_queries, jobs
from gis_service.access import record
from gis_service.api import examples
from gis_service.api.areas import get_area_service
from gis_service.api.coverage import JobAccepted
from gis_service.api.dependencies import (
    ActorDep,
    IdPath,
    IdQuery,
    LanguageDep,
    RecordingDep,
    RequestBody,
    StoreDep,
)
from gis_service.api.routing import ServiceRouter
from gis_service.coverage.areas.service import AREA_INPUTS
from gis_service.coverage.county.parts import COUNTY, ROADS
from gis_service.messages import Language
from gis_service.reports import coverage, report_job
from gis_service.snapshot import Snapshot

router = ServiceRouter(prefix="/api/reports", tags=["reports"])

_FILES: Final = examples.files({kind: form for form, kind in coverage.MEDIA_TYPES.items()})
_PAGES: Final = {"run_id": 3, "pages": 14, "pictures": ["data:image/png;base64,iVBORw0"]}
_MOST_PAGES: Final = 12
_SCREEN_DPI: Final = 96
_STANDS_ALONE: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
    "sandbox allow-scripts"
)


def _wait_turn(request: Request) -> AbstractContextManager[None]:
    """Wait without a connection while another request reads the roads or the county."""
    snapshot: Snapshot = request.app.state.snapshot
    return snapshot.wait_until_free(ROADS, COUNTY, AREA_INPUTS)


@router.get("/coverage", response_class=Response, responses=_FILES)
def coverage_report(
    request: Request,
    store: StoreDep,
    actor: ActorDep,
    language: LanguageDep,
    standard: Annotated[str, Query(max_length=100)] = "fire-20",
    scenario: Annotated[str, Query(max_length=100)] = "normal",
    run_id: IdQuery = None,
    compare: IdQuery = None,
    form: Annotated[coverage.Format, Query(alias="format")] = "pdf",
    report_language: Annotated[
        Language | None, Query(alias="language", description="Of the report; else the reader's.")
    ] = None,
) -> Response:
    """Write the coverage report of the newest run, or of a certain one; small cells are hidden."""
    options = coverage.ReportOptions(
        standard, scenario, run_id, report_language or language, compare=compare
    )
    with _wait_turn(request), store.under("report").transaction(actor) as connection:
        report = coverage.read_report(
            connection, actor, options, get_area_service(request), with_bands=form != "xlsx"
        )
    headers = {
        "Content-Disposition": f'attachment; filename="{report.name}.{form}"',
        "Cache-Control": "private, no-store",
        "Content-Language": options.language,
        "Content-Security-Policy": _STANDS_ALONE,
    }
    media_type = coverage.MEDIA_TYPES[form]
    return Response(report.write_body(form), media_type=media_type, headers=headers)


class ReportRequest(RequestBody):
    """Which report, and in which format."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"standard": "fire-20", "run_id": 2, "format": "pdf"}},
    )

    standard: Annotated[str, Field(max_length=100)] = "fire-20"
    scenario: Annotated[str, Field(max_length=100)] = "normal"
    run_id: Annotated[int | None, Field(ge=1, le=2**31 - 1)] = None
    compare: Annotated[int | None, Field(ge=1, le=2**31 - 1)] = None
    form: Annotated[coverage.Format, Field(alias="format")] = "pdf"
    language: Language | None = None


@router.post("/coverage", status_code=202)
def start_report(
    wanted_report: ReportRequest, store: StoreDep, actor: ActorDep, language: LanguageDep
) -> JobAccepted:
    """Write the coverage report as a job, which tells how far it is; the file is kept."""
    with store.under("report").transaction(actor) as connection:  # what cannot be is said at once
        coverage.check_report(
            connection, actor, wanted_report.standard, wanted_report.scenario, wanted_report.run_id
        )
    arguments = {**wanted_report.model_dump(), "language": wanted_report.language or language}
    return JobAccepted(job_id=jobs.submit(store, actor, report_job.KIND, arguments))


@router.get("/coverage/files/{job_id}", response_class=Response, responses=_FILES)
def read_report_file(connection: RecordingDep, actor: ActorDep, job_id: IdPath) -> Response:
    """Hand out the report that a job has written."""
    state = job_queries.find_visible_job(connection, actor, job_id)
    file = report_job.find_report_file(state)
    result = state.result or {}
    record(connection, actor, "download", "job", job_id, after={"name": result["name"]})
    return FileResponse(
        file,
        media_type=coverage.MEDIA_TYPES[result["form"]],
        filename=result["name"],
        headers={
            "Cache-Control": "private, no-store",
            "Content-Language": result["language"],
            "Content-Security-Policy": _STANDS_ALONE,
        },
    )


class PagesAnswer(BaseModel):
    """The first pages as data URLs, and the number of all."""

    run_id: int
    pages: int
    pictures: list[str]


@router.get("/coverage/pages", responses=examples.ok(_PAGES))
def coverage_report_pages(
    request: Request,
    store: StoreDep,
    actor: ActorDep,
    language: LanguageDep,
    standard: Annotated[str, Query(max_length=100)] = "fire-20",
    scenario: Annotated[str, Query(max_length=100)] = "normal",
    run_id: IdQuery = None,
    compare: IdQuery = None,
    report_language: Annotated[
        Language | None, Query(alias="language", description="Of the report; else the reader's.")
    ] = None,
) -> PagesAnswer:
    """Show the first pages of the printed report as pictures, with the number of all pages."""
    options = coverage.ReportOptions(
        standard, scenario, run_id, report_language or language, compare=compare
    )
    with _wait_turn(request), store.under("report").transaction(actor) as connection:
        report = coverage.read_report(connection, actor, options, get_area_service(request))
    pages, pictures = report.draw_pictures(_MOST_PAGES, _SCREEN_DPI)
    urls = [f"data:image/png;base64,{base64.b64encode(picture).decode()}" for picture in pictures]
    return PagesAnswer(run_id=report.run.run_id, pages=pages, pictures=urls)
