"""The land of grids in blocks: what proposals share out.

A block lies between streets, waters and today's borders. One with more households than can be
placed well is cut along footpaths, then between its buildings; each such cut is told. No new border
goes through a building, and crumbs belong to the block beside them. Villages never share a block.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import scipy  # whose sparse.csgraph is read when it is used
import shapely

from gis_service.boundaries.editing.balance import COUNTS, Loads
from gis_service.boundaries.editing.edits import Draft
from gis_service.boundaries.linework.atoms import SLIVER_M2, CutGrids
from gis_service.boundaries.linework.lines import PER_DEGREE, segments_of
from gis_service.boundaries.linework.noding import metres_per_degree
from gis_service.boundaries.linework.packed_shapes import PackedShapes
from gis_service.boundaries.linework.tessellation import build_faces
from gis_service.boundaries.proposals.between_buildings import draw_lines_between
from gis_service.boundaries.proposals.graph import DistrictGraph
from gis_service.geodesy import GeometryArray

BLOCKS_IN_GRID: Final = 10
"""A block with more than this part of the most households of a grid is cut finer."""
MOST_HOUSEHOLDS: Final = 300
"""The most households of a grid where no rule says it."""
STRIP_M: Final = 5.0
"""Empty land no wider than this, a verge or a carriageway's middle, belongs to a block beside."""
ON_STREET_M: Final = 3.0
"""A border so near to a street, a footpath or a bank runs along it."""
OFF_STREET_COSTS: Final = 3.0
"""A metre of border that follows nothing on the ground counts so many times."""
_BEYOND_M: Final = 0.05  # lines are drawn so far beyond a block that they surely end on its border
_AROUND_DEGREES: Final = 1e-4
_STRAIGHT_M: Final = 0.5  # a line between buildings is straightened by so much
_SAMPLES: Final = np.array([1 / 6, 1 / 2, 5 / 6])
_ROUNDS: Final = 20

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Told:
    """
    What a planner is told about the land.

    Attributes
    ----------
    key
        Of the sentence, ``boundaries.proposal_…``.
    values
        What fills it.
    place
        Where, lon, lat.
    atoms
        The blocks it is about: a cut matters where they come to several grids. Empty where the
        sentence holds in any case.
    """

    key: str
    values: Mapping[str, object]
    place: Any
    atoms: IntArray


@dataclass(frozen=True)
class Blocks:
    """
    Land in blocks and what lies side by side.

    Attributes
    ----------
    graph
        Households of each block, neighbours, and what a border between them costs: its metres,
        those off the streets :data:`OFF_STREET_COSTS` times. Land in several parts is joined by a
        pair without border, across the nearest way.
    faces
        Land of each block, lon, lat on the lattice; those of a village lie exactly side by side.
    home
        Today's grid of each block, a position in ``keys``.
    keys
        The grids that were asked for.
    of_unit
        Block of each unit, in the order of :meth:`Loads.unit_positions`.
    people
        Of each block.
    on_street_m, off_street_m
        Metres of border of each pair of the graph.
    told
        What had to be cut otherwise, and what is odd about the land.
    """

    graph: DistrictGraph
    faces: GeometryArray
    home: IntArray
    keys: tuple[str, ...]
    of_unit: IntArray
    people: FloatArray
    on_street_m: FloatArray
    off_street_m: FloatArray
    told: tuple[Told, ...]
    _linework: "tuple[_Linework, ...]"

    def join(self, owner: IntArray) -> dict[int, Any]:
        """
        Join blocks into the land of their owners.

        Parameters
        ----------
        owner
            Label of each block, 0 or more.

        Returns
        -------
        dict
            MultiPolygon in lon, lat by label; today's borders keep their vertices, so that an
            edit to these shapes leaves them alone.
        """
        land: dict[int, Any] = {}
        for linework in self._linework:
            land |= linework.join(owner)
        return land


