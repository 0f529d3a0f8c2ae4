"""Answers held for a second, and compared with the store before that second is over.

While the store is asked in a thread of its own, everybody is answered from what is held: a busy
server would otherwise stand still once a second until the thread has had its turns.
"""

import asyncio
from collections.abc import Callable, Hashable
from time import monotonic
from typing import Any, Final, TypeVar, cast

from anyio.to_thread import run_sync

KEPT_S: Final = 1.0
_AHEAD_S: Final = 0.5

Held = TypeVar("Held")


class RevalidatingCache:
    """What one event loop holds, by key; made on the first request of an app."""

    def __init__(self) -> None:
        self._held: dict[Hashable, tuple[float, Any]] = {}
        self._asking: dict[Hashable, asyncio.Task[Any]] = {}

    async def get(self, key: Hashable, read: Callable[[], Held]) -> Held:
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
        began, value = self._held.get(key, (float("-inf"), None))
        age = monotonic() - began
        if age < _AHEAD_S:
            return cast("Held", value)
        task = self._asking.get(key)
        if task is None or task.get_loop() is not asyncio.get_running_loop():
            task = self._asking[key] = asyncio.create_task(self._ask(key, read))
            task.add_done_callback(lambda task: self._over(key, task))
        if age < KEPT_S:
            return cast("Held", value)
        return cast("Held", await asyncio.shield(task))

    async def _ask(self, key: Hashable, read: Callable[[], Held]) -> Held:
        began = monotonic()
        value = await run_sync(read)
        self._held[key] = (began, value)
        return value

    def _over(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        if self._asking.get(key) is task:
            del self._asking[key]
        if not task.cancelled():
            task.exception()  # told to whoever waited; the next one after a second asks again
