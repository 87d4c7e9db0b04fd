"""Deadlines: a limit for a whole call, including its retries and its waits for the rate limit."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

from attrs import define

from northflank_async.errors import DeadlineExceeded
from northflank_async.http.budget import Budget
from northflank_async.http.exchange import RATE_LIMIT, Exchange


@define(eq=False)
class Deadline:
    """A time of a budget's clock, which is `seconds` after its start."""

    budget: Budget
    seconds: float
    at: float
    task: "asyncio.Task[object] | None" = None
    """The task that ends at it: calls in that task need no timers of their own."""
    exchange: Exchange | None = None
    """The newest request of that task."""


_current: ContextVar[Deadline | None] = ContextVar("northflank_async_deadline", default=None)


def current_deadline(budget: Budget) -> Deadline | None:
    """The deadline of the calls in this context, if it belongs to this budget."""
    deadline = _current.get()
    return deadline if deadline and deadline.budget is budget else None


def deadline_has_passed(budget: Budget) -> bool:
    """Whether the deadline of all calls in this context has passed, so that none of them can be made."""
    deadline = current_deadline(budget)
    return deadline is not None and deadline.at <= budget.time()


@contextmanager
def deadline_block(budget: Budget, seconds: float) -> Iterator[None]:
    """Set the deadline of all calls in the block, unless they have an earlier one."""
    outer, at = current_deadline(budget), budget.time() + seconds
    if outer and outer.at <= at:
        yield
        return
    token = _current.set(Deadline(budget, seconds, at))
    try:
        yield
    finally:
        _current.reset(token)


@asynccontextmanager
async def end_at_deadline(budget: Budget, seconds: float | None) -> AsyncIterator[None]:
    """End the block at the context's deadline, or after `seconds` if that is earlier.

    Raises:
        DeadlineExceeded: the block takes longer.
    """
    outer, now = current_deadline(budget), budget.time()
    if outer and outer.task is asyncio.current_task():
        yield
        return
    if outer and (seconds is None or outer.at <= now + seconds):
        deadline = Deadline(budget, outer.seconds, outer.at, asyncio.current_task())
    elif seconds is not None:
        deadline = Deadline(budget, seconds, now + seconds, asyncio.current_task())
    else:
        yield
        return
    token = _current.set(deadline)
    try:
        async with budget.timeout(deadline.at - now) as timeout:
            yield
    except TimeoutError:
        if not timeout.expired():
            raise
        raise _exceeded(deadline) from None
    finally:
        _current.reset(token)


def _exceeded(deadline: Deadline) -> DeadlineExceeded:
    exchange, budget = deadline.exchange, deadline.budget
    waiting_for = exchange.waiting_for if exchange else "the next request"
    window = budget.rate_limit
    if waiting_for == RATE_LIMIT and window:
        waiting_for += f", which resets in {window.reset_after:.0f} s"
    error = DeadlineExceeded(f"not done within the deadline of {deadline.seconds:g} s, while waiting for {waiting_for}")
    if exchange:
        exchange.describe(error, budget.time())
    return error
