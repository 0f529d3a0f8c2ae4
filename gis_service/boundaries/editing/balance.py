"""What each grid carries: households, people, care, premises, hazards, incidents, patrol.

Counts are kept by unit: a building with all that is in it, or a thing that stands alone. After an
edit only units and roads that it touched are placed anew; the figures are those of placing all of
them. A point on a shared border belongs to the lowest grid id. Nothing here knows the store.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely

from gis_service.boundaries.editing.edits import EditResult
from gis_service.boundaries.editing.rules import LoadRules
from gis_service.boundaries.linework.noding import metres_per_degree
from gis_service.boundaries.linework.packed_shapes import PackedShapes
from gis_service.geodesy import GeometryArray, length_m

COUNTS: Final = (
    "households", "people", "care_households", "premises", "hazards", "incidents_month",
)  # fmt: skip
ALONG_M: Final = 1.0
ALONG_SHARE: Final = 0.9
"""A road runs along a border where it stays within 1 m of it for 90 % of its length."""
_FEW: Final = 5
_PLACES: Final = 20
"""A road is judged at so many places, evenly along it."""
_MOST_PLANES: Final = 4000
"""So many roads are kept unpacked: 5 MB."""
_NOWHERE: Final = -1

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Units:
    """What moves as one: a building with its households, or a thing that stands alone."""

    # A point on the building's surface, degrees.
    lon: FloatArray
    lat: FloatArray
    # Columns :data:`COUNTS`, one row for each unit; incidents as a mean of a month.
    counts: FloatArray


@dataclass(frozen=True)
class Load:
    """One grid's burden."""

    households: int
    people: int
    care_households: int
    premises: int
    hazards: int
    incidents_month: float
    # Roads inside; of those along a border with another grid half.
    patrol_km: float
    # All of it in households, by the county's weights.
    load: float
    # Least and most households by the scheme's rule for this class of place; None without one.
    target: tuple[int, int] | None
    # By how much the load lies outside the target, as a share of the bound it passed: 0 within,
    # below 0 too little, above 0 too much.
    deviation: float

    def as_dict(self) -> dict[str, Any]:
        """
        Write it down for a program.

        Returns
        -------
        dict
            Its attributes.
        """
        return asdict(self)


