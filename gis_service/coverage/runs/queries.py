"""What is read of stored runs, and of the county beside them: rows and arrays, nothing judged.

Households are read through :func:`gis_service.access.visible`.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

import numpy.typing as npt
import shapely
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from gis_service.access import Actor, visible
from gis_service.access.visibility import grids_below
from gis_service.coverage.measuring.statistics import HOUSEHOLDS, NO_GRID, RULE
from gis_service.coverage.travel.travel_time import COVERED, STATUS_NAMES
from gis_service.grids.membership.queries import select_objects_in
from gis_service.grids.reading import find_scheme, on_day
from gis_service.store import tables as t
from gis_service.store.bulk import read_arrays
from gis_service.store.engine import in_whole_county

Columns = Mapping[str, npt.NDArray[Any]]

COUNTS: Final = ("n", *STATUS_NAMES)
_FIGURES: Final = ("kind", "of", *COUNTS, "median_minutes", "p90_minutes", "worst_minutes")


# --- runs -----------------------------------------------------------------------------------------


def read_run(connection: sa.Connection, run_id: int) -> sa.Row[Any] | None:
    """Read one run."""
    return connection.execute(
        sa.select(t.coverage_run).where(t.coverage_run.c.run_id == run_id)
    ).first()


def read_latest_run(connection: sa.Connection, standard: str, scenario: str) -> sa.Row[Any] | None:
    """Read the newest run of a standard."""
    run = t.coverage_run.c
    return connection.execute(
        sa.select(t.coverage_run)
        .where(run.standard == standard, run.scenario == scenario)
        .order_by(run.run_id.desc())
        .limit(1)
    ).first()


def read_latest_runs(connection: sa.Connection) -> Sequence[sa.Row[Any]]:
    """Read the newest normal run of every standard."""
    run = t.coverage_run.c
    return connection.execute(
        sa.select(t.coverage_run).where(run.run_id.in_(_latest_run_ids())).order_by(run.standard)
    ).all()


def _latest_run_ids() -> sa.Select[tuple[int]]:
    run = t.coverage_run.c
    newest = sa.select(sa.func.max(run.run_id)).where(run.scenario == "normal")
    return newest.group_by(run.standard)


def read_runs(
    connection: sa.Connection, standard: str | None, limit: int, offset: int
) -> tuple[Sequence[sa.Row[Any]], int]:
    """Read a page of runs, the newest first, and how many there are in all."""
    run = t.coverage_run.c
    condition = sa.true() if standard is None else run.standard == standard
    total = connection.scalar(
        sa.select(sa.func.count()).select_from(t.coverage_run).where(condition)
    )
    rows = connection.execute(
        sa.select(t.coverage_run)
        .where(condition)
        .order_by(run.run_id.desc())
        .limit(limit)
        .offset(offset)
    )
    return rows.all(), total or 0


@in_whole_county
def has_lost_households(connection: sa.Connection, run_id: int) -> bool:
    """Tell whether a run counted households and does not keep them any more."""
    figure, result = t.coverage_figure.c, t.coverage_household.c
    counted = sa.exists().where(
        figure.run_id == run_id, figure.rank == 0, figure.of == "households", figure.n > 0
    )
    # the lowest id by the run's key; "is there any" may go through the rows of other runs first
    lowest = sa.select(sa.func.min(result.household_id)).where(result.run_id == run_id)
    return bool(connection.scalar(sa.select(sa.and_(counted, lowest.scalar_subquery().is_(None)))))


# --- figures --------------------------------------------------------------------------------------


def read_figures(
    connection: sa.Connection, run_id: int, rank: int, kind: str, of: str, only: int | None
) -> Sequence[sa.RowMapping]:
    """Read the figures of a level's grids, or of one of them."""
    figure = t.coverage_figure.c
    return (
        connection.execute(
            sa.select(t.coverage_figure).where(
                *_figures_of_level(run_id, rank, only), figure.kind == kind, figure.of == of
            )
        )
        .mappings()
        .all()
    )


def read_grids_of_run(
    connection: sa.Connection, run_id: int, rank: int, only: int | None
) -> Sequence[int]:
    """Read which grids of a level a run knows; of households and the rule every grid has a row."""
    figure = t.coverage_figure.c
    return connection.scalars(
        sa.select(figure.grid_id)
        .where(*_figures_of_level(run_id, rank, only), figure.kind == RULE, figure.of == HOUSEHOLDS)
        .order_by(figure.grid_id)
    ).all()


