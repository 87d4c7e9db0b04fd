"""Progress displays on a terminal. Imports rich, so commands import it only when they run."""

import logging
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from attrs import frozen
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.filesize import decimal
from rich.live import Live
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from northflank_async.cli.output import count, duration
from northflank_async.cli.streams import at_terminal

if TYPE_CHECKING:
    from northflank_async.http.rate_limit import RateLimit
    from northflank_async.inventory import Progress as Crawled
    from northflank_async.mirror import MirrorProgress as Mirrored

_BAR_WIDTH = 16
_LEAST_WIDTH_FOR_BARS = 72


def stderr_console(*, quiet: bool) -> Console:
    """Open standard error. It is a terminal only if it really is one, whatever FORCE_COLOR says."""
    return Console(stderr=True, force_terminal=at_terminal(sys.stderr), quiet=quiet)


class LogHandler(logging.Handler):
    """Writes log records above the bar, as lines like those without a bar."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        self._console.print(Text(f"northflank-async: {self.format(record)}"), soft_wrap=True)


def download_bar(*, quiet: bool) -> Progress:
    """Create a bar for the bytes of one file."""
    console = stderr_console(quiet=quiet)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=quiet or not console.is_terminal)


class CrawlProgress:
    """Shows how far a crawl is, in three lines that never wrap: what it finds, what it reads, and its requests."""

    def __init__(self, console: Console, rate_limit: "Callable[[], RateLimit | None]") -> None:
        self._console = console
        self._rate_limit = rate_limit
        self._live: Live | None = None

    def start(self, progress: "Callable[[], Crawled | Mirrored]") -> None:
        """Show the progress that `progress` returns, from now on."""
        if self._console.is_terminal and not self._console.quiet:
            from northflank_async.mirror import MirrorProgress

            started = time.monotonic()

            def lines() -> Group:  # called for each frame: a wait for the rate limit changes nothing else
                now, elapsed = progress(), time.monotonic() - started
                if not isinstance(now, MirrorProgress):
                    return Group(CrawlLines(now, self._rate_limit(), elapsed))
                return Group(CrawlLines(now.listing, self._rate_limit(), elapsed), MirrorLine(now))

            self._live = Live(get_renderable=lines, console=self._console, refresh_per_second=10)
            self._live.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()


@frozen(eq=False)
class CrawlLines:
    """The three lines, for a progress, the rate limit and the seconds since the start."""

    crawled: "Crawled"
    rate_limit: "RateLimit | None"
    elapsed: float

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        crawled, width = self.crawled, options.max_width
        separator = " - " if options.ascii_only else " · "
        yield _line(width, separator, "finding", self._found(), crawled.projects, self._total_projects)
        yield _line(width, separator, "reading", self._read(), crawled.listings_done, self._total_listings)
        yield _fit(self._requests(), width, separator)

    @property
    def _total_projects(self) -> int | None:
        return self.crawled.projects_found if self.crawled.found_all_projects else None

    @property
    def _total_listings(self) -> int | None:
        crawled = self.crawled
        if not crawled.addons:
            return None if self._total_projects is None or crawled.projects < self._total_projects else 0
        return crawled.listings * crawled.addons_expected // crawled.addons

    def _found(self) -> "list[Part]":
        crawled = self.crawled
        more = "" if crawled.found_all_projects else "+"
        several = crawled.accounts > 1
        accounts = [Part(f"{crawled.accounts_done:,}/{count(crawled.accounts, 'account')}")] if several else []
        return [
            *accounts,
            Part(f"{crawled.projects:,}/{crawled.projects_found:,}{more} projects"),
            Part(count(crawled.addons, "addon"), rank=1),
        ]

    def _read(self) -> "list[Part]":
        crawled = self.crawled
        about = "" if crawled.addons_expected == crawled.addons else "~"
        parts = [
            Part(f"{crawled.addons_done:,}/{about}{count(crawled.addons_expected, 'addon')}"),
            Part(count(crawled.backups, "backup"), rank=2),
        ]
        if crawled.listings > crawled.addons:
            parts.append(Part(f"{crawled.listings_done:,}/{about}{self._total_listings:,} listings", rank=3))
        if crawled.done_at:
            left = (crawled.done_at - datetime.now(UTC)).total_seconds()
            parts.append(Part(f"{duration(max(0, left))} left", rank=1))
        return parts

    def _requests(self) -> "list[Part]":
        crawled = self.crawled
        parts = [Part(count(crawled.requests, "request"))]
        if self.rate_limit:
            parts.append(Part(f"{self.rate_limit.remaining:,} remaining", rank=1))
        if crawled.retries:
            parts.append(Part("1 retry" if crawled.retries == 1 else f"{crawled.retries:,} retries", rank=2))
        if crawled.waiting_until:
            parts.append(Part(f"waiting until {crawled.waiting_until.astimezone():%H:%M:%S}"))
        return [*parts, Part(f"{duration(self.elapsed)} elapsed", rank=3)]


@frozen(eq=False)
class MirrorLine:
    """The line about the files of a mirror."""

    mirrored: "Mirrored"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        mirrored = self.mirrored
        done, total = decimal(mirrored.bytes_done), decimal(mirrored.bytes)
        parts = [
            Part(f"{mirrored.dumps_done:,}/{count(mirrored.dumps, 'dump')}"),
            Part(f"{done} of about {total}", rank=1),
        ]
        separator = " - " if options.ascii_only else " · "
        yield _line(options.max_width, separator, "copying", parts, mirrored.bytes_done, mirrored.bytes or None)


@frozen
class Part:
    """A part of a line. Those of the highest rank are omitted first if the line is too long."""

    text: str
    rank: int = 0


def _fit(parts: Sequence[Part], width: int, separator: str) -> Text:
    """Join the parts that fit into the width."""
    kept = list(parts)
    while len(text := separator.join(part.text for part in kept)) > width and any(part.rank for part in kept):
        kept.remove(max(kept, key=lambda part: part.rank))
    return Text(text, no_wrap=True, overflow="ellipsis")


def _line(width: int, separator: str, title: str, parts: Sequence[Part], done: int, total: int | None) -> Table:
    """Build a line: a title, a bar on a terminal of usual width, and the parts that fit."""
    line = Table.grid(padding=(0, 2, 0, 0))
    line.add_column(no_wrap=True)
    room = width - len(title) - 2
    if width < _LEAST_WIDTH_FOR_BARS:
        line.add_row(title, _fit(parts, room, separator))
    else:
        bar = ProgressBar(total=total, completed=done, width=_BAR_WIDTH)
        line.add_row(title, bar, _fit(parts, room - _BAR_WIDTH - 2, separator))
    return line
