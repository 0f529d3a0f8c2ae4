"""Coverage runs: read the county from the store, measure it, write the run whole or not at all.

The one module of this room that meets the store. Households are read through
:func:`gis_service.access.visible`, and a run needs somebody who sees all of them.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
import sqlalchemy as sa

from gis_service import __version__
from gis_service.access import Actor, record, visible
from gis_service.coverage.measurement import (
    NO_FACILITY,
    NO_HOUSEHOLDS,
    Facilities,
    Measured,
    measure_places,
)
from gis_service.coverage.network import FloatArray, IntArray, RoadNetwork
from gis_service.coverage.standards import StandardBook, standard_book
from gis_service.coverage.statistics import (
    COUNTY_RANK,
    NO_GRID,
    RULE,
    Hierarchy,
    figures,
)
from gis_service.coverage.travel_time import COVERED, STATUS_NAMES
from gis_service.errors import ConflictError, InputError, NotAllowedError, NotFoundError, Place
from gis_service.grids.people import address_of
from gis_service.grids.reading import find_scheme, on_day, version_on
from gis_service.jobs import Progress, complete, work
from gis_service.store import Store
from gis_service.store import tables as t
from gis_service.store.bulk import copy_numbers, copy_rows, read_arrays

OF: Final = "households"
STORED_DIGITS: Final = 5
"""Decimals of a stored minute: a two-thousandth of a second. Statuses come from the exact one."""


@dataclass(frozen=True)
class Run:
    """
    A finished run.

    Attributes
    ----------
    summary
        The county's figures, as :func:`county_figures` gives them, and the counts of facilities.
    """

    run_id: int
    standard: str
    scenario: str
    network_id: int | None
    version_id: int
    kinds: tuple[str, ...]
    parameters: dict[str, Any]
    fingerprint: str
    software_version: str
    summary: dict[str, Any]
    finished_at: datetime


@dataclass(frozen=True)
class Figures:
    """
    How many households of a grid are reached, for one kind or for the rule over kinds.

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


@dataclass(frozen=True)
class _County:
    network_id: int | None
    network: RoadNetwork
    version_id: int
    hierarchy: Hierarchy
    facilities: Facilities
    household_id: IntArray
    base_grid: IntArray
    lon: FloatArray
    lat: FloatArray


def measure(
    store: Store,
    actor: Actor,
    standard_code: str,
    scenario: str = "normal",
    progress: Progress = lambda _share, _step: None,
    *,
    book: StandardBook | None = None,
    job_id: int | None = None,
) -> dict[str, Any]:
    """
    Measure one standard for every household and store the run.

    Reading, measuring and writing are one transaction: a run is there whole or not at all.

    Parameters
    ----------
    store
        Where the county is.
    actor
        Must see every household of the county.
    standard_code
        Such as ``fire-20``.
    scenario
        Such as ``normal`` or ``emergency_privilege``.
    progress
        Told the share done, 0 to 1, and the message key of the step.
    book
        The standards; without it those in force.
    job_id
        The job that does it, if one does.

    Returns
    -------
    dict
        ``run_id``, ``standard``, ``scenario``, ``fingerprint`` and the summary of the run.

    Raises
    ------
    NotFoundError
        There is no such standard or scenario.
    NotAllowedError
        The actor sees a part of the county only.
    ConflictError
        No boundaries are in force today.
    """
    book = book or standard_book()
    standard, circumstances = book.standard(standard_code), book.scenario(scenario)
    if not visible(actor, t.household).compare(sa.true()):
        raise NotAllowedError("coverage.whole_county_only", actor=actor.name)
    parameters = parameters_of(book, standard_code, scenario)
    with store.transaction(actor) as connection:
        progress(0.0, "coverage.step_reading")
        county = _read_county(connection, actor)
        measured = measure_places(
            county.network,
            book,
            standard,
            circumstances,
            county.facilities,
            county.lon,
            county.lat,
            progress=lambda share, step: progress(0.2 + 0.4 * share, step),
        )
        progress(0.6, "coverage.step_counting")
        table = figures(county.hierarchy, county.base_grid, measured.outcomes())
        summary = _summary(table, measured)
        progress(0.7, "coverage.step_writing")
        run = {
            "standard": standard_code,
            "scenario": scenario,
            "network_id": county.network_id,
            "version_id": county.version_id,
            "kinds": list(standard.kinds),
            "parameters": parameters,
            "fingerprint": _fingerprint(county, parameters),
            "software_version": __version__,
            "summary": summary,
            "actor_id": actor.actor_id,
            "job_id": job_id,
        }
        run_id = _write(connection, run, county, measured, table)
        counts = {name: summary[name] for name in ("n", *STATUS_NAMES, "status")}
        record(
            connection,
            actor,
            "run",
            "coverage_run",
            run_id,
            after={"standard": standard_code, "scenario": scenario, **counts},
        )
        progress(1.0, "coverage.step_writing")
        named = {key: run[key] for key in ("standard", "scenario", "fingerprint")}
        result = {"run_id": run_id, **named, **summary}
        if job_id is not None:  # the run stands if and only if its job is done
            complete(connection, job_id, result)
    return result


