"""The several facilities nearest to each node and place, by one search of all, compiled.

Plain numbers in flat arrays, as in :mod:`gis_service.coverage.search_kernels`. A node keeps as many
labels (minutes and whose) as are asked for, each of another facility; whoever is not among them
there is not among them beyond, either. So the work grows with that number, not with the facilities.
"""

# ruff: noqa: C901, PLR0912
# Loops in flat arrays are what the compiler makes fast.

import numpy as np
import numpy.typing as npt

from gis_service.grids.locator_kernels import compiled

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
Ints = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]


@compiled
def _rank(times: Floats, whose: Ints, waits: Flags, time: float, who: int) -> int:
    """Put a label in its place among those of one node; the place, or -1 where it is none."""
    last = len(times) - 1
    if time > times[last] or time == np.inf or (time == times[last] and who >= whose[last] >= 0):
        return -1
    place = last
    for other in range(last + 1):
        if whose[other] == who:
            if time >= times[other]:
                return -1
            place = other
            break
    while place > 0 and (
        times[place - 1] > time or (times[place - 1] == time and whose[place - 1] > who)
    ):
        times[place], whose[place] = times[place - 1], whose[place - 1]
        waits[place] = waits[place - 1]
        place -= 1
    times[place], whose[place], waits[place] = time, who, True
    return place


@compiled
def _file(node: int, slot: int, filed: Longs, bucket: Ints, link: Ints) -> int:
    """Let a node wait in a bucket, unless it waits in an earlier one; how many more wait."""
    more, count = 1, len(bucket)
    if filed[node] >= 0:
        if filed[node] <= slot:
            return 0
        previous, after = link[node, 1], link[node, 0]
        if previous >= 0:
            link[previous, 0] = after
        else:
            bucket[filed[node] % count] = after
        if after >= 0:
            link[after, 1] = previous
        more = 0
    first = bucket[slot % count]
    link[node, 0], link[node, 1] = first, -1
    if first >= 0:
        link[first, 1] = node
    bucket[slot % count] = node
    filed[node] = slot
    return more


@compiled
def labels(
    indptr: Ints,
    head: Ints,
    minutes: Floats,
    start_node: Longs,
    start_minutes: Floats,
    start_by: Longs,
    each: int,
    width: float,
    buckets: int,
) -> tuple[Floats, Ints]:
    """
    Find the facilities nearest to each node.

    Parameters
    ----------
    indptr, head, minutes
        Arcs out of each node.
    start_node, start_minutes, start_by
        Where each begins, with how much, and on whose account; finite, not below 0.
    each
        How many labels a node keeps; at least 1.
    width, buckets
        Of :func:`gis_service.coverage.search_kernels.bucket_width`.

    Returns
    -------
    times, whose
        Nodes x ``each``, the least first and of equal ones the lowest; inf and -1 where fewer
        arrive.
    """
    size = len(indptr) - 1
    times, whose = np.full((size, each), np.inf), np.full((size, each), -1, np.int32)
    waits = np.zeros((size, each), np.bool_)
    bucket, link = np.full(buckets, -1, np.int32), np.empty((size, 2), np.int32)
    filed = np.full(size, -1, np.int64)
    waiting, now = 0, 0
    for start in range(len(start_node)):
        slot = int(start_minutes[start] / width)
        now = slot if start == 0 else min(now, slot)
    for start in range(len(start_node)):
        node, time, who = start_node[start], start_minutes[start], start_by[start]
        if _rank(times[node], whose[node], waits[node], time, who) >= 0:
            waiting += _file(node, int(time / width), filed, bucket, link)
    while waiting:
        node = bucket[now % buckets]
        if node < 0:
            now += 1
            continue
        after = link[node, 0]
        bucket[now % buckets] = after
        if after >= 0:
            link[after, 1] = -1
        filed[node] = -1
        waiting -= 1
        later = -1
        for place in range(each):
            if not waits[node, place]:
                continue
            base, who = times[node, place], whose[node, place]
            slot = int(base / width)
            if slot > now:
                later = slot
                break
            waits[node, place] = False
            for arc in range(indptr[node], indptr[node + 1]):
                goal, time = head[arc], base + minutes[arc]
                if time > times[goal, each - 1]:
                    continue
                if _rank(times[goal], whose[goal], waits[goal], time, who) >= 0:
                    waiting += _file(goal, int(time / width), filed, bucket, link)
        if later >= 0:
            waiting += _file(node, later, filed, bucket, link)
    return times, whose


@compiled
def labels_at_places(
    edge: Longs,
    fraction: Floats,
    off_road_m: Floats,
    walked: float,
    source: Longs,
    target: Longs,
    along: Floats,
    against: Floats,
    times: Floats,
    whose: Ints,
    near_edge: Longs,
    near_fraction: Floats,
    near_begins: Floats,
) -> tuple[Floats, Ints]:
    """
    Join places with the labels at the ends of their edge, and with facilities along it.

    Parameters
    ----------
    edge, fraction, off_road_m
        Where each place meets the network; edge -1 where it does not.
    walked
        Minutes a metre off the road.
    source, target, along, against
        Of every edge; minutes for all of it, inf where it is closed.
    times, whose
        Of :func:`labels`.
    near_edge, near_fraction, near_begins
        Of the facilities, and their minutes before they are on the road there.

    Returns
    -------
    times, whose
        Places x labels, in the same order.
    """
    places, each = len(edge), times.shape[1]
    first = np.full(len(source), -1, np.int32)
    following = np.empty(max(len(near_edge), 1), np.int32)
    for one in range(len(near_edge)):
        following[one] = first[near_edge[one]]
        first[near_edge[one]] = one
    minutes, by = np.full((places, each), np.inf), np.full((places, each), -1, np.int32)
    unused = np.zeros(each, np.bool_)
    for place in range(places):
        here = edge[place]
        if here < 0:
            continue
        off_road = off_road_m[place] * walked
        for label in range(each):
            if along[here] < np.inf:
                time = times[source[here], label] + fraction[place] * along[here] + off_road
                _rank(minutes[place], by[place], unused, time, whose[source[here], label])
            if against[here] < np.inf:
                time = times[target[here], label] + (1.0 - fraction[place]) * against[here]
                _rank(
                    minutes[place], by[place], unused, time + off_road, whose[target[here], label]
                )
        one = first[here]
        while one >= 0:
            ahead = fraction[place] - near_fraction[one]
            time = np.inf
            if ahead >= 0.0 and along[here] < np.inf:
                time = near_begins[one] + ahead * along[here]
            if ahead <= 0.0 and against[here] < np.inf:
                time = min(time, near_begins[one] - ahead * against[here])
            _rank(minutes[place], by[place], unused, time + off_road, one)
            one = following[one]
    return minutes, by
