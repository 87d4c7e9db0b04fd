"""A running simulator, an HTTP session with its token, and a clock that stands still until it is advanced."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import attrs

from northflank_async.simulator import Simulator

ADDON = "/v1/projects/default-project/addons/example-addon"
OTHER = "/v1/projects/billing/addons/billing-database"
BACKUPS = f"{ADDON}/backups"
DESTINATIONS = "/v1/backup-destinations"
VOLUMES = "/v1/projects/default-project/volumes"


class SimulatorClock:
    """A clock that stands still until a test advances it."""

    def __init__(self) -> None:
        self.now = 5000.25

    def __call__(self) -> float:
        return self.now


@attrs.frozen
class Api:
    """The API of a running simulator, as an HTTP client sees it."""

    sim: Simulator
    http: aiohttp.ClientSession
    clock: SimulatorClock

    def advance(self, seconds: float) -> None:
        """Advance the clock."""
        self.clock.now += seconds

    async def request(self, method: str, path: str, json: Any = None, **query: Any) -> tuple[int, Any]:
        """Send a request; return the status and the body."""
        async with self.http.request(method, path, json=json, params=query) as response:
            return response.status, await response.json()

    async def data(self, method: str, path: str, json: Any = None, **query: Any) -> Any:
        """Send a request that must succeed; return its `data`."""
        status, body = await self.request(method, path, json, **query)
        assert status == 200, body
        return body["data"]

    async def error(self, status: int, method: str, path: str, json: Any = None, **query: Any) -> dict[str, Any]:
        """Send a request that must fail with this status; return its `error`."""
        actual, body = await self.request(method, path, json, **query)
        assert actual == status, body
        error: dict[str, Any] = body["error"]
        assert error["status"] == status
        assert error["message"]
        return error

    async def get(self, path: str, **query: Any) -> Any:
        """GET the data at this path."""
        return await self.data("GET", path, **query)

    async def all(self, path: str, key: str | None, **query: Any) -> list[dict[str, Any]]:
        """GET every item of a listing, page by page."""
        items: list[dict[str, Any]] = []
        while True:
            status, body = await self.request("GET", path, **query)
            assert status == 200, body
            items += body["data"] if key is None else body["data"][key]
            if not body["pagination"]["hasNextPage"]:
                return items
            query["cursor"] = body["pagination"]["cursor"]

    async def dump(self, addon: str = ADDON, **settings: Any) -> str:
        """Create a native dump and wait until it is completed; return its path."""
        backup = await self.data("POST", f"{addon}/backups", {"backupType": "dump", **settings})
        self.advance(20)
        return f"{addon}/backups/{backup['id']}"


@asynccontextmanager
async def simulated_api(**options: Any) -> AsyncIterator[Api]:
    """Run a simulator whose clock stands still."""
    clock = SimulatorClock()
    async with (
        Simulator(clock=clock, **options) as sim,
        aiohttp.ClientSession(sim.url, headers={"Authorization": f"Bearer {sim.token}"}) as http,
    ):
        yield Api(sim, http, clock)
