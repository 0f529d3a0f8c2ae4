"""What bands and districts read from the store: outlines, waters, and names of what is on them."""

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt
import sqlalchemy as sa

from gis_service.grids.reading import find_scheme, on_day
from gis_service.store import tables as t
from gis_service.store.bulk import read_arrays

Columns = Mapping[str, npt.NDArray[Any]]


def read_top_grids(connection: sa.Connection) -> npt.NDArray[Any]:
    """Read the geometries of the highest level in force today; lon, lat."""
    scheme = find_scheme(connection, "base")
    state = t.grid_state.c
    top = (
        sa.select(sa.func.min(state.rank))
        .where(state.scheme_id == scheme.scheme_id, on_day(state.valid, None))
        .scalar_subquery()
    )
    query = sa.select(state.grid_id, state.geom.label("geometry")).where(
        state.scheme_id == scheme.scheme_id, state.rank == top, on_day(state.valid, None)
    )
    return read_arrays(connection, query)["geometry"]


def read_waters(connection: sa.Connection) -> Columns:
    """Read ``name`` and ``geometry`` of every water; lon, lat."""
    cover = t.land_cover.c
    return read_arrays(
        connection,
        sa.select(cover.land_cover_id, cover.name, cover.geom.label("geometry")).where(
            cover.kind == "water"
        ),
    )


def read_facility_names(connection: sa.Connection) -> dict[int, tuple[str, str]]:
    """Read name and grade of every facility, by id."""
    facility = t.facility.c
    rows = connection.execute(sa.select(facility.facility_id, facility.name, facility.grade))
    return {row.facility_id: (row.name, row.grade) for row in rows}


def read_named_grids(connection: sa.Connection) -> Columns:
    """Read ``rank``, ``name`` and ``geometry`` of the grids in force today; lon, lat."""
    state = t.grid_state.c
    scheme = find_scheme(connection, "base")
    return read_arrays(
        connection,
        sa.select(state.grid_id, state.rank, state.name, state.geom.label("geometry")).where(
            state.scheme_id == scheme.scheme_id, on_day(state.valid, None)
        ),
    )