# --- one village ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Land:
    """A village's grids and what stands on them, in steps of the lattice from a local corner."""

    draft: Draft
    keys: tuple[str, ...]
    # Grids that stay as they are: no block of theirs is cut.
    whole: Mask
    origin: IntArray
    # Metres of a step east and north.
    scale: FloatArray
    # Streets and banks; footpaths; where green and built land ends; outlines of buildings.
    streets: GeometryArray
    footpaths: GeometryArray
    cover_edges: GeometryArray
    buildings: GeometryArray
    # Place, today's grid, households and people of each unit.
    unit_xy: FloatArray
    unit_home: IntArray
    households: FloatArray
    # How heavy a block of each grid may be before it is cut.
    limit: FloatArray

    @cached_property
    def building_tree(self) -> Any:
        return shapely.STRtree(self.buildings)

    @cached_property
    def unit_points(self) -> GeometryArray:
        return np.asarray(shapely.points(self.unit_xy), dtype=object)

    def to_metres(self, geometries: Any) -> Any:
        return shapely.transform(geometries, lambda xy: xy * self.scale)

    def from_metres(self, geometries: Any) -> Any:
        return shapely.transform(geometries, lambda xy: np.rint(xy / self.scale))


def _add_up(place: IntArray, amounts: FloatArray, count: int) -> FloatArray:
    return np.bincount(place, weights=amounts, minlength=count).astype(np.float64)


@dataclass(frozen=True)
class _Parted:
    """A village cut along lines, crumbs joined to what they belong to."""

    cut: CutGrids
    # Block of each atom of the cut, -1 beyond the village; and today's grid of each block.
    block: IntArray
    home: IntArray
    # Block of each unit, households of each block.
    of_unit: IntArray
    households: FloatArray

    @classmethod
    def along(cls, site: _Land, lines: GeometryArray) -> "_Parted":
        touched = np.unique(site.building_tree.query(lines, predicate="intersects")[1])
        outlined = site.buildings[touched]
        rings = shapely.get_exterior_ring(shapely.get_parts(outlined))
        xy, line = shapely.get_coordinates(np.concatenate([lines, rings]), return_index=True)
        cutters = np.split(
            np.rint(xy).astype(np.int64) + site.origin, np.flatnonzero(np.diff(line)) + 1
        )
        cut = site.draft.cut(site.keys, cutters if len(xy) else [])
        atom, of_unit = _place_units(site, cut)
        held = _add_up(of_unit, site.households, len(cut.old))
        inside = shapely.point_on_surface(cut.cut.atoms)
        crumb_of = shapely.STRtree(inside).query(outlined, predicate="intersects")
        tied = np.concatenate([_chain(*crumb_of), atom])
        crumb = np.isin(np.arange(len(cut.old)), crumb_of[1]) | (_find_strips(cut) & (held == 0))
        block = _join_crumbs(cut, crumb, tied)
        home = np.full(int(block.max(initial=-1)) + 1, -1, dtype=np.int64)
        home[block[block >= 0]] = cut.old[block >= 0]
        households = _add_up(block[of_unit], site.households, len(home))
        return cls(cut, block, home, block[of_unit], households)

    def heavy(self, site: _Land) -> IntArray:
        """Find the blocks that are too heavy and hold several things that could be parted."""
        lived_in = np.bincount(self.of_unit[site.households > 0], minlength=len(self.home))
        over = (self.households > site.limit[self.home]) & (lived_in > 1)
        return np.flatnonzero(over & ~site.whole[self.home])

    def land(self, block: int) -> Any:
        """Give a block's land in steps."""
        return shapely.coverage_union_all(self.cut.cut.atoms[self.block == block])


