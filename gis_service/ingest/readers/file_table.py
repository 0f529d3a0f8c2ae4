"""A file that was read, as one table in CGCS2000: what readers give and everybody else takes.

Nothing here opens a file, so that who uses the table need not import the readers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from gis_service.coordinate_systems import CoordinateSystem
from gis_service.ingest.readers.frames import Note, Refusal

Floats = npt.NDArray[np.float64]

SUFFIXES: Final = (
    ".gpkg", ".geojson", ".json", ".geojson.gz", ".json.gz", ".shp", ".zip", ".csv", ".txt",
    ".tsv", ".xlsx",
)  # fmt: skip
"""What the readers know, by the end of a file's name."""


@dataclass(frozen=True)
class FileTable:
    """A file as a table."""

    # As the sender calls it.
    name: str
    # Every column of the file, values as they were read; index 0 … n-1.
    frame: pd.DataFrame
    # Shapely geometries in CGCS2000, one a row, None where a row has none that can be read; None
    # where the file has no coordinates at all.
    geometry: Any
    # The number of each row as the sender sees it: in a table the header is row 1, elsewhere
    # features count from 1.
    rows: npt.NDArray[np.int64]
    # What the coordinates were; None where there are none.
    crs: CoordinateSystem | None
    encoding: str | None
    layer: str | None
    # One point for each geometry in the file's own system, NaN where there is none.
    raw_xy: tuple[Floats, Floats]
    # The columns of a table in which the place stands, by our field.
    coordinates: Mapping[str, str] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    # Rows whose place cannot be read, or that are no rows; their geometry is None.
    refusals: list[Refusal] = field(default_factory=list)
