"""Households that are not reached, as places: near each other, in one village, with a name."""

import numpy as np
import pytest
import shapely

from gis_service.access import SYSTEM
from gis_service.coverage.measuring.blind_spots import CELL_M, Missed, group_blind_spots
from gis_service.coverage.network.places import Standing, gather_places
from gis_service.coverage.runs import runs
from gis_service.coverage.travel.travel_time import OFF_NETWORK, TOO_FAR, UNREACHABLE
from gis_service.store import Store
from tests.coverage.drawn_county import BOOK, EAST, EAST_OFFICER, VISITOR, WEST
from tests.coverage.drawn_roads import DEGREES_PER_M, at_m

NAMES = {10: "龙潭村", 11: "大湾村", 1: "一组", 2: "二组", 3: "三组"}


def missed(*houses: tuple[float, float, int, int, int, float]) -> Missed:
    """x, y in metres, grid, village, status, minutes."""
    x, y, grid, village, status, minutes = (
        np.array(column) for column in zip(*houses, strict=True)
    )
    west, south = at_m(0, 0)
    return Missed(
        west + x * DEGREES_PER_M,
        south + y * DEGREES_PER_M,
        status.astype(np.int8),
        minutes.astype(float),
        np.full(len(x), 3),
        grid.astype(np.int64),
        village.astype(np.int64),
    )


def test_near_houses_of_one_village_are_one_place() -> None:
    spots = group_blind_spots(
        missed(
            (0, 0, 1, 10, TOO_FAR, 25.0),
            (150, 0, 1, 10, TOO_FAR, 27.0),
            (300, 40, 2, 10, UNREACHABLE, np.inf),
            (9000, 0, 2, 10, OFF_NETWORK, np.nan),  # the same village, far away
            (320, 40, 3, 11, TOO_FAR, 30.0),  # beside it, in another village
        ),
        NAMES,
    )
    assert [(spot.name, spot.households, spot.people) for spot in spots] == [
        ("龙潭村 一组", 3, 9),
        ("大湾村", 1, 3),
        ("龙潭村 二组", 1, 3),
    ]
    first = spots[0]
    assert first.reasons == {"too_far": 2, "unreachable": 1}
    assert (first.reason, first.worst_minutes, first.grid_ids) == ("too_far", 27.0, (1, 2))
    assert (spots[2].reason, spots[2].worst_minutes) == ("off_network", None)


def test_an_outline_holds_all_houses_and_shows_no_single_one() -> None:
    dice = np.random.default_rng(3)
    houses = [(*dice.uniform(0, 4000, 2), 1, 10, TOO_FAR, 25.0) for _ in range(400)]
    given = missed(*houses)
    spots = group_blind_spots(given, NAMES)
    assert sum(spot.households for spot in spots) == 400
    outlines = [shapely.geometry.shape(spot.geometry) for spot in spots]
    points = [shapely.Point(at) for at in zip(given.lon, given.lat, strict=True)]
    assert all(any(outline.contains(point) for outline in outlines) for point in points)
    for spot, outline in zip(spots, outlines, strict=True):
        assert spot.bbox == pytest.approx(outline.bounds, abs=1e-6)
        assert outline.area > 0


@pytest.mark.parametrize("gap_m", [CELL_M * 0.9, CELL_M * 3.1])
def test_nearness_is_a_matter_of_metres(gap_m: float) -> None:
    spots = group_blind_spots(
        missed((0, 0, 1, 10, TOO_FAR, 25.0), (gap_m, gap_m, 1, 10, TOO_FAR, 25.0)), NAMES
    )
    assert len(spots) == (1 if gap_m < CELL_M else 2)


def test_without_anybody_missed_there_is_no_place() -> None:
    none = np.zeros(0)
    whole = none.astype(np.int64)
    assert (
        group_blind_spots(Missed(none, none, whole.astype(np.int8), none, whole, whole, whole), {})
        == []
    )


def test_a_runs_blind_spots_are_told_to_who_may_see_them(county: Store) -> None:
    run_id = runs.measure(county, SYSTEM, "fire-20", book=BOOK)["run_id"]
    with county.transaction(SYSTEM) as connection:
        spots = runs.find_blind_spots(connection, SYSTEM, run_id)
        assert {(spot.name, spot.reason, spot.grid_ids) for spot in spots} == {
            ("中 西", "unreachable", (WEST,)),
            ("中 东", "off_network", (EAST,)),
            ("中 东", "too_far", (EAST,)),
        }
        assert len(runs.find_blind_spots(connection, EAST_OFFICER, run_id)) == 2
        assert runs.find_blind_spots(connection, VISITOR, run_id) == []


def test_stations_that_serve_a_grid(county: Store) -> None:
    run_id = runs.measure(county, SYSTEM, "fire-20", book=BOOK)["run_id"]
    with county.transaction(SYSTEM) as connection:
        (station,) = runs.list_serving_stations(connection, SYSTEM, run_id, WEST)
        assert (station.kind, station.households) == ("fire_station", 2)
        assert station.median_minutes <= station.worst_minutes
        assert runs.list_serving_stations(connection, VISITOR, run_id, WEST) == []
        household = runs.read_household(connection, SYSTEM, run_id, 1)
        assert (household.status, household.kinds["fire_station"]["facility_id"]) == (
            "covered",
            station.facility_id,
        )


def test_what_stands_on_one_point_is_one_place() -> None:
    at = np.array([1.0, 1.0, 2.0])
    houses = Standing(at, at, np.array([7, 7, 7]), {"households": np.ones(3, np.int64)})
    shops = Standing(at[1:], at[1:], np.array([8, 7]), {"premises": np.ones(2, np.int64)})
    places, where = gather_places({"a": houses, "b": shops}, ("households", "premises", "hazards"))
    assert places.base_grid.tolist() == [7, 7, 8]
    assert where["a"].tolist() == [0, 0, 1]
    assert where["b"].tolist() == [2, 1]
    assert {name: weight.tolist() for name, weight in places.weights.items()} == {
        "households": [2, 1, 0],
        "premises": [0, 1, 1],
        "hazards": [0, 0, 0],
    }
