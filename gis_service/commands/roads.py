"""``gis-service roads …``: what looks wrong with the county's road network.

Figures for programs go to standard output as JSON, the same in a few lines for people.
"""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from gis_service.commands.region_option import Region, find_region_database
from gis_service.commands.terminal import language
from gis_service.errors import NotFoundError, Place
from gis_service.messages import Language, text

if TYPE_CHECKING:
    from gis_service.coverage.runs.network_report import NetworkReport, Spot

roads_app = typer.Typer(help="Look at the road network.", no_args_is_help=True)
_SHOWN = 10


@roads_app.callback()
def _roads() -> None:
    """Look at the road network."""


@roads_app.command("report")
def roads_report(
    profile: Annotated[str, typer.Option(help="Whose roads: walk, fire_engine, …")] = "fire_engine",
    far_house_m: Annotated[
        float, typer.Option(min=1, help="Houses farther than this from any road are listed.")
    ] = 200.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    region: Region = None,
) -> None:
    """List pieces cut off, dead ends at the border, missing bridges, houses far from a road."""
    from gis_service.access import SYSTEM
    from gis_service.coverage.runs.network_report import ReportRules
    from gis_service.coverage.runs.network_report_reading import read_report
    from gis_service.coverage.standards.book import standard_book
    from gis_service.store import open_store

    profiles = standard_book().profiles
    if profile not in profiles:
        raise NotFoundError(
            "roads.unknown_profile",
            place=Place(field="profile"),
            profile=profile,
            known=" / ".join(profiles),
        )
    with (
        open_store(database=find_region_database(region)) as store,
        store.transaction(SYSTEM) as connection,
    ):
        report = read_report(connection, SYSTEM, profiles[profile], ReportRules(far_house_m))
    if as_json:
        print(json.dumps(report.as_dict(), ensure_ascii=False))
        return
    for line in _describe_report(report, language()):
        print(line)


def _describe_report(report: "NetworkReport", chosen: Language) -> Iterator[str]:
    """Tell the report to people: a summary, then of each fault the gravest."""
    yield text(
        "roads.report",
        chosen,
        nodes=f"{report.nodes:,}",
        edges=f"{report.edges:,}",
        usable=f"{report.usable_edges:,}",
        km=f"{report.length_m / 1000:,.1f}",
        cut_off=len(report.cut_off),
        border_ends=len(report.border_ends),
        gaps=len(report.gaps),
        houses=f"{report.houses:,}",
        far_houses=f"{len(report.far_houses):,}",
        far_m=f"{report.rules.far_house_m:g}",
    )
    kept_only = sum(report.turns.not_applied.values())
    if report.turns.applied or kept_only:
        yield text(
            "roads.turns", chosen, n=report.turns.applied + kept_only, applied=report.turns.applied
        )
    for why, count in report.turns.not_applied.items():
        yield text(f"roads.turn_{why}", chosen, n=count)
    if report.turns.barriers:
        yield text("roads.barriers", chosen, n=report.turns.barriers)
    listed = {
        "cut_off": [
            text(
                "roads.cut_off",
                chosen,
                **_lon_lat(piece.at),
                edges=piece.edges,
                metres=round(piece.length_m),
            )
            for piece in report.cut_off
        ],
        "border_ends": [
            text("roads.border_end", chosen, **_lon_lat(end)) for end in report.border_ends
        ],
        "gaps": [
            text(
                "roads.gap_over_water" if gap.over_water else "roads.gap",
                chosen,
                **_lon_lat(gap.one),
                metres=round(gap.gap_m),
            )
            for gap in report.gaps
        ],
        "far_houses": [
            text("roads.far_house", chosen, **_lon_lat(spot), metres=round(metres))
            if metres is not None
            else text("roads.no_road_house", chosen, **_lon_lat(spot))
            for spot, metres in report.far_houses
        ],
    }
    for lines in listed.values():
        yield from lines[:_SHOWN]
        if len(lines) > _SHOWN:
            yield text("roads.more", chosen, n=f"{len(lines) - _SHOWN:,}")


def _lon_lat(spot: "Spot") -> dict[str, str]:
    return {"lon": f"{spot.lon:.6f}", "lat": f"{spot.lat:.6f}"}
