"""Compile what places are located with before anybody waits for it: some seconds, once a machine.

Knows nothing of the store: two drawn squares go through every compiled function.
"""

import numpy as np
import shapely

from gis_service.grids.batch.csv_blocks import (
    BytePieces,
    add_behind_rows,
    find_formula_cells,
    read_numbers,
    scan_rows,
)
from gis_service.grids.locator.locator import Locator


def compile_all() -> None:
    """Call each function once with the kinds of numbers it will meet; later calls are quick."""
    squares = [shapely.box(0.0, 0.0, 1.0, 1.0), shapely.box(1.0, 0.0, 2.0, 1.0)]
    locator = Locator([1, 2], np.asarray(squares, dtype=object))
    lon, lat = np.array([0.5, 1.0, 3.0]), np.array([0.5, 0.5, 0.5])
    located = locator.locate(lon, lat)
    locator.borders_near(lon, lat, located.grid_id)
    locator.find_one(0.5, 0.5)
    block = np.frombuffer(b"1,2\n", dtype=np.uint8)
    rows, _ = scan_rows(block, ord(","), np.array([0, 1], dtype=np.int64), is_last=True)
    filled = np.flatnonzero(rows.end > rows.start)
    read_numbers(block, rows.first[filled, 0], rows.last[filled, 0])
    find_formula_cells(block, ord(","))
    add_behind_rows(block, rows, np.zeros((1, len(rows)), dtype=np.int64), BytePieces([b"x"]))


if __name__ == "__main__":
    compile_all()
