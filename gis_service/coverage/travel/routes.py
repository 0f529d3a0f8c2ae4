"""Ways to one place: minutes from many sites, and the way itself along the roads.

One search from the place on the network turned round gives the times; it goes no farther than the
sites that are asked for. The same rules as a coverage run: places on edges, one-way streets, ways
off the road, turnout.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely

from gis_service.coverage.network.graph import (
    FloatArray,
    IntArray,
    ProfileNetwork,
    Snapped,
    Snapper,
)
from gis_service.coverage.standards.book import PlaceRules
from gis_service.coverage.travel import route_kernels, search_kernels
from gis_service.coverage.travel.travel_time import BUCKET, Graph, build_graph, part_of_minutes

_DIRECT: Final = 0
_BY_SOURCE: Final = 1
_BY_TARGET: Final = 2


@dataclass(frozen=True)
class Leg:
    """A stretch along one edge, from one fraction of it to another."""

    edge: int
    start: float
    end: float


class Search:
    """A search from some nodes that stops at what is asked, and goes on when more is."""

    def __init__(self, graph: Graph, starts: dict[int, float], buckets: tuple[float, int]) -> None:
        self._graph = graph
        self._width, count = buckets
        self.at_node = np.full(graph.node_count, np.inf)
        self._before = np.full(graph.node_count, -1, dtype=np.int32)
        self._bucket = np.full(count, -1, dtype=np.int32)
        self._link = np.full((graph.node_count, 2), -2, dtype=np.int32)
        self._standing = np.zeros(2, dtype=np.int64)
        route_kernels.begin_search(
            np.array(list(starts), dtype=np.int64),
            np.array(list(starts.values()), dtype=float),
            self._width,
            self.at_node,
            self._bucket,
            self._link,
            self._standing,
        )

    def find_minutes_at(self, nodes: IntArray) -> FloatArray:
        """Search until the minutes of some nodes are known."""
        route_kernels.continue_search(
            self._graph.indptr,
            self._graph.head,
            self._graph.minutes,
            nodes.astype(np.int64),
            self._width,
            self.at_node,
            self._before,
            self._bucket,
            self._link,
            self._standing,
        )
        return self.at_node[nodes]

    def find_way_back(self, node: int) -> list[int]:
        """Go from a node to the start that it is reached from."""
        nodes = [node]
        while self._before[nodes[-1]] >= 0:
            nodes.append(int(self._before[nodes[-1]]))
        return nodes


@dataclass(frozen=True)
class Ways:
    """
    Ways from everywhere to one place; for one user at a time.

    Attributes
    ----------
    place
        Where it meets the network.
    search
        From there against the way of travel.
    """

    place: Snapped
    search: Search


class Router:
    """
    A network as one profile sees it, ready for ways to any place.

    Parameters
    ----------
    profiled
        The network.
    rules
        How places meet the road.
    """

    def __init__(self, profiled: ProfileNetwork, rules: PlaceRules) -> None:
        self.profiled = profiled
        self.rules = rules
        self._snapper = Snapper(profiled)
        self._turned = build_graph(profiled.reversed())
        self._snapped: dict[tuple[float, float], tuple[int, float, float]] = {}

    def snap(self, lon: FloatArray, lat: FloatArray) -> Snapped:
        """
        Find where places meet the network; what was asked once is remembered.

        Parameters
        ----------
        lon, lat
            Degrees.

        Returns
        -------
        Snapped
            In the order given.
        """
        places = list(zip(np.asarray(lon).tolist(), np.asarray(lat).tolist(), strict=True))
        new = [place for place in dict.fromkeys(places) if place not in self._snapped]
        if new:
            xy = np.array(new)
            snapped = self._snapper.snap(xy[:, 0], xy[:, 1], self.rules.snap_cap_m.value)
            self._snapped |= {
                place: (
                    int(snapped.edge[i]),
                    float(snapped.fraction[i]),
                    float(snapped.off_road_m[i]),
                )
                for i, place in enumerate(new)
            }
        known = [self._snapped[place] for place in places]
        return Snapped(
            np.array([edge for edge, _, _ in known], dtype=np.int64),
            np.array([fraction for _, fraction, _ in known], dtype=float),
            np.array([off_road_m for _, _, off_road_m in known], dtype=float),
        )

    def find_ways_to(self, lon: float, lat: float) -> Ways:
        """
        Set out from a place against the way of travel.

        Parameters
        ----------
        lon, lat
            Degrees.

        Returns
        -------
        Ways
            Without any where the place is off the network.
        """
        cap_m = self.rules.snap_cap_m.value
        return self.find_ways_at(self._snapper.snap(np.array([lon]), np.array([lat]), cap_m))

    def find_ways_at(self, place: Snapped) -> Ways:
        """Set out from where a place meets the network."""
        return Ways(place, Search(self._turned, self._find_find_last_nodes(place), self._buckets))

    def _find_find_last_nodes(self, place: Snapped) -> dict[int, float]:
        """Tell from which nodes the last stretch may be driven, and its minutes."""
        edge, fraction = int(place.edge[0]), float(place.fraction[0])
        if edge < 0:
            return {}
        profiled = self.profiled
        source, target = int(profiled.leaving_source[edge]), int(profiled.leaving_target[edge])
        last = {source: _part_of_edge(fraction, profiled.minutes_along[edge])}
        by_target = _part_of_edge(1.0 - fraction, profiled.minutes_against[edge])
        last[target] = min(by_target, last.get(target, np.inf))
        return {node: minutes for node, minutes in last.items() if np.isfinite(minutes)}

    @cached_property
    def _buckets(self) -> tuple[float, int]:
        """Width and number of the buckets of a search that may begin on any edge."""
        both = np.concatenate((self.profiled.minutes_along, self.profiled.minutes_against))
        last = np.array([0.0, both[np.isfinite(both)].max(initial=0.0)])
        return search_kernels.choose_bucket_width(self._turned.minutes, last, BUCKET)

    def measure_minutes(
        self, ways: Ways, sites: Snapped, turnout_minutes: npt.ArrayLike = 0.0
    ) -> FloatArray:
        """
        Tell how long it takes from each site to the place.

        Parameters
        ----------
        ways
            Of the place.
        sites
            Where they meet the network.
        turnout_minutes
            For each site or for all: before it moves.

        Returns
        -------
        array of float
            Turnout, both ways off the road and the roads between; inf where none arrives.
        """
        per_m = self.rules.off_road_minutes_per_m
        roads = self._measure_measure_along_roads(ways, sites).min(axis=0)
        off_road_m = np.where(sites.edge >= 0, sites.off_road_m, 0.0)
        place_m = float(ways.place.off_road_m[0]) if ways.place.edge[0] >= 0 else 0.0
        turnout = np.asarray(turnout_minutes, dtype=float)
        return np.asarray(turnout + off_road_m * per_m + roads + place_m * per_m)

    def _measure_measure_along_roads(self, ways: Ways, sites: Snapped) -> FloatArray:
        """Minutes on the road: directly along the shared edge, by the source, by the target."""
        profiled, minutes = self.profiled, np.full((3, len(sites)), np.inf)
        if ways.place.edge[0] < 0:
            return minutes
        known = np.flatnonzero(sites.edge >= 0)
        edge, fraction = sites.edge[known], sites.fraction[known]
        along, against = self.profiled.minutes_along[edge], self.profiled.minutes_against[edge]
        ahead = float(ways.place.fraction[0]) - fraction
        direct = np.where(ahead >= 0, part_of_minutes(ahead, along), np.inf)
        direct = np.minimum(direct, np.where(ahead <= 0, part_of_minutes(-ahead, against), np.inf))
        minutes[_DIRECT, known] = np.where(edge == ways.place.edge[0], direct, np.inf)
        piece, source = profiled.piece, profiled.network.source
        joined = piece[source[edge]] == piece[source[ways.place.edge[0]]]
        for by, part, ends in (
            (_BY_SOURCE, part_of_minutes(fraction, against), profiled.arriving_source),
            (_BY_TARGET, part_of_minutes(1.0 - fraction, along), profiled.arriving_target),
        ):
            open_sites = np.flatnonzero(joined & np.isfinite(part))
            minutes[by, known[open_sites]] = part[open_sites] + ways.search.find_minutes_at(
                ends[edge[open_sites]]
            )
        return minutes

    def find_way(self, ways: Ways, sites: Snapped, index: int) -> list[Leg]:
        """
        Follow the quickest way of one site.

        Parameters
        ----------
        ways
            Of the place.
        sites
            Where they meet the network.
        index
            Which of them; one that arrives.

        Returns
        -------
        list of Leg
            From the site to the place; together they take the minutes on the road.

        Raises
        ------
        ValueError
            No way leads from there.
        """
        choice = self._measure_measure_along_roads(ways, sites.take(np.array([index])))[:, 0]
        if not np.isfinite(choice.min()):
            raise ValueError("no way leads from this site")
        edge, fraction = int(sites.edge[index]), float(sites.fraction[index])
        goal, end = int(ways.place.edge[0]), float(ways.place.fraction[0])
        by = int(choice.argmin())
        if by == _DIRECT:
            return [Leg(edge, fraction, end)]
        profiled = self.profiled
        ends = profiled.arriving_source if by == _BY_SOURCE else profiled.arriving_target
        nodes = ways.search.find_way_back(int(ends[edge]))
        legs = [Leg(edge, fraction, 0.0 if by == _BY_SOURCE else 1.0)]
        legs += self._list_list_whole_legs(np.asarray(nodes, dtype=np.int64))
        node = nodes[-1]
        along = _part_of_edge(end, self.profiled.minutes_along[goal])
        against = _part_of_edge(1.0 - end, self.profiled.minutes_against[goal])
        at_source = profiled.leaving_source[goal] == node
        at_target = profiled.leaving_target[goal] == node
        from_source = at_source and (not at_target or along <= against)
        return [*legs, Leg(goal, 0.0 if from_source else 1.0, end)]

    def _list_list_whole_legs(self, nodes: IntArray) -> list[Leg]:
        """Go from node to node; a turn at a split junction is no leg."""
        keys = nodes[:-1] * self._turned.node_count + nodes[1:]
        edge, is_along = self._quickest
        at = np.searchsorted(self._keys, keys).clip(max=len(self._keys) - 1)
        at = at[self._keys[at] == keys]
        ways = zip(edge[at].tolist(), is_along[at].tolist(), strict=True)
        return [Leg(way, 0.0, 1.0) if along else Leg(way, 1.0, 0.0) for way, along in ways]

    @cached_property
    def _sorted_arcs(self) -> tuple[IntArray, IntArray, npt.NDArray[np.bool_]]:
        """Arcs by both nodes, of parallel ones the quickest first, then the lowest edge."""
        profiled = self.profiled
        count = profiled.network.edge_count
        tail = np.concatenate((profiled.leaving_source, profiled.leaving_target))
        head = np.concatenate((profiled.arriving_target, profiled.arriving_source))
        minutes = np.concatenate((self.profiled.minutes_along, self.profiled.minutes_against))
        edge = np.tile(np.arange(count, dtype=np.int64), 2)
        is_along = np.arange(2 * count) < count
        kept = np.flatnonzero(np.isfinite(minutes))
        keys = tail[kept] * self._turned.node_count + head[kept]
        order = np.lexsort((edge[kept], minutes[kept], keys))
        return keys[order], edge[kept][order], is_along[kept][order]

    @property
    def _keys(self) -> IntArray:
        return self._sorted_arcs[0]

    @property
    def _quickest(self) -> tuple[IntArray, npt.NDArray[np.bool_]]:
        return self._sorted_arcs[1:]

    def measure_length_m(self, legs: list[Leg]) -> float:
        """
        Measure a way along the roads.

        Parameters
        ----------
        legs
            Of the way.

        Returns
        -------
        float
            Geodesic metres.
        """
        lengths = self.profiled.network.length_m
        return float(sum(lengths[leg.edge] * abs(leg.end - leg.start) for leg in legs))

    def draw_line(self, legs: list[Leg]) -> FloatArray:
        """
        Draw a way.

        Parameters
        ----------
        legs
            Of the way.

        Returns
        -------
        array of float
            Vertices x (lon, lat) along the roads, none twice in a row.
        """
        geometry = self.profiled.network.geometry
        vertices, which = shapely.get_coordinates(
            geometry[[leg.edge for leg in legs]], return_index=True
        )
        parts = np.split(vertices, np.flatnonzero(np.diff(which)) + 1)
        for number, leg in enumerate(legs):
            if leg.start == 1.0 and leg.end == 0.0:
                parts[number] = parts[number][::-1]
            elif leg.start != 0.0 or leg.end != 1.0:
                parts[number] = self._snapper.cut_part(leg.edge, leg.start, leg.end)
        xy = np.vstack(parts)
        fresh = np.ones(len(xy), dtype=bool)
        fresh[1:] = np.abs(np.diff(xy, axis=0)).max(axis=1) > 1e-10
        return xy[fresh]


def _part_of_edge(fraction: float, minutes: float) -> float:
    """Take a part of an edge; a closed one stays closed, also for none of it."""
    return fraction * minutes if np.isfinite(minutes) else np.inf
