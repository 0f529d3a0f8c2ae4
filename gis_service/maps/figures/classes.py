"""Classes of a filled map: at most five, with breaks that a person would choose.

Numbers in, classes out; nothing here knows a table, a grid or a language.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np

SEQUENTIAL: Final[Mapping[str, tuple[str, ...]]] = {
    # ColorBrewer, five classes; they survive colour-blindness and grey printing, none is water's.
    "YlGnBu": ("#ffffcc", "#a1dab4", "#41b6c4", "#2c7fb8", "#253494"),
    "Purples": ("#f2f0f7", "#cbc9e2", "#9e9ac8", "#756bb1", "#54278f"),
    "YlOrBr": ("#ffffd4", "#fed98e", "#fe9929", "#d95f0e", "#993404"),
}
# Each with a lightness of its own, so that both sides are told apart in grey, too.
AROUND_TARGET: Final = ("#6b4a9b", "#b3a2d0", "#efe9d2", "#eebd80", "#c8682c")
PERCENT_BREAKS: Final = (20.0, 40.0, 60.0, 80.0)
_ROUND: Final = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


def nice(value: float) -> float:
    """Round to a number that a person would choose."""
    power = 10.0 ** np.floor(np.log10(value))
    best = min(_ROUND, key=lambda step: abs(np.log(step * power / value)))
    rounded = float(best * power)
    return max(1.0, float(round(rounded))) if value >= 1 else rounded


def round_breaks(values: Iterable[float], classes: int = 5) -> list[float]:
    """Choose breaks that part counts into groups of about one size."""
    array = np.asarray(list(values), dtype=float)
    if array.size == 0 or array.min() == array.max():
        return []
    groups, fixed = classes, set[float]()
    if (array == 0).mean() >= 1 / classes:  # nothing is a class of its own
        array, groups, fixed = array[array > 0], classes - 1, {1.0}
    shares = np.linspace(0, 1, groups + 1)[1:-1]
    quantiles = np.quantile(array, shares, method="higher").tolist()
    chosen = {nice(q) for q in quantiles if q > 0}
    return sorted(fixed | {b for b in chosen if float(array.min()) < b <= float(array.max())})


def class_of(value: float, breaks: Sequence[float]) -> int:
    """
    Find the class of a value.

    Parameters
    ----------
    value
        Any number.
    breaks
        Rising; a value equal to a break belongs to the class above.

    Returns
    -------
    int
        From 0.
    """
    return bisect_right(breaks, value)


def spread(colours: Sequence[str], classes: int) -> list[str]:
    """
    Pick colours for fewer classes than the scheme has, keeping both ends apart.

    Parameters
    ----------
    colours
        Light to dark.
    classes
        How many are needed, at most ``len(colours)``.

    Returns
    -------
    list of str
        From light to dark; a single class takes the middle.
    """
    if classes == 1:
        return [colours[len(colours) // 2]]
    return [colours[int(place)] for place in np.linspace(0, len(colours) - 1, classes).round()]


def size_class(households: int, low: float, high: float) -> int:
    """Place a grid's load against the size rule."""
    if households < low:
        return 0 if households < low / 2 else 1
    if households > high:
        return 4 if households > high * 1.5 else 3
    return 2


def hide_small(
    sizes: Mapping[int, int], parent_of: Mapping[int, int | None], smallest: int = 5
) -> set[int]:
    """Choose the cells to hide so that no total gives a small one away."""
    families: dict[int | None, list[int]] = {}
    for grid_id in sizes:
        families.setdefault(parent_of.get(grid_id), []).append(grid_id)
    hidden: set[int] = set()
    for family in families.values():
        small = [grid for grid in family if 0 < sizes[grid] < smallest]
        hidden.update(small)
        if len(small) == 1:
            others = [grid for grid in family if sizes[grid] >= smallest]
            if others:
                hidden.add(min(others, key=lambda grid: (sizes[grid], grid)))
    return hidden
