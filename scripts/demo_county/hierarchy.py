"""Who belongs to whom: cells are gathered into towns, villages and base grids.

All three are grown over the graph of neighbouring cells, so each is one piece of land; the few
exceptions a real county has (an exclave, a park inside another grid) are made on purpose.
"""

import heapq
from collections import defaultdict

import numpy as np

from scripts.demo_county import geography as geo
from scripts.demo_county.cells import REDRAWN_CENTRE, Cells
from scripts.demo_county.geography import Bools, Floats, Ints

Graph = dict[int, dict[int, float]]
MIDDLE_COUNT = 138
LEAST, MOST = 4, 13


def graph_of(cells: Cells, weight: Floats) -> Graph:
    """
    Make the graph of neighbouring cells inside the county.

    Parameters
    ----------
    cells
        The cells.
    weight
        Shape (k,): how unwilling the two sides of an edge are to go together, 1 is usual.

    Returns
    -------
    dict
        For each cell its neighbours and the distance to them, metres times weight.
    """
    near: Graph = defaultdict(dict)
    both = np.flatnonzero(cells.inside[cells.sides].all(axis=1))
    gap = np.hypot(*(cells.seeds[cells.sides[both, 0]] - cells.seeds[cells.sides[both, 1]]).T)
    for (a, b), d in zip(cells.sides[both].tolist(), (gap * weight[both]).tolist(), strict=True):
        near[a][b] = near[b][a] = d
    return near


def grow(
    near: Graph, start: dict[int, tuple[int, float]], speed: dict[int, float]
) -> dict[int, int]:
    """
    Let regions grow from their first cells until nothing is left.

    Parameters
    ----------
    near
        Graph of the cells that may be taken.
    start
        Cell to region and head start (metres, larger is later).
    speed
        Of each region; missing is 1.

    Returns
    -------
    dict
        Cell to region.
    """
    heap = [(cost, cell, region) for cell, (region, cost) in start.items()]
    heapq.heapify(heap)
    owner: dict[int, int] = {}
    while heap:
        cost, cell, region = heapq.heappop(heap)
        if cell in owner:
            continue
        owner[cell] = region
        for other, d in near.get(cell, {}).items():
            if other not in owner:
                heapq.heappush(heap, (cost + d / speed.get(region, 1.0), other, region))
    return owner


def components(near: Graph, members: set[int]) -> list[set[int]]:
    """
    Split cells into connected pieces.

    Parameters
    ----------
    near
        Graph.
    members
        Cells.

    Returns
    -------
    list of set
        Largest first.
    """
    left, pieces = set(members), []
    while left:
        stack = [min(left)]
        piece = set(stack)
        while stack:
            for other in near.get(stack.pop(), {}):
                if other in left and other not in piece:
                    piece.add(other)
                    stack.append(other)
        left -= piece
        pieces.append(piece)
    return sorted(pieces, key=lambda piece: (-len(piece), min(piece)))


def towns_of(cells: Cells, near: Graph) -> dict[int, int]:
    """
    Give each cell to a town.

    Parameters
    ----------
    cells
        The cells.
    near
        Graph.

    Returns
    -------
    dict
        Cell to the number of its town.
    """
    start = {
        int(cell): (int(cells.town[cell]), 0.0 if cells.town[cell] == 0 else 900.0)
        for cell in np.flatnonzero(cells.inside & (cells.town >= 0))
    }
    return grow(near, start, {0: 0.8})


def _sub(near: Graph, members: set[int]) -> Graph:
    return {a: {b: d for b, d in near[a].items() if b in members} for a in sorted(members)}


def split(near: Graph, members: set[int], count: int, cells: Cells) -> list[set[int]]:
    """Split a connected set of cells into so many connected parts of about equal number."""
    graph = _sub(near, members)
    order = sorted(members)
    xy = cells.seeds[order]
    centres = [int(np.argmax(np.hypot(*(xy - xy.mean(axis=0)).T)))]
    while len(centres) < count:
        gap = np.min([np.hypot(*(xy - xy[c]).T) for c in centres], axis=0)
        centres.append(int(np.argmax(gap)))
    speed = dict.fromkeys(range(count), 1.0)
    best: tuple[float, list[set[int]]] = (np.inf, [])
    for _ in range(25):
        owner = grow(graph, {order[c]: (k, 0.0) for k, c in enumerate(centres)}, speed)
        parts = [{cell for cell in order if owner[cell] == k} for k in range(count)]
        sizes = np.array([len(part) for part in parts])
        spread = float(np.abs(sizes - sizes.mean()).max() / sizes.mean())
        if spread < best[0]:
            best = (spread, parts)
        for k, part in enumerate(parts):
            speed[k] *= (sizes.mean() / sizes[k]) ** 0.25
            index = [i for i, cell in enumerate(order) if cell in part]
            gap = np.hypot(*(xy[index] - xy[index].mean(axis=0)).T)
            centres[k] = index[int(np.argmin(gap))]
    return best[1]


