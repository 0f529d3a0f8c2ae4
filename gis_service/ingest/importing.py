"""A file of any kind into the store: read, matched, checked, written, recorded, in one transaction.

What is the same for every kind is here; what a kind does with its rows is its handler's. Nothing
is written where the file as a whole cannot be taken, and a dry run takes everything back.
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
from gis_service.ingest.sandbox import client as apart
from gis_service.ingest.writing.write import LISTED_REFUSALS
from gis_service.jobs import complete, submit, work
from gis_service.messages import Language, text
from gis_service.records import RECORDS
from gis_service.sheet_cells import safe_cell
from gis_service.store import tables as t
from gis_service.store.engine import Store, lock_for_loading


def kinds() -> dict[str, ImportKind]:
    """
    List every kind of file.

    Returns
    -------
    dict
        By name, in the order in which a county hands them in.
    """
    records = [
        (objects if record.has_key else postings).kind_of(record) for record in RECORDS.values()
    ]
    return {
        kind.name: kind for kind in (*records, grids_file.KIND, units_file.KIND, roads_file.KIND)
    }


class _TakenBackError(Exception):
    """Ends the transaction of a dry run."""

    def __init__(self, outcome: ImportOutcome) -> None:
        self.outcome = outcome
        super().__init__()


def _take_back(outcome: ImportOutcome) -> None:
    if outcome.dry_run:
        raise _TakenBackError(outcome)


def silent(share: float, step: str) -> None:
    """Hear of progress and tell nobody."""
    del share, step


def find_kind(name: str) -> ImportKind:
    """Find a kind of file."""
    known = kinds()
    if name not in known:
        raise NotFoundError("ingest.no_kind", kind=name[:40], known=" / ".join(known))
    return known[name]


def import_file(
    store: Store,
    actor: Actor,
    kind: str,
    path: Path,
    options: ImportOptions | None = None,
    progress: Progress = silent,
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
        One of :func:`kinds`.
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
    wanted = options or ImportOptions()
    spec = find_kind(kind)
    unknown = sorted(set(wanted.extra) - set(spec.extra))
    if unknown:
        known = " / ".join(spec.extra) or "—"
        raise InputError("ingest.extra_unknown", name=unknown[0], kind=kind, known=known)
    progress(0.02, "ingest.step_reading")
    file = _read(spec, path, wanted)
    table = match_table(spec.form, file, wanted)
    with path.open("rb") as source:
        sha256 = hashlib.file_digest(source, "sha256").hexdigest()
    progress(0.3, "ingest.step_checking")
    try:
        with store.transaction(actor) as connection:
            lock_for_loading(connection)
            applied = spec.handle(connection, actor, table, wanted, _part(progress, 0.3, 0.98))
            done = _outcome(spec, table, applied, wanted, sha256)
            _take_back(done)
            if done.new or done.changed or done.removed or applied.record:
                done = _recorded(connection, actor, spec, done, applied)
            if job_id is not None:
                complete(connection, job_id, job_result(done))
    except _TakenBackError as taken_back:
        done = taken_back.outcome
    if refusals_to is not None:
        write_refusals(refusals_to, file, done.refusals)
    return done


def _part(progress: Progress, low: float, high: float) -> Progress:
    return lambda share, step: progress(low + share * (high - low), step)


def _read(spec: ImportKind, path: Path, options: ImportOptions) -> FileTable:
    name = options.original_name or path.name
    if spec.read is not None and name.casefold().endswith(spec.suffixes):
        return spec.read(path, options)
    return apart.read_table(
        path,
        crs=options.crs,
        layer=options.layer,
        encoding=options.encoding,
        original_name=options.original_name,
        columns=options.columns,
    )


def _outcome(
    spec: ImportKind,
    table: MatchedTable,
    applied: HandlerResult,
    options: ImportOptions,
    sha256: str,
) -> ImportOutcome:
    file = table.file
    read = set(file.rows.tolist())
    refusals = sorted([*file.refusals, *applied.refusals], key=lambda one: one.row or 0)
    return ImportOutcome(
        kind=spec.name,
        file=file.name,
        sha256=sha256,
        crs=None if file.crs is None else file.crs.code,
        encoding=file.encoding,
        layer=file.layer,
        columns=table.columns,
        key=table.key,
        rows=len(file.frame) + sum(one.row not in read for one in file.refusals),
        new=applied.new,
        changed=applied.changed,
        same=applied.same,
        removed=applied.removed,
        refusals=refusals,
        notes=[*file.notes, *applied.notes],
        dry_run=options.dry_run,
        import_id=None,
        details=applied.details,
        personal=spec.personal,
    )


def _recorded(
    connection: sa.Connection,
    actor: Actor,
    spec: ImportKind,
    outcome: ImportOutcome,
    applied: HandlerResult,
) -> ImportOutcome:
    """Write down that a file went in: which one and how much of it, never what stood in it."""
    said = outcome.as_dict()
    counts = {name: said[name] for name in ("rows", "new", "changed", "same", "removed")}
    insert = sa.insert(t.import_record).values(
        kind=spec.name,
        source_name=outcome.file,
        sha256=outcome.sha256,
        crs=outcome.crs or "",
        actor_id=actor.actor_id,
        taken=applied.taken,
        refused=len(outcome.refusals),
        refusals=[
            _listed(one, personal=spec.personal) for one in outcome.refusals[:LISTED_REFUSALS]
        ],
        details={
            "counts": counts,
            "key": outcome.key,
            "columns": said["columns"],
            "encoding": outcome.encoding,
            "layer": outcome.layer,
        },
    )
    import_id = connection.execute(insert.returning(t.import_record.c.import_id)).scalar_one()
    record(
        connection, actor, "import", spec.name, import_id,
        after={"source": outcome.file, "sha256": outcome.sha256, "refused": len(outcome.refusals)}
        | counts,
    )  # fmt: skip
    return replace(outcome, import_id=int(import_id))


def _listed(refusal: Refusal, *, personal: bool) -> dict[str, Any]:
    return {
        "row": refusal.row,
        "feature": None if personal else refusal.feature,
        "field": refusal.field,
        "reason": refusal.reason,
        "key": refusal.key,
        "values": dict(refusal.values),
    }


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
        One of :func:`kinds`.
    path
        The file, in a folder that every worker sees; it must stay there until the job has ended.
        ``options.original_name`` says what it is.
    options
        The sender's; a dry run leaves the file where it is, for the real run after it.

    Returns
    -------
    int
        The job's id. Its result is :meth:`ImportOutcome.as_dict`, with ``refused`` and ``notes``
        in English too; :func:`refusals_file` says where the rows that were refused are.

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


def refusals_file(path: Path) -> Path:
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
    beside = refusals_file(path)
    outcome = import_file(
        store, actor, arguments["kind"], path, options, progress,
        refusals_to=beside, job_id=arguments["job_id"],
    )  # fmt: skip
    if not outcome.refusals:
        beside.unlink(missing_ok=True)
    if not options.dry_run:
        path.unlink(missing_ok=True)
    return job_result(outcome)


def job_result(outcome: ImportOutcome) -> dict[str, Any]:
    """Say an outcome in both languages, for a job whose reader is not known yet."""
    english = outcome.as_dict("en")
    in_english = {name: english[name] for name in ("refused", "notes")}
    return {**outcome.as_dict("zh-CN"), "in_english": in_english}


def write_refusals(
    path: Path, file: FileTable, refusals: Sequence[Refusal], language: Language = "zh-CN"
) -> None:
    """Write the rows that were not taken as a table to send back."""
    position = {row: index for index, row in enumerate(file.rows.tolist())}
    names = [str(name) for name in file.frame.columns]
    added = [text(f"ingest.column_{name}", language) for name in ("row", "field", "reason")]
    with path.open("w", encoding="utf-8-sig", newline="") as target:
        out = csv.writer(target)
        out.writerow([added[0], *map(safe_cell, names), *added[1:]])
        for one in refusals:
            index = None if one.row is None else position.get(one.row)
            cells: list[Any] = [None] * len(names)
            if index is not None:
                cells = file.frame.iloc[index].tolist()
            elif names and one.feature is not None:
                cells[0] = one.feature
            shown = ["" if cell is None or cell != cell else cell for cell in cells]  # noqa: PLR0124
            out.writerow(
                [safe_cell(cell) for cell in (one.row, *shown, one.field or "", one.say(language))]
            )
