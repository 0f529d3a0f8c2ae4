"""A real region without a fire station: a valid nought per cent, with its status."""

from pathlib import Path

import pytest

from gis_service import main_job
from gis_service.access import SYSTEM
from gis_service.ingest.region import import_region
from gis_service.store.engine import Store


@pytest.mark.real_data
def test_without_a_fire_station_nobody_is_reached_and_the_status_says_why(
    store: Store, real_data: Path, tmp_path: Path
) -> None:
    import_region(store, SYSTEM, real_data / "roads/andorra-2013.osm.pbf")
    result = main_job.main_job(store, tmp_path / "map.html", lambda _line: None)
    figures = result["coverage"]["fire-20"]
    assert figures["status"] == "no_facility"
    assert figures["share"] == 0
    assert figures["covered"] == 0
    assert figures["unreachable"] + figures["off_network"] == figures["n"] == result["households"]
