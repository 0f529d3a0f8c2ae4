"""What serves is bound by the rules of the database: no superuser, no owner, no BYPASSRLS."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest
import sqlalchemy as sa
from psycopg2 import sql

from gis_service.errors import StoreError
from gis_service.store.engine import Store
from tests.conftest import DatabaseServer

LOGIN = "gis_test_mighty"
PASSWORD = "of-the-test"
MIGHTY = [
    ("SUPERUSER", "store.is_superuser"),
    ("BYPASSRLS", "store.bypasses_rules"),
    ("IN ROLE gis_backup", "store.bypasses_rules"),
    ("IN ROLE gis_owner", "store.is_owner"),
]


@pytest.fixture
def login(
    database_server: DatabaseServer, database: str, request: pytest.FixtureRequest
) -> Iterator[sa.URL]:
    """A login that has one power too many."""
    with closing(database_server.connect()) as connection, connection.cursor() as cursor:
        made = f"CREATE ROLE {{}} LOGIN PASSWORD {{}} {request.param}"
        cursor.execute(sql.SQL(made).format(sql.Identifier(LOGIN), sql.Literal(PASSWORD)))
        cursor.execute(sql.SQL("GRANT gis_service TO {}").format(sql.Identifier(LOGIN)))
        yield database_server.url(LOGIN, database).set(password=PASSWORD)
        cursor.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(LOGIN)))


@pytest.mark.parametrize(("login", "key"), MIGHTY, indirect=["login"])
def test_a_mighty_role_is_refused_with_what_to_do(login: sa.URL, key: str) -> None:
    store = Store(login, pooled=False)
    with pytest.raises(StoreError) as caught:
        store.require_powerless()
    assert caught.value.key == key
    for language in ("zh-CN", "en"):
        assert LOGIN in caught.value.say(language)
        assert "GIS_DATABASE_URL" in caught.value.say(language)


def test_the_owner_is_refused_and_the_services_role_is_not(
    database_server: DatabaseServer, store: Store
) -> None:
    store.require_powerless()
    owner = Store(store.url.set(username="gis_owner"), pooled=False)
    with pytest.raises(StoreError) as caught:
        owner.require_powerless()
    assert caught.value.key == "store.is_owner"


@pytest.mark.parametrize("login", ["SUPERUSER"], indirect=True)
@pytest.mark.parametrize("command", [["serve", "--port", "8199"], ["worker", "--once"]])
def test_neither_server_nor_worker_starts_as_one(login: sa.URL, command: list[str]) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "gis_service", *command],
        env={
            **os.environ,
            "GIS_LANGUAGE": "en",
            "GIS_DATABASE_URL": login.render_as_string(hide_password=False),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert told.returncode == 6
    assert "a superuser of the database" in told.stderr
    assert PASSWORD not in told.stderr
