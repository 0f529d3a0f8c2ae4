"""Households over HTTP: masked, and only for those who may see them."""

from gis_service.api import examples
from gis_service.api.dependencies import (
    ActorDep,
    IdQuery,
    Page,
    PagingDep,
    RecordingDep,
    make_page,
)
from gis_service.api.routing import ServiceRouter
from gis_service.grids.answers import people

router = ServiceRouter(prefix="/api/households", tags=["households"])


@router.get("", responses=examples.ok(examples.page(examples.HOUSEHOLD)))
def list_households(
    connection: RecordingDep, actor: ActorDep, paging: PagingDep, grid_id: IdQuery = None
) -> Page[people.HouseholdRow]:
    """List the households in sight; names and phones are masked, addresses by the role."""
    page = people.list_households(
        connection, actor, grid_id=grid_id, limit=paging.limit, offset=paging.offset
    )
    return make_page(page, paging)
