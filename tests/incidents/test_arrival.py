"""Who gets there first: minutes of a coverage run, ways, fire-20, and what is near to whom."""

from collections.abc import Iterator

import numpy as np
import pytest
import shapely
import sqlalchemy as sa

from gis_service.access import SYSTEM, Actor
from gis_service.coverage.runs.runs import measure
from gis_service.grids.assignment import assign_new
from gis_service.incidents.arrival import find_arrivals
from gis_service.snapshot import Snapshot
from gis_service.store import Store
from gis_service.store import tables as t
from gis_service.store.bulk import copy_rows
from tests.support import SIDE, SOUTH, WEST, publish_nine

VISITOR = Actor(0, "访客", "Visitor", "visitor")
ANALYST = Actor(1, "分析员", "Analyst", "analyst")


def corner(column: float, row: float) -> tuple[float, float]:
    return WEST + column * SIDE, SOUTH + row * SIDE


def _points(places: list[tuple[float, float]]) -> np.ndarray:
    return np.array([shapely.Point(place) for place in places], dtype=object)


def _roads(connection: sa.Connection) -> None:
    """A 4 × 4 lattice of streets; the lowest row runs one way, to the east."""
    network = connection.scalar(
        sa.insert(t.road_network)
        .values(name="路网", source="test", active=True)
        .returning(t.road_network.c.network_id)
    )
    nodes = [(x, y) for y in range(4) for x in range(4)]
    number = {node: index for index, node in enumerate(nodes)}
    edges = [(one, (one[0] + 1, one[1])) for one in nodes if one[0] < 3]
    edges += [(one, (one[0], one[1] + 1)) for one in nodes if one[1] < 3]
    copy_rows(
        connection, t.road_node,
        {
            "network_id": [network] * 16,
            "node_id": list(range(16)),
            "point": _points([corner(*node) for node in nodes]),
        },
    )  # fmt: skip
    copy_rows(
        connection, t.road_edge,
        {
            "network_id": [network] * len(edges),
            "edge_id": list(range(len(edges))),
            "source_node": [number[a] for a, _ in edges],
            "target_node": [number[b] for _, b in edges],
            "road_class": ["residential"] * len(edges),
            "oneway": [1 if a[1] == b[1] == 0 else 0 for a, b in edges],
            "length_m": [976.0 if a[1] == b[1] else 1108.0 for a, b in edges],
            "geom": np.array(
                [shapely.LineString([corner(*a), corner(*b)]) for a, b in edges], dtype=object
            ),
        },
    )  # fmt: skip


@pytest.fixture(scope="module")
def county(store: Store) -> Store:
    """Streets, two stations, a police room, officers, households, hazards, water."""
    rng = np.random.default_rng(2)
    homes = [corner(*spot) for spot in rng.uniform(0.05, 2.95, (40, 2))]
    with store.transaction(SYSTEM) as connection:
        grids = publish_nine(connection).grid_ids
        _roads(connection)
        copy_rows(
            connection, t.facility,
            {
                "key": ["f1", "f2", "m1", "p1", "w1"],
                "kind": ["fire_station", "fire_station", "mini_fire_station", "police_room",
                         "water_source"],
                "name": ["一站", "二站", "微站", "警务室", "消火栓"],
                "turnout_minutes": [None, 0.5, None, None, None],
                "point": _points([corner(0, 0), corner(3, 3), corner(1, 2), corner(2, 1),
                                  corner(1.5, 1.5)]),
            },
        )  # fmt: skip
        copy_rows(
            connection, t.household,
            {
                "key": [f"h{i}" for i in range(40)],
                "street": ["东街"] * 40,
                "people": [2] * 40,
                "care_tags": [["disabled"] if i % 4 == 0 else ["low_income"] for i in range(40)],
                "point": _points(homes),
            },
        )  # fmt: skip
        day = connection.scalar(sa.select(sa.func.gis_today()))
        copy_rows(
            connection, t.hazard,
            {
                "key": ["z1", "z2"],
                "kind": ["gas"] * 2,
                "grade": ["major"] * 2,
                "status": ["found", "closed"],
                "found_on": [day] * 2,
                "due_on": [day] * 2,
                "closed_on": [None, day],
                "point": _points([corner(1.5, 1.5)] * 2),
            },
        )  # fmt: skip
        ids = list(
            connection.execute(
                sa.insert(t.officer).returning(
                    t.officer.c.officer_id, sort_by_parameter_order=True
                ),
                [
                    {
                        "key": key,
                        "name": key,
                        "phone": "13700000000",
                        "valid": "[2024-07-01,)",
                        "duty_post": f"SRID=4490;POINT({place[0]} {place[1]})",
                    }
                    for key, place in (("近", corner(1, 1)), ("远", corner(3, 0)))
                ],
            ).scalars()
        )
        connection.execute(
            sa.insert(t.grid_duty),
            [
                {"officer_id": who, "grid_id": grids[key], "role": "officer", "post": "A",
                 "valid": "[2024-07-01,)"}
                for who, key in zip(ids, ("g11", "g20"), strict=True)
            ],
        )  # fmt: skip
        assign_new(connection)
    return store


