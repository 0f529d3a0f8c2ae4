"""Signing in: what is told, how long one waits after wrong ones; nobody is locked out."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from gis_service.access import SYSTEM, passwords, signing_in
from gis_service.access.accounts import end_account
from gis_service.access.actor import Actor, Origin
from gis_service.access.links import follow_link, make_link
from gis_service.access.sessions import find_session
from gis_service.access.signing_in import Tries, find_wait
from gis_service.errors import InputError, NotAllowedError, TooManyTriesError
from gis_service.store import Store
from gis_service.store import tables as t
from tests.people import PASSWORD, make_person

HOME = Origin(address="192.0.2.9")  # from where `make_person` signed in
OUTSIDE = Origin(address="198.51.100.7")
NEVER = Tries(0, 0.0)


@pytest.fixture(autouse=True)
def fresh(store: Store) -> None:
    """Nobody was wrong before."""
    with store.transaction(SYSTEM) as connection:
        connection.execute(sa.delete(t.sign_in_failure))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords compared by their hash's owner alone: the waiting is looked at here, not argon2."""
    right = {}
    verify = passwords.verify_password

    def remembered(password_hash: str | None, password: str) -> bool:
        key = password_hash, password
        if key not in right:
            right[key] = verify(password_hash, password)
        return right[key]

    monkeypatch.setattr(passwords, "verify_password", remembered)


def attempt(store: Store, login: str, password: str, origin: Origin = OUTSIDE) -> Actor:
    return signing_in.sign_in(store, login, password, origin, "a test")[0]


def outcome(store: Store, login: str, password: str, origin: Origin = OUTSIDE) -> str:
    try:
        attempt(store, login, password, origin)
    except NotAllowedError as error:
        return error.key
    except TooManyTriesError:
        return "waits"
    return "in"


def test_the_same_is_said_of_known_unknown_and_ended_accounts(store: Store) -> None:
    known, _ = make_person(store, "analyst")
    ended, ended_id = make_person(store, "analyst")
    with store.transaction(SYSTEM) as connection:
        end_account(connection, SYSTEM, ended_id)
    for login in (known, ended, "nobody.at.all", "'; --", "网格员"):
        assert outcome(store, login, "wrong password") == "access.wrong_password"
    assert outcome(store, ended, PASSWORD) == "access.wrong_password"
    assert outcome(store, known, PASSWORD) == "in"


def test_what_is_typed_as_a_login_stands_nowhere(store: Store) -> None:
    typed = "my secret typed into the wrong field"
    assert outcome(store, typed, "x") == "access.wrong_password"
    with store.transaction(SYSTEM) as connection:
        for table in (t.sign_in_failure, t.event):
            assert typed not in str(connection.execute(sa.select(table)).all())


def test_signing_in_and_failing_to_are_on_record(store: Store) -> None:
    login, actor_id = make_person(store, "analyst")
    outcome(store, login, "wrong password")
    attempt(store, login, PASSWORD)
    outcome(store, "nobody.at.all", "wrong password")
    event = t.event.c
    with store.transaction(SYSTEM) as connection:
        query = sa.select(event.action, event.actor_id, event.object_id, event.address)
        rows = connection.execute(query.order_by(event.event_id.desc()).limit(3)).all()
    unknown, succeeded, failed = rows
    assert (failed.action, failed.actor_id, failed.object_id) == (
        "sign_in_failed",
        0,
        str(actor_id),
    )
    assert (succeeded.action, succeeded.actor_id) == ("sign_in", actor_id)
    assert (unknown.action, unknown.object_id) == ("sign_in_failed", None)
    assert {row.address for row in rows} == {OUTSIDE.address}


