"""What is noted of a region's file is told wherever the region's figures are: nobody is misled."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gis_service import main_job
from gis_service.access import SYSTEM
from gis_service.api import create_app
from gis_service.coverage.areas.service import AreaService
from gis_service.coverage.runs.runs import find_run
from gis_service.errors import ConflictError
from gis_service.ingest.osm.reading import read_osm
from gis_service.ingest.region import import_region
from gis_service.ingest.writing.past_imports import region_notes
from gis_service.messages import LANGUAGES
from gis_service.regions import name_region_database
from gis_service.reports.reading import read_facts
from gis_service.reports.writing import Writer
from gis_service.snapshot import Snapshot
from gis_service.store.engine import Store
from tests.api.conftest import TestClient
from tests.ingest.osm_drawing import Drawing
from tests.people import make_person, sign_in

TOLD = {"ingest.osm_homes_outside", "ingest.osm_households_assumed"}


def drawn(folder: Path) -> Path:
    """A whole town with two homes, and three in a neighbour cut off by the edge of the file."""
    drawing = Drawing()
    drawing.nodes(a=(0, 0), b=(10, 0), c=(20, 0), d=(20, 10), e=(10, 10), f=(0, 10))
    drawing.nodes(p=(1, 1), q=(10, 1), r=(19, 1))
    drawing.leave_out("cd")
    common = {"type": "boundary", "boundary": "administrative", "admin_level": "8"}
    drawing.way(1, "efab")
    drawing.way(2, "be")
    drawing.way(3, "bcde")
    drawing.way(4, "pqr", highway="residential")
    drawing.relation(11, {1: "outer", 2: "outer"}, name="西镇", **common)
    drawing.relation(12, {2: "outer", 3: "outer"}, name="东镇", **common)
    drawing.node("s", 2, 1.2, amenity="fire_station", name="消防站")
    for number, x in enumerate((2, 3, 12, 13, 14)):
        names = [f"{number}{letter}" for letter in "abc"]
        for name, (dx, dy) in zip(names, ((0, 1.1), (0.1, 1.1), (0, 1.2)), strict=True):
            drawing.node(name, x + dx, dy)
        drawing.way(100 + number, [*names, names[0]], building="house")
    return drawing.save(folder)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn(tmp_path_factory.mktemp("region"))


@pytest.fixture(scope="module")
def result(store: Store, file: Path) -> dict[str, Any]:
    import_region(store, SYSTEM, file)
    told = dict(main_job.main_job(store, file.with_name("map.html"), lambda _line: None, "en"))
    return {**told, "document": file.with_name("map.html").read_text("utf-8")}


@pytest.fixture(scope="module")
def client(store: Store, result: dict[str, Any]) -> Iterator[TestClient]:
    del result
    app = create_app(store, loopback_only=True)
    with TestClient(app, "http://127.0.0.1:8000", client=("127.0.0.1", 50000)) as client:
        # A region is not made up: its notes are for who has signed in.
        sign_in(client, make_person(store, "county_office")[0])
        yield client


def test_the_notes_are_kept_with_the_region(store: Store, result: dict[str, Any]) -> None:
    with store.transaction(SYSTEM) as connection:
        kept = {note.key: dict(note.values) for note in region_notes(connection)}
    assert set(kept) >= TOLD
    assert kept["ingest.osm_homes_outside"]["percent"] == 60.0
    said = {note["note"]: note for note in result["notes"]}
    assert set(said) == set(kept)
    assert said["ingest.osm_homes_outside"]["text"].startswith("3 of 5 homes (60.0 %)")
    assert json.loads(json.dumps(result["notes"])) == result["notes"]


def test_the_figure_tells_who_is_inside_and_who_is_not(result: dict[str, Any]) -> None:
    figures = result["coverage"]["fire-20"]
    assert figures["n"] == 5
    assert figures["inside"]["n"] == 2
    assert figures["inside"]["covered"] == 2
    (note,) = [note for note in figures["notes"] if note["note"] == "in_no_grid"]
    assert (note["n"], note["of"], note["percent"], note["inside"]) == (3, 5, 60.0, 2)


def test_the_map_speaks_the_language_that_was_asked_for(
    store: Store, result: dict[str, Any], tmp_path: Path
) -> None:
    assert 'lang="en"' in result["document"][:200]
    map_file = tmp_path / "map.html"
    for language in LANGUAGES:
        lines: list[str] = []
        main_job.main_job(store, map_file, lines.append, language)
        assert f'lang="{language}"' in map_file.read_text("utf-8")[:200]
        assert lines[-1] == "Drew the map."
        lines.clear()
        main_job.main_job(store, map_file, lines.append, language)
        assert lines == []  # it shows today's state and is kept


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_shows_them_with_the_figures(
    client: TestClient, result: dict[str, Any], language: str
) -> None:
    run_id = result["coverage"]["fire-20"]["run_id"]
    answer = client.get(f"/api/coverage/runs/{run_id}", headers={"Accept-Language": language})
    told = {note["note"]: note["text"] for note in answer.json()["region_notes"]}
    assert {"osm_homes_outside", "osm_households_assumed"} <= set(told)
    assert "60.0" in told["osm_homes_outside"]
    assert ("户" in told["osm_homes_outside"]) == (language == "zh-CN")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_report_tells_them(store: Store, result: dict[str, Any], language: Any) -> None:
    with store.transaction(SYSTEM) as connection:
        run = find_run(connection, result["coverage"]["fire-20"]["run_id"])
        facts = read_facts(connection, SYSTEM, run, AreaService(Snapshot()), with_bands=False)
        expected = [note.say(language) for note in region_notes(connection)]
    assert expected
    assert set(expected) <= set(Writer(facts, language).notes())


def test_the_whole_file_is_another_region(store: Store, file: Path, result: dict[str, Any]) -> None:
    del result
    assert import_region(store, SYSTEM, file) is None
    with pytest.raises(ConflictError):
        import_region(store, SYSTEM, file, whole_file=True)
    assert name_region_database(file) != name_region_database(file, whole_file=True)
    assert "ingest.osm_rest_grid" in {note.key for note in read_osm(file, whole_file=True).notes}
