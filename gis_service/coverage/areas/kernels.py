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

from gis_service.compiled import compiled

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
Ints = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
Small = npt.NDArray[np.int8]
Singles = npt.NDArray[np.float32]

_SMALLEST_TURN = 0.05
_MOST_TURNS = 128
"""Vertices of a piece: a whole turn has no more."""


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
def ridges(
    x: Floats, y: Floats, start: Longs, corner: Ints, neighbour: Ints, corner_d: Floats
) -> Singles:
    """
    Tell between which distances from its two points each ridge lies.

    Parameters
    ----------
    x, y
        The points, metres.
    start, corner, neighbour
        Of :func:`cell_loops`.
    corner_d
        Distance of circumcentres from the corners of their triangle.

    Returns
    -------
    array of float
        By corner of a cell, for the ridge after it: the distance of its nearer end, of its farther
        end, and half the distance of the points, squared. The first and the last are a little
        less than that, the second is not less; the same from either side.
    """
    made = np.empty((len(neighbour), 3), np.float32)
    for i in range(len(start) - 1):
        begin, end = start[i], start[i + 1]
        for at in range(begin, end):
            following = at + 1 if at + 1 < end else begin
            j = neighbour[at]
            d_here, d_there = corner_d[corner[at]], corner_d[corner[following]]
            dx, dy = x[j] - x[i], y[j] - y[i]
            made[at, 0] = 0.999999 * min(d_here, d_there)
            made[at, 1] = 1.0000002 * max(d_here, d_there)
            made[at, 2] = 0.999999 * 0.25 * (dx * dx + dy * dy)
    return made


