"""One pass over an OpenStreetMap file: what matters is kept, what is broken is said.

Nothing here knows roads from buildings; it only keeps objects with one of the wanted keys, their
tags, coordinates and members, and the areas that libosmium can assemble.

A cut file is found wherever the cut leaves something unfinished: inside a block of a .pbf, in the
1 to 3 bytes after one, anywhere in a .gz, before ``</osm>``. A .pbf cut exactly between two blocks
is a valid shorter file: found when no way is left, noted when no relation is left, and cannot be
found when only the last relations are missing.

A file that is not in order (nodes, ways, relations, each by its number and once, none below nought)
is sorted into another one, and that is read.
"""

import struct
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import osmium
import osmium.area
import osmium.filter
import osmium.geom
import osmium.io
import osmium.osm

from gis_service.errors import InputError, Place

SUFFIXES: Final = (".pbf", ".osm", ".osm.gz", ".osm.bz2")
KEYS: Final = (
    "highway", "route", "building", "amenity", "shop", "emergency", "boundary", "natural",
    "waterway", "landuse", "leisure", "restriction", "restriction:conditional",
    "barrier",
)  # fmt: skip
AREA_TYPES: Final = frozenset({"multipolygon", "boundary"})
_MOST_TIMES: Final = 100

_UNKNOWN: Final = 2**31 - 1
_OUT_OF_ORDER: Final = ("out of order", "twice in input")
_ABOVE_ALL: Final = 2**40
"""Above every number that OpenStreetMap has given so far (2^34)."""
_CUT: Final = (
    "unexpected EOF", "truncated", "no element found", "unclosed token", "read close failed",
    "blob contains no data", "bzip2 error: read failed: -7",
)  # fmt: skip


@dataclass(frozen=True)
class Node:
    """A node with one of the keys; degrees."""

    id: int
    tags: dict[str, str]
    lon: float
    lat: float


@dataclass(frozen=True)
class Way:
    """A way with one of the keys."""

    id: int
    tags: dict[str, str]
    # Node ids in order.
    refs: list[int]
    # One pair of degrees a node; None where the file does not hold the node.
    lonlat: list[tuple[float, float] | None]

    @property
    def closed(self) -> bool:
        """
        Tell a ring.

        Returns
        -------
        bool
            True if it ends where it starts and has at least three corners.
        """
        return len(self.refs) > 3 and self.refs[0] == self.refs[-1]


@dataclass(frozen=True)
class Relation:
    """A multipolygon, boundary or restriction relation; ``members`` are (type, id, role)."""

    id: int
    tags: dict[str, str]
    members: list[tuple[str, int, str]]

    @property
    def member_ways(self) -> list[int]:
        """List the ways among the members."""
        return [ref for kind, ref, _ in self.members if kind == "w"]


@dataclass
class Scan:
    """What a file holds."""

    nodes: list[Node] = field(default_factory=list)
    ways: list[Way] = field(default_factory=list)
    relations: dict[int, Relation] = field(default_factory=dict)
    # WKB (hex) by relation id; lon, lat in degrees.
    areas: dict[int, str] = field(default_factory=dict)
    turns: list[Relation] = field(default_factory=list)
    any_relation: bool = False
    data_day: date | None = None
    # Whether the file was not in order and had to be sorted.
    sorted_first: bool = False


def scan_file(path: Path) -> Scan:
    """Read every object with one of :data:`KEYS`, in its newest version."""
    check_osm_file(path)
    try:
        _check_members(path)
        scanned = _read_in_any_order(path)
        if not scanned.ways and not _has_any(path, osmium.osm.WAY):
            raise InputError("ingest.osm_no_ways", file=path.name)
        scanned.any_relation = bool(scanned.relations) or _has_any(path, osmium.osm.RELATION)
    except RuntimeError as error:
        raise _explain_error(path, str(error)) from error
    if scanned.ways and all(place is None for way in scanned.ways for place in way.lonlat):
        raise InputError("ingest.osm_no_locations", file=path.name)
    return scanned


