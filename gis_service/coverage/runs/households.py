"""The households of a run: who is not reached, in which places, by which station, and since when.

Households are read through :func:`gis_service.access.visible`, and who was given which is recorded.
Nothing here measures.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa

from gis_service.access import Actor, record
from gis_service.access.households import ROUGH_DECIMALS, find_home, knows_address
from gis_service.coverage.county.queries import check_whole_county
from gis_service.coverage.measuring.blind_spots import BlindSpot, Missed, group_blind_spots
from gis_service.coverage.measuring.statistics import NO_GRID
from gis_service.coverage.runs import queries
from gis_service.coverage.runs.reading import find_whole_run
from gis_service.coverage.travel.travel_time import COVERED, STATUS_NAMES
from gis_service.errors import InputError, NotFoundError, Place


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
    exact
        False: the address ends with the street, and the place is right to about 100 m.
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
    exact: bool


def list_unreached(
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
    run = find_whole_run(connection, run_id)
    rows, total = queries.read_unreached(
        connection,
        actor,
        run_id,
        status=None if reason is None else _find_status_code(reason),
        grid_id=grid_id,
        limit=limit,
        offset=offset,
    )
    if rows:
        after = {"run_id": run_id, "grid_id": grid_id, "reason": reason, "offset": offset}
        after |= {"rows": len(rows), "total": total}
        record(connection, actor, "list", "household", after=after)
    return [_as_unreached(actor, row, run.kinds) for row in rows], total


def _find_status_code(reason: str) -> int:
    reasons = STATUS_NAMES[COVERED + 1 :]
    if reason not in reasons:
        raise InputError(
            "coverage.unknown_reason",
            place=Place(field="reason"),
            reason=reason,
            known=", ".join(reasons),
        )
    return STATUS_NAMES.index(reason)


def _as_unreached(actor: Actor, row: sa.Row[Any], kinds: tuple[str, ...]) -> Unreached:
    home = find_home(actor, row)
    by_kind = {
        kind: {"status": STATUS_NAMES[status], "minutes": minutes, "facility_id": facility_id}
        for kind, status, minutes, facility_id in zip(
            kinds, row.kind_status, row.kind_minutes, row.kind_facility, strict=True
        )
    }
    return Unreached(
        row.household_id,
        home.address,
        STATUS_NAMES[row.status],
        row.minutes,
        by_kind,
        row.base_grid_id,
        row.grid_name,
        row.grid_code,
        home.lon,
        home.lat,
        home.exact,
    )


def find_blind_spots(connection: sa.Connection, actor: Actor, run_id: int) -> list[BlindSpot]:
    """
    Put the households that a run does not cover together into named places.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks; the households of its areas count. Outlines are drawn around rough places for
        those who are not told where a household lives.
    run_id
        Which run.

    Returns
    -------
    list of BlindSpot
        The largest first.

    Raises
    ------
    NotFoundError
        There is no such run.
    """
    run = find_whole_run(connection, run_id)
    rows = queries.read_missed(connection, actor, run.run_id)
    grids = queries.read_grids_in_force(connection)
    names = {grid.grid_id: grid.name for grid in grids}
    parent = {grid.grid_id: grid.parent_grid_id for grid in grids}
    ids, which = np.unique(rows["grid"], return_inverse=True)
    above = np.array([parent.get(int(grid_id)) or NO_GRID for grid_id in ids], dtype=np.int64)
    missed = Missed(
        lon=rows["lon"],
        lat=rows["lat"],
        status=rows["status"].astype(np.int8),
        minutes=rows["minutes"],
        people=rows["people"],
        grid=rows["grid"],
        village=above[which] if len(ids) else rows["grid"],
    )
    if knows_address(actor):
        return group_blind_spots(missed, names)
    rough = missed.lon.round(ROUGH_DECIMALS), missed.lat.round(ROUGH_DECIMALS)
    return group_blind_spots(missed, names, drawn=rough)


@dataclass(frozen=True)
class ServingStation:
    """
    A facility that is the nearest one of some of a grid's households.

    Attributes
    ----------
    households
        How many it is nearest to.
    median_minutes, worst_minutes
        On the way to or from these.
    """

    kind: str
    facility_id: int
    name: str
    households: int
    median_minutes: float
    worst_minutes: float
    lon: float
    lat: float


def list_serving_stations(
    connection: sa.Connection, actor: Actor, run_id: int, grid_id: int
) -> list[ServingStation]:
    """
    Tell from where a grid's households are served, kind by kind.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks; the households of its areas count.
    run_id
        Which run.
    grid_id
        Of any level of the base scheme.

    Returns
    -------
    list of ServingStation
        By kind in the order of the standard, that of most households first.

    Raises
    ------
    NotFoundError
        There is no such run.
    """
    run = find_whole_run(connection, run_id)
    return [
        ServingStation(
            run.kinds[row.place - 1],
            row.facility_id,
            row.name,
            row.households,
            round(row.median, 3),
            round(row.worst, 3),
            row.lon,
            row.lat,
        )
        for row in queries.read_serving_stations(connection, actor, run_id, grid_id)
    ]


def read_household(
    connection: sa.Connection, actor: Actor, run_id: int, household_id: int
) -> Unreached:
    """
    Tell what a run says of one household, covered or not.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks; sees the households of its areas.
    run_id, household_id
        Which.

    Returns
    -------
    Unreached
        Status and minutes, by the rule and by kind.

    Raises
    ------
    NotFoundError
        There is no such run, or no such household that the actor may see in it.
    """
    run = find_whole_run(connection, run_id)
    row = queries.read_household_row(connection, actor, run_id, household_id)
    if row is None:
        raise NotFoundError("coverage.no_household", household=household_id, run=run_id)
    record(connection, actor, "see", "household", household_id, after={"run_id": run_id})
    return _as_unreached(actor, row, run.kinds)


@dataclass(frozen=True)
class CoverageChange:
    """How many households of a grid are covered in one of two runs only."""

    grid_id: int | None
    # Covered by the second run and not by the first.
    gained: int
    # Covered by the first run and not by the second.
    lost: int


def count_changed_households(
    connection: sa.Connection, actor: Actor, first_run: int, second_run: int
) -> tuple[list[CoverageChange], int]:
    """Count by today's base grid who is covered in one of two runs only."""
    # Counted too is how many households one of the runs does not know: they came or went in between
    # and are neither gained nor lost.
    check_whole_county(actor)
    for run_id in (first_run, second_run):
        find_whole_run(connection, run_id)
    rows, only_in_one = queries.read_changed_households(connection, actor, first_run, second_run)
    return [CoverageChange(row.base_grid_id, row.gained, row.lost) for row in rows], only_in_one