def _place_units(site: _Land, cut: CutGrids) -> tuple[IntArray, IntArray]:
    """Find the atom of each unit; give the pairs of atoms whose border goes through a home too."""
    ours = np.flatnonzero(cut.old >= 0)
    tree = shapely.STRtree(cut.cut.atoms[ours])
    unit, atom = tree.query(site.unit_points, predicate="intersects")
    atom = ours[atom]
    at_home = cut.old[atom] == site.unit_home[unit]
    order = np.lexsort((atom, ~at_home, unit))
    unit, atom, at_home = unit[order], atom[order], at_home[order]
    of_unit = np.full(len(site.unit_xy), -1, dtype=np.int64)
    of_unit[unit[::-1]] = atom[::-1]
    lost = np.flatnonzero(of_unit < 0)
    if len(lost):
        of_unit[lost] = ours[tree.query_nearest(site.unit_points[lost], all_matches=False)[1]]
    shared = at_home & (site.households[unit] > 0) & (of_unit[unit] != atom)
    return np.column_stack([of_unit[unit[shared]], atom[shared]]), of_unit


def _chain(group: IntArray, member: IntArray) -> IntArray:
    """Pair the members of each group one after the other."""
    same = group[1:] == group[:-1]
    return np.column_stack([member[:-1][same], member[1:][same]])


def _find_strips(cut: CutGrids) -> Mask:
    """Tell which atoms are too small or too narrow to be a block."""
    count = len(cut.old)
    around = sum(
        np.bincount(side, weights=cut.length, minlength=count + 1)[:count]
        for side in (cut.cut.left, cut.cut.right)
    )
    width = 2 * cut.area_m2 / np.maximum(around, 1e-9)
    return (cut.area_m2 < SLIVER_M2) | (width < STRIP_M)


def _join_crumbs(cut: CutGrids, crumb: Mask, tied: IntArray) -> IntArray:
    """Give blocks numbers: atoms of one grid that are tied, crumbs with what they lie along."""
    count = len(cut.old)
    old = np.append(cut.old, -1)
    left, right = cut.cut.left, cut.cut.right
    inner = (left != right) & (old[left] == old[right]) & (old[left] >= 0)
    left, right, metres = left[inner], right[inner], cut.length[inner]
    tied = tied[old[tied[:, 0]] == old[tied[:, 1]]]
    group = _connected(count, tied[:, 0], tied[:, 1])
    for _ in range(_ROUNDS):
        loose = np.bincount(group, weights=~crumb, minlength=count) == 0
        one = np.concatenate([group[left], group[right]])
        other = np.concatenate([group[right], group[left]])
        waits = loose[one] & (one != other)
        if not waits.any():
            break
        pairs, place = np.unique(
            np.column_stack([one[waits], other[waits]]), axis=0, return_inverse=True
        )
        lengths = np.bincount(place.ravel(), weights=np.concatenate([metres, metres])[waits])
        order = np.lexsort((pairs[:, 1], -lengths, pairs[:, 0]))
        first = np.unique(pairs[order, 0], return_index=True)[1]
        best = pairs[order[first]]
        group = _connected(count, best[:, 0], best[:, 1])[group]
    block = np.full(count, -1, dtype=np.int64)
    ours = cut.old >= 0
    block[ours] = np.unique(group[ours], return_inverse=True)[1].ravel()
    return block


def _connected(count: int, one: IntArray, other: IntArray) -> IntArray:
    """Give what hangs together one number."""
    links = scipy.sparse.coo_array((np.ones(len(one)), (one, other)), shape=(count, count))
    _, label = scipy.sparse.csgraph.connected_components(links, directed=False)
    return np.asarray(label, dtype=np.int64)


# --- finer cuts ----------------------------------------------------------------------------------


def _cut_finer(site: _Land) -> tuple[_Parted, list[tuple[str, float, Any]]]:
    """Cut along streets, what is too heavy along footpaths, then between buildings."""
    lines = site.streets
    parted = _Parted.along(site, lines)
    cuts: list[tuple[str, float, Any]] = []
    tiers: tuple[tuple[str, Callable[[_Land, _Parted, int, Any], GeometryArray]], ...] = (
        ("boundaries.proposal_along_footpaths", _follow_footpaths),
        ("boundaries.proposal_between_buildings", _pass_between_buildings),
    )
    for key, draw in tiers:
        more = []
        for block in parted.heavy(site).tolist():
            land = parted.land(block)
            drawn = draw(site, parted, block, land)
            if len(drawn):
                more.append(drawn)
                cuts.append((key, float(parted.households[block]), land))
        if more:
            lines = np.concatenate([lines, *more])
            parted = _Parted.along(site, lines)
    return parted, cuts


