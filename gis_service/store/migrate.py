"""Bring a database to the tables of this release, from the first migration on.

Runs as the owner role; the service's role owns nothing and is granted what it needs.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from gis_service.errors import ServerLostError, StoreError
from gis_service.store.engine import NOBODY, Store, check_server
from gis_service.store.failures import describe_error

if TYPE_CHECKING:  # a quarter of a second to read, and most starts find nothing to migrate
    from alembic.config import Config

_LOCK: Final = 4_906_112  # an arbitrary number: one migration at a time in a database
_MEMBERSHIP_IS_SPLIT: Final = 160000  # into ADMIN, INHERIT and SET
ROLES: Final = ("gis_owner", "gis_service")


@dataclass(frozen=True)
class MigrationState:
    """Which migration a database stands at, and which this release brings."""

    current: str | None
    head: str | None


_MIGRATIONS: Final = Path(__file__).parent / "migrations"


def _make_config() -> "Config":
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config


def read_migration_state(connection: sa.Connection) -> MigrationState:
    """
    Compare a database with this release.

    Parameters
    ----------
    connection
        To the database.

    Returns
    -------
    MigrationState
        Equal ids when the database is up to date.
    """
    table = connection.scalar(sa.select(sa.func.to_regclass("alembic_version")))
    query = sa.text("SELECT version_num FROM alembic_version")
    current = None if table is None else connection.scalar(query)
    return MigrationState(current, _newest_migration())


def require_newest(store: Store) -> None:
    """Refuse a database whose tables are not those of this release."""
    with store.transaction(NOBODY) as connection:
        migrations = read_migration_state(connection)
    if migrations.current != migrations.head:
        raise StoreError(
            "store.not_migrated", current=migrations.current or "–", head=migrations.head
        )


def _newest_migration() -> str | None:
    """Name the last migration: their files are numbered in the order in which they run."""
    numbers = [path.name.split("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*_*.py")]
    return max(numbers, default=None)


def upgrade(admin_url: sa.URL | str) -> MigrationState:
    """Make extensions and roles where they lack, then run the missing migrations as the owner."""
    engine = sa.create_engine(admin_url, poolclass=sa.pool.NullPool)
    try:
        with engine.connect() as connection:
            _migrate(connection)
            return read_migration_state(connection)
    except sa.exc.OperationalError as error:
        raise ServerLostError(describe_error(error)) from error
    finally:
        engine.dispose()


def _migrate(connection: sa.Connection) -> None:
    with connection.begin():
        check_server(connection)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        try:
            _prepare(connection)
        except sa.exc.ProgrammingError as error:
            raise StoreError("store.may_not_prepare", reason=str(error.orig).strip()) from error
        migrations = read_migration_state(connection)
        if migrations.current is not None and migrations.current == migrations.head:
            return
        from alembic import command  # noqa: PLC0415

        connection.execute(sa.text("SET LOCAL ROLE gis_owner"))
        config = _make_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _prepare(connection: sa.Connection) -> None:
    for extension in ("postgis", "btree_gist", "pg_trgm"):
        row = connection.scalar(
            sa.text("SELECT 1 FROM pg_extension WHERE extname = :name"), {"name": extension}
        )
        if row is None:
            connection.execute(sa.text(f"CREATE EXTENSION {extension}"))
    for role in ROLES:
        row = connection.scalar(
            sa.text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": role}
        )
        if row is None:
            login = "LOGIN" if role == "gis_service" else "NOLOGIN"
            connection.execute(sa.text(f"CREATE ROLE {role} {login}"))
    _make_backup_role(connection)
    may_create = connection.scalar(
        sa.text("SELECT has_schema_privilege('gis_owner', 'public', 'CREATE')")
    )
    if not may_create:
        connection.execute(sa.text("GRANT USAGE, CREATE ON SCHEMA public TO gis_owner"))
    # From 16 on whoever made a role is its member, but may not work as it unless that is granted.
    number = int(connection.scalar(sa.text("SHOW server_version_num")) or 0)
    privilege = "SET" if number >= _MEMBERSHIP_IS_SPLIT else "MEMBER"
    may_be_owner = connection.scalar(
        sa.text("SELECT pg_has_role(current_user, 'gis_owner', :wanted)"), {"wanted": privilege}
    )
    if not may_be_owner:
        connection.execute(sa.text("GRANT gis_owner TO CURRENT_USER"))


# Roles belong to the server: whoever migrates another of its databases may make it meanwhile.
_BACKUP_ROLE: Final = """
DO $$ BEGIN
    CREATE ROLE gis_backup LOGIN BYPASSRLS;
    ALTER ROLE gis_backup SET default_transaction_read_only = on;
    GRANT pg_read_all_data TO gis_backup;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END $$
"""


def _make_backup_role(connection: sa.Connection) -> None:
    """Make the role that dumps, reads all rows and changes none, if a superuser is at work."""
    is_missing = connection.scalar(
        sa.text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    ) and not connection.scalar(sa.text("SELECT 1 FROM pg_roles WHERE rolname = 'gis_backup'"))
    if is_missing:
        connection.execute(sa.text(_BACKUP_ROLE))
