"""A planner's edits on a scheme's noded linework: what is given to one grid, everyone else loses.

Each edit cuts the touched grids into atoms, hands atoms over, and joins what is left into arcs; so
a gap or an overlap cannot arise. A :class:`Draft` keeps what every edit took out and put in: undo
gives back the same bytes. Nothing here knows the store, the people on the land, or who may edit.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely

from gis_service.boundaries.editing.redrawing import find_new_lines, give_regions
from gis_service.boundaries.linework import lines as linework
from gis_service.boundaries.linework.atoms import CutGrids
from gis_service.boundaries.linework.lines import PER_DEGREE, Arc
from gis_service.boundaries.linework.snapping import snap_rings
from gis_service.boundaries.linework.tessellation import OUTSIDE, Tessellation, build_faces
from gis_service.errors import InputError, NotFoundError, Place
from gis_service.geodesy import area_m2

SNAP_M: Final = 0.5
"""A drawn line nearer than this to a border or a vertex is taken to mean it."""
LEAVES_M: Final = 1.0
"""A moved edge may run beyond its two grids by so much."""
MOST_VERTICES: Final = 60_000
KINDS: Final = (
    "split", "merge", "move_edge", "give", "hand_over_buildings", "draw", "dissolve", "redraw",
)  # fmt: skip

Edit = Mapping[str, Any]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LandTransfer:
    """
    Land that goes from one grid to another.

    Attributes
    ----------
    source, target
        Keys of the grids.
    area_m2
        On the ellipsoid.
    geometry
        MultiPolygon in lon, lat.
    """

    source: str
    target: str
    area_m2: float
    geometry: Any


@dataclass(frozen=True)
class EditResult:
    """
    What an edit, or its undoing, did.

    Attributes
    ----------
    kind
        The edit's.
    touched
        Grids whose land is another one, new and retired ones included.
    renoded
        Neighbours that only gained or lost a vertex: not changed for anybody's eyes.
    created, retired
        Keys.
    moves
        Which land went where.
    before, after
        Faces of ``touched`` and ``renoded``; a created grid has none before, a retired none after.
    parents
        Parent of each touched grid.
    crosses
        Whether land went to a grid of another parent.
    """

    kind: str
    touched: tuple[str, ...]
    renoded: tuple[str, ...]
    created: tuple[str, ...]
    retired: tuple[str, ...]
    moves: tuple[LandTransfer, ...]
    before: Mapping[str, Any] = field(repr=False)
    after: Mapping[str, Any] = field(repr=False)
    parents: Mapping[str, str]
    crosses: bool = False

    @property
    def moved_area(self) -> float:
        """Square metres that changed hands."""
        return sum(move.area_m2 for move in self.moves)

    def inverse(self) -> "EditResult":
        """Look at it backwards."""
        return EditResult(
            self.kind,
            self.touched,
            self.renoded,
            self.retired,
            self.created,
            tuple(LandTransfer(m.target, m.source, m.area_m2, m.geometry) for m in self.moves),
            self.after,
            self.before,
            self.parents,
            self.crosses,
        )


@dataclass(frozen=True)
class Edge:
    """A run of border between two grids, or a grid and the outside."""

    # Keys along the line's direction; None for the outside.
    left: str | None
    right: str | None
    # ``street``, ``water`` or ``other``.
    kind: str
    # LineString in lon, lat.
    line: Any
    # Whether it is new in this draft.
    drawn: bool = False


@dataclass(frozen=True)
class _Step:
    change: EditResult
    removed: dict[int, Arc]
    added: dict[int, Arc]


class Draft:
    """
    A tessellation under a planner's hands.

    Parameters
    ----------
    tessellation
        The base version's linework.
    parents
        For each base grid the key of its parent.
    editable
        Grids that may gain or lose land; all where None. A new grid may.
    snap_m
        Metres within which a drawn line is taken to mean a border or a vertex.
    """

    def __init__(
        self,
        tessellation: Tessellation,
        parents: Mapping[str, str],
        *,
        editable: Collection[str] | None = None,
        snap_m: float = SNAP_M,
    ) -> None:
        self.snap_m = snap_m
        self._editable = None if editable is None else set(editable)
        self._keys = {str(key): None for key in tessellation.keys}
        self._parents = {key: parents[key] for key in self._keys}
        self._arcs: dict[int, Arc] = {}
        self._arcs_of: dict[str, set[int]] = {key: set() for key in self._keys}
        self._ends: Counter[tuple[int, int]] = Counter()
        names = (*tessellation.keys, None)
        for index, (line, kind, left, right) in enumerate(
            zip(
                tessellation.arcs, tessellation.kinds.tolist(), tessellation.left.tolist(),
                tessellation.right.tolist(), strict=True,
            )
        ):  # fmt: skip
            self._put(index, Arc(linework.to_lattice(line), kind, names[left], names[right]))
        self._next = len(self._arcs)
        self._faces: dict[str, Any] = {}
        self._row: dict[str, int] = {}
        self._bounds = np.empty((0, 4))
        self._see(dict(zip(self._keys, self.tessellation().faces(), strict=True)))
        self._done: list[_Step] = []

    # --- what it holds -------------------------------------------------------------------------

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the base grids, new ones last."""
        return tuple(self._keys)

    @property
    def parents(self) -> dict[str, str]:
        """Parent of each base grid."""
        return dict(self._parents)

    @property
    def changes(self) -> tuple[EditResult, ...]:
        """What was done and not undone, in order."""
        return tuple(step.change for step in self._done)

    def faces(self, keys: Iterable[str] | None = None) -> dict[str, Any]:
        """
        Give the land of base grids.

        Parameters
        ----------
        keys
            Which; all where None.

        Returns
        -------
        dict
            MultiPolygon in lon, lat by key; unknown keys are left out.
        """
        chosen = self._keys if keys is None else keys
        return {key: self._faces[key] for key in chosen if key in self._keys}

    def edges(self, keys: Iterable[str] | None = None) -> list[Edge]:
        """
        Give the runs of border around base grids.

        Parameters
        ----------
        keys
            Which; all where None.

        Returns
        -------
        list of Edge
            Each run once.
        """
        chosen = self._keys if keys is None else [key for key in keys if key in self._keys]
        indices = sorted({index for key in chosen for index in self._arcs_of[key]})
        arcs = [self._arcs[index] for index in indices]
        return [Edge(arc.left, arc.right, arc.kind, arc.line, arc.drawn) for arc in arcs]

    def within(self, west: float, south: float, east: float, north: float) -> list[str]:
        """
        Find the grids that a box may touch.

        Parameters
        ----------
        west, south, east, north
            Degrees.

        Returns
        -------
        list of str
            Keys, by their bounding boxes.
        """
        bounds = self._bounds
        near = (
            (bounds[:, 0] <= east) & (bounds[:, 2] >= west)
            & (bounds[:, 1] <= north) & (bounds[:, 3] >= south)
        )  # fmt: skip
        return [key for key in self._keys if near[self._row[key]]]

    def neighbours(self, key: str) -> list[str]:
        """
        Find the grids that share an edge with one.

        Parameters
        ----------
        key
            A base grid.

        Returns
        -------
        list of str
            Keys, sorted.
        """
        arcs = [self._arcs[index] for index in self._arcs_of[key]]
        beside = {side for arc in arcs for side in (arc.left, arc.right)}
        return sorted(side for side in beside if side is not None and side != key)

    def tessellation(self) -> Tessellation:
        """
        Give the linework as it stands.

        Returns
        -------
        Tessellation
            The same edits on the same base give the same bytes.
        """
        position: dict[str | None, int] = {key: index for index, key in enumerate(self._keys)}
        position[None] = OUTSIDE
        arcs = [self._arcs[index] for index in sorted(self._arcs)]
        lines = np.empty(len(arcs), dtype=object)
        lines[:] = [arc.line for arc in arcs]
        return Tessellation(
            tuple(self._keys),
            lines,
            np.array([arc.kind for arc in arcs]),
            np.array([position[arc.left] for arc in arcs], dtype=np.int64),
            np.array([position[arc.right] for arc in arcs], dtype=np.int64),
        )

    def cut(self, keys: Sequence[str], lines: Sequence[IntArray]) -> CutGrids:
        """Take grids apart along lines, in steps of the lattice, and leave the draft as it is."""
        return self._open(lines, keys)

    # --- editing -------------------------------------------------------------------------------

    def apply(self, edit: Edit) -> EditResult:
        """
        Do an edit.

        Parameters
        ----------
        edit
            ``kind`` is one of :data:`KINDS`; geometries are GeoJSON or shapely, lon, lat.
            ``split`` and ``draw`` take a ``key`` for the new grid, otherwise it is ``new-1``,
            ``new-2`` …; ``redraw`` takes ``grids`` and their ``regions`` by key: together the land
            of the grids, each new key a new grid, a grid without region ends, and a region is
            taken as it is, not snapped; ``hand_over_buildings`` takes the ``region`` that
            :func:`gis_service.boundaries.editing.handing_over.find_region` makes of the buildings.

        Returns
        -------
        EditResult
            What it did.

        Raises
        ------
        InputError
            The edit cannot be done; the draft stays as it was.
        NotFoundError
            It names a grid that the draft does not have.
        """
        step = self._worked_out(edit)
        self._take(step)
        self._done.append(step)
        return step.change

    def undo(self) -> EditResult:
        """Take back the last edit."""
        if not self._done:
            raise InputError("boundaries.nothing_to_undo")
        step = self._done.pop()
        inverse = _Step(step.change.inverse(), step.added, step.removed)
        self._take(inverse)
        return inverse.change

    # --- the edits -----------------------------------------------------------------------------

    def _worked_out(self, edit: Edit) -> _Step:
        kind = edit.get("kind")
        works: dict[Any, Callable[[Edit], _Step]] = {
            "split": self._split,
            "merge": self._merge,
            "move_edge": self._move_edge,
            "give": self._give,
            "hand_over_buildings": self._give,
            "draw": self._draw,
            "dissolve": self._dissolve,
            "redraw": self._redraw,
        }
        if kind not in works:
            raise InputError(
                "boundaries.unknown_edit", place=Place(field="kind"), known=", ".join(KINDS)
            )
        return works[kind](edit)

    def _split(self, edit: Edit) -> _Step:
        key, keeps = self._known(edit.get("grid")), edit.get("keeps", "larger")
        if keeps not in ("larger", "left"):
            raise InputError("boundaries.unknown_keeps", place=Place(field="keeps"))
        line = _read_line(edit)
        opened = self._open([self._snapped(line, [key])[0]], [key])
        halves = opened.halves(0, line, keeps=keeps)
        new = self._new_key(edit)
        owner = opened.old.copy()
        owner[halves] = opened.code(new)
        return self._closed("split", opened, owner, {new: self._parents[key]})

    def _merge(self, edit: Edit) -> _Step:
        keys = [self._known(key) for key in edit.get("grids", ())]
        into = self._known(edit.get("into"))
        retiring = [key for key in dict.fromkeys(keys) if key != into]
        if not retiring:
            raise InputError("boundaries.merge_needs_two", place=Place(field="grids"))
        opened = self._open([], [*retiring, into])
        owner = np.where(opened.old >= 0, opened.code(into), opened.old)
        return self._closed("merge", opened, owner, {}, retiring=retiring)

    def _give(self, edit: Edit) -> _Step:
        to = self._known(edit.get("to"))
        opened = self._open_region(edit)
        owner = np.where(opened.inside & (opened.old >= 0), opened.code(to), opened.old)
        return self._closed(str(edit["kind"]), opened, owner, {})

    def _draw(self, edit: Edit) -> _Step:
        opened = self._open_region(edit)
        is_given = opened.inside & (opened.old >= 0)
        if not is_given.any():
            raise InputError("boundaries.region_outside", place=Place(field="region"))
        share = np.bincount(opened.old[is_given], weights=opened.area_m2[is_given])
        new = self._new_key(edit)
        parent = self._parents[str(opened.names[int(np.argmax(share))])]
        owner = np.where(is_given, opened.code(new), opened.old)
        return self._closed("draw", opened, owner, {new: parent})

    def _dissolve(self, edit: Edit) -> _Step:
        key = self._known(edit.get("grid"))
        parent = self._parents[key]
        siblings = [
            sibling
            for sibling, above in self._parents.items()
            if above == parent and sibling != key
        ]
        if not siblings:
            raise InputError("boundaries.last_grid", place=Place(feature=key), parent=parent)
        opened = self._open([], [key])
        borders = opened.borders()
        codes = {opened.code(sibling) for sibling in siblings}
        owner = opened.old.copy()
        for atom in np.flatnonzero(opened.old >= 0).tolist():
            lengths = {
                code: metres for code, metres in borders.get(atom, {}).items() if code in codes
            }
            if not lengths:
                raise InputError("boundaries.no_sibling_beside", place=Place(feature=key))
            owner[atom] = max(lengths, key=lambda code: (lengths[code], opened.names[code]))
        return self._closed("dissolve", opened, owner, {}, retiring=[key])

    def _move_edge(self, edit: Edit) -> _Step:
        left, right = self._known(edit.get("left")), self._known(edit.get("right"))
        if left == right:
            raise InputError("boundaries.edge_needs_two", place=Place(field="right"))
        if right not in self.neighbours(left):
            raise InputError("boundaries.edge_not_shared", place=Place(feature=f"{left} / {right}"))
        line = self._snapped(_read_line(edit), [left, right])[0]
        opened = self._open([line], [left, right])
        if opened.outside_m() > LEAVES_M:
            raise InputError("boundaries.edge_leaves", place=_place_of(line))
        owner = opened.moved_edge(line - opened.origin)
        return self._closed("move_edge", opened, owner, {})

    def _redraw(self, edit: Edit) -> _Step:
        zone = [self._known(key) for key in dict.fromkeys(edit.get("grids", ()))]
        regions = _read_regions(edit, zone)
        if not zone or not regions:
            raise InputError("boundaries.redraw_without_land", place=Place(field="regions"))
        created = [key for key in regions if key not in zone]
        taken = [key for key in created if key in self._keys]
        if taken:
            raise InputError("boundaries.key_taken", place=Place(field="regions"), grid=taken[0])
        borders = [self._arcs[index].xy for key in zone for index in self._arcs_of[key]]
        opened = self._open(find_new_lines(list(regions.values()), borders), zone)
        owner = give_regions(opened, regions)
        parents: dict[str, str] = {}
        for key in created:
            own = owner == opened.code(key)
            area = np.bincount(opened.old[own], weights=opened.area_m2[own], minlength=1)
            parents[key] = self._parents[opened.names[int(np.argmax(area))]]
        retiring = [key for key in zone if key not in regions]
        return self._closed("redraw", opened, owner, parents, retiring=retiring)

    # --- opening and closing the linework --------------------------------------------------------

    def _open_region(self, edit: Edit) -> CutGrids:
        region = _read_region(edit)
        zone = self._met_by(region)
        if not zone:
            raise InputError("boundaries.region_outside", place=Place(field="region"))
        return self._open(self._snapped(region, zone), zone)

    def _open(self, lines: Sequence[IntArray], zone: Sequence[str]) -> CutGrids:
        indices = sorted({index for key in zone for index in self._arcs_of[key]})
        return CutGrids.of([self._arcs[index] for index in indices], indices, lines, zone)

    def _met_by(self, region: Any) -> list[str]:
        near = self.within(*region.bounds)
        shapely.prepare(region)
        hit = shapely.intersects(region, np.array([self._faces[key] for key in near], dtype=object))
        return [key for key, met in zip(near, np.atleast_1d(hit), strict=True) if met]

    def _snapped(self, geometry: Any, keys: Sequence[str]) -> list[IntArray]:
        arcs = {index for key in keys for index in self._arcs_of[key]}
        lines = [self._arcs[index].xy for index in sorted(arcs)]
        rings = [linework.to_lattice(ring) for ring in _lines_of(geometry)]
        return snap_rings(rings, lines, self.snap_m)

    def _closed(
        self,
        kind: str,
        opened: CutGrids,
        owner: IntArray,
        created: Mapping[str, str],
        *,
        retiring: Collection[str] = (),
    ) -> _Step:
        owner = opened.without_slivers(owner)
        if np.array_equal(owner, opened.old):
            raise InputError("boundaries.nothing_changes")
        pairs = opened.moved_pairs(owner)
        changed = {name for pair in pairs for name in pair}
        self._check_allowed(changed - set(created))
        remaining = {opened.names[code] for code in np.unique(owner[owner >= 0]).tolist()}
        emptied = sorted(key for key in opened.zone if key not in remaining)
        unexpected = [key for key in emptied if key not in retiring]
        if unexpected:
            raise InputError(
                "boundaries.nothing_left", place=Place(feature=unexpected[0]),
                grids=", ".join(unexpected),
            )  # fmt: skip
        if any(new not in remaining for new in created):
            raise InputError("boundaries.piece_too_small")
        self._check_parents(emptied, created)
        replaced, arcs = opened.new_arcs(owner, self._ends)
        removed = {index: self._arcs[index] for index in replaced}
        added = {self._next + place: arc for place, arc in enumerate(arcs)}
        all_keys = _find_renoded(removed.values(), arcs) | changed
        after = self._built(sorted(all_keys - set(emptied)), removed, added)
        order = [*self._keys, *created]
        rank = {key: place for place, key in enumerate(order)}
        touched = sorted(changed, key=rank.__getitem__)
        renoded = sorted(all_keys - changed, key=rank.__getitem__)
        parents = {key: created[key] if key in created else self._parents[key] for key in touched}
        change = EditResult(
            kind,
            tuple(touched),
            tuple(renoded),
            tuple(created),
            tuple(sorted(emptied, key=rank.__getitem__)),
            tuple(
                LandTransfer(source, target, float(area_m2(land)[0]), land)
                for (source, target), land in pairs.items()
            ),
            {key: self._faces[key] for key in (*touched, *renoded) if key not in created},
            after,
            parents,
            any(parents[source] != parents[target] for source, target in pairs),
        )
        return _Step(change, removed, added)

    def _check_allowed(self, keys: Iterable[str]) -> None:
        if self._editable is None:
            return
        new_keys = {key for step in self._done for key in step.change.created}
        barred = sorted(key for key in keys if key not in self._editable and key not in new_keys)
        if barred:
            raise InputError(
                "boundaries.not_editable", place=Place(feature=barred[0]), grids=", ".join(barred)
            )

    def _check_parents(self, emptied: Collection[str], created: Mapping[str, str]) -> None:
        if not emptied:
            return
        parents_left = {above for key, above in self._parents.items() if key not in emptied}
        parents_left |= set(created.values())
        for key in emptied:
            if self._parents[key] not in parents_left:
                parent = self._parents[key]
                raise InputError("boundaries.last_grid", place=Place(feature=key), parent=parent)

    def _built(
        self, keys: list[str], removed: Mapping[int, Arc], added: Mapping[int, Arc]
    ) -> dict[str, Any]:
        around = {index for key in keys for index in self._arcs_of.get(key, ())}
        key_set = set(keys)
        arcs = [self._arcs[index] for index in sorted(around - removed.keys())]
        arcs += [arc for arc in added.values() if arc.left in key_set or arc.right in key_set]
        position = {key: index for index, key in enumerate(keys)}
        lines = np.empty(len(arcs), dtype=object)
        lines[:] = [arc.line for arc in arcs]
        left = np.array([position.get(arc.left or "", OUTSIDE) for arc in arcs], dtype=np.int64)
        right = np.array([position.get(arc.right or "", OUTSIDE) for arc in arcs], dtype=np.int64)
        return dict(zip(keys, build_faces(lines, left, right, keys), strict=True))

    # --- keeping the books -----------------------------------------------------------------------

    def _take(self, step: _Step) -> None:
        for index in step.removed:
            self._drop(index)
        change = step.change
        for key in change.created:
            self._keys[key] = None
            self._parents[key] = change.parents[key]
            self._arcs_of.setdefault(key, set())
        for index, arc in step.added.items():
            self._put(index, arc)
        self._next = max(self._next, max(step.added, default=-1) + 1)
        for key in change.retired:
            del self._keys[key], self._parents[key], self._arcs_of[key]
            self._bounds[self._row[key]] = np.nan
        self._see(change.after)
        if change.created:
            self._in_order()

    def _in_order(self) -> None:
        """Keep old grids first, in the base version's order: an undone merge changes nothing."""
        ordered = sorted(self._keys, key=self._row.__getitem__)
        self._keys = dict.fromkeys(ordered)

    def _put(self, index: int, arc: Arc) -> None:
        self._arcs[index] = arc
        for side in (arc.left, arc.right):
            if side is not None:
                self._arcs_of[side].add(index)
        self._ends.update(_ends_of(arc))

    def _drop(self, index: int) -> None:
        arc = self._arcs.pop(index)
        for side in (arc.left, arc.right):
            if side is not None:
                self._arcs_of[side].discard(index)
        self._ends.subtract(_ends_of(arc))
        for end in _ends_of(arc):
            if not self._ends[end]:
                del self._ends[end]

    def _see(self, faces: Mapping[str, Any]) -> None:
        self._faces.update(faces)
        for key in faces:
            self._row.setdefault(key, len(self._row))
        grown = len(self._row) - len(self._bounds)
        if grown:
            self._bounds = np.concatenate([self._bounds, np.full((grown, 4), np.nan)])
        if faces:
            rows = [self._row[key] for key in faces]
            self._bounds[rows] = shapely.bounds(np.array(list(faces.values()), dtype=object))

    def _known(self, key: object) -> str:
        name = str(key)
        if name not in self._keys:
            raise NotFoundError("boundaries.no_such_grid", place=Place(feature=name), grid=name)
        return name

    def _new_key(self, edit: Edit) -> str:
        key = edit.get("key")
        if key is None:
            used = [key for step in self._done for key in step.change.created]
            number = 1 + max((int(k[4:]) for k in used if k[4:].isdigit()), default=0)
            return f"new-{number}"
        if str(key) in self._row and str(key) in self._keys:
            raise InputError("boundaries.key_taken", place=Place(field="key"), grid=str(key))
        return str(key)


