"""Statements on accounts, sessions, one-time links, keys and wrong passwords.

They decide nothing; who may do what, and what is written into the record, say the modules beside.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from gis_service.store import tables as t
from gis_service.store.engine import in_whole_county, whole_county

_account, _actor, _session, _link, _key, _failure = (
    t.account.c,
    t.actor.c,
    t.session.c,
    t.one_time_link.c,
    t.api_key.c,
    t.sign_in_failure.c,
)
_WHO: Final = (_actor.actor_id, _actor.name, _actor.name_en, _actor.role, _actor.areas)
_ADMINISTRATORS: Final = 4_906_119  # a lock's number, next to the store's


# --- accounts ------------------------------------------------------------------------------------


def _accounts() -> sa.Select[Any]:
    columns = (
        _account.login,
        _account.password_hash,
        _account.officer_id,
        _account.made_at,
        _account.ended_at,
        sa.select(sa.func.max(_session.seen_at))
        .where(_session.actor_id == _actor.actor_id)
        .scalar_subquery()
        .label("seen_at"),
    )
    return sa.select(*_WHO, *columns).join(t.account, _account.actor_id == _actor.actor_id)


def list_accounts(connection: sa.Connection) -> Sequence[sa.Row[Any]]:
    """Read every account with its actor."""
    return connection.execute(_accounts().order_by(_account.login)).all()


def find_account(connection: sa.Connection, actor_id: int) -> sa.Row[Any] | None:
    """Read one account, which nobody else changes until the end of the transaction."""
    query = _accounts().where(_actor.actor_id == actor_id)
    return connection.execute(query.with_for_update(of=t.account)).first()


def find_login(connection: sa.Connection, login: str) -> sa.Row[Any] | None:
    """Read the account of a login that may sign in."""
    query = _accounts().where(_account.login == login, _account.ended_at.is_(None))
    return connection.execute(query).first()


def read_logins(connection: sa.Connection, logins: Iterable[str]) -> set[str]:
    """Tell which logins are taken, also by accounts that have ended."""
    query = sa.select(_account.login).where(_account.login.in_(list(logins)))
    return set(connection.execute(query).scalars())


def has_accounts(connection: sa.Connection) -> bool:
    """Tell whether there is any account, ended or not."""
    return bool(connection.scalar(sa.select(sa.exists(sa.select(t.account)))))


def insert_actor(connection: sa.Connection, **values: object) -> int:
    """Write somebody who may ask."""
    query = sa.insert(t.actor).values(values).returning(_actor.actor_id)
    return int(connection.execute(query).scalar_one())


def insert_account(connection: sa.Connection, **values: object) -> None:
    """Write an account of an actor."""
    connection.execute(sa.insert(t.account).values(values))


def update_actor(connection: sa.Connection, actor_id: int, values: Mapping[str, object]) -> None:
    """Change name, role or areas."""
    connection.execute(sa.update(t.actor).where(_actor.actor_id == actor_id).values(dict(values)))


def update_account(connection: sa.Connection, actor_id: int, values: Mapping[str, object]) -> None:
    """Change what belongs to signing in."""
    query = sa.update(t.account).where(_account.actor_id == actor_id)
    connection.execute(query.values(dict(values)))


def end_account(connection: sa.Connection, actor_id: int) -> None:
    """Let nobody sign in by an account any more."""
    query = sa.update(t.account).where(_account.actor_id == actor_id, _account.ended_at.is_(None))
    connection.execute(query.values(ended_at=sa.func.now()))


def lock_administrators(connection: sa.Connection) -> None:
    """Wait until nobody else makes or ends administrators; held to the end of the transaction."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADMINISTRATORS)))


def count_others(connection: sa.Connection, actor_id: int, roles: Iterable[str]) -> int:
    """Count who beside somebody can sign in with one of some roles."""
    query = (
        sa.select(sa.func.count())
        .select_from(t.account.join(t.actor, _actor.actor_id == _account.actor_id))
        .where(
            _actor.role.in_(list(roles)),
            _actor.actor_id != actor_id,
            _account.ended_at.is_(None),
            _account.password_hash.is_not(None),
        )
    )
    return int(connection.execute(query).scalar_one())


