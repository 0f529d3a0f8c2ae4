"""The migrated database is what the tables say, and the service's role owns none of it."""

import ast
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from gis_service.store import tables as t
from gis_service.store import tiles
from gis_service.store.engine import Store
from gis_service.store.migrate import _config, state
from tests.conftest import DatabaseServer


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


def test_migrations_run_no_live_code_of_ours() -> None:
    scripts = ScriptDirectory.from_config(_config())
    found = {
        f"{Path(revision.path).name}: {name}"
        for revision in scripts.walk_revisions()
        for name in _imported(Path(revision.path).read_text("utf-8"))
        if name.split(".")[0] == "gis_service"
    }
    assert found == set()


def _imported(code: str) -> set[str]:
    nodes = list(ast.walk(ast.parse(code)))
    names = {one.module or "." for one in nodes if isinstance(one, ast.ImportFrom)}
    return names | {name.name for one in nodes if isinstance(one, ast.Import) for name in one.names}


def test_every_count_of_changes_has_its_triggers(store: Store) -> None:
    """A name that nothing counts would say for ever that nothing has changed."""
    with store.engine.connect() as connection:
        triggers = set(connection.scalars(sa.text("SELECT tgname FROM pg_trigger")))
    counted = {name.removesuffix("_counted") for name in triggers if name.endswith("_counted")}
    assert counted == set(tiles.COUNTED)
    assert {f"{name}_emptied" for name in counted} <= triggers


def test_what_can_be_taken_back_is_and_comes_again(
    database_server: DatabaseServer, template_database: str
) -> None:
    name = database_server.create(template_database)
    engine = sa.create_engine(database_server.url(None, name))
    try:
        before = _made_by_hand(engine)
        for step, to in ((command.downgrade, "0005"), (command.upgrade, "head")):
            with engine.begin() as connection:
                connection.execute(sa.text("SET LOCAL ROLE gis_owner"))
                config = _config()
                config.attributes["connection"] = connection
                step(config, to)
        assert _made_by_hand(engine) == before
    finally:
        engine.dispose()
        database_server.drop(name)


def _made_by_hand(engine: sa.Engine) -> list[str]:
    """Read what no metadata holds: functions and triggers, as the database writes them."""
    with engine.connect() as connection:
        return list(
            connection.scalars(
                sa.text(
                    "SELECT pg_get_functiondef(oid) FROM pg_proc"
                    " WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'gis_%'"
                    " UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger"
                    " WHERE NOT tgisinternal ORDER BY 1"
                )
            )
        )
