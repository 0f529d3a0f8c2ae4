"""The inner loops of service areas: cells around points of streets, outlines of their parts.

A cell is the ground that is nearer to one point than to any other, given by the circumcentres of
the triangles around it. Of each cell that part belongs to an area which lies farther than one
radius and not farther than another. Plain numbers in flat arrays, nothing of roads or minutes.
"""

# ruff: noqa: C901, PLR0912, PLR0915
# Loops in flat arrays are what the compiler makes fast.

import math

import numpy as np
import numpy.typing as npt

from gis_service.grids.locator_kernels import compiled

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
Ints = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]


@compiled
def cell_loops(triangles: Ints, beyond: Ints, points: int) -> tuple[Longs, Ints, Ints]:
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
def minutes_on_edges(
    edge: Longs,
    fraction: Floats,
    source: Longs,
    target: Longs,
    along: Floats,
    against: Floats,
    at_node: Floats,
    minutes: Floats,
) -> None:
    """
    Tell when points on edges are reached from their ends.

    Parameters
    ----------
    edge, fraction
        Where each point lies.
    source, target, along, against
        Of every edge; minutes for all of it, inf where it is closed.
    at_node
        Minutes at every node.
    minutes
        Of the points; filled.
    """
    for point in range(len(edge)):
        here = edge[point]
        best = math.inf
        if along[here] < math.inf:
            best = at_node[source[here]] + fraction[point] * along[here]
        if against[here] < math.inf:
            best = min(best, at_node[target[here]] + (1.0 - fraction[point]) * against[here])
        minutes[point] = best


@compiled
def radii(
    points: Longs,
    minutes: Floats,
    above: float,
    limit: float,
    walked: float,
    cap_m: float,
    size: Floats,
    inner: Floats,
    outer: Floats,
    deep: Bools,
) -> Longs:
    """
    Tell how far off points of the streets two limits reach.

    Parameters
    ----------
    points
        Which; those that are reached at all are enough.
    minutes
        When each point is reached.
    above, limit
        The lower limit, below 0 where there is none, and the upper one.
    walked
        Minutes a metre off the street.
    cap_m
        Nobody walks farther.
    size
        By point how far its cell reaches.
    inner, outer
        Metres, below 0 where the limit is not kept at all; filled for the points.
    deep
        Whether all of a point's cell lies between the two; filled for the points.

    Returns
    -------
    array of int
        Points whose cell has a part between the two.
    """
    cells = np.empty(len(points), np.int64)
    found = 0
    for point in points:
        near, far = above - minutes[point], limit - minutes[point]
        within = reach = -1.0
        if far >= 0.0:
            reach = min(far / walked, cap_m) if walked > 0.0 else cap_m
        if above >= 0.0 and near >= 0.0:
            within = min(near / walked, cap_m) if walked > 0.0 else cap_m
        inner[point], outer[point] = within, reach
        deep[point] = within < 0.0 and reach >= size[point]
        if reach > within and within < size[point]:
            cells[found] = point
            found += 1
    return cells[:found]


@compiled
def _crossings(
    half: float, low: float, high: float, d_low: float, d_high: float, radius: float
) -> tuple[int, float, float]:
    """Where a circle crosses a ridge; how often is decided by its ends alone, so cells agree."""
    if radius < 0.0:
        return 0, 0.0, 0.0
    root = math.sqrt(max(radius * radius - half * half, 0.0))
    in_low, in_high = d_low <= radius, d_high <= radius
    if in_low != in_high:
        t = root if in_low else -root
        if low >= 0.0 and high >= 0.0:
            t = root
        elif low <= 0.0 and high <= 0.0:
            t = -root
        return 1, min(max(t, low), max(low, high)), 0.0
    if not in_low and low < 0.0 < high and radius > half:
        return 2, max(-root, low), min(root, high)
    return 0, 0.0, 0.0


@compiled
def _grown(values: Floats) -> Floats:
    more = np.empty(2 * len(values), np.float64)
    more[: len(values)] = values
    return more


@compiled
def _grown_longs(values: Longs) -> Longs:
    more = np.empty(2 * len(values), np.int64)
    more[: len(values)] = values
    return more


