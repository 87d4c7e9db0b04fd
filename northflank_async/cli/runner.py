"""Runs a command's coroutine with a client on one event loop, and turns failures into one line and an exit code."""

import asyncio
import logging
import signal
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

import click
from attrs import define, evolve

from northflank_async.cli.exits import ExitCode, fail, fail_request, fail_target
from northflank_async.cli.login import find_login
from northflank_async.cli.options import AccountsOptions, ApiOptions, ConnectionOptions, CrawlOptions
from northflank_async.cli.output import notify, write_run
from northflank_async.cli.streams import at_terminal, can_show, check_stdout
from northflank_async.client import Account, Northflank
from northflank_async.errors import ConfigurationError, DeadlineExceeded, NorthflankError
from northflank_async.records import Backup, Restore

if TYPE_CHECKING:  # only export and plan need an inventory
    from northflank_async.cli.options import Client
    from northflank_async.inventory import OnStart

T = TypeVar("T")
_Handler = Callable[[int, FrameType | None], Any] | int | signal.Handlers | None


@define(kw_only=True)
class Operation:
    """Describes a command for its failure messages.

    Args:
        permission: the permission that its requests need.
        if_stopped: the state it leaves behind if it fails or is interrupted.
        if_refused: the same if the change that failed was not made; by default `if_stopped`.
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
        if error.changed:
            return "the change was made"
        return self.if_refused if error.changed is False and self.if_refused else self.if_stopped

    @property
    def writes_result(self) -> bool:
        """Whether its result goes to standard output. Else that only gets a summary."""
        return self.target is None or self.access != "write"


READ = Operation()
CHANGE = Operation(
    permission="Project > Addons > General > Update",
    if_stopped="the change may have been made: check before you retry",
    if_refused="nothing was changed",
)


def run_coroutine(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on an event loop; on uvloop if it is installed. Ctrl-C, SIGTERM and SIGHUP cancel it.

    A second Ctrl-C, or one that comes when it has ended, does what it does elsewhere.
    """
    elsewhere = signal.getsignal(signal.SIGINT)
    with interruptible(), asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_until_stopped(coroutine, elsewhere))


