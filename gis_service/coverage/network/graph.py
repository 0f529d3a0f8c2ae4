"""The road network as arrays, what each profile may use of it, and where a place meets it.

A place snaps to an edge, not to a node. Nothing here reads the store, and no time between places
is computed here: that is :mod:`gis_service.coverage.travel.travel_time`.
"""

from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from shapely.ops import substring

from gis_service import geodesy
from gis_service.coverage.network.snapping import find_nearest_lines, index_lines
from gis_service.coverage.network.turns import TurnRules, Turns, split_junctions
from gis_service.coverage.standards.book import PlaceRules, Profile, Scenario
from gis_service.errors import InputError, Place

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

NO_HOUSE_CLASSES: Final = ("motorway", "ferry")
"""Nobody lives at these; nor on a bridge or in a tunnel."""

TIE_M: Final = 1e-6
"""Edges whose distances differ by less than this are equally near: the same street drawn in both
directions differs in the last bit only."""


@dataclass(frozen=True)
class RoadNetwork:
    """Nodes and edges, sorted by id, so that the lowest index is the lowest id."""

    # Ids of the nodes, rising.
    node_id: IntArray
    # Degrees, CGCS2000.
    lon: FloatArray
    lat: FloatArray
    # Ids of the edges, rising.
    edge_id: IntArray
    # Index (not id) of the node where the line begins and where it ends.
    source: IntArray
    target: IntArray
    # One of ``tables.ROAD_CLASSES``.
    road_class: npt.NDArray[np.str_]
    # 0 both ways, 1 along the line, -1 against it.
    oneway: IntArray
    # What the edge is, and who is let onto it.
    bridge: BoolArray
    tunnel: BoolArray
    dual_carriageway: BoolArray
    foot: BoolArray
    motor: BoolArray
    # NaN where none is known.
    maxspeed_kmh: FloatArray
    # Geodesic metres.
    length_m: FloatArray
    # LineStrings in lon, lat.
    geometry: npt.NDArray[np.object_]
    # The turn restrictions, by ids of edges and nodes.
    turns: TurnRules = field(default_factory=TurnRules.none)

    @property
    def node_count(self) -> int:
        """How many nodes."""
        return len(self.node_id)

    @property
    def edge_count(self) -> int:
        """How many edges."""
        return len(self.edge_id)

    @classmethod
    def from_frames(
        cls, nodes: pd.DataFrame, edges: pd.DataFrame, turns: pd.DataFrame | None = None
    ) -> Self:
        """Build a network from the tables of ``ingest.frames``."""
        nodes = nodes.sort_values("node_id")
        edges = edges.sort_values("edge_id")
        node_id = nodes["node_id"].to_numpy(np.int64)
        geometry = edges["geometry"].to_numpy(object)
        length_m = (
            edges["length_m"].to_numpy(float)
            if "length_m" in edges
            else geodesy.length_m(geometry)
            if len(edges)
            else np.zeros(0)
        )
        flags = {
            name: edges[name].to_numpy(bool)
            for name in ("bridge", "tunnel", "dual_carriageway", "foot", "motor")
        }
        return cls(
            node_id=node_id,
            lon=nodes["lon"].to_numpy(float),
            lat=nodes["lat"].to_numpy(float),
            edge_id=edges["edge_id"].to_numpy(np.int64),
            source=_find_node_index(
                node_id, edges["source_node"].to_numpy(np.int64), "source_node"
            ),
            target=_find_node_index(
                node_id, edges["target_node"].to_numpy(np.int64), "target_node"
            ),
            road_class=edges["road_class"].to_numpy(dtype=np.str_),
            oneway=edges["oneway"].to_numpy(np.int64),
            maxspeed_kmh=pd.to_numeric(edges["maxspeed_kmh"]).to_numpy(float, na_value=np.nan),
            length_m=length_m,
            geometry=geometry,
            turns=TurnRules.none() if turns is None else TurnRules.from_frame(turns),
            **flags,
        )


