"""Layers over HTTP: GeoJSON where geometry goes out, and figures for the grids of a level.

Layers change seldom: each carries a tag, and whoever holds it is answered 304 without a body.
"""

import hashlib
from typing import Annotated, Any, Final

from fastapi import Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter
from starlette.background import BackgroundTask

from gis_service.api import examples
from gis_service.api.dependencies import (
    ActorDep,
    At,
    BboxDep,
    ConnectionDep,
    Days,
    IdPath,
    LanguageDep,
    Name,
    Rank,
    SchemeCode,
    Words,
    Zoom,
)
from gis_service.api.etags import ASK_FIRST, send_tagged
from gis_service.api.geojson import Layer
from gis_service.api.routing import ServiceRouter
from gis_service.grids.reading import find_scheme
from gis_service.maps.figures import figures as themes
from gis_service.maps.page import layers
from gis_service.maps.page.answer_cache import (
    CachedAnswer,
    find_answer,
    matches_etag,
    question_of,
    store_answer,
)

router = ServiceRouter(prefix="/api/layers", tags=["maps"])
_figures = TypeAdapter(themes.MapFigures)


class _GeoJson(JSONResponse):
    """Text that is GeoJSON already; a response of JSON, so that its model is described."""

    media_type = "application/geo+json"

    def render(self, content: bytes) -> bytes:
        return content


_LAYER: Final[dict[str, Any]] = {
    "responses": examples.ok(examples.FEATURES, _GeoJson.media_type),
    "response_class": _GeoJson,
    "response_model": Layer,
}


def _send_layer(request: Request, text: str) -> Response:
    body = text.encode()
    tag = f'W/"{hashlib.sha256(body).hexdigest()[:24]}"'
    headers = {"ETag": tag, "Cache-Control": ASK_FIRST}
    if matches_etag(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    return _GeoJson(body, headers=headers)


@router.get("/grids", **_LAYER)
def grids(
    request: Request,
    connection: ConnectionDep,
    rank: Rank,
    scheme: SchemeCode = "base",
    at: At = None,
    detail: Annotated[
        layers.Detail,
        Query(description="How finely borders are drawn; index is without them."),
    ] = "mid",
) -> Response:
    """Draw the grids of one level; simplified together, so that neighbours never part."""
    key = find_scheme(connection, scheme)
    cache: layers.GridLayerCache = request.app.state.grid_layers
    tag = layers.name_content(connection, key, rank, at, detail)
    weak = f'W/"{tag}"'
    body = b""
    if not matches_etag(request.headers.get("if-none-match"), weak):
        body = cache.get(connection, key, rank, at, detail)
    return send_tagged(request, body, weak, media_type=_GeoJson.media_type)


@router.get("/grids/{grid_id}", **_LAYER)
def grid(request: Request, connection: ConnectionDep, grid_id: IdPath, at: At = None) -> Response:
    """Draw one grid with every vertex."""
    return _send_layer(request, layers.draw_grid(connection, grid_id, at))


@router.get("/figures", responses=examples.ok(examples.FIGURES), response_model=themes.MapFigures)
def figures(
    request: Request,
    connection: ConnectionDep,
    actor: ActorDep,
    language: LanguageDep,
    rank: Rank,
    theme: Words,
    scheme: SchemeCode = "base",
    at: At = None,
) -> Response:
    """Give one figure for every grid of a level, with the classes of the legend."""
    key = find_scheme(connection, scheme)

    def make() -> bytes:
        map_figures = themes.compute_figures(
            connection, actor, key, rank=rank, theme=theme, at=at, language=language
        )
        return _figures.dump_json(map_figures)

    question = question_of("figures", actor, key.scheme_id, rank, theme, at, language)
    cache = request.app.state.answers
    return figures_answer(
        request, find_answer(connection, cache, question, make, in_store=at is None)
    )


def figures_answer(request: Request, cached: CachedAnswer) -> Response:
    """Send figures that were counted before, or nothing where the client holds them."""
    # Kept in a transaction of its own, when the answer is sent and its connection given back.
    then = BackgroundTask(store_answer, request.app.state.store, cached) if cached.unkept else None
    return send_tagged(request, cached.packed, f'W/"{cached.tag}"', then=then)


@router.get("/roads", **_LAYER)
def roads(request: Request, connection: ConnectionDep, bbox: BboxDep, zoom: Zoom = 11) -> Response:
    """Draw the roads that a map shows at this zoom; without a box the county's greater roads."""
    return _send_layer(request, layers.draw_roads(connection, bbox, zoom))


@router.get("/land", **_LAYER)
def land(request: Request, connection: ConnectionDep) -> Response:
    """Draw water, green and built-up land."""
    return _send_layer(request, layers.draw_land(connection))


@router.get("/buildings", **_LAYER)
def buildings(
    request: Request, connection: ConnectionDep, bbox: BboxDep, zoom: Zoom = 15
) -> Response:
    """Draw the buildings of a box from zoom 15 on."""
    return _send_layer(request, layers.draw_buildings(connection, bbox, zoom))


@router.get("/facilities", **_LAYER)
def facilities(request: Request, connection: ConnectionDep) -> Response:
    """Draw service points, stations and water sources."""
    return _send_layer(request, layers.draw_facilities(connection))


@router.get("/hazards", **_LAYER)
def hazards(
    request: Request, connection: ConnectionDep, actor: ActorDep, status: Name = None
) -> Response:
    """Draw the hazards that the actor may see."""
    return _send_layer(request, layers.draw_hazards(connection, actor, status))


@router.get("/incidents", **_LAYER)
def incidents(
    request: Request,
    connection: ConnectionDep,
    actor: ActorDep,
    status: Name = None,
    days: Days = None,
) -> Response:
    """Draw the incidents that the actor may see."""
    return _send_layer(request, layers.draw_incidents(connection, actor, status, days))


@router.get("/places", **_LAYER)
def places(request: Request, connection: ConnectionDep) -> Response:
    """Give the names of county, towns and villages to write on the map."""
    return _send_layer(request, layers.draw_place_names(connection))
