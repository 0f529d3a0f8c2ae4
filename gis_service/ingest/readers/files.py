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
from gis_service.ingest.readers.coordinate_texts import degrees_of
from gis_service.ingest.readers.file_table import SUFFIXES, FileTable
from gis_service.ingest.readers.frames import Note, Refusal
from gis_service.ingest.readers.packed import unpack_gzip, unpack_shapefile
from gis_service.ingest.readers.raw import RawTable, check_vertices
from gis_service.ingest.readers.table_files import read_csv, read_xlsx
from gis_service.ingest.readers.texts import garbled
from gis_service.ingest.readers.vector_files import read_geojson, read_gpkg, read_shapefile
from gis_service.settings import import_settings

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

_SHIFTED: Final = ("gcj02", "bd09")
_GEOGRAPHIC: Final = ("cgcs2000", "wgs84", *_SHIFTED)
_ENDS: Final = np.array([180.0, 90.0, 180.0, 90.0])
_HAIR_DEGREES: Final = 1e-9
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
    """
    Read a file of any known kind.

    Parameters
    ----------
    path
        GeoPackage, GeoJSON, shapefile (beside its parts, or in a zip), CSV or XLSX.
    crs
        The system that the sender states; None takes what the file names.
    layer
        A layer or a sheet, where there are several.
    encoding
        Of the texts; found out where None.
    original_name
        The sender's name of the file, whose suffix says what it is.
    columns
        The file's column by our field; of a table ``lon``, ``lat`` and ``wkt`` matter here.

    Returns
    -------
    FileTable
        With the coordinates in CGCS2000.

    Raises
    ------
    InputError
        The file cannot be read as a whole; the message says what would be right.
    """
    name = original_name or path.name
    _check_file(path, name)
    with tempfile.TemporaryDirectory(prefix="gis-import-") as folder:
        raw = _read(path, name, layer, encoding, Path(folder))
    _check_texts(raw.frame, name, stated=encoding is not None)
    coordinates: Mapping[str, str] = {}
    if raw.geometry is None:
        coordinates = find_coordinates(list(raw.frame.columns), columns or {})
        if coordinates:
            _geometry_of_columns(raw, coordinates, name)
    if raw.geometry is None:
        return _finished(raw, name, None, {})
    system = _system(crs, raw, name)
    return _finished(raw, name, system, coordinates)


def suffix_of(name: str) -> str:
    """Name the kind of a file by the end of its name."""
    plain = name.casefold()
    fitting = [suffix for suffix in SUFFIXES if plain.endswith(suffix)]
    return max(fitting, key=len, default=Path(plain).suffix)


