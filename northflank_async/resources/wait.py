"""Polling a backup, a restore or an addon until its status is final."""

from collections.abc import Awaitable, Callable
from typing import Generic, NamedTuple, TypeVar

from northflank_async.errors import NotFound, RunFailed
from northflank_async.http.budget import Budget
from northflank_async.records import Addon, AddonStatus, Backup, Restore, RunStatus
from northflank_async.validation import check_seconds

Record = TypeVar("Record", Backup, Restore, Addon)

_FIRST_PAUSE = 2.0
_MAX_PAUSE = 30.0
_PAUSE_GROWTH = 1.5
_GRACE = 30.0
"""Seconds in which a new record may be missing. It takes a while to appear everywhere."""
_MAX_MISSES = 3
"""Listings in a row without a record until it counts as not found: it may move to another page in between."""

_OUTCOMES: dict[str, str] = {
    RunStatus.COMPLETED: "",
    RunStatus.ABORTED: "was aborted",
    RunStatus.FAILED: "failed: check its logs",
    RunStatus.NOT_SUPPORTED: "is not supported by its addon",
}
_NOT_FINAL = set(RunStatus) - _OUTCOMES.keys()
_ADDON_OUTCOMES: dict[str, str] = {
    AddonStatus.RUNNING: "",
    AddonStatus.FAILED: "failed",
    AddonStatus.ERROR: "failed",
    AddonStatus.ERROR_ALLOCATING: "could not be allocated",
    AddonStatus.DELETING: "is being deleted",
    AddonStatus.DELETED: "was deleted",
}


class Poll(NamedTuple, Generic[Record]):
    """The result of one poll: the record, or `None` if it is not listed, and the pages that it took to find out."""

    record: Record | None
    requests: int = 1


async def wait_until_final(
    fetch: Callable[[], Awaitable[Poll[Record]]], *, name: str, budget: Budget, timeout: float | None
) -> Record:
    """Poll a record until its status is final, with growing pauses that save requests.

    Args:
        fetch: fetches the record.
        name: the record's name in error messages.
        budget: the request budget, whose clock also measures the timeout.
        timeout: seconds; `None` waits without a limit.

    Raises:
        ConfigurationError: `timeout` is not a number greater than 0.
        RunFailed: the final status is not a success.
        TimeoutError: the status is not final within `timeout` seconds.
        NotFound: the record does not exist, and has not appeared within 30 seconds.
    """
    if timeout is not None:
        check_seconds("timeout", timeout)
    poller = _Poller(name, budget)
    if timeout is None:
        record = await poller.poll(fetch)
    else:
        record = await _with_timeout(poller.poll(fetch), poller, timeout)
    if outcome := outcome_of(record):
        raise RunFailed(f"{name} {outcome}", record=record)
    return record


async def _with_timeout(polling: Awaitable[Record], poller: "_Poller", timeout: float) -> Record:
    """Limit the time by the budget's clock, which also measures the waits for the rate limit's reset."""
    try:
        async with poller.budget.timeout(timeout) as limit:
            return await polling
    except TimeoutError:
        if not limit.expired():  # a deadline has passed
            raise
        raise TimeoutError(f"{poller.name} is still {poller.status} after {timeout:g} s") from None


class _Poller:
    """Polls one record, and remembers its latest `status`."""

    def __init__(self, name: str, budget: Budget) -> None:
        self.name = name
        self.budget = budget
        self.status = "without a response"

    async def poll(self, fetch: Callable[[], Awaitable[Poll[Record]]]) -> Record:
        began = self.budget.time()
        pause, misses = _FIRST_PAUSE, 0
        with self.budget.polling() as sleep:
            while True:
                is_new = self.budget.time() - began < _GRACE
                try:
                    record, requests = await fetch()
                except NotFound:
                    if not is_new:
                        raise
                    record, requests = None, 1
                if record is None:
                    self.status = "not found"
                    misses += 1
                    if misses >= _MAX_MISSES and not is_new:
                        raise NotFound(f"{self.name} is not listed", status=404)
                elif outcome_of(record) is not None:
                    return record
                else:
                    self.status, misses = str(record.status), 0
                await sleep(pause, _MAX_PAUSE, requests)
                pause = min(pause * _PAUSE_GROWTH, _MAX_PAUSE)


def outcome_of(record: Backup | Restore | Addon) -> str | None:
    """How a record has ended, in the words of a message; empty for success, `None` if it has not ended.

    A run that has a time of completion has ended, even if this client does not know its status.
    """
    if isinstance(record, Addon):
        return _ADDON_OUTCOMES.get(str(record.status))
    if record.status in _NOT_FINAL:
        return None
    if record.completed_at is not None:
        return _OUTCOMES.get(str(record.status), f"ended with the status {record.status}")
    return _OUTCOMES.get(str(record.status))
