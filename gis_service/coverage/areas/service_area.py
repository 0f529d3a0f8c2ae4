"""Service areas to look at: bands of minutes that follow the streets, and station districts.

An area is drawn from the same times that a household gets: every point of the ground belongs to
the street nearest to it, and is reached when that street is reached plus the walk off it. For
drawing only: nothing is counted inside these polygons, and nothing here reads the store.
"""

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, cast

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from scipy.spatial import Delaunay

from gis_service import geodesy
from gis_service.coverage.areas import kernels as area_kernels
from gis_service.coverage.network.graph import FloatArray, IntArray, ProfileNetwork, Snapped
from gis_service.coverage.standards.book import Direction, PlaceRules
from gis_service.coverage.travel import search_kernels
from gis_service.coverage.travel.travel_time import BUCKET, Graph, build_graph, reach_each

SPACING_M: Final = 20.0
"""Between the points by which a street is judged; half of it, walked, is the larger part of the
tolerance."""

SAGITTA_M: Final = 1.0
"""How far a chord of the drawing may be from its arc."""

LEAST_OF_SPACING: Final = 0.6
"""Half the width of the narrowest strip along a street, in spacings: the circles around its points
meet, and the end of a band is no string of beads."""

SMALLEST_M2: Final = 1.0
"""What is smaller is a rounding error, not a piece."""

ROOM_FOR_VERTICES: Final = 1 << 16
ROOM_FOR_PIECES: Final = 1 << 14
"""At first, in each thread that draws; twice as much where that is not enough."""

_KEPT: Final = (
    "edge",
    "fraction",
    "x",
    "y",
    "_all_x",
    "_all_y",
    "_start",
    "_corner",
    "_neighbour",
    "_corner_x",
    "_corner_y",
    "_corner_d",
    "_size",
)

_Singles = npt.NDArray[np.float32]
_Small = npt.NDArray[np.int8]

NOBODY: Final = -1
"""The owner of ground that no station reaches."""


@dataclass(frozen=True)
class Band:
    """Ground that is reached after more than ``from_minutes`` and within ``to_minutes``."""

    # Index of the station; None for all of them together.
    station: int | None
    from_minutes: float
    to_minutes: float
    # MultiPolygon, lon, lat; empty where there is no such ground.
    geometry: shapely.MultiPolygon


