"""Grid codes: how they are laid out, read aloud, and given the first time.

At the first numbering the sequence runs west to east, then north to south within the parent;
later grids take the next free number. Nothing here knows the store.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from gis_service.errors import InputError


def split_code(code: str, layout: Sequence[int]) -> list[str]:
    """
    Cut a code into the groups in which it is read aloud.

    Parameters
    ----------
    code
        Digits; the code of an upper level is a shorter one.
    layout
        Digits of each part, e.g. ``[6, 3, 3, 3]``.

    Returns
    -------
    list of str
        The parts that the code has; what the layout does not foresee stays one part.
    """
    parts: list[str] = []
    remaining = code
    for size in layout:
        if not remaining:
            break
        parts.append(remaining[:size])
        remaining = remaining[size:]
    return [*parts, remaining] if remaining else parts


def number_first(lon: npt.ArrayLike, lat: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """
    Give grids of one parent their first numbers, from west to east, then from north to south.

    Parameters
    ----------
    lon, lat
        A point of each grid, degrees.

    Returns
    -------
    array of int
        1, 2, 3 … in the order of the input.
    """
    order = np.lexsort((-np.asarray(lat, dtype=float), np.asarray(lon, dtype=float)))
    numbers = np.empty(len(order), dtype=np.int64)
    numbers[order] = np.arange(1, len(order) + 1)
    return numbers


def child_code(parent: str, number: int, digits: int) -> str:
    """
    Write the code of a child.

    Parameters
    ----------
    parent
        The parent's code.
    number
        The child's sequence number, from 1.
    digits
        How many digits the layout gives this part.

    Returns
    -------
    str
        Parent and number, padded with zeros.

    Raises
    ------
    InputError
        The number does not fit.
    """
    if not 1 <= number < 10**digits:
        raise InputError("grids.code_full", parent=parent, digits=digits)
    return f"{parent}{number:0{digits}d}"


def find_next_free(given: Iterable[str], parent: str, digits: int) -> str:
    """
    Find the next code below a parent that was never given to anyone.

    Parameters
    ----------
    taken
        Every code ever given in the scheme, retired ones too.
    parent
        The parent's code.
    digits
        Digits of the part.

    Returns
    -------
    str
        The parent's code with the number after the highest one ever given.
    """
    length = len(parent) + digits
    used = [
        int(code[len(parent) :])
        for code in given
        if len(code) == length and code.startswith(parent) and code[len(parent) :].isdigit()
    ]
    return child_code(parent, max(used, default=0) + 1, digits)
