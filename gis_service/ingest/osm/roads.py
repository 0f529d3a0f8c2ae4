"""Ways become a network: edges between the nodes that ways share, and nowhere else.

Two roads that cross without a common node (a bridge) stay apart. Pure: ways in, frames out.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import shapely

from gis_service.errors import Place
from gis_service.ingest.osm import tags as osm_tags
from gis_service.ingest.osm import turns as osm_turns
from gis_service.ingest.osm.scan import Relation, Way
from gis_service.ingest.readers.frames import COLUMNS, Note, Refusal

WAY_STRIDE: Final = 10_000
"""``edge_id`` = way id × this + place of the edge's first node in the way: the same in every
extract, and far within 64 bits. A way has at most 2,000 nodes by OpenStreetMap's own rule."""

_BIGGEST_WAY: Final = 2**63 // WAY_STRIDE

LonLat = tuple[float, float]
Edge = tuple[tuple[object, ...], list[LonLat]]
"""The columns of an edge up to its geometry, and its line."""


@dataclass(frozen=True)
class OsmRoads:
    """The frames of roads and turn restrictions, and what is to be said about them."""

    nodes: pd.DataFrame
    edges: pd.DataFrame
    turns: pd.DataFrame
    notes: list[Note]
    refusals: list[Refusal]


@dataclass(frozen=True)
class _WayPiece:
    """A stretch of a way whose nodes are all known; ``start`` is its first node's place in it."""

    way: Way
    class_: str
    start: int
    refs: list[int]
    lonlat: list[LonLat]


def build_roads(
    ways: Iterable[Way], restrictions: Iterable[Relation] = (), stops: Collection[int] = ()
) -> OsmRoads:
    """Cut ways into the edges of a network."""
    left_out: Counter[str] = Counter()
    refusals: list[Refusal] = []
    pieces: list[_WayPiece] = []
    clipped_count = 0
    for way in ways:
        if not ({"highway", "route"} & way.tags.keys()):
            continue
        class_ = osm_tags.find_road_class(way.tags)
        if class_ is None:
            if "highway" in way.tags:
                left_out[way.tags["highway"]] += 1
        elif way.tags.get("area") == "yes":
            left_out["area=yes"] += 1
        elif len(way.refs) > WAY_STRIDE:
            place = Place(feature=f"w{way.id}")
            refusals.append(Refusal.because("ingest.osm_way_too_long", place, nodes=len(way.refs)))
        elif abs(way.id) >= _BIGGEST_WAY:
            place = Place(feature=f"w{way.id}")
            refusals.append(Refusal.because("ingest.osm_id_too_big", place, most=_BIGGEST_WAY))
        else:
            clipped_count += None in way.lonlat
            pieces.extend(_split_way(way, class_))
    same_node = _find_same_places(pieces)
    use_counts = _count_uses(pieces, same_node)
    closed_nodes = {same_node.get(node, node) for node in stops} & use_counts.keys()
    use_counts.update(dict.fromkeys(closed_nodes, 2))
    edges = [row for piece in pieces for row in _cut_edges(piece, same_node, use_counts)]
    frame = _make_edges(edges)
    turns, turn_notes = osm_turns.find_turns(
        restrictions, frame, same_node, WAY_STRIDE, closed_nodes
    )
    notes = [*_make_notes(left_out, clipped_count), *turn_notes]
    return OsmRoads(_make_nodes(edges), frame, turns, notes, refusals)


def _make_notes(left_out: Counter[str], broken: int) -> list[Note]:
    notes = []
    if left_out:
        kinds = ", ".join(f"{kind} {count}" for kind, count in left_out.most_common(12))
        notes.append(Note("ingest.osm_roads_left_out", {"n": left_out.total(), "kinds": kinds}))
    if broken:
        notes.append(Note("ingest.osm_roads_clipped", {"n": broken}))
    return notes


