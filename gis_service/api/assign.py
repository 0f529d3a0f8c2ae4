"""A file of places in, the same file with its grids out: row by row, in order, as a stream."""

import json
import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.types import Send

from gis_service.access import Actor
from gis_service.access.permissions import LOCATE_FILES
from gis_service.api import examples
from gis_service.api.dependencies import ActorDep, At, LanguageDep, Name, SchemeCode
from gis_service.api.locate import System, read_system
from gis_service.errors import GisError, InputError, Place
from gis_service.grids.answers.sources import read_sources
from gis_service.grids.batch import files
from gis_service.grids.batch.rows import Options, Tally
from gis_service.ingest.kinds.gpkg_assign import assign_geopackage
from gis_service.ingest.readers.columns import find_coordinates
from gis_service.store import Store

_log = logging.getLogger(__name__)

router = APIRouter(prefix="/api", tags=["locate"])

MEDIA: Final = {
    "csv": "text/csv",
    "geojson": "application/geo+json",
    "ndjson": "application/x-ndjson",
    "gpkg": "application/geopackage+sqlite3",
}
_FILES: Final = examples.files(dict.fromkeys(MEDIA.values(), ""))
_SUFFIX: Final = {"csv": ".csv", "geojson": ".geojson", "ndjson": ".ndjson", "gpkg": ".gpkg"}
_KIND_OF_MEDIA: Final = {
    **{media: kind for kind, media in MEDIA.items()},
    "application/csv": "csv",
    "text/tab-separated-values": "csv",
    "application/json": "geojson",
    "application/ndjson": "ndjson",
    "application/json-seq": "ndjson",
    "application/jsonl": "ndjson",
    "application/geopackage+vnd.sqlite3": "gpkg",
}
_PIECE: Final = 1024 * 1024
_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": examples.FILE},
                }
            },
            **_FILES[200]["content"],
        },
    }
}


@router.post(
    "/assign",
    openapi_extra=_BODY,
    response_class=StreamingResponse,
    responses=_FILES,
)
async def assign(
    request: Request,
    actor: ActorDep,
    language: LanguageDep,
    crs: System = None,
    scheme: SchemeCode = "base",
    at: At = None,
    lon_column: Name = None,
    lat_column: Name = None,
    crs_column: Name = None,
    encoding: Annotated[str | None, Query(max_length=40)] = None,
    layer: Name = None,
) -> StreamingResponse:
    """
    Put its grid behind every row of a CSV, GeoJSON, NDJSON or GeoPackage.

    The file comes as the body or as the part `file` of a form, and goes back in the same format
    and order, with the grid's code and name, how it was found, outside every grid the nearest one
    with its distance, and for a refused row the reason. The header `X-Gis-Versions` names the
    versions; `X-Gis-Suggestion` another reading of the coordinates where most of the first rows
    lie outside as stated.
    """
    LOCATE_FILES.require(actor)
    options = Options(
        None if crs is None else read_system(crs),
        lon_column,
        lat_column,
        crs_column,
        encoding,
        find_coordinates,
        language,
    )
    folder = await run_sync(lambda: tempfile.TemporaryDirectory(prefix="gis-assign-"))
    try:
        name, kind = await _spool_upload(request, Path(folder.name))
        begun = await run_sync(
            _make_first_block, request.app.state.store, actor, Path(folder.name), kind, options,
            scheme, at, layer,
        )  # fmt: skip
    except BaseException:
        await run_sync(folder.cleanup)
        raise

    def stream() -> Iterator[bytes]:
        with folder:
            yield begun.first
            yield from begun.rest

    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}",
        "X-Gis-Versions": json.dumps(begun.versions),
    }
    if begun.suggestion is not None:
        headers["X-Gis-Suggestion"] = json.dumps(begun.suggestion)
    return _StreamedAnswer(stream(), media_type=MEDIA[kind], headers=headers)


class _StreamedAnswer(StreamingResponse):
    """Rows as they are made; where a later one cannot be read, the connection is cut."""

    async def stream_response(self, send: Send) -> None:
        """Send them; a body that does not end is how a client knows that it is not whole."""
        try:
            await super().stream_response(send)
        except GisError as error:
            _log.warning("a located file was cut off: %s", error)


@dataclass(frozen=True)
class _FirstBlock:
    """An answer whose first block is made, so that a wrong file is still refused with a status."""

    first: bytes
    rest: Iterator[bytes]
    versions: list[dict[str, object]]
    suggestion: object


def _make_first_block(
    store: Store,
    actor: Actor,
    folder: Path,
    kind: str,
    options: Options,
    scheme: str,
    at: date | None,
    layer: str | None,
) -> _FirstBlock:
    with store.transaction(actor) as connection:
        sources = read_sources(connection, scheme, at)
    tally = Tally()
    file = folder / f"in{_SUFFIX[kind]}"
    if kind == "gpkg":
        out = folder / "out.gpkg"
        assign_geopackage(file, out, sources, options, tally, layer)
        blocks = _read_pieces(out)
    else:
        blocks = files.answer_file(file, kind, sources, options, tally)
    first = b""
    for block in blocks:  # the header, and the block that shows whether the system fits
        first += block
        if tally.rows:
            break
    versions = [source.version for source in sources]
    return _FirstBlock(first, blocks, versions, tally.as_dict()["suggestion"])


def _read_pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while piece := stream.read(_PIECE):
            yield piece


async def _spool_upload(request: Request, folder: Path) -> tuple[str, str]:
    """Put what is uploaded into a file; give the name it goes back by, and its format."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().casefold()
    if media == "multipart/form-data":
        return await _spool_form(request, folder)
    kind = _KIND_OF_MEDIA.get(media)
    if kind is None:
        raise InputError("locate.no_media", media=media[:60] or "—", known=" ".join(MEDIA.values()))
    with (folder / f"in{_SUFFIX[kind]}").open("wb") as out:
        async for part in request.stream():
            await run_sync(out.write, part)
    return f"assigned{_SUFFIX[kind]}", kind


async def _spool_form(request: Request, folder: Path) -> tuple[str, str]:
    try:
        form = await request.form(max_files=1, max_fields=10)
    except HTTPException as error:
        raise InputError("locate.no_file", place=Place(field="file")) from error
    async with _Closing(form):
        upload = form.get("file")
        if not isinstance(upload, UploadFile) or not upload.filename:
            raise InputError("locate.no_file", place=Place(field="file"))
        name = Path(upload.filename.replace("\\", "/")).name[:100]
        kind = files.format_of(name)
        with (folder / f"in{_SUFFIX[kind]}").open("wb") as out:
            while part := await upload.read(_PIECE):
                await run_sync(out.write, part)
    return name, kind


class _Closing:
    """Close the files of a form in the end."""

    def __init__(self, form: Any) -> None:
        self._form = form

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, *_: object) -> None:
        await self._form.close()
