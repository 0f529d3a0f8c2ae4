"""The app: routers, errors, guard and compression put together around one store."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Route

from gis_service import __version__
from gis_service.api import (
    access,
    accounts,
    areas,
    arrivals,
    assign,
    base_maps,
    coverage,
    entry,
    examples,
    grids,
    guides,
    health,
    history,
    households,
    imports,
    incidents,
    jobs,
    keys,
    live,
    locate,
    maps,
    methods,
    open311,
    page,
    plain_pages,
    plans,
    problems,
    record,
    reports,
    search,
    sessions,
    sheets,
    tiles,
    trust,
)
from gis_service.api.admission import Admission
from gis_service.api.authentication import Authenticator, record_refusal
from gis_service.api.body_limit import BodyLimit
from gis_service.api.guard import Guard, find_host_names, is_loopback
from gis_service.api.request_ids import RequestIds
from gis_service.api.revalidating import RevalidatingCache
from gis_service.boundaries.plans.drafts import DraftCache
from gis_service.certificates import Certificate
from gis_service.coverage.areas.service import AreaService, find_area_folder
from gis_service.grids.answers.answering import AnswerService
from gis_service.maps.page.answer_cache import AnswerCache
from gis_service.maps.page.base_maps import BaseMaps
from gis_service.maps.page.layers import GridLayerCache
from gis_service.maps.tiles.tiles import TileCache
from gis_service.settings import base_map_settings, server_settings
from gis_service.snapshot import Snapshot
from gis_service.store import Store

ROUTERS = (
    locate,  # the first one that is looked at, since it is asked most
    access,
    accounts,
    base_maps,
    arrivals,
    areas,
    assign,
    coverage,
    entry,
    grids,
    guides,
    history,
    households,
    imports,
    incidents,
    jobs,
    keys,
    live,
    maps,
    open311,
    plans,
    tiles,
    record,
    reports,
    search,
    sessions,
    sheets,
    health,
    page,
    plain_pages,
    trust,
)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await app.state.live.close()
    app.state.checkup.close()


def create_app(
    store: Store, *, loopback_only: bool | None = None, certificate: Certificate | None = None
) -> FastAPI:
    """Make the service around a store; with a certificate it sends everybody to https."""
    settings = server_settings()
    bound = is_loopback(settings.host) if loopback_only is None else loopback_only
    app = FastAPI(
        title="gis_service 网格地图",
        version=__version__,
        description="Grids, coverage, incidents and maps of a county. Coordinates are CGCS2000 "
        "(EPSG:4490) degrees, longitude first.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
    )
    store = store.under("page")
    app.state.store = store
    app.state.certificate = certificate
    app.state.snapshot = Snapshot()
    app.state.revalidating = RevalidatingCache()
    app.state.authenticator = Authenticator(store, app.state.revalidating)
    app.state.answer_service = AnswerService(store, app.state.snapshot)
    app.state.areas = AreaService(app.state.snapshot, find_area_folder())
    app.state.drafts = DraftCache()
    app.state.grid_layers = GridLayerCache()
    app.state.tiles = TileCache()
    app.state.answers = AnswerCache()
    app.state.base_maps = BaseMaps(base_map_settings())
    app.state.base_map_client = None
    app.state.live = live.LiveHub(store)
    app.state.checkup = health.Checkup(store)
    problems.install(app, record_refusal)
    for room in ROUTERS:
        app.include_router(room.router, responses=examples.problems())
    page.mount_files(app)
    # Asked most and in the greatest hurry: found before any other route is looked at. The router
    # keeps the same one for the description of the API.
    quick = Route("/api/locate", locate.locate_points, methods=["POST"], include_in_schema=False)
    described = [route for room in ROUTERS for route in room.router.routes]
    app.router.routes[:0] = [quick, *methods.make_refusals(described)]
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)
    app.add_middleware(Admission)
    app.add_middleware(BodyLimit)
    names = find_host_names(certificate, loopback_only=bound)
    app.add_middleware(Guard, host_names=names, certificate=certificate)
    app.add_middleware(RequestIds)
    return app
