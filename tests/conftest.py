"""What tests share: one throwaway PostGIS server a run, a fresh database a module, a browser.

Run on several processes (``-n 2``), the tests of a module stay together, the longest modules come
first, and the first process keeps the one server for all.

``GIS_TEST_DATABASE_ADMIN_URL`` names a server to use instead of a throwaway one; only databases
whose names begin with ``gis_test_`` are made and dropped there.
"""

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2
import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, sync_playwright
from playwright.sync_api import Error as PlaywrightError
from psycopg2 import sql
from psycopg2.extensions import connection as Psycopg2Connection  # noqa: N812
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from gis_service.settings import store_settings
from gis_service.store.cluster import Cluster, create_database, prepare_database, prepare_server
from gis_service.store.engine import Store
from gis_service.store.migrate import upgrade

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_PREFIX = "gis-test-"
_SHARED = "GIS_TEST_SHARED_SERVER"
_PASSWORD = "gis_test"


def pytest_configure(config: pytest.Config) -> None:
    """Start the server that all processes of this run share."""
    is_first = not hasattr(config, "workerinput")
    if not is_first or not config.getoption("numprocesses", None):
        return
    if _SHARED in os.environ or "GIS_TEST_DATABASE_ADMIN_URL" in os.environ:
        return
    _sweep()
    folder = make_short_dir()
    ending = ExitStack()
    config.add_cleanup(ending.close)
    ending.callback(os.environ.pop, _SHARED, None)
    ending.callback(shutil.rmtree, folder)
    cluster = ending.enter_context(Cluster(folder, durable=False))
    os.environ[_SHARED] = cluster.url("gis_admin", "postgres").render_as_string(False)


LONGEST_FIRST = (
    "tests/demo_county/",
    "tests/browser/",
    "tests/test_cli.py",
    "tests/end_to_end/",
    "tests/store/test_cluster.py",
    "tests/reports/",
    "tests/ingest/test_real_files.py",
    "tests/api/",
)
"""Where the minutes are; what is short fills the last gaps, so that all processes end together."""


class Together(LoadScopeScheduling):  # type: ignore[misc]
    """Keeps on one process what shares a fixture: a module, and all of the demo county's data."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        folder = module.rpartition("/")[0]
        return folder if folder.endswith("/demo_county") else module


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest modules first; within a module all stays as it is written."""

    def turn(item: pytest.Item) -> int:
        starts = (place for place, name in enumerate(LONGEST_FIRST) if item.nodeid.startswith(name))
        return next(starts, len(LONGEST_FIRST))

    items.sort(key=turn)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Say which tests stay together, and that they start in the order they are collected in."""
    config.option.loadscopereorder = False
    return Together(config, log)


@dataclass
class DatabaseServer:
    """A server on which tests make and drop databases."""

    admin: sa.URL
    password: str | None = None
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def connect(self, database: str | None = None) -> Psycopg2Connection:
        """Open a superuser's connection that commits by itself."""
        url = self.url(None, database or self.admin.database or "postgres")
        connection = psycopg2.connect(
            url.set(drivername="postgresql").render_as_string(hide_password=False)
        )
        connection.autocommit = True
        return connection

    def url(self, role: str | None, database: str) -> sa.URL:
        """Give the address of a database for a role; None is the superuser."""
        if role is None:
            return self.admin.set(database=database)
        url = self.admin.set(username=role, database=database)
        return url.set(password=self.password) if self.password else url

    def create(self, template: str = "template0") -> str:
        """Make a database of a new name."""
        name = f"gis_test_{os.getpid()}_{next(self._numbers)}"
        with closing(self.connect()) as connection:
            create_database(connection, name, template)
        return name

    def drop(self, name: str) -> None:
        """Drop a database with whoever is still connected to it."""
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _sweep() -> None:
    """Stop and remove what test runs left that were killed: their number is in the name."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        mine = folder.with_name(f"{_PREFIX}{os.getpid()}-{folder.name[-8:]}")
        if Path("/proc", pid).exists():
            continue
        try:
            folder.rename(mine)  # only one of several runs gets it
        except (FileNotFoundError, PermissionError):
            continue
        if (mine / "users.lock").exists():
            with Cluster(mine, durable=False):
                pass
        shutil.rmtree(mine)


def make_short_dir() -> Path:
    """Make a folder with a short path that the server's account can enter."""
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    folder.chmod(0o755)
    return folder


@pytest.fixture(scope="session", autouse=True)
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The service's own folder for this run, so that nothing is left in the project's."""
    folder = tmp_path_factory.mktemp("var")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIS_DATA_DIR", str(folder))
        store_settings.cache_clear()
        yield folder
    store_settings.cache_clear()


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A folder for a cluster; pytest's own are closed to the server's account."""
    folder = make_short_dir()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def module_dir() -> Iterator[Path]:
    """A folder for a cluster that a module's tests share."""
    folder = make_short_dir()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def database_server() -> Iterator[DatabaseServer]:
    """The PostGIS server of this run."""
    given = os.environ.get("GIS_TEST_DATABASE_ADMIN_URL")
    if given:
        server = DatabaseServer(sa.make_url(given), _PASSWORD)
        with closing(server.connect()) as connection:
            prepare_server(connection, _PASSWORD)
        yield server
        return
    shared = os.environ.get(_SHARED)
    if shared:
        yield DatabaseServer(sa.make_url(shared))
        return
    _sweep()
    folder = make_short_dir()
    with Cluster(folder, durable=False) as cluster:
        yield DatabaseServer(cluster.url("gis_admin", "postgres"))
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def template_database(database_server: DatabaseServer) -> Iterator[str]:
    """A database with every migration applied, to be copied."""
    name = database_server.create()
    with closing(database_server.connect(name)) as connection:
        prepare_database(connection)
    upgrade(database_server.url(None, name))
    yield name
    database_server.drop(name)


@pytest.fixture(scope="module")
def database(database_server: DatabaseServer, template_database: str) -> Iterator[str]:
    """The name of a fresh, empty database for this module."""
    name = database_server.create(template_database)
    yield name
    database_server.drop(name)


@pytest.fixture(scope="module")
def store(database_server: DatabaseServer, database: str) -> Iterator[Store]:
    """The store on this module's database, as the role that owns nothing."""
    store = Store(database_server.url("gis_service", database))
    yield store
    store.close()


@pytest.fixture(scope="module")
def owner_engine(database_server: DatabaseServer, database: str) -> Iterator[sa.Engine]:
    """This module's database as the role that owns the tables."""
    engine = sa.create_engine(
        database_server.url("gis_owner", database), poolclass=sa.pool.NullPool
    )
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real regions, beside the project."""
    folder = ROOT.parent / "shared/data"
    if not folder.is_dir():
        pytest.skip("the real regions (../shared/data) are not on this machine")
    return folder


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The system's Chromium; Ubuntu's is a snap, which a service account cannot start."""
    if not CHROMIUM.is_file():
        pytest.skip("this system has no /usr/bin/chromium (on Ubuntu it comes as a snap only)")
    return CHROMIUM


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    """
    A headless Chromium with a user folder of its own.

    It ends with its module: as long as it runs, so does an event loop in this thread, and no other
    test could start one.
    """
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=chromium, args=list(CHROMIUM_FLAGS)
            )
        except PlaywrightError as error:
            pytest.skip(f"{chromium} does not start here: {error.message.splitlines()[0]}")
        yield browser
        browser.close()
