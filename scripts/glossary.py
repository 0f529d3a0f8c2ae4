"""Write docs/glossary.md from scripts/glossary.toml: ``.venv/bin/python -m scripts.glossary``."""

import tomllib
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
LIST: Final = ROOT / "scripts" / "glossary.toml"
PAGE: Final = ROOT / "docs" / "glossary.md"

_HEAD: Final = """# Glossary

One name for one thing, in code, API, page and docs. Written by `scripts/glossary.py` from
`scripts/glossary.toml`.

| 中文 | English | what it is | class | tables |
|---|---|---|---|---|
"""


def words() -> list[dict[str, Any]]:
    """Read the list."""
    return list(tomllib.loads(LIST.read_text("utf-8"))["word"])


def module_of(name: str) -> str:
    """Name the module of a class as the list writes it."""
    return f"gis_service.{name.partition(':')[0]}"


def page() -> str:
    """Write the page."""
    return _HEAD + "".join(_row(word) for word in sorted(words(), key=lambda word: word["en"]))


def _row(word: dict[str, Any]) -> str:
    where = "–"
    if word["class"] != "-":
        module, _, name = word["class"].partition(":")
        path = f"gis_service/{module.replace('.', '/')}.py"
        where = f"[`{name}`](../{path}) in `{module}`"
    tables = ", ".join(f"`{table}`" for table in word["tables"]) or "–"
    return f"| {word['zh']} | {word['en']} | {word['means']} | {where} | {tables} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