@dataclass(eq=False)
class Loads:
    """The burden of every base grid, kept up to date edit by edit."""

    _units: Units
    # Of each column of counts, in households; and of a kilometre of patrol.
    _weights: FloatArray
    _per_km: float
    _size_rule: Mapping[str, tuple[int, int]]
    _roads: "_Roads"
    # Number of each grid, by key: arrays name grids by it.
    _number: dict[str, int]
    _classes: dict[str, str | None]
    _faces: dict[str, Any]
    # The grid of each unit, and the units and their sums by grid.
    _owner: IntArray
    _units_in: dict[int, IntArray]
    _sums: dict[int, FloatArray] = field(default_factory=dict)

    @classmethod
    def place(
        cls,
        faces: Mapping[str, Any],
        units: Units,
        lines: PackedShapes,
        rules: LoadRules,
        *,
        street_count: int | None = None,
        size_rule: Mapping[str, Sequence[int]] | None = None,
        classes: Mapping[str, str | None] | None = None,
    ) -> "Loads":
        """
        Place every unit in its grid.

        Parameters
        ----------
        faces
            Land of each base grid by key, lon, lat.
        units
            What is counted.
        lines
            Streets, which are patrolled, and after them water; lon, lat.
        rules
            What each thing weighs.
        street_count
            How many of the lines are streets; all where None.
        size_rule
            Least and most households of a grid by ``urban`` and ``rural``.
        classes
            Urban–rural class of each grid.

        Returns
        -------
        Loads
            Roads are measured when a grid is first asked for.
        """
        owner = _find_owners(faces, units)
        return cls(
            units,
            np.array([getattr(rules, name).value for name in COUNTS]),
            rules.patrol_km.value,
            {name: (int(a), int(b)) for name, (a, b) in (size_rule or {}).items()},
            _Roads.at_scale(
                lines, len(lines) if street_count is None else street_count, _scale_of(faces)
            ),
            {key: number for number, key in enumerate(faces)},
            dict(classes or {}),
            dict(faces),
            owner,
            _group_by_owner(owner),
        )

    def copy(self) -> "Loads":
        """
        Begin a second draft on the same base without placing everything again.

        Returns
        -------
        Loads
            That goes its own way from here.
        """
        return replace(
            self,
            _roads=self._roads.copy(),
            _number=dict(self._number),
            _classes=dict(self._classes),
            _faces=dict(self._faces),
            _owner=self._owner.copy(),
            _units_in=dict(self._units_in),
            _sums=dict(self._sums),
        )

    # --- figures ---------------------------------------------------------------------------------

    @property
    def outside(self) -> IntArray:
        """Units that lie in no grid, positions in ``units``."""
        return np.flatnonzero(self._owner == _NOWHERE)

    def households_outside(self, without: IntArray | None = None) -> tuple[int, Any]:
        """Find households that lie in no grid."""
        outside = self.outside
        if without is not None:
            outside = np.setdiff1d(outside, without)
        outside = outside[self._units.counts[outside, 0] > 0]
        points = shapely.points(self._units.lon[outside], self._units.lat[outside])
        return round(float(self._units.counts[outside, 0].sum())), shapely.multipoints(points)

    def of(self, keys: Iterable[str] | None = None) -> dict[str, Load]:
        """
        Tell what grids carry.

        Parameters
        ----------
        keys
            Which; all where None.

        Returns
        -------
        dict
            Load by key; unknown keys are left out.
        """
        known = [key for key in (self._faces if keys is None else keys) if key in self._faces]
        self._measure_roads(known)
        loads = {}
        for key in known:
            number = self._number[key]
            metres = self._roads.metres_of(number)
            loads[key] = self._load(self._sum_of(number), metres, self._classes.get(key))
        return loads

    def households_of(self, key: str) -> int:
        """Tell how many households a grid holds, without measuring its roads."""
        return round(float(self._sum_of(self._number[key])[0]))

    def unit_positions(self, keys: Iterable[str]) -> IntArray:
        """Find the units that lie in grids: their positions, rising."""
        numbers = [self._number[key] for key in keys if key in self._faces]
        return np.sort(np.concatenate([*(self._units_in.get(c, _NONE) for c in numbers), _NONE]))

    def unit_places(self, units: IntArray) -> FloatArray:
        """Tell where units are: lon, lat, shape (n, 2)."""
        return np.column_stack([self._units.lon[units], self._units.lat[units]])

    def unit_counts(self, units: IntArray) -> FloatArray:
        """Tell what units hold: columns :data:`COUNTS`, shape (n, 6)."""
        return self._units.counts[units]

    def class_of(self, key: str) -> str | None:
        """
        Tell what kind of place a grid is.

        Parameters
        ----------
        key
            Of the grid.

        Returns
        -------
        str or None
            Its urban–rural class.
        """
        return self._classes.get(key)

    def _sum_of(self, number: int) -> FloatArray:
        if number not in self._sums:
            self._sums[number] = self._units.counts[self._units_in.get(number, _NONE)].sum(axis=0)
        return self._sums[number]

    def apply(self, change: EditResult) -> None:
        """
        Take a change over.

        Parameters
        ----------
        change
            What :meth:`Draft.apply`, ``undo`` or ``redo`` gave.
        """
        placed = self._place_again(change)
        self._roads.apply(self._share_roads_after(change))
        for key in change.touched:
            self._classes.setdefault(key, self._class_after(key, change))
        before = [self._units_in.get(self._number_of(key), _NONE) for key in change.before]
        self._owner[np.concatenate([*before, _NONE])] = _NOWHERE
        for key in change.before:
            self._units_in.pop(self._number_of(key), None)
            self._sums.pop(self._number_of(key), None)
        for key in change.retired:
            self._faces.pop(key, None)
        self._faces.update(change.after)
        for number, units in placed.items():
            self._units_in[number] = units
            self._sums.pop(number, None)
            self._owner[units] = number

    # --- placing units ---------------------------------------------------------------------------

    def _measure_roads(self, keys: Iterable[str]) -> None:
        """Measure the roads of grids that nobody has asked for yet."""
        land = {self._number_of(key): self._faces[key] for key in keys if key in self._faces}
        self._roads.measure_in(land, self._faces, self._number_of)

    def _share_roads_after(self, change: EditResult) -> "_RoadShares":
        self._measure_roads(change.before)
        return self._roads.shares_after(
            change, self._faces, self._faces_after(change), self._number_of
        )

    def _place_again(self, change: EditResult) -> dict[int, IntArray]:
        """Place again what lay in the faces that are others now; by number."""
        units_before = [self._units_in.get(self._number_of(key), _NONE) for key in change.before]
        waiting = np.sort(np.concatenate([*units_before, self.outside]))
        owner = np.full(len(waiting), _NOWHERE, dtype=np.int64)
        lon, lat = self._units.lon[waiting], self._units.lat[waiting]
        for key in sorted(change.after, key=_id_order, reverse=True):  # the lowest id writes last
            face = change.after[key]
            west, south, east, north = face.bounds
            near = np.flatnonzero((lon >= west) & (lon <= east) & (lat >= south) & (lat <= north))
            shapely.prepare(face)
            hit = near[shapely.intersects_xy(face, lon[near], lat[near])]
            owner[hit] = self._number_of(key)
        return {number: waiting[units] for number, units in _group_by_owner(owner).items()}

    def _number_of(self, key: str) -> int:
        if key not in self._number:
            self._number[key] = len(self._number)
        return self._number[key]

    def _faces_after(self, change: EditResult) -> dict[str, Any]:
        """Give every face beside the changed land as it will be."""
        return {
            **{key: face for key, face in self._faces.items() if key not in change.before},
            **change.after,
        }

    # --- weighing --------------------------------------------------------------------------------

    def _class_after(self, key: str, change: EditResult) -> str | None:
        if key in self._classes:
            return self._classes[key]
        gained = [move for move in change.moves if move.target == key]
        if not gained:
            return None
        return self._classes.get(max(gained, key=lambda move: move.area_m2).source)

    def target(self, urban_rural_class: str | None) -> tuple[int, int] | None:
        """
        Find the size rule for a class of place.

        Parameters
        ----------
        urban_rural_class
            ``111`` to ``220``; those that begin with 1 are urban.

        Returns
        -------
        least, most
            Households; None where the scheme sets nothing for it.
        """
        if not urban_rural_class:
            return None
        return self._size_rule.get("urban" if urban_rural_class.startswith("1") else "rural")

    def _load(self, counts: FloatArray, metres: float, urban_rural: str | None) -> Load:
        patrol_km = metres / 1000
        load = float(counts @ self._weights) + patrol_km * self._per_km
        target = self.target(urban_rural)
        rounded = [round(float(value)) for value in counts[:5]]
        return Load(
            rounded[0], rounded[1], rounded[2], rounded[3], rounded[4], round(float(counts[5]), 3),
            round(patrol_km, 4), round(load, 2), target, round(_deviation(load, target), 4),
        )  # fmt: skip


