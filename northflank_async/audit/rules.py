"""The rules: pure functions from what is known of an addon to verdicts. What could not be checked never passes.

A rule returns `None` if the addon passes it for certain. Otherwise its verdict is a finding, or unknown if data are
missing that could change the result. Backups are judged as of the time when they were read, not of now: what has
happened since then, the inventory cannot know. `stale-data` limits how long ago that may be.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from statistics import median
from typing import Any, TypeAlias

from attrs import field, frozen

from northflank_async.audit import fixes
from northflank_async.audit.due_times import WEEK, DueTimes
from northflank_async.audit.policy import Level, Rules, Severity, worst_level
from northflank_async.inventory.facts import AddonFacts, BackupFact, CopyFact, Known, RestoreFact
from northflank_async.records import AddonStatus, BackupSchedule, BackupType, RunStatus, ScheduleInterval, SourceType

OPEN = (RunStatus.SCHEDULED, RunStatus.IN_PROGRESS, RunStatus.ABORTING)
FAILED = (RunStatus.FAILED, RunStatus.NOT_SUPPORTED)
_SKIPPED = (AddonStatus.PAUSED, AddonStatus.DELETING, AddonStatus.DELETED)
IMPORTED = (SourceType.FILE_UPLOAD, SourceType.EXTERNAL_DUMP, SourceType.GLOBAL)
"""Sources of backups that hold other data than the addon's."""
_OWN_DUMPS = (SourceType.LIVE_INSTANCE, SourceType.SAME_ADDON)
"""Sources of dumps that hold the addon's own data."""
_DRILLED = ("postgresql", "mongodb", "mysql")
"""Types of addons whose backups can be restored into another addon. The API may allow more, which a drill asks it."""
EARLY = timedelta(minutes=1)
"""How long before its due time a scheduled backup may be created: clocks differ."""
_MANY = 2
"""Missed due times that are critical."""
_LONGEST_RESTORE = timedelta(days=1)
_OUTCOMES: Mapping[str | None, str] = {
    RunStatus.FAILED: "failed",
    RunStatus.ABORTED: "was aborted",
    RunStatus.NOT_SUPPORTED: "was not supported",
}
"""What happened to a restore that ended without completing."""
_DAY = timedelta(days=1)


@frozen(kw_only=True)
class Verdict:
    """What a rule says of an addon that does not pass it for certain.

    Args:
        severity: of a rule that is unknown, the highest it can have.
        message: a sentence without a full stop.
        evidence: the times, sizes and counts it follows from.
        since: when it was true first; `None` if the data cannot show it.
        fix: the command that fixes it, or shows how; `None` if there is none.
        is_unknown: data are missing that could change the result.
    """

    severity: Severity
    message: str
    evidence: Mapping[str, Any] = field(factory=dict)
    since: datetime | None = None
    fix: str | None = None
    is_unknown: bool = False


