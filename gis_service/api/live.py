"""What happens while one looks: incidents and boundaries as server-sent events.

One listener a process hears the database and tells every stream what its reader may see: identities
and states, never a text or a person. A stream that breaks off is taken up where it ended.
"""

import asyncio
import json
import logging
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from gis_service.access import SYSTEM, Actor
from gis_service.access.permissions import READ_PLANS
from gis_service.access.sessions import find_ended
from gis_service.api.dependencies import ActorDep
from gis_service.errors import GisError
from gis_service.grids.reading import VersionInForce, list_versions_in_force
from gis_service.incidents.queries import incidents_in_sight
from gis_service.incidents.watching import (
    IncidentChange,
    Mark,
    read_changes_since,
    read_mark,
    read_present_mark,
)
from gis_service.settings import incident_settings
from gis_service.store import Store
from gis_service.store.listening import LOST, listen

router = APIRouter(tags=["live"])

MOST_WAITING: Final = 500
"""Events that a slow reader may be behind; then its stream ends, and it takes up where it was."""

_LONGEST_S: Final = 3600.0  # then who reads is asked for anew
_AGAIN_S: Final = 1.0
_LOOK_AGAIN_S: Final = 0.5
"""So often it is asked whether those who read still may."""
_REMEMBERED: Final = 10_000
_READS_AT_ONCE: Final = 2
_log = logging.getLogger(__name__)

Read = TypeVar("Read")


class LiveFullError(GisError):
    """Every stream is taken."""

    kind = "live-full"
    status = 429


class Reader:
    """One open stream."""

    def __init__(self, actor: Actor, caller: str) -> None:
        self.actor = actor
        self.caller = caller
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue(MOST_WAITING)

    def tell(self, event: bytes) -> None:
        """Put an event behind those that wait."""
        try:
            self.queue.put_nowait(event)
        except asyncio.QueueFull:
            self.end()

    def end(self) -> None:
        """Let the stream end; what it has not sent it will be asked for again."""
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(None)


