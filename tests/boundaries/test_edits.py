"""Edits on a drawn 5 × 5 of grids: what each does, what it refuses, and what always holds."""

import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import shapely
import shapely.ops

from gis_service.boundaries.editing.checks import BaseLand, Context
from gis_service.boundaries.editing.edits import Draft
from gis_service.boundaries.linework.atoms import SLIVER_M2
from gis_service.boundaries.linework.tessellation import Tessellation, from_polygons
from gis_service.errors import InputError, NotFoundError
from gis_service.geodesy import area_m2
from tests.boundaries import redrawing

STEP = 0.004
WEST, SOUTH = 112.9, 28.7


def box(column: float, row: float, columns: float = 1, rows: float = 1) -> shapely.Polygon:
    x, y = WEST + column * STEP, SOUTH + row * STEP
    return shapely.box(x, y, x + columns * STEP, y + rows * STEP)


def at(column: float, row: float) -> tuple[float, float]:
    return WEST + column * STEP, SOUTH + row * STEP


def line(*places: tuple[float, float]) -> shapely.LineString:
    return shapely.LineString([at(*place) for place in places])


@pytest.fixture(scope="module")
def drawn() -> Tessellation:
    """Make grids 00 … 44, by row and column, turned a little so that no edge is straight up."""
    keys = [f"{row}{column}" for row in range(5) for column in range(5)]
    boxes = [box(column, row) for row in range(5) for column in range(5)]
    turned = [shapely.affinity.rotate(one, 7, origin=at(2.5, 2.5)) for one in boxes]
    tessellation, flaws = from_polygons(keys, turned)
    assert flaws == []
    return tessellation


@pytest.fixture(scope="module")
def straight() -> Tessellation:
    keys = [f"{row}{column}" for row in range(5) for column in range(5)]
    boxes = [box(column, row) for row in range(5) for column in range(5)]
    return from_polygons(keys, boxes)[0]


def parents_of(tessellation: Tessellation) -> dict[str, str]:
    return {key: f"village {key[0]}" for key in tessellation.keys}


@pytest.fixture
def draft(straight: Tessellation) -> Iterator[Draft]:
    draft = Draft(straight, parents_of(straight))
    yield draft
    redrawing.assert_whole(draft, Context(BaseLand(straight, parents_of(straight))))
    redrawing.assert_faces_are_the_arcs(draft)


def test_two_hundred_edits_in_a_row_keep_every_promise(drawn: Tessellation) -> None:
    parents = parents_of(drawn)
    draft, context = Draft(drawn, parents), Context(BaseLand(drawn, parents))
    areas = dict(zip(drawn.keys, shapely.area(drawn.faces()).tolist(), strict=True))
    kinds = set()
    states = [redrawing.wkb(draft)]
    for change in redrawing.edited(draft, random.Random(3), 200):
        kinds.add(change.kind)
        redrawing.assert_touched_only(draft, change, areas)
        redrawing.assert_no_slivers(change, SLIVER_M2)
        redrawing.assert_whole(draft, context)
        if len(states) % 10 == 0:
            redrawing.assert_faces_are_the_arcs(draft)
        states.append(redrawing.wkb(draft))
    assert kinds == {"split", "merge", "move_edge", "give", "draw", "dissolve", "redraw"}
    for state in reversed(states[:-1]):
        draft.undo()
        assert redrawing.wkb(draft) == state
    assert draft.keys == drawn.keys


def test_the_same_edits_on_the_same_base_give_the_same_bytes(drawn: Tessellation) -> None:
    chance = random.Random(5)
    draft = Draft(drawn, parents_of(drawn))
    edits: list[dict[str, Any]] = []
    while len(edits) < 15:
        edit = redrawing.random_edit(draft, chance)
        try:
            draft.apply(edit)
        except InputError:
            continue
        edits.append(edit)
    again = Draft(drawn, parents_of(drawn))
    for edit in edits:
        again.apply(edit)
        again.undo()
        again.apply(shapely_to_json(edit))
    assert redrawing.wkb(again) == redrawing.wkb(draft)