@frozen(kw_only=True, eq=False)
class Case:
    """One addon before its judge.

    Args:
        facts: what is known of it.
        rules: the policy's settings for it.
        now: the present time.
        sync: the command that brings the inventory up to date; `None` if it is not stored.
        inventory: the options of `mirror` and `drill` that name the inventory; none if it is not stored.
    """

    facts: AddonFacts
    rules: Rules
    now: datetime
    sync: str | None = None
    inventory: tuple[str, ...] = ()

    def as_of(self, known: Known[Any]) -> datetime:
        """Return the time for which a listing can be judged."""
        return self.now if known.read_at is None else min(known.read_at, self.now)

    @cached_property
    def backups(self) -> list[BackupFact]:
        """The backups, newest first; those without a creation time come last."""
        return sorted(self.facts.backups.items, key=_newest_first)

    @cached_property
    def completed(self) -> list[BackupFact]:
        """The completed backups, newest first; those without a creation time come last."""
        return [backup for backup in self.backups if backup.status == RunStatus.COMPLETED]

    @cached_property
    def odd(self) -> list[BackupFact]:
        """The backups whose status is missing, or a word that is not documented."""
        return [backup for backup in self.backups if backup.status not in _STATUSES]

    @cached_property
    def median_duration(self) -> timedelta | None:
        """The median duration of the completed backups; `None` if there are none."""
        durations = [
            (backup.completed_at - backup.created_at).total_seconds()
            for backup in self.completed
            if backup.completed_at is not None and backup.created_at is not None
        ]
        return timedelta(seconds=median(durations)) if durations else None

    @cached_property
    def knows_all_durations(self) -> bool:
        """Whether no duration is missing from the median."""
        is_whole = self.facts.backups.gap is None and not self.odd
        return is_whole and all(backup.completed_at and backup.created_at for backup in self.completed)

    def ago(self, time: datetime | None) -> str:
        """Say how long ago a time was; empty if that is not known, or if clocks differ."""
        return "" if time is None or time > self.now else f"{_span(self.now - time)} ago"

    def age_gap(self, known: Known[Any]) -> str | None:
        """Return why a listing lacks data: it has a gap, or is too old while the backups are not."""
        max_age = self.rules.stale_data.max_age
        read_at, backups_read_at = known.read_at, self.facts.backups.read_at
        if known.gap is not None or read_at is None or self.rules.stale_data.severity is None:
            return known.gap
        oldest = self.now - max_age
        if read_at < oldest and not (backups_read_at is not None and backups_read_at < oldest):
            return f"they were last read at {format_time(read_at)}"
        return None

    def unknown(self, rule: str, why: str, **evidence: Any) -> Verdict | None:
        """Return the verdict of a rule that lacks data."""
        return self.unknown_at(worst_level(self.rules[rule]), why, **evidence)

    def unknown_at(self, level: Level, why: str, **evidence: Any) -> Verdict | None:
        """Return the verdict of a rule that lacks data, but can only have found that level, or a lower one."""
        return self._verdict(level, f"it could not be checked: {why}", evidence, is_unknown=True)

    def finding(
        self, level: Level, message: str, *, since: datetime | None = None, fix: str | None = None, **evidence: Any
    ) -> Verdict | None:
        """Return the verdict of a rule that has found something; `None` if that level is off."""
        return self._verdict(level, message, evidence, since=since, fix=fix)

    def _verdict(self, level: Level, message: str, evidence: Mapping[str, Any], **details: Any) -> Verdict | None:
        if level is None:
            return None
        if details.get("is_unknown"):
            details["fix"] = self.sync
        return Verdict(severity=level, message=message, evidence=evidence, **details)


Rule: TypeAlias = Callable[[Case], Verdict | None]


def is_skipped(facts: AddonFacts) -> bool:
    """Whether an addon is not judged: it was deleted, or is paused."""
    return facts.is_deleted or facts.status in _SKIPPED


def judge(case: Case) -> list[tuple[str, Verdict]]:
    """Return the verdicts of all rules that an addon does not pass, by the name of the rule."""
    if is_skipped(case.facts):
        return []
    judges: Mapping[str, Rule] = {"unreadable": unreadable} if case.facts.unreadable is not None else _JUDGES
    found = ((rule, check(case)) for rule, check in judges.items() if worst_level(case.rules[rule]) is not None)
    return [(rule, verdict) for rule, verdict in found if verdict is not None]


def unreadable(case: Case) -> Verdict | None:
    """Judge an addon that could not be read."""
    if case.facts.unreadable is None:
        return None
    return case.finding(
        case.rules.unreadable.severity,
        f"it could not be read: {case.facts.unreadable}",
        fix=fixes.show_backups(case.facts),
        error=case.facts.unreadable,
        last_read_at=case.facts.backups.read_at,
    )


def stale_data(case: Case) -> Verdict | None:
    """Judge how old the data are."""
    rule, read_at = case.rules.stale_data, case.facts.backups.read_at
    if read_at is None:
        return case.unknown("stale-data", "its backups were never read to the end")
    age = case.now - read_at
    if age <= rule.max_age:
        return None
    return case.finding(
        rule.severity,
        f"its backups were last read {_span(age)} ago, and the other rules are judged as of then",
        since=read_at + rule.max_age,
        fix=case.sync,
        read_at=read_at,
        age_seconds=_seconds(age),
        max_age_seconds=_seconds(rule.max_age),
    )


def no_schedule(case: Case) -> Verdict | None:
    """Judge whether a stateful addon has a backup schedule."""
    rule, schedules = case.rules.no_schedule, case.facts.schedules
    if schedules.items or case.facts.addon_type in rule.stateless:
        return None
    if gap := case.age_gap(schedules):
        return case.unknown("no-schedule", gap)
    return case.finding(
        rule.severity,
        "it has no backup schedule",
        fix=fixes.create_schedule(case.facts, case.rules.retention.at_least),
        schedules=0,
        addon_type=case.facts.addon_type,
        read_at=schedules.read_at,
    )


