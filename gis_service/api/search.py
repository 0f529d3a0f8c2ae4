"""Search over HTTP: what a person types, coordinates or a name, to places on the map."""

from typing import Annotated

from fastapi import Query

from gis_service.api import examples
from gis_service.api.dependencies import WHOLE, ActorDep, RecordingDep, SchemeCode, Words
from gis_service.api.routing import ServiceRouter
from gis_service.grids import reading
from gis_service.search.reading import search

router = ServiceRouter(prefix="/api", tags=["search"])


@router.get("/search", responses=examples.ok([examples.FOUND]))
def find(
    connection: RecordingDep,
    actor: ActorDep,
    q: Words = "",
    scheme: SchemeCode = "base",
    limit: Annotated[int, Query(ge=1, le=50), WHOLE] = 20,
) -> list[reading.SearchHit]:
    """Find coordinates, grids, villages, roads, house numbers, premises, facilities, officers."""
    return search(connection, actor, reading.find_scheme(connection, scheme), q, limit)
