"""The inner loops of cells around points of streets: their corners, and how far an area reaches.

A cell is the ground that is nearer to one point than to any other, given by the circumcentres of
the triangles around it. Plain numbers in flat arrays, nothing of roads.
"""

# ruff: noqa: C901, PLR0912
# Loops in flat arrays are what the compiler makes fast.

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gis_service.compiled import compiled

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
Ints = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
Small = npt.NDArray[np.int8]
Singles = npt.NDArray[np.float32]


class Cells(NamedTuple):
    """The cells of some points, with their corners and the ridges between them."""

    # The points, metres.
    x: Floats
    y: Floats
    # Of :func:`walk_around_points`.
    start: Longs
    corner: Ints
    neighbour: Ints
    # Of :func:`measure_ridges`.
    ridge: Singles
    # Circumcentres, and their distance from the corners of their triangle.
    corner_x: Floats
    corner_y: Floats
    corner_d: Floats


class Streets(NamedTuple):
    """Streets as they are entered in the direction of a run, and the points on them."""

    # Streets that are entered from node ``i``: ``first[i]`` to ``first[i + 1]`` of ``way``.
    first: Ints
    way: Ints
    # By street its two nodes.
    ends: Longs
    # By street the minutes for all of it from the first node and from the second; inf: closed.
    times: Floats
    # By street its first point and the one after its last.
    bounds: Longs
    # By point where it lies on its street, 0 to 1.
    fraction: Floats


class Gates(NamedTuple):
    """Places on streets from which a street is begun as well, and when."""

    street: Longs
    fraction: Floats
    begins: Floats


@compiled
def walk_around_points(triangles: Ints, beyond: Ints, points: int) -> tuple[Longs, Ints, Ints]:
    """
    Walk once round every point.

    Parameters
    ----------
    triangles
        Corners of each, counterclockwise.
    beyond
        By corner the triangle on the other side of the opposite edge, -1 where there is none.
    points
        How many there are.

    Returns
    -------
    start, corner, neighbour
        The cell of point ``i`` has the corners ``start[i]`` to ``start[i + 1]``, counterclockwise,
        each the circumcentre of a triangle; after a corner comes the ridge towards ``neighbour``.
        A point on the outer hull has no cell.
    """
    first = np.full(points, -1, np.int64)
    degree = np.zeros(points + 1, np.int64)
    is_open = np.zeros(points, np.bool_)
    for triangle in range(len(triangles)):
        for place in range(3):
            point = triangles[triangle, place]
            first[point] = triangle
            degree[point + 1] += 1
            if beyond[triangle, (place + 1) % 3] < 0 or beyond[triangle, (place + 2) % 3] < 0:
                is_open[point] = True
    for point in range(points):
        if is_open[point]:
            degree[point + 1] = 0
    start = np.cumsum(degree)
    corner = np.empty(start[-1], np.int32)
    neighbour = np.empty(start[-1], np.int32)
    for point in range(points):
        triangle = first[point]
        for at in range(start[point], start[point + 1]):
            place = 0
            while triangles[triangle, place] != point:
                place += 1
            corner[at] = triangle
            neighbour[at] = triangles[triangle, (place + 2) % 3]
            triangle = beyond[triangle, (place + 1) % 3]
    return start, corner, neighbour


@compiled
def measure_ridges(
    x: Floats, y: Floats, start: Longs, corner: Ints, neighbour: Ints, corner_d: Floats
) -> Singles:
    """
    Measure between which distances from its two points each ridge lies.

    Parameters
    ----------
    x, y
        The points, metres.
    start, corner, neighbour
        Of :func:`walk_around_points`.
    corner_d
        Distance of circumcentres from the corners of their triangle.

    Returns
    -------
    array of float
        By corner of a cell, for the ridge after it: the distance of its nearer end, of its farther
        end, and half the distance of the points, squared. The first and the last are a little
        less than that, the second is not less; the same from either side.
    """
    ridge = np.empty((len(neighbour), 3), np.float32)
    for i in range(len(start) - 1):
        begin, end = start[i], start[i + 1]
        for at in range(begin, end):
            following = at + 1 if at + 1 < end else begin
            j = neighbour[at]
            d_first, d_second = corner_d[corner[at]], corner_d[corner[following]]
            dx, dy = x[j] - x[i], y[j] - y[i]
            ridge[at, 0] = 0.999999 * min(d_first, d_second)
            ridge[at, 1] = 1.0000002 * max(d_first, d_second)
            ridge[at, 2] = 0.999999 * 0.25 * (dx * dx + dy * dy)
    return ridge


