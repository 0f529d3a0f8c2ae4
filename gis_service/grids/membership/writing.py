"""The history of assignments and today's copy, as they are written.

Only this module writes ``membership``, ``cohort``, ``cohort_grid`` and ``base_grid_id``.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

import numpy as np
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import DATERANGE

from gis_service.grids.locator.locator import NO_GRID
from gis_service.grids.membership.queries import (
    METHODS,
    Answers,
    IntArray,
    among,
    method_number,
)
from gis_service.store import tables as t
from gis_service.store.bulk import copy_numbers

_MANY: Final = 20_000
"""Rows from which on a transaction may use more memory to join them than a common query."""

_laid = sa.Table(
    "pg_temp_laid_out",
    sa.MetaData(),
    sa.Column("object_id", sa.BigInteger),
    sa.Column("grid_id", sa.BigInteger),
    sa.Column("cohort_id", sa.BigInteger),
    sa.Column("method", sa.SmallInteger, comment="its place among the methods"),
    sa.Column("nearest_grid_id", sa.BigInteger),
    sa.Column("distance_m", sa.Double),
    sa.Column("low", sa.Integer, comment="first day, by its number"),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)


def write_rows(
    connection: sa.Connection,
    scheme_id: int,
    kind: str,
    object_ids: IntArray,
    answer: Answers,
    since: IntArray | int,
    *,
    fresh: bool = False,
    copied_on: int | None = None,
) -> None:
    """Write a row for each object from its day on, in place of what its history said of then."""
    # copied_on: number of today, where fresh objects get their copy as well.
    if not len(object_ids):
        return
    a = t.membership.c
    columns = {
        "object_id": object_ids,
        "grid_id": np.ma.masked_equal(answer.grid_id, NO_GRID),
        "cohort_id": np.ma.masked_equal(
            _find_or_make_cohorts(connection, scheme_id, answer.grid_id), NO_GRID
        ),
        "method": answer.method,
        "nearest_grid_id": np.ma.masked_equal(answer.nearest_grid_id, NO_GRID),
        "distance_m": answer.distance_m,
        "low": np.broadcast_to(np.asarray(since, np.int64), len(object_ids)),
    }
    if len(object_ids) > _MANY:
        connection.execute(sa.select(sa.func.set_config("work_mem", "256MB", sa.true())))
    _laid.create(connection)
    copy_numbers(connection, _laid, columns)
    day = sa.literal(date.min, sa.Date) - 1 + _laid.c.low
    if not fresh:
        is_theirs = (
            (a.scheme_id == scheme_id)
            & (a.object_kind == kind)
            & (a.object_id == _laid.c.object_id)
        )
        ended = _end_rows(connection, is_theirs, day)
        if ended < len(object_ids):  # some had none, or none any more
            _reopen_rows(connection, is_theirs, day)
    method = sa.case(
        {place: sa.literal(name, sa.Text) for place, name in enumerate(METHODS)},
        value=_laid.c.method,
    )
    rows = sa.select(
        sa.literal(scheme_id, sa.BigInteger),
        sa.literal(kind, sa.Text),
        _laid.c.object_id,
        sa.cast(sa.func.daterange(day, sa.null()), DATERANGE),
        _laid.c.cohort_id,
        method,
        _laid.c.nearest_grid_id,
        _laid.c.distance_m,
    )
    names = ["scheme_id", "object_kind", "object_id", "valid"]
    names += ["cohort_id", "method", "nearest_grid_id", "distance_m"]
    connection.execute(sa.insert(t.membership).from_select(names, rows))
    if copied_on is not None:
        table = t.metadata.tables[kind]
        connection.execute(
            sa.update(table)
            .values(base_grid_id=_laid.c.grid_id)
            .where(
                table.c[f"{kind}_id"] == _laid.c.object_id,
                _laid.c.low <= copied_on,
                table.c.base_grid_id.is_distinct_from(_laid.c.grid_id),
            )
        )
    _laid.drop(connection)


def _end_rows(
    connection: sa.Connection, is_theirs: sa.ColumnElement[bool], day: sa.ColumnElement[Any]
) -> int:
    """Let rows of the history hold until a day only; tell how many are closed by that."""
    a = t.membership
    connection.execute(sa.delete(a).where(is_theirs, a.c.since >= day))
    until = sa.cast(sa.func.daterange(a.c.since, day), DATERANGE)
    holds = a.c.valid.op("@>", is_comparison=True)(day)
    return connection.execute(sa.update(a).values(valid=until).where(is_theirs, holds)).rowcount


def _reopen_rows(
    connection: sa.Connection, is_theirs: sa.ColumnElement[bool], day: sa.ColumnElement[Any]
) -> None:
    """Open the row again that ended just then and says the same, instead of writing another one."""
    a, cohort = t.membership, t.cohort_grid.c
    stays = sa.exists().where(
        cohort.cohort_id == a.c.cohort_id,
        cohort.grid_id == _laid.c.grid_id,
        cohort.valid.op("@>", is_comparison=True)(day),
        sa.func.upper_inf(cohort.valid),
    )
    reopened = connection.execute(
        sa.update(a)
        .values(valid=sa.cast(sa.func.daterange(a.c.since, sa.null()), DATERANGE))
        .where(
            is_theirs,
            sa.func.upper(a.c.valid) == day,
            method_number(a.c.method) == _laid.c.method,
            a.c.nearest_grid_id.is_not_distinct_from(_laid.c.nearest_grid_id),
            a.c.distance_m.is_not_distinct_from(_laid.c.distance_m),
            sa.or_(stays, a.c.cohort_id.is_(None)),
        )
        .returning(a.c.object_id)
    ).scalars()
    connection.execute(sa.delete(_laid).where(among(_laid.c.object_id, list(reopened))))


def _find_or_make_cohorts(connection: sa.Connection, scheme_id: int, grid_id: IntArray) -> IntArray:
    """Find for each object the cohort that belongs to its grid from ever to ever, or make one."""
    cohort = t.cohort_grid.c
    grids = np.unique(grid_id[grid_id != NO_GRID])
    ever = sa.cast(sa.func.daterange(sa.null(), sa.null()), DATERANGE)
    cohort_of = dict(
        connection.execute(
            sa.select(cohort.grid_id, sa.func.min(cohort.cohort_id))
            .where(
                cohort.scheme_id == scheme_id, among(cohort.grid_id, grids), cohort.valid == ever
            )
            .group_by(cohort.grid_id)
        ).all()
    )
    missing = [grid for grid in grids.tolist() if grid not in cohort_of]
    if missing:
        row = {"scheme_id": scheme_id}
        new_ids = connection.execute(
            sa.insert(t.cohort).returning(t.cohort.c.cohort_id), [row for _ in missing]
        ).scalars()
        cohort_of |= dict(zip(missing, new_ids, strict=True))
        connection.execute(
            sa.insert(t.cohort_grid).values(valid=ever),
            [row | {"grid_id": grid, "cohort_id": cohort_of[grid]} for grid in missing],
        )
    of_grid = np.array([cohort_of[grid] for grid in grids.tolist()] + [NO_GRID], dtype=np.int64)
    position = np.where(grid_id == NO_GRID, len(grids), np.searchsorted(grids, grid_id))
    return of_grid[position]


def move_cohorts(
    connection: sa.Connection, scheme_id: int, goals: Mapping[int, int], since: date
) -> None:
    """Bring cohorts of which all move together to their other grids, from a day on."""
    cohort = t.cohort_grid.c
    day = sa.literal(since, sa.Date)
    cohorts = sa.literal(list(goals), sa.ARRAY(sa.BigInteger))
    grids = sa.literal(list(goals.values()), sa.ARRAY(sa.BigInteger))
    until = sa.cast(sa.func.daterange(sa.func.lower(cohort.valid), day), DATERANGE)
    connection.execute(
        sa.update(t.cohort_grid)
        .values(valid=until)
        .where(cohort.cohort_id == sa.any_(cohorts), sa.func.upper_inf(cohort.valid))
    )
    connection.execute(
        sa.insert(t.cohort_grid).from_select(
            ["cohort_id", "scheme_id", "grid_id", "valid"],
            sa.select(
                sa.func.unnest(cohorts),
                sa.literal(scheme_id, sa.BigInteger),
                sa.func.unnest(grids),
                sa.cast(sa.func.daterange(day, sa.null()), DATERANGE),
            ),
        )
    )


def copy_to_rows(
    connection: sa.Connection,
    kind: str,
    emptied: Mapping[int, int],
    object_ids: Sequence[int],
    grid_ids: Sequence[int | None],
) -> None:
    """Bring today's copy on rows to another grid: of all in emptied grids, and of some objects."""
    table = t.metadata.tables[kind]
    for column, keys, goals in (
        (table.c.base_grid_id, list(emptied), list(emptied.values())),
        (table.c[f"{kind}_id"], object_ids, grid_ids),
    ):
        goal = (
            sa.func.unnest(
                sa.literal(keys, sa.ARRAY(sa.BigInteger)),
                sa.literal(goals, sa.ARRAY(sa.BigInteger)),
            )
            .table_valued("before", "after", name="goal")
            .render_derived()
        )
        if keys:
            connection.execute(
                sa.update(table)
                .values(base_grid_id=goal.c.after)
                .where(column == goal.c.before, table.c.base_grid_id.is_distinct_from(goal.c.after))
            )


