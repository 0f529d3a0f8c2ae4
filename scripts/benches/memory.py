"""What the service holds in memory a minute after its start, and after a walk of its work.

``gis-service serve`` runs on a copy of the demo county with a worker. RSS is what a process has in
memory; PSS shares what several processes map, so that its sum over them is what the machine gives.
"""

import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.coverage.areas.service import choose_usual_limits
from gis_service.coverage.runs import runs
from gis_service.coverage.standards.book import standard_book
from gis_service.store import Store
from scripts.benches.context import Context
from scripts.benches.everyday_load import Answer, Ask, Client
from scripts.benches.framework import Limit, Row, table, told

SCRATCH: Final = "gis_bench_memory"
STANDARDS: Final = ("fire-20", "service-15", "fire-5", "service-10")
CARDS: Final = 200
WHAT_IFS: Final = 10
START_MB: Final = {"server": 650.0, "worker": 400.0}
WALK_MB: Final = {"server": 1000.0, "worker": 700.0}
_QUIET_S: Final = 60.0
_PATIENCE_S: Final = 300.0
_TRIES: Final = 5


@dataclass(frozen=True)
class Held:
    """What a process and its children hold; 10⁶ bytes."""

    rss_mb: float
    pss_mb: float
    children_pss_mb: float


def run(context: Context) -> list[Row]:
    """
    Measure.

    Parameters
    ----------
    context
        Of the bench.

    Returns
    -------
    list of Row
        A minute after the start; after 200 cards, proposals in two villages, bands of four
        standards, ten questions "what if", and a PDF from the worker as the page asks for it, and
        a minute of quiet.
    """
    data = context.folder / "served"
    data.mkdir()
    os.environ["GIS_DATA_DIR"] = str(data)  # also of what is drawn here
    store = context.county_store
    for standard in STANDARDS[:2]:  # of the main job
        runs.measure(store, SYSTEM, standard)
    served = context.fresh_database(SCRATCH, copy_of_county=True)
    with serving(served, data) as (server, port):
        time.sleep(_QUIET_S)
        rows = [_row("a minute after the start", server, START_MB)]
        context.say(table(rows))
        _walk(served, port, context)
        time.sleep(_QUIET_S)
        return [*rows, _row("after the walk and a minute of quiet", server, WALK_MB)]


@contextmanager
def serving(store: Store, data: Path) -> Iterator[tuple[int, int]]:
    """
    Run ``gis-service serve`` with its worker.

    Parameters
    ----------
    store
        What is served.
    data
        A folder for what it writes.

    Yields
    ------
    pid, port
        Once it answers.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    environment = {
        **os.environ,
        "GIS_DATABASE_URL": store.url.render_as_string(hide_password=False),
        "GIS_DATA_DIR": str(data),
    }
    command = [sys.executable, "-P", "-m", "gis_service", "serve", "--port", str(port)]
    process = subprocess.Popen(command, stdout=sys.stderr, env=environment)
    try:
        _wait_for(process, port)
        yield process.pid, port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + _PATIENCE_S
    while process.poll() is None and time.monotonic() < until:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError("the server does not answer")


def _row(when: str, server: int, most_mb: dict[str, float]) -> Row:
    children = _children()
    (worker,) = (pid for pid in children.get(server, []) if b"\0worker\0" in _command(pid))
    limits = []
    for name, held in (
        ("server", _held(server, children, but=worker)),
        ("worker", _held(worker, children)),
    ):
        limits += [
            Limit(f"{name}: RSS, MB", held.rss_mb, most_mb[name]),
            Limit(f"{name}: PSS, MB", held.pss_mb),
            Limit(f"{name}: PSS of its children, MB", held.children_pss_mb),
            Limit(f"{name} with children: PSS, MB", held.pss_mb + held.children_pss_mb,
                  most_mb[name]),
        ]  # fmt: skip
    return told(when, limits)


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text("ascii", errors="replace")
            except OSError:  # it has just ended
                continue
            found.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(folder.name))
    return found


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def _held(pid: int, children: dict[int, list[int]], but: int | None = None) -> Held:
    below = [one for one in children.get(pid, []) if one != but]
    for one in below:
        below += children.get(one, [])
    return Held(
        _mb(pid, "Rss"), _mb(pid, "Pss"), sum(_mb(one, "Pss") for one in dict.fromkeys(below))
    )


def _mb(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise LookupError(name)


# --- the walk ------------------------------------------------------------------------------------


def _walk(store: Store, port: int, context: Context) -> None:
    client = Client(port)
    with store.transaction(SYSTEM) as connection:
        grids = sa.text(
            "SELECT array_agg(grid_id ORDER BY grid_id) FROM grid_state"
            " WHERE rank = :rank AND valid @> gis_today()"
        )
        base, villages = (list(connection.scalar(grids, {"rank": rank})) for rank in (3, 2))
        stations = connection.execute(
            sa.text(
                "SELECT facility_id, ST_X(point) AS lon, ST_Y(point) AS lat FROM facility"
                " WHERE kind = 'fire_station' ORDER BY facility_id LIMIT :most"
            ),
            {"most": WHAT_IFS},
        ).all()
    context.say(f"{CARDS} cards …")
    for answer in client.each(Ask(f"/api/grids/{one}") for one in base[:: len(base) // CARDS]):
        _said(answer)
    context.say("proposals in two villages …")
    plan = _ask(client, "/api/plans", {"title": "东街调整", "reason": "户数过多"})["plan_id"]
    for village in villages[:: len(villages) // 2][:2]:
        _ask(client, f"/api/plans/{plan}/propose", {"scope": {"village": str(village)}})
    context.say(f"bands of {len(STANDARDS)} standards …")
    for standard in STANDARDS:
        limits = choose_usual_limits(standard_book().standard(standard).limit_minutes.value)
        minutes = ",".join(f"{one:g}" for one in limits)
        _ask(client, f"/api/coverage/areas?standard={standard}&minutes={minutes}")
    context.say(f"{WHAT_IFS} times what if …")
    for number in range(WHAT_IFS):
        one = stations[number % len(stations)]
        moved = {
            "kind": "move_station",
            "facility_id": one.facility_id,
            "lon": one.lon + 0.01,
            "lat": one.lat,
        }
        asked = {"standard": "fire-20", "scenario": "normal", "changes": [moved]}
        _ask(client, "/api/coverage/what-if", asked)
    context.say("a PDF, as the page asks for it: from the worker …")
    job = _ask(client, "/api/reports/coverage", {"standard": "fire-20", "format": "pdf"})["job_id"]
    while (state := _ask(client, f"/api/jobs/{job}"))["status"] in ("waiting", "running"):
        time.sleep(0.5)
    if state["status"] != "done":
        raise RuntimeError(f"the report failed: {state}")


def _ask(client: Client, path: str, body: dict[str, Any] | None = None) -> Any:
    asked = Ask(path, json.dumps(body).encode() if body else None)
    for _ in range(_TRIES):
        (answer,) = client.each([asked])
        if answer.status not in (0, 503):  # on a busy machine bands take longer than a caller waits
            break
    return json.loads(_said(answer))


def _said(answer: Answer) -> bytes:
    packed = b"content-encoding: gzip" in answer.head.lower()
    body = gzip.decompress(answer.body) if packed else answer.body
    if not 200 <= answer.status < 300:
        raise RuntimeError(f"{answer.status}: {body[:300].decode(errors='replace')}")
    return body
