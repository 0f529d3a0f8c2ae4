"""What looks wrong with a road network: pieces, ends at the border, gaps, houses without a road.

Faults of the data are listed, not hidden as zeros: each with its place, so that somebody can look.
Arrays and geometries in, a report out; nothing here reads the store.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
import shapely
from scipy.spatial import cKDTree

from gis_service import geodesy
from gis_service.coverage.network.graph import (
    BoolArray,
    FloatArray,
    IntArray,
    ProfileNetwork,
    Snapper,
)
from gis_service.coverage.travel import search_kernels
from gis_service.coverage.travel.travel_time import BUCKET

_FACING: Final = 0.7
"""Cosine between an end's direction and the way across: both ends point at each other."""
_DETOUR: Final = 10.0
"""A gap is a fault only where the way round by road is this many times longer."""


@dataclass(frozen=True)
class ReportRules:
    """
    What counts as a fault.

    Attributes
    ----------
    far_house_m
        A house farther than this from any usable road is listed.
    border_m
        A dead end this near to the county's border is one at the border.
    gap_m
        The widest gap between two facing ends that may miss a bridge.
    """

    far_house_m: float = 200.0
    border_m: float = 50.0
    gap_m: float = 150.0


@dataclass(frozen=True)
class Spot:
    """A place, degrees CGCS2000."""

    lon: float
    lat: float


@dataclass(frozen=True)
class CutOff:
    """A piece of network apart from the largest one, and where it lies."""

    edges: int
    length_m: float
    at: Spot


@dataclass(frozen=True)
class Gap:
    """Two ends that face each other and no road between them."""

    one: Spot
    other: Spot
    gap_m: float
    over_water: bool
    connected: bool


@dataclass(frozen=True)
class TurnCounts:
    """How many turn restrictions are applied, and how many are kept only."""

    # To whoever drives and keeps them.
    applied: int = 0
    # By reason.
    not_applied: dict[str, int] = field(default_factory=dict)
    # Places on a road where a bollard or the like stops whoever keeps restrictions.
    barriers: int = 0


@dataclass(frozen=True)
class NetworkReport:
    """
    What was found, each list the gravest first.

    Attributes
    ----------
    nodes, edges, usable_edges, length_m
        Of the network; the length in metres is that of usable edges.
    cut_off
        Pieces apart from the largest.
    border_ends
        Dead ends at the border: the road goes on outside, and the network is clipped there.
    gaps
        Suspected missing bridges.
    houses, far_houses
        How many houses were looked at, and those far from any road: place and metres, inf where
        there is no road at all within a search of a hundred times the setting.
    rules
        The settings it was made by.
    turns
        The turn restrictions that are known.
    """

    nodes: int
    edges: int
    usable_edges: int
    length_m: float
    cut_off: list[CutOff]
    border_ends: list[Spot]
    gaps: list[Gap]
    houses: int
    far_houses: list[tuple[Spot, float | None]]
    rules: ReportRules
    turns: TurnCounts = field(default_factory=TurnCounts)

    def as_dict(self) -> dict[str, Any]:
        """
        Give the report as JSON takes it.

        Returns
        -------
        dict
            By the names of the attributes.
        """
        answer = asdict(self)
        answer["far_houses"] = [
            {**asdict(spot), "off_road_m": metres} for spot, metres in self.far_houses
        ]
        return answer


def find_faults(
    profiled: ProfileNetwork,
    border: shapely.Geometry | None,
    water: shapely.Geometry | None,
    house_lon: FloatArray,
    house_lat: FloatArray,
    rules: ReportRules,
) -> NetworkReport:
    """Look for faults; the same for the same input."""
    network = profiled.network
    usable = np.isfinite(profiled.minutes_along) | np.isfinite(profiled.minutes_against)
    to_xy, _ = geodesy.local_metres(
        round(float(np.median(network.lon)), 2) if network.node_count else 0.0,
        round(float(np.median(network.lat)), 2) if network.node_count else 0.0,
    )
    xy = np.column_stack(to_xy(network.lon, network.lat))
    ends = _find_dead_ends(profiled, usable)
    far = _find_far_houses(profiled, house_lon, house_lat, rules.far_house_m)
    return NetworkReport(
        nodes=network.node_count,
        edges=network.edge_count,
        usable_edges=int(usable.sum()),
        length_m=float(network.length_m[usable].sum()),
        cut_off=_find_cut_off(profiled, usable),
        border_ends=_find_border_ends(profiled, ends, xy, border, to_xy, rules.border_m),
        gaps=_find_gaps(profiled, usable, ends, xy, water, rules.gap_m),
        houses=len(house_lon),
        far_houses=far,
        rules=rules,
    )


def _node_spot(profiled: ProfileNetwork, node: int) -> Spot:
    network = profiled.network
    return Spot(round(float(network.lon[node]), 7), round(float(network.lat[node]), 7))


def _find_cut_off(profiled: ProfileNetwork, usable: BoolArray) -> list[CutOff]:
    if not usable.any():
        return []
    network = profiled.network
    piece = profiled.piece[network.source[usable]]
    names, first, edges = np.unique(piece, return_index=True, return_counts=True)
    metres = profiled.piece_m[names]
    order = np.lexsort((names, -metres))
    begins = network.source[usable][first]
    return [
        CutOff(int(edges[at]), float(metres[at]), _node_spot(profiled, int(begins[at])))
        for at in order[1:]
    ]


def _find_dead_ends(profiled: ProfileNetwork, usable: BoolArray) -> IntArray:
    network = profiled.network
    ends = np.concatenate((network.source[usable], network.target[usable]))
    return np.flatnonzero(np.bincount(ends, minlength=network.node_count) == 1)


