"""Vector tiles of the whole county at every zoom: roads, land, buildings, grids and their borders.

PostGIS cuts them; grids are cut from shapes that were simplified together, once for each version.
A tile is kept by layer, state of the data and place. Never a household, officer, hazard or
incident: a tile goes to anybody who may see the map.
"""

import gzip
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
import shapely
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from gis_service.errors import NotFoundError
from gis_service.geodesy import GeometryArray
from gis_service.grids.answers.tallies import read_parents
from gis_service.grids.reading import SchemeKey, find_scheme, find_version_on, on_day
from gis_service.maps.page.layers import road_classes
from gis_service.maps.tiles.generalise import borders, chains_of, dissolved, simplified
from gis_service.store import tables as t
from gis_service.store import tiles as sql
from gis_service.store.bulk import copy_rows

MAX_ZOOM: Final = 16
"""Above it a client draws the tiles of this zoom larger; they hold every vertex to 8 cm."""

TILE_PIXELS: Final = 512
MOST_BYTES: Final = 300_000
"""Of a tile as it is drawn from, not as it travels (compressed it is about half)."""

FORM: Final = 1
"""Counted up whenever tiles are cut in another way, so that none of the old ones is used."""

CONTENT_TYPE: Final = "application/vnd.mapbox-vector-tile"
NO_CONTENT: Final = "none"
NAMES_FROM: Final = 10
BUILDINGS_FROM: Final = 13
_SHAPE_ZOOMS: Final = range(7, 15)
_WHOLE_ROADS_FROM: Final = 13
_THINNER: Final = (1.0, 0.6, 0.35, 0.2, 0.1, 0.05)
_MOST_FEATURES: Final = 40_000
_COUNTS_OF: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "roads": ("road_edge", "road_network"),
        "land": ("land_cover",),
        "buildings": ("building_shape",),
    }
)
GROUND: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "roads": ("roads",),
        "land": ("land",),
        "buildings": ("buildings",),
        "ground": ("land", "buildings", "roads"),
    }
)
"""Layer in the address to the layers in its tiles, which are the same for every scheme and day."""

SCHEME: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"grids": ("grids",), "borders": ("borders",), "county": ("grids", "borders")}
)
"""The same for layers that show a scheme on a day."""

LAYERS: Final = (*GROUND, *SCHEME)


@dataclass(frozen=True)
class TileSet:
    """The tiles of one layer in one state of the data."""

    # One of ``LAYERS``.
    layer: str
    # Names the state: another one whenever a tile could look different.
    content: str
    # Of a layer of grids; day None is today.
    scheme: SchemeKey | None = None
    rank: int = 0
    day: date | None = None

    @property
    def key(self) -> str:
        """The name under which tiles are kept."""
        return key_of(self.layer, self.rank)


def key_of(layer: str, rank: int | None) -> str:
    """
    Name the tiles of a layer.

    Parameters
    ----------
    layer
        One of ``LAYERS``.
    rank
        Which level; None or 0 where there is none.

    Returns
    -------
    str
        The name under which they are kept.
    """
    return f"{layer}.{rank}" if rank else layer


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
        self._held = 0
        self._tiles: OrderedDict[tuple[Any, ...], TileBody] = OrderedDict()
        self._states: dict[str, str] = {}
        self._lock = threading.Lock()

    def is_news(self, layer: str, content: str) -> bool:
        """Tell once that a layer shows another state of the data."""
        with self._lock:
            is_news = self._states.get(layer) != content
            self._states[layer] = content
            return is_news

    def find(self, key: tuple[Any, ...]) -> TileBody | None:
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
            found = self._tiles.get(key)
            if found is not None:
                self._tiles.move_to_end(key)
            return found

    def keep(self, key: tuple[Any, ...], body: TileBody) -> None:
        """
        Hold a tile, and forget the ones not asked for longest.

        Parameters
        ----------
        key
            Layer, content, z, x, y.
        body
            The tile.
        """
        with self._lock:
            if key not in self._tiles:
                self._held += len(body.packed) + 200
            self._tiles[key] = body
            while self._held > self._most:
                _, gone = self._tiles.popitem(last=False)
                self._held -= len(gone.packed) + 200


def tile_set(
    connection: sa.Connection,
    layer: str,
    *,
    scheme: str = "base",
    rank: int | None = None,
    at: date | None = None,
) -> TileSet:
    """
    Name the present tiles of a layer.

    Parameters
    ----------
    connection
        An open transaction.
    layer
        One of ``LAYERS``.
    scheme, rank, at
        For grids and borders: which scheme, which level (None is the lowest that tessellates) and
        which day (None is today).

    Returns
    -------
    TileSet
        With the state of the data as it is now.

    Raises
    ------
    NotFoundError
        There is no such layer, scheme or level.
    """
    if layer in GROUND:
        names = sorted({name for part in GROUND[layer] for name in _COUNTS_OF[part]})
        counts = sql.counts(connection, names)
        state = "-".join(str(counts[name]) for name in names)
        return TileSet(layer, f"{FORM}-{state}")
    if layer not in SCHEME:
        raise NotFoundError("tiles.no_layer", layer=layer[:40], known=", ".join(LAYERS))
    found = find_scheme(connection, scheme)
    wanted = rank or found.base_rank
    level = t.grid_level.c
    known = sa.select(level.rank).where(level.scheme_id == found.scheme_id, level.rank == wanted)
    if connection.scalar(known) is None:
        raise NotFoundError("grids.no_level", scheme=found.code, rank=wanted)
    version = find_version_on(connection, found.scheme_id, at)
    content = NO_CONTENT
    if version is not None:
        published = f"{version[1].timestamp():.6f}".replace(".", "")
        content = f"{FORM}-{found.scheme_id}-{version[0].version_id}-{published}"
    return TileSet(layer, content, found, wanted, at)


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


