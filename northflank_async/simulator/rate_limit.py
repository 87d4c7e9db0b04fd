"""The rate limit: a number of requests in a window of time that starts with the first of them."""

import math
from collections.abc import Callable

import attrs


@attrs.define(kw_only=True)
class RateLimitWindow:
    """Counts requests. The first request after the window's end starts a new window."""

    limit: int
    seconds: float
    clock: Callable[[], float]
    _began: float | None = None
    _count: int = 0

    def admit(self) -> bool:
        """Count a request; False if the window's limit is reached."""
        self._expire()
        if self._began is None:
            self._began = self.clock()
        if self._count >= self.limit:
            return False
        self._count += 1
        return True

    def spend(self, remaining: int) -> None:
        """Count requests until this many remain."""
        self._expire()
        if self._began is None:
            self._began = self.clock()
        self._count = max(self._count, self.limit - remaining)

    def headers(self) -> dict[str, str]:
        """The three rate limit headers."""
        self._expire()
        left = self.seconds if self._began is None else self._began + self.seconds - self.clock()
        return {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(self.limit - self._count),
            # Rounded up, so that a client that waits this long never sends its next request too early.
            "x-ratelimit-reset": str(max(0, math.ceil(left))),
        }

    def _expire(self) -> None:
        if self._began is not None and self.clock() >= self._began + self.seconds:
            self._began, self._count = None, 0
