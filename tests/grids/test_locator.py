"""The locator on drawn cases and on random ones, beside shapely, fractions and PostGIS."""

import math
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import shapely
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from gis_service.access import SYSTEM
from gis_service.boundaries.linework.tessellation import from_polygons
from gis_service.boundaries.publication.grid_table import publish_table as publish
from gis_service.geodesy import GeometryArray, distance_m, on_lattice
from gis_service.grids.locator import kernels
from gis_service.grids.locator.locator import NO_GRID, Located, Locator
from gis_service.grids.versions import find_version_in_force, read_polygons
from gis_service.store.engine import Store
from scripts.hard_points import all_hard_points, hard_points
from tests.support import FIRST_DAY, make_scheme

Floats = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def four() -> Locator:
    """Four squares around (1, 1); ids deliberately out of order."""
    boxes = [
        shapely.box(0, 0, 1, 1),
        shapely.box(1, 0, 2, 1),
        shapely.box(0, 1, 1, 2),
        shapely.box(1, 1, 2, 2),
    ]
    return Locator([40, 30, 20, 10], boxes)


def test_a_point_inside_has_its_grid_and_no_tie(four: Locator) -> None:
    answer = four.locate([0.5, 1.5], [0.5, 0.5])
    assert answer.grid_id.tolist() == [40, 30]
    assert not answer.tie.any()


def test_a_point_on_a_shared_edge_goes_to_the_lowest_id_and_says_so(four: Locator) -> None:
    answer = four.locate([1.0, 1.0, 0.5], [0.5, 1.0, 1.0])
    assert answer.grid_id.tolist() == [30, 10, 20]
    assert answer.tie.all()


def test_the_outer_border_belongs_to_its_grid_without_a_tie(four: Locator) -> None:
    answer = four.locate([0.0], [0.5])
    assert answer.grid_id.tolist() == [40]
    assert not answer.tie.any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_outside(four: Locator, bad: float) -> None:
    assert four.locate([bad, 0.5], [0.5, bad]).grid_id.tolist() == [NO_GRID, NO_GRID]


def test_outside_is_answered_with_the_nearest_grid_and_its_distance(four: Locator) -> None:
    assert four.locate([2.01], [0.5]).grid_id.tolist() == [NO_GRID]
    assert four.nearest([2.01], [0.5]).grid_id.tolist() == [30]


def test_the_distance_to_the_nearest_grid_is_in_metres() -> None:
    county = Locator([1], [shapely.box(112.8, 28.6, 113.0, 28.8)])
    nearest = county.nearest([113.01], [28.7])
    assert nearest.distance_m[0] == pytest.approx(
        float(distance_m(113.0, 28.7, 113.01, 28.7)), rel=5e-5
    )


def test_without_grids_everything_is_outside() -> None:
    empty = Locator([], [])
    assert empty.locate([1.0], [1.0]).grid_id.tolist() == [NO_GRID]
    assert empty.nearest([1.0], [1.0]).distance_m.tolist() == [np.inf]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_every_point_agrees_with_asking_each_polygon_in_turn(seed: int) -> None:
    random = np.random.default_rng(seed)
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(random.random((12, 2)))))
    ids = random.permutation(100)[: len(cells)]
    corners = shapely.get_coordinates(cells)
    xy = np.vstack([random.random((200, 2)) * 1.4 - 0.2, corners])
    answer = Locator(ids, cells).locate(xy[:, 0], xy[:, 1])
    for (x, y), grid_id, tie in zip(xy, answer.grid_id, answer.tie, strict=True):
        point = shapely.Point(x, y)
        owners = [int(i) for i, cell in zip(ids, cells, strict=True) if cell.intersects(point)]
        assert grid_id == min(owners, default=NO_GRID)
        assert tie == (len(owners) > 1)


# --- a drawn county with everything that is hard ------------------------------------------------


def crooked_county() -> dict[str, Any]:
    """Slanted quadrangles, a grid with a hole, the dedicated one in it, and an exclave."""
    random = np.random.default_rng(7)
    n = 5
    steps = np.arange(n + 1) * 0.01
    corners = np.stack(np.meshgrid(112.9 + steps, 28.7 + steps, indexing="ij"), axis=-1)
    corners = np.round((corners + random.uniform(-0.003, 0.003, corners.shape)) * 1e9) / 1e9
    grids: dict[str, Any] = {}
    for i in range(n):
        for j in range(n):
            ring = [corners[i, j], corners[i + 1, j], corners[i + 1, j + 1], corners[i, j + 1]]
            grids[f"q{i}{j}"] = shapely.Polygon(ring)

    def inside(name: str, size: float) -> shapely.Polygon:
        middle = grids[name].centroid
        around = shapely.affinity.rotate(middle.buffer(size, quad_segs=3), 11)
        drawn: shapely.Polygon = on_lattice(around)
        return drawn

    park, exclave = inside("q11", 0.002), inside("q33", 0.0015)
    grids["q11"] = grids["q11"].difference(park)
    grids["q33"] = grids["q33"].difference(exclave)
    grids["park"] = park
    grids["q20"] = shapely.MultiPolygon([grids["q20"], exclave])
    del grids["q43"]  # a bay in the county's border
    return grids


