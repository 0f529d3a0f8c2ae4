"""A side of a bench as a process of its own, from its start to its end, as a person would run it.

``python -m scripts.benches.alone CORE SIDE ARGUMENT …`` works on that one core. When it ends it
tells on standard error the seconds of the work once the libraries are read, and the most memory it
ever held, by the kernel's own mark.
"""

import importlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

OURS: Final = (
    "gis_service.commands.locating",
    "gis_service.access",
    "gis_service.grids.batch.csv_files",
    "gis_service.grids.answers.sources",
    "gis_service.ingest.readers.columns",
    "gis_service.store",
)
"""What the command itself would read first."""
PEERS: Final = ("numpy", "pandas", "shapely", "geopandas")


def ours(given: str, out: str) -> None:
    """
    Put its grid behind every row with the command itself.

    Parameters
    ----------
    given, out
        Paths of the CSV and of the answer.

    Raises
    ------
    RuntimeError
        The command failed.
    """
    from gis_service import front  # noqa: PLC0415 (the other side does not read it)

    sys.argv = ["gis-service", "assign", given, "--out", out, "--crs", "cgcs2000", "--json"]
    try:
        front.main()
    except SystemExit as end:
        if end.code:
            raise RuntimeError("gis-service assign failed") from end


def pandas(given: str, out: str, grids: str) -> None:
    """
    Put the code of its grid behind every row with pandas and geopandas.

    Parameters
    ----------
    given, out
        Paths of the CSV and of the answer.
    grids
        Path of codes and polygons (WKB), as numpy keeps them.
    """
    import geopandas as gpd  # noqa: PLC0415 (the other side does not read it)
    import numpy as np  # noqa: PLC0415
    import pandas as pd  # noqa: PLC0415
    import shapely  # noqa: PLC0415

    frame = pd.read_csv(given)
    places = gpd.GeoDataFrame(
        frame, geometry=gpd.points_from_xy(frame["经度"], frame["纬度"], crs=4490)
    )
    known = np.load(grids, allow_pickle=True)
    polygons = gpd.GeoDataFrame(
        {"grid_code": known["codes"]}, geometry=shapely.from_wkb(known["wkb"]), crs=4490
    )
    joined = gpd.sjoin(places, polygons, how="left", predicate="intersects")
    joined.drop(columns=["geometry", "index_right"]).to_csv(out, index=False)


SIDES: Final[dict[str, tuple[tuple[str, ...], Callable[..., None]]]] = {
    "ours": (OURS, ours),
    "pandas": (PEERS, pandas),
}


def main() -> None:
    """Run one side."""
    core, side, *arguments = sys.argv[1:]
    os.sched_setaffinity(0, {int(core)})
    libraries, work = SIDES[side]
    for name in libraries:
        importlib.import_module(name)
    began = time.perf_counter()
    work(*arguments)
    print(f"seconds: {time.perf_counter() - began}", file=sys.stderr)
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmHWM:"):
            print(line, file=sys.stderr)


if __name__ == "__main__":
    main()