def is_ended(connection: sa.Connection, actor_id: int) -> bool:
    """
    Tell whether whoever an actor stands for may not ask any more.

    Parameters
    ----------
    connection
        An open transaction.
    actor_id
        Whose.

    Returns
    -------
    bool
        True where the account or the key has ended.
    """
    account = sa.exists().where(_account.actor_id == actor_id, _account.ended_at.is_not(None))
    key = sa.exists().where(_key.actor_id == actor_id, ~_is_valid_key())
    return bool(connection.scalar(sa.select(sa.or_(account, key))))


def find_unknown_grids(connection: sa.Connection, grid_ids: Iterable[int]) -> list[int]:
    """Tell which ids are no grid of today."""
    wanted = sorted(set(grid_ids))
    query = sa.select(t.grid_state.c.grid_id).where(
        t.grid_state.c.grid_id.in_(wanted), t.grid_state.c.valid.op("@>")(sa.func.gis_today())
    )
    known = set(connection.execute(query).scalars())
    return [grid_id for grid_id in wanted if grid_id not in known]


def find_grids_by_code(connection: sa.Connection, codes: Iterable[str]) -> dict[str, list[int]]:
    """Find the grids of today by their codes, which are one only within a scheme."""
    state = t.grid_state.c
    query = sa.select(state.code, state.grid_id).where(
        state.code.in_(list(codes)), state.valid.op("@>")(sa.func.gis_today())
    )
    found: dict[str, list[int]] = {}
    for code, grid_id in connection.execute(query):
        found.setdefault(code, []).append(grid_id)
    return found


@in_whole_county
def find_officers_by_key(connection: sa.Connection, keys: Iterable[str]) -> dict[str, int]:
    """Find officers by the keys of their records."""
    officer = t.officer.c
    query = sa.select(officer.key, officer.officer_id).where(officer.key.in_(list(keys)))
    with whole_county(connection):  # an administrator sees no officer, but may link one
        return {row.key: row.officer_id for row in connection.execute(query)}


@in_whole_county
def is_officer(connection: sa.Connection, officer_id: int) -> bool:
    """Tell whether there is such an officer."""
    query = sa.select(sa.exists().where(t.officer.c.officer_id == officer_id))
    with whole_county(connection):
        return bool(connection.scalar(query))


# --- sessions ------------------------------------------------------------------------------------


def _is_open(idle: timedelta) -> sa.ColumnElement[bool]:
    return sa.and_(
        _session.ended_at.is_(None),
        _session.ends_at > sa.func.now(),
        _session.seen_at > sa.func.now() - idle,
        _account.ended_at.is_(None),
    )


_SESSIONS: Final = t.session.join(t.actor, _actor.actor_id == _session.actor_id).join(
    t.account, _account.actor_id == _session.actor_id
)


def insert_session(connection: sa.Connection, *, lasts: timedelta, **values: object) -> int:
    """Begin a session."""
    query = sa.insert(t.session).values(ends_at=sa.func.now() + lasts, **values)
    return int(connection.execute(query.returning(_session.session_id)).scalar_one())


def find_session(connection: sa.Connection, digest: bytes, idle: timedelta) -> sa.Row[Any] | None:
    """Find an open session with its actor."""
    is_old = _session.seen_at < sa.func.now() - timedelta(minutes=1)
    query = sa.select(_session.session_id, _account.login, is_old.label("is_old"), *_WHO)
    query = query.select_from(_SESSIONS).where(_session.digest == digest, _is_open(idle))
    return connection.execute(query).first()


def touch_session(connection: sa.Connection, session_id: int) -> None:
    """Write down that a session was used."""
    query = sa.update(t.session).where(_session.session_id == session_id)
    connection.execute(query.values(seen_at=sa.func.now()))


def list_sessions(
    connection: sa.Connection, actor_id: int, idle: timedelta
) -> Sequence[sa.Row[Any]]:
    """List the open sessions of one account, the newest first."""
    query = sa.select(t.session).select_from(_SESSIONS)
    query = query.where(_session.actor_id == actor_id, _is_open(idle))
    return connection.execute(query.order_by(_session.session_id.desc())).all()


def end_sessions(
    connection: sa.Connection, actor_id: int, *, one: int | None = None, but: int | None = None
) -> int:
    """End sessions of an account: all, one of them, or all but one; tell how many were open."""
    query = sa.update(t.session).where(_session.actor_id == actor_id, _session.ended_at.is_(None))
    if one is not None:
        query = query.where(_session.session_id == one)
    if but is not None:
        query = query.where(_session.session_id != but)
    return connection.execute(query.values(ended_at=sa.func.now())).rowcount


