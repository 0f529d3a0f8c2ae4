"""Which objects lie in some grids, asked the way the indexes go: grids, their cohorts, members.

The view ``assignment`` says the same row by row, but for its join PostgreSQL expects one row, and
then compares everything with everything.
"""

from datetime import date
from typing import Any, Final

import sqlalchemy as sa

from gis_service.store import tables as t

Day = sa.ColumnElement[date] | None

NO_INDEX: Final = (t.household, t.building)
"""Today's grid stands on their rows without an index, so that it is written in place (ADR 0011)."""


def select_objects_in(
    kind: str, grid_ids: sa.Select[tuple[int]] | sa.ColumnElement[Any], day: Day = None
) -> sa.Select[tuple[int]]:
    """
    Select the objects of a kind in some grids, of any scheme.

    Parameters
    ----------
    kind
        One of ``tables.OBJECT_KINDS``.
    grid_ids
        A query or an array; of whole trees too: only lowest grids hold anything.
    day
        On that day; None is today.

    Returns
    -------
    sqlalchemy select
        Their ids. Without an index or a key on today's copies (ADR 0011), and without going
        through a table.
    """
    member = t.membership.c
    return sa.select(member.object_id).where(
        member.cohort_id == sa.any_(_select_cohorts_in(grid_ids, day)),
        member.object_kind == kind,
        member.valid.op("@>")(_day_query(day)),
    )


def select_assigned(
    kind: str, scheme_id: int, day: Day = None
) -> sa.Select[tuple[int, int | None]]:
    """
    Select every object of a kind with its grid.

    Parameters
    ----------
    kind
        One of ``tables.OBJECT_KINDS``.
    scheme_id
        Whose grids.
    day
        On that day; None is today.

    Returns
    -------
    sqlalchemy select
        ``object_id``, ``grid_id``; no grid for what lies outside. PostgreSQL knows how many rows
        hold on a day, so that it joins them by hashing.
    """
    member, cohort = t.membership.c, t.cohort_grid.c
    if day is None:
        day = sa.func.gis_today()
    holds = (cohort.cohort_id == member.cohort_id) & cohort.valid.op("@>")(day)
    return (
        sa.select(member.object_id, cohort.grid_id)
        .select_from(t.membership.outerjoin(t.cohort_grid, holds))
        .where(
            member.object_kind == kind,
            member.scheme_id == scheme_id,
            member.valid.op("@>", is_comparison=True)(day),
        )
    )


def _select_cohorts_in(
    grid_ids: sa.Select[tuple[int]] | sa.ColumnElement[Any], day: Day
) -> sa.ColumnElement[Any]:
    """Select the cohorts as an array: a plan for "any of these" uses the index, however many."""
    cohort = t.cohort_grid.c
    within: sa.ColumnElement[bool]
    if isinstance(grid_ids, sa.Select):
        within = cohort.grid_id.in_(grid_ids)
    else:
        within = cohort.grid_id == sa.any_(grid_ids)
    cohorts = sa.select(cohort.cohort_id).where(within, cohort.valid.op("@>")(_day_query(day)))
    return sa.func.array(cohorts.scalar_subquery(), type_=sa.ARRAY(sa.BigInteger))


def _day_query(day: Day) -> sa.ColumnElement[date]:
    """Say the day by a subquery: worked out once, where the function would be for each row."""
    # It also keeps PostgreSQL from expecting ten grids' worth of rows, for which it would rather go
    # through the table.
    return sa.select(sa.func.gis_today() if day is None else day).scalar_subquery()
