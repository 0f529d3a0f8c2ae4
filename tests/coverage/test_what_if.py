"""What if: the same as measuring again from the roads on, whatever was changed.

A county of random streets (one-way ones, a bridge, a piece drawn apart, footpaths) with houses,
shops and stations on and beside them.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import shapely

from gis_service.coverage.measuring.measurement import Facilities, measure_standard, prepare_setup
from gis_service.coverage.measuring.statistics import POPULATIONS, Hierarchy, count_figures
from gis_service.coverage.measuring.summary import summarise
from gis_service.coverage.network.changed_roads import add_road, close_roads, find_road_at
from gis_service.coverage.network.graph import RoadNetwork
from gis_service.coverage.network.places import Places
from gis_service.coverage.siting.what_if import (
    AddRoad,
    AddStation,
    Change,
    CloseRoad,
    MoveStation,
    Prepared,
    RemoveStation,
    WhatIf,
    measure_changes,
    prepare_county,
)
from gis_service.coverage.standards.book import read_standards
from gis_service.coverage.travel.travel_time import COVERED, TOO_FAR
from gis_service.errors import InputError
from tests.coverage.drawn_roads import at_m, drawn, independent_minutes

BOOK = read_standards()
SIDE, STEP_M, PLACES = 9, 700.0, 600
GRIDS = Hierarchy(np.array([1, 2, 3, 4, 5]), np.array([1, 1, 2, 2, 2]), np.array([-1, -1, 1, 1, 2]))


def random_roads(dice: np.random.Generator) -> RoadNetwork:
    """Streets on a bent lattice, and two short pieces drawn apart from all others."""
    nodes = {
        row * SIDE + column: (
            column * STEP_M + dice.uniform(-150, 150),
            row * STEP_M + dice.uniform(-150, 150),
        )
        for row in range(SIDE)
        for column in range(SIDE)
    }
    classes = np.array(["tertiary", "residential", "track", "footway"])
    edges: list[dict[str, Any]] = []
    for node in nodes:
        for other in (node + 1, node + SIDE):
            if other in nodes and (other % SIDE or other - node > 1) and dice.random() < 0.85:
                road_class = str(dice.choice(classes, p=[0.2, 0.6, 0.1, 0.1]))
                edges.append(
                    {
                        "source_node": node,
                        "target_node": other,
                        "road_class": road_class,
                        "oneway": int(dice.choice([0, 0, 0, 1, -1])),
                        "motor": road_class != "footway",
                        "bridge": bool(dice.random() < 0.05),
                    }
                )
    nodes |= {1000: (2000.0, 6100.0), 1001: (2300.0, 6200.0), 1002: (2600.0, 6100.0)}
    edges += [
        {"source_node": 1000, "target_node": 1001, "road_class": "residential"},
        {"source_node": 1001, "target_node": 1002, "road_class": "residential"},
    ]
    return drawn(nodes, edges)


@pytest.fixture(scope="module", params=[("fire-20", 9.0), ("service-15", 25.0)])
def county(request: pytest.FixtureRequest) -> Prepared:
    """A county against one of the standards; the engine's limit is set so that some are late."""
    standard, limit = request.param
    dice = np.random.default_rng(20)
    wide = SIDE * STEP_M
    book = BOOK.model_copy(deep=True)
    setting = book.standards[standard].limit_minutes.model_copy(update={"value": limit})
    named = book.standards[standard].model_copy(update={"limit_minutes": setting})
    book = book.model_copy(update={"standards": {**book.standards, standard: named}})
    kinds = ["fire_station"] * 2 + [
        kind for kind in BOOK.standards["service-15"].kinds for _ in range(4)
    ]
    sites = np.array([at_m(*dice.uniform(0, wide * 0.9, 2)) for _ in kinds])
    houses = np.array([at_m(*dice.uniform(-300, wide, 2)) for _ in range(PLACES)])
    return prepare_county(
        random_roads(dice),
        book,
        standard,
        "normal",
        Facilities(
            np.arange(10, 10 + len(kinds)),
            np.array(kinds),
            sites[:, 0],
            sites[:, 1],
            np.full(len(kinds), np.nan),
        ),
        Places(
            houses[:, 0],
            houses[:, 1],
            dice.choice([3, 4, 5, -1], PLACES),
            {name: dice.integers(0, 5, PLACES) for name in POPULATIONS},
        ),
        GRIDS,
    )


