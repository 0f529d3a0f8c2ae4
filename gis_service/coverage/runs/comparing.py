"""Two runs of one kind side by side: before and after a road, a station, a redraw.

Figures are compared as they were stored; households that only one of the runs knows are told
apart. Nothing here measures or writes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from gis_service.access import Actor
from gis_service.coverage.measuring.fingerprints import find_changed_parts
from gis_service.coverage.measuring.statistics import COUNTY_RANK, HOUSEHOLDS, POPULATIONS
from gis_service.coverage.runs import queries
from gis_service.coverage.runs.households import CoverageChange, count_changed_households
from gis_service.coverage.runs.reading import GridFigures, Run, find_run, read_named_figures
from gis_service.errors import InputError, Place


@dataclass(frozen=True)
class Side:
    """The figures of one run; None for what it does not know."""

    n: int
    covered: int
    share: float | None
    median_minutes: float | None
    worst_minutes: float | None


@dataclass(frozen=True)
class Delta:
    """The second run less the first."""

    n: int
    covered: int
    share: float | None


@dataclass(frozen=True)
class ComparedGrid:
    """One grid of the lowest level in both runs; None where a redraw made or retired it."""

    grid_id: int
    code: str
    name: str
    a: Side | None
    b: Side | None
    covered: int
    gained: int
    lost: int


@dataclass(frozen=True)
class RunComparison:
    """
    Two runs side by side.

    Attributes
    ----------
    comparable
        Whether both measured the same standard; another scenario, network or boundary version is
        what a comparison is for.
    differs
        Of ``fingerprints.PARTS``, what the two were measured on differently, and ``scenario``.
    county
        By population the figures of both and the difference; the rule over kinds.
    grids
        Those that differ in anything, those that gained or lost most first.
    gained, lost
        Households covered by the second run only, and by the first only.
    only_in_one
        Households that came or went between the runs.
    """

    a: Run
    b: Run
    comparable: bool
    differs: tuple[str, ...]
    county: dict[str, dict[str, Any]]
    grids: tuple[ComparedGrid, ...]
    gained: int
    lost: int
    only_in_one: int


def make_comparison(connection: sa.Connection, actor: Actor, a: int, b: int) -> RunComparison:
    """
    Compare two runs.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Must see every household of the county.
    a, b
        The runs' ids, the earlier state first.

    Returns
    -------
    RunComparison
        The second against the first.

    Raises
    ------
    NotFoundError
        There is no such run.
    InputError
        They measure two standards: whom one reaches and the other not says nothing.
    NotAllowedError
        The actor sees a part of the county only.
    """
    first, second = find_run(connection, a), find_run(connection, b)
    if first.standard != second.standard:
        raise InputError(
            "coverage.compare_two_standards",
            place=Place(field="b"),
            a=a,
            b=b,
            first=first.standard,
            second=second.standard,
        )
    changes, only_in_one = count_changed_households(connection, actor, a, b)
    lowest = max((COUNTY_RANK, *queries.read_ranks(connection, [a, b])))
    grids = _compare_grids(
        read_named_figures(connection, first, lowest),
        read_named_figures(connection, second, lowest),
        {change.grid_id: change for change in changes},
    )
    return RunComparison(
        a=first,
        b=second,
        comparable=first.standard == second.standard,
        differs=_find_differences(first, second),
        county={of: _compare_county(first, second, of) for of in POPULATIONS},
        grids=tuple(sorted(grids, key=lambda grid: (-grid.gained - grid.lost, grid.code))),
        gained=sum(change.gained for change in changes),
        lost=sum(change.lost for change in changes),
        only_in_one=only_in_one,
    )


def _compare_grids(
    before: Sequence[GridFigures],
    after: Sequence[GridFigures],
    changes: Mapping[int | None, CoverageChange],
) -> list[ComparedGrid]:
    """Put the figures of each grid side by side, where anything differs."""
    by_id = [{grid.grid_id: grid for grid in side} for side in (before, after)]
    grids = []
    for grid_id in sorted(set(by_id[0]) | set(by_id[1])):
        was, now, change = by_id[0].get(grid_id), by_id[1].get(grid_id), changes.get(grid_id)
        either = now or was
        if either is None or (_as_side(was) == _as_side(now) and change is None):
            continue
        grids.append(
            ComparedGrid(
                grid_id,
                either.code,
                either.name,
                _as_side(was),
                _as_side(now),
                (now.covered if now else 0) - (was.covered if was else 0),
                change.gained if change else 0,
                change.lost if change else 0,
            )
        )
    return grids


def _as_side(figures: GridFigures | None) -> Side | None:
    if figures is None:
        return None
    return Side(
        figures.n,
        figures.covered,
        figures.share,
        figures.median_minutes,
        figures.worst_minutes,
    )


def _find_differences(first: Run, second: Run) -> tuple[str, ...]:
    digests = (run.inputs.get("digests", {}) for run in (first, second))
    parts = find_changed_parts(*digests)
    return ("scenario", *parts) if first.scenario != second.scenario else parts


def _compare_county(first: Run, second: Run, of: str) -> dict[str, Any]:
    before, after = (
        run.summary if of == HOUSEHOLDS else run.summary.get("others", {}).get(of)
        for run in (first, second)
    )
    sides = {"a": _drop_facility_counts(before), "b": _drop_facility_counts(after)}
    if before is None or after is None:
        return {**sides, "delta": None}
    is_known = None not in (before["share"], after["share"])
    delta = Delta(
        n=after["n"] - before["n"],
        covered=after["covered"] - before["covered"],
        share=after["share"] - before["share"] if is_known else None,
    )
    return {**sides, "delta": vars(delta)}


_LEFT_OUT = ("facilities", "facilities_off_network", "others")


def _drop_facility_counts(summary: dict[str, Any] | None) -> dict[str, Any] | None:
    if summary is None:
        return None
    return {name: value for name, value in summary.items() if name not in _LEFT_OUT}
