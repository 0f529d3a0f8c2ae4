"""``gis-service incidents``: what is overdue, a list of reports taken in, the working days."""

import json
import sys
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from gis_service.commands.terminal import language, say
from gis_service.errors import InputError
from gis_service.messages import text

incidents_app = typer.Typer(help="Incidents: overdue, import, working days.", no_args_is_help=True)
calendar_app = typer.Typer(help="The working days deadlines count by.", no_args_is_help=True)
incidents_app.add_typer(calendar_app, name="calendar")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Day = Annotated[str, typer.Argument(help="2027-01-01")]


@incidents_app.command()
def overdue(
    soon: Annotated[bool, typer.Option("--soon", help="About to be overdue instead.")] = False,
    pass_up: Annotated[
        bool, typer.Option("--pass-up", help="Neither sent out nor passed upward in time instead.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List incidents past their last day, the oldest deadline first."""
    from gis_service.access import SYSTEM
    from gis_service.incidents.reading import IncidentFilter, list_incidents
    from gis_service.store import open_store

    due = "soon" if soon else "pass_up" if pass_up else "overdue"
    with open_store() as store, store.transaction(SYSTEM) as connection:
        rows, total = list_incidents(connection, SYSTEM, IncidentFilter(due=due), limit=1_000_000)
    if as_json:
        items = [
            {name: value for name, value in vars(row).items() if name != "text"} for row in rows
        ]
        print(json.dumps({"total": total, "items": items}, ensure_ascii=False, default=str))
        return
    reader_language = language()
    for row in rows:
        print(
            text(
                "incidents.list_line",
                reader_language,
                number=row.key,
                kind=row.kind,
                state=text(f"incidents.state_{row.status}", reader_language),
                tier=text(f"incidents.tier_{row.tier}", reader_language),
                department=f" {row.department}" if row.department else "",
                due_on=row.due_on,
                provisional=text("incidents.provisional", reader_language)
                if row.due_provisional
                else "",
            )
        )
    say(f"{due}: {total:,}")


@incidents_app.command("import")
def import_list(
    file: Annotated[Path, typer.Argument(help=".csv, .xlsx, .gpkg, .geojson, .shp …")],
    crs: Annotated[
        str | None, typer.Option(help="cgcs2000, wgs84, gcj02, bd09, EPSG:n of the coordinates.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make incidents of a list of reports; a number that is known already is left alone."""
    import numpy as np
    import shapely

    from gis_service.access import SYSTEM
    from gis_service.coordinate_systems import parse_crs
    from gis_service.incidents.lists import read_rows
    from gis_service.incidents.reporting import report_many
    from gis_service.incidents.rules import rule_book
    from gis_service.ingest.sandbox.client import read_table_in_child
    from gis_service.store import open_store

    table = read_table_in_child(file, crs=parse_crs(crs) if crs else None)
    if table.geometry is None:
        raise InputError("incidents.columns_missing", columns="lon, lat")
    shapes = np.asarray(table.geometry, dtype=object)
    points = shapely.point_on_surface(shapes)
    columns = {str(name): table.frame[name].tolist() for name in table.frame.columns}
    numbers = table.rows.tolist()
    reading = read_rows(
        rule_book(),
        columns,
        numbers,
        shapely.get_x(points).tolist(),
        shapely.get_y(points).tolist(),
    )
    drafts = [draft for _, draft in reading.drafts]
    with open_store() as store, store.transaction(SYSTEM) as connection:
        result = report_many(connection, SYSTEM, drafts)
    refused = [*reading.refused]
    refused += [(reading.drafts[refusal.row - 1][0], refusal.error) for refusal in result.refused]
    refused.sort(key=lambda pair: pair[0])
    reader_language = language()
    if as_json:
        answer: dict[str, Any] = {
            "new": result.incident_ids,
            "known": result.known,
            "refused": [
                {"row": row, **error.place.as_dict(), "reason": error.say(reader_language)}
                for row, error in refused
            ],
        }
        print(json.dumps(answer, ensure_ascii=False))
    else:
        for row, error in refused:
            say(
                text(
                    "incidents.bad_row",
                    reader_language,
                    row=row,
                    problem=error.say(reader_language),
                )
            )
        counts = {"new": len(result.incident_ids), "known": result.known, "refused": len(refused)}
        say(text("incidents.import_done", reader_language, **counts))
    if refused:
        sys.exit(InputError.exit_code)


@calendar_app.command()
def show(
    first: Day,
    last: Annotated[str | None, typer.Argument(help="The first day alone without it.")] = None,
    as_json: Json = False,
) -> None:
    """List days: worked or not, and who says so."""
    from gis_service.access import SYSTEM
    from gis_service.incidents.working_days import list_days
    from gis_service.store import open_store

    start = _read_day(first)
    with open_store() as store, store.transaction(SYSTEM) as connection:
        days = list_days(connection, start, _read_day(last) if last else start)
    if as_json:
        print(json.dumps([vars(day) for day in days], ensure_ascii=False, default=str))
        return
    reader_language = language()
    for day in days:
        kind = text("incidents.working" if day.is_working else "incidents.off", reader_language)
        source = text(f"incidents.source_{day.source}", reader_language)
        values = {"day": day.day, "kind": kind, "source": source, "reason": day.reason}
        print(text("incidents.calendar_day", reader_language, **values))


@calendar_app.command("set")
def set_day(
    day: Day,
    working: Annotated[bool, typer.Option("--working/--off", help="What the day is.")],
    reason: Annotated[str, typer.Option(help="Why, such as the number of a notice.")] = "",
) -> None:
    """Count a day otherwise than the published calendar does."""
    from gis_service.access import SYSTEM
    from gis_service.incidents import working_days
    from gis_service.store import open_store

    with open_store() as store, store.transaction(SYSTEM) as connection:
        working_days.set_day(connection, SYSTEM, _read_day(day), is_working=working, reason=reason)
    say(text("incidents.calendar_saved", language()))


@calendar_app.command()
def clear(day: Day) -> None:
    """Let a day count as published again."""
    from gis_service.access import SYSTEM
    from gis_service.incidents import working_days
    from gis_service.store import open_store

    with open_store() as store, store.transaction(SYSTEM) as connection:
        working_days.clear_day(connection, SYSTEM, _read_day(day))
    say(text("incidents.calendar_saved", language()))


@calendar_app.command()
def year(
    number: Annotated[int, typer.Argument(min=2000, max=2200)],
    complete: Annotated[
        bool, typer.Option("--complete/--open", help="Whether its holidays are entered whole.")
    ] = True,
    reason: Annotated[str, typer.Option(help="Such as the number of the notice.")] = "",
) -> None:
    """Say that a year's holidays are entered whole: its deadlines are no longer provisional."""
    from gis_service.access import SYSTEM
    from gis_service.incidents import working_days
    from gis_service.store import open_store

    with open_store() as store, store.transaction(SYSTEM) as connection:
        working_days.set_year(connection, SYSTEM, number, complete=complete, reason=reason)
    say(text("incidents.calendar_saved", language()))


def _read_day(word: str) -> date:
    try:
        return date.fromisoformat(word)
    except ValueError as error:
        raise InputError("incidents.bad_day", day=word[:20]) from error
