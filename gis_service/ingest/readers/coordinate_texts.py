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


def degrees_of(values: Iterable[Any]) -> npt.NDArray[np.float64]:
    """Read coordinates."""
    given = pd.Series(list(values), dtype=object)
    numbers: npt.NDArray[np.float64] = (
        pd.to_numeric(given, errors="coerce").to_numpy(dtype=float).copy()
    )
    for index in np.flatnonzero(np.isnan(numbers)).tolist():
        if isinstance(given[index], str):
            numbers[index] = _read(unicodedata.normalize("NFKC", given[index]).strip())
    numbers[~np.isfinite(numbers)] = np.nan
    return numbers


def _read(text: str) -> float:
    found = _SEXAGESIMAL.fullmatch(text)
    if found is None:
        try:
            return float(text)
        except ValueError:
            return float("nan")
    degrees, minutes, seconds = (float(part or 0) for part in found.groups())
    if minutes >= 60 or seconds >= 60:
        return float("nan")
    return degrees + minutes / 60 + seconds / 3600
