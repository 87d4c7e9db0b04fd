"""A scan of many addons against the least time that its latency and its concurrency allow.

    python -m benchmarks.concurrency [--rounds 7] [--latency 0.05] [--projects 10] [--addons 20] [--pages 3]
                                     [--concurrency 32]

The server of `benchmarks.server` runs in a process of its own; each of its answers is ready, and waits for the latency.
The least possible is one latency for the projects, one for their addons, and one for each round of as many pages as
there may be in flight; of one addon's pages, each comes after the one before.

Each way of reading runs once in each round, after one round to warm up, on connections that stay open.
"ours" is `nf.scan()`: checked records, each with its project and addon. "bare" is what a client can hardly do without:
aiohttp, as many workers, `json.loads`, the cursors followed. It makes no records, checks and retries nothing, knows no
rate limit, and takes the pages in the order of a queue, which keeps all workers busy to the end.

Measured: the time from the first request until the last record is in the caller's hands, and its ratio to the least
possible; and the processor time of this process for one page of backups.
Not measured: TLS, a real network, memory; what the latency hides with fewer requests in flight.
"""

import argparse
import asyncio
import gc
import json
import platform
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from statistics import median
from typing import Any, NamedTuple

import aiohttp

from benchmarks.process import Run, positive, server_process
from benchmarks.server import PER_PAGE
from northflank_async import Northflank

TOKEN = "benchmark-token"
BELOW = {"projects": "addons", "addons": "backups"}

OURS, BARE = "ours (records)", "bare (aiohttp, json.loads)"

Reader = Callable[[], Awaitable[int]]
"""Reads all backups and says how many there were."""


class Work(NamedTuple):
    """What there is to read, and how."""

    latency: float
    projects: int
    addons: int
    pages: int
    concurrency: int

    @property
    def all_pages(self) -> int:
        """Pages of backups."""
        return self.projects * self.addons * self.pages

    @property
    def least(self) -> float:
        """Seconds that nobody gets below."""
        rounds = max(self.pages, -(-self.all_pages // self.concurrency))
        return self.latency * (2 + rounds)


def main() -> None:
    parser = argparse.ArgumentParser(
        description="A scan of many addons against the least possible time.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--rounds", type=positive, default=7, help="rounds that count, after one to warm up")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds before each answer")
    parser.add_argument("--projects", type=one_page, default=10, help="number of projects, up to 100")
    parser.add_argument("--addons", type=one_page, default=20, help="addons of each project, up to 100")
    parser.add_argument("--pages", type=positive, default=3, help="full pages of backups of each addon")
    parser.add_argument("--concurrency", type=positive, default=32, help="requests in flight")
    arguments = vars(parser.parse_args())
    rounds = arguments.pop("rounds")
    work = Work(**arguments)
    options = {name: arguments[name] for name in ("projects", "addons", "pages", "latency")}
    with server_process("benchmarks.server", **options) as url:
        runs = asyncio.run(measure(url, work, rounds))
    report(work, runs)


def one_page(text: str) -> int:
    """A number that one request lists."""
    number = positive(text)
    if number > PER_PAGE:
        raise ValueError
    return number


async def measure(url: str, work: Work, rounds: int) -> dict[str, list[Run]]:
    """Run every reader once a round, one after the other."""
    async with (
        Northflank(TOKEN, base_url=url) as ours,
        aiohttp.ClientSession(url, headers={"Authorization": f"Bearer {TOKEN}"}) as session,
    ):
        readers: dict[str, Reader] = {
            OURS: lambda: scan(ours, work.concurrency),
            BARE: lambda: Bare(session).read(work.concurrency),
        }
        runs: dict[str, list[Run]] = {name: [] for name in readers}
        for number in range(rounds + 1):
            for name, reader in readers.items():
                run = await timed(name, reader, work.all_pages * PER_PAGE)
                if number:  # the first one warms up
                    runs[name].append(run)
    return runs


async def scan(nf: Northflank, concurrency: int) -> int:
    count = 0
    async with nf.scan(concurrency=concurrency) as found:
        async for _ in found:
            count += 1
    return count


class Bare:
    """Workers that take the next page from a queue."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._backups = 0
        self._queue: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    async def read(self, concurrency: int) -> int:
        self._put("/v1/projects")
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
                self._take(path, json.loads(await response.read()))
            self._queue.task_done()

    def _take(self, path: str, answer: dict[str, Any]) -> None:
        name = path.rpartition("/")[2]
        items = answer["data"][name]
        if name not in BELOW:
            self._backups += len(items)
        else:
            for item in items:
                self._put(f"{path}/{item['id']}/{BELOW[name]}")
        if answer["pagination"]["hasNextPage"]:
            self._put(path, f"&cursor={answer['pagination']['cursor']}")


async def timed(name: str, reader: Reader, backups: int) -> Run:
    """Run one reader, which must find every backup."""
    gc.collect()  # nobody pays for what the one before left behind
    clock, processor = time.perf_counter(), time.process_time()
    found = await reader()
    run = Run(time.perf_counter() - clock, time.process_time() - processor)
    if found != backups:
        raise SystemExit(f"{name}: {found} backups instead of {backups}")
    return run


def report(work: Work, runs: dict[str, list[Run]]) -> None:
    """Print the table."""
    print(
        f"{work.projects * work.addons} addons in {work.projects} projects, {work.all_pages} pages of {PER_PAGE}"
        f" backups, {len(runs[OURS])} rounds\n{work.latency * 1000:g} ms latency, {work.concurrency} requests in"
        f" flight: at least {work.least:.3f} s\nPython {platform.python_version()}, aiohttp {version('aiohttp')}\n"
    )
    print(f"{'':28} {'seconds (min–max)':>22} {'least possible = 1 (min–max)':>31} {'CPU ms/page (min–max)':>24}")
    for name, own in runs.items():
        clock = spread([run.clock for run in own])
        ratio = spread([run.clock / work.least for run in own])
        processor = spread([run.processor / work.all_pages * 1000 for run in own])
        print(f"{name:28} {clock:>22} {ratio:>31} {processor:>24}")
    ratios = [ours.clock / bare.clock for ours, bare in zip(runs[OURS], runs[BARE], strict=True)]
    print(f"\nours takes {spread(ratios)} times as long as bare in the same round.")


def spread(values: list[float]) -> str:
    return f"{median(values):.3f} ({min(values):.3f}–{max(values):.3f})"


if __name__ == "__main__":
    main()
