"""All dumps of an addon, two at a time, into a new folder.

    python -m benchmarks.contestants.mirroring mirror|curl URL DUMPS

"mirror" also hashes the files, waits until they are on the disk, writes a manifest, and requests each link. "curl" has
the links.
"""

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.contestants.measurement import measure

CONCURRENCY = 2


async def mirror(url: str) -> None:
    from northflank_async import Northflank
    from northflank_async.mirror import mirror

    with tempfile.TemporaryDirectory() as folder:
        async with Northflank("benchmark-token", base_url=url) as nf:

            async def copy() -> int:
                return len((await mirror(folder, nf, concurrency=CONCURRENCY)).copied)

            await measure(copy)


def curl(url: str, dumps: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "links")
        config.write_text("".join(f'url = "{url}/dump-{number}"\noutput = "{number}"\n' for number in range(dumps)))
        command = [
            "curl",
            "--no-progress-meter",
            "--fail",
            "--parallel",
            "--parallel-max",
            str(CONCURRENCY),
            "--config",
            "links",
        ]
        started = time.perf_counter()
        subprocess.run(command, cwd=folder, env={"PATH": "/usr/local/bin:/usr/bin:/bin"}, check=True)
        seconds = time.perf_counter() - started
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        records = sum(path.name.isdecimal() for path in Path(folder).iterdir())
    peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    cpu = used.ru_utime + used.ru_stime
    print(json.dumps({"records": records, "seconds": seconds, "cpu_seconds": cpu, "peak_bytes": peak}))


if __name__ == "__main__":
    name, url, dumps = sys.argv[1:]
    if name == "mirror":
        asyncio.run(mirror(url))
    else:
        curl(url, int(dumps))
