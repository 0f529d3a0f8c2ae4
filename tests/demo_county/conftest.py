"""The demo county, made once for all tests of it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from gis_service.ingest.readers.frames import CountyFrames
from scripts.demo_county import geography as geo
from scripts.demo_county.boundaries import Boundaries, load_boundaries
from scripts.demo_county.buildings import in_metres
from scripts.demo_county.county import base_faces, make_county

ROOT = Path(__file__).resolve().parents[2]
BASE_FILE = ROOT / "data" / "boundaries" / "demo_county.geojson.gz"


@pytest.fixture(scope="session")
def boundaries() -> Boundaries:
    return load_boundaries(BASE_FILE)


@pytest.fixture(scope="session")
def another_run() -> Iterator["subprocess.Popen[str]"]:
    """
    Start another process that makes the county and prints its fingerprints.

    Its sets are ordered otherwise, since strings hash otherwise there.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "tests.demo_county.fingerprints", str(BASE_FILE)],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": "7"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


@pytest.fixture(scope="session")
def county(boundaries: Boundaries, another_run: "subprocess.Popen[str]") -> CountyFrames:
    """Make the county, at the same time as the other process."""
    assert another_run.pid
    return make_county(boundaries)


@pytest.fixture(scope="session")
def faces(boundaries: Boundaries) -> pd.DataFrame:
    """Base grids in force, their land in the demo's metres."""
    frame = base_faces(boundaries)
    frame["geometry"] = in_metres(frame["geometry"].to_numpy())
    return frame


@pytest.fixture(scope="session")
def home_xy(county: CountyFrames) -> npt.NDArray[np.float64]:
    """Where each building is, metres."""
    return geo.to_metres(county.buildings[["lon", "lat"]].to_numpy())
