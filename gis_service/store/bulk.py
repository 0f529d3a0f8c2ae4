"""Many rows at once: arrays in, rows stored by COPY; and a query's rows as arrays.

Into a table with rules by rows the server refuses to COPY: there the rows are staged.

The caller's transaction decides whether they stay.
"""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
import sqlalchemy as sa
from geoalchemy2 import Geometry
from sqlalchemy.dialects.postgresql import ARRAY, DATERANGE, JSONB

from gis_service.store.tables import SRID, WITH_ROW_RULES

Column = Sequence[Any] | npt.NDArray[Any]
"""The values of one column, a row each."""

_NULL: Final = r"\N"
_ROWS_AT_ONCE: Final = 512
_ESCAPES: Final = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def copy_rows(connection: sa.Connection, table: sa.Table, columns: Mapping[str, Column]) -> int:
    """
    Append rows to a table by COPY.

    Parameters
    ----------
    connection
        An open transaction on psycopg2.
    table
        Of :mod:`gis_service.store.tables`.
    columns
        One sequence or array a column, all of one length. Geometry columns take shapely
        geometries, ``daterange`` columns take pairs of days (None is open), arrays take lists,
        JSONB what json can write. None, NaN and NaT are NULL, but in a float column of a table
        NaN never belongs.

    Returns
    -------
    int
        The number of rows.
    """
    names = list(columns)
    count = len(columns[names[0]]) if names else 0
    if any(len(columns[name]) != count for name in names):
        raise ValueError(f"columns of {table.name} differ in length")
    if count == 0:
        return 0
    kinds = {name: table.c[name].type for name in names}
    _copy(connection, table, names, _CopyStream(_write_chunks(kinds, columns, count)))
    return count


def _copy(
    connection: sa.Connection, table: sa.Table, names: Sequence[str], stream: Any, how: str = ""
) -> None:
    """Copy a stream into columns of a table, by a table of this transaction where rules forbid."""
    quote = connection.dialect.identifier_preparer.quote
    listed, target = ", ".join(quote(name) for name in names), quote(table.name)
    is_staged = table.name in WITH_ROW_RULES
    stage = f"pg_temp.{quote(f'staged_{table.name}')}" if is_staged else target
    cursor = connection.connection.cursor()
    try:
        if is_staged:
            cursor.execute(
                f"CREATE TEMPORARY TABLE {quote(f'staged_{table.name}')} ON COMMIT DROP"  # noqa: S608 (quoted names)
                f" AS SELECT {listed} FROM {target} WITH NO DATA"
            )
        cursor.copy_expert(f"COPY {stage} ({listed}) FROM STDIN {how}", stream)
        if is_staged:  # the scan gives them in the order in which they came
            cursor.execute(f"INSERT INTO {target} ({listed}) SELECT {listed} FROM {stage}")  # noqa: S608
            cursor.execute(f"DROP TABLE {stage}")
    finally:
        cursor.close()


class _CopyStream(io.TextIOBase):
    """Text that is written while the server already reads the part before."""

    def __init__(self, chunks: Iterator[str]) -> None:
        self._chunks = chunks
        self._part = io.StringIO()

    def read(self, size: int | None = -1, /) -> str:
        """Give at most so many characters; nothing at the end."""
        text = self._part.read(size)
        if not text:
            self._part = io.StringIO(next(self._chunks, ""))
            text = self._part.read(size)
        return text


def _write_chunks(
    kinds: Mapping[str, sa.types.TypeEngine[Any]], columns: Mapping[str, Column], count: int
) -> Iterator[str]:
    for start in range(0, count, _ROWS_AT_ONCE):
        texts = [
            _as_text(kind, columns[name][start : start + _ROWS_AT_ONCE])
            for name, kind in kinds.items()
        ]
        yield "\n".join("\t".join(row) for row in zip(*texts, strict=True)) + "\n"


def copy_numbers(
    connection: sa.Connection, table: sa.Table, columns: Mapping[str, np.ndarray[Any, Any]]
) -> int:
    """
    Append rows of nothing but numbers by binary COPY, several times faster than as text.

    Parameters
    ----------
    connection
        An open transaction on psycopg2.
    table
        Of :mod:`gis_service.store.tables`.
    columns
        One array a column, all of one length; a matrix, one row a row, for a column of arrays.
        What is NaN or masked is NULL.

    Returns
    -------
    int
        The number of rows.
    """
    count = len(next(iter(columns.values())))
    stream = io.BytesIO()
    stream.write(b"PGCOPY\n\xff\r\n\x00" + bytes(8))
    for start in range(0, count, _CHUNK):
        chunk = slice(start, start + _CHUNK)
        stream.write(_binary_rows(table, {name: values[chunk] for name, values in columns.items()}))
    stream.write(b"\xff\xff")
    stream.seek(0)
    _copy(connection, table, list(columns), stream, "(FORMAT binary)")
    return count


_CHUNK: Final = 50_000