def shapely_to_json(edit: dict[str, object]) -> dict[str, object]:
    """Give an edit as it comes through the door and out of the store."""

    def plain(value: object) -> Any:
        if isinstance(value, dict):
            return {name: plain(one) for name, one in value.items()}
        return (
            json.loads(shapely.to_geojson(value)) if isinstance(value, shapely.Geometry) else value
        )

    read: dict[str, object] = json.loads(json.dumps(plain(edit)))
    return read


# --- what each edit does -------------------------------------------------------------------------


def hectares(draft: Draft, key: str) -> float:
    return float(area_m2(draft.faces([key])[key])[0]) / 10_000


def test_a_split_keeps_the_key_on_the_larger_part(draft: Draft) -> None:
    change = draft.apply({"kind": "split", "grid": "22", "line": line((1.9, 2.3), (3.1, 2.3))})
    assert change.created == ("new-1",)
    assert change.touched == ("22", "new-1")
    assert change.renoded == ("21", "23")
    assert draft.parents["new-1"] == "village 2"
    assert hectares(draft, "22") == pytest.approx(hectares(draft, "00") * 0.7, rel=1e-2)


def test_a_split_keeps_the_key_left_of_the_line_where_that_is_asked(draft: Draft) -> None:
    cut = line((1.9, 2.3), (3.1, 2.3))  # eastwards: the north is on its left
    draft.apply({"kind": "split", "grid": "22", "line": shapely.reverse(cut), "keeps": "left"})
    assert hectares(draft, "22") == pytest.approx(hectares(draft, "00") * 0.3, rel=1e-2)
    draft.undo()
    draft.apply({"kind": "split", "grid": "22", "line": cut, "keeps": "left"})
    assert hectares(draft, "22") == pytest.approx(hectares(draft, "00") * 0.7, rel=1e-2)


def test_a_cut_that_nearly_reaches_the_border_is_taken_to_reach_it(draft: Draft) -> None:
    short = 0.3 / 390  # 0.3 m of a grid's width
    cut = line((2 + short, 2.5), (3 - short, 2.5))
    change = draft.apply({"kind": "split", "grid": "22", "line": cut})
    assert change.created == ("new-1",)


def test_a_merge_retires_the_others_and_dissolves_the_border(draft: Draft) -> None:
    change = draft.apply({"kind": "merge", "grids": ["22", "23", "32"], "into": "22"})
    assert change.retired == ("23", "32")
    assert len(draft.faces(["22"])["22"].geoms) == 1
    assert "23" not in draft.keys
    assert [edge for edge in draft.edges(["22"]) if "23" in (edge.left, edge.right)] == []


def test_a_piece_is_given_across_village_borders(draft: Draft) -> None:
    change = draft.apply({"kind": "give", "region": box(1.5, 1.5), "to": "11"})
    assert {move.source for move in change.moves} == {"12", "21", "22"}
    assert {move.target for move in change.moves} == {"11"}
    assert change.moved_area == pytest.approx(7500 * hectares(draft, "00"), rel=1e-2)


def test_a_region_in_several_parts_is_given_whole(draft: Draft) -> None:
    land = shapely.multipolygons([box(1.2, 1.9, 0.2, 0.1), box(1.6, 1.9, 0.2, 0.1)])
    change = draft.apply({"kind": "give", "region": land, "to": "21"})
    assert change.touched == ("11", "21")
    assert change.moved_area == pytest.approx(400 * hectares(draft, "00"), rel=1e-2)


def test_a_moved_edge_changes_two_grids_only(draft: Draft) -> None:
    run = line((3, 2.2), (3.3, 2.5), (3, 2.8))
    change = draft.apply({"kind": "move_edge", "left": "22", "right": "23", "line": run})
    assert change.touched == ("22", "23")
    assert change.renoded == ()
    assert [(move.source, move.target) for move in change.moves] == [("23", "22")]


