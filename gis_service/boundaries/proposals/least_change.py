"""Grids that break the size rule are put right, and as little else is changed as that needs.

A misfit is divided, joined to a neighbour, or gives to or takes from one; it is tried alone and
with one neighbour, then with all around it, then with those around them. Of what was tried the
answer with most grids inside the rule is taken, of those the one that moves the fewest households.
Locked grids are never touched; grids that fit are never given up and keep nine tenths of their
households. Nothing here knows the store or the land: only atoms, households and borders.
"""

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from gis_service.boundaries.proposals.search import partition, refine
from gis_service.boundaries.proposals.task import (
    Answer,
    ProposalTask,
    count,
    cut_out,
    find_main_parts,
)
from gis_service.errors import InputError, Place

IntArray = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

MOVE_M: Final = 25.0
"""A household moved is worth so many metres of border while the least change is looked for."""
_CHANGED: Final = 8
"""One more grid changed is worth so many households moved."""
_NEAR: Final = 40
"""So many households beyond the fewest that a misfit needs are no reason to look farther around."""
_NUMBERS: Final = 3
"""From the fewest grids on, so many numbers are tried for a misfit."""
_ROUNDS: Final = 2
_EFFORT: Final = 3e-4
"""Of the search, for each atom: a scope is small and many are tried."""
_EFFORT_START: Final = 5e-5
"""A division is only where the search begins."""

Score = tuple[int, int, float]


def find_least_change(task: ProposalTask, *, seed: int = 0) -> Answer:
    """Put the misfits right and leave everything else."""
    search = _Search(task, seed)
    if task.pieces is not None:
        search.divide(task.pieces)
        return keep_identities(task, search.best)
    for share in task.spare:
        search.let_give(share)
        for _ in range(_ROUNDS):
            for misfit in search.misfits():
                search.put_right(misfit)
    return keep_identities(task, search.best)


def make_room(task: ProposalTask, answer: Answer, *, seed: int = 0) -> Answer:
    """Divide what was divided into so many that each holds about the middle of the rule."""
    search = _Search(task, seed)
    search.best = answer
    for grid in dict.fromkeys(answer.source):
        search.make_room(grid)
    return keep_identities(task, search.best)


def keep_identities(task: ProposalTask, answer: Answer) -> Answer:
    """Let each divided grid be where most of its households stay, and number the new ones anew."""
    owner, labels = answer.owner.copy(), answer.labels(task)
    pairs = task.home * labels + owner
    stays = count(pairs, task.graph.population, task.grids * labels).reshape(task.grids, labels)
    for new, grid in enumerate(answer.source, task.grids):
        if stays[grid, new] > stays[grid, grid]:
            is_new, is_old = owner == new, owner == grid
            owner[is_new], owner[is_old] = grid, new
            stays[:, [grid, new]] = stays[:, [new, grid]]
    used = [new for new in range(task.grids, labels) if (owner == new).any()]
    number = np.arange(labels)
    number[used] = np.arange(task.grids, task.grids + len(used))
    return Answer(number[owner], tuple(answer.source[new - task.grids] for new in used))