def _binary_rows(table: sa.Table, columns: Mapping[str, np.ndarray[Any, Any]]) -> bytes:
    """Lay all rows out at full width, then leave out the bytes of what is NULL."""
    count = len(next(iter(columns.values())))
    fields = [_as_bytes(np.full(count, len(columns), ">i2"))]
    keep_masks = [np.ones(fields[0].shape, dtype=bool)]
    for name, values in columns.items():
        kind = table.c[name].type
        if isinstance(kind, ARRAY):
            parts = _binary_array(kind.item_type, values)
        else:
            parts = [_binary_items(kind, values.reshape(count, 1))]
        fields += [field for field, _ in parts]
        keep_masks += [keep for _, keep in parts]
    return bytes(np.concatenate(fields, axis=1)[np.concatenate(keep_masks, axis=1)].tobytes())


_Bytes = tuple[np.ndarray[Any, np.dtype[np.uint8]], np.ndarray[Any, np.dtype[np.bool_]]]


def _binary_items(kind: sa.types.TypeEngine[Any], values: np.ndarray[Any, Any]) -> _Bytes:
    wire, _ = _wire_form(kind)
    null = _null_mask(values)
    items = np.zeros(values.shape, dtype=[("length", ">i4"), ("value", wire)])
    items["length"] = np.where(null, -1, wire.itemsize)
    items["value"] = np.where(null, 0, np.ma.getdata(values))
    keep = np.ones((*values.shape, items.itemsize), dtype=bool)
    keep[null, 4:] = False
    return _as_bytes(items), keep.reshape(len(values), -1)


def _binary_array(kind: sa.types.TypeEngine[Any], values: np.ndarray[Any, Any]) -> list[_Bytes]:
    items, keep = _binary_items(kind, values)
    head = np.zeros((len(values), 6), dtype=">i4")
    head[:, 0] = 20 + keep.sum(axis=1)
    head[:, 1] = 1
    head[:, 2] = _null_mask(values).any(axis=1)
    head[:, 3] = _wire_form(kind)[1]
    head[:, 4] = values.shape[1]
    head[:, 5] = 1
    head_bytes = _as_bytes(head)
    return [(head_bytes, np.ones(head_bytes.shape, dtype=bool)), (items, keep)]


def _wire_form(kind: sa.types.TypeEngine[Any]) -> tuple[np.dtype[Any], int]:
    """Name the form on the wire and PostgreSQL's own number of the type (pg_type.oid)."""
    for types, form, oid in (
        (sa.SmallInteger, ">i2", 21),
        (sa.BigInteger, ">i8", 20),
        (sa.Integer, ">i4", 23),
        (sa.REAL, ">f4", 700),
        (sa.Double, ">f8", 701),
    ):
        if isinstance(kind, types):
            return np.dtype(form), oid
    message = f"{kind} is no type of number that binary COPY is told to write"
    raise TypeError(message)


