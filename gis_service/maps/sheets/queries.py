"""Statements of the sheets: grids by code, what lies in the frame, the county and its days.

Rows, ids and shapes out. Persons are read elsewhere, by the rooms that guard them.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import numpy as np
import shapely
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from gis_service.geodesy import GeometryArray
from gis_service.grids.reading import on_day
from gis_service.maps.sheets.drawing import Bbox, MapFrame
from gis_service.maps.sheets.grid_drawing import (
    BUILDINGS_TO,
    DrawnPlace,
    NamedShape,
    Road,
    Surroundings,
    road_classes_at,
)
from gis_service.store import tables as t
from gis_service.store.engine import in_whole_county
from gis_service.store.tables import SRID

# --- grids -------------------------------------------------------------------------------------


def find_grid_id(connection: sa.Connection, words: str, at: date | None) -> int | None:
    """Find a grid by its code in any scheme, also in groups, or by its id."""
    code = re.sub(r"[\s\-·]", "", words)
    state, scheme = t.grid_state.c, t.grid_scheme.c
    same: Any = sa.func.replace(state.code, "-", "") == code
    if code.isdigit() and len(code) < 12:
        same = sa.or_(same, state.grid_id == int(code))
    grid_id: int | None = connection.scalar(
        sa.select(state.grid_id)
        .join(t.grid_scheme, scheme.scheme_id == state.scheme_id)
        .where(same, on_day(state.valid, at))
        .order_by(state.code != code, scheme.is_base.desc(), state.grid_id)
        .limit(1)
    )
    return grid_id


def find_town_grid_id(connection: sa.Connection, words: str, at: date | None) -> int | None:
    """Find the highest grid of a town, by a grid that has grids below it or by the town's code."""
    state, unit = t.grid_state.c, t.admin_unit.c
    code = re.sub(r"[\s\-·]", "", words)
    below = sa.select(state.parent_grid_id).where(on_day(state.valid, at))
    of_unit = sa.select(unit.admin_unit_id).where(unit.code == code, unit.level == "town")
    grid_id: int | None = connection.scalar(
        sa.select(state.grid_id)
        .join(t.grid_scheme, t.grid_scheme.c.scheme_id == state.scheme_id)
        .where(
            t.grid_scheme.c.is_base,
            sa.or_(
                state.code == code,
                state.admin_unit_id.in_(of_unit),
                state.grid_id == (int(code) if code.isdigit() and len(code) < 9 else -1),
            ),
            state.grid_id.in_(below),
            on_day(state.valid, at),
        )
        .order_by(state.rank, state.grid_id)
        .limit(1)
    )
    return grid_id


def read_tree(connection: sa.Connection, grid_id: int, day: date | None) -> Sequence[Any]:
    """Read a grid and all below it, each above its own, by code."""
    state = t.grid_state.c
    columns = (state.grid_id, state.name, state.code, state.rank)
    start = sa.select(*columns, postgresql.array([state.code]).label("path"))
    top = start.where(state.grid_id == grid_id, on_day(state.valid, day)).cte(
        "tree", recursive=True
    )
    below = sa.select(*columns, sa.func.array_append(top.c.path, state.code).label("path")).where(
        state.parent_grid_id == top.c.grid_id, on_day(state.valid, day)
    )
    tree = top.union_all(below)
    return connection.execute(sa.select(tree).order_by(tree.c.path)).all()


def read_parents_of_level(
    connection: sa.Connection, scheme_id: int, rank: int, day: date | None
) -> dict[int, int | None]:
    """Read the grid above each grid of a level."""
    state = t.grid_state.c
    rows = connection.execute(
        sa.select(state.grid_id, state.parent_grid_id).where(
            state.scheme_id == scheme_id, state.rank == rank, on_day(state.valid, day)
        )
    )
    return {row.grid_id: row.parent_grid_id for row in rows}


def count_children(connection: sa.Connection, grid_id: int, day: date | None) -> int:
    """Count the grids right below a grid."""
    state = t.grid_state.c
    query = sa.select(sa.func.count()).where(
        state.parent_grid_id == grid_id, on_day(state.valid, day)
    )
    return int(connection.execute(query).scalar_one())


# --- what lies in the frame --------------------------------------------------------------------


def read_surroundings(
    connection: sa.Connection,
    grid_id: int,
    rank: int,
    frame: MapFrame,
    at: date | None = None,
) -> Surroundings:
    """Read what the map of a grid shows; the frame's scale decides what is left out."""
    # Roads, houses and places are as they are known now, whatever the day.
    state = t.grid_state.c
    row = connection.execute(
        sa.select(state.scheme_id, sa.func.ST_AsBinary(state.geom).label("wkb")).where(
            state.grid_id == grid_id, on_day(state.valid, at)
        )
    ).one()
    level = (state.scheme_id == row.scheme_id, state.rank == rank)
    land = _read_land(connection, frame.bbox)
    shapes_by_kind: dict[str, list[Any]] = {}
    for kind, _, shape in land:
        shapes_by_kind.setdefault(kind, []).append(shape)
    return Surroundings(
        grid=shapely.from_wkb(bytes(row.wkb)),
        neighbours=_read_grids(connection, frame.bbox, at, *level, state.grid_id != grid_id),
        children=_read_grids(connection, frame.bbox, at, state.parent_grid_id == grid_id),
        land=shapes_by_kind,
        waters=[NamedShape(name, shape) for kind, name, shape in land if kind == "water" and name],
        roads=_read_roads(connection, frame),
        buildings=_read_buildings(connection, frame.bbox) if frame.scale <= BUILDINGS_TO else [],
        places=_read_places(connection, frame.bbox),
    )


