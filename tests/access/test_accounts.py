"""Accounts: made, changed, ended, taken from a list all or nothing; from the machine itself too."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from gis_service.access import SYSTEM, accounts
from gis_service.access.accounts import AccountListError, NewAccount
from gis_service.access.actor import Origin, find_actor
from gis_service.access.links import follow_link
from gis_service.api.serve import _say_who_signs_in
from gis_service.cli import app
from gis_service.errors import ConflictError, GisError, InputError
from gis_service.store import Store
from gis_service.store import tables as t
from tests.people import PASSWORD, forget_people, make_person
from tests.support import publish_nine


@pytest.fixture(scope="module")
def grid_ids(store: Store) -> dict[str, int]:
    with store.transaction(SYSTEM) as connection:
        return publish_nine(connection).grid_ids


def make(store: Store, **values: Any) -> accounts.UserAccount:
    with store.transaction(SYSTEM) as connection:
        new = NewAccount(**{"login": "new.one", "name": "李四", "role": "analyst", **values})
        return accounts.make_account(connection, SYSTEM, new)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"login": "x"}, "login"),
        ({"login": "two words"}, "login"),
        ({"login": "../etc"}, "login"),
        ({"name": "  "}, "name"),
        ({"role": "king"}, "role"),
        ({"role": "visitor"}, "role"),
        ({"role": "grid_officer"}, "areas"),
        ({"role": "administrator", "areas": (1,)}, "areas"),
        ({"areas": ()}, "areas"),
        ({"areas": (987_654,)}, "areas"),
        ({"officer_id": 987_654}, "officer_id"),
    ],
)
def test_what_cannot_be_an_account_is_refused_by_field(
    store: Store, grid_ids: dict[str, int], values: dict[str, Any], field: str
) -> None:
    with pytest.raises(InputError) as caught:
        make(store, **values)
    assert caught.value.place.field == field


def test_a_login_is_given_once_for_good(store: Store) -> None:
    account = make(store, login="Once.Only")
    assert account.login == "once.only"
    with store.transaction(SYSTEM) as connection:
        accounts.end_account(connection, SYSTEM, account.actor_id)
    with pytest.raises(ConflictError):
        make(store, login="once.only")


def test_there_is_always_an_administrator_who_can_sign_in(store: Store) -> None:
    with store.transaction(SYSTEM) as connection:
        forget_people(connection)
    _, first = make_person(store, "administrator")
    make(store, login="never.came", role="administrator")  # who has not chosen a password

    def change(what: str, actor_id: int) -> None:
        with store.transaction(SYSTEM) as connection:
            if what == "end":
                accounts.end_account(connection, SYSTEM, actor_id)
            else:
                accounts.change_account(connection, SYSTEM, actor_id, {"role": "auditor"})

    for what in ("end", "change"):
        with pytest.raises(ConflictError) as caught:
            change(what, first)
        assert caught.value.key == "access.last_administrator"
    make_person(store, "administrator")
    change("end", first)


GOOD = """\ufefflogin,name,role,areas,name_en
zhang.san,张三,grid_officer,{one} {two},Zhang San
li.si,李四,dispatcher,,