@pytest.fixture
def connection(county: Store) -> Iterator[sa.Connection]:
    with county.transaction(SYSTEM) as connection:
        yield connection


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return Snapshot()


def test_minutes_are_those_of_the_coverage_run(county: Store, snapshot: Snapshot) -> None:
    run_id = measure(county, SYSTEM, "fire-20")["run_id"]
    home, result = t.household.c, t.coverage_household.c
    with county.transaction(SYSTEM) as connection:
        rows = connection.execute(
            sa.select(
                result.kind_minutes[1], result.kind_facility[1],
                sa.func.ST_X(home.point), sa.func.ST_Y(home.point),
            )
            .join(t.household, home.household_id == result.household_id)
            .where(result.run_id == run_id)
        ).all()  # fmt: skip
        assert len(rows) == 40
        for minutes, facility_id, lon, lat in rows:
            found = find_arrivals(connection, SYSTEM, snapshot, lon, lat, first=1)
            (one,) = (one for one in found.arrivals if one.kind == "fire_station")
            assert one.minutes == pytest.approx(minutes, abs=0.01)
            assert one.id == facility_id
            assert found.fire_20.minutes == one.minutes
            assert found.fire_20.kept == (minutes <= 20)


def test_the_way_leads_from_the_station_to_the_place_and_keeps_one_way_streets(
    connection: sa.Connection, snapshot: Snapshot
) -> None:
    place = WEST + 0.5 * SIDE, SOUTH - 5e-5
    found = find_arrivals(connection, SYSTEM, snapshot, *place)
    by_name = {one.name: one for one in found.arrivals}
    near, far = by_name["一站"], by_name["远"]
    for one in (near, far):
        assert one.route is not None
        assert one.route.coordinates[0] == pytest.approx((one.lon, one.lat), abs=1e-6)
        assert one.route.coordinates[-1] == pytest.approx(place, abs=1e-6)
        parts = one.turnout_minutes + one.road_minutes + one.off_road_minutes
        assert parts == pytest.approx(one.minutes, abs=1e-3)
    assert near.distance_m == pytest.approx(488, abs=1)
    # From the east end of the one-way street: up, back west, down, and in with the traffic.
    assert far.distance_m == pytest.approx(2 * 1108 + 3 * 976 + 488, abs=1)
    assert far.off_road_m == pytest.approx(5.5, abs=0.2)


