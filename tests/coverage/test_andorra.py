"""Reaches on a real road network: the distances that another engine's tests state."""

import json
from pathlib import Path

import numpy as np
import pytest
import shapely

from gis_service.coverage.areas.station_reach import Reacher
from gis_service.coverage.areas.street_cells import StreetCells
from gis_service.coverage.network.graph import RoadNetwork, Snapper, apply_profile
from gis_service.coverage.standards.book import Profile, read_standards
from gis_service.ingest.osm.reading import read_osm
from gis_service.rule_files import Sourced

BOOK = read_standards()


@pytest.mark.parametrize(("row", "limit_m"), [(2, 1500.0), (3, 3000.0)])
def test_places_within_and_beyond_a_distance(real_data: Path, row: int, limit_m: float) -> None:
    truth = json.loads((real_data / "reference/graphhopper-andorra.json").read_text("utf-8"))
    stated = truth["andorra"]["isochrone_point_in_polygon_assertions_lonlat"][row]
    assert stated["limit"] == f"{limit_m:g} m"
    frames = read_osm(real_data / "roads/andorra-2013.osm.pbf").frames
    network = RoadNetwork.from_frames(frames.road_nodes, frames.road_edges)
    # At 60 km/h a minute is a kilometre.
    car = BOOK.profiles["fire_engine"]
    sixty = {name: Sourced(value=60.0, source="test") for name in car.speed_kmh}
    profile = Profile(**{**dict(car), "speed_kmh": sixty})
    rules = BOOK.place.model_copy(
        update={"off_road_counts": Sourced[bool](value=False, source="test")}
    )
    profiled = apply_profile(network, profile, BOOK.scenario("normal"), rules)
    start = Snapper(profiled).snap(
        np.array([stated["from"][0]]), np.array([stated["from"][1]]), 500.0
    )
    reach = Reacher(profiled, "from_facility", rules).reach_together(start, 0.0)
    cells = StreetCells(profiled, rules)
    shape = cells.draw_area(cells.find_minutes(reach), None, limit_m / 1000)
    for side, expected in (("inside", True), ("outside", False)):
        points = cells.to_plane(shapely.points(stated[side]))
        assert shapely.covers(shape, points).tolist() == [expected] * len(points)
