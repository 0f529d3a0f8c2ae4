"""What a publication writes: schemes, grids, codes, dated rows, versions, duties that follow.

Posts of grids that a version ends are closed with it, and held again when it is taken back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import DATERANGE, Range
from sqlalchemy.dialects.postgresql import insert as pg_insert

from gis_service import access
from gis_service.access import Actor
from gis_service.boundaries.publication.queries import (
    DUTIES_ENDED,
    find_in_office,
    read_closed_duties,
)
from gis_service.grids import assignment
from gis_service.grids.versions import Version, is_due, today
from gis_service.store import tables as t
from gis_service.store.bulk import Column, copy_rows


@dataclass(frozen=True)
class SchemeLevel:
    """A tier of a scheme."""

    rank: int
    label: str
    label_en: str
    admin_level: str | None = None
    tessellates: bool = True


def ensure_scheme(
    connection: sa.Connection,
    code: str,
    name: str,
    name_en: str,
    levels: Sequence[SchemeLevel],
    *,
    code_layout: Sequence[int],
    size_rule: Mapping[str, Sequence[int]],
) -> int:
    """
    Make a scheme with its levels, or find it.

    Parameters
    ----------
    connection
        An open transaction.
    code
        ``base`` is the scheme whose grid stands on every row.
    name, name_en
        What people call it.
    levels
        Its tiers, rank 1 on top.
    code_layout
        Digits of each part of a code.
    size_rule
        Households of a lowest grid by ``urban`` and ``rural``: [least, most].

    Returns
    -------
    int
        The scheme's id.
    """
    known_id = connection.execute(
        sa.select(t.grid_scheme.c.scheme_id).where(t.grid_scheme.c.code == code)
    ).scalar_one_or_none()
    if known_id is not None:
        return int(known_id)
    scheme_id = connection.execute(
        sa.insert(t.grid_scheme)
        .values(
            code=code,
            name=name,
            name_en=name_en,
            is_base=code == "base",
            code_layout=list(code_layout),
            size_rule={key: list(value) for key, value in size_rule.items()},
        )
        .returning(t.grid_scheme.c.scheme_id)
    ).scalar_one()
    connection.execute(
        sa.insert(t.grid_level),
        [
            {
                "scheme_id": scheme_id,
                "rank": level.rank,
                "label": level.label,
                "label_en": level.label_en,
                "admin_level": level.admin_level,
                "tessellates": level.tessellates,
            }
            for level in levels
        ],
    )
    return int(scheme_id)


def insert_grids(
    connection: sa.Connection, scheme_id: int, grids: Sequence[tuple[int, str]]
) -> list[int]:
    """Make the identities of new grids, given by rank and kind."""
    if not grids:
        return []
    rows = connection.execute(
        sa.insert(t.grid).returning(t.grid.c.grid_id, sort_by_parameter_order=True),
        [{"scheme_id": scheme_id, "rank": rank, "kind": kind} for rank, kind in grids],
    )
    return list(rows.scalars())


def insert_codes(connection: sa.Connection, scheme_id: int, grid_of: Mapping[str, int]) -> None:
    """Write down which grid a code belongs to, for ever."""
    if grid_of:
        connection.execute(
            sa.insert(t.grid_code),
            [
                {"scheme_id": scheme_id, "code": code, "grid_id": grid_id}
                for code, grid_id in grid_of.items()
            ],
        )


def replace_rows(
    connection: sa.Connection,
    table: sa.Table,
    ended: Sequence[int],
    day: date,
    columns: Mapping[str, Column],
) -> None:
    """End dated rows on a day, the first one on which they do not hold, and begin others."""
    (key,) = table.primary_key
    if ended:
        until = sa.func.daterange(sa.func.lower(table.c.valid), sa.literal(day, sa.Date))
        connection.execute(
            sa.update(table).values(valid=sa.cast(until, DATERANGE)).where(key.in_(ended))
        )
    count = len(next(iter(columns.values())))
    copy_rows(connection, table, {**columns, "valid": [(day, None)] * count})


def insert_version(
    connection: sa.Connection, actor: Actor, scheme: Any, day: date, title: str, reason: str
) -> Version:
    """Write the row of the new version; older ones whose day has come are taken over before."""
    if is_due(connection):
        assignment.apply_due(connection)
    version_id = connection.execute(
        sa.insert(t.grid_version)
        .values(
            scheme_id=scheme.scheme_id,
            effective_day=day,
            published_by=actor.actor_id,
            title=title,
            reason=reason,
            applied_at=sa.func.now() if day <= today(connection) else None,
        )
        .returning(t.grid_version.c.version_id)
    ).scalar_one()
    return Version(version_id, scheme.scheme_id, scheme.code, day, title)


def write_counts(connection: sa.Connection, version_id: int, counts: Mapping[str, Any]) -> None:
    """Write down what a version changed."""
    version = t.grid_version.c
    connection.execute(
        sa.update(t.grid_version).values(counts=counts).where(version.version_id == version_id)
    )


def insert_successors(
    connection: sa.Connection, version_id: int, pairs: Sequence[tuple[int, int]]
) -> None:
    """Write down which grid took land over from which."""
    rows = [
        {"old_grid_id": old, "new_grid_id": new, "version_id": version_id} for old, new in pairs
    ]
    if rows:
        connection.execute(pg_insert(t.grid_successor).on_conflict_do_nothing(), rows)


def end_duties(
    connection: sa.Connection, actor: Actor, version_id: int, grid_ids: Sequence[int], day: date
) -> None:
    """Close the posts of grids that end; a post that would have begun later falls away."""
    if not grid_ids:
        return
    duty = t.grid_duty
    is_ended = sa.and_(
        duty.c.grid_id.in_(grid_ids),
        sa.or_(sa.func.upper_inf(duty.c.valid), sa.func.upper(duty.c.valid) > day),
    )
    low, high = sa.func.lower(duty.c.valid), sa.func.upper(duty.c.valid)
    rows = connection.execute(
        sa.select(duty, low.label("low"), high.label("high"))
        .where(is_ended)
        .order_by(duty.c.duty_id)
    ).all()
    connection.execute(sa.delete(duty).where(is_ended, low >= day))
    until = sa.cast(sa.func.daterange(low, day), DATERANGE)
    connection.execute(sa.update(duty).values(valid=until).where(is_ended))
    ended = [
        {
            "officer_id": row.officer_id,
            "grid_id": row.grid_id,
            "role": row.role,
            "post": row.post,
            "from": row.low.isoformat(),
            "until": None if row.high is None else row.high.isoformat(),
        }
        for row in rows
    ]
    if ended:
        access.record(
            connection, actor, DUTIES_ENDED, "grid_version", version_id, before={"duties": ended}
        )


def reopen_duties(
    connection: sa.Connection, version_id: int, grid_ids: Sequence[int], day: date
) -> int:
    """Give posts that a version closed back to those who held them."""
    grids = set(grid_ids)
    ended = [
        duty for duty in read_closed_duties(connection, version_id) if duty["grid_id"] in grids
    ]
    if not ended:
        return 0
    in_office = find_in_office(connection, {duty["officer_id"] for duty in ended}, day)
    rows = []
    for duty in ended:
        begin = max(day, date.fromisoformat(duty["from"]))
        end = None if duty["until"] is None else date.fromisoformat(duty["until"])
        if duty["officer_id"] in in_office and (end is None or begin < end):
            names = ("officer_id", "grid_id", "role", "post")
            rows.append({name: duty[name] for name in names} | {"valid": Range(begin, end)})
    if not rows:
        return 0
    written = connection.execute(
        pg_insert(t.grid_duty).on_conflict_do_nothing().returning(t.grid_duty.c.duty_id), rows
    )
    return len(written.all())