def was_signed_in_from(connection: sa.Connection, actor_id: int, address: str) -> bool:
    """Tell whether an account has signed in from an address before."""
    condition = (_session.actor_id == actor_id) & (_session.address == address)
    return bool(connection.scalar(sa.select(sa.exists().where(condition))))


def read_open_sessions(
    connection: sa.Connection, session_ids: Iterable[int], idle: timedelta
) -> dict[int, tuple[Any, ...]]:
    """Tell which of some sessions are open, each with role and areas of today."""
    query = sa.select(_session.session_id, _actor.role, _actor.areas).select_from(_SESSIONS)
    query = query.where(_session.session_id.in_(list(session_ids)), _is_open(idle))
    return _rights_by_id(connection, query)


def read_present_actors(
    connection: sa.Connection, actor_ids: Iterable[int]
) -> dict[int, tuple[Any, ...]]:
    """Tell which of some actors without a session may still ask, with role and areas of today."""
    has_key = sa.exists().where(_key.actor_id == _actor.actor_id, _is_valid_key())
    is_demo = _actor.is_demo & sa.exists(sa.select(t.made_up))
    query = sa.select(_actor.actor_id, _actor.role, _actor.areas)
    query = query.where(_actor.actor_id.in_(list(actor_ids)), sa.or_(has_key, is_demo))
    return _rights_by_id(connection, query)


def _rights_by_id(connection: sa.Connection, query: sa.Select[Any]) -> dict[int, tuple[Any, ...]]:
    return {
        row[0]: (row.role, None if row.areas is None else tuple(row.areas))
        for row in connection.execute(query)
    }


# --- one-time links ------------------------------------------------------------------------------


def insert_link(connection: sa.Connection, *, lasts: timedelta, **values: object) -> None:
    """Write a link that holds for a while."""
    query = sa.insert(t.one_time_link).values(expires_at=sa.func.now() + lasts, **values)
    connection.execute(query)


def end_links(connection: sa.Connection, actor_id: int | None) -> None:
    """End what links there are for an account; None are those that make the first one."""
    query = sa.update(t.one_time_link).where(
        _link.actor_id.is_not_distinct_from(actor_id), _link.used_at.is_(None)
    )
    connection.execute(query.values(used_at=sa.func.now()))


def _is_valid_link(digest: bytes) -> sa.ColumnElement[bool]:
    whose = t.account.alias().c
    ended = sa.exists().where(whose.actor_id == _link.actor_id, whose.ended_at.is_not(None))
    return sa.and_(
        _link.digest == digest, _link.used_at.is_(None), _link.expires_at > sa.func.now(), ~ended
    )


def find_link(connection: sa.Connection, digest: bytes) -> sa.Row[Any] | None:
    """Find a link that may still be used, with the login it belongs to."""
    query: sa.Select[Any] = (
        sa.select(_link.purpose, _link.actor_id, _account.login)
        .select_from(t.one_time_link.outerjoin(t.account, _account.actor_id == _link.actor_id))
        .where(_is_valid_link(digest))
    )
    return connection.execute(query).first()


def use_link(connection: sa.Connection, digest: bytes) -> bool:
    """Use a link up; of two who come at once one is told that it holds no more."""
    query = sa.update(t.one_time_link).where(_is_valid_link(digest))
    return connection.execute(query.values(used_at=sa.func.now())).rowcount == 1


# --- keys ----------------------------------------------------------------------------------------


def _is_valid_key() -> sa.ColumnElement[bool]:
    return sa.and_(_key.ended_at.is_(None), _key.expires_at > sa.func.now())


_KEYS: Final = t.api_key.join(t.actor, _actor.actor_id == _key.actor_id)


def insert_key(connection: sa.Connection, *, lasts: timedelta, **values: object) -> int:
    """Write a key."""
    query = sa.insert(t.api_key).values(expires_at=sa.func.now() + lasts, **values)
    return int(connection.execute(query.returning(_key.key_id)).scalar_one())


