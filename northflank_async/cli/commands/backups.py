from pathlib import Path
from typing import Any

import click

from northflank_async.cli.options import (
    AddonAddress,
    ApiOptions,
    BackupAddress,
    Body,
    ListingOptions,
    addon_options,
    api_options,
    backup_options,
    body_options,
    listing_options,
    storage_options,
    wait_options,
    yes_option,
)
from northflank_async.cli.output import count, write_change, write_item, write_listing
from northflank_async.cli.runner import CHANGE, Operation, confirm, run, start_and_wait
from northflank_async.client import Account
from northflank_async.errors import printable
from northflank_async.records import unstructure

_READ_SPEC = "Project > Addons > General > Read Spec"
"""The permission that links and downloads need."""


@click.command()
@addon_options
@listing_options
def list_backups(options: ListingOptions, address: AddonAddress) -> None:
    """List an addon's backups.

    \b
    northflank-async get addon backups --project default-project --addon example-addon
    northflank-async get addon backups --project default-project --addon example-addon --loadAll --output jsonl
    """
    run(
        options,
        lambda account: write_listing(address.addon(account).backups(**options.paging), "backups", options),
    )


@click.command()
@backup_options
@api_options
def get_backup(options: ApiOptions, address: BackupAddress) -> None:
    """Get a backup and its last restore.

    \b
    northflank-async get addon backup --project default-project --addon example-addon --backup example-backup
    """
    backup = run(options, lambda account: account.request("GET", address.backup(account).path))
    write_item(backup, "backups", options.format)


@click.command()
@addon_options
@click.option("--name", help="Defaults to a generated name.")
@storage_options
@body_options
@wait_options
@api_options
def create_backup(
    options: ApiOptions, address: AddonAddress, body: Body, wait: bool, timeout: float | None, **fields: Any
) -> None:
    """Back up an addon.

    \b
    northflank-async backup addon --project default-project --addon example-addon --wait
    northflank-async backup addon --project default-project --addon example-addon --name "Before the upgrade" \\
      --backupType dump --compressionType zstd
    """
    arguments = body.arguments(fields)

    async def start(account: Account) -> str:
        return (await address.addon(account).create_backup(**arguments)).id

    if wait:
        start_and_wait(
            options,
            "backup",
            "backups",
            start,
            lambda account, backup_id: address.addon(account).backup(backup_id).wait(timeout=timeout),
        )
    else:
        started = run(options, lambda account: address.addon(account).create_backup(**arguments), CHANGE)
        write_item(unstructure(started), "backups", options.format)


@click.command()
@backup_options
@api_options
def abort_backup(options: ApiOptions, address: BackupAddress) -> None:
    """Abort a running backup.

    \b
    northflank-async abort addon backup --project default-project --addon example-addon --backup example-backup
    """
    run(options, lambda account: address.backup(account).abort(), CHANGE)
    write_change(f"backup {address.backup_id} is being aborted", {}, options.format)


@click.command()
@backup_options
@api_options
def retain_backup(options: ApiOptions, address: BackupAddress) -> None:
    """Keep a backup after its retention period ends.

    Only backups of a schedule have a retention period.

    \b
    northflank-async retain addon backup --project default-project --addon example-addon --backup example-backup
    """
    run(options, lambda account: address.backup(account).retain(), CHANGE)
    write_change(f"backup {address.backup_id} is retained", {}, options.format)


@click.command()
@backup_options
@yes_option
@api_options
def delete_backup(options: ApiOptions, address: BackupAddress, yes: bool) -> None:
    """Delete a backup.

    Asks for confirmation at a terminal; requires --yes elsewhere.

    \b
    northflank-async delete backup --project default-project --addon example-addon --backup example-backup
    """
    confirm(f"Permanently delete backup {address.backup_id} of {address.addon_id}?", yes=yes)
    run(options, lambda account: address.backup(account).delete(), CHANGE)
    write_change(f"backup {address.backup_id} is deleted", {}, options.format)


@click.command()
@backup_options
@api_options
def get_download_link(options: ApiOptions, address: BackupAddress) -> None:
    """Get a download link for a dump.

    Until the link expires, anyone who has it can download the dump.

    \b
    northflank-async get addon backup download --project default-project --addon example-addon --backup example-backup
    """
    link = run(options, lambda account: address.backup(account).download_link(), Operation(permission=_READ_SPEC))
    write_change(printable(link), {"downloadLink": str(link)}, options.format)


@click.command()
@backup_options
@click.argument("file", type=click.Path(path_type=Path))
@api_options
def download_backup(options: ApiOptions, address: BackupAddress, file: Path) -> None:
    """Download a dump to FILE.

    FILE is written atomically and replaces an existing file. A broken transfer is resumed.

    \b
    northflank-async download addon backup --project default-project --addon example-addon --backup example-backup \\
      example.dump
    """
    from northflank_async.cli.progress import download_bar

    async def download(account: Account) -> Path:
        with download_bar(quiet=options.quiet) as bar:
            task = bar.add_task("", total=None)
            return await address.backup(account).download(
                file, progress=lambda done, total: bar.update(task, completed=done, total=total)
            )

    operation = Operation(permission=_READ_SPEC, if_stopped="no file was written", target=str(file))
    path = run(options, download, operation)
    size = path.stat().st_size
    write_change(f"{count(size, 'byte')} written to {path}", {"path": str(path), "bytes": size}, options.format)
