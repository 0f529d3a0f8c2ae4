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
    name_fields,
    require_crs,
)

_AT_ONCE: Final = 5000
_READ: Final = 1024 * 1024
_LONGEST: Final = 64 * 1024 * 1024
_DECODER: Final = json.JSONDecoder()


def answer_lines(
    file: Path, sources: Sequence[Source], options: Options, tally: Tally
) -> Iterator[bytes]:
    """Answer for every line of JSON."""
    require_crs(options)
    batch: list[Any] = []
    with file.open("rb") as stream:
        for line in _read_lines(stream, file.name):
            batch.append(_read_line(line))
            if len(batch) == _AT_ONCE:
                yield _answer_batch_of_lines(batch, sources, options, tally)
                batch = []
    if batch:
        yield _answer_batch_of_lines(batch, sources, options, tally)


def _read_lines(stream: BinaryIO, file: str) -> Iterator[bytes]:
    number = 0
    while line := stream.readline(_LONGEST):
        number += 1
        if len(line) == _LONGEST:
            raise InputError("locate.long_feature", place=Place(row=number), file=file)
        bare = line.strip(b"\x1e \t\r\n").removeprefix(codecs.BOM_UTF8)
        if bare:
            yield bare


@dataclass(frozen=True)
class _BrokenLine:
    """A line that is no object."""

    line: str


def _read_line(line: bytes) -> Any:
    try:
        value = json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return _BrokenLine(line.decode(errors="replace")[:200])
    return value if isinstance(value, dict) else _BrokenLine(line.decode(errors="replace")[:200])


def _refuse_constant(name: str) -> float:
    message = f"{name} is not JSON"
    raise ValueError(message)


def _answer_batch_of_lines(
    batch: list[Any], sources: Sequence[Source], options: Options, tally: Tally
) -> bytes:
    return b"".join(
        _to_json(feature) + b"\n" for feature in _answer_batch(batch, sources, options, tally)
    )


def _to_json(value: object) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # half a sign, which only its escape can say
        return json.dumps(value, separators=(",", ":")).encode()


def _answer_batch(
    batch: list[Any], sources: Sequence[Source], options: Options, tally: Tally
) -> list[Any]:
    """Answer for some features or objects and add what was found to them."""
    refused: dict[int, tuple[str, Reason]] = {}
    xy = np.array(
        [_read_place(feature, index, refused, options) for index, feature in enumerate(batch)]
    )
    systems = None
    if options.crs_column is not None:
        systems = [str(_properties_of(feature).get(options.crs_column) or "") for feature in batch]
    result = []
    answers = answer_rows(sources, options, xy, refused, tally, systems)
    for feature, values in zip(batch, answers, strict=True):
        if isinstance(feature, _BrokenLine):
            result.append(dict[str, Any](line=feature.line, refused=values[-1]))
            continue
        properties = _properties_of(feature)
        names = name_fields(sources, list(properties))
        new = {**properties, **dict(zip(names, values, strict=True))}
        result.append({**feature, "properties": new} if _is_feature(feature) else new)
    return result


