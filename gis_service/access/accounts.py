"""Accounts: who may sign in, as which role, for which areas; made, changed, ended, from lists.

Whoever calls these has looked at the permission. There is always an administrator left who can sign
in. The record holds role and areas, never a login or a name.
"""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from gis_service.access import queries
from gis_service.access.actor import Actor
from gis_service.access.audit import record
from gis_service.access.permissions import (
    MANAGE_ACCOUNTS,
    ROLES_OF_ACCOUNTS,
    WHOLE_COUNTY_ROLES,
)
from gis_service.errors import ConflictError, GisError, InputError, NotFoundError, Place
from gis_service.messages import Language
from gis_service.roles import LOCAL_ROLES

MOST_IN_LIST: Final = 2000
MOST_AREAS: Final = 200
COLUMNS: Final = ("login", "name", "name_en", "role", "areas", "officer")
_REQUIRED: Final = ("login", "name", "role")
_LOGIN: Final = re.compile(r"[a-z0-9一-鿿][a-z0-9一-鿿._@-]{1,59}")


@dataclass(frozen=True)
class UserAccount:
    """An account as an administrator sees it."""

    actor_id: int
    login: str
    name: str
    name_en: str
    role: str
    areas: tuple[int, ...] | None
    officer_id: int | None
    has_password: bool
    made_at: datetime
    seen_at: datetime | None
    ended_at: datetime | None


class AccountListError(InputError):
    """
    A list of accounts that cannot be taken; nothing of it was written.

    Parameters
    ----------
    errors
        What is wrong, each with row and field.
    """

    def __init__(self, errors: list[GisError]) -> None:
        self.errors = errors
        place = errors[0].place
        super().__init__(
            "access.list_refused", place=place, count=len(errors), row=place.row, field=place.field
        )

    def details(self, language: Language) -> dict[str, object]:
        """Name every row and field that is wrong."""
        return {
            "errors": [
                {**error.place.as_dict(), "detail": error.say(language)} for error in self.errors
            ]
        }


@dataclass(frozen=True)
class NewAccount:
    """What an account is made of."""

    login: str
    name: str
    role: str
    name_en: str = ""
    areas: tuple[int, ...] | None = None
    officer_id: int | None = None


def list_accounts(connection: sa.Connection) -> list[UserAccount]:
    """
    List every account, also those that have ended.

    Parameters
    ----------
    connection
        An open transaction.

    Returns
    -------
    list of UserAccount
        By login.
    """
    return [_account_of(row) for row in queries.list_accounts(connection)]


def find_account(connection: sa.Connection, actor_id: int) -> UserAccount:
    """
    Read one account.

    Parameters
    ----------
    connection
        An open transaction.
    actor_id
        Whose.

    Returns
    -------
    UserAccount
        As it stands.

    Raises
    ------
    NotFoundError
        There is none.
    """
    row = queries.find_account(connection, actor_id)
    if row is None:
        raise NotFoundError("access.no_account_of", actor=actor_id)
    return _account_of(row)


def find_account_of_login(connection: sa.Connection, login: str) -> UserAccount:
    """
    Read the account of a login.

    Parameters
    ----------
    connection
        An open transaction.
    login
        In any case of letters.

    Returns
    -------
    UserAccount
        It has not ended.

    Raises
    ------
    NotFoundError
        There is none.
    """
    row = queries.find_login(connection, login.strip().lower())
    if row is None:
        raise NotFoundError("access.no_login")
    return _account_of(row)


def _account_of(row: sa.Row[Any]) -> UserAccount:
    return UserAccount(
        actor_id=row.actor_id,
        login=row.login,
        name=row.name,
        name_en=row.name_en,
        role=row.role,
        areas=None if row.areas is None else tuple(row.areas),
        officer_id=row.officer_id,
        has_password=row.password_hash is not None,
        made_at=row.made_at,
        seen_at=row.seen_at,
        ended_at=row.ended_at,
    )


def make_account(connection: sa.Connection, actor: Actor, new: NewAccount) -> UserAccount:
    """
    Make an account; a link (``access.links``) lets its owner choose a password.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who makes it.
    new
        What it is made of.

    Returns
    -------
    UserAccount
        As it stands.

    Raises
    ------
    InputError
        Something of it cannot be; the place names the field.
    ConflictError
        The login is taken.
    """
    login, name = check_login(new.login), check_name(new.name)
    check_role(new.role, new.areas)
    check_areas(connection, new.areas)
    _check_officer(connection, new.officer_id)
    if queries.read_logins(connection, [login]):
        raise ConflictError("access.login_taken", place=Place(field="login"))
    areas = None if new.areas is None else sorted(set(new.areas))
    actor_id = queries.insert_actor(
        connection, name=name, name_en=new.name_en.strip() or name, role=new.role, areas=areas
    )
    queries.insert_account(
        connection,
        actor_id=actor_id,
        login=login,
        officer_id=new.officer_id,
        made_by=actor.actor_id,
    )
    after = {"role": new.role, "areas": areas, "officer_id": new.officer_id}
    record(connection, actor, "make", "account", actor_id, after=after)
    return find_account(connection, actor_id)


