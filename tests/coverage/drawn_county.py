"""A county drawn for runs in the store.

A main road of 20 km from west to east, the fire station at its western end, an island with a road
of its own, and a house in the hills.
"""

import numpy as np
import shapely
import sqlalchemy as sa

from gis_service.access import Actor
from gis_service.coverage.standards.book import read_standards
from gis_service.store import tables as t
from gis_service.store.bulk import copy_rows
from tests.coverage.drawn_roads import at_m

BOOK = read_standards()
TOWN, MIDDLE, WEST, EAST = 1, 2, 3, 4
EAST_OFFICER = Actor(2, "东片网格员", "Officer of the east", "grid_officer", (EAST,))
VISITOR = Actor(3, "访客", "Visitor", "visitor")

# Household id: where it stands (metres), its base grid.
HOUSEHOLDS: dict[int, tuple[tuple[float, float], int | None]] = {
    1: ((4000, 20), WEST),
    2: ((9000, 20), WEST),
    3: ((12000, 20), EAST),
    4: ((19500, 20), EAST),
    5: ((5000, 8050), WEST),  # on the island
    6: ((15000, -3000), EAST),  # in the hills
    7: ((3000, 20), None),  # outside every grid
}
NODES = {n: (5000.0 * (n - 1), 0.0) for n in range(1, 6)} | {
    6: (4000.0, 8000.0),
    7: (6000.0, 8000.0),
}
EDGES = [(n, n + 1, "primary") for n in range(1, 5)] + [(6, 7, "residential")]


def point(x_m: float, y_m: float) -> shapely.Point:
    return shapely.Point(at_m(x_m, y_m))


def box(west: float, east: float) -> shapely.MultiPolygon:
    return shapely.MultiPolygon([shapely.box(*at_m(west, -9000), *at_m(east, 9000))])


def open_facility(connection: sa.Connection, kind: str, x_m: float) -> None:
    copy_rows(
        connection,
        t.facility,
        {
            "key": [f"{kind}-{x_m}"],
            "kind": [kind],
            "name": [kind],
            "point": np.array([point(x_m, 0)], dtype=object),
        },
    )
