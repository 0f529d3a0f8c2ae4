"""A real network read without any of our readers: by networkx alone."""

import ast
from pathlib import Path

import networkx as nx
import pandas as pd
import shapely

from gis_service.coverage.network.graph import RoadNetwork


def futian_network(real_data: Path) -> RoadNetwork:
    """Read Futian as OSMnx wrote it."""
    file = real_data / "roads/futian-shenzhen.graphml"
    graph = nx.read_graphml(file, node_type=int, force_multigraph=True)
    nodes = pd.DataFrame(
        [(node, float(data["x"]), float(data["y"])) for node, data in graph.nodes(data=True)],
        columns=["node_id", "lon", "lat"],
    )
    place = {node: (lon, lat) for node, lon, lat in nodes.itertuples(index=False)}
    rows = []
    for number, (source, target, data) in enumerate(graph.edges(data=True)):
        highway = data["highway"]
        highway = ast.literal_eval(highway)[0] if highway.startswith("[") else highway
        line = shapely.LineString([place[source], place[target]])
        rows.append(
            {
                "edge_id": number,
                "source_node": source,
                "target_node": target,
                "road_class": highway.removesuffix("_link"),
                "oneway": 1,
                "maxspeed_kmh": None,
                "bridge": "bridge" in data,
                "tunnel": "tunnel" in data,
                "dual_carriageway": False,
                "foot": True,
                "motor": True,
                "length_m": float(data["length"]),
                "geometry": shapely.from_wkt(data["geometry"]) if "geometry" in data else line,
            }
        )
    return RoadNetwork.from_frames(nodes, pd.DataFrame(rows))
