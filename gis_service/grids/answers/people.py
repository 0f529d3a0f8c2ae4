"""The households of a grid: a ledger with names and phones masked, for those who may see it.

Reads only, always through :func:`gis_service.access.visible`; addresses are told by the one rule
of :mod:`gis_service.access.households`. What makes a household one to care for (health, age) is
never part of the list.
"""

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by

from gis_service.access import Actor, visible
from gis_service.access.households import home_of, masked
from gis_service.access.visibility import grids_below
from gis_service.grids.members import select_objects_in
from gis_service.grids.reading import on_day
from gis_service.store import tables as t

_SHOWN: Final = (
    "household_id", "street", "house_number", "group_number", "room", "head_name", "phone",
    "people", "base_grid_id",
)  # fmt: skip


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


def list_households(
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
    ids, total = _find_ids(connection, actor, grid_id, limit=limit, offset=offset)
    rows = connection.execute(_page_query(), {"ids": ids})
    return [
        HouseholdRow(
            row.household_id,
            home.address,
            masked("household", "head_name", row.head_name),
            masked("household", "phone", row.phone),
            row.people,
            row.base_grid_id,
            row.grid_name,
            home.lon,
            home.lat,
            home.exact,
        )
        for row in rows
        for home in (home_of(actor, row),)
    ], total


@cache
def _page_query() -> sa.Select[Any]:
    home, state = t.household.c, t.grid_state.c
    ids = sa.bindparam("ids", type_=sa.ARRAY(sa.BigInteger))
    return (
        sa.select(
            *(home[name] for name in _SHOWN),
            state.name.label("grid_name"),
            sa.func.ST_X(home.point).label("lon"),
            sa.func.ST_Y(home.point).label("lat"),
        )
        .outerjoin(t.grid_state, (state.grid_id == home.base_grid_id) & on_day(state.valid, None))
        .where(home.household_id == sa.any_(ids))
        .order_by(home.household_id)
    )


def _find_ids(
    connection: sa.Connection, actor: Actor, grid_id: int | None, *, limit: int, offset: int
) -> tuple[list[int], int]:
    """Find the households of a page, and how many there are, without reading the others' rows."""
    areas = actor.areas if grid_id is None else (grid_id,)
    if areas is None:
        condition, key = visible(actor, t.household), t.household.c.household_id
        total = connection.scalar(
            sa.select(sa.func.count()).select_from(t.household).where(condition)
        )
        page = sa.select(key).where(condition).order_by(key).limit(limit).offset(offset)
        return list(connection.scalars(page)), total or 0
    values = {"areas": list(areas), "first": offset + 1, "last": offset + limit}
    total, ids = connection.execute(_inside_query(actor), values).one()
    return ids or [], total or 0


@lru_cache(maxsize=64)
def _inside_query(actor: Actor) -> sa.Select[Any]:
    areas = sa.bindparam("areas", type_=sa.ARRAY(sa.BigInteger))
    first, last = (sa.bindparam(name, type_=sa.Integer) for name in ("first", "last"))
    inside = select_objects_in("household", grids_below(areas)).subquery()
    each = inside.c.object_id
    ordered = sa.func.array_agg(aggregate_order_by(each, each), type_=sa.ARRAY(sa.BigInteger))
    query = sa.select(ordered.label("ids"))
    condition = visible(actor, t.household)
    if not isinstance(
        condition, sa.True_
    ):  # a town's are 16,000, so they are looked at only if needed
        query = query.join(t.household, t.household.c.household_id == each).where(condition)
    ids = query.subquery().c.ids
    return sa.select(sa.func.cardinality(ids), ids[first:last])
