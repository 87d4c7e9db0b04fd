from typing import Any

import click

from northflank_async.cli.body import Body, body_options, storage_options
from northflank_async.cli.call import Call, call_options, listing_options
from northflank_async.cli.options import (
    AddonAddress,
    Paging,
    addon_options,
    confirm,
    schedule_option,
    words,
    yes_option,
)
from northflank_async.records import ScheduleInterval


@click.command("backup-schedules")
@addon_options
@listing_options
def list_schedules(call: Call, paging: Paging, addon: AddonAddress) -> None:
    """List an addon's backup schedules.

    \b
    northflank-async get addon backup-schedules --project default-project --addon example-addon
    """
    call.list(lambda view: addon.of(view).backup_schedules, "schedules", paging)


@click.command("backup-schedule")
@addon_options
@click.option("--interval", type=words(ScheduleInterval), help="How often.")
@click.option("--day", type=click.IntRange(0, 6), multiple=True, help="0 is Monday; of a weekly one; repeatable.")
@click.option("--hour", type=click.IntRange(0, 23), multiple=True, help="Not of an hourly one; repeatable.")
@click.option("--minute", type=click.IntRange(0, 59), multiple=True, help="Repeatable.")
@click.option("--retentionTime", "retention_time", type=click.IntRange(min=1), metavar="DAYS", help="Kept so long.")
@storage_options
@body_options
@call_options
def create_schedule(call: Call, addon: AddonAddress, body: Body, **options: Any) -> None:
    """Back up an addon hourly, daily or weekly.

    \b
    northflank-async create addon backup-schedule --project default-project --addon example-addon \\
      --interval weekly --day 4 --hour 18 --minute 30 --backupType snapshot --retentionTime 7
    """
    arguments = body.arguments(options)
    for name, needed in (("interval", "--interval"), ("minute", "--minute"), ("retention_time", "--retentionTime")):
        if name not in arguments:
            raise click.UsageError(f"Missing option '{needed}'.")
    arguments.setdefault("backup_type", "snapshot")
    schedule_id = call.change(lambda view: addon.of(view).create_backup_schedule(**arguments))
    call.done(f"the schedule {schedule_id} is there", {"id": schedule_id})


@click.command("backup-schedule")
@addon_options
@schedule_option
@yes_option
@call_options
def delete_schedule(call: Call, addon: AddonAddress, schedule_id: str, yes: bool) -> None:
    """Delete a backup schedule.

    The backups that it has made stay. It asks first at a terminal, and needs --yes elsewhere.

    \b
    northflank-async delete addon backup-schedule --project default-project --addon example-addon \\
      --schedule 62d5729ab8593e3e33b65105
    """
    confirm(f"Delete the backup schedule {schedule_id} of {addon.addon_id}?", yes=yes)
    call.change(lambda view: addon.of(view).delete_backup_schedule(schedule_id))
    call.done(f"the schedule {schedule_id} is deleted", {})
