"""Simplify a tessellation for a zoom, all of it together, and find the lines between its grids.

Pure: shapely geometries in lon, lat in, the same out. Neighbours never part, and a grid of an
upper level is always put together from the drawn grids below it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely

from gis_service.geodesy import GeometryArray

OUTSIDE: Final = -1


def simplify(faces: GeometryArray, tolerance_degrees: float) -> GeometryArray:
    """
    Simplify the faces of a coverage together.

    Parameters
    ----------
    faces
        (Multi)Polygons that form a valid coverage.
    tolerance_degrees
        Corners of triangles smaller than its square go; 0 keeps every vertex.

    Returns
    -------
    array of geometry
        In the order of the input; an edge that two faces shared they still share.
    """
    if tolerance_degrees <= 0 or len(faces) == 0:
        return faces
    return np.asarray(shapely.coverage_simplify(faces, tolerance_degrees), dtype=object)


def dissolve(
    faces: GeometryArray, groups: Sequence[int] | npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], GeometryArray]:
    """Put faces together by the grid above them."""
    ids, inverse = np.unique(np.asarray(groups, dtype=np.int64), return_inverse=True)
    if len(ids) == len(faces):
        return ids, faces[np.argsort(inverse)]
    shapes = [shapely.coverage_union_all(faces[inverse == place]) for place in range(len(ids))]
    return ids, np.array([*shapes, None], dtype=object)[:-1]


def find_borders(
    faces: GeometryArray, chains: npt.NDArray[np.int64]
) -> list[tuple[int, shapely.MultiLineString | shapely.LineString]]:
    """Find the lines between the faces of a coverage, each once, by what they divide."""
    # Level 0 is the outer edge, 1 lies between grids of the top level, and so on; lines end where
    # three faces meet.
    starts, ends, owners = _segments(faces)
    if len(starts) == 0:
        return []
    forward = (starts[:, 0] < ends[:, 0]) | (
        (starts[:, 0] == ends[:, 0]) & (starts[:, 1] < ends[:, 1])
    )
    low = np.where(forward[:, None], starts, ends)
    high = np.where(forward[:, None], ends, starts)
    edges, inverse = np.unique(np.hstack([low, high]), axis=0, return_inverse=True)
    inverse = inverse.reshape(-1)
    first = np.full(len(edges), OUTSIDE)
    second = np.full(len(edges), OUTSIDE)
    first[inverse] = owners  # the last one written stays
    other = owners != first[inverse]
    second[inverse[other]] = owners[other]
    levels = _levels(first, second, chains)
    pairs = np.stack([np.minimum(first, second), np.maximum(first, second)], axis=1)
    _, run = np.unique(pairs, axis=0, return_inverse=True)
    run = run.reshape(-1)
    order = np.argsort(run, kind="stable")
    segments = np.asarray(shapely.linestrings(edges.reshape(-1, 2, 2)), dtype=object)
    cuts = np.flatnonzero(np.diff(run[order])) + 1
    lines: list[tuple[int, Any]] = []
    for group in np.split(order, cuts):
        line = shapely.line_merge(shapely.multilinestrings(segments[group]))
        lines.append((int(levels[group[0]]), line))
    return lines


def _segments(
    faces: GeometryArray,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Every side of every ring, with the place of its face."""
    parts, face_of_part = shapely.get_parts(faces, return_index=True)
    rings, part_of_ring = shapely.get_rings(parts, return_index=True)
    points, ring_of_point = shapely.get_coordinates(rings, return_index=True)
    same_ring = ring_of_point[1:] == ring_of_point[:-1]
    starts, ends = points[:-1][same_ring], points[1:][same_ring]
    owners = face_of_part[part_of_ring[ring_of_point[1:][same_ring]]]
    return starts, ends, owners


def _levels(
    first: npt.NDArray[np.int64], second: npt.NDArray[np.int64], chains: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Name the first level at which the chains of both sides differ; 0 at the outer edge."""
    differ = chains[first] != chains[second]
    level = np.where(differ.any(axis=1), differ.argmax(axis=1) + 1, chains.shape[1])
    return np.where(second == OUTSIDE, 0, level)


def find_chains(
    ids: Sequence[int], parent_of: Mapping[int, int | None], depth: int
) -> npt.NDArray[np.int64]:
    """Walk from grids up to the top."""
    rows = []
    for grid_id in ids:
        chain = [grid_id]
        while len(chain) < depth and (parent := parent_of.get(chain[0])) is not None:
            chain.insert(0, parent)
        rows.append([chain[0]] * (depth - len(chain)) + chain)
    return np.array(rows, dtype=np.int64).reshape(len(rows), depth)
