"""Figures of a coverage run by grid, level and county, each of them "of households".

Arrays in, a table out. Every household is in exactly one of covered, too far, unreachable and off
the network, so that the figures add up; nothing here reads the store.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from gis_service.coverage.network import FloatArray, IntArray
from gis_service.coverage.travel_time import STATUS_NAMES, StatusArray

COUNTY_RANK: Final = 0
COUNTY_GRID: Final = 0
NO_GRID: Final = -1
RULE: Final = ""
"""The ``kind`` under which the standard's rule over kinds stands."""


@dataclass(frozen=True)
class Hierarchy:
    """
    The grids of one version of one scheme.

    Attributes
    ----------
    grid_id
        All grids of all levels.
    rank
        Level of each, 1 is the top.
    parent
        Grid id of the parent, :data:`NO_GRID` at the top.
    """

    grid_id: IntArray
    rank: IntArray
    parent: IntArray


@dataclass(frozen=True)
class Outcome:
    """
    What one kind of facility, or the rule over kinds, gives each household.

    Attributes
    ----------
    kind
        A facility kind, or :data:`RULE`.
    status
        ``travel_time.COVERED`` and so on.
    minutes
        inf where none arrives.
    """

    kind: str
    status: StatusArray
    minutes: FloatArray


def members(hierarchy: Hierarchy, base_grid: IntArray) -> dict[int, IntArray]:
    """
    Say for each level in which of its grids each household is.

    Parameters
    ----------
    hierarchy
        Grids and their parents.
    base_grid
        Grid id of each household, :data:`NO_GRID` for one outside every grid.

    Returns
    -------
    dict
        By rank, for each household the position of its grid in ``hierarchy.grid_id``, -1 for none.
        A household outside every grid, or in one that is not in force, is in no grid of any level.
    """
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


def figures(hierarchy: Hierarchy, base_grid: IntArray, outcomes: list[Outcome]) -> pd.DataFrame:
    """
    Count households by grid and kind.

    Parameters
    ----------
    hierarchy
        Grids and their parents.
    base_grid
        Grid id of each household, :data:`NO_GRID` for one outside every grid: it counts in the
        county's figures only.
    outcomes
        One a kind, and one of the rule.

    Returns
    -------
    pandas.DataFrame
        ``rank, grid_id, kind, n, covered, too_far, unreachable, off_network, median_minutes,
        p90_minutes, worst_minutes``: one row a grid and kind, grids without households among them
        (n = 0), and the county as rank 0, grid 0. The minutes are those of the households that
        some facility reaches at all (covered and too far), NaN where there are none; percentiles
        interpolate linearly between ranks.
    """
    levels = members(hierarchy, base_grid)
    tables = []
    for outcome in outcomes:
        # By minutes once; every level below then only sorts by grid, which keeps that order.
        rising = np.argsort(outcome.minutes)[: int(np.isfinite(outcome.minutes).sum())]
        county = _count(np.zeros(len(base_grid), np.int64), 1, outcome, rising)
        tables.append(county.assign(rank=COUNTY_RANK, grid_id=COUNTY_GRID, kind=outcome.kind))
        for rank, position in sorted(levels.items()):
            of_rank = np.flatnonzero(hierarchy.rank == rank)
            counted = _count(position, len(hierarchy.grid_id), outcome, rising).iloc[of_rank]
            tables.append(
                counted.assign(rank=rank, grid_id=hierarchy.grid_id[of_rank], kind=outcome.kind)
            )
    table = pd.concat(tables, ignore_index=True)
    return table[["rank", "grid_id", "kind", *_COLUMNS]]


_COLUMNS: Final = ("n", *STATUS_NAMES, "median_minutes", "p90_minutes", "worst_minutes")


def _count(group: IntArray, groups: int, outcome: Outcome, rising: IntArray) -> pd.DataFrame:
    inside = group >= 0
    cell = group[inside] * len(STATUS_NAMES) + outcome.status[inside]
    counts = np.bincount(cell, minlength=groups * len(STATUS_NAMES)).reshape(groups, -1)
    table = pd.DataFrame(counts, columns=list(STATUS_NAMES))
    table.insert(0, "n", counts.sum(axis=1))
    timed = rising[inside[rising]]
    quantiles = _quantiles(group[timed], groups, outcome.minutes[timed], (0.5, 0.9, 1.0))
    names = ("median_minutes", "p90_minutes", "worst_minutes")
    return table.assign(**dict(zip(names, quantiles, strict=True)))


def _quantiles(
    group: IntArray, groups: int, minutes: FloatArray, shares: tuple[float, ...]
) -> list[npt.NDArray[np.float64]]:
    """Minutes rise already: sorted by group each quantile is two look-ups a group."""
    # Few groups fit into 16 bits, which numpy sorts by radix.
    order = np.argsort(group.astype(np.uint16) if groups <= 65536 else group, kind="stable")
    sorted_minutes = minutes[order]
    size = np.bincount(group, minlength=groups)
    first = np.cumsum(size) - size
    some = size > 0
    answers = []
    for share in shares:
        answer = np.full(groups, np.nan)
        place = share * (size[some] - 1)
        below = np.floor(place).astype(np.int64)
        above = np.ceil(place).astype(np.int64)
        low, high = sorted_minutes[first[some] + below], sorted_minutes[first[some] + above]
        answer[some] = low + (high - low) * (place - below)
        answers.append(answer)
    return answers
