import sys

import click

from northflank_async.cli.exits import ExitCode, fail_incomplete
from northflank_async.cli.options import (
    CrawlOptions,
    QueryOptions,
    crawl_options,
    filtered_query_options,
    target_argument,
)
from northflank_async.cli.output import count
from northflank_async.cli.runner import Operation, run_with_progress
from northflank_async.client import Northflank
from northflank_async.errors import ConfigurationError
from northflank_async.inventory import OnStart, Outcome
from northflank_async.inventory.extras import require_extra
from northflank_async.inventory.stream import stream

_STRICT_FILE = "no file was written: run the same command to fetch only what is missing, or omit --strict"
_STRICT_DATABASE = "everything else is in the database: run the same command to fetch only what is missing"


@click.command()
@target_argument
@filtered_query_options
@click.option("--strict", is_flag=True, help="Write no file if anything could not be read.")
@crawl_options
def export_inventory(options: CrawlOptions, target: str, query: QueryOptions, strict: bool) -> None:
    """Export the backup inventory to TARGET.

    TARGET is a file (.jsonl, .csv, .parquet, or .db for SQLite), postgresql://USER:PASSWORD@HOST/DATABASE, or - for
    JSON Lines on standard output. Run the same command again to resume an export that was interrupted or killed.

    A file is written atomically. A database is brought up to date: deleted backups are kept and marked, and --status
    and --since limit what is inserted, not what is updated. Only --project, --team and --addon-type save requests.

    \b
    northflank-async export inventory.jsonl
    northflank-async export failed.csv --status failed --since 2026-11-01
    """
    to_stdout = target == "-"
    if to_stdout and (strict or query.restores):
        raise click.UsageError("--strict and --restores require a file or a database.")

    async def work(nf: Northflank, on_start: OnStart) -> Outcome:
        if to_stdout:
            return await stream(
                sys.stdout.buffer, query.for_client(nf), concurrency=options.concurrency, on_start=on_start
            )
        with require_extra():
            from northflank_async.inventory.export import export
        return await export(
            target, query.for_client(nf), concurrency=options.concurrency, strict=strict, on_start=on_start
        )

    if to_stdout:
        shown, operation = "standard output", Operation(if_stopped="output to stdout cannot be resumed")
    else:
        shown = _without_password(target)
        operation = Operation(if_stopped="run the same command to resume", target=shown)
    outcome = run_with_progress(options, work, operation)
    if strict:
        is_database = "://" in target or target.lower().endswith(".db")
        fail_incomplete(outcome.failures, ExitCode.STRICT, _STRICT_DATABASE if is_database else _STRICT_FILE)
    crawled, resumed = outcome.progress, ", resumed" if outcome.resumed else ""
    click.echo(
        f"{count(outcome.backups, 'backup')} of {count(crawled.addons, 'addon')}"
        f" in {count(crawled.projects, 'project')} written to {shown} ({count(crawled.requests, 'request')}{resumed})",
        err=to_stdout,
    )
    fail_incomplete(outcome.failures, ExitCode.FAILURES, "everything else is complete")


def _without_password(target: str) -> str:
    if "://" not in target:
        return target
    try:
        with require_extra():
            from northflank_async.inventory.store.target import Target
        return str(Target.parse(target))
    except ConfigurationError:
        return "the database"  # the export itself reports what is wrong with the URL
