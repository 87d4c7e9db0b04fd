"""The backups of all addons with what a client can hardly do without.

aiohttp, as many workers, orjson, the cursors followed. It makes no records, checks and retries nothing, knows no rate
limit, and takes the pages in the order of a queue, which keeps all workers busy to the end.
"""

import asyncio
from typing import Any

import aiohttp
import orjson

from benchmarks.answers import PER_PAGE

_BELOW = {"projects": "addons", "addons": "backups"}


class BareScan:
    """Workers that take the next page from a queue."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._backups = 0
        self._queue: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    async def read(self, path: str, concurrency: int) -> int:
        """The number of backups below the listing at that path."""
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
                self._take(path, orjson.loads(await response.read()))
            self._queue.task_done()

    def _take(self, path: str, answer: dict[str, Any]) -> None:
        name = path.rpartition("/")[2]
        items = answer["data"][name]
        if name not in _BELOW:
            for _ in items:
                self._backups += 1
        else:
            for item in items:
                self._put(f"{path}/{item['id']}/{_BELOW[name]}")
        if answer["pagination"]["hasNextPage"]:
            self._put(path, f"&cursor={answer['pagination']['cursor']}")
