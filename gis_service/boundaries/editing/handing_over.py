"""Buildings that are to change grid become a piece of land: theirs, and nobody else's.

Around each building lies the land nearer to it than to any other one of its grid (Voronoi). The
handed-over buildings' land is joined, and where it lies apart from the grid that takes it, by a
strip between the others' land. Nothing here knows the store.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely

from gis_service.boundaries.linework.noding import metres_per_degree
from gis_service.errors import InputError, Place
from gis_service.geodesy import GeometryArray, on_lattice

STRIP_M: Final = 3.0
"""Width of a strip that joins land to its grid: a footpath."""
OUTLINE_STEP_M: Final = 4.0
"""A footprint's outline is taken at so many metres, so that no border cuts the building."""

FloatArray = npt.NDArray[np.float64]


def find_region(
    chosen: npt.NDArray[np.bool_], footprints: GeometryArray, faces: Mapping[str, Any], to: str
) -> Any:
    """Find the land that goes with buildings."""
    points = shapely.point_on_surface(footprints)
    losing = [
        key
        for key, face in faces.items()
        if key != to and shapely.intersects(face, points[chosen]).any()
    ]
    if not losing:
        raise InputError("boundaries.no_buildings", place=Place(field="buildings"))
    scale = metres_per_degree(float(shapely.get_y(points).mean()))
    flat = {key: shapely.transform(face, lambda xy: xy * scale) for key, face in faces.items()}
    outlines = shapely.transform(footprints, lambda xy: xy * scale)
    pieces = [_find_piece(flat[key], outlines, chosen, flat[to]) for key in losing]
    region = shapely.union_all(pieces)
    return shapely.make_valid(on_lattice(shapely.transform(region, lambda xy: xy / scale)))


def _find_piece(
    land: Any, outlines: GeometryArray, chosen: npt.NDArray[np.bool_], target: Any
) -> Any:
    inside = shapely.intersects(land, shapely.point_on_surface(outlines))
    is_given_building, is_kept_building = inside & chosen, inside & ~chosen
    if not is_kept_building.any():
        raise InputError("boundaries.all_buildings", place=Place(field="buildings"))
    places, owner = _sample_outlines(outlines[is_given_building | is_kept_building], land)
    is_given = chosen[is_given_building | is_kept_building][owner]
    cells = _draw_cells(places, land)
    piece = shapely.intersection(shapely.union_all(cells[is_given]), land)
    joined = [
        part if part.distance(target) < 1e-6 else _join_by_strip(part, cells, land, target)
        for part in shapely.get_parts(piece)
    ]
    return shapely.union_all(joined)


def _sample_outlines(
    outlines: GeometryArray, land: Any
) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Take the outlines at even steps, within the grid, each place once."""
    points = shapely.point_on_surface(outlines)
    dense = shapely.segmentize(outlines, OUTLINE_STEP_M)
    xy, owner = shapely.get_coordinates(dense, return_index=True)
    positions = np.arange(len(outlines))
    xy = np.concatenate([shapely.get_coordinates(points), xy])
    owner = np.concatenate([positions, owner])
    shapely.prepare(land)
    within = shapely.intersects_xy(land, xy[:, 0], xy[:, 1])
    xy, owner = np.round(xy[within], 2), owner[within]
    _, first = np.unique(xy, axis=0, return_index=True)
    first.sort()
    return xy[first], owner[first].astype(np.int64)


def _draw_cells(places: FloatArray, land: Any) -> GeometryArray:
    """Give each place the land that is nearest to it."""
    if len(places) == 1:
        return np.array([land.envelope.buffer(1)], dtype=object)
    cells = shapely.voronoi_polygons(
        shapely.multipoints(places), extend_to=land.envelope.buffer(10), ordered=True
    )
    return np.asarray(shapely.get_parts(cells), dtype=object)


def _join_by_strip(part: Any, cells: GeometryArray, land: Any, target: Any) -> Any:
    """Join a piece to the grid that takes it along the lines between cells, where one leads."""
    import networkx as nx  # noqa: PLC0415 (for a part that touches nobody only)

    lines = shapely.get_parts(
        shapely.intersection(shapely.union_all(shapely.boundary(cells)), land)
    )
    lines = lines[shapely.get_dimensions(lines) == 1]
    paths_graph: nx.Graph[tuple[float, float]] = nx.Graph()
    for line in lines:
        xy = np.round(shapely.get_coordinates(line), 2)
        for a, b in zip(xy[:-1].tolist(), xy[1:].tolist(), strict=True):
            paths_graph.add_edge(
                tuple(a), tuple(b), metres=float(np.hypot(a[0] - b[0], a[1] - b[1]))
            )
    nodes = sorted(paths_graph.nodes)
    spots = shapely.points(np.array(nodes)) if nodes else np.empty(0, dtype=object)
    ends = np.flatnonzero(shapely.distance(spots, target) < STRIP_M)
    starts = np.flatnonzero(shapely.distance(spots, part) < 0.05)
    if not len(ends) or not len(starts):
        return part
    metres: dict[Any, float]
    paths: dict[Any, list[Any]]
    metres, paths = nx.multi_source_dijkstra(  # type: ignore[assignment]
        paths_graph, {nodes[i] for i in starts}, weight="metres"
    )
    reached = [nodes[i] for i in ends if nodes[i] in metres]
    if not reached:
        return part
    best = min(reached, key=lambda node: (metres[node], node))
    path = [*paths[best], _nearest_place(target, best)]
    strip = shapely.buffer(shapely.LineString(path), STRIP_M / 2, cap_style="square")
    return shapely.union_all([part, shapely.intersection(strip, land)])


def _nearest_place(target: Any, node: Sequence[float]) -> tuple[float, float]:
    spot = shapely.shortest_line(shapely.Point(node), target)
    x, y = shapely.get_coordinates(spot)[-1].tolist()
    return (x, y)