def no_backup(case: Case) -> Verdict | None:
    """Judge whether there is a completed backup."""
    if case.completed:
        return None
    if why := _why_incomplete(case):
        return case.unknown("no-backup", why, backups=len(case.backups))
    message = "it has no completed backup" if case.backups else "it has no backup"
    return case.finding(
        case.rules.no_backup.severity,
        message,
        fix=fixes.back_up(case.facts),
        backups=len(case.backups),
        completed=0,
        read_at=case.facts.backups.read_at,
    )


def few(case: Case) -> Verdict | None:
    """Judge the number of completed backups."""
    rule, number = case.rules.few, len(case.completed)
    if number >= rule.at_least:
        return None
    if why := _why_incomplete(case):
        return case.unknown("few", why, completed=number)
    message = f"it has {number} completed {'backup' if number == 1 else 'backups'}, fewer than {rule.at_least}"
    return case.finding(rule.severity, message, fix=fixes.back_up(case.facts), completed=number, at_least=rule.at_least)


def failing(case: Case) -> Verdict | None:
    """Judge the last runs, in order of their creation."""
    rule = case.rules.failing
    failed: list[BackupFact] = []
    if any(backup.created_at is None and _can_fail(backup) for backup in case.backups):
        return case.unknown("failing", "a run has no creation time, so that the last run is not known")
    if case.facts.backups.gap is not None:
        return case.unknown("failing", case.facts.backups.gap)
    has_start = True
    for backup in case.backups:
        if backup.status in FAILED:
            failed.append(backup)
        elif backup.status not in _STATUSES:
            if len(failed) < rule.runs:
                return case.unknown("failing", f"the status of {backup.id} is {backup.status!r}", backup=backup.id)
            has_start = False
            break
        elif backup.status == RunStatus.COMPLETED:
            break
    if not failed:
        return None
    is_many = len(failed) >= rule.runs
    level = rule.critical if is_many else rule.warn
    newest, first = failed[0], failed[-1]
    age = case.ago(newest.created_at)
    message = f"its last run failed{age and f', {age}'}"
    if len(failed) > 1:
        message = f"its last {len(failed)} runs failed{age and f', the newest {age}'}"
    is_dump = newest.source_type not in (None, SourceType.SNAPSHOT)
    return case.finding(
        level,
        message,
        since=first.completed_at if has_start else None,
        fix=fixes.show_backup_logs(case.facts, newest.id) if is_dump else fixes.back_up(case.facts),
        failed_in_a_row=len(failed),
        backup=newest.id,
        status=newest.status,
        created_at=newest.created_at,
    )


def stuck(case: Case) -> Verdict | None:
    """Judge the runs that have not ended."""
    rule, as_of = case.rules.stuck, case.as_of(case.facts.backups)
    usual = case.median_duration
    limit = rule.min_age if usual is None else max(rule.min_age, usual * rule.factor)
    open_runs = [backup for backup in case.backups if backup.status in OPEN]
    old = [backup for backup in open_runs if backup.created_at is not None and as_of - backup.created_at > limit]
    if old:
        oldest = old[-1]
        assert oldest.created_at is not None
        age = as_of - oldest.created_at
        return case.finding(
            rule.severity,
            f"backup {oldest.id} has been {_words(oldest.status)} for {_span(age)}; the limit is {_span(limit)}",
            since=oldest.created_at + limit,
            fix=fixes.abort_backup(case.facts, oldest.id),
            backup=oldest.id,
            status=oldest.status,
            created_at=oldest.created_at,
            stuck_runs=len(old),
            limit_seconds=_seconds(limit),
            median_duration_seconds=None if usual is None else _seconds(usual),
        )
    if case.facts.backups.gap is not None:
        return case.unknown("stuck", case.facts.backups.gap)
    for backup in case.backups:
        may_be_open = backup.status in OPEN or (backup.status not in _STATUSES and backup.completed_at is None)
        if not may_be_open:
            continue
        if backup.created_at is None:
            return case.unknown("stuck", f"{backup.id} has no creation time", backup=backup.id)
        if as_of - backup.created_at > rule.min_age and (backup.status not in OPEN or not case.knows_all_durations):
            why = "the usual duration is not known" if backup.status in OPEN else f"its status is {backup.status!r}"
            return case.unknown("stuck", f"{backup.id} may be stuck: {why}", backup=backup.id)
    return None


