import sys
from typing import TYPE_CHECKING

import click

from northflank_async.cli.exits import ExitCode, describe_failures, fail_incomplete
from northflank_async.cli.options import (
    AccountsOptions,
    CrawlOptions,
    QueryOptions,
    StoreOptions,
    accounts_options,
    check_csv_option,
    check_schema_option,
    crawl_options,
    export_query_options,
    store_options,
    target_argument,
)
from northflank_async.cli.output import count, is_database, without_password
from northflank_async.cli.runner import Operation, run_with_progress
from northflank_async.inventory import OnStart, Outcome
from northflank_async.inventory.extras import require_extra
from northflank_async.inventory.names import check_names
from northflank_async.inventory.stream import stream

if TYPE_CHECKING:
    from northflank_async.cli.options import Client

_STRICT_FILE = "no file was written: run the same command to fetch only what is missing, or omit --strict"
_STRICT_DATABASE = (
    "everything else is in the database, and the export is unfinished: run the same command to fetch only what is"
    " missing, or omit --strict"
)


@click.command()
@target_argument
@export_query_options
@store_options
@accounts_options
@crawl_options
def export_inventory(
    options: CrawlOptions, accounts: AccountsOptions, target: str, query: QueryOptions, store: StoreOptions
) -> None:
    """Export the backup inventory to TARGET.

    TARGET is a file (.jsonl, .csv, .parquet, or .db for SQLite), postgresql://USER:PASSWORD@HOST/DATABASE, or - for
    JSON Lines on standard output. Append .gz or .zst to .jsonl or .csv to compress the file.

    Run the same command again to resume an export that was interrupted or killed.

    A file is written atomically. A database is brought up to date: deleted backups are kept and marked, and --status
    and --since limit what is inserted, not what is updated. Only --project, --team and --addon-type save requests.

    \b
    northflank-async export inventory.jsonl
    northflank-async export failed.csv --status failed --since 7d
    northflank-async export inventory.db --accounts accounts.toml
    """
    to_stdout = target == "-"
    if to_stdout and (store.strict or query.restores):
        raise click.UsageError("--strict and --restores require a file or a database.")
    if query.schedules and not is_database(target):
        raise click.UsageError("--schedules requires a database.")
    check_schema_option(store.schema, target)
    check_csv_option(store.csv_raw, target)

    async def work(clients: "list[Client]", on_start: OnStart) -> Outcome:
        wanted = query.of_each(clients)
        if to_stdout:
            await check_names(*wanted)
            return await stream(sys.stdout.buffer, *wanted, concurrency=options.concurrency, on_start=on_start)
        with require_extra():
            from northflank_async.inventory.export import check_target, export
        check_target(target)
        await check_names(*wanted)
        return await export(target, *wanted, concurrency=options.concurrency, on_start=on_start, **store.arguments)

    async def counted(clients: "list[Client]", on_start: OnStart) -> tuple[Outcome, int]:
        return await work(clients, on_start), sum(nf.budget.spent for _, nf in clients)

    if to_stdout:
        shown, operation = "standard output", Operation(if_stopped="output to stdout cannot be resumed")
    else:
        shown = without_password(target)
        operation = Operation(if_stopped="run the same command to resume", target=shown)
    outcome, requests = run_with_progress(options, accounts, counted, operation)
    if store.strict:
        consequence = _STRICT_DATABASE if is_database(target) else _STRICT_FILE
        fail_incomplete(describe_failures(outcome.accounts), ExitCode.STRICT, consequence)
    crawled = outcome.progress
    details = [count(requests, "request")]
    if crawled.retries:
        details.append("1 of them a retry" if crawled.retries == 1 else f"{crawled.retries:,} of them retries")
    if outcome.resumed:
        details.append("resumed")
    read = {account.account_id for account in outcome.accounts if account.error is None or account.backups}
    several = f" of {count(len(read), 'account')}" if len(outcome.accounts) > 1 else ""
    click.echo(
        f"{count(outcome.backups, 'backup')} of {count(crawled.addons, 'addon')}"
        f" in {count(crawled.projects, 'project')}{several} written to {shown} ({', '.join(details)})",
        err=to_stdout,
    )
    fail_incomplete(describe_failures(outcome.accounts), ExitCode.FAILURES, "everything else is complete")
