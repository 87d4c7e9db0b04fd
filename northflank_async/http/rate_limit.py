"""The rate limit: the API's headers, and the requests that remain in the window. No I/O; callers pass the time."""

import math
import random
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from attrs import define, field, frozen

from northflank_async.errors import ConfigurationError

_WINDOW = 3600.0
"""Seconds from one reset to the next, as documented. No `Retry-After` makes a request wait longer."""
_LONGEST_WAIT = 86_400.0
"""Seconds. A header that names a longer wait is not a number of seconds: it is ignored."""
_GRACE = 30.0
"""After this many seconds, an unanswered request has been counted, or never will be."""
_LONGEST_PAUSE = 60.0
"""Seconds, after a 429 without a reset time. A `Retry-After` may always be this long."""
_ROUNDING = 1.0
"""Seconds by which a server may round the time of its reset."""
_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")


@frozen(kw_only=True)
class RateLimit:
    """The rate limit now: `remaining` of `limit` requests, until the window resets in `reset_after` seconds."""

    limit: int | None
    remaining: int
    reset_after: float


@define(kw_only=True, eq=False)
class Window:
    """One window, as in the newest response: `reset_at` is a time of the clock."""

    limit: int | None
    remaining: int
    reset_at: float
    sent: int
    """The step at which the request of that response was sent."""
    received: int
    """The step at which the response arrived."""
    settled: int
    """Requests that had ended by then."""
    is_refusal: bool = False
    """Whether the server refused a request, so that nothing is sent until `reset_at`."""
    began: int = field(init=False)
    """The step at which its first response arrived."""

    def __attrs_post_init__(self) -> None:
        self.began = self.received


@define(eq=False)
class Charge:
    """One request, open until `remaining` includes it or it has ended."""

    sent_at: float
    sent: int
    """The step at which it was sent. Steps order events that the clock cannot tell apart."""
    settled: int
    """Requests that had ended by then."""
    is_probe: bool
    """Whether the request is sent to learn the limit, without knowing that the server allows it."""
    is_open: bool = True
    is_answered: bool = False


@frozen
class _Uncounted:
    """A request that ended without rate-limit headers: the response to a request sent after both of these counts it."""

    step: int
    time: float


