from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from northflank_async.cli.exits import ExitCode, describe_failures, fail_incomplete
from northflank_async.cli.options import (
    AccountsOptions,
    CrawlOptions,
    QueryOptions,
    accounts_options,
    check_schema_option,
    crawl_options,
    optional_target_argument,
    query_options,
    schema_option,
)
from northflank_async.cli.output import duration, is_database, without_password
from northflank_async.cli.runner import Operation, run_with_progress
from northflank_async.inventory import OnStart, Plan, plan
from northflank_async.inventory.extras import require_extra
from northflank_async.inventory.names import check_names

if TYPE_CHECKING:
    from northflank_async.cli.options import Client


@click.command()
@optional_target_argument
@query_options
@schema_option
@accounts_options
@crawl_options
def plan_export(
    options: CrawlOptions, accounts: AccountsOptions, target: str | None, query: QueryOptions, schema: str | None
) -> None:
    """Estimate the requests and the time of an export to TARGET.

    This lists projects and addons, but no backups. If TARGET is a database with an inventory, the estimate includes
    as many backups as it has.

    \b
    northflank-async plan
    northflank-async plan inventory.db --addon-type postgresql
    """
    check_schema_option(schema, target)

    async def work(clients: "list[Client]", _: OnStart) -> Plan:
        wanted = query.of_each(clients)
        if target is None or target == "-":
            await check_names(*wanted)
            return await plan(*wanted, concurrency=options.concurrency)
        with require_extra():
            from northflank_async.inventory.export import check_target
            from northflank_async.inventory.inventory import Inventory
        check_target(target)
        await check_names(*wanted)
        if not is_database(target):
            return await plan(*wanted, concurrency=options.concurrency)
        async with Inventory(target, schema=schema) if schema else Inventory(target) as inventory:
            return await plan(*wanted, concurrency=options.concurrency, inventory=inventory)

    shown = None if target is None else without_password(target)
    estimate = run_with_progress(options, accounts, work, Operation(target=shown, access="use"))
    seconds = max(0, round((estimate.done_at - datetime.now(UTC)).total_seconds()))
    if len(estimate.accounts) > 1:
        click.echo(f"accounts   {len(estimate.accounts):,}")
    click.echo(f"projects   {estimate.projects:,}")
    click.echo(f"addons     {estimate.addons:,}")
    if estimate.expected_requests is None:
        click.echo(f"requests   at least {estimate.requests:,}, plus one for each further 100 backups of an addon")
        least = " at the earliest"
    else:
        click.echo(f"requests   about {estimate.expected_requests:,}, for as many backups as {shown} has")
        least = ""
    if estimate.remaining is not None:
        limit = "" if estimate.limit is None else f" of {estimate.limit:,}"
        click.echo(f"remaining  {estimate.remaining:,}{limit} in this window")
    click.echo(f"done       {estimate.done_at.astimezone():%Y-%m-%d %H:%M:%S}{least}, in {duration(seconds)}")
    fail_incomplete(describe_failures(estimate.accounts), ExitCode.FAILURES, "the plan does not include them")
