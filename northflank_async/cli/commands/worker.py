from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from northflank_async.cli.exits import ExitCode, fail
from northflank_async.cli.login import find_default
from northflank_async.cli.options import (
    AccountsOptions,
    ApiOptions,
    ConnectionOptions,
    accounts_options,
    message_options,
    parse_span,
    report_options,
    schema_option,
)
from northflank_async.cli.output import count, notify, without_password, write_reports
from northflank_async.cli.runner import Operation, run_without_client
from northflank_async.inventory.extras import require_extra
from northflank_async.inventory.store.target import SCHEMA

if TYPE_CHECKING:  # imported inside require_extra
    from northflank_async.fleet.queue import AccountState


@click.command()
@click.argument("url")
@accounts_options
@click.option("--every", type=parse_span, metavar="SPAN", help="Sync each account this often: 15m, 1h, 1d; default 1h.")
@click.option("--cron", metavar="EXPRESSION", help="Sync each account at these times, in UTC, such as '0 */6 * * *'.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 100),
    metavar="NUMBER",
    default=8,
    show_default=True,
    help="Accounts that this worker syncs at the same time.",
)
@click.option("--restores", is_flag=True, help="Include restores.")
@click.option("--schedules", is_flag=True, help="Include backup schedules, which an audit needs, like restores.")
@schema_option
@message_options
def run_worker(
    options: ConnectionOptions,
    url: str,
    accounts: AccountsOptions,
    every: timedelta | None,
    cron: str | None,
    concurrency: int,
    restores: bool,
    schedules: bool,
    schema: str | None,
) -> None:
    """Sync many accounts into one database, again and again.

    URL is postgresql://USER:PASSWORD@HOST/DATABASE, of the server itself and not of a connection pooler. It holds the
    inventory, and the queue in a schema of its own.

    Start as many workers as you like, on any number of machines, with the same accounts: no account is synced by two
    of them at once. A sync that fails is retried later. If a worker dies, another one resumes its syncs. A worker
    that is terminated hands its syncs back.

    \b
    northflank-async worker --accounts accounts.toml postgresql://backups@db.example.com/inventory --every 1h
    northflank-async worker status postgresql://backups@db.example.com/inventory
    """
    if every is not None and cron is not None:
        raise click.UsageError("--every cannot be combined with --cron.")
    with require_extra():
        from northflank_async.fleet.queue import this_worker
        from northflank_async.fleet.worker import Worker, cron_of

    async def work() -> None:
        entries = accounts.find() or [find_default()]
        worker = Worker(
            url=url,
            entries=entries,
            cron=cron or cron_of(every or timedelta(hours=1)),
            concurrency=concurrency,
            restores=restores,
            schedules=schedules,
            schema=schema or SCHEMA,
            client_arguments=options.client_arguments,
        )
        if not options.quiet:
            notify(f"worker {this_worker()}: {count(len(entries), 'account')}, at {worker.cron!r} in UTC")
        await worker.run()

    handed_back = "the accounts were handed back to the queue"
    run_without_client(options, work, Operation(if_stopped=handed_back, target=without_password(url)))


@click.command()
@click.argument("url")
@schema_option
@report_options
def show_status(options: ApiOptions, url: str, schema: str | None) -> None:
    """Show the accounts that workers sync.

    For each account: its state (running, waiting for a worker, retrying, idle, or stalled until another worker takes
    over from one that died), the last success, the next run, the worker that is syncing it, and the failures since the
    last success. The exit code is 9 if an account's last sync has failed.

    \b
    northflank-async worker status postgresql://backups@db.example.com/inventory
    """
    with require_extra():
        from northflank_async.fleet.queue import Queue

    async def work() -> "list[AccountState]":
        return await Queue(url, schema=schema or SCHEMA).states()

    operation = Operation(target=without_password(url), access="read")
    reports = [_report(state) for state in run_without_client(options, work, operation)]
    write_reports(reports, "states", options)
    if failed := [report for report in reports if report["failures"]]:
        fail(f"the last sync of {len(failed):,} of {count(len(reports), 'account')} failed", ExitCode.FAILURES)


def _report(state: "AccountState") -> dict[str, Any]:
    """Describe the state of an account with the documented keys."""
    return {
        "account": state.name,
        "state": state.state,
        "runningOn": state.worker,
        "startedAt": _time(state.started_at),
        "lastSuccessAt": _time(state.succeeded_at),
        "nextRunAt": _time(state.next_at),
        "failures": state.failures,
        "lastFailureAt": _time(state.failed_at),
        "error": state.error,
        "unread": state.unread,
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
