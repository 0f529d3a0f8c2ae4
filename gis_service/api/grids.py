"""Grids over HTTP: schemes, the county at a glance, the list, the sheet."""

from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import TypeAdapter

from gis_service.api import examples
from gis_service.api.dependencies import (
    ActorDep,
    At,
    ConnectionDep,
    IdPath,
    Page,
    PagingDep,
    RankOrNone,
    SchemeCode,
    Words,
    make_page,
)
from gis_service.api.maps import figures_answer
from gis_service.api.routing import ServiceRouter, wait_until_made
from gis_service.grids import reading
from gis_service.grids.answers.tallies import TALLIES
from gis_service.maps.page.answer_cache import find_answer, question_of
from gis_service.maps.sheets import sheet

router = ServiceRouter(
    prefix="/api",
    tags=["grids"],
    first=wait_until_made(TALLIES),
)
_overview = TypeAdapter(sheet.Overview)


@router.get("/schemes", responses=examples.ok([examples.SCHEME]))
def list_schemes(connection: ConnectionDep) -> list[reading.Scheme]:
    """List the schemes with their levels and versions."""
    return reading.list_schemes(connection)


@router.get("/overview", responses=examples.ok(examples.OVERVIEW), response_model=sheet.Overview)
def read_overview(
    request: Request, connection: ConnectionDep, actor: ActorDep, scheme: SchemeCode = "base"
) -> Response:
    """Tell the county's counts and coverage, as far as the actor may see them."""
    question = question_of("overview", actor, reading.find_scheme(connection, scheme).scheme_id)
    cached = find_answer(
        connection,
        request.app.state.answers,
        question,
        lambda: _overview.dump_json(sheet.read_overview(connection, actor, scheme)),
    )
    return figures_answer(request, cached)


@router.get("/grids", responses=examples.ok(examples.page(examples.GRID_ROW)))
def list_grids(
    connection: ConnectionDep,
    paging: PagingDep,
    q: Words = "",
    scheme: SchemeCode = "base",
    rank: RankOrNone = None,
    at: At = None,
) -> Page[reading.GridRow]:
    """List grids by code, or those whose name or code fits."""
    page = reading.list_grids(
        connection,
        reading.find_scheme(connection, scheme),
        q=q,
        rank=rank,
        at=at,
        limit=paging.limit,
        offset=paging.offset,
    )
    return make_page(page, paging)


@router.get("/areas", responses=examples.ok([examples.AREA]))
def list_areas(
    connection: ConnectionDep,
    ids: Annotated[
        str,
        Query(
            max_length=8000,
            pattern=r"^\d{1,18}(,\d{1,18})*$",
            description="Grid ids, separated by commas.",
            examples=["412,57"],
        ),
    ],
) -> list[reading.Area]:
    """Name some grids of any level and scheme, such as those that somebody answers for."""
    return reading.list_areas(connection, tuple(int(part) for part in ids.split(","))) or []


@router.get("/grids/{grid_id}", responses=examples.ok(examples.SHEET))
def read_sheet(
    request: Request, connection: ConnectionDep, actor: ActorDep, grid_id: IdPath, at: At = None
) -> sheet.GridSheet:
    """Give the sheet of one grid."""
    return sheet.read_grid_sheet(connection, actor, grid_id, at, request.app.state.snapshot)