def _figures_of_level(run_id: int, rank: int, only: int | None) -> list[sa.ColumnElement[bool]]:
    figure = t.coverage_figure.c
    conditions = [figure.run_id == run_id, figure.rank == rank]
    return conditions if only is None else [*conditions, figure.grid_id == only]


def read_grid_names(connection: sa.Connection, grid_ids: Sequence[int]) -> Mapping[int, Any]:
    """Read code, name and parent of grids by id; one out of force keeps what it had last."""
    state = t.grid_state.c
    rows = connection.execute(
        sa.select(state.grid_id, state.code, state.name, state.parent_grid_id)
        .ext(distinct_on(state.grid_id))
        .where(state.grid_id.in_(grid_ids))
        .order_by(
            state.grid_id, on_day(state.valid, None).desc(), sa.func.upper(state.valid).desc()
        )
    )
    return {row.grid_id: row for row in rows}


def read_figures_of_grid(
    connection: sa.Connection, rank: int, grid_id: int
) -> Sequence[sa.RowMapping]:
    """Read a grid's figures of households from the newest normal run of every standard."""
    values = {"rank": rank, "grid_id": grid_id}
    return connection.execute(_figures_of_grid(), values).mappings().all()


@cache
def _figures_of_grid() -> sa.Select[Any]:
    run, figure = t.coverage_run.c, t.coverage_figure.c
    of_kind = run.summary["kinds"][figure.kind]["status"].astext
    status = sa.case((figure.kind == RULE, run.summary["status"].astext), else_=of_kind)
    return (
        sa.select(
            run.standard,
            run.run_id,
            run.kinds,
            status.label("status"),
            *(figure[name] for name in _FIGURES),
        )
        .join(t.coverage_figure, figure.run_id == run.run_id)
        .where(
            run.run_id.in_(_latest_run_ids()),
            figure.rank == sa.bindparam("rank"),
            figure.grid_id == sa.bindparam("grid_id"),
            figure.of == HOUSEHOLDS,
        )
        .order_by(run.standard)
    )


def read_rank(connection: sa.Connection, run_id: int, grid_id: int) -> int | None:
    """Read the level of a grid in a run; None where the run does not know it."""
    figure = t.coverage_figure.c
    rank: int | None = connection.scalar(
        sa.select(sa.func.max(figure.rank)).where(
            figure.run_id == run_id,
            figure.rank.in_(sa.select(t.grid.c.rank).where(t.grid.c.grid_id == grid_id)),
            figure.grid_id == grid_id,
            figure.kind == RULE,
            figure.of == HOUSEHOLDS,
        )
    )
    return rank


def read_ranks(connection: sa.Connection, run_ids: Sequence[int]) -> Sequence[int]:
    """Read which levels some runs have figures of, the highest first."""
    figure = t.coverage_figure.c
    return connection.scalars(
        sa.select(figure.rank).where(figure.run_id.in_(run_ids)).distinct().order_by(figure.rank)
    ).all()


# --- households -----------------------------------------------------------------------------------


def read_unreached(
    connection: sa.Connection,
    actor: Actor,
    run_id: int,
    *,
    status: int | None,
    grid_id: int | None,
    limit: int,
    offset: int,
) -> tuple[Sequence[sa.Row[Any]], int]:
    """Read a page of households that are not covered, the longest way first, and their number."""
    result, home = t.coverage_household.c, t.household.c
    conditions = [result.run_id == run_id, result.status != COVERED, visible(actor, t.household)]
    if status is not None:
        conditions.append(result.status == status)
    areas = actor.areas if grid_id is None else (grid_id,)
    if areas is not None:
        conditions.append(_is_within(areas))
    joined = t.coverage_household.join(t.household, home.household_id == result.household_id)
    total = connection.scalar(sa.select(sa.func.count()).select_from(joined).where(*conditions))
    rows = connection.execute(
        _households_of(actor, run_id)
        .where(*conditions)
        .order_by(result.minutes.desc().nulls_first(), result.household_id)
        .limit(limit)
        .offset(offset)
    )
    return rows.all(), total or 0


def read_household_row(
    connection: sa.Connection, actor: Actor, run_id: int, household_id: int
) -> sa.Row[Any] | None:
    """Read what a run keeps of one household that the actor may see."""
    return connection.execute(
        _households_of(actor, run_id).where(t.household.c.household_id == household_id)
    ).first()


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


