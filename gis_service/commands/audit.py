"""``gis-service audit``: who did and saw what, where the chain of it ends, whether it is whole."""

import json
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gis_service.commands.region_option import Region, find_region_database
from gis_service.commands.terminal import language, say
from gis_service.errors import InputError, Place
from gis_service.messages import text

if TYPE_CHECKING:
    from gis_service.access.audit import EventFilter
    from gis_service.access.chain import ChainFault, ChainHead

audit_app = typer.Typer(help="The record of who did and saw what.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Since = Annotated[str | None, typer.Option(help="From then on: 2026-03-01T08:00:00+08:00.")]
Until = Annotated[str | None, typer.Option(help="Before then.")]
Who = Annotated[int | None, typer.Option("--actor", help="Only of this actor.")]
Action = Annotated[str | None, typer.Option(help="reveal, list, publish, …")]
Kind = Annotated[str | None, typer.Option("--kind", help="household, incident, plan, …")]
Object = Annotated[str | None, typer.Option("--object", help="Only this one of the kind.")]
_EVERYTHING = 2**62


@audit_app.command("list")
def list_events(
    since: Since = None,
    until: Until = None,
    actor: Who = None,
    action: Action = None,
    kind: Kind = None,
    object_id: Object = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The newest so many.")] = 50,
    region: Region = None,
) -> None:
    """List events, the newest first, one JSON object a line; that it was read is recorded."""
    from gis_service.access import SYSTEM, audit, record
    from gis_service.store import open_store

    wanted = _read_filter(since, until, actor, action, kind, object_id)
    with (
        open_store(database=find_region_database(region)) as store,
        store.transaction(SYSTEM) as connection,
    ):
        events = audit.list_events(connection, wanted, limit=limit)
        after = {**wanted.as_dict(), "rows": len(events)}
        record(connection, SYSTEM, "read", "event", after=after)
    for event in events:
        print(json.dumps(asdict(event), ensure_ascii=False, default=str))


@audit_app.command()
def export(
    since: Since = None,
    until: Until = None,
    actor: Who = None,
    action: Action = None,
    kind: Kind = None,
    object_id: Object = None,
    region: Region = None,
) -> None:
    """Print events as CSV, the newest first; that it was done is recorded."""
    from gis_service.access import SYSTEM, record
    from gis_service.access.record_file import write_record
    from gis_service.store import open_store

    wanted = _read_filter(since, until, actor, action, kind, object_id)
    with open_store(database=find_region_database(region)) as store:
        with store.transaction(SYSTEM) as connection:
            record(connection, SYSTEM, "download", "event", after=wanted.as_dict())
        for lines in write_record(store, SYSTEM, wanted, None, _EVERYTHING):
            sys.stdout.write(lines)


@audit_app.command()
def head(region: Region = None) -> None:
    """Seal what is not sealed yet and print where the chain ends, to be kept elsewhere."""
    from gis_service.access import SYSTEM, audit
    from gis_service.access.sealing import seal
    from gis_service.store import open_store

    with open_store(database=find_region_database(region)) as store:
        seal(store)
        with store.transaction(SYSTEM, read_only=True) as connection:
            newest = audit.read_head(connection)
    print(json.dumps(None if newest is None else asdict(newest), default=str))


@audit_app.command()
def verify(
    heads: Annotated[
        list[str] | None, typer.Option("--head", help="NUMBER:HASH, as it was left elsewhere.")
    ] = None,
    head_file: Annotated[
        Path | None, typer.Option(help="A file of such heads, as GIS_AUDIT_HEAD_FILE is.")
    ] = None,
    as_json: Json = False,
    region: Region = None,
) -> None:
    """Calculate the whole chain again; ends with 1 where something is not as it was sealed."""
    from gis_service.access import SYSTEM
    from gis_service.access.chain import verify_record
    from gis_service.store import open_store

    outside = [_read_head(line, "--head") for line in heads or []]
    if head_file is not None:
        lines = head_file.read_text("utf-8").splitlines()
        outside += [_read_head(line, "--head-file") for line in lines if line.strip()]
    with (
        open_store(database=find_region_database(region)) as store,
        store.transaction(SYSTEM, read_only=True) as connection,
    ):
        found = verify_record(connection, outside)
    if as_json:
        print(json.dumps(asdict(found)))
    else:
        for fault in found.faults:
            print(_describe(fault))
        key = "access.chain_broken" if found.faults else "access.chain_whole"
        say(
            text(
                key, language(), faults=f"{len(found.faults):,}", sealed=f"{found.sealed:,}",
                unsealed=f"{found.unsealed:,}", heads=f"{len(outside):,}",
            )
        )  # fmt: skip
    sys.exit(1 if found.faults else 0)


def _read_filter(
    since: str | None,
    until: str | None,
    actor: int | None,
    action: str | None,
    kind: str | None,
    object_id: str | None,
) -> "EventFilter":
    from gis_service.access.audit import EventFilter

    first, last = _read_moment(since, "--since"), _read_moment(until, "--until")
    return EventFilter(first, last, actor, action, kind, object_id)


def _read_moment(written: str | None, option: str) -> datetime | None:
    try:
        moment = None if written is None else datetime.fromisoformat(written)
    except ValueError as error:
        raise InputError("incidents.no_offset", place=Place(field=option)) from error
    if moment is not None and moment.tzinfo is None:
        raise InputError("incidents.no_offset", place=Place(field=option))
    return moment


def _describe(fault: "ChainFault") -> str:
    return text(
        f"access.chain_{fault.kind}", language(), event=fault.event_id, number=fault.seal_number
    )


def _read_head(line: str, option: str) -> "ChainHead":
    from gis_service.access.chain import ChainHead

    number, _, digest = line.split(maxsplit=1)[0].partition(":")
    if not number.isascii() or not number.isdigit() or len(digest) != 64:
        raise InputError("access.bad_head", place=Place(field=option))
    return ChainHead(int(number), digest)
