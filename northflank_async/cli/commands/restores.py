import click

from northflank_async.cli.options import (
    AddonAddress,
    ApiOptions,
    BackupAddress,
    ListingOptions,
    Source,
    addon_options,
    api_options,
    backup_options,
    listing_options,
    restore_option,
    source_options,
    wait_options,
    yes_option,
)
from northflank_async.cli.output import write_change, write_listing
from northflank_async.cli.runner import CHANGE, confirm, run, start_and_wait
from northflank_async.client import Account


@click.command()
@addon_options
@listing_options
def list_restores(options: ListingOptions, address: AddonAddress) -> None:
    """List the restores of an addon's backups.

    \b
    northflank-async get addon restores --project default-project --addon example-addon
    """
    run(
        options,
        lambda account: write_listing(address.addon(account).restores(**options.paging), "restores", options),
    )


@click.command()
@backup_options
@source_options
@listing_options
def list_backup_restores(options: ListingOptions, address: BackupAddress, source: Source) -> None:
    """List a backup's restores.

    \b
    northflank-async get addon backup restores --project default-project --addon example-addon --backup example-backup
    """
    run(
        options,
        lambda account: write_listing(
            address.backup(account).restores(**options.paging, **source.arguments), "restores", options
        ),
    )


@click.command()
@backup_options
@source_options
@wait_options
@yes_option
@api_options
def restore_backup(
    options: ApiOptions, address: BackupAddress, source: Source, wait: bool, timeout: float | None, yes: bool
) -> None:
    """Restore an addon from a backup.

    This overwrites the addon's data. Asks for confirmation at a terminal; requires --yes elsewhere.

    \b
    northflank-async restore addon backup --project default-project --addon example-addon --backup example-backup
    northflank-async restore addon backup --project default-project --addon example-addon --backup example-backup \\
      --yes --wait
    """
    confirm(f"Overwrite the data of {address.addon_id} with backup {address.backup_id}?", yes=yes)

    async def start(account: Account) -> str:
        return await address.backup(account).restore(**source.arguments)

    if wait:
        start_and_wait(
            options,
            "restore",
            "restores",
            start,
            lambda account, restore_id: address.backup(account).wait_restore(
                restore_id, timeout=timeout, **source.arguments
            ),
        )
    else:
        restore_id = run(options, start, CHANGE)
        write_change(f"restore {restore_id} started", {"restoreId": restore_id}, options.format)


@click.command()
@backup_options
@restore_option
@source_options
@api_options
def abort_restore(options: ApiOptions, address: BackupAddress, restore_id: str, source: Source) -> None:
    """Abort a running restore.

    \b
    northflank-async abort addon restore --project default-project --addon example-addon --backup example-backup \\
      --restore 668596c647fed81696a8a82c
    """
    run(options, lambda account: address.backup(account).abort_restore(restore_id, **source.arguments), CHANGE)
    write_change(f"restore {restore_id} is being aborted", {}, options.format)