def size(case: Case) -> Verdict | None:
    """Judge the size of the newest dump by the median of those before it."""
    rule, backups = case.rules.size, case.facts.backups
    if backups.gap is not None:
        return case.unknown("size", backups.gap)
    may_be_dumps = [
        backup
        for backup in case.backups
        if backup.status not in (*OPEN, *FAILED, RunStatus.ABORTED)
        and backup.source_type != SourceType.SNAPSHOT
        and backup.source_type not in IMPORTED
    ]
    if not may_be_dumps:
        return None
    odd = [backup for backup in may_be_dumps if not _is_certain(backup)]
    dumps = [backup for backup in may_be_dumps if _is_certain(backup)]
    if not dumps:
        return case.unknown("size", f"the status, type or creation time of {odd[0].id} is missing", backup=odd[0].id)
    newest, *others = dumps
    evidence: dict[str, Any] = {"backup": newest.id, "created_at": newest.created_at, "size_bytes": newest.size}
    if newest.size == 0:
        return case.finding(
            rule.critical,
            f"its newest dump, {newest.id}, has zero bytes",
            since=newest.completed_at,
            fix=fixes.back_up(case.facts, BackupType.DUMP),
            **evidence,
        )
    before = [backup for backup in others if backup.size != 0][: rule.last]
    window = [newest, *before]
    is_full = len(before) == rule.last
    if any(not is_full or _is_newer(backup, window[-1]) for backup in odd):
        return case.unknown("size", "the status, type or creation time of a dump is missing", **evidence)
    if newest.size is None or any(backup.size is None for backup in before):
        return case.unknown("size", "the size of a dump is missing", **evidence)
    if not before:
        return None
    usual = median(backup.size or 0 for backup in before)
    if usual * rule.under <= newest.size <= usual * rule.over:
        return None
    return case.finding(
        rule.warn,
        f"its newest dump has {newest.size:,} bytes, {newest.size / usual:.2f} times the median of the"
        f" {len(before)} before it",
        since=newest.completed_at,
        fix=fixes.show_backup_logs(case.facts, newest.id),
        median_bytes=usual,
        dumps=len(before),
        compression_type=newest.compression_type,
        **evidence,
    )


def retention(case: Case) -> Verdict | None:
    """Judge how long the schedules keep their backups."""
    rule, schedules = case.rules.retention, case.facts.schedules
    known = [schedule for schedule in schedules.items if schedule.retention_time is not None]
    short = [schedule for schedule in known if _kept(schedule) < rule.at_least]
    if short:
        worst = min(short, key=_kept)
        was_changed = worst.updated_at is not None and worst.updated_at != worst.created_at
        return case.finding(
            rule.severity,
            f"its {_describe_schedule(worst)} keeps backups for {_days(_kept(worst).days)}, less than"
            f" {_span(rule.at_least)}",
            since=None if was_changed else worst.created_at,
            fix=fixes.replace_schedules(case.facts, short, rule.at_least),
            schedule=worst.id,
            retention_days=worst.retention_time,
            at_least_days=rule.at_least / _DAY,
            schedules=len(schedules.items),
            short_schedules=len(short),
        )
    if gap := case.age_gap(schedules):
        return case.unknown("retention", gap)
    if len(known) < len(schedules.items):
        return case.unknown("retention", "a schedule does not say for how long it keeps its backups")
    return None


def untested(case: Case) -> Verdict | None:
    """Judge how long ago a restore completed, or a drill passed."""
    rule, restores = case.rules.untested, case.facts.restores
    as_of = case.as_of(restores)
    completed = [restore for restore in restores.items if restore.status == RunStatus.COMPLETED]
    times = [time for restore in completed if (time := restore.completed_at or restore.started_at) is not None]
    if case.facts.drilled_at is not None:
        times.append(case.facts.drilled_at)
    last = max(times, default=None)
    gap = case.age_gap(restores)
    if last is not None and (case.now if gap else as_of) - last <= rule.max_age:
        return None
    if gap:
        return case.unknown("untested", gap)
    for restore in restores.items:
        time = restore.completed_at or restore.started_at
        may_count = restore.status == RunStatus.COMPLETED or restore.status not in _STATUSES
        if may_count and (time is None or as_of - time <= rule.max_age):
            return case.unknown("untested", f"the status or the time of restore {restore.id} is missing")
    message = "no restore of its backups has ever completed, and no drill has passed"
    if last is not None:
        message = f"the last completed restore or passed drill of its backups was {_span(as_of - last)} ago"
    return case.finding(
        rule.severity,
        message,
        since=None if last is None else last + rule.max_age,
        fix=_fix_untested(case),
        restores=len(restores.items),
        completed=len(completed),
        last_completed_at=last,
        max_age_seconds=_seconds(rule.max_age),
    )


