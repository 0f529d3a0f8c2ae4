"""Proposals beside other partitioners, on the same atoms in the same run.

From scratch: the village with most households, and two neighbouring villages of its town taken as
one. Least change: the same places, where a peer's districts get the names of today's grids by
the assignment that moves the fewest households. The demo county: once, beside METIS. And the graphs
with proven fewest cut edges, where their file is beside the project.
"""

import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import shapely
from scipy.optimize import linear_sum_assignment

from gis_service.access import SYSTEM
from gis_service.boundaries.editing.edits import Draft
from gis_service.boundaries.plans import life as plan_life
from gis_service.boundaries.plans.drafts import DraftCache, DraftState
from gis_service.boundaries.plans.proposals import (
    MOST_SPARE_SHARE,
    Scope,
    cut_village,
    propose,
)
from gis_service.boundaries.plans.publication import open_draft
from gis_service.boundaries.proposals.blocks import Blocks
from gis_service.boundaries.proposals.bounds import count_least_moves
from gis_service.boundaries.proposals.compiling import compile_all
from gis_service.boundaries.proposals.graph import DistrictGraph, IntArray
from gis_service.boundaries.proposals.graph_file import GraphTask, read_graph_file
from gis_service.boundaries.proposals.least_change import find_least_change
from gis_service.boundaries.proposals.search import partition
from gis_service.boundaries.proposals.task import SPARE_SHARE, ProposalTask
from scripts.benches.context import Context
from scripts.benches.framework import Limit, Row, compare, plain, told
from scripts.benches.propose_peers import (
    LOCK,
    ROOT,
    Peer,
    Problem,
    Recom,
    find_missing,
    kahip,
    max_p,
    metis,
    skater,
)

GRAPHS: Final = ROOT.parent / "shared/data/reference/districting/cut_edges_proven.json"
SCRATCH_S: Final = 3.0
EFFORT: Final = 0.4
"""Of the search from scratch: a second; more of it betters the borders by half a per cent."""
GRAPH_S: Final = 5.0
COUNTY_S: Final = 120.0
COUNTY_MOVED: Final = 25_000
COUNTY_INSIDE: Final = 0.98
PAIRS: Final = 3


@dataclass(frozen=True)
class Place:
    """One place with what is asked about it."""

    name: str
    problem: Problem
    task: ProposalTask


@dataclass(frozen=True)
class Figures:
    """What an answer is judged by."""

    districts: int
    inside: int
    in_pieces: int
    border_m: float


def run(context: Context) -> list[Row]:
    """
    Measure.

    Parameters
    ----------
    context
        Its surroundings.

    Returns
    -------
    list of Row
        ``scratch``, ``least``, ``county``, ``graphs``.
    """
    missing = find_missing()
    context.print_versions(*({"kahip", "pymetis", "spopt"} - set(missing)))
    context.say("".join(f"{name} is not installed here: not measured\n" for name in missing))
    compile_all()
    rows: list[Row] = []
    if any(context.wants(name) for name in ("scratch", "least", "county")):
        with (
            tempfile.TemporaryDirectory() as folder,
            context.county_store.transaction(SYSTEM) as connection,
        ):
            plan_id = plan_life.create_plan(connection, SYSTEM, "base", "bench", "")
            with open_draft(connection, DraftCache(), plan_id) as (_, state):
                peers = _list_peers(missing, Path(folder), context)
                for place in _places(state):
                    _tell_place(context, place)
                    answers: dict[str, IntArray] = {}
                    if context.wants("scratch"):
                        rows += _scratch_rows(context, place, peers, answers)
                    if context.wants("least") and (answers or (answers := _ask(place, peers))):
                        rows.append(_least_row(place, answers))
                if context.wants("county"):
                    rows.append(_county_row(state, with_metis="pymetis" not in missing))
            connection.rollback()
    if context.wants("graphs") and GRAPHS.is_file():
        rows += list(_graph_rows())
    return rows


def _list_peers(missing: Sequence[str], folder: Path, context: Context) -> dict[str, Peer]:
    peers = {
        "METIS, contiguous": (metis, "pymetis"),
        "KaHIP, connected blocks": (kahip, "kahip"),
        "spopt SKATER": (skater, "spopt"),
        "spopt max-p": (max_p, "spopt"),
    }
    found: dict[str, Peer] = {
        name: peer for name, (peer, needs) in peers.items() if needs not in missing
    }
    try:
        recom = Recom(folder)
    except (OSError, subprocess.SubprocessError) as error:
        context.say(f"GerryChain's environment cannot be made here from {LOCK.name}: {error}")
    else:
        found["GerryChain ReCom, 1,000 steps"] = recom
    return found


# --- places --------------------------------------------------------------------------------------


