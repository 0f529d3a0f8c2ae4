"""Reports on their way in: sent twice, or with an address that is not on the map yet.

A report without a place waits under a token until a person has placed it; then the token leads to
the incident.
"""

import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from gis_service.access import Actor, record
from gis_service.access.households import mask_value
from gis_service.access.permissions import PLACE_REPORTS
from gis_service.errors import ConflictError, InputError, NotFoundError, Place
from gis_service.incidents import queries, writing
from gis_service.incidents.reporting import NewIncident, check_draft, report_incident
from gis_service.incidents.rules import rule_book
from gis_service.store.engine import in_whole_county

_MOST_KEY: Final = 200
_NOWHERE: Final = 0.0


@dataclass(frozen=True)
class WaitingReport:
    """A report that waits for its place; who reported is masked."""

    token: str
    at: datetime
    kind: str
    text: str
    address: str
    reporter_name: str
    reporter_phone: str


def make_once(
    connection: sa.Connection,
    actor: Actor,
    key: str | None,
    body: Any,
    make: Callable[[], int],
) -> tuple[int, bool]:
    """
    Make an incident once, however often the same request is sent.

    Parameters
    ----------
    connection
        A transaction in the actor's name.
    actor
        Who asks; keys of others do not matter.
    key
        The request's idempotency key; None makes an incident each time.
    body
        What was asked, as JSON can say it.
    make
        Makes the incident and gives its id.

    Returns
    -------
    incident_id, is_new
        The incident, and whether this request has made it.

    Raises
    ------
    InputError
        The key is empty or too long.
    ConflictError
        The key was used for another request.
    """
    if key is None:
        return make(), True
    if not 0 < len(key) <= _MOST_KEY or not key.isprintable():
        raise InputError(
            "incidents.bad_idempotency_key", place=Place(field="Idempotency-Key"), most=_MOST_KEY
        )
    text = json.dumps(body, sort_keys=True, ensure_ascii=False, default=str)
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    if not writing.claim_request_key(connection, actor, key, sha256):
        request = writing.read_claimed_request(connection, actor, key)
        if request.body_sha256 != sha256:
            raise ConflictError("incidents.key_of_another", place=Place(field="Idempotency-Key"))
        return int(request.incident_id), False
    incident_id = make()
    writing.complete_request(connection, actor, key, incident_id)
    return incident_id, True


@in_whole_county
def keep_waiting(connection: sa.Connection, actor: Actor, draft: NewIncident) -> str:
    """
    Take a report that names an address but no place.

    Parameters
    ----------
    connection
        A transaction in the actor's name.
    actor
        Who reports.
    draft
        The report; its place does not count.

    Returns
    -------
    str
        A token that nobody can guess.

    Raises
    ------
    InputError
        As for :func:`gis_service.incidents.reporting.report_incident`.
    """
    nowhere = replace(draft, lon=_NOWHERE, lat=_NOWHERE)
    moment = queries.read_now(connection)
    check_draft(nowhere, rule_book(), moment)
    token = uuid.uuid4().hex
    stored = {**asdict(nowhere), "reported_at": (draft.reported_at or moment).isoformat()}
    writing.insert_waiting_report(connection, actor, token, stored)
    record(connection, actor, "leave", "incident_intake", after={"kind": draft.kind})
    return token


def list_waiting(connection: sa.Connection, actor: Actor, limit: int) -> list[WaitingReport]:
    """
    List the reports that wait for their place, the oldest first.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Who asks.
    limit
        How many at most.

    Returns
    -------
    list of WaitingReport
        Empty for roles that do not place reports.
    """
    if not PLACE_REPORTS.allows(actor):
        return []
    rows = queries.read_waiting_reports(connection, limit)
    return [
        WaitingReport(
            row.token,
            row.at,
            row.draft["kind"],
            row.draft["text"],
            row.draft["address"],
            mask_value("incident", "reporter_name", row.draft["reporter_name"]),
            mask_value("incident", "reporter_phone", row.draft["reporter_phone"]),
        )
        for row in rows
    ]


def place_waiting(
    connection: sa.Connection, actor: Actor, token: str, lon: float, lat: float
) -> int:
    """
    Put a waiting report on the map: it becomes an incident.

    Parameters
    ----------
    connection
        A transaction in the actor's name.
    actor
        Who has found the place.
    token
        Of the report.
    lon, lat
        CGCS2000 degrees.

    Returns
    -------
    int
        The incident's id; the same one where it was placed before.

    Raises
    ------
    NotAllowedError
        The role does not place reports.
    NotFoundError
        There is no such token.
    """
    PLACE_REPORTS.require(actor)
    row = writing.lock_waiting_report(connection, token)
    if row is None:
        raise NotFoundError("incidents.no_token")
    if row.incident_id is not None:
        return int(row.incident_id)
    stored = {**row.draft, "reported_at": datetime.fromisoformat(row.draft["reported_at"])}
    draft = replace(NewIncident(**stored), lon=lon, lat=lat)
    incident_id = report_incident(connection, actor, draft)
    writing.complete_waiting_report(connection, token, incident_id)
    return incident_id


@in_whole_county
def find_incident_of_token(connection: sa.Connection, token: str) -> int | None:
    """
    Follow a token to its incident.

    Parameters
    ----------
    connection
        An open transaction.
    token
        As it was given.

    Returns
    -------
    int or None
        None as long as nobody has placed the report.

    Raises
    ------
    NotFoundError
        There is no such token.
    """
    row = queries.read_incident_of_token(connection, token)
    if row is None:
        raise NotFoundError("incidents.no_token")
    incident_id: int | None = row.incident_id
    return incident_id
