"""GeoJSON and lines of JSON of places, answered feature by feature in their order.

Only some thousand features are held at a time. Members and columns of the sender stay; the answers
are added to the properties.
"""

import codecs
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from gis_service.coordinate_systems import parse_crs
from gis_service.errors import InputError, Place
from gis_service.grids.batch.csv_files import read_pair
from gis_service.grids.batch.rows import (
    Options,
    Reason,
    Source,
    Tally,
    answer_rows,
    fields_of,
    need_crs,
)

_AT_ONCE: Final = 5000
_READ: Final = 1024 * 1024
_LONGEST: Final = 64 * 1024 * 1024
_DECODER: Final = json.JSONDecoder()


def assigned_lines(
    file: Path, sources: Sequence[Source], options: Options, tally: Tally
) -> Iterator[bytes]:
    """Answer for every line of JSON."""
    need_crs(options)
    batch: list[Any] = []
    with file.open("rb") as stream:
        for line in _lines(stream, file.name):
            batch.append(_one(line))
            if len(batch) == _AT_ONCE:
                yield _written_lines(batch, sources, options, tally)
                batch = []
    if batch:
        yield _written_lines(batch, sources, options, tally)


def _lines(stream: BinaryIO, file: str) -> Iterator[bytes]:
    number = 0
    while line := stream.readline(_LONGEST):
        number += 1
        if len(line) == _LONGEST:
            raise InputError("locate.long_feature", place=Place(row=number), file=file)
        bare = line.strip(b"\x1e \t\r\n").removeprefix(codecs.BOM_UTF8)
        if bare:
            yield bare


@dataclass(frozen=True)
class _Broken:
    """A line that is no object."""

    line: str


def _one(line: bytes) -> Any:
    try:
        found = json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return _Broken(line.decode(errors="replace")[:200])
    return found if isinstance(found, dict) else _Broken(line.decode(errors="replace")[:200])


def _refuse(name: str) -> float:
    message = f"{name} is not JSON"
    raise ValueError(message)


def _written_lines(
    batch: list[Any], sources: Sequence[Source], options: Options, tally: Tally
) -> bytes:
    return b"".join(_dumped(one) + b"\n" for one in _batch(batch, sources, options, tally))


def _dumped(value: object) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # half a sign, which only its escape can say
        return json.dumps(value, separators=(",", ":")).encode()


def _batch(
    batch: list[Any], sources: Sequence[Source], options: Options, tally: Tally
) -> list[Any]:
    """Answer for some features or objects and add what was found to them."""
    refused: dict[int, tuple[str, Reason]] = {}
    xy = np.array([_place(one, index, refused, options) for index, one in enumerate(batch)])
    systems = None
    if options.crs_column is not None:
        systems = [str(_properties(one).get(options.crs_column) or "") for one in batch]
    result = []
    answers = answer_rows(sources, options, xy, refused, tally, systems)
    for one, values in zip(batch, answers, strict=True):
        if isinstance(one, _Broken):
            result.append(dict[str, Any](line=one.line, refused=values[-1]))
            continue
        properties = _properties(one)
        names = fields_of(sources, list(properties))
        new = {**properties, **dict(zip(names, values, strict=True))}
        result.append({**one, "properties": new} if _is_feature(one) else new)
    return result


def _is_feature(one: Any) -> bool:
    return isinstance(one, dict) and one.get("type") == "Feature"


def _properties(one: Any) -> dict[str, Any]:
    if isinstance(one, _Broken):
        return {}
    if _is_feature(one):
        properties = one.get("properties")
        return properties if isinstance(properties, dict) else {}
    return one if isinstance(one, dict) else {}


def _place(
    one: Any, index: int, refused: dict[int, tuple[str, Reason]], options: Options
) -> tuple[float, float]:
    nowhere = (float("nan"), float("nan"))
    if isinstance(one, _Broken):
        refused[index] = (one.line[:60], "row_no_json")
        return nowhere
    geometry = one.get("geometry")
    if geometry is None and not _is_feature(one):
        return _place_of_members(one, index, refused, options)
    if not isinstance(geometry, dict) or geometry.get("type") != "Point":
        given = str(geometry.get("type")) if isinstance(geometry, dict) else ""
        refused[index] = (given[:60], "row_no_point")
        return nowhere
    place = geometry.get("coordinates")
    if not isinstance(place, list) or len(place) < 2 or not all(map(_is_number, place[:2])):
        refused[index] = (str(place)[:60], "row_no_number")
        return nowhere
    return _as_float(place[0]), _as_float(place[1])


