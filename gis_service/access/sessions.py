"""Sessions: who is signed in from which browser, in PostgreSQL, so that every process knows.

A session is a random name in a cookie; the store holds its digest. It ends by signing out, by the
clock, unused, or with its account. Nothing here looks at a password.
"""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from gis_service.access import queries
from gis_service.access.actor import VISITOR, Actor, Origin, actor_of
from gis_service.access.audit import record
from gis_service.access.digests import digest, make_secret
from gis_service.errors import NotFoundError
from gis_service.settings import access_settings
from gis_service.store import Store


@dataclass(frozen=True)
class OpenSession:
    """A session as a request finds it."""

    session_id: int
    login: str
    actor: Actor


@dataclass(frozen=True)
class ListedSession:
    """A session as its owner sees it."""

    session_id: int
    began_at: datetime
    seen_at: datetime
    address: str
    user_agent: str
    current: bool


def _idle() -> timedelta:
    return timedelta(minutes=access_settings().session_idle_minutes)


def begin_session(connection: sa.Connection, actor: Actor, user_agent: str) -> str:
    """Begin a session and give its name, which nobody else is told."""
    name = make_secret()
    session_id = queries.insert_session(
        connection,
        lasts=timedelta(hours=access_settings().session_hours),
        digest=digest(name),
        actor_id=actor.actor_id,
        address=actor.origin.address,
        user_agent=user_agent[:200],
    )
    record(connection, actor, "sign_in", "session", session_id)
    return name


def find_session(store: Store, name: str) -> OpenSession | None:
    """
    Find the open session of a cookie, and write down once a minute that it is used.

    Parameters
    ----------
    store
        The store.
    name
        As the cookie has it.

    Returns
    -------
    OpenSession or None
        None where there is none, or it has ended.
    """
    with store.transaction(VISITOR) as connection:
        row = queries.find_session(connection, digest(name), _idle())
        if row is None:
            return None
        if row.is_old:
            queries.touch_session(connection, row.session_id)
        return OpenSession(row.session_id, row.login, actor_of(row))


def token_of(name: str) -> str:
    """
    Give what a page of ours sends with every change, and a page of somebody else's cannot know.

    Parameters
    ----------
    name
        Of the session.

    Returns
    -------
    str
        It tells nothing of the name.
    """
    return hashlib.sha256(b"gis_service page " + name.encode("utf-8", "surrogatepass")).hexdigest()


def is_token(given: str, name: str) -> bool:
    """
    Compare what came with a change with what belongs to its session.

    Parameters
    ----------
    given
        As it was sent.
    name
        Of the session.

    Returns
    -------
    bool
        In the same time, wherever they differ.
    """
    return secrets.compare_digest(given.encode(), token_of(name).encode())


def list_sessions(connection: sa.Connection, actor: Actor) -> list[ListedSession]:
    """
    List the open sessions of whoever asks.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.

    Returns
    -------
    list of ListedSession
        The newest first.
    """
    return [
        ListedSession(
            row.session_id,
            row.began_at,
            row.seen_at,
            row.address,
            row.user_agent,
            row.session_id == actor.origin.session_id,
        )
        for row in queries.list_sessions(connection, actor.actor_id, _idle())
    ]


def end_session(connection: sa.Connection, actor: Actor, session_id: int) -> None:
    """
    End a session of one's own: sign out, here or elsewhere.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Whose session.
    session_id
        Which.

    Raises
    ------
    NotFoundError
        It is nobody's, somebody else's, or has ended.
    """
    if not queries.end_sessions(connection, actor.actor_id, one=session_id):
        raise NotFoundError("access.no_session", session=session_id)
    record(connection, actor, "sign_out", "session", session_id)


def end_session_of(store: Store, name: str, origin: Origin) -> None:
    """
    End the session of a cookie, if there is one: another takes its place.

    Parameters
    ----------
    store
        The store.
    name
        As the cookie has it.
    origin
        Where the request comes from.
    """
    found = find_session(store, name)
    if found is not None:
        actor = found.actor.at(origin)
        with store.transaction(actor) as connection:
            if queries.end_sessions(connection, actor.actor_id, one=found.session_id):
                record(connection, actor, "sign_out", "session", found.session_id)


def find_ended(store: Store, actors: Iterable[Actor]) -> frozenset[tuple[int | None, int]]:
    """
    Tell for whom a stream must end: session, account or key is over, or the rights are others.

    Parameters
    ----------
    store
        The store.
    actors
        Who reads; a visitor has nothing to lose.

    Returns
    -------
    frozenset
        Session (None without one) and actor of those who may not go on.
    """
    readers = [actor for actor in actors if actor.role != VISITOR.role]
    signed_in = {
        actor.origin.session_id: actor for actor in readers if actor.origin.session_id is not None
    }
    others = {actor.actor_id for actor in readers if actor.origin.session_id is None}
    rights: dict[tuple[int | None, int], tuple[object, ...]] = {}
    with store.transaction(VISITOR, read_only=True) as connection:
        for session_id, right in queries.read_open_sessions(connection, signed_in, _idle()).items():
            rights[session_id, signed_in[session_id].actor_id] = right
        for actor_id, right in queries.read_present_actors(connection, others).items():
            rights[None, actor_id] = right
    return frozenset(
        key
        for actor in readers
        for key in [(actor.origin.session_id, actor.actor_id)]
        if rights.get(key) != (actor.role, actor.areas)
    )
