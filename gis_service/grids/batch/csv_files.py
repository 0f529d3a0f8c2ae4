"""
A CSV of places, answered block by block without touching a byte of what the sender wrote.

One thing is touched: a cell that would begin a formula where the answer is opened gets an
apostrophe before it. The reasons stand in docs/decisions/0016-files-are-parsed-apart.md.
"""

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt

from gis_service.errors import InputError, Place
from gis_service.geodesy import FloatArray
from gis_service.grids.batch.csv_blocks import (
    EMPTY,
    MISSING,
    NUMBER,
    BytePieces,
    Bytes,
    CsvRows,
    add_behind_rows,
    find_formula_cells,
    read_numbers,
    scan_rows,
)
from gis_service.grids.batch.rows import (
    BlockAnswer,
    Options,
    Reason,
    Reject,
    Source,
    Tally,
    describe_refusal,
    name_fields,
    place_block,
    quote,
    require_crs,
)
from gis_service.grids.locator.locator import NO_GRID
from gis_service.pasted_coordinates import read_pasted
from gis_service.settings import import_settings
from gis_service.sheet_cells import safe_cell

BLOCK: Final = 512 * 1024
_LONGEST_ROW: Final = 16 * 1024 * 1024
_DELIMITERS: Final = (",", "\t", ";")


@dataclass(frozen=True)
class _Layout:
    """How a file is written: what stands before the first row, and where the coordinates are."""

    encoding: str
    mark: bytes
    delimiter: str
    names: list[str]
    wanted: npt.NDArray[np.int64]
    has_crs: bool
    header: bytes
    line_end: bytes


def answer_csv(
    file: Path, sources: Sequence[Source], options: Options, tally: Tally
) -> Iterator[bytes]:
    """Answer for every row of a CSV."""
    require_crs(options)
    with file.open("rb") as stream:
        yield from _answer_stream(stream, file, sources, options, tally)


def _answer_stream(
    stream: BinaryIO, file: Path, sources: Sequence[Source], options: Options, tally: Tally
) -> Iterator[bytes]:
    start = stream.read(4)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        stream.seek(0)
        yield from _answer_utf_16(stream, file, sources, options, tally)
        return
    stream.seek(0)
    layout = _find_layout(_PlainStream(stream), file, options)
    stream.seek(len(layout.mark) + len(layout.header))
    yield from _answer_blocks(_PlainStream(stream), layout, file, sources, options, tally)


