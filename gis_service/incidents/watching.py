"""What has happened since somebody last looked: steps behind a mark, as far as an actor may see.

Identities and states only. A mark holds the last step and the oldest transaction that was still
running, so that a step that is committed late is never passed over; one may be told twice. Steps
that came from a backup carry transaction numbers of another server: they are not taken for late.
"""

import re
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from gis_service.incidents import queries

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
    match = _MARK.fullmatch(text or "")
    return Mark(int(match[1]), int(match[2])) if match else None


def read_present_mark(connection: sa.Connection) -> Mark:
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
    return Mark(*queries.read_newest_step(connection))


def read_changes_since(
    connection: sa.Connection, mark: Mark
) -> tuple[list[IncidentChange], Mark, bool]:
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
    rows = queries.read_steps_since(connection, mark.step_id, mark.xmin, limit=MOST_STEPS + 1)
    if len(rows) > MOST_STEPS:
        return [], read_present_mark(connection), True
    if not rows:
        return [], mark, False
    changes = [IncidentChange(*row[:5]) for row in rows]
    last = max(mark.step_id, changes[-1].step_id)
    return changes, Mark(last, rows[-1].xmin), False