def by_fractions(grid_ids: list[int], shapes: GeometryArray, lon: Floats, lat: Floats) -> Located:
    """Ask every edge of every polygon, without any rounding."""
    answers, ties = [], []
    rings = [
        (grid, shapely.get_coordinates(ring).tolist())
        for grid, shape in sorted(zip(grid_ids, shapes, strict=True), key=lambda pair: pair[0])
        for ring in shapely.get_rings(shapely.get_parts(shape))
    ]
    for x, y in zip(lon.tolist(), lat.tolist(), strict=True):
        if not (math.isfinite(x) and math.isfinite(y)):
            answers.append(NO_GRID)
            ties.append(False)
            continue
        inside: dict[int, bool] = {}
        on: set[int] = set()
        for grid, ring in rings:
            for (x1, y1), (x2, y2) in pairwise(ring):
                if not min(y1, y2) <= y <= max(y1, y2):
                    continue
                side = (Fraction(x2) - Fraction(x1)) * (Fraction(y) - Fraction(y1)) - (
                    Fraction(y2) - Fraction(y1)
                ) * (Fraction(x) - Fraction(x1))
                if side == 0 and min(x1, x2) <= x <= max(x1, x2):
                    on.add(grid)
                elif (y1 <= y) != (y2 <= y) and (side > 0) == (y2 > y1):
                    inside[grid] = not inside.get(grid, False)
        holders = sorted(on | {grid for grid, is_in in inside.items() if is_in})
        answers.append(holders[0] if holders else NO_GRID)
        ties.append(len(holders) > 1)
    return Located(np.array(answers), np.array(ties))


@pytest.fixture(scope="module")
def crooked() -> tuple[npt.NDArray[np.int64], GeometryArray, Locator]:
    grids = crooked_county()
    ids = np.random.default_rng(1).permutation(100)[: len(grids)].astype(np.int64)
    shapes = np.array(list(grids.values()), dtype=object)
    return ids, shapes, Locator(ids, shapes)


Crooked = tuple[npt.NDArray[np.int64], GeometryArray, Locator]


@pytest.mark.parametrize("kind", list(hard_points([shapely.box(0, 0, 1, 1)], 1)))
def test_hard_points_are_judged_as_fractions_do(crooked: Crooked, kind: str) -> None:
    ids, shapes, locator = crooked
    lon, lat = hard_points(shapes, 60, seed=3)[kind]
    ours = locator.locate(lon, lat)
    theirs = by_fractions(ids.tolist(), shapes, lon, lat)
    assert ours.grid_id.tolist() == theirs.grid_id.tolist()
    assert ours.tie.tolist() == theirs.tie.tolist()


def test_naive_arithmetic_would_be_wrong_on_these_points(crooked: Crooked) -> None:
    _, shapes, _ = crooked
    lon, lat = hard_points(shapes, 60, seed=3)["rounded beside slanted edges"]
    wrong = 0
    for ring in shapely.get_rings(shapely.get_parts(shapes)):
        xy = shapely.get_coordinates(ring).tolist()
        for (x1, y1), (x2, y2) in pairwise(xy):
            for x, y in zip(lon.tolist(), lat.tolist(), strict=True):
                if not min(y1, y2) < y < max(y1, y2) or abs(x - x1) > 0.02:
                    continue
                naive = x1 + (y - y1) * (x2 - x1) / (y2 - y1)
                wrong += np.sign(naive - x) * np.sign(y2 - y1) != kernels.find_exact_side(
                    x1, y1, x2, y2, x, y
                )
    assert wrong > 20


def test_one_point_is_answered_as_many_are(crooked: Crooked) -> None:
    _, shapes, locator = crooked
    lon, lat = all_hard_points(shapes, 20, seed=5)
    many = locator.locate(lon, lat)
    ones = [locator.locate_one(x, y) for x, y in zip(lon.tolist(), lat.tolist(), strict=True)]
    assert [one for one, _ in ones] == many.grid_id.tolist()
    assert [tie for _, tie in ones] == many.tie.tolist()


