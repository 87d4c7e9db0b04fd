"""What the commands that read the API have in common: their options, the client, the bar, and how they end."""

import asyncio
import functools
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import click
from attrs import frozen
from rich.console import Console
from rich.logging import RichHandler

from northflank_async.cli.failure import ExitCode, fail, fail_file, fail_request
from northflank_async.cli.progress import ReadProgress
from northflank_async.client import Northflank
from northflank_async.errors import NorthflankError
from northflank_async.inventory import Failure, Selection
from northflank_async.inventory.outcome import OnStart
from northflank_async.inventory.scope import Scope
from northflank_async.inventory.walk import MOST_CONNECTIONS
from northflank_async.simulator import Simulator

T = TypeVar("T")

STANDARD_OUTPUT = "-"
_SHOWN = 20
"""Failures that are named; the rest is counted."""


def parse_time(text: str) -> datetime:
    """Read a date or a time, in UTC where it has no zone."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no time such as 2026-11-01 or 2026-11-01T09:30:00+01:00") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


@frozen(kw_only=True)
class Reading:
    """What is to be read, as it was said on the command line."""

    projects: tuple[str, ...]
    teams: tuple[str, ...]
    selection: Selection
    restores: bool
    concurrency: int
    simulate: bool

    def scope(self, nf: Northflank) -> Scope:
        """The same for an open client."""
        return Scope(
            views=[nf.team(team) for team in self.teams] or [nf],
            projects=self.projects or None,
            selection=self.selection,
            restores=self.restores,
            concurrency=self.concurrency,
        )

    def run(self, work: Callable[[Scope, OnStart], Coroutine[Any, Any, T]], *, target: str, if_stopped: str) -> T:
        """Run a command's work with an open client and a bar; where it fails, end the process as a command does."""
        console = Console(stderr=True, force_terminal=sys.stderr.isatty())  # whatever FORCE_COLOR says
        _log_to(console)
        try:
            return asyncio.run(self._run(work, console))
        except NorthflankError as error:
            fail_request(error, if_stopped)
        except OSError as error:
            if target == STANDARD_OUTPUT and isinstance(error, BrokenPipeError):  # whoever was reading has had enough
                sys.stderr.close()
                sys.exit(ExitCode.BROKEN_PIPE)
            fail_file(target, error)
        except KeyboardInterrupt:
            fail(f"interrupted; {if_stopped}", ExitCode.INTERRUPTED)
        except asyncio.CancelledError:
            fail(f"terminated; {if_stopped}", ExitCode.TERMINATED)

    async def _run(self, work: Callable[[Scope, OnStart], Coroutine[Any, Any, T]], console: Console) -> T:
        task = asyncio.current_task()
        if task and sys.platform != "win32":
            for number in (signal.SIGTERM, signal.SIGHUP):
                asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        async with _open_client(self.simulate) as nf:
            with ReadProgress(console, lambda: nf.rate_limit) as progress:
                return await work(self.scope(nf), progress.begin)


_OPTIONS = (
    click.option("--project", "projects", metavar="ID", multiple=True, help="Only this project; repeatable."),
    click.option("--team", "teams", metavar="ID", multiple=True, help="This team's routes; repeatable."),
    click.option("--addon-type", "addon_types", metavar="TYPE", multiple=True, help="Only such addons; repeatable."),
    click.option("--restores", is_flag=True, help="The restores as well."),
    click.option(
        "--concurrency",
        type=click.IntRange(1, MOST_CONNECTIONS),
        default=16,
        show_default=True,
        help="Requests in flight.",
    ),
    click.option("--simulate", is_flag=True, help="Read a simulator's inventory; no token is needed."),
)


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say what is to be read, as its argument `reading`."""

    @functools.wraps(command)
    def with_reading(
        projects: tuple[str, ...],
        teams: tuple[str, ...],
        addon_types: tuple[str, ...],
        restores: bool,
        concurrency: int,
        simulate: bool,
        **others: Any,
    ) -> Any:
        reading = Reading(
            projects=projects,
            teams=teams,
            selection=Selection(addon_types=addon_types),
            restores=restores,
            concurrency=concurrency,
            simulate=simulate,
        )
        return command(reading=reading, **others)

    wrapped: Callable[..., Any] = with_reading
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def end_with(failures: list[Failure], exit_code: ExitCode, message: str) -> None:
    """Name what could not be read, and end the command with one more line; if there was nothing, go on."""
    if not failures:
        return
    for failure in failures[:_SHOWN]:
        what = "could not be read" if failure.item_id else "could not be read to its end"
        click.echo(f"northflank-async: {what}: {failure}", err=True)
    more = f", {_SHOWN} of them above" if len(failures) > _SHOWN else ""
    fail(f"{len(failures)} could not be read{more}; {message}", exit_code)


@asynccontextmanager
async def _open_client(simulate: bool) -> AsyncIterator[Northflank]:
    if simulate:
        async with Simulator(latency=0.03) as sim, Northflank(sim.token, base_url=sim.url) as nf:
            yield nf
    else:
        async with Northflank() as nf:
            yield nf


def _log_to(console: Console) -> None:
    """Show what a command waits for; on a terminal also what it tries again."""
    log = logging.getLogger("northflank_async")
    log.setLevel(logging.INFO)
    if console.is_terminal:
        log.addHandler(RichHandler(console=console, show_path=False))
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("northflank-async: %(message)s"))
        handler.addFilter(lambda record: record.levelno == logging.INFO)
        log.addHandler(handler)