class StreetCells:
    """The ground around the streets, divided by the nearest point of them."""

    # Made once for a network and a profile; which stations there are does not matter.

    def __init__(
        self,
        profiled: ProfileNetwork,
        rules: PlaceRules,
        spacing_m: float = SPACING_M,
        sagitta_m: float = SAGITTA_M,
        kept: Mapping[str, npt.NDArray[Any]] | None = None,
    ) -> None:
        self.profiled = profiled
        self.rules = rules
        self.spacing_m = spacing_m
        self.sagitta_m = sagitta_m
        self._lent = threading.local()
        network = profiled.network
        self._to_xy, self._to_lonlat = geodesy.local_metres(
            round(float(np.median(network.lon)), 2) if network.node_count else 0.0,
            round(float(np.median(network.lat)), 2) if network.node_count else 0.0,
        )
        if kept is None:
            self._place()
            self._divide()
        else:
            for name in _KEPT:
                setattr(self, name, kept[name])
        begins = np.flatnonzero(np.diff(self.edge, prepend=-1))
        self._street = self.edge[begins]
        ends = np.append(begins, len(self.edge))
        self._bounds = np.column_stack((ends[:-1], ends[1:]))
        self._number = np.full(network.edge_count, -1)
        self._number[self._street] = np.arange(len(begins))
        self._most_corners = int(np.diff(self._start).max(initial=0))
        self._ways_of: dict[bool, _Ways] = {}
        self._ridge = area_kernels.ridges(
            self._all_x,
            self._all_y,
            self._start,
            self._corner,
            self._neighbour,
            self._corner_d,
        )

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Give what took time to make, to be kept."""
        return {name: getattr(self, name) for name in _KEPT}

    def _place(self) -> None:
        """Put points onto the streets."""
        network, spacing_m = self.profiled.network, self.spacing_m
        doors = np.flatnonzero(self.profiled.door)
        lines = shapely.transform(network.geometry[doors], self._xy)
        points_on = np.maximum(np.ceil(shapely.length(lines) / spacing_m), 1).astype(np.int64)
        which = np.repeat(np.arange(len(doors)), points_on)
        nth = np.arange(len(which)) - np.repeat(np.cumsum(points_on) - points_on, points_on)
        fraction = (nth + 0.5) / points_on[which]
        points = shapely.line_interpolate_point(lines[which], fraction, normalized=True)
        xy = shapely.get_coordinates(points)
        # The same street drawn in both directions: the lowest edge id keeps the point.
        _, first = np.unique(np.round(xy, 6), axis=0, return_index=True)
        first = _order_along_curve(xy, which, np.sort(first))
        self.edge: IntArray = doors[which[first]].astype(np.int64)
        self.fraction: FloatArray = fraction[first]
        self.x, self.y = xy[first, 0].copy(), xy[first, 1].copy()

    def _xy(self, lonlat: FloatArray) -> FloatArray:
        return np.column_stack(self._to_xy(lonlat[:, 0], lonlat[:, 1]))

    def __len__(self) -> int:
        """How many points of streets."""
        return len(self.edge)

    def _divide(self) -> None:
        """Make the cells; a far ring of points that nothing reaches closes the outermost ones."""
        x, y = self.x, self.y
        count = len(x)
        if count:
            middle_x, middle_y = (x.min() + x.max()) / 2, (y.min() + y.max()) / 2
            far_m = 4 * max(float(np.ptp(x)), float(np.ptp(y)), 10_000.0)
        else:
            middle_x = middle_y = 0.0
            far_m = 1.0
        angle = np.arange(16) * (2 * np.pi / 16) + 0.1
        self._all_x = np.concatenate((x, middle_x + far_m * np.cos(angle)))
        self._all_y = np.concatenate((y, middle_y + far_m * np.sin(angle)))
        mesh = Delaunay(np.column_stack((self._all_x - middle_x, self._all_y - middle_y)))
        triangles = np.ascontiguousarray(mesh.simplices, dtype=np.int32)
        self._start, self._corner, self._neighbour = area_kernels.cell_loops(
            triangles, np.ascontiguousarray(mesh.neighbors, dtype=np.int32), len(self._all_x)
        )
        # Corners in the order of the walk, so that those of a cell lie together in memory.
        _, first, which = np.unique(self._corner, return_index=True, return_inverse=True)
        walk = np.argsort(first)
        number = np.empty(len(walk), dtype=np.int32)
        number[walk] = np.arange(len(walk), dtype=np.int32)
        used = self._corner[np.sort(first)]
        self._corner = number[which]
        a, b, c = triangles[used].T
        ax, ay = self._all_x[a], self._all_y[a]
        bx, by = self._all_x[b] - ax, self._all_y[b] - ay
        cx, cy = self._all_x[c] - ax, self._all_y[c] - ay
        twice = 2 * (bx * cy - by * cx)
        b_m2, c_m2 = bx * bx + by * by, cx * cx + cy * cy
        with np.errstate(divide="ignore", invalid="ignore"):
            ux = (cy * b_m2 - by * c_m2) / twice
            uy = (bx * c_m2 - cx * b_m2) / twice
        flat = ~(np.isfinite(ux) & np.isfinite(uy))
        ux[flat], uy[flat] = far_m, far_m
        self._corner_x, self._corner_y = ax + ux, ay + uy
        self._corner_d = np.hypot(ux, uy)
        self._size = np.zeros(len(self._all_x))
        point = np.repeat(np.arange(len(self._all_x)), np.diff(self._start))
        np.maximum.at(self._size, point, self._corner_d[self._corner])

    @property
    def tolerance_minutes(self) -> float:
        """How far a border may be from where the time is the limit."""
        # Half the spacing along the slowest street; half of it, a chord's height, and what the
        # narrowest strip along a street is too wide or was left out, walked.
        profiled = self.profiled
        length_m = profiled.network.length_m
        minutes = np.fmax(
            np.where(np.isfinite(profiled.minutes_along), profiled.minutes_along, 0.0),
            np.where(np.isfinite(profiled.minutes_against), profiled.minutes_against, 0.0),
        )
        slowest = float((minutes / length_m)[profiled.door].max()) if len(self) else 0.0
        walked = self.rules.off_road_minutes_per_m
        half_m = self.spacing_m / 2
        widened_m = LEAST_OF_SPACING * self.spacing_m / 2
        return half_m * slowest + (half_m + self.sagitta_m + widened_m) * walked

    def minutes(self, reach: "Reach") -> FloatArray:
        """
        Tell when each point of the streets is reached.

        Parameters
        ----------
        reach
            Of some stations.

        Returns
        -------
        array of float
            Minutes on the road, turnout and the way out of the station's gate counted; inf where
            none arrives.
        """
        minutes = np.full(len(self), np.inf)
        self._reached(reach, np.inf, minutes)
        return minutes

    def _reached(self, reach: "Reach", limit: float, minutes: FloatArray) -> IntArray:
        """Name the points that are reached within a limit, and fill in when."""
        ways = self._ways(reach.profiled)
        held = self._held()
        street = np.array([self._number[edge] for _, edge, _, _ in reach.gates], dtype=np.int64)
        fraction, begins = (
            np.array([gate[at] for gate in reach.gates], dtype=float) for at in (2, 3)
        )
        known = street >= 0
        count = area_kernels.reached_points(
            reach.node,
            reach.minutes,
            ways.first,
            ways.way,
            self._bounds,
            ways.ends,
            ways.times,
            self.fraction,
            street[known],
            fraction[known],
            begins[known],
            limit,
            held.at_node(reach.node_count),
            held.mark,
            minutes,
            held.points,
        )
        return held.points[:count]

    def _ways(self, profiled: ProfileNetwork) -> "_Ways":
        """Say which streets are entered from each node, in the direction of a run."""
        ahead = profiled.minutes_along is self.profiled.minutes_along
        if not ahead and profiled.minutes_along is not self.profiled.minutes_against:
            return _ways(profiled, self._street)  # the same streets at another speed
        if ahead not in self._ways_of:
            self._ways_of[ahead] = _ways(profiled, self._street)
        return self._ways_of[ahead]

    def _held(self) -> "_ThreadBuffers":
        """Lend the thread its own arrays; who fills them puts back what was there."""
        lent = cast("dict[str, _ThreadBuffers]", self._lent.__dict__)
        if "held" not in lent:
            lent["held"] = _ThreadBuffers(len(self._all_x), len(self._street))
        return lent["held"]

    def owner(self, reach: "Reach") -> IntArray:
        """
        Tell which station serves each point of the streets.

        Parameters
        ----------
        reach
            Of all stations together.

        Returns
        -------
        array of int
            Index of the station, :data:`NOBODY` where none arrives.
        """
        profiled = reach.profiled
        source, target = profiled.leaving_source[self.edge], profiled.leaving_target[self.edge]
        ahead = reach.at_node[source] + _part_minutes(
            self.fraction, profiled.minutes_along[self.edge]
        )
        back = reach.at_node[target] + _part_minutes(
            1.0 - self.fraction, profiled.minutes_against[self.edge]
        )
        best = np.minimum(ahead, back)
        by = np.where(ahead <= back, reach.server[source], reach.server[target])
        for station, edge, fraction, begins in reach.gates:  # along a station's own street
            if self._number[edge] < 0:
                continue
            own = slice(*self._bounds[self._number[edge]])
            off = self.fraction[own] - fraction
            along = _part_minutes(off.clip(0.0), profiled.minutes_along[edge])
            against = _part_minutes((-off).clip(0.0), profiled.minutes_against[edge])
            direct = begins + np.where(off >= 0, along, against)
            better = direct < best[own]
            best[own][better] = direct[better]
            by[own][better] = station
        return np.where(np.isfinite(best), by, NOBODY)

    def area(self, minutes: FloatArray, above: float | None, limit: float) -> shapely.MultiPolygon:
        """
        Draw the ground that is reached within a limit and not within a lower one.

        Parameters
        ----------
        minutes
            By point of the streets.
        above
            The lower limit; None for everything up to the limit.
        limit
            Minutes; exactly the limit is in.

        Returns
        -------
        MultiPolygon
            In the plane of :meth:`to_lonlat`, metres; pieces and holes as they are.
        """
        limits = [limit] if above is None else [above, limit]
        return self.areas(minutes, limits)[-1]

    def areas(self, minutes: FloatArray, limits: Sequence[float]) -> list[shapely.MultiPolygon]:
        """
        Draw the ground of each band between limits.

        Parameters
        ----------
        minutes
            By point of the streets.
        limits
            Minutes, rising: from the start to the first, from the first to the second ….

        Returns
        -------
        list of MultiPolygon
            As :meth:`area` draws them.
        """
        return self._areas(np.flatnonzero(minutes <= limits[-1]), minutes, limits)

    def areas_of(self, reach: "Reach", limits: Sequence[float]) -> list[shapely.MultiPolygon]:
        """
        Draw the ground of each band between limits, as far as some stations reach.

        Parameters
        ----------
        reach
            Of the stations.
        limits
            Minutes, rising.

        Returns
        -------
        list of MultiPolygon
            As :meth:`areas` draws :meth:`minutes`; nothing that is not reached is looked at.
        """
        minutes = self._held().minutes
        return self._areas(self._reached(reach, limits[-1], minutes), minutes, limits)

    def _areas(
        self, cells: IntArray, minutes: FloatArray, limits: Sequence[float]
    ) -> list[shapely.MultiPolygon]:
        radius, whole = self._held().circles(len(limits))
        area_kernels.radii(
            cells,
            minutes,
            np.array(limits, dtype=float),
            self.rules.off_road_minutes_per_m,
            float(self.rules.snap_cap_m.value),
            LEAST_OF_SPACING * self.spacing_m,
            self._size,
            radius,
            whole,
        )
        drawn = self._drawn(cells, radius, whole)
        area_kernels.forget(cells, radius, whole)
        return drawn

    def _drawn(
        self, cells: IntArray, radius: _Singles, whole: _Small
    ) -> list[shapely.MultiPolygon]:
        count = radius.shape[1]
        border, filled, done = self._held().border, np.zeros(2, np.int64), 0
        while True:
            done = area_kernels.outline(
                cells,
                done,
                radius,
                whole,
                self._all_x,
                self._all_y,
                self._start,
                self._corner,
                self._neighbour,
                self._ridge,
                self._corner_x,
                self._corner_y,
                self._corner_d,
                self.sagitta_m,
                self._most_corners,
                *border.arrays,
                filled,
            )
            if done == len(cells):
                break
            border.grow()
        pieces = border.drawn(*filled.tolist())
        x, y, ring, area, of_band, touch = area_kernels.rings(*pieces, count)
        return [
            _untangle_rings(x, y, ring, area, of_band, band)  # rings may touch in a point
            if touch[band]
            else _nest_rings(x, y, ring, area, of_band, band)
            for band in range(count)
        ]

    def ground_of(self, owner: IntArray, station: int) -> shapely.MultiPolygon:
        """Draw all ground whose nearest street a station serves, however far off the road."""
        radius = np.full((len(self._all_x), 1), -1.0, np.float32)
        whole = np.full(len(self._all_x), -1, np.int8)
        cells = np.flatnonzero(owner == station)
        radius[cells], whole[cells] = 1e12, 0
        return make_valid_area(self._drawn(cells, radius, whole)[0])

    def to_lonlat(self, geometries: Any) -> Any:
        """Put drawn geometries onto the ground."""
        return shapely.transform(
            geometries, lambda xy: np.column_stack(self._to_lonlat(xy[:, 0], xy[:, 1]))
        )

    def to_plane(self, geometries: Any) -> Any:
        """Put geometries into the plane of the drawing."""
        return shapely.transform(geometries, self._xy)


@dataclass(frozen=True)
class _Ways:
    """Streets as they are entered: by node which, by street its ends and its minutes."""

    first: npt.NDArray[np.int32]
    way: npt.NDArray[np.int32]
    ends: IntArray
    times: FloatArray


def _ways(profiled: ProfileNetwork, street: IntArray) -> _Ways:
    ends = np.column_stack((profiled.leaving_source[street], profiled.leaving_target[street]))
    times = np.column_stack((profiled.minutes_along[street], profiled.minutes_against[street]))
    turns = profiled.turns
    size = profiled.network.node_count if turns is None else turns.node_count
    way, end = np.nonzero(np.isfinite(times))
    node = ends[way, end]
    order = np.argsort(node, kind="stable")
    first = np.searchsorted(node[order], np.arange(size + 1))
    return _Ways(first.astype(np.int32), way[order].astype(np.int32), ends, times)


class _Border:
    """Room for pieces of border: their vertices, where each begins, and its band."""

    def __init__(self) -> None:
        self._xy = np.empty((2, ROOM_FOR_VERTICES))
        self._of = np.zeros((2, ROOM_FOR_PIECES), np.int64)

    @property
    def arrays(self) -> tuple[FloatArray, FloatArray, IntArray, IntArray]:
        return self._xy[0], self._xy[1], self._of[0], self._of[1]

    def grow(self) -> None:
        self._xy = np.concatenate((self._xy, np.empty_like(self._xy)), axis=1)
        self._of = np.concatenate((self._of, np.empty_like(self._of)), axis=1)

    def drawn(
        self, pieces: int, vertices: int
    ) -> tuple[FloatArray, FloatArray, IntArray, IntArray]:
        x, y, piece, band = self.arrays
        return x[:vertices], y[:vertices], piece[: pieces + 1], band[:pieces]


class _ThreadBuffers:
    """What one thread works in, so that no station needs room of its own."""

    def __init__(self, points: int, streets: int) -> None:
        self.points = np.empty(points, np.int64)
        self.minutes = np.empty(points)
        self.mark = np.zeros(-(-streets // 8) * 8, np.uint8)
        self.border = _Border()
        self._at_node = np.empty(0)
        self._circles: dict[int, tuple[_Singles, _Small]] = {}

    def at_node(self, nodes: int) -> FloatArray:
        if len(self._at_node) != nodes:
            self._at_node = np.full(nodes, np.inf)
        return self._at_node

    def circles(self, count: int) -> tuple[_Singles, _Small]:
        if count not in self._circles:
            points = len(self.points)
            self._circles[count] = (
                np.full((points, count), -1.0, np.float32),
                np.full(points, -1, np.int8),
            )
        return self._circles[count]


@dataclass(frozen=True)
class Reach:
    """When some stations are at the nodes that they reach."""

    # In the direction of the run.
    profiled: ProfileNetwork
    # How many nodes there are.
    node_count: int
    # Those reached, each once, and when.
    node: npt.NDArray[np.int32]
    minutes: FloatArray
    # The station that each of them belongs to.
    by: IntArray
    # Station, edge, fraction and minutes until it is on the road there.
    gates: tuple[tuple[int, int, float, float], ...]

    @cached_property
    def at_node(self) -> FloatArray:
        """By node its minutes, inf where none arrives."""
        at_node = np.full(self.node_count, np.inf)
        at_node[self.node] = self.minutes
        return at_node

    @cached_property
    def server(self) -> IntArray:
        """By node the station it belongs to, :data:`NOBODY` where none arrives."""
        server = np.full(self.node_count, NOBODY)
        server[self.node] = self.by
        return server


class Reacher:
    """A network ready to be run through from any stations."""

    def __init__(
        self,
        profiled: ProfileNetwork,
        direction: Direction,
        rules: PlaceRules,
        graph: Graph | None = None,
    ) -> None:
        self.profiled = profiled.reversed() if direction == "to_facility" else profiled
        self.rules = rules
        self.graph = build_graph(self.profiled) if graph is None else graph

    def together(
        self, stations: Snapped, begins: npt.ArrayLike, limit_minutes: float = np.inf
    ) -> Reach:
        """
        Run once from all stations.

        Parameters
        ----------
        stations
            Where they meet the network; one that is off it reaches nothing.
        begins
            Minutes of each before it moves: turnout and what is counted beside the way.
        limit_minutes
            Nothing later is looked at.

        Returns
        -------
        Reach
            The nearest station's time at every node.
        """
        started = np.broadcast_to(np.asarray(begins, dtype=float), len(stations))
        return self._run(np.flatnonzero(stations.edge >= 0), stations, started, limit_minutes)

    def each(
        self, stations: Snapped, begins: npt.ArrayLike, limit_minutes: float
    ) -> Iterable[Reach]:
        """Run from every station for itself."""
        started = np.broadcast_to(np.asarray(begins, dtype=float), len(stations))
        walked = self.rules.off_road_minutes_per_m
        found = reach_each(self.graph, self.profiled, stations, started, walked, limit_minutes)
        for station in range(len(stations)):
            node, minutes = found.of(station)
            known = np.flatnonzero(stations.edge[station : station + 1] >= 0) + station
            yield Reach(
                self.profiled,
                self.graph.node_count,
                node,
                minutes,
                np.broadcast_to(np.int64(station), len(node)),
                self._gates(known, stations, started),
            )

    def _gates(
        self, known: IntArray, stations: Snapped, started: FloatArray
    ) -> tuple[tuple[int, int, float, float], ...]:
        walked = self.rules.off_road_minutes_per_m
        return tuple(
            (
                int(at),
                int(stations.edge[at]),
                float(stations.fraction[at]),
                float(started[at] + stations.off_road_m[at] * walked),
            )
            for at in known
        )

    def _run(
        self, known: IntArray, stations: Snapped, started: FloatArray, limit_minutes: float
    ) -> Reach:
        """Run through the arcs from the ends of the stations' edges."""
        profiled, graph = self.profiled, self.graph
        gates = self._gates(known, stations, started)
        heads, minutes, by = [], [], []
        for station, edge, fraction, begins in gates:
            for node, part, whole in (
                (profiled.arriving_target[edge], 1.0 - fraction, profiled.minutes_along[edge]),
                (profiled.arriving_source[edge], fraction, profiled.minutes_against[edge]),
            ):
                if np.isfinite(whole):
                    heads.append(int(node))
                    minutes.append(begins + part * float(whole))
                    by.append(station)
        state, reached = search_kernels.search_once(
            graph.indptr,
            graph.head,
            graph.minutes,
            np.array(heads, np.int64),
            np.array(minutes, float),
            np.array(by, np.int64),
            BUCKET,
            limit_minutes,
        )
        found = search_kernels.read_state(state[reached])
        return Reach(profiled, graph.node_count, reached, *found, gates)


