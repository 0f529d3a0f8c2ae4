"""The front of the command ``gis-service``: what is asked in seconds does not wait for the rest.

``locate`` and ``assign`` need neither jobs nor maps; reading all of the program to run them would
take longer than they do. Every other command is found in :mod:`gis_service.cli`.
"""

import gc
import sys
from typing import Final

LIGHT: Final = frozenset({"locate", "assign"})


def main() -> None:
    """Run a command; an error that we can name is said in one line with its own exit code."""
    if len(sys.argv) > 1 and sys.argv[1] in LIGHT:
        gc.disable()  # while modules are read nothing becomes garbage, and looking takes time
        from gis_service.commands import locating  # noqa: PLC0415 (only what is needed)

        gc.freeze()
        gc.enable()
        locating.main()
        return
    from gis_service import cli  # noqa: PLC0415 (reads all of the program)

    cli.main()
