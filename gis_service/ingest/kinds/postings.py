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
from gis_service.ingest.kinds.kind import (
    HandlerResult,
    ImportKind,
    ImportOptions,
    MatchedTable,
    Progress,
)
from gis_service.ingest.readers.values import new_values, read_values
from gis_service.ingest.writing.checks import check, file_fields
from gis_service.ingest.writing.references import ids_by_key
from gis_service.ingest.writing.validating import Validator
from gis_service.records import Record
from gis_service.store.bulk import copy_rows
from gis_service.store.tables import table_of

Range = tuple[date, date | None]
Row = dict[str, Any]


def kind_of(record: Record) -> ImportKind:
    """
    Make the kind of file that brings records without a key.

    Parameters
    ----------
    record
        The kind; it has days.

    Returns
    -------
    ImportKind
        For the list of kinds.
    """

    def handle(
        connection: sa.Connection,
        actor: Actor,
        table: MatchedTable,
        options: ImportOptions,
        progress: Progress,
    ) -> HandlerResult:
        frame = _frame(connection, table, record)
        progress(0.2, "ingest.step_checking")
        door = check(record, frame, ids_by_key(connection, actor, record))
        return _merge(connection, record, table, door, options, progress)

    return ImportKind(
        record.plural, file_fields(record), handle,
        default_key=None, geometry="none", personal=record.personal,
        called=record.called, about=record.about,
    )  # fmt: skip


def _frame(connection: sa.Connection, table: MatchedTable, record: Record) -> pd.DataFrame:
    """Read what the file says; a column that it lacks has the value of a new row."""
    count = len(table.frame)
    columns: dict[str, Any] = {}
    for one in file_fields(record):
        if one.name in table.frame:
            columns[one.name] = read_values(one, table.frame[one.name].to_numpy(dtype=object))
        else:
            columns[one.name] = new_values(one, count)
    if "valid_from" not in table.frame:
        today = connection.execute(sa.select(sa.func.gis_today())).scalar_one()
        columns["valid_from"] = np.full(count, today, dtype=object)
    return pd.DataFrame(columns)


# --- what is written ---------------------------------------------------------------------------


def _merge(
    connection: sa.Connection,
    record: Record,
    table: MatchedTable,
    door: Validator,
    options: ImportOptions,
    progress: Progress,
) -> HandlerResult:
    """Write what is new, end or extend what began on the same day, refuse what meets another."""
    target = table_of(record)
    identity = [name for name in record.columns if name != "valid"]
    owners = [[record.field(one).stored for one in own] for own in record.apart]
    stored = _stored(connection, target, identity)
    names = (*identity, "valid")
    rows: list[Row] = [
        {name: door.columns[name][index] for name in names} for index in range(len(door.good))
    ]
    keys = [
        _key(row, identity) if good else None for row, good in zip(rows, door.good, strict=True)
    ]
    door.refuse(_repeated(keys), "ingest.row_repeated", record.references[0].heading)
    named = {key for key, good in zip(keys, door.good, strict=True) if key and good}
    gone = [one for key, one in stored.items() if key not in named] if options.replace else []
    gone_ids = {one["id"] for one in gone}
    kept = [one for key, one in stored.items() if key not in named and one["id"] not in gone_ids]
    door.refuse(_meeting(rows, door.good, kept, owners), "ingest.row_meets_another", "valid_from")
    applied = HandlerResult(refusals=[table.back(one) for one in door.refusals])
    progress(0.6, "ingest.step_writing")
    new: list[Row] = []
    identity_column = next(iter(target.primary_key))
    changed: list[tuple[int, Row]] = []
    for index in np.flatnonzero(door.good).tolist():
        before = stored.get(keys[index] or ())
        if before is None:
            new.append(rows[index])
        elif before["valid"] != rows[index]["valid"]:
            changed.append((before["id"], rows[index]))
        else:
            applied.same += 1
    if gone_ids:
        connection.execute(sa.delete(target).where(identity_column.in_(sorted(gone_ids))))
    # ranges that grow may meet others that shrink: all of them step aside first
    if changed:
        ids = [one for one, _ in changed]
        connection.execute(sa.delete(target).where(identity_column.in_(ids)))
        new_rows = [{**row, "id": one} for one, row in changed]
        _insert(connection, target, new_rows, names, identity_column.name)
    _insert(connection, target, new, names, None)
    applied.new, applied.changed, applied.removed = len(new), len(changed), len(gone_ids)
    applied.taken = {target.name: len(new) + len(changed)}
    progress(1.0, "ingest.step_writing")
    return applied


def _insert(
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


def _stored(
    connection: sa.Connection, target: sa.Table, identity: Sequence[str]
) -> dict[tuple[Any, ...], Row]:
    own = next(iter(target.primary_key))
    query = sa.select(
        own.label("id"),
        *(target.c[name] for name in identity),
        sa.func.lower(target.c.valid).label("low"),
        sa.func.upper(target.c.valid).label("high"),
    )
    rows = []
    for found in connection.execute(query).mappings():
        row = dict(found)
        row["valid"] = (row.pop("low"), row.pop("high"))
        rows.append(row)
    return {_key(row, identity): row for row in rows}


def _key(row: Mapping[str, Any], identity: Sequence[str]) -> tuple[Any, ...]:
    return (*(row[name] for name in identity), row["valid"][0])


def _repeated(keys: Sequence[tuple[Any, ...] | None]) -> list[bool]:
    seen: set[tuple[Any, ...]] = set()
    twice = []
    for key in keys:
        twice.append(key is not None and key in seen)
        if key is not None:
            seen.add(key)
    return twice


def _meeting(
    rows: Sequence[Row], good: Any, kept: Sequence[Row], owners: Sequence[Sequence[str]]
) -> list[bool]:
    """Find the rows whose days meet those of a stored row, or of a row of the file before them."""
    held: dict[tuple[Any, ...], list[Range]] = {}
    for row in kept:
        for owner in owners:
            held.setdefault((*owner, *(row[name] for name in owner)), []).append(row["valid"])
    meets = [False] * len(rows)
    order = sorted(np.flatnonzero(good).tolist(), key=lambda index: rows[index]["valid"][0])
    for index in order:
        row = rows[index]
        mine = [(*owner, *(row[name] for name in owner)) for owner in owners]
        if any(_overlap(row["valid"], other) for one in mine for other in held.get(one, ())):
            meets[index] = True
            continue
        for one in mine:
            held.setdefault(one, []).append(row["valid"])
    return meets


def _overlap(one: Range, other: Range) -> bool:
    starts_before = other[1] is None or one[0] < other[1]
    return starts_before and (one[1] is None or other[0] < one[1])
