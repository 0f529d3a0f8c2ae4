"""What a process keeps of a county: parts with declared dependencies, and one rule of staleness.

A part is kept until a table that it stands on, or that a part it needs stands on, has changed:
triggers count changes, and one statement compares the counts. What differs by who asks is made over
a part that all share.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar, cast

import sqlalchemy as sa

from gis_service.store.engine import whole_county
from gis_service.store.tiles import count_changes

Made = TypeVar("Made")
State = tuple[tuple[str, int], ...]

PARTS: "list[SnapshotPart]" = []
"""All that are declared."""


@dataclass(frozen=True, eq=False)
class SnapshotPart:
    """
    Something that is made of the store and kept.

    Attributes
    ----------
    name
        For people.
    stands_on
        Names of counts (:data:`gis_service.store.tiles.COUNTED`): the tables that are read, and
        :data:`~gis_service.store.tiles.DAY` where another day may bring another answer.
    needs
        Parts that it is made of.
    most
        So many are kept, by key; those that were used last.
    quiet_s
        It goes when nobody has asked for it for so long; None keeps it.
    """

    name: str
    stands_on: tuple[str, ...] = ()
    needs: tuple["SnapshotPart", ...] = ()
    most: int = 1
    quiet_s: float | None = None

    def __post_init__(self) -> None:
        PARTS.append(self)

    @cached_property
    def tables(self) -> tuple[str, ...]:
        """All that it stands on, directly or by what it needs."""
        below = (name for part in self.needs for name in part.tables)
        return tuple(sorted({*self.stands_on, *below}))


@dataclass
class _Kept:
    state: State
    value: Any
    used: float


@dataclass
class _Shelf:
    """What is kept of one part."""

    lock: Any = field(default_factory=threading.RLock)
    kept: OrderedDict[Hashable, _Kept] = field(default_factory=OrderedDict)


class Snapshot:
    """What one process keeps, shared by its threads."""

    def __init__(self) -> None:
        self._shelves: dict[SnapshotPart, _Shelf] = {}
        self._guard = threading.Lock()

    def get(
        self,
        connection: sa.Connection,
        part: SnapshotPart,
        make: Callable[[], Made],
        key: Hashable = None,
    ) -> Made:
        """
        Give a part as the store is now: kept, or made by the first who asks.

        Parameters
        ----------
        connection
            An open transaction.
        part
            Which.
        make
            Makes it of what the part stands on and needs, and of the key; nothing else. It reads
            rows of the whole county: what may not be shared stands in the key.
        key
            Which of several.

        Returns
        -------
        object
            Shared: to be read only.
        """
        state = read_state(connection, part)
        shelf = self._shelf(part)
        with shelf.lock:
            entry = shelf.kept.get(key)
            if entry is None or entry.state != state:
                if entry is not None:  # so that not both stand in memory
                    del shelf.kept[key]
                with whole_county(connection):  # of all rows, whoever asks first
                    entry = shelf.kept[key] = _Kept(state, make(), 0.0)
            entry.used = time.monotonic()
            shelf.kept.move_to_end(key)
            while len(shelf.kept) > part.most:
                shelf.kept.popitem(last=False)
            return cast("Made", entry.value)

    @contextmanager
    def wait_until_free(self, *parts: SnapshotPart) -> Iterator[None]:
        """
        Wait until nobody makes some parts, for whoever holds no connection yet.

        Parameters
        ----------
        *parts
            Which.

        Yields
        ------
        None
            A connection may be taken now.
        """
        for part in parts:
            with self._shelf(part).lock:
                pass
        yield

    def forget_unused(self) -> bool:
        """
        Let go of what nobody has asked for lately, of those parts that say for how long.

        Returns
        -------
        bool
            Whether there was any.
        """
        now, forgotten = time.monotonic(), False
        with self._guard:
            shelves = list(self._shelves.items())
        for part, shelf in shelves:
            if part.quiet_s is None or not shelf.lock.acquire(blocking=False):
                continue  # it stays, or it is being used
            try:
                for key, entry in list(shelf.kept.items()):
                    if now - entry.used > part.quiet_s:
                        del shelf.kept[key]
                        forgotten = True
            finally:
                shelf.lock.release()
        return forgotten

    def _shelf(self, part: SnapshotPart) -> _Shelf:
        with self._guard:
            return self._shelves.setdefault(part, _Shelf())


def read_state(connection: sa.Connection, part: SnapshotPart) -> State:
    """
    Name the state of all that a part stands on.

    Parameters
    ----------
    connection
        An open transaction.
    part
        Which.

    Returns
    -------
    tuple
        Another one as soon as anything was touched, and on another day.
    """
    return tuple(count_changes(connection, part.tables).items())
