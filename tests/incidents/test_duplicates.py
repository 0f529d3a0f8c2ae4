"""What is near in place and time, against distances on the ellipsoid."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from gis_service.incidents.duplicates import Candidate, box_around, find_likely

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
GEOD = Geod(ellps="GRS80")
LON, LAT = 112.9, 28.7


def at(metres: float, azimuth: float = 90.0, hours: float = 0.0, number: int = 1) -> Candidate:
    lon, lat, _ = GEOD.fwd(LON, LAT, azimuth, metres)
    return Candidate(number, lon, lat, NOON + timedelta(hours=hours))


@pytest.mark.parametrize(
    ("metres", "hours", "is_near"),
    [(0, 0, True), (149, 47, True), (151, 0, False), (10, 49, False), (10, -47, True)],
)
def test_near_is_near_in_place_and_time(metres: float, hours: float, is_near: bool) -> None:
    found = find_likely([at(metres, hours=hours)], LON, LAT, NOON, 150.0, 48.0)
    assert bool(found) is is_near


def test_the_nearest_comes_first() -> None:
    found = find_likely(
        [at(90, number=1), at(20, number=2), at(20, hours=3, number=3)], LON, LAT, NOON, 150, 48
    )
    assert [one.incident_id for one in found] == [2, 3, 1]
    assert found[0].distance_m == pytest.approx(20, abs=0.1)
    assert found[1].hours_apart == 3


def test_without_candidates_there_is_nothing() -> None:
    assert find_likely([], LON, LAT, NOON, 150, 48) == []


@given(st.floats(-179, 179), st.floats(-85, 85), st.floats(0, 360), st.floats(1, 5000))
def test_the_box_holds_every_place_within_the_radius(
    lon: float, lat: float, azimuth: float, radius_m: float
) -> None:
    west, south, east, north = box_around(lon, lat, radius_m)
    there_lon, there_lat, _ = GEOD.fwd(lon, lat, azimuth, radius_m)
    assert south <= there_lat <= north
    assert west <= lon + (there_lon - lon + 180) % 360 - 180 <= east
