"""The sheet of one grid, and the county at a glance: what several rooms know, on one page.

Nothing here counts by itself; it puts together what the rooms answer to this actor.
"""

from dataclasses import dataclass
from datetime import date
from itertools import chain

import sqlalchemy as sa

from gis_service.access import Actor
from gis_service.grids.answers.on_post import find_first_at_work
from gis_service.grids.answers.tallies import (
    CountyCounts,
    GridCounts,
    count_county,
    count_grid,
)
from gis_service.grids.reading import (
    Area,
    GridHead,
    OfficerOnDuty,
    SchemeKey,
    VersionRow,
    find_scheme,
    find_version_on,
    list_areas,
    read_grid_head,
    read_officers_of,
)
from gis_service.maps.figures.coverage_figures import (
    CoverageFigures,
    coverage_of_county,
    coverage_of_grid,
)
from gis_service.maps.sheets import queries
from gis_service.snapshot import Snapshot


@dataclass(frozen=True)
class GridSheet(GridHead):
    """
    The 公示牌 of a grid: what it is, who answers for it, what it carries, how it is covered.

    Attributes
    ----------
    stand_in
        The head who is rung where nobody of the grid's own is at work that day.
    """

    officers: list[OfficerOnDuty]
    stand_in: OfficerOnDuty | None
    counts: GridCounts
    coverage: dict[str, CoverageFigures]


@dataclass(frozen=True)
class CountyGlance:
    """The county as a whole; ``bbox`` is west, south, east, north."""

    name: str
    code: str
    bbox: tuple[float, float, float, float] | None


@dataclass(frozen=True)
class Overview:
    """
    The county at a glance, or what somebody answers for in it.

    Attributes
    ----------
    areas
        What the counts are of; None is the whole county.
    coverage
        Of the county, or of the one area; nothing where there are several.
    """

    county: CountyGlance
    areas: list[Area] | None
    counts: CountyCounts
    coverage: dict[str, CoverageFigures]
    boundaries: VersionRow | None
    data_day: date | None


def read_grid_sheet(
    connection: sa.Connection,
    actor: Actor,
    grid_id: int,
    at: date | None = None,
    snapshot: Snapshot | None = None,
) -> GridSheet:
    """
    Put the sheet of a grid together.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    grid_id
        A grid of any level and scheme.
    at
        The day; None is today. Coverage is as of its newest run.
    snapshot
        Keeps counts of today; None counts them.

    Returns
    -------
    GridSheet
        With None where the actor does not see a figure.
    """
    head = read_grid_head(connection, grid_id, at)
    scheme = find_scheme(connection, head.scheme)
    officers = read_officers_of(connection, actor, grid_id, at)
    above = (read_officers_of(connection, actor, grid.grid_id, at) for grid in head.chain[-2::-1])
    call = find_first_at_work(chain((officers,), above))
    return GridSheet(
        **vars(head),
        officers=officers,
        stand_in=call[2] if call and call[1] == "head" and call[2] not in officers else None,
        counts=count_grid(connection, actor, scheme, grid_id, at, snapshot),
        coverage=coverage_of_grid(connection, actor, scheme, head.rank, grid_id),
    )


def find_county(connection: sa.Connection, scheme_code: str = "base") -> CountyGlance:
    """
    Tell which county this is and where it lies.

    Parameters
    ----------
    connection
        An open transaction.
    scheme_code
        The scheme whose grids stand in where no administrative county is known.

    Returns
    -------
    CountyGlance
        Without a box where nothing is loaded.
    """
    unit = queries.read_county_unit(connection)
    scheme = find_scheme(connection, scheme_code)
    bbox = queries.read_extent(connection, scheme.scheme_id)
    return CountyGlance(unit.name if unit else scheme.name, unit.code if unit else "", bbox)


def read_overview(connection: sa.Connection, actor: Actor, scheme_code: str) -> Overview:
    """
    Put the county at a glance together.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    scheme_code
        Whose boundaries.

    Returns
    -------
    Overview
        With None where the actor does not see a figure.
    """
    scheme = find_scheme(connection, scheme_code)
    version = find_version_on(connection, scheme.scheme_id, None)
    areas = list_areas(connection, actor.areas)
    return Overview(
        county=find_county(connection, scheme_code),
        areas=areas,
        counts=count_county(connection, actor, scheme),
        coverage=_coverage_of(connection, actor, scheme, areas),
        boundaries=version[0] if version else None,
        data_day=queries.read_data_day(connection),
    )


def _coverage_of(
    connection: sa.Connection, actor: Actor, scheme: SchemeKey, areas: list[Area] | None
) -> dict[str, CoverageFigures]:
    """Give the county's coverage, or that of the only area; medians of several do not add up."""
    if areas is None:
        return coverage_of_county(connection, actor, scheme)
    if len(areas) != 1:
        return {}
    area = areas[0]
    return coverage_of_grid(
        connection, actor, find_scheme(connection, area.scheme), area.rank, area.grid_id
    )
