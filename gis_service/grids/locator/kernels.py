"""The inner loops of the locator, compiled on first use: making the cells, judging points.

Plain numbers in flat arrays, nothing of grids or people. Compiled code is kept on disk, so that
only the first use on a machine waits for the compiler (some seconds).
"""

# ruff: noqa: C901, PLR0912, PLR0915, FBT001
# Loops in flat arrays are what the compiler makes fast; a flag is a number like the others.

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from gis_service.compiled import compiled

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
Ints = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]

UNSURE: Final = -2
"""Instead of a grid: the numbers are too extreme for the compiled arithmetic."""
MOST_POLYGONS: Final = 24
"""In one border cell; one with more is answered without an index."""
_MOST_EDGES: Final = 0xFFFF
_CROWDED: Final = 0xFFFF

# A border cell's record, in words of 8 bytes: a head; the polygons, two a word; its edges.
_EDGE_WORDS: Final = 5  # four coordinates, and which of the polygons the edge bounds
_BLOCK: Final = 512
_FILTER: Final = (3.0 + 16.0 * 2.0**-53) * 2.0**-53  # Shewchuk 1997, error bound A of orient2d
_SPLIT: Final = 2.0**27 + 1.0
_TINY: Final = 1e-120  # below, the tails of products fall out of the double's range
_HUGE: Final = 1e120


# --- on which side of an edge ------------------------------------------------------------------


@compiled
def _two_product(a: float, b: float) -> tuple[float, float]:
    """Multiply without loss: the rounded product and what rounding took (Dekker 1971)."""
    high = a * b
    t = _SPLIT * a
    a_high = t - (t - a)
    a_low = a - a_high
    t = _SPLIT * b
    b_high = t - (t - b)
    b_low = b - b_high
    low = a_low * b_low - (((high - a_high * b_high) - a_low * b_high) - a_high * b_low)
    return high, low


@compiled
def _is_extreme(value: float) -> bool:
    return value != 0.0 and not _TINY < abs(value) < _HUGE


@compiled
def find_exact_side(u1: float, v1: float, u2: float, v2: float, u: float, v: float) -> int:
    """
    Tell the side of an edge without any rounding.

    Parameters
    ----------
    u1, v1, u2, v2
        The edge.
    u, v
        The point.

    Returns
    -------
    int
        1 left of the edge, -1 right, 0 on its line, :data:`UNSURE` where a number is
        nearly zero or beyond all measure.
    """
    if (
        _is_extreme(u1)
        or _is_extreme(v1)
        or _is_extreme(u2)
        or _is_extreme(v2)
        or _is_extreme(u)
        or _is_extreme(v)
    ):
        return UNSURE
    # u1 v2 - v1 u2 + u2 v - v2 u + u v1 - v u1, as a sum of doubles that loses nothing.
    terms = np.empty(12)
    terms[0], terms[1] = _two_product(u1, v2)
    terms[2], terms[3] = _two_product(-v1, u2)
    terms[4], terms[5] = _two_product(u2, v)
    terms[6], terms[7] = _two_product(-v2, u)
    terms[8], terms[9] = _two_product(u, v1)
    terms[10], terms[11] = _two_product(-v, u1)
    total = np.zeros(12)  # an expansion: its parts do not overlap, the largest comes last
    for count in range(12):
        carry = terms[count]
        for part in range(count):
            sum_ = total[part] + carry
            virtual = sum_ - total[part]
            total[part] = (total[part] - (sum_ - virtual)) + (carry - virtual)
            carry = sum_
        total[count] = carry
    for part in range(11, -1, -1):
        if total[part] > 0.0:
            return 1
        if total[part] < 0.0:
            return -1
    return 0


@compiled
def _find_side(u1: float, v1: float, u2: float, v2: float, u: float, v: float) -> int:
    left = (u2 - u1) * (v - v1)
    right = (v2 - v1) * (u - u1)
    difference = left - right
    bound = _FILTER * (abs(left) + abs(right))
    if difference > bound:
        return 1
    if difference < -bound:
        return -1
    return find_exact_side(u1, v1, u2, v2, u, v)


# --- edges -------------------------------------------------------------------------------------


