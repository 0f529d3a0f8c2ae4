"""Objects and their grids: asked the way the indexes go, from grids to cohorts to members.

The view ``assignment`` says the same row by row, but for its join PostgreSQL expects one row, and
then compares everything with everything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely
import sqlalchemy as sa

from gis_service.geodesy import GeometryArray
from gis_service.grids.locator.locator import NO_GRID
from gis_service.grids.versions import find_lowest_rank
from gis_service.store import tables as t
from gis_service.store.bulk import read_arrays

IntArray = npt.NDArray[np.int64]

Day = sa.ColumnElement[date] | None

NO_INDEX: Final = (t.household, t.building)
"""Today's grid stands on their rows without an index, so that it is written in place (ADR 0011)."""

METHODS: Final = ("border_tie", "by_building", "by_hand", "outside", "within")
_AROUND: Final = 16  # grids that are looked at for one place: more never meet in a point


@dataclass(frozen=True)
class Objects:
    """One kind of object, as arrays."""

    kind: str
    ids: IntArray
    lon: npt.NDArray[np.float64]
    lat: npt.NDArray[np.float64]
    since: IntArray  # ordinal of the day from which it is known; 0: from the start
    building_id: IntArray  # NO_GRID: none


@dataclass(frozen=True)
class Answers:
    """Where each object lies under one version."""

    grid_id: IntArray
    method: IntArray  # its place among the methods
    nearest_grid_id: IntArray
    distance_m: npt.NDArray[np.float64]


@dataclass(frozen=True)
class OpenRows:
    """What the open rows of objects say."""

    grid_id: IntArray
    cohort_id: IntArray
    method: IntArray  # its place among the methods


def select_objects_in(
    kind: str, grid_ids: sa.Select[tuple[int]] | sa.ColumnElement[Any], day: Day = None
) -> sa.Select[tuple[int]]:
    """
    Select the objects of a kind in some grids, of any scheme.

    Parameters
    ----------
    kind
        One of ``tables.OBJECT_KINDS``.
    grid_ids
        A query or an array; of whole trees too: only lowest grids hold anything.
    day
        On that day; None is today.

    Returns
    -------
    sqlalchemy select
        Their ids. Without an index or a key on today's copies (ADR 0011), and without going
        through a table.
    """
    member = t.membership.c
    return sa.select(member.object_id).where(
        member.cohort_id == sa.any_(_select_cohorts_in(grid_ids, day)),
        member.object_kind == kind,
        member.valid.op("@>")(_day_query(day)),
    )


def select_assigned(
    kind: str, scheme_id: int, day: Day = None
) -> sa.Select[tuple[int, int | None]]:
    """
    Select every object of a kind with its grid.

    Parameters
    ----------
    kind
        One of ``tables.OBJECT_KINDS``.
    scheme_id
        Whose grids.
    day
        On that day; None is today.

    Returns
    -------
    sqlalchemy select
        ``object_id``, ``grid_id``; no grid for what lies outside. PostgreSQL knows how many rows
        hold on a day, so that it joins them by hashing.
    """
    member, cohort = t.membership.c, t.cohort_grid.c
    if day is None:
        day = sa.func.gis_today()
    holds = (cohort.cohort_id == member.cohort_id) & cohort.valid.op("@>")(day)
    return (
        sa.select(member.object_id, cohort.grid_id)
        .select_from(t.membership.outerjoin(t.cohort_grid, holds))
        .where(
            member.object_kind == kind,
            member.scheme_id == scheme_id,
            member.valid.op("@>", is_comparison=True)(day),
        )
    )


def _select_cohorts_in(
    grid_ids: sa.Select[tuple[int]] | sa.ColumnElement[Any], day: Day
) -> sa.ColumnElement[Any]:
    """Select the cohorts as an array: a plan for "any of these" uses the index, however many."""
    cohort = t.cohort_grid.c
    within: sa.ColumnElement[bool]
    if isinstance(grid_ids, sa.Select):
        within = cohort.grid_id.in_(grid_ids)
    else:
        within = cohort.grid_id == sa.any_(grid_ids)
    cohorts = sa.select(cohort.cohort_id).where(within, cohort.valid.op("@>")(_day_query(day)))
    return sa.func.array(cohorts.scalar_subquery(), type_=sa.ARRAY(sa.BigInteger))


