"""Statements of this room that write, and those that lock what is about to be written.

No rule stands here: who may do what, and what a step changes, is decided by the modules that call.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import REGCLASS, insert

from gis_service.access import Actor, visible
from gis_service.store import tables as t
from gis_service.store.tables import SRID

_BY_HAND: Final = sa.select(sa.func.set_config("gis.step_follows", "on", True))  # noqa: FBT003
_BY_TRIGGER: Final = sa.select(sa.func.set_config("gis.step_follows", "", True))  # noqa: FBT003


@contextmanager
def _step_follows(connection: sa.Connection) -> Iterator[None]:
    """Keep the database from writing a step by itself: ours says more."""
    connection.execute(_BY_HAND)
    yield
    connection.execute(_BY_TRIGGER)


def _point(lon: float, lat: float) -> sa.ColumnElement[Any]:
    return sa.func.ST_SetSRID(sa.func.ST_MakePoint(lon, lat), SRID)


# --- incidents ---------------------------------------------------------------------------------


def next_incident_id(connection: sa.Connection) -> int:
    """Draw the next number."""
    sequence = sa.func.pg_get_serial_sequence("incident", "incident_id")
    number = sa.func.nextval(sa.cast(sequence, REGCLASS))
    return int(connection.execute(sa.select(number)).scalar_one())


def insert_incident(
    connection: sa.Connection, incident_id: int, lon: float, lat: float, **values: Any
) -> bool:
    """Write a new incident, whose first step is to follow; False where its key is taken."""
    statement = sa.insert(t.incident).values(
        incident_id=incident_id, point=_point(lon, lat), **values
    )
    try:
        with connection.begin_nested(), _step_follows(connection):
            connection.execute(statement)
    except sa.exc.IntegrityError:
        return False
    return True


def set_officer(
    connection: sa.Connection, incident_id: int, officer_id: int | None, officer_post: str | None
) -> None:
    """Write who answers for an incident."""
    connection.execute(
        sa.update(t.incident)
        .where(t.incident.c.incident_id == incident_id)
        .values(officer_id=officer_id, officer_post=officer_post)
    )


def lock_incident(connection: sa.Connection, actor: Actor, incident_id: int) -> Any | None:
    """Read a row and keep others from changing it; what they changed before is seen."""
    return connection.execute(
        sa.select(t.incident)
        .where(t.incident.c.incident_id == incident_id, visible(actor, t.incident))
        .with_for_update()
    ).first()


def update_incident(connection: sa.Connection, incident_id: int, values: Mapping[str, Any]) -> None:
    """Change an incident; the step that says why is to follow."""
    with _step_follows(connection):
        connection.execute(
            sa.update(t.incident).where(t.incident.c.incident_id == incident_id).values(**values)
        )


def append_step(
    connection: sa.Connection,
    actor: Actor,
    incident_id: int,
    *,
    lon: float | None,
    lat: float | None,
    **values: Any,
) -> None:
    """Append a step; without a time of its own it is done now."""
    values.setdefault("at", sa.func.clock_timestamp())
    connection.execute(
        sa.insert(t.incident_step).values(
            incident_id=incident_id,
            actor_id=actor.actor_id,
            actor_role=actor.role,
            place=None if lon is None or lat is None else _point(lon, lat),
            **values,
        )
    )


def insert_photo(
    connection: sa.Connection, actor: Actor, incident_id: int, sha256: str, **values: int
) -> None:
    """Note that a photo belongs to an incident."""
    connection.execute(
        sa.insert(t.incident_photo).values(
            incident_id=incident_id, sha256=sha256, actor_id=actor.actor_id, **values
        )
    )


# --- reports on their way in -------------------------------------------------------------------


def claim_request_key(connection: sa.Connection, actor: Actor, key: str, body_sha256: str) -> bool:
    """
    Take an idempotency key; tell whether it is new.

    Whoever sends the same at the same time waits here until the first one has ended.
    """
    request = t.incident_request
    row = connection.execute(
        insert(request)
        .values(actor_id=actor.actor_id, key=key, body_sha256=body_sha256)
        .on_conflict_do_nothing()
        .returning(request.c.key)
    ).first()
    return row is not None


def _is_request(actor: Actor, key: str) -> sa.ColumnElement[bool]:
    request = t.incident_request.c
    return (request.actor_id == actor.actor_id) & (request.key == key)


def read_claimed_request(connection: sa.Connection, actor: Actor, key: str) -> Any:
    """Read what a key was taken for."""
    query = sa.select(t.incident_request).where(_is_request(actor, key))
    return connection.execute(query).one()


def complete_request(connection: sa.Connection, actor: Actor, key: str, incident_id: int) -> None:
    """Write which incident a key has made."""
    connection.execute(
        sa.update(t.incident_request).where(_is_request(actor, key)).values(incident_id=incident_id)
    )


def insert_waiting_report(
    connection: sa.Connection, actor: Actor, token: str, draft: Mapping[str, Any]
) -> None:
    """Keep a report that has no place yet."""
    connection.execute(
        sa.insert(t.incident_intake).values(token=token, actor_id=actor.actor_id, draft=draft)
    )


def lock_waiting_report(connection: sa.Connection, token: str) -> Any | None:
    """Read a report by its token and keep others from placing it."""
    intake = t.incident_intake
    return connection.execute(
        sa.select(intake).where(intake.c.token == token).with_for_update()
    ).first()


def complete_waiting_report(connection: sa.Connection, token: str, incident_id: int) -> None:
    """Let a token lead to its incident, and forget what was reported."""
    intake = t.incident_intake
    connection.execute(
        sa.update(intake).where(intake.c.token == token).values(incident_id=incident_id, draft={})
    )


# --- working days ------------------------------------------------------------------------------


def upsert_day_override(connection: sa.Connection, day: date, **values: Any) -> None:
    """Write how the county counts a day."""
    override = t.working_day_override
    connection.execute(
        insert(override)
        .values(day=day, **values)
        .on_conflict_do_update(index_elements=[override.c.day], set_=values)
    )


def delete_day_override(connection: sa.Connection, day: date) -> bool | None:
    """Forget how the county counts a day; give what it was, None where it had said nothing."""
    override = t.working_day_override
    was_working: bool | None = connection.execute(
        sa.delete(override).where(override.c.day == day).returning(override.c.is_working)
    ).scalar_one_or_none()
    return was_working


def insert_complete_year(connection: sa.Connection, year: int, reason: str) -> None:
    """Write that a year's holidays are entered whole."""
    connection.execute(
        insert(t.working_year).values(year=year, reason=reason).on_conflict_do_nothing()
    )


def delete_complete_year(connection: sa.Connection, year: int) -> None:
    """Take that back."""
    connection.execute(sa.delete(t.working_year).where(t.working_year.c.year == year))
