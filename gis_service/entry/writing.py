"""Records entered by hand go into the store: checked, placed in their grid, recorded, and undone.

Each call is one change in the caller's transaction. Nothing is overwritten unseen (a change names
the version that it saw), nothing is written twice (a request has a key), and what was yesterday
stays as it was: days end, they are not rewritten.
"""

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any, Final

import sqlalchemy as sa
from psycopg2.errors import ExclusionViolation, ForeignKeyViolation, UniqueViolation

from gis_service.access import Actor, record
from gis_service.access.permissions import entering
from gis_service.entry.faults import Fault, FieldsError, InTheWayError, StaleError
from gis_service.entry.fields import Values, check
from gis_service.entry.reading import RecordShown, find_row, kind_of, read
from gis_service.entry.rows import (
    columns_of,
    columns_of_texts,
    days_range,
    identity,
    point,
    seen,
    text_columns,
    values_of,
)
from gis_service.errors import ConflictError, InputError, NotAllowedError, NotFoundError, Place
from gis_service.grids.assignment import end_history, place_again
from gis_service.grids.versions import keep_boundaries, today
from gis_service.records import RECORDS, Record
from gis_service.settings import keeping_settings
from gis_service.store import tables as t
from gis_service.store.tables import table_of

FARTHEST_M: Final = 20_000.0
"""A place farther from every grid is a slip of the hand: swapped or shortened coordinates."""

_PERSONAL: Final = "***"


@dataclass(frozen=True)
class Saved:
    """
    What a change came to.

    Attributes
    ----------
    record
        As it is now; None where it was taken out.
    change_id
        With which the change can be undone; None where nothing changed.
    repeated
        True where the same request was done before: nothing was written again.
    """

    record: RecordShown | None
    change_id: int | None
    repeated: bool = False


def add(
    connection: sa.Connection,
    actor: Actor,
    kind_name: str,
    given: Mapping[str, object],
    request_key: str,
) -> Saved:
    """
    Add one record.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who enters it.
    kind_name
        Its kind.
    given
        Value by field, as the form sends them.
    request_key
        The sender's own name of this request.

    Returns
    -------
    Saved
        The new record.

    Raises
    ------
    FieldsError
        Fields do not fit.
    NotAllowedError
        The role may not, or the place lies in somebody else's grid.
    InTheWayError
        Another row stands in the way.
    """
    kind = _asked_for(connection, actor, kind_name)
    before = _repeated(connection, actor, request_key)
    if before is not None:
        return _again(connection, actor, before)
    values = check(kind, given, None)
    _check_references(connection, actor, kind, values)
    _check_days(connection, kind, values, None, None)
    columns = columns_of(kind, values, {})
    if kind.has_key:
        columns.setdefault("key", f"hand-{uuid.uuid4().hex[:12]}")
    query = sa.insert(table_of(kind)).values(columns).returning(identity(kind))
    record_id = int(_write(connection, kind, query, values).scalar_one())
    _place(connection, kind, record_id)
    _check_own(connection, actor, kind, record_id)
    after = _recorded(kind, values)
    record(connection, actor, "add", kind_name, record_id, after=after)
    return _saved(connection, actor, kind, record_id, "add", request_key, None)


def change(
    connection: sa.Connection,
    actor: Actor,
    kind_name: str,
    record_id: int,
    given: Mapping[str, object],
    *,
    version: str,
    request_key: str,
) -> Saved:
    """
    Change fields of one record.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who changes it.
    kind_name
        Its kind.
    record_id
        Which.
    given
        The fields that change; all others stay.
    version
        Of the record that the sender saw.
    request_key
        The sender's own name of this request.

    Returns
    -------
    Saved
        The record as it is now.

    Raises
    ------
    StaleError
        Somebody changed it in between.
    """
    kind = _asked_for(connection, actor, kind_name)
    done = _repeated(connection, actor, request_key)
    if done is not None:
        return _again(connection, actor, done)
    row = find_row(connection, actor, kind, record_id, lock=True)
    if row.version != version:
        raise StaleError(asdict(read(connection, actor, kind_name, record_id)), given)
    before = values_of(kind, row)
    values = check(kind, given, before)
    # What its sender cannot see is written in any case: an answer must not tell that it is equal.
    hidden = {one.name for one in kind.fields if one.mask}
    values = {
        name: value for name, value in values.items() if name in hidden or value != before[name]
    }
    if not values:
        return Saved(read(connection, actor, kind_name, record_id), None)
    _check_references(connection, actor, kind, values)
    _check_days(connection, kind, values, before, record_id)
    snapshot = _snapshot(connection, kind, record_id)
    columns = columns_of(kind, values, before)
    if kind_name == "building" and "point" in values:
        columns |= _shift_footprint(before["point"], values["point"])
    query = sa.update(table_of(kind)).where(identity(kind) == record_id).values(columns)
    _write(connection, kind, query, {**before, **values}, record_id)
    _after_move(connection, kind, record_id, before, values)
    _check_own(connection, actor, kind, record_id)
    record(
        connection,
        actor,
        "change",
        kind_name,
        record_id,
        before=_recorded(kind, {name: before[name] for name in values}),
        after=_recorded(kind, values),
    )
    return _saved(connection, actor, kind, record_id, "change", request_key, snapshot)


