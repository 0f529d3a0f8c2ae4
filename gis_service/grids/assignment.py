"""Which grid every object belongs to: written as history, and as today's copy on the row.

A building is placed by its point, a household follows its building, everything else by its own
point. Only this module writes ``assignment`` and ``base_grid_id``.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import DATERANGE

from gis_service.grids.locator import NO_GRID, Locator
from gis_service.grids.versions import Version, lowest_rank, polygons, today, versions
from gis_service.store import tables as t
from gis_service.store.bulk import copy_rows

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
        Whose.
    before, after
        Ids of the grids, in the same order.
    """

    kind: str
    object_ids: npt.NDArray[np.int64]
    before: npt.NDArray[np.int64]
    after: npt.NDArray[np.int64]
    objects: "_Objects" = field(repr=False)
    answer: "_Answers" = field(repr=False)


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
    held = _held_in(connection, scheme_id, changed)
    found: list[Moves] = []
    placed: _Placed | None = None
    for kind in _KINDS:
        ids, before = held.get(kind, (_NO_IDS, _NO_IDS))
        objects = _read(connection, kind, scheme_id, new=False, only=ids.tolist())
        if kind == "household" and placed is not None:
            objects = _with_known_building(objects, placed)
        answer, _ = _answer(objects, locator, placed if kind == "household" else None)
        if kind == "building":
            placed = _Placed(objects.ids, answer.grid_id)
        was = before[np.searchsorted(ids, objects.ids)]
        rows = np.flatnonzero(was != answer.grid_id)
        found.append(
            Moves(
                kind, objects.ids[rows], was[rows], answer.grid_id[rows],
                _some_objects(objects, rows), _some(answer, rows),
            )
        )  # fmt: skip
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
    for one in moves:
        every = np.arange(len(one.object_ids))
        _write_rows(connection, version, one.objects, one.answer, every)
    marked = sa.update(t.grid_version).values(applied_at=sa.func.now())
    row = t.grid_version.c
    others = sa.select(
        sa.exists().where(
            row.applied_at.is_(None),
            row.effective_day <= sa.func.gis_today(),
            row.version_id != version.version_id,
        )
    )
    if connection.scalar(others):
        apply_due(connection)
        return
    if version.effective_day > today(connection):
        return
    for one in moves:
        if len(one.object_ids):
            _copy_today(connection, one.kind, one.object_ids.tolist())
    connection.execute(marked.where(row.version_id == version.version_id))


_NO_IDS: Final = np.zeros(0, dtype=np.int64)


