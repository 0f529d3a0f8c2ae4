"""Which tiles there are: layers, and the state of the data that their address names."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Final

import sqlalchemy as sa

from gis_service.errors import NotFoundError
from gis_service.grids.reading import SchemeKey, find_scheme, find_version_on
from gis_service.maps.tiles import queries
from gis_service.store import tiles as sql

FORM: Final = 1
"""Counted up whenever tiles are cut in another way, so that none of the old ones is used."""

NO_CONTENT: Final = "none"
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


def find_tile_set(
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
        counts = sql.count_changes(connection, names)
        state = "-".join(str(counts[name]) for name in names)
        return TileSet(layer, f"{FORM}-{state}")
    if layer not in SCHEME:
        raise NotFoundError("tiles.no_layer", layer=layer[:40], known=", ".join(LAYERS))
    scheme_key = find_scheme(connection, scheme)
    chosen_rank = rank or scheme_key.base_rank
    if not queries.has_level(connection, scheme_key.scheme_id, chosen_rank):
        raise NotFoundError("grids.no_level", scheme=scheme_key.code, rank=chosen_rank)
    version = find_version_on(connection, scheme_key.scheme_id, at)
    content = NO_CONTENT
    if version is not None:
        published = f"{version[1].timestamp():.6f}".replace(".", "")
        content = f"{FORM}-{scheme_key.scheme_id}-{version[0].version_id}-{published}"
    return TileSet(layer, content, scheme_key, chosen_rank, at)
