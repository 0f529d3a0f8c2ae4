"""The inner loops of the search: one atom from one district to another, chains of such, annealing.

Plain numbers in flat arrays. A district that is in one piece stays so: an atom leaves only where
the rest of its district hangs together without it.
"""

# ruff: noqa: C901
# Loops in flat arrays are what the compiler makes fast.

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gis_service.compiled import compiled

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_LOOKS = 16
"""So many atoms of a border are looked at for the next link of a chain."""
_LINKS = 3
"""A chain moves at most so many atoms."""


class Land(NamedTuple):
    """Atoms and who lies beside whom; each edge stands twice, once from either side."""

    # Sides of atom ``i``: ``start[i]`` to ``start[i + 1]``.
    start: Longs
    # By side the atom it belongs to, the one beyond, the same edge seen from there, and its cost.
    source: Longs
    beyond: Longs
    twin: Longs
    cost: Floats
    # By atom.
    population: Floats


class Wanted(NamedTuple):
    """What a good answer is."""

    # By district: households from and to, and aimed at; whether it may end without an atom.
    low: Floats
    high: Floats
    target: Floats
    may_vanish: Bools
    # By atom: the district it has today (-1: none), and whether it stays where it is.
    home: Longs
    frozen: Bools
    # What a household elsewhere than at home costs; the weight of (load / target - 1)².
    move_cost: float
    balance: float
    # A district outside its bounds counts as so many households farther out.
    step: float


class State(NamedTuple):
    """An answer that is being worked on."""

    owner: Longs
    # By district.
    load: Floats
    size: Longs
    # Sides with another district beyond: the first ``cuts[0]`` of ``cut``; ``place``: by side
    # where it stands there, -1 where it does not.
    cut: Longs
    place: Longs
    cuts: Longs
    # Room for walks: ``seen`` holds ``mark[0]`` or one more for what this walk has met.
    queue: Longs
    seen: Longs
    mark: Longs
    # The atoms of a chain, and whose they were.
    chain: Longs
    chain_owner: Longs


@compiled
def place_owner(land: Land, owner: Longs, districts: int) -> State:
    """Take an answer as the state to work on."""
    atoms, sides = len(owner), len(land.source)
    state = State(
        owner.copy(), np.zeros(districts), np.zeros(districts, np.int64),
        np.zeros(sides, np.int64), np.full(sides, -1, np.int64), np.zeros(1, np.int64),
        np.zeros(atoms, np.int64), np.zeros(atoms, np.int64), np.zeros(1, np.int64),
        np.zeros(_LINKS, np.int64), np.zeros(_LINKS, np.int64),
    )  # fmt: skip
    for atom in range(atoms):
        state.load[owner[atom]] += land.population[atom]
        state.size[owner[atom]] += 1
    for side in range(sides):
        if owner[land.source[side]] != owner[land.beyond[side]]:
            _add_cut(state, side)
    return state


@compiled
def _add_cut(state: State, side: int) -> None:
    state.place[side] = state.cuts[0]
    state.cut[state.cuts[0]] = side
    state.cuts[0] += 1


@compiled
def _drop_cut(state: State, side: int) -> None:
    state.cuts[0] -= 1
    last = state.cut[state.cuts[0]]
    state.cut[state.place[side]] = last
    state.place[last] = state.place[side]
    state.place[side] = -1


@compiled
def give(land: Land, state: State, atom: int, to: int) -> None:
    """Give an atom to a district, whether or not both stay in one piece."""
    before = state.owner[atom]
    for side in range(land.start[atom], land.start[atom + 1]):
        beyond = state.owner[land.beyond[side]]
        if beyond == before:
            _add_cut(state, side)
            _add_cut(state, land.twin[side])
        elif beyond == to:
            _drop_cut(state, side)
            _drop_cut(state, land.twin[side])
    state.owner[atom] = to
    state.load[before] -= land.population[atom]
    state.load[to] += land.population[atom]
    state.size[before] -= 1
    state.size[to] += 1


@compiled
def excess(wanted: Wanted, district: int, load: float, size: int) -> float:
    """Measure how far a district is outside its bounds, in households."""
    if size == 0 and wanted.may_vanish[district]:
        return 0.0
    outside = max(wanted.low[district] - load, load - wanted.high[district])
    return outside + wanted.step if outside > 0 else 0.0


@compiled
def spread(wanted: Wanted, district: int, load: float, size: int) -> float:
    """Measure what a district's distance from its target costs."""
    if wanted.balance == 0 or (size == 0 and wanted.may_vanish[district]):
        return 0.0
    return float(wanted.balance * (load / wanted.target[district] - 1) ** 2)