_NONE: Final = np.empty(0, dtype=np.int64)


def _find_owners(faces: Mapping[str, Any], units: Units) -> IntArray:
    """Find the face of each unit by its place among the faces; on a border the lowest id's."""
    land = np.array(list(faces.values()), dtype=object)
    shapely.prepare(land)
    points = np.asarray(shapely.points(units.lon, units.lat), dtype=object)
    face, unit = shapely.STRtree(points).query(land, predicate="intersects")
    by_id = sorted(range(len(land)), key=[_id_order(key) for key in faces].__getitem__)
    rank = np.argsort(np.array(by_id, dtype=np.int64))
    order = np.lexsort((rank[face], unit))
    unit, face = unit[order], face[order]
    first = np.ones(len(unit), dtype=bool)
    first[1:] = unit[1:] != unit[:-1]
    owner = np.full(len(units.lon), _NOWHERE, dtype=np.int64)
    owner[unit[first]] = face[first]
    return owner


def _deviation(load: float, target: tuple[int, int] | None) -> float:
    if target is None:
        return 0.0
    least, most = target
    if load < least:
        return load / least - 1
    return load / most - 1 if load > most else 0.0


def _group_by_owner(owner: IntArray) -> dict[int, IntArray]:
    order = np.argsort(owner, kind="stable")
    order = order[owner[order] >= 0]
    numbers, first = np.unique(owner[order], return_index=True)
    return (
        dict(zip(numbers.tolist(), np.split(order, first[1:]), strict=True)) if len(numbers) else {}
    )


def _id_order(key: str) -> tuple[int, int, str]:
    """Order keys as ids: known grids by number, new ones after them, other names last."""
    if key.isdigit():
        return (0, int(key), key)
    tail = key.rpartition("-")[2]
    return (1, int(tail) if tail.isdigit() else 0, key)


def _scale_of(faces: Mapping[str, Any]) -> FloatArray:
    bounds = shapely.total_bounds(np.array(list(faces.values()), dtype=object))
    return metres_per_degree(float(np.nan_to_num((bounds[1] + bounds[3]) / 2)))