def _clip(lines: GeometryArray, land: Any, site: _Land) -> GeometryArray:
    """Keep what lies in a block and a hair beyond it."""
    reach = shapely.buffer(land, _BEYOND_M / site.scale.min(), quad_segs=1)
    shapely.prepare(reach)
    inside = shapely.get_parts(shapely.intersection(lines, reach))
    return np.asarray(inside[shapely.get_dimensions(inside) == 1], dtype=object)


def _follow_footpaths(site: _Land, parted: _Parted, block: int, land: Any) -> GeometryArray:
    del parted, block
    shapely.prepare(land)
    ways = np.concatenate([site.footpaths, site.cover_edges])
    return _clip(ways[shapely.intersects(land, ways)], land, site)


def _pass_between_buildings(site: _Land, parted: _Parted, block: int, land: Any) -> GeometryArray:
    units = np.flatnonzero(parted.of_unit == block)
    standing = site.buildings[np.sort(site.building_tree.query(land, predicate="intersects"))]
    unit, building = shapely.STRtree(standing).query(site.unit_points[units], "intersects")
    alone = np.setdiff1d(np.arange(len(units)), unit)
    first = np.unique(unit, return_index=True)[1]
    inside = site.households[units[unit[first]]]
    weight = _add_up(building[first], inside, len(standing))
    shapes = np.concatenate([standing, site.unit_points[units[alone]]])
    weight = np.concatenate([weight, site.households[units[alone]]])
    limit = float(site.limit[parted.home[block]])
    flat = site.to_metres(land)
    ways = np.concatenate([site.streets, site.footpaths])
    ways = site.to_metres(ways[shapely.intersects(land, ways)])
    lines = draw_lines_between(flat, site.to_metres(shapes), weight, limit, ways)
    if not len(lines):
        return lines
    merged = shapely.get_parts(shapely.line_merge(shapely.multilinestrings(lines)))
    return _clip(site.from_metres(shapely.simplify(merged, _STRAIGHT_M)), land, site)


# --- borders -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Linework:
    """The borders of a village's blocks, in steps of the lattice."""

    # Pieces (k, 4); the segment of today's linework that each comes from, -1 for a new line's own.
    pieces: IntArray
    source: IntArray
    segments: IntArray
    # Block beside each piece, numbered through all villages, -1 outside; nodes at its ends.
    left: IntArray
    right: IntArray
    nodes: IntArray

    @classmethod
    def of(cls, parted: _Parted, begin: int) -> "_Linework":
        cut = parted.cut
        block = np.append(np.where(parted.block >= 0, parted.block + begin, -1), -1)
        left, right = block[cut.cut.left], block[cut.cut.right]
        border = left != right
        return cls(
            cut.cut.pieces[border] + np.tile(cut.origin, 2),
            cut.cut.source[border],
            segments_of(arc.xy for arc in cut.arcs)[0],
            left[border],
            right[border],
            cut.cut.nodes[border],
        )

    def join(self, owner: IntArray) -> dict[int, Any]:
        """Join the blocks by owner."""
        owners = np.append(owner, -1)
        left, right = owners[self.left], owners[self.right]
        kept = np.flatnonzero(left != right)
        pieces, left, right = self._without_needless_nodes(kept, left[kept], right[kept])
        labels = np.unique(np.concatenate([left, right]))
        labels = labels[labels >= 0]
        place = np.append(np.searchsorted(labels, np.arange(labels.max(initial=-1) + 1)), -1)
        lines: Any = shapely.linestrings(pieces.reshape(-1, 2, 2) / PER_DEGREE)
        names = [str(label) for label in labels.tolist()]
        faces = build_faces(lines, place[left], place[right], names)
        return dict(zip(labels.tolist(), faces, strict=True))

    def _without_needless_nodes(
        self, kept: IntArray, left: IntArray, right: IntArray
    ) -> tuple[IntArray, IntArray, IntArray]:
        """Take a segment of today's whole again where all of it is a border and nothing ends."""
        pieces, source, nodes = self.pieces[kept], self.source[kept], self.nodes[kept]
        is_old = source >= 0
        whole = np.where(is_old[:, None], self.segments[source], pieces)
        is_later = (pieces[:, :2] != whole[:, :2]).any(axis=1)
        meeting = np.bincount(nodes.ravel())[nodes[:, 0]] != 2
        count = len(self.segments)
        all_there = np.bincount(source[is_old], minlength=count) == np.bincount(
            self.source[self.source >= 0], minlength=count
        )
        broken = np.bincount(source[is_old], weights=(is_later & meeting)[is_old], minlength=count)
        joined = is_old & (all_there & (broken == 0))[source]
        chosen = ~(joined & is_later)
        pieces = np.where(joined[:, None], whole, pieces)[chosen]
        return pieces, left[chosen], right[chosen]


