"""Any file that a county hands in, as one table in CGCS2000: read, never guessed at.

The coordinate system is the one that the sender states, else the one that the file names; a file
that names none is refused. Only this module decides that. Nothing here touches the store.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import shapely
from pyproj.exceptions import CRSError

from gis_service.coordinate_systems import (
    KNOWN,
    CoordinateSystem,
    geometries_to_cgcs2000,
    parse_crs,
)
from gis_service.errors import InputError, Place
from gis_service.ingest.readers.columns import find_coordinates
from gis_service.ingest.readers.coordinate_texts import read_degrees
from gis_service.ingest.readers.file_table import SUFFIXES, FileTable
from gis_service.ingest.readers.frames import Note, Refusal
from gis_service.ingest.readers.packed import unpack_gzip, unpack_shapefile
from gis_service.ingest.readers.raw import RawTable, check_vertex_count
from gis_service.ingest.readers.table_files import read_csv, read_xlsx
from gis_service.ingest.readers.texts import find_garbling
from gis_service.ingest.readers.vector_files import read_geojson, read_gpkg, read_shapefile
from gis_service.settings import import_settings

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

_SHIFTED: Final = ("gcj02", "bd09")
_GEOGRAPHIC: Final = ("cgcs2000", "wgs84", *_SHIFTED)
_MOST_DEGREES: Final = np.array([180.0, 90.0, 180.0, 90.0])
_ROUNDING_DEGREES: Final = 1e-9
_SAMPLE: Final = 3000
_MB: Final = 1024 * 1024


def read_table(
    path: Path,
    *,
    crs: CoordinateSystem | None,
    layer: str | None = None,
    encoding: str | None = None,
    original_name: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> FileTable:
    """Read a file of any known kind, with its coordinates in CGCS2000."""
    # ``crs`` is the system that the sender states, ``columns`` the file's column by our field.
    name = original_name or path.name
    _check_file(path, name)
    with tempfile.TemporaryDirectory(prefix="gis-import-") as folder:
        raw = _read_raw(path, name, layer, encoding, Path(folder))
    _refuse_garbled(raw.frame, name, stated=encoding is not None)
    coordinates: Mapping[str, str] = {}
    if raw.geometry is None:
        coordinates = find_coordinates(list(raw.frame.columns), columns or {})
        if coordinates:
            _add_geometry_of_columns(raw, coordinates, name)
    if raw.geometry is None:
        return _make_file_table(raw, name, None, {})
    system = _choose_system(crs, raw, name)
    return _make_file_table(raw, name, system, coordinates)


def find_suffix(name: str) -> str:
    """Name the kind of a file by the end of its name."""
    lower_name = name.casefold()
    suffixes = [suffix for suffix in SUFFIXES if lower_name.endswith(suffix)]
    return max(suffixes, key=len, default=Path(lower_name).suffix)


def _check_file(path: Path, name: str) -> None:
    if not path.is_file():
        raise InputError("ingest.file_missing", file=name)
    size = path.stat().st_size
    limit = import_settings().max_file_mb
    if size == 0:
        raise InputError("ingest.file_empty", file=name)
    if size > limit * _MB:
        raise InputError("ingest.file_too_large", file=name, mb=size // _MB, limit=limit)
    if find_suffix(name) not in SUFFIXES:
        raise InputError("ingest.suffix_unknown", file=name, known=" ".join(SUFFIXES))


def _read_raw(
    path: Path, name: str, layer: str | None, encoding: str | None, scratch: Path
) -> RawTable:
    suffix = find_suffix(name)
    if suffix in (".gpkg", ".xlsx"):
        link = scratch / f"data{suffix}"  # libraries go by the end of the name, uploads have none
        link.symlink_to(path.absolute())
        read = read_gpkg if suffix == ".gpkg" else read_xlsx
        return read(link, name, layer)
    if suffix in (".csv", ".tsv", ".txt"):
        return read_csv(path, name, encoding)
    if suffix == ".shp":
        return read_shapefile(path, name, encoding)
    if suffix == ".zip":
        return read_shapefile(unpack_shapefile(path, name, scratch), name, encoding)
    if suffix.endswith(".gz"):
        path = unpack_gzip(path, name, scratch)
    return read_geojson(path, name, encoding, scratch)


def _refuse_garbled(frame: pd.DataFrame, name: str, *, stated: bool) -> None:
    """Refuse texts that were spoilt before the file was saved; who states the encoding knows."""
    for column in frame.columns:
        values = [value for value in frame[column].head(_SAMPLE) if isinstance(value, str)]
        damage = find_garbling([str(column)]) or find_garbling(values)
        if damage == "lost" or (damage and not stated):
            place = Place(field=str(column)[:60])
            raise InputError(f"ingest.garbled_{damage}", place=place, file=name)


# --- where the rows lie ------------------------------------------------------------------------


def _add_geometry_of_columns(raw: RawTable, coordinates: Mapping[str, str], name: str) -> None:
    if "wkt" in coordinates:
        column = coordinates["wkt"]
        texts = [_stripped(value) for value in raw.frame[column]]
        check_vertex_count(sum(text.count(",") + 1 for text in texts), name)
        array = np.array([text or None for text in texts], dtype=object)
        with np.errstate(invalid="ignore"):  # NaN is seen later
            raw.geometry = np.asarray(shapely.from_wkt(array, on_invalid="ignore"), dtype=object)
        is_unreadable = (raw.geometry == np.array(None)) & np.array([bool(text) for text in texts])
        _refuse_rows(raw, is_unreadable, "ingest.row_bad_wkt", column)
        return
    numbers_by_axis, empty_by_axis, unreadable_by_axis = [], [], []
    for field_name in ("lon", "lat"):
        texts = raw.frame[coordinates[field_name]]
        numbers = read_degrees(texts)
        is_empty = np.array([_stripped(value) == "" for value in texts], dtype=bool)
        is_unreadable = ~np.isfinite(numbers) & ~is_empty
        _refuse_rows(raw, is_unreadable, "ingest.row_bad_coordinate", coordinates[field_name])
        numbers_by_axis.append(numbers)
        empty_by_axis.append(is_empty)
        unreadable_by_axis.append(is_unreadable)
    is_half = (
        (empty_by_axis[0] != empty_by_axis[1]) & ~unreadable_by_axis[0] & ~unreadable_by_axis[1]
    )
    _refuse_rows(raw, is_half, "ingest.row_half_a_point", coordinates["lat"])
    is_complete = ~(
        empty_by_axis[0] | empty_by_axis[1] | unreadable_by_axis[0] | unreadable_by_axis[1]
    )
    raw.geometry = np.full(len(raw.frame), None, dtype=object)
    raw.geometry[is_complete] = shapely.points(
        numbers_by_axis[0][is_complete], numbers_by_axis[1][is_complete]
    )


def _stripped(value: Any) -> str:
    return "" if value is None or value != value else str(value).strip()  # noqa: PLR0124


def _refuse_rows(
    raw: RawTable, is_bad: Any, key: str, field_name: str | None, **values: object
) -> None:
    refused_rows = {refusal.row for refusal in raw.refusals}
    for index in np.flatnonzero(is_bad).tolist():
        row = int(raw.rows[index])
        if row not in refused_rows:
            raw.refusals.append(Refusal.because(key, Place(row, None, field_name), **values))


def _choose_system(stated: CoordinateSystem | None, raw: RawTable, name: str) -> CoordinateSystem:
    """Take the stated system, else the file's own; refuse where there is none or they differ."""
    if raw.own_crs is None:
        if stated is None:
            geojson = find_suffix(name).partition(".gz")[0] in (".json", ".geojson")
            key = "ingest.crs_missing_geojson" if geojson else "ingest.crs_missing"
            raise InputError(key, file=name, known=KNOWN)
        return stated
    if stated is None:
        return _parse_own_system(raw.own_crs, name)
    try:
        own = _parse_own_system(raw.own_crs, name)
    except InputError:  # the sender knows better what we cannot read
        raw.notes.append(Note("ingest.crs_stated_instead", {"stated": stated.code, "own": "?"}))
        return stated
    if _is_same_system(own, stated):
        return stated
    if stated.code in _SHIFTED and own.code in _GEOGRAPHIC:
        raw.notes.append(
            Note("ingest.crs_stated_instead", {"stated": stated.code, "own": own.code})
        )
        return stated
    raise InputError("ingest.crs_differs", file=name, stated=stated.code, own=own.code)


