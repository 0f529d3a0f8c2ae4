"""The glossary: every table has its word, every class and table it names is there."""

import importlib

from gis_service.store import tables
from scripts import glossary


def test_every_table_has_one_word() -> None:
    named = [table for word in glossary.words() for table in word["tables"]]
    assert sorted(named) == sorted(tables.metadata.tables)


def test_every_class_is_where_the_glossary_says() -> None:
    for word in glossary.words():
        if word["class"] != "-":
            module = importlib.import_module(glossary.module_of(word["class"]))
            assert isinstance(getattr(module, word["class"].partition(":")[2]), type), word["class"]


def test_words_are_told_once_in_both_languages() -> None:
    for language in ("zh", "en"):
        names = [word[language] for word in glossary.words()]
        assert len(set(names)) == len(names) == len([name for name in names if name])


def test_the_page_is_what_the_list_says() -> None:
    assert glossary.PAGE.read_text("utf-8") == glossary.page()
