"""Blocks: the land that proposals share out, cut along streets and never through a building."""

import random
from collections.abc import Callable

import numpy as np
import pytest
import shapely
import shapely.affinity

from gis_service.boundaries.editing.balance import Loads, Units
from gis_service.boundaries.editing.checks import BaseLand, Context, check
from gis_service.boundaries.editing.edits import Draft
from gis_service.boundaries.editing.rules import read_rules
from gis_service.boundaries.linework.packed_shapes import PackedShapes
from gis_service.boundaries.linework.tessellation import Tessellation, from_polygons
from gis_service.boundaries.proposals.blocks import Blocks, cut_blocks
from gis_service.geodesy import GeometryArray, area_m2
from tests.boundaries import redrawing
from tests.boundaries.test_edits import STEP, at, box, drawn, line, parents_of, straight

__all__ = ["drawn", "straight"]  # fixtures

NONE = np.empty(0, dtype=object)
STREETS = [
    line((1.3, 0.9), (1.3, 4.1)), line((2.6, 0.9), (2.6, 4.1)), line((0.9, 1.4), (4.1, 1.4)),
    line((1, 1), (2.5, 2.1), (4, 2.4)), line((3.4, 0.5), (3.4, 3.2)), line((0.5, 2.7), (4.5, 2.8)),
]  # fmt: skip


def houses(chance: np.random.Generator, count: int, around: shapely.Polygon) -> GeometryArray:
    """Draw houses of 8 by 12 m that keep 1 m from each other, each turned its own way."""
    west, south, east, north = around.bounds
    made: list[shapely.Polygon] = []
    while len(made) < count:
        x, y = chance.uniform((west, south), (east, north))
        house = shapely.affinity.rotate(
            shapely.box(x, y, x + 8e-5, y + 1.1e-4), chance.uniform(0, 90)
        )
        if not any(house.distance(other) < 1e-5 for other in made):
            made.append(house)
    return np.array(made, dtype=object)


def place(
    tessellation: Tessellation, homes: GeometryArray, households: list[int] | np.ndarray,
    most: int = 300,
) -> Loads:  # fmt: skip
    counts = np.zeros((len(homes), 6))
    counts[:, 0] = households
    counts[:, 1] = 3 * counts[:, 0]
    xy = shapely.get_coordinates(shapely.point_on_surface(homes))
    faces = dict(zip(tessellation.keys, tessellation.faces(), strict=True))
    return Loads.place(
        faces, Units(xy[:, 0], xy[:, 1], counts), PackedShapes(NONE), read_rules().load,
        size_rule={"rural": (80, most)}, classes=dict.fromkeys(tessellation.keys, "220"),
    )  # fmt: skip


Cut = Callable[..., tuple[Draft, Loads, Blocks]]


@pytest.fixture(scope="module")
def homes(drawn: Tessellation) -> GeometryArray:
    """Put houses into the middle nine grids; none stands on today's borders."""
    made = houses(np.random.default_rng(4), 300, box(1, 1, 3, 3))
    return made[~shapely.intersects(made, shapely.multilinestrings(drawn.arcs))]


@pytest.fixture
def cut(drawn: Tessellation, homes: GeometryArray) -> Cut:
    def make(
        keys: list[str], streets: list[shapely.LineString] = STREETS, **more: object
    ) -> tuple[Draft, Loads, Blocks]:
        draft, loads = Draft(drawn, parents_of(drawn)), place(drawn, homes, np.full(len(homes), 4))
        lines = PackedShapes(np.array([*streets], dtype=object))
        return draft, loads, cut_blocks(draft, keys, loads, lines, PackedShapes(homes), **more)  # type: ignore[arg-type]

    return make


MIDDLE = ["11", "12", "13", "21", "22", "23", "31", "32", "33"]


