"""Who may knock: names of this host, requests of our own pages, and headers on every answer.

Pure ASGI, before any router. While the server is bound to loopback, a page of a stranger's must
not reach it through a name of its own (DNS rebinding), and no stranger's page may change state.
"""

import ipaddress
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gis_service.api.problems import answer_http_error

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
"""As an answer carries them, in lower case."""


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
    """Tell whether a request that changes something comes from a page of ours."""
    site = headers.get("sec-fetch-site")
    if site is not None and site not in {"same-origin", "none"}:
        return False
    origin = headers.get("origin")
    return origin is None or origin.lower() == f"{scheme}://{headers.get('host', '')}".lower()


class Guard:
    """Refuse wrong hosts and foreign changes; add the headers every answer carries."""

    def __init__(self, app: ASGIApp, *, loopback_only: bool) -> None:
        self.app = app
        self.loopback_only = loopback_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"] = list(message.get("headers", ()))
                present = {name for name, _ in headers}
                headers.extend(header for header in _HEADERS if header[0] not in present)
                if b"cache-control" not in present and scope["path"].startswith("/api"):
                    headers.append((b"cache-control", b"no-store"))
            await send(message)

        request = Request(scope)
        refused = self._refusal(request)
        if refused is None:
            await self.app(scope, receive, send_with_headers)
        else:
            answer = await answer_http_error(request, HTTPException(refused))
            await answer(scope, receive, send_with_headers)

    def _refusal(self, request: Request) -> int | None:
        if self.loopback_only and host_name(request.headers.get("host", "")) not in LOOPBACK_NAMES:
            return 421
        if request.method not in _SAFE and not same_origin(request.headers, request.url.scheme):
            return 403
        return None