def test_an_edge_moves_with_its_ends_along_the_outline_of_both(draft: Draft) -> None:
    run = line((2.7, 2), (2.8, 2.5), (2.7, 3))
    change = draft.apply({"kind": "move_edge", "left": "22", "right": "23", "line": run})
    assert change.touched == ("22", "23")
    assert set(change.renoded) == {"12", "32"}
    assert hectares(draft, "22") == pytest.approx(hectares(draft, "00") * 0.75, rel=1e-2)


def test_a_grid_is_drawn_inside_another(draft: Draft) -> None:
    change = draft.apply({"kind": "draw", "region": box(2.4, 2.4, 0.2, 0.2), "name": "学校"})
    assert change.created == ("new-1",)
    assert len(draft.faces(["22"])["22"].geoms[0].interiors) == 1
    draft.apply({"kind": "dissolve", "grid": "new-1"})
    assert len(draft.faces(["22"])["22"].geoms[0].interiors) == 0


def test_dissolved_land_goes_to_the_sibling_with_the_longest_border(draft: Draft) -> None:
    draft.apply({"kind": "split", "grid": "21", "line": line((1.5, 1.9), (1.6, 2.5), (1.9, 3.1))})
    change = draft.apply({"kind": "dissolve", "grid": "22"})
    assert change.retired == ("22",)
    assert {move.target for move in change.moves} <= {"21", "23", "new-1"}


def test_a_drawn_line_follows_the_border_that_it_nearly_meets(draft: Draft) -> None:
    off = 0.3 / 390
    piece = shapely.Polygon([at(1 + off, 1 - off), at(2, 1 + off), at(2 - off, 2), at(1, 2 + off)])
    with pytest.raises(InputError) as caught:
        draft.apply({"kind": "give", "region": piece, "to": "11"})
    assert caught.value.key == "boundaries.nothing_changes"
    draft.apply({"kind": "give", "region": shapely.affinity.scale(piece, 1.5, 1), "to": "11"})
    assert hectares(draft, "11") == pytest.approx(1.5 * hectares(draft, "00"), rel=1e-2)


def test_only_grids_that_may_be_edited_lose_or_win_land(straight: Tessellation) -> None:
    mine = [key for key in straight.keys if key[0] == "2"]
    draft = Draft(straight, parents_of(straight), editable=mine)
    draft.apply({"kind": "split", "grid": "22", "line": line((1.9, 2.3), (3.1, 2.3))})
    draft.apply({"kind": "merge", "grids": ["new-1", "21"], "into": "21"})
    with pytest.raises(InputError) as caught:
        draft.apply({"kind": "give", "region": box(1.5, 1.5), "to": "22"})
    assert caught.value.key == "boundaries.not_editable"
    assert caught.value.values["grids"] == "11, 12"


def round_piece(column: float, row: float, radius: float, vertices: int) -> shapely.Polygon:
    """Draw a wavy round piece."""
    angle = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
    far = STEP * radius * (1 + 0.03 * np.sin(900 * angle))
    x, y = at(column, row)
    return shapely.Polygon(np.column_stack([x + far * np.cos(angle), y + far * np.sin(angle)]))


def redrawn(regions: Mapping[str, shapely.Geometry], *grids: str) -> dict[str, Any]:
    return {"kind": "redraw", "grids": list(grids or ["22"]), "regions": regions}


# --- bad input -----------------------------------------------------------------------------------

