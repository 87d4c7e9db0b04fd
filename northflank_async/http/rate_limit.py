"""The rate limit: what the API's headers say, and what is left of the window. No I/O; callers pass the time."""

import math
import random
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from attrs import define, frozen

from northflank_async.errors import ConfigurationError

_WINDOW = 3600.0
"""Seconds from one reset to the next, as documented."""
_LONGEST_WAIT = 86_400.0
"""Seconds. A header that asks for a longer wait than a day is ignored."""
_GRACE = 30.0
"""Seconds after which a server has counted a request that never got an answer, or never will."""
_LONGEST_BACKOFF = 60.0
"""Seconds, after 429s without a time."""
_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")


@frozen(kw_only=True)
class RateLimit:
    """The rate limit now: `remaining` of `limit` requests, until the window resets in `reset_after` seconds."""

    limit: int | None
    remaining: int
    reset_after: float


@define(kw_only=True, eq=False)
class Window:
    """One window: `remaining` is the lowest number that the server sent, `reset_at` the time that came with it."""

    limit: int | None
    remaining: int
    reset_at: float


@define(eq=False)
class Charge:
    """One request's charge to a window, open until the server has counted it or the request has ended."""

    window: Window | None
    sent_at: float
    is_probe: bool
    """Whether the request is sent alone to learn the numbers."""
    is_open: bool = True
    is_answered: bool = False


class RateLimiter:
    """The account of the window: what was charged to it, and what the server says.

    The server's count is the truth. Until it has answered a request, it may or may not have counted it, so each
    request in flight is deducted. So is each that ended without numbers, until the answer to a request that was sent
    later includes it.
    """

    def __init__(self, reserve: int = 0) -> None:
        self.in_flight = 0
        self._reserve = reserve
        self._window: Window | None = None
        self._is_metered: bool | None = None  # whether the server sends numbers; `None` until that is known
        self._is_probing = False
        self._uncounted: list[float] = []  # for each request that ended without numbers: counted if sent after this
        self._backoffs = 0  # in a row, after 429s without a time

    def rate_limit(self, now: float) -> RateLimit | None:
        """The rate limit, if the window is known. Changes nothing, so that another thread may call it."""
        window = self._window
        if window is None or now >= window.reset_at:
            return None
        return RateLimit(limit=window.limit, remaining=max(0, self._left(window)), reset_after=window.reset_at - now)

    def window(self, now: float) -> Window | None:
        """The current window; `None` until it is known, and after its reset."""
        if self._window and now >= self._window.reset_at:
            self._window = None
            self._uncounted.clear()
        return self._window

    def is_affordable(self, now: float) -> bool:
        """Whether one more request can be sent."""
        window = self.window(now)
        if window:
            return self._left(window) > self._reserve
        return self._is_metered is False or not self._is_probing

    def is_exhausted(self, window: Window) -> bool:
        """Whether only the reset brings more requests, not an answer in flight.

        Raises:
            ConfigurationError: `reserve` leaves nothing of a window.
        """
        if window.limit is not None and 0 < window.limit <= self._reserve:
            raise ConfigurationError(f"reserve={self._reserve} leaves nothing of a window of {window.limit} requests")
        return self._left(window) + self.in_flight <= self._reserve

    def time_to_afford(self, requests: int, now: float) -> float:
        """Seconds until this window and the next ones allow so many requests; 0 where that is not known."""
        window = self.window(now)
        if window is None or window.limit is None or window.limit <= self._reserve:
            return 0.0
        missing = requests - max(0, self._left(window) - self._reserve)
        if missing <= 0:
            return 0.0
        later_windows = math.ceil(missing / (window.limit - self._reserve)) - 1
        return window.reset_at - now + later_windows * _WINDOW

    def polling_pause(self, pause: float, longest: float, pollers: int, now: float) -> float:
        """The pause between two polls: longer where all pollers would use more than half of what is left."""
        window = self.window(now)
        if window is None:
            return pause
        until_reset = window.reset_at - now
        share = (self._left(window) - self._reserve) / 2 / pollers
        if share * longest >= until_reset:
            return pause
        return max(pause, until_reset / max(share, 1.0))

    def charge(self, now: float) -> Charge:
        """Deduct a request that is about to be sent."""
        window = self.window(now)
        charge = Charge(window, now, is_probe=window is None and self._is_metered is not False)
        self._is_probing = self._is_probing or charge.is_probe
        self.in_flight += 1
        return charge

    def learn(self, charge: Charge, status: int, headers: Mapping[str, str], now: float) -> None:
        """Take over what an answer says of the window."""
        charge.is_answered = True
        if charge.window is not self.window(now):
            return  # the window has been reset since: unclear which one counted the request
        rate_limit = read_rate_limit(status, headers)
        if rate_limit:
            self._update(rate_limit, charge.sent_at, now)
            self.refund(charge)
        elif status == 429:
            self._back_off(now)
        elif status < 300 and self._is_metered is None:
            self._is_metered = False

    def refund(self, charge: Charge) -> None:
        """Close a charge whose request was never sent, or is part of the server's numbers by now."""
        charge.is_open = False
        self.in_flight -= 1
        if charge.is_probe:
            self._is_probing = False

    def close(self, charge: Charge, now: float) -> None:
        """Close an open charge whose request has ended. Without numbers, assume that the server counted it."""
        if self._is_metered is not False:
            self._uncounted.append(now + (0 if charge.is_answered else _GRACE))
        self.refund(charge)

    def _left(self, window: Window) -> int:
        return window.remaining - self.in_flight - len(self._uncounted)

    def _update(self, rate_limit: RateLimit, sent_at: float, now: float) -> None:
        self._is_metered = True
        self._backoffs = 0
        if self._uncounted:
            self._uncounted = [counted_by for counted_by in self._uncounted if counted_by > sent_at]
        reset_at = now + rate_limit.reset_after
        if self._window is None:
            self._window = Window(limit=rate_limit.limit, remaining=rate_limit.remaining, reset_at=reset_at)
        elif (
            rate_limit.remaining <= self._window.remaining
        ):  # answers overtake each other: a higher number is an older one
            self._window.limit = rate_limit.limit if rate_limit.limit is not None else self._window.limit
            self._window.remaining, self._window.reset_at = rate_limit.remaining, reset_at

    def _back_off(self, now: float) -> None:
        """After a 429 without a time, everybody waits, twice as long each time; then one request probes."""
        self._is_metered = self._is_metered or None  # a server without numbers may send some after all
        pause = min(2.0**self._backoffs, _LONGEST_BACKOFF) * random.uniform(1, 1.5)
        self._backoffs += 1
        self._window = Window(limit=None, remaining=0, reset_at=now + pause)