def _day_query(day: Day) -> sa.ColumnElement[date]:
    """Say the day by a subquery: worked out once, where the function would be for each row."""
    # It also keeps PostgreSQL from expecting ten grids' worth of rows, for which it would rather go
    # through the table.
    return sa.select(sa.func.gis_today() if day is None else day).scalar_subquery()


# --- what assignment reads -----------------------------------------------------------------------


def among(column: sa.ColumnElement[int], ids: Any) -> sa.ColumnElement[bool]:
    """Compare with one array instead of a list of thousands of values."""
    numbers = sa.literal(np.asarray(ids).tolist(), sa.ARRAY(sa.BigInteger))
    return column == sa.any_(numbers)


def method_number(method: sa.ColumnElement[str]) -> sa.ColumnElement[int]:
    """Give the place of a method among :data:`METHODS`."""
    places = {name: place for place, name in enumerate(METHODS)}
    return sa.type_coerce(sa.case(places, value=method), sa.Integer)


def read_schemes(connection: sa.Connection) -> list[tuple[str, bool]]:
    """Read the code of every scheme, and whether it is the base scheme."""
    scheme = t.grid_scheme.c
    rows = connection.execute(sa.select(scheme.code, scheme.is_base).order_by(scheme.scheme_id))
    return [(row.code, row.is_base) for row in rows]


def is_base_scheme(connection: sa.Connection, scheme_id: int) -> bool:
    """Tell whether rows carry a copy of a scheme's grid."""
    scheme = t.grid_scheme.c
    return bool(connection.scalar(sa.select(scheme.is_base).where(scheme.scheme_id == scheme_id)))


def read_nearest_polygons(
    connection: sa.Connection, scheme_id: int, day: date, places: npt.NDArray[np.float64]
) -> tuple[list[int], GeometryArray]:
    """Read the grids nearest to some places (lon, lat): the one that holds each is among them."""
    state = t.grid_state.c
    place = (
        sa.func.unnest(*(sa.literal(values, sa.ARRAY(sa.Double)) for values in places.T.tolist()))
        .table_valued(sa.column("lon", sa.Double), sa.column("lat", sa.Double), name="place")
        .render_derived()
    )
    point = sa.func.ST_SetSRID(sa.func.ST_MakePoint(place.c.lon, place.c.lat), t.SRID)
    near = (
        sa.select(state.state_id)
        .where(
            state.scheme_id == scheme_id,
            state.rank == find_lowest_rank(connection, scheme_id),
            state.valid.op("@>")(sa.literal(day, sa.Date)),
        )
        .order_by(state.geom.op("<->")(point))
        .limit(_AROUND)
        .lateral("near")
    )
    rows = connection.execute(
        sa.select(state.grid_id, sa.func.ST_AsBinary(state.geom))
        .where(
            state.state_id.in_(sa.select(near.c.state_id).select_from(place.join(near, sa.true())))
        )
        .order_by(state.grid_id)
    ).all()
    shapes = shapely.from_wkb(np.array([bytes(row[1]) for row in rows], dtype=object))
    return [row[0] for row in rows], np.asarray(shapes, dtype=object)


def read_objects(
    connection: sa.Connection,
    kind: str,
    *,
    without_history_in: int | None = None,
    only: Any = None,
) -> Objects:
    """Read all objects of a kind, or only those named, or those without a history in a scheme."""
    query = _objects_query(kind)
    identity = t.metadata.tables[kind].c[f"{kind}_id"]
    if without_history_in is not None:
        has_history = sa.exists().where(
            t.membership.c.scheme_id == without_history_in,
            t.membership.c.object_kind == kind,
            t.membership.c.object_id == identity,
        )
        query = query.where(~has_history)
    if only is not None:
        query = query.where(among(identity, only))
    return _as_objects(kind, read_arrays(connection, query))[0]


def _objects_query(kind: str) -> sa.Select[Any]:
    """Ask for the objects of a kind, with names as :func:`_as_objects` wants them."""
    table = t.metadata.tables[kind]
    known_since = {
        "hazard": t.hazard.c.found_on,
        "incident": sa.cast(sa.func.timezone("Asia/Shanghai", t.incident.c.reported_at), sa.Date),
    }
    since: sa.ColumnElement[int] = sa.literal(0)
    if kind in known_since:
        days = known_since[kind] - sa.literal(date.min, sa.Date)
        since = sa.func.coalesce(sa.type_coerce(days, sa.Integer) + 1, 0)
    building: sa.ColumnElement[int] = sa.literal(NO_GRID)
    if kind == "household":
        building = sa.func.coalesce(t.household.c.building_id, NO_GRID)
    return sa.select(
        table.c[f"{kind}_id"].label("object_id"),
        sa.func.ST_X(table.c.point, type_=sa.Double).label("lon"),
        sa.func.ST_Y(table.c.point, type_=sa.Double).label("lat"),
        since.label("since"),
        building.label("building_id"),
    )


