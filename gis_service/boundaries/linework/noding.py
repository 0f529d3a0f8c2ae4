"""A set of drawn polygons becomes one linework, or is told where it is not one yet.

Slits and overlaps up to a stated width are given to a neighbour and listed; wider ones are errors
with their place. No vertex of a polygon is moved but onto the lattice: only who owns a sliver
changes. Nothing here knows the store.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely

from gis_service.boundaries.linework.tessellation import (
    OUTSIDE,
    IndexArray,
    Tessellation,
    find_faces_beside,
)
from gis_service.geodesy import LATTICE, Geometries, GeometryArray, area_m2, on_lattice

OPEN_SLIT_M: Final = 10.0
"""A slit between two grids that runs out into the open is looked for up to this width; what is
wider lies outside, like the land beyond a river."""
ERRORS: Final = ("gap", "overlap", "invalid", "empty", "no_land", "key_twice", "tangled")
WARNINGS: Final = ("several_parts", "hole", "left_out")
REPAIRS: Final = (
    "gap", "overlap", "self_crossing", "spike", "duplicate_vertex", "shared_edge",
)  # fmt: skip
MOST_CROSSINGS: Final = 20_000
"""Borders that cross more often, and more often than every fourth segment, are a tangle."""

_POLYGONAL: Final = ("Polygon", "MultiPolygon")
_SLIT_LENGTH: Final = 20.0
"""An open slit touches two grids on so many times its width; less is a notch of the outline."""
_BAY_WIDENS: Final = 0.9 * OPEN_SLIT_M, 0.35
"""What is so wide at its mouth, and on average by this share of it, is the tip of a wide bay."""
_FLATTENING: Final = 1 / 298.257222101
_SEMI_MAJOR_M: Final = 6378137.0
_ROUNDING: Final = 1e-12
_HAIR: Final = 1e-7  # metres: less than this is no width
_MOST_PASSES: Final = 50
_EXACT_FROM_M2: Final = 100.0
_EXACT_WIDTHS: Final = 1000
_OWN_SHARE: Final = 10  # a border may cross itself a tenth as often: each loop is looked into
_SEGMENTS_A_CROSSING: Final = 4
_BLOCK: Final = 32
_PAIRS: Final = 100_000
_PAIRS_A_SEGMENT: Final = 64
_PAIRS_A_CROSSING: Final = 500
_FEWEST_CORNERS: Final = 4  # of a ring with land, the last one being the first
_NOTHING: Final[GeometryArray] = np.empty(0, dtype=object)
_HALVINGS: Final = 14  # a width is known to 1 part in 1,000

FloatArray = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


class _TangledError(Exception):
    """
    Lines cross more often than anybody draws them.

    Parameters
    ----------
    place
        One of them.
    count
        Crossings found until then.
    """

    def __init__(self, place: shapely.Geometry, count: int) -> None:
        self.place = place
        self.count = count
        super().__init__()


@dataclass(frozen=True)
class NodingFinding:
    """
    Something at a place: an error, a repair, or a warning.

    Attributes
    ----------
    kind
        One of :data:`ERRORS`, :data:`REPAIRS` or :data:`WARNINGS`, by the list it stands in.
    keys
        The grids it concerns.
    area_m2
        Of the place.
    width_m
        Diameter of the largest circle in it.
    geometry
        The place in lon, lat; None where there is none.
    count
        How many (vertices, parts).
    """

    kind: str
    keys: tuple[str, ...]
    area_m2: float
    width_m: float
    geometry: Any
    count: int = 1

    @property
    def lonlat(self) -> tuple[float, float] | None:
        """A point in the place, degrees."""
        if self.geometry is None or self.geometry.is_empty:
            return None
        point = shapely.point_on_surface(self.geometry)
        return (round(float(point.x), 7), round(float(point.y), 7))

    def as_dict(self) -> dict[str, Any]:
        """
        Write it down for a program.

        Returns
        -------
        dict
            Kind, grids, area and width in metres, a point and the place as GeoJSON.
        """
        place = None if self.geometry is None else shapely.geometry.mapping(self.geometry)
        return {
            "kind": self.kind,
            "grids": list(self.keys),
            "area_m2": round(self.area_m2, 3),
            "width_m": round(self.width_m, 3),
            "count": self.count,
            "lonlat": self.lonlat,
            "geometry": place,
        }


@dataclass(frozen=True)
class NodingReport:
    """
    What a set of polygons is worth.

    Attributes
    ----------
    keys
        Names of the grids.
    tolerance_m
        Up to this width slits and overlaps were repaired.
    tessellation
        The linework; None where there are errors.
    polygons
        The grids after the repair, in the order of ``keys``.
    repairs, errors, warnings
        Each with its place.
    """

    keys: tuple[str, ...]
    tolerance_m: float
    tessellation: Tessellation | None
    polygons: GeometryArray
    repairs: list[NodingFinding]
    errors: list[NodingFinding]
    warnings: list[NodingFinding]

    def counts(self) -> dict[str, dict[str, int]]:
        """
        Count what was found by kind.

        Returns
        -------
        dict
            ``errors``, ``warnings`` and ``repairs``; every kind is there, also with 0.
        """
        return {
            "errors": _count_kinds(ERRORS, self.errors),
            "warnings": _count_kinds(WARNINGS, self.warnings),
            "repairs": _count_kinds(REPAIRS, self.repairs),
        }


def _count_kinds(kinds: Sequence[str], findings: Iterable[NodingFinding]) -> dict[str, int]:
    counted = Counter(finding.kind for finding in findings)
    return {kind: counted[kind] for kind in kinds}


def check_polygons(
    keys: Sequence[str],
    polygons: Geometries,
    tolerance_m: float,
    *,
    cut_out: Sequence[bool] | Mask | None = None,
    allow_holes: bool = False,
    most_crossings: int = MOST_CROSSINGS,
) -> NodingReport:
    """
    Node polygons against each other and tell what is wrong with them.

    Parameters
    ----------
    keys
        Names of the grids.
    polygons
        (Multi)Polygons in lon, lat, degrees; they share borders or nearly do.
    tolerance_m
        A slit or overlap whose largest circle is no wider goes to the neighbour with which it
        shares the longest border; a wider one is an error.
    cut_out
        Grids that lie on top of others by intent (a school, a mall): the others lose that land.
    allow_holes
        Enclosed land that nobody owns, wider than :data:`OPEN_SLIT_M`, is a warning (a lake).
    most_crossings
        Borders that cross each other more often, and more often than every fourth segment of
        them, are an error of their own, with its place: nothing else is looked for.

    Returns
    -------
    NodingReport
        With a tessellation where there is no error.
    """
    names = tuple(str(key) for key in keys)
    array = np.asarray(polygons, dtype=object)
    shapes, errors, repairs = _clean_polygons(names, array, tolerance_m, most_crossings)
    with_land = np.flatnonzero(~shapely.is_empty(shapes))
    nothing_to_node = NodingReport(names, tolerance_m, None, shapes, repairs, errors, [])
    if not len(with_land) or any(error.kind == "tangled" for error in errors):
        return nothing_to_node
    on_top = np.zeros(len(names), dtype=bool) if cut_out is None else np.asarray(cut_out, bool)
    try:
        arrangement = _Arrangement.of(shapes, with_land, on_top, tolerance_m, most_crossings)
    except _TangledError as tangle:
        meeting = shapely.dwithin(shapely.boundary(shapes[with_land]), tangle.place, 2 * LATTICE)
        keys_there = tuple(names[index] for index in with_land[meeting])
        errors.append(NodingFinding("tangled", keys_there, 0.0, 0.0, tangle.place, tangle.count))
        return nothing_to_node
    decision = _decide_owners(names, arrangement, tolerance_m, allow_holes=allow_holes)
    repairs += decision.repairs
    errors += decision.errors
    faces = _give_away_crumbs(names, arrangement, decision, tolerance_m)
    if not allow_holes:
        nobodys = arrangement.faces[decision.owner == OUTSIDE]  # said already
        errors += _find_open_slits(names, faces, nobodys, tolerance_m)
    empty = [i for i in with_land.tolist() if faces[i].is_empty]
    errors += [NodingFinding("no_land", (names[i],), 0.0, 0.0, shapes[i]) for i in empty]
    warnings = decision.warnings + _find_oddities(names, faces)
    tessellation = None if errors else _make_tessellation(names, arrangement, decision.owner)
    return NodingReport(names, tolerance_m, tessellation, faces, repairs, errors, warnings)


# --- each polygon by itself --------------------------------------------------------------------


def _clean_polygons(
    names: tuple[str, ...], polygons: GeometryArray, tolerance_m: float, most_crossings: int
) -> tuple[GeometryArray, list[NodingFinding], list[NodingFinding]]:
    errors = [
        NodingFinding("key_twice", (name,), 0.0, 0.0, None, count)
        for name, count in Counter(names).items()
        if count > 1
    ]
    repairs: list[NodingFinding] = []
    shapes = np.full(len(names), shapely.MultiPolygon(), dtype=object)
    crossings_left = most_crossings
    for index, (name, shape) in enumerate(zip(names, polygons, strict=True)):
        polygon, beside = _separate_land(shape)
        if polygon is None:
            errors.append(NodingFinding("empty", (name,), 0.0, 0.0, None))
            continue
        if beside is not None:
            repairs.append(NodingFinding("spike", (name,), 0.0, 0.0, beside))
        clean, repeated, without_land = _put_on_lattice(polygon)
        if len(repeated):
            places: Any = shapely.multipoints(repeated)
            repairs.append(
                NodingFinding("duplicate_vertex", (name,), 0.0, 0.0, places, len(repeated))
            )
        if len(without_land):
            places = shapely.multilinestrings(without_land)
            repairs.append(NodingFinding("spike", (name,), 0.0, 0.0, places, len(without_land)))
        if not shapely.is_valid(clean):
            try:
                crossings_left -= _count_own_crossings(
                    clean, min(crossings_left, most_crossings // _OWN_SHARE)
                )
            except _TangledError as tangle:
                errors.append(
                    NodingFinding("tangled", (name,), 0.0, 0.0, tangle.place, tangle.count)
                )
                break
            clean, wrong, made_valid = _untangle(name, clean, tolerance_m)
            errors += wrong
            repairs += made_valid
        if clean.is_empty:
            errors.append(NodingFinding("empty", (name,), 0.0, 0.0, None))
        shapes[index] = clean
    return shapes, errors, repairs


def _separate_land(shape: Any) -> tuple[Any, Any]:
    """Give the polygons of a shape, None where it has none, and what else a collection holds."""
    if shape is None or shape.is_empty:
        return None, None
    if shape.geom_type in _POLYGONAL:
        return shape, None
    if shape.geom_type != "GeometryCollection":
        return None, None
    parts = shapely.get_parts(shapely.get_parts(shape))
    parts = parts[~shapely.is_empty(parts)]
    is_land = shapely.get_type_id(parts) == shapely.GeometryType.POLYGON
    land = shapely.MultiPolygon(list(parts[is_land])) if is_land.any() else None
    other_parts = shapely.GeometryCollection(list(parts[~is_land])) if not is_land.all() else None
    return land, other_parts


def _put_on_lattice(polygon: shapely.Geometry) -> tuple[Any, Any, Any]:
    """Put a polygon on the lattice; give the vertices that repeat and the rings without land."""
    flat = on_lattice(shapely.force_2d(polygon))
    parts = shapely.get_parts(flat)
    rings, part = shapely.get_rings(parts, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    is_repeated = np.zeros(len(xy), dtype=bool)
    is_repeated[1:] = (ring[1:] == ring[:-1]) & (xy[1:] == xy[:-1]).all(axis=1)
    corners = np.bincount(ring[~is_repeated], minlength=len(rings))
    if not is_repeated.any() and (corners >= _FEWEST_CORNERS).all():
        return flat, _NOTHING, _NOTHING
    lines: Any = shapely.linestrings(xy, indices=ring)
    polygons = [
        shapely.Polygon(*_shell_and_holes([xy[~is_repeated & (ring == n)] for n in members]))
        for members in (np.flatnonzero(part == n) for n in range(len(parts)))
        if len(members) and corners[members[0]] >= _FEWEST_CORNERS
    ]
    without_land = lines[corners < _FEWEST_CORNERS]
    return shapely.MultiPolygon(polygons), shapely.points(xy[is_repeated]), without_land


def _count_own_crossings(polygon: shapely.Geometry, most: int) -> int:
    """Count how often the border of a polygon crosses itself; a tangle is not looked into."""
    segments = _take_segments(shapely.get_rings(shapely.get_parts(polygon)))
    return sum(
        len(crossing_first)
        for crossing_first, _ in _find_crossings(segments, np.arange(len(segments)), most)
    )


def _shell_and_holes(rings: list[FloatArray]) -> tuple[FloatArray, list[FloatArray]]:
    return rings[0], [ring for ring in rings[1:] if len(ring) >= _FEWEST_CORNERS]


def _untangle(
    name: str, polygon: shapely.Geometry, tolerance_m: float
) -> tuple[Any, list[NodingFinding], list[NodingFinding]]:
    """Make a valid polygon; what is wider than the tolerance and in doubt is an error."""
    doubtful: list[Any] = []
    parts = []
    for part in shapely.get_parts(polygon):
        outer, odd = _ring_surface(part.exterior)
        doubtful += odd
        for ring in part.interiors:
            inner, odd = _ring_surface(ring)
            doubtful += odd
            outside = shapely.difference(inner, outer)
            doubtful += list(_polygons_of(outside))
            outer = shapely.difference(outer, inner)
        parts.append(outer)
    land = on_lattice(shapely.union_all(parts, grid_size=LATTICE))
    land = shapely.MultiPolygon(list(_polygons_of(shapely.make_valid(land))))
    for index, part in enumerate(parts):
        earlier = shapely.union_all(parts[:index])
        doubtful += list(_polygons_of(shapely.intersection(part, earlier)))
    places = np.asarray(doubtful, dtype=object)
    wide = ~_is_narrow(places, tolerance_m)
    wrong = _make_findings("invalid", [(name,)] * int(wide.sum()), places[wide])
    repaired = _make_findings("self_crossing", [(name,)] * int((~wide).sum()), places[~wide])
    if not len(places):
        rings = shapely.union_all(shapely.get_rings(shapely.get_parts(polygon)))
        where = shapely.difference(rings, shapely.boundary(land))
        parts_alone = shapely.is_valid(shapely.get_parts(polygon)).all()
        repaired = [
            NodingFinding("shared_edge" if parts_alone else "spike", (name,), 0.0, 0.0, where)
        ]
    return land, wrong, repaired


def _ring_surface(ring: shapely.LinearRing) -> tuple[shapely.Geometry, list[Any]]:
    """Give what a ring goes round once, and the pieces that it goes round otherwise."""
    noded = shapely.union_all(shapely.LineString(ring), grid_size=LATTICE)
    pieces = shapely.get_parts(shapely.polygonize(shapely.get_parts(noded)))
    if not len(pieces):
        return shapely.MultiPolygon(), []
    xy = shapely.get_coordinates(ring)
    turn = 1 if shapely.is_ccw(ring) else -1
    if _signed_area(xy) * turn < 0:
        turn = -turn
    inside = shapely.get_coordinates(shapely.point_on_surface(pieces))
    times = np.array([turn * _count_windings(xy, point) for point in inside])
    odd = (times < 0) | (times > 1)
    return shapely.coverage_union_all(pieces[times > 0]), list(pieces[odd])


def _signed_area(xy: FloatArray) -> float:
    x, y = (xy - xy[0]).T
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2)


def _count_windings(ring: FloatArray, point: FloatArray) -> int:
    """Count how often a ring goes round a point, counter-clockwise."""
    x, y = (ring - point).T
    side = x[:-1] * y[1:] - x[1:] * y[:-1]
    up = (y[:-1] <= 0) & (y[1:] > 0) & (side > 0)
    down = (y[:-1] > 0) & (y[1:] <= 0) & (side < 0)
    return int(up.sum()) - int(down.sum())


def _polygons_of(geometry: Any) -> GeometryArray:
    parts = shapely.get_parts(geometry)
    parts = shapely.get_parts(parts)
    polygons = parts[(shapely.get_dimensions(parts) == 2) & ~shapely.is_empty(parts)]
    return np.asarray(polygons, dtype=object)


# --- all polygons together ---------------------------------------------------------------------


@dataclass(frozen=True)
class _Arrangement:
    """All lines noded, the faces between them, and who claims each."""

    # Lines that meet at their ends only.
    arcs: GeometryArray
    # What they enclose, oriented.
    faces: GeometryArray
    # Face on either side of an arc; ``len(faces)`` is the outside.
    left: IndexArray
    right: IndexArray
    # Pairs of claims, by face, then by grid.
    face: IndexArray
    grid: IndexArray

    @classmethod
    def of(
        cls,
        shapes: GeometryArray,
        with_land: IndexArray,
        on_top: Mask,
        tolerance_m: float,
        most_crossings: int,
    ) -> "_Arrangement":
        lines = shapely.boundary(shapes[with_land])
        segments = node_segments(lines, most_crossings)
        without_bridges = cls._noded(segments, shapes, with_land, on_top)
        bridges = _draw_bridges(without_bridges, tolerance_m)
        if not len(bridges):
            return without_bridges
        segments = node_segments(np.concatenate([segments, bridges]), most_crossings)
        return cls._noded(segments, shapes, with_land, on_top)

    @classmethod
    def _noded(
        cls, noded: GeometryArray, shapes: GeometryArray, with_land: IndexArray, on_top: Mask
    ) -> "_Arrangement":
        arcs = shapely.get_parts(shapely.line_merge(shapely.multilinestrings(noded)))
        faces = shapely.orient_polygons(shapely.get_parts(shapely.polygonize(noded)))
        left, right = find_faces_beside(arcs, faces)
        inside = shapely.point_on_surface(faces)
        face, place = shapely.STRtree(shapes[with_land]).query(inside, predicate="intersects")
        grid = with_land[place]
        topped = np.zeros(len(faces), dtype=bool)
        topped[face[on_top[grid]]] = True
        is_claim = on_top[grid] | ~topped[face]
        order = np.lexsort((grid[is_claim], face[is_claim]))
        return cls(arcs, faces, left, right, face[is_claim][order], grid[is_claim][order])

    def single_owner(self) -> IndexArray:
        """Owner of each face that exactly one grid claims; :data:`OUTSIDE` for the others."""
        claims = np.bincount(self.face, minlength=len(self.faces))
        owner = np.full(len(self.faces), OUTSIDE, dtype=np.int64)
        alone = claims[self.face] == 1
        owner[self.face[alone]] = self.grid[alone]
        return owner


def node_segments(lines: Geometries, most_crossings: int = MOST_CROSSINGS) -> GeometryArray:
    """Cut lines where they meet."""
    segments = _take_segments(np.asarray(lines, dtype=object))
    unchecked = np.arange(len(segments))
    for _ in range(_MOST_PASSES):
        meeting = _find_meeting(segments, unchecked, most_crossings)
        if not meeting.any():
            return segments
        cut = shapely.union_all(segments[meeting], grid_size=LATTICE)
        parts = _take_segments(on_lattice(shapely.get_parts(cut)))
        untouched = segments[~meeting]
        segments = np.concatenate([untouched, parts])
        unchecked = np.arange(
            len(untouched), len(segments)
        )  # the others met nothing, nor each other
    return _take_segments(shapely.get_parts(shapely.union_all(segments, grid_size=LATTICE)))


def _take_segments(lines: GeometryArray) -> GeometryArray:
    flat = shapely.get_parts(lines)
    xy, line = shapely.get_coordinates(flat, return_index=True)
    same = line[1:] == line[:-1]
    ends = np.stack([xy[:-1][same], xy[1:][same]], axis=1)
    swapped = (ends[:, 0, 0] > ends[:, 1, 0]) | (
        (ends[:, 0, 0] == ends[:, 1, 0]) & (ends[:, 0, 1] > ends[:, 1, 1])
    )
    ends[swapped] = ends[swapped][:, ::-1]
    ends = ends[(ends[:, 0] != ends[:, 1]).any(axis=1)]
    ends = np.unique(ends.reshape(-1, 4), axis=0)
    return np.asarray(shapely.linestrings(ends.reshape(-1, 2, 2)), dtype=object)


def _find_meeting(segments: GeometryArray, unchecked: IndexArray, most: int) -> Mask:
    """Tell which segments meet a fresh one elsewhere than end to end."""
    meeting = np.zeros(len(segments), dtype=bool)
    most = max(most, len(segments) // _SEGMENTS_A_CROSSING)
    for first, second in _find_crossings(segments, unchecked, most):
        meeting[first] = True
        meeting[second] = True
    return meeting


def _find_crossings(
    segments: GeometryArray, unchecked: IndexArray, most: int
) -> Iterator[tuple[IndexArray, IndexArray]]:
    """Find pairs of a fresh segment and any that meet elsewhere than end to end, block by block."""
    # Raises :class:`_TangledError` beyond the most, and where the boxes of so many meet that
    # looking would take as long.
    ends = shapely.get_coordinates(segments).reshape(-1, 2, 2)
    tree = shapely.STRtree(segments)
    crossing_count = looked_at = 0
    pairs: list[npt.NDArray[np.int64]] = []
    pair_count = 0
    for start in range(0, len(unchecked), _BLOCK):
        block = unchecked[start : start + _BLOCK]
        first, second = tree.query(segments[block])
        first = block[first]
        is_new = (first < second) | ((first > second) & (second < unchecked[0]))
        pairs.append(np.stack([first[is_new], second[is_new]]))
        pair_count += pairs[-1].shape[1]
        if pair_count < _PAIRS and start + _BLOCK < len(unchecked):
            continue
        looked_at += pair_count
        for part in np.array_split(np.concatenate(pairs, axis=1), pair_count // _PAIRS + 1, axis=1):
            first, second = _keep_crossing(segments, ends, *part)
            crossing_count += len(first)
            if (
                crossing_count > most
                or looked_at > _PAIRS_A_SEGMENT * len(unchecked) + _PAIRS_A_CROSSING * most
            ):
                raise _TangledError(
                    _find_busiest_place(segments, first, second, part), crossing_count
                )
            yield first, second
        pairs, pair_count = [], 0


def _find_busiest_place(
    segments: GeometryArray, first: IndexArray, second: IndexArray, looked_at: IndexArray
) -> shapely.Point:
    """Give a place on the segment that meets most others, where it meets one if it does."""
    pairs = looked_at if not len(first) else np.stack([first, second])
    busiest = np.bincount(pairs.ravel()).argmax()
    pair = np.flatnonzero((pairs == busiest).any(axis=0))[0]
    meeting = shapely.intersection(*segments[pairs[:, pair]])
    return shapely.point_on_surface(segments[busiest] if meeting.is_empty else meeting)


def _keep_crossing(
    segments: GeometryArray, ends: FloatArray, first: IndexArray, second: IndexArray
) -> tuple[IndexArray, IndexArray]:
    """Keep the pairs that meet elsewhere than end to end, of those whose boxes meet."""
    near = ~(
        _is_beside_line(ends[first], ends[second]) | _is_beside_line(ends[second], ends[first])
    )
    first, second = first[near], second[near]
    points = ends[:, :, 0] + 1j * ends[:, :, 1]
    equal = points[first][:, :, None] == points[second][:, None, :]
    shared = equal.any(axis=(1, 2))
    bad = ~shared
    bad[bad] = shapely.intersects(segments[first[bad]], segments[second[bad]])
    # two that share an end meet elsewhere only where one lies on the other
    pair = np.flatnonzero(shared)
    free_first = np.where(equal[pair, 0].any(axis=1), 1, 0)
    free_second = np.where(equal[pair][:, :, 0].any(axis=1), 1, 0)
    tip_first = shapely.points(ends[first[pair], free_first])
    tip_second = shapely.points(ends[second[pair], free_second])
    bad[pair] = shapely.intersects(tip_first, segments[second[pair]]) | shapely.intersects(
        tip_second, segments[first[pair]]
    )
    return first[bad], second[bad]


def _is_beside_line(line: FloatArray, ends: FloatArray) -> Mask:
    """Tell which segments lie clearly on one side of a line."""
    along = line[:, 1] - line[:, 0]
    off = ends - line[:, :1]
    side = along[:, None, 0] * off[:, :, 1] - along[:, None, 1] * off[:, :, 0]
    hair = _ROUNDING * np.abs(along).max(axis=1) * np.abs(off).max(axis=(1, 2))
    return np.asarray((side.min(axis=1) > hair) | (side.max(axis=1) < -hair))


def _draw_bridges(arrangement: _Arrangement, tolerance_m: float) -> GeometryArray:
    """Close slits that run out into the open: short lines from a vertex to the other side."""
    owner = np.append(_find_first_claims(arrangement), OUTSIDE)
    left, right = owner[arrangement.left], owner[arrangement.right]
    edge = np.flatnonzero((left == OUTSIDE) != (right == OUTSIDE))
    if not len(edge) or tolerance_m <= 0:
        return np.empty(0, dtype=object)
    xy, line = shapely.get_coordinates(arrangement.arcs[edge], return_index=True)
    grid_of_vertex = np.maximum(left[edge], right[edge])[line]
    scale = metres_per_degree(float(xy[:, 1].mean()))
    plane = xy * scale
    same = line[1:] == line[:-1]
    start, end = plane[:-1][same], plane[1:][same]
    grid_of_segment = grid_of_vertex[1:][same]
    segments = np.asarray(shapely.linestrings(np.stack([start, end], axis=1)), dtype=object)
    vertex, segment = shapely.STRtree(segments).query(
        shapely.points(plane), predicate="dwithin", distance=tolerance_m
    )
    is_other_grid = grid_of_vertex[vertex] != grid_of_segment[segment]
    vertex, segment = vertex[is_other_grid], segment[is_other_grid]
    foot = _project(plane[vertex], start[segment], end[segment])
    metres = np.hypot(*(foot - plane[vertex]).T)
    # only the nearest segment of each other grid, and only where there is a slit
    order = np.lexsort((metres, grid_of_segment[segment], vertex))
    pair = np.stack([vertex, grid_of_segment[segment]], axis=1)[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = (pair[1:] != pair[:-1]).any(axis=1)
    touching = metres[order] <= _HAIR
    chosen = order[first & ~touching]
    if not len(chosen):
        return np.empty(0, dtype=object)
    ends = np.stack([xy[vertex[chosen]], foot[chosen] / scale], axis=1)
    bridges = on_lattice(shapely.linestrings(ends))
    return np.asarray(bridges[shapely.length(bridges) > 0], dtype=object)


def _project(point: FloatArray, start: FloatArray, end: FloatArray) -> FloatArray:
    along = end - start
    square = np.maximum((along**2).sum(axis=1), 1e-300)
    share = np.clip(((point - start) * along).sum(axis=1) / square, 0.0, 1.0)
    foot: FloatArray = start + share[:, None] * along
    return foot


def _find_first_claims(arrangement: _Arrangement) -> IndexArray:
    owner = np.full(len(arrangement.faces), OUTSIDE, dtype=np.int64)
    owner[arrangement.face[::-1]] = arrangement.grid[::-1]
    return owner


@dataclass(frozen=True)
class _Decision:
    owner: IndexArray
    repairs: list[NodingFinding]
    errors: list[NodingFinding]
    warnings: list[NodingFinding]


def _decide_owners(
    names: tuple[str, ...],
    arrangement: _Arrangement,
    tolerance_m: float,
    *,
    allow_holes: bool,
) -> _Decision:
    """Give every narrow sliver to a neighbour; list the wide ones."""
    owner = arrangement.single_owner()
    claims = np.bincount(arrangement.face, minlength=len(owner))
    bounds = np.searchsorted(arrangement.face, np.arange(len(owner) + 1))
    claimants = {
        index: tuple(arrangement.grid[bounds[index] : bounds[index + 1]].tolist())
        for index in np.flatnonzero(claims > 1).tolist()
    }
    decision = _Decision(owner, [], [], [])
    narrow = np.zeros(len(owner), dtype=bool)
    around = _owners_beside(arrangement, owner)
    for kind, wrong in (("overlap", claims > 1), ("gap", claims == 0)):
        faces = np.flatnonzero(wrong)
        if not len(faces):
            continue
        blobs = _polygons_of(shapely.coverage_union_all(arrangement.faces[faces]))
        of_face = _find_containing(arrangement.faces[faces], blobs)
        fits = _is_narrow(blobs, tolerance_m)
        narrow[faces] = fits[of_face]
        groups = _group_by_claimants(faces, of_face, claimants)
        if kind == "gap":
            places = blobs[[blob for blob, _, _ in groups]]
            grids = [_grids_beside(members, around) for _, _, members in groups]
        else:
            places = _join_faces(arrangement.faces, [members for _, _, members in groups])
            grids = [claiming for _, claiming, _ in groups]
        keys = [tuple(names[g] for g in group) for group in grids]
        is_repaired = fits[[blob for blob, _, _ in groups]]
        decision.repairs.extend(_sum_repairs(kind, keys, places, is_repaired))
        wide = np.flatnonzero(~is_repaired)
        for finding in _make_findings(kind, [keys[index] for index in wide], places[wide]):
            if kind == "gap" and allow_holes and finding.width_m > OPEN_SLIT_M:
                decision.warnings.append(replace(finding, kind="left_out"))
            else:
                decision.errors.append(finding)
    _give_away(arrangement, owner, np.flatnonzero(narrow), claimants)
    return decision


def _grids_beside(faces: Iterable[int], around: dict[int, set[int]]) -> tuple[int, ...]:
    return tuple(sorted({grid for face in faces for grid in around.get(face, ())}))


def _join_faces(faces: GeometryArray, groups: list[list[int]]) -> GeometryArray:
    joined = np.empty(len(groups), dtype=object)
    for index, members in enumerate(groups):
        alone = len(members) == 1
        joined[index] = faces[members[0]] if alone else shapely.coverage_union_all(faces[members])
    return joined


def _sum_repairs(
    kind: str, keys: Sequence[tuple[str, ...]], places: GeometryArray, is_repaired: Mask
) -> list[NodingFinding]:
    """Make one of all repairs between the same grids: their number, their land, the widest one."""
    metric = _scale_to_metres(places)
    areas = shapely.area(metric)
    widths = areas / np.maximum(shapely.length(metric), _HAIR)  # good enough to find the widest
    groups: dict[tuple[str, ...], list[int]] = {}
    for index in np.flatnonzero(is_repaired).tolist():
        groups.setdefault(keys[index], []).append(index)
    widest = [max(members, key=lambda index: float(widths[index])) for members in groups.values()]
    findings = _make_findings(kind, list(groups), places[widest])
    return [
        replace(finding, area_m2=float(areas[members].sum()), count=len(members))
        for finding, members in zip(findings, groups.values(), strict=True)
    ]


def _group_by_claimants(
    faces: IndexArray, of_face: IndexArray, claimants: dict[int, tuple[int, ...]]
) -> list[tuple[int, tuple[int, ...], list[int]]]:
    """Put the faces of one blob with the same claimants together."""
    groups: dict[tuple[int, tuple[int, ...]], list[int]] = {}
    for face, blob in zip(faces.tolist(), of_face.tolist(), strict=True):
        groups.setdefault((blob, claimants.get(face, ())), []).append(face)
    return [(blob, grids, members) for (blob, grids), members in sorted(groups.items())]


def _find_containing(faces: GeometryArray, blobs: GeometryArray) -> IndexArray:
    inside = shapely.point_on_surface(faces)
    face, blob = shapely.STRtree(blobs).query(inside, predicate="intersects")
    containing = np.zeros(len(faces), dtype=np.int64)
    containing[face] = blob
    return containing


def _owners_beside(arrangement: _Arrangement, owner: IndexArray) -> dict[int, set[int]]:
    """For each face that nobody owns alone: the owners beside it."""
    with_outside = np.append(owner, OUTSIDE)
    around: dict[int, set[int]] = {}
    for side, other_side in (
        (arrangement.left, arrangement.right),
        (arrangement.right, arrangement.left),
    ):
        beside = np.flatnonzero((with_outside[side] == OUTSIDE) & (with_outside[other_side] >= 0))
        for face, grid in zip(side[beside].tolist(), with_outside[other_side[beside]], strict=True):
            around.setdefault(face, set()).add(int(grid))
    return around


def _give_away(
    arrangement: _Arrangement,
    owner: IndexArray,
    narrow: IndexArray,
    claimants: dict[int, tuple[int, ...]],
) -> None:
    """Hand each sliver to the grid beside it with the longest common border, in place."""
    if not len(narrow):
        return
    waiting = np.zeros(len(owner) + 1, dtype=bool)
    waiting[narrow] = True
    beside_sliver = np.flatnonzero(waiting[arrangement.left] | waiting[arrangement.right])
    lengths = shapely.length(_scale_to_metres(arrangement.arcs[beside_sliver]))
    sides = [(arrangement.left[beside_sliver], arrangement.right[beside_sliver])]
    sides += [(arrangement.right[beside_sliver], arrangement.left[beside_sliver])]
    for _ in range(_MOST_PASSES):
        with_outside = np.append(owner, OUTSIDE)
        border: Counter[tuple[int, int]] = Counter()
        for sliver, beside in sides:
            good = waiting[sliver] & (with_outside[beside] >= 0)
            for face, grid, length in zip(
                sliver[good].tolist(), with_outside[beside[good]].tolist(), lengths[good],
                strict=True,
            ):  # fmt: skip
                if face not in claimants or grid in claimants[face]:
                    border[face, grid] += length
        best: dict[int, tuple[float, int]] = {}
        for (face, grid), length in border.items():
            best[face] = max(best.get(face, (-1.0, 0)), (length, -grid))
        for face, (_, grid) in best.items():
            owner[face] = -grid
            waiting[face] = False
        if not best or not waiting.any():
            break
    for face in np.flatnonzero(waiting[:-1]).tolist():  # no border with any claimant
        owner[face] = claimants[face][0] if face in claimants else OUTSIDE


def _join_by_grid(count: int, faces: GeometryArray, owner: IndexArray) -> GeometryArray:
    """Put the faces of each grid together."""
    polygons = np.full(count, shapely.MultiPolygon(), dtype=object)
    owned = np.flatnonzero(owner >= 0)
    if not len(owned):
        return polygons
    order = owned[np.argsort(owner[owned], kind="stable")]
    grids, first = np.unique(owner[order], return_index=True)
    for grid, members in zip(grids.tolist(), np.split(order, first[1:]), strict=True):
        land = (
            faces[members[0]] if len(members) == 1 else shapely.coverage_union_all(faces[members])
        )
        polygons[grid] = shapely.multipolygons(shapely.get_parts(land))
    return polygons


def _give_away_crumbs(
    names: tuple[str, ...], arrangement: _Arrangement, decision: _Decision, tolerance_m: float
) -> GeometryArray:
    """Give narrow pieces that a repair cut off from their grid to the grid beside them."""
    polygons = _join_by_grid(len(names), arrangement.faces, decision.owner)
    touched = {key for repair in decision.repairs for key in repair.keys}
    several = [
        index
        for index in np.flatnonzero(shapely.get_num_geometries(polygons) > 1).tolist()
        if names[index] in touched
    ]
    crumbs = []
    for index in several:
        parts = shapely.get_parts(polygons[index])
        narrow = _is_narrow(parts, tolerance_m)
        narrow[np.argmax(shapely.area(parts))] = False
        crumbs += parts[narrow].tolist()
    if not crumbs:
        return polygons
    candidates = np.flatnonzero(np.isin(decision.owner, several))
    inside = shapely.point_on_surface(arrangement.faces[candidates])
    face, _ = shapely.STRtree(np.array(crumbs, dtype=object)).query(inside, predicate="intersects")
    loose = candidates[np.unique(face)]
    decision.owner[loose] = OUTSIDE
    _give_away(arrangement, decision.owner, loose, {})
    return _join_by_grid(len(names), arrangement.faces, decision.owner)


def _find_open_slits(
    names: tuple[str, ...],
    polygons: GeometryArray,
    nobodys: GeometryArray,
    tolerance_m: float,
) -> list[NodingFinding]:
    """Find slits between two grids that end in the open and so enclose no face."""
    with_land = np.flatnonzero(~shapely.is_empty(polygons))
    if len(with_land) < 2 or tolerance_m >= OPEN_SLIT_M:
        return []
    lat = float(shapely.get_coordinates(shapely.centroid(polygons[with_land]))[:, 1].mean())
    scale = metres_per_degree(lat)
    grids = shapely.transform(polygons[with_land], lambda xy: xy * scale)
    enclosed = shapely.transform(nobodys, lambda xy: xy * scale)
    land = shapely.coverage_union_all(np.concatenate([shapely.get_parts(grids), enclosed]))
    half = OPEN_SLIT_M / 2
    closed = shapely.buffer(shapely.buffer(land, half, quad_segs=4), -half, quad_segs=4)
    pieces = _polygons_of(shapely.difference(closed, land))
    pieces = pieces[shapely.area(pieces) > tolerance_m**2]
    slits = []
    for piece, width in zip(pieces, _measure_widths(pieces), strict=True):
        if width <= tolerance_m:
            continue
        near = shapely.buffer(piece, 0.05, quad_segs=1)
        beside = np.flatnonzero(shapely.intersects(grids, near))
        contact = shapely.length(shapely.intersection(shapely.boundary(grids[beside]), near))
        touched = beside[contact >= _SLIT_LENGTH * max(width, 1.0)]
        if len(touched) < 2 or _is_bay(piece, width, contact.max()):
            continue
        place = shapely.transform(piece, lambda xy: xy / scale)
        keys = tuple(names[with_land[index]] for index in touched)
        slits.append(NodingFinding("gap", keys, float(area_m2(place)[0]), float(width), place))
    return slits


def _is_bay(piece: shapely.Geometry, width: float, length: float) -> bool:
    """Tell the tip of a bay, which goes on widening in the open, from a slit that might flare."""
    widest, share = _BAY_WIDENS
    return bool(width >= widest and shapely.area(piece) >= share * width * length)


def _find_oddities(names: tuple[str, ...], polygons: GeometryArray) -> list[NodingFinding]:
    oddities = []
    for name, polygon in zip(names, polygons, strict=True):
        parts = shapely.get_num_geometries(polygon)
        if parts > 1:
            smallest = min(polygon.geoms, key=lambda part: part.area)
            oddities.append(_make_finding("several_parts", (name,), smallest, int(parts)))
        holes = [ring for part in polygon.geoms for ring in part.interiors]
        if holes:
            place = shapely.Polygon(holes[0])
            oddities.append(_make_finding("hole", (name,), place, len(holes)))
    return oddities


def _make_tessellation(
    names: tuple[str, ...], arrangement: _Arrangement, owner: IndexArray
) -> Tessellation:
    sides = np.append(owner, OUTSIDE)
    is_border = sides[arrangement.left] != sides[arrangement.right]
    merged = shapely.line_merge(shapely.multilinestrings(arrangement.arcs[is_border]))
    arcs = np.asarray(shapely.get_parts(merged), dtype=object)
    arcs = np.asarray(shapely.normalize(arcs), dtype=object)
    arcs = arcs[np.argsort(shapely.to_wkb(arcs))]
    left, right = find_faces_beside(arcs, arrangement.faces)
    return Tessellation(names, arcs, np.full(len(arcs), "other"), sides[left], sides[right])


# --- widths in metres --------------------------------------------------------------------------


def metres_per_degree(lat: float) -> FloatArray:
    """
    Say how long a degree is.

    Parameters
    ----------
    lat
        Latitude, degrees.

    Returns
    -------
    array of float
        Metres of a degree of longitude and of latitude there, on the ellipsoid of CGCS2000.
    """
    return np.array(_measure_degrees(np.array([lat]))).ravel()


def _measure_degrees(lat: FloatArray) -> tuple[FloatArray, FloatArray]:
    phi = np.radians(lat)
    squared = _FLATTENING * (2 - _FLATTENING)
    bend = 1 - squared * np.sin(phi) ** 2
    east = _SEMI_MAJOR_M / np.sqrt(bend) * np.cos(phi)
    north = _SEMI_MAJOR_M * (1 - squared) / bend**1.5
    return np.radians(east), np.radians(north)


def _scale_to_metres(geometries: GeometryArray) -> GeometryArray:
    """Stretch each geometry to metres where it lies; straight stays straight."""
    xy, index = shapely.get_coordinates(geometries, return_index=True)
    if not len(xy):
        return geometries
    bounds = shapely.bounds(geometries)
    middle = np.nan_to_num((bounds[:, :2] + bounds[:, 2:]) / 2)
    east, north = _measure_degrees(middle[:, 1])
    moved = xy - middle[index]
    moved[:, 0] *= east[index]
    moved[:, 1] *= north[index]
    return np.asarray(shapely.set_coordinates(geometries.copy(), moved), dtype=object)


def _is_narrow(polygons: GeometryArray, tolerance_m: float) -> Mask:
    """Tell which polygons hold no circle wider than the tolerance."""
    if not len(polygons):
        return np.zeros(0, dtype=bool)
    metric = _scale_to_metres(np.asarray(polygons, dtype=object))
    fits = 2 * np.sqrt(shapely.area(metric) / np.pi) <= tolerance_m
    undecided = np.flatnonzero(~fits)
    shrunk = shapely.buffer(metric[undecided], -(tolerance_m / 2) * (1 + 1e-6), quad_segs=8)
    fits[undecided] = shapely.is_empty(shrunk)
    return np.asarray(fits, dtype=bool)


def _measure_widths(metric: GeometryArray) -> FloatArray:
    """Diameter of the largest circle in each polygon, in its own unit, to 1 part in 1,000."""
    areas, lengths = shapely.area(metric), shapely.length(metric)
    low = 2 * areas / np.maximum(lengths, 1e-300)  # no point is farther than this from the line
    high = 2 * np.sqrt(areas / np.pi)
    for _ in range(_HALVINGS):
        middle = np.sqrt(low * high)
        empty = shapely.is_empty(shapely.buffer(metric, -middle / 2, quad_segs=8))
        low, high = np.where(empty, low, middle), np.where(empty, middle, high)
    return np.asarray(np.sqrt(low * high), dtype=float)


def _make_finding(kind: str, keys: tuple[str, ...], place: Any, count: int = 1) -> NodingFinding:
    return replace(_make_findings(kind, [keys], np.array([place], dtype=object))[0], count=count)


def _make_findings(
    kind: str, keys: Sequence[tuple[str, ...]], places: GeometryArray
) -> list[NodingFinding]:
    metric = _scale_to_metres(places)
    areas = shapely.area(metric)
    widths = 2 * areas / np.maximum(shapely.length(metric), _HAIR)  # at least so wide
    widest = np.argsort(-widths, kind="stable")[:_EXACT_WIDTHS]
    widths[widest] = _measure_widths(metric[widest])
    big = np.flatnonzero(areas > _EXACT_FROM_M2)  # for slivers the stretched plane is exact enough
    areas[big] = area_m2(places[big])
    return [
        NodingFinding(kind, grids, float(area), float(width), place)
        for grids, area, width, place in zip(keys, areas, widths, places, strict=True)
    ]
