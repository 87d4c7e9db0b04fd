from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from northflank_async.audit.due_times import DueTimes
from northflank_async.records import Scheduling

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
WEEK = timedelta(weeks=1)

days = st.lists(st.integers(0, 6), min_size=1, max_size=3)
hours = st.lists(st.integers(0, 23), min_size=1, max_size=3)
minutes = st.lists(st.integers(0, 59), min_size=1, max_size=3)
schedulings = st.one_of(
    st.builds(lambda m: Scheduling(interval="hourly", minute=tuple(m)), minutes),
    st.builds(lambda m, h: Scheduling(interval="daily", minute=tuple(m), hour=tuple(h)), minutes, hours),
    st.builds(
        lambda m, h, d: Scheduling(interval="weekly", minute=tuple(m), hour=tuple(h), day=tuple(d)),
        minutes,
        hours,
        days,
    ),
)
times = st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))


def due_times(**fields: Any) -> DueTimes:
    found = DueTimes.of(Scheduling(**fields))
    assert found is not None
    return found


def test_an_hourly_schedule_is_due_every_hour() -> None:
    due = due_times(interval="hourly", minute=(30, 15))
    assert due.count(MONDAY, MONDAY + timedelta(hours=2)) == 4
    assert due.first_after(MONDAY) == MONDAY + timedelta(minutes=15)
    assert due.longest_gap == timedelta(minutes=45)


def test_hours_and_days_that_the_interval_does_not_use_are_ignored() -> None:
    assert due_times(interval="hourly", minute=(0,), hour=(3,), day=(1,)).longest_gap == timedelta(hours=1)
    assert due_times(interval="daily", minute=(0,), hour=(3,), day=(1,)).longest_gap == timedelta(days=1)


def test_day_0_of_a_weekly_schedule_is_monday() -> None:
    due = due_times(interval="weekly", minute=(0,), hour=(0,), day=(0,))
    assert due.first_after(MONDAY - timedelta(hours=1)) == MONDAY
    friday = due_times(interval="weekly", minute=(30,), hour=(18,), day=(4,))
    assert friday.first_after(MONDAY) == datetime(2026, 11, 6, 18, 30, tzinfo=UTC)
    assert due.longest_gap == WEEK


def test_a_time_span_includes_its_end_and_not_its_start() -> None:
    due = due_times(interval="daily", minute=(0,), hour=(0,))
    assert due.count(MONDAY, MONDAY) == 0
    assert due.count(MONDAY - timedelta(microseconds=1), MONDAY) == 1
    assert due.count(MONDAY, MONDAY + timedelta(days=1)) == 1
    assert due.count(MONDAY + timedelta(days=1), MONDAY) == 0


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"])
def test_due_times_are_in_utc_whatever_the_zone_of_the_clock(zone: str) -> None:
    due = due_times(interval="daily", minute=(30,), hour=(1,))
    for day in range(366):
        start = (datetime(2026, 1, 1, 1, 30, tzinfo=UTC) + timedelta(days=day)).astimezone(ZoneInfo(zone))
        assert due.count(start, start.astimezone(UTC) + timedelta(days=1)) == 1
        assert due.first_after(start) == start.astimezone(UTC) + timedelta(days=1)


@pytest.mark.parametrize(
    "fields",
    [
        {"interval": "monthly", "minute": (0,)},
        {"interval": "hourly"},
        {"interval": "hourly", "minute": ()},
        {"interval": "hourly", "minute": (60,)},
        {"interval": "daily", "minute": (0,)},
        {"interval": "daily", "minute": (0,), "hour": (24,)},
        {"interval": "weekly", "minute": (0,), "hour": (1,)},
        {"interval": "weekly", "minute": (0,), "hour": (1,), "day": (7,)},
        {"interval": "weekly", "minute": (0,), "hour": (1,), "day": (-1, 0)},
    ],
)
def test_a_schedule_that_is_not_as_documented_has_no_due_times(fields: dict[str, Any]) -> None:
    assert DueTimes.of(Scheduling(**fields)) is None
    assert DueTimes.of(None) is None


@given(schedulings, times, st.integers(0, 3 * 7 * 24 * 60))
def test_counting_agrees_with_walking_from_one_due_time_to_the_next(
    scheduling: Scheduling, start: datetime, span: int
) -> None:
    due = DueTimes.of(scheduling)
    assert due is not None
    until = start + timedelta(minutes=span)
    walked, time = 0, start
    while (time := due.first_after(time)) <= until:
        walked += 1
    assert due.count(start, until) == walked


@given(schedulings, times)
def test_no_gap_is_longer_than_the_longest(scheduling: Scheduling, start: datetime) -> None:
    due = DueTimes.of(scheduling)
    assert due is not None
    assert timedelta() < due.first_after(start) - start <= due.longest_gap


@given(times=st.sets(st.integers(0, 7 * 24 * 60 - 1), min_size=1, max_size=9), offset=st.integers(-(10**5), 10**5))
def test_the_last_due_time_until_a_time_is_followed_by_the_first_after_it(times: set[int], offset: int) -> None:
    due = DueTimes(tuple(sorted(times)))
    now = datetime(2026, 11, 4, tzinfo=UTC) + timedelta(minutes=offset)
    last = due.last_until(now)
    assert last <= now < due.first_after(now)
    assert due.first_after(last) == due.first_after(now)
