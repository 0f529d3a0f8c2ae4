"""Which grid every object belongs to: written as history, and as today's copy on the row.

A building is placed by its point, a household follows its building, everything else by its own
point. The history names lots: objects that went from grid to grid together so far. Where all of a
lot go on together its one row is written, where they part their own are. Only this module writes
``membership``, ``lot``, ``lot_grid`` and ``base_grid_id``; the view ``assignment`` joins them.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import DATERANGE

from gis_service.grids.locator import NO_GRID, Locator
from gis_service.grids.versions import (
    Version,
    keep_boundaries,
    lowest_rank,
    polygons,
    today,
    versions,
)
from gis_service.store import tables as t
from gis_service.store.bulk import copy_numbers, read_arrays

_KINDS: Final = ("building", "household", "premises", "hazard", "incident")  # buildings first


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
    ids: npt.NDArray[np.int64]
    lon: npt.NDArray[np.float64]
    lat: npt.NDArray[np.float64]
    since: npt.NDArray[np.int64]  # ordinal of the day from which it is known; 0: from the start
    building_id: npt.NDArray[np.int64]  # NO_GRID: none


@dataclass(frozen=True)
class _Answers:
    """Where each object lies under one version."""

    grid_id: npt.NDArray[np.int64]
    method: npt.NDArray[np.str_]
    nearest_grid_id: npt.NDArray[np.int64]
    distance_m: npt.NDArray[np.float64]


def assign_new(
    connection: sa.Connection,
    scheme: str = "base",
    kinds: Sequence[str] = _KINDS,
    *,
    settle: bool = True,
) -> AssignmentReport:
    """
    Write the history of every object that has none yet, through all versions of a scheme.

    Parameters
    ----------
    connection
        An open transaction.
    scheme
        Its code; today's copy on the rows is written for the base scheme only.
    kinds
        Of objects, where only some can be new; buildings go before households.
    settle
        Brings today's copies up to date and renews the statistics; False leaves both to the caller,
        who does several schemes.

    Returns
    -------
    AssignmentReport
        What was written.
    """
    keep_boundaries(connection)
    known = versions(connection, scheme)
    report = AssignmentReport()
    if not known:
        return report
    scheme_id = known[0].scheme_id
    days = [version.effective_day for version in known]
    now = max(bisect_right(days, today(connection)) - 1, 0)  # all to come: the first of them
    locators: list[Locator] = []
    for kind in kinds:
        objects = _read(connection, kind, scheme_id, new=True)
        if len(objects.ids) == 0:
            continue
        locators = locators or [_locator(connection, version) for version in known]
        buildings = _read(connection, "building", None, new=False) if kind == "household" else None
        answers = []
        for index, locator in enumerate(locators):
            placed = None if buildings is None else _placed(buildings, locator)
            answer, faults = _answer(objects, locator, placed)
            answers.append(answer)
            if index == now:
                report.faults += faults
        _write_history(connection, scheme_id, objects, days, answers)
        _count(report, objects, answers[now])
    if report.counts and settle:
        settle_today(connection)
    return report


def settle_today(connection: sa.Connection) -> None:
    """
    Bring today's copies up to date after many rows were assigned, and renew the statistics.

    Parameters
    ----------
    connection
        An open transaction.
    """
    apply_due(connection)
    connection.execute(sa.select(sa.func.gis_analyze()))


def reassign(connection: sa.Connection, version: Version) -> dict[str, int]:
    """
    Write what a new version moves: objects whose grid is another one from its day on.

    Parameters
    ----------
    connection
        The transaction that publishes the version.
    version
        The newest version of its scheme, its grids already stored.

    Returns
    -------
    dict
        Objects moved, by kind.
    """
    locator = _locator(connection, version)
    moved: dict[str, int] = {}
    placed: _Placed | None = None
    for kind in _KINDS:
        objects = _read(connection, kind, version.scheme_id, new=False)
        answer, _ = _answer(objects, locator, placed if kind == "household" else None)
        if kind == "building":
            placed = _Placed(objects.ids, answer.grid_id)
        moved[kind] = _write_moves(connection, version, objects, answer)
    return moved


@dataclass(frozen=True)
class Moves:
    """
    Objects of one kind that lie in another grid.

    Attributes
    ----------
    object_ids
        Whose, ascending.
    before
        Ids of the grids, in the same order.
    lot_id
        The lot of each.
    together
        Whether all of its lot move to the same grid, and itself by the same rule as before.
    """

    kind: str
    object_ids: npt.NDArray[np.int64]
    before: npt.NDArray[np.int64]
    lot_id: npt.NDArray[np.int64]
    together: npt.NDArray[np.bool_]
    answer: "_Answers" = field(repr=False)

    @property
    def after(self) -> npt.NDArray[np.int64]:
        """Ids of the grids where they lie from now on."""
        return self.answer.grid_id


def moves_near(
    connection: sa.Connection,
    scheme_id: int,
    changed: Sequence[int],
    grid_ids: Sequence[int],
    faces: npt.NDArray[np.object_],
) -> list[Moves]:
    """
    Find what a redraw of some grids moves; nothing is written.

    Parameters
    ----------
    connection
        An open transaction.
    scheme_id
        The scheme.
    changed
        Grids whose land is another one, those that end included, and their neighbours: whatever
        lies in them is placed anew.
    grid_ids, faces
        The same grids as they will be, without those that end; MultiPolygons in lon, lat.

    Returns
    -------
    list of Moves
        One of each kind of object.
    """
    locator = Locator(list(grid_ids), faces)
    found: list[tuple[_Objects, _Held, _Answers]] = []
    lots: list[npt.NDArray[np.int64]] = []
    goals: list[npt.NDArray[np.int64]] = []
    placed: _Placed | None = None
    known = _lots_in(connection, scheme_id, changed)
    for kind in _KINDS:
        objects, held = _held_in(connection, kind, scheme_id, known)
        goal = np.full(len(objects.ids), NO_GRID, dtype=np.int64)  # what stays holds its lot back
        goals.append(goal)
        rows = np.arange(len(objects.ids))
        if kind == "household" and placed is not None:
            rows = _with_known_building(objects, placed)
        anew = _some_objects(objects, rows)
        answer, _ = _answer(anew, locator, placed if kind == "household" else None)
        if kind == "building":
            placed = _Placed(objects.ids, answer.grid_id)
        moved = np.flatnonzero(held.grid_id[rows] != answer.grid_id)
        rows = rows[moved]
        goal[rows] = answer.grid_id[moved]
        found.append((_some_objects(objects, rows), _some_held(held, rows), _some(answer, moved)))
        lots.append(held.lot_id)
    whole = _going_together(np.concatenate(lots), np.concatenate(goals))
    return [
        Moves(
            objects.kind, objects.ids, held.grid_id, held.lot_id,
            np.isin(held.lot_id, whole) & (held.method == _place_of(answer.method)), answer,
        )
        for objects, held, answer in found
    ]  # fmt: skip


def _going_together(
    lot_id: npt.NDArray[np.int64], goal: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Name the lots of which each object has the same goal, that is one."""
    lots, which = np.unique(lot_id, return_inverse=True)
    first = np.full(len(lots), np.iinfo(np.int64).max)
    last = np.full(len(lots), np.iinfo(np.int64).min)
    np.minimum.at(first, which, goal)
    np.maximum.at(last, which, goal)
    found: npt.NDArray[np.int64] = lots[(first == last) & (first != NO_GRID)]
    return found


