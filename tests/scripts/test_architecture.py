"""The page on the house names files that are there, and its drawing is what the imports say."""

import re
from pathlib import Path

from scripts import house_drawing

ROOT = Path(__file__).resolve().parents[2]


def test_the_drawing_shows_the_imports_of_today() -> None:
    assert house_drawing.DRAWING.read_text("utf-8") == house_drawing.draw()


def test_every_file_and_folder_it_names_is_there() -> None:
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    named = re.findall(r"`([\w./-]+/[\w./-]*)`", text)
    assert len(named) > 30
    missing = [
        name
        for name in named
        if not ((ROOT / name).exists() or (ROOT / "gis_service" / name).exists())
    ]
    assert missing == []


def test_an_arrow_that_a_chain_shows_is_left_out() -> None:
    edges = {"a": {"b", "c"}, "b": {"c"}, "c": set()}
    assert house_drawing.without_detours(edges) == {"a": {"b"}, "b": {"c"}, "c": set()}
