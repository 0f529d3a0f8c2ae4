"""Statements of the page: what its layers draw, and answers that were counted before.

Rows out, shapes as GeoJSON or WKB. Hazards and incidents come through their own room.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on, insert

from gis_service.grids.reading import on_day
from gis_service.store import tables as t
from gis_service.store.tables import SRID

Bbox = tuple[float, float, float, float]
Rows = Sequence[Any]

DECIMALS: Final = 6


def _as_geojson(geometry: Any) -> sa.ColumnElement[str]:
    text: sa.ColumnElement[str] = sa.func.ST_AsGeoJSON(geometry, DECIMALS, 0)
    return text


def _touching(column: Any, bbox: Bbox | None) -> list[sa.ColumnElement[bool]]:
    if bbox is None:
        return []
    box = sa.func.ST_MakeEnvelope(*bbox, SRID)
    return [column.op("&&", is_comparison=True)(box)]


# --- grids -------------------------------------------------------------------------------------


def read_ranks(connection: sa.Connection, scheme_id: int) -> list[int]:
    """Read the levels of a scheme, the top first."""
    level = t.grid_level.c
    rows = connection.execute(
        sa.select(level.rank).where(level.scheme_id == scheme_id).order_by(level.rank)
    )
    return list(rows.scalars())


def read_level_labels(connection: sa.Connection, scheme_id: int, rank: int) -> Any:
    """Read ``label`` and ``label_en`` of a level."""
    level = t.grid_level.c
    return connection.execute(
        sa.select(level.label, level.label_en).where(
            level.scheme_id == scheme_id, level.rank == rank
        )
    ).one()


def read_tessellates(connection: sa.Connection, scheme_id: int, rank: int) -> bool | None:
    """Read whether a level covers its parent without gap; None where there is no such level."""
    level = t.grid_level.c
    tessellates: bool | None = connection.scalar(
        sa.select(level.tessellates).where(level.scheme_id == scheme_id, level.rank == rank)
    )
    return tessellates


def read_grids(
    connection: sa.Connection, scheme_id: int, rank: int, at: date | None, *, boxes_only: bool
) -> Rows:
    """Read the grids of a level on a day, with their shapes, or only how far each reaches."""
    state = t.grid_state.c
    return connection.execute(
        sa.select(
            state.grid_id,
            state.code,
            state.name,
            t.grid.c.kind,
            state.parent_grid_id,
            state.rank,
            state.area_m2,
            sa.func.ST_X(state.label_point).label("lon"),
            sa.func.ST_Y(state.label_point).label("lat"),
            sa.func.ST_AsBinary(
                sa.func.ST_Envelope(state.geom) if boxes_only else state.geom
            ).label("wkb"),
        )
        .join(t.grid, t.grid.c.grid_id == state.grid_id)
        .where(state.scheme_id == scheme_id, state.rank == rank, on_day(state.valid, at))
        .order_by(state.grid_id)
    ).all()


def read_outline(connection: sa.Connection, grid_id: int, at: date | None) -> str | None:
    """Read the shape of one grid."""
    state = t.grid_state.c
    return connection.scalar(
        sa.select(_as_geojson(state.geom)).where(state.grid_id == grid_id, on_day(state.valid, at))
    )


# --- the ground --------------------------------------------------------------------------------


def read_roads(
    connection: sa.Connection,
    bbox: Bbox | None,
    classes: Sequence[str],
    tolerance_degrees: float,
    *,
    limit: int,
) -> Rows:
    """Read the roads of the network in use, simplified, greater roads first."""
    edge = t.road_edge.c
    order = sa.case(
        {name: place for place, name in enumerate(t.ROAD_CLASSES)}, value=edge.road_class
    )
    shape = sa.func.ST_Simplify(edge.geom, tolerance_degrees, True)  # noqa: FBT003
    return connection.execute(
        sa.select(
            edge.road_class,
            edge.name,
            edge.bridge,
            edge.tunnel,
            edge.oneway,
            _as_geojson(shape).label("shape"),
        )
        .join(t.road_network, t.road_network.c.network_id == edge.network_id)
        .where(t.road_network.c.active, edge.road_class.in_(classes), *_touching(edge.geom, bbox))
        .order_by(order, edge.edge_id)
        .limit(limit)
    ).all()


def read_land(connection: sa.Connection) -> Rows:
    """Read water, green and built-up land, the largest first."""
    land = t.land_cover.c
    return connection.execute(
        sa.select(land.kind, land.name, _as_geojson(land.geom).label("shape")).order_by(
            sa.func.ST_Area(land.geom).desc(), land.land_cover_id
        )
    ).all()


def read_buildings(connection: sa.Connection, bbox: Bbox, *, limit: int) -> Rows:
    """Read the buildings of a box that have an outline."""
    building = t.building.c
    return connection.execute(
        sa.select(
            building.building_id,
            building.name,
            building.storeys,
            building.kind,
            _as_geojson(building.footprint).label("shape"),
        )
        .where(building.footprint.is_not(None), *_touching(building.footprint, bbox))
        .order_by(building.building_id)
        .limit(limit)
    ).all()


def read_footprints(connection: sa.Connection) -> Sequence[bytes]:
    """Read all outlines of buildings as WKB, neighbours near each other."""
    building = t.building.c
    return (
        connection.execute(
            sa.select(sa.func.ST_AsBinary(building.footprint))
            .where(building.footprint.is_not(None))
            .order_by(
                sa.func.ST_GeoHash(sa.func.ST_SetSRID(building.point, 4326), 8),
                building.building_id,
            )
        )
        .scalars()
        .all()
    )


def read_facilities(connection: sa.Connection) -> Rows:
    """Read service points, stations and water sources."""
    facility = t.facility.c
    return connection.execute(
        sa.select(
            facility.facility_id,
            facility.kind,
            facility.name,
            facility.address,
            facility.phone,
            _as_geojson(facility.point).label("shape"),
        ).order_by(facility.facility_id)
    ).all()


def read_place_names(connection: sa.Connection) -> Rows:
    """Read county, towns and villages with the point where each is named."""
    unit, state = t.admin_unit.c, t.grid_state.c
    # A unit without an outline of its own is named where the grid that stands for it is.
    point = sa.func.coalesce(sa.func.ST_PointOnSurface(unit.geom), state.label_point)
    stands_for = (state.admin_unit_id == unit.admin_unit_id) & on_day(state.valid, None)
    return connection.execute(
        sa.select(unit.name, unit.level, _as_geojson(point).label("shape"))
        .ext(distinct_on(unit.code, unit.admin_unit_id))
        .outerjoin_from(t.admin_unit, t.grid_state, stands_for)
        .where(point.is_not(None), on_day(unit.valid, None))
        .order_by(unit.code, unit.admin_unit_id, state.rank)
    ).all()


# --- answers that were counted before ----------------------------------------------------------


def read_answer(connection: sa.Connection, question: str, state: str) -> bytes | None:
    """Read what was answered to a question in a state of the data."""
    answer = t.answer.c
    body = connection.scalar(
        sa.select(answer.body).where(answer.question == question, answer.content == state)
    )
    return None if body is None else bytes(body)


def write_answer(connection: sa.Connection, question: str, state: str, body: bytes) -> None:
    """Write an answer; those of its kind in other states of the data are removed."""
    answer = t.answer.c
    kind = question.partition("/")[0]
    outdated = answer.question.startswith(f"{kind}/", autoescape=True) & (answer.content != state)
    row: dict[str, Any] = {"content": state, "body": body}
    connection.execute(sa.delete(t.answer).where(outdated, answer.question != question))
    connection.execute(
        insert(t.answer)
        .values(question=question, **row)
        .on_conflict_do_update(index_elements=[answer.question], set_=row)
    )
