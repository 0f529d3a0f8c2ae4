"""Simplifying a coverage keeps it one, and every border is found once with what it divides."""

import numpy as np
import pytest
import shapely

from gis_service.geodesy import GeometryArray
from gis_service.maps.tiles.generalise import dissolve, find_borders, find_chains, simplify
from tests.support import SIDE, SOUTH, WEST, cell

LATTICE = 1e-9
"""Degrees; the corners of neighbours are the same only there."""

FACES = np.asarray(
    shapely.set_precision([cell(column, row) for row in range(3) for column in range(3)], LATTICE),
    dtype=object,
)
PARENTS = {face: 10 + face // 3 for face in range(9)} | {10: 20, 11: 20, 12: 20, 20: None}


def wavy(faces: GeometryArray, points: int = 40) -> GeometryArray:
    """The same faces with many small waves on every border, alike for both neighbours."""
    dense = shapely.set_precision(
        shapely.segmentize(faces, SIDE / points), LATTICE, mode="pointwise"
    )

    def wave(xy: np.ndarray) -> np.ndarray:
        step = np.sin(xy * 2e4) * SIDE / 60
        return np.asarray(xy + step[:, ::-1])

    waved = shapely.transform(dense, wave)
    return np.asarray(shapely.set_precision(waved, LATTICE, mode="pointwise"), dtype=object)


@pytest.mark.parametrize("tolerance", [0.0, 1e-4, 1e-3, 5e-3])
def test_neighbours_never_part(tolerance: float) -> None:
    drawn = simplify(wavy(FACES), tolerance)
    whole = shapely.coverage_union_all(drawn)
    assert shapely.coverage_is_valid(drawn)
    assert isinstance(whole, shapely.Polygon)
    assert not whole.interiors
    assert shapely.area(drawn).sum() == pytest.approx(whole.area, rel=1e-12)


def test_simplifying_leaves_fewer_vertices() -> None:
    faces = wavy(FACES)
    assert shapely.get_num_coordinates(simplify(faces, 1e-3)).sum() < 500
    assert shapely.get_num_coordinates(faces).sum() > 1400


def test_upper_grids_are_put_together_from_the_drawn_ones() -> None:
    drawn = simplify(wavy(FACES), 1e-3)
    ids, shapes = dissolve(drawn, [PARENTS[face] or 0 for face in range(9)])
    assert ids.tolist() == [10, 11, 12]
    for row, shape in enumerate(shapes):
        assert shape.equals(shapely.union_all(drawn[3 * row : 3 * row + 3]))


def test_every_border_is_found_once_with_its_level() -> None:
    found = find_borders(FACES, find_chains(range(9), PARENTS, 3))
    by_level: dict[int, float] = {}
    for level, line in found:
        by_level[level] = by_level.get(level, 0) + line.length / SIDE
    assert {level: round(sides, 6) for level, sides in by_level.items()} == {0: 12, 2: 6, 3: 6}


def test_no_faces_have_no_borders() -> None:
    nothing = np.array([], dtype=object)
    assert find_borders(nothing, find_chains([], {}, 3)) == []
    assert len(simplify(nothing, 1e-3)) == 0


def test_a_short_chain_repeats_its_top() -> None:
    assert find_chains([5], {5: 2, 2: None}, 4).tolist() == [[2, 2, 2, 5]]


def test_the_outer_border_lies_around_the_county() -> None:
    outer = [
        line for level, line in find_borders(FACES, find_chains(range(9), PARENTS, 3)) if level == 0
    ]
    bounds = shapely.total_bounds(np.array(outer, dtype=object))
    assert bounds == pytest.approx([WEST, SOUTH, WEST + 3 * SIDE, SOUTH + 3 * SIDE])
