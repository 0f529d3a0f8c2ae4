"""Travel time beside pgRouting, pandana, scipy, networkx, igraph and rustworkx on one graph.

100,000 nodes in space, 400,000 arcs, 50 stations. Every side starts with the graph in its own form
and the answers are compared node by node; what building that form takes is told apart. The rows of
whole runs and of service areas come from the benches that measure these.
"""

import importlib
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from io import StringIO
from typing import Any, Final

import igraph
import networkx as nx
import numpy as np
import pandana
import pandas as pd
import rustworkx as rx
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from gis_service.coverage.network import graph as networks
from gis_service.coverage.network.graph import (
    FloatArray,
    IntArray,
    ProfileNetwork,
    RoadNetwork,
    Snapped,
)
from gis_service.coverage.standards.book import read_standards
from gis_service.coverage.travel import search_kernels
from gis_service.coverage.travel.travel_time import (
    BUCKET,
    Graph,
    build_graph,
    find_nearest_facility,
    search_from_each,
)
from scripts.benches.context import Context
from scripts.benches.framework import Limit, Row, Side, compare, growth, plain

SIDE: Final = 316
STATIONS: Final = 50
LIMIT_MINUTES: Final = 20.0
DATABASE: Final = "gis_bench_roads"
OTHERS: Final = ("coverage_run", "coverage_areas")
_HUNDREDTH_OF_A_SECOND: Final = 0.01 / 60


def run(context: Context) -> list[Row]:
    """
    Measure everything about coverage.

    Parameters
    ----------
    context
        With a server for pgRouting.

    Returns
    -------
    list of Row
        Nearest, reach, growth, then those of the other benches of coverage.
    """
    context.print_versions("scipy", "pandana", "networkx", "igraph", "rustworkx")
    profiled = town(SIDE, np.random.default_rng(5))
    graph = build_graph(profiled)
    stations = np.random.default_rng(7).choice(graph.node_count, STATIONS, replace=False)
    wanted: list[tuple[str, Callable[[], Iterable[Row]]]] = [
        ("nearest", lambda: nearest_rows(context, profiled, graph, stations)),
        ("reach", lambda: reach_rows(profiled, graph, stations)),
        ("growth", lambda: [growth_row()]),
    ]
    rows = [row for name, make in wanted if context.wants(name) for row in make()]
    for name in OTHERS:
        bench = importlib.import_module(f"scripts.benches.{name}")
        if any(context.wants(row) for row in bench.ROWS):
            rows += bench.run(context)
    return rows


def town(side: int, dice: np.random.Generator) -> ProfileNetwork:
    """
    Draw streets that cross each other, each piece as long as chance will.

    Parameters
    ----------
    side
        Streets each way; nodes are numbered row by row.
    dice
        Chance.

    Returns
    -------
    ProfileNetwork
        Both ways open; the same minutes both ways.
    """
    node = np.arange(side * side).reshape(side, side)
    source = np.concatenate((node[:, :-1].ravel(), node[:-1].ravel()))
    target = np.concatenate((node[:, 1:].ravel(), node[1:].ravel()))
    count, none = len(source), np.zeros(len(source), dtype=bool)
    north, east = np.divmod(np.arange(side * side), side)
    roads = RoadNetwork(
        node_id=np.arange(side * side),
        lon=112.0 + east * 0.001,
        lat=28.0 + north * 0.001,
        edge_id=np.arange(count),
        source=source,
        target=target,
        road_class=np.full(count, "residential"),
        oneway=np.zeros(count, dtype=np.int64),
        bridge=none,
        tunnel=none,
        dual_carriageway=none,
        foot=~none,
        motor=~none,
        maxspeed_kmh=np.full(count, np.nan),
        length_m=dice.uniform(50.0, 200.0, count),
        geometry=np.empty(count, dtype=object),
    )
    book = read_standards()
    return networks.apply_profile(
        roads, book.profiles["fire_engine"], book.scenarios["normal"], book.place
    )


def _tails(graph: Graph) -> IntArray:
    return np.repeat(np.arange(graph.node_count), np.diff(graph.indptr))


def _near(first: FloatArray, second: FloatArray, tolerance: float = _HUNDREDTH_OF_A_SECOND) -> bool:
    return bool(np.allclose(first, second, rtol=0, atol=tolerance))


# --- nearest -----------------------------------------------------------------------------------


