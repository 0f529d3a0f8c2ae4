"""Texts that go into a cell of a spreadsheet: none of them may begin a formula.

A name that somebody else wrote, such as ``=HYPERLINK(…)``, would run where the table is opened.
Every writer of CSV and XLSX asks here; ``grids.csv_blocks`` has the same rule for whole blocks.
"""

import re
from typing import Final, TypeVar

Cell = TypeVar("Cell")

_STARTS: Final = "=+-@\t\r"

_NUMBER: Final = re.compile(r"[-+](?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", re.ASCII)


def safe_cell(value: Cell) -> Cell | str:
    """
    Put an apostrophe before a text that would begin a formula.

    Parameters
    ----------
    value
        Of any type.

    Returns
    -------
    object
        The same unless it is such a text; a plain number such as ``-12.5`` stays one.
    """
    if (
        isinstance(value, str)
        and value[:1]
        and value[0] in _STARTS
        and not _NUMBER.fullmatch(value)
    ):
        return f"'{value}"
    return value
