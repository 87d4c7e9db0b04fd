import click

from northflank_async.cli.call import Call, call_options, listing_options
from northflank_async.cli.options import AddonAddress, BackupAddress, Paging, addon_options, backup_options


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
