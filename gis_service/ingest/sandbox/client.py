"""Foreign files are parsed in a process of their own, with limits: the one way to any reader.

``process`` is the other side. Whatever happens to it there (too much memory, too much time,
a crash inside a library) is an error here that names the file. A reading ends with the process
that asked for it, however that ends.
"""

import atexit
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, cast

from gis_service import errors
from gis_service.coordinate_systems import CoordinateSystem
from gis_service.errors import InputError
from gis_service.ingest.readers.file_table import FileTable
from gis_service.ingest.sandbox import transfer as parcel
from gis_service.settings import ROOT, import_settings

if TYPE_CHECKING:
    from gis_service.ingest.osm.reading import OsmRegion

REQUEST: Final = "request"
RESULT: Final = "result"
"""Names of files in the folder of one reading."""

_MB: Final = 1024 * 1024
_GRACE_S: Final = 30.0
_ENVIRONMENT: Final = {
    "PYTHONPATH": str(ROOT),
    "MALLOC_ARENA_MAX": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "PROJ_NETWORK": "OFF",
}
_KEPT_VARIABLES: Final = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "GDAL_DATA",
    "PROJ_DATA",
    "LD_LIBRARY_PATH",
)
_REASON_OF_SIGNAL: Final = {
    signal.SIGXCPU: "time",
    signal.SIGABRT: "memory",  # what a library does when it gets none
    signal.SIGXFSZ: "size",
}


@dataclass(frozen=True)
class ReadingLimits:
    """What one reading may take: bytes above the bare process, seconds, files."""

    memory: int
    cpu_s: int
    wall_s: float
    open_files: int
    file_size: int

    @classmethod
    def of(cls, size: int) -> "ReadingLimits":
        """
        Allow a file as much as its size gives reason for.

        Parameters
        ----------
        size
            Bytes of the file as it came.

        Returns
        -------
        ReadingLimits
            By the settings ``GIS_IMPORT_READER_…``.
        """
        settings = import_settings()
        mb = size / _MB
        memory = settings.reader_small_memory_mb + mb * settings.reader_memory_per_mb
        seconds = settings.reader_small_cpu_s + mb * settings.reader_cpu_s_per_mb
        return cls(
            memory=int(min(memory, settings.reader_memory_mb) * _MB),
            cpu_s=int(min(seconds, settings.reader_cpu_s)),
            wall_s=settings.reader_wall_s,
            open_files=settings.reader_open_files,
            file_size=max(2 * size, settings.max_unpacked_mb * _MB),
        )


# --- the readers -------------------------------------------------------------------------------


def read_table_in_child(path: Path, original_name: str | None = None, **how: Any) -> FileTable:
    """
    Read a file of any known kind, apart.

    Parameters
    ----------
    path, original_name, **how
        As for :func:`gis_service.ingest.readers.files.read_table`, which does it.

    Returns
    -------
    FileTable
        With the coordinates in CGCS2000.

    Raises
    ------
    InputError
        The file cannot be read as a whole, or would take more than the limits allow.
    """
    return cast("FileTable", read_in_child("table", path, original_name, **how))


def read_graphml_in_child(
    path: Path, *, crs: CoordinateSystem | None, original_name: str | None = None
) -> FileTable:
    """Read a street network, apart."""
    return cast("FileTable", read_in_child("graphml", path, original_name, crs=crs))


def read_osm_in_child(path: Path, *, whole_file: bool = False) -> "OsmRegion":
    """
    Read a region, apart.

    Parameters
    ----------
    path, whole_file
        As for :func:`gis_service.ingest.osm.reading.read_osm`, which does it.

    Returns
    -------
    OsmRegion
        What the file gives.

    Raises
    ------
    InputError
        The file cannot be read as a whole, or would take more than the limits allow.
    """
    return cast("OsmRegion", read_in_child("osm", path, None, whole_file=whole_file))


