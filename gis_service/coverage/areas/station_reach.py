"""When stations are at the nodes they reach, for drawing: once for all of them, or one by one."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from gis_service.coverage.network.graph import FloatArray, IntArray, ProfileNetwork, Snapped
from gis_service.coverage.standards.book import Direction, PlaceRules
from gis_service.coverage.travel import search_kernels
from gis_service.coverage.travel.travel_time import (
    BUCKET,
    Graph,
    build_graph,
    minutes_at_road,
    search_from_each,
)

NOBODY: Final = -1
"""The owner of ground that no station reaches."""


class Gate(NamedTuple):
    """Where a station is on the road, and the minutes until then."""

    station: int
    edge: int
    fraction: float
    begins: float


@dataclass(frozen=True)
class Reach:
    """When some stations are at the nodes that they reach."""

    # In the direction of the run.
    profiled: ProfileNetwork
    # How many nodes there are.
    node_count: int
    # Those reached, each once, and when.
    node: npt.NDArray[np.int32]
    minutes: FloatArray
    # The station that each of them belongs to.
    by: IntArray
    gates: tuple[Gate, ...]

    @cached_property
    def at_node(self) -> FloatArray:
        """By node its minutes, inf where none arrives."""
        at_node = np.full(self.node_count, np.inf)
        at_node[self.node] = self.minutes
        return at_node

    @cached_property
    def server(self) -> IntArray:
        """By node the station it belongs to, :data:`NOBODY` where none arrives."""
        server = np.full(self.node_count, NOBODY)
        server[self.node] = self.by
        return server


class Reacher:
    """A network ready to be run through from any stations."""

    def __init__(
        self,
        profiled: ProfileNetwork,
        direction: Direction,
        rules: PlaceRules,
        graph: Graph | None = None,
    ) -> None:
        self.profiled = profiled.reversed() if direction == "to_facility" else profiled
        self.rules = rules
        self.graph = build_graph(self.profiled) if graph is None else graph

    def reach_together(
        self, stations: Snapped, begins: npt.ArrayLike, limit_minutes: float = np.inf
    ) -> Reach:
        """Run once from all stations: the nearest station's time at every node."""
        # A station that is off the network reaches nothing; ``begins`` are the minutes of each
        # before it moves: turnout and what is counted beside the way.
        started = np.broadcast_to(np.asarray(begins, dtype=float), len(stations))
        return self._run(np.flatnonzero(stations.edge >= 0), stations, started, limit_minutes)

    def reach_each(
        self, stations: Snapped, begins: npt.ArrayLike, limit_minutes: float
    ) -> Iterable[Reach]:
        """Run from every station for itself."""
        started = np.broadcast_to(np.asarray(begins, dtype=float), len(stations))
        at_road = minutes_at_road(stations, begins, self.rules.off_road_minutes_per_m)
        reaches = search_from_each(self.graph, self.profiled, stations, at_road, limit_minutes)
        for station in range(len(stations)):
            node, minutes = reaches.of(station)
            known = np.flatnonzero(stations.edge[station : station + 1] >= 0) + station
            yield Reach(
                self.profiled,
                self.graph.node_count,
                node,
                minutes,
                np.broadcast_to(np.int64(station), len(node)),
                self._find_gates(known, stations, started),
            )

    def _find_gates(
        self, known: IntArray, stations: Snapped, started: FloatArray
    ) -> tuple[Gate, ...]:
        walked = self.rules.off_road_minutes_per_m
        return tuple(
            Gate(
                int(at),
                int(stations.edge[at]),
                float(stations.fraction[at]),
                float(started[at] + stations.off_road_m[at] * walked),
            )
            for at in known
        )

    def _run(
        self, known: IntArray, stations: Snapped, started: FloatArray, limit_minutes: float
    ) -> Reach:
        """Run through the arcs from the ends of the stations' edges."""
        profiled, graph = self.profiled, self.graph
        gates = self._find_gates(known, stations, started)
        heads, minutes, by = [], [], []
        for gate in gates:
            edge, fraction = gate.edge, gate.fraction
            for node, part, whole in (
                (profiled.arriving_target[edge], 1.0 - fraction, profiled.minutes_along[edge]),
                (profiled.arriving_source[edge], fraction, profiled.minutes_against[edge]),
            ):
                if np.isfinite(whole):
                    heads.append(int(node))
                    minutes.append(gate.begins + part * float(whole))
                    by.append(gate.station)
        starts = search_kernels.Starts(
            np.array(heads, np.int64), np.array(minutes, float), np.array(by, np.int64)
        )
        state, reached = search_kernels.search_once(graph.arcs, starts, BUCKET, limit_minutes)
        return Reach(
            profiled, graph.node_count, reached, *search_kernels.read_state(state[reached]), gates
        )
