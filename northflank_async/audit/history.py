"""What happened to an addon's backups on each day: small enough to be kept for every addon of an inventory."""

from array import array
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from attrs import field, frozen

from northflank_async.audit.due_times import DueTimes
from northflank_async.audit.rules import EARLY, FAILED, IMPORTED, OPEN, Case, grace_of, is_skipped, kind_of
from northflank_async.inventory.facts import BackupFact, RestoreFact
from northflank_async.records import BackupSchedule, BackupType, RunStatus

DAYS = 90
"""Days of a history, the day of the audit included."""
MOST_RESTORES = 10
"""Restores of a history: the newest."""
_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)


class Day(StrEnum):
    """What is known of an addon's backups on a day in UTC. Each is a letter, so that a history is a short text.

    `PARTIAL`: a backup completed, and another one failed or was missed. `EXPIRED`: a backup was due, and would have
    expired by now. `UNKNOWN`: the backups of that day were not read, or their status is not known.
    """

    COMPLETED = "c"
    PARTIAL = "p"
    FAILED = "f"
    MISSED = "m"
    RUNNING = "r"
    EXPIRED = "x"
    NOTHING = "-"
    UNKNOWN = "u"


@frozen(kw_only=True)
class History:
    """The last `DAYS` days of an addon.

    Args:
        start: the first day, in UTC.
        days: the letter of each day: see `Day`.
        dump_days, dump_sizes: the last completed dump of each day: the number of the day, and its size in bytes.
        restores: the newest restores, the last one first.
        restore_count: the number of restores in all.
        restores_gap: why restores may be missing; `None` if none are.
    """

    start: date
    days: str = "-" * DAYS
    dump_days: Sequence[int] = field(default=(), repr=False)
    dump_sizes: Sequence[int] = field(default=(), repr=False)
    restores: tuple[RestoreFact, ...] = field(default=(), repr=False)
    restore_count: int = 0
    restores_gap: str | None = None

    def dates(self, day: Day) -> list[date]:
        """Return the days that have this letter."""
        return [self.start + number * _DAY for number, letter in enumerate(self.days) if letter == day]


def read_history(case: Case) -> History:
    """Sum up the last days of an addon."""
    start = case.now.astimezone(UTC).date() - (DAYS - 1) * _DAY
    first = start.toordinal()
    found: list[set[Day]] = [set() for _ in range(DAYS)]
    created: Mapping[BackupType, list[datetime]] = {kind: [] for kind in BackupType}
    sizes: dict[int, int] = {}
    for backup in case.backups:
        if backup.created_at is None:  # these come last
            break
        number = _ordinal(backup.created_at) - first
        if number < -1:  # the backups of the day before may be those of a due time shortly before midnight
            break
        kind = kind_of(backup)
        if backup.status == RunStatus.COMPLETED and backup.source_type not in IMPORTED:
            for each in BackupType if kind is None else (kind,):
                created[each].append(backup.created_at)
        if not 0 <= number < DAYS:
            continue
        found[number].add(_day_of(backup))
        if backup.status == RunStatus.COMPLETED and backup.size is not None and kind is BackupType.DUMP:
            sizes.setdefault(number, backup.size)
    due = {} if is_skipped(case.facts) else _due_days(case, created, start)
    read_at = case.facts.backups.read_at
    last = -1 if read_at is None else _ordinal(min(read_at, case.now)) - first
    is_known = case.facts.backups.gap is None
    days = "".join(
        _sum_up(found[number], due.get(number), is_known=is_known and number <= last) for number in range(DAYS)
    )
    numbers = sorted(sizes)
    restores = sorted(case.facts.restores.items, key=_started_at, reverse=True)
    return History(
        start=start,
        days=days,
        dump_days=array("B", numbers),
        dump_sizes=array("q", (min(sizes[number], 2**63 - 1) for number in numbers)),
        restores=tuple(restores[:MOST_RESTORES]),
        restore_count=len(restores),
        restores_gap=case.facts.restores.gap,
    )


def _day_of(backup: BackupFact) -> Day:
    if backup.status == RunStatus.COMPLETED:
        return Day.COMPLETED
    if backup.status in OPEN:
        return Day.RUNNING
    return Day.FAILED if backup.status in (*FAILED, RunStatus.ABORTED) else Day.UNKNOWN


def _sum_up(found: set[Day], due: Day | None, *, is_known: bool) -> Day:
    """Return the letter of a day from what was found, and what became of its due times."""
    if Day.COMPLETED in found:
        return Day.PARTIAL if Day.FAILED in found or due is Day.MISSED else Day.COMPLETED
    for day in (Day.FAILED, Day.RUNNING, Day.UNKNOWN):
        if day in found:
            return day
    return (due or Day.NOTHING) if is_known else Day.UNKNOWN


def _due_days(case: Case, created: Mapping[BackupType, Sequence[datetime]], start: date) -> dict[int, Day]:
    """Return the days on which a due time was missed, or whose backups would have expired, by their numbers."""
    found: dict[int, Day] = {}
    grace, as_of = grace_of(case), case.as_of(case.facts.backups)
    for schedule in case.facts.schedules.items:
        due = DueTimes.of(schedule.scheduling)
        times = next((sorted(each) for kind, each in created.items() if kind == schedule.backup_type), None)
        if due is None or times is None:
            continue
        known_since, kept_since = _known_since(schedule), _kept_since(schedule, as_of, times)
        midnight = datetime(start.year, start.month, start.day, tzinfo=UTC)
        bounds = due.bounds
        for number in range(DAYS):
            day = midnight + number * _DAY
            begin, end = max(day, known_since or day), min(day + _DAY, as_of - grace)
            if end - begin == _DAY:  # faster than to search for them, which matters for many addons
                earliest, latest = bounds[day.weekday()]
                if earliest is None or latest is None:
                    continue
                first, last = day + earliest, day + latest
            else:
                first, last = due.first_after(begin - _MINUTE), due.last_until(end - _MINUTE)
                if first > last:  # none was due, or may still come
                    continue
            at = bisect_left(times, first - EARLY)
            if at < len(times) and times[at] <= last + grace:
                continue
            is_expired = kept_since is None or day < kept_since
            if found.get(number) is not Day.MISSED:
                found[number] = Day.EXPIRED if is_expired else Day.MISSED
    return found


def _known_since(schedule: BackupSchedule) -> datetime | None:
    """Since when a schedule has had its due times."""
    return max((time for time in (schedule.created_at, schedule.updated_at) if time is not None), default=None)


def _kept_since(schedule: BackupSchedule, as_of: datetime, times: Sequence[datetime]) -> datetime | None:
    """Since when a schedule's backups have not expired; without a retention, since the oldest that there is."""
    if schedule.retention_time:
        return as_of - min(schedule.retention_time, DAYS) * _DAY
    return times[0] if times else None


def _started_at(restore: RestoreFact) -> float:
    return 0.0 if restore.started_at is None else restore.started_at.timestamp()


def _ordinal(time: datetime) -> int:
    return (time if time.tzinfo is UTC else time.astimezone(UTC)).toordinal()
