"""Records entered by hand go into the store: checked, placed in their grid, recorded, and undone.

Each call is one change in the caller's transaction. Nothing is overwritten unseen (a change names
the version that it saw), nothing is written twice (a request has a key), and what was yesterday
stays as it was: days end, they are not rewritten.
"""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any, Final

import sqlalchemy as sa
from psycopg2.errors import ExclusionViolation, ForeignKeyViolation, UniqueViolation

from gis_service.access import Actor, record
from gis_service.access.permissions import entering
from gis_service.entry import queries
from gis_service.entry.faults import Fault, FieldsError, InTheWayError, StaleError
from gis_service.entry.fields import read_fields
from gis_service.entry.reading import RecordShown, find_kind, find_visible_row, read_record
from gis_service.errors import ConflictError, InputError, NotAllowedError, NotFoundError, Place
from gis_service.grids.assignment import end_history, place_again
from gis_service.grids.versions import keep_boundaries, today
from gis_service.records import RECORDS, Record
from gis_service.settings import keeping_settings
from gis_service.store.engine import in_whole_county

FARTHEST_M: Final = 20_000.0
"""A place farther from every grid is a slip of the hand: swapped or shortened coordinates."""


@dataclass(frozen=True)
class Saved:
    """
    What a change came to.

    Attributes
    ----------
    record
        As it is now; None where it was removed.
    change_id
        With which the change can be undone; None where nothing changed.
    repeated
        True where the same request was done before: nothing was written again.
    """

    record: RecordShown | None
    change_id: int | None
    repeated: bool = False