def test_blocks_fill_the_grids_side_by_side_and_keep_everybody(cut: Cut) -> None:
    draft, loads, blocks = cut(MIDDLE)
    for row in "123":
        village = np.array([blocks.keys[home][0] == row for home in blocks.home])
        assert shapely.coverage_is_valid(shapely.get_parts(blocks.faces[village]))
    now = draft.faces()
    for number, key in enumerate(MIDDLE):
        land = shapely.union_all(blocks.faces[blocks.home == number])
        assert shapely.symmetric_difference(land, now[key]).area < 2e-14
    households = loads.unit_counts(loads.unit_positions(MIDDLE))[:, 0]
    assert blocks.graph.population.sum() == households.sum()
    assert blocks.people.sum() == 3 * households.sum()
    counted = np.bincount(blocks.of_unit, weights=households, minlength=len(blocks.faces))
    assert (counted == blocks.graph.population).all()
    of_grid = np.bincount(blocks.home, weights=blocks.graph.population)
    assert of_grid.tolist() == [loads.of([key])[key].households for key in MIDDLE]
    assert blocks.keys == tuple(MIDDLE)


def test_only_blocks_of_one_village_are_neighbours_and_each_pair_has_its_metres(cut: Cut) -> None:
    _, _, blocks = cut(MIDDLE)
    village = np.array([int(blocks.keys[home][0]) for home in blocks.home])
    a, b = blocks.graph.edges.T
    assert (village[a] == village[b]).all()
    assert (a < b).all()
    assert len(np.unique(blocks.graph.edges, axis=0)) == len(blocks.graph.edges)
    for one, other, metres in zip(a, b, blocks.on_street_m + blocks.off_street_m, strict=True):
        shared = shapely.intersection(*shapely.boundary(blocks.faces[[one, other]]))
        ends = shapely.get_coordinates(shapely.segmentize(shared, 1.0))
        assert metres > 0
        assert len(ends)
    assert (blocks.graph.cost >= blocks.on_street_m).all()


def test_streets_bound_blocks_and_borders_along_them_are_counted(straight: Tessellation) -> None:
    draft, loads = Draft(straight, parents_of(straight)), place(straight, NONE, [])
    lines = PackedShapes(np.array([line((2.5, 1.5), (2.5, 3.5))]))
    blocks = cut_blocks(draft, ["22"], loads, lines, PackedShapes(NONE))
    assert len(blocks.faces) == 2
    assert shapely.area(blocks.faces[0]) == pytest.approx(STEP**2 / 2, rel=1e-6)
    assert blocks.on_street_m.tolist() == pytest.approx([443.4], abs=1)
    assert blocks.off_street_m.tolist() == pytest.approx([0], abs=1e-6)


def random_owner(blocks: Blocks, chance: random.Random, count: int) -> np.ndarray:
    """Spread labels from random blocks; each village has its own."""
    village = np.array([int(blocks.keys[home][0]) for home in blocks.home])
    owner = np.full(len(blocks.faces), -1)
    label = 0
    for number in np.unique(village):
        own = np.flatnonzero(village == number)
        for seed in chance.sample(own.tolist(), count):
            owner[seed] = label
            label += 1
    while (owner < 0).any():
        for one, other in blocks.graph.edges.tolist():
            if (owner[one] < 0) != (owner[other] < 0) and chance.random() < 0.3:
                owner[one] = owner[other] = max(owner[one], owner[other])
    return owner


@pytest.mark.parametrize("seed", range(4))
def test_any_answer_becomes_one_edit_that_cuts_no_building(
    cut: Cut, drawn: Tessellation, homes: GeometryArray, seed: int
) -> None:
    draft, loads, blocks = cut(MIDDLE)
    before = redrawing.wkb(draft)
    owner = random_owner(blocks, random.Random(seed), 3)
    land = blocks.join(owner)
    assert set(land) == set(range(9))
    keys = dict(enumerate([*MIDDLE[:7], "new-1", "new-2"]))
    regions = {keys[label]: face for label, face in land.items()}
    change = draft.apply({"kind": "redraw", "grids": MIDDLE, "regions": regions})
    loads.apply(change)
    after = draft.faces(regions)
    for key, region in regions.items():
        assert shapely.symmetric_difference(after[key], region).area < 2e-14
        assert len(after[key].geoms) == 1
    context = Context(
        BaseLand(drawn, parents_of(drawn)), loads=loads, footprints=PackedShapes(homes)
    )
    assert [f for f in check(draft, context, change.touched) if f.rule == "building_cut"] == []
    redrawing.assert_whole(draft, context)
    redrawing.assert_faces_are_the_arcs(draft)
    told = np.bincount(owner, weights=blocks.graph.population)
    assert {key: told[label] for label, key in keys.items()} == {
        key: loads.of([key])[key].households for key in regions
    }
    draft.undo()
    assert redrawing.wkb(draft) == before


