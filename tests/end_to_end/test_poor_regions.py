"""Regions that lack something, and files that are broken: said clearly, nothing half-written."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from gis_service import main_job
from gis_service.access import SYSTEM
from gis_service.errors import InputError
from gis_service.ingest.region import import_region
from gis_service.store import tables as t
from gis_service.store.engine import Store

NO_ROADS = """<?xml version="1.0" encoding="UTF-8"?>
<osm version="0.6">
 <node id="1" version="1" lat="28.70" lon="112.90"/><node id="2" version="1" lat="28.70" lon="112.91"/>
 <node id="3" version="1" lat="28.71" lon="112.91"/><node id="4" version="1" lat="28.71" lon="112.90"/>
 <node id="5" version="1" lat="28.703" lon="112.903"/><node id="6" version="1" lat="28.703" lon="112.904"/>
 <node id="7" version="1" lat="28.704" lon="112.904"/>
 <way id="1" version="1"><nd ref="1"/><nd ref="2"/><nd ref="3"/><nd ref="4"/><nd ref="1"/></way>
 <way id="2" version="1"><nd ref="5"/><nd ref="6"/><nd ref="7"/><nd ref="5"/>
  <tag k="building" v="house"/></way>
 <relation id="1" version="1"><member type="way" ref="1" role="outer"/>
  <tag k="type" v="boundary"/><tag k="boundary" v="administrative"/>
  <tag k="admin_level" v="8"/><tag k="name" v="Nowhere"/></relation>
</osm>
"""  # noqa: E501


def nothing(_line: str) -> None:
    """Say nothing."""


def rows(store: Store) -> int:
    with store.transaction(SYSTEM) as connection:
        return sum(
            connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in t.metadata.tables.values()
            if table is not t.digest_key  # which the service's role may not read
        )


@pytest.mark.parametrize("cut", [0, 100, 60_000, 1_000_000])
@pytest.mark.real_data
def test_an_empty_or_cut_file_is_said_and_leaves_the_store_as_it_was(
    store: Store, real_data: Path, tmp_path: Path, cut: int
) -> None:
    before = rows(store)
    file = tmp_path / "cut.osm.pbf"
    file.write_bytes((real_data / "roads/liechtenstein-2015.osm.pbf").read_bytes()[:cut])
    with pytest.raises(InputError) as caught:
        import_region(store, SYSTEM, file)
    assert caught.value.key in ("ingest.osm_empty", "ingest.osm_cut", "ingest.osm_unreadable")
    assert "cut.osm.pbf" in str(caught.value)
    assert rows(store) == before


def test_a_region_without_roads_has_figures_of_nought_with_their_reason(
    store: Store, tmp_path: Path
) -> None:
    file = tmp_path / "nowhere.osm"
    file.write_text(NO_ROADS, "utf-8")
    import_region(store, SYSTEM, file)
    result = main_job.main_job(store, tmp_path / "map.html", nothing)
    assert result["grids"] == {"base": 1}
    assert result["assigned_share"] == 1.0
    figures = result["coverage"]["fire-20"]
    assert (figures["n"], figures["covered"], figures["off_network"]) == (1, 0, 1)
    assert figures["share"] == 0
    assert figures["status"] != "ok"