def _split_way(way: Way, class_: str) -> Iterator[_WayPiece]:
    """Split a way where the file lacks nodes; a node named twice in a row counts once."""
    refs: list[int] = []
    lonlat: list[LonLat] = []
    start = 0
    for index, (ref, place) in enumerate(zip(way.refs, way.lonlat, strict=True)):
        if place is None:
            if len(refs) > 1:
                yield _WayPiece(way, class_, start, refs, lonlat)
            refs, lonlat = [], []
            continue
        if not refs:
            start = index
        refs.append(ref)
        lonlat.append(place)
    if len(refs) > 1:
        yield _WayPiece(way, class_, start, refs, lonlat)


def _find_same_places(pieces: Iterable[_WayPiece]) -> dict[int, int]:
    """Join neighbours of a way that lie at one place, so that no edge has length 0."""
    representative: dict[int, int] = {}

    def find(ref: int) -> int:
        while ref in representative:
            ref = representative[ref]
        return ref

    for piece in pieces:
        for index in range(1, len(piece.refs)):
            if piece.lonlat[index] == piece.lonlat[index - 1]:
                lower, higher = sorted((find(piece.refs[index - 1]), find(piece.refs[index])))
                if lower != higher:
                    representative[higher] = lower
    return {ref: find(ref) for ref in representative}


def _count_uses(pieces: Iterable[_WayPiece], same_node: Mapping[int, int]) -> Counter[int]:
    use_counts: Counter[int] = Counter()
    for piece in pieces:
        previous = None
        for ref in piece.refs:
            node = same_node.get(ref, ref)
            if node != previous:
                use_counts[node] += 1
            previous = node
    return use_counts


def _cut_edges(
    piece: _WayPiece, same_node: Mapping[int, int], use_counts: Mapping[int, int]
) -> Iterator[Edge]:
    tags, class_ = piece.way.tags, piece.class_
    direction = osm_tags.read_oneway(tags, class_)
    attributes = (
        class_,
        tags.get("name") or tags.get("ref") or "",
        direction,
        osm_tags.read_maxspeed_kmh(tags),
        osm_tags.says_yes(tags, "bridge"),
        osm_tags.says_yes(tags, "tunnel"),
        osm_tags.is_dual_carriageway(tags, class_, direction),
        osm_tags.is_roundabout(tags),
        osm_tags.allows_foot(tags, class_),
        osm_tags.allows_motor(tags, class_),
    )
    nodes = [same_node.get(ref, ref) for ref in piece.refs]
    last = len(nodes) - 1
    begin = 0
    for index in range(1, last + 1):
        if index < last and use_counts[nodes[index]] < 2:
            continue
        line = _remove_repeats(piece.lonlat[begin : index + 1])
        if len(line) > 1:
            edge_id = piece.way.id * WAY_STRIDE + piece.start + begin
            yield (edge_id, nodes[begin], nodes[index], *attributes), line
        begin = index


def _remove_repeats(line: list[LonLat]) -> list[LonLat]:
    return [place for index, place in enumerate(line) if index == 0 or place != line[index - 1]]


def _make_nodes(edges: list[Edge]) -> pd.DataFrame:
    places: dict[object, LonLat] = {}
    for (_, source, target, *_), line in edges:
        places[source] = line[0]
        places[target] = line[-1]
    lonlat = np.array(list(places.values()), dtype=float).reshape(-1, 2)
    return pd.DataFrame(
        {
            "node_id": np.array(list(places), dtype=np.int64),
            "lon": lonlat[:, 0],
            "lat": lonlat[:, 1],
        }
    )


def _make_edges(edges: list[Edge]) -> pd.DataFrame:
    names = COLUMNS["road_edges"]
    frame = pd.DataFrame([row for row, _ in edges], columns=list(names[:-1]))
    owner = np.repeat(np.arange(len(edges)), [len(line) for _, line in edges])
    xy = np.array([place for _, line in edges for place in line], dtype=np.float64)
    lines = shapely.linestrings(xy.reshape(-1, 2), indices=owner)
    frame["geometry"] = pd.Series(lines, dtype=object, index=frame.index)
    return frame.astype({"maxspeed_kmh": float} | dict.fromkeys(names[:3], np.int64))
