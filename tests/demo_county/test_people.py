"""Who lives in the demo county and where: houses in their grids, officers, leaves, trouble."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
import shapely

from gis_service.ingest.readers.frames import COLUMNS, CountyFrames
from scripts.demo_county.boundaries import Boundaries
from scripts.demo_county.buildings import face_of, in_metres
from scripts.demo_county.geography import Floats

TODAY = date(2026, 11, 22)


def test_frames_have_their_columns(county: CountyFrames) -> None:
    for name, columns in COLUMNS.items():
        assert list(getattr(county, name).columns) == list(columns), name


def test_there_are_200_000_households_in_90_000_buildings(county: CountyFrames) -> None:
    assert 199_000 <= len(county.households) <= 201_000
    assert 85_000 <= len(county.buildings) <= 100_000
    assert county.households["building_key"].isin(county.buildings["key"]).all()


def test_every_household_is_at_its_building_and_in_a_grid(
    county: CountyFrames, faces: pd.DataFrame, home_xy: Floats
) -> None:
    assert (face_of(home_xy, faces["geometry"].to_numpy()) >= 0).all()
    point = county.buildings.set_index("key")[["lon", "lat"]]
    at = point.loc[county.households["building_key"]].to_numpy()
    assert (county.households[["lon", "lat"]].to_numpy() == at).all()


def test_grids_have_about_the_households_they_should(
    county: CountyFrames, faces: pd.DataFrame, home_xy: Floats
) -> None:
    face = face_of(home_xy, faces["geometry"].to_numpy())
    homes = county.households["building_key"].value_counts()
    many = county.buildings["key"].map(homes).fillna(0).to_numpy()
    count = np.bincount(face, many, minlength=len(faces))
    ordinary = (faces["kind"] == "ordinary").to_numpy()
    assert count[ordinary].min() > 0
    least = np.where(faces["urban"], 200, 80)
    right = (count >= least) & (count <= 300)
    assert 0.7 < right[ordinary].mean() < 0.95
    assert (count[ordinary] > 300).any()
    assert (count < least)[ordinary].any()


def test_no_footprint_is_cut_by_a_border_or_a_road(
    county: CountyFrames, faces: pd.DataFrame, home_xy: Floats
) -> None:
    some = slice(None, None, 7)
    shapes = in_metres(county.buildings["footprint"].to_numpy()[some])
    assert shapely.is_valid(shapes).all()
    face = face_of(home_xy[some], faces["geometry"].to_numpy())
    land = faces["geometry"].to_numpy()[face]
    shapely.prepare(land)
    assert shapely.covers(land, shapes).all()
    roads = in_metres(county.road_edges["geometry"].to_numpy())
    assert not len(shapely.STRtree(roads).query(shapes, predicate="intersects")[0])
    water = county.land_cover.loc[county.land_cover["kind"] == "water", "geometry"]
    pools = in_metres(water.to_numpy())
    assert not len(shapely.STRtree(shapes).query(pools, predicate="intersects")[0])


def test_points_lie_on_their_footprints(county: CountyFrames) -> None:
    frame = county.buildings
    shapes = frame["footprint"].to_numpy()
    assert shapely.intersects_xy(shapes, frame["lon"], frame["lat"]).all()


def test_exactly_one_point_is_a_tower(county: CountyFrames) -> None:
    places = county.households.groupby(["lon", "lat"]).size()
    assert (places == 200).sum() == 1
    assert places.max() == 200
    lon, lat = places.idxmax()
    towers = county.buildings[county.buildings["storeys"] >= 30]
    assert towers[["storeys", "lon", "lat"]].to_numpy().tolist() == [[30, lon, lat]]
    rooms = county.households.loc[county.households["building_key"] == towers["key"].item(), "room"]
    assert rooms.is_unique


def test_things_stand_where_the_county_says(county: CountyFrames) -> None:
    keys = set(county.premises["key"])
    named = county.hazards["premises_key"].dropna()
    assert set(named) <= keys
    assert len(county.premises) == 3000
    assert len(county.hazards) == 2000
    assert len(county.incidents) == 5000
    for name in ("fire_station", "clinic", "service_centre", "water_source"):
        assert (county.facilities["kind"] == name).sum() >= 6, name


def test_exactly_four_incidents_are_outside_the_county(
    county: CountyFrames, faces: pd.DataFrame
) -> None:
    whole = shapely.union_all(faces["geometry"].to_numpy())
    shapely.prepare(whole)
    points = in_metres(shapely.points(county.incidents[["lon", "lat"]].to_numpy()))
    assert (~shapely.intersects(whole, points)).sum() == 4


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_every_grid_has_somebody(county: CountyFrames, boundaries: Boundaries, rank: int) -> None:
    grids = boundaries.version(2).grids
    today = county.duties[county.duties["valid_to"].isna()]
    wanted = set(grids.loc[grids["rank"] == rank, "key"])
    assert wanted <= set(today["grid_key"])


def test_duties_do_not_overlap(county: CountyFrames) -> None:
    duties = county.duties.copy()
    assert set(duties["officer_key"]) <= set(county.officers["key"])
    duties["valid_to"] = duties["valid_to"].fillna(date(9999, 1, 1))
    assert (duties["valid_to"] > duties["valid_from"]).all()
    duties = duties.sort_values("valid_from", kind="stable")
    for what in (["grid_key", "role", "post"], ["officer_key", "grid_key"]):
        before = duties.groupby(what, dropna=False)["valid_to"].shift()
        held = before.notna()
        assert (duties.loc[held, "valid_from"] >= before[held]).all(), what


def test_leaves_do_not_overlap_and_somebody_is_away_today(county: CountyFrames) -> None:
    leaves = county.leaves.sort_values("valid_from", kind="stable")
    assert (leaves["valid_to"] > leaves["valid_from"]).all()
    before = leaves.groupby("officer_key")["valid_to"].shift()
    held = before.notna()
    assert (leaves.loc[held, "valid_from"] >= before[held]).all()
    assert ((leaves["valid_from"] <= TODAY) & (leaves["valid_to"] > TODAY)).any()
