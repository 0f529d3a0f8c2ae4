"""How many requests are worked on at once: the others wait their turn, in order, and not for ever.

Pure ASGI, before any router. Fewer are let in than the pool has connections, so whoever is let in
finds one. Who cannot be taken within the time is told when to come again. Nobody waits for what
needs no connection: files, the stream of events, and whether the service is well.
"""

import asyncio
import re
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gis_service.access.passwords import AT_ONCE as PASSWORDS_AT_ONCE
from gis_service.api.problems import answer_gis_error
from gis_service.errors import BusyError
from gis_service.settings import ServerSettings, server_settings

_FREE: Final = re.compile(
    r"/(?!api/|open311/|$)|/api/(live|plans/stage|examples.*|imports/uploads|incidents/.*photos)$"
)
"""What needs no connection, or only behind a body that may come slowly."""
_WHOLE_FILES: Final = re.compile(r"/api/assign$")
_PASSWORDS: Final = re.compile(r"/api/(session(/link)?|password)$")
"""What waits for a hash: many who sign in at once wait for each other, and nobody else does."""
_SLOW: Final = re.compile(
    r"/api/(plans/.|versions/.|reports/|grids/\d+/sheet|coverage/(areas|districts|enclaves|what-if))"
)
"""What may take seconds: drafts, comparisons, reports, printed sheets, drawings."""
_PASSWORD_S: Final = 10.0
"""So long a password waits for its turn: at the start of a day all come at once, and none shall
have to type it again."""


class Lane:
    """Turns of one kind of work."""

    def __init__(self, at_once: int, most_waiting: int, *, until_start: bool = True) -> None:
        self._turns = asyncio.Semaphore(at_once)
        self._waiting = 0
        self._most_waiting = most_waiting
        self.until_start = until_start

    async def acquire(self, wait_s: float) -> bool:
        """Wait for a turn; tell whether it came in time."""
        if not self._turns.locked():
            return await self._turns.acquire()
        if self._waiting >= self._most_waiting:
            return False
        self._waiting += 1
        try:
            return await asyncio.wait_for(self._turns.acquire(), wait_s)
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1

    def release(self) -> None:
        """End a turn."""
        self._turns.release()


class Admission:
    """Give each request its turn."""

    def __init__(self, app: ASGIApp, settings: ServerSettings | None = None) -> None:
        self.app = app
        limits = settings or server_settings()
        self._wait_s = limits.request_wait_s
        most = limits.requests_waiting
        self._quick = Lane(limits.requests_at_once, most)
        self._slow = Lane(limits.slow_requests_at_once, most)
        self._passwords = Lane(PASSWORDS_AT_ONCE, most)
        self._files = Lane(limits.files_at_once, most, until_start=False)

    def _choose_lane(self, path: str) -> Lane | None:
        if _FREE.match(path):
            return None
        if _PASSWORDS.match(path):
            return self._passwords
        if _WHOLE_FILES.match(path):
            return self._files
        return self._slow if _SLOW.match(path) else self._quick

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on when its turn has come."""
        lane = self._choose_lane(scope["path"]) if scope["type"] == "http" else None
        if lane is None:
            await self.app(scope, receive, send)
            return
        if not await lane.acquire(_PASSWORD_S if lane is self._passwords else self._wait_s):
            busy = await answer_gis_error(Request(scope), BusyError("api.busy"))
            await busy(scope, receive, send)
            return
        is_held = True

        async def send_and_release(message: Message) -> None:
            nonlocal is_held
            if is_held and lane.until_start and message["type"] == "http.response.start":
                is_held = False
                lane.release()
            await send(message)

        try:
            await self.app(scope, receive, send_and_release)
        finally:
            if is_held:
                lane.release()
