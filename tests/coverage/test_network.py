"""What a profile may use, and where a place meets the road."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis_service import geodesy
from gis_service.coverage.network.graph import (
    FloatArray,
    ProfileNetwork,
    RoadNetwork,
    Snapped,
    Snapper,
    apply_profile,
)
from gis_service.coverage.standards.book import read_standards
from gis_service.errors import InputError
from tests.coverage.drawn_roads import EDGE_DEFAULTS, at_m, drawn

BOOK = read_standards()
CORNERS = {1: (0.0, 0.0), 2: (1000.0, 0.0), 3: (1000.0, 1000.0), 4: (0.0, 1000.0)}


def profiled(
    network: RoadNetwork, profile: str = "fire_engine", scenario: str = "normal"
) -> ProfileNetwork:
    return apply_profile(network, BOOK.profiles[profile], BOOK.scenarios[scenario], BOOK.place)


def places(*at: tuple[float, float]) -> tuple[FloatArray, FloatArray]:
    lonlat = np.array([at_m(*position) for position in at])
    return lonlat[:, 0], lonlat[:, 1]


def road(source: int, target: int, **how: Any) -> dict[str, Any]:
    return {"source_node": source, "target_node": target, **how}


def edges_of(snapped: Snapped) -> list[int]:
    return [int(edge) for edge in snapped.edge]


def test_nodes_and_edges_are_ordered_by_id_whatever_the_order_of_the_rows() -> None:
    network = RoadNetwork.from_frames(
        pd.DataFrame({"node_id": [70, 5], "lon": [113.0, 112.9], "lat": [28.7, 28.7]}),
        pd.DataFrame(
            [
                {
                    "edge_id": number,
                    "source_node": 70,
                    "target_node": 5,
                    "geometry": shapely.LineString([(113.0, 28.7), (112.9, 28.7)]),
                    **EDGE_DEFAULTS,
                }
                for number in (9, 4)
            ]
        ),
    )
    assert network.node_id.tolist() == [5, 70]
    assert network.edge_id.tolist() == [4, 9]
    assert network.source.tolist() == [1, 1]
    expected_m = float(geodesy.distance_m(113.0, 28.7, 112.9, 28.7))
    assert network.length_m == pytest.approx([expected_m, expected_m])


def test_an_edge_without_its_node_is_refused_and_named() -> None:
    nodes = pd.DataFrame({"node_id": [1], "lon": [112.9], "lat": [28.7]})
    edge = {"edge_id": 1, "source_node": 1, "target_node": 8, **EDGE_DEFAULTS}
    edge["geometry"] = shapely.LineString([(112.9, 28.7), (112.91, 28.7)])
    with pytest.raises(InputError, match="node 8") as refused:
        RoadNetwork.from_frames(nodes, pd.DataFrame([edge]))
    assert refused.value.place.field == "target_node"


def test_one_way_binds_an_engine_and_not_a_walker() -> None:
    network = drawn(CORNERS, [road(1, 2, oneway=1), road(2, 3, oneway=-1)])
    engine, walker = profiled(network), profiled(network, "walk")
    assert np.isinf(engine.minutes_against).tolist() == [True, False]
    assert np.isinf(engine.minutes_along).tolist() == [False, True]
    assert np.isfinite(walker.minutes_along).all()
    assert np.isfinite(walker.minutes_against).all()


def test_emergency_privilege_never_goes_against_a_motorway_or_dual_carriageway() -> None:
    network = drawn(
        CORNERS,
        [
            road(1, 2, oneway=1),
            road(1, 2, oneway=1, road_class="motorway"),
            road(1, 2, oneway=1, dual_carriageway=True),
        ],
    )
    engine = profiled(network, scenario="emergency_privilege")
    assert np.isinf(engine.minutes_against).tolist() == [False, True, True]


def test_who_is_not_let_onto_a_road_does_not_use_it() -> None:
    network = drawn(CORNERS, [road(1, 2, motor=False), road(2, 3, foot=False)])
    assert np.isinf(profiled(network).minutes_along).tolist() == [True, False]
    assert np.isinf(profiled(network, "walk").minutes_along).tolist() == [False, True]


def test_minutes_are_length_by_speed() -> None:
    network = drawn(CORNERS, [road(1, 2, length_m=1000.0, road_class="primary")])
    assert profiled(network).minutes_along == pytest.approx([1.2])
    assert profiled(network, "walk").minutes_along == pytest.approx([15.0])


@pytest.mark.parametrize(
    "closed", [{"road_class": "motorway"}, {"tunnel": True}, {"bridge": True}, {"motor": False}]
)
def test_no_door_opens_on_a_motorway_a_tunnel_or_a_bridge(closed: dict[str, object]) -> None:
    network = drawn(CORNERS, [road(1, 2, **closed), road(4, 3)])
    assert edges_of(Snapper(profiled(network)).snap(*places((500, 400)), 2000)) == [1]


def test_no_door_opens_on_a_ferry() -> None:
    network = drawn(CORNERS, [road(1, 2, road_class="ferry"), road(4, 3)])
    assert edges_of(Snapper(profiled(network, "walk")).snap(*places((500, 400)), 2000)) == [1]


def test_no_door_opens_on_a_piece_of_network_that_is_too_small() -> None:
    network = drawn(CORNERS, [road(1, 2, length_m=499.0), road(4, 3, length_m=500.0)])
    assert edges_of(Snapper(profiled(network)).snap(*places((500, 400)), 2000)) == [1]


def test_a_piece_is_counted_in_roads_that_the_profile_may_use() -> None:
    """The footpath joins the two for a walker only."""
    edges = [
        road(1, 2, length_m=300.0),
        road(2, 3, length_m=300.0, road_class="footway"),
        road(3, 4, length_m=900.0),
    ]
    network = drawn(CORNERS, edges)
    assert edges_of(Snapper(profiled(network, "walk")).snap(*places((500, 10)), 2000)) == [0]
    assert edges_of(Snapper(profiled(network)).snap(*places((500, 10)), 2000)) == [2]


def test_a_place_meets_the_edge_and_not_its_node() -> None:
    network = drawn(CORNERS, [road(1, 2)])
    snapped = Snapper(profiled(network)).snap(*places((250, 30)), 500)
    assert snapped.fraction == pytest.approx([0.25], abs=1e-6)
    lon, lat = places((250, 30), (250, 0))
    expected_m = geodesy.distance_m(lon[0], lat[0], lon[1], lat[1])
    # A kilometre straight in degrees bulges 1 cm from one that is straight in the plane.
    assert snapped.off_road_m == pytest.approx([float(expected_m)], abs=0.02)


def test_ties_go_to_the_lowest_edge_id() -> None:
    network = drawn(CORNERS, [road(2, 3), road(2, 1), road(1, 2), road(4, 3)])
    # Over the street drawn twice, in both directions, and at the corner where three edges end.
    assert edges_of(Snapper(profiled(network)).snap(*places((300, 20), (1000, 0)), 500)) == [1, 0]


def test_beyond_the_cap_a_place_is_off_the_network() -> None:
    network = drawn(CORNERS, [road(1, 2)])
    lon, lat = places((500, -500))
    metres = float(geodesy.distance_m(lon[0], lat[0], lon[0], 28.7))
    within = Snapper(profiled(network)).snap(lon, lat, metres + 0.05)
    beyond = Snapper(profiled(network)).snap(lon, lat, metres - 0.05)
    assert edges_of(within) == [0]
    assert edges_of(beyond) == [-1]
    assert np.isinf(beyond.off_road_m).all()


@pytest.mark.parametrize("edges", [[], [road(1, 2, road_class="steps")]])
def test_without_a_usable_road_everything_is_off_the_network(edges: list[dict[str, Any]]) -> None:
    snapped = Snapper(profiled(drawn(CORNERS, edges))).snap(*places((0, 0), (5, 5)), 500)
    assert edges_of(snapped) == [-1, -1]


def test_a_network_without_nodes_is_a_network() -> None:
    snapped = Snapper(profiled(drawn({}, []))).snap(*places((0, 0)), 500)
    assert edges_of(snapped) == [-1]


coordinate = st.integers(0, 30).map(lambda step: step * 25.0)


@given(
    corners=st.lists(st.tuples(coordinate, coordinate), min_size=2, max_size=8, unique=True),
    at=st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=10),
    cap_m=st.sampled_from([10.0, 60.0, 400.0, 3000.0]),
    data=st.data(),
)
@settings(max_examples=150, deadline=None)
def test_the_nearest_edge_is_that_of_looking_at_every_edge(
    corners: list[tuple[float, float]],
    at: list[tuple[float, float]],
    cap_m: float,
    data: st.DataObject,
) -> None:
    ends = st.integers(0, len(corners) - 1)
    pairs = data.draw(st.lists(st.tuples(ends, ends), min_size=1, max_size=10))
    network = drawn(
        dict(enumerate(corners)), [road(a, b, length_m=600.0) for a, b in pairs if a != b]
    )
    lon, lat = places(*at)
    snapped = Snapper(profiled(network)).snap(lon, lat, cap_m)
    to_xy, _ = geodesy.local_metres(112.9, 28.7)
    lines = [
        shapely.LineString(np.column_stack(to_xy(*np.array(line.coords).T)))
        for line in network.geometry
    ]
    for index, (x, y) in enumerate(zip(*to_xy(lon, lat), strict=True)):
        metres = [line.distance(shapely.Point(x, y)) for line in lines]
        nearest = min(metres, default=np.inf)
        if abs(nearest - cap_m) < 0.01:
            continue
        if nearest > cap_m:
            assert snapped.edge[index] == -1
            continue
        lowest = next(edge for edge, each in enumerate(metres) if each <= nearest + 1e-6)
        assert snapped.edge[index] == lowest
        assert snapped.off_road_m[index] == pytest.approx(nearest, abs=1e-3)
        along = lines[lowest].interpolate(snapped.fraction[index], normalized=True)
        assert along.distance(shapely.Point(x, y)) == pytest.approx(nearest, abs=1e-3)
