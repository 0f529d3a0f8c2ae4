"""Minutes between every place and its nearest facility, from one shortest-path run a direction.

Both ends lie on edges at exact fractions; arrays in, arrays out. Nothing here judges whether a
time is good enough beyond comparing it with a limit, and nothing reads the store.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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
from gis_service.coverage.travel.search_kernels import Arcs, Starts

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
    """

    indptr: npt.NDArray[np.int32]
    head: npt.NDArray[np.int32]
    minutes: FloatArray

    @property
    def node_count(self) -> int:
        """How many nodes."""
        return len(self.indptr) - 1

    @property
    def arcs(self) -> Arcs:
        """For the compiled searches."""
        return Arcs(self.indptr, self.head, self.minutes)


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
    size = network.node_count
    if turns is not None:
        size = turns.node_count
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
    return Graph(indptr, head[first].astype(np.int32), minutes[first])


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
    start = minutes_at_road(facilities, turnout_minutes, off_road_minutes_per_m)[sited]
    state, _ = search_kernels.search_once(graph.arcs, _find_starts(profiled, at, start), BUCKET)
    minutes, by = _measure_at_places(
        profiled, places, state, at, start, float(off_road_minutes_per_m)
    )
    if len(sited) < len(facilities):
        by = np.append(sited, -1)[by]  # where none arrives by is -1: the last
    return NearestTimes(minutes, by)


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


def minutes_at_road(
    facilities: Snapped, turnout_minutes: npt.ArrayLike, off_road_minutes_per_m: float
) -> FloatArray:
    """Tell after how many minutes each facility is on the road."""
    turnout = np.broadcast_to(np.asarray(turnout_minutes, dtype=float), len(facilities))
    sited = facilities.edge >= 0
    return turnout + np.where(sited, facilities.off_road_m, 0.0) * off_road_minutes_per_m


def search_from_each(
    graph: Graph,
    profiled: ProfileNetwork,
    facilities: Snapped,
    begins: FloatArray,
    limit_minutes: float,
) -> Reaches:
    """Search from each facility by itself, on all cores: the compiled search lets others run."""
    # Reached are the nodes of the graph, those that stand for street ends at split junctions too.
    sited = np.flatnonzero(facilities.edge >= 0)
    starts = _find_starts(profiled, facilities.take(sited), begins[sited])
    first = np.searchsorted(sited[starts.by], np.arange(len(facilities) + 1))
    shares = max(min(len(os.sched_getaffinity(0)), len(facilities)), 1)
    bounds = np.linspace(0, len(facilities), shares + 1).astype(int)

    def search_share(share: int) -> tuple[IntArray, npt.NDArray[np.int32], FloatArray]:
        own = first[bounds[share] : bounds[share + 1] + 1]
        low, high = own[0], own[-1]
        return search_kernels.search_each(
            graph.arcs,
            own - low,
            starts.node[low:high],
            starts.minutes[low:high],
            limit_minutes,
            BUCKET,
        )

    with ThreadPoolExecutor(shares) as pool:
        parts = list(pool.map(search_share, range(shares)))
    counts = np.concatenate([np.diff(part[0]) for part in parts])
    return Reaches(
        np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        np.concatenate([part[1] for part in parts]),
        np.concatenate([part[2] for part in parts]),
    )


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
    begins = minutes_at_road(facilities, turnout_minutes, off_road_minutes_per_m)
    snapped = np.flatnonzero(places.edge >= 0)
    place = places.take(snapped)
    walked = float(off_road_minutes_per_m)
    state = search_kernels.make_state(graph.node_count)
    for low in range(0, len(facilities), _AT_ONCE):
        some = np.arange(low, min(low + _AT_ONCE, len(facilities)))
        reaches = search_from_each(
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


def _find_starts(profiled: ProfileNetwork, at: Snapped, begins: FloatArray) -> Starts:
    """Let each facility set out to the ends of its edge that it may drive to, one by one."""
    to_target = begins + part_of_minutes(1.0 - at.fraction, profiled.minutes_along[at.edge])
    to_source = begins + part_of_minutes(at.fraction, profiled.minutes_against[at.edge])
    node = np.column_stack(
        (profiled.arriving_target[at.edge], profiled.arriving_source[at.edge])
    ).ravel()
    minutes = np.column_stack((to_target, to_source)).ravel()
    by = np.repeat(np.arange(len(at), dtype=np.int64), 2)
    is_open = np.isfinite(minutes)
    return Starts(node[is_open].astype(np.int64), minutes[is_open], by[is_open])


def _measure_at_places(
    profiled: ProfileNetwork,
    places: Snapped,
    state: FloatArray,
    at: Snapped,
    begins: FloatArray,
    walked: float,
) -> tuple[FloatArray, IntArray]:
    """Walk from the ends of each place's edge, or along it from a facility there, to the door."""
    minutes, by = np.empty(len(places)), np.empty(len(places), np.int64)
    search_kernels.measure_at_places(
        search_kernels.PlacesOnEdges(places.edge, places.fraction, places.off_road_m),
        walked,
        search_kernels.Edges(
            profiled.leaving_source,
            profiled.leaving_target,
            profiled.minutes_along,
            profiled.minutes_against,
        ),
        state,
        search_kernels.FacilitiesOnEdges(at.edge, at.fraction, begins),
        minutes,
        by,
    )
    return minutes, by


def part_of_minutes(fraction: FloatArray, minutes: npt.ArrayLike) -> FloatArray:
    """Take a part of the minutes for whole edges; a closed one stays closed."""
    whole = np.asarray(minutes, dtype=float)
    is_open = np.isfinite(whole)
    return np.where(is_open, fraction * np.where(is_open, whole, 0.0), np.inf)


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
