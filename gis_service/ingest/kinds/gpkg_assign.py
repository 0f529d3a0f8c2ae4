"""A GeoPackage of places, answered row by row in a copy of it; a child process parses the file."""

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
from gis_service.ingest.sandbox import client as sandbox


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
    places = cast(
        "GpkgPlaces",
        sandbox.read_in_child(
            "gpkg_places", file, None, layer=layer, crs_column=options.crs_column
        ),
    )
    if options.crs is None and options.crs_column is None and places.system is not None:
        options = replace(options, crs=parse_crs(places.system))
    require_crs(options)
    shutil.copyfile(file, out)
    with tempfile.NamedTemporaryFile(prefix="gis-assign-") as answers:
        for start in range(0, len(places.x), AT_ONCE):
            pickle.dump(_answer_chunk(places, start, sources, options, tally), answers)
        answers.flush()
        sandbox.read_in_child(
            "gpkg_answers", out, file.name,
            layer=layer, columns=name_fields(sources, places.names), answers=Path(answers.name),
        )  # fmt: skip


def _answer_chunk(
    places: GpkgPlaces, start: int, sources: Sequence[Source], options: Options, tally: Tally
) -> list[list[object]]:
    rows = range(start, min(start + AT_ONCE, len(places.x)))
    refused: dict[int, tuple[str, Reason]] = {
        row - start: (places.no_point[row], "row_no_point")
        for row in rows
        if row in places.no_point
    }
    chunk = slice(rows.start, rows.stop)
    systems = None if places.systems is None else places.systems[chunk]
    xy = np.column_stack((places.x[chunk], places.y[chunk]))
    return answer_rows(sources, options, xy, refused, tally, systems)
