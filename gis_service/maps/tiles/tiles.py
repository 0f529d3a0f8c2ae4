"""Vector tiles of the whole county at every zoom: roads, land, buildings, grids and their borders.

PostGIS cuts them; grids are cut from shapes that were simplified together, once for each version.
A tile is kept by layer, state of the data and place. Never a household, officer, hazard or
incident: a tile goes to anybody who may see the map.
"""

import gzip
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

import sqlalchemy as sa

from gis_service.errors import NotFoundError
from gis_service.maps.tiles import queries
from gis_service.maps.tiles.cutting import cut_tile
from gis_service.maps.tiles.queries import TileKey
from gis_service.maps.tiles.tile_sets import GROUND, SCHEME, TileSet, find_tile_set

MAX_ZOOM: Final = 16
"""Above it a client draws the tiles of this zoom larger; they hold every vertex to 8 cm."""

CONTENT_TYPE: Final = "application/vnd.mapbox-vector-tile"


@dataclass(frozen=True)
class TileBody:
    """
    A tile as it travels.

    Attributes
    ----------
    packed
        MVT by gzip; empty where nothing is there.
    tag
        Names the bytes.
    """

    packed: bytes
    tag: str


class TileCache:
    """
    The tiles last asked for, ready to be sent.

    Parameters
    ----------
    most_bytes
        How much is kept.
    """

    def __init__(self, most_bytes: int = 64_000_000) -> None:
        self._most = most_bytes
        self._bytes = 0
        self._tiles: OrderedDict[TileKey, TileBody] = OrderedDict()
        self._states: dict[str, str] = {}
        self._lock = threading.Lock()

    def is_news(self, layer: str, content: str) -> bool:
        """Tell once that a layer shows another state of the data."""
        with self._lock:
            is_news = self._states.get(layer) != content
            self._states[layer] = content
            return is_news

    def find(self, key: TileKey) -> TileBody | None:
        """
        Look a tile up.

        Parameters
        ----------
        key
            Layer, content, z, x, y.

        Returns
        -------
        TileBody or None
            None where it is not held.
        """
        with self._lock:
            body = self._tiles.get(key)
            if body is not None:
                self._tiles.move_to_end(key)
            return body

    def keep(self, key: TileKey, body: TileBody) -> None:
        """Hold a tile, and forget the ones not asked for longest."""
        with self._lock:
            if key not in self._tiles:
                self._bytes += len(body.packed) + 200
            self._tiles[key] = body
            while self._bytes > self._most:
                _, oldest = self._tiles.popitem(last=False)
                self._bytes -= len(oldest.packed) + 200


def check_place(z: int, x: int, y: int) -> None:
    """
    Refuse a tile that no map has.

    Parameters
    ----------
    z, x, y
        Of the Web Mercator pyramid, y from the north.

    Raises
    ------
    NotFoundError
        Out of range.
    """
    if not 0 <= z <= MAX_ZOOM:
        raise NotFoundError("tiles.no_zoom", zoom=z, highest=MAX_ZOOM)
    if not (0 <= x < 2**z and 0 <= y < 2**z):
        raise NotFoundError("tiles.no_place", zoom=z, x=x, y=y, last=2**z - 1)


def find_tile(
    connection: sa.Connection, cache: TileCache, tiles: TileSet, z: int, x: int, y: int
) -> TileBody:
    """
    Give a tile: held, kept in the store, or cut now.

    Parameters
    ----------
    connection
        An open transaction.
    cache
        Of this process.
    tiles
        Which layer, in which state.
    z, x, y
        Where.

    Returns
    -------
    TileBody
        Empty where nothing is there.

    Raises
    ------
    NotFoundError
        There is no such place.
    """
    check_place(z, x, y)
    key = (tiles.key, tiles.content, z, x, y)
    body = cache.find(key)
    if body is None:
        packed = queries.read_tile(connection, key)
        if packed is None:
            cut = cut_tile(connection, tiles, z, x, y)
            packed = gzip.compress(cut, 6, mtime=0) if cut else b""
            if tiles.layer in GROUND and cache.is_news(tiles.key, tiles.content):
                queries.delete_other_contents(connection, tiles.key, tiles.content)
            if packed:  # of what is empty there is no end
                queries.insert_tile(connection, key, packed)
        body = TileBody(packed, hashlib.sha256(packed).hexdigest()[:24])
        cache.keep(key, body)
    return body


def forget_tiles(connection: sa.Connection, most_bytes: int) -> None:
    """
    Keep the tiles in the store within a size: those of other days go first, then all.

    Parameters
    ----------
    connection
        An open transaction.
    most_bytes
        How much may be kept.
    """
    if queries.read_size_of_tiles(connection) <= most_bytes:
        return
    present = [
        find_tile_set(connection, "grids", scheme=code).content
        for code in queries.read_scheme_codes(connection)
    ]
    queries.delete_past_contents(connection, tuple(SCHEME), present)
    if queries.read_size_of_tiles(connection) > most_bytes:
        queries.delete_tiles(connection)


def describe_tiles(
    tiles: TileSet, bbox: tuple[float, float, float, float] | None
) -> dict[str, Any]:
    """
    Describe a set of tiles as TileJSON 3.0.

    Parameters
    ----------
    tiles
        Which.
    bbox
        West, south, east, north in degrees; None where nothing is loaded.

    Returns
    -------
    dict
        The address in it names the state of the data, so that a tile may be kept for ever.
    """
    query = f"v={tiles.content}"
    if tiles.scheme is not None:
        day = "" if tiles.day is None else f"&at={tiles.day}"
        query = f"scheme={quote(tiles.scheme.code)}&rank={tiles.rank}{day}&{query}"
    parts = GROUND.get(tiles.layer) or SCHEME[tiles.layer]
    return {
        "tilejson": "3.0.0",
        "name": tiles.layer,
        "scheme": "xyz",
        "tiles": [f"/api/tiles/{tiles.layer}/{{z}}/{{x}}/{{y}}.pbf?{query}"],
        "minzoom": 0,
        "maxzoom": MAX_ZOOM,
        "version": "1.0.0",
        **({} if bbox is None else {"bounds": list(bbox)}),
        "vector_layers": [
            {"id": part, "fields": dict(_FIELDS[part]), "minzoom": 0, "maxzoom": MAX_ZOOM}
            for part in parts
        ],
    }


_FIELDS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "roads": {
            "road_class": "String",
            "name": "String",
            "tunnel": "Boolean",
            "bridge": "Boolean",
            "oneway": "Number",
        },
        "land": {"kind": "String", "name": "String"},
        "buildings": {
            "kind": "String",
            "storeys": "Number",
            "name": "String",
            "block": "Boolean",
        },
        "grids": {"rank": "Number", "code": "String", "name": "String", "kind": "String"},
        "borders": {"level": "Number"},
    }
)
