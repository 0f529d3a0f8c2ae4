"""A number for each request, by which its answer, the record and the log are found together.

Pure ASGI, around everything else: what is refused before any router has one too. A cookie of a
session that is over is taken back with whatever is answered.
"""

import secrets
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER: Final = b"x-request-id"


class RequestIds:
    """Number each request, and say the number with its answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give a request its number."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        state = scope["state"] = {**scope.get("state", {}), "request_id": request_id}

        async def send_numbered(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"] = list(message.get("headers", ()))
                headers.append((HEADER, request_id.encode()))
                cookie = state.get("forget_cookie")
                if cookie is not None:
                    headers.append((b"set-cookie", _deletion_of(cookie)))
            await send(message)

        await self.app(scope, receive, send_numbered)


def _deletion_of(cookie: str) -> bytes:
    secure = "; Secure" if cookie.startswith("__Host-") else ""
    return f'{cookie}=""; HttpOnly; Max-Age=0; Path=/; SameSite=strict{secure}'.encode()
