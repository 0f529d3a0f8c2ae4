"""Stored coverage runs as they are read: the list, the figures, and whoever is not reached.

Households are read through :func:`gis_service.access.visible`. Nothing here measures or writes.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import sqlalchemy as sa

from gis_service.access import Actor, visible
from gis_service.coverage.measurement import NO_FACILITY, NO_HOUSEHOLDS
from gis_service.coverage.standards import standard_book
from gis_service.coverage.statistics import HOUSEHOLDS, POPULATIONS, RULE
from gis_service.coverage.travel_time import COVERED, STATUS_NAMES
from gis_service.errors import InputError, NotFoundError, Place
from gis_service.grids.people import address_of
from gis_service.grids.reading import on_day
from gis_service.store import tables as t


@dataclass(frozen=True)
class Run:
    """
    A finished run.

    Attributes
    ----------
    inputs
        ``digests`` of what it was measured on by part, and the ``counts`` of changes then.
    summary
        The county's figures, as :func:`county_figures` gives them, the counts of facilities, and
        under ``others`` the figures of people, buildings and so on.
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


@dataclass(frozen=True)
class Figures:
    """
    How many of a grid are reached, for one kind or for the rule over kinds.

    Attributes
    ----------
    of
        What ``n`` counts.
    share
        ``covered / n``; None where n is 0.
    status
        ``ok``, or why the figure does not measure travel: ``no_facility``, ``no_roads``,
        ``no_households``.
    median_minutes, p90_minutes, worst_minutes
        Of those whom some facility reaches at all; None where there are none.
    """

    of: str
    n: int
    covered: int
    too_far: int
    unreachable: int
    off_network: int
    share: float | None
    status: str
    median_minutes: float | None
    p90_minutes: float | None
    worst_minutes: float | None


@dataclass(frozen=True)
class Unreached:
    """
    A household that is not covered, and why.

    Attributes
    ----------
    status
        ``too_far``, ``unreachable`` or ``off_network``.
    minutes
        By the rule over kinds; None where none arrives.
    kinds
        By kind: ``status``, ``minutes`` and ``facility_id``.
    """

    household_id: int
    address: str
    status: str
    minutes: float | None
    kinds: dict[str, dict[str, Any]]
    base_grid_id: int | None
    grid_name: str | None
    grid_code: str | None
    lon: float
    lat: float


def latest_run(connection: sa.Connection, standard: str, scenario: str = "normal") -> Run | None:
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
    run = t.coverage_run.c
    row = connection.execute(
        sa.select(t.coverage_run)
        .where(run.standard == standard, run.scenario == scenario)
        .order_by(run.run_id.desc())
        .limit(1)
    ).first()
    return None if row is None else _run_of(row)


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
    row = connection.execute(
        sa.select(t.coverage_run).where(t.coverage_run.c.run_id == run_id)
    ).first()
    if row is None:
        raise NotFoundError("coverage.no_run", run=run_id)
    return _run_of(row)


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
    run = t.coverage_run.c
    wanted = sa.true() if standard is None else run.standard == standard
    total = connection.scalar(sa.select(sa.func.count()).select_from(t.coverage_run).where(wanted))
    rows = connection.execute(
        sa.select(t.coverage_run)
        .where(wanted)
        .order_by(run.run_id.desc())
        .limit(limit)
        .offset(offset)
    )
    return [_run_of(row) for row in rows], total or 0


def _run_of(row: sa.Row[Any]) -> Run:
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


def county_figures(connection: sa.Connection) -> dict[str, dict[str, Any]]:
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
    latest = _latest_runs(connection)
    return {code: {**run.summary, "run_id": run.run_id} for code, run in latest.items()}


def _latest_runs(connection: sa.Connection) -> dict[str, Run]:
    run = t.coverage_run.c
    newest = (
        sa.select(sa.func.max(run.run_id)).where(run.scenario == "normal").group_by(run.standard)
    )
    rows = connection.execute(
        sa.select(t.coverage_run).where(run.run_id.in_(newest)).order_by(run.standard)
    )
    found = {row.standard: _run_of(row) for row in rows}
    order = [code for code in standard_book().standards if code in found]
    return {code: found[code] for code in (*order, *sorted(set(found) - set(order)))}


