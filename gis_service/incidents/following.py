"""One incident with all that happened to it, what is like it, and who reported it.

Reads only, always through :func:`gis_service.access.visible`. Who reported is masked; the clear
name is given with a reason, and that is written down.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from gis_service.access import Actor, record, visible
from gis_service.access.households import masked
from gis_service.access.permissions import REVEAL_REPORTER
from gis_service.errors import InputError, NotFoundError, Place
from gis_service.incidents import duplicates
from gis_service.incidents.reading import IncidentFilter, IncidentRow, list_incidents
from gis_service.incidents.rules import Transition, rule_book
from gis_service.store import tables as t
from gis_service.store.tables import SRID

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
    said = connection.execute(
        sa.select(
            t.incident.c.reporter_name,
            t.incident.c.reporter_phone,
            t.incident.c.media_url,
            t.incident.c.details,
            t.incident.c.officer_id,
            t.incident.c.officer_post,
        ).where(t.incident.c.incident_id == incident_id, visible(actor, t.incident))
    ).one()
    steps = _steps(connection, incident_id)
    ids = {said.officer_id, *(step.officer_id for step in steps)} - {None}
    officers = _officers(connection, actor, ids)
    return Incident(
        **vars(row),
        reporter_name=masked("incident", "reporter_name", said.reporter_name),
        reporter_phone=masked("incident", "reporter_phone", said.reporter_phone),
        media_url=said.media_url,
        details=said.details,
        officer=_named(officers, said),
        steps=[_step(step, officers) for step in steps],
        allowed=_allowed(row, actor),
    )


def _steps(connection: sa.Connection, incident_id: int) -> Sequence[Any]:
    step, actor = t.incident_step.c, t.actor.c
    return connection.execute(
        sa.select(
            t.incident_step,
            actor.name.label("actor"),
            actor.name_en.label("actor_en"),
            sa.func.ST_X(step.place).label("lon"),
            sa.func.ST_Y(step.place).label("lat"),
        )
        .outerjoin(t.actor, actor.actor_id == step.actor_id)
        .where(step.incident_id == incident_id)
        .order_by(step.seq)
    ).all()


def _step(row: Any, officers: dict[int, Any]) -> StepRow:
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
        officer=_named(officers, row),
        due_on=row.due_on,
        due_provisional=row.due_provisional,
        late=row.late,
        duplicate_of=row.duplicate_of,
        photos=list(row.photos),
        lon=row.lon,
        lat=row.lat,
    )


def _officers(connection: sa.Connection, actor: Actor, ids: set[int]) -> dict[int, Any]:
    officer = t.officer.c
    rows = connection.execute(
        sa.select(officer.officer_id, officer.name, officer.phone).where(
            officer.officer_id.in_(ids), visible(actor, t.officer)
        )
    )
    return {row.officer_id: row for row in rows}


def _named(officers: dict[int, Any], row: Any) -> OfficerName | None:
    found = officers.get(row.officer_id)
    if found is None:
        return None
    return OfficerName(found.officer_id, row.officer_post or "A", found.name, found.phone)


def allowed_moves(
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
    return rows[0], _allowed(rows[0], actor)


def _allowed(row: IncidentRow, actor: Actor) -> list[AllowedMove]:
    def described(move: Transition) -> AllowedMove:
        return AllowedMove(
            move=move.move,
            to=move.to or row.status,
            needs_note=move.needs_note,
            needs_department=move.needs_department,
            needs_duplicate=move.needs_duplicate,
        )

    found = rule_book().allowed(row.status, row.tier, actor.role, row.kind)
    return list({move.move: described(move) for move in reversed(found)}.values())[::-1]


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
    incident = t.incident.c
    row = connection.execute(
        sa.select(incident.reporter_name, incident.reporter_phone, incident.reporter_email).where(
            incident.incident_id == incident_id, visible(actor, t.incident)
        )
    ).first()
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
    moment: datetime = at or connection.execute(sa.select(sa.func.now())).scalar_one()
    incident = t.incident.c
    span = timedelta(hours=rules.hours.value)
    box = sa.func.ST_MakeEnvelope(*duplicates.box_around(lon, lat, rules.radius_m.value), SRID)
    rows = connection.execute(
        sa.select(
            incident.incident_id,
            sa.func.ST_X(incident.point),
            sa.func.ST_Y(incident.point),
            incident.reported_at,
        )
        .where(
            visible(actor, t.incident),
            incident.kind == kind,
            incident.reported_at.between(moment - span, moment + span),
            incident.point.op("&&", is_comparison=True)(box),
            incident.incident_id.is_distinct_from(besides),
        )
        .order_by(incident.reported_at.desc())
        .limit(_MOST_CANDIDATES)
    )
    candidates = [duplicates.Candidate(*row) for row in rows]
    near = duplicates.likely(candidates, lon, lat, moment, rules.radius_m.value, rules.hours.value)
    return [
        LikelyDuplicate(row, one.distance_m, one.hours_apart)
        for one in near
        for row in list_incidents(
            connection, actor, IncidentFilter(incident_id=one.incident_id), limit=1
        )[0]
    ]


def has_photo(connection: sa.Connection, actor: Actor, incident_id: int, sha256: str) -> bool:
    """
    Tell whether an incident in the actor's sight has a photo.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    incident_id, sha256
        Which.

    Returns
    -------
    bool
        False as well where the actor does not see the incident.
    """
    photo = t.incident_photo.c
    found = connection.execute(
        sa.select(photo.sha256)
        .join(t.incident, t.incident.c.incident_id == photo.incident_id)
        .where(
            photo.incident_id == incident_id,
            photo.sha256 == sha256,
            visible(actor, t.incident),
        )
    ).first()
    return found is not None
