"""What a process keeps of a county is made again when, and only when, what it stands on changed."""

import threading
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from gis_service.access import SYSTEM
from gis_service.api import app  # noqa: F401 (declares every part)
from gis_service.snapshot import PARTS, Snapshot, SnapshotPart
from gis_service.store import Store
from gis_service.store import tables as t
from gis_service.store.tiles import COUNTED, DAY

FACILITIES = SnapshotPart("facilities of a test", ("facility",), most=2, quiet_s=60.0)
NAMES = SnapshotPart("made of them", ("officer",), needs=(FACILITIES,))


@pytest.fixture
def numbers() -> Iterator[int]:
    return iter(range(100))


def test_every_table_that_a_part_stands_on_is_counted() -> None:
    """What nothing counts would be kept for ever."""
    assert len(PARTS) > 10
    assert {name for part in PARTS for name in part.tables} <= {*COUNTED, DAY}


def test_a_part_is_kept_until_its_own_table_changes(store: Store, numbers: Iterator[int]) -> None:
    kept = Snapshot()

    def ask() -> int:
        with store.transaction(SYSTEM) as connection:
            return kept.get(connection, FACILITIES, lambda: next(numbers))

    assert (ask(), ask()) == (0, 0)
    open_station(store, "a")
    assert (ask(), ask()) == (1, 1)
    with store.transaction(SYSTEM) as connection:
        officer = {"key": "x", "name": "王", "phone": "1", "valid": "[2024-01-01,)"}
        connection.execute(sa.insert(t.officer).values(**officer))
    assert ask() == 1


def test_a_part_goes_with_what_it_needs(store: Store, numbers: Iterator[int]) -> None:
    kept = Snapshot()

    def ask() -> int:
        with store.transaction(SYSTEM) as connection:
            return kept.get(connection, NAMES, lambda: next(numbers))

    assert (ask(), ask()) == (0, 0)
    open_station(store, "b")
    assert ask() == 1


def test_no_more_are_kept_than_a_part_says(store: Store, numbers: Iterator[int]) -> None:
    kept = Snapshot()
    with store.transaction(SYSTEM) as connection:
        made = [
            kept.get(connection, FACILITIES, lambda: next(numbers), key)
            for key in ("a", "b", "a", "c", "a", "b")
        ]
    assert made == [0, 1, 0, 2, 0, 3]


def test_what_is_heavy_goes_after_a_time_of_quiet(
    store: Store, numbers: Iterator[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Snapshot()
    now = [0.0]
    monkeypatch.setattr("gis_service.snapshot.time.monotonic", lambda: now[0])
    with store.transaction(SYSTEM) as connection:
        kept.get(connection, FACILITIES, lambda: next(numbers))
        kept.get(connection, NAMES, lambda: next(numbers))
        now[0] = 59.0
        assert not kept.forget_unused()
        now[0] = 61.0
        assert kept.forget_unused()
        assert kept.get(connection, NAMES, lambda: next(numbers)) == 1
        assert kept.get(connection, FACILITIES, lambda: next(numbers)) == 2


def test_many_who_ask_at_once_make_it_once(store: Store, numbers: Iterator[int]) -> None:
    kept, found = Snapshot(), []

    def ask() -> None:
        with store.transaction(SYSTEM) as connection:
            found.append(kept.get(connection, FACILITIES, lambda: next(numbers)))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [0] * 4


def open_station(store: Store, key: str) -> None:
    with store.transaction(SYSTEM) as connection:
        point = sa.func.ST_SetSRID(sa.func.ST_MakePoint(112.9, 28.7), 4490)
        station = sa.insert(t.facility).values(key=key, kind="clinic", name="站", point=point)
        connection.execute(station)
