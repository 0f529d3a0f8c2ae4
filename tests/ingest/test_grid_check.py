"""``gis-service plan check``: nine real counties tile their city; one moved by a metre does not."""

import json
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
from typer.testing import CliRunner

from gis_service.cli import app
from gis_service.errors import InputError
from gis_service.ingest.kinds.grid_check import check_grids_file

METRE = 1 / 97_500  # degrees of longitude at 29°


@pytest.mark.real_data
def test_nine_real_counties_tile_their_city(real_data: Path) -> None:
    file = real_data / "boundaries/yueyang_districts_gcj02.geojson"
    answer = CliRunner().invoke(app, ["plan", "check", str(file), "--crs", "gcj02", "--json"])
    assert answer.exit_code == 0
    said = json.loads(answer.stdout)
    assert not any(said["errors"].values())
    assert (said["errors"]["gap"], said["errors"]["overlap"]) == (0, 0)
    assert {kind: n for kind, n in said["warnings"].items() if n} == {"several_parts": 1}
    assert not any(said["repairs"].values())
    assert said["grids"] == 9


@pytest.mark.real_data
def test_one_county_moved_by_a_metre_is_found_with_its_places(
    real_data: Path, tmp_path: Path
) -> None:
    counties = geopandas.read_file(real_data / "boundaries/yueyang_districts_gcj02.geojson")
    moved = counties["adcode"] == "430621"
    shapes = counties.geometry.to_numpy().copy()
    shapes[moved] = shapely.transform(shapes[moved], lambda xy: np.add(xy, (METRE, 0)))
    file = tmp_path / "moved.geojson"
    counties.set_geometry(geopandas.GeoSeries(shapes)).to_file(file, driver="GeoJSON")
    said = check_grids_file(file, crs="gcj02")
    assert said["errors"]["gap"] > 10
    assert said["errors"]["overlap"] > 10
    places = [place for place in said["places"] if place["list"] == "errors"]
    assert len(places) == said["errors"]["gap"] + said["errors"]["overlap"]
    assert all("430621" in place["grids"] for place in places if place["kind"] == "overlap")
    overlaps = [place["width_m"] for place in places if place["kind"] == "overlap"]
    assert max(overlaps) == pytest.approx(1.0, abs=0.01)
    county = shapely.buffer(shapes[moved][0], 0.02)
    assert all(shapely.contains_xy(county, *place["lonlat"]) for place in places)


@pytest.mark.real_data
def test_a_file_that_names_no_system_is_not_looked_at(real_data: Path) -> None:
    file = real_data / "boundaries/shapefile_gcj02_no_prj/淄博市.shp"
    with pytest.raises(InputError) as caught:
        check_grids_file(file)
    assert caught.value.key == "ingest.crs_missing"
    assert not any(check_grids_file(file, crs="gcj02")["errors"].values())
