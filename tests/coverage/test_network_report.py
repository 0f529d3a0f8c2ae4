"""Faults of a road network: each is found, and what is no fault is not."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import shapely

from gis_service.coverage.network.graph import RoadNetwork, apply_profile
from gis_service.coverage.runs.network_report import NetworkReport, ReportRules, find_faults
from gis_service.coverage.standards.book import read_standards
from tests.coverage.drawn_roads import at_m, drawn

BOOK = read_standards()
NOWHERE = np.zeros(0)


def found(
    network: RoadNetwork,
    *,
    border: shapely.Geometry | None = None,
    water: shapely.Geometry | None = None,
    houses: list[tuple[float, float]] | None = None,
) -> NetworkReport:
    roads = apply_profile(
        network, BOOK.profiles["fire_engine"], BOOK.scenarios["normal"], BOOK.place
    )
    lonlat = np.array([at_m(*house) for house in houses or []]).reshape(-1, 2)
    return find_faults(roads, border, water, lonlat[:, 0], lonlat[:, 1], ReportRules())


def road(source: int, target: int, **how: Any) -> dict[str, Any]:
    return {"source_node": source, "target_node": target, **how}


def facing() -> RoadNetwork:
    """Two banks: a street to the water on each side, 80 m apart."""
    return drawn({1: (0, 0), 2: (1000, 0), 3: (1080, 0), 4: (3000, 0)}, [road(1, 2), road(3, 4)])


def test_the_smaller_piece_is_cut_off() -> None:
    pieces = found(facing()).cut_off
    assert [piece.edges for piece in pieces] == [1]
    assert pieces[0].length_m == pytest.approx(1000, rel=0.05)


def test_two_ends_across_water_miss_a_bridge() -> None:
    west, south = at_m(1020, -500)
    east, north = at_m(1060, 500)
    gaps = found(facing(), water=shapely.box(west, south, east, north)).gaps
    assert [(gap.over_water, gap.connected) for gap in gaps] == [(True, False)]
    assert gaps[0].gap_m == pytest.approx(80, rel=0.05)
    dry = found(facing(), water=shapely.box(west + 1, south, east + 1, north)).gaps
    assert [gap.over_water for gap in dry] == [False]


def test_ends_that_look_away_or_are_joined_nearby_are_no_gap() -> None:
    away = drawn({1: (0, 0), 2: (0, 1000), 3: (80, 0), 4: (80, 1000)}, [road(1, 2), road(3, 4)])
    assert found(away).gaps == []
    joined = drawn(
        {1: (0, 0), 2: (1000, 0), 3: (1080, 0), 4: (1200, 0), 5: (900, 50), 6: (1180, 50)},
        [road(1, 5), road(5, 2), road(5, 6), road(6, 4), road(3, 4), road(1, 6)],
    )
    assert found(joined).gaps == []


def test_a_long_way_round_is_a_gap_all_the_same() -> None:
    far_round = drawn(
        {1: (0, 0), 2: (1000, 0), 3: (1080, 0), 4: (2080, 0), 5: (1040, 3000)},
        [road(1, 2), road(3, 4), road(1, 5), road(5, 4)],
    )
    assert [gap.connected for gap in found(far_round).gaps] == [True]


def test_a_dead_end_at_the_border_is_named() -> None:
    west, south = at_m(-20, -2000)
    east, north = at_m(4000, 2000)
    ends = found(facing(), border=shapely.box(west, south, east, north)).border_ends
    assert [(round(end.lon, 5), round(end.lat, 5)) for end in ends] == [at_m(0, 0)]


def test_a_house_far_from_any_road_is_listed_the_farthest_first() -> None:
    answer = found(facing(), houses=[(500, 10), (500, 300), (500, 900)])
    assert answer.houses == 3
    assert [metres for _, metres in answer.far_houses] == pytest.approx([900, 300], rel=0.15)


@pytest.mark.parametrize("edges", [[], [road(1, 2, road_class="steps")]])
def test_without_a_usable_road_every_house_is_far(edges: list[dict[str, Any]]) -> None:
    answer = found(drawn({1: (0, 0), 2: (10, 0)}, edges), houses=[(0, 0)])
    assert answer.usable_edges == 0
    assert answer.cut_off == []
    assert answer.gaps == []
    assert [metres for _, metres in answer.far_houses] == [None]


def test_the_report_is_plain_json() -> None:
    answer = found(replace(facing()), houses=[(500, 300)]).as_dict()
    assert set(answer["far_houses"][0]) == {"lon", "lat", "off_road_m"}
    assert answer["rules"]["gap_m"] == ReportRules().gap_m