def remove(
    connection: sa.Connection,
    actor: Actor,
    kind_name: str,
    record_id: int,
    *,
    version: str,
    request_key: str,
) -> Saved:
    """
    Take one record out; which grid it belonged to until today stays known.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who takes it out.
    kind_name
        Its kind.
    record_id
        Which.
    version
        Of the record that the sender saw.
    request_key
        The sender's own name of this request.

    Returns
    -------
    Saved
        Without a record.

    Raises
    ------
    ConflictError
        The kind is ended or closed instead, it has begun, or others refer to it.
    StaleError
        Somebody changed it in between.
    """
    kind = _asked_for(connection, actor, kind_name)
    done = _repeated(connection, actor, request_key)
    if done is not None:
        return _again(connection, actor, done)
    row = find_row(connection, actor, kind, record_id, lock=True)
    if row.version != version:
        raise StaleError(asdict(read(connection, actor, kind_name, record_id)), {})
    before = values_of(kind, row)
    _check_removable(connection, kind, before)
    snapshot = _snapshot(connection, kind, record_id)
    if kind.placed:
        end_history(connection, kind_name, [record_id])
    query = sa.delete(table_of(kind)).where(identity(kind) == record_id)
    _write(connection, kind, query, before, record_id)
    record(connection, actor, "remove", kind_name, record_id, before=_recorded(kind, before))
    return _saved(connection, actor, kind, record_id, "remove", request_key, snapshot)


def undo(connection: sa.Connection, actor: Actor, change_id: int) -> Saved:
    """
    Take back a change of one's own, shortly after it.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who made the change.
    change_id
        As :class:`Saved` named it.

    Returns
    -------
    Saved
        The record as it was; without one where it had been added.

    Raises
    ------
    NotFoundError
        There is no such change of this actor.
    ConflictError
        The time is over, or the record was changed again.
    """
    done = connection.execute(
        sa.select(t.entry_change)
        .where(t.entry_change.c.change_id == change_id, t.entry_change.c.actor_id == actor.actor_id)
        .with_for_update()
    ).first()
    if done is None:
        raise NotFoundError("entry.no_change")
    kind = _asked_for(connection, actor, done.object_kind)
    fresh = connection.scalar(sa.select(sa.func.now() - sa.literal(done.at) <= _undo_time()))
    if done.undone or not fresh:
        raise ConflictError("entry.too_late_to_undo")
    if done.action != "remove":
        row = find_row(connection, actor, kind, done.object_id, lock=True)
        if row.version != done.version:
            raise ConflictError("entry.changed_since")
    back = _UNDOING[done.action]
    back(connection, actor, kind, done)
    connection.execute(
        sa.update(t.entry_change)
        .where(t.entry_change.c.change_id == change_id)
        .values(undone=True, before=sa.null())
    )
    record(connection, actor, "undo", kind.name, done.object_id, after={"change": done.action})
    if done.action == "add":
        return Saved(None, None)
    return Saved(read(connection, actor, kind.name, done.object_id), None)


# --- taking back -------------------------------------------------------------------------------


def _asked_for(connection: sa.Connection, actor: Actor, kind_name: str) -> Record:
    """Tell what is to be written and that the role may; the boundaries stay as they are."""
    kind = kind_of(kind_name)
    entering(kind_name).require(actor)
    if kind.placed:
        keep_boundaries(connection)
    return kind


def _undo_add(connection: sa.Connection, actor: Actor, kind: Record, done: Any) -> None:
    del actor
    if kind.placed:  # it never was: its history goes with it
        m = t.membership.c
        mine = (m.object_kind == kind.name) & (m.object_id == done.object_id)
        connection.execute(sa.delete(t.membership).where(mine))
    query = sa.delete(table_of(kind)).where(identity(kind) == done.object_id)
    _write(connection, kind, query, {}, done.object_id)


