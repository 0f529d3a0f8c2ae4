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
                return _send_error(request, error.status, error.say(language_of(request)))
            except (RequestValidationError, HTTPException):
                description = text("incidents.open311_no_path", language_of(request))
                return _send_error(request, 404, description)

        return told


router = APIRouter(
    prefix="/open311", tags=["open311"], include_in_schema=False, route_class=_SpecRoute
)


def _send_error(request: Request, status: int, description: str) -> Response:
    code = status if status in (403, 404) else _NOT_FULFILLED
    form: Format = "xml" if request.url.path.endswith(".xml") else "json"
    return _send_answer(form, "errors", [{"code": code, "description": description}], code)


def _send_answer(form: Format, root: str, value: Any, status: int = 200) -> Response:
    headers = {"Cache-Control": "no-store"}
    if form == "xml":
        body = open311.as_xml(root, value)
        return Response(body, status, headers, media_type="text/xml; charset=utf-8")
    return JSONResponse(value, status, headers, media_type="application/json; charset=utf-8")


def _check_jurisdiction(parameters: Mapping[str, str]) -> None:
    ours = incident_settings().open311_jurisdiction
    jurisdiction = parameters.get("jurisdiction_id", "")
    if ours and jurisdiction and jurisdiction != ours:
        raise NotFoundError(
            "incidents.open311_no_jurisdiction",
            place=Place(field="jurisdiction_id"),
            jurisdiction=ours,
        )


def _actor_of_key(request: Request, key: str | None) -> Actor | None:
    authenticator: Authenticator = request.app.state.authenticator
    return authenticator.identify_open311(request, key)


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
    return _send_answer(form, "discovery", value)


@router.get("/v2/services.{form}")
def services(request: Request, language: LanguageDep, form: Format) -> Response:
    """List the services."""
    _check_jurisdiction(request.query_params)
    return _send_answer(form, "services", open311.list_services(rule_book(), language))


@router.get("/v2/services/{code}.{form}")
def definition(request: Request, language: LanguageDep, code: str, form: Format) -> Response:
    """Tell the questions of a service."""
    _check_jurisdiction(request.query_params)
    return _send_answer(
        form, "service_definition", open311.describe_service(rule_book(), code, language)
    )


@router.get("/v2/requests.{form}")
def requests(request: Request, store: StoreDep, language: LanguageDep, form: Format) -> Response:
    """List service requests."""
    _check_jurisdiction(request.query_params)
    query = open311.read_query(request.query_params, datetime.now(UTC))
    return _send_answer(form, "service_requests", _read_requests(request, store, language, query))


@router.get("/v2/requests/{number}.{form}")
def one_request(
    request: Request, store: StoreDep, language: LanguageDep, number: str, form: Format
) -> Response:
    """Tell one service request."""
    _check_jurisdiction(request.query_params)
    query = open311.read_query({"service_request_id": number}, datetime.now(UTC))
    service_requests = _read_requests(request, store, language, query)
    if not service_requests:
        raise NotFoundError("incidents.open311_no_request")
    return _send_answer(form, "service_requests", service_requests)


def _read_requests(
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
    created = await run_in_threadpool(_take_request, request, store, body, language)
    return _send_answer(form, "service_requests", [created], 201)


def _take_request(
    request: Request, store: Store, form: dict[str, list[str]], language: Language
) -> dict[str, Any]:
    first_values = {name: values[0] for name, values in form.items()}
    _check_jurisdiction(first_values)
    actor = _actor_of_key(request, first_values.get("api_key"))
    if actor is None and incident_settings().open311_key_required:
        raise NotAllowedError("incidents.open311_bad_key")
    new_request = open311.parse_request(form, rule_book())
    reporter = actor or VISITOR
    with store.transaction(reporter) as connection:
        draft = new_request.draft
        if not new_request.has_place and new_request.address_id:
            place = queries.read_building_place(connection, new_request.address_id)
            if place is None and not draft.address:
                raise InputError("incidents.open311_no_address", place=Place(field="address_id"))
            if place is not None:
                draft = replace(draft, lon=place[0], lat=place[1])
                new_request = replace(new_request, has_place=True)
        due = open311.say_notice(connection, draft.kind, datetime.now(UTC), language)
        if new_request.has_place:
            number = str(reporting.report_incident(connection, reporter, draft))
            return {"service_request_id": number, "service_notice": due, "account_id": None}
        token = intake.keep_waiting(connection, reporter, draft)
        return {"token": token, "service_notice": due, "account_id": None}


@router.get("/v2/tokens/{token}.{form}")
def follow_token(request: Request, store: StoreDep, token: str, form: Format) -> Response:
    """Follow a token to its service request; without an id as long as it waits."""
    _check_jurisdiction(request.query_params)
    with store.transaction(VISITOR, read_only=True) as connection:
        incident_id = intake.find_incident_of_token(connection, token[:100])
    number = None if incident_id is None else str(incident_id)
    value = [{"service_request_id": number, "token": token}]
    return _send_answer(form, "service_requests", value)


@router.api_route("/{rest:path}", methods=["GET", "POST"])
def nothing_here(rest: str) -> Response:
    """Say as the specification does that there is nothing."""
    raise NotFoundError("incidents.open311_no_path", place=Place(field=rest[:100]))
