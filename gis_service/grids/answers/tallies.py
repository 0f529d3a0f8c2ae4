"""How much a grid carries: households, people, buildings, premises, hazards, incidents.

Every count of people and of trouble passes :func:`gis_service.access.visible`; a grid of which an
actor does not see everything has no figure (None), never a part of one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import sqlalchemy as sa

from gis_service.access import Actor
from gis_service.grids.answers import queries
from gis_service.grids.answers.queries import Tally
from gis_service.grids.membership.queries import NO_INDEX
from gis_service.grids.reading import SchemeKey
from gis_service.snapshot import Snapshot, SnapshotPart
from gis_service.store import tables as t
from gis_service.store.engine import in_whole_county
from gis_service.store.tiles import DAY


@dataclass(frozen=True)
class GridCounts:
    """
    What one grid carries; None where the actor does not see all of it.

    Attributes
    ----------
    incidents_month
        Reported within the last 30 days.
    """

    households: int | None
    people: int | None
    care_households: int | None
    buildings: int
    premises: int
    hazards_open: int | None
    hazards_major: int | None
    incidents_open: int | None
    incidents_month: int | None


@dataclass(frozen=True)
class CountyCounts:
    """What the county carries, as far as the actor may see; ``outside`` are households."""

    households: int | None
    people: int | None
    buildings: int
    premises: int
    hazards: int | None
    incidents: int | None
    outside: int | None


def add_up(
    below: Mapping[int | None, Tally], parent_of: Mapping[int, int | None]
) -> dict[int, Tally]:
    """
    Add the figures of lower grids to every grid above them.

    Parameters
    ----------
    below
        Figures by lowest grid.
    parent_of
        The tree.

    Returns
    -------
    dict
        Figures by grid of any level; what lies outside or in a grid not of the tree is left out.
    """
    sums: dict[int, Tally] = {}
    for grid_id, figures in below.items():
        step = grid_id
        while step is not None and step in parent_of:
            into = sums.setdefault(step, dict.fromkeys(figures, 0))
            for name, value in figures.items():
                into[name] += value
            step = parent_of[step]
    return sums


TALLIES: Final = SnapshotPart(
    "households and buildings by lowest grid",
    (*(table.name for table in NO_INDEX), "assignment", "grid_version", DAY),
    most=8,
)
"""For a town the sum of what is kept costs nothing, where counting its rows takes as long as
everything else on its sheet together."""


@in_whole_county
def count_grid(
    connection: sa.Connection,
    actor: Actor,
    scheme: SchemeKey,
    grid_id: int,
    at: date | None = None,
    snapshot: Snapshot | None = None,
) -> GridCounts:
    """
    Count what one grid carries.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    scheme
        The grid's scheme.
    grid_id
        A grid of any level.
    at
        The day; None is today.
    snapshot
        Keeps what is counted of today for those who see the whole county; None counts it again.

    Returns
    -------
    GridCounts
        Over every lowest grid below it.
    """
    figures: dict[str, int | None] = {}
    counted = []
    for table in (t.household, t.hazard, t.incident, t.building, t.premises):
        is_sensitive = table.name in queries.SENSITIVE
        seen = queries.find_grids_seen(connection, actor, table) if is_sensitive else None
        if seen is None or grid_id in seen:
            counted.append(table)
        else:
            figures |= dict.fromkeys(queries.columns_to_count(table.name))
    inside = queries.find_grids_below(connection, [grid_id], at)
    if snapshot is not None and at is None and actor.areas is None and t.household in counted:
        kept = snapshot.get(
            connection,
            TALLIES,
            lambda: {
                table.name: queries.count_by_grid(connection, actor, table, scheme)
                for table in NO_INDEX
            },
            scheme.scheme_id,
        )
        for name, by_grid in kept.items():
            tallies = [by_grid[lowest] for lowest in inside if lowest in by_grid]
            figures |= {
                column: sum(tally[column] for tally in tallies)
                for column in queries.columns_to_count(name)
            }
        counted = [table for table in counted if table not in NO_INDEX]
    by_copy = scheme.is_base and at is None
    figures |= queries.count_in_grids(connection, tuple(counted), inside, at, by_copy=by_copy)
    del figures["incidents_year"]
    return GridCounts(
        **{name: value for name, value in figures.items() if name not in {"buildings", "premises"}},
        buildings=figures["buildings"] or 0,
        premises=figures["premises"] or 0,
    )


def _sees_any(connection: sa.Connection, actor: Actor, table: sa.Table) -> bool:
    return queries.find_grids_seen(connection, actor, table) != frozenset()


@in_whole_county
def count_county(connection: sa.Connection, actor: Actor, scheme: SchemeKey) -> CountyCounts:
    """
    Count the county, or the areas that the actor answers for.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    scheme
        Whose grids tell inside from outside; areas may be of any.

    Returns
    -------
    CountyCounts
        None for what the actor's role does not see at all; nothing is outside of areas.
    """
    counted = (t.household, t.hazard, t.incident, t.building, t.premises)
    sums: dict[str, int | None] = {}
    outside: int | None = None
    for table in counted:
        if table.name in queries.SENSITIVE and not _sees_any(connection, actor, table):
            sums |= dict.fromkeys(queries.columns_to_count(table.name))
    seen = tuple(
        table for table in counted if not sums.keys() & queries.columns_to_count(table.name)
    )
    if actor.areas is not None:
        # All of it, also what is no secret: a part beside the whole would be read as one figure.
        inside = queries.find_grids_below(connection, actor.areas, None)
        sums |= queries.count_in_grids(connection, seen, inside, None, by_copy=False)
        seen = ()
    for table in seen:
        tallies = queries.count_by_grid(connection, actor, table, scheme)
        names = queries.columns_to_count(table.name)
        sums |= {name: sum(tally[name] for tally in tallies.values()) for name in names}
        if table is t.household:
            outside = tallies.get(None, {}).get("households", 0)
    return CountyCounts(
        households=sums["households"],
        people=sums["people"],
        buildings=sums["buildings"] or 0,
        premises=sums["premises"] or 0,
        hazards=sums["hazards_open"],
        incidents=sums["incidents_open"],
        outside=outside,
    )