def _measure_borders(site: _Land, parted: _Parted) -> tuple[IntArray, FloatArray, FloatArray]:
    """Give the pairs of blocks side by side, with the metres on and off streets."""
    cut = parted.cut
    block = np.append(parted.block, -1)
    left, right = block[cut.cut.left], block[cut.cut.right]
    inner = np.flatnonzero((left != right) & (left >= 0) & (right >= 0))
    ends = cut.cut.pieces[inner].reshape(-1, 2, 2) * site.scale
    samples = ends[:, None, 0] + _SAMPLES[:, None] * (ends[:, None, 1] - ends[:, None, 0])
    near = np.zeros(samples.shape[:2], dtype=bool).ravel()
    streets = site.to_metres(np.concatenate([site.streets, site.footpaths]))
    hits = shapely.STRtree(streets).query(
        shapely.points(samples.reshape(-1, 2)), predicate="dwithin", distance=ON_STREET_M
    )[0]
    near[hits] = True
    share = near.reshape(samples.shape[:2]).mean(axis=1)
    pairs = np.sort(np.column_stack([left[inner], right[inner]]), axis=1)
    edges, place = np.unique(pairs, axis=0, return_inverse=True)
    place = place.ravel()
    metres = np.hypot(*(ends[:, 1] - ends[:, 0]).T)
    on = _add_up(place, metres * share, len(edges))
    off = _add_up(place, metres * (1 - share), len(edges))
    return edges.reshape(-1, 2).astype(np.int64), on, off


def _join_parts(
    site: _Land, home: IntArray, faces: GeometryArray, edges: IntArray
) -> list[tuple[int, int]]:
    """Join land in several parts across the nearest way: each grid's own first, then the rest."""
    count = len(home)
    flat = site.to_metres(faces)
    bridges: list[tuple[int, int]] = []
    for member in (*(home == grid for grid in range(len(site.keys))), home >= 0):
        while True:
            links = np.concatenate([edges, np.array(bridges, dtype=np.int64).reshape(-1, 2)])
            links = links[member[links].all(axis=1)]
            part = _connected(count, links[:, 0], links[:, 1])
            numbers, sizes = np.unique(part[member], return_counts=True)
            if len(numbers) < 2:
                break
            island = np.flatnonzero(member & (part == numbers[int(np.argmin(sizes))]))
            mainland = np.flatnonzero(member & (part != part[island[0]]))
            tree = shapely.STRtree(flat[mainland])
            (own, beyond), metres = tree.query_nearest(flat[island], return_distance=True)
            nearest = int(np.lexsort((beyond, own, metres))[0])
            pair = sorted((int(island[own[nearest]]), int(mainland[beyond[nearest]])))
            bridges.append((pair[0], pair[1]))
    return bridges


