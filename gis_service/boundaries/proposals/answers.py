"""Three answers side by side: the least change, even loads, good shapes; or one by other weights.

The least change comes first; the others go on from it, so that they never have fewer grids inside
the rule. What is locked stays in all of them.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import scipy  # whose optimize is read when it is used: 30 MB

from gis_service.boundaries.proposals.least_change import MOVE_M, find_least_change, make_room
from gis_service.boundaries.proposals.search import refine
from gis_service.boundaries.proposals.task import (
    NO_LIMIT,
    Answer,
    ProposalTask,
    count,
    cut_out,
    find_main_parts,
)

IntArray = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

LEAST_CHANGE: Final = "least_change"
REFINED: Final = "refined"


@dataclass(frozen=True)
class Weights:
    """
    What an answer puts first, each from 0 to 100.

    Attributes
    ----------
    change
        That few households move.
    balance
        That grids hold about as much as the middle of the rule.
    shape
        That borders are short and follow streets.
    """

    change: float
    balance: float
    shape: float


WEIGHTS: Final = {"balance": Weights(10, 100, 20), "shape": Weights(10, 10, 100)}


def find_answers(
    task: ProposalTask, weights: Weights | None = None, *, seed: int = 0
) -> dict[str, Answer]:
    """Answer a task in three ways, or in one way by weights."""
    if task.pieces is not None:
        task = _with_even_pieces(task)
    least = find_least_change(task, seed=seed)
    if weights is not None:
        return {REFINED: improve(task, least, weights, seed=seed)}
    roomy = least if task.pieces else make_room(task, least, seed=seed)
    if _count_outside(task, roomy) > _count_outside(task, least):
        roomy = least
    starts = {"balance": roomy, "shape": least}
    others = {name: improve(task, starts[name], one, seed=seed) for name, one in WEIGHTS.items()}
    return {LEAST_CHANGE: least, **others}


def improve(task: ProposalTask, start: Answer, weights: Weights, *, seed: int = 0) -> Answer:
    """Go on from an answer by what is put first."""
    owner = start.owner.copy()
    for part in task.parts():
        graph = cut_out(task.graph, part)
        main = find_main_parts(graph, owner[part])
        atoms = part[main]
        labels = np.unique(owner[atoms])
        if len(labels) > 1:
            owner[atoms] = labels[_refined(task, start, atoms, labels, weights, seed)]
    better = _match_identities(task, Answer(owner, start.source))
    return start if _count_outside(task, better) > _count_outside(task, start) else better


def _with_even_pieces(task: ProposalTask) -> ProposalTask:
    """Let pieces of a grid without a rule hold about as much as one another."""
    even = task.households() / (task.pieces or 1)
    without_rule = (task.high == NO_LIMIT) & ~task.locked
    low = np.where(without_rule, np.floor((1 - _UNEVEN) * even), task.low).astype(np.int64)
    high = np.where(without_rule, np.ceil((1 + _UNEVEN) * even), task.high).astype(np.int64)
    return replace(task, low=low, high=high)


def _count_outside(task: ProposalTask, answer: Answer) -> int:
    return int((answer.held(task) & ~answer.inside(task)).sum())


def _refined(
    task: ProposalTask,
    start: Answer,
    atoms: IntArray,
    labels: IntArray,
    weights: Weights,
    seed: int,
) -> IntArray:
    """Search on with the limits less what the labels hold elsewhere, in metres of border."""
    graph = cut_out(task.graph, atoms)
    place = np.full(start.labels(task), -1, dtype=np.int64)
    place[labels] = np.arange(len(labels))
    owner = place[start.owner[atoms]]
    elsewhere = start.households(task)[labels] - count(owner, graph.population, len(labels))
    low, high = (limit[labels] - elsewhere for limit in start.limits(task))
    metres = graph.cut_cost(owner) / len(labels)
    shape = max(weights.shape, 1.0) / 100
    return refine(
        graph, owner, np.maximum(low, 0), np.maximum(high, 0),
        home=place[task.home[atoms]],
        move_cost=MOVE_M * weights.change / 100 / shape,
        frozen=_find_cores(task, start.owner)[atoms],
        balance=_BALANCE * metres * weights.balance / 100 / shape,
        seed=seed,
        effort=_EFFORT * graph.atoms,
    )  # fmt: skip


def _find_cores(task: ProposalTask, owner: IntArray) -> Mask:
    """Find the half of each grid's households that lies deepest in it: its officer stays there."""
    edges, stays = task.graph.edges, owner == task.home
    inner = owner[edges[:, 0]] == owner[edges[:, 1]]
    depth = np.full(task.graph.atoms, task.graph.atoms)
    depth[edges[~inner]] = 0
    both = np.concatenate([edges[inner], edges[inner][:, ::-1]])
    while True:
        nearer = depth.copy()
        np.minimum.at(nearer, both[:, 0], depth[both[:, 1]] + 1)
        if (nearer == depth).all():
            break
        depth = nearer
    core = np.zeros(task.graph.atoms, dtype=bool)
    for grid in np.unique(owner[stays]).tolist():
        own = np.flatnonzero(stays & (owner == grid))
        own = own[np.argsort(-depth[own], kind="stable")]
        before = np.cumsum(task.graph.population[own]) - task.graph.population[own]
        core[own[before < _CORE * task.graph.population[own].sum()]] = True
    return core


_CORE: Final = 0.5
_UNEVEN: Final = 0.25
"""By so much of it a piece may differ from an even share where no rule says otherwise."""
_EFFORT: Final = 3e-4
"""Of the search, for each atom."""
_BALANCE: Final = 4.0
"""A grid that holds twice the middle of the rule weighs as the borders of so many grids."""


def _match_identities(task: ProposalTask, answer: Answer) -> Answer:
    """Give each grid of today the land where most of its households stay, by the best matching."""
    labels = answer.labels(task)
    pairs = task.home * labels + answer.owner
    stays = count(pairs, task.graph.population, task.grids * labels).reshape(task.grids, labels)
    low, high = answer.limits(task)
    alike = (low == low[: task.grids, None]) & (high == high[: task.grids, None])
    alike[:, : task.grids] &= ~task.locked
    alike[task.locked] = False
    alike[np.arange(task.grids), np.arange(task.grids)] = True
    worth = stays + 1e-3 * np.eye(task.grids, labels)
    worth += 1e6 * (task.fits[:, None] & answer.held(task))  # whatever fits is never given up
    worth[~alike] = -1e12
    grids, owned = scipy.optimize.linear_sum_assignment(worth, maximize=True)
    number = np.full(labels, -1, dtype=np.int64)
    number[owned] = grids
    number[number < 0] = np.arange(task.grids, labels)
    return Answer(number[answer.owner], answer.source)
