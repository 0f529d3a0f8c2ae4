"""Who asks: the one place where a name, a cookie or a key of a request becomes an actor.

Every door asks here: the page and its API, places by the thousand, the stream of events, Open311.
Until there are accounts that is a demo actor of made-up people, the administrator in a session,
whoever the settings name for an Open311 key, and else a visitor. No address has a say.
"""

import hmac
from typing import Final

from anyio.to_thread import run_sync
from fastapi import Request

from gis_service.access.actor import ADMINISTRATOR, VISITOR, Actor, find_actor, list_demo_actors
from gis_service.access.sessions import Sessions
from gis_service.api.revalidating import RevalidatingCache
from gis_service.errors import NotAllowedError, NotFoundError
from gis_service.settings import incident_settings
from gis_service.store import Store

ACTOR_COOKIE: Final = "gis_actor"
ACTOR_HEADER: Final = "x-gis-actor"
SESSION_COOKIE: Final = "gis_session"


class Authenticator:
    """Tells who asks; one for an app."""

    def __init__(self, store: Store, sessions: Sessions, cache: RevalidatingCache) -> None:
        self.sessions: Final = sessions
        self._store, self._cache = store, cache

    async def identify(self, request: Request) -> Actor:
        """Find who asks by the header or the cookies of a request."""
        offered = await self._cache.get("actors", self.list_demo_actors)
        header = request.headers.get(ACTOR_HEADER)
        actor_id_text = header or request.cookies.get(ACTOR_COOKIE)
        if actor_id_text and all(actor_id_text != str(actor.actor_id) for actor in offered):
            offered = await run_sync(self.list_demo_actors)  # made within this second, or not there
        if not offered:
            signed_in = self.sessions.holds(request.cookies.get(SESSION_COOKIE))
            return ADMINISTRATOR if signed_in else VISITOR
        for actor in offered:
            if actor_id_text == str(actor.actor_id):
                return actor
        if header:
            raise NotFoundError("access.no_actor", actor=header[:20])
        return offered[0]

    def identify_by_key(self, key: str | None) -> Actor | None:
        """Find whose Open311 key it is; cookies and headers mean nothing there."""
        if not key:
            return None
        actor_ids = [
            actor_id
            for open311_key, actor_id in incident_settings().open311_keys.items()
            if hmac.compare_digest(open311_key.encode(), key.encode())
        ]
        if not actor_ids:
            raise NotAllowedError("incidents.open311_bad_key")
        with self._store.transaction(VISITOR, read_only=True) as connection:
            return find_actor(connection, actor_ids[0])

    def list_demo_actors(self) -> list[Actor]:
        """List whom anybody may choose to be."""
        with self._store.transaction(VISITOR, read_only=True) as connection:
            return list_demo_actors(connection)

    def find_demo_actor(self, actor_id: int) -> Actor:
        """Find a demo actor by its id."""
        offered = self.list_demo_actors()
        if not offered:
            raise NotAllowedError("api.no_choice_of_actor")
        for actor in offered:
            if actor.actor_id == actor_id:
                return actor
        raise NotFoundError("access.no_actor", actor=actor_id)

    def sign_out(self, request: Request) -> None:
        """End the session of a request; without one nothing happens."""
        self.sessions.end(request.cookies.get(SESSION_COOKIE))
