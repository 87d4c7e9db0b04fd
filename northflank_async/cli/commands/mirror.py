from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from northflank_async.cli.exits import ExitCode, describe_failure, fail, fail_incomplete
from northflank_async.cli.options import (
    AccountsOptions,
    CrawlOptions,
    QueryOptions,
    accounts_options,
    check_schema_option,
    complete_target,
    mirror_options,
    place_options,
    schema_option,
)
from northflank_async.cli.output import count, notify, without_password
from northflank_async.cli.runner import Operation, run_with_progress, run_without_client
from northflank_async.errors import printable
from northflank_async.inventory.extras import require_extra
from northflank_async.inventory.names import check_names

if TYPE_CHECKING:
    from northflank_async.cli.options import Client
    from northflank_async.mirror import MirrorOutcome, Snapshots, Verification

_MAX_LISTED = 20


@click.command()
@click.argument("destination", type=click.Path())
@place_options
@click.option("--newest", type=click.IntRange(min=1), metavar="NUMBER", help="Only the newest dumps of each addon.")
@click.option(
    "--keep",
    type=click.IntRange(1, 36_500),
    metavar="DAYS",
    help="Delete older copies, but never an addon's newest one. By default, nothing is deleted.",
)
@click.option("--dry-run", is_flag=True, help="Only list what would be copied, and deleted.")
@click.option("--verify", "only_verify", is_flag=True, help="Only hash all copies and compare them with the manifest.")
@click.option(
    "--inventory", metavar="TARGET", shell_complete=complete_target, help="Record the copies in this inventory."
)
@schema_option
@accounts_options
@mirror_options
def mirror_dumps(
    options: CrawlOptions,
    accounts: AccountsOptions,
    destination: str,
    query: QueryOptions,
    newest: int | None,
    keep: int | None,
    dry_run: bool,
    only_verify: bool,
    inventory: str | None,
    schema: str | None,
) -> None:
    """Copy dumps to DESTINATION, outside the platform.

    DESTINATION is a folder, or s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX. Their credentials come
    from the environment, as does another endpoint (AWS_ENDPOINT_URL).

    Each completed dump that DESTINATION does not hold yet is downloaded; that takes one request. A manifest has its
    size, its SHA-256 and where it comes from. Snapshots cannot be downloaded, and are reported. Copies stay when the
    platform deletes their backups.

    Run the same command again to resume a mirror that was interrupted or killed.

    \b
    northflank-async mirror /mnt/backups --newest 7
    northflank-async mirror s3://offsite/northflank --keep 90
    northflank-async mirror s3://offsite/northflank --verify
    """
    check_schema_option(schema, inventory)
    if only_verify:
        if query != QueryOptions(projects=(), team_ids=(), addon_types=()) or newest or keep or dry_run or inventory:
            raise click.UsageError("--verify checks all copies: combine it with --concurrency only.")
        if accounts != AccountsOptions(file=None, contexts=(), all_contexts=False):
            raise click.UsageError("--verify reads no account.")
        _verify(destination, options)
        return
    if dry_run and inventory:
        raise click.UsageError("--dry-run records nothing: omit --inventory.")

    async def work(clients: "list[Client]", on_start: Any) -> "tuple[MirrorOutcome, int]":
        with require_extra():
            from northflank_async.inventory.inventory import Inventory
            from northflank_async.mirror import mirror
            from northflank_async.mirror.address import parse_destination
        parse_destination(destination)
        wanted = query.of_each(clients)
        async with AsyncExitStack() as stack:
            recorded = None
            if inventory is not None:
                opened = Inventory(inventory, schema=schema) if schema else Inventory(inventory)
                recorded = await stack.enter_async_context(opened)
            await check_names(*wanted)
            outcome = await mirror(
                destination,
                *wanted,
                newest=newest,
                keep=None if keep is None else timedelta(days=keep),
                concurrency=options.concurrency,
                dry_run=dry_run,
                inventory=recorded,
                on_start=on_start,
            )
        return outcome, sum(nf.budget.spent for _, nf in clients)

    shown = printable(destination)
    operation = Operation(
        permission="Project > Addons > General > Read Spec",
        if_stopped="what was copied is kept: run the same command to resume",
        target=shown if inventory is None else f"{shown} or {without_password(inventory)}",
    )
    outcome, requests = run_with_progress(options, accounts, work, operation)
    _report_snapshots(outcome.snapshots, quiet=options.quiet)
    if dry_run:
        for dump in outcome.wanted:
            size = "" if dump.size is None else f", {_size(dump.size)}"
            click.echo(f"would copy {_place(dump)} ({dump.created_at:%Y-%m-%d %H:%M}{size})")
        for copy in outcome.deleted:
            click.echo(f"would delete {copy.path} ({_size(copy.size)})")
    else:
        for copy in outcome.deleted:
            click.echo(f"deleted {copy.path}")
        deleted = f", {len(outcome.deleted):,} deleted" if keep else ""
        click.echo(
            f"{count(len(outcome.copied), 'dump')} ({_size(outcome.bytes)}) copied to {shown},"
            f" {outcome.held:,} held already{deleted} ({count(requests, 'request')})"
        )
    for error in outcome.damaged:
        notify(f"the manifest is damaged: {error}; its dump counts as not held: delete the entry, or restore it")
    failures = [describe_failure(failure, verb="copy") for failure in outcome.failures]
    fail_incomplete(failures, ExitCode.FAILURES, "everything else is complete")
    if outcome.damaged:
        fail("everything else is complete", ExitCode.FAILURES)


