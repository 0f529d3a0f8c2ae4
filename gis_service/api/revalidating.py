"""Answers held for a second, and compared with the store before that second is over.

While the store is asked in a thread of its own, everybody is answered from what is held: a busy
server would otherwise stand still once a second until the thread has had its turns.
"""

import asyncio
from collections.abc import Callable, Hashable
from time import monotonic
from typing import Any, Final, TypeVar, cast

from anyio.to_thread import run_sync

FRESH_S: Final = 1.0
_REVALIDATE_AFTER_S: Final = 0.5

Value = TypeVar("Value")


class RevalidatingCache:
    """Stale-while-revalidate: what one event loop holds, by key."""

    def __init__(self) -> None:
        self._values: dict[Hashable, tuple[float, Any]] = {}
        self._reads: dict[Hashable, asyncio.Task[Any]] = {}

    async def get(self, key: Hashable, read: Callable[[], Value]) -> Value:
        """
        Give what is held, or ask for it.

        Parameters
        ----------
        key
            What it is.
        read
            Asks the store, in a thread.

        Returns
        -------
        object
            As ``read`` gave it at most a second ago. What ``read`` raises is raised here when
            nothing younger than a second is held.
        """
        began, value = self._values.get(key, (float("-inf"), None))
        age = monotonic() - began
        if age < _REVALIDATE_AFTER_S:
            return cast("Value", value)
        task = self._reads.get(key)
        if task is None or task.get_loop() is not asyncio.get_running_loop():
            task = self._reads[key] = asyncio.create_task(self._read(key, read))
            task.add_done_callback(lambda done: self._end(key, done))
        if age < FRESH_S:
            return cast("Value", value)
        return cast("Value", await asyncio.shield(task))

    def forget(self, key: Hashable) -> None:
        """Let the next one who asks wait for the store: it has changed."""
        self._values.pop(key, None)
        self._reads.pop(key, None)

    async def _read(self, key: Hashable, read: Callable[[], Value]) -> Value:
        began = monotonic()
        value = await run_sync(read)
        if self._reads.get(key) is asyncio.current_task():  # else it was forgotten meanwhile
            self._values.pop(key, None)
            self._values[key] = (began, value)
            self._drop_old(began - FRESH_S)
        return value

    def _drop_old(self, before: float) -> None:
        """Let go of what nobody is answered from any more: keys come from strangers too."""
        while (oldest := next(iter(self._values))) and self._values[oldest][0] < before:
            del self._values[oldest]

    def _end(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        if self._reads.get(key) is task:
            del self._reads[key]
        if not task.cancelled():
            task.exception()  # raised to whoever waited; the next one after a second asks again
