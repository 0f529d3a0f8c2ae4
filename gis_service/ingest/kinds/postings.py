"""Files of duties and leaves: rows without a key of their own, known by whom, where and since when.

A row that meets another one in time is refused, never cut to fit.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from gis_service.access import Actor
from gis_service.grids.versions import today
from gis_service.ingest.kinds import queries
from gis_service.ingest.kinds.kind import (
    HandlerResult,
    ImportKind,
    ImportOptions,
    MatchedTable,
    Progress,
)
from gis_service.ingest.readers.values import make_new_values, read_values
from gis_service.ingest.writing.checks import list_file_fields, validate_records
from gis_service.ingest.writing.queries import read_reference_ids
from gis_service.ingest.writing.validating import Validator
from gis_service.records import Record
from gis_service.store.bulk import copy_rows
from gis_service.store.tables import table_of

Range = tuple[date, date | None]
Row = dict[str, Any]


def make_posting_kind(record: Record) -> ImportKind:
    """Make the kind of file that brings records without a key; it has days."""

    def handle(
        connection: sa.Connection,
        actor: Actor,
        table: MatchedTable,
        options: ImportOptions,
        progress: Progress,
    ) -> HandlerResult:
        frame = _read_posting_rows(connection, table, record)
        progress(0.2, "ingest.step_checking")
        validator = validate_records(record, frame, read_reference_ids(connection, actor, record))
        return _merge_postings(connection, record, table, validator, options, progress)

    return ImportKind(
        record.plural, list_file_fields(record), handle,
        default_key=None, geometry="none", personal=record.personal,
        called=record.called, about=record.about,
    )  # fmt: skip


def _read_posting_rows(
    connection: sa.Connection, table: MatchedTable, record: Record
) -> pd.DataFrame:
    """Read what the file says; a column that it lacks has the value of a new row."""
    count = len(table.frame)
    columns: dict[str, Any] = {}
    for field in list_file_fields(record):
        if field.name in table.frame:
            columns[field.name] = read_values(field, table.frame[field.name].to_numpy(dtype=object))
        else:
            columns[field.name] = make_new_values(field, count)
    if "valid_from" not in table.frame:
        columns["valid_from"] = np.full(count, today(connection), dtype=object)
    return pd.DataFrame(columns)


# --- what is written ---------------------------------------------------------------------------


def _merge_postings(
    connection: sa.Connection,
    record: Record,
    table: MatchedTable,
    validator: Validator,
    options: ImportOptions,
    progress: Progress,
) -> HandlerResult:
    """Write what is new, end or extend what began on the same day, refuse what meets another."""
    target = table_of(record)
    identity = [name for name in record.columns if name != "valid"]
    owners = [[record.field(name).stored for name in names] for names in record.apart]
    stored = {
        _posting_key(row, identity): row
        for row in queries.read_postings(connection, record, identity)
    }
    names = (*identity, "valid")
    rows: list[Row] = [
        {name: validator.columns[name][index] for name in names}
        for index in range(len(validator.good))
    ]
    keys = [
        _posting_key(row, identity) if good else None
        for row, good in zip(rows, validator.good, strict=True)
    ]
    validator.refuse(_find_repeats(keys), "ingest.row_repeated", record.references[0].heading)
    keys_in_file = {key for key, good in zip(keys, validator.good, strict=True) if key and good}
    leftover = (
        [row for key, row in stored.items() if key not in keys_in_file] if options.replace else []
    )
    leftover_ids = {row["id"] for row in leftover}
    other_rows = [
        row
        for key, row in stored.items()
        if key not in keys_in_file and row["id"] not in leftover_ids
    ]
    validator.refuse(
        _find_overlaps(rows, validator.good, other_rows, owners),
        "ingest.row_meets_another",
        "valid_from",
    )
    result = HandlerResult(
        refusals=[table.in_file_terms(refusal) for refusal in validator.refusals]
    )
    progress(0.6, "ingest.step_writing")
    new_rows: list[Row] = []
    changed: list[tuple[int, Row]] = []
    for index in np.flatnonzero(validator.good).tolist():
        stored_row = stored.get(keys[index] or ())
        if stored_row is None:
            new_rows.append(rows[index])
        elif stored_row["valid"] != rows[index]["valid"]:
            changed.append((stored_row["id"], rows[index]))
        else:
            result.same += 1
    if leftover_ids:
        queries.delete_records(connection, record, sorted(leftover_ids))
    # ranges that grow may meet others that shrink: all of them step aside first
    if changed:
        queries.delete_records(connection, record, [row_id for row_id, _ in changed])
        changed_rows = [{**row, "id": row_id} for row_id, row in changed]
        _insert_postings(
            connection, target, changed_rows, names, next(iter(target.primary_key)).name
        )
    _insert_postings(connection, target, new_rows, names, None)
    result.new, result.changed, result.removed = len(new_rows), len(changed), len(leftover_ids)
    result.taken = {target.name: len(new_rows) + len(changed)}
    progress(1.0, "ingest.step_writing")
    return result


def _insert_postings(
    connection: sa.Connection,
    target: sa.Table,
    rows: Sequence[Row],
    names: Sequence[str],
    identity: str | None,
) -> None:
    if not rows:
        return
    columns = {name: [row[name] for row in rows] for name in names}
    if identity is not None:
        columns[identity] = [row["id"] for row in rows]
    copy_rows(connection, target, columns)


def _posting_key(row: Mapping[str, Any], identity: Sequence[str]) -> tuple[Any, ...]:
    return (*(row[name] for name in identity), row["valid"][0])


def _find_repeats(keys: Sequence[tuple[Any, ...] | None]) -> list[bool]:
    seen: set[tuple[Any, ...]] = set()
    twice = []
    for key in keys:
        twice.append(key is not None and key in seen)
        if key is not None:
            seen.add(key)
    return twice


def _find_overlaps(
    rows: Sequence[Row], is_valid: Any, other_rows: Sequence[Row], owners: Sequence[Sequence[str]]
) -> list[bool]:
    """Find the rows whose days meet those of a stored row, or of a row of the file before them."""
    ranges_by_owner: dict[tuple[Any, ...], list[Range]] = {}
    for row in other_rows:
        for owner in owners:
            ranges_by_owner.setdefault((*owner, *(row[name] for name in owner)), []).append(
                row["valid"]
            )
    meets = [False] * len(rows)
    order = sorted(np.flatnonzero(is_valid).tolist(), key=lambda index: rows[index]["valid"][0])
    for index in order:
        row = rows[index]
        row_owners = [(*owner, *(row[name] for name in owner)) for owner in owners]
        if any(
            _is_overlap(row["valid"], days)
            for key in row_owners
            for days in ranges_by_owner.get(key, ())
        ):
            meets[index] = True
            continue
        for key in row_owners:
            ranges_by_owner.setdefault(key, []).append(row["valid"])
    return meets


def _is_overlap(first: Range, second: Range) -> bool:
    starts_before = second[1] is None or first[0] < second[1]
    return starts_before and (first[1] is None or second[0] < first[1])
