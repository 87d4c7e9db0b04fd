"""The commands that fix what is wrong."""

import shlex
from collections.abc import Iterable
from datetime import timedelta

from northflank_async.audit.due_times import DueTimes
from northflank_async.inventory.facts import AddonFacts
from northflank_async.records import BackupSchedule, BackupType, ScheduleInterval

_PROGRAM = "northflank-async"
_DAY = timedelta(days=1)
_LONGEST_RETENTION = {ScheduleInterval.HOURLY: 7, ScheduleInterval.DAILY: 60, ScheduleInterval.WEEKLY: 120}
"""The platform's limits, in days."""
_TIMES = {
    ScheduleInterval.HOURLY: ("minute",),
    ScheduleInterval.DAILY: ("hour", "minute"),
    ScheduleInterval.WEEKLY: ("day", "hour", "minute"),
}
"""The times that a schedule has; the platform refuses others."""
_FIRST_DESTINATION = "copies"
_FIRST_SCHEDULE = ("--interval", "daily", "--hour", "2", "--minute", "0", "--backupType", "snapshot")


def back_up(facts: AddonFacts, backup_type: str | None = None) -> str:
    """Make a backup, of a type if that is known."""
    known = backup_type in list(BackupType)
    return _command("backup addon", facts, *(("--backupType", str(backup_type)) if known else ()))


def show_backups(facts: AddonFacts) -> str:
    """List the backups, or show why that fails."""
    return _command("get addon backups", facts)


def show_backup_logs(facts: AddonFacts, backup_id: str) -> str:
    """Show the logs of a dump."""
    return _command("get addon backup logs", facts, "--backup", backup_id)


def show_restore_logs(facts: AddonFacts, backup_id: str, restore_id: str) -> str:
    """Show the logs of a restore."""
    return _command("get addon restore logs", facts, "--backup", backup_id, "--restore", restore_id)


def abort_backup(facts: AddonFacts, backup_id: str) -> str:
    """Abort a run."""
    return _command("abort addon backup", facts, "--backup", backup_id)


def download_backup(facts: AddonFacts, backup_id: str) -> str:
    """Download a dump, to restore it elsewhere."""
    return _command("download addon backup", facts, "--backup", backup_id, f"{backup_id}.dump")


def drill(facts: AddonFacts, backup_id: str, inventory: Iterable[str]) -> str:
    """Restore a backup into a scratch addon, which the command asks about first.

    The scratch project is the addon's own: it exists, and those who manage the addon may change it.
    """
    scratch = ("--scratch-project", facts.project_id, "--allow-source-project")
    return _command("drill", facts, "--backup", backup_id, *scratch, *inventory)


def mirror(facts: AddonFacts, inventory: Iterable[str], destination: str | None) -> str:
    """Copy the newest dumps of the project, to where others are; by default, to a new folder."""
    team = () if facts.team_id is None else ("--team", facts.team_id)
    wanted = ("--project", facts.project_id, *team, "--newest", "1")
    return shlex.join([_PROGRAM, "mirror", destination or _FIRST_DESTINATION, *wanted, *inventory])


def create_schedule(facts: AddonFacts, retention: timedelta) -> str:
    """Create a daily schedule that keeps its backups for as long as the policy says, if the platform can."""
    days = min(_days(retention), _LONGEST_RETENTION[ScheduleInterval.DAILY])
    return _command("create addon backup-schedule", facts, *_FIRST_SCHEDULE, "--retentionTime", str(days))


def replace_schedules(facts: AddonFacts, short: Iterable[BackupSchedule], retention: timedelta) -> str | None:
    """Replace schedules, which cannot be changed, by those with a longer retention; `None` if that is not possible.

    The platform refuses a second schedule with the interval and type of another one: the old one is deleted first.
    """
    commands: list[str] = []
    for schedule in short:
        if (create := _create_again(facts, schedule, retention)) is not None:
            commands += [_command("delete addon backup-schedule", facts, "--schedule", schedule.id), create]
    return " && ".join(commands) or None


def _create_again(facts: AddonFacts, schedule: BackupSchedule, retention: timedelta) -> str | None:
    scheduling, days = schedule.scheduling, _days(retention)
    if scheduling is None or DueTimes.of(scheduling) is None or schedule.backup_type not in list(BackupType):
        return None  # it could be deleted, but not created again
    if days > _LONGEST_RETENTION[ScheduleInterval(scheduling.interval)]:
        return None
    options = ["--interval", str(scheduling.interval), "--backupType", str(schedule.backup_type)]
    for name in _TIMES[ScheduleInterval(scheduling.interval)]:
        for number in getattr(scheduling, name) or ():
            options += [f"--{name}", str(number)]
    if schedule.backup_compression_type is not None and schedule.backup_type == BackupType.DUMP:
        options += ["--compressionType", str(schedule.backup_compression_type)]
    if schedule.custom_destination_id is not None:
        options += ["--customDestinationId", schedule.custom_destination_id]
    for destination in schedule.additional_destinations or ():
        kept = "" if destination.retention_time is None else f":{destination.retention_time}"
        options += ["--additionalDestination", f"{destination.destination_id}{kept}"]
    return _command("create addon backup-schedule", facts, *options, "--retentionTime", str(days))


def show_restores(facts: AddonFacts) -> str:
    """List the restores."""
    return _command("get addon restores", facts)


def show_destinations(facts: AddonFacts) -> str:
    """List the destinations that a schedule can have."""
    team = () if facts.team_id is None else ("--team", facts.team_id)
    return shlex.join([_PROGRAM, "list", "backup-destinations", *team])


def sync(target: str, schema: str | None) -> str:
    """Bring a stored inventory up to date, with all that is judged."""
    return shlex.join([_PROGRAM, "export", target, "--restores", "--schedules", *_place(schema)])


def inventory_options(target: str, schema: str | None) -> tuple[str, ...]:
    """Name the inventory in which a command records what it did."""
    return ("--inventory", target, *_place(schema))


def _place(schema: str | None) -> tuple[str, ...]:
    return () if schema is None else ("--schema", schema)


def _command(name: str, facts: AddonFacts, *words: str) -> str:
    place = ["--project", facts.project_id, "--addon", facts.addon_id]
    team = [] if facts.team_id is None else ["--team", facts.team_id]
    return shlex.join([_PROGRAM, *name.split(), *place, *team, *words])


def _days(retention: timedelta) -> int:
    return -(-retention // _DAY)
