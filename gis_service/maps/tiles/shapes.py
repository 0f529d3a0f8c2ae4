"""Shapes of grids for each zoom: a version simplified as a whole, once, and kept.

Tiles of grids and borders are cut from them, so that neighbours never part.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely
import sqlalchemy as sa

from gis_service.geodesy import GeometryArray
from gis_service.grids.answers.queries import read_parents
from gis_service.grids.reading import SchemeKey
from gis_service.maps.tiles import queries
from gis_service.maps.tiles.generalise import dissolve, find_borders, find_chains, simplify
from gis_service.maps.tiles.tile_sets import NO_CONTENT, TileSet, find_tile_set
from gis_service.store import tiles as sql
from gis_service.store.bulk import copy_rows
from gis_service.store.tables import tile_shape

TILE_PIXELS: Final = 512
SHAPE_ZOOMS: Final = range(7, 15)


def pixel_degrees(z: int) -> float:
    """Say how wide a pixel is."""
    return float(360 / TILE_PIXELS / 2**z)


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


def prepare_shapes(connection: sa.Connection) -> int:
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
    codes = queries.read_published_scheme_codes(connection)
    return sum(
        ensure_shapes(connection, find_tile_set(connection, "grids", scheme=code), *SHAPE_ZOOMS)
        for code in codes
    )


def ensure_shapes(connection: sa.Connection, tiles: TileSet, *zooms: int) -> bool:
    """Make the shapes of a version for some zooms, unless they are there."""
    if tiles.scheme is None or tiles.content == NO_CONTENT:
        return False
    missing = [zoom for zoom in zooms if not queries.has_shapes(connection, tiles.content, zoom)]
    if not missing:
        return False
    sql.lock_content(connection, f"{tiles.content}/{missing[0]}")
    faces = _read_faces(connection, tiles.scheme, tiles.day)
    for zoom in missing:
        if not queries.has_shapes(connection, tiles.content, zoom):
            _write_shapes(connection, tiles.content, zoom, faces)
    return True


def _read_faces(connection: sa.Connection, scheme: SchemeKey, day: date | None) -> Faces:
    rows = queries.read_faces(connection, scheme.scheme_id, scheme.base_rank, day)
    lowest = [row for row in rows if row.rank == scheme.base_rank]
    tree = read_parents(connection, scheme, day)
    chains = find_chains([row.grid_id for row in lowest], tree, scheme.base_rank)
    return Faces(_shapes_of(lowest), chains, [row for row in rows if not row.tessellates])


def _write_shapes(connection: sa.Connection, content: str, zoom: int, faces: Faces) -> None:
    finest = zoom == SHAPE_ZOOMS[-1]
    simple = simplify(faces.shapes, 0.0 if finest else pixel_degrees(zoom))
    # What need not tile, such as a stairwell within its house, is drawn as it is.
    ids: list[int | None] = [row.grid_id for row in faces.loose]
    ranks: list[int] = [row.rank for row in faces.loose]
    shapes: list[Any] = list(_shapes_of(faces.loose))
    for rank, chain in enumerate(faces.chains.T, start=1):
        above, parts = dissolve(simple, chain)
        ids += above.tolist()
        ranks += [rank] * len(above)
        shapes += list(parts)
    for divides, line in find_borders(simple, faces.chains):
        ids.append(None)
        ranks.append(divides)
        shapes.append(line)
    copy_rows(
        connection,
        tile_shape,
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
