"""Minutes to the nearest facility: exact at both ends, in the right direction, by one run."""

from pathlib import Path
from typing import Any, Final

import networkx as nx
import numpy as np
import numpy.typing as npt
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis_service.coverage.network.graph import (
    ProfileNetwork,
    RoadNetwork,
    Snapped,
    Snapper,
    apply_profile,
)
from gis_service.coverage.standards.book import Direction, read_standards
from gis_service.coverage.travel.travel_time import (
    COVERED,
    OFF_NETWORK,
    TOO_FAR,
    UNREACHABLE,
    Graph,
    apply_rule,
    build_graph,
    find_nearest_facility,
    judge_status,
    measure_rows,
    search_from_each,
)
from tests.coverage.drawn_roads import drawn, independent_minutes, nearest_of_nodes
from tests.coverage.real_roads import futian_network

HUNDREDTH_OF_A_SECOND = 0.01 / 60
LIMIT_MINUTES = 10.0
DIRECTIONS: Final[tuple[Direction, ...]] = ("from_facility", "to_facility")
BOOK = read_standards()


def profiled(network: RoadNetwork, profile: str = "fire_engine") -> ProfileNetwork:
    return apply_profile(network, BOOK.profiles[profile], BOOK.scenarios["normal"], BOOK.place)


def spots(*on_edges: tuple[int, float], off_road_m: float = 0.0) -> Snapped:
    edge = np.array([spot[0] for spot in on_edges], dtype=np.int64)
    fraction = np.array([spot[1] for spot in on_edges], dtype=float)
    return Snapped(edge, fraction, np.where(edge < 0, np.inf, off_road_m))


# --- one street, by hand --------------------------------------------------------------------------


def street(oneway: int = 0) -> ProfileNetwork:
    """One kilometre at 20 km/h: three minutes."""
    edge = {"source_node": 1, "target_node": 2, "length_m": 1000.0, "oneway": oneway}
    return profiled(drawn({1: (0, 0), 2: (1000, 0)}, [edge]))


def test_two_places_on_one_edge_are_joined_along_it() -> None:
    times = find_nearest_facility(street(), spots((0, 0.75)), spots((0, 0.25)), "from_facility")
    assert times.minutes == pytest.approx([1.5])
    assert times.facility.tolist() == [0]


def test_an_engine_may_not_turn_back_in_a_one_way_street() -> None:
    ahead, behind = spots((0, 0.75)), spots((0, 0.1))
    station = spots((0, 0.25))
    assert find_nearest_facility(street(1), ahead, station, "from_facility").minutes[0] < np.inf
    assert find_nearest_facility(street(1), behind, station, "from_facility").minutes[0] == np.inf
    assert find_nearest_facility(street(-1), ahead, station, "from_facility").minutes[0] == np.inf
    assert find_nearest_facility(street(-1), behind, station, "from_facility").minutes[0] < np.inf


def test_direction_of_travel_matters() -> None:
    ahead, station = spots((0, 0.75)), spots((0, 0.25))
    assert find_nearest_facility(street(1), ahead, station, "to_facility").minutes[0] == np.inf
    assert find_nearest_facility(
        street(-1), ahead, station, "to_facility"
    ).minutes == pytest.approx(1.5)


def test_on_a_one_way_edge_only_the_permitted_end_counts() -> None:
    """Behind the station in its one-way street: all the way round, though it is 100 m off."""
    network = drawn(
        {1: (0, 0), 2: (1000, 0)},
        [
            {"source_node": 1, "target_node": 2, "length_m": 1000.0, "oneway": 1},
            {"source_node": 2, "target_node": 1, "length_m": 2000.0, "oneway": 1},
        ],
    )
    times = find_nearest_facility(
        profiled(network), spots((0, 0.2)), spots((0, 0.3)), "from_facility"
    )
    assert times.minutes == pytest.approx([3.0 * 0.7 + 6.0 + 3.0 * 0.2])


def test_turnout_and_both_ways_off_the_road_count() -> None:
    times = find_nearest_facility(
        street(),
        spots((0, 0.5), off_road_m=100.0),
        spots((0, 0.5), off_road_m=50.0),
        "from_facility",
        turnout_minutes=1.0,
        off_road_minutes_per_m=0.015,
    )
    assert times.minutes == pytest.approx([1.0 + 150 * 0.015])


