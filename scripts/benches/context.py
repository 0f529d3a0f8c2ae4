"""What benches share: a throwaway PostGIS with the demo county, versions, and plans of SQL.

Made when first asked for, gone at the end. A bench never touches the data folder of the settings.
"""

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack, closing
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import psycopg2
import shapely
import sqlalchemy as sa
from psycopg2 import sql

from gis_service.main_job import assign_and_apply_due
from gis_service.store.cluster import Cluster, Role, create_database, prepare_database
from gis_service.store.engine import Store
from gis_service.store.migrate import upgrade
from scripts.load_demo_county import load

COUNTY: Final = "gis_bench_county"


def say(line: str) -> None:
    """
    Tell a person something.

    Parameters
    ----------
    line
        To standard error: standard output carries the figures alone.
    """
    print(line, file=sys.stderr, flush=True)


class Context:
    """
    The surroundings of one bench, for as long as the ``with`` block lasts.

    Parameters
    ----------
    say
        Told what happens.
    only
        Names of the rows that are wanted; all where None.
    """

    def __init__(
        self, say: Callable[[str], None] = say, only: Collection[str] | None = None
    ) -> None:
        self.say = say
        self._only = only
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def wants(self, row: str) -> bool:
        """
        Tell whether a row is to be measured.

        Parameters
        ----------
        row
            Its short name.

        Returns
        -------
        bool
            True where nobody asked for others only.
        """
        return self._only is None or row in self._only

    @cached_property
    def folder(self) -> Path:
        """A folder that goes away at the end; the server's account can enter it."""
        folder = Path(tempfile.mkdtemp(prefix="gis-bench-"))
        folder.chmod(0o755)
        self._stack.callback(shutil.rmtree, folder)
        return folder

    @cached_property
    def cluster(self) -> Cluster:
        """A PostGIS server of this bench alone, without safety against power cuts."""
        return self._stack.enter_context(Cluster(self.folder, durable=False))

    @cached_property
    def county_store(self) -> Store:
        """The demo county, loaded and assigned; whoever writes in it rolls back."""
        self.cluster.ensure_database(COUNTY)
        upgrade(self.url("gis_admin", COUNTY))
        store = Store(self.url("gis_service", COUNTY))
        load(store)
        assign_and_apply_due(store)
        store.close()  # nobody is connected while it is copied
        self._stack.callback(store.close)
        self._vacuum()
        return store

    @cached_property
    def peer_store(self) -> Store:
        """The demo county as a role whom no rule by rows binds: the peers know of none."""
        store = Store(self.county_store.url.set(username="gis_admin"))
        self._stack.callback(store.close)
        return store

    def _vacuum(self) -> None:
        with closing(self.connect(COUNTY)) as connection, connection.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE)")

    def url(self, role: Role, database: str) -> sa.URL:
        """
        Give the address of a database of this bench's server.

        Parameters
        ----------
        role
            Whom to connect as.
        database
            Its name; ``COUNTY`` is the demo county's.

        Returns
        -------
        sqlalchemy.URL
            A Unix socket, for psycopg2.
        """
        return self.cluster.url(role, database)

    def connect(self, database: str) -> Any:
        """
        Open a superuser's connection that commits by itself.

        Parameters
        ----------
        database
            Its name.

        Returns
        -------
        psycopg2 connection
            To be closed by the caller.
        """
        url = self.url("gis_admin", database).set(drivername="postgresql")
        connection = psycopg2.connect(url.render_as_string(hide_password=False))
        connection.autocommit = True
        return connection

    def fresh_database(self, name: str, *, copy_of_county: bool = False) -> Store:
        """
        Make a database for work that stays written.

        Parameters
        ----------
        name
            Begins with ``gis_bench_``; an older one of the name is dropped.
        copy_of_county
            Copy the demo county; otherwise it is empty, with our tables.

        Returns
        -------
        Store
            Closed at the end of the bench.
        """
        if copy_of_county:
            self.county_store.close()
        with closing(self.connect("postgres")) as connection:
            with connection.cursor() as cursor:
                identifier = sql.Identifier(name)
                cursor.execute(
                    sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier)
                )
            create_database(connection, name, COUNTY if copy_of_county else "template0")
        if not copy_of_county:
            with closing(self.connect(name)) as connection:
                prepare_database(connection)
            upgrade(self.url("gis_admin", name))
        store = Store(self.url("gis_service", name))
        self._stack.callback(store.close)
        return store

    def print_versions(self, *packages: str) -> None:
        """
        Say what is measured: Python, the libraries below both sides, and the peers.

        Parameters
        ----------
        *packages
            Further distributions, such as the peers'.
        """
        names = ("numpy", "shapely", "numba", *packages)
        self.say(f"Python {platform.python_version()}, {platform.machine()}, {cores()} cores")
        self.say(", ".join(f"{name} {version(name)}" for name in dict.fromkeys(names)))
        self.say(f"GEOS {shapely.geos_version_string} in shapely")

    def print_server_version(self, store: Store) -> None:
        """
        Say which PostgreSQL and PostGIS answer.

        Parameters
        ----------
        store
            On the server.
        """
        with store.engine.connect() as connection:
            self.say(str(connection.scalar(sa.text("SELECT version()"))))
            self.say(f"PostGIS {connection.scalar(sa.text('SELECT postgis_full_version()'))}")

    def print_plan(
        self,
        connection: sa.Connection,
        title: str,
        statement: str,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        """
        Say how the database runs a statement, without running it.

        Parameters
        ----------
        connection
            An open transaction in the state in which the statement is measured.
        title
            What it is.
        statement
            SQL with ``:name`` for values.
        values
            The values.
        """
        rows = connection.execute(sa.text(f"EXPLAIN {statement}"), values or {}).scalars()
        self.say(f"--- {title}\n{statement.strip()}\n" + "\n".join(f"    {line}" for line in rows))


def cores() -> int:
    """
    Count the cores this process may use.

    Returns
    -------
    int
        At least 1.
    """
    return len(os.sched_getaffinity(0))
