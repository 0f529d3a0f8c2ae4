"""Limits by kind of work, and what the database or the disk cannot do now, each for real."""

import errno
import logging
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import psycopg2.errors
import pytest
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.commands.terminal import exit_on_errors
from gis_service.errors import (
    DeadlockError,
    DiskFullError,
    GisError,
    LockTimeoutError,
    OutageError,
    QueryCancelledError,
    ServerLostError,
)
from gis_service.logs import keep_values_out_of_logs
from gis_service.messages import LANGUAGES, text
from gis_service.settings import limit_settings, store_settings
from gis_service.store import Store, disk
from gis_service.store import tables as t
from gis_service.store.bulk import _CopyStream, copy_rows
from gis_service.store.engine import Workload, libpq_address
from gis_service.store.failures import (
    find_outage,
    traceback_without_values,
)
from tests.conftest import DatabaseServer

FIVE = (QueryCancelledError, LockTimeoutError, DeadlockError, DiskFullError, ServerLostError)
SECRET = "王某某 13812345678"


@pytest.fixture
def page_limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A fifth of a second for everything that a page does."""
    for name in ("STATEMENT", "LOCK", "IDLE"):
        monkeypatch.setenv(f"GIS_PAGE_{name}_S", "0.2")
    limit_settings.cache_clear()
    yield
    limit_settings.cache_clear()


def one(store: Store, workload: Workload, query: str) -> Any:
    with store.under(workload).transaction(SYSTEM) as connection:
        return connection.scalar(sa.text(query))


# --- limits --------------------------------------------------------------------------------------


def test_each_kind_of_work_has_its_limits_in_the_statement_that_names_the_actor(
    store: Store,
) -> None:
    statements: list[str] = []
    sa.event.listen(
        store.engine, "before_cursor_execute", lambda *given: statements.append(given[2])
    )
    shown = {}
    for workload in ("page", "report", "job", "command"):
        shown[workload] = tuple(
            one(store, workload, f"SHOW {name}")
            for name in (
                "statement_timeout",
                "lock_timeout",
                "idle_in_transaction_session_timeout",
            )
        )
    assert shown == {
        "page": ("30s", "10s", "1min"),
        "report": ("5min", "10s", "5min"),
        "job": ("1h", "30min", "1h"),
        "command": ("0", "0", "0"),
    }
    assert len(statements) == 4 * 3 * 2
    with store.engine.connect() as connection:  # for the transaction only, not for the connection
        assert connection.scalar(sa.text("SHOW statement_timeout")) == "0"


def test_a_limit_is_a_setting(store: Store, page_limits: None) -> None:
    assert one(store, "page", "SHOW statement_timeout") == "200ms"
    assert one(store, "report", "SHOW statement_timeout") == "5min"


# --- the five ------------------------------------------------------------------------------------


def test_a_question_that_takes_too_long_is_cancelled(store: Store, page_limits: None) -> None:
    with pytest.raises(QueryCancelledError) as told:
        one(store, "page", "SELECT pg_sleep(60)")
    assert "57014" in told.value.cause
    assert "statement timeout" in told.value.cause
    assert one(store, "page", "SELECT 1") == 1


def test_a_transaction_that_asks_nothing_is_ended(store: Store, page_limits: None) -> None:
    """The driver has lost what the server said; it is answered as a connection that broke."""

    def ask_and_dream() -> None:
        with store.under("page").transaction(SYSTEM) as connection:
            time.sleep(0.6)
            connection.scalar(sa.text("SELECT 1"))

    with pytest.raises(ServerLostError):
        ask_and_dream()


def test_a_lock_that_somebody_holds_is_not_waited_for_longer(
    store: Store, page_limits: None
) -> None:
    with store.transaction(SYSTEM) as holder:
        holder.execute(sa.text("LOCK TABLE officer IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(LockTimeoutError) as told:
            one(store, "command", "SET lock_timeout = 100; SELECT count(*) FROM officer")
    assert "55P03" in told.value.cause


def crossing(store: Store, begin: Callable[[Store, int, threading.Barrier], None]) -> list[Any]:
    """Two threads that meet once, each with its own end: None, or what it raised."""
    ends: list[Any] = [None, None]
    meeting = threading.Barrier(2, timeout=30)

    def run(number: int) -> None:
        try:
            begin(store, number, meeting)
        except GisError as error:
            ends[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ends


def lock_both(connection: sa.Connection, number: int, meeting: threading.Barrier | None) -> None:
    for step in (number, 1 - number):
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(77, step)))
        if meeting is not None and step == number:
            meeting.wait()


def test_one_of_two_that_cross_is_told(store: Store) -> None:
    def begin(store: Store, number: int, meeting: threading.Barrier) -> None:
        with store.transaction(SYSTEM) as connection:
            lock_both(connection, number, meeting)

    (told,) = [end for end in crossing(store, begin) if end is not None]
    assert isinstance(told, DeadlockError)
    assert "40P01" in told.cause


def test_what_a_deadlock_took_back_is_done_again(store: Store) -> None:
    calls = [0, 0]

    def begin(store: Store, number: int, meeting: threading.Barrier) -> None:
        def whole(connection: sa.Connection) -> None:
            calls[number] += 1
            lock_both(connection, number, meeting if calls[number] == 1 else None)

        store.run(SYSTEM, whole)

    assert crossing(store, begin) == [None, None]
    assert sorted(calls) == [1, 2]


def test_what_could_not_be_put_in_a_row_is_done_again(store: Store) -> None:
    """Repeatable read: the second to change a row must begin anew."""
    options = {"options": "-c default_transaction_isolation=repeatable\\ read"}
    strict = Store(store.url.update_query_dict(options), pooled=False)
    change = sa.update(t.actor).where(t.actor.c.actor_id == SYSTEM.actor_id)
    calls = []

    def whole(connection: sa.Connection) -> None:
        calls.append(connection.scalar(sa.select(sa.func.count()).select_from(t.actor)))
        if len(calls) == 1:
            with strict.transaction(SYSTEM) as other:
                other.execute(change.values(name=t.actor.c.name))
        connection.execute(change.values(name=t.actor.c.name))

    strict.run(SYSTEM, whole)
    assert len(calls) == 2


@pytest.fixture
def tiny_disk(
    database_server: DatabaseServer, database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A tablespace of one megabyte, where this test may mount one; gives the role's own table."""
    if os.geteuid() != 0 or "GIS_TEST_DATABASE_ADMIN_URL" in os.environ:
        pytest.skip("only root can mount a disk that is soon full")
    with closing(database_server.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW data_directory")
        data = Path(str(cursor.fetchone()[0]))  # type: ignore[index]
        folder = data.parent / f"tiny-{database}"
        folder.mkdir()
        if subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=False
        ).returncode:
            folder.rmdir()
            pytest.skip("this machine lets nobody mount a disk")
        try:
            owner = data.stat()
            os.chown(folder, owner.st_uid, owner.st_gid)
            cursor.execute(f"CREATE TABLESPACE tiny LOCATION '{folder}'")
            cursor.execute("CREATE TABLE crowded (word text) TABLESPACE tiny")
            cursor.execute("GRANT ALL ON crowded TO gis_service")
            yield "crowded"
            cursor.execute("DROP TABLE crowded")
            cursor.execute("DROP TABLESPACE tiny")
        finally:
            subprocess.run(["umount", folder], check=True)
            folder.rmdir()