def again(county: Prepared, result: WhatIf) -> None:
    """Compare with a measurement from the roads on, number by number."""
    places = county.places
    setup = prepare_setup(
        result.network, county.book, county.standard, county.scenario, places.lon, places.lat
    )
    whole = measure_standard(setup, county.book, county.standard, result.facilities)
    for name in ("status", "minutes", "kind_status", "kind_minutes", "kind_facility"):
        np.testing.assert_array_equal(getattr(result.measured, name), getattr(whole, name), name)
    np.testing.assert_array_equal(
        result.network.edge_id[result.measured.snapped.edge],
        result.network.edge_id[whole.snapped.edge],
    )
    table = count_figures(GRIDS, places.base_grid, whole.list_outcomes(), places.weights)
    assert result.after == summarise(table, whole)
    was, now = county.measured.status == COVERED, whole.status == COVERED
    assert result.gained == places.weights["households"][now & ~was].sum()
    assert result.lost == places.weights["households"][was & ~now].sum()


def station(county: Prepared) -> int:
    kind = county.standard.kinds[0]
    return int(county.facilities.facility_id[county.facilities.kind == kind][0])


def middle(county: Prepared) -> tuple[float, float]:
    return at_m(SIDE * STEP_M / 2, SIDE * STEP_M / 2)


def test_without_a_change_all_stays_as_it_is(county: Prepared) -> None:
    result = measure_changes(county, [])
    again(county, result)
    assert result.before == result.after
    assert (result.gained, result.lost, result.grids) == (0, 0, ())
    assert [town.grid_id for town in result.towns] == [1, 2]
    statuses = set(county.measured.status.tolist())
    assert {COVERED, TOO_FAR} <= statuses


def test_a_station_moved_added_or_removed(county: Prepared) -> None:
    lon, lat = middle(county)
    kind = county.standard.kinds[0]
    several: tuple[list[Change], ...] = (
        [MoveStation(station(county), lon, lat)],
        [AddStation(kind, lon, lat)],
        [RemoveStation(station(county))],
        [AddStation(kind, lon, lat), RemoveStation(station(county))],
    )
    for changes in several:
        result = measure_changes(county, changes)
        again(county, result)
        assert result.notes == ()
    assert result.after["facilities"] == county.summary["facilities"]


def test_every_station_removed_says_that_there_is_none(county: Prepared) -> None:
    ids = county.facilities.facility_id[np.isin(county.facilities.kind, county.standard.kinds)]
    result = measure_changes(county, [RemoveStation(int(facility_id)) for facility_id in ids])
    again(county, result)
    assert (result.after["covered"], result.after["status"]) == (0, "no_facility")


@pytest.mark.parametrize("seed", range(6))
def test_roads_closed(county: Prepared, seed: int) -> None:
    dice = np.random.default_rng(seed)
    ids = dice.choice(county.network.edge_id, size=1 + 4 * seed, replace=False)
    result = measure_changes(county, [CloseRoad(tuple(int(edge_id) for edge_id in ids))])
    again(county, result)
    assert set(result.closed) == set(ids.tolist())


@pytest.mark.parametrize("seed", range(6))
def test_roads_added(county: Prepared, seed: int) -> None:
    dice = np.random.default_rng(seed)
    lines = []
    for _ in range(1 + seed % 3):
        edges = dice.choice(county.network.edge_count, 3, replace=False)
        ends = [
            county.network.geometry[edge].interpolate(dice.random(), normalized=True)
            for edge in edges
        ]
        lines.append(tuple((end.x, end.y) for end in ends))
    changes: list[Change] = [AddRoad(line, "secondary") for line in lines]
    result = measure_changes(county, changes)
    again(county, result)
    assert result.network.edge_count > county.network.edge_count + 1


def test_roads_and_stations_together(county: Prepared) -> None:
    lon, lat = middle(county)
    line = (at_m(2300, 6200), at_m(2300, 5600), at_m(2400, 5000), (lon, lat))
    result = measure_changes(
        county,
        [
            AddRoad(line, "tertiary"),
            CloseRoad((int(county.network.edge_id[7]),)),
            MoveStation(station(county), lon, lat),
        ],
    )
    again(county, result)


def test_a_piece_drawn_apart_is_reached_by_a_new_road() -> None:
    """A short piece is no place for a door until a road joins it to the others."""
    network = drawn(
        {1: (0, 0), 2: (2000, 0), 3: (900, 300), 4: (1100, 300)},
        [
            {"source_node": 1, "target_node": 2},
            {"source_node": 3, "target_node": 4},
        ],
    )
    joined = add_road(network, np.array([at_m(1000, 300), at_m(1000, 0)]), "residential")
    assert joined.edge_count == 5  # both roads cut in two, and the new one
    assert joined.length_m[:4].sum() == pytest.approx(network.length_m.sum())
    assert len(set(joined.edge_id.tolist())) == 5
    assert (np.diff(joined.edge_id) > 0).all()