def test_the_hole_the_exclave_and_the_bay(crooked: Crooked) -> None:
    grids = crooked_county()
    names = list(grids)
    ids, _, locator = crooked
    known = dict(zip(names, ids.tolist(), strict=True))
    park, exclave = grids["park"].centroid, grids["q20"].geoms[1].centroid
    bay = shapely.box(112.943, 28.733, 112.946, 28.736).centroid
    found = locator.locate([park.x, exclave.x, bay.x], [park.y, exclave.y, bay.y])
    assert found.grid_id.tolist() == [known["park"], known["q20"], NO_GRID]


@pytest.mark.parametrize("tiny", [5e-324, 1e-310, 1e-200, -1e-200])
def test_numbers_that_are_nearly_zero_are_judged_too(tiny: float) -> None:
    triangle = shapely.Polygon([(0, 0), (1, 1), (1, 0)])
    other = shapely.Polygon([(0, 0), (1, 1), (0, 1)])
    locator = Locator([2, 1], [triangle, other])
    xs, ys = np.array([tiny, 0.0, 2 * tiny, tiny]), np.array([tiny, tiny, tiny, 2 * tiny])
    theirs = by_fractions([2, 1], np.array([triangle, other], dtype=object), xs, ys)
    ours = locator.locate(xs, ys)
    assert ours.grid_id.tolist() == theirs.grid_id.tolist()
    assert ours.tie.tolist() == theirs.tie.tolist()


def test_dozens_of_grids_may_meet_in_one_place() -> None:
    around = np.linspace(0, 2 * np.pi, 61)
    rim = np.column_stack([np.cos(around), np.sin(around)])
    rim[-1] = rim[0]
    slices = [shapely.Polygon([(0, 0), a, b]) for a, b in pairwise(rim)]
    ids = list(range(60, 0, -1))
    locator = Locator(ids, slices)
    random = np.random.default_rng(2)
    lon = np.concatenate([random.normal(0, 0.01, 300), random.normal(0, 0.6, 300), [0.0]])
    lat = np.concatenate([random.normal(0, 0.01, 300), random.normal(0, 0.6, 300), [0.0]])
    theirs = by_fractions(ids, np.array(slices, dtype=object), lon, lat)
    ours = locator.locate(lon, lat)
    assert ours.grid_id.tolist() == theirs.grid_id.tolist()
    assert ours.tie.tolist() == theirs.tie.tolist()
    assert locator.find_one(0.001, 0.0005)[2] != NO_GRID  # the search gives up, and asks every edge


def test_grids_that_lie_upon_each_other_answer_with_the_lowest_id() -> None:
    shapes = [shapely.box(0, 0, 10, 10), shapely.box(2, 2, 8, 8), shapely.box(4, 4, 6, 12)]
    for ids in ([1, 2, 3], [3, 2, 1], [2, 3, 1]):
        locator = Locator(ids, shapes)
        random = np.random.default_rng(3)
        lon, lat = random.uniform(-1, 13, 2000), random.uniform(-1, 13, 2000)
        theirs = by_fractions(ids, np.array(shapes, dtype=object), lon, lat)
        ours = locator.locate(lon, lat)
        assert ours.grid_id.tolist() == theirs.grid_id.tolist()
        assert ours.tie.tolist() == theirs.tie.tolist()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(-(2**20), 2**20), min_size=6, max_size=6),
    st.integers(-30, 30),
    st.sampled_from([112.0, 0.0, 1e-3, 28.7]),
)
def test_the_side_of_an_edge_is_exact(numbers: list[int], power: int, offset: float) -> None:
    u1, v1, u2, v2, u, v = (offset + number * 2.0**power for number in numbers)
    one, two, three = Fraction(u1), Fraction(v1), Fraction(u)
    exact = (Fraction(u2) - one) * (Fraction(v) - two) - (Fraction(v2) - two) * (three - one)
    assert kernels.find_exact_side(u1, v1, u2, v2, u, v) == (exact > 0) - (exact < 0)


# --- the border nearby --------------------------------------------------------------------------