def _is_feature(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") == "Feature"


def _properties_of(feature: Any) -> dict[str, Any]:
    if isinstance(feature, _BrokenLine):
        return {}
    if _is_feature(feature):
        properties = feature.get("properties")
        return properties if isinstance(properties, dict) else {}
    return feature if isinstance(feature, dict) else {}


def _read_place(
    feature: Any, index: int, refused: dict[int, tuple[str, Reason]], options: Options
) -> tuple[float, float]:
    nowhere = (float("nan"), float("nan"))
    if isinstance(feature, _BrokenLine):
        refused[index] = (feature.line[:60], "row_no_json")
        return nowhere
    geometry = feature.get("geometry")
    if geometry is None and not _is_feature(feature):
        return _read_place_of_members(feature, index, refused, options)
    if not isinstance(geometry, dict) or geometry.get("type") != "Point":
        kind = str(geometry.get("type")) if isinstance(geometry, dict) else ""
        refused[index] = (kind[:60], "row_no_point")
        return nowhere
    place = geometry.get("coordinates")
    if not isinstance(place, list) or len(place) < 2 or not all(map(_is_number, place[:2])):
        refused[index] = (str(place)[:60], "row_no_number")
        return nowhere
    return _as_float(place[0]), _as_float(place[1])


def _read_place_of_members(
    members: dict[str, Any], index: int, refused: dict[int, tuple[str, Reason]], options: Options
) -> tuple[float, float]:
    columns = options.stated()
    if len(columns) < 2 and options.find_columns is not None:
        columns = options.find_columns(list(members), columns)
    values = [members.get(columns.get(name, name)) for name in ("lon", "lat")]
    if None in values:
        refused[index] = ("", "row_no_coordinates")
        return float("nan"), float("nan")
    if all(map(_is_number, values)):
        return _as_float(values[0]), _as_float(values[1])
    place = None
    if all(isinstance(value, str) or _is_number(value) for value in values):
        place = read_pair(str(values[0]), str(values[1]))
    if place is None:
        refused[index] = (", ".join(map(str, values))[:80], "row_no_number")
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


class _JsonReader:
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
            text = self._decoder.decode(data, final=self._ended)
        except UnicodeDecodeError as error:
            raise InputError("locate.encoding", file=self._file) from error
        self._text, self._at = self._text[self._at :] + text, 0
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
        sign = self.sign()
        if not sign or sign not in signs:
            raise InputError("locate.no_geojson", file=self._file)
        self._at += 1
        return sign

    def value(self) -> Any:
        """Take the next value."""
        self.sign()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except ValueError as error:
                if self._more():
                    continue
                raise InputError("locate.no_geojson", file=self._file) from error
            except RecursionError as error:
                raise InputError("ingest.reader_nested", file=self._file) from error
            if end == len(self._text) and self._more():
                continue  # a number may go on
            self._at = end
            return value


def answer_collection(
    file: Path, sources: Sequence[Source], options: Options, tally: Tally
) -> Iterator[bytes]:
    """Answer for every feature of a GeoJSON."""
    with file.open("rb") as stream:
        reader = _JsonReader(stream, file.name)
        reader.take("{")
        before, has_features = b"{", False
        if reader.sign() == "}":
            raise InputError("locate.no_geojson", file=file.name)
        while True:
            name = reader.value()
            reader.take(":")
            if name == "features" and not has_features:
                has_features = True
                require_crs(options)
                yield before + b'"features":['
                yield from _answer_features(reader, sources, options, tally)
                before = b"]"
            else:
                value = reader.value()
                if name == "crs" and options.crs is None:
                    options = replace(options, crs=_read_named_system(value))
                before += _to_json(str(name)) + b":" + _to_json(value)
            if reader.take(",}") == "}":
                break
            before += b","
        if not has_features or reader.sign():
            raise InputError("locate.no_geojson", file=file.name)
        yield before + b"}"


def _read_named_system(value: Any) -> Any:
    try:
        name = str(value["properties"]["name"])
    except (KeyError, TypeError):
        return None
    return parse_crs(name.replace("urn:ogc:def:crs:", "").replace("::", ":").replace("1.3:", ""))


def _answer_features(
    reader: _JsonReader, sources: Sequence[Source], options: Options, tally: Tally
) -> Iterator[bytes]:
    reader.take("[")
    if reader.sign() == "]":
        reader.take("]")
        return
    batch: list[Any] = []
    comma = b""
    while True:
        value = reader.value()
        batch.append(value if isinstance(value, dict) else _BrokenLine(str(value)[:200]))
        ended = reader.take(",]") == "]"
        if ended or len(batch) == _AT_ONCE:
            done = _answer_batch(batch, sources, options, tally)
            yield comma + b",\n".join(map(_to_json, done))
            comma, batch = b",\n", []
        if ended:
            return
