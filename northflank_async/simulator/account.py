"""What the simulator holds: the computed inventory, and what was done to it since the start."""

import attrs

from northflank_async.simulator.backups import Backups
from northflank_async.simulator.inventory import Inventory
from northflank_async.simulator.runs import RunDraw, SimulatedTime
from northflank_async.simulator.schedules import Schedules


@attrs.frozen
class Account:
    """All of it, by what it is about."""

    inventory: Inventory
    time: SimulatedTime
    draw: RunDraw
    backups: Backups = attrs.field(init=False)
    schedules: Schedules = attrs.field(init=False)

    @backups.default
    def _backups(self) -> Backups:
        return Backups(seed=self.inventory.seed, time=self.time, draw=self.draw)

    @schedules.default
    def _schedules(self) -> Schedules:
        return Schedules(seed=self.inventory.seed, time=self.time)

    def has_destination(self, destination_id: str) -> bool:
        """Whether there is a backup destination of that id."""
        return destination_id in ("example-backup-destination", "offsite-bucket", "archive-bucket")
