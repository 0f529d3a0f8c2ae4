"""The command behind scripts/hostile: start an instance, send everything, and count."""

import argparse
import importlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Final

from gis_service.access import SYSTEM
from gis_service.settings import store_settings
from gis_service.store import open_store
from scripts.hostile_files.case import CASES, Case
from scripts.hostile_files.instance import Instance, draw_county
from scripts.hostile_files.sending import Answer, send, warm_up

_MAKERS: Final = ("cuts", "packed", "workbooks", "geopackages", "texts", "networks", "bodies")


def all_cases() -> list[Case]:
    """
    List everything that there is to send.

    Returns
    -------
    list of Case
        In the order of the modules that make them.
    """
    for name in _MAKERS:
        importlib.import_module(f"scripts.hostile_files.{name}")
    return CASES


def main() -> None:
    """Send them all and end with 1 where anything was not as it should be."""
    parser = argparse.ArgumentParser(prog="scripts/hostile", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the answers as JSON lines")
    parser.add_argument("--only", metavar="WORD", help="only those with this word in their names")
    parser.add_argument("--seed", type=int, default=1, help="for what is drawn by lot")
    given = parser.parse_args()
    cases = [case for case in all_cases() if given.only is None or given.only in case.name]
    with tempfile.TemporaryDirectory(prefix="gis-h-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        os.environ["GIS_DATA_DIR"] = folder
        store_settings.cache_clear()
        with open_store() as store:
            with store.transaction(SYSTEM) as connection:
                draw_county(connection)
            with Instance({"GIS_DATA_DIR": folder}) as instance:
                warm_up(all_cases(), instance, given.seed)
                answers = []
                for case in cases:
                    answers.append(send(case, instance, given.seed))
                    print(_line(answers[-1], as_json=given.json), flush=True)
    bad = [one for one in answers if one.wrong]
    slowest = max(answers, key=lambda one: one.seconds)
    largest = max(answers, key=lambda one: one.mb)
    print(
        f"{len(answers)} sent, {len(answers) - len(bad)} as they should be, {len(bad)} not; "
        f"longest {slowest.seconds} s ({slowest.name}), most {largest.mb:.0f} MB ({largest.name}), "
        f"/health slowest {max(one.health_s for one in answers)} s",
    )
    sys.exit(1 if bad else 0)


def _line(answer: Answer, *, as_json: bool) -> str:
    if as_json:
        return json.dumps(answer.as_dict(), ensure_ascii=False)
    told = f" !! {'; '.join(answer.wrong)}" if answer.wrong else ""
    return f"{answer.seconds:6.2f} s {answer.mb:5.0f} MB  {answer.name}: {answer.said}{told}"


if __name__ == "__main__":
    main()
