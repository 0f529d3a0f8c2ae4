"""``gis-service coverage …``: measure the county, compare two runs, and ask what would be.

Figures for programs go to standard output as JSON, the same in a few lines for people.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gis_service.commands.region_option import Region, find_region_database
from gis_service.commands.terminal import language, say
from gis_service.errors import InputError, Place
from gis_service.messages import text

if TYPE_CHECKING:
    from gis_service.coverage.siting.what_if import Change

coverage_app = typer.Typer(help="Measure who is reached in time.", no_args_is_help=True)

Standard = Annotated[str, typer.Argument(help="service-15, fire-20, …: see coverage standards")]
Scenario = Annotated[str, typer.Option(help="normal, night, rain, rush_hour, …")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")]


@coverage_app.command("run")
def coverage_run(
    standard: Standard,
    scenario: Scenario = "normal",
    as_json: AsJson = False,
    region: Region = None,
) -> None:
    """Measure one standard for every household, now, and store the run."""
    from gis_service.access import SYSTEM
    from gis_service.coverage.measuring import notes as run_notes
    from gis_service.coverage.runs import runs
    from gis_service.store import open_store

    began = time.monotonic()
    with open_store(database=find_region_database(region)) as store:
        result: dict[str, Any] = runs.measure(
            store, SYSTEM, standard, scenario, _make_progress(as_json)
        )
    result["seconds"] = round(time.monotonic() - began, 1)
    for note, sentence in zip(
        result["notes"], run_notes.notes_as_text(result["notes"], language()), strict=True
    ):
        note["text"] = sentence
        say(sentence)
    if as_json:
        _print_json(result)
        return
    print(f"run {result['run_id']}: {standard}, {scenario}, {result['seconds']} s")
    _print_figures(result)


@coverage_app.command("standards")
def coverage_standards(as_json: AsJson = False) -> None:
    """List standards and scenarios in force, each number with its source."""
    from gis_service.coverage.standards.book import standard_book, translate_source

    book = standard_book()
    if as_json:
        _print_json(book.model_dump(mode="json", include={"standards", "scenarios", "place"}))
        return
    chinese = language() == "zh-CN"
    for code, standard in book.standards.items():
        name = standard.name if chinese else standard.name_en
        rule = standard.rule.value
        needed = rule if isinstance(rule, str) else f"{rule}/{len(standard.kinds)}"
        source = translate_source(standard.limit_minutes.source, language())
        print(
            f"{code}: {name}; {standard.limit_minutes.value:g} min, {standard.profile}, "
            f"{needed} {', '.join(standard.kinds)} ({source})"
        )
    for code, scenario in book.scenarios.items():
        name = scenario.name if chinese else scenario.name_en
        print(
            f"{code}: {name}; x {scenario.factor('motor'):g}, on foot x "
            f"{scenario.factor('foot'):g} "
            f"({translate_source(scenario.speed_factor.source, language())})"
        )


@coverage_app.command("compare")
def coverage_compare(
    before: Annotated[int, typer.Argument(help="Number of the run before.")],
    after: Annotated[int, typer.Argument(help="Number of the run after.")],
    as_json: AsJson = False,
    region: Region = None,
) -> None:
    """Compare two runs: the county, the grids, households gained and lost."""
    from gis_service.access import SYSTEM
    from gis_service.coverage.runs.comparing import make_comparison
    from gis_service.store import open_store

    with (
        open_store(database=find_region_database(region)) as store,
        store.transaction(SYSTEM) as connection,
    ):
        comparison = make_comparison(connection, SYSTEM, before, after)
    if as_json:
        _print_json(
            {
                **vars(comparison),
                "a": {"run_id": comparison.a.run_id, "standard": comparison.a.standard},
                "b": {"run_id": comparison.b.run_id, "standard": comparison.b.standard},
                "grids": [
                    {**vars(grid), "a": grid.a and vars(grid.a), "b": grid.b and vars(grid.b)}
                    for grid in comparison.grids
                ],
            }
        )
        return
    print(f"differs: {', '.join(comparison.differs) or '-'}")
    for of, sides in comparison.county.items():
        if sides["delta"] is not None:
            print(f"{of}: {_describe_share(sides['a'])} -> {_describe_share(sides['b'])}")
    print(
        f"gained {comparison.gained:,}, lost {comparison.lost:,}, grids {len(comparison.grids):,}"
    )


@coverage_app.command("what-if")
def coverage_what_if(
    standard: Standard,
    scenario: Scenario = "normal",
    move: Annotated[
        list[str] | None, typer.Option(help="FACILITY_ID,LON,LAT: it stands there.")
    ] = None,
    add: Annotated[
        list[str] | None, typer.Option(help="KIND,LON,LAT: one more, such as fire_station.")
    ] = None,
    remove: Annotated[list[int] | None, typer.Option(help="FACILITY_ID: one less.")] = None,
    close: Annotated[
        list[str] | None, typer.Option(help="LON,LAT on a road, or EDGE_ID: closed.")
    ] = None,
    road: Annotated[
        list[str] | None, typer.Option(help="CLASS,LON,LAT,LON,LAT,…: a new road.")
    ] = None,
    as_json: AsJson = False,
    region: Region = None,
) -> None:
    """Say what the figures would be with stations or roads changed; nothing is stored."""
    from gis_service.access import SYSTEM
    from gis_service.coverage.siting.what_if_answers import answer_what_if, measure_county
    from gis_service.snapshot import Snapshot
    from gis_service.store import open_store

    changes = _read_changes(move or (), add or (), remove or (), close or (), road or ())
    with (
        open_store(database=find_region_database(region)) as store,
        store.transaction(SYSTEM) as connection,
    ):
        snapshot = Snapshot()
        measure_county(snapshot, connection, SYSTEM, standard, scenario)
        began = time.perf_counter()
        answer = answer_what_if(snapshot, connection, SYSTEM, standard, scenario, changes)
        seconds = round(time.perf_counter() - began, 4)
    result = answer.what_if
    notes = [text(f"coverage.note_{note}", language()) for _, note in result.notes]
    if as_json:
        _print_json(
            {
                "before": result.before,
                "after": result.after,
                "towns": [
                    {**vars(town), "before": vars(town.before), "after": vars(town.after)}
                    for town in answer.towns
                ],
                "changed_grids": len(answer.grids),
                "gained": result.gained,
                "lost": result.lost,
                "closed": result.closed,
                "notes": notes,
                "seconds": seconds,
            }
        )
        return
    for note in notes:
        say(note)
    print(f"{_describe_share(result.before)} -> {_describe_share(result.after)}")
    print(f"gained {result.gained:,}, lost {result.lost:,}, {seconds} s")


def _read_changes(
    moves: Sequence[str],
    additions: Sequence[str],
    removals: Sequence[int],
    closures: Sequence[str],
    roads: Sequence[str],
) -> "list[Change]":
    from gis_service.coverage.siting import what_if
    from gis_service.store.tables import FACILITY_KINDS, ROAD_CLASSES

    changes: list[Change] = []
    for move in moves:
        number, lon, lat = _split_argument("move", move, int, float, float)
        changes.append(what_if.MoveStation(number, lon, lat))
    for addition in additions:
        kind, lon, lat = _split_argument("add", addition, str, float, float)
        if kind not in FACILITY_KINDS:
            raise _not_understood("add", addition)
        changes.append(what_if.AddStation(kind, lon, lat))
    changes += [what_if.RemoveStation(facility_id) for facility_id in removals]
    for closure in closures:
        if "," in closure:
            lon, lat = _split_argument("close", closure, float, float)
            changes.append(what_if.CloseRoad(lon=lon, lat=lat))
        else:
            changes.append(what_if.CloseRoad(tuple(_split_argument("close", closure, int))))
    for road in roads:
        vertices = road.count(",")
        road_class, *numbers = _split_argument("road", road, str, *([float] * vertices))
        if vertices < 4 or vertices % 2 or road_class not in ROAD_CLASSES:
            raise _not_understood("road", road)
        line = tuple(zip(numbers[::2], numbers[1::2], strict=True))
        changes.append(what_if.AddRoad(line, road_class))
    return changes


def _split_argument(option: str, argument: str, *kinds: Callable[[str], Any]) -> list[Any]:
    parts = argument.split(",")
    if len(parts) != len(kinds):
        raise _not_understood(option, argument)
    try:
        return [kind(part.strip()) for kind, part in zip(kinds, parts, strict=True)]
    except ValueError as error:
        raise _not_understood(option, argument) from error


def _not_understood(option: str, argument: str) -> InputError:
    return InputError(
        "coverage.change_not_understood",
        place=Place(field=f"--{option}"),
        option=option,
        given=argument,
    )


def _make_progress(quiet: bool) -> Callable[[float, str], None]:
    last = [""]

    def tell(_describe_share: float, step: str) -> None:
        if not quiet and step != last[0]:
            say(text(step, language()))
        last[0] = step

    return tell


def _print_figures(summary: Mapping[str, Any]) -> None:
    by_name = {summary["of"]: summary, **summary["kinds"], **summary["others"]}
    for name, figures in by_name.items():
        print(
            f"{name}: {_describe_share(figures)} ({figures['status']}); "
            f"too far {figures['too_far']:,}, "
            f"unreachable {figures['unreachable']:,}, off the network {figures['off_network']:,}"
        )


def _describe_share(figures: Mapping[str, Any]) -> str:
    share = "-" if figures["share"] is None else f"{figures['share']:.2%}"
    return f"{figures['covered']:,} of {figures['n']:,} ({share})"


def _print_json(result: Mapping[str, Any]) -> None:
    print(json.dumps(result, ensure_ascii=False, default=_as_json_value))


def _as_json_value(value: object) -> object:
    return vars(value) if hasattr(value, "__dict__") else str(value)
