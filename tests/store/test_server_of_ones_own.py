"""A PostgreSQL that somebody else runs: no superuser at hand, addresses as people write them."""

from collections.abc import Iterator
from contextlib import closing

import pytest
import sqlalchemy as sa
from psycopg2 import sql

from gis_service import jobs
from gis_service.access import SYSTEM
from gis_service.coverage.runs import runs  # noqa: F401 (registers the work)
from gis_service.errors import StoreError
from gis_service.store.engine import Store, store_url
from gis_service.store.migrate import upgrade
from tests.conftest import DatabaseServer

EXTENSIONS = ("postgis", "btree_gist", "pg_trgm")
PASSWORD = "of-the-test"


@pytest.fixture
def migrator(database_server: DatabaseServer) -> Iterator[sa.URL]:
    """A login without any right but membership in the owner, in a database prepared for it."""
    name, login = database_server.create(), "gis_test_migrator"
    with closing(database_server.connect(name)) as connection, connection.cursor() as cursor:
        for extension in EXTENSIONS:
            cursor.execute(sql.SQL("CREATE EXTENSION {}").format(sql.Identifier(extension)))
        cursor.execute(
            sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER PASSWORD {} IN ROLE gis_owner").format(
                sql.Identifier(login), sql.Literal(PASSWORD)
            )
        )
    yield database_server.url(login, name).set(password=PASSWORD)
    database_server.drop(name)
    with closing(database_server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(login)))


def test_a_member_of_the_owner_migrates_without_being_superuser(migrator: sa.URL) -> None:
    state = upgrade(migrator)
    assert state.current == state.head
    engine = sa.create_engine(migrator, poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        owners = connection.execute(
            sa.text(
                "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class"
                " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S')"
                " AND relname <> 'spatial_ref_sys'"
            )
        ).scalars()
        assert list(owners) == ["gis_owner"]


def test_the_service_works_there(database_server: DatabaseServer, migrator: sa.URL) -> None:
    upgrade(migrator)
    store = Store(database_server.url("gis_service", str(migrator.database)), pooled=False)
    job_id = jobs.submit(store, SYSTEM, "coverage_run", {"standard": "fire-20"})
    state = jobs.wait_for(store, job_id)
    assert state.status == "failed"  # for want of boundaries, not of rights
    assert str(state.error_in("en")).startswith("There is no grid scheme")


@pytest.mark.parametrize(
    "text",
    [
        "postgres://me:secret@db/gis",
        "postgresql://me:secret@db/gis",
        "postgresql+psycopg://me@db/gis",
    ],
)
def test_every_way_of_writing_the_address_is_the_same_driver(text: str) -> None:
    url = store_url(text)
    assert url.drivername == "postgresql+psycopg2"
    assert (url.username, url.host, url.database) == ("me", "db", "gis")


@pytest.mark.parametrize(
    "text", ["garbage", "mysql://me:secret@db/gis", "postgresql://db:secret/x"]
)
def test_what_is_no_address_is_said_without_telling_it(text: str) -> None:
    with pytest.raises(StoreError) as raised:
        store_url(text)
    assert "secret" not in raised.value.say("en")
    assert "GIS_DATABASE_URL" in raised.value.say("en")
