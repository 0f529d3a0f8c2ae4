"""GeoPackage, GeoJSON and shapefile into rows with geometries, looked at before GDAL opens them.

How many vertices there are is found out from sizes, not by reading; a file is only given to GDAL
when its first bytes are those of its kind. What GDAL assumes of GeoJSON's coordinates is ignored.
"""

import json
import mmap
import re
import sqlite3
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyogrio
import pyogrio.raw
import shapely
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError

from gis_service.errors import InputError
from gis_service.ingest.readers import gpkg
from gis_service.ingest.readers.frames import Note
from gis_service.ingest.readers.geojson_text import RECORD_SEPARATOR, find_gdal_source
from gis_service.ingest.readers.raw import (
    RawTable,
    check_column_count,
    check_row_count,
    check_vertex_count,
    require_unique_names,
)
from gis_service.ingest.readers.texts import (
    CHINESE,
    UTF_8,
    check_stated_encoding,
    decode_cell,
    detect_cell_encodings,
    detect_encoding,
    find_encoding,
)

_UNREADABLE: Final = (DataSourceError, DataLayerError, FeatureError, FieldError, GeometryError)
_SHP: Final = b"\x00\x00\x27\x0a"
_CRS: Final = re.compile(
    r'"crs"\s*:\s*(\{(?:[^{}]|\{[^{}]*\})*\})',
)
_CHUNK: Final = 4 * 1024 * 1024
_HEAD: Final = 64 * 1024
_SMALL: Final = 16 * 1024 * 1024
_UNDEFINED_SRS: Final = (-1, 0, 99999)
_TEXT_FIELD: Final = ord("C")