def _is_same_system(first: CoordinateSystem, second: CoordinateSystem) -> bool:
    return first == second or {first.code, second.code} <= {"cgcs2000", "wgs84"}


def _parse_own_system(text: str, name: str) -> CoordinateSystem:
    try:
        crs = pyproj.CRS.from_user_input(text)
    except CRSError as error:
        raise InputError("ingest.crs_unreadable", file=name, known=KNOWN) from error
    code = crs.to_epsg()
    if code is None and crs.to_authority() == ("OGC", "CRS84"):
        code = 4326
    if code is None:
        raise InputError("ingest.crs_unreadable", file=name, known=KNOWN)
    return parse_crs(f"EPSG:{code}")


def _make_file_table(
    raw: RawTable, name: str, system: CoordinateSystem | None, coordinates: Mapping[str, str]
) -> FileTable:
    geometry = raw.geometry
    no_numbers = np.full(len(raw.frame), np.nan)
    xy = no_numbers, no_numbers
    if geometry is not None and system is not None:
        _drop_geometries(raw, ~_find_finite(geometry), "ingest.row_not_finite")
        _drop_geometries(raw, shapely.is_empty(geometry), "ingest.row_outside_globe")
        if system.code in _GEOGRAPHIC:
            raw.geometry = _clip_to_globe(raw.geometry)
        bounds = shapely.bounds(raw.geometry)
        xy = (bounds[:, 0] + bounds[:, 2]) / 2, (bounds[:, 1] + bounds[:, 3]) / 2
        _check_degrees(raw, bounds, system, name)
        geometry = geometries_to_cgcs2000(system, raw.geometry)
        is_lost = ~_find_finite(geometry)
        _drop_geometries(raw, is_lost, "ingest.row_outside_system", crs=system.code)
        geometry[is_lost] = None
    return FileTable(
        name=name,
        frame=raw.frame,
        geometry=geometry,
        rows=np.asarray(raw.rows, dtype=np.int64),
        crs=system,
        encoding=raw.encoding,
        layer=raw.layer,
        raw_xy=xy,
        coordinates=dict(coordinates),
        notes=raw.notes,
        refusals=sorted(raw.refusals, key=lambda refusal: refusal.row or 0),
    )


