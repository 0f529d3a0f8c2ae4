"""Past imports: which file went in when, by whom, with how many rows, and what was refused.

Reads ``import_record`` only; what stood in the files is not there.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from gis_service.access import Actor
from gis_service.access.permissions import IMPORT
from gis_service.errors import NotFoundError
from gis_service.ingest.readers.frames import Note
from gis_service.ingest.writing import queries
from gis_service.messages import Language, text
from gis_service.sheet_cells import safe_cell

_COLUMNS: Final = ("row", "feature", "field", "reason")


@dataclass(frozen=True)
class PastImport:
    """A file that went in; ``counts`` has rows, new, changed, same and removed where known."""

    import_id: int
    kind: str
    source_name: str
    crs: str
    actor_name: str
    actor_name_en: str
    finished_at: datetime
    counts: Mapping[str, int]
    taken: Mapping[str, int]
    refused: int


def list_past_imports(
    connection: sa.Connection, actor: Actor, *, limit: int, offset: int = 0
) -> tuple[list[PastImport], int]:
    """
    List past imports, the newest first.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    limit, offset
        Which page.

    Returns
    -------
    imports, total
        The page, and how many there are in all.

    Raises
    ------
    NotAllowedError
        The actor may not import.
    """
    IMPORT.require(actor)
    rows, total = queries.read_imports(connection, limit, offset)
    return [PastImport(*tuple(row)) for row in rows], total


def region_notes(connection: sa.Connection) -> list[Note]:
    """
    Read what the reader of the region's file noted, such as homes in no whole unit.

    Parameters
    ----------
    connection
        An open transaction.

    Returns
    -------
    list of Note
        None where the county did not come as one file.
    """
    notes = queries.read_region_note_values(connection)
    return [Note(note["key"], note["values"]) for note in notes]


def write_refusals_table(
    connection: sa.Connection, actor: Actor, import_id: int, language: Language
) -> str:
    """
    Write what a past import refused as a table.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    import_id
        Which.
    language
        Of the reasons.

    Returns
    -------
    str
        CSV with row, feature, field and reason; at most the first 1,000.

    Raises
    ------
    NotFoundError
        There is no such import.
    """
    IMPORT.require(actor)
    refusals = queries.read_refusals(connection, import_id)
    if refusals is None:
        raise NotFoundError("imports.no_import")
    target = io.StringIO()
    writer = csv.writer(target)
    writer.writerow([text(f"imports.column_{name}", language) for name in _COLUMNS])
    for refusal in refusals:
        cells = [refusal.get(name) for name in _COLUMNS[:-1]]
        writer.writerow([safe_cell(value) for value in (*cells, _reason_in(refusal, language))])
    return target.getvalue()


def _reason_in(refusal: Mapping[str, Any], language: Language) -> str:
    key = refusal.get("key")
    return text(key, language, **refusal.get("values", {})) if key else str(refusal["reason"])