def _size(number: int) -> str:
    from rich.filesize import decimal

    return decimal(number)


def _place(dump: Any) -> str:
    parts = (dump.team_id, dump.project_id, dump.addon_id, dump.backup_id)
    return printable("/".join(part for part in parts if part is not None))


def _report_snapshots(snapshots: "Sequence[Snapshots]", *, quiet: bool) -> None:
    if not snapshots or quiet:
        return
    total = sum(each.count for each in snapshots)
    notify(f"{count(total, 'snapshot')} of {count(len(snapshots), 'addon')} cannot be downloaded: only dumps can")
    without = [each for each in snapshots if not each.has_dumps]
    are_several = len({each.account_id for each in snapshots}) > 1
    for each in without[:_MAX_LISTED]:
        account_id = each.account_id if are_several else None
        place = "/".join(filter(None, (account_id, each.team_id, each.project_id, each.addon_id)))
        notify(f"{printable(place)} has no dump, so nothing of it is mirrored")
    if len(without) > _MAX_LISTED:
        notify(f"… and {len(without) - _MAX_LISTED:,} more addons without a dump")


def _verify(destination: str, options: CrawlOptions) -> None:
    from northflank_async.cli.progress import download_bar

    shown = printable(destination)

    async def work() -> "Verification":
        with require_extra():
            from northflank_async.mirror import verify
        with download_bar(quiet=options.quiet) as bar:
            task = bar.add_task("", total=None)

            def report(done: int, total: int) -> None:
                bar.update(task, completed=done, total=total)

            return await verify(destination, concurrency=options.concurrency, on_verified=report)

    found = run_without_client(options, work, Operation(target=shown, access="read"))
    for kind, paths in (
        ("missing", [copy.path for copy in found.missing]),
        ("changed", [copy.path for copy in found.changed]),
        ("damaged", [error.place for error in found.damaged]),
        ("extra", found.extra),
    ):
        for path in paths:
            click.echo(f"{kind} {printable(path)}")
    bytes_ = sum(copy.size for copy in found.intact)
    summary = f"{len(found.intact):,} intact ({_size(bytes_)})"
    for name in ("missing", "changed", "damaged", "extra"):
        summary += f", {len(getattr(found, name)):,} {name}"
    if found.is_intact:
        click.echo(summary)
    else:
        fail(f"{shown} is not what its manifest says: {summary}", ExitCode.FAILURES)
