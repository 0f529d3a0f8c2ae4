"""Statements of the reports: the grids of a run, its stations, who takes how long, the ground."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from gis_service.coverage.travel.travel_time import COVERED, TOO_FAR
from gis_service.grids.reading import on_day
from gis_service.store import tables as t

Rows = Sequence[Any]


def read_version(connection: sa.Connection, version_id: int) -> Any:
    """Read id, first day and title of a version."""
    version = t.grid_version.c
    return connection.execute(
        sa.select(version.version_id, version.effective_day, version.title).where(
            version.version_id == version_id
        )
    ).one()


def read_levels(connection: sa.Connection, scheme_id: int) -> Rows:
    """Read rank and labels of the levels, the top first."""
    level = t.grid_level.c
    return connection.execute(
        sa.select(level.rank, level.label, level.label_en)
        .where(level.scheme_id == scheme_id)
        .order_by(level.rank)
    ).all()


def read_grids(connection: sa.Connection, scheme_id: int, day: date) -> Rows:
    """Read the grids of a scheme on a day."""
    state = t.grid_state.c
    return connection.execute(
        sa.select(state.grid_id, state.code, state.name, state.rank, state.parent_grid_id).where(
            state.scheme_id == scheme_id, on_day(state.valid, day)
        )
    ).all()


def read_grid_shapes(connection: sa.Connection, scheme_id: int, day: date) -> Rows:
    """Read the shapes of a scheme's grids on a day as WKB, by level."""
    state = t.grid_state.c
    return connection.execute(
        sa.select(state.rank, state.grid_id, sa.func.ST_AsBinary(state.geom).label("wkb"))
        .where(state.scheme_id == scheme_id, on_day(state.valid, day))
        .order_by(state.rank, state.grid_id)
    ).all()


def read_network(connection: sa.Connection, network_id: int | None) -> Any | None:
    """Read name, source, day and whether it is clipped of a road network."""
    network = t.road_network.c
    return connection.execute(
        sa.select(network.name, network.source, network.data_day, network.clipped).where(
            network.network_id == network_id
        )
    ).first()


def read_stations(connection: sa.Connection, kinds: Sequence[str]) -> Rows:
    """Read the facilities of some kinds."""
    facility = t.facility.c
    return connection.execute(
        sa.select(
            facility.facility_id,
            facility.kind,
            facility.name,
            sa.type_coerce(sa.func.ST_X(facility.point), sa.Double).label("lon"),
            sa.type_coerce(sa.func.ST_Y(facility.point), sa.Double).label("lat"),
            facility.turnout_minutes,
        ).where(facility.kind.in_(kinds))
    ).all()


def count_nearest(connection: sa.Connection, run_id: int, kinds: int) -> dict[int, int]:
    """Count by facility the households whose nearest of its kind it is."""
    result = t.coverage_household.c
    counts: dict[int, int] = {}
    for place in range(1, kinds + 1):
        nearest = result.kind_facility[place]
        rows = connection.execute(
            sa.select(nearest, sa.func.count())
            .where(result.run_id == run_id, nearest.is_not(None))
            .group_by(nearest)
        )
        counts |= {int(facility_id): int(count) for facility_id, count in rows}
    return counts


def count_by_minutes(
    connection: sa.Connection, run_id: int, limit_minutes: float
) -> npt.NDArray[np.int64]:
    """Count households by tenths of the limit: ten within it, ten after it, and all beyond."""
    result = t.coverage_household.c
    late = sa.case((result.status == COVERED, 0), else_=1)
    slot = sa.func.least(sa.func.floor(result.minutes / (limit_minutes / 10)), 20)
    place = sa.case((late == 0, sa.func.least(slot, 9)), else_=sa.func.greatest(slot, 10))
    rows = connection.execute(
        sa.select(place.label("place"), sa.func.count().label("households"))
        .where(result.run_id == run_id, result.status.in_((COVERED, TOO_FAR)))
        .group_by(place)
    )
    counts = np.zeros(21, dtype=np.int64)
    for row in rows:
        counts[int(row.place)] = row.households
    return counts


# --- the ground of the maps --------------------------------------------------------------------


def read_water(connection: sa.Connection) -> Sequence[bytes]:
    """Read lakes and rivers as WKB."""
    land = t.land_cover.c
    rows = connection.execute(
        sa.select(sa.func.ST_AsBinary(land.geom))
        .where(land.kind == "water")
        .order_by(land.land_cover_id)
    )
    return [bytes(wkb) for wkb in rows.scalars()]


def read_roads(connection: sa.Connection, classes: Sequence[str]) -> Rows:
    """Read the roads of some classes in use, as WKB."""
    edge = t.road_edge.c
    return connection.execute(
        sa.select(edge.road_class, edge.name, sa.func.ST_AsBinary(edge.geom).label("wkb"))
        .join(t.road_network, t.road_network.c.network_id == edge.network_id)
        .where(t.road_network.c.active, edge.road_class.in_(classes))
        .order_by(edge.edge_id)
    ).all()


def read_grid_names(connection: sa.Connection, scheme_id: int, day: date) -> Rows:
    """Read where each grid is named, by its administrative unit where it has one."""
    state, unit = t.grid_state.c, t.admin_unit.c
    return connection.execute(
        sa.select(
            state.rank,
            sa.func.coalesce(unit.name, state.name).label("name"),
            sa.type_coerce(sa.func.ST_X(state.label_point), sa.Double).label("lon"),
            sa.type_coerce(sa.func.ST_Y(state.label_point), sa.Double).label("lat"),
        )
        .outerjoin_from(
            t.grid_state, t.admin_unit, t.admin_unit.c.admin_unit_id == state.admin_unit_id
        )
        .where(state.scheme_id == scheme_id, on_day(state.valid, day))
        .order_by(state.grid_id)
    ).all()
