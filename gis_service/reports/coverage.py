"""The coverage report of a stored run, as PDF, workbook, page or GeoPackage.

The door of this room: facts are read once, whatever is made of them. The same run, language and
release give the same bytes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, get_args

import sqlalchemy as sa

from gis_service.access import Actor, record
from gis_service.access.permissions import REPORT
from gis_service.coverage.areas.service import AreaService
from gis_service.coverage.runs.runs import Run, find_run
from gis_service.errors import InputError, Place
from gis_service.maps.sheets import printing
from gis_service.messages import Language
from gis_service.reports.document import Document
from gis_service.reports.page_file import write_page
from gis_service.reports.reading import choose_run, read_facts, read_map_ground
from gis_service.reports.writing import Writer

Format = Literal["pdf", "xlsx", "html", "gpkg"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
MEDIA_TYPES: Final[dict[Format, str]] = {
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "html": "text/html; charset=utf-8",
    "gpkg": "application/geopackage+sqlite3",
}


@dataclass(frozen=True)
class ReportOptions:
    """
    Which report.

    Attributes
    ----------
    run_id
        None: the newest of the standard and scenario.
    maker
        Who answers for it; empty is the county.
    compare
        Another run of the same standard to compare with.
    """

    standard: str
    scenario: str = "normal"
    run_id: int | None = None
    language: Language = "zh-CN"
    maker: str = ""
    compare: int | None = None


@dataclass(frozen=True)
class CoverageReport:
    """One run in one language, ready to be written in any format."""

    # Its parts.
    document: Document

    @property
    def run(self) -> Run:
        """The run it is about."""
        return self.document.facts.run

    @property
    def name(self) -> str:
        """A file name without its ending."""
        language = self.document.writer.language
        scenario = "" if self.run.scenario == "normal" else f"-{self.run.scenario}"
        before = self.document.facts.before
        beside = f"-vs-{before.run.run_id}" if before else ""
        name = f"coverage-{self.run.standard}{scenario}-{self.run.run_id}{beside}-{language}"
        return re.sub(r"[^A-Za-z0-9._-]", "_", name)

    @cached_property
    def _paper(self) -> bytes:
        return printing.print_pdf(self.document.html())

    def draw_pictures(self, most: int, dots_per_inch: int) -> tuple[int, list[bytes]]:
        """
        Show what will be printed.

        Parameters
        ----------
        most
            Pages from the first on.
        dots_per_inch
            Of the pictures.

        Returns
        -------
        tuple
            How many pages there are, and PNGs of the first of them.
        """
        pages = printing.count_pages(self._paper)
        shown = range(min(most, pages))
        return pages, [printing.print_png(self._paper, page, dots_per_inch) for page in shown]

    def write_body(self, form: Format) -> bytes:
        """
        Write it.

        Parameters
        ----------
        form
            In which format.

        Returns
        -------
        bytes
            A finished file.
        """
        facts, writer = self.document.facts, self.document.writer
        match form:
            case "pdf":
                return self._paper
            case "xlsx":
                from gis_service.reports.workbook import write_workbook  # noqa: PLC0415 (openpyxl)

                return write_workbook(facts, writer)
            case "html":
                return write_page(self.document).encode()
            case "gpkg":
                from gis_service.reports.geopackage import write_geopackage  # noqa: PLC0415 (GDAL)

                return write_geopackage(facts, writer)


def read_report(
    connection: sa.Connection,
    actor: Actor,
    options: ReportOptions,
    areas: AreaService,
    *,
    with_bands: bool = True,
) -> CoverageReport:
    """
    Read all that a report needs; nothing is asked of the store after it.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks; must see every household of the county.
    options
        Which report.
    areas
        Of the process: draws bands and districts, or has drawn them before.
    with_bands
        False where only a workbook is written, which has no maps.

    Returns
    -------
    CoverageReport
        To be written.
    """
    run = choose_run(connection, options.standard, options.scenario, options.run_id)
    before = None if options.compare is None else find_run(connection, options.compare)
    facts = read_facts(connection, actor, run, areas, before, with_bands=with_bands)
    report = CoverageReport(
        Document(
            facts,
            read_map_ground(connection, facts.version.effective_day),
            Writer(facts, options.language, options.maker),
        )
    )
    after = {"standard": run.standard, "scenario": run.scenario, "language": options.language}
    record(connection, actor, "print", "coverage_run", run.run_id, after=after)
    return report


def check_report(
    connection: sa.Connection,
    actor: Actor,
    standard: str,
    scenario: str = "normal",
    run_id: int | None = None,
) -> None:
    """
    Refuse at once what cannot be reported.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks; must see every household of the county.
    standard, scenario, run_id
        As the options have them.

    Raises
    ------
    NotFoundError
        There is no such run, or the standard was never measured.
    NotAllowedError
        The actor sees a part of the county only.
    """
    REPORT.require(actor)
    choose_run(connection, standard, scenario, run_id)


def parse_formats(text: str) -> Sequence[Format]:
    """
    Read a list of formats.

    Parameters
    ----------
    text
        Such as ``pdf,xlsx``.

    Returns
    -------
    sequence of Format
        Each once, in the order given.

    Raises
    ------
    InputError
        One of them is not known, or there is none.
    """
    known_formats = ", ".join(FORMATS)
    formats: list[Format] = []
    for word in (part.strip().lower() for part in text.split(",")):
        if not word:
            continue
        match = next((form for form in FORMATS if form == word), None)
        if match is None:
            raise InputError(
                "reports.unknown_format",
                place=Place(field="format"),
                format=word,
                known=known_formats,
            )
        if match not in formats:
            formats.append(match)
    if not formats:
        raise InputError("reports.no_format", place=Place(field="format"), known=known_formats)
    return formats