def read_rate_limit(status: int, headers: Mapping[str, str]) -> RateLimit | None:
    """Read an answer's `x-ratelimit-*` headers; `None` where they are missing or not reliable.

    After a 429 nothing remains for at least a second: a server that rounds its seconds down sends 0 too early.
    `Retry-After` wins where the window has requests left; otherwise the later of the two times does.
    """
    limit = _number(headers.get("x-ratelimit-limit"))
    remaining = _number(headers.get("x-ratelimit-remaining"))
    reset = _number(headers.get("x-ratelimit-reset"))
    if reset is not None and reset > _LONGEST_WAIT:
        reset = None
    if status == 429:
        retry_after = read_retry_after(headers)
        if retry_after is not None and (reset is None or remaining or retry_after > reset):
            reset = retry_after
        remaining = 0
        reset = None if reset is None else max(reset, 1.0)
    if remaining is None or reset is None:
        return None
    return RateLimit(limit=None if limit is None else int(limit), remaining=int(remaining), reset_after=reset)


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Read `Retry-After`, in seconds or as a date, as seconds."""
    text = headers.get("Retry-After")
    if text is None:
        return None
    seconds = _number(text)
    if seconds is None:
        try:
            date = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        seconds = max(0.0, (date - datetime.now(UTC)).total_seconds())
    return seconds if seconds <= _LONGEST_WAIT else None


def _number(text: str | None) -> float | None:
    """A header's number, if it is one and not negative."""
    return float(text) if text and _NUMBER.fullmatch(text.strip()) else None
