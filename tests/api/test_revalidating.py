"""What is held for a second: nobody waits while it is compared, and errors reach who waits."""

import asyncio
import threading

import pytest

from gis_service.api import revalidating
from gis_service.api.revalidating import RevalidatingCache


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(revalidating, "monotonic", lambda: now[0])
    return now


class Source:
    """Counts how often it is asked; holds its answer back where it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = threading.Event()
        self.may_answer.set()

    def __call__(self) -> int:
        self.asked += 1
        number = self.asked
        self.may_answer.wait(10)
        return number


async def settled(held: RevalidatingCache) -> None:
    await asyncio.gather(*held._reads.values(), return_exceptions=True)
    await asyncio.sleep(0)


def test_many_at_once_ask_once_and_later_ones_are_not_kept_waiting(clock: list[float]) -> None:
    source, held = Source(), RevalidatingCache()

    async def go() -> None:
        assert await asyncio.gather(*(held.get("x", source) for _ in range(5))) == [1] * 5
        clock[0] += 0.4
        assert (await held.get("x", source), source.asked) == (1, 1)
        clock[0] += 0.2
        source.may_answer.clear()
        assert await held.get("x", source) == 1  # at once, though the source is still at it
        source.may_answer.set()
        await settled(held)
        assert (await held.get("x", source), source.asked) == (2, 2)
        clock[0] += 1.5
        assert await held.get("x", source) == 3  # too old to be given: waited for

    asyncio.run(go())


def test_what_fails_in_the_background_is_told_when_nothing_young_is_left(
    clock: list[float],
) -> None:
    held = RevalidatingCache()

    def fails() -> int:
        raise LookupError("gone")

    async def go() -> None:
        assert await held.get("x", lambda: 7) == 7
        clock[0] += 0.7
        assert await held.get("x", fails) == 7
        await settled(held)
        clock[0] += 0.7
        with pytest.raises(LookupError):
            await held.get("x", fails)

    asyncio.run(go())


def test_another_event_loop_asks_for_itself(clock: list[float]) -> None:
    source, held = Source(), RevalidatingCache()
    assert asyncio.run(held.get("x", source)) == 1
    clock[0] += 2
    assert asyncio.run(held.get("x", source)) == 2
