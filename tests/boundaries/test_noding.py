"""Polygons that nearly fit become one linework; what does not fit is named with its place."""

from collections.abc import Mapping

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis_service.boundaries.linework.noding import NodingReport, check_polygons, metres_per_degree
from gis_service.geodesy import area_m2
from tests.support import SOUTH, WEST

EAST_M, NORTH_M = metres_per_degree(SOUTH)
CELL = 300.0  # metres


def place(x: float, y: float) -> tuple[float, float]:
    """A place by metres from the drawn county's corner, on the lattice."""
    return round(WEST + x / EAST_M, 9), round(SOUTH + y / NORTH_M, 9)


def shape(*xy: tuple[float, float]) -> shapely.Polygon:
    return shapely.Polygon([place(*point) for point in xy])


def box(x0: float, y0: float, x1: float, y1: float) -> shapely.Polygon:
    return shape((x0, y0), (x1, y0), (x1, y1), (x0, y1))


def nine() -> dict[str, shapely.Polygon]:
    return {
        f"g{i}{j}": box(i * CELL, j * CELL, (i + 1) * CELL, (j + 1) * CELL)
        for j in range(3)
        for i in range(3)
    }


def check(grids: Mapping[str, shapely.Geometry], tolerance_m: float = 0.5) -> NodingReport:
    return check_polygons(list(grids), list(grids.values()), tolerance_m)


def is_whole(report: NodingReport) -> bool:
    """A valid coverage, without a hole, whose linework gives the same polygons again."""
    assert report.tessellation is not None
    faces = report.tessellation.faces()
    land = shapely.union_all(faces)
    return bool(
        shapely.coverage_is_valid(shapely.get_parts(faces))
        and shapely.get_num_geometries(land) == 1
        and not shapely.get_num_interior_rings(land)
        and shapely.equals(faces, report.polygons).all()
    )


def test_grids_that_fit_are_taken_as_they_are() -> None:
    grids = nine()
    report = check(grids)
    assert report.errors == report.repairs == report.warnings == []
    assert is_whole(report)
    assert shapely.equals(report.polygons, np.array(list(grids.values()))).all()


def test_a_neighbour_without_the_others_vertex_gets_it() -> None:
    grids = {
        "west": box(0, 0, 100, 200),
        "south": box(100, 0, 200, 100),
        "north": box(100, 100, 200, 200),
    }
    report = check(grids)
    assert report.errors == report.repairs == []
    assert is_whole(report)


@pytest.mark.parametrize("shift", [0.3, -0.3])
def test_a_slit_or_overlap_within_the_tolerance_is_repaired_and_listed(shift: float) -> None:
    grids = nine()
    before = area_m2(list(grids.values()))
    grids["g11"] = box(CELL + shift, CELL, 2 * CELL, 2 * CELL)
    report = check(grids)
    assert report.errors == []
    kind = "gap" if shift > 0 else "overlap"
    (repair,) = report.repairs
    assert repair.kind == kind
    assert {"g01", "g11"} <= set(repair.keys)  # a slit ends at a third and a fourth one
    assert repair.width_m == pytest.approx(0.3, rel=0.01)
    assert repair.area_m2 == pytest.approx(0.3 * CELL, rel=0.01)
    assert repair.lonlat is not None
    assert repair.lonlat == pytest.approx(place(CELL, 1.5 * CELL), abs=2e-3)
    assert is_whole(report)
    far = [i for i, key in enumerate(grids) if key in ("g20", "g21", "g22")]
    np.testing.assert_allclose(area_m2(report.polygons)[far], before[far], rtol=1e-9)


@pytest.mark.parametrize("shift", [1.0, -1.0])
def test_beyond_the_tolerance_it_is_an_error_with_place_and_width(shift: float) -> None:
    grids = nine()
    grids["g11"] = box(CELL + shift, CELL, 2 * CELL, 2 * CELL)
    report = check(grids)
    assert report.tessellation is None
    assert [finding.kind for finding in report.errors] == ["gap" if shift > 0 else "overlap"]
    error = report.errors[0]
    assert {"g01", "g11"} <= set(error.keys)
    assert error.width_m == pytest.approx(1.0, rel=0.01)
    assert error.area_m2 == pytest.approx(CELL, rel=0.01)
    written = error.as_dict()
    assert written["geometry"]["type"] == "Polygon"
    assert written["lonlat"] == pytest.approx(place(CELL, 1.5 * CELL), abs=2e-3)


def test_a_slit_from_one_end_of_the_county_to_the_other_is_found_too() -> None:
    west, east = box(0, 0, 200, 500), box(201, 0, 400, 500)
    report = check({"west": west, "east": east})
    assert [(finding.kind, set(finding.keys)) for finding in report.errors] == [
        ("gap", {"west", "east"})
    ]
    assert report.errors[0].width_m == pytest.approx(1.0, rel=0.05)
    narrow = check({"west": west, "east": box(200.2, 0, 400, 500)})
    assert narrow.errors == []
    assert narrow.counts()["repairs"]["gap"] == 1
    assert is_whole(narrow)