def parameters_of(
    book: StandardBook, standard_code: str, scenario: str = "normal"
) -> dict[str, Any]:
    """
    Put together every number that a run depends on, as it is stored with it.

    Parameters
    ----------
    book
        The standards.
    standard_code, scenario
        Which of them.

    Returns
    -------
    dict
        JSON. A run whose ``parameters`` are other ones was measured by other settings.

    Raises
    ------
    NotFoundError
        There is no such standard or scenario.
    """
    standard = book.standard(standard_code)
    return {
        "standard": standard.model_dump(mode="json"),
        "scenario": book.scenario(scenario).model_dump(mode="json"),
        "profile": book.profiles[standard.profile].model_dump(mode="json"),
        "place": book.place.model_dump(mode="json"),
    }


@work("coverage_run")
def measure_as_job(
    store: Store, actor: Actor, arguments: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    """
    Do what a job of the kind ``coverage_run`` asks for.

    Parameters
    ----------
    store
        Where the county is.
    actor
        Who asked.
    arguments
        ``standard``, ``scenario`` where it is not ``normal``, and the job's own ``job_id``.
    progress
        Told the share done and the step.

    Returns
    -------
    dict
        As :func:`measure` gives it.

    Raises
    ------
    InputError
        An argument is missing or no text.
    """
    given = {"scenario": "normal", **arguments}
    for name in ("standard", "scenario"):
        if not isinstance(given.get(name), str):
            raise InputError("coverage.argument_missing", place=Place(field=name), argument=name)
    return measure(
        store,
        actor,
        given["standard"],
        given["scenario"],
        progress,
        job_id=given.get("job_id"),
    )


# --- reading --------------------------------------------------------------------------------------


def _read_county(connection: sa.Connection, actor: Actor) -> _County:
    scheme = find_scheme(connection, "base")
    version = version_on(connection, scheme.scheme_id, None)
    if version is None:
        raise ConflictError("coverage.no_boundaries")
    network_id, network = read_network(connection)
    home, state = t.household.c, t.grid_state.c
    households = _by_id(
        connection,
        sa.select(
            home.household_id,
            sa.func.coalesce(home.base_grid_id, NO_GRID).label("base_grid"),
            *_lon_lat(home.point),
        ).where(visible(actor, t.household)),
    )
    grids = _by_id(
        connection,
        sa.select(
            state.grid_id,
            state.rank,
            sa.func.coalesce(state.parent_grid_id, NO_GRID).label("parent"),
        ).where(state.scheme_id == scheme.scheme_id, on_day(state.valid, None)),
    )
    facility = t.facility.c
    facilities = _by_id(
        connection,
        sa.select(
            facility.facility_id,
            facility.kind,
            *_lon_lat(facility.point),
            facility.turnout_minutes,
        ),
    )
    return _County(
        network_id=network_id,
        network=network,
        version_id=version[0].version_id,
        hierarchy=Hierarchy(**grids),
        facilities=Facilities(**facilities),
        **households,
    )


def _lon_lat(point: sa.ColumnElement[Any]) -> tuple[sa.ColumnElement[float], ...]:
    return (
        sa.type_coerce(sa.func.ST_X(point), sa.Double).label("lon"),
        sa.type_coerce(sa.func.ST_Y(point), sa.Double).label("lat"),
    )


def _by_id(connection: sa.Connection, query: sa.Select[Any]) -> dict[str, npt.NDArray[Any]]:
    """Read rows in the order of the first column, so that the same county is read the same."""
    arrays = read_arrays(connection, query)
    order = np.argsort(next(iter(arrays.values())), kind="stable")
    return {name: array[order] for name, array in arrays.items()}


def read_network(connection: sa.Connection) -> tuple[int | None, RoadNetwork]:
    """
    Read the active road network.

    Parameters
    ----------
    connection
        An open transaction; the network cannot be replaced until it ends.

    Returns
    -------
    network_id, network
        None and a network without roads where the region has none.
    """
    network_id = connection.scalar(
        sa.select(t.road_network.c.network_id)
        .where(t.road_network.c.active)
        .with_for_update(read=True)
    )
    node, edge = t.road_node.c, t.road_edge.c
    nodes = read_arrays(
        connection,
        sa.select(node.node_id, *_lon_lat(node.point)).where(node.network_id == network_id),
    )
    edges = read_arrays(
        connection,
        sa.select(
            edge.edge_id,
            edge.source_node,
            edge.target_node,
            edge.road_class,
            edge.oneway,
            edge.maxspeed_kmh,
            edge.bridge,
            edge.tunnel,
            edge.dual_carriageway,
            edge.foot,
            edge.motor,
            edge.length_m,
            edge.geom.label("geometry"),
        ).where(edge.network_id == network_id),
    )
    return network_id, RoadNetwork.from_frames(pd.DataFrame(nodes), pd.DataFrame(edges))


# --- writing --------------------------------------------------------------------------------------


def _write(
    connection: sa.Connection,
    run: Mapping[str, Any],
    county: _County,
    measured: Measured,
    table: pd.DataFrame,
) -> int:
    run_id: int = connection.execute(
        sa.insert(t.coverage_run).values(**run).returning(t.coverage_run.c.run_id)
    ).scalar_one()
    copy_numbers(
        connection,
        t.coverage_household,
        {
            "run_id": np.full(len(county.household_id), run_id),
            "household_id": county.household_id,
            "status": measured.status,
            "minutes": _stored(measured.minutes),
            "kind_status": measured.kind_status,
            "kind_minutes": _stored(measured.kind_minutes),
            "kind_facility": np.ma.masked_less(measured.kind_facility, 0),
        },
    )
    minutes = ("median_minutes", "p90_minutes", "worst_minutes")
    copy_rows(
        connection,
        t.coverage_figure,
        {
            "run_id": np.full(len(table), run_id),
            **{
                name: _stored(table[name].to_numpy(float))
                if name in minutes
                else table[name].to_numpy()
                for name in table.columns
            },
        },
    )
    return run_id


def _stored(minutes: FloatArray) -> FloatArray:
    return np.where(np.isfinite(minutes), np.round(minutes, STORED_DIGITS), np.nan)


def _summary(table: pd.DataFrame, measured: Measured) -> dict[str, Any]:
    of_county = table[table["rank"] == COUNTY_RANK].set_index("kind")
    entry = {
        kind: asdict(_figures_of(of_county.loc[kind].to_dict(), measured.state_of(kind)))
        for kind in (RULE, *measured.kinds)
    }
    return {
        **entry[RULE],
        "kinds": {kind: entry[kind] for kind in measured.kinds},
        "facilities": measured.facility_count,
        "facilities_off_network": measured.facility_off_network,
    }


def _figures_of(row: Mapping[Any, Any], status: str) -> Figures:
    n, covered = int(row["n"]), int(row["covered"])
    return Figures(
        of=OF,
        n=n,
        covered=covered,
        too_far=int(row["too_far"]),
        unreachable=int(row["unreachable"]),
        off_network=int(row["off_network"]),
        share=covered / n if n else None,
        status=status if n else NO_HOUSEHOLDS,
        median_minutes=_known(row["median_minutes"]),
        p90_minutes=_known(row["p90_minutes"]),
        worst_minutes=_known(row["worst_minutes"]),
    )


def _known(minutes: float | None) -> float | None:
    return None if minutes is None or np.isnan(minutes) else round(float(minutes), 3)


def _fingerprint(county: _County, parameters: Mapping[str, Any]) -> str:
    """Digest all that the figures depend on, so that a stale run can be told."""
    digest = hashlib.sha256()
    digest.update(__version__.encode())
    digest.update(json.dumps(parameters, sort_keys=True, ensure_ascii=False).encode())
    roads, sites, grids = county.network, county.facilities, county.hierarchy
    arrays = (
        *(roads.node_id, roads.lon, roads.lat, roads.edge_id, roads.source, roads.target),
        *(roads.road_class, roads.oneway, roads.bridge, roads.tunnel, roads.dual_carriageway),
        *(roads.foot, roads.motor, roads.maxspeed_kmh, roads.length_m),
        *(sites.facility_id, sites.kind, sites.lon, sites.lat, sites.turnout_minutes),
        *(grids.grid_id, grids.rank, grids.parent),
        *(county.household_id, county.base_grid, county.lon, county.lat),
    )
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    for wkb in shapely.to_wkb(roads.geometry):
        digest.update(wkb)
    return digest.hexdigest()


# --- asking ---------------------------------------------------------------------------------------


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
    connection: sa.Connection, run_id: int, rank: int, kind: str = RULE
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

    Returns
    -------
    dict
        By grid id; a grid without households has n = 0 and no share.

    Raises
    ------
    NotFoundError
        There is no such run.
    """
    run = find_run(connection, run_id)
    figure = t.coverage_figure.c
    rows = connection.execute(
        sa.select(t.coverage_figure).where(
            figure.run_id == run_id, figure.rank == rank, figure.kind == kind
        )
    ).mappings()
    return {row["grid_id"]: _figures_of(row, _state_in(run, kind)) for row in rows}


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
                figure.run_id == run.run_id, figure.grid_id == grid_id
            )
        ).mappings()
        found = {row["kind"]: asdict(_figures_of(row, _state_in(run, row["kind"]))) for row in rows}
        if RULE in found:
            kinds = {kind: found[kind] for kind in run.kinds}
            answer[code] = {**found[RULE], "kinds": kinds, "run_id": run.run_id}
    return answer


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
