"""The engine and the one way to open a transaction: under the name of an actor, within limits.

Every transaction sets ``gis.actor_id`` and ``gis.actor_role`` for itself, so that triggers and,
later, row-level security know who asks, and how long its kind of work may take. What the database
cannot do now leaves it as an error of ours.
"""

import copy
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, Final, Literal, ParamSpec, Protocol, Self, TypeVar

import psycopg2
import sqlalchemy as sa
from psycopg.conninfo import make_conninfo
from sqlalchemy.pool import NullPool

from gis_service.errors import BusyError, DeadlockError, StoreError
from gis_service.settings import WorkLimits, limit_settings
from gis_service.store.failures import clean_errors, find_outage, remove_values

Workload = Literal["page", "report", "job", "command"]
"""Kinds of work, each with limits of its own."""
Answer = TypeVar("Answer")
Parameters = ParamSpec("Parameters")

MINIMUM_POSTGRESQL = 140000
MINIMUM_POSTGIS = (3, 1)
_POOL_WAIT_S = 5.0
_LOADING = 4_906_113  # an arbitrary number, next to the migrations'
_ROADS = 4_906_115
_TRIES: Final = 3
_SET: Final = sa.select(
    *(
        sa.func.set_config(name, sa.bindparam(name), True)  # noqa: FBT003
        for name in (
            "gis.actor_id",
            "gis.actor_role",
            "gis.actor_areas",
            "gis.session_id",
            "gis.address",
            "gis.request_id",
            "gis.scope",
            "statement_timeout",
            "lock_timeout",
            "idle_in_transaction_session_timeout",
            "transaction_read_only",
        )
    ),
    sa.func.set_config(
        "synchronous_commit",
        sa.func.coalesce(sa.bindparam("commits"), sa.func.current_setting("synchronous_commit")),
        True,  # noqa: FBT003
    ),
)
_SET_SCOPE: Final = sa.select(
    sa.func.current_setting("gis.scope", True).label("before"),  # noqa: FBT003
    sa.func.set_config("gis.scope", sa.bindparam("scope"), True),  # noqa: FBT003
)
_log = logging.getLogger(__name__)


class OriginLike(Protocol):
    """What the store needs to know of where a request comes from."""

    @property
    def session_id(self) -> int | None:
        """Of whoever signed in."""

    @property
    def address(self) -> str:
        """Of the caller."""

    @property
    def request_id(self) -> str:
        """By which the request is found in the log."""


class ActorLike(Protocol):
    """What the store needs to know of an actor."""

    @property
    def actor_id(self) -> int:
        """Row of the actor table."""

    @property
    def role(self) -> str:
        """One of ``roles.ROLES``."""

    @property
    def areas(self) -> tuple[int, ...] | None:
        """Grid ids of any level; None is the whole county."""

    @property
    def origin(self) -> OriginLike:
        """Where the request comes from."""


@dataclass(frozen=True)
class _NoOrigin:
    session_id: int | None = None
    address: str = ""
    request_id: str = ""


@dataclass(frozen=True)
class _Nobody:
    actor_id: int = 0
    role: str = "visitor"
    areas: tuple[int, ...] | None = None
    origin: _NoOrigin = _NoOrigin()


