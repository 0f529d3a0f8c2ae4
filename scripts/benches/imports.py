"""A file of 200,000 buildings, read apart with limits beside the same reader in this process.

One row for each format, and one for a whole import into the demo county, tried and rolled back.
Rows have the names of the formats and ``import``.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import shapely

from gis_service.access import SYSTEM
from gis_service.coordinate_systems import CoordinateSystem
from gis_service.ingest.importing import import_file
from gis_service.ingest.kinds.kind import ImportOptions
from gis_service.ingest.readers import files
from gis_service.ingest.readers.file_table import FileTable
from gis_service.ingest.sandbox import client as apart
from scripts.benches.context import Context
from scripts.benches.framework import Row, compare, plain

ROWS: Final = 200_000
TARGET: Final = 1 / 1.3
"""Reading apart may cost three tenths more."""

_CGCS2000: Final = CoordinateSystem("cgcs2000")
_PEER: Final = "the same reader in this process"
_WEST, _SOUTH = 112.9, 28.6


def _frame() -> pd.DataFrame:
    random = np.random.default_rng(1)
    numbers = np.arange(ROWS)
    return pd.DataFrame(
        {
            "key": [f"B{n:07d}" for n in numbers],
            "name": [f"幸福小区{n % 977}栋" for n in numbers],
            "address": [f"人民路{n}号" for n in numbers],
            "storeys": random.integers(1, 30, ROWS),
            "lon": (_WEST + 0.3 * random.random(ROWS)).round(7),
            "lat": (_SOUTH + 0.3 * random.random(ROWS)).round(7),
        }
    )


def _csv(frame: pd.DataFrame, file: Path) -> None:
    frame.to_csv(file, index=False)


def _xlsx(frame: pd.DataFrame, file: Path) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("房屋")
    sheet.append(list(frame.columns))
    for row in frame.itertuples(index=False):
        sheet.append(list(row))
    book.save(file)


def _vector(frame: pd.DataFrame, file: Path) -> None:
    points = shapely.points(frame["lon"], frame["lat"])
    gpd.GeoDataFrame(frame.drop(columns=["lon", "lat"]), geometry=points, crs=4490).to_file(file)


FORMATS: Final[dict[str, Callable[[pd.DataFrame, Path], None]]] = {
    "csv": _csv, "gpkg": _vector, "geojson": _vector, "shp": _vector, "xlsx": _xlsx,
}  # fmt: skip


def run(context: Context) -> list[Row]:
    """
    Measure it.

    Parameters
    ----------
    context
        Of the bench.

    Returns
    -------
    list of Row
        A ratio of 1 means that reading apart costs nothing.
    """
    frame = _frame()
    rows = []
    apart.start_server()
    for name, write in FORMATS.items():
        if context.wants(name):
            file = context.folder / f"buildings.{name}"
            write(frame, file)
            rows.append(_read(file))
    if context.wants("import"):
        file = context.folder / "whole.csv"
        _csv(frame, file)
        rows.append(_imported(context, file))
    return rows


def _read(file: Path) -> Row:
    """Read every row into a table; both sides end with the same one."""
    return compare(
        f"{file.suffix[1:]}: read {ROWS:,} rows apart, with limits",
        plain(lambda: apart.read_table_in_child(file, crs=_CGCS2000)),
        _PEER,
        plain(lambda: files.read_table(file, crs=_CGCS2000)),
        agree=_equal,
        target=TARGET,
    )


def _equal(one: FileTable, other: FileTable) -> bool:
    return bool(
        one.frame.equals(other.frame)
        and shapely.to_wkb(one.geometry).tolist() == shapely.to_wkb(other.geometry).tolist()
        and one.rows.tolist() == other.rows.tolist()
    )


def _imported(context: Context, file: Path) -> Row:
    """Read, check, write and place every row; the transaction is rolled back at the end."""
    store = context.county_store
    options = ImportOptions(crs=_CGCS2000, dry_run=True, accept_shift=True)

    def ours() -> Any:
        return import_file(store, SYSTEM, "buildings", file, options).as_dict()

    def theirs() -> Any:
        with _in_this_process():
            return ours()

    return compare(
        f"import {ROWS:,} buildings from a CSV",
        plain(ours),
        _PEER,
        plain(theirs),
        agree=lambda one, other: one == other,
        target=TARGET,
        pairs=3,
        long_s=300,
    )


@contextmanager
def _in_this_process() -> Iterator[None]:
    kept = apart.read_table_in_child
    apart.read_table_in_child = files.read_table  # type: ignore[assignment]
    try:
        yield
    finally:
        apart.read_table_in_child = kept