def _undo_change(connection: sa.Connection, actor: Actor, kind: Record, done: Any) -> None:
    row = find_row(connection, actor, kind, done.object_id)
    now = values_of(kind, row)
    columns = columns_of_texts(kind, done.before)
    columns.pop("base_grid_id", None)
    columns.pop(identity(kind).name)
    query = sa.update(table_of(kind)).where(identity(kind) == done.object_id)
    _write(connection, kind, query.values(columns), {}, done.object_id)
    before = values_of(kind, find_row(connection, actor, kind, done.object_id))
    changed = {name: value for name, value in before.items() if value != now[name]}
    _after_move(connection, kind, done.object_id, now, changed)
    _check_own(connection, actor, kind, done.object_id)


def _undo_remove(connection: sa.Connection, actor: Actor, kind: Record, done: Any) -> None:
    columns = columns_of_texts(kind, done.before)
    _write(connection, kind, sa.insert(table_of(kind)).values(columns), {}, done.object_id)
    _place(connection, kind, done.object_id)
    _check_own(connection, actor, kind, done.object_id)


_UNDOING: Final = {"add": _undo_add, "change": _undo_change, "remove": _undo_remove}


def _snapshot(connection: sa.Connection, kind: Record, record_id: int) -> dict[str, str | None]:
    """Keep a row that was found through :func:`find_row`, exactly."""
    query = sa.select(*text_columns(kind)).where(identity(kind) == record_id)
    return dict(connection.execute(query).mappings().one())


# --- once, and for a while ---------------------------------------------------------------------


def _repeated(connection: sa.Connection, actor: Actor, request_key: str) -> Any:
    """Find the change that this request has made before; waits for one that is being made."""
    if not 8 <= len(request_key) <= 100:
        raise InputError("entry.no_request_key", place=Place(field="Idempotency-Key"))
    name = f"{actor.actor_id} {request_key}"
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(name, 0))))
    return connection.execute(
        sa.select(t.entry_change).where(
            t.entry_change.c.actor_id == actor.actor_id,
            t.entry_change.c.request_key == request_key,
        )
    ).first()


def _again(connection: sa.Connection, actor: Actor, done: Any) -> Saved:
    """Answer a request that was done before as it was answered then, with the record as it is."""
    there = None
    if done.action != "remove":
        there = read(connection, actor, done.object_kind, done.object_id)
    return Saved(there, None if done.undone else done.change_id, repeated=True)


def _saved(
    connection: sa.Connection,
    actor: Actor,
    kind: Record,
    record_id: int,
    action: str,
    request_key: str,
    snapshot: Mapping[str, str | None] | None,
) -> Saved:
    forget_old(connection)
    there = None if action == "remove" else read(connection, actor, kind.name, record_id)
    change_id: int = connection.execute(
        sa.insert(t.entry_change)
        .values(
            actor_id=actor.actor_id,
            request_key=request_key,
            action=action,
            object_kind=kind.name,
            object_id=record_id,
            version=None if there is None else there.version,
            before=sa.null() if snapshot is None else dict(snapshot),
        )
        .returning(t.entry_change.c.change_id)
    ).scalar_one()
    return Saved(there, change_id)


def _undo_time() -> timedelta:
    """So long a change can be taken back; then the row as it was is forgotten."""
    return timedelta(seconds=keeping_settings().undo_s)


def forget_old(connection: sa.Connection) -> None:
    """
    Forget rows as they were when they can no longer be taken back, and a day later the request.

    Parameters
    ----------
    connection
        An open transaction.
    """
    past = t.entry_change.c
    days = timedelta(days=keeping_settings().entry_days)
    connection.execute(sa.delete(t.entry_change).where(past.at < sa.func.now() - days))
    connection.execute(
        sa.update(t.entry_change)
        .values(before=sa.null())
        .where(past.before.is_not(None), past.at < sa.func.now() - _undo_time())
    )


# --- what is right only against the store ------------------------------------------------------


def _check_references(
    connection: sa.Connection, actor: Actor, kind: Record, values: Mapping[str, Any]
) -> None:
    """Refuse what refers to nothing, or to nothing that the actor sees."""
    faults = [
        Fault(one.name, "entry.no_such_choice")
        for one in kind.references
        if values.get(one.name) is not None
        and not _is_there(connection, actor, one.type, values[one.name])
    ]
    if faults:
        raise FieldsError(faults)


