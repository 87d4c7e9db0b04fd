from typing import Any

import click

from northflank_async.cli.body import Body, body_options, storage_options
from northflank_async.cli.call import Call, call_options, listing_options
from northflank_async.cli.options import (
    AddonAddress,
    BackupAddress,
    Paging,
    addon_options,
    backup_options,
    confirm,
    wait_options,
    yes_option,
)
from northflank_async.cli.output import write_item
from northflank_async.errors import printable
from northflank_async.records import unstructure


@click.command("backups")
@addon_options
@listing_options
def list_backups(call: Call, paging: Paging, addon: AddonAddress) -> None:
    """List an addon's backups.

    \b
    northflank-async get addon backups --project default-project --addon example-addon
    northflank-async get addon backups --project default-project --addon example-addon --loadAll --output jsonl
    """
    call.list(lambda view: addon.of(view).backups, "backups", paging)


@click.command("backup")
@backup_options
@call_options
def get_backup(call: Call, backup: BackupAddress) -> None:
    """Get a backup, with its last restore.

    \b
    northflank-async get addon backup --project default-project --addon example-addon --backup example-backup
    """
    call.get(lambda view: backup.of_backup(view).path, "backups")


@click.command("addon")
@addon_options
@click.option("--name", help="Else the API makes one up.")
@storage_options
@body_options
@wait_options
@call_options
def create_backup(
    call: Call, addon: AddonAddress, body: Body, wait: bool, timeout: float | None, **options: Any
) -> None:
    """Back up an addon.

    \b
    northflank-async backup addon --project default-project --addon example-addon --wait
    northflank-async backup addon --project default-project --addon example-addon --name "Before the upgrade" \\
      --backupType dump --compressionType zstd
    """
    arguments = body.arguments(options)
    made = call.change(lambda view: addon.of(view).create_backup(**arguments))
    if not wait:
        return write_item(unstructure(made), "backups", call.format)
    call.wait(f"the backup {made.id}", lambda view: addon.of(view).backup(made.id).wait(timeout=timeout), "backups")
    return None


@click.command("backup")
@backup_options
@call_options
def abort_backup(call: Call, backup: BackupAddress) -> None:
    """Abort a backup that is under way.

    \b
    northflank-async abort addon backup --project default-project --addon example-addon --backup example-backup
    """
    call.change(lambda view: backup.of_backup(view).abort())
    call.done(f"the backup {backup.backup_id} is being aborted", {})


@click.command("backup")
@backup_options
@call_options
def retain_backup(call: Call, backup: BackupAddress) -> None:
    """Keep a schedule's backup for good.

    \b
    northflank-async retain addon backup --project default-project --addon example-addon --backup example-backup
    """
    call.change(lambda view: backup.of_backup(view).retain())
    call.done(f"the backup {backup.backup_id} is kept", {})


@click.command("backup")
@backup_options
@yes_option
@call_options
def delete_backup(call: Call, backup: BackupAddress, yes: bool) -> None:
    """Delete a backup.

    It asks first at a terminal, and needs --yes elsewhere.

    \b
    northflank-async delete backup --project default-project --addon example-addon --backup example-backup
    """
    confirm(f"Delete the backup {backup.backup_id} of {backup.addon_id} for good?", yes=yes)
    call.change(lambda view: backup.of_backup(view).delete())
    call.done(f"the backup {backup.backup_id} is deleted", {})


@click.command("download")
@backup_options
@call_options
def get_download_link(call: Call, backup: BackupAddress) -> None:
    """Get a link that a dump can be downloaded from.

    Whoever has it can download the dump for a while.

    \b
    northflank-async get addon backup download --project default-project --addon example-addon --backup example-backup
    """
    link = call.read(lambda view: backup.of_backup(view).download_link())
    call.done(printable(link), {"downloadLink": str(link)})
