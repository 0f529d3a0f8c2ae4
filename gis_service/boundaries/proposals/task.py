"""What is to be put right and an answer to it: atoms, grids of today, limits, labels.

Labels below k are the grids of today by their position, from k on they are new ones. Nothing here
searches.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from gis_service.boundaries.proposals.graph import DistrictGraph

IntArray = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

NO_LIMIT: Final = 2**40
"""High of a grid without a rule."""
SPARE_SHARE: Final = 0.1
"""So much of its households a grid that fits gives at most, where that is enough."""


@dataclass(frozen=True)
class ProposalTask:
    """
    What is to be put right: atoms and their grids of today.

    Attributes
    ----------
    graph
        Atoms, their households, and what borders cost in metres.
    home
        The grid of each atom today, shape (n,), 0 … k - 1.
    low, high
        Households of each grid by the rule, shape (k,); 0 and :data:`NO_LIMIT` without a rule.
    locked
        Grids that stay as they are, shape (k,).
    pieces
        Into how many each grid that is not locked is divided; by the rule where None.
    spare
        Shares of its households that a grid that fits may give: the next one only where a misfit
        cannot be put right by the one before.
    """

    graph: DistrictGraph
    home: IntArray
    low: IntArray
    high: IntArray
    locked: Mask
    pieces: int | None = None
    spare: tuple[float, ...] = (SPARE_SHARE,)

    @property
    def grids(self) -> int:
        """Grids of today, k."""
        return len(self.low)

    def households(self) -> IntArray:
        """
        Count the households of the grids of today.

        Returns
        -------
        int array
            Shape (k,).
        """
        return count(self.home, self.graph.population, self.grids)

    @property
    def fits(self) -> Mask:
        """Grids that are inside the rule today, shape (k,)."""
        households = self.households()
        return (self.low <= households) & (households <= self.high)

    def parts(self) -> Iterator[IntArray]:
        """
        Follow the land that hangs together when locked grids are taken out of it.

        Yields
        ------
        int array
            Atoms of one part, rising.
        """
        free = ~self.locked[self.home]
        part = self.graph.pieces(np.where(free, 0, 1 + self.home))
        for number in np.unique(part[free]).tolist():
            yield np.flatnonzero(free & (part == number))


@dataclass(frozen=True)
class Answer:
    """
    Who owns each atom.

    Attributes
    ----------
    owner
        Shape (n,); a grid of today without atoms is given up.
    source
        Of each new grid the one of today whose rule, class and village it takes over.
    """

    owner: IntArray
    source: tuple[int, ...] = ()

    def labels(self, task: ProposalTask) -> int:
        """Count the grids of today and the new ones."""
        return task.grids + len(self.source)

    def limits(self, task: ProposalTask) -> tuple[IntArray, IntArray]:
        """
        Give low and high of every label.

        Parameters
        ----------
        task
            That is answered.

        Returns
        -------
        low, high
            Shape (labels,).
        """
        rule = np.concatenate([np.arange(task.grids), np.array(self.source, dtype=np.int64)])
        return task.low[rule], task.high[rule]

    def households(self, task: ProposalTask) -> IntArray:
        """
        Count the households of every label.

        Parameters
        ----------
        task
            That is answered.

        Returns
        -------
        int array
            Shape (labels,).
        """
        return count(self.owner, task.graph.population, self.labels(task))

    def held(self, task: ProposalTask) -> Mask:
        """Tell which labels hold land."""
        return np.bincount(self.owner, minlength=self.labels(task)) > 0

    def inside(self, task: ProposalTask) -> Mask:
        """Tell which labels hold land and are inside the rule."""
        low, high = self.limits(task)
        households = self.households(task)
        return (low <= households) & (households <= high) & self.held(task)

    def changed(self, task: ProposalTask) -> Mask:
        """
        Tell which labels have other land than today: new ones and those given up too.

        Parameters
        ----------
        task
            That is answered.

        Returns
        -------
        mask
            Shape (labels,).
        """
        moved = self.owner != task.home
        changed = np.zeros(self.labels(task), dtype=bool)
        changed[self.owner[moved]] = True
        changed[task.home[moved]] = True
        return changed

    def moved(self, task: ProposalTask) -> int:
        """
        Count the households that lie in another grid than today.

        Parameters
        ----------
        task
            That is answered.

        Returns
        -------
        int
            Households.
        """
        return int(task.graph.population[self.owner != task.home].sum())


def count(labels: IntArray, weights: npt.NDArray[np.generic], size: int) -> IntArray:
    """
    Add up whole numbers by label.

    Parameters
    ----------
    labels
        Shape (n,), from 0.
    weights
        Shape (n,).
    size
        How many labels there are.

    Returns
    -------
    int array
        Shape (size,).
    """
    return np.bincount(labels, weights=weights, minlength=size).round().astype(np.int64)


def cut_out(graph: DistrictGraph, atoms: IntArray) -> DistrictGraph:
    """
    Take some atoms with the edges among them.

    Parameters
    ----------
    graph
        The whole.
    atoms
        Which, rising.

    Returns
    -------
    DistrictGraph
        Atoms in the given order.
    """
    number = np.full(graph.atoms, -1, dtype=np.int64)
    number[atoms] = np.arange(len(atoms))
    edges = number[graph.edges]
    inner = (edges >= 0).all(axis=1)
    return DistrictGraph(graph.population[atoms], edges[inner], graph.cost[inner])


def find_main_parts(graph: DistrictGraph, owner: IntArray) -> Mask:
    """Find the part of each label that holds most households: the rest lies apart from it."""
    part = graph.pieces(owner)
    weight = np.bincount(part, weights=graph.population + 1e-6)
    label = np.zeros(len(weight), dtype=np.int64)
    label[part] = owner
    order = np.lexsort((-weight, label))
    leads = np.ones(len(order), dtype=bool)
    leads[1:] = label[order][1:] != label[order][:-1]
    main = np.zeros(len(weight), dtype=bool)
    main[order[leads]] = True
    return np.asarray(main[part])
