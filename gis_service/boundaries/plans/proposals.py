"""Proposals for a plan: a grid, a village, a town or the county drawn anew on the draft as it is.

Each village is cut into blocks and answered alone; the answers are put together, with what they
cost. Villages whose grids all fit stay out of it where more than one village was asked about.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import shapely

from gis_service.boundaries.editing.checks import measure_compactness
from gis_service.boundaries.editing.edits import Draft
from gis_service.boundaries.plans.completing import complete_edit
from gis_service.boundaries.plans.drafts import DraftState
from gis_service.boundaries.plans.work import as_collection, as_geojson
from gis_service.boundaries.proposals.answers import (
    LEAST_CHANGE,
    REFINED,
    WEIGHTS,
    Weights,
    find_answers,
)
from gis_service.boundaries.proposals.blocks import Blocks, cut_blocks
from gis_service.boundaries.proposals.bounds import (
    Impossible,
    count_least_moves,
    count_parts_without_locked,
    find_impossible,
    find_least_border,
)
from gis_service.boundaries.proposals.costs import (
    Costs,
    add_up,
    count_cut_buildings,
    count_gains_and_losses,
    measure_costs,
)
from gis_service.boundaries.proposals.task import NO_LIMIT, SPARE_SHARE, Answer, ProposalTask
from gis_service.errors import InputError, NotFoundError, Place
from gis_service.geodesy import length_m
from gis_service.messages import Language, text

MOST_PIECES: Final = 40
MOST_SPARE_SHARE: Final = 0.5
"""Of one village, whose planner looks at each grid, so much may go where less does not help."""
_BLOCKS_TO_SPARE: Final = 2
"""What a grid that fits may give to a misfit is about so many blocks."""
Progress = Callable[[float], None]


@dataclass(frozen=True)
class Scope:
    """
    What is asked about.

    Attributes
    ----------
    kind
        ``county`` has no key.
    key
        Of the grid, the village or the town.
    pieces
        Into how many a grid is divided; by the rule where None.
    """

    kind: Literal["grid", "village", "town", "county"]
    key: str | None = None
    pieces: int | None = None

    @classmethod
    def of(cls, asked: Mapping[str, Any]) -> "Scope":
        """
        Read a scope as the API has it.

        Parameters
        ----------
        asked
            ``{grid, pieces?}``, ``{village}``, ``{town}`` or ``{county: true}``.

        Returns
        -------
        Scope
            Of one kind.

        Raises
        ------
        InputError
            None of them, or more than one; pieces without a grid, or a number that cannot be.
        """
        named = [kind for kind in ("grid", "village", "town", "county") if asked.get(kind)]
        if len(named) != 1:
            raise InputError("boundaries.scope_unknown", place=Place(field="scope"))
        kind, pieces = named[0], asked.get("pieces")
        if pieces is not None and (kind != "grid" or not 2 <= pieces <= MOST_PIECES):
            key = "boundaries.pieces_wrong" if kind == "grid" else "boundaries.pieces_need_grid"
            raise InputError(
                key, place=Place(field="scope.pieces"), pieces=pieces, most=MOST_PIECES
            )
        return cls(kind, None if kind == "county" else str(asked[kind]), pieces)  # type: ignore[arg-type]

    def as_dict(self) -> dict[str, Any]:
        """
        Write it as the API has it.

        Returns
        -------
        dict
            What :meth:`of` reads.
        """
        named: dict[str, Any] = {self.kind: True if self.kind == "county" else self.key}
        return named if self.pieces is None else {**named, "pieces": self.pieces}


@dataclass(frozen=True)
class _AnsweredVillage:
    """One village with its answers."""

    task: ProposalTask
    blocks: Blocks
    answers: dict[str, Answer]
    faces: dict[str, dict[int, Any]]
    costs: dict[str, Costs]
    today: Costs


def find_villages(
    state: DraftState, scope: Scope, locked: Collection[str] = ()
) -> dict[str, list[str]]:
    """
    Find the grids of a scope by village.

    Parameters
    ----------
    state
        The draft.
    scope
        What is asked about.
    locked
        Grids that stay as they are.

    Returns
    -------
    dict
        Keys of grids by key of their village.

    Raises
    ------
    NotFoundError
        The draft has no such grid, village or town, or no such locked grid.
    """
    parents = state.draft.parents
    if scope.kind == "grid":
        found = [key for key in parents if key == scope.key]
    elif scope.kind == "village":
        found = [key for key, village in parents.items() if village == scope.key]
    elif scope.kind == "town":
        towns = state.base.upper[0] if state.base.upper else {}
        found = [key for key, village in parents.items() if towns.get(village) == scope.key]
    else:
        found = list(parents)
    if not found:
        raise NotFoundError(
            "boundaries.no_such_scope", place=Place(field=f"scope.{scope.kind}"), name=scope.key
        )
    unknown = sorted(set(locked) - set(parents))
    if unknown:
        raise NotFoundError("boundaries.no_such_grid", place=Place(field="locked"), grid=unknown[0])
    villages: dict[str, list[str]] = {}
    for key in found:
        villages.setdefault(parents[key], []).append(key)
    return villages


def propose(
    state: DraftState,
    scope: Scope,
    *,
    locked: Collection[str] = (),
    weights: Weights | None = None,
    seed: int = 0,
    threads: int = 1,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """
    Draw grids anew, on the draft as it stands.

    Parameters
    ----------
    state
        The draft; it stays as it is.
    scope
        What is asked about.
    locked
        Grids that stay as they are; dedicated ones always do.
    weights
        One answer by these weights; three answers where None.
    seed
        The same seed gives the same answers.
    threads
        So many villages at once.
    progress
        Told the share of the villages done.

    Returns
    -------
    dict
        As ``POST /api/plans/{id}/propose`` answers, but for ``told``, whose sentences are keys with
        values: :func:`say` puts them into a language. JSON throughout.

    Raises
    ------
    NotFoundError
        The draft has no such place, or no such locked grid.
    """
    villages = find_villages(state, scope, locked)
    stay = frozenset(locked) | state.base.dedicated
    several = len(villages) > 1
    spare = (SPARE_SHARE,) if several else (SPARE_SHARE, MOST_SPARE_SHARE)
    quiet = [keys for keys in villages.values() if several and not _has_misfits(state, keys, stay)]
    asked = [keys for keys in villages.values() if keys not in quiet]

    def solve(keys: list[str]) -> _AnsweredVillage:
        return _solve(state, keys, stay, scope.pieces, weights, seed, spare)

    done: list[_AnsweredVillage] = []
    with ThreadPoolExecutor(threads) as pool:
        for village in pool.map(solve, asked):
            done.append(village)
            progress(len(done) / len(asked))
    still = add_up(_measure_quiet(state, keys) for keys in quiet)
    names = [REFINED] if weights is not None else [LEAST_CHANGE, *WEIGHTS]
    return {
        "proposal_id": None,
        "scope": scope.as_dict(),
        "today": _describe_costs(add_up([still, *(village.today for village in done)])),
        "bounds": {
            "moves": sum(count_least_moves(village.task) for village in done),
            "border_m": None if several else _round_border(_find_least_border(done[0])),
        },
        "told": [sentence for village in done for sentence in _tell(state, village)],
        "answers": [_describe(state, name, done, still) for name in names],
    }


def say(answer: Mapping[str, Any], language: Language) -> dict[str, Any]:
    """
    Put what is told into a language.

    Parameters
    ----------
    answer
        Of :func:`propose`.
    language
        The reader's.

    Returns
    -------
    dict
        The answer with ``text`` and ``place`` of each sentence.
    """
    told = [
        {"text": text(one["key"], language, **one["values"]), "place": one["place"]}
        for one in answer["told"]
    ]
    return {**answer, "told": told}


def _has_misfits(state: DraftState, keys: list[str], stay: Collection[str]) -> bool:
    return any(key not in stay and not _fits(state, key) for key in keys)


def _limits(state: DraftState, key: str) -> tuple[int, int]:
    if key in state.base.dedicated:
        return 0, NO_LIMIT
    return state.loads.target(state.loads.class_of(key)) or (0, NO_LIMIT)


def _fits(state: DraftState, key: str) -> bool:
    low, high = _limits(state, key)
    return low <= state.loads.households_of(key) <= high


def _solve(
    state: DraftState,
    keys: list[str],
    stay: Collection[str],
    pieces: int | None,
    weights: Weights | None,
    seed: int,
    spare: tuple[float, ...],
) -> _AnsweredVillage:
    """Cut a village into blocks and answer it."""
    blocks = cut_village(state, state.draft, keys, stay)
    low, high = np.array([_limits(state, key) for key in blocks.keys], dtype=np.int64).T
    without_rule = (high == NO_LIMIT) & (pieces is None)
    locked = np.array([key in stay for key in blocks.keys]) | without_rule
    task = ProposalTask(blocks.graph, blocks.home, low, high, locked, pieces, spare)
    answers = find_answers(task, weights, seed=seed)
    faces = {name: blocks.join(answer.owner) for name, answer in answers.items()}
    costs = {
        name: measure_costs(task, blocks, answer, faces[name], state.base.footprints)
        for name, answer in answers.items()
    }
    unchanged = Answer(task.home)
    land = dict(enumerate(state.draft.faces(blocks.keys).values()))
    today = measure_costs(task, blocks, unchanged, land, state.base.footprints)
    return _AnsweredVillage(task, blocks, answers, faces, costs, today)


def cut_village(
    state: DraftState, draft: Draft, keys: Sequence[str], stay: Collection[str]
) -> Blocks:
    """Cut the grids of a village into blocks, finer beside its misfits."""
    base = state.base
    return cut_blocks(
        draft, keys, state.loads, base.lines, base.footprints,
        footpaths=base.footpaths, cover_edges=base.cover_edges, whole=stay,
        most_in_block=_find_givers(state, keys, stay),
    )  # fmt: skip


def _find_givers(state: DraftState, keys: Sequence[str], stay: Collection[str]) -> dict[str, float]:
    """Let grids beside misfits be cut so fine that what they can spare is more than one block."""
    misfits = [key for key in keys if key not in stay and not _fits(state, key)]
    beside = {near for key in misfits for near in state.draft.neighbours(key)} - set(misfits)
    spare = SPARE_SHARE / _BLOCKS_TO_SPARE
    return {key: max(spare * state.loads.households_of(key), 1.0) for key in beside & set(keys)}


def _measure_quiet(state: DraftState, keys: list[str]) -> Costs:
    """Measure a village that no answer changes."""
    land = np.array(list(state.draft.faces(keys).values()), dtype=object)
    inner = [
        edge.line for edge in state.draft.edges(keys) if edge.left in keys and edge.right in keys
    ]
    ruled = [key for key in keys if _limits(state, key)[1] < NO_LIMIT]
    return Costs(
        buildings_cut=count_cut_buildings(land, state.base.footprints),
        border_m=float(length_m(np.array(inner, dtype=object)).sum()) if inner else 0.0,
        inside=sum(_fits(state, key) for key in ruled),
        of=len(ruled),
        roundness=float(measure_compactness(land).sum()),
        grids=len(land),
    )


# --- telling -------------------------------------------------------------------------------------


def _describe(
    state: DraftState, name: str, villages: list[_AnsweredVillage], still: Costs
) -> dict[str, Any]:
    """Describe one answer in all villages; new grids get the keys and names they will have."""
    number = 1 + max((int(k[4:]) for k in state.draft.keys if k.startswith("new-")), default=0)
    rows: list[tuple[_AnsweredVillage, int, str]] = []
    for village in villages:
        changed = np.flatnonzero(village.answers[name].changed(village.task))
        for label in changed.tolist():
            old = village.blocks.keys
            is_new = label >= len(old)
            rows.append((village, label, f"new-{number}" if is_new else old[label]))
            number += is_new
    known = set(state.draft.keys)
    edit = {
        "kind": "redraw",
        "grids": [key for _, _, key in rows if key in known],
        "regions": {
            key: village.faces[name][label]
            for village, label, key in rows
            if label in village.faces[name]
        },
    }
    completed = complete_edit(state, edit)
    new = [key for _, _, key in rows if key not in known]
    keys = dict(zip(new, completed["names"], strict=True))
    names = {key: completed["names"][keys[key]] for key in new}
    features, officers = [], []
    for village, label, key in rows:
        answer, task = village.answers[name], village.task
        gains, loses = count_gains_and_losses(task, answer)
        told = {"name": names.get(key) or state.name_of(key)}
        officers.append({
            "grid": keys.get(key, key), **told, "officer": key in state.base.officers,
            "gains": int(gains[label]), "loses": int(loses[label]),
        })  # fmt: skip
        if label in village.faces[name]:
            features.append((village.faces[name][label], {
                "key": keys.get(key, key), **told,
                "households": int(answer.households(task)[label]), "is_new": key in keys,
                "changed": True, "inside": bool(answer.inside(task)[label]),
            }))  # fmt: skip
    officers.sort(key=lambda row: -(row["gains"] + row["loses"]))
    costs = add_up([still, *(village.costs[name] for village in villages)])
    return {
        "name": name,
        "costs": {**_describe_costs(costs), "officers": officers},
        "faces": as_collection(features),
        "edit": completed,
    }


def _describe_costs(costs: Costs) -> dict[str, Any]:
    share = costs.along_streets
    return {
        "grids_changed": costs.grids_changed,
        "households_moved": costs.households_moved,
        "people_moved": costs.people_moved,
        "officers": [],
        "buildings_cut": costs.buildings_cut,
        "along_streets": None if share is None else round(share, 3),
        "border_m": round(costs.border_m, 1),
        "new_border_m": round(costs.new_border_m, 1),
        "inside": costs.inside,
        "of": costs.of,
        "compactness": round(costs.compactness, 3),
    }


def _find_least_border(village: _AnsweredVillage) -> float | None:
    blocks = village.blocks
    return find_least_border(village.task, blocks.on_street_m + blocks.off_street_m)


def _round_border(metres: float | None) -> float | None:
    return None if metres is None else round(metres, 1)


def _tell(state: DraftState, village: _AnsweredVillage) -> list[dict[str, Any]]:
    """Tell what cannot be met, and where something else than a street was followed."""
    task, blocks = village.task, village.blocks
    told = [_tell_impossible(state, village, one) for one in find_impossible(task)]
    as_it_is, without = count_parts_without_locked(task)
    if without > as_it_is:
        names = ", ".join(
            state.name_of(key) for key, one in zip(blocks.keys, task.locked, strict=True) if one
        )
        told.append(_sentence("boundaries.proposal_locked_apart", None, grids=names, n=without))
    told += _tell_misfits(state, village)
    owners = [answer.owner for answer in village.answers.values()]
    return told + [
        _sentence(one.key, as_geojson(one.place), **one.values)
        for one in blocks.told
        if not len(one.atoms) or any(len(np.unique(owner[one.atoms])) > 1 for owner in owners)
    ]


def _tell_impossible(
    state: DraftState, village: _AnsweredVillage, one: Impossible
) -> dict[str, Any]:
    keys = [village.blocks.keys[grid] for grid in one.grids]
    faces = state.draft.faces(keys)
    place = (
        shapely.point_on_surface(village.blocks.faces[one.atom])
        if one.atom is not None
        else shapely.point_on_surface(faces[keys[0]])
    )
    return _sentence(
        f"boundaries.proposal_{one.kind}", as_geojson(place),
        grids=", ".join(state.name_of(key) for key in keys),
        households=one.households, least=one.low, most=one.high,
    )  # fmt: skip


def _tell_misfits(state: DraftState, village: _AnsweredVillage) -> list[dict[str, Any]]:
    """Tell which grids the least change leaves outside the rule."""
    task, answer = village.task, village.answers.get(LEAST_CHANGE)
    if answer is None:
        return []
    low, high = answer.limits(task)
    households = answer.households(task)
    known = {grid for one in find_impossible(task) for grid in one.grids}
    outside = answer.held(task) & ~answer.inside(task)
    outside[: task.grids] &= ~task.locked
    return [
        _sentence(
            "boundaries.proposal_stays_outside",
            as_geojson(shapely.point_on_surface(village.faces[LEAST_CHANGE][label])),
            grid=state.name_of(village.blocks.keys[label]),
            households=int(households[label]), least=int(low[label]), most=int(high[label]),
        )
        for label in np.flatnonzero(outside[: task.grids]).tolist()
        if label not in known and label in village.faces[LEAST_CHANGE]
    ]  # fmt: skip


def _sentence(key: str, place: Any, **values: object) -> dict[str, Any]:
    return {"key": key, "values": values, "place": place}
