"""The households of a grid: a ledger with names and phones masked, for those who may see it.

Reads only, always through :func:`gis_service.access.visible`; addresses are told by the one rule
of :mod:`gis_service.access.households`. What makes a household one to care for (health, age) is
never part of the list. Who was given which list is recorded.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from gis_service.access import Actor, record
from gis_service.access.households import find_home, mask_value
from gis_service.access.permissions import SEE
from gis_service.grids.answers import queries


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
    ids, total = queries.find_household_ids(connection, actor, grid_id, limit=limit, offset=offset)
    rows = queries.read_households(connection, ids)
    if SEE["household"].allows(actor):
        after = {"grid_id": grid_id, "offset": offset, "rows": len(rows), "total": total}
        record(connection, actor, "list", "household", after=after)
    return [
        HouseholdRow(
            row.household_id,
            home.address,
            mask_value("household", "head_name", row.head_name),
            mask_value("household", "phone", row.phone),
            row.people,
            row.base_grid_id,
            row.grid_name,
            home.lon,
            home.lat,
            home.exact,
        )
        for row in rows
        for home in (find_home(actor, row),)
    ], total
