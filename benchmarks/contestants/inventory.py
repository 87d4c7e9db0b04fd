"""The backups of all addons of all projects, with many requests in flight.

    python -m benchmarks.contestants.inventory bare|scan|.db|.jsonl|.csv|.parquet URL CONCURRENCY cold|warm

"scan" is `nf.scan()`; a suffix is an export from the API to a new file, and `.db` is `Inventory.sync`. A warm
contestant reads one project first; a cold one does not.
"""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contestants.measurement import measure
from benchmarks.responses import project_id

TOKEN = "benchmark-token"
FIRST_PROJECT = project_id(0)


async def bare(url: str, concurrency: int, warm: bool) -> None:
    import aiohttp

    from benchmarks.contestants.bare_scan import BareScan

    async with aiohttp.ClientSession(url, headers={"Authorization": f"Bearer {TOKEN}"}) as session:

        async def read(path: str = "/v1/projects") -> int:
            return await BareScan(session).read(path, concurrency)

        await measure(read, (lambda: read(f"/v1/projects/{FIRST_PROJECT}/addons")) if warm else None)


async def scan(url: str, concurrency: int, warm: bool) -> None:
    from northflank_async import Northflank

    async with Northflank(TOKEN, base_url=url) as nf:

        async def read(projects: Sequence[str] | None = None) -> int:
            count = 0
            async with nf.scan(projects, concurrency=concurrency) as scan:
                async for _ in scan:
                    count += 1
            return count

        await measure(read, (lambda: read([FIRST_PROJECT])) if warm else None)


async def export_to(suffix: str, url: str, concurrency: int, warm: bool) -> None:
    from northflank_async import Northflank
    from northflank_async.inventory import Query
    from northflank_async.inventory.export import export

    with tempfile.TemporaryDirectory() as folder:
        async with Northflank(TOKEN, base_url=url) as nf:

            async def read(projects: Sequence[str] | None = None) -> int:
                file = Path(folder, f"{'warm-up' if projects else 'inventory'}{suffix}")
                return (await export(str(file), Query(nf, projects=projects), concurrency=concurrency)).backups

            await measure(read, (lambda: read([FIRST_PROJECT])) if warm else None)


async def main(name: str, url: str, concurrency: str, start: str) -> None:
    arguments = (url, int(concurrency), start == "warm")
    if name.startswith("."):
        await export_to(name, *arguments)
    else:
        await {"bare": bare, "scan": scan}[name](*arguments)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