def _find_renoded(removed: Iterable[Arc], added: Iterable[Arc]) -> set[str]:
    """Find grids whose border has other vertices: no edit takes one away from a neighbour."""
    segments: Counter[str | None] = Counter()
    for sign, arcs in ((-1, removed), (1, added)):
        for arc in arcs:
            for side in (arc.left, arc.right):
                segments[side] += sign * len(arc.xy) - sign
    return {side for side, count in segments.items() if count and side is not None}


def _ends_of(arc: Arc) -> list[tuple[int, int]]:
    first, last = arc.xy[0].tolist(), arc.xy[-1].tolist()
    return [(first[0], first[1]), (last[0], last[1])]


def _read_geometry(edit: Edit, name: str) -> Any:
    value = edit.get(name)
    if isinstance(value, shapely.Geometry):
        return shapely.force_2d(value)
    try:
        geometry = shapely.force_2d(shapely.geometry.shape(value or {}))
    except (TypeError, ValueError, AttributeError, KeyError, IndexError, shapely.GEOSException):
        raise InputError("boundaries.no_geometry", place=Place(field=name), field=name) from None
    return geometry


def _check_geometry(geometry: Any, name: str, kinds: tuple[str, ...]) -> Any:
    if geometry is None or geometry.geom_type not in kinds or geometry.is_empty:
        raise InputError("boundaries.no_geometry", place=Place(field=name), field=name)
    xy = shapely.get_coordinates(geometry)
    if not np.isfinite(xy).all() or (np.abs(xy) > (180.0, 90.0)).any():
        raise InputError("boundaries.not_in_degrees", place=Place(field=name), field=name)
    if len(xy) > MOST_VERTICES:
        raise InputError(
            "boundaries.too_many_vertices", place=Place(field=name), n=len(xy), most=MOST_VERTICES
        )
    return geometry


