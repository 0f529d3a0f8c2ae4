"""Incidents and hazards over HTTP."""

from fastapi import APIRouter

from gis_service.api import examples
from gis_service.api.dependencies import (
    ActorDep,
    ConnectionDep,
    Days,
    IdQuery,
    Name,
    Page,
    PagingDep,
    page_of,
)
from gis_service.incidents import reading

router = APIRouter(prefix="/api", tags=["incidents"])


@router.get("/incidents", responses=examples.ok(examples.page(examples.INCIDENT)))
def list_incidents(
    connection: ConnectionDep,
    actor: ActorDep,
    paging: PagingDep,
    status: Name = None,
    days: Days = None,
    grid_id: IdQuery = None,
) -> Page[reading.IncidentRow]:
    """List the incidents that the actor may see, the newest first."""
    found = reading.incidents(
        connection,
        actor,
        status=status,
        days=days,
        grid_id=grid_id,
        limit=paging.limit,
        offset=paging.offset,
    )
    return page_of(found, paging)


@router.get("/hazards", responses=examples.ok(examples.page(examples.HAZARD)))
def list_hazards(
    connection: ConnectionDep,
    actor: ActorDep,
    paging: PagingDep,
    status: Name = None,
    grid_id: IdQuery = None,
) -> Page[reading.HazardRow]:
    """List the hazards that the actor may see, the one that is due first on top."""
    found = reading.hazards(
        connection,
        actor,
        status=status,
        grid_id=grid_id,
        limit=paging.limit,
        offset=paging.offset,
    )
    return page_of(found, paging)