@compiled
def match_edges(coordinates: Floats, ring: Longs, ring_polygon: Longs) -> tuple[Floats, Ints, int]:
    """
    Cut rings into edges, an edge that two polygons share only once.

    Parameters
    ----------
    coordinates
        Vertices of every ring, one after the other; shape (n, 2).
    ring
        Of each vertex.
    ring_polygon
        Position of the polygon of each ring.

    Returns
    -------
    edges, polygons, n
        Coordinates (x1, y1, x2, y2) with the lower end first, the one or two polygons (-1) that
        each edge bounds, and how many edges there are; what comes after them has no meaning.
    """
    most = len(coordinates)
    edges = np.empty((most, 4))
    polygons = np.empty((most, 2), dtype=np.int32)
    polygons[:] = -1
    size = 16
    while size < 2 * most:
        size *= 2
    slots = np.empty(size, dtype=np.int32)
    slots[:] = -1
    bits = np.empty(4)
    words = bits.view(np.uint64)
    n = 0
    for vertex in range(most - 1):
        if ring[vertex] != ring[vertex + 1]:
            continue
        x1, y1 = coordinates[vertex, 0] + 0.0, coordinates[vertex, 1] + 0.0
        x2, y2 = coordinates[vertex + 1, 0] + 0.0, coordinates[vertex + 1, 1] + 0.0
        if x1 == x2 and y1 == y2:
            continue
        if y1 > y2 or (y1 == y2 and x1 > x2):
            x1, y1, x2, y2 = x2, y2, x1, y1
        bits[0], bits[1], bits[2], bits[3] = x1, y1, x2, y2
        mixed = np.uint64(0)
        for part in range(4):
            mixed = (mixed ^ words[part]) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(29)
        slot = np.int64(mixed & np.uint64(size - 1))
        polygon = ring_polygon[ring[vertex]]
        while True:
            edge = slots[slot]
            if edge < 0:
                slots[slot] = n
                edges[n, 0], edges[n, 1], edges[n, 2], edges[n, 3] = x1, y1, x2, y2
                polygons[n, 0] = polygon
                n += 1
                break
            if (
                polygons[edge, 1] < 0
                and polygons[edge, 0] != polygon
                and edges[edge, 0] == x1
                and edges[edge, 1] == y1
                and edges[edge, 2] == x2
                and edges[edge, 3] == y2
            ):
                polygons[edge, 1] = polygon
                break
            slot = (slot + 1) & (size - 1)
    return edges, polygons, n


# --- cells -------------------------------------------------------------------------------------


@compiled
def _find_row_span(
    edges: Floats, edge: int, frame: Floats, row: int, widen: float
) -> tuple[int, int]:
    """First and last column that an edge touches in a row, a little more than less."""
    x1 = (edges[edge, 0] - frame[0]) * frame[2]
    y1 = (edges[edge, 1] - frame[1]) * frame[3]
    x2 = (edges[edge, 2] - frame[0]) * frame[2]
    y2 = (edges[edge, 3] - frame[1]) * frame[3]
    low, high = max(y1, row - widen), min(y2, row + 1 + widen)
    if y2 > y1:
        slope = (x2 - x1) / (y2 - y1)
        from_ = x1 + (low - y1) * slope if low > y1 else x1
        to = x1 + (high - y1) * slope if high < y2 else x2
    else:
        from_, to = x1, x2
    west, east = min(from_, to), max(from_, to)
    west, east = max(west, min(x1, x2)), min(east, max(x1, x2))
    return int(np.floor(west - widen)), int(np.floor(east + widen))


