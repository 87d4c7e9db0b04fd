import click

from northflank_async.cli.call import Call, call_options, listing_options
from northflank_async.cli.options import (
    AddonAddress,
    BackupAddress,
    Paging,
    Source,
    addon_options,
    backup_options,
    confirm,
    restore_option,
    source_options,
    wait_options,
    yes_option,
)


@click.command("restores")
@addon_options
@listing_options
def list_restores(call: Call, paging: Paging, addon: AddonAddress) -> None:
    """List the restores of an addon's backups.

    \b
    northflank-async get addon restores --project default-project --addon example-addon
    """
    call.list(lambda view: addon.of(view).restores, "restores", paging)


@click.command("restores")
@backup_options
@source_options
@listing_options
def list_backup_restores(call: Call, paging: Paging, backup: BackupAddress, source: Source) -> None:
    """List a backup's restores.

    \b
    northflank-async get addon backup restores --project default-project --addon example-addon --backup example-backup
    """
    call.list(lambda view: backup.of_backup(view).restores, "restores", paging, **source.arguments)


@click.command("backup")
@backup_options
@source_options
@wait_options
@yes_option
@call_options
def restore_backup(
    call: Call, backup: BackupAddress, source: Source, wait: bool, timeout: float | None, yes: bool
) -> None:
    """Restore an addon from a backup.

    The addon's data become those of the backup. It asks first at a terminal, and needs --yes elsewhere.

    \b
    northflank-async restore addon backup --project default-project --addon example-addon --backup example-backup
    northflank-async restore addon backup --project default-project --addon example-addon --backup example-backup \\
      --yes --wait
    """
    confirm(f"Overwrite the data of {backup.addon_id} with the backup {backup.backup_id}?", yes=yes)
    restore_id = call.change(lambda view: backup.of_backup(view).restore(**source.arguments))
    if not wait:
        return call.done(f"the restore {restore_id} has begun", {"restoreId": restore_id})
    call.wait(
        f"the restore {restore_id}",
        lambda view: backup.of_backup(view).wait_restore(restore_id, timeout=timeout, **source.arguments),
        "restores",
    )
    return None


@click.command("restore")
@backup_options
@restore_option
@source_options
@call_options
def abort_restore(call: Call, backup: BackupAddress, restore_id: str, source: Source) -> None:
    """Abort a restore that is under way.

    \b
    northflank-async abort addon restore --project default-project --addon example-addon --backup example-backup \\
      --restore 668596c647fed81696a8a82c
    """
    call.change(lambda view: backup.of_backup(view).abort_restore(restore_id, **source.arguments))
    call.done(f"the restore {restore_id} is being aborted", {})
