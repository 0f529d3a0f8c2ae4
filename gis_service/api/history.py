"""The history of the boundaries over HTTP: versions, comparing two, taking one back."""

from typing import Annotated, Any

from fastapi import Response
from fastapi.responses import JSONResponse
from pydantic import Field

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
    wish: WithdrawRequest, connection: ConnectionDep, actor: ActorDep, version_id: IdPath
) -> JSONResponse:
    """Take a version back: a new one equal to what was before, with the same codes."""
    published = history.withdraw_version(
        connection, actor, version_id, wish.effective_day, wish.reason.strip()
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
    with store.transaction(actor, read_only=True) as connection:
        compared = history.compare_versions(connection, actor, a, b)
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
    found = history.compare_versions(connection, actor, a, b)
    return JSONResponse(
        {
            "a": {"version_id": a, "effective_day": found.a.effective_day.isoformat()},
            "b": {"version_id": b, "effective_day": found.b.effective_day.isoformat()},
            "grids": [_said(one) for one in found.grids],
            "households_moved": found.households_moved,
            "moved": found.moved,
            "faces": as_collection(
                (one.face, _said(one)) for one in found.grids if one.face is not None
            ),
        }
    )


def _said(one: history.ChangedGrid) -> dict[str, Any]:
    shown = one.after or one.before
    assert shown is not None
    return {
        "key": one.key,
        "what": one.what,
        "rank": shown.rank,
        "name": shown.name,
        "code": shown.code,
        "parent": shown.parent,
        "name_before": one.before.name if one.before else None,
        "code_before": one.before.code if one.before else None,
    }