def _fix_untested(case: Case) -> str:
    """Drill the newest backup, if it can be restored into another addon; otherwise, download a dump to restore it
    elsewhere, or make one if there is none."""
    for backup in case.completed:
        is_dump = backup.source_type in _OWN_DUMPS
        if case.facts.addon_type in _DRILLED and (is_dump or backup.source_type == SourceType.SNAPSHOT):
            return fixes.drill(case.facts, backup.id, case.inventory)
        if is_dump:
            return fixes.download_backup(case.facts, backup.id)
    return fixes.back_up(case.facts, BackupType.DUMP)


def restore_failed(case: Case) -> Verdict | None:
    """Judge the last restore that has ended, or should have."""
    restores, as_of = case.facts.restores, case.as_of(case.facts.restores)
    if gap := case.age_gap(restores):
        return case.unknown("restore-failed", gap)
    for restore in sorted(restores.items, key=_last_restore_first):
        if restore.started_at is None:
            return case.unknown("restore-failed", f"restore {restore.id} has no time", restore=restore.id)
        if restore.status not in _STATUSES:
            why = f"the status of restore {restore.id} is {restore.status!r}"
            return case.unknown("restore-failed", why, restore=restore.id)
        if restore.status == RunStatus.COMPLETED:
            return None
        is_open = restore.status in OPEN
        if is_open and as_of - restore.started_at <= _LONGEST_RESTORE:
            continue
        return _judge_failed_restore(case, restore, is_open=is_open)
    return None


def _judge_failed_restore(case: Case, restore: RestoreFact, *, is_open: bool) -> Verdict | None:
    since = restore.completed_at
    message = f"its last restore {_OUTCOMES.get(restore.status, 'has not ended')}"
    if began := case.ago(restore.started_at):
        message += f"; it began {began}"
    if is_open and restore.started_at is not None:
        since = restore.started_at + _LONGEST_RESTORE
    backup_id = restore.backup_id
    return case.finding(
        case.rules.restore_failed.severity,
        message,
        since=since,
        fix=fixes.show_restores(case.facts)
        if backup_id is None
        else fixes.show_restore_logs(case.facts, backup_id, restore.id),
        restore=restore.id,
        backup=backup_id,
        status=restore.status,
        started_at=restore.started_at,
    )


def no_offsite(case: Case) -> Verdict | None:
    """Judge whether backups are stored at another destination, too, or were copied by a mirror."""
    schedules = case.facts.schedules
    newest = [
        next((backup for backup in case.completed if kind_of(backup) == kind), None)
        for kind in (BackupType.SNAPSHOT, BackupType.DUMP)
    ]
    has_offsite = any(
        schedule.custom_destination_id or schedule.additional_destinations for schedule in schedules.items
    )
    if has_offsite:
        return None
    if why := _why_incomplete(case):
        return case.unknown("no-offsite", why)
    if not all(_is_certain(backup) for backup in case.completed):
        return case.unknown("no-offsite", "the type or creation time of a backup is missing")
    if any(backup and (backup.custom_destination_id or backup.has_additional_destinations) for backup in newest):
        return None
    rule = case.rules.no_offsite
    last = max((backup.created_at for backup in newest if backup and backup.created_at), default=case.now)
    recent = [copy for copy in case.facts.copies if last - copy.created_at <= rule.max_lag]
    if any(copy.source_type in _OWN_DUMPS for copy in recent):
        return None
    if any(copy.source_type not in IMPORTED for copy in recent):
        return case.unknown("no-offsite", "it is not known which data the newest copied dump holds")
    if gap := case.age_gap(schedules):
        return case.unknown("no-offsite", gap)
    copy = _newest_copy(case)
    copied = "no mirror has recorded a copy of its dumps"
    if copy is not None:
        copied = f"its newest copied dump is {_span(last - copy.created_at)} older than its newest backup"
    return case.finding(
        rule.severity,
        f"no schedule, and no newest backup, has an additional or custom destination, and {copied}",
        since=None if copy is None else copy.created_at + rule.max_lag,
        fix=_fix_no_offsite(case, copy),
        schedules=len(schedules.items),
        backups=[backup.id for backup in newest if backup],
        copied_dump_created_at=copy and copy.created_at,
        copied_to=copy and copy.destination,
        max_lag_seconds=_seconds(rule.max_lag),
    )


