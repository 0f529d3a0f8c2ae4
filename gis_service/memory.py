"""What the C library keeps of memory that is free: little, and given back when work is over.

By itself it makes an arena for every thread, eight a core, and each keeps what its threads freed;
large arrays of numpy and shapes of GEOS leave hundreds of megabytes there.
"""

import ctypes
from contextlib import suppress
from typing import Final

_ARENA_MAX: Final = -8
"""``M_ARENA_MAX`` of glibc's ``mallopt``."""
_ARENAS: Final = 2


def keep_few_arenas() -> None:
    """Let all threads of this process share two arenas; called before they are started."""
    with suppress(AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_ARENA_MAX, _ARENAS)


def release_free() -> None:
    """Return what is free to the system; takes some milliseconds, in which others go on."""
    with suppress(AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
