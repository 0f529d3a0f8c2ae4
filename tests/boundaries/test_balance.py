"""What grids carry: counted anew only where an edit touched, and equal to counting everything."""

import random

import numpy as np
import pytest
import shapely

from gis_service.boundaries.editing.balance import COUNTS, Loads, Units
from gis_service.boundaries.editing.edits import Draft
from gis_service.boundaries.editing.rules import read_rules
from gis_service.boundaries.linework.packed_shapes import PackedShapes
from gis_service.boundaries.linework.tessellation import Tessellation
from tests.boundaries import redrawing
from tests.boundaries.test_edits import STEP, at, box, drawn, line, parents_of, straight

__all__ = ["drawn", "straight"]  # fixtures
RULES = read_rules().load
SIZE = {"urban": (200, 300), "rural": (80, 300)}


def units_at(*places: tuple[float, float], counts: list[list[float]] | None = None) -> Units:
    xy = np.round(np.array([at(*place) for place in places]), 9)
    rows = counts or [[10, 30, 1, 2, 1, 0.5]] * len(places)
    return Units(xy[:, 0], xy[:, 1], np.array(rows, dtype=float))


def roads(*lines: shapely.LineString) -> PackedShapes:
    return PackedShapes(np.array(lines, dtype=object))


def loads_of(draft: Draft, units: Units, lines: PackedShapes) -> Loads:
    classes = dict.fromkeys(draft.keys, "220")
    return Loads.place(draft.faces(), units, lines, RULES, size_rule=SIZE, classes=classes)


def test_a_load_is_the_weighted_sum_of_what_lies_inside(straight: Tessellation) -> None:
    draft = Draft(straight, parents_of(straight))
    loads = loads_of(draft, units_at((2.5, 2.5), (2.2, 2.2), (0.5, 0.5)), roads())
    load = loads.of(["22"])["22"]
    assert (load.households, load.people, load.care_households) == (20, 60, 2)
    weights = [getattr(RULES, name).value for name in COUNTS]
    assert load.load == pytest.approx(2 * np.dot(weights, [10, 30, 1, 2, 1, 0.5]))
    assert load.target == (80, 300)
    assert load.deviation == pytest.approx(load.load / 80 - 1, abs=1e-4)


def test_a_point_on_a_shared_border_belongs_to_the_lowest_id(straight: Tessellation) -> None:
    named = {
        str(int(key) + 1): face for key, face in zip(straight.keys, straight.faces(), strict=True)
    }
    loads = Loads.place(named, units_at((1, 0.5), (1, 1)), roads(), RULES)
    assert loads.of()["1"].households == 20


def test_units_beyond_the_county_are_told(straight: Tessellation) -> None:
    draft = Draft(straight, parents_of(straight))
    loads = loads_of(draft, units_at((2.5, 2.5), (9, 9)), roads())
    assert loads.outside.tolist() == [1]
    assert loads.households_outside()[0] == 10


def test_a_road_along_a_border_counts_half_to_each_side(straight: Tessellation) -> None:
    draft = Draft(straight, parents_of(straight))
    along = line((3, 2.1), (3, 2.9))
    across = line((0.5, 0.5), (1.5, 0.5))
    loads = loads_of(draft, units_at((2.5, 2.5)), roads(along, across)).of()
    metres = 0.8 * STEP * 110_800
    assert loads["22"].patrol_km == pytest.approx(metres / 2000, rel=1e-2)
    assert loads["22"].patrol_km == loads["23"].patrol_km
    assert loads["00"].patrol_km == pytest.approx(loads["01"].patrol_km)
    assert loads["00"].patrol_km > 0
    assert loads["33"].patrol_km == 0


def test_a_road_along_the_county_s_border_counts_whole(straight: Tessellation) -> None:
    draft = Draft(straight, parents_of(straight))
    loads = loads_of(draft, units_at((2.5, 2.5)), roads(line((0, 2.1), (0, 2.9)))).of()
    assert loads["20"].patrol_km == pytest.approx(0.8 * STEP * 110_800 / 1000, rel=1e-2)


