"""The simulator: a server on the loopback interface."""

import math
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from aiohttp import web

from northflank_async.simulator.account import Account
from northflank_async.simulator.application import application
from northflank_async.simulator.faults import FaultGenerator, Faults
from northflank_async.simulator.identity import Identity
from northflank_async.simulator.inventory import Inventory
from northflank_async.simulator.middleware import Middleware, RequestRecord
from northflank_async.simulator.rate_limit import RateLimitWindow
from northflank_async.simulator.runs import RunGenerator, SimulatedTime
from northflank_async.simulator.storage import PREFIX, Downloads

HOST = "127.0.0.1"
MOST_BACKUPS = 1_000_000  # for each addon: more than a century of hourly backups


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

    The simulated time starts with the simulator, always at the same date. A backup or restore that you start is
    scheduled for about two seconds of simulated time and in progress for about ten. Those that the inventory has in
    progress stay so unless they are aborted.

    `requests` lists the received requests in the order of arrival.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        token: str = "simulator-token",
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
    ) -> None:
        _check("port", port, 0, 65535)
        _check("projects", projects, 0)
        _check("addons", addons, 0)
        _check("backups", backups, 0, MOST_BACKUPS)
        _check("latency", latency, 0)
        _check("rate_limit", rate_limit, 0)
        _check("window", window, 0)
        _check("speed", speed, 0)
        if window == 0:
            raise ValueError("window must be more than 0 seconds")
        if not token:
            raise ValueError("token must not be empty")
        if faults is not None and not isinstance(faults, Faults):
            raise ValueError(f"faults must be Faults(...), not {faults!r}")
        self.token = token
        self.identity = identity or Identity()
        self.requests: list[RequestRecord] = []
        faults = faults or Faults()
        self._account = Account(
            Inventory(seed=seed, project_count=projects, addon_count=addons, backup_average=backups),
            SimulatedTime(clock=clock, speed=speed, began=clock()),
            RunGenerator(seed=faults.seed, rate=faults.runs),
            self.identity,
        )
        self._middleware = Middleware(
            token=token,
            window=RateLimitWindow(limit=rate_limit, seconds=window, clock=clock),
            faults=FaultGenerator(faults),
            latency=latency,
            requests=self.requests,
            storage=PREFIX,
        )
        self._downloads = downloads or Downloads()
        self._port = port
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The base URL: http://127.0.0.1:PORT."""
        if self._runner is None:
            raise RuntimeError("the simulator has a URL only inside `async with`")
        return f"http://{HOST}:{self._runner.addresses[0][1]}"

    async def __aenter__(self) -> Self:
        if self._runner is not None:
            raise RuntimeError("the simulator is already running")
        app = application(self._account, self._middleware, self._downloads)
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


def _check(name: str, value: float, least: float, most: float = math.inf) -> None:
    if not (least <= value <= most and math.isfinite(value)):
        limits = f"at least {least}" if most == math.inf else f"from {least} to {most}"
        raise ValueError(f"{name} must be {limits}, not {value}")