def find_present_ways(path: Path, way_ids: set[int]) -> set[int]:
    """See which ways a file holds."""
    if not way_ids:
        return set()
    ways = osmium.FileProcessor(str(path), osmium.osm.WAY)
    return {way.id for way in ways.with_filter(osmium.filter.IdFilter(way_ids))}


def check_osm_file(path: Path) -> None:
    """Refuse what cannot be a whole OpenStreetMap file, before anything is read for it."""
    if not path.is_file():
        raise InputError("ingest.osm_missing", file=path.name)
    if path.name.lower().endswith(".graphml"):
        raise InputError("ingest.osm_roads_only", file=path.name, known=", ".join(SUFFIXES))
    if not path.name.lower().endswith(SUFFIXES):
        raise InputError("ingest.osm_suffix", file=path.name, known=", ".join(SUFFIXES))
    if path.stat().st_size == 0:
        raise InputError("ingest.osm_empty", file=path.name)
    if path.name.lower().endswith(".pbf") and _has_loose_end(path):
        raise InputError("ingest.osm_cut", file=path.name, detail="PBF: loose bytes at the end")


def _explain_error(path: Path, detail: str) -> InputError:
    cut = any(sign in detail for sign in _CUT)
    return InputError(
        "ingest.osm_cut" if cut else "ingest.osm_unreadable", file=path.name, detail=detail
    )


def _has_loose_end(path: Path) -> bool:
    """Find the 1 to 3 bytes of a half-written block length that libosmium takes for the end."""
    # Walks from block to block: 4 bytes length of the BlobHeader, then the header, whose field 3 is
    # the length of the data (https://wiki.openstreetmap.org/wiki/PBF_Format). Anything else that is
    # wrong is left to libosmium.
    size = path.stat().st_size
    with path.open("rb") as file:
        while (position := file.tell()) < size:
            if size - position < 4:
                return True
            (header_length,) = struct.unpack(">I", file.read(4))
            if header_length > 65536:
                return False
            data_length = _read_data_length(file.read(header_length))
            if data_length is None:
                return False
            file.seek(data_length, 1)
    return False


def _read_data_length(header: bytes) -> int | None:
    position = 0
    while position < len(header):
        tag, position = _read_varint(header, position)
        value, position = _read_varint(header, position)
        if tag >> 3 == 3:
            return value
        if tag & 7 == 2:
            position += value
    return None


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(data):
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return value, position


def _has_any(path: Path, kind: Any) -> bool:
    return next(iter(osmium.FileProcessor(str(path), kind)), None) is not None


def _check_members(path: Path) -> None:
    """Refuse an outline that names one way again and again: putting it together takes minutes."""
    relations: Iterable[Any] = osmium.FileProcessor(str(path), osmium.osm.RELATION)
    for relation in relations:
        if relation.tags.get("type") not in AREA_TYPES:
            continue
        times = Counter(member.ref for member in relation.members if member.type == "w")
        way, count = max(times.items(), key=itemgetter(1), default=(0, 0))
        if count > _MOST_TIMES:
            raise InputError(
                "ingest.osm_way_repeated",
                place=Place(feature=f"relation/{relation.id}"),
                file=path.name,
                relation=relation.id,
                way=way,
                times=count,
            )


def _read_in_order(path: Path) -> Scan:
    scanned = Scan()
    newest: datetime | None = None
    to_wkb = osmium.geom.WKBFactory()
    processor = osmium.FileProcessor(str(path))
    header = processor.header
    for thing in _iterate_objects(processor):
        if thing.is_node():
            if thing.location.valid():
                scanned.nodes.append(
                    Node(thing.id, dict(thing.tags), thing.location.lon, thing.location.lat)
                )
        elif thing.is_way():
            scanned.ways.append(_make_way(thing))
            if newest is None or thing.timestamp > newest:
                newest = thing.timestamp
        elif thing.is_relation():
            kind = thing.tags.get("type")
            if kind in AREA_TYPES or kind == "restriction":
                members = [(member.type, member.ref, member.role) for member in thing.members]
                relation = Relation(thing.id, dict(thing.tags), members)
                if kind == "restriction":
                    scanned.turns.append(relation)
                else:
                    scanned.relations[thing.id] = relation
        elif not thing.from_way() and thing.num_rings()[0] > 0:
            scanned.areas[thing.orig_id()] = to_wkb.create_multipolygon(thing)
    scanned.data_day = _read_header_day(header) or _day_of(newest)
    return scanned


