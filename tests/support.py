"""A county small enough to draw: a 3 × 3 tessellation with one middle grid a row."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import numpy as np
import pandas as pd
import shapely
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.boundaries.linework.tessellation import Tessellation, from_polygons
from gis_service.boundaries.publication.grid_table import publish_table
from gis_service.boundaries.publication.publishing import Published
from gis_service.boundaries.publication.writing import SchemeLevel, ensure_scheme
from gis_service.store import Store
from gis_service.store import tables as t
from gis_service.store.bulk import copy_rows

SIDE = 0.01
WEST, SOUTH = 112.9, 28.7
FIRST_DAY = date(2024, 7, 1)
LEVELS = (
    SchemeLevel(1, "大网格", "Top grid", "town"),
    SchemeLevel(2, "中网格", "Middle grid", "village"),
    SchemeLevel(3, "基础网格", "Base grid"),
)


@contextmanager
def thrown_away(store: Store) -> Iterator[sa.Connection]:
    """A transaction of the system's that leaves nothing behind."""
    with store.transaction(SYSTEM) as connection:
        yield connection
        connection.rollback()


def cell(column: int, row: int) -> shapely.Polygon:
    """One square of the 3 × 3, row 0 in the south."""
    x, y = WEST + column * SIDE, SOUTH + row * SIDE
    return shapely.box(x, y, x + SIDE, y + SIDE)


def nine() -> tuple[Tessellation, pd.DataFrame]:
    """The nine base grids ``g00`` … ``g22`` (column, row), three middle ones, one town."""
    keys = [f"g{column}{row}" for row in range(3) for column in range(3)]
    cells = [cell(column, row) for row in range(3) for column in range(3)]
    tessellation, _ = from_polygons(keys, cells)
    drafts = [
        {"key": "town", "rank": 1, "name": "东镇", "code": "990101101"},
        *({"key": f"m{row}", "rank": 2, "name": f"村{row}", "parent": "town"} for row in range(3)),
        *({"key": key, "rank": 3, "name": f"格{key}", "parent": f"m{key[2]}"} for key in keys),
    ]
    table = pd.DataFrame(drafts)
    table["urban_rural_class"] = "220"
    return tessellation, table


def make_scheme(connection: sa.Connection) -> int:
    """The base scheme with three levels."""
    return ensure_scheme(
        connection,
        "base",
        "基础网格",
        "Base grids",
        LEVELS,
        code_layout=[9, 3, 3],
        size_rule={"urban": [200, 300], "rural": [80, 300]},
    )


def publish_nine(connection: sa.Connection) -> Published:
    """The first version of the drawn county, in force since 2024-07-01."""
    make_scheme(connection)
    tessellation, drafts = nine()
    return publish_table(connection, SYSTEM, "base", tessellation, drafts, FIRST_DAY, "第一版")


def add_buildings(connection: sa.Connection, points: list[tuple[float, float]]) -> None:
    """A building at each point, keys ``b0``, ``b1`` …."""
    copy_rows(
        connection,
        t.building,
        {
            "key": [f"b{index}" for index in range(len(points))],
            "point": np.array([shapely.Point(point) for point in points], dtype=object),
        },
    )


def add_households(
    connection: sa.Connection,
    points: list[tuple[float, float]],
    building_keys: list[str | None] | None = None,
) -> None:
    """A household of three at each point, keys ``h0``, ``h1`` …."""
    ids = dict(connection.execute(sa.select(t.building.c.key, t.building.c.building_id)).all())
    keys = building_keys or [None] * len(points)
    copy_rows(
        connection,
        t.household,
        {
            "key": [f"h{index}" for index in range(len(points))],
            "people": [3] * len(points),
            "building_id": [None if key is None else ids[key] for key in keys],
            "point": np.array([shapely.Point(point) for point in points], dtype=object),
        },
    )
