"""How names are made comparable: one spelling, its pinyin, its initials, an address in parts.

What is stored and what is typed go through the same functions, so that they meet. Nothing here
knows of the store.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_DIGITS: Final = {digit: value for value, digit in enumerate("零一二三四五六七八九")} | {
    "〇": 0,
    "两": 2,
}
_COUNTED: Final = re.compile(r"([零〇一二两三四五六七八九十百]+)(?=组|号|栋|幢|单元|室)")
_NOISE: Final = re.compile(r"[\W_]+")
_TYPED_UNITS: Final = re.compile(r"(\d+)(zu|hao|dong|danyuan|shi)(?=\d|$)")
_UNITS: Final = {"zu": "组", "hao": "号", "dong": "栋", "danyuan": "单元", "shi": "室"}
_ADDRESS: Final = re.compile(
    r"(?P<street>.*?)"
    r"(?:(?<!\d)(?P<group>\d{1,5})组)?"
    r"(?:(?<!\d)(?P<number>\d{1,5})(?:号|栋|幢)?)?"
    r"(?P<rest>(?:\d+(?:单元|室)|[a-z]座).*)?"
)


@dataclass(frozen=True)
class Address:
    """An address in parts, each as it is compared."""

    # The village, road or estate with what stands before it; may be empty.
    street: str
    # Villagers' group (组).
    group: int | None = None
    # Number of the house.
    number: int | None = None


def _count(match: re.Match[str]) -> str:
    """Put a number that is written in Chinese into digits."""
    total = unit = 0
    for character in match[1]:
        if character == "百":
            total += (unit or 1) * 100
            unit = 0
        elif character == "十":
            total += (unit or 1) * 10
            unit = 0
        else:
            unit = unit * 10 + _DIGITS[character] if unit else _DIGITS[character]
    return str(total + unit)


@lru_cache(maxsize=65536)
def normalise(text: str) -> str:
    """Write a name in the one way in which names are compared."""
    text = _NOISE.sub("", unicodedata.normalize("NFKC", text).lower())
    text = _COUNTED.sub(_count, text)
    return _TYPED_UNITS.sub(lambda match: match[1] + _UNITS[match[2]], text)


@lru_cache(maxsize=65536)
def as_pinyin(text: str) -> str:
    """Spell a name by its sound."""
    from pypinyin import lazy_pinyin  # noqa: PLC0415 (60 MB of dictionary)

    return " ".join(lazy_pinyin(text))


@lru_cache(maxsize=65536)
def as_initials(text: str) -> str:
    """Give the first letter of each character."""
    from pypinyin import Style, lazy_pinyin  # noqa: PLC0415 (as above)

    return "".join(lazy_pinyin(text, style=Style.FIRST_LETTER))


def is_spelt(text: str) -> bool:
    """Tell whether somebody typed letters where the name has characters."""
    return text.isascii() and any(character.isalpha() for character in text)


def split_address(text: str) -> Address:
    """Take an address apart."""
    match = _ADDRESS.fullmatch(text)
    if match is None:
        return Address(text)
    group, number = match["group"], match["number"]
    return Address(match["street"], int(group) if group else None, int(number) if number else None)
