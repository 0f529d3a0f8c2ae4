"""How much a grid carries: households, people, buildings, premises, hazards, incidents.

Every count of people and of trouble passes :func:`gis_service.access.visible`; a grid of which an
actor does not see everything has no figure (None), never a part of one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import sqlalchemy as sa

from gis_service.access import Actor, sees_grid, visible
from gis_service.grids.reading import SchemeKey, on_day
from gis_service.store import tables as t

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


def measures(what: str, at: date | None = None) -> dict[str, sa.ColumnElement[int]]:
    """
    Name what is counted of a table.

    Parameters
    ----------
    what
        ``household``, ``building``, ``premises``, ``hazard`` or ``incident``.
    at
        The day that "open" and "lately" refer to; None is today.

    Returns
    -------
    dict
        An aggregate for each figure.
    """
    count = sa.func.count()
    day = sa.func.gis_today() if at is None else sa.literal(at, sa.Date)
    if what == "household":
        people, tags = t.household.c.people, t.household.c.care_tags
        return {
            "households": count,
            "people": sa.func.coalesce(sa.func.sum(people), 0),
            "care_households": count.filter(sa.func.cardinality(tags) > 0),
        }
    if what == "hazard":
        hazard = t.hazard.c
        still = (hazard.found_on <= day) & sa.func.coalesce(hazard.closed_on > day, sa.true())
        return {
            "hazards_open": count.filter(still),
            "hazards_major": count.filter(still & (hazard.grade == "major")),
        }
    if what == "incident":
        reported = _china_day(t.incident.c.reported_at)
        closed = _china_day(t.incident.c.closed_at)
        known = reported <= day
        return {
            "incidents_open": count.filter(known & sa.func.coalesce(closed > day, sa.true())),
            "incidents_month": count.filter(known & (reported > day - INCIDENT_DAYS)),
            "incidents_year": count.filter(known & (reported > day - 365)),
        }
    return {{"building": "buildings", "premises": "premises"}[what]: count}


def _china_day(moment: sa.ColumnElement[Any]) -> sa.ColumnElement[date]:
    return sa.cast(sa.func.timezone("Asia/Shanghai", moment), sa.Date)


def tally(
    connection: sa.Connection,
    actor: Actor,
    table: sa.Table,
    scheme: SchemeKey,
    *,
    at: date | None = None,
    grids: Iterable[int] | None = None,
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
    grids
        Only these grids.

    Returns
    -------
    dict
        Figures by grid id; the key None is what lies outside every grid.
    """
    key: sa.ColumnElement[Any] = table.c[f"{table.name}_id"]
    source: sa.FromClause = table
    grid_id: sa.ColumnElement[Any] = table.c.base_grid_id
    wanted = [visible(actor, table)] if table.name in SENSITIVE else []
    if not (scheme.is_base and at is None):
        assigned = t.assignment.c
        source = table.join(
            t.assignment, (assigned.object_id == key) & (assigned.object_kind == table.name)
        )
        grid_id = assigned.grid_id
        wanted += [assigned.scheme_id == scheme.scheme_id, on_day(assigned.valid, at)]
    if grids is not None:
        wanted.append(grid_id.in_(list(grids)))
    figures = measures(table.name, at)
    rows = connection.execute(
        sa.select(grid_id.label("of_grid"), *(f.label(name) for name, f in figures.items()))
        .select_from(source)
        .where(*wanted)
        .group_by(grid_id)
    )
    return {row.of_grid: {name: int(getattr(row, name)) for name in figures} for row in rows}


def parents(connection: sa.Connection, scheme: SchemeKey, at: date | None) -> dict[int, int | None]:
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


def roll_up(
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


def grids_seen(connection: sa.Connection, actor: Actor, table: sa.Table) -> frozenset[int] | None:
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


def counts_of(
    connection: sa.Connection,
    actor: Actor,
    scheme: SchemeKey,
    grid_id: int,
    at: date | None = None,
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

    Returns
    -------
    GridCounts
        Over every lowest grid below it.
    """
    inside = _lowest_below(grid_id, parents(connection, scheme, at))
    figures: dict[str, int | None] = {}
    for table in (t.household, t.hazard, t.incident, t.building, t.premises):
        names = measures(table.name, at)
        seen = grids_seen(connection, actor, table) if table.name in SENSITIVE else None
        if seen is not None and grid_id not in seen:
            figures |= dict.fromkeys(names)
            continue
        found = tally(connection, actor, table, scheme, at=at, grids=inside)
        figures |= {name: sum(each[name] for each in found.values()) for name in names}
    del figures["incidents_year"]
    return GridCounts(
        **{name: value for name, value in figures.items() if name not in {"buildings", "premises"}},
        buildings=figures["buildings"] or 0,
        premises=figures["premises"] or 0,
    )


def _lowest_below(grid_id: int, parent_of: Mapping[int, int | None]) -> list[int]:
    children: dict[int | None, list[int]] = {}
    for child, parent in parent_of.items():
        children.setdefault(parent, []).append(child)
    layer, lowest = [grid_id], []
    while layer:
        lowest += [grid for grid in layer if grid not in children]
        layer = [child for grid in layer for child in children.get(grid, [])]
    return lowest


def county_counts(connection: sa.Connection, actor: Actor, scheme: SchemeKey) -> CountyCounts:
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
        names = measures(table.name)
        if table.name in SENSITIVE and grids_seen(connection, actor, table) == frozenset():
            sums |= dict.fromkeys(names)
            continue
        found = tally(connection, actor, table, scheme)
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
