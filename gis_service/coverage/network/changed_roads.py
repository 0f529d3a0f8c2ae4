"""A road network with a road closed or a road added, as if it had been read so.

A new road joins what is there at those of its vertices that lie on a road, and nowhere else: where
it only crosses one it is a bridge. Arrays in, arrays out; nothing here reads the store.
"""

from collections.abc import Collection
from dataclasses import fields, replace
from itertools import pairwise
from typing import Any, Final

import numpy as np
import shapely
from shapely.ops import substring

from gis_service import geodesy
from gis_service.coverage.network.graph import BoolArray, FloatArray, IntArray, RoadNetwork
from gis_service.errors import InputError, Place

JOIN_M: Final = 25.0
"""A drawn vertex this near a road is meant to be on it."""
POINT_AT_M: Final = 200.0
"""Whoever points at a road to close it is at most so far beside it."""
_AT_NODE_M: Final = 1.0
_NO_WHEELS: Final = frozenset({"path", "footway", "cycleway", "steps", "pedestrian"})
_NO_FEET: Final = frozenset({"motorway"})
_NODE_FIELDS: Final = frozenset({"node_id", "lon", "lat"})


def find_road_at(network: RoadNetwork, usable: BoolArray, lon: float, lat: float) -> int:
    """Find the road that somebody points at."""
    near = _find_near_edges(network, usable, lon, lat, POINT_AT_M)
    if len(near) == 0:
        raise InputError(
            "coverage.no_road_there",
            place=Place(field="lon, lat"),
            lon=round(lon, 5),
            lat=round(lat, 5),
            metres=POINT_AT_M,
        )
    lines, point = _to_local_plane(network.geometry[near], lon, lat)
    metres = shapely.distance(lines, point)
    return int(network.edge_id[near[int(np.argmin(np.round(metres, 6)))]])


def close_roads(network: RoadNetwork, edge_ids: Collection[int]) -> RoadNetwork:
    """Close roads."""
    closed = np.isin(network.edge_id, list(edge_ids))
    if closed.sum() != len(set(edge_ids)):
        missing = sorted(set(edge_ids) - set(network.edge_id[closed].tolist()))
        raise InputError("coverage.no_edge", place=Place(field="edge_ids"), edge=missing[0])
    return _take_edges(network, np.flatnonzero(~closed))


def add_road(network: RoadNetwork, line: FloatArray, road_class: str) -> RoadNetwork:
    """Add a road."""
    to_xy, to_lonlat = geodesy.local_metres(float(line[0, 0]), float(line[0, 1]))
    drawn = np.column_stack(to_xy(line[:, 0], line[:, 1]))
    joinable = ~(network.bridge | network.tunnel) & (network.road_class != "motorway")
    joints: list[tuple[int, int, float]] = []  # vertex, edge, fraction
    for vertex, (lon, lat) in enumerate(line):
        near = _find_near_edges(network, joinable, lon, lat, JOIN_M)
        if len(near) == 0:
            continue
        lines, point = _to_local_plane(network.geometry[near], lon, lat)
        metres = shapely.distance(lines, point)
        nearest = int(np.argmin(np.round(metres, 6)))
        if metres[nearest] <= JOIN_M:
            share = float(shapely.line_locate_point(lines[nearest], point, normalized=True))
            joints.append((vertex, int(near[nearest]), share))
    if not joints:
        raise InputError("coverage.road_touches_none", place=Place(field="line"), metres=JOIN_M)
    cut, node_of = _cut_at_joints(network, joints)
    for vertex, node in node_of.items():
        drawn[vertex] = np.column_stack(to_xy(cut.lon[[node]], cut.lat[[node]]))[0]
    stops = sorted({0, len(line) - 1, *node_of})
    for vertex in stops:
        if vertex not in node_of:
            cut, node_of[vertex] = _add_node(cut, *line[vertex])
    pieces = [
        (node_of[first], node_of[last], np.column_stack(to_lonlat(*drawn[first : last + 1].T)))
        for first, last in pairwise(stops)
        if node_of[first] != node_of[last]
    ]
    if not pieces:
        raise InputError("coverage.road_no_length", place=Place(field="line"))
    for first, last, lonlat in pieces:
        ends = np.array([[cut.lon[node], cut.lat[node]] for node in (first, last)])
        cut = _add_edge(cut, first, last, np.vstack((ends[:1], lonlat[1:-1], ends[1:])), road_class)
    return cut


def _find_near_edges(
    network: RoadNetwork, usable: BoolArray, lon: float, lat: float, metres: float
) -> IntArray:
    """Pick the edges whose box comes near; a degree of longitude shrinks towards the poles."""
    high = metres / 110_000.0
    wide = high / max(np.cos(np.radians(lat)), 0.01)
    west, south, east, north = shapely.bounds(network.geometry).reshape(-1, 4).T
    near = (west <= lon + wide) & (east >= lon - wide)
    near &= (south <= lat + high) & (north >= lat - high)
    edges = np.flatnonzero(near & usable)
    if len(edges) == 0:
        return edges
    lines, point = _to_local_plane(network.geometry[edges], lon, lat)
    return np.asarray(edges[shapely.distance(lines, point) <= metres], dtype=np.int64)


