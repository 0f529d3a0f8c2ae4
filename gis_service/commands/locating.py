"""The commands ``locate`` and ``assign``: one place for a person, a file of places for programs."""

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gis_service.commands.terminal import language, say
from gis_service.errors import InputError, Place
from gis_service.messages import text

if TYPE_CHECKING:
    from gis_service.coordinate_systems import CoordinateSystem
    from gis_service.grids.answers.locating import LocatedPlace, SchemeAnswer

Place_ = Annotated[
    list[str], typer.Argument(metavar="LON LAT | TEXT", help="Two numbers, or a pasted text.")
]
System = Annotated[
    str | None,
    typer.Option("--crs", help="cgcs2000 (by default), wgs84, gcj02, bd09, EPSG:n."),
]
Scheme = Annotated[str, typer.Option(help="Code of the scheme; all asks every one.")]
Day = Annotated[
    datetime | None,
    typer.Option("--at", formats=["%Y-%m-%d"], help="By the boundaries and officers of this day."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
NEGATIVE = {"ignore_unknown_options": True}
"""West and south are numbers with a minus, and no options."""


def locate(
    place: Place_,
    crs: System = None,
    at: Day = None,
    scheme: Scheme = "base",
    as_json: AsJson = False,
) -> None:
    """Tell whose grid a place is, whom to call, and how near the border it lies."""
    from gis_service.access import SYSTEM
    from gis_service.grids.answers import locating
    from gis_service.store import open_store

    x, y, system, notes = _read_place(place, crs)
    with open_store() as store, store.transaction(SYSTEM) as connection:
        located = locating.locate(
            connection,
            SYSTEM,
            system,
            x,
            y,
            scheme=scheme,
            at=at.date() if at else None,
            notes=notes,
        )
    if as_json:
        print(json.dumps(asdict(located), ensure_ascii=False, default=str))
        return
    _print_answer(located)


def _read_place(
    place: list[str], crs: str | None
) -> tuple[float, float, "CoordinateSystem", tuple[str, ...]]:
    from gis_service.coordinate_systems import parse_crs
    from gis_service.pasted_coordinates import read_pasted

    if len(place) == 2:
        try:
            x, y = (float(part) for part in place)
        except ValueError:
            pass  # a text that the shell took apart, such as N28°40′ E112°53′
        else:
            return x, y, parse_crs(crs or "cgcs2000"), ()
    pasted = read_pasted(" ".join(place))
    system = parse_crs(crs or pasted.system or "cgcs2000")
    return pasted.lon, pasted.lat, system, pasted.notes


def _print_answer(located: "LocatedPlace") -> None:
    """Say the answer to a person."""
    chosen = language()
    for note in located.given.notes:
        say(text(note, chosen))
    for answer in (located.schemes or {located.scheme: located}).values():
        for line in _describe_answer(answer):
            print(line)

    from gis_service.grids.answers.locating import describe_suggestion

    for suggestion in located.suggestions:
        say(describe_suggestion(suggestion, chosen))


def _describe_answer(answer: "SchemeAnswer") -> list[str]:
    chosen = language()

    def line(key: str, **values: Any) -> str:
        return text(f"locate.say_{key}", chosen, **values)

    version = answer.version
    lines = [line("scheme", scheme=answer.scheme_name, day=answer.day, since=version.effective_day)]
    if answer.grid is None:
        if answer.nearest is None:
            return [*lines, line("nowhere")]
        near = answer.nearest
        return [*lines, line("outside", name=near.name, code=near.code, m=near.distance_m)]
    for step in answer.grid.chain:
        lines.append(line("grid", name=step.name, code=step.code, level=step.level.label))
        lines += [
            line(
                "officer_away" if officer.on_leave else "officer",
                role=text(f"locate.say_role_{officer.role}", chosen),
                post=officer.post,
                name=officer.name,
                phone=officer.phone,
            )
            for officer in step.officers
        ]
    if answer.call is not None:
        called = answer.call.officer
        lines.append(line(f"call_{answer.call.because}", name=called.name, phone=called.phone))
    if answer.method == "border_tie":
        lines.append(line("tie"))
    if answer.distance_m is not None:
        across = answer.nearest
        lines.append(
            line("county_border", m=answer.distance_m)
            if across is None
            else line("border", m=answer.distance_m, name=across.name, code=across.code)
        )
    if answer.border_road is not None and answer.nearest is not None:
        names = ", ".join(
            f"{officer.post} {officer.name} {officer.phone}" for officer in answer.nearest.officers
        )
        lines.append(line("road", road=answer.border_road.name or "—", officers=names or "—"))
    return lines


def assign(
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help="CSV, GeoJSON, NDJSON or GeoPackage."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Where the file with its grids goes.")],
    crs: Annotated[
        str | None, typer.Option("--crs", help="cgcs2000, wgs84, gcj02, bd09, EPSG:n.")
    ] = None,
    scheme: Scheme = "base",
    at: Day = None,
    lon_column: Annotated[str | None, typer.Option(help="Column of longitude or easting.")] = None,
    lat_column: Annotated[str | None, typer.Option(help="Column of latitude or northing.")] = None,
    crs_column: Annotated[
        str | None, typer.Option(help="Column that names the system row by row.")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="Of a CSV; found out otherwise.")] = None,
    layer: Annotated[str | None, typer.Option(help="Of a GeoPackage with several.")] = None,
    rejects: Annotated[
        Path | None, typer.Option(help="Where refused rows are listed: OUT.rejects.csv otherwise.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put its grid behind every row of a file."""
    from gis_service.access import SYSTEM
    from gis_service.coordinate_systems import parse_crs
    from gis_service.grids.answers.sources import assign_file, read_sources
    from gis_service.grids.batch.rows import Options
    from gis_service.ingest.kinds.gpkg_assign import assign_geopackage
    from gis_service.ingest.readers.columns import find_coordinates
    from gis_service.store import open_store

    if not out.parent.is_dir():
        raise InputError("locate.no_folder", place=Place(field="out"), folder=out.parent)
    options = Options(
        parse_crs(crs) if crs else None,
        lon_column,
        lat_column,
        crs_column,
        encoding,
        find_coordinates,
        language(),
    )
    with open_store() as store, store.transaction(SYSTEM) as connection:
        sources = read_sources(connection, scheme, at.date() if at else None)
    listed = rejects or out.with_name(f"{out.name}.rejects.csv")
    result = assign_file(file, out, sources, options, listed, layer, assign_geopackage)
    suggestion = result["suggestion"]
    if suggestion is not None:
        key = "locate.file_swapped" if suggestion["swapped"] else "locate.file_system"
        share = f"{suggestion['share']:.0%}"
        say(text(key, language(), crs=suggestion["crs"], share=share))
    if as_json:
        print(json.dumps(result, ensure_ascii=False, default=str))
        return
    for name, value in result.items():
        print(f"{name}: {value}")
