"""A file as it lies there, before anybody asks in which coordinates: the readers' common form."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from gis_service.errors import InputError
from gis_service.ingest.readers.frames import Note, Refusal
from gis_service.settings import import_settings


@dataclass
class RawTable:
    """What a reader found."""

    # The attributes, one column each, index 0 … n-1.
    frame: pd.DataFrame
    # The number of each row as the sender sees it.
    rows: Any
    # Shapely geometries in the file's own coordinates, None where a row has none; None where the
    # file has none at all.
    geometry: Any = None
    # What the file itself says of its coordinates: anything pyproj reads; None: nothing.
    own_crs: str | None = None
    encoding: str | None = None
    layer: str | None = None
    notes: list[Note] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


def require_unique_names(names: list[str], file: str) -> list[str]:
    """Refuse a file that has a column twice."""
    check_column_count(len(names), file)
    trimmed = [name.strip() or f"#{index + 1}" for index, name in enumerate(names)]
    repeated = sorted(name for name, count in Counter(trimmed).items() if count > 1)
    if repeated:
        raise InputError("ingest.column_twice", file=file, columns=", ".join(repeated))
    return trimmed


def check_column_count(count: int, file: str) -> None:
    """Refuse a file with more columns than the settings allow."""
    limit = import_settings().max_columns
    if count > limit:
        raise InputError("ingest.too_many_columns", file=file, n=count, limit=limit)


def check_row_count(count: int, file: str) -> None:
    """Refuse a file with more rows than the settings allow, or none."""
    limit = import_settings().max_rows
    if count == 0:
        raise InputError("ingest.no_rows", file=file)
    if count > limit:
        raise InputError("ingest.too_many_rows", file=file, rows=count, limit=limit)


def check_vertex_count(count: int, file: str) -> None:
    """Refuse a file with more vertices than the settings allow, before they are read."""
    limit = import_settings().max_vertices
    if count > limit:
        raise InputError("ingest.too_many_vertices", file=file, n=count, limit=limit)