@contextmanager
def _gdal_errors(key: str, file: str, **values: Any) -> Iterator[None]:
    """Say what GDAL cannot read as an error of ours; what it warns of is seen in the rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.simplefilter("ignore", UserWarning)
        try:
            yield
        except (*_UNREADABLE, ValueError) as error:
            raise InputError(key, file=file, **values) from error


def _make_table(meta: dict[str, Any], values: list[Any], file: str) -> pd.DataFrame:
    names = require_unique_names([str(name) for name in meta["fields"]], file)
    columns = {}
    for name, column in zip(names, values, strict=True):
        array = np.empty(len(column), dtype=object)
        array[:] = column.tolist()
        columns[name] = array
    return pd.DataFrame(columns)


def _read_shapes(wkb: Any) -> Any:
    if wkb is None:
        return None
    # an open ring is closed, an unreadable geometry becomes None, one with NaN is seen later
    with np.errstate(invalid="ignore"):
        return np.asarray(shapely.from_wkb(wkb, on_invalid="fix"), dtype=object)


# --- GeoPackage --------------------------------------------------------------------------------


def read_gpkg(path: Path, file: str, layer: str | None) -> RawTable:
    """Read one layer of a GeoPackage."""
    with gpkg.open_gpkg(path, file) as database:
        layer_name, srs_id, vertices = _choose_gpkg_layer(database, file, layer)
    check_vertex_count(vertices, file)
    with _gdal_errors("ingest.gpkg_broken", file):
        meta, _, wkb, values = pyogrio.raw.read(
            path, layer=layer_name, force_2d=True, datetime_as_string=True
        )
    table = RawTable(
        _make_table(meta, values, file), None, _read_shapes(wkb), encoding=UTF_8, layer=layer_name
    )
    rows = len(values[0]) if values else 0 if wkb is None else len(wkb)
    check_row_count(rows, file)
    table.rows = np.arange(1, rows + 1)
    table.own_crs = None if srs_id in _UNDEFINED_SRS else meta["crs"]
    return table


def _choose_gpkg_layer(
    database: sqlite3.Connection, file: str, layer: str | None
) -> tuple[str, int | None, int]:
    """Choose the layer, and count its vertices by the size of its geometries."""
    layers = [
        row[0]
        for row in database.execute(
            "SELECT table_name FROM gpkg_contents WHERE data_type IN ('features', 'attributes')"
            " ORDER BY table_name"
        )
    ]
    if not layers:
        raise InputError("ingest.no_rows", file=file)
    if layer is not None and layer not in layers:
        raise InputError("ingest.no_layer", file=file, layer=layer, known=" / ".join(layers))
    if layer is None and len(layers) > 1:
        raise InputError("ingest.several_layers", file=file, known=" / ".join(layers))
    layer_name = layer or layers[0]
    geometry_column = database.execute(
        "SELECT column_name, srs_id, z, m FROM gpkg_geometry_columns WHERE table_name = ?",
        (layer_name,),
    ).fetchone()
    table = gpkg.quote_name(layer_name)
    check_row_count(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0], file)  # noqa: S608
    if geometry_column is None:
        return layer_name, None, 0
    column = gpkg.quote_name(geometry_column[0])
    query = f"SELECT coalesce(sum(length({column})), 0) FROM {table}"  # noqa: S608
    numbers = 2 + (geometry_column[2] == 1) + (geometry_column[3] == 1)
    return layer_name, geometry_column[1], database.execute(query).fetchone()[0] // (8 * numbers)


# --- GeoJSON -----------------------------------------------------------------------------------


def read_geojson(path: Path, file: str, encoding: str | None, scratch: Path) -> RawTable:
    """Read a GeoJSON collection."""
    if path.stat().st_size == 0:
        raise InputError("ingest.file_empty", file=file)
    with path.open("rb") as source, mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as data:
        head = bytes(data[:_HEAD]).removeprefix(b"\xef\xbb\xbf").lstrip().lstrip(RECORD_SEPARATOR)
        tail = bytes(data[-_HEAD:])
        if not head.startswith(b"{"):
            raise InputError("ingest.not_geojson", file=file)
        if not tail.rstrip().endswith(b"}"):
            raise InputError("ingest.geojson_cut", file=file)
        check_vertex_count(_count_positions(data), file)
    text_encoding = detect_encoding(path, encoding, file)
    if text_encoding.codec != UTF_8:  # GDAL reads nothing else
        path = text_encoding.copy_as_utf_8(path, scratch / "utf8.geojson")
    own_crs = _find_crs_member(head.decode(UTF_8, "ignore"), tail.decode(UTF_8, "ignore"))
    gdal_name, features = find_gdal_source(path, file)
    if path.stat().st_size < _SMALL:  # a larger one has memory for what it may ask
        with _gdal_errors("ingest.geojson_broken", file):
            check_column_count(len(pyogrio.read_info(gdal_name)["fields"]), file)
    with _gdal_errors("ingest.geojson_broken", file):
        meta, _, wkb, values = pyogrio.raw.read(gdal_name, force_2d=True, datetime_as_string=True)
    rows = len(wkb) if wkb is not None else 0
    if features is not None and rows != features:
        raise InputError("ingest.geojson_partly", file=file, n=rows, features=features)
    check_row_count(rows, file)
    table = RawTable(_make_table(meta, values, file), np.arange(1, rows + 1), _read_shapes(wkb))
    table.own_crs, table.encoding = own_crs, text_encoding.name
    return table


def _count_positions(data: mmap.mmap) -> int:
    """Count brackets that open: one a position, and a few for rings and features."""
    parts = range(0, len(data), _CHUNK)
    return sum(data[start : start + _CHUNK].count(b"[") for start in parts)


def _find_crs_member(head: str, tail: str) -> str | None:
    for part in (head, tail):
        for match in _CRS.finditer(part):
            try:
                member = json.loads(match[1])
            except ValueError:
                continue
            properties = member.get("properties")
            if isinstance(properties, dict):
                name = properties.get("name") or properties.get("code")
                if name is not None:
                    return f"EPSG:{name}" if str(name).isdigit() else str(name)
    return None


# --- shapefile ---------------------------------------------------------------------------------


def read_shapefile(path: Path, file: str, encoding: str | None) -> RawTable:
    """Read a shapefile, its attributes by ourselves: only so is a wrong encoding seen."""
    parts = _find_parts(path, file)
    size = path.stat().st_size
    with path.open("rb") as source:
        head = source.read(100)
    if len(head) < 100 or not head.startswith(_SHP):
        raise InputError("ingest.not_a_shapefile", file=file)
    if int.from_bytes(head[24:28], "big") * 2 > size:
        raise InputError("ingest.shp_cut", file=file, part=".shp")
    shape_type = struct.unpack("<i", head[32:36])[0]
    check_vertex_count((size - 100) // {1: 32, 2: 24}.get(shape_type // 10, 16), file)
    with _gdal_errors("ingest.shp_cut", file, part=".shp"):
        _, fids, wkb, _ = pyogrio.raw.read(
            path, columns=[], force_2d=True, return_fids=True, encoding="ISO-8859-1"
        )
    check_row_count(len(fids), file)
    frame, encoding_name, notes = _read_dbf(parts[".dbf"], parts.get(".cpg"), file, encoding)
    if len(frame) <= int(fids.max()):
        raise InputError("ingest.shp_cut", file=file, part=".dbf")
    table = RawTable(
        frame.iloc[fids].reset_index(drop=True), fids.astype(np.int64) + 1, _read_shapes(wkb)
    )
    table.encoding, table.notes = encoding_name, notes
    if ".prj" in parts:
        table.own_crs = parts[".prj"].read_text("latin-1").strip() or None
    return table


def _find_parts(path: Path, file: str) -> dict[str, Path]:
    part_of = {
        file_beside.suffix.casefold(): file_beside
        for file_beside in path.parent.iterdir()
        if file_beside.stem == path.stem and file_beside.is_file()
    }
    missing = [suffix for suffix in (".shp", ".shx", ".dbf") if suffix not in part_of]
    if missing:
        raise InputError("ingest.shp_part_missing", file=file, parts=", ".join(missing))
    return part_of


def _read_dbf(
    path: Path, cpg: Path | None, file: str, stated: str | None
) -> tuple[pd.DataFrame, str, list[Note]]:
    data = path.read_bytes()
    if len(data) < 33:
        raise InputError("ingest.shp_cut", file=file, part=".dbf")
    count, head, width = struct.unpack("<IHH", data[4:12])
    if width == 0 or head + count * width > len(data):
        raise InputError("ingest.shp_cut", file=file, part=".dbf")
    table = np.frombuffer(data, np.uint8, count * width, head).reshape(count, width)
    fields: list[tuple[bytes, int, Any]] = []
    offset = 1
    for start in range(32, head - 1, 32):
        if data[start] == 0x0D:
            break
        length = data[start + 16]
        name = data[start : start + 11].split(b"\x00")[0]
        fields.append((name, data[start + 11], _read_cells(table, offset, length)))
        offset += length
    names = [name for name, _, _ in fields if not name.isascii()]
    texts = [cells for _, kind, cells in fields if kind == _TEXT_FIELD]
    non_ascii = {
        cell for cells in texts for cell in np.unique(cells).tolist() if not cell.isascii()
    }
    fits = detect_cell_encodings([*(name.ljust(10) for name in names), *non_ascii])
    encoding_name, notes = _choose_encoding(
        fits, cpg, file, stated, has_non_ascii=bool(non_ascii or names)
    )
    frame = {
        decode_cell(name.ljust(10), encoding_name) or "": _read_dbf_column(
            kind, cells, encoding_name
        )
        for name, kind, cells in fields
    }
    if len(frame) != len(fields):
        names_decoded = [decode_cell(name.ljust(10), encoding_name) or "" for name, _, _ in fields]
        require_unique_names(names_decoded, file)
    return pd.DataFrame(frame, index=range(count)), encoding_name, notes


def _read_cells(table: Any, at: int, length: int) -> Any:
    if length == 0:
        return np.full(len(table), b"", dtype="S1")
    return np.ascontiguousarray(table[:, at : at + length]).view(f"S{length}").ravel()


def _choose_encoding(
    fits: list[str], cpg: Path | None, file: str, stated: str | None, *, has_non_ascii: bool
) -> tuple[str, list[Note]]:
    """Take what is stated if it fits, else what the .cpg says if that fits, else what fits."""
    stated_codec = check_stated_encoding(stated)
    if stated_codec is not None:
        if has_non_ascii and (
            (stated_codec in (UTF_8, CHINESE) and stated_codec not in fits)
            or (stated_codec == CHINESE and UTF_8 in fits)
        ):
            raise InputError(
                "ingest.encoding_wrong", file=file, stated=stated, fits=" / ".join(fits) or "?"
            )
        return stated_codec, []
    cpg_encoding = find_encoding(cpg.read_text("latin-1").strip()) if cpg is not None else None
    if cpg_encoding in fits and not (cpg_encoding == CHINESE and UTF_8 in fits and has_non_ascii):
        return str(cpg_encoding), []
    if cpg_encoding not in (None, UTF_8, CHINESE) and not fits:
        return str(cpg_encoding), []
    if not fits:
        raise InputError("ingest.encoding_unreadable", file=file)
    if cpg_encoding is not None and has_non_ascii:
        return fits[0], [Note("ingest.cpg_wrong", {"said": cpg_encoding, "found": fits[0]})]
    return fits[0], [Note("ingest.encoding_found", {"encoding": fits[0]})] if has_non_ascii else []


def _read_dbf_column(kind: int, cells: Any, encoding: str) -> Any:
    unique, inverse = np.unique(cells, return_inverse=True)
    values = np.empty(len(unique), dtype=object)
    values[:] = [_read_dbf_cell(chr(kind), cell, encoding) for cell in unique.tolist()]
    return values[inverse]


def _read_dbf_cell(kind: str, cell: bytes, encoding: str) -> Any:
    stripped = cell.strip(b" \x00")
    if not stripped or stripped.strip(b"*") == b"":
        return None
    if kind in "NF":
        try:
            number = float(stripped)
        except ValueError:
            return stripped.decode("latin-1")
        whole = number.is_integer() and b"." not in stripped and b"e" not in stripped.lower()
        return int(stripped) if whole else number
    if kind == "L":
        return {b"T": True, b"Y": True, b"F": False, b"N": False}.get(stripped.upper())
    return decode_cell(cell, encoding)
