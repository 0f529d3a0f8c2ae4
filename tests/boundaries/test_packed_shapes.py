"""Packed shapes are found and given as if each were held as a geometry."""

import numpy as np
import pytest
import shapely

from gis_service.boundaries.linework.packed_shapes import PackedShapes


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 3000])
def test_what_is_found_is_what_a_tree_of_geometries_finds(count: int) -> None:
    dice = np.random.default_rng(count)
    x, y = dice.uniform(0, 10, (2, count))
    wide, high = dice.uniform(0.01, 0.3, (2, count))
    shapes = np.asarray(shapely.box(x, y, x + wide, y + high), dtype=object)
    shapes[::7] = shapely.points(x, y)[::7]
    ends = dice.uniform(0, 10, (40, 2, 2))
    lines = np.asarray(shapely.linestrings(ends), dtype=object)
    packed, tree = PackedShapes(shapes), shapely.STRtree(shapes)
    assert len(packed) == count
    for found, expected in (
        (packed.query(lines), tree.query(lines)),
        (packed.query(lines, "crosses"), tree.query(lines, predicate="crosses")),
    ):
        assert set(zip(*map(np.ndarray.tolist, found), strict=True)) == set(
            zip(*map(np.ndarray.tolist, expected), strict=True)
        )
    chosen = np.arange(count)[::5]
    assert shapely.equals_identical(packed[chosen], shapes[chosen]).all()
