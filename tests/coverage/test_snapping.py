"""The nearest line by our index is the one that shapely finds, and as far away to the last bit."""

import numpy as np
import pytest
import shapely

from gis_service.coverage.network.snapping import find_nearest_lines, index_lines

TIE_M = 1e-6


def lines_of(dice: np.random.Generator, number: int) -> list[shapely.LineString]:
    """Bent lines of all lengths, some drawn twice, some crossing the whole county."""
    lines = [
        shapely.LineString(
            dice.uniform(-4000, 4000, 2)
            + np.cumsum(dice.normal(0, dice.choice([3, 60, 900]), (dice.integers(2, 7), 2)), axis=0)
        )
        for _ in range(number)
    ]
    return [*lines, *lines[:5], lines[7].reverse()]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("cap_m", [20.0, 500.0, 100_000.0])
def test_it_finds_what_shapely_finds(seed: int, cap_m: float) -> None:
    dice = np.random.default_rng(seed)
    lines = lines_of(dice, 60)
    points = dice.uniform(-6000, 6000, (250, 2))
    points[:20] = [line.interpolate(0.3, normalized=True).coords[0] for line in lines[:20]]
    points[20:40] = [line.coords[0] for line in lines[:20]]
    x, y = shapely.get_coordinates(lines).T.copy()
    index = index_lines(x, y, np.array([len(line.coords) for line in lines], dtype=np.int64))
    line, metres, fraction = find_nearest_lines(
        index, points[:, 0].copy(), points[:, 1].copy(), cap_m, TIE_M
    )
    for at, point in enumerate([shapely.Point(xy) for xy in points]):
        away = shapely.distance(point, np.array(lines, dtype=object))
        if away.min() > cap_m:
            assert (line[at], metres[at], fraction[at]) == (-1, np.inf, 0.0)
            continue
        assert metres[at] == away.min()
        assert line[at] == np.flatnonzero(away <= away.min() + TIE_M)[0]
        place = shapely.line_interpolate_point(lines[line[at]], fraction[at], normalized=True)
        assert shapely.distance(place, point) == pytest.approx(away[line[at]], abs=1e-6)


def test_a_point_that_is_none_meets_nothing() -> None:
    index = index_lines(np.array([0.0, 10.0]), np.array([0.0, 0.0]), np.array([2]))
    line, metres, _ = find_nearest_lines(
        index, np.array([np.nan, np.inf, 5.0]), np.array([0.0, 0.0, 3.0]), 50.0, TIE_M
    )
    assert line.tolist() == [-1, -1, 0]
    assert metres.tolist() == [np.inf, np.inf, 3.0]


def test_a_line_of_no_length_is_a_point() -> None:
    index = index_lines(np.array([1.0, 1.0]), np.array([2.0, 2.0]), np.array([2]))
    line, metres, fraction = find_nearest_lines(
        index, np.array([1.0]), np.array([5.0]), 50.0, TIE_M
    )
    assert (line[0], metres[0], fraction[0]) == (0, 3.0, 0.0)
