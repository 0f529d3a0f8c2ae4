"""How the text of a GeoJSON file is laid out: one document, or a feature on each line.

A reader that takes the first document of several leaves the others out without a word; so what
follows the first is looked for before anything is read.
"""

import ast
import json
import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from gis_service.errors import InputError, Place

RECORD_SEPARATOR: Final = b"\x1e"
_NEXT_DOCUMENT: Final = re.compile(rb"\}[\s\x1e]*\n[\s\x1e]*\{|\}[ \t\x1e]*\{")
_CODES: Final = ("adcode", "code", "id", "key", "代码", "编码")


def find_gdal_source(path: Path, file: str) -> tuple[str, int | None]:
    """Say how GDAL is to read a GeoJSON file whole."""
    with path.open("rb") as source, mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if not _NEXT_DOCUMENT.search(data):
            return f"GeoJSON:{path}", None
        lines = _read_lines(data)
        if not all(line.startswith(b"{") and line.endswith(b"}") for _, line in lines):
            if _is_json(bytes(data)):  # the signs stood inside a text
                return f"GeoJSON:{path}", None
            raise InputError("ingest.geojson_several", file=file)
        features = [_count_features(line, number, file) for number, line in _read_lines(data)]
    single = len(features) == 1
    return (f"GeoJSON:{path}", None) if single else (f"GeoJSONSeq:{path}", sum(features))


def _read_lines(data: mmap.mmap) -> Iterator[tuple[int, bytes]]:
    data.seek(0)
    for number, line in enumerate(iter(data.readline, b""), start=1):
        stripped = line.removeprefix(b"\xef\xbb\xbf").strip(b" \t\r\n\x1e")
        if stripped:
            yield number, stripped


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data.decode("utf-8-sig"))
    except ValueError:
        return False
    return True


def _count_features(line: bytes, number: int, file: str) -> int:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        place = Place(row=number)
        raise InputError("ingest.geojson_bad_line", place=place, file=file, line=number) from error
    if document.get("type") == "FeatureCollection" and isinstance(document.get("features"), list):
        return len(document["features"])
    return 1


def parse_nested(value: object) -> Any:
    """Read a cell that holds an object or a list; None where it is one plain value."""
    if isinstance(value, dict | list):
        return value
    if not isinstance(value, str) or value.strip()[:1] + value.strip()[-1:] not in ("{}", "[]"):
        return None
    for parse in (json.loads, ast.literal_eval):  # as written, and as Python writes it
        try:
            parsed = parse(value.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(parsed, dict | list):
            return parsed
    return None


def find_code(document: object) -> str | None:
    """Find the code in a nested property such as ``{"adcode": 430600}``."""
    if not isinstance(document, dict):
        return None
    for name in _CODES:
        code = document.get(name)
        if isinstance(code, str | int) and not isinstance(code, bool) and str(code).strip():
            return str(code).strip()
    return None