# --- all of it -----------------------------------------------------------------------------------


def cut_blocks(
    draft: Draft,
    keys: Sequence[str],
    loads: Loads,
    # Streets, footpaths and banks; buildings, of which points cannot be cut. Lon, lat.
    lines: PackedShapes,
    footprints: PackedShapes,
    *,
    # Which lines cut only blocks that are too heavy, and outlines of land that do; none where None.
    footpaths: Mask | None = None,
    cover_edges: PackedShapes | None = None,
    # Grids that are cut along streets alone: locked ones.
    whole: Collection[str] = (),
    # Most households of a block of a grid, where a tenth of a grid's most would be too coarse.
    most_in_block: Mapping[str, float] | None = None,
) -> Blocks:
    """Cut the land of grids into blocks, village by village; the draft stays as it is."""
    parents, keys = draft.parents, tuple(dict.fromkeys(keys))
    position = {key: index for index, key in enumerate(keys)}
    units = loads.unit_positions(keys)
    villages: dict[str, list[str]] = {}
    for key in keys:
        villages.setdefault(parents[key], []).append(key)
    is_footpath = np.zeros(len(lines), dtype=bool) if footpaths is None else footpaths
    of_unit = np.zeros(len(units), dtype=np.int64)
    parts: list[_Village] = []
    begin = 0
    for grids in villages.values():
        own = loads.unit_positions(grids)
        ways = _Ways(lines, is_footpath, cover_edges or PackedShapes(np.empty(0, dtype=object)))
        limits = [
            min((most_in_block or {}).get(key, np.inf), _most_of(loads, key) / BLOCKS_IN_GRID)
            for key in grids
        ]
        site = _survey(draft, grids, loads, own, ways, footprints, whole, np.array(limits))
        village, placed = _cut_village(site, begin, [position[key] for key in grids])
        of_unit[np.searchsorted(units, own)] = placed + begin
        begin += len(village.home)
        parts.append(village)
    counts = loads.unit_counts(units)
    households, people = (
        _add_up(of_unit, counts[:, COUNTS.index(name)], begin) for name in ("households", "people")
    )
    on, off = (np.concatenate([getattr(part, name) for part in parts]) for name in ("on", "off"))
    graph = DistrictGraph(
        np.rint(households).astype(np.int64),
        np.concatenate([part.edges for part in parts]),
        on + OFF_STREET_COSTS * off,
    )
    return Blocks(
        graph,
        np.concatenate([part.faces for part in parts]),
        np.concatenate([part.home for part in parts]),
        keys,
        of_unit,
        people,
        on,
        off,
        tuple(told for part in parts for told in part.told),
        tuple(part.linework for part in parts),
    )


@dataclass(frozen=True)
class _Village:
    """What a village gives to all; blocks are numbered through all villages."""

    faces: GeometryArray
    home: IntArray
    edges: IntArray
    on: FloatArray
    off: FloatArray
    told: list[Told]
    linework: _Linework


@dataclass(frozen=True)
class _Ways:
    """What a border may follow, lon, lat."""

    lines: PackedShapes
    is_footpath: Mask
    cover_edges: PackedShapes


def _most_of(loads: Loads, key: str) -> int:
    rule = loads.target(loads.class_of(key))
    return MOST_HOUSEHOLDS if rule is None else rule[1]


