"""The drawn county in a store, for every module that measures it."""

from collections.abc import Iterator

import numpy as np
import pytest
import shapely
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.geodesy import length_m
from gis_service.store import Store
from gis_service.store import tables as t
from gis_service.store.bulk import copy_rows
from tests.coverage.drawn_county import (
    EAST,
    EDGES,
    HOUSEHOLDS,
    MIDDLE,
    NODES,
    TOWN,
    WEST,
    box,
    open_facility,
    point,
)
from tests.coverage.drawn_roads import at_m


@pytest.fixture(scope="module")
def boundaries(store: Store) -> int:
    """Publish one town of one middle grid of two base grids; the version's id."""
    with store.transaction(SYSTEM) as connection:
        scheme_id = connection.scalar(
            sa.insert(t.grid_scheme)
            .values(
                code="base",
                name="基础网格",
                name_en="Base grids",
                is_base=True,
                code_layout=[6, 3, 3, 3],
                size_rule={},
            )
            .returning(t.grid_scheme.c.scheme_id)
        )
        connection.execute(
            sa.insert(t.grid_level),
            [
                {"scheme_id": scheme_id, "rank": rank, "label": "级", "label_en": "level"}
                for rank in (1, 2, 3)
            ],
        )
        version_id = connection.scalar(
            sa.insert(t.grid_version)
            .values(
                scheme_id=scheme_id,
                effective_day=sa.func.gis_today(),
                published_by=SYSTEM.actor_id,
                title="第一版",
            )
            .returning(t.grid_version.c.version_id)
        )
        day = connection.scalar(sa.select(sa.func.gis_today()))
        shapes = {
            TOWN: (1, None, box(-100, 21000)),
            MIDDLE: (2, TOWN, box(-100, 21000)),
            WEST: (3, MIDDLE, box(-100, 10000)),
            EAST: (3, MIDDLE, box(10000, 21000)),
        }
        ids = list(shapes)
        ranks = [rank for rank, _, _ in shapes.values()]
        same = {"grid_id": ids, "scheme_id": [scheme_id] * 4}
        codes = [f"99010110200000{grid_id}" for grid_id in ids]
        copy_rows(connection, t.grid, {**same, "rank": ranks})
        copy_rows(connection, t.grid_code, {**same, "code": codes})
        copy_rows(
            connection,
            t.grid_state,
            {
                **same,
                "rank": ranks,
                "parent_grid_id": [parent for _, parent, _ in shapes.values()],
                "code": codes,
                "name": ["镇", "中", "西", "东"],
                "area_m2": [1.0] * 4,
                "valid": [(day, None)] * 4,
                "geom": np.array([shape for _, _, shape in shapes.values()], dtype=object),
                "label_point": np.array(
                    [shape.point_on_surface() for _, _, shape in shapes.values()], dtype=object
                ),
            },
        )
    assert version_id is not None
    return int(version_id)


def _assign(connection: sa.Connection) -> None:
    """Write the history that today's grids of the households are copied from."""
    scheme_id = connection.scalar(sa.select(t.grid_scheme.c.scheme_id))
    day = connection.scalar(sa.select(sa.func.gis_today()))
    for grid_id in (WEST, EAST):
        cohort_id = connection.scalar(
            sa.insert(t.cohort).values(scheme_id=scheme_id).returning(t.cohort.c.cohort_id)
        )
        of_cohort = {"scheme_id": [scheme_id], "cohort_id": [cohort_id]}
        copy_rows(
            connection, t.cohort_grid, {**of_cohort, "grid_id": [grid_id], "valid": [(day, None)]}
        )
        homes = [number for number, (_, own) in HOUSEHOLDS.items() if own == grid_id]
        copy_rows(
            connection,
            t.membership,
            {
                **{name: ids * len(homes) for name, ids in of_cohort.items()},
                "object_kind": ["household"] * len(homes),
                "object_id": homes,
                "valid": [(day, None)] * len(homes),
                "method": ["within"] * len(homes),
            },
        )


@pytest.fixture
def county(store: Store, boundaries: int) -> Iterator[Store]:
    """The county with roads, houses and one fire station."""
    with store.transaction(SYSTEM) as connection:
        network_id = connection.scalar(
            sa.insert(t.road_network)
            .values(name="路网", source="test", active=True)
            .returning(t.road_network.c.network_id)
        )
        copy_rows(
            connection,
            t.road_node,
            {
                "network_id": [network_id] * len(NODES),
                "node_id": list(NODES),
                "point": np.array([point(*position) for position in NODES.values()], dtype=object),
            },
        )
        lines = np.array(
            [shapely.LineString([at_m(*NODES[a]), at_m(*NODES[b])]) for a, b, _ in EDGES],
            dtype=object,
        )
        copy_rows(
            connection,
            t.road_edge,
            {
                "network_id": [network_id] * len(EDGES),
                "edge_id": list(range(len(EDGES))),
                "source_node": [a for a, _, _ in EDGES],
                "target_node": [b for _, b, _ in EDGES],
                "road_class": [road_class for _, _, road_class in EDGES],
                "length_m": length_m(lines),
                "geom": lines,
            },
        )
        copy_rows(
            connection,
            t.household,
            {
                "household_id": list(HOUSEHOLDS),
                "key": [str(number) for number in HOUSEHOLDS],
                "street": ["主街"] * len(HOUSEHOLDS),
                "house_number": [f"{number}号" for number in HOUSEHOLDS],
                "people": [3] * len(HOUSEHOLDS),
                "base_grid_id": [grid_id for _, grid_id in HOUSEHOLDS.values()],
                "point": np.array(
                    [point(*position) for position, _ in HOUSEHOLDS.values()], dtype=object
                ),
            },
        )
        _assign(connection)
        open_facility(connection, "fire_station", 0)
    yield store
    with store.transaction(SYSTEM) as connection:
        for table in (
            *(t.membership, t.coverage_run, t.road_network, t.household, t.facility),
            *(t.hazard, t.premises, t.building),
        ):
            connection.execute(sa.delete(table))
