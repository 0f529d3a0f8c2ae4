"""Nothing hidden can be told: proven by linear programming on drawn tables."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from gis_service.coverage.measuring.disclosure import (
    NO_PARENT,
    Counts,
    Hidden,
    choose_hidden,
    choose_hidden_entries,
)

CATEGORIES = 4
NOT_COVERED = -1
TOGETHER = (1, 2, 3)
Kinds = dict[str, np.ndarray]


def counts_of(shape: list[list[int]], leaves: Mapping[str, list[list[int]]]) -> Counts:
    """A county of middle grids of so many base grids each, ``shape`` by town."""
    parent = [NO_PARENT]
    lowest: list[int] = []
    for town in shape:
        parent.append(0)
        town_at = len(parent) - 1
        for base_grids in town:
            parent.append(town_at)
            middle = len(parent) - 1
            for _ in range(base_grids):
                parent.append(middle)
                lowest.append(len(parent) - 1)
    kinds: Kinds = {}
    for kind, rows in leaves.items():
        table = np.zeros((len(parent), CATEGORIES), dtype=np.int64)
        table[lowest] = rows
        for at in range(len(parent) - 1, 0, -1):
            table[parent[at]] += table[at]
        kinds[kind] = table
    return Counts(np.array(parent), kinds)


Key = tuple[str, int, int]


def adding_up(counts: Counts, column: Mapping[Key, int]) -> np.ndarray:
    """One row a sum that must be zero: categories less n, grids below less the one above."""
    sums: list[dict[int, float]] = []
    for kind in counts.kinds:
        for grid, below in enumerate(counts.children):
            parts = {column[kind, grid, category]: 1.0 for category in range(CATEGORIES)}
            sums.append(parts | {column["n", grid, 0]: -1.0})
            for category in range(CATEGORIES) if below else ():
                parts = {column[kind, child, category]: 1.0 for child in below}
                sums.append(parts | {column[kind, grid, category]: -1.0})
    matrix = np.zeros((len(sums), len(column)))
    for place, row in enumerate(sums):
        for at, value in row.items():
            matrix[place, at] = value
    return matrix


def ranges(counts: Counts, hidden: Hidden) -> dict[Key, float]:
    """How far each hidden number could vary, for one who knows that all add up and none is < 0."""
    grids = range(len(counts.parent))
    keys = [("n", grid, 0) for grid in grids]
    keys += [(kind, g, c) for kind in counts.kinds for g in grids for c in range(CATEGORIES)]
    column = {key: at for at, key in enumerate(keys)}
    matrix = adding_up(counts, column)
    value_of = {
        (name, grid, category): int(
            counts.n[grid] if name == "n" else counts.kinds[name][grid, category]
        )
        for name, grid, category in column
    }
    is_hidden = {
        (name, grid, category): bool(
            hidden.n[grid] if name == "n" else hidden.cells[name][grid, category]
        )
        for name, grid, category in column
    }
    loose = [at for key, at in column.items() if is_hidden[key]]
    fixed = [at for key, at in column.items() if not is_hidden[key]]
    values = np.array([value_of[key] for key in column], dtype=float)
    rest = -matrix[:, fixed] @ values[fixed]
    used = np.abs(matrix[:, loose]).sum(axis=1) > 0
    # What is there; then tables that would be published the same.
    seen: list[np.ndarray] = [values[loose]]

    def widths() -> np.ndarray:
        return np.asarray(np.ptp(np.array(seen), axis=0))

    for at in range(len(loose)):
        for sign in (1, -1):
            if widths()[at] >= 1:
                break
            cost = np.zeros(len(loose))
            cost[at] = sign
            # A number that grows without limit is stopped far off.
            answer = linprog(cost, A_eq=matrix[used][:, loose], b_eq=rest[used], bounds=(0, 10_000))
            assert answer.status == 0, answer.message
            seen.append(np.asarray(answer.x))
    keys = [key for key in column if is_hidden[key]]
    bounds = dict(zip(keys, widths().tolist(), strict=True))
    for kind, grid in small_sums(counts):  # all that are not covered, together
        cost = np.array([float(k == kind and g == grid and c > 0) for k, g, c in keys])
        sums = np.array(seen) @ cost
        bounds[kind, grid, NOT_COVERED] = float(np.ptp(sums))
        for sign in (1, -1):
            if bounds[kind, grid, NOT_COVERED] < 1:
                answer = linprog(
                    sign * cost, A_eq=matrix[used][:, loose], b_eq=rest[used], bounds=(0, 10_000)
                )
                sums = np.append(sums, np.asarray(answer.x) @ cost)
                bounds[kind, grid, NOT_COVERED] = float(np.ptp(sums))
    return bounds


def small_sums(counts: Counts) -> list[tuple[str, int]]:
    return [
        (kind, int(grid))
        for kind, table in counts.kinds.items()
        for grid in np.flatnonzero((table[:, 1:].sum(axis=1) > 0) & (table[:, 1:].sum(axis=1) < 5))
    ]


@st.composite
def drawn_counts(draw: st.DrawFn, kinds: int = 1) -> Counts:
    shape = draw(st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=2), min_size=1,
                          max_size=2))  # fmt: skip
    lowest = sum(sum(town) for town in shape)
    number = st.one_of(st.just(0), st.integers(0, 6), st.integers(0, 60))
    first = draw(st.lists(st.lists(number, min_size=4, max_size=4), min_size=lowest,
                          max_size=lowest))  # fmt: skip
    tables = {"": first}
    for kind in range(1, kinds):
        rows = []
        for row in first:  # the same households, otherwise reached
            left, parts = sum(row), []
            for _ in range(CATEGORIES - 1):
                parts.append(draw(st.integers(0, left)))
                left -= parts[-1]
            rows.append([*parts, left])
        tables[f"kind{kind}"] = rows
    return counts_of(shape, tables)


def small_cells(counts: Counts) -> list[tuple[str, int, int]]:
    return [
        (kind, int(grid), int(category))
        for kind, table in counts.kinds.items()
        for grid, category in np.argwhere((table > 0) & (table < 5))
    ]


@settings(max_examples=40, deadline=None)
@given(drawn_counts())
def test_no_hidden_number_can_be_told(counts: Counts) -> None:
    hidden = choose_hidden(counts, together=TOGETHER)
    assert all(hidden.cells[key[0]][key[1:]] for key in small_cells(counts))
    assert hidden.n[(counts.n > 0) & (counts.n < 5)].all()
    ranges_of_cells = {
        key: width for key, width in ranges(counts, hidden).items() if width < 1 - 1e-6
    }
    assert ranges_of_cells == {}


@settings(max_examples=15, deadline=None)
@given(drawn_counts(kinds=3))
def test_kinds_that_share_their_households_do_not_tell_on_each_other(counts: Counts) -> None:
    hidden = choose_hidden(counts, together=TOGETHER)
    assert all(hidden.cells[key[0]][key[1:]] for key in small_cells(counts))
    assert min(ranges(counts, hidden).values(), default=1.0) >= 1 - 1e-6


@settings(max_examples=15, deadline=None)
@given(drawn_counts(), st.integers(2, 4))
def test_people_are_hidden_where_their_households_are(counts: Counts, each: int) -> None:
    households = choose_hidden(counts)
    people = Counts(counts.parent, {"": counts.kinds[""] * each})
    hidden = choose_hidden(
        people, with_n=households.n, with_cells=households.cells, together=TOGETHER
    )
    wanted = households.cells[""] & (people.kinds[""] > 0)
    assert hidden.cells[""][wanted].all()
    assert min(ranges(people, hidden).values(), default=1.0) >= 1 - 1e-6


def test_nothing_is_hidden_where_nothing_is_small() -> None:
    counts = counts_of([[2, 2]], {"": [[80, 20, 0, 0], [90, 9, 0, 6], [50, 0, 0, 0], [7, 8, 0, 0]]})
    hidden = choose_hidden(counts)
    assert not hidden.n.any()
    assert not hidden.cells[""].any()


def test_a_small_category_takes_two_categories_of_two_siblings_with_it() -> None:
    rows = [[80, 3, 0, 0], [60, 9, 0, 0], [70, 40, 0, 0], [90, 30, 0, 0]]
    counts = counts_of([[2, 2]], {"": rows})
    hidden = choose_hidden(counts)
    assert np.argwhere(hidden.cells[""]).tolist() == [[3, 0], [3, 1], [4, 0], [4, 1]]
    assert not hidden.n.any()


def test_few_that_are_not_covered_are_not_told_by_those_who_are() -> None:
    rows = [[80, 2, 1, 0], [60, 9, 6, 0], [70, 40, 0, 0], [90, 30, 0, 0]]
    counts = counts_of([[2, 2]], {"": rows})
    apart = choose_hidden(counts)
    assert not apart.cells[""][3, 0]  # 83 less 80 are 3
    hidden = choose_hidden(counts, together=TOGETHER)
    assert hidden.cells[""][3, 0]
    assert min(ranges(counts, hidden).values()) >= 1


def test_a_small_grid_takes_its_smallest_sibling_with_it() -> None:
    rows = [[3, 0, 0, 0], [60, 0, 0, 0], [50, 0, 0, 0], [90, 30, 0, 0]]
    counts = counts_of([[3, 1]], {"": rows})
    hidden = choose_hidden(counts)
    assert np.flatnonzero(hidden.n).tolist() == [3, 5]
    assert np.argwhere(hidden.cells[""]).tolist() == [[3, 0], [5, 0]]


def test_the_county_hides_its_own_small_category() -> None:
    counts = counts_of([[1]], {"": [[500, 20, 2, 0]]})
    hidden = choose_hidden(counts)
    assert hidden.cells[""].all(axis=0).tolist() == [False, False, True, True]
    assert min(ranges(counts, hidden).values()) >= 1


def test_a_county_of_three_households_is_hidden_whole() -> None:
    counts = counts_of([[1], [1]], {"": [[2, 0, 0, 0], [0, 1, 0, 0]]})
    hidden = choose_hidden(counts)
    assert hidden.n.all()
    assert min(ranges(counts, hidden).values()) >= 1


def test_a_table_that_does_not_add_up_is_refused() -> None:
    table = np.array([[5, 5], [5, 4]])
    with pytest.raises(ValueError, match="add up"):
        Counts(np.array([NO_PARENT, 0]), {"": table})
    with pytest.raises(ValueError, match="one root"):
        Counts(np.array([NO_PARENT, NO_PARENT]), {"": table})


@pytest.mark.parametrize(
    ("sizes", "hidden"),
    [
        ([40, 3, 12, 7], [False, True, False, True]),
        ([2, 1, 9], [True, True, False]),
        ([3], [True]),
        ([50, 0, 8], [False, False, False]),
        ([], []),
    ],
)
def test_a_list_hides_its_small_entries_never_one_alone(
    sizes: list[int], hidden: list[bool]
) -> None:
    assert choose_hidden_entries(sizes) == hidden
