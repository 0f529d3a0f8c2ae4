"""Records entered by hand over HTTP: what can be entered, lists, one record, its changes, undo.

A change names the version that its sender saw (``If-Match``) and has a key of its own
(``Idempotency-Key``): sent twice it is done once.
"""

from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import Header, Query, Response
from pydantic import BaseModel, ConfigDict

from gis_service.access.permissions import REASONS
from gis_service.api import examples
from gis_service.api.dependencies import (
    NUMBER,
    WHOLE,
    ActorDep,
    ConnectionDep,
    IdPath,
    IdQuery,
    LanguageDep,
    RecordingDep,
    RequestBody,
    Words,
)
from gis_service.api.routing import ServiceRouter
from gis_service.entry import fields, reading, writing
from gis_service.errors import InputError, Place
from gis_service.records import list_entered
from gis_service.settings import keeping_settings

router = ServiceRouter(prefix="/api/entry", tags=["entry"])

_RECORD: Final[dict[str, Any]] = {
    "kind": "building",
    "id": 318,
    "version": "40213",
    "values": {
        "point": {"lon": 112.9021, "lat": 28.7034, "crs": "cgcs2000"},
        "kind": "residential",
        "name": "",
        "address": "东街12号",
        "storeys": 3,
        "key": "hand-5f0c1e9a77b2",
    },
    "masked": [],
    "named": {},
    "grid": {"grid_id": 412, "name": "东街三格", "code": "990101102003005"},
    "may": {"change": True, "remove": True, "reveal": False},
}
_SAVED: Final = {"record": _RECORD, "change_id": 77, "undo_s": 60, "repeated": False}
_LISTED: Final = {
    "id": 318,
    "title": "东街12号",
    "detail": "东街12号",
    "word": "residential",
    "lon": 112.9021,
    "lat": 28.7034,
    "grid_name": "东街三格",
    "first_day": None,
    "last_day": None,
}

RequestKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key", max_length=100, description="New for each change, e.g. a UUID."
    ),
]
Version = Annotated[
    str, Header(alias="If-Match", max_length=60, description="The version that was read.")
]
Degrees = Annotated[float | None, Query(ge=-180, le=180, allow_inf_nan=False), NUMBER]


def _tell_fields(schema: dict[str, Any]) -> None:
    """Say of the values what the specification of each kind says."""
    schema["example"] = {"values": {"storeys": 4}}
    schema["properties"]["values"]["anyOf"] = [
        fields.describe_values(kind) for kind in list_entered().values()
    ]


class RecordBody(RequestBody):
    """Values by field, those of the path's kind; a field that is left out stays as it is."""

    model_config = ConfigDict(json_schema_extra=_tell_fields)

    values: dict[str, Any]


class RevealReason(RequestBody):
    """Why somebody must see who lives in a household."""

    model_config = ConfigDict(json_schema_extra={"example": {"reason": "visit"}})

    reason: str


class FormFieldAnswer(BaseModel):
    """A field of a form: its control, what it may hold, what it begins with."""

    name: str
    title: str
    type: str
    refers: bool
    required: bool
    least: float | None
    most: float | None
    choices: list[str]
    fixed: bool
    personal: bool
    masked: bool
    default: Any


class FormAnswer(BaseModel):
    """The form of a kind of record."""

    kind: str
    name: str
    title: str
    placed: bool
    removable: bool
    fields: list[FormFieldAnswer]


class Kinds(BaseModel):
    """What the actor may enter, with the fields of each form."""

    kinds: list[FormAnswer]
    reasons: list[str]


class RecordRows(BaseModel):
    """Part of a list; ``next`` begins the following part, null at the end."""

    items: list[reading.Listed]
    next: int | None


class TypedPlaceAnswer(BaseModel):
    """A place in CGCS2000 degrees."""

    lon: float
    lat: float


class SavedAnswer(BaseModel):
    """The record as it is now; ``change_id`` can be undone for ``undo_s`` seconds."""

    record: reading.RecordShown | None
    change_id: int | None
    undo_s: int
    repeated: bool = False


def _saved_answer(saved: writing.Saved, response: Response) -> SavedAnswer:
    if saved.record is not None:
        response.headers["ETag"] = f'"{saved.record.version}"'
    undo_s = keeping_settings().undo_s
    return SavedAnswer(**{name: getattr(saved, name) for name in asdict(saved)}, undo_s=undo_s)


def _read_version(header: str) -> str:
    version = header.strip().removeprefix("W/").strip('"')
    if not version or version == "*":
        raise InputError("entry.no_version", place=Place(field="If-Match"))
    return version


