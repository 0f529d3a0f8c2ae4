"""Who is signed in: one administrator's token for each start of the server, sessions in memory.

Stands in until there are accounts. Nothing of it is written anywhere: a restart ends every session
and makes another token.
"""

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from typing import Final

_BYTES: Final = 32


class Sessions:
    """
    The sessions of one server.

    Parameters
    ----------
    seconds
        How long one lasts.
    most
        How many there are at once; a further one ends the oldest.
    clock
        Gives seconds that never go back.
    """

    def __init__(
        self, seconds: float, most: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.token: Final = secrets.token_urlsafe(_BYTES)
        self._seconds, self._most, self._clock = seconds, most, clock
        self._ends: dict[bytes, float] = {}  # by the digest of the session's name, oldest first
        self._lock = threading.Lock()

    def begin(self, token: str) -> str | None:
        """
        Sign in.

        Parameters
        ----------
        token
            As it was printed at the start.

        Returns
        -------
        str or None
            The name of the session, known to its browser alone; None where the token is wrong.
        """
        if not secrets.compare_digest(token.encode(), self.token.encode()):
            return None
        name = secrets.token_urlsafe(_BYTES)
        now = self._clock()
        with self._lock:
            self._ends = {digest: ends for digest, ends in self._ends.items() if ends > now}
            while len(self._ends) >= self._most:
                del self._ends[next(iter(self._ends))]
            self._ends[_digest(name)] = now + self._seconds
        return name

    def holds(self, name: str | None) -> bool:
        """
        Tell whether a session is open.

        Parameters
        ----------
        name
            As a browser's cookie has it; None where it has none.

        Returns
        -------
        bool
            False for one that has ended or never began.
        """
        return name is not None and self._ends.get(_digest(name), float("-inf")) > self._clock()

    def end(self, name: str | None) -> None:
        """
        Sign out.

        Parameters
        ----------
        name
            As a browser's cookie has it.
        """
        if name is not None:
            with self._lock:
                self._ends.pop(_digest(name), None)


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