def _find_border_ends(
    profiled: ProfileNetwork,
    ends: IntArray,
    xy: FloatArray,
    border: shapely.Geometry | None,
    to_xy: geodesy.Projector,
    border_m: float,
) -> list[Spot]:
    if border is None or len(ends) == 0:
        return []
    line = shapely.boundary(border) if shapely.area(border) > 0 else border
    plane = shapely.transform(
        line, lambda lonlat: np.column_stack(to_xy(lonlat[:, 0], lonlat[:, 1]))
    )
    shapely.prepare(plane)
    near = shapely.dwithin(plane, shapely.points(xy[ends]), border_m)
    return [_node_spot(profiled, int(node)) for node in ends[near]]


def _find_gaps(
    profiled: ProfileNetwork,
    usable: BoolArray,
    ends: IntArray,
    xy: FloatArray,
    water: shapely.Geometry | None,
    gap_m: float,
) -> list[Gap]:
    """Pairs of dead ends that point at each other, near by air and far by road."""
    if len(ends) < 2:
        return []
    network = profiled.network
    pointing = _find_directions(profiled, usable, ends, xy)
    pairs = cKDTree(xy[ends]).query_pairs(gap_m, output_type="ndarray")
    across = xy[ends[pairs[:, 1]]] - xy[ends[pairs[:, 0]]]
    metres = np.hypot(across[:, 0], across[:, 1])
    way = across / np.maximum(metres, 1e-9)[:, None]
    facing = (np.einsum("ij,ij->i", way, pointing[pairs[:, 0]]) >= _FACING) & (
        np.einsum("ij,ij->i", -way, pointing[pairs[:, 1]]) >= _FACING
    )
    chosen = np.flatnonzero(facing & (metres > 0))
    gaps = []
    for pair in chosen[np.lexsort((pairs[chosen, 1], pairs[chosen, 0], metres[chosen]))]:
        a, b = (int(ends[end]) for end in pairs[pair])
        if _is_near_by_road(profiled, usable, a, b, float(metres[pair]) * _DETOUR):
            continue
        line = shapely.LineString(
            [(network.lon[a], network.lat[a]), (network.lon[b], network.lat[b])]
        )
        gaps.append(
            Gap(
                _node_spot(profiled, a),
                _node_spot(profiled, b),
                round(float(metres[pair]), 1),
                water is not None and bool(shapely.intersects(line, water)),
                bool(profiled.piece[a] == profiled.piece[b]),
            )
        )
    return sorted(gaps, key=lambda gap: (not gap.over_water, gap.connected, gap.gap_m))


def _find_directions(
    profiled: ProfileNetwork, usable: BoolArray, ends: IntArray, xy: FloatArray
) -> FloatArray:
    """Where the road would go on at each end: from the other end of its last piece, one long."""
    network = profiled.network
    edges = np.flatnonzero(usable)
    last = np.full(network.node_count, -1, dtype=np.int64)
    last[network.source[edges]] = edges
    last[network.target[edges]] = edges
    to_xy, _ = geodesy.local_metres(
        round(float(np.median(network.lon)), 2), round(float(np.median(network.lat)), 2)
    )
    directions = np.zeros((len(ends), 2))
    for at, node in enumerate(ends):
        edge = int(last[node])
        line = shapely.get_coordinates(network.geometry[edge])
        beside = line[1] if network.source[edge] == node else line[-2]
        x, y = to_xy(beside[0], beside[1])
        step = xy[node] - np.array([float(x), float(y)])
        directions[at] = step / max(float(np.hypot(*step)), 1e-9)
    return directions


def _is_near_by_road(
    profiled: ProfileNetwork, usable: BoolArray, start: int, goal: int, limit_m: float
) -> bool:
    if profiled.piece[start] != profiled.piece[goal]:
        return False
    arcs = _list_arcs_in_metres(profiled, usable)
    _, reached, _ = search_kernels.search_each(
        arcs, np.array([0, 1]), np.array([start]), np.zeros(1), limit_m, BUCKET
    )
    return bool((reached == goal).any())


def _list_arcs_in_metres(profiled: ProfileNetwork, usable: BoolArray) -> search_kernels.Arcs:
    """Both ways along every usable edge, in metres."""
    network = profiled.network
    source, target = network.source[usable], network.target[usable]
    tail = np.concatenate((source, target))
    order = np.argsort(tail, kind="stable")
    indptr = np.concatenate(([0], np.cumsum(np.bincount(tail, minlength=network.node_count))))
    head = np.concatenate((target, source))[order]
    metres = np.tile(network.length_m[usable], 2)[order]
    return search_kernels.Arcs(indptr.astype(np.int32), head.astype(np.int32), metres)


def _find_far_houses(
    profiled: ProfileNetwork, lon: FloatArray, lat: FloatArray, far_m: float
) -> list[tuple[Spot, float | None]]:
    lonlat = np.unique(np.column_stack((lon, lat)), axis=0)
    snapped = Snapper(profiled).snap(lonlat[:, 0], lonlat[:, 1], far_m * 100)
    far = np.flatnonzero(snapped.off_road_m > far_m)
    order = far[np.argsort(-snapped.off_road_m[far], kind="stable")]
    return [
        (
            Spot(round(float(lonlat[house, 0]), 7), round(float(lonlat[house, 1]), 7)),
            round(float(snapped.off_road_m[house]), 1) if snapped.edge[house] >= 0 else None,
        )
        for house in order
    ]
