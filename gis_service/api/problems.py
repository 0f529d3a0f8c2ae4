"""Errors over HTTP: problem+json (RFC 9457) in the language of the reader, and nothing internal.

One table holds every class of error; a router never builds an error answer by itself. What breaks
on our side is told in general words and written to the log. The handlers run in the event loop: an
error that waited for a thread would be told last when all threads are taken.
"""

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from anyio.to_thread import run_sync
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from gis_service.errors import BusyError, GisError, NotAllowedError, OutageError
from gis_service.messages import LANGUAGES, Language, choose_language, text
from gis_service.store.failures import describe_error, find_outage

MEDIA_TYPE: Final = "application/problem+json"
LANGUAGE_COOKIE: Final = "gis_lang"
_log = logging.getLogger(__name__)

_KIND_OF_STATUS: Final = {
    400: "bad-request",
    403: "not-allowed",
    404: "not-found",
    405: "method-not-allowed",
    408: "too-slow",
    409: "conflict",
    413: "too-large",
    421: "wrong-host",
    422: "bad-input",
    503: "store",
}


def language_of(request: Request) -> Language:
    """Choose the language for a request."""
    for named in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        for language in LANGUAGES:
            if named == language:
                return language
    return choose_language(request.headers.get("accept-language"))


def make_problem(
    request: Request,
    status: int,
    kind: str,
    detail: str,
    *,
    place: dict[str, object] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """Shape one error."""
    language = language_of(request)
    body: dict[str, Any] = {
        "type": f"urn:gis-service:problem:{kind}",
        "title": text(f"api.title_{kind.replace('-', '_')}", language),
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        **(place or {}),
    }
    return JSONResponse(
        body,
        status,
        {"Content-Language": language, "Cache-Control": "no-store", **(headers or {})},
        MEDIA_TYPE,
    )


async def answer_gis_error(request: Request, error: Exception) -> Response:
    """Answer an error of ours."""
    assert isinstance(error, GisError)
    language = language_of(request)
    if isinstance(error, OutageError):
        _log.error("%s", describe_error(error))
    if error.status == HTTPStatus.BAD_GATEWAY:
        # Another server failed, and its words here name nothing of ours.
        _log.warning("%s: %s", type(error).__name__, error.key)
        return make_problem(request, error.status, error.kind, error.say(language))
    headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    if isinstance(error, BusyError | OutageError):
        return make_problem(request, error.status, error.kind, error.say(language), headers=headers)
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("%s: %s", type(error).__name__, error.key)
        message = "api.unavailable" if error.status == 503 else "api.internal"
        return make_problem(request, error.status, error.kind, text(message, language))
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    place = {**error.place.as_dict(), **error.details(language)}
    return make_problem(
        request, error.status, error.kind, error.say(language), place=place, headers=headers
    )


async def answer_invalid_request(request: Request, error: Exception) -> Response:
    """Answer that a parameter or the body is not what the API takes."""
    assert isinstance(error, RequestValidationError)
    language = language_of(request)
    errors = [
        {
            "field": ".".join(str(part) for part in detail["loc"][1:]) or str(detail["loc"][0]),
            "detail": _say_detail(detail, language),
        }
        for detail in error.errors()
    ]
    first = errors[0]
    detail = text("api.bad_field", language, field=first["field"], problem=first["detail"])
    return make_problem(
        request, 422, "bad-input", detail, place={"field": first["field"], "errors": errors}
    )


def _say_detail(detail: dict[str, Any], language: Language) -> str:
    """Say what pydantic found; our own words where we have some for its kind of error."""
    key = f"api.field_{detail['type']}"
    limits = {name: value for name, value in (detail.get("ctx") or {}).items() if name != "error"}
    message = text(key, language, **limits)
    if message != key:
        return message
    return str(detail["msg"]) if language == "en" else text("api.field_wrong", language)


async def answer_http_error(request: Request, error: Exception) -> Response:
    """Answer what the framework itself refuses: an unknown path, a wrong method."""
    assert isinstance(error, HTTPException)
    kind = _KIND_OF_STATUS.get(error.status_code, "bad-request")
    key = f"api.http_{error.status_code}"
    language = language_of(request)
    message = text(key, language, path=request.url.path)
    detail = text("api.http_other", language) if message == key else message
    return make_problem(request, error.status_code, kind, detail, headers=dict(error.headers or {}))


async def answer_unknown_error(request: Request, error: Exception) -> Response:
    """Answer what nobody foresaw, without a word of its insides; the server logs where it broke."""
    outage = find_outage(error)
    if outage is not None:
        return await answer_gis_error(request, outage)
    _log.error("unforeseen: %s", describe_error(error))
    return make_problem(request, 500, "internal", text("api.internal", language_of(request)))


def install(app: FastAPI, record_refusal: Callable[[Request, GisError], None]) -> None:
    """Put the table of errors into an app; refusals are written into the record."""

    async def answer_refusal(request: Request, error: Exception) -> Response:
        assert isinstance(error, NotAllowedError)
        try:
            await run_sync(record_refusal, request, error)
        except GisError as outage:  # whoever is refused is refused all the same
            _log.error("a refusal is not in the record: %s", describe_error(outage))
        return await answer_gis_error(request, error)

    app.add_exception_handler(NotAllowedError, answer_refusal)
    app.add_exception_handler(GisError, answer_gis_error)
    app.add_exception_handler(RequestValidationError, answer_invalid_request)
    app.add_exception_handler(HTTPException, answer_http_error)
    app.add_exception_handler(Exception, answer_unknown_error)
