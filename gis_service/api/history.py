"""The history of the boundaries over HTTP: versions, comparing two, taking one back."""

from typing import Annotated, Any

from fastapi import Response
from fastapi.responses import JSONResponse
from pydantic import Field

from gis_service.access import record
from gis_service.access.permissions import SEE
from gis_service.api import examples
from gis_service.api import plan_examples as shown
from gis_service.api.dependencies import (
    ActorDep,
    ConnectionDep,
    Day,
    IdPath,
    RequestBody,
    SchemeCode,
    StoreDep,
)
from gis_service.api.plan_answers import VersionComparisonAnswer, VersionListed, WithdrawnAnswer
from gis_service.api.routing import ServiceRouter
from gis_service.boundaries.history import changes as history
from gis_service.boundaries.history.changes_file import write_comparison
from gis_service.boundaries.plans.publication import count_moved
from gis_service.boundaries.plans.work import as_collection

router = ServiceRouter(prefix="/api/versions", tags=["plans"])


class WithdrawRequest(RequestBody):
    """From when on a version no longer holds, and why."""

    effective_day: Day
    reason: Annotated[str, Field(min_length=1, max_length=2000)]


@router.get("", responses=examples.ok(shown.VERSIONS), response_model=list[VersionListed])
def list_versions(
    connection: ConnectionDep, actor: ActorDep, scheme: SchemeCode = "base"
) -> JSONResponse:
    """List the versions of a scheme, the newest first; who decided and why for readers of plans."""
    return JSONResponse(history.list_versions(connection, actor, scheme))


@router.post("/{version_id}/withdraw", response_model=WithdrawnAnswer)
def withdraw(
    withdrawal: WithdrawRequest, connection: ConnectionDep, actor: ActorDep, version_id: IdPath
) -> JSONResponse:
    """Take a version back: a new one equal to what was before, with the same codes."""
    published = history.withdraw_version(
        connection, actor, version_id, withdrawal.effective_day, withdrawal.reason.strip()
    )
    return JSONResponse(
        {
            "version_id": published.version.version_id,
            "effective_day": published.version.effective_day.isoformat(),
            "changed": published.changed,
            "retired": published.retired,
            "moved": count_moved(published),
            "reopened_duties": published.reopened_duties,
        }
    )


@router.get(
    "/{a}/compare/{b}.gpkg",
    responses=examples.files({"application/geopackage+sqlite3": "SQLite format 3"}),
    response_class=Response,
)
def download_comparison(store: StoreDep, actor: ActorDep, a: IdPath, b: IdPath) -> Response:
    """Hand on what changed between two versions as a GeoPackage."""
    with store.transaction(actor) as connection:
        compared = history.compare_versions(connection, actor, a, b)
        if SEE["officer"].allows(actor):  # a visitor has no name that could be written down
            record(connection, actor, "download", "grid_version", b, after={"compared_with": a})
    body = write_comparison(compared)
    return Response(
        body,
        media_type="application/geopackage+sqlite3",
        headers={"Content-Disposition": f'attachment; filename="versions-{a}-{b}.gpkg"'},
    )


@router.get(
    "/{a}/compare/{b}",
    responses=examples.ok(shown.COMPARISON),
    response_model=VersionComparisonAnswer,
)
def compare(connection: ConnectionDep, actor: ActorDep, a: IdPath, b: IdPath) -> JSONResponse:
    """Tell what is different in the second version: grids, and households from grid to grid."""
    comparison = history.compare_versions(connection, actor, a, b)
    return JSONResponse(
        {
            "a": {"version_id": a, "effective_day": comparison.a.effective_day.isoformat()},
            "b": {"version_id": b, "effective_day": comparison.b.effective_day.isoformat()},
            "grids": [_describe_grid(grid) for grid in comparison.grids],
            "households_moved": comparison.households_moved,
            "moved": comparison.moved,
            "faces": as_collection(
                (grid.face, _describe_grid(grid))
                for grid in comparison.grids
                if grid.face is not None
            ),
        }
    )


def _describe_grid(grid: history.ChangedGrid) -> dict[str, Any]:
    state = grid.after or grid.before
    assert state is not None
    return {
        "key": grid.key,
        "what": grid.what,
        "rank": state.rank,
        "name": state.name,
        "code": state.code,
        "parent": state.parent,
        "name_before": grid.before.name if grid.before else None,
        "code_before": grid.before.code if grid.before else None,
    }
