"""The command ``map``: the county as one file, the sheet of a grid, the sheets of a town."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from gis_service.commands.terminal import language, say
from gis_service.errors import InputError
from gis_service.messages import Language, choose_language, text

if TYPE_CHECKING:
    from gis_service.maps.sheets.grid_sheet import Format, SheetOptions
    from gis_service.store import Store

_FORMATS = ("html", "pdf", "png")


def print_map(
    out: Annotated[Path, typer.Option("--out", help="The file to write.")],
    grid: Annotated[
        str, typer.Option(help="The sheet of one grid: its code, also in groups, or its id.")
    ] = "",
    town: Annotated[
        str, typer.Option(help="All grids of a town in one PDF: the code of its grid or unit.")
    ] = "",
    form: Annotated[
        str, typer.Option("--format", help="html, pdf or png; by default as the file ends.")
    ] = "",
    paper: Annotated[str, typer.Option(help="A4 or A3.")] = "A4",
    public: Annotated[
        bool, typer.Option("--public", help="Without the line for internal use and without leave.")
    ] = False,
    maker: Annotated[
        str, typer.Option(help="Who answers for the map; the county if not told.")
    ] = "",
    approval: Annotated[str, typer.Option(help="The map approval number 审图号.")] = "",
    at: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="As of a day.")] = None,
    language_name: Annotated[str, typer.Option("--language", help="zh-CN or en.")] = "zh-CN",
) -> None:
    """Write the map: of the county as one HTML file, or the sheet of a grid, or of a whole town."""
    from gis_service.maps.sheets import grid_sheet, layout
    from gis_service.store import open_store

    if grid and town:
        raise InputError("sheet.grid_or_town")
    if paper not in get_args(layout.Paper):
        raise InputError("sheet.bad_paper", paper=paper)
    chosen = choose_language(language_name)
    options = grid_sheet.SheetOptions(
        paper="A3" if paper == "A3" else "A4",
        language=chosen,
        public=public,
        maker=maker,
        approval=approval,
        at=at.date() if at else None,
    )
    kind = _read_format(form, out, "pdf" if town else "")
    with open_store() as store:
        if grid:
            _write_file(out, _print_grid(store, grid, kind, options))
        elif town:
            _check_format("pdf", kind)
            _write_file(out, _print_town(store, town, options))
        else:
            _check_format("html", kind)
            _write_county_map(store, out, chosen)


def _read_format(form: str, out: Path, otherwise: str) -> "Format":
    name = form or out.suffix.removeprefix(".").lower() or otherwise
    for known_format in _FORMATS:
        if name == known_format:
            return known_format  # type: ignore[return-value]
    raise InputError("sheet.bad_out", file=out.name)


def _check_format(needed: str, kind: str) -> None:
    if kind != needed:
        raise InputError("sheet.one_format", format=kind)


def _print_grid(store: "Store", grid: str, kind: "Format", options: "SheetOptions") -> bytes:
    from gis_service.access import SYSTEM
    from gis_service.maps.sheets.grid_sheet import find_grid, print_grid

    with store.transaction(SYSTEM) as connection:
        grid_id = find_grid(connection, grid, options.at)
        return print_grid(connection, SYSTEM, grid_id, kind, options).body


def _print_town(store: "Store", town: str, options: "SheetOptions") -> bytes:
    from gis_service.access import SYSTEM
    from gis_service.maps.sheets.grid_sheet import find_town, print_town

    def progress(done: int, total: int, name: str) -> None:
        say(text("sheet.progress", language(), done=done, total=total, name=name))

    with store.transaction(SYSTEM) as connection:
        grid_id = find_town(connection, town, options.at)
        return print_town(connection, SYSTEM, grid_id, options, progress).body


def _write_county_map(store: "Store", out: Path, chosen: Language) -> None:
    from gis_service.access import SYSTEM
    from gis_service.maps.page.one_file import write_map

    _say_written(out, write_map(store, SYSTEM, out, chosen))


def _write_file(out: Path, body: bytes) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = out.with_name(f"{out.name}.part")
    draft.write_bytes(body)
    draft.replace(out)
    _say_written(out, len(body))


def _say_written(out: Path, size: int) -> None:
    say(text("sheet.written", language(), file=out, kb=f"{size / 1000:,.0f}"))