def _find_node_index(node_id: IntArray, wanted: IntArray, field: str) -> IntArray:
    index = np.searchsorted(node_id, wanted).clip(0, max(len(node_id) - 1, 0))
    missing = (node_id[index] != wanted) if len(node_id) else np.ones(len(wanted), bool)
    if missing.any():
        row = int(np.flatnonzero(missing)[0])
        raise InputError(
            "coverage.edge_without_node", place=Place(field=field), node=int(wanted[row])
        )
    return index.astype(np.int64)


@dataclass(frozen=True)
class ProfileNetwork:
    """What one profile may use of a network, in one scenario."""

    # The roads.
    network: RoadNetwork
    # For the whole edge from source to target and back; inf where the profile may not.
    minutes_along: FloatArray
    minutes_against: FloatArray
    # Whether a house or a facility may meet the edge.
    snappable: BoolArray
    # By node, the piece of usable network it belongs to.
    piece: IntArray
    # Metres of usable road in each piece.
    piece_m: FloatArray
    # The junctions that are split because of a turn restriction; None where none is kept.
    turns: Turns | None = None

    @property
    def leaving_source(self) -> IntArray:
        """By edge, the node of the graph from which it is entered at its source."""
        return self.network.source if self.turns is None else self.turns.leaving_source

    @property
    def leaving_target(self) -> IntArray:
        """By edge, the node of the graph from which it is entered at its target."""
        return self.network.target if self.turns is None else self.turns.leaving_target

    @property
    def arriving_source(self) -> IntArray:
        """By edge, the node of the graph that it leads to at its source."""
        return self.network.source if self.turns is None else self.turns.arriving_source

    @property
    def arriving_target(self) -> IntArray:
        """By edge, the node of the graph that it leads to at its target."""
        return self.network.target if self.turns is None else self.turns.arriving_target

    def reversed(self) -> "ProfileNetwork":
        """Turn every direction of travel round, to run from the goal to the start."""
        return ProfileNetwork(
            self.network,
            self.minutes_against,
            self.minutes_along,
            self.snappable,
            self.piece,
            self.piece_m,
            None if self.turns is None else self.turns.reversed(),
        )


def apply_profile(
    network: RoadNetwork, profile: Profile, scenario: Scenario, rules: PlaceRules
) -> ProfileNetwork:
    """Say what a profile may use, how long each edge takes, and what a house may meet."""
    # Pieces are weak: an edge joins its ends whichever way it may be used. A one-way street that
    # leaves the county is thus no piece of its own; a house on it is then ``unreachable``, which is
    # true, while a few metres of road drawn apart from all others are a fault of the data that a
    # house should not snap to.
    names, which = np.unique(network.road_class, return_inverse=True)
    by_class = [
        profile.speed_kmh[name].value if name in profile.speed_kmh else 0.0 for name in names
    ]
    speed_kmh = np.asarray(by_class, dtype=float)[which] if len(names) else np.zeros(0)
    if profile.obeys_maxspeed.value:
        speed_kmh = np.fmin(speed_kmh, network.maxspeed_kmh)
    speed_kmh = speed_kmh * scenario.factor(profile.means)
    let_in = {
        "foot": network.foot,
        "cycle": network.foot | network.motor,
        "motor": network.motor,
    }
    usable = (speed_kmh > 0) & let_in[profile.means]

    bound = np.full(network.edge_count, profile.obeys_oneway.value)
    if scenario.ignores_oneway.value:
        bound &= network.dual_carriageway | (network.road_class == "motorway")
    minutes = np.full(network.edge_count, np.inf)
    minutes[usable] = network.length_m[usable] * 0.06 / speed_kmh[usable]
    along = np.where(bound & (network.oneway == -1), np.inf, minutes)
    against = np.where(bound & (network.oneway == 1), np.inf, minutes)

    piece, piece_m = _find_pieces(network, usable)
    on_piece = piece_m[piece[network.source]] if network.edge_count else np.zeros(0)
    snappable = (
        usable
        & ~np.isin(network.road_class, NO_HOUSE_CLASSES)
        & ~network.bridge
        & ~network.tunnel
        & (on_piece >= rules.smallest_piece_m.value)
    )
    are_turns_kept = (
        profile.means != "foot" and profile.obeys_turns.value and not scenario.ignores_turns.value
    )
    turns = (
        split_junctions(network, network.turns, np.isfinite(along) | np.isfinite(against))
        if are_turns_kept
        else None
    )
    return ProfileNetwork(network, along, against, snappable, piece, piece_m, turns)


