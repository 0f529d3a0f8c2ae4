"""Signing in by password, and how long whoever was wrong waits before the next try.

Three counters in PostgreSQL slow guessing down: of an account at an address, of an address, and of
an account. An attempt counts as wrong before its password is looked at, so that many at once do not
slip through. Nobody can lock somebody else out: what others do wrong elsewhere makes an address
wait only after a wrong try of its own, and an address from which the account has signed in before
is slowed by nothing but wrong tries for that account from there, by a few seconds at most.
"""

import hashlib
import ipaddress
import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Final, NamedTuple

import sqlalchemy as sa

from gis_service.access import passwords, queries, sessions
from gis_service.access.actor import VISITOR, Actor, Origin, actor_of
from gis_service.access.audit import record
from gis_service.errors import NotAllowedError, TooManyTriesError
from gis_service.store import Store

_FREE: Final = 5
"""Wrong tries for an account from an address before the first wait."""
_FREE_OF_MANY: Final = 20
"""The same of an address with all its accounts, and of an account from all addresses."""
LONGEST_S: Final = 60.0
LONGEST_KNOWN_S: Final = 5.0
"""From where the account has signed in before."""
LONGEST_ACCOUNT_S: Final = 10.0
"""For what happens to an account elsewhere."""
_FORGET: Final = timedelta(hours=1)


class Tries(NamedTuple):
    """Wrong tries of late."""

    failures: int
    seconds_ago: float


def find_wait(tries: Mapping[str, Tries], *, is_known: bool) -> float:
    """Tell how many seconds are left to wait."""
    pair, address = tries["account_at_address"], tries["address"]
    own = _wait(pair, pair.failures - _FREE, LONGEST_KNOWN_S if is_known else LONGEST_S)
    if is_known:
        return own
    elsewhere = tries["account"].failures - _FREE_OF_MANY
    of_account = _wait(pair, elsewhere if pair.failures else -1, LONGEST_ACCOUNT_S)
    return max(own, of_account, _wait(address, address.failures - _FREE_OF_MANY, LONGEST_S))


def _wait(since: Tries, too_many: int, longest: float) -> float:
    """Wait 1, 2, 4 … seconds since the last try, up to a longest."""
    if too_many < 0:
        return 0.0
    return max(0.0, min(2.0 ** min(too_many, 20), longest) - since.seconds_ago)


def sign_in(
    store: Store, login: str, password: str, origin: Origin, user_agent: str
) -> tuple[Actor, str]:
    """
    Sign in by login and password.

    Parameters
    ----------
    store
        The store.
    login, password
        As they were typed.
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
        One of the two is wrong; neither the words nor the time tell which.
    TooManyTriesError
        It was wrong too often; the password was not looked at.
    """
    login = login.strip().lower()
    keys = _counters(login, origin.address)
    with store.transaction(VISITOR) as connection:
        account = queries.find_login(connection, login)
        _count_attempt(connection, keys, account, origin.address)
    password_hash = None if account is None else account.password_hash
    if not passwords.verify_password(password_hash, password) or account is None:
        visitor = VISITOR.at(origin)
        with store.transaction(visitor) as connection:
            actor_id = None if account is None else account.actor_id
            record(connection, visitor, "sign_in_failed", "account", actor_id)
        raise NotAllowedError("access.wrong_password")
    actor = actor_of(account).at(origin)
    with store.transaction(actor) as connection:
        now = queries.find_account(connection, actor.actor_id)
        # Ended, or another password chosen, while this one was looked at?
        if now is None or now.ended_at is not None or now.password_hash != password_hash:
            raise NotAllowedError("access.wrong_password")
        if passwords.is_outdated(now.password_hash):
            new_hash = passwords.hash_password(password)
            queries.update_account(connection, actor.actor_id, {"password_hash": new_hash})
        queries.take_failure_back(connection, keys)
        pair = "account_at_address"
        queries.forget_failures(connection, pair, keys[pair])
        return actor, sessions.begin_session(connection, actor, user_agent)


def _count_attempt(
    connection: sa.Connection,
    keys: Mapping[str, str],
    account: sa.Row[tuple[object, ...]] | None,
    address: str,
) -> None:
    tries = {
        kind: Tries(failures if ago_s < _FORGET.total_seconds() else 0, ago_s)
        for kind, (failures, ago_s) in queries.hold_failures(connection, keys).items()
    }
    actor_id = -1 if account is None else account.actor_id  # asked for both, in the same time
    is_known = queries.was_signed_in_from(connection, actor_id, address)
    wait_s = find_wait(tries, is_known=is_known)
    if wait_s > 0:
        raise TooManyTriesError(math.ceil(wait_s))
    queries.count_failure(connection, keys, _FORGET)


def _counters(login: str, address: str) -> dict[str, str]:
    """Name the counters; what was typed as a login may be a password, and is not kept."""
    of_login = hashlib.sha256(login.encode("utf-8", "surrogatepass")).hexdigest()
    network = _network(address)
    return {
        "account": of_login,
        "address": network,
        "account_at_address": f"{of_login} {network}",
    }


def _network(address: str) -> str:
    """Take the 64 bits of an IPv6 address that one line has; the rest its owner chooses."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:100]
    return str(ip) if ip.version == 4 else str(ipaddress.ip_network((ip, 64), strict=False))


def change_password(store: Store, actor: Actor, old_password: str, new_password: str) -> None:
    """
    Choose another password; all other sessions of the account end.

    Parameters
    ----------
    store
        The store.
    actor
        Whose, signed in.
    old_password, new_password
        As they were typed.

    Raises
    ------
    NotAllowedError
        The old one is wrong, or whoever asks has no account.
    TooManyTriesError
        It was wrong too often.
    InputError
        The new one cannot be taken.
    """
    with store.transaction(actor) as connection:
        account = queries.find_account(connection, actor.actor_id)
        if account is None or actor.origin.session_id is None:
            raise NotAllowedError("access.no_account")
        keys = _counters(account.login, f"session {actor.origin.session_id}")
        passwords.check_password(new_password, account.login, "new_password")
        _count_attempt(connection, keys, account, actor.origin.address)
    if not passwords.verify_password(account.password_hash, old_password):
        raise NotAllowedError("access.wrong_old_password")
    new_hash = passwords.hash_password(new_password)
    with store.transaction(actor) as connection:
        queries.take_failure_back(connection, keys)
        queries.update_account(
            connection, actor.actor_id, {"password_hash": new_hash, "password_at": sa.func.now()}
        )
        queries.end_sessions(connection, actor.actor_id, but=actor.origin.session_id)
        queries.end_links(connection, actor.actor_id)
        record(connection, actor, "set_password", "account", actor.actor_id)
