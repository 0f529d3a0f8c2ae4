"""Base maps over HTTP: what may be chosen, and tiles of other servers by way of this one.

Off unless a setting names one. The page may load from its own server only, and so it does.
"""

from dataclasses import asdict
from typing import Annotated, Any, Final

import httpx
from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import FileResponse

from gis_service.api import examples
from gis_service.api.dependencies import TilePart
from gis_service.errors import NotFoundError
from gis_service.maps.page import base_maps
from gis_service.settings import base_map_settings

A_DAY: Final = "private, max-age=86400"
router = APIRouter(prefix="/api/base", tags=["maps"])
_EXAMPLE: Final = {
    "key": "tianditu_vec",
    "name": "",
    "attribution": "天地图",
    "max_zoom": 18,
    "tiles": ["/api/base/tianditu/vec/{z}/{x}/{y}", "/api/base/tianditu/cva/{z}/{x}/{y}"],
    "archive": "",
}
_picture: Final = {
    **examples.files({"image/png": "a PNG"}),
    502: {"description": "The other server did not answer as it should."},
}


@router.get("", responses=examples.ok([_EXAMPLE]))
def offered(request: Request) -> list[dict[str, Any]]:
    """List the base maps that the settings name; none by default."""
    return [asdict(base_map) for base_map in _get_base_maps(request).offered()]


@router.get("/tianditu/{layer}/{z}/{x}/{y}", responses=_picture, response_class=Response)
async def tianditu(
    request: Request,
    layer: Annotated[str, Path(max_length=10)],
    z: TilePart,
    x: TilePart,
    y: TilePart,
) -> Response:
    """Give a tile of 天地图; the key stays on this server."""
    return await _fetch_tile(request, base_maps.TIANDITU, layer, z, x, y)


@router.get("/county/{z}/{x}/{y}", responses=_picture, response_class=Response)
async def county(request: Request, z: TilePart, x: TilePart, y: TilePart) -> Response:
    """Give a tile of the county's own base map."""
    return await _fetch_tile(request, base_maps.COUNTY, "", z, x, y)


@router.get(
    "/county.pmtiles",
    response_class=Response,
    responses=examples.files({"application/vnd.pmtiles": "bytes of a PMTiles archive"}),
)
def archive(request: Request) -> Response:
    """Give a part (Range) of the county's own archive of tiles."""
    file = _get_base_maps(request).archive
    if file is None:
        raise NotFoundError("map.base_not_configured")
    # Compressed on the way, the byte ranges of an archive would mean something else.
    headers = {"Cache-Control": "private, no-cache", "Content-Encoding": "identity"}
    return FileResponse(file, media_type="application/vnd.pmtiles", headers=headers)


def _get_base_maps(request: Request) -> base_maps.BaseMaps:
    maps: base_maps.BaseMaps = request.app.state.base_maps
    return maps


async def _fetch_tile(
    request: Request, source: str, layer: str, z: int, x: int, y: int
) -> Response:
    maps = _get_base_maps(request)
    address = maps.address(source, layer, z, x, y)
    picture = await maps.picture(_get_client(request), address)
    return Response(picture.body, media_type=picture.kind, headers={"Cache-Control": A_DAY})


def _get_client(request: Request) -> httpx.AsyncClient:
    """Keep one client a process: a new connection for each tile would be slow."""
    state = request.app.state
    if state.base_map_client is None:
        state.base_map_client = base_maps.client(base_map_settings())
    client: httpx.AsyncClient = state.base_map_client
    return client
