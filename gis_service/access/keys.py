"""API keys of other systems: shown once, for some doors only, until a day.

A key is an actor of its own with role and areas. The store holds its digest and its first letters.
Which door a request goes to is decided here alone, by method and path.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, get_args

import sqlalchemy as sa

from gis_service.access import queries
from gis_service.access.accounts import check_areas, check_name, check_role
from gis_service.access.actor import VISITOR, Actor, actor_of
from gis_service.access.audit import record
from gis_service.access.digests import digest, make_secret
from gis_service.access.permissions import ROLES_OF_KEYS
from gis_service.errors import InputError, NotAllowedError, NotFoundError, Place
from gis_service.store import Store

Scope = Literal["locate", "assign", "tiles", "read", "report", "open311"]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
LONGEST_DAYS: Final = 1100
_PREFIX: Final = "gis_"

_DOORS: Final[tuple[tuple[Scope | None, str], ...]] = (
    (None, r"[A-Z]+ /api/(accounts|keys|sessions|session|password)\b.*"),
    (None, r"GET /api/actors"),
    ("open311", r"(GET|POST) /open311/.*"),
    ("locate", r"(GET|POST) /api/locate"),
    ("assign", r"POST /api/assign"),
    ("tiles", r"GET /api/(tiles|base|coverage/areas)\b.*"),
    ("report", r"POST /api/incidents(/[^/]+/photos)?"),
    ("report", r"GET /api/incidents/(kinds|duplicates)"),
    ("read", r"(GET|HEAD) /.*"),
)
"""The first that fits says what a key must be for; what none names is no door for keys."""


@dataclass(frozen=True)
class KeyActor:
    """Who asks by a key, and what the key is for."""

    actor: Actor
    scopes: frozenset[str]


@dataclass(frozen=True)
class ApiKey:
    """A key as an administrator sees it."""

    key_id: int
    hint: str
    name: str
    role: str
    scopes: tuple[str, ...]
    areas: tuple[int, ...] | None
    made_at: datetime
    expires_at: datetime
    used_at: datetime | None
    ended_at: datetime | None


def find_scope(method: str, path: str) -> Scope | None:
    """Tell what a key must be for to come in by a door; None: no key does."""
    asked = f"{method} {path}"
    return next((scope for scope, door in _DOORS if re.fullmatch(door, asked)), None)


def require_scope(scopes: Iterable[str], method: str, path: str) -> None:
    """
    Refuse a key that is not for a door.

    Parameters
    ----------
    scopes
        What it is for.
    method, path
        Of the request.

    Raises
    ------
    NotAllowedError
        It is for others, or no key comes in here.
    """
    scope = find_scope(method, path)
    if scope is None:
        raise NotAllowedError("access.no_keys_here")
    if scope not in scopes:
        raise NotAllowedError("access.key_scope", scope=scope)


def find_key(store: Store, key: str) -> KeyActor | None:
    """
    Find whose key it is, and write down to the minute that it is used.

    Parameters
    ----------
    store
        The store.
    key
        As it was sent.

    Returns
    -------
    KeyActor or None
        None where there is no such key, or it has ended.
    """
    with store.transaction(VISITOR) as connection:
        row = queries.find_key(connection, digest(key))
        if row is None:
            return None
        if row.is_old:
            queries.touch_key(connection, row.key_id)
        return KeyActor(actor_of(row), frozenset(row.scopes))


@dataclass(frozen=True)
class NewKey:
    """What a key is made of."""

    name: str
    role: str
    scopes: tuple[str, ...]
    areas: tuple[int, ...] | None
    days: int


def make_key(connection: sa.Connection, actor: Actor, new: NewKey) -> tuple[ApiKey, str]:
    """
    Make a key.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who makes it.
    new
        What it is made of.

    Returns
    -------
    ApiKey
        As it stands.
    str
        The key; it is told this once.

    Raises
    ------
    InputError
        Something of it cannot be; the place names the field.
    """
    name = check_name(new.name)
    check_role(new.role, new.areas)
    if new.role not in ROLES_OF_KEYS:
        raise InputError("access.role_without_keys", place=Place(field="role"), role=new.role)
    check_areas(connection, new.areas)
    scopes = sorted(set(new.scopes))
    if not scopes or not set(scopes) <= set(SCOPES):
        place = Place(field="scopes")
        raise InputError("access.bad_scopes", place=place, scopes=", ".join(SCOPES))
    if not 1 <= new.days <= LONGEST_DAYS:
        raise InputError("access.key_days", place=Place(field="days"), most=LONGEST_DAYS)
    key = _PREFIX + make_secret()
    areas = None if new.areas is None else sorted(set(new.areas))
    actor_id = queries.insert_actor(connection, name=name, name_en=name, role=new.role, areas=areas)
    key_id = queries.insert_key(
        connection,
        lasts=timedelta(days=new.days),
        digest=digest(key),
        hint=key[: len(_PREFIX) + 4],
        actor_id=actor_id,
        scopes=scopes,
        made_by=actor.actor_id,
    )
    after = {"role": new.role, "areas": areas, "scopes": scopes, "days": new.days}
    record(connection, actor, "make", "key", key_id, after={**after, "actor_id": actor_id})
    made = next(listed for listed in list_keys(connection) if listed.key_id == key_id)
    return made, key


def list_keys(connection: sa.Connection) -> list[ApiKey]:
    """
    List every key, also those that have ended.

    Parameters
    ----------
    connection
        An open transaction.

    Returns
    -------
    list of ApiKey
        The newest first.
    """
    return [
        ApiKey(
            key_id=row.key_id,
            hint=row.hint,
            name=row.name,
            role=row.role,
            scopes=tuple(row.scopes),
            areas=None if row.areas is None else tuple(row.areas),
            made_at=row.made_at,
            expires_at=row.expires_at,
            used_at=row.used_at,
            ended_at=row.ended_at,
        )
        for row in queries.list_keys(connection)
    ]


def end_key(connection: sa.Connection, actor: Actor, key_id: int) -> None:
    """
    End a key.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who ends it.
    key_id
        Which; one that has ended stays as it is.

    Raises
    ------
    NotFoundError
        There is none.
    """
    if not queries.end_key(connection, key_id):
        raise NotFoundError("access.no_key", number=key_id)
    record(connection, actor, "end", "key", key_id)