@compiled
def total(land: Land, wanted: Wanted, state: State) -> tuple[float, float]:
    """Add up an answer: households outside the bounds, and what all the rest costs."""
    outside, value = 0.0, 0.0
    for district in range(len(state.load)):
        outside += excess(wanted, district, state.load[district], state.size[district])
        value += spread(wanted, district, state.load[district], state.size[district])
    for place in range(state.cuts[0]):
        value += land.cost[state.cut[place]] / 2
    for atom in range(len(state.owner)):
        if wanted.home[atom] >= 0 and wanted.home[atom] != state.owner[atom]:
            value += wanted.move_cost * land.population[atom]
    return outside, value


@compiled
def _weigh(land: Land, wanted: Wanted, state: State, atom: int, to: int) -> tuple[float, float]:
    """Tell what giving an atom to a district adds to either part of :func:`total`."""
    before, people = state.owner[atom], land.population[atom]
    value = 0.0
    for side in range(land.start[atom], land.start[atom + 1]):
        beyond = state.owner[land.beyond[side]]
        if beyond == before:
            value += land.cost[side]
        elif beyond == to:
            value -= land.cost[side]
    if wanted.home[atom] == before:
        value += wanted.move_cost * people
    elif wanted.home[atom] == to:
        value -= wanted.move_cost * people
    outside = 0.0
    for district, more, atoms in ((before, -people, -1), (to, people, 1)):
        load, size = state.load[district], state.size[district]
        outside += excess(wanted, district, load + more, size + atoms)
        outside -= excess(wanted, district, load, size)
        value += spread(wanted, district, load + more, size + atoms)
        value -= spread(wanted, district, load, size)
    return outside, value


@compiled
def may_leave(land: Land, wanted: Wanted, state: State, atom: int) -> bool:
    """Tell whether an atom may leave its district, and the rest hangs together without it."""
    district = state.owner[atom]
    if wanted.frozen[atom]:
        return False
    if state.size[district] == 1:
        return bool(wanted.may_vanish[district])
    state.mark[0] += 2
    sought, met = state.mark[0], state.mark[0] + 1
    around, first = 0, 0
    for side in range(land.start[atom], land.start[atom + 1]):
        beyond = land.beyond[side]
        if state.owner[beyond] == district:
            state.seen[beyond] = sought
            around += 1
            first = beyond
    if around == 1:
        return True
    state.queue[0] = first
    state.seen[first] = met
    head, tail, around = 0, 1, around - 1
    while head < tail:
        here = state.queue[head]
        head += 1
        for side in range(land.start[here], land.start[here + 1]):
            beyond = land.beyond[side]
            if state.owner[beyond] != district or beyond == atom or state.seen[beyond] == met:
                continue
            if state.seen[beyond] == sought:
                around -= 1
                if around == 0:
                    return True
            state.seen[beyond] = met
            state.queue[tail] = beyond
            tail += 1
    return False


@compiled
def _find_link(
    land: Land, wanted: Wanted, state: State, rng: np.random.Generator, district: int,
    not_this: int, penalty: float,
) -> tuple[int, int]:  # fmt: skip
    """Choose an atom of a district to pass on, and to whom; -1 where none was seen."""
    best, atom, to = math.inf, -1, -1
    for _ in range(_LOOKS):
        side = state.cut[int(rng.random() * state.cuts[0])]
        here = land.source[side]
        if state.owner[here] != district or here == not_this or wanted.frozen[here]:
            continue
        other = state.owner[land.beyond[side]]
        outside, value = _weigh(land, wanted, state, here, other)
        if value + penalty * outside < best:
            best, atom, to = value + penalty * outside, here, other
    return atom, to


@compiled
def try_chain(
    land: Land, wanted: Wanted, state: State, rng: np.random.Generator, penalty: float,
    temperature: float,
) -> tuple[bool, float, float]:  # fmt: skip
    """
    Move an atom across a border, and where that alone is too dear, others after it.

    Returns
    -------
    moved, outside, value
        What the move has added to either part of :func:`total`.
    """
    side = state.cut[int(rng.random() * state.cuts[0])]
    atom, to = land.source[side], state.owner[land.beyond[side]]
    if wanted.frozen[atom]:
        return False, 0.0, 0.0
    bearable = -temperature * math.log(1.0 - rng.random())
    outside, value, links = 0.0, 0.0, 0
    most = _LINKS if rng.random() < 0.3 else 1
    while links < most and atom >= 0:
        more_outside, more_value = _weigh(land, wanted, state, atom, to)
        dearer = value + more_value + penalty * (outside + more_outside) > bearable
        if (dearer and links + 1 == most) or not may_leave(land, wanted, state, atom):
            break
        state.chain[links], state.chain_owner[links] = atom, state.owner[atom]
        give(land, state, atom, to)
        outside, value, links = outside + more_outside, value + more_value, links + 1
        if not dearer:
            return True, outside, value
        atom, to = _find_link(land, wanted, state, rng, to, atom, penalty)
    for link in range(links - 1, -1, -1):
        give(land, state, state.chain[link], state.chain_owner[link])
    return False, 0.0, 0.0