def test_a_hash_of_other_numbers_is_replaced_by_signing_in(store: Store) -> None:
    login, actor_id = make_person(store, "analyst")
    weak = "$argon2id$v=19$m=1024,t=1,p=1$"
    from argon2 import PasswordHasher

    made = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    assert made.startswith(weak)
    account = t.account.c
    with store.transaction(SYSTEM) as connection:
        query = sa.update(t.account).where(account.actor_id == actor_id)
        connection.execute(query.values(password_hash=made))
    attempt(store, login, PASSWORD)
    with store.transaction(SYSTEM) as connection:
        now = connection.scalar(
            sa.select(account.password_hash).where(account.actor_id == actor_id)
        )
    assert now is not None
    assert not passwords.is_outdated(now)
    assert passwords.verify_password(now, PASSWORD)


# --- waiting -------------------------------------------------------------------------------------


def test_after_five_wrong_ones_an_address_waits(store: Store) -> None:
    login, _ = make_person(store, "analyst")
    tried = [outcome(store, login, "wrong password") for _ in range(7)]
    assert tried == ["access.wrong_password"] * 5 + ["waits"] * 2
    assert outcome(store, login, PASSWORD) == "waits"  # the password is not looked at
    with pytest.raises(TooManyTriesError) as caught:
        attempt(store, login, PASSWORD)
    assert caught.value.retry_after_s == 1


def test_unknown_logins_wait_as_known_ones_do(store: Store) -> None:
    tried = [outcome(store, "nobody.at.all", "wrong password") for _ in range(6)]
    assert tried == ["access.wrong_password"] * 5 + ["waits"]


def test_many_at_once_do_not_slip_through(store: Store) -> None:
    login, _ = make_person(store, "analyst")
    with ThreadPoolExecutor(10) as many:
        tried = list(many.map(lambda _: outcome(store, login, "wrong password"), range(30)))
    assert tried.count("access.wrong_password") == 5
    assert tried.count("waits") == 25


def test_the_right_password_forgets_what_was_wrong_there(store: Store) -> None:
    login, _ = make_person(store, "analyst")
    for _ in range(3):
        assert [outcome(store, login, "wrong password") for _ in range(4)] == [
            "access.wrong_password"
        ] * 4
        assert outcome(store, login, PASSWORD) == "in"


def test_an_address_that_tries_many_accounts_waits_too(store: Store) -> None:
    tried = [outcome(store, f"somebody.{i}", "wrong password") for i in range(22)]
    assert tried == ["access.wrong_password"] * 20 + ["waits"] * 2


def test_addresses_of_one_line_are_one(store: Store) -> None:
    tried = [
        outcome(store, "nobody", "wrong password", Origin(address=f"2001:db8::{i:x}"))
        for i in range(1, 8)
    ]
    assert tried.count("waits") == 2
    assert outcome(store, "nobody", "wrong", Origin(address="2001:db8:0:1::1")) != "waits"


def test_nobody_is_locked_out_by_wrong_passwords_from_elsewhere(store: Store) -> None:
    login, _ = make_person(store, "analyst")
    for i in range(60):
        outcome(store, login, "wrong password", Origin(address=f"203.0.113.{i}"))
    assert outcome(store, login, PASSWORD, HOME) == "in"
    assert outcome(store, login, PASSWORD, OUTSIDE) == "in"  # an address that is new to the account


def test_where_one_signs_in_from_others_do_not_slow_it_down(store: Store) -> None:
    login, _ = make_person(store, "analyst")
    other, _ = make_person(store, "analyst")
    for i in range(40):
        outcome(store, f"somebody.{i}", "wrong password", HOME)
    assert outcome(store, login, PASSWORD, HOME) == "in"
    for _ in range(8):
        outcome(store, other, "wrong password", HOME)
    assert outcome(store, login, PASSWORD, HOME) == "in"


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 10_000), st.floats(0, 3600))
def test_no_wait_is_longer_than_a_minute_and_none_comes_from_others_alone(
    pair: int, account: int, address: int, ago: float
) -> None:
    tries = {
        "account_at_address": Tries(pair, ago),
        "account": Tries(account, 0.0),
        "address": Tries(address, ago),
    }
    assert 0 <= find_wait(tries, is_known=False) <= signing_in.LONGEST_S
    assert 0 <= find_wait(tries, is_known=True) <= signing_in.LONGEST_KNOWN_S
    alone = {"account_at_address": NEVER, "account": Tries(account, 0.0), "address": NEVER}
    assert find_wait(alone, is_known=False) == 0
    from_here = {**tries, "account_at_address": NEVER}
    assert find_wait(from_here, is_known=True) == 0


