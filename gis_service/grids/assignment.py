"""Which grid every object belongs to: written as history, and as today's copy on the row.

A building is placed by its point, a household follows its building, everything else by its own
point. Whatever happens, objects that are new or have moved, land that another grid has taken over,
comes down to objects, where they lie, and from which day on; :func:`write_moves` writes that.

The history names cohorts: objects that went from grid to grid together so far. Where all of a
cohort go on together its one row is written, where they part their own are. Only this module
writes ``membership``, ``cohort``, ``cohort_grid`` and ``base_grid_id``; the view ``assignment``
joins them.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import shapely
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import DATERANGE

from gis_service.grids.locator.locator import NO_GRID, Locator
from gis_service.grids.versions import (
    Version,
    find_lowest_rank,
    keep_boundaries,
    read_polygons,
    read_versions,
    today,
)
from gis_service.store import tables as t
from gis_service.store.bulk import copy_numbers, read_arrays

IntArray = npt.NDArray[np.int64]

_KINDS: Final = t.OBJECT_KINDS  # buildings first
_METHODS: Final = ("border_tie", "by_building", "by_hand", "outside", "within")
_TIE, _BY_BUILDING, _, _OUTSIDE, _WITHIN = range(len(_METHODS))


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


@dataclass(frozen=True)
class _Objects:
    """One kind of object, as arrays."""

    kind: str
    ids: IntArray
    lon: npt.NDArray[np.float64]
    lat: npt.NDArray[np.float64]
    since: IntArray  # ordinal of the day from which it is known; 0: from the start
    building_id: IntArray  # NO_GRID: none


@dataclass(frozen=True)
class _Answers:
    """Where each object lies under one version."""

    grid_id: IntArray
    method: IntArray  # its place among the methods
    nearest_grid_id: IntArray
    distance_m: npt.NDArray[np.float64]


@dataclass(frozen=True)
class _OpenRows:
    """What the open rows of objects say."""

    grid_id: IntArray
    cohort_id: IntArray
    method: IntArray  # its place among the methods


_Rows = TypeVar("_Rows", _Objects, _Answers, _OpenRows)


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
            objects = _read_objects(connection, kind, without_history_in=all_versions[0].scheme_id)
            if len(objects.ids):
                buildings = _read_buildings_of(connection, objects)
                fresh = np.ones(len(objects.ids), dtype=bool)
                report_of_base = report if is_base else None
                written += _write_through(
                    connection, all_versions, objects, fresh, buildings, locator, report_of_base
                )
    if written:
        connection.execute(sa.select(sa.func.gis_analyze()))
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
    objects = _read_objects(connection, kind, only=object_ids)
    buildings = _read_buildings_of(connection, objects)
    places = _unique_places(objects, buildings)

    def locator(version: Version) -> Locator:
        return _make_locator(connection, version.scheme_id, version.effective_day, places)

    for all_versions, is_base in _read_schemes(connection):
        new = _read_objects(
            connection, kind, without_history_in=all_versions[0].scheme_id, only=object_ids
        )
        fresh = np.isin(objects.ids, new.ids)
        now = today(connection).toordinal()
        dated = replace(objects, since=np.where(fresh, objects.since, now))
        count = _write_through(connection, all_versions, dated, fresh, buildings, locator)
        moved |= {kind: count} if is_base else {}
    if kind == "building":
        home = t.household.c
        inside = sa.select(home.household_id).where(_among(home.building_id, objects.ids))
        moved |= place_again(connection, "household", connection.execute(inside).scalars().all())
    return moved


def _read_schemes(connection: sa.Connection) -> list[tuple[list[Version], bool]]:
    """Read the versions of every scheme that has any, and whether it is the base scheme."""
    scheme = t.grid_scheme.c
    rows = connection.execute(sa.select(scheme.code, scheme.is_base).order_by(scheme.scheme_id))
    schemes = [(read_versions(connection, code), is_base) for code, is_base in rows.all()]
    return [(all_versions, is_base) for all_versions, is_base in schemes if all_versions]


def _write_through(
    connection: sa.Connection,
    all_versions: list[Version],
    objects: _Objects,
    fresh: npt.NDArray[np.bool_],
    buildings: _Objects | None,
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
    before: _Answers | None = None
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

    objects: _Objects = field(repr=False)
    answer: _Answers = field(repr=False)
    open_rows: _OpenRows | None = field(default=None, repr=False)
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
    parts: list[tuple[_Objects, _Answers, _OpenRows]] = []
    cohorts: list[IntArray] = []
    goals: list[IntArray] = []
    placed: _BuildingGrids | None = None
    cohorts_in_grids = _read_cohorts_in(connection, scheme_id, changed)
    for kind in _KINDS:
        objects, open_rows = _read_members(connection, kind, scheme_id, cohorts_in_grids)
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


def _read_cohorts_in(
    connection: sa.Connection, scheme_id: int, grid_ids: Sequence[int]
) -> tuple[IntArray, IntArray]:
    """Read the cohorts that are in grids from now on, ascending, and their grids; first, none."""
    cohort = t.cohort_grid.c
    rows = connection.execute(
        sa.select(cohort.cohort_id, cohort.grid_id)
        .where(
            cohort.scheme_id == scheme_id,
            _among(cohort.grid_id, list(grid_ids)),
            sa.func.upper_inf(cohort.valid),
        )
        .order_by(cohort.cohort_id)
    ).all()
    pairs = np.array([(NO_GRID, NO_GRID), *map(tuple, rows)], dtype=np.int64)
    return pairs[:, 0], pairs[:, 1]


def _read_members(
    connection: sa.Connection, kind: str, scheme_id: int, cohorts: tuple[IntArray, IntArray]
) -> tuple[_Objects, _OpenRows]:
    """Read what belongs to cohorts or lies outside by its open rows, and to which of them."""
    member = t.membership.c
    rows = sa.select(
        member.object_id,
        sa.func.coalesce(member.cohort_id, NO_GRID).label("cohort_id"),
        _method_number(member.method).label("method"),
    ).where(
        member.scheme_id == scheme_id, member.object_kind == kind, sa.func.upper_inf(member.valid)
    )
    # Found first, by the index over cohorts: the planner would rather merge whole tables by id.
    wanted = (
        rows.where(_among(member.cohort_id, cohorts[0][1:]))
        .union_all(rows.where(member.cohort_id.is_(None)))
        .cte("held")
        .prefix_with("MATERIALIZED")
    )
    identity = t.metadata.tables[kind].c[f"{kind}_id"]
    arrays = read_arrays(
        connection,
        _objects_query(kind)
        .add_columns(wanted.c.cohort_id, wanted.c.method)
        .where(wanted.c.object_id == identity),
    )
    objects, order = _as_objects(kind, arrays)
    cohort_id = arrays["cohort_id"][order]
    grid_id = cohorts[1][np.searchsorted(cohorts[0], cohort_id)]
    return objects, _OpenRows(grid_id, cohort_id, arrays["method"][order])


def _find_with_known_building(objects: _Objects, placed: "_BuildingGrids") -> IntArray:
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
    changed: dict[str, int] = {}
    base = sa.select(t.grid_scheme.c.scheme_id).where(t.grid_scheme.c.is_base).scalar_subquery()
    for kind in _KINDS:
        table = t.metadata.tables[kind]
        result = connection.execute(
            sa.update(table)
            .values(base_grid_id=t.assignment.c.grid_id)
            .where(
                t.assignment.c.scheme_id == base,
                t.assignment.c.object_kind == kind,
                t.assignment.c.object_id == table.c[f"{kind}_id"],
                t.assignment.c.valid.op("@>")(sa.func.gis_today()),
                table.c.base_grid_id.is_distinct_from(t.assignment.c.grid_id),
            )
        )
        changed[kind] = result.rowcount
    marked = connection.execute(
        sa.update(t.grid_version)
        .values(applied_at=sa.func.now())
        .where(
            t.grid_version.c.applied_at.is_(None),
            t.grid_version.c.effective_day <= sa.func.gis_today(),
        )
    )
    changed["grid_version"] = marked.rowcount
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
    a = t.membership.c
    is_theirs = (a.object_kind == kind) & _among(a.object_id, object_ids)
    _end_rows(connection, is_theirs, sa.func.gis_today())


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
_AROUND: Final = 16  # grids that are looked at for one place: more never meet in a point


def _make_locator(
    connection: sa.Connection,
    scheme_id: int,
    day: date,
    places: npt.NDArray[np.float64] | None = None,
) -> Locator:
    """Index the grids of a day; for a few places those nearest to them: one holds each, if any."""
    if places is None or len(places) > _FEW_PLACES:
        return Locator(*read_polygons(connection, scheme_id, day))
    state = t.grid_state.c
    place = (
        sa.func.unnest(*(sa.literal(values, sa.ARRAY(sa.Double)) for values in places.T.tolist()))
        .table_valued(sa.column("lon", sa.Double), sa.column("lat", sa.Double), name="place")
        .render_derived()
    )
    point = sa.func.ST_SetSRID(sa.func.ST_MakePoint(place.c.lon, place.c.lat), t.SRID)
    near = (
        sa.select(state.state_id)
        .where(
            state.scheme_id == scheme_id,
            state.rank == find_lowest_rank(connection, scheme_id),
            state.valid.op("@>")(sa.literal(day, sa.Date)),
        )
        .order_by(state.geom.op("<->")(point))
        .limit(_AROUND)
        .lateral("near")
    )
    rows = connection.execute(
        sa.select(state.grid_id, sa.func.ST_AsBinary(state.geom))
        .where(
            state.state_id.in_(sa.select(near.c.state_id).select_from(place.join(near, sa.true())))
        )
        .order_by(state.grid_id)
    ).all()
    shapes = shapely.from_wkb(np.array([bytes(row[1]) for row in rows], dtype=object))
    return Locator([row[0] for row in rows], np.asarray(shapes, dtype=object))


def _read_buildings_of(connection: sa.Connection, objects: _Objects) -> _Objects | None:
    """Read the buildings that objects follow; None where they follow none."""
    housed = np.unique(objects.building_id[objects.building_id != NO_GRID])
    return _read_objects(connection, "building", only=housed) if len(housed) else None


def _unique_places(objects: _Objects, buildings: _Objects | None) -> npt.NDArray[np.float64]:
    """Name each place of objects and of the buildings that they follow once."""
    places = [np.column_stack([objects.lon, objects.lat])]
    if buildings is not None:
        places.append(np.column_stack([buildings.lon, buildings.lat]))
    return np.unique(np.vstack(places), axis=0)


def _place_buildings(buildings: _Objects, locator: Locator) -> _BuildingGrids:
    return _BuildingGrids(buildings.ids, locator.locate(buildings.lon, buildings.lat).grid_id)


def _read_objects(
    connection: sa.Connection,
    kind: str,
    *,
    without_history_in: int | None = None,
    only: Any = None,
) -> _Objects:
    """Read all objects of a kind, or only those named, or those without a history in a scheme."""
    query = _objects_query(kind)
    identity = t.metadata.tables[kind].c[f"{kind}_id"]
    if without_history_in is not None:
        has_history = sa.exists().where(
            t.membership.c.scheme_id == without_history_in,
            t.membership.c.object_kind == kind,
            t.membership.c.object_id == identity,
        )
        query = query.where(~has_history)
    if only is not None:
        query = query.where(_among(identity, only))
    return _as_objects(kind, read_arrays(connection, query))[0]


def _objects_query(kind: str) -> sa.Select[Any]:
    """Ask for the objects of a kind, with names as :func:`_as_objects` wants them."""
    table = t.metadata.tables[kind]
    known_since = {
        "hazard": t.hazard.c.found_on,
        "incident": sa.cast(sa.func.timezone("Asia/Shanghai", t.incident.c.reported_at), sa.Date),
    }
    since: sa.ColumnElement[int] = sa.literal(0)
    if kind in known_since:
        days = known_since[kind] - sa.literal(date.min, sa.Date)
        since = sa.func.coalesce(sa.type_coerce(days, sa.Integer) + 1, 0)
    building: sa.ColumnElement[int] = sa.literal(NO_GRID)
    if kind == "household":
        building = sa.func.coalesce(t.household.c.building_id, NO_GRID)
    return sa.select(
        table.c[f"{kind}_id"].label("object_id"),
        sa.func.ST_X(table.c.point, type_=sa.Double).label("lon"),
        sa.func.ST_Y(table.c.point, type_=sa.Double).label("lat"),
        since.label("since"),
        building.label("building_id"),
    )


def _as_objects(kind: str, arrays: Mapping[str, npt.NDArray[Any]]) -> tuple[_Objects, IntArray]:
    """Put objects in the order of their ids; which order that is comes second."""
    order = np.argsort(arrays["object_id"])
    names = ("object_id", "lon", "lat", "since", "building_id")
    return _Objects(kind, *(arrays[name][order] for name in names)), order


def _place_objects(
    objects: _Objects, locator: Locator, placed: _BuildingGrids | None
) -> tuple[_Answers, list[int]]:
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
    return _Answers(grid_id, method, nearest, far), faults


def _add_nearest(answer: _Answers, objects: _Objects, locator: Locator) -> None:
    """Write down which grid is nearest to what lies outside every one, and how far."""
    outside = np.flatnonzero(answer.grid_id == NO_GRID)
    if len(outside):
        nearest = locator.nearest(objects.lon[outside], objects.lat[outside])
        answer.nearest_grid_id[outside] = nearest.grid_id
        answer.distance_m[outside] = nearest.distance_m


def _add_counts(report: AssignmentReport, objects: _Objects, answer: _Answers) -> None:
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


def _among(column: sa.ColumnElement[int], ids: Any) -> sa.ColumnElement[bool]:
    """Compare with one array instead of a list of thousands of values."""
    numbers = sa.literal(np.asarray(ids).tolist(), sa.ARRAY(sa.BigInteger))
    return column == sa.any_(numbers)


def _find_differing(
    connection: sa.Connection, scheme_id: int, objects: _Objects, answer: _Answers, day: date
) -> npt.NDArray[np.bool_]:
    """Tell of each object whether its row of a day says something else; one without a row is."""
    a = t.assignment.c
    rows = connection.execute(
        sa.select(
            a.object_id, a.grid_id, _method_number(a.method), a.nearest_grid_id, a.distance_m
        ).where(
            a.scheme_id == scheme_id,
            a.object_kind == objects.kind,
            _among(a.object_id, objects.ids),
            a.valid.op("@>", is_comparison=True)(sa.literal(day, sa.Date)),
        )
    )
    stored = {object_id: tuple(row) for object_id, *row in rows}
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


def _method_number(method: sa.ColumnElement[str]) -> sa.ColumnElement[int]:
    places = {method: place for place, method in enumerate(_METHODS)}
    return sa.type_coerce(sa.case(places, value=method), sa.Integer)


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
    is_base = connection.scalar(
        sa.select(t.grid_scheme.c.is_base).where(t.grid_scheme.c.scheme_id == scheme_id)
    )
    now = today(connection).toordinal()
    copied = bool(is_base) and bool((np.asarray(since) <= now).any())
    _move_cohorts(connection, scheme_id, moves, since)
    emptied = _find_emptied(connection, moves) if copied else {}
    for kind_moves in moves:
        if kind_moves.together is None:
            _write_rows(connection, scheme_id, kind_moves, since, fresh=fresh)
        else:
            parted = np.flatnonzero(~kind_moves.together)
            alone = Moves(
                _take_rows(kind_moves.objects, parted), _take_rows(kind_moves.answer, parted)
            )
            _write_rows(connection, scheme_id, alone, since)
        if copied:
            begun = np.flatnonzero(np.broadcast_to(since, len(kind_moves.object_ids)) <= now)
            _copy_to_rows(connection, kind_moves, begun, emptied)


_EVER: Final = date.max.toordinal() + 1
_MANY: Final = 20_000
"""Rows from which on a transaction may use more memory to join them than a common query."""

_laid = sa.Table(
    "pg_temp_laid_out",
    sa.MetaData(),
    sa.Column("object_id", sa.BigInteger),
    sa.Column("grid_id", sa.BigInteger),
    sa.Column("cohort_id", sa.BigInteger),
    sa.Column("method", sa.SmallInteger, comment="its place among the methods"),
    sa.Column("nearest_grid_id", sa.BigInteger),
    sa.Column("distance_m", sa.Double),
    sa.Column("low", sa.Integer, comment="first day, by its number"),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)


def _write_rows(
    connection: sa.Connection,
    scheme_id: int,
    moves: Moves,
    since: IntArray | int,
    *,
    fresh: bool = False,
) -> None:
    """Write a row for each object from its day on, in place of what its history said of then."""
    if not len(moves.object_ids):
        return
    answer, a = moves.answer, t.membership.c
    columns = {
        "object_id": moves.object_ids,
        "grid_id": np.ma.masked_equal(answer.grid_id, NO_GRID),
        "cohort_id": np.ma.masked_equal(
            _find_or_make_cohorts(connection, scheme_id, answer.grid_id), NO_GRID
        ),
        "method": answer.method,
        "nearest_grid_id": np.ma.masked_equal(answer.nearest_grid_id, NO_GRID),
        "distance_m": answer.distance_m,
        "low": np.broadcast_to(np.asarray(since, np.int64), len(moves.object_ids)),
    }
    if len(moves.object_ids) > _MANY:
        connection.execute(sa.select(sa.func.set_config("work_mem", "256MB", sa.true())))
    _laid.create(connection)
    copy_numbers(connection, _laid, columns)
    day = sa.literal(date.min, sa.Date) - 1 + _laid.c.low
    if not fresh:
        is_theirs = (
            (a.scheme_id == scheme_id)
            & (a.object_kind == moves.kind)
            & (a.object_id == _laid.c.object_id)
        )
        ended = _end_rows(connection, is_theirs, day)
        if ended < len(moves.object_ids):  # some had none, or none any more
            _reopen_rows(connection, is_theirs, day)
    method = sa.case(
        {place: sa.literal(name, sa.Text) for place, name in enumerate(_METHODS)},
        value=_laid.c.method,
    )
    rows = sa.select(
        sa.literal(scheme_id, sa.BigInteger),
        sa.literal(moves.kind, sa.Text),
        _laid.c.object_id,
        sa.cast(sa.func.daterange(day, sa.null()), DATERANGE),
        _laid.c.cohort_id,
        method,
        _laid.c.nearest_grid_id,
        _laid.c.distance_m,
    )
    names = ["scheme_id", "object_kind", "object_id", "valid"]
    names += ["cohort_id", "method", "nearest_grid_id", "distance_m"]
    connection.execute(sa.insert(t.membership).from_select(names, rows))
    _laid.drop(connection)


def _end_rows(
    connection: sa.Connection, is_theirs: sa.ColumnElement[bool], day: sa.ColumnElement[Any]
) -> int:
    """Let rows of the history hold until a day only; tell how many are closed by that."""
    a = t.membership
    connection.execute(sa.delete(a).where(is_theirs, a.c.since >= day))
    until = sa.cast(sa.func.daterange(a.c.since, day), DATERANGE)
    holds = a.c.valid.op("@>", is_comparison=True)(day)
    return connection.execute(sa.update(a).values(valid=until).where(is_theirs, holds)).rowcount


def _reopen_rows(
    connection: sa.Connection, is_theirs: sa.ColumnElement[bool], day: sa.ColumnElement[Any]
) -> None:
    """Open the row again that ended just then and says the same, instead of writing another one."""
    a, cohort = t.membership, t.cohort_grid.c
    stays = sa.exists().where(
        cohort.cohort_id == a.c.cohort_id,
        cohort.grid_id == _laid.c.grid_id,
        cohort.valid.op("@>", is_comparison=True)(day),
        sa.func.upper_inf(cohort.valid),
    )
    reopened = connection.execute(
        sa.update(a)
        .values(valid=sa.cast(sa.func.daterange(a.c.since, sa.null()), DATERANGE))
        .where(
            is_theirs,
            sa.func.upper(a.c.valid) == day,
            _method_number(a.c.method) == _laid.c.method,
            a.c.nearest_grid_id.is_not_distinct_from(_laid.c.nearest_grid_id),
            a.c.distance_m.is_not_distinct_from(_laid.c.distance_m),
            sa.or_(stays, a.c.cohort_id.is_(None)),
        )
        .returning(a.c.object_id)
    ).scalars()
    connection.execute(sa.delete(_laid).where(_among(_laid.c.object_id, list(reopened))))


def _find_or_make_cohorts(connection: sa.Connection, scheme_id: int, grid_id: IntArray) -> IntArray:
    """Find for each object the cohort that belongs to its grid from ever to ever, or make one."""
    cohort = t.cohort_grid.c
    grids = np.unique(grid_id[grid_id != NO_GRID])
    ever = sa.cast(sa.func.daterange(sa.null(), sa.null()), DATERANGE)
    cohort_of = dict(
        connection.execute(
            sa.select(cohort.grid_id, sa.func.min(cohort.cohort_id))
            .where(
                cohort.scheme_id == scheme_id, _among(cohort.grid_id, grids), cohort.valid == ever
            )
            .group_by(cohort.grid_id)
        ).all()
    )
    missing = [grid for grid in grids.tolist() if grid not in cohort_of]
    if missing:
        row = {"scheme_id": scheme_id}
        new_ids = connection.execute(
            sa.insert(t.cohort).returning(t.cohort.c.cohort_id), [row for _ in missing]
        ).scalars()
        cohort_of |= dict(zip(missing, new_ids, strict=True))
        connection.execute(
            sa.insert(t.cohort_grid).values(valid=ever),
            [row | {"grid_id": grid, "cohort_id": cohort_of[grid]} for grid in missing],
        )
    of_grid = np.array([cohort_of[grid] for grid in grids.tolist()] + [NO_GRID], dtype=np.int64)
    position = np.where(grid_id == NO_GRID, len(grids), np.searchsorted(grids, grid_id))
    return of_grid[position]


def _move_cohorts(
    connection: sa.Connection, scheme_id: int, moves: Sequence[Moves], since: IntArray | int
) -> None:
    """Bring cohorts of which all move together to their other grids, from a day on."""
    goals: dict[int, int] = {}
    for kind_moves in moves:
        if kind_moves.open_rows is not None and kind_moves.together is not None:
            goals |= _unique_pairs(
                kind_moves.open_rows.cohort_id[kind_moves.together],
                kind_moves.after[kind_moves.together],
            )
    if not goals:
        return
    cohort = t.cohort_grid.c
    day = sa.literal(date.fromordinal(int(since)), sa.Date)
    cohorts = sa.literal(list(goals), sa.ARRAY(sa.BigInteger))
    grids = sa.literal(list(goals.values()), sa.ARRAY(sa.BigInteger))
    until = sa.cast(sa.func.daterange(sa.func.lower(cohort.valid), day), DATERANGE)
    connection.execute(
        sa.update(t.cohort_grid)
        .values(valid=until)
        .where(cohort.cohort_id == sa.any_(cohorts), sa.func.upper_inf(cohort.valid))
    )
    connection.execute(
        sa.insert(t.cohort_grid).from_select(
            ["cohort_id", "scheme_id", "grid_id", "valid"],
            sa.select(
                sa.func.unnest(cohorts),
                sa.literal(scheme_id, sa.BigInteger),
                sa.func.unnest(grids),
                sa.cast(sa.func.daterange(day, sa.null()), DATERANGE),
            ),
        )
    )


def _unique_pairs(first: IntArray, second: IntArray) -> list[tuple[int, int]]:
    """Name each pair of numbers once."""
    order = np.lexsort((second, first))
    first, second = first[order], second[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    return list(zip(first[new].tolist(), second[new].tolist(), strict=True))


def _find_emptied(connection: sa.Connection, moves: Sequence[Moves]) -> dict[int, int]:
    """Name the grids that all their objects leave for one and the same other grid."""
    cohort = t.cohort_grid.c
    goals: dict[int, set[int]] = {}
    for kind_moves in moves:
        if kind_moves.open_rows is not None:
            for before, after in _unique_pairs(kind_moves.before, kind_moves.after):
                goals.setdefault(before, set()).add(after)
    occupied = sa.select(cohort.grid_id).where(
        _among(cohort.grid_id, list(goals)), sa.func.upper_inf(cohort.valid)
    )
    for grid in [NO_GRID, *connection.execute(occupied).scalars()]:
        goals.pop(grid, None)
    single = {before: after.pop() for before, after in goals.items() if len(after) == 1}
    return {before: after for before, after in single.items() if after != NO_GRID}


def _copy_to_rows(
    connection: sa.Connection, moves: Moves, rows: IntArray, emptied: Mapping[int, int]
) -> None:
    """Bring today's copy on the rows of what moves to the grid that it has now."""
    table = t.metadata.tables[moves.kind]
    if emptied:
        rows = rows[~np.isin(moves.before[rows], list(emptied))]
    ids, after = moves.object_ids[rows].tolist(), _or_none(moves.after[rows])
    for column, keys, goals in (
        (table.c.base_grid_id, list(emptied), list(emptied.values())),
        (table.c[f"{moves.kind}_id"], ids, after),
    ):
        goal = (
            sa.func.unnest(
                sa.literal(keys, sa.ARRAY(sa.BigInteger)),
                sa.literal(goals, sa.ARRAY(sa.BigInteger)),
            )
            .table_valued("before", "after", name="goal")
            .render_derived()
        )
        if keys:
            connection.execute(
                sa.update(table)
                .values(base_grid_id=goal.c.after)
                .where(column == goal.c.before, table.c.base_grid_id.is_distinct_from(goal.c.after))
            )