def test_each_station_has_its_own_turnout() -> None:
    times = find_nearest_facility(
        street(),
        spots((0, 0.4)),
        spots((0, 0.5), (0, 0.0)),
        "from_facility",
        turnout_minutes=[5.0, 1.0],
    )
    assert times.minutes == pytest.approx([1.0 + 1.2])
    assert times.facility.tolist() == [1]


def test_without_facilities_nobody_is_reached() -> None:
    places = spots((0, 0.5), (-1, 0.0))
    times = find_nearest_facility(street(), places, spots(), "from_facility")
    assert np.isinf(times.minutes).all()
    assert times.facility.tolist() == [-1, -1]
    assert judge_status(times.minutes, places, 20.0).tolist() == [UNREACHABLE, OFF_NETWORK]


def test_a_facility_off_the_network_serves_nobody() -> None:
    times = find_nearest_facility(street(), spots((0, 0.5)), spots((-1, 0.0)), "from_facility")
    assert np.isinf(times.minutes).all()


def test_exactly_the_limit_is_in_time() -> None:
    status = judge_status(
        np.array([15.0, np.nextafter(15.0, 16), np.inf]), spots(*[(0, 0.0)] * 3), 15
    )
    assert status.tolist() == [COVERED, TOO_FAR, UNREACHABLE]


def test_the_rule_is_met_exactly_if_enough_kinds_are_in_time() -> None:
    minutes = np.array([[5.0, 20.0, 10.0], [np.inf, 1.0, np.inf]])
    assert apply_rule(minutes, 1).tolist() == [5.0, 1.0]
    assert apply_rule(minutes, 2).tolist() == [10.0, np.inf]
    assert apply_rule(minutes, 3).tolist() == [20.0, np.inf]


# --- any network, against networkx --------------------------------------------------------------