@compiled
def list_edges_of_cells(
    edges: Floats, frame: Floats, columns: int, rows: int, widen: float
) -> tuple[Ints, Ints]:
    """
    List the edges that touch each cell.

    Parameters
    ----------
    edges
        As :func:`match_edges` gives them.
    frame
        West and south of the cells, cells per degree to the east and to the north.
    columns, rows
        How many cells.
    widen
        By how much of a cell each cell is taken larger than it is.

    Returns
    -------
    start, listed
        Cell ``c`` (row by row from the south-west) has ``listed[start[c]:start[c + 1]]``.
    """
    start = np.zeros(columns * rows + 1, dtype=np.int32)
    for edge in range(len(edges)):
        low = int(np.floor((edges[edge, 1] - frame[1]) * frame[3] - widen))
        high = int(np.floor((edges[edge, 3] - frame[1]) * frame[3] + widen))
        for row in range(low, high + 1):
            west, east = _find_row_span(edges, edge, frame, row, widen)
            for column in range(west, east + 1):
                start[row * columns + column + 1] += 1
    for cell in range(columns * rows):
        start[cell + 1] += start[cell]
    listed = np.empty(start[columns * rows], dtype=np.int32)
    for edge in range(len(edges)):
        low = int(np.floor((edges[edge, 1] - frame[1]) * frame[3] - widen))
        high = int(np.floor((edges[edge, 3] - frame[1]) * frame[3] + widen))
        for row in range(low, high + 1):
            west, east = _find_row_span(edges, edge, frame, row, widen)
            for column in range(west, east + 1):
                cell = row * columns + column
                listed[start[cell]] = edge
                start[cell] += 1
    for cell in range(columns * rows, 0, -1):
        start[cell] = start[cell - 1]
    start[0] = 0
    return start, listed


@compiled
def fill_cells(
    start: Ints,
    listed: Ints,
    edges: Floats,
    polygons: Ints,
    n_polygons: int,
    frame: Floats,
    columns: int,
    rows: int,
    cells: Ints,
) -> tuple[Longs, Ints]:
    """
    Find what holds each cell that no edge touches.

    Along the middle of each row the polygons are entered and left; cells without an edge lie far
    enough from every crossing that rounding cannot matter.

    Parameters
    ----------
    start, listed
        As :func:`list_edges_of_cells` gives them.
    edges, polygons
        As :func:`match_edges` gives them.
    n_polygons
        How many polygons.
    frame, columns, rows
        As for :func:`list_edges_of_cells`.
    cells
        Filled in, one number a cell: 0 outside, else the polygon's position + 1; -1 where an edge
        is; ``-2 - k`` where several polygons lie upon each other. It is the caller's, since numpy
        asks for large pages of memory, in which a cell is found faster.

    Returns
    -------
    layer_start, layers
        The polygons that lie upon each other: ``layers[layer_start[k]:layer_start[k + 1]]``.
    """  # fmt: skip
    inside = np.zeros(max(n_polygons, 1), dtype=np.int32)  # 1 + place in ``entered``
    entered = np.empty(max(n_polygons, 1), dtype=np.int32)
    n_entered = 0
    layer_start = np.zeros(16, dtype=np.int64)
    layers = np.empty(16, dtype=np.int32)
    n_layers = 0
    fresh = True
    for row in range(rows):
        middle = row + 0.5
        for column in range(columns):
            cell = row * columns + column
            if start[cell + 1] > start[cell]:
                cells[cell] = -1
                for entry in range(start[cell], start[cell + 1]):
                    edge = listed[entry]
                    y1 = (edges[edge, 1] - frame[1]) * frame[3]
                    y2 = (edges[edge, 3] - frame[1]) * frame[3]
                    if not y1 <= middle < y2:
                        continue
                    x1 = (edges[edge, 0] - frame[0]) * frame[2]
                    x2 = (edges[edge, 2] - frame[0]) * frame[2]
                    crossing = x1 + (middle - y1) * ((x2 - x1) / (y2 - y1))
                    crossing = min(max(crossing, min(x1, x2)), max(x1, x2))
                    if int(np.floor(crossing)) != column:
                        continue
                    fresh = True
                    for side in range(2):
                        polygon = polygons[edge, side]
                        if polygon < 0:
                            continue
                        if inside[polygon]:
                            n_entered -= 1
                            last = entered[n_entered]
                            entered[inside[polygon] - 1] = last
                            inside[last] = inside[polygon]
                            inside[polygon] = 0
                        else:
                            entered[n_entered] = polygon
                            n_entered += 1
                            inside[polygon] = n_entered
            elif n_entered == 0:
                cells[cell] = 0
            elif n_entered == 1:
                cells[cell] = entered[0] + 1
            else:
                if fresh:
                    if n_layers + 2 > len(layer_start):
                        more_starts = np.empty(2 * len(layer_start), dtype=np.int64)
                        for index in range(n_layers + 1):
                            more_starts[index] = layer_start[index]
                        layer_start = more_starts
                    begin = layer_start[n_layers]
                    if begin + n_entered > len(layers):
                        more_layers = np.empty(2 * (begin + n_entered), dtype=np.int32)
                        for index in range(begin):
                            more_layers[index] = layers[index]
                        layers = more_layers
                    for index in range(n_entered):
                        layers[begin + index] = entered[index]
                    n_layers += 1
                    layer_start[n_layers] = begin + n_entered
                    fresh = False
                cells[cell] = -1 - n_layers
    return layer_start, layers


