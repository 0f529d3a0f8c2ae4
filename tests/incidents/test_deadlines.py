"""Working days of the Chinese calendar: shifted weekends, the county's own days, years to come."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis_service.incidents.deadlines import (
    FIRST_PUBLISHED,
    LAST_PUBLISHED,
    Deadline,
    WorkingCalendar,
    china_day,
    end_of_day,
)

PUBLISHED = WorkingCalendar()
DAYS = st.dates(date(2003, 1, 1), date(2040, 12, 31))


@pytest.mark.parametrize(
    ("day", "is_working"),
    [
        (date(2026, 2, 14), True),  # a Saturday that is worked before the Spring Festival
        (date(2026, 2, 15), False),  # its first day off, a Sunday
        (date(2026, 2, 16), False),  # a Monday off
        (date(2026, 2, 23), False),  # the last day off, a Monday
        (date(2026, 2, 24), True),
        (date(2026, 2, 28), True),  # a Saturday that is worked after it
        (date(2026, 3, 1), False),  # an ordinary Sunday
    ],
)
def test_the_spring_festival_of_2026_shifts_two_saturdays(day: date, is_working: bool) -> None:
    assert PUBLISHED.is_working(day) is is_working
    assert not PUBLISHED.is_provisional(day)


@pytest.mark.parametrize(
    ("reported", "working_days", "due"),
    [
        (date(2026, 2, 12), 3, date(2026, 2, 24)),  # Friday, the worked Saturday, then the 24th
        (date(2026, 2, 13), 1, date(2026, 2, 14)),
        (date(2026, 2, 18), 3, date(2026, 2, 26)),  # reported within the holiday
        (date(2026, 2, 27), 1, date(2026, 2, 28)),
        (date(2026, 3, 6), 5, date(2026, 3, 13)),  # an ordinary week
        (date(2026, 3, 6), 0, date(2026, 3, 6)),
    ],
)
def test_a_deadline_counts_from_the_day_after(reported: date, working_days: int, due: date) -> None:
    assert PUBLISHED.after(reported, working_days) == Deadline(due, provisional=False)


def test_a_year_that_nobody_has_published_counts_monday_to_friday_and_says_so() -> None:
    assert LAST_PUBLISHED == 2026, "the library knows another year now: move this test on"
    assert PUBLISHED.is_working(date(2027, 1, 1))  # a Friday; New Year's Day is not known yet
    assert PUBLISHED.after(date(2026, 12, 30), 1) == Deadline(date(2026, 12, 31), False)
    assert PUBLISHED.after(date(2026, 12, 30), 2) == Deadline(date(2027, 1, 1), True)
    assert PUBLISHED.after(date(2027, 3, 4), 3) == Deadline(date(2027, 3, 9), True)


def test_the_countys_word_stands_over_both() -> None:
    own = WorkingCalendar(
        {date(2027, 1, 1): False, date(2026, 3, 3): False, date(2026, 3, 7): True}
    )
    assert own.after(date(2026, 3, 2), 1).on == date(2026, 3, 4)
    assert own.after(date(2026, 3, 6), 1).on == date(2026, 3, 7)
    assert own.after(date(2026, 12, 31), 1) == Deadline(date(2027, 1, 4), True)


def test_a_year_that_the_county_has_entered_whole_is_not_provisional() -> None:
    own = WorkingCalendar({date(2027, 1, 1): False}, frozenset({2027}))
    assert own.after(date(2026, 12, 31), 1) == Deadline(date(2027, 1, 4), False)
    assert own.after(date(2027, 12, 31), 1).provisional


@given(DAYS, st.integers(1, 30))
def test_a_deadline_is_a_working_day_with_so_many_before_it(day: date, number: int) -> None:
    found = PUBLISHED.after(day, number)
    between = [day + timedelta(days=n + 1) for n in range((found.on - day).days)]
    assert PUBLISHED.is_working(found.on)
    assert sum(map(PUBLISHED.is_working, between)) == number
    unpublished = any(not FIRST_PUBLISHED <= one.year <= LAST_PUBLISHED for one in between)
    assert found.provisional is unpublished


@given(DAYS, st.integers(0, 29))
def test_a_longer_deadline_is_a_later_one(day: date, number: int) -> None:
    assert PUBLISHED.after(day, number).on < PUBLISHED.after(day, number + 1).on


def test_the_day_is_that_of_china() -> None:
    assert china_day(datetime(2026, 3, 1, 15, 59, tzinfo=UTC)) == date(2026, 3, 1)
    assert china_day(datetime(2026, 3, 1, 16, 0, tzinfo=UTC)) == date(2026, 3, 2)
    assert end_of_day(date(2026, 3, 1)).isoformat() == "2026-03-01T23:59:59+08:00"
