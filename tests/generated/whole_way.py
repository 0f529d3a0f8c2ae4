"""Files of a town taken the whole way in this process, with what was asked of each step.

A step either answers or refuses with an error of ours. Anything else is raised as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from gis_service import main_job
from gis_service.access import SYSTEM
from gis_service.coordinate_systems import parse_crs
from gis_service.coverage.areas.service import AreaService
from gis_service.coverage.standards.book import standard_book
from gis_service.errors import GisError
from gis_service.ingest.importing import import_file
from gis_service.ingest.kinds.kind import ImportOptions, ImportOutcome
from gis_service.maps.page.one_file import write_map
from gis_service.messages import LANGUAGES
from gis_service.reports.coverage import FORMATS, Format, ReportOptions, read_report
from gis_service.snapshot import Snapshot
from gis_service.store.engine import Store

ORDER: Final = (
    "admin_units", "grids", "roads", "buildings", "households", "premises", "facilities",
    "hazards", "incidents",
)  # fmt: skip
"""Kinds of files in the order in which a county hands them in."""


@dataclass
class WholeWay:
    """
    What became of a town.

    Attributes
    ----------
    outcomes
        Of the files that were taken, by kind.
    refused
        What a file or a step was refused with.
    result
        Of the main job; None where there are no grids to do it on.
    documents
        The map in each language and the report of each measured standard in each format.
    """

    outcomes: dict[str, ImportOutcome] = field(default_factory=dict)
    refused: dict[str, GisError] = field(default_factory=dict)
    result: Mapping[str, Any] | None = None
    documents: dict[str, bytes] = field(default_factory=dict)


def take_the_whole_way(
    store: Store,
    files: Mapping[str, Path],
    folder: Path,
    *,
    options: Mapping[str, ImportOptions] | None = None,
    formats: tuple[Format, ...] = FORMATS,
) -> WholeWay:
    """Import files by kind into an empty store, do the main job, write every map and report."""
    done = WholeWay()
    wgs84 = ImportOptions(crs=parse_crs("wgs84"))
    for kind in (kind for kind in ORDER if kind in files):
        try:
            wanted = (options or {}).get(kind, wgs84)
            done.outcomes[kind] = import_file(store, SYSTEM, kind, files[kind], wanted)
        except GisError as error:
            done.refused[kind] = error
    if "grids" not in done.outcomes:
        return done
    done.result = main_job.main_job(store, folder / "map.html", lambda _line: None)
    for language in LANGUAGES:
        file = folder / f"map.{language}.html"
        write_map(store, SYSTEM, file, language)
        done.documents[f"map {language}"] = file.read_bytes()
    for code in (code for code, one in standard_book().standards.items() if one.in_main_job):
        with store.transaction(SYSTEM) as connection:
            report = read_report(
                connection, SYSTEM, ReportOptions(code, language="en"), AreaService(Snapshot())
            )
            for form in formats:
                done.documents[f"report {code} {form}"] = report.write_body(form)
    return done
