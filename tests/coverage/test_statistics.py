"""Figures by grid: they add up, and a household counts once in each level."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis_service.coverage.measuring.statistics import (
    NO_GRID,
    RULE,
    Hierarchy,
    KindOutcome,
    count_figures,
)
from gis_service.coverage.travel.travel_time import (
    COVERED,
    OFF_NETWORK,
    STATUS_NAMES,
    TOO_FAR,
    UNREACHABLE,
)

# Town 1 with middle grids 10 and 11; base grids 100, 101 in 10 and 102 in 11.
TOWN = Hierarchy(
    np.array([102, 1, 10, 11, 100, 101]),
    np.array([3, 1, 2, 2, 3, 3]),
    np.array([11, NO_GRID, 1, 1, 10, 10]),
)


def outcome(
    status: list[int] | npt.NDArray[np.int8], minutes: list[float] | npt.NDArray[np.float64]
) -> KindOutcome:
    return KindOutcome(RULE, np.array(status, dtype=np.int8), np.array(minutes, dtype=float))


def test_a_household_counts_in_its_grid_and_in_each_grid_above() -> None:
    table = count_figures(
        TOWN,
        np.array([100, 101, 101, 102, NO_GRID]),
        [
            outcome(
                [COVERED, COVERED, TOO_FAR, UNREACHABLE, OFF_NETWORK],
                [3.0, 5.0, 30.0, np.inf, np.inf],
            )
        ],
    ).set_index("grid_id")
    assert table["n"].to_dict() == {0: 5, 1: 4, 10: 3, 11: 1, 102: 1, 100: 1, 101: 2}
    assert table.loc[0, ["covered", "too_far", "unreachable", "off_network"]].tolist() == [
        2,
        1,
        1,
        1,
    ]
    assert table.loc[10, ["covered", "too_far"]].tolist() == [2, 1]
    assert table["rank"].to_dict() == {0: 0, 1: 1, 10: 2, 11: 2, 102: 3, 100: 3, 101: 3}


def test_minutes_are_of_those_who_are_reached_at_all() -> None:
    table = count_figures(
        TOWN,
        np.array([101, 101, 101, 102]),
        [outcome([COVERED, COVERED, UNREACHABLE, UNREACHABLE], [2.0, 4.0, np.inf, np.inf])],
    ).set_index("grid_id")
    assert table.loc[101, "median_minutes"] == pytest.approx(3.0)
    assert table.loc[101, "p90_minutes"] == pytest.approx(3.8)
    assert table.loc[101, "worst_minutes"] == pytest.approx(4.0)
    assert table["median_minutes"].isna().to_dict()[102]
    assert table["worst_minutes"].isna().to_dict()[100]
    assert table.loc[100, "n"] == 0


def test_a_grid_that_is_not_in_force_counts_in_the_county_only() -> None:
    table = count_figures(TOWN, np.array([999]), [outcome([COVERED], [1.0])]).set_index("grid_id")
    assert table.loc[0, "n"] == 1
    assert table.drop(index=0)["n"].sum() == 0


def test_without_households_every_figure_is_nought() -> None:
    table = count_figures(TOWN, np.array([], dtype=np.int64), [outcome([], [])])
    assert len(table) == 7
    assert (table["n"] == 0).all()


def test_a_region_of_one_level_has_that_level_and_the_county() -> None:
    flat = Hierarchy(np.array([7, 8]), np.array([1, 1]), np.array([NO_GRID, NO_GRID]))
    table = count_figures(flat, np.array([7, 8, 8]), [outcome([COVERED] * 3, [1.0, 2.0, 3.0])])
    assert table[["rank", "n"]].to_numpy().tolist() == [[0, 3], [1, 1], [1, 2]]


@given(
    households=st.lists(
        st.tuples(
            st.sampled_from([100, 101, 102, NO_GRID]),
            st.sampled_from([COVERED, TOO_FAR, UNREACHABLE, OFF_NETWORK]),
            st.floats(0, 100),
        ),
        max_size=40,
    )
)
@settings(max_examples=100, deadline=None)
def test_figures_add_up_at_every_level(households: list[tuple[int, int, float]]) -> None:
    grid = np.array([household[0] for household in households], dtype=np.int64)
    status = np.array([household[1] for household in households], dtype=np.int8)
    minutes = np.array([household[2] for household in households], dtype=float)
    minutes[status >= UNREACHABLE] = np.inf
    table = count_figures(TOWN, grid, [outcome(status, minutes)])
    counts = table[["n", *STATUS_NAMES]].to_numpy(int)
    rank = table["rank"].to_numpy(int)
    assert (counts[:, 1:].sum(axis=1) == counts[:, 0]).all()
    sums = {level: counts[rank == level].sum(axis=0) for level in range(4)}
    assert sums[1].tolist() == sums[2].tolist() == sums[3].tolist()
    assert sums[0][0] == len(households)
    assert sums[0][0] - sums[3][0] == (grid == NO_GRID).sum()

    grid_id = table["grid_id"].to_numpy(int)
    quantiles = table[["median_minutes", "p90_minutes", "worst_minutes"]].to_numpy(float)
    for row in np.flatnonzero((rank == 3) | (rank == 0)):
        inside = np.isfinite(minutes) & ((grid == grid_id[row]) | (rank[row] == 0))
        if inside.any():
            expected = np.quantile(minutes[inside], [0.5, 0.9, 1.0])
            assert quantiles[row] == pytest.approx(expected)
        else:
            assert np.isnan(quantiles[row]).all()


def test_a_weight_counts_as_so_many_in_a_line() -> None:
    dice = np.random.default_rng(8)
    n = 500
    hierarchy = Hierarchy(np.array([1, 2, 3]), np.array([1, 2, 2]), np.array([NO_GRID, 1, 1]))
    base = dice.choice([2, 3, NO_GRID], n)
    minutes = np.where(dice.random(n) < 0.1, np.inf, dice.uniform(0, 40, n).round(1))
    status = np.where(np.isinf(minutes), 2, (minutes > 20).astype(int)).astype(np.int8)
    weight = dice.integers(0, 4, n)
    table = count_figures(
        hierarchy,
        base,
        [KindOutcome(RULE, status, minutes)],
        {"households": np.ones(n, np.int64), "people": weight},
    )
    line = np.repeat(np.arange(n), weight)
    alone = count_figures(hierarchy, base[line], [KindOutcome(RULE, status[line], minutes[line])])
    of_people = table[table["of"] == "people"].drop(columns="of").reset_index(drop=True)
    pd.testing.assert_frame_equal(of_people, alone.drop(columns="of"), check_categorical=False)
    of_all = table[table["of"] == "households"].drop(columns="of").reset_index(drop=True)
    plain = count_figures(hierarchy, base, [KindOutcome(RULE, status, minutes)]).drop(columns="of")
    pd.testing.assert_frame_equal(of_all, plain, check_categorical=False)
