"""A generated town in a database of its own, in this process or by the commands."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from gis_service.coordinate_systems import parse_crs
from gis_service.ingest.kinds.kind import ImportOptions
from gis_service.reports.coverage import FORMATS
from gis_service.store.engine import Store
from tests.conftest import DatabaseServer
from tests.generated.towns import Town
from tests.generated.whole_way import WholeWay, take_the_whole_way


@contextmanager
def fresh_database(server: DatabaseServer, template: str) -> Iterator[str]:
    """Make a database for one town, and drop it."""
    name = server.create(template)
    try:
        yield name
    finally:
        server.drop(name)


def write_files(town: Town, folder: Path) -> dict[str, Path]:
    """Write a town's files."""
    paths = {}
    for kind, (suffix, body) in town.files.items():
        paths[kind] = folder / f"{kind}.{suffix}"
        paths[kind].write_bytes(body)
    return paths


def go_the_whole_way(
    server: DatabaseServer, template: str, town: Town, folder: Path
) -> Iterator[tuple[Store, WholeWay]]:
    """Take a town into a fresh database; yields once, while the database is there."""
    options = {}
    if town.allow_holes:
        extra = {"allow_holes": "yes"}
        options["grids"] = ImportOptions(crs=parse_crs("wgs84"), extra=extra)
    one_format = FORMATS[town.choices["seed"] % len(FORMATS)]
    with (
        fresh_database(server, template) as name,
        closing(Store(server.url("gis_service", name))) as store,
    ):
        paths = write_files(town, folder)
        yield (
            store,
            take_the_whole_way(store, paths, folder, options=options, formats=(one_format,)),
        )
