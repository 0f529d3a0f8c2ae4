"""Regions drawn by hand, with what goes wrong in real extracts; and files that are no files."""

import bz2
import gzip
import re
from pathlib import Path

import numpy as np
import osmium
import pytest
import shapely

from gis_service.coverage.network.graph import RoadNetwork, Snapped, apply_profile
from gis_service.coverage.standards.book import read_standards
from gis_service.coverage.travel.travel_time import measure_rows
from gis_service.errors import InputError
from gis_service.ingest.osm.reading import OsmRegion, read_osm
from gis_service.ingest.osm.roads import WAY_STRIDE
from gis_service.ingest.osm.scan import scan_file
from gis_service.ingest.readers.frames import Note
from tests.ingest.osm_drawing import Drawing


def read(drawing: Drawing, folder: Path) -> OsmRegion:
    return read_osm(drawing.save(folder))


def keys(notes: list[Note]) -> list[str]:
    return [note.key for note in notes]


def noted(region: OsmRegion, key: str) -> dict[str, object]:
    """Values of the one note with this key."""
    (note,) = [note for note in region.notes if note.key == key]
    assert "{" not in note.say("en") + note.say("zh-CN")
    return dict(note.values)


def with_homes(drawing: Drawing, *corners: tuple[float, float]) -> Drawing:
    """Add a house of 10 m at each place."""
    for number, (x, y) in enumerate(corners):
        names = [f"{number}{letter}" for letter in "abc"]
        for name, (dx, dy) in zip(names, ((0, 0), (0.1, 0), (0, 0.1)), strict=True):
            drawing.node(name, x + dx, y + dy)
        drawing.way(100 + number, [*names, names[0]], building="house")
    return drawing


def a_cross() -> Drawing:
    """Roads a-m-b and c-m-d that share the node m."""
    drawing = Drawing()
    drawing.nodes(a=(0, 5), m=(5, 5), b=(10, 5), c=(5, 0), d=(5, 10))
    return drawing


# --- roads -------------------------------------------------------------------------------------


def test_roads_are_split_at_the_nodes_they_share(tmp_path: Path) -> None:
    drawing = a_cross()
    drawing.way(7, "amb", highway="residential", name="东街")
    drawing.way(8, "cmd", highway="residential")
    edges = read(drawing, tmp_path).frames.road_edges
    ends = [tuple(row) for row in edges[["edge_id", "source_node", "target_node"]].to_numpy()]
    assert ends == [
        (7 * WAY_STRIDE, 1, 2),
        (7 * WAY_STRIDE + 1, 2, 3),
        (8 * WAY_STRIDE, 4, 2),
        (8 * WAY_STRIDE + 1, 2, 5),
    ]
    assert list(edges["name"]) == ["东街", "东街", "", ""]


def a_crossing_in_arms() -> Drawing:
    """Ways 1 west, 2 east, 3 south, 4 north of the node m."""
    drawing = a_cross()
    for way, letters in enumerate(("am", "mb", "cm", "md"), start=1):
        drawing.way(way, letters, highway="residential")
    return drawing


def the_turns(drawing: Drawing, folder: Path) -> list[tuple[object, ...]]:
    frame = read(drawing, folder).frames.road_turns
    plain = frame.astype(object).where(frame.notna(), None)
    return [tuple(row) for row in plain.itertuples(index=False)]


def test_a_turn_restriction_names_its_edges(tmp_path: Path) -> None:
    drawing = a_crossing_in_arms()
    drawing.restriction(9, 1, "m", 4, restriction="no_left_turn")
    drawing.restriction(10, 3, "m", 3, restriction="no_u_turn")
    drawing.restriction(11, 2, "m", 1, restriction="only_straight_on", **{"except": "bus"})
    assert the_turns(drawing, tmp_path) == [
        (9, "no_left_turn", 1 * WAY_STRIDE, 2, 4 * WAY_STRIDE, None),
        (10, "no_u_turn", 3 * WAY_STRIDE, 2, 3 * WAY_STRIDE, None),
        (11, "only_straight_on", 2 * WAY_STRIDE, 2, 1 * WAY_STRIDE, None),
    ]