def villages_of(
    cells: Cells, near: Graph, town: dict[int, int]
) -> tuple[list[set[int]], list[int], list[bool]]:
    """
    Split each town into communities (in its lattice) and villages (around it).

    Parameters
    ----------
    cells
        The cells.
    near
        Graph.
    town
        Cell to town.

    Returns
    -------
    tuple
        The cells of each village, its town, whether it is urban. Exactly :data:`MIDDLE_COUNT`.
    """
    groups: list[tuple[int, bool, set[int]]] = []
    for number in range(len(geo.TOWNS)):
        members = {cell for cell, of in town.items() if of == number}
        urban = {cell for cell in members if cells.town[cell] == number}
        for piece in components(near, members - urban):
            if len(piece) < 8:
                urban |= piece
            else:
                groups.append((number, False, piece))
        pieces = components(near, urban)
        groups.extend((number, True, piece) for piece in pieces)
    weight = np.array([len(g[2]) * (0.85 if g[1] else 0.58) for g in groups])
    ideal = weight / weight.sum() * MIDDLE_COUNT
    count = np.maximum(1, np.floor(ideal)).astype(int)
    while count.sum() < MIDDLE_COUNT:
        count[np.argmax(ideal / (count + 0.5))] += 1
    while count.sum() > MIDDLE_COUNT:
        count[np.argmax(np.where(count > 1, (count - 0.5) / ideal, -1))] -= 1
    parts, of_town, is_urban = [], [], []
    for (number, urban_group, piece), n in sorted(
        zip(groups, count.tolist(), strict=True), key=lambda g: (g[0][0], not g[0][1], min(g[0][2]))
    ):
        for part in split(near, piece, n, cells):
            parts.append(part)
            of_town.append(number)
            is_urban.append(urban_group)
    return parts, of_town, is_urban


def grid_counts(sizes: list[int], urban: list[bool], total: int) -> list[int]:
    """
    Say into how many base grids each village is divided.

    Parameters
    ----------
    sizes
        Cells of each village.
    urban
        Whether it is a community.
    total
        What the counts add up to.

    Returns
    -------
    list of int
        Between :data:`LEAST` and :data:`MOST` wherever there are cells enough.
    """
    ideal = np.array([n * (0.87 if u else 0.57) for n, u in zip(sizes, urban, strict=True)])
    ideal *= total / ideal.sum()
    low = np.minimum(LEAST, sizes)
    high = np.minimum(MOST, sizes)
    count = np.clip(np.round(ideal), low, high).astype(int)
    while count.sum() != total:
        if count.sum() < total:
            room = np.where(count < high, ideal / (count + 0.5), -1)
            count[int(np.argmax(room))] += 1
        else:
            room = np.where(count > low, (count - 0.5) / ideal, -1)
            count[int(np.argmax(room))] -= 1
    return [int(n) for n in count]


def gather(
    members: set[int], count: int, near: Graph, area: Floats, barred: set[tuple[int, int]]
) -> list[set[int]]:
    """
    Gather cells into so many connected groups, the smallest first.

    Parameters
    ----------
    members
        Cells.
    count
        Groups wanted.
    near
        Graph.
    area
        Of each cell, m2.
    barred
        Pairs of cells (both orders) with a river or a main road between them.

    Returns
    -------
    list of set
        Groups, ordered by their smallest cell.
    """
    groups = {cell: {cell} for cell in sorted(members)}
    while len(groups) > count:
        of = {cell: name for name, group in groups.items() for cell in group}
        shared: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0])
        for a in sorted(members):
            for b in near.get(a, {}):
                if b in of and of[a] < of[b]:
                    tally = shared[of[a], of[b]]
                    tally[0] += 1
                    tally[1] += (a, b) in barred
        scored = [
            (
                sum(area[c] for c in groups[a] | groups[b])
                * (60.0 if tally[1] else 1.0)
                / (1 + 0.35 * (tally[0] - 1)),
                a,
                b,
            )
            for (a, b), tally in shared.items()
        ]
        if not scored:
            msg = "the cells of a village do not hang together"
            raise ValueError(msg)
        _, a, b = min(scored)
        groups[a] |= groups.pop(b)
    return [groups[name] for name in sorted(groups)]


