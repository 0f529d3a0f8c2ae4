"""The report as a GeoPackage for QGIS: grids of every level with their figures, and stations.

CGCS2000 (EPSG:4490). The same facts give the same bytes; what is hidden is NULL.
"""

import tempfile
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import pandas as pd
import pyogrio
import shapely

from gis_service.coverage.measuring.statistics import RULE
from gis_service.coverage.travel.travel_time import STATUS_NAMES
from gis_service.reports.facts import Facts, FigureLine
from gis_service.reports.qgis_styles import layer_styles
from gis_service.reports.writing import Writer

CRS: Final = "EPSG:4490"
_lock = threading.Lock()  # GDAL's options hold for the whole process
_VERSION: Final = "1.3"
"""Of GeoPackage: QGIS 3.22 of Debian 12 warns of a newer one."""
_MINUTES: Final = ("median_minutes", "p90_minutes", "worst_minutes")
_FIELDS: Final = ("n", *STATUS_NAMES, "share", *_MINUTES)


def geopackage(facts: Facts, writer: Writer) -> bytes:
    """Write the GeoPackage."""
    layers = [(f"grids_{level.rank}", _grids(facts, level.rank)) for level in facts.levels[1:]]
    layers.append(("blind_places", _blind(facts, writer)))
    layers.append(("bands", _bands(facts)))
    layers.append(("districts", _districts(facts, writer)))
    layers.append(("stations", _stations(facts, writer)))
    styles = layer_styles([name for name, frame in layers if len(frame)], facts, writer)
    about = pd.DataFrame(
        [*writer.heads(), *((writer.say("section_left_out"), note) for note in writer.notes())],
        columns=["name", "value"],
    )
    about = pd.concat(
        [
            about.assign(source=""),
            pd.DataFrame(
                [(one.name, one.said, one.source) for one in writer.settings()],
                columns=["name", "value", "source"],
            ),
        ],
        ignore_index=True,
    )
    # The day of the data stands where GDAL would write the clock.
    stamp = f"{facts.data_day.isoformat()}T00:00:00.000Z"
    with _lock, tempfile.TemporaryDirectory(prefix="gis-report-") as folder:
        file = Path(folder) / "report.gpkg"
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": stamp})
        try:
            filled = [(name, frame) for name, frame in layers if len(frame)]
            for name, frame in [*filled, ("about", about), ("layer_styles", styles)]:
                new = {} if file.exists() else {"dataset_options": {"VERSION": _VERSION}}
                pyogrio.write_dataframe(frame, file, layer=name, driver="GPKG", **new)
        finally:
            pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})
        return file.read_bytes()


def _grids(facts: Facts, rank: int) -> gpd.GeoDataFrame:
    ids, shapes = facts.shapes.get(rank, ((), []))
    by_kind = {
        kind: {line.grid_id: line for line in lines if line.rank == rank}
        for kind, lines in facts.lines.items()
    }
    kept = [(grid, shape) for grid, shape in zip(ids, shapes, strict=True) if grid in by_kind[RULE]]
    lines = [by_kind[RULE][grid] for grid, _ in kept]
    columns: dict[str, Sequence[Any] | pd.Series] = {
        "grid_id": [one.grid_id for one in lines],
        "code": [one.code for one in lines],
        "name": [one.name for one in lines],
        "parent": [one.parent_name for one in lines],
        **_columns(lines, _FIELDS, ""),
        "share_class": _numbers(lines, "share_class"),
        "status": [one.status for one in lines],
        "hidden": [one.hidden for one in lines],
    }
    for kind, found in by_kind.items():
        if kind != RULE:
            of_kind = [found[grid] for grid, _ in kept]
            columns |= _columns(of_kind, ("covered", "share", "median_minutes"), f"{kind}_")
    for of, all_lines in facts.others.items():
        found = {line.grid_id: line for line in all_lines if line.rank == rank}
        columns |= _columns([found[grid] for grid, _ in kept], ("n", "covered"), f"{of}_")
    return gpd.GeoDataFrame(columns, geometry=[shape for _, shape in kept], crs=CRS)


def _columns(
    lines: Sequence[FigureLine], names: Sequence[str], prefix: str
) -> dict[str, pd.Series]:
    return {f"{prefix}{name}": _numbers(lines, name) for name in names}


def _numbers(lines: Sequence[FigureLine], name: str) -> pd.Series:
    values = [getattr(one, name) for one in lines]
    whole = name in {"n", *STATUS_NAMES, "share_class"}
    if whole:
        return pd.Series(values, dtype="Int64")
    return pd.Series([None if one is None else round(one, 6) for one in values], dtype="float64")


def _bands(facts: Facts) -> gpd.GeoDataFrame:
    frame = pd.DataFrame(
        {
            "from_minutes": [one.from_minutes for one in facts.bands],
            "to_minutes": [one.to_minutes for one in facts.bands],
        }
    )
    return gpd.GeoDataFrame(frame, geometry=[one.geometry for one in facts.bands], crs=CRS)


def _districts(facts: Facts, writer: Writer) -> gpd.GeoDataFrame:
    found = facts.districts
    frame = pd.DataFrame(
        {
            "facility_id": pd.Series([one.facility_id for one in found], dtype="Int64"),
            "name": [writer.station_of(one) for one in found],
            "area_km2": [round(one.area_km2, 3) for one in found],
            "limit_km2": pd.Series([one.limit_km2 for one in found], dtype="float64"),
            "limit_source": [writer.limit_source(one) for one in found],
            "too_large": [one.too_large for one in found],
            "crosses": [writer.crossings(one) for one in found],
            "detached": [writer.enclaves(one) for one in found],
        }
    )
    return gpd.GeoDataFrame(frame, geometry=[one.geometry for one in found], crs=CRS)


def _blind(facts: Facts, writer: Writer) -> gpd.GeoDataFrame:
    places = facts.blind_places
    frame = pd.DataFrame(
        {
            "name": [one.name for one in places],
            "households": pd.Series([one.households for one in places], dtype="Int64"),
            "people": pd.Series([one.people for one in places], dtype="Int64"),
            "worst_minutes": pd.Series([one.worst_minutes for one in places], dtype="float64"),
            "reason": [one.reason for one in places],
            "reason_name": [writer.say(one.reason) for one in places],
        }
    )
    return gpd.GeoDataFrame(frame, geometry=[one.shape for one in places], crs=CRS)


def _stations(facts: Facts, writer: Writer) -> gpd.GeoDataFrame:
    rows = [asdict(one) for one in facts.stations]
    frame = pd.DataFrame(
        {
            "facility_id": [row["facility_id"] for row in rows],
            "kind": [row["kind"] for row in rows],
            "kind_name": [writer.kind(row["kind"]) for row in rows],
            "name": [row["name"] for row in rows],
            "turnout_minutes": pd.Series([row["turnout_minutes"] for row in rows], dtype="float64"),
            "households": pd.Series([row["households"] for row in rows], dtype="Int64"),
        }
    )
    points = shapely.points([[row["lon"], row["lat"]] for row in rows]) if rows else []
    return gpd.GeoDataFrame(frame, geometry=points, crs=CRS)
