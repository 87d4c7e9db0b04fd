import asyncio
import signal
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from northflank_async.audit.policy import Policy
from northflank_async.cli.options import (
    AccountsOptions,
    CrawlOptions,
    QueryOptions,
    accounts_options,
    check_schema_option,
    complete_target,
    crawl_options,
    max_data_age_option,
    parse_span,
    policy_option,
    schema_option,
)
from northflank_async.cli.output import is_database, without_password
from northflank_async.cli.runner import Operation, handle_signals, open_clients, run_without_client
from northflank_async.inventory.extras import require_extra

if TYPE_CHECKING:
    from northflank_async.audit.report import Report

_EVERYTHING = QueryOptions(projects=(), team_ids=(), addon_types=(), restores=True, schedules=True)


def parse_address(text: str) -> tuple[str, int]:
    """Parse a host and a port: `127.0.0.1:9090`, `[::1]:9090`."""
    host, _, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    if not host or not (port.isascii() and port.isdecimal()) or int(port) > 65535:
        raise click.BadParameter(f"{text!r} is not a host and a port, such as 127.0.0.1:9090 or [::1]:9090")
    return host, int(port)


@click.command()
@click.argument("target", shell_complete=complete_target)
@click.option(
    "--every",
    type=parse_span,
    metavar="SPAN",
    default="1h",
    show_default=True,
    help="Time from the start of one sync to that of the next one.",
)
@click.option(
    "--listen",
    "address",
    type=parse_address,
    metavar="HOST:PORT",
    default="127.0.0.1:9090",
    show_default=True,
    help="Address to serve at. Whoever reaches it can read the report.",
)
@policy_option
@max_data_age_option
@schema_option
@accounts_options
@crawl_options
def watch_inventory(
    options: CrawlOptions,
    accounts: AccountsOptions,
    target: str,
    every: timedelta,
    address: tuple[str, int],
    policy_path: Path | None,
    max_data_age: timedelta | None,
    schema: str | None,
) -> None:
    """Sync into TARGET on a timer, audit it, and serve the result.

    TARGET is a file (.db for SQLite) or postgresql://USER:PASSWORD@HOST/DATABASE. At the address are /metrics for
    Prometheus, the HTML report at /, and /healthz, which is 503 if the last sync began more than two intervals ago.

    After a sync that failed, what is stored is served, with its age. --deadline is for each sync. Ctrl-C and SIGTERM
    end it cleanly: what was read is stored, and the next sync resumes.

    \b
    northflank-async watch inventory.db --every 1h --listen 127.0.0.1:9090
    northflank-async watch inventory.db --accounts accounts.toml --policy policy.toml
    """
    if not is_database(target):
        raise click.UsageError("TARGET must be a database: a .db file or a postgresql:// URL.")
    if options.simulate:
        raise click.UsageError("--simulate is for one export: start northflank-async simulate for watch.")
    check_schema_option(schema, target)
    policy = Policy() if policy_path is None else Policy.load(policy_path)
    if max_data_age is not None:
        policy = policy.with_max_data_age(max_data_age)
    with require_extra():
        from northflank_async.audit import audit
        from northflank_async.audit.watch import Watch
        from northflank_async.inventory.inventory import Inventory

    async def work() -> None:
        async with Inventory(target, schema=schema) if schema else Inventory(target) as inventory:

            async def sync() -> None:
                async with open_clients(options, accounts) as clients:  # reads the tokens again, which may change
                    await inventory.sync(*_EVERYTHING.of_each(clients), concurrency=options.concurrency)

            async def judge() -> "Report":
                return await audit(inventory, policy)

            watch = Watch(sync, judge, every=every)
            task = asyncio.ensure_future(watch.run(*address, on_listening=click.echo))
            handle_signals((signal.SIGINT, signal.SIGTERM), task.cancel)
            with suppress(asyncio.CancelledError):
                await task

    shown = without_password(target)
    run_without_client(options, work, Operation(if_stopped="the next sync resumes", target=shown, access="use"))
