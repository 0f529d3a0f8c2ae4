"""The record as a file: CSV with a line for each event, no cell of which begins a formula."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime
from typing import Final

from gis_service.access import audit
from gis_service.access.actor import Actor
from gis_service.sheet_cells import safe_cell
from gis_service.store import Store

COLUMNS: Final = tuple(field.name for field in fields(audit.RecordedEvent))
"""The names that the API gives them, in every language."""
ROWS_AT_ONCE: Final = 2000


def write_record(
    store: Store, actor: Actor, wanted: audit.EventFilter, before_id: int | None, most: int
) -> Iterator[str]:
    """
    Write the file a part at a time; no connection is held while a part is sent.

    Parameters
    ----------
    store
        The store.
    actor
        Who reads it; has been recorded.
    wanted
        Which events.
    before_id
        Only those with lower ids.
    most
        Rows of the file at the most, the newest first.

    Yields
    ------
    str
        Lines; the first begins with the mark by which spreadsheets know UTF-8.
    """
    yield "\ufeff" + _as_csv([COLUMNS])
    while most > 0:
        with store.transaction(actor, read_only=True) as connection:
            found = audit.list_events(
                connection, wanted, before_id=before_id, limit=min(ROWS_AT_ONCE, most)
            )
        yield _as_csv([_cells_of(event) for event in found])
        if len(found) < ROWS_AT_ONCE:
            return
        most -= len(found)
        before_id = found[-1].event_id


def _cells_of(event: audit.RecordedEvent) -> tuple[object, ...]:
    return tuple(_cell_of(value) for value in vars(event).values())


def _cell_of(value: object) -> object:
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return value.isoformat() if isinstance(value, datetime) else safe_cell(value)


def _as_csv(rows: list[tuple[object, ...]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
