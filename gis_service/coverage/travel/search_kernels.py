"""Shortest-path searches from one or many starts, compiled.

Plain numbers in flat arrays: arcs by node in, minutes by node out. Nodes wait in buckets of equal
width instead of a heap; a node whose time still falls is taken again, so that the answer is exactly
that of Dijkstra's search: the least sum over all ways, and of equal ones the lowest start.
"""

# ruff: noqa: C901, PLR0912, PLR0915
# Loops in flat arrays are what the compiler makes fast.

from typing import Final

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
def search(
    indptr: Ints,
    head: Ints,
    minutes: Floats,
    start_node: Longs,
    start_minutes: Floats,
    start_by: Longs,
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
    indptr, head, minutes
        Arcs out of each node.
    start_node, start_minutes, start_by
        Where it begins, with how much, and on whose account; finite, not below 0.
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
    owner = state.view(np.int64)  # twice whose it is, and one more while it waits
    bucket, filled = np.full(buckets, -1, np.int32), np.zeros(buckets, np.int32)
    pool, following, free = np.empty((1, _CHUNK), np.int32), np.full(1, -1, np.int32), 0
    chunk = np.empty(_CHUNK, np.int32)
    per_minute = 1.0 / width
    found, waiting = 0, 0
    now = np.int64(0)
    for start in range(len(start_node)):
        slot = np.int64(start_minutes[start] * per_minute)
        now = slot if start == 0 else min(now, slot)
    for start in range(len(start_node)):
        node, time, who = start_node[start], start_minutes[start], start_by[start]
        old = state[node, 0]
        if time > limit or time > old or (time == old and who >= owner[node, 1] >> 1):
            continue
        if old == np.inf:
            reached[found] = node
            found += 1
        state[node, 0], owner[node, 1] = time, 2 * who + 1
        place = np.int64(time * per_minute) & (buckets - 1)
        if bucket[place] < 0 or filled[place] == _CHUNK:
            pool, following, free = _open_chunk(place, bucket, filled, pool, following, free)
        pool[bucket[place], filled[place]] = node
        filled[place] += 1
        waiting += 1
    while waiting:
        here = now & (buckets - 1)
        taken = bucket[here]
        if taken < 0:
            now += 1
            continue
        count = filled[here]
        for at in range(count):
            chunk[at] = pool[taken, at]
        bucket[here], filled[here] = following[taken], _CHUNK  # all but the first are full
        following[taken], free = free, taken
        waiting -= count
        for at in range(-_FAR, count):
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
            base, who = state[node, 0], owner[node, 1] >> 1
            for arc in range(indptr[node], indptr[node + 1]):
                goal = head[arc]
                time = base + minutes[arc]
                old = state[goal, 0]
                if time > old or time > limit:
                    continue
                held = owner[goal, 1]
                if time == old and who >= held >> 1:
                    continue
                if old == np.inf:
                    reached[found] = goal
                    found += 1
                state[goal, 0], owner[goal, 1] = time, 2 * who + 1
                place = np.int64(time * per_minute) & (buckets - 1)
                if held & 1 and np.int64(old * per_minute) & (buckets - 1) == place:
                    continue  # it waits in the right one already
                if bucket[place] < 0 or filled[place] == _CHUNK:
                    pool, following, free = _open_chunk(
                        place, bucket, filled, pool, following, free
                    )
                pool[bucket[place], filled[place]] = goal
                filled[place] += 1
                waiting += 1
    return found


def make_state(nodes: int) -> Floats:
    """Make what a search fills."""
    state = np.empty((nodes, 2))
    state[:, 0] = np.inf
    state.view(np.int64)[:, 1] = -2
    return state


def search_once(
    indptr: Ints,
    head: Ints,
    minutes: Floats,
    start_node: Longs,
    start_minutes: Floats,
    start_by: Longs,
    parts: float,
    limit: float = np.inf,
) -> tuple[Floats, Ints]:
    """
    Search once from all starts.

    Parameters
    ----------
    indptr, head, minutes
        Arcs out of each node.
    start_node, start_minutes, start_by, limit
        As for :func:`search`.
    parts
        As for :func:`choose_bucket_width`.

    Returns
    -------
    state, reached
        As :func:`search` left it; the nodes reached, each once.
    """
    state = make_state(len(indptr) - 1)
    reached = np.empty(len(state), np.int32)
    width, buckets = choose_bucket_width(minutes, start_minutes, parts)
    found = search(
        indptr,
        head,
        minutes,
        start_node,
        start_minutes,
        start_by,
        limit,
        width,
        buckets,
        state,
        reached,
    )
    return state, reached[:found]


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
    edge: Longs,
    fraction: Floats,
    off_road_m: Floats,
    walked: float,
    source: Longs,
    target: Longs,
    along: Floats,
    against: Floats,
    state: Floats,
    near_edge: Longs,
    near_fraction: Floats,
    near_begins: Floats,
    minutes: Floats,
    whose: Longs,
) -> None:
    """
    Join places with the ends of their edge, and with facilities on the same edge along it.

    Parameters
    ----------
    edge, fraction, off_road_m
        Where each place meets the network; edge -1 where it does not.
    walked
        Minutes a metre off the road.
    source, target, along, against
        Of every edge; minutes for all of it, inf where it is closed.
    state
        By node, as :func:`search` left it.
    near_edge, near_fraction, near_begins
        Of the facilities, and their minutes before they are on the road there.
    minutes, whose
        Of the places; filled, with inf and -1 where none arrives.
    """
    places, facilities, owner = len(edge), len(near_edge), state.view(np.int64)
    first = np.full(len(source), -1, np.int32)
    following = np.empty(max(facilities, 1), np.int32)
    for one in range(facilities - 1, -1, -1):  # so that the lowest comes first
        following[one] = first[near_edge[one]]
        first[near_edge[one]] = one
    for place in range(places):
        here = edge[place]
        minutes[place], whose[place] = np.inf, -1
        if here < 0:
            continue
        best, who = np.inf, np.int64(-1)
        if along[here] < np.inf:
            node = source[here]
            best, who = state[node, 0] + fraction[place] * along[here], owner[node, 1] >> 1
        if against[here] < np.inf:
            node = target[here]
            time = state[node, 0] + (1.0 - fraction[place]) * against[here]
            if time < best:
                best, who = time, owner[node, 1] >> 1
        one = first[here]
        while one >= 0:
            ahead = fraction[place] - near_fraction[one]
            time = np.inf
            if ahead >= 0.0 and along[here] < np.inf:
                time = near_begins[one] + ahead * along[here]
            if ahead <= 0.0 and against[here] < np.inf:
                time = min(time, near_begins[one] - ahead * against[here])
            if time < best:
                best, who = time, np.int64(one)
            one = following[one]
        if best < np.inf:
            minutes[place], whose[place] = best + off_road_m[place] * walked, who


