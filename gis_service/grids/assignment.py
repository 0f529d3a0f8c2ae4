"""Which grid every object belongs to: written as history, and as today's copy on the row.

A building is placed by its point, a household follows its building, everything else by its own
point. Only this module writes ``assignment`` and ``base_grid_id``.
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
from gis_service.grids.versions import Version, lowest_rank, polygons, today, versions
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
    """

    kind: str
    object_ids: npt.NDArray[np.int64]
    before: npt.NDArray[np.int64]
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
    found: list[Moves] = []
    placed: _Placed | None = None
    for kind in _KINDS:
        objects, before = _held_in(connection, kind, scheme_id, changed)
        if kind == "household" and placed is not None:
            known = _with_known_building(objects, placed)
            objects, before = _some_objects(objects, known), before[known]
        answer, _ = _answer(objects, locator, placed if kind == "household" else None)
        if kind == "building":
            placed = _Placed(objects.ids, answer.grid_id)
        rows = np.flatnonzero(before != answer.grid_id)
        found.append(Moves(kind, objects.ids[rows], before[rows], _some(answer, rows)))
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
    for one in moves:
        with _laid_out(connection, one.object_ids, one.answer):
            _close_and_open(connection, version, one.kind)
            if in_force and is_base and not others:
                _copy_moves(connection, one.kind)
    if others:
        apply_due(connection)
    elif in_force:
        marked = sa.update(t.grid_version).values(applied_at=sa.func.now())
        connection.execute(marked.where(row.version_id == version.version_id))


def _held_in(
    connection: sa.Connection, kind: str, scheme_id: int, grid_ids: Sequence[int]
) -> tuple["_Objects", npt.NDArray[np.int64]]:
    """Read what lies in grids by its open rows, and in which of them."""
    a = t.assignment.c
    identity = t.metadata.tables[kind].c[f"{kind}_id"]
    held = sa.and_(
        a.scheme_id == scheme_id,
        a.object_kind == kind,
        a.object_id == identity,
        _among(a.grid_id, list(grid_ids)),
        sa.func.upper_inf(a.valid),
    )
    arrays = read_arrays(connection, _question(kind).add_columns(a.grid_id).where(held))
    objects, order = _as_objects(kind, arrays)
    return objects, arrays["grid_id"][order]


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
    query = _question(kind)
    identity = t.metadata.tables[kind].c[f"{kind}_id"]
    if new:
        has_history = sa.exists().where(
            t.assignment.c.scheme_id == scheme_id,
            t.assignment.c.object_kind == kind,
            t.assignment.c.object_id == identity,
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
    with _laid_out(connection, objects.ids[rows], _some(answer, rows), low, high):
        day_0 = sa.literal(date.min, sa.Date) - 1
        _append(connection, scheme_id, objects.kind, day_0 + _laid.c.low, day_0 + _laid.c.high)


def _or_none(ids: npt.NDArray[np.int64]) -> list[int | None]:
    return [None if value == NO_GRID else value for value in ids.tolist()]


_METHODS: Final = ("border_tie", "by_building", "by_hand", "outside", "within")  # sorted

_MANY: Final = 20_000
"""Rows from which on a transaction may use more memory to join them than a common query."""

_laid = sa.Table(
    "pg_temp_laid_out",
    sa.MetaData(),
    sa.Column("object_id", sa.BigInteger),
    sa.Column("grid_id", sa.BigInteger),
    sa.Column("method", sa.SmallInteger, comment="its place among the methods, from 1"),
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
    ids: npt.NDArray[np.int64],
    answer: _Answers,
    low: npt.NDArray[np.int64] | None = None,
    high: npt.NDArray[np.int64] | None = None,
) -> Iterator[None]:
    """Hold objects and where they lie as rows, from which the statements within write."""
    none = np.zeros(len(ids), dtype=np.int64)
    columns = {
        "object_id": ids,
        "grid_id": np.ma.masked_equal(answer.grid_id, NO_GRID),
        "method": np.searchsorted(np.array(_METHODS), answer.method) + 1,
        "nearest_grid_id": np.ma.masked_equal(answer.nearest_grid_id, NO_GRID),
        "distance_m": answer.distance_m,
        "low": none if low is None else low,
        "high": np.ma.masked_equal(none if high is None else high, 0),
    }
    if len(ids) > _MANY:
        connection.execute(sa.select(sa.func.set_config("work_mem", "256MB", sa.true())))
    _laid.create(connection)
    copy_numbers(connection, _laid, columns)
    yield
    _laid.drop(connection)


def _append(
    connection: sa.Connection,
    scheme_id: int,
    kind: str,
    low: sa.ColumnElement[Any],
    high: sa.ColumnElement[Any],
) -> None:
    """Write a row for each object that is laid out."""
    method = sa.case(
        {place: sa.literal(one, sa.Text) for place, one in enumerate(_METHODS, 1)},
        value=_laid.c.method,
    )
    rows = sa.select(
        sa.literal(scheme_id, sa.BigInteger),
        sa.literal(kind, sa.Text),
        _laid.c.object_id,
        sa.cast(sa.func.daterange(low, high), DATERANGE),
        _laid.c.grid_id,
        method,
        _laid.c.nearest_grid_id,
        _laid.c.distance_m,
    )
    names = ["scheme_id", "object_kind", "object_id", "valid"]
    names += ["grid_id", "method", "nearest_grid_id", "distance_m"]
    connection.execute(sa.insert(t.assignment).from_select(names, rows))


def _write_moves(
    connection: sa.Connection, version: Version, objects: _Objects, answer: _Answers
) -> int:
    """Close the open rows of objects that move and open new ones, from the version's day on."""
    rows = _moving(connection, version.scheme_id, objects, answer)
    with _laid_out(connection, objects.ids[rows], _some(answer, rows)):
        _close_and_open(connection, version, objects.kind)
    return len(rows)


def _close_and_open(connection: sa.Connection, version: Version, kind: str) -> None:
    """End the open rows of what is laid out, and append others from the version's day on."""
    a = t.assignment
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


def _copy_moves(connection: sa.Connection, kind: str) -> None:
    """Bring today's copy on the rows of what is laid out to the grid that it has there."""
    table = t.metadata.tables[kind]
    connection.execute(
        sa.update(table)
        .values(base_grid_id=_laid.c.grid_id)
        .where(
            table.c[f"{kind}_id"] == _laid.c.object_id,
            table.c.base_grid_id.is_distinct_from(_laid.c.grid_id),
        )
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