@compiled
def _count_to_empty_cell(start: Ints, cell: int, step: int, most: int) -> tuple[int, int]:
    """Walk from a cell to one without an edge: how many cells, how many edges on the way."""
    steps = 0
    total = 0
    while start[cell + 1] > start[cell]:
        total += start[cell + 1] - start[cell]
        if total >= most:
            return steps, most
        cell += step
        steps += 1
    return steps, total


@compiled
def write_records(
    cells: Ints,
    layer_start: Longs,
    layers: Ints,
    start: Ints,
    listed: Ints,
    edges: Floats,
    polygons: Ints,
    columns: int,
    words: Longs,
) -> int:
    """
    Write what judges a point in each cell with edges, and put its place into ``cells``.

    A record judges by a ray to the nearest cell without an edge, west, east, south or north,
    whichever meets the fewest edges: it holds every edge on the way and who holds the far end.

    Parameters
    ----------
    cells, layer_start, layers
        As :func:`fill_cells` gives them; ``cells`` becomes ``-1 - place of the record``.
    start, listed, edges, polygons, columns
        As before.
    words
        Where to write; of length 0 nothing is written and ``cells`` stays as it is.

    Returns
    -------
    int
        How many words the records take.
    """  # fmt: skip
    # One long loop: handing the arrays to a function for each cell takes a half more.
    writing = len(words) > 0
    reals = words.view(np.float64)
    stamp = np.empty(max(len(edges), 1), dtype=np.int32)
    stamp[:] = -1
    chosen = np.empty(max(len(edges), 1), dtype=np.int32)
    local = np.empty(MOST_POLYGONS + 2, dtype=np.int32)
    steps_of = np.array([-1, 1, -columns, columns])
    place = 0
    for turn in range(2):  # the cells with several layers last: until then others look at them
        for cell in range(len(cells)):
            touched = start[cell + 1] > start[cell]
            if touched != (turn == 0) or (turn == 1 and cells[cell] > -2):
                continue
            kind, length = 0, 0
            if touched:
                best = 1 << 60
                for direction in range(4):
                    steps, total = _count_to_empty_cell(start, cell, steps_of[direction], best)
                    if total < best:
                        kind, length, best = direction, steps, total
            far = cells[cell + steps_of[kind] * length]
            n_local = 0
            crowded = False
            if far > 0:
                local[0] = far - 1
                n_local = 1
            elif far < -1:
                layer = -2 - far
                for entry in range(layer_start[layer], layer_start[layer + 1]):
                    n_local, crowded = _add_polygon(local, n_local, layers[entry], crowded)
            n_edges = 0
            for step in range(length):
                on_the_way = cell + steps_of[kind] * step
                for entry in range(start[on_the_way], start[on_the_way + 1]):
                    edge = listed[entry]
                    if stamp[edge] == cell:
                        continue
                    stamp[edge] = cell
                    chosen[n_edges] = edge
                    n_edges += 1
                    for side in range(2):
                        if polygons[edge, side] >= 0:
                            n_local, crowded = _add_polygon(
                                local, n_local, polygons[edge, side], crowded
                            )
            if writing:
                cells[cell] = -1 - place
            if crowded or n_edges >= _MOST_EDGES:
                if writing:
                    words[place] = _CROWDED
                place += 1
                continue
            head_words = 1 + (n_local + 1) // 2
            if writing:
                base = 0
                if far > 0:
                    base = _bit_of(local, n_local, far - 1)
                elif far < -1:
                    layer = -2 - far
                    for entry in range(layer_start[layer], layer_start[layer + 1]):
                        base |= _bit_of(local, n_local, layers[entry])
                words[place] = n_edges | (kind << 16) | (n_local << 18) | (base << 24)
                for index in range(n_local):
                    word = place + 1 + index // 2
                    if index % 2 == 0:
                        words[word] = local[index]
                    else:
                        words[word] |= np.int64(local[index]) << 32
                at = place + head_words
                for index in range(n_edges):
                    edge = chosen[index]
                    _write_edge(reals, at, edges, edge, kind >= 2)
                    mask = _bit_of(local, n_local, polygons[edge, 0])
                    if polygons[edge, 1] >= 0:
                        mask |= _bit_of(local, n_local, polygons[edge, 1])
                    words[at + 4] = mask
                    at += _EDGE_WORDS
            place += head_words + _EDGE_WORDS * n_edges
    return place


