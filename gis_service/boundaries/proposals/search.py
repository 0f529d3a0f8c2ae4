"""The search for districts: from scratch, or on from today's answer.

Simulated annealing that never leaves a district in two pieces. The work is counted in moves, so
that the same seed gives the same answer on every machine.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from gis_service.boundaries.proposals.annealing import Schedule, anneal, grow
from gis_service.boundaries.proposals.graph import DistrictGraph, IntArray
from gis_service.boundaries.proposals.moves import Land, Wanted, place_owner
from gis_service.errors import InputError, Place

_WORK: Final = 2_500_000
"""From scratch, in the time of a move of one atom."""
_MOST_STARTS: Final = 12
_LEAST_STARTS: Final = 3
_MOVES_OF_ATOM: Final = 600
"""Within these numbers, so many starts that each has so many moves of every atom."""
_RECOMBINE_EVERY: Final = 30
_ATOM_IN_TREE: Final = 0.2
"""An atom in a recombination takes this part of the time of a move."""
_TURNS: Final = 4
_MOVES_REFINING: Final = 400_000
"""For each turn."""

BoolArray = npt.NDArray[np.bool_]


def partition(
    graph: DistrictGraph, districts: int, low: int, high: int, *, seed: int = 0, effort: float = 1.0
) -> IntArray:
    """
    Part a graph into districts, the cheapest border that is found.

    Parameters
    ----------
    graph
        The atoms.
    districts
        How many, from 1 to the number of atoms.
    low, high
        Households of each district, from and to.
    seed
        The same seed gives the same answer.
    effort
        1 takes a few seconds; 2 twice as long.

    Returns
    -------
    int array
        The district of each atom, shape (n,), 0 to ``districts - 1``. Each has an atom and is in
        one piece; where no answer inside the bounds was found, the one that is outside by the
        fewest households.

    Raises
    ------
    InputError
        The number of districts or the bounds cannot be, or the graph is in more parts than there
        are districts.
    """
    if not 1 <= districts <= graph.atoms:
        raise InputError(
            "districts.bad_count", place=Place(field="k"), k=districts, atoms=graph.atoms
        )
    if low > high:
        raise InputError("districts.bad_bounds", place=Place(field="low"), low=low, high=high)
    land, rng = _make_land(graph), np.random.default_rng(seed)
    wanted = Wanted(
        np.full(districts, float(low)), np.full(districts, float(high)),
        np.full(districts, max((low + high) / 2, 1.0)), np.zeros(districts, dtype=np.bool_),
        np.full(graph.atoms, -1, dtype=np.int64), np.zeros(graph.atoms, dtype=np.bool_),
        0.0, 0.0, 0.0,
    )  # fmt: skip
    shares = _share_out(graph, districts, low, high)
    moves, starts = _plan_work(graph, districts, effort)
    schedule = _make_schedule(graph, wanted, moves, 1.0)
    best: tuple[float, float, IntArray] | None = None
    for _ in range(starts):
        state = place_owner(land, grow(land, _choose_seeds(shares, rng), rng), districts)
        owner, outside, value = anneal(land, wanted, state, rng, schedule)
        if best is None or (outside, value) < best[:2]:
            best = (outside, value, owner)
    assert best is not None
    return best[2]


def _plan_work(graph: DistrictGraph, districts: int, effort: float) -> tuple[int, int]:
    """Tell how many moves each start has, and how many starts there are."""
    pair = 2 * graph.atoms / districts
    moves = effort * _WORK / (1 + _ATOM_IN_TREE * pair / _RECOMBINE_EVERY)
    starts = round(moves / (_MOVES_OF_ATOM * graph.atoms))
    starts = min(max(starts, _LEAST_STARTS), _MOST_STARTS)
    return round(moves / starts), starts


def refine(
    graph: DistrictGraph,
    owner: IntArray,
    low: npt.ArrayLike,
    high: npt.ArrayLike,
    *,
    home: IntArray | None = None,
    move_cost: float = 0.0,
    balance: float = 0.0,
    frozen: BoolArray | None = None,
    may_vanish: BoolArray | None = None,
    seed: int = 0,
    effort: float = 1.0,
) -> IntArray:
    """
    Improve an answer: the label of each atom, shape (n,), each label in one piece.

    ``owner`` is today's, 0 to k - 1, the atoms of each label in one piece; a label without atoms
    gets some. ``low`` and ``high``, shape (k,), are the households of each label; their middle is
    the target. Households outside are dearer than all else, so that the answer is outside only
    where nothing better was found. ``home`` is the label that each atom has today, -1: none; a
    household elsewhere costs ``move_cost``, in the unit of ``graph.cost``, and (population / target
    - 1)² of a label costs ``balance``. ``frozen`` atoms keep their owner; labels that
    ``may_vanish`` may end, or stay, without an atom. The same seed gives the same answer.
    """
    lows, highs = (np.asarray(bound, dtype=float) for bound in (low, high))
    labels = len(lows)
    _check_owner(graph, owner, labels)
    wanted = Wanted(
        lows, highs, np.maximum((lows + highs) / 2, 1.0),
        np.zeros(labels, dtype=np.bool_) if may_vanish is None else may_vanish,
        np.full(graph.atoms, -1, dtype=np.int64) if home is None else home,
        np.zeros(graph.atoms, dtype=np.bool_) if frozen is None else frozen,
        float(move_cost), float(balance), float(highs.mean()) / 20,
    )  # fmt: skip
    land, rng = _make_land(graph), np.random.default_rng(seed)
    best, best_price = owner, (np.inf, np.inf)
    for turn in range(_TURNS):
        # from today's answer and from the best one in turn, less hot each time
        start = owner if turn % 2 == 0 else best
        heat = 0.5 ** (turn // 2)
        schedule = _make_schedule(graph, wanted, round(_MOVES_REFINING * effort), heat)
        answer, *price = anneal(land, wanted, place_owner(land, start, labels), rng, schedule)
        if tuple(price) < best_price:
            best, best_price = answer, (price[0], price[1])
    return best


def _check_owner(graph: DistrictGraph, owner: IntArray, labels: int) -> None:
    if owner.shape != (graph.atoms,) or (owner < 0).any() or (owner >= labels).any():
        raise InputError("districts.bad_owner", place=Place(field="owner"), last=labels - 1)
    pieces = np.unique(np.stack([owner, graph.pieces(owner)]), axis=1)[0]
    if len(np.unique(pieces)) < len(pieces):
        label = int(pieces[:-1][pieces[1:] == pieces[:-1]][0])
        raise InputError("districts.in_pieces", place=Place(field="owner"), label=label)


def _make_land(graph: DistrictGraph) -> Land:
    beside = graph.csr()
    source = np.repeat(np.arange(graph.atoms), np.diff(beside.start))
    twin = np.empty(len(source), dtype=np.int64)
    # sides are in the order of (source, beyond), so their twins are in that of (beyond, source)
    twin[np.lexsort((source, beside.atom))] = np.arange(len(source))
    people = graph.population.astype(float)
    return Land(beside.start, source, beside.atom, twin, beside.cost, people)


def _make_schedule(graph: DistrictGraph, wanted: Wanted, moves: int, heat: float) -> Schedule:
    """Choose temperatures by what a border costs, and what a move of one atom."""
    borders, people = graph.cost[graph.cost > 0], graph.population[graph.population > 0]
    border = float(borders.mean()) if len(borders) else 1.0
    atom = float(people.mean()) if len(people) else 1.0
    unit = border + wanted.move_cost * atom
    penalty = 2 * border / atom + 3 * wanted.move_cost
    return Schedule(moves, heat * unit, 0.05 * unit, penalty, 50.0, _RECOMBINE_EVERY)


def _share_out(
    graph: DistrictGraph, districts: int, low: int, high: int
) -> list[tuple[IntArray, int]]:
    """Tell the atoms of each part of the graph, and how many districts it gets."""
    part = graph.pieces()
    people = np.bincount(part, weights=graph.population)
    atoms = np.bincount(part)
    if len(people) > districts:
        raise InputError(
            "districts.too_many_parts", place=Place(field="edges"),
            parts=len(people), k=districts,
        )  # fmt: skip
    count = np.clip(np.ceil(people / max(high, 1)), 1, atoms).astype(np.int64)
    while count.sum() > districts:  # nobody fits: the lightest districts are too many
        count[np.argmin(np.where(count > 1, people / count, np.inf))] -= 1
    while count.sum() < districts:
        more = np.where(count < atoms, people / (count + 1), -1.0)
        fits = more >= low
        count[np.argmax(np.where(fits, more, -1.0) if fits.any() else more)] += 1
    return [(np.flatnonzero(part == one), int(count[one])) for one in range(len(people))]


def _choose_seeds(shares: list[tuple[IntArray, int]], rng: np.random.Generator) -> IntArray:
    return np.concatenate([rng.choice(atoms, count, replace=False) for atoms, count in shares])
