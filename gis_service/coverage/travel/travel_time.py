"""Minutes between every place and its nearest facility, from one shortest-path run a direction.

Both ends lie on edges at exact fractions; arrays in, arrays out. Nothing here judges whether a
time is good enough beyond comparing it with a limit, and nothing reads the store.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from gis_service.coverage.network.graph import (
    FloatArray,
    IntArray,
    ProfileNetwork,
    Snapped,
)
from gis_service.coverage.standards.book import Direction
from gis_service.coverage.travel import search_kernels

StatusArray = npt.NDArray[np.int8]

COVERED: Final = 0
TOO_FAR: Final = 1
UNREACHABLE: Final = 2
OFF_NETWORK: Final = 3
BUCKET: Final = 1.5
"""How wide the buckets of a search are, in mean arcs: it never changes an answer."""
_AT_ONCE: Final = 64
"""Facilities whose reaches are kept at one time."""
STATUS_NAMES: Final = ("covered", "too_far", "unreachable", "off_network")


@dataclass(frozen=True)
class Graph:
    """
    The arcs of one direction, ready for the run.

    Attributes
    ----------
    indptr, head, minutes
        Rows of a sparse matrix by node: the arcs that leave it. Of parallel arcs only the quickest
        is kept, and no arc leads back to where it began. An arc of 0 minutes is an arc.
    gates
        Pairs of a network's node and a node of the graph from which it is left, where a junction
        is split because of turn restrictions; the network's own nodes come first.
    """

    indptr: npt.NDArray[np.int32]
    head: npt.NDArray[np.int32]
    minutes: FloatArray
    gates: IntArray = field(default_factory=lambda: np.zeros((0, 2), np.int64))

    @property
    def node_count(self) -> int:
        """How many nodes."""
        return len(self.indptr) - 1


@dataclass(frozen=True)
class NearestTimes:
    """The nearest facility of each place."""

    # Turnout, ways off the road and network; inf where none arrives.
    minutes: FloatArray
    # Index of the facility that this time belongs to, -1 where none arrives. Where several take the
    # same time to a node it is the lowest of them.
    facility: IntArray


def build_graph(profiled: ProfileNetwork) -> Graph:
    """Make the arcs of a profile's network."""
    network = profiled.network
    turns = profiled.turns
    tail = np.concatenate((profiled.leaving_source, profiled.leaving_target))
    head = np.concatenate((profiled.arriving_target, profiled.arriving_source))
    minutes = np.concatenate((profiled.minutes_along, profiled.minutes_against))
    size, gates = network.node_count, np.zeros((0, 2), np.int64)
    if turns is not None:
        size, gates = turns.node_count, np.column_stack((turns.junction, turns.leaving))
        tail = np.concatenate((tail, turns.tail, turns.arriving))
        head = np.concatenate((head, turns.head, turns.junction))
        minutes = np.concatenate((minutes, np.zeros(len(tail) - len(minutes))))
    kept = np.isfinite(minutes) & (tail != head)
    tail, head, minutes = tail[kept], head[kept], minutes[kept]
    order = np.lexsort((minutes, head, tail))
    tail, head, minutes = tail[order], head[order], minutes[order]
    first = np.ones(len(tail), dtype=bool)
    first[1:] = (tail[1:] != tail[:-1]) | (head[1:] != head[:-1])
    leaving = np.bincount(tail[first], minlength=size)
    indptr = np.concatenate(([0], np.cumsum(leaving))).astype(np.int32)
    return Graph(indptr, head[first].astype(np.int32), minutes[first], gates)


def find_nearest_facility(
    profiled: ProfileNetwork,
    places: Snapped,
    facilities: Snapped,
    direction: Direction,
    *,
    turnout_minutes: npt.ArrayLike = 0.0,
    off_road_minutes_per_m: float = 0.0,
    graph: Graph | None = None,
) -> NearestTimes:
    """Measure the time between each place and the facility that is nearest to it."""
    # Every facility sets out to the ends of its edge, and one run from all of them at once gives
    # the time and the facility. On an edge that may be used in one direction only that end counts;
    # a facility and a place on one edge are also joined along it.
    if direction == "to_facility":
        profiled = profiled.reversed()
    if graph is None:
        graph = build_graph(profiled)
    sited = np.flatnonzero(facilities.edge >= 0)
    at = facilities.take(sited)
    start = _minutes_at_road(facilities, turnout_minutes, off_road_minutes_per_m)[sited]
    state, _ = search_kernels.search_once(
        graph.indptr, graph.head, graph.minutes, *_find_starts(profiled, at, start), BUCKET
    )
    minutes, by = _measure_at_places(
        profiled, places, state, at, start, float(off_road_minutes_per_m)
    )
    if len(sited) < len(facilities):
        by = np.append(sited, -1)[by]  # where none arrives by is -1: the last
    return NearestTimes(minutes, by)


