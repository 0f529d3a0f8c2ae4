"""CSV and XLSX into rows of values; which of them are coordinates is somebody else's question."""

import csv
import io
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import ParseError

import numpy as np
import openpyxl
import pandas as pd
from defusedxml import DefusedXmlException
from openpyxl.utils.exceptions import InvalidFileException
from python_calamine import CalamineError, CalamineWorkbook

from gis_service.errors import InputError, Place
from gis_service.ingest.frames import Refusal
from gis_service.ingest.packed import open_zip
from gis_service.ingest.raw import RawTable, check_rows, unique_names
from gis_service.ingest.texts import decode
from gis_service.settings import import_settings

_DELIMITERS: Final = (",", ";", "\t", "，", "|")
_FIELD_LIMIT: Final = 256 * 1024 * 1024
_FORMULA: Final = re.compile(rb'<c r="([A-Z]{1,3}[0-9]{1,7})"[^>]*?>\s*<f[\s>/]')
_CHUNK: Final = 1024 * 1024
_OVERLAP: Final = 4096


def read_csv(path: Path, file: str, encoding: str | None) -> RawTable:
    """
    Read a table of texts.

    Parameters
    ----------
    path
        The file; separated by comma, semicolon or tab, whichever its header has most of.
    file
        Its name, for errors.
    encoding
        As the sender states it; found out where None.

    Returns
    -------
    RawTable
        Every value a text; rows count as a spreadsheet shows them, the header being row 1.

    Raises
    ------
    InputError
        It is no text, has no row, or has a column twice.
    """
    text, found = decode(path.read_bytes(), encoding, file)
    csv.field_size_limit(_FIELD_LIMIT)
    header = text.lstrip("\r\n").partition("\n")[0]
    delimiter = max(_DELIMITERS, key=_outside_quotes(header).count)
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise InputError("ingest.csv_broken", file=file, detail=str(error)) from error
    return _table(lines, file, found)


def _outside_quotes(line: str) -> str:
    return "".join(line.split('"')[::2])


def _table(lines: list[list[Any]], file: str, encoding: str | None) -> RawTable:
    """Take the first line that says something as the header, and the others as rows."""
    filled = [
        (number, line)
        for number, line in enumerate(lines, start=1)
        if any(line) or any(value not in (None, "") for value in line)
    ]
    if not filled:
        raise InputError("ingest.no_rows", file=file)
    _, top = filled[0]
    while top and top[-1] in (None, ""):
        top = top[:-1]
    names = unique_names(["" if value is None else str(value) for value in top], file)
    check_rows(len(filled) - 1, file)
    width = len(names)
    refusals, rows, kept = [], [], []
    for number, line in filled[1:]:
        if len(line) > width and any(value not in (None, "") for value in line[width:]):
            place = Place(row=number)
            refusals.append(
                Refusal.because("ingest.row_too_long", place, columns=width, values=len(line))
            )
            continue
        rows.append(number)
        kept.append(line if len(line) == width else line[:width] + [None] * (width - len(line)))
    columns = list(zip(*kept, strict=True)) if kept else [()] * width
    frame = pd.DataFrame(
        {name: _objects(list(values)) for name, values in zip(names, columns, strict=True)}
    )
    table = RawTable(frame, np.array(rows, dtype=np.int64), encoding=encoding)
    table.refusals += refusals
    return table


def _objects(values: list[Any]) -> np.ndarray[Any, Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def read_xlsx(path: Path, file: str, layer: str | None) -> RawTable:
    """
    Read one sheet of a workbook.

    Parameters
    ----------
    path
        The file.
    file
        Its name, for errors.
    layer
        The sheet; where None the only one that holds anything.

    Returns
    -------
    RawTable
        Values as the workbook holds them; rows count as it shows them.

    Raises
    ------
    InputError
        It is damaged or a zip bomb, holds formulas, or has several filled sheets and none is
        named.
    """
    with open_zip(path, file):
        pass
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except _BROKEN as error:
        raise InputError("ingest.xlsx_broken", file=file) from error
    try:
        sheet = _sheet(book, file, layer)
        _refuse_formulas(path, sheet, file)
        most = import_settings().max_rows
        # Cell by cell in Python, 200,000 rows would take a minute.
        found = CalamineWorkbook.from_path(path).get_sheet_by_name(sheet.title)
        if found.total_height > most + 1:
            check_rows(found.total_height, file)
        lines = [
            [_as_typed(value) for value in line] for line in found.to_python(skip_empty_area=False)
        ]
    except (*_BROKEN, CalamineError) as error:
        raise InputError("ingest.xlsx_broken", file=file) from error
    finally:
        book.close()
    table = _table(lines, file, None)
    table.layer = sheet.title
    return table


def _as_typed(value: Any) -> Any:
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


def _sheet(book: Any, file: str, layer: str | None) -> Any:
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
        if any(any(value is not None for value in line) for line in _first_lines(sheet))
    }
    if not filled:
        raise InputError("ingest.no_rows", file=file)
    if len(filled) > 1:
        raise InputError("ingest.several_layers", file=file, known=" / ".join(filled))
    return next(iter(filled.values()))


def _first_lines(sheet: Any) -> list[Any]:
    sheet.reset_dimensions()
    return list(sheet.iter_rows(max_row=20, values_only=True))


def _refuse_formulas(path: Path, sheet: Any, file: str) -> None:
    """Look for formulas in the sheet's own text: reading every cell as an object is slow."""
    with zipfile.ZipFile(path) as archive, archive.open(sheet._worksheet_path) as source:  # noqa: SLF001
        before = b""
        while part := source.read(_CHUNK):
            found = _FORMULA.search(before + part)
            if found:
                cell = found[1].decode()
                row = int(re.sub(r"\D", "", cell))
                place = Place(row=row, field=cell)
                raise InputError(
                    "ingest.xlsx_formula", place=place, file=file, sheet=sheet.title, cell=cell
                )
            before = part[-_OVERLAP:]
