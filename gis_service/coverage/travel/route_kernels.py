"""A shortest-path search that remembers the way and stops at its goals, compiled.

Plain numbers in flat arrays, as in :mod:`gis_service.coverage.travel.search_kernels`: nodes wait in
buckets of equal width. The search can be taken up again where it stopped, so that nobody pays for
nodes farther off than what is asked; minutes are those of a search to the end.
"""

import numpy as np
import numpy.typing as npt

from gis_service.compiled import compiled

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
Ints = npt.NDArray[np.int32]


@compiled
def _put_into_bucket(
    node: int, time: float, width: float, at_node: Floats, bucket: Ints, link: Ints
) -> tuple[int, int]:
    """Give a node its time and let it wait; how many more wait now, and in which bucket."""
    more, count = 1, len(bucket)
    slot = int(time / width)
    if link[node, 1] != -2:  # take it out of where it waits
        previous, after = link[node, 1], link[node, 0]
        if previous >= 0:
            link[previous, 0] = after
        else:
            bucket[int(at_node[node] / width) % count] = after
        if after >= 0:
            link[after, 1] = previous
        more = 0
    at_node[node] = time
    first = bucket[slot % count]
    link[node, 0], link[node, 1] = first, -1
    if first >= 0:
        link[first, 1] = node
    bucket[slot % count] = node
    return more, slot


@compiled
def begin_search(
    start_node: Longs,
    start_minutes: Floats,
    width: float,
    at_node: Floats,
    bucket: Ints,
    link: Ints,
    standing: Longs,
) -> None:
    """
    Let a search begin.

    Parameters
    ----------
    start_node, start_minutes
        Where, and with how much; finite, not below 0.
    width
        Of :func:`gis_service.coverage.travel.search_kernels.choose_bucket_width`.
    at_node
        By node its minutes so far, inf before.
    bucket
        First of each bucket's nodes, -1 before.
    link
        By node the next and the previous one that wait; the previous is -2 before.
    standing
        The bucket the search is at, and how many nodes wait; 0 before.
    """
    for start in range(len(start_node)):
        node, time = start_node[start], start_minutes[start]
        if time < at_node[node]:
            more, slot = _put_into_bucket(node, time, width, at_node, bucket, link)
            standing[0] = min(standing[0], slot) if standing[1] else slot
            standing[1] += more


@compiled
def continue_search(
    indptr: Ints,
    head: Ints,
    minutes: Floats,
    goals: Longs,
    width: float,
    at_node: Floats,
    before: Ints,
    bucket: Ints,
    link: Ints,
    standing: Longs,
) -> None:
    """
    Search on until the minutes of all goals are known.

    Parameters
    ----------
    indptr, head, minutes
        Arcs out of each node.
    goals
        Nodes; one that cannot be reached lets the search run to its end.
    width, at_node, bucket, link, standing
        As :func:`begin_search` left them, or an earlier call of this.
    before
        By node the one before it on its way, -1 at a start. An arc without time never closes a
        circle, because a node is only taken again with less.
    """
    count, known = len(bucket), 0
    while standing[1]:
        slot = standing[0]
        first = bucket[slot % count]
        if first < 0:
            standing[0] = slot + 1
            continue
        # All that a node of an earlier bucket can give is given.
        while known < len(goals):
            time = at_node[goals[known]]
            if time == np.inf or int(time / width) >= slot:
                break
            known += 1
        if known == len(goals):
            return
        node = first
        after = link[node, 0]
        bucket[slot % count] = after
        if after >= 0:
            link[after, 1] = -1
        link[node, 1] = -2
        standing[1] -= 1
        base = at_node[node]
        for arc in range(indptr[node], indptr[node + 1]):
            goal, time = head[arc], base + minutes[arc]
            if time < at_node[goal]:
                more, _ = _put_into_bucket(goal, time, width, at_node, bucket, link)
                standing[1] += more
                before[goal] = node
