"""The engine and the one way to open a transaction: under the name of an actor.

Every transaction sets ``gis.actor_id`` and ``gis.actor_role`` for itself, so that triggers and,
later, row-level security know who asks.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import sqlalchemy as sa
from psycopg.conninfo import make_conninfo
from sqlalchemy.pool import NullPool

from gis_service.errors import BusyError, StoreError

MINIMUM_POSTGRESQL = 140000
MINIMUM_POSTGIS = (3, 1)
_POOL_WAIT_S = 5.0
_LOADING = 4_906_113  # an arbitrary number, next to the migrations'


class ActorLike(Protocol):
    """What the store needs to know of an actor."""

    @property
    def actor_id(self) -> int:
        """Row of the actor table."""

    @property
    def role(self) -> str:
        """One of ``tables.ROLES``."""


class Store:
    """
    A connection pool to one database, as the role that owns nothing.

    Parameters
    ----------
    url
        SQLAlchemy URL (psycopg2).
    pooled
        False opens a connection for each transaction, for short commands and tests.
    connections
        How many a pool holds at the most.
    """

    def __init__(self, url: sa.URL | str, *, pooled: bool = True, connections: int = 20) -> None:
        options: dict[str, Any] = {"poolclass": NullPool}
        if pooled:
            options = {
                "pool_pre_ping": True,
                "pool_size": connections,
                "max_overflow": 0,
                "pool_timeout": _POOL_WAIT_S,
            }
        self.url = sa.make_url(url)
        self.engine = sa.create_engine(
            self.url,
            connect_args={"application_name": "gis_service"},
            hide_parameters=True,  # what people typed or are called never reaches a log line
            **options,
        )

    @contextmanager
    def transaction(self, actor: ActorLike) -> Iterator[sa.Connection]:
        """
        Open a transaction in an actor's name; commit at the end, roll back on an error.

        Parameters
        ----------
        actor
            Who asks.

        Yields
        ------
        sqlalchemy.Connection
            Valid inside the block only.

        Raises
        ------
        StoreError
            The database cannot be reached.
        BusyError
            Every connection of the pool is taken.
        """
        try:
            connection = self.engine.connect()
        except sa.exc.TimeoutError as error:
            raise BusyError("api.busy") from error
        except sa.exc.OperationalError as error:
            raise StoreError("store.unreachable", reason=str(error.orig).strip()) from error
        with connection, connection.begin():
            connection.execute(
                sa.select(
                    sa.func.set_config("gis.actor_id", str(actor.actor_id), True),  # noqa: FBT003
                    sa.func.set_config("gis.actor_role", actor.role, True),  # noqa: FBT003
                )
            )
            yield connection

    def apart(self, connections: int = 1) -> "Store":
        """
        Open the same database with a pool of its own, for what must go on when this one is empty.

        Parameters
        ----------
        connections
            How many it holds at the most.

        Returns
        -------
        Store
            The caller closes it.
        """
        return Store(self.url, connections=connections)

    def close(self) -> None:
        """Give every connection back."""
        self.engine.dispose()


def store_url(address: str) -> sa.URL:
    """
    Read the address of a server of one's own, however its driver is written.

    Parameters
    ----------
    address
        ``postgresql://…``, ``postgres://…`` or with the name of a driver.

    Returns
    -------
    sqlalchemy.URL
        For psycopg2, which all our SQL runs on.

    Raises
    ------
    StoreError
        It is not the address of a PostgreSQL. The message does not repeat it: it may hold a
        password.
    """
    try:
        url = sa.make_url(address)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise StoreError("store.bad_url") from error
    if url.drivername.partition("+")[0] not in ("postgresql", "postgres"):
        raise StoreError("store.bad_url")
    return url.set(drivername="postgresql+psycopg2")


def lock_for_loading(connection: sa.Connection) -> None:
    """
    Wait until nobody else loads a county into this store; held to the end of the transaction.

    Parameters
    ----------
    connection
        The transaction that loads.
    """
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOADING)))


def check_server(connection: sa.Connection) -> tuple[str, str]:
    """
    Refuse a server that is too old for us.

    Parameters
    ----------
    connection
        To the database in which the tables stand or will stand.

    Returns
    -------
    postgresql, postgis
        Version texts.

    Raises
    ------
    StoreError
        PostgreSQL below 14, PostGIS absent or below 3.1.
    """
    number = int(connection.scalar(sa.text("SHOW server_version_num")) or 0)
    version = str(connection.scalar(sa.text("SHOW server_version")))
    if number < MINIMUM_POSTGRESQL:
        raise StoreError("store.postgresql_too_old", version=version)
    postgis = connection.scalar(
        sa.text(
            "SELECT coalesce((SELECT extversion FROM pg_extension WHERE extname = 'postgis'),"
            " (SELECT default_version FROM pg_available_extensions WHERE name = 'postgis'))"
        )
    )
    if postgis is None:
        raise StoreError("store.no_postgis")
    if tuple(int(part) for part in str(postgis).split(".")[:2]) < MINIMUM_POSTGIS:
        raise StoreError("store.postgis_too_old", version=postgis)
    return version, str(postgis)


def conninfo(url: sa.URL) -> str:
    """
    Say the same address as psycopg 3 wants it, for the queue library.

    Parameters
    ----------
    url
        A SQLAlchemy URL of PostgreSQL.

    Returns
    -------
    str
        A libpq connection string.
    """
    parts: dict[str, Any] = {
        "host": url.host,
        "port": url.port,
        "dbname": url.database,
        "user": url.username,
        "password": url.password,
        **url.query,
    }
    return make_conninfo("", **{name: value for name, value in parts.items() if value is not None})