@compiled
def _add_polygon(local: Ints, n: int, polygon: int, crowded: bool) -> tuple[int, bool]:
    """Add a polygon to a short sorted list, once."""
    place = n
    while place > 0 and local[place - 1] >= polygon:
        place -= 1
    if place < n and local[place] == polygon:
        return n, crowded
    if n == MOST_POLYGONS:
        return n, True
    for index in range(n, place, -1):
        local[index] = local[index - 1]
    local[place] = polygon
    return n + 1, crowded


@compiled
def _bit_of(local: Ints, n: int, polygon: int) -> int:
    for index in range(n):
        if local[index] == polygon:
            return 1 << index
    return 0


@compiled
def _write_edge(reals: Floats, at: int, edges: Floats, edge: int, swapped: bool) -> None:
    """Put an edge down, the end with the lower second coordinate first."""
    u1, v1, u2, v2 = edges[edge, 0], edges[edge, 1], edges[edge, 2], edges[edge, 3]
    if swapped:
        u1, v1, u2, v2 = v1, u1, v2, u2
        if v1 > v2:
            u1, v1, u2, v2 = u2, v2, u1, v1
    reals[at], reals[at + 1], reals[at + 2], reals[at + 3] = u1, v1, u2, v2


# --- points ------------------------------------------------------------------------------------


@compiled
def _find_holders(words: Longs, reals: Floats, place: int, x: float, y: float) -> int:
    """Tell which polygons of a record hold a point, a bit each; :data:`UNSURE` perhaps."""
    head = words[place]
    n_edges = head & 0xFFFF
    if n_edges == _CROWDED:
        return UNSURE
    kind = (head >> 16) & 3
    n_local = (head >> 18) & 0x3F
    u, v = (y, x) if kind >= 2 else (x, y)
    beyond = 1 if kind % 2 == 1 else -1  # the side of an edge on which the ray meets it
    crossed = head >> 24
    touched = 0
    at = place + 1 + ((n_local + 1) >> 1)
    for _ in range(n_edges):
        u1, v1, u2, v2 = reals[at], reals[at + 1], reals[at + 2], reals[at + 3]
        mask = words[at + 4]
        at += _EDGE_WORDS
        if v < v1 or v > v2:
            continue
        if u < u1 and u < u2:
            side = 1
        elif u > u1 and u > u2:
            side = -1
        else:
            side = _find_side(u1, v1, u2, v2, u, v)
            if side == UNSURE:
                return UNSURE
        if side == 0:
            touched |= mask
        elif side == beyond and v != v2:
            crossed ^= mask
    return int(crossed | touched)


@compiled
def _find_lowest(words: Longs, place: int, holders: int) -> int:
    """Give the position of the first polygon whose bit is set, plus 1."""
    if holders == 0:
        return 0
    index = 0
    while (holders & 1) == 0:
        holders >>= 1
        index += 1
    return int((words[place + 1 + (index >> 1)] >> (32 * (index & 1))) & 0xFFFFFFFF) + 1


@compiled
def _find_cells(x: Floats, y: Floats, frame: Floats, at: Ints, columns: int, rows: int) -> None:
    """Find the cell of each point; the first, which is empty, for what lies beyond the cells."""
    west, south, east_cells, north_cells = frame[0], frame[1], frame[2], frame[3]
    width, height, in_a_row = float(columns), float(rows), np.int32(columns)
    for index in range(len(x)):
        a = (x[index] - west) * east_cells
        b = (y[index] - south) * north_cells
        inside = (a >= 0.0) & (a < width) & (b >= 0.0) & (b < height)
        a = a if inside else 0.0
        b = b if inside else 0.0
        at[index] = np.int32(b) * in_a_row + np.int32(a)


