"""The drawn county with officers, and a store in which incidents can be reported."""

from datetime import date

import pytest
import sqlalchemy as sa

from gis_service.access import SYSTEM, Actor
from gis_service.store import Store
from gis_service.store import tables as t
from tests.support import SIDE, SOUTH, WEST, publish_nine

DISPATCHER = Actor(1, "调度员", "Dispatcher", "dispatcher")
ANALYST = Actor(1, "分析员", "Analyst", "analyst")
FIRST = date(2024, 7, 1)


def middle(key: str) -> tuple[float, float]:
    """The centre of a base grid ``g<column><row>``."""
    return WEST + (int(key[1]) + 0.5) * SIDE, SOUTH + (int(key[2]) + 0.5) * SIDE


@pytest.fixture(scope="module")
def grid_ids(store: Store) -> dict[str, int]:
    """Nine grids; in g00 赵一 has post A and 钱二 post B, in g11 only 孙三 has one."""
    with store.transaction(SYSTEM) as connection:
        ids = publish_nine(connection).grid_ids
        named = connection.execute(
            sa.insert(t.officer).returning(t.officer.c.officer_id, sort_by_parameter_order=True),
            [
                {"key": name, "name": name, "phone": "13700000000", "valid": f"[{FIRST},)"}
                for name in ("赵一", "钱二", "孙三")
            ],
        ).scalars()
        one, two, three = named
        duties = ((one, "g00", "A"), (two, "g00", "B"), (three, "g11", "A"))
        connection.execute(
            sa.insert(t.grid_duty),
            [
                {
                    "officer_id": officer,
                    "grid_id": ids[key],
                    "role": "officer",
                    "post": post,
                    "valid": f"[{FIRST},)",
                }
                for officer, key, post in duties
            ],
        )
    return ids


@pytest.fixture(scope="module")
def officer_in(grid_ids: dict[str, int]) -> Actor:
    """The grid officer of g00."""
    return Actor(1, "网格员", "Grid officer", "grid_officer", (grid_ids["g00"],))