def change_account(
    connection: sa.Connection, actor: Actor, actor_id: int, changes: Mapping[str, Any]
) -> UserAccount:
    """
    Change name, role, areas or officer of an account; its sessions go on with the new rights.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who changes it.
    actor_id
        Whose account.
    changes
        New values of ``name``, ``name_en``, ``role``, ``areas``, ``officer_id``.

    Returns
    -------
    UserAccount
        As it stands now.

    Raises
    ------
    NotFoundError
        There is none.
    InputError
        Something of it cannot be.
    ConflictError
        It has ended, or is the last administrator's.
    """
    queries.lock_administrators(connection)
    before = find_account(connection, actor_id)
    _check_open(before)
    role = changes.get("role", before.role)
    areas = changes.get("areas", before.areas)
    areas = None if areas is None else tuple(sorted(set(areas)))
    check_role(role, areas)
    if areas != before.areas:
        check_areas(connection, areas)
    if before.role in MANAGE_ACCOUNTS.roles and role not in MANAGE_ACCOUNTS.roles:
        _keep_an_administrator(connection, actor_id)
    values: dict[str, Any] = {"role": role, "areas": None if areas is None else list(areas)}
    if "name" in changes:
        values["name"] = check_name(changes["name"])
    if "name_en" in changes:
        values["name_en"] = changes["name_en"].strip() or values.get("name", before.name)
    queries.update_actor(connection, actor_id, values)
    if "officer_id" in changes:
        _check_officer(connection, changes["officer_id"])
        queries.update_account(connection, actor_id, {"officer_id": changes["officer_id"]})
    account = find_account(connection, actor_id)
    told = ("role", "areas", "officer_id")
    record(
        connection,
        actor,
        "change",
        "account",
        actor_id,
        before={name: getattr(before, name) for name in told},
        after={name: getattr(account, name) for name in told}
        | {"names": sorted({"name", "name_en"} & set(changes))},
    )
    return account


def end_account(connection: sa.Connection, actor: Actor, actor_id: int) -> UserAccount:
    """
    End an account: nobody signs in by it any more, and sessions, links and streams end.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who ends it.
    actor_id
        Whose account; one that has ended stays as it is.

    Returns
    -------
    UserAccount
        As it stands now.

    Raises
    ------
    NotFoundError
        There is none.
    ConflictError
        It is the last administrator's.
    """
    queries.lock_administrators(connection)
    account = find_account(connection, actor_id)
    if account.ended_at is not None:
        return account
    if account.role in MANAGE_ACCOUNTS.roles:
        _keep_an_administrator(connection, actor_id)
    queries.end_account(connection, actor_id)
    queries.end_links(connection, actor_id)
    sessions = queries.end_sessions(connection, actor_id)
    record(connection, actor, "end", "account", actor_id, after={"sessions": sessions})
    return find_account(connection, actor_id)


def require_open(connection: sa.Connection, actor_id: int) -> UserAccount:
    """
    Read an account that has not ended.

    Parameters
    ----------
    connection
        An open transaction.
    actor_id
        Whose.

    Returns
    -------
    UserAccount
        As it stands.

    Raises
    ------
    NotFoundError
        There is none.
    ConflictError
        It has ended.
    """
    account = find_account(connection, actor_id)
    _check_open(account)
    return account


def _check_open(account: UserAccount) -> None:
    if account.ended_at is not None:
        raise ConflictError("access.account_over")


def _keep_an_administrator(connection: sa.Connection, actor_id: int) -> None:
    if not queries.count_others(connection, actor_id, MANAGE_ACCOUNTS.roles):
        raise ConflictError("access.last_administrator")


def check_login(login: str) -> str:
    """Refuse a login that nobody could type; give it in lower case."""
    login = login.strip().lower()
    if not _LOGIN.fullmatch(login):
        raise InputError("access.bad_login", place=Place(field="login"))
    return login


def check_name(name: str) -> str:
    """Refuse a name of nothing."""
    name = name.strip()
    if not 1 <= len(name) <= 100:
        raise InputError("access.bad_name", place=Place(field="name"))
    return name


def check_role(role: str, areas: tuple[int, ...] | None) -> None:
    """Refuse a role that is none, or that does not go with its areas."""
    if role not in ROLES_OF_ACCOUNTS:
        roles = ", ".join(ROLES_OF_ACCOUNTS)
        raise InputError("access.bad_role", place=Place(field="role"), roles=roles)
    if role in LOCAL_ROLES and not areas:
        raise InputError("access.role_needs_areas", place=Place(field="areas"), role=role)
    if role in WHOLE_COUNTY_ROLES and areas is not None:
        raise InputError("access.role_has_no_areas", place=Place(field="areas"), role=role)