def _newest_copy(case: Case) -> CopyFact | None:
    """Return the newest copy of the addon's own data."""
    own = (copy for copy in case.facts.copies if copy.source_type in _OWN_DUMPS)
    return max(own, key=lambda copy: copy.created_at, default=None)


def _fix_no_offsite(case: Case, copy: CopyFact | None) -> str:
    """Mirror the newest dump, if that helps; otherwise, show what a schedule needs for another destination."""
    dump = next((backup for backup in case.completed if backup.source_type in _OWN_DUMPS), None)
    last = case.completed[0] if case.completed else None
    is_recent = (
        dump is not None
        and last is not None
        and dump.created_at is not None
        and last.created_at is not None
        and last.created_at - dump.created_at <= case.rules.no_offsite.max_lag
    )
    if not case.inventory or not is_recent:
        return fixes.show_destinations(case.facts)
    return fixes.mirror(case.facts, case.inventory, None if copy is None else copy.destination)


# Staleness


@frozen(kw_only=True)
class _Missed:
    """How many due times were missed, and when the first one was; `None` if the data cannot show it."""

    number: int
    since: datetime | None = None


_NEVER = _Missed(number=_MANY)


def stale(case: Case) -> Verdict | None:
    """Judge the newest completed backup of the type of each schedule by its due times."""
    schedules = case.facts.schedules
    if not case.completed:  # then `no-backup` is found
        why = _why_incomplete(case)
        return case.unknown("stale", why) if why else None
    if not schedules.items:
        gap = case.age_gap(schedules)
        return case.unknown("stale", gap) if gap else _judge_by_age(case)
    found = [_judge_schedule(case, schedule) for schedule in schedules.items]
    found.append(_judge_before(case))
    if gap := case.age_gap(schedules):
        found.append(case.unknown("stale", gap))
    return max(
        (verdict for verdict in found if verdict is not None),
        key=lambda verdict: (verdict.severity.rank, not verdict.is_unknown),
        default=None,
    )


def _judge_by_age(case: Case) -> Verdict | None:
    max_age, as_of = case.rules.stale.max_age, case.as_of(case.facts.backups)

    def count(newest: datetime | None) -> _Missed:
        if newest is None:
            return _NEVER
        age = as_of - newest
        return _Missed(number=(age > max_age) + (age > 2 * max_age), since=newest + max_age)

    why = f"of the policy (every {_span(max_age)} without a schedule)"
    return _judge_newest(case, None, count, why, max_age_seconds=_seconds(max_age))


def _judge_schedule(case: Case, schedule: BackupSchedule) -> Verdict | None:
    described = _describe_schedule(schedule)
    due = DueTimes.of(schedule.scheduling)
    if due is None:
        return case.unknown("stale", "the due times of a schedule are not as documented", schedule=schedule.id)
    as_of, grace = case.as_of(case.facts.backups), grace_of(case)

    def count(newest: datetime | None) -> _Missed:
        return _count_missed(schedule, due, newest, as_of, grace)

    return _judge_newest(
        case,
        schedule.backup_type,
        count,
        f"of its {described}",
        schedule=schedule.id,
        backup_type=schedule.backup_type,
        scheduling=described,
        matched_by="type and time",
        schedule_created_at=schedule.created_at,
        schedule_updated_at=schedule.updated_at,
        tolerance_seconds=_seconds(grace),
    )


def _judge_before(case: Case) -> Verdict | None:
    """Judge the time before the first schedule was created: all of it counts as weekly, the longest interval there is.

    Otherwise, deleting and creating a schedule again would hide that its backups are missing.
    """
    created = [schedule.created_at for schedule in case.facts.schedules.items]
    known = [time for time in created if time is not None]
    if len(known) < len(created):  # a schedule that has always been there is judged by its due times
        return None
    first, grace = min(known), grace_of(case)

    def count(newest: datetime | None) -> _Missed:
        return _NEVER if newest is None else _Missed(number=_weeks(newest, first, grace), since=newest + WEEK + grace)

    return _judge_newest(case, None, count, "(weekly) before its first schedule", first_schedule_created_at=first)


