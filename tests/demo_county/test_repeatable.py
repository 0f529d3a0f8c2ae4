"""The demo county is the same whoever makes it: another process makes it again."""

import json
import os
import subprocess
import sys
from pathlib import Path

from gis_service.ingest.frames import CountyFrames
from tests.demo_county.conftest import BASE_FILE
from tests.demo_county.fingerprints import fingerprints


def test_another_process_makes_the_same_county(county: CountyFrames) -> None:
    """Its sets are ordered otherwise, since strings hash otherwise there."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.demo_county.fingerprints", str(BASE_FILE)],
        cwd=Path(__file__).resolve().parents[2],
        env=os.environ | {"PYTHONHASHSEED": "7"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert json.loads(run.stdout) == fingerprints(county)
