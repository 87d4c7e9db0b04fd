"""Scenarios: addons whose backups follow their schedules for 90 days, healthy or with one kind of fault each."""

from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache, partial
from typing import TypeAlias

import attrs

from northflank_async.simulator.inventory import (
    DAY,
    EPOCH,
    HOUR,
    MINUTE,
    OPEN,
    SECOND,
    Addon,
    Backup,
    Json,
    Listing,
    Project,
    iso,
    random_bytes,
    scheduling_of,
)

HISTORY = 90 * DAY


@attrs.frozen
class Rhythm:
    """A schedule: its name in the names of backups, its period, the type of its backups, its retention in days."""

    name: str
    period: int
    backup_type: str
    retention: int


DAILY_DUMP = Rhythm("Daily", DAY, "dump", 30)
PROFILES: tuple[tuple[Rhythm, ...], ...] = (
    (DAILY_DUMP,),
    (DAILY_DUMP, Rhythm("Weekly", 7 * DAY, "snapshot", 120)),
    (Rhythm("Daily", DAY, "snapshot", 30), Rhythm("Weekly", 7 * DAY, "dump", 120)),
    (DAILY_DUMP, Rhythm("Six-hourly", 6 * HOUR, "snapshot", 14)),
    (DAILY_DUMP, Rhythm("Hourly", HOUR, "snapshot", 7)),
)
MANUAL = Rhythm("Manual", 9 * DAY, "dump", 30)  # not a schedule


@attrs.define(eq=False)
class Planned:
    """A planned backup."""

    rhythm: Rhythm
    created: int
    took: int
    size: int
    status: str = "completed"

    @property
    def is_dump(self) -> bool:
        """Whether it is a native dump."""
        return self.rhythm.backup_type == "dump"


@attrs.define(eq=False)
class History:
    """What an addon has: its schedules, its backups from the newest on, and its restores, each of another backup."""

    now: int
    rhythms: tuple[Rhythm, ...]
    newest: dict[Rhythm, int]
    created: int
    backups: list[Planned]
    restores: dict[Planned, str]  # the status of each, by backup
    status: str = "running"
    retention: int | None = None  # instead of that of the rhythms
    is_unreadable: bool = False

    def of(self, rhythm: Rhythm) -> list[Planned]:
        """The backups of one rhythm, newest first."""
        return [backup for backup in self.backups if backup.rhythm is rhythm]

    def remove(self, removed: list[Planned]) -> None:
        """Remove backups, and the restores of them."""
        gone = set(removed)
        self.backups = [backup for backup in self.backups if backup not in gone]
        self.restores = {backup: status for backup, status in self.restores.items() if backup not in gone}


Fault: TypeAlias = Callable[[History], None]


def _healthy(history: History) -> None:
    """Nothing is wrong."""