@router.get("", responses=examples.ok({"kinds": [], "reasons": list(REASONS)}))
def list_kinds(actor: ActorDep, language: LanguageDep) -> Kinds:
    """List the kinds of record that the actor may enter, with their fields."""
    forms = [fields.describe_form(kind, language) for kind in reading.list_kinds_for(actor)]
    kinds = [FormAnswer.model_validate(form) for form in forms]
    return Kinds(kinds=kinds, reasons=list(REASONS))


@router.get("/place", responses=examples.ok({"lon": 112.8964, "lat": 28.7069}))
def read_place(
    lon: Annotated[float, Query(allow_inf_nan=False), NUMBER],
    lat: Annotated[float, Query(allow_inf_nan=False), NUMBER],
    crs: Annotated[str, Query(max_length=60)],
) -> TypedPlaceAnswer:
    """Bring a typed place to CGCS2000, so that the map can show it before it is saved."""
    x, y = fields.read_place(lon, lat, crs)
    return TypedPlaceAnswer(lon=x, lat=y)


@router.get("/{kind}", responses=examples.ok({"items": [_LISTED], "next": 317}))
def list_records(
    connection: RecordingDep,
    actor: ActorDep,
    kind: str,
    q: Words = "",
    grid_id: IdQuery = None,
    near_lon: Degrees = None,
    near_lat: Annotated[float | None, Query(ge=-90, le=90, allow_inf_nan=False), NUMBER] = None,
    after: IdQuery = None,
    limit: Annotated[int, Query(ge=1, le=100), WHOLE] = 30,
) -> RecordRows:
    """List records, the newest first; near a place, the nearest first."""
    near = None if near_lon is None or near_lat is None else (near_lon, near_lat)
    items, following = reading.list_records(
        connection, actor, kind, q=q, grid_id=grid_id, near=near, after=after, limit=limit
    )
    return RecordRows(items=items, next=following)


@router.post("/undo/{change_id}", responses=examples.ok({**_SAVED, "change_id": None}))
def undo(
    connection: ConnectionDep, actor: ActorDep, change_id: IdPath, response: Response
) -> SavedAnswer:
    """Take back a change of one's own, as long as that may be."""
    return _saved_answer(writing.undo_change(connection, actor, change_id), response)


@router.post(
    "/{kind}",
    status_code=201,
    responses={
        **examples.ok(_SAVED, status=201),
        200: {"model": SavedAnswer, "description": "The same request was sent before."},
    },
)
def add(
    connection: ConnectionDep,
    actor: ActorDep,
    kind: str,
    body: RecordBody,
    key: RequestKey,
    response: Response,
) -> SavedAnswer:
    """Add a record."""
    saved = writing.add_record(connection, actor, kind, body.values, key)
    if saved.repeated:
        response.status_code = 200
    return _saved_answer(saved, response)


@router.get("/{kind}/{record_id}", responses=examples.ok(_RECORD))
def read(
    connection: RecordingDep, actor: ActorDep, kind: str, record_id: IdPath, response: Response
) -> reading.RecordShown:
    """Read a record with the values of its form; who lives in a household is masked."""
    record = reading.show_record(connection, actor, kind, record_id)
    response.headers["ETag"] = f'"{record.version}"'
    return record


@router.patch("/{kind}/{record_id}", responses=examples.ok(_SAVED))
def change(
    connection: ConnectionDep,
    actor: ActorDep,
    kind: str,
    record_id: IdPath,
    body: RecordBody,
    key: RequestKey,
    version: Version,
    response: Response,
) -> SavedAnswer:
    """Change fields of a record; 412 with both versions where somebody was quicker."""
    saved = writing.change_record(
        connection,
        actor,
        kind,
        record_id,
        body.values,
        version=_read_version(version),
        request_key=key,
    )
    return _saved_answer(saved, response)


@router.delete("/{kind}/{record_id}", responses=examples.ok({**_SAVED, "record": None}))
def remove(
    connection: ConnectionDep,
    actor: ActorDep,
    kind: str,
    record_id: IdPath,
    key: RequestKey,
    version: Version,
    response: Response,
) -> SavedAnswer:
    """Take a record out; what has days is ended instead, what has states is closed."""
    saved = writing.remove_record(
        connection, actor, kind, record_id, version=_read_version(version), request_key=key
    )
    return _saved_answer(saved, response)


@router.post("/{kind}/{record_id}/reveal", responses=examples.ok(_RECORD))
def reveal(
    connection: ConnectionDep, actor: ActorDep, kind: str, record_id: IdPath, reason: RevealReason
) -> reading.RecordShown:
    """Show who lives in a household; who looked and why is written down."""
    return reading.reveal_record(connection, actor, kind, record_id, reason.reason)