def test_a_restriction_that_cannot_be_applied_is_kept_with_its_reason(tmp_path: Path) -> None:
    drawing = a_crossing_in_arms()
    drawing.nodes(e=(5, 15), f=(10, 10))
    drawing.way(5, "edf", highway="residential")
    drawing.restriction(1, 1, 4, 5, restriction="no_left_turn")
    drawing.restriction(2, 1, "m", 4, restriction__conditional="no_left_turn @ (Mo-Fr)")
    drawing.restriction(3, 1, "m", 4, restriction="no_left_turn", hour_on="07:00")
    drawing.restriction(4, 1, "m", 4, restriction__hgv="no_left_turn", restriction__conditional="")
    drawing.restriction(5, 1, "m", 4, restriction="no_left_turn", **{"except": "psv;motorcar"})
    drawing.restriction(6, 4, "d", 5, restriction="no_left_turn")
    drawing.restriction(7, 1, "m", 77, restriction="no_left_turn")
    region = read(drawing, tmp_path)
    assert region.frames.road_turns["from_edge"].isna().all()
    assert dict(region.frames.road_turns[["relation_id", "why_not"]].itertuples(index=False)) == {
        1: "via_way",
        2: "conditional",
        3: "conditional",
        4: "vehicle",
        5: "excepted",
        6: "unclear",
        7: "not_here",
    }
    note = next(note for note in region.notes if note.key == "ingest.osm_turns")
    assert note.values == {"n": 7, "applied": 0, "not": 7}


def test_a_bollard_cuts_the_road_for_wheels_and_a_gate_does_not(tmp_path: Path) -> None:
    drawing = Drawing()
    drawing.nodes(a=(0, 0), b=(20, 0))
    bollard = drawing.node("p", 10, 0, barrier="bollard")
    drawing.node("g", 15, 0, barrier="gate")
    drawing.way(7, "apgb", highway="residential")
    region = read(drawing, tmp_path)
    assert len(region.frames.road_edges) == 2
    west, east = 7 * WAY_STRIDE, 7 * WAY_STRIDE + 1
    assert [tuple(row)[:5] for row in region.frames.road_turns.itertuples(index=False)] == [
        (bollard, "no_motor_passage", west, bollard, east),
        (bollard, "no_motor_passage", east, bollard, west),
    ]
    frames, book = region.frames, read_standards()
    network = RoadNetwork.from_frames(frames.road_nodes, frames.road_edges, frames.road_turns)
    ends = np.array([0.5, 0.5])
    both = Snapped(np.array([0, 1]), ends, np.zeros(2))
    reached = {}
    for profile in ("walk", "fire_engine"):
        roads = apply_profile(network, book.profiles[profile], book.scenario("normal"), book.place)
        times = list(measure_rows(roads, both, both, "from_facility"))
        reached[profile] = np.isfinite(times).tolist()
    assert reached["walk"] == [[True, True], [True, True]]
    assert reached["fire_engine"] == [[True, False], [False, True]]


def test_a_bridge_that_shares_no_node_does_not_cross(tmp_path: Path) -> None:
    drawing = a_cross()
    drawing.way(7, "amb", highway="residential")
    drawing.way(8, "cd", highway="residential", bridge="viaduct", layer="1")
    region = read(drawing, tmp_path)
    edges = region.frames.road_edges.set_index("edge_id")
    assert len(edges) == 2
    assert len(region.frames.road_nodes) == 4
    assert edges.loc[8 * WAY_STRIDE, "bridge"]
    assert not edges.loc[7 * WAY_STRIDE, "bridge"]
    crossing = shapely.crosses(*edges["geometry"])
    assert crossing, "the drawn lines do cross"


def test_a_road_against_its_line_keeps_the_line(tmp_path: Path) -> None:
    drawing = a_cross()
    drawing.way(7, "amb", highway="residential", oneway="-1")
    (edge,) = read(drawing, tmp_path).frames.road_edges.itertuples()
    assert (edge.source_node, edge.target_node, edge.oneway) == (1, 3, -1)
    assert edge.geometry.coords[0] == (112.9, 28.705)


def test_a_roundabout_is_one_way_and_a_loop_stays_a_loop(tmp_path: Path) -> None:
    drawing = Drawing()
    drawing.nodes(a=(0, 0), b=(1, 0), c=(1, 1), d=(5, 5), e=(6, 5), f=(6, 6), g=(-5, 0))
    drawing.way(7, "abca", highway="residential", junction="roundabout")
    drawing.way(8, "ga", highway="residential")
    drawing.way(9, "defd", highway="service")
    edges = read(drawing, tmp_path).frames.road_edges.set_index("edge_id")
    assert len(edges) == 3
    roundabout, loop = edges.loc[7 * WAY_STRIDE], edges.loc[9 * WAY_STRIDE]
    assert roundabout["roundabout"]
    assert roundabout["oneway"] == 1
    assert loop["source_node"] == loop["target_node"] == 4
    assert loop["oneway"] == 0


