"""``gis-service plan …``: files of boundaries checked before loading; plans listed, published."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from gis_service.commands.terminal import exit_on_errors, language, say
from gis_service.messages import text

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
    from gis_service.ingest.kinds.grid_check import check_grids_file

    stated = dict(pair.partition("=")[::2] for pair in column or [])
    with exit_on_errors():
        result = check_grids_file(
            file, crs=crs, tolerance_m=tolerance_m, layer=layer, encoding=encoding,
            columns=stated, allow_holes=allow_holes,
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False))
    else:
        _print_check(result)
    if any(result["errors"].values()):
        raise typer.Exit(1)


@plan_app.command("list")
def list_plans(
    scheme: Annotated[str, typer.Option(help="Code of the scheme.")] = "base",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List plans of new boundaries and the versions in force."""
    from gis_service.access import SYSTEM
    from gis_service.boundaries.history import changes as history
    from gis_service.boundaries.plans import queries as plan_queries
    from gis_service.store import open_store

    with exit_on_errors(), open_store() as store, store.transaction(SYSTEM) as connection:
        lists = {
            "plans": plan_queries.list_plans(connection, scheme),
            "versions": history.list_versions(connection, SYSTEM, scheme),
        }
    if as_json:
        typer.echo(json.dumps(lists, ensure_ascii=False))
        return
    for row in lists["plans"]:
        typer.echo(f"plan {row['plan_id']}  {row['status']}  {row['edit_count']}  {row['title']}")
    for row in lists["versions"]:
        typer.echo(f"version {row['version_id']}  {row['effective_day']}  {row['title']}")


@plan_app.command("show")
def show_plan(
    plan_id: Annotated[int, typer.Argument(help="Which plan.")],
) -> None:
    """Print a plan with its edits, checks and what it would move, as JSON."""
    from gis_service.access import SYSTEM
    from gis_service.boundaries.plans import publication as plan_publication
    from gis_service.boundaries.plans import work as plan_work
    from gis_service.boundaries.plans.drafts import DraftCache
    from gis_service.store import open_store

    drafts = DraftCache()
    with exit_on_errors(), open_store() as store, store.transaction(SYSTEM) as connection:
        answer = plan_work.read_plan(connection, drafts, plan_id, language())
        with plan_publication.open_draft(connection, drafts, plan_id) as (plan, draft):
            answer["checks"] = plan_publication.check_draft(draft, language())
            answer["impact"] = plan_publication.measure_impact(connection, plan, draft)
    typer.echo(json.dumps(answer, ensure_ascii=False))


@plan_app.command("approve")
def approve_plan(
    plan_id: Annotated[int, typer.Argument(help="A plan that is submitted.")],
    words: Annotated[str, typer.Option(help="What is said about it.")] = "",
) -> None:
    """Agree to a plan that somebody else has drawn on the page; prints its state as JSON."""
    from gis_service.access import SYSTEM
    from gis_service.boundaries.plans import life as plan_life
    from gis_service.boundaries.plans import queries as plan_queries
    from gis_service.store import open_store

    with exit_on_errors(), open_store() as store, store.transaction(SYSTEM) as connection:
        plan = plan_queries.find_plan(connection, plan_id, lock=True)
        plan_life.decide(connection, SYSTEM, plan, "approved", words=words)
        answer = {"plan_id": plan_id, "status": plan_queries.find_plan(connection, plan_id).status}
    typer.echo(json.dumps(answer))


@plan_app.command("publish")
def publish_plan(
    plan_id: Annotated[int, typer.Argument(help="An approved plan.")],
    day: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="Its first day.")],
) -> None:
    """Make an approved plan the next version; prints what was moved as JSON."""
    from gis_service.access import SYSTEM
    from gis_service.boundaries.plans import publication as plan_publication
    from gis_service.boundaries.plans.drafts import DraftCache
    from gis_service.store import open_store

    with exit_on_errors(), open_store() as store, store.transaction(SYSTEM) as connection:
        answer = plan_publication.publish_plan(
            connection, DraftCache(), SYSTEM, plan_id, day.date(), {}
        )
    typer.echo(json.dumps(answer, ensure_ascii=False))


@plan_app.command("withdraw")
def withdraw_version(
    version_id: Annotated[int, typer.Argument(help="Which version.")],
    day: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="From this day.")],
    reason: Annotated[str, typer.Option(help="Why.")],
) -> None:
    """Take a version back: a new one equal to what was before; prints it as JSON."""
    from gis_service.access import SYSTEM
    from gis_service.boundaries.history.changes import withdraw_version
    from gis_service.boundaries.plans.publication import count_moved
    from gis_service.store import open_store

    with exit_on_errors(), open_store() as store, store.transaction(SYSTEM) as connection:
        published = withdraw_version(connection, SYSTEM, version_id, day.date(), reason)
    answer = {
        "version_id": published.version.version_id,
        "changed": published.changed,
        "retired": published.retired,
        "moved": count_moved(published),
        "reopened_duties": published.reopened_duties,
    }
    typer.echo(json.dumps(answer, ensure_ascii=False))


def _print_check(result: dict[str, Any]) -> None:
    for note in result["notes"]:
        say(text(note["note"], language(), **note))
    for name in ("errors", "warnings", "repairs"):
        typer.echo(f"{name}: " + ", ".join(f"{kind} {n}" for kind, n in result[name].items()))
    for place in result["places"]:
        lon, lat = place["lonlat"] or ("—", "—")
        say(
            f"{place['list']} {place['kind']}: {' / '.join(place['grids'])}"
            f" (row {', '.join(str(row) for row in place['rows'])})"
            f" ({place['width_m']} m, {place['area_m2']} m²) {lon}, {lat}"
        )