def _as_objects(kind: str, arrays: Mapping[str, npt.NDArray[Any]]) -> tuple[Objects, IntArray]:
    """Put objects in the order of their ids; which order that is comes second."""
    order = np.argsort(arrays["object_id"])
    names = ("object_id", "lon", "lat", "since", "building_id")
    return Objects(kind, *(arrays[name][order] for name in names)), order


def read_cohorts_in(
    connection: sa.Connection, scheme_id: int, grid_ids: Sequence[int]
) -> tuple[IntArray, IntArray]:
    """Read the cohorts that are in grids from now on, ascending, and their grids; first, none."""
    cohort = t.cohort_grid.c
    rows = connection.execute(
        sa.select(cohort.cohort_id, cohort.grid_id)
        .where(
            cohort.scheme_id == scheme_id,
            among(cohort.grid_id, list(grid_ids)),
            sa.func.upper_inf(cohort.valid),
        )
        .order_by(cohort.cohort_id)
    ).all()
    pairs = np.array([(NO_GRID, NO_GRID), *map(tuple, rows)], dtype=np.int64)
    return pairs[:, 0], pairs[:, 1]


def read_members(
    connection: sa.Connection, kind: str, scheme_id: int, cohorts: tuple[IntArray, IntArray]
) -> tuple[Objects, OpenRows]:
    """Read what belongs to cohorts or lies outside by its open rows, and to which of them."""
    member = t.membership.c
    rows = sa.select(
        member.object_id,
        sa.func.coalesce(member.cohort_id, NO_GRID).label("cohort_id"),
        method_number(member.method).label("method"),
    ).where(
        member.scheme_id == scheme_id, member.object_kind == kind, sa.func.upper_inf(member.valid)
    )
    # Found first, by the index over cohorts: the planner would rather merge whole tables by id.
    wanted = (
        rows.where(among(member.cohort_id, cohorts[0][1:]))
        .union_all(rows.where(member.cohort_id.is_(None)))
        .cte("held")
        .prefix_with("MATERIALIZED")
    )
    identity = t.metadata.tables[kind].c[f"{kind}_id"]
    arrays = read_arrays(
        connection,
        _objects_query(kind)
        .add_columns(wanted.c.cohort_id, wanted.c.method)
        .where(wanted.c.object_id == identity),
    )
    objects, order = _as_objects(kind, arrays)
    cohort_id = arrays["cohort_id"][order]
    grid_id = cohorts[1][np.searchsorted(cohorts[0], cohort_id)]
    return objects, OpenRows(grid_id, cohort_id, arrays["method"][order])


def read_stored(
    connection: sa.Connection, scheme_id: int, objects: Objects, day: date
) -> dict[int, tuple[Any, ...]]:
    """Read grid, method, nearest grid and distance that the history says of objects on a day."""
    row = t.assignment.c
    rows = connection.execute(
        sa.select(
            row.object_id, row.grid_id, method_number(row.method), row.nearest_grid_id,
            row.distance_m,
        ).where(
            row.scheme_id == scheme_id,
            row.object_kind == objects.kind,
            among(row.object_id, objects.ids),
            row.valid.op("@>", is_comparison=True)(sa.literal(day, sa.Date)),
        )
    )  # fmt: skip
    return {object_id: tuple(values) for object_id, *values in rows}


def find_households_in(connection: sa.Connection, building_ids: IntArray) -> Sequence[int]:
    """Find the households that follow some buildings."""
    home = t.household.c
    query = sa.select(home.household_id).where(among(home.building_id, building_ids))
    return connection.execute(query).scalars().all()


def find_occupied(connection: sa.Connection, grid_ids: Sequence[int]) -> list[int]:
    """Find the grids to which a cohort belongs from now on, of some."""
    cohort = t.cohort_grid.c
    query = sa.select(cohort.grid_id).where(
        among(cohort.grid_id, grid_ids), sa.func.upper_inf(cohort.valid)
    )
    return list(connection.execute(query).scalars())
