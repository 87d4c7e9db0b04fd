"""How backups and restores go: what state a run is in follows from the time at which one looks."""

from collections.abc import Callable
from typing import Any

import attrs

from northflank_async.simulator.inventory import NOW, OPEN, SECOND, Json, dice_of, iso

ABORTING = SECOND


@attrs.frozen(kw_only=True)
class SimulatedTime:
    """Milliseconds since EPOCH: the inventory's NOW at first, then `speed` seconds for each of the clock's."""

    clock: Callable[[], float]
    speed: float
    began: float

    def now(self) -> int:
        """What time it is."""
        return NOW + round((self.clock() - self.began) * self.speed * 1000)


@attrs.frozen(kw_only=True)
class Run:
    """From `begins` to `ends` it is in progress, before that scheduled, and then what `outcome` says.

    One that is aborted has the time at which it would have ended besides.
    """

    begins: int
    ends: int
    outcome: str
    would_end: int | None = None

    def status(self, now: int) -> str:
        """The status as it is documented."""
        if now >= self.ends:
            return self.outcome
        if self.would_end is not None:
            return "aborting"
        return "scheduled" if now < self.begins else "in-progress"

    def abort(self, now: int) -> "Run | None":
        """The run that ends early, a second from now; None where it is not under way."""
        if self.status(now) not in ("scheduled", "in-progress"):
            return None
        return Run(begins=self.begins, ends=now + ABORTING, outcome="aborted", would_end=self.ends)

    def describe(self, now: int) -> Json:
        """What a record says of it."""
        ended = {"completedAt": iso(self.ends)} if now >= self.ends else {}
        return {"status": self.status(now), **ended}


NEVER = 2**53  # a time after all others


def computed_run(status: str, created: int, ended: int) -> Run:
    """The run of what the inventory computes, which stays as it is unless it is aborted."""
    if status in OPEN:
        begins = NEVER if status == "scheduled" else created
        return Run(begins=begins, ends=NEVER, outcome="completed", would_end=NEVER if status == "aborting" else None)
    return Run(begins=created, ends=ended, outcome=status)


@attrs.frozen(kw_only=True)
class RunDraw:
    """Draws how a run will go: about two seconds scheduled, about ten in progress, failed at the rate of the faults."""

    seed: int
    rate: float

    def run(self, now: int, *key: Any) -> Run:
        """The run that is started now; the same for each key."""
        dice = dice_of(self.seed, "run", *key)
        begins = now + 1500 + dice[0] * 1000 // 256
        ends = begins + 8000 + dice[1] * 4000 // 256
        fails = int.from_bytes(dice[2:10], "big") < self.rate * 2.0**64
        return Run(begins=begins, ends=ends, outcome="failed" if fails else "completed")
