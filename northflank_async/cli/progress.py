from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TimeElapsedColumn
from rich.text import Text

from northflank_async.http.rate_limit import RateLimit
from northflank_async.inventory import Progress as Read


class ReadProgress:
    """A bar on a terminal, and nothing elsewhere: how far a command that reads the API is.

    It shows addons, backups, the requests spent and left, and until when it waits for the hour to be over.
    """

    def __init__(self, console: Console, rate_limit: Callable[[], RateLimit | None]) -> None:
        self._shown = console.is_terminal
        self._progress = Progress(
            SpinnerColumn(), BarColumn(), ReadColumn(rate_limit), TimeElapsedColumn(), console=console
        )

    def begin(self, read: Callable[[], Read]) -> None:
        """Show what `read` says, from now on."""
        self._progress.add_task("", total=None, read=read)

    def __enter__(self) -> Self:
        if self._shown:
            self._progress.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._shown:
            self._progress.stop()


class ReadColumn(ProgressColumn):
    """Asks anew each time it is drawn: while everybody waits, nothing else happens that could tell."""

    def __init__(self, rate_limit: Callable[[], RateLimit | None]) -> None:
        super().__init__()
        self._rate_limit = rate_limit

    def render(self, task: Task) -> Text:
        read: Read = task.fields["read"]()
        task.total, task.completed = read.addons or None, read.addons_done
        parts = [f"{read.addons_done}/{read.addons} addons", f"{read.backups} backups", f"{read.requests} requests"]
        if window := self._rate_limit():
            parts.append(f"{window.remaining} left")
        if read.waiting_until:
            parts.append(f"waiting until {read.waiting_until.astimezone():%H:%M:%S}")
        return Text(" · ".join(parts))
