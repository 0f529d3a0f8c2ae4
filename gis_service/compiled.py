"""The decorator for loops over flat arrays that the compiler makes fast.

Compiled code is kept on disk beside its module, or where ``NUMBA_CACHE_DIR`` says; without either,
every process compiles anew. Reads no settings, so that a pure module may be imported anywhere.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """
    Compile a function on its first call.

    What is divided by nothing gives inf or nan, as in NumPy: Python's error at every division
    would cost more than most divisions. A whole number must not be divided by nothing.

    Parameters
    ----------
    function
        Of numbers and arrays.

    Returns
    -------
    callable
        The same function, faster; kept on disk where any folder can be written.
    """
    try:
        made = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # nowhere to keep it: compile in every process
        made = numba.njit(nogil=True, error_model="numpy")(function)
    return cast("Callable[P, R]", made)
