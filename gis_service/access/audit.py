"""The record of who did and saw what: written, sealed, read and pruned, never changed.

The database writes it by ``gis_record`` alone, which takes who, in which session, from which
address and for which request from the transaction. What a kind of record calls personal is stored
as a keyed digest. The reasons stand in docs/decisions/0028-a-record-that-cannot-be-bent.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from gis_service.access.actor import Actor
from gis_service.records import RECORDS
from gis_service.store import tables as t

_VALUES: Final = JSONB(none_as_null=True)


def record(
    connection: sa.Connection,
    actor: Actor,
    action: str,
    object_kind: str,
    object_id: object = None,
    *,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    personal: Sequence[str] = (),
) -> None:
    """
    Append one event inside the caller's transaction.

    Parameters
    ----------
    connection
        The transaction that also does the thing, so that both stand or fall.
    actor
        Who; the transaction runs in this name.
    action
        A verb: ``publish``, ``import``, ``run``.
    object_kind
        A table or a capability.
    object_id
        Which one, where there is one.
    before, after
        What it was and is. Fields that the kind of record calls personal are stored as digests.
    personal
        What else in them is stored as a digest, such as what somebody searched for.
    """
    del actor  # the database asks the transaction, which nobody mistakes for another
    kind = RECORDS.get(object_kind)
    fields = [field.name for field in kind.fields if field.personal] if kind else []
    connection.execute(
        sa.select(
            sa.func.gis_record(
                action,
                object_kind,
                None if object_id is None else str(object_id),
                sa.literal(_as_json(before), _VALUES),
                sa.literal(_as_json(after), _VALUES),
                sa.literal([*fields, *personal], ARRAY(sa.Text)),
            )
        )
    )


def _as_json(values: Mapping[str, object] | None) -> dict[str, object] | None:
    if values is None:
        return None
    return {
        name: value.isoformat() if isinstance(value, date) else value
        for name, value in values.items()
    }


# --- reading -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class EventFilter:
    """Which events are asked for; None is all."""

    since: datetime | None = None
    until: datetime | None = None
    actor_id: int | None = None
    action: str | None = None
    object_kind: str | None = None
    object_id: str | None = None

    def as_dict(self) -> dict[str, object]:
        """Give what is asked for, for the record of who read it."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class RecordedEvent:
    """One event, with what its actor is called today."""

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


def list_events(
    connection: sa.Connection,
    wanted: EventFilter,
    *,
    before_id: int | None = None,
    limit: int,
) -> list[RecordedEvent]:
    """
    List events, the newest first.

    Parameters
    ----------
    connection
        An open transaction; the database shows it the events that its actor may read.
    wanted
        Which.
    before_id
        Only those with lower ids: where the page before ended.
    limit
        Rows of the page.

    Returns
    -------
    list of RecordedEvent
        At most as many.
    """
    event = t.event.c
    conditions = [event[name] == value for name, value in wanted.as_dict().items() if name in event]
    if wanted.since is not None:
        conditions.append(event.at >= wanted.since)
    if wanted.until is not None:
        conditions.append(event.at < wanted.until)
    if before_id is not None:
        conditions.append(event.event_id < before_id)
    query = (
        sa.select(t.event, sa.func.coalesce(t.actor.c.name, "").label("actor_name"))
        .outerjoin(t.actor, t.actor.c.actor_id == event.actor_id)
        .where(*conditions)
        .order_by(event.event_id.desc())
        .limit(limit)
    )
    return [RecordedEvent(**row) for row in connection.execute(query).mappings()]


# --- the chain ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Head:
    """
    Where the chain ends.

    Attributes
    ----------
    number
        Of the last seal; as many events were sealed since the beginning.
    hash
        SHA-256 over the hash before and the last event, in hexadecimal digits.
    at
        When it was sealed.
    """

    number: int
    hash: str
    at: datetime


@dataclass(frozen=True)
class SealedEvent:
    """A seal with the text that its hash is taken over; without one where the event is gone."""

    number: int
    event_id: int
    hash: bytes
    text: str | None


def seal_events(connection: sa.Connection, most: int) -> tuple[int, Head | None]:
    """Take committed events into the chain; tell how many, and where it ends now."""
    answer = sa.func.gis_seal_events(most).table_valued("sealed", "seal_number", "hash", "at")
    row = connection.execute(sa.select(answer)).first()
    if row is None:
        return 0, None
    return row.sealed, Head(row.seal_number, bytes(row.hash).hex(), row.at)


