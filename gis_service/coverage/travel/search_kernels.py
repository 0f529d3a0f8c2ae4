"""Shortest-path searches from one or many starts, compiled.

Plain numbers in flat arrays: arcs by node in, minutes by node out. Nodes wait in buckets of equal
width instead of a heap; a node whose time still falls is taken again, so that the answer is exactly
that of Dijkstra's search: the least sum over all ways, and of equal ones the lowest start.
"""

# ruff: noqa: C901, PLR0912, PLR0915
# Loops in flat arrays are what the compiler makes fast.

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from gis_service.compiled import compiled
from gis_service.coverage.travel.fetching import fetch

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
Ints = npt.NDArray[np.int32]

_MOST_BUCKETS: Final = 1 << 16
_CHUNK: Final = 128
_FAR: Final = 6
_NEAR: Final = 4
_NEXT: Final = 2
"""How many nodes ahead a node, its arcs and their other ends are fetched."""


class Arcs(NamedTuple):
    """The arcs out of each node: node ``i`` has ``indptr[i]`` to ``indptr[i + 1]``."""

    indptr: Ints
    # By arc.
    head: Ints
    minutes: Floats


class Starts(NamedTuple):
    """Where a search begins, with how much, and on whose account."""

    node: Longs
    # Finite, not below 0.
    minutes: Floats
    by: Longs


class PlacesOnEdges(NamedTuple):
    """Where places meet the network; edge -1 where they do not."""

    edge: Longs
    fraction: Floats
    off_road_m: Floats


class FacilitiesOnEdges(NamedTuple):
    """Where facilities meet the network, and the minutes before they are on the road there."""

    edge: Longs
    fraction: Floats
    begins: Floats


class Edges(NamedTuple):
    """Of every edge its nodes, and the minutes for all of it; inf where it is closed."""

    source: Longs
    target: Longs
    along: Floats
    against: Floats


@compiled
def choose_bucket_width(minutes: Floats, start_minutes: Floats, parts: float) -> tuple[float, int]:
    """
    Choose the width of the buckets, and how many there must be.

    Parameters
    ----------
    minutes
        Of all arcs.
    start_minutes
        Of the starts.
    parts
        Of the mean arc: how wide a bucket is; it never changes an answer.

    Returns
    -------
    width, count
        Minutes; the buckets go round, and hold all that may wait at one time.
    """
    longest, total = 0.0, 0.0
    for arc in range(len(minutes)):
        total += minutes[arc]
        longest = max(longest, minutes[arc])
    spread = 0.0
    if len(start_minutes):
        low, high = start_minutes[0], start_minutes[0]
        for start in range(len(start_minutes)):
            low = min(low, start_minutes[start])
            high = max(high, start_minutes[start])
        spread = high - low
    longest = max(longest, spread)
    width = parts * total / max(len(minutes), 1)
    width = max(width, longest / (_MOST_BUCKETS - 4))
    if width <= 0.0:
        return 1.0, 4
    buckets = 8
    while buckets < int(longest / width) + 4:
        buckets *= 2
    return width, buckets


@compiled
def _open_chunk(
    place: int | np.int64, bucket: Ints, filled: Ints, pool: Ints, following: Ints, free: int
) -> tuple[Ints, Ints, int]:
    """Put a free chunk before those of a bucket; where none is free there are twice as many."""
    if free < 0:
        free = len(following)
        pool = np.concatenate((pool, np.empty_like(pool)))
        following = np.concatenate((following, np.arange(free + 1, 2 * free + 1, dtype=np.int32)))
        following[-1] = -1
    chunk = free
    free = following[chunk]
    following[chunk] = bucket[place]
    bucket[place], filled[place] = chunk, 0
    return pool, following, free


@compiled
def _put_starts(
    starts: Starts,
    limit: float,
    per_minute: float,
    state: Floats,
    reached: Ints,
    bucket: Ints,
    filled: Ints,
) -> tuple[Ints, Ints, int, int, int]:
    """Let the starts wait in their buckets, the quickest of each node."""
    # Returned are the chunks, what follows each, the first that is free, how many nodes wait, and
    # how many are reached.
    pool, following, free = np.empty((1, _CHUNK), np.int32), np.full(1, -1, np.int32), 0
    owner = state.view(np.int64)
    waiting, count = 0, 0
    for start in range(len(starts.node)):
        node, time, by = starts.node[start], starts.minutes[start], starts.by[start]
        old = state[node, 0]
        if time > limit or time > old or (time == old and by >= owner[node, 1] >> 1):
            continue
        if old == np.inf:
            reached[count] = node
            count += 1
        state[node, 0], owner[node, 1] = time, 2 * by + 1
        place = np.int64(time * per_minute) & (len(bucket) - 1)
        if bucket[place] < 0 or filled[place] == _CHUNK:
            pool, following, free = _open_chunk(place, bucket, filled, pool, following, free)
        pool[bucket[place], filled[place]] = node
        filled[place] += 1
        waiting += 1
    return pool, following, free, waiting, count


