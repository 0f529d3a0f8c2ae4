"""The demo county is the same whoever makes it: another process makes it again."""

import json
import subprocess

from gis_service.ingest.readers.frames import CountyFrames
from tests.demo_county.fingerprints import fingerprints


def test_another_process_makes_the_same_county(
    county: CountyFrames, another_run: "subprocess.Popen[str]"
) -> None:
    printed, _ = another_run.communicate(timeout=300)
    assert another_run.returncode == 0
    assert json.loads(printed) == fingerprints(county)
