"""The private PostGIS cluster: one PostgreSQL server of our own, on a Unix socket, in our folder.

Several processes share it (the server, its workers, a command in a second shell): file locks count
them, the first starts the server, the last stops it, and a process that is killed gives its lock
back by itself. Nothing here knows a table, and no other PostgreSQL of this machine is touched.
"""

import fcntl
import logging
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Self, get_args

import psycopg2
import sqlalchemy as sa
from psycopg2 import sql
from psycopg2.extensions import connection as Psycopg2Connection  # noqa: N812

from gis_service.errors import SetupError, StoreError
from gis_service.messages import Language, choose_language, text
from gis_service.settings import store_settings
from gis_service.store.account import (
    FALLBACK_ROOT,
    Account,
    can_enter,
    find_free_place,
    find_server_account,
    move_within_reach,
    run_as,
)

Role = Literal["gis_admin", "gis_owner", "gis_service", "gis_backup"]

DATABASE: Final = "gis"
OLDEST_MAJOR: Final = 14
PORT: Final = "5432"
SOCKET_PATH_BYTES: Final = 100  # Linux takes 107
ORPHAN_SECONDS: Final = 30.0
READY_SECONDS: Final = 300.0  # crash recovery after a large import takes its time
LOG_BYTES: Final = 10_000_000