def _held_in(
    connection: sa.Connection, scheme_id: int, grid_ids: Sequence[int]
) -> dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Read the open rows of what lies in grids: ids of objects and of grids, by kind."""
    a = t.assignment.c
    rows = connection.execute(
        sa.select(a.object_kind, sa.func.array_agg(a.object_id), sa.func.array_agg(a.grid_id))
        .where(
            a.scheme_id == scheme_id, _among(a.grid_id, list(grid_ids)), sa.func.upper_inf(a.valid)
        )
        .group_by(a.object_kind)
    )
    found = {}
    for kind, ids, grids in rows:
        objects, held = np.array(ids, dtype=np.int64), np.array(grids, dtype=np.int64)
        order = np.argsort(objects)
        found[kind] = objects[order], held[order]
    return found


def _with_known_building(objects: "_Objects", placed: "_Placed") -> "_Objects":
    """Leave out who follows a building that is not placed anew: it stays where it is."""
    at = np.searchsorted(placed.ids, objects.building_id).clip(max=max(len(placed.ids) - 1, 0))
    known = placed.ids[at] == objects.building_id if len(placed.ids) else np.zeros(len(at), bool)
    return _some_objects(objects, np.flatnonzero(known | (objects.building_id == NO_GRID)))


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
    a = t.assignment
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
    table = t.metadata.tables[kind]
    identity = table.c[f"{kind}_id"]
    zone = "Asia/Shanghai"
    since: Any = {
        "hazard": t.hazard.c.found_on,
        "incident": sa.cast(sa.func.timezone(zone, t.incident.c.reported_at), sa.Date),
    }.get(kind, sa.null())
    building: Any = t.household.c.building_id if kind == "household" else sa.null()
    query = sa.select(
        identity, sa.func.ST_X(table.c.point), sa.func.ST_Y(table.c.point), since, building
    ).order_by(identity)
    if new:
        has_history = sa.exists().where(
            t.assignment.c.scheme_id == scheme_id,
            t.assignment.c.object_kind == kind,
            t.assignment.c.object_id == identity,
        )
        query = query.where(~has_history)
    if only is not None:
        query = query.where(_among(identity, only))
    rows = connection.execute(query).all()
    ids, lon, lat, days, buildings = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    return _Objects(
        kind,
        np.array(ids, dtype=np.int64),
        np.array(lon, dtype=float),
        np.array(lat, dtype=float),
        np.array([0 if day is None else day.toordinal() for day in days], dtype=np.int64),
        np.array([NO_GRID if b is None else b for b in buildings], dtype=np.int64),
    )


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
    a, later = t.assignment, t.assignment.alias("later")
    same = (
        (later.c.scheme_id == a.c.scheme_id)
        & (later.c.object_kind == a.c.object_kind)
        & (later.c.object_id == a.c.object_id)
        & later.c.grid_id.is_not_distinct_from(a.c.grid_id)
        & later.c.nearest_grid_id.is_not_distinct_from(a.c.nearest_grid_id)
        & (later.c.method == a.c.method)
    )
    day = sa.func.gis_today()
    pairs = connection.execute(
        sa.select(a.c.object_id, sa.func.upper(later.c.valid))
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
    copy_rows(
        connection,
        t.assignment,
        {
            "scheme_id": np.full(len(rows), scheme_id),
            "object_kind": [objects.kind] * len(rows),
            "object_id": objects.ids[rows],
            "valid": [_range(a, b) for a, b in zip(low.tolist(), high.tolist(), strict=True)],
            **_answer_columns(answer, rows),
        },
    )


def _range(low: int, high: int) -> tuple[date, date | None]:
    return date.fromordinal(low), date.fromordinal(high) if high else None


def _answer_columns(answer: _Answers, rows: npt.NDArray[np.int64]) -> dict[str, list[Any]]:
    return {
        "grid_id": _or_none(answer.grid_id[rows]),
        "method": answer.method[rows].tolist(),
        "nearest_grid_id": _or_none(answer.nearest_grid_id[rows]),
        "distance_m": answer.distance_m[rows].tolist(),
    }


def _or_none(ids: npt.NDArray[np.int64]) -> list[int | None]:
    return [None if value == NO_GRID else value for value in ids.tolist()]


_moves = sa.Table(
    "pg_temp_moves",
    sa.MetaData(),
    sa.Column("object_id", sa.BigInteger),
    sa.Column("grid_id", sa.BigInteger),
    sa.Column("method", sa.Text),
    sa.Column("nearest_grid_id", sa.BigInteger),
    sa.Column("distance_m", sa.Double),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)


def _write_moves(
    connection: sa.Connection, version: Version, objects: _Objects, answer: _Answers
) -> int:
    """Close the open rows of objects that move and open new ones, from the version's day on."""
    rows = _moving(connection, version.scheme_id, objects, answer)
    _write_rows(connection, version, objects, answer, rows)
    return len(rows)


def _write_rows(
    connection: sa.Connection,
    version: Version,
    objects: _Objects,
    answer: _Answers,
    rows: npt.NDArray[np.int64],
) -> None:
    if len(rows) == 0:
        return
    _moves.create(connection)
    columns = _answer_columns(answer, rows)
    copy_rows(connection, _moves, {"object_id": objects.ids[rows], **columns})
    a = t.assignment
    mine = (
        (a.c.scheme_id == version.scheme_id)
        & (a.c.object_kind == objects.kind)
        & (a.c.object_id == _moves.c.object_id)
        & sa.func.upper_inf(a.c.valid)
    )
    day = sa.literal(version.effective_day, sa.Date)
    connection.execute(sa.delete(a).where(mine, sa.func.lower(a.c.valid) >= day))
    until = sa.cast(sa.func.daterange(sa.func.lower(a.c.valid), day), DATERANGE)
    connection.execute(sa.update(a).values(valid=until).where(mine))
    opened = sa.select(
        sa.literal(version.scheme_id, sa.BigInteger),
        sa.literal(objects.kind, sa.Text),
        _moves.c.object_id,
        sa.cast(sa.func.daterange(day, sa.null()), DATERANGE),
        _moves.c.grid_id,
        _moves.c.method,
        _moves.c.nearest_grid_id,
        _moves.c.distance_m,
    )
    names = ["scheme_id", "object_kind", "object_id", "valid", *columns]
    connection.execute(sa.insert(a).from_select(names, opened))
    _moves.drop(connection)


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
