"""Clocks for the rate limit's window, so that an hour takes no time."""

import asyncio
from collections.abc import Callable

from attrs import define, field


@define(eq=False)
class ManualTimer:
    when: float
    callback: Callable[[], object]
    clock: "ManualClock"

    def cancel(self) -> None:
        if self in self.clock.timers:
            self.clock.timers.remove(self)


@define
class ManualClock:
    """Stands still until it is advanced."""

    now: float = 1_000_000.0
    timers: list[ManualTimer] = field(factory=list)

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], object]) -> ManualTimer:
        timer = ManualTimer(when, callback, self)
        self.timers.append(timer)
        return timer

    def advance(self, seconds: float) -> None:
        self.now += seconds
        for timer in [timer for timer in self.timers if timer.when <= self.now]:
            timer.cancel()
            timer.callback()


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until the condition holds, and whoever that wakes has run."""
    while not condition():
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.001)


@define
class LeapingClock(ManualClock):
    """Leaps to what comes next as soon as somebody pauses, and remembers the pauses. A deadline alone is no pause."""

    now: float = 0.0
    deadlines: int = 0
    pauses: list[float] = field(factory=list)

    def call_at(self, when: float, callback: Callable[[], object]) -> ManualTimer:
        timer = super().call_at(when, callback)
        if len(self.timers) > self.deadlines:
            self.pauses.append(when - self.now)
            asyncio.get_running_loop().call_soon(self._leap)
        return timer

    def _leap(self) -> None:
        if len(self.timers) > self.deadlines:
            self.advance(max(0.0, min(timer.when for timer in self.timers) - self.now))


class FastClock:
    """Runs a thousand times as fast as the event loop's."""

    def time(self) -> float:
        return asyncio.get_running_loop().time() * 1000

    def call_at(self, when: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_at(when / 1000, callback)
