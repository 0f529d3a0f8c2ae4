"""The command behind scripts/bench: run one bench, print its rows.

With ``--json`` standard output carries a JSON array of rows and nothing else, without it a table;
versions, SQL plans and progress go to standard error either way.
"""

import argparse
import importlib
import json
import os
import pkgutil
import signal
import sys
import time

import scripts.benches
from gis_service.commands.terminal import exit_on_errors
from scripts.benches.context import Context, say
from scripts.benches.framework import table

_SHARED = frozenset(
    {
        "__main__",
        "context",
        "everyday_load",
        "everyday_server",
        "everyday_sql",
        "framework",
        "locate_server",
        "processes",
        "propose_peers",
        "propose_recom",
    }
)


def names() -> list[str]:
    """
    List the benches.

    Returns
    -------
    list of str
        Names of the modules that export ``run``.
    """
    found = (one.name for one in pkgutil.iter_modules(scripts.benches.__path__))
    return sorted(name for name in found if name not in _SHARED)


def main() -> None:
    """Run the bench that is named."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="Measure a work of ours beside its peers, in one run."
    )
    parser.add_argument("name", choices=names(), metavar="NAME", help=", ".join(names()))
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument(
        "--only",
        action="append",
        metavar="ROW",
        help="measure this row alone, where rows have names",
    )
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # its server is stopped on the way out
    # Whatever a peer prints is not a figure, whether it is written in Python or compiled.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.stdout = sys.stderr
    began = time.monotonic()
    bench = importlib.import_module(f"scripts.benches.{given.name}")
    with exit_on_errors(), Context(only=given.only) as context:
        rows = bench.run(context)
    text = (
        json.dumps([row.as_dict() for row in rows], ensure_ascii=False)
        if given.json
        else table(rows)
    )
    print(text, file=out, flush=True)
    say(f"the bench {given.name} took {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
