"""``gis-service user`` and ``gis-service key``: accounts and keys from the machine itself.

Runs as the system, and is written down as that. Links and keys go to standard output, once.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gis_service.commands.terminal import language, say
from gis_service.errors import InputError, Place
from gis_service.messages import text

if TYPE_CHECKING:
    import sqlalchemy as sa

    from gis_service.access.accounts import UserAccount

user_app = typer.Typer(help="Accounts of people who sign in.", no_args_is_help=True)
key_app = typer.Typer(help="Keys of other systems.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Login = Annotated[str, typer.Argument(help="The login of an account.")]
AreaWords = Annotated[
    list[str] | None,
    typer.Option("--area", help="Code or id of a grid of any level; may be given several times."),
]


@user_app.command("list")
def list_users(as_json: Json = False) -> None:
    """List accounts."""
    from gis_service.access import SYSTEM, accounts
    from gis_service.store import open_store

    with open_store() as store, store.transaction(SYSTEM, read_only=True) as connection:
        listed = accounts.list_accounts(connection)
    if as_json:
        _print_json([asdict(account) for account in listed])
        return
    for account in listed:
        _print_account(account)


@user_app.command("add")
def add_user(
    login: Annotated[str, typer.Argument(help="By which one signs in.")],
    name: Annotated[str, typer.Option(help="Of the person.")],
    role: Annotated[str, typer.Option(help="administrator, county_office, grid_officer, …")],
    name_en: Annotated[str, typer.Option(help="The name in Latin letters.")] = "",
    area: AreaWords = None,
    as_json: Json = False,
) -> None:
    """Make an account, and a link by which its owner chooses a password."""
    from gis_service.access import SYSTEM, accounts
    from gis_service.access.links import make_link
    from gis_service.store import open_store

    with open_store() as store, store.transaction(SYSTEM) as connection:
        areas = _find_areas(connection, area)
        new = accounts.NewAccount(login, name, role, name_en, areas)
        account = accounts.make_account(connection, SYSTEM, new)
        link = make_link(connection, SYSTEM, account.actor_id)
    _print_links([(account, link)], as_json=as_json)


@user_app.command("import")
def import_users(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False, help="CSV: login,name,name_en,role,areas,officer"
        ),
    ],
    as_json: Json = False,
) -> None:
    """Take a list of accounts, all of it or nothing, and print a link for each."""
    from gis_service.access import SYSTEM, accounts
    from gis_service.access.links import make_link
    from gis_service.store import open_store

    try:
        table = file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise InputError("access.list_not_utf8", place=Place(field=file.name)) from error
    try:
        with open_store() as store, store.transaction(SYSTEM) as connection:
            made = accounts.import_accounts(connection, SYSTEM, table)
            links = [(account, make_link(connection, SYSTEM, account.actor_id)) for account in made]
    except accounts.AccountListError as refused:
        for wrong in refused.errors:
            place = ", ".join(f"{key} {value}" for key, value in wrong.place.as_dict().items())
            say(f"{place}: {wrong.say(language())}")
        raise
    _print_links(links, as_json=as_json)


@user_app.command("change")
def change_user(
    login: Login,
    name: Annotated[str | None, typer.Option(help="Of the person.")] = None,
    name_en: Annotated[str | None, typer.Option(help="The name in Latin letters.")] = None,
    role: Annotated[str | None, typer.Option(help="Another role.")] = None,
    as_json: Json = False,
) -> None:
    """Change the name or the role of an account."""
    given = {"name": name, "name_en": name_en, "role": role}
    _change(login, {key: value for key, value in given.items() if value is not None}, as_json)


@user_app.command("areas")
def set_areas(
    login: Login,
    area: AreaWords = None,
    county: Annotated[bool, typer.Option("--county", help="The whole county.")] = False,
    as_json: Json = False,
) -> None:
    """Set the areas that an account answers for."""
    if county == bool(area):
        raise InputError("access.areas_or_county", place=Place(field="--area"))
    _change(login, {"areas": None if county else area}, as_json)


def _change(login: str, changes: dict[str, Any], as_json: bool) -> None:
    from gis_service.access import SYSTEM, accounts
    from gis_service.store import open_store

    with open_store() as store, store.transaction(SYSTEM) as connection:
        if changes.get("areas") is not None:
            changes["areas"] = _find_areas(connection, changes["areas"])
        actor_id = accounts.find_account_of_login(connection, login).actor_id
        account = accounts.change_account(connection, SYSTEM, actor_id, changes)
    _print_account(account, as_json=as_json)


@user_app.command("end")
def end_user(login: Login, as_json: Json = False) -> None:
    """End an account with its sessions and streams."""
    from gis_service.access import SYSTEM, accounts
    from gis_service.store import open_store

    with open_store() as store, store.transaction(SYSTEM) as connection:
        actor_id = accounts.find_account_of_login(connection, login).actor_id
        account = accounts.end_account(connection, SYSTEM, actor_id)
    _print_account(account, as_json=as_json)


@user_app.command("link")
def link_user(login: Login, as_json: Json = False) -> None:
    """Print a link by which somebody chooses another password."""
    from gis_service.access import SYSTEM, accounts
    from gis_service.access.links import make_link
    from gis_service.store import open_store

    with open_store() as store, store.transaction(SYSTEM) as connection:
        account = accounts.find_account_of_login(connection, login)
        link = make_link(connection, SYSTEM, account.actor_id)
    _print_links([(account, link)], as_json=as_json)


@key_app.command("list")
def list_keys(as_json: Json = False) -> None:
    """List keys."""
    from gis_service.access import SYSTEM, keys
    from gis_service.store import open_store

    with open_store() as store, store.transaction(SYSTEM, read_only=True) as connection:
        listed = keys.list_keys(connection)
    if as_json:
        _print_json([asdict(key) for key in listed])
        return
    for key in listed:
        until = key.ended_at or key.expires_at
        scopes = " ".join(key.scopes)
        print(f"{key.key_id}\t{key.hint}…\t{key.name}\t{key.role}\t{scopes}\t{until:%Y-%m-%d}")


@key_app.command("add")
def add_key(
    name: Annotated[str, typer.Argument(help="Of the system that will use it.")],
    role: Annotated[str, typer.Option(help="What it may see: dispatcher, analyst, …")],
    scope: Annotated[
        list[str], typer.Option(help="locate, assign, tiles, read, report or open311; several.")
    ],
    area: AreaWords = None,
    days: Annotated[int, typer.Option(help="So long it holds.")] = 365,
    as_json: Json = False,
) -> None:
    """Make a key; it is printed this once."""
    from gis_service.access import SYSTEM, keys
    from gis_service.store import open_store

    with open_store() as store, store.transaction(SYSTEM) as connection:
        areas = _find_areas(connection, area)
        new = keys.NewKey(name, role, tuple(scope), areas, days)
        made, key = keys.make_key(connection, SYSTEM, new)
    if as_json:
        _print_json({**asdict(made), "key": key})
    else:
        print(key)


@key_app.command("end")
def end_key(key_id: Annotated[int, typer.Argument(help="Its number in the list.")]) -> None:
    """End a key."""
    from gis_service.access import SYSTEM, keys
    from gis_service.store import open_store

    with open_store() as store, store.transaction(SYSTEM) as connection:
        keys.end_key(connection, SYSTEM, key_id)


def _find_areas(connection: "sa.Connection", words: list[str] | None) -> tuple[int, ...] | None:
    from gis_service.access.accounts import find_areas

    return find_areas(connection, words) if words else None


def _print_account(account: "UserAccount", *, as_json: bool = False) -> None:
    if as_json:
        _print_json(asdict(account))
        return
    areas = "" if account.areas is None else " ".join(map(str, account.areas))
    state = text(f"access.{'over' if account.ended_at else 'open'}", language())
    print(f"{account.login}\t{account.name}\t{account.role}\t{areas}\t{state}")


def _print_links(links: list[tuple["UserAccount", str]], *, as_json: bool) -> None:
    paths = [(account, f"/sign-in#{link}") for account, link in links]
    if as_json:
        _print_json([{**asdict(account), "link": path} for account, path in paths])
        return
    say(text("access.link_path", language()))
    for account, path in paths:
        print(f"{account.login}\t{path}")


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, default=str))