"""


def test_an_administrator_links_an_officer_without_seeing_one(store: Store) -> None:
    with store.transaction(SYSTEM) as connection:
        officer = {"key": "o1", "name": "赵一", "phone": "13700000000", "valid": "[2024-07-01,)"}
        query = sa.insert(t.officer).values(officer).returning(t.officer.c.officer_id)
        officer_id = connection.execute(query).scalar_one()
    _, actor_id = make_person(store, "administrator")
    with store.transaction(SYSTEM) as connection:
        boss = find_actor(connection, actor_id)
    table = "login,name,role,officer\nofficer.one,赵一,analyst,o1\n"
    with store.transaction(boss) as connection:
        assert not connection.scalars(sa.select(t.officer.c.officer_id)).all()
        (account,) = accounts.import_accounts(connection, boss, table)
        assert account.officer_id == officer_id
        change = {"officer_id": officer_id}
        accounts.change_account(connection, boss, account.actor_id, change)


def code_of(store: Store, grid_id: int) -> str:
    state = t.grid_state.c
    with store.transaction(SYSTEM) as connection:
        code: str = connection.execute(
            sa.select(state.code).where(state.grid_id == grid_id)
        ).scalar_one()
    return code


def test_a_list_is_taken_with_areas_by_code_and_by_id(
    store: Store, grid_ids: dict[str, int]
) -> None:
    table = GOOD.format(one=code_of(store, grid_ids["g00"]), two=grid_ids["g11"])
    with store.transaction(SYSTEM) as connection:
        one, two = accounts.import_accounts(connection, SYSTEM, table)
    assert one.areas == tuple(sorted((grid_ids["g00"], grid_ids["g11"])))
    assert (one.name, one.name_en) == ("张三", "Zhang San")
    assert (two.areas, two.name_en) == (None, "李四")


def test_a_list_with_a_wrong_row_is_not_taken_and_every_fault_is_named(
    store: Store, grid_ids: dict[str, int]
) -> None:
    table = (
        "login,name,role,areas\n"
        "good.one,张三,dispatcher,\n"
        "good.one,李四,dispatcher,\n"
        "b,王五,dispatcher,\n"
        "good.two,赵六,grid_officer,no-such-code\n"
        "good.three,钱七,grid_officer,\n"
    )
    with pytest.raises(AccountListError) as caught, store.transaction(SYSTEM) as connection:
        accounts.import_accounts(connection, SYSTEM, table)
    told: Any = caught.value.details("en")["errors"]
    assert [(one["row"], one["field"]) for one in told] == [
        (3, "login"), (4, "login"), (5, "areas"), (6, "areas"),
    ]  # fmt: skip
    assert "no-such-code" in told[2]["detail"]
    with store.transaction(SYSTEM) as connection:
        logins = {account.login for account in accounts.list_accounts(connection)}
    assert "good.one" not in logins


@pytest.mark.parametrize(
    "table",
    ["", "\n \n", "name,role\na,b", "login,name,role,colour\na,b,c,d", "login,login,name,role\n",
     'login,name,role\n"open', "login,name,role\na.b,c,analyst,more"],
)  # fmt: skip
def test_what_is_no_list_is_told(store: Store, table: str) -> None:
    with pytest.raises(InputError), store.transaction(SYSTEM) as connection:
        accounts.import_accounts(connection, SYSTEM, table)


def test_what_happens_to_accounts_is_on_record_without_a_name(store: Store) -> None:
    account = make(store, login="recorded", name="欧阳某某")
    with store.transaction(SYSTEM) as connection:
        change = {"role": "dispatcher", "name": "司马某某"}
        accounts.change_account(connection, SYSTEM, account.actor_id, change)
        accounts.end_account(connection, SYSTEM, account.actor_id)
        event = t.event.c
        rows = connection.execute(
            sa.select(event.action, event.before, event.after)
            .where(event.object_kind == "account", event.object_id == str(account.actor_id))
            .order_by(event.event_id)
        ).all()
    assert [row.action for row in rows] == ["make", "change", "end"]
    assert rows[1].before["role"] == "analyst"
    assert rows[1].after["role"] == "dispatcher"
    assert not any(name in str(rows) for name in ("欧阳", "司马", "recorded"))


# --- from the machine itself ---------------------------------------------------------------------


@pytest.fixture
def run(store: Store, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command, on this module's store."""
    monkeypatch.setattr("gis_service.store.open_store", lambda **_: nullcontext(store))

    def run(*arguments: str) -> Any:
        said = CliRunner().invoke(app, list(arguments))
        if said.exception is not None and not isinstance(said.exception, SystemExit):
            raise said.exception
        assert said.exit_code == 0, said.output
        return said.stdout

    return run


def test_the_commands_make_change_link_and_end(
    store: Store, grid_ids: dict[str, int], run: Any
) -> None:
    code = code_of(store, grid_ids["g00"])
    options = ("--name", "李四", "--role", "grid_officer", "--area", code, "--json")
    (made,) = json.loads(run("user", "add", "by.command", *options))
    assert made["areas"] == [grid_ids["g00"]]
    token = made["link"].removeprefix("/sign-in#")
    follow_link(store, token, PASSWORD, None, Origin(), "a test")
    changed = json.loads(run("user", "change", "by.command", "--role", "town_office", "--json"))
    assert changed["role"] == "town_office"
    moved = run("user", "areas", "by.command", "--area", str(grid_ids["g11"]), "--json")
    assert json.loads(moved)["areas"] == [grid_ids["g11"]]
    assert "/sign-in#reset-" in run("user", "link", "by.command")
    assert json.loads(run("user", "end", "by.command", "--json"))["ended_at"]
    listed = {one["login"]: one for one in json.loads(run("user", "list", "--json"))}
    assert listed["by.command"]["ended_at"]
    assert "password_hash" not in listed["by.command"]
    assert "by.command" in run("user", "list")
    with pytest.raises(GisError):
        run("user", "link", "by.command")


def test_a_list_comes_by_command_too(store: Store, run: Any, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("login,name,role\nfrom.file,李四,analyst\n", "utf-8")
    assert "from.file\t/sign-in#invitation-" in run("user", "import", str(file))
    file.write_bytes("login,name,role\nother.file,李四,analyst\n".encode("gb18030"))
    with pytest.raises(InputError):
        run("user", "import", str(file))


def test_keys_come_by_command(run: Any) -> None:
    key = run("key", "add", "热线", "--role", "dispatcher", "--scope", "open311").strip()
    assert key.startswith("gis_")
    (listed,) = (k for k in json.loads(run("key", "list", "--json")) if key.startswith(k["hint"]))
    run("key", "end", str(listed["key_id"]))
    (ended,) = (k for k in json.loads(run("key", "list", "--json")) if key.startswith(k["hint"]))
    assert ended["ended_at"]


def test_a_start_says_who_signs_in(store: Store) -> None:
    with store.transaction(SYSTEM) as connection:
        forget_people(connection)
    first = _say_who_signs_in(store, "https://grid.local", "en")
    assert "https://grid.local/sign-in#first-" in first
    again = _say_who_signs_in(store, "https://grid.local", "en")
    assert first != again
    make_person(store, "administrator")
    later = _say_who_signs_in(store, "https://grid.local", "en")
    assert "gis-service user link" in later
    assert "#" not in later
