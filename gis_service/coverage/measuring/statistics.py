"""Figures of a coverage run by grid, level and county, each of them "of" something.

Arrays in, a table out. Everything counted is in exactly one of covered, too far, unreachable and
off the network, so that the figures add up; nothing here reads the store.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from gis_service.coverage.measuring.counting import count_by_status, pick_ranks
from gis_service.coverage.network.graph import FloatArray, IntArray
from gis_service.coverage.travel.travel_time import COVERED, STATUS_NAMES, TOO_FAR, StatusArray

COUNTY_RANK: Final = 0
COUNTY_GRID: Final = 0
NO_GRID: Final = -1
RULE: Final = ""
"""The ``kind`` under which the standard's rule over kinds stands."""
HOUSEHOLDS: Final = "households"
POPULATIONS: Final = (
    HOUSEHOLDS,
    "people",
    "care_households",
    "buildings",
    "premises",
    "hazards",
)
"""What figures may be of; hazards are those that are not closed."""


@dataclass(frozen=True)
class Hierarchy:
    """The grids of one version of one scheme."""

    # All grids of all levels.
    grid_id: IntArray
    # Level of each, 1 is the top.
    rank: IntArray
    # Grid id of the parent, :data:`NO_GRID` at the top.
    parent: IntArray


@dataclass(frozen=True)
class KindOutcome:
    """What one kind of facility, or the rule over kinds, gives each household."""

    # A facility kind, or :data:`RULE`.
    kind: str
    # ``travel_time.COVERED`` and so on.
    status: StatusArray
    # inf where none arrives.
    minutes: FloatArray


def find_members(hierarchy: Hierarchy, base_grid: IntArray) -> dict[int, IntArray]:
    """Find for each level in which of its grids each household is; -1 for none."""
    # A household outside every grid, or in one that is not in force, is in no grid of any level.
    ids = pd.Index(hierarchy.grid_id)
    parent = ids.get_indexer(pd.Index(hierarchy.parent)).astype(np.int64)
    current = ids.get_indexer(pd.Index(base_grid)).astype(np.int64)
    levels = {int(rank): np.full(len(base_grid), -1, np.int64) for rank in set(hierarchy.rank)}
    while (current >= 0).any():
        for rank, position in levels.items():
            here = (current >= 0) & (hierarchy.rank[current] == rank)
            position[here] = current[here]
        current = np.where(current >= 0, parent[current], -1)
    return levels


def count_figures(
    hierarchy: Hierarchy,
    base_grid: IntArray,
    outcomes: list[KindOutcome],
    weights: Mapping[str, IntArray] | None = None,
) -> pd.DataFrame:
    """Count what stands at each place: one row a grid, kind and population."""
    # Places outside every grid count in the county's figures only; without weights every place is
    # one household. The minutes are those whom some facility reaches at all (covered and too far),
    # NaN where there are none; percentiles interpolate linearly between ranks, as if each person
    # stood in a line.
    if weights is None:
        weights = {HOUSEHOLDS: np.ones(len(base_grid), np.int64)}
    weight = np.column_stack(list(weights.values())) if weights else np.zeros((0, 0), np.int64)
    weight = np.ascontiguousarray(weight, dtype=np.int64)
    groups = _make_groups(hierarchy, base_grid)
    parts: list[_Part] = []
    for outcome in outcomes:
        same = next((part for part in parts if _is_same_outcome(part[1], outcome)), None)
        if same is not None:  # of one kind the rule says nothing else
            parts += [
                (group, outcome, counts, minutes)
                for group, other, counts, minutes in parts
                if other is same[1]
            ]
            continue
        # By minutes once; every level below keeps that order.
        rising = np.argsort(outcome.minutes)[: int(np.isfinite(outcome.minutes).sum())]
        parts += [
            (group, outcome, *_count_outcome(group, outcome, rising, weight)) for group in groups
        ]
    return _make_table(parts, tuple(weights))


def _is_same_outcome(first: KindOutcome, second: KindOutcome) -> bool:
    return np.array_equal(first.minutes, second.minutes) and np.array_equal(
        first.status, second.status
    )


_MINUTES: Final = ("median_minutes", "p90_minutes", "worst_minutes")
_SHARES: Final = np.array([0.5, 0.9, 1.0])


@dataclass(frozen=True)
class _Groups:
    """The grids of one level, and in which of them each place is."""

    rank: int
    grid_id: IntArray
    member: IntArray


_Part = tuple[_Groups, KindOutcome, IntArray, FloatArray]


def _make_groups(hierarchy: Hierarchy, base_grid: IntArray) -> list[_Groups]:
    county = _Groups(COUNTY_RANK, np.array([COUNTY_GRID]), np.zeros(len(base_grid), np.int64))
    levels = [county]
    for rank, position in sorted(find_members(hierarchy, base_grid).items()):
        of_rank = np.flatnonzero(hierarchy.rank == rank)
        within = np.full(len(hierarchy.grid_id) + 1, -1, np.int64)
        within[of_rank] = np.arange(len(of_rank))
        levels.append(_Groups(rank, hierarchy.grid_id[of_rank], within[position]))
    return levels


def _count_outcome(
    groups: _Groups, outcome: KindOutcome, rising: IntArray, weight: IntArray
) -> tuple[IntArray, FloatArray]:
    """Count by status, and pick the minutes between which each share lies."""
    size = (len(groups.grid_id), weight.shape[1])
    counts = np.zeros((*size, len(STATUS_NAMES)), np.int64)
    count_by_status(groups.member, outcome.status, weight, counts)
    timed = counts[..., COVERED] + counts[..., TOO_FAR]
    place = _SHARES * (timed[..., None] - 1)
    below, above = np.floor(place).astype(np.int64), np.ceil(place).astype(np.int64)
    picked = np.full((*size, 2 * len(_SHARES)), np.nan)
    ranks = np.concatenate((below, above), axis=2)
    ranks[timed == 0] = -1
    pick_ranks(groups.member, rising, outcome.minutes, weight, ranks, picked)
    low, high = picked[..., : len(_SHARES)], picked[..., len(_SHARES) :]
    return counts, low + (high - low) * (place - below)


def _make_table(parts: list[_Part], populations: tuple[str, ...]) -> pd.DataFrame:
    wide = len(populations)
    rows = [len(groups.grid_id) * wide for groups, *_ in parts]
    counts = np.concatenate([counts.reshape(-1, len(STATUS_NAMES)) for *_, counts, _ in parts])
    minutes = np.concatenate([minutes.reshape(-1, len(_MINUTES)) for *_, minutes in parts])
    kinds = pd.Categorical.from_codes(
        np.repeat(np.arange(len(parts)) // _count_levels(parts), rows),
        categories=list(dict.fromkeys(outcome.kind for _, outcome, *_ in parts)),
    )
    of = pd.Categorical.from_codes(
        np.concatenate([np.tile(np.arange(wide), len(groups.grid_id)) for groups, *_ in parts]),
        categories=list(populations),
    )
    return pd.DataFrame(
        {
            "rank": np.repeat([groups.rank for groups, *_ in parts], rows),
            "grid_id": np.concatenate([np.repeat(groups.grid_id, wide) for groups, *_ in parts]),
            "kind": kinds,
            "of": of,
            "n": counts.sum(axis=1),
            **{name: counts[:, column] for column, name in enumerate(STATUS_NAMES)},
            **{name: minutes[:, column] for column, name in enumerate(_MINUTES)},
        }
    )


def _count_levels(parts: list[_Part]) -> int:
    """Every outcome is counted at the same levels, the county's first."""
    return max(1, len({groups.rank for groups, *_ in parts}))