def _null_mask(values: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    mask = np.ma.getmaskarray(values)
    if values.dtype.kind == "f":
        mask = mask | np.isnan(np.ma.getdata(values))
    return mask


def _as_bytes(array: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.ascontiguousarray(array).view(np.uint8).reshape(len(array), -1)


def read_arrays(
    connection: sa.Connection, query: sa.Select[Any]
) -> dict[str, np.ndarray[Any, Any]]:
    """
    Read a query's rows as one array a column, some ten times faster than row by row.

    The server packs each column into one value (at most 1 GB), so no Python object is made for a
    number.

    Parameters
    ----------
    connection
        An open transaction on psycopg2.
    query
        Columns of integers, floats, booleans, texts and geometries; say the type of a function's
        result (``sa.type_coerce``). Only floats may be NULL: they come as NaN.

    Returns
    -------
    dict
        Arrays by column name, all in one order, which is none that the query asks for.

    Raises
    ------
    ValueError
        A column that may not be NULL is.
    """
    rows = query.subquery()
    packed = [_pack_column(column) for column in rows.c]
    count, *values = connection.execute(sa.select(sa.func.count(), *packed)).one()
    arrays = {
        column.name: _unpack_column(column.type, value)
        for column, value in zip(rows.c, values, strict=True)
    }
    for name, array in arrays.items():
        if len(array) != count:
            message = f"{len(array)} values of {name} in {count} rows: it is NULL somewhere"
            raise ValueError(message)
    return arrays


_SEPARATOR: Final = "\x1f"


def _pack_column(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    none = sa.literal(b"", sa.LargeBinary)
    kind = column.type
    if isinstance(kind, Geometry):
        return sa.func.ST_AsBinary(sa.func.ST_Collect(column), type_=sa.LargeBinary)
    if isinstance(kind, sa.String):
        return sa.func.string_agg(column, _SEPARATOR)
    if isinstance(kind, sa.Boolean):
        return sa.func.string_agg(sa.func.boolsend(column), none, type_=sa.LargeBinary)
    if isinstance(kind, sa.Integer):
        sent = sa.func.int8send(sa.cast(column, sa.BigInteger))
        return sa.func.string_agg(sent, none, type_=sa.LargeBinary)
    number = sa.func.coalesce(sa.cast(column, sa.Double), sa.cast("NaN", sa.Double))
    return sa.func.string_agg(sa.func.float8send(number), none, type_=sa.LargeBinary)


def _unpack_column(kind: sa.types.TypeEngine[Any], value: Any) -> np.ndarray[Any, Any]:
    if isinstance(kind, Geometry):
        parts: Any = shapely.get_parts(shapely.from_wkb(bytes(value))) if value else []
        return np.asarray(parts, dtype=object)
    if isinstance(kind, sa.String):
        return np.array(value.split(_SEPARATOR) if value is not None else [], dtype=np.str_)
    data = bytes(value or b"")
    if isinstance(kind, sa.Boolean):
        return np.frombuffer(data, dtype=np.bool_)
    if isinstance(kind, sa.Integer):
        return np.frombuffer(data, dtype=">i8").astype(np.int64)
    return np.frombuffer(data, dtype=">f8").astype(np.float64)


def _as_text(kind: sa.types.TypeEngine[Any], values: Column) -> list[str]:
    if isinstance(kind, Geometry):
        return _geometry_text(kind, values)
    array = values if isinstance(values, np.ndarray) else None
    if array is not None and array.dtype.kind in "iu":
        return [str(value) for value in array.tolist()]
    if array is not None and array.dtype.kind == "f" and not isinstance(kind, sa.Integer):
        return [_NULL if value != value else repr(value) for value in array.tolist()]  # noqa: PLR0124
    if isinstance(kind, sa.String):
        return _string_text(values)
    write = _choose_writer(kind)
    if isinstance(kind, DATERANGE):
        write = cache(write)  # thousands of rows share a few ranges
    return [
        _NULL if null else write(value)
        for value, null in zip(values, _find_nulls(values), strict=True)
    ]


def _find_nulls(values: Column) -> list[bool]:
    """Say of each value whether it is None, NaN or NaT."""
    nulls: list[bool] = pd.Series(list(values), dtype=object).isna().tolist()
    return nulls


def _string_text(values: Column) -> list[str]:
    """Write strings; those without a sign that COPY reads otherwise pass as they are."""
    nulls = _find_nulls(values)
    texts = ["" if null else str(value) for value, null in zip(values, nulls, strict=True)]
    if _needs_escape("".join(texts)):
        texts = [value.translate(_ESCAPES) for value in texts]
    if any(nulls):
        return [_NULL if null else value for value, null in zip(texts, nulls, strict=True)]
    return texts


def _needs_escape(together: str) -> bool:
    return any(character in together for character in "\\\t\n\r")


def _is_null(value: Any) -> bool:
    if value is None or value is pd.NaT or value is pd.NA:
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def _choose_writer(kind: sa.types.TypeEngine[Any]) -> Any:
    if isinstance(kind, ARRAY):
        return _array_text
    if isinstance(kind, JSONB):
        return lambda value: json.dumps(value, ensure_ascii=False).translate(_ESCAPES)
    if isinstance(kind, sa.Integer):
        return lambda value: str(int(value))
    if isinstance(kind, sa.Boolean):
        return lambda value: "t" if value else "f"
    if isinstance(kind, sa.Date | sa.DateTime):
        return lambda value: value.isoformat()
    return _other_text


def _other_text(value: Any) -> str:
    if isinstance(value, tuple):
        return _range_text(value)
    return str(value).translate(_ESCAPES)


def _range_text(bounds: tuple[date | datetime | None, date | datetime | None]) -> str:
    low, high = ("" if bound is None else bound.isoformat()[:10] for bound in bounds)
    return f"[{low},{high})"


def _array_text(values: Sequence[Any]) -> str:
    parts = []
    for value in values:
        if _is_null(value):
            parts.append("NULL")
        elif isinstance(value, str):
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            parts.append(f'"{escaped}"')
        else:
            parts.append(repr(value.item() if isinstance(value, np.generic) else value))
    return ("{" + ",".join(parts) + "}").translate(_ESCAPES)


def _geometry_text(kind: Geometry, values: Column) -> list[str]:
    array = np.asarray(values, dtype=object)
    if kind.geometry_type == "MULTIPOLYGON":
        array = _as_multipolygons(array)
    hexed = shapely.to_wkb(shapely.set_srid(array, SRID), hex=True, include_srid=True)
    return [_NULL if text is None else text for text in hexed]


def _as_multipolygons(array: np.ndarray[Any, np.dtype[np.object_]]) -> np.ndarray[Any, Any]:
    single = shapely.get_type_id(array) == shapely.GeometryType.POLYGON
    if not single.any():
        return array
    result = array.copy()
    result[single] = shapely.multipolygons(array[single], indices=np.arange(int(single.sum())))
    return result
