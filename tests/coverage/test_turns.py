"""Turn restrictions: kept by who drives, exactly, in every search."""

from dataclasses import replace
from itertools import pairwise

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis_service.coverage.areas.station_reach import Reacher
from gis_service.coverage.network.changed_roads import add_road, close_roads
from gis_service.coverage.network.graph import ProfileNetwork, RoadNetwork, Snapped, apply_profile
from gis_service.coverage.network.turns import TurnRules
from gis_service.coverage.standards.book import Direction, read_standards
from gis_service.coverage.travel.routes import Router
from gis_service.coverage.travel.travel_time import (
    build_graph,
    find_nearest_facility,
    measure_rows,
    search_from_each,
)
from tests.coverage.drawn_roads import LON, at_m, drawn, minutes_of

BOOK = read_standards()
TOLERANCE = 0.01 / 60

Turn = tuple[str, int, int, int]
"""Kind, edge from, node, edge to."""


def restricted(network: RoadNetwork, *turns: Turn) -> RoadNetwork:
    frame = pd.DataFrame(list(turns), columns=["kind", "from_edge", "via_node", "to_edge"])
    return replace(network, turns=TurnRules.from_frame(frame))


def profiled(
    network: RoadNetwork, profile: str = "fire_engine", scenario: str = "normal"
) -> ProfileNetwork:
    return apply_profile(network, BOOK.profiles[profile], BOOK.scenario(scenario), BOOK.place)


def spots(*on_edges: tuple[int, float]) -> Snapped:
    edge = np.array([edge for edge, _ in on_edges], dtype=np.int64)
    return Snapped(edge, np.array([share for _, share in on_edges]), np.zeros(len(on_edges)))


def crossing() -> RoadNetwork:
    """Edges 0 west, 1 north, 2 east, 3 south of node 0, each 1 km: three minutes."""
    nodes = {0: (0, 0), 1: (-1000, 0), 2: (0, 1000), 3: (1000, 0), 4: (0, -1000)}
    edges = [{"source_node": 0, "target_node": end, "length_m": 1000.0} for end in (1, 2, 3, 4)]
    return drawn(nodes, edges)


def minutes(network: RoadNetwork, start: int, goal: int, **who: str) -> float:
    times = find_nearest_facility(
        profiled(network, **who), spots((goal, 1.0)), spots((start, 1.0)), "from_facility"
    )
    return float(times.minutes[0])


def test_a_forbidden_turn_is_not_taken_and_the_others_are() -> None:
    roads = restricted(crossing(), ("no_left_turn", 0, 0, 1))
    # East, round at the end of that street, and back: then north is a right turn.
    assert minutes(roads, 0, 1) == pytest.approx(3 + 3 + 3 + 3)
    assert minutes(roads, 0, 2) == pytest.approx(6)
    assert minutes(roads, 1, 0) == pytest.approx(6)
    assert minutes(roads, 2, 1) == pytest.approx(6)


def test_only_forbids_every_other_turn() -> None:
    roads = restricted(crossing(), ("only_straight_on", 0, 0, 2))
    assert minutes(roads, 0, 2) == pytest.approx(6)
    assert minutes(roads, 0, 1) == minutes(roads, 0, 3) == pytest.approx(12)


def test_only_into_a_closed_street_says_nothing() -> None:
    nodes = {0: (0, 0), 1: (-1000, 0), 2: (0, 1000), 3: (1000, 0)}
    edges: list[dict[str, object]] = [
        {"source_node": 0, "target_node": 1, "length_m": 1000.0},
        {"source_node": 0, "target_node": 2, "length_m": 1000.0},
        {"source_node": 0, "target_node": 3, "length_m": 1000.0, "road_class": "steps"},
    ]
    assert minutes(restricted(drawn(nodes, edges), ("only_straight_on", 0, 0, 2)), 0, 1) < 7


def test_who_walks_and_who_has_privilege_turn_as_they_like() -> None:
    free, bound = crossing(), restricted(crossing(), ("no_left_turn", 0, 0, 1))
    assert minutes(bound, 0, 1, profile="walk") == minutes(free, 0, 1, profile="walk")
    assert minutes(bound, 0, 1, scenario="emergency_privilege") == pytest.approx(6)
    assert minutes(bound, 0, 1, profile="car") == 2 * minutes(free, 0, 1, profile="car")


