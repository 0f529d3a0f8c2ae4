"""Touched grids taken apart into atoms by a drawn line, and put together again with other owners.

An atom is a face between old borders and the new line. Who owned it follows from the arcs beside
it, whether it lies in the drawn region from how often the region's border was crossed: nothing is
asked of a point. Nothing here knows what a grid is for.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely

from gis_service.boundaries.linework.lines import (
    PER_DEGREE,
    Arc,
    Cut,
    Link,
    cut_linework,
    join_links,
    segments_of,
)
from gis_service.boundaries.linework.noding import metres_per_degree
from gis_service.errors import InputError, Place

NOBODY: Final = -1
NOT_OURS: Final = -3
"""An atom beyond the grids that were opened: whoever owns it keeps it."""
SLIVER_M2: Final = 10.0
SLIVER_WIDTH_M: Final = 0.3
"""Smaller or narrower pieces go to the neighbour with which they share the longest border."""
_MANY: Final = 2**32
_ON_PATH: Final = 200  # steps: 2 cm

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Lengths = defaultdict[int, float]


@dataclass
class CutGrids:
    """Grids whose arcs are cut by a new line."""

    # The arcs around the grids, and what the draft calls them.
    arcs: list[Arc]
    indices: list[int]
    # The grids; each is its own code.
    zone: tuple[str, ...]
    # Grid of each code; the zone's first.
    names: list[str]
    # Corner from which the lattice is counted here.
    origin: IntArray
    # Pieces and atoms.
    cut: Cut
    # For each piece the position of its arc; -1 for the new line's own.
    arc: IntArray
    # Codes left and right of each piece as they were, shape (k, 2); :data:`NOBODY` outside,
    # :data:`NOT_OURS` beside the new line's own pieces.
    before: IntArray
    # Owner of each atom; :data:`NOT_OURS` beyond the zone.
    old: IntArray

    @classmethod
    def of(
        cls, arcs: list[Arc], indices: list[int], lines: Sequence[IntArray], zone: Sequence[str]
    ) -> "CutGrids":
        """
        Cut arcs by lines.

        Parameters
        ----------
        arcs, indices
            All arcs with one of the grids beside them, and their names in the draft.
        lines
            Vertices in steps of the lattice; rings are closed.
        zone
            The grids.

        Returns
        -------
        CutGrids
            Ready for new owners.

        Raises
        ------
        InputError
            The lines do not come to rest on the lattice.
        """
        origin = np.array([arc.xy.min(axis=0) for arc in arcs]).min(axis=0)
        segments, arc_of = segments_of(arc.xy - origin for arc in arcs)
        cutters, _ = segments_of(line - origin for line in lines)
        linework = cut_linework(segments, cutters if len(segments) else cutters[:0])
        names = list(dict.fromkeys(zone))
        count = len(names)
        sides = sorted({s for arc in arcs for s in (arc.left, arc.right) if s is not None})
        names += [side for side in sides if side not in set(names)]
        code: dict[str | None, int] = {name: index for index, name in enumerate(names)}
        code[None] = NOBODY
        of_arc = np.array([[code[arc.left], code[arc.right]] for arc in arcs], dtype=np.int64)
        arc = np.where(linework.source >= 0, arc_of[linework.source], -1)
        before = np.where((arc >= 0)[:, None], of_arc[arc], NOT_OURS)
        return cls(
            arcs, indices, tuple(names[:count]), names, origin, linework, arc, before,
            _find_owners(linework, before, count),
        )  # fmt: skip

    @cached_property
    def scale(self) -> FloatArray:
        """Metres of a step east and north."""
        middle = (self.origin[1] + self.cut.pieces[:, 1].mean()) / PER_DEGREE
        return np.asarray(metres_per_degree(float(middle)) / PER_DEGREE)

    @cached_property
    def area_m2(self) -> FloatArray:
        """Area of each atom, by the local scale."""
        return np.asarray(shapely.area(self.cut.atoms) * self.scale[0] * self.scale[1])

    @cached_property
    def length(self) -> FloatArray:
        """Metres of each piece, by the local scale."""
        pieces = self.cut.pieces
        return np.asarray(np.hypot(*((pieces[:, 2:] - pieces[:, :2]) * self.scale).T))

    @cached_property
    def inside(self) -> Mask:
        """Whether each atom lies in the drawn region, by how often its border was crossed."""
        outside = len(self.cut.atoms)
        is_inside = self.cut.spread({outside: False}, self.cut.parity)
        return np.array([bool(value) for value in is_inside[:outside]], dtype=bool)

    def code(self, name: str) -> int:
        """
        Find or make the code of a grid.

        Parameters
        ----------
        name
            Its key.

        Returns
        -------
        int
            Position in ``names``.
        """
        if name not in self.names:
            self.names.append(name)
        return self.names.index(name)

    def outside_m(self) -> float:
        """
        Measure the new line where it lies beyond the grids.

        Returns
        -------
        float
            Metres.
        """
        owner = np.append(self.old, NOT_OURS)
        alone = (self.arc < 0) & (owner[self.cut.left] < 0) & (owner[self.cut.right] < 0)
        alone_pieces = np.flatnonzero(alone)
        pieces = self.cut.pieces[alone_pieces]
        middles = shapely.points((pieces[:, :2] + pieces[:, 2:]) / 2)
        tree = shapely.STRtree(self.cut.atoms[self.old >= 0])
        within, _ = tree.query(middles, predicate="intersects")  # loose ends bound no atom
        return float(np.delete(self.length[alone_pieces], np.unique(within)).sum())

    # --- a grid in two ---------------------------------------------------------------------------

    def halves(self, code: int, line: Any, *, keeps: str) -> IntArray:
        """Find the part of a grid that a line cuts off."""
        in_grid = self.old == code
        part = self._components(self.old, joined=self.arc < 0)
        is_big = in_grid & (self.area_m2 >= SLIVER_M2)
        several = [
            np.flatnonzero(is_big & (part == p))
            for p in np.unique(part[is_big])
            if (is_big & (part == p)).sum() > 1
        ]
        grid, place = self.names[code], _place_of(line)
        if not several:
            owner = np.append(self.old, NOT_OURS)
            crossing = (self.arc < 0) & (owner[self.cut.left] == code)
            runs = (self.cut.parity & (self.arc >= 0)).any() and not crossing.any()
            key = "boundaries.cut_along_edge" if runs else "boundaries.cut_does_not_cross"
            raise InputError(key, place=place, grid=grid)
        if len(several) > 1 or len(several[0]) > 2:
            count = sum(len(atoms) for atoms in several) - len(several) + 1
            raise InputError("boundaries.cut_crosses_often", place=place, grid=grid, n=count)
        atoms = several[0]
        if keeps == "left":
            owner = np.append(np.where(np.isin(np.arange(len(self.old)), atoms), 1, 0), 0)
            along = (self.arc < 0) & (owner[self.cut.left] + owner[self.cut.right] == 2)
            along &= self.cut.left != self.cut.right
            if along.any():
                return np.unique(self.cut.right[along])[:1]
        return atoms[[int(np.argmin(self.area_m2[atoms]))]]

    # --- an edge elsewhere -----------------------------------------------------------------------

    def moved_edge(self, line: IntArray) -> IntArray:
        """Give two grids new land by a new run of their shared edge."""
        shared = (self.before.min(axis=1) == 0) & (self.before.max(axis=1) == 1)
        pieces = self.cut.pieces
        replaced = np.zeros(len(pieces), dtype=bool)
        replaced[np.flatnonzero(shared)] = _find_replaced(pieces[shared], line)
        on_line = (self.arc < 0) | self.cut.parity
        barrier = on_line | (shared & ~replaced)
        part = self._components(np.where(self.old >= 0, 0, NOT_OURS), joined=~barrier)
        ours = np.append(self.old, NOT_OURS) >= 0
        weight: defaultdict[int, Lengths] = defaultdict(lambda: defaultdict(float))
        for side, atom in ((0, self.cut.left), (1, self.cut.right)):
            across = self.before[:, 1 - side]
            outer = (self.arc >= 0) & ours[atom] & ~np.isin(across, (0, 1))
            for piece in np.flatnonzero(outer).tolist():
                length = float(self.length[piece])
                weight[int(part[atom[piece]])][int(self.before[piece, side])] += length
        owner = self.old.copy()
        for number in np.unique(part[self.old >= 0]).tolist():
            atoms = np.flatnonzero((part == number) & (self.old >= 0))
            votes = weight.get(number) or {
                c: float(self.area_m2[atoms][self.old[atoms] == c].sum()) for c in (0, 1)
            }
            owner[atoms] = max((0, 1), key=lambda c: votes.get(c, 0.0))
        if len(np.unique(owner[owner >= 0])) < 2 or np.array_equal(owner, self.old):
            x, y = ((line[0] + self.origin) / PER_DEGREE).tolist()
            raise InputError("boundaries.edge_ends_free", place=Place(feature=f"{x:.6f}, {y:.6f}"))
        return owner

    # --- slivers, moves, borders -----------------------------------------------------------------

    def borders(self, owner: IntArray | None = None) -> dict[int, dict[int, float]]:
        """
        Measure the border of each atom with each grid beside it.

        Parameters
        ----------
        owner
            Of each atom; as they were where None.

        Returns
        -------
        dict
            By atom, by code, metres; the outside is left out.
        """
        left, right = self._sides(self.old if owner is None else owner)
        lengths_of: defaultdict[int, Lengths] = defaultdict(lambda: defaultdict(float))
        apart = left != right
        for atom, beside in ((self.cut.left, right), (self.cut.right, left)):
            is_border = apart & (atom < len(self.old)) & (beside >= 0)
            for piece in np.flatnonzero(is_border).tolist():
                lengths_of[int(atom[piece])][int(beside[piece])] += float(self.length[piece])
        return {atom: dict(lengths) for atom, lengths in lengths_of.items()}

    def without_slivers(self, owner: IntArray) -> IntArray:
        """Give crumbs that an edit made to the neighbour with the longest shared border."""
        if np.array_equal(owner, self.old):
            return owner
        part_before = self._components(self.old, joined=None)
        ours = self.old >= 0
        owner = owner.copy()
        while True:
            part = self._components(owner, joined=None)
            left, right = self._sides(owner)
            crumb = self._find_crumbs(owner, part, left, right)
            # what was a piece of its grid before is no crumb of this edit
            same = part_before == part_before[part]
            same &= (
                np.bincount(part, minlength=len(part))[part]
                == np.bincount(part_before, minlength=len(part))[part_before]
            )
            same &= owner == self.old
            as_before = np.bincount(part, weights=~same, minlength=len(part)) == 0
            for number in np.unique(part[ours & crumb & ~as_before[part]]).tolist():
                atoms = np.flatnonzero(ours & (part == number))
                beside = self._beside(atoms, self._around(atoms, left, right), left, right)
                if beside:
                    owner[atoms] = max(beside, key=lambda c: (beside[c], -c))
                    break
            else:
                return owner

    def _find_crumbs(
        self, owner: IntArray, part: IntArray, left: IntArray, right: IntArray
    ) -> Mask:
        """Tell which atoms belong to a part that is too small, and touches no land of its owner."""
        count = len(part)
        area = np.bincount(part, weights=self.area_m2, minlength=count)
        padded = np.append(part, count)
        border = left != right
        sides = [padded[side[border]] for side in (self.cut.left, self.cut.right)]
        lengths = self.length[border]
        around = sum(np.bincount(side, lengths, count + 1)[:count] for side in sides)
        width = 2 * area / np.maximum(around, 1e-9)
        held = np.bincount(part, weights=self._attached(owner), minlength=count) > 0
        return (((area < SLIVER_M2) | (width < SLIVER_WIDTH_M)) & ~held)[part]

    def _around(self, atoms: IntArray, left: IntArray, right: IntArray) -> IntArray:
        touching = np.isin(self.cut.left, atoms) | np.isin(self.cut.right, atoms)
        return np.flatnonzero(touching & (left != right))

    def _beside(
        self, atoms: IntArray, around: IntArray, left: IntArray, right: IntArray
    ) -> dict[int, float]:
        lengths: Lengths = defaultdict(float)
        within = set(atoms.tolist())
        for piece in around.tolist():
            across = right if int(self.cut.left[piece]) in within else left
            if across[piece] >= 0:
                lengths[int(across[piece])] += float(self.length[piece])
        return dict(lengths)

    def _attached(self, owner: IntArray) -> Mask:
        """Tell which atoms border their own owner's land beyond the zone."""
        attached = np.zeros(len(owner) + 1, dtype=bool)
        with_outside = np.append(owner, NOT_OURS)
        ours = np.append(self.old, NOT_OURS) >= 0
        for atom, across, label in (
            (self.cut.left, self.cut.right, self.before[:, 1]),
            (self.cut.right, self.cut.left, self.before[:, 0]),
        ):
            touches = ours[atom] & ~ours[across] & (label >= 0) & (with_outside[atom] == label)
            attached[atom[touches]] = True
        return attached[:-1]

    def _components(self, owner: IntArray, *, joined: Mask | None) -> IntArray:
        """Give connected atoms of one owner a number, across borders that are ``joined``."""
        count = len(self.old)
        padded = np.append(owner, NOT_OURS - 1)
        ours = np.append(self.old, NOT_OURS) >= 0
        left, right = self.cut.left, self.cut.right
        same = (padded[left] == padded[right]) & ours[left] & ours[right]
        if joined is not None:
            same &= joined
        part = list(range(count))

        def root(atom: int) -> int:
            while part[atom] != atom:
                part[atom] = part[part[atom]]
                atom = part[atom]
            return atom

        links = np.unique(left[same] * _MANY + right[same])
        for first, second in zip((links // _MANY).tolist(), (links % _MANY).tolist(), strict=True):
            part[root(first)] = root(second)
        return np.array([root(atom) for atom in range(count)], dtype=np.int64)

    def _sides(self, owner: IntArray) -> tuple[IntArray, IntArray]:
        """Codes beside each piece under new owners."""
        padded = np.append(owner, NOT_OURS)
        ours = np.append(self.old, NOT_OURS) >= 0
        codes = []
        for side, atom in ((0, self.cut.left), (1, self.cut.right)):
            before = self.before[:, side]
            codes.append(np.where(ours[atom], padded[atom], before))
        return codes[0], codes[1]

    def moved_pairs(self, owner: IntArray) -> dict[tuple[str, str], Any]:
        """Collect the land that changes hands."""
        changed = np.flatnonzero(owner != self.old)
        groups: dict[tuple[int, int], list[int]] = {}
        for atom in changed.tolist():
            groups.setdefault((int(self.old[atom]), int(owner[atom])), []).append(atom)
        pairs = {}
        for (source, target), atoms in sorted(groups.items()):
            land = shapely.union_all(self.cut.atoms[atoms])
            parts = shapely.multipolygons(shapely.get_parts(land))
            pairs[self.names[source], self.names[target]] = shapely.transform(
                parts, lambda xy: (np.rint(xy) + self.origin) / PER_DEGREE
            )
        return pairs

    # --- new arcs --------------------------------------------------------------------------------

    def new_arcs(
        self, owner: IntArray, ends: Mapping[tuple[int, int], int]
    ) -> tuple[list[int], list[Arc]]:
        """Join what is left into arcs."""
        linework = self.cut
        left, right = self._sides(owner)
        is_border = left != right
        degree = np.bincount(linework.nodes[is_border].ravel(), minlength=len(linework.points))
        own_ends: Counter[tuple[int, int]] = Counter()
        for arc in self.arcs:
            for end in (arc.xy[0], arc.xy[-1]):
                own_ends[int(end[0]), int(end[1])] += 1
        others_there = np.zeros(len(linework.points), dtype=np.int64)
        where = self._node_of(np.array(sorted(own_ends), dtype=np.int64))
        for index, end in zip(where.tolist(), sorted(own_ends), strict=True):
            others_there[index] = ends[end] - own_ends[end]
        junction = (degree + others_there) != 2
        same = self._unchanged(left, right, is_border, junction)
        fresh = np.flatnonzero(is_border & ~(same[self.arc] & (self.arc >= 0)))
        arcs_of = [self.arcs[arc] if arc >= 0 else None for arc in self.arc[fresh].tolist()]
        links = [
            Link(start, end, "other", beside_left, beside_right, drawn=True)
            if arc is None
            else Link(start, end, arc.kind, beside_left, beside_right, arc.drawn)
            for (start, end), arc, beside_left, beside_right in zip(
                linework.nodes[fresh].tolist(),
                arcs_of,
                [self._name(code) for code in left[fresh].tolist()],
                [self._name(code) for code in right[fresh].tolist()],
                strict=True,
            )
        ]
        xy = (
            np.column_stack([linework.points.real, linework.points.imag]).astype(np.int64)
            + self.origin
        )
        arcs = []
        for path in join_links(links, junction):
            nodes = [path[0].start, *(link.end for link in path)]
            first = path[0]
            arcs.append(Arc(xy[nodes], first.kind, first.left, first.right, first.drawn))
        replaced = [index for index, is_same in zip(self.indices, same, strict=True) if not is_same]
        return replaced, arcs

    def _unchanged(self, left: IntArray, right: IntArray, is_border: Mask, junction: Mask) -> Mask:
        """Tell which arcs stay as they are: nothing cut, nobody else beside them, no new node."""
        count = len(self.arcs)
        old = self.arc >= 0
        arc = self.arc[old]
        now = np.bincount(arc, minlength=count)
        then = np.array([len(arc_before.xy) - 1 for arc_before in self.arcs])
        moved = (~is_border | (left != self.before[:, 0]) | (right != self.before[:, 1]))[old]
        same = (now == then) & (np.bincount(arc, weights=moved, minlength=count) == 0)
        starts = self._node_of(np.array([arc_before.xy[0] for arc_before in self.arcs]))
        stops = self._node_of(np.array([arc_before.xy[-1] for arc_before in self.arcs]))
        for column in (0, 1):
            node = self.cut.nodes[old, column]
            inner = junction[node] & (node != starts[arc]) & (node != stops[arc])
            same &= np.bincount(arc, weights=inner, minlength=count) == 0
        return np.asarray(same, dtype=bool)

    def _node_of(self, xy: IntArray) -> IntArray:
        local = xy - self.origin
        return np.searchsorted(self.cut.points, local[:, 0] + 1j * local[:, 1]).astype(np.int64)

    def _name(self, code: int) -> str | None:
        return self.names[code] if code >= 0 else None


def _find_owners(linework: Cut, before: IntArray, zone: int) -> IntArray:
    codes: dict[int, int] = {}
    outside = len(linework.atoms)
    for side, atom in ((0, linework.left), (1, linework.right)):
        existing = linework.source >= 0
        pairs = np.unique(atom[existing] * _MANY + before[existing, side] + 1)
        for index, code in zip((pairs // _MANY).tolist(), (pairs % _MANY).tolist(), strict=True):
            codes[index] = code - 1 if 0 < code <= zone else NOT_OURS
    codes[outside] = NOT_OURS
    values = linework.spread(codes)
    return np.array(
        [NOT_OURS if value is None else value for value in values[:outside]], dtype=np.int64
    )


def _find_replaced(shared: IntArray, line: IntArray) -> Mask:
    """Tell which pieces of a shared edge lie between the ends of its new run."""
    merged = shapely.line_merge(shapely.multilinestrings(shared.reshape(-1, 2, 2).astype(float)))
    paths = shapely.get_parts(merged)
    start, end = (shapely.Point(*line[index].tolist()) for index in (0, -1))
    total = shapely.distance(paths, start) + shapely.distance(paths, end)
    path = paths[int(np.argmin(total))]
    middles = np.asarray(shapely.points((shared[:, :2] + shared[:, 2:]) / 2), dtype=object)
    is_on_path = shapely.distance(path, middles) <= 1
    along_path = shapely.line_locate_point(path, middles)
    first, last = _measure_along(path, start, end)
    inside = is_on_path & (along_path > min(first, last)) & (along_path < max(first, last))
    if path.is_closed:
        opposite = is_on_path & ~inside
        drawn = shapely.LineString(line.astype(float))
        distances = [
            float(np.mean(shapely.distance(drawn, middles[members]))) if members.any() else np.inf
            for members in (inside, opposite)
        ]
        return inside if distances[0] <= distances[1] else opposite
    return np.asarray(inside, dtype=bool)


def _measure_along(path: Any, start: Any, end: Any) -> tuple[float, float]:
    """Measure along a path the ends of a line; one that is not on the path means the path's end."""
    length = path.length
    places = [float(path.project(point)) for point in (start, end)]
    is_on_path = [path.distance(point) <= _ON_PATH for point in (start, end)]
    tips = shapely.get_point(path, 0), shapely.get_point(path, -1)
    if all(is_on_path):
        return places[0], places[1]
    if not any(is_on_path):
        straight = tips[0].distance(start) + tips[1].distance(end)
        crossed = tips[1].distance(start) + tips[0].distance(end)
        return (0.0, length) if straight <= crossed else (length, 0.0)
    free, fixed = (0, 1) if is_on_path[1] else (1, 0)
    point = (start, end)[free]
    tip = 0.0 if tips[0].distance(point) <= tips[1].distance(point) else length
    return (tip, places[fixed]) if free == 0 else (places[fixed], tip)


def _place_of(line: Any) -> Place:
    x, y = shapely.get_coordinates(line)[0].tolist()
    return Place(feature=f"{x:.6f}, {y:.6f}")
