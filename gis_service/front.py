"""The front of the command ``gis-service``: it starts quickly, whatever a command reads later.

No command imports at its head what only its work needs: the help, a completed word and a wrong
option are answered before pandas, numba or the store are read.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gis_service import cli

WITHOUT_MATRICES: Final = frozenset({"locate", "assign"})


@contextmanager
def _hide_module(module: str) -> Iterator[None]:
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
    if not os.access(Path(__file__).parent, os.W_OK):  # where compiled code would be kept
        from gis_service.settings import service_folder  # noqa: PLC0415 (slow to read)

        os.environ.setdefault("NUMBA_CACHE_DIR", str(service_folder("compiled")))
    if len(sys.argv) > 1 and sys.argv[1] in WITHOUT_MATRICES:
        with _hide_module("scipy.linalg"):
            cli.main()
        return
    cli.main()
