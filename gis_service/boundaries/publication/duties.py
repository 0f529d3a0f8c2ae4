"""Posts of grids that a version ends: closed with it, and held again when it is taken back."""

from collections.abc import Sequence
from datetime import date
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import DATERANGE, Range
from sqlalchemy.dialects.postgresql import insert as pg_insert

from gis_service import access
from gis_service.access import SYSTEM, Actor, visible
from gis_service.store import tables as t

ENDED: Final = "end_duties"
"""The event that says which posts a version closed."""


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
            connection, actor, ENDED, "grid_version", version_id, before={"duties": ended}
        )


def reopen_duties(
    connection: sa.Connection, version_id: int, grid_ids: Sequence[int], day: date
) -> int:
    """Give posts that a version closed back to those who held them."""
    event, officer = t.event.c, t.officer.c
    noted = connection.execute(
        sa.select(event.before).where(
            event.object_kind == "grid_version",
            event.object_id == str(version_id),
            event.action == ENDED,
        )
    ).scalars()
    ended = [
        ended_duty
        for before in noted
        for ended_duty in before["duties"]
        if ended_duty["grid_id"] in set(grid_ids)
    ]
    if not ended:
        return 0
    in_office = set(
        connection.execute(
            sa.select(officer.officer_id).where(
                visible(SYSTEM, t.officer),
                officer.officer_id.in_({ended_duty["officer_id"] for ended_duty in ended}),
                officer.valid.op("@>", is_comparison=True)(sa.literal(day, sa.Date)),
            )
        ).scalars()
    )
    rows = []
    for ended_duty in ended:
        begin = max(day, date.fromisoformat(ended_duty["from"]))
        end = None if ended_duty["until"] is None else date.fromisoformat(ended_duty["until"])
        if ended_duty["officer_id"] in in_office and (end is None or begin < end):
            names = ("officer_id", "grid_id", "role", "post")
            rows.append({name: ended_duty[name] for name in names} | {"valid": Range(begin, end)})
    if not rows:
        return 0
    written = connection.execute(
        pg_insert(t.grid_duty).on_conflict_do_nothing().returning(t.grid_duty.c.duty_id), rows
    )
    return len(written.all())
