"""A file of any kind into the store: read, matched, checked, written, recorded, in one transaction.

What is the same for every kind is here; what a kind does with its rows is its handler's. Nothing
is written where the file as a whole cannot be taken, and a dry run is rolled back.
"""

import csv
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from gis_service.access import Actor, record
from gis_service.access.permissions import IMPORT
from gis_service.errors import InputError, NotFoundError
from gis_service.ingest.kinds import grids_file, objects, postings, roads_file, units_file
from gis_service.ingest.kinds.kind import (
    HandlerResult,
    ImportKind,
    ImportOptions,
    ImportOutcome,
    MatchedTable,
    Progress,
)
from gis_service.ingest.kinds.matching import match_table
from gis_service.ingest.readers.file_table import FileTable
from gis_service.ingest.readers.frames import Refusal
from gis_service.ingest.sandbox import client as sandbox
from gis_service.ingest.writing.queries import ImportSource, insert_import
from gis_service.jobs import complete_job, submit, work
from gis_service.messages import Language, text
from gis_service.records import RECORDS
from gis_service.sheet_cells import safe_cell
from gis_service.store.engine import Store, lock_for_loading


def list_kinds() -> dict[str, ImportKind]:
    """
    List every kind of file.

    Returns
    -------
    dict
        By name, in the order in which a county hands them in.
    """
    records = [
        (objects.make_keyed_kind if record.has_key else postings.make_posting_kind)(record)
        for record in RECORDS.values()
    ]
    return {
        kind.name: kind for kind in (*records, grids_file.KIND, units_file.KIND, roads_file.KIND)
    }


class _RolledBackError(Exception):
    """Ends the transaction of a dry run."""

    def __init__(self, outcome: ImportOutcome) -> None:
        self.outcome = outcome
        super().__init__()


def _roll_back_dry_run(outcome: ImportOutcome) -> None:
    if outcome.dry_run:
        raise _RolledBackError(outcome)


def ignore_progress(share: float, step: str) -> None:
    """Show progress to nobody."""
    del share, step


def find_kind(name: str) -> ImportKind:
    """Find a kind of file."""
    known = list_kinds()
    if name not in known:
        raise NotFoundError("ingest.no_kind", kind=name[:40], known=" / ".join(known))
    return known[name]


def import_file(
    store: Store,
    actor: Actor,
    kind: str,
    path: Path,
    options: ImportOptions | None = None,
    progress: Progress = ignore_progress,
    *,
    refusals_to: Path | None = None,
    job_id: int | None = None,
) -> ImportOutcome:
    """
    Take a file in.

    Parameters
    ----------
    store
        The store.
    actor
        Who imports.
    kind
        One of :func:`list_kinds`.
    path
        The file.
    options
        The sender's.
    progress
        Told what is done.
    refusals_to
        Where the rows that were not taken are written as CSV, to be sent back.
    job_id
        The job that does it; it ends in the same transaction.

    Returns
    -------
    ImportOutcome
        What became of every row.

    Raises
    ------
    GisError
        The file as a whole cannot be taken; the store is as it was.
    """
    IMPORT.require(actor)
    options = options or ImportOptions()
    import_kind = find_kind(kind)
    unknown = sorted(set(options.extra) - set(import_kind.extra))
    if unknown:
        known = " / ".join(import_kind.extra) or "—"
        raise InputError("ingest.extra_unknown", name=unknown[0], kind=kind, known=known)
    progress(0.02, "ingest.step_reading")
    file = _read_file(import_kind, path, options)
    table = match_table(import_kind.form, file, options)
    with path.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    progress(0.3, "ingest.step_checking")
    try:
        with store.transaction(actor) as connection:
            lock_for_loading(connection)
            result = import_kind.handle(
                connection, actor, table, options, _scaled(progress, 0.3, 0.98)
            )
            outcome = _make_outcome(import_kind, table, result, options, sha256)
            _roll_back_dry_run(outcome)
            if outcome.new or outcome.changed or outcome.removed or result.record:
                outcome = _record_import(connection, actor, import_kind, outcome, result)
            if job_id is not None:
                complete_job(connection, job_id, make_job_result(outcome))
    except _RolledBackError as rolled_back:
        outcome = rolled_back.outcome
    if refusals_to is not None:
        write_refusals(refusals_to, file, outcome.refusals)
    return outcome


def _scaled(progress: Progress, start: float, end: float) -> Progress:
    return lambda share, step: progress(start + share * (end - start), step)


def _read_file(import_kind: ImportKind, path: Path, options: ImportOptions) -> FileTable:
    name = options.original_name or path.name
    if import_kind.read is not None and name.casefold().endswith(import_kind.suffixes):
        return import_kind.read(path, options)
    return sandbox.read_table_in_child(
        path,
        crs=options.crs,
        layer=options.layer,
        encoding=options.encoding,
        original_name=options.original_name,
        columns=options.columns,
    )


