"""Open311 GeoReport v2 over HTTP, in JSON and XML, for hotlines and citizens' apps.

Errors are those of the specification, not problems as elsewhere. Cookies mean nothing here: who
asks is told by ``api_key`` alone.
"""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, Literal

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from gis_service.access import Actor
from gis_service.access.actor import VISITOR
from gis_service.api.authentication import Authenticator
from gis_service.api.dependencies import LanguageDep, StoreDep
from gis_service.api.problems import language_of
from gis_service.errors import GisError, InputError, NotAllowedError, NotFoundError, Place
from gis_service.incidents import intake, open311, queries, reporting
from gis_service.incidents.rules import DEFAULTS, rule_book
from gis_service.messages import Language, text
from gis_service.settings import incident_settings
from gis_service.store import Store

_FORM: Final = "application/x-www-form-urlencoded"
_NOT_FULFILLED: Final = 400
Format = Literal["json", "xml"]
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class _SpecRoute(APIRoute):
    """A route whose errors are told as the specification says."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def told(request: Request) -> Response:
            try:
                return await handle(request)
            except GisError as error:
                if error.status >= 500:
                    raise
                return _refusal(request, error.status, error.say(language_of(request)))
            except (RequestValidationError, HTTPException):
                said = text("incidents.open311_no_path", language_of(request))
                return _refusal(request, 404, said)

        return told


router = APIRouter(
    prefix="/open311", tags=["open311"], include_in_schema=False, route_class=_SpecRoute
)


def _refusal(request: Request, status: int, said: str) -> Response:
    code = status if status in (403, 404) else _NOT_FULFILLED
    form: Format = "xml" if request.url.path.endswith(".xml") else "json"
    return _answer(form, "errors", [{"code": code, "description": said}], code)


def _answer(form: Format, root: str, value: Any, status: int = 200) -> Response:
    headers = {"Cache-Control": "no-store"}
    if form == "xml":
        body = open311.as_xml(root, value)
        return Response(body, status, headers, media_type="text/xml; charset=utf-8")
    return JSONResponse(value, status, headers, media_type="application/json; charset=utf-8")


def _check_jurisdiction(parameters: Mapping[str, str]) -> None:
    ours = incident_settings().open311_jurisdiction
    asked = parameters.get("jurisdiction_id", "")
    if ours and asked and asked != ours:
        raise NotFoundError(
            "incidents.open311_no_jurisdiction",
            place=Place(field="jurisdiction_id"),
            jurisdiction=ours,
        )


def _actor_of_key(request: Request, key: str | None) -> Actor | None:
    authenticator: Authenticator = request.app.state.authenticator
    return authenticator.actor_of_key(key)


@router.get("/discovery.{form}")
def discovery(request: Request, form: Format) -> Response:
    """Say where which version is spoken."""
    file = incident_settings().incident_rules_file or DEFAULTS
    changed = datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat(timespec="seconds")
    value = {
        "changeset": changed,
        "contact": incident_settings().open311_contact or None,
        "key_service": incident_settings().open311_contact or None,
        "endpoints": [
            {
                "specification": "http://wiki.open311.org/GeoReport_v2",
                "url": f"{str(request.base_url).rstrip('/')}/open311/v2",
                "changeset": changed,
                "type": "production",
                "formats": ["text/xml", "application/json"],
            }
        ],
    }
    return _answer(form, "discovery", value)


@router.get("/v2/services.{form}")
def services(request: Request, language: LanguageDep, form: Format) -> Response:
    """List the services."""
    _check_jurisdiction(request.query_params)
    return _answer(form, "services", open311.list_services(rule_book(), language))


@router.get("/v2/services/{code}.{form}")
def definition(request: Request, language: LanguageDep, code: str, form: Format) -> Response:
    """Tell the questions of a service."""
    _check_jurisdiction(request.query_params)
    return _answer(
        form, "service_definition", open311.describe_service(rule_book(), code, language)
    )


@router.get("/v2/requests.{form}")
def requests(request: Request, store: StoreDep, language: LanguageDep, form: Format) -> Response:
    """List service requests."""
    _check_jurisdiction(request.query_params)
    query = open311.read_query(request.query_params, datetime.now(UTC))
    return _answer(form, "service_requests", _requests(request, store, language, query))


@router.get("/v2/requests/{number}.{form}")
def one_request(
    request: Request, store: StoreDep, language: LanguageDep, number: str, form: Format
) -> Response:
    """Tell one service request."""
    _check_jurisdiction(request.query_params)
    query = open311.read_query({"service_request_id": number}, datetime.now(UTC))
    found = _requests(request, store, language, query)
    if not found:
        raise NotFoundError("incidents.open311_no_request")
    return _answer(form, "service_requests", found)


def _requests(
    request: Request, store: Store, language: Language, query: open311.Query
) -> open311.Listing:
    actor = _actor_of_key(request, request.query_params.get("api_key"))
    with store.transaction(actor or VISITOR, read_only=True) as connection:
        return open311.list_requests(
            connection, actor, query, incident_settings().open311_public, language
        )


@router.post("/v2/requests.{form}")
async def new_request(
    request: Request, store: StoreDep, language: LanguageDep, form: Format
) -> Response:
    """Take a service request: its id, or a token where the place is still to be found."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != _FORM:
        raise InputError("incidents.open311_bad_form")
    body = open311.read_form(await request.body())
    made = await run_in_threadpool(_make, request, store, body, language)
    return _answer(form, "service_requests", [made], 201)


def _make(
    request: Request, store: Store, form: dict[str, list[str]], language: Language
) -> dict[str, Any]:
    said = {name: values[0] for name, values in form.items()}
    _check_jurisdiction(said)
    actor = _actor_of_key(request, said.get("api_key"))
    if actor is None and incident_settings().open311_key_required:
        raise NotAllowedError("incidents.open311_bad_key")
    wish = open311.read_request(form, rule_book())
    who = actor or VISITOR
    with store.transaction(who) as connection:
        draft = wish.draft
        if not wish.has_place and wish.address_id:
            place = queries.read_building_place(connection, wish.address_id)
            if place is None and not draft.address:
                raise InputError("incidents.open311_no_address", place=Place(field="address_id"))
            if place is not None:
                draft = replace(draft, lon=place[0], lat=place[1])
                wish = replace(wish, has_place=True)
        due = open311.say_notice(connection, draft.kind, datetime.now(UTC), language)
        if wish.has_place:
            number = str(reporting.report_incident(connection, who, draft))
            return {"service_request_id": number, "service_notice": due, "account_id": None}
        token = intake.keep_waiting(connection, who, draft)
        return {"token": token, "service_notice": due, "account_id": None}


@router.get("/v2/tokens/{token}.{form}")
def follow_token(request: Request, store: StoreDep, token: str, form: Format) -> Response:
    """Follow a token to its service request; without an id as long as it waits."""
    _check_jurisdiction(request.query_params)
    with store.transaction(VISITOR, read_only=True) as connection:
        found = intake.find_incident_of_token(connection, token[:100])
    number = None if found is None else str(found)
    value = [{"service_request_id": number, "token": token}]
    return _answer(form, "service_requests", value)


@router.api_route("/{rest:path}", methods=["GET", "POST"])
def nothing_here(rest: str) -> Response:
    """Say as the specification does that there is nothing."""
    raise NotFoundError("incidents.open311_no_path", place=Place(field=rest[:100]))
