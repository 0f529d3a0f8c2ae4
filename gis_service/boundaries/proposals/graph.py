"""Atoms of land with their households, and what a border between two of them costs.

Checked once, when it is made; what works on it trusts it.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import scipy  # whose sparse.csgraph is read when it is used

from gis_service.errors import InputError, Place

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class Neighbours(NamedTuple):
    """The neighbours of atom ``i``: ``start[i]`` to ``start[i + 1]`` of ``atom``."""

    start: IntArray
    atom: IntArray
    # What a border with that neighbour costs.
    cost: FloatArray


@dataclass(frozen=True)
class DistrictGraph:
    """
    Atoms that go to one district or another as a whole.

    Parameters
    ----------
    population
        Households of each atom, shape (n,), n ≥ 1, not negative.
    edges
        Atoms side by side, shape (m, 2), each pair once, in any order.
    cost
        What a border between the two costs where they part, shape (m,), not negative: 1, or
        metres as they are weighed.

    Raises
    ------
    InputError
        An array of another shape, a number that cannot be, an edge from an atom to itself or to
        one that is not there, or a pair twice; the place names row and field.
    """

    population: IntArray
    edges: IntArray
    cost: FloatArray

    def __post_init__(self) -> None:
        self._check_population()
        self._check_edges()
        wrong = ~(np.isfinite(self.cost) & (self.cost >= 0))
        if self.cost.shape != (len(self.edges),):
            raise InputError(
                "districts.costs_differ", place=Place(field="cost"),
                costs=len(self.cost), edges=len(self.edges),
            )  # fmt: skip
        if wrong.any():
            _refuse("districts.bad_cost", "cost", wrong)

    @property
    def atoms(self) -> int:
        """Count the atoms."""
        return len(self.population)

    def csr(self) -> Neighbours:
        """List every atom's neighbours in rising order, each edge from both sides."""
        ends = np.concatenate([self.edges, self.edges[:, ::-1]])
        order = np.lexsort((ends[:, 1], ends[:, 0]))
        start = np.zeros(self.atoms + 1, dtype=np.int64)
        np.cumsum(np.bincount(ends[:, 0], minlength=self.atoms), out=start[1:])
        return Neighbours(start, np.ascontiguousarray(ends[order, 1]), np.tile(self.cost, 2)[order])

    def pieces(self, owner: IntArray | None = None) -> IntArray:
        """
        Find the pieces of the districts, each of which hangs together.

        Parameters
        ----------
        owner
            The district of each atom, shape (n,); None: all are one.

        Returns
        -------
        int array
            The piece of each atom, shape (n,), from 0.
        """
        first, second = self.edges.T
        inner = np.ones(len(first), dtype=bool) if owner is None else owner[first] == owner[second]
        matrix = scipy.sparse.coo_array(
            (np.ones(inner.sum()), (first[inner], second[inner])), shape=(self.atoms, self.atoms)
        )
        _, piece = scipy.sparse.csgraph.connected_components(matrix, directed=False)
        return np.asarray(piece, dtype=np.int64)

    def cut_cost(self, owner: IntArray) -> float:
        """
        Add up what the borders between districts cost.

        Parameters
        ----------
        owner
            The district of each atom, shape (n,).

        Returns
        -------
        float
            With a cost of 1 for each edge, the number of cut edges.
        """
        return float(self.cost[owner[self.edges[:, 0]] != owner[self.edges[:, 1]]].sum())

    def _check_population(self) -> None:
        if self.population.ndim != 1 or not len(self.population):
            raise InputError("districts.no_atoms", place=Place(field="population"))
        if (self.population < 0).any():
            _refuse("districts.bad_population", "population", self.population < 0)

    def _check_edges(self) -> None:
        if self.edges.ndim != 2 or self.edges.shape[1] != 2:
            raise InputError("districts.edges_not_pairs", place=Place(field="edges"))
        outside = ((self.edges < 0) | (self.edges >= self.atoms)).any(axis=1)
        if outside.any():
            _refuse("districts.edge_outside", "edges", outside, last=self.atoms - 1)
        if (self.edges[:, 0] == self.edges[:, 1]).any():
            _refuse("districts.edge_to_itself", "edges", self.edges[:, 0] == self.edges[:, 1])
        pairs = np.sort(self.edges, axis=1)
        again = np.ones(len(pairs), dtype=bool)
        again[np.unique(pairs, axis=0, return_index=True)[1]] = False
        if again.any():
            _refuse("districts.edge_twice", "edges", again)


def _refuse(key: str, field: str, wrong: Any, **values: object) -> None:
    """Refuse the first row that is wrong; rows are counted from 0, as atoms are."""
    row = int(np.argmax(wrong))
    raise InputError(key, place=Place(row=row, field=field), row=row, **values)
