"""The roll of a version: name, parents and officers of every grid, held in memory for answering.

A roll is made for those who see the same officers, through :func:`gis_service.access.visible`.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import sqlalchemy as sa

from gis_service.access import Actor, visible
from gis_service.errors import NotFoundError
from gis_service.grid_code import groups
from gis_service.grids.reading import (
    KM2_DECIMALS,
    GridName,
    LevelName,
    OfficerOnDuty,
    SchemeKey,
    on_day,
)
from gis_service.grids.versions import Version, today, versions
from gis_service.store import tables as t


@dataclass(frozen=True)
class VersionDates:
    """
    A version and the days on which it holds.

    Attributes
    ----------
    until
        The first day of the next version, on which this one no longer holds; None is open.
    """

    version_id: int
    effective_day: date
    title: str
    until: date | None


@dataclass(frozen=True)
class ChainStep(GridName):
    """A grid in a chain, with its level and those who answer for it."""

    level: LevelName
    officers: list[OfficerOnDuty]


@dataclass(frozen=True)
class GridCard:
    """
    What an answer says of a grid.

    Attributes
    ----------
    code_groups
        The code in the groups in which it is read aloud.
    chain
        From the top level down to the grid itself, each with its officers.
    version
        The version of the boundaries that says so.
    bbox
        West, south, east, north in degrees.
    officers
        Of the grid itself: heads first, post A before B.
    """

    grid_id: int
    scheme: str
    code: str
    code_groups: list[str]
    name: str
    kind: str
    rank: int
    level: LevelName
    area_km2: float
    chain: list[ChainStep]
    version: VersionDates
    bbox: tuple[float, float, float, float]
    officers: list[OfficerOnDuty]


@dataclass(frozen=True)
class Directory:
    """Grids of a version and who answers for them on a day."""

    scheme: SchemeKey
    version: VersionDates
    # Officers, duties and leaves are those of this day.
    day: date
    rows: dict[int, Any]
    officers: dict[int, list[OfficerOnDuty]]
    _cards: dict[int, GridCard] = field(default_factory=dict, compare=False)
    rendered: dict[int, bytes] = field(default_factory=dict, compare=False)
    _quoted: dict[int, str] = field(default_factory=dict, compare=False)

    def name(self, grid_id: int) -> GridName:
        """
        Name a grid.

        Parameters
        ----------
        grid_id
            Of this version.

        Returns
        -------
        GridName
            As a list shows it.
        """
        row = self.rows[grid_id]
        return GridName(grid_id, row.name, row.code, row.rank)

    def quoted_code(self, grid_id: int) -> str:
        """Write a grid's code as JSON does."""
        quoted = self._quoted.get(grid_id)
        if quoted is None:
            quoted = self._quoted[grid_id] = json.dumps(self.rows[grid_id].code)
        return quoted

    def officers_of(self, grid_id: int) -> list[OfficerOnDuty]:
        """
        Tell who answers for a grid.

        Parameters
        ----------
        grid_id
            Of any level.

        Returns
        -------
        list of OfficerOnDuty
            Heads first, post A before B.
        """
        return self.officers.get(grid_id, [])

    def card(self, grid_id: int) -> GridCard:
        """Put together what an answer says of a grid."""
        card = self._cards.get(grid_id)
        if card is None:
            card = self._cards[grid_id] = self._card(grid_id)
        return card

    def _card(self, grid_id: int) -> GridCard:
        row = self.rows[grid_id]
        return GridCard(
            grid_id=grid_id,
            scheme=self.scheme.code,
            code=row.code,
            code_groups=groups(row.code, self.scheme.code_layout),
            name=row.name,
            kind=row.kind,
            rank=row.rank,
            level=LevelName(row.label, row.label_en),
            area_km2=round(row.area_m2 / 1e6, KM2_DECIMALS),
            chain=self._chain(grid_id),
            version=self.version,
            bbox=(row.west, row.south, row.east, row.north),
            officers=self.officers_of(grid_id),
        )

    def _chain(self, grid_id: int) -> list[ChainStep]:
        chain: list[ChainStep] = []
        above: int | None = grid_id
        while above is not None:
            row = self.rows[above]
            level = LevelName(row.label, row.label_en)
            step = ChainStep(above, row.name, row.code, row.rank, level, self.officers_of(above))
            chain.append(step)
            above = row.parent_grid_id
        return chain[::-1]


