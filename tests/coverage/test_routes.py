"""Ways to one place: minutes as networkx finds them, and ways that add up to their minutes."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis_service.coverage.measuring.measurement import Facilities, measure_standard, prepare_setup
from gis_service.coverage.network.graph import RoadNetwork, apply_profile
from gis_service.coverage.standards.book import StandardBook, standard_book
from gis_service.coverage.travel.routes import Router, Search
from gis_service.coverage.travel.travel_time import build_graph
from gis_service.geodesy import length_m
from tests.coverage.drawn_roads import (
    at_m,
    drawn,
    independent_minutes,
    minutes_of,
    nearest_of_nodes,
)


def small_pieces() -> StandardBook:
    """The standards, but a piece of network may be tiny."""
    book = standard_book()
    smallest = book.place.smallest_piece_m.model_copy(update={"value": 0.0})
    return book.model_copy(
        update={"place": book.place.model_copy(update={"smallest_piece_m": smallest})}
    )


BOOK = small_pieces()


def router_of(network: RoadNetwork) -> Router:
    profile, scenario = BOOK.profiles["fire_engine"], BOOK.scenario("normal")
    return Router(apply_profile(network, profile, scenario, BOOK.place), BOOK.place)


@st.composite
def networks(draw: st.DrawFn) -> RoadNetwork:
    count = draw(st.integers(2, 7))
    nodes = {
        number: (draw(st.integers(0, 12)) * 50.0 + number, draw(st.integers(0, 12)) * 50.0)
        for number in range(count)
    }
    edges = [
        {
            "source_node": draw(st.integers(0, count - 1)),
            "target_node": draw(st.integers(0, count - 1)),
            "oneway": draw(st.sampled_from([0, 0, 1, -1])),
            "road_class": draw(st.sampled_from(["residential", "primary"])),
        }
        for _ in range(draw(st.integers(1, 12)))
    ]
    return drawn(nodes, edges)


@settings(max_examples=60, deadline=None)
@given(
    network=networks(),
    spots=st.lists(st.tuples(st.integers(-20, 620), st.integers(-20, 620)), min_size=2, max_size=6),
)
def test_minutes_are_those_of_networkx_and_each_way_adds_up(
    network: RoadNetwork, spots: list[tuple[int, int]]
) -> None:
    router = router_of(network)
    lonlat = np.array([at_m(*spot) for spot in spots])
    ways = router.find_ways_to(*lonlat[0])
    sites = router.snap(lonlat[1:, 0], lonlat[1:, 1])
    minutes = router.measure_minutes(ways, sites, 1.5)
    profiled = router.profiled
    independent = independent_minutes(
        network,
        (profiled.minutes_along.tolist(), profiled.minutes_against.tolist()),
        ways.place,
        sites,
        direction="from_facility",
        turnout_minutes=[1.5] * len(sites),
        off_road_minutes_per_m=BOOK.place.off_road_minutes_per_m,
    )[0]
    assert minutes == pytest.approx(independent, abs=1e-9)
    for index in np.flatnonzero(np.isfinite(minutes)).tolist():
        legs = router.find_way(ways, sites, index)
        off = (sites.off_road_m[index] + ways.place.off_road_m[0]) * 0.06 / 4.0
        assert minutes_of(router, legs) + off + 1.5 == pytest.approx(minutes[index], abs=1e-9)
        line = router.draw_line(legs)
        if len(line) > 1 and router.measure_length_m(legs) > 1:
            drawn_m = float(length_m([shapely.LineString(line)])[0])
            assert drawn_m == pytest.approx(router.measure_length_m(legs), rel=1e-3, abs=0.05)


def test_a_way_respects_the_one_way_street_and_turns_in_time() -> None:
    """House in the middle of a one-way street: the engine must come in at its beginning."""
    network = drawn(
        {1: (0, 0), 2: (1000, 0), 3: (1000, 500), 4: (0, 500)},
        [
            {"source_node": 1, "target_node": 2, "oneway": 1},
            {"source_node": 2, "target_node": 3},
            {"source_node": 3, "target_node": 4},
            {"source_node": 4, "target_node": 1},
        ],
    )
    router = router_of(network)
    ways = router.find_ways_to(*at_m(500, 0))
    sites = router.snap(*(np.array([value]) for value in at_m(600, 0)))
    legs = router.find_way(ways, sites, 0)
    assert [leg.edge for leg in legs] == [0, 1, 2, 3, 0]
    assert legs[0].start < legs[0].end == 1.0
    assert legs[-1].start == 0.0


def test_of_parallel_roads_the_quicker_one_is_drawn() -> None:
    network = drawn(
        {1: (0, 0), 2: (500, 0), 3: (600, 0), 4: (1000, 0)},
        [
            {"source_node": 1, "target_node": 2},
            {"source_node": 2, "target_node": 3, "road_class": "track"},
            {"source_node": 2, "target_node": 3, "road_class": "primary"},
            {"source_node": 3, "target_node": 4},
        ],
    )
    router = router_of(network)
    ways = router.find_ways_to(*at_m(900, 0))
    sites = router.snap(*(np.array([value]) for value in at_m(100, 0)))
    assert [leg.edge for leg in router.find_way(ways, sites, 0)] == [0, 2, 3]


def test_a_place_off_the_network_is_reached_by_nobody() -> None:
    router = router_of(drawn({1: (0, 0), 2: (900, 0)}, [{"source_node": 1, "target_node": 2}]))
    ways = router.find_ways_to(*at_m(0, 5000))
    sites = router.snap(*(np.array([value]) for value in at_m(100, 0)))
    assert np.isinf(router.measure_minutes(ways, sites)).all()
    with pytest.raises(ValueError, match="no way"):
        router.find_way(ways, sites, 0)


def test_a_search_goes_no_farther_than_it_is_asked_and_then_on() -> None:
    length = 400
    street = [{"source_node": at, "target_node": at + 1} for at in range(length)]
    router = router_of(drawn({at: (at * 50.0, 0.0) for at in range(length + 1)}, street))
    graph = build_graph(router.profiled)
    search = Search(graph, {0: 0.0}, (float(graph.minutes.mean()), 8))
    whole = nearest_of_nodes(graph, np.array([0]))[0]
    assert search.find_minutes_at(np.array([3])) == whole[3]
    assert np.isfinite(search.at_node).sum() < 10
    assert (search.find_minutes_at(np.array([length, 5])) == whole[[length, 5]]).all()
    assert search.find_way_back(7) == [7, 6, 5, 4, 3, 2, 1, 0]


def test_the_same_minutes_as_a_coverage_run() -> None:
    rng = np.random.default_rng(5)
    nodes = {n: (float(x), float(y)) for n, (x, y) in enumerate(rng.uniform(0, 3000, (60, 2)))}
    edges = [
        {
            "source_node": int(a),
            "target_node": int(b),
            "oneway": int(rng.choice([0, 0, 0, 1])),
        }
        for a, b in rng.integers(0, 60, (140, 2))
        if a != b
    ]
    network = drawn(nodes, edges)
    stations = np.array([at_m(*spot) for spot in rng.uniform(0, 3000, (4, 2))])
    homes = np.array([at_m(*spot) for spot in rng.uniform(0, 3000, (40, 2))])
    facilities = Facilities(
        np.arange(4),
        np.array(["fire_station"] * 4),
        stations[:, 0],
        stations[:, 1],
        np.array([np.nan, 2.0, np.nan, 0.5]),
    )
    standard, scenario = BOOK.standard("fire-20"), BOOK.scenario("normal")
    setup = prepare_setup(network, BOOK, standard, scenario, homes[:, 0], homes[:, 1])
    measured = measure_standard(setup, BOOK, standard, facilities)
    router = router_of(network)
    sites = router.snap(stations[:, 0], stations[:, 1])
    turnout = np.array([1.0, 2.0, 1.0, 0.5])
    for index, home in enumerate(homes):
        minutes = router.measure_minutes(router.find_ways_to(*home), sites, turnout).min()
        assert minutes == pytest.approx(measured.kind_minutes[index, 0], abs=1e-9)
