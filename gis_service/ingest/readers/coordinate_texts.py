"""Numbers in which places are written: plain ones, and degrees, minutes and seconds."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

_SEXAGESIMAL: Final = re.compile(
    r"(?:东经|北纬|[ENen])?\s*(\d{1,3})\s*[°度]\s*(?:(\d{1,2}(?:\.\d+)?)\s*['′‘’分]\s*)?"
    r"(?:(\d{1,2}(?:\.\d+)?)\s*(?:[\"″“”秒]|''|′′)?\s*)?[ENen]?"
)


def read_degrees(values: Iterable[Any]) -> npt.NDArray[np.float64]:
    """Read coordinates."""
    texts = pd.Series(list(values), dtype=object)
    numbers: npt.NDArray[np.float64] = (
        pd.to_numeric(texts, errors="coerce").to_numpy(dtype=float).copy()
    )
    for index in np.flatnonzero(np.isnan(numbers)).tolist():
        if isinstance(texts[index], str):
            numbers[index] = _parse_degrees(unicodedata.normalize("NFKC", texts[index]).strip())
    numbers[~np.isfinite(numbers)] = np.nan
    return numbers


def _parse_degrees(text: str) -> float:
    match = _SEXAGESIMAL.fullmatch(text)
    if match is None:
        try:
            return float(text)
        except ValueError:
            return float("nan")
    degrees, minutes, seconds = (float(part or 0) for part in match.groups())
    if minutes >= 60 or seconds >= 60:
        return float("nan")
    return degrees + minutes / 60 + seconds / 3600
