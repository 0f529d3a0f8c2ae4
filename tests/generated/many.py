"""``scripts/towns``: as many generated towns as it is told, counted and never stopped by one."""

import argparse
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import closing
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from gis_service.settings import store_settings
from gis_service.store.cluster import Cluster, prepare_database
from gis_service.store.migrate import upgrade
from tests.conftest import DatabaseServer, make_short_dir
from tests.generated.asserting import assert_all_holds
from tests.generated.running import fresh_database, go_the_whole_way, write_files
from tests.generated.towns import Town, make_town, towns
from tests.generated.whole_way import ORDER


def main() -> int:
    """Take the towns, tell each that breaks, and print the counts as the last line."""
    parser = argparse.ArgumentParser(prog="scripts/towns")
    parser.add_argument("--count", type=int, default=200, help="towns in this process")
    parser.add_argument("--commands", type=int, default=0, help="towns by the command")
    parser.add_argument("--seed", type=int, default=1, help="of the draw")
    parser.add_argument("--town", help="one town only: its choices as JSON")
    asked = parser.parse_args()
    began = time.monotonic()
    folder = make_short_dir()
    os.environ["GIS_DATA_DIR"] = str(folder / "data")
    store_settings.cache_clear()
    try:
        with Cluster(folder / "cluster", durable=False) as cluster:
            counts = _count(DatabaseServer(cluster.url("gis_admin", "postgres")), asked)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    counts["seconds"] = round(time.monotonic() - began)
    print(json.dumps(counts))
    return 1 if counts["broke"] else 0


def _count(server: DatabaseServer, asked: argparse.Namespace) -> dict[str, int]:
    template = server.create()
    with closing(server.connect(template)) as connection:
        prepare_database(connection)
    upgrade(server.url(None, template))
    if asked.town:
        drawn = [make_town(json.loads(asked.town))]
    else:
        drawn = _drawn(max(asked.count, asked.commands), asked.seed)
    found: Counter[str] = Counter()
    for number, town in enumerate(drawn[: asked.count], start=1):
        found[_in_process(server, template, town)] += 1
        if number % 10 == 0:
            print(f"{number} towns: {dict(found)}", file=sys.stderr)
    for town in drawn[: asked.commands]:
        found[f"{_by_command(server, template, town)} by command"] += 1
        print(f"by command: {dict(found)}", file=sys.stderr)
    server.drop(template)
    names = ("worked", "refused", "broke")
    counts = {name: found[name] for name in names}
    if asked.commands:
        counts |= {f"{name}_by_command": found[f"{name} by command"] for name in names}
        counts["broke"] += counts["broke_by_command"]
    return counts


def _drawn(count: int, number: int) -> list[Town]:
    drawn: list[Town] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(town=towns())
    def draw(town: Town) -> None:
        drawn.append(town)

    draw()
    return drawn


class _Tracebacks(logging.Handler):
    """Keeps what was logged with a traceback: that is a fall, too."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.found.append(self.format(record))


def _in_process(server: DatabaseServer, template: str, town: Town) -> str:
    listener = _Tracebacks()
    logging.getLogger().addHandler(listener)
    try:
        with tempfile.TemporaryDirectory() as folder:
            for store, done in go_the_whole_way(server, template, town, Path(folder)):
                assert_all_holds(store, town, done)
                assert not listener.found, listener.found[0]
    except Exception:  # noqa: BLE001 (counted, told, and on to the next)
        lines = traceback.format_exc().splitlines()
        print("broke:", json.dumps(town.choices, ensure_ascii=False), *lines[-14:], sep="\n  ",
              file=sys.stderr)  # fmt: skip
        return "broke"
    finally:
        logging.getLogger().removeHandler(listener)
    return "worked" if town.is_good else "refused"


def _by_command(server: DatabaseServer, template: str, town: Town) -> str:
    """Import each file and do the main job, each as a process of its own."""
    with (
        tempfile.TemporaryDirectory() as folder,
        fresh_database(server, template) as name,
    ):
        url = server.url("gis_service", name).render_as_string(hide_password=False)
        owner = server.url("gis_owner", name).render_as_string(hide_password=False)
        env = os.environ | {
            "GIS_DATABASE_URL": url, "GIS_DATABASE_OWNER_URL": owner, "GIS_DATA_DIR": folder,
            "GIS_LANGUAGE": "en",
        }  # fmt: skip
        paths = write_files(town, Path(folder))
        commands = [
            ["import", kind, str(paths[kind]), "--crs", "wgs84"]
            + (["--set", "allow_holes=yes"] if kind == "grids" and town.allow_holes else [])
            for kind in ORDER
            if kind in paths
        ]
        codes = {}
        for command in [*commands, ["run", "--once"]]:
            answer = subprocess.run(
                [sys.executable, "-m", "gis_service", *command],
                env=env, capture_output=True, text=True, timeout=600, check=False,
            )  # fmt: skip
            step = command[1]
            codes[step] = answer.returncode
            wanted = town.is_good if step in ("grids", "--once") else None
            bad = answer.returncode == 1 or (
                wanted is not None and wanted == bool(answer.returncode)
            )
            if bad or "Traceback" in answer.stderr:
                print("broke:", json.dumps(town.choices, ensure_ascii=False), command,
                      *answer.stderr.splitlines()[-14:], sep="\n  ", file=sys.stderr)  # fmt: skip
                return "broke"
    return "refused" if codes["grids"] else "worked"