def tile(
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
    held = cache.find(key)
    if held is None:
        packed = _kept(connection, key)
        if packed is None:
            plain = cut_tile(connection, tiles, z, x, y)
            packed = gzip.compress(plain, 6, mtime=0) if plain else b""
            if tiles.layer in GROUND and cache.is_news(tiles.key, tiles.content):
                _forget_others(connection, tiles)
            if packed:  # of what is empty there is no end
                _keep(connection, key, packed)
        held = TileBody(packed, hashlib.sha256(packed).hexdigest()[:24])
        cache.keep(key, held)
    return held


def _kept(connection: sa.Connection, key: tuple[Any, ...]) -> bytes | None:
    kept = t.tile.c
    columns = (kept.layer, kept.content, kept.z, kept.x, kept.y)
    query = sa.select(kept.body).where(
        *(column == value for column, value in zip(columns, key, strict=True))
    )
    body = connection.scalar(query)
    return None if body is None else bytes(body)


def _forget_others(connection: sa.Connection, tiles: TileSet) -> None:
    """Take the tiles of states of the ground that are gone along."""
    kept = t.tile.c
    connection.execute(
        sa.delete(t.tile).where(kept.layer == tiles.key, kept.content != tiles.content)
    )


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
    kept, shape, state = t.tile.c, t.tile_shape.c, t.grid_scheme.c
    size = sa.select(sa.func.coalesce(sa.func.sum(sa.func.octet_length(kept.body)), 0))
    if (connection.scalar(size) or 0) <= most_bytes:
        return
    codes = connection.scalars(sa.select(state.code)).all()
    present = [tile_set(connection, "grids", scheme=code).content for code in codes]
    of_scheme = kept.layer.regexp_match(f"^({'|'.join(SCHEME)})([.]|$)")
    connection.execute(sa.delete(t.tile).where(of_scheme, kept.content.not_in(present)))
    connection.execute(sa.delete(t.tile_shape).where(shape.content.not_in(present)))
    if (connection.scalar(size) or 0) > most_bytes:
        connection.execute(sa.delete(t.tile))


def _keep(connection: sa.Connection, key: tuple[Any, ...], packed: bytes) -> None:
    layer, content, z, x, y = key
    connection.execute(
        insert(t.tile)
        .values(layer=layer, content=content, z=z, x=x, y=y, body=packed)
        .on_conflict_do_nothing()
    )


def cut_tile(connection: sa.Connection, tiles: TileSet, z: int, x: int, y: int) -> bytes:
    """Cut a tile from the tables."""
    sql.settle(connection)
    if tiles.layer in GROUND:
        parts = GROUND[tiles.layer]
        share = MOST_BYTES // len(parts)
        return b"".join(_cut_ground(connection, part, z, x, y, share) for part in parts)
    if tiles.content == NO_CONTENT or tiles.scheme is None:
        return b""
    zoom = min(max(z, _SHAPE_ZOOMS[0]), _SHAPE_ZOOMS[-1])
    ensure_shapes(connection, tiles, zoom)
    place = {"z": z, "x": x, "y": y, "content": tiles.content, "shape_zoom": zoom}
    cut = {
        "grids": partial(
            sql.cut, connection, "grids", **place,
            rank=tiles.rank, day=tiles.day, named=z >= NAMES_FROM,
        ),
        "borders": partial(sql.cut, connection, "borders", **place, lowest=tiles.rank),
    }  # fmt: skip
    return b"".join(cut[part]() for part in SCHEME[tiles.layer])


def pixel_degrees(z: int) -> float:
    """Say how wide a pixel is."""
    return float(360 / TILE_PIXELS / 2**z)


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
        return sql.cut(connection, "roads", **values, classes=classes, most=most)
    fewer = max(1, round(len(classes) * most / _MOST_FEATURES))
    return sql.cut(connection, "greater_roads", **values, classes=classes[:fewer])


def _cut_land(connection: sa.Connection, z: int, x: int, y: int, most: int) -> bytes:
    return sql.cut(connection, "land", z=z, x=x, y=y, pixel=pixel_degrees(z), most=most)


def _cut_buildings(connection: sa.Connection, z: int, x: int, y: int, most: int) -> bytes:
    if z < BUILDINGS_FROM:
        return b""
    pixel = pixel_degrees(z)
    values = {"z": z, "x": x, "y": y, "pixel": pixel, "most": most}
    if z == BUILDINGS_FROM:
        return sql.cut(connection, "blocks", **values)
    least = pixel * pixel if z == BUILDINGS_FROM + 1 else 0.0
    return sql.cut(connection, "buildings", **values, least_area=least)


_GROUND_CUTS: Final[Mapping[str, Callable[[sa.Connection, int, int, int, int], bytes]]] = (
    MappingProxyType({"roads": _cut_roads, "land": _cut_land, "buildings": _cut_buildings})
)


@dataclass(frozen=True)
class Faces:
    """
    A scheme on a day with every vertex.

    Attributes
    ----------
    shapes
        Of the lowest level that tessellates.
    chains
        A row a shape: grid ids from the top level down to itself.
    loose
        Rows of levels that do not tessellate.
    """

    shapes: GeometryArray
    chains: npt.NDArray[np.int64]
    loose: Sequence[Any]


def prepare(connection: sa.Connection) -> int:
    """
    Simplify every scheme as it stands today, so that no reader waits for it.

    Parameters
    ----------
    connection
        An open transaction.

    Returns
    -------
    int
        Schemes that lacked shapes.
    """
    scheme, version = t.grid_scheme.c, t.grid_version.c
    codes = connection.scalars(
        sa.select(scheme.code)
        .where(sa.exists().where(version.scheme_id == scheme.scheme_id))
        .order_by(scheme.scheme_id)
    ).all()
    return sum(
        ensure_shapes(connection, tile_set(connection, "grids", scheme=code), *_SHAPE_ZOOMS)
        for code in codes
    )


def ensure_shapes(connection: sa.Connection, tiles: TileSet, *zooms: int) -> bool:
    """Make the shapes of a version for some zooms, unless they are there."""
    if tiles.scheme is None or tiles.content == NO_CONTENT:
        return False
    missing = [zoom for zoom in zooms if not _has_shapes(connection, tiles, zoom)]
    if not missing:
        return False
    sql.lock_content(connection, f"{tiles.content}/{missing[0]}")
    faces = _faces(connection, tiles.scheme, tiles.day)
    for zoom in missing:
        if not _has_shapes(connection, tiles, zoom):
            _write_shapes(connection, tiles.content, zoom, faces)
    return True


def _has_shapes(connection: sa.Connection, tiles: TileSet, zoom: int) -> bool:
    shape = t.tile_shape.c
    there = sa.select(sa.literal(1)).where(shape.content == tiles.content, shape.zoom == zoom)
    return connection.scalar(there.limit(1)) is not None


def _faces(connection: sa.Connection, scheme: SchemeKey, day: date | None) -> Faces:
    state, level = t.grid_state.c, t.grid_level.c
    needed = sa.or_(state.rank == scheme.base_rank, ~level.tessellates)
    rows = connection.execute(
        sa.select(
            state.grid_id,
            state.rank,
            level.tessellates,
            sa.func.ST_AsBinary(state.geom).label("wkb"),
        )
        .join(t.grid_level, (level.scheme_id == state.scheme_id) & (level.rank == state.rank))
        .where(state.scheme_id == scheme.scheme_id, on_day(state.valid, day), needed)
        .order_by(state.grid_id)
    ).all()
    lowest = [row for row in rows if row.rank == scheme.base_rank]
    tree = read_parents(connection, scheme, day)
    chains = chains_of([row.grid_id for row in lowest], tree, scheme.base_rank)
    return Faces(_shapes_of(lowest), chains, [row for row in rows if not row.tessellates])


def _write_shapes(connection: sa.Connection, content: str, zoom: int, faces: Faces) -> None:
    finest = zoom == _SHAPE_ZOOMS[-1]
    drawn = simplified(faces.shapes, 0.0 if finest else pixel_degrees(zoom))
    # What need not tile, such as a stairwell within its house, is drawn as it is.
    ids: list[int | None] = [row.grid_id for row in faces.loose]
    ranks: list[int] = [row.rank for row in faces.loose]
    shapes: list[Any] = list(_shapes_of(faces.loose))
    for rank, chain in enumerate(faces.chains.T, start=1):
        above, parts = dissolved(drawn, chain)
        ids += above.tolist()
        ranks += [rank] * len(above)
        shapes += list(parts)
    for divides, line in borders(drawn, faces.chains):
        ids.append(None)
        ranks.append(divides)
        shapes.append(line)
    copy_rows(
        connection,
        t.tile_shape,
        {
            "content": [content] * len(ids),
            "zoom": [zoom] * len(ids),
            "rank": ranks,
            "grid_id": ids,
            "geom": np.array([*shapes, None], dtype=object)[:-1],
        },
    )


def _shapes_of(rows: Sequence[Any]) -> Any:
    return shapely.from_wkb(np.array([bytes(row.wkb) for row in rows], dtype=object))


def tile_json(tiles: TileSet, bbox: tuple[float, float, float, float] | None) -> dict[str, Any]:
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
