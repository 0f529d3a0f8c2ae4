"""A process that has read the program and forks a child for each task: work that can be ended.

The server has one thread, so that a fork is clean, and does one task at a time. What is compiled or
connected belongs to a child alone. Server, child and what the child starts die with whoever asked.
Nothing here knows what a task is.
"""

import atexit
import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, Final

_PR_SET_PDEATHSIG: Final = 1
_GRACE_S: Final = 1.0
_ONE_THREAD: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_log = logging.getLogger(__name__)


class ForkServer:
    """
    The asking side.

    Parameters
    ----------
    module
        What the server runs as ``python -m``; it calls :func:`serve`.
    """

    def __init__(self, module: str) -> None:
        self._module = module
        self._process: subprocess.Popen[bytes] | None = None
        self._wire: Connection | None = None
        self._owner = 0

    def start(self) -> None:
        """
        Start the server where none runs; returns at once, while it still reads the program.

        The server dies with the thread that calls this.
        """
        if self._owner == os.getpid() and self._process and self._process.poll() is None:
            return
        self._wire, theirs = Pipe()
        self._owner = os.getpid()
        self._process = subprocess.Popen(
            [sys.executable, "-m", self._module, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=2,  # what a program reads from our output is not for tasks to write
            pass_fds=[theirs.fileno()],
            env={**os.environ, **_ONE_THREAD},
            start_new_session=True,  # Ctrl-C is for the worker, which decides
        )
        theirs.close()
        atexit.register(self.stop)

    def stop(self) -> None:
        """End the server and what it does."""
        if self._process and self._owner == os.getpid():
            self._process.kill()
            self._process.wait()
        self._process = None

    def fork(self, task: object) -> "Child":
        """
        Have a task done.

        Parameters
        ----------
        task
            Can be pickled.

        Returns
        -------
        Child
            At work, or soon.
        """
        self.start()
        assert self._wire is not None
        with suppress(BrokenPipeError):  # a server that is gone is a child that has ended
            self._wire.send(task)
        return Child(self._wire)


class Child:
    """
    One task as it is done.

    Parameters
    ----------
    wire
        To the server.

    Attributes
    ----------
    exit_code
        None while it runs; minus the number of the signal that ended it.
    """

    def __init__(self, wire: Connection) -> None:
        self._wire = wire
        self._pid: int | None = None
        self.exit_code: int | None = None

    def ended(self, within_s: float) -> bool:
        """
        Wait for the end of the task, but not long.

        Parameters
        ----------
        within_s
            How long.

        Returns
        -------
        bool
            Whether it has ended.
        """
        until = time.monotonic() + within_s
        while self.exit_code is None and self._wire.poll(max(0.0, until - time.monotonic())):
            try:
                self._receive_number(self._wire.recv())
            except (EOFError, ConnectionResetError):
                self.exit_code = -signal.SIGKILL
        return self.exit_code is not None

    def _receive_number(self, number: int) -> None:
        if self._pid is None:
            self._pid = number
        else:
            self.exit_code = number

    def end(self) -> None:
        """End it with all that it started: politely, and a moment later for good."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            while self._pid is None and not self.ended(_GRACE_S):
                pass  # the server still reads the program
            if self.exit_code is None and self._pid is not None:
                with suppress(ProcessLookupError):
                    os.killpg(self._pid, number)
            if self.ended(_GRACE_S):
                return


def serve(perform: Callable[[Any], None]) -> None:
    """
    Do task after task, each in a child, until nobody asks any more.

    Parameters
    ----------
    perform
        Does one task; called in the child.
    """
    die_with(os.getppid())
    wire = Connection(int(sys.argv[1]))
    server = os.getpid()
    while True:
        try:
            task = wire.recv()
        except EOFError:
            return
        child = os.fork()
        if child == 0:
            wire.close()
            _be_child(server, lambda: perform(task))  # noqa: B023 (called at once)
        wire.send(child)
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        with suppress(ProcessLookupError):  # what it started and left behind
            os.killpg(child, signal.SIGKILL)
        wire.send(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def _be_child(server: int, perform: Callable[[], None]) -> None:
    code = 1
    try:
        os.setsid()
        die_with(server)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # temporary files are removed
        perform()
        code = 0
    except Exception:  # noqa: BLE001 (whatever it is, it ends this process)
        _log.exception("a task broke off")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def die_with(parent: int) -> None:
    """
    Let the system kill this process when its parent ends, however that ends.

    Parameters
    ----------
    parent
        Its process id.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