def read_in_child(reader: str, path: Path, original_name: str | None, **arguments: Any) -> Any:
    """Have one file read by a process that can be ended; raise what the reader raised."""
    name = original_name or path.name
    limits = ReadingLimits.of(path.stat().st_size if path.is_file() else 0)
    environment = _settings_for_child()
    request = {
        "reader": reader,
        "path": path.absolute(),
        "arguments": {**arguments, "original_name": name},
        "limits": limits,
        "environment": environment,
    }
    with tempfile.TemporaryDirectory(prefix="gis-import-") as scratch:
        folder = Path(scratch)
        environment["TMPDIR"] = scratch
        (folder / REQUEST).write_bytes(pickle.dumps(request))
        ending = _wait_for_reading(folder, limits)
        if not (folder / RESULT).is_file():
            raise _death_error(ending, limits, name)
        result = parcel.unpack(folder / RESULT, name)
    if isinstance(result, dict) and "error" in result:
        kind = getattr(errors, str(result["error"]), InputError)
        raise kind(result["key"], place=result["place"], **result["values"])
    return result


def _settings_for_child() -> dict[str, str]:
    """Give the child our own limits of imports, whatever environment it was forked from."""
    values = import_settings().model_dump()
    return {f"GIS_IMPORT_{name.upper()}": str(value) for name, value in values.items()}


def _death_error(ending: Mapping[str, Any], limits: ReadingLimits, name: str) -> InputError:
    reason = ending.get("why") or _REASON_OF_SIGNAL.get(ending.get("signal", 0), "died")
    return InputError(
        f"ingest.reader_{reason}", file=name, mb=limits.memory // _MB, seconds=limits.cpu_s
    )


# --- the server --------------------------------------------------------------------------------


class _Server:
    """The warm process from which children are forked, for a process and what is forked from it."""

    def __init__(self) -> None:
        our_end, their_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        with their_end:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "gis_service.ingest.sandbox.process",
                    str(their_end.fileno()),
                ],
                pass_fds=(their_end.fileno(),),
                env=environment | _ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # it ends with us, not with the terminal's Ctrl-C
            )
        self._control = our_end
        self.owner = os.getpid()

    def send_request(self, folder: Path, reply_socket: socket.socket) -> None:
        """Send a request; its end will be reported on the other side of ``reply_socket``."""
        socket.send_fds(self._control, [str(folder).encode()], [reply_socket.fileno()])

    @property
    def runs(self) -> bool:
        """Whether it is still there, as far as can be told; a fork of ours hears it when asking."""
        return self.owner != os.getpid() or self._process.poll() is None

    def close_connection(self) -> None:
        """Close our side, which ends it."""
        self._control.close()
        if self.owner == os.getpid():
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(5)


_lock = Lock()
_server: _Server | None = None


def start_server() -> None:
    """Start the process that waits for files, so that the first file does not wait for it."""
    _running_server()


def _running_server() -> _Server:
    global _server  # noqa: PLW0603 (one for each process)
    with _lock:
        if _server is None or not _server.runs:
            stop_server()
            _server = _Server()
        return _server


def stop_server() -> None:
    """End the process that waits for files, and with it whatever it reads."""
    global _server  # noqa: PLW0603 (one for each process)
    if _server is not None:
        _server.close_connection()
        _server = None


def _reset_after_fork() -> None:
    """Let a fork of ours ask the same server: each reading ends with whoever asked for it."""
    global _lock  # noqa: PLW0603 (it may have been held while forking)
    _lock = Lock()


atexit.register(stop_server)
os.register_at_fork(after_in_child=_reset_after_fork)


def _wait_for_reading(folder: Path, limits: ReadingLimits) -> dict[str, Any]:
    """Wait for the end of a reading; a server that has died is started again, once."""
    for _ in range(2):
        server = _running_server()
        our_end, their_end = socket.socketpair()
        with our_end:
            with their_end, suppress(OSError):  # whether it is there shows below
                server.send_request(folder, their_end)
            our_end.settimeout(limits.wall_s + _GRACE_S)
            try:
                message = our_end.recv(1024)
            except TimeoutError:
                return {"why": "time"}
        if message:  # the server always reports the end of a child
            return cast("dict[str, Any]", json.loads(message))
        _stop_dead_server(server)
    return {}


def _stop_dead_server(dead: _Server) -> None:
    with _lock:
        if _server is dead:
            stop_server()
