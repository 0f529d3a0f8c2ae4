"""The migrated database is what the tables say, and the service's role owns none of it."""

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from gis_service.grids import assignment
from gis_service.store import tables as t
from gis_service.store import tiles
from gis_service.store.engine import Store
from gis_service.store.migrate import _make_config, read_migration_state
from tests.conftest import DatabaseServer
from tests.support import SIDE, SOUTH, WEST, add_buildings, add_households, publish_nine


def _ours(_thing: object, name: str | None, kind: str, reflected: bool, other: object) -> bool:
    foreign = str(name).startswith("procrastinate_") or name == "spatial_ref_sys"
    return not (kind == "table" and reflected and other is None and foreign)


def test_the_migrated_database_equals_the_tables(store: Store) -> None:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": _ours})
        assert compare_metadata(context, t.metadata) == []


def test_the_database_stands_at_the_newest_migration(store: Store) -> None:
    with store.engine.connect() as connection:
        found = read_migration_state(connection)
    assert found.current == found.head is not None
    # The head is read off the files' numbers; the chain itself must end there too.
    assert found.head == ScriptDirectory.from_config(_make_config()).get_current_head()


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
    scripts = ScriptDirectory.from_config(_make_config())
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
        _migrate(engine, command.downgrade, "0005")
        _migrate(engine, command.upgrade, "head")
        assert _made_by_hand(engine) == before
    finally:
        engine.dispose()
        database_server.drop(name)


def test_an_upgrade_names_cohorts_and_keeps_every_row(
    database_server: DatabaseServer, template_database: str
) -> None:
    name = database_server.create(template_database)
    engine = sa.create_engine(database_server.url(None, name))
    try:
        with engine.begin() as connection:
            connection.execute(sa.text("SET LOCAL gis.actor_id = 1"))
            connection.execute(sa.text("SET LOCAL gis.actor_role = 'county_office'"))
            publish_nine(connection)
            add_buildings(connection, [(WEST + SIDE / 2, SOUTH + SIDE / 2), (WEST, SOUTH + SIDE)])
            add_households(connection, [(WEST + SIDE / 2, SOUTH + SIDE / 2), (0, 0)], ["b1", None])
            assignment.assign_new(connection)
        rows = _assignment_rows(engine, "cohort")
        assert len(rows["membership"]) == len(rows["assignment"]) == 4
        _migrate(engine, command.downgrade, "0017")
        assert _assignment_rows(engine, "lot") == rows
        assert "lot_grid" in _names_in_catalog(engine)
        _migrate(engine, command.upgrade, "0018")
        assert _assignment_rows(engine, "cohort") == rows
        old_word = re.compile(r"(?<![a-z])lots?(?![a-z])")
        assert [text for text in _names_in_catalog(engine) if old_word.search(text)] == []
        with engine.begin() as connection:
            place = sa.func.ST_SetSRID(
                sa.func.ST_MakePoint(WEST + 1.5 * SIDE, SOUTH + SIDE / 2), 4490
            )
            connection.execute(sa.insert(t.building).values(key="later", point=place))
            assignment.assign_new(connection)  # by the renamed sequence and trigger
        assert len(_assignment_rows(engine, "cohort")["cohort"]) == len(rows["cohort"]) + 1
    finally:
        engine.dispose()
        database_server.drop(name)


def _migrate(engine: sa.Engine, step: Callable[[Config, str], None], to: str) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL ROLE gis_owner"))
        config = _make_config()
        config.attributes["connection"] = connection
        step(config, to)


def _assignment_rows(engine: sa.Engine, word: str) -> dict[str, list[Any]]:
    """Read what objects belong to, by the names of the tables after migration 0018."""
    names = {"cohort": word, "cohort_grid": f"{word}_grid"}
    names |= {"membership": "membership", "assignment": "assignment"}
    with engine.connect() as connection:
        return {
            new: list(connection.execute(sa.text(f"SELECT * FROM {old} ORDER BY {old}")))
            for new, old in names.items()
        }


def _names_in_catalog(engine: sa.Engine) -> list[str]:
    """Read names of relations, columns and constraints, and the texts of functions and views."""
    with engine.connect() as connection:
        return list(
            connection.scalars(
                sa.text(
                    "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                    " UNION ALL SELECT column_name FROM information_schema.columns"
                    " WHERE table_schema = 'public'"
                    " UNION ALL SELECT conname FROM pg_constraint"
                    " WHERE connamespace = 'public'::regnamespace"
                    " UNION ALL SELECT prosrc FROM pg_proc WHERE proname LIKE 'gis_%'"
                    " UNION ALL SELECT pg_get_viewdef('assignment'::regclass)"
                )
            )
        )


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
