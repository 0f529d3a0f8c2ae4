"""The indexes that a whole file is asked of: one a scheme, for one day, with codes and names."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from gis_service.errors import InputError, NotFoundError
from gis_service.grids.answers import queries
from gis_service.grids.answers.directory import find_version_dates
from gis_service.grids.answers.locating import find_schemes
from gis_service.grids.batch import files
from gis_service.grids.batch.rows import Options, RejectList, Source, Tally
from gis_service.grids.locator.locator import Locator
from gis_service.grids.versions import read_polygons


def read_sources(connection: sa.Connection, scheme: str, at: date | None) -> list[Source]:
    """
    Build what a file is asked of.

    Parameters
    ----------
    connection
        An open transaction.
    scheme
        A scheme's code, or ``all``.
    at
        The day; None is today.

    Returns
    -------
    list of Source
        One a scheme, the base scheme first; with ``all`` the others' fields begin with their code.

    Raises
    ------
    NotFoundError
        There is no such scheme, or nothing holds on that day.
    """
    sources: list[Source] = []
    missing: NotFoundError | None = None
    for key in find_schemes(connection, scheme):
        try:
            version, dates = find_version_dates(connection, key, at)
        except NotFoundError as error:
            missing = missing or error
            continue
        sources.append(
            Source(
                key.code,
                f"{key.code}_" if sources else "",
                Locator(*read_polygons(connection, key.scheme_id, version.effective_day)),
                queries.read_names(connection, key.scheme_id, version.effective_day),
                {
                    "scheme": key.code,
                    "version_id": dates.version_id,
                    "effective_day": dates.effective_day.isoformat(),
                    "title": dates.title,
                },
            )
        )
    if not sources:
        raise missing or NotFoundError("grids.no_county")
    return sources


def assign_file(
    file: Path,
    out: Path,
    sources: list[Source],
    options: Options,
    rejects: Path,
    layer: str | None = None,
    geopackage: Callable[..., None] | None = None,
) -> dict[str, Any]:
    """
    Answer for every row of a file into another one.

    Parameters
    ----------
    file, out
        Of the same format, by the ends of their names.
    sources
        What is asked.
    options
        How the file is to be read.
    rejects
        Where refused rows are listed; not written where there are none.
    layer
        Of a GeoPackage.
    geopackage
        Answers for a GeoPackage, which is read elsewhere; none is taken without it.

    Returns
    -------
    dict
        Counts, versions, and the list of refused rows if there is one.

    Raises
    ------
    InputError
        The file cannot be read, or the two formats differ.
    """
    kind = files.format_of(file.name)
    if files.format_of(out.name) != kind:
        raise InputError("locate.other_format", file=file.name, out=out.name)
    if out.exists() and out.samefile(file):
        raise InputError("locate.same_file", file=file.name)
    tally = Tally()
    part = out.with_name(f".{out.name}.part")
    listed = rejects.with_name(f".{rejects.name}.part")
    try:
        with listed.open("wb") as reject_file:
            tally.rejected = RejectList(reject_file).add
            if kind == "gpkg" and geopackage is not None:
                geopackage(file, part, sources, options, tally, layer)
            else:
                with part.open("wb") as stream:
                    for block in files.answer_file(file, kind, sources, options, tally):
                        stream.write(block)
        part.replace(out)
        if tally.refused:
            listed.replace(rejects)
    finally:
        part.unlink(missing_ok=True)
        listed.unlink(missing_ok=True)
    return {
        "file": file.name,
        "out": str(out),
        **tally.as_dict(),
        "rejects": str(rejects) if tally.refused else None,
        "versions": [source.version for source in sources],
    }
