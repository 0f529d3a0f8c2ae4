"""Figures rolled up a tree lose nothing; what people are called is masked before it leaves."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis_service.access.households import mask_name, mask_phone, write_address
from gis_service.grids.answers.tallies import add_up
from gis_service.grids.reading import like_pattern

TREE = {1: None, 2: 1, 3: 1, 4: 2, 5: 2, 6: 3}
LOWEST = (4, 5, 6)


@given(st.dictionaries(st.sampled_from(LOWEST), st.integers(0, 1000)))
def test_every_level_adds_up_to_the_one_above(numbers: dict[int, int]) -> None:
    below: dict[int | None, dict[str, int]] = {grid: {"n": n} for grid, n in numbers.items()}
    sums = add_up(below, TREE)
    total = sum(numbers.values())
    for level in ((1,), (2, 3), LOWEST):
        assert sum(sums.get(grid, {"n": 0})["n"] for grid in level) == total


def test_what_lies_outside_or_in_a_retired_grid_is_in_no_sum() -> None:
    assert add_up({None: {"n": 5}, 99: {"n": 7}, 4: {"n": 1}}, TREE)[1] == {"n": 1}


def test_rolling_up_leaves_the_input_alone() -> None:
    below: dict[int | None, dict[str, int]] = {4: {"n": 1}, 5: {"n": 2}}
    add_up(below, TREE)
    assert below == {4: {"n": 1}, 5: {"n": 2}}


@given(st.text(min_size=2, max_size=10))
def test_a_masked_name_keeps_the_first_sign_only(name: str) -> None:
    assert mask_name(name)[0] == name[0]
    assert set(mask_name(name)[1:]) == {"*"}


@given(st.text("0123456789-+ ", max_size=20))
def test_a_masked_phone_reaches_nobody(phone: str) -> None:
    masked = mask_phone(phone)
    assert len(masked) == len(phone)
    assert masked.count("*") >= min(3, len(phone))


@pytest.mark.parametrize(
    ("group", "room", "expected"),
    [(3, "502", "东街12号 3组 502"), (None, "", "东街12号"), (None, "502", "东街12号 502")],
)
def test_an_address_names_what_is_known(group: int | None, room: str, expected: str) -> None:
    row = SimpleNamespace(street="东街", house_number="12号", group_number=group, room=room)
    assert write_address(row) == expected


def test_a_pattern_holds_no_wild_card_of_the_users() -> None:
    assert like_pattern(r"100%_\ ") == r"%100\%\_\\%"