def test_land_across_a_river_is_no_slit() -> None:
    report = check({"west": box(0, 0, 200, 500), "east": box(240, 0, 400, 500)})
    assert report.errors == report.repairs == []


def test_the_middle_that_nobody_owns_is_a_gap_unless_it_may_be_a_lake() -> None:
    grids = nine()
    del grids["g11"]
    report = check(grids)
    assert [finding.kind for finding in report.errors] == ["gap"]
    assert report.errors[0].width_m == pytest.approx(CELL, rel=0.01)
    assert len(report.errors[0].keys) == 4
    lake = check_polygons(list(grids), list(grids.values()), 0.5, allow_holes=True)
    assert lake.errors == []
    assert lake.counts()["warnings"]["left_out"] == 1


def test_corners_that_miss_each_other_leave_no_crumbs() -> None:
    grids = {
        f"g{i}{j}": box(i * CELL, j * CELL, (i + 1) * CELL - 0.4, (j + 1) * CELL - 0.4)
        for j in range(3)
        for i in range(3)
    }
    report = check(grids, 0.6)
    assert report.errors == []
    assert report.counts()["warnings"] == {"several_parts": 0, "hole": 0, "left_out": 0}
    assert is_whole(report)


def test_a_polygon_that_crosses_itself_is_an_error_where_it_does() -> None:
    bow = shape((0, 0), (100, 100), (100, 0), (0, 100))
    report = check({"bow": bow, "east": box(100, 0, 200, 100)})
    assert "invalid" in {finding.kind for finding in report.errors}
    assert report.tessellation is None


def test_a_spike_and_a_tiny_loop_are_cut_off_and_listed() -> None:
    spike = shape((0, 0), (100, 0), (100, 50), (130, 50), (100, 50), (100, 100), (0, 100))
    loop = shape(
        (200, 0), (300, 0), (300, 50), (300.2, 50.2), (300.2, 49.9), (300, 50.05), (300, 100),
        (200, 100),
    )  # fmt: skip
    report = check({"spike": spike, "loop": loop, "far": box(400, 0, 500, 100)})
    assert report.errors == []
    assert {(finding.kind, *finding.keys) for finding in report.repairs} == {
        ("spike", "spike"), ("self_crossing", "loop"),
    }  # fmt: skip


def test_what_is_no_polygon_or_has_no_land_of_its_own_is_named() -> None:
    twice = box(0, 0, 100, 100)
    report = check_polygons(
        ["a", "a", "line", "nothing"],
        [twice, twice, shapely.LineString([place(0, 0), place(1, 1)]), None],
        0.5,
    )
    assert {kind: n for kind, n in report.counts()["errors"].items() if n} == {
        "key_twice": 1, "overlap": 1, "empty": 2, "no_land": 2,
    }  # fmt: skip


def test_a_dedicated_grid_is_cut_out_of_the_one_below() -> None:
    grids = {"village": box(0, 0, 300, 300), "school": box(100, 100, 150, 150)}
    report = check_polygons(list(grids), list(grids.values()), 0.5, cut_out=[False, True])
    assert report.errors == []
    assert report.counts()["warnings"]["hole"] == 1
    np.testing.assert_allclose(area_m2(report.polygons), [87_500, 2_500], rtol=1e-3)


def test_several_parts_are_told() -> None:
    apart = shapely.MultiPolygon([box(0, 0, 100, 100), box(300, 0, 400, 100)])
    report = check({"apart": apart, "between": box(100, 0, 300, 100)})
    assert report.errors == []
    assert report.counts()["warnings"]["several_parts"] == 1


def wobbly(polygon: shapely.Polygon, rng: np.random.Generator, size: float) -> shapely.Polygon:
    """The same outline with more vertices, each beside its place by up to ``size`` degrees."""
    ring = shapely.get_coordinates(shapely.segmentize(polygon, 0.001))[:-1]
    return shapely.Polygon(ring + rng.uniform(-size, size, ring.shape))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from([1e-9, 1e-7, 1e-6]))