def test_parallel_roads_both_stay(tmp_path: Path) -> None:
    drawing = a_cross()
    drawing.way(7, "ab", highway="residential")
    drawing.way(8, "acb", highway="residential")
    edges = read(drawing, tmp_path).frames.road_edges
    assert [tuple(row) for row in edges[["source_node", "target_node"]].to_numpy()] == [(1, 3)] * 2


def test_two_nodes_at_one_place_do_not_break_the_road(tmp_path: Path) -> None:
    drawing = Drawing()
    drawing.nodes(a=(0, 0), b=(5, 0), c=(5, 0), d=(9, 0), e=(5, 5), f=(5, -5))
    drawing.way(7, "ab", highway="residential")
    drawing.way(8, "bc", highway="residential")
    drawing.way(9, "cd", highway="residential")
    drawing.way(10, "ebf", highway="residential")
    edges = read(drawing, tmp_path).frames.road_edges
    ends = {tuple(row) for row in edges[["source_node", "target_node"]].to_numpy()}
    assert ends == {(1, 2), (2, 4), (5, 2), (2, 6)}, "b and c are one node, no edge has length 0"


def test_a_road_cut_at_the_edge_of_the_extract_keeps_its_known_parts(tmp_path: Path) -> None:
    drawing = Drawing()
    drawing.nodes(a=(0, 0), b=(1, 0), x=(2, 0), c=(3, 0), d=(4, 0))
    drawing.leave_out("x")
    drawing.way(7, "abxcd", highway="residential")
    region = read(drawing, tmp_path)
    assert list(region.frames.road_edges["edge_id"]) == [7 * WAY_STRIDE, 7 * WAY_STRIDE + 3]
    assert "ingest.osm_roads_clipped" in keys(region.notes)
    assert region.clipped


def test_what_nobody_travels_is_counted_not_taken(tmp_path: Path) -> None:
    drawing = a_cross()
    drawing.way(7, "ab", highway="residential")
    drawing.way(8, "cd", highway="construction")
    drawing.way(9, "acba", highway="pedestrian", area="yes")
    drawing.way(10, "cb", route="ferry")
    drawing.way(11, "db", route="bus")
    region = read(drawing, tmp_path)
    assert sorted(region.frames.road_edges["road_class"]) == ["ferry", "residential"]
    (note,) = [note for note in region.notes if note.key == "ingest.osm_roads_left_out"]
    assert note.values["n"] == 2
    assert "construction 1" in note.say("en")
    assert "construction 1" in note.say("zh-CN")


# --- buildings, facilities, land ---------------------------------------------------------------


def squares() -> Drawing:
    """An outer square abcd with an inner one efgh."""
    drawing = Drawing()
    drawing.nodes(a=(0, 0), b=(4, 0), c=(4, 4), d=(0, 4))
    drawing.nodes(e=(1, 1), f=(3, 1), g=(3, 3), h=(1, 3))
    return drawing


def test_a_building_of_a_relation_has_its_hole_and_its_point_beside_it(tmp_path: Path) -> None:
    drawing = squares()
    drawing.way(7, "abcda")
    drawing.way(8, "efghe")
    drawing.relation(
        9, {7: "outer", 8: "inner"}, type="multipolygon", building="apartments",
        building__levels="6", addr__street="长岭路", addr__housenumber="3",
    )  # fmt: skip
    frames = read(drawing, tmp_path).frames
    (house,) = frames.buildings.itertuples()
    assert (house.key, house.kind, house.storeys) == ("r9", "residential", 6)
    assert house.address == "长岭路 3"
    assert house.footprint.area == pytest.approx(12e-6)
    assert house.footprint.contains(shapely.Point(house.lon, house.lat))
    (home,) = frames.households.itertuples()
    assert (home.building_key, home.street, home.house_number) == ("r9", "长岭路", "3")
    assert (home.lon, home.lat, home.people, home.care_tags) == (house.lon, house.lat, 0, [])


