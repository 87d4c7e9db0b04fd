"""The minimum that a scan of all addons has to do.

Workers fetch with aiohttp, parse with orjson and follow the cursors: no records, no validation, no retries, no rate
limit. Pages are fetched in the order of a queue, which keeps all workers busy to the end.
"""

import asyncio
from typing import Any

import aiohttp
import orjson

from benchmarks.responses import PER_PAGE

_CHILD_LISTINGS = {"projects": "addons", "addons": "backups"}


class BareScan:
    """Workers that fetch pages from a queue."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._backups = 0
        self._queue: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    async def read(self, path: str, concurrency: int) -> int:
        """Read everything below the listing at `path`; return the number of backups."""
        self._put(path)
        async with asyncio.TaskGroup() as tasks:
            workers = [tasks.create_task(self._work()) for _ in range(concurrency)]
            await self._queue.join()
            for worker in workers:
                worker.cancel()
        return self._backups

    def _put(self, path: str, query: str = "") -> None:
        self._queue.put_nowait((path, f"?per_page={PER_PAGE}{query}"))

    async def _work(self) -> None:
        while True:
            path, query = await self._queue.get()
            async with self._session.get(path + query) as response:
                response.raise_for_status()
                self._process(path, orjson.loads(await response.read()))
            self._queue.task_done()

    def _process(self, path: str, body: dict[str, Any]) -> None:
        name = path.rpartition("/")[2]
        items = body["data"][name]
        if name not in _CHILD_LISTINGS:
            for _ in items:
                self._backups += 1
        else:
            for item in items:
                self._put(f"{path}/{item['id']}/{_CHILD_LISTINGS[name]}")
        if body["pagination"]["hasNextPage"]:
            self._put(path, f"&cursor={body['pagination']['cursor']}")
