"""Figures of coverage as the map and the sheets show them, to the one who asks.

Whoever answers for a grid sees its exact figures. Anybody else sees shares in whole percent, and
none where a cell of 1–4 households could be told from it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from gis_service.access import Actor
from gis_service.coverage.measuring.statistics import COUNTY_GRID, COUNTY_RANK, HOUSEHOLDS, RULE
from gis_service.coverage.runs.runs import (
    Figures,
    Run,
    read_figures_by_grid,
    read_grid_figures,
    read_named_figures,
)
from gis_service.grids.answers.queries import find_grids_seen, read_parents
from gis_service.grids.reading import SchemeKey
from gis_service.maps.figures.classes import hide_small
from gis_service.store import tables as t


@dataclass(frozen=True)
class KindFigures:
    """
    Households of one grid against one standard, or one kind of facility.

    Attributes
    ----------
    of
        What ``n`` counts.
    n
        ``covered + too_far + unreachable + off_network = n``. The counts are None for one who
        sees the share only.
    share
        ``covered / n``, from 0 to 1; None where there is no household or the cell is hidden.
    status
        ``ok``, or why the figure does not measure travel.
    median_minutes, p90_minutes, worst_minutes
        Of the households that some facility reaches at all.
    """

    of: str
    n: int | None
    covered: int | None
    too_far: int | None
    unreachable: int | None
    off_network: int | None
    share: float | None
    status: str
    median_minutes: float | None
    p90_minutes: float | None
    worst_minutes: float | None


@dataclass(frozen=True)
class CoverageFigures(KindFigures):
    """The standard's rule over kinds, and each kind by itself; ``run_id`` names the run."""

    run_id: int
    kinds: dict[str, KindFigures] = field(default_factory=dict)


_FIELDS: Final = tuple(KindFigures.__dataclass_fields__)


def _exact(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {name: figures[name] for name in _FIELDS}


def _share_only(figures: Mapping[str, Any]) -> dict[str, Any]:
    share = figures["share"]
    public = {"of": figures["of"], "status": figures["status"]}
    return {**dict.fromkeys(_FIELDS), **public, "share": None if share is None else round(share, 2)}


def _hidden(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {**_share_only(figures), "share": None}


def shares_by_grid(
    connection: sa.Connection,
    actor: Actor,
    scheme: SchemeKey,
    run_id: int,
    rank: int,
    kind: str,
) -> dict[int, float | None]:
    """Give the share of covered households of every grid of a level."""
    by_grid = read_figures_by_grid(connection, run_id, rank, kind)
    seen_grids = find_grids_seen(connection, actor, t.household)
    if seen_grids is None:
        return {grid: figures.share for grid, figures in by_grid.items()}
    hidden = _hidden_grids(connection, scheme, by_grid)
    shares: dict[int, float | None] = {}
    for grid, figures in by_grid.items():
        if grid in seen_grids:
            shares[grid] = figures.share
        elif grid in hidden or figures.share is None:
            shares[grid] = None
        else:
            shares[grid] = round(figures.share, 2)
    return shares


def _hidden_grids(
    connection: sa.Connection, scheme: SchemeKey, by_grid: Mapping[int, Figures]
) -> Collection[int]:
    sizes = {grid: figures.n for grid, figures in by_grid.items()}
    return hide_small(sizes, read_parents(connection, scheme, None))


def figures_seen(
    connection: sa.Connection,
    actor: Actor,
    scheme: SchemeKey,
    run: Run,
    rank: int,
    of: str = HOUSEHOLDS,
    kind: str = RULE,
    *,
    only: int | None = None,
) -> list[dict[str, Any]]:
    """
    Give the figures of every grid of a level to the one who asks.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks: exact for the grids of its areas; for others the share in whole percent, and none
        where a small cell could be told; of hazards nothing at all.
    scheme
        The grids' scheme.
    run
        Which run.
    rank
        Which level; 0 is the county.
    of
        What is counted, of ``statistics.POPULATIONS``.
    kind
        A kind of facility; empty is the rule over kinds.
    only
        This grid, and no other.

    Returns
    -------
    list of dict
        ``grid_id``, ``code``, ``name``, ``parent_grid_id`` and the fields of
        :class:`KindFigures`, by code.

    Raises
    ------
    NotFoundError
        The run has no such kind.
    InputError
        Nothing of that name is counted.
    """
    figures = read_named_figures(connection, run, rank, of, kind, only=only)
    seen_grids = find_grids_seen(connection, actor, t.household)
    if seen_grids is None:
        return [vars(grid_figures) for grid_figures in figures]
    households = read_figures_by_grid(connection, run.run_id, rank, kind)
    hidden = _hidden_grids(connection, scheme, households)
    rows = []
    for grid_figures in figures:
        row = vars(grid_figures)
        if grid_figures.grid_id not in seen_grids:
            secret = grid_figures.grid_id in hidden or of == "hazards"
            row = row | (_hidden(row) if secret else _share_only(row))
        rows.append(row)
    return rows


def coverage_of_grid(
    connection: sa.Connection, actor: Actor, scheme: SchemeKey, rank: int, grid_id: int
) -> dict[str, CoverageFigures]:
    """Give the figures of one grid against every standard that was measured."""
    seen_grids = find_grids_seen(connection, actor, t.household)
    in_sight = seen_grids is None or grid_id in seen_grids
    answer: dict[str, CoverageFigures] = {}
    for standard, figures in read_grid_figures(connection, rank, grid_id).items():
        shape = _exact
        if not in_sight:
            siblings = read_figures_by_grid(connection, figures["run_id"], rank)
            small = grid_id in _hidden_grids(connection, scheme, siblings)
            shape = _hidden if small else _share_only
        answer[standard] = CoverageFigures(
            **shape(figures),
            run_id=figures["run_id"],
            kinds={
                kind: KindFigures(**shape(kind_figures))
                for kind, kind_figures in figures["kinds"].items()
            },
        )
    return answer


def coverage_of_county(
    connection: sa.Connection, actor: Actor, scheme: SchemeKey
) -> dict[str, CoverageFigures]:
    """Give the county's figures against every standard that was measured."""
    return coverage_of_grid(connection, actor, scheme, COUNTY_RANK, COUNTY_GRID)