def _is_within(areas: tuple[int, ...]) -> sa.ColumnElement[bool]:
    """Keep a run's households in grids and every grid below; an array goes by the run's key."""
    inside = select_objects_in("household", grids_below(areas)).scalar_subquery()
    ids = sa.func.array(inside, type_=sa.ARRAY(sa.BigInteger))
    return t.coverage_household.c.household_id == sa.any_(ids)


def read_missed(connection: sa.Connection, actor: Actor, run_id: int) -> Columns:
    """Read where those stand who are not covered, with status, minutes, people and grid."""
    result, home = t.coverage_household.c, t.household.c
    return read_arrays(
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
            result.run_id == run_id,
            result.status != COVERED,
            visible(actor, t.household),
            sa.true() if actor.areas is None else _is_within(actor.areas),
        ),
    )


def read_grids_in_force(connection: sa.Connection) -> Sequence[Any]:
    """Read id, name and parent of the grids in force today."""
    state = t.grid_state.c
    return connection.execute(
        sa.select(state.grid_id, state.name, state.parent_grid_id).where(on_day(state.valid, None))
    ).all()


def read_serving_stations(
    connection: sa.Connection, actor: Actor, run_id: int, grid_id: int
) -> Sequence[sa.Row[Any]]:
    """Read by kind (``place``, from 1) which facilities are nearest to a grid's households."""
    result, home, facility = t.coverage_household.c, t.household.c, t.facility.c
    each = sa.func.unnest(result.kind_facility, result.kind_minutes)
    served = each.table_valued(
        sa.column("facility_id", sa.BigInteger),
        sa.column("minutes", sa.Float),
        with_ordinality="place",
        name="served",
    ).render_derived()
    households = sa.func.count().label("households")
    return connection.execute(
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
            _is_within((grid_id,)),
            visible(actor, t.household),
        )
        .group_by(served.c.place, facility.facility_id)
        .order_by(served.c.place, households.desc(), facility.facility_id)
    ).all()


def read_changed_households(
    connection: sa.Connection, actor: Actor, first_run: int, second_run: int
) -> tuple[Sequence[sa.Row[Any]], int]:
    """Read by today's base grid how many are covered in one of two runs only."""
    # Returned second is how many households one of the runs does not know.
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
    ).all()
    in_first, in_second, in_both = (
        connection.scalar(sa.select(sa.func.count()).select_from(households)) or 0
        for households in (first, second, both)
    )
    return rows, in_first + in_second - 2 * in_both


# --- beside the roads -----------------------------------------------------------------------------


def count_turns(connection: sa.Connection, network_id: int | None) -> dict[str | None, int]:
    """Count a network's turn restrictions by the reason why not; None: they are applied."""
    turn = t.road_turn.c
    rows = connection.execute(
        sa.select(turn.why_not, sa.func.count())
        .where(turn.network_id == network_id, turn.kind != t.BARRIER_TURN)
        .group_by(turn.why_not)
        .order_by(turn.why_not)
    )
    return {row[0]: row[1] for row in rows}


def count_barriers(connection: sa.Connection, network_id: int | None) -> int:
    """Count the places of a network where a bollard or the like stands."""
    turn = t.road_turn.c
    barriers = connection.scalar(
        sa.select(sa.func.count(turn.via_node.distinct())).where(
            turn.network_id == network_id, turn.kind == t.BARRIER_TURN
        )
    )
    return int(barriers or 0)


def read_border(connection: sa.Connection) -> shapely.Geometry | None:
    """Read the county's outline; None where it has none."""
    state = t.grid_state.c
    return _read_union(
        connection,
        sa.select(sa.func.ST_AsBinary(state.geom)).where(
            state.scheme_id == find_scheme(connection, "base").scheme_id,
            state.rank == 1,
            on_day(state.valid, None),
        ),
    )


def read_water(connection: sa.Connection) -> shapely.Geometry | None:
    """Read all waters as one; None where none is known."""
    cover = t.land_cover.c
    return _read_union(
        connection, sa.select(sa.func.ST_AsBinary(cover.geom)).where(cover.kind == "water")
    )


def _read_union(connection: sa.Connection, query: sa.Select[Any]) -> shapely.Geometry | None:
    shapes = [bytes(wkb) for wkb in connection.execute(query).scalars()]
    return shapely.union_all(shapely.from_wkb(shapes)) if shapes else None
