"""Buildings handed over take their land along, and nobody else's."""

import numpy as np
import pytest
import shapely

from gis_service.boundaries.editing.checks import BaseLand, Context
from gis_service.boundaries.editing.edits import Draft
from gis_service.boundaries.editing.handing_over import find_region
from gis_service.boundaries.linework.tessellation import Tessellation
from gis_service.errors import InputError
from tests.boundaries import redrawing
from tests.boundaries.test_edits import STEP, at, parents_of, straight

__all__ = ["straight"]  # fixture


def houses(column: int, row: int, n: int = 4) -> list[shapely.Polygon]:
    """Draw n × n houses in a grid, row by row from the south-west."""
    made = []
    for place in range(n * n):
        x, y = at(column + (place % n + 0.5) / n, row + (place // n + 0.5) / n)
        made.append(shapely.box(x, y, x + STEP / 40, y + STEP / 50))
    return made


def handed_over(
    straight: Tessellation, chosen: list[int], to: str = "21"
) -> tuple[Draft, np.ndarray]:
    draft = Draft(straight, parents_of(straight))
    footprints = np.array(houses(2, 2), dtype=object)
    mask = np.isin(np.arange(16), chosen)
    region = find_region(mask, footprints, draft.faces(["22", to]), to)
    draft.apply({"kind": "hand_over_buildings", "region": region, "to": to})
    redrawing.assert_whole(draft, Context(BaseLand(straight, parents_of(straight))))
    return draft, footprints


@pytest.mark.parametrize("chosen", [[0], [0, 4], [4, 5, 8], [0, 4, 8, 12]])
def test_buildings_at_the_border_go_with_their_land_and_uncut(
    straight: Tessellation, chosen: list[int]
) -> None:
    draft, footprints = handed_over(straight, chosen)
    face = draft.faces(["21"])["21"]
    inside = shapely.covers(face.buffer(1e-8), footprints)
    assert np.flatnonzero(inside).tolist() == chosen
    assert not shapely.crosses(shapely.boundary(face), footprints).any()
    assert len(face.geoms) == 1
    assert len(draft.faces(["22"])["22"].geoms) == 1


def test_a_building_in_the_middle_is_joined_by_a_strip_between_the_others(
    straight: Tessellation,
) -> None:
    draft, footprints = handed_over(straight, [6])
    face = draft.faces(["21"])["21"]
    assert len(face.geoms) == 1
    assert shapely.covers(face, footprints[6])
    others = np.delete(footprints, 6)
    assert not shapely.intersects(face, shapely.point_on_surface(others)).any()


def test_points_without_outline_are_handed_over_too(straight: Tessellation) -> None:
    draft = Draft(straight, parents_of(straight))
    points = shapely.centroid(np.array(houses(2, 2), dtype=object))
    region = find_region(np.arange(16) < 1, points, draft.faces(["22", "21"]), "21")
    draft.apply({"kind": "give", "region": region, "to": "21"})
    held = shapely.intersects(draft.faces(["21"])["21"], points)
    assert np.flatnonzero(held).tolist() == [0]


@pytest.mark.parametrize(
    ("chosen", "to", "key"),
    [(range(16), "21", "all_buildings"), ([0], "22", "no_buildings"), ([], "21", "no_buildings")],
)
def test_what_cannot_be_handed_over_is_said(
    straight: Tessellation, chosen: list[int], to: str, key: str
) -> None:
    with pytest.raises(InputError) as caught:
        handed_over(straight, list(chosen), to)
    assert caught.value.key == f"boundaries.{key}"
