from typing import TYPE_CHECKING, Any

import click
from attrs import evolve, frozen

from northflank_async.cli.commands.schedules import require_schedule, scheduling_options
from northflank_async.cli.options import (
    ApiOptions,
    Body,
    ListingOptions,
    api_options,
    body_options,
    grouped,
    listing_options,
    project_option,
    schedule_option,
    yes_option,
)
from northflank_async.cli.output import write_change, write_listing
from northflank_async.cli.runner import CHANGE, READ, confirm, run

if TYPE_CHECKING:
    from northflank_async.client import Account
    from northflank_async.resources import VolumeResource


@frozen(kw_only=True)
class VolumeAddress:
    """The ids of a volume."""

    project_id: str
    volume_id: str

    def volume(self, account: "Account") -> "VolumeResource":
        return account.project(self.project_id).volume(self.volume_id)


volume_options = grouped(
    VolumeAddress,
    "address",
    project_option,
    click.option("--volumeId", "--volume", "volume_id", metavar="ID", required=True, help="Volume ID."),
)


@click.command()
@volume_options
@listing_options
def list_schedules(options: ListingOptions, address: VolumeAddress) -> None:
    """List a volume's backup schedules.

    \b
    northflank-async get volume backup-schedules --project default-project --volume example-volume
    """
    run(
        options,
        lambda account: write_listing(address.volume(account).backup_schedules(**options.paging), "schedules", options),
        evolve(READ, permission="Project > Volumes > Backups > Read"),
    )


@click.command()
@volume_options
@scheduling_options
@body_options
@api_options
def create_schedule(options: ApiOptions, address: VolumeAddress, body: Body, **fields: Any) -> None:
    """Create a backup schedule of a volume.

    A snapshot of the volume is then taken every hour, day or week.

    \b
    northflank-async create volume backup-schedule --project default-project --volume example-volume \\
      --interval daily --hour 3 --minute 30 --retentionTime 7
    """
    arguments = body.arguments(fields)
    require_schedule(arguments)
    schedule_id = run(
        options,
        lambda account: address.volume(account).create_backup_schedule(**arguments),
        evolve(CHANGE, permission="Project > Volumes > Backups > Create"),
    )
    write_change(f"schedule {schedule_id} is created", {"id": schedule_id}, options.format)


@click.command()
@volume_options
@schedule_option
@yes_option
@api_options
def delete_schedule(options: ApiOptions, address: VolumeAddress, schedule_id: str, yes: bool) -> None:
    """Delete a backup schedule of a volume.

    Its backups are kept. Asks for confirmation at a terminal; requires --yes elsewhere.

    \b
    northflank-async delete volume backup-schedule --project default-project --volume example-volume \\
      --schedule 62d5729ab8593e3e33b65105
    """
    confirm(f"Delete backup schedule {schedule_id} of {address.volume_id}?", yes=yes)
    run(
        options,
        lambda account: address.volume(account).delete_backup_schedule(schedule_id),
        evolve(CHANGE, permission="Project > Volumes > Backups > Delete"),
    )
    write_change(f"schedule {schedule_id} is deleted", {}, options.format)