def test_a_new_road_that_only_crosses_one_is_a_bridge() -> None:
    network = drawn(
        {1: (0, 0), 2: (2000, 0), 3: (0, 600), 4: (2000, 600), 5: (0, 300), 6: (2000, 300)},
        [
            {"source_node": 1, "target_node": 2},
            {"source_node": 3, "target_node": 4},
            {"source_node": 5, "target_node": 6},
        ],
    )
    bridge = add_road(network, np.array([at_m(1000, 600), at_m(1000, 0)]), "residential")
    assert 2 in bridge.edge_id  # the road in the middle is not cut
    assert bridge.edge_count == 6
    joined = add_road(
        network, np.array([at_m(1000, 600), at_m(1000, 300), at_m(1000, 0)]), "residential"
    )
    assert joined.edge_count == 8


def test_a_road_that_ends_at_a_junction_cuts_nothing() -> None:
    network = drawn(
        {1: (0, 0), 2: (1000, 0), 3: (2000, 0)},
        [{"source_node": 1, "target_node": 2}, {"source_node": 2, "target_node": 3}],
    )
    grown = add_road(network, np.array([at_m(1000, 0), at_m(1000, 900)]), "track")
    assert grown.edge_count == 3
    assert grown.edge_id[:2].tolist() == [0, 1]
    assert (grown.source[2], grown.target[2]) == (1, 3)
    assert shapely.length(grown.geometry[2]) > 0


def test_a_road_is_found_by_pointing_at_it(county: Prepared) -> None:
    network = county.network
    edge = next(
        edge
        for edge in range(network.edge_count)
        if network.motor[edge] and network.foot[edge] and not network.bridge[edge]
    )
    at = network.geometry[edge].interpolate(0.5, normalized=True)
    result = measure_changes(county, [CloseRoad(lon=at.x, lat=at.y)])
    again(county, result)
    assert result.closed == (int(network.edge_id[edge]),)


def test_what_cannot_be_is_said(county: Prepared) -> None:
    far = at_m(-90_000, 0)
    for change in (
        MoveStation(9_999, *far),
        RemoveStation(9_999),
        CloseRoad((9_999,)),
        CloseRoad(),
        CloseRoad(lon=far[0], lat=far[1]),
        AddRoad((far, at_m(-91_000, 0)), "tertiary"),
    ):
        with pytest.raises(InputError):
            measure_changes(county, [change])
    end = county.network.geometry[0].coords[0]
    with pytest.raises(InputError):
        add_road(county.network, np.array([end, end]), "tertiary")
    with pytest.raises(InputError):
        close_roads(county.network, [9_999])
    with pytest.raises(InputError):
        find_road_at(county.network, np.ones(county.network.edge_count, bool), *far)


def test_a_station_where_no_road_leads_is_told_of(county: Prepared) -> None:
    far = at_m(-90_000, 0)
    kind = county.standard.kinds[0]
    result = measure_changes(county, [AddStation(kind, *far), AddStation("water_source", *far)])
    again(county, result)
    assert result.notes == ((0, "off_network"), (1, "not_in_standard"))
    assert result.gained == result.lost == 0


def test_nobody_covered_has_a_longer_way_and_nobody_too_far_a_shorter_one(
    county: Prepared,
) -> None:
    """By an implementation that splits every edge at every place and asks networkx."""
    book, standard, setup = county.book, county.standard, county.setup
    few = np.arange(0, len(county.places), 5)
    limit = standard.limit_minutes.value
    profiled = setup.profiled
    both_ways = (profiled.minutes_along.tolist(), profiled.minutes_against.tolist())
    arrived = np.full((len(few), len(standard.kinds)), np.inf)
    for column, kind in enumerate(standard.kinds):
        of_kind = county.facilities.kind == kind
        sites = setup.snapper.snap(
            county.facilities.lon[of_kind],
            county.facilities.lat[of_kind],
            book.place.snap_cap_m.value,
        )
        ways = independent_minutes(
            county.network,
            both_ways,
            setup.places.take(few),
            sites,
            direction=standard.direction,
            turnout_minutes=[standard.turnout_minutes.value] * len(sites),
            off_road_minutes_per_m=book.place.off_road_minutes_per_m,
        )
        arrived[:, column] = ways.min(axis=1)
    in_time = (arrived <= limit).sum(axis=1)
    margin = np.abs(arrived - limit).min(axis=1) > 1e-6
    status = county.measured.status[few]
    assert ((in_time >= standard.kinds_needed) == (status == COVERED))[margin].all()
    assert (status == COVERED).any()
    assert (status == TOO_FAR).any()


def test_the_county_stands_as_it_was_after_a_question(county: Prepared) -> None:
    before = replace(county)
    minutes = county.measured.kind_minutes.copy()
    measure_changes(county, [MoveStation(station(county), *middle(county))])
    np.testing.assert_array_equal(county.measured.kind_minutes, minutes)
    assert county.facilities is before.facilities
    again(county, measure_changes(county, []))