def test_who_keeps_everything_changes_no_vertex(cut: Cut) -> None:
    draft, _, blocks = cut(MIDDLE)
    land = blocks.join(blocks.home)
    for number, key in enumerate(MIDDLE):
        now = draft.faces([key])[key]
        assert shapely.equals_identical(shapely.normalize(land[number]), shapely.normalize(now))


def test_a_street_through_a_house_goes_round_it(straight: Tessellation) -> None:
    x, y = at(2.5, 2.5)
    house = np.array([shapely.box(x - 1e-5, y, x + 9e-5, y + 1e-4)], dtype=object)
    draft, loads = Draft(straight, parents_of(straight)), place(straight, house, [5])
    street = PackedShapes(np.array([line((2.5, 1.5), (2.5, 3.5))]))
    blocks = cut_blocks(draft, ["22"], loads, street, PackedShapes(house))
    assert len(blocks.faces) == 2
    inside = shapely.area(shapely.intersection(blocks.faces, house[0])) / house[0].area
    assert sorted(inside.tolist()) == pytest.approx([0, 1], abs=1e-9)
    assert blocks.graph.population[int(np.argmax(inside))] == 5


def test_a_strip_of_empty_land_belongs_to_the_block_beside_it(straight: Tessellation) -> None:
    draft, loads = Draft(straight, parents_of(straight)), place(straight, NONE, [])
    lanes = PackedShapes(np.array([line((c, 1.5), (c, 3.5)) for c in (2.5, 2.507)]))
    blocks = cut_blocks(draft, ["22"], loads, lanes, PackedShapes(NONE))
    assert len(blocks.faces) == 2
    apart = PackedShapes(np.array([line((c, 1.5), (c, 3.5)) for c in (2.5, 2.53)]))
    assert len(cut_blocks(draft, ["22"], loads, apart, PackedShapes(NONE)).faces) == 3


def test_a_block_too_heavy_is_cut_along_footpaths_then_between_buildings(
    straight: Tessellation,
) -> None:
    homes = houses(np.random.default_rng(1), 60, box(2.02, 2.02, 0.95, 0.95))
    draft = Draft(straight, parents_of(straight))
    path = line((2.5, 1.9), (2.5, 3.1))
    lines, buildings = PackedShapes(np.array([path])), PackedShapes(homes)
    on_foot = np.ones(1, dtype=bool)
    light = place(straight, homes, np.full(60, 1), most=700)
    assert len(cut_blocks(draft, ["22"], light, lines, buildings, footpaths=on_foot).faces) == 1
    middling = place(straight, homes, np.full(60, 1), most=450)
    blocks = cut_blocks(draft, ["22"], middling, lines, buildings, footpaths=on_foot)
    assert [told.key for told in blocks.told] == [
        "boundaries.proposal_no_streets", "boundaries.proposal_along_footpaths",
    ][::-1]  # fmt: skip
    assert blocks.told[0].values == {"n": 60}
    assert set(blocks.told[0].atoms.tolist()) == set(range(len(blocks.faces)))
    heavy = place(straight, homes, np.full(60, 5), most=300)
    blocks = cut_blocks(draft, ["22"], heavy, lines, buildings, footpaths=on_foot)
    assert blocks.graph.population.max() <= 30
    assert {told.key for told in blocks.told} >= {
        "boundaries.proposal_along_footpaths", "boundaries.proposal_between_buildings",
    }  # fmt: skip
    for told in blocks.told:
        assert shapely.intersects(draft.faces(["22"])["22"], told.place)
    cut = shapely.intersection(homes[:, None], blocks.faces[None, :])
    share = area_m2(cut.ravel()).reshape(cut.shape)
    assert (share.sum(axis=1) - share.max(axis=1)).max() < 2


