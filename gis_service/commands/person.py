"""``gis-service person``: one person's data found, handed out and erased on request."""

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from gis_service.commands.region_option import Region, find_region_database
from gis_service.commands.terminal import language, say
from gis_service.messages import text

if TYPE_CHECKING:
    from gis_service.entry.person import WhichPerson

person_app = typer.Typer(
    help="One person's data: found, handed out, erased on request.", no_args_is_help=True
)

Phone = Annotated[str, typer.Option(help="A telephone, whole.")]
Name = Annotated[str, typer.Option(help="A name, whole; alone it only finds.")]
Household = Annotated[str, typer.Option("--household", help="The county's key of a household.")]
Officer = Annotated[str, typer.Option("--officer", help="The county's key of an officer.")]


@person_app.command()
def find(
    phone: Phone = "",
    name: Name = "",
    household: Household = "",
    officer: Officer = "",
    region: Region = None,
) -> None:
    """Count what is kept of a person; that it was asked is recorded."""
    _find(_which(phone, name, household, officer), region, "find")


@person_app.command()
def export(
    phone: Phone = "",
    name: Name = "",
    household: Household = "",
    officer: Officer = "",
    region: Region = None,
) -> None:
    """Print all that is kept of a person as JSON, in clear; that it was done is recorded."""
    _find(_which(phone, name, household, officer), region, "export")


@person_app.command()
def erase(
    phone: Phone = "",
    name: Name = "",
    household: Household = "",
    officer: Officer = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, erase nothing.")] = False,
    region: Region = None,
) -> None:
    """Empty names, telephones and care tags of a person; rows and the record of it stay."""
    from gis_service.access import SYSTEM
    from gis_service.entry.person import erase_person
    from gis_service.search.entries import refresh
    from gis_service.settings import import_settings
    from gis_service.store import open_store

    which = _which(phone, name, household, officer)
    _find(which, region, "find")
    if dry_run:
        return
    say(text("entry.person_ask", language()))
    if not yes and sys.stdin.readline().strip().lower() not in ("y", "yes", "是"):
        say(text("entry.person_not", language()))
        sys.exit(1)
    with open_store(database=find_region_database(region)) as store:
        with store.transaction(SYSTEM) as connection:
            found = erase_person(connection, SYSTEM, which)
        refresh(store)  # nobody finds an officer by the name that was
    photos = [name for names in found.photos.values() for name in names]
    for photo in photos:
        print(photo)
    days = import_settings().keep_days
    say(text("entry.person_kept", language(), photos=len(photos), days=f"{days:g}"))


def _which(phone: str, name: str, household: str, officer: str) -> "WhichPerson":
    from gis_service.entry.person import WhichPerson

    return WhichPerson(phone.strip(), name.strip(), household.strip(), officer.strip())


def _find(which: "WhichPerson", region: Region, purpose: str) -> None:
    from gis_service.access import SYSTEM
    from gis_service.entry.person import find_person
    from gis_service.store import open_store

    with (
        open_store(database=find_region_database(region)) as store,
        store.transaction(SYSTEM) as connection,
    ):
        found = find_person(connection, SYSTEM, which, purpose)
    told = asdict(found) if purpose == "export" else found.counts
    print(json.dumps(told, ensure_ascii=False, default=str, indent=1))