def test_a_building_drawn_as_way_and_as_relation_is_one(tmp_path: Path) -> None:
    drawing = squares()
    drawing.way(7, "abcda", building="yes")
    drawing.way(8, "efghe")
    members = {7: "outer", 8: "inner"}
    drawing.relation(9, members, type="multipolygon", building="yes")
    assert list(read(drawing, tmp_path).frames.buildings["key"]) == ["r9"]


def test_a_school_that_a_relation_has_as_a_building_only_is_one_building(tmp_path: Path) -> None:
    drawing = squares()
    drawing.way(7, "abcda", building="yes", amenity="school", name="小学")
    drawing.way(8, "efghe")
    drawing.relation(9, {7: "outer", 8: "inner"}, type="multipolygon", building="yes")
    frames = read(drawing, tmp_path).frames
    assert list(frames.buildings["key"]) == ["r9"]
    assert list(frames.facilities["key"]) == ["w7"]


def test_a_kindergarten_is_no_school(tmp_path: Path) -> None:
    drawing = squares()
    drawing.node("p", 2, 2, amenity="kindergarten")
    drawing.node("q", 3, 2, amenity="school")
    drawing.way(7, "abcda", amenity="kindergarten", building="yes")
    region = read(drawing, tmp_path)
    assert list(region.frames.facilities["key"]) == ["n10"]
    assert len(region.frames.buildings) == 1, "a kindergarten stays a building"
    assert noted(region, "ingest.osm_kindergartens") == {"n": 2}


def test_outlines_are_repaired_or_refused_with_the_reason(tmp_path: Path) -> None:
    drawing = squares()
    drawing.node("x", 9, 9)
    drawing.leave_out("x")
    drawing.way(1, "ab", highway="residential")
    drawing.way(7, "abdca", building="yes")  # a bow tie
    drawing.way(8, "abaca", building="yes")  # no surface
    drawing.way(9, "abc", building="yes")  # not closed
    drawing.way(10, "abcxa", building="yes")  # a node is missing
    drawing.relation(11, {99: "outer"}, type="multipolygon", building="yes")
    region = read(drawing, tmp_path)
    (house,) = region.frames.buildings.itertuples()
    assert house.key == "w7"
    assert house.footprint.is_valid
    assert house.footprint.area > 0
    assert {refusal.feature: refusal.key for refusal in region.refusals} == {
        "w8": "ingest.osm_no_surface",
        "w9": "ingest.osm_outline_open",
        "w10": "ingest.osm_nodes_missing",
        "r11": "ingest.osm_area_open",
    }
    assert "ingest.osm_repaired" in keys(region.notes)


def test_a_fire_station_drawn_twice_counts_once(tmp_path: Path) -> None:
    drawing = squares()
    drawing.node("p", 2, 2, amenity="fire_station", name="消防站")
    drawing.node("q", 2.5, 2, amenity="fire_station")
    drawing.node("r", 2, 2.5, amenity="fire_station", name="另一个站")
    drawing.node("s", 9, 9, amenity="fire_station", name="消防站")
    drawing.node("t", 2, 2.2, amenity="police", name="消防站")
    drawing.way(7, "abcda", amenity="fire_station", name="消防站", building="yes")
    region = read(drawing, tmp_path)
    found = {(row.kind, row.key) for row in region.frames.facilities.itertuples()}
    assert found == {
        ("fire_station", "w7"),
        ("fire_station", "n11"),
        ("fire_station", "n12"),
        ("police_room", "n13"),
    }
    assert len(region.frames.buildings) == 1, "the station is a building as well"


def test_land_for_the_background(tmp_path: Path) -> None:
    drawing = squares()
    drawing.way(7, "abcda", landuse="forest", name="林")
    drawing.way(8, "efghe", natural="water")
    drawing.way(9, "abc", natural="water")
    drawing.way(10, "ab", highway="path")
    region = read(drawing, tmp_path)
    land = {row.key: (row.kind, row.name) for row in region.frames.land_cover.itertuples()}
    assert land == {"w7": ("green", "林"), "w8": ("water", "")}
    assert "ingest.osm_land_left_out" in keys(region.notes)


# --- grids -------------------------------------------------------------------------------------


