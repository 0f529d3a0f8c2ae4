"""Lists of incidents and hazards, as far as the actor may see them.

Reads only, always through :func:`gis_service.access.visible`. Who reported an incident is never
part of a list.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from gis_service.access import Actor
from gis_service.errors import InputError, Place
from gis_service.grids.versions import today
from gis_service.incidents import queries
from gis_service.incidents.clocks import Clocks
from gis_service.incidents.queries import OPEN
from gis_service.incidents.rules import CLOCK_RUNS, rule_book
from gis_service.incidents.working_days import read_calendar
from gis_service.store.tables import HAZARD_STATES, INCIDENT_STATES


@dataclass(frozen=True)
class HazardRow:
    """A hazard in a list; ``overdue`` is past its day and neither rectified nor closed."""

    hazard_id: int
    kind: str
    grade: str
    status: str
    found_on: date
    due_on: date
    overdue: bool
    base_grid_id: int | None
    grid_name: str | None
    lon: float
    lat: float


@dataclass(frozen=True)
class IncidentRow:
    """
    An incident in a list.

    Attributes
    ----------
    tier, department
        Who holds it: ``village``, ``town`` or ``county``, and a department there.
    due_on
        The last day for handling it; None once it is handled.
    due_provisional
        The day may move: nobody has published the working days of its year.
    pass_up_by
        The last day for passing it upward, where there is somebody above.
    overdue, soon
        Past its last day; due today or on the next working days.
    flagged
        Returned too often.
    """

    incident_id: int
    key: str
    kind: str
    status: str
    text: str
    address: str
    channel: str
    reported_at: datetime
    closed_at: datetime | None
    tier: str
    department: str
    version: int
    due_on: date | None
    due_provisional: bool
    pass_up_by: date | None
    overdue: bool
    soon: bool
    returns: int
    flagged: bool
    base_grid_id: int | None
    grid_name: str | None
    lon: float
    lat: float


@dataclass(frozen=True)
class IncidentFilter:
    """
    Which incidents a list is to hold; what is None does not matter.

    Attributes
    ----------
    status
        ``open`` or one of the states.
    days
        Reported within so many days.
    grid_id
        In this grid of any level.
    due
        ``overdue``, ``soon`` or ``pass_up``: not passed upward in time, nor begun.
    flagged
        Returned too often.
    mine
        The actor had a hand in it, or it lies in the actor's areas.
    q
        Part of the text, the address or the number.
    """

    status: str | None = None
    kind: str | None = None
    tier: str | None = None
    days: int | None = None
    grid_id: int | None = None
    due: str | None = None
    flagged: bool = False
    mine: bool = False
    q: str | None = None
    incident_id: int | None = None


def _check_status(status: str | None, known: tuple[str, ...]) -> None:
    if status is not None and status not in (OPEN, *known):
        raise InputError(
            "incidents.no_status",
            place=Place(field="status"),
            status=status,
            known=", ".join((OPEN, *known)),
        )


def list_hazards(
    connection: sa.Connection,
    actor: Actor,
    *,
    status: str | None = None,
    grid_id: int | None = None,
    limit: int,
    offset: int = 0,
) -> tuple[list[HazardRow], int]:
    """
    List hazards, the one that is due first on top.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    status
        ``open`` or one of the states; None is every state.
    grid_id
        Only in this grid, of any level of the base scheme.
    limit, offset
        Which page.

    Returns
    -------
    rows, total
        The page, and how many the actor may see in all.

    Raises
    ------
    InputError
        There is no such status.
    """
    _check_status(status, HAZARD_STATES)
    rows, total = queries.read_hazards(
        connection, actor, status=status, grid_id=grid_id, limit=limit, offset=offset
    )
    return [
        HazardRow(
            row.hazard_id,
            row.kind,
            row.grade,
            row.status,
            row.found_on,
            row.due_on,
            row.overdue,
            row.base_grid_id,
            row.grid_name,
            row.lon,
            row.lat,
        )
        for row in rows
    ], total


def list_incidents(
    connection: sa.Connection, actor: Actor, which: IncidentFilter, *, limit: int, offset: int = 0
) -> tuple[list[IncidentRow], int]:
    """
    List incidents: the newest first, or by their last day where deadlines are asked for.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    which
        What the list is to hold.
    limit, offset
        Which page.

    Returns
    -------
    rows, total
        The page, and how many the actor may see in all.

    Raises
    ------
    InputError
        There is no such status.
    """
    clocks = Clocks(rule_book(), read_calendar(connection), today(connection))
    conditions = _conditions(actor, which)
    if which.due is None:
        total = queries.count_incidents(connection, actor, conditions)
        rows = queries.read_incidents(connection, actor, conditions, limit=limit, offset=offset)
        return [_incident_row(row, clocks) for row in rows], total
    running = queries.read_running_clocks(connection, actor, conditions, CLOCK_RUNS)
    ordered = sorted(
        (clocks.of(row).due.on, row.incident_id) for row in running if clocks.fits(row, which.due)
    )
    ids = [incident_id for _, incident_id in ordered[offset : offset + limit]]
    of_page = queries.with_ids(ids)
    rows = queries.read_incidents(connection, actor, of_page, limit=limit, offset=0)
    position = {incident_id: number for number, incident_id in enumerate(ids)}
    in_order = sorted(rows, key=lambda row: position[row.incident_id])
    return [_incident_row(row, clocks) for row in in_order], len(ordered)


def _conditions(actor: Actor, which: IncidentFilter) -> queries.Conditions:
    _check_status(which.status, INCIDENT_STATES)
    most_returns = rule_book().deadlines.flagged_above_returns.value if which.flagged else None
    return queries.incident_conditions(
        status=which.status,
        kind=which.kind,
        tier=which.tier,
        incident_id=which.incident_id,
        days=which.days,
        grid_id=which.grid_id,
        more_returns_than=most_returns,
        q=which.q,
        touched_by=actor.actor_id if which.mine and actor.areas is None else None,
    )


def _incident_row(row: Any, clocks: Clocks) -> IncidentRow:
    clock = clocks.of(row) if row.status in CLOCK_RUNS else None
    upward = None if clock is None else clock.pass_up
    return IncidentRow(
        incident_id=row.incident_id,
        key=row.key,
        kind=row.kind,
        status=row.status,
        text=row.text,
        address=row.address,
        channel=row.channel,
        reported_at=row.reported_at,
        closed_at=row.closed_at,
        tier=row.tier,
        department=row.department,
        version=row.version,
        due_on=None if clock is None else clock.due.on,
        due_provisional=clock is not None and clock.due.provisional,
        pass_up_by=None if upward is None else upward.on,
        overdue=clocks.is_overdue(row),
        soon=clocks.is_soon(row),
        returns=row.returns,
        flagged=row.returns > clocks.book.deadlines.flagged_above_returns.value,
        base_grid_id=row.base_grid_id,
        grid_name=row.grid_name,
        lon=row.lon,
        lat=row.lat,
    )