@pytest.mark.parametrize("beside", [0.0, 0.005, -0.003])
def test_a_border_of_today_beside_its_street_stays_the_border(
    straight: Tessellation, beside: float
) -> None:
    draft, loads = Draft(straight, parents_of(straight)), place(straight, NONE, [])
    bends = [(3 + beside * (-1) ** n, 1.5 + n / 4) for n in range(9)] if beside < 0 else [
        (3 + beside, 1.5), (3 + beside, 3.5),
    ]  # fmt: skip
    streets = PackedShapes(np.array([line(*bends)]))
    blocks = cut_blocks(draft, ["22", "23"], loads, streets, PackedShapes(NONE))
    assert len(blocks.faces) == 2
    now = draft.faces(["22", "23"])
    land = blocks.join(blocks.home)
    assert all(land[n].equals(face) for n, face in enumerate(now.values()))
    assert blocks.off_street_m.tolist() == pytest.approx([0], abs=1e-6)


def test_a_heavy_block_is_cut_where_green_land_ends(straight: Tessellation) -> None:
    homes = houses(np.random.default_rng(1), 40, box(2.02, 2.02, 0.95, 0.95))
    draft, loads = Draft(straight, parents_of(straight)), place(straight, homes, np.full(40, 1))
    park = PackedShapes(np.array([shapely.boundary(box(2.3, 1.5, 0.4, 2))]))
    blocks = cut_blocks(
        draft, ["22"], loads, PackedShapes(NONE), PackedShapes(homes), cover_edges=park
    )
    assert len(blocks.faces) == 3
    assert (blocks.on_street_m == 0).all()
    empty = place(straight, NONE, [])
    light = cut_blocks(
        draft, ["22"], empty, PackedShapes(NONE), PackedShapes(NONE), cover_edges=park
    )
    assert len(light.faces) == 1


def test_a_building_with_more_than_a_grid_may_hold_stays_whole(straight: Tessellation) -> None:
    homes = houses(np.random.default_rng(1), 2, box(2.2, 2.2, 0.5, 0.5))
    draft, loads = Draft(straight, parents_of(straight)), place(straight, homes, [340, 20])
    blocks = cut_blocks(draft, ["22"], loads, PackedShapes(NONE), PackedShapes(homes))
    assert sorted(blocks.graph.population.tolist()) == [20, 340]


def test_a_locked_grid_is_not_cut_between_its_buildings(straight: Tessellation) -> None:
    homes = houses(np.random.default_rng(1), 40, box(2.05, 2.05, 0.9, 0.9))
    draft, loads = Draft(straight, parents_of(straight)), place(straight, homes, np.full(40, 9))
    blocks = cut_blocks(draft, ["22"], loads, PackedShapes(NONE), PackedShapes(homes), whole=["22"])
    assert blocks.graph.population.tolist() == [360]


def test_an_island_is_joined_where_it_is_nearest_and_that_is_told() -> None:
    land = {
        "main": box(0, 0, 2, 1), "isle": shapely.MultiPolygon([box(3, 0), box(2.2, 3)]),
        "far": box(0, 4),
    }  # fmt: skip
    tessellation = from_polygons(list(land), list(land.values()))[0]
    draft = Draft(tessellation, dict.fromkeys(land, "village"))
    blocks = cut_blocks(
        draft, list(land), place(tessellation, NONE, []), PackedShapes(NONE), PackedShapes(NONE)
    )
    pairs = {tuple(sorted((blocks.keys[blocks.home[a]], blocks.keys[blocks.home[b]])))
             for a, b in blocks.graph.edges.tolist()}  # fmt: skip
    assert pairs == {("isle", "isle"), ("isle", "main"), ("far", "isle")}
    assert blocks.graph.cost.tolist() == [0, 0, 0]
    apart = [told for told in blocks.told if told.key == "boundaries.proposal_land_apart"]
    assert len(apart) == 3


def test_the_same_land_gives_the_same_blocks(cut: Cut) -> None:
    (_, _, one), (_, _, other) = cut(MIDDLE), cut(MIDDLE)
    assert shapely.to_wkb(one.faces).tolist() == shapely.to_wkb(other.faces).tolist()
    assert one.graph.edges.tolist() == other.graph.edges.tolist()
    assert one.graph.cost.tolist() == other.graph.cost.tolist()
