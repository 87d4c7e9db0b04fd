"""Whether memory grows with the inventory: a million backups against ten thousand.

    python -m benchmarks.scale [--sync] [--export] [--projects 200] [--small-projects 2] [--addons 50] [--backups 100]
                               [--concurrency 32]

Each way of reading is a process of its own, and so is the simulator (`northflank-async simulate`) that it reads; both
are new for each line of the table. "scan" is `nf.scan()`; with `--sync` there is `Inventory(…).sync(nf)` into a new
SQLite file as well, with `--export` the whole export from the API into each kind of file.

Measured: the time; the processor time of the process that reads; its peak memory, as the system tells it
(`ru_maxrss`), with Python and all packages in it; and the requests that the simulator has counted, which must be the
least possible, or there is no table: one for each 100 projects, 100 addons of a project and 100 backups of an addon,
and one where there are none.
Not measured: a network. The simulator makes each page when it is asked for, on the same machine, so that the time is
not what the client is capable of (see `benchmarks.concurrency`); writing waits for the disk.
"""

import argparse
import asyncio
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from benchmarks.process import positive, server_process
from northflank_async import Northflank
from northflank_async.simulator.inventory import Addon, Project
from northflank_async.simulator.inventory import Inventory as Simulated

TOKEN = "simulator-token"
PER_PAGE = 100
SCAN, SYNC = "scan", "sync"
EXPORTS = (".jsonl", ".csv", ".parquet")
MEGABYTE = 2**20
MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024

Reader = Callable[[Northflank, Path, int], Awaitable[int]]
"""Reads all backups, with a file to write to and so many requests in flight; says how many there were."""


class Size(NamedTuple):
    """What there is to read, and the least requests that it takes."""

    backups: int
    requests: int


class Run(NamedTuple):
    """One way of reading, once; memory is in bytes."""

    backups: int
    requests: int
    clock: float
    processor: float
    peak: int


def main() -> None:
    arguments = parse()
    names = [SCAN, *([SYNC] if arguments.sync else []), *(EXPORTS if arguments.export else [])]
    inventories = [
        Simulated(project_count=projects, addon_count=arguments.addons, backup_average=arguments.backups)
        for projects in (arguments.small_projects, arguments.projects)
    ]
    print(f"{'':9} {'backups':>10} {'requests':>9} {'seconds':>9} {'CPU s':>8} {'peak MB':>8} {'more':>6}", flush=True)
    for name in names:
        small, large = (measure(name, inventory, arguments.concurrency) for inventory in inventories)
        print(line(name, small))
        print(f"{line(name, large)} {(large.peak - small.peak) / MEGABYTE:+6.1f}", flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Time, requests and peak memory, with many backups against few.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--sync", action="store_true", help="sync into SQLite, too")
    parser.add_argument("--export", action="store_true", help=f"export to {', '.join(EXPORTS)}, too")
    parser.add_argument("--projects", type=positive, default=200, help="number of projects, where there are many")
    parser.add_argument("--small-projects", type=positive, default=2, help="number of projects, where there are few")
    parser.add_argument("--addons", type=positive, default=50, help="addons of each project")
    parser.add_argument("--backups", type=positive, default=100, help="backups of each addon, on average")
    parser.add_argument("--concurrency", type=positive, default=32, help="requests in flight")
    return parser.parse_args()


def measure(name: str, inventory: Simulated, concurrency: int) -> Run:
    """Read once, in a process of its own. Its peak is no less than this process has now, which reads nothing."""
    options = {
        "projects": inventory.project_count,
        "addons": inventory.addon_count,
        "backups": inventory.backup_average,
        "token": TOKEN,
        "rate_limit": 10**9,
        "window": 86_400,  # one is enough, so that the limit says how many requests there were
    }
    context = multiprocessing.get_context("spawn")
    with (
        server_process("northflank_async.cli", "simulate", **options) as url,
        ProcessPoolExecutor(1, mp_context=context) as process,
    ):
        run = process.submit(read, name, url, concurrency).result()
    if (run.backups, run.requests) != (least := size_of(inventory)):
        raise SystemExit(f"{name}: {run.requests} requests for {run.backups} backups, not {least}")
    return run


def size_of(inventory: Simulated) -> Size:
    lengths = list(listings(inventory))
    backups = sum(length for name, length in lengths if name == "backups")
    return Size(backups=backups, requests=sum(max(1, -(-length // PER_PAGE)) for _, length in lengths))


def listings(inventory: Simulated) -> Iterator[tuple[str, int]]:
    """What each listing lists, and how much of it."""
    yield "projects", inventory.projects.length
    for project in (Project(inventory, index) for index in range(inventory.project_count)):
        yield "addons", project.addons.length
        for index in range(inventory.addon_count):
            yield "backups", Addon(project, index).backups.length


def read(name: str, url: str, concurrency: int) -> Run:
    """Read once, in this process, which must not have read anything before."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        backups, requests = asyncio.run(requests_of(name, url, Path(folder), concurrency))
        clock = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    return Run(backups, requests, clock, used.ru_utime + used.ru_stime, used.ru_maxrss * MAXRSS_UNIT)


async def requests_of(name: str, url: str, folder: Path, concurrency: int) -> tuple[int, int]:
    """The backups that were read, and the requests by the server's count."""
    readers: dict[str, Reader] = {SCAN: scan, SYNC: sync}
    reader = readers.get(name, export_all)
    async with Northflank(TOKEN, base_url=url) as nf:
        backups = await reader(nf, folder / f"inventory{name if name in EXPORTS else '.db'}", concurrency)
        rate_limit = nf.rate_limit
    if rate_limit is None or rate_limit.limit is None:
        raise SystemExit("the server has not told its rate limit")
    return backups, rate_limit.limit - rate_limit.remaining


async def scan(nf: Northflank, file: Path, concurrency: int) -> int:
    count = 0
    async with nf.scan(concurrency=concurrency) as found:
        async for _ in found:
            count += 1
    return count


async def sync(nf: Northflank, file: Path, concurrency: int) -> int:
    from northflank_async.inventory import Inventory  # the others do without what it needs

    async with Inventory(file) as inventory:
        return (await inventory.sync(nf, concurrency=concurrency)).backups


async def export_all(nf: Northflank, file: Path, concurrency: int) -> int:
    from northflank_async.inventory.export import export
    from northflank_async.inventory.scope import Scope

    return (await export(str(file), Scope(views=[nf], concurrency=concurrency))).backups


def line(name: str, run: Run) -> str:
    return (
        f"{name:9} {run.backups:10,} {run.requests:9,} {run.clock:9.1f} {run.processor:8.1f} {run.peak / MEGABYTE:8.1f}"
    )


if __name__ == "__main__":
    main()
