"""What an actor may see of the tables that hold people and trouble.

Every read of households, officers, incidents and hazards is filtered by :func:`visible`, and the
database has the same rules once more (migration 0021). Areas become the ids of base grids first: an
id filter keeps its index under rules by rows, a spatial filter does not.
"""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final

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
        One of ``permissions.SEE`` of the store, not an alias.

    Returns
    -------
    sqlalchemy condition
        True for those who answer for the whole county; for others the base grids of their areas;
        false where the role sees none of it. Officers are seen with the grids they serve. What an
        actor has asked for or changed is seen by that actor.
    """
    if not SEE[table.name].allows(actor):
        if table in _OF_SOMEBODY:
            return table.c.actor_id == actor.actor_id
        return t.search_house.c.building_id.is_not(None) if table is t.search_house else sa.false()
    within = _WITHIN.get(table)
    return sa.true() if actor.areas is None or within is None else within(actor.areas)


_OF_SOMEBODY: Final = (t.entry_change, t.job)


def _by_officer(column: sa.Column[int]) -> Callable[[tuple[int, ...]], sa.ColumnElement[bool]]:
    duty = t.grid_duty.alias().c

    def within(areas: tuple[int, ...]) -> sa.ColumnElement[bool]:
        served = sa.select(duty.officer_id).where(
            duty.grid_id.in_(grids_below(areas)), duty.valid.op("@>")(sa.func.gis_today())
        )
        return column.in_(served)

    return within


def _by_grid(column: Any) -> Callable[[tuple[int, ...]], sa.ColumnElement[bool]]:
    """Compare with an array, which goes by an index however many rows a table has."""

    def within(areas: tuple[int, ...]) -> sa.ColumnElement[bool]:
        below = grids_below(areas).scalar_subquery()
        grids = sa.func.array(below, type_=sa.ARRAY(sa.BigInteger))
        condition: sa.ColumnElement[bool] = column == sa.any_(grids)
        return condition

    return within


def _by_object(table: sa.Table, name: str) -> Callable[[tuple[int, ...]], sa.ColumnElement[bool]]:
    """Let a row be seen with the one of another table that it belongs to."""

    def within(areas: tuple[int, ...]) -> sa.ColumnElement[bool]:
        other = _OBJECTS[name]
        seen = sa.select(other.c[name]).where(_WITHIN[other](areas))
        return table.c[name].in_(seen)

    return within


def _within_duty(areas: tuple[int, ...]) -> sa.ColumnElement[bool]:
    duty = t.grid_duty.c
    return _by_officer(duty.officer_id)(areas) | duty.grid_id.in_(grids_below(areas))


def _within_house(areas: tuple[int, ...]) -> sa.ColumnElement[bool]:
    house = t.search_house.c
    grid_id: sa.ColumnElement[int] = sa.func.gis_grid_at(house.point, "base")
    return house.building_id.is_not(None) | grid_id.in_(grids_below(areas))


_OBJECTS: Final = {
    "household_id": t.household,
    "incident_id": t.incident,
    "cohort_id": t.cohort_grid,
}
_WITHIN: Final[Mapping[sa.Table, Callable[[tuple[int, ...]], sa.ColumnElement[bool]]]] = {
    **{
        table: _by_grid(table.c.base_grid_id)
        for table in (t.hazard, t.household, t.incident, t.premises)
    },
    **{table: _by_officer(table.c.officer_id) for table in (t.leave, t.officer)},
    **{table: _by_object(table, "incident_id") for table in (t.incident_photo, t.incident_step)},
    t.cohort_grid: _by_grid(t.cohort_grid.c.grid_id),
    t.coverage_household: _by_object(t.coverage_household, "household_id"),
    t.grid_duty: _within_duty,
    t.membership: _by_object(t.membership, "cohort_id"),
    t.search_house: _within_house,
    t.search_person: _by_officer(t.search_person.c.object_id),
}
"""By table: what lies in some areas. Whoever sees a table that is not here sees all of it."""


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
        One of ``permissions.SEE``.
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
