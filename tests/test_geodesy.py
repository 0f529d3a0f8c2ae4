"""Distances between near points are those of the ellipsoid."""

import numpy as np
import pytest

from gis_service.geodesy import distance_m, near_distance_m


@pytest.mark.parametrize(("reach_deg", "within_m"), [(0.01, 1e-5), (0.05, 0.001), (0.09, 0.004)])
def test_near_points_are_measured_as_on_the_ellipsoid(reach_deg: float, within_m: float) -> None:
    random = np.random.default_rng(1)
    lat = random.uniform(-60, 60, 5_000)
    lon = random.uniform(-180, 179, 5_000)
    turn, reach = random.uniform(0, 2 * np.pi, 5_000), random.uniform(0, reach_deg, 5_000)
    to = (lon + reach * np.cos(turn) / np.cos(np.radians(lat)), lat + reach * np.sin(turn))
    near = near_distance_m(lon, lat, *to)
    assert np.abs(near - distance_m(lon, lat, *to)).max() < within_m


def test_far_points_and_those_near_a_pole_are_measured_exactly() -> None:
    lon, lat = np.array([112.0, 10.0, 179.99]), np.array([28.0, 89.0, 0.0])
    to_lon, to_lat = np.array([-60.0, 12.0, -179.99]), np.array([-30.0, 89.001, 0.0])
    exact = distance_m(lon, lat, to_lon, to_lat)
    np.testing.assert_array_equal(near_distance_m(lon, lat, to_lon, to_lat), exact)
