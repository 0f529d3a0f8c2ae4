"""A tessellation drawn by hand, its faces, and what it refuses."""

import numpy as np
import pytest
import shapely

from gis_service.boundaries.linework.tessellation import (
    OUTSIDE,
    Tessellation,
    build_faces,
    from_polygons,
)
from gis_service.errors import InputError
from gis_service.geodesy import area_m2


def squares(n: int = 3) -> tuple[list[str], list[shapely.Polygon]]:
    keys, polygons = [], []
    for row in range(n):
        for column in range(n):
            keys.append(f"{row}{column}")
            x, y = 112.9 + column * 0.01, 28.7 + row * 0.01
            polygons.append(shapely.box(x, y, x + 0.01, y + 0.01))
    return keys, polygons


def test_noding_squares_gives_back_the_same_land() -> None:
    keys, polygons = squares()
    tessellation, flaws = from_polygons(keys, polygons)
    assert flaws == []
    faces = tessellation.faces()
    assert [len(face.geoms) for face in faces] == [1] * 9
    assert np.allclose(area_m2(faces), area_m2(polygons), rtol=1e-9)
    assert shapely.coverage_is_valid(shapely.get_parts(faces))


def test_every_arc_separates_two_different_sides() -> None:
    keys, polygons = squares()
    tessellation, _ = from_polygons(keys, polygons)
    assert (tessellation.left != tessellation.right).all()
    inner = (tessellation.left != OUTSIDE) & (tessellation.right != OUTSIDE)
    assert inner.sum() == 12


def test_a_parent_is_made_of_its_children_and_nothing_else() -> None:
    keys, polygons = squares()
    tessellation, _ = from_polygons(keys, polygons)
    rows = np.repeat([0, 1, 2], 3)
    faces, _, _, _ = tessellation.dissolved(rows, ["a", "b", "c"])
    children = tessellation.faces()
    for parent in range(3):
        union = shapely.union_all(children[rows == parent])
        assert shapely.symmetric_difference(faces[parent], union).area == 0


def test_holes_and_exclaves_are_kept() -> None:
    island = shapely.box(4, 4, 6, 6)
    outer = shapely.Polygon(
        [(0, 0), (10, 0), (10, 10), (0, 10)], holes=[[(4, 4), (6, 4), (6, 6), (4, 6)]]
    )
    around = shapely.MultiPolygon([outer, shapely.box(20, 0, 22, 2)])
    tessellation, _ = from_polygons(["around", "island"], [around, island])
    faces = tessellation.faces()
    assert len(faces[0].geoms) == 2
    assert sum(len(part.interiors) for part in faces[0].geoms) == 1
    assert faces[1].area == pytest.approx(4)


def test_unclaimed_land_inside_is_listed_as_a_gap_and_stays_outside() -> None:
    ring = shapely.Polygon(
        [(0, 0), (10, 0), (10, 10), (0, 10)], holes=[[(4, 4), (6, 4), (6, 6), (4, 6)]]
    )
    tessellation, flaws = from_polygons(["ring"], [ring])
    assert [flaw.kind for flaw in flaws] == ["gap"]
    assert tessellation.faces()[0].area == pytest.approx(96)


def test_an_overlap_beyond_the_tolerance_is_refused_with_names_and_place() -> None:
    with pytest.raises(InputError) as caught:
        from_polygons(["a", "b"], [shapely.box(0, 0, 1, 1), shapely.box(0.9, 0, 2, 1)])
    assert caught.value.key == "boundaries.overlap"
    assert caught.value.values["grids"] == "a / b"
    assert caught.value.place.feature is not None


def test_a_tiny_overlap_is_repaired_and_listed() -> None:
    sliver = 1e-9 * 2
    tessellation, flaws = from_polygons(
        ["a", "b"], [shapely.box(0, 0, 1e-3, 1e-3), shapely.box(1e-3 - sliver, 0, 2e-3, 1e-3)]
    )
    assert [(flaw.kind, flaw.keys) for flaw in flaws] == [("overlap", ("a", "b"))]
    assert shapely.coverage_is_valid(shapely.get_parts(tessellation.faces()))


@pytest.mark.parametrize(
    ("arcs", "left", "right", "key"),
    [
        ([[(0, 0), (1, 0), (1, 1)]], [0], [OUTSIDE], "boundaries.arc_in_the_air"),
        (
            [[(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]],
            [OUTSIDE],
            [0],
            "boundaries.arcs_disagree",
        ),
    ],
)
def test_broken_linework_is_refused(
    arcs: list[list[tuple[int, int]]], left: list[int], right: list[int], key: str
) -> None:
    lines = np.array([shapely.LineString(arc) for arc in arcs], dtype=object)
    with pytest.raises(InputError) as caught:
        build_faces(lines, np.array(left), np.array(right), ["a"])
    assert caught.value.key == key


def test_a_grid_without_land_is_refused() -> None:
    square = shapely.LineString([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)])
    with pytest.raises(InputError) as caught:
        Tessellation(
            ("a", "b"),
            np.array([square], dtype=object),
            np.array(["other"]),
            np.array([0]),
            np.array([OUTSIDE]),
        ).faces()
    assert caught.value.key == "boundaries.grid_without_land"
