"""Every text exists in both languages, asks for the same values, and is really there when used."""

import ast
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from gis_service.errors import InputError
from gis_service.incidents.rules import rule_book
from gis_service.messages import LANGUAGES, Language, all_texts, choose_language, text

PACKAGE = Path(__file__).resolve().parents[1] / "gis_service"
SAYING = {
    "InputError", "NotFoundError", "NotAllowedError", "ConflictError", "StoreError", "SetupError",
    "JobFailedError", "Note", "Refusal", "text",
}  # fmt: skip


def placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def used_keys() -> Iterator[tuple[str, str]]:
    """Every constant key that the package says, with the file that says it."""
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            first = node.args[0]
            if name in SAYING and isinstance(first, ast.Constant) and "." in str(first.value):
                yield str(first.value), file.name


def test_both_languages_have_the_same_texts_with_the_same_values() -> None:
    chinese, english = (all_texts(language) for language in LANGUAGES)
    assert set(chinese) == set(english)
    differing = [key for key in chinese if placeholders(chinese[key]) != placeholders(english[key])]
    assert differing == []


def test_every_key_that_the_code_says_has_a_text() -> None:
    keys = list(used_keys())
    assert len(keys) > 50
    missing = sorted({f"{key} ({file})" for key, file in keys if key not in all_texts("en")})
    assert missing == []


def test_an_error_speaks_the_readers_language() -> None:
    error = InputError("boundaries.key_twice")
    assert error.say("zh-CN") != error.say("en") == str(error)


def test_a_missing_text_is_seen_and_not_swallowed() -> None:
    assert text("room.nothing") == "room.nothing"


@pytest.mark.parametrize(
    ("wish", "language"),
    [
        ("en-GB,en;q=0.9", "en"),
        ("zh_CN.UTF-8", "zh-CN"),
        ("de,en;q=0.5", "en"),
        ("C", "zh-CN"),
        (None, "zh-CN"),
    ],
)
def test_the_language_is_chosen_by_the_first_one_known(wish: str | None, language: str) -> None:
    assert choose_language(wish) == language


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_has_words_for_every_step_of_an_incident(language: Language) -> None:
    # A report and an import are written by the service; all others are moves of the rules.
    moves = {"report", "import", *(one.move for one in rule_book().moves)}
    assert {f"page.move_{move}" for move in moves} <= set(all_texts(language))
