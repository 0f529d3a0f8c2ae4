"""Classes of a filled map: round, few, complete; and small cells that no total gives away."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis_service.maps.figures.classes import (
    AROUND_TARGET,
    SEQUENTIAL,
    class_of,
    hide_small,
    nice,
    round_breaks,
    size_class,
    spread,
)

counts = st.lists(st.integers(0, 100_000), max_size=200)


@pytest.mark.parametrize(
    ("value", "rounded"),
    [(1, 1), (14, 15), (187, 200), (2.4, 2), (9.6, 10), (777, 800), (0.03, 0.03)],
)
def test_a_nice_number_is_near_and_short(value: float, rounded: float) -> None:
    assert nice(value) == pytest.approx(rounded)


@given(counts)
def test_breaks_rise_are_few_and_leave_no_class_open_below(values: list[int]) -> None:
    breaks = round_breaks(values)
    assert breaks == sorted(set(breaks))
    assert len(breaks) <= 4
    assert all(min(values) < b <= max(values) for b in breaks)
    assert all(b == int(b) for b in breaks)


@given(counts)
def test_every_value_falls_into_one_class(values: list[int]) -> None:
    breaks = round_breaks(values)
    assert all(0 <= class_of(value, breaks) <= len(breaks) for value in values)


def test_where_most_have_none_none_is_a_class_of_its_own() -> None:
    breaks = round_breaks([0] * 50 + [1] * 20 + [2] * 10 + [5] * 10 + [12])
    assert breaks[0] == 1
    assert class_of(0, breaks) == 0
    assert class_of(1, breaks) >= 1


def test_equal_values_are_one_class() -> None:
    assert round_breaks([7, 7, 7]) == []
    assert round_breaks([]) == []


@pytest.mark.parametrize(
    ("households", "expected"),
    [(99, 0), (100, 1), (199, 1), (200, 2), (300, 2), (301, 3), (450, 3), (451, 4)],
)
def test_the_size_rule_counts_both_limits_as_right(households: int, expected: int) -> None:
    assert size_class(households, 200, 300) == expected


@pytest.mark.parametrize("classes", [1, 2, 3, 4, 5])
def test_fewer_classes_keep_colours_apart(classes: int) -> None:
    assert len(set(spread(SEQUENTIAL["YlGnBu"], classes))) == classes


def test_the_colours_around_a_target_are_those_of_the_page() -> None:
    assert AROUND_TARGET == ("#6b4a9b", "#b3a2d0", "#efe9d2", "#eebd80", "#c8682c")


def test_a_small_cell_alone_takes_a_sibling_with_it() -> None:
    assert hide_small({1: 3, 2: 50, 3: 20, 4: 0}, {1: 9, 2: 9, 3: 9, 4: 9}) == {1, 3}


def test_two_small_cells_hide_each_other() -> None:
    assert hide_small({1: 3, 2: 4, 3: 20}, {1: 9, 2: 9, 3: 9}) == {1, 2}


@given(st.dictionaries(st.integers(1, 40), st.integers(0, 12), max_size=40))
def test_no_family_has_exactly_one_hidden_cell_beside_one_that_could_be_hidden(
    sizes: dict[int, int],
) -> None:
    parent_of: dict[int, int | None] = {grid: grid % 5 for grid in sizes}
    hidden = hide_small(sizes, parent_of)
    assert all(grid in hidden for grid, size in sizes.items() if 1 <= size <= 4)
    for family in range(5):
        filled = [grid for grid in sizes if grid % 5 == family and sizes[grid] > 0]
        gone = [grid for grid in filled if grid in hidden]
        assert len(gone) != 1 or len(filled) == 1


def test_nice_of_small_numbers_stays_positive() -> None:
    assert all(nice(10.0**power) > 0 and math.isfinite(nice(10.0**power)) for power in range(-6, 7))
