"""Polling a backup or a restore until its status is final."""

from collections.abc import Awaitable, Callable
from typing import Generic, NamedTuple, TypeVar

from northflank_async.errors import NotFound, RunFailed
from northflank_async.http.budget import Budget
from northflank_async.records import Backup, Restore, RunStatus
from northflank_async.validation import check_seconds

Run = TypeVar("Run", Backup, Restore)

_FIRST_PAUSE = 2.0
_MAX_PAUSE = 30.0
_PAUSE_GROWTH = 1.5
_GRACE = 30.0
"""Seconds in which a new run may be missing. It takes a while to appear everywhere."""
_MAX_MISSES = 3
"""Listings in a row without a run until it counts as not found: it may move to another page in between."""

_FINAL = {RunStatus.COMPLETED, RunStatus.ABORTED, RunStatus.FAILED, RunStatus.NOT_SUPPORTED}
_NOT_FINAL = set(RunStatus) - _FINAL
_OUTCOMES = {
    RunStatus.ABORTED: "was aborted",
    RunStatus.FAILED: "failed: its logs may say why",
    RunStatus.NOT_SUPPORTED: "is not supported by its addon",
}


class Poll(NamedTuple, Generic[Run]):
    """The result of one poll: the run, or `None` if it is not listed, and the pages that it took to find out."""

    run: Run | None
    requests: int = 1


async def wait_until_final(
    fetch: Callable[[], Awaitable[Poll[Run]]], *, name: str, budget: Budget, timeout: float | None
) -> Run:
    """Poll a run until its status is final, with growing pauses that spare the rate limit.

    Args:
        fetch: fetches the run.
        name: the run's name in error messages.
        budget: the request budget, whose clock also measures the timeout.
        timeout: seconds; `None` waits without a limit.

    Raises:
        ConfigurationError: `timeout` is not a number greater than 0.
        RunFailed: the final status is not `completed`.
        TimeoutError: the status is not final within `timeout` seconds.
        NotFound: the run does not exist, and has not appeared within 30 seconds.
    """
    if timeout is not None:
        check_seconds("timeout", timeout)
    poller = _Poller(name, budget)
    if timeout is None:
        run = await poller.poll(fetch)
    else:
        run = await _with_timeout(poller.poll(fetch), poller, timeout)
    if run.status != RunStatus.COMPLETED:
        outcome = _OUTCOMES[RunStatus(run.status)] if run.status in _FINAL else f"ended with the status {run.status}"
        raise RunFailed(f"{name} {outcome}", record=run)
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

    async def poll(self, fetch: Callable[[], Awaitable[Poll[Run]]]) -> Run:
        began = self.budget.time()
        pause, misses = _FIRST_PAUSE, 0
        with self.budget.polling() as sleep:
            while True:
                is_new = self.budget.time() - began < _GRACE
                try:
                    run, requests = await fetch()
                except NotFound:
                    if not is_new:
                        raise
                    run, requests = None, 1
                if run is None:
                    self.status = "not found"
                    misses += 1
                    if misses >= _MAX_MISSES and not is_new:
                        raise NotFound(f"{self.name} is not listed", status=404)
                elif is_final(run):
                    return run
                else:
                    self.status, misses = str(run.status), 0
                await sleep(pause, _MAX_PAUSE, requests)
                pause = min(pause * _PAUSE_GROWTH, _MAX_PAUSE)


def is_final(run: Backup | Restore) -> bool:
    """Whether a run has ended. A status that this client does not know is final if the run has a time of completion."""
    return run.status in _FINAL or (run.completed_at is not None and run.status not in _NOT_FINAL)
