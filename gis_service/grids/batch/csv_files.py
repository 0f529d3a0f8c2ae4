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
    extended,
    formula_cells,
    numbers,
    scan,
)
from gis_service.grids.batch.rows import (
    BlockAnswer,
    Options,
    Reason,
    Reject,
    Source,
    Tally,
    fields_of,
    need_crs,
    place_block,
    quoted,
    say_refusal,
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


def assigned(
    file: Path, sources: Sequence[Source], options: Options, tally: Tally
) -> Iterator[bytes]:
    """
    Answer for every row of a CSV.

    Parameters
    ----------
    file
        With a header; separated by commas, tabs or semicolons, in UTF-8, GB18030 or UTF-16.
    sources
        The schemes that are asked.
    options
        How it is to be read.
    tally
        Counts and the list of refused rows.

    Yields
    ------
    bytes
        The header with the new names, then the rows with their answers.

    Raises
    ------
    InputError
        There is no header, no column of coordinates, or a quote that is never closed.
    """
    need_crs(options)
    with file.open("rb") as stream:
        yield from _answered(stream, file, sources, options, tally)


def _answered(
    stream: BinaryIO, file: Path, sources: Sequence[Source], options: Options, tally: Tally
) -> Iterator[bytes]:
    start = stream.read(4)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        stream.seek(0)
        yield from _utf_16(stream, file, sources, options, tally)
        return
    stream.seek(0)
    layout = _layout(_Plain(stream), file, options)
    stream.seek(len(layout.mark) + len(layout.header))
    yield from _blocks(_Plain(stream), layout, file, sources, options, tally)


class _Plain:
    """A stream read as it is."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        return self._stream.read(size)


class _Narrowed(_Plain):
    """A stream of UTF-16 read as UTF-8."""

    def __init__(self, stream: BinaryIO, file: str) -> None:
        super().__init__(stream)
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-16")()

    def read(self, size: int) -> bytes:
        while True:
            data = self._stream.read(size)
            try:
                said = self._decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                raise InputError("locate.encoding", file=self._file) from error
            if said or not data:
                return said.encode()


def _utf_16(
    stream: BinaryIO, file: Path, sources: Sequence[Source], options: Options, tally: Tally
) -> Iterator[bytes]:
    """Answer in UTF-16 as well; the rows pass through UTF-8."""
    layout = _layout(_Narrowed(stream, file.name), file, options, "utf-8")
    stream.seek(0)
    narrowed = _Narrowed(stream, file.name)
    rest = _Skipped(narrowed, len(layout.header))
    encoder = codecs.getincrementalencoder("utf-16")()
    for part in _blocks(rest, layout, file, sources, options, tally):
        yield encoder.encode(part.decode())


class _Skipped:
    """A stream without its first bytes."""

    def __init__(self, stream: _Plain, count: int) -> None:
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


def _layout(stream: _Plain, file: Path, options: Options, encoding: str | None = None) -> _Layout:
    data = stream.read(BLOCK)
    mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    bare = data[len(mark) :]
    if b"\x00" in bare[:4096]:
        raise InputError("locate.not_text", file=file.name)
    first = re.search(rb"\r\n|\n|\r", _without_quoted(bare))
    header = bare if first is None else bare[: first.end()]
    line_end = b"\r\n" if first is None else first[0]
    known = encoding or ("utf-8" if mark else _encoding(file, options))
    try:
        line = header.decode(known).rstrip("\r\n")
    except (UnicodeDecodeError, LookupError) as error:
        raise InputError("locate.encoding", file=file.name) from error
    delimiter = max(_DELIMITERS, key=lambda one: (line.count(one), one == ","))
    try:
        names = next(csv.reader(io.StringIO(line), delimiter=delimiter), [])
    except csv.Error as error:
        raise InputError("locate.no_header", file=file.name) from error
    most = import_settings().max_columns
    if len(names) > most:
        raise InputError("ingest.too_many_columns", file=file.name, n=len(names), limit=most)
    if not any(name.strip() for name in names):
        raise InputError("locate.no_header", file=file.name)
    wanted = _wanted(names, options)
    return _Layout(
        known,
        mark,
        delimiter,
        names,
        np.array(wanted, dtype=np.int64),
        options.crs_column is not None,
        header,
        line_end,
    )


def _without_quoted(data: bytes) -> bytes:
    """Blot out what stands in quotes, so that a line end in a name does not end the header."""
    head = data[:65536]
    return re.sub(rb'"[^"]*"', lambda found: b"x" * len(found[0]), head)


def _encoding(file: Path, options: Options) -> str:
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


def _wanted(names: list[str], options: Options) -> list[int]:
    """Find the columns of longitude, latitude and, where it is stated, the system."""
    stated = options.stated()
    for column in (*stated.values(), options.crs_column):
        if column is not None and column not in names:
            raise InputError(
                "locate.no_column", place=Place(field=column), columns=" / ".join(names)
            )
    found = stated
    if len(stated) < 2 and options.find_columns is not None:
        found = options.find_columns(names, stated)
    if not {"lon", "lat"} <= found.keys():
        raise InputError("locate.no_coordinates", columns=" / ".join(names))
    wanted = [names.index(found["lon"]), names.index(found["lat"])]
    return wanted + ([] if options.crs_column is None else [names.index(options.crs_column)])


def _blocks(
    stream: _Plain | _Skipped,
    layout: _Layout,
    file: Path,
    sources: Sequence[Source],
    options: Options,
    tally: Tally,
) -> Iterator[bytes]:
    pieces = _Pieces(layout, sources)
    new = layout.delimiter.join(
        quoted(name, layout.delimiter) for name in fields_of(sources, layout.names)
    )
    head = _harmless(layout.header, layout.delimiter).rstrip(b"\r\n")
    added = f"{layout.delimiter}{new}".encode(layout.encoding)
    yield layout.mark + head + added + layout.line_end
    rest, is_last = b"", False
    while not is_last:
        more = stream.read(BLOCK)
        is_last = not more
        data = rest + more
        if not data:
            return
        block = np.frombuffer(data, dtype=np.uint8)
        rows, used = scan(block, ord(layout.delimiter), layout.wanted, is_last=is_last)
        rest = data[used:]
        if len(rest) > _LONGEST_ROW:
            raise InputError("locate.open_quote", place=Place(row=tally.rows + 1), file=file.name)
        if len(rows):
            yield _block(block, data, rows, layout, pieces, options, tally)


def _block(
    block: Bytes,
    data: bytes,
    rows: CsvRows,
    layout: _Layout,
    pieces: "_Pieces",
    options: Options,
    tally: Tally,
) -> bytes:
    filled = rows.end > rows.start  # an empty line is no row, and stays one
    kept = np.flatnonzero(filled)
    refused: dict[int, tuple[str, Reason]] = {}
    x, y = _coordinates(block, data, rows, kept, layout, refused)
    systems = None
    if layout.has_crs:
        systems = [_field(data, rows, row, 2, layout.encoding) for row in kept.tolist()]
    wrong = np.flatnonzero(rows.fields[kept] != len(layout.names))
    for index in wrong.tolist():
        count = int(rows.fields[kept[index]])
        refused[index] = (f"{count} / {len(layout.names)}", "row_fields")
        x[index] = y[index] = np.nan
    before = tally.rows
    answers = place_block(pieces.sources, options, x, y, refused, tally, systems)
    for index in sorted(refused):
        reason = say_refusal(options, *refused[index])
        tally.rejected(Reject(before + index + 1, refused[index][0], reason))
    which, parts = pieces.behind(answers, refused, options, rows.fields[kept])
    if len(kept) < len(rows):
        spread = np.full((which.shape[0], len(rows)), -1, dtype=np.int64)
        spread[:, kept] = which
        which = spread
    whole = data[: int(rows.after[-1])]
    safe = _harmless(whole, layout.delimiter)
    if safe is not whole:
        block = np.frombuffer(safe, dtype=np.uint8)
        rows, _ = scan(block, ord(layout.delimiter), layout.wanted, is_last=True)
    return extended(block, rows, which, parts).tobytes()


def _harmless(data: bytes, delimiter: str) -> bytes:
    """Put an apostrophe before what would begin a formula; give the same where nothing would."""
    block = np.frombuffer(data, dtype=np.uint8)
    cells = formula_cells(block, ord(delimiter))
    return np.insert(block, cells, ord("'")).tobytes() if len(cells) else data


def _coordinates(
    block: Bytes,
    data: bytes,
    rows: CsvRows,
    kept: npt.NDArray[np.int64],
    layout: _Layout,
    refused: dict[int, tuple[str, Reason]],
) -> tuple[FloatArray, FloatArray]:
    x, x_kind = numbers(block, rows.first[kept, 0], rows.last[kept, 0])
    y, y_kind = numbers(block, rows.first[kept, 1], rows.last[kept, 1])
    for index in np.flatnonzero((x_kind != NUMBER) | (y_kind != NUMBER)).tolist():
        row = int(kept[index])
        if MISSING in (x_kind[index], y_kind[index]) or (
            x_kind[index] == EMPTY and y_kind[index] == EMPTY
        ):
            refused[index] = ("", "row_no_coordinates")
            x[index] = y[index] = np.nan
            continue
        given = [_field(data, rows, row, column, layout.encoding) for column in (0, 1)]
        place = read_pair(*given)
        if place is None:
            refused[index] = (", ".join(given)[:80], "row_no_number")
            x[index] = y[index] = np.nan
        else:
            x[index], y[index] = place
    return x, y


def _field(data: bytes, rows: CsvRows, row: int, column: int, encoding: str) -> str:
    first, last = int(rows.first[row, column]), int(rows.last[row, column])
    if first < 0:
        return ""
    said = data[first:last].decode(encoding, "replace").strip()
    if len(said) >= 2 and said[0] == said[-1] == '"':
        said = said[1:-1].replace('""', '"')
    return said.strip()


def read_pair(first: str, second: str) -> tuple[float, float] | None:
    """Read longitude and latitude that are not written in plain digits."""
    plain = [unicodedata.normalize("NFKC", one).strip() for one in (first, second)]
    if all(_DECIMAL.fullmatch(one) for one in plain):
        lon, lat = (float(one) for one in plain)
        return (lon, lat) if np.isfinite(lon) and np.isfinite(lat) else None
    try:
        pasted = read_pasted(f"{first} , {second}")
    except InputError:
        return None
    return None if pasted.lat_first else (pasted.lon, pasted.lat)


_DECIMAL: Final = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")


class _Pieces:
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
        return "".join(f"{sign}{quoted(safe_cell(value), sign)}" for value in values).encode(
            self._layout.encoding, "replace"
        )

    def _of_source(self, source: Source) -> "_OfSource":
        ids = np.array(sorted(source.names), dtype=np.int64)
        codes = [source.names[grid][0] for grid in ids.tolist()]
        sign = self._layout.delimiter.encode()
        return _OfSource(
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
            more.append(self._write([say_refusal(options, given, reason)]))
        return which, self._parts.followed_by(more)

    def _answered(self, of: "_OfSource", answer: BlockAnswer, which: npt.NDArray[np.int64]) -> None:
        """Fill in the three pieces of one scheme."""
        which[0] = of.within + 2 * _positions(of.ids, answer.grid_id) + answer.tie
        outside = np.flatnonzero(answer.grid_id == NO_GRID)
        metres = answer.nearest_m[outside]
        which[0, outside] = np.where(np.isnan(metres), of.nothing, of.nothing + 1)
        known = np.isfinite(metres)
        outside, metres = outside[known], metres[known]
        which[0, outside] = of.nearest + _positions(of.ids, answer.nearest_id[outside])
        kilometres, tenths = np.divmod(np.rint(metres * 10).astype(np.int64), 10_000)
        which[1, outside] = np.where(kilometres > 0, self._thousands + kilometres, -1)
        which[2, outside] = np.where(kilometres > 0, self._long, self._short) + tenths


@dataclass(frozen=True)
class _OfSource:
    """Where the pieces of a scheme begin: two a grid by id; of nothing, outside; of the nearest."""

    ids: npt.NDArray[np.int64]
    within: int
    nothing: int
    nearest: int


_FARTHEST_KM: Final = 20_100
"""Half around the Earth, and some more."""
_DENSE: Final = 10_000_000


def _positions(ids: npt.NDArray[np.int64], wanted: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Find where ids stand in a sorted list; by a table where they are small numbers."""
    if len(ids) == 0 or ids[-1] > _DENSE or ids[0] < 0:
        return np.searchsorted(ids, wanted)
    table = np.zeros(int(ids[-1]) + 2, dtype=np.int64)
    table[ids] = np.arange(len(ids))
    return table[wanted]  # NO_GRID takes the last entry, which is 0 and is not looked at
