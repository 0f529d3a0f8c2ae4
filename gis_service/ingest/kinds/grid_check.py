"""A file of grids checked before anyone loads it: read and noded; no store is needed."""

from pathlib import Path
from typing import Any

from gis_service.boundaries.linework.far_parts import refuse_apart
from gis_service.boundaries.linework.noding import NodingFinding
from gis_service.coordinate_systems import parse_crs
from gis_service.ingest.kinds.grid_rows import FORM, node_rows, read_rows
from gis_service.ingest.kinds.kind import ImportOptions
from gis_service.ingest.kinds.matching import match_table
from gis_service.ingest.sandbox.client import read_table_in_child
from gis_service.settings import number_settings


def check_grids_file(
    path: Path,
    *,
    crs: str | None = None,
    tolerance_m: float | None = None,
    layer: str | None = None,
    encoding: str | None = None,
    columns: dict[str, str] | None = None,
    allow_holes: bool = False,
) -> dict[str, Any]:
    """
    Tell where the grids of a file leave gaps or overlap.

    Parameters
    ----------
    path
        The file.
    crs
        Its coordinate system; None takes what the file names.
    tolerance_m
        Up to this width a slit or overlap is a repair and no error; None takes the setting.
    layer, encoding
        Where they must be stated.
    columns
        The file's column by our field.
    allow_holes
        Enclosed land may belong to nobody.

    Returns
    -------
    dict
        ``errors``, ``warnings`` and ``repairs`` count by kind; ``places`` lists each with its
        grids and their rows, width, area, point and GeoJSON. Each level of the file is noded by
        itself. ``notes`` are messages by their key ``note``, about how the file was read.

    Raises
    ------
    InputError
        The file cannot be read, or its land lies across an ocean.
    """
    system = None if crs is None else parse_crs(crs)
    width_m = number_settings().boundary_tolerance_m if tolerance_m is None else tolerance_m
    file = read_table_in_child(path, crs=system, layer=layer, encoding=encoding, columns=columns)
    rows = read_rows(match_table(FORM, file, ImportOptions(columns=columns or {})))
    result: dict[str, Any] = {
        "file": file.name,
        "crs": None if file.crs is None else file.crs.code,
        "grids": len(rows),
        "tolerance_m": width_m,
        "errors": {},
        "warnings": {},
        "repairs": {},
        "places": [],
        "notes": [{"note": note.key, **note.values} for note in file.notes],
    }
    for level, group in rows.groupby("level", dropna=False, sort=False):
        if group["geometry"].isna().all() and len(group) < len(rows):
            continue  # an upper level that is only named
        refuse_apart(group["key"].tolist(), group["geometry"].to_numpy())
        report = node_rows(group, width_m, allow_holes=allow_holes)
        level_name = level if isinstance(level, str) else None
        for name, counts in report.counts().items():
            total = result[name]
            result[name] = {kind: total.get(kind, 0) + n for kind, n in counts.items()}
        row_of = dict(zip(group["key"], group["row"].tolist(), strict=True))
        for name in ("errors", "warnings", "repairs"):
            findings: list[NodingFinding] = getattr(report, name)
            result["places"] += [
                {"list": name, "level": level_name, "rows": [row_of[key] for key in finding.keys]}
                | finding.as_dict()
                for finding in findings
            ]
    return result
