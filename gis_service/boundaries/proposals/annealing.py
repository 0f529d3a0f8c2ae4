"""The search itself, compiled: annealing by chains of moves and recombinations, and a start for it.

The price of a household outside the bounds follows the search: it rises while answers are outside
and falls while they are inside, so that the search goes along the edge of what is allowed.
"""

from typing import NamedTuple

import numpy as np

from gis_service.boundaries.proposals.moves import Land, Longs, State, Wanted, total, try_chain
from gis_service.boundaries.proposals.trees import Tree, make_tree_room, recombine
from gis_service.compiled import compiled

_ROUND = 512
"""So many moves stand between two looks at the price and the temperature."""


class Schedule(NamedTuple):
    """How long and how hot."""

    moves: int
    # Temperatures, in what a border costs.
    hot: float
    cold: float
    # The price of a household outside: at first, and within which factor of that it stays.
    penalty: float
    reach: float
    # One move in so many is a recombination.
    recombine_every: int


@compiled
def grow(land: Land, seeds: Longs, rng: np.random.Generator) -> Longs:
    """Let every district grow from its seed, mostly the lightest one, until all atoms are given."""
    owner = np.full(len(land.population), -1, np.int64)
    load = np.zeros(len(seeds))
    waiting = np.empty(len(land.source), np.int64)
    count = 0
    for district in range(len(seeds)):
        owner[seeds[district]] = district
    for district in range(len(seeds)):
        atom = seeds[district]
        load[district] += land.population[atom]
        for side in range(land.start[atom], land.start[atom + 1]):
            waiting[count] = side
            count += 1
    while count > 0:
        chosen = int(rng.random() * count)
        for _ in range(3):
            other = int(rng.random() * count)
            lighter = load[owner[land.source[waiting[other]]]]
            if lighter < load[owner[land.source[waiting[chosen]]]]:
                chosen = other
        side = waiting[chosen]
        count -= 1
        waiting[chosen] = waiting[count]
        atom = land.beyond[side]
        if owner[atom] >= 0:
            continue
        owner[atom] = owner[land.source[side]]
        load[owner[atom]] += land.population[atom]
        for further in range(land.start[atom], land.start[atom + 1]):
            if owner[land.beyond[further]] < 0:
                waiting[count] = further
                count += 1
    return owner


@compiled
def anneal(
    land: Land, wanted: Wanted, state: State, rng: np.random.Generator, schedule: Schedule
) -> tuple[Longs, float, float]:
    """
    Search on from a state.

    Returns
    -------
    owner, outside, value
        The best answer met, with both parts of ``moves.total``; fewer households outside go first.
    """
    tree = make_tree_room(land)
    outside, value = total(land, wanted, state)
    best, best_outside, best_value = state.owner.copy(), outside, value
    penalty, temperature = schedule.penalty, schedule.hot
    cooling = (schedule.cold / schedule.hot) ** (_ROUND / max(schedule.moves, 1))
    until_tree = schedule.recombine_every
    for _ in range(schedule.moves // _ROUND):
        inside = 0
        for _ in range(_ROUND):
            until_tree -= 1
            if until_tree <= 0:
                until_tree = schedule.recombine_every
                changed, more_outside, more = _recombine_some(
                    land, wanted, state, tree, rng, penalty, temperature
                )
            elif state.cuts[0] == 0:
                continue
            else:
                changed, more_outside, more = try_chain(
                    land, wanted, state, rng, penalty, temperature
                )
            outside += more_outside
            value += more
            inside += outside < 0.5
            if changed and (
                outside < best_outside - 0.5
                or (outside < best_outside + 0.5 and value < best_value - 1e-9)
            ):
                best[:] = state.owner
                best_outside, best_value = outside, value
        temperature *= cooling
        if inside < 0.3 * _ROUND:
            penalty = min(penalty * 1.05, schedule.penalty * schedule.reach)
        elif inside > 0.6 * _ROUND:
            penalty = max(penalty / 1.05, schedule.penalty / schedule.reach)
    return best, best_outside, best_value


@compiled
def _recombine_some(
    land: Land, wanted: Wanted, state: State, tree: Tree, rng: np.random.Generator,
    penalty: float, temperature: float,
) -> tuple[bool, float, float]:  # fmt: skip
    """Recombine two neighbours, or a district and one without atoms."""
    root = int(rng.random() * len(state.owner))
    other = -1
    if rng.random() < 0.3 or state.cuts[0] == 0:
        empty = 0
        for district in range(len(state.size)):
            if state.size[district] == 0:
                empty += 1
                if rng.random() * empty < 1:
                    other = district
    if other < 0:
        if state.cuts[0] == 0:
            return False, 0.0, 0.0
        side = state.cut[int(rng.random() * state.cuts[0])]
        root, other = land.source[side], state.owner[land.beyond[side]]
    return recombine(
        land, wanted, state, tree, rng, root, state.owner[root], other, penalty, temperature
    )
