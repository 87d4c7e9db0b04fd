"""The simulator: a server on the loopback interface."""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import attrs
from aiohttp import web

from northflank_async.simulator.application import application
from northflank_async.simulator.faults import Faults
from northflank_async.simulator.identity import Identity
from northflank_async.simulator.inventory import NOW, milliseconds
from northflank_async.simulator.middleware import Middleware, RequestRecord
from northflank_async.simulator.provisioning import Provisioning
from northflank_async.simulator.storage import PREFIX, Downloads
from northflank_async.simulator.tenants import TOKEN, Tenant, Tenants, check

HOST = "127.0.0.1"


class Simulator:
    """A simulated Northflank API, available at `url` with `token` inside `async with`.

    - `port`: 0 selects a free port.
    - `seed`: another seed generates another inventory.
    - `projects`: their number; `addons`: the number in each project; `backups`: the average number of each addon.
    - `latency`: seconds before each response.
    - `rate_limit`: requests in each window of `window` seconds.
    - `faults`: requests and runs that fail on purpose.
    - `clock`: returns seconds, for the window and for the simulated time.
    - `speed`: how much faster the simulated time runs than the clock.
    - `downloads`: the size of downloads, and their faults.
    - `identity`: the account of the token, and the projects that it is restricted to.
    - `tenants`: several accounts, which then have the options that describe one: `token`, `seed`, `projects`,
      `addons`, `backups`, `rate_limit`, `window`, `faults`, `scenario`, `addon_size` and `identity`.
    - `scenario`: a fault of every addon's backups, or `audit`, where most of the first twenty have one each, or
      `healthy`. Backups then follow their schedules for 90 days, and `backups` has no effect.
    - `start`: the simulated time at which the simulator starts, with a time zone. By default it is always the same
      date, but the current time if there is a scenario.
    - `addon_size`: bytes of data in every addon, about which the sizes of its backups vary; by default, addons have
      from megabytes to terabytes.
    - `provisioning`: how new addons come up, and how imports and restores end.

    A backup or restore that you start is
    scheduled for about two seconds of simulated time and in progress for about ten. Those that the inventory has in
    progress stay so unless they are aborted.

    `requests` lists the received requests in the order of arrival. `tenants` lists the tenants: without `tenants=` a
    single one without a name.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        token: str = TOKEN,
        seed: int = 0,
        projects: int = 5,
        addons: int = 4,
        backups: int = 150,
        latency: float = 0.0,
        rate_limit: int = 1000,
        window: float = 3600.0,
        faults: Faults | None = None,
        clock: Callable[[], float] = time.monotonic,
        speed: float = 1.0,
        downloads: Downloads | None = None,
        identity: Identity | None = None,
        tenants: Iterable[Tenant] | None = None,
        scenario: str | None = None,
        start: datetime | None = None,
        addon_size: int | None = None,
        provisioning: Provisioning | None = None,
    ) -> None:
        check("port", port, 0, 65535)
        check("latency", latency, 0)
        check("speed", speed, 0)
        only = Tenant(
            name="",
            token=token,
            identity=identity or Identity(),
            seed=seed,
            projects=projects,
            addons=addons,
            backups=backups,
            rate_limit=rate_limit,
            window=window,
            faults=faults or Faults(),
            scenario=scenario,
            addon_size=addon_size,
        )
        if tenants is not None:
            _check_only_tenants(only)
        self._tenants = Tenants((only,) if tenants is None else tuple(tenants))
        for tenant in self._tenants:
            tenant.start(clock, speed, _start(start, tenant.scenario), provisioning or Provisioning())
        self.requests: list[RequestRecord] = []
        self._middleware = Middleware(
            tenants=self._tenants,
            clock=clock,
            latency=latency,
            requests=self.requests,
            storage=PREFIX,
        )
        self._downloads = downloads or Downloads()
        self._port = port
        self._runner: web.AppRunner | None = None

    @property
    def tenants(self) -> tuple[Tenant, ...]:
        """The tenants, in the order in which they were passed."""
        return self._tenants.items

    @property
    def token(self) -> str:
        """The token of the first tenant."""
        return self.tenants[0].token

    @property
    def identity(self) -> Identity:
        """The identity of the first tenant."""
        return self.tenants[0].identity

    @property
    def url(self) -> str:
        """The base URL: http://127.0.0.1:PORT."""
        if self._runner is None:
            raise RuntimeError("the simulator has a URL only inside `async with`")
        return f"http://{HOST}:{self._runner.addresses[0][1]}"

    async def __aenter__(self) -> Self:
        if self._runner is not None:
            raise RuntimeError("the simulator is already running")
        app = application(self._tenants, self._middleware, self._downloads)
        # Closing must not wait for responses in flight.
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
        await runner.setup()
        try:
            await web.TCPSite(runner, HOST, self._port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()


def _start(start: datetime | None, scenario: str | None) -> int:
    """The simulated time at which a tenant starts."""
    if start is None:
        if scenario is None:
            return NOW
        start = datetime.now(UTC)
    if start.tzinfo is None:
        raise ValueError(f"start must have a time zone: {start}")
    return milliseconds(start.astimezone(UTC).isoformat())


def _check_only_tenants(single: Tenant) -> None:
    """Check that no option of a single tenant was passed beside `tenants`."""
    default = Tenant(name="", token=TOKEN, identity=Identity())
    for field in attrs.fields(Tenant):
        if field.init and getattr(single, field.name) != getattr(default, field.name):
            raise ValueError(f"pass {field.name} to each tenant, not beside tenants")