def test_a_network_without_restrictions_is_not_made_larger() -> None:
    roads = profiled(crossing())
    assert roads.turns is None
    assert build_graph(roads).node_count == roads.network.node_count


def test_the_way_keeps_the_restriction_and_takes_its_minutes() -> None:
    roads = profiled(restricted(crossing(), ("no_left_turn", 0, 0, 1)))
    router = Router(roads, BOOK.place)
    ways = router.find_ways_to(*at_m(0, 1000))
    site = spots((0, 1.0))
    legs = router.find_way(ways, site, 0)
    assert [leg.edge for leg in legs if leg.start != leg.end] in (
        [0, 2, 2, 1],
        [0, 3, 3, 1],
    )
    assert minutes_of(router, legs) == pytest.approx(12)
    assert router.measure_minutes(ways, site) == pytest.approx(12)


def test_a_closed_road_and_a_cut_one_keep_the_restriction() -> None:
    roads = restricted(crossing(), ("no_left_turn", 0, 0, 1))
    assert minutes(close_roads(roads, [3]), 0, 1) == pytest.approx(12)
    line = np.array([at_m(-500, 0), at_m(-500, -300)])
    cut = add_road(roads, line, "residential")
    west = int(
        np.flatnonzero(
            np.isin(cut.source, [0]) & (np.round(cut.lon[cut.target], 5) == round(LON - 0.005, 5))
        )[0]
    )
    north = int(np.flatnonzero(cut.edge_id == 1)[0])
    assert minutes(cut, west, north) == pytest.approx(1.5 + 3 + 3 + 3)


# --- any network, against networkx on a graph of directed streets ---------------------------------


def by_streets(
    network: RoadNetwork, turns: list[Turn], speed_kmh: float
) -> "nx.DiGraph[tuple[int, int]]":
    """Make every direction of a street a node, every allowed turn an arc: all another way."""
    graph: nx.DiGraph[tuple[int, int]] = nx.DiGraph()
    ends = {}
    for edge in range(network.edge_count):
        source, target = int(network.source[edge]), int(network.target[edge])
        if network.oneway[edge] >= 0:
            ends[edge, 1] = (source, target)
        if network.oneway[edge] <= 0:
            ends[edge, -1] = (target, source)
    graph.add_nodes_from(ends)
    for first, (_, via) in ends.items():
        for second, (begin, _) in ends.items():
            if via != begin:
                continue
            ends_there = [turn for turn in turns if turn[1] == first[0] and turn[2] == via]
            ends_there = [
                t for t in ends_there if via in (network.source[t[3]], network.target[t[3]])
            ]
            banned = any(kind.startswith("no") and to == second[0] for kind, _, _, to in ends_there)
            banned |= any(
                kind.startswith("only") and to != second[0] for kind, _, _, to in ends_there
            )
            if not banned:
                whole = float(network.length_m[second[0]]) * 0.06 / speed_kmh
                graph.add_edge(first, second, weight=whole)
    return graph


def independent(
    network: RoadNetwork, turns: list[Turn], start: tuple[int, float], goal: tuple[int, float]
) -> float:
    speed_kmh = BOOK.profiles["fire_engine"].speed_kmh["residential"].value
    graph = by_streets(network, turns, speed_kmh)
    best = float("inf")

    def whole(edge: int) -> float:
        return float(network.length_m[edge]) * 0.06 / speed_kmh

    for way in (1, -1):
        first = (start[0], way)
        if first not in graph:
            continue
        if start[0] == goal[0] and (goal[1] - start[1]) * way >= 0:
            best = min(best, abs(goal[1] - start[1]) * whole(start[0]))
        left = (1 - start[1] if way == 1 else start[1]) * whole(start[0])
        # A street may be driven twice, so the first stretch is not a node but a beginning.
        for after, arc in graph[first].items():
            minutes = nx.single_source_dijkstra_path_length(graph, after)
            for last in ((goal[0], 1), (goal[0], -1)):
                if last in minutes:
                    over = (1 - goal[1] if last[1] == 1 else goal[1]) * whole(goal[0])
                    best = min(best, left + arc["weight"] + minutes[last] - over)
    return best