class _Search:
    """The best answer so far, and what is tried to better it."""

    def __init__(self, task: ProposalTask, seed: int) -> None:
        self.task, self.seed = task, seed
        self.best = Answer(task.home)
        self._fits = task.fits
        self.let_give(task.spare[-1])

    def let_give(self, share: float) -> None:
        """Set the share of its households that a grid that fits may give."""
        households = self.task.households()
        self._floor = np.ceil((1 - share) * households).astype(np.int64)

    def misfits(self) -> list[int]:
        """List what is outside the rule: too small first, since what is too big may give to it."""
        low, high = self.best.limits(self.task)
        households = self.best.households(self.task)
        lacks, exceeds = low - households, households - high
        held = self.best.held(self.task)
        wrong = [
            label
            for label in np.flatnonzero(held & ((lacks > 0) | (exceeds > 0))).tolist()
            if label >= self.task.grids or not self.task.locked[label]
        ]
        far = np.maximum(lacks, exceeds)
        return sorted(wrong, key=lambda label: (exceeds[label] > 0, far[label], label))

    def divide(self, pieces: int) -> None:
        """Divide each grid that is not locked into a given number."""
        for grid in np.flatnonzero(~self.task.locked).tolist():
            lived_in = (self.task.home == grid) & (self.task.graph.population > 0)
            divided = self._tried([grid], pieces, grid) if lived_in.sum() >= pieces else None
            if divided is None:
                raise InputError(
                    "boundaries.too_few_blocks",
                    place=Place(field="scope.pieces"), pieces=pieces, blocks=int(lived_in.sum()),
                )  # fmt: skip
            self.best = divided

    def make_room(self, grid: int) -> None:
        """Divide a grid and what was made of it into more, where the rule lets them be smaller."""
        new = np.flatnonzero(np.array(self.best.source) == grid) + self.task.grids
        scope = [grid, *new.tolist()]
        total = int(self.best.households(self.task)[scope].sum())
        number = round(2 * total / int(self.task.low[grid] + self.task.high[grid]))
        if number > len(scope):
            self.best = self._tried(scope, number, grid) or self.best

    def put_right(self, misfit: int) -> None:
        """Bring one misfit inside, with as few others as that needs."""
        low, high = self.best.limits(self.task)
        households = self.best.households(self.task)
        if low[misfit] <= households[misfit] <= high[misfit] or not households[misfit]:
            return
        right = self.best.inside(self.task)
        best, best_score = self.best, self._score(self.best, misfit, right)
        near = best_score[1] + _NEAR
        for scopes in self._growing(misfit):
            for scope in scopes:
                for number in self._numbers(scope, misfit):
                    tried = self._tried(scope, number, misfit)
                    if tried is None:
                        continue
                    score = self._score(tried, misfit, right)
                    if score < best_score:
                        best, best_score = tried, score
            if not best_score[0] and (len(scopes) == 1 or best_score[1] <= near):
                break
        self.best = best

    def _score(self, answer: Answer, misfit: int, right: Mask) -> Score:
        """Weigh an answer: wrong by this misfit, households moved and still to move, border."""
        task = self.task
        low, high = answer.limits(task)
        households, held = answer.households(task), answer.held(task)
        held[: task.grids] &= ~task.locked
        lacks = np.where(held, np.maximum(low - households, 0), 0)
        exceeds = np.where(held, np.maximum(households - high, 0), 0)
        wrong = (lacks > 0) | (exceeds > 0)
        ours = np.ones(len(wrong), dtype=bool)  # what was wrong before is put right in its turn
        ours[: len(right)] = right
        ours[misfit] = True
        still = int(np.minimum(lacks, households).sum() + exceeds.sum())
        moves = answer.moved(task) + still + _CHANGED * int(answer.changed(task).sum())
        return int((wrong & ours).sum()), moves, task.graph.cut_cost(answer.owner)

    # --- what is tried ---------------------------------------------------------------------------

    def _growing(self, misfit: int) -> Iterator[list[list[int]]]:
        """Give groups of scopes: alone and with one other, all around, those around them."""
        beside = self._beside([misfit])
        yield [[misfit], *([misfit, other] for other in beside)]
        scope = [misfit]
        for _ in range(3):
            around = self._beside(scope)
            if not around or (len(scope) == 1 and len(around) == 1):
                return
            scope = [*scope, *around]
            yield [scope]

    def _beside(self, scope: list[int]) -> list[int]:
        """List the labels that share a border with some, but for locked ones."""
        owner, edges = self.best.owner, self.task.graph.edges
        sides = owner[edges]
        inside = np.isin(sides, scope)
        beside = np.unique(sides[inside.any(axis=1) & ~inside.all(axis=1)]).tolist()
        locked = self.task.locked
        return [
            label
            for label in beside
            if label not in scope and (label >= self.task.grids or not locked[label])
        ]

    def _numbers(self, scope: list[int], misfit: int) -> list[int]:
        """List into how many grids a scope may be made that the rule allows."""
        low, high = (int(limit[misfit]) for limit in self.best.limits(self.task))
        households = self.best.households(self.task)
        total, size = int(households[scope].sum()), len(scope)
        fewest = max(1, math.ceil(total / high))
        most = total // low if low else size + _NUMBERS
        may_go = [label for label in scope if self._may_go(label)]
        if size == 1:
            return [n for n in range(max(fewest, 2), fewest + _NUMBERS) if n <= most]
        numbers = {size, size - 1} if may_go else {size}
        if households[misfit] > high:
            numbers |= {max(size + 1, fewest)}
        allowed = {number for number in numbers if fewest <= number <= most}
        return sorted(allowed | {2} if size == 2 else allowed)

    def _may_go(self, label: int) -> bool:
        """Tell whether a grid may be given up: new, or a misfit of today that lies in one part."""
        return label >= self.task.grids or not self._fits[label]

    def _tried(self, scope: list[int], number: int, misfit: int) -> Answer | None:
        """Make a scope into a number of grids; None where that breaks what must be kept."""
        atoms = self._main_atoms(scope)
        if number > len(scope):
            begun = self._divided(scope, number - len(scope), atoms)
        else:
            begun = self._joined(scope, len(scope) - number, atoms)
        if begun is None:
            return None
        owner = begun.owner.copy()
        labels = np.unique(owner[atoms])
        low, high = self._limits(begun, labels, atoms)
        if len(scope) <= 2:  # the other one is not put right here
            households = begun.households(self.task)[labels]
            other = (labels != misfit) & (labels < self.task.grids) & np.isin(labels, scope)
            low[other] = np.minimum(low, households)[other]
            high[other] = np.maximum(high, households)[other]
        place = np.full(begun.labels(self.task), -1, dtype=np.int64)
        place[labels] = np.arange(len(labels))
        home = place[self.task.home[atoms]]
        graph = cut_out(self.task.graph, atoms)
        if len(labels) > 1:
            owner[atoms] = labels[
                refine(
                    graph, place[owner[atoms]], low, high,
                    home=home, move_cost=MOVE_M, seed=self.seed, effort=_EFFORT * graph.atoms,
                )
            ]  # fmt: skip
        tried = keep_identities(self.task, Answer(owner, begun.source))
        return tried if self._keeps(tried) else None

    def _main_atoms(self, scope: list[int]) -> IntArray:
        atoms = np.flatnonzero(np.isin(self.best.owner, scope))
        main = find_main_parts(cut_out(self.task.graph, atoms), self.best.owner[atoms])
        return atoms[main]

    def _limits(
        self, begun: Answer, labels: IntArray, atoms: IntArray
    ) -> tuple[IntArray, IntArray]:
        """Give the limits of the labels in a scope, less what they hold outside it."""
        task = self.task
        low, high = begun.limits(task)
        everything = begun.households(task)
        population = task.graph.population
        here = count(begun.owner[atoms], population[atoms], len(low))
        stays = task.home == begun.owner
        kept = count(task.home[stays], population[stays], task.grids)
        spare = np.maximum(kept - self._floor, 0)
        fits = np.flatnonzero(self._fits)
        low = low.copy()
        low[fits] = np.maximum(low[fits], (everything[: task.grids] - spare)[fits])
        elsewhere = (everything - here)[labels]
        most = np.minimum(high[labels] - elsewhere, population[atoms].sum())  # without a rule
        return np.maximum(low[labels] - elsewhere, 0), np.maximum(most, 0)

    def _keeps(self, answer: Answer) -> bool:
        stays = self.task.home == answer.owner
        population = self.task.graph.population
        kept = count(self.task.home[stays], population[stays], self.task.grids)
        return bool((kept >= self._floor)[self._fits].all())

    def _divided(self, scope: list[int], more: int, atoms: IntArray) -> Answer | None:
        """Begin by dividing the biggest of a scope."""
        households = self.best.households(self.task)
        pieces = dict.fromkeys(scope, 1)
        for _ in range(more):
            biggest = max(scope, key=lambda label: (households[label] / pieces[label], -label))
            pieces[biggest] += 1
        owner, source = self.best.owner.copy(), list(self.best.source)
        low, high = self.best.limits(self.task)
        for label, n in pieces.items():
            own = atoms[owner[atoms] == label]
            if n == 1:
                continue
            if n > len(own):
                return None
            part = partition(
                cut_out(self.task.graph, own), n, int(low[label]), int(high[label]),
                seed=self.seed, effort=_EFFORT_START * len(own),
            )  # fmt: skip
            biggest = int(np.argmax(count(part, self.task.graph.population[own], n)))
            grid = label if label < self.task.grids else source[label - self.task.grids]
            for number in range(n):
                if number != biggest:
                    owner[own[part == number]] = self.task.grids + len(source)
                    source.append(grid)
        return Answer(owner, tuple(source))

    def _joined(self, scope: list[int], fewer: int, atoms: IntArray) -> Answer | None:
        """Begin by joining the smallest misfit of a scope to its smallest neighbour."""
        owner = self.best.owner.copy()
        edges = self.task.graph.edges
        for _ in range(fewer):
            households = count(owner, self.task.graph.population, self.best.labels(self.task))
            present = set(owner[atoms].tolist())
            may_go = [
                label
                for label in scope
                if label in present
                and self._may_go(label)
                and np.isin(np.flatnonzero(owner == label), atoms).all()
            ]
            if not may_go:
                return None
            gone = min(may_go, key=lambda label: (households[label], label))
            sides = owner[edges]
            touching = sides[(sides == gone).any(axis=1)]
            heirs = [
                label for label in np.unique(touching).tolist() if label in scope and label != gone
            ]
            if not heirs:
                return None
            owner[owner == gone] = min(heirs, key=lambda label: (households[label], label))
        return Answer(owner, self.best.source)


__all__ = ["MOVE_M", "find_least_change", "keep_identities", "make_room"]
