"""The record cannot be bent unseen: whoever owns the database changes it, and verifying tells."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import sqlalchemy as sa

from gis_service.access import SYSTEM, audit, record
from gis_service.access.actor import Actor, Origin
from gis_service.access.chain import ChainFault, ChainHead, Verification, verify_record
from gis_service.access.sealing import prune_record, seal
from gis_service.settings import audit_settings, keeping_settings
from gis_service.store import Store
from gis_service.store import tables as t
from tests.conftest import DatabaseServer

AUDITOR = Actor(77, "审", "Auditor", "auditor")


@pytest.fixture
def name(database_server: DatabaseServer, template_database: str) -> Iterator[str]:
    """A database of one test's own."""
    name = database_server.create(template_database)
    yield name
    database_server.drop(name)


@pytest.fixture
def county(database_server: DatabaseServer, name: str) -> Iterator[Store]:
    """Twenty sealed events."""
    with closing(Store(database_server.url("gis_service", name))) as store:
        write(store, 20)
        assert seal(store) == 20
        yield store


@pytest.fixture
def superuser(database_server: DatabaseServer, name: str) -> Iterator[Any]:
    """Whoever owns the database and turns every trigger off."""
    with closing(database_server.connect(name)) as connection, connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        yield cursor


def write(store: Store, number: int) -> None:
    with store.transaction(SYSTEM) as connection:
        for index in range(number):
            after = {"text": f"第{index}条", "n": index / 4, "empty": None, "list": [1, "b"]}
            record(connection, SYSTEM, "test", "thing", index, before={"a": '"'}, after=after)


def verify(store: Store, *heads: ChainHead) -> Verification:
    with store.transaction(SYSTEM, read_only=True) as connection:
        return verify_record(connection, heads)


def head_of(store: Store) -> ChainHead:
    with store.transaction(SYSTEM, read_only=True) as connection:
        head = audit.read_head(connection)
    assert head is not None
    return ChainHead(head.number, head.hash)


def event_ids(store: Store) -> list[int]:
    with store.transaction(SYSTEM) as connection:
        return list(connection.scalars(sa.select(t.event_seal.c.event_id).order_by("seal_number")))


# --- nothing is wrong --------------------------------------------------------------------------


def test_what_the_database_sealed_is_what_we_calculate(county: Store) -> None:
    found = verify(county, head_of(county))
    assert (found.sealed, found.unsealed, found.faults) == (20, 0, [])
    origin = Origin(9, "2001:db8::1", "r 'x' \\ \" 字")
    actor = Actor(5, "赵", "Zhao", "grid_officer", (1, 2), origin)
    with county.transaction(actor) as connection:
        record(connection, actor, "reveal", "household", 4, after={"phone": "13800000000"})
        record(connection, actor, "odd", "thing", None, before={}, after={"n": 1e300, "z": 1.50})
    assert verify(county).unsealed == 2
    seal(county)
    assert verify(county).faults == []


def test_a_head_elsewhere_stays_part_of_a_chain_that_grows(county: Store) -> None:
    before = head_of(county)
    write(county, 5)
    seal(county)
    assert verify(county, before, head_of(county)).faults == []


def test_who_does_it_is_taken_from_the_transaction(county: Store) -> None:
    actor = Actor(5, "赵", "Zhao", "grid_officer", (1, 2), Origin(9, "10.0.0.7", "r1"))
    with county.transaction(actor) as connection:
        record(connection, SYSTEM, "test", "origin")  # under another's name
    with county.transaction(SYSTEM) as connection:
        row = connection.execute(sa.select(t.event).where(t.event.c.object_kind == "origin")).one()
    assert (row.actor_id, row.actor_role, row.session_id) == (5, "grid_officer", 9)
    assert (row.address, row.request_id) == ("10.0.0.7", "r1")


def test_without_an_actor_nothing_is_recorded(county: Store) -> None:
    with county.engine.connect() as connection, pytest.raises(sa.exc.ProgrammingError):
        record(connection, SYSTEM, "test", "thing")


# --- somebody bends it -------------------------------------------------------------------------


def test_one_changed_byte_is_found(county: Store, superuser: Any) -> None:
    ids = event_ids(county)
    superuser.execute("UPDATE event SET address = '1' WHERE event_id = %s", [ids[7]])
    assert verify(county).faults == [ChainFault("changed", ids[7], 8)]


@pytest.mark.parametrize(
    "change",
    ["at = at + interval '1 microsecond'", "actor_id = 2", "actor_role = 'visitor'",
     "session_id = 1", "request_id = 'x'", "action = 'tesT'", "object_kind = 'things'",
     "object_id = NULL", "before = NULL", "after = after || '{\"n\": 2.50}'"],
)  # fmt: skip
def test_a_change_of_any_column_is_found(county: Store, superuser: Any, change: str) -> None:
    event_id = event_ids(county)[11]
    superuser.execute(f"UPDATE event SET {change} WHERE event_id = %s", [event_id])
    assert verify(county).faults == [ChainFault("changed", event_id, 12)]


