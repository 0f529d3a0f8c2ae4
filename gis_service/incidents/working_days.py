"""The county's table of working days: read into a calendar, and edited by those who may.

An edit takes effect at once everywhere: no deadline is stored that it could leave behind.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import sqlalchemy as sa

from gis_service.access import Actor, record
from gis_service.access.permissions import EDIT_CALENDAR
from gis_service.errors import InputError, NotFoundError, Place
from gis_service.incidents import queries, writing
from gis_service.incidents.deadlines import WorkingCalendar

MOST_DAYS: Final = 400
_YEARS: Final = (2000, 2200)


@dataclass(frozen=True)
class CalendarDay:
    """
    One day.

    Attributes
    ----------
    source
        ``county`` where the county has said so, ``published``, or ``weekdays`` where nobody has
        published the year.
    """

    day: date
    is_working: bool
    source: str
    reason: str


def read_calendar(connection: sa.Connection) -> WorkingCalendar:
    """Read which days are worked."""
    return WorkingCalendar(
        queries.read_day_overrides(connection), queries.read_complete_years(connection)
    )


def list_days(connection: sa.Connection, first: date, last: date) -> list[CalendarDay]:
    """
    List days with what they are and who says so.

    Parameters
    ----------
    connection
        An open transaction.
    first, last
        Both are in the answer; at most 400 days.

    Returns
    -------
    list of CalendarDay
        In order.

    Raises
    ------
    InputError
        The last is before the first, or they are too far apart.
    """
    if not 0 <= (last - first).days < MOST_DAYS:
        raise InputError("incidents.calendar_span", place=Place(field="to"), most=MOST_DAYS)
    reasons = queries.read_day_reasons(connection, first, last)
    calendar = read_calendar(connection)

    def source(day: date) -> str:
        if day in calendar.overrides:
            return "county"
        return "weekdays" if calendar.is_provisional(day) else "published"

    return [
        CalendarDay(day, calendar.is_working(day), source(day), reasons.get(day, ""))
        for day in _days(first, last)
    ]


def _days(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


def set_day(
    connection: sa.Connection, actor: Actor, day: date, *, is_working: bool, reason: str
) -> None:
    """
    Count a day otherwise than the published calendar does.

    Parameters
    ----------
    connection
        A transaction in the actor's name.
    actor
        Of the county office.
    day
        Which.
    is_working
        Whether it is worked.
    reason
        Why, for whoever reads the table later.

    Raises
    ------
    NotAllowedError
        The role may not.
    InputError
        The day is out of any calendar.
    """
    EDIT_CALENDAR.require(actor)
    _check_year(day.year, "day")
    before = queries.read_day_override(connection, day)
    writing.upsert_day_override(connection, day, is_working=is_working, reason=reason)
    record(
        connection, actor, "set", "working_day", day,
        before=None if before is None else {"is_working": before},
        after={"is_working": is_working},
    )  # fmt: skip


def clear_day(connection: sa.Connection, actor: Actor, day: date) -> None:
    """
    Take the county's word on a day back.

    Parameters
    ----------
    connection
        A transaction in the actor's name.
    actor
        Of the county office.
    day
        Which.

    Raises
    ------
    NotAllowedError
        The role may not.
    NotFoundError
        The county has said nothing about it.
    """
    EDIT_CALENDAR.require(actor)
    was_working = writing.delete_day_override(connection, day)
    if was_working is None:
        raise NotFoundError("incidents.no_own_day", day=day.isoformat())
    record(connection, actor, "clear", "working_day", day, before={"is_working": was_working})


def set_year(
    connection: sa.Connection, actor: Actor, year: int, *, complete: bool, reason: str = ""
) -> None:
    """
    Say that the county has entered a year's holidays whole, or take that back.

    Parameters
    ----------
    connection
        A transaction in the actor's name.
    actor
        Of the county office.
    year
        Which.
    complete
        True: deadlines in it are no longer provisional.
    reason
        Such as the number of the notice.

    Raises
    ------
    NotAllowedError
        The role may not.
    InputError
        The year is out of any calendar.
    """
    EDIT_CALENDAR.require(actor)
    _check_year(year, "year")
    if complete:
        writing.insert_complete_year(connection, year, reason)
    else:
        writing.delete_complete_year(connection, year)
    record(connection, actor, "set", "working_year", year, after={"complete": complete})


def _check_year(year: int, field: str) -> None:
    first, last = _YEARS
    if not first <= year <= last:
        raise InputError(
            "incidents.calendar_year", place=Place(field=field), first=first, last=last
        )