def _in_box(bbox: Bbox, column: Any) -> sa.ColumnElement[bool]:
    box = sa.func.ST_MakeEnvelope(*bbox, SRID)
    overlaps: sa.ColumnElement[bool] = column.op("&&", is_comparison=True)(box)
    return overlaps


def _shapes(rows: Iterable[Any]) -> GeometryArray:
    return np.asarray(
        shapely.from_wkb(np.array([bytes(row.wkb) for row in rows], dtype=object)), dtype=object
    )


def _read_grids(
    connection: sa.Connection, bbox: Bbox, at: date | None, *conditions: Any
) -> list[NamedShape]:
    state = t.grid_state.c
    rows = connection.execute(
        sa.select(state.name, sa.func.ST_AsBinary(state.geom).label("wkb"))
        .where(*conditions, on_day(state.valid, at), _in_box(bbox, state.geom))
        .order_by(state.code)
    ).all()
    return [NamedShape(row.name, shape) for row, shape in zip(rows, _shapes(rows), strict=True)]


def _read_land(connection: sa.Connection, bbox: Bbox) -> list[tuple[str, str, Any]]:
    land = t.land_cover.c
    rows = connection.execute(
        sa.select(land.kind, land.name, sa.func.ST_AsBinary(land.geom).label("wkb"))
        .where(_in_box(bbox, land.geom))
        .order_by(land.land_cover_id)
    ).all()
    return [(row.kind, row.name, shape) for row, shape in zip(rows, _shapes(rows), strict=True)]


def _read_roads(connection: sa.Connection, frame: MapFrame) -> list[Road]:
    edge = t.road_edge.c
    rows = connection.execute(
        sa.select(edge.road_class, edge.name, sa.func.ST_AsBinary(edge.geom).label("wkb"))
        .join(t.road_network, t.road_network.c.network_id == edge.network_id)
        .where(
            t.road_network.c.active,
            edge.road_class.in_(road_classes_at(frame.scale)),
            _in_box(frame.bbox, edge.geom),
        )
        .order_by(edge.edge_id)
    ).all()
    return [
        Road(row.road_class, row.name, shape)
        for row, shape in zip(rows, _shapes(rows), strict=True)
    ]


def _read_buildings(connection: sa.Connection, bbox: Bbox) -> list[Any]:
    building = t.building.c
    rows = connection.execute(
        sa.select(sa.func.ST_AsBinary(building.footprint).label("wkb"))
        .where(building.footprint.is_not(None), _in_box(bbox, building.footprint))
        .order_by(building.building_id)
    ).all()
    return list(_shapes(rows))


def _read_places(connection: sa.Connection, bbox: Bbox) -> list[DrawnPlace]:
    facility = t.facility.c
    rows = connection.execute(
        sa.select(facility.kind, facility.name, sa.func.ST_AsBinary(facility.point).label("wkb"))
        .where(_in_box(bbox, facility.point))
        .order_by(facility.facility_id)
    ).all()
    return [
        DrawnPlace(row.kind, row.name, shape)
        for row, shape in zip(rows, _shapes(rows), strict=True)
    ]


# --- the county --------------------------------------------------------------------------------


def read_county_unit(connection: sa.Connection) -> Any | None:
    """Read name and code of the administrative county."""
    unit = t.admin_unit.c
    return connection.execute(
        sa.select(unit.name, unit.code)
        .where(unit.level == "county", on_day(unit.valid, None))
        .order_by(unit.code)
        .limit(1)
    ).first()


def read_extent(connection: sa.Connection, scheme_id: int) -> Bbox | None:
    """Read how far the grids of the top level reach; None where there are none."""
    state = t.grid_state.c
    extent = sa.func.ST_Extent(state.geom)
    bounds = (sa.func.ST_XMin, sa.func.ST_YMin, sa.func.ST_XMax, sa.func.ST_YMax)
    box = connection.execute(
        sa.select(*(bound(extent) for bound in bounds)).where(
            state.scheme_id == scheme_id, state.rank == 1, on_day(state.valid, None)
        )
    ).one()
    return None if box[0] is None else (box[0], box[1], box[2], box[3])


@in_whole_county
def read_data_day(connection: sa.Connection) -> date | None:
    """Read the day of the roads; where none is told, that of the last import."""
    network, imported = t.road_network.c, t.import_record.c
    day: date | None = connection.scalar(sa.select(network.data_day).where(network.active))
    if day is None:
        last = sa.cast(
            sa.func.timezone("Asia/Shanghai", sa.func.max(imported.finished_at)), sa.Date
        )
        day = connection.scalar(sa.select(last))
    return day
