"""Stored coverage runs as they are read: the list, and the figures by grid and county.

Nothing here measures or writes, and no household is read.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa

from gis_service.coverage.measuring.measurement import NO_FACILITY
from gis_service.coverage.measuring.statistics import HOUSEHOLDS, POPULATIONS, RULE
from gis_service.coverage.measuring.summary import Figures, as_figures
from gis_service.coverage.runs import queries
from gis_service.coverage.standards.book import standard_book
from gis_service.errors import ConflictError, InputError, NotFoundError, Place

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Run:
    """
    A finished run.

    Attributes
    ----------
    inputs
        ``digests`` of what it was measured on by part, and the ``counts`` of changes then.
    summary
        The county's figures, as :func:`read_county_figures` gives them, the counts of facilities,
        and under ``others`` the figures of people, buildings and so on.
    """

    run_id: int
    standard: str
    scenario: str
    network_id: int | None
    version_id: int
    kinds: tuple[str, ...]
    parameters: dict[str, Any]
    fingerprint: str
    inputs: dict[str, Any]
    software_version: str
    summary: dict[str, Any]
    finished_at: datetime


def find_latest_run(
    connection: sa.Connection, standard: str, scenario: str = "normal"
) -> Run | None:
    """
    Find the newest run of a standard.

    Parameters
    ----------
    connection
        An open transaction.
    standard, scenario
        Their codes.

    Returns
    -------
    Run or None
        None where it was never measured.
    """
    row = queries.read_latest_run(connection, standard, scenario)
    return None if row is None else _as_run(row)


def find_run(connection: sa.Connection, run_id: int) -> Run:
    """
    Read one run.

    Parameters
    ----------
    connection
        An open transaction.
    run_id
        Which.

    Returns
    -------
    Run
        With its summary.

    Raises
    ------
    NotFoundError
        There is no such run.
    """
    row = queries.read_run(connection, run_id)
    if row is None:
        raise NotFoundError("coverage.no_run", run=run_id)
    return _as_run(row)


def find_whole_run(connection: sa.Connection, run_id: int) -> Run:
    """Read one run whose households are kept, each with its minutes."""
    run = find_run(connection, run_id)
    if queries.has_lost_households(connection, run_id):
        raise ConflictError("coverage.households_not_kept", run=run_id)
    return run


def list_runs(
    connection: sa.Connection, standard: str | None = None, *, limit: int = 50, offset: int = 0
) -> tuple[list[Run], int]:
    """
    List runs, the newest first.

    Parameters
    ----------
    connection
        An open transaction.
    standard
        Only of this one.
    limit, offset
        Which page.

    Returns
    -------
    runs, total
        The page, and how many there are in all.
    """
    rows, total = queries.read_runs(connection, standard, limit, offset)
    return [_as_run(row) for row in rows], total


def _as_run(row: sa.Row[Any]) -> Run:
    return Run(
        row.run_id,
        row.standard,
        row.scenario,
        row.network_id,
        row.version_id,
        tuple(row.kinds),
        row.parameters,
        row.fingerprint,
        row.inputs,
        row.software_version,
        row.summary,
        row.finished_at,
    )


def read_county_figures(connection: sa.Connection) -> dict[str, dict[str, Any]]:
    """
    Tell for every standard that was measured what share of the county's households is reached.

    Parameters
    ----------
    connection
        An open transaction.

    Returns
    -------
    dict
        By standard, from its newest normal run: the fields of :class:`Figures`, the same under
        ``kinds`` for each kind, ``run_id``, and how many facilities there are by kind.
    """
    runs = {row.standard: _as_run(row) for row in queries.read_latest_runs(connection)}
    return {
        code: {**run.summary, "run_id": run.run_id} for code, run in _order_by_book(runs).items()
    }


def _order_by_book(by_standard: Mapping[str, _Value]) -> dict[str, _Value]:
    """Put standards into the order of the book; those that it no longer knows come last."""
    order = [code for code in standard_book().standards if code in by_standard]
    return {code: by_standard[code] for code in dict.fromkeys((*order, *sorted(by_standard)))}


def read_figures_by_grid(
    connection: sa.Connection,
    run_id: int,
    rank: int,
    kind: str = RULE,
    of: str = HOUSEHOLDS,
    *,
    only: int | None = None,
) -> dict[int, Figures]:
    """
    Read the figures of every grid of one level.

    Parameters
    ----------
    connection
        An open transaction.
    run_id
        Which run.
    rank
        Which level; 0 is the county.
    kind
        A kind of facility; empty is the rule over kinds.
    of
        What is counted, of ``statistics.POPULATIONS``.
    only
        This grid, and no other.

    Returns
    -------
    dict
        By grid id; a grid with nothing to count has n = 0 and no share.

    Raises
    ------
    NotFoundError
        There is no such run, or it has no such kind.
    InputError
        Nothing of that name is counted.
    """
    run = find_run(connection, run_id)
    if of not in POPULATIONS:
        raise InputError(
            "coverage.unknown_of", place=Place(field="of"), of=of, known=", ".join(POPULATIONS)
        )
    if kind not in (RULE, *run.kinds):
        raise NotFoundError("coverage.unknown_kind", kind=kind, known=", ".join(run.kinds))
    status = _find_status(run, kind)
    counted = {
        row["grid_id"]: as_figures(row, status)
        for row in queries.read_figures(connection, run_id, rank, kind, of, only)
    }
    nothing = as_figures(dict.fromkeys(queries.COUNTS, 0), status, of)
    grids = queries.read_grids_of_run(connection, run_id, rank, only)
    return {grid_id: counted.get(grid_id, nothing) for grid_id in grids}


@dataclass(frozen=True)
class GridFigures(Figures):
    """The figures of one grid, with its name and code."""

    grid_id: int
    code: str
    name: str
    parent_grid_id: int | None


def read_named_figures(
    connection: sa.Connection,
    run: Run,
    rank: int,
    of: str = HOUSEHOLDS,
    kind: str = RULE,
    *,
    only: int | None = None,
) -> list[GridFigures]:
    """
    Read the figures of every grid of one level with its name.

    Parameters
    ----------
    connection
        An open transaction.
    run
        Which.
    rank
        Which level; 0 is the county, whose code and name are empty.
    of
        What is counted, of ``statistics.POPULATIONS``.
    kind
        A kind of facility; empty is the rule over kinds.
    only
        This grid, and no other.

    Returns
    -------
    list of GridFigures
        By code. A grid that is no longer in force keeps the name that it had last.

    Raises
    ------
    NotFoundError
        The run has no such kind.
    InputError
        Nothing of that name is counted.
    """
    by_grid = read_figures_by_grid(connection, run.run_id, rank, kind, of, only=only)
    names = queries.read_grid_names(connection, list(by_grid))
    rows = [
        GridFigures(
            **vars(figures),
            grid_id=grid_id,
            code=names[grid_id].code if grid_id in names else "",
            name=names[grid_id].name if grid_id in names else "",
            parent_grid_id=names[grid_id].parent_grid_id if grid_id in names else None,
        )
        for grid_id, figures in by_grid.items()
    ]
    return sorted(rows, key=lambda row: (row.code, row.grid_id))


def read_grid_figures(
    connection: sa.Connection, rank: int, grid_id: int
) -> dict[str, dict[str, Any]]:
    """
    Read all figures of one grid from the newest normal run of every standard.

    Parameters
    ----------
    connection
        An open transaction.
    rank
        The grid's level, without which every figure of a run would be looked at.
    grid_id
        Of any level; :data:`gis_service.coverage.measuring.statistics.COUNTY_GRID` is the county.

    Returns
    -------
    dict
        By standard in the shape of :func:`read_county_figures`; a standard whose run does not know
        the grid (it was published later) is left out.
    """
    by_standard: dict[str, dict[str, Any]] = {}
    for row in queries.read_figures_of_grid(connection, rank, grid_id):
        known = {"run_id": row["run_id"], "of_run": row["kinds"], "by_kind": {}}
        by_kind = by_standard.setdefault(row["standard"], known)["by_kind"]
        by_kind[row["kind"]] = asdict(as_figures(row, row["status"] or NO_FACILITY))
    return {
        code: {
            **figures["by_kind"][RULE],
            "kinds": {kind: figures["by_kind"][kind] for kind in figures["of_run"]},
            "run_id": figures["run_id"],
        }
        for code, figures in _order_by_book(by_standard).items()
        if RULE in figures["by_kind"]
    }


def _find_status(run: Run, kind: str) -> str:
    entry = run.summary if kind == RULE else run.summary["kinds"].get(kind, {})
    return str(entry.get("status", NO_FACILITY))


def find_grid_rank(connection: sa.Connection, run_id: int, grid_id: int) -> int:
    """
    Find the level of a grid in a run.

    Parameters
    ----------
    connection
        An open transaction.
    run_id, grid_id
        Which.

    Returns
    -------
    int
        From 1, the top.

    Raises
    ------
    NotFoundError
        The run does not know the grid.
    """
    rank = queries.read_rank(connection, run_id, grid_id)
    if rank is None:
        raise NotFoundError("coverage.no_grid_in_run", grid=grid_id, run=run_id)
    return int(rank)