TUNED: Final[Mapping[str, str]] = {
    "listen_addresses": "",
    "port": PORT,
    "unix_socket_permissions": "0777",  # the folder (0700) and pg_hba.conf guard it
    "max_connections": "100",
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "synchronous_commit": "on",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Personal data never reaches a log line: neither statements nor the values of a broken key.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
THROWAWAY: Final[Mapping[str, str]] = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "64MB",
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Binaries:
    """One installed PostgreSQL that has PostGIS."""

    major: int
    folder: Path

    def program(self, name: str) -> str:
        """Name a program of this installation."""
        return str(self.folder / name)


def find_installed(system: Path = Path("/"), pg_config: str | None = "pg_config") -> list[Binaries]:
    """List what this machine has of PostgreSQL 14 and newer with PostGIS."""
    places = [
        (folder, system / "usr/share/postgresql" / folder.parent.name)
        for folder in system.glob("usr/lib/postgresql/*/bin")
    ]
    places += [(f, f.parent / "share") for f in system.glob("usr/pgsql-*/bin")]
    program = shutil.which(pg_config) if pg_config else None
    if program:
        answer = subprocess.run(
            [program, "--bindir", "--sharedir"], capture_output=True, text=True, check=False
        )
        lines = answer.stdout.splitlines()
        if answer.returncode == 0 and len(lines) == 2:
            places.append((Path(lines[0]), Path(lines[1])))
    binaries_of: dict[int, Binaries] = {}
    for folder, extensions in places:
        complete = (folder / "initdb").exists() and (folder / "pg_ctl").exists()
        if complete and (extensions / "extension/postgis.control").exists():
            major = _read_major(folder)
            if major >= OLDEST_MAJOR:
                binaries_of.setdefault(major, Binaries(major, folder))
    return [binaries_of[major] for major in sorted(binaries_of, reverse=True)]


def _read_major(folder: Path) -> int:
    match = re.search(r"(\d+)(?:/bin)?$", str(folder))
    if match:
        return int(match[1])
    answer = subprocess.run(
        [str(folder / "postgres"), "--version"], capture_output=True, text=True, check=False
    )
    version_match = re.search(r"(\d+)", answer.stdout)
    return int(version_match[1]) if version_match else 0


def find_binaries(
    data: Path | None = None, candidates: Iterable[Binaries] | None = None
) -> Binaries:
    """Choose the PostgreSQL to run: the newest, or the one that made the data."""
    choice = list(find_installed() if candidates is None else candidates)
    mark = data / "PG_VERSION" if data else None
    if mark and mark.exists():
        needed = int(mark.read_text("ascii"))
        for binaries in choice:
            if binaries.major == needed:
                return binaries
        raise SetupError("store.other_postgresql", needed=needed, data=data)
    if not choice:
        raise SetupError("store.no_postgresql")
    return choice[0]


def socket_fits(home: Path) -> bool:
    """Tell whether the server's socket can be named there."""
    return len(os.fsencode(home / "socket" / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_BYTES


def _claim(home: Path, account: Account | None) -> bool:
    """Make the cluster's folder the server's own; False where the file system will not have it."""
    try:
        for folder in (home, home / "socket"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if account:
                os.chown(folder, account.uid, account.gid)
            folder.chmod(0o700)
            status = folder.stat()
            if status.st_mode & 0o777 != 0o700:
                return False
            if status.st_uid != (account.uid if account else os.geteuid()):
                return False
    except OSError:
        return False
    return True


def choose_cluster_home(data_dir: Path, account: Account | None, fallback_root: Path) -> Path:
    """Choose the cluster's folder: inside the data folder, or apart where that cannot be."""
    # The choice is kept in ``elsewhere`` in the data folder, so that it stays the same; a copy of
    # the data folder at another path does not take it along.
    outside = _read_outside_home(data_dir)
    if outside is not None:
        if _claim(outside, account):
            return outside
        raise SetupError("store.no_place", data_dir=data_dir, fallback=outside)
    default_home = data_dir / "cluster"
    if socket_fits(default_home) and _claim(default_home, account):
        return default_home
    home = find_free_place(fallback_root, data_dir)
    if not (socket_fits(home) and can_enter(fallback_root, account) and _claim(home, account)):
        raise SetupError("store.no_place", data_dir=data_dir, fallback=home)
    (data_dir / "elsewhere").write_text(f"{data_dir}\n{home}\n", "utf-8")
    _log.warning(text("store.elsewhere", _choose_language(), data_dir=data_dir, fallback=home))
    return home


def _read_outside_home(data_dir: Path) -> Path | None:
    """Read where the cluster of a data folder stands if not inside; a copy's does not count."""
    note = data_dir / "elsewhere"
    if not note.exists():
        return None
    made_for, outside = note.read_text("utf-8").splitlines()
    return Path(outside) if made_for in (str(data_dir), str(data_dir.resolve())) else None


class Cluster:
    """The private server, for as long as the ``with`` block lasts and somebody else uses it."""

    def __init__(
        self, data_dir: Path, *, durable: bool = True, fallback_root: Path = FALLBACK_ROOT
    ) -> None:
        self.data_dir = data_dir.expanduser().absolute()
        self.durable = durable
        self.fallback_root = fallback_root
        self.account: Account | None = None
        self._home: Path | None = None
        self._binaries: Binaries | None = None
        self._users: int | None = None

    @classmethod
    def for_settings(cls) -> Self:
        """Take the data folder from ``GIS_DATA_DIR``."""
        return cls(store_settings().data_dir)

    @property
    def home(self) -> Path:
        """The cluster's folder: data, socket and log."""
        if self._home is None:
            raise StoreError("store.cluster_closed")
        return self._home

    @property
    def data(self) -> Path:
        """PostgreSQL's data folder."""
        return self.home / "pg"

    @property
    def socket(self) -> Path:
        """The folder of the Unix socket."""
        return self.home / "socket"

    @property
    def log_file(self) -> Path:
        """What the server wrote."""
        return self.home / "server.log"

    def url(self, role: Role, database: str = DATABASE) -> sa.URL:
        """
        Give the address for SQLAlchemy on psycopg2.

        Parameters
        ----------
        role
            Whom to connect as.
        database
            The database's name.

        Returns
        -------
        sqlalchemy.URL
            Through the Unix socket.
        """
        return sa.URL.create(
            "postgresql+psycopg2",
            username=role,
            database=database,
            query={"host": str(self.socket), "port": PORT},
        )

    def find_account(self) -> Account | None:
        """Tell which account it runs as, or would if it were made now."""
        home = _read_outside_home(self.data_dir) or self.data_dir / "cluster"
        return find_server_account(home / "pg")

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """
        Join the server; make it and start it where nobody has.

        Raises
        ------
        SetupError
            PostgreSQL is absent, or no folder can be used.
        StoreError
            The server does not start.
        """
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            self.account = self.find_account()
            self.data_dir = move_within_reach(self.data_dir, self.account, self.fallback_root)
            with self._start_lock():
                find_binaries()
                self._home = choose_cluster_home(self.data_dir, self.account, self.fallback_root)
                self._binaries = find_binaries(self.data)
                self._users = self._open_lock("users.lock")
                fcntl.flock(self._users, fcntl.LOCK_SH)
                try:
                    self._make_data()
                    self._ensure_running()
                    self._make_database()
                except BaseException:
                    self._release()
                    raise
        except PermissionError as error:
            raise SetupError("store.not_yours", data_dir=self.data_dir) from error

    def close(self) -> None:
        """Leave; stop the server if nobody else uses it."""
        if self._users is not None:
            with self._start_lock():
                self._release()

    @contextmanager
    def watch(self, every_s: float = 1.0) -> Iterator[None]:
        """Start the server again should it die while the block lasts."""
        stop = threading.Event()
        watcher = threading.Thread(
            target=self._watch, args=(stop, every_s), name="cluster-watch", daemon=True
        )
        watcher.start()
        try:
            yield
        finally:
            stop.set()
            watcher.join()

    def find_postmaster(self) -> int | None:
        """Find the running server."""
        try:
            pid = int((self.data / "postmaster.pid").read_text("ascii").split("\n", 1)[0])
        except (OSError, ValueError):
            return None
        return pid if self._is_ours(pid) else None

    def _watch(self, stop: threading.Event, every_s: float) -> None:
        while not stop.wait(every_s):
            if self.find_postmaster() is not None:
                continue
            language = _choose_language()
            _log.warning(text("store.cluster_died", language))
            try:
                with self._start_lock():
                    self._ensure_running()
            except StoreError as error:
                _log.error(error.say(language))
                stop.wait(10 * every_s)

    def _open_lock(self, name: str) -> int:
        return os.open(self.data_dir / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    @contextmanager
    def _start_lock(self) -> Iterator[None]:
        lock = self._open_lock("start.lock")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _release(self) -> None:
        """Give the users' lock back and stop the server if it was the last; under start.lock."""
        if self._users is None:
            return
        try:
            fcntl.flock(self._users, fcntl.LOCK_UN)
            with suppress(BlockingIOError):
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._stop()
        finally:
            os.close(self._users)
            self._users = None

    def _pg_ctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        if self._binaries is None:
            raise StoreError("store.cluster_closed")
        command = [self._binaries.program("pg_ctl"), "-D", str(self.data), *arguments]
        return run_as(self.account, command, self.home)

    def _stop(self) -> None:
        if self.find_postmaster() is None:
            return
        if self._pg_ctl("stop", "-w", "-m", "fast", "-t", "60").returncode != 0:
            self._pg_ctl("stop", "-w", "-m", "immediate", "-t", "30")

    def _is_ours(self, pid: int) -> bool:
        """Tell whether a process is PostgreSQL at work in our data folder, and no zombie."""
        process = Path("/proc", str(pid))
        try:
            name = (process / "comm").read_text("utf-8", "replace").strip()
            folder = (process / "cwd").readlink()
        except OSError:
            return False
        return name in {"postgres", "postmaster"} and folder == self.data.resolve()

    def _orphans(self) -> list[int]:
        return [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and self._is_ours(int(entry.name))
        ]

    def _make_data(self) -> None:
        """Make the data folder apart and move it into place whole: half of one is never used."""
        if (self.data / "PG_VERSION").exists() or self._binaries is None:
            return
        for leftover in self.home.glob("pg.new-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        new_data = self.home / f"pg.new-{secrets.token_hex(4)}"
        command = [
            self._binaries.program("initdb"),
            f"--pgdata={new_data}",
            "--username=gis_admin",
            "--auth-local=peer",
            "--auth-host=reject",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--data-checksums",
        ]
        answer = run_as(self.account, command + ([] if self.durable else ["--no-sync"]), self.home)
        if answer.returncode != 0:
            raise StoreError("store.cluster_not_made", reason=_tail(answer.stdout))
        with (new_data / "postgresql.conf").open("a", encoding="utf-8") as configuration:
            configuration.write("\ninclude_if_exists = 'gis_service.conf'\n")
        if self.data.exists():  # without PG_VERSION it was never a cluster
            self.data.rename(self.home / f"pg.broken-{secrets.token_hex(4)}")
        new_data.rename(self.data)

    def _write_settings(self) -> None:
        """Write our settings at each start: the folder may have moved, the numbers may be new."""
        folder = str(self.socket).replace('"', '""')
        values = {**TUNED, **({} if self.durable else THROWAWAY)}
        values["unix_socket_directories"] = f'"{folder}"'
        lines = [f"{name} = {_quote(value)}" for name, value in values.items()]
        self._write("gis_service.conf", lines)

    def _write(self, name: str, lines: Iterable[str]) -> bool:
        """Write a file of the data folder; False where it says the same already."""
        file, content = self.data / name, "\n".join(lines) + "\n"
        if file.exists() and file.read_text("utf-8") == content:
            return False
        file.write_text(content, "utf-8")
        file.chmod(0o600)
        if self.account:
            os.chown(file, self.account.uid, self.account.gid)
        return True

    def _write_access(self) -> bool:
        """Let in whoever the system says it is, and nobody on his word; True where that is new."""
        # The server's account and root may take each of our roles; a role that the operator makes
        # for another program signs in by its password.
        users = {pwd.getpwuid(os.geteuid()).pw_name, "root"}
        users |= {self.account.name} if self.account else set()
        roles = get_args(Role)
        access = [
            f"local all {','.join(roles)} peer map=gis_service",
            "local all all scram-sha-256",
        ]
        names = [f'gis_service "{user}" {role}' for user in sorted(users) for role in roles]
        note = "# Written by gis_service at each start."
        written = [
            self._write("pg_ident.conf", [note, *names]),
            self._write("pg_hba.conf", [note, *access]),
        ]
        return any(written)

    def _ensure_running(self) -> None:
        access_is_new = self._write_access()
        if self.find_postmaster() is None:
            self._start()
        elif access_is_new:
            self._pg_ctl("reload")
        self._wait_until_ready()

    def _start(self) -> None:
        """Start the server; after a ``kill -9`` wait for what is left of the old one to go."""
        self._write_settings()
        if self.log_file.exists() and self.log_file.stat().st_size > LOG_BYTES:
            self.log_file.replace(self.log_file.with_suffix(".log.1"))
        deadline = time.monotonic() + ORPHAN_SECONDS
        while True:
            orphans = self._orphans()
            if not orphans:
                # The number in them may be a stranger's or a zombie's, which keeps PostgreSQL out.
                for stale in (
                    self.data / "postmaster.pid",
                    self.socket / f".s.PGSQL.{PORT}.lock",
                    self.socket / f".s.PGSQL.{PORT}",
                ):
                    stale.unlink(missing_ok=True)
                answer = self._pg_ctl(
                    "start", "-w", "-t", f"{READY_SECONDS:.0f}", "-l", str(self.log_file)
                )
                if answer.returncode == 0:
                    return
            if time.monotonic() > deadline or (not orphans and not self._shared_memory_in_use()):
                raise StoreError(
                    "store.cluster_not_started", reason=self._log_tail(), file=self.log_file
                )
            for pid in orphans:  # what the dead server would have told them
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGQUIT)
            time.sleep(0.2)

    def _shared_memory_in_use(self) -> bool:
        return "still in use" in self._log_tail()

    def _log_tail(self) -> str:
        if not self.log_file.exists():
            return ""
        return _tail(self.log_file.read_text("utf-8", "replace"))

    def _connect(self, database: str, role: Role = "gis_admin") -> Psycopg2Connection:
        return psycopg2.connect(
            host=str(self.socket), port=PORT, user=role, dbname=database, connect_timeout=10
        )

    @property
    def _is_made(self) -> bool:
        return (self.data / "gis_service.ready").exists()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        # What serves opens the cluster too, and is the superuser at no time.
        role: Role = "gis_service" if self._is_made else "gis_admin"
        while True:
            try:
                self._connect("postgres", role).close()
            except psycopg2.OperationalError as error:
                if self.find_postmaster() is None or time.monotonic() > deadline:
                    raise StoreError(
                        "store.cluster_not_started", reason=self._log_tail(), file=self.log_file
                    ) from error
                time.sleep(0.1)
            else:
                return

    def ensure_database(self, name: str) -> None:
        """Make a further database of ours where it is missing: one for each region."""
        with self._start_lock():
            with closing(self._connect("postgres")) as connection:
                create_database(connection, name)
            with closing(self._connect(name)) as connection:
                prepare_database(connection)

    def has_database(self, name: str) -> bool:
        """Tell whether there is a database of a name."""
        with (
            closing(self._connect("postgres", "gis_service")) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
            return cursor.fetchone() is not None

    def _make_database(self) -> None:
        """Make roles, database and extensions; each step may be repeated after a kill."""
        if self._is_made:
            return
        with closing(self._connect("postgres")) as connection:
            prepare_server(connection)
            create_database(connection, DATABASE)
        with closing(self._connect(DATABASE)) as connection:
            prepare_database(connection)
        (self.data / "gis_service.ready").touch()


def prepare_server(connection: Psycopg2Connection, password: str | None = None) -> None:
    """Make the two roles where they are missing: the owner of the tables, and the service."""
    connection.autocommit = True
    with connection.cursor() as cursor:
        for role in ("gis_owner", "gis_service"):
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,))
            if cursor.fetchone() is None:
                cursor.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
            if password is not None:
                cursor.execute(
                    sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(
                        sql.Identifier(role), sql.Literal(password)
                    )
                )


def create_database(connection: Psycopg2Connection, name: str, template: str = "template0") -> None:
    """Make a database of the owner's where it is missing."""
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
        if cursor.fetchone() is None:
            cursor.execute(
                sql.SQL("CREATE DATABASE {} OWNER gis_owner TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )


def prepare_database(connection: Psycopg2Connection) -> None:
    """Add the extensions, and leave the public schema to the owner alone."""
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS postgis")
        cursor.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
        cursor.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        cursor.execute("GRANT ALL ON SCHEMA public TO gis_owner")
        cursor.execute("GRANT USAGE ON SCHEMA public TO gis_service")


def _choose_language() -> Language:
    """Choose as the command line does: English at a terminal that does not ask for Chinese."""
    env = os.environ
    preference = env.get("GIS_LANGUAGE") or env.get("LC_ALL") or env.get("LANG") or ""
    return choose_language(preference) if preference.lower().startswith("zh") else "en"


def _quote(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _tail(log: str, lines: int = 8) -> str:
    return "\n".join(log.strip().splitlines()[-lines:])