def test_a_removed_row_is_found(county: Store, superuser: Any) -> None:
    event_id = event_ids(county)[7]
    superuser.execute("DELETE FROM event WHERE event_id = %s", [event_id])
    assert verify(county).faults == [ChainFault("removed", event_id, 8)]
    superuser.execute("DELETE FROM event_seal WHERE event_id = %s", [event_id])
    assert verify(county).faults == [ChainFault("seal_missing", None, 8)]


def test_an_inserted_row_is_found(county: Store, superuser: Any) -> None:
    superuser.execute(
        "INSERT INTO event (event_id, actor_id, actor_role, action, object_kind)"
        " VALUES (-5, 1, 'county_office', 'x', 'y')"
    )
    assert verify(county).faults == [ChainFault("inserted", -5)]


def test_the_first_rows_removed_are_found(county: Store, superuser: Any) -> None:
    superuser.execute("DELETE FROM event USING event_seal s WHERE s.event_id = event.event_id"
                      " AND s.seal_number <= 5")  # fmt: skip
    superuser.execute("DELETE FROM event_seal WHERE seal_number < 5")
    assert verify(county).faults == [ChainFault("beginning_missing", None, 5)]


def test_the_last_rows_removed_are_found_by_a_head_elsewhere_only(
    county: Store, superuser: Any
) -> None:
    before = head_of(county)
    superuser.execute("DELETE FROM event USING event_seal s WHERE s.event_id = event.event_id"
                      " AND s.seal_number > 10")  # fmt: skip
    superuser.execute("DELETE FROM event_seal WHERE seal_number > 10")
    assert verify(county).faults == []
    assert verify(county, before).faults == [ChainFault("cut", None, 20)]
    write(county, 12)
    seal(county)  # the chain is as long again, and another one
    assert verify(county).faults == []
    assert verify(county, before).faults == [ChainFault("rewritten", None, 20)]


def test_a_row_that_waits_for_its_seal_and_is_removed_is_found(
    county: Store, superuser: Any
) -> None:
    write(county, 1)
    superuser.execute("DELETE FROM event WHERE event_id = (SELECT max(event_id) FROM event)"
                      " RETURNING event_id")  # fmt: skip
    (event_id,) = superuser.fetchone()
    seal(county)
    assert verify(county).faults == [ChainFault("removed_unsealed", event_id)]


# --- sealing ------------------------------------------------------------------------------------


def test_many_sealers_at_once_make_one_chain(county: Store) -> None:
    stop = threading.Event()

    def go_on() -> None:
        while not stop.is_set():
            seal(county)

    sealers = [threading.Thread(target=go_on) for _ in range(3)]
    for thread in sealers:
        thread.start()
    for _ in range(30):
        write(county, 7)
    stop.set()
    for thread in sealers:
        thread.join()
    seal(county)
    found = verify(county)
    assert (found.sealed, found.unsealed, found.faults) == (230, 0, [])


def test_a_transaction_that_commits_late_is_sealed_then_and_breaks_nothing(county: Store) -> None:
    with county.transaction(SYSTEM) as late:
        record(late, SYSTEM, "test", "late")
        write(county, 3)
        assert seal(county) == 3  # of higher ids
        assert verify(county).faults == []
    assert seal(county) == 1
    ids = event_ids(county)
    assert ids[-1] < ids[-2]
    assert (verify(county).unsealed, verify(county).faults) == (0, [])


def test_a_sealer_that_is_killed_leaves_the_chain_whole(
    county: Store, database_server: DatabaseServer, name: str
) -> None:
    write(county, 50)
    killed = psycopg2.connect(
        database_server.url("gis_service", name).set(drivername="postgresql").render_as_string(
            hide_password=False
        )
    )  # fmt: skip
    with killed.cursor() as cursor:
        cursor.execute("SELECT set_config('gis.actor_id', '1', true),"
                       " set_config('gis.actor_role', 'county_office', true)")  # fmt: skip
        cursor.execute("SELECT sealed FROM gis_seal_events(30)")
        assert cursor.fetchone() == (30,)
        waiting = threading.Thread(target=seal, args=(county,))
        waiting.start()
        time.sleep(0.2)
        assert waiting.is_alive()
        with closing(database_server.connect(name)) as other, other.cursor() as killer:
            killer.execute("SELECT pg_terminate_backend(%s)", [killed.info.backend_pid])
    waiting.join(10)
    found = verify(county)
    assert (found.sealed, found.unsealed, found.faults) == (70, 0, [])


