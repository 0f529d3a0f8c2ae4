"""The borders of bands made of parts of cells, compiled.

Of each cell that part belongs to a band which lies farther from its point than one radius and not
farther than another. Ridges between cells give straight sides, circles around points give arcs.
"""

# ruff: noqa: C901, PLR0912, PLR0915
# Loops in flat arrays are what the compiler makes fast.

import math
from typing import NamedTuple

import numpy as np

from gis_service.compiled import compiled
from gis_service.coverage.areas.cell_kernels import (
    Bools,
    Cells,
    Floats,
    Ints,
    Longs,
    Singles,
    Small,
)

_SMALLEST_TURN = 0.05
_MOST_TURNS = 128
"""Vertices of a piece: a whole turn has no more."""


class Border(NamedTuple):
    """
    Pieces of border, each with its band on the left.

    Attributes
    ----------
    x, y
        Vertices, metres. Pieces begin and end in exactly equal numbers.
    piece
        Piece ``k`` has the vertices ``piece[k]`` to ``piece[k + 1]``; ``piece[0]`` is 0.
    band
        By piece.
    """

    x: Floats
    y: Floats
    piece: Longs
    band: Longs


class _Ridge(NamedTuple):
    """A ridge on its own line, seen from the middle between its points."""

    # Where its ends lie, and how far they are from both points.
    low: float
    high: float
    low_d: float
    high_d: float
    # Half the distance of the points.
    half: float


class _Arc(NamedTuple):
    """A part of a circle, counterclockwise."""

    centre_x: float
    centre_y: float
    start_x: float
    start_y: float
    end_x: float
    end_y: float
    turn: float


