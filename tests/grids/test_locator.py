"""The locator on drawn cases and on random ones."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis_service.geodesy import distance_m
from gis_service.grids.locator import NO_GRID, Locator


@pytest.fixture(scope="module")
def four() -> Locator:
    """Four squares around (1, 1); ids deliberately out of order."""
    boxes = [
        shapely.box(0, 0, 1, 1),
        shapely.box(1, 0, 2, 1),
        shapely.box(0, 1, 1, 2),
        shapely.box(1, 1, 2, 2),
    ]
    return Locator([40, 30, 20, 10], boxes)


def test_a_point_inside_has_its_grid_and_no_tie(four: Locator) -> None:
    answer = four.locate([0.5, 1.5], [0.5, 0.5])
    assert answer.grid_id.tolist() == [40, 30]
    assert not answer.tie.any()


def test_a_point_on_a_shared_edge_goes_to_the_lowest_id_and_says_so(four: Locator) -> None:
    answer = four.locate([1.0, 1.0, 0.5], [0.5, 1.0, 1.0])
    assert answer.grid_id.tolist() == [30, 10, 20]
    assert answer.tie.all()


def test_the_outer_border_belongs_to_its_grid_without_a_tie(four: Locator) -> None:
    answer = four.locate([0.0], [0.5])
    assert answer.grid_id.tolist() == [40]
    assert not answer.tie.any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_outside(four: Locator, bad: float) -> None:
    assert four.locate([bad, 0.5], [0.5, bad]).grid_id.tolist() == [NO_GRID, NO_GRID]


def test_outside_is_answered_with_the_nearest_grid_and_its_distance(four: Locator) -> None:
    assert four.locate([2.01], [0.5]).grid_id.tolist() == [NO_GRID]
    assert four.nearest([2.01], [0.5]).grid_id.tolist() == [30]


def test_the_distance_to_the_nearest_grid_is_in_metres() -> None:
    county = Locator([1], [shapely.box(112.8, 28.6, 113.0, 28.8)])
    nearest = county.nearest([113.01], [28.7])
    assert nearest.distance_m[0] == pytest.approx(
        float(distance_m(113.0, 28.7, 113.01, 28.7)), rel=5e-5
    )


def test_without_grids_everything_is_outside() -> None:
    empty = Locator([], [])
    assert empty.locate([1.0], [1.0]).grid_id.tolist() == [NO_GRID]
    assert empty.nearest([1.0], [1.0]).distance_m.tolist() == [np.inf]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_every_point_agrees_with_asking_each_polygon_in_turn(seed: int) -> None:
    random = np.random.default_rng(seed)
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(random.random((12, 2)))))
    ids = random.permutation(100)[: len(cells)]
    corners = shapely.get_coordinates(cells)
    xy = np.vstack([random.random((200, 2)) * 1.4 - 0.2, corners])
    answer = Locator(ids, cells).locate(xy[:, 0], xy[:, 1])
    for (x, y), grid_id, tie in zip(xy, answer.grid_id, answer.tie, strict=True):
        point = shapely.Point(x, y)
        owners = [int(i) for i, cell in zip(ids, cells, strict=True) if cell.intersects(point)]
        assert grid_id == min(owners, default=NO_GRID)
        assert tie == (len(owners) > 1)
