"""A GeoPackage of places, answered row by row in a copy of it; the file itself is parsed apart."""

import pickle
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np

from gis_service.coordinate_systems import parse_crs
from gis_service.grids.batch.rows import (
    Options,
    Reason,
    Source,
    Tally,
    answer_rows,
    name_fields,
    require_crs,
)
from gis_service.ingest.readers.gpkg_places import AT_ONCE, GpkgPlaces
from gis_service.ingest.sandbox import client as apart


def assign_geopackage(
    file: Path,
    out: Path,
    sources: Sequence[Source],
    options: Options,
    tally: Tally,
    layer: str | None = None,
) -> None:
    """
    Answer for every row of a GeoPackage, in a copy of it.

    Parameters
    ----------
    file
        What was handed in.
    out
        Where the copy goes; the answers are new columns of the same layer.
    sources, options, tally
        As for ``bulk.assigned``; the layer's own system counts where none is stated.
    layer
        Which one; it may be left out where there is only one.

    Raises
    ------
    InputError
        It is no GeoPackage, holds what would run by itself, or has several layers and none is
        named.
    """
    found = cast(
        "GpkgPlaces",
        apart.read("gpkg_places", file, None, layer=layer, crs_column=options.crs_column),
    )
    if options.crs is None and options.crs_column is None and found.system is not None:
        options = replace(options, crs=parse_crs(found.system))
    require_crs(options)
    shutil.copyfile(file, out)
    with tempfile.NamedTemporaryFile(prefix="gis-assign-") as answers:
        for start in range(0, len(found.x), AT_ONCE):
            pickle.dump(_answers(found, start, sources, options, tally), answers)
        answers.flush()
        apart.read(
            "gpkg_answers", out, file.name,
            layer=layer, columns=name_fields(sources, found.names), answers=Path(answers.name),
        )  # fmt: skip


def _answers(
    found: GpkgPlaces, start: int, sources: Sequence[Source], options: Options, tally: Tally
) -> list[list[object]]:
    rows = range(start, min(start + AT_ONCE, len(found.x)))
    refused: dict[int, tuple[str, Reason]] = {
        row - start: (found.no_point[row], "row_no_point") for row in rows if row in found.no_point
    }
    part = slice(rows.start, rows.stop)
    systems = None if found.systems is None else found.systems[part]
    xy = np.column_stack((found.x[part], found.y[part]))
    return answer_rows(sources, options, xy, refused, tally, systems)
