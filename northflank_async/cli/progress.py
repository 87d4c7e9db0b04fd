"""What a terminal shows while a command works. Imports rich, so commands import it only when they run."""

import logging
import sys
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from northflank_async.cli.output import count

if TYPE_CHECKING:
    from northflank_async.http.rate_limit import RateLimit
    from northflank_async.inventory import Progress as Crawled


def stderr_console(*, quiet: bool) -> Console:
    """Open standard error. It is a terminal only if it really is one, whatever FORCE_COLOR says."""
    return Console(stderr=True, force_terminal=sys.stderr.isatty(), quiet=quiet)


def log_handler(console: Console) -> logging.Handler:
    """Write log records above the bar."""
    return RichHandler(console=console, show_path=False)


def download_bar(*, quiet: bool) -> Progress:
    """Create a bar for the bytes of one file."""
    console = stderr_console(quiet=quiet)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=quiet or not console.is_terminal)


class CrawlProgress:
    """Shows how far a crawl is: addons, backups, requests sent and remaining, and a wait for the rate limit."""

    def __init__(self, console: Console, rate_limit: "Callable[[], RateLimit | None]") -> None:
        self._shown = console.is_terminal
        self._bar = Progress(
            SpinnerColumn(), BarColumn(), CrawlColumn(rate_limit), TimeElapsedColumn(), console=console
        )

    def start(self, crawled: "Callable[[], Crawled]") -> None:
        """Show the progress that `crawled` returns, from now on."""
        self._bar.add_task("", total=None, crawled=crawled)

    def __enter__(self) -> Self:
        if self._shown:
            self._bar.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._shown:
            self._bar.stop()


class CrawlColumn(ProgressColumn):
    """Reads the progress each time it is drawn: during a wait for the rate limit, nothing else would update it."""

    def __init__(self, rate_limit: "Callable[[], RateLimit | None]") -> None:
        super().__init__()
        self._rate_limit = rate_limit

    def render(self, task: Task) -> Text:
        crawled: Crawled = task.fields["crawled"]()
        task.total, task.completed = crawled.addons or None, crawled.addons_done
        parts = [
            f"{crawled.addons_done:,}/{count(crawled.addons, 'addon')}",
            count(crawled.backups, "backup"),
            count(crawled.requests, "request"),
        ]
        if window := self._rate_limit():
            parts.append(f"{window.remaining:,} remaining")
        if crawled.waiting_until:
            parts.append(f"waiting until {crawled.waiting_until.astimezone():%H:%M:%S}")
        return Text(" · ".join(parts))
