import click

from northflank_async.cli.call import Call, listing_options
from northflank_async.cli.options import (
    AddonAddress,
    BackupAddress,
    Paging,
    Source,
    addon_options,
    backup_options,
    source_options,
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