def test_a_database_without_room_says_so(store: Store, tiny_disk: str) -> None:
    many = f"INSERT INTO {tiny_disk} SELECT md5(n::text) FROM generate_series(1, 100000) n"
    with pytest.raises(DiskFullError) as told, store.transaction(SYSTEM) as connection:
        connection.execute(sa.text(many))
    assert "53100" in told.value.cause


def test_without_room_is_known_by_its_class_too() -> None:
    error = psycopg2.errors.DiskFull("no space left")
    error.__setstate__({"pgcode": "53100"})  # type: ignore[no-untyped-call]
    found = find_outage(sa.exc.OperationalError("INSERT", None, error))
    assert isinstance(found, DiskFullError)


def test_our_own_disk_without_room_says_so(store: Store) -> None:
    with pytest.raises(DiskFullError) as told, store.transaction(SYSTEM):
        Path("/dev/full").write_text("a map")
    assert "ENOSPC" in told.value.cause


def test_a_server_that_goes_away_says_so(store: Store) -> None:
    asleep = "SELECT pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(61)'"

    def stop_it() -> None:
        while (pid := one(store, "command", asleep)) is None:
            time.sleep(0.05)
        one(store, "command", f"SELECT pg_terminate_backend({pid})")

    operator = threading.Thread(target=stop_it)
    operator.start()
    with pytest.raises(ServerLostError) as told:
        one(store, "command", "SELECT pg_sleep(61)")
    operator.join()
    assert "closed the connection" in told.value.cause  # psycopg2 has lost what the server said
    assert one(store, "page", "SELECT 1") == 1


def test_connections_that_died_in_the_pool_are_made_anew(
    store: Store, database_server: DatabaseServer
) -> None:
    pids = {one(store, "page", "SELECT pg_backend_pid()") for _ in range(3)}
    with psycopg.connect(libpq_address(database_server.url(None, "postgres"))) as operator:
        for pid in pids:
            operator.execute("SELECT pg_terminate_backend(%s)", (pid,))
    assert one(store, "page", "SELECT pg_backend_pid()") not in pids


