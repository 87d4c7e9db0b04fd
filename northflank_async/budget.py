"""The hour's requests: none is sent that the window cannot pay for."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Literal, Protocol

from attrs import define, frozen

from northflank_async.errors import ConfigurationError, RateLimited
from northflank_async.protocol import RateLimitHeaders, read_rate_limit

_log = logging.getLogger("northflank_async")


class Timer(Protocol):
    """What `Clock.call_at` gives back."""

    def cancel(self) -> object: ...


class Clock(Protocol):
    """Where the budget takes its time from, in seconds. The running event loop is one."""

    def time(self) -> float: ...

    def call_at(self, when: float, callback: Callable[[], object], /) -> Timer: ...


@frozen(kw_only=True)
class RateLimit:
    """The window as it stands now: `remaining` of `limit` requests, new ones in `reset_after` seconds."""

    limit: int | None
    remaining: int
    reset_after: float


@define(kw_only=True, eq=False)
class _Window:
    """`remaining` is the lowest number that an answer told, `reset_at` the clock's time that came with it."""

    limit: int | None
    remaining: int
    reset_at: float
    announced: bool = False


class Budget:
    """The requests that a token may still send, shared by all who use one client.

    The server's own count is the truth. Of the requests that it has not answered yet, nobody knows whether it has
    counted them, so each of them is taken off; likewise those that ended without an answer, until a later request's
    answer shows a count that must include them.

    Args:
        on_rate_limit: `"wait"` for the reset, or `"raise"` `RateLimited`.
        reserve: requests of each window that are left to others with the same token.
        clock: where the time comes from; the running event loop if left out.
    """

    def __init__(
        self,
        *,
        on_rate_limit: Literal["wait", "raise"] = "wait",
        reserve: int = 0,
        clock: Clock | None = None,
    ) -> None:
        self.waits = on_rate_limit == "wait"
        self._reserve = reserve
        self._clock = clock
        self._window: _Window | None = None
        self._unmetered = False  # the server answers, and tells no numbers
        self._asking = False  # the one request that goes out alone to learn the numbers
        self._in_flight = 0
        self._lost = 0  # ended without telling, ever
        self._found = 0  # of these, the ones that an answer has since accounted for
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()

    @property
    def rate_limit(self) -> RateLimit | None:
        """The window as far as it is known; `None` before the first answer and after the window's end."""
        window = self._open_window()
        if window is None:
            return None
        return RateLimit(
            limit=window.limit,
            remaining=max(0, self._left(window)),
            reset_after=window.reset_at - self.time(),
        )

    def time(self) -> float:
        """The clock's time, in seconds."""
        return (self._clock or asyncio.get_running_loop()).time()

    @asynccontextmanager
    async def admit(self) -> AsyncIterator["Admission"]:
        """Wait until one request can be paid for, first come first served.

        Raises:
            RateLimited: there is none left in this window, and `on_rate_limit` is `"raise"`.
            ConfigurationError: `reserve` leaves nothing of a window.
        """
        async with self._turn:  # only the first in line watches; the others wait for their turn
            await self._until_affordable()
            admission = self._send()
        try:
            yield admission
        finally:
            admission.close()

    async def _until_affordable(self) -> None:
        while not self._affordable():
            window = self._window
            if window:
                self._check_exhausted(window)
            self._changed.clear()
            clock = self._clock or asyncio.get_running_loop()
            timer = clock.call_at(window.reset_at, self._changed.set) if window else None
            try:
                await self._changed.wait()
            finally:
                if timer:
                    timer.cancel()

    def _affordable(self) -> bool:
        window = self._open_window()
        if window:
            return self._left(window) > self._reserve
        return self._unmetered or not self._asking

    def _check_exhausted(self, window: _Window) -> None:
        if window.limit is not None and 0 < window.limit <= self._reserve:
            raise ConfigurationError(f"reserve={self._reserve} leaves nothing of a window of {window.limit} requests")
        if self._left(window) + self._in_flight > self._reserve:
            return  # an answer that is on its way may still free one
        reset_after = window.reset_at - self.time()
        if not self.waits:
            raise RateLimited(
                f"no requests left; the window resets in {reset_after:.0f} s", status=429, retry_after=reset_after
            )
        if not window.announced:
            window.announced = True
            _log.info("no requests left of %s: waiting %.0f s for the window to reset", window.limit, reset_after)

    def _left(self, window: _Window) -> int:
        return window.remaining - self._in_flight - (self._lost - self._found)

    def _open_window(self) -> _Window | None:
        if self._window and self.time() >= self._window.reset_at:
            self._window = None
            self._found = self._lost
        return self._window

    def _send(self) -> "Admission":
        asking = self._window is None and not self._unmetered
        self._asking = self._asking or asking
        self._in_flight += 1
        return Admission(self, self._window, self._lost, asking)

    def _learn(self, told: RateLimitHeaders) -> None:
        reset_at = self.time() + told.reset_after
        if self._window is None:
            self._window = _Window(limit=told.limit, remaining=told.remaining, reset_at=reset_at)
        elif told.remaining <= self._window.remaining:  # a higher number is an older one
            self._window.limit = told.limit if told.limit is not None else self._window.limit
            self._window.remaining, self._window.reset_at = told.remaining, reset_at


class Admission:
    """One request's place in the budget, until the server has told its count or the request has ended."""

    def __init__(self, budget: Budget, window: _Window | None, lost: int, asking: bool) -> None:
        self._budget = budget
        self._window = window
        self._lost_before = lost
        self._asking = asking
        self._open = True

    def told(self, status: int, headers: Mapping[str, str]) -> None:
        """The server has answered: take over what it says of the window."""
        budget, told = self._budget, read_rate_limit(status, headers)
        if told is None:
            if status == 429:
                budget._window, budget._unmetered = None, False
            elif status < 500 and self._asking:
                budget._unmetered = True
            return
        if self._window is not budget._open_window():
            return  # of a window that is over: nobody knows which one it was counted in
        budget._unmetered = False
        budget._learn(told)
        budget._found = max(budget._found, self._lost_before)
        self._end()

    def unsent(self) -> None:
        """The connection was never made: nothing was spent."""
        self._end()

    def close(self) -> None:
        """The request has ended. One that told nothing may have been counted all the same."""
        if self._open:
            self._budget._lost += 1
            self._end()

    def _end(self) -> None:
        self._open = False
        self._budget._in_flight -= 1
        if self._asking:
            self._budget._asking = False
        self._budget._changed.set()
