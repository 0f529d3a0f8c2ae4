"""One-time links: by one the first administrator is made, by others somebody chooses a password.

What a link holds stands behind its ``#``, where no browser sends it on and no log has it. It begins
with what it is for, so that a page can ask for what is needed.
"""

from datetime import timedelta
from typing import Literal

import sqlalchemy as sa

from gis_service.access import passwords, queries, sessions
from gis_service.access.accounts import check_login, check_name
from gis_service.access.actor import SYSTEM, VISITOR, Actor, Origin, find_actor
from gis_service.access.audit import record
from gis_service.access.digests import digest, make_secret
from gis_service.access.permissions import MANAGE_ACCOUNTS
from gis_service.errors import InputError, NotAllowedError, Place
from gis_service.settings import access_settings
from gis_service.store import Store

Purpose = Literal["first", "invitation", "reset"]


def make_first_link(connection: sa.Connection) -> str | None:
    """
    Make the link by which the first administrator is made; earlier ones hold no more.

    Parameters
    ----------
    connection
        An open transaction.

    Returns
    -------
    str or None
        What the link holds; None where there are accounts.
    """
    if queries.has_accounts(connection):
        return None
    return _make_link(connection, "first", None)


def make_link(connection: sa.Connection, actor: Actor, actor_id: int) -> str:
    """
    Make a link by which somebody chooses a password; earlier ones of theirs hold no more.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who makes it, and may.
    actor_id
        Whose account; it is there and has not ended.

    Returns
    -------
    str
        What the link holds; told once.
    """
    account = queries.find_account(connection, actor_id)
    assert account is not None
    purpose: Purpose = "reset" if account.password_hash else "invitation"
    token = _make_link(connection, purpose, actor_id)
    record(connection, actor, "link", "account", actor_id, after={"purpose": purpose})
    return token


def _make_link(connection: sa.Connection, purpose: Purpose, actor_id: int | None) -> str:
    queries.end_links(connection, actor_id)
    token = f"{purpose}-{make_secret()}"
    lasts = timedelta(hours=access_settings().link_hours)
    queries.insert_link(
        connection, lasts=lasts, digest=digest(token), purpose=purpose, actor_id=actor_id
    )
    return token


def follow_link(
    store: Store,
    token: str,
    password: str,
    first: tuple[str, str] | None,
    origin: Origin,
    user_agent: str,
) -> tuple[Actor, str]:
    """
    Choose a password by a link, and sign in.

    Parameters
    ----------
    store
        The store.
    token
        What the link holds.
    password
        The new one.
    first
        Login and name of the first administrator, where the link makes one.
    origin
        Where the request comes from.
    user_agent
        Of the browser.

    Returns
    -------
    actor
        Who is signed in now.
    name
        Of the session.

    Raises
    ------
    NotAllowedError
        The link is used, over, or never was.
    InputError
        Login, name or password cannot be taken; the link holds on.
    """
    with store.transaction(VISITOR, read_only=True) as connection:
        link = queries.find_link(connection, digest(token))
        if link is None:
            raise NotAllowedError("access.link_over")
        is_first = link.actor_id is None
        actor = (SYSTEM if is_first else find_actor(connection, link.actor_id)).at(origin)
    login, name = link.login, ""
    if is_first:
        if first is None:
            raise InputError("access.first_needs_login", place=Place(field="login"))
        login, name = check_login(first[0]), check_name(first[1])
    passwords.check_password(password, login)
    password_hash = passwords.hash_password(password)
    with store.transaction(actor) as connection:
        if not queries.use_link(connection, digest(token)):
            raise NotAllowedError("access.link_over")
        actor_id = _make_administrator(connection, login, name) if is_first else actor.actor_id
        queries.update_account(
            connection, actor_id, {"password_hash": password_hash, "password_at": sa.func.now()}
        )
        queries.end_sessions(connection, actor_id)
        record(connection, actor, "set_password", "account", actor_id)
        actor = find_actor(connection, actor_id).at(origin)
    with store.transaction(actor) as connection:
        return actor, sessions.begin_session(connection, actor, user_agent)


def _make_administrator(connection: sa.Connection, login: str, name: str) -> int:
    queries.lock_administrators(connection)
    if queries.has_accounts(connection):
        raise NotAllowedError("access.link_over")
    (role,) = MANAGE_ACCOUNTS.roles
    actor_id = queries.insert_actor(connection, name=name, name_en=name, role=role, areas=None)
    queries.insert_account(
        connection, actor_id=actor_id, login=login, made_by=SYSTEM.actor_id, officer_id=None
    )
    record(connection, SYSTEM, "make", "account", actor_id, after={"role": role})
    return actor_id
