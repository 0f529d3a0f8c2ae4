"""An incident's life: reported, moved on step by step, closed; who, when and from where is kept.

The only module that writes incidents one by one. A step is appended in the same transaction that
changes the row, under a lock on the row; the database refuses to rewrite one.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import REGCLASS

from gis_service.access import SYSTEM, Actor, record, visible
from gis_service.errors import (
    ConflictError,
    GisError,
    InputError,
    NotAllowedError,
    NotFoundError,
    Place,
)
from gis_service.grids import assignment
from gis_service.grids.answers.on_post import find_first_at_work
from gis_service.grids.reading import read_chain, read_officers_of
from gis_service.grids.versions import today
from gis_service.incidents.deadlines import Deadline, WorkingCalendar, china_day
from gis_service.incidents.photos import CleanPhoto
from gis_service.incidents.rules import CLOCK_RUNS, RuleBook, Transition, above, rule_book
from gis_service.incidents.working_days import read_calendar
from gis_service.messages import Language, text
from gis_service.store import tables as t
from gis_service.store.tables import SRID

MOST_TEXT: Final = 4000
MOST_SHORT: Final = 200
MOST_URL: Final = 2000
_SKEW: Final = timedelta(minutes=5)
_EARLIEST: Final = 2000
_FEW: Final = 20  # placed one by one; more are placed by an index of the whole county
_BY_HAND: Final = sa.select(sa.func.set_config("gis.step_follows", "on", True))  # noqa: FBT003
_BY_TRIGGER: Final = sa.select(sa.func.set_config("gis.step_follows", "", True))  # noqa: FBT003


@dataclass(frozen=True)
class NewIncident:
    """
    A report before it is an incident.

    Attributes
    ----------
    lon, lat
        CGCS2000 degrees.
    reported_at
        With its offset; None is now.
    key
        The sender's own number, which must be new; None lets us number it.
    details
        Answers to the questions of the kind, by their code.
    """

    kind: str
    lon: float
    lat: float
    text: str = ""
    address: str = ""
    reported_at: datetime | None = None
    reporter_name: str = ""
    reporter_phone: str = ""
    reporter_email: str = ""
    channel: str = "api"
    key: str | None = None
    media_url: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


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


@dataclass(frozen=True)
class Responsible:
    """The officer who answers for a place on a day: A, B while A is away, else the next head."""

    officer_id: int
    post: str


@dataclass(frozen=True)
class Clock:
    """When something is due, and by when it must have been passed upward otherwise."""

    due: Deadline
    pass_up: Deadline | None


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
        said: dict[str, Any] = {"state": state, "tier": tier, "allowed": ", ".join(allowed) or "-"}
        super().__init__(key, **said, **values)

    def say(self, language: Language) -> str:
        """Name states and moves as the reader calls them."""
        comma = text("incidents.list_comma", language)
        names = [text(f"incidents.move_{move}", language) for move in self.allowed]
        said = {
            **self.values,
            "state": text(f"incidents.state_{self.state}", language),
            "tier": text(f"incidents.tier_{self.tier}", language),
            "allowed": comma.join(names) or text("incidents.nothing", language),
        }
        if "move" in said:
            said["move"] = text(f"incidents.move_{said['move']}", language)
        return text(self.key, language, **said)

    def details(self, language: Language) -> dict[str, object]:  # noqa: ARG002
        """Tell a program the state it did not know of, and what may be done in it."""
        return {
            "state": self.state,
            "tier": self.tier,
            "version": self.version,
            "allowed": self.allowed,
        }


# --- a report ------------------------------------------------------------------------------------


def report(
    connection: sa.Connection,
    actor: Actor,
    draft: NewIncident,
    *,
    note: str = "",
    lon: float | None = None,
    lat: float | None = None,
) -> int:
    """
    Make an incident of a report: placed in its grid, given to the officer who answers for it.

    Parameters
    ----------
    connection
        A transaction in the actor's name.
    actor
        Who reports.
    draft
        What and where.
    note
        A note of whoever takes the report down.
    lon, lat
        From where the report is made, CGCS2000 degrees.

    Returns
    -------
    int
        The incident's id.

    Raises
    ------
    NotAllowedError
        The role does not report, or the place is outside the actor's areas.
    InputError
        Something about the draft is wrong; the error names the field.
    ConflictError
        The sender's number is taken.
    """
    incident_id = _insert(connection, actor, draft)
    assignment.place_again(connection, "incident", [incident_id])
    _begin(connection, actor, incident_id, draft, note, _place_or_none(lon, lat))
    return incident_id


@dataclass(frozen=True)
class Refused:
    """A report of a list that was not taken."""

    row: int
    error: GisError


@dataclass(frozen=True)
class ReportedMany:
    """What became of a list of reports: new incidents, numbers known before, and what is wrong."""

    incident_ids: list[int]
    known: int
    refused: list[Refused]


def report_many(
    connection: sa.Connection, actor: Actor, drafts: Sequence[NewIncident]
) -> ReportedMany:
    """
    Make incidents of a list of reports; what is wrong is listed, the others go in.

    Parameters
    ----------
    connection
        A transaction in the actor's name.
    actor
        Who reports; answers for the whole county.
    drafts
        The reports, counted from 1 in what is refused. A number that is known already is left
        alone, so that a list can be sent again.

    Returns
    -------
    ReportedMany
        What became of each.

    Raises
    ------
    NotAllowedError
        The role does not report, or not for the whole county.
    """
    if actor.areas is not None:
        raise NotAllowedError("incidents.may_not_import")
    taken: dict[int, NewIncident] = {}
    refused: list[Refused] = []
    known = _known_keys(connection, [draft.key for draft in drafts if draft.key])
    for row, draft in enumerate(drafts, start=1):
        if draft.key in known:
            continue
        try:
            taken[_insert(connection, actor, draft)] = draft
        except (InputError, ConflictError) as error:
            refused.append(Refused(row, error))
    if len(taken) > _FEW:
        assignment.assign_new(connection)
    else:
        assignment.place_again(connection, "incident", list(taken))
    for incident_id, draft in taken.items():
        _begin(connection, actor, incident_id, draft)
    repeated = sum(draft.key in known for draft in drafts)
    return ReportedMany(list(taken), repeated, refused)


def _known_keys(connection: sa.Connection, keys: list[str]) -> frozenset[str]:
    rows = connection.execute(
        sa.select(t.incident.c.key).where(t.incident.c.key.in_(keys), visible(SYSTEM, t.incident))
    )
    return frozenset(rows.scalars())


def _insert(connection: sa.Connection, actor: Actor, draft: NewIncident) -> int:
    """Write the row; its first step is to follow."""
    book = rule_book()
    _may_report(actor, draft.channel, book)
    moment = _moment(connection)
    check_draft(draft, book, moment)
    incident_id = _next_id(connection)
    reported_at = draft.reported_at or moment
    key = draft.key or f"{china_day(reported_at):%Y%m%d}-{incident_id}"
    insert = sa.insert(t.incident).values(
        incident_id=incident_id,
        key=key,
        status="reported",
        reported_at=reported_at,
        point=_point(draft.lon, draft.lat),
        details=dict(draft.details),
        **{name: getattr(draft, name) for name in _TAKEN_AS_SAID},
    )
    try:
        with connection.begin_nested(), _step_follows(connection):
            connection.execute(insert)
    except sa.exc.IntegrityError as error:
        raise ConflictError("incidents.key_taken", place=Place(field="key")) from error
    return incident_id


def _begin(
    connection: sa.Connection,
    actor: Actor,
    incident_id: int,
    draft: NewIncident,
    note: str = "",
    place: sa.ColumnElement[Any] | None = None,
) -> None:
    """Name who answers for a new incident, and write its first step."""
    grid_id, reported_at = _grid_in_sight(connection, actor, incident_id, draft.channel)
    who = responsible(connection, grid_id, today(connection))
    connection.execute(
        sa.update(t.incident)
        .where(t.incident.c.incident_id == incident_id)
        .values(**_officer_columns(who))
    )
    calendar = read_calendar(connection)
    clock = clock_of(rule_book(), calendar, draft.kind, "village", reported_at)
    _append(
        connection, actor, incident_id, seq=1, move="report", from_state=None,
        to_state="reported", tier="village", department="", note=note,
        due=clock.due, place=place, who=who,
    )  # fmt: skip
    record(
        connection, actor, "report", "incident", incident_id,
        after={"state": "reported", "kind": draft.kind, "channel": draft.channel},
    )  # fmt: skip


_TAKEN_AS_SAID: Final = (
    "kind", "text", "address", "reporter_name", "reporter_phone", "reporter_email", "channel",
    "media_url",
)  # fmt: skip


def _may_report(actor: Actor, channel: str, book: RuleBook) -> None:
    roles = book.reports.open311_roles if channel == "open311" else book.reports.roles
    if actor.role not in roles:
        raise NotAllowedError("incidents.may_not_report")


def check_draft(draft: NewIncident, book: RuleBook, moment: datetime) -> None:
    """Look at a report before it goes in."""
    if draft.kind not in book.kinds:
        raise InputError(
            "incidents.no_kind", place=Place(field="kind"), known=", ".join(book.kinds)
        )
    check_place(draft.lon, draft.lat)
    _check_lengths(draft)
    if draft.reported_at is not None:
        if draft.reported_at.tzinfo is None:
            raise InputError("incidents.no_offset", place=Place(field="reported_at"))
        if draft.reported_at.year < _EARLIEST or draft.reported_at > moment + _SKEW:
            raise InputError("incidents.not_yet", place=Place(field="reported_at"))
    if draft.media_url and not draft.media_url.startswith(("http://", "https://")):
        raise InputError("incidents.bad_url", place=Place(field="media_url"))
    _check_details(draft, book)


def check_place(lon: float, lat: float) -> None:
    """
    Refuse what is no place.

    Parameters
    ----------
    lon, lat
        CGCS2000 degrees.

    Raises
    ------
    InputError
        Out of range; where swapping the two would help the message says so.
    """
    if not (math.isfinite(lon) and math.isfinite(lat)):
        raise InputError("incidents.not_a_place", place=Place(field="lon"))
    if abs(lat) > 90 and abs(lon) <= 90 and abs(lat) <= 180:
        raise InputError("incidents.swapped", place=Place(field="lat"))
    if abs(lat) > 90 or abs(lon) > 180:
        raise InputError("incidents.not_a_place", place=Place(field="lat"))


def _check_lengths(draft: NewIncident) -> None:
    short = ("address", "reporter_name", "reporter_phone", "reporter_email", "key")
    limits = {"text": MOST_TEXT, "media_url": MOST_URL, **dict.fromkeys(short, MOST_SHORT)}
    for name, most in limits.items():
        value = getattr(draft, name) or ""
        if len(value) > most:
            raise InputError("incidents.too_long", place=Place(field=name), field=name, most=most)
        if "\x00" in value:
            raise InputError("incidents.bad_signs", place=Place(field=name), field=name)


def _check_details(draft: NewIncident, book: RuleBook) -> None:
    questions = {one.code: one for one in book.kinds[draft.kind].attributes}
    for code, answer in draft.details.items():
        place = Place(field=f"attribute[{code[:40]}]")
        if code not in questions:
            raise InputError("incidents.no_attribute", place=place)
        known = {one.key for one in questions[code].values}
        given = answer if isinstance(answer, list) else [answer]
        if any(not isinstance(one, str) or len(one) > MOST_TEXT or "\x00" in one for one in given):
            raise InputError("incidents.bad_answer", place=place)
        if known and not set(given) <= known:
            raise InputError("incidents.no_choice", place=place, known=", ".join(sorted(known)))
    for code, question in questions.items():
        if question.required and not draft.details.get(code):
            raise InputError("incidents.no_answer", place=Place(field=f"attribute[{code}]"))


def _next_id(connection: sa.Connection) -> int:
    sequence = sa.func.pg_get_serial_sequence("incident", "incident_id")
    number = sa.func.nextval(sa.cast(sequence, REGCLASS))
    return int(connection.execute(sa.select(number)).scalar_one())


def _moment(connection: sa.Connection) -> datetime:
    """Ask the database for the time; unlike ``now()`` it goes on while one waits for a lock."""
    moment: datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    return moment


def _grid_in_sight(
    connection: sa.Connection, actor: Actor, incident_id: int, channel: str
) -> tuple[int | None, datetime]:
    """Give the grid and the time of a new incident; whoever reports sees it, but for citizens."""
    who = SYSTEM if channel == "open311" else actor
    found = connection.execute(
        sa.select(t.incident.c.base_grid_id, t.incident.c.reported_at).where(
            t.incident.c.incident_id == incident_id, visible(who, t.incident)
        )
    ).first()
    if found is None:
        raise NotAllowedError("incidents.not_your_grid")
    return found.base_grid_id, found.reported_at


def responsible(
    connection: sa.Connection, grid_id: int | None, day: date, post: str | None = None
) -> Responsible | None:
    """Find the officer who answers for a base grid on a day."""
    if grid_id is None:
        return None
    if post is not None:
        for one in read_officers_of(connection, SYSTEM, grid_id, day):
            if (one.role, one.post) == ("officer", post):
                return Responsible(one.officer_id, one.post)
        return None
    upward = [one.grid_id for one in reversed(read_chain(connection, grid_id, day))]
    found = find_first_at_work(read_officers_of(connection, SYSTEM, one, day) for one in upward)
    return None if found is None else Responsible(found[2].officer_id, found[2].post)


# --- a move --------------------------------------------------------------------------------------


def move(connection: sa.Connection, actor: Actor, incident_id: int, wish: StepRequest) -> int:
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
    wish
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
    if wish.move not in {one.move for one in book.moves}:
        known = ", ".join(dict.fromkeys(one.move for one in book.moves))
        raise InputError("incidents.no_move", place=Place(field="move"), known=known)
    row = _locked(connection, actor, incident_id)
    rule = _allowed_rule(book, actor, row, wish)
    _check_wish(connection, actor, row, rule, wish, book)
    day = today(connection)
    moment = _moment(connection)
    calendar = read_calendar(connection)
    after = _state_after(row, rule, wish, moment)
    who = _who_after(connection, row, rule, after, wish, day)
    clock = clock_of(
        book, calendar, row.kind, after["tier"], after["clock_from"] or row.reported_at
    )
    with _step_follows(connection):
        connection.execute(
            sa.update(t.incident)
            .where(t.incident.c.incident_id == incident_id)
            .values(**after, **_officer_columns(who))
        )
    _append(
        connection, actor, incident_id, seq=after["version"], move=rule.move,
        from_state=row.status, to_state=after["status"], tier=after["tier"],
        department=after["department"], note=wish.note, at=moment,
        due=clock.due if after["status"] in CLOCK_RUNS else None,
        late=_is_late(book, calendar, row, rule, day),
        duplicate_of=wish.duplicate_of, photos=wish.photos,
        place=_place_or_none(wish.lon, wish.lat), who=who,
    )  # fmt: skip
    record(
        connection, actor, rule.move, "incident", incident_id,
        before={"state": row.status, "tier": row.tier, "version": row.version},
        after={"state": after["status"], "tier": after["tier"], "version": after["version"]},
    )  # fmt: skip
    return int(after["version"])


def _locked(connection: sa.Connection, actor: Actor, incident_id: int) -> Any:
    """Read the row and keep others from changing it; what they changed before is seen."""
    row = connection.execute(
        sa.select(t.incident)
        .where(t.incident.c.incident_id == incident_id, visible(actor, t.incident))
        .with_for_update()
    ).first()
    if row is None:
        raise NotFoundError("incidents.no_incident", incident=incident_id)
    return row


def _allowed_rule(book: RuleBook, actor: Actor, row: Any, wish: StepRequest) -> Transition:
    allowed = book.allowed(row.status, row.tier, actor.role, row.kind)
    names = list(dict.fromkeys(one.move for one in allowed))
    known = {"state": row.status, "tier": row.tier, "version": row.version, "allowed": names}
    other_version = wish.expected_version not in (None, row.version)
    if other_version or wish.expected_state not in (None, row.status):
        raise MoveRefusedError("incidents.changed_meanwhile", **known)
    for rule in allowed:
        if rule.move == wish.move:
            return rule
    raise MoveRefusedError("incidents.move_not_allowed", move=wish.move, **known)


def _check_wish(
    connection: sa.Connection,
    actor: Actor,
    row: Any,
    rule: Transition,
    wish: StepRequest,
    book: RuleBook,
) -> None:
    if len(wish.note) > MOST_TEXT or len(wish.department) > MOST_SHORT:
        name, most = (
            ("note", MOST_TEXT) if len(wish.note) > MOST_TEXT else ("department", MOST_SHORT)
        )
        raise InputError("incidents.too_long", place=Place(field=name), field=name, most=most)
    if "\x00" in wish.note + wish.department:
        raise InputError("incidents.bad_signs", place=Place(field="note"), field="note")
    if rule.needs_note and not wish.note.strip():
        raise InputError("incidents.note_needed", place=Place(field="note"))
    if rule.move == "note" and not (wish.note.strip() or wish.photos):
        raise InputError("incidents.note_needed", place=Place(field="note"))
    if rule.needs_department and not wish.department.strip():
        raise InputError("incidents.department_needed", place=Place(field="department"))
    if rule.needs_duplicate != (wish.duplicate_of is not None):
        raise InputError("incidents.duplicate_needed", place=Place(field="duplicate_of"))
    if (wish.lon is None) != (wish.lat is None):
        raise InputError("incidents.half_a_place", place=Place(field="lon"))
    if wish.lon is not None and wish.lat is not None:
        check_place(wish.lon, wish.lat)
    if wish.duplicate_of is not None:
        _check_duplicate(connection, actor, row.incident_id, wish.duplicate_of)
    _check_photos(connection, row.incident_id, wish.photos, book)


def _check_duplicate(
    connection: sa.Connection, actor: Actor, incident_id: int, other_id: int
) -> None:
    there = connection.scalar(
        sa.select(t.incident.c.incident_id).where(
            t.incident.c.incident_id == other_id,
            t.incident.c.incident_id != incident_id,
            visible(actor, t.incident),
        )
    )
    if there is None:
        raise InputError("incidents.no_duplicate", place=Place(field="duplicate_of"))


def _check_photos(
    connection: sa.Connection, incident_id: int, photos: tuple[str, ...], book: RuleBook
) -> None:
    most = book.photos.most_per_step.value
    if len(photos) > most:
        raise InputError("incidents.too_many_photos", place=Place(field="photos"), most=most)
    if not photos:
        return
    known = connection.execute(
        sa.select(t.incident_photo.c.sha256).where(t.incident_photo.c.incident_id == incident_id)
    ).scalars()
    if not set(photos) <= set(known):
        raise InputError("incidents.unknown_photo", place=Place(field="photos"))


def _state_after(row: Any, rule: Transition, wish: StepRequest, moment: datetime) -> dict[str, Any]:
    """Say what the row will be; what a move does not touch stays."""
    tier = above(row.tier) if rule.hands_to == "above" else row.tier
    department = row.department
    if rule.needs_department:
        department = wish.department.strip()
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


def _who_after(
    connection: sa.Connection,
    row: Any,
    rule: Transition,
    after: Mapping[str, Any],
    wish: StepRequest,
    day: date,
) -> Responsible | None:
    """Name who answers from now on: chosen anew when it is sent out, nobody above the village."""
    if after["tier"] != "village":
        return None
    if rule.to == "dispatched" or rule.move == "reassign":
        return responsible(connection, row.base_grid_id, day, wish.officer_post)
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


def clock_of(
    book: RuleBook, calendar: WorkingCalendar, kind: str, tier: str, since: datetime
) -> Clock:
    """Say when a tier must have handled an incident, and when it must have passed it upward."""
    start = china_day(since)
    upward = None
    if tier != "county":
        upward = calendar.after(start, book.deadlines.pass_up_working_days.value)
    return Clock(calendar.after(start, book.working_days(kind, tier)), upward)


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
    row = _locked(connection, actor, incident_id)
    _allowed_rule(rule_book(), actor, row, StepRequest("note"))
    there = connection.scalar(
        sa.select(t.incident_photo.c.sha256).where(
            t.incident_photo.c.incident_id == incident_id,
            t.incident_photo.c.sha256 == photo.sha256,
        )
    )
    if there is not None:
        return
    connection.execute(
        sa.insert(t.incident_photo).values(
            incident_id=incident_id,
            sha256=photo.sha256,
            width=photo.width,
            height=photo.height,
            bytes=len(photo.body),
            actor_id=actor.actor_id,
        )
    )
    record(connection, actor, "add_photo", "incident", incident_id, after={"sha256": photo.sha256})


# --- what is written -----------------------------------------------------------------------------


@contextmanager
def _step_follows(connection: sa.Connection) -> Iterator[None]:
    """Keep the database from writing a step by itself: ours says more."""
    connection.execute(_BY_HAND)
    yield
    connection.execute(_BY_TRIGGER)


def _append(
    connection: sa.Connection,
    actor: Actor,
    incident_id: int,
    *,
    due: Deadline | None,
    who: Responsible | None,
    at: datetime | None = None,
    photos: tuple[str, ...] = (),
    **values: Any,
) -> None:
    connection.execute(
        sa.insert(t.incident_step).values(
            incident_id=incident_id,
            at=sa.func.clock_timestamp() if at is None else at,
            actor_id=actor.actor_id,
            actor_role=actor.role,
            due_on=None if due is None else due.on,
            due_provisional=None if due is None else due.provisional,
            photos=list(photos),
            **values,
            **_officer_columns(who),
        )
    )


def _officer_columns(who: Responsible | None) -> dict[str, Any]:
    return {
        "officer_id": None if who is None else who.officer_id,
        "officer_post": None if who is None else who.post,
    }


def _point(lon: float, lat: float) -> sa.ColumnElement[Any]:
    return sa.func.ST_SetSRID(sa.func.ST_MakePoint(lon, lat), SRID)


def _place_or_none(lon: float | None, lat: float | None) -> sa.ColumnElement[Any] | None:
    return None if lon is None or lat is None else _point(lon, lat)
