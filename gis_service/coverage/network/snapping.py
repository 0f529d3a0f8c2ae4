"""The nearest line to many points: an index of cells over straight pieces, compiled.

Plain numbers in a plane in metres; what a line stands for is nobody's business here. Distances
are computed as GEOS does it, so that the answers are those of ``shapely.distance``.
"""

# ruff: noqa: C901, PLR0912
# Loops in flat arrays are what the compiler makes fast.

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from gis_service.compiled import compiled

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]

CELL_M: Final = 80.0
"""Side of a cell; it never changes an answer."""
_MOST_CELLS: Final = 4_000_000


class LineIndex(NamedTuple):
    """Lines as straight pieces, and which pieces touch each cell."""

    # All vertices, line after line.
    x: Floats
    y: Floats
    # Index of each line's first vertex, and one more at the end.
    first: Longs
    # By vertex, the line whose piece begins there.
    piece_line: Longs
    # Of the cells.
    west: float
    south: float
    cell_m: float
    # How many cells there are each way.
    wide: int
    high: int
    # The pieces of each cell, by the vertex at which they begin.
    cell_first: Longs
    cell_piece: Longs


def index_lines(x: Floats, y: Floats, vertices: Longs) -> LineIndex:
    """Make the index."""
    first = np.concatenate(([0], np.cumsum(vertices))).astype(np.int64)
    piece_line = np.repeat(np.arange(len(vertices)), vertices).astype(np.int64)
    west, south = float(x.min()), float(y.min())
    across, up = float(x.max()) - west, float(y.max()) - south
    cell_m = max(CELL_M, float(np.sqrt(across * up / _MOST_CELLS)), (across + up) / _MOST_CELLS)
    wide, high = int(across / cell_m) + 1, int(up / cell_m) + 1
    size = np.zeros(wide * high + 1, np.int64)
    _fill_cells(x, y, piece_line, west, south, cell_m, wide, high, size, np.zeros(0, np.int64))
    cell_first = np.concatenate(([0], np.cumsum(size[:-1]))).astype(np.int64)
    cell_piece = np.empty(cell_first[-1], np.int64)
    _fill_cells(
        x, y, piece_line, west, south, cell_m, wide, high, cell_first[:-1].copy(), cell_piece
    )
    return LineIndex(
        x, y, first, piece_line, west, south, cell_m, wide, high, cell_first, cell_piece
    )


@compiled
def _fill_cells(
    x: Floats,
    y: Floats,
    piece_line: Longs,
    west: float,
    south: float,
    cell_m: float,
    wide: int,
    high: int,
    at: Longs,
    piece: Longs,
) -> None:
    """Go through the cells of every piece, column by column: count them, or write the piece."""
    for begin in range(len(x) - 1):
        if piece_line[begin] != piece_line[begin + 1]:
            continue
        x1, y1, x2, y2 = x[begin], y[begin], x[begin + 1], y[begin + 1]
        if x1 > x2:
            x1, y1, x2, y2 = x2, y2, x1, y1
        left = min(max(int((x1 - west) / cell_m), 0), wide - 1)
        right = min(max(int((x2 - west) / cell_m), 0), wide - 1)
        for column in range(left, right + 1):
            low, top = y1, y2
            if right > left:
                slope = (y2 - y1) / (x2 - x1)
                low = y1 + slope * (max(x1, west + column * cell_m) - x1)
                top = y1 + slope * (min(x2, west + (column + 1) * cell_m) - x1)
            if low > top:
                low, top = top, low
            # A hair more, so that rounding loses no cell.
            bottom = min(max(int((low - south - 1e-6) / cell_m), 0), high - 1)
            upper = min(max(int((top - south + 1e-6) / cell_m), 0), high - 1)
            for row in range(bottom, upper + 1):
                cell = row * wide + column
                if len(piece):
                    piece[at[cell]] = begin
                at[cell] += 1


