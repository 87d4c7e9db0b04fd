from datetime import UTC, datetime

import click

from northflank_async.cli.exits import ExitCode, fail_incomplete
from northflank_async.cli.options import (
    CrawlOptions,
    QueryOptions,
    crawl_options,
    query_options,
)
from northflank_async.cli.output import duration
from northflank_async.cli.runner import run_with_progress
from northflank_async.client import Northflank
from northflank_async.inventory import OnStart, Plan, plan


@click.command()
@query_options
@crawl_options
def plan_export(options: CrawlOptions, query: QueryOptions) -> None:
    """Estimate the requests and the time of an export.

    This lists projects and addons, but no backups.

    \b
    northflank-async plan
    northflank-async plan --addon-type postgresql
    """

    async def work(nf: Northflank, _: OnStart) -> Plan:
        return await plan(query.for_client(nf), concurrency=options.concurrency)

    estimate = run_with_progress(options, work)
    seconds = max(0, round((estimate.done_at - datetime.now(UTC)).total_seconds()))
    click.echo(f"projects   {estimate.projects:,}")
    click.echo(f"addons     {estimate.addons:,}")
    click.echo(
        f"requests   at least {estimate.requests:,}: an addon takes one more for each 100 backups after the first 100"
    )
    if estimate.remaining is not None:
        limit = "" if estimate.limit is None else f" of {estimate.limit:,}"
        click.echo(f"remaining  {estimate.remaining:,}{limit} in this window")
    click.echo(f"done       {estimate.done_at.astimezone():%Y-%m-%d %H:%M:%S} at the earliest, in {duration(seconds)}")
    fail_incomplete(estimate.failures, ExitCode.FAILURES, "the plan does not include them")