def _is_there(connection: sa.Connection, actor: Actor, kind: str, record_id: int) -> bool:
    if kind == "grid":
        state = t.grid_state.c
        wanted = (state.grid_id == record_id) & (
            sa.func.coalesce(sa.func.upper(state.valid), sa.func.gis_today() + 1)
            > sa.func.gis_today()
        )
        return bool(connection.scalar(sa.select(sa.exists().where(wanted))))
    wanted = (identity(RECORDS[kind]) == record_id) & seen(actor, RECORDS[kind])
    return bool(connection.scalar(sa.select(sa.exists().where(wanted))))


def _check_days(
    connection: sa.Connection,
    kind: Record,
    values: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    record_id: int | None,
) -> None:
    """Keep what was: a duty is not given for the past, and what has begun only ends later."""
    if kind.name not in ("officer", "leave", "duty"):
        return
    day = today(connection)
    yesterday = day - timedelta(days=1)
    if kind.name == "duty" and values.get("first_day", day) < day:
        raise FieldsError([Fault("first_day", "entry.not_in_the_past", {"day": day.isoformat()})])
    if before is None:
        return
    if before["first_day"] < day and "first_day" in values:
        raise FieldsError([Fault("first_day", "entry.has_begun")])
    if kind.name == "leave" or "last_day" not in values:
        return
    for last in (values["last_day"], before["last_day"]):
        if last is not None and last < yesterday and before["first_day"] < day:
            raise FieldsError([Fault("last_day", "entry.ends_in_the_past")])
    if kind.name == "officer":
        _check_duties_end(connection, record_id, values["last_day"])


def _check_duties_end(connection: sa.Connection, officer_id: int | None, last: date | None) -> None:
    """Refuse to end an officer whose duties go on."""
    if last is None:
        return
    duty, state = t.grid_duty.c, t.grid_state.c
    going_on = sa.func.coalesce(sa.func.upper(duty.valid), date(9999, 12, 31)) > last + timedelta(1)
    names = connection.execute(
        sa.select(state.name)
        .distinct()
        .join(t.grid_duty, duty.grid_id == state.grid_id)
        .where(
            duty.officer_id == officer_id,
            going_on,
            state.valid.op("@>")(sa.func.gis_today()),
        )
        .order_by(state.name)
    ).scalars()
    found = list(names)
    if found:
        grids = "、".join(found[:5])
        raise InTheWayError(
            "entry.duties_go_on", "last_day", {"kind": "duty", "n": len(found)}, grids=grids
        )


def _check_removable(connection: sa.Connection, kind: Record, before: Mapping[str, Any]) -> None:
    if not kind.removable:
        raise ConflictError(f"entry.not_removed_{kind.name}")
    if kind.name in ("leave", "duty") and before["first_day"] <= today(connection):
        raise ConflictError("entry.begun_is_ended")


# --- placing -----------------------------------------------------------------------------------


def _after_move(
    connection: sa.Connection,
    kind: Record,
    record_id: int,
    before: Mapping[str, Any],
    changed: Mapping[str, Any],
) -> None:
    """Place a record again whose place or building is another one; its households go along."""
    if not kind.placed or not {"point", "building"} & set(changed):
        return
    if kind.name == "building":
        _move_households(connection, record_id, before["point"], changed["point"])
    _place(connection, kind, record_id)


def _shift_footprint(
    old: tuple[float, float], new: tuple[float, float]
) -> dict[str, sa.ColumnElement[Any]]:
    shape = sa.func.ST_Translate(t.building.c.footprint, new[0] - old[0], new[1] - old[1])
    return {"footprint": shape}


def _move_households(
    connection: sa.Connection, building_id: int, old: tuple[float, float], new: tuple[float, float]
) -> None:
    """Take the households of a building along, each by as much; those at its point, exactly."""
    home = t.household.c
    at_point = sa.func.ST_Equals(home.point, point(*old))
    moved = sa.func.ST_Translate(home.point, new[0] - old[0], new[1] - old[1])
    connection.execute(
        sa.update(t.household)
        .where(home.building_id == building_id)
        .values(point=sa.case((at_point, point(*new)), else_=moved))
    )