def _to_local_plane(lines: Any, lon: float, lat: float) -> tuple[Any, Any]:
    to_xy, _ = geodesy.local_metres(lon, lat)
    moved = shapely.transform(lines, lambda at: np.column_stack(to_xy(at[:, 0], at[:, 1])))
    return moved, shapely.Point(0.0, 0.0)


def _cut_at_joints(
    network: RoadNetwork, joints: list[tuple[int, int, float]]
) -> tuple[RoadNetwork, dict[int, int]]:
    """Cut edges where the road joins them; the nodes of the joints by vertex."""
    node_of: dict[int, int] = {}
    cuts: dict[int, list[tuple[float, int]]] = {}
    for vertex, edge, share in joints:
        length_m = network.length_m[edge]
        if share * length_m <= _AT_NODE_M:
            node_of[vertex] = int(network.source[edge])
        elif (1.0 - share) * length_m <= _AT_NODE_M:
            node_of[vertex] = int(network.target[edge])
        else:
            at = network.geometry[edge].interpolate(share, normalized=True)
            network, node_of[vertex] = _add_node(network, at.x, at.y)
            cuts.setdefault(edge, []).append((share, node_of[vertex]))
    whole = network
    turns = network.turns
    for edge, at_shares in cuts.items():
        shares = [0.0, *(share for share, _ in sorted(at_shares)), 1.0]
        nodes = [
            int(whole.source[edge]),
            *(node for _, node in sorted(at_shares)),
            int(whole.target[edge]),
        ]
        parts = zip(shares, shares[1:], nodes, nodes[1:], strict=False)
        for start, end, first, last in parts:
            line = substring(whole.geometry[edge], start, end, normalized=True)
            network = _append_edge_like(
                network,
                edge,
                source=first,
                target=last,
                length_m=whole.length_m[edge] * (end - start),
                geometry=line,
            )
            for node in {first, last} & {nodes[0], nodes[-1]}:
                turns = turns.follow_cut(
                    int(whole.edge_id[edge]),
                    int(whole.node_id[node]),
                    int(network.edge_id[-1]),
                )
    network = replace(network, turns=turns)
    kept = np.setdiff1d(np.arange(network.edge_count), np.array(list(cuts), dtype=np.int64))
    return _take_edges(network, kept), node_of


def _add_node(network: RoadNetwork, lon: float, lat: float) -> tuple[RoadNetwork, int]:
    node_id = int(network.node_id.max()) + 1 if network.node_count else 0
    grown = replace(
        network,
        node_id=np.append(network.node_id, node_id),
        lon=np.append(network.lon, lon),
        lat=np.append(network.lat, lat),
    )
    return grown, grown.node_count - 1


def _add_edge(
    network: RoadNetwork, source: int, target: int, lonlat: FloatArray, road_class: str
) -> RoadNetwork:
    line = shapely.LineString(lonlat)
    return _append_edge_like(
        network,
        0,
        source=source,
        target=target,
        road_class=road_class,
        oneway=0,
        bridge=False,
        tunnel=False,
        dual_carriageway=False,
        foot=road_class not in _NO_FEET,
        motor=road_class not in _NO_WHEELS,
        maxspeed_kmh=np.nan,
        length_m=float(geodesy.length_m(np.array([line], dtype=object))[0]),
        geometry=line,
    )


def _take_edges(network: RoadNetwork, kept: IntArray) -> RoadNetwork:
    """Take some edges; whatever is kept by edge is taken along."""
    return replace(
        network, **{name: getattr(network, name)[kept] for name in _list_edge_fields(network)}
    )


def _append_edge_like(network: RoadNetwork, like: int, **values: Any) -> RoadNetwork:
    """Append an edge like another one but for some values; its id is a new one."""
    values["edge_id"] = int(network.edge_id.max()) + 1
    columns: dict[str, Any] = {}
    for name in _list_edge_fields(network):
        column = getattr(network, name)
        cell = np.empty(1, dtype=object)
        cell[0] = values.get(name, column[like])
        columns[name] = np.concatenate(
            (column, cell if column.dtype == object else _as_typed_array(cell))
        )
    return replace(network, **columns)


def _as_typed_array(cell: Any) -> Any:
    return np.array(cell.tolist())


def _list_edge_fields(network: RoadNetwork) -> list[str]:
    return [
        column.name
        for column in fields(network)
        if column.name not in _NODE_FIELDS
        and isinstance(getattr(network, column.name), np.ndarray)
        and len(getattr(network, column.name)) == network.edge_count
    ]
