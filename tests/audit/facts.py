"""Facts of one addon, for the tests of the rules."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from northflank_async.audit.policy import Policy
from northflank_async.audit.rules import Case, Verdict, judge
from northflank_async.inventory.facts import AddonFacts, BackupFact, CopyFact, Known, RestoreFact
from northflank_async.records import BackupSchedule, Scheduling

NOW = datetime(2026, 11, 4, 12, 0, tzinfo=UTC)
"""A Wednesday."""
SYNC = "northflank-async export inventory.db --restores --schedules"
INVENTORY = ("--inventory", "inventory.db")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def ago(span: timedelta) -> datetime:
    return NOW - span


def backup(age: timedelta | None, status: str | None = "completed", **fields: Any) -> BackupFact:
    """A backup created that long ago, which took a minute."""
    created_at = None if age is None else ago(age)
    ended = status in ("completed", "failed", "aborted", "not-supported") and created_at is not None
    given = {"id": f"b-{age}", "source_type": "snapshot", "size": 100, **fields}
    given.setdefault("completed_at", created_at + timedelta(minutes=1) if ended and created_at else None)
    return BackupFact(status=status, created_at=created_at, **given)


def dump(age: timedelta | None, size: int | None = 100, **fields: Any) -> BackupFact:
    return backup(age, **{"size": size, "source_type": "liveInstance", "compression_type": "gz", **fields})


def copy(age: timedelta, source_type: str | None = "liveInstance", destination: str = "s3://offsite") -> CopyFact:
    """A copy of a dump created that long ago."""
    return CopyFact(ago(age), source_type, destination)


def restore(age: timedelta | None, status: str | None = "completed", **fields: Any) -> RestoreFact:
    started_at = None if age is None else ago(age)
    return RestoreFact(**{"id": f"r-{age}", "backup_id": "b", "status": status, "started_at": started_at, **fields})


def schedule(interval: str = "daily", **fields: Any) -> BackupSchedule:
    """A schedule that has been there for a year; by default a daily snapshot at 02:00."""
    times = {"minute": (0,), "hour": (2,), "day": (0,)}
    given = {name: fields.pop(name, default) for name, default in times.items()}
    created_at = ago(365 * DAY)
    return BackupSchedule(
        **{
            "id": "s",
            "backup_type": "snapshot",
            "scheduling": Scheduling(interval=interval, **given),
            "retention_time": 7,
            "created_at": created_at,
            "updated_at": fields.get("created_at", created_at),
            **fields,
        }
    )


def addon(
    backups: Iterable[BackupFact] = (),
    *,
    schedules: Iterable[BackupSchedule] | None = (),
    restores: Iterable[RestoreFact] | None = (),
    read_at: datetime | None = NOW,
    gap: str | None = None,
    **fields: Any,
) -> AddonFacts:
    """An addon whose listings were read just now; `None` was never read."""
    given: dict[str, Any] = {
        "account_id": "acme",
        "project_id": "billing",
        "addon_id": "billing-db",
        "addon_type": "mysql",
    }
    if schedules is not None:
        given["schedules"] = Known(items=tuple(schedules), read_at=read_at)
    if restores is not None:
        given["restores"] = Known(items=tuple(restores), read_at=read_at)
    backups_known = Known(items=tuple(backups), read_at=read_at, gap=gap)
    return AddonFacts(**{**given, "backups": backups_known, "status": "running", **fields})


def verdicts(facts: AddonFacts, policy: str = "", now: datetime = NOW) -> dict[str, Verdict]:
    """The verdicts of all rules, by name."""
    return dict(judge(Case(facts=facts, rules=Policy.parse(policy).rules, now=now, sync=SYNC, inventory=INVENTORY)))


def outcome(rule: str, facts: AddonFacts, policy: str = "", now: datetime = NOW) -> str | None:
    """The severity of a rule's finding, `unknown`, or `None` if the addon passes."""
    verdict = verdicts(facts, policy, now).get(rule)
    if verdict is None:
        return None
    return "unknown" if verdict.is_unknown else str(verdict.severity)
