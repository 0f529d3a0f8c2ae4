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
    at_node: Floats,
    by: Longs,
    bucket: Ints,
    following: Ints,
    before: Ints,
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
    at_node, by
        Filled: minutes, inf before; whose they are, -1 before.
    bucket
        First of each bucket's nodes, -1 before and after.
    following, before
        Room for one entry a node; ``before`` is -2 before and after.
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
        old = at_node[node]
        if time > old or (time == old and who >= by[node]):
            continue
        if old == np.inf:
            reached[found] = node
            found += 1
        if before[node] != -2:  # take it out of where it waits
            previous, after = before[node], following[node]
            if previous >= 0:
                following[previous] = after
            else:
                bucket[np.int64(old / width) % count] = after
            if after >= 0:
                before[after] = previous
            waiting -= 1
        at_node[node], by[node] = time, who
        place = np.int64(time / width) % count
        first = bucket[place]
        following[node], before[node] = first, -1
        if first >= 0:
            before[first] = node
        bucket[place] = node
        waiting += 1
    while waiting:
        here = now % count
        node = bucket[here]
        if node < 0:
            now += 1
            continue
        after = following[node]
        bucket[here] = after
        if after >= 0:
            before[after] = -1
        before[node] = -2
        waiting -= 1
        base, who = at_node[node], by[node]
        for arc in range(indptr[node], indptr[node + 1]):
            goal = head[arc]
            time = base + minutes[arc]
            old = at_node[goal]
            if time > old or time > limit or (time == old and who >= by[goal]):
                continue
            if old == np.inf:
                if time == np.inf:
                    continue
                reached[found] = goal
                found += 1
            place = np.int64(time / width) % count
            if before[goal] != -2:
                old_place = np.int64(old / width) % count
                if old_place == place:  # it waits in the right one already
                    at_node[goal], by[goal] = time, who
                    continue
                previous, after = before[goal], following[goal]
                if previous >= 0:
                    following[previous] = after
                else:
                    bucket[old_place] = after
                if after >= 0:
                    before[after] = previous
                waiting -= 1
            at_node[goal], by[goal] = time, who
            first = bucket[place]
            following[goal], before[goal] = first, -1
            if first >= 0:
                before[first] = goal
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
    at_node, by = np.full(size, np.inf), np.full(size, -1, np.int64)
    bucket = np.full(count, -1, np.int32)
    following, before = np.empty(size, np.int32), np.full(size, -2, np.int32)
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
        at_node,
        by,
        bucket,
        following,
        before,
        reached,
    )
    return at_node, by


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
    at_node, by = np.full(size, np.inf), np.full(size, -1, np.int64)
    bucket = np.full(count, -1, np.int32)
    following, before = np.empty(size, np.int32), np.full(size, -2, np.int32)
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
            at_node,
            by,
            bucket,
            following,
            before,
            reached,
        )
        if filled + found > len(nodes):
            room = max(2 * len(nodes), filled + found)
            more_nodes, more_times = np.empty(room, np.int32), np.empty(room)
            more_nodes[:filled], more_times[:filled] = nodes[:filled], times[:filled]
            nodes, times = more_nodes, more_times
        for at in range(found):
            node = reached[at]
            nodes[filled], times[filled] = node, at_node[node]
            at_node[node], by[node] = np.inf, -1
            filled += 1
        first[origin + 1] = filled
    return first, nodes[:filled].copy(), times[:filled].copy()