@compiled
def outline(
    cells: Longs,
    inner: Floats,
    outer: Floats,
    deep: Bools,
    x: Floats,
    y: Floats,
    start: Longs,
    corner: Ints,
    neighbour: Ints,
    corner_x: Floats,
    corner_y: Floats,
    corner_d: Floats,
    sagitta: float,
) -> tuple[Floats, Floats, Longs]:
    """
    Draw the border of an area made of parts of cells.

    Parameters
    ----------
    cells
        Which have a part in it.
    inner, outer
        By point: the part is farther than ``inner`` (below 0: no hole) and not farther than
        ``outer``; of all points that are not in ``cells`` the outer radius must be below 0.
    deep
        Cells that lie in the area as a whole; one among such only is passed over.
    x, y
        The points, metres.
    start, corner, neighbour
        Of :func:`cell_loops`.
    corner_x, corner_y, corner_d
        Circumcentres, and their distance from the corners of their triangle.
    sagitta
        How far a chord may be from its arc, metres.

    Returns
    -------
    x, y, piece
        Pieces of border with the area on their left; piece ``k`` has the vertices ``piece[k]`` to
        ``piece[k + 1]``. They begin and end in exactly equal numbers.
    """
    size = max(1024, 16 * len(cells))
    out_x, out_y = np.empty(size, np.float64), np.empty(size, np.float64)
    piece = np.empty(size, np.int64)
    piece[0] = 0
    pieces, used = 0, 0
    event_t = np.empty(8, np.float64)
    event_of = np.empty(8, np.int64)
    radii = np.empty(4, np.float64)
    inside = np.empty(4, np.bool_)
    # The circle through one cell: for either radius where it leaves and enters, in walking order.
    most = 0
    for i in cells:
        most = max(most, start[i + 1] - start[i])
    cross_x, cross_y = np.empty((2, 2 * most + 4)), np.empty((2, 2 * most + 4))
    cross_out = np.empty((2, 2 * most + 4), np.bool_)
    cross_ridge = np.empty((2, 2 * most + 4), np.int64)
    count = np.zeros(2, np.int64)
    for i in cells:
        if not inner[i] < outer[i] or start[i] == start[i + 1]:
            continue
        begin, end = start[i], start[i + 1]
        if deep[i]:
            at = begin
            while at < end and deep[neighbour[at]]:
                at += 1
            if at == end:
                continue
        count[:] = 0
        corner_in_outer = corner_in_inner = False
        for at in range(begin, end):
            following = at + 1 if at + 1 < end else begin
            j = neighbour[at]
            # Most ridges lie wholly within: nothing of them is border, no circle crosses them.
            d_here, d_there = corner_d[corner[at]], corner_d[corner[following]]
            hole = max(inner[i], inner[j])
            dx, dy = x[j] - x[i], y[j] - y[i]
            apart = 0.25 * (dx * dx + dy * dy)
            if max(d_here, d_there) <= min(outer[i], outer[j]) and hole < min(d_here, d_there):
                if hole < 0.0 or hole * hole < apart:
                    corner_in_outer = True
                    continue
            # Others lie wholly beyond, more than a rounding error.
            elif outer[i] * outer[i] < 0.999999 * apart and outer[i] < 0.999999 * min(
                d_here, d_there
            ):
                continue
            forward = i < j
            p, q = (i, j) if forward else (j, i)
            dx, dy = x[q] - x[p], y[q] - y[p]
            length = math.sqrt(dx * dx + dy * dy)
            ux, uy = -dy / length, dx / length
            mx, my = 0.5 * (x[p] + x[q]), 0.5 * (y[p] + y[q])
            a, b = (corner[at], corner[following]) if forward else (corner[following], corner[at])
            low = (corner_x[a] - mx) * ux + (corner_y[a] - my) * uy
            high = (corner_x[b] - mx) * ux + (corner_y[b] - my) * uy
            d_low, d_high = corner_d[a], corner_d[b]
            half = min(0.5 * length, d_low, d_high)
            if corner_d[corner[at]] <= outer[i]:
                corner_in_outer = True
            if corner_d[corner[at]] <= inner[i]:
                corner_in_inner = True
            radii[0], radii[1], radii[2], radii[3] = inner[i], outer[i], inner[j], outer[j]
            events = 0
            for which in range(4):
                radius = radii[which]
                inside[which] = d_low <= radius
                number, t_one, t_two = _crossings(half, low, high, d_low, d_high, radius)
                for n in range(number):
                    t = t_one if n == 0 else t_two
                    place = events
                    while place > 0 and event_t[place - 1] > t:
                        event_t[place], event_of[place] = event_t[place - 1], event_of[place - 1]
                        place -= 1
                    event_t[place], event_of[place] = t, which
                    events += 1
            # In walking order of this cell the ridge is run through from its low end or its high.
            for e in range(events):
                event = e if forward else events - 1 - e
                which = event_of[event]
                if which < 2 and count[which] < cross_x.shape[1]:
                    n = count[which]
                    cross_x[which, n] = mx + ux * event_t[event]
                    cross_y[which, n] = my + uy * event_t[event]
                    cross_ridge[which, n] = at
                    count[which] = n + 1
            from_x, from_y = corner_x[a], corner_y[a]
            for event in range(events + 1):
                if event < events:
                    to_x = mx + ux * event_t[event]
                    to_y = my + uy * event_t[event]
                else:
                    to_x, to_y = corner_x[b], corner_y[b]
                mine = inside[1] and not inside[0]
                theirs = inside[3] and not inside[2]
                if mine and not theirs and (from_x != to_x or from_y != to_y):
                    if used + 2 > len(out_x):
                        out_x, out_y = _grown(out_x), _grown(out_y)
                    if pieces + 2 > len(piece):
                        piece = _grown_longs(piece)
                    if forward:
                        out_x[used], out_y[used] = from_x, from_y
                        out_x[used + 1], out_y[used + 1] = to_x, to_y
                    else:
                        out_x[used], out_y[used] = to_x, to_y
                        out_x[used + 1], out_y[used + 1] = from_x, from_y
                    used += 2
                    pieces += 1
                    piece[pieces] = used
                from_x, from_y = to_x, to_y
                if event < events:
                    inside[event_of[event]] = not inside[event_of[event]]
        for which in range(2):
            radius = inner[i] if which == 0 else outer[i]
            if radius <= 0.0:
                continue
            corner_in = corner_in_inner if which == 0 else corner_in_outer
            crossed = count[which]
            if crossed == 0 and corner_in:
                continue
            # Whether the walk starts within the circle tells which crossings lead out of it.
            out_now = corner_d[corner[begin]] <= radius
            for n in range(crossed):
                cross_out[which, n] = out_now
                out_now = not out_now
            for n in range(max(crossed, 1)):
                if crossed > 0 and not cross_out[which, n]:
                    continue
                if crossed == 0:
                    start_x = end_x = x[i] + radius
                    start_y = end_y = y[i]
                    turn = 2 * math.pi
                else:
                    other = n + 1 if n + 1 < crossed else 0
                    start_x, start_y = cross_x[which, n], cross_y[which, n]
                    end_x, end_y = cross_x[which, other], cross_y[which, other]
                    if start_x == end_x and start_y == end_y:
                        continue
                    ax, ay = start_x - x[i], start_y - y[i]
                    bx, by = end_x - x[i], end_y - y[i]
                    turn = math.atan2(ax * by - ay * bx, ax * bx + ay * by)
                    if turn < 0.0:
                        turn += 2 * math.pi
                    whole = crossed == 2 and cross_ridge[which, 0] == cross_ridge[which, 1]
                    if turn > 2 * math.pi - 1e-3 and not whole:
                        turn = 0.0
                step = 2 * math.acos(max(1.0 - sagitta / radius, 0.0))
                parts = max(math.ceil(turn / max(step, 0.05) - 1e-9), 1)
                if crossed == 0:
                    parts = max(parts, 8)
                while used + parts + 1 > len(out_x):
                    out_x, out_y = _grown(out_x), _grown(out_y)
                if pieces + 2 > len(piece):
                    piece = _grown_longs(piece)
                if parts > 1:
                    turned_x, turned_y = math.cos(turn / parts), math.sin(turn / parts)
                    off_x, off_y = start_x - x[i], start_y - y[i]
                for part in range(parts + 1):
                    # The hole of one band is the rim of another: same points, other way round.
                    place = used + (part if which == 1 else parts - part)
                    if part == 0:
                        out_x[place], out_y[place] = start_x, start_y
                    elif part == parts:
                        out_x[place], out_y[place] = end_x, end_y
                    else:
                        off_x, off_y = (
                            off_x * turned_x - off_y * turned_y,
                            off_x * turned_y + off_y * turned_x,
                        )
                        out_x[place], out_y[place] = x[i] + off_x, y[i] + off_y
                used += parts + 1
                pieces += 1
                piece[pieces] = used
    return out_x[:used], out_y[:used], piece[: pieces + 1]