def end_history(connection: sa.Connection, kind: str, object_ids: Sequence[int]) -> None:
    """Close the history of objects today."""
    a = t.membership.c
    is_theirs = (a.object_kind == kind) & among(a.object_id, object_ids)
    _end_rows(connection, is_theirs, sa.func.gis_today())


def copy_today(connection: sa.Connection, kind: str) -> int:
    """Bring the copy on all rows of a kind to what the history says of today; count the changed."""
    table, base = t.metadata.tables[kind], t.grid_scheme.c
    scheme_id = sa.select(base.scheme_id).where(base.is_base).scalar_subquery()
    result = connection.execute(
        sa.update(table)
        .values(base_grid_id=t.assignment.c.grid_id)
        .where(
            t.assignment.c.scheme_id == scheme_id,
            t.assignment.c.object_kind == kind,
            t.assignment.c.object_id == table.c[f"{kind}_id"],
            t.assignment.c.valid.op("@>")(sa.func.gis_today()),
            table.c.base_grid_id.is_distinct_from(t.assignment.c.grid_id),
        )
    )
    return result.rowcount


def mark_applied(connection: sa.Connection) -> int:
    """Mark the versions whose day has come as copied to the rows; count them."""
    version = t.grid_version.c
    result = connection.execute(
        sa.update(t.grid_version)
        .values(applied_at=sa.func.now())
        .where(version.applied_at.is_(None), version.effective_day <= sa.func.gis_today())
    )
    return result.rowcount


def analyze(connection: sa.Connection) -> None:
    """Let the planner know how many rows there are now."""
    connection.execute(sa.select(sa.func.gis_analyze()))