def find_key(connection: sa.Connection, digest: bytes) -> sa.Row[Any] | None:
    """Find a key that holds, with its actor."""
    minute = timedelta(minutes=1)
    is_old = _key.used_at.is_(None) | (_key.used_at < sa.func.now() - minute)
    query = sa.select(_key.key_id, _key.scopes, is_old.label("is_old"), *_WHO)
    query = query.select_from(_KEYS).where(_key.digest == digest, _is_valid_key())
    return connection.execute(query).first()


def touch_key(connection: sa.Connection, key_id: int) -> None:
    """Write down to the minute that a key was used."""
    query = sa.update(t.api_key).where(_key.key_id == key_id)
    connection.execute(query.values(used_at=sa.func.date_trunc("minute", sa.func.now())))


def list_keys(connection: sa.Connection) -> Sequence[sa.Row[Any]]:
    """Read every key with its actor, the newest first."""
    columns = (
        _key.key_id, _key.hint, _key.scopes, _key.made_at, _key.expires_at, _key.used_at,
        _key.ended_at,
    )  # fmt: skip
    query: sa.Select[Any] = sa.select(*columns, *_WHO).select_from(_KEYS)
    return connection.execute(query.order_by(_key.key_id.desc())).all()


def end_key(connection: sa.Connection, key_id: int) -> bool:
    """End a key; tell whether there is one."""
    query = sa.update(t.api_key).where(_key.key_id == key_id)
    ended_at = sa.func.coalesce(_key.ended_at, sa.func.now())
    return connection.execute(query.values(ended_at=ended_at)).rowcount == 1


# --- wrong passwords -----------------------------------------------------------------------------


def hold_failures(
    connection: sa.Connection, keys: Mapping[str, str]
) -> dict[str, tuple[int, float]]:
    """
    Read how often and how many seconds ago it was wrong, by kind of counter.

    The rows are held to the end of the transaction: of two who come at once, the second sees what
    the first has counted.
    """
    rows = [
        {"kind": kind, "key": key, "failures": 0, "last_at": sa.func.now()}
        for kind, key in sorted(keys.items())
    ]
    connection.execute(insert(t.sign_in_failure).values(rows).on_conflict_do_nothing())
    ago = sa.extract("epoch", sa.func.clock_timestamp() - _failure.last_at)
    query = sa.select(_failure.kind, _failure.failures, ago).where(_of_keys(keys))
    held = connection.execute(query.order_by(_failure.kind).with_for_update())
    return {kind: (failures, float(seconds)) for kind, failures, seconds in held}


def count_failure(
    connection: sa.Connection, keys: Mapping[str, str], forget_after: timedelta
) -> None:
    """Count one more; those of long ago are forgotten."""
    is_old = _failure.last_at < sa.func.now() - forget_after
    query = sa.update(t.sign_in_failure).where(_of_keys(keys))
    failures = sa.case((is_old, 1), else_=_failure.failures + 1)
    connection.execute(query.values(failures=failures, last_at=sa.func.clock_timestamp()))


def take_failure_back(connection: sa.Connection, keys: Mapping[str, str]) -> None:
    """Take back what was counted before the password was looked at: it was right."""
    query = sa.update(t.sign_in_failure).where(_of_keys(keys))
    connection.execute(query.values(failures=sa.func.greatest(_failure.failures - 1, 0)))


def forget_failures(connection: sa.Connection, kind: str, key: str) -> None:
    """Forget what was counted."""
    condition = (_failure.kind == kind) & (_failure.key == key)
    connection.execute(sa.delete(t.sign_in_failure).where(condition))


def _of_keys(keys: Mapping[str, str]) -> sa.ColumnElement[bool]:
    pairs = sa.tuple_(_failure.kind, _failure.key)
    return pairs.in_(sorted(keys.items()))


# --- what is no longer needed --------------------------------------------------------------------


def delete_old(connection: sa.Connection, before: Mapping[str, sa.ColumnElement[datetime]]) -> None:
    """
    Take out what is over for long.

    Parameters
    ----------
    connection
        An open transaction.
    before
        The moments before which a ``session`` or a ``link`` ended and a ``failure`` was counted.
    """
    over = sa.func.least(_session.ends_at, sa.func.coalesce(_session.ended_at, _session.ends_at))
    connection.execute(sa.delete(t.session).where(over < before["session"]))
    connection.execute(sa.delete(t.one_time_link).where(_link.expires_at < before["link"]))
    connection.execute(sa.delete(t.sign_in_failure).where(_failure.last_at < before["failure"]))