def write_moves(connection: sa.Connection, version: Version, moves: Sequence[Moves]) -> None:
    """
    Write what a new version moves, and today's copy where it is in force already.

    Parameters
    ----------
    connection
        The transaction that publishes the version.
    version
        The newest version of its scheme.
    moves
        By :func:`moves_near`.
    """
    row = t.grid_version.c
    others = bool(
        connection.scalar(
            sa.select(
                sa.exists().where(
                    row.applied_at.is_(None),
                    row.effective_day <= sa.func.gis_today(),
                    row.version_id != version.version_id,
                )
            )
        )
    )
    in_force = version.effective_day <= today(connection)
    is_base = connection.scalar(
        sa.select(t.grid_scheme.c.is_base).where(t.grid_scheme.c.scheme_id == version.scheme_id)
    )
    _move_lots(connection, version, moves)
    copied = in_force and is_base and not others
    emptied = _emptied(connection, moves) if copied else {}
    for one in moves:
        parted = np.flatnonzero(~one.together)
        if len(parted):
            ids, answer = one.object_ids[parted], _some(one.answer, parted)
            day = version.effective_day.toordinal()
            with _laid_out(connection, version.scheme_id, ids, answer, day):
                _close_and_open(connection, version, one.kind)
        if copied:
            _copy_moves(connection, one, emptied)
    if others:
        apply_due(connection)
    elif in_force:
        marked = sa.update(t.grid_version).values(applied_at=sa.func.now())
        connection.execute(marked.where(row.version_id == version.version_id))


@dataclass(frozen=True)
class _Held:
    """What the open rows of objects say."""

    grid_id: npt.NDArray[np.int64]
    lot_id: npt.NDArray[np.int64]
    method: npt.NDArray[np.int64]  # its place among the methods


def _some_held(held: _Held, rows: npt.NDArray[np.int64]) -> _Held:
    return _Held(held.grid_id[rows], held.lot_id[rows], held.method[rows])