@compiled
def draw_outline(
    chosen: Longs,
    first: int,
    radius: Singles,
    whole: Small,
    cells: Cells,
    sagitta: float,
    most: int,
    border: Border,
    filled: Longs,
) -> int:
    """
    Draw the borders of bands.

    Band ``k`` is what lies not farther from the point of its cell than circle ``k`` and farther
    than every smaller one.

    Parameters
    ----------
    chosen
        Cells that have a part in some band.
    first
        Of them the first to be drawn.
    radius
        By point its circles, not falling; below 0: none. All below 0 for points not chosen.
    whole
        The band that a whole cell lies in, or -1; a cell among such of its own band is passed over.
    cells
        All of them.
    sagitta
        Metres between a chord and its arc.
    most
        Corners of the cell that has most of them.
    border
        Filled.
    filled
        How many pieces and how many vertices there are; 0 before the first cell.

    Returns
    -------
    int
        The first cell that was not drawn, because what is drawn of it might find no room: call
        again with larger arrays. (Were they made larger here, the compiler would count at every
        step who holds them.)
    """
    # One long loop: helpers get numbers and few arrays. Where all arrays are handed on for each
    # ridge and each arc, compiled code counts their holders every time: six times as slow.
    circles, room = radius.shape[1], 2 * most + 4
    x, y, start, corner, neighbour, ridges, corner_x, corner_y, corner_d = cells
    out_x, out_y, piece, band = border
    pieces, used = filled[0], filled[1]
    # Of one ridge, from its low end on: where a circle crosses it, and which (those of the other
    # point after the cell's own); whether the low end, or what comes after, lies within each.
    event_t = np.empty(4 * circles, np.float64)
    event_of = np.empty(4 * circles, np.int64)
    inside = np.empty(2 * circles, np.bool_)
    # Of each circle around the cell's point, where it leaves and enters the cell, in walking order,
    # and at which ridge.
    cross_x, cross_y = np.empty((circles, room)), np.empty((circles, room))
    cross_ridge = np.empty((circles, room), np.int64)
    cross_count = np.zeros(circles, np.int64)
    for place in range(first, len(chosen)):
        i = chosen[place]
        begin, end = start[i], start[i + 1]
        if begin == end or _is_in_its_band(whole, neighbour, i, begin, end):
            continue
        most_pieces = (end - begin) * (4 * circles + 1) + (end - begin + 1) * 2 * circles
        if pieces + most_pieces + 1 > len(piece) or used + most_pieces * _MOST_TURNS > len(out_x):
            filled[0], filled[1] = pieces, used
            return place
        cross_count[:] = 0
        innermost = circles  # the smallest circle that has a corner of the cell in it
        for at in range(begin, end):
            j = neighbour[at]
            # Most ridges lie wholly in one band on either side: no circle crosses them.
            near, far, apart = ridges[at, 0], ridges[at, 1], ridges[at, 2]
            mine, is_crossed = _find_band(radius, i, near, far, apart)
            theirs = circles
            if not is_crossed:
                if mine == circles:
                    continue
                theirs, is_crossed = _find_band(radius, j, near, far, apart)
            a, b = corner[at], corner[at + 1 if at + 1 < end else begin]
            is_forward, events = True, 0
            middle_x, middle_y, unit_x, unit_y = 0.0, 0.0, 0.0, 0.0
            if not is_crossed:
                innermost = min(innermost, mine)
                if mine == theirs:
                    continue
            else:
                innermost = min(innermost, circles - _count_around(radius, i, corner_d[a]))
                is_forward = i < j
                p, q = (i, j) if is_forward else (j, i)
                if not is_forward:
                    a, b = b, a
                middle_x, middle_y = 0.5 * (x[p] + x[q]), 0.5 * (y[p] + y[q])
                length, unit_x, unit_y = _find_direction(x[q] - x[p], y[q] - y[p])
                ridge = _Ridge(
                    (corner_x[a] - middle_x) * unit_x + (corner_y[a] - middle_y) * unit_y,
                    (corner_x[b] - middle_x) * unit_x + (corner_y[b] - middle_y) * unit_y,
                    corner_d[a],
                    corner_d[b],
                    min(0.5 * length, corner_d[a], corner_d[b]),
                )
                events = _find_crossings(radius, i, j, ridge, event_t, event_of, inside)
                # This cell is walked along the ridge from its low end or its high.
                for step in range(events):
                    event = step if is_forward else events - 1 - step
                    k = event_of[event]
                    if k < circles and cross_count[k] < room:
                        n = cross_count[k]
                        cross_x[k, n] = middle_x + unit_x * event_t[event]
                        cross_y[k, n] = middle_y + unit_y * event_t[event]
                        cross_ridge[k, n] = at
                        cross_count[k] = n + 1
                mine = theirs = circles
                for k in range(circles):
                    mine -= inside[k]
                    theirs -= inside[circles + k]
            from_x, from_y = corner_x[a], corner_y[a]
            for event in range(events + 1):
                if event < events:
                    to_x = middle_x + unit_x * event_t[event]
                    to_y = middle_y + unit_y * event_t[event]
                else:
                    to_x, to_y = corner_x[b], corner_y[b]
                if mine < circles and mine != theirs and (from_x != to_x or from_y != to_y):
                    if is_forward:
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
                    circle = event_of[event]
                    inside[circle] = not inside[circle]
                    step_in = -1 if inside[circle] else 1
                    if circle < circles:
                        mine += step_in
                    else:
                        theirs += step_in
        for k in range(circles):
            reach = np.float64(radius[i, k])
            crossed = cross_count[k]
            if reach <= 0.0 or (k > 0 and radius[i, k - 1] >= reach):
                continue
            if crossed == 0 and innermost <= k:
                continue
            beyond = k + 1
            while beyond < circles and radius[i, beyond] <= reach:
                beyond += 1
            # A little less than what the height of the chord allows.
            angle = max(2.0 * math.sqrt(2.0 * min(sagitta / reach, 1.0)), _SMALLEST_TURN)
            # If the walk starts within the circle the first crossing leads out of it, and so on.
            starts_within = corner_d[corner[begin]] <= reach
            for n in range(0 if starts_within or crossed == 0 else 1, max(crossed, 1), 2):
                if crossed == 0:
                    arc = _Arc(x[i], y[i], x[i] + reach, y[i], x[i] + reach, y[i], 2 * math.pi)
                else:
                    m = n + 1 if n + 1 < crossed else 0
                    is_round_about = crossed == 2 and cross_ridge[k, 0] == cross_ridge[k, 1]
                    arc = _find_arc(
                        x[i], y[i], cross_x[k, n], cross_y[k, n], cross_x[k, m], cross_y[k, m],
                        is_round_about,
                    )  # fmt: skip
                    if arc.start_x == arc.end_x and arc.start_y == arc.end_y:
                        continue
                parts = max(math.ceil(arc.turn / angle - 1e-9), 8 if crossed == 0 else 1)
                before = used
                used = _write_arc(out_x, out_y, used, arc, parts)
                band[pieces] = k
                pieces += 1
                piece[pieces] = used
                if beyond < circles:  # the rim of one band is the hole of another, other way round
                    used = _write_reversed(out_x, out_y, used, before)
                    band[pieces] = beyond
                    pieces += 1
                    piece[pieces] = used
    filled[0], filled[1] = pieces, used
    return len(chosen)


@compiled
def _is_in_its_band(whole: Small, neighbour: Ints, point: int, begin: int, end: int) -> bool:
    """Tell whether a cell and all around it lie wholly in one band."""
    if whole[point] < 0:
        return False
    for at in range(begin, end):  # noqa: SIM110 (slower as a generator)
        if whole[neighbour[at]] != whole[point]:
            return False
    return True


