import asyncio
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from datetime import timedelta
from io import StringIO
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NoReturn

import click

from northflank_async.atomic_write import atomic_write, check_writable
from northflank_async.audit.policy import Policy, Severity
from northflank_async.audit.renderers import FORMATS, Render, load_renderer
from northflank_async.audit.renderers.nagios import State, find_state, status_line
from northflank_async.cli.exits import (
    ExitCode,
    describe_failures,
    fail,
    fail_incomplete,
    fail_target,
    list_failures,
)
from northflank_async.cli.options import (
    AccountsOptions,
    Choice,
    CrawlOptions,
    accounts_options,
    check_schema_option,
    choice_of,
    complete_target,
    crawl_options,
    max_data_age_option,
    policy_option,
    schema_option,
)
from northflank_async.cli.output import without_password
from northflank_async.cli.runner import run_coroutine, run_with_progress
from northflank_async.errors import ConfigurationError
from northflank_async.inventory import AccountOutcome, OnStart, Query
from northflank_async.inventory.extras import require_extra

if TYPE_CHECKING:
    from northflank_async.audit.report import Report
    from northflank_async.cli.options import Client

_NAGIOS = "nagios"


class AuditCommand(click.Command):
    """For Nagios, every failure has its exit code for an unknown state, and a line on standard output."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Parse the command line."""
        with _unknown_on_failure(_asks_for_nagios(args)):
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _unknown_on_failure(ctx.params.get("output") == _NAGIOS):
            return super().invoke(ctx)


@click.command(cls=AuditCommand)
@click.argument("target", required=False, shell_complete=complete_target)
@policy_option
@click.option("-o", "--output", type=Choice(FORMATS), default="table", help="Defaults to table.")
@click.option(
    "--output-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the report atomically to a file.",
)
@click.option(
    "--fail-on",
    type=choice_of(Severity),
    default=Severity.HIGH.value,
    show_default=True,
    help="Exit with 1 if there are findings of this severity or a higher one.",
)
@max_data_age_option
@schema_option
@accounts_options
@crawl_options
def audit_inventory(
    options: CrawlOptions,
    accounts: AccountsOptions,
    target: str | None,
    policy_path: Path | None,
    output: str,
    output_file: Path | None,
    fail_on: str,
    max_data_age: timedelta | None,
    schema: str | None,
) -> None:
    """Judge the inventory TARGET by rules.

    TARGET is a database that an export with --restores and --schedules wrote; no request is sent. Without one, backups,
    restores and schedules are synced into a temporary database first.

    The exit code is 0 if nothing is found at or above --fail-on, and 1 otherwise. What could not be checked counts as
    found.

    \b
    northflank-async audit inventory.db
    northflank-async audit inventory.db --policy policy.toml -o json --fail-on medium
    """
    check_schema_option(schema, target)
    policy = Policy() if policy_path is None else Policy.load(policy_path)
    if max_data_age is not None:
        policy = policy.with_max_data_age(max_data_age)
    if output_file is not None:
        _check_output_file(output_file, target, policy_path)
    renderer = load_renderer(output)
    read: list[AccountOutcome] = []
    if target is None:

        async def work(clients: "list[Client]", on_start: OnStart) -> "tuple[Report, list[AccountOutcome]]":
            return await _sync_and_audit(clients, on_start, policy, options)

        report, read = run_with_progress(options, accounts, work)
    elif accounts.are_named:
        raise click.UsageError("--accounts, --context and --all-contexts cannot be combined with TARGET.")
    else:
        report = _audit_stored(target, schema, policy)
    severity = Severity(fail_on)
    if output == "table" and output_file is None:
        _print_table(report)
    else:
        _write(report, renderer, output_file, severity)
    if output == _NAGIOS:
        sys.exit(find_state(report, severity))
    if report.failing(severity):
        list_failures(describe_failures(read))
        sys.exit(ExitCode.FINDINGS)
    fail_incomplete(describe_failures(read), ExitCode.FAILURES, "everything else was judged")