@compiled
def locate_many(
    lon: Floats,
    lat: Floats,
    frame: Floats,
    columns: int,
    rows: int,
    cells: Ints,
    words: Longs,
    ids: Longs,
    grid_id: Longs,
    tie: Flags,
) -> int:
    """
    Find the polygon of every point.

    Parameters
    ----------
    lon, lat
        The points.
    frame, columns, rows, cells, words
        The index.
    ids
        The identity to answer with, by position + 1; the first is for outside.
    grid_id, tie
        Filled in; :data:`UNSURE` where the caller has to judge.

    Returns
    -------
    int
        How many are unsure.
    """  # fmt: skip
    reals = words.view(np.float64)
    at = np.empty(_BLOCK, dtype=np.int32)
    codes = np.empty(_BLOCK, dtype=np.int32)
    border = np.empty(_BLOCK, dtype=np.int32)
    unsure = 0
    for begin in range(0, len(lon), _BLOCK):
        # Three short loops without branches: memory is asked for many points at a time.
        x, y = lon[begin : begin + _BLOCK], lat[begin : begin + _BLOCK]
        answers, ties = grid_id[begin : begin + _BLOCK], tie[begin : begin + _BLOCK]
        _find_cells(x, y, frame, at, columns, rows)
        for index in range(len(x)):
            codes[index] = cells[at[index]]
        n_border = 0
        for index in range(len(x)):
            code = codes[index]
            answers[index] = ids[max(code, 0)]
            ties[index] = False
            border[n_border] = index
            n_border += code < 0
        for number in range(n_border):
            index = border[number]
            place = -1 - int(codes[index])
            holders = _find_holders(words, reals, place, x[index], y[index])
            if holders == UNSURE:
                answers[index] = UNSURE
                unsure += 1
            else:
                answers[index] = ids[_find_lowest(words, place, holders)]
                ties[index] = (holders & (holders - 1)) != 0
    return unsure


@compiled
def locate_one(
    lon: float, lat: float, frame: Floats, columns: int, rows: int, cells: Ints, words: Longs
) -> tuple[int, bool]:
    """
    Find the polygon of one point.

    Parameters
    ----------
    lon, lat
        The point.
    frame, columns, rows, cells, words
        The index.

    Returns
    -------
    position, tie
        The polygon's position + 1, 0 outside, or :data:`UNSURE`; whether another holds it too.
    """
    x = (lon - frame[0]) * frame[2]
    y = (lat - frame[1]) * frame[3]
    if not (x >= 0.0 and x < columns and y >= 0.0 and y < rows):
        return 0, False
    code = int(cells[int(y) * columns + int(x)])
    if code >= 0:
        return code, False
    place = -1 - code
    holders = _find_holders(words, words.view(np.float64), place, lon, lat)
    if holders == UNSURE:
        return UNSURE, False
    return _find_lowest(words, place, holders), (holders & (holders - 1)) != 0


