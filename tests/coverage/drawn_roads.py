"""Small networks for tests, and times on them by an implementation that shares nothing with ours.

The independent one splits every edge at the places on it and asks networkx, from one facility at a
time.
"""

from collections.abc import Iterable, Mapping
from itertools import pairwise

import networkx as nx
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from gis_service.coverage.network.graph import RoadNetwork, Snapped
from gis_service.coverage.travel import search_kernels
from gis_service.coverage.travel.routes import Leg, Router
from gis_service.coverage.travel.travel_time import BUCKET, Graph

LON, LAT = 112.9, 28.7
DEGREES_PER_M = 1 / 100_000

EDGE_DEFAULTS: Mapping[str, object] = {
    "road_class": "residential",
    "oneway": 0,
    "maxspeed_kmh": None,
    "bridge": False,
    "tunnel": False,
    "dual_carriageway": False,
    "foot": True,
    "motor": True,
}


def at_m(x_m: float, y_m: float) -> tuple[float, float]:
    """Put a drawing in metres (roughly) onto the ground."""
    return LON + x_m * DEGREES_PER_M, LAT + y_m * DEGREES_PER_M


def drawn(
    nodes: Mapping[int, tuple[float, float]], edges: Iterable[Mapping[str, object]]
) -> RoadNetwork:
    """Draw nodes in metres and straight edges; an edge's ``length_m`` may be said otherwise."""
    rows = []
    for number, edge in enumerate(edges):
        row = {"edge_id": number, **EDGE_DEFAULTS, **edge}
        ends = [at_m(*nodes[int(str(row[end]))]) for end in ("source_node", "target_node")]
        if ends[0] == ends[1]:
            ends.insert(1, (ends[0][0] + 1e-4, ends[0][1]))
        rows.append({"geometry": shapely.LineString(ends), **row})
    columns = ["edge_id", "source_node", "target_node", *EDGE_DEFAULTS, "geometry"]
    if any("length_m" in row for row in rows):
        columns.append("length_m")
    positions = [at_m(*position) for position in nodes.values()]
    return RoadNetwork.from_frames(
        pd.DataFrame(
            {
                "node_id": list(nodes),
                "lon": [lon for lon, _ in positions],
                "lat": [lat for _, lat in positions],
            }
        ),
        pd.DataFrame(rows, columns=columns),
    )


def split_graph(
    network: RoadNetwork,
    along: Iterable[float],
    against: Iterable[float],
    on_edges: Iterable[tuple[int, float]],
) -> "nx.MultiDiGraph[object]":
    """Cut each edge at every place on it, and make each place a node ``(edge, fraction)``."""
    graph: nx.MultiDiGraph[object] = nx.MultiDiGraph()
    graph.add_nodes_from(range(network.node_count))
    cuts: dict[int, set[float]] = {}
    for edge, fraction in on_edges:
        cuts.setdefault(edge, set()).add(fraction)
    for edge, (forward, backward) in enumerate(zip(along, against, strict=True)):
        chain: list[tuple[object, float]] = [(int(network.source[edge]), 0.0)]
        chain += [((edge, fraction), fraction) for fraction in sorted(cuts.get(edge, ()))]
        chain.append((int(network.target[edge]), 1.0))
        for (tail, start), (head, end) in pairwise(chain):
            if forward != float("inf"):
                graph.add_edge(tail, head, weight=(end - start) * forward)
            if backward != float("inf"):
                graph.add_edge(head, tail, weight=(end - start) * backward)
    return graph


def independent_minutes(
    network: RoadNetwork,
    both_ways: tuple[list[float], list[float]],
    places: Snapped,
    facilities: Snapped,
    *,
    direction: str,
    turnout_minutes: Iterable[float],
    off_road_minutes_per_m: float,
) -> npt.NDArray[np.float64]:
    """Say for places x facilities the minutes, inf where there is no way."""
    spots = [
        [(int(edge), float(f)) for edge, f in zip(s.edge, s.fraction, strict=True)]
        for s in (places, facilities)
    ]
    graph = split_graph(
        network, *both_ways, [spot for group in spots for spot in group if spot[0] >= 0]
    )
    if direction == "to_facility":
        graph = nx.MultiDiGraph(graph.reverse())
    minutes = np.full((len(places), len(facilities)), np.inf)
    for column, (spot, turnout) in enumerate(zip(spots[1], turnout_minutes, strict=True)):
        if spot not in graph:
            continue
        reach = nx.single_source_dijkstra_path_length(graph, spot)
        for row, place in enumerate(spots[0]):
            if place in reach:
                off_road_m = places.off_road_m[row] + facilities.off_road_m[column]
                minutes[row, column] = turnout + reach[place] + off_road_m * off_road_minutes_per_m
    return minutes


def minutes_of(router: Router, legs: list[Leg]) -> float:
    """Add up a way leg by leg, by the profile's minutes of each road."""
    roads = router.profiled
    return float(
        sum(
            abs(leg.end - leg.start)
            * (roads.minutes_along if leg.end > leg.start else roads.minutes_against)[leg.edge]
            for leg in legs
            if leg.end != leg.start
        )
    )


def nearest_of_nodes(
    graph: Graph, starts: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Search from some nodes at once: every node's minutes, and the index of the start."""
    count = len(starts)
    begins = search_kernels.Starts(starts.astype(np.int64), np.zeros(count), np.arange(count))
    state, _ = search_kernels.search_once(graph.arcs, begins, BUCKET)
    return search_kernels.read_state(state)
