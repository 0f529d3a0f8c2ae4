"""One incident with all that happened to it, what is like it, and who reported it.

Reads only, always through :func:`gis_service.access.visible`. Who reported is masked; the clear
name is given with a reason, and that is written down.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from gis_service.access import Actor, record
from gis_service.access.households import mask_value
from gis_service.access.permissions import REVEAL_REPORTER
from gis_service.errors import InputError, NotFoundError, Place
from gis_service.incidents import duplicates, queries
from gis_service.incidents.reading import IncidentFilter, IncidentRow, list_incidents
from gis_service.incidents.rules import Transition, rule_book

REASONS: Final = ("call_back", "visit", "emergency", "correction")
"""Why somebody looks; chosen, never typed, so that nothing personal gets into the record."""

_MOST_CANDIDATES: Final = 500


@dataclass(frozen=True)
class OfficerName:
    """The officer who answers, as far as the actor may see officers."""

    officer_id: int
    post: str
    name: str
    phone: str


@dataclass(frozen=True)
class StepRow:
    """
    One step.

    Attributes
    ----------
    actor
        Who did it: the name of the account.
    officer
        Who answers from then on; None where the actor does not see officers.
    due_on
        The deadline as it was told then.
    late
        Whether it ended a deadline too late.
    lon, lat
        From where it was done.
    """

    seq: int
    at: datetime
    actor: str
    actor_en: str
    actor_role: str
    move: str
    from_state: str | None
    to_state: str
    tier: str
    department: str
    note: str
    officer: OfficerName | None
    due_on: date | None
    due_provisional: bool | None
    late: bool | None
    duplicate_of: int | None
    photos: list[str]
    lon: float | None
    lat: float | None


@dataclass(frozen=True)
class AllowedMove:
    """What the actor may do now, and what has to be said with it."""

    move: str
    to: str
    needs_note: bool
    needs_department: bool
    needs_duplicate: bool


@dataclass(frozen=True)
class Incident(IncidentRow):
    """
    One incident: as in a list, and more.

    Attributes
    ----------
    reporter_name, reporter_phone
        Masked.
    details
        Answers to the questions of the kind.
    steps
        In the order in which they happened.
    allowed
        What the actor may do now.
    """

    reporter_name: str
    reporter_phone: str
    media_url: str
    details: dict[str, Any]
    officer: OfficerName | None
    steps: list[StepRow]
    allowed: list[AllowedMove]


@dataclass(frozen=True)
class Reporter:
    """Who reported, in clear."""

    name: str
    phone: str
    email: str


@dataclass(frozen=True)
class LikelyDuplicate:
    """An incident that may be the same thing."""

    incident: IncidentRow
    distance_m: float
    hours_apart: float


def find_incident(connection: sa.Connection, actor: Actor, incident_id: int) -> Incident:
    """
    Read one incident with its steps.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    incident_id
        Which.

    Returns
    -------
    Incident
        As far as the actor may see it.

    Raises
    ------
    NotFoundError
        There is no such incident in the actor's sight.
    """
    rows, _ = list_incidents(connection, actor, IncidentFilter(incident_id=incident_id), limit=1)
    if not rows:
        raise NotFoundError("incidents.no_incident", incident=incident_id)
    row = rows[0]
    details = queries.read_details(connection, actor, incident_id)
    steps = queries.read_steps(connection, incident_id)
    officer_ids = {details.officer_id, *(step.officer_id for step in steps)} - {None}
    officers = {
        officer.officer_id: officer
        for officer in queries.read_officers(connection, actor, officer_ids)
    }
    return Incident(
        **vars(row),
        reporter_name=mask_value("incident", "reporter_name", details.reporter_name),
        reporter_phone=mask_value("incident", "reporter_phone", details.reporter_phone),
        media_url=details.media_url,
        details=details.details,
        officer=_officer_name(officers, details),
        steps=[_step_row(step, officers) for step in steps],
        allowed=_allowed_moves(row, actor),
    )


def _step_row(row: Any, officers: dict[int, Any]) -> StepRow:
    return StepRow(
        seq=row.seq,
        at=row.at,
        actor=row.actor or "",
        actor_en=row.actor_en or "",
        actor_role=row.actor_role,
        move=row.move,
        from_state=row.from_state,
        to_state=row.to_state,
        tier=row.tier,
        department=row.department,
        note=row.note,
        officer=_officer_name(officers, row),
        due_on=row.due_on,
        due_provisional=row.due_provisional,
        late=row.late,
        duplicate_of=row.duplicate_of,
        photos=list(row.photos),
        lon=row.lon,
        lat=row.lat,
    )


def _officer_name(officers: dict[int, Any], row: Any) -> OfficerName | None:
    officer = officers.get(row.officer_id)
    if officer is None:
        return None
    return OfficerName(officer.officer_id, row.officer_post or "A", officer.name, officer.phone)


def read_allowed_moves(
    connection: sa.Connection, actor: Actor, incident_id: int
) -> tuple[IncidentRow, list[AllowedMove]]:
    """
    Say what an actor may do with an incident now.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    incident_id
        Which.

    Returns
    -------
    row, moves
        Its state, and what leads on from it.

    Raises
    ------
    NotFoundError
        There is no such incident in the actor's sight.
    """
    rows, _ = list_incidents(connection, actor, IncidentFilter(incident_id=incident_id), limit=1)
    if not rows:
        raise NotFoundError("incidents.no_incident", incident=incident_id)
    return rows[0], _allowed_moves(rows[0], actor)


def _allowed_moves(row: IncidentRow, actor: Actor) -> list[AllowedMove]:
    def described(move: Transition) -> AllowedMove:
        return AllowedMove(
            move=move.move,
            to=move.to or row.status,
            needs_note=move.needs_note,
            needs_department=move.needs_department,
            needs_duplicate=move.needs_duplicate,
        )

    allowed = rule_book().allowed(row.status, row.tier, actor.role, row.kind)
    return list({move.move: described(move) for move in reversed(allowed)}.values())[::-1]


def reveal_reporter(
    connection: sa.Connection, actor: Actor, incident_id: int, reason: str
) -> Reporter:
    """
    Say who reported an incident, and write down that somebody asked.

    Parameters
    ----------
    connection
        A transaction in the actor's name.
    actor
        Who asks.
    incident_id
        Which.
    reason
        One of :data:`REASONS`.

    Returns
    -------
    Reporter
        In clear.

    Raises
    ------
    NotAllowedError
        The role need not know.
    NotFoundError
        There is no such incident in the actor's sight.
    InputError
        There is no such reason.
    """
    REVEAL_REPORTER.require(actor)
    if reason not in REASONS:
        raise InputError(
            "incidents.no_reason", place=Place(field="reason"), known=", ".join(REASONS)
        )
    row = queries.read_reporter(connection, actor, incident_id)
    if row is None:
        raise NotFoundError("incidents.no_incident", incident=incident_id)
    record(connection, actor, "reveal", "incident", incident_id, after={"reason": reason})
    return Reporter(*row)


def find_duplicates(
    connection: sa.Connection,
    actor: Actor,
    kind: str,
    lon: float,
    lat: float,
    at: datetime | None = None,
    *,
    besides: int | None = None,
) -> list[LikelyDuplicate]:
    """
    Offer incidents that may be the same thing as a report.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    kind
        Of the report.
    lon, lat
        Its place, CGCS2000 degrees.
    at
        Its time; None is now.
    besides
        An incident that is not a duplicate of itself.

    Returns
    -------
    list of LikelyDuplicate
        Of the same kind within the radius and the hours of the rules, the nearest first.
    """
    rules = rule_book().duplicates
    moment = at or queries.read_now(connection)
    span = timedelta(hours=rules.hours.value)
    rows = queries.read_candidates(
        connection,
        actor,
        kind,
        duplicates.box_around(lon, lat, rules.radius_m.value),
        (moment - span, moment + span),
        besides=besides,
        limit=_MOST_CANDIDATES,
    )
    candidates = [duplicates.Candidate(*row) for row in rows]
    near = duplicates.find_likely(
        candidates, lon, lat, moment, rules.radius_m.value, rules.hours.value
    )
    return [
        LikelyDuplicate(row, candidate.distance_m, candidate.hours_apart)
        for candidate in near
        for row in list_incidents(
            connection, actor, IncidentFilter(incident_id=candidate.incident_id), limit=1
        )[0]
    ]