class RateLimiter:
    """Tracks the window: requests charged to it, and the server's latest headers.

    The server's count is authoritative. It may not yet include requests in flight, so those are deducted. So is each
    request that ended without rate-limit headers, until the response to a later request counts it.

    These deductions are an estimate. They delay a request by `_GRACE` seconds at most: then one request probes.
    """

    def __init__(self, reserve: int = 0) -> None:
        self._reserve = reserve
        self._window: Window | None = None
        self._is_metered: bool | None = None  # whether the server sends rate-limit headers; `None` until that is known
        self._step = 0
        self._floor = 0  # responses to requests sent before this step are about an earlier window
        self._charged = 0
        self._last_sent_at = -math.inf
        self._open: dict[Charge, None] = {}  # in the order of sending
        self._deducted: dict[Charge, None] = {}  # those of them that `remaining` may not include
        self._uncounted: list[_Uncounted] = []
        self._probes = 0  # in flight
        self._unnumbered = 0  # responses without rate-limit headers, since the window is unknown
        self._backoffs = 0  # consecutive 429s without a reset time
        self._polled_window = 0  # the step at which the window began that the next one is about
        self._left_to_polls = 0.0

    @property
    def in_flight(self) -> int:
        """Requests in flight."""
        return len(self._open)

    def rate_limit(self, now: float) -> RateLimit | None:
        """The rate limit, if the window is known. Changes nothing, so that another thread may call it."""
        window = self._window
        if window is None or now >= window.reset_at:
            return None
        return RateLimit(limit=window.limit, remaining=max(0, self._left(window)), reset_after=window.reset_at - now)

    def window(self, now: float) -> Window | None:
        """The current window; `None` until it is known, and after its reset."""
        if self._window and now >= self._window.reset_at:
            self._forget()
        return self._window

    def is_affordable(self, now: float) -> bool:
        """Whether one more request can be sent."""
        window = self.window(now)
        if window is None:
            # One request learns the limit. Each response without rate-limit headers allows one more at the same time.
            is_allowed = self._is_metered is False or self._probes < max(1, self._unnumbered)
        else:
            is_allowed = not window.is_refusal and self._left(window) > self._reserve
            if not is_allowed and self.is_exhausted(window):
                return False
        return is_allowed or now >= self.probe_at

    @property
    def probe_at(self) -> float:
        """The time from which a request may probe, unless the window is exhausted."""
        return self._last_sent_at + _GRACE

    def is_exhausted(self, window: Window) -> bool:
        """Whether the server says that nothing remains before the reset.

        Raises:
            ConfigurationError: `reserve` is as large as a window.
        """
        if window.limit is not None and 0 < window.limit <= self._reserve:
            raise ConfigurationError(f"reserve={self._reserve} leaves nothing of a window of {window.limit} requests")
        return window.is_refusal or window.remaining <= self._reserve

    def unanswered(self, window: Window) -> int:
        """Unanswered requests that may have exhausted the window; 0 if responses may still allow a request."""
        return len(self._uncounted) if window.remaining - len(self._uncounted) <= self._reserve else 0

    def time_to_afford(self, requests: int, now: float) -> float:
        """Seconds until this window and the next ones allow this many requests; 0 where that is unknown."""
        window = self.window(now)
        if window is None or window.limit is None or window.limit <= self._reserve:
            return 0.0
        missing = requests - max(0, self._left(window) - self._reserve)
        if missing <= 0:
            return 0.0
        later_windows = math.ceil(missing / (window.limit - self._reserve)) - 1
        return window.reset_at - now + later_windows * _WINDOW

    def polling_pause(self, pause: float, longest: float, requests: int, now: float) -> float:
        """The pause between two polls: longer where all pollers would use more than half of the remaining requests.

        Args:
            pause: the seconds to wait if there are enough requests.
            longest: the usual maximum pause.
            requests: the requests that one poll of each poller takes, together.
            now: the time.
        """
        window = self.window(now)
        if window is None:
            return pause
        until_reset = window.reset_at - now
        left = self._left(window) - self._reserve
        if self._polled_window != window.began:
            self._polled_window, self._left_to_polls = window.began, left / 2
        share = min(self._left_to_polls, left) / requests
        if share * longest >= until_reset:
            return pause
        return max(pause, until_reset / max(share, 1.0))

    def polled(self, requests: int) -> None:
        """Deduct the requests of a poll from the half of the window that polls may use."""
        self._left_to_polls -= requests

    def charge(self, now: float) -> Charge:
        """Deduct a request that is about to be sent."""
        window = self.window(now)
        is_probe = self._is_metered is not False if window is None else self._left(window) <= self._reserve
        charge = Charge(now, self._next_step(), self._charged - len(self._open), is_probe)
        self._charged += 1
        self._last_sent_at = now
        self._probes += is_probe
        self._open[charge] = self._deducted[charge] = None
        return charge

    def update(self, charge: Charge, status: int, headers: Mapping[str, str], now: float) -> None:
        """Update the window from a response's headers."""
        charge.is_answered = True
        window = self.window(now)
        if charge.sent < self._floor:
            return  # the window has been reset since: unclear which one counted the request
        rate_limit = read_rate_limit(status, headers)
        if _number(headers.get("x-ratelimit-remaining")) is not None:
            self._is_metered = True
        if rate_limit:
            self._is_metered = True
            self._backoffs = self._unnumbered = 0
        if status == 429:
            self._refuse(charge, rate_limit, now)
        elif rate_limit:
            self._learn(charge, rate_limit, now)
        elif window is None:
            self._unnumbered += 1
            if status < 300 and self._is_metered is None:
                self._is_metered = False
        elif charge.is_probe and charge.sent > window.received and status < 500:
            self._forget()  # the server responds, and has stopped counting
            self._unnumbered = 1

    def refund(self, charge: Charge) -> None:
        """Close a charge whose request was never sent, or is part of `remaining` by now."""
        charge.is_open = False
        self._open.pop(charge, None)
        self._deducted.pop(charge, None)
        self._probes -= charge.is_probe

    def close(self, charge: Charge, now: float) -> None:
        """Close an open charge after its request. Without rate-limit headers, assume that the server counted it."""
        if self._is_metered is not False:
            time = charge.sent_at if charge.is_answered else max(now, charge.sent_at + _GRACE)
            self._uncounted.append(_Uncounted(self._next_step(), time))
        self.refund(charge)

    def _next_step(self) -> int:
        self._step += 1
        return self._step

    def _left(self, window: Window) -> int:
        return window.remaining - len(self._deducted) - len(self._uncounted)

    def _forget(self) -> None:
        self._window = None
        self._unnumbered = 0
        self._floor = self._next_step()

    def _learn(self, charge: Charge, rate_limit: RateLimit, now: float) -> None:
        known = self._window
        if known and not self._overrules(charge, rate_limit, known):
            if rate_limit.remaining < known.remaining:  # the newest `remaining` does not include it
                self.close(charge, now)
            else:
                self.refund(charge)
            return
        self._adopt(charge, rate_limit, known, now)
        self._uncounted = [
            ended for ended in self._uncounted if ended.step > charge.sent or ended.time > charge.sent_at
        ]
        while (first := next(iter(self._deducted), None)) and first.sent_at + _GRACE <= charge.sent_at:
            del self._deducted[first]
        self.refund(charge)

    def _overrules(self, charge: Charge, rate_limit: RateLimit, known: Window) -> bool:
        """Whether a response is newer than the one that the window comes from.

        It is if its request was sent after that one arrived. Two requests that were in flight together may have been
        counted in either order: the lower `remaining` is the newer one, as far as our own requests explain the
        difference. Otherwise, the request that was sent later has the newer one.
        """
        if known.is_refusal:
            return False
        if charge.sent > known.received:
            return True
        difference = rate_limit.remaining - known.remaining
        settled = charge.settled if charge.sent > known.sent else known.settled
        if abs(difference) <= self._charged - settled + len(self._uncounted):
            return difference <= 0
        return charge.sent > known.sent

    def _adopt(self, charge: Charge, rate_limit: RateLimit, known: Window | None, now: float) -> None:
        window = Window(
            limit=rate_limit.limit,
            remaining=rate_limit.remaining,
            reset_at=now + rate_limit.reset_after,
            sent=charge.sent,
            received=self._next_step(),
            settled=self._charged - len(self._open),
        )
        if known and charge.sent_at + rate_limit.reset_after <= known.reset_at + _ROUNDING:  # it has not been reset
            window.began = known.began
            window.limit = known.limit if rate_limit.limit is None else rate_limit.limit
            window.sent = max(charge.sent, known.sent)
        self._window = window

    def _refuse(self, charge: Charge, rate_limit: RateLimit | None, now: float) -> None:
        """After a 429, pause all requests, then probe. Without a reset time, each pause is twice as long."""
        known = self._window
        if known and known.is_refusal:  # both were in flight
            if rate_limit:
                known.reset_at = max(known.reset_at, now + rate_limit.reset_after)
        else:
            if rate_limit is None:
                self._is_metered = self._is_metered or None  # it may send rate-limit headers after all
                pause = min(2.0**self._backoffs * random.uniform(1, 1.5), _LONGEST_PAUSE)
                self._backoffs += 1
            else:
                pause = rate_limit.reset_after
            self._window = Window(
                limit=rate_limit.limit if rate_limit else None,
                remaining=0,
                reset_at=now + pause,
                sent=charge.sent,
                received=self._next_step(),
                settled=self._charged - len(self._open),
                is_refusal=True,
            )
        self.refund(charge)


