"""A coverage report as a job: progress, cancel, and a finished file that is kept to be taken.

A file is written beside and renamed, so that nobody takes half of one; its digest stands in the
job's result and in its name, so that it is the file of that job or none.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final

from gis_service.access import Actor
from gis_service.coverage.areas.service import AreaService, find_area_folder
from gis_service.errors import NotFoundError
from gis_service.job_queries import JobState
from gis_service.jobs import Progress, work
from gis_service.settings import service_folder
from gis_service.snapshot import Snapshot
from gis_service.store import Store

KIND: Final = "coverage_report"
MOST_FILES: Final = 100
"""The oldest go; the same report gives the same bytes whenever it is asked for again."""


def report_folder() -> Path:
    """Say where this service keeps the reports it has written."""
    return service_folder("reports")


@work(KIND)
def report_as_job(
    store: Store, actor: Actor, arguments: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    """
    Do what a job of the kind ``coverage_report`` asks for.

    Parameters
    ----------
    store
        Where the run is.
    actor
        Must see every household of the county.
    arguments
        ``form`` and the attributes of :class:`gis_service.reports.coverage.ReportOptions`.
    progress
        Told the share done and the step.

    Returns
    -------
    dict
        ``run_id`` and ``fingerprint`` of the run, ``form``, ``name`` and ``size`` of the file in
        bytes, and its ``sha256``.
    """
    from gis_service.reports import coverage  # noqa: PLC0415 (drawing libraries: slow to import)

    options = {name: value for name, value in arguments.items() if name not in ("job_id", "form")}
    form: coverage.Format = arguments["form"]
    progress(0.0, "reports.step_reading")
    with store.transaction(actor) as connection:
        report = coverage.read_report(
            connection,
            actor,
            coverage.ReportOptions(**options),
            AreaService(Snapshot(), find_area_folder()),
            with_bands=form != "xlsx",
        )
    progress(0.4, "reports.step_drawing")
    body = report.write_body(form)
    progress(1.0, "reports.step_writing")  # a job that was cancelled ends here, without a file
    digest = hashlib.sha256(body).hexdigest()
    _write(_path(form, digest), body)
    return {
        "run_id": report.run.run_id,
        "fingerprint": report.run.fingerprint,
        "form": form,
        "language": options["language"],
        "name": f"{report.name}.{form}",
        "size": len(body),
        "sha256": digest,
    }


def find_report_file(state: JobState) -> Path:
    """
    Find the file that a job has written.

    Parameters
    ----------
    state
        Any job.

    Returns
    -------
    Path
        A whole file.

    Raises
    ------
    NotFoundError
        The job wrote no report, or newer ones have taken the place of its file.
    """
    if state.kind != KIND or state.result is None:
        raise NotFoundError("reports.no_file", job=state.job_id)
    path = _path(state.result["form"], state.result["sha256"])
    if not path.is_file():
        raise NotFoundError("reports.file_gone", job=state.job_id)
    return path


def _path(form: str, digest: str) -> Path:
    return report_folder() / f"{digest}.{form}"


def _write(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
        part.write(body)
        part.flush()
        os.fsync(part.fileno())
    Path(part.name).replace(path)
    aged = sorted(((file.stat().st_mtime, file) for file in path.parent.iterdir()), reverse=True)
    for _, file in aged[MOST_FILES:]:
        file.unlink(missing_ok=True)