def _places(state: DraftState) -> Iterator[Place]:
    villages: dict[str, list[str]] = {}
    for key, village in state.draft.parents.items():
        if key not in state.base.dedicated:
            villages.setdefault(village, []).append(key)
    load = {
        village: sum(one.households for one in state.loads.of(keys).values())
        for village, keys in villages.items()
    }
    largest = max(load, key=lambda village: load[village])
    yield _make_place("the largest middle grid", state, state.draft, villages[largest])
    towns = state.base.upper[0]
    outline = {
        village: shapely.union_all(np.array(list(state.draft.faces(keys).values()), dtype=object))
        for village, keys in villages.items()
        if towns[village] == towns[largest] and village != largest
    }
    pairs = [
        (load[one] + load[other], one, other)
        for one in outline
        for other in outline
        if one < other and shapely.intersection(outline[one], outline[other]).length > 0
    ]
    if not pairs:
        return
    _, one, other = max(pairs)
    parents = {key: one if village == other else village
               for key, village in state.draft.parents.items()}  # fmt: skip
    joined = Draft(state.base.tessellation, parents)
    yield _make_place("two villages joined", state, joined, villages[one] + villages[other])


def _make_place(name: str, state: DraftState, draft: Draft, keys: list[str]) -> Place:
    blocks = cut_village(state, draft, keys, ())
    low, high = state.loads.target(state.loads.class_of(keys[0])) or (80, 300)
    task = _make_task(state, blocks)
    return Place(name, _make_problem(blocks, low, high), task)


def _make_task(state: DraftState, blocks: Blocks) -> ProposalTask:
    rules = [state.loads.target(state.loads.class_of(key)) or (80, 300) for key in blocks.keys]
    low, high = np.array(rules, dtype=np.int64).T
    locked = np.zeros(len(blocks.keys), dtype=bool)
    spare = (SPARE_SHARE, MOST_SPARE_SHARE)
    return ProposalTask(blocks.graph, blocks.home, low, high, locked, None, spare)


def _make_problem(blocks: Blocks, low: int, high: int) -> Problem:
    metres = blocks.on_street_m + blocks.off_street_m
    graph = DistrictGraph(blocks.graph.population, blocks.graph.edges, metres)
    households = int(graph.population.sum())
    districts = max(round(households / ((low + high) / 2)), 1)
    centre = shapely.get_coordinates(shapely.centroid(blocks.faces))
    return Problem(graph, centre, districts, low, high, blocks.home)


def _tell_place(context: Context, place: Place) -> None:
    problem = place.problem
    context.say(
        f"{place.name}: {problem.graph.population.sum():,} households in {problem.graph.atoms} "
        f"atoms, the heaviest of {problem.graph.population.max()}; {problem.districts} districts "
        f"of {problem.low} to {problem.high}"
    )


def _measure(problem: Problem, owner: IntArray) -> Figures:
    people = np.bincount(owner, weights=problem.graph.population)
    held = np.bincount(owner) > 0
    return Figures(
        int(held.sum()),
        int((held & (problem.low <= people) & (people <= problem.high)).sum()),
        int(problem.graph.pieces(owner).max()) + 1 - int(held.sum()),
        problem.graph.cut_cost(owner),
    )


# --- from scratch --------------------------------------------------------------------------------


def _scratch_rows(
    context: Context, place: Place, peers: dict[str, Peer], answers: dict[str, IntArray]
) -> Iterator[Row]:
    """Measure beside each peer and keep its answer; one that finds nothing is said."""
    for name, peer in peers.items():
        try:
            row, answers[name] = _scratch_row(place, name, peer)
        except subprocess.SubprocessError as error:
            context.say(f"{name} found nothing: {error}")
        else:
            yield row


def _ask(place: Place, peers: dict[str, Peer]) -> dict[str, IntArray]:
    """Ask every peer once; one that finds nothing is left out."""
    answers = {}
    for name, peer in peers.items():
        with suppress(subprocess.SubprocessError):
            answers[name] = peer(place.problem)
    return answers


def _scratch_row(place: Place, name: str, peer: Peer) -> tuple[Row, IntArray]:
    problem = place.problem
    answers: dict[str, IntArray] = {}

    def ours() -> None:
        answers["ours"] = partition(
            problem.graph, problem.districts, problem.low, problem.high, seed=0, effort=EFFORT
        )

    def theirs() -> None:
        answers["theirs"] = peer(problem)

    measured = compare(
        f"from scratch: {place.name}", plain(ours), name, plain(theirs), agree=None,
        target=None if name.startswith(("METIS", "KaHIP")) else 1.0, pairs=PAIRS,
    )  # fmt: skip
    own, other = (_measure(problem, answers[side]) for side in ("ours", "theirs"))
    measured.limits.extend(
        [
            Limit("seconds", measured.ours_s or 0.0, SCRATCH_S),
            Limit("share of grids outside the rule", 1 - own.inside / own.districts,
                  1 - other.inside / other.districts),
            Limit("border, m", own.border_m, other.border_m),
            Limit("grids", own.districts),
            Limit("grids inside the rule", own.inside),
            Limit("peer's grids", other.districts),
            Limit("peer's grids inside the rule", other.inside),
            Limit("peer's pieces too many", other.in_pieces),
            Limit("our pieces too many", own.in_pieces, 0),
        ]
    )  # fmt: skip
    return measured, answers["theirs"]


