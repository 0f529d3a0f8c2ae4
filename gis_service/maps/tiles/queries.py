"""Statements of the tiles: those that are kept, and the shapes from which grids are cut.

Cutting itself is SQL as text and stands in the store.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from gis_service.grids.reading import on_day
from gis_service.store import tables as t

TileKey = tuple[str, str | None, int, int, int]
"""Layer, content, z, x, y; no tile that is kept has None for its content."""


def has_level(connection: sa.Connection, scheme_id: int, rank: int) -> bool:
    """Tell whether a scheme has a level."""
    level = t.grid_level.c
    query = sa.select(level.rank).where(level.scheme_id == scheme_id, level.rank == rank)
    return connection.scalar(query) is not None


def read_scheme_codes(connection: sa.Connection) -> Sequence[str]:
    """Read the codes of all schemes."""
    return connection.scalars(sa.select(t.grid_scheme.c.code)).all()


def read_published_scheme_codes(connection: sa.Connection) -> Sequence[str]:
    """Read the codes of the schemes that have a version."""
    scheme, version = t.grid_scheme.c, t.grid_version.c
    return connection.scalars(
        sa.select(scheme.code)
        .where(sa.exists().where(version.scheme_id == scheme.scheme_id))
        .order_by(scheme.scheme_id)
    ).all()


# --- tiles that are kept -----------------------------------------------------------------------


def read_tile(connection: sa.Connection, key: TileKey) -> bytes | None:
    """Read a tile as it travels."""
    tile = t.tile.c
    columns = (tile.layer, tile.content, tile.z, tile.x, tile.y)
    query = sa.select(tile.body).where(
        *(column == value for column, value in zip(columns, key, strict=True))
    )
    body = connection.scalar(query)
    return None if body is None else bytes(body)


def insert_tile(connection: sa.Connection, key: TileKey, body: bytes) -> None:
    """Keep a tile, unless somebody was faster."""
    layer, content, z, x, y = key
    connection.execute(
        insert(t.tile)
        .values(layer=layer, content=content, z=z, x=x, y=y, body=body)
        .on_conflict_do_nothing()
    )


def delete_other_contents(connection: sa.Connection, layer: str, content: str) -> None:
    """Remove a layer's tiles of states of the data that are gone."""
    tile = t.tile.c
    connection.execute(sa.delete(t.tile).where(tile.layer == layer, tile.content != content))


def read_size_of_tiles(connection: sa.Connection) -> int:
    """Add the bytes of all tiles."""
    size = sa.func.coalesce(sa.func.sum(sa.func.octet_length(t.tile.c.body)), 0)
    return int(connection.scalar(sa.select(size)) or 0)


def delete_past_contents(
    connection: sa.Connection, layers: Sequence[str], present: Sequence[str]
) -> None:
    """Remove tiles and shapes of layers of grids whose content is not a present one."""
    tile, shape = t.tile.c, t.tile_shape.c
    of_layers = tile.layer.regexp_match(f"^({'|'.join(layers)})([.]|$)")
    connection.execute(sa.delete(t.tile).where(of_layers, tile.content.not_in(present)))
    connection.execute(sa.delete(t.tile_shape).where(shape.content.not_in(present)))


def delete_tiles(connection: sa.Connection) -> None:
    """Remove all tiles."""
    connection.execute(sa.delete(t.tile))


# --- shapes ------------------------------------------------------------------------------------


def has_shapes(connection: sa.Connection, content: str, zoom: int) -> bool:
    """Tell whether shapes were made for a zoom."""
    shape = t.tile_shape.c
    query = sa.select(sa.literal(1)).where(shape.content == content, shape.zoom == zoom)
    return connection.scalar(query.limit(1)) is not None


def read_faces(
    connection: sa.Connection, scheme_id: int, base_rank: int, day: date | None
) -> Sequence[Any]:
    """Read the grids of the lowest level, and those of levels that do not tessellate."""
    state, level = t.grid_state.c, t.grid_level.c
    needed = sa.or_(state.rank == base_rank, ~level.tessellates)
    return connection.execute(
        sa.select(
            state.grid_id,
            state.rank,
            level.tessellates,
            sa.func.ST_AsBinary(state.geom).label("wkb"),
        )
        .join(t.grid_level, (level.scheme_id == state.scheme_id) & (level.rank == state.rank))
        .where(state.scheme_id == scheme_id, on_day(state.valid, day), needed)
        .order_by(state.grid_id)
    ).all()
