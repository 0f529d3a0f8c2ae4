"""Many rows at once: what went in by COPY comes out as it was."""

import numpy as np
import pytest
import shapely
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.store import Store
from gis_service.store import tables as t
from gis_service.store.bulk import copy_numbers, copy_rows, read_arrays


@pytest.fixture
def run_id(store: Store) -> int:
    """A coverage run to hang households on."""
    with store.transaction(SYSTEM) as connection:
        scheme_id = connection.scalar(
            sa.insert(t.grid_scheme)
            .values(code="s", name="s", name_en="s", code_layout=[], size_rule={})
            .returning(t.grid_scheme.c.scheme_id)
        )
        version_id = connection.scalar(
            sa.insert(t.grid_version)
            .values(scheme_id=scheme_id, effective_day="2026-01-01", published_by=1, title="s")
            .returning(t.grid_version.c.version_id)
        )
        found = connection.scalar(
            sa.insert(t.coverage_run)
            .values(
                standard="s",
                version_id=version_id,
                actor_id=1,
                kinds=[],
                parameters={},
                fingerprint="",
                software_version="",
            )
            .returning(t.coverage_run.c.run_id)
        )
    assert found is not None
    return int(found)


def test_numbers_go_in_binary_with_nulls_where_nothing_is_known(store: Store, run_id: int) -> None:
    rows = 50_003
    random = np.random.default_rng(1)
    minutes = random.uniform(0, 90, (rows, 3)).astype(np.float32)
    minutes[random.random((rows, 3)) < 0.3] = np.nan
    facility = np.ma.masked_less(random.integers(-2, 10**12, (rows, 3)), 0)
    status = random.integers(0, 4, (rows, 3))
    with store.transaction(SYSTEM) as connection:
        written = copy_numbers(
            connection,
            t.coverage_household,
            {
                "run_id": np.full(rows, run_id),
                "household_id": np.arange(rows),
                "status": status[:, 0],
                "minutes": minutes[:, 0],
                "kind_status": status,
                "kind_minutes": minutes,
                "kind_facility": facility,
            },
        )
        stored = connection.execute(
            sa.select(t.coverage_household).order_by(t.coverage_household.c.household_id)
        ).all()
    assert written == len(stored) == rows
    assert [row.status for row in stored] == status[:, 0].tolist()
    assert [row.kind_status for row in stored] == status.tolist()
    assert [row.kind_facility for row in stored] == facility.tolist()
    for row, expected in zip(stored[:2000], minutes[:2000], strict=True):
        known = [None if np.isnan(one) else pytest.approx(float(one)) for one in expected]
        assert row.kind_minutes == known
        assert row.minutes == known[0]


def test_a_query_comes_as_arrays_in_one_order(store: Store) -> None:
    with store.transaction(SYSTEM) as connection:
        network_id = connection.scalar(
            sa.insert(t.road_network)
            .values(name="n", source="s")
            .returning(t.road_network.c.network_id)
        )
        points = shapely.points([[112.9, 28.7], [113.0, 28.8]])
        lines = shapely.linestrings(
            [[[112.9, 28.7], [113.0, 28.8]], [[113.0, 28.8], [112.9, 28.7]]]
        )
        copy_rows(
            connection,
            t.road_node,
            {"network_id": [network_id] * 2, "node_id": [1, 2], "point": points},
        )
        copy_rows(
            connection,
            t.road_edge,
            {
                "network_id": [network_id] * 2,
                "edge_id": [7, 8],
                "source_node": [1, 2],
                "target_node": [2, 1],
                "road_class": ["primary", "track"],
                "maxspeed_kmh": [None, 30.0],
                "bridge": [True, False],
                "length_m": [10.5, 20.25],
                "geom": lines,
            },
        )
        edge = t.road_edge.c
        query = sa.select(
            edge.edge_id, edge.road_class, edge.maxspeed_kmh, edge.bridge, edge.length_m, edge.geom
        )
        arrays = read_arrays(connection, query)
        none = read_arrays(connection, query.where(edge.edge_id < 0))
        copy_rows(
            connection, t.building, {"key": ["a"], "base_grid_id": [None], "point": points[:1]}
        )
        with pytest.raises(ValueError, match="base_grid_id"):
            read_arrays(connection, sa.select(t.building.c.base_grid_id))
    order = np.argsort(arrays["edge_id"])
    assert arrays["edge_id"][order].tolist() == [7, 8]
    assert arrays["road_class"][order].tolist() == ["primary", "track"]
    assert np.isnan(arrays["maxspeed_kmh"][order][0])
    assert arrays["maxspeed_kmh"][order][1] == 30.0
    assert arrays["bridge"][order].tolist() == [True, False]
    assert arrays["length_m"][order].tolist() == [10.5, 20.25]
    assert shapely.equals_exact(arrays["geom"][order], lines).all()
    assert {len(array) for array in none.values()} == {0}