@compiled
def list_borders(cells: Ints, columns: int, rows: int) -> tuple[Ints, Bytes, Ints]:
    """
    List the cells with a record by blocks of 16 × 16, so that a search looks at no other ones.

    Parameters
    ----------
    cells, columns, rows
        The index.

    Returns
    -------
    start
        Where the cells of each block begin, row by row of blocks, and the end.
    within
        Row × 16 + column of each such cell in its block.
    empty
        How many rings of blocks around each block, itself the first, list no cell.
    """
    across = (columns + 15) // 16
    start = np.zeros(across * ((rows + 15) // 16) + 1, dtype=np.int32)
    for row in range(rows):
        for column in range(columns):
            if cells[row * columns + column] < 0:
                start[(row // 16) * across + column // 16 + 1] += 1
    for block in range(1, len(start)):
        start[block] += start[block - 1]
    within = np.empty(start[-1], dtype=np.uint8)
    free = start[:-1].copy()
    for row in range(rows):
        for column in range(columns):
            if cells[row * columns + column] < 0:
                block = (row // 16) * across + column // 16
                within[free[block]] = (row % 16) * 16 + column % 16
                free[block] += 1
    return start, within, _count_empty_rings(start, across, (rows + 15) // 16)


@compiled
def _count_empty_rings(start: Ints, across: int, up: int) -> Ints:
    """Pass over the blocks twice: the number is one more than the least of the neighbours'."""
    empty = np.empty(across * up, dtype=np.int32)
    for turn in range(2):
        for number in range(across * up):
            block = number if turn == 0 else across * up - 1 - number
            row, column = block // across, block % across
            least = across + up if turn == 0 else empty[block]
            if start[block] < start[block + 1]:
                least = 0
            back = -1 if turn == 0 else 1
            if 0 <= row + back < up:
                for side in range(max(column - 1, 0), min(column + 2, across)):
                    least = min(least, empty[(row + back) * across + side] + 1)
            if 0 <= column + back < across:
                least = min(least, empty[block + back] + 1)
            empty[block] = least
    return empty


@compiled
def _distance_to_cells(position: float, low: int, high: int) -> float:
    """How far a place is from a stretch of cells, in cells; a little less."""
    return max(low - position, position - high, 0.0) * (1.0 - 1e-9) - 1e-6


@compiled
def _square_distance_to_cell(
    x: float, y: float, block: int, block_row: int, cell: int, width: float, height: float
) -> float:
    """How far, squared, a place is from a listed cell; a little less."""
    column, row = 16 * block + (cell & 15), 16 * block_row + (cell >> 4)
    dx = max(_distance_to_cells(x, column, column + 1), 0.0) * width
    dy = max(_distance_to_cells(y, row, row + 1), 0.0) * height
    return dx * dx + dy * dy


class BorderIndex(NamedTuple):
    """An index with its border cells listed, as the search for the nearest edge goes through it."""

    # West and south of the cells, cells per degree to the east and to the north.
    frame: Floats
    columns: int
    rows: int
    # As :func:`write_records` leaves them.
    cells: Ints
    words: Longs
    # As :func:`list_borders` gives them.
    start: Ints
    within: Bytes
    empty: Ints


Nearest = tuple[float, float, float, int]
"""Square of the distance, lon, lat, and the position + 1 of the polygon beyond, 0 for none."""


@compiled
def _find_nearest_cell(
    index: BorderIndex, x: float, y: float, block: int, block_row: int, width: float, height: float
) -> tuple[int, float]:
    """Find the listed cell of a block that is nearest to a place, and the square of how far."""
    number = block_row * ((index.columns + 15) // 16) + block
    chosen, least = index.start[number], np.inf
    for entry in range(index.start[number], index.start[number + 1]):
        cell = int(index.within[entry])
        square = _square_distance_to_cell(x, y, block, block_row, cell, width, height)
        if square < least:
            chosen, least = entry, square
    return chosen, least


@compiled
def _find_nearest_in_record(
    words: Longs, place: int, lon: float, lat: float, shrink: float, own: int, nearest: Nearest
) -> Nearest:
    """Look at the edges of one cell: the nearest point so far, or a nearer one."""
    reals = words.view(np.float64)
    best, best_lon, best_lat, best_across = nearest
    head = words[place]
    swapped = ((head >> 16) & 3) >= 2
    at = place + 1 + ((((head >> 18) & 0x3F) + 1) >> 1)
    for _ in range(head & 0xFFFF):
        x1, y1, x2, y2 = reals[at], reals[at + 1], reals[at + 2], reals[at + 3]
        mask = words[at + 4]
        at += _EDGE_WORDS
        if swapped:
            x1, y1, x2, y2 = y1, x1, y2, x2
        along_x, along_y = (x2 - x1) * shrink, y2 - y1
        to_x, to_y = (lon - x1) * shrink, lat - y1
        share = to_x * along_x + to_y * along_y
        share /= along_x * along_x + along_y * along_y
        share = min(max(share, 0.0), 1.0)
        off_x, off_y = to_x - share * along_x, to_y - share * along_y
        square = off_x * off_x + off_y * off_y
        if square > best * (1.0 + 1e-12):
            continue
        beyond = 0
        while mask != 0 and beyond == 0:
            polygon = _find_lowest(words, place, mask)
            mask &= mask - 1
            if polygon != own:
                beyond = polygon
        if square < best * (1.0 - 1e-12) or (
            beyond > 0 and (best_across == 0 or beyond < best_across)
        ):
            best, best_across = square, beyond
            best_lon = x1 + share * (x2 - x1)
            best_lat = y1 + share * (y2 - y1)
    return best, best_lon, best_lat, best_across


@compiled
def find_nearest_edge(
    lon: float, lat: float, shrink: float, own: int, index: BorderIndex
) -> tuple[float, float, int]:
    """
    Find the point of any edge that is nearest to a place, looking ring by ring of blocks of cells.

    Parameters
    ----------
    lon, lat
        The place.
    shrink
        How long a degree of longitude is, a degree of latitude being 1.
    own
        Position + 1 of the polygon that holds the place; 0 outside.
    index
        Cells, records and the lists of border cells.

    Returns
    -------
    lon, lat, across
        The nearest point (NaN where there is no edge), and the position + 1 of the polygon beyond,
        0 where there is none; of several the first.
    """
    frame, columns, rows = index.frame, index.columns, index.rows
    start, within, words = index.start, index.within, index.words
    across_blocks, up_blocks = (columns + 15) // 16, (rows + 15) // 16
    x, y = (lon - frame[0]) * frame[2], (lat - frame[1]) * frame[3]
    width, height = shrink / frame[2], 1.0 / frame[3]
    middle_x = int(min(max(x, 0.0), columns - 1.0)) // 16
    middle_y = int(min(max(y, 0.0), rows - 1.0)) // 16
    nearest = (np.inf, np.nan, np.nan, 0)
    first_ring = index.empty[middle_y * across_blocks + middle_x]
    for ring in range(first_ring, max(across_blocks, up_blocks)):
        near = (ring - 1) * 16 * min(width, height)
        if ring > 1 and near * near > nearest[0]:
            break
        for block_row in range(max(middle_y - ring, 0), min(middle_y + ring, up_blocks - 1) + 1):
            is_whole_row = abs(block_row - middle_y) == ring
            step = 1 if is_whole_row or ring == 0 else 2 * ring
            for block in range(middle_x - ring, middle_x + ring + 1, step):
                if block < 0 or block >= across_blocks:
                    continue
                first = start[block_row * across_blocks + block]
                last = start[block_row * across_blocks + block + 1]
                if first == last:
                    continue
                dx = max(_distance_to_cells(x, 16 * block, 16 * block + 16), 0.0) * width
                dy = max(_distance_to_cells(y, 16 * block_row, 16 * block_row + 16), 0.0) * height
                if dx * dx + dy * dy > nearest[0]:
                    continue
                # The nearest cell first: what it holds leaves few others to be opened.
                chosen, least = _find_nearest_cell(index, x, y, block, block_row, width, height)
                if least > nearest[0]:
                    continue
                for turn in range(first - 1, last):
                    number = chosen if turn < first else turn
                    if turn == chosen:
                        continue
                    cell = int(within[number])
                    square = _square_distance_to_cell(x, y, block, block_row, cell, width, height)
                    if square > nearest[0]:
                        continue
                    row, column = 16 * block_row + (cell >> 4), 16 * block + (cell & 15)
                    place = -1 - int(index.cells[row * columns + column])
                    if (words[place] & 0xFFFF) == _CROWDED:
                        return np.nan, np.nan, UNSURE
                    nearest = _find_nearest_in_record(words, place, lon, lat, shrink, own, nearest)
    return nearest[1], nearest[2], nearest[3]


@compiled
def find_nearest_edges(
    lon: Floats,
    lat: Floats,
    shrink: Floats,
    own: Longs,
    index: BorderIndex,
    foot_lon: Floats,
    foot_lat: Floats,
    across: Longs,
) -> None:
    """
    Do for many places what :func:`find_nearest_edge` does for one.

    Parameters
    ----------
    lon, lat, shrink, own
        As there, of each place.
    index
        As there.
    foot_lon, foot_lat, across
        Filled in.
    """
    for number in range(len(lon)):
        foot_lon[number], foot_lat[number], across[number] = find_nearest_edge(
            lon[number], lat[number], shrink[number], own[number], index
        )
