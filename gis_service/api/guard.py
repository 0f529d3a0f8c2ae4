"""Who may knock: names of this host, requests of our own pages, and headers on every answer.

Pure ASGI, before any router. No page of a stranger's reaches the service through a name of its own
(DNS rebinding), asks for data, or changes anything; where TLS is spoken, little else is answered
over plain HTTP than where to find it.
"""

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gis_service.api.problems import language_of, make_problem
from gis_service.certificates import LOOPBACK_NAMES, Certificate
from gis_service.messages import text
from gis_service.settings import server_settings

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(self), microphone=(), payment=(), usb=()"),
)
"""As an answer carries them, in lower case."""
_DATA_HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
"""What else an answer of the API carries that says nothing of its own."""
_OVER_PLAIN_HTTP: Final = re.compile(r"/(trust(/ca\.crt)?|health|static/css/.+)")
"""What is needed before a phone trusts the certificate, and by whoever watches the service."""
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-proto", "x-real-ip", "via")


@lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    """Tell whether an address or a name can only be this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=1024)
def host_name(header: str) -> str:
    """Take the name out of a ``Host`` header."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def same_origin(headers: Headers, scheme: str) -> bool:
    """Tell whether a request comes from a page of ours, as far as the browser tells it."""
    site = headers.get("sec-fetch-site")
    if site is not None and site not in {"same-origin", "none"}:
        return False
    origin = headers.get("origin")
    return origin is None or origin.lower() == f"{scheme}://{headers.get('host', '')}".lower()


def tells_own_origin(request: Request) -> bool:
    """Tell whether a request says that it comes from our page: a change in a session must."""
    headers = request.headers
    return "origin" in headers and same_origin(headers, request.url.scheme)


def may_sign_in(request: Request) -> bool:
    """
    Tell whether a password may travel as this request did: in TLS, or inside this machine.

    The scheme is that of the connection, or what the trusted proxy says; where there is one, a
    connection from loopback is the proxy's and tells nothing. A proxy that nobody named is known by
    its headers.
    """
    if request.url.scheme == "https":
        return True
    if server_settings().trusted_proxy or any(name in request.headers for name in _FORWARDED):
        return False
    ends = (request.scope.get("client"), request.scope.get("server"))
    return all(end is not None and is_loopback(end[0]) for end in ends)


class HostNames:
    """
    The names under which the service answers.

    Parameters
    ----------
    names
        Host names and addresses; ``*.`` stands for one label.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(name.strip().lower() for name in names)

    def __contains__(self, name: str) -> bool:
        return name in self._names or f"*.{name.partition('.')[2]}" in self._names


def find_host_names(certificate: Certificate | None, *, loopback_only: bool) -> HostNames | None:
    """Find the names that count; None where any does, since a proxy or nothing hangs on it."""
    settings = server_settings()
    if settings.host_names:
        return HostNames([*settings.host_names.split(","), *LOOPBACK_NAMES])
    if settings.trusted_proxy:
        return None
    if certificate is not None:
        return HostNames([*certificate.names, *LOOPBACK_NAMES])
    return HostNames(LOOPBACK_NAMES) if loopback_only else None


class Guard:
    """
    Refuse wrong hosts and foreign pages; add the headers every answer carries.

    Parameters
    ----------
    app
        What lies behind.
    host_names
        Under which names the service answers; None is any.
    certificate
        What the service speaks TLS with, if it does.
    """

    def __init__(
        self, app: ASGIApp, *, host_names: HostNames | None, certificate: Certificate | None = None
    ) -> None:
        self.app = app
        self._host_names, self._speaks_tls = host_names, certificate is not None
        days = server_settings().hsts_days
        # A browser keeps it for long: with an authority that it does not trust it shuts people out.
        public = certificate is not None and certificate.authority is None
        self._hsts = f"max-age={days * 86400}".encode() if days and public else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"] = list(message.get("headers", ()))
                present = {name for name, _ in headers}
                wanted = [*_HEADERS, *(_DATA_HEADERS if _is_data(scope["path"]) else ())]
                if self._hsts and scope["scheme"] == "https":
                    wanted.append((b"strict-transport-security", self._hsts))
                headers.extend(header for header in wanted if header[0] not in present)
            await send(message)

        refusal = self._refusal(Request(scope))
        if refusal is None:
            await self.app(scope, receive, send_with_headers)
        else:
            await refusal(scope, receive, send_with_headers)

    def _refusal(self, request: Request) -> Response | None:
        headers, scheme, path = request.headers, request.url.scheme, request.scope["path"]
        if any(len(headers.getlist(name)) > 1 for name in ("host", "origin", "sec-fetch-site")):
            return _refuse(request, 400, "bad-request", "http_400")
        name = host_name(headers.get("host", ""))
        if self._host_names is not None and name not in self._host_names:
            return _refuse(request, 421, "wrong-host", "http_421")
        if self._speaks_tls and scheme != "https" and not _OVER_PLAIN_HTTP.fullmatch(path):
            if request.method not in _SAFE:
                return _refuse(request, 403, "not-allowed", "only_https")
            return RedirectResponse(request.url.replace(scheme="https"), 307)
        if request.method not in _SAFE and not same_origin(headers, scheme):
            return _refuse(request, 403, "not-allowed", "http_403")
        if _is_data(path) and not same_origin(headers, scheme):
            return _refuse(request, 403, "not-allowed", "foreign_page")
        return None


def _is_data(path: str) -> bool:
    return path.startswith("/api")


def _refuse(request: Request, status: int, kind: str, key: str) -> Response:
    return make_problem(request, status, kind, text(f"api.{key}", language_of(request)))
