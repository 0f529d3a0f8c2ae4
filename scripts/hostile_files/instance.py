"""A served instance of our own with a drawn county, watched while hostile things are sent to it."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx
import shapely
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.access.actor import ensure_demo_actors, mark_made_up
from gis_service.boundaries.linework.tessellation import from_polygons
from gis_service.boundaries.publication.grid_table import publish_table
from gis_service.boundaries.publication.writing import SchemeLevel, ensure_scheme
from gis_service.settings import ROOT
from scripts.hostile_files.valid import SIDE, SOUTH, WEST

_FIRST_DAY: Final = date(2024, 7, 1)
_LOOK_S: Final = 0.02
_HEALTH_EVERY_S: Final = 0.2
_HEALTH_WITHIN_S: Final = 5.0
_START_S: Final = 240.0


def draw_county(connection: sa.Connection) -> None:
    """Publish nine base grids in three villages of one town."""
    import pandas as pd  # noqa: PLC0415 (the instance alone needs it)

    cells = {f"g{x}{y}": (x, y) for y in range(3) for x in range(3)}
    shapes = [
        shapely.box(
            WEST + x * SIDE, SOUTH + y * SIDE, WEST + (x + 1) * SIDE, SOUTH + (y + 1) * SIDE
        )
        for x, y in cells.values()
    ]
    tessellation, _ = from_polygons(list(cells), shapes)
    drafts = pd.DataFrame(
        [
            {"key": "town", "rank": 1, "name": "东镇", "code": "990101101"},
            *({"key": f"m{y}", "rank": 2, "name": f"村{y}", "parent": "town"} for y in range(3)),
            *(
                {"key": key, "rank": 3, "name": f"格{key}", "parent": f"m{y}"}
                for key, (_, y) in cells.items()
            ),
        ]
    ).assign(urban_rural_class="220")
    levels = (
        SchemeLevel(1, "大网格", "Top grid", "town"),
        SchemeLevel(2, "中网格", "Middle grid", "village"),
        SchemeLevel(3, "基础网格", "Base grid"),
    )
    rule = {"urban": [200, 300], "rural": [80, 300]}
    ensure_scheme(
        connection, "base", "基础网格", "Base grids", levels, code_layout=[9, 3, 3], size_rule=rule
    )
    publish_table(connection, SYSTEM, "base", tessellation, drafts, _FIRST_DAY, "第一版")
    mark_made_up(connection)
    ensure_demo_actors(connection, {})


def free_port() -> int:
    """Find a port on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Instance:
    """
    ``gis-service serve`` with its worker, on a port of its own.

    Parameters
    ----------
    environment
        Where its data lies: ``GIS_DATA_DIR`` or ``GIS_DATABASE_URL``.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.port = free_port()
        self.home = f"http://127.0.0.1:{self.port}"
        self._log = tempfile.NamedTemporaryFile(prefix="gis-hostile-", suffix=".log")  # noqa: SIM115 (it lasts as long as the instance)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gis_service", "serve", "--port", str(self.port)],
            cwd=ROOT, env={**os.environ, **environment},
            stdout=self._log, stderr=self._log,
        )  # fmt: skip
        self.client = httpx.Client(base_url=self.home, timeout=60, trust_env=False)

    def __enter__(self) -> Self:
        """Wait until it answers."""
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if self.client.get("/health").status_code == httpx.codes.OK:
                    return self
            except httpx.TransportError:
                time.sleep(0.2)
        self.stop()
        raise RuntimeError(f"the instance did not start: {self.said()[-2000:]}")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End it as Ctrl-C does."""
        self.client.close()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def said(self) -> str:
        """Everything that it and its workers wrote."""
        return Path(self._log.name).read_text("utf-8", "replace")

    @property
    def pid(self) -> int:
        """Of the server; its workers and readers are its children."""
        return self._process.pid


def _tree(root: int) -> list[int]:
    """List a process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                said = (entry / "stat").read_text("latin-1")
            except OSError:
                continue
            parent = int(said.rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.name))
    found, left = [], [root]
    while left:
        pid = left.pop()
        found.append(pid)
        left += children.get(pid, [])
    return found


def resident_mb(*roots: int) -> float:
    """
    Add up the memory of process trees, each page once.

    Parameters
    ----------
    *roots
        The processes at their tops; a database server among them is left out.

    Returns
    -------
    float
        MB: what each holds alone, and its share of what a fork shares with its parent.
    """
    return sum(_share_mb(pid) for pid in {one for root in roots for one in _tree(root)})


def _share_mb(pid: int) -> float:
    try:
        if "postgres" in Path(f"/proc/{pid}/comm").read_text("latin-1"):
            return 0.0
        said = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    except OSError:  # it has ended meanwhile
        return 0.0
    lines = (line.split() for line in said.splitlines())
    return sum(int(line[1]) for line in lines if line[0] == "Pss:") / 1024


class Watch:
    """The most memory above what there was, and whether ``/health`` kept answering."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._roots = (instance.pid, os.getpid())
        self._own = 0.0
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self.peak_mb = 0.0
        self.unwell = 0
        self.slowest_health_s = 0.0

    def __enter__(self) -> Self:
        self._own = self._readers_mb()
        self._threads = [
            threading.Thread(target=work, daemon=True) for work in (self._memory, self._health)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _readers_mb(self) -> float:
        """Measure the instance, and the readers that this process started, but not itself."""
        mine = resident_mb(os.getpid()) - _share_mb(os.getpid())
        is_child = self._instance.pid in _tree(os.getpid())
        return mine if is_child else mine + resident_mb(self._instance.pid)

    def _memory(self) -> None:
        while not self._stop.wait(_LOOK_S):
            self.peak_mb = max(self.peak_mb, self._readers_mb() - self._own)

    def _health(self) -> None:
        with httpx.Client(trust_env=False, timeout=_HEALTH_WITHIN_S) as client:
            while not self._stop.is_set():
                began = time.monotonic()
                try:
                    answer = client.get(f"{self._instance.home}/health")
                    self.unwell += answer.status_code != httpx.codes.OK
                except httpx.TransportError:
                    self.unwell += 1
                self.slowest_health_s = max(self.slowest_health_s, time.monotonic() - began)
                self._stop.wait(_HEALTH_EVERY_S)
