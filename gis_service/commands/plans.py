"""``gis-service plan …``: what is wrong with a file of boundaries, before anyone loads it."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from gis_service.commands.terminal import errors_said, say

plan_app = typer.Typer(help="Boundaries before they are published.", no_args_is_help=True)


@plan_app.callback()
def plan() -> None:
    """Boundaries before they are published."""


@plan_app.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="GeoPackage, GeoJSON, shapefile, CSV, XLSX")],
    crs: Annotated[str | None, typer.Option(help="wgs84, cgcs2000, gcj02, bd09 or EPSG:n")] = None,
    tolerance_m: Annotated[
        float | None, typer.Option(help="Slits and overlaps so narrow are no errors.")
    ] = None,
    layer: Annotated[str | None, typer.Option(help="A layer or sheet.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Of the texts.")] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="OURS=THEIRS: the file's column of a field.")
    ] = None,
    allow_holes: Annotated[
        bool, typer.Option("--allow-holes", help="Land inside may belong to nobody (a lake).")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print counts and places as JSON.")
    ] = False,
) -> None:
    """Tell where a file of grids leaves gaps or overlaps; nothing is written anywhere."""
    from gis_service.ingest.grid_check import check_file  # noqa: PLC0415 (geopandas is slow)

    stated = dict(pair.partition("=")[::2] for pair in column or [])
    with errors_said():
        result = check_file(
            file, crs=crs, tolerance_m=tolerance_m, layer=layer, encoding=encoding,
            columns=stated, allow_holes=allow_holes,
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False))
    else:
        _tell(result)
    if any(result["errors"].values()):
        raise typer.Exit(1)


def _tell(result: dict[str, Any]) -> None:
    for name in ("errors", "warnings", "repairs"):
        typer.echo(f"{name}: " + ", ".join(f"{kind} {n}" for kind, n in result[name].items()))
    for place in result["places"]:
        lon, lat = place["lonlat"] or ("—", "—")
        say(
            f"{place['list']} {place['kind']}: {' / '.join(place['grids'])}"
            f" ({place['width_m']} m, {place['area_m2']} m²) {lon}, {lat}"
        )
