"""CSV as bytes: rows and the numbers in some columns, found block by block by compiled code.

A row's own bytes are never changed, so that its encoding, quotes and line ends stay as they were;
what is added stands behind them. Knows nothing of grids.
"""

# ruff: noqa: C901, PLR0912

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from gis_service.compiled import compiled

Bytes = npt.NDArray[np.uint8]
IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

_QUOTE: Final = 34
_LF: Final = 10
_CR: Final = 13
_SPACE: Final = 32
_TAB: Final = 9
_PLUS: Final = 43
_MINUS: Final = 45
_EQUALS: Final = 61
_AT: Final = 64
_POWERS: Final = np.array([10.0**k for k in range(23)])  # all of them are exact

NUMBER: Final = 0
ODD: Final = 1
"""Not plain digits: Python's own reading decides."""
EMPTY: Final = 2
MISSING: Final = 3
"""The row has no such field."""


@dataclass(frozen=True)
class CsvRows:
    """
    The rows of a block.

    Attributes
    ----------
    start, end
        Byte positions of a row without its line end.
    after
        Where the next row begins.
    fields
        How many a row has.
    first, last
        By row and wanted column, the byte positions of the field.
    """

    start: IntArray
    end: IntArray
    after: IntArray
    fields: IntArray
    first: IntArray
    last: IntArray

    def __len__(self) -> int:
        """How many."""
        return len(self.start)


@compiled
def _skip_quoted(data: Bytes, position: int) -> int:
    """Go behind the quote that closes a field; two of them are one that belongs to it."""
    size = len(data)
    while position < size:
        if data[position] == _QUOTE:
            if position + 1 >= size or data[position + 1] != _QUOTE:
                return position + 1
            position += 1
        position += 1
    return size


@compiled
def _skip_field(data: Bytes, position: int, delimiter: int) -> int:
    """Go to the delimiter or the line end behind a field."""
    size = len(data)
    while (
        position < size
        and data[position] != delimiter
        and data[position] != _LF
        and data[position] != _CR
    ):
        position += 1
    return position


# A quote opens a field only where it begins, and may hold delimiters and line ends, as Python's csv
# reads it.
@compiled
def _scan_rows(
    data: Bytes, delimiter: int, wanted: IntArray, *, is_last: bool
) -> tuple[IntArray, IntArray, IntArray, IntArray, IntArray, IntArray, int]:
    size = len(data)
    most = 1
    for position in range(size):
        if data[position] == _LF or data[position] == _CR:
            most += 1
    start = np.empty(most, np.int64)
    end = np.empty(most, np.int64)
    after = np.empty(most, np.int64)
    fields = np.empty(most, np.int64)
    first = np.full((most, len(wanted)), -1, np.int64)
    last = np.full((most, len(wanted)), -1, np.int64)
    count = 0
    position = 0
    used = 0
    while position < size:
        row_start = position
        field = 0
        is_row_end = False
        while not is_row_end:
            field_start = position
            if position < size and data[position] == _QUOTE:
                position = _skip_quoted(data, position + 1)
            position = _skip_field(data, position, delimiter)
            for column in range(len(wanted)):
                if wanted[column] == field:
                    first[count, column] = field_start
                    last[count, column] = position
            field += 1
            is_row_end = position >= size or data[position] != delimiter
            if not is_row_end:
                position += 1
        row_end = position
        has_two_ends = position + 1 < size and data[position] == _CR and data[position + 1] == _LF
        may_go_on = position >= size or (data[position] == _CR and position + 1 >= size)
        if may_go_on and not is_last:
            break
        position = min(position + (2 if has_two_ends else 1), size)
        start[count] = row_start
        end[count] = row_end
        after[count] = position
        fields[count] = field
        count += 1
        used = position
    return (
        start[:count],
        end[:count],
        after[:count],
        fields[:count],
        first[:count],
        last[:count],
        used,
    )


def scan_rows(
    data: Bytes, delimiter: int, wanted: IntArray, *, is_last: bool
) -> tuple[CsvRows, int]:
    """Find the rows of a block and some of their fields."""
    *parts, used = _scan_rows(data, delimiter, wanted, is_last=is_last)
    return CsvRows(*parts), used


@compiled
def _is_plain_number(data: Bytes, position: int, delimiter: int) -> bool:
    """Tell whether a field is a sign, digits with at most one point, and an exponent of digits."""
    size = len(data)
    position += 1
    digits = 0
    points = 0
    while position < size and (
        48 <= data[position] <= 57 or (data[position] == 46 and points == 0)
    ):
        if data[position] == 46:
            points += 1
        else:
            digits += 1
        position += 1
    if digits > 0 and position < size and data[position] in (69, 101):
        position += 1
        if position < size and data[position] in (_PLUS, _MINUS):
            position += 1
        digits = 0
        while position < size and 48 <= data[position] <= 57:
            digits += 1
            position += 1
    is_end = position >= size or data[position] == delimiter or data[position] in (_LF, _CR, _QUOTE)
    return digits > 0 and is_end


@compiled
def _list_formula_cells(data: Bytes, delimiter: int) -> tuple[IntArray, int]:
    size = len(data)
    cells = np.empty(16, np.int64)
    count = 0
    position = 0
    while position < size:
        # at the start of a field
        is_quoted = data[position] == _QUOTE
        if is_quoted:
            position += 1
        if position < size:
            byte = data[position]
            is_start = byte in (_EQUALS, _AT)
            if byte in (_PLUS, _MINUS):
                is_start = not _is_plain_number(data, position, delimiter)
            if byte == _TAB and (is_quoted or delimiter != _TAB):
                is_start = True
            if byte == _CR and is_quoted:
                is_start = True
            if is_start:
                if count == len(cells):
                    more = np.empty(2 * count, np.int64)
                    more[:count] = cells
                    cells = more
                cells[count] = position
                count += 1
        if is_quoted:
            position = _skip_quoted(data, position)
        position = _skip_field(data, position, delimiter) + 1
    return cells, count


