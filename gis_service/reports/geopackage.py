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


def write_geopackage(facts: Facts, writer: Writer) -> bytes:
    """Write the GeoPackage."""
    layers = [(f"grids_{level.rank}", _grid_frame(facts, level.rank)) for level in facts.levels[1:]]
    layers.append(("blind_places", _blind_frame(facts, writer)))
    layers.append(("bands", _band_frame(facts)))
    layers.append(("districts", _district_frame(facts, writer)))
    layers.append(("stations", _station_frame(facts, writer)))
    styles = layer_styles([name for name, frame in layers if len(frame)], facts, writer)
    about = pd.DataFrame(
        [*writer.heads(), *((writer.say("section_left_out"), note) for note in writer.notes())],
        columns=["name", "value"],
    )
    about = pd.concat(
        [
            about.assign(source=""),
            pd.DataFrame(
                [(setting.name, setting.text, setting.source) for setting in writer.settings()],
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


def _grid_frame(facts: Facts, rank: int) -> gpd.GeoDataFrame:
    ids, shapes = facts.shapes.get(rank, ((), []))
    by_kind = {
        kind: {line.grid_id: line for line in lines if line.rank == rank}
        for kind, lines in facts.lines.items()
    }
    drawn_grids = [
        (grid, shape) for grid, shape in zip(ids, shapes, strict=True) if grid in by_kind[RULE]
    ]
    lines = [by_kind[RULE][grid] for grid, _ in drawn_grids]
    columns: dict[str, Sequence[Any] | pd.Series] = {
        "grid_id": [line.grid_id for line in lines],
        "code": [line.code for line in lines],
        "name": [line.name for line in lines],
        "parent": [line.parent_name for line in lines],
        **_columns(lines, _FIELDS, ""),
        "share_class": _numbers(lines, "share_class"),
        "status": [line.status for line in lines],
        "hidden": [line.hidden for line in lines],
    }
    for kind, kind_lines in by_kind.items():
        if kind != RULE:
            of_kind = [kind_lines[grid] for grid, _ in drawn_grids]
            columns |= _columns(of_kind, ("covered", "share", "median_minutes"), f"{kind}_")
    for of, all_lines in facts.others.items():
        kind_lines = {line.grid_id: line for line in all_lines if line.rank == rank}
        columns |= _columns(
            [kind_lines[grid] for grid, _ in drawn_grids], ("n", "covered"), f"{of}_"
        )
    return gpd.GeoDataFrame(columns, geometry=[shape for _, shape in drawn_grids], crs=CRS)


def _columns(
    lines: Sequence[FigureLine], names: Sequence[str], prefix: str
) -> dict[str, pd.Series]:
    return {f"{prefix}{name}": _numbers(lines, name) for name in names}


def _numbers(lines: Sequence[FigureLine], name: str) -> pd.Series:
    values = [getattr(line, name) for line in lines]
    whole = name in {"n", *STATUS_NAMES, "share_class"}
    if whole:
        return pd.Series(values, dtype="Int64")
    return pd.Series(
        [None if value is None else round(value, 6) for value in values], dtype="float64"
    )


def _band_frame(facts: Facts) -> gpd.GeoDataFrame:
    frame = pd.DataFrame(
        {
            "from_minutes": [band.from_minutes for band in facts.bands],
            "to_minutes": [band.to_minutes for band in facts.bands],
        }
    )
    return gpd.GeoDataFrame(frame, geometry=[band.geometry for band in facts.bands], crs=CRS)


def _district_frame(facts: Facts, writer: Writer) -> gpd.GeoDataFrame:
    districts = facts.districts
    frame = pd.DataFrame(
        {
            "facility_id": pd.Series(
                [district.facility_id for district in districts], dtype="Int64"
            ),
            "name": [writer.station_of(district) for district in districts],
            "area_km2": [round(district.area_km2, 3) for district in districts],
            "limit_km2": pd.Series([district.limit_km2 for district in districts], dtype="float64"),
            "limit_source": [writer.limit_source(district) for district in districts],
            "too_large": [district.too_large for district in districts],
            "crosses": [writer.crossings(district) for district in districts],
            "detached": [writer.enclaves(district) for district in districts],
        }
    )
    return gpd.GeoDataFrame(frame, geometry=[district.geometry for district in districts], crs=CRS)


def _blind_frame(facts: Facts, writer: Writer) -> gpd.GeoDataFrame:
    places = facts.blind_places
    frame = pd.DataFrame(
        {
            "name": [place.name for place in places],
            "households": pd.Series([place.households for place in places], dtype="Int64"),
            "people": pd.Series([place.people for place in places], dtype="Int64"),
            "worst_minutes": pd.Series([place.worst_minutes for place in places], dtype="float64"),
            "reason": [place.reason for place in places],
            "reason_name": [writer.say(place.reason) for place in places],
        }
    )
    return gpd.GeoDataFrame(frame, geometry=[place.shape for place in places], crs=CRS)


def _station_frame(facts: Facts, writer: Writer) -> gpd.GeoDataFrame:
    rows = [asdict(station) for station in facts.stations]
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
