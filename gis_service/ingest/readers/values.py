"""The values of a file's cells as our fields want them: texts, numbers, days, times, words.

A value that cannot be read is left as it is, for the validator to refuse; nothing is made up. A
time without a zone is taken as China's, since the country has one.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from gis_service.ingest.readers.columns import FileField

ZONE: Final = ZoneInfo("Asia/Shanghai")
_DAY: Final = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?")
_CLOCK: Final = re.compile(
    r"[\sT]*(\d{1,2})[:时](\d{1,2})(?:分|:(\d{1,2})(?:\.\d+)?|分(\d{1,2})秒)?"
    r"\s*(Z|[+-]\d{2}:?\d{2})?"
)
_COMPACT: Final = re.compile(r"(\d{4})(\d{2})(\d{2})")
_SEPARATORS: Final = re.compile(r"[,，、;；|/\n]+")
_YES: Final = frozenset({"是", "有", "√", "y", "yes", "true", "t", "1", "专职", "全职"})
_NO: Final = frozenset({"否", "无", "×", "n", "no", "false", "f", "0", "兼职"})
_NOTHING: Final = frozenset({"", "-", "—", "/", "无", "空", "null", "none", "nan", "n/a"})


def read_values(field: FileField, values: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    """Read one column."""
    read = _READERS[field.form]
    words = {_normalise(alias): word for alias, word in field.words.items()}
    words |= {_normalise(word): word for word in field.words.values()}
    memo: dict[Any, Any] = {}  # most columns say the same few things over and over
    return as_object_array([_read_once(memo, read, words, value) for value in values.tolist()])


def make_new_values(field: FileField, count: int) -> npt.NDArray[np.object_]:
    """Make a column of what new rows have where nothing is said."""
    return as_object_array([[] if field.form == "tags" else field.default for _ in range(count)])


def as_object_array(values: Sequence[Any]) -> npt.NDArray[np.object_]:
    """Make an array of whatever the values are, also lists of one length."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _read_once(
    memo: dict[Any, Any],
    read: Callable[[Any, Mapping[str, str]], Any],
    words: Mapping[str, str],
    value: Any,
) -> Any:
    if type(value) is not str:
        return read(_none_for_empty(value), words)
    result = memo.get(value, memo)
    if result is memo:
        result = memo[value] = read(value.strip() or None, words)
    return list(result) if type(result) is list else result


def _none_for_empty(value: Any) -> Any:
    if value is None or value != value:  # noqa: PLR0124 (NaN and NaT)
        return None
    if isinstance(value, str):
        return value.strip() or None
    return value


def _read_text(value: Any, _words: Mapping[str, str]) -> Any:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime) and (value.hour, value.minute, value.second) == (0, 0, 0):
        return value.date().isoformat()
    return str(value)


def _read_number(value: Any, _words: Mapping[str, str]) -> Any:
    if not isinstance(value, str):
        return value
    normalised = unicodedata.normalize("NFKC", value).replace(",", "").strip()
    if _normalise(normalised) in _NOTHING:
        return None
    try:
        return float(normalised)
    except ValueError:
        return value


def _read_flag(value: Any, _words: Mapping[str, str]) -> Any:
    if value is None or isinstance(value, bool | np.bool_):
        return value
    word = _normalise(str(int(value) if isinstance(value, float) and value.is_integer() else value))
    return True if word in _YES else False if word in _NO else value


def _read_day(value: Any, _words: Mapping[str, str]) -> Any:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(int(value))
    if not isinstance(value, str):
        return value
    text = unicodedata.normalize("NFKC", value).strip()
    if _normalise(text) in _NOTHING:
        return None
    match = _DAY.match(text) or _COMPACT.fullmatch(text)
    if match is None:
        return value
    rest = text[match.end() :]
    if rest and _CLOCK.fullmatch(rest) is None:
        return value
    try:
        return date(*(int(part) for part in match.groups()))
    except ValueError:
        return value


def _read_moment(value: Any, words: Mapping[str, str]) -> Any:
    if isinstance(value, datetime):
        return value if value.tzinfo is not None else value.replace(tzinfo=ZONE)
    day = _read_day(value, words)
    if not isinstance(day, date):
        return day
    clock = None
    if isinstance(value, str):
        text = unicodedata.normalize("NFKC", value).strip()
        match = _DAY.match(text) or _COMPACT.fullmatch(text)
        clock = None if match is None else _CLOCK.fullmatch(text[match.end() :])
    if clock is None:
        return datetime(day.year, day.month, day.day, tzinfo=ZONE)
    hour, minute, second, spoken_second, offset = clock.groups()
    try:
        moment = datetime(
            day.year, day.month, day.day, int(hour), int(minute), int(second or spoken_second or 0),
            tzinfo=ZONE,
        )  # fmt: skip
    except ValueError:
        return value
    if offset is None:
        return moment
    zone = datetime.strptime(offset.replace("Z", "+0000"), "%z").tzinfo
    return moment.replace(tzinfo=zone)


def _read_tags(value: Any, words: Mapping[str, str]) -> Any:
    if value is None:
        return []
    if not isinstance(value, str):
        return value
    parts = [part.strip(" []\"'{}") for part in _SEPARATORS.split(value)]
    words_given = [part for part in parts if _normalise(part) not in _NOTHING]
    return list(dict.fromkeys(words.get(_normalise(part), part) for part in words_given))


def _read_word(value: Any, words: Mapping[str, str]) -> Any:
    if value is None:
        return None
    word = str(value).strip()
    return words.get(_normalise(word), word)


def _normalise(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().replace(" ", "").replace("_", "")


_READERS: Final[Mapping[str, Callable[[Any, Mapping[str, str]], Any]]] = {
    "text": _read_text,
    "whole": _read_number,
    "number": _read_number,
    "flag": _read_flag,
    "day": _read_day,
    "moment": _read_moment,
    "tags": _read_tags,
    "word": _read_word,
}
