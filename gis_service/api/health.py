"""Whether the service can do its work: database, migration, boundaries, stuck jobs, disks.

Says versions and counts only: no address, no path, no name of a role. It is looked at once a second
at most, on a connection and a thread of its own, so that it answers however many others ask.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Final, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict

from gis_service import job_queries
from gis_service.access.actor import VISITOR
from gis_service.api import examples
from gis_service.errors import GisError
from gis_service.grids.reading import list_versions_in_force
from gis_service.store import disk, migrate
from gis_service.store.engine import Store, check_server
from gis_service.store.failures import UNREACHABLE

router = APIRouter(tags=["health"])

_LOOK_EVERY_S: Final = 1.0
_PATIENCE_S: Final = 4.0


class Database(BaseModel):
    """Versions of the server and of PostGIS; null where it does not answer."""

    postgresql: str | None = None
    postgis: str | None = None


class Migration(BaseModel):
    """Where the tables stand, and what this release brings."""

    model_config = ConfigDict(from_attributes=True)

    current: str | None = None
    head: str | None = None


class BoundariesInForce(BaseModel):
    """The version of a scheme in force today."""

    model_config = ConfigDict(from_attributes=True)

    scheme: str
    version: int | None
    effective_day: date | None


class Jobs(BaseModel):
    """Running jobs whose heart has not beaten for a minute."""

    stuck: int = 0


class Disk(BaseModel):
    """``full`` where a disk of ours has less room than ``GIS_DISK_FREE_MB`` asks for."""

    status: Literal["ok", "full"] = "ok"


class Health(BaseModel):
    """``failing`` where the service cannot do its work now."""

    model_config = ConfigDict(json_schema_extra={"example": examples.HEALTH})

    status: Literal["ok", "failing"]
    database: Database
    migration: Migration
    boundaries: list[BoundariesInForce]
    jobs: Jobs
    disk: Disk


class Checkup:
    """What was found out last, shared by all who ask."""

    def __init__(self, store: Store) -> None:
        self._store = store.apart()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="health")
        self._running: asyncio.Future[Health] | None = None
        self._found: Health | None = None
        self._at = 0.0

    async def now(self) -> Health:
        """
        Tell whether the service can do its work.

        Returns
        -------
        Health
            At most a second old; failing where no answer comes within some seconds.
        """
        if self._found is not None and time.monotonic() - self._at < _LOOK_EVERY_S:
            return self._found
        if self._running is None or self._running.done():
            loop = asyncio.get_running_loop()
            self._running = loop.run_in_executor(self._thread, self._look)
        try:
            return await asyncio.wait_for(asyncio.shield(self._running), _PATIENCE_S)
        except TimeoutError:
            return _failing()

    def _look(self) -> Health:
        answer = _failing()
        has_room = disk.has_room(self._store.url)
        answer.disk = Disk(status="ok" if has_room else "full")
        try:
            with self._store.transaction(VISITOR, read_only=True) as connection:
                postgresql, postgis = check_server(connection)
                answer.database = Database(postgresql=postgresql, postgis=postgis)
                answer.migration = Migration.model_validate(
                    migrate.read_migration_state(connection)
                )
                if answer.migration.current == answer.migration.head:
                    answer.boundaries = [
                        BoundariesInForce.model_validate(version)
                        for version in list_versions_in_force(connection)
                    ]
                    answer.jobs = Jobs(stuck=len(job_queries.find_stuck_jobs(connection)))
                    answer.status = "ok" if has_room and not answer.jobs.stuck else "failing"
        except (GisError, *UNREACHABLE):
            answer.status = "failing"
        self._found, self._at = answer, time.monotonic()
        return answer

    def close(self) -> None:
        """Give the connection and the thread back."""
        self._thread.shutdown(wait=False)
        self._store.close()


def _failing() -> Health:
    return Health(
        status="failing",
        database=Database(),
        migration=Migration(),
        boundaries=[],
        jobs=Jobs(),
        disk=Disk(),
    )


@router.get("/health", responses={503: {"model": Health, "description": "Not healthy."}})
async def health(request: Request, response: Response) -> Health:
    """Tell whether the service can do its work; 503 where it cannot."""
    checkup: Checkup = request.app.state.checkup
    answer = await checkup.now()
    response.headers["Cache-Control"] = "no-store"
    response.status_code = 200 if answer.status == "ok" else 503
    return answer
