"""A GeoPackage opened with care: SQLite runs what a file's schema says, so that is looked at first.

A view, a trigger or a column that computes is a program of the sender's. Refused before the first
query are views, triggers that no GeoPackage has, computed columns and indexes, and virtual tables
other than the index of geometries; what remains runs without the schema's trust and to a deadline.
"""

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from gis_service.errors import InputError
from gis_service.settings import import_settings

_MAGIC: Final = b"SQLite format 3\x00"
_STEPS: Final = 10_000
_LONGEST: Final = 256 * 1024 * 1024
_TRIGGERS: Final = re.compile(
    r"rtree_.+_(insert|delete|update[1-7]?)"
    r"|trigger_(insert|delete)_feature_count_.+"
    r"|gpkg_(metadata|metadata_reference|tile_matrix|tile_matrix_set|contents|extensions)_.+"
    r"|.+_(zoom|tile_column|tile_row)_(insert|update)"
    r"|fgti_.+|fgtd_.+",
    re.IGNORECASE | re.DOTALL,
)
"""As the standard and GDAL, which QGIS writes with, name theirs."""
_INDEX_OF_GEOMETRIES: Final = re.compile(
    r"\s*create\s+virtual\s+table\s.+\susing\s+rtree\s*\(", re.IGNORECASE | re.DOTALL
)
_GENERATED: Final = (2, 3)
_COMPUTED: Final = -2


@contextmanager
def open_gpkg(path: Path, file: str, *, write: bool = False) -> Iterator[sqlite3.Connection]:
    """Open a GeoPackage whose schema runs nothing of the sender's."""
    with path.open("rb") as source:
        head = source.read(32)
    if not head.startswith(_MAGIC):
        raise InputError("ingest.not_a_gpkg", file=file)
    if _read_page_size(head) * int.from_bytes(head[28:32], "big") > path.stat().st_size:
        raise InputError("ingest.gpkg_broken", file=file)  # cut off
    deadline = time.monotonic() + import_settings().gpkg_s
    mode = "mode=rw" if write else "mode=ro&immutable=1"
    try:
        address = f"file:{quote_path(path)}?{mode}"
        with closing(sqlite3.connect(address, uri=True)) as database:
            database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
            database.execute("PRAGMA trusted_schema = OFF")
            database.execute("PRAGMA cell_size_check = ON")
            database.execute("PRAGMA mmap_size = 0")
            database.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
            _check_schema(database, file)
            yield database
    except sqlite3.DatabaseError as error:
        is_late = time.monotonic() > deadline
        key = "ingest.gpkg_slow" if is_late else "ingest.gpkg_broken"
        raise InputError(key, file=file) from error


def _read_page_size(head: bytes) -> int:
    size = int.from_bytes(head[16:18], "big")
    return 65536 if size == 1 else size


def quote_path(path: Path) -> str:
    """Write a path as SQLite's addresses have it."""
    return str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def quote_name(name: str) -> str:
    """Write the name of a table or column as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def _check_schema(database: sqlite3.Connection, file: str) -> None:
    """Refuse what would run; reading the list of the schema runs nothing."""
    tables: dict[str, str] = {}
    for kind, name, table_name, sql in database.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_master"
    ):
        oddity = _find_oddity(kind, name, sql)
        if oddity:
            raise InputError("ingest.gpkg_odd", file=file, what=oddity, name=str(name)[:60])
        if kind == "table":
            tables[str(name).casefold()] = name
        elif kind == "index" and _is_computed_index(database, name):
            raise InputError("ingest.gpkg_odd", file=file, what="index", name=str(table_name)[:60])
    if "gpkg_contents" not in tables:
        raise InputError("ingest.gpkg_broken", file=file)
    for name in tables.values():
        columns = database.execute(f"PRAGMA table_xinfo({quote_name(name)})").fetchall()
        if any(column[6] in _GENERATED for column in columns):
            raise InputError("ingest.gpkg_odd", file=file, what="generated", name=str(name)[:60])


def _find_oddity(kind: str, name: str, sql: str | None) -> str | None:
    if kind == "view":
        return "view"
    if kind == "trigger" and not _TRIGGERS.fullmatch(str(name)):
        return "trigger"
    is_virtual = kind == "table" and re.match(r"\s*create\s+virtual", sql or "", re.IGNORECASE)
    return "virtual table" if is_virtual and not _INDEX_OF_GEOMETRIES.match(sql or "") else None


def _is_computed_index(database: sqlite3.Connection, index: str) -> bool:
    parts = database.execute(f"PRAGMA index_xinfo({quote_name(index)})").fetchall()
    return any(part[1] == _COMPUTED for part in parts)
