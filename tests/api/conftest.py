"""The drawn county with people and trouble in it, and a client that asks from this machine."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
import shapely
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.access.actor import mark_made_up
from gis_service.api import create_app
from gis_service.grids.assignment import assign_new
from gis_service.search.entries import refresh
from gis_service.store import Store
from gis_service.store import tables as t
from gis_service.store.bulk import copy_rows
from tests.api.described import Described
from tests.support import SIDE, SOUTH, WEST, publish_nine

with warnings.catch_warnings():
    # Starlette would rather have httpx2, which the locked requirements do not bring yet.
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.simplefilter("ignore", UserWarning)
    from fastapi.testclient import TestClient

__all__ = ["HOUSEHOLDS_PER_GRID", "SmallCounty", "TestClient", "middle", "small_county"]

HOUSEHOLDS_PER_GRID = {"g00": 1, "g10": 7, "g20": 60, "g01": 90, "g11": 310, "g21": 500}
"""Base grid to number of households; the other three have none, one more lies outside."""


@dataclass(frozen=True)
class SmallCounty:
    """Identities of the drawn county."""

    grid_ids: dict[str, int]
    actors: dict[str, int]


def middle(key: str) -> tuple[float, float]:
    """The centre of a base grid ``g<column><row>``."""
    return WEST + (int(key[1]) + 0.5) * SIDE, SOUTH + (int(key[2]) + 0.5) * SIDE


def _points(places: list[tuple[float, float]]) -> np.ndarray:
    return np.array([shapely.Point(place) for place in places], dtype=object)


def _people(connection: sa.Connection) -> None:
    places = [middle(key) for key, number in HOUSEHOLDS_PER_GRID.items() for _ in range(number)]
    places.append((WEST - SIDE, SOUTH))
    n = len(places)
    copy_rows(
        connection,
        t.household,
        {
            "key": [f"h{i}" for i in range(n)],
            "street": ["东街"] * n,
            "house_number": [f"{i}号" for i in range(n)],
            "head_name": ["王小明"] * n,
            "phone": ["13812345678"] * n,
            "people": [3] * n,
            "care_tags": [["lives_alone"] if i % 10 == 0 else [] for i in range(n)],
            "point": _points(places),
        },
    )


def _trouble(connection: sa.Connection) -> None:
    today = connection.scalar(sa.select(sa.func.gis_today()))
    assert isinstance(today, date)
    keys = ["g00", "g11", "g11", "g22"]
    week = timedelta(days=7)
    copy_rows(
        connection,
        t.hazard,
        {
            "key": [f"z{i}" for i in range(4)],
            "kind": ["fire_exit_blocked"] * 4,
            "grade": ["major", "ordinary", "ordinary", "ordinary"],
            "status": ["found", "found", "closed", "rectified"],
            "found_on": [today - 3 * week] * 4,
            "due_on": [today - week, today + week, today - week, today - week],
            "rectified_on": [None, None, today - 2 * week, today - 2 * week],
            "closed_on": [None, None, today - week, None],
            "point": _points([middle(key) for key in keys]),
        },
    )
    now = datetime.now(UTC)
    copy_rows(
        connection,
        t.incident,
        {
            "key": [f"i{i}" for i in range(4)],
            "kind": ["dispute"] * 4,
            "status": ["reported", "closed", "dispatched", "reported"],
            "text": ["楼道堆物"] * 4,
            "reported_at": [now - timedelta(days=days) for days in (1, 2, 100, 500)],
            "closed_at": [None, now - timedelta(days=1), None, None],
            "reporter_name": ["张三"] * 4,
            "reporter_phone": ["13987654321"] * 4,
            "point": _points([middle(key) for key in keys]),
        },
    )


def _officers(connection: sa.Connection, grid_ids: dict[str, int]) -> None:
    first = date(2024, 7, 1)
    changed = date(2025, 7, 1)
    ids = connection.execute(
        sa.insert(t.officer).returning(t.officer.c.officer_id, sort_by_parameter_order=True),
        [
            {"key": key, "name": name, "phone": "13700000000", "valid": f"[{first},)"}
            for key, name in (("o1", "赵一"), ("o2", "钱二"), ("o3", "孙三"))
        ],
    ).scalars()
    one, two, three = ids
    duties = [
        (one, "g00", "A", f"[{first},{changed})"),
        (two, "g00", "A", f"[{changed},)"),
        (one, "g00", "B", f"[{changed},)"),
        (three, "g11", "A", f"[{first},)"),
    ]
    connection.execute(
        sa.insert(t.grid_duty),
        [
            {
                "officer_id": officer,
                "grid_id": grid_ids[key],
                "role": "officer",
                "post": post,
                "valid": valid,
            }
            for officer, key, post, valid in duties
        ],
    )
    connection.execute(
        sa.insert(t.leave), [{"officer_id": two, "valid": "[2025-08-01,2025-09-01)"}]
    )


def _places(connection: sa.Connection) -> None:
    kinds = ["clinic", "fire_station"]
    copy_rows(
        connection,
        t.facility,
        {
            "key": kinds,
            "kind": kinds,
            "name": ["东街卫生室", "县消防站"],
            "point": _points([middle("g00"), middle("g22")]),
        },
    )
    copy_rows(
        connection,
        t.land_cover,
        {
            "key": ["river"],
            "kind": ["water"],
            "name": ["清江"],
            "geom": np.array([shapely.box(WEST, SOUTH, WEST + SIDE, SOUTH + SIDE / 9)], object),
        },
    )
    lon, lat = middle("g00")
    corner = shapely.box(lon, lat, lon + 2e-4, lat + 2e-4)
    copy_rows(
        connection,
        t.building,
        {
            "key": ["house"],
            "point": _points([middle("g00")]),
            "footprint": np.array([corner], dtype=object),
        },
    )


def _roads(connection: sa.Connection) -> None:
    network = connection.scalar(
        sa.insert(t.road_network)
        .values(name="路网", source="test", active=True, data_day=date(2026, 1, 1))
        .returning(t.road_network.c.network_id)
    )
    ends = [middle("g00"), middle("g10"), middle("g20")]
    copy_rows(
        connection,
        t.road_node,
        {"network_id": [network] * 3, "node_id": [1, 2, 3], "point": _points(ends)},
    )
    copy_rows(
        connection,
        t.road_edge,
        {
            "network_id": [network] * 2,
            "edge_id": [1, 2],
            "source_node": [1, 2],
            "target_node": [2, 3],
            "road_class": ["primary", "residential"],
            "length_m": [976.0, 976.0],
            "geom": np.array(
                [shapely.LineString(ends[:2]), shapely.LineString(ends[1:])], dtype=object
            ),
        },
    )


def _actors(connection: sa.Connection, grid_ids: dict[str, int]) -> dict[str, int]:
    mark_made_up(connection)
    rows = [
        ("county_office", None),
        ("grid_officer", [grid_ids["g00"]]),
        ("analyst", None),
        ("visitor", None),
        ("auditor", None),
    ]
    ids = connection.execute(
        sa.insert(t.actor).returning(t.actor.c.actor_id, sort_by_parameter_order=True),
        [
            {"name": role, "name_en": role, "role": role, "is_demo": True, "areas": areas}
            for role, areas in rows
        ],
    ).scalars()
    return dict(zip([role for role, _ in rows], ids, strict=True))


@pytest.fixture(scope="module")
def small_county(store: Store) -> SmallCounty:
    """Nine grids with people, trouble, officers, roads and places; who may ask."""
    with store.transaction(SYSTEM) as connection:
        grid_ids = publish_nine(connection).grid_ids
        _places(connection)
        _people(connection)
        _trouble(connection)
        assign_new(connection)
        _officers(connection, grid_ids)
        _roads(connection)
        county = SmallCounty(grid_ids, _actors(connection, grid_ids))
    refresh(store)
    return county


@pytest.fixture(scope="module")
def client(store: Store, small_county: SmallCounty) -> Iterator[TestClient]:
    """A client on this machine; it is the county office unless it says otherwise."""
    app = create_app(store, loopback_only=True)
    with TestClient(
        app, "http://127.0.0.1:8000", raise_server_exceptions=False, client=("127.0.0.1", 50000)
    ) as client:
        client.event_hooks = {"response": [Described(app)]}
        yield client


@pytest.fixture
def as_actor(small_county: SmallCounty) -> Callable[[str], dict[str, str]]:
    """Headers with which a request runs as the demo actor of a role."""
    return lambda role: {"X-Gis-Actor": str(small_county.actors[role])}
