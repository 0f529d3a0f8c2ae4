"""What the record says was done has a word for people in both languages."""

import json
from pathlib import Path

import pytest

from gis_service.boundaries.publication.queries import DUTIES_ENDED
from gis_service.incidents.rules import rule_book
from gis_service.ingest.importing import list_kinds
from gis_service.messages import LANGUAGES
from gis_service.records import RECORDS
from tests.security.recorded_doors import RECORDED

WORDS = Path(__file__).parents[2] / "web/messages"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_action_and_kind_of_the_record_has_a_word(language: str) -> None:
    words = json.loads((WORDS / language / "accounts.json").read_text("utf-8"))
    pairs = [event.split() for event in RECORDED.values()]
    actions = {action for action, _ in pairs} | {rule.move for rule in rule_book().moves}
    kinds = {kind for _, kind in pairs} | {"county"} | set(RECORDS) | set(list_kinds())
    actions |= {
        DUTIES_ENDED,
        "sign_in_failed",
        "refuse",
        "import",
        "run",
        "load",
        "erase",
        "export",
        "find",
    }
    assert {f"did_{action}" for action in actions} - set(words) == set()
    assert {f"thing_{kind}" for kind in kinds} - set(words) == set()