def figures_by_grid(
    connection: sa.Connection, run_id: int, rank: int, kind: str = RULE, of: str = HOUSEHOLDS
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
    figure = t.coverage_figure.c
    every_grid = sa.select(figure.grid_id).where(
        figure.run_id == run_id,
        figure.rank == rank,
        figure.kind == RULE,
        figure.of == HOUSEHOLDS,
    )
    status = _state_in(run, kind)
    found = {
        grid_id: figures_from(dict.fromkeys(_COUNTS, 0), status, of)
        for grid_id in connection.execute(every_grid.order_by(figure.grid_id)).scalars()
    }
    rows = connection.execute(
        sa.select(t.coverage_figure).where(
            figure.run_id == run_id,
            figure.rank == rank,
            figure.kind == kind,
            figure.of == of,
        )
    ).mappings()
    return found | {row["grid_id"]: figures_from(row, status) for row in rows}


_COUNTS: Final = ("n", *STATUS_NAMES)


@dataclass(frozen=True)
class GridFigures(Figures):
    """The figures of one grid, with its name and code."""

    grid_id: int
    code: str
    name: str
    parent_grid_id: int | None


def figures_of(
    connection: sa.Connection, run: Run, rank: int, of: str = HOUSEHOLDS, kind: str = RULE
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
    found = figures_by_grid(connection, run.run_id, rank, kind, of)
    state = t.grid_state.c
    names = connection.execute(
        sa.select(state.grid_id, state.code, state.name, state.parent_grid_id)
        .distinct(state.grid_id)
        .where(state.grid_id.in_(list(found)))
        .order_by(
            state.grid_id, on_day(state.valid, None).desc(), sa.func.upper(state.valid).desc()
        )
    )
    named = {row.grid_id: row for row in names}
    rows = [
        GridFigures(
            **vars(figures),
            grid_id=grid_id,
            code=named[grid_id].code if grid_id in named else "",
            name=named[grid_id].name if grid_id in named else "",
            parent_grid_id=named[grid_id].parent_grid_id if grid_id in named else None,
        )
        for grid_id, figures in found.items()
    ]
    return sorted(rows, key=lambda row: (row.code, row.grid_id))


def figures_of_grid(connection: sa.Connection, grid_id: int) -> dict[str, dict[str, Any]]:
    """
    Read all figures of one grid from the newest normal run of every standard.

    Parameters
    ----------
    connection
        An open transaction.
    grid_id
        Of any level; :data:`gis_service.coverage.statistics.COUNTY_GRID` is the county.

    Returns
    -------
    dict
        By standard in the shape of :func:`county_figures`; a standard whose run does not know the
        grid (it was published later) is left out.
    """
    figure = t.coverage_figure.c
    answer: dict[str, dict[str, Any]] = {}
    for code, run in _latest_runs(connection).items():
        rows = connection.execute(
            sa.select(t.coverage_figure).where(
                figure.run_id == run.run_id,
                figure.grid_id == grid_id,
                figure.of == HOUSEHOLDS,
            )
        ).mappings()
        found = {
            row["kind"]: asdict(figures_from(row, _state_in(run, row["kind"]))) for row in rows
        }
        if RULE in found:
            kinds = {kind: found[kind] for kind in run.kinds}
            answer[code] = {**found[RULE], "kinds": kinds, "run_id": run.run_id}
    return answer


def figures_from(row: Mapping[Any, Any], status: str, of: str | None = None) -> Figures:
    """
    Make figures of a row of the table of figures.

    Parameters
    ----------
    row
        By column; minutes may be missing, None or NaN where none arrives.
    status
        What a share stands on where there is anything to count.
    of
        What is counted, where the row does not say it.

    Returns
    -------
    Figures
        With the share.
    """
    n, covered = int(row["n"]), int(row["covered"])
    return Figures(
        of=of or str(row["of"]),
        n=n,
        covered=covered,
        too_far=int(row["too_far"]),
        unreachable=int(row["unreachable"]),
        off_network=int(row["off_network"]),
        share=covered / n if n else None,
        status=status if n else NO_HOUSEHOLDS,
        median_minutes=_known(row.get("median_minutes")),
        p90_minutes=_known(row.get("p90_minutes")),
        worst_minutes=_known(row.get("worst_minutes")),
    )


def _known(minutes: float | None) -> float | None:
    return None if minutes is None or np.isnan(minutes) else round(float(minutes), 3)


def _state_in(run: Run, kind: str) -> str:
    entry = run.summary if kind == RULE else run.summary["kinds"].get(kind, {})
    return str(entry.get("status", NO_FACILITY))


def unreached(
    connection: sa.Connection,
    actor: Actor,
    run_id: int,
    *,
    grid_id: int | None = None,
    reason: str | None = None,
    limit: int = 100,
    offset: int = 0,
) -> tuple[list[Unreached], int]:
    """
    List the households that are not covered, each with the reason.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks; sees the households of its areas.
    run_id
        Which run.
    grid_id
        Only in this grid, of any level of the base scheme.
    reason
        Only ``too_far``, ``unreachable`` or ``off_network``.
    limit, offset
        Which page.

    Returns
    -------
    households, total
        The page, the longest way first (those whom nobody reaches before all), and how many the
        actor may see in all.

    Raises
    ------
    NotFoundError
        There is no such run.
    InputError
        The reason is none of the three.
    """
    run = find_run(connection, run_id)
    result, home, state = t.coverage_household.c, t.household.c, t.grid_state.c
    wanted = [result.run_id == run_id, result.status != COVERED, visible(actor, t.household)]
    if reason is not None:
        wanted.append(result.status == _status_code(reason))
    if grid_id is not None:
        wanted.append(home.base_grid_id.in_(_grids_within(grid_id)))
    joined = t.coverage_household.join(t.household, home.household_id == result.household_id)
    total = connection.scalar(sa.select(sa.func.count()).select_from(joined).where(*wanted))
    rows = connection.execute(
        sa.select(
            t.coverage_household,
            home.street,
            home.house_number,
            home.group_number,
            home.room,
            home.base_grid_id,
            state.name.label("grid_name"),
            state.code.label("grid_code"),
            sa.func.ST_X(home.point).label("lon"),
            sa.func.ST_Y(home.point).label("lat"),
        )
        .select_from(
            joined.outerjoin(
                t.grid_state, (state.grid_id == home.base_grid_id) & on_day(state.valid, None)
            )
        )
        .where(*wanted)
        .order_by(result.minutes.desc().nulls_first(), result.household_id)
        .limit(limit)
        .offset(offset)
    )
    return [_unreached_of(row, run.kinds) for row in rows], total or 0


def _status_code(reason: str) -> int:
    reasons = STATUS_NAMES[COVERED + 1 :]
    if reason not in reasons:
        raise InputError(
            "coverage.unknown_reason",
            place=Place(field="reason"),
            reason=reason,
            known=", ".join(reasons),
        )
    return STATUS_NAMES.index(reason)


def _grids_within(grid_id: int) -> sa.Select[tuple[int]]:
    """Walk today's hierarchy down from a grid; the grid itself is in the answer."""
    start = sa.select(sa.cast(grid_id, sa.BigInteger).label("id"))
    within = start.cte("within", recursive=True)
    state = t.grid_state.c
    child = sa.select(state.grid_id).where(
        state.parent_grid_id == within.c.id, on_day(state.valid, None)
    )
    tree = within.union_all(child)
    return sa.select(tree.c.id)


def _unreached_of(row: sa.Row[Any], kinds: tuple[str, ...]) -> Unreached:
    by_kind = {
        kind: {"status": STATUS_NAMES[status], "minutes": minutes, "facility_id": facility_id}
        for kind, status, minutes, facility_id in zip(
            kinds, row.kind_status, row.kind_minutes, row.kind_facility, strict=True
        )
    }
    return Unreached(
        row.household_id,
        address_of(row),
        STATUS_NAMES[row.status],
        row.minutes,
        by_kind,
        row.base_grid_id,
        row.grid_name,
        row.grid_code,
        row.lon,
        row.lat,
    )