def _check_file(path: Path, name: str) -> None:
    if not path.is_file():
        raise InputError("ingest.file_missing", file=name)
    size = path.stat().st_size
    limit = import_settings().max_file_mb
    if size == 0:
        raise InputError("ingest.file_empty", file=name)
    if size > limit * _MB:
        raise InputError("ingest.file_too_large", file=name, mb=size // _MB, limit=limit)
    if suffix_of(name) not in SUFFIXES:
        raise InputError("ingest.suffix_unknown", file=name, known=" ".join(SUFFIXES))


def _read(
    path: Path, name: str, layer: str | None, encoding: str | None, scratch: Path
) -> RawTable:
    suffix = suffix_of(name)
    if suffix in (".gpkg", ".xlsx"):
        named = scratch / f"data{suffix}"  # libraries go by the end of the name, uploads have none
        named.symlink_to(path.absolute())
        read = read_gpkg if suffix == ".gpkg" else read_xlsx
        return read(named, name, layer)
    if suffix in (".csv", ".tsv", ".txt"):
        return read_csv(path, name, encoding)
    if suffix == ".shp":
        return read_shapefile(path, name, encoding)
    if suffix == ".zip":
        return read_shapefile(unpack_shapefile(path, name, scratch), name, encoding)
    if suffix.endswith(".gz"):
        path = unpack_gzip(path, name, scratch)
    return read_geojson(path, name, encoding, scratch)


def _check_texts(frame: pd.DataFrame, name: str, *, stated: bool) -> None:
    """Refuse texts that were spoilt before the file was saved; who states the encoding knows."""
    for column in frame.columns:
        values = [one for one in frame[column].head(_SAMPLE) if isinstance(one, str)]
        spoilt = garbled([str(column)]) or garbled(values)
        if spoilt == "lost" or (spoilt and not stated):
            place = Place(field=str(column)[:60])
            raise InputError(f"ingest.garbled_{spoilt}", place=place, file=name)


# --- where the rows lie ------------------------------------------------------------------------


def _geometry_of_columns(raw: RawTable, coordinates: Mapping[str, str], name: str) -> None:
    if "wkt" in coordinates:
        column = coordinates["wkt"]
        texts = [_bare(value) for value in raw.frame[column]]
        check_vertices(sum(text.count(",") + 1 for text in texts), name)
        array = np.array([text or None for text in texts], dtype=object)
        with np.errstate(invalid="ignore"):  # NaN is seen later
            raw.geometry = np.asarray(shapely.from_wkt(array, on_invalid="ignore"), dtype=object)
        unread = (raw.geometry == np.array(None)) & np.array([bool(text) for text in texts])
        _refuse(raw, unread, "ingest.row_bad_wkt", column)
        return
    pair, empty, bad = [], [], []
    for field_name in ("lon", "lat"):
        texts = raw.frame[coordinates[field_name]]
        numbers = degrees_of(texts)
        nothing = np.array([_bare(value) == "" for value in texts], dtype=bool)
        unread = ~np.isfinite(numbers) & ~nothing
        _refuse(raw, unread, "ingest.row_bad_coordinate", coordinates[field_name])
        pair.append(numbers)
        empty.append(nothing)
        bad.append(unread)
    half = (empty[0] != empty[1]) & ~bad[0] & ~bad[1]
    _refuse(raw, half, "ingest.row_half_a_point", coordinates["lat"])
    there = ~(empty[0] | empty[1] | bad[0] | bad[1])
    raw.geometry = np.full(len(raw.frame), None, dtype=object)
    raw.geometry[there] = shapely.points(pair[0][there], pair[1][there])


def _bare(value: Any) -> str:
    return "" if value is None or value != value else str(value).strip()  # noqa: PLR0124


def _refuse(raw: RawTable, bad: Any, key: str, field_name: str | None, **values: object) -> None:
    known = {one.row for one in raw.refusals}
    for index in np.flatnonzero(bad).tolist():
        row = int(raw.rows[index])
        if row not in known:
            raw.refusals.append(Refusal.because(key, Place(row, None, field_name), **values))


def _system(stated: CoordinateSystem | None, raw: RawTable, name: str) -> CoordinateSystem:
    """Take the stated system, else the file's own; refuse where there is none or they differ."""
    if raw.own_crs is None:
        if stated is None:
            geojson = suffix_of(name).partition(".gz")[0] in (".json", ".geojson")
            key = "ingest.crs_missing_geojson" if geojson else "ingest.crs_missing"
            raise InputError(key, file=name, known=KNOWN)
        return stated
    if stated is None:
        return _own_system(raw.own_crs, name)
    try:
        own = _own_system(raw.own_crs, name)
    except InputError:  # the sender knows better what we cannot read
        raw.notes.append(Note("ingest.crs_stated_instead", {"stated": stated.code, "own": "?"}))
        return stated
    if _same(own, stated):
        return stated
    if stated.code in _SHIFTED and own.code in _GEOGRAPHIC:
        raw.notes.append(
            Note("ingest.crs_stated_instead", {"stated": stated.code, "own": own.code})
        )
        return stated
    raise InputError("ingest.crs_differs", file=name, stated=stated.code, own=own.code)


def _same(one: CoordinateSystem, other: CoordinateSystem) -> bool:
    return one == other or {one.code, other.code} <= {"cgcs2000", "wgs84"}


def _own_system(said: str, name: str) -> CoordinateSystem:
    try:
        found = pyproj.CRS.from_user_input(said)
    except CRSError as error:
        raise InputError("ingest.crs_unreadable", file=name, known=KNOWN) from error
    code = found.to_epsg()
    if code is None and found.to_authority() == ("OGC", "CRS84"):
        code = 4326
    if code is None:
        raise InputError("ingest.crs_unreadable", file=name, known=KNOWN)
    return parse_crs(f"EPSG:{code}")


def _finished(
    raw: RawTable, name: str, system: CoordinateSystem | None, coordinates: Mapping[str, str]
) -> FileTable:
    geometry = raw.geometry
    nothing = np.full(len(raw.frame), np.nan)
    xy = nothing, nothing
    if geometry is not None and system is not None:
        _drop(raw, ~_finite(geometry), "ingest.row_not_finite")
        _drop(raw, shapely.is_empty(geometry), "ingest.row_outside_globe")
        if system.code in _GEOGRAPHIC:
            raw.geometry = _onto_the_globe(raw.geometry)
        bounds = shapely.bounds(raw.geometry)
        xy = (bounds[:, 0] + bounds[:, 2]) / 2, (bounds[:, 1] + bounds[:, 3]) / 2
        _check_degrees(raw, bounds, system, name)
        geometry = geometries_to_cgcs2000(system, raw.geometry)
        lost = ~_finite(geometry)
        _drop(raw, lost, "ingest.row_outside_system", crs=system.code)
        geometry[lost] = None
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
        refusals=sorted(raw.refusals, key=lambda one: one.row or 0),
    )


