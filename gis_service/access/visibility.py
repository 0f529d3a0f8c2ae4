"""What an actor may see of the tables that hold people and trouble.

Every read of households, officers, incidents and hazards is filtered by :func:`visible`. Areas
become the ids of base grids first: an id filter keeps its index under row-level security, a
spatial filter does not.
"""

from datetime import date
from typing import Any

import sqlalchemy as sa

from gis_service.access.actor import Actor
from gis_service.access.permissions import SEE
from gis_service.store import tables as t


def visible(actor: Actor, table: sa.Table) -> sa.ColumnElement[bool]:
    """
    Say which rows of a table an actor may see, as a condition for the query.

    Parameters
    ----------
    actor
        Who asks.
    table
        ``household``, ``hazard``, ``incident`` or ``officer`` of the store, not an alias.

    Returns
    -------
    sqlalchemy condition
        True for those who answer for the whole county; for others the base grids of their areas;
        false where the role sees none of it. Officers are seen with the grids they serve.
    """
    if not SEE[table.name].allows(actor):
        return sa.false()
    if actor.areas is None:
        return sa.true()
    if table is t.officer:
        served = sa.select(t.grid_duty.c.officer_id).where(
            t.grid_duty.c.grid_id.in_(grids_below(actor.areas)),
            t.grid_duty.c.valid.op("@>")(sa.func.gis_today()),
        )
        return t.officer.c.officer_id.in_(served)
    column: sa.ColumnElement[bool] = table.c.base_grid_id.in_(grids_below(actor.areas))
    return column


def sees_grid(
    actor: Actor, table: sa.Table, grid_id: sa.ColumnElement[int]
) -> sa.ColumnElement[bool]:
    """
    Say for which grids an actor sees all that a table holds, so that a figure is not half told.

    Parameters
    ----------
    actor
        Who asks.
    table
        ``household``, ``hazard``, ``incident`` or ``officer``.
    grid_id
        A column of grid ids, of any level.

    Returns
    -------
    sqlalchemy condition
        True for the areas of the actor and every grid below them.
    """
    if not SEE[table.name].allows(actor):
        return sa.false()
    if actor.areas is None:
        return sa.true()
    return grid_id.in_(grids_below(actor.areas))


def grids_below(
    areas: tuple[int, ...] | sa.ColumnElement[Any], day: sa.ColumnElement[date] | None = None
) -> sa.Select[tuple[int]]:
    """
    Walk the hierarchy of a day down from some grids.

    Parameters
    ----------
    areas
        Grid ids of any level, or an array of them that the query is given later.
    day
        The day; None is today.

    Returns
    -------
    sqlalchemy select
        Their own ids and those of every grid below them.
    """
    if isinstance(areas, tuple):
        areas = sa.literal(list(areas), sa.ARRAY(sa.BigInteger))
    start = sa.select(sa.func.unnest(areas).label("id"))
    below = start.cte(recursive=True)  # without a name: a query may hold two
    child = sa.select(t.grid_state.c.grid_id).where(
        t.grid_state.c.parent_grid_id == below.c.id,
        t.grid_state.c.valid.op("@>")(sa.func.gis_today() if day is None else day),
    )
    tree = below.union_all(child)
    return sa.select(tree.c.id)