def _check_output_file(path: Path, *inputs: str | Path | None) -> None:
    """Check that a report can be written to a file, before any request, and that it replaces none that is read."""
    resolved = os.path.realpath(path)
    if any(resolved == os.path.realpath(each) for each in inputs if each is not None):
        raise click.UsageError(f"--output-file would replace {path}, which is read.")
    try:
        check_writable(path)
    except OSError as error:
        fail_target(str(path), error)


def _audit_stored(target: str, schema: str | None, policy: Policy) -> "Report":
    shown = without_password(target)
    try:
        return run_coroutine(_audit(target, schema, policy))
    except ConfigurationError as error:
        fail(f"{error}", ExitCode.CONFIGURATION)
    except OSError as error:
        fail_target(shown, error, access="read")


async def _audit(target: str, schema: str | None, policy: Policy) -> "Report":
    with require_extra():
        from northflank_async.audit import audit
        from northflank_async.inventory.inventory import Inventory
    async with Inventory(target, schema=schema) if schema else Inventory(target) as inventory:
        return await audit(inventory, policy)


async def _sync_and_audit(
    clients: "list[Client]", on_start: OnStart, policy: Policy, options: CrawlOptions
) -> "tuple[Report, list[AccountOutcome]]":
    with require_extra():
        from northflank_async.audit import audit
        from northflank_async.inventory.inventory import Inventory
    with TemporaryDirectory(prefix="northflank-async-") as folder:
        async with Inventory(Path(folder) / "inventory.db") as inventory:
            wanted: dict[str, Any] = {"restores": True, "schedules": True}
            queries = [Query(nf, **wanted) if entry is None else entry.query(nf, **wanted) for entry, nf in clients]
            outcome = await inventory.sync(*queries, concurrency=options.concurrency, on_start=on_start)
            return await audit(inventory, policy, is_temporary=True), outcome.accounts


def _print_table(report: "Report") -> None:
    from rich.console import Console

    from northflank_async.audit.renderers.table import write

    write(report, Console())


def _write(report: "Report", renderer: Render, output_file: Path | None, fail_on: Severity) -> None:
    text = renderer(report, fail_on)
    if output_file is None:
        click.echo(text, nl=False)
        return
    try:
        with atomic_write(output_file) as file:
            file.write(text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        fail_target(str(output_file), error)


def _asks_for_nagios(args: Sequence[str]) -> bool:
    """Whether the command line asks for Nagios' output, even if it cannot be parsed."""
    words = (f"-o{_NAGIOS}", f"--output={_NAGIOS}")
    pairs = pairwise(args)
    return any(word in words for word in args) or any(
        option in ("-o", "--output") and value == _NAGIOS for option, value in pairs
    )


@contextmanager
def _unknown_on_failure(is_nagios: bool) -> Iterator[None]:
    """Turn every failure into Nagios' unknown state, if its output was asked for: it only reads standard output."""
    if not is_nagios:
        yield
        return
    messages = StringIO()
    try:
        with redirect_stderr(messages):
            yield
    except click.exceptions.Exit:  # --help
        raise
    except (KeyboardInterrupt, asyncio.CancelledError):
        _exit_unknown("interrupted")
    except Exception as error:
        is_expected = isinstance(error, click.UsageError | ConfigurationError | OSError)
        if not is_expected:
            traceback.print_exc()
        _exit_unknown(error.format_message() if isinstance(error, click.UsageError) else str(error))
    except SystemExit as error:
        if isinstance(error.code, State) or not error.code:
            raise
        last = messages.getvalue().strip().splitlines()[-1:]
        _exit_unknown(last[0].removeprefix("northflank-async: ") if last else "the audit failed")


def _exit_unknown(text: str) -> NoReturn:
    click.echo(status_line(State.UNKNOWN, text), nl=False)
    sys.exit(State.UNKNOWN)