@compiled
def search(
    arcs: Arcs,
    starts: Starts,
    limit: float,
    width: float,
    buckets: int,
    state: Floats,
    reached: Ints,
) -> int:
    """
    Find the least minutes to each node from any start.

    A bucket is a list of chunks of nodes. A node that moves to an earlier bucket stays in the
    later one as well, and is passed over there. While one node of a chunk is worked on, what the
    next ones will ask for is fetched already, or most of the time would go by in waiting for it.

    Parameters
    ----------
    arcs
        Of the network.
    starts
        Where it begins.
    limit
        Nodes later than this are not reached; inf for all.
    width, buckets
        Of :func:`choose_bucket_width`.
    state
        Of :func:`make_state`; filled.
    reached
        Filled with the nodes reached, each once; as long as there are nodes.

    Returns
    -------
    int
        How many nodes were reached.
    """
    indptr, head, minutes = arcs.indptr, arcs.head, arcs.minutes
    owner = state.view(np.int64)  # twice whose it is, and one more while it waits
    bucket, filled = np.full(buckets, -1, np.int32), np.zeros(buckets, np.int32)
    chunk = np.empty(_CHUNK, np.int32)
    per_minute = 1.0 / width
    now = np.int64(0)
    for start in range(len(starts.node)):
        slot = np.int64(starts.minutes[start] * per_minute)
        now = slot if start == 0 else min(now, slot)
    pool, following, free, waiting, count_reached = _put_starts(
        starts, limit, per_minute, state, reached, bucket, filled
    )
    while waiting:
        here = now & (buckets - 1)
        first = bucket[here]
        if first < 0:
            now += 1
            continue
        count = filled[here]
        for at in range(count):
            chunk[at] = pool[first, at]
        bucket[here], filled[here] = following[first], _CHUNK  # all but the first are full
        following[first], free = free, first
        waiting -= count
        for at in range(-_FAR, count):
            # In a function of its own this takes as long as the search itself.
            if at + _FAR < count:
                node = chunk[at + _FAR]
                fetch(state, node)
                fetch(indptr, node)
            if 0 <= at + _NEAR < count:
                arc = indptr[chunk[at + _NEAR]]
                fetch(head, arc)
                fetch(minutes, arc)
                fetch(minutes, arc + 3)
            if 0 <= at + _NEXT < count:
                node = chunk[at + _NEXT]
                for arc in range(indptr[node], indptr[node + 1]):
                    fetch(state, head[arc])
            if at < 0:
                continue
            node = chunk[at]
            if not owner[node, 1] & 1:
                continue
            owner[node, 1] -= 1
            base, by = state[node, 0], owner[node, 1] >> 1
            for arc in range(indptr[node], indptr[node + 1]):
                goal = head[arc]
                time = base + minutes[arc]
                old = state[goal, 0]
                if time > old or time > limit:
                    continue
                before = owner[goal, 1]
                if time == old and by >= before >> 1:
                    continue
                if old == np.inf:
                    reached[count_reached] = goal
                    count_reached += 1
                state[goal, 0], owner[goal, 1] = time, 2 * by + 1
                place = np.int64(time * per_minute) & (buckets - 1)
                if before & 1 and np.int64(old * per_minute) & (buckets - 1) == place:
                    continue  # it waits in the right one already
                if bucket[place] < 0 or filled[place] == _CHUNK:
                    pool, following, free = _open_chunk(
                        place, bucket, filled, pool, following, free
                    )
                pool[bucket[place], filled[place]] = goal
                filled[place] += 1
                waiting += 1
    return count_reached


def make_state(nodes: int) -> Floats:
    """Make what a search fills."""
    state = np.empty((nodes, 2))
    state[:, 0] = np.inf
    state.view(np.int64)[:, 1] = -2
    return state


def search_once(
    arcs: Arcs, starts: Starts, parts: float, limit: float = np.inf
) -> tuple[Floats, Ints]:
    """Search once from all starts: the state, and the nodes reached, each once."""
    state = make_state(len(arcs.indptr) - 1)
    reached = np.empty(len(state), np.int32)
    width, buckets = choose_bucket_width(arcs.minutes, starts.minutes, parts)
    count = search(arcs, starts, limit, width, buckets, state, reached)
    return state, reached[:count]


