"""What answers read: who lies where, who answers for what, roads along borders, counts by grid.

Everything of people and of trouble passes :mod:`gis_service.access.visibility`. Queries that are
asked all day are made once: making one takes as long as asking it.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from functools import cache, lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by

from gis_service.access import Actor, sees_grid, visible
from gis_service.access.visibility import grids_below
from gis_service.grids.membership.queries import NO_INDEX, select_assigned, select_objects_in
from gis_service.grids.reading import OfficerOnDuty, SchemeKey, on_day
from gis_service.grids.versions import Version, find_lowest_rank
from gis_service.store import tables as t
from gis_service.store.tables import SRID

Tally = dict[str, int]
SENSITIVE: Final = frozenset({"household", "officer", "incident", "hazard"})
INCIDENT_DAYS: Final = 30
_NEAREST_ARCS: Final = 12
"""Arcs nearest in degrees that are then measured in metres: more than meet anywhere."""
_ALONG_DEGREES: Final = 2.5e-5
"""More than a metre anywhere south of 65° N: what is farther in degrees is not looked at."""
_SHOWN: Final = (
    "household_id", "street", "house_number", "group_number", "room", "head_name", "phone",
    "people", "base_grid_id",
)  # fmt: skip


# --- grids ---------------------------------------------------------------------------------------


def read_scheme_codes(connection: sa.Connection) -> list[str]:
    """Read the code of every scheme, the base scheme's first."""
    scheme = t.grid_scheme.c
    query = sa.select(scheme.code).order_by(scheme.is_base.desc(), scheme.scheme_id)
    return list(connection.execute(query).scalars())


def read_names(connection: sa.Connection, scheme_id: int, day: date) -> dict[int, tuple[str, str]]:
    """Read code and name of the lowest grids on a day, by id."""
    state = t.grid_state.c
    rows = connection.execute(
        sa.select(state.grid_id, state.code, state.name).where(
            state.scheme_id == scheme_id,
            state.rank == find_lowest_rank(connection, scheme_id),
            on_day(state.valid, day),
        )
    )
    return {row.grid_id: (row.code, row.name) for row in rows}


def read_grids(
    connection: sa.Connection, scheme_id: int, day: date, grid_ids: Iterable[int] | None
) -> Sequence[Any]:
    """Read names, parents and extents of some grids on a day; of all where None."""
    state, level = t.grid_state.c, t.grid_level.c
    query = (
        sa.select(
            state.grid_id,
            state.parent_grid_id,
            state.code,
            state.name,
            state.rank,
            state.area_m2,
            t.grid.c.kind,
            level.label,
            level.label_en,
            sa.func.ST_XMin(state.geom).label("west"),
            sa.func.ST_YMin(state.geom).label("south"),
            sa.func.ST_XMax(state.geom).label("east"),
            sa.func.ST_YMax(state.geom).label("north"),
        )
        .join(t.grid, t.grid.c.grid_id == state.grid_id)
        .join(t.grid_level, (level.scheme_id == state.scheme_id) & (level.rank == state.rank))
        .where(state.scheme_id == scheme_id, on_day(state.valid, day))
    )
    if grid_ids is not None:
        query = query.where(state.grid_id.in_(sorted(grid_ids)))
    return connection.execute(query).all()


def read_parents(
    connection: sa.Connection, scheme: SchemeKey, at: date | None
) -> dict[int, int | None]:
    """
    Read the tree of a scheme on a day.

    Parameters
    ----------
    connection
        An open transaction.
    scheme
        Which scheme.
    at
        The day; None is today.

    Returns
    -------
    dict
        Parent by grid id; None at the top.
    """
    state = t.grid_state.c
    rows = connection.execute(
        sa.select(state.grid_id, state.parent_grid_id).where(
            state.scheme_id == scheme.scheme_id, on_day(state.valid, at)
        )
    )
    return {row.grid_id: row.parent_grid_id for row in rows}


def read_officers_on(
    connection: sa.Connection,
    actor: Actor,
    scheme: SchemeKey,
    day: date,
    grids: Iterable[int] | None = None,
) -> dict[int, list[OfficerOnDuty]]:
    """Read who answers for which grid, as far as an actor may see it."""
    duty, officer, leave = t.grid_duty.c, t.officer.c, t.leave.c
    away = sa.exists().where(leave.officer_id == officer.officer_id, on_day(leave.valid, day))
    query = (
        sa.select(
            duty.grid_id,
            duty.role,
            duty.post,
            officer.name,
            officer.phone,
            away.label("on_leave"),
            officer.full_time,
            officer.officer_id,
        )
        .join(t.officer, officer.officer_id == duty.officer_id)
        .join(t.grid, t.grid.c.grid_id == duty.grid_id)
        .where(
            t.grid.c.scheme_id == scheme.scheme_id,
            on_day(duty.valid, day),
            on_day(officer.valid, day),
            visible(actor, t.officer),
        )
        .order_by(duty.grid_id, duty.role, duty.post)
    )
    if grids is not None:
        query = query.where(duty.grid_id.in_(grids))
    officers: dict[int, list[OfficerOnDuty]] = {}
    for row in connection.execute(query):
        officers.setdefault(row.grid_id, []).append(OfficerOnDuty(*row[1:]))
    return officers


