"""Lists of incidents and hazards, as far as the actor may see them.

Reads only, always through :func:`gis_service.access.visible`. Who reported an incident is never
part of a list.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import sqlalchemy as sa

from gis_service.access import Actor, visible
from gis_service.errors import InputError, Place
from gis_service.grids.reading import on_day
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
    """An incident in a list."""

    incident_id: int
    kind: str
    status: str
    text: str
    reported_at: datetime
    closed_at: datetime | None
    base_grid_id: int | None
    grid_name: str | None
    lon: float
    lat: float


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
        Only in this base grid.
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
        wanted.append(hazard.base_grid_id == grid_id)
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
        Only in this base grid.
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
    incident, state = t.incident.c, t.grid_state.c
    wanted = [visible(actor, t.incident), *_of_status(t.incident, status, t.INCIDENT_STATES)]
    if days is not None:
        reported_on = sa.cast(sa.func.timezone("Asia/Shanghai", incident.reported_at), sa.Date)
        wanted.append(reported_on > sa.func.gis_today() - days)
    if grid_id is not None:
        wanted.append(incident.base_grid_id == grid_id)
    total = (
        connection.scalar(sa.select(sa.func.count()).select_from(t.incident).where(*wanted)) or 0
    )
    rows = connection.execute(
        sa.select(
            t.incident,
            state.name.label("grid_name"),
            sa.func.ST_X(incident.point).label("lon"),
            sa.func.ST_Y(incident.point).label("lat"),
        )
        .outerjoin(
            t.grid_state, (state.grid_id == incident.base_grid_id) & on_day(state.valid, None)
        )
        .where(*wanted)
        .order_by(incident.reported_at.desc(), incident.incident_id)
        .limit(limit)
        .offset(offset)
    )
    return [
        IncidentRow(
            row.incident_id,
            row.kind,
            row.status,
            row.text,
            row.reported_at,
            row.closed_at,
            row.base_grid_id,
            row.grid_name,
            row.lon,
            row.lat,
        )
        for row in rows
    ], total