def _survey(
    draft: Draft, grids: Sequence[str], loads: Loads, units: IntArray, ways: _Ways,
    footprints: PackedShapes, whole: Collection[str], limit: FloatArray,
) -> _Land:  # fmt: skip
    """Bring together what a village's blocks are made of."""
    faces = np.array(list(draft.faces(grids).values()), dtype=object)
    land = shapely.coverage_union_all(shapely.get_parts(faces))
    shapely.prepare(land)
    west, south, east, north = land.bounds
    box = shapely.box(west, south, east, north).buffer(_AROUND_DEGREES, join_style="mitre")
    origin = np.rint(np.array([west, south]) * PER_DEGREE).astype(np.int64)

    def to_steps(geometries: Any) -> Any:
        return shapely.transform(geometries, lambda xy: np.rint(xy * PER_DEGREE) - origin)

    def near(shapes: PackedShapes) -> IntArray:
        return np.sort(shapes.query(np.array([box]))[1])

    def clip(shapes: PackedShapes) -> tuple[GeometryArray, IntArray]:
        found = near(shapes)
        clipped = shapely.clip_by_rect(shapes[found], *box.bounds)
        parts, shape = shapely.get_parts(clipped, return_index=True)
        met = shapely.intersects(land, parts)
        return to_steps(parts[met]), found[shape[met]]

    lines, line = clip(ways.lines)
    on_foot = ways.is_footpath[line]
    buildings = footprints[near(footprints)]
    xy, counts = loads.unit_places(units), loads.unit_counts(units)
    home = np.full(len(units), -1, dtype=np.int64)
    for number, key in enumerate(grids):
        home[np.searchsorted(units, loads.unit_positions([key]))] = number
    return _Land(
        draft,
        tuple(grids),
        np.array([key in whole for key in grids], dtype=bool),
        origin,
        metres_per_degree((south + north) / 2) / PER_DEGREE,
        lines[~on_foot],
        lines[on_foot],
        clip(ways.cover_edges)[0],
        to_steps(buildings[shapely.get_dimensions(buildings) == 2]),
        np.rint(xy * PER_DEGREE) - origin,
        home,
        counts[:, COUNTS.index("households")],
        limit,
    )


def _cut_village(site: _Land, begin: int, positions: Sequence[int]) -> tuple[_Village, IntArray]:
    """Cut a village; blocks are numbered from ``begin``, ``positions`` are its grids' in all."""
    parted, cuts = _cut_finer(site)
    linework = _Linework.of(parted, begin)
    count = len(parted.home)
    joined = linework.join(np.arange(begin + count))
    faces = np.array([joined[begin + block] for block in range(count)], dtype=object)
    edges, on, off = _measure_borders(site, parted)
    bridges = _join_parts(site, parted.home, faces, edges)
    told = _tell(site, faces, cuts, bridges, begin)
    if bridges:
        edges = np.concatenate([edges, np.array(bridges, dtype=np.int64)])
        on, off = (np.append(metres, np.zeros(len(bridges))) for metres in (on, off))
    home = np.array(positions, dtype=np.int64)[parted.home]
    return _Village(faces, home, edges + begin, on, off, told, linework), parted.of_unit


def _tell(
    site: _Land, faces: GeometryArray, cuts: Sequence[tuple[str, float, Any]],
    bridges: Sequence[tuple[int, int]], begin: int,
) -> list[Told]:  # fmt: skip
    """Say what had to be cut, what cannot be, and what is odd about the land."""
    none = np.empty(0, dtype=np.int64)
    told = []
    inside = shapely.STRtree(shapely.point_on_surface(faces))
    for key, households, block in cuts:
        land = shapely.transform(block, lambda xy: (xy + site.origin) / PER_DEGREE)
        atoms = np.sort(inside.query(land, predicate="intersects"))
        if len(atoms) > 1:
            place = shapely.point_on_surface(land)
            told.append(Told(key, {"n": round(households)}, place, atoms + begin))
    if not len(site.streets):
        place = shapely.point_on_surface(shapely.multipolygons(shapely.get_parts(faces)))
        told.append(Told("boundaries.proposal_no_streets", {}, place, none))
    for one, other in bridges:
        place = shapely.shortest_line(faces[one], faces[other])
        told.append(Told("boundaries.proposal_land_apart", {}, place, none))
    return told


__all__ = ["Blocks", "Told", "cut_blocks"]
