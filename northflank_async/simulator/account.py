"""The simulated account: the computed inventory, and the changes since the start."""

import attrs

from northflank_async.simulator.addons import Addons
from northflank_async.simulator.backups import Backups
from northflank_async.simulator.destinations import Destinations
from northflank_async.simulator.inventory import Inventory
from northflank_async.simulator.provisioning import Outcomes
from northflank_async.simulator.runs import RunGenerator, SimulatedTime
from northflank_async.simulator.schedules import Schedules
from northflank_async.simulator.volumes import Volumes


@attrs.frozen
class Account:
    """Everything that the simulator stores, by kind."""

    inventory: Inventory
    time: SimulatedTime
    run_generator: RunGenerator
    outcomes: Outcomes
    addons: Addons = attrs.field(init=False)
    backups: Backups = attrs.field(init=False)
    schedules: Schedules = attrs.field(init=False)
    volumes: Volumes = attrs.field(init=False)
    destinations: Destinations = attrs.field(init=False)

    @addons.default
    def _addons(self) -> Addons:
        return Addons(inventory=self.inventory, time=self.time, outcomes=self.outcomes)

    @backups.default
    def _backups(self) -> Backups:
        return Backups(seed=self.inventory.seed, time=self.time, run_generator=self.run_generator)

    @schedules.default
    def _schedules(self) -> Schedules:
        return Schedules(seed=self.inventory.seed, time=self.time)

    @volumes.default
    def _volumes(self) -> Volumes:
        return Volumes(time=self.time, run_generator=self.run_generator, schedules=self.schedules)

    @destinations.default
    def _destinations(self) -> Destinations:
        return Destinations(time=self.time, inventory=self.inventory, backups=self.backups)
