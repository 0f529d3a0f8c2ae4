"""The page itself and the files it loads: our own from ``web``, libraries from npm, all from here.

Only named folders and named files are served. A file asked for by the hash of its content may be
kept for ever; else the browser asks whether it has changed.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.types import Scope

from gis_service.api.dependencies import CallerDep, ConnectionDep, LanguageDep
from gis_service.api.offers import describe_caller
from gis_service.api.routing import ServiceRouter
from gis_service.grids import reading, versions
from gis_service.maps.page.grid_map import PageContext, content_policy, render_page
from gis_service.maps.page.vendor import compress_file, scripts_hash, vendor_file
from gis_service.maps.sheets import sheet
from gis_service.messages import WEB_DIR

FOLDERS: Final = ("css", "messages")
HASH: Final = re.compile("[0-9a-f]{12}")
FOR_EVER: Final = "public, max-age=31536000, immutable"
ASK_FIRST: Final = "no-cache"

FIRST_PAGES: Final[Mapping[str, str]] = {
    "administrator": "/people?",
    "auditor": "/record?",
    "dispatcher": "/?mode=dispatch&",
}
"""Where whoever signs in begins, by role; the others begin on the map."""

router = ServiceRouter(include_in_schema=False)
_libraries = StaticFiles(directory=WEB_DIR, check_dir=False)


def _cache_control(versioned: bool) -> str:
    return FOR_EVER if versioned else ASK_FIRST


class VersionedFiles(StaticFiles):
    """Files of one folder; ``?v=`` in the address makes them immutable."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Serve a file with what the browser may keep of it."""
        response = await super().get_response(path, scope)
        if response.status_code in {200, 304}:
            response.headers["Cache-Control"] = _cache_control(b"v=" in scope["query_string"])
        return response


@router.get("/", response_class=HTMLResponse)
def read_page(
    request: Request, connection: ConnectionDep, caller: CallerDep, language: LanguageDep
) -> Response:
    """Give the map; whoever has just signed in, or names no view, begins where the role does."""
    first = FIRST_PAGES.get(caller.actor.role)
    if "first" in request.query_params or (first and not request.query_params):
        return RedirectResponse(f"{first or '/?'}lang={language}", 303)
    schemes = reading.list_schemes(connection)
    county = sheet.find_county(connection) if any(scheme.is_base for scheme in schemes) else None
    context = PageContext(
        language=language,
        actor=describe_caller(connection, caller),
        county=None if county is None else {**asdict(county), "name_en": county.name},
        schemes=[jsonable_encoder(scheme) for scheme in schemes],
        today=versions.today(connection),
        base_maps=[asdict(base_map) for base_map in request.app.state.base_maps.offered()],
    )
    document = render_page(context)
    headers = {
        "Content-Security-Policy": content_policy(document),
        "Cache-Control": "no-store",
        "Content-Language": language,
    }
    return HTMLResponse(document, headers=headers)


@router.get("/vendor/{name}")
def vendor(name: str, request: Request) -> Response:
    """Give a library's file, if the page uses it and the browser does not hold it."""
    file = vendor_file(name)
    response: Response = _libraries.file_response(file, file.stat(), request.scope)
    if response.status_code == 200 and "gzip" in request.headers.get("accept-encoding", ""):
        # A library of a megabyte is compressed once, not for everybody who opens the page.
        names = ("content-type", "etag", "last-modified")
        headers = {name: response.headers[name] for name in names}
        response = Response(compress_file(file), headers={**headers, "Content-Encoding": "gzip"})
    response.headers["Cache-Control"] = _cache_control("v" in request.query_params)
    response.headers["Vary"] = "Accept-Encoding"
    return response


class Scripts(StaticFiles):
    """Our scripts, each also below the hash of them all: ``HASH/main.js``."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Serve a script; who asks by an earlier hash gets the present one, and asks again."""
        folder, _, name = path.rpartition("/")
        response = await super().get_response(name if HASH.fullmatch(folder) else path, scope)
        if response.status_code in {200, 304}:
            response.headers["Cache-Control"] = _cache_control(folder == scripts_hash())
        return response


def mount_files(app: FastAPI) -> None:
    """Serve the folders of ``web`` that a browser needs, and no other."""
    scripts = Scripts(directory=WEB_DIR / "js", check_dir=False)
    app.mount("/static/js", scripts, name="static-js")
    for folder in FOLDERS:
        files = VersionedFiles(directory=WEB_DIR / folder, check_dir=False)
        app.mount(f"/static/{folder}", files, name=f"static-{folder}")
