"""Incidents as Open311 GeoReport v2 sees them: services, their definitions, service requests.

Field names and their order are those of the specification (wiki.open311.org/GeoReport_v2); nothing
is added to them. Who reported is never among them. Whoever asks without a key reads only what came
in by Open311, and of that as much as the setting says.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import sqlalchemy as sa

from gis_service.access import Actor
from gis_service.errors import InputError, NotFoundError, Place
from gis_service.grids.versions import today
from gis_service.incidents import queries
from gis_service.incidents.clocks import Clocks
from gis_service.incidents.deadlines import SHANGHAI, end_of_day
from gis_service.incidents.reporting import NewIncident
from gis_service.incidents.rules import CLOCK_RUNS, RuleBook, rule_book
from gis_service.incidents.working_days import read_calendar
from gis_service.messages import Language, text

Public = Literal["none", "status", "full"]
Listing = list[dict[str, Any]]

MOST_DAYS: Final = 90
MOST_REQUESTS: Final = 1000
MOST_IDS: Final = 1000
_SPAN: Final = timedelta(days=MOST_DAYS)
_BIGGEST: Final = 2**63 - 1
_CHILD: Final = {
    "services": "service",
    "attributes": "attribute",
    "values": "value",
    "service_requests": "request",
    "errors": "error",
    "endpoints": "endpoint",
    "formats": "format",
}
_MOST_FIELDS: Final = 200


# --- services ------------------------------------------------------------------------------------


def list_services(book: RuleBook, language: Language) -> Listing:
    """
    List the kinds of incident as services.

    Parameters
    ----------
    book
        The rules.
    language
        Of names and descriptions.

    Returns
    -------
    list of dict
        All of type ``realtime``; ``metadata`` where a kind has questions of its own.
    """
    chinese = language == "zh-CN"
    return [
        {
            "service_code": code,
            "service_name": kind.name if chinese else kind.name_en,
            "description": text(
                "incidents.open311_service",
                language,
                group=kind.group if chinese else kind.group_en,
                name=kind.name if chinese else kind.name_en,
            ),
            "metadata": bool(kind.attributes),
            "type": "realtime",
            "keywords": ", ".join(kind.keywords),
            "group": kind.group if chinese else kind.group_en,
        }
        for code, kind in book.kinds.items()
    ]


def describe_service(book: RuleBook, code: str, language: Language) -> dict[str, Any]:
    """
    Tell the questions of a service.

    Parameters
    ----------
    book
        The rules.
    code
        Of the service.
    language
        Of the questions.

    Returns
    -------
    dict
        ``service_code`` and ``attributes``.

    Raises
    ------
    NotFoundError
        There is no such service.
    """
    if code not in book.kinds:
        raise NotFoundError("incidents.open311_no_service")
    chinese = language == "zh-CN"
    return {
        "service_code": code,
        "attributes": [
            {
                "variable": True,
                "code": question.code,
                "datatype": question.datatype,
                "required": question.required,
                "datatype_description": None,
                "order": order,
                "description": question.description if chinese else question.description_en,
                **(
                    {
                        "values": [
                            {"key": value.key, "name": value.name if chinese else value.name_en}
                            for value in question.values
                        ]
                    }
                    if question.values
                    else {}
                ),
            }
            for order, question in enumerate(book.kinds[code].attributes, start=1)
        ],
    }


# --- requests ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Query:
    """
    Which requests are attribute for.

    Attributes
    ----------
    ids
        They override everything else; None is any.
    codes, statuses
        None is every one.
    start, end
        Of ``requested_datetime``; both ends count.
    """

    ids: tuple[int, ...] | None
    codes: tuple[str, ...] | None
    statuses: tuple[str, ...] | None
    start: datetime
    end: datetime


def read_query(parameters: Mapping[str, str], now: datetime) -> Query:
    """
    Read the arguments of a list; an empty one is as none.

    Parameters
    ----------
    parameters
        As sent.
    now
        The moment, for the most recent 90 days.

    Returns
    -------
    Query
        What is attribute for.

    Raises
    ------
    InputError
        A time without offset, more than 90 days, an unknown status.
    """
    ids = _split_list(parameters.get("service_request_id"))
    statuses = _split_list(parameters.get("status"))
    if statuses is not None and not set(statuses) <= {"open", "closed"}:
        raise InputError("incidents.open311_bad_status", place=Place(field="status"))
    start = _read_query_moment(parameters, "start_date")
    end = _read_query_moment(parameters, "end_date")
    if end is None:
        end = now if start is None else start + _SPAN
    if start is None:
        start = end - _SPAN
    if not timedelta(0) <= end - start <= _SPAN:
        raise InputError("incidents.open311_bad_span", place=Place(field="start_date"))
    return Query(
        ids=None if ids is None else tuple(map(request_number, ids[:MOST_IDS])),
        codes=_split_list(parameters.get("service_code")),
        statuses=statuses,
        start=start,
        end=end,
    )


def _split_list(value: str | None) -> tuple[str, ...] | None:
    parts = tuple(part.strip() for part in (value or "").split(",") if part.strip())
    return parts or None


def _read_query_moment(parameters: Mapping[str, str], field: str) -> datetime | None:
    value = parameters.get(field, "").strip()
    if not value:
        return None
    refusal = InputError("incidents.open311_bad_moment", place=Place(field=field), field=field)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise refusal from error
    if moment.tzinfo is None or not 1900 <= moment.year <= 2900:
        raise refusal
    return moment.astimezone(UTC)


def request_number(word: str) -> int:
    """Read a service_request_id."""
    number = int(word) if word.isascii() and word.isdigit() and len(word) <= 19 else 0
    return number if number <= _BIGGEST else 0


def list_requests(
    connection: sa.Connection,
    actor: Actor | None,
    query: Query,
    public: Public,
    language: Language,
) -> Listing:
    """
    List service requests, the newest first, at most 1,000.

    Parameters
    ----------
    connection
        An open transaction.
    actor
        Whose key was given; None is anyone.
    query
        Which.
    public
        How much anyone may read of what came in by Open311.
    language
        Of names and notes.

    Returns
    -------
    list of dict
        In the fields of the specification.
    """
    if actor is None and public == "none":
        return []
    statuses = set(query.statuses or ())
    rows = queries.read_service_requests(
        connection,
        actor,
        ids=query.ids,
        codes=query.codes,
        is_closed="closed" in statuses if len(statuses) == 1 else None,
        span=(query.start, query.end),
        limit=MOST_REQUESTS,
    )
    clocks = Clocks(rule_book(), read_calendar(connection), today(connection))
    is_full = actor is not None or public == "full"
    return [_service_request(row, clocks, language, is_full=is_full) for row in rows]


def _service_request(
    row: Any, clocks: Clocks, language: Language, *, is_full: bool
) -> dict[str, Any]:
    kind = clocks.book.kinds.get(row.kind)
    name = row.kind if kind is None else kind.name if language == "zh-CN" else kind.name_en
    due = end_of_day(clocks.of(row).due.on) if row.status in CLOCK_RUNS else None
    closed = row.status == "closed"
    return {
        "service_request_id": str(row.incident_id),
        "status": "closed" if closed else "open",
        "status_notes": text(f"incidents.state_{row.status}", language),
        "service_name": name,
        "service_code": row.kind,
        "description": (row.text or None) if is_full else None,
        "agency_responsible": row.department or None,
        "service_notice": None,
        "requested_datetime": _w3_moment(row.reported_at),
        "updated_datetime": _w3_moment(row.closed_at if closed else row.changed_at),
        "expected_datetime": None if due is None else due.isoformat(),
        "address": (row.address or None) if is_full else None,
        "address_id": None,
        "zipcode": None,
        "lat": round(row.lat, 7) if is_full else None,
        "long": round(row.lon, 7) if is_full else None,
        "media_url": (row.media_url or None) if is_full else None,
    }


def _w3_moment(moment: datetime) -> str:
    return moment.astimezone(SHANGHAI).isoformat(timespec="seconds")


def say_notice(connection: sa.Connection, kind: str, at: datetime, language: Language) -> str:
    """
    Say what will be done about a request.

    Parameters
    ----------
    connection
        An open transaction.
    kind
        Of the incident.
    at
        When it was reported.
    language
        The reader's.

    Returns
    -------
    str
        With the last day.
    """
    book = rule_book()
    due = read_calendar(connection).after(
        at.astimezone(SHANGHAI).date(), book.working_days(kind, "village")
    )
    return text("incidents.open311_notice", language, due_on=due.on.isoformat())


# --- a new request -------------------------------------------------------------------------------


@dataclass(frozen=True)
class NewRequest:
    """A request as it was sent."""

    # The report; without a place it lies at (0, 0).
    draft: NewIncident
    # Whether it told one.
    has_place: bool
    # A building's key instead of a place.
    address_id: str | None


def read_form(body: bytes) -> dict[str, list[str]]:
    """
    Read a form; an empty value is as none.

    Parameters
    ----------
    body
        ``application/x-www-form-urlencoded``.

    Returns
    -------
    dict
        Values by name.

    Raises
    ------
    InputError
        It is not UTF-8, holds NUL, or has too many fields.
    """
    try:
        pairs = parse_qsl(body.decode("utf-8"), max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError as error:
        raise InputError("incidents.open311_bad_form") from error
    form: dict[str, list[str]] = {}
    for name, value in pairs:
        if "\0" in name + value:
            raise InputError("incidents.open311_bad_form", place=Place(field=name[:60]))
        form.setdefault(name, []).append(value)
    return form


def parse_request(form: Mapping[str, Sequence[str]], book: RuleBook) -> NewRequest:
    """
    Make a report of a form.

    Parameters
    ----------
    form
        As :func:`read_form` gives it.
    book
        The rules.

    Returns
    -------
    NewRequest
        Not looked at further than the place.

    Raises
    ------
    InputError
        No service_code, no location, or one that is no number.
    NotFoundError
        There is no such service.
    """
    first = {name: values[0] for name, values in form.items()}
    code = first.get("service_code", "").strip()
    if not code:
        raise InputError("incidents.open311_no_code", place=Place(field="service_code"))
    if code not in book.kinds:
        raise NotFoundError("incidents.open311_no_service", place=Place(field="service_code"))
    lat, lon = first.get("lat"), first.get("long")
    address = first.get("address_string", "").strip()
    address_id = first.get("address_id")
    if (lat is None) != (lon is None):
        raise InputError("incidents.open311_bad_place", place=Place(field="lat"))
    if lat is None and not address and not address_id:
        raise InputError("incidents.open311_no_place", place=Place(field="lat"))
    draft = NewIncident(
        kind=code,
        lon=_read_degrees(lon),
        lat=_read_degrees(lat),
        text=first.get("description", "").strip(),
        address=address,
        reporter_name=_full_name(first.get("first_name", ""), first.get("last_name", "")),
        reporter_phone=first.get("phone", "").strip(),
        reporter_email=first.get("email", "").strip(),
        channel="open311",
        media_url=first.get("media_url", "").strip(),
        details=_read_answers(form, book, code),
    )
    return NewRequest(draft, lat is not None, address_id)


def _read_degrees(word: str | None) -> float:
    try:
        return 0.0 if word is None else float(word)
    except ValueError as error:
        raise InputError("incidents.open311_bad_place", place=Place(field="lat")) from error


def _full_name(given: str, family: str) -> str:
    given, family = given.strip(), family.strip()
    western = (given + family).isascii()
    return " ".join(filter(None, (given, family))) if western else family + given


def _read_answers(form: Mapping[str, Sequence[str]], book: RuleBook, code: str) -> dict[str, Any]:
    several = {
        question.code
        for question in book.kinds[code].attributes
        if question.datatype == "multivaluelist"
    }
    answers: dict[str, Any] = {}
    for name, values in form.items():
        if not (name.startswith("attribute[") and name.endswith("]")):
            continue
        attribute = name.removesuffix("[]").removeprefix("attribute[").removesuffix("]")
        answers[attribute] = list(values) if attribute in several else values[0]
    return answers


# --- XML -----------------------------------------------------------------------------------------


def as_xml(root: str, value: Any) -> str:
    """
    Write an answer as the specification's XML.

    Parameters
    ----------
    root
        Name of the outermost element.
    value
        What the same answer is in JSON.

    Returns
    -------
    str
        With its declaration; nothing is an empty element.
    """
    return f'<?xml version="1.0" encoding="utf-8"?>\n{_write_element(root, value)}\n'


def _write_element(name: str, value: Any) -> str:
    if value is None or value == "":
        return f"<{name}/>"
    return f"<{name}>{''.join(_write_content(name, value))}</{name}>"


def _write_content(name: str, value: Any) -> Iterable[str]:
    if isinstance(value, Mapping):
        return (_write_element(key, member) for key, member in value.items())
    if isinstance(value, list):
        return (_write_element(_CHILD[name], member) for member in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return escape("".join(sign for sign in str(value) if _is_xml(sign)))


def _is_xml(sign: str) -> bool:
    """Tell whether XML 1.0 can hold a sign at all."""
    code = ord(sign)
    return (
        code in (9, 10, 13) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code > 0xFFFF
    )
