"""The households of a run: who is not reached, in which places, by which station, and since when.

Households are read through :func:`gis_service.access.visible`. Nothing here measures or writes.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa

from gis_service.access import Actor, visible
from gis_service.access.households import ROUGH_DECIMALS, home_of, knows_address
from gis_service.access.visibility import grids_below
from gis_service.coverage.county.reading import check_whole_county
from gis_service.coverage.measuring.blind_spots import BlindSpot, Missed
from gis_service.coverage.measuring.blind_spots import group_blind_spots as put_together
from gis_service.coverage.measuring.statistics import NO_GRID
from gis_service.coverage.runs.reading import find_whole_run
from gis_service.coverage.travel.travel_time import COVERED, STATUS_NAMES
from gis_service.errors import InputError, NotFoundError, Place
from gis_service.grids.members import select_objects_in
from gis_service.grids.reading import on_day
from gis_service.store import tables as t
from gis_service.store.bulk import read_arrays


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
    result, home = t.coverage_household.c, t.household.c
    wanted = [result.run_id == run_id, result.status != COVERED, visible(actor, t.household)]
    if reason is not None:
        wanted.append(result.status == _find_status_code(reason))
    if grid_id is not None:
        wanted.append(_within(grid_id))
    joined = t.coverage_household.join(t.household, home.household_id == result.household_id)
    total = connection.scalar(sa.select(sa.func.count()).select_from(joined).where(*wanted))
    rows = connection.execute(
        _households_of(actor, run_id)
        .where(*wanted)
        .order_by(result.minutes.desc().nulls_first(), result.household_id)
        .limit(limit)
        .offset(offset)
    )
    return [_as_unreached(actor, row, run.kinds) for row in rows], total or 0


def _households_of(actor: Actor, run_id: int) -> sa.Select[Any]:
    """Begin the question for those of a run's households that an actor may see."""
    result, home, state = t.coverage_household.c, t.household.c, t.grid_state.c
    return (
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
            t.coverage_household.join(
                t.household, home.household_id == result.household_id
            ).outerjoin(
                t.grid_state, (state.grid_id == home.base_grid_id) & on_day(state.valid, None)
            )
        )
        .where(result.run_id == run_id, visible(actor, t.household))
    )


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


def _within(grid_id: int) -> sa.ColumnElement[bool]:
    """Keep a run's households in a grid and every grid below it; an array goes by the run's key."""
    inside = select_objects_in("household", grids_below((grid_id,))).scalar_subquery()
    ids = sa.func.array(inside, type_=sa.ARRAY(sa.BigInteger))
    return t.coverage_household.c.household_id == sa.any_(ids)


def _as_unreached(actor: Actor, row: sa.Row[Any], kinds: tuple[str, ...]) -> Unreached:
    home = home_of(actor, row)
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
    result, home, state = t.coverage_household.c, t.household.c, t.grid_state.c
    rows = read_arrays(
        connection,
        sa.select(
            result.status,
            result.minutes,
            home.people,
            sa.type_coerce(sa.func.ST_X(home.point), sa.Double).label("lon"),
            sa.type_coerce(sa.func.ST_Y(home.point), sa.Double).label("lat"),
            sa.func.coalesce(home.base_grid_id, NO_GRID).label("grid"),
        )
        .select_from(
            t.coverage_household.join(t.household, home.household_id == result.household_id)
        )
        .where(
            result.run_id == run.run_id,
            result.status != COVERED,
            visible(actor, t.household),
        ),
    )
    grids = connection.execute(
        sa.select(state.grid_id, state.name, state.parent_grid_id).where(on_day(state.valid, None))
    ).all()
    names = {row.grid_id: row.name for row in grids}
    parent = {row.grid_id: row.parent_grid_id for row in grids}
    ids, which = np.unique(rows["grid"], return_inverse=True)
    above = np.array([parent.get(int(one)) or NO_GRID for one in ids], dtype=np.int64)
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
        return put_together(missed, names)
    rough = missed.lon.round(ROUGH_DECIMALS), missed.lat.round(ROUGH_DECIMALS)
    return put_together(missed, names, drawn=rough)


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
    result, home, facility = t.coverage_household.c, t.household.c, t.facility.c
    each = sa.func.unnest(result.kind_facility, result.kind_minutes)
    served = each.table_valued(
        sa.column("facility_id", sa.BigInteger),
        sa.column("minutes", sa.Float),
        with_ordinality="place",
        name="served",
    ).render_derived()
    households = sa.func.count().label("households")
    rows = connection.execute(
        sa.select(
            served.c.place,
            facility.facility_id,
            facility.name,
            households,
            sa.func.percentile_cont(0.5).within_group(served.c.minutes).label("median"),
            sa.func.max(served.c.minutes).label("worst"),
            sa.func.ST_X(facility.point).label("lon"),
            sa.func.ST_Y(facility.point).label("lat"),
        )
        .select_from(
            t.coverage_household.join(t.household, home.household_id == result.household_id)
            .join(served, sa.true())
            .join(t.facility, facility.facility_id == served.c.facility_id)
        )
        .where(
            result.run_id == run_id,
            _within(grid_id),
            visible(actor, t.household),
        )
        .group_by(served.c.place, facility.facility_id)
        .order_by(served.c.place, households.desc(), facility.facility_id)
    )
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
        for row in rows
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
    row = connection.execute(
        _households_of(actor, run_id).where(t.household.c.household_id == household_id)
    ).first()
    if row is None:
        raise NotFoundError("coverage.no_household", household=household_id, run=run_id)
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
    """
    Count by today's base grid who is covered in one of two runs only.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Must see every household of the county.
    first_run, second_run
        Which runs.

    Returns
    -------
    moved, only_in_one
        Grids where anybody gained or lost, and how many households one of the runs does not know:
        they came or went in between and count as neither.

    Raises
    ------
    NotAllowedError
        The actor sees a part of the county only.
    ConflictError
        Of one of them only the figures are kept.
    """
    check_whole_county(actor)
    for run_id in (first_run, second_run):
        find_whole_run(connection, run_id)
    home = t.household.c
    a, b = t.coverage_household.alias("a"), t.coverage_household.alias("b")
    first = sa.select(a.c.household_id, a.c.status).where(a.c.run_id == first_run).subquery()
    second = sa.select(b.c.household_id, b.c.status).where(b.c.run_id == second_run).subquery()
    both = first.join(second, first.c.household_id == second.c.household_id)
    was, now = first.c.status == COVERED, second.c.status == COVERED
    rows = connection.execute(
        sa.select(
            home.base_grid_id,
            sa.func.count().filter(now).label("gained"),
            sa.func.count().filter(was).label("lost"),
        )
        .select_from(
            both.join(t.household, home.household_id == first.c.household_id, isouter=True)
        )
        .where(was != now, visible(actor, t.household))
        .group_by(home.base_grid_id)
        .order_by(home.base_grid_id)
    )
    moved = [CoverageChange(row.base_grid_id, row.gained, row.lost) for row in rows]
    counted = [
        connection.scalar(sa.select(sa.func.count()).select_from(one)) or 0
        for one in (first, second, both)
    ]
    return moved, counted[0] + counted[1] - 2 * counted[2]