def _clip_to_globe(geometries: Any) -> Any:
    """Take 180.00000000000006° for 180°: what some programs write for it."""
    outermost = np.abs(shapely.total_bounds(geometries))
    if not ((outermost > _MOST_DEGREES) & (outermost <= _MOST_DEGREES + _ROUNDING_DEGREES)).any():
        return geometries

    def clipped(xy: Floats) -> Floats:
        ends = _MOST_DEGREES[:2]
        return np.where(np.abs(xy) <= ends + _ROUNDING_DEGREES, np.clip(xy, -ends, ends), xy)

    return shapely.transform(geometries, clipped)


def _drop_geometries(raw: RawTable, is_bad: Mask, key: str, **values: object) -> None:
    if is_bad.any():
        _refuse_rows(raw, is_bad, key, None, **values)
        raw.geometry[is_bad] = None


def _find_finite(geometries: Any) -> Mask:
    """Tell of each geometry whether all its numbers are numbers; one that is missing is fine."""
    points, owner = shapely.get_coordinates(geometries, return_index=True)
    is_finite = np.ones(len(geometries), dtype=bool)
    is_finite[owner[~np.isfinite(points).all(axis=1)]] = False
    return is_finite


def _check_degrees(raw: RawTable, bounds: Floats, system: CoordinateSystem, name: str) -> None:
    """Recognise swapped columns, metres stated as degrees and degrees stated as metres."""
    has_bounds = ~np.isnan(bounds[:, 0])
    if not has_bounds.any():
        return
    x, y = np.abs(bounds[:, [0, 2]]).max(axis=1), np.abs(bounds[:, [1, 3]]).max(axis=1)
    on_globe = (x <= 180) & (y <= 90)
    if system.code not in _GEOGRAPHIC and not pyproj.CRS.from_user_input(system.code).is_geographic:
        if on_globe[has_bounds].mean() > 0.5:
            raise InputError("ingest.degrees_not_metres", file=name, crs=system.code)
        return
    is_swapped = (y > 90) & (y <= 180) & (x <= 90)
    if is_swapped[has_bounds].mean() > 0.5:
        raise InputError("ingest.swapped", file=name, crs=system.code)
    if (x > 400)[has_bounds].mean() > 0.5:
        raise InputError("ingest.metres_not_degrees", file=name, crs=system.code)
    _drop_geometries(raw, is_swapped & has_bounds, "ingest.row_swapped")
    _drop_geometries(raw, ~on_globe & has_bounds & ~is_swapped, "ingest.row_outside_globe")
