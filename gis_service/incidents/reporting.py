"""Reports become incidents: checked, placed in their grid, given to the officer who answers.

The first step is written in the same transaction as the incident itself.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from gis_service.access import SYSTEM, Actor, record
from gis_service.errors import ConflictError, GisError, InputError, NotAllowedError, Place
from gis_service.grids import assignment
from gis_service.grids.versions import today
from gis_service.incidents import queries, writing
from gis_service.incidents.clocks import clock_of
from gis_service.incidents.deadlines import china_day
from gis_service.incidents.responsible import find_responsible, officer_columns
from gis_service.incidents.rules import RuleBook, rule_book
from gis_service.incidents.working_days import read_calendar
from gis_service.store.engine import in_whole_county

MOST_TEXT: Final = 4000
MOST_SHORT: Final = 200
MOST_URL: Final = 2000
_SKEW: Final = timedelta(minutes=5)
_EARLIEST: Final = 2000
_FEW: Final = 20  # placed one by one; more are placed by an index of the whole county


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


@in_whole_county
def report_incident(
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
    _write_first_step(connection, actor, incident_id, draft, note, lon, lat)
    return incident_id


@dataclass(frozen=True)
class RefusedReport:
    """A report of a list that was not taken."""

    row: int
    error: GisError


@dataclass(frozen=True)
class ReportedMany:
    """What became of a list of reports: new incidents, numbers known before, and what is wrong."""

    incident_ids: list[int]
    known: int
    refused: list[RefusedReport]


@in_whole_county
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
    inserted: dict[int, NewIncident] = {}
    refused: list[RefusedReport] = []
    known_keys = queries.read_known_keys(connection, [draft.key for draft in drafts if draft.key])
    for row, draft in enumerate(drafts, start=1):
        if draft.key in known_keys:
            continue
        try:
            inserted[_insert(connection, actor, draft)] = draft
        except (InputError, ConflictError) as error:
            refused.append(RefusedReport(row, error))
    if len(inserted) > _FEW:
        assignment.assign_new(connection)
    else:
        assignment.place_again(connection, "incident", list(inserted))
    for incident_id, draft in inserted.items():
        _write_first_step(connection, actor, incident_id, draft)
    repeated = sum(draft.key in known_keys for draft in drafts)
    return ReportedMany(list(inserted), repeated, refused)


def _insert(connection: sa.Connection, actor: Actor, draft: NewIncident) -> int:
    """Write the row; its first step is to follow."""
    book = rule_book()
    _check_may_report(actor, draft.channel, book)
    moment = queries.read_clock(connection)
    check_draft(draft, book, moment)
    incident_id = writing.next_incident_id(connection)
    reported_at = draft.reported_at or moment
    is_new = writing.insert_incident(
        connection,
        incident_id,
        draft.lon,
        draft.lat,
        key=draft.key or f"{china_day(reported_at):%Y%m%d}-{incident_id}",
        status="reported",
        reported_at=reported_at,
        details=dict(draft.details),
        **{name: getattr(draft, name) for name in _STORED_AS_REPORTED},
    )
    if not is_new:
        raise ConflictError("incidents.key_taken", place=Place(field="key"))
    return incident_id


def _write_first_step(
    connection: sa.Connection,
    actor: Actor,
    incident_id: int,
    draft: NewIncident,
    note: str = "",
    lon: float | None = None,
    lat: float | None = None,
) -> None:
    """Name who answers for a new incident, and write its first step."""
    # Whoever reports sees the grid of the report, but for citizens.
    reader = SYSTEM if draft.channel == "open311" else actor
    placed = queries.read_grid_and_time(connection, reader, incident_id)
    if placed is None:
        raise NotAllowedError("incidents.not_your_grid")
    grid_id, reported_at = placed
    officer = officer_columns(find_responsible(connection, grid_id, today(connection)))
    writing.set_officer(connection, incident_id, **officer)
    calendar = read_calendar(connection)
    due = clock_of(rule_book(), calendar, draft.kind, "village", reported_at).due
    writing.append_step(
        connection, actor, incident_id, seq=1, move="report", from_state=None,
        to_state="reported", tier="village", department="", note=note, photos=[],
        due_on=due.on, due_provisional=due.provisional, lon=lon, lat=lat, **officer,
    )  # fmt: skip
    record(
        connection, actor, "report", "incident", incident_id,
        after={"state": "reported", "kind": draft.kind, "channel": draft.channel},
    )  # fmt: skip


_STORED_AS_REPORTED: Final = (
    "kind", "text", "address", "reporter_name", "reporter_phone", "reporter_email", "channel",
    "media_url",
)  # fmt: skip


def _check_may_report(actor: Actor, channel: str, book: RuleBook) -> None:
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
    questions = {question.code: question for question in book.kinds[draft.kind].attributes}
    for code, answer in draft.details.items():
        place = Place(field=f"attribute[{code[:40]}]")
        if code not in questions:
            raise InputError("incidents.no_attribute", place=place)
        choices = {value.key for value in questions[code].values}
        answers = answer if isinstance(answer, list) else [answer]
        if any(not _is_storable(value) for value in answers):
            raise InputError("incidents.bad_answer", place=place)
        if choices and not set(answers) <= choices:
            raise InputError("incidents.no_choice", place=place, known=", ".join(sorted(choices)))
    for code, question in questions.items():
        if question.required and not draft.details.get(code):
            raise InputError("incidents.no_answer", place=Place(field=f"attribute[{code}]"))


def _is_storable(answer: object) -> bool:
    return isinstance(answer, str) and len(answer) <= MOST_TEXT and "\x00" not in answer
