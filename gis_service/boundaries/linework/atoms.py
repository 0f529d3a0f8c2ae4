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
    chains,
    cut,
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
_PASSES: Final = 8
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
    made: Cut
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
        made = cut(segments, _near(cutters, segments))
        names = list(dict.fromkeys(zone))
        count = len(names)
        sides = sorted({s for arc in arcs for s in (arc.left, arc.right) if s is not None})
        names += [side for side in sides if side not in set(names)]
        code: dict[str | None, int] = {name: index for index, name in enumerate(names)}
        code[None] = NOBODY
        of_arc = np.array([[code[arc.left], code[arc.right]] for arc in arcs], dtype=np.int64)
        arc = np.where(made.source >= 0, arc_of[made.source], -1)
        before = np.where((arc >= 0)[:, None], of_arc[arc], NOT_OURS)
        return cls(
            arcs, indices, tuple(names[:count]), names, origin, made, arc, before,
            _owners(made, before, count),
        )  # fmt: skip

    @cached_property
    def scale(self) -> FloatArray:
        """Metres of a step east and north."""
        middle = (self.origin[1] + self.made.pieces[:, 1].mean()) / PER_DEGREE
        return np.asarray(metres_per_degree(float(middle)) / PER_DEGREE)

    @cached_property
    def area_m2(self) -> FloatArray:
        """Area of each atom, by the local scale."""
        return np.asarray(shapely.area(self.made.atoms) * self.scale[0] * self.scale[1])

    @cached_property
    def length(self) -> FloatArray:
        """Metres of each piece, by the local scale."""
        pieces = self.made.pieces
        return np.asarray(np.hypot(*((pieces[:, 2:] - pieces[:, :2]) * self.scale).T))

    @cached_property
    def inside(self) -> Mask:
        """Whether each atom lies in the drawn region, by how often its border was crossed."""
        outside = len(self.made.atoms)
        found = self.made.spread({outside: False}, self.made.parity)
        return np.array([bool(value) for value in found[:outside]], dtype=bool)

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
        alone = (self.arc < 0) & (owner[self.made.left] < 0) & (owner[self.made.right] < 0)
        lone = np.flatnonzero(alone)
        pieces = self.made.pieces[lone]
        middles = shapely.points((pieces[:, :2] + pieces[:, 2:]) / 2)
        mine = shapely.STRtree(self.made.atoms[self.old >= 0])
        within, _ = mine.query(middles, predicate="intersects")  # loose ends bound no atom
        return float(np.delete(self.length[lone], np.unique(within)).sum())

    # --- a grid in two ---------------------------------------------------------------------------

    def halves(self, code: int, line: Any, *, keeps: str) -> IntArray:
        """Find the part of a grid that a line cuts off."""
        mine = self.old == code
        part = self._components(self.old, joined=self.arc < 0)
        big = mine & (self.area_m2 >= SLIVER_M2)
        several = [
            np.flatnonzero(big & (part == p))
            for p in np.unique(part[big])
            if (big & (part == p)).sum() > 1
        ]
        grid, place = self.names[code], _place(line)
        if not several:
            owner = np.append(self.old, NOT_OURS)
            crossing = (self.arc < 0) & (owner[self.made.left] == code)
            runs = (self.made.parity & (self.arc >= 0)).any() and not crossing.any()
            key = "boundaries.cut_along_edge" if runs else "boundaries.cut_does_not_cross"
            raise InputError(key, place=place, grid=grid)
        if len(several) > 1 or len(several[0]) > 2:
            count = sum(len(atoms) for atoms in several) - len(several) + 1
            raise InputError("boundaries.cut_crosses_often", place=place, grid=grid, n=count)
        atoms = several[0]
        if keeps == "left":
            owner = np.append(np.where(np.isin(np.arange(len(self.old)), atoms), 1, 0), 0)
            along = (self.arc < 0) & (owner[self.made.left] + owner[self.made.right] == 2)
            along &= self.made.left != self.made.right
            if along.any():
                return np.unique(self.made.right[along])[:1]
        return atoms[[int(np.argmin(self.area_m2[atoms]))]]

    # --- an edge elsewhere -----------------------------------------------------------------------

    def moved_edge(self, line: IntArray) -> IntArray:
        """Give two grids new land by a new run of their shared edge."""
        shared = (self.before.min(axis=1) == 0) & (self.before.max(axis=1) == 1)
        pieces = self.made.pieces
        replaced = np.zeros(len(pieces), dtype=bool)
        replaced[np.flatnonzero(shared)] = _run(pieces[shared], line)
        on_line = (self.arc < 0) | self.made.parity
        barrier = on_line | (shared & ~replaced)
        part = self._components(np.where(self.old >= 0, 0, NOT_OURS), joined=~barrier)
        ours = np.append(self.old, NOT_OURS) >= 0
        weight: defaultdict[int, Lengths] = defaultdict(lambda: defaultdict(float))
        for side, atom in ((0, self.made.left), (1, self.made.right)):
            other = self.before[:, 1 - side]
            outer = (self.arc >= 0) & ours[atom] & ~np.isin(other, (0, 1))
            for piece in np.flatnonzero(outer).tolist():
                length = float(self.length[piece])
                weight[int(part[atom[piece]])][int(self.before[piece, side])] += length
        owner = self.old.copy()
        for one in np.unique(part[self.old >= 0]).tolist():
            atoms = np.flatnonzero((part == one) & (self.old >= 0))
            votes = weight.get(one) or {
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
        found: defaultdict[int, Lengths] = defaultdict(lambda: defaultdict(float))
        apart = left != right
        for atom, beside in ((self.made.left, right), (self.made.right, left)):
            mine = apart & (atom < len(self.old)) & (beside >= 0)
            for piece in np.flatnonzero(mine).tolist():
                found[int(atom[piece])][int(beside[piece])] += float(self.length[piece])
        return {atom: dict(lengths) for atom, lengths in found.items()}

    def without_slivers(self, owner: IntArray) -> IntArray:
        """Give crumbs that an edit made to the neighbour with the longest shared border."""
        if np.array_equal(owner, self.old):
            return owner
        whole = {
            tuple(np.flatnonzero(part == one).tolist())
            for part in (self._components(self.old, joined=None),)
            for one in np.unique(part[self.old >= 0])
        }
        owner = owner.copy()
        for _ in range(_PASSES):
            part = self._components(owner, joined=None)
            attached = self._attached(owner)
            left, right = self._sides(owner)
            changed = False
            for one in np.unique(part[self.old >= 0]).tolist():
                atoms = np.flatnonzero((part == one) & (self.old >= 0))
                if not len(atoms) or attached[atoms].any():
                    continue
                around = self._around(atoms, left, right)
                area = float(self.area_m2[atoms].sum())
                width = 2 * area / max(float(self.length[around].sum()), 1e-9)
                if area >= SLIVER_M2 and width >= SLIVER_WIDTH_M:
                    continue
                same = (owner[atoms] == self.old[atoms]).all()
                if same and tuple(atoms.tolist()) in whole:
                    continue
                beside = self._beside(atoms, around, left, right)
                if beside:
                    owner[atoms] = max(beside, key=lambda c: (beside[c], -c))
                    changed = True
                    break
            if not changed:
                return owner
        return owner

    def _around(self, atoms: IntArray, left: IntArray, right: IntArray) -> IntArray:
        touching = np.isin(self.made.left, atoms) | np.isin(self.made.right, atoms)
        return np.flatnonzero(touching & (left != right))

    def _beside(
        self, atoms: IntArray, around: IntArray, left: IntArray, right: IntArray
    ) -> dict[int, float]:
        found: Lengths = defaultdict(float)
        within = set(atoms.tolist())
        for piece in around.tolist():
            other = right if int(self.made.left[piece]) in within else left
            if other[piece] >= 0:
                found[int(other[piece])] += float(self.length[piece])
        return dict(found)

    def _attached(self, owner: IntArray) -> Mask:
        """Tell which atoms border their own owner's land beyond the zone."""
        attached = np.zeros(len(owner) + 1, dtype=bool)
        with_outside = np.append(owner, NOT_OURS)
        ours = np.append(self.old, NOT_OURS) >= 0
        for atom, other, label in (
            (self.made.left, self.made.right, self.before[:, 1]),
            (self.made.right, self.made.left, self.before[:, 0]),
        ):
            touches = ours[atom] & ~ours[other] & (label >= 0) & (with_outside[atom] == label)
            attached[atom[touches]] = True
        return attached[:-1]

    def _components(self, owner: IntArray, *, joined: Mask | None) -> IntArray:
        """Give connected atoms of one owner a number, across borders that are ``joined``."""
        count = len(self.old)
        padded = np.append(owner, NOT_OURS - 1)
        ours = np.append(self.old, NOT_OURS) >= 0
        left, right = self.made.left, self.made.right
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
        for one, other in zip((links // _MANY).tolist(), (links % _MANY).tolist(), strict=True):
            part[root(one)] = root(other)
        return np.array([root(atom) for atom in range(count)], dtype=np.int64)

    def _sides(self, owner: IntArray) -> tuple[IntArray, IntArray]:
        """Codes beside each piece under new owners."""
        padded = np.append(owner, NOT_OURS)
        ours = np.append(self.old, NOT_OURS) >= 0
        found = []
        for side, atom in ((0, self.made.left), (1, self.made.right)):
            kept = self.before[:, side]
            found.append(np.where(ours[atom], padded[atom], kept))
        return found[0], found[1]

    def moved_pairs(self, owner: IntArray) -> dict[tuple[str, str], Any]:
        """Collect the land that changes hands."""
        changed = np.flatnonzero(owner != self.old)
        groups: dict[tuple[int, int], list[int]] = {}
        for atom in changed.tolist():
            groups.setdefault((int(self.old[atom]), int(owner[atom])), []).append(atom)
        found = {}
        for (source, target), atoms in sorted(groups.items()):
            land = shapely.union_all(self.made.atoms[atoms])
            parts = shapely.multipolygons(shapely.get_parts(land))
            found[self.names[source], self.names[target]] = shapely.transform(
                parts, lambda xy: (np.rint(xy) + self.origin) / PER_DEGREE
            )
        return found

    # --- new arcs --------------------------------------------------------------------------------

    def new_arcs(
        self, owner: IntArray, ends: Mapping[tuple[int, int], int]
    ) -> tuple[list[int], list[Arc]]:
        """Join what is left into arcs."""
        made = self.made
        left, right = self._sides(owner)
        kept = left != right
        degree = np.bincount(made.nodes[kept].ravel(), minlength=len(made.points))
        own_ends: Counter[tuple[int, int]] = Counter()
        for arc in self.arcs:
            for end in (arc.xy[0], arc.xy[-1]):
                own_ends[int(end[0]), int(end[1])] += 1
        others = np.zeros(len(made.points), dtype=np.int64)
        where = self._node_of(np.array(sorted(own_ends), dtype=np.int64))
        for index, end in zip(where.tolist(), sorted(own_ends), strict=True):
            others[index] = ends[end] - own_ends[end]
        junction = (degree + others) != 2
        same = self._unchanged(left, right, kept, junction)
        fresh = np.flatnonzero(kept & ~(same[self.arc] & (self.arc >= 0)))
        arcs_of = [self.arcs[arc] if arc >= 0 else None for arc in self.arc[fresh].tolist()]
        links = [
            Link(start, end, "other", self._name(one), self._name(other), drawn=True)
            if arc is None
            else Link(start, end, arc.kind, self._name(one), self._name(other), arc.drawn)
            for (start, end), arc, one, other in zip(
                made.nodes[fresh].tolist(), arcs_of, left[fresh].tolist(), right[fresh].tolist(),
                strict=True,
            )
        ]  # fmt: skip
        xy = np.column_stack([made.points.real, made.points.imag]).astype(np.int64) + self.origin
        arcs = []
        for path in chains(links, junction):
            nodes = [path[0].start, *(link.end for link in path)]
            first = path[0]
            arcs.append(Arc(xy[nodes], first.kind, first.left, first.right, first.drawn))
        gone = [index for index, held in zip(self.indices, same, strict=True) if not held]
        return gone, arcs

    def _unchanged(self, left: IntArray, right: IntArray, kept: Mask, junction: Mask) -> Mask:
        """Tell which arcs stay as they are: nothing cut, nobody else beside them, no new node."""
        count = len(self.arcs)
        old = self.arc >= 0
        arc = self.arc[old]
        now = np.bincount(arc, minlength=count)
        then = np.array([len(one.xy) - 1 for one in self.arcs])
        moved = (~kept | (left != self.before[:, 0]) | (right != self.before[:, 1]))[old]
        same = (now == then) & (np.bincount(arc, weights=moved, minlength=count) == 0)
        starts = self._node_of(np.array([one.xy[0] for one in self.arcs]))
        stops = self._node_of(np.array([one.xy[-1] for one in self.arcs]))
        for column in (0, 1):
            node = self.made.nodes[old, column]
            inner = junction[node] & (node != starts[arc]) & (node != stops[arc])
            same &= np.bincount(arc, weights=inner, minlength=count) == 0
        return np.asarray(same, dtype=bool)

    def _node_of(self, xy: IntArray) -> IntArray:
        local = xy - self.origin
        return np.searchsorted(self.made.points, local[:, 0] + 1j * local[:, 1]).astype(np.int64)

    def _name(self, code: int) -> str | None:
        return self.names[code] if code >= 0 else None


def _near(cutters: IntArray, segments: IntArray) -> IntArray:
    """Leave out what cannot meet the grids, but keep rings whole where they may enclose them."""
    return cutters if len(segments) else cutters[:0]


def _owners(made: Cut, before: IntArray, zone: int) -> IntArray:
    known: dict[int, int] = {}
    outside = len(made.atoms)
    for side, atom in ((0, made.left), (1, made.right)):
        existing = made.source >= 0
        pairs = np.unique(atom[existing] * _MANY + before[existing, side] + 1)
        for index, code in zip((pairs // _MANY).tolist(), (pairs % _MANY).tolist(), strict=True):
            known[index] = code - 1 if 0 < code <= zone else NOT_OURS
    known[outside] = NOT_OURS
    values = made.spread(known)
    return np.array(
        [NOT_OURS if value is None else value for value in values[:outside]], dtype=np.int64
    )


def _run(shared: IntArray, line: IntArray) -> Mask:
    """Tell which pieces of a shared edge lie between the ends of its new run."""
    merged = shapely.line_merge(shapely.multilinestrings(shared.reshape(-1, 2, 2).astype(float)))
    paths = shapely.get_parts(merged)
    start, end = (shapely.Point(*line[index].tolist()) for index in (0, -1))
    total = shapely.distance(paths, start) + shapely.distance(paths, end)
    path = paths[int(np.argmin(total))]
    middles = np.asarray(shapely.points((shared[:, :2] + shared[:, 2:]) / 2), dtype=object)
    on = shapely.distance(path, middles) <= 1
    at = shapely.line_locate_point(path, middles)
    first, last = _between(path, start, end)
    inside = on & (at > min(first, last)) & (at < max(first, last))
    if path.is_closed:
        other = on & ~inside
        drawn = shapely.LineString(line.astype(float))
        far = [
            float(np.mean(shapely.distance(drawn, middles[one]))) if one.any() else np.inf
            for one in (inside, other)
        ]
        return inside if far[0] <= far[1] else other
    return np.asarray(inside, dtype=bool)


def _between(path: Any, start: Any, end: Any) -> tuple[float, float]:
    """Measure along a path the ends of a line; one that is not on the path means the path's end."""
    length = path.length
    at = [float(path.project(point)) for point in (start, end)]
    on = [path.distance(point) <= _ON_PATH for point in (start, end)]
    tips = shapely.get_point(path, 0), shapely.get_point(path, -1)
    if all(on):
        return at[0], at[1]
    if not any(on):
        straight = tips[0].distance(start) + tips[1].distance(end)
        crossed = tips[1].distance(start) + tips[0].distance(end)
        return (0.0, length) if straight <= crossed else (length, 0.0)
    free, fixed = (0, 1) if on[1] else (1, 0)
    point = (start, end)[free]
    tip = 0.0 if tips[0].distance(point) <= tips[1].distance(point) else length
    return (tip, at[fixed]) if free == 0 else (at[fixed], tip)


def _place(line: Any) -> Place:
    x, y = shapely.get_coordinates(line)[0].tolist()
    return Place(feature=f"{x:.6f}, {y:.6f}")
