"""Files over HTTP: handed in, tried without writing, taken in as a job, and what was refused.

A file is sent first and stays under a name drawn by lot; a trial and the import itself name it.
"""

import json
from collections.abc import Iterator
from typing import Annotated, Any, Final

from fastapi import Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from gis_service import job_queries
from gis_service.access import Actor, record
from gis_service.access.permissions import IMPORT
from gis_service.api import examples
from gis_service.api.dependencies import (
    ActorDep,
    ConnectionDep,
    IdPath,
    LanguageDep,
    Page,
    PagingDep,
    RecordingDep,
    RequestBody,
    StoreDep,
    make_page,
)
from gis_service.api.jobs import JobAnswer
from gis_service.api.routing import ServiceRouter
from gis_service.coordinate_systems import CoordinateSystem, parse_crs
from gis_service.errors import InputError, NotFoundError, Place
from gis_service.ingest import importing, uploads
from gis_service.ingest.kinds.kind import ImportKind, ImportOptions
from gis_service.ingest.readers.file_table import SUFFIXES
from gis_service.ingest.writing import past_imports as records
from gis_service.messages import Language, text
from gis_service.records.wording import find_column_name, find_text
from gis_service.settings import import_settings
from gis_service.store import Store

router = ServiceRouter(prefix="/api/imports", tags=["imports"])

_PIECE: Final = 1024 * 1024
_CSV: Final = "text/csv; charset=utf-8"
_UPLOAD: Final = {"token": "9f1c6b0de2a84f7c8f1d2a3b4c5d6e7f", "name": "房屋.csv", "size": 48213}

Text = Annotated[str, Field(max_length=200)]


class ImportFieldAnswer(BaseModel):
    """A column that a file may have."""

    name: str
    title: str
    needed: bool


class ImportKindAnswer(BaseModel):
    """A kind of file: its fields, whether it needs places, and the options of its own."""

    name: str
    title: str
    about: str
    geometry: str
    has_key: bool
    fields: list[ImportFieldAnswer]
    extra: dict[str, str]
    suffixes: list[str]


class KindsAnswer(BaseModel):
    """What can be handed in, and how large it may be."""

    kinds: list[ImportKindAnswer]
    max_file_mb: int


class UploadAnswer(BaseModel):
    """A file that was handed in."""

    token: str
    name: str
    size: int


class ImportRequest(RequestBody):
    """How a file that was handed in is to be read."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "upload": "9f1c6b0de2a84f7c8f1d2a3b4c5d6e7f",
                "kind": "buildings",
                "crs": "gcj02",
                "dry_run": True,
            }
        },
    )

    upload: Text
    kind: Text
    dry_run: bool
    crs: Text | None = None
    layer: Text | None = None
    encoding: Text | None = None
    key: Text | None = None
    columns: dict[Text, Text] = Field(default_factory=dict, max_length=100)
    replace: bool = False
    accept_shift: bool = False
    extra: dict[Text, Text] = Field(default_factory=dict, max_length=20)


class Begun(BaseModel):
    """The job that does it."""

    job_id: int


class ImportJob(JobAnswer):
    """An import as it stands; where it failed, the error's name and what it tells of the file."""

    problem: str | None = None
    values: dict[str, Any] = Field(default_factory=dict)


@router.get("/kinds", responses=examples.ok({"kinds": [], "max_file_mb": 2048}))
def list_kinds(actor: ActorDep, language: LanguageDep) -> KindsAnswer:
    """List the kinds of file, with the columns that are known."""
    IMPORT.require(actor)
    return KindsAnswer(
        kinds=[_describe_import_kind(kind, language) for kind in importing.list_kinds().values()],
        max_file_mb=import_settings().max_file_mb,
    )


def _describe_import_kind(kind: ImportKind, language: Language) -> ImportKindAnswer:
    return ImportKindAnswer(
        name=kind.name,
        title=find_text(f"imports.kind_{kind.name}", kind.called, language),
        about=find_text(f"ingest.kind_{kind.name}", kind.about, language),
        geometry=kind.geometry,
        has_key=kind.default_key is not None,
        fields=[
            ImportFieldAnswer(
                name=field.name,
                title=find_column_name(field.name, field.names, language),
                needed=field.needed,
            )
            for field in kind.fields
        ],
        extra={name: text(key, language) for name, key in kind.extra.items()},
        suffixes=[*SUFFIXES, *kind.suffixes],
    )


# --- the file itself ---------------------------------------------------------------------------


def _read_pieces(file: UploadFile) -> Iterator[bytes]:
    while piece := file.file.read(_PIECE):
        yield piece


@router.post(
    "/uploads",
    status_code=201,
    responses={201: examples.ok(_UPLOAD)[200]},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": {"file": {"type": "string", "format": "binary"}},
                        "required": ["file"],
                    }
                }
            },
        }
    },
)
async def hand_in(request: Request, store: StoreDep, actor: ActorDep) -> UploadAnswer:
    """Hand a file in; it is kept some days and read by nobody else."""
    IMPORT.require(actor)
    async with request.form(max_files=1, max_fields=4) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise InputError("imports.no_file", place=Place(field="file"))
        upload = await run_in_threadpool(
            _keep_upload, store, actor, file.filename or "", _read_pieces(file)
        )
    return UploadAnswer(token=upload.token, name=upload.name, size=upload.size)