class LiveHub:
    """The listener of one process, and the streams it tells."""

    def __init__(self, store: Store) -> None:
        self._store = store.apart(_READS_AT_ONCE)
        self._threads = ThreadPoolExecutor(_READS_AT_ONCE, thread_name_prefix="live")
        self._readers: set[Reader] = set()
        self._task: asyncio.Task[None] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._mark: Mark | None = None
        self._told_steps: deque[int] = deque(maxlen=_REMEMBERED)
        self._versions: list[VersionInForce] = []
        self._closed = False
        self._listening = asyncio.Event()

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return len(self._readers)

    def enter(self, actor: Actor, caller: str) -> Reader:
        """Take a stream, before anything is sent: of many who come at once no more get one."""
        limits = incident_settings()
        if self.streams >= limits.live_clients:
            raise LiveFullError("incidents.live_full", most=limits.live_clients)
        if sum(reader.caller == caller for reader in self._readers) >= limits.live_clients_each:
            raise LiveFullError("incidents.live_full_each", most=limits.live_clients_each)
        reader = Reader(actor, caller)
        self._readers.add(reader)
        return reader

    def leave(self, reader: Reader) -> None:
        """Give a stream back."""
        self._readers.discard(reader)

    async def stream(self, reader: Reader, since: Mark | None) -> AsyncIterator[bytes]:
        """
        Tell one reader what happens, until it goes away or the service ends.

        Parameters
        ----------
        reader
            Who has entered.
        since
            How far it has read before; None is from now on.

        Yields
        ------
        bytes
            Events, and a sign of life on a quiet stream.
        """
        heartbeat_s = incident_settings().live_heartbeat_s
        actor = reader.actor
        ends = time.monotonic() + _LONGEST_S
        try:
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._listen())
            if self._watch is None or self._watch.done():
                self._watch = asyncio.create_task(self._end_what_is_over())
            yield b"retry: 3000\n\n"
            async with asyncio.timeout(heartbeat_s):
                await self._listening.wait()
                missed = await self._read(self._read_missed, actor, since)
            for event in missed:
                yield event
            while not self._closed and time.monotonic() < ends:
                try:
                    event_or_end = await asyncio.wait_for(reader.queue.get(), heartbeat_s)
                except TimeoutError:
                    if not self._listening.is_set():
                        return  # nothing is heard: the page must not believe that nothing happens
                    yield b": still here\n\n"
                    continue
                if event_or_end is None:
                    return
                yield event_or_end
        except (*LOST, GisError) as error:
            _log.warning("a stream could not be told what it missed: %s", type(error).__name__)

    async def close(self) -> None:
        """End every stream and stop listening."""
        self._closed = True
        self._listening.set()
        for reader in self._readers:
            reader.end()
        tasks = [task for task in (self._task, self._watch) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._task = self._watch = None
        self._threads.shutdown(wait=False)
        self._store.close()

    async def _read(self, read: Callable[..., Read], *arguments: Any) -> Read:
        """Read in a thread of our own: those of the requests may all be taken."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(read, *arguments))

    # --- who may not read any more -----------------------------------------------------------

    async def _end_what_is_over(self) -> None:
        """End streams of sessions, accounts and keys that are over, or whose rights are others."""
        while self._readers:
            try:
                readers = list(self._readers)
                actors = [reader.actor for reader in readers]
                over = await self._read(find_ended, self._store, actors)
                for reader in readers:
                    if (reader.actor.origin.session_id, reader.actor.actor_id) in over:
                        reader.end()
            except GisError as error:  # nothing is heard of a store that is away either
                _log.warning("who reads could not be looked at: %s", type(error).__name__)
            await asyncio.sleep(_LOOK_AGAIN_S)

    # --- what was missed ---------------------------------------------------------------------

    def _read_missed(self, actor: Actor, since: Mark | None) -> list[bytes]:
        """Events behind a mark, and one that says how far they go."""
        with self._store.transaction(actor, read_only=True) as connection:
            if since is None:
                return [_format_event("ready", {}, read_present_mark(connection))]
            changes, mark, too_many = read_changes_since(connection, since)
            if too_many:
                return [_format_event("incident", {"reload": True}, mark)]
            in_sight = incidents_in_sight(
                connection, actor, (change.incident_id for change in changes)
            )
        events = [
            _format_event("incident", _describe_change(change), Mark(change.step_id, since.xmin))
            for change in changes
            if change.incident_id in in_sight
        ]
        return [*events, _format_event("ready", {}, mark)]

    # --- what happens ------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Hear the database; a lost connection is made anew, and nothing is missed by it."""
        wait_s = incident_settings().live_heartbeat_s
        while not self._closed:
            try:
                async for notice in listen(self._store.url, wait_s):
                    await self._tell_changes()
                    await self._tell_versions(published=notice.channel == "gis_version")
                    if notice.channel == "gis_plan":
                        self._tell_plan(notice.payload)
                    self._listening.set()
            except Exception as error:  # noqa: BLE001 (a listener that dies tells nobody)
                self._listening.clear()
                _log.warning("the live listener lost the database: %s", type(error).__name__)
                await asyncio.sleep(_AGAIN_S)

    async def _read_promptly(self, read: Callable[..., Read], *arguments: Any) -> Read:
        """Read what happened; whoever waits meanwhile is told when that takes too long."""
        waiting = asyncio.ensure_future(self._read(read, *arguments))
        finished, _ = await asyncio.wait({waiting}, timeout=incident_settings().live_heartbeat_s)
        if not finished:
            self._listening.clear()
            _log.warning("the live listener waits for the database")
        return await waiting

    async def _tell_changes(self) -> None:
        before, changes, after, too_many = await self._read_promptly(self._read_changes)
        self._mark = after
        if too_many:
            for reader in self._readers:
                reader.tell(_format_event("incident", {"reload": True}, after))
            return
        fresh = [change for change in changes if change.step_id not in self._told_steps]
        self._told_steps.extend(change.step_id for change in fresh)
        if not fresh:
            return
        groups: dict[tuple[str, tuple[int, ...] | None], list[Reader]] = defaultdict(list)
        for reader in self._readers:
            groups[reader.actor.role, reader.actor.areas].append(reader)
        for readers in list(groups.values()):
            in_sight = await self._read_promptly(self._read_in_sight, readers[0].actor, fresh)
            self._tell(readers, fresh, in_sight, before, after)

    def _tell(
        self,
        readers: Iterable[Reader],
        changes: list[IncidentChange],
        in_sight: frozenset[int],
        before: Mark,
        after: Mark,
    ) -> None:
        """Tell some readers; only behind the last event is all read that the mark says."""
        for change in changes:
            mark = after if change is changes[-1] else Mark(change.step_id, before.xmin)
            if change.incident_id in in_sight:
                for reader in readers:
                    reader.tell(_format_event("incident", _describe_change(change), mark))

    def _read_changes(self) -> tuple[Mark, list[IncidentChange], Mark, bool]:
        with self._store.transaction(SYSTEM, read_only=True) as connection:
            before = self._mark or read_present_mark(connection)
            if self._mark is None:
                return before, [], before, False
            changes, after, too_many = read_changes_since(connection, before)
            return before, changes, after, too_many

    def _read_in_sight(self, actor: Actor, changes: list[IncidentChange]) -> frozenset[int]:
        with self._store.transaction(actor, read_only=True) as connection:
            return incidents_in_sight(connection, actor, (change.incident_id for change in changes))

    async def _tell_versions(self, *, published: bool) -> None:
        """Tell which boundaries hold when some are published, and when a new day brings others."""
        versions = await self._read_promptly(self._read_versions)
        before, self._versions = self._versions, versions
        if before == versions and not published:
            return
        if before or published:
            for reader in self._readers:
                reader.tell(
                    _format_event(
                        "version", {"versions": [asdict(version) for version in versions]}
                    )
                )

    def _tell_plan(self, payload: str) -> None:
        """Tell that a plan goes on; what is in it is asked for by those who may read it."""
        plan_id, _, rev = payload.partition(":")
        event = _format_event("plan", {"plan_id": int(plan_id), "rev": int(rev)})
        for reader in self._readers:
            if READ_PLANS.allows(reader.actor):
                reader.tell(event)

    def _read_versions(self) -> list[VersionInForce]:
        with self._store.transaction(SYSTEM, read_only=True) as connection:
            return list_versions_in_force(connection)


def _describe_change(change: IncidentChange) -> dict[str, Any]:
    return {
        "incident_id": change.incident_id,
        "version": change.seq,
        "move": change.move,
        "state": change.state,
    }


def _format_event(name: str, data: dict[str, Any], mark: Mark | None = None) -> bytes:
    number = "" if mark is None else f"id: {mark}\n"
    payload = json.dumps(data, default=str, separators=(",", ":"))
    return f"event: {name}\n{number}data: {payload}\n\n".encode()


class _EventStream(StreamingResponse):
    """A stream that gives its place back however it ends, also before its first event."""

    def __init__(self, hub: LiveHub, reader: Reader, since: Mark | None) -> None:
        super().__init__(
            hub.stream(reader, since),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
        self._hub, self._reader = hub, reader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until either end is gone."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._hub.leave(self._reader)


# A description of the API has no word for a stream that never ends: docs/incidents.md has.
@router.get("/api/live", include_in_schema=False)
async def live(
    request: Request,
    actor: ActorDep,
    last_event_id: Annotated[str | None, Header(max_length=60)] = None,
    since: Annotated[str | None, Query(max_length=60)] = None,
) -> StreamingResponse:
    """Tell what happens from now on, or from where the reader was."""
    hub: LiveHub = request.app.state.live
    reader = hub.enter(actor, f"{actor.actor_id} {actor.origin.address}")
    return _EventStream(hub, reader, read_mark(last_event_id or since))