def _count_missed(
    schedule: BackupSchedule, due: DueTimes, newest: datetime | None, as_of: datetime, grace: timedelta
) -> _Missed:
    """Count the due times since the newest backup that should have led to a newer one.

    A schedule has had its due times since it was updated. What they were between its creation and that is not known:
    this time counts as weekly.
    """
    updated_at = schedule.updated_at or schedule.created_at
    start = max((time for time in (newest, schedule.created_at) if time is not None), default=None)
    if start is None and updated_at is None:
        return _NEVER
    weeks = 0 if updated_at is None else _MANY if start is None else _weeks(start, updated_at, grace)
    early = None if newest is None else newest + EARLY
    after = max(time for time in (early, schedule.created_at, updated_at) if time is not None)
    since = None if start is None else start + WEEK + grace
    if not weeks:
        since = due.first_after(after) + grace
    return _Missed(number=weeks + due.count(after, as_of - grace), since=since)


def _weeks(start: datetime, end: datetime, grace: timedelta) -> int:
    """Count the weekly due times that were missed between two times."""
    return max(timedelta(), end - start - grace) // WEEK


def grace_of(case: Case) -> timedelta:
    """How long a backup may take after its due time."""
    tolerance, usual = case.rules.stale.tolerance, case.median_duration
    return tolerance if usual is None or not case.knows_all_durations else max(tolerance, 2 * usual)


def _judge_newest(
    case: Case, wanted: str | None, count: Callable[[datetime | None], _Missed], why: str, **evidence: Any
) -> Verdict | None:
    """Judge the newest completed backup of a type, or of both; imported ones do not count.

    Backups whose type or status is missing may count: only if they would not help is the finding certain.
    """
    is_any = wanted not in list(BackupType)
    certain: list[BackupFact] = []
    possible: list[BackupFact] = []
    for backup in case.backups:
        kind = kind_of(backup)
        if backup.status in _STATUSES and backup.status != RunStatus.COMPLETED:
            continue
        if backup.source_type in IMPORTED or not (is_any or kind in (None, wanted)):
            continue
        (certain if _is_certain(backup) else possible).append(backup)
    newest = certain[0] if certain else None
    missed = count(newest.created_at if newest else None)
    if missed.number < _MANY and _is_odd(evidence):
        return case.unknown("stale", "the type of a schedule is missing", **evidence)
    if not missed.number:
        return None
    rule, as_of = case.rules.stale, case.as_of(case.facts.backups)
    level = rule.warn if missed.number < _MANY else rule.critical
    if case.facts.backups.gap is not None:
        return case.unknown_at(level, case.facts.backups.gap, **evidence)
    if possible:  # they can only help
        times = [backup.created_at for backup in (*certain[:1], *possible) if backup.created_at is not None]
        least = count(max(times, default=None))
        is_same = (least.number >= _MANY) == (missed.number >= _MANY)
        if not least.number or not is_same or any(backup.created_at is None for backup in possible):
            why_not = f"the status, type or creation time of {possible[0].id} is missing"
            return case.unknown_at(level, why_not, **evidence)
    kind_name = "backup" if is_any else wanted
    message = f"there is no completed {kind_name} of its own data"
    if newest is not None and newest.created_at is not None:
        message = f"its newest completed {kind_name} is {_span(as_of - newest.created_at)} old"
    times_missed = "one due time" if missed.number == 1 else f"{missed.number} due times"
    return case.finding(
        level,
        f"{message}: it missed {times_missed} {why}",
        since=missed.since,
        fix=fixes.back_up(case.facts, wanted),
        missed=missed.number,
        backup=newest and newest.id,
        created_at=newest and newest.created_at,
        as_of=as_of,
        **evidence,
    )


def _is_odd(evidence: Mapping[str, Any]) -> bool:
    """Whether the evidence is of a schedule without a known type: a backup of the other type may have passed it."""
    return "backup_type" in evidence and evidence["backup_type"] not in list(BackupType)


