"""The budget: requests wait here until the rate limit allows them."""

import asyncio
import logging
import math
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Literal, Protocol

from northflank_async.errors import ConfigurationError, RateLimited, printable
from northflank_async.http.rate_limit import Charge, RateLimit, RateLimiter, Window

_log = logging.getLogger("northflank_async")

_LONGEST_NAP = 10.0
"""Seconds."""


class Slots:
    """The requests that several clients may have in flight together, in equal shares.

    A client takes a slot when its rate limit allows a request, and asks for one at a time. So clients take turns,
    however many requests each of them has to send, and one that waits for its window occupies none.

    Args:
        requests: the requests in flight, of all clients together.
    """

    def __init__(self, requests: int) -> None:
        self.free = asyncio.Semaphore(requests)  # first come, first served
        self.clients = 0
        """Clients that have requests to send, and do not wait for their window."""
        self._requests = requests

    @property
    def share(self) -> int:
        """The requests that one client may have in flight. Each needs a connection, which stays open for a while."""
        return max(1, math.ceil(self._requests / max(1, self.clients)))

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Have the requests of a block, which are those of one client, use the slots."""
        token = _slots.set(self)
        self.clients += 1
        try:
            yield
        finally:
            self.clients -= 1
            _slots.reset(token)


_slots: ContextVar[Slots | None] = ContextVar("slots", default=None)


class Timer(Protocol):
    """What `Clock.call_at` returns."""

    def cancel(self) -> object: ...


class Clock(Protocol):
    """A source of time, in seconds. An event loop is one."""

    def time(self) -> float: ...

    def call_at(self, when: float, callback: Callable[[], object], /) -> Timer: ...


class _WakefulClock:
    """The default clock: it includes the time that the machine is suspended, and works outside an event loop."""

    def __init__(self) -> None:
        clock = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
        self.time: Callable[[], float] = time.monotonic if clock is None else partial(time.clock_gettime, clock)

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        return _WakefulTimer(self.time, when, callback)


class _WakefulTimer:
    """Looks at the time every few seconds: the event loop's own timers stand still while the machine is suspended."""

    def __init__(self, now: Callable[[], float], when: float, callback: Callable[[], object]) -> None:
        self._now, self._when, self._callback = now, when, callback
        self._handle = self._schedule()

    def cancel(self) -> None:
        self._handle.cancel()

    def _schedule(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(min(self._when - self._now(), _LONGEST_NAP), self._wake)

    def _wake(self) -> None:
        if self._now() < self._when:
            self._handle = self._schedule()
        else:
            self._callback()


class Budget:
    """The requests that a token may still send, shared by everything that uses one client.

    Args:
        on_rate_limit: `"wait"` for the window to reset, or `"raise"` `RateLimited`.
        reserve: requests of each window to leave to other users of the token.
        clock: the source of time.
        name: what log messages call the client.
    """

    def __init__(
        self,
        *,
        on_rate_limit: Literal["wait", "raise"] = "wait",
        reserve: int = 0,
        clock: Clock | None = None,
        name: str | None = None,
    ) -> None:
        self.name = name
        self.raises = on_rate_limit == "raise"
        self.spent = 0
        """Requests sent, except those whose connection was never made."""
        self.retries = 0
        """Attempts that follow a failed one."""
        self.total_wait = 0.0
        """Seconds spent waiting for resets."""
        self._clock: Clock = clock or _WakefulClock()
        self.time = self._clock.time
        """The clock's time, in seconds."""
        self._limiter = RateLimiter(reserve)
        self._in_slots = 0
        self._awaited: float | None = None
        self._announced: int | None = None
        self._polls: dict[object, int] = {}  # the requests that each poller takes for one poll
        self._loop: asyncio.AbstractEventLoop | None = None  # the one that the next three belong to
        self._process = os.getpid()
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()

    @property
    def rate_limit(self) -> RateLimit | None:
        """The rate limit; `None` before the first response and after the window's reset."""
        return self._limiter.rate_limit(self.time())

    @property
    def in_flight(self) -> int:
        """Requests in flight."""
        return self._limiter.in_flight

    @property
    def reset_wait(self) -> float | None:
        """Seconds until the time that requests are waiting for, usually the reset; `None` if none waits."""
        until = self._awaited
        return None if until is None else max(0.0, until - self.time())

    def time_to_afford(self, requests: int) -> float:
        """Seconds until this window and the next ones allow this many requests; 0 where that is unknown."""
        return self._limiter.time_to_afford(requests, self.time())

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call `callback` after `seconds` of the clock."""
        return self._clock.call_at(self.time() + seconds, callback)

    @contextmanager
    def polling(self) -> Iterator[Callable[[float, float, int], Awaitable[None]]]:
        """Register a poller; yield its sleep function, which takes the desired and the usual maximum pause in seconds.

        Its third argument is the number of requests that the latest poll took. The pause is longer where few requests
        remain, so that all pollers together use at most half of them.
        """
        poller = object()
        self._polls[poller] = 1

        async def pause(seconds: float, longest: float, requests: int) -> None:
            self._polls[poller] = requests
            self._limiter.polled(requests)
            await self.sleep(self._limiter.polling_pause(seconds, longest, sum(self._polls.values()), self.time()))

        try:
            yield pause
        finally:
            del self._polls[poller]

    async def sleep(self, seconds: float) -> None:
        """Pause; `seconds` are those of the clock."""
        if seconds <= 0:
            return await asyncio.sleep(0)
        over = asyncio.Event()
        timer = self.call_later(seconds, over.set)
        try:
            await over.wait()
        finally:
            timer.cancel()

    @asynccontextmanager
    async def timeout(self, seconds: float) -> AsyncIterator[asyncio.Timeout]:
        """Raise `TimeoutError` after `seconds` of the clock, like `asyncio.timeout()`."""
        loop = asyncio.get_running_loop()
        if seconds <= 0:
            async with asyncio.timeout(0) as timeout:
                yield timeout
            return
        async with asyncio.timeout(None) as timeout:
            timer = self.call_later(seconds, lambda: timeout.reschedule(loop.time()))
            try:
                yield timeout
            finally:
                timer.cancel()

    @asynccontextmanager
    async def admit(self) -> AsyncIterator[Charge]:
        """Wait until the rate limit allows one request, first come first served, and charge it.

        Raises:
            RateLimited: the window is exhausted, and `on_rate_limit` is `"raise"`.
            ConfigurationError: `reserve` is as large as a window.
        """
        self._enter_loop()
        slots = _slots.get()
        async with self._turn:  # only the first in line waits for the window; the others wait for their turn
            await self._wait_for_admission(slots)
            charge = self._limiter.charge(self.time())
            self.spent += 1
            self._in_slots += slots is not None
        try:
            yield charge
        finally:
            if charge.is_open:
                self._limiter.close(charge, self.time())
                self._changed.set()
            if slots is not None:
                self._in_slots -= 1
                slots.free.release()
                self._changed.set()

    def update(self, charge: Charge, status: int, headers: Mapping[str, str]) -> None:
        """Update the window from the headers of a response to an admitted request."""
        self._limiter.update(charge, status, headers, self.time())
        self._changed.set()

    def refund(self, charge: Charge) -> None:
        """Take back an admitted request whose connection was never made."""
        self._limiter.refund(charge)
        self.spent -= 1
        self._changed.set()

    def _enter_loop(self) -> None:
        """Replace the lock and the event of an earlier loop, such as that of a previous `asyncio.run`."""
        loop, process = asyncio.get_running_loop(), os.getpid()
        if loop is self._loop:
            return
        if self._loop and self._loop.is_running() and process == self._process:  # a fork copies a running loop
            raise ConfigurationError("the client is in use in another event loop: open one client in each")
        self._loop, self._process = loop, process
        self._turn, self._changed = asyncio.Lock(), asyncio.Event()

    async def _wait_for_admission(self, slots: Slots | None) -> None:
        """Wait until the rate limit allows one request, and for one of the shared slots, if there are any."""
        if slots is None:
            while not self._limiter.is_affordable(self.time()):
                await self._wait_for_change()
            return
        while True:
            while self._in_slots >= slots.share:
                self._changed.clear()
                await self._changed.wait()
            await slots.free.acquire()
            is_affordable = False
            try:
                is_affordable = self._limiter.is_affordable(self.time())
            finally:
                if not is_affordable:
                    slots.free.release()
            if is_affordable:
                return
            slots.clients -= 1  # the others share what this one does not need
            try:
                while not self._limiter.is_affordable(self.time()):
                    await self._wait_for_change()
            finally:
                slots.clients += 1

    async def _wait_for_change(self) -> None:
        """Wait for the reset, for the time of a probe, or for a response that may allow a request."""
        began = self.time()
        window = self._limiter.window(began)
        until = self._limiter.probe_at
        if window and self._limiter.is_exhausted(window):
            until = window.reset_at
            self._announce(window, until - began)
            self._awaited = until
        elif window:
            until = min(until, window.reset_at)
            if unanswered := self._limiter.unanswered(window):
                self._announce_probe(unanswered, until - began)
                self._awaited = until
        self._changed.clear()
        timer: Timer
        if window:
            timer = self._clock.call_at(until, self._changed.set)
        else:  # waits for responses only, which take real time
            timer = asyncio.get_running_loop().call_later(until - began, self._changed.set)
        try:
            await self._changed.wait()
        finally:
            timer.cancel()
            if self._awaited is not None:
                self._awaited = None
                self.total_wait += self.time() - began

    def _announce(self, window: Window, seconds: float) -> None:
        """Raise, or log once per window, when it is exhausted."""
        if self.raises:
            raise RateLimited(
                f"rate limit reached; the window resets in {seconds:.0f} s", status=429, retry_after=seconds
            )
        if window.began != self._announced:
            self._announced = window.began
            requests = f" of {window.limit} requests" if window.limit else ""
            _log.info(
                "%srate limit reached: waiting %.0f s for the window%s to reset",
                self._prefix,
                seconds,
                requests,
                extra={"reset_after": seconds},
            )

    def _announce_probe(self, unanswered: int, seconds: float) -> None:
        """Raise, or log, that requests without a response may have exhausted the window."""
        requests = "request" if unanswered == 1 else "requests"
        reason = f"{unanswered} {requests} got no response and may have used up the rate limit"
        if self.raises:
            raise RateLimited(f"{reason}; retry in {seconds:.0f} s", status=429, retry_after=seconds)
        _log.info("%s%s: waiting %.0f s, then one request finds out", self._prefix, reason, seconds)

    @property
    def _prefix(self) -> str:
        return "" if self.name is None else f"{printable(self.name)}: "