def test_borders_drawn_twice_within_the_tolerance_always_become_one(seed: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    grids = {key: wobbly(polygon, rng, size) for key, polygon in nine().items()}
    report = check(grids, 0.7)
    assert report.errors == []
    assert is_whole(report)
    before = area_m2(list(grids.values()))
    np.testing.assert_allclose(area_m2(report.polygons), before, rtol=1e-6 + 4e3 * size)


# --- outlines that nobody draws on purpose --------------------------------------------------------

APART = (box(0, 0, 100, 100), box(300, 0, 400, 100))
SPIKED = shape((0, 0), (100, 0), (100, 50), (130, 50), (100, 50), (100, 100), (0, 100))
REPEATED = shape((0, 0), (100, 0), (100, 0), (100, 100), (0, 100))
TWO_POINTS = shape((20, 20), (40, 40), (20, 20))


@pytest.mark.parametrize(
    ("parts", "repair"),
    [
        ([REPEATED, APART[1]], "duplicate_vertex"),
        ([SPIKED, APART[1]], "spike"),
        ([APART[1], SPIKED], "spike"),
        ([APART[0], box(100, 0, 200, 100)], "shared_edge"),
        ([*APART, shape((320, 320), (340, 340), (320, 320))], "spike"),
        ([shapely.Polygon(APART[0].exterior, [TWO_POINTS.exterior]), APART[1]], "spike"),
    ],
    ids=["repeated", "spike", "spike in the second", "shared edge", "two points", "hole of two"],
)
def test_several_parts_with_a_flaw_keep_all_their_land(
    parts: list[shapely.Polygon], repair: str
) -> None:
    report = check({"parts": shapely.MultiPolygon(parts), "south": box(0, -100, 400, 0)})
    assert report.errors == []
    assert repair in {finding.kind for finding in report.repairs if finding.lonlat is not None}
    assert report.tessellation is not None
    want = sum(area_m2(np.array([part for part in parts if part.area > 0])))
    assert area_m2(report.polygons)[0] == pytest.approx(want, rel=1e-6)


@pytest.mark.parametrize(
    "nothing",
    [TWO_POINTS, shape((20, 20), (40, 20), (30, 20)), shapely.Polygon(), None],
    ids=["two points", "a line there and back", "empty", "none"],
)
def test_a_grid_without_land_is_an_error_and_never_left_out(nothing: shapely.Geometry) -> None:
    for others in ({}, {"south": box(0, -100, 400, 0)}):
        report = check({"nothing": nothing, **others})
        assert [(finding.kind, finding.keys) for finding in report.errors] == [
            ("empty", ("nothing",))
        ]
        assert report.tessellation is None


def test_a_notch_of_the_outline_where_two_grids_meet_is_no_gap() -> None:
    west = shape((0, 0), (200, 0), (200, 440), (196, 440), (196, 500), (0, 500))
    east = shape((200, 0), (400, 0), (400, 500), (204, 500), (204, 440), (200, 440))
    assert check({"west": west, "east": east}).errors == []
    narrowing = 60.0  # the tip of a bay that opens to 100 m
    west = shape((0, 0), (200, 0), (200, 500 - narrowing), (150, 1500), (0, 1500))
    east = shape((200, 0), (400, 0), (400, 1500), (250, 1500), (200, 500 - narrowing))
    assert check({"west": west, "east": east}).errors == []


def test_a_slit_that_flares_at_its_mouth_is_still_a_gap() -> None:
    west = shape((0, 0), (199, 0), (199, 490), (196, 500), (0, 500))
    east = shape((200, 0), (400, 0), (400, 500), (203, 500), (200, 490))
    report = check({"west": west, "east": east})
    assert [finding.kind for finding in report.errors] == ["gap"]


# --- tangles --------------------------------------------------------------------------------------


def comb(teeth: int, *, standing: bool) -> shapely.Polygon:
    along = np.repeat(np.arange(teeth) * 10.0, 2)
    across = np.tile([0.0, teeth * 10.0, teeth * 10.0, 0.0], teeth // 2)
    ends = [(teeth * 10.0, -50.0), (-50.0, -50.0)]
    points = list(zip(along.tolist(), across.tolist(), strict=True)) + ends
    return shape(*(points if standing else [(y, x) for x, y in points]))


def test_a_border_that_crosses_itself_without_end_is_said_with_its_place() -> None:
    rng = np.random.default_rng(3)
    tangle = shape(*rng.uniform(0, 1000, (400, 2)).tolist())
    report = check({"good": box(2000, 0, 2100, 100), "tangle": tangle})
    assert [(finding.kind, finding.keys) for finding in report.errors] == [("tangled", ("tangle",))]
    (tangled,) = report.errors
    assert tangled.lonlat is not None
    assert shapely.dwithin(tangle.exterior, shapely.Point(tangled.lonlat), 1e-7)
    assert report.tessellation is None


def test_two_borders_that_cross_each_other_without_end_name_both_grids() -> None:
    combs = {"a": comb(150, standing=True), "b": comb(150, standing=False)}
    (tangled,) = check(combs).errors
    assert (tangled.kind, set(tangled.keys)) == ("tangled", {"a", "b"})
    assert tangled.lonlat is not None
    place = shapely.Point(tangled.lonlat)
    assert all(shapely.dwithin(comb.exterior, place, 1e-7) for comb in combs.values())
    few = {"a": comb(10, standing=True), "b": comb(10, standing=False)}
    assert "tangled" not in {finding.kind for finding in check(few).errors}


def test_what_counts_as_a_tangle_is_a_setting() -> None:
    combs = [comb(20, standing=True), comb(20, standing=False)]
    report = check_polygons(["a", "b"], combs, 0.5, most_crossings=100)
    assert [finding.kind for finding in report.errors] == ["tangled"]
    report = check_polygons(["a", "b"], combs, 0.5, most_crossings=1000)
    assert "tangled" not in {finding.kind for finding in report.errors}
