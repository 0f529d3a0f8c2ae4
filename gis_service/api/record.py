"""The record over HTTP, for the auditor: a page of it, a file of it, where its chain ends.

Whoever reads it is on it too: what was asked for and how much of it was given.
"""

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict

from gis_service.access import audit, record
from gis_service.access.permissions import READ_RECORD
from gis_service.access.record_file import COLUMNS, write_record
from gis_service.api import examples
from gis_service.api.dependencies import (
    MOST_ROWS,
    WHOLE,
    ActorDep,
    ConnectionDep,
    IdQuery,
    Moment,
    RecordingDep,
    StoreDep,
)
from gis_service.api.request_checks import BIGGEST
from gis_service.api.routing import ServiceRouter
from gis_service.errors import InputError, Place

router = ServiceRouter(prefix="/api", tags=["record"])

MOST_IN_FILE: Final = 200_000
"""Rows of one file; what is older is asked for with ``before_id``."""
_EVENT: Final[dict[str, Any]] = {
    "event_id": 48213,
    "at": "2026-03-02T08:15:04.120000Z",
    "actor_id": 7,
    "actor_name": "赵一",
    "actor_role": "grid_officer",
    "session_id": 311,
    "address": "10.3.0.17",
    "request_id": "1f0c2e6a",
    "action": "reveal",
    "object_kind": "household",
    "object_id": "90121",
    "before": None,
    "after": {"reason": "visit", "fields": ["head_name", "phone", "care_tags"]},
}
_STATE: Final = {
    "sealed_to": 48200,
    "sealed_at": "2026-03-02T08:15:03.010000Z",
    "head": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "unsealed": 2,
    "rows": 48202,
}


class RecordedEventAnswer(BaseModel):
    """One thing that was done or seen."""

    model_config = ConfigDict(from_attributes=True)

    event_id: int
    at: datetime
    actor_id: int
    actor_name: str
    actor_role: str
    session_id: int | None
    address: str
    request_id: str
    action: str
    object_kind: str
    object_id: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class RecordAnswer(BaseModel):
    """A page of the record, the newest first; ``next`` is the ``before_id`` of the next one."""

    items: list[RecordedEventAnswer]
    next: int | None


class RecordStateAnswer(BaseModel):
    """Number, hash and time of the newest seal; events without one; all events that are kept."""

    sealed_to: int
    sealed_at: datetime | None
    head: str | None
    unsealed: int
    rows: int


_Word = Annotated[str | None, Query(min_length=1, max_length=100)]


async def _get_filter(
    since: Annotated[Moment | None, Query(description="From this moment on.")] = None,
    until: Annotated[Moment | None, Query(description="Before this moment.")] = None,
    actor_id: Annotated[int | None, Query(ge=-1, le=BIGGEST), WHOLE] = None,
    action: _Word = None,
    object_kind: _Word = None,
    object_id: _Word = None,
) -> audit.EventFilter:
    """Read what is asked for."""
    for name, moment in (("since", since), ("until", until)):
        if moment is not None and (moment.tzinfo is None or not 1900 <= moment.year <= 2900):
            raise InputError("incidents.no_offset", place=Place(field=name))
    return audit.EventFilter(since, until, actor_id, action, object_kind, object_id)


_FilterDep = Annotated[audit.EventFilter, Depends(_get_filter)]


@router.get("/record", responses=examples.ok({"items": [_EVENT], "next": 48213}))
def read_record(
    connection: RecordingDep,
    actor: ActorDep,
    wanted: _FilterDep,
    before_id: IdQuery = None,
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS), WHOLE] = 50,
) -> RecordAnswer:
    """Give a page of the record, the newest first, to the auditor."""
    READ_RECORD.require(actor)
    found = audit.list_events(connection, wanted, before_id=before_id, limit=limit)
    record(connection, actor, "read", "event", after={**wanted.as_dict(), "rows": len(found)})
    return RecordAnswer(
        items=[RecordedEventAnswer.model_validate(event) for event in found],
        next=found[-1].event_id if len(found) == limit else None,
    )


@router.get(
    "/record.csv",
    responses=examples.files({"text/csv": ",".join(COLUMNS)}),
    response_class=StreamingResponse,
)
def download_record(
    connection: RecordingDep,
    store: StoreDep,
    actor: ActorDep,
    wanted: _FilterDep,
    before_id: IdQuery = None,
) -> StreamingResponse:
    """Give the record as a file, the newest first, at most 200,000 rows of it."""
    READ_RECORD.require(actor)
    record(connection, actor, "download", "event", after=wanted.as_dict())
    return StreamingResponse(
        write_record(store, actor, wanted, before_id, MOST_IN_FILE),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="record.csv"'},
    )


@router.get("/record/state", responses=examples.ok(_STATE))
def read_record_state(connection: ConnectionDep, actor: ActorDep) -> RecordStateAnswer:
    """Tell where the chain ends; that may be known to anybody who reads the record."""
    READ_RECORD.require(actor)
    state = audit.read_state(connection)
    head = state.head
    return RecordStateAnswer(
        sealed_to=0 if head is None else head.number,
        sealed_at=None if head is None else head.at,
        head=None if head is None else head.hash,
        unsealed=state.unsealed,
        rows=state.rows,
    )