@compiled
def reached_points(
    node: Ints,
    node_minutes: Floats,
    first: Ints,
    way: Ints,
    bounds: Longs,
    ends: Longs,
    times: Floats,
    fraction: Floats,
    gate_street: Longs,
    gate_fraction: Floats,
    gate_begins: Floats,
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
    first, way
        Streets that are entered from node ``i``: ``first[i]`` to ``first[i + 1]`` of ``way``.
    bounds, ends, times
        By street its first point and the one after its last, its nodes, and the minutes for all of
        it from the first node and from the second; inf where it is closed.
    fraction
        Where each point lies on its street.
    gate_street, gate_fraction, gate_begins
        Places on streets from which it is begun as well, and when.
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
    count = 0
    for n in range(len(node)):
        at_node[node[n]] = node_minutes[n]
        for w in range(first[node[n]], first[node[n] + 1]):
            mark[way[w]] = 1
    for gate in range(len(gate_street)):
        mark[gate_street[gate]] = 2
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
            from_here, from_there = at_node[ends[street, 0]], at_node[ends[street, 1]]
            if along == math.inf:
                from_here, along = math.inf, 0.0
            if against == math.inf:
                from_there, against = math.inf, 0.0
            for point in range(bounds[street, 0], bounds[street, 1]):
                part = fraction[point]
                best = min(from_here + part * along, from_there + (1.0 - part) * against)
                if marked == 2:
                    for gate in range(len(gate_street)):
                        ahead = part - gate_fraction[gate]
                        way_there = times[street, 0] if ahead >= 0.0 else times[street, 1]
                        if gate_street[gate] == street and way_there < math.inf:
                            best = min(best, gate_begins[gate] + abs(ahead) * way_there)
                if best <= limit and best < math.inf:
                    minutes[point] = best
                    points[count] = point
                    count += 1
    for n in range(len(node)):
        at_node[node[n]] = math.inf
    return count


@compiled
def radii(
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
    Tell how far off points of the streets some limits reach.

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
def forget(points: Longs, radius: Singles, whole: Small) -> None:
    """
    Take back what :func:`radii` filled.

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


@compiled
def _inside(radius: Singles, point: int, distance: float) -> int:
    """Of how many of a point's circles, which grow, a distance is not beyond."""
    count = 0
    for k in range(radius.shape[1] - 1, -1, -1):
        if radius[point, k] < distance:
            break
        count += 1
    return count


@compiled
def _crossings(
    radius: Singles,
    i: int,
    j: int,
    d_low: float,
    d_high: float,
    low: float,
    high: float,
    half: float,
    event_t: Floats,
    event_of: Longs,
    inside: Bools,
) -> int:
    """Find where the circles of two points cross the ridge between them, from its low end on."""
    # How often one crosses is decided by the ends of the ridge, so that both cells agree.
    circles = radius.shape[1]
    events = 0
    for which in range(2 * circles):
        here = np.float64(radius[i, which] if which < circles else radius[j, which - circles])
        in_low, in_high = d_low <= here, d_high <= here
        inside[which] = in_low
        number = 0
        t_one, t_two = 0.0, 0.0
        if in_low != in_high:
            root = math.sqrt(max(here * here - half * half, 0.0))
            t_one = root if in_low else -root
            if low >= 0.0 and high >= 0.0:
                t_one = root
            elif low <= 0.0 and high <= 0.0:
                t_one = -root
            t_one = min(max(t_one, low), max(low, high))
            number = 1
        elif not in_low and here > half and low < 0.0 < high:
            root = math.sqrt(max(here * here - half * half, 0.0))
            t_one, t_two = max(-root, low), min(root, high)
            number = 2
        for n in range(number):
            t = t_one if n == 0 else t_two
            place = events
            while place > 0 and event_t[place - 1] > t:
                event_t[place], event_of[place] = event_t[place - 1], event_of[place - 1]
                place -= 1
            event_t[place], event_of[place] = t, which
            events += 1
    return events


@compiled
def outline(
    cells: Longs,
    first_cell: int,
    radius: Singles,
    whole: Small,
    x: Floats,
    y: Floats,
    start: Longs,
    corner: Ints,
    neighbour: Ints,
    ridge: Singles,
    corner_x: Floats,
    corner_y: Floats,
    corner_d: Floats,
    sagitta: float,
    most: int,
    out_x: Floats,
    out_y: Floats,
    piece: Longs,
    band: Longs,
    filled: Longs,
) -> int:
    """
    Draw the borders of bands made of parts of cells.

    Band ``k`` is what lies not farther from the point of its cell than circle ``k`` and farther
    than every smaller one.

    Parameters
    ----------
    cells
        Which have a part in some band.
    first_cell
        Of them the first to be drawn.
    radius
        By point its circles, not falling; below 0: none. All below 0 for points not in ``cells``.
    whole
        The band that a whole cell lies in, or -1; a cell among such of its own band is passed over.
    x, y
        The points, metres.
    start, corner, neighbour
        Of :func:`cell_loops`.
    ridge
        Of :func:`ridges`.
    corner_x, corner_y, corner_d
        Circumcentres, and their distance from the corners of their triangle.
    sagitta
        How far a chord may be from its arc, metres.
    most
        Corners of any cell.
    out_x, out_y, piece, band
        Pieces of border with their band on the left; piece ``k`` has the vertices ``piece[k]`` to
        ``piece[k + 1]``. They begin and end in exactly equal numbers. Filled; ``piece[0]`` is 0.
    filled
        How many pieces and how many vertices there are; 0 before the first cell.

    Returns
    -------
    int
        The first cell that was not drawn, because what is drawn of it might find no room: call
        again with larger arrays. (Were they made larger here, the compiler would count at every
        step who holds them.)
    """
    circles = radius.shape[1]
    pieces, used = filled[0], filled[1]
    event_t = np.empty(4 * circles, np.float64)
    event_of = np.empty(4 * circles, np.int64)
    inside = np.empty(2 * circles, np.bool_)
    room = 2 * most + 4
    # A circle through one cell: where it leaves and enters, in walking order.
    cross_x, cross_y = np.empty((circles, room)), np.empty((circles, room))
    cross_out = np.empty(room, np.bool_)
    cross_ridge = np.empty((circles, room), np.int64)
    count = np.zeros(circles, np.int64)
    for at_cell in range(first_cell, len(cells)):
        i = cells[at_cell]
        begin, end = start[i], start[i + 1]
        if begin == end:
            continue
        if whole[i] >= 0:
            at = begin
            while at < end and whole[neighbour[at]] == whole[i]:
                at += 1
            if at == end:
                continue
        most_pieces = (end - begin) * (4 * circles + 1) + (end - begin + 1) * 2 * circles
        if pieces + most_pieces + 1 > len(piece) or used + most_pieces * _MOST_TURNS > len(out_x):
            filled[0], filled[1] = pieces, used
            return at_cell
        count[:] = 0
        innermost = circles  # the smallest circle that has a corner of the cell in it
        for at in range(begin, end):
            j = neighbour[at]
            # Most ridges lie wholly in one band on either side: no circle crosses them.
            far, near, apart = ridge[at, 1], ridge[at, 0], ridge[at, 2]
            mine = circles
            while mine > 0 and radius[i, mine - 1] >= far:
                mine -= 1
            # A circle that nearly touches the ridge counts as crossing it.
            smaller = radius[i, mine - 1] if mine > 0 else -1.0
            is_crossed = smaller >= 0.0 and (smaller >= near or smaller * smaller >= apart)
            theirs = circles
            if not is_crossed:
                if mine == circles:
                    continue
                while theirs > 0 and radius[j, theirs - 1] >= far:
                    theirs -= 1
                smaller = radius[j, theirs - 1] if theirs > 0 else -1.0
                is_crossed = smaller >= 0.0 and (smaller >= near or smaller * smaller >= apart)
            following = at + 1 if at + 1 < end else begin
            a, b = corner[at], corner[following]
            forward, events = True, 0
            mx, my, ux, uy = 0.0, 0.0, 0.0, 0.0
            if not is_crossed:
                innermost = min(innermost, mine)
                if mine == theirs:
                    continue
            else:
                d_here, d_there = corner_d[corner[at]], corner_d[corner[following]]
                forward = i < j
                p, q = (i, j) if forward else (j, i)
                dx, dy = x[q] - x[p], y[q] - y[p]
                length = math.sqrt(dx * dx + dy * dy)
                ux, uy = -dy / length, dx / length
                mx, my = 0.5 * (x[p] + x[q]), 0.5 * (y[p] + y[q])
                if not forward:
                    a, b = b, a
                low = (corner_x[a] - mx) * ux + (corner_y[a] - my) * uy
                high = (corner_x[b] - mx) * ux + (corner_y[b] - my) * uy
                d_low, d_high = corner_d[a], corner_d[b]
                half = min(0.5 * length, d_here, d_there)
                innermost = min(innermost, circles - _inside(radius, i, d_here))
                events = _crossings(
                    radius, i, j, d_low, d_high, low, high, half, event_t, event_of, inside
                )
                # This cell is walked along the ridge from its low end or its high.
                for e in range(events):
                    event = e if forward else events - 1 - e
                    k = event_of[event]
                    if k < circles and count[k] < room:
                        n = count[k]
                        cross_x[k, n] = mx + ux * event_t[event]
                        cross_y[k, n] = my + uy * event_t[event]
                        cross_ridge[k, n] = at
                        count[k] = n + 1
                mine = theirs = circles
                for k in range(circles):
                    mine -= inside[k]
                    theirs -= inside[circles + k]
            from_x, from_y = corner_x[a], corner_y[a]
            for event in range(events + 1):
                if event < events:
                    to_x = mx + ux * event_t[event]
                    to_y = my + uy * event_t[event]
                else:
                    to_x, to_y = corner_x[b], corner_y[b]
                if mine < circles and mine != theirs and (from_x != to_x or from_y != to_y):
                    if forward:
                        ax, ay, bx, by = from_x, from_y, to_x, to_y
                    else:
                        ax, ay, bx, by = to_x, to_y, from_x, from_y
                    if (
                        pieces == 0
                        or band[pieces - 1] != mine
                        or out_x[used - 1] != ax
                        or out_y[used - 1] != ay
                    ):
                        out_x[used], out_y[used] = ax, ay
                        used += 1
                        band[pieces] = mine
                        pieces += 1
                    out_x[used], out_y[used] = bx, by
                    used += 1
                    piece[pieces] = used
                from_x, from_y = to_x, to_y
                if event < events:
                    which = event_of[event]
                    inside[which] = not inside[which]
                    step_in = -1 if inside[which] else 1
                    if which < circles:
                        mine += step_in
                    else:
                        theirs += step_in
        for k in range(circles):
            here = np.float64(radius[i, k])
            if here <= 0.0 or (k > 0 and radius[i, k - 1] >= here):
                continue
            crossed = count[k]
            if crossed == 0 and innermost <= k:
                continue
            beyond = k + 1
            while beyond < circles and radius[i, beyond] <= here:
                beyond += 1
            # Whether the walk starts within the circle tells which crossings lead out of it.
            out_now = corner_d[corner[begin]] <= here
            for n in range(crossed):
                cross_out[n] = out_now
                out_now = not out_now
            for n in range(max(crossed, 1)):
                if crossed > 0 and not cross_out[n]:
                    continue
                if crossed == 0:
                    start_x = end_x = x[i] + here
                    start_y = end_y = y[i]
                    turn = 2 * math.pi
                else:
                    other = n + 1 if n + 1 < crossed else 0
                    start_x, start_y = cross_x[k, n], cross_y[k, n]
                    end_x, end_y = cross_x[k, other], cross_y[k, other]
                    if start_x == end_x and start_y == end_y:
                        continue
                    ax, ay = start_x - x[i], start_y - y[i]
                    bx, by = end_x - x[i], end_y - y[i]
                    turn = math.atan2(ax * by - ay * bx, ax * bx + ay * by)
                    if turn < 0.0:
                        turn += 2 * math.pi
                    round_about = crossed == 2 and cross_ridge[k, 0] == cross_ridge[k, 1]
                    if turn > 2 * math.pi - 1e-3 and not round_about:
                        turn = 0.0
                # A little less than what the height of the chord allows.
                step = max(2.0 * math.sqrt(2.0 * min(sagitta / here, 1.0)), _SMALLEST_TURN)
                parts = max(math.ceil(turn / step - 1e-9), 1)
                if crossed == 0:
                    parts = max(parts, 8)
                first = used
                out_x[used], out_y[used] = start_x, start_y
                used += 1
                if parts > 1:
                    turned_x, turned_y = math.cos(turn / parts), math.sin(turn / parts)
                    off_x, off_y = start_x - x[i], start_y - y[i]
                    for _ in range(parts - 1):
                        off_x, off_y = (
                            off_x * turned_x - off_y * turned_y,
                            off_x * turned_y + off_y * turned_x,
                        )
                        out_x[used], out_y[used] = x[i] + off_x, y[i] + off_y
                        used += 1
                out_x[used], out_y[used] = end_x, end_y
                used += 1
                band[pieces] = k
                pieces += 1
                piece[pieces] = used
                if beyond < circles:  # the rim of one band is the hole of another, other way round
                    for back in range(used - 1, first - 1, -1):
                        out_x[used], out_y[used] = out_x[back], out_y[back]
                        used += 1
                    band[pieces] = beyond
                    pieces += 1
                    piece[pieces] = used
    filled[0], filled[1] = pieces, used
    return len(cells)


@compiled
def rings(
    x: Floats, y: Floats, piece: Longs, band: Longs, bands: int
) -> tuple[Floats, Floats, Longs, Floats, Longs, Bools]:
    """
    Put pieces of border together.

    Parameters
    ----------
    x, y, piece, band
        Of :func:`outline`.
    bands
        How many there are.

    Returns
    -------
    x, y, ring, area, of_band
        Ring ``k`` has the vertices ``ring[k]`` to ``ring[k + 1]``, the last equal to the first;
        its area is negative where it goes round a hole.
    touch
        By band whether rings may touch in a point, or a piece had no following one.
    """
    count = len(piece) - 1
    size = 64
    while size < 2 * count:
        size *= 2
    slot = np.full(size, -1, np.int32)
    following = np.full(count, -1, np.int32)
    touch = np.zeros(bands, np.bool_)
    key_x, key_y = x.view(np.int64), y.view(np.int64)
    for k in range(count):
        begins = piece[k]
        at = _hashed(key_x[begins] + band[k], key_y[begins], size)
        while slot[at] >= 0:
            other = piece[slot[at]]
            if x[other] == x[begins] and y[other] == y[begins] and band[slot[at]] == band[k]:
                break
            at = (at + 1) & (size - 1)
        following[k] = slot[at]
        if slot[at] >= 0:
            touch[band[k]] = True
        slot[at] = k
    done = np.zeros(count, np.bool_)
    out_x, out_y = np.empty(len(x) + count, np.float64), np.empty(len(x) + count, np.float64)
    ring = np.empty(count + 1, np.int64)
    area = np.empty(count, np.float64)
    of_band = np.empty(count, np.int64)
    ring[0] = 0
    number, used = 0, 0
    for first in range(count):
        if done[first]:
            continue
        k = first
        mine = band[first]
        begun = used
        while k >= 0 and not done[k]:
            done[k] = True
            at = piece[k]
            if used > begun and x[at] == out_x[used - 1] and y[at] == out_y[used - 1]:
                at += 1
            for vertex in range(at, piece[k + 1]):
                out_x[used], out_y[used] = x[vertex], y[vertex]
                used += 1
            last = piece[k + 1] - 1
            at = _hashed(key_x[last] + mine, key_y[last], size)
            k = -1
            while slot[at] >= 0:
                other = piece[slot[at]]
                if x[other] == x[last] and y[other] == y[last] and band[slot[at]] == mine:
                    k = slot[at]
                    while k >= 0 and done[k]:
                        k = following[k]
                    break
                at = (at + 1) & (size - 1)
        if out_x[begun] != out_x[used - 1] or out_y[begun] != out_y[used - 1]:
            out_x[used], out_y[used] = out_x[begun], out_y[begun]
            used += 1
            touch[mine] = True
        if used - begun < 4:
            used = begun
            continue
        twice = 0.0
        for at in range(begun, used - 1):
            twice += (out_x[at] - out_x[begun]) * (out_y[at + 1] - out_y[begun])
            twice -= (out_x[at + 1] - out_x[begun]) * (out_y[at] - out_y[begun])
        area[number] = 0.5 * twice
        of_band[number] = mine
        number += 1
        ring[number] = used
    return out_x[:used], out_y[:used], ring[: number + 1], area[:number], of_band[:number], touch


@compiled
def nested(
    x: Floats,
    y: Floats,
    ring: Longs,
    area: Floats,
    of_band: Longs,
    band: int,
    smallest: float,
) -> Bytes:
    """
    Put every hole behind the shell around it.

    From the leftmost vertex of a hole the next border to the left is that of its shell, or of
    another hole in it.

    Parameters
    ----------
    x, y, ring, area, of_band
        Of :func:`rings`; they do not touch.
    band
        Which is wanted.
    smallest
        Rings of a smaller area are left out.

    Returns
    -------
    array of byte
        A MultiPolygon as well-known binary, in the order of bytes of this machine.
    """
    chosen = np.flatnonzero((of_band == band) & (np.abs(area) >= smallest))
    count = len(chosen)
    parent = np.full(count, -1, np.int64)
    holes = np.empty(count, np.int64)
    left, height = np.empty(count, np.float64), np.empty(count, np.float64)
    number = 0
    longest = 0
    for k in range(count):
        begins, ends = ring[chosen[k]], ring[chosen[k] + 1]
        longest = max(longest, ends - begins)
        if area[chosen[k]] > 0.0:
            parent[k] = k
            continue
        at = begins
        for vertex in range(begins, ends):
            if x[vertex] < x[at]:
                at = vertex
        holes[number], left[number], height[number] = k, x[at], y[at]
        number += 1
    if number:
        _find_parents(x, y, ring, chosen, holes[:number], left, height, parent)
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
            size += 4 + 16 * (ring[chosen[k] + 1] - ring[chosen[k]])
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
    corners = np.empty(2 * longest, np.float64)
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
            begins = ring[chosen[k]]
            length = ring[chosen[k] + 1] - begins
            word[0] = length
            made[used : used + 4] = word_bytes
            used += 4
            for vertex in range(length):
                corners[2 * vertex] = x[begins + vertex]
                corners[2 * vertex + 1] = y[begins + vertex]
            made[used : used + 16 * length] = corner_bytes[: 16 * length]
            used += 16 * length
            k = following[k]
    return made


@compiled
def _find_parents(
    x: Floats,
    y: Floats,
    ring: Longs,
    chosen: Longs,
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
    for k in range(len(chosen)):
        for vertex in range(ring[chosen[k]], ring[chosen[k] + 1] - 1):
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