def test_the_nearest_border_and_the_grid_across_it(crooked: Crooked) -> None:
    ids, shapes, locator = crooked
    random = np.random.default_rng(11)
    for x, y in random.uniform((112.9, 28.7), (112.95, 28.75), (200, 2)):
        own, _, across, distance = locator.find_one(x, y)
        # A degree eastward beside one northward, measured on the ellipsoid.
        east, north = distance_m([x, x], [y, y - 5e-4], [x + 1e-3, x], [y, y + 5e-4])
        shrink = float(east / north)
        flat = shapely.affinity.scale
        here = shapely.Point(x * shrink, y)
        metres = {}
        for grid, shape in zip(ids.tolist(), shapes, strict=True):
            land = flat(shape, shrink, 1.0, origin=(0, 0))
            if grid == own:
                line = shapely.shortest_line(here, shapely.boundary(land))
            else:
                line = shapely.shortest_line(here, land)
            there = shapely.get_coordinates(line)[1]
            metres[grid] = float(distance_m(x, y, there[0] / shrink, there[1]))
        if own == NO_GRID:
            nearest = min(metres, key=lambda grid: (round(metres[grid], 6), grid))
            assert across == nearest
            assert distance == pytest.approx(metres[nearest], abs=1e-4)
        else:
            assert distance == pytest.approx(metres.pop(own), abs=1e-4)
            if across == NO_GRID:
                assert min(metres.values()) > distance - 1e-4
            else:
                assert metres[across] == pytest.approx(distance, abs=1e-4)


def test_on_a_border_the_distance_is_nothing_and_the_other_grid_is_across(four: Locator) -> None:
    _, _, across, metres = four.find_one(1.0, 0.5)
    assert (metres, across) == (0.0, 40)
    assert four.find_one(0.0, 0.5)[2] == NO_GRID


def test_far_away_the_nearest_grid_is_found(four: Locator) -> None:
    _, _, across, metres = four.find_one(30.0, 0.5)
    assert across == 30
    assert metres == pytest.approx(float(distance_m(30.0, 0.5, 2.0, 0.5)), rel=1e-6)
    assert Locator([], []).find_one(1.0, 2.0) == (NO_GRID, False, NO_GRID, np.inf)


# --- the database has the same rule -------------------------------------------------------------


def test_the_rule_in_the_database_says_the_same(store: Store) -> None:
    grids = crooked_county()
    with store.transaction(SYSTEM) as connection:
        make_scheme(connection)
        tessellation, _ = from_polygons(list(grids), list(grids.values()))
        drafts = pd.DataFrame(
            [
                {"key": "town", "rank": 1, "name": "东镇", "code": "990101101"},
                {"key": "m", "rank": 2, "name": "村", "parent": "town"},
                *({"key": key, "rank": 3, "name": key, "parent": "m"} for key in grids),
            ]
        ).assign(urban_rural_class="220")
        publish(connection, SYSTEM, "base", tessellation, drafts, FIRST_DAY, "第一版")
    with store.transaction(SYSTEM) as connection:
        version = find_version_in_force(connection)
        locator = Locator(*read_polygons(connection, version.scheme_id, version.effective_day))
        shapes = locator.polygons
        random = np.random.default_rng(13)
        west, south, east, north = shapely.total_bounds(shapes)
        hard = all_hard_points(shapes, 400, seed=9)
        lon = np.concatenate([random.uniform(west - 0.001, east + 0.001, 40_000), hard[0]])
        lat = np.concatenate([random.uniform(south - 0.001, north + 0.001, 40_000), hard[1]])
        found = locator.locate(lon, lat)
        by_polygon = connection.execute(
            sa.text(
                """
                WITH place AS MATERIALIZED (
                    SELECT number, ST_SetSRID(ST_MakePoint(lon, lat), 4490) AS point
                    FROM unnest(CAST(:lon AS float8[]), CAST(:lat AS float8[]))
                         WITH ORDINALITY AS given (lon, lat, number)
                )
                SELECT place.number, min(state.grid_id), count(*) > 1
                FROM grid_state AS state
                JOIN place ON place.point && state.geom AND gis_holds(state.geom, place.point)
                WHERE state.rank = 3
                GROUP BY place.number
                """
            ),
            {"lon": lon.tolist(), "lat": lat.tolist()},
        ).all()
        theirs, ties = np.full(len(lon), NO_GRID), np.zeros(len(lon), dtype=bool)
        for number, grid_id, tie in by_polygon:
            theirs[number - 1], ties[number - 1] = grid_id, tie
        assert np.array_equal(found.grid_id, theirs)
        assert np.array_equal(found.tie, ties)
        some = np.concatenate([np.arange(200), np.arange(40_000, len(lon), 17)])
        one_by_one = connection.execute(
            sa.text(
                "SELECT coalesce(gis_grid_at(ST_SetSRID(ST_MakePoint(lon, lat), 4490)), -1)"
                " FROM unnest(CAST(:lon AS float8[]), CAST(:lat AS float8[])) AS given (lon, lat)"
            ),
            {"lon": lon[some].tolist(), "lat": lat[some].tolist()},
        ).scalars()
        assert list(one_by_one) == found.grid_id[some].tolist()
