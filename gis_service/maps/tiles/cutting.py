"""Cutting a tile from the tables: PostGIS does it, and a tile that is too large is thinned."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

import sqlalchemy as sa

from gis_service.maps.page.layers import road_classes
from gis_service.maps.tiles.shapes import SHAPE_ZOOMS, ensure_shapes, pixel_degrees
from gis_service.maps.tiles.tile_sets import GROUND, NO_CONTENT, SCHEME, TileSet
from gis_service.store import tiles as sql

MOST_BYTES: Final = 300_000
"""Of a tile as it is drawn from, not as it travels (compressed it is about half)."""

NAMES_FROM: Final = 10
BUILDINGS_FROM: Final = 13
_WHOLE_ROADS_FROM: Final = 13
_THINNER: Final = (1.0, 0.6, 0.35, 0.2, 0.1, 0.05)
_MOST_FEATURES: Final = 40_000


def cut_tile(connection: sa.Connection, tiles: TileSet, z: int, x: int, y: int) -> bytes:
    """Cut a tile from the tables."""
    sql.tune_for_tiles(connection)
    if tiles.layer in GROUND:
        parts = GROUND[tiles.layer]
        share = MOST_BYTES // len(parts)
        return b"".join(_cut_ground(connection, part, z, x, y, share) for part in parts)
    if tiles.content == NO_CONTENT or tiles.scheme is None:
        return b""
    zoom = min(max(z, SHAPE_ZOOMS[0]), SHAPE_ZOOMS[-1])
    ensure_shapes(connection, tiles, zoom)
    place = {"z": z, "x": x, "y": y, "content": tiles.content, "shape_zoom": zoom}
    cut = {
        "grids": partial(
            sql.cut_layer, connection, "grids", **place,
            rank=tiles.rank, day=tiles.day, named=z >= NAMES_FROM,
        ),
        "borders": partial(sql.cut_layer, connection, "borders", **place, lowest=tiles.rank),
    }  # fmt: skip
    return b"".join(cut[part]() for part in SCHEME[tiles.layer])


def _cut_ground(
    connection: sa.Connection, part: str, z: int, x: int, y: int, most_bytes: int
) -> bytes:
    cut = _GROUND_CUTS[part]
    body = b""
    for share in _THINNER:
        body = cut(connection, z, x, y, int(_MOST_FEATURES * share))
        if len(body) <= most_bytes:
            break
    return body


def _cut_roads(connection: sa.Connection, z: int, x: int, y: int, most: int) -> bytes:
    values = {"z": z, "x": x, "y": y, "pixel": pixel_degrees(z)}
    # A pixel of these tiles is half of one of the zooms by which classes are chosen.
    classes = road_classes(z + 1)
    if z >= _WHOLE_ROADS_FROM:
        return sql.cut_layer(connection, "roads", **values, classes=classes, most=most)
    fewer = max(1, round(len(classes) * most / _MOST_FEATURES))
    return sql.cut_layer(connection, "greater_roads", **values, classes=classes[:fewer])


def _cut_land(connection: sa.Connection, z: int, x: int, y: int, most: int) -> bytes:
    return sql.cut_layer(connection, "land", z=z, x=x, y=y, pixel=pixel_degrees(z), most=most)


def _cut_buildings(connection: sa.Connection, z: int, x: int, y: int, most: int) -> bytes:
    if z < BUILDINGS_FROM:
        return b""
    pixel = pixel_degrees(z)
    values = {"z": z, "x": x, "y": y, "pixel": pixel, "most": most}
    if z == BUILDINGS_FROM:
        return sql.cut_layer(connection, "blocks", **values)
    least = pixel * pixel if z == BUILDINGS_FROM + 1 else 0.0
    return sql.cut_layer(connection, "buildings", **values, least_area=least)


_GROUND_CUTS: Final[Mapping[str, Callable[[sa.Connection, int, int, int, int], bytes]]] = (
    MappingProxyType({"roads": _cut_roads, "land": _cut_land, "buildings": _cut_buildings})
)
