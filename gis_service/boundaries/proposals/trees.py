"""Recombination: two neighbouring districts joined, and parted anew along an edge of a random tree.

Every edge of the tree is weighed exactly, and the best one is taken. Where one of the two has no
atoms yet it gets some; where one may vanish, giving all to the other is weighed too. After ReCom
(DeFord, Duchin and Solomon 2021, doi:10.1162/99608f92.eb30390f), which takes an edge at random.
"""

# ruff: noqa: C901
# Loops in flat arrays are what the compiler makes fast.

import math
from typing import NamedTuple

import numpy as np

from gis_service.boundaries.proposals.moves import (
    Floats,
    Land,
    Longs,
    State,
    Wanted,
    excess,
    give,
    spread,
)
from gis_service.compiled import compiled


class Tree(NamedTuple):
    """Room for the tree over two districts; all by atom but ``waiting`` (by side)."""

    # The atoms from the root on, the place of each among them, parents by place.
    order: Longs
    place: Longs
    parent: Longs
    depth: Longs
    waiting: Longs
    # By place, of the atoms from there outwards: how many, how many are frozen in the first and in
    # the second district, households, those at home in either, and the border around them.
    size: Longs
    frozen: Longs
    other_frozen: Longs
    people: Floats
    home: Floats
    other_home: Floats
    border: Floats


@compiled
def make_tree_room(land: Land) -> Tree:
    """Make room once for many recombinations."""
    atoms = len(land.population)
    return Tree(
        np.zeros(atoms, np.int64), np.zeros(atoms, np.int64), np.zeros(atoms, np.int64),
        np.zeros(atoms, np.int64), np.zeros(len(land.source), np.int64),
        np.zeros(atoms, np.int64), np.zeros(atoms, np.int64), np.zeros(atoms, np.int64),
        np.zeros(atoms), np.zeros(atoms), np.zeros(atoms), np.zeros(atoms),
    )  # fmt: skip


@compiled
def _grow_tree(
    land: Land, state: State, tree: Tree, rng: np.random.Generator, root: int, a: int, b: int
) -> int:
    """Grow a random tree over the atoms of two districts; tells how many atoms it has."""
    state.mark[0] += 2
    met = state.mark[0]
    tree.order[0], tree.place[root], tree.parent[0], tree.depth[0] = root, 0, -1, 0
    state.seen[root] = met
    atoms, waiting, newest = 1, 0, root
    while True:
        for side in range(land.start[newest], land.start[newest + 1]):
            beyond = land.beyond[side]
            owner = state.owner[beyond]
            if owner in (a, b) and state.seen[beyond] != met:
                tree.waiting[waiting] = side
                waiting += 1
        newest = -1
        while waiting > 0:
            chosen = int(rng.random() * waiting)
            side = tree.waiting[chosen]
            waiting -= 1
            tree.waiting[chosen] = tree.waiting[waiting]
            if state.seen[land.beyond[side]] != met:
                newest = land.beyond[side]
                break
        if newest < 0:
            return atoms
        state.seen[newest] = met
        tree.order[atoms], tree.place[newest] = newest, atoms
        tree.parent[atoms] = tree.place[land.source[side]]
        tree.depth[atoms] = tree.depth[tree.parent[atoms]] + 1
        atoms += 1


@compiled
def _add_up(
    land: Land, wanted: Wanted, state: State, tree: Tree, atoms: int, a: int, b: int
) -> None:
    """Add up, for every edge of the tree, what lies beyond it and the border that it makes."""
    for place in range(atoms):
        atom = tree.order[place]
        owner, people = state.owner[atom], land.population[atom]
        tree.size[place], tree.people[place], tree.border[place] = 1, people, 0.0
        tree.frozen[place] = wanted.frozen[atom] and owner == a
        tree.other_frozen[place] = wanted.frozen[atom] and owner == b
        tree.home[place] = people if wanted.home[atom] == a else 0.0
        tree.other_home[place] = people if wanted.home[atom] == b else 0.0
    for here in range(atoms):
        atom = tree.order[here]
        for side in range(land.start[atom], land.start[atom + 1]):
            beyond = land.beyond[side]
            owner = state.owner[beyond]
            if owner not in (a, b):
                continue
            # each edge counts at either end, and not where both ends lie beyond
            tree.border[here] += land.cost[side]
            there = tree.place[beyond]
            if there < here:
                left, right = here, there
                while left != right:
                    if tree.depth[left] >= tree.depth[right]:
                        left = tree.parent[left]
                    else:
                        right = tree.parent[right]
                tree.border[left] -= 2 * land.cost[side]
    for place in range(atoms - 1, 0, -1):
        parent = tree.parent[place]
        tree.size[parent] += tree.size[place]
        tree.frozen[parent] += tree.frozen[place]
        tree.other_frozen[parent] += tree.other_frozen[place]
        tree.people[parent] += tree.people[place]
        tree.home[parent] += tree.home[place]
        tree.other_home[parent] += tree.other_home[place]
        tree.border[parent] += tree.border[place]