@compiled
def _measure_distance(px: float, py: float, x1: float, y1: float, x2: float, y2: float) -> float:
    dx, dy = x2 - x1, y2 - y1
    square = dx * dx + dy * dy
    if square == 0.0:
        return float(np.sqrt((px - x1) ** 2 + (py - y1) ** 2))
    share = ((px - x1) * dx + (py - y1) * dy) / square
    if share <= 0.0:
        return float(np.sqrt((px - x1) ** 2 + (py - y1) ** 2))
    if share >= 1.0:
        return float(np.sqrt((px - x2) ** 2 + (py - y2) ** 2))
    return float(abs(((y1 - py) * dx - (x1 - px) * dy) / square) * np.sqrt(square))


@compiled
def _find_fraction(x: Floats, y: Floats, begin: int, end: int, px: float, py: float) -> float:
    """Find how far along a line, given by its vertices, the place nearest to a point lies."""
    least, passed, place = np.inf, 0.0, 0.0
    for vertex in range(begin, end - 1):
        x1, y1, x2, y2 = x[vertex], y[vertex], x[vertex + 1], y[vertex + 1]
        dx, dy = x2 - x1, y2 - y1
        length = np.sqrt(dx * dx + dy * dy)
        away = _measure_distance(px, py, x1, y1, x2, y2)
        if away < least:
            least = away
            share = 0.0
            if length > 0.0:
                share = ((px - x1) * dx + (py - y1) * dy) / (length * length)
            place = passed + min(max(share, 0.0), 1.0) * length
        passed += length
    return place / passed if passed > 0.0 else 0.0


@compiled
def _find_for_each(
    index: LineIndex,
    points_x: Floats,
    points_y: Floats,
    cap_m: float,
    tie_m: float,
    line: Longs,
    metres: Floats,
    fraction: Floats,
) -> None:
    """Fill in the nearest line of each point, its distance, and the place on it."""
    x, y, first, piece_line, west, south, cell_m, wide, high, cell_first, cell_piece = index
    for point in range(len(points_x)):
        px, py = points_x[point], points_y[point]
        line[point], metres[point], fraction[point] = -1, np.inf, 0.0
        if not (np.isfinite(px) and np.isfinite(py)):
            continue
        column = int(np.floor((px - west) / cell_m))
        row = int(np.floor((py - south) / cell_m))
        # How far from the point its own cell ends; outside all cells it counts from their edge.
        ahead = min(
            px - (west + column * cell_m),
            west + (column + 1) * cell_m - px,
            py - (south + row * cell_m),
            south + (row + 1) * cell_m - py,
        )
        nearest, chosen = np.inf, -1
        for again in range(2):  # first how near the nearest is, then the lowest of those as near
            ring = 0
            while True:
                safe = ahead + ring * cell_m  # all that is nearer than this has been looked at
                for r in range(max(row - ring, 0), min(row + ring + 1, high)):
                    step = 1 if r == row - ring or r == row + ring or ring == 0 else 2 * ring
                    for c in range(column - ring, column + ring + 1, step):
                        if c < 0 or c >= wide:
                            continue
                        cell = r * wide + c
                        for k in range(cell_first[cell], cell_first[cell + 1]):
                            begin = cell_piece[k]
                            away = _measure_distance(
                                px, py, x[begin], y[begin], x[begin + 1], y[begin + 1]
                            )
                            if again == 0:
                                nearest = min(nearest, away)
                            elif away <= nearest + tie_m and (
                                chosen < 0 or piece_line[begin] < chosen
                            ):
                                chosen = piece_line[begin]
                if safe > min(nearest + tie_m, cap_m):
                    break
                ring += 1
            if nearest > cap_m:
                break
        if chosen >= 0:
            line[point], metres[point] = chosen, nearest
            fraction[point] = _find_fraction(x, y, first[chosen], first[chosen + 1], px, py)


def find_nearest_lines(
    index: LineIndex, x: Floats, y: Floats, cap_m: float, tie_m: float
) -> tuple[Longs, Floats, Floats]:
    """Find for each point the nearest line."""
    line, metres = np.empty(len(x), np.int64), np.empty(len(x))
    fraction = np.empty(len(x))
    _find_for_each(index, x, y, cap_m, tie_m, line, metres, fraction)
    return line, metres, fraction
