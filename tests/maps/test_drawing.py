"""Paper is true to scale, shapes become paths, and labels keep apart."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis_service.geodesy import distance_m
from gis_service.maps.sheets.drawing import (
    SCALES,
    Board,
    Label,
    MapFrame,
    fit,
    place_along,
    place_inside,
    scale_bar_m,
    text_width,
    write_path_data,
)

GRID = (112.90, 28.70, 112.91, 28.709)


@given(
    lon=st.floats(75, 133), lat=st.floats(4, 52), scale=st.sampled_from(SCALES[:30]),
    x=st.floats(0, 190), y=st.floats(0, 190), dx=st.floats(-60, 60), dy=st.floats(-60, 60),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_a_distance_on_paper_times_the_scale_is_the_distance_on_the_ground(
    lon: float, lat: float, scale: float, x: float, y: float, dx: float, dy: float
) -> None:
    frame = MapFrame(lon, lat, scale, 190, 190)
    there = frame.to_ground(x, y)
    beyond = frame.to_ground(x + dx, y + dy)
    on_ground = float(distance_m(*there, *beyond))
    on_paper = np.hypot(dx, dy) * scale / 1000
    assert on_ground == pytest.approx(on_paper, rel=2e-4, abs=0.01)


def test_to_paper_and_to_ground_are_each_others_opposite() -> None:
    frame = fit(GRID, 190, 180)
    lon, lat = frame.to_ground(30, 40)
    spot = frame.to_paper(shapely.Point(lon, lat))
    assert (spot.x, spot.y) == pytest.approx((30, 40), abs=1e-6)


def test_north_is_up_and_east_is_right() -> None:
    frame = fit(GRID, 190, 180)
    west, south, east, north = GRID
    corner = frame.to_paper(shapely.Point(west, south))
    opposite = frame.to_paper(shapely.Point(east, north))
    assert corner.x < opposite.x
    assert corner.y > opposite.y


@pytest.mark.parametrize("size", [(190, 180), (90, 250), (250, 60)])
def test_the_largest_round_scale_at_which_it_fits_is_taken(size: tuple[float, float]) -> None:
    frame = fit(GRID, *size)
    outline = frame.to_paper(shapely.box(*GRID))
    assert frame.scale in SCALES
    assert frame.paper.contains(outline)
    larger = SCALES[SCALES.index(frame.scale) - 1]
    closer = MapFrame(frame.lon0, frame.lat0, larger, *size)
    west, south, east, north = closer.to_paper(shapely.box(*GRID)).bounds
    assert east - west > 0.86 * size[0] or north - south > 0.86 * size[1]


def test_the_frame_knows_what_of_the_ground_it_shows() -> None:
    frame = fit(GRID, 190, 180)
    west, south, east, north = frame.bbox
    seen = frame.to_paper(shapely.box(west, south, east, north))
    assert seen.buffer(0.01).contains(frame.paper)
    assert seen.area < 1.01 * frame.paper.area


@pytest.mark.parametrize(
    ("scale", "most_mm", "metres"), [(2000, 42, 50), (10_000, 42, 200), (50_000, 42, 2000)]
)
def test_the_scale_bar_has_a_length_one_can_reckon_with(
    scale: float, most_mm: float, metres: float
) -> None:
    assert scale_bar_m(scale, most_mm) == metres


def test_a_polygon_with_a_hole_becomes_two_closed_runs() -> None:
    ring = shapely.Polygon([(0, 0), (9, 0), (9, 9), (0, 9)], [[(3, 3), (3, 6), (6, 6), (6, 3)]])
    data = write_path_data([ring])
    assert data.count("M") == data.count("Z") == 2


def test_what_shrinks_to_a_point_is_not_drawn() -> None:
    speck = shapely.box(1, 1, 1.001, 1.001)
    assert write_path_data([speck, shapely.LineString([(0, 0), (0.001, 0)])]) == ""
    assert write_path_data([shapely.Polygon(), shapely.Point(1, 1)]) == ""


def test_a_label_is_escaped() -> None:
    assert "&lt;b&gt;" in Label("<b>", 1, 1, 2).svg(fill="red")
    assert "<b>" not in Label("<b>", 1, 1, 2).svg(fill="red")


def test_no_label_comes_upon_another_or_over_the_edge() -> None:
    board = Board(shapely.box(0, 0, 50, 50))
    assert board.place(Label("东街一格", 25, 25, 3))
    assert not board.place(Label("东街二格", 27, 26, 3))
    assert not board.place(Label("东街三格", 3, 10, 3))
    assert board.place(Label("东街四格", 25, 35, 3))
    chosen = board.place_first([Label("甲", 25, 25, 3), Label("甲", 40, 10, 3)])
    assert chosen is not None
    assert chosen.x == 40
    assert board.place_first([Label("乙", 25, 25, 3)]) is None


def test_a_chinese_sign_is_a_square_and_a_latin_one_is_narrower() -> None:
    assert text_width("东街", 3) == 6
    assert text_width("ab", 3) < 4


def test_a_name_stands_on_a_straight_stretch_and_can_be_read() -> None:
    zigzag = [(x, (x % 4) * 3) for x in range(0, 40, 2)]
    line = shapely.LineString([*zigzag, (40, 0), (90, 10)])
    labels = place_along(line, "人民路", 3)
    assert labels
    assert labels[0].x > 40
    back = place_along(shapely.LineString([(90, 10), (40, 0)]), "人民路", 3)
    assert all(-90 < label.angle <= 90 for label in (*labels, *back))


def test_a_street_shorter_than_its_name_carries_none() -> None:
    assert place_along(shapely.LineString([(0, 0), (5, 0)]), "人民路", 3) == []


def test_a_name_stands_inside_its_polygon_in_the_largest_part() -> None:
    small, large = shapely.box(0, 0, 8, 8), shapely.box(20, 0, 60, 30)
    first = place_inside(shapely.MultiPolygon([small, large]), "东街", 3)[0]
    assert large.contains(shapely.Point(first.x, first.y))
    assert place_inside(shapely.box(0, 0, 1, 1), "东街", 3) == []
    assert place_inside(shapely.Polygon(), "东街", 3) == []