@compiled
def rings(x: Floats, y: Floats, piece: Longs) -> tuple[Floats, Floats, Longs, Floats, bool]:
    """
    Put pieces of border together.

    Parameters
    ----------
    x, y, piece
        Of :func:`outline`.

    Returns
    -------
    x, y, ring, area
        Ring ``k`` has the vertices ``ring[k]`` to ``ring[k + 1]``, the last equal to the first;
        its area is negative where it goes round a hole.
    touch
        Whether rings may touch in a point, or a piece had no following one.
    """
    count = len(piece) - 1
    size = 64
    while size < 2 * count:
        size *= 2
    slot = np.full(size, -1, np.int64)
    following = np.full(count, -1, np.int64)
    touch = False
    key_x, key_y = x.view(np.int64), y.view(np.int64)
    for k in range(count):
        at = _hashed(key_x[piece[k]], key_y[piece[k]], size)
        while slot[at] >= 0:
            other = piece[slot[at]]
            if x[other] == x[piece[k]] and y[other] == y[piece[k]]:
                break
            at = (at + 1) % size
        following[k] = slot[at]
        touch = touch or slot[at] >= 0
        slot[at] = k
    done = np.zeros(count, np.bool_)
    out_x, out_y = np.empty(len(x) + count, np.float64), np.empty(len(x) + count, np.float64)
    ring = np.empty(count + 1, np.int64)
    area = np.empty(count, np.float64)
    ring[0] = 0
    number, used = 0, 0
    for first in range(count):
        if done[first]:
            continue
        k = first
        begun = used
        while k >= 0 and not done[k]:
            done[k] = True
            for at in range(piece[k], piece[k + 1]):
                if used == begun or x[at] != out_x[used - 1] or y[at] != out_y[used - 1]:
                    out_x[used], out_y[used] = x[at], y[at]
                    used += 1
            last = piece[k + 1] - 1
            at = _hashed(key_x[last], key_y[last], size)
            k = -1
            while slot[at] >= 0:
                other = piece[slot[at]]
                if x[other] == x[last] and y[other] == y[last]:
                    k = slot[at]
                    while k >= 0 and done[k]:
                        k = following[k]
                    break
                at = (at + 1) % size
        if out_x[begun] != out_x[used - 1] or out_y[begun] != out_y[used - 1]:
            out_x[used], out_y[used] = out_x[begun], out_y[begun]
            used += 1
            touch = True
        if used - begun < 4:
            used = begun
            continue
        twice = 0.0
        for at in range(begun, used - 1):
            twice += (out_x[at] - out_x[begun]) * (out_y[at + 1] - out_y[begun])
            twice -= (out_x[at + 1] - out_x[begun]) * (out_y[at] - out_y[begun])
        area[number] = 0.5 * twice
        number += 1
        ring[number] = used
    return out_x[:used], out_y[:used], ring[: number + 1], area[:number], touch


