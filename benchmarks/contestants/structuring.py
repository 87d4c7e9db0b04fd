"""One page of 100 backups, parsed or structured repeatedly, without a network.

python -m benchmarks.contestants.structuring json|orjson|records REPEATS
"""

import asyncio
import json
import sys
from collections.abc import Callable

from benchmarks.contestants.measurement import measure
from benchmarks.responses import PER_PAGE, backups_body


def standard_library() -> Callable[[], object]:
    body = backups_body()
    return lambda: json.loads(body)


def orjson() -> Callable[[], object]:
    import orjson

    body = backups_body()
    return lambda: orjson.loads(body)


def records() -> Callable[[], object]:
    """Create records from plain dicts, as a page does."""
    from northflank_async.records import Backup, structure_all

    items = json.loads(backups_body())["data"]["backups"]
    return lambda: structure_all(items, Backup)


CONTESTANTS = {"json": standard_library, "orjson": orjson, "records": records}


async def main(name: str, repeats: str) -> None:
    repeat = CONTESTANTS[name]()

    async def read() -> int:
        for _ in range(int(repeats)):
            repeat()
        return int(repeats) * PER_PAGE

    await measure(read, warm_up=read)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
