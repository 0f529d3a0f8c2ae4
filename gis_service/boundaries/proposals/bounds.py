"""What no answer can better or meet: the fewest households that must move, and what cannot be.

Grids are taken in groups that hang together without the locked ones; nothing goes from one group
to another. All of it is arithmetic on households, so it holds for every answer that could be drawn.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import scipy  # whose sparse.csgraph and optimize are read when they are used

from gis_service.boundaries.proposals.task import NO_LIMIT, ProposalTask

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

MOST_CHOICES: Final = 300
"""Of so many atoms times grids a proof is tried."""
PROOF_S: Final = 1.0


@dataclass(frozen=True)
class Impossible:
    """
    Something that no answer can meet.

    Attributes
    ----------
    kind
        ``atom_too_big``: one atom holds more than a grid may. ``too_few``: all grids together
        hold less than one grid must. ``no_number``: no number of grids fits their households.
    grids
        Positions of the grids.
    households
        Of the atom, or of the grids together.
    low, high
        The rule that is not met.
    atom
        Which, where it is one.
    """

    kind: Literal["atom_too_big", "too_few", "no_number"]
    grids: tuple[int, ...]
    households: int
    low: int
    high: int
    atom: int | None = None


def group_grids(task: ProposalTask) -> list[IntArray]:
    """Find the grids that can give land to one another, locked ones left out."""
    sides = task.home[task.graph.edges]
    free = ~task.locked
    sides = sides[free[sides].all(axis=1)]
    links = scipy.sparse.coo_array((np.ones(len(sides)), tuple(sides.T)), (task.grids, task.grids))
    _, group = scipy.sparse.csgraph.connected_components(links, directed=False)
    present = free & (np.bincount(task.home, minlength=task.grids) > 0)
    return [np.flatnonzero(present & (group == one)) for one in np.unique(group[present]).tolist()]


def count_least_moves(task: ProposalTask) -> int:
    """Count the households that must move in every answer with all grids inside the rule.

    A household that moves leaves one grid of today and arrives in one grid, so an answer moves as
    many as leave and as many as arrive. Take a group of grids and an answer that keeps some of
    them. Of a kept grid with more than ``high`` households the excess leaves; of one that is given
    up all leave. A kept grid with fewer than ``low`` receives the deficit. There are at least
    ``ceil(total / max(high))`` grids afterwards; those beyond the kept ones are new, and each
    receives at least ``min(low)``. So the answer moves at least the greater of the two sums, and
    every answer at least the least of these over all choices of what is kept, of which there may
    be no more than ``total // min(low)``. Groups cannot help one another: their bounds add up.
    """
    households = task.households()
    return sum(
        _count_in_group(task.low[group], task.high[group], households[group])
        for group in group_grids(task)
    )


def find_least_border(task: ProposalTask, metres: FloatArray) -> float | None:
    """Find the shortest border that any answer inside the rule can have, where HiGHS proves it.

    Grids that hang together without the locked ones are parted into every number of grids that
    the rule allows; that a grid must be in one piece is left out, so that an answer may need more.
    ``metres`` are those of each edge of the graph; None without a proof within its time.
    """
    households = task.households()
    sides = task.home[task.graph.edges]
    stays = task.locked[sides].any(axis=1) & (sides[:, 0] != sides[:, 1])
    total = float(metres[stays].sum())
    for group in group_grids(task):
        atoms = np.flatnonzero(np.isin(task.home, group))
        people = int(households[group].sum())
        low, high = int(task.low[group].min()), min(int(task.high[group].max()), people)
        numbers = range(math.ceil(people / max(high, 1)) or 1, people // max(low, 1) + 1)
        if task.pieces is not None:
            numbers = range(task.pieces, task.pieces + 1)
        if not numbers or len(atoms) * numbers[-1] > MOST_CHOICES:
            return None
        number = np.full(task.graph.atoms, -1, dtype=np.int64)
        number[atoms] = np.arange(len(atoms))
        edges = number[task.graph.edges]
        inner = (edges >= 0).all(axis=1)
        population = task.graph.population[atoms]
        proven = [_part_shortest(population, edges[inner], metres[inner], n, low, high)
                  for n in numbers]  # fmt: skip
        if any(border is None for border in proven):
            return None
        total += min(border for border in proven if border is not None)
    return total if math.isfinite(total) else None


def _part_shortest(
    population: IntArray, edges: IntArray, metres: FloatArray, grids: int, low: int, high: int
) -> float | None:
    """Give the shortest border of some grids within limits; inf where none is, None unproven."""
    if grids == 1:
        return 0.0 if low <= population.sum() <= high else math.inf
    atoms, borders = len(population), len(edges)
    # One choice for each atom and grid, one for each edge: whether it is border.
    owns = scipy.sparse.kron(np.ones((1, grids)), scipy.sparse.eye_array(atoms))
    holds = scipy.sparse.kron(scipy.sparse.eye_array(grids), population[None, :].astype(float))
    side = scipy.sparse.coo_array(
        (np.tile([1.0, -1.0], borders), (np.repeat(np.arange(borders), 2), edges.ravel())),
        (borders, atoms),
    )
    apart = scipy.sparse.kron(scipy.sparse.eye_array(grids), side)
    is_border = scipy.sparse.kron(np.ones((grids, 1)), scipy.sparse.eye_array(borders))
    nothing = scipy.sparse.coo_array((atoms + grids, borders))
    rows = scipy.sparse.vstack(
        [
            scipy.sparse.hstack([scipy.sparse.vstack([owns, holds]), nothing]),
            scipy.sparse.hstack([apart, -is_border]),
            scipy.sparse.hstack([-apart, -is_border]),
        ]
    )
    least = np.r_[np.ones(atoms), np.full(grids, low), np.full(2 * grids * borders, -np.inf)]
    most = np.r_[np.ones(atoms), np.full(grids, high), np.zeros(2 * grids * borders)]
    upper = np.ones(rows.shape[1])
    lower = np.zeros(rows.shape[1])
    lower[int(np.argmax(population))] = (
        1.0  # grids have no names here: the heaviest is in the first
    )
    solved = scipy.optimize.milp(
        np.r_[np.zeros(atoms * grids), metres],
        integrality=np.r_[np.ones(atoms * grids), np.zeros(borders)],
        bounds=scipy.optimize.Bounds(lower, upper),
        constraints=scipy.optimize.LinearConstraint(rows.tocsr(), least, most),
        options={"time_limit": PROOF_S},
    )
    if solved.status == 2:  # none is inside
        return math.inf
    return float(solved.mip_dual_bound) if solved.status == 0 else None


def _count_in_group(low: IntArray, high: IntArray, households: IntArray) -> int:
    total = int(households.sum())
    if _find_no_number(low, high, total) is not None:
        return 0
    least_low = int(low.min())
    most_kept = total // least_low if least_low else len(low)
    fewest = math.ceil(total / int(high.max()))
    # By number of kept grids what leaves and arrives at least, where neither betters the other.
    sums: dict[int, list[tuple[int, int]]] = {0: [(0, 0)]}
    for least, most, n in zip(low.tolist(), high.tolist(), households.tolist(), strict=True):
        tried: dict[int, list[tuple[int, int]]] = {}
        for kept, pairs in sums.items():
            for leave, arrive in pairs:
                tried.setdefault(kept, []).append((leave + n, arrive))
                stays = (leave + max(n - most, 0), arrive + max(least - n, 0))
                tried.setdefault(kept + 1, []).append(stays)
        sums = {kept: _without_worse(pairs) for kept, pairs in tried.items() if kept <= most_kept}
    return min(
        max(leave, arrive + least_low * max(fewest - kept, 0))
        for kept, pairs in sums.items()
        for leave, arrive in pairs
    )


def _without_worse(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    best: list[tuple[int, int]] = []
    for leave, arrive in sorted(pairs):
        if not best or arrive < best[-1][1]:
            best.append((leave, arrive))
    return best


def _find_no_number(
    low: IntArray, high: IntArray, total: int
) -> Literal["too_few", "no_number"] | None:
    """Tell why no number of grids can hold a total, by the widest rule among them."""
    least, most = int(low.min()), int(high.max())
    if total < least:
        return "too_few"
    if least and math.ceil(total / most) > total // least:
        return "no_number"
    return None


def find_impossible(task: ProposalTask) -> list[Impossible]:
    """Name what no answer can meet."""
    households = task.households()
    found = []
    for group in group_grids(task):
        low, high, total = task.low[group], task.high[group], int(households[group].sum())
        kind = _find_no_number(low, high, total)
        if kind is not None:
            grids = tuple(group.tolist())
            found.append(Impossible(kind, grids, total, int(low.min()), int(high.max())))
    population = task.graph.population
    high = task.high[task.home]
    too_big = (population > high) & (high < NO_LIMIT) & ~task.locked[task.home]
    for atom in np.flatnonzero(too_big).tolist():
        grid = int(task.home[atom])
        limits = int(task.low[grid]), int(task.high[grid])
        found.append(Impossible("atom_too_big", (grid,), int(population[atom]), *limits, atom))
    return found


def count_parts_without_locked(task: ProposalTask) -> tuple[int, int]:
    """Count into how many groups the grids fall with and without the locked ones."""
    unlocked = ProposalTask(
        task.graph, task.home, task.low, task.high, np.zeros_like(task.locked), task.pieces
    )
    return len(group_grids(unlocked)), len(group_grids(task))
