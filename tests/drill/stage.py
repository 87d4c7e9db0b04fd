"""A simulator with backups by schedule, a client, and one clock for both that runs a thousand times as fast."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from attrs import frozen

from northflank_async import Northflank
from northflank_async.drill import Drill, drill
from northflank_async.drill.scratch import PREFIX
from northflank_async.simulator import Provisioning, Simulator
from tests.support.clocks import FastClock

PROJECT = "default-project"
DUMPED = "example-addon"  # of MongoDB, with a dump every day
POSTGRESQL = "default-project-database"  # with a dump every day, and a snapshot every week
CACHE = "default-project-cache"  # of Redis, with a snapshot every day
SNAPSHOTS = "default-project-orders"  # of MySQL, with a snapshot every six hours
SCRATCH = "checkout"
SIZE = 10_000_000


@frozen
class Stage:
    """What a drill needs."""

    simulator: Simulator
    nf: Northflank

    async def drill(self, addon_id: str = SNAPSHOTS, **options: Any) -> Drill:
        return await drill(self.nf, PROJECT, addon_id, **{"scratch_project_id": SCRATCH, **options})

    async def newest(self, addon_id: str, *, is_dump: bool) -> str:
        """The newest completed backup of a kind."""
        async for backup in self.nf.project(PROJECT).addon(addon_id).backups():
            source = backup.config and backup.config.source and backup.config.source.type
            if backup.status == "completed" and (source != "snapshot") is is_dump:
                return backup.id
        raise AssertionError("there is none")

    def scratch_addons(self) -> list[str]:
        """The addons of drills that exist and are not being deleted, as the simulator has them."""
        account = self.simulator.tenants[0].account
        return [
            addon.id for addon in account.addons.all() if addon.id.startswith(PREFIX) and addon.status != "deleting"
        ]

    def sent(self, method: str, ending: str = "") -> list[str]:
        """The paths of the requests of a method, in their order."""
        return [each.path for each in self.simulator.requests if each.method == method and each.path.endswith(ending)]


@asynccontextmanager
async def stage(provisioning: Provisioning | None = None, client: Any = None, **options: Any) -> AsyncIterator[Stage]:
    clock = FastClock()
    settings: dict[str, Any] = {"scenario": "healthy", "addon_size": SIZE, "provisioning": provisioning}
    async with (
        Simulator(clock=clock.time, **{**settings, **options}) as simulator,
        Northflank(simulator.token, base_url=simulator.url, clock=clock, **client or {}) as nf,
    ):
        yield Stage(simulator, nf)
