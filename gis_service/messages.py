"""Texts in Chinese and English, from the same files the page uses (``web/messages``).

A key is ``room.name``; each room has one JSON file a language. Nothing here knows what a text is
about, and a missing text is an error of ours, never shown to a user as an empty line.
"""

import json
from functools import cache
from pathlib import Path
from typing import Final, Literal, cast

Language = Literal["zh-CN", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("zh-CN", "en")
WEB_DIR: Final = Path(__file__).resolve().parents[1] / "web"


@cache
def all_texts(language: Language) -> dict[str, str]:
    """
    Read every text of one language.

    Parameters
    ----------
    language
        ``zh-CN`` or ``en``.

    Returns
    -------
    dict
        Text by ``room.name``.
    """
    texts: dict[str, str] = {}
    for file in sorted((WEB_DIR / "messages" / language).glob("*.json")):
        room = cast("dict[str, str]", json.loads(file.read_text("utf-8")))
        texts |= {f"{file.stem}.{name}": value for name, value in room.items()}
    return texts


def text(key: str, language: Language = "en", **values: object) -> str:
    """
    Say one thing in one language.

    Parameters
    ----------
    key
        ``room.name``.
    language
        ``zh-CN`` or ``en``.
    **values
        What stands in for the ``{placeholders}`` of the text; a message itself, as
        ``{"message": key, "values": {…}}``, is said in the same language.

    Returns
    -------
    str
        The finished sentence; the key itself where no text exists, so that the gap is seen.
    """
    template = all_texts(language).get(key)
    texts = {
        name: text(value["message"], language, **value["values"])
        if isinstance(value, dict) and value.keys() == {"message", "values"}
        else value
        for name, value in values.items()
    }
    return key if template is None else template.format(**texts)


def choose_language(preference: str | None) -> Language:
    """
    Pick the language for a wish such as ``LANG`` or ``Accept-Language``.

    Parameters
    ----------
    preference
        ``zh_CN.UTF-8``, ``en-GB,en;q=0.9``, ``C``, nothing.

    Returns
    -------
    Language
        The first of the two that the wish names; Chinese where it names neither.
    """
    for part in (preference or "").lower().replace("_", "-").split(","):
        if part.strip().startswith("zh"):
            return "zh-CN"
        if part.strip().startswith("en"):
            return "en"
    return "zh-CN"
