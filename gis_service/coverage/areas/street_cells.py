"""The ground around the streets, divided by the nearest point of them, and areas drawn of it.

An area is drawn from the same times that a household gets: every point of the ground belongs to
the street nearest to it, and is reached when that street is reached plus the walk off it. For
drawing only: nothing is counted inside these polygons, and nothing here reads the store.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from scipy.spatial import Delaunay

from gis_service import geodesy
from gis_service.coverage.areas import cell_kernels, outline_kernels, ring_kernels
from gis_service.coverage.areas.cell_kernels import Cells, Gates, Ints, Singles, Small, Streets
from gis_service.coverage.areas.shapes import make_valid_area, nest_rings, untangle_rings
from gis_service.coverage.areas.station_reach import NOBODY, Reach
from gis_service.coverage.network.graph import FloatArray, IntArray, ProfileNetwork
from gis_service.coverage.standards.book import PlaceRules
from gis_service.coverage.travel.travel_time import part_of_minutes

SPACING_M: Final = 20.0
"""Between the points by which a street is judged; half of it, walked, is the larger part of the
tolerance."""

SAGITTA_M: Final = 1.0
"""How far a chord of the drawing may be from its arc."""

LEAST_OF_SPACING: Final = 0.6
"""Half the width of the narrowest strip along a street, in spacings: the circles around its points
meet, and the end of a band is no string of beads."""

ROOM_FOR_VERTICES: Final = 1 << 16
ROOM_FOR_PIECES: Final = 1 << 14
"""At first; twice as much where that is not enough."""


class _StreetPoints(NamedTuple):
    """Points on streets, in an order in which those near each other lie together in memory."""

    edge: IntArray
    fraction: FloatArray
    # Metres in the plane of the drawing.
    x: FloatArray
    y: FloatArray


class _Corners(NamedTuple):
    """The cells around some points and around a far ring that closes the outermost of them."""

    # The points, and those of the ring.
    x: FloatArray
    y: FloatArray
    # As :class:`cell_kernels.Cells` has them.
    start: IntArray
    corner: Ints
    neighbour: Ints
    corner_x: FloatArray
    corner_y: FloatArray
    corner_d: FloatArray
    # By point how far its cell reaches.
    size: FloatArray


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
        network = profiled.network
        self._to_xy, self._to_lonlat = geodesy.local_metres(
            round(float(np.median(network.lon)), 2) if network.node_count else 0.0,
            round(float(np.median(network.lat)), 2) if network.node_count else 0.0,
        )
        if kept is None:
            points = _place_points(profiled, self._transform, spacing_m)
            corners = _divide_ground(points.x, points.y)
        else:
            points = _StreetPoints(*(kept[name] for name in _StreetPoints._fields))
            corners = _Corners(*(kept[_KEPT_AS[name]] for name in _Corners._fields))
        self.edge, self.fraction, self.x, self.y = points
        self._corners = corners
        begins = np.flatnonzero(np.diff(self.edge, prepend=-1))
        self._street = self.edge[begins]
        ends = np.append(begins, len(self.edge))
        self._bounds = np.column_stack((ends[:-1], ends[1:]))
        self._number = np.full(network.edge_count, -1)
        self._number[self._street] = np.arange(len(begins))
        self._most_corners = int(np.diff(corners.start).max(initial=0))
        self._streets_by_direction: dict[bool, Streets] = {}
        x, y, start, corner, neighbour, corner_x, corner_y, corner_d, _ = corners
        ridge = cell_kernels.measure_ridges(x, y, start, corner, neighbour, corner_d)
        self.cells = Cells(x, y, start, corner, neighbour, ridge, corner_x, corner_y, corner_d)

    def as_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Give what took time to make, to be kept."""
        points = _StreetPoints(self.edge, self.fraction, self.x, self.y)
        corners = {_KEPT_AS[name]: array for name, array in self._corners._asdict().items()}
        return points._asdict() | corners

    def _transform(self, lonlat: FloatArray) -> FloatArray:
        return np.column_stack(self._to_xy(lonlat[:, 0], lonlat[:, 1]))

    def __len__(self) -> int:
        """How many points of streets."""
        return len(self.edge)

    @property
    def street_count(self) -> int:
        """How many streets have points."""
        return len(self._street)

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
        slowest = float((minutes / length_m)[profiled.snappable].max()) if len(self) else 0.0
        walked = self.rules.off_road_minutes_per_m
        half_m = self.spacing_m / 2
        widened_m = LEAST_OF_SPACING * self.spacing_m / 2
        return half_m * slowest + (half_m + self.sagitta_m + widened_m) * walked

    def find_minutes(self, reach: Reach) -> FloatArray:
        """Find when each point of the streets is reached, inf where none arrives."""
        # Minutes on the road; turnout and the way out of the station's gate count.
        buffers = DrawingBuffers(self)
        buffers.minutes[:] = np.inf
        self._find_reached(reach, np.inf, buffers)
        return buffers.minutes[: len(self)]

    def _find_reached(self, reach: Reach, limit: float, buffers: "DrawingBuffers") -> IntArray:
        """Find the points that are reached within a limit, and fill in when."""
        street = np.array([self._number[gate.edge] for gate in reach.gates], dtype=np.int64)
        fraction = np.array([gate.fraction for gate in reach.gates], dtype=float)
        begins = np.array([gate.begins for gate in reach.gates], dtype=float)
        known = street >= 0
        count = cell_kernels.find_reached_points(
            reach.node,
            reach.minutes,
            self._find_streets(reach.profiled),
            Gates(street[known], fraction[known], begins[known]),
            limit,
            buffers.at_node(reach.node_count),
            buffers.mark,
            buffers.minutes,
            buffers.points,
        )
        return buffers.points[:count]

    def _find_streets(self, profiled: ProfileNetwork) -> Streets:
        """Say which streets are entered from each node, in the direction of a run."""
        is_ahead = profiled.minutes_along is self.profiled.minutes_along
        if not is_ahead and profiled.minutes_along is not self.profiled.minutes_against:
            return self._list_streets(profiled)  # the same streets at another speed
        if is_ahead not in self._streets_by_direction:
            self._streets_by_direction[is_ahead] = self._list_streets(profiled)
        return self._streets_by_direction[is_ahead]

    def _list_streets(self, profiled: ProfileNetwork) -> Streets:
        street, turns = self._street, profiled.turns
        ends = np.column_stack((profiled.leaving_source[street], profiled.leaving_target[street]))
        times = np.column_stack((profiled.minutes_along[street], profiled.minutes_against[street]))
        size = profiled.network.node_count if turns is None else turns.node_count
        way, end = np.nonzero(np.isfinite(times))
        node = ends[way, end]
        order = np.argsort(node, kind="stable")
        first = np.searchsorted(node[order], np.arange(size + 1)).astype(np.int32)
        return Streets(first, way[order].astype(np.int32), ends, times, self._bounds, self.fraction)

    def find_owners(self, reach: Reach) -> IntArray:
        """Find which station serves each point of the streets, of all stations together."""
        profiled = reach.profiled
        source, target = profiled.leaving_source[self.edge], profiled.leaving_target[self.edge]
        along, against = profiled.minutes_along[self.edge], profiled.minutes_against[self.edge]
        by_source = reach.at_node[source] + part_of_minutes(self.fraction, along)
        by_target = reach.at_node[target] + part_of_minutes(1.0 - self.fraction, against)
        best = np.minimum(by_source, by_target)
        owner = np.where(by_source <= by_target, reach.server[source], reach.server[target])
        for gate in reach.gates:  # along a station's own street
            if self._number[gate.edge] < 0:
                continue
            own = slice(*self._bounds[self._number[gate.edge]])
            off = self.fraction[own] - gate.fraction
            ahead = part_of_minutes(off.clip(0.0), profiled.minutes_along[gate.edge])
            back = part_of_minutes((-off).clip(0.0), profiled.minutes_against[gate.edge])
            direct = gate.begins + np.where(off >= 0, ahead, back)
            better = direct < best[own]
            best[own][better] = direct[better]
            owner[own][better] = gate.station
        return np.where(np.isfinite(best), owner, NOBODY)

    def draw_area(
        self, minutes: FloatArray, above: float | None, limit: float
    ) -> shapely.MultiPolygon:
        """Draw the ground that is reached within a limit and not within a lower one, if any."""
        # In the plane of the drawing, metres; exactly the limit is in; pieces and holes as they
        # are.
        limits = [limit] if above is None else [above, limit]
        return self.draw_areas(minutes, limits)[-1]

    def draw_areas(
        self, minutes: FloatArray, limits: Sequence[float]
    ) -> list[shapely.MultiPolygon]:
        """Draw the ground of each band between rising limits, the first from the start."""
        reached = np.flatnonzero(minutes <= limits[-1])
        return self._draw_bands(reached, minutes, limits, DrawingBuffers(self))

    def draw_reached_areas(
        self, reach: Reach, limits: Sequence[float], buffers: "DrawingBuffers"
    ) -> list[shapely.MultiPolygon]:
        """Draw the same as :meth:`draw_areas`, looking only at what some stations reach."""
        reached = self._find_reached(reach, limits[-1], buffers)
        return self._draw_bands(reached, buffers.minutes, limits, buffers)

    def _draw_bands(
        self,
        points: IntArray,
        minutes: FloatArray,
        limits: Sequence[float],
        buffers: "DrawingBuffers",
    ) -> list[shapely.MultiPolygon]:
        radius, whole = buffers.circles(len(limits))
        cell_kernels.fill_circles(
            points,
            minutes,
            np.array(limits, dtype=float),
            self.rules.off_road_minutes_per_m,
            float(self.rules.snap_cap_m.value),
            LEAST_OF_SPACING * self.spacing_m,
            self._corners.size,
            radius,
            whole,
        )
        bands = self._draw(points, radius, whole, buffers.border)
        cell_kernels.clear_circles(points, radius, whole)
        return bands

    def _draw(
        self, points: IntArray, radius: Singles, whole: Small, border: "_BorderRoom"
    ) -> list[shapely.MultiPolygon]:
        """Draw the ground between circles around points, within their cells."""
        count = radius.shape[1]
        filled, done = np.zeros(2, np.int64), 0
        while True:
            done = outline_kernels.draw_outline(
                points,
                done,
                radius,
                whole,
                self.cells,
                self.sagitta_m,
                self._most_corners,
                border.arrays,
                filled,
            )
            if done == len(points):
                break
            border.grow()
        pieces = border.take(*filled.tolist())
        x, y, ring, area, of_band, touch = ring_kernels.join_pieces(*pieces, count)
        return [
            untangle_rings(x, y, ring, area, of_band, band)  # rings may touch in a point
            if touch[band]
            else nest_rings(x, y, ring, area, of_band, band)
            for band in range(count)
        ]

    def draw_ground_of(self, owner: IntArray, station: int) -> shapely.MultiPolygon:
        """Draw all ground whose nearest street a station serves, however far off the road."""
        radius = np.full((len(self.cells.x), 1), -1.0, np.float32)
        whole = np.full(len(self.cells.x), -1, np.int8)
        points = np.flatnonzero(owner == station)
        radius[points], whole[points] = 1e12, 0
        return make_valid_area(self._draw(points, radius, whole, _BorderRoom())[0])

    def to_lonlat(self, geometries: Any) -> Any:
        """Put drawn geometries onto the ground."""
        return shapely.transform(
            geometries, lambda xy: np.column_stack(self._to_lonlat(xy[:, 0], xy[:, 1]))
        )

    def to_plane(self, geometries: Any) -> Any:
        """Put geometries into the plane of the drawing."""
        return shapely.transform(geometries, self._transform)