def read_state(state: Floats) -> tuple[Floats, Longs]:
    """
    Tell what a search found.

    Parameters
    ----------
    state
        As :func:`search` left it, all nodes or some.

    Returns
    -------
    minutes, by
        Of the nodes; inf and -1 where none arrives.
    """
    return state[:, 0].copy(), state.view(np.int64)[:, 1] >> 1


@compiled
def measure_at_places(
    places: PlacesOnEdges,
    walked: float,
    edges: Edges,
    state: Floats,
    facilities: FacilitiesOnEdges,
    minutes: Floats,
    whose: Longs,
) -> None:
    """
    Join places with the ends of their edge, and with facilities on the same edge along it.

    Parameters
    ----------
    places
        Where they meet the network.
    walked
        Minutes a metre off the road.
    edges
        Of the network.
    state
        By node, as :func:`search` left it.
    facilities
        Where they meet the network.
    minutes, whose
        Of the places; filled, with inf and -1 where none arrives.
    """
    along, against, fraction = edges.along, edges.against, places.fraction
    owner = state.view(np.int64)
    first = np.full(len(edges.source), -1, np.int32)
    following = np.empty(max(len(facilities.edge), 1), np.int32)
    for facility in range(len(facilities.edge) - 1, -1, -1):  # so that the lowest comes first
        following[facility] = first[facilities.edge[facility]]
        first[facilities.edge[facility]] = facility
    for place in range(len(places.edge)):
        edge = places.edge[place]
        minutes[place], whose[place] = np.inf, -1
        if edge < 0:
            continue
        best, by = np.inf, np.int64(-1)
        if along[edge] < np.inf:
            node = edges.source[edge]
            best, by = state[node, 0] + fraction[place] * along[edge], owner[node, 1] >> 1
        if against[edge] < np.inf:
            node = edges.target[edge]
            time = state[node, 0] + (1.0 - fraction[place]) * against[edge]
            if time < best:
                best, by = time, owner[node, 1] >> 1
        facility = first[edge]
        while facility >= 0:
            ahead = fraction[place] - facilities.fraction[facility]
            time = np.inf
            if ahead >= 0.0 and along[edge] < np.inf:
                time = facilities.begins[facility] + ahead * along[edge]
            if ahead <= 0.0 and against[edge] < np.inf:
                time = min(time, facilities.begins[facility] - ahead * against[edge])
            if time < best:
                best, by = time, np.int64(facility)
            facility = following[facility]
        if best < np.inf:
            minutes[place], whose[place] = best + places.off_road_m[place] * walked, by


@compiled
def search_each(
    arcs: Arcs,
    start_first: Longs,
    start_node: Longs,
    start_minutes: Floats,
    limit: float,
    parts: float,
) -> tuple[Longs, Ints, Floats]:
    """
    Search from each origin by itself.

    Parameters
    ----------
    arcs
        Of the network.
    start_first
        First start of each origin, and one more at the end.
    start_node, start_minutes
        As in :class:`Starts`.
    limit
        Minutes.
    parts
        As for :func:`choose_bucket_width`.

    Returns
    -------
    first, node, at_node
        First entry of each origin, and one more at the end; the nodes reached and their minutes.
    """
    size, origins = len(arcs.indptr) - 1, len(start_first) - 1
    width, buckets = choose_bucket_width(arcs.minutes, start_minutes, parts)
    state = np.empty((size, 2))
    owner = state.view(np.int64)
    state[:, 0], owner[:, 1] = np.inf, -2
    reached = np.empty(size, np.int32)
    first = np.zeros(origins + 1, np.int64)
    nodes, times = np.empty(max(size, 1), np.int32), np.empty(max(size, 1))
    filled = 0
    for origin in range(origins):
        low, high = start_first[origin], start_first[origin + 1]
        starts = Starts(
            start_node[low:high], start_minutes[low:high], np.zeros(high - low, np.int64)
        )
        count = search(arcs, starts, limit, width, buckets, state, reached)
        if filled + count > len(nodes):
            room = max(2 * len(nodes), filled + count)
            more_nodes, more_times = np.empty(room, np.int32), np.empty(room)
            more_nodes[:filled], more_times[:filled] = nodes[:filled], times[:filled]
            nodes, times = more_nodes, more_times
        for at in range(count):
            node = reached[at]
            nodes[filled], times[filled] = node, state[node, 0]
            state[node, 0], owner[node, 1] = np.inf, -2
            filled += 1
        first[origin + 1] = filled
    return first, nodes[:filled].copy(), times[:filled].copy()
