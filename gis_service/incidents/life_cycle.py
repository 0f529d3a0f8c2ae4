"""An incident's life after it was reported: moved on step by step, till it is closed.

A step is appended in the same transaction that changes the row, under a lock on the row; who, when
and from where is kept, and the database refuses to rewrite one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from gis_service.access import Actor, record
from gis_service.errors import ConflictError, InputError, NotFoundError, Place
from gis_service.grids.versions import today
from gis_service.incidents import queries, writing
from gis_service.incidents.clocks import clock_of
from gis_service.incidents.deadlines import WorkingCalendar
from gis_service.incidents.photos import CleanPhoto
from gis_service.incidents.reporting import MOST_SHORT, MOST_TEXT, check_place
from gis_service.incidents.responsible import Responsible, find_responsible, officer_columns
from gis_service.incidents.rules import CLOCK_RUNS, RuleBook, Transition, rule_book, tier_above
from gis_service.incidents.working_days import read_calendar
from gis_service.messages import Language, text


@dataclass(frozen=True)
class StepRequest:
    """
    What somebody wants to do with an incident.

    Attributes
    ----------
    lon, lat
        From where it is done, CGCS2000 degrees, if the device says so.
    photos
        Hashes of photos that were added to this incident before.
    officer_post
        Whom it is dispatched to; None is A, or B while A is on leave.
    expected_version, expected_state
        What the clerk saw; another one is a conflict.
    """

    move: str
    note: str = ""
    department: str = ""
    duplicate_of: int | None = None
    photos: tuple[str, ...] = ()
    lon: float | None = None
    lat: float | None = None
    officer_post: str | None = None
    expected_version: int | None = None
    expected_state: str | None = None


class MoveRefusedError(ConflictError):
    """
    The life cycle does not allow this now; the problem names what it allows.

    Parameters
    ----------
    key
        The message key.
    state, tier, version
        Of the incident.
    allowed
        What the actor may do with it.
    **values
        More for the message; ``move`` is named in the reader's language.
    """

    def __init__(
        self,
        key: str,
        /,
        *,
        state: str,
        tier: str,
        version: int,
        allowed: list[str],
        **values: Any,
    ) -> None:
        self.state, self.tier, self.version, self.allowed = state, tier, version, allowed
        super().__init__(key, state=state, tier=tier, allowed=", ".join(allowed) or "-", **values)

    def say(self, language: Language) -> str:
        """Name states and moves as the reader calls them."""
        comma = text("incidents.list_comma", language)
        names = [text(f"incidents.move_{move}", language) for move in self.allowed]
        values = {
            **self.values,
            "state": text(f"incidents.state_{self.state}", language),
            "tier": text(f"incidents.tier_{self.tier}", language),
            "allowed": comma.join(names) or text("incidents.nothing", language),
        }
        if "move" in values:
            values["move"] = text(f"incidents.move_{values['move']}", language)
        return text(self.key, language, **values)

    def details(self, language: Language) -> dict[str, object]:  # noqa: ARG002
        """Tell a program the state it did not know of, and what may be done in it."""
        return {
            "state": self.state,
            "tier": self.tier,
            "version": self.version,
            "allowed": self.allowed,
        }


def take_step(
    connection: sa.Connection, actor: Actor, incident_id: int, request: StepRequest
) -> int:
    """
    Do one thing with an incident: change its state, and append the step.

    Parameters
    ----------
    connection
        A transaction in the actor's name; it holds a lock on the incident until it ends.
    actor
        Who does it.
    incident_id
        Which; the actor must see it.
    request
        What.

    Returns
    -------
    int
        The number of the step, which is the incident's new version.

    Raises
    ------
    NotFoundError
        There is no such incident in the actor's sight.
    MoveRefusedError
        Its state does not allow this to the actor, or somebody was faster.
    InputError
        Something the move needs is missing.
    """
    book = rule_book()
    if request.move not in {rule.move for rule in book.moves}:
        known_moves = ", ".join(dict.fromkeys(rule.move for rule in book.moves))
        raise InputError("incidents.no_move", place=Place(field="move"), known=known_moves)
    row = _lock(connection, actor, incident_id)
    rule = _allowed_rule(book, actor, row, request)
    _check_request(connection, actor, row, rule, request, book)
    day = today(connection)
    moment = queries.read_clock(connection)
    calendar = read_calendar(connection)
    after = _state_after(row, rule, request, moment)
    officer = officer_columns(_responsible_after(connection, row, rule, after, request, day))
    clock = clock_of(
        book, calendar, row.kind, after["tier"], after["clock_from"] or row.reported_at
    )
    due = clock.due if after["status"] in CLOCK_RUNS else None
    writing.update_incident(connection, incident_id, {**after, **officer})
    writing.append_step(
        connection, actor, incident_id, seq=after["version"], move=rule.move,
        from_state=row.status, to_state=after["status"], tier=after["tier"],
        department=after["department"], note=request.note, at=moment,
        due_on=None if due is None else due.on,
        due_provisional=None if due is None else due.provisional,
        late=_is_late(book, calendar, row, rule, day),
        duplicate_of=request.duplicate_of, photos=list(request.photos),
        lon=request.lon, lat=request.lat, **officer,
    )  # fmt: skip
    record(
        connection, actor, rule.move, "incident", incident_id,
        before={"state": row.status, "tier": row.tier, "version": row.version},
        after={"state": after["status"], "tier": after["tier"], "version": after["version"]},
    )  # fmt: skip
    return int(after["version"])


def _lock(connection: sa.Connection, actor: Actor, incident_id: int) -> Any:
    row = writing.lock_incident(connection, actor, incident_id)
    if row is None:
        raise NotFoundError("incidents.no_incident", incident=incident_id)
    return row


def _allowed_rule(book: RuleBook, actor: Actor, row: Any, request: StepRequest) -> Transition:
    allowed = book.allowed(row.status, row.tier, actor.role, row.kind)
    names = list(dict.fromkeys(rule.move for rule in allowed))
    present = {"state": row.status, "tier": row.tier, "version": row.version, "allowed": names}
    other_version = request.expected_version not in (None, row.version)
    if other_version or request.expected_state not in (None, row.status):
        raise MoveRefusedError("incidents.changed_meanwhile", **present)
    for rule in allowed:
        if rule.move == request.move:
            return rule
    raise MoveRefusedError("incidents.move_not_allowed", move=request.move, **present)


def _check_request(
    connection: sa.Connection,
    actor: Actor,
    row: Any,
    rule: Transition,
    request: StepRequest,
    book: RuleBook,
) -> None:
    _check_texts(request)
    if rule.needs_note and not request.note.strip():
        raise InputError("incidents.note_needed", place=Place(field="note"))
    if rule.move == "note" and not (request.note.strip() or request.photos):
        raise InputError("incidents.note_needed", place=Place(field="note"))
    if rule.needs_department and not request.department.strip():
        raise InputError("incidents.department_needed", place=Place(field="department"))
    if rule.needs_duplicate != (request.duplicate_of is not None):
        raise InputError("incidents.duplicate_needed", place=Place(field="duplicate_of"))
    if (request.lon is None) != (request.lat is None):
        raise InputError("incidents.half_a_place", place=Place(field="lon"))
    if request.lon is not None and request.lat is not None:
        check_place(request.lon, request.lat)
    if request.duplicate_of is not None:
        other = request.duplicate_of
        if not queries.is_another_in_sight(connection, actor, row.incident_id, other):
            raise InputError("incidents.no_duplicate", place=Place(field="duplicate_of"))
    _check_photos(connection, row.incident_id, request.photos, book)


def _check_texts(request: StepRequest) -> None:
    for name, value, most in (
        ("note", request.note, MOST_TEXT),
        ("department", request.department, MOST_SHORT),
    ):
        if len(value) > most:
            raise InputError("incidents.too_long", place=Place(field=name), field=name, most=most)
    if "\x00" in request.note + request.department:
        raise InputError("incidents.bad_signs", place=Place(field="note"), field="note")


def _check_photos(
    connection: sa.Connection, incident_id: int, photos: tuple[str, ...], book: RuleBook
) -> None:
    most = book.photos.most_per_step.value
    if len(photos) > most:
        raise InputError("incidents.too_many_photos", place=Place(field="photos"), most=most)
    if photos and not set(photos) <= queries.read_photo_hashes(connection, incident_id):
        raise InputError("incidents.unknown_photo", place=Place(field="photos"))


def _state_after(
    row: Any, rule: Transition, request: StepRequest, moment: datetime
) -> dict[str, Any]:
    """Say what the row will be; what a move does not touch stays."""
    tier = tier_above(row.tier) if rule.hands_to == "above" else row.tier
    department = row.department
    if rule.needs_department:
        department = request.department.strip()
        tier = "town" if tier == "village" else tier  # a department is never below the town
    elif rule.hands_to == "above":
        department = ""
    status = rule.to or row.status
    closed_at = row.closed_at
    if status == "closed" and row.status != "closed":
        closed_at = max(moment, row.reported_at)
    return {
        "status": status,
        "closed_at": closed_at,
        "tier": tier,
        "department": department,
        "clock_from": moment if rule.restarts_clock else row.clock_from,
        "returns": row.returns + rule.counts_as_return,
        "version": row.version + 1,
    }


def _responsible_after(
    connection: sa.Connection,
    row: Any,
    rule: Transition,
    after: Mapping[str, Any],
    request: StepRequest,
    day: date,
) -> Responsible | None:
    """Name who answers from now on: chosen anew when it is sent out, nobody above the village."""
    if after["tier"] != "village":
        return None
    if rule.to == "dispatched" or rule.move == "reassign":
        return find_responsible(connection, row.base_grid_id, day, request.officer_post)
    return None if row.officer_id is None else Responsible(row.officer_id, row.officer_post)


def _is_late(
    book: RuleBook, calendar: WorkingCalendar, row: Any, rule: Transition, day: date
) -> bool | None:
    """Tell whether a step that ends a deadline came after it; None where it ends none."""
    clock = clock_of(book, calendar, row.kind, row.tier, row.clock_from or row.reported_at)
    if rule.hands_to == "above":
        return clock.pass_up is not None and day > clock.pass_up.on
    ends = row.status in CLOCK_RUNS and rule.to is not None and rule.to not in CLOCK_RUNS
    return day > clock.due.on if ends else None


# --- photos --------------------------------------------------------------------------------------


def add_photo(connection: sa.Connection, actor: Actor, incident_id: int, photo: CleanPhoto) -> None:
    """
    Note that a photo belongs to an incident; a step may name it from then on.

    Parameters
    ----------
    connection
        A transaction in the actor's name.
    actor
        Who adds it.
    incident_id
        Which; the actor must see it and be able to add a note.
    photo
        A clean one, whose file is written.

    Raises
    ------
    NotFoundError
        There is no such incident in the actor's sight.
    MoveRefusedError
        The actor may not add to it.
    """
    row = _lock(connection, actor, incident_id)
    _allowed_rule(rule_book(), actor, row, StepRequest("note"))
    if photo.sha256 in queries.read_photo_hashes(connection, incident_id):
        return
    writing.insert_photo(
        connection,
        actor,
        incident_id,
        photo.sha256,
        width=photo.width,
        height=photo.height,
        bytes=len(photo.body),
    )
    record(connection, actor, "add_photo", "incident", incident_id, after={"sha256": photo.sha256})
