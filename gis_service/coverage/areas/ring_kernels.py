"""Pieces of border put together to rings, and rings to polygons with their holes, compiled.

Plain numbers in flat arrays; what a band is, is nobody's business here.
"""

# ruff: noqa: C901, PLR0912, PLR0915
# Loops in flat arrays are what the compiler makes fast.

import numpy as np

from gis_service.compiled import compiled
from gis_service.coverage.areas.cell_kernels import Bools, Bytes, Floats, Ints, Longs


@compiled
def join_pieces(
    x: Floats, y: Floats, piece: Longs, band: Longs, bands: int
) -> tuple[Floats, Floats, Longs, Floats, Longs, Bools]:
    """
    Put pieces of border together.

    Parameters
    ----------
    x, y, piece, band
        Of :class:`outline_kernels.Border`, as far as they are filled.
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
        at = _hash_corner(key_x[begins] + band[k], key_y[begins], size)
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
            at = _hash_corner(key_x[last] + mine, key_y[last], size)
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
def write_nested(
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
        Of :func:`join_pieces`; they do not touch.
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
    parent = _find_parents(x, y, ring, area, chosen)
    following, inside = _chain_holes(parent)
    return _write_wkb(x, y, ring, chosen, parent, following, inside)


@compiled
def _find_parents(x: Floats, y: Floats, ring: Longs, area: Floats, chosen: Longs) -> Longs:
    """Find the shell around each hole; a shell is its own, -1 where there is none."""
    count = len(chosen)
    parent = np.full(count, -1, np.int64)
    holes = np.empty(count, np.int64)
    left, height = np.empty(count, np.float64), np.empty(count, np.float64)
    number = 0
    for k in range(count):
        begins, ends = ring[chosen[k]], ring[chosen[k] + 1]
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
        _look_leftwards(x, y, ring, chosen, holes[:number], left, height, parent)
    return parent


@compiled
def _look_leftwards(
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
    best, behind = np.full(number, -np.inf), np.full(number, -1, np.int64)
    for k in range(len(chosen)):
        for vertex in range(ring[chosen[k]], ring[chosen[k] + 1] - 1):
            begins, ends = y[vertex], y[vertex + 1]
            bottom, top = min(begins, ends), max(begins, ends)
            if top <= low or bottom > high:
                continue
            n = first[min(max(int((bottom - low) / row_m) - 1, 0), rows)]
            while n < number:
                hole = by_height[n]
                at = height[hole]
                if at >= top:
                    break
                if at >= bottom and holes[hole] != k:
                    share = (at - begins) / (ends - begins)
                    border = x[vertex] + share * (x[vertex + 1] - x[vertex])
                    if best[hole] < border <= left[hole]:
                        best[hole], behind[hole] = border, k
                n += 1
    for n in np.argsort(left[:number]):
        if behind[n] >= 0:
            parent[holes[n]] = parent[behind[n]]


@compiled
def _chain_holes(parent: Longs) -> tuple[Longs, Ints]:
    """Chain each shell's holes in their order, and count them by shell."""
    following = np.full(len(parent), -1, np.int64)
    inside = np.zeros(len(parent), np.int32)
    for hole in range(len(parent) - 1, -1, -1):
        shell = parent[hole]
        if shell >= 0 and shell != hole:
            following[hole] = following[shell]
            following[shell] = hole
            inside[shell] += 1
    return following, inside


@compiled
def _write_wkb(
    x: Floats, y: Floats, ring: Longs, chosen: Longs, parent: Longs, following: Longs, inside: Ints
) -> Bytes:
    """Write the shells in their order, each followed by its holes."""
    count = len(chosen)
    size, shells, longest = 9, 0, 0
    for k in range(count):
        longest = max(longest, ring[chosen[k] + 1] - ring[chosen[k]])
        if parent[k] >= 0:
            size += 4 + 16 * (ring[chosen[k] + 1] - ring[chosen[k]])
            if parent[k] == k:
                size += 9
                shells += 1
    order = np.ones(1, np.int32).view(np.uint8)[0]
    wkb = np.empty(size, np.uint8)
    word = np.empty(1, np.int32)
    word_bytes = word.view(np.uint8)
    wkb[0] = order
    word[0] = 6
    wkb[1:5] = word_bytes
    word[0] = shells
    wkb[5:9] = word_bytes
    used = 9
    corners = np.empty(2 * longest, np.float64)
    corner_bytes = corners.view(np.uint8)
    for shell in range(count):
        if parent[shell] != shell:
            continue
        wkb[used] = order
        word[0] = 3
        wkb[used + 1 : used + 5] = word_bytes
        word[0] = 1 + inside[shell]
        wkb[used + 5 : used + 9] = word_bytes
        used += 9
        k = shell
        while k >= 0:
            begins = ring[chosen[k]]
            length = ring[chosen[k] + 1] - begins
            word[0] = length
            wkb[used : used + 4] = word_bytes
            used += 4
            for vertex in range(length):
                corners[2 * vertex] = x[begins + vertex]
                corners[2 * vertex + 1] = y[begins + vertex]
            wkb[used : used + 16 * length] = corner_bytes[: 16 * length]
            used += 16 * length
            k = following[k]
    return wkb


@compiled
def _hash_corner(a: int, b: int, size: int) -> int:
    mixed = (a ^ (b * 7046029254386353131)) * 2685821657736338717
    return (mixed ^ (mixed >> 29)) & (size - 1)
