"""Request bodies: read before the app is entered, bounded in size and time, and well formed.

Pure ASGI, behind the guard. The first megabyte is read here, so that no thread, connection or turn
is held for a slow sender. What is longer is refused as soon as it is; the paths of one table may
send more: long lists are read here too, a few at a time, and files stream through.
"""

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Final, NamedTuple

from anyio.to_thread import run_sync
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gis_service.api import request_checks
from gis_service.api.admission import Lane
from gis_service.api.problems import answer_gis_error
from gis_service.errors import BusyError, GisError, Place, TooLargeError, TooSlowError
from gis_service.incidents.rules import rule_book
from gis_service.settings import import_settings, server_settings

MB: Final = 1024 * 1024
LIST_BYTES: Final = 10 * MB
"""So much JSON is taken where thousands of places or reports are sent at once."""

_FORM_AROUND: Final = 64 * 1024  # what a form adds to its file
_LONG: Final = 64 * 1024  # so much JSON is looked at beside the event loop
_LISTS_AT_ONCE: Final = 8  # more than 1 MB long: so many are in memory at a time
_LINGER_S: Final = 5.0  # so long a refused sender is listened to, that it reads the answer


def _file_bytes() -> int:
    return import_settings().max_file_mb * MB + _FORM_AROUND


def _assign_bytes() -> int:
    return import_settings().assign_mb * MB + _FORM_AROUND


class Larger(NamedTuple):
    """A path that may send more than the setting says."""

    path: re.Pattern[str]
    most_bytes: Callable[[], int]
    streams: bool


LARGER: Final = (
    Larger(re.compile(r"/api/locate"), lambda: LIST_BYTES, streams=False),
    Larger(re.compile(r"/api/incidents/import"), lambda: LIST_BYTES, streams=False),
    Larger(re.compile(r"/api/assign"), _assign_bytes, streams=True),
    Larger(re.compile(r"/api/imports/uploads"), _file_bytes, streams=True),
    Larger(
        re.compile(r"/api/incidents/\d+/photos"),
        lambda: rule_book().photos.most_bytes.value,
        streams=True,
    ),
)


class _Body:
    """A body as it comes: counted, timed, and refused as soon as it is too large or too slow."""

    def __init__(self, headers: Headers, receive: Receive, most_bytes: int) -> None:
        self._receive = receive
        self._most_bytes = most_bytes
        self._began = time.monotonic()
        self._head: bytearray | None = None
        self._stated = headers.get("content-length", "")
        self._size = 0
        self.ended = not self._stated and "transfer-encoding" not in headers
        self.broken_off = False
        self.refused = False
        self._linger_s = _LINGER_S

    async def read_ahead(self, most_bytes: int) -> bytes:
        """Read till there is so much, or all; whoever receives is given it again."""
        if self.ended:
            return bytes(self._head or b"")
        if self._stated.isdecimal() and int(self._stated[:20]) > self._most_bytes:
            raise self._too_large()
        self._head = self._head or bytearray()
        while not self.ended and self._size <= most_bytes:
            message = await self._receive_piece()
            self.broken_off = message["type"] != "http.request"
            self._head += message.get("body", b"")
        return bytes(self._head)

    async def receive(self) -> Message:
        """Give the next piece, for the app."""
        if self._head is not None:
            head, self._head = bytes(self._head), None
            return {"type": "http.request", "body": head, "more_body": not self.ended}
        return await (self._receive() if self.ended else self._receive_piece())

    async def _receive_piece(self) -> Message:
        try:
            async with asyncio.timeout(self._seconds_left()):
                message = await self._receive()
        except TimeoutError as error:
            self.refused, self._linger_s = True, 0.0
            raise TooSlowError("api.body_too_slow", place=Place(field="body")) from error
        self._size += len(message.get("body", b""))
        self.ended = not message.get("more_body", False)
        if self._size > self._most_bytes:
            raise self._too_large()
        return message

    def _seconds_left(self) -> float:
        """Tell how long the next piece may take: who sends fast may send long, but not pause."""
        settings = server_settings()
        allowed = settings.body_timeout_s + self._size / (1024 * settings.body_min_kb_s)
        return min(settings.body_timeout_s, self._began + allowed - time.monotonic())

    def _too_large(self) -> TooLargeError:
        self.refused = True
        most_mb = f"{self._most_bytes / MB:.4g}"
        return TooLargeError("api.body_too_large", place=Place(field="body"), most_mb=most_mb)

    def close_after(self, send: Send) -> Send:
        """End the connection behind the answer to a body that is not read to its end."""

        async def send_and_close(message: Message) -> None:
            if not self.refused or self.ended:
                await send(message)
            elif message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), (b"connection", b"close")]
                await send({**message, "headers": headers})
            else:
                await send({**message, "more_body": True})
                if not message.get("more_body", False):
                    await self._linger()
                    await send({"type": "http.response.body"})

        return send_and_close

    async def _linger(self) -> None:
        """Throw away what still comes: who is cut off while sending never reads the answer."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._linger_s):
                while (await self._receive()).get("more_body", False):
                    pass


class BodyLimit:
    """Let well-formed requests through whose bodies are small and come in time."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._lists = Lane(_LISTS_AT_ONCE, server_settings().requests_waiting)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read ahead and pass on, or refuse."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        usual = server_settings().max_body_kb * 1024
        larger = next((limit for limit in LARGER if limit.path.fullmatch(scope["path"])), None)
        most = usual if larger is None else larger.most_bytes()
        body = _Body(request.headers, receive, most)
        send = body.close_after(send)
        with ExitStack() as turns:
            try:
                request_checks.check_address(scope.get("raw_path") or b"", scope["query_string"])
                request_checks.check_headers(request.headers)
                head = await body.read_ahead(usual)
                if larger is None:
                    await _check_json(request, head)
                elif not larger.streams and not body.ended:
                    await self._take_turn(turns)
                    await body.read_ahead(most)
            except GisError as error:
                body.refused = True
                answer = await answer_gis_error(request, error)
                await answer(scope, receive, send)
                return
            if not body.broken_off:
                with suppress(ClientDisconnect):  # nobody is there to be answered
                    await self.app(scope, body.receive, send)

    async def _take_turn(self, turns: ExitStack) -> None:
        """Wait for a place in memory, till the request is answered."""
        if not await self._lists.acquire(server_settings().request_wait_s):
            raise BusyError("api.busy")
        turns.callback(self._lists.release)


async def _check_json(request: Request, body: bytes) -> None:
    """Refuse JSON that is not well formed; who may send more looks at it by itself."""
    if not body or not request_checks.is_json(
        request_checks.media_type(request.headers.get("content-type", ""))
    ):
        return

    def check() -> None:
        request_checks.check_values(request_checks.read_json(body))

    if len(body) > _LONG:
        await run_sync(check)
    else:
        check()