@compiled
def _find_band(
    radius: Singles, point: int, near: float, far: float, apart: float
) -> tuple[int, bool]:
    """Find the band of a point at a ridge, and whether one of its circles crosses the ridge."""
    band = radius.shape[1]
    while band > 0 and radius[point, band - 1] >= far:
        band -= 1
    # A circle that nearly touches the ridge counts as crossing it.
    smaller = radius[point, band - 1] if band > 0 else -1.0
    return band, smaller >= 0.0 and (smaller >= near or smaller * smaller >= apart)


@compiled
def _count_around(radius: Singles, point: int, distance: float) -> int:
    """Count the point's circles, which grow, that a distance is not beyond."""
    count = 0
    for k in range(radius.shape[1] - 1, -1, -1):
        if radius[point, k] < distance:
            break
        count += 1
    return count


@compiled
def _find_direction(dx: float, dy: float) -> tuple[float, float, float]:
    """Find the length of a line, and the direction across it to the left, as a unit."""
    length = math.sqrt(dx * dx + dy * dy)
    return length, -dy / length, dx / length


@compiled
def _find_crossings(
    radius: Singles,
    i: int,
    j: int,
    ridge: _Ridge,
    event_t: Floats,
    event_of: Longs,
    inside: Bools,
) -> int:
    """Find where the circles of two points cross the ridge between them, from its low end on."""
    # How often one crosses is decided by the ends of the ridge, so that both cells agree.
    low, high, half = ridge.low, ridge.high, ridge.half
    circles = radius.shape[1]
    events = 0
    for circle in range(2 * circles):
        reach = np.float64(radius[i, circle] if circle < circles else radius[j, circle - circles])
        in_low, in_high = ridge.low_d <= reach, ridge.high_d <= reach
        inside[circle] = in_low
        number = 0
        t_first, t_second = 0.0, 0.0
        if in_low != in_high:
            root = math.sqrt(max(reach * reach - half * half, 0.0))
            t_first = root if in_low else -root
            if low >= 0.0 and high >= 0.0:
                t_first = root
            elif low <= 0.0 and high <= 0.0:
                t_first = -root
            t_first = min(max(t_first, low), max(low, high))
            number = 1
        elif not in_low and reach > half and low < 0.0 < high:
            root = math.sqrt(max(reach * reach - half * half, 0.0))
            t_first, t_second = max(-root, low), min(root, high)
            number = 2
        for n in range(number):
            t = t_first if n == 0 else t_second
            place = events
            while place > 0 and event_t[place - 1] > t:
                event_t[place], event_of[place] = event_t[place - 1], event_of[place - 1]
                place -= 1
            event_t[place], event_of[place] = t, circle
            events += 1
    return events


@compiled
def _find_arc(
    x: float,
    y: float,
    start_x: float,
    start_y: float,
    end_x: float,
    end_y: float,
    is_round_about: bool,  # noqa: FBT001
) -> _Arc:
    """Find the arc around a point from where its circle leaves the cell to where it enters."""
    ax, ay = start_x - x, start_y - y
    bx, by = end_x - x, end_y - y
    turn = math.atan2(ax * by - ay * bx, ax * bx + ay * by)
    if turn < 0.0:
        turn += 2 * math.pi
    if turn > 2 * math.pi - 1e-3 and not is_round_about:
        turn = 0.0
    return _Arc(x, y, start_x, start_y, end_x, end_y, turn)


@compiled
def _write_arc(out_x: Floats, out_y: Floats, used: int, arc: _Arc, parts: int) -> int:
    """Write an arc as so many chords."""
    out_x[used], out_y[used] = arc.start_x, arc.start_y
    used += 1
    if parts > 1:
        turned_x, turned_y = math.cos(arc.turn / parts), math.sin(arc.turn / parts)
        off_x, off_y = arc.start_x - arc.centre_x, arc.start_y - arc.centre_y
        for _ in range(parts - 1):
            off_x, off_y = off_x * turned_x - off_y * turned_y, off_x * turned_y + off_y * turned_x
            out_x[used], out_y[used] = arc.centre_x + off_x, arc.centre_y + off_y
            used += 1
    out_x[used], out_y[used] = arc.end_x, arc.end_y
    return used + 1


@compiled
def _write_reversed(out_x: Floats, out_y: Floats, used: int, before: int) -> int:
    """Write what was just written once more, the other way round."""
    for back in range(used - 1, before - 1, -1):
        out_x[used], out_y[used] = out_x[back], out_y[back]
        used += 1
    return used
