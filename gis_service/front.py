"""The front of the command ``gis-service``: what is asked in seconds does not wait for the rest.

``locate`` and ``assign`` need neither jobs nor maps; reading all of the program to run them would
take longer than they do. Every other command is found in :mod:`gis_service.cli`.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

LIGHT: Final = frozenset({"locate", "assign"})


@contextmanager
def _without(module: str) -> Iterator[None]:
    """
    Let a module not be found for a while.

    Before the first compiled function runs, numba looks whether scipy could multiply matrices for
    it. Nothing here does, and reading scipy takes a fifth of a second.
    """
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]  # what the import system documents
    try:
        yield
    finally:
        del sys.modules[module]


def main() -> None:
    """Run a command; an error that we can name is said in one line with its own exit code."""
    if len(sys.argv) > 1 and sys.argv[1] in LIGHT:
        gc.disable()  # while modules are read nothing becomes garbage, and looking takes time
        from gis_service.commands import locating  # noqa: PLC0415 (only what is needed)

        gc.freeze()
        gc.enable()
        with _without("scipy.linalg"):
            locating.main()
        return
    from gis_service import cli  # noqa: PLC0415 (reads all of the program)

    cli.main()
