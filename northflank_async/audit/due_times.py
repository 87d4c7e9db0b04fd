"""The due times of a backup schedule. The platform keeps them in UTC, so no clock change moves them."""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from attrs import frozen

from northflank_async.records import ScheduleInterval, Scheduling

WEEK = timedelta(weeks=1)
_MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)
_DAYS, _HOURS, _MINUTES = range(7), range(24), range(60)


@frozen
class DueTimes:
    """The due times of a schedule, which repeat every week; `minutes` are since Monday, 00:00 UTC."""

    minutes: tuple[int, ...]

    @classmethod
    def of(cls, scheduling: Scheduling | None) -> "DueTimes | None":
        """Return the due times of a schedule; `None` if they are not all known, or not as documented."""
        if scheduling is None or scheduling.interval not in list(ScheduleInterval):
            return None
        is_hourly = scheduling.interval == ScheduleInterval.HOURLY
        days: Iterable[int] = scheduling.day or () if scheduling.interval == ScheduleInterval.WEEKLY else _DAYS
        hours: Iterable[int] = _HOURS if is_hourly else scheduling.hour or ()
        given = {(day, hour, minute) for day in days for hour in hours for minute in scheduling.minute or ()}
        if not given or any(d not in _DAYS or h not in _HOURS or m not in _MINUTES for d, h, m in given):
            return None
        return cls(tuple(sorted((day * 24 + hour) * 60 + minute for day, hour, minute in given)))

    @property
    def longest_gap(self) -> timedelta:
        """The longest time between two due times."""
        following = (*self.minutes[1:], self.minutes[0] + WEEK // _MINUTE)
        return max(after - before for before, after in zip(self.minutes, following, strict=True)) * _MINUTE

    @property
    def bounds(self) -> list[tuple[timedelta, timedelta] | tuple[None, None]]:
        """For each weekday, how long after midnight the first and the last due time are; `None` if there is none."""
        days = [[minute % 1440 for minute in self.minutes if minute // 1440 == day] for day in _DAYS]
        return [(day[0] * _MINUTE, day[-1] * _MINUTE) if day else (None, None) for day in days]

    def count(self, after: datetime, until: datetime) -> int:
        """Return the number of due times that are later than `after`, and not later than `until`."""
        return max(0, self._count_until(until) - self._count_until(after))

    def first_after(self, time: datetime) -> datetime:
        """Return the first due time that is later than a time."""
        return self._at(self._count_until(time))

    def last_until(self, time: datetime) -> datetime:
        """Return the last due time that is not later than a time."""
        return self._at(self._count_until(time) - 1)

    def _at(self, number: int) -> datetime:
        weeks, index = divmod(number, len(self.minutes))
        return _MONDAY + weeks * WEEK + self.minutes[index] * _MINUTE

    def _count_until(self, time: datetime) -> int:
        """Return the number of due times from the first Monday to a time, which is negative before it."""
        weeks, rest = divmod(time - _MONDAY, WEEK)
        return weeks * len(self.minutes) + bisect_right(self.minutes, rest / _MINUTE)