@compiled
def find_reached_points(
    node: Ints,
    node_minutes: Floats,
    streets: Streets,
    gates: Gates,
    limit: float,
    at_node: Floats,
    mark: Bytes,
    minutes: Floats,
    points: Longs,
) -> int:
    """
    Find the points of streets that are reached, along their streets from what is reached at all.

    Parameters
    ----------
    node, node_minutes
        The nodes reached.
    streets
        All of them.
    gates
        Of the stations.
    limit
        Minutes.
    at_node, mark
        By node inf, by street 0 (and up to a multiple of eight); both are so again afterwards.
    minutes, points
        When a point is reached, by point; which are, rising: filled.

    Returns
    -------
    int
        How many points are reached.
    """
    first, way, ends = streets.first, streets.way, streets.ends
    times, bounds, fraction = streets.times, streets.bounds, streets.fraction
    count = 0
    for n in range(len(node)):
        at_node[node[n]] = node_minutes[n]
        for w in range(first[node[n]], first[node[n] + 1]):
            mark[way[w]] = 1
    for gate in range(len(gates.street)):
        mark[gates.street[gate]] = 2
    words = mark.view(np.int64)
    for word in range(len(words)):
        if words[word] == 0:
            continue
        for street in range(8 * word, 8 * word + 8):
            marked = mark[street]
            if marked == 0:
                continue
            mark[street] = 0
            along, against = times[street, 0], times[street, 1]
            from_first, from_second = at_node[ends[street, 0]], at_node[ends[street, 1]]
            if along == math.inf:
                from_first, along = math.inf, 0.0
            if against == math.inf:
                from_second, against = math.inf, 0.0
            for point in range(bounds[street, 0], bounds[street, 1]):
                part = fraction[point]
                best = min(from_first + part * along, from_second + (1.0 - part) * against)
                if marked == 2:
                    for gate in range(len(gates.street)):
                        ahead = part - gates.fraction[gate]
                        whole = times[street, 0] if ahead >= 0.0 else times[street, 1]
                        if gates.street[gate] == street and whole < math.inf:
                            best = min(best, gates.begins[gate] + abs(ahead) * whole)
                if best <= limit and best < math.inf:
                    minutes[point] = best
                    points[count] = point
                    count += 1
    for n in range(len(node)):
        at_node[node[n]] = math.inf
    return count


@compiled
def fill_circles(
    points: Longs,
    minutes: Floats,
    limits: Floats,
    walked: float,
    cap_m: float,
    least_m: float,
    size: Floats,
    radius: Singles,
    whole: Small,
) -> None:
    """
    Measure how far off points of the streets some limits reach.

    Parameters
    ----------
    points
        Which; those that are reached at all are enough.
    minutes
        When each point is reached.
    limits
        Minutes, rising.
    walked
        Minutes a metre off the street.
    cap_m
        Nobody walks farther.
    least_m
        No circle is smaller, so that those along a street meet: it grows to this, or is left out
        below half of it.
    size
        By point how far its cell reaches.
    radius
        By point and limit, metres, below 0 where the limit is not kept at all; filled for the
        points.
    whole
        The band that holds all of a point's cell, -1 where there is none; filled for the points.
    """
    for point in points:
        whole[point] = -1
        before = -1.0
        for k in range(len(limits)):
            left = limits[k] - minutes[point]
            reach = -1.0
            if left >= 0.0:
                reach = min(left / walked, cap_m) if walked > 0.0 else cap_m
                if reach < least_m:
                    reach = least_m if 2.0 * reach >= least_m else -1.0
            reach = np.float64(np.float32(reach))
            if before < 0.0 and reach >= size[point]:
                whole[point] = k
            radius[point, k] = before = reach


@compiled
def clear_circles(points: Longs, radius: Singles, whole: Small) -> None:
    """
    Clear what :func:`fill_circles` filled.

    Parameters
    ----------
    points
        Which.
    radius, whole
        Filled with -1 for the points.
    """
    for point in points:
        radius[point, :] = -1.0
        whole[point] = -1
