"""``gis-service import KIND FILE``: any file of a county, with what was matched and refused shown.

People read standard error; ``--json`` prints the outcome for programs to standard output.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gis_service.commands.terminal import language, say
from gis_service.errors import InputError
from gis_service.ingest.kinds.options import OPTIONS
from gis_service.messages import Language, text
from gis_service.records.wording import find_text

if TYPE_CHECKING:
    from gis_service.ingest.kinds.kind import ImportOutcome

_SHOWN = 20


def add_commands(app: typer.Typer) -> None:
    """
    Add one command for each kind of file.

    Parameters
    ----------
    app
        The group ``import``.
    """
    for kind, own_options in OPTIONS.items():
        app.command(kind, help=find_text(f"ingest.kind_{kind}", (kind, kind), "en"))(
            _make_command(kind, own_options)
        )


def _make_command(kind: str, own_options: Mapping[str, str]) -> Callable[..., None]:
    option_help = "; ".join(f"{name}: {text(key, 'en')}" for name, key in own_options.items())

    def command(
        file: Annotated[
            Path, typer.Argument(help=".gpkg .geojson .shp .zip .csv .xlsx", show_default=False)
        ],
        crs: Annotated[
            str | None,
            typer.Option(
                help="Its system: cgcs2000, wgs84, gcj02, bd09, EPSG:n.", show_default=False
            ),
        ] = None,
        layer: Annotated[str | None, typer.Option(help="Layer or sheet.")] = None,
        encoding: Annotated[
            str | None, typer.Option(help="Of its texts; found out where not stated.")
        ] = None,
        key: Annotated[
            str | None, typer.Option(help="The column that names a row.", show_default=False)
        ] = None,
        column: Annotated[
            list[str] | None,
            typer.Option(
                metavar="FIELD=COLUMN", help="Our field and the file's column.", show_default=False
            ),
        ] = None,
        extra: Annotated[
            list[str] | None,
            typer.Option(
                "--set", metavar="NAME=VALUE", help=option_help or "Nothing for this kind."
            ),
        ] = None,
        replace: Annotated[
            bool, typer.Option("--replace", help="Take away what the file does not name.")
        ] = False,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Show what would happen; write nothing.")
        ] = False,
        accept_shift: Annotated[
            bool, typer.Option("--accept-shift", help="Take a file that looks shifted.")
        ] = False,
        refusals: Annotated[
            Path | None,
            typer.Option(
                help="Write the rows that were not taken to this CSV.", show_default=False
            ),
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
    ) -> None:
        from gis_service.access import SYSTEM
        from gis_service.coordinate_systems import parse_crs
        from gis_service.ingest.importing import import_file
        from gis_service.ingest.kinds.kind import ImportOptions
        from gis_service.store import open_store

        options = ImportOptions(
            crs=None if crs is None else parse_crs(crs),
            layer=layer,
            encoding=encoding,
            key=key,
            columns=_read_pairs(column or ()),
            replace=replace,
            dry_run=dry_run,
            accept_shift=accept_shift,
            extra=_read_pairs(extra or ()),
        )
        with open_store() as store:
            outcome = import_file(store, SYSTEM, kind, file, options, refusals_to=refusals)
        print_outcome(outcome, language())
        if refusals is not None:
            say(text("ingest.said_refusals_file", language(), file=refusals))
        if as_json:
            print(json.dumps(outcome.as_dict(language()), ensure_ascii=False))

    return command


def _read_pairs(arguments: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise InputError("ingest.bad_pair", given=argument[:60])
        pairs[name.strip()] = value.strip()
    return pairs


def print_outcome(outcome: "ImportOutcome", speech: Language) -> None:
    """Show people what became of a file."""

    def line(name: str, /, **values: object) -> None:
        say(text(f"ingest.said_{name}", speech, **values))

    nothing = "—"
    line(
        "file", file=outcome.file, crs=outcome.crs or nothing, encoding=outcome.encoding or nothing,
        layer=outcome.layer or nothing,
    )  # fmt: skip
    line("columns")
    for matched in outcome.columns:
        if matched.file is None:
            continue
        key = " " + text("ingest.said_key", speech) if matched.file == outcome.key else ""
        unused = text("ingest.said_unused", speech)
        say(f"  {matched.file} → {matched.field or unused}{key}")
    absent = [
        matched.field for matched in outcome.columns if matched.file is None and matched.field
    ]
    if absent:
        line("absent", fields=", ".join(absent))
    line(
        "counts", rows=outcome.rows, new=outcome.new, changed=outcome.changed, same=outcome.same,
        removed=outcome.removed, refused=len(outcome.refusals),
    )  # fmt: skip
    for note in outcome.notes:
        say(note.say(speech))
    for refusal in outcome.refusals[:_SHOWN]:
        place = [
            text(f"ingest.said_{name}", speech, value=value)
            for name, value in (
                ("row", refusal.row),
                ("feature", None if outcome.personal else refusal.feature),
                ("field", refusal.field),
            )
            if value is not None
        ]
        say(f"  {' '.join(place)}: {refusal.say(speech)}")
    if len(outcome.refusals) > _SHOWN:
        line("more", n=len(outcome.refusals) - _SHOWN)
    if outcome.dry_run:
        line("dry_run")
    elif outcome.import_id is None:
        line("nothing")