@compiled
def _weigh_pair(
    wanted: Wanted, tree: Tree, a: int, b: int, people: float, size: int, home: float,
    other_home: float, border: float,
) -> tuple[float, float]:  # fmt: skip
    """Weigh the pair when the first district has these, and the second all else."""
    rest, rest_size = tree.people[0] - people, tree.size[0] - size
    outside = excess(wanted, a, people, size) + excess(wanted, b, rest, rest_size)
    value = spread(wanted, a, people, size) + spread(wanted, b, rest, rest_size)
    # at home: the first's homes that are in it, the second's homes that are in the second
    away = (tree.home[0] - home) + other_home
    return outside, value + border + wanted.move_cost * away


@compiled
def recombine(
    land: Land, wanted: Wanted, state: State, tree: Tree, rng: np.random.Generator, root: int,
    a: int, b: int, penalty: float, temperature: float,
) -> tuple[bool, float, float]:  # fmt: skip
    """
    Part two districts anew, where that is better or the temperature bears it.

    Parameters
    ----------
    root
        An atom of the first.
    a, b
        The districts: side by side, or the second without an atom.

    Returns
    -------
    changed, outside, value
        What it has added to either part of ``moves.total``.
    """
    atoms = _grow_tree(land, state, tree, rng, root, a, b)
    _add_up(land, wanted, state, tree, atoms, a, b)
    now_border, now_home, now_other_home = 0.0, 0.0, 0.0
    for place in range(atoms):
        atom = tree.order[place]
        if state.owner[atom] == a:
            now_home += land.population[atom] if wanted.home[atom] == a else 0.0
            now_other_home += land.population[atom] if wanted.home[atom] == b else 0.0
            for side in range(land.start[atom], land.start[atom + 1]):
                if state.owner[land.beyond[side]] == b:
                    now_border += land.cost[side]
    outside_now, value_now = _weigh_pair(
        wanted, tree, a, b, state.load[a], state.size[a], now_home, now_other_home, now_border
    )
    best, best_outside, best_value, best_place, swapped = math.inf, 0.0, 0.0, -1, False
    for place in range(atoms):
        for outer in (a, b):  # whose the atoms beyond the edge become
            first = outer == a
            beyond_wrong = tree.other_frozen[place] if first else tree.frozen[place]
            rest_wrong = (
                tree.frozen[0] - tree.frozen[place]
                if first
                else tree.other_frozen[0] - tree.other_frozen[place]
            )
            if beyond_wrong or rest_wrong:
                continue
            if place == 0 and not wanted.may_vanish[b if first else a]:
                continue
            people, size = tree.people[place], tree.size[place]
            home, other_home = tree.home[place], tree.other_home[place]
            if not first:
                people, size = tree.people[0] - people, tree.size[0] - size
                home, other_home = tree.home[0] - home, tree.other_home[0] - other_home
            outside, value = _weigh_pair(
                wanted, tree, a, b, people, size, home, other_home, tree.border[place]
            )
            # a little noise, so that the second best is taken at times
            noise = -temperature * math.log(1.0 - rng.random())
            if value + penalty * outside + noise < best:
                best = value + penalty * outside + noise
                best_outside, best_value, best_place, swapped = outside, value, place, not first
    if best_place < 0:
        return False, 0.0, 0.0
    outside, value = best_outside - outside_now, best_value - value_now
    if value + penalty * outside > -temperature * math.log(1.0 - rng.random()):
        return False, 0.0, 0.0
    _part(land, state, tree, atoms, best_place, b if swapped else a, a if swapped else b)
    return True, outside, value


@compiled
def _part(
    land: Land, state: State, tree: Tree, atoms: int, cut: int, beyond: int, rest: int
) -> None:
    """Give what lies beyond an edge of the tree to one district, and all else to the other."""
    for place in range(atoms):
        # the room for sizes is done with: it tells who lies beyond
        outer = place == cut or (place > 0 and tree.size[tree.parent[place]] == -1)
        tree.size[place] = -1 if outer else 0
        owner = beyond if outer else rest
        if state.owner[tree.order[place]] != owner:
            give(land, state, tree.order[place], owner)
