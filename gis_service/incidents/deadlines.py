"""Working days of the Chinese calendar with its shifted weekends, and the deadlines they give.

Published years come from the library ``chinesecalendar``; the county's own days stand over them. A
year that nobody has published counts Monday to Friday, and a deadline that touches it is
provisional. Pure: nothing here reads the store or the clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import chinese_calendar
from chinese_calendar.constants import holidays

FIRST_PUBLISHED: Final = min(holidays).year
LAST_PUBLISHED: Final = max(holidays).year
"""Years that the installed library knows."""

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
_FRIDAY: Final = 4


@dataclass(frozen=True)
class Deadline:
    """The last day, and whether it may still move because a year is not published."""

    on: date
    provisional: bool


@dataclass(frozen=True)
class WorkingCalendar:
    """Which days are worked."""

    # Days that the county counts otherwise.
    overrides: Mapping[date, bool] = field(default_factory=dict)
    # Years whose holidays the county has entered whole.
    own_years: frozenset[int] = frozenset()

    def is_working(self, day: date) -> bool:
        """
        Tell whether a day is worked.

        Parameters
        ----------
        day
            In China.

        Returns
        -------
        bool
            The county's word, the published calendar's, or Monday to Friday.
        """
        override = self.overrides.get(day)
        if override is not None:
            return override
        if FIRST_PUBLISHED <= day.year <= LAST_PUBLISHED:
            return _is_published_working(day)
        return day.weekday() <= _FRIDAY

    def is_provisional(self, day: date) -> bool:
        """Tell whether nobody has published yet if a day is worked."""
        published = FIRST_PUBLISHED <= day.year <= LAST_PUBLISHED
        return not (published or day.year in self.own_years or day in self.overrides)

    def after(self, day: date, working_days: int) -> Deadline:
        """
        Count working days; the first one is the first after the day itself.

        Parameters
        ----------
        day
            On which the clock starts (Civil Code, article 201: it does not count).
        working_days
            How many; 0 is the day itself.

        Returns
        -------
        Deadline
            The last of them; provisional if any day that was looked at is.
        """
        provisional = False
        days_left = working_days
        while days_left > 0:
            day += timedelta(days=1)
            provisional |= self.is_provisional(day)
            days_left -= self.is_working(day)
        return Deadline(day, provisional)


@lru_cache(maxsize=40_000)
def _is_published_working(day: date) -> bool:
    """Look a day up once: the library goes through its whole calendar each time."""
    return bool(chinese_calendar.is_workday(day))


def china_day(moment: datetime) -> date:
    """Say which day it is in China."""
    return moment.astimezone(SHANGHAI).date()


def end_of_day(day: date) -> datetime:
    """Say when a day is over in China."""
    return datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=SHANGHAI)
