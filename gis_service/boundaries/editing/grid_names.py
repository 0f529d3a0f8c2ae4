"""Names of new grids: a village goes on counting as it began, in figures or Chinese numerals.

河口村五组 is followed by 河口村六组, 第9网格 by 第10网格; a name that a grid has or had is not
given again. Nothing here knows where the names come from.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_FIGURES: Final = "零一二三四五六七八九"
_NUMERAL: Final = "零〇一二三四五六七八九十百"
_NUMBERED: Final = re.compile(
    rf"^(?P<before>.*?)(?P<number>\d+|[{_NUMERAL}]+)(?P<after>[^\d{_NUMERAL}]*)$"
)
_MOST: Final = 999
_UNITS: Final = ("组", "队", "格", "号", "片", "区", "段", "栋")
"""What a numeral counts: a single name with a numeral may be a place, 三里桥, unless it ends so."""


@dataclass(frozen=True)
class _Pattern:
    """What stands before and after the number, and how the number is written."""

    before: str
    after: str
    in_chinese: bool

    def name(self, number: int) -> str:
        written = write_numeral(number) if self.in_chinese else str(number)
        return f"{self.before}{written}{self.after}"


def write_numeral(number: int) -> str:
    """Write a number in Chinese numerals: 十一, 一百零五; beyond 999 in figures."""
    if not 0 <= number <= _MOST:
        return str(number)
    hundreds, rest = divmod(number, 100)
    tens, ones = divmod(rest, 10)
    written = f"{_FIGURES[hundreds]}百" if hundreds else ""
    if tens:
        written += f"{'' if tens == 1 and not hundreds else _FIGURES[tens]}十"
    elif hundreds and ones:
        written += "零"
    return written + (_FIGURES[ones] if ones or not number else "")


def read_numeral(written: str) -> int | None:
    """Read a number in figures or Chinese numerals; None where nobody writes it so."""
    if written.isdigit():
        return int(written)
    number, figure = 0, 0
    for sign in written.replace("〇", "零"):
        if sign in "十百":
            number += max(figure, 1) * (10 if sign == "十" else 100)
            figure = 0
        else:
            figure = _FIGURES.index(sign)
    number += figure
    return number if write_numeral(number) == written.replace("〇", "零") else None


def find_new_name(source: str, siblings: Iterable[str], taken: Iterable[str]) -> str | None:
    """Find the next name of the source's pattern, else of the village's; None where none counts."""
    names = [source, *siblings]
    read = [_read(name) for name in names]
    times = Counter(found[0] for found in read[1:] if found is not None)
    if read[0] is not None and _counts(read[0][0], times):
        pattern = read[0][0]
    else:
        fitting = [pattern for pattern in times if _counts(pattern, times)]
        if not fitting:
            return None
        pattern = max(fitting, key=lambda found: times[found])
    known = set(taken) | set(names)
    numbers = [found[1] for found in map(_read, known) if found and found[0] == pattern]
    number = max(numbers, default=0) + 1
    while pattern.name(number) in known:
        number += 1
    return pattern.name(number)


def _read(name: str) -> tuple[_Pattern, int] | None:
    match = _NUMBERED.match(name)
    number = None if match is None else read_numeral(match["number"])
    if match is None or number is None:
        return None
    return _Pattern(match["before"], match["after"], not match["number"].isdigit()), number


def _counts(pattern: _Pattern, times: Counter[_Pattern]) -> bool:
    return not pattern.in_chinese or times[pattern] > 1 or pattern.after.endswith(_UNITS)


__all__ = ["find_new_name", "read_numeral", "write_numeral"]
