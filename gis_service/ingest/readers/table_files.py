"""CSV and XLSX into rows of values; which of them are coordinates is somebody else's question."""

import csv
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final, TextIO
from xml.etree.ElementTree import ParseError

import numpy as np
import openpyxl
import pandas as pd
from defusedxml import DefusedXmlException
from openpyxl.utils import column_index_from_string, get_column_letter
from openpyxl.utils.exceptions import InvalidFileException
from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook

from gis_service.errors import InputError, Place
from gis_service.ingest.readers.frames import Refusal
from gis_service.ingest.readers.packed import open_zip
from gis_service.ingest.readers.raw import RawTable, check_row_count, require_unique_names
from gis_service.ingest.readers.texts import detect_encoding
from gis_service.ingest.readers.values import as_object_array
from gis_service.settings import import_settings

_DELIMITERS: Final = (",", ";", "\t", "，", "|")
_FIELD_LIMIT: Final = 256 * 1024 * 1024
_FORMULA: Final = re.compile(rb'<c r="([A-Z]{1,3}[0-9]{1,7})"[^>]*?>\s*<f[\s>/]')
_ADDRESS: Final = re.compile(rb"""\br\s*=\s*["']([A-Za-z]{0,3})([0-9]{1,7})["']""")
"""Of a cell or, without letters, of a row, by whatever prefix the sender's program calls it."""
_SHEET: Final = re.compile(rb"<(?:\w+:)?sheet\s")
_MOST_SHEETS: Final = 255
_LAST_COLUMN: Final = 16_384
_BLOCK: Final = 5000
_LONGEST_HEADER: Final = 1024 * 1024
_CHUNK: Final = 1024 * 1024
_OVERLAP: Final = 4096


def read_csv(path: Path, file: str, encoding: str | None) -> RawTable:
    """Read a table of texts."""
    text_encoding = detect_encoding(path, encoding, file)
    csv.field_size_limit(_FIELD_LIMIT)
    with text_encoding.open(path) as text:
        delimiter = max(_DELIMITERS, key=_remove_quoted(_read_header(text)).count)
        text.seek(0)
        try:
            return _read_table(csv.reader(text, delimiter=delimiter), file, text_encoding.name)
        except csv.Error as error:
            raise InputError("ingest.csv_broken", file=file, detail=str(error)) from error


def _read_header(text: TextIO) -> str:
    while line := text.readline(_LONGEST_HEADER):
        if line.strip("\r\n"):
            return line
    return ""


def _remove_quoted(line: str) -> str:
    return "".join(line.split('"')[::2])


def _read_table(lines: Iterable[Sequence[Any]], file: str, encoding: str | None) -> RawTable:
    """Take the first line that says something as the header, and the others as rows, by blocks."""
    filled_lines = (
        (number, line)
        for number, line in enumerate(lines, start=1)
        if any(line) or any(value not in (None, "") for value in line)
    )
    _, header = next(filled_lines, (0, ()))
    if not header:
        raise InputError("ingest.no_rows", file=file)
    names = _read_names(header, file)
    width, max_rows, count = len(names), import_settings().max_rows, 0
    columns: list[list[Any]] = [[] for _ in names]
    rows: list[int] = []
    refusals: list[Refusal] = []
    while block := list(islice(filled_lines, _BLOCK)):
        count += len(block)
        if count > max_rows:
            count += sum(1 for _ in filled_lines)
            break
        padded = []
        for number, line in block:
            if len(line) > width and any(value not in (None, "") for value in line[width:]):
                values = {"columns": width, "values": len(line)}
                refusals.append(Refusal.because("ingest.row_too_long", Place(row=number), **values))
                continue
            rows.append(number)
            padded.append([*line[:width], *[None] * (width - len(line))])
        for column, values_of_column in zip(
            columns, zip(*padded, strict=True), strict=bool(padded)
        ):
            column.extend(values_of_column)
    check_row_count(count, file)
    frame = pd.DataFrame({name: as_object_array(columns.pop(0)) for name in names})
    table = RawTable(frame, np.array(rows, dtype=np.int64), encoding=encoding)
    table.refusals += refusals
    return table


def _read_names(header: Sequence[Any], file: str) -> list[str]:
    names = ["" if value is None else str(value) for value in header]
    while names and not names[-1]:
        names.pop()
    return require_unique_names(names, file)


