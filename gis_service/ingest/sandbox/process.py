"""The process in which foreign files are parsed: a child for each file, forked from a warm server.

The server imports the readers once and waits; it reads no file itself. Each child gets limits of
memory, processor time, open files and file sizes before it opens anything, and ends with what it
wrote. It is ended when it takes too long or too much, when whoever asked is gone, and when the
server ends; the server ends with the process that started it. ``apart`` is the other side.
"""

import gc
import json
import os
import pickle
import resource
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gis_service.errors import GisError, InputError
from gis_service.fork_server import die_with
from gis_service.ingest.readers import files, gpkg_places, graphml
from gis_service.ingest.sandbox import transfer as parcel
from gis_service.ingest.sandbox.client import REQUEST, RESULT, ReadingLimits
from gis_service.settings import import_settings

_LOOK_S: Final = 0.05
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass
class _Child:
    pid: int
    reply_socket: socket.socket
    limits: ReadingLimits
    began: float
    resident: int
    why: str = ""


def _read_osm(path: Path, original_name: str, *, whole_file: bool) -> Any:  # noqa: ARG001 (it names the file itself)
    from gis_service.ingest.osm.reading import read_osm  # noqa: PLC0415 (most files need none of it)

    return read_osm(path, whole_file=whole_file)


READERS: Final[dict[str, Callable[..., Any]]] = {
    "table": files.read_table,
    "graphml": graphml.read_graphml,
    "osm": _read_osm,
    "gpkg_places": gpkg_places.read_places,
    "gpkg_answers": gpkg_places.write_answers,
}


def serve(control: socket.socket) -> None:
    """
    Fork a child for each request until the other side closes.

    Parameters
    ----------
    control
        Gives folders of requests, each with a socket on which its end is reported.
    """
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ, None)
    children: dict[int, _Child] = {}
    while True:
        for key, _ in selector.select(_LOOK_S if children else None):
            if key.fileobj is control:
                data, fds, _, _ = socket.recv_fds(control, 65536, 1)
                if not data:
                    return  # children die with this process
                _fork_child(
                    data.decode(), socket.socket(fileno=fds[0]), children, selector, control
                )
            elif isinstance(key.fileobj, socket.socket):
                _kill_child(key.data, "gone")
                selector.unregister(key.fileobj)
        for fd, child in list(children.items()):
            _check_limits(child)
            if _reap_child(child, selector):
                del children[fd]


def _fork_child(
    folder: str,
    reply_socket: socket.socket,
    children: dict[int, _Child],
    selector: selectors.BaseSelector,
    control: socket.socket,
) -> None:
    request = pickle.loads((Path(folder) / REQUEST).read_bytes())  # noqa: S301 (our own process)
    server = os.getpid()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            for connection in (
                control,
                reply_socket,
                *(child.reply_socket for child in children.values()),
            ):
                connection.close()
            selector.close()
            die_with(server)
            _run_reader(Path(folder), request)
            code = 0
        except MemoryError:  # while reading, or only while the answer is packed
            os.kill(os.getpid(), signal.SIGABRT)  # as a library does that cannot say so
        finally:
            os._exit(code)
    child = _Child(
        pid, reply_socket, request["limits"], time.monotonic(), _resident_bytes(os.getpid())
    )
    children[pid] = child
    selector.register(reply_socket, selectors.EVENT_READ, child)


def _check_limits(child: _Child) -> None:
    if time.monotonic() - child.began > child.limits.wall_s:
        _kill_child(child, "time")
    elif _resident_bytes(child.pid) > child.resident + child.limits.memory:
        _kill_child(child, "memory")


def _kill_child(child: _Child, reason: str) -> None:
    child.why = child.why or reason
    with suppress(ProcessLookupError):
        os.kill(child.pid, signal.SIGKILL)  # not reaped yet, so the number is still its own


def _reap_child(child: _Child, selector: selectors.BaseSelector) -> bool:
    """Reap a child that has ended, and tell whoever asked for it how."""
    pid, status = os.waitpid(child.pid, os.WNOHANG)
    if pid == 0:
        return False
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    with suppress(KeyError):
        selector.unregister(child.reply_socket)
    with suppress(OSError):
        child.reply_socket.sendall(json.dumps({"signal": number, "why": child.why}).encode())
    child.reply_socket.close()
    return True


def _resident_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


# --- in the child ------------------------------------------------------------------------------


def _set_limits(limits: ReadingLimits) -> None:
    size = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * _PAGE
    for kind, soft, hard in (
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_AS, size + limits.memory, size + limits.memory),
        (resource.RLIMIT_CPU, limits.cpu_s, limits.cpu_s + 1),
        (resource.RLIMIT_NOFILE, limits.open_files, limits.open_files),
        (resource.RLIMIT_FSIZE, limits.file_size, limits.file_size),
    ):
        most = resource.getrlimit(kind)[1]  # nobody may raise a limit that stands
        if most != resource.RLIM_INFINITY:
            soft, hard = min(soft, most), min(hard, most)  # noqa: PLW2901
        resource.setrlimit(kind, (soft, hard))


def _run_reader(folder: Path, request: dict[str, Any]) -> None:
    os.environ.update(request["environment"])
    import_settings.cache_clear()
    _set_limits(request["limits"])
    name = request["arguments"]["original_name"]
    try:
        result: object = READERS[request["reader"]](request["path"], **request["arguments"])
    except GisError as error:
        values = {key: _as_json_value(value) for key, value in error.values.items()}
        result = {"error": type(error).__name__, "key": error.key, "place": error.place} | {
            "values": values
        }
    except MemoryError:
        raise
    except RecursionError:
        result = _reader_error("ingest.reader_nested", name, "")
    except Exception as error:  # noqa: BLE001 (whatever a file does to a library)
        result = _reader_error("ingest.reader_failed", name, type(error).__name__)
    part = folder / f"{RESULT}.part"
    parcel.pack(result, part)
    part.rename(folder / RESULT)


def _reader_error(key: str, name: str, detail: str) -> dict[str, object]:
    error = InputError(key, file=name, detail=detail)
    return {"error": "InputError", "key": key, "place": error.place, "values": error.values}


def _as_json_value(value: object) -> object:
    return value if isinstance(value, str | int | float | None) else str(value)


def main() -> None:
    """Serve on the socket whose number stands on the command line."""
    control = socket.socket(fileno=int(sys.argv[1]))
    gc.collect()
    gc.freeze()
    serve(control)
    os._exit(0)


if __name__ == "__main__":
    main()