def test_waits_are_forgotten_after_an_hour(store: Store) -> None:
    for _ in range(6):
        outcome(store, "nobody", "wrong password")
    failure = t.sign_in_failure
    with store.transaction(SYSTEM) as connection:
        before = failure.c.last_at - timedelta(hours=2)
        connection.execute(sa.update(failure).values(last_at=before, failures=100))
    tried = [outcome(store, "nobody", "wrong password") for _ in range(6)]
    assert tried == ["access.wrong_password"] * 5 + ["waits"]


# --- links and passwords -------------------------------------------------------------------------


def link_for(store: Store, actor_id: int) -> str:
    with store.transaction(SYSTEM) as connection:
        return make_link(connection, SYSTEM, actor_id)


def follow(store: Store, link: str, password: str = "another stone 8") -> str:
    return follow_link(store, link, password, None, OUTSIDE, "a test")[1]


def test_a_link_is_used_once_by_one(store: Store) -> None:
    login, actor_id = make_person(store, "analyst")
    before = signing_in.sign_in(store, login, PASSWORD, HOME, "a test")[1]
    link = link_for(store, actor_id)
    assert link.startswith("reset-")

    def use(_: int) -> str:
        try:
            return follow(store, link)
        except NotAllowedError as error:
            return error.key

    with ThreadPoolExecutor(4) as many:
        used = list(many.map(use, range(4)))
    assert used.count("access.link_over") == 3
    (name,) = (one for one in used if one != "access.link_over")
    found = find_session(store, name)
    assert found is not None
    assert found.actor.actor_id == actor_id
    assert find_session(store, before) is None  # a new password ends what there was
    assert outcome(store, login, PASSWORD) == "access.wrong_password"
    assert outcome(store, login, "another stone 8") == "in"


def test_a_password_that_is_not_taken_leaves_the_link(store: Store) -> None:
    _, actor_id = make_person(store, "analyst")
    link = link_for(store, actor_id)
    with pytest.raises(InputError):
        follow(store, link, "12345678")
    follow(store, link)


def test_a_newer_link_the_end_of_an_account_and_time_end_a_link(store: Store) -> None:
    _, actor_id = make_person(store, "analyst")
    stale, link = link_for(store, actor_id), link_for(store, actor_id)
    with pytest.raises(NotAllowedError):
        follow(store, stale)
    with store.transaction(SYSTEM) as connection:
        query = sa.update(t.one_time_link).where(t.one_time_link.c.actor_id == actor_id)
        connection.execute(query.values(expires_at=sa.func.now() - timedelta(seconds=1)))
    with pytest.raises(NotAllowedError):
        follow(store, link)
    link = link_for(store, actor_id)
    with store.transaction(SYSTEM) as connection:
        end_account(connection, SYSTEM, actor_id)
    with pytest.raises(NotAllowedError):
        follow(store, link)


def test_no_secret_stands_in_the_store(store: Store) -> None:
    login, actor_id = make_person(store, "analyst")
    link = link_for(store, actor_id)
    name = signing_in.sign_in(store, login, PASSWORD, HOME, "a test")[1]
    with store.transaction(SYSTEM) as connection:
        for table in (t.account, t.session, t.one_time_link, t.event):
            written = str(connection.execute(sa.select(table)).all())
            assert not any(secret in written for secret in (PASSWORD, link, name))
