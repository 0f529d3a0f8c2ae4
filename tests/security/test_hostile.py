"""A short, seeded choice of what ``scripts/hostile`` sends, against a served instance."""

from collections.abc import Iterator
from random import Random

import pytest

from gis_service.access import SYSTEM
from gis_service.store import Store
from scripts.hostile_files.__main__ import all_cases
from scripts.hostile_files.case import Case
from scripts.hostile_files.instance import Instance, draw_county
from scripts.hostile_files.sending import MOST_MB, send, warm_up
from tests.conftest import DatabaseServer

SEED = 20260101
CASES = all_cases()


def chosen() -> list[Case]:
    """Some of each route, the same at every run, and every right file."""
    random = Random(SEED)
    some = [
        case
        for route, count in (("import", 12), ("assign", 5), ("read", 4), ("http", 6))
        for case in random.sample([one for one in CASES if one.route == route], count)
    ]
    return [*(one for one in CASES if one.valid), *(one for one in some if not one.valid)]


@pytest.fixture(scope="module")
def instance(store: Store, database_server: DatabaseServer, database: str) -> Iterator[Instance]:
    with store.transaction(SYSTEM) as connection:
        draw_county(connection)
    address = database_server.url("gis_service", database).render_as_string(hide_password=False)
    with Instance({"GIS_DATABASE_URL": address}) as served:
        warm_up(CASES, served, SEED)
        yield served


def test_there_are_enough_and_each_has_a_name_of_its_own() -> None:
    assert len(CASES) >= 60
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", chosen(), ids=lambda case: case.name)
def test_a_hostile_thing_does_no_harm(instance: Instance, case: Case) -> None:
    answer = send(case, instance, SEED)
    harm = [one for one in answer.wrong if not one.startswith("took")]
    assert harm == [], answer
    assert answer.mb <= MOST_MB, answer
