"""How much a grid carries: households, people, buildings, premises, hazards, incidents.

Every count of people and of trouble passes :func:`gis_service.access.visible`; a grid of which an
actor does not see everything has no figure (None), never a part of one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from gis_service.access import Actor, sees_grid, visible
from gis_service.access.visibility import grids_below
from gis_service.grids.members import NO_INDEX, select_assigned, select_objects_in
from gis_service.grids.reading import SchemeKey, on_day
from gis_service.snapshot import Snapshot, SnapshotPart
from gis_service.store import tables as t
from gis_service.store.tiles import DAY

Tally = dict[str, int]
SENSITIVE: Final = frozenset({"household", "officer", "incident", "hazard"})
INCIDENT_DAYS: Final = 30


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


def columns_to_count(
    what: str, day: sa.ColumnElement[date] | None = None
) -> dict[str, sa.ColumnElement[int]]:
    """Name what is counted of a table."""
    count = sa.func.count()
    if day is None:
        day = sa.func.gis_today()
    if what == "household":
        people, tags = t.household.c.people, t.household.c.care_tags
        return {
            "households": count,
            "people": sa.func.coalesce(sa.func.sum(people), 0),
            "care_households": count.filter(sa.func.cardinality(tags) > 0),
        }
    if what == "hazard":
        hazard = t.hazard.c
        is_open = (hazard.found_on <= day) & sa.func.coalesce(hazard.closed_on > day, sa.true())
        return {
            "hazards_open": count.filter(is_open),
            "hazards_major": count.filter(is_open & (hazard.grade == "major")),
        }
    if what == "incident":
        reported = _china_day(t.incident.c.reported_at)
        closed = _china_day(t.incident.c.closed_at)
        is_reported = reported <= day
        return {
            "incidents_open": count.filter(is_reported & sa.func.coalesce(closed > day, sa.true())),
            "incidents_month": count.filter(is_reported & (reported > day - INCIDENT_DAYS)),
            "incidents_year": count.filter(is_reported & (reported > day - 365)),
        }
    return {{"building": "buildings", "premises": "premises"}[what]: count}


def _china_day(moment: sa.ColumnElement[Any]) -> sa.ColumnElement[date]:
    return sa.cast(sa.func.timezone("Asia/Shanghai", moment), sa.Date)


def count_by_grid(
    connection: sa.Connection,
    actor: Actor,
    table: sa.Table,
    scheme: SchemeKey,
    *,
    at: date | None = None,
) -> dict[int | None, Tally]:
    """
    Count one table by the lowest grids of a scheme.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks; only rows visible to the actor count.
    table
        Household, building, premises, hazard or incident.
    scheme
        Of which scheme; the base scheme's grid of today stands on the row, any other in the
        history of assignments.
    at
        The grid of that day; None is today.

    Returns
    -------
    dict
        Figures by grid id; the key None is what lies outside every grid.
    """
    key: sa.ColumnElement[Any] = table.c[f"{table.name}_id"]
    source: sa.FromClause = table
    grid_id: sa.ColumnElement[Any] = table.c.base_grid_id
    conditions = [visible(actor, table)] if table.name in SENSITIVE else []
    day = None if at is None else sa.literal(at, sa.Date)
    if not (scheme.is_base and at is None):
        grid_of_each = select_assigned(table.name, scheme.scheme_id, day).subquery()
        source = table.join(grid_of_each, grid_of_each.c.object_id == key)
        grid_id = grid_of_each.c.grid_id
    figures = columns_to_count(table.name, day)
    rows = connection.execute(
        sa.select(grid_id.label("of_grid"), *(f.label(name) for name, f in figures.items()))
        .select_from(source)
        .where(*conditions)
        .group_by(grid_id)
    )
    return {row.of_grid: {name: int(getattr(row, name)) for name in figures} for row in rows}


def read_parents(
    connection: sa.Connection, scheme: SchemeKey, at: date | None
) -> dict[int, int | None]:
    """
    Read the tree of a scheme on a day.

    Parameters
    ----------
    connection
        An open transaction.
    scheme
        Which scheme.
    at
        The day; None is today.

    Returns
    -------
    dict
        Parent by grid id; None at the top.
    """
    state = t.grid_state.c
    rows = connection.execute(
        sa.select(state.grid_id, state.parent_grid_id).where(
            state.scheme_id == scheme.scheme_id, on_day(state.valid, at)
        )
    )
    return {row.grid_id: row.parent_grid_id for row in rows}


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


def find_grids_seen(
    connection: sa.Connection, actor: Actor, table: sa.Table
) -> frozenset[int] | None:
    """
    List the grids of which an actor sees everything that a table holds.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    table
        Household, hazard, incident or officer.

    Returns
    -------
    frozenset of int or None
        None is every grid.
    """
    condition = sees_grid(actor, table, t.grid.c.grid_id)
    if isinstance(condition, sa.True_):
        return None
    return frozenset(connection.scalars(sa.select(t.grid.c.grid_id).where(condition)))


TALLIES: Final = SnapshotPart(
    "households and buildings by lowest grid",
    (*(table.name for table in NO_INDEX), "assignment", "grid_version", DAY),
    most=8,
)
"""For a town the sum of what is kept costs nothing, where counting its rows takes as long as
everything else on its sheet together."""


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
    shown = []
    for table in (t.household, t.hazard, t.incident, t.building, t.premises):
        seen = find_grids_seen(connection, actor, table) if table.name in SENSITIVE else None
        if seen is None or grid_id in seen:
            shown.append(table)
        else:
            figures |= dict.fromkeys(columns_to_count(table.name))
    values = {"inside": [grid_id], "at": at}
    inside: list[int] = [*connection.scalars(_inside_query(is_today=at is None), values)]
    if snapshot is not None and at is None and actor.areas is None and t.household in shown:
        kept = snapshot.get(
            connection,
            TALLIES,
            lambda: {one.name: count_by_grid(connection, actor, one, scheme) for one in NO_INDEX},
            scheme.scheme_id,
        )
        for name, by_grid in kept.items():
            found = [by_grid[one] for one in inside if one in by_grid]
            figures |= {each: sum(one[each] for one in found) for each in columns_to_count(name)}
        shown = [table for table in shown if table not in NO_INDEX]
    by_copy = scheme.is_base and at is None
    query = _counting_query(tuple(shown), by_copy=by_copy, is_today=at is None)
    row = connection.execute(query, {"inside": inside, "at": at}).one()
    figures |= {name: int(value) for name, value in row._mapping.items()}  # noqa: SLF001 (public)
    del figures["incidents_year"]
    return GridCounts(
        **{name: value for name, value in figures.items() if name not in {"buildings", "premises"}},
        buildings=figures["buildings"] or 0,
        premises=figures["premises"] or 0,
    )


@cache
def _inside_query(*, is_today: bool) -> sa.Select[Any]:
    return grids_below(_INSIDE, None if is_today else _AT)


@cache
def _counting_query(
    tables: tuple[sa.Table, ...], *, by_copy: bool, is_today: bool
) -> sa.Select[Any]:
    """Count several tables in some grids, side by side; every row of them is seen."""
    day = None if is_today else _AT
    parts = []
    for table in tables:
        if by_copy and table not in NO_INDEX:
            within = table.c.base_grid_id == sa.any_(_INSIDE)
        else:
            within = table.c[f"{table.name}_id"].in_(select_objects_in(table.name, _INSIDE, day))
        figures = (figure.label(name) for name, figure in columns_to_count(table.name, day).items())
        parts.append(sa.select(*figures).select_from(table).where(within).subquery())
    together: sa.FromClause = parts[0]
    for part in parts[1:]:
        together = together.join(part, sa.true())
    return sa.select(*(column for part in parts for column in part.c)).select_from(together)


_INSIDE: Final = sa.bindparam("inside", type_=sa.ARRAY(sa.BigInteger))
_AT: Final = sa.bindparam("at", type_=sa.Date)


def count_county(connection: sa.Connection, actor: Actor, scheme: SchemeKey) -> CountyCounts:
    """
    Count the county, or the part of it that the actor answers for.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    scheme
        Whose grids tell inside from outside.

    Returns
    -------
    CountyCounts
        None for what the actor's role does not see at all.
    """
    sums: dict[str, int | None] = {}
    outside: int | None = None
    for table in (t.household, t.hazard, t.incident, t.building, t.premises):
        names = columns_to_count(table.name)
        if table.name in SENSITIVE and find_grids_seen(connection, actor, table) == frozenset():
            sums |= dict.fromkeys(names)
            continue
        found = count_by_grid(connection, actor, table, scheme)
        sums |= {name: sum(each[name] for each in found.values()) for name in names}
        if table is t.household:
            outside = found.get(None, {}).get("households", 0)
    return CountyCounts(
        households=sums["households"],
        people=sums["people"],
        buildings=sums["buildings"] or 0,
        premises=sums["premises"] or 0,
        hazards=sums["hazards_open"],
        incidents=sums["incidents_open"],
        outside=outside,
    )
