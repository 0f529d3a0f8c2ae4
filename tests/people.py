"""People of tests: accounts with a password, and clients that are signed in."""

import itertools
from typing import Final

import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.access.accounts import NewAccount, make_account
from gis_service.access.actor import Origin
from gis_service.access.digests import digest
from gis_service.access.keys import NewKey, make_key
from gis_service.access.links import follow_link, make_link
from gis_service.store import Store
from gis_service.store import tables as t
from tests.api.conftest import TestClient

PASSWORD: Final = "stone bridge 7"
HERE: Final = "http://127.0.0.1:8000"
_numbers = itertools.count(1)


def make_person(
    store: Store, role: str, areas: tuple[int, ...] | None = None, login: str | None = None
) -> tuple[str, int]:
    """An account that has chosen its password: login and actor id."""
    login = login or f"{role}.{next(_numbers)}"
    with store.transaction(SYSTEM) as connection:
        new = NewAccount(login=login, name="李四", role=role, areas=areas)
        actor_id = make_account(connection, SYSTEM, new).actor_id
        link = make_link(connection, SYSTEM, actor_id)
    follow_link(store, link, PASSWORD, None, Origin(address="192.0.2.9"), "a test")
    return login, actor_id


def sign_in(client: TestClient, login: str, password: str = PASSWORD) -> None:
    """Sign a client in; from then on it changes things as a page of ours does."""
    told = client.post("/api/session", json={"login": login, "password": password})
    assert told.status_code == 200, told.text
    act_as_page(client)


def act_as_page(client: TestClient) -> None:
    """Send with every request what a page of ours sends."""
    token = client.get("/api/me").json()["token"]
    client.headers.update({"X-Gis-Token": token, "Origin": str(client.base_url).rstrip("/")})


def add_key(
    store: Store, key: str, role: str, areas: tuple[int, ...] | None = None, scope: str = "open311"
) -> None:
    """A key whose letters a test knows."""
    new = NewKey("热线", role, (scope,), areas, 7)
    with store.transaction(SYSTEM) as connection:
        made, _ = make_key(connection, SYSTEM, new)
        query = sa.update(t.api_key).where(t.api_key.c.key_id == made.key_id)
        connection.execute(query.values(digest=digest(key)))


def forget_people(connection: sa.Connection) -> None:
    """A store in which nobody has ever had an account; made as its owner could."""
    for table in (t.session, t.one_time_link, t.account):
        connection.execute(sa.delete(table))
