"""Lists of incidents and hazards, as far as the actor may see them.

Reads only, always through :func:`gis_service.access.visible`. Who reported an incident is never
part of a list.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa

from gis_service.access import Actor, visible
from gis_service.access.visibility import grids_below
from gis_service.errors import InputError, Place
from gis_service.grids.reading import on_day
from gis_service.grids.versions import today
from gis_service.incidents.deadlines import WorkingCalendar, china_day
from gis_service.incidents.life_cycle import Clock, clock_of
from gis_service.incidents.rules import CLOCK_RUNS, RuleBook, rule_book
from gis_service.incidents.working_days import read_calendar
from gis_service.store import tables as t

OPEN: Final = "open"


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


def _of_status(
    table: sa.Table, status: str | None, known: tuple[str, ...]
) -> list[sa.ColumnElement[bool]]:
    """``open`` is every status but closed; None is all."""
    if status is None:
        return []
    if status == OPEN:
        return [table.c.status != "closed"]
    if status not in known:
        raise InputError(
            "incidents.no_status",
            place=Place(field="status"),
            status=status,
            known=", ".join((OPEN, *known)),
        )
    return [table.c.status == status]


def hazards(
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
    hazard, state = t.hazard.c, t.grid_state.c
    wanted = [visible(actor, t.hazard), *_of_status(t.hazard, status, t.HAZARD_STATES)]
    if grid_id is not None:
        wanted.append(hazard.base_grid_id.in_(grids_below((grid_id,))))
    total = connection.scalar(sa.select(sa.func.count()).select_from(t.hazard).where(*wanted)) or 0
    overdue = (
        (hazard.due_on < sa.func.gis_today())
        & hazard.rectified_on.is_(None)
        & (hazard.status != "closed")
    )
    rows = connection.execute(
        sa.select(
            t.hazard,
            overdue.label("overdue"),
            state.name.label("grid_name"),
            sa.func.ST_X(hazard.point).label("lon"),
            sa.func.ST_Y(hazard.point).label("lat"),
        )
        .outerjoin(t.grid_state, (state.grid_id == hazard.base_grid_id) & on_day(state.valid, None))
        .where(*wanted)
        .order_by(hazard.due_on, hazard.hazard_id)
        .limit(limit)
        .offset(offset)
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


def incidents(
    connection: sa.Connection,
    actor: Actor,
    *,
    status: str | None = None,
    days: int | None = None,
    grid_id: int | None = None,
    limit: int,
    offset: int = 0,
) -> tuple[list[IncidentRow], int]:
    """
    List incidents, the newest first.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    status
        ``open`` or one of the states; None is every state.
    days
        Only those reported within so many days.
    grid_id
        Only in this grid, of any level.
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
    wanted = IncidentFilter(status=status, days=days, grid_id=grid_id)
    return list_incidents(connection, actor, wanted, limit=limit, offset=offset)