def test_the_quickest_come_first_and_no_kind_is_crowded_out(
    connection: sa.Connection, snapshot: Snapshot
) -> None:
    found = find_arrivals(connection, SYSTEM, snapshot, *corner(1.5, 1), first=1)
    assert [one.minutes for one in found.arrivals] == sorted(one.minutes for one in found.arrivals)
    kinds = [one.kind for one in found.arrivals]
    assert sorted(kinds) == ["fire_station", "mini_fire_station", "officer", "police_room"]
    assert found.kinds["officer"] == {"count": 2, "arrive": 2}


def test_an_officer_on_leave_does_not_come(connection: sa.Connection, snapshot: Snapshot) -> None:
    who = connection.scalar(sa.select(t.officer.c.officer_id).where(t.officer.c.key == "近"))
    day = connection.scalar(sa.select(sa.func.gis_today()))
    leave = sa.insert(t.leave).values(officer_id=who, valid=f"[{day},)")
    connection.execute(leave)
    found = find_arrivals(connection, SYSTEM, snapshot, *corner(1.5, 1))
    connection.execute(sa.delete(t.leave))
    assert [one.name for one in found.arrivals if one.kind == "officer"] == ["远"]


def test_what_is_near_depends_on_who_asks(connection: sa.Connection, snapshot: Snapshot) -> None:
    place = corner(1.5, 1.5)
    before = connection.scalar(sa.select(sa.func.count()).select_from(t.event)) or 0
    known = find_arrivals(connection, SYSTEM, snapshot, *place, radius_m=1000)
    assert [one.kind for one in known.near.hazards] == ["gas"]
    assert [one.name for one in known.near.water_sources] == ["消火栓"]
    assert known.near.households
    assert known.near.counts["households"] == len(known.near.households) < 12
    assert all(one.distance_m <= 1000 for one in known.near.households)
    assert connection.scalar(sa.select(sa.func.count()).select_from(t.event)) == before + 1
    analyst = find_arrivals(connection, ANALYST, snapshot, *place, radius_m=1000)
    assert analyst.near.households is None
    assert analyst.near.counts["households"] == known.near.counts["households"]
    visitor = find_arrivals(connection, VISITOR, snapshot, *place, radius_m=1000)
    assert visitor.near.households is None
    assert "households" not in visitor.near.counts
    assert visitor.near.hazards == []
    assert visitor.kinds["officer"]["count"] == 0


def test_a_network_distance_is_never_shorter_than_the_straight_one(
    connection: sa.Connection, snapshot: Snapshot
) -> None:
    place = corner(1.4, 1)
    straight = find_arrivals(connection, SYSTEM, snapshot, *place, radius_m=900)
    walked = find_arrivals(connection, SYSTEM, snapshot, *place, network_m=900)
    assert straight.near.households
    assert walked.near.households is not None
    far = {one.id: one.distance_m for one in straight.near.households}
    assert {one.id for one in walked.near.households} <= far.keys()
    assert all(one.distance_m >= far[one.id] for one in walked.near.households)
    (water,) = find_arrivals(
        connection, SYSTEM, snapshot, *place, network_m=1500
    ).near.water_sources
    # West along the street, half a street north, and off it into the middle of the block.
    assert water.distance_m == pytest.approx(0.4 * 976 + 554 + 488, abs=5)


def test_a_place_far_from_any_road_says_so(connection: sa.Connection, snapshot: Snapshot) -> None:
    found = find_arrivals(connection, SYSTEM, snapshot, WEST - 0.05, SOUTH)
    assert found.status == "off_network"
    assert found.arrivals == []
    assert not found.fire_20.kept
    assert found.fire_20.status == "off_network"


def test_a_county_without_roads_says_so(county: Store) -> None:
    with county.transaction(SYSTEM) as connection:
        connection.execute(sa.update(t.road_network).values(active=False))
        found = find_arrivals(connection, SYSTEM, Snapshot(), *corner(1, 1))
        connection.execute(sa.update(t.road_network).values(active=True))
    assert found.status == "no_roads"
    assert found.arrivals == []
    assert found.fire_20.status == "unreachable"
