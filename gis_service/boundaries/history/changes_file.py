"""What changed between two versions, as a GeoPackage to hand on."""

import tempfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gis_service.boundaries.history.changes import VersionComparison
from gis_service.store.tables import SRID


def write_comparison(comparison: VersionComparison) -> bytes:
    """
    Write a comparison.

    Parameters
    ----------
    found
        Two versions side by side.

    Returns
    -------
    bytes
        A GeoPackage with the layers ``before`` and ``after`` (EPSG:4490) and the table
        ``households_moved``.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "comparison.gpkg")
        for layer in ("before", "after"):
            _as_frame(comparison, layer).to_file(file, layer=layer, driver="GPKG")
        columns = [
            "from", "from_name", "from_code", "to", "to_name", "to_code", "households", "people",
        ]  # fmt: skip
        moved = pd.DataFrame(comparison.moved, columns=columns)
        moved = moved.rename(columns={"from": "from_grid", "to": "to_grid"})
        table = gpd.GeoDataFrame(moved, geometry=np.full(len(moved), None, dtype=object))
        table.set_crs(SRID).to_file(file, layer="households_moved", driver="GPKG")
        return file.read_bytes()


def _as_frame(comparison: VersionComparison, side: str) -> gpd.GeoDataFrame:
    rows = [(change, getattr(change, side)) for change in comparison.grids]
    rows = [(change, grid) for change, grid in rows if grid is not None]
    shapes = np.empty(len(rows), dtype=object)
    shapes[:] = [shapely.from_wkb(grid.wkb) for _, grid in rows]
    return gpd.GeoDataFrame(
        {
            "grid_id": [grid.grid_id for _, grid in rows],
            "what": [change.what for change, _ in rows],
            "rank": [grid.rank for _, grid in rows],
            "code": [grid.code for _, grid in rows],
            "name": [grid.name for _, grid in rows],
        },
        geometry=shapes,
        crs=SRID,
    )
