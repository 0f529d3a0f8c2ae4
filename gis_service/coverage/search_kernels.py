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

from gis_service.grids.locator_kernels import compiled

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
Ints = npt.NDArray[np.int32]

_MOST_BUCKETS: Final = 1 << 16


@compiled
def bucket_width(minutes: Floats, start_minutes: Floats, parts: float) -> tuple[float, int]:
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
    return width, int(longest / width) + 4


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
    state: Floats,
    bucket: Ints,
    link: Ints,
    reached: Ints,
) -> int:
    """
    Find the least minutes to each node from any start.

    Parameters
    ----------
    indptr, head, minutes
        Arcs out of each node.
    start_node, start_minutes, start_by
        Where it begins, with how much, and on whose account; finite, not below 0.
    limit
        Nodes later than this are not reached; inf for all.
    width
        Of :func:`bucket_width`.
    state
        By node its minutes, inf before, and whose they are, -1 before; filled. What is asked of a
        node together lies together, so that a network larger than the cache costs little more.
    bucket
        First of each bucket's nodes, -1 before and after.
    link
        By node the next and the previous one that wait; the previous is -2 before and after.
    reached
        Filled with the nodes reached, each once; as long as there are nodes.

    Returns
    -------
    int
        How many nodes were reached.
    """
    count = len(bucket)
    waiting, found = 0, 0
    now = np.int64(0)
    for start in range(len(start_node)):
        time = start_minutes[start]
        slot = np.int64(time / width)
        if start == 0 or slot < now:
            now = slot
    for start in range(len(start_node)):
        node, time, who = start_node[start], start_minutes[start], start_by[start]
        if time > limit:
            continue
        old = state[node, 0]
        if time > old or (time == old and who >= state[node, 1]):
            continue
        if old == np.inf:
            reached[found] = node
            found += 1
        if link[node, 1] != -2:  # take it out of where it waits
            previous, after = link[node, 1], link[node, 0]
            if previous >= 0:
                link[previous, 0] = after
            else:
                bucket[np.int64(old / width) % count] = after
            if after >= 0:
                link[after, 1] = previous
            waiting -= 1
        state[node, 0], state[node, 1] = time, who
        place = np.int64(time / width) % count
        first = bucket[place]
        link[node, 0], link[node, 1] = first, -1
        if first >= 0:
            link[first, 1] = node
        bucket[place] = node
        waiting += 1
    while waiting:
        here = now % count
        node = bucket[here]
        if node < 0:
            now += 1
            continue
        after = link[node, 0]
        bucket[here] = after
        if after >= 0:
            link[after, 1] = -1
        link[node, 1] = -2
        waiting -= 1
        base, who = state[node, 0], state[node, 1]
        for arc in range(indptr[node], indptr[node + 1]):
            goal = head[arc]
            time = base + minutes[arc]
            old = state[goal, 0]
            if time > old or time > limit or (time == old and who >= state[goal, 1]):
                continue
            if old == np.inf:
                if time == np.inf:
                    continue
                reached[found] = goal
                found += 1
            place = np.int64(time / width) % count
            if link[goal, 1] != -2:
                old_place = np.int64(old / width) % count
                if old_place == place:  # it waits in the right one already
                    state[goal, 0], state[goal, 1] = time, who
                    continue
                previous, after = link[goal, 1], link[goal, 0]
                if previous >= 0:
                    link[previous, 0] = after
                else:
                    bucket[old_place] = after
                if after >= 0:
                    link[after, 1] = previous
                waiting -= 1
            state[goal, 0], state[goal, 1] = time, who
            first = bucket[place]
            link[goal, 0], link[goal, 1] = first, -1
            if first >= 0:
                link[first, 1] = goal
            bucket[place] = goal
            waiting += 1
    return found


