"""Which figures to hide in what leaves the house, so that no total gives a small cell away.

A table counts households by grid, from base grid to county, in categories that add up. Cells of
1–4 households are hidden, and others with them: always as a *move*, a change of the table by one
household that keeps every published number as it is. So each hidden cell could have held another
value, and nobody can tell which by subtraction. Numbers in, masks out; the store is not read.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

SMALLEST: Final = 5
"""Cells of 1 to SMALLEST - 1 households are small."""
NO_PARENT: Final = -1


@dataclass(frozen=True)
class Counts:
    """
    Households by grid and category, for one or several kinds of facility.

    Attributes
    ----------
    parent
        Position of each grid's parent, :data:`NO_PARENT` at the one root.
    kinds
        By kind: grids x categories. The categories of a grid add up to the same number in every
        kind, and the grids below another one add up to it.

    Raises
    ------
    ValueError
        The table does not add up, or has not exactly one root.
    """

    parent: IntArray
    kinds: Mapping[str, IntArray]

    def __post_init__(self) -> None:
        if (self.parent == NO_PARENT).sum() != 1:
            message = "the table must have exactly one root"
            raise ValueError(message)
        for kind, table in self.kinds.items():
            if (table < 0).any() or (table.sum(axis=1) != self.n).any():
                message = f"the categories of {kind or 'the rule'} do not add up to n"
                raise ValueError(message)
            below = np.zeros_like(table)
            inner = self.parent != NO_PARENT
            np.add.at(below, self.parent[inner], table[inner])
            has_children = np.bincount(self.parent[inner], minlength=len(table)) > 0
            if (below[has_children] != table[has_children]).any():
                message = f"the grids below another one do not add up to it ({kind or 'the rule'})"
                raise ValueError(message)

    @cached_property
    def n(self) -> IntArray:
        """Households of each grid."""
        first = next(iter(self.kinds.values()))
        return np.asarray(first.sum(axis=1), dtype=np.int64)

    @cached_property
    def children(self) -> list[list[int]]:
        """Positions of the grids below each."""
        below: list[list[int]] = [[] for _ in self.parent]
        for position, parent in enumerate(self.parent.tolist()):
            if parent != NO_PARENT:
                below[parent].append(position)
        return below

    @cached_property
    def from_above(self) -> list[int]:
        """All positions, each after its parent."""
        (root,) = np.flatnonzero(self.parent == NO_PARENT).tolist()
        order = [root]
        for position in order:
            order.extend(self.children[position])
        return order


@dataclass(frozen=True)
class Hidden:
    """What must not be shown."""

    # By grid: the number of households, and with it every share and time.
    n: BoolArray
    # By kind: grids x categories.
    cells: dict[str, BoolArray]


def choose_hidden(
    counts: Counts,
    *,
    with_n: BoolArray | None = None,
    with_cells: Mapping[str, BoolArray] | None = None,
    together: Sequence[int] = (),
    smallest: int = SMALLEST,
) -> Hidden:
    """
    Choose the cells to hide.

    Parameters
    ----------
    counts
        All that is to be published, from the base grids to the county.
    with_n, with_cells
        What is hidden in another table of the same grids (of people beside that of households) and
        must be hidden here too; a cell of 0 among them is hidden only where it could be another.
    together
        Categories whose sum is a cell too, such as all that are not covered: where it is small, it
        cannot be told from ``n`` and the others.
    smallest
        Cells of 1 to ``smallest - 1`` are small.

    Returns
    -------
    Hidden
        Every small cell is in it; each cell in it could hold at least one other whole number with
        all that is not hidden staying as it is, also where the reader knows that every count is
        zero or more and how they add up.
    """
    masks = _Masks(counts, together)
    small_n = (counts.n > 0) & (counts.n < smallest)
    if with_n is not None:
        small_n |= with_n & (counts.n > 0)
    for grid in counts.from_above:
        if small_n[grid] and not masks.n[grid]:
            masks.hide_number(grid)
    for kind, table in counts.kinds.items():
        small = (table > 0) & (table < smallest)
        if with_cells is not None:
            small |= with_cells[kind] & (table > 0)
        sums = table[:, list(together)].sum(axis=1)
        masks.hide_all(kind, small, (sums > 0) & (sums < smallest))
    return Hidden(masks.n, masks.cells)


def choose_hidden_entries(sizes: Sequence[int], smallest: int = SMALLEST) -> list[bool]:
    """
    Choose what to hide of a plain list whose sum is known.

    Parameters
    ----------
    sizes
        Households of each entry.
    smallest
        Entries of 1 to ``smallest - 1`` are small.

    Returns
    -------
    list of bool
        True for the small ones, and where one would be alone, for the next smallest with it.
    """
    hidden = [0 < size < smallest for size in sizes]
    if sum(hidden) == 1:
        others = [(size, place) for place, size in enumerate(sizes) if size and not hidden[place]]
        if others:
            hidden[min(others)[1]] = True
    return hidden


@dataclass(frozen=True)
class _Way:
    """A way down to a lowest grid, and how much more it would hide."""

    cost: float
    grids: tuple[int, ...]


_NO_WAY: Final = _Way(math.inf, ())


class _Masks:
    """The masks in the making: they grow by moves only."""

    def __init__(self, counts: Counts, together: Sequence[int]) -> None:
        self.counts = counts
        self.together = frozenset(together)
        self.n: BoolArray = np.zeros(len(counts.parent), dtype=bool)
        self.cells: dict[str, BoolArray] = {
            kind: np.zeros(table.shape, dtype=bool) for kind, table in counts.kinds.items()
        }
        self.sums: dict[str, BoolArray] = {  # of the categories together: could be another number
            kind: np.zeros(len(table), dtype=bool) for kind, table in counts.kinds.items()
        }

    # --- one household moves from one lowest grid to another ------------------------------------

    def hide_number(self, grid: int) -> None:
        """Hide how many live in a grid: somebody of it might as well live in a sibling."""
        # All grids on the way between both lose or gain the household; the first grid above both,
        # and whatever is above it, stays as it is.
        down = self._find_lowest(grid)
        up = [*down.grids]
        current = grid
        down_beside = _NO_WAY
        while self.counts.parent[current] != NO_PARENT:
            above = int(self.counts.parent[current])
            others = (
                self._find_lowest(child)
                for child in self.counts.children[above]
                if child != current
            )
            down_beside = min(others, key=lambda way: way.cost, default=_NO_WAY)
            if down_beside.grids:
                break
            up.append(above)
            current = above
        way = [*up, *down_beside.grids]
        self.n[way] = True
        for kind, table in self.counts.kinds.items():
            moving = table[down.grids[-1]] > 0
            if down_beside.grids:
                moving |= table[down_beside.grids[-1]] > 0
            self.cells[kind][np.ix_(way, moving)] = True
            if moving[list(self.together)].any():
                self.sums[kind][way] = True

    def _find_lowest(self, grid: int) -> _Way:
        """Find the way down to somebody that hides least; nobody lives in an empty grid."""
        if self.counts.n[grid] == 0:
            return _NO_WAY
        own = 0.0 if self.n[grid] else float(self.counts.n[grid]) + 1
        below = self.counts.children[grid]
        if not below:
            return _Way(own, (grid,))
        best = min((self._find_lowest(child) for child in below), key=lambda way: way.cost)
        return _Way(own + best.cost, (grid, *best.grids))

    # --- two households exchange their categories -----------------------------------------------

    def hide_all(self, kind: str, small: BoolArray, small_sums: BoolArray) -> None:
        """Hide what is small, and the sums that are, as far as no move has done it yet."""
        for grid in self.counts.from_above:
            for category in np.flatnonzero(small[grid]).tolist():
                if not self.cells[kind][grid, category]:
                    self.hide_categories(kind, grid, [category])
        for grid in self.counts.from_above:
            if small_sums[grid] and not self.sums[kind][grid]:
                self.hide_categories(kind, grid, sorted(self.together))

    def hide_categories(self, kind: str, grid: int, categories: Sequence[int]) -> None:
        """
        Hide a category of a grid: one of its households and one of a sibling might be exchanged.

        Two categories are hidden together on the way between two lowest grids; how many live in
        each grid stays as it is. Of several categories one is taken, and another that is not among
        them, so that their sum changes.
        """
        table = self.counts.kinds[kind]
        others = [category for category in range(table.shape[1]) if category not in categories]
        pairs = [(category, other) for category in categories for other in others]
        up: list[int] = []
        current = grid
        while True:
            exchanges = self._list_exchanges(kind, grid, current, pairs)
            best = min(exchanges, key=lambda exchange: exchange[0], default=None)
            if best is not None and best[0] < math.inf:
                _, pair, way = best
                break
            up.append(current)
            current = int(self.counts.parent[current])
        way = [*up, *way]
        self.cells[kind][np.ix_(way, pair)] = True
        if (pair[0] in self.together) != (pair[1] in self.together):
            self.sums[kind][way] = True

    def _list_exchanges(
        self, kind: str, grid: int, current: int, pairs: Sequence[tuple[int, int]]
    ) -> Iterator[tuple[float, tuple[int, int], list[int]]]:
        above = int(self.counts.parent[current])
        siblings = (
            [child for child in self.counts.children[above] if child != current]
            if above != NO_PARENT
            else []
        )
        for pair in pairs:
            for own, foreign in (pair, pair[::-1]):
                down = self._find_holder(kind, grid, pair, own)
                if not down.grids:
                    continue
                if above == NO_PARENT:  # the county's own two categories are hidden too
                    yield down.cost, pair, list(down.grids)
                for sibling in siblings:
                    down_beside = self._find_holder(kind, sibling, pair, foreign)
                    if down_beside.grids:
                        yield down.cost + down_beside.cost, pair, [*down.grids, *down_beside.grids]

    def _find_holder(self, kind: str, grid: int, pair: tuple[int, int], needed: int) -> _Way:
        """Find the way down to a household of a category that hides least of both categories."""
        table, hidden = self.counts.kinds[kind], self.cells[kind]
        if table[grid, needed] == 0:
            return _NO_WAY
        own = sum(
            0.0 if hidden[grid, category] else float(table[grid, category]) + 1 for category in pair
        )
        below = self.counts.children[grid]
        if not below:
            return _Way(own, (grid,))
        best = min(
            (self._find_holder(kind, child, pair, needed) for child in below),
            key=lambda way: way.cost,
        )
        return _Way(own + best.cost, (grid, *best.grids))