def _read_in_any_order(path: Path) -> Scan:
    try:
        scanned = _read_in_order(path)
        if not _is_out_of_order(path, scanned):
            return scanned
    except RuntimeError as error:
        if not any(sign in str(error) for sign in _OUT_OF_ORDER):
            raise
    with tempfile.TemporaryDirectory(prefix="gis-osm-") as folder:
        ordered = Path(folder) / "sorted.osm.pbf"
        _sort(path, ordered)
        scanned = _read_in_order(ordered)
    scanned.sorted_first = True
    scanned.data_day = _read_header_day(osmium.FileProcessor(str(path)).header) or scanned.data_day
    return scanned


def _is_out_of_order(path: Path, scanned: Scan) -> bool:
    """See whether nodes that a way lacks stand behind it, or below nought, where none is found."""
    missing = {
        ref
        for way in scanned.ways
        for ref, place in zip(way.refs, way.lonlat, strict=True)
        if place is None
    }
    if not missing or min(missing) < 0:
        return bool(missing)
    nodes = osmium.FileProcessor(str(path), osmium.osm.NODE)
    return next(iter(nodes.with_filter(osmium.filter.IdFilter(missing))), None) is not None


def _sort(path: Path, ordered: Path) -> None:
    """Write a file in order: of each object the newest version alone, none below nought."""
    reader = osmium.MergeInputReader()
    reader.add_file(str(path))
    with osmium.SimpleWriter(str(ordered)) as writer:
        reader.apply(_PositiveNumbers(writer), simplify=True)


class _PositiveNumbers(osmium.SimpleHandler):
    """Write objects on, those numbered below nought under numbers that nobody else has."""

    # An editor gives such numbers to what it has not sent yet; libosmium finds no node by them.

    def __init__(self, writer: osmium.SimpleWriter) -> None:
        super().__init__()
        self._writer = writer

    def node(self, node: Any) -> None:
        """Write a node."""
        self._writer.add_node(node.replace(id=_make_positive(node.id)))

    def way(self, way: Any) -> None:
        """Write a way."""
        refs = [_make_positive(node.ref) for node in way.nodes]
        self._writer.add_way(way.replace(id=_make_positive(way.id), nodes=refs))

    def relation(self, relation: Any) -> None:
        """Write a relation."""
        members = [
            (member.type, _make_positive(member.ref), member.role) for member in relation.members
        ]
        self._writer.add_relation(relation.replace(id=_make_positive(relation.id), members=members))


def _make_positive(number: int) -> int:
    return number if number >= 0 else _ABOVE_ALL - number


def _iterate_objects(processor: osmium.FileProcessor) -> Iterator[Any]:
    key_filter = osmium.filter.KeyFilter(*KEYS)
    yield from processor.with_areas(key_filter).with_filter(key_filter)


def _make_way(way: Any) -> Way:
    refs: list[int] = []
    lonlat: list[tuple[float, float] | None] = []
    for node in way.nodes:
        refs.append(node.ref)
        x, y = node.x, node.y
        # the file's own integers: x / 10^7 is the double nearest to the seven decimals
        lonlat.append(None if _UNKNOWN in (x, y) else (x / 1e7, y / 1e7))
    return Way(way.id, dict(way.tags), refs, lonlat)


def _read_header_day(header: osmium.io.Header) -> date | None:
    for key in ("osmosis_replication_timestamp", "timestamp"):
        text = header.get(key)
        if text:
            try:
                return datetime.fromisoformat(text).date()
            except ValueError:
                continue
    return None


def _day_of(moment: datetime | None) -> date | None:
    if moment is None or moment.year <= 1970:
        return None
    return moment.astimezone(UTC).date()
