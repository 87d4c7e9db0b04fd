"""The backups of many accounts, in one process.

    python -m benchmarks.contestants.accounts scan|sync|turns FILE NUMBER CONCURRENCY REQUESTS

FILE is an accounts file, of which the first NUMBER accounts are read. "sync" writes them all at once into a new SQLite
database, "turns" one after the other. It fails unless each account takes REQUESTS requests.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from benchmarks.contestants.measurement import measure
from northflank_async.fleet import load_accounts, open_clients
from northflank_async.inventory import Inventory, Scan


async def main(name: str, file: str, number: str, concurrency: str, requests: str) -> None:
    entries = load_accounts(file)[: int(number)]
    with tempfile.TemporaryDirectory() as folder:
        async with open_clients(entries) as clients, Inventory(Path(folder, "inventory.db")) as inventory:

            async def scan() -> int:
                count = 0
                async with Scan(*clients, concurrency=int(concurrency)) as scan:
                    async for _ in scan:
                        count += 1
                return count

            async def sync() -> int:
                return (await inventory.sync(*clients, concurrency=int(concurrency))).backups

            async def turns() -> int:
                return sum([(await inventory.sync(client, concurrency=int(concurrency))).backups for client in clients])

            await measure({"scan": scan, "sync": sync, "turns": turns}[name])
            sent = {client.budget.spent for client in clients}
            if sent != {int(requests)}:
                raise SystemExit(f"{name}: {sorted(sent)} requests of an account instead of {requests}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
