"""Send one hostile thing and tell what came back, how soon, and what it cost."""

import socket
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import httpx

from gis_service.errors import GisError
from gis_service.ingest.sandbox import client as apart
from scripts.hostile_files.case import Case
from scripts.hostile_files.instance import Instance, Watch

MOST_S: Final = 5.0
MOST_MB: Final = 500.0
_GIVE_UP_S: Final = 60.0
_ENDED: Final = frozenset({"done", "failed", "cancelled"})
_MEDIA: Final = {
    ".csv": "text/csv",
    ".geojson": "application/geo+json",
    ".gpkg": "application/geopackage+sqlite3",
}


@dataclass(frozen=True)
class Answer:
    """
    What a hostile thing brought about.

    Attributes
    ----------
    said
        The status of the answer or the name of the error, shortened.
    seconds
        From the first byte sent to the end of the answer or of the job.
    mb
        The most memory above what there was.
    wrong
        What must not be; empty where all is as it should be.
    """

    name: str
    route: str
    bytes: int
    said: str
    seconds: float
    mb: float
    health_s: float
    wrong: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Put it into JSON."""
        return asdict(self)


def warm_up(cases: Iterable[Case], instance: Instance, seed: int) -> None:
    """
    Send a right file by each route, so that what is started once is there before memory counts.

    Parameters
    ----------
    cases
        Those that there are.
    instance
        To whom.
    seed
        As for :func:`send`.
    """
    apart.start_server()
    for case in {case.route: case for case in cases if case.valid}.values():
        send(case, instance, seed)


def send(case: Case, instance: Instance, seed: int) -> Answer:
    """
    Make a hostile thing, send it, and look at everything that it touches.

    Parameters
    ----------
    case
        Which.
    instance
        To whom.
    seed
        For what is drawn by lot.

    Returns
    -------
    Answer
        Also where nothing came back at all.
    """
    data = case.make(Random(f"{seed} {case.name}"))
    before = len(instance.said())
    send_it = {"import": _import, "assign": _assign, "read": _read, "http": _http}[case.route]
    with Watch(instance) as watch:
        began = time.monotonic()
        said, wrong = send_it(case, data, instance)
        seconds = time.monotonic() - began
        time.sleep(0.05)
    if case.valid and not said.startswith(("2", "done", "read")):
        wrong.append("a right file was not taken")
    if seconds > MOST_S:
        wrong.append(f"took {seconds:.1f} s")
    if watch.peak_mb > MOST_MB:
        wrong.append(f"took {watch.peak_mb:.0f} MB")
    if watch.unwell:
        wrong.append(f"/health failed {watch.unwell} times")
    if "Traceback" in instance.said()[before:]:
        wrong.append("a traceback in the log")
    return Answer(
        case.name, case.route, len(data), said[:100], round(seconds, 2), round(watch.peak_mb),
        round(watch.slowest_health_s, 2), wrong,
    )  # fmt: skip


def _looked_at(answer: httpx.Response) -> tuple[str, list[str]]:
    wrong = [f"answer {answer.status_code}"] if answer.status_code >= 500 else []
    if "Traceback" in answer.text:
        wrong.append("a traceback in the answer")
    said = str(answer.status_code)
    if answer.headers.get("content-type", "").startswith("application/problem"):
        said += " " + str(answer.json().get("detail", ""))
    return said, wrong


def _import(case: Case, data: bytes, instance: Instance) -> tuple[str, list[str]]:
    """Hand a file in as the page does, and have it tried."""
    client = instance.client
    kept = client.post("/api/imports/uploads", files={"file": (case.file, data)})
    if kept.status_code != httpx.codes.CREATED:
        return _looked_at(kept)
    asked = {"upload": kept.json()["token"], "kind": case.kind, "crs": case.crs, "dry_run": True}
    begun = client.post("/api/imports", json=asked)
    if begun.status_code != httpx.codes.ACCEPTED:
        return _looked_at(begun)
    job = f"/api/imports/jobs/{begun.json()['job_id']}"
    deadline = time.monotonic() + _GIVE_UP_S
    state: dict[str, Any] = {}
    while time.monotonic() < deadline:
        answer = client.get(job, headers={"accept-language": "en"})
        if answer.status_code != httpx.codes.OK:
            return _looked_at(answer)
        state = answer.json()
        if state["status"] in _ENDED:
            break
        time.sleep(0.03)
    else:
        client.post(f"/api/jobs/{begun.json()['job_id']}/cancel")
        return f"{state.get('status')} still", ["did not end"]
    client.delete(f"/api/imports/uploads/{asked['upload']}")
    said = state["status"] if state["status"] == "done" else str(state["error"])
    unknown = state["status"] == "failed" and not state["problem"]
    return said, ["a failure without a name"] if unknown else []


def _assign(case: Case, data: bytes, instance: Instance) -> tuple[str, list[str]]:
    headers = {"content-type": _MEDIA[Path(case.file).suffix], "accept-language": "en"}
    query = {"crs": case.crs} if case.crs else {}
    try:
        answer = instance.client.post("/api/assign", params=query, content=data, headers=headers)
    except httpx.RemoteProtocolError:  # found wrong after the first rows had gone out
        return "cut off", []
    return _looked_at(answer)


def _read(case: Case, data: bytes, _: Instance) -> tuple[str, list[str]]:
    """Read a region as the command line does."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / case.file
        path.write_bytes(data)
        try:
            region = apart.read_osm_in_child(path)
        except GisError as error:
            return str(error), []
    return f"read, {len(region.refusals)} refused", []


def _http(_: Case, data: bytes, instance: Instance) -> tuple[str, list[str]]:
    """Send bytes as they are, and take what comes back."""
    with socket.create_connection(("127.0.0.1", instance.port), timeout=_GIVE_UP_S) as line:
        try:
            line.sendall(data)
            line.shutdown(socket.SHUT_WR)
        except OSError:  # it need not listen to the end
            pass
        back = b""
        try:
            while part := line.recv(65536):
                back += part
        except OSError:
            pass
    head = back.partition(b"\r\n")[0].decode("latin-1")
    status = head.split()[1] if head.startswith("HTTP/1.1 ") else "closed"
    wrong = [f"answer {status}"] if status.startswith("5") else []
    return status, wrong + (["a traceback in the answer"] if b"Traceback" in back else [])
