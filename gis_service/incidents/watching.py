"""What has happened since somebody last looked: steps behind a mark, as far as an actor may see.

Identities and states only. A mark holds the last step and the oldest transaction that was still
running, so that a step that is committed late is never passed over; one may be told twice. Steps
that came from a backup carry transaction numbers of another server: they are not taken for late.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from gis_service.access import Actor, visible
from gis_service.store import tables as t

MOST_STEPS: Final = 1000
_MARK: Final = re.compile(r"(\d{1,18})-(\d{1,18})")


@dataclass(frozen=True)
class Mark:
    """
    How far somebody has read.

    Attributes
    ----------
    step_id
        The last step.
    xmin
        Every transaction before this one had ended when it was read.
    """

    step_id: int
    xmin: int

    def __str__(self) -> str:
        """Say it in one word, as an event's id."""
        return f"{self.step_id}-{self.xmin}"


@dataclass(frozen=True)
class IncidentChange:
    """One step as it is told to those who watch."""

    step_id: int
    incident_id: int
    seq: int
    move: str
    state: str


def read_mark(text: str | None) -> Mark | None:
    """
    Read a mark back.

    Parameters
    ----------
    text
        As :class:`Mark` says it.

    Returns
    -------
    Mark or None
        None where it is not one of ours.
    """
    found = _MARK.fullmatch(text or "")
    return Mark(int(found[1]), int(found[2])) if found else None


def mark_now(connection: sa.Connection) -> Mark:
    """
    Mark what has happened so far as read.

    Parameters
    ----------
    connection
        An open transaction.

    Returns
    -------
    Mark
        Behind the newest step.
    """
    last, xmin = connection.execute(
        sa.select(sa.func.coalesce(sa.func.max(t.incident_step.c.step_id), 0), _XMIN)
    ).one()
    return Mark(last, xmin)


_XMIN: Final = sa.cast(
    sa.cast(sa.func.pg_snapshot_xmin(sa.func.pg_current_snapshot()), sa.Text), sa.BigInteger
)


class _Xid(sa.types.UserDefinedType[str]):
    """PostgreSQL's own number of a transaction, which comes round after four thousand million."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Name the type in SQL."""
        return "xid"


_ROUND: Final = 2**32
_NEXT: Final = sa.cast(
    sa.cast(sa.func.pg_snapshot_xmax(sa.func.pg_current_snapshot()), sa.Text), sa.BigInteger
)
_WRITTEN: Final = sa.column("xmin", _Xid(), _selectable=t.incident_step)


def _committed_late(mark: Mark) -> sa.ColumnElement[bool]:
    """Find steps before a mark that were committed after it was made."""
    # A step keeps the number of the transaction that made it. After a restore into a new cluster
    # those numbers are another server's: there a row must also have been written (``xmin``) no
    # earlier than the mark. A mark from before the restore is ahead of every number here, and is
    # compared with the old numbers, which it belongs to.
    number = t.incident_step.c.xid
    of_another = sa.literal(mark.xmin, sa.BigInteger) > _NEXT
    known = sa.case((of_another, sa.literal(2**63 - 1, sa.BigInteger)), else_=_NEXT)
    marked = sa.cast(str(mark.xmin % _ROUND), _Xid())
    return sa.and_(
        number >= mark.xmin,
        number < known,
        sa.or_(of_another, sa.func.age(_WRITTEN) <= sa.func.age(marked)),
    )


def changes_since(connection: sa.Connection, mark: Mark) -> tuple[list[IncidentChange], Mark, bool]:
    """
    Read the steps behind a mark.

    Parameters
    ----------
    connection
        An open transaction that has read nothing before.
    mark
        How far was read.

    Returns
    -------
    changes, mark, more
        At most 1,000 steps in their order, how far was read now, and whether there are too many:
        then whoever watches had better read the lists anew.
    """
    step = t.incident_step.c
    rows = connection.execute(
        sa.select(
            step.step_id, step.incident_id, step.seq, step.move, step.to_state, _XMIN.label("xmin")
        )
        .where(sa.or_(step.step_id > mark.step_id, _committed_late(mark)))
        .order_by(step.step_id)
        .limit(MOST_STEPS + 1)
    ).all()
    if len(rows) > MOST_STEPS:
        return [], mark_now(connection), True
    if not rows:
        return [], mark, False
    changes = [IncidentChange(*row[:5]) for row in rows]
    last = max(mark.step_id, changes[-1].step_id)
    return changes, Mark(last, rows[-1].xmin), False


def in_sight(
    connection: sa.Connection, actor: Actor, incident_ids: Iterable[int]
) -> frozenset[int]:
    """
    Keep the incidents that an actor may see.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who watches.
    incident_ids
        Some incidents.

    Returns
    -------
    frozenset
        Those in sight.
    """
    rows = connection.execute(
        sa.select(t.incident.c.incident_id).where(
            t.incident.c.incident_id.in_(set(incident_ids)), visible(actor, t.incident)
        )
    )
    return frozenset(rows.scalars())
