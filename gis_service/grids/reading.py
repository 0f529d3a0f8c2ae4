"""What is asked about grids: schemes, versions in force, the list, the chain, the officers, search.

Reads only. What concerns officers passes :func:`gis_service.access.visible`; figures of households
and of trouble stand in :mod:`gis_service.grids.answers.tallies`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, lru_cache
from typing import Any, Final

import sqlalchemy as sa

from gis_service.access import Actor, visible
from gis_service.errors import NotFoundError
from gis_service.grid_code import split_code
from gis_service.store import tables as t
from gis_service.store.tables import SRID

KM2_DECIMALS: Final = 6
DEGREE_DECIMALS: Final = 7
"""What people read has square metres and centimetres; the store keeps every digit."""

Condition = sa.ColumnElement[bool]


@dataclass(frozen=True)
class LevelRow:
    """One tier of a scheme, with how many grids it has today."""

    rank: int
    label: str
    label_en: str
    count: int


@dataclass(frozen=True)
class VersionRow:
    """A version of a scheme: what came into force on a day."""

    version_id: int
    effective_day: date
    title: str


@dataclass(frozen=True)
class Scheme:
    """A scheme with its levels, top first, and its versions, newest first."""

    code: str
    name: str
    name_en: str
    is_base: bool
    levels: list[LevelRow]
    versions: list[VersionRow]


@dataclass(frozen=True)
class SchemeKey:
    """
    What other queries need to know of a scheme.

    Attributes
    ----------
    size_rule
        Households of a base grid by class, e.g. ``{"urban": [200, 300]}``.
    base_rank
        The lowest level that tessellates.
    """

    scheme_id: int
    code: str
    name: str
    is_base: bool
    code_layout: list[int]
    size_rule: Mapping[str, list[float]]
    base_rank: int


@dataclass(frozen=True)
class LevelName:
    """What a level is called."""

    label: str
    label_en: str


@dataclass(frozen=True)
class GridName:
    """A grid as it is named in a list or a chain."""

    grid_id: int
    name: str
    code: str
    rank: int


@dataclass(frozen=True)
class Area(GridName):
    """A grid that somebody answers for; ``bbox`` is west, south, east, north in degrees."""

    scheme: str
    bbox: tuple[float, float, float, float]


@dataclass(frozen=True)
class GridRow:
    """A grid in a list."""

    grid_id: int
    code: str
    name: str
    kind: str
    rank: int
    parent_grid_id: int | None
    area_km2: float
    label: tuple[float, float]


@dataclass(frozen=True)
class OfficerOnDuty:
    """Who answers for a grid on a day, in which post, and whether on leave that day."""

    role: str
    post: str
    name: str
    phone: str
    on_leave: bool
    full_time: bool
    officer_id: int


@dataclass(frozen=True)
class GridHead:
    """
    What a grid is on a day, without people and trouble.

    Attributes
    ----------
    code_groups
        The code in the groups in which it is read aloud.
    chain
        From the top level down to the grid itself.
    bbox
        West, south, east, north in degrees.
    """

    grid_id: int
    scheme: str
    code: str
    code_groups: list[str]
    name: str
    kind: str
    rank: int
    level: LevelName
    area_km2: float
    chain: list[GridName]
    version: VersionRow | None
    bbox: tuple[float, float, float, float]


@dataclass(frozen=True)
class SearchHit:
    """One answer of the search."""

    kind: str
    id: int | None
    name: str
    detail: str
    lon: float
    lat: float
    grid_id: int | None = None


@dataclass(frozen=True)
class VersionInForce:
    """Which version of a scheme holds today; a scheme without one is not ready."""

    scheme: str
    version: int | None
    effective_day: date | None


def on_day(column: sa.ColumnElement[Any], at: date | None) -> Condition:
    """
    Say that a range of days holds a day.

    Parameters
    ----------
    column
        A ``valid`` column.
    at
        The day; None is today in Asia/Shanghai.

    Returns
    -------
    sqlalchemy condition
        For the query.
    """
    day = sa.func.gis_today() if at is None else sa.literal(at, sa.Date)
    condition: Condition = column.op("@>", is_comparison=True)(day)
    return condition


def on_bound_day(column: sa.ColumnElement[Any], *, is_today: bool) -> Condition:
    """Say the same in a query that is made once and kept."""
    # Making a query takes as long as asking it, so those that are asked all day are kept.
    day = sa.func.gis_today() if is_today else sa.bindparam("at", type_=sa.Date)
    condition: Condition = column.op("@>", is_comparison=True)(day)
    return condition


def like_pattern(text: str) -> str:
    """
    Make a pattern that finds a text anywhere, whatever signs it holds.

    Parameters
    ----------
    text
        As typed.

    Returns
    -------
    str
        For ``ILIKE`` with the backslash as escape.
    """
    escaped = re.sub(r"([\\%_])", r"\\\1", text.strip())
    return f"%{escaped}%"


def find_scheme(connection: sa.Connection, code: str) -> SchemeKey:
    """
    Read what other queries need of a scheme.

    Parameters
    ----------
    connection
        An open transaction.
    code
        The scheme's code; ``base`` always means the base scheme.

    Returns
    -------
    SchemeKey
        With its lowest tessellating rank.

    Raises
    ------
    NotFoundError
        There is no such scheme, or it has no level.
    """
    row = connection.execute(_scheme_query(), {"code": code}).first()
    if row is None or row.base_rank is None:
        raise NotFoundError("grids.no_scheme", scheme=code)
    return SchemeKey(
        row.scheme_id,
        row.code,
        row.name,
        row.is_base,
        row.code_layout,
        row.size_rule,
        row.base_rank,
    )


@cache
def _scheme_query() -> sa.Select[Any]:
    scheme, level = t.grid_scheme.c, t.grid_level.c
    code = sa.bindparam("code", type_=sa.Text)
    lowest = (
        sa.select(sa.func.max(level.rank))
        .where(level.scheme_id == scheme.scheme_id, level.tessellates)
        .scalar_subquery()
    )
    is_asked = sa.or_(scheme.code == code, scheme.is_base & (code == "base"))
    query = sa.select(t.grid_scheme, lowest.label("base_rank"))
    return query.where(is_asked).order_by(scheme.is_base)


def list_schemes(connection: sa.Connection) -> list[Scheme]:
    """
    List every scheme, the base scheme first.

    Parameters
    ----------
    connection
        An open transaction.

    Returns
    -------
    list of Scheme
        With the number of grids that stand today.
    """
    scheme, level, state = t.grid_scheme.c, t.grid_level.c, t.grid_state.c
    counted = (
        sa.select(state.scheme_id, state.rank, sa.func.count().label("count"))
        .where(on_day(state.valid, None))
        .group_by(state.scheme_id, state.rank)
        .subquery()
    )
    of_level = (level.scheme_id == counted.c.scheme_id) & (level.rank == counted.c.rank)
    levels: dict[int, list[LevelRow]] = {}
    for row in connection.execute(
        sa.select(t.grid_level, sa.func.coalesce(counted.c["count"], 0).label("number"))
        .select_from(t.grid_level.outerjoin(counted, of_level))
        .order_by(level.scheme_id, level.rank)
    ):
        levels.setdefault(row.scheme_id, []).append(
            LevelRow(row.rank, row.label, row.label_en, row.number)
        )
    versions: dict[int, list[VersionRow]] = {}
    for row in connection.execute(
        sa.select(t.grid_version).order_by(t.grid_version.c.effective_day.desc())
    ):
        versions.setdefault(row.scheme_id, []).append(
            VersionRow(row.version_id, row.effective_day, row.title)
        )
    rows = connection.execute(
        sa.select(t.grid_scheme).order_by(scheme.is_base.desc(), scheme.scheme_id)
    )
    return [
        Scheme(
            row.code,
            row.name,
            row.name_en,
            row.is_base,
            levels.get(row.scheme_id, []),
            versions.get(row.scheme_id, []),
        )
        for row in rows
    ]


def find_version_on(
    connection: sa.Connection, scheme_id: int, at: date | None
) -> tuple[VersionRow, datetime] | None:
    """
    Find the version in force on a day.

    Parameters
    ----------
    connection
        An open transaction.
    scheme_id
        Of which scheme.
    at
        The day; None is today.

    Returns
    -------
    (Version, published at) or None
        None before the first version.
    """
    values = {"scheme_id": scheme_id, "at": at}
    row = connection.execute(_version_query(is_today=at is None), values).first()
    if row is None:
        return None
    return VersionRow(row.version_id, row.effective_day, row.title), row.published_at


@cache
def _version_query(*, is_today: bool) -> sa.Select[Any]:
    version = t.grid_version.c
    day = sa.func.gis_today() if is_today else sa.bindparam("at", type_=sa.Date)
    return (
        sa.select(version.version_id, version.effective_day, version.title, version.published_at)
        .where(version.scheme_id == sa.bindparam("scheme_id"), version.effective_day <= day)
        .order_by(version.effective_day.desc())
        .limit(1)
    )


def list_versions_in_force(connection: sa.Connection) -> list[VersionInForce]:
    """
    Name the version in force today of every scheme.

    Parameters
    ----------
    connection
        An open transaction.

    Returns
    -------
    list of VersionInForce
        The base scheme first.
    """
    scheme = t.grid_scheme.c
    answer = []
    for row in connection.execute(
        sa.select(scheme.scheme_id, scheme.code).order_by(scheme.is_base.desc(), scheme.scheme_id)
    ).all():
        holding = find_version_on(connection, row.scheme_id, None)
        version = holding[0] if holding else None
        answer.append(
            VersionInForce(
                row.code,
                version.version_id if version else None,
                version.effective_day if version else None,
            )
        )
    return answer


def list_grids(
    connection: sa.Connection,
    scheme: SchemeKey,
    *,
    q: str = "",
    rank: int | None = None,
    at: date | None = None,
    limit: int,
    offset: int,
) -> tuple[list[GridRow], int]:
    """
    List grids by code.

    Parameters
    ----------
    connection
        An open transaction.
    scheme
        Of which scheme.
    q
        Part of the name, or the beginning of the code.
    rank
        Only this level.
    at
        As of this day; None is today.
    limit, offset
        Which page.

    Returns
    -------
    rows, total
        The page, and how many there are in all.
    """
    state = t.grid_state.c
    conditions = [state.scheme_id == scheme.scheme_id, on_day(state.valid, at)]
    if rank is not None:
        conditions.append(state.rank == rank)
    if q.strip():
        conditions.append(_name_condition(state.name, state.code, q))
    total = connection.scalar(sa.select(sa.func.count()).where(*conditions)) or 0
    rows = connection.execute(
        sa.select(
            t.grid_state,
            t.grid.c.kind,
            sa.func.ST_X(state.label_point).label("lon"),
            sa.func.ST_Y(state.label_point).label("lat"),
        )
        .join(t.grid, t.grid.c.grid_id == state.grid_id)
        .where(*conditions)
        .order_by(state.code)
        .limit(limit)
        .offset(offset)
    )
    return [
        GridRow(
            row.grid_id,
            row.code,
            row.name,
            row.kind,
            row.rank,
            row.parent_grid_id,
            round(row.area_m2 / 1e6, KM2_DECIMALS),
            (round(row.lon, DEGREE_DECIMALS), round(row.lat, DEGREE_DECIMALS)),
        )
        for row in rows
    ], total


def _name_condition(name: sa.ColumnElement[str], code: sa.ColumnElement[str], q: str) -> Condition:
    digits = q.replace(" ", "").replace("-", "")
    by_name = name.ilike(like_pattern(q), escape="\\")
    return sa.or_(by_name, code.startswith(digits, autoescape=True)) if digits else by_name


def read_grid_head(connection: sa.Connection, grid_id: int, at: date | None = None) -> GridHead:
    """
    Tell what a grid is on a day.

    Parameters
    ----------
    connection
        An open transaction.
    grid_id
        Which grid, of any level and scheme.
    at
        The day; None is today.

    Returns
    -------
    GridHead
        With the chain of its parents and the version that says so.

    Raises
    ------
    NotFoundError
        There is no such grid on that day.
    """
    values = {"grid_id": grid_id, "at": at}
    row = connection.execute(_head_query(is_today=at is None), values).first()
    if row is None:
        raise NotFoundError("grids.no_grid", grid=grid_id)
    holding = find_version_on(connection, row.scheme_id, at)
    west, south, east, north = row[-4:]
    return GridHead(
        grid_id=row.grid_id,
        scheme=row.scheme,
        code=row.code,
        code_groups=split_code(row.code, row.code_layout),
        name=row.name,
        kind=row.kind,
        rank=row.rank,
        level=LevelName(row.label, row.label_en),
        area_km2=round(row.area_m2 / 1e6, KM2_DECIMALS),
        chain=read_chain(connection, grid_id, at),
        version=holding[0] if holding else None,
        bbox=(west, south, east, north),
    )


@cache
def _head_query(*, is_today: bool) -> sa.Select[Any]:
    state, level, scheme = t.grid_state.c, t.grid_level.c, t.grid_scheme.c
    of_level = (level.scheme_id == state.scheme_id) & (level.rank == state.rank)
    bounds = (sa.func.ST_XMin, sa.func.ST_YMin, sa.func.ST_XMax, sa.func.ST_YMax)
    return (
        sa.select(
            *(state[name] for name in ("grid_id", "scheme_id", "rank", "code", "name", "area_m2")),
            t.grid.c.kind,
            level.label,
            level.label_en,
            scheme.code.label("scheme"),
            scheme.code_layout,
            *(bound(state.geom) for bound in bounds),
        )
        .join(t.grid, t.grid.c.grid_id == state.grid_id)
        .join(t.grid_level, of_level)
        .join(t.grid_scheme, scheme.scheme_id == state.scheme_id)
        .where(
            state.grid_id == sa.bindparam("grid_id"),
            on_bound_day(state.valid, is_today=is_today),
        )
    )


def list_areas(connection: sa.Connection, grid_ids: tuple[int, ...] | None) -> list[Area] | None:
    """
    List what somebody answers for.

    Parameters
    ----------
    connection
        An open transaction.
    grid_ids
        As an actor has them: of any level and scheme; None is the whole county.

    Returns
    -------
    list of Area or None
        Those that are there today, by scheme and code; None is the whole county.
    """
    if grid_ids is None:
        return None
    state = t.grid_state.c
    bounds = (sa.func.ST_XMin, sa.func.ST_YMin, sa.func.ST_XMax, sa.func.ST_YMax)
    rows = connection.execute(
        sa.select(
            state.grid_id,
            state.name,
            state.code,
            state.rank,
            t.grid_scheme.c.code,
            *(bound(state.geom) for bound in bounds),
        )
        .join(t.grid_scheme, t.grid_scheme.c.scheme_id == state.scheme_id)
        .where(state.grid_id.in_(grid_ids), on_day(state.valid, None))
        .order_by(t.grid_scheme.c.scheme_id, state.code)
    )
    return [
        Area(grid_id, name, code, rank, scheme, bbox)
        for grid_id, name, code, rank, scheme, *corners in rows
        for bbox in [tuple(round(corner, DEGREE_DECIMALS) for corner in corners)]
    ]


def read_chain(connection: sa.Connection, grid_id: int, at: date | None) -> list[GridName]:
    """
    Name a grid and the grids above it.

    Parameters
    ----------
    connection
        An open transaction.
    grid_id
        Which grid.
    at
        The day; None is today.

    Returns
    -------
    list of GridName
        From the top level down to the grid itself; empty where it is not there that day.
    """
    values = {"grid_id": grid_id, "at": at}
    rows = connection.execute(_chain_query(is_today=at is None), values)
    return [GridName(row.grid_id, row.name, row.code, row.rank) for row in rows]


@cache
def _chain_query(*, is_today: bool) -> sa.Select[Any]:
    state = t.grid_state.c
    start = sa.select(state.grid_id, state.parent_grid_id, state.name, state.code, state.rank)
    holds = on_bound_day(state.valid, is_today=is_today)
    asked = start.where(state.grid_id == sa.bindparam("grid_id"), holds)
    walk = asked.cte("walk", recursive=True)
    tree = walk.union_all(start.where(state.grid_id == walk.c.parent_grid_id, holds))
    return sa.select(tree).order_by(tree.c.rank)


def read_officers_of(
    connection: sa.Connection, actor: Actor, grid_id: int, at: date | None = None
) -> list[OfficerOnDuty]:
    """
    Tell who answers for a grid on a day.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    grid_id
        Which grid.
    at
        The day; None is today.

    Returns
    -------
    list of OfficerOnDuty
        Heads first, post A before B; empty where the actor sees none.
    """
    values = {"grid_id": grid_id, "at": at}
    rows = connection.execute(_officers_query(actor, is_today=at is None), values)
    return [OfficerOnDuty(*row) for row in rows]


@lru_cache(maxsize=64)
def _officers_query(actor: Actor, *, is_today: bool) -> sa.Select[Any]:
    duty, officer, leave = t.grid_duty.c, t.officer.c, t.leave.c
    away = sa.exists().where(
        leave.officer_id == officer.officer_id, on_bound_day(leave.valid, is_today=is_today)
    )
    return (
        sa.select(
            duty.role,
            duty.post,
            officer.name,
            officer.phone,
            away.label("on_leave"),
            officer.full_time,
            officer.officer_id,
        )
        .join(t.officer, officer.officer_id == duty.officer_id)
        .where(
            duty.grid_id == sa.bindparam("grid_id"),
            on_bound_day(duty.valid, is_today=is_today),
            on_bound_day(officer.valid, is_today=is_today),
            visible(actor, t.officer),
        )
        .order_by(duty.role, duty.post)
    )


def find_grid_at(
    connection: sa.Connection, lon: float, lat: float, scheme: str = "base"
) -> int | None:
    """
    Ask the database which grid answers for a place today.

    Parameters
    ----------
    connection
        An open transaction.
    lon, lat
        Degrees.
    scheme
        The scheme's code.

    Returns
    -------
    int or None
        On a border the lowest id; None outside every grid.
    """
    grid_id: int | None = connection.scalar(
        sa.select(
            sa.func.gis_grid_at(sa.func.ST_SetSRID(sa.func.ST_MakePoint(lon, lat), SRID), scheme)
        )
    )
    return grid_id
