"""A file whose columns are matched already, for the tests of what a kind does with its rows."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import shapely

from gis_service.coordinate_systems import parse_crs
from gis_service.ingest.kinds.kind import MatchedTable
from gis_service.ingest.readers.columns import MatchedColumn
from gis_service.ingest.readers.file_table import FileTable


def matched(rows: Sequence[Mapping[str, Any]], name: str = "file.geojson") -> MatchedTable:
    """Rows with our field names as columns; ``geometry`` is the shape in CGCS2000."""
    frame = pd.DataFrame(list(rows), dtype=object)
    frame = frame.where(frame.notna(), None)
    geometry = np.full(len(frame), None, dtype=object)
    if "geometry" in frame:
        geometry[:] = frame.pop("geometry").tolist()
    numbers = np.arange(1, len(frame) + 1)
    bounds = shapely.bounds(geometry)
    xy = (bounds[:, 0] + bounds[:, 2]) / 2, (bounds[:, 1] + bounds[:, 3]) / 2
    file = FileTable(
        name=name, frame=frame, geometry=geometry, rows=numbers, crs=parse_crs("cgcs2000"),
        encoding=None, layer=None, raw_xy=xy,
    )  # fmt: skip
    columns = [MatchedColumn(column, column) for column in frame.columns]
    return MatchedTable(
        frame=frame, geometry=geometry, rows=numbers, raw_xy=xy, columns=columns, key="key",
        file=file,
    )  # fmt: skip
