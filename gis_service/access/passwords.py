"""Passwords: which are taken, and argon2id hashes of them, made one at a time and behind all else.

A hash takes processor time and memory on purpose. One thread of the lowest priority makes them, so
that many who sign in at once wait for each other and nobody else does.
"""

import os
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gis_service.errors import InputError, Place
from gis_service.settings import access_settings

LONGEST: Final = 200
AT_ONCE: Final = 1
_NICE: Final = 19

HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""argon2id with the least that the OWASP Password Storage Cheat Sheet names: 19 MiB, twice over."""

COMMONEST: Final = frozenset(
    (
        "password", "password1", "passw0rd", "p@ssw0rd", "p@ssword", "12345678", "123456789",
        "1234567890", "12345678910", "87654321", "987654321", "0987654321", "123123123",
        "123321123", "147258369", "123456abc", "123456789a", "12345678a", "a12345678",
        "a123456789", "abc12345", "abc123456", "abcd1234", "asd123456", "asdf1234", "asdfghjkl",
        "qwertyui", "qwertyuiop", "qwerty123", "qwer1234", "1qaz2wsx", "1q2w3e4r", "1q2w3e4r5t",
        "zaq12wsx", "qazwsxedc", "qaz123456", "woaini1314", "woaini520", "woaini123",
        "5201314520", "iloveyou", "1314520520", "aa123456", "aa123456789", "q123456789",
        "admin123", "admin1234", "administrator", "letmein1", "welcome1", "changeme", "sunshine",
        "football", "baseball", "gis_service", "wangge123", "wanggeyuan", "11112222", "11223344",
        "12341234", "88886666", "66668888",
    )
)  # fmt: skip
"""Of the lists of what people choose most, those that are long enough to be asked."""


def _stand_back() -> None:
    with suppress(OSError, AttributeError):  # of this thread alone, where the system can
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)


_threads: Final = ThreadPoolExecutor(AT_ONCE, "password", _stand_back)


def check_password(password: str, login: str, field: str = "password") -> None:
    """Refuse a password that is too short, the login itself, or among the first that are tried."""
    shortest = access_settings().password_length
    place = Place(field=field)
    text = _normalise(password)
    if not shortest <= len(text) <= LONGEST:
        raise InputError("access.password_length", place=place, least=shortest, most=LONGEST)
    if text.casefold() == login.casefold():
        raise InputError("access.password_is_login", place=place)
    if text.casefold() in COMMONEST or len(set(text)) < 3:
        raise InputError("access.password_common", place=place)


def hash_password(password: str) -> str:
    """Make the text that is stored."""
    return _threads.submit(HASHER.hash, _normalise(password)).result()


def verify_password(password_hash: str | None, password: str) -> bool:
    """Tell whether a password is right; without a hash it is not, after the same work."""
    dummy = dummy_hash()  # made by whoever comes first, known or not
    stored = dummy if password_hash is None else password_hash
    is_right = _threads.submit(_verify, stored, _normalise(password)).result()
    return is_right and password_hash is not None


def is_outdated(password_hash: str) -> bool:
    """Tell whether a hash was made with other numbers than today's."""
    return HASHER.check_needs_rehash(password_hash)


@cache
def dummy_hash() -> str:
    """Make a hash that no password has, to spend the same time where nobody is known."""
    return _threads.submit(HASHER.hash, os.urandom(32)).result()


def _verify(password_hash: str, password: str) -> bool:
    try:
        return HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def _normalise(password: str) -> str:
    """Write letters that look alike in one way (NFKC), as NIST SP 800-63B asks."""
    return unicodedata.normalize("NFKC", password)