_KEPT_AS: Final[Mapping[str, str]] = {
    "x": "_all_x",
    "y": "_all_y",
    "start": "_start",
    "corner": "_corner",
    "neighbour": "_neighbour",
    "corner_x": "_corner_x",
    "corner_y": "_corner_y",
    "corner_d": "_corner_d",
    "size": "_size",
}
"""Names of :class:`_Corners` in files on disk."""


class _BorderRoom:
    """Room for pieces of border: their vertices, where each begins, and its band."""

    def __init__(self) -> None:
        self._xy = np.empty((2, ROOM_FOR_VERTICES))
        self._of = np.zeros((2, ROOM_FOR_PIECES), np.int64)

    @property
    def arrays(self) -> outline_kernels.Border:
        return outline_kernels.Border(self._xy[0], self._xy[1], self._of[0], self._of[1])

    def grow(self) -> None:
        self._xy = np.concatenate((self._xy, np.empty_like(self._xy)), axis=1)
        self._of = np.concatenate((self._of, np.empty_like(self._of)), axis=1)

    def take(self, pieces: int, vertices: int) -> outline_kernels.Border:
        x, y, piece, band = self.arrays
        return outline_kernels.Border(
            x[:vertices], y[:vertices], piece[: pieces + 1], band[:pieces]
        )


