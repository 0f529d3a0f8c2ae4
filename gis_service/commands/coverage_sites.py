"""``gis-service coverage sites`` and ``areas``: where to build next, and bands as files."""

import gzip
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from gis_service.commands.coverage import coverage_app
from gis_service.commands.region_option import Region, find_region_database
from gis_service.errors import InputError, Place


@coverage_app.command("sites")
def coverage_sites(
    standard: Annotated[str, typer.Option(help="fire-20, …: see coverage standards")] = "fire-20",
    scenario: Annotated[str, typer.Option(help="normal, night, rain, …")] = "normal",
    problem: Annotated[
        Literal["max_cover", "set_cover", "p_median", "p_centre"],
        typer.Option(help="What the best is."),
    ] = "max_cover",
    add: Annotated[int, typer.Option(help="How many new stations.")] = 1,
    target_share: Annotated[
        float | None, typer.Option(help="For set_cover: the share to reach, 0 to 1.")
    ] = None,
    candidates: Annotated[
        Literal["facilities", "road_nodes"], typer.Option(help="Where a station may stand.")
    ] = "road_nodes",
    kind: Annotated[str | None, typer.Option(help="Kind of the new stations.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
    region: Region = None,
) -> None:
    """Choose the best next sites, with the proven gap and the measured gain of each."""
    from gis_service.access import SYSTEM
    from gis_service.coverage.siting.sites import SiteRequest, choose_sites
    from gis_service.coverage.siting.what_if_answers import measure_county
    from gis_service.snapshot import Snapshot
    from gis_service.store import open_store

    with (
        open_store(database=find_region_database(region)) as store,
        store.transaction(SYSTEM) as connection,
    ):
        measured = measure_county(Snapshot(), connection, SYSTEM, standard, scenario)
    request = SiteRequest(problem, add, target_share, candidates, kind)
    result = choose_sites(measured.prepared, request)
    if as_json:
        print(json.dumps(asdict(result), ensure_ascii=False))
        return
    for number, site in enumerate(result.sites, 1):
        print(f"{number}. {site.lon:.6f}, {site.lat:.6f}: +{site.gain_households:,}")
    before, after = result.before["kinds"][result.kind], result.after["kinds"][result.kind]
    print(
        f"{result.kind}: {before['covered']:,} -> {after['covered']:,} of {after['n']:,}; "
        f"gap {result.gap:.4%}, {result.candidates} candidates, {result.seconds} s"
    )


@coverage_app.command("areas")
def coverage_areas(
    output: Annotated[Path, typer.Argument(help="GeoJSON file to write.")],
    standard: Annotated[str, typer.Option(help="fire-20, …")] = "fire-20",
    scenario: Annotated[str, typer.Option(help="normal, night, rain, …")] = "normal",
    minutes: Annotated[str, typer.Option(help="Limits, separated by commas.")] = "5,10,20",
    facility_id: Annotated[int | None, typer.Option(help="Only this station.")] = None,
    region: Region = None,
) -> None:
    """Write bands of minutes that follow the streets."""
    from gis_service.access import SYSTEM
    from gis_service.coverage.areas.service import AreaService, find_area_folder
    from gis_service.snapshot import Snapshot
    from gis_service.store import open_store

    try:
        limits = [float(part) for part in minutes.split(",")]
    except ValueError as error:
        raise InputError("coverage.area_limits", place=Place(field="--minutes"), most=12) from error
    with (
        open_store(database=find_region_database(region)) as store,
        store.transaction(SYSTEM) as connection,
    ):
        answer = AreaService(Snapshot(), find_area_folder()).answer_bands(
            connection, standard, scenario, limits, facility_id
        )
    output.write_bytes(gzip.decompress(answer()))
