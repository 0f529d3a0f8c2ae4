"""Vector tiles over HTTP, for our own page and for any other client that reads TileJSON.

An address that names the state of the data may be kept for ever; one without it is asked again.
"""

from typing import Annotated, Any, Final

from fastapi import Path, Query, Request, Response

from gis_service.access.actor import VISITOR
from gis_service.api import examples
from gis_service.api.dependencies import (
    At,
    ConnectionDep,
    RankOrNone,
    SchemeCode,
    StoreDep,
    TilePart,
)
from gis_service.api.etags import send_tagged, strong_tag
from gis_service.api.routing import ServiceRouter
from gis_service.maps.sheets import sheet
from gis_service.maps.tiles import tile_sets, tiles

FOR_EVER: Final = "public, max-age=31536000, immutable"
ASK_FIRST: Final = "public, no-cache"

router = ServiceRouter(prefix="/api/tiles", tags=["tiles"])

Layer = Annotated[
    str, Path(max_length=40, examples=["ground"], description=", ".join(tile_sets.LAYERS))
]
Content = Annotated[
    str | None,
    Query(alias="v", max_length=100, description="The state of the data, as TileJSON names it."),
]
_TILE_JSON: Final = {
    "tilejson": "3.0.0",
    "name": "county",
    "scheme": "xyz",
    "tiles": ["/api/tiles/county/{z}/{x}/{y}.pbf?scheme=base&rank=3&at=2026-01-01&v=1-1-2-17"],
    "minzoom": 0,
    "maxzoom": tiles.MAX_ZOOM,
    "version": "1.0.0",
    "bounds": [112.7, 28.5, 113.1, 28.9],
    "vector_layers": [
        {"id": "borders", "fields": {"level": "Number"}, "minzoom": 0, "maxzoom": tiles.MAX_ZOOM}
    ],
}
_tile: Final = {
    **examples.files({tiles.CONTENT_TYPE: "a Mapbox vector tile"}),
    204: {"description": "Nothing is there."},
    304: {"description": "The client holds it."},
}


@router.get("/{layer}.json", responses=examples.ok(_TILE_JSON))
def tile_json(
    connection: ConnectionDep,
    layer: Layer,
    scheme: SchemeCode = "base",
    rank: RankOrNone = None,
    at: At = None,
) -> dict[str, Any]:
    """Describe the tiles of a layer as TileJSON; grids by scheme, level and day."""
    tile_set = tile_sets.find_tile_set(connection, layer, scheme=scheme, rank=rank, at=at)
    box = (
        None
        if tile_set.scheme is None
        else sheet.find_county(connection, tile_set.scheme.code).bbox
    )
    return tiles.describe_tiles(tile_set, box)


@router.get("/{layer}/{z}/{x}/{y}.pbf", responses=_tile, response_class=Response)
def tile(
    request: Request,
    store: StoreDep,
    layer: Layer,
    z: TilePart,
    x: TilePart,
    y: TilePart,
    scheme: SchemeCode = "base",
    rank: RankOrNone = None,
    at: At = None,
    content: Content = None,
) -> Response:
    """Give one tile (MVT); no household, officer or trouble is ever in it."""
    tiles.check_place(z, x, y)
    cache: tiles.TileCache = request.app.state.tiles
    cached = cache.find((tile_sets.key_of(layer, rank), content, z, x, y))
    if cached is not None:
        return _send_tile(request, cached, FOR_EVER)
    # Tiles are the same for everybody, so nobody is asked for first.
    with store.transaction(VISITOR) as connection:
        tile_set = tile_sets.find_tile_set(connection, layer, scheme=scheme, rank=rank, at=at)
        body = tiles.find_tile(connection, cache, tile_set, z, x, y)
    return _send_tile(request, body, FOR_EVER if content == tile_set.content else ASK_FIRST)


def _send_tile(request: Request, body: tiles.TileBody, keep: str) -> Response:
    tag = strong_tag(request, body.tag)
    return send_tagged(request, body.packed, tag, media_type=tiles.CONTENT_TYPE, keep=keep)