# --- patrol --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _RoadShares:
    """Roads shared anew, and the metres that each grid gains by it."""

    shares: dict[int, dict[int, float]]
    gained: dict[int, float]


@dataclass(eq=False)
class _Roads:
    """Metres of road in each grid, kept road by road."""

    # A road is measured on the ellipsoid; how much of it lies in which grid is decided in a local
    # plane, when a grid at the road is first asked for: until then no change has touched the road.

    _lines: PackedShapes
    # So many of them, the first ones, are walked.
    _count: int
    _scale: FloatArray
    _metres: FloatArray
    # Which roads and which grids are measured, and what is known by that.
    _known: Mask
    _measured_grids: set[int] = field(default_factory=set)
    _shares: dict[int, dict[int, float]] = field(default_factory=dict)
    _sums: dict[int, float] = field(default_factory=dict)
    # The roads that were looked at, in the plane: an edit asks for the same ones several times.
    _planes: dict[int, Any] = field(default_factory=dict)

    @classmethod
    def at_scale(cls, lines: PackedShapes, count: int, scale: FloatArray) -> "_Roads":
        """Take roads in lon, lat; none is measured yet."""
        metres = length_m(lines[:count]) if count else np.empty(0)
        return cls(lines, count, scale, metres, np.zeros(count, dtype=bool))

    def metres_of(self, number: int) -> float:
        return self._sums.get(number, 0.0)

    def measure_in(
        self, land: Mapping[int, Any], faces: Mapping[str, Any], number_of: Callable[[str], int]
    ) -> None:
        """Measure every road in grids, given by number, among all faces as they are."""
        fresh = [number for number in land if number not in self._measured_grids]
        if not fresh or not self._count:
            return
        array = np.array([land[number] for number in fresh], dtype=object)
        self._measure(self._roads_at(array), faces, number_of)
        self._measured_grids.update(fresh)

    def _measure(
        self, roads: IntArray, faces: Mapping[str, Any], number_of: Callable[[str], int]
    ) -> None:
        fresh = roads[~self._known[roads]]
        if not len(fresh):
            return
        keys, near = self._beside(fresh, faces)
        numbers = np.array([number_of(key) for key in keys], dtype=np.int64)
        shares = self._share_among(fresh, numbers, near)
        self._known[fresh] = True
        self._shares.update(shares)
        for parts in shares.values():
            _add_shares(self._sums, parts, 1)

    def shares_after(
        self,
        change: EditResult,
        before: Mapping[str, Any],
        faces: Mapping[str, Any],
        number_of: Callable[[str], int],
    ) -> "_RoadShares":
        """Tell how the roads at the changed land are shared after a change, among all faces."""
        if not self._count:
            return _RoadShares({}, {})
        touched = self._roads_at(np.array([move.geometry for move in change.moves], dtype=object))
        self._measure(touched, before, number_of)
        keys, near = self._beside(touched, faces)
        numbers = np.array([number_of(key) for key in keys], dtype=np.int64)
        fresh = self._share_among(touched, numbers, near)
        gained: dict[int, float] = {}
        for road in touched.tolist():
            _add_shares(gained, self._shares.get(road, {}), -1)
            _add_shares(gained, fresh.get(road, {}), 1)
        return _RoadShares({road: fresh.get(road, {}) for road in touched.tolist()}, gained)

    def copy(self) -> "_Roads":
        """Share the lines, but not what they add up to."""
        return replace(
            self,
            _shares=dict(self._shares),
            _sums=dict(self._sums),
            _known=self._known.copy(),
            _measured_grids=set(self._measured_grids),
            _planes={},
        )

    def apply(self, walked: "_RoadShares") -> None:
        """Keep what :meth:`shares_after` found."""
        self._shares.update(walked.shares)
        _add_shares(self._sums, walked.gained, 1)

    def _roads_at(self, land: GeometryArray) -> IntArray:
        plane = shapely.transform(land, lambda xy: xy * self._scale)
        west, south, east, north = shapely.bounds(land).T
        dx, dy = 2 * ALONG_M / self._scale
        boxes: Any = shapely.box(west - dx, south - dy, east + dx, north + dy)
        at, road = self._lines.query(np.atleast_1d(boxes))
        at, road = at[road < self._count], road[road < self._count]
        shapely.prepare(plane)
        return np.unique(road[shapely.dwithin(plane[at], self._plane(road), 2 * ALONG_M)])

    def _plane(self, roads: IntArray) -> GeometryArray:
        planes = self._planes
        fresh = np.array([road for road in roads.tolist() if road not in planes], dtype=np.int64)
        if len(planes) + len(fresh) > _MOST_PLANES:
            fresh, planes = np.unique(roads), {}
            self._planes = planes
        lines = shapely.transform(self._lines[fresh], lambda xy: xy * self._scale)
        planes.update(zip(fresh.tolist(), lines, strict=True))
        return np.array([planes[road] for road in roads.tolist()], dtype=object)

    def _beside(self, roads: IntArray, faces: Mapping[str, Any]) -> tuple[list[str], GeometryArray]:
        array = np.array(list(faces.values()), dtype=object)
        if not len(roads):
            return [], array[:0]
        road_bounds = self._lines.bounds(roads)
        west, south = road_bounds[:, :2].min(axis=0)
        east, north = road_bounds[:, 2:].max(axis=0)
        bounds = shapely.bounds(array)
        slack = 1e-4
        near = np.flatnonzero(
            (bounds[:, 0] <= east + slack) & (bounds[:, 2] >= west - slack)
            & (bounds[:, 1] <= north + slack) & (bounds[:, 3] >= south - slack)
        )  # fmt: skip
        keys = list(faces)
        return [keys[index] for index in near.tolist()], array[near]

    def _share_among(
        self, roads: IntArray, numbers: IntArray, faces: GeometryArray
    ) -> dict[int, dict[int, float]]:
        """Share roads among faces in lon, lat; metres by road and number."""
        if not len(roads) or not len(faces):
            return {}
        land = shapely.transform(faces, lambda xy: xy * self._scale)
        shapely.prepare(land)
        lines = self._plane(roads)
        along = self._along(lines, land)
        road, face = shapely.STRtree(land).query(lines, predicate="intersects")
        inner = ~np.isin(road, list(along))
        road, face = road[inner], face[inner]
        is_inside = shapely.contains_properly(land[face], lines[road])
        inside = np.where(is_inside, shapely.length(lines[road]), 0.0)
        partly_inside = np.flatnonzero(~is_inside)
        clipped = shapely.intersection(lines[road[partly_inside]], land[face[partly_inside]])
        inside[partly_inside] = shapely.length(clipped)
        shares: dict[int, dict[int, float]] = {}
        full = shapely.length(lines)
        by_length = np.divide(self._metres[roads], full, out=np.zeros_like(full), where=full > 0)
        for i, j, length in zip(road.tolist(), face.tolist(), inside, strict=True):
            if length > 0:
                parts = shares.setdefault(int(roads[i]), {})
                parts[int(numbers[j])] = float(length * by_length[i])
        for i, parts in along.items():
            total = sum(parts.values())
            shares[int(roads[i])] = {
                int(numbers[j]): float(full[i] * by_length[i] * length / total)
                for j, length in sorted(parts.items())
            }
        return shares

    def _along(self, lines: GeometryArray, land: GeometryArray) -> dict[int, dict[int, float]]:
        """Find the lines that run along a border, with the metres along each face's."""
        borders = shapely.boundary(land)
        shapely.prepare(borders)
        line, face = shapely.STRtree(borders).query(lines, predicate="dwithin", distance=ALONG_M)
        for count in (_FEW, _PLACES):  # a few places rule most roads out
            used, place = np.unique(line, return_inverse=True)
            places = _places_along(lines[used], count)[place]
            close = shapely.dwithin(borders[face][:, None], places, ALONG_M)
            times = close.sum(axis=1)
            border_places = np.bincount(line, weights=times, minlength=len(lines))
            share = 2 * count * (ALONG_SHARE if count == _PLACES else 0.5)
            is_kept = (border_places >= share)[line] & (times > 0)
            line, face, times = line[is_kept], face[is_kept], times[is_kept]
        lengths: dict[int, dict[int, float]] = {}
        found = zip(line.tolist(), face.tolist(), times.tolist(), strict=True)
        for line_index, face_index, places_beside in found:
            lengths.setdefault(line_index, {})[face_index] = float(places_beside)
        return lengths


def _places_along(lines: GeometryArray, count: int) -> GeometryArray:
    """Places evenly along lines, shape (lines, count)."""
    shares = (np.arange(count) + 0.5) / count
    return np.asarray(
        shapely.line_interpolate_point(lines[:, None], shares[None, :], normalized=True),
        dtype=object,
    )


def _add_shares(sums: dict[int, float], shares: Mapping[int, float], sign: int) -> None:
    for number, metres in shares.items():
        sums[number] = sums.get(number, 0.0) + sign * metres