def read_rate_limit(status: int, headers: Mapping[str, str]) -> RateLimit | None:
    """Read a response's `x-ratelimit-*` headers; `None` where they are missing or not reliable.

    After a 429, nothing remains for at least a second: a server that rounds its seconds down sends 0 too early. Where
    the window has requests remaining, another limit was reached, whose end only `Retry-After` names. Otherwise, the
    later of the two times counts.
    """
    limit = _number(headers.get("x-ratelimit-limit"))
    remaining = _number(headers.get("x-ratelimit-remaining"))
    reset = _read_reset(headers)
    if status == 429:
        retry_after = read_retry_after(headers)
        if remaining:
            reset = retry_after
        elif retry_after is not None:
            reset = max(retry_after, reset or 0.0)
        remaining = 0
        reset = None if reset is None else max(reset, 1.0)
    if remaining is None or reset is None:
        return None
    return RateLimit(limit=None if limit is None else int(limit), remaining=int(remaining), reset_after=reset)


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Read `Retry-After`, in seconds or as a date, as seconds.

    A date counts from the response's own `Date`, as the two clocks may differ. No pause is longer than a window, or
    ends after the window's reset where the response names it.
    """
    text = headers.get("Retry-After")
    if text is None:
        return None
    seconds = _number(text)
    if seconds is None:
        date = _read_date(text)
        if date is None:
            return None
        seconds = max(0.0, (date - (_read_date(headers.get("Date")) or datetime.now(UTC))).total_seconds())
    if seconds > _LONGEST_WAIT:
        return None
    reset = _read_reset(headers)
    return min(seconds, _WINDOW if reset is None else max(reset, _LONGEST_PAUSE))


def _read_reset(headers: Mapping[str, str]) -> float | None:
    reset = _number(headers.get("x-ratelimit-reset"))
    return min(reset, _WINDOW) if reset is not None and reset <= _LONGEST_WAIT else None


def _read_date(text: str | None) -> datetime | None:
    """A header's date, if it is one."""
    try:
        date = parsedate_to_datetime(text) if text else None
    except (ValueError, OverflowError):
        return None
    return date.replace(tzinfo=UTC) if date and date.tzinfo is None else date


def _number(text: str | None) -> float | None:
    """A header's number, if it is one and not negative."""
    return float(text) if text and _NUMBER.fullmatch(text.strip()) else None
