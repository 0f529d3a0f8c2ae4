"""Proposals part land into grids of one size, as edits that can be applied."""

import numpy as np
import pytest
import shapely

from gis_service.boundaries.editing.balance import Loads, Units
from gis_service.boundaries.editing.checks import BaseLand, Context
from gis_service.boundaries.editing.edits import Draft
from gis_service.boundaries.editing.partition import TASTES, propose
from gis_service.boundaries.editing.rules import read_rules
from gis_service.boundaries.linework.packed_shapes import PackedShapes
from gis_service.boundaries.linework.tessellation import Tessellation
from gis_service.errors import InputError
from tests.boundaries import redrawing
from tests.boundaries.test_edits import at, line, parents_of, straight

__all__ = ["straight"]  # fixture


@pytest.fixture(scope="module")
def streets() -> PackedShapes:
    """Draw three streets each way through grid 22 and its neighbours, and one that bends."""
    made = [line((1 + 3 * t, 0.9), (1 + 3 * t, 4.1)) for t in (0.2, 0.45, 0.6, 0.8)]
    made += [line((0.9, 1 + 3 * t), (4.1, 1 + 3 * t)) for t in (0.25, 0.5, 0.55, 0.7)]
    made.append(line((1, 1), (2.5, 2.1), (4, 2.4)))
    return PackedShapes(np.array(made, dtype=object))


@pytest.fixture(scope="module")
def loads(straight: Tessellation) -> Loads:
    """Put 400 houses into the middle nine grids, more of them in the south-west."""
    chance = np.random.default_rng(11)
    places = np.array([at(*p) for p in (1 + 3 * chance.beta(1.2, 2.0, (400, 2))).tolist()])
    counts = np.zeros((400, 6))
    counts[:, 0] = chance.integers(1, 9, 400)
    units = Units(places[:, 0], places[:, 1], counts)
    faces = dict(zip(straight.keys, straight.faces(), strict=True))
    return Loads.place(
        faces, units, PackedShapes(np.empty(0, dtype=object)), read_rules().load,
        size_rule={"rural": (80, 300)}, classes=dict.fromkeys(straight.keys, "220"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("grids", "pieces"), [(["11"], 3), (["11", "12", "21", "22"], 4), (["11", "12"], 5)]
)
def test_three_answers_can_each_be_applied_and_do_what_they_say(
    straight: Tessellation, loads: Loads, streets: PackedShapes, grids: list[str], pieces: int
) -> None:
    draft = Draft(straight, parents_of(straight))
    before = redrawing.wkb(draft)
    answers = propose(draft, grids, loads, streets, pieces=pieces)
    assert [answer.name for answer in answers] == list(TASTES)
    assert redrawing.wkb(draft) == before
    for answer in answers:
        for edit in answer.edits:
            loads.apply(draft.apply(edit))
        redrawing.assert_whole(draft, Context(BaseLand(straight, parents_of(straight))))
        assert len(answer.faces) == pieces
        now = draft.faces(answer.faces)
        assert all(shapely.equals(now[key], face) for key, face in answer.faces.items())
        assert all(len(face.geoms) == 1 for face in now.values())
        told = sorted(piece["households"] for piece in answer.figures["pieces"])
        counted = sorted(load.households for load in loads.of(now).values())
        assert np.abs(np.subtract(told, counted)).max() <= 9  # a house on a new border
        while draft.changes:
            loads.apply(draft.undo())
    assert redrawing.wkb(draft) == before


def test_each_answer_is_best_at_what_it_is_called(
    straight: Tessellation, loads: Loads, streets: PackedShapes
) -> None:
    draft = Draft(straight, parents_of(straight))
    grids = ["11", "12", "21", "22"]
    answers = {a.name: a.figures for a in propose(draft, grids, loads, streets, pieces=4)}
    assert answers["balanced"]["spread"] == min(a["spread"] for a in answers.values())
    along = {name: figures["along_streets"] for name, figures in answers.items()}
    assert along["streets"] == max(along.values())
    assert answers["balanced"]["spread"] < 0.15


def test_the_same_question_gets_the_same_answers(
    straight: Tessellation, loads: Loads, streets: PackedShapes
) -> None:
    draft = Draft(straight, parents_of(straight))
    one, other = (propose(draft, ["11", "12"], loads, streets) for _ in range(2))
    assert [a.edits for a in one] == [a.edits for a in other]
    assert len(one[0].figures["pieces"]) >= 2


@pytest.mark.parametrize(
    ("grids", "pieces", "key"),
    [
        (["11", "33"], 2, "grids_apart"),
        (["11"], 1, "pieces_wrong"),
        (["11"], 41, "pieces_wrong"),
        (["00"], 3, "too_few_blocks"),
        ([], 2, "grids_apart"),
    ],
)
def test_what_cannot_be_parted_is_said(
    straight: Tessellation, loads: Loads, streets: PackedShapes,
    grids: list[str], pieces: int, key: str,
) -> None:  # fmt: skip
    draft = Draft(straight, parents_of(straight))
    with pytest.raises(InputError) as caught:
        propose(draft, grids, loads, streets, pieces=pieces)
    assert caught.value.key == f"boundaries.{key}"


def test_streets_are_optional(straight: Tessellation, loads: Loads) -> None:
    draft = Draft(straight, parents_of(straight))
    answers = propose(draft, ["11"], loads, PackedShapes(np.empty(0, dtype=object)), pieces=2)
    assert all(len(answer.faces) == 2 for answer in answers)
