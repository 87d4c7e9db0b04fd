"""One page of 100 backups, again and again, without a network.

python -m benchmarks.contestants.structuring json|orjson|records TURNS
"""

import asyncio
import json
import sys
from collections.abc import Callable

from benchmarks.answers import PER_PAGE, backups_body
from benchmarks.contestants.stopwatch import report


def standard_library() -> Callable[[], object]:
    body = backups_body()
    return lambda: json.loads(body)


def orjson() -> Callable[[], object]:
    import orjson

    body = backups_body()
    return lambda: orjson.loads(body)


def records() -> Callable[[], object]:
    """From plain dicts to records, as a page's are made."""
    from northflank_async.records import Backup, structure_all

    items = json.loads(backups_body())["data"]["backups"]
    return lambda: structure_all(items, Backup)


CONTESTANTS = {"json": standard_library, "orjson": orjson, "records": records}


async def main(name: str, turns: str) -> None:
    turn = CONTESTANTS[name]()

    async def read() -> int:
        for _ in range(int(turns)):
            turn()
        return int(turns) * PER_PAGE

    await report(read, warm_up=read)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
