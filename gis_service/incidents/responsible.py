"""The officer who answers for a place: A, B while A is away, else the next head above."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.grids.answers.on_post import find_first_at_work
from gis_service.grids.reading import read_chain, read_officers_of
from gis_service.store.engine import in_whole_county


@dataclass(frozen=True)
class Responsible:
    """The officer who answers for a place on a day: A, B while A is away, else the next head."""

    officer_id: int
    post: str


@in_whole_county
def find_responsible(
    connection: sa.Connection, grid_id: int | None, day: date, post: str | None = None
) -> Responsible | None:
    """Find the officer who answers for a base grid on a day."""
    if grid_id is None:
        return None
    if post is not None:
        for officer in read_officers_of(connection, SYSTEM, grid_id, day):
            if (officer.role, officer.post) == ("officer", post):
                return Responsible(officer.officer_id, officer.post)
        return None
    upward = [grid.grid_id for grid in reversed(read_chain(connection, grid_id, day))]
    call = find_first_at_work(read_officers_of(connection, SYSTEM, above, day) for above in upward)
    return None if call is None else Responsible(call[2].officer_id, call[2].post)


def officer_columns(responsible: Responsible | None) -> dict[str, Any]:
    """Give who answers as an incident and a step keep it."""
    return {
        "officer_id": None if responsible is None else responsible.officer_id,
        "officer_post": None if responsible is None else responsible.post,
    }
