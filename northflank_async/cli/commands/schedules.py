from typing import Any

import click

from northflank_async.cli.options import (
    AddonAddress,
    ApiOptions,
    Body,
    ListingOptions,
    addon_options,
    api_options,
    body_options,
    choice_of,
    combined,
    listing_options,
    schedule_option,
    storage_options,
    yes_option,
)
from northflank_async.cli.output import write_change, write_listing
from northflank_async.cli.runner import CHANGE, confirm, run
from northflank_async.records import ScheduleInterval

scheduling_options = combined(
    click.option("--interval", type=choice_of(ScheduleInterval), help="How often to back up."),
    click.option(
        "--day",
        type=click.IntRange(0, 6),
        metavar="NUMBER",
        multiple=True,
        help="Day of a weekly schedule, 0 is Monday; repeatable.",
    ),
    click.option(
        "--hour",
        type=click.IntRange(0, 23),
        metavar="NUMBER",
        multiple=True,
        help="Hour of a daily or weekly schedule; repeatable.",
    ),
    click.option(
        "--minute", type=click.IntRange(0, 59), metavar="NUMBER", multiple=True, help="Minute of the hour; repeatable."
    ),
    click.option(
        "--retentionTime",
        "retention_time",
        type=click.IntRange(min=1),
        metavar="DAYS",
        help="Retention in days: up to 7 hourly, 60 daily, 120 weekly.",
    ),
)
"""When a schedule backs up, and how long its backups are kept."""


def require_schedule(arguments: dict[str, Any]) -> None:
    """Check that neither an option nor the body lacks what every schedule needs.

    Raises:
        click.UsageError: an option is missing.
    """
    for name, option in (("interval", "--interval"), ("minute", "--minute"), ("retention_time", "--retentionTime")):
        if name not in arguments:
            raise click.UsageError(f"Missing option '{option}'.")


@click.command()
@addon_options
@listing_options
def list_schedules(options: ListingOptions, address: AddonAddress) -> None:
    """List an addon's backup schedules.

    \b
    northflank-async get addon backup-schedules --project default-project --addon example-addon
    """
    run(
        options,
        lambda account: write_listing(address.addon(account).backup_schedules(**options.paging), "schedules", options),
    )


@click.command()
@addon_options
@scheduling_options
@storage_options
@body_options
@api_options
def create_schedule(options: ApiOptions, address: AddonAddress, body: Body, **fields: Any) -> None:
    """Create a backup schedule.

    The addon is then backed up every hour, day or week.

    \b
    northflank-async create addon backup-schedule --project default-project --addon example-addon \\
      --interval weekly --day 4 --hour 18 --minute 30 --backupType snapshot --retentionTime 7
    """
    arguments = body.arguments(fields)
    require_schedule(arguments)
    arguments.setdefault("backup_type", "snapshot")
    schedule_id = run(options, lambda account: address.addon(account).create_backup_schedule(**arguments), CHANGE)
    write_change(f"schedule {schedule_id} is created", {"id": schedule_id}, options.format)


@click.command()
@addon_options
@schedule_option
@yes_option
@api_options
def delete_schedule(options: ApiOptions, address: AddonAddress, schedule_id: str, yes: bool) -> None:
    """Delete a backup schedule.

    Its backups are kept. Asks for confirmation at a terminal; requires --yes elsewhere.

    \b
    northflank-async delete addon backup-schedule --project default-project --addon example-addon \\
      --schedule 62d5729ab8593e3e33b65105
    """
    confirm(f"Delete backup schedule {schedule_id} of {address.addon_id}?", yes=yes)
    run(options, lambda account: address.addon(account).delete_backup_schedule(schedule_id), CHANGE)
    write_change(f"schedule {schedule_id} is deleted", {}, options.format)