def find_formula_cells(data: Bytes, delimiter: int) -> IntArray:
    """Find the cells that a spreadsheet would take for formulas, as ``sheet_cells`` has it."""
    cells, count = _list_formula_cells(data, delimiter)
    return cells[:count]


@compiled
def _read_number(data: Bytes, first: int, last: int) -> tuple[float, int]:
    """Read one field; exactly what float() gives, or the word that it must be asked."""
    while first < last and (data[first] == _SPACE or data[first] == _TAB):
        first += 1
    while last > first and (data[last - 1] == _SPACE or data[last - 1] == _TAB):
        last -= 1
    if last - first >= 2 and data[first] == _QUOTE and data[last - 1] == _QUOTE:
        first += 1
        last -= 1
    if first == last:
        return np.nan, EMPTY
    negative = data[first] == 45
    if negative or data[first] == 43:
        first += 1
    digits = 0
    decimals = 0
    signs = 0
    mantissa = np.uint64(0)
    point = False
    for position in range(first, last):
        byte = data[position]
        if byte == 46 and not point:
            point = True
            continue
        if byte < 48 or byte > 57:
            return np.nan, ODD
        signs += 1
        if digits > 0 or byte != 48:
            digits += 1
        if digits > 19:
            return np.nan, ODD
        mantissa = mantissa * np.uint64(10) + np.uint64(byte - 48)
        if point:
            decimals += 1
    if signs == 0 or decimals > 22:
        return np.nan, ODD
    high = float(mantissa)
    power = _POWERS[decimals]
    value = high / power
    if mantissa > np.uint64(9007199254740992):  # 2**53: high was rounded, so value may be too
        low = float(np.int64(mantissa - np.uint64(high)))
        # The remainder of the division, exactly (Dekker's product), gives the digits behind value.
        split = 134217729.0
        a = split * value
        a_high = a - (a - value)
        a_low = value - a_high
        b = split * power
        b_high = b - (b - power)
        b_low = power - b_high
        product = value * power
        error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
        remainder = (((high - product) - error) + low) / power
        doubt = abs(remainder) * 3.6e-15
        above = value + (remainder + doubt)
        below = value + (remainder - doubt)
        if above != below:
            return np.nan, ODD
        value = above
    return (-value if negative else value), NUMBER


@compiled
def _read_numbers(
    data: Bytes, first: IntArray, last: IntArray
) -> tuple[FloatArray, npt.NDArray[Any]]:
    values = np.empty(len(first))
    kinds = np.empty(len(first), np.uint8)
    for index in range(len(first)):
        if first[index] < 0:
            values[index], kinds[index] = np.nan, MISSING
        else:
            values[index], kinds[index] = _read_number(data, first[index], last[index])
    return values, kinds


def read_numbers(
    data: Bytes, first: IntArray, last: IntArray
) -> tuple[FloatArray, npt.NDArray[np.uint8]]:
    """Read the numbers of one column."""
    values, kinds = _read_numbers(data, first, last)
    return values, kinds


@compiled
def _add_behind_rows(
    data: Bytes,
    start: IntArray,
    end: IntArray,
    after: IntArray,
    which: IntArray,
    parts: Bytes,
    offsets: IntArray,
) -> Bytes:
    size = 0
    for row in range(len(start)):
        size += after[row] - start[row]
        for column in range(which.shape[0]):
            part = which[column, row]
            if part >= 0:
                size += offsets[part + 1] - offsets[part]
    out = np.empty(size, np.uint8)
    position = 0
    for row in range(len(start)):
        length = end[row] - start[row]
        out[position : position + length] = data[start[row] : end[row]]
        position += length
        for column in range(which.shape[0]):
            part = which[column, row]
            if part >= 0:
                length = offsets[part + 1] - offsets[part]
                out[position : position + length] = parts[offsets[part] : offsets[part + 1]]
                position += length
        length = after[row] - end[row]
        out[position : position + length] = data[end[row] : after[row]]
        position += length
    return out


class BytePieces:
    """Pieces of bytes one after the other, known by their number."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.offsets = np.zeros(len(pieces) + 1, dtype=np.int64)
        np.cumsum([len(piece) for piece in pieces], out=self.offsets[1:])
        self.together: Bytes = np.frombuffer(b"".join(pieces) or b"\0", dtype=np.uint8)

    def __len__(self) -> int:
        """How many."""
        return len(self.offsets) - 1

    def followed_by(self, pieces: Sequence[bytes]) -> "BytePieces":
        """Put others behind."""
        if not pieces:
            return self
        more, both = BytePieces(pieces), BytePieces([])
        size = self.offsets[-1]
        both.offsets = np.concatenate([self.offsets, more.offsets[1:] + size])
        both.together = np.concatenate([self.together[:size], more.together])
        return both


def add_behind_rows(data: Bytes, rows: CsvRows, which: IntArray, parts: BytePieces) -> Bytes:
    """Put something behind every row."""
    out: Bytes = _add_behind_rows(
        data, rows.start, rows.end, rows.after, which, parts.together, parts.offsets
    )
    return out