@in_whole_county
def add_record(
    connection: sa.Connection,
    actor: Actor,
    kind_name: str,
    sent: Mapping[str, object],
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
    sent
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
    kind = _require_kind(connection, actor, kind_name)
    earlier = _find_repeated(connection, actor, request_key)
    if earlier is not None:
        return _answer_again(connection, actor, earlier)
    values = read_fields(kind, sent, None)
    _check_references(connection, actor, kind, values)
    _check_days(connection, kind, values, None, None)
    columns = queries.make_columns(kind, values, {})
    if kind.has_key:
        columns.setdefault("key", f"hand-{uuid.uuid4().hex[:12]}")
    with _refusals_explained(connection, kind, values):
        record_id = queries.insert_record(connection, kind, columns)
    _place_in_grid(connection, kind, record_id)
    _check_own_area(connection, actor, kind, record_id)
    record(connection, actor, "add", kind_name, record_id, after=values)
    return _log_change(connection, actor, kind, record_id, "add", request_key, None)


@in_whole_county
def change_record(
    connection: sa.Connection,
    actor: Actor,
    kind_name: str,
    record_id: int,
    sent: Mapping[str, object],
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
    sent
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
    kind = _require_kind(connection, actor, kind_name)
    earlier = _find_repeated(connection, actor, request_key)
    if earlier is not None:
        return _answer_again(connection, actor, earlier)
    row = find_visible_row(connection, actor, kind, record_id, lock=True)
    if row.version != version:
        raise StaleError(asdict(read_record(connection, actor, kind_name, record_id)), sent)
    before = queries.read_values(kind, row)
    values = read_fields(kind, sent, before)
    # What its sender cannot see is written in any case: an answer must not tell that it is equal.
    hidden = {field.name for field in kind.fields if field.mask}
    values = {
        name: value for name, value in values.items() if name in hidden or value != before[name]
    }
    if not values:
        return Saved(read_record(connection, actor, kind_name, record_id), None)
    _check_references(connection, actor, kind, values)
    _check_days(connection, kind, values, before, record_id)
    snapshot = queries.read_snapshot(connection, kind, record_id)
    columns = queries.make_columns(kind, values, before)
    if kind_name == "building" and "point" in values:
        columns |= queries.shift_footprint(before["point"], values["point"])
    with _refusals_explained(connection, kind, {**before, **values}, record_id):
        queries.update_record(connection, kind, record_id, columns)
    _place_after_move(connection, kind, record_id, before, values)
    _check_own_area(connection, actor, kind, record_id)
    record(
        connection,
        actor,
        "change",
        kind_name,
        record_id,
        before={name: before[name] for name in values},
        after=values,
    )
    return _log_change(connection, actor, kind, record_id, "change", request_key, snapshot)


@in_whole_county
def remove_record(
    connection: sa.Connection,
    actor: Actor,
    kind_name: str,
    record_id: int,
    *,
    version: str,
    request_key: str,
) -> Saved:
    """
    Remove one record; which grid it belonged to until today stays known.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who removes it.
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
    kind = _require_kind(connection, actor, kind_name)
    earlier = _find_repeated(connection, actor, request_key)
    if earlier is not None:
        return _answer_again(connection, actor, earlier)
    row = find_visible_row(connection, actor, kind, record_id, lock=True)
    if row.version != version:
        raise StaleError(asdict(read_record(connection, actor, kind_name, record_id)), {})
    before = queries.read_values(kind, row)
    _check_removable(connection, kind, before)
    snapshot = queries.read_snapshot(connection, kind, record_id)
    if kind.placed:
        end_history(connection, kind_name, [record_id])
    with _refusals_explained(connection, kind, before, record_id):
        queries.delete_record(connection, kind, record_id)
    record(connection, actor, "remove", kind_name, record_id, before=before)
    return _log_change(connection, actor, kind, record_id, "remove", request_key, snapshot)


@in_whole_county
def undo_change(connection: sa.Connection, actor: Actor, change_id: int) -> Saved:
    """
    Undo a change of one's own, shortly after it.

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
    change = queries.find_change(connection, actor, change_id)
    if change is None:
        raise NotFoundError("entry.no_change")
    kind = _require_kind(connection, actor, change.object_kind)
    if change.undone or not queries.is_younger(connection, change, _undo_time()):
        raise ConflictError("entry.too_late_to_undo")
    if change.action != "remove":
        row = find_visible_row(connection, actor, kind, change.object_id, lock=True)
        if row.version != change.version:
            raise ConflictError("entry.changed_since")
    _UNDOING[change.action](connection, actor, kind, change)
    queries.mark_undone(connection, change_id)
    record(connection, actor, "undo", kind.name, change.object_id, after={"change": change.action})
    if change.action == "add":
        return Saved(None, None)
    return Saved(read_record(connection, actor, kind.name, change.object_id), None)


# --- undoing -----------------------------------------------------------------------------------


def _require_kind(connection: sa.Connection, actor: Actor, kind_name: str) -> Record:
    """Tell what is to be written and that the role may; the boundaries stay as they are."""
    kind = find_kind(kind_name)
    entering(kind_name).require(actor)
    if kind.placed:
        keep_boundaries(connection)
    return kind


def _undo_add(connection: sa.Connection, actor: Actor, kind: Record, change: Any) -> None:
    del actor
    if kind.placed:  # it never was: its history goes with it
        queries.delete_history(connection, kind, change.object_id)
    with _refusals_explained(connection, kind, {}, change.object_id):
        queries.delete_record(connection, kind, change.object_id)


def _undo_change(connection: sa.Connection, actor: Actor, kind: Record, change: Any) -> None:
    row = find_visible_row(connection, actor, kind, change.object_id)
    now = queries.read_values(kind, row)
    with _refusals_explained(connection, kind, {}, change.object_id):
        queries.restore_record(connection, kind, change.object_id, change.before)
    restored = queries.read_values(
        kind, find_visible_row(connection, actor, kind, change.object_id)
    )
    changed = {name: value for name, value in restored.items() if value != now[name]}
    _place_after_move(connection, kind, change.object_id, now, changed)
    _check_own_area(connection, actor, kind, change.object_id)


def _undo_remove(connection: sa.Connection, actor: Actor, kind: Record, change: Any) -> None:
    with _refusals_explained(connection, kind, {}, change.object_id):
        queries.reinsert_record(connection, kind, change.before)
    _place_in_grid(connection, kind, change.object_id)
    _check_own_area(connection, actor, kind, change.object_id)


_UNDOING: Final = {"add": _undo_add, "change": _undo_change, "remove": _undo_remove}


# --- once, and for a while ---------------------------------------------------------------------


def _find_repeated(connection: sa.Connection, actor: Actor, request_key: str) -> Any:
    """Find the change that this request has made before; waits for one that is being made."""
    if not 8 <= len(request_key) <= 100:
        raise InputError("entry.no_request_key", place=Place(field="Idempotency-Key"))
    return queries.find_request(connection, actor, request_key)


def _answer_again(connection: sa.Connection, actor: Actor, earlier: Any) -> Saved:
    """Answer a request that was done before as it was answered then, with the record as it is."""
    visible_record = None
    if earlier.action != "remove":
        visible_record = read_record(connection, actor, earlier.object_kind, earlier.object_id)
    return Saved(visible_record, None if earlier.undone else earlier.change_id, repeated=True)


def _log_change(
    connection: sa.Connection,
    actor: Actor,
    kind: Record,
    record_id: int,
    action: str,
    request_key: str,
    snapshot: Mapping[str, str | None] | None,
) -> Saved:
    forget_old_changes(connection)
    visible_record = (
        None if action == "remove" else read_record(connection, actor, kind.name, record_id)
    )
    change_id = queries.insert_change(
        connection,
        actor_id=actor.actor_id,
        request_key=request_key,
        action=action,
        object_kind=kind.name,
        object_id=record_id,
        version=None if visible_record is None else visible_record.version,
        before=None if snapshot is None else dict(snapshot),
    )
    return Saved(visible_record, change_id)


def _undo_time() -> timedelta:
    """So long a change can be undone; then the row as it was is forgotten."""
    return timedelta(seconds=keeping_settings().undo_s)


@in_whole_county
def forget_old_changes(connection: sa.Connection) -> None:
    """
    Forget rows as they were when they can no longer be restored, and a day later the request.

    Parameters
    ----------
    connection
        An open transaction.
    """
    age = timedelta(days=keeping_settings().entry_days)
    queries.delete_old_changes(connection, _undo_time(), age)


# --- what is right only against the store ------------------------------------------------------


def _check_references(
    connection: sa.Connection, actor: Actor, kind: Record, values: Mapping[str, Any]
) -> None:
    """Refuse what refers to nothing, or to nothing that the actor sees."""
    faults = [
        Fault(field.name, "entry.no_such_choice")
        for field in kind.references
        if values.get(field.name) is not None
        and not _is_there(connection, actor, field.type, values[field.name])
    ]
    if faults:
        raise FieldsError(faults)


def _is_there(connection: sa.Connection, actor: Actor, kind: str, record_id: int) -> bool:
    if kind == "grid":
        return queries.has_grid(connection, record_id)
    return queries.is_in_sight(connection, actor, RECORDS[kind], record_id)


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
    names = queries.find_grids_served_after(connection, officer_id, last)
    if names:
        grids = "、".join(names[:5])
        raise InTheWayError(
            "entry.duties_go_on", "last_day", {"kind": "duty", "n": len(names)}, grids=grids
        )


def _check_removable(connection: sa.Connection, kind: Record, before: Mapping[str, Any]) -> None:
    if not kind.removable:
        raise ConflictError(f"entry.not_removed_{kind.name}")
    if kind.name in ("leave", "duty") and before["first_day"] <= today(connection):
        raise ConflictError("entry.begun_is_ended")


# --- placing -----------------------------------------------------------------------------------


def _place_after_move(
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
        queries.move_households(connection, record_id, before["point"], changed["point"])
    _place_in_grid(connection, kind, record_id)


def _place_in_grid(connection: sa.Connection, kind: Record, record_id: int) -> None:
    """Write the grid of a record, and refuse a place that is too far from every grid."""
    if not kind.placed:
        return
    place_again(connection, kind.name, [record_id])
    distance_m = queries.read_grid_distance_m(connection, kind, record_id)
    if distance_m is not None and distance_m > FARTHEST_M:
        values = {"km": f"{distance_m / 1000:.0f}"}
        raise FieldsError([Fault("point", "entry.far_from_every_grid", values)])


def _check_own_area(connection: sa.Connection, actor: Actor, kind: Record, record_id: int) -> None:
    """Refuse a record that now lies in somebody else's grid."""
    if actor.areas is None:
        return
    if not queries.is_in_sight(connection, actor, kind, record_id):
        field = "grid" if kind.name == "duty" else "point"
        raise NotAllowedError("entry.not_your_grid", place=Place(field=field))


# --- what the store refuses --------------------------------------------------------------------


@contextmanager
def _refusals_explained(
    connection: sa.Connection,
    kind: Record,
    values: Mapping[str, Any],
    record_id: int | None = None,
) -> Iterator[None]:
    """Say what a constraint refuses with the row that stands in the way."""
    try:
        with connection.begin_nested():
            yield
    except sa.exc.IntegrityError as error:
        refusal = _explain_refusal(connection, kind, error, values, record_id)
        if refusal is None:
            raise
        raise refusal from error


def _explain_refusal(
    connection: sa.Connection,
    kind: Record,
    error: sa.exc.IntegrityError,
    values: Mapping[str, Any],
    record_id: int | None,
) -> Exception | None:
    origin: Any = error.orig
    name = origin.diag.constraint_name or ""
    if isinstance(origin, ExclusionViolation):
        return _overlap_error(connection, kind, name, values, record_id)
    if isinstance(origin, UniqueViolation) and name.endswith("_key"):
        return FieldsError([Fault("key", "entry.key_taken")])
    if isinstance(origin, ForeignKeyViolation):
        return ConflictError("entry.others_refer_to_it")
    return None


def _overlap_error(
    connection: sa.Connection,
    kind: Record,
    name: str,
    values: Mapping[str, Any],
    record_id: int | None,
) -> Exception:
    """Find the row whose days meet the new ones."""
    same = {
        "ex_leave_officer_valid": ("officer",),
        "ex_grid_duty_post_valid": ("grid", "role", "post"),
        "ex_grid_duty_officer_valid": ("grid", "role", "officer"),
    }[name]
    other = queries.find_overlapping(connection, kind, values, same, record_id)
    if other is None:  # it went away in this moment
        return ConflictError("entry.try_again")
    row_in_the_way = {
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
        row_in_the_way,
        first=row_in_the_way["first_day"],
        last=row_in_the_way["last_day"] or "…",
    )
