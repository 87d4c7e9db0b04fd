from typing import Any

import click
from attrs import evolve

from northflank_async.cli.options import (
    ApiOptions,
    Body,
    ListingOptions,
    api_options,
    body_options,
    choice_of,
    listing_options,
)
from northflank_async.cli.output import write_item, write_listing
from northflank_async.cli.runner import CHANGE, READ, run
from northflank_async.errors import DecodeError
from northflank_async.records import DestinationCredentials, DestinationUsage, structure, unstructure


@click.command()
@listing_options
def list_destinations(options: ListingOptions) -> None:
    """List the backup destinations.

    \b
    northflank-async list backup-destinations
    """
    run(
        options,
        lambda account: write_listing(account.backup_destinations(**options.paging), "backupDestinations", options),
        evolve(READ, permission="Account > Platform > BackupDestinations > Read"),
    )


@click.command()
@click.option("--name", help="Name of the destination.")
@click.option("--description", help="Description of the destination.")
@click.option("--prefix", metavar="FOLDER/", help="Folder in the bucket.")
@click.option("--usage", type=choice_of(DestinationUsage), help="Defaults to globalBackups.")
@body_options
@api_options
def add_destination(options: ApiOptions, body: Body, **fields: Any) -> None:
    """Add a bucket as a backup destination.

    The input has its credentials, which are not printed:

    \b
    {"credentials": {"accessKey": "…", "secretKey": "…", "bucketName": "backups",
                     "region": "eu-central-1", "endpoint": "s3.eu-central-1.amazonaws.com"}}

    \b
    northflank-async add backup-destination --name "Far away" --prefix northflank/ --file bucket.json
    """
    arguments = body.arguments({**fields, "type": None, "credentials": None})
    for name in ("name", "prefix"):
        if name not in arguments:
            raise click.UsageError(f"Missing option '--{name}'.")
    if arguments.pop("type", "s3") != "s3":
        raise click.UsageError("The type of the input must be s3.")
    arguments["credentials"] = _structure_credentials(arguments.get("credentials"))
    created = run(
        options,
        lambda account: account.create_backup_destination(**arguments),
        evolve(CHANGE, permission="Account > Platform > BackupDestinations > Create"),
    )
    if created.credentials:
        created = evolve(created, credentials=evolve(created.credentials, access_key=None, secret_key=None))
    write_item(unstructure(created), "backupDestinations", options.format)


def _structure_credentials(raw: Any) -> DestinationCredentials:
    if raw is None:
        raise click.UsageError("The input has no credentials.")
    try:
        return structure(raw, DestinationCredentials, "credentials")
    except DecodeError as error:
        raise click.UsageError(f"The input is not as documented at {error.place}.") from None
