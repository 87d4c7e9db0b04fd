"""Polling a backup or a restore until its status is final."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from northflank_async.errors import NotFound, RunFailed
from northflank_async.http.budget import Budget
from northflank_async.records import Backup, Restore, RunStatus
from northflank_async.validation import check_seconds

Run = TypeVar("Run", Backup, Restore)

_FIRST_PAUSE = 2.0
_MAX_PAUSE = 30.0
_PAUSE_GROWTH = 1.5
_MAX_MISSES = 3
"""Polls without a record until the run counts as not found. A new run may take a while to appear in listings."""

_FINAL = {RunStatus.COMPLETED, RunStatus.ABORTED, RunStatus.FAILED, RunStatus.NOT_SUPPORTED}
_OUTCOMES = {
    RunStatus.ABORTED: "was aborted",
    RunStatus.FAILED: "failed: its logs may say why",
    RunStatus.NOT_SUPPORTED: "is not supported by its addon",
}


async def wait_until_final(
    fetch: Callable[[], Awaitable[Run | None]], *, name: str, budget: Budget, timeout: float | None
) -> Run:
    """Poll a run until its status is final, with growing pauses that spare the rate limit.

    Args:
        fetch: fetches the run; returns `None` while it is not listed.
        name: the run's name in error messages.
        budget: the request budget, whose clock also measures the timeout.
        timeout: seconds; `None` waits without a limit.

    Raises:
        ConfigurationError: `timeout` is not a number greater than 0.
        RunFailed: the final status is not `completed`.
        TimeoutError: the status is not final within `timeout` seconds.
        NotFound: the run is not listed.
    """
    if timeout is not None:
        check_seconds("timeout", timeout)
    poller = _Poller(name, budget)
    if timeout is None:
        run = await poller.poll(fetch)
    else:
        run = await _with_timeout(poller.poll(fetch), poller, timeout)
    if run.status != RunStatus.COMPLETED:
        raise RunFailed(f"{name} {_OUTCOMES[RunStatus(run.status)]}", record=run)
    return run


async def _with_timeout(polling: Awaitable[Run], poller: "_Poller", timeout: float) -> Run:
    """Limit the time by the budget's clock, which also measures the waits for the rate limit's reset."""
    try:
        async with poller.budget.timeout(timeout) as limit:
            return await polling
    except TimeoutError:
        if not limit.expired():  # a deadline has passed
            raise
        raise TimeoutError(f"{poller.name} is still {poller.status} after {timeout:g} s") from None


class _Poller:
    """Polls one run, and remembers its latest `status`."""

    def __init__(self, name: str, budget: Budget) -> None:
        self.name = name
        self.budget = budget
        self.status = "without a response"

    async def poll(self, fetch: Callable[[], Awaitable[Run | None]]) -> Run:
        pause, misses = _FIRST_PAUSE, 0
        with self.budget.polling() as sleep:
            while True:
                run = await fetch()
                if run is None:
                    misses += 1
                    if misses >= _MAX_MISSES:
                        raise NotFound(f"{self.name} is not listed", status=404)
                else:
                    self.status = str(run.status)
                    if run.status in _FINAL:  # an unknown status is not final
                        return run
                await sleep(pause, _MAX_PAUSE)
                pause = min(pause * _PAUSE_GROWTH, _MAX_PAUSE)
