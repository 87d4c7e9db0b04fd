"""Runs a command's coroutine with a client on one event loop, and turns failures into one line and an exit code."""

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click
from attrs import frozen

from northflank_async.cli.exits import ExitCode, fail, fail_request, fail_target
from northflank_async.cli.login import find_login
from northflank_async.cli.options import ApiOptions, ConnectionOptions, CrawlOptions
from northflank_async.cli.output import notify, write_run
from northflank_async.client import Account, Northflank
from northflank_async.errors import ApiError, ConfigurationError, NorthflankError, TransportError
from northflank_async.records import Backup, Restore

if TYPE_CHECKING:  # only export and plan need an inventory
    from northflank_async.inventory import OnStart

T = TypeVar("T")


@frozen(kw_only=True)
class Operation:
    """Describes a command for its failure messages.

    Args:
        permission: the permission that its requests need.
        if_stopped: the state it leaves behind if it fails or is interrupted.
        if_refused: the same if the API cannot have acted; by default `if_stopped`.
        target: the file or database it writes; `None` is standard output.
        access: what it does with the target: `"write"`, `"read"` or `"use"`.
    """

    permission: str = "Project > Addons > General > Read"
    if_stopped: str = "nothing is lost"
    if_refused: str | None = None
    target: str | None = None
    access: str = "write"

    def state_after(self, error: NorthflankError) -> str:
        """The state that a failed request leaves behind."""
        refused = (isinstance(error, ApiError) and error.status < 500) or (
            isinstance(error, TransportError) and not error.sent
        )
        return self.if_refused if refused and self.if_refused else self.if_stopped


READ = Operation()
CHANGE = Operation(
    permission="Project > Addons > General > Update",
    if_stopped="the change may have been made: check before you retry",
    if_refused="nothing was changed",
)


def run_coroutine(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on an event loop; on uvloop if it is installed."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(coroutine)


def run(options: ApiOptions, work: Callable[[Account], Awaitable[T]], operation: Operation = READ) -> T:
    """Run the calls of `work` in the account, or in the team that the options name."""
    return _run_with_client(
        options,
        lambda nf: work(nf if options.team_id is None else nf.team(options.team_id)),
        operation,
        _plain_handler(),
    )


def run_with_progress(
    options: CrawlOptions, work: Callable[[Northflank, "OnStart"], Awaitable[T]], operation: Operation = READ
) -> T:
    """Run work that reports its progress, with a bar at a terminal."""
    from northflank_async.cli.progress import CrawlProgress, LogHandler, stderr_console

    console = stderr_console(quiet=options.quiet)

    async def with_bar(nf: Northflank) -> T:
        with CrawlProgress(console, lambda: nf.rate_limit) as progress:
            return await work(nf, progress.start)

    handler = _plain_handler()
    if console.is_terminal:
        handler = LogHandler(console)
        if not options.verbose:
            handler.addFilter(lambda record: not hasattr(record, "reset_after"))  # the bar shows waits
    return _run_with_client(options, with_bar, operation, handler)


def wait_for_end(
    options: ApiOptions, name: str, key: str, ending: Callable[[Account], Awaitable[Backup | Restore]]
) -> None:
    """Wait until a backup or a restore ends, and write its record; fail unless it completes."""
    from northflank_async.cli.progress import stderr_console

    if not options.quiet:
        notify(f"{name} started")  # its id, should the wait be interrupted
    console = stderr_console(quiet=options.quiet)

    async def with_spinner(account: Account) -> Backup | Restore:
        with console.status("waiting for it to end…"):
            return await ending(account)

    try:
        run(
            options,
            lambda account: write_run(with_spinner(account), key, options.format),
            Operation(if_stopped=f"{name} continues"),
        )
    except TimeoutError as error:
        fail(f"{error}; it continues", ExitCode.TIMEOUT)


def confirm(question: str, *, yes: bool) -> None:
    """Ask before a destructive change, unless `--yes` was passed.

    Raises:
        click.UsageError: there is no terminal to ask at.
    """
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError("This is destructive: pass --yes to confirm.")
    try:
        if click.confirm(question, err=True):
            return
    except click.Abort:  # Ctrl-C or Ctrl-D
        click.echo(err=True)
    fail("nothing was changed", ExitCode.DECLINED)


def _run_with_client(
    options: ConnectionOptions,
    work: Callable[[Northflank], Awaitable[T]],
    operation: Operation,
    handler: logging.Handler,
) -> T:
    try:
        with _logging_to(handler, options):
            return run_coroutine(_with_client(options, work))
    except NorthflankError as error:
        fail_request(error, state=operation.state_after(error), permission=operation.permission)
    except OSError as error:
        if operation.target is None:
            raise
        fail_target(operation.target, error, access=operation.access)
    except KeyboardInterrupt:
        fail(f"interrupted; {operation.if_stopped}", ExitCode.INTERRUPTED)
    except asyncio.CancelledError:
        fail(f"terminated; {operation.if_stopped}", ExitCode.TERMINATED)


async def _with_client(options: ConnectionOptions, work: Callable[[Northflank], Awaitable[T]]) -> T:
    task = asyncio.current_task()
    if task and sys.platform != "win32":
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    simulate = isinstance(options, CrawlOptions) and options.simulate
    async with _simulated_client(options) if simulate else _client(options) as nf:
        return await work(nf)


@asynccontextmanager
async def _simulated_client(options: ConnectionOptions) -> AsyncIterator[Northflank]:
    from northflank_async.simulator import Simulator

    async with (
        Simulator(latency=0.03) as sim,
        Northflank(sim.token, base_url=sim.url, **options.client_arguments) as nf,
    ):
        yield nf


def _client(options: ConnectionOptions) -> Northflank:
    login = find_login(options.context)
    if login.token == "":
        raise ConfigurationError("no token: set NORTHFLANK_API_TOKEN, or log in with 'northflank login'")
    if options.context is not None and not options.quiet:
        for name, variable in login.overridden.items():
            notify(f"{variable} overrides the {name} of context {options.context!r}")
    return Northflank(login.token, base_url=login.base_url, **options.client_arguments)


@contextmanager
def _logging_to(handler: logging.Handler, options: ConnectionOptions) -> Iterator[None]:
    """Log waits and what else matters; with `--verbose` also retries and every request, with `--quiet` nothing."""
    if options.quiet:
        yield
        return
    log = logging.getLogger("northflank_async")
    log.setLevel(logging.DEBUG if options.verbose else logging.INFO)
    if not options.verbose:
        handler.addFilter(lambda record: not hasattr(record, "attempt"))  # a retry, which a bar counts
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


def _plain_handler() -> logging.Handler:
    """Write each log record to standard error as one line."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("northflank-async: %(message)s"))
    return handler


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
