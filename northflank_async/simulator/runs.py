"""Runs of backups and restores: the status of a run follows from the time."""

from collections.abc import Callable
from typing import Any

import attrs

from northflank_async.simulator.inventory import OPEN, SECOND, Json, iso, random_bytes

ABORTING = SECOND  # how long a run is aborting


@attrs.frozen(kw_only=True)
class SimulatedTime:
    """Milliseconds since EPOCH, starting at `start` and running `speed` times as fast as the clock."""

    clock: Callable[[], float]
    speed: float
    began: float
    start: int

    def now(self) -> int:
        """The simulated time."""
        return self.start + round((self.clock() - self.began) * self.speed * 1000)


@attrs.frozen(kw_only=True)
class Run:
    """A run: scheduled before `begins`, in progress until `ends`, and then with the status `outcome`.

    `would_end` is when an aborted run would have ended.
    """

    begins: int
    ends: int
    outcome: str
    would_end: int | None = None

    def status(self, now: int) -> str:
        """The documented status."""
        if now >= self.ends:
            return self.outcome
        if self.would_end is not None:
            return "aborting"
        return "scheduled" if now < self.begins else "in-progress"

    def abort(self, now: int) -> "Run | None":
        """Return this run aborted, so that it ends in a second, or None if it is neither scheduled nor in progress."""
        if self.status(now) not in ("scheduled", "in-progress"):
            return None
        return Run(begins=self.begins, ends=now + ABORTING, outcome="aborted", would_end=self.ends)

    def describe(self, now: int) -> Json:
        """The fields of the run in a record."""
        ended = {"completedAt": iso(self.ends)} if now >= self.ends else {}
        return {"status": self.status(now), **ended}


NEVER = 2**53  # a time after all others


def computed_run(status: str, created: int, ended: int) -> Run:
    """The run of a computed backup or restore, which keeps its status unless it is aborted."""
    if status in OPEN:
        begins = NEVER if status == "scheduled" else created
        return Run(begins=begins, ends=NEVER, outcome="completed", would_end=NEVER if status == "aborting" else None)
    return Run(begins=created, ends=ended, outcome=status)


@attrs.frozen(kw_only=True)
class RunGenerator:
    """Starts runs: about two seconds scheduled, about ten in progress, and failed at the given rate."""

    seed: int
    rate: float

    def start(self, now: int, *key: Any, outcome: str | None = None) -> Run:
        """Start a run now; the same key always gives the same run.

        `outcome` is how it ends, if not at random; a run that ends as `in-progress` never ends.
        """
        random = random_bytes(self.seed, "run", *key)
        begins = now + 1500 + random[0] * 1000 // 256
        ends = begins + 8000 + random[1] * 4000 // 256
        fails = int.from_bytes(random[2:10], "big") < self.rate * 2.0**64
        if outcome == "in-progress":
            return Run(begins=begins, ends=NEVER, outcome="completed")
        return Run(begins=begins, ends=ends, outcome=outcome or ("failed" if fails else "completed"))