def two_towns() -> Drawing:
    """Towns west (ways 1, 2) and east (ways 2, 3) of a common border, and the county of both."""
    drawing = Drawing()
    drawing.nodes(a=(0, 0), b=(10, 0), c=(20, 0), d=(20, 10), e=(10, 10), f=(0, 10))
    drawing.way(1, "efab")
    drawing.way(2, "be", boundary="administrative", admin_level="8")
    drawing.way(3, "bcde")
    common = {"type": "boundary", "boundary": "administrative"}
    drawing.relation(11, {1: "outer", 2: "outer"}, admin_level="8", name="西镇", **common)
    drawing.relation(12, {2: "outer", 3: "outer"}, admin_level="8", name="东镇", **common)
    drawing.relation(10, {1: "outer", 3: "outer"}, admin_level="6", name="县", **common)
    return drawing


def test_relations_become_grids_with_their_parents(tmp_path: Path) -> None:
    region = read(two_towns(), tmp_path)
    grids = region.grid_polygons
    rows = [tuple(row) for row in grids[["key", "name", "rank", "parent_key"]].to_numpy()]
    assert rows == [("r10", "县", 1, None), ("r11", "西镇", 2, "r10"), ("r12", "东镇", 2, "r10")]
    assert region.name == "县"
    assert list(region.levels["admin_level"]) == ["6", "8"]
    assert list(region.levels["label"]) == ["大网格", "基础网格"]
    county, west, east = grids["geometry"]
    assert county.equals(shapely.union(west, east))
    assert shapely.intersection(west, east).area == 0
    units = region.frames.admin_units
    rows = [tuple(row) for row in units[["code", "level", "parent_code"]].to_numpy()]
    assert rows == [("r10", "county", None), ("r11", "town", "r10"), ("r12", "town", "r10")]


def test_a_closed_way_that_also_carries_admin_tags_does_not_count(tmp_path: Path) -> None:
    drawing = two_towns()
    drawing.nodes(w=(2, 2), x=(4, 2), y=(4, 4), z=(2, 4))
    drawing.way(4, "wxyzw", boundary="administrative", admin_level="8", name="飞地")
    region = read(drawing, tmp_path)
    assert list(region.grid_polygons["key"]) == ["r10", "r11", "r12"]


def test_an_exclave_stays_with_its_town_and_is_cut_out_of_the_other(tmp_path: Path) -> None:
    drawing = two_towns()
    drawing.nodes(w=(2, 2), x=(4, 2), y=(4, 4), z=(2, 4))
    drawing.way(4, "wxyzw")
    common = {"type": "multipolygon", "boundary": "administrative", "admin_level": "8"}
    drawing.relation(13, {1: "outer", 2: "outer", 4: "inner"}, name="西", **common)
    drawing.relation(14, {2: "outer", 3: "outer", 4: "outer"}, name="东", **common)
    text = drawing.text()
    for old in (11, 12):
        start = text.index(f'<relation id="{old}"')
        text = text[:start] + text[text.index("</relation>", start) + len("</relation>") :]
    path = tmp_path / "exclave.osm"
    path.write_text(text, "utf-8")
    grids = read_osm(path).grid_polygons.set_index("key")["geometry"]
    assert len(shapely.get_parts(grids["r14"])) == 2
    assert shapely.intersection(grids["r13"], grids["r14"]).area == 0
    assert grids["r10"].area == pytest.approx(200e-6)


def test_a_unit_cut_off_at_the_edge_is_refused_and_the_others_stay(tmp_path: Path) -> None:
    drawing = two_towns()
    common = {"type": "boundary", "boundary": "administrative", "admin_level": "8"}
    drawing.relation(13, {3: "outer", 404: "outer", 405: "outer"}, name="邻镇", **common)
    drawing.relation(14, {3: "outer"}, name="开口镇", **common)
    drawing.relation(15, {}, name="空镇", **common)
    region = read(drawing, tmp_path)
    assert list(region.grid_polygons["key"]) == ["r10", "r11", "r12"]
    said = {refusal.feature: refusal for refusal in region.refusals}
    assert {feature: refusal.key for feature, refusal in said.items()} == {
        "r13": "ingest.osm_unit_cut",
        "r14": "ingest.osm_unit_open",
        "r15": "ingest.osm_unit_empty",
    }
    assert "2 of 3" in said["r13"].say("en")
    assert "邻镇" in said["r13"].reason