async def _until_stopped(coroutine: Coroutine[Any, Any, T], elsewhere: _Handler) -> T:
    task, by_runner = asyncio.current_task(), signal.getsignal(signal.SIGINT)
    if task and sys.platform != "win32":
        handle_signals((signal.SIGTERM, signal.SIGHUP), task.cancel)
    if not callable(by_runner) or by_runner is elsewhere:  # ignored, or not the main thread
        return await coroutine

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, elsewhere)
        by_runner(number, frame)

    signal.signal(signal.SIGINT, interrupt)
    try:
        return await coroutine
    finally:
        signal.signal(signal.SIGINT, elsewhere)


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise `KeyboardInterrupt` on Ctrl-C in a block that can handle it. Elsewhere, that ends the process at once."""
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def handle_signals(numbers: Iterable[signal.Signals], handle: Callable[[], object]) -> None:
    """Handle signals in the running event loop. Those that were ignored at the start stay ignored, as nohup wants."""
    for number in numbers:
        if signal.getsignal(number) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, handle)


def run(options: ApiOptions, work: Callable[[Account], Awaitable[T]], operation: Operation = READ) -> T:
    """Run the calls of `work` in the account, or in the team that the options name."""
    return _run_with_client(
        options,
        lambda nf: work(nf if options.team_id is None else nf.team(options.team_id)),
        operation,
        _plain_handler(),
    )


def run_without_client(
    options: ConnectionOptions, work: Callable[[], Coroutine[Any, Any, T]], operation: Operation = READ
) -> T:
    """Run work that opens its clients itself."""
    return _run(options, work, operation, _plain_handler())


def run_with_progress(
    options: CrawlOptions,
    accounts: AccountsOptions,
    work: Callable[["list[Client]", "OnStart"], Awaitable[T]],
    operation: Operation = READ,
) -> T:
    """Run work that reads one or several accounts and reports its progress, with a bar at a terminal."""
    from northflank_async.cli.progress import CrawlProgress, LogHandler, stderr_console

    console = stderr_console(quiet=options.quiet)

    async def with_bar() -> T:
        async with open_clients(options, accounts) as clients:
            only = clients[0][1] if len(clients) == 1 else None
            with CrawlProgress(console, lambda: only.rate_limit if only else None) as progress:
                return await work(clients, progress.start)

    handler = _plain_handler()
    if console.is_terminal:
        handler = LogHandler(console)
        if not options.verbose:
            handler.addFilter(lambda record: not hasattr(record, "reset_after"))  # the bar shows waits
    return _run(options, with_bar, operation, handler)


def start_and_wait(
    options: ApiOptions,
    noun: str,
    key: str,
    start: Callable[[Account], Awaitable[str]],
    wait: Callable[[Account, str], Awaitable[Backup | Restore]],
) -> None:
    """Start a backup or a restore, wait until it ends, and write its record; fail unless it completes.

    Args:
        options: the command's.
        noun: what is started, for messages.
        key: the name that the API gives its listing.
        start: starts it, and returns its id.
        wait: waits for the one with that id.
    """
    from northflank_async.cli.progress import stderr_console

    console = stderr_console(quiet=options.quiet)
    operation = evolve(CHANGE)

    async def work(account: Account) -> None:
        started = await start(account)
        operation.if_stopped, operation.if_refused = f"{noun} {started} continues", None
        if not options.quiet:
            notify(f"{noun} {started} started")  # its id, should the wait be interrupted

        async def with_spinner() -> Backup | Restore:
            with console.status("waiting for it to end", spinner="dots" if can_show(sys.stderr, "⠋") else "line"):
                return await wait(account, started)

        await write_run(with_spinner(), key, options.format)

    try:
        run(options, work, operation)
    except TimeoutError as error:
        fail(f"{error}; it continues", ExitCode.TIMEOUT)


async def while_interrupted(work: Awaitable[T], notice: str) -> T:
    """Run work that cleans up when it is cancelled: the first Ctrl-C cancels it, and each one shows a notice.

    Raises:
        KeyboardInterrupt: the work has cleaned up after a Ctrl-C.
    """
    task, interrupts = asyncio.current_task(), 0
    if task is None or sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        return await work

    def interrupt() -> None:
        nonlocal interrupts
        interrupts += 1
        notify(notice)
        if interrupts == 1:
            task.cancel()

    handle_signals([signal.SIGINT], interrupt)
    try:
        return await work
    except asyncio.CancelledError:
        if interrupts:
            raise KeyboardInterrupt from None
        raise
    finally:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)


def confirm(question: str, *, yes: bool, because: str = "This is destructive") -> None:
    """Ask before a destructive change, unless `--yes` was passed. `because` says why there is a question.

    Raises:
        click.UsageError: there is no terminal to ask at.
    """
    if yes:
        return
    if not (at_terminal(sys.stdin) and at_terminal(sys.stderr)):
        raise click.UsageError(f"{because}: pass --yes to confirm.")
    try:
        with interruptible():
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
    return _run(options, lambda: _with_client(options, work), operation, handler)


def _run(
    options: ConnectionOptions,
    work: Callable[[], Coroutine[Any, Any, T]],
    operation: Operation,
    handler: logging.Handler,
) -> T:
    if operation.writes_result:
        check_stdout()
    try:
        with _logging_to(handler, options):
            return run_coroutine(work())
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
    async with _client(options) as nf:
        with _deadline(options, nf):
            return await work(nf)


@asynccontextmanager
async def open_clients(options: CrawlOptions, accounts: AccountsOptions) -> "AsyncIterator[list[Client]]":
    """Open the client of each account, for a block that `--deadline` limits."""
    if options.simulate:
        async with _simulated_client(options) as nf:
            with _deadline(options, nf):
                yield [(None, nf)]
    elif entries := accounts.find_several():
        from northflank_async.fleet import open_clients

        async with open_clients(entries, **options.client_arguments) as clients:
            try:
                async with asyncio.timeout(options.deadline) as timeout:
                    yield list(zip(entries, clients, strict=True))
            except TimeoutError:
                if not timeout.expired():
                    raise
                message = f"not all accounts were read within {options.deadline:g} s"
                raise DeadlineExceeded(message) from None
    else:
        async with _client(evolve(options, context=accounts.context)) as nf:
            with _deadline(options, nf):
                yield [(None, nf)]


def _deadline(options: ConnectionOptions, nf: Northflank) -> AbstractContextManager[None]:
    return nullcontext() if options.deadline is None else nf.deadline(options.deadline)


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
