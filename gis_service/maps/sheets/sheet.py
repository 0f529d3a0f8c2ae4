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
    GridHead,
    OfficerOnDuty,
    VersionRow,
    find_scheme,
    find_version_on,
    on_day,
    read_grid_head,
    read_officers_of,
)
from gis_service.maps.figures.measured import (
    CoverageFigures,
    coverage_of_county,
    coverage_of_grid,
)
from gis_service.snapshot import Snapshot
from gis_service.store import tables as t


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
    """The county at a glance."""

    county: CountyGlance
    counts: CountyCounts
    coverage: dict[str, CoverageFigures]
    boundaries: VersionRow | None
    data_day: date | None


def grid_sheet(
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
    above = (read_officers_of(connection, actor, one.grid_id, at) for one in head.chain[-2::-1])
    call = find_first_at_work(chain((officers,), above))
    return GridSheet(
        **vars(head),
        officers=officers,
        stand_in=call[2] if call and call[1] == "head" and call[2] not in officers else None,
        counts=count_grid(connection, actor, scheme, grid_id, at, snapshot),
        coverage=coverage_of_grid(connection, actor, scheme, head.rank, grid_id),
    )


def county(connection: sa.Connection, scheme_code: str = "base") -> CountyGlance:
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
    unit, state = t.admin_unit.c, t.grid_state.c
    row = connection.execute(
        sa.select(unit.name, unit.code)
        .where(unit.level == "county", on_day(unit.valid, None))
        .order_by(unit.code)
        .limit(1)
    ).first()
    scheme = find_scheme(connection, scheme_code)
    extent = sa.func.ST_Extent(state.geom)
    bounds = (sa.func.ST_XMin, sa.func.ST_YMin, sa.func.ST_XMax, sa.func.ST_YMax)
    box = connection.execute(
        sa.select(*(bound(extent) for bound in bounds)).where(
            state.scheme_id == scheme.scheme_id, state.rank == 1, on_day(state.valid, None)
        )
    ).one()
    bbox = None if box[0] is None else (box[0], box[1], box[2], box[3])
    return CountyGlance(row.name if row else scheme.name, row.code if row else "", bbox)


def overview(connection: sa.Connection, actor: Actor, scheme_code: str) -> Overview:
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
    found = find_version_on(connection, scheme.scheme_id, None)
    return Overview(
        county=county(connection, scheme_code),
        counts=count_county(connection, actor, scheme),
        coverage=coverage_of_county(connection, actor, scheme),
        boundaries=found[0] if found else None,
        data_day=_data_day(connection),
    )


def _data_day(connection: sa.Connection) -> date | None:
    network, imported = t.road_network.c, t.import_record.c
    day: date | None = connection.scalar(sa.select(network.data_day).where(network.active))
    if day is None:
        last = sa.cast(
            sa.func.timezone("Asia/Shanghai", sa.func.max(imported.finished_at)), sa.Date
        )
        day = connection.scalar(sa.select(last))
    return day
