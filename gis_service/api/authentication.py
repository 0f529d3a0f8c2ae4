"""Who asks: the one place where a cookie, a key or a name of a request becomes an actor.

Every door asks here: pages and their API, places by the thousand, tiles, streams, Open311. A
session comes before a key, a key before a demo actor of made-up people, and whoever has none of
them is a visitor. No address has a say.
"""

from dataclasses import dataclass, replace
from typing import Final

from anyio.to_thread import run_sync
from fastapi import Request

from gis_service.access import keys, sessions
from gis_service.access.actor import VISITOR, Actor, Origin, list_demo_actors
from gis_service.access.audit import record
from gis_service.access.digests import digest
from gis_service.api.guard import may_sign_in, tells_own_origin
from gis_service.api.revalidating import RevalidatingCache
from gis_service.errors import GisError, NotAllowedError, NotFoundError, SignInNeededError
from gis_service.store import Store

ACTOR_COOKIE: Final = "gis_actor"
ACTOR_HEADER: Final = "x-gis-actor"
TOKEN_HEADER: Final = "x-gis-token"  # noqa: S105 (its name)
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_SIGNING_OUT: Final = "/api/session"


@dataclass(frozen=True)
class Caller:
    """Who asks, and by what that is known."""

    actor: Actor
    session_id: int | None = None
    login: str | None = None
    token: str | None = None
    is_demo: bool = False


def session_cookie(request: Request) -> str:
    """Name the cookie of a session: under TLS one that no other host or path can have set."""
    return "__Host-gis_session" if request.url.scheme == "https" else "gis_session"


def origin_of(request: Request) -> Origin:
    """Tell where a request comes from; behind a trusted proxy, what that says."""
    address = request.client.host if request.client else ""
    return Origin(None, address, getattr(request.state, "request_id", ""))


def may_offer_session(request: Request) -> None:
    """Refuse to take a password over a line that others can read."""
    if not may_sign_in(request):
        raise NotAllowedError("access.needs_tls")


class Authenticator:
    """Tells who asks; one for an app."""

    def __init__(self, store: Store, cache: RevalidatingCache) -> None:
        self._store, self._cache = store, cache

    async def identify(self, request: Request) -> Caller:
        """Find who asks, and remember it for the record."""
        caller = (
            await self._find_by_session(request)
            or await self._find_by_key(request)
            or await self._find_by_choice(request)
        )
        origin = replace(origin_of(request), session_id=caller.session_id)
        caller = replace(caller, actor=caller.actor.at(origin))
        request.state.actor = caller.actor
        return caller

    async def _find_by_session(self, request: Request) -> Caller | None:
        name = request.cookies.get(session_cookie(request))
        if not name:
            return None
        found = await self._cache.get(
            ("session", digest(name)), lambda: sessions.find_session(self._store, name)
        )
        if found is None:
            request.state.forget_cookie = session_cookie(request)
            if request.method not in SAFE and request.url.path != _SIGNING_OUT:
                raise SignInNeededError("access.session_over")
            return None
        if request.method not in SAFE:
            self._require_own_page(request, found, name)
        return Caller(found.actor, found.session_id, found.login, sessions.token_of(name))

    def _require_own_page(self, request: Request, found: sessions.OpenSession, name: str) -> None:
        """Refuse a change that no page of ours asks for; a browser states the origin of each."""
        has_token = sessions.is_token(request.headers.get(TOKEN_HEADER, ""), name)
        if not has_token or not tells_own_origin(request):
            origin = replace(origin_of(request), session_id=found.session_id)
            request.state.actor = found.actor.at(origin)
            raise NotAllowedError("access.bad_token")

    async def _find_by_key(self, request: Request) -> Caller | None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        found = await self._cache.get(
            ("key", digest(key)), lambda: keys.find_key(self._store, key.strip())
        )
        if found is None:
            raise SignInNeededError("access.bad_key")
        return self._let_in(request, found)

    def _let_in(self, request: Request, found: keys.KeyActor) -> Caller:
        request.state.actor = found.actor.at(origin_of(request))
        keys.require_scope(found.scopes, request.method, request.url.path)
        return Caller(found.actor)

    async def _find_by_choice(self, request: Request) -> Caller:
        offered = await self._cache.get("actors", self.list_demo_actors)
        header = request.headers.get(ACTOR_HEADER)
        actor_id_text = header or request.cookies.get(ACTOR_COOKIE)
        if actor_id_text and all(actor_id_text != str(actor.actor_id) for actor in offered):
            offered = await run_sync(self.list_demo_actors)  # made within this second, or not there
        if not offered:
            return Caller(VISITOR)
        for actor in offered:
            if actor_id_text == str(actor.actor_id):
                return Caller(actor, is_demo=True)
        if header:
            raise NotFoundError("access.no_actor", actor=header[:20])
        return Caller(offered[0], is_demo=True)

    def identify_open311(self, request: Request, key: str | None) -> Actor | None:
        """Find whose key it is; cookies and headers mean nothing there."""
        if not key:
            return None
        found = keys.find_key(self._store, key)
        if found is None:
            raise NotAllowedError("incidents.open311_bad_key")
        self._let_in(request, found)
        actor: Actor = request.state.actor
        return actor

    def forget_session(self, request: Request) -> None:
        """Let this process ask the store at once about the session of a request."""
        name = request.cookies.get(session_cookie(request))
        if name:
            self._cache.forget(("session", digest(name)))

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


def record_refusal(request: Request, error: GisError) -> None:
    """Write down that somebody known was refused; a stranger could fill the record with it."""
    actor: Actor | None = getattr(request.state, "actor", None)
    if actor is None or actor.role == VISITOR.role:
        return
    route = request.scope.get("route")
    door = f"{request.method} {getattr(route, 'path', request.url.path)}"[:200]
    store: Store = request.app.state.store
    with store.transaction(actor) as connection:
        record(connection, actor, "refuse", "request", door, after={"reason": error.key})