def test_two_units_of_one_level_never_share_land(tmp_path: Path) -> None:
    drawing = two_towns()
    common = {"type": "boundary", "boundary": "administrative", "admin_level": "8"}
    drawing.relation(13, {1: "outer", 3: "outer"}, name="重叠镇", **common)
    region = read(drawing, tmp_path)
    assert list(region.grid_polygons["key"]) == ["r10", "r11", "r12"]
    (refusal,) = region.refusals
    assert (refusal.feature, refusal.key) == ("r13", "ingest.osm_unit_overlaps")


def a_town_and_a_cut_one() -> Drawing:
    """A whole town with one home, and three homes in a neighbour that is cut off."""
    drawing = two_towns()
    drawing.leave_out("cd")
    return with_homes(drawing, (2, 2), (12, 2), (13, 2), (14, 2))


def test_homes_outside_the_units_that_are_whole_are_told(tmp_path: Path) -> None:
    region = read(a_town_and_a_cut_one(), tmp_path)
    assert list(region.grid_polygons["name"]) == ["西镇"]
    told = noted(region, "ingest.osm_homes_outside")
    assert (told["n"], told["homes"], told["percent"], told["units"]) == (3, 4, 75.0, 2)
    assert region.name == "drawn", "a town with a quarter of the homes does not name the region"


def test_with_the_whole_file_the_rest_is_a_grid_of_its_own(tmp_path: Path) -> None:
    path = a_town_and_a_cut_one().save(tmp_path)
    region = read_osm(path, whole_file=True)
    assert list(region.grid_polygons["key"]) == ["r11", "rest"]
    town, rest = region.grid_polygons["geometry"]
    assert shapely.intersection(town, rest).area == 0
    homes = shapely.points(region.frames.buildings["lon"], region.frames.buildings["lat"])
    assert shapely.intersects(town, homes).tolist() == [True, False, False, False]
    assert shapely.intersects(rest, homes).tolist() == [False, True, True, True]
    union = shapely.union(town, rest)
    assert (union.geom_type, len(union.interiors)) == ("Polygon", 0), "no gap between the two"
    assert noted(region, "ingest.osm_rest_grid")["n"] == 3
    assert list(region.frames.admin_units["code"]) == ["r11"], "the rest is no unit"


def test_the_rest_stands_on_every_tier(tmp_path: Path) -> None:
    path = with_homes(two_towns(), (2, 2), (30, 2)).save(tmp_path)
    grids = read_osm(path, whole_file=True).grid_polygons
    rows = [tuple(row) for row in grids[["key", "rank", "parent_key"]].to_numpy()]
    assert rows[-2:] == [("rest-1", 1, None), ("rest", 2, "rest-1")]
    assert "rest" not in set(read_osm(path).grid_polygons["key"])


def test_a_level_that_holds_most_homes_is_taken_where_none_is_whole(tmp_path: Path) -> None:
    drawing = Drawing()
    drawing.nodes(a=(0, 0), b=(90, 0), c=(90, 90), d=(0, 90))
    drawing.nodes(e=(100, 0), f=(110, 0), g=(110, 10), h=(100, 10))
    drawing.way(1, "abcda")
    drawing.way(2, "efghe")
    common = {"type": "boundary", "boundary": "administrative"}
    drawing.relation(11, {1: "outer"}, admin_level="8", name="山", **common)
    drawing.relation(12, {2: "outer"}, admin_level="9", name="城", **common)
    region = read(with_homes(drawing, (1, 1), (101, 1), (102, 1)), tmp_path)
    assert list(region.grid_polygons["name"]) == ["城"]
    told = noted(region, "ingest.osm_level_partial_homes")
    assert told == {"level": 9, "percent": 1.2, "homes": 66.7}


def test_a_level_that_covers_only_a_part_makes_no_grids(tmp_path: Path) -> None:
    drawing = two_towns()
    drawing.nodes(w=(2, 2), x=(4, 2), y=(4, 4), z=(2, 4))
    drawing.way(4, "wxyzw")
    common = {"type": "boundary", "boundary": "administrative"}
    drawing.relation(13, {4: "outer"}, admin_level="10", name="村", **common)
    region = read(drawing, tmp_path)
    assert list(region.grid_polygons["key"]) == ["r10", "r11", "r12"]
    (note,) = [note for note in region.notes if note.key == "ingest.osm_level_partial"]
    assert note.values == {"level": 10, "percent": 2.0, "homes": 2.0}