def _place_of_members(
    one: dict[str, Any], index: int, refused: dict[int, tuple[str, Reason]], options: Options
) -> tuple[float, float]:
    columns = options.stated()
    if len(columns) < 2 and options.find_columns is not None:
        columns = options.find_columns(list(one), columns)
    given = [one.get(columns.get(name, name)) for name in ("lon", "lat")]
    if None in given:
        refused[index] = ("", "row_no_coordinates")
        return float("nan"), float("nan")
    if all(map(_is_number, given)):
        return _as_float(given[0]), _as_float(given[1])
    place = None
    if all(isinstance(value, str) or _is_number(value) for value in given):
        place = read_pair(str(given[0]), str(given[1]))
    if place is None:
        refused[index] = (", ".join(map(str, given))[:80], "row_no_number")
        return float("nan"), float("nan")
    return place


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf")


# --- GeoJSON -----------------------------------------------------------------------------------


class _Reader:
    """Text of a file, decoded piece by piece, with values taken from its front."""

    def __init__(self, stream: BinaryIO, file: str) -> None:
        self._stream = stream
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._text = ""
        self._at = 0
        self._ended = False

    def _more(self) -> bool:
        if self._ended:
            return False
        if len(self._text) - self._at > _LONGEST:
            raise InputError("locate.long_feature", file=self._file)
        data = self._stream.read(max(_READ, len(self._text) - self._at))
        self._ended = not data
        try:
            said = self._decoder.decode(data, final=self._ended)
        except UnicodeDecodeError as error:
            raise InputError("locate.encoding", file=self._file) from error
        self._text, self._at = self._text[self._at :] + said, 0
        return True

    def sign(self) -> str:
        """Give the next sign that is no space, without taking it; empty at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in " \t\r\n":
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self, signs: str) -> str:
        """Take the next sign, which must be one of these."""
        found = self.sign()
        if not found or found not in signs:
            raise InputError("locate.no_geojson", file=self._file)
        self._at += 1
        return found

    def value(self) -> Any:
        """Take the next value."""
        self.sign()
        while True:
            try:
                found, end = _DECODER.raw_decode(self._text, self._at)
            except ValueError as error:
                if self._more():
                    continue
                raise InputError("locate.no_geojson", file=self._file) from error
            except RecursionError as error:
                raise InputError("ingest.reader_nested", file=self._file) from error
            if end == len(self._text) and self._more():
                continue  # a number may go on
            self._at = end
            return found


def assigned_collection(
    file: Path, sources: Sequence[Source], options: Options, tally: Tally
) -> Iterator[bytes]:
    """Answer for every feature of a GeoJSON."""
    with file.open("rb") as stream:
        reader = _Reader(stream, file.name)
        reader.take("{")
        before, seen = b"{", False
        if reader.sign() == "}":
            raise InputError("locate.no_geojson", file=file.name)
        while True:
            name = reader.value()
            reader.take(":")
            if name == "features" and not seen:
                seen = True
                need_crs(options)
                yield before + b'"features":['
                yield from _features(reader, sources, options, tally)
                before = b"]"
            else:
                value = reader.value()
                if name == "crs" and options.crs is None:
                    options = replace(options, crs=_named_system(value))
                before += _dumped(str(name)) + b":" + _dumped(value)
            if reader.take(",}") == "}":
                break
            before += b","
        if not seen or reader.sign():
            raise InputError("locate.no_geojson", file=file.name)
        yield before + b"}"


def _named_system(value: Any) -> Any:
    try:
        name = str(value["properties"]["name"])
    except (KeyError, TypeError):
        return None
    return parse_crs(name.replace("urn:ogc:def:crs:", "").replace("::", ":").replace("1.3:", ""))


def _features(
    reader: _Reader, sources: Sequence[Source], options: Options, tally: Tally
) -> Iterator[bytes]:
    reader.take("[")
    if reader.sign() == "]":
        reader.take("]")
        return
    batch: list[Any] = []
    comma = b""
    while True:
        value = reader.value()
        batch.append(value if isinstance(value, dict) else _Broken(str(value)[:200]))
        ended = reader.take(",]") == "]"
        if ended or len(batch) == _AT_ONCE:
            done = _batch(batch, sources, options, tally)
            yield comma + b",\n".join(map(_dumped, done))
            comma, batch = b",\n", []
        if ended:
            return
