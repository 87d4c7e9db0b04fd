"""The hour's requests: none is sent that the window cannot pay for."""

import asyncio
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Literal, Protocol, Self

from attrs import define, frozen

from northflank_async.errors import ConfigurationError, RateLimited
from northflank_async.http.response import RateLimitHeaders, is_success, read_rate_limit

_log = logging.getLogger("northflank_async")

_WINDOW = 3600.0
"""Seconds from one reset to the next, as documented."""
_GRACE = 30.0
"""Seconds, in which a server may still count a request that nobody waits for any more."""
_LONGEST_PAUSE = 60.0
"""Seconds, after a 429 that does not say how long."""


class Timer(Protocol):
    """What `Clock.call_at` gives back."""

    def cancel(self) -> object: ...


class Clock(Protocol):
    """Where the budget takes its time from, in seconds. An event loop is one."""

    def time(self) -> float: ...

    def call_at(self, when: float, callback: Callable[[], object], /) -> Timer: ...


class _MonotonicClock:
    """The default: it tells the time outside of an event loop, too."""

    time = staticmethod(time.monotonic)

    def call_at(self, when: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(when - self.time(), callback)


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
    counted them, so each of them is taken off; likewise those that ended without telling, until the answer to a
    request that was sent well after shows a count that must include them.

    Args:
        on_rate_limit: `"wait"` for the reset, or `"raise"` `RateLimited`.
        reserve: requests of each window that are left to others with the same token.
        clock: where the time comes from.
    """

    def __init__(
        self,
        *,
        on_rate_limit: Literal["wait", "raise"] = "wait",
        reserve: int = 0,
        clock: Clock | None = None,
    ) -> None:
        self.waits = on_rate_limit == "wait"
        self.spent = 0
        """Requests that were sent, other than those whose connection was never made."""
        self.waited = 0.0
        """Seconds that everybody has waited for resets."""
        self._reserve = reserve
        self._clock: Clock = clock or _MonotonicClock()
        self.time = self._clock.time
        """The clock's time, in seconds."""
        self._window: _Window | None = None
        self._metered: bool | None = None  # whether the server tells numbers at all, once that is known
        self._asking = False  # the one request that goes out alone to learn the numbers
        self._in_flight = 0
        self._polling = 0  # how many ask for the same thing again and again
        self._waits_for: _Window | None = None
        self._lost: list[float] = []  # of each request that told nothing: what is sent later has it in its count
        self._pauses = 0  # in a row, after 429s that did not say how long
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()

    @property
    def rate_limit(self) -> RateLimit | None:
        """The window as far as it is known; `None` before the first answer and after the window's end."""
        window, now = self._window, self.time()  # nothing is changed: a progress bar asks from another thread
        if window is None or now >= window.reset_at:
            return None
        return RateLimit(limit=window.limit, remaining=max(0, self._left(window)), reset_after=window.reset_at - now)

    @property
    def waits_for(self) -> float | None:
        """Seconds until the reset that everybody waits for, if they do."""
        window = self._waits_for
        return max(0.0, window.reset_at - self.time()) if window else None

    def wait_for(self, requests: int) -> float:
        """Seconds until the window, and those after it, can have paid for so many requests; as far as it is known."""
        window = self._open_window()
        if window is None or window.limit is None or window.limit <= self._reserve:
            return 0.0
        missing = requests - max(0, self._left(window) - self._reserve)
        if missing <= 0:
            return 0.0
        later_windows = math.ceil(missing / (window.limit - self._reserve)) - 1
        return window.reset_at - self.time() + later_windows * _WINDOW

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call back when the clock has gone on by so many seconds."""
        return self._clock.call_at(self.time() + seconds, callback)

    @contextmanager
    def polling(self) -> Iterator[Callable[[float, float], Awaitable[None]]]:
        """For whoever asks for the same thing again and again: gives what to await between two requests.

        It takes the pause that is wanted and the longest that is usual, in seconds. Where little of the window is left
        it rests for longer, so that all who poll together spend no more than half of that until the reset.
        """
        self._polling += 1
        try:
            yield self._rest
        finally:
            self._polling -= 1

    async def _rest(self, pause: float, longest: float) -> None:
        over = asyncio.Event()
        timer = self.call_later(self._gentle(pause, longest), over.set)
        try:
            await over.wait()
        finally:
            timer.cancel()

    def _gentle(self, pause: float, longest: float) -> float:
        window = self._open_window()
        if window is None:
            return pause
        until_reset = window.reset_at - self.time()
        spare = (self._left(window) - self._reserve) / 2 / self._polling
        if spare * longest >= until_reset:
            return pause
        return max(pause, until_reset / max(spare, 1.0))

    def admit(self) -> "Admission":
        """One request's place: entering it (`async with`) waits until that can be paid for, first come first served.

        Raises:
            RateLimited: there is none left in this window, and `on_rate_limit` is `"raise"`.
            ConfigurationError: `reserve` leaves nothing of a window.
        """
        return Admission(self)

    async def _until_affordable(self) -> None:
        while not self._affordable():
            window = self._window
            self._waits_for = window if window and self._is_exhausted(window) else None
            self._changed.clear()
            began = self.time()
            timer = self._clock.call_at(window.reset_at, self._changed.set) if window else None
            try:
                await self._changed.wait()
            finally:
                if self._waits_for:
                    self._waits_for = None
                    self.waited += self.time() - began
                if timer:
                    timer.cancel()

    def _affordable(self) -> bool:
        window = self._open_window()
        if window:
            return self._left(window) > self._reserve
        return self._metered is False or not self._asking

    def _is_exhausted(self, window: _Window) -> bool:
        """Whether there is nothing but to wait for the reset; said once, or raised."""
        if window.limit is not None and 0 < window.limit <= self._reserve:
            raise ConfigurationError(f"reserve={self._reserve} leaves nothing of a window of {window.limit} requests")
        if self._left(window) + self._in_flight > self._reserve:
            return False  # an answer that is on its way may still free one
        reset_after = window.reset_at - self.time()
        if not self.waits:
            raise RateLimited(
                f"no requests left; the window resets in {reset_after:.0f} s", status=429, retry_after=reset_after
            )
        if not window.announced:
            window.announced = True
            limit = f" of {window.limit}" if window.limit else ""
            _log.info("no requests left%s: waiting %.0f s for the window to reset", limit, reset_after)
        return True

    def _left(self, window: _Window) -> int:
        return window.remaining - self._in_flight - len(self._lost)

    def _open_window(self) -> _Window | None:
        if self._window and self.time() >= self._window.reset_at:
            self._window = None
            self._lost.clear()
        return self._window

    def _learn(self, told: RateLimitHeaders, sent_at: float) -> None:
        self._metered = True
        self._pauses = 0
        if self._lost:
            self._lost = [known_at for known_at in self._lost if known_at > sent_at]
        reset_at = self.time() + told.reset_after
        if self._window is None:
            self._window = _Window(limit=told.limit, remaining=told.remaining, reset_at=reset_at)
        elif told.remaining <= self._window.remaining:  # a higher number is an older one
            self._window.limit = told.limit if told.limit is not None else self._window.limit
            self._window.remaining, self._window.reset_at = told.remaining, reset_at

    def _pause(self) -> None:
        """After a 429 that does not say how long: everybody waits, twice as long each time, then one asks."""
        self._metered = self._metered or None  # what told no numbers may have some after all
        pause = min(2.0**self._pauses, _LONGEST_PAUSE) * random.uniform(1, 1.5)
        self._pauses += 1
        self._window = _Window(limit=None, remaining=0, reset_at=self.time() + pause)


class Admission:
    """One request's place in the budget, until the server has told its count or the request has ended."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._answered = False

    async def __aenter__(self) -> Self:
        budget = self._budget
        async with budget._turn:  # only the first in line watches; the others wait for their turn
            if not budget._affordable():
                await budget._until_affordable()
            self._window = budget._window
            self._sent_at = budget.time()
            self._asking = self._window is None and budget._metered is not False
            self._open = True
            budget._asking = budget._asking or self._asking
            budget._in_flight += 1
            budget.spent += 1
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """The request has ended. One that told nothing may have been counted all the same."""
        if self._open:
            if self._budget._metered is not False:
                self._budget._lost.append(self._budget.time() + (0 if self._answered else _GRACE))
            self._end()

    def told(self, status: int, headers: Mapping[str, str]) -> None:
        """The server has answered: take over what it says of the window."""
        budget, told = self._budget, read_rate_limit(status, headers)
        self._answered = True
        if self._window is not budget._open_window():
            return  # of a window that is over: nobody knows which one it was counted in
        if told:
            budget._learn(told, self._sent_at)
            self._end()
        elif status == 429:
            budget._pause()
        elif is_success(status) and budget._metered is None:
            budget._metered = False

    def unsent(self) -> None:
        """The connection was never made: nothing was spent."""
        self._budget.spent -= 1
        self._end()

    def _end(self) -> None:
        self._open = False
        self._budget._in_flight -= 1
        if self._asking:
            self._budget._asking = False
        self._budget._changed.set()
