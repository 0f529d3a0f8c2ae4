"""The households of a grid: a ledger with names and phones masked, for those who may see it.

Reads only, always through :func:`gis_service.access.visible`; addresses are told by the one rule
of :mod:`gis_service.access.households`. What makes a household one to care for (health, age) is
never part of the list.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from gis_service.access import Actor, visible
from gis_service.access.households import home_of, mask_name, mask_phone
from gis_service.access.visibility import grids_below
from gis_service.grids.reading import on_day
from gis_service.store import tables as t


@dataclass(frozen=True)
class HouseholdRow:
    """
    A household in a list; head and phone are masked.

    Attributes
    ----------
    exact
        False: the address ends with the street, and the place is right to about 100 m.
    """

    household_id: int
    address: str
    head_name: str
    phone: str
    people: int
    base_grid_id: int | None
    grid_name: str | None
    lon: float
    lat: float
    exact: bool


def _in_grid(household_id: sa.ColumnElement[int], grid_id: int) -> sa.ColumnElement[bool]:
    """Say that a household lies in a grid of any scheme: by its assignment, which has the index."""
    given = t.assignment.c
    assigned = sa.select(given.object_id).where(
        given.object_kind == "household",
        given.grid_id.in_(grids_below((grid_id,))),
        on_day(given.valid, None),
    )
    return household_id.in_(assigned)


def households(
    connection: sa.Connection,
    actor: Actor,
    *,
    grid_id: int | None = None,
    limit: int,
    offset: int = 0,
) -> tuple[list[HouseholdRow], int]:
    """
    List households by address.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    grid_id
        Only in this grid, of any level and scheme.
    limit, offset
        Which page.

    Returns
    -------
    rows, total
        The page, and how many the actor may see in all.
    """
    household, state = t.household.c, t.grid_state.c
    wanted = [visible(actor, t.household)]
    if grid_id is not None:
        wanted.append(_in_grid(household.household_id, grid_id))
    total = connection.scalar(sa.select(sa.func.count()).select_from(t.household).where(*wanted))
    page = (
        sa.select(t.household)
        .where(*wanted)
        .order_by(household.household_id)
        .limit(limit)
        .offset(offset)
        .subquery()
    )
    rows = connection.execute(
        sa.select(
            page,
            state.name.label("grid_name"),
            sa.func.ST_X(page.c.point).label("lon"),
            sa.func.ST_Y(page.c.point).label("lat"),
        )
        .outerjoin(t.grid_state, (state.grid_id == page.c.base_grid_id) & on_day(state.valid, None))
        .order_by(page.c.household_id)
    )
    return [
        HouseholdRow(
            row.household_id,
            home.address,
            mask_name(row.head_name),
            mask_phone(row.phone),
            row.people,
            row.base_grid_id,
            row.grid_name,
            home.lon,
            home.lat,
            home.exact,
        )
        for row in rows
        for home in (home_of(actor, row),)
    ], total or 0