def version_dates(
    connection: sa.Connection, scheme: SchemeKey, day: date | None = None
) -> tuple[Version, VersionDates]:
    """Find the version that answers on a day, and how long it does."""
    wanted = day or today(connection)
    known = versions(connection, scheme.code)
    until = [one.effective_day for one in known if one.effective_day > wanted]
    holding = [one for one in known if one.effective_day <= wanted]
    if not holding:
        said = wanted.isoformat()
        if not until:
            raise NotFoundError("grids.no_version", scheme=scheme.code, day=said)
        first = until[0].isoformat()
        raise NotFoundError("locate.before_first", scheme=scheme.code, day=said, first=first)
    found = holding[-1]
    dates = VersionDates(
        found.version_id, found.effective_day, found.title, until[0] if until else None
    )
    return found, dates


def load_directory(
    connection: sa.Connection,
    actor: Actor,
    scheme: SchemeKey,
    dates: VersionDates,
    day: date,
    only: Iterable[int] | None = None,
) -> Directory:
    """Read a roll from the store."""
    rows = grid_rows(connection, scheme, dates, only)
    grids = None if only is None else sorted(rows)
    return Directory(scheme, dates, day, rows, officers_on(connection, actor, scheme, day, grids))


def grid_rows(
    connection: sa.Connection,
    scheme: SchemeKey,
    dates: VersionDates,
    only: Iterable[int] | None = None,
) -> dict[int, Any]:
    """Read what is the same for all who ask: names, parents and extents of grids."""
    rows: dict[int, Any] = {}
    wanted = None if only is None else {one for one in only if one > 0}
    while wanted is None or wanted:
        found = connection.execute(_grids(scheme, dates, wanted)).all()
        rows |= {row.grid_id: row for row in found}
        if wanted is None:
            break
        wanted = {row.parent_grid_id for row in found if row.parent_grid_id is not None}
        wanted -= rows.keys()
    return rows


def _grids(scheme: SchemeKey, dates: VersionDates, wanted: set[int] | None) -> sa.Select[Any]:
    state, level = t.grid_state.c, t.grid_level.c
    query = (
        sa.select(
            state.grid_id,
            state.parent_grid_id,
            state.code,
            state.name,
            state.rank,
            state.area_m2,
            t.grid.c.kind,
            level.label,
            level.label_en,
            sa.func.ST_XMin(state.geom).label("west"),
            sa.func.ST_YMin(state.geom).label("south"),
            sa.func.ST_XMax(state.geom).label("east"),
            sa.func.ST_YMax(state.geom).label("north"),
        )
        .join(t.grid, t.grid.c.grid_id == state.grid_id)
        .join(t.grid_level, (level.scheme_id == state.scheme_id) & (level.rank == state.rank))
        .where(state.scheme_id == scheme.scheme_id, on_day(state.valid, dates.effective_day))
    )
    return query if wanted is None else query.where(state.grid_id.in_(sorted(wanted)))


def officers_on(
    connection: sa.Connection,
    actor: Actor,
    scheme: SchemeKey,
    day: date,
    grids: Iterable[int] | None = None,
) -> dict[int, list[OfficerOnDuty]]:
    """Read who answers for which grid, as far as an actor may see it."""
    duty, officer, leave = t.grid_duty.c, t.officer.c, t.leave.c
    away = sa.exists().where(leave.officer_id == officer.officer_id, on_day(leave.valid, day))
    query = (
        sa.select(
            duty.grid_id,
            duty.role,
            duty.post,
            officer.name,
            officer.phone,
            away.label("on_leave"),
            officer.full_time,
            officer.officer_id,
        )
        .join(t.officer, officer.officer_id == duty.officer_id)
        .join(t.grid, t.grid.c.grid_id == duty.grid_id)
        .where(
            t.grid.c.scheme_id == scheme.scheme_id,
            on_day(duty.valid, day),
            on_day(officer.valid, day),
            visible(actor, t.officer),
        )
        .order_by(duty.grid_id, duty.role, duty.post)
    )
    if grids is not None:
        query = query.where(duty.grid_id.in_(grids))
    found: dict[int, list[OfficerOnDuty]] = {}
    for row in connection.execute(query):
        found.setdefault(row.grid_id, []).append(OfficerOnDuty(*row[1:]))
    return found