def _place(connection: sa.Connection, kind: Record, record_id: int) -> None:
    """Write the grid of a record, and refuse a place that is too far from every grid."""
    if not kind.placed:
        return
    place_again(connection, kind.name, [record_id])
    a = t.assignment.c
    far = connection.scalar(
        sa.select(a.distance_m)
        .join(t.grid_scheme, t.grid_scheme.c.scheme_id == a.scheme_id)
        .where(
            t.grid_scheme.c.is_base,
            a.object_kind == kind.name,
            a.object_id == record_id,
            a.valid.op("@>")(sa.func.gis_today()),
        )
    )
    if far is not None and far > FARTHEST_M:
        values = {"km": f"{far / 1000:.0f}"}
        raise FieldsError([Fault("point", "entry.far_from_every_grid", values)])


def _check_own(connection: sa.Connection, actor: Actor, kind: Record, record_id: int) -> None:
    """Refuse a record that now lies in somebody else's grid."""
    if actor.areas is None:
        return
    mine = (identity(kind) == record_id) & seen(actor, kind)
    if not connection.scalar(sa.select(sa.exists().where(mine))):
        field = "grid" if kind.name == "duty" else "point"
        raise NotAllowedError("entry.not_your_grid", place=Place(field=field))


# --- what the store refuses --------------------------------------------------------------------


def _write(
    connection: sa.Connection,
    kind: Record,
    query: Any,
    values: Mapping[str, Any],
    record_id: int | None = None,
) -> Any:
    """Run one statement; what a constraint refuses is said with the row that stands in the way."""
    try:
        with connection.begin_nested():
            return connection.execute(query)
    except sa.exc.IntegrityError as error:
        refusal = _refusal(connection, kind, error, values, record_id)
        if refusal is None:
            raise
        raise refusal from error


def _refusal(
    connection: sa.Connection,
    kind: Record,
    error: sa.exc.IntegrityError,
    values: Mapping[str, Any],
    record_id: int | None,
) -> Exception | None:
    origin: Any = error.orig
    name = origin.diag.constraint_name or ""
    if isinstance(origin, ExclusionViolation):
        return _overlap(connection, kind, name, values, record_id)
    if isinstance(origin, UniqueViolation) and name.endswith("_key"):
        return FieldsError([Fault("key", "entry.key_taken")])
    if isinstance(origin, ForeignKeyViolation):
        return ConflictError("entry.others_refer_to_it")
    return None


def _overlap(
    connection: sa.Connection,
    kind: Record,
    name: str,
    values: Mapping[str, Any],
    record_id: int | None,
) -> Exception:
    """Find the row whose days meet the new ones."""
    table = table_of(kind)
    same = {
        "ex_leave_officer_valid": ("officer",),
        "ex_grid_duty_post_valid": ("grid", "role", "post"),
        "ex_grid_duty_officer_valid": ("grid", "role", "officer"),
    }[name]
    mine = [table.c[kind.field(one).stored] == values[one] for one in same]
    if record_id is not None:
        mine.append(identity(kind) != record_id)
    days = days_range(values["first_day"], values["last_day"])
    other = connection.execute(
        sa.select(
            identity(kind).label("id"),
            sa.func.lower(table.c.valid).label("first_day"),
            (sa.func.upper(table.c.valid) - 1).label("last_day"),
            table.c.officer_id,
        )
        .where(*mine, table.c.valid.op("&&")(days))
        .order_by(sa.func.lower(table.c.valid))
    ).first()
    if other is None:  # it went away in this moment
        return ConflictError("entry.try_again")
    told = {
        "kind": kind.name,
        "id": other.id,
        "first_day": other.first_day.isoformat(),
        "last_day": None if other.last_day is None else other.last_day.isoformat(),
    }
    key = {
        "ex_leave_officer_valid": "entry.leave_overlaps",
        "ex_grid_duty_post_valid": "entry.post_taken",
        "ex_grid_duty_officer_valid": "entry.duty_doubled",
    }[name]
    return InTheWayError(
        key,
        "post" if key == "entry.post_taken" else "first_day",
        told,
        first=told["first_day"],
        last=told["last_day"] or "…",
    )


def _recorded(kind: Record, values: Mapping[str, Any]) -> Values:
    """Say what a record has for the record of events: personal values only as being there."""
    told: Values = {}
    for one in kind.fields:
        if one.name not in values:
            continue
        value = values[one.name]
        if one.personal:
            told[one.name] = _PERSONAL if value not in (None, "", []) else None
        elif isinstance(value, date):
            told[one.name] = value.isoformat()
        elif isinstance(value, tuple):
            told[one.name] = list(value)
        else:
            told[one.name] = value
    return told
