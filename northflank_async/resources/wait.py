"""Waiting until a backup or a restore has ended."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from northflank_async.errors import ConfigurationError, NotFound, RunFailed
from northflank_async.http.budget import Budget
from northflank_async.records import Backup, Restore, RunStatus

Run = TypeVar("Run", Backup, Restore)

_FIRST_PAUSE = 2.0
_LONGEST_PAUSE = 30.0
_GROWTH = 1.5
_MOST_UNLISTED = 3
"""Times that a run may be missing in a listing: what has just begun may take a while to appear."""

_ENDED = {RunStatus.COMPLETED, RunStatus.ABORTED, RunStatus.FAILED, RunStatus.NOT_SUPPORTED}
_OUTCOMES = {
    RunStatus.ABORTED: "was aborted",
    RunStatus.FAILED: "failed: its logs may say why",
    RunStatus.NOT_SUPPORTED: "is not supported by its addon",
}


async def until_ended(
    ask: Callable[[], Awaitable[Run | None]], *, name: str, budget: Budget, timeout: float | None
) -> Run:
    """Ask for a run until it has ended, more and more rarely, and so rarely that the hour's requests last.

    Args:
        ask: gets the run; `None` as long as it is not there.
        name: what it is called in errors.
        budget: what pays for it, and tells the time.
        timeout: seconds; `None` waits for ever.

    Raises:
        RunFailed: it has ended otherwise than completed.
        TimeoutError: it has not ended in time.
        NotFound: it is not there.
    """
    if timeout is not None and (not isinstance(timeout, int | float) or isinstance(timeout, bool) or not timeout > 0):
        raise ConfigurationError(f"timeout must be more than 0 seconds, not {timeout!r}")
    watch = _Watch(name, budget)
    if timeout is None:
        run = await watch.until_ended(ask)
    else:
        run = await _in_time(watch.until_ended(ask), watch, timeout)
    if run.status != RunStatus.COMPLETED:
        raise RunFailed(f"{name} {_OUTCOMES[RunStatus(run.status)]}", record=run)
    return run


async def _in_time(work: Awaitable[Run], watch: "_Watch", timeout: float) -> Run:
    """The work's result; the time is the budget's, as a wait for the hour's reset is part of it."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(None) as scope:
            deadline = watch.budget.call_later(timeout, lambda: scope.reschedule(loop.time()))
            try:
                return await work
            finally:
                deadline.cancel()
    except TimeoutError:
        raise TimeoutError(f"{watch.name} is still {watch.status} after {timeout:g} s") from None


class _Watch:
    """One run that is waited for, and its `status` when it was seen last."""

    def __init__(self, name: str, budget: Budget) -> None:
        self.name = name
        self.budget = budget
        self.status = "without an answer"

    async def until_ended(self, ask: Callable[[], Awaitable[Run | None]]) -> Run:
        pause, unlisted = _FIRST_PAUSE, 0
        with self.budget.polling() as rest:
            while True:
                run = await ask()
                if run is None:
                    unlisted += 1
                    if unlisted >= _MOST_UNLISTED:
                        raise NotFound(f"{self.name} is not listed", status=404)
                else:
                    self.status = str(run.status)
                    if run.status in _ENDED:  # any other status, known or not, is of one that goes on
                        return run
                await rest(pause, _LONGEST_PAUSE)
                pause = min(pause * _GROWTH, _LONGEST_PAUSE)
