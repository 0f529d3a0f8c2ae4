"""Every number has its source, and the county's own file goes before ours."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from gis_service.coverage.standards.book import (
    DEFAULTS,
    StandardBook,
    read_standards,
    translate_source,
)
from gis_service.errors import InputError, NotFoundError
from gis_service.store.tables import FACILITY_KINDS, ROAD_CLASSES


def county(tmp_path: Path, text: str) -> StandardBook:
    file = tmp_path / "county.toml"
    file.write_text(text, "utf-8")
    return read_standards(file)


def numbers(table: Any, path: str = "") -> list[tuple[str, Any]]:
    if isinstance(table, dict) and set(table) == {"value", "source"}:
        return [(path, table)]
    if isinstance(table, dict):
        return [
            number for key, below in table.items() for number in numbers(below, f"{path}.{key}")
        ]
    if isinstance(table, list):
        return [number for below in table for number in numbers(below, path)]
    return [(path, table)]


def test_every_number_stands_with_its_source() -> None:
    sources = numbers(read_standards().model_dump(mode="json"))
    assert len(sources) > 40
    for path, entry in sources:
        if entry is not None and not isinstance(entry, str | bool):
            assert isinstance(entry, dict), path
            assert len(entry["source"]) > 10, path


def test_the_two_standards_are_as_the_plans_say() -> None:
    book = read_standards()
    service, fire = book.standard("service-15"), book.standard("fire-20")
    assert (service.limit_minutes.value, service.profile) == (15.0, "walk")
    assert (service.direction, service.kinds_needed, len(service.kinds)) == ("to_facility", 4, 6)
    assert (fire.limit_minutes.value, fire.turnout_minutes.value) == (20.0, 1.0)
    assert (fire.direction, fire.kinds_needed) == ("from_facility", 1)
    assert book.profiles["fire_engine"].obeys_oneway.value
    assert not book.profiles["walk"].obeys_oneway.value


def test_words_are_those_of_the_store() -> None:
    book = read_standards()
    for standard in book.standards.values():
        assert set(standard.kinds) <= set(FACILITY_KINDS)
    for profile in book.profiles.values():
        assert set(profile.speed_kmh) <= set(ROAD_CLASSES)


def test_a_county_says_only_what_differs_and_its_file_becomes_the_source(tmp_path: Path) -> None:
    book = county(
        tmp_path,
        "[standards.fire-20]\nlimit_minutes = 25\n"
        "[profiles.walk.speed_kmh]\nsteps = 1.5\nmotorway = 1\n"
        "[place]\nsnap_cap_m = { value = 300, source = 'county plan 2026' }\n",
    )
    assert book.standard("fire-20").limit_minutes.model_dump() == {
        "value": 25.0,
        "source": "county.toml",
    }
    assert book.standard("fire-20").turnout_minutes.value == 1.0
    assert book.profiles["walk"].speed_kmh["steps"].source == "county.toml"
    assert book.profiles["walk"].speed_kmh["motorway"].value == 1.0
    assert book.place.snap_cap_m.source == "county plan 2026"


@pytest.mark.parametrize(("rule", "needed"), [("'all'", 6), ("'any'", 1), ("2", 2)])
def test_rules_over_kinds(tmp_path: Path, rule: str, needed: int) -> None:
    book = county(tmp_path, f"[standards.service-15]\nrule = {rule}\n")
    assert book.standard("service-15").kinds_needed == needed


@pytest.mark.parametrize(
    "text",
    [
        "[standards.service-15]\nrule = 7\n",
        "[standards.service-15]\nrule = 'most'\n",
        "[standards.service-15]\nprofile = 'balloon'\n",
        "[standards.fire-20]\nlimit_minutes = 0\n",
        "[standards.fire-20]\nlimit_minutes = nan\n",
        "[standards.fire-20]\nkinds = []\n",
        "[profiles.walk.speed_kmh]\nsteps = -1\n",
        "[profiles.walk.speed_kmh]\nsteps = 0\n",
        "[place]\nsnap_cap = 3\n",
    ],
)
def test_what_cannot_be_is_refused_with_its_place(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"county\.toml"):
        county(tmp_path, text)


def test_a_file_that_is_no_toml_or_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="TOML"):
        county(tmp_path, "limit = = 3")
    with pytest.raises(InputError, match=r"nowhere\.toml"):
        read_standards(tmp_path / "nowhere.toml")


def test_an_unknown_standard_names_the_known_ones() -> None:
    with pytest.raises(NotFoundError, match=r"service-15, .*fire-20"):
        read_standards().standard("fire-7")
    with pytest.raises(NotFoundError, match="emergency_privilege"):
        read_standards().scenario("monsoon")


def test_texts_are_there_in_both_languages() -> None:
    web = DEFAULTS.parents[3] / "web/messages"
    texts = [json.loads((web / lang / "coverage.json").read_text()) for lang in ("zh-CN", "en")]
    assert set(texts[0]) == set(texts[1])


def test_the_city_rule_leaves_four_minutes_of_driving() -> None:
    book = read_standards()
    fire_5, overall = book.standard("fire-5"), book.standard("overall-15")
    assert fire_5.limit_minutes.value - fire_5.turnout_minutes.value == 4.0
    fixed = overall.turnout_minutes.value + overall.fixed_minutes
    assert overall.limit_minutes.value - fixed == 4.0
    assert set(overall.added_minutes) == {"detect", "call", "first_water"}
    assert fire_5.fixed_minutes == 0.0


def test_a_scenario_slows_wheels_and_feet_each_in_its_own_way() -> None:
    book = read_standards()
    rush = book.scenario("rush_hour")
    assert (rush.factor("motor"), rush.factor("foot")) == (0.7, 1.0)
    alike = rush.model_copy(update={"foot_speed_factor": None})
    assert alike.factor("foot") == 0.7


def test_the_shorter_circles_are_measured_when_asked() -> None:
    book = read_standards()
    assert {code for code, standard in book.standards.items() if standard.in_main_job} == {
        "service-15",
        "fire-20",
    }
    needed = {code: book.standard(code).kinds_needed for code in ("service-10", "service-5")}
    assert needed == {"service-10": 3, "service-5": 1}


def test_every_source_of_the_product_is_said_in_chinese() -> None:
    texts = set()

    def look(table: dict[str, Any]) -> None:
        if set(table) == {"value", "source"}:
            texts.add(table["source"])
            return
        for inner in table.values():
            if isinstance(inner, dict):
                look(inner)

    look(tomllib.loads(DEFAULTS.read_text("utf-8")))
    assert len(texts) > 50
    for source in texts:
        assert translate_source(source, "en") == source
        assert re.search("[一-鿿]", translate_source(source, "zh-CN")), source
        assert not re.search("[a-z]{4}", translate_source(source, "zh-CN")), source
    assert (
        translate_source("the county's decision of 2025", "zh-CN")
        == "the county's decision of 2025"
    )
