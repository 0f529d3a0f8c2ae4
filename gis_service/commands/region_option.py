"""The option ``--region``: a command looks into the database of a region, not of the county."""

from pathlib import Path
from typing import Annotated

import typer

from gis_service.errors import NotFoundError
from gis_service.regions import name_region_database

Region = Annotated[
    Path | None,
    typer.Option("--region", help="Of the region from this file, not of the county."),
]


def find_region_database(region: Path | None) -> str | None:
    """Find the database of a region."""
    from gis_service.store import find_database

    if region is None:
        return None
    whole, clipped = (name_region_database(region, whole_file=whole) for whole in (True, False))
    database = find_database(whole, clipped)
    if database is None:
        raise NotFoundError("cli.no_database", database=region.name)
    return database
