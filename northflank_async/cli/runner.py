"""How a command runs: on one event loop, with one client, and each failure as one line and an exit code."""

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import click
from attrs import field, frozen

from northflank_async.cli.exits import ExitCode, fail, fail_file, fail_request
from northflank_async.cli.login import find_login
from northflank_async.client import Northflank
from northflank_async.errors import ApiError, ConfigurationError, NorthflankError, TransportError

T = TypeVar("T")

READ = "Addons > General > Read"
UPDATE = "Addons > General > Update"
VIEW_LOGS = "Addons > Deployment > Account Instance Logs"


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine, on uvloop where that is installed."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(coroutine)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


@frozen(kw_only=True)
class Failing:
    """What a command says when it fails: what then becomes of its work, the permission it needs.

    `target` is the file or the database that it writes; `None` if that is standard output.
    `if_refused` is said instead of `if_stopped` where the API cannot have acted.
    """

    if_stopped: str = "nothing is lost"
    if_refused: str | None = None
    permission: str = READ
    target: str | None = None

    def outcome(self, error: NorthflankError) -> str:
        """What has become of the work when a request failed like this."""
        refused = (isinstance(error, ApiError) and error.status < 500) or (
            isinstance(error, TransportError) and not error.sent
        )
        return self.if_refused if refused and self.if_refused else self.if_stopped


@frozen(kw_only=True)
class Connection:
    """Whose login is used, and how much is said on standard error."""

    context: str | None
    verbose: bool
    quiet: bool
    simulate: bool = field(default=False)

    def run(self, work: Callable[[Northflank], Awaitable[T]], failing: Failing, handler: logging.Handler) -> T:
        """Run a command's work with an open client; where it fails, end the process as a command does."""
        try:
            with self._log_to(handler):
                return run(self._run(work))
        except NorthflankError as error:
            fail_request(error, if_stopped=failing.outcome(error), permission=failing.permission)
        except OSError as error:
            if failing.target is None:
                raise
            fail_file(failing.target, error)
        except KeyboardInterrupt:
            fail(f"interrupted; {failing.if_stopped}", ExitCode.INTERRUPTED)
        except asyncio.CancelledError:
            fail(f"terminated; {failing.if_stopped}", ExitCode.TERMINATED)

    def say(self, message: str) -> None:
        """Say something that is not the result."""
        if not self.quiet:
            click.echo(f"northflank-async: {message}", err=True)

    async def _run(self, work: Callable[[Northflank], Awaitable[T]]) -> T:
        task = asyncio.current_task()
        if task and sys.platform != "win32":
            for number in (signal.SIGTERM, signal.SIGHUP):
                asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        async with self._open_client() as nf:
            return await work(nf)

    @asynccontextmanager
    async def _open_client(self) -> AsyncIterator[Northflank]:
        if self.simulate:
            from northflank_async.simulator import Simulator

            async with Simulator(latency=0.03) as sim, Northflank(sim.token, base_url=sim.url) as nf:
                yield nf
        else:
            login = find_login(self.context)
            if login.token == "":
                raise ConfigurationError(
                    "there is no token: set NORTHFLANK_API_TOKEN, or log in with “northflank login”"
                )
            if self.context is not None:
                for name, variable in login.replaced.items():
                    self.say(f"{variable} is used instead of the {name} of the context {self.context!r}")
            async with Northflank(login.token, base_url=login.base_url) as nf:
                yield nf

    @contextmanager
    def _log_to(self, handler: logging.Handler) -> Iterator[None]:
        """Say what the command waits for, at a terminal also what it tries again; if asked to, each request."""
        if self.quiet:
            yield
            return
        log = logging.getLogger("northflank_async")
        log.setLevel(logging.DEBUG if self.verbose else logging.INFO)
        if not self.verbose and not sys.stderr.isatty():
            handler.addFilter(lambda record: record.levelno == logging.INFO)
        log.addHandler(handler)
        try:
            yield
        finally:
            log.removeHandler(handler)


def plain_handler() -> logging.Handler:
    """A line on standard error for each record."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("northflank-async: %(message)s"))
    return handler
