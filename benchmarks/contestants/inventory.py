"""The backups of all addons of all projects, with many requests in flight.

    python -m benchmarks.contestants.inventory bare|scan|.db|.jsonl|.csv|.parquet URL CONCURRENCY cold|warm

"scan" is `nf.scan()`; an ending is the whole export from the API into such a new file, and into `.db` that is
`Inventory.sync`. A warm one has read the first project before, a cold one nothing.
"""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.answers import project_id
from benchmarks.contestants.stopwatch import report

TOKEN = "benchmark-token"
FIRST = project_id(0)


async def bare(url: str, concurrency: int, warm: bool) -> None:
    import aiohttp

    from benchmarks.contestants.bare_scan import BareScan

    async with aiohttp.ClientSession(url, headers={"Authorization": f"Bearer {TOKEN}"}) as session:

        async def read(path: str = "/v1/projects") -> int:
            return await BareScan(session).read(path, concurrency)

        await report(read, (lambda: read(f"/v1/projects/{FIRST}/addons")) if warm else None)


async def scan(url: str, concurrency: int, warm: bool) -> None:
    from northflank_async import Northflank

    async with Northflank(TOKEN, base_url=url) as nf:

        async def read(projects: Sequence[str] | None = None) -> int:
            count = 0
            async with nf.scan(projects, concurrency=concurrency) as found:
                async for _ in found:
                    count += 1
            return count

        await report(read, (lambda: read([FIRST])) if warm else None)


async def export_to(ending: str, url: str, concurrency: int, warm: bool) -> None:
    from northflank_async import Northflank
    from northflank_async.inventory import Query
    from northflank_async.inventory.export import export

    with tempfile.TemporaryDirectory() as folder:
        async with Northflank(TOKEN, base_url=url) as nf:

            async def read(projects: Sequence[str] | None = None) -> int:
                file = Path(folder, f"{'part' if projects else 'inventory'}{ending}")
                return (await export(str(file), Query(nf, projects=projects), concurrency=concurrency)).backups

            await report(read, (lambda: read([FIRST])) if warm else None)


async def main(name: str, url: str, concurrency: str, start: str) -> None:
    arguments = (url, int(concurrency), start == "warm")
    if name.startswith("."):
        await export_to(name, *arguments)
    else:
        await {"bare": bare, "scan": scan}[name](*arguments)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