Case = tuple[RoadNetwork, Snapped, Snapped, npt.NDArray[np.float64]]
CLASSES = ("motorway", "primary", "residential", "footway", "ferry")


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw parallel edges, loops, pieces apart, and places often at the very same spot."""
    size = draw(st.integers(2, 7))
    ends = st.integers(0, size - 1)
    edge = st.fixed_dictionaries(
        {
            "source_node": ends,
            "target_node": ends,
            "length_m": st.sampled_from([0.0, 1.0, 250.0, 1000.0, 1000.0, 7321.5]),
            "oneway": st.sampled_from([0, 0, 1, -1]),
            "road_class": st.sampled_from(CLASSES),
            "dual_carriageway": st.booleans(),
        }
    )
    edges = draw(st.lists(edge, min_size=1, max_size=12))
    network = drawn({number: (number * 100.0, 0.0) for number in range(size)}, edges)
    spot = st.tuples(
        st.integers(-1, len(edges) - 1),
        st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(0, 1)),
    )
    places = draw(st.lists(spot, min_size=1, max_size=8))
    facilities = draw(st.lists(spot, min_size=0, max_size=4))
    off_road_m = draw(st.sampled_from([0.0, 30.0]))
    turnout = draw(
        st.lists(
            st.sampled_from([0.0, 1.0, 2.5]), min_size=len(facilities), max_size=len(facilities)
        )
    )
    return (
        network,
        spots(*places, off_road_m=off_road_m),
        spots(*facilities, off_road_m=off_road_m),
        np.array(turnout, dtype=float),
    )


def plain_minutes(
    network: RoadNetwork, profile: str, scenario: str
) -> tuple[list[float], list[float]]:
    """Minutes of each edge both ways, said again in the plainest words."""
    along, against = [], []
    for edge in range(network.edge_count):
        road_class = str(network.road_class[edge])
        speeds = BOOK.profiles[profile].speed_kmh
        minutes = float("inf")
        if road_class in speeds:
            minutes = float(network.length_m[edge]) / 1000 / speeds[road_class].value * 60
        bound = profile == "fire_engine"
        if scenario == "emergency_privilege":
            bound = bound and (road_class == "motorway" or bool(network.dual_carriageway[edge]))
        oneway = int(network.oneway[edge])
        along.append(float("inf") if bound and oneway == -1 else minutes)
        against.append(float("inf") if bound and oneway == 1 else minutes)
    return along, against


@given(
    case=cases(),
    profile=st.sampled_from(["walk", "fire_engine"]),
    scenario=st.sampled_from(["normal", "emergency_privilege"]),
    direction=st.sampled_from(["to_facility", "from_facility"]),
)
@settings(max_examples=250, deadline=None)
def test_times_equal_networkx_on_any_network(
    case: Case, profile: str, scenario: str, direction: Direction
) -> None:
    network, places, facilities, turnout = case
    ours = find_nearest_facility(
        apply_profile(network, BOOK.profiles[profile], BOOK.scenarios[scenario], BOOK.place),
        places,
        facilities,
        direction,
        turnout_minutes=turnout,
        off_road_minutes_per_m=0.015,
    )
    theirs = independent_minutes(
        network,
        plain_minutes(network, profile, scenario),
        places,
        facilities,
        direction=direction,
        turnout_minutes=turnout,
        off_road_minutes_per_m=0.015,
    )
    nearest = theirs.min(axis=1, initial=np.inf)
    assert (np.isinf(ours.minutes) == np.isinf(nearest)).all()
    arrived = np.isfinite(nearest)
    assert np.abs(ours.minutes[arrived] - nearest[arrived]).max(initial=0) < HUNDREDTH_OF_A_SECOND
    assert (ours.facility[~arrived] == -1).all()

    status = judge_status(ours.minutes, places, LIMIT_MINUTES)
    assert (nearest[status == COVERED] <= LIMIT_MINUTES + HUNDREDTH_OF_A_SECOND).all()
    assert (nearest[status == TOO_FAR] >= LIMIT_MINUTES - HUNDREDTH_OF_A_SECOND).all()
    assert (status == OFF_NETWORK).tolist() == (places.edge < 0).tolist()
    served = theirs[np.flatnonzero(arrived), ours.facility[arrived]]
    assert np.abs(ours.minutes[arrived] - served).max(initial=0) < HUNDREDTH_OF_A_SECOND


@given(case=cases(), direction=st.sampled_from(DIRECTIONS))
@settings(max_examples=100, deadline=None)
def test_each_station_by_itself_equals_networkx(case: Case, direction: Direction) -> None:
    network, places, facilities, turnout = case
    ways: dict[str, Any] = {"turnout_minutes": turnout, "off_road_minutes_per_m": 0.015}
    theirs = independent_minutes(
        network,
        plain_minutes(network, "fire_engine", "normal"),
        places,
        facilities,
        direction=direction,
        **ways,
    ).T
    roads = profiled(network)
    rows = list(measure_rows(roads, places, facilities, direction, **ways))
    every = np.array(rows).reshape(len(facilities), len(places))
    assert np.allclose(every, theirs, rtol=0, atol=HUNDREDTH_OF_A_SECOND)


def test_a_reach_ends_at_the_limit_and_holds_it() -> None:
    network = drawn(
        {number: (number * 1000.0, 0.0) for number in range(5)},
        [
            {"source_node": number, "target_node": number + 1, "length_m": 1000.0}
            for number in range(4)
        ],
    )
    roads = profiled(network)
    stations = spots((0, 0.0), (-1, 0.0), (3, 1.0))
    reached = search_from_each(build_graph(roads), roads, stations, np.zeros(3), 6.0)
    assert len(reached) == 3
    node, minutes = reached.of(0)
    assert dict(zip(node.tolist(), minutes.tolist(), strict=True)) == {0: 0.0, 1: 3.0, 2: 6.0}
    assert len(reached.of(1)[0]) == 0
    assert sorted(reached.of(2)[0].tolist()) == [2, 3, 4]


def test_every_node_has_its_nearest_node() -> None:
    network = drawn(
        {number: (number * 1000.0, 0.0) for number in range(5)},
        [
            {"source_node": number, "target_node": number + 1, "length_m": 1000.0, "oneway": 1}
            for number in range(4)
        ],
    )
    minutes, nearest = nearest_of_nodes(build_graph(profiled(network)), np.array([3, 1]))
    assert minutes.tolist() == [np.inf, 0.0, 3.0, 0.0, 3.0]
    assert nearest.tolist() == [-1, 1, 1, 0, 0]


@pytest.mark.parametrize("minutes", ["equal", "many", "none"])
def test_a_crowd_of_nodes_in_one_bucket_loses_nobody(minutes: str) -> None:
    """Thousands wait at one time, in one bucket or in a hundred thousand of them."""
    dice = np.random.default_rng(5)
    size, arcs = 5000, 20_000
    tail = np.concatenate((np.zeros(size - 1, int), dice.integers(0, size, arcs)))
    head = np.concatenate((np.arange(1, size), dice.integers(0, size, arcs)))
    times = {
        "equal": np.ones(len(tail)),
        "many": 10.0 ** dice.uniform(-3, 4, len(tail)),
        "none": np.where(dice.uniform(size=len(tail)) < 0.5, 0.0, 3.0),
    }[minutes]
    ways: nx.DiGraph[int] = nx.DiGraph()
    for start, goal, time in sorted(zip(tail, head, times, strict=True), reverse=True):
        ways.add_edge(int(start), int(goal), weight=time)  # of parallel ones the quickest is last
    order = np.argsort(tail, kind="stable")
    indptr = np.concatenate(([0], np.cumsum(np.bincount(tail, minlength=size)))).astype(np.int32)
    graph = Graph(indptr, head[order].astype(np.int32), times[order])
    starts = dice.choice(size, 7, replace=False)

    minutes_found, nearest = nearest_of_nodes(graph, starts)

    own = {int(node): nx.single_source_dijkstra_path_length(ways, int(node)) for node in starts}
    each = np.array(
        [[own[int(start)].get(node, np.inf) for node in range(size)] for start in starts]
    )
    np.testing.assert_allclose(minutes_found, each.min(axis=0), rtol=1e-12)
    np.testing.assert_allclose(each[nearest, np.arange(size)], minutes_found, rtol=1e-12)
    if minutes != "many":  # whole numbers: equal times are equal, and the lowest start has them
        np.testing.assert_array_equal(nearest, each.argmin(axis=0))


def test_stations_in_one_place_share_it_by_the_lowest_index() -> None:
    times = find_nearest_facility(
        street(), spots((0, 0.9), (0, 0.1)), spots((0, 0.5), (0, 0.5), (0, 0.5)), "from_facility"
    )
    assert times.minutes == pytest.approx([1.2, 1.2])
    assert times.facility.tolist() == [0, 0]


# --- a real network -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def futian(real_data: Path) -> RoadNetwork:
    return futian_network(real_data)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("profile", "direction"), [("fire_engine", "from_facility"), ("walk", "to_facility")]
)
def test_times_and_coverage_equal_networkx_in_futian(
    futian: RoadNetwork, profile: str, direction: Direction
) -> None:
    roads = profiled(futian, profile)
    random = np.random.default_rng(20)
    west, south, east, north = shapely.total_bounds(futian.geometry)
    places = Snapper(roads).snap(
        random.uniform(west, east, 300), random.uniform(south, north, 300), 500.0
    )
    stations = Snapper(roads).snap(
        random.uniform(west, east, 8), random.uniform(south, north, 8), 500.0
    )
    ours = find_nearest_facility(
        roads,
        places,
        stations,
        direction,
        turnout_minutes=1.0,
        off_road_minutes_per_m=0.015,
    )
    theirs = independent_minutes(
        futian,
        plain_minutes(futian, profile, "normal"),
        places,
        stations,
        direction=direction,
        turnout_minutes=[1.0] * 8,
        off_road_minutes_per_m=0.015,
    ).min(axis=1)
    arrived = np.isfinite(theirs)
    assert arrived.sum() > 200
    assert (np.isfinite(ours.minutes) == arrived).all()
    assert np.abs(ours.minutes[arrived] - theirs[arrived]).max() < HUNDREDTH_OF_A_SECOND

    limit_minutes = float(np.median(theirs[arrived]))
    status = judge_status(ours.minutes, places, limit_minutes)
    assert (theirs[status == COVERED] <= limit_minutes + HUNDREDTH_OF_A_SECOND).all()
    assert (theirs[status == TOO_FAR] >= limit_minutes - HUNDREDTH_OF_A_SECOND).all()
    assert {COVERED, TOO_FAR} <= set(status.tolist())
