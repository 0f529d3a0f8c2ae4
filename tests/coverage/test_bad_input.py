"""Counties that make no sense on the road: each is measured truly, and says what is wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from gis_service import job_queries, jobs
from gis_service.access import SYSTEM
from gis_service.coverage.measuring.notes import MOST, notes_as_text
from gis_service.coverage.runs import runs
from gis_service.coverage.standards.book import read_standards
from gis_service.errors import InputError
from gis_service.geodesy import distance_m
from gis_service.messages import LANGUAGES, Language
from gis_service.store import Store
from gis_service.store import tables as t
from gis_service.store.bulk import copy_rows
from tests.coverage.drawn_county import BOOK, point
from tests.coverage.drawn_roads import at_m


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
                "name": [f"站{number}" for number in range(len(places))],
                "point": np.array([point(*place) for place in places], dtype=object),
            },
        )


OUTSIDE = {"in_no_grid"}
"""One household of the drawn county lies in no grid, which every run tells."""


def said_of(run: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """The notes of a run in Chinese and English, by sort."""
    notes: dict[str, list[tuple[str, str]]] = {}
    chinese, english = (notes_as_text(run["notes"], language) for language in LANGUAGES)
    for note, *words in zip(run["notes"], chinese, english, strict=True):
        notes.setdefault(note["note"], []).append((words[0], words[1]))
    return notes


def test_a_county_in_order_needs_no_note_but_of_the_home_in_no_grid(county: Store) -> None:
    run = runs.measure(county, SYSTEM, "fire-20", book=BOOK)
    assert set(said_of(run)) == OUTSIDE
    ((chinese, english),) = said_of(run)["in_no_grid"]
    assert chinese.startswith("7 户中有 1 户（14.3%）")
    assert english.startswith("1 of 7 households (14.3 %) lie in no grid")
    parts = ("covered", "too_far", "unreachable", "off_network")
    assert run["inside"]["n"] == 6 == sum(run["inside"][name] for name in parts)
    assert run["n"] == 7


def test_a_network_without_an_edge_says_that_it_is_none(county: Store) -> None:
    with county.transaction(SYSTEM) as connection:
        connection.execute(sa.delete(t.road_edge))
    run = runs.measure(county, SYSTEM, "fire-20", book=BOOK)
    assert (run["status"], run["covered"], run["off_network"]) == ("no_roads", 0, run["n"])
    (words,) = said_of(run)["no_roads"]
    assert "道路" in words[0]
    assert "Import the road network" in words[1]


def test_a_station_on_an_island_is_named_with_its_piece(without_stations: Store) -> None:
    stations(without_stations, (0, 0), (4000, 8000))
    run = runs.measure(without_stations, SYSTEM, "fire-20", book=BOOK)
    (words,) = said_of(run)["island"]
    for sentence in words:
        assert "站1" in sentence
        assert "2.0" in sentence  # km of road
    assert "住户1户" in words[0]
    assert "1 households" in words[1]
    assert set(said_of(run)) == {"island"} | OUTSIDE


def test_a_station_on_an_island_serves_the_island_only(without_stations: Store) -> None:
    stations(without_stations, (4000, 8000))
    run = runs.measure(without_stations, SYSTEM, "fire-20", book=BOOK)
    assert (run["covered"], run["unreachable"], run["off_network"]) == (1, 5, 1)


def test_all_stations_in_one_place_are_as_good_as_one_and_it_is_said(
    without_stations: Store,
) -> None:
    stations(without_stations, (0, 0))
    single = runs.measure(without_stations, SYSTEM, "fire-20", book=BOOK)
    stations_more = [(0.0, 0.0)] * 4
    with without_stations.transaction(SYSTEM) as connection:
        connection.execute(sa.delete(t.facility))
    stations(without_stations, *stations_more)
    many = runs.measure(without_stations, SYSTEM, "fire-20", book=BOOK)
    same = ("n", "covered", "too_far", "unreachable", "off_network", "median_minutes")
    assert [single[name] for name in same] == [many[name] for name in same]
    assert set(said_of(single)) == OUTSIDE
    ((chinese, english),) = said_of(many)["one_place"]
    assert "全部4个" in chinese
    assert "all 4 stand" in english


def test_a_station_far_outside_the_county_serves_nobody_and_is_told_of(
    without_stations: Store,
) -> None:
    stations(without_stations, (500_000, 0))
    run = runs.measure(without_stations, SYSTEM, "fire-20", book=BOOK)
    assert run["covered"] == 0
    assert run["facilities_off_network"] == {"fire_station": 1}
    assert run["unreachable"] + run["off_network"] == run["n"]
    notes = said_of(run)
    assert set(notes) == {"no_road", "outside"} | OUTSIDE
    (outside,) = (note for note in run["notes"] if note["note"] == "outside")
    metres = distance_m(*at_m(21_000, 0), *at_m(500_000, 0))  # the border lies at 21 km
    assert outside["border_km"] == pytest.approx(float(metres) / 1000, abs=0.5)
    for words in (*notes["no_road"][0], *notes["outside"][0]):
        assert "站0" in words


def test_a_station_just_outside_counts_and_is_told_of(without_stations: Store) -> None:
    stations(without_stations, (-150, 0))  # the border lies at -100 m, the road begins at 0
    run = runs.measure(without_stations, SYSTEM, "fire-20", book=BOOK)
    assert run["covered"] == 4
    assert set(said_of(run)) == {"outside"} | OUTSIDE


def test_without_a_household_near_a_road_it_is_said(county: Store) -> None:
    with county.transaction(SYSTEM) as connection:
        connection.execute(sa.delete(t.household).where(t.household.c.household_id != 6))
    run = runs.measure(county, SYSTEM, "fire-20", book=BOOK)
    assert (run["off_network"], run["n"]) == (1, 1)
    assert list(said_of(run)) == ["none_near"]


def test_roads_in_another_coordinate_system_are_caught(county: Store) -> None:
    """Nothing snaps: roads that are elsewhere measure nothing, and nothing is stored."""
    with county.transaction(SYSTEM) as connection:
        for column in (t.road_node.c.point, t.road_edge.c.geom):
            moved = {column: sa.func.ST_Translate(column, 1.5, 0)}
            connection.execute(sa.update(column.table).values(moved))
    job_id = jobs.submit(county, SYSTEM, "coverage_run", {"standard": "fire-20"})
    jobs.perform(county, job_id)
    with county.transaction(SYSTEM) as connection:
        job = job_queries.find_job(connection, job_id)
        assert runs.list_runs(connection)[1] == 0
    assert job.status == "failed"
    words: dict[Language, str] = {"zh-CN": "坐标系", "en": "coordinate system"}
    for language, word in words.items():
        message = job.error_in(language)
        assert message is not None
        assert word in message


def test_only_the_first_of_many_are_named(without_stations: Store) -> None:
    stations(without_stations, *((500_000.0, 100.0 * number) for number in range(MOST + 5)))
    run = runs.measure(without_stations, SYSTEM, "fire-20", book=BOOK)
    notes = said_of(run)
    assert len(notes["outside"]) == MOST
    assert len(notes["more"]) == 2  # of those no road leads to, and of those outside
    assert "5" in notes["more"][0][1]


@pytest.mark.parametrize("speed", ["0", "-5", "nan", "inf"])
def test_a_speed_that_is_none_is_refused_with_its_place(tmp_path: Path, speed: str) -> None:
    file = tmp_path / "county.toml"
    file.write_text(f"[profiles.fire_engine.speed_kmh]\nprimary = {speed}\n", "utf-8")
    with pytest.raises(InputError, match=r"county\.toml"):
        read_standards(file)
