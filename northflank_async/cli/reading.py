"""What the commands that read the API have in common: their options, the client, the bar, and how they end."""

import functools
import sys
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, TypeVar

import click
from attrs import frozen
from rich.console import Console
from rich.logging import RichHandler

from northflank_async.cli.exits import ExitCode, fail
from northflank_async.cli.options import Command, collected, connection_options, together
from northflank_async.cli.progress import ReadProgress
from northflank_async.cli.runner import Connection, Failing, plain_handler
from northflank_async.client import Northflank
from northflank_async.inventory import Failure, OnStart, Query
from northflank_async.inventory.crawl import MAX_CONCURRENCY

T = TypeVar("T")

_SHOWN = 20
"""Failures that are named; the rest is counted."""


@frozen(kw_only=True)
class Reading:
    """What is to be read, as it was said on the command line."""

    projects: tuple[str, ...]
    teams: tuple[str, ...]
    addon_types: tuple[str, ...]
    statuses: tuple[str, ...] = ()
    since: datetime | None = None
    restores: bool
    concurrency: int
    connection: Connection

    def query(self, nf: Northflank) -> Query:
        """Build the query for an open client."""
        return Query(
            [nf.team(team) for team in self.teams] or nf,
            projects=self.projects or None,
            addon_types=self.addon_types,
            statuses=self.statuses,
            since=self.since,
            restores=self.restores,
        )

    def run(
        self, work: Callable[[Query, OnStart], Coroutine[Any, Any, T]], *, target: str | None = None, if_stopped: str
    ) -> T:
        """Run a command's work with an open client and a bar; where it fails, end the process as a command does."""
        terminal = sys.stderr.isatty()  # whatever FORCE_COLOR says
        console = Console(stderr=True, force_terminal=terminal, quiet=self.connection.quiet)
        handler = RichHandler(console=console, show_path=False) if terminal else plain_handler()

        async def with_bar(nf: Northflank) -> T:
            with ReadProgress(console, lambda: nf.rate_limit) as progress:
                return await work(self.query(nf), progress.begin)

        return self.connection.run(with_bar, Failing(if_stopped=if_stopped, target=target), handler)


_OPTIONS = (
    click.option(
        "--projectId", "--project", "projects", metavar="ID", multiple=True, help="Only this one; repeatable."
    ),
    click.option("--teamId", "--team", "teams", metavar="ID", multiple=True, help="This team's routes; repeatable."),
    click.option("--addon-type", "addon_types", metavar="TYPE", multiple=True, help="Only such addons; repeatable."),
    click.option("--restores", is_flag=True, help="The restores as well."),
    click.option(
        "--concurrency",
        type=click.IntRange(1, MAX_CONCURRENCY),
        default=16,
        show_default=True,
        help="Requests in flight.",
    ),
    collected(
        Connection,
        "connection",
        click.option("--simulate", is_flag=True, help="Read a simulator's inventory; no token is needed."),
        *connection_options,
    ),
)


def reading_options(command: Command) -> Command:
    """Give a command the options that say what is to be read, as its argument `reading`."""

    @functools.wraps(command)
    def with_reading(
        projects: tuple[str, ...],
        teams: tuple[str, ...],
        addon_types: tuple[str, ...],
        restores: bool,
        concurrency: int,
        connection: Connection,
        **others: Any,
    ) -> Any:
        reading = Reading(
            projects=projects,
            teams=teams,
            addon_types=addon_types,
            restores=restores,
            concurrency=concurrency,
            connection=connection,
        )
        return command(reading=reading, **others)

    return together(*_OPTIONS)(with_reading)


def end_with(failures: list[Failure], exit_code: ExitCode, message: str) -> None:
    """Name what could not be read, and end the command with one more line; if there was nothing, go on."""
    if not failures:
        return
    for failure in failures[:_SHOWN]:
        what = "could not be read" if failure.item_id else "could not be read to its end"
        click.echo(f"northflank-async: {what}: {failure}", err=True)
    more = f", {_SHOWN} of them above" if len(failures) > _SHOWN else ""
    fail(f"{len(failures)} could not be read{more}; {message}", exit_code)