def _lots_in(
    connection: sa.Connection, scheme_id: int, grid_ids: Sequence[int]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Read the lots that are in grids from now on, ascending, and the grid of each."""
    of = t.lot_grid.c
    rows = connection.execute(
        sa.select(of.lot_id, of.grid_id)
        .where(
            of.scheme_id == scheme_id,
            _among(of.grid_id, list(grid_ids)),
            sa.func.upper_inf(of.valid),
        )
        .order_by(of.lot_id)
    ).all()
    found = np.array([tuple(row) for row in rows], dtype=np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _held_in(
    connection: sa.Connection,
    kind: str,
    scheme_id: int,
    lots: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
) -> tuple["_Objects", _Held]:
    """Read what belongs to lots by its open rows, and to which of them."""
    m = t.membership.c
    method = sa.case({one: place for place, one in enumerate(_METHODS)}, value=m.method)
    # Found first, by the index over lots: the planner would rather merge whole tables by id.
    held = (
        sa.select(m.object_id, m.lot_id, sa.type_coerce(method, sa.Integer).label("method"))
        .where(
            m.scheme_id == scheme_id,
            m.object_kind == kind,
            _among(m.lot_id, lots[0]),
            sa.func.upper_inf(m.valid),
        )
        .cte("held")
        .prefix_with("MATERIALIZED")
    )
    identity = t.metadata.tables[kind].c[f"{kind}_id"]
    arrays = read_arrays(
        connection,
        _question(kind)
        .add_columns(held.c.lot_id, held.c.method)
        .where(held.c.object_id == identity),
    )
    objects, order = _as_objects(kind, arrays)
    lot_id = arrays["lot_id"][order]
    grid_id = lots[1][np.searchsorted(lots[0], lot_id)]
    return objects, _Held(grid_id, lot_id, arrays["method"][order])


def _with_known_building(objects: "_Objects", placed: "_Placed") -> npt.NDArray[np.int64]:
    """Leave out who follows a building that is not placed anew: it stays where it is."""
    if len(placed.ids) == 0:
        return np.flatnonzero(objects.building_id == NO_GRID)
    at = np.searchsorted(placed.ids, objects.building_id).clip(max=len(placed.ids) - 1)
    known = placed.ids[at] == objects.building_id
    return np.flatnonzero(known | (objects.building_id == NO_GRID))


def _some_objects(objects: "_Objects", rows: npt.NDArray[np.int64]) -> "_Objects":
    return _Objects(
        objects.kind, objects.ids[rows], objects.lon[rows], objects.lat[rows],
        objects.since[rows], objects.building_id[rows],
    )  # fmt: skip


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
    due = sa.select(t.grid_scheme.c.scheme_id).where(t.grid_scheme.c.is_base).scalar_subquery()
    for kind in _KINDS:
        table = t.metadata.tables[kind]
        identity = table.c[f"{kind}_id"]
        result = connection.execute(
            sa.update(table)
            .values(base_grid_id=t.assignment.c.grid_id)
            .where(
                t.assignment.c.scheme_id == due,
                t.assignment.c.object_kind == kind,
                t.assignment.c.object_id == identity,
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


def place_again(connection: sa.Connection, kind: str, object_ids: Sequence[int]) -> None:
    """
    Write where single objects lie from today on: new ones, or such as have moved.

    What was is kept: an open row is closed today, an object that returns the same day has its old
    row again. An object without a history gets one from the beginning, as in :func:`assign_new`.
    Households follow a building that moves.

    Parameters
    ----------
    connection
        The transaction that wrote the objects.
    kind
        ``building``, ``household``, ``premises`` or ``hazard``.
    object_ids
        Whose; near one another, since only the grids around them are looked at.
    """
    ids = sorted(object_ids)
    if not ids:
        return
    keep_boundaries(connection)
    for code in connection.execute(sa.select(t.grid_scheme.c.code)).scalars().all():
        known = versions(connection, code)
        if known:
            _place_in(connection, kind, ids, known)
    _copy_today(connection, kind, ids)
    if kind == "building":
        home = t.household.c
        inside = sa.select(home.household_id).where(home.building_id.in_(ids))
        place_again(connection, "household", list(connection.execute(inside).scalars()))


def place_moved(connection: sa.Connection, kind: str, object_ids: Sequence[int]) -> dict[str, int]:
    """
    Write where many objects lie from today on, whose place or building is another one now.

    What was is kept: an open row is closed today. Only what lies elsewhere gets a new row, under
    every version that is in force or to come. Households follow a building that moves.

    Parameters
    ----------
    connection
        The transaction that wrote the objects; each has a history already.
    kind
        Of object.
    object_ids
        Whose, anywhere in the county.

    Returns
    -------
    dict
        Objects that changed their grid of the base scheme, by kind.
    """
    ids = np.unique(np.array(object_ids, dtype=np.int64))
    if len(ids) == 0:
        return {}
    keep_boundaries(connection)
    moved: dict[str, int] = {}
    schemes = sa.select(t.grid_scheme.c.code, t.grid_scheme.c.is_base)
    for code, is_base in connection.execute(schemes).all():
        known = versions(connection, code)
        if known:
            count = _move_in(connection, kind, ids, known)
            moved |= {kind: count} if is_base else {}
    _copy_today(connection, kind, ids.tolist())
    if kind == "building":
        home = t.household.c
        inside = sa.select(home.household_id).where(_among(home.building_id, ids))
        moved |= place_moved(connection, "household", connection.execute(inside).scalars().all())
    return moved


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
    a = t.membership
    mine = (a.c.object_kind == kind) & _among(a.c.object_id, object_ids)
    connection.execute(sa.delete(a).where(mine, sa.func.lower(a.c.valid) >= sa.func.gis_today()))
    until = sa.cast(sa.func.daterange(sa.func.lower(a.c.valid), sa.func.gis_today()), DATERANGE)
    still = a.c.valid.op("@>", is_comparison=True)(sa.func.gis_today())
    connection.execute(sa.update(a).values(valid=until).where(mine, still))


def is_due(connection: sa.Connection) -> bool:
    """
    Tell whether a version's day has come and its copy is not on the rows yet.

    Parameters
    ----------
    connection
        An open transaction.

    Returns
    -------
    bool
        True: call :func:`apply_due`.
    """
    query = sa.select(
        sa.exists().where(
            t.grid_version.c.applied_at.is_(None),
            t.grid_version.c.effective_day <= sa.func.gis_today(),
        )
    )
    return bool(connection.execute(query).scalar_one())


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
        fitting = [one for one in versions(connection) if one.effective_day <= day]
        self._locator = _locator(connection, fitting[-1]) if fitting else None
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
        found = self._locator.locate(shapely.get_x(points), shapely.get_y(points)).grid_id
        if building_id is not None:
            of = self._of_building
            found = np.array(
                [
                    own if building is None else of.get(building, own)
                    for own, building in zip(found.tolist(), building_id, strict=True)
                ],
                dtype=np.int64,
            )
        return _or_none(found)

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
class _Placed:
    """Grids of buildings, sorted by building id."""

    ids: npt.NDArray[np.int64]
    grid_id: npt.NDArray[np.int64]

    def of(self, building_id: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return self.grid_id[np.searchsorted(self.ids, building_id)]


def _locator(connection: sa.Connection, version: Version) -> Locator:
    return Locator(*polygons(connection, version.scheme_id, version.effective_day))


def _placed(buildings: _Objects, locator: Locator) -> _Placed:
    return _Placed(buildings.ids, locator.locate(buildings.lon, buildings.lat).grid_id)


def _read(
    connection: sa.Connection,
    kind: str,
    scheme_id: int | None,
    *,
    new: bool,
    only: Sequence[int] | None = None,
) -> _Objects:
    """Read all objects of a kind, or only those named, or those without a history in the scheme."""
    query = _question(kind)
    identity = t.metadata.tables[kind].c[f"{kind}_id"]
    if new:
        has_history = sa.exists().where(
            t.membership.c.scheme_id == scheme_id,
            t.membership.c.object_kind == kind,
            t.membership.c.object_id == identity,
        )
        query = query.where(~has_history)
    if only is not None:
        query = query.where(_among(identity, only))
    return _as_objects(kind, read_arrays(connection, query))[0]


def _question(kind: str) -> sa.Select[Any]:
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


def _as_objects(
    kind: str, arrays: Mapping[str, npt.NDArray[Any]]
) -> tuple["_Objects", npt.NDArray[np.int64]]:
    """Put objects in the order of their ids; which order that is comes second."""
    order = np.argsort(arrays["object_id"])
    names = ("object_id", "lon", "lat", "since", "building_id")
    return _Objects(kind, *(arrays[name][order] for name in names)), order


def _answer(
    objects: _Objects, locator: Locator, placed: _Placed | None
) -> tuple[_Answers, list[int]]:
    located = locator.locate(objects.lon, objects.lat)
    grid_id = located.grid_id.copy()
    method = np.where(located.tie, "border_tie", "within").astype("<U12")
    faults: list[int] = []
    housed = objects.building_id != NO_GRID
    if placed is not None and housed.any():
        of_building = placed.of(objects.building_id[housed])
        faults = objects.ids[housed][of_building != grid_id[housed]].tolist()
        grid_id[housed] = of_building
        method[housed] = "by_building"
    outside = grid_id == NO_GRID
    method[outside] = "outside"
    nearest_grid_id = np.full(len(grid_id), NO_GRID, dtype=np.int64)
    distance_m = np.full(len(grid_id), np.nan)
    if outside.any():
        nearest = locator.nearest(objects.lon[outside], objects.lat[outside])
        nearest_grid_id[outside] = nearest.grid_id
        distance_m[outside] = nearest.distance_m
    return _Answers(grid_id, method, nearest_grid_id, distance_m), faults


def _count(report: AssignmentReport, objects: _Objects, answer: _Answers) -> None:
    outside = np.flatnonzero(answer.grid_id == NO_GRID)
    report.counts[objects.kind] = {
        "n": len(objects.ids),
        "assigned": len(objects.ids) - len(outside),
        "outside": len(outside),
        "tie": int((answer.method == "border_tie").sum()),
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


_AROUND: Final = 16  # grids that are looked at for one place: more never meet in a point


def _around(connection: sa.Connection, version: Version, lon: float, lat: float) -> Locator:
    """Index the grids nearest to a place: they hold it, or one of them is the nearest."""
    state = t.grid_state.c
    place = sa.func.ST_SetSRID(sa.func.ST_MakePoint(lon, lat), t.SRID)
    rows = connection.execute(
        sa.select(state.grid_id, sa.func.ST_AsBinary(state.geom))
        .where(
            state.scheme_id == version.scheme_id,
            state.rank == lowest_rank(connection, version.scheme_id),
            state.valid.op("@>")(sa.literal(version.effective_day, sa.Date)),
        )
        .order_by(state.geom.op("<->")(place))
        .limit(_AROUND)
    ).all()
    shapes = shapely.from_wkb(np.array([bytes(row[1]) for row in rows], dtype=object))
    return Locator([row[0] for row in rows], np.asarray(shapes, dtype=object))


# --- single objects ----------------------------------------------------------------------------


def _place_in(connection: sa.Connection, kind: str, ids: list[int], known: list[Version]) -> None:
    """Write the history of single objects in one scheme, as far as today and what is to come."""
    scheme_id = known[0].scheme_id
    fresh = set(_read(connection, kind, scheme_id, new=True, only=ids).ids.tolist())
    objects = _read(connection, kind, None, new=False, only=ids)
    if len(objects.ids) == 0:
        return
    end_history(connection, kind, [one for one in ids if one not in fresh])
    now = today(connection).toordinal()
    since = [
        own if one in fresh else now
        for one, own in zip(objects.ids.tolist(), objects.since.tolist(), strict=True)
    ]
    objects = replace(objects, since=np.array(since, dtype=np.int64))
    housed = objects.building_id[objects.building_id != NO_GRID]
    buildings = (
        _read(connection, "building", None, new=False, only=np.unique(housed).tolist())
        if len(housed)
        else None
    )
    centre = float(objects.lon.mean()), float(objects.lat.mean())
    answers = []
    for version in known:
        locator = _around(connection, version, *centre)
        placed = None if buildings is None else _placed(buildings, locator)
        answers.append(_answer(objects, locator, placed)[0])
    _write_history(connection, scheme_id, objects, [one.effective_day for one in known], answers)
    _join_unbroken(connection, scheme_id, kind, ids)


def _among(column: sa.ColumnElement[int], ids: Any) -> sa.ColumnElement[bool]:
    """Compare with one array instead of a list of thousands of values."""
    numbers = sa.literal(np.asarray(ids).tolist(), sa.ARRAY(sa.BigInteger))
    return column == sa.any_(numbers)


def _move_in(
    connection: sa.Connection,
    kind: str,
    ids: npt.NDArray[np.int64],
    known: list[Version],
) -> int:
    """Rewrite the history from today on, of those that lie elsewhere than it says."""
    scheme_id = known[0].scheme_id
    day = today(connection)
    days = [version.effective_day for version in known]
    now = max(bisect_right(days, day) - 1, 0)
    objects = _read(connection, kind, None, new=False, only=ids.tolist())
    buildings = _read(connection, "building", None, new=False) if kind == "household" else None
    answers = []
    elsewhere = np.zeros(len(objects.ids), dtype=bool)
    for version in known[now:]:
        locator = _locator(connection, version)
        placed = None if buildings is None else _placed(buildings, locator)
        answer, _ = _answer(objects, locator, placed)
        answers.append(answer)
        on = max(day, version.effective_day)
        elsewhere |= _differs(connection, scheme_id, objects, answer, on)
    if not elsewhere.any():
        return 0
    rows = np.flatnonzero(elsewhere)
    end_history(connection, kind, objects.ids[rows].tolist())
    since = np.maximum(objects.since[rows], day.toordinal())
    chosen = _Objects(
        kind, objects.ids[rows], objects.lon[rows], objects.lat[rows], since,
        objects.building_id[rows],
    )  # fmt: skip
    _write_history(
        connection, scheme_id, chosen, days[now:], [_some(answer, rows) for answer in answers]
    )
    return len(rows)


def _some(answer: _Answers, rows: npt.NDArray[np.int64]) -> _Answers:
    return _Answers(
        answer.grid_id[rows],
        answer.method[rows],
        answer.nearest_grid_id[rows],
        answer.distance_m[rows],
    )


def _differs(
    connection: sa.Connection, scheme_id: int, objects: _Objects, answer: _Answers, day: date
) -> npt.NDArray[np.bool_]:
    """Tell of each object whether its row of a day says something else; one without a row is."""
    a = t.assignment.c
    held = connection.execute(
        sa.select(a.object_id, a.grid_id, a.method, a.nearest_grid_id).where(
            a.scheme_id == scheme_id,
            a.object_kind == objects.kind,
            _among(a.object_id, objects.ids),
            a.valid.op("@>", is_comparison=True)(sa.literal(day, sa.Date)),
        )
    )
    said = {object_id: tuple(row) for object_id, *row in held}
    finds = zip(
        _or_none(answer.grid_id), answer.method.tolist(), _or_none(answer.nearest_grid_id),
        strict=True,
    )  # fmt: skip
    return np.array(
        [said.get(one) != find for one, find in zip(objects.ids.tolist(), finds, strict=True)],
        dtype=bool,
    )


def _join_unbroken(connection: sa.Connection, scheme_id: int, kind: str, ids: list[int]) -> None:
    """Make one row of two that meet today and say the same."""
    a, later = t.membership, t.membership.alias("later")
    of, other = t.lot_grid, t.lot_grid.alias("other")
    stays = (
        sa.select(sa.literal(1))
        .select_from(of)
        .join(other, other.c.grid_id == of.c.grid_id)
        .where(
            of.c.lot_id == a.c.lot_id,
            other.c.lot_id == later.c.lot_id,
            of.c.valid.op("@>", is_comparison=True)(later.c.valid),
            other.c.valid.op("@>", is_comparison=True)(later.c.valid),
        )
        .correlate(a, later)
        .exists()
    )
    same = (
        (later.c.scheme_id == a.c.scheme_id)
        & (later.c.object_kind == a.c.object_kind)
        & (later.c.object_id == a.c.object_id)
        & sa.or_(later.c.lot_id.is_not_distinct_from(a.c.lot_id), stays)
        & later.c.nearest_grid_id.is_not_distinct_from(a.c.nearest_grid_id)
        & (later.c.method == a.c.method)
    )
    day = sa.func.gis_today()
    pairs = connection.execute(
        sa.select(a.c.object_id, sa.func.upper(later.c.valid))
        .select_from(a)
        .join(later, same)
        .where(
            a.c.scheme_id == scheme_id,
            a.c.object_kind == kind,
            a.c.object_id.in_(ids),
            sa.func.upper(a.c.valid) == day,
            sa.func.lower(later.c.valid) == day,
        )
    ).all()
    mine = (a.c.scheme_id == scheme_id) & (a.c.object_kind == kind)
    for object_id, until in pairs:
        own = mine & (a.c.object_id == object_id)
        connection.execute(sa.delete(a).where(own, sa.func.lower(a.c.valid) == day))
        joined = sa.func.daterange(sa.func.lower(a.c.valid), sa.literal(until, sa.Date))
        connection.execute(
            sa.update(a)
            .values(valid=sa.cast(joined, DATERANGE))
            .where(own, sa.func.upper(a.c.valid) == day)
        )


def _copy_today(connection: sa.Connection, kind: str, ids: list[int]) -> None:
    """Bring today's copy on single rows to what the history of the base scheme says."""
    table = t.metadata.tables[kind]
    identity = table.c[f"{kind}_id"]
    base = sa.select(t.grid_scheme.c.scheme_id).where(t.grid_scheme.c.is_base).scalar_subquery()
    connection.execute(
        sa.update(table)
        .values(base_grid_id=t.assignment.c.grid_id)
        .where(
            _among(identity, ids),
            t.assignment.c.scheme_id == base,
            t.assignment.c.object_kind == kind,
            t.assignment.c.object_id == identity,
            t.assignment.c.valid.op("@>")(sa.func.gis_today()),
            table.c.base_grid_id.is_distinct_from(t.assignment.c.grid_id),
        )
    )


# --- what is written ---------------------------------------------------------------------------


def _write_history(
    connection: sa.Connection,
    scheme_id: int,
    objects: _Objects,
    days: list[date],
    answers: list[_Answers],
) -> None:
    """Append one row for each stretch of days in which an object stays in one grid."""
    ordinals = np.array([day.toordinal() for day in days], dtype=np.int64)
    start = np.maximum(objects.since, ordinals[0])
    first = np.searchsorted(ordinals, start, side="right") - 1
    until = np.zeros(len(objects.ids), dtype=np.int64)  # 0: open
    for index in range(len(days) - 1, -1, -1):
        begins = first == index
        if index > 0:
            changed = answers[index].grid_id != answers[index - 1].grid_id
            begins |= (first < index) & changed
        low = np.where(first == index, start, ordinals[index])
        rows = np.flatnonzero(begins)
        if len(rows):
            _copy(connection, scheme_id, objects, rows, answers[index], low[rows], until[rows])
        until[rows] = low[rows]


def _copy(
    connection: sa.Connection,
    scheme_id: int,
    objects: _Objects,
    rows: npt.NDArray[np.int64],
    answer: _Answers,
    low: npt.NDArray[np.int64],
    high: npt.NDArray[np.int64],
) -> None:
    chosen = _some(answer, rows)
    with _laid_out(connection, scheme_id, objects.ids[rows], chosen, low, high):
        day_0 = sa.literal(date.min, sa.Date) - 1
        _append(connection, scheme_id, objects.kind, day_0 + _laid.c.low, day_0 + _laid.c.high)


def _or_none(ids: npt.NDArray[np.int64]) -> list[int | None]:
    return [None if value == NO_GRID else value for value in ids.tolist()]


_METHODS: Final = ("border_tie", "by_building", "by_hand", "outside", "within")  # sorted


def _place_of(method: npt.NDArray[np.str_]) -> npt.NDArray[np.int64]:
    return np.searchsorted(np.array(_METHODS), method)


_MANY: Final = 20_000
"""Rows from which on a transaction may use more memory to join them than a common query."""

_laid = sa.Table(
    "pg_temp_laid_out",
    sa.MetaData(),
    sa.Column("object_id", sa.BigInteger),
    sa.Column("grid_id", sa.BigInteger),
    sa.Column("lot_id", sa.BigInteger),
    sa.Column("method", sa.SmallInteger, comment="its place among the methods"),
    sa.Column("nearest_grid_id", sa.BigInteger),
    sa.Column("distance_m", sa.Double),
    sa.Column("low", sa.Integer, comment="first day, by its number"),
    sa.Column("high", sa.Integer, comment="the day after the last; NULL: open"),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)


@contextmanager
def _laid_out(
    connection: sa.Connection,
    scheme_id: int,
    ids: npt.NDArray[np.int64],
    answer: _Answers,
    low: npt.NDArray[np.int64] | int,
    high: npt.NDArray[np.int64] | int = 0,
) -> Iterator[None]:
    """Hold objects and where they lie as rows, from which the statements within write."""
    low, high = (np.broadcast_to(np.asarray(days, np.int64), len(ids)) for days in (low, high))
    lot_id = _lots(connection, scheme_id, answer.grid_id, low, high)
    columns = {
        "object_id": ids,
        "grid_id": np.ma.masked_equal(answer.grid_id, NO_GRID),
        "lot_id": np.ma.masked_equal(lot_id, NO_GRID),
        "method": _place_of(answer.method),
        "nearest_grid_id": np.ma.masked_equal(answer.nearest_grid_id, NO_GRID),
        "distance_m": answer.distance_m,
        "low": low,
        "high": np.ma.masked_equal(high, 0),
    }
    if len(ids) > _MANY:
        connection.execute(sa.select(sa.func.set_config("work_mem", "256MB", sa.true())))
    _laid.create(connection)
    copy_numbers(connection, _laid, columns)
    yield
    _laid.drop(connection)


def _lots(
    connection: sa.Connection,
    scheme_id: int,
    grid_id: npt.NDArray[np.int64],
    low: npt.NDArray[np.int64],
    high: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """Find for each object a lot that is in its grid from a day to another, or make one."""
    order = np.lexsort((high, low, grid_id))
    sorted_ = np.column_stack([grid_id, low, high])[order]
    begins_anew = np.ones(len(order), dtype=bool)
    begins_anew[1:] = (sorted_[1:] != sorted_[:-1]).any(axis=1)
    stretches = sorted_[begins_anew]
    of = t.lot_grid.c
    rows = connection.execute(
        sa.select(of.grid_id, of.lot_id, sa.func.lower(of.valid), sa.func.upper(of.valid))
        .where(of.scheme_id == scheme_id, _among(of.grid_id, np.unique(stretches[:, 0])))
        .order_by(of.lot_id)
    )
    spans: dict[int, list[tuple[int, int, int]]] = {}
    for grid, lot, begins, ends in rows:
        first = 0 if begins is None else begins.toordinal()
        spans.setdefault(grid, []).append((lot, first, _ever(ends and ends.toordinal())))
    found = np.full(len(stretches), NO_GRID, dtype=np.int64)
    for place, (grid, begins, ends) in enumerate(stretches.tolist()):
        if grid == NO_GRID:
            continue
        fitting = (
            lot
            for lot, first, last in spans.get(grid, ())
            if first <= begins and last >= _ever(ends)
        )
        lot = next(fitting, None)
        if lot is None:
            lot = _new_lot(connection, scheme_id, grid)
            spans.setdefault(grid, []).append((lot, 0, _ever(0)))
        found[place] = lot
    lots = np.empty(len(order), dtype=np.int64)
    lots[order] = found[np.cumsum(begins_anew) - 1]
    return lots


def _ever(ordinal: int | None) -> int:
    return ordinal or date.max.toordinal() + 1


def _new_lot(connection: sa.Connection, scheme_id: int, grid_id: int) -> int:
    """Make a lot that belongs to a grid from ever to ever."""
    lot: int = connection.execute(
        sa.insert(t.lot).values(scheme_id=scheme_id).returning(t.lot.c.lot_id)
    ).scalar_one()
    ever = sa.cast(sa.func.daterange(sa.null(), sa.null()), DATERANGE)
    connection.execute(
        sa.insert(t.lot_grid).values(lot_id=lot, scheme_id=scheme_id, grid_id=grid_id, valid=ever)
    )
    return lot


def _append(
    connection: sa.Connection,
    scheme_id: int,
    kind: str,
    low: sa.ColumnElement[Any],
    high: sa.ColumnElement[Any],
) -> None:
    """Write a row for each object that is laid out."""
    method = sa.case(
        {place: sa.literal(one, sa.Text) for place, one in enumerate(_METHODS)},
        value=_laid.c.method,
    )
    rows = sa.select(
        sa.literal(scheme_id, sa.BigInteger),
        sa.literal(kind, sa.Text),
        _laid.c.object_id,
        sa.cast(sa.func.daterange(low, high), DATERANGE),
        _laid.c.lot_id,
        method,
        _laid.c.nearest_grid_id,
        _laid.c.distance_m,
    )
    names = ["scheme_id", "object_kind", "object_id", "valid"]
    names += ["lot_id", "method", "nearest_grid_id", "distance_m"]
    connection.execute(sa.insert(t.membership).from_select(names, rows))


def _write_moves(
    connection: sa.Connection, version: Version, objects: _Objects, answer: _Answers
) -> int:
    """Close the open rows of objects that move and open new ones, from the version's day on."""
    rows = _moving(connection, version.scheme_id, objects, answer)
    chosen, day = _some(answer, rows), version.effective_day.toordinal()
    with _laid_out(connection, version.scheme_id, objects.ids[rows], chosen, day):
        _close_and_open(connection, version, objects.kind)
    return len(rows)


def _close_and_open(connection: sa.Connection, version: Version, kind: str) -> None:
    """End the open rows of what is laid out, and append others from the version's day on."""
    a = t.membership
    mine = (
        (a.c.scheme_id == version.scheme_id)
        & (a.c.object_kind == kind)
        & (a.c.object_id == _laid.c.object_id)
        & sa.func.upper_inf(a.c.valid)
    )
    day = sa.literal(version.effective_day, sa.Date)
    connection.execute(sa.delete(a).where(mine, a.c.since >= day))
    until = sa.cast(sa.func.daterange(a.c.since, day), DATERANGE)
    connection.execute(sa.update(a).values(valid=until).where(mine))
    _append(connection, version.scheme_id, kind, day, sa.null())


def _move_lots(connection: sa.Connection, version: Version, moves: Sequence[Moves]) -> None:
    """Bring lots of which all move together to their other grids, from the version's day on."""
    goals: dict[int, int] = {}
    for one in moves:
        goals |= _pairs(one.lot_id[one.together], one.after[one.together])
    if not goals:
        return
    of = t.lot_grid.c
    day = sa.literal(version.effective_day, sa.Date)
    lots = sa.literal(list(goals), sa.ARRAY(sa.BigInteger))
    grids = sa.literal(list(goals.values()), sa.ARRAY(sa.BigInteger))
    until = sa.cast(sa.func.daterange(sa.func.lower(of.valid), day), DATERANGE)
    connection.execute(
        sa.update(t.lot_grid)
        .values(valid=until)
        .where(of.lot_id == sa.any_(lots), sa.func.upper_inf(of.valid))
    )
    connection.execute(
        sa.insert(t.lot_grid).from_select(
            ["lot_id", "scheme_id", "grid_id", "valid"],
            sa.select(
                sa.func.unnest(lots),
                sa.literal(version.scheme_id, sa.BigInteger),
                sa.func.unnest(grids),
                sa.cast(sa.func.daterange(day, sa.null()), DATERANGE),
            ),
        )
    )


def _pairs(first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Name each pair of numbers once."""
    order = np.lexsort((second, first))
    first, second = first[order], second[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    return list(zip(first[new].tolist(), second[new].tolist(), strict=True))


def _emptied(connection: sa.Connection, moves: Sequence[Moves]) -> dict[int, int]:
    """Name the grids that all their objects leave for one and the same other grid."""
    of = t.lot_grid.c
    goals: dict[int, set[int]] = {}
    for one in moves:
        for before, after in _pairs(one.before, one.after):
            goals.setdefault(before, set()).add(after)
    still = sa.select(of.grid_id).where(
        _among(of.grid_id, list(goals)), sa.func.upper_inf(of.valid)
    )
    for grid in connection.execute(still).scalars():
        goals.pop(grid, None)
    return {before: after.pop() for before, after in goals.items() if len(after) == 1}


def _copy_moves(connection: sa.Connection, moves: Moves, emptied: Mapping[int, int]) -> None:
    """Bring today's copy on the rows of what moves to the grid that it has now."""
    table = t.metadata.tables[moves.kind]
    by_grid = np.isin(moves.before, list(emptied))
    for found, before, after in (
        (table.c.base_grid_id, list(emptied), list(emptied.values())),
        (
            table.c[f"{moves.kind}_id"],
            moves.object_ids[~by_grid].tolist(),
            moves.after[~by_grid].tolist(),
        ),
    ):
        goal = (
            sa.func.unnest(
                sa.literal(before, sa.ARRAY(sa.BigInteger)),
                sa.literal(after, sa.ARRAY(sa.BigInteger)),
            )
            .table_valued("before", "after", name="goal")
            .render_derived()
        )
        if before:
            connection.execute(
                sa.update(table)
                .values(base_grid_id=goal.c.after)
                .where(found == goal.c.before, table.c.base_grid_id.is_distinct_from(goal.c.after))
            )


def _moving(
    connection: sa.Connection, scheme_id: int, objects: _Objects, answer: _Answers
) -> npt.NDArray[np.int64]:
    """Positions of the objects whose open row names another grid; those without one are left."""
    a = t.assignment
    query = (
        sa.select(a.c.object_id, a.c.grid_id)
        .where(
            a.c.scheme_id == scheme_id,
            a.c.object_kind == objects.kind,
            sa.func.upper_inf(a.c.valid),
        )
        .order_by(a.c.object_id)
    )
    held = connection.execute(query).all()
    if not held:
        return np.zeros(0, dtype=np.int64)
    held_ids = np.array([row[0] for row in held], dtype=np.int64)
    held_grid = np.array([NO_GRID if row[1] is None else row[1] for row in held], dtype=np.int64)
    at = np.searchsorted(held_ids, objects.ids).clip(max=len(held_ids) - 1)
    has_row = held_ids[at] == objects.ids
    return np.flatnonzero(has_row & (held_grid[at] != answer.grid_id))