def read_xlsx(path: Path, file: str, layer: str | None) -> RawTable:
    """Read one sheet of a workbook."""
    with open_zip(path, file) as archive:  # a bomb is refused here
        _check_sheet_count(archive, file)
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except _BROKEN as error:
        raise InputError("ingest.xlsx_broken", file=file) from error
    try:
        sheet = _choose_sheet(book, file, layer)
        _check_sheet_text(path, sheet, file)
        # Cell by cell in Python, 200,000 rows would take a minute.
        calamine_sheet = CalamineWorkbook.from_path(path).get_sheet_by_name(sheet.title)
        table = _read_table(_read_sheet_lines(calamine_sheet), file, None)
    except (*_BROKEN, CalamineError) as error:
        raise InputError("ingest.xlsx_broken", file=file) from error
    finally:
        book.close()
    table.layer = sheet.title
    return table


def _read_sheet_lines(sheet: CalamineSheet) -> Iterator[list[Any]]:
    """Give the lines of a sheet from its first, whatever stands in it."""
    for line in sheet.iter_rows():
        yield [_convert_cell(value) for value in line]


def _convert_cell(value: Any) -> Any:
    """Give nothing for an empty cell, and a whole number as one."""
    if value == "":
        return None
    return int(value) if isinstance(value, float) and value.is_integer() else value


_BROKEN: Final = (
    zipfile.BadZipFile,
    zlib.error,
    KeyError,
    ValueError,
    EOFError,
    ParseError,
    InvalidFileException,
    DefusedXmlException,
)


def _check_sheet_count(archive: zipfile.ZipFile, file: str) -> None:
    """Refuse a workbook of thousands of sheets: each would be opened to see whether it is empty."""
    for member in archive.infolist():
        if not member.filename.endswith("workbook.xml"):
            continue
        try:
            sheets = len(_SHEET.findall(archive.read(member)))
        except _BROKEN as error:
            raise InputError("ingest.xlsx_broken", file=file) from error
        if sheets > _MOST_SHEETS:
            raise InputError("ingest.xlsx_sheets", file=file, sheets=sheets, most=_MOST_SHEETS)


def _choose_sheet(book: Any, file: str, layer: str | None) -> Any:
    sheets = {sheet.title: sheet for sheet in book.worksheets}
    if layer is not None:
        if layer not in sheets:
            raise InputError(
                "ingest.no_layer", file=file, layer=layer, known=" / ".join(sheets) or "—"
            )
        return sheets[layer]
    filled = {
        title: sheet
        for title, sheet in sheets.items()
        if any(any(value is not None for value in line) for line in _read_first_lines(sheet))
    }
    if not filled:
        raise InputError("ingest.no_rows", file=file)
    if len(filled) > 1:
        raise InputError("ingest.several_layers", file=file, known=" / ".join(filled))
    return next(iter(filled.values()))


def _read_first_lines(sheet: Any) -> list[Any]:
    sheet.reset_dimensions()
    return list(sheet.iter_rows(max_row=20, values_only=True))


def _check_sheet_text(path: Path, sheet: Any, file: str) -> None:
    """Look at a sheet's own text before cells are made of it."""
    # A formula is refused, and an extent of more cells than the settings allow: between the first
    # and the last cell a place is made for each, so that two cells may ask for 512 GiB.
    columns: set[bytes] = set()
    rows: set[int] = set()
    with zipfile.ZipFile(path) as archive, archive.open(sheet._worksheet_path) as source:  # noqa: SLF001
        overlap = b""
        while chunk := source.read(_CHUNK):
            text = overlap + chunk
            formula = _FORMULA.search(text)
            if formula:
                cell = formula[1].decode()
                row = int(re.sub(r"\D", "", cell))
                place = Place(row=row, field=cell)
                raise InputError(
                    "ingest.xlsx_formula", place=place, file=file, sheet=sheet.title, cell=cell
                )
            addresses = _ADDRESS.findall(text)
            if addresses:
                letters, numbers = zip(*addresses, strict=True)
                columns.update(letters)
                row_numbers = {int(number) for number in set(numbers)} | rows
                rows = {min(row_numbers), max(row_numbers)}
            overlap = chunk[-_OVERLAP:]
    column_numbers = sorted(
        min(column_index_from_string(letters.decode()), _LAST_COLUMN)
        for letters in columns
        if letters
    ) or [1]
    first, last = min(rows, default=1), max(rows, default=1)
    row_count = last - first + 1
    cells = row_count * (column_numbers[-1] - column_numbers[0] + 1)
    limit = import_settings().max_cells
    if cells > limit:
        corner = f"{get_column_letter(column_numbers[-1])}{last}"
        raise InputError(
            "ingest.xlsx_extent", place=Place(row=last, field=corner), file=file,
            sheet=sheet.title, cell=corner, cells=cells, limit=limit,
        )  # fmt: skip