NOBODY: Final = _Nobody()
"""In whose name the store looks after itself."""


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
    workload
        Whose limits hold; :meth:`under` gives the same store under others.
    name
        By which the server lists our connections.
    """

    def __init__(
        self,
        url: sa.URL | str,
        *,
        pooled: bool = True,
        connections: int = 20,
        workload: Workload = "command",
        name: str = "gis_service",
    ) -> None:
        options: dict[str, Any] = {"poolclass": NullPool}
        if pooled:
            options = {
                "pool_size": connections,
                "max_overflow": 0,
                "pool_timeout": _POOL_WAIT_S,
            }
        self.url = sa.make_url(url)
        self.engine = sa.create_engine(
            self.url,
            connect_args={"application_name": name},
            hide_parameters=True,  # what people typed or are called never reaches a log line
            **options,
        )
        clean_errors(self.engine)
        self._workload = workload
        self._limits = _milliseconds(workload)

    def under(self, workload: Workload) -> Self:
        """
        Give this store under the limits of another kind of work.

        Parameters
        ----------
        workload
            Whose limits.

        Returns
        -------
        Store
            On the same pool.
        """
        store = copy.copy(self)
        store._workload = workload  # noqa: SLF001 (one of us)
        store._limits = _milliseconds(workload)  # noqa: SLF001
        return store

    @contextmanager
    def transaction(
        self, actor: ActorLike, *, read_only: bool = False, durable: bool = True
    ) -> Iterator[sa.Connection]:
        """
        Open a transaction in an actor's name; commit at the end, roll back on an error.

        Parameters
        ----------
        actor
            Who asks.
        read_only
            The database refuses every change.
        durable
            False does not wait until the disk has it: a crash of the database server may lose it.

        Yields
        ------
        sqlalchemy.Connection
            Valid inside the block only.

        Raises
        ------
        OutageError
            The database cannot do it now: it is gone or full, or took too long.
        BusyError
            Every connection of the pool is taken.
        """
        try:
            with self.begin(actor, read_only=read_only, durable=durable) as connection:
                yield connection
                connection.commit()
        except sa.exc.TimeoutError as error:
            raise BusyError("api.busy") from error
        except (sa.exc.DBAPIError, psycopg2.Error, OSError) as error:
            if isinstance(error, psycopg2.Error):  # of a COPY, which goes past the engine
                remove_values(error)
            outage = find_outage(error)
            if outage is None:
                raise
            raise outage from error

    def begin(
        self, actor: ActorLike, *, read_only: bool = False, durable: bool = True
    ) -> sa.Connection:
        """
        Begin a transaction by saying whose it is, how long it may take, and whether it only reads.

        That statement also finds a connection that died in the pool, in place of a ping before it:
        the whole pool is then opened again, once. The caller ends and closes it.
        """
        origin = actor.origin
        who = {
            "gis.actor_id": str(actor.actor_id),
            "gis.actor_role": actor.role,
            "gis.actor_areas": _areas_text(actor.areas),
            "gis.session_id": "" if origin.session_id is None else str(origin.session_id),
            "gis.address": origin.address,
            "gis.request_id": origin.request_id,
            "gis.scope": "",
            "transaction_read_only": "on" if read_only else "off",
            "commits": None if durable else "off",
        }
        for is_again in (False, True):
            connection = self.engine.connect()
            try:
                connection.execute(_SET, {**who, **self._limits})
            except BaseException as error:
                connection.close()
                died = isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated
                if is_again or not died:
                    raise
            else:
                return connection
        raise AssertionError

    def run(
        self,
        actor: ActorLike,
        function: Callable[[sa.Connection], Answer],
        *,
        read_only: bool = False,
        durable: bool = True,
    ) -> Answer:
        """
        Do a whole transaction, again where a deadlock rolled it back.

        Parameters
        ----------
        actor
            Who asks.
        function
            All that the transaction does; it may be called several times.
        read_only, durable
            As of :meth:`transaction`.

        Returns
        -------
        Answer
            Of the function.
        """

        def transact() -> Answer:
            with self.transaction(actor, read_only=read_only, durable=durable) as connection:
                return function(connection)

        return retry_after_deadlock(transact)

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
        return Store(self.url, connections=connections, workload=self._workload)

    def require_powerless(self) -> None:
        """
        Refuse to serve or to work on jobs as a role that the rules of the database do not bind.

        Raises
        ------
        StoreError
            A superuser, a role with BYPASSRLS or a member of one, or the owner of a table or a
            member of him.
        """
        with self.transaction(NOBODY) as connection:
            role, superuser, bypasses, owns = connection.execute(
                sa.text(
                    "SELECT current_user, rolsuper, EXISTS ("
                    "  SELECT FROM pg_roles WHERE (rolbypassrls OR rolsuper)"
                    "  AND pg_has_role(current_user, oid, 'MEMBER')), EXISTS ("
                    "  SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                    "  AND relkind IN ('r', 'p', 'v', 'm')"
                    "  AND pg_has_role(current_user, relowner, 'MEMBER'))"
                    " FROM pg_roles WHERE rolname = current_user"
                )
            ).one()
        for is_so, key in (
            (superuser, "store.is_superuser"),
            (bypasses, "store.bypasses_rules"),
            (owns, "store.is_owner"),
        ):
            if is_so:
                raise StoreError(key, role=role)

    def close(self) -> None:
        """Give every connection back."""
        self.engine.dispose()


@contextmanager
def whole_county(connection: sa.Connection) -> Iterator[None]:
    """
    Let what follows read and write rows of all areas, such as figures that everybody shares.

    The name in which a transaction runs stays. Whoever asks for it has looked at the actor's
    rights, or gives nothing away that tells of a single person.

    Parameters
    ----------
    connection
        An open transaction.

    Yields
    ------
    None
        The rules by rows of the database let everything through inside the block.
    """
    before = connection.scalar(_SET_SCOPE, {"scope": "county"})
    try:
        yield
    finally:
        if connection.in_transaction() and not connection.invalidated:
            with suppress(sa.exc.DBAPIError):  # a failed transaction forgets the setting anyway
                connection.execute(_SET_SCOPE, {"scope": before or ""})


def in_whole_county(
    function: Callable[Concatenate[sa.Connection, Parameters], Answer],
) -> Callable[Concatenate[sa.Connection, Parameters], Answer]:
    """
    Let a function whose first argument is a connection work in :func:`whole_county`.

    Parameters
    ----------
    function
        It asks by itself what the actor may do and see.

    Returns
    -------
    callable
        The same function, for rows of all areas.
    """

    @wraps(function)
    def run(
        connection: sa.Connection, /, *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Answer:
        with whole_county(connection):
            return function(connection, *args, **kwargs)

    return run


def _areas_text(areas: tuple[int, ...] | None) -> str:
    """Write areas as ``gis_actor_areas()`` of the database reads them."""
    return "county" if areas is None else "{" + ",".join(map(str, areas)) + "}"


def _milliseconds(workload: Workload) -> dict[str, str]:
    limits: WorkLimits = getattr(limit_settings(), workload)
    return {
        "statement_timeout": f"{1000 * limits.statement_s:.0f}",
        "lock_timeout": f"{1000 * limits.lock_s:.0f}",
        "idle_in_transaction_session_timeout": f"{1000 * limits.idle_s:.0f}",
    }


def retry_after_deadlock(function: Callable[[], Answer]) -> Answer:
    """
    Call what begins and ends its own transaction, again where a deadlock rolled it back.

    Parameters
    ----------
    function
        May be called several times.

    Returns
    -------
    Answer
        Of the function.

    Raises
    ------
    DeadlockError
        It was rolled back every time.
    """
    for left in reversed(range(_TRIES)):
        try:
            return function()
        except DeadlockError as error:
            if not left:
                raise
            _log.warning("tried again after a deadlock: %s", error.cause)
    raise AssertionError


def store_url(address: str) -> sa.URL:
    """Read the address of a server of one's own, however its driver is written."""
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


def keep_roads(connection: sa.Connection) -> None:
    """
    Let nobody replace the road network until the end of a transaction, which may only read.

    Parameters
    ----------
    connection
        The transaction that reads the network; it waits for whoever replaces it.
    """
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(_ROADS)))


def lock_roads(connection: sa.Connection) -> None:
    """
    Wait until nobody reads or replaces the road network; held to the end of the transaction.

    Parameters
    ----------
    connection
        The transaction that replaces it.
    """
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ROADS)))


def end_connections(connection: sa.Connection, name: str) -> None:
    """
    End the connections of a process of ours that is gone, with what they still do.

    Parameters
    ----------
    connection
        An open transaction of the same login.
    name
        Under which that process opened its store.
    """
    activity = sa.table(
        "pg_stat_activity", *map(sa.column, ("pid", "application_name", "datname", "usename"))
    )
    connection.execute(
        sa.select(sa.func.pg_terminate_backend(activity.c.pid)).where(
            activity.c.application_name == name,
            activity.c.datname == sa.func.current_database(),
            activity.c.usename == sa.func.current_user(),
        )
    )


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


def libpq_address(url: sa.URL) -> str:
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
