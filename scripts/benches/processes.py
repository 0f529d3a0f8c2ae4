"""Work in a process of its own, for its peak memory, and work kept on one core.

Peak memory is the kernel's own high-water mark of that process, its interpreter and libraries
included; ``grown_mb`` is what the work itself added.
"""

import multiprocessing
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class ChildRun(Generic[T]):
    """
    What a work in a process of its own gave.

    Attributes
    ----------
    value
        Its answer.
    seconds
        The work alone, without the start of the process.
    peak_mb
        The most memory (resident set, 10⁶ bytes) the process ever held.
    grown_mb
        The same above what it held when the work began.
    """

    value: T
    seconds: float
    peak_mb: float
    grown_mb: float


def in_child(work: Callable[..., T], *arguments: Any, one_core: bool = False) -> ChildRun[T]:
    """
    Run a function in a fresh process and measure its memory.

    Parameters
    ----------
    work
        A function of a module, found there by its name.
    *arguments
        For the function; sent to the process, as its answer is sent back.
    one_core
        Keep the process on one core.

    Returns
    -------
    ChildRun
        Its answer and figures.
    """
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        value, seconds, before, peak = pool.apply(
            _measured, (work, arguments), {"one_core": one_core}
        )
    return ChildRun(value, seconds, peak / 1e6, (peak - before) / 1e6)


@dataclass(frozen=True)
class AloneRun:
    """
    What a side of :mod:`scripts.benches.alone` took.

    Attributes
    ----------
    seconds
        The work, once its libraries are read.
    whole_s
        The process, from its start to its end.
    peak_mb
        The most memory (resident set, 10⁶ bytes) it held, interpreter and libraries included.
    """

    seconds: float
    whole_s: float
    peak_mb: float


def run_alone(
    side: str, *arguments: Path, environment: Mapping[str, str] | None = None
) -> AloneRun:
    """
    Run a side of :mod:`scripts.benches.alone` on one core.

    Parameters
    ----------
    side
        Its name.
    *arguments
        For it.
    environment
        Its variables; those of this process where None.

    Returns
    -------
    AloneRun
        Its figures.

    Raises
    ------
    RuntimeError
        It failed; what it said is told.
    """
    core = str(min(os.sched_getaffinity(0)))
    command = [sys.executable, "-m", "scripts.benches.alone", core, side, *map(str, arguments)]
    began = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    whole_s = time.perf_counter() - began
    seconds = re.search(r"^seconds: (\S+)$", done.stderr, re.MULTILINE)
    peak = re.search(r"^VmHWM:\s+(\d+) kB$", done.stderr, re.MULTILINE)
    if done.returncode or seconds is None or peak is None:
        raise RuntimeError(f"{side}: {done.stderr.strip()}")
    return AloneRun(float(seconds[1]), whole_s, int(peak[1]) * 1024 / 1e6)


def _measured(
    work: Callable[..., T], arguments: tuple[Any, ...], *, one_core: bool
) -> tuple[T, float, int, int]:
    if one_core:
        _pin()
    # The mark of the process itself: getrusage would begin with the parent's.
    Path("/proc/self/clear_refs").write_text("5", "ascii")
    before = _bytes("VmRSS")
    began = time.perf_counter()
    value = work(*arguments)
    seconds = time.perf_counter() - began
    return value, seconds, before, _bytes("VmHWM")


def _bytes(name: str) -> int:
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(name)


def _pin() -> set[int]:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    return allowed


@contextmanager
def one_core() -> Iterator[None]:
    """
    Keep this thread, and processes and threads it starts, on one core for a while.

    Yields
    ------
    None
        Threads that already run, and the database's processes, stay as they are.
    """
    allowed = _pin()
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
