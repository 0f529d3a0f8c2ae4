"""``gis-service roads …``: what looks wrong with the county's road network.

Figures for programs go to standard output as JSON, the same in a few lines for people.
"""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from gis_service.access import SYSTEM
from gis_service.commands.terminal import language
from gis_service.errors import NotFoundError, Place
from gis_service.messages import text
from gis_service.store import open_store

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
) -> None:
    """List pieces cut off, dead ends at the border, missing bridges, houses far from a road."""
    from gis_service.coverage.network_report import ReportRules  # noqa: PLC0415 (slow to import)
    from gis_service.coverage.network_report_desk import read_report  # noqa: PLC0415
    from gis_service.coverage.standards import standard_book  # noqa: PLC0415

    known = standard_book().profiles
    if profile not in known:
        raise NotFoundError(
            "roads.unknown_profile",
            place=Place(field="profile"),
            profile=profile,
            known=" / ".join(known),
        )
    with open_store() as store, store.transaction(SYSTEM) as connection:
        found = read_report(connection, SYSTEM, known[profile], ReportRules(far_house_m))
    if as_json:
        print(json.dumps(found.as_dict(), ensure_ascii=False))
        return
    chosen = language()
    print(
        text(
            "roads.report",
            chosen,
            nodes=found.nodes,
            edges=found.edges,
            usable=found.usable_edges,
            km=round(found.length_m / 1000, 1),
            cut_off=len(found.cut_off),
            border_ends=len(found.border_ends),
            gaps=len(found.gaps),
            houses=found.houses,
            far_houses=len(found.far_houses),
            far_m=far_house_m,
        )
    )
    for piece in found.cut_off[:_SHOWN]:
        values = {**asdict(piece.at), "edges": piece.edges, "metres": round(piece.length_m)}
        print(text("roads.cut_off", chosen, **values))
    for gap in found.gaps[:_SHOWN]:
        key = "roads.gap_over_water" if gap.over_water else "roads.gap"
        print(text(key, chosen, **asdict(gap.one), metres=gap.gap_m))