def test_the_head_is_left_elsewhere_line_by_line(
    county: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "heads"
    monkeypatch.setenv("GIS_AUDIT_HEAD_FILE", str(file))
    audit_settings.cache_clear()
    try:
        for _ in range(3):
            write(county, 2)
            seal(county)
        heads = [line.split()[0].partition(":") for line in file.read_text().splitlines()]
        assert [int(number) for number, _, _ in heads] == [22, 24, 26]
        outside = [ChainHead(int(number), digest) for number, _, digest in heads]
        assert verify(county, *outside).faults == []
        file.unlink()
        file.mkdir()  # cannot be written: it is sealed all the same
        write(county, 1)
        assert seal(county) == 1
    finally:
        monkeypatch.undo()
        audit_settings.cache_clear()


# --- pruning ------------------------------------------------------------------------------------


def test_old_rows_go_by_their_own_function_and_the_chain_goes_on(
    database_server: DatabaseServer, name: str, superuser: Any
) -> None:
    with closing(Store(database_server.url("gis_service", name))) as county:
        write(county, 20)
        superuser.execute(
            "UPDATE event SET at = now() - interval '1100 days'"
            " WHERE event_id IN (SELECT event_id FROM event ORDER BY 1 LIMIT 12)"
        )
        seal(county)
        before = head_of(county)
        assert prune_record(county) == 12
        assert prune_record(county) == 0
        seal(county)
        found = verify(county, before)
        assert (found.first, found.sealed, found.faults) == (12, 10, [])
        with county.transaction(SYSTEM) as connection:
            assert audit.read_state(connection).rows == 9  # and the event that says so
            rows = connection.scalar(sa.select(sa.func.count()).select_from(t.event))
        assert rows == 9


def test_what_is_younger_than_half_a_year_cannot_be_pruned(county: Store) -> None:
    with county.transaction(SYSTEM) as connection, pytest.raises(sa.exc.ProgrammingError):
        audit.prune_events(connection, 182, 100)
    assert keeping_settings().record_days >= 183


# --- who may -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    ["INSERT INTO event (actor_id, actor_role, action, object_kind) VALUES (1, 'x', 'x', 'x')",
     "UPDATE event SET action = 'x'", "DELETE FROM event", "TRUNCATE event",
     "INSERT INTO event_seal (seal_number, event_id, hash) VALUES (99, 99, '')",
     "UPDATE event_seal SET hash = ''", "DELETE FROM event_seal", "TRUNCATE event_seal",
     "INSERT INTO event_unsealed VALUES (1)", "DELETE FROM event_unsealed",
     "SELECT inner_key FROM digest_key", "SELECT gis_digest('x', '1')",
     "ALTER TABLE event DISABLE TRIGGER ALL"],
)  # fmt: skip
@pytest.mark.parametrize("setting", ["", "on"])
def test_the_services_role_writes_changes_and_removes_nothing(
    county: Store, statement: str, setting: str
) -> None:
    with county.transaction(SYSTEM) as connection:
        connection.execute(sa.text("SELECT set_config('gis.pruning', :on, true)"), {"on": setting})
        with pytest.raises(sa.exc.ProgrammingError, match=r"denied|owner"):
            connection.execute(sa.text(statement))
        connection.rollback()


@pytest.mark.parametrize("role", ["gis_owner", None])
@pytest.mark.parametrize(
    "statement", ["UPDATE event SET action = 'x'", "DELETE FROM event", "TRUNCATE event",
                  "UPDATE event_seal SET hash = ''", "DELETE FROM event_seal",
                  "TRUNCATE event_seal"],
)  # fmt: skip
def test_the_triggers_refuse_the_owner_and_the_superuser_too(
    county: Store, database_server: DatabaseServer, name: str, statement: str, role: str | None
) -> None:
    del county
    engine = sa.create_engine(database_server.url(role, name), poolclass=sa.pool.NullPool)
    with engine.connect() as connection, pytest.raises(sa.exc.ProgrammingError, match="append"):
        connection.execute(sa.text(statement))


def test_only_the_auditor_and_the_system_read_it(county: Store) -> None:
    def seen(actor: Actor) -> int:
        with county.transaction(actor) as connection:
            return len(connection.execute(sa.select(t.event)).all())

    assert seen(AUDITOR) == seen(SYSTEM) == 20
    for role in ("county_office", "administrator", "grid_officer", "visitor", "planner"):
        assert seen(Actor(78, "", "", role)) == 0
    with county.engine.connect() as connection:
        assert connection.execute(sa.select(t.event)).all() == []


# --- digests -----------------------------------------------------------------------------------


def test_personal_values_are_digests_that_tell_apart_and_are_not_found_by_trying(
    county: Store, superuser: Any
) -> None:
    with county.transaction(SYSTEM) as connection:
        for household, phone in ((1, "13800000000"), (1, "13800000000"), (2, "13800000000"),
                                 (1, "13800000001")):  # fmt: skip
            record(connection, SYSTEM, "change", "household", household, after={"phone": phone})
        record(connection, SYSTEM, "change", "household", 1, after={"phone": "", "people": 3})
    superuser.execute("SELECT after FROM event ORDER BY event_id DESC LIMIT 5")
    empty, other, elsewhere, again, first = (row[0] for row in superuser.fetchall())
    assert first == again
    assert len({first["phone"], other["phone"], elsewhere["phone"]}) == 3
    assert empty == {"phone": "", "people": 3}
    superuser.execute("SELECT inner_key, outer_key FROM digest_key")
    inner, outer = superuser.fetchone()
    assert len(bytes(inner)) == len(bytes(outer)) == 64
    assert bytes(inner) != bytes(outer)