class DrawingBuffers:
    """Arrays that one thread draws in, one station after the other; never two threads at once."""

    # Who fills what is empty at first, puts back what was there.

    def __init__(self, cells: StreetCells) -> None:
        points = len(cells.cells.x)
        self.points = np.empty(points, np.int64)
        self.minutes = np.empty(points)
        self.mark = np.zeros(-(-cells.street_count // 8) * 8, np.uint8)
        self.border = _BorderRoom()
        self._at_node = np.empty(0)
        self._circles: dict[int, tuple[Singles, Small]] = {}

    def at_node(self, nodes: int) -> FloatArray:
        """Give room for minutes by node, all inf."""
        if len(self._at_node) != nodes:
            self._at_node = np.full(nodes, np.inf)
        return self._at_node

    def circles(self, count: int) -> tuple[Singles, Small]:
        """Give room for the circles and the whole bands of all points, all -1."""
        if count not in self._circles:
            points = len(self.points)
            self._circles[count] = (
                np.full((points, count), -1.0, np.float32),
                np.full(points, -1, np.int8),
            )
        return self._circles[count]


def _place_points(
    profiled: ProfileNetwork, to_plane: Callable[[FloatArray], FloatArray], spacing_m: float
) -> _StreetPoints:
    """Put points onto the streets."""
    network = profiled.network
    edges = np.flatnonzero(profiled.snappable)
    lines = shapely.transform(network.geometry[edges], to_plane)
    points_on = np.maximum(np.ceil(shapely.length(lines) / spacing_m), 1).astype(np.int64)
    which = np.repeat(np.arange(len(edges)), points_on)
    nth = np.arange(len(which)) - np.repeat(np.cumsum(points_on) - points_on, points_on)
    fraction = (nth + 0.5) / points_on[which]
    points = shapely.line_interpolate_point(lines[which], fraction, normalized=True)
    xy = shapely.get_coordinates(points)
    # The same street drawn in both directions: the lowest edge id keeps the point.
    _, first = np.unique(np.round(xy, 6), axis=0, return_index=True)
    first = _order_along_curve(xy, which, np.sort(first))
    return _StreetPoints(
        edges[which[first]].astype(np.int64),
        fraction[first],
        xy[first, 0].copy(),
        xy[first, 1].copy(),
    )


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


def _divide_ground(x: FloatArray, y: FloatArray) -> _Corners:
    """Make the cells; a far ring of points that nothing reaches closes the outermost ones."""
    if len(x):
        middle_x, middle_y = (x.min() + x.max()) / 2, (y.min() + y.max()) / 2
        far_m = 4 * max(float(np.ptp(x)), float(np.ptp(y)), 10_000.0)
    else:
        middle_x = middle_y = 0.0
        far_m = 1.0
    angle = np.arange(16) * (2 * np.pi / 16) + 0.1
    all_x = np.concatenate((x, middle_x + far_m * np.cos(angle)))
    all_y = np.concatenate((y, middle_y + far_m * np.sin(angle)))
    mesh = Delaunay(np.column_stack((all_x - middle_x, all_y - middle_y)))
    triangles = np.ascontiguousarray(mesh.simplices, dtype=np.int32)
    start, corner, neighbour = cell_kernels.walk_around_points(
        triangles, np.ascontiguousarray(mesh.neighbors, dtype=np.int32), len(all_x)
    )
    # Corners in the order of the walk, so that those of a cell lie together in memory.
    _, first, which = np.unique(corner, return_index=True, return_inverse=True)
    walk = np.argsort(first)
    number = np.empty(len(walk), dtype=np.int32)
    number[walk] = np.arange(len(walk), dtype=np.int32)
    used = corner[np.sort(first)]
    corner = number[which]
    a, b, c = triangles[used].T
    ax, ay = all_x[a], all_y[a]
    bx, by = all_x[b] - ax, all_y[b] - ay
    cx, cy = all_x[c] - ax, all_y[c] - ay
    twice = 2 * (bx * cy - by * cx)
    b_m2, c_m2 = bx * bx + by * by, cx * cx + cy * cy
    with np.errstate(divide="ignore", invalid="ignore"):
        ux = (cy * b_m2 - by * c_m2) / twice
        uy = (bx * c_m2 - cx * b_m2) / twice
    flat = ~(np.isfinite(ux) & np.isfinite(uy))
    ux[flat], uy[flat] = far_m, far_m
    corner_d = np.hypot(ux, uy)
    size = np.zeros(len(all_x))
    point = np.repeat(np.arange(len(all_x)), np.diff(start))
    np.maximum.at(size, point, corner_d[corner])
    return _Corners(all_x, all_y, start, corner, neighbour, ax + ux, ay + uy, corner_d, size)
