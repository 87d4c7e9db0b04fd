"""Pages and records a second: all backups of one addon, read by this client and by the official Python SDK.

    python -m benchmarks.pages [--rounds 5] [--backups 10000]

Each way of reading runs once in each round, after one round to warm up, against a simulator in a process of its own
on the loopback interface. Records and milliseconds are medians over the rounds; the ratio is that of the SDK's time
to the row's time in the same round, so more than 1 is faster than the SDK.

Measured: the time from the first request until the last record is in the caller's hands, 100 backups a page, one page
after the other; and the processor time of this process for one page, which leaves the simulator out.
Not measured: the network and the API's own time, which are longer than all of this; anything concurrent; memory.
Not the same work: "ours" makes checked records (times are `datetime`, sizes are `int`); the SDK, and "ours, raw",
leave dicts. The SDK also keeps all of them in a list until the end. As it comes it opens a client for every call, and
most of that row is reading the certificates that https would need.
"""

import argparse
import asyncio
import gc
import platform
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from statistics import median

import aiohttp
import httpx
from northflank import AsyncApiClient

from benchmarks.process import Run, positive, server_process
from northflank_async import Northflank

TOKEN = "simulator-token"
PROJECT, ADDON = "default-project", "example-addon"
PATH = f"/v1/projects/{PROJECT}/addons/{ADDON}/backups"
PER_PAGE = 100

BYTES, OURS, RAW, SDK, SDK_DEFAULT = (
    "the bytes alone (aiohttp, nothing read)",
    "ours (records)",
    "ours, raw (dicts)",
    "SDK, one connection pool (dicts)",
    "SDK as it comes (a connection a call)",
)

Reader = Callable[[], Awaitable[int]]
"""Reads all backups and says how many there were."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Pages and records a second, against the official Python SDK.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--rounds", type=positive, default=5, help="rounds that count, after one to warm up")
    parser.add_argument("--backups", type=positive, default=10_000, help="average of an addon; the one read has more")
    arguments = parser.parse_args()
    options = {"projects": 1, "addons": 1, "backups": arguments.backups, "token": TOKEN, "rate-limit": 10**9}
    with server_process("northflank_async.cli", "simulate", **options) as url:
        records, runs = asyncio.run(measure(url, arguments.rounds))
    report(records, runs)


async def measure(url: str, rounds: int) -> tuple[int, dict[str, list[Run]]]:
    """Run every reader once a round, one after the other; answer with the number of records and all runs."""
    async with (
        Northflank(TOKEN, base_url=url) as ours,
        httpx.AsyncClient(trust_env=False) as pool,  # no proxy of the environment: the other two use none
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session,
    ):
        backups = ours.project(PROJECT).addon(ADDON).backups
        pooled = AsyncApiClient(TOKEN, base_url=url, async_http_client=pool)
        default = AsyncApiClient(TOKEN, base_url=url)
        records = len(await backups().raw().all())

        async def read_bytes() -> int:
            for page in range(1, pages_of(records) + 1):
                async with session.get(f"{url}{PATH}?per_page={PER_PAGE}&page={page}") as response:
                    response.raise_for_status()
                    await response.read()
            return records

        async def read_ours() -> int:
            count = 0
            async for _ in backups(per_page=PER_PAGE):
                count += 1
            return count

        async def read_raw() -> int:
            count = 0
            async for _ in backups(per_page=PER_PAGE).raw():
                count += 1
            return count

        async def read_sdk(client: AsyncApiClient) -> int:
            listing = await client.get.addon.backups.all(project_id=PROJECT, addon_id=ADDON, per_page=PER_PAGE)
            return len(listing.data["backups"])

        readers: dict[str, Reader] = {
            BYTES: read_bytes,
            OURS: read_ours,
            SDK: lambda: read_sdk(pooled),
            RAW: read_raw,
            SDK_DEFAULT: lambda: read_sdk(default),
        }
        runs: dict[str, list[Run]] = {name: [] for name in readers}
        for number in range(rounds + 1):
            for name, reader in readers.items():
                run = await timed(name, reader, records)
                if number:  # the first one warms up
                    runs[name].append(run)
    return records, runs


async def timed(name: str, reader: Reader, records: int) -> Run:
    """Run one reader, which must find every record."""
    gc.collect()  # nobody pays for what the one before left behind
    clock, processor = time.perf_counter(), time.process_time()
    found = await reader()
    run = Run(time.perf_counter() - clock, time.process_time() - processor)
    if found != records:
        raise SystemExit(f"{name}: {found} records instead of {records}")
    return run


def pages_of(records: int) -> int:
    return -(-records // PER_PAGE)


def report(records: int, runs: dict[str, list[Run]]) -> None:
    """Print the table."""
    pages = pages_of(records)
    packages = ", ".join(f"{name} {version(name)}" for name in ("aiohttp", "httpx", "northflank"))
    print(f"{records} backups, {pages} pages, {len(runs[SDK])} rounds")
    print(f"Python {platform.python_version()}, {packages}\n")
    print(f"{'':39} {'records/s':>10} {'pages/s':>8} {'ms/page':>8} {'CPU ms/page':>12}   speed, SDK = 1 (min–max)")
    for name, own in runs.items():
        clock = median(run.clock for run in own)
        processor = median(run.processor for run in own)
        ratios = [sdk.clock / run.clock for sdk, run in zip(runs[SDK], own, strict=True)]
        print(
            f"{name:39} {records / clock:10,.0f} {pages / clock:8.0f} {clock / pages * 1000:8.2f}"
            f" {processor / pages * 1000:12.2f}   {median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
        )
    floor = median(run.clock for run in runs[BYTES])
    share = {name: floor / median(run.clock for run in runs[name]) for name in (OURS, SDK)}
    print(
        f"\nThe bytes alone take {floor / pages * 1000:.2f} ms a page, most of it in the simulator:"
        f" {share[OURS]:.0%} of our time and {share[SDK]:.0%} of the SDK's.\nNo client can be faster,"
        " and the ratios look smaller for it; the processor time leaves the simulator out."
    )


if __name__ == "__main__":
    main()