def nearest_of_nodes(graph: Graph, starts: IntArray) -> NearestTimes:
    """Measure the time to every node from the nearest of some nodes."""
    by = np.arange(len(starts), dtype=np.int64)
    if len(graph.gates):  # whoever stands on a split junction may leave it by every street
        gate, start = np.nonzero(graph.gates[:, 0][:, None] == starts[None, :])
        by = np.concatenate((by, start))
        starts = np.concatenate((starts, graph.gates[gate, 1]))
    count = len(starts)
    state, _ = search_kernels.search_once(
        graph.indptr,
        graph.head,
        graph.minutes,
        starts.astype(np.int64),
        np.zeros(count),
        by,
        BUCKET,
    )
    return NearestTimes(*search_kernels.read_state(state))


@dataclass(frozen=True)
class Reaches:
    """The nodes that each facility reaches by itself."""

    # First entry of each facility, and one more at the end.
    first: IntArray
    # Of the entries, facility by facility, in no order within one.
    node: npt.NDArray[np.int32]
    minutes: FloatArray

    def __len__(self) -> int:
        """How many facilities."""
        return len(self.first) - 1

    def of(self, facility: int) -> tuple[npt.NDArray[np.int32], FloatArray]:
        """
        Pick one facility.

        Parameters
        ----------
        facility
            Its index.

        Returns
        -------
        node, minutes
            What it reaches.
        """
        part = slice(int(self.first[facility]), int(self.first[facility + 1]))
        return self.node[part], self.minutes[part]


def reach(
    profiled: ProfileNetwork,
    facilities: Snapped,
    direction: Direction,
    limit_minutes: float = np.inf,
    *,
    turnout_minutes: npt.ArrayLike = 0.0,
    off_road_minutes_per_m: float = 0.0,
    graph: Graph | None = None,
) -> Reaches:
    """Find the nodes that each facility reaches within a limit, each facility by itself."""
    if direction == "to_facility":
        profiled = profiled.reversed()
    if graph is None:
        graph = build_graph(profiled)
    found = reach_each(
        graph, profiled, facilities, turnout_minutes, off_road_minutes_per_m, limit_minutes
    )
    return found if profiled.turns is None else _of_network(found, profiled.network.node_count)


def reach_each(
    graph: Graph,
    profiled: ProfileNetwork,
    facilities: Snapped,
    turnout_minutes: npt.ArrayLike,
    off_road_minutes_per_m: float,
    limit_minutes: float,
) -> Reaches:
    """Find the nodes of a graph that each facility reaches, those of split junctions as well."""
    begins = _minutes_at_road(facilities, turnout_minutes, off_road_minutes_per_m)
    return _search_from_each(graph, profiled, facilities, begins, limit_minutes)


def _of_network(reaches: Reaches, node_count: int) -> Reaches:
    """Leave out the nodes that only stand for street ends at split junctions."""
    own = reaches.node < node_count
    before = np.concatenate(([0], np.cumsum(own)))
    return Reaches(before[reaches.first], reaches.node[own], reaches.minutes[own])


def _minutes_at_road(
    facilities: Snapped, turnout_minutes: npt.ArrayLike, off_road_minutes_per_m: float
) -> FloatArray:
    turnout = np.broadcast_to(np.asarray(turnout_minutes, dtype=float), len(facilities))
    sited = facilities.edge >= 0
    return turnout + np.where(sited, facilities.off_road_m, 0.0) * off_road_minutes_per_m


def _search_from_each(
    graph: Graph, profiled: ProfileNetwork, at: Snapped, begins: FloatArray, limit: float
) -> Reaches:
    """Search from each, on all cores: the compiled search lets others run."""
    sited = np.flatnonzero(at.edge >= 0)
    node, minutes, by = _find_starts(profiled, at.take(sited), begins[sited])
    first = np.searchsorted(sited[by], np.arange(len(at) + 1))
    shares = max(min(len(os.sched_getaffinity(0)), len(at)), 1)
    bounds = np.linspace(0, len(at), shares + 1).astype(int)

    def one(share: int) -> tuple[IntArray, npt.NDArray[np.int32], FloatArray]:
        own = first[bounds[share] : bounds[share + 1] + 1]
        low, high = own[0], own[-1]
        return search_kernels.search_each(
            graph.indptr,
            graph.head,
            graph.minutes,
            own - low,
            node[low:high],
            minutes[low:high],
            limit,
            BUCKET,
        )

    with ThreadPoolExecutor(shares) as pool:
        parts = list(pool.map(one, range(shares)))
    counts = np.concatenate([np.diff(part[0]) for part in parts])
    return Reaches(
        np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        np.concatenate([part[1] for part in parts]),
        np.concatenate([part[2] for part in parts]),
    )