def _make_outcome(
    import_kind: ImportKind,
    table: MatchedTable,
    result: HandlerResult,
    options: ImportOptions,
    sha256: str,
) -> ImportOutcome:
    file = table.file
    rows_read = set(file.rows.tolist())
    refusals = sorted([*file.refusals, *result.refusals], key=lambda refusal: refusal.row or 0)
    return ImportOutcome(
        kind=import_kind.name,
        file=file.name,
        sha256=sha256,
        crs=None if file.crs is None else file.crs.code,
        encoding=file.encoding,
        layer=file.layer,
        columns=table.columns,
        key=table.key,
        rows=len(file.frame) + sum(refusal.row not in rows_read for refusal in file.refusals),
        new=result.new,
        changed=result.changed,
        same=result.same,
        removed=result.removed,
        refusals=refusals,
        notes=[*file.notes, *result.notes],
        dry_run=options.dry_run,
        import_id=None,
        details=result.details,
        personal=import_kind.personal,
    )


def _record_import(
    connection: sa.Connection,
    actor: Actor,
    import_kind: ImportKind,
    outcome: ImportOutcome,
    result: HandlerResult,
) -> ImportOutcome:
    """Write down that a file went in: which one and how much of it, never what stood in it."""
    outcome_json = outcome.as_dict()
    counts = {name: outcome_json[name] for name in ("rows", "new", "changed", "same", "removed")}
    import_id = insert_import(
        connection,
        actor,
        ImportSource(outcome.file, outcome.sha256, outcome.crs or "", import_kind.name),
        result.taken,
        outcome.refusals,
        {
            "counts": counts,
            "key": outcome.key,
            "columns": outcome_json["columns"],
            "encoding": outcome.encoding,
            "layer": outcome.layer,
        },
        personal=import_kind.personal,
    )
    record(
        connection, actor, "import", import_kind.name, import_id,
        after={"source": outcome.file, "sha256": outcome.sha256, "refused": len(outcome.refusals)}
        | counts,
    )  # fmt: skip
    return replace(outcome, import_id=import_id)


def submit_import(store: Store, actor: Actor, kind: str, path: Path, options: ImportOptions) -> int:
    """
    Have a file taken in by a worker.

    Parameters
    ----------
    store
        The store.
    actor
        Who imports.
    kind
        One of :func:`list_kinds`.
    path
        The file, in a folder that every worker sees; it must stay there until the job has ended.
        ``options.original_name`` says what it is.
    options
        The sender's; a dry run leaves the file where it is, for the real run after it.

    Returns
    -------
    int
        The job's id. Its result is :meth:`ImportOutcome.as_dict`, with ``refused`` and ``notes``
        in English too; :func:`refusals_path` says where the rows that were refused are.

    Raises
    ------
    NotAllowedError
        The actor may not import.
    NotFoundError
        There is no such kind, or no such file.
    """
    IMPORT.require(actor)
    find_kind(kind)
    if not path.is_file():
        raise NotFoundError("ingest.file_missing", file=options.original_name or path.name)
    arguments = {"kind": kind, "path": str(path.resolve()), "options": options.as_json()}
    return submit(store, actor, "import_file", arguments)


def refusals_path(path: Path) -> Path:
    """
    Say where a job writes the rows that it did not take.

    Parameters
    ----------
    path
        The file that the job takes in.

    Returns
    -------
    Path
        A CSV beside it; it is there only where rows were refused.
    """
    return path.with_name(f"{path.name}.refusals.csv")


@work("import_file")
def import_as_job(
    store: Store, actor: Actor, arguments: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    """
    Take a file in as the work of a job.

    Parameters
    ----------
    store
        The store.
    actor
        Who submitted it.
    arguments
        As :func:`submit_import` put them together, and the job's own ``job_id``.
    progress
        Of the job.

    Returns
    -------
    dict
        The job's result. After the real run the file is thrown away.
    """
    path = Path(arguments["path"])
    options = ImportOptions.from_json(arguments["options"])
    refusals_csv = refusals_path(path)
    outcome = import_file(
        store, actor, arguments["kind"], path, options, progress,
        refusals_to=refusals_csv, job_id=arguments["job_id"],
    )  # fmt: skip
    if not outcome.refusals:
        refusals_csv.unlink(missing_ok=True)
    if not options.dry_run:
        path.unlink(missing_ok=True)
    return make_job_result(outcome)


def make_job_result(outcome: ImportOutcome) -> dict[str, Any]:
    """Say an outcome in both languages, for a job whose reader is not known yet."""
    english = outcome.as_dict("en")
    in_english = {name: english[name] for name in ("refused", "notes")}
    return {**outcome.as_dict("zh-CN"), "in_english": in_english}


def write_refusals(
    path: Path, file: FileTable, refusals: Sequence[Refusal], language: Language = "zh-CN"
) -> None:
    """Write the rows that were not taken as a table to send back."""
    index_of = {row: index for index, row in enumerate(file.rows.tolist())}
    names = [str(name) for name in file.frame.columns]
    added = [text(f"ingest.column_{name}", language) for name in ("row", "field", "reason")]
    with path.open("w", encoding="utf-8-sig", newline="") as target:
        writer = csv.writer(target)
        writer.writerow([added[0], *map(safe_cell, names), *added[1:]])
        for refusal in refusals:
            index = None if refusal.row is None else index_of.get(refusal.row)
            cells: list[Any] = [None] * len(names)
            if index is not None:
                cells = file.frame.iloc[index].tolist()
            elif names and refusal.feature is not None:
                cells[0] = refusal.feature
            texts = ["" if cell is None or cell != cell else cell for cell in cells]  # noqa: PLR0124
            writer.writerow(
                [
                    safe_cell(cell)
                    for cell in (refusal.row, *texts, refusal.field or "", refusal.say(language))
                ]
            )
