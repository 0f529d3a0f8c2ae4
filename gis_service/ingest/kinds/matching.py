"""A file's columns under our names: which column is which field, and which names a row."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from gis_service.errors import InputError, Place
from gis_service.ingest.kinds.kind import FileForm, ImportOptions, MatchedTable
from gis_service.ingest.readers.columns import COORDINATES, MatchedColumn, match_columns
from gis_service.ingest.readers.file_table import FileTable

_EXACT_BELOW: Final = 2.0**53


def match_table(form: FileForm, file: FileTable, options: ImportOptions) -> MatchedTable:
    """Bring a file's columns to our names."""
    place_fields = {field.name for field in COORDINATES}
    stated = {
        field_name: column
        for field_name, column in options.columns.items()
        if field_name not in place_fields
    }
    if options.key is not None:
        if form.default_key is None:
            raise InputError("ingest.kind_without_key", kind=form.name)
        stated[form.default_key] = options.key
    used = set(file.coordinates.values())
    names = [str(name) for name in file.frame.columns if name not in used]
    also_key = form.default_key if options.key is not None else None
    matched = match_columns(names, form.fields, stated, also_key=also_key)
    if form.geometry == "required" and file.geometry is None:
        raise InputError("ingest.no_geometry", file=file.name, kind=form.name)
    refused = {refusal.row for refusal in file.refusals}
    keep = np.array([row not in refused for row in file.rows.tolist()], dtype=bool)
    keep = keep if len(keep) else np.zeros(0, dtype=bool)
    fields = {column.field: column.file for column in matched if column.field and column.file}
    frame = file.frame.loc[keep, list(fields.values())].reset_index(drop=True)
    frame.columns = list(fields)
    _refuse_inexact(form, frame, file.rows[keep], fields)
    field_of_place = {column: field_name for field_name, column in file.coordinates.items()}
    columns = [
        *(MatchedColumn(column, field_name) for column, field_name in field_of_place.items()),
        *matched,
    ]
    key = fields.get(form.default_key) if form.default_key else None
    geometry = None if file.geometry is None else file.geometry[keep]
    x, y = file.raw_xy
    return MatchedTable(frame, geometry, file.rows[keep], (x[keep], y[keep]), columns, key, file)


def _refuse_inexact(
    form: FileForm, frame: pd.DataFrame, rows: Any, columns: Mapping[str, str]
) -> None:
    """Refuse codes that were read as numbers too long to be exact: two might have become one."""
    for name in (
        field.name for field in form.fields if field.form == "text" and field.name in frame
    ):
        for row, value in zip(rows.tolist(), frame[name].tolist(), strict=True):
            if isinstance(value, float) and abs(value) >= _EXACT_BELOW:
                place = Place(row=row, field=columns[name])
                raise InputError("ingest.number_inexact", place=place, column=columns[name])
