"""The directory of a version: name, parents and officers of every grid, kept for answering.

A directory is made for those who see the same officers, through :func:`gis_service.access.visible`.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import sqlalchemy as sa

from gis_service.access import Actor
from gis_service.errors import NotFoundError
from gis_service.grid_code import split_code
from gis_service.grids.answers import queries
from gis_service.grids.reading import (
    KM2_DECIMALS,
    GridName,
    LevelName,
    OfficerOnDuty,
    SchemeKey,
)
from gis_service.grids.versions import Version, read_versions, today


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
        """Tell who answers for a grid."""
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
            code_groups=split_code(row.code, self.scheme.code_layout),
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


def find_version_dates(
    connection: sa.Connection, scheme: SchemeKey, day: date | None = None
) -> tuple[Version, VersionDates]:
    """Find the version that answers on a day, and how long it does."""
    asked_day = day or today(connection)
    published = read_versions(connection, scheme.code)
    until = [version.effective_day for version in published if version.effective_day > asked_day]
    holding = [version for version in published if version.effective_day <= asked_day]
    if not holding:
        day_text = asked_day.isoformat()
        if not until:
            raise NotFoundError("grids.no_version", scheme=scheme.code, day=day_text)
        first = until[0].isoformat()
        raise NotFoundError("locate.before_first", scheme=scheme.code, day=day_text, first=first)
    version = holding[-1]
    dates = VersionDates(
        version.version_id, version.effective_day, version.title, until[0] if until else None
    )
    return version, dates


def read_directory(
    connection: sa.Connection,
    actor: Actor,
    scheme: SchemeKey,
    dates: VersionDates,
    day: date,
    only: Iterable[int] | None = None,
) -> Directory:
    """Read a directory from the store."""
    rows = read_grid_rows(connection, scheme, dates, only)
    grids = None if only is None else sorted(rows)
    return Directory(
        scheme, dates, day, rows, queries.read_officers_on(connection, actor, scheme, day, grids)
    )


def read_grid_rows(
    connection: sa.Connection,
    scheme: SchemeKey,
    dates: VersionDates,
    only: Iterable[int] | None = None,
) -> dict[int, Any]:
    """Read what is the same for all who ask: names, parents and extents of grids."""
    rows: dict[int, Any] = {}
    missing = None if only is None else {grid_id for grid_id in only if grid_id > 0}
    while missing is None or missing:
        rows_found = queries.read_grids(connection, scheme.scheme_id, dates.effective_day, missing)
        rows |= {row.grid_id: row for row in rows_found}
        if missing is None:
            break
        missing = {row.parent_grid_id for row in rows_found if row.parent_grid_id is not None}
        missing -= rows.keys()
    return rows