def check_areas(connection: sa.Connection, areas: tuple[int, ...] | None) -> None:
    """Refuse areas that are no grids of today; none at all would be nothing to see."""
    if areas is None:
        return
    if not 1 <= len(areas) <= MOST_AREAS:
        raise InputError("access.areas_number", place=Place(field="areas"), most=MOST_AREAS)
    unknown = queries.find_unknown_grids(connection, areas)
    if unknown:
        raise InputError("access.no_grid", place=Place(field="areas"), grid=unknown[0])


def _check_officer(connection: sa.Connection, officer_id: int | None) -> None:
    if officer_id is not None and not queries.is_officer(connection, officer_id):
        raise InputError("access.no_officer", place=Place(field="officer_id"))


def find_areas(connection: sa.Connection, words: list[str]) -> tuple[int, ...]:
    """
    Find grids by their codes, or by their ids.

    Parameters
    ----------
    connection
        An open transaction.
    words
        A code each, or an id.

    Returns
    -------
    tuple of int
        Grid ids, in order.

    Raises
    ------
    InputError
        Something is neither, or a code of grids in several schemes.
    """
    by_code = queries.find_grids_by_code(connection, words)
    ids = [int(word) for word in words if word not in by_code and re.fullmatch(r"\d{1,18}", word)]
    unknown = set(queries.find_unknown_grids(connection, ids))
    found = set()
    for word in words:
        grids = by_code.get(word)
        if grids is None:
            grids = [int(word)] if word.isdecimal() and len(word) < 19 else []
            grids = [grid_id for grid_id in grids if grid_id not in unknown]
        if len(grids) != 1:
            key = "access.code_of_several" if grids else "access.no_grid"
            raise InputError(key, place=Place(field="areas"), grid=word[:40])
        found.update(grids)
    return tuple(sorted(found))


def import_accounts(connection: sa.Connection, actor: Actor, table: str) -> list[UserAccount]:
    """
    Take a list of accounts, all of it or nothing.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who hands it in.
    table
        CSV with a header: ``login``, ``name``, ``role``, and where they are needed ``name_en``,
        ``areas`` (codes or ids of grids with blanks between) and ``officer`` (the key of a record).

    Returns
    -------
    list of UserAccount
        In the order of the list.

    Raises
    ------
    AccountListError
        Something cannot be taken; every row and field that is wrong is named.
    """
    rows = _read_table(table)
    accounts: list[UserAccount] = []
    errors: list[GisError] = []
    keys = {row["officer"] for _, row in rows if row["officer"]}
    officers = queries.find_officers_by_key(connection, keys)
    for number, row in rows:
        try:
            accounts.append(make_account(connection, actor, _new_of(connection, row, officers)))
        except GisError as error:
            place = Place(row=number, field=error.place.field)
            errors.append(InputError(error.key, place=place, **error.values))
    if errors:
        raise AccountListError(errors)
    return accounts


def _read_table(table: str) -> list[tuple[int, dict[str, str]]]:
    reader = csv.reader(io.StringIO(table.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        lines = [(reader.line_num, line) for line in reader if any(cell.strip() for cell in line)]
    except csv.Error as error:
        row = reader.line_num
        raise InputError("access.list_broken", place=Place(row=row), row=row) from error
    if not lines:
        raise InputError("access.list_empty", place=Place(field="csv"))
    if len(lines) > MOST_IN_LIST + 1:
        raise InputError("access.list_long", place=Place(field="csv"), most=MOST_IN_LIST)
    header = [cell.strip().lower() for cell in lines[0][1]]
    missing = [name for name in _REQUIRED if name not in header]
    strange = [name for name in header if name not in COLUMNS or header.count(name) > 1]
    if missing or strange:
        field = (missing or strange)[0][:40]
        place = Place(row=lines[0][0], field=field)
        raise InputError("access.list_columns", place=place, columns=", ".join(COLUMNS))
    rows = []
    for number, line in lines[1:]:
        if len(line) > len(header):
            raise InputError("access.list_broken", place=Place(row=number), row=number)
        cells = {name: cell.strip() for name, cell in zip(header, line, strict=False)}
        rows.append((number, {name: cells.get(name, "") for name in COLUMNS}))
    return rows


def _new_of(
    connection: sa.Connection, row: Mapping[str, str], officers: Mapping[str, int]
) -> NewAccount:
    words = re.split(r"[\s,;，；、]+", row["areas"].strip()) if row["areas"] else []
    if row["officer"] and row["officer"] not in officers:
        raise InputError("access.no_officer", place=Place(field="officer"))
    return NewAccount(
        login=row["login"],
        name=row["name"],
        name_en=row["name_en"],
        role=row["role"],
        areas=find_areas(connection, words) if words else None,
        officer_id=officers.get(row["officer"]),
    )
