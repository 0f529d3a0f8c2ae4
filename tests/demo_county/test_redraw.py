"""Two hundred random edits in a row on the demo county, and all of them undone."""

import random

import pytest
import shapely

from gis_service.boundaries.editing.checks import BaseLand, Context, check
from gis_service.boundaries.editing.edits import Draft
from gis_service.boundaries.linework.atoms import SLIVER_M2
from gis_service.boundaries.linework.tessellation import Tessellation
from scripts.demo_county.boundaries import Boundaries
from tests.boundaries import redrawing

COVER = {"gap", "overlap", "outline", "invalid", "level"}
WHOLE_EVERY = 4


@pytest.fixture(scope="module")
def context(boundaries: Boundaries) -> Context:
    version = boundaries.version(2)
    base = Tessellation(version.keys, version.arcs, version.kinds, version.left, version.right)
    above = dict(zip(version.grids["key"], version.grids["parent"], strict=True))
    villages = {above[key] for key in version.keys}
    return Context(
        BaseLand(base, {key: above[key] for key in version.keys}),
        upper=[{one: above[one] for one in villages}],
    )


def test_two_hundred_edits_in_a_row_and_all_undone(context: Context) -> None:
    draft = Draft(context.land.base, context.land.parents)
    first = redrawing.wkb(draft)
    faces = draft.faces()
    areas = {key: face.area for key, face in faces.items()}
    kinds = set()
    for count, change in enumerate(redrawing.edited(draft, random.Random(7), 200)):
        kinds.add(change.kind)
        redrawing.assert_touched_only(draft, change, areas)
        redrawing.assert_no_slivers(change, SLIVER_M2)
        there = [key for key in (*change.touched, *change.renoded) if key in change.after]
        assert [one for one in check(draft, context, there) if one.rule in COVER] == []
        if count % WHOLE_EVERY == 0:
            redrawing.assert_whole(draft, context)
    redrawing.assert_whole(draft, context)
    redrawing.assert_faces_are_the_arcs(draft)
    assert len(kinds) == 7
    while draft.changes:
        draft.undo()
    assert redrawing.wkb(draft) == first
    now = draft.faces()
    assert all(shapely.equals_identical(now[key], faces[key]) for key in faces)