@compiled
def nearest(
    indptr: Ints,
    head: Ints,
    minutes: Floats,
    start_node: Longs,
    start_minutes: Floats,
    start_by: Longs,
    parts: float,
) -> tuple[Floats, Longs]:
    """
    Search once from all starts.

    Parameters
    ----------
    indptr, head, minutes
        Arcs out of each node.
    start_node, start_minutes, start_by
        As for :func:`search`.
    parts
        As for :func:`bucket_width`.

    Returns
    -------
    at_node, by
        Minutes, inf where none arrives; whose, -1 where none.
    """
    size = len(indptr) - 1
    width, count = bucket_width(minutes, start_minutes, parts)
    state, link = np.empty((size, 2)), np.full((size, 2), -2, np.int32)
    state[:, 0], state[:, 1] = np.inf, -1.0
    bucket = np.full(count, -1, np.int32)
    reached = np.empty(size, np.int32)
    search(
        indptr,
        head,
        minutes,
        start_node,
        start_minutes,
        start_by,
        np.inf,
        width,
        state,
        bucket,
        link,
        reached,
    )
    return state[:, 0].copy(), state[:, 1].astype(np.int64)


@compiled
def nearest_within(
    indptr: Ints,
    head: Ints,
    minutes: Floats,
    start_node: Longs,
    start_minutes: Floats,
    start_by: Longs,
    limit: float,
    parts: float,
) -> tuple[Ints, Floats, Longs]:
    """
    Search once from all starts, as far as a limit.

    Parameters
    ----------
    indptr, head, minutes
        Arcs out of each node.
    start_node, start_minutes, start_by
        As for :func:`search`.
    limit
        Minutes; inf for all.
    parts
        As for :func:`bucket_width`.

    Returns
    -------
    node, at_node, by
        The nodes reached, each once; their minutes, and whose.
    """
    size = len(indptr) - 1
    width, count = bucket_width(minutes, start_minutes, parts)
    state, link = np.empty((size, 2)), np.full((size, 2), -2, np.int32)
    state[:, 0], state[:, 1] = np.inf, -1.0
    reached = np.empty(size, np.int32)
    found = search(
        indptr,
        head,
        minutes,
        start_node,
        start_minutes,
        start_by,
        limit,
        width,
        state,
        np.full(count, -1, np.int32),
        link,
        reached,
    )
    node = reached[:found].copy()
    at_node, by = np.empty(found), np.empty(found, np.int64)
    for at in range(found):
        at_node[at], by[at] = state[node[at], 0], np.int64(state[node[at], 1])
    return node, at_node, by


@compiled
def at_places(
    edge: Longs,
    fraction: Floats,
    off_road_m: Floats,
    walked: float,
    source: Longs,
    target: Longs,
    along: Floats,
    against: Floats,
    at_node: Floats,
    by: Longs,
    near_edge: Longs,
    near_fraction: Floats,
    near_begins: Floats,
) -> tuple[Floats, Longs]:
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
    at_node, by
        Of :func:`nearest`.
    near_edge, near_fraction, near_begins
        Of the facilities, and their minutes before they are on the road there.

    Returns
    -------
    minutes, by
        Of the places; inf and -1 where none arrives.
    """
    places, facilities = len(edge), len(near_edge)
    first = np.full(len(source), -1, np.int32)
    following = np.empty(max(facilities, 1), np.int32)
    for one in range(facilities - 1, -1, -1):  # so that the lowest comes first
        following[one] = first[near_edge[one]]
        first[near_edge[one]] = one
    minutes, whose = np.full(places, np.inf), np.full(places, -1, np.int64)
    for place in range(places):
        here = edge[place]
        if here < 0:
            continue
        best, who = np.inf, np.int64(-1)
        if along[here] < np.inf:
            best, who = at_node[source[here]] + fraction[place] * along[here], by[source[here]]
        if against[here] < np.inf:
            time = at_node[target[here]] + (1.0 - fraction[place]) * against[here]
            if time < best:
                best, who = time, by[target[here]]
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
    return minutes, whose


@compiled
def reach_of_each(
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
        As for :func:`bucket_width`.

    Returns
    -------
    first, node, at_node
        First entry of each origin, and one more at the end; the nodes reached and their minutes.
    """
    size, origins = len(indptr) - 1, len(start_first) - 1
    width, count = bucket_width(minutes, start_minutes, parts)
    state, link = np.empty((size, 2)), np.full((size, 2), -2, np.int32)
    state[:, 0], state[:, 1] = np.inf, -1.0
    bucket = np.full(count, -1, np.int32)
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
            state,
            bucket,
            link,
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
            state[node, 0], state[node, 1] = np.inf, -1.0
            filled += 1
        first[origin + 1] = filled
    return first, nodes[:filled].copy(), times[:filled].copy()