class _PlainStream:
    """A stream read as it is."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        return self._stream.read(size)


class _Utf8Stream(_PlainStream):
    """A stream of UTF-16 read as UTF-8."""

    def __init__(self, stream: BinaryIO, file: str) -> None:
        super().__init__(stream)
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-16")()

    def read(self, size: int) -> bytes:
        while True:
            data = self._stream.read(size)
            try:
                text = self._decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                raise InputError("locate.encoding", file=self._file) from error
            if text or not data:
                return text.encode()


def _answer_utf_16(
    stream: BinaryIO, file: Path, sources: Sequence[Source], options: Options, tally: Tally
) -> Iterator[bytes]:
    """Answer in UTF-16 as well; the rows pass through UTF-8."""
    layout = _find_layout(_Utf8Stream(stream, file.name), file, options, "utf-8")
    stream.seek(0)
    narrowed = _Utf8Stream(stream, file.name)
    rows = _RestOfStream(narrowed, len(layout.header))
    encoder = codecs.getincrementalencoder("utf-16")()
    for part in _answer_blocks(rows, layout, file, sources, options, tally):
        yield encoder.encode(part.decode())


class _RestOfStream:
    """A stream without its first bytes."""

    def __init__(self, stream: _PlainStream, count: int) -> None:
        self._stream, self._left = stream, count

    def read(self, size: int) -> bytes:
        while self._left:
            data = self._stream.read(size)
            if not data:
                return b""
            cut = min(self._left, len(data))
            self._left -= cut
            if cut < len(data):
                return data[cut:]
        return self._stream.read(size)


def _find_layout(
    stream: _PlainStream, file: Path, options: Options, encoding: str | None = None
) -> _Layout:
    data = stream.read(BLOCK)
    mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    content = data[len(mark) :]
    if b"\x00" in content[:4096]:
        raise InputError("locate.not_text", file=file.name)
    first = re.search(rb"\r\n|\n|\r", _blot_out_quoted(content))
    header = content if first is None else content[: first.end()]
    line_end = b"\r\n" if first is None else first[0]
    found_encoding = encoding or ("utf-8" if mark else _find_encoding(file, options))
    try:
        line = header.decode(found_encoding).rstrip("\r\n")
    except (UnicodeDecodeError, LookupError) as error:
        raise InputError("locate.encoding", file=file.name) from error
    delimiter = max(_DELIMITERS, key=lambda sign: (line.count(sign), sign == ","))
    try:
        names = next(csv.reader(io.StringIO(line), delimiter=delimiter), [])
    except csv.Error as error:
        raise InputError("locate.no_header", file=file.name) from error
    most = import_settings().max_columns
    if len(names) > most:
        raise InputError("ingest.too_many_columns", file=file.name, n=len(names), limit=most)
    if not any(name.strip() for name in names):
        raise InputError("locate.no_header", file=file.name)
    columns = _find_columns(names, options)
    return _Layout(
        found_encoding,
        mark,
        delimiter,
        names,
        np.array(columns, dtype=np.int64),
        options.crs_column is not None,
        header,
        line_end,
    )


def _blot_out_quoted(data: bytes) -> bytes:
    """Blot out what stands in quotes, so that a line end in a name does not end the header."""
    head = data[:65536]
    return re.sub(rb'"[^"]*"', lambda match: b"x" * len(match[0]), head)


def _find_encoding(file: Path, options: Options) -> str:
    """Tell UTF-8 and GB18030 apart by the first bytes that are not ASCII."""
    if options.encoding is not None:
        try:
            name = codecs.lookup(options.encoding).name
        except LookupError as error:
            raise InputError("locate.encoding_unknown", encoding=options.encoding) from error
        return "gb18030" if name in ("gbk", "gb2312") else name
    decoder = codecs.getincrementaldecoder("utf-8")()
    with file.open("rb") as stream:
        while data := stream.read(BLOCK):
            if data.isascii() and not decoder.getstate()[0]:
                continue
            try:
                decoder.decode(data, final=False)
            except UnicodeDecodeError:
                return "gb18030"
            return "utf-8"
    return "utf-8"


def _find_columns(names: list[str], options: Options) -> list[int]:
    """Find the columns of longitude, latitude and, where it is stated, the system."""
    stated = options.stated()
    for column in (*stated.values(), options.crs_column):
        if column is not None and column not in names:
            raise InputError(
                "locate.no_column", place=Place(field=column), columns=" / ".join(names)
            )
    columns_of = stated
    if len(stated) < 2 and options.find_columns is not None:
        columns_of = options.find_columns(names, stated)
    if not {"lon", "lat"} <= columns_of.keys():
        raise InputError("locate.no_coordinates", columns=" / ".join(names))
    positions = [names.index(columns_of["lon"]), names.index(columns_of["lat"])]
    return positions + ([] if options.crs_column is None else [names.index(options.crs_column)])


def _answer_blocks(
    stream: _PlainStream | _RestOfStream,
    layout: _Layout,
    file: Path,
    sources: Sequence[Source],
    options: Options,
    tally: Tally,
) -> Iterator[bytes]:
    pieces = _AnswerPieces(layout, sources)
    new = layout.delimiter.join(
        quote(name, layout.delimiter) for name in name_fields(sources, layout.names)
    )
    head = _escape_formulas(layout.header, layout.delimiter).rstrip(b"\r\n")
    added = f"{layout.delimiter}{new}".encode(layout.encoding)
    yield layout.mark + head + added + layout.line_end
    left_over, is_last = b"", False
    while not is_last:
        data_read = stream.read(BLOCK)
        is_last = not data_read
        data = left_over + data_read
        if not data:
            return
        block = np.frombuffer(data, dtype=np.uint8)
        rows, used = scan_rows(block, ord(layout.delimiter), layout.wanted, is_last=is_last)
        left_over = data[used:]
        if len(left_over) > _LONGEST_ROW:
            raise InputError("locate.open_quote", place=Place(row=tally.rows + 1), file=file.name)
        if len(rows):
            yield _answer_block(block, data, rows, layout, pieces, options, tally)


def _answer_block(
    block: Bytes,
    data: bytes,
    rows: CsvRows,
    layout: _Layout,
    pieces: "_AnswerPieces",
    options: Options,
    tally: Tally,
) -> bytes:
    filled = rows.end > rows.start  # an empty line is no row, and stays one
    filled_rows = np.flatnonzero(filled)
    refused: dict[int, tuple[str, Reason]] = {}
    x, y = _read_coordinates(block, data, rows, filled_rows, layout, refused)
    systems = None
    if layout.has_crs:
        systems = [_read_field(data, rows, row, 2, layout.encoding) for row in filled_rows.tolist()]
    wrong = np.flatnonzero(rows.fields[filled_rows] != len(layout.names))
    for index in wrong.tolist():
        count = int(rows.fields[filled_rows[index]])
        refused[index] = (f"{count} / {len(layout.names)}", "row_fields")
        x[index] = y[index] = np.nan
    before = tally.rows
    answers = place_block(pieces.sources, options, x, y, refused, tally, systems)
    for index in sorted(refused):
        reason = describe_refusal(options, *refused[index])
        tally.rejected(Reject(before + index + 1, refused[index][0], reason))
    which, parts = pieces.behind(answers, refused, options, rows.fields[filled_rows])
    if len(filled_rows) < len(rows):
        spread = np.full((which.shape[0], len(rows)), -1, dtype=np.int64)
        spread[:, filled_rows] = which
        which = spread
    used_data = data[: int(rows.after[-1])]
    safe = _escape_formulas(used_data, layout.delimiter)
    if safe is not used_data:
        block = np.frombuffer(safe, dtype=np.uint8)
        rows, _ = scan_rows(block, ord(layout.delimiter), layout.wanted, is_last=True)
    return add_behind_rows(block, rows, which, parts).tobytes()


def _escape_formulas(data: bytes, delimiter: str) -> bytes:
    """Put an apostrophe before what would begin a formula; give the same where nothing would."""
    block = np.frombuffer(data, dtype=np.uint8)
    cells = find_formula_cells(block, ord(delimiter))
    return np.insert(block, cells, ord("'")).tobytes() if len(cells) else data


def _read_coordinates(
    block: Bytes,
    data: bytes,
    rows: CsvRows,
    filled_rows: npt.NDArray[np.int64],
    layout: _Layout,
    refused: dict[int, tuple[str, Reason]],
) -> tuple[FloatArray, FloatArray]:
    x, x_kind = read_numbers(block, rows.first[filled_rows, 0], rows.last[filled_rows, 0])
    y, y_kind = read_numbers(block, rows.first[filled_rows, 1], rows.last[filled_rows, 1])
    for index in np.flatnonzero((x_kind != NUMBER) | (y_kind != NUMBER)).tolist():
        row = int(filled_rows[index])
        if MISSING in (x_kind[index], y_kind[index]) or (
            x_kind[index] == EMPTY and y_kind[index] == EMPTY
        ):
            refused[index] = ("", "row_no_coordinates")
            x[index] = y[index] = np.nan
            continue
        fields = [_read_field(data, rows, row, column, layout.encoding) for column in (0, 1)]
        place = read_pair(*fields)
        if place is None:
            refused[index] = (", ".join(fields)[:80], "row_no_number")
            x[index] = y[index] = np.nan
        else:
            x[index], y[index] = place
    return x, y


def _read_field(data: bytes, rows: CsvRows, row: int, column: int, encoding: str) -> str:
    first, last = int(rows.first[row, column]), int(rows.last[row, column])
    if first < 0:
        return ""
    text = data[first:last].decode(encoding, "replace").strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = text[1:-1].replace('""', '"')
    return text.strip()


def read_pair(first: str, second: str) -> tuple[float, float] | None:
    """Read longitude and latitude that are not written in plain digits."""
    plain = [unicodedata.normalize("NFKC", value).strip() for value in (first, second)]
    if all(_DECIMAL.fullmatch(value) for value in plain):
        lon, lat = (float(value) for value in plain)
        return (lon, lat) if np.isfinite(lon) and np.isfinite(lat) else None
    try:
        pasted = read_pasted(f"{first} , {second}")
    except InputError:
        return None
    return None if pasted.lat_first else (pasted.lon, pasted.lat)


_DECIMAL: Final = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")


class _AnswerPieces:
    """What stands behind rows: the same few texts for a million of them, written once."""

    # Of each scheme one piece says the grid and the method, or the nearest grid of a place outside,
    # and two more how far that is: whole kilometres, and metres.

    def __init__(self, layout: _Layout, sources: Sequence[Source]) -> None:
        self.sources = sources
        self._layout = layout
        self._texts: list[bytes] = []
        self._accepted = self._add([self._write([""])])
        self._short = self._add(b"%d.%d" % divmod(tenths, 10) for tenths in range(10_000))
        self._long = self._add(b"%03d.%d" % divmod(tenths, 10) for tenths in range(10_000))
        self._thousands = self._add(b"%d" % kilometres for kilometres in range(_FARTHEST_KM))
        self._of = [self._of_source(source) for source in sources]
        self._parts = BytePieces(self._texts)

    def _add(self, texts: Iterable[bytes]) -> int:
        """Keep texts, and tell the number of the first."""
        first = len(self._texts)
        self._texts.extend(texts)
        return first

    def _write(self, values: Sequence[str]) -> bytes:
        sign = self._layout.delimiter
        return "".join(f"{sign}{quote(safe_cell(value), sign)}" for value in values).encode(
            self._layout.encoding, "replace"
        )

    def _of_source(self, source: Source) -> "_SourcePieces":
        ids = np.array(sorted(source.names), dtype=np.int64)
        codes = [source.names[grid][0] for grid in ids.tolist()]
        sign = self._layout.delimiter.encode()
        return _SourcePieces(
            ids,
            self._add(
                self._write((*source.names[grid], method, "", ""))
                for grid in ids.tolist()
                for method in ("within", "border_tie")
            ),
            self._add([self._write([""] * 5), self._write(["", "", "outside", "", ""])]),
            self._add(self._write(["", "", "outside", code]) + sign for code in codes),
        )

    def behind(
        self,
        answers: Sequence[BlockAnswer],
        refused: dict[int, tuple[str, Reason]],
        options: Options,
        fields: npt.NDArray[np.int64],
    ) -> tuple[npt.NDArray[np.int64], BytePieces]:
        """Choose what stands behind each row of a block."""
        which = np.full((3 * len(answers) + 2, len(fields)), -1, dtype=np.int64)
        for number, (of, answer) in enumerate(zip(self._of, answers, strict=True)):
            self._answered(of, answer, which[3 * number + 1 : 3 * number + 4])
        which[-1] = self._accepted
        more: list[bytes] = []
        for index, (given, reason) in refused.items():
            lacking = len(self._layout.names) - int(fields[index])
            if lacking > 0:
                which[0, index] = len(self._parts) + len(more)
                more.append(self._write([""] * lacking))
            which[-1, index] = len(self._parts) + len(more)
            more.append(self._write([describe_refusal(options, given, reason)]))
        return which, self._parts.followed_by(more)

    def _answered(
        self, of: "_SourcePieces", answer: BlockAnswer, which: npt.NDArray[np.int64]
    ) -> None:
        """Fill in the three pieces of one scheme."""
        which[0] = of.within + 2 * _find_positions(of.ids, answer.grid_id) + answer.tie
        outside = np.flatnonzero(answer.grid_id == NO_GRID)
        metres = answer.nearest_m[outside]
        which[0, outside] = np.where(np.isnan(metres), of.nothing, of.nothing + 1)
        known = np.isfinite(metres)
        outside, metres = outside[known], metres[known]
        which[0, outside] = of.nearest + _find_positions(of.ids, answer.nearest_id[outside])
        kilometres, tenths = np.divmod(np.rint(metres * 10).astype(np.int64), 10_000)
        which[1, outside] = np.where(kilometres > 0, self._thousands + kilometres, -1)
        which[2, outside] = np.where(kilometres > 0, self._long, self._short) + tenths


@dataclass(frozen=True)
class _SourcePieces:
    """Where the pieces of a scheme begin: two a grid by id; of nothing, outside; of the nearest."""

    ids: npt.NDArray[np.int64]
    within: int
    nothing: int
    nearest: int


_FARTHEST_KM: Final = 20_100
"""Half around the Earth, and some more."""
_DENSE: Final = 10_000_000


def _find_positions(
    ids: npt.NDArray[np.int64], values: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Find where ids stand in a sorted list; by a table where they are small numbers."""
    if len(ids) == 0 or ids[-1] > _DENSE or ids[0] < 0:
        return np.searchsorted(ids, values)
    table = np.zeros(int(ids[-1]) + 2, dtype=np.int64)
    table[ids] = np.arange(len(ids))
    return table[values]  # NO_GRID takes the last entry, which is 0 and is not looked at
