"""Printed sheets over HTTP: one grid as PDF, picture or page that stands for itself."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from gis_service.api import examples
from gis_service.api.dependencies import FLAG, ActorDep, At, IdPath, LanguageDep, StoreDep
from gis_service.maps.sheets import grid_sheet, layout

router = APIRouter(prefix="/api", tags=["maps"])

_PRINTED: Final = examples.files(
    {"application/pdf": "%PDF-1.7", "image/png": "PNG", "text/html": "<!DOCTYPE html>"}
)
_STANDS_ALONE: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


@router.get("/grids/{grid_id}/sheet", response_class=Response, responses=_PRINTED)
def print_sheet(
    store: StoreDep,
    actor: ActorDep,
    language: LanguageDep,
    grid_id: IdPath,
    at: At = None,
    form: Annotated[grid_sheet.Format, Query(alias="format")] = "pdf",
    paper: layout.Paper = "A4",
    public: Annotated[
        bool, Query(description="For a board in the street: without the line 内部使用."), FLAG
    ] = False,
) -> Response:
    """Print the sheet of one grid, with officers and figures as far as the actor sees them."""
    options = grid_sheet.SheetOptions(paper=paper, language=language, public=public, at=at)
    with store.under("report").transaction(actor) as connection:  # ends before it is printed
        document = grid_sheet.write_sheet(connection, actor, grid_id, form, options)
    printed = grid_sheet.print_document(document, form)
    headers = {
        "Content-Disposition": f'inline; filename="grid-{grid_id}-{paper}.{form}"',
        "Cache-Control": "private, no-store",
        "Content-Language": language,
        "Content-Security-Policy": _STANDS_ALONE,
    }
    return Response(printed.body, media_type=printed.media_type, headers=headers)
