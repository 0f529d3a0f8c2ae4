"""A whole file of places: which kind of file it is, and every row with its grid behind it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from gis_service.errors import InputError
from gis_service.grids.batch import csv_files, feature_files
from gis_service.grids.batch.rows import Options, Source, Tally

FORMATS: Final = {
    ".csv": "csv",
    ".txt": "csv",
    ".tsv": "csv",
    ".geojson": "geojson",
    ".json": "geojson",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".geojsonl": "ndjson",
    ".geojsons": "ndjson",
    ".gpkg": "gpkg",
}
"""The format of a file, by the end of its name."""


def format_of(name: str) -> str:
    """
    Tell the format of a file by the end of its name.

    Parameters
    ----------
    name
        Of the file.

    Returns
    -------
    str
        ``csv``, ``geojson``, ``ndjson`` or ``gpkg``.

    Raises
    ------
    InputError
        It is none of them.
    """
    suffix = Path(name).suffix.casefold()
    if suffix not in FORMATS:
        raise InputError("locate.file_kind", file=name, known=" ".join(FORMATS))
    return FORMATS[suffix]


def answer_file(
    file: Path, kind: str, sources: Sequence[Source], options: Options, tally: Tally
) -> Iterator[bytes]:
    """
    Answer for every row of a file.

    Parameters
    ----------
    file
        What was handed in.
    kind
        As :func:`format_of` gives it; a GeoPackage is answered by ``feature_files`` in place.
    sources
        The schemes that are asked; the counts are those of the first one.
    options
        How it is to be read.
    tally
        Counts, filled on the way; each refused row is told to ``rejected``.

    Yields
    ------
    bytes
        The same file with the answers, block by block.

    Raises
    ------
    InputError
        The file cannot be read as what it says it is.
    """
    if kind == "csv":
        yield from csv_files.answer_csv(file, sources, options, tally)
    elif kind == "ndjson":
        yield from feature_files.answer_lines(file, sources, options, tally)
    elif kind == "geojson":
        yield from feature_files.answer_collection(file, sources, options, tally)
    else:
        raise InputError("locate.file_kind", file=file.name, known=" ".join(FORMATS))