def _read_line(edit: Edit) -> Any:
    line = _check_geometry(_read_geometry(edit, "line"), "line", ("LineString",))
    line = shapely.remove_repeated_points(line)
    if len(line.coords) < 2 or line.length == 0:
        raise InputError("boundaries.line_without_length", place=Place(field="line"))
    if not line.is_simple:
        raise InputError("boundaries.line_touches_itself", place=Place(field="line"))
    return line


def _read_region(edit: Edit, name: str = "region") -> Any:
    region = _check_geometry(_read_geometry(edit, name), name, ("Polygon", "MultiPolygon"))
    if not region.is_valid:
        reason = shapely.is_valid_reason(region)
        raise InputError("boundaries.invalid_region", place=Place(field=name), reason=reason)
    return region


def _read_regions(edit: Edit, zone: Sequence[str]) -> dict[str, Any]:
    """Read the land of grids by key: those that are there in their order, then new ones."""
    given = edit.get("regions")
    if not isinstance(given, Mapping):
        raise InputError("boundaries.no_geometry", place=Place(field="regions"), field="regions")
    new_keys = sorted((str(key) for key in given if key not in zone), key=lambda k: (len(k), k))
    return {key: _read_region(given, key) for key in (*zone, *new_keys) if key in given}


def _lines_of(geometry: Any) -> list[Any]:
    if geometry.geom_type == "LineString":
        return [geometry]
    return list(shapely.get_rings(shapely.get_parts(geometry)))


def _place_of(xy: IntArray) -> Place:
    lon, lat = (xy[0] / PER_DEGREE).tolist()
    return Place(feature=f"{lon:.6f}, {lat:.6f}")


__all__ = [
    "Draft",
    "Edge",
    "EditResult",
    "LandTransfer",
]  # fmt: skip
