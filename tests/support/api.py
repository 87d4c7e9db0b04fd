"""The simulator, a session with its token, and a clock that goes when told."""

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


class Clock:
    """A clock that goes when told."""

    def __init__(self) -> None:
        self.now = 5000.25

    def __call__(self) -> float:
        return self.now


@attrs.frozen
class Api:
    """What a client sees of a running simulator."""

    sim: Simulator
    http: aiohttp.ClientSession
    clock: Clock

    def after(self, seconds: float) -> None:
        """Let the clock go on."""
        self.clock.now += seconds

    async def ask(self, method: str, path: str, json: Any = None, **query: Any) -> tuple[int, Any]:
        """The status and the body."""
        async with self.http.request(method, path, json=json, params=query) as response:
            return response.status, await response.json()

    async def done(self, method: str, path: str, json: Any = None, **query: Any) -> Any:
        """The data of an answer that must be a success."""
        status, body = await self.ask(method, path, json, **query)
        assert status == 200, body
        return body["data"]

    async def refused(self, status: int, method: str, path: str, json: Any = None, **query: Any) -> dict[str, Any]:
        """The error of an answer that must have that status."""
        answered, body = await self.ask(method, path, json, **query)
        assert answered == status, body
        error: dict[str, Any] = body["error"]
        assert error["status"] == status
        assert error["message"]
        return error

    async def get(self, path: str, **query: Any) -> Any:
        """The data under a path."""
        return await self.done("GET", path, **query)

    async def all(self, path: str, key: str | None, **query: Any) -> list[dict[str, Any]]:
        """Every item of a listing, by its cursors."""
        items: list[dict[str, Any]] = []
        while True:
            status, body = await self.ask("GET", path, **query)
            assert status == 200, body
            items += body["data"] if key is None else body["data"][key]
            if not body["pagination"]["hasNextPage"]:
                return items
            query["cursor"] = body["pagination"]["cursor"]

    async def dump(self, addon: str = ADDON, **settings: Any) -> str:
        """The path of a native dump that is complete."""
        backup = await self.done("POST", f"{addon}/backups", {"backupType": "dump", **settings})
        self.after(20)
        return f"{addon}/backups/{backup['id']}"


@asynccontextmanager
async def simulated(**options: Any) -> AsyncIterator[Api]:
    """A running simulator whose clock stands still."""
    clock = Clock()
    async with (
        Simulator(clock=clock, **options) as sim,
        aiohttp.ClientSession(sim.url, headers={"Authorization": f"Bearer {sim.token}"}) as http,
    ):
        yield Api(sim, http, clock)