def nearest_rows(
    context: Context, profiled: ProfileNetwork, graph: Graph, stations: IntArray
) -> list[Row]:
    """
    Find the nearest station of every node.

    Parameters
    ----------
    context
        With a server.
    profiled, graph
        The town.
    stations
        Indices of nodes.

    Returns
    -------
    list of Row
        Beside pgRouting, pandana and scipy.
    """
    work = f"nearest of {len(stations)} stations, {graph.node_count} nodes, one core"
    ours = plain(lambda: _nearest_minutes(graph, stations))
    arcs = csr_array(
        (graph.minutes, graph.head, graph.indptr), shape=(graph.node_count, graph.node_count)
    )
    by_scipy = plain(
        lambda: dijkstra(arcs, indices=stations, min_only=True, return_predecessors=True)[0]
    )
    rows = [
        _pgrouting_row(context, work, ours, graph, stations),
        compare(work, ours, "scipy dijkstra(min_only=True)", by_scipy, agree=_near, target=1.0),
    ]
    if context.wants("pandana"):  # its contraction takes minutes
        began = time.perf_counter()
        by_pandana = _pandana(profiled, graph, stations)
        building = Limit("of pandana building its network, s", time.perf_counter() - began)
        rows.append(
            compare(
                work, ours, "pandana, its query alone", by_pandana, target=20.0, limits=[building],
                # It counts in thousandths, arc by arc.
                agree=lambda first, second: _near(first, second, 0.5),
            )
        )  # fmt: skip
    return rows


def _nearest_minutes(graph: Graph, stations: IntArray) -> FloatArray:
    count = len(stations)
    starts = search_kernels.Starts(stations.astype(np.int64), np.zeros(count), np.arange(count))
    state, _ = search_kernels.search_once(graph.arcs, starts, BUCKET)
    return search_kernels.read_state(state)[0]


def _pandana(profiled: ProfileNetwork, graph: Graph, stations: IntArray) -> Side[None, FloatArray]:
    roads = profiled.network
    peer = pandana.Network(
        pd.Series(roads.lon), pd.Series(roads.lat), pd.Series(_tails(graph)),
        pd.Series(graph.head.astype(np.int64)), pd.DataFrame({"minutes": graph.minutes}),
        twoway=False,
    )  # fmt: skip
    # No farther than it must look: the wider its search, the slower it is.
    farthest = float(np.ceil(_nearest_minutes(graph, stations).max())) + 1.0
    places = pd.Series(roads.lon[stations]), pd.Series(roads.lat[stations])
    peer.set_pois("station", farthest, 1, *places)

    def ask() -> FloatArray:
        nearest = peer.nearest_pois(farthest, "station", num_pois=1)
        return np.asarray(nearest[1], dtype=float)

    return plain(ask)


def _pgrouting_row(
    context: Context,
    work: str,
    ours: Side[None, FloatArray],
    graph: Graph,
    stations: IntArray,
) -> Row:
    context.fresh_database(DATABASE)
    tails = _tails(graph)
    text = StringIO()
    for number, (tail, head, minutes) in enumerate(
        zip(tails.tolist(), graph.head.tolist(), graph.minutes.tolist(), strict=True)
    ):
        text.write(f"{number}\t{tail}\t{head}\t{minutes!r}\n")
    text.seek(0)
    with closing(context.connect(DATABASE)) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION pgrouting")
        cursor.execute("CREATE TABLE arc (id bigint, source bigint, target bigint, cost float8)")
        cursor.copy_expert("COPY arc FROM STDIN", text)
        cursor.execute("ANALYZE arc")
        cursor.execute("SELECT pgr_version()")
        context.say(f"pgRouting {cursor.fetchone()[0]}")

        def ask() -> None:
            cursor.execute(
                "CREATE TEMPORARY TABLE answer AS SELECT node, agg_cost FROM pgr_drivingDistance("
                "'SELECT id, source, target, cost FROM arc', %s, 1e9, directed => true,"
                " equicost => true)",
                (stations.tolist(),),
            )

        def read(_given: Any, answer: FloatArray | None) -> FloatArray:
            if answer is not None:
                return answer
            # Its equicost gives some nodes to a station that is not the nearest (7 of 1,600 in a
            # small town), so the truth is its own answer station by station, off the clock.
            shared = at_nodes("SELECT node, agg_cost FROM answer")
            truth = at_nodes(
                "SELECT node, min(agg_cost) FROM pgr_drivingDistance("
                "'SELECT id, source, target, cost FROM arc', %s, 1e9, directed => true)"
                " GROUP BY node",
                stations.tolist(),
            )
            late = int((shared > truth + _HUNDREDTH_OF_A_SECOND).sum())
            context.say(f"pgRouting's equicost is later than its own least time at {late} nodes")
            return np.vstack((truth, shared))

        def at_nodes(query: str, *given: list[int]) -> FloatArray:
            minutes = np.full(graph.node_count, np.inf)
            cursor.execute(query, given)
            answer = np.array(cursor.fetchall())
            minutes[answer[:, 0].astype(int)] = answer[:, 1]
            return minutes

        def same(minutes: FloatArray, both: FloatArray) -> bool:
            truth, shared = both
            return _near(minutes, truth) and bool(
                (shared >= minutes - _HUNDREDTH_OF_A_SECOND).all()
            )

        def dropped(_given: None) -> None:
            cursor.execute("DROP TABLE answer")

        theirs: Side[None, None] = Side(lambda _: ask(), lambda: None, dropped)
        return compare(
            work, ours, "pgRouting, equicost", theirs, agree=same, read=read, target=10.0
        )


# --- reach -------------------------------------------------------------------------------------