def has_unsealed(connection: sa.Connection) -> bool:
    """Tell whether events wait for their seal."""
    return bool(connection.scalar(sa.select(sa.exists(sa.select(t.event_unsealed)))))


def prune_events(connection: sa.Connection, days: int, most: int) -> int:
    """Remove the oldest sealed events; the database records it and keeps 183 days."""
    return int(connection.scalar(sa.select(sa.func.gis_prune_events(days, most))) or 0)


def read_head(connection: sa.Connection) -> Head | None:
    """Read where the chain ends; None while nothing is sealed."""
    query = sa.select(t.event_seal).order_by(t.event_seal.c.seal_number.desc()).limit(1)
    row = connection.execute(query).first()
    return None if row is None else Head(row.seal_number, bytes(row.hash).hex(), row.at)


@dataclass(frozen=True)
class RecordState:
    """
    How much of the record there is and is sealed.

    Attributes
    ----------
    head
        Where the chain ends; None while nothing is sealed.
    unsealed
        Events that wait for their seal.
    rows
        All that are kept.
    """

    head: Head | None
    unsealed: int
    rows: int


def read_state(connection: sa.Connection) -> RecordState:
    """
    Read how much of the record there is, without counting a million rows: seals have no gaps.

    Parameters
    ----------
    connection
        An open transaction.

    Returns
    -------
    RecordState
        As the service keeps it; whether it is true says ``chain.verify_record``.
    """
    first = sa.select(sa.func.min(t.event_seal.c.seal_number)).scalar_subquery()
    waiting = sa.select(sa.func.count()).select_from(t.event_unsealed).scalar_subquery()
    number, unsealed = connection.execute(sa.select(first, waiting)).one()
    head = read_head(connection)
    sealed = 0 if head is None else head.number - number + (number == 1)  # a pruned first is gone
    return RecordState(head, unsealed, sealed + unsealed)


def read_chain(connection: sa.Connection) -> Iterator[SealedEvent]:
    """Read the chain with the events of its seals, in its order and a part at a time."""
    # The text is made here, not by a function of the database that its owner could have changed.
    event, seal = t.event.c, t.event_seal.c
    text = sa.cast(
        sa.func.jsonb_build_array(
            event.event_id,
            sa.extract("epoch", event.at),
            event.actor_id,
            event.actor_role,
            event.session_id,
            event.address,
            event.request_id,
            event.action,
            event.object_kind,
            event.object_id,
            sa.cast(event.before, sa.Text),
            sa.cast(event.after, sa.Text),
        ),
        sa.Text,
    )
    query = (
        sa.select(
            seal.seal_number,
            seal.event_id,
            seal.hash,
            sa.case((event.event_id.is_not(None), text)),
        )
        .outerjoin(t.event, event.event_id == seal.event_id)
        .order_by(seal.seal_number)
    )
    rows = connection.execution_options(yield_per=2000).execute(query)
    for number, event_id, digest, told in rows:
        yield SealedEvent(number, event_id, bytes(digest), told)


def find_outside_chain(connection: sa.Connection) -> tuple[list[int], list[int]]:
    """Find events that nobody recorded, and those that are gone before they were sealed."""
    event, seal, waiting = t.event.c, t.event_seal.c, t.event_unsealed.c
    inserted = sa.select(event.event_id).where(
        ~sa.exists().where(seal.event_id == event.event_id),
        ~sa.exists().where(waiting.event_id == event.event_id),
    )
    removed = sa.select(waiting.event_id).where(
        ~sa.exists().where(event.event_id == waiting.event_id)
    )
    return (
        list(connection.scalars(inserted.order_by(event.event_id))),
        list(connection.scalars(removed.order_by(waiting.event_id))),
    )


def finds_pruning(connection: sa.Connection, seal_number: int, digest: str) -> bool:
    """Tell whether the record itself says that it was pruned up to a seal."""
    event = t.event.c
    query = sa.select(
        sa.exists().where(
            event.action == "prune",
            event.object_kind == "event",
            event.object_id == str(seal_number),
            event.after["hash"].astext == digest,
        )
    )
    return bool(connection.scalar(query))