@compiled
def nested(x: Floats, y: Floats, ring: Longs, area: Floats, smallest: float) -> Bytes:
    """
    Put every hole behind the shell around it.

    From the leftmost vertex of a hole the next border to the left is that of its shell, or of
    another hole in it.

    Parameters
    ----------
    x, y, ring, area
        Of :func:`rings`; they do not touch.
    smallest
        Rings of a smaller area are left out.

    Returns
    -------
    array of byte
        A MultiPolygon as well-known binary, in the order of bytes of this machine.
    """
    count = len(area)
    parent = np.full(count, -1, np.int64)
    holes = np.empty(count, np.int64)
    left, height = np.empty(count, np.float64), np.empty(count, np.float64)
    number = 0
    for k in range(count):
        if area[k] >= smallest:
            parent[k] = k
        elif area[k] <= -smallest:
            at = ring[k]
            for vertex in range(ring[k], ring[k + 1]):
                if x[vertex] < x[at]:
                    at = vertex
            holes[number], left[number], height[number] = k, x[at], y[at]
            number += 1
    if number:
        _find_parents(x, y, ring, area, smallest, holes[:number], left, height, parent)
    # Shells in their order, each followed by its holes.
    following = np.full(count, -1, np.int64)
    inside = np.zeros(count, np.int32)
    for n in range(number - 1, -1, -1):
        hole, shell = holes[n], parent[holes[n]]
        if shell >= 0:
            following[hole] = following[shell]
            following[shell] = hole
            inside[shell] += 1
    size, shells = 9, 0
    for k in range(count):
        if parent[k] >= 0:
            size += 4 + 16 * (ring[k + 1] - ring[k])
            if parent[k] == k:
                size += 9
                shells += 1
    order = np.ones(1, np.int32).view(np.uint8)[0]
    made = np.empty(size, np.uint8)
    word = np.empty(1, np.int32)
    word_bytes = word.view(np.uint8)
    made[0] = order
    word[0] = 6
    made[1:5] = word_bytes
    word[0] = shells
    made[5:9] = word_bytes
    used = 9
    corners = np.empty(2 * len(x), np.float64)
    for vertex in range(len(x)):
        corners[2 * vertex], corners[2 * vertex + 1] = x[vertex], y[vertex]
    corner_bytes = corners.view(np.uint8)
    for shell in range(count):
        if parent[shell] != shell:
            continue
        made[used] = order
        word[0] = 3
        made[used + 1 : used + 5] = word_bytes
        word[0] = 1 + inside[shell]
        made[used + 5 : used + 9] = word_bytes
        used += 9
        k = shell
        while k >= 0:
            word[0] = ring[k + 1] - ring[k]
            made[used : used + 4] = word_bytes
            used += 4
            length = 16 * (ring[k + 1] - ring[k])
            made[used : used + length] = corner_bytes[16 * ring[k] : 16 * ring[k + 1]]
            used += length
            k = following[k]
    return made