def matrix(
    profiled: ProfileNetwork,
    places: Snapped,
    facilities: Snapped,
    direction: Direction,
    *,
    turnout_minutes: npt.ArrayLike = 0.0,
    off_road_minutes_per_m: float = 0.0,
    graph: Graph | None = None,
) -> FloatArray:
    """Measure the time between every facility and every place."""
    minutes = np.full((len(facilities), len(places)), np.inf)
    rows = measure_rows(
        profiled, places, facilities, direction, turnout_minutes=turnout_minutes,
        off_road_minutes_per_m=off_road_minutes_per_m, graph=graph,
    )  # fmt: skip
    for facility, row in enumerate(rows):
        minutes[facility] = row
    return minutes


def measure_rows(
    profiled: ProfileNetwork,
    places: Snapped,
    facilities: Snapped,
    direction: Direction,
    limit_minutes: float = np.inf,
    *,
    turnout_minutes: npt.ArrayLike = 0.0,
    off_road_minutes_per_m: float = 0.0,
    graph: Graph | None = None,
) -> Iterator[FloatArray]:
    """Measure the time to all places, facility by facility."""
    if direction == "to_facility":
        profiled = profiled.reversed()
    if graph is None:
        graph = build_graph(profiled)
    begins = _minutes_at_road(facilities, turnout_minutes, off_road_minutes_per_m)
    snapped = np.flatnonzero(places.edge >= 0)
    place = places.take(snapped)
    walked = float(off_road_minutes_per_m)
    state = search_kernels.make_state(graph.node_count)
    for low in range(0, len(facilities), _AT_ONCE):
        some = np.arange(low, min(low + _AT_ONCE, len(facilities)))
        reaches = _search_from_each(
            graph, profiled, facilities.take(some), begins[some], limit_minutes
        )
        for index, facility in enumerate(some):
            row = np.full(len(places), np.inf)
            if facilities.edge[facility] >= 0 and len(snapped):
                node, minutes = reaches.of(index)
                state[node, 0] = minutes
                only = facilities.take(some[index : index + 1])
                row[snapped], _ = _measure_at_places(
                    profiled, place, state, only, begins[facility : facility + 1], walked
                )
                state[node, 0] = np.inf
            yield row


def _find_starts(
    profiled: ProfileNetwork, at: Snapped, start: FloatArray
) -> tuple[IntArray, FloatArray, IntArray]:
    """Let each facility set out to the ends of its edge that it may drive to, one by one."""
    to_target = start + _part_of_edge(1.0 - at.fraction, profiled.minutes_along[at.edge])
    to_source = start + _part_of_edge(at.fraction, profiled.minutes_against[at.edge])
    node = np.column_stack(
        (profiled.arriving_target[at.edge], profiled.arriving_source[at.edge])
    ).ravel()
    minutes = np.column_stack((to_target, to_source)).ravel()
    by = np.repeat(np.arange(len(at), dtype=np.int64), 2)
    open_ = np.isfinite(minutes)
    return node[open_].astype(np.int64), minutes[open_], by[open_]


def _measure_at_places(
    profiled: ProfileNetwork,
    places: Snapped,
    state: FloatArray,
    at: Snapped,
    start: FloatArray,
    walked: float,
) -> tuple[FloatArray, IntArray]:
    """Walk from the ends of each place's edge, or along it from a facility there, to the door."""
    minutes, by = np.empty(len(places)), np.empty(len(places), np.int64)
    search_kernels.measure_at_places(
        places.edge,
        places.fraction,
        places.off_road_m,
        walked,
        profiled.leaving_source,
        profiled.leaving_target,
        profiled.minutes_along,
        profiled.minutes_against,
        state,
        at.edge,
        at.fraction,
        start,
        minutes,
        by,
    )
    return minutes, by


def _part_of_edge(fraction: FloatArray, minutes: FloatArray) -> FloatArray:
    """Take a part of an edge; a closed one stays closed, also for none of it."""
    open_ = np.isfinite(minutes)
    return np.where(open_, fraction * np.where(open_, minutes, 0.0), np.inf)


def judge_status(minutes: FloatArray, snapped: Snapped, limit_minutes: float) -> StatusArray:
    """Judge times against a limit."""
    status = np.where(minutes <= limit_minutes, COVERED, TOO_FAR)
    status[np.isinf(minutes)] = UNREACHABLE
    status[snapped.edge < 0] = OFF_NETWORK
    return status.astype(np.int8)


def apply_rule(minutes_by_kind: FloatArray, kinds_needed: int) -> FloatArray:
    """Put the times of several kinds of facility together."""
    sorted_minutes = np.sort(minutes_by_kind, axis=1)
    return np.ascontiguousarray(sorted_minutes[:, kinds_needed - 1])