def list_incidents(
    connection: sa.Connection, actor: Actor, wanted: IncidentFilter, *, limit: int, offset: int = 0
) -> tuple[list[IncidentRow], int]:
    """
    List incidents: the newest first, or by their last day where deadlines are asked for.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    wanted
        Which.
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
    conditions = _conditions(actor, wanted)
    seen = visible(actor, t.incident)
    if wanted.due is None:
        total = connection.scalar(
            sa.select(sa.func.count()).select_from(t.incident).where(seen, *conditions)
        )
        rows = _rows(connection, actor, conditions, clocks, limit=limit, offset=offset)
        return rows, total or 0
    running = connection.execute(
        sa.select(*_CLOCK_COLUMNS).where(seen, t.incident.c.status.in_(CLOCK_RUNS), *conditions)
    )
    ordered = sorted(
        (clocks.of(row).due.on, row.incident_id) for row in running if clocks.fits(row, wanted.due)
    )
    ids = [incident_id for _, incident_id in ordered[offset : offset + limit]]
    of_page = [t.incident.c.incident_id.in_(ids)]
    rows = _rows(connection, actor, of_page, clocks, limit=limit, offset=0)
    place = {incident_id: number for number, incident_id in enumerate(ids)}
    return sorted(rows, key=lambda row: place[row.incident_id]), len(ordered)


class Clocks:
    """Deadlines of many incidents by today's rules and working days."""

    def __init__(self, book: RuleBook, calendar: WorkingCalendar, day: date) -> None:
        self.book = book
        self.day = day
        self._calendar = calendar
        self._known: dict[tuple[str, str, date], Clock] = {}
        self._soon = calendar.after(day, book.deadlines.soon_working_days.value).on

    def of(self, row: Any) -> Clock:
        """
        Give the clock of a row.

        Parameters
        ----------
        row
            With ``kind``, ``tier``, ``clock_from`` and ``reported_at``.

        Returns
        -------
        Clock
            Counted once for each kind, tier and day.
        """
        since = row.clock_from or row.reported_at
        key = (row.kind, row.tier, china_day(since))
        if key not in self._known:
            self._known[key] = clock_of(self.book, self._calendar, row.kind, row.tier, since)
        return self._known[key]

    def is_overdue(self, row: Any) -> bool:
        """Tell whether the last day is over and nobody has handled it."""
        return row.status in CLOCK_RUNS and self.of(row).due.on < self.day

    def is_soon(self, row: Any) -> bool:
        """Tell whether the last day is near, but not over."""
        return row.status in CLOCK_RUNS and self.day <= self.of(row).due.on <= self._soon

    def fits(self, row: Any, due: str) -> bool:
        """Tell whether a row belongs to a list of deadlines."""
        if due == "overdue":
            return self.is_overdue(row)
        if due == "soon":
            return self.is_soon(row)
        upward = self.of(row).pass_up
        waits = row.status in ("reported", "accepted")
        return waits and upward is not None and upward.on < self.day


_SHOWN: Final = tuple(column for column in t.incident.c if column.name != "point")
_CLOCK_COLUMNS: Final = (
    t.incident.c.incident_id,
    t.incident.c.kind,
    t.incident.c.status,
    t.incident.c.tier,
    t.incident.c.clock_from,
    t.incident.c.reported_at,
)


def _conditions(actor: Actor, wanted: IncidentFilter) -> list[sa.ColumnElement[bool]]:
    incident = t.incident.c
    found = _of_status(t.incident, wanted.status, t.INCIDENT_STATES)
    if wanted.days is not None:
        reported_on = sa.cast(sa.func.timezone("Asia/Shanghai", incident.reported_at), sa.Date)
        found.append(reported_on > sa.func.gis_today() - wanted.days)
    if wanted.grid_id is not None:
        found.append(incident.base_grid_id.in_(grids_below((wanted.grid_id,))))
    for name in ("kind", "tier", "incident_id"):
        value = getattr(wanted, name)
        if value is not None:
            found.append(incident[name] == value)
    if wanted.flagged:
        found.append(incident.returns > rule_book().deadlines.flagged_above_returns.value)
    if wanted.q:
        texts = (incident.text, incident.address, incident.key)
        found.append(sa.or_(*(one.icontains(wanted.q, autoescape=True) for one in texts)))
    if wanted.mine and actor.areas is None:
        found.append(incident.incident_id.in_(_touched_by(actor)))
    return found


def _touched_by(actor: Actor) -> sa.Select[tuple[int]]:
    step = t.incident_step.c
    return sa.select(step.incident_id).where(step.actor_id == actor.actor_id)


def _rows(
    connection: sa.Connection,
    actor: Actor,
    conditions: Sequence[sa.ColumnElement[bool]],
    clocks: Clocks,
    *,
    limit: int,
    offset: int,
) -> list[IncidentRow]:
    incident, state = t.incident.c, t.grid_state.c
    rows = connection.execute(
        sa.select(
            *_SHOWN,
            state.name.label("grid_name"),
            sa.func.ST_X(incident.point).label("lon"),
            sa.func.ST_Y(incident.point).label("lat"),
        )
        .outerjoin(
            t.grid_state, (state.grid_id == incident.base_grid_id) & on_day(state.valid, None)
        )
        .where(*conditions, visible(actor, t.incident))
        .order_by(incident.reported_at.desc(), incident.incident_id)
        .limit(limit)
        .offset(offset)
    )
    return [_row(row, clocks) for row in rows]


def _row(row: Any, clocks: Clocks) -> IncidentRow:
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