# --- places --------------------------------------------------------------------------------------


def find_grid_on(
    connection: sa.Connection, lon: float, lat: float, scheme: str, day: date
) -> int | None:
    """Find the grid that holds a place on a day."""
    point = sa.func.ST_SetSRID(sa.func.ST_MakePoint(lon, lat), SRID)
    grid_id: int | None = connection.scalar(sa.select(sa.func.gis_grid_at(point, scheme, day)))
    return grid_id


def _places_table(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> sa.TableValuedAlias:
    numbers = sa.ARRAY(sa.Double)
    return (
        sa.func.unnest(sa.literal(x.tolist(), numbers), sa.literal(y.tolist(), numbers))
        .table_valued(
            sa.column("lon", sa.Double),
            sa.column("lat", sa.Double),
            with_ordinality="n",
            name="place",
        )
        .render_derived()
    )


def _point(places: sa.TableValuedAlias) -> sa.ColumnElement[Any]:
    point: sa.ColumnElement[Any] = sa.func.ST_SetSRID(
        sa.func.ST_MakePoint(places.c.lon, places.c.lat), SRID
    )
    return point


def find_holders(
    connection: sa.Connection,
    version: Version,
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
) -> Sequence[Any]:
    """Find the grids that hold places: number of the place from 1, lowest id, how many."""
    places = _places_table(x, y)
    state, day = t.grid_state.c, sa.literal(version.effective_day, sa.Date)
    within = (
        sa.select(places.c.n, sa.func.min(state.grid_id), sa.func.count())
        .join(
            t.grid_state,
            sa.and_(
                state.scheme_id == version.scheme_id,
                state.rank == find_lowest_rank(connection, version.scheme_id),
                state.valid.op("@>")(day),
                state.geom.op("&&")(_point(places)),
                sa.func.gis_holds(state.geom, _point(places)),
            ),
        )
        .group_by(places.c.n)
    )
    return connection.execute(within).all()


def find_nearest_arcs(
    connection: sa.Connection,
    version: Version,
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
) -> Sequence[Any]:
    """Find the arcs nearest in degrees: number of the place from 1, the grids beside it, WKB."""
    places, arc = _places_table(x, y), t.linework_arc.c
    nearest = (
        sa.select(arc.left_grid_id, arc.right_grid_id, sa.func.ST_AsBinary(arc.geom).label("wkb"))
        .where(
            arc.scheme_id == version.scheme_id,
            arc.valid.op("@>")(sa.literal(version.effective_day, sa.Date)),
        )
        .order_by(arc.geom.op("<->")(_point(places)))
        .limit(_NEAREST_ARCS)
        .lateral("arc")
    )
    return connection.execute(
        sa.select(places.c.n, nearest.c.left_grid_id, nearest.c.right_grid_id, nearest.c.wkb)
        .select_from(places.join(nearest, sa.true()))
    ).all()  # fmt: skip


def read_roads_and_arcs(
    connection: sa.Connection, version: Version, around: tuple[float, float, float] | None
) -> tuple[Sequence[Any], Sequence[Any]]:
    """Read the roads near borders between two grids, and those borders; around a place, or all."""
    arc, edge = t.linework_arc.c, t.road_edge.c
    shared = [
        arc.scheme_id == version.scheme_id,
        arc.valid.op("@>")(sa.literal(version.effective_day, sa.Date)),
        arc.left_grid_id.is_not(None),
        arc.right_grid_id.is_not(None),
    ]
    near_arc = (
        sa.exists()
        .where(*shared, arc.geom.op("&&")(sa.func.ST_Expand(edge.geom, _ALONG_DEGREES)))
        .correlate(t.road_edge)
    )
    roads = (
        sa.select(edge.name, sa.func.ST_AsBinary(edge.geom).label("wkb"))
        .join(t.road_network, t.road_network.c.network_id == edge.network_id)
        .where(t.road_network.c.active, near_arc)
        .order_by(edge.edge_id)
    )
    arcs = sa.select(arc.kind, sa.func.ST_AsBinary(arc.geom).label("wkb")).where(*shared)
    if around is not None:
        lon, lat, reach = around
        place = sa.func.ST_SetSRID(sa.func.ST_MakePoint(lon, lat), SRID)
        roads = roads.where(sa.func.ST_DWithin(edge.geom, place, reach))
        nearby = roads.subquery()
        beside = sa.exists().where(
            arc.geom.op("&&")(
                sa.func.ST_Expand(
                    sa.func.ST_SetSRID(sa.func.ST_GeomFromWKB(nearby.c.wkb), SRID), _ALONG_DEGREES
                )
            )
        )
        arcs = arcs.where(sa.or_(sa.func.ST_DWithin(arc.geom, place, reach), beside))
    return connection.execute(roads).all(), connection.execute(arcs).all()


# --- counts --------------------------------------------------------------------------------------


def columns_to_count(
    what: str, day: sa.ColumnElement[date] | None = None
) -> dict[str, sa.ColumnElement[int]]:
    """Name what is counted of a table."""
    count = sa.func.count()
    if day is None:
        day = sa.func.gis_today()
    if what == "household":
        people, tags = t.household.c.people, t.household.c.care_tags
        return {
            "households": count,
            "people": sa.func.coalesce(sa.func.sum(people), 0),
            "care_households": count.filter(sa.func.cardinality(tags) > 0),
        }
    if what == "hazard":
        hazard = t.hazard.c
        is_open = (hazard.found_on <= day) & sa.func.coalesce(hazard.closed_on > day, sa.true())
        return {
            "hazards_open": count.filter(is_open),
            "hazards_major": count.filter(is_open & (hazard.grade == "major")),
        }
    if what == "incident":
        reported = _china_day(t.incident.c.reported_at)
        closed = _china_day(t.incident.c.closed_at)
        is_reported = reported <= day
        return {
            "incidents_open": count.filter(is_reported & sa.func.coalesce(closed > day, sa.true())),
            "incidents_month": count.filter(is_reported & (reported > day - INCIDENT_DAYS)),
            "incidents_year": count.filter(is_reported & (reported > day - 365)),
        }
    return {{"building": "buildings", "premises": "premises"}[what]: count}


def _china_day(moment: sa.ColumnElement[Any]) -> sa.ColumnElement[date]:
    return sa.cast(sa.func.timezone("Asia/Shanghai", moment), sa.Date)


def count_by_grid(
    connection: sa.Connection,
    actor: Actor,
    table: sa.Table,
    scheme: SchemeKey,
    *,
    at: date | None = None,
) -> dict[int | None, Tally]:
    """
    Count one table by the lowest grids of a scheme.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks; only rows visible to the actor count.
    table
        Household, building, premises, hazard or incident.
    scheme
        Of which scheme; the base scheme's grid of today stands on the row, any other in the
        history of assignments.
    at
        The grid of that day; None is today.

    Returns
    -------
    dict
        Figures by grid id; the key None is what lies outside every grid.
    """
    key: sa.ColumnElement[Any] = table.c[f"{table.name}_id"]
    source: sa.FromClause = table
    grid_id: sa.ColumnElement[Any] = table.c.base_grid_id
    conditions = [visible(actor, table)] if table.name in SENSITIVE else []
    if actor.areas is not None and table is t.household:  # an index, where the rule alone has none
        conditions.append(key.in_(select_objects_in(table.name, grids_below(actor.areas))))
    day = None if at is None else sa.literal(at, sa.Date)
    if not (scheme.is_base and at is None):
        grid_of_each = select_assigned(table.name, scheme.scheme_id, day).subquery()
        source = table.join(grid_of_each, grid_of_each.c.object_id == key)
        grid_id = grid_of_each.c.grid_id
    figures = columns_to_count(table.name, day)
    rows = connection.execute(
        sa.select(grid_id.label("of_grid"), *(f.label(name) for name, f in figures.items()))
        .select_from(source)
        .where(*conditions)
        .group_by(grid_id)
    )
    return {row.of_grid: {name: int(getattr(row, name)) for name in figures} for row in rows}


def find_grids_seen(
    connection: sa.Connection, actor: Actor, table: sa.Table
) -> frozenset[int] | None:
    """
    List the grids of which an actor sees everything that a table holds.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    table
        Household, hazard, incident or officer.

    Returns
    -------
    frozenset of int or None
        None is every grid.
    """
    condition = sees_grid(actor, table, t.grid.c.grid_id)
    if isinstance(condition, sa.True_):
        return None
    return frozenset(connection.scalars(sa.select(t.grid.c.grid_id).where(condition)))


def find_grids_below(
    connection: sa.Connection, grid_ids: Sequence[int], at: date | None
) -> list[int]:
    """Find some grids and all below them on a day, each once; None is today."""
    query = _grids_below_query(is_today=at is None)
    return [*dict.fromkeys(connection.scalars(query, {"inside": list(grid_ids), "at": at}))]


def count_in_grids(
    connection: sa.Connection,
    tables: tuple[sa.Table, ...],
    grid_ids: Sequence[int],
    at: date | None,
    *,
    by_copy: bool,
) -> dict[str, int]:
    """Count several tables in some grids, by the copy on the row or by the history of a day."""
    query = _counting_query(tables, by_copy=by_copy, is_today=at is None)
    row = connection.execute(query, {"inside": grid_ids, "at": at}).one()
    return {name: int(value) for name, value in row._mapping.items()}  # noqa: SLF001 (public)


_INSIDE: Final = sa.bindparam("inside", type_=sa.ARRAY(sa.BigInteger))
_AT: Final = sa.bindparam("at", type_=sa.Date)


@cache
def _grids_below_query(*, is_today: bool) -> sa.Select[Any]:
    return grids_below(_INSIDE, None if is_today else _AT)


@cache
def _counting_query(
    tables: tuple[sa.Table, ...], *, by_copy: bool, is_today: bool
) -> sa.Select[Any]:
    """Count several tables in some grids, side by side; every row of them is seen."""
    day = None if is_today else _AT
    parts = []
    for table in tables:
        if by_copy and table not in NO_INDEX:
            within = table.c.base_grid_id == sa.any_(_INSIDE)
        else:
            within = table.c[f"{table.name}_id"].in_(select_objects_in(table.name, _INSIDE, day))
        figures = (figure.label(name) for name, figure in columns_to_count(table.name, day).items())
        parts.append(sa.select(*figures).select_from(table).where(within).subquery())
    together: sa.FromClause = parts[0]
    for part in parts[1:]:
        together = together.join(part, sa.true())
    return sa.select(*(column for part in parts for column in part.c)).select_from(together)


# --- households ----------------------------------------------------------------------------------


def read_households(connection: sa.Connection, ids: Sequence[int]) -> Sequence[Any]:
    """Read the rows of households that :func:`find_household_ids` has found in sight."""
    return connection.execute(_page_query(), {"ids": ids}).all()


@cache
def _page_query() -> sa.Select[Any]:
    home, state = t.household.c, t.grid_state.c
    ids = sa.bindparam("ids", type_=sa.ARRAY(sa.BigInteger))
    return (
        sa.select(
            *(home[name] for name in _SHOWN),
            state.name.label("grid_name"),
            sa.func.ST_X(home.point).label("lon"),
            sa.func.ST_Y(home.point).label("lat"),
        )
        .outerjoin(t.grid_state, (state.grid_id == home.base_grid_id) & on_day(state.valid, None))
        .where(home.household_id == sa.any_(ids))
        .order_by(home.household_id)
    )


def find_household_ids(
    connection: sa.Connection, actor: Actor, grid_id: int | None, *, limit: int, offset: int
) -> tuple[list[int], int]:
    """Find the households of a page, and how many there are, without reading the others' rows."""
    areas = actor.areas if grid_id is None else (grid_id,)
    if areas is None:
        condition, key = visible(actor, t.household), t.household.c.household_id
        total = connection.scalar(
            sa.select(sa.func.count()).select_from(t.household).where(condition)
        )
        page = sa.select(key).where(condition).order_by(key).limit(limit).offset(offset)
        return list(connection.scalars(page)), total or 0
    values = {"areas": list(areas), "first": offset + 1, "last": offset + limit}
    total, ids = connection.execute(_household_ids_query(actor), values).one()
    return ids or [], total or 0


@lru_cache(maxsize=64)
def _household_ids_query(actor: Actor) -> sa.Select[Any]:
    areas = sa.bindparam("areas", type_=sa.ARRAY(sa.BigInteger))
    first, last = (sa.bindparam(name, type_=sa.Integer) for name in ("first", "last"))
    asked = grids_below(areas).subquery().c.id
    # of grids and not of households, of which a town has 16,000
    seen = sa.select(asked).where(sees_grid(actor, t.household, asked))
    each = select_objects_in("household", seen).subquery().c.object_id
    ordered = sa.func.array_agg(aggregate_order_by(each, each), type_=sa.ARRAY(sa.BigInteger))
    ids = sa.select(ordered.label("ids")).subquery().c.ids
    return sa.select(sa.func.cardinality(ids), ids[first:last])