@compiled
def _find_parents(
    x: Floats,
    y: Floats,
    ring: Longs,
    area: Floats,
    smallest: float,
    holes: Longs,
    left: Floats,
    height: Floats,
    parent: Longs,
) -> None:
    """Look leftwards from every hole; edges ask which holes are at their height."""
    number = len(holes)
    by_height = np.argsort(height[:number])
    low, high = height[by_height[0]], height[by_height[number - 1]]
    rows = 4 * number
    row_m = max((high - low) / rows, 1e-9)
    # First hole, by height, of each row.
    first = np.empty(rows + 1, np.int64)
    n = 0
    for row in range(rows + 1):
        while n < number and height[by_height[n]] < low + row * row_m:
            n += 1
        first[row] = n
    best, found = np.full(number, -np.inf), np.full(number, -1, np.int64)
    for k in range(len(area)):
        if abs(area[k]) < smallest:
            continue
        for vertex in range(ring[k], ring[k + 1] - 1):
            one, other = y[vertex], y[vertex + 1]
            bottom, top = min(one, other), max(one, other)
            if top <= low or bottom > high:
                continue
            n = first[min(max(int((bottom - low) / row_m) - 1, 0), rows)]
            while n < number:
                hole = by_height[n]
                at = height[hole]
                if at >= top:
                    break
                if at >= bottom and holes[hole] != k:
                    here = x[vertex] + (at - one) / (other - one) * (x[vertex + 1] - x[vertex])
                    if best[hole] < here <= left[hole]:
                        best[hole], found[hole] = here, k
                n += 1
    for n in np.argsort(left[:number]):
        if found[n] >= 0:
            parent[holes[n]] = parent[found[n]]


@compiled
def _hashed(a: int, b: int, size: int) -> int:
    mixed = (a ^ (b * 7046029254386353131)) * 2685821657736338717
    return (mixed ^ (mixed >> 29)) & (size - 1)
