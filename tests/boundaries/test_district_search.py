"""Districts from scratch and from today's answer on: what holds on every graph."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis_service.boundaries.proposals.graph import DistrictGraph, IntArray
from gis_service.boundaries.proposals.search import partition, refine
from gis_service.errors import InputError

EFFORT = 0.02


def grid_graph(columns: int, rows: int, population: list[int] | None = None) -> DistrictGraph:
    """Atoms on a grid, numbered row by row."""
    number = np.arange(columns * rows).reshape(rows, columns)
    across = np.stack([number[:, :-1].ravel(), number[:, 1:].ravel()], axis=1)
    down = np.stack([number[:-1].ravel(), number[1:].ravel()], axis=1)
    edges = np.concatenate([across, down])
    people = np.ones(columns * rows, dtype=np.int64) if population is None else population
    return DistrictGraph(np.array(people), edges, np.ones(len(edges)))


def loads(graph: DistrictGraph, owner: IntArray, labels: int) -> IntArray:
    return np.bincount(owner, weights=graph.population, minlength=labels).astype(np.int64)


def are_whole(graph: DistrictGraph, owner: IntArray) -> bool:
    """Whether each label that has atoms is in one piece."""
    return int(graph.pieces(owner).max()) + 1 == len(np.unique(owner))


def cheapest(graph: DistrictGraph, districts: int, low: int, high: int) -> float | None:
    """The cheapest border of all answers, by trying each; None where none is inside."""
    best = None
    for rest in itertools.product(range(districts), repeat=graph.atoms - 1):
        owner = np.array((0, *rest))
        people = loads(graph, owner, districts)
        if len(set(owner.tolist())) < districts or people.min() < low or people.max() > high:
            continue
        if are_whole(graph, owner) and (best is None or graph.cut_cost(owner) < best):
            best = graph.cut_cost(owner)
    return best


@st.composite
def graphs(draw: Any, most: int = 9) -> DistrictGraph:
    """A random tree and some more edges, planar or not, with atoms that may be empty."""
    atoms = draw(st.integers(2, most))
    tree = {(draw(st.integers(0, atom - 1)), atom) for atom in range(1, atoms)}
    pairs = list(itertools.combinations(range(atoms), 2))
    more = draw(st.sets(st.sampled_from(pairs), max_size=atoms))
    edges = np.array(sorted(tree | more))
    population = draw(st.lists(st.integers(0, 9), min_size=atoms, max_size=atoms))
    cost = draw(st.lists(st.integers(0, 5), min_size=len(edges), max_size=len(edges)))
    return DistrictGraph(np.array(population), edges, np.array(cost, dtype=float))


@settings(deadline=None, max_examples=40)
@given(graphs(), st.integers(1, 3), st.integers(0, 12), st.integers(0, 12), st.integers(0, 99))
def test_from_scratch_finds_the_cheapest_of_all_answers(
    graph: DistrictGraph, districts: int, low: int, wide: int, seed: int
) -> None:
    districts = min(districts, graph.atoms)
    owner = partition(graph, districts, low, low + wide, seed=seed, effort=EFFORT)
    assert are_whole(graph, owner)
    assert len(np.unique(owner)) == districts
    best = cheapest(graph, districts, low, low + wide)
    people = loads(graph, owner, districts)
    is_inside = low <= people.min() and people.max() <= low + wide
    assert is_inside == (best is not None)
    if best is not None:
        assert graph.cut_cost(owner) == best


@settings(deadline=None, max_examples=40)
@given(graphs(most=20), st.data())
def test_an_answer_that_is_improved_stays_whole_and_gets_no_worse(
    graph: DistrictGraph, data: st.DataObject
) -> None:
    labels = data.draw(st.integers(1, min(4, graph.atoms)))
    start = partition(graph, labels, 0, 10**6, seed=data.draw(st.integers(0, 9)), effort=0.0)
    low = data.draw(st.integers(0, 20))
    high = low + data.draw(st.integers(0, 30))
    frozen = np.array(
        data.draw(st.lists(st.booleans(), min_size=graph.atoms, max_size=graph.atoms))
    )
    bounds = np.full(labels, low), np.full(labels, high)
    owner = refine(
        graph, start, *bounds, home=start, move_cost=0.5, frozen=frozen, effort=EFFORT
    )  # fmt: skip
    assert are_whole(graph, owner)
    assert (owner == start)[frozen].all()
    assert len(np.unique(owner)) == labels

    def price(answer: IntArray) -> tuple[float, float]:
        people = loads(graph, answer, labels)
        outside = np.maximum(np.maximum(low - people, people - high), 0)
        moved = graph.population[answer != start].sum()
        far = float(outside.sum() + (outside > 0).sum() * high / 20)
        return far, graph.cut_cost(answer) + 0.5 * float(moved)

    before, after = price(start), price(owner)
    assert after[0] <= before[0] + 1e-9
    if after[0] == before[0]:
        assert after[1] <= before[1] + 1e-9


def test_the_same_seed_gives_the_same_answer() -> None:
    graph = grid_graph(12, 10)
    answers = [partition(graph, 5, 20, 28, seed=seed, effort=EFFORT) for seed in (3, 3, 4)]
    assert (answers[0] == answers[1]).all()
    assert (answers[0] != answers[2]).any()
    again = [
        refine(graph, answers[0], np.full(5, 23), np.full(5, 25), seed=7, effort=EFFORT)
        for _ in range(2)
    ]
    assert (again[0] == again[1]).all()


def test_a_misfit_is_mended_by_the_fewest_moves() -> None:
    # a row of atoms of 10; the middle label has 60 of at most 50, its neighbours 30
    graph = grid_graph(12, 1, [10] * 12)
    today = np.array([0] * 3 + [1] * 6 + [2] * 3)
    owner = refine(
        graph, today, np.full(3, 30), np.full(3, 50), home=today, move_cost=1.0, effort=EFFORT
    )
    assert (owner != today).sum() == 1


def test_a_label_without_atoms_gets_some() -> None:
    graph = grid_graph(6, 4)
    today = np.zeros(24, dtype=np.int64)
    owner = refine(
        graph, today, np.full(3, 7), np.full(3, 9), home=today, move_cost=1.0, effort=EFFORT
    )
    assert are_whole(graph, owner)
    assert set(loads(graph, owner, 3).tolist()) <= {7, 8, 9}


def test_a_label_ends_only_if_it_may() -> None:
    graph = grid_graph(6, 2)
    today = np.array([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1])
    bounds = np.full(2, 5), np.full(2, 12)
    may = np.array([False, True])
    assert set(refine(graph, today, *bounds, may_vanish=may, effort=EFFORT)) == {0}
    assert set(refine(graph, today, *bounds, effort=EFFORT)) == {0, 1}


def test_islands_are_shared_out_by_their_population() -> None:
    left, right = grid_graph(4, 4), grid_graph(4, 2)
    graph = DistrictGraph(
        np.ones(24, dtype=np.int64), np.concatenate([left.edges, right.edges + 16]),
        np.ones(len(left.edges) + len(right.edges)),
    )  # fmt: skip
    owner = partition(graph, 3, 8, 8, effort=EFFORT)
    assert are_whole(graph, owner)
    assert loads(graph, owner, 3).tolist() == [8, 8, 8]


@pytest.mark.parametrize(
    ("population", "edges", "cost", "said"),
    [
        ([], [], [], "at least one"),
        ([1, -1], [[0, 1]], [1], "population[1]"),
        ([1, 1], [[0, 2]], [1], "edges[0] names an atom that is not there"),
        ([1, 1], [[0, 1], [1, 1]], [1, 1], "edges[1] goes from an atom to itself"),
        ([1, 1], [[0, 1], [1, 0]], [1, 1], "edges[1] is there twice"),
        ([1, 1], [[0, 1]], [1, 1], "2 costs for 1 edges"),
        ([1, 1], [[0, 1]], [np.nan], "cost[0]"),
    ],
)
def test_a_graph_that_cannot_be_is_refused(
    population: list[int], edges: list[list[int]], cost: list[float], said: str
) -> None:
    arrays = np.array(population, dtype=np.int64), np.array(edges, dtype=np.int64).reshape(-1, 2)
    with pytest.raises(InputError) as refused:
        DistrictGraph(*arrays, np.array(cost, dtype=float))
    assert said in refused.value.say("en")


def test_what_cannot_be_asked_is_refused() -> None:
    graph = grid_graph(2, 2)
    for districts, low, high in ((0, 1, 2), (5, 1, 2), (2, 3, 2)):
        with pytest.raises(InputError):
            partition(graph, districts, low, high)
    apart = DistrictGraph(np.ones(2, dtype=np.int64), np.empty((0, 2), dtype=np.int64), np.empty(0))
    with pytest.raises(InputError) as refused:
        partition(apart, 1, 1, 2)
    assert "2 parts" in refused.value.say("en")
    for owner in ([0, 1, 1, 0], [0, 0, 0], [0, 0, 0, 2]):
        with pytest.raises(InputError):
            refine(graph, np.array(owner), np.full(2, 1), np.full(2, 3))