def _onto_the_globe(geometries: Any) -> Any:
    """Take 180.00000000000006° for 180°: what some programs write for it."""
    outermost = np.abs(shapely.total_bounds(geometries))
    if not ((outermost > _ENDS) & (outermost <= _ENDS + _HAIR_DEGREES)).any():
        return geometries

    def clipped(xy: Floats) -> Floats:
        ends = _ENDS[:2]
        return np.where(np.abs(xy) <= ends + _HAIR_DEGREES, np.clip(xy, -ends, ends), xy)

    return shapely.transform(geometries, clipped)


def _drop(raw: RawTable, bad: Mask, key: str, **values: object) -> None:
    if bad.any():
        _refuse(raw, bad, key, None, **values)
        raw.geometry[bad] = None


def _finite(geometries: Any) -> Mask:
    """Tell of each geometry whether all its numbers are numbers; one that is missing is fine."""
    points, owner = shapely.get_coordinates(geometries, return_index=True)
    good = np.ones(len(geometries), dtype=bool)
    good[owner[~np.isfinite(points).all(axis=1)]] = False
    return good


def _check_degrees(raw: RawTable, bounds: Floats, system: CoordinateSystem, name: str) -> None:
    """Recognise swapped columns, metres stated as degrees and degrees stated as metres."""
    there = ~np.isnan(bounds[:, 0])
    if not there.any():
        return
    x, y = np.abs(bounds[:, [0, 2]]).max(axis=1), np.abs(bounds[:, [1, 3]]).max(axis=1)
    globe = (x <= 180) & (y <= 90)
    if system.code not in _GEOGRAPHIC and not pyproj.CRS.from_user_input(system.code).is_geographic:
        if globe[there].mean() > 0.5:
            raise InputError("ingest.degrees_not_metres", file=name, crs=system.code)
        return
    swapped = (y > 90) & (y <= 180) & (x <= 90)
    if swapped[there].mean() > 0.5:
        raise InputError("ingest.swapped", file=name, crs=system.code)
    if (x > 400)[there].mean() > 0.5:
        raise InputError("ingest.metres_not_degrees", file=name, crs=system.code)
    _drop(raw, swapped & there, "ingest.row_swapped")
    _drop(raw, ~globe & there & ~swapped, "ingest.row_outside_globe")
