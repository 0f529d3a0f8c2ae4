"""Which grid every object belongs to: written as history, and as today's copy on the row.

A building is placed by its point, a household follows its building, everything else by its own
point. Whatever happens, objects that are new or have moved, land that another grid has taken over,
comes down to objects, where they lie, and from which day on; :func:`write_moves` writes that.

The history names cohorts: objects that went from grid to grid together so far. Where all of a
cohort go on together its one row is written, where they part their own are. The tables are read
and written in ``membership``; the view ``assignment`` joins them.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
import shapely
import sqlalchemy as sa

from gis_service.grids.locator.locator import NO_GRID, Locator
from gis_service.grids.membership import queries, writing
from gis_service.grids.membership.queries import METHODS, Answers, Objects, OpenRows
from gis_service.grids.versions import (
    Version,
    keep_boundaries,
    read_polygons,
    read_versions,
    today,
)
from gis_service.store import tables as t

IntArray = npt.NDArray[np.int64]

_KINDS: Final = t.OBJECT_KINDS  # buildings first
_TIE, _BY_BUILDING, _, _OUTSIDE, _WITHIN = range(len(METHODS))


@dataclass(frozen=True)
class Outside:
    """An object outside every grid, with the nearest one."""

    object_kind: str
    object_id: int
    nearest_grid_id: int
    distance_m: float


@dataclass
class AssignmentReport:
    """
    What an assignment did.

    Attributes
    ----------
    counts
        By kind of object: ``n``, ``assigned``, ``outside``, ``tie``.
    outside
        Every object outside, today.
    faults
        Households whose own point lies in another grid than their building's, today.
    """

    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    outside: list[Outside] = field(default_factory=list)
    faults: list[int] = field(default_factory=list)


_Rows = TypeVar("_Rows", Objects, Answers, OpenRows)


def _take_rows(arrays: _Rows, rows: IntArray) -> _Rows:
    """Take some rows of several arrays."""
    columns = vars(arrays).items()
    return replace(arrays, **{name: column[rows] for name, column in columns if name != "kind"})


def assign_new(connection: sa.Connection, kinds: Sequence[str] = _KINDS) -> AssignmentReport:
    """
    Write the history of every object that has none yet, through all versions of every scheme.

    Parameters
    ----------
    connection
        An open transaction.
    kinds
        Of objects, where only some can be new; buildings go before households.

    Returns
    -------
    AssignmentReport
        What was written for the base scheme.
    """
    keep_boundaries(connection)
    report = AssignmentReport()
    written = 0

    @cache
    def locator(version: Version) -> Locator:
        return _make_locator(connection, version.scheme_id, version.effective_day)

    for all_versions, is_base in _read_schemes(connection):
        for kind in kinds:
            objects = queries.read_objects(
                connection, kind, without_history_in=all_versions[0].scheme_id
            )
            if len(objects.ids):
                buildings = _read_buildings_of(connection, objects)
                fresh = np.ones(len(objects.ids), dtype=bool)
                report_of_base = report if is_base else None
                written += _write_through(
                    connection, all_versions, objects, fresh, buildings, locator, report_of_base
                )
    if written:
        writing.analyze(connection)
    return report


def place_again(connection: sa.Connection, kind: str, object_ids: Sequence[int]) -> dict[str, int]:
    """
    Write where objects lie from today on: new ones, or such as have moved.

    What was is kept: an open row is closed today, an object that returns the same day has its old
    row again. Only what lies elsewhere than its history says is written, under every version that
    is in force or to come; an object without a history gets one from the beginning, as in
    :func:`assign_new`. Households follow a building that moves.

    Parameters
    ----------
    connection
        The transaction that wrote the objects.
    kind
        Of object.
    object_ids
        Whose, anywhere in the county.

    Returns
    -------
    dict
        Objects that changed their grid of the base scheme, by kind.
    """
    if not len(object_ids):
        return {}
    keep_boundaries(connection)
    moved: dict[str, int] = {}
    objects = queries.read_objects(connection, kind, only=object_ids)
    buildings = _read_buildings_of(connection, objects)
    places = _unique_places(objects, buildings)

    def locator(version: Version) -> Locator:
        return _make_locator(connection, version.scheme_id, version.effective_day, places)

    for all_versions, is_base in _read_schemes(connection):
        new = queries.read_objects(
            connection, kind, without_history_in=all_versions[0].scheme_id, only=object_ids
        )
        fresh = np.isin(objects.ids, new.ids)
        now = today(connection).toordinal()
        dated = replace(objects, since=np.where(fresh, objects.since, now))
        count = _write_through(connection, all_versions, dated, fresh, buildings, locator)
        moved |= {kind: count} if is_base else {}
    if kind == "building":
        inside = queries.find_households_in(connection, objects.ids)
        moved |= place_again(connection, "household", inside)
    return moved


def _read_schemes(connection: sa.Connection) -> list[tuple[list[Version], bool]]:
    """Read the versions of every scheme that has any, and whether it is the base scheme."""
    rows = queries.read_schemes(connection)
    schemes = [(read_versions(connection, code), is_base) for code, is_base in rows]
    return [(all_versions, is_base) for all_versions, is_base in schemes if all_versions]


def _write_through(
    connection: sa.Connection,
    all_versions: list[Version],
    objects: Objects,
    fresh: npt.NDArray[np.bool_],
    buildings: Objects | None,
    locator: Callable[[Version], Locator],
    report: AssignmentReport | None = None,
) -> int:
    """Write where objects lie under each version, as far as that is not what their history says."""
    # Fresh ones have no history; that of all others is left as it is before today.
    now = today(connection)
    days = [version.effective_day.toordinal() for version in all_versions]
    in_force = max(bisect_right(days, now.toordinal()) - 1, 0)  # all to come: the first of them
    since = np.maximum(objects.since, days[0])
    written = np.zeros(len(objects.ids), dtype=bool)
    before: Answers | None = None
    for index, (version, until) in enumerate(zip(all_versions, [*days[1:], _EVER], strict=True)):
        begun = since < until
        if not begun.any():
            continue
        version_locator = locator(version)
        placed = None if buildings is None else _place_buildings(buildings, version_locator)
        answer, faults = _place_objects(objects, version_locator, placed)
        _add_nearest(answer, objects, version_locator)
        is_written = begun & ~written
        with_history = np.flatnonzero(is_written & ~fresh)
        if len(with_history):
            day = max(now, version.effective_day)
            is_written[with_history] = _find_differing(
                connection,
                version.scheme_id,
                _take_rows(objects, with_history),
                _take_rows(answer, with_history),
                day,
            )
        if before is not None:
            is_written |= written & (answer.grid_id != before.grid_id)
        rows = np.flatnonzero(is_written)
        low = np.maximum(since, days[index])[rows]
        moves = Moves(_take_rows(objects, rows), _take_rows(answer, rows))
        all_fresh = bool((fresh & ~written)[rows].all())
        write_moves(connection, version.scheme_id, [moves], low, fresh=all_fresh)
        written |= is_written
        before = answer
        if report is not None and index == in_force:
            report.faults += faults
            _add_counts(report, objects, answer)
    return int(written.sum())


@dataclass(frozen=True)
class Moves:
    """
    Objects of one kind, ascending by id, that lie in another grid from a day on.

    ``together`` says of each whether all of its cohort go to the same grid, and itself by the same
    rule as before; None: each has a row of its own.
    """

    objects: Objects = field(repr=False)
    answer: Answers = field(repr=False)
    open_rows: OpenRows | None = field(default=None, repr=False)
    together: npt.NDArray[np.bool_] | None = field(default=None, repr=False)

    @property
    def kind(self) -> str:
        """Of object."""
        return self.objects.kind

    @property
    def object_ids(self) -> IntArray:
        """Whose."""
        return self.objects.ids

    @property
    def before(self) -> IntArray:
        """Ids of the grids where they lay, of what :func:`find_moves_near` finds."""
        assert self.open_rows is not None
        return self.open_rows.grid_id

    @property
    def after(self) -> IntArray:
        """Ids of the grids where they lie from now on."""
        return self.answer.grid_id


def find_moves_near(
    connection: sa.Connection,
    scheme_id: int,
    changed: Sequence[int],
    grid_ids: Sequence[int],
    faces: npt.NDArray[np.object_],
    day: date | None = None,
) -> list[Moves]:
    """
    Find what other land of some grids moves; nothing is written.

    Parameters
    ----------
    connection
        An open transaction.
    scheme_id
        The scheme.
    changed
        Grids whose land is another one, those that end included, and their neighbours: whatever
        lies in them is placed anew, and whatever lies in no grid.
    grid_ids, faces
        The same grids as they will be, without those that end; MultiPolygons in lon, lat.
    day
        From which day on the store holds them; None where they are only looked at.

    Returns
    -------
    list of Moves
        One of each kind of object.
    """
    locator, everywhere = Locator(list(grid_ids), faces), None
    parts: list[tuple[Objects, Answers, OpenRows]] = []
    cohorts: list[IntArray] = []
    goals: list[IntArray] = []
    placed: _BuildingGrids | None = None
    cohorts_in_grids = queries.read_cohorts_in(connection, scheme_id, changed)
    for kind in _KINDS:
        objects, open_rows = queries.read_members(connection, kind, scheme_id, cohorts_in_grids)
        # What stays holds its cohort back.
        goal = np.full(len(objects.ids), NO_GRID, dtype=np.int64)
        goals.append(goal)
        cohorts.append(open_rows.cohort_id)
        rows = np.arange(len(objects.ids))
        if kind == "household" and placed is not None:
            rows = _find_with_known_building(objects, placed)
        anew = _take_rows(objects, rows)
        answer, _ = _place_objects(anew, locator, placed if kind == "household" else None)
        if kind == "building":
            placed = _BuildingGrids(objects.ids, answer.grid_id)
        moved = np.flatnonzero(open_rows.grid_id[rows] != answer.grid_id)
        rows, answer, anew = rows[moved], _take_rows(answer, moved), _take_rows(anew, moved)
        goal[rows] = answer.grid_id
        if day is not None and (answer.grid_id == NO_GRID).any():
            everywhere = everywhere or _make_locator(connection, scheme_id, day)
            _add_nearest(answer, anew, everywhere)
        parts.append((anew, answer, _take_rows(open_rows, rows)))
    going_together = _find_going_together(np.concatenate(cohorts), np.concatenate(goals))
    return [
        Moves(
            *part, np.isin(part[2].cohort_id, going_together) & (part[2].method == part[1].method)
        )
        for part in parts
    ]


def _find_going_together(cohort_id: IntArray, goal: IntArray) -> IntArray:
    """Name the cohorts of which each object has the same goal, that is one."""
    cohorts, position = np.unique(cohort_id, return_inverse=True)
    first = np.full(len(cohorts), np.iinfo(np.int64).max)
    last = np.full(len(cohorts), np.iinfo(np.int64).min)
    np.minimum.at(first, position, goal)
    np.maximum.at(last, position, goal)
    single: IntArray = cohorts[(first == last) & (first != NO_GRID)]
    return single


def _find_with_known_building(objects: Objects, placed: "_BuildingGrids") -> IntArray:
    """Leave out who follows a building that is not placed anew: it stays where it is."""
    if len(placed.ids) == 0:
        return np.flatnonzero(objects.building_id == NO_GRID)
    position = np.searchsorted(placed.ids, objects.building_id).clip(max=len(placed.ids) - 1)
    is_known = placed.ids[position] == objects.building_id
    return np.flatnonzero(is_known | (objects.building_id == NO_GRID))


def apply_due(connection: sa.Connection) -> dict[str, int]:
    """
    Bring today's copy on the rows to what the history says of today.

    Parameters
    ----------
    connection
        An open transaction.

    Returns
    -------
    dict
        Rows changed, by kind; under ``grid_version`` the versions that are marked as applied now.
    """
    changed = {kind: writing.copy_today(connection, kind) for kind in _KINDS}
    changed["grid_version"] = writing.mark_applied(connection)
    return changed


def end_history(connection: sa.Connection, kind: str, object_ids: Sequence[int]) -> None:
    """
    Close the history of objects that are taken out today; what was is kept.

    Parameters
    ----------
    connection
        The transaction that takes them out.
    kind
        As in :func:`place_again`.
    object_ids
        Whose.
    """
    writing.end_history(connection, kind, object_ids)


class Placement:
    """
    Today's base grid of rows on their way into the store, so that they are written once.

    The history is written by :func:`assign_new` afterwards, which also mends what differs.

    Parameters
    ----------
    connection
        An open transaction; without boundaries in force nothing is placed.
    """

    def __init__(self, connection: sa.Connection) -> None:
        day = today(connection)
        begun = [version for version in read_versions(connection) if version.effective_day <= day]
        newest = begun[-1] if begun else None
        self._locator = (
            None
            if newest is None
            else _make_locator(connection, newest.scheme_id, newest.effective_day)
        )
        self._of_building: dict[int, int] = {}

    def grids(
        self, points: npt.NDArray[np.object_], building_id: Sequence[int | None] | None = None
    ) -> list[int | None]:
        """
        Place rows.

        Parameters
        ----------
        points
            Shapely points, lon and lat.
        building_id
            The building that a row follows; None where it has none.

        Returns
        -------
        list
            The base grid of each row; None outside.
        """
        if self._locator is None:
            return [None] * len(points)
        placed = self._locator.locate(shapely.get_x(points), shapely.get_y(points)).grid_id
        if building_id is not None:
            of_building = self._of_building
            placed = np.array(
                [
                    own if building is None else of_building.get(building, own)
                    for own, building in zip(placed.tolist(), building_id, strict=True)
                ],
                dtype=np.int64,
            )
        return _or_none(placed)

    def remember(self, building_id: Sequence[int], grid_id: Sequence[int | None]) -> None:
        """
        Keep where buildings lie, for the households that follow them.

        Parameters
        ----------
        building_id
            Identities.
        grid_id
            As :meth:`grids` gave them.
        """
        for building, grid in zip(building_id, grid_id, strict=True):
            self._of_building[building] = NO_GRID if grid is None else grid


# --- where things lie --------------------------------------------------------------------------


@dataclass(frozen=True)
class _BuildingGrids:
    """Grids of buildings, sorted by building id."""

    ids: IntArray
    grid_id: IntArray

    def of(self, building_id: IntArray) -> IntArray:
        return self.grid_id[np.searchsorted(self.ids, building_id)]


_FEW_PLACES: Final = 50


def _make_locator(
    connection: sa.Connection,
    scheme_id: int,
    day: date,
    places: npt.NDArray[np.float64] | None = None,
) -> Locator:
    """Index the grids of a day; for a few places those nearest to them: one holds each, if any."""
    if places is None or len(places) > _FEW_PLACES:
        return Locator(*read_polygons(connection, scheme_id, day))
    return Locator(*queries.read_nearest_polygons(connection, scheme_id, day, places))


def _read_buildings_of(connection: sa.Connection, objects: Objects) -> Objects | None:
    """Read the buildings that objects follow; None where they follow none."""
    housed = np.unique(objects.building_id[objects.building_id != NO_GRID])
    return queries.read_objects(connection, "building", only=housed) if len(housed) else None


def _unique_places(objects: Objects, buildings: Objects | None) -> npt.NDArray[np.float64]:
    """Name each place of objects and of the buildings that they follow once."""
    places = [np.column_stack([objects.lon, objects.lat])]
    if buildings is not None:
        places.append(np.column_stack([buildings.lon, buildings.lat]))
    return np.unique(np.vstack(places), axis=0)


def _place_buildings(buildings: Objects, locator: Locator) -> _BuildingGrids:
    return _BuildingGrids(buildings.ids, locator.locate(buildings.lon, buildings.lat).grid_id)


def _place_objects(
    objects: Objects, locator: Locator, placed: _BuildingGrids | None
) -> tuple[Answers, list[int]]:
    """Place objects, without what is nearest; tell who lies elsewhere than its building."""
    located = locator.locate(objects.lon, objects.lat)
    grid_id = located.grid_id.copy()
    method = np.where(located.tie, _TIE, _WITHIN)
    faults: list[int] = []
    housed = objects.building_id != NO_GRID
    if placed is not None and housed.any():
        of_building = placed.of(objects.building_id[housed])
        faults = objects.ids[housed][of_building != grid_id[housed]].tolist()
        grid_id[housed] = of_building
        method[housed] = _BY_BUILDING
    method[grid_id == NO_GRID] = _OUTSIDE
    nearest, far = np.full(len(grid_id), NO_GRID, dtype=np.int64), np.full(len(grid_id), np.nan)
    return Answers(grid_id, method, nearest, far), faults


def _add_nearest(answer: Answers, objects: Objects, locator: Locator) -> None:
    """Write down which grid is nearest to what lies outside every one, and how far."""
    outside = np.flatnonzero(answer.grid_id == NO_GRID)
    if len(outside):
        nearest = locator.nearest(objects.lon[outside], objects.lat[outside])
        answer.nearest_grid_id[outside] = nearest.grid_id
        answer.distance_m[outside] = nearest.distance_m


def _add_counts(report: AssignmentReport, objects: Objects, answer: Answers) -> None:
    outside = np.flatnonzero(answer.grid_id == NO_GRID)
    report.counts[objects.kind] = {
        "n": len(objects.ids),
        "assigned": len(objects.ids) - len(outside),
        "outside": len(outside),
        "tie": int((answer.method == _TIE).sum()),
    }
    report.outside += [
        Outside(
            objects.kind,
            int(objects.ids[i]),
            int(answer.nearest_grid_id[i]),
            float(answer.distance_m[i]),
        )
        for i in outside
    ]


def _find_differing(
    connection: sa.Connection, scheme_id: int, objects: Objects, answer: Answers, day: date
) -> npt.NDArray[np.bool_]:
    """Tell of each object whether its row of a day says something else; one without a row is."""
    stored = queries.read_stored(connection, scheme_id, objects, day)
    placed = zip(
        _or_none(answer.grid_id),
        answer.method.tolist(),
        _or_none(answer.nearest_grid_id),
        [None if np.isnan(metres) else metres for metres in answer.distance_m.tolist()],
        strict=True,
    )
    return np.array(
        [
            stored.get(object_id) != answer_of
            for object_id, answer_of in zip(objects.ids.tolist(), placed, strict=True)
        ],
        dtype=bool,
    )


def _or_none(ids: IntArray) -> list[int | None]:
    return [None if value == NO_GRID else value for value in ids.tolist()]


# --- what is written ---------------------------------------------------------------------------


def write_moves(
    connection: sa.Connection,
    scheme_id: int,
    moves: Sequence[Moves],
    since: IntArray | int,
    *,
    fresh: bool = False,
) -> None:
    """
    Write that objects lie elsewhere from a day on: the history, and today's copy on the rows.

    Whatever the history said of them from that day on falls away.

    Parameters
    ----------
    connection
        An open transaction.
    scheme_id
        The scheme; rows have copies of the base scheme only.
    moves
        What lies where.
    since
        Number of the first day (``date.toordinal``): one for all, or one for each object of the
        only moves.
    fresh
        None of them has a history in the scheme.
    """
    moves = [kind_moves for kind_moves in moves if len(kind_moves.object_ids)]
    if not moves:
        return
    is_base = queries.is_base_scheme(connection, scheme_id)
    now = today(connection).toordinal()
    copied = is_base and bool((np.asarray(since) <= now).any())
    goals = _cohort_goals(moves)
    if goals:
        writing.move_cohorts(connection, scheme_id, goals, date.fromordinal(int(since)))
    emptied = _find_emptied(connection, moves) if copied else {}
    for kind_moves in moves:
        if kind_moves.together is None:
            rows = np.arange(len(kind_moves.object_ids))
        else:
            rows = np.flatnonzero(~kind_moves.together)
        ids, answer = kind_moves.object_ids[rows], _take_rows(kind_moves.answer, rows)
        writing.write_rows(
            connection, scheme_id, kind_moves.kind, ids, answer, since,
            fresh=fresh, copied_on=now if copied and fresh else None,
        )  # fmt: skip
        if copied and not fresh:
            begun = np.flatnonzero(np.broadcast_to(since, len(kind_moves.object_ids)) <= now)
            if emptied:
                begun = begun[~np.isin(kind_moves.before[begun], list(emptied))]
            ids, after = kind_moves.object_ids[begun].tolist(), _or_none(kind_moves.after[begun])
            writing.copy_to_rows(connection, kind_moves.kind, emptied, ids, after)


_EVER: Final = date.max.toordinal() + 1


def _cohort_goals(moves: Sequence[Moves]) -> dict[int, int]:
    """Name the cohorts of which all move together, and to which grid."""
    goals: dict[int, int] = {}
    for kind_moves in moves:
        if kind_moves.open_rows is not None and kind_moves.together is not None:
            goals |= _unique_pairs(
                kind_moves.open_rows.cohort_id[kind_moves.together],
                kind_moves.after[kind_moves.together],
            )
    return goals


def _unique_pairs(first: IntArray, second: IntArray) -> list[tuple[int, int]]:
    """Name each pair of numbers once."""
    order = np.lexsort((second, first))
    first, second = first[order], second[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    return list(zip(first[new].tolist(), second[new].tolist(), strict=True))


def _find_emptied(connection: sa.Connection, moves: Sequence[Moves]) -> dict[int, int]:
    """Name the grids that all their objects leave for one and the same other grid."""
    goals: dict[int, set[int]] = {}
    for kind_moves in moves:
        if kind_moves.open_rows is not None:
            for before, after in _unique_pairs(kind_moves.before, kind_moves.after):
                goals.setdefault(before, set()).add(after)
    for grid in [NO_GRID, *queries.find_occupied(connection, list(goals))]:
        goals.pop(grid, None)
    single = {before: after.pop() for before, after in goals.items() if len(after) == 1}
    return {before: after for before, after in single.items() if after != NO_GRID}