def test_a_file_without_administrative_area_is_one_grid(tmp_path: Path) -> None:
    drawing = a_cross()
    drawing.way(7, "amb", highway="residential")
    region = read_osm(drawing.save(tmp_path, "small-town.osm"))
    (grid,) = region.grid_polygons.itertuples()
    assert (grid.name, grid.rank, grid.parent_key) == ("small-town", 1, None)
    assert all(grid.geometry.contains(line) for line in region.frames.road_edges["geometry"])
    assert {"ingest.osm_no_units", "ingest.osm_no_relations"} <= set(keys(region.notes))
    assert len(region.frames.admin_units) == 0


# --- files that cannot be taken ----------------------------------------------------------------


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_osm(path)
    assert path.name in caught.value.say("zh-CN")
    assert path.name in caught.value.say("en")
    assert str(path.parent) not in caught.value.say("en")
    return caught.value.key


def test_every_broken_file_has_its_own_message(tmp_path: Path) -> None:
    text = two_towns().text()
    files = {
        "missing.osm": (None, "ingest.osm_missing"),
        "notes.txt": (text.encode(), "ingest.osm_suffix"),
        "empty.pbf": (b"", "ingest.osm_empty"),
        "empty.osm": (b"", "ingest.osm_empty"),
        "page.pbf": (b"<html>not found</html>" * 50, "ingest.osm_unreadable"),
        "page.osm": (b"<html>not found</html>", "ingest.osm_unreadable"),
        "words.osm": (b"hello", "ingest.osm_unreadable"),
        "none.osm": (b'<osm version="0.6"></osm>', "ingest.osm_no_ways"),
    }
    for name, (content, key) in files.items():
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        assert refused(path) == key, name


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    folder = tmp_path / "folder.osm"
    folder.mkdir()
    assert refused(folder) == "ingest.osm_missing"


def test_a_cut_xml_file_is_found_wherever_it_is_cut(tmp_path: Path) -> None:
    text = two_towns().text().rstrip().encode()
    for share in (0.1, 0.5, 0.9):
        path = tmp_path / "cut.osm"
        path.write_bytes(text[: int(len(text) * share)])
        assert refused(path) == "ingest.osm_cut"
    path.write_bytes(text[:-1])
    assert refused(path) == "ingest.osm_cut"


