"""The migrated database is what the tables say, and the service's role owns none of it."""

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from gis_service.store import tables as t
from gis_service.store.engine import Store
from gis_service.store.migrate import _config, state


def _ours(_thing: object, name: str | None, kind: str, reflected: bool, other: object) -> bool:
    foreign = str(name).startswith("procrastinate_") or name == "spatial_ref_sys"
    return not (kind == "table" and reflected and other is None and foreign)


def test_the_migrated_database_equals_the_tables(store: Store) -> None:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": _ours})
        assert compare_metadata(context, t.metadata) == []


def test_the_database_stands_at_the_newest_migration(store: Store) -> None:
    with store.engine.connect() as connection:
        found = state(connection)
    assert found.current == found.head is not None
    # The head is read off the files' numbers; the chain itself must end there too.
    assert found.head == ScriptDirectory.from_config(_config()).get_current_head()


def test_the_service_role_owns_nothing(store: Store) -> None:
    with store.engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT current_user")) == "gis_service"
        owned = connection.scalar(
            sa.text(
                "SELECT count(*) FROM pg_class WHERE relowner ="
                " (SELECT oid FROM pg_roles WHERE rolname = 'gis_service')"
            )
        )
        assert owned == 0