def _find_pieces(network: RoadNetwork, usable: BoolArray) -> tuple[IntArray, FloatArray]:
    if network.node_count == 0:
        return np.zeros(0, np.int64), np.zeros(0)
    source, target = network.source[usable], network.target[usable]
    size = network.node_count
    links = coo_array((np.ones(len(source)), (source, target)), shape=(size, size))
    count, piece = connected_components(links.tocsr(), directed=False)
    piece_m = np.bincount(piece[source], weights=network.length_m[usable], minlength=count)
    return piece.astype(np.int64), piece_m.astype(np.float64)


@dataclass(frozen=True)
class Snapped:
    """
    Where places meet the network.

    Attributes
    ----------
    edge
        Index of the edge, -1 for a place that is off the network.
    fraction
        How far along it from its source, 0 to 1; 0 for a place that is off the network.
    off_road_m
        Metres between the place and the edge; inf for a place that is off the network.
    """

    edge: IntArray
    fraction: FloatArray
    off_road_m: FloatArray

    def __len__(self) -> int:
        """How many places."""
        return len(self.edge)

    def take(self, index: IntArray | BoolArray) -> "Snapped":
        """
        Pick some of the places.

        Parameters
        ----------
        index
            Positions or a mask.

        Returns
        -------
        Snapped
            Of these only.
        """
        return Snapped(self.edge[index], self.fraction[index], self.off_road_m[index])


class Snapper:
    """The edges of a profile that a house may meet, ready to be asked again and again."""

    def __init__(self, profiled: ProfileNetwork) -> None:
        self.profiled = profiled
        self._edges = np.flatnonzero(profiled.snappable)
        network = profiled.network
        if len(self._edges) == 0:
            return
        self._to_xy, self._to_lonlat = geodesy.local_metres(
            round(float(np.median(network.lon)), 2), round(float(np.median(network.lat)), 2)
        )
        lines = network.geometry[self._edges]
        x, y = self._to_xy(*shapely.get_coordinates(lines).T)
        self._index = index_lines(x, y, shapely.get_num_coordinates(lines).astype(np.int64))

    def _in_plane(self, lines: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
        moved = shapely.transform(
            lines,
            lambda lonlat: np.column_stack(self._to_xy(lonlat[:, 0], lonlat[:, 1])),
        )
        return np.asarray(moved, dtype=object)

    def snap(self, lon: FloatArray, lat: FloatArray, cap_m: float) -> Snapped:
        """
        Find for each place the nearest edge that a house or facility may meet.

        Distances are taken on a local metric plane around the network. Of edges equally near
        (within :data:`TIE_M`) the lowest edge id wins; a place farther than the cap from all of
        them is off the network.

        Parameters
        ----------
        lon, lat
            Of the places, degrees.
        cap_m
            The longest way off the road, metres.

        Returns
        -------
        Snapped
            One entry a place, in the order given.
        """
        edges = self._edges
        if len(edges) == 0 or len(lon) == 0:
            nowhere = np.full(len(lon), -1, dtype=np.int64)
            return Snapped(nowhere, np.zeros(len(lon)), np.full(len(lon), np.inf))
        x, y = self._to_xy(lon, lat)
        nearest, off_road_m, fraction = find_nearest_lines(self._index, x, y, cap_m, TIE_M)
        edge = np.where(nearest >= 0, edges[nearest], -1)
        return Snapped(edge, fraction.clip(0.0, 1.0), off_road_m)

    def cut_part(self, edge: int, start: float, end: float) -> FloatArray:
        """Cut a piece out of an edge."""
        line = self.profiled.network.geometry[edge]
        plane = self._in_plane(np.array([line], dtype=object))[0]
        piece = shapely.get_coordinates(substring(plane, start, end, normalized=True))
        return np.column_stack(self._to_lonlat(piece[:, 0], piece[:, 1]))
