"""What is read and emptied of one person, in every table that has somebody's name or telephone."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from gis_service.access import Actor
from gis_service.entry.queries import is_visible, key_column, select_form
from gis_service.records import Record
from gis_service.store import tables as t
from gis_service.store.tables import table_of

Ids = Sequence[tuple[str, int]]


def find_rows(
    connection: sa.Connection, actor: Actor, kind: Record, wanted: Mapping[str, str]
) -> Sequence[Any]:
    """Find rows whose fields are as wanted; one telephone of several in a cell is enough."""
    table = table_of(kind)
    conditions = [
        table.c[kind.field(name).stored].op("~")(rf"(^|\D){re.escape(value)}(\D|$)")
        if kind.field(name).type == "phone"
        else table.c[kind.field(name).stored] == value
        for name, value in wanted.items()
    ]
    query = select_form(kind).where(*conditions, is_visible(actor, kind))
    return connection.execute(query.order_by(key_column(kind))).all()


def find_waiting_reports(connection: sa.Connection, phone: str) -> list[dict[str, Any]]:
    """Find the drafts of reports that were left with a telephone."""
    intake = t.incident_intake.c
    query = sa.select(intake.token, intake.at, intake.draft).where(
        intake.draft["reporter_phone"].astext == phone, sa.literal(bool(phone))
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def find_photos(connection: sa.Connection, incident_ids: Sequence[int]) -> dict[int, list[str]]:
    """Name the photos of some incidents."""
    photo = t.incident_photo.c
    rows = connection.execute(
        sa.select(photo.incident_id, photo.sha256).where(photo.incident_id.in_(incident_ids))
    )
    names: dict[int, list[str]] = {}
    for incident_id, sha256 in rows:
        names.setdefault(incident_id, []).append(f"{sha256}.jpg")
    return names


def _of_rows(ids: Ids) -> sa.ColumnElement[bool]:
    change = t.entry_change.c
    return sa.tuple_(change.object_kind, change.object_id).in_(ids) & change.before.is_not(None)


def count_undo_copies(connection: sa.Connection, ids: Ids) -> int:
    """Count rows as they were before a change by hand."""
    query = sa.select(sa.func.count()).select_from(t.entry_change).where(_of_rows(ids))
    return connection.execute(query).scalar_one()


def empty_undo_copies(connection: sa.Connection, ids: Ids) -> None:
    """Forget rows as they were before a change by hand: it cannot be undone any more."""
    connection.execute(sa.update(t.entry_change).where(_of_rows(ids)).values(before=sa.null()))


def empty_reporters(
    connection: sa.Connection, incident_ids: Sequence[int], tokens: Sequence[str]
) -> None:
    """Empty what no kind of record names: addresses of mail, and reporters of drafts."""
    incident, intake = t.incident.c, t.incident_intake.c
    connection.execute(
        sa.update(t.incident)
        .where(incident.incident_id.in_(incident_ids))
        .values(reporter_email="")
    )
    nobody = {"reporter_name": "", "reporter_phone": "", "reporter_email": ""}
    connection.execute(
        sa.update(t.incident_intake)
        .where(intake.token.in_(tokens))
        .values(draft=intake.draft.op("||")(sa.cast(nobody, intake.draft.type)))
    )


def read_events_about(connection: sa.Connection, ids: Ids) -> list[dict[str, Any]]:
    """Read from the record what was done with some rows, the newest first."""
    event = t.event.c
    query = (
        sa.select(
            event.event_id, event.at, event.actor_id, event.actor_role, event.action,
            event.object_kind, event.object_id,
        )
        .where(sa.tuple_(event.object_kind, event.object_id).in_([(k, str(n)) for k, n in ids]))
        .order_by(event.event_id.desc())
    )  # fmt: skip
    return [dict(row) for row in connection.execute(query).mappings()]