BAD: dict[str, tuple[dict[str, object], str]] = {
    "a cut that does not cross": (
        {"kind": "split", "grid": "22", "line": line((2.2, 2.2), (2.8, 2.8))},
        "cut_does_not_cross",
    ),
    "a cut that misses the grid": (
        {"kind": "split", "grid": "22", "line": line((0.2, 0.2), (0.8, 0.8))},
        "cut_does_not_cross",
    ),
    "a cut that crosses three times": (
        {
            "kind": "split",
            "grid": "22",
            "line": line((1.9, 2.2), (3.1, 2.3), (3.1, 2.5), (1.9, 2.6), (1.9, 2.7), (3.1, 2.8)),
        },
        "cut_crosses_often",
    ),
    "a cut along an edge": (
        {"kind": "split", "grid": "22", "line": line((2, 2), (3, 2))},
        "cut_along_edge",
    ),
    "a cut that touches itself": (
        {
            "kind": "split",
            "grid": "22",
            "line": line((1.9, 2.5), (2.8, 2.5), (2.8, 2.2), (2.5, 2.9)),
        },
        "line_touches_itself",
    ),
    "a piece bigger than the grid": (
        {"kind": "give", "region": box(1.9, 1.9, 1.2, 1.2), "to": "11"},
        "nothing_left",
    ),
    "a piece beyond the county": (
        {"kind": "give", "region": box(8, 8), "to": "11"},
        "region_outside",
    ),
    "a piece that is the grid's already": (
        {"kind": "give", "region": box(1.2, 1.2, 0.5, 0.5), "to": "11"},
        "nothing_changes",
    ),
    "a piece that crosses itself": (
        {
            "kind": "give",
            "region": shapely.Polygon([at(1, 1), at(2, 2), at(2, 1), at(1, 2)]),
            "to": "11",
        },
        "invalid_region",
    ),
    "a sliver": ({"kind": "draw", "region": box(2.5, 2.5, 0.001, 0.001)}, "nothing_changes"),
    "an edge that leaves its grids": (
        {
            "kind": "move_edge",
            "left": "22",
            "right": "23",
            "line": line((3, 2.2), (3.2, 1.5), (3, 2.8)),
        },
        "edge_leaves",
    ),
    "an edge that does not reach": (
        {"kind": "move_edge", "left": "22", "right": "23", "line": line((3.2, 2.3), (3.4, 2.8))},
        "edge_ends_free",
    ),
    "an edge that two grids do not share": (
        {"kind": "move_edge", "left": "22", "right": "33", "line": line((3, 2.2), (3.2, 2.8))},
        "edge_not_shared",
    ),
    "an edge between a grid and itself": (
        {"kind": "move_edge", "left": "22", "right": "22", "line": line((3, 2.2), (3.2, 2.8))},
        "edge_needs_two",
    ),
    "a merge of one": ({"kind": "merge", "grids": ["22"], "into": "22"}, "merge_needs_two"),
    "a grid that is not there": ({"kind": "dissolve", "grid": "99"}, "no_such_grid"),
    "an edit that is not there": ({"kind": "shake"}, "unknown_edit"),
    "a line without length": (
        {"kind": "split", "grid": "22", "line": line((2.5, 2.5), (2.5, 2.5))},
        "line_without_length",
    ),
    "no line": ({"kind": "split", "grid": "22"}, "no_geometry"),
    "a line of text": ({"kind": "split", "grid": "22", "line": "POINT"}, "no_geometry"),
    "metres": (
        {"kind": "give", "region": shapely.box(500_000, 3_000_000, 500_100, 3_000_100), "to": "11"},
        "not_in_degrees",
    ),
    "too many vertices": (
        {"kind": "give", "region": round_piece(2, 2, 0.4, 60_001), "to": "11"},
        "too_many_vertices",
    ),
    "a redraw without land": (
        {"kind": "redraw", "grids": ["22"], "regions": {}},
        "redraw_without_land",
    ),
    "a redraw without regions": ({"kind": "redraw", "grids": ["22"]}, "no_geometry"),
    "a redraw that leaves land to nobody": (redrawn({"22": box(2, 2, 0.5)}), "redraw_leaves_out"),
    "a redraw with land for two": (
        redrawn({"22": box(2, 2, 0.6), "new-1": box(2.4, 2, 0.6)}),
        "redraw_overlaps",
    ),
    "a redraw of a grid that it does not name": (
        redrawn({"22": box(2, 2, 0.5), "23": box(2.5, 2, 0.5)}),
        "key_taken",
    ),
    "a redraw of land elsewhere": (
        redrawn({"22": box(2, 2, 0.5), "new-1": box(2.5, 2, 0.5), "new-2": box(0, 0)}),
        "redraw_beyond",
    ),
    "a redraw in metres": (redrawn({"22": shapely.box(500, 300, 600, 400)}), "not_in_degrees"),
    "a redraw to what it was": (redrawn({"22": box(2, 2)}), "nothing_changes"),
    "keeps the wrong side": (
        {"kind": "split", "grid": "22", "line": line((1.9, 2.3), (3.1, 2.3)), "keeps": "north"},
        "unknown_keeps",
    ),
}


