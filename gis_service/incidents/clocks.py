"""When an incident is due, by the rules and the working days; what is late and what soon will be.

Pure: rules, calendar and rows in, days out.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from gis_service.incidents.deadlines import Deadline, WorkingCalendar, china_day
from gis_service.incidents.rules import CLOCK_RUNS, RuleBook


@dataclass(frozen=True)
class Clock:
    """When something is due, and by when it must have been passed upward otherwise."""

    due: Deadline
    pass_up: Deadline | None


def clock_of(
    book: RuleBook, calendar: WorkingCalendar, kind: str, tier: str, since: datetime
) -> Clock:
    """Say when a tier must have handled an incident, and when it must have passed it upward."""
    start = china_day(since)
    upward = None
    if tier != "county":
        upward = calendar.after(start, book.deadlines.pass_up_working_days.value)
    return Clock(calendar.after(start, book.working_days(kind, tier)), upward)


class Clocks:
    """Deadlines of many incidents by today's rules and working days."""

    def __init__(self, book: RuleBook, calendar: WorkingCalendar, day: date) -> None:
        self.book = book
        self.day = day
        self._calendar = calendar
        self._counted: dict[tuple[str, str, date], Clock] = {}
        self._soon = calendar.after(day, book.deadlines.soon_working_days.value).on

    def of(self, row: Any) -> Clock:
        """Give the clock of a row, counted once for each kind, tier and day."""
        since = row.clock_from or row.reported_at
        key = (row.kind, row.tier, china_day(since))
        if key not in self._counted:
            self._counted[key] = clock_of(self.book, self._calendar, row.kind, row.tier, since)
        return self._counted[key]

    def is_overdue(self, row: Any) -> bool:
        """Tell whether the last day is over and nobody has handled it."""
        return row.status in CLOCK_RUNS and self.of(row).due.on < self.day

    def is_soon(self, row: Any) -> bool:
        """Tell whether the last day is near, but not over."""
        return row.status in CLOCK_RUNS and self.day <= self.of(row).due.on <= self._soon

    def fits(self, row: Any, due: str) -> bool:
        """Tell whether a row belongs to a list of deadlines."""
        if due == "overdue":
            return self.is_overdue(row)
        if due == "soon":
            return self.is_soon(row)
        upward = self.of(row).pass_up
        waits = row.status in ("reported", "accepted")
        return waits and upward is not None and upward.on < self.day