def expected_interval(case: Case) -> timedelta | None:
    """Return the longest time between two backups that an addon's most frequent schedule allows; else, if it has no
    schedule, the policy's; `None` if it is not known."""
    if case.facts.schedules.items:
        known = [due.longest_gap for each in case.facts.schedules.items if (due := DueTimes.of(each.scheduling))]
        return min(known, default=None)
    return None if case.facts.schedules.gap else case.rules.stale.max_age


# Shared


_STATUSES = frozenset(RunStatus)

_JUDGES: Mapping[str, Rule] = {
    "stale-data": stale_data,
    "no-schedule": no_schedule,
    "no-backup": no_backup,
    "stale": stale,
    "failing": failing,
    "stuck": stuck,
    "size": size,
    "retention": retention,
    "few": few,
    "untested": untested,
    "no-offsite": no_offsite,
    "restore-failed": restore_failed,
}


def _why_incomplete(case: Case) -> str | None:
    """Return why there may be a completed backup that is not known to be one."""
    if case.facts.backups.gap is not None:
        return case.facts.backups.gap
    if case.odd:
        return f"the status of {case.odd[0].id} is {case.odd[0].status!r}"
    return None


def _can_fail(backup: BackupFact) -> bool:
    """Whether the place of a run among the others matters."""
    return backup.status not in (*OPEN, RunStatus.ABORTED)


def kind_of(backup: BackupFact) -> BackupType | None:
    """Return the type of a backup; `None` if it is not known."""
    if backup.source_type is None:
        return None
    return BackupType.SNAPSHOT if backup.source_type == SourceType.SNAPSHOT else BackupType.DUMP


def _is_certain(backup: BackupFact) -> bool:
    """Whether a backup is completed, and its type and its place among the others are known."""
    return backup.status == RunStatus.COMPLETED and backup.source_type is not None and backup.created_at is not None


def _is_newer(backup: BackupFact, other: BackupFact) -> bool:
    """Whether a backup may be newer than another one."""
    return backup.created_at is None or other.created_at is None or backup.created_at >= other.created_at


def _kept(schedule: BackupSchedule) -> timedelta:
    return timedelta(days=min(schedule.retention_time or 0, 10**6))


def _newest_first(backup: BackupFact) -> tuple[bool, float, str]:
    return _descending(backup.created_at, backup.id)


def _last_restore_first(restore: RestoreFact) -> tuple[bool, float, str]:
    missing, place, restore_id = _descending(restore.started_at, restore.id)
    return not missing, place, restore_id  # a restore without a time may be the last


def _descending(time: datetime | None, item_id: str) -> tuple[bool, float, str]:
    return time is None, 0.0 if time is None else -time.timestamp(), item_id


def _describe_schedule(schedule: BackupSchedule) -> str:
    """Describe a schedule in words: `weekly dump schedule (Fri 18:30 UTC)`."""
    scheduling, kind = schedule.scheduling, f" {schedule.backup_type}" if schedule.backup_type else ""
    if scheduling is None or not scheduling.minute:
        interval = f" {scheduling.interval}" if scheduling else ""
        return f"{interval}{kind} schedule of unknown times".lstrip()
    minutes = "/".join(f"{minute:02}" for minute in scheduling.minute)
    hours = "/".join(f"{hour:02}" for hour in scheduling.hour or ())
    times = f":{minutes}" if scheduling.interval == ScheduleInterval.HOURLY else f"{hours}:{minutes}"
    if scheduling.interval == ScheduleInterval.WEEKLY:
        times = f"{'/'.join(_names(scheduling.day))} {times}"
    return f"{scheduling.interval}{kind} schedule ({times} UTC)"


def _words(status: str | None) -> str:
    return (status or "").replace("-", " ")


def _names(days: Iterable[int] | None) -> list[str]:
    names = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    return [names[day] if 0 <= day < len(names) else str(day) for day in days or ()]


def _seconds(span: timedelta) -> float:
    return span.total_seconds()


def _span(span: timedelta) -> str:
    """Format a time span in its largest unit: `3 days`, `26 h`, `5 min`."""
    if span >= 2 * _DAY or (span >= _DAY and not span % _DAY):
        return _days(span // _DAY)
    hours, minutes = divmod(int(span.total_seconds()) // 60, 60)
    return (f"{hours} h" if not minutes else f"{hours} h {minutes} min") if hours else f"{minutes} min"


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number:,} days"


def format_time(time: datetime) -> str:
    """Format a time for people."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
