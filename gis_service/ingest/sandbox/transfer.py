"""What a reader found, on its way out of the process that read it.

Pickled, since a cell may be a number, a text, a day or nothing, all in one column. What comes in
is not trusted: only the few classes of a finished table are made, and nothing else is called.
"""

import pickle
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import shapely

from gis_service.errors import InputError

_OURS: Final = {
    ("gis_service.ingest.sandbox.transfer", "_frame_of"),
    ("gis_service.ingest.sandbox.transfer", "_shapes_of"),
    ("gis_service.ingest.readers.file_table", "FileTable"),
    ("gis_service.ingest.readers.frames", "CountyFrames"),
    ("gis_service.ingest.readers.frames", "Note"),
    ("gis_service.ingest.readers.frames", "Refusal"),
    ("gis_service.ingest.osm.reading", "OsmRegion"),
    ("gis_service.ingest.readers.gpkg_places", "GpkgPlaces"),
    ("gis_service.errors", "Place"),
    ("gis_service.coordinate_systems", "CoordinateSystem"),
}
_THEIRS: Final = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy._core.numeric", "_frombuffer"),
    ("shapely.io", "from_wkb"),
    ("datetime", "date"),
    ("datetime", "datetime"),
    ("datetime", "time"),
    ("datetime", "timedelta"),
    ("datetime", "timezone"),
    ("builtins", "bytearray"),
    ("builtins", "frozenset"),
    ("builtins", "set"),
}
_KNOWN: Final = _OURS | _THEIRS


class _Packer(pickle.Pickler):
    """Frames go as their columns, geometries as WKB."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, pd.DataFrame):
            columns = [
                (str(name), str(value.dtypes.iloc[index]), value.iloc[:, index].to_numpy())
                for index, name in enumerate(value.columns)
            ]
            return _frame_of, (columns, len(value))
        if isinstance(value, np.ndarray) and value.dtype == object and _are_shapes(value):
            return _shapes_of, (shapely.to_wkb(value).tolist(),)
        if isinstance(value, shapely.Geometry):
            return shapely.from_wkb, (shapely.to_wkb(value),)
        return NotImplemented


def _are_shapes(array: Any) -> bool:
    return array.ndim == 1 and bool(shapely.is_geometry(array).any()) and _only_shapes(array)


def _only_shapes(array: Any) -> bool:
    return bool(shapely.is_valid_input(array).all())


def _frame_of(columns: list[tuple[str, str, Any]], rows: int) -> pd.DataFrame:
    series_of = {name: pd.Series(values, dtype=kind) for name, kind, values in columns}
    return pd.DataFrame(series_of, index=range(rows))


def _shapes_of(wkb: list[bytes | None]) -> Any:
    array = np.empty(len(wkb), dtype=object)
    array[:] = wkb
    with np.errstate(invalid="ignore"):  # NaN travels as it was read
        return np.asarray(shapely.from_wkb(array), dtype=object)


class _Unpacker(pickle.Unpickler):
    """Make the known classes, and refuse all others."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"{module}.{name} does not belong into a parcel")
        return super().find_class(module, name)


def pack(result: object, path: Path) -> None:
    """Write what was found into a file."""
    with path.open("xb") as target:
        packer = _Packer(target, protocol=5)
        packer.fast = True  # nothing in it is its own part, and remembering each cell takes long
        packer.dump(result)


def unpack(path: Path, file: str) -> Any:
    """Read what :func:`pack` wrote."""
    try:
        with path.open("rb") as source:
            return _Unpacker(source).load()
    except (pickle.UnpicklingError, EOFError, OSError, AttributeError, TypeError) as error:
        raise InputError("ingest.reader_died", file=file) from error