def _keep_upload(store: Store, actor: Actor, name: str, pieces: Iterator[bytes]) -> uploads.Upload:
    upload = uploads.keep_upload(actor, name, pieces)
    with store.transaction(actor) as connection:
        after = {"name": upload.name, "size": upload.size}
        record(connection, actor, "hand_in", "upload", upload.token, after=after)
    return upload


@router.get("/uploads/{token}", responses=examples.ok(_UPLOAD))
def read_upload(actor: ActorDep, token: str) -> UploadAnswer:
    """Tell what a file is that was handed in."""
    IMPORT.require(actor)
    upload = uploads.find_upload(actor, token)
    return UploadAnswer(token=upload.token, name=upload.name, size=upload.size)


@router.delete("/uploads/{token}", status_code=204)
def throw_away(connection: ConnectionDep, actor: ActorDep, token: str) -> Response:
    """Throw a file away that was handed in."""
    IMPORT.require(actor)
    uploads.forget_upload(uploads.find_upload(actor, token))
    record(connection, actor, "discard", "upload", token)
    return Response(status_code=204)


@router.get(
    "/uploads/{token}/refusals.csv", responses=examples.files({_CSV: ""}), response_class=Response
)
def refused_rows(connection: RecordingDep, actor: ActorDep, token: str) -> FileResponse:
    """Give the rows of one's own file that were not taken, with the reasons, to send back."""
    IMPORT.require(actor)
    upload = uploads.find_upload(actor, token, taken_in=True)
    path = importing.refusals_path(upload.path)
    if not path.is_file():
        raise NotFoundError("imports.nothing_refused")
    record(connection, actor, "download", "upload", token)
    return FileResponse(path, media_type=_CSV, filename="refused.csv")


# --- trying it, taking it in -------------------------------------------------------------------


@router.post("", status_code=202, responses={202: examples.ok({"job_id": 12})[200]})
def begin(store: StoreDep, actor: ActorDep, wanted_import: ImportRequest) -> Begun:
    """Try a file without writing, or take it in; both are jobs."""
    IMPORT.require(actor)
    upload = uploads.find_upload(actor, wanted_import.upload)
    options = ImportOptions(
        crs=_read_system(wanted_import.crs),
        layer=wanted_import.layer or None,
        encoding=wanted_import.encoding or None,
        key=wanted_import.key or None,
        columns={field: column for field, column in wanted_import.columns.items() if column},
        replace=wanted_import.replace,
        dry_run=wanted_import.dry_run,
        accept_shift=wanted_import.accept_shift,
        original_name=upload.name,
        extra={name: value for name, value in wanted_import.extra.items() if value},
    )
    job_id = importing.submit_import(store, actor, wanted_import.kind, upload.path, options)
    return Begun(job_id=job_id)


def _read_system(crs: str | None) -> CoordinateSystem | None:
    if not crs:
        return None
    try:
        return parse_crs(crs)
    except InputError as error:
        raise InputError(error.key, place=Place(field="crs"), **error.values) from error


@router.get("/jobs/{job_id}", responses=examples.ok(examples.JOB))
def read_job(
    connection: ConnectionDep, actor: ActorDep, language: LanguageDep, job_id: IdPath
) -> ImportJob:
    """Tell how an import of one's own stands, its result in the reader's language."""
    state = job_queries.find_visible_job(connection, actor, job_id)
    answer = JobAnswer.of(state, language).model_dump()
    result = answer["result"]
    if result is not None:
        english = result.pop("in_english", {})
        answer["result"] = {**result, **(english if language == "en" else {})}
    problem = {} if state.error is None else json.loads(state.error)
    return ImportJob(**answer, problem=problem.get("key"), values=problem.get("values", {}))


# --- what went in before -----------------------------------------------------------------------


@router.get("", responses=examples.ok(examples.page({"import_id": 4, "kind": "buildings"})))
def list_imports(
    connection: ConnectionDep, actor: ActorDep, paging: PagingDep
) -> Page[records.PastImport]:
    """List the files that went in, the newest first."""
    page = records.list_past_imports(connection, actor, limit=paging.limit, offset=paging.offset)
    return make_page(page, paging)


@router.get(
    "/{import_id}/refusals.csv", responses=examples.files({_CSV: ""}), response_class=Response
)
def past_refusals(
    connection: RecordingDep, actor: ActorDep, language: LanguageDep, import_id: IdPath
) -> Response:
    """Give what a past import refused: row, feature, field and reason, the first 1,000."""
    table = records.write_refusals_table(connection, actor, import_id, language)
    record(connection, actor, "download", "import", import_id)
    headers = {"Content-Disposition": f'attachment; filename="import-{import_id}-refused.csv"'}
    return Response(f"\ufeff{table}", media_type=_CSV, headers=headers)