@st.composite
def cases(draw: st.DrawFn) -> tuple[RoadNetwork, list[Turn], Snapped, Snapped]:
    size = draw(st.integers(2, 5))
    edge = st.fixed_dictionaries(
        {
            "source_node": st.integers(0, size - 1),
            "target_node": st.integers(0, size - 1),
            "length_m": st.sampled_from([1.0, 250.0, 1000.0, 7321.5]),
            "oneway": st.sampled_from([0, 0, 0, 1, -1]),
        }
    )
    edges = draw(st.lists(edge, min_size=2, max_size=8))
    network = drawn({number: (number * 100.0, 0.0) for number in range(size)}, edges)
    number = st.integers(0, len(edges) - 1)
    turns = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["no_left_turn", "no_u_turn", "only_straight_on"]),
                number, st.integers(0, size - 1), number,
            ),
            min_size=1, max_size=8,
        )
    )  # fmt: skip
    spot = st.tuples(number, st.sampled_from([0.1, 0.25, 0.5, 0.9]))
    places = draw(st.lists(spot, min_size=1, max_size=4))
    stations = draw(st.lists(spot, min_size=1, max_size=3))
    return restricted(network, *turns), turns, spots(*places), spots(*stations)


@given(case=cases(), direction=st.sampled_from(["from_facility", "to_facility"]))
@settings(max_examples=150, deadline=None)
def test_times_equal_networkx_on_a_graph_of_streets(
    case: tuple[RoadNetwork, list[Turn], Snapped, Snapped], direction: Direction
) -> None:
    network, turns, places, stations = case
    ours = np.array(list(measure_rows(profiled(network), places, stations, direction)))
    for row in range(len(stations)):
        station = int(stations.edge[row]), float(stations.fraction[row])
        for column in range(len(places)):
            place = int(places.edge[column]), float(places.fraction[column])
            ends = (station, place) if direction == "from_facility" else (place, station)
            theirs = independent(network, turns, *ends)
            assert ours[row, column] == pytest.approx(theirs, abs=TOLERANCE)
    nearest = find_nearest_facility(profiled(network), places, stations, direction)
    assert nearest.minutes == pytest.approx(ours.min(axis=0), abs=TOLERANCE)


@given(case=cases())
@settings(max_examples=100, deadline=None)
def test_ways_follow_allowed_turns_and_take_the_minutes_of_networkx(
    case: tuple[RoadNetwork, list[Turn], Snapped, Snapped],
) -> None:
    network, turns, sites, places = case
    router = Router(profiled(network), BOOK.place)
    allowed = by_streets(network, turns, 1.0)
    for row in range(len(places)):
        place = places.take(np.array([row]))
        ways = router.find_ways_at(place)
        together = router.measure_minutes(router.find_ways_at(place), sites)
        for index in range(len(sites)):  # one after the other, each time a little farther
            minutes = router.measure_minutes(ways, sites.take(np.array([index])))[0]
            start, goal = (
                (int(spot.edge[at]), float(spot.fraction[at]))
                for spot, at in ((sites, index), (place, 0))
            )
            theirs = independent(network, turns, start, goal)
            assert minutes == together[index]
            assert minutes == pytest.approx(theirs, abs=1e-9)
            if np.isinf(minutes):
                continue
            legs = router.find_way(ways, sites, index)
            assert minutes_of(router, legs) == pytest.approx(minutes, abs=1e-9)
            assert (legs[0].edge, legs[0].start, legs[-1].edge, legs[-1].end) == (*start, *goal)
            driven = [
                [(leg.edge, way) for way in (1, -1) if (leg.end - leg.start) * way >= 0]
                for leg in legs
            ]
            for first, second in pairwise(driven):
                assert any(allowed.has_edge(a, b) for a in first for b in second)


@given(case=cases())
@settings(max_examples=50, deadline=None)
def test_a_station_alone_reaches_the_nodes_that_it_reaches_among_others(
    case: tuple[RoadNetwork, list[Turn], Snapped, Snapped],
) -> None:
    network, _, _, stations = case
    roads, first = profiled(network), stations.take(np.array([0]))
    alone = search_from_each(build_graph(roads), roads, first, np.zeros(1), np.inf)
    node, at_node = alone.of(0)
    both = Reacher(roads, "from_facility", BOOK.place).reach_together(first, 0.0)
    assert at_node == pytest.approx(both.at_node[node], abs=TOLERANCE)
    assert np.isinf(np.delete(both.at_node, node)).all()
