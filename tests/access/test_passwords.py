"""Passwords: which are taken, and that a hash costs the same whoever is known."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher

from gis_service.access import passwords
from gis_service.errors import InputError


@pytest.mark.parametrize(
    ("password", "key"),
    [
        ("seven77", "access.password_length"),
        ("x" * 100 + "y" * 101 + "z", "access.password_length"),
        ("Wang.XiaoMing", "access.password_is_login"),
        ("12345678", "access.password_common"),
        ("Password1", "access.password_common"),
        ("abababababab", "access.password_common"),
        ("８８８８８８８８", "access.password_common"),
    ],
)
def test_what_is_tried_first_is_refused(password: str, key: str) -> None:
    with pytest.raises(InputError) as caught:
        passwords.check_password(password, "wang.xiaoming")
    assert caught.value.key == key
    assert caught.value.place.field == "password"
    assert password not in str(caught.value)


@pytest.mark.parametrize(
    "password", ["aaaaaaab c", "只有汉字的一个密码", "     .... x", "x1" + "长" * 198]
)
def test_no_kind_of_character_is_asked_for(password: str) -> None:
    passwords.check_password(password, "wang")


def test_a_hash_is_argon2id_and_right_for_its_password_alone() -> None:
    made = passwords.hash_password("stone bridge 7")
    assert made.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.verify_password(made, "stone bridge 7")
    assert passwords.verify_password(
        made, "ｓｔｏｎｅ bridge 7"
    )  # NFKC: as another keyboard types it
    assert not passwords.verify_password(made, "stone bridge 8")
    assert not passwords.verify_password(None, "stone bridge 7")
    assert not passwords.verify_password("not a hash", "stone bridge 7")
    assert made != passwords.hash_password("stone bridge 7")


def test_a_hash_of_other_numbers_is_made_anew() -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash("stone bridge 7")
    assert passwords.is_outdated(weak)
    assert not passwords.is_outdated(passwords.dummy_hash())


@pytest.fixture
def worked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The parameters of every hash that was compared."""
    seen: list[str] = []
    verify = passwords._verify

    def count(password_hash: str, password: str) -> bool:
        seen.append(password_hash.rpartition("$")[0].rpartition("$")[0])
        return verify(password_hash, password)

    monkeypatch.setattr(passwords, "_verify", count)
    return seen


def test_known_and_unknown_cost_one_hash_of_the_same_numbers(worked: list[str]) -> None:
    made = passwords.hash_password("stone bridge 7")
    passwords.verify_password(made, "wrong one")
    passwords.verify_password(None, "wrong one")
    known, unknown = worked
    assert known == unknown


def test_hashes_are_made_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once, most, lock = 0, 0, threading.Lock()

    def slow(_hash: str, _password: str) -> bool:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.01)
        with lock:
            at_once -= 1
        return False

    monkeypatch.setattr(passwords, "_verify", slow)
    with ThreadPoolExecutor(12) as many:
        list(many.map(lambda _: passwords.verify_password(None, "x"), range(24)))
    assert most == passwords.AT_ONCE == 1
