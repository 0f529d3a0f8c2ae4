"""The demo county's roads: one network, rivers crossed by bridges only, made alike each time."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import shapely
from scipy.spatial import cKDTree

from gis_service.ingest.readers.frames import CountyFrames
from scripts.demo_county import geography as geo
from scripts.demo_county.boundaries import Boundaries
from scripts.demo_county.buildings import in_metres
from scripts.demo_county.geography import Floats
from scripts.demo_county.land import river_polygons


def motor_graph(edges: pd.DataFrame) -> "nx.DiGraph[int]":
    fast = edges[edges["motor"]]
    graph: nx.DiGraph[int] = nx.DiGraph()
    for way, first, last in (((0, 1), "source", "target"), ((0, -1), "target", "source")):
        open_ = fast[fast["oneway"].isin(way)]
        pairs = open_[[f"{first}_node", f"{last}_node"]].to_numpy()
        graph.add_edges_from(map(tuple, pairs.tolist()))
    return graph


def test_nodes_and_edges_fit(county: CountyFrames) -> None:
    nodes, edges = county.road_nodes, county.road_edges
    assert len(nodes) >= 30_000
    assert nodes["node_id"].is_unique
    assert edges["edge_id"].is_unique
    place = nodes.set_index("node_id")[["lon", "lat"]]
    lines = edges["geometry"].to_numpy()
    for number, name in ((0, "source_node"), (-1, "target_node")):
        ends = shapely.get_coordinates(shapely.get_point(lines, number))
        assert (ends == place.loc[edges[name]].to_numpy()).all()


def test_a_car_gets_to_nearly_every_household_and_back(
    county: CountyFrames, home_xy: Floats
) -> None:
    """A household's door is on the nearest road a car may stop on."""
    edges = county.road_edges
    main = max(nx.strongly_connected_components(motor_graph(edges)), key=len)
    doors = edges[edges["motor"] & (edges["road_class"] != "motorway")]
    in_main = doors["source_node"].isin(main) & doors["target_node"].isin(main)
    tree = shapely.STRtree(in_metres(doors["geometry"].to_numpy()))
    _, nearest = tree.query_nearest(shapely.points(home_xy), all_matches=False)
    homes = county.households["building_key"].value_counts()
    count = county.buildings["key"].map(homes).fillna(0).to_numpy()
    share = count[in_main.to_numpy()[nearest]].sum() / count.sum()
    assert share >= 0.997


def test_six_small_pieces_hang_on_nothing(county: CountyFrames) -> None:
    parts = sorted(nx.weakly_connected_components(motor_graph(county.road_edges)), key=len)
    assert [len(part) for part in parts[:-1]] == [5] * 6


@pytest.mark.parametrize("river", range(len(geo.RIVERS)))
def test_rivers_are_crossed_by_bridges_only(county: CountyFrames, river: int) -> None:
    edges = county.road_edges
    water = river_polygons()[river]
    wet = shapely.intersects(water, in_metres(edges["geometry"].to_numpy()))
    bridges = edges["bridge"].to_numpy(dtype=bool)
    assert not (wet & ~bridges).any()
    assert 2 <= (wet & bridges).sum() <= 12


def test_the_motorway_is_met_by_ramps_only(county: CountyFrames) -> None:
    edges = county.road_edges
    dual = edges[edges["dual_carriageway"]]
    assert set(dual["road_class"]) == {"motorway"}
    assert (dual["oneway"] == 1).all()
    on_it = set(dual["source_node"]) | set(dual["target_node"])
    rest = edges[edges["road_class"] != "motorway"]
    assert not on_it & (set(rest["source_node"]) | set(rest["target_node"]))
    lines = in_metres(dual["geometry"].to_numpy())
    tree = shapely.STRtree(lines)
    over = tree.query(in_metres(rest["geometry"].to_numpy()), predicate="crosses")[0]
    assert len(over) > 0
    assert rest["bridge"].to_numpy(dtype=bool)[over].all()


def test_streets_of_the_boundaries_are_roads(boundaries: Boundaries, county: CountyFrames) -> None:
    """Most vertices of street arcs are vertices of roads: they are one line, not two."""
    version = boundaries.version(2)
    streets = shapely.get_coordinates(version.arcs[version.kinds == "street"])
    roads = shapely.get_coordinates(county.road_edges["geometry"].to_numpy())
    gap, _ = cKDTree(roads).query(streets)
    assert (np.asarray(gap) < 1e-9).mean() > 0.95