def _order_along_curve(xy: FloatArray, street: IntArray, points: IntArray) -> IntArray:
    """Order streets so that those near each other lie together in memory."""
    # The points of one street stay together, in their order.
    if len(points) == 0:
        return points
    begins = np.flatnonzero(np.diff(street[points], prepend=-1))
    middle = shapely.points(xy[points[begins]])
    order = np.argsort(gpd.GeoSeries(middle).hilbert_distance().to_numpy(), kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    lengths = np.diff(np.append(begins, len(points)))
    return points[np.argsort(np.repeat(rank, lengths), kind="stable")]


def _part_minutes(fraction: FloatArray, minutes: npt.ArrayLike) -> FloatArray:
    whole = np.asarray(minutes, dtype=float)
    open_ = np.isfinite(whole)
    return np.where(open_, fraction * np.where(open_, whole, 0.0), np.inf)


def draw_bands(
    cells: StreetCells, reaches: Sequence[tuple[int | None, Reach]], limits: Sequence[float]
) -> list[Band]:
    """
    Draw the bands of minutes of some stations.

    Parameters
    ----------
    cells
        The ground.
    reaches
        Each with the station that the bands are to name.
    limits
        Minutes; they are put in order.

    Returns
    -------
    list of Band
        By station and rising limit: from 0 to the first, from the first to the second …; in the
        plane of the cells.
    """
    ordered = sorted(set(limits))

    def of_one(asked: tuple[int | None, Reach]) -> list[Band]:
        station, reach = asked
        drawn = cells.areas_of(reach, ordered)
        return [
            Band(station, above, limit, ground)
            for above, limit, ground in zip((0.0, *ordered), ordered, drawn, strict=False)
        ]

    if len(reaches) == 1:
        return of_one(reaches[0])
    largest_first = sorted(reaches, key=lambda asked: -len(asked[1].node))
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:  # the drawing holds no lock
        drawn = {id(one): pool.submit(of_one, one) for one in largest_first}
        return [band for one in reaches for band in drawn[id(one)].result()]


def generalise(shapes: Sequence[Any], finest_m: float) -> tuple[list[Any], float]:
    """Leave out vertices that show nowhere, of all shapes together so that they still meet."""
    drawn = np.empty(len(shapes), dtype=object)
    drawn[:] = [make_valid_area(shape) for shape in shapes]
    if shapely.is_empty(drawn).all():
        return list(drawn), 0.0
    light = shapely.coverage_simplify(drawn, finest_m)
    moved_m = max(
        _measure_moved_m(before, after) for before, after in zip(drawn, light, strict=True)
    )
    return [drop_specks(one, finest_m * finest_m) for one in light], moved_m


def drop_specks(shape: Any, smallest: float) -> shapely.MultiPolygon:
    """
    Leave out pieces and holes that are too small to be seen.

    Parameters
    ----------
    shape
        Polygon or MultiPolygon.
    smallest
        Area, in the square of the unit of the coordinates.

    Returns
    -------
    MultiPolygon
        Empty where nothing is left.
    """
    polygons = shapely.get_parts(shape)
    rings, owner = shapely.get_rings(polygons, return_index=True)
    is_shell = np.diff(owner, prepend=-1) > 0
    large: Any = shapely.area(shapely.polygons(rings)) >= smallest
    large &= large[is_shell][np.cumsum(is_shell) - 1]  # a hole goes with its shell
    if not large.any():
        return shapely.MultiPolygon()
    rings, is_shell = rings[large], is_shell[large]
    begins = np.append(np.flatnonzero(is_shell), len(rings))
    left: Any = shapely.polygons(rings[is_shell])
    for at in np.flatnonzero(np.diff(begins) > 1):
        shell, *holes = rings[begins[at] : begins[at + 1]]
        left[at] = shapely.Polygon(shell, holes)
    return shapely.MultiPolygon(list(left))


def _measure_moved_m(before: Any, after: Any) -> float:
    """How far vertices that went were from the line between those beside them that stayed."""
    rings = shapely.get_rings(shapely.get_parts(before))
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    at = xy[:, 0] + 1j * xy[:, 1]
    left = shapely.get_coordinates(after)
    stays = np.isin(at, left[:, 0] + 1j * left[:, 1])
    begins = np.searchsorted(ring, np.arange(len(rings)))
    ends = np.append(begins[1:], len(at)) - 1
    place = np.arange(len(at))
    last = np.maximum.accumulate(np.where(stays, place, -1))
    following = np.minimum.accumulate(np.where(stays, place, len(at))[::-1])[::-1]
    stayed = np.flatnonzero(stays)
    # Round the ring: before the first that stays comes the last one, and the other way.
    of_first = np.searchsorted(stayed, begins[ring])
    of_last = np.searchsorted(stayed, ends[ring], side="right") - 1
    gone = np.flatnonzero(~stays & (of_first <= of_last))  # a ring that went whole moved nowhere
    first, final = stayed[of_first[gone]], stayed[of_last[gone]]
    low = np.where(last[gone] < begins[ring[gone]], final, last[gone])
    high = np.where(following[gone] > ends[ring[gone]], first, following[gone])
    chord = at[high] - at[low]
    with np.errstate(invalid="ignore", divide="ignore"):
        along = ((at[gone] - at[low]) * chord.conj()).real / np.abs(chord) ** 2
    along = np.clip(np.nan_to_num(along), 0.0, 1.0)
    return float(np.abs(at[gone] - at[low] - along * chord).max(initial=0.0))


def _nest_rings(
    x: FloatArray, y: FloatArray, ring: IntArray, area: FloatArray, of_band: IntArray, band: int
) -> shapely.MultiPolygon:
    """Give every hole to the shell around it."""
    written = area_kernels.nested(x, y, ring, area, of_band, band, SMALLEST_M2)
    return cast("shapely.MultiPolygon", shapely.from_wkb(written.tobytes()))


def _untangle_rings(
    x: FloatArray, y: FloatArray, ring: IntArray, area: FloatArray, of_band: IntArray, band: int
) -> shapely.MultiPolygon:
    """Give every hole to the smallest shell around it, and part rings that touch themselves."""
    kept = np.flatnonzero((np.abs(area) >= SMALLEST_M2) & (of_band == band))
    lines: Any = np.empty(len(kept), dtype=object)
    lines[:] = [
        shapely.LinearRing(np.column_stack((x[low:high], y[low:high])))
        for low, high in zip(ring[kept], ring[kept + 1], strict=True)
    ]
    area = area[kept]
    shells, holes = np.flatnonzero(area > 0), np.flatnonzero(area < 0)
    if len(shells) == 0:
        return shapely.MultiPolygon()
    of_shell = _find_shells(
        np.atleast_1d(shapely.polygons(lines[shells])), area[shells], lines[holes]
    )
    found: Any = np.empty(len(shells), dtype=object)
    found[:] = [
        shapely.Polygon(lines[shell], list(lines[holes[of_shell == place]]))
        for place, shell in enumerate(shells)
    ]
    return shapely.orient_polygons(make_valid_area(shapely.multipolygons(found)))


def make_valid_area(drawn: Any) -> shapely.MultiPolygon:
    """
    Make sure that what a kernel drew is valid, before anything else is done with it.

    Parameters
    ----------
    drawn
        MultiPolygon.

    Returns
    -------
    MultiPolygon
        As it is, or the same ground without what has no width.
    """
    if shapely.is_valid(drawn):
        return cast("shapely.MultiPolygon", drawn)
    # Each polygon by itself: together what lies twice in them would become a hole.
    parts = shapely.get_parts(shapely.make_valid(shapely.get_parts(drawn)))
    parts = shapely.get_parts(parts)
    whole = shapely.union_all(parts[shapely.get_dimensions(parts) == 2])
    return shapely.MultiPolygon(list(shapely.get_parts(whole)))


def _find_shells(
    shells: npt.NDArray[np.object_], area: FloatArray, holes: npt.NDArray[np.object_]
) -> IntArray:
    """Find the smallest shell around each hole; shells are asked, since they are prepared once."""
    found = np.full(len(holes), -1, np.int64)
    if len(holes) == 0:
        return found
    shapely.prepare(shells)
    corners = shapely.get_point(holes, 0)
    around, inside = shapely.STRtree(corners).query(shells, predicate="intersects")
    largest_first = np.argsort(-area[around], kind="stable")
    found[inside[largest_first]] = around[largest_first]
    return found