def _stale(history: History) -> None:
    """No backup was made at the last times of each schedule: three of them, or those of four days."""
    for rhythm in history.rhythms:
        history.remove(history.of(rhythm)[: max(3, 4 * DAY // rhythm.period)])


def _failing(history: History) -> None:
    """The last three backups of each schedule failed."""
    for rhythm in history.rhythms:
        for backup in history.of(rhythm)[:3]:
            backup.status = "failed"


def _stuck(history: History) -> None:
    """The newest backup of the daily schedule has been in progress for hours."""
    history.of(history.rhythms[0])[0].status = "in-progress"
    history.status = "backup"


def _shrinking(history: History) -> None:
    """The newest dump is less than a third of the others."""
    newest = next(backup for backup in history.backups if backup.is_dump)
    newest.size = newest.size * 3 // 10


def _empty(history: History) -> None:
    """The newest dump has no bytes."""
    next(backup for backup in history.backups if backup.is_dump).size = 0


def _unscheduled(history: History) -> None:
    """There is no schedule; someone made a dump by hand every nine days, the last one five hours ago."""
    size = next(backup for backup in history.backups if backup.is_dump).size
    history.rhythms = ()
    times = range(history.now - 5 * HOUR, history.now - HISTORY, -MANUAL.period)
    history.backups = [
        Planned(MANUAL, time, 3 * MINUTE, size - number * size // 100) for number, time in enumerate(times)
    ]
    history.restores = {history.backups[3]: "completed"}


def _untested(history: History) -> None:
    """No backup was ever restored."""
    history.restores = {}


def _unbacked(history: History) -> None:
    """There is a schedule, but no backup."""
    history.remove(history.backups)


def _few(history: History) -> None:
    """The addon is new: there is a single backup, which was restored."""
    newest = history.of(history.rhythms[0])[0]
    history.rhythms = history.rhythms[:1]
    history.remove([backup for backup in history.backups if backup is not newest])
    history.restores = {newest: "completed"}
    history.created = newest.created - 2 * HOUR


def _short_retention(history: History) -> None:
    """Backups are kept for three days only."""
    history.retention = 3
    history.rhythms = tuple(rhythm for rhythm in history.rhythms if rhythm.period <= DAY)
    oldest = history.now - 3 * DAY
    history.remove([backup for backup in history.backups if backup.created < oldest or backup.rhythm.period > DAY])
    history.restores = {history.of(history.rhythms[0])[1]: "completed"}


def _restore_failed(history: History) -> None:
    """The last restore failed; one before it was completed."""
    newest = max(history.restores, key=lambda backup: backup.created)
    history.restores[newest] = "failed"


def _paused(history: History) -> None:
    """The addon was paused twenty days ago, and has no backups since then."""
    history.status = "paused"
    history.remove([backup for backup in history.backups if backup.created > history.now - 20 * DAY])


def _unreadable(history: History) -> None:
    """The token may list the addon, but not read it."""
    history.is_unreadable = True


FAULTS: dict[str, Fault] = {
    "healthy": _healthy,
    "stale": _stale,
    "failing": _failing,
    "stuck": _stuck,
    "shrinking": _shrinking,
    "empty": _empty,
    "unscheduled": _unscheduled,
    "untested": _untested,
    "unbacked": _unbacked,
    "few": _few,
    "short-retention": _short_retention,
    "restore-failed": _restore_failed,
    "paused": _paused,
    "unreadable": _unreadable,
}
# The faults of the first addons in the scenario `audit`, by the addon's number; all others are healthy.
AUDIT = {
    1: "stale",
    3: "failing",
    4: "stuck",
    6: "shrinking",
    8: "unscheduled",
    9: "untested",
    11: "empty",
    12: "unbacked",
    14: "few",
    15: "short-retention",
    17: "restore-failed",
    18: "paused",
}
SCENARIOS = ("audit", *FAULTS)


def fault_of(scenario: str, number: int) -> str:
    """The fault of the addon with this number in a scenario."""
    return AUDIT.get(number, "healthy") if scenario == "audit" else scenario


def addon_maker(scenario: str) -> Callable[[Project, int], Addon]:
    """The function that makes the addons of a scenario.

    Raises:
        ValueError: There is no such scenario.
    """
    if scenario not in SCENARIOS:
        raise ValueError(f"unknown scenario {scenario!r}; choose from {', '.join(SCENARIOS)}")
    return partial(ScenarioAddon, scenario=scenario)


class ScenarioAddon(Addon):
    """An addon with planned backups."""

    def __init__(self, project: Project, index: int, *, scenario: str) -> None:
        super().__init__(project, index)
        self.history = history = plan(self.seed, self.number, self.now, self.size, fault_of(scenario, self.number))
        self.usual_status = history.status
        self.is_unreadable = history.is_unreadable
        self.backup_count = len(history.backups)
        self.newest = history.backups[0].created if history.backups else self.now - HOUR
        # The indexes of the restored backups, in the order of the listing.
        self._restored = [age for age, backup in enumerate(history.backups) if backup in history.restores]

    @property
    def created(self) -> int:
        """The creation time."""
        return self.history.created

    @property
    def schedules(self) -> list[Json]:
        """The schedules that made the backups."""
        return [self._schedule(rhythm) for rhythm in self.history.rhythms]

    @property
    def restores(self) -> Listing:
        """All restores, those of the newest backup first."""
        return Listing(len(self._restored), self._restore)

    def backup_at(self, age: int) -> Backup:
        """The backup of this age."""
        return ScenarioBackup(self, age)

    def restored(self, index: int) -> tuple[Backup, int]:
        """The backup of the restore with this index."""
        return self.backup_at(self._restored[index]), 0

    def _schedule(self, rhythm: Rhythm) -> Json:
        scheduling = scheduling_of(self.history.newest[rhythm], rhythm.period)
        key = random_bytes(self.seed, "schedule", self.number, rhythm.name, rhythm.backup_type)
        compression = {"backupCompressionType": self.compression} if rhythm.backup_type == "dump" else {}
        return {
            "id": key[:12].hex(),
            "backupType": rhythm.backup_type,
            "scheduling": scheduling,
            "retentionTime": self.history.retention or rhythm.retention,
            **compression,
            "createdAt": iso(self.created),
            "updatedAt": iso(self.created),
        }

    @property
    def compression(self) -> str:
        """The compression of its dumps."""
        return ("gz", "zstd")[self.number % 2]


class ScenarioBackup(Backup):
    """A planned backup, of this age in its addon."""

    addon: ScenarioAddon

    def __init__(self, addon: ScenarioAddon, age: int) -> None:
        planned = addon.history.backups[age]
        self.addon = addon
        self.age = age
        self.planned = planned
        self.number = addon.backup_count - age
        # By its time, because its age changes when the simulator is started again later.
        self.random = random_bytes(addon.seed, "backup", addon.number, planned.created)
        self.is_example = False
        self.created = planned.created
        self.id = f"{addon.id}-{_date(planned.created)}-{self.number}"
        self.rhythm = planned.rhythm.name
        self.source = "sameAddon" if planned.is_dump else "snapshot"
        self.restore_count = 1 if planned in addon.history.restores else 0
        self.status = planned.status

    @property
    def size(self) -> int:
        """The size in bytes."""
        return self.planned.size if self.status == "completed" else 0

    @property
    def completed(self) -> int:
        """The end."""
        return self.created + self.planned.took

    @property
    def has_config(self) -> bool:
        """Always, so that it is known which schedule made it."""
        return True

    def restore(self, index: int) -> Json:
        """The restore of the backup."""
        began = self.completed + HOUR
        status = self.addon.history.restores[self.planned]
        restore_id = random_bytes(self.addon.seed, "restore", self.addon.number, self.created, index)[:12].hex()
        restore = {"id": restore_id, "status": status, "restoreTimestamp": iso(began)}
        return restore if status in OPEN else {**restore, "completedAt": iso(began + 2 * self.planned.took)}

    def _storage(self) -> Json:
        return {"compressionType": self.addon.compression} if self.planned.is_dump else super()._storage()


@lru_cache(maxsize=256)
def plan(seed: int, number: int, now: int, size: int, fault: str) -> History:
    """The history of an addon."""
    random = random_bytes(seed, "history", number)
    rhythms = PROFILES[number % len(PROFILES)]
    newest = {rhythm: _newest(rhythm, now, random[index]) for index, rhythm in enumerate(rhythms)}
    backups = [
        _planned(rhythm, due, now, size, random_bytes(seed, "planned", number, rhythm.name, rhythm.backup_type, due))
        for rhythm, last in newest.items()
        for due in range(last, now - (rhythm.retention * DAY if rhythm.period == HOUR else HISTORY), -rhythm.period)
    ]
    backups.sort(key=lambda backup: -backup.created)
    history = History(
        now=now,
        rhythms=rhythms,
        newest=newest,
        created=now - HISTORY - (30 + random[8]) * DAY,
        backups=backups,
        restores={},
    )
    daily = history.of(rhythms[0])
    for backup in daily[10:]:
        if random_bytes(seed, "outcome", number, backup.created)[0] % 64 == 0:
            backup.status = "failed"
    for age in (25, 70):
        history.restores[next(backup for backup in daily[age:] if backup.status == "completed")] = "completed"
    FAULTS[fault](history)
    return history


def _newest(rhythm: Rhythm, now: int, random: int) -> int:
    """The last time before now, in steps of five minutes: a quarter to three quarters of the period ago."""
    time = now - rhythm.period // 4 - random * rhythm.period // 512
    return time - time % (5 * MINUTE)


def _planned(rhythm: Rhythm, due: int, now: int, size: int, random: bytes) -> Planned:
    """A completed backup: dumps grow by a fifth in 90 days, with one percent of noise; snapshots are incremental."""
    if rhythm.backup_type == "dump":
        size = size - size // 5 * (now - due) // HISTORY
        size += size * (random[0] - 128) // 12800
    else:
        size = size * (20 + random[0] // 4) // 1000
    took = min(20 * SECOND + size // 200_000 + random[1] * 40, 30 * MINUTE)
    return Planned(rhythm, due + SECOND + random[2] * 30, took, size)


def _date(time: int) -> str:
    return f"{EPOCH + timedelta(milliseconds=time):%Y%m%d}"