def test_an_edit_that_is_taken_back_leaves_the_figures_as_they_were(
    straight: Tessellation,
) -> None:
    draft = Draft(straight, parents_of(straight))
    loads = loads_of(draft, units_at((2.5, 2.2), (2.5, 2.8)), roads(line((2.5, 2.1), (2.5, 2.9))))
    edit = {"kind": "split", "grid": "22", "line": line((1.9, 2.5), (3.1, 2.5)), "keeps": "left"}
    before = loads.of()
    loads.apply(draft.apply(edit))
    tried = loads.of(["22", "new-1"])
    assert tried["22"].households == tried["new-1"].households == 10
    patrol_km = tried["22"].patrol_km + tried["new-1"].patrol_km
    assert patrol_km == pytest.approx(before["22"].patrol_km, abs=1e-3)  # each is rounded
    assert tried["new-1"].target == (80, 300)
    loads.apply(draft.undo())
    assert loads.of() == before


def test_two_hundred_edits_give_what_counting_everything_gives(drawn: Tessellation) -> None:
    chance = np.random.default_rng(2)
    places = [tuple(place) for place in chance.uniform(-0.2, 5.2, (600, 2)).tolist()]
    counts = np.hstack([chance.integers(0, 9, (600, 5)), chance.uniform(0, 2, (600, 1))])
    lines = [
        line(*(tuple(place) for place in chance.uniform(0, 5, (2, 2)).tolist())) for _ in range(40)
    ]
    corner = shapely.affinity.rotate(box(0, 0), 7, origin=at(2.5, 2.5)).exterior
    lines += [shapely.LineString(corner.coords[:3]), shapely.LineString(corner.coords[2:4])]
    draft = Draft(drawn, parents_of(drawn))
    units = units_at(*places, counts=counts.tolist())
    loads = loads_of(draft, units, roads(*lines))
    for count, change in enumerate(redrawing.edited(draft, random.Random(4), 60)):
        loads.apply(change)
        if count % 20 == 19:
            assert_equal(loads, loads_of(draft, units, roads(*lines)))
    while draft.changes:
        loads.apply(draft.undo())
    assert_equal(loads, loads_of(draft, units, roads(*lines)))


def test_a_copy_and_its_original_go_their_own_ways(drawn: Tessellation) -> None:
    chance = np.random.default_rng(5)
    places = [tuple(place) for place in chance.uniform(0, 5, (200, 2)).tolist()]
    units = units_at(*places)
    lines = roads(
        *(line(*(tuple(xy) for xy in chance.uniform(0, 5, (2, 2)).tolist())) for _ in range(12))
    )
    one, other = Draft(drawn, parents_of(drawn)), Draft(drawn, parents_of(drawn))
    loads = loads_of(one, units, lines)
    before = loads.of()
    copy = loads.copy()
    for change in redrawing.edited(other, random.Random(6), 12):
        copy.apply(change)
    assert loads.of() == before
    assert copy.of() != before
    assert_equal(loads, loads_of(one, units, lines))
    assert_equal(copy, loads_of(other, units, lines))
    after = copy.of()
    for change in redrawing.edited(one, random.Random(7), 12):
        loads.apply(change)
    assert copy.of() == after
    assert_equal(loads, loads_of(one, units, lines))


def assert_equal(loads: Loads, counted: Loads) -> None:
    here, there = loads.of(), counted.of()
    assert here.keys() == there.keys()
    for key, load in here.items():
        other = there[key]
        assert load.households == other.households
        assert load.people == other.people
        assert load.incidents_month == pytest.approx(other.incidents_month, abs=1e-3)
        assert load.patrol_km == pytest.approx(other.patrol_km, abs=2e-4)
    assert loads.outside.tolist() == counted.outside.tolist()