# --- least change --------------------------------------------------------------------------------


def _least_row(place: Place, answers: dict[str, IntArray]) -> Row:
    """Change the least; of the peers the one with most grids inside, then fewest moves."""
    problem, task = place.problem, place.task
    began = time.perf_counter()
    answer = find_least_change(task, seed=0)
    seconds = time.perf_counter() - began
    best = min(
        (-_measure(problem, owner).inside, _count_moved(problem, owner), name)
        for name, owner in answers.items()
    )
    ours_inside = int((answer.inside(task) & answer.held(task)).sum())
    today = _measure(problem, problem.home)
    return told(
        f"least change: {place.name}; best peer {best[2]}",
        [
            Limit("seconds", seconds),
            Limit("grids inside the rule today", today.inside),
            Limit("of", today.districts),
            Limit("grids outside the rule", int(answer.held(task).sum()) - ours_inside),
            Limit("grids inside the rule", ours_inside),
            Limit("peer's grids inside the rule", -best[0]),
            Limit("households moved", answer.moved(task), best[1] / 2),
            Limit("peer's households moved", best[1]),
            Limit("bound on moves", count_least_moves(task)),
        ],
    )


def _count_moved(problem: Problem, owner: IntArray) -> int:
    """Count households moved when districts get the names of today's grids that keep most."""
    shape = int(owner.max()) + 1, int(problem.home.max()) + 1
    kept = np.zeros(shape)
    np.add.at(kept, (owner, problem.home), problem.graph.population)
    rows, columns = linear_sum_assignment(kept, maximize=True)
    return int(problem.graph.population.sum() - kept[rows, columns].sum())


# --- the county ----------------------------------------------------------------------------------


def _county_row(state: DraftState, *, with_metis: bool) -> Row:
    began = time.perf_counter()
    answer = propose(state, Scope("county"), threads=2)
    seconds = time.perf_counter() - began
    costs = next(one for one in answer["answers"] if one["name"] == "least_change")["costs"]
    limits = [
        Limit("seconds", seconds, COUNTY_S),
        Limit("grids inside the rule today", answer["today"]["inside"]),
        Limit("grids inside the rule", costs["inside"]),
        Limit("of", costs["of"]),
        Limit("share outside", 1 - costs["inside"] / costs["of"], 1 - COUNTY_INSIDE),
        Limit("households moved", costs["households_moved"], COUNTY_MOVED),
        Limit("bound on moves", answer["bounds"]["moves"]),
        Limit("peak memory, MB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    ]
    return told(
        "least change: the demo county", [*limits, *(_metis_county(state) if with_metis else [])]
    )


def _metis_county(state: DraftState) -> Iterator[Limit]:
    """Part every village anew by METIS; its districts get today's names by assignment."""
    villages: dict[str, list[str]] = {}
    for key, village in state.draft.parents.items():
        if key not in state.base.dedicated:
            villages.setdefault(village, []).append(key)
    inside = districts = moved = 0
    seconds = 0.0
    for keys in villages.values():
        rule = state.loads.target(state.loads.class_of(keys[0]))
        if rule is None:
            continue
        problem = _make_problem(cut_village(state, state.draft, keys, ()), *rule)
        began = time.perf_counter()
        one = problem.districts == 1
        owner = np.zeros(problem.graph.atoms, dtype=np.int64) if one else metis(problem)
        seconds += time.perf_counter() - began
        figures = _measure(problem, owner)
        inside, districts = inside + figures.inside, districts + figures.districts
        moved += _count_moved(problem, owner)
    yield Limit("METIS: seconds without the blocks", seconds)
    yield Limit("METIS: grids inside the rule", inside)
    yield Limit("METIS: of", districts)
    yield Limit("METIS: households moved", moved)


# --- graphs with a proof -------------------------------------------------------------------------


def _graph_rows() -> Iterator[Row]:
    for name, task in read_graph_file(GRAPHS).items():
        if not isinstance(task, GraphTask):
            raise task
        began = time.process_time()
        owner = partition(task.graph, task.districts, task.low, task.high)
        seconds = time.process_time() - began
        people = np.bincount(owner, weights=task.graph.population)
        outside = int(((people < task.low) | (people > task.high)).sum())
        pieces = int(task.graph.pieces(owner).max()) + 1 - task.districts
        limits = [
            Limit("cut edges", task.graph.cut_cost(owner), (task.proven or 0) + 2),
            Limit("proven fewest", task.proven or 0),
            Limit("districts outside", outside, 0),
            Limit("pieces too many", pieces, 0),
            Limit("seconds of one core", seconds, GRAPH_S),
        ]
        yield told(f"{name}: {task.graph.atoms} atoms, {task.districts} districts", limits)