def test_the_queue_s_driver_tells_who_ended_it(database_server: DatabaseServer) -> None:
    address = libpq_address(database_server.url(None, "postgres"))
    with psycopg.connect(address) as connection, psycopg.connect(address) as other:
        pid = connection.info.backend_pid
        other.execute("SELECT pg_terminate_backend(%s)", (pid,))
        with pytest.raises(psycopg.OperationalError) as told:
            connection.execute("SELECT pg_sleep(61)")
    found = find_outage(told.value)
    assert isinstance(found, ServerLostError)
    assert "57P01" in found.cause


def test_a_server_that_is_not_there_says_so() -> None:
    store = Store("postgresql+psycopg2://nobody:hunter2@127.0.0.1:1/nowhere", pooled=False)
    with pytest.raises(ServerLostError) as told, store.transaction(SYSTEM):
        pass
    assert "refused" in told.value.cause
    assert "hunter2" not in told.value.cause


def test_other_errors_stay_what_they_are(store: Store) -> None:
    assert find_outage(ValueError("x")) is None
    assert find_outage(OSError(errno.ENOENT, "x")) is None
    with pytest.raises(sa.exc.ProgrammingError):
        one(store, "page", "SELECT * FROM nothing_of_that_name")


# --- their answers -------------------------------------------------------------------------------


def test_the_five_are_five_answers_in_both_languages() -> None:
    made: list[OutageError] = [kind("SQLSTATE 00000") for kind in FIVE]
    assert len({one.kind for one in made}) == 5
    assert len({one.exit_code for one in made}) == 5
    for language in LANGUAGES:
        said = {one.say(language) for one in made}
        assert len(said) == 5
        assert not any("SQLSTATE" in words for words in said)
        for one in made:
            title = f"api.title_{one.kind.replace('-', '_')}"
            assert text(title, language) != title


@pytest.mark.parametrize("raised", [OSError(errno.ENOSPC, "x", SECRET), DiskFullError("ENOSPC")])
def test_a_command_ends_with_the_code_of_the_outage_and_tells_its_cause(
    raised: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, exit_on_errors():
        raise raised
    said = capsys.readouterr().err
    assert ended.value.code == DiskFullError.exit_code
    assert "ENOSPC" in said
    assert SECRET not in said


# --- nothing personal in the log -----------------------------------------------------------------


def twice(connection: sa.Connection) -> None:
    new = sa.insert(t.officer).values(key=SECRET, name=SECRET, phone=SECRET, valid="[2024-07-01,)")
    connection.execute(new)
    connection.execute(new)


def no_number(connection: sa.Connection) -> None:
    connection.scalar(sa.select(sa.cast(sa.literal(SECRET), sa.Integer)))


def copied_twice(connection: sa.Connection) -> None:
    columns: dict[str, list[Any]] = {
        "key": [SECRET] * 2,
        "name": [SECRET] * 2,
        "valid": [(date(2024, 7, 1), None)] * 2,
    }
    copy_rows(connection, t.officer, columns)


def copied_wrong(connection: sa.Connection) -> None:
    def rows() -> Iterator[str]:
        yield str(int(SECRET))

    cursor = connection.connection.cursor()
    cursor.copy_expert("COPY officer (key) FROM STDIN", _CopyStream(rows()))


def chained(connection: sa.Connection) -> None:
    try:
        twice(connection)
    except sa.exc.IntegrityError as error:
        raise KeyError(SECRET) from error


@pytest.mark.parametrize("break_", [twice, no_number, copied_twice, copied_wrong, chained])
def test_no_value_of_a_row_reaches_the_log(
    store: Store,
    break_: Callable[[sa.Connection], None],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging, "_logRecordFactory", logging.getLogRecordFactory())
    keep_values_out_of_logs()
    with pytest.raises(Exception) as told, store.transaction(SYSTEM) as connection:
        break_(connection)
    error = told.value
    logging.getLogger("some.library").error("it broke", exc_info=error)
    assert "王" not in caplog.text
    assert "13812345678" not in caplog.text
    assert break_.__name__ in caplog.text  # where it broke is told
    assert "王" not in traceback_without_values(error)
    if not isinstance(error, KeyError):
        assert "SQLSTATE" in str(error)
        assert not isinstance(error, OutageError)
        assert "王" not in str(error)


# --- room ----------------------------------------------------------------------------------------


def test_a_disk_with_less_room_than_asked_for_is_full(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert disk.has_room(store.url)
    monkeypatch.setenv("GIS_DISK_FREE_MB", "1000000000")
    store_settings.cache_clear()
    try:
        assert not disk.has_room(store.url)
    finally:
        monkeypatch.undo()
        store_settings.cache_clear()
