"""A mark tells what is new: also what was committed late, and in a store restored from a backup."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import REGCLASS

from gis_service.access import SYSTEM
from gis_service.incidents.watching import MOST_STEPS, Mark, read_changes_since, read_present_mark
from gis_service.store import Store
from gis_service.store import tables as t
from tests.conftest import DatabaseServer

AHEAD = 10_000_000
"""So many transactions the server of the backup had done more than the new one."""


def write(connection: sa.Connection, incident_id: int, seqs: range) -> None:
    connection.execute(
        sa.insert(t.incident_step),
        [
            {"incident_id": incident_id, "seq": seq, "actor_id": 1, "actor_role": "county_office",
             "move": "note", "to_state": "accepted", "tier": "village"}
            for seq in seqs
        ],
    )  # fmt: skip


@pytest.fixture(scope="module")
def restored(
    store: Store, database_server: DatabaseServer, template_database: str
) -> Iterator[tuple[Store, Mark]]:
    """
    A second database with the rows of the first, and the mark a reader of the first one holds.

    The numbers of transactions are as a server would have them that had done many more.
    """
    with store.transaction(SYSTEM) as connection:
        write(connection, 1, range(1, MOST_STEPS + 500))
    with store.transaction(SYSTEM) as connection:
        now = read_present_mark(connection)
        rows = connection.execute(sa.select(t.incident_step)).mappings().all()
        # behind these rows, also where somebody else's transaction on this server is older
        mark = Mark(now.step_id, rows[-1]["xid"] + 1 + AHEAD)
    name = database_server.create(template_database)
    other = Store(database_server.url("gis_service", name))
    with other.transaction(SYSTEM) as connection:
        old = [{**row, "xid": row["xid"] + AHEAD} for row in rows]
        connection.execute(sa.insert(t.incident_step), old)
        sequence = sa.func.pg_get_serial_sequence("incident_step", "step_id")
        taken = sa.func.nextval(sa.cast(sequence, REGCLASS))
        numbers = sa.func.generate_series(1, mark.step_id).table_valued("n")
        connection.execute(sa.select(sa.func.count(taken)).select_from(numbers))
    yield other, mark
    other.close()
    database_server.drop(name)


def told(store: Store, mark: Mark) -> tuple[list[int], Mark, bool]:
    with store.transaction(SYSTEM) as connection:
        changes, after, too_many = read_changes_since(connection, mark)
    return [one.incident_id for one in changes], after, too_many


def test_a_restored_store_tells_new_steps_only(restored: tuple[Store, Mark]) -> None:
    store, _ = restored
    with store.transaction(SYSTEM) as connection:
        mark = read_present_mark(connection)
    assert told(store, mark) == ([], mark, False)
    with store.transaction(SYSTEM) as connection:
        write(connection, 2, range(1, 2))
    found, after, too_many = told(store, mark)
    assert (found, too_many) == ([2], False)
    assert set(told(store, after)[0]) <= {2}  # again only while somebody's transaction is older


def test_a_reader_from_before_the_restore_goes_on(restored: tuple[Store, Mark]) -> None:
    store, mark = restored
    with store.transaction(SYSTEM) as connection:
        write(connection, 3, range(1, 2))
    found, after, too_many = told(store, mark)
    assert (found[-1], too_many) == (3, False)
    assert 1 not in found
    assert set(told(store, after)[0]) <= {2, 3}


def test_a_late_step_is_told_in_a_restored_store_too(restored: tuple[Store, Mark]) -> None:
    store, _ = restored
    with store.transaction(SYSTEM) as late:
        write(late, 4, range(1, 2))
        with store.transaction(SYSTEM) as connection:
            write(connection, 5, range(1, 2))
        with store.transaction(SYSTEM) as connection:
            mark = read_present_mark(connection)
        assert set(told(store, mark)[0]) <= {2, 3, 5}
    found, _, too_many = told(store, mark)
    assert 4 in found
    assert 1 not in found
    assert not too_many
