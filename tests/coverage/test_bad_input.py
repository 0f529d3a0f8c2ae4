"""Counties that make no sense on the road: each is measured truly, and says what is wrong."""

from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.coverage import runs
from gis_service.coverage.standards import read_standards
from gis_service.errors import InputError
from gis_service.store import Store
from gis_service.store import tables as t
from gis_service.store.bulk import copy_rows
from tests.coverage.drawn_county import BOOK, point


@pytest.fixture
def without_stations(county: Store) -> Store:
    with county.transaction(SYSTEM) as connection:
        connection.execute(sa.delete(t.facility).where(t.facility.c.kind == "fire_station"))
    return county


def stations(store: Store, *places: tuple[float, float]) -> None:
    with store.transaction(SYSTEM) as connection:
        copy_rows(
            connection,
            t.facility,
            {
                "key": [f"s{number}" for number in range(len(places))],
                "kind": ["fire_station"] * len(places),
                "name": ["站"] * len(places),
                "point": np.array([point(*place) for place in places], dtype=object),
            },
        )


def test_a_station_on_an_island_serves_the_island_only(without_stations: Store) -> None:
    stations(without_stations, (4000, 8000))
    run = runs.measure(without_stations, SYSTEM, "fire-20", book=BOOK)
    assert (run["covered"], run["unreachable"], run["off_network"]) == (1, 5, 1)


def test_all_stations_in_one_place_are_as_good_as_one(without_stations: Store) -> None:
    stations(without_stations, (0, 0))
    one = runs.measure(without_stations, SYSTEM, "fire-20", book=BOOK)
    stations_more = [(0.0, 0.0)] * 4
    with without_stations.transaction(SYSTEM) as connection:
        connection.execute(sa.delete(t.facility))
    stations(without_stations, *stations_more)
    many = runs.measure(without_stations, SYSTEM, "fire-20", book=BOOK)
    same = ("n", "covered", "too_far", "unreachable", "off_network", "median_minutes")
    assert [one[name] for name in same] == [many[name] for name in same]


def test_a_station_far_outside_the_county_serves_nobody_and_is_told_of(
    without_stations: Store,
) -> None:
    stations(without_stations, (500_000, 0))
    run = runs.measure(without_stations, SYSTEM, "fire-20", book=BOOK)
    assert run["covered"] == 0
    assert run["facilities_off_network"] == {"fire_station": 1}
    assert run["unreachable"] + run["off_network"] == run["n"]


@pytest.mark.parametrize("speed", ["0", "-5", "nan", "inf"])
def test_a_speed_that_is_none_is_refused_with_its_place(tmp_path: Path, speed: str) -> None:
    file = tmp_path / "county.toml"
    file.write_text(f"[profiles.fire_engine.speed_kmh]\nprimary = {speed}\n", "utf-8")
    with pytest.raises(InputError, match=r"county\.toml"):
        read_standards(file)
