"""Reports on their way in: sent twice, or with an address that is not on the map yet.

A report without a place waits under a token until a person has placed it; then the token leads to
the incident.
"""

import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from gis_service.access import Actor, record
from gis_service.access.households import masked
from gis_service.access.permissions import PLACE_REPORTS
from gis_service.errors import ConflictError, InputError, NotFoundError, Place
from gis_service.incidents.life_cycle import NewIncident, check_draft, report
from gis_service.incidents.rules import rule_book
from gis_service.store import tables as t

_MOST_KEY: Final = 200
_NOWHERE: Final = 0.0


@dataclass(frozen=True)
class Waiting:
    """A report that waits for its place; who reported is masked."""

    token: str
    at: datetime
    kind: str
    text: str
    address: str
    reporter_name: str
    reporter_phone: str


def once(
    connection: sa.Connection,
    actor: Actor,
    key: str | None,
    body: Any,
    make: Callable[[], int],
) -> tuple[int, bool]:
    """
    Make an incident once, however often the same request is sent.

    Parameters
    ----------
    connection
        A transaction in the actor's name.
    actor
        Who asks; keys of others do not matter.
    key
        The request's idempotency key; None makes an incident each time.
    body
        What was asked, as JSON can say it.
    make
        Makes the incident and gives its id.

    Returns
    -------
    incident_id, is_new
        The incident, and whether this request has made it.

    Raises
    ------
    InputError
        The key is empty or too long.
    ConflictError
        The key was used for another request.
    """
    if key is None:
        return make(), True
    if not 0 < len(key) <= _MOST_KEY or not key.isprintable():
        raise InputError(
            "incidents.bad_idempotency_key", place=Place(field="Idempotency-Key"), most=_MOST_KEY
        )
    words = json.dumps(body, sort_keys=True, ensure_ascii=False, default=str)
    sha256 = hashlib.sha256(words.encode()).hexdigest()
    table = t.incident_request
    mine = (table.c.actor_id == actor.actor_id) & (table.c.key == key)
    values = {"actor_id": actor.actor_id, "key": key, "body_sha256": sha256}
    # Whoever sends the same at the same time waits here until the first one has ended.
    new = connection.execute(
        insert(table).values(**values).on_conflict_do_nothing().returning(table.c.key)
    ).first()
    if new is None:
        held = connection.execute(sa.select(table).where(mine)).one()
        if held.body_sha256 != sha256:
            raise ConflictError("incidents.key_of_another", place=Place(field="Idempotency-Key"))
        return int(held.incident_id), False
    incident_id = make()
    connection.execute(sa.update(table).where(mine).values(incident_id=incident_id))
    return incident_id, True


def leave(connection: sa.Connection, actor: Actor, draft: NewIncident) -> str:
    """
    Take a report that names an address but no place.

    Parameters
    ----------
    connection
        A transaction in the actor's name.
    actor
        Who reports.
    draft
        The report; its place does not count.

    Returns
    -------
    str
        A token that nobody can guess.

    Raises
    ------
    InputError
        As for :func:`gis_service.incidents.life_cycle.report`.
    """
    nowhere = replace(draft, lon=_NOWHERE, lat=_NOWHERE)
    moment: datetime = connection.execute(sa.select(sa.func.now())).scalar_one()
    check_draft(nowhere, rule_book(), moment)
    token = uuid.uuid4().hex
    said = {**asdict(nowhere), "reported_at": (draft.reported_at or moment).isoformat()}
    connection.execute(
        sa.insert(t.incident_intake).values(token=token, actor_id=actor.actor_id, draft=said)
    )
    record(connection, actor, "leave", "incident_intake", after={"kind": draft.kind})
    return token


def waiting(connection: sa.Connection, actor: Actor, limit: int) -> list[Waiting]:
    """
    List the reports that wait for their place, the oldest first.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    limit
        How many at most.

    Returns
    -------
    list of Waiting
        Empty for roles that do not place reports.
    """
    if not PLACE_REPORTS.allows(actor):
        return []
    table = t.incident_intake.c
    rows = connection.execute(
        sa.select(t.incident_intake)
        .where(table.incident_id.is_(None))
        .order_by(table.at, table.token)
        .limit(limit)
    )
    return [
        Waiting(
            row.token,
            row.at,
            row.draft["kind"],
            row.draft["text"],
            row.draft["address"],
            masked("incident", "reporter_name", row.draft["reporter_name"]),
            masked("incident", "reporter_phone", row.draft["reporter_phone"]),
        )
        for row in rows
    ]


def place(connection: sa.Connection, actor: Actor, token: str, lon: float, lat: float) -> int:
    """
    Put a waiting report on the map: it becomes an incident.

    Parameters
    ----------
    connection
        A transaction in the actor's name.
    actor
        Who has found the place.
    token
        Of the report.
    lon, lat
        CGCS2000 degrees.

    Returns
    -------
    int
        The incident's id; the same one where it was placed before.

    Raises
    ------
    NotAllowedError
        The role does not place reports.
    NotFoundError
        There is no such token.
    """
    PLACE_REPORTS.require(actor)
    table = t.incident_intake
    row = connection.execute(
        sa.select(table).where(table.c.token == token).with_for_update()
    ).first()
    if row is None:
        raise NotFoundError("incidents.no_token")
    if row.incident_id is not None:
        return int(row.incident_id)
    said = {**row.draft, "reported_at": datetime.fromisoformat(row.draft["reported_at"])}
    draft = replace(NewIncident(**said), lon=lon, lat=lat)
    incident_id = report(connection, actor, draft)
    connection.execute(
        sa.update(table).where(table.c.token == token).values(incident_id=incident_id, draft={})
    )
    return incident_id


def incident_of(connection: sa.Connection, token: str) -> int | None:
    """
    Follow a token to its incident.

    Parameters
    ----------
    connection
        An open transaction.
    token
        As it was given.

    Returns
    -------
    int or None
        None as long as nobody has placed the report.

    Raises
    ------
    NotFoundError
        There is no such token.
    """
    table = t.incident_intake.c
    row = connection.execute(sa.select(table.incident_id).where(table.token == token)).first()
    if row is None:
        raise NotFoundError("incidents.no_token")
    found: int | None = row.incident_id
    return found