@compiled
def search_each(
    indptr: Ints,
    head: Ints,
    minutes: Floats,
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
    indptr, head, minutes
        Arcs out of each node.
    start_first
        First start of each origin, and one more at the end.
    start_node, start_minutes
        As for :func:`search`.
    limit
        Minutes.
    parts
        As for :func:`choose_bucket_width`.

    Returns
    -------
    first, node, at_node
        First entry of each origin, and one more at the end; the nodes reached and their minutes.
    """
    size, origins = len(indptr) - 1, len(start_first) - 1
    width, buckets = choose_bucket_width(minutes, start_minutes, parts)
    state = np.empty((size, 2))
    owner = state.view(np.int64)
    state[:, 0], owner[:, 1] = np.inf, -2
    reached = np.empty(size, np.int32)
    first = np.zeros(origins + 1, np.int64)
    nodes, times = np.empty(max(size, 1), np.int32), np.empty(max(size, 1))
    filled = 0
    for origin in range(origins):
        low, high = start_first[origin], start_first[origin + 1]
        nobody = np.zeros(high - low, np.int64)
        found = search(
            indptr,
            head,
            minutes,
            start_node[low:high],
            start_minutes[low:high],
            nobody,
            limit,
            width,
            buckets,
            state,
            reached,
        )
        if filled + found > len(nodes):
            room = max(2 * len(nodes), filled + found)
            more_nodes, more_times = np.empty(room, np.int32), np.empty(room)
            more_nodes[:filled], more_times[:filled] = nodes[:filled], times[:filled]
            nodes, times = more_nodes, more_times
        for at in range(found):
            node = reached[at]
            nodes[filled], times[filled] = node, state[node, 0]
            state[node, 0], owner[node, 1] = np.inf, -2
            filled += 1
        first[origin + 1] = filled
    return first, nodes[:filled].copy(), times[:filled].copy()
