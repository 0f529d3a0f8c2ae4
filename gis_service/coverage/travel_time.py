"""Minutes between every place and its nearest facility, from one shortest-path run a direction.

Both ends lie on edges at exact fractions; arrays in, arrays out. Nothing here judges whether a
time is good enough beyond comparing it with a limit, and nothing reads the store.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from gis_service.coverage.network import (
    FloatArray,
    IntArray,
    ProfileNetwork,
    Snapped,
)
from gis_service.coverage.standards import Direction

StatusArray = npt.NDArray[np.int8]

COVERED: Final = 0
TOO_FAR: Final = 1
UNREACHABLE: Final = 2
OFF_NETWORK: Final = 3
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


@dataclass(frozen=True)
class NearestTimes:
    """
    The nearest facility of each place.

    Attributes
    ----------
    minutes
        Turnout, ways off the road and network; inf where none arrives.
    facility
        Index of the facility that this time belongs to, -1 where none arrives. Where several take
        the same time it is one of them, always the same one for the same input.
    """

    minutes: FloatArray
    facility: IntArray


def graph_of(profiled: ProfileNetwork) -> Graph:
    """
    Make the arcs of a profile's network.

    Parameters
    ----------
    profiled
        Turn it round first (``reversed``) to run from the facilities against the way of travel.

    Returns
    -------
    Graph
        Arcs out of each node.
    """
    network = profiled.network
    tail = np.concatenate((network.source, network.target))
    head = np.concatenate((network.target, network.source))
    minutes = np.concatenate((profiled.minutes_along, profiled.minutes_against))
    kept = np.isfinite(minutes) & (tail != head)
    tail, head, minutes = tail[kept], head[kept], minutes[kept]
    order = np.lexsort((minutes, head, tail))
    tail, head, minutes = tail[order], head[order], minutes[order]
    first = np.ones(len(tail), dtype=bool)
    first[1:] = (tail[1:] != tail[:-1]) | (head[1:] != head[:-1])
    leaving = np.bincount(tail[first], minlength=network.node_count)
    indptr = np.concatenate(([0], np.cumsum(leaving))).astype(np.int32)
    return Graph(indptr, head[first].astype(np.int32), minutes[first])


def nearest_facility(
    profiled: ProfileNetwork,
    places: Snapped,
    facilities: Snapped,
    direction: Direction,
    *,
    turnout_minutes: npt.ArrayLike = 0.0,
    off_road_minutes_per_m: float = 0.0,
    graph: Graph | None = None,
) -> NearestTimes:
    """
    Measure the time between each place and the facility that is nearest to it.

    Every facility becomes a node of its own with arcs to the ends of its edge, so that one run
    from all of them at once gives the time and the facility. On an edge that may be used in one
    direction only that end counts; a facility and a place on one edge are also joined along it.

    Parameters
    ----------
    profiled
        The network as the profile sees it.
    places, facilities
        Where they meet it. A facility off the network serves nobody.
    direction
        ``from_facility``: an engine drives to the place. ``to_facility``: a resident goes there;
        the run is made on the network turned round.
    turnout_minutes
        For each facility or for all: before it moves.
    off_road_minutes_per_m
        For the ways between road and door, at both ends.
    graph
        That of :func:`graph_of` for this direction, where several runs share it.

    Returns
    -------
    NearestTimes
        One entry a place.
    """
    if direction == "to_facility":
        profiled = profiled.reversed()
    if graph is None:
        graph = graph_of(profiled)
    minutes = np.full(len(places), np.inf)
    facility = np.full(len(places), -1, dtype=np.int64)
    sited = np.flatnonzero(facilities.edge >= 0)
    snapped = np.flatnonzero(places.edge >= 0)
    if len(sited) == 0 or len(snapped) == 0:
        return NearestTimes(minutes, facility)

    at = facilities.take(sited)
    start = (
        np.broadcast_to(np.asarray(turnout_minutes, dtype=float), len(facilities))[sited]
        + at.off_road_m * off_road_minutes_per_m
    )
    place = places.take(snapped)
    at_node, server = _minutes_at_nodes(graph, profiled, at, start)
    reached, by = _minutes_from_ends(profiled, place, at_node, server)
    direct, neighbour = _minutes_along_edge(profiled, place, at, start)
    by = np.where(direct < reached, neighbour, by)
    reached = np.minimum(direct, reached)

    arrived = np.isfinite(reached)
    minutes[snapped] = reached + place.off_road_m * off_road_minutes_per_m
    facility[snapped[arrived]] = sited[by[arrived]]
    return NearestTimes(minutes, facility)


def _minutes_at_nodes(
    graph: Graph, profiled: ProfileNetwork, at: Snapped, start: FloatArray
) -> tuple[FloatArray, IntArray]:
    """Run once from all facilities; each is a node without arcs into it."""
    network, size, count = profiled.network, graph.node_count, len(at)
    to_target = start + _part(1.0 - at.fraction, profiled.minutes_along[at.edge])
    to_source = start + _part(at.fraction, profiled.minutes_against[at.edge])
    head = np.column_stack((network.target[at.edge], network.source[at.edge]))
    minutes = np.column_stack((to_target, to_source))
    open_ = np.isfinite(minutes)
    # Both ends of a closed loop are one node, and a row may name it once only.
    loop = (head[:, 0] == head[:, 1]) & open_.all(axis=1)
    quicker = np.where(minutes[:, 0] <= minutes[:, 1], 0, 1)
    open_[loop, 1 - quicker[loop]] = False
    indptr = graph.indptr[-1] + np.cumsum(open_.sum(axis=1))
    arcs = csr_array(
        (
            np.concatenate((graph.minutes, minutes[open_])),
            np.concatenate((graph.head, head[open_].astype(np.int32))),
            np.concatenate((graph.indptr, indptr.astype(np.int32))),
        ),
        shape=(size + count, size + count),
    )
    at_node, _, origin = dijkstra(
        arcs,
        directed=True,
        indices=np.arange(size, size + count),
        return_predecessors=True,
        min_only=True,
    )
    return at_node[:size], origin[:size].astype(np.int64) - size


def _minutes_from_ends(
    profiled: ProfileNetwork, place: Snapped, at_node: FloatArray, server: IntArray
) -> tuple[FloatArray, IntArray]:
    source, target = profiled.network.source[place.edge], profiled.network.target[place.edge]
    from_source = at_node[source] + _part(place.fraction, profiled.minutes_along[place.edge])
    from_target = at_node[target] + _part(
        1.0 - place.fraction, profiled.minutes_against[place.edge]
    )
    by = np.where(from_source <= from_target, server[source], server[target])
    return np.minimum(from_source, from_target), by


def _part(fraction: FloatArray, minutes: FloatArray) -> FloatArray:
    """Take a part of an edge; a closed one stays closed, also for none of it."""
    open_ = np.isfinite(minutes)
    return np.where(open_, fraction * np.where(open_, minutes, 0.0), np.inf)


def _minutes_along_edge(
    profiled: ProfileNetwork, place: Snapped, at: Snapped, start: FloatArray
) -> tuple[FloatArray, IntArray]:
    """Join what lies on one edge along it; facilities are few, the places of an edge a slice."""
    minutes = np.full(len(place), np.inf)
    by = np.full(len(place), -1, dtype=np.int64)
    order = np.argsort(place.edge, kind="stable")
    sorted_edge = place.edge[order]
    first = np.searchsorted(sorted_edge, at.edge, side="left")
    last = np.searchsorted(sorted_edge, at.edge, side="right")
    for index in np.flatnonzero(last > first):
        here = order[first[index] : last[index]]
        ahead = place.fraction[here] - at.fraction[index]
        edge = np.full(len(here), at.edge[index])
        direct = start[index] + np.minimum(
            np.where(ahead >= 0, _part(ahead, profiled.minutes_along[edge]), np.inf),
            np.where(ahead <= 0, _part(-ahead, profiled.minutes_against[edge]), np.inf),
        )
        better = direct < minutes[here]
        minutes[here[better]] = direct[better]
        by[here[better]] = index
    return minutes, by


def status_of(minutes: FloatArray, snapped: Snapped, limit_minutes: float) -> StatusArray:
    """
    Judge times against a limit.

    Parameters
    ----------
    minutes
        One a place, inf where none arrives.
    snapped
        Where the places meet the network.
    limit_minutes
        Exactly the limit is in time.

    Returns
    -------
    array of int8
        ``COVERED``, ``TOO_FAR``, ``UNREACHABLE`` or ``OFF_NETWORK``: one of them, always.
    """
    status = np.where(minutes <= limit_minutes, COVERED, TOO_FAR)
    status[np.isinf(minutes)] = UNREACHABLE
    status[snapped.edge < 0] = OFF_NETWORK
    return status.astype(np.int8)


def by_rule(minutes_by_kind: FloatArray, kinds_needed: int) -> FloatArray:
    """
    Put the times of several kinds of facility together.

    Parameters
    ----------
    minutes_by_kind
        Places x kinds.
    kinds_needed
        How many kinds must be in time.

    Returns
    -------
    array of float
        For each place the time within which that many kinds are reached: the ``kinds_needed``-th
        smallest, inf where fewer arrive. It is within a limit exactly if so many kinds are.
    """
    sorted_minutes = np.sort(minutes_by_kind, axis=1)
    return np.ascontiguousarray(sorted_minutes[:, kinds_needed - 1])