def test_a_cut_gzip_is_found_wherever_it_is_cut(tmp_path: Path) -> None:
    packed = gzip.compress(two_towns().text().encode())
    whole = tmp_path / "whole.osm.gz"
    whole.write_bytes(packed)
    assert len(read_osm(whole).grid_polygons) == 3
    for cut in (12, len(packed) // 2, len(packed) - 9, len(packed) - 1):
        path = tmp_path / "cut.osm.gz"
        path.write_bytes(packed[:cut])
        assert refused(path) == "ingest.osm_cut", cut


def test_ways_without_their_nodes_are_said(tmp_path: Path) -> None:
    drawing = a_cross()
    drawing.leave_out("ambcd")
    drawing.way(7, "amb", highway="residential")
    assert refused(drawing.save(tmp_path)) == "ingest.osm_no_locations"


def test_a_file_of_roads_only_says_where_it_belongs(tmp_path: Path) -> None:
    path = tmp_path / "roads.graphml"
    path.write_text("<graphml/>", "utf-8")
    assert refused(path) == "ingest.osm_roads_only"


def test_a_bzip2_is_read_and_a_cut_one_found(tmp_path: Path) -> None:
    packed = bz2.compress(two_towns().text().encode())
    whole = tmp_path / "whole.osm.bz2"
    whole.write_bytes(packed)
    assert len(read_osm(whole).grid_polygons) == 3
    for cut in (12, len(packed) // 2, len(packed) - 1):
        path = tmp_path / "cut.osm.bz2"
        path.write_bytes(packed[:cut])
        assert refused(path) == "ingest.osm_cut", cut


def written(path: Path, lines: list[str]) -> None:
    """Write the text of a file as the format that its name says, in this very order."""
    plain = path.with_name("plain.osm")
    plain.write_text("\n".join(lines), "utf-8")
    if path.suffix == ".osm":
        plain.rename(path)
        return
    with osmium.SimpleWriter(str(path)) as writer:
        for thing in osmium.FileProcessor(str(plain)):
            writer.add(thing)


@pytest.mark.parametrize("suffix", [".osm", ".osm.pbf"])
def test_a_file_with_its_nodes_last_is_sorted_and_that_is_said(tmp_path: Path, suffix: str) -> None:
    lines = with_homes(two_towns(), (2, 2)).text().splitlines()
    nodes = [line for line in lines if line.startswith("<node")]
    others = [line for line in lines[2:-1] if not line.startswith("<node")]
    path = tmp_path / f"unsorted{suffix}"
    written(path, [*lines[:2], *others, *nodes, lines[-1]])
    region = read_osm(path)
    assert list(region.grid_polygons["key"]) == ["r10", "r11", "r12"]
    assert len(region.frames.buildings) == 1
    assert noted(region, "ingest.osm_sorted") == {"file": path.name}


@pytest.mark.parametrize("both", [True, False])
def test_of_several_versions_the_newest_counts(tmp_path: Path, both: bool) -> None:
    lines = with_homes(two_towns(), (2, 2), (4, 2)).text().splitlines()
    first = next(line for line in lines if line.startswith('<way id="100"'))
    second = next(line for line in lines if line.startswith('<way id="101"'))
    newer = first.replace('version="1"', 'version="2"').replace("house", "school")
    gone = '<way id="101" version="2" visible="false"/>' if both else second
    at = lines.index(second if both else first) + 1
    path = tmp_path / "history.osm.pbf"
    written(path, [*lines[:at], newer, gone, *lines[at:]])
    region = read_osm(path)
    assert list(region.frames.buildings["kind"]) == ["school", "residential"][: 2 - both]
    assert "ingest.osm_sorted" in keys(region.notes)


def test_a_way_with_a_number_too_big_to_keep_is_refused(tmp_path: Path) -> None:
    drawing = a_cross()
    drawing.way(7, "amb", highway="residential")
    drawing.way(2**60, "cmd", highway="residential")
    region = read(drawing, tmp_path)
    (refusal,) = region.refusals
    assert (refusal.feature, refusal.key) == (f"w{2**60}", "ingest.osm_id_too_big")
    assert len(region.frames.road_edges) == 1


def test_numbers_below_nought_are_numbers(tmp_path: Path) -> None:
    text = with_homes(two_towns(), (2, 2)).text()
    path = tmp_path / "josm.osm"
    path.write_text(re.sub(r'\b(id|ref)="(?=\d)', r'\1="-', text), "utf-8")
    region = read_osm(path)
    assert set(region.grid_polygons["name"]) == {"县", "西镇", "东镇"}
    assert len(region.frames.buildings) == 1
    assert "ingest.osm_sorted" in keys(region.notes)


def test_two_places_far_apart_are_no_region(tmp_path: Path) -> None:
    path = with_homes(Drawing(), (0, 0), (1, 1), (30_000, 0)).save(tmp_path)
    assert refused(path) == "ingest.osm_far_apart"
    with pytest.raises(InputError) as caught:
        read_osm(path)
    assert "112.90, 28.70 – 112.90, 28.70" in str(caught.value)
    assert "142.90, 28.70" in str(caught.value)


def test_a_file_across_180_degrees_is_no_region(tmp_path: Path) -> None:
    path = with_homes(Drawing(), (180_000 - 112_910, 0), (-179_990 - 112_900, 0)).save(tmp_path)
    assert refused(path) == "ingest.osm_across_180"


def test_a_file_with_nothing_to_make_a_region_of_is_said(tmp_path: Path) -> None:
    drawing = squares()
    drawing.way(7, "abcda", natural="water")
    assert refused(drawing.save(tmp_path)) == "ingest.osm_nothing"


def test_an_outline_that_names_a_way_again_and_again_is_refused(tmp_path: Path) -> None:
    """Libosmium takes minutes to put such a one together."""
    file = tmp_path / "again.osm"
    member = '<member type="way" ref="1" role="outer"/>'
    file.write_text(
        '<osm version="0.6"><node id="1" version="1" lon="112.9" lat="28.7"/>'
        '<node id="2" version="1" lon="112.91" lat="28.7"/>'
        '<way id="1" version="1"><nd ref="1"/><nd ref="2"/></way>'
        f'<relation id="9" version="1">{member * 100_000}'
        '<tag k="type" v="boundary"/><tag k="boundary" v="administrative"/></relation></osm>'
    )
    with pytest.raises(InputError) as refused:
        scan_file(file)
    assert refused.value.key == "ingest.osm_way_repeated"
    assert refused.value.place.feature == "relation/9"
