from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from northflank_async.budget import RateLimit
from northflank_async.inventory import Export


class ExportProgress:
    """A bar on a terminal, and nothing elsewhere: addons done, backups, and the requests left in the hour."""

    def __init__(self, console: Console, rate_limit: Callable[[], RateLimit | None]) -> None:
        self._rate_limit = rate_limit
        self._progress = Progress(
            SpinnerColumn(),
            BarColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._shown = console.is_terminal
        self._task = self._progress.add_task("listing the addons", total=None)

    def show(self, state: Export) -> None:
        """Show how far the export is."""
        shown = f"{state.addons_done}/{state.addons} addons · {state.backups} backups"
        if window := self._rate_limit():
            shown += f" · {window.remaining} requests left"
        self._progress.update(self._task, description=shown, total=state.addons, completed=state.addons_done)

    def __enter__(self) -> Self:
        if self._shown:
            self._progress.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._shown:
            self._progress.stop()
