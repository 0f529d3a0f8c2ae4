"""Rows of a table read as reports: columns by their Chinese or English names, times of China.

Pure: values in, drafts out; what a row lacks is told by its number, never with its values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import pandas as pd

from gis_service.errors import GisError, InputError, Place
from gis_service.incidents.deadlines import SHANGHAI
from gis_service.incidents.reporting import NewIncident
from gis_service.incidents.rules import RuleBook

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "kind": ("kind", "类别", "事件类别", "事件类型", "类型"),
    "text": ("text", "description", "内容", "事件内容", "描述", "事件描述"),
    "address": ("address", "地址", "地点", "事发地点"),
    "reported_at": ("reported_at", "time", "时间", "上报时间", "发生时间"),
    "reporter_name": ("reporter_name", "上报人", "联系人", "来电人"),
    "reporter_phone": ("reporter_phone", "phone", "电话", "联系电话", "来电号码"),
    "key": ("key", "number", "编号", "事件编号", "工单号"),
}
"""The names under which a field is looked for, the first one found."""


@dataclass(frozen=True)
class Reading:
    """What a table says: reports with the number of their row, and rows that are none."""

    drafts: list[tuple[int, NewIncident]]
    refused: list[tuple[int, GisError]]


def read_rows(
    book: RuleBook,
    columns: Mapping[str, Sequence[Any]],
    numbers: Sequence[int],
    lon: Sequence[float],
    lat: Sequence[float],
) -> Reading:
    """
    Read the rows of a table.

    Parameters
    ----------
    book
        The rules: a kind is told by its code or its name.
    columns
        Values by the table's own names.
    numbers
        Of the rows as the sender sees them.
    lon, lat
        CGCS2000 degrees, NaN where a row has no place.

    Returns
    -------
    Reading
        Every row is in one of its lists.

    Raises
    ------
    InputError
        There is no column of kinds.
    """
    by_field = {field: _column(columns, names) for field, names in COLUMNS.items()}
    if by_field["kind"] is None:
        raise InputError("incidents.columns_missing", columns="kind")
    codes = _codes_by_name(book)
    reading = Reading([], [])
    for index, row in enumerate(numbers):
        texts = {
            field: "" if values is None else _cell_text(values[index])
            for field, values in by_field.items()
        }
        moment = None if by_field["reported_at"] is None else by_field["reported_at"][index]
        try:
            draft = NewIncident(
                kind=codes.get(texts["kind"].lower(), texts["kind"]),
                lon=float(lon[index]),
                lat=float(lat[index]),
                text=texts["text"],
                address=texts["address"],
                reported_at=_read_moment(moment),
                reporter_name=texts["reporter_name"],
                reporter_phone=texts["reporter_phone"],
                channel="import",
                key=texts["key"] or None,
            )
        except InputError as error:
            reading.refused.append((row, error))
        else:
            reading.drafts.append((row, draft))
    return reading


def _column(columns: Mapping[str, Sequence[Any]], names: tuple[str, ...]) -> Sequence[Any] | None:
    by_name = {str(name).strip().lower(): values for name, values in columns.items()}
    return next((by_name[name] for name in names if name in by_name), None)


def _codes_by_name(book: RuleBook) -> dict[str, str]:
    names = {kind.name.lower(): code for code, kind in book.kinds.items()}
    names |= {kind.name_en.lower(): code for code, kind in book.kinds.items()}
    return names | {code: code for code in book.kinds}


def _cell_text(value: Any) -> str:
    if value is None or pd.isna(value):
        return ""
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole else str(value).strip()


def _read_moment(value: Any) -> datetime | None:
    """Read a time; without an offset it is China's."""
    if value is None or pd.isna(value) or value == "":
        return None
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, date):
        moment = datetime(value.year, value.month, value.day)  # noqa: DTZ001 (China's, below)
    else:
        try:
            moment = datetime.fromisoformat(str(value).strip().replace("/", "-"))
        except ValueError as error:
            raise InputError("incidents.bad_moment", place=Place(field="reported_at")) from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=SHANGHAI)