def exclave(
    near: Graph, villages: list[set[int]], urban: list[bool], town: list[int], seeds: Floats
) -> tuple[int, int, int]:
    """
    Choose a cell inside one village that shall belong to another.

    Parameters
    ----------
    near
        Graph.
    villages, urban, town
        As from :func:`villages_of`.
    seeds
        Of the cells, metres.

    Returns
    -------
    tuple
        Cell, its village now, the village that shall own it: of the same town and near, but with
        no cell next to it.
    """
    of = {cell: number for number, group in enumerate(villages) for cell in group}
    choices = []
    for cell, number in sorted(of.items()):
        if urban[number] or any(of[b] != number for b in near[cell]) or len(near[cell]) < 4:
            continue
        rest = villages[number] - {cell}
        if len(components(near, rest)) > 1 or np.hypot(*(seeds[cell] - REDRAWN_CENTRE)) < 4000:
            continue
        for other, group in enumerate(villages):
            if other != number and not urban[other] and town[other] == town[number]:
                gap = min(float(np.hypot(*(seeds[cell] - seeds[c]))) for c in group)
                choices.append((gap, cell, number, other))
    _, cell, number, other = min(choices)
    return cell, number, other


def swaps(
    groups: list[set[int]], near: Graph, barred: set[tuple[int, int]], count: int
) -> list[tuple[int, int, int]]:
    """
    Choose cells of a village that used to belong to the grid next door.

    Parameters
    ----------
    groups
        The cells of each base grid today.
    near, barred
        As in :func:`gather`.
    count
        How many cells to choose at most.

    Returns
    -------
    list of tuple
        Cell, position of its group today, position of its group before.
    """
    result: list[tuple[int, int, int]] = []
    touched: set[int] = set()
    of = {cell: number for number, group in enumerate(groups) for cell in group}
    for cell, number in sorted(of.items()):
        if len(result) == count:
            break
        rest = groups[number] - {cell}
        if not rest or len(components(near, rest)) > 1 or number in touched:
            continue
        for other in sorted({of[b] for b in near[cell] if b in of and (cell, b) not in barred}):
            if other != number and other not in touched:
                result.append((cell, number, other))
                touched |= {number, other}
                break
    return result


def barred_pairs(cells: Cells, edges: Bools) -> set[tuple[int, int]]:
    """
    List the pairs of cells on the two sides of edges.

    Parameters
    ----------
    cells
        The cells.
    edges
        Which.

    Returns
    -------
    set of (int, int)
        In both orders.
    """
    pairs = cells.sides[edges].tolist()
    return {(a, b) for a, b in pairs} | {(b, a) for a, b in pairs}


def village_near(villages: list[set[int]], seeds: Floats, place: tuple[float, float]) -> int:
    """
    Find the village that holds a place.

    Parameters
    ----------
    villages
        Their cells.
    seeds
        Metres.
    place
        Metres.

    Returns
    -------
    int
        Number of the village.
    """
    gap = [min(float(np.hypot(*(seeds[c] - place))) for c in group) for group in villages]
    return int(np.argmin(gap))


def cell_areas(cells: Cells) -> Floats:
    """
    Measure the cells.

    Parameters
    ----------
    cells
        The cells.

    Returns
    -------
    numpy.ndarray
        Shape (n,), m2; 0 outside.
    """
    start, stop = cells.nodes[cells.edges[:, 0]], cells.nodes[cells.edges[:, 1]]
    area = np.zeros(len(cells.seeds))
    for side, sign in ((0, 1.0), (1, -1.0)):
        seed = cells.seeds[cells.sides[:, side]]
        twice = (start - seed)[:, 0] * (stop - seed)[:, 1] - (start - seed)[:, 1] * (stop - seed)[
            :, 0
        ]
        np.add.at(area, cells.sides[:, side], sign * twice / 2)
    return area


def as_labels(groups: list[set[int]], size: int) -> Ints:
    """
    Turn groups into labels.

    Parameters
    ----------
    groups
        Disjoint sets of cells.
    size
        Number of cells.

    Returns
    -------
    numpy.ndarray
        Shape (size,), -1 where no group is.
    """
    label = np.full(size, -1, dtype=np.int64)
    for number, group in enumerate(groups):
        label[sorted(group)] = number
    return label
