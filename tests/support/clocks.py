"""Clocks that a test controls, so that a window of an hour takes no time."""

import asyncio
from collections.abc import Callable

from attrs import define, field


@define(eq=False)
class ManualTimer:
    """A timer of a `ManualClock`."""

    when: float
    callback: Callable[[], object]
    clock: "ManualClock"

    def cancel(self) -> None:
        if self in self.clock.timers:
            self.clock.timers.remove(self)


@define
class ManualClock:
    """Stands still until a test advances it."""

    now: float = 1_000_000.0
    timers: list[ManualTimer] = field(factory=list)

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], object]) -> ManualTimer:
        timer = ManualTimer(when, callback, self)
        self.timers.append(timer)
        return timer

    def advance(self, seconds: float) -> None:
        """Move the time forward and run the timers that are due."""
        self.now += seconds
        for timer in [timer for timer in self.timers if timer.when <= self.now]:
            timer.cancel()
            timer.callback()


async def wait_until(condition: Callable[[], object]) -> None:
    """Wait until the condition holds and the tasks that it wakes have run."""
    while not condition():
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.001)


@define
class AutojumpClock(ManualClock):
    """Jumps to the next timer as soon as a task pauses, and records the pauses. Deadlines do not count as pauses."""

    now: float = 0.0
    deadlines: int = 0
    pauses: list[float] = field(factory=list)

    def call_at(self, when: float, callback: Callable[[], object]) -> ManualTimer:
        timer = super().call_at(when, callback)
        if len(self.timers) > self.deadlines:
            self.pauses.append(when - self.now)
            asyncio.get_running_loop().call_soon(self._jump)
        return timer

    def _jump(self) -> None:
        if len(self.timers) > self.deadlines:
            self.advance(max(0.0, min(timer.when for timer in self.timers) - self.now))


class FastClock:
    """Runs a thousand times as fast as the event loop's clock."""

    def time(self) -> float:
        return asyncio.get_running_loop().time() * 1000

    def call_at(self, when: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_at(when / 1000, callback)
