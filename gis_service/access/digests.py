"""Random names of sessions, links and keys, and the digests by which the store knows them."""

import hashlib
import secrets
from typing import Final

_BYTES: Final = 32


def make_secret() -> str:
    """Make 256 random bits in letters that an address can hold."""
    return secrets.token_urlsafe(_BYTES)


def digest(secret: str) -> bytes:
    """
    Give what is stored of a secret.

    Parameters
    ----------
    secret
        As its owner has it.

    Returns
    -------
    bytes
        SHA-256; a secret of 256 random bits needs no slower one.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
