"""Where main roads and rivers run on the edges of a planar graph of cell borders."""

import heapq
from collections.abc import Iterable

import numpy as np
from scipy.spatial import cKDTree

from scripts.demo_county import geography as geo
from scripts.demo_county.geography import Bools, Floats, Ints

STEP_M = 20.0
Links = list[tuple[int, list[int]]]


def along_rivers(start: Floats, stop: Floats) -> Bools:
    """
    Say which straight edges run along a river.

    Parameters
    ----------
    start, stop
        Shape (k, 2), metres.

    Returns
    -------
    numpy.ndarray
        Shape (k,), boolean.
    """
    middle, way = 0.5 * (start + stop), stop - start
    result = np.zeros(len(middle), dtype=bool)
    for _, _, control in geo.RIVERS:
        curve = geo.smooth_curve(control, STEP_M)
        tangent = np.gradient(curve, axis=0)
        tangent /= np.hypot(tangent[:, 0], tangent[:, 1])[:, None]
        distance, nearest = cKDTree(curve).query(middle)
        cosine = np.abs((tangent[nearest] * way).sum(axis=1)) / np.hypot(way[:, 0], way[:, 1])
        result |= (distance < 60) & (cosine > 0.8)
    return result


def cheapest(
    near: list[list[tuple[int, int]]], cost: Floats, start: Iterable[int], goals: set[int]
) -> list[int]:
    """
    Find the cheapest way from any start to any goal.

    Parameters
    ----------
    near
        For each node its (neighbour, edge) pairs.
    cost
        Of each edge.
    start, goals
        Nodes.

    Returns
    -------
    list of int
        Edges in order; empty if there is no way.
    """
    best = dict.fromkeys(start, 0.0)
    came: dict[int, tuple[int, int]] = {}
    heap = [(0.0, node) for node in best]
    heapq.heapify(heap)
    while heap:
        so_far, node = heapq.heappop(heap)
        if so_far > best[node]:
            continue
        if node in goals:
            way = []
            while node in came:
                node, edge = came[node]
                way.append(edge)
            return way[::-1]
        for other, edge in near[node]:
            total = so_far + cost[edge]
            if total < best.get(other, np.inf):
                best[other] = total
                came[other] = (node, edge)
                heapq.heappush(heap, (total, other))
    return []


def neighbours(count: int, edges: Ints) -> list[list[tuple[int, int]]]:
    """
    List the neighbours of each node.

    Parameters
    ----------
    count
        How many nodes there are.
    edges
        Shape (k, 2).

    Returns
    -------
    list of list of (int, int)
        Neighbour and edge.
    """
    near: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    for number, (a, b) in enumerate(edges.tolist()):
        near[a].append((b, number))
        near[b].append((a, number))
    return near


def main_roads(nodes: Floats, edges: Ints, length: Floats, wet: Bools, rim: Bools) -> Links:
    """
    Lay every main road along edges, as close to its curve as they allow.

    Parameters
    ----------
    nodes
        Shape (n, 2), metres.
    edges
        Shape (k, 2).
    length
        Shape (k,), metres.
    wet, rim
        Edges along a river, and on the border of the county.

    Returns
    -------
    list of (int, list of int)
        Number in ``TOWN_LINKS`` and the edges from its first end to its second. Where a road
        crosses a river it uses a wet edge or two.
    """
    near = neighbours(len(nodes), edges)
    middle = nodes[edges].mean(axis=1)
    rim_nodes = np.unique(edges[rim])
    used = np.zeros(len(edges), dtype=bool)
    result: Links = []
    for number, link in enumerate(geo.TOWN_LINKS):
        curve = geo.road_curve(link, STEP_M)
        distance, _ = cKDTree(curve).query(middle)
        cost = length * (1 + (distance / 110) ** 1.5)
        cost = np.where(wet, 8 * cost, np.where(rim, 5 * cost, cost))
        cost = np.where(used, 0.8 * cost, cost)
        ends = []
        for place in link[:2]:
            if place >= 0:
                town = geo.TOWNS[place]
                gap = np.hypot(nodes[:, 0] - town.x, nodes[:, 1] - town.y)
            else:
                gap = np.full(len(nodes), np.inf)
                gap[rim_nodes], _ = cKDTree(curve).query(nodes[rim_nodes])
            ends.append(int(np.argmin(gap)))
        way = cheapest(near, np.asarray(cost), [ends[0]], {ends[1]})
        used[way] = True
        result.append((number, way))
    return result
