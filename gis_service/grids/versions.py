"""Versions of the boundaries: which one is in force on a day, and its polygons.

A version of a scheme is an effective day; its state is the rows whose range holds that day.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely
import sqlalchemy as sa

from gis_service.errors import NotFoundError
from gis_service.geodesy import GeometryArray
from gis_service.store import tables as t

_TODAY: Final = sa.select(sa.func.gis_today())


@dataclass(frozen=True)
class Version:
    """One published state of a scheme."""

    version_id: int
    scheme_id: int
    scheme: str
    effective_day: date
    title: str


def today(connection: sa.Connection) -> date:
    """
    Ask the store which day it is in Asia/Shanghai.

    Parameters
    ----------
    connection
        An open transaction.

    Returns
    -------
    date
        Today, or the day that ``gis.today`` replays.
    """
    day: date = connection.execute(_TODAY).scalar_one()
    return day


def keep_boundaries(connection: sa.Connection) -> None:
    """
    Let no version be published until the end of a transaction; wait for one that is at it.

    Who writes where objects lie asks first, before any row is locked: what was placed by one
    version would otherwise be stored beside the next.

    Parameters
    ----------
    connection
        The transaction that writes.
    """
    connection.execute(sa.select(t.grid_scheme.c.scheme_id).with_for_update(read=True))


def read_versions(connection: sa.Connection, scheme: str = "base") -> list[Version]:
    """
    List the versions of a scheme.

    Parameters
    ----------
    connection
        An open transaction.
    scheme
        Its code.

    Returns
    -------
    list of Version
        By effective day, coming ones too.
    """
    query = (
        sa.select(
            t.grid_version.c.version_id,
            t.grid_version.c.scheme_id,
            t.grid_scheme.c.code,
            t.grid_version.c.effective_day,
            t.grid_version.c.title,
        )
        .join(t.grid_scheme)
        .where(t.grid_scheme.c.code == scheme)
        .order_by(t.grid_version.c.effective_day)
    )
    return [Version(*row) for row in connection.execute(query)]


def find_version_in_force(
    connection: sa.Connection, scheme: str = "base", day: date | None = None
) -> Version:
    """
    Find the version that answers on a day.

    Parameters
    ----------
    connection
        An open transaction.
    scheme
        Its code.
    day
        Today where None.

    Returns
    -------
    Version
        The newest one effective by then.

    Raises
    ------
    NotFoundError
        Nothing is published for that day.
    """
    asked_day = day or today(connection)
    fitting = [
        version
        for version in read_versions(connection, scheme)
        if version.effective_day <= asked_day
    ]
    if not fitting:
        raise NotFoundError("grids.no_version", scheme=scheme, day=asked_day.isoformat())
    return fitting[-1]


def find_lowest_rank(connection: sa.Connection, scheme_id: int) -> int:
    """
    Name the level whose polygons answer for a point.

    Parameters
    ----------
    connection
        An open transaction.
    scheme_id
        The scheme.

    Returns
    -------
    int
        The largest rank that tessellates.
    """
    level = t.grid_level
    query = sa.select(sa.func.max(level.c.rank)).where(
        level.c.scheme_id == scheme_id, level.c.tessellates
    )
    return int(connection.execute(query).scalar_one())


def read_polygons(
    connection: sa.Connection, scheme_id: int, day: date, rank: int | None = None
) -> tuple[npt.NDArray[np.int64], GeometryArray]:
    """
    Read the polygons of one level as they are on a day.

    Parameters
    ----------
    connection
        An open transaction.
    scheme_id
        The scheme.
    day
        Any day.
    rank
        The level; the lowest where None.

    Returns
    -------
    grid_ids, geometries
        By id; MultiPolygons in lon, lat.
    """
    state = t.grid_state
    level = find_lowest_rank(connection, scheme_id) if rank is None else rank
    query = (
        sa.select(state.c.grid_id, sa.func.ST_AsBinary(state.c.geom))
        .where(
            state.c.scheme_id == scheme_id,
            state.c.rank == level,
            state.c.valid.op("@>")(sa.literal(day, sa.Date)),
        )
        .order_by(state.c.grid_id)
    )
    rows: list[Any] = list(connection.execute(query))
    ids = np.array([row[0] for row in rows], dtype=np.int64)
    shapes = shapely.from_wkb(np.array([bytes(row[1]) for row in rows], dtype=object))
    return ids, np.asarray(shapes, dtype=object)


def is_due(connection: sa.Connection) -> bool:
    """
    Tell whether a version's day has come and its copy is not on the rows yet.

    Parameters
    ----------
    connection
        An open transaction.

    Returns
    -------
    bool
        True: call :func:`gis_service.grids.assignment.apply_due`.
    """
    query = sa.select(
        sa.exists().where(
            t.grid_version.c.applied_at.is_(None),
            t.grid_version.c.effective_day <= sa.func.gis_today(),
        )
    )
    return bool(connection.execute(query).scalar_one())
