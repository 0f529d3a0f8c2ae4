"""The service as ``gis-service serve`` runs it, in a process of its own, with what it takes."""

import multiprocessing
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gis_service.api.serve import serve_forever
from gis_service.commands.handing_over import bind
from gis_service.store import Store

_PATIENCE_S: Final = 300.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Served:
    """
    A server that answers.

    Attributes
    ----------
    port
        On loopback.
    pid
        Of its process.
    """

    port: int
    pid: int

    @property
    def cpu_s(self) -> float:
        """Seconds of processor that the process took so far, without the database's."""
        fields = Path(f"/proc/{self.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    @property
    def resident_mb(self) -> float:
        """What it holds in memory, in 10⁶ bytes."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def wait_until_idle(self) -> None:
        """Wait until what it makes ready at its start is made."""
        until = time.monotonic() + _PATIENCE_S
        idle = 0
        while idle < 2 and time.monotonic() < until:
            before = self.cpu_s
            time.sleep(1)
            idle = idle + 1 if self.cpu_s - before < 0.05 else 0


@contextmanager
def serving(url: str, data: Path) -> Iterator[Served]:
    """
    Run the service on loopback.

    Parameters
    ----------
    url
        The county, for SQLAlchemy.
    data
        A folder for what it writes.

    Yields
    ------
    Served
        Once it answers.

    Raises
    ------
    TimeoutError
        It does not answer within five minutes.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(url, port, data), daemon=True
    )
    process.start()
    assert process.pid is not None
    try:
        until = time.monotonic() + _PATIENCE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError as error:
                if time.monotonic() > until or not process.is_alive():
                    raise TimeoutError("the server does not answer") from error
                time.sleep(0.1)
        yield Served(port, process.pid)
    finally:
        process.terminate()
        process.join(20)
        process.kill()


def _serve(url: str, port: int, data: Path) -> None:
    os.environ["GIS_DATA_DIR"] = str(data)
    store = Store(url)
    serve_forever(store, bind("127.0.0.1", port), lambda _: None, "en")
