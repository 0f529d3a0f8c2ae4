"""A scheme's boundaries as one noded linework, and the faces of every level built from it.

The arcs are the geometry of record: each separates two grids, or a grid from the outside, so two
neighbours cannot drift apart. Upper levels are the same arcs with those left out that no longer
separate anything; they are never drawn on their own. Nothing here knows the store.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely

from gis_service.errors import InputError, Place
from gis_service.geodesy import LATTICE, Geometries, GeometryArray, area_m2, on_lattice

OUTSIDE: Final = -1
CRUMB_M2: Final = 1e-3
"""Land up to this size comes of rounding: nobody gained or lost it."""
IndexArray = npt.NDArray[np.int64]
Arc = tuple[bytes, str, str | None, str | None]
"""A line as WKB, its kind, and the grids on its left and right; None is outside."""


@dataclass(frozen=True)
class Tessellation:
    """
    Noded linework of a scheme's lowest level.

    Attributes
    ----------
    keys
        The names of the base grids; the sides of the arcs are positions in it.
    arcs
        LineStrings in lon, lat on the lattice, meeting at their ends only.
    kinds
        ``street``, ``water`` or ``other`` for each arc.
    left, right
        The base grid on either side along the line's direction; :data:`OUTSIDE` for none.
    """

    keys: tuple[str, ...]
    arcs: GeometryArray
    kinds: npt.NDArray[np.str_]
    left: IndexArray
    right: IndexArray

    @classmethod
    def of_arcs(cls, keys: Sequence[str], arcs: Sequence[Arc]) -> "Tessellation":
        """Put arcs that name their grids together."""
        position: dict[str | None, int] = {key: index for index, key in enumerate(keys)}
        lines = np.empty(len(arcs), dtype=object)
        lines[:] = shapely.from_wkb([arc[0] for arc in arcs])
        return cls(
            tuple(keys),
            lines,
            np.array([arc[1] for arc in arcs], dtype=np.str_),
            np.array([position.get(arc[2], OUTSIDE) for arc in arcs], dtype=np.int64),
            np.array([position.get(arc[3], OUTSIDE) for arc in arcs], dtype=np.int64),
        )

    def named_arcs(self) -> list[Arc]:
        """Tell every arc by what it is."""
        names = [*self.keys, None]
        return [
            (wkb, kind, names[left], names[right])
            for wkb, kind, left, right in zip(
                shapely.to_wkb(self.arcs).tolist(),
                self.kinds.tolist(),
                self.left.tolist(),
                self.right.tolist(),
                strict=True,
            )
        ]

    def faces(self) -> GeometryArray:
        """
        Build the polygon of every base grid.

        Returns
        -------
        array of MultiPolygon
            In the order of ``keys``.

        Raises
        ------
        InputError
            The arcs do not close, cross, or disagree about who owns a face.
        """
        return build_faces(self.arcs, self.left, self.right, self.keys)

    def dissolved(
        self, parent: IndexArray, parent_keys: Sequence[str]
    ) -> tuple[GeometryArray, IndexArray, IndexArray, IndexArray]:
        """Leave out the arcs that separate two grids of one parent."""
        with_outside = np.append(parent, OUTSIDE)  # index -1 finds it
        left, right = with_outside[self.left], with_outside[self.right]
        borders = np.flatnonzero(left != right)
        faces = build_faces(self.arcs[borders], left[borders], right[borders], parent_keys)
        return faces, borders, left[borders], right[borders]


def build_faces(
    arcs: GeometryArray, left: IndexArray, right: IndexArray, keys: Sequence[str]
) -> GeometryArray:
    """Polygonise arcs and hand each face to the grid its arcs name."""
    polygons, *leftovers = shapely.polygonize_full(arcs)
    for leftover in shapely.get_parts(np.asarray(leftovers, dtype=object)):
        raise InputError("boundaries.arc_in_the_air", place=_place_of(leftover))
    faces = shapely.orient_polygons(shapely.get_parts(polygons))
    on_left, on_right = find_faces_beside(arcs, faces)
    owner = np.full(len(faces) + 1, OUTSIDE, dtype=np.int64)  # the last one is the outside
    owner[on_left] = left
    owner[on_right] = right
    owner[-1] = OUTSIDE
    wrong = np.flatnonzero((owner[on_left] != left) | (owner[on_right] != right))
    if len(wrong):
        arc = int(wrong[0])
        names = [keys[side] for side in (left[arc], right[arc]) if side >= 0]
        raise InputError(
            "boundaries.arcs_disagree", place=_place_of(arcs[arc]), grids=" / ".join(names)
        )
    owned = np.flatnonzero(owner[:-1] >= 0)
    missing = np.setdiff1d(np.arange(len(keys)), owner[owned])
    if len(missing):
        raise InputError(
            "boundaries.grid_without_land", place=Place(feature=keys[missing[0]]), n=len(missing)
        )
    order = owned[np.argsort(owner[owned], kind="stable")]
    result = shapely.multipolygons(faces[order], indices=owner[order])
    return np.asarray(result, dtype=object)


def find_faces_beside(arcs: GeometryArray, faces: GeometryArray) -> tuple[IndexArray, IndexArray]:
    """Find the face on each side of each arc."""
    arc_xy, arc_of = shapely.get_coordinates(arcs, return_index=True)
    first = np.searchsorted(arc_of, np.arange(len(arcs)))
    a, b = _as_complex(arc_xy[first]), _as_complex(arc_xy[first + 1])
    rings, ring_face = shapely.get_rings(faces, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    wanted_x = np.unique(np.concatenate([arc_xy[first, 0], arc_xy[first + 1, 0]]))
    place = np.minimum(np.searchsorted(wanted_x, xy[:-1, 0]), max(len(wanted_x) - 1, 0))
    is_candidate = (
        (ring[1:] == ring[:-1]) & (wanted_x[place] == xy[:-1, 0]) if len(wanted_x) else ring[1:] < 0
    )
    starts, ends = _as_complex(xy[:-1][is_candidate]), _as_complex(xy[1:][is_candidate])
    face = ring_face[ring[1:][is_candidate]]
    by_segment = dict(zip(zip(starts, ends, strict=True), face.tolist(), strict=True))
    outside = len(faces)
    on_left = [by_segment.get(segment, outside) for segment in zip(a, b, strict=True)]
    on_right = [by_segment.get(segment, outside) for segment in zip(b, a, strict=True)]
    return np.array(on_left, dtype=np.int64), np.array(on_right, dtype=np.int64)


def is_other_land(before: bytes, after: bytes) -> bool:
    """Tell whether a grid has other land; one that only gained or lost a vertex has not."""
    if before == after:
        return False
    differing = shapely.symmetric_difference(shapely.from_wkb(before), shapely.from_wkb(after))
    return measure_land_m2(differing) > CRUMB_M2


def measure_land_m2(geometry: shapely.Geometry) -> float:
    """Measure the land of a geometry, whose points and lines have none."""
    parts = shapely.get_parts(geometry)
    return float(area_m2(parts[shapely.get_dimensions(parts) == 2]).sum())


def _as_complex(xy: npt.NDArray[np.float64]) -> list[complex]:
    values: list[complex] = (xy[:, 0] + 1j * xy[:, 1]).tolist()
    return values


def _place_of(geometry: shapely.Geometry) -> Place:
    lon, lat = shapely.get_coordinates(geometry)[0]
    return Place(feature=f"{lon:.6f}, {lat:.6f}")


@dataclass(frozen=True)
class Flaw:
    """A piece of land that no grid or more than one claims."""

    kind: str
    keys: tuple[str, ...]
    area_m2: float
    geometry: Any


def from_polygons(
    keys: Sequence[str],
    polygons: Geometries,
    *,
    kinds: str = "other",
    tolerance_m2: float = 1.0,
) -> tuple[Tessellation, list[Flaw]]:
    """
    Node a set of polygons into one linework.

    Parameters
    ----------
    keys
        Names of the grids.
    polygons
        (Multi)Polygons in lon, lat; they share borders or nearly do.
    kinds
        The kind that every arc gets.
    tolerance_m2
        An overlap up to this area goes to the first of its claimants and is listed; a larger one
        is refused. Enclosed land that nobody claims stays outside and is listed.

    Returns
    -------
    tessellation, flaws
        The linework, and what was repaired or left out.

    Raises
    ------
    InputError
        Two polygons claim the same land beyond the tolerance, or one is empty or not a polygon.
    """
    array = on_lattice(np.asarray(polygons, dtype=object))
    for key, polygon in zip(keys, array, strict=True):
        if polygon is None or polygon.is_empty or polygon.geom_type not in _POLYGONAL:
            raise InputError("boundaries.not_a_polygon", place=Place(feature=str(key)))
        if not polygon.is_valid:
            reason = shapely.is_valid_reason(polygon)
            raise InputError(
                "boundaries.invalid_polygon", place=Place(feature=str(key)), reason=reason
            )
    noded = shapely.union_all(shapely.boundary(array), grid_size=LATTICE)
    arcs = shapely.get_parts(shapely.line_merge(noded))
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(noded)))
    owner, flaws = _find_owners(keys, array, faces, tolerance_m2)
    faces = shapely.orient_polygons(faces)
    on_left, on_right = find_faces_beside(arcs, faces)
    sides = np.append(owner, OUTSIDE)
    left, right = sides[on_left], sides[on_right]
    is_border = left != right
    return (
        Tessellation(
            tuple(str(key) for key in keys),
            np.asarray(arcs[is_border], dtype=object),
            np.full(int(is_border.sum()), kinds),
            left[is_border],
            right[is_border],
        ),
        flaws,
    )


_POLYGONAL: Final = ("Polygon", "MultiPolygon")


def _find_owners(
    keys: Sequence[str], polygons: GeometryArray, faces: GeometryArray, tolerance_m2: float
) -> tuple[IndexArray, list[Flaw]]:
    inside = shapely.point_on_surface(faces)
    point, polygon = shapely.STRtree(polygons).query(inside, predicate="intersects")
    owner = np.full(len(faces), OUTSIDE, dtype=np.int64)
    order = np.lexsort((polygon, point))[::-1]
    owner[point[order]] = polygon[order]  # the last write wins: the first claimant
    claims = np.bincount(point, minlength=len(faces))
    flaws: list[Flaw] = []
    for index in np.flatnonzero(claims != 1):
        claimants = tuple(str(keys[p]) for p in np.sort(polygon[point == index]))
        area = float(area_m2(faces[index])[0])
        flaw = Flaw("overlap" if claimants else "gap", claimants, area, faces[index])
        if claimants and area > tolerance_m2:
            raise InputError(
                "boundaries.overlap",
                place=_place_of(inside[index]),
                grids=" / ".join(claimants),
                area_m2=f"{area:,.1f}",
            )
        flaws.append(flaw)
    return owner, flaws