def test_a_redraw_gives_many_grids_their_land_in_one_step(draft: Draft) -> None:
    before = redrawing.wkb(draft)
    regions: dict[str, shapely.Geometry] = {
        "12": box(2, 1),
        "22": box(2.5, 2, 0.5, 0.5),
        "new-10": box(2, 2, 0.5, 0.5),
        "new-2": shapely.union(box(1, 2), box(2, 2.5, 0.5, 0.5)),
        "new-1": shapely.union(box(1, 1), box(2.5, 2.5, 0.5, 0.5)),
    }
    change = draft.apply(redrawn(regions, "11", "12", "21", "22"))
    assert change.created == ("new-1", "new-2", "new-10")
    assert change.retired == ("11", "21")
    assert set(change.touched) == {"11", "21", "22", "new-1", "new-2", "new-10"}
    assert change.crosses
    assert len(draft.changes) == 1
    faces = draft.faces()
    for key, region in regions.items():
        assert shapely.symmetric_difference(faces[key], region).area < 1e-14, key
    assert draft.parents["new-1"] == "village 1"
    assert draft.parents["new-2"] == "village 2"
    draft.undo()
    assert redrawing.wkb(draft) == before


def test_a_redraw_leaves_borders_alone_that_it_only_touches(drawn: Tessellation) -> None:
    draft = Draft(drawn, parents_of(drawn))
    halves = shapely.ops.split(
        draft.faces(["22"])["22"].geoms[0], line((1.5, 2.5), (3.5, 2.6))
    ).geoms
    third = draft.faces(["23"])["23"]
    change = draft.apply(redrawn({"22": halves[0], "new-1": halves[1], "23": third}, "22", "23"))
    assert change.touched == ("22", "new-1")
    assert change.renoded == ("21", "23")


@pytest.mark.parametrize("name", list(BAD))
def test_bad_input_says_what_is_wrong_and_changes_nothing(draft: Draft, name: str) -> None:
    edit, key = BAD[name]
    before = redrawing.wkb(draft)
    with pytest.raises((InputError, NotFoundError)) as caught:
        draft.apply(edit)
    assert caught.value.key == f"boundaries.{key}"
    assert redrawing.wkb(draft) == before
    assert not draft.changes


def test_the_last_grid_of_a_village_stays(straight: Tessellation) -> None:
    parents = {key: "lonely" if key == "22" else "other" for key in straight.keys}
    draft = Draft(straight, parents)
    for edit in (
        {"kind": "dissolve", "grid": "22"},
        {"kind": "merge", "grids": ["22", "23"], "into": "23"},
    ):
        with pytest.raises(InputError) as caught:
            draft.apply(edit)
        assert caught.value.key == "boundaries.last_grid"


def test_nothing_to_undo_is_said(draft: Draft) -> None:
    with pytest.raises(InputError):
        draft.undo()


def test_a_polygon_of_fifty_thousand_vertices_is_cut_out(draft: Draft) -> None:
    change = draft.apply({"kind": "draw", "region": round_piece(2, 2, 0.4, 50_000)})
    assert change.touched == ("11", "12", "21", "22", "new-1")
    assert shapely.get_num_coordinates(draft.faces(["new-1"])["new-1"]) > 49_000