def reach_rows(profiled: ProfileNetwork, graph: Graph, stations: IntArray) -> list[Row]:
    """
    Find all nodes that each station reaches in time.

    Parameters
    ----------
    profiled, graph
        The town.
    stations
        Indices of nodes.

    Returns
    -------
    list of Row
        One a peer; the best of them is the one with the lowest ratio.
    """
    at = _at_nodes(profiled, stations)
    work = f"{len(stations)} stations × {LIMIT_MINUTES:g} minutes, all nodes reached"
    begins = np.zeros(len(at))
    ours = plain(lambda: search_from_each(graph, profiled, at, begins, LIMIT_MINUTES))
    tails, heads, costs = _tails(graph).tolist(), graph.head.tolist(), graph.minutes.tolist()
    starts = stations.tolist()

    plain_graph: Any = nx.DiGraph()
    plain_graph.add_weighted_edges_from(zip(tails, heads, costs, strict=True))
    by_igraph = igraph.Graph(graph.node_count, list(zip(tails, heads, strict=True)), directed=True)
    by_rust = rx.PyDiGraph()
    by_rust.add_nodes_from(range(graph.node_count))
    by_rust.add_edges_from(list(zip(tails, heads, costs, strict=True)))

    def in_networkx() -> list[Any]:
        return [
            nx.single_source_dijkstra_path_length(plain_graph, start, cutoff=LIMIT_MINUTES)
            for start in starts
        ]

    def in_igraph() -> list[Any]:
        distances = np.asarray(by_igraph.distances(source=starts, weights=costs, mode="out"))
        return [
            dict(zip(node.tolist(), of_start[node].tolist(), strict=True))
            for of_start in distances
            for node in [np.flatnonzero(of_start <= LIMIT_MINUTES)]
        ]

    def in_rustworkx() -> list[Any]:
        return [
            {
                node: minutes
                for node, minutes in rx.dijkstra_shortest_path_lengths(
                    by_rust, start, float
                ).items()
                if minutes <= LIMIT_MINUTES
            }
            | {start: 0.0}
            for start in starts
        ]

    def read(_given: Any, answer: Any) -> list[Any]:
        if isinstance(answer, list):
            return answer
        pairs = (answer.of(station) for station in range(len(answer)))
        return [dict(zip(node.tolist(), own.tolist(), strict=True)) for node, own in pairs]

    return [
        compare(work, ours, name, plain(peer), agree=_same_reach, read=read, target=8.0, pairs=3)
        for name, peer in (
            ("networkx, cutoff", in_networkx),
            ("igraph, all distances", in_igraph),
            ("rustworkx, all lengths", in_rustworkx),
        )
    ]


def _same_reach(first: list[Any], second: list[Any]) -> bool:
    """Compare node by node; on the limit itself a sum's last bit may decide either way."""
    return len(first) == len(second) and all(
        abs(ours.get(node, LIMIT_MINUTES) - theirs.get(node, LIMIT_MINUTES))
        <= _HUNDREDTH_OF_A_SECOND
        for ours, theirs in zip(first, second, strict=True)
        for node in ours.keys() | theirs.keys()
    )


def _at_nodes(profiled: ProfileNetwork, nodes: IntArray) -> Snapped:
    roads = profiled.network
    order = np.argsort(roads.source, kind="stable")
    edge = order[np.searchsorted(roads.source[order], nodes).clip(0, len(order) - 1)]
    begins = roads.source[edge] == nodes
    ends = np.argsort(roads.target, kind="stable")
    ending = ends[np.searchsorted(roads.target[ends], nodes).clip(0, len(ends) - 1)]
    edge = np.where(begins, edge, ending)
    return Snapped(edge, np.where(begins, 0.0, 1.0), np.zeros(len(nodes)))


# --- growth ------------------------------------------------------------------------------------


def growth_row() -> Row:
    """
    Measure ten times the streets, the households and the stations, at the same density.

    Returns
    -------
    Row
        Beside our own time on the small town.
    """
    small, large = (_given(side, count) for side, count in ((SIDE, 1), (1000, 10)))
    return growth(
        "nearest station of every household at its door, 10 × streets and households",
        small,
        large,
        (1000 / SIDE) ** 2,
        target=0.8,
    )


def _given(side: int, times: int) -> Side[None, FloatArray]:
    dice = np.random.default_rng(9)
    profiled = town(side, dice)
    graph = build_graph(profiled)
    edges, households = profiled.network.edge_count, 200_000 * times

    def somewhere(count: int) -> Snapped:
        edge = np.sort(dice.integers(0, edges, count))
        return Snapped(edge, dice.uniform(0, 1, count), dice.uniform(0, 60, count))

    places, stations = somewhere(households), somewhere(STATIONS * times)
    return plain(
        lambda: find_nearest_facility(
            profiled, places, stations, "from_facility", turnout_minutes=1.0,
            off_road_minutes_per_m=0.015, graph=graph,
        ).minutes
    )  # fmt: skip
