"""How soon a command begins, and how little it holds until it needs more; and a check of a file.

A process of its own each time, from its start to its end, on one core. There is no peer.
"""

import json
import re
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import numpy as np
import shapely

from scripts.benches.context import Context
from scripts.benches.framework import Limit, Row
from scripts.benches.processes import one_core

HELP: Final = (("--help",), ("plan", "check", "--help"), ("import", "households", "--help"))
RUNS: Final = 5
TRACTS: Final = 532
_CHILD: Final = """
import sys
from gis_service import front
try:
    front.main()
finally:
    sys.stderr.write(open("/proc/self/status").read())
"""


def run(context: Context) -> list[Row]:
    """
    Measure each command.

    Parameters
    ----------
    context
        Its surroundings.

    Returns
    -------
    list of Row
        The help of three commands: at most 0.6 s and 120 MB. The check of as many polygons as a
        city has census tracts, a hundred vertices each: at most 3 s.
    """
    context.print_versions("typer", "shapely")
    rows = [_row(arguments, seconds=0.6, peak_mb=120.0) for arguments in HELP]
    file = context.folder / "tracts.geojson"
    write_tracts(file)
    return [*rows, _row(("plan", "check", str(file), "--crs", "wgs84"), seconds=3.0)]


def write_tracts(file: Path) -> None:
    """
    Write polygons that tile a square of half a degree.

    Parameters
    ----------
    file
        GeoJSON; :data:`TRACTS` cells around random points, a vertex every 60 m of their borders.
    """
    places = np.random.default_rng(7).uniform((112.5, 28.5), (113.0, 29.0), (TRACTS, 2))
    square = shapely.box(112.5, 28.5, 113.0, 29.0)
    cells = shapely.voronoi_polygons(shapely.multipoints(places), extend_to=square)
    cells = shapely.set_precision(shapely.get_parts(cells), 1e-7)
    cells = shapely.segmentize(shapely.intersection(cells, square), 0.0006)
    features = [
        {
            "type": "Feature",
            "properties": {"code": f"{number:06d}", "name": f"tract {number}"},
            "geometry": json.loads(shapely.to_geojson(cell)),
        }
        for number, cell in enumerate(cells)
    ]
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}), "utf-8")


def _row(arguments: tuple[str, ...], *, seconds: float, peak_mb: float | None = None) -> Row:
    took, worked, peak = zip(*(_measured(arguments) for _ in range(RUNS + 1)), strict=True)
    median = statistics.median(took[1:])  # caches were cold
    named = " ".join(one if "/" not in one else f"{TRACTS} polygons" for one in arguments)
    return Row(
        f"gis-service {named}",
        ours_s=median,
        peer="-",
        peer_s=None,
        ratio=None,
        limits=[
            Limit("seconds", median, seconds),
            Limit("of them at work on the core, s", statistics.median(worked[1:])),
            Limit("peak memory, MB", max(peak), peak_mb),
        ],
    )


def _measured(arguments: tuple[str, ...]) -> tuple[float, float, float]:
    with one_core():
        began, worked = time.perf_counter(), _of_children()
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, *arguments], capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - began
        worked = _of_children() - worked
    peak = re.search(r"^VmHWM:\s+(\d+) kB$", done.stderr, re.MULTILINE)
    if done.returncode not in (0, 1) or peak is None:  # 1: the file has flaws
        raise RuntimeError(done.stderr.strip())
    return seconds, worked, int(peak[1]) * 1024 / 1e6


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
