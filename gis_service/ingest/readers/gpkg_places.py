"""The places of a GeoPackage's layer, and answers written beside them: the two halves of assigning.

Both run in the process for foreign files; ``gpkg_assign`` asks for them.
"""

import pickle
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely

from gis_service.errors import InputError, Place
from gis_service.ingest.readers import gpkg

AT_ONCE: Final = 5000
_ENVELOPE: Final = {0: 0, 1: 32, 2: 48, 3: 48, 4: 64}
_HEADER: Final = 8

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class GpkgPlaces:
    """What a layer holds."""

    # Its coordinate system as EPSG:n, where it names one.
    system: str | None
    # Of its columns.
    names: list[str]
    # One point a row in the order of the key; NaN where there is none.
    x: Floats
    y: Floats
    # What stands instead of a point, by position; an empty text for nothing.
    no_point: dict[int, str]
    # What the column of systems says, where one was asked for.
    systems: list[str] | None


@dataclass(frozen=True)
class _Layer:
    table: str
    column: str
    key: str
    system: str | None
    names: list[str]


def read_places(
    path: Path, original_name: str, *, layer: str | None, crs_column: str | None
) -> GpkgPlaces:
    """Read the places of a layer."""
    with gpkg.open_gpkg(path, original_name) as database:
        layer_info = _find_layer(database, layer)
        if crs_column is not None and crs_column not in layer_info.names:
            raise InputError(
                "locate.no_column",
                place=Place(field=crs_column),
                columns=" / ".join(layer_info.names),
            )
        crs_expression = "''" if crs_column is None else gpkg.quote_name(crs_column)
        xs, ys, no_point, systems = [], [], dict[int, str](), list[str]()
        count = 0
        for rows in _read_blocks(
            database, layer_info, f", {gpkg.quote_name(layer_info.column)}, {crs_expression}"
        ):
            x, y = _read_points([row[1] for row in rows], count, no_point)
            xs.append(x)
            ys.append(y)
            systems += [str(row[2] or "") for row in rows]
            count += len(rows)
    no_numbers = np.zeros(0)
    return GpkgPlaces(
        layer_info.system,
        layer_info.names,
        np.concatenate([no_numbers, *xs]),
        np.concatenate([no_numbers, *ys]),
        no_point,
        None if crs_column is None else systems,
    )


def write_answers(
    path: Path, original_name: str, *, layer: str | None, columns: Sequence[str], answers: Path
) -> int:
    """Put new columns beside the rows of a layer."""
    with gpkg.open_gpkg(path, original_name, write=True) as database, answers.open("rb") as source:
        layer_info = _find_layer(database, layer)
        table, key = gpkg.quote_name(layer_info.table), gpkg.quote_name(layer_info.key)
        triggers = database.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?",
            (layer_info.table,),
        ).fetchall()
        for name, _ in triggers:  # they keep the index of geometries, and none changes here
            database.execute(f"DROP TRIGGER {gpkg.quote_name(name)}")
        for name in columns:
            kind = "REAL" if "nearest_m" in name else "TEXT"
            database.execute(f"ALTER TABLE {table} ADD COLUMN {gpkg.quote_name(name)} {kind}")
        assignments = ", ".join(f"{gpkg.quote_name(name)} = ?" for name in columns)
        statement = f"UPDATE {table} SET {assignments} WHERE {key} = ?"  # noqa: S608 (quoted names)
        count = 0
        for rows in _read_blocks(database, layer_info, ""):
            values = pickle.load(source)  # noqa: S301 (our own process wrote it)
            database.executemany(
                statement, [(*value, row[0]) for value, row in zip(values, rows, strict=True)]
            )
            count += len(rows)
        for _, sql in triggers:
            database.execute(sql)
        database.commit()
    return count


def _find_layer(database: sqlite3.Connection, layer: str | None) -> _Layer:
    rows = database.execute(
        "SELECT table_name, column_name, organization, organization_coordsys_id"
        " FROM gpkg_geometry_columns LEFT JOIN gpkg_spatial_ref_sys USING (srs_id)"
        " ORDER BY table_name"
    ).fetchall()
    candidates = [row for row in rows if layer is None or row[0] == layer]
    if len(candidates) != 1:
        known = " / ".join(row[0] for row in rows)
        raise InputError("locate.which_layer", place=Place(field="layer"), layers=known or "—")
    table, column, organization, number = candidates[0]
    columns = database.execute(f"PRAGMA table_info({gpkg.quote_name(table)})").fetchall()
    key = next((row[1] for row in columns if row[5]), "rowid")
    system = f"{organization}:{number}" if str(organization).upper() == "EPSG" else None
    return _Layer(table, column, key, system, [row[1] for row in columns])


def _read_blocks(database: sqlite3.Connection, layer: _Layer, columns: str) -> Iterator[list[Any]]:
    key = gpkg.quote_name(layer.key)
    query = (
        f"SELECT {key}{columns} FROM {gpkg.quote_name(layer.table)}"  # noqa: S608 (quoted names)
        f" WHERE {key} > ? ORDER BY {key} LIMIT {AT_ONCE}"
    )
    last: Any = -(2**62)
    while rows := database.execute(query, (last,)).fetchall():
        last = rows[-1][0]
        yield rows


def _read_points(
    blobs: list[bytes | None], offset: int, no_point: dict[int, str]
) -> tuple[Floats, Floats]:
    shapes = shapely.from_wkb(
        np.array([_strip_gpkg_header(blob) for blob in blobs], dtype=object), on_invalid="ignore"
    )
    kinds = shapely.get_type_id(shapes)
    for index in np.flatnonzero((kinds != 0) | shapely.is_empty(shapes)).tolist():
        shape = shapes[index]
        no_point[offset + index] = "" if shape is None else shape.geom_type
        shapes[index] = None
    return shapely.get_x(shapes), shapely.get_y(shapes)


def _strip_gpkg_header(blob: bytes | None) -> bytes | None:
    if not isinstance(blob, bytes) or len(blob) < _HEADER or blob[:2] != b"GP":
        return None
    return blob[_HEADER + _ENVELOPE.get((blob[3] >> 1) & 7, 0) :]
