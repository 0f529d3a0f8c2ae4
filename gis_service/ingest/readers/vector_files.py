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
from gis_service.ingest.readers.geojson_text import RECORD_SEPARATOR, gdal_source
from gis_service.ingest.readers.raw import (
    RawTable,
    check_columns,
    check_rows,
    check_vertices,
    unique_names,
)
from gis_service.ingest.readers.texts import (
    CHINESE,
    UTF_8,
    decode_cell,
    encoding_of,
    encoding_of_cells,
    known_encoding,
    stated_encoding,
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
def _gdal(key: str, file: str, **values: Any) -> Iterator[None]:
    """Say what GDAL cannot read as an error of ours; what it warns of is seen in the rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.simplefilter("ignore", UserWarning)
        try:
            yield
        except (*_UNREADABLE, ValueError) as error:
            raise InputError(key, file=file, **values) from error


def _frame(meta: dict[str, Any], values: list[Any], file: str) -> pd.DataFrame:
    names = unique_names([str(name) for name in meta["fields"]], file)
    columns = {}
    for name, column in zip(names, values, strict=True):
        array = np.empty(len(column), dtype=object)
        array[:] = column.tolist()
        columns[name] = array
    return pd.DataFrame(columns)


def _shapes(wkb: Any) -> Any:
    if wkb is None:
        return None
    # an open ring is closed, an unreadable geometry becomes None, one with NaN is seen later
    with np.errstate(invalid="ignore"):
        return np.asarray(shapely.from_wkb(wkb, on_invalid="fix"), dtype=object)


# --- GeoPackage --------------------------------------------------------------------------------


def read_gpkg(path: Path, file: str, layer: str | None) -> RawTable:
    """Read one layer of a GeoPackage."""
    with gpkg.opened(path, file) as database:
        chosen, srs_id, vertices = _look_into_gpkg(database, file, layer)
    check_vertices(vertices, file)
    with _gdal("ingest.gpkg_broken", file):
        meta, _, wkb, values = pyogrio.raw.read(
            path, layer=chosen, force_2d=True, datetime_as_string=True
        )
    table = RawTable(_frame(meta, values, file), None, _shapes(wkb), encoding=UTF_8, layer=chosen)
    rows = len(values[0]) if values else 0 if wkb is None else len(wkb)
    check_rows(rows, file)
    table.rows = np.arange(1, rows + 1)
    table.own_crs = None if srs_id in _UNDEFINED_SRS else meta["crs"]
    return table


def _look_into_gpkg(
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
    chosen = layer or layers[0]
    found = database.execute(
        "SELECT column_name, srs_id, z, m FROM gpkg_geometry_columns WHERE table_name = ?",
        (chosen,),
    ).fetchone()
    table = gpkg.quoted_name(chosen)
    check_rows(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0], file)  # noqa: S608
    if found is None:
        return chosen, None, 0
    column = gpkg.quoted_name(found[0])
    query = f"SELECT coalesce(sum(length({column})), 0) FROM {table}"  # noqa: S608
    numbers = 2 + (found[2] == 1) + (found[3] == 1)
    return chosen, found[1], database.execute(query).fetchone()[0] // (8 * numbers)


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
        check_vertices(_count_positions(data), file)
    found = encoding_of(path, encoding, file)
    if found.codec != UTF_8:  # GDAL reads nothing else
        path = found.copy_as_utf_8(path, scratch / "utf8.geojson")
    own = _crs_member(head.decode(UTF_8, "ignore"), tail.decode(UTF_8, "ignore"))
    gdal_name, features = gdal_source(path, file)
    if path.stat().st_size < _SMALL:  # a larger one has memory for what it may ask
        with _gdal("ingest.geojson_broken", file):
            check_columns(len(pyogrio.read_info(gdal_name)["fields"]), file)
    with _gdal("ingest.geojson_broken", file):
        meta, _, wkb, values = pyogrio.raw.read(gdal_name, force_2d=True, datetime_as_string=True)
    rows = len(wkb) if wkb is not None else 0
    if features is not None and rows != features:
        raise InputError("ingest.geojson_partly", file=file, n=rows, features=features)
    check_rows(rows, file)
    table = RawTable(_frame(meta, values, file), np.arange(1, rows + 1), _shapes(wkb))
    table.own_crs, table.encoding = own, found.name
    return table


def _count_positions(data: mmap.mmap) -> int:
    """Count brackets that open: one a position, and a few for rings and features."""
    parts = range(0, len(data), _CHUNK)
    return sum(data[start : start + _CHUNK].count(b"[") for start in parts)


def _crs_member(head: str, tail: str) -> str | None:
    for part in (head, tail):
        for found in _CRS.finditer(part):
            try:
                member = json.loads(found[1])
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
    parts = _parts(path, file)
    size = path.stat().st_size
    with path.open("rb") as source:
        head = source.read(100)
    if len(head) < 100 or not head.startswith(_SHP):
        raise InputError("ingest.not_a_shapefile", file=file)
    if int.from_bytes(head[24:28], "big") * 2 > size:
        raise InputError("ingest.shp_cut", file=file, part=".shp")
    shape_type = struct.unpack("<i", head[32:36])[0]
    check_vertices((size - 100) // {1: 32, 2: 24}.get(shape_type // 10, 16), file)
    with _gdal("ingest.shp_cut", file, part=".shp"):
        _, fids, wkb, _ = pyogrio.raw.read(
            path, columns=[], force_2d=True, return_fids=True, encoding="ISO-8859-1"
        )
    check_rows(len(fids), file)
    frame, found, notes = _read_dbf(parts[".dbf"], parts.get(".cpg"), file, encoding)
    if len(frame) <= int(fids.max()):
        raise InputError("ingest.shp_cut", file=file, part=".dbf")
    table = RawTable(
        frame.iloc[fids].reset_index(drop=True), fids.astype(np.int64) + 1, _shapes(wkb)
    )
    table.encoding, table.notes = found, notes
    if ".prj" in parts:
        table.own_crs = parts[".prj"].read_text("latin-1").strip() or None
    return table


def _parts(path: Path, file: str) -> dict[str, Path]:
    beside = {
        one.suffix.casefold(): one
        for one in path.parent.iterdir()
        if one.stem == path.stem and one.is_file()
    }
    missing = [suffix for suffix in (".shp", ".shx", ".dbf") if suffix not in beside]
    if missing:
        raise InputError("ingest.shp_part_missing", file=file, parts=", ".join(missing))
    return beside


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
    at = 1
    for start in range(32, head - 1, 32):
        if data[start] == 0x0D:
            break
        length = data[start + 16]
        name = data[start : start + 11].split(b"\x00")[0]
        fields.append((name, data[start + 11], _cells(table, at, length)))
        at += length
    names = [name for name, _, _ in fields if not name.isascii()]
    texts = [cells for _, kind, cells in fields if kind == _TEXT_FIELD]
    telling = {cell for cells in texts for cell in np.unique(cells).tolist() if not cell.isascii()}
    fits = encoding_of_cells([*(name.ljust(10) for name in names), *telling])
    found, notes = _choose(fits, cpg, file, stated, telling=bool(telling or names))
    frame = {
        decode_cell(name.ljust(10), found) or "": _dbf_values(kind, cells, found)
        for name, kind, cells in fields
    }
    if len(frame) != len(fields):
        said = [decode_cell(name.ljust(10), found) or "" for name, _, _ in fields]
        unique_names(said, file)
    return pd.DataFrame(frame, index=range(count)), found, notes


def _cells(table: Any, at: int, length: int) -> Any:
    if length == 0:
        return np.full(len(table), b"", dtype="S1")
    return np.ascontiguousarray(table[:, at : at + length]).view(f"S{length}").ravel()


def _choose(
    fits: list[str], cpg: Path | None, file: str, stated: str | None, *, telling: bool
) -> tuple[str, list[Note]]:
    """Take what is stated if it fits, else what the .cpg says if that fits, else what fits."""
    wanted = stated_encoding(stated)
    if wanted is not None:
        if telling and (
            (wanted in (UTF_8, CHINESE) and wanted not in fits)
            or (wanted == CHINESE and UTF_8 in fits)
        ):
            raise InputError(
                "ingest.encoding_wrong", file=file, stated=stated, fits=" / ".join(fits) or "?"
            )
        return wanted, []
    said = known_encoding(cpg.read_text("latin-1").strip()) if cpg is not None else None
    if said in fits and not (said == CHINESE and UTF_8 in fits and telling):
        return str(said), []
    if said not in (None, UTF_8, CHINESE) and not fits:
        return str(said), []
    if not fits:
        raise InputError("ingest.encoding_unreadable", file=file)
    if said is not None and telling:
        return fits[0], [Note("ingest.cpg_wrong", {"said": said, "found": fits[0]})]
    return fits[0], [Note("ingest.encoding_found", {"encoding": fits[0]})] if telling else []


def _dbf_values(kind: int, cells: Any, encoding: str) -> Any:
    unique, inverse = np.unique(cells, return_inverse=True)
    read = np.empty(len(unique), dtype=object)
    read[:] = [_dbf_value(chr(kind), cell, encoding) for cell in unique.tolist()]
    return read[inverse]


def _dbf_value(kind: str, cell: bytes, encoding: str) -> Any:
    bare = cell.strip(b" \x00")
    if not bare or bare.strip(b"*") == b"":
        return None
    if kind in "NF":
        try:
            number = float(bare)
        except ValueError:
            return bare.decode("latin-1")
        whole = number.is_integer() and b"." not in bare and b"e" not in bare.lower()
        return int(bare) if whole else number
    if kind == "L":
        return {b"T": True, b"Y": True, b"F": False, b"N": False}.get(bare.upper())
    return decode_cell(cell, encoding)
