"""The command ``report``: what was measured, as files to print and to hand on."""

from pathlib import Path
from typing import Annotated

import typer

from gis_service.commands.region_option import Region, find_region_database
from gis_service.commands.terminal import language, say
from gis_service.messages import choose_language, text

report_app = typer.Typer(help="Write reports: PDF, Excel, page, GeoPackage.", no_args_is_help=True)


@report_app.callback()
def reports() -> None:
    """Write reports: PDF, Excel, page, GeoPackage."""


@report_app.command("coverage")
def coverage_report(
    standard: Annotated[str, typer.Option(help="fire-20, service-15, …")] = "fire-20",
    scenario: Annotated[str, typer.Option(help="normal, emergency_privilege, …")] = "normal",
    run: Annotated[
        int | None, typer.Option(help="A certain run; the newest of the standard if not told.")
    ] = None,
    form: Annotated[
        str, typer.Option("--format", help="pdf, xlsx, html, gpkg, or several of them.")
    ] = "pdf,xlsx,html,gpkg",
    language_name: Annotated[str, typer.Option("--language", help="zh-CN or en.")] = "zh-CN",
    out: Annotated[Path, typer.Option("--out", help="The folder to write into.")] = Path(),
    maker: Annotated[
        str, typer.Option(help="Who answers for the report; the county if not told.")
    ] = "",
    compare: Annotated[
        int | None, typer.Option(help="Another run of the same standard to compare with.")
    ] = None,
    region: Region = None,
) -> None:
    """Write the coverage report of a stored run; prints the files' names."""
    from gis_service.access import SYSTEM
    from gis_service.coverage.areas.service import AreaService, find_area_folder
    from gis_service.reports import coverage
    from gis_service.snapshot import Snapshot
    from gis_service.store import open_store

    forms = coverage.parse_formats(form)
    database = find_region_database(region)
    chosen = choose_language(language_name)
    options = coverage.ReportOptions(standard, scenario, run, chosen, maker, compare)
    with open_store(database=database) as store, store.transaction(SYSTEM) as connection:
        areas = AreaService(Snapshot(), find_area_folder())
        with_maps = any(form_name != "xlsx" for form_name in forms)
        report = coverage.read_report(connection, SYSTEM, options, areas, with_bands=with_maps)
    out.mkdir(parents=True, exist_ok=True)
    for form_name in forms:
        body = report.write_body(form_name)
        file = out / f"{report.name}.{form_name}"
        draft = file.with_name(f"{file.name}.part")
        draft.write_bytes(body)
        draft.replace(file)
        say(text("reports.written", language(), file=file, kb=f"{len(body) / 1000:,.0f}"))
        print(file)
