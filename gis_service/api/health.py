"""Whether the service can do its work: database, migration, boundaries in force, stuck jobs.

Says versions and counts only: no address, no path, no name of a role.
"""

from datetime import date
from typing import Literal

import sqlalchemy as sa
from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict

from gis_service import jobs
from gis_service.api import examples
from gis_service.api.dependencies import VISITOR, StoreDep
from gis_service.errors import StoreError
from gis_service.grids.reading import versions_in_force
from gis_service.store import migrate
from gis_service.store.engine import check_server

router = APIRouter(tags=["health"])


class Database(BaseModel):
    """Versions of the server and of PostGIS; null where it does not answer."""

    postgresql: str | None = None
    postgis: str | None = None


class Migration(BaseModel):
    """Where the tables stand, and what this release brings."""

    model_config = ConfigDict(from_attributes=True)

    current: str | None = None
    head: str | None = None


class Boundaries(BaseModel):
    """The version of a scheme in force today."""

    model_config = ConfigDict(from_attributes=True)

    scheme: str
    version: int | None
    effective_day: date | None


class Jobs(BaseModel):
    """Running jobs whose heart has not beaten for a minute."""

    stuck: int = 0


class Health(BaseModel):
    """``failing`` where the service cannot do its work now."""

    model_config = ConfigDict(json_schema_extra={"example": examples.HEALTH})

    status: Literal["ok", "failing"]
    database: Database
    migration: Migration
    boundaries: list[Boundaries]
    jobs: Jobs


@router.get("/health", responses={503: {"model": Health, "description": "Not healthy."}})
def health(store: StoreDep, response: Response) -> Health:
    """Tell whether the service can do its work; 503 where it cannot."""
    response.headers["Cache-Control"] = "no-store"
    answer = Health(
        status="failing", database=Database(), migration=Migration(), boundaries=[], jobs=Jobs()
    )
    try:
        with store.transaction(VISITOR) as connection:
            postgresql, postgis = check_server(connection)
            answer.database = Database(postgresql=postgresql, postgis=postgis)
            answer.migration = Migration.model_validate(migrate.state(connection))
            if answer.migration.current == answer.migration.head:
                answer.boundaries = [
                    Boundaries.model_validate(one) for one in versions_in_force(connection)
                ]
                answer.jobs = Jobs(stuck=len(jobs.stuck(connection)))
                answer.status = "failing" if answer.jobs.stuck else "ok"
    except (StoreError, sa.exc.OperationalError, sa.exc.InterfaceError):
        answer.status = "failing"
    response.status_code = 200 if answer.status == "ok" else 503
    return answer
