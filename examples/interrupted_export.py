"""Export a simulated account, kill the export halfway, and resume it.

    python -m examples.interrupted_export build/inventory.jsonl

Needs only the extra `cli`: `pip install 'northflank-async[cli]'`.
"""

import asyncio
import os
import sys
from pathlib import Path

from northflank_async.simulator import Simulator

LATENCY = 0.15
KILLED_AFTER = 20
CONCURRENCY = 8


async def main(target: Path) -> None:
    for leftover in target.parent.glob(f"{target.name}*"):
        leftover.unlink()
    async with Simulator(latency=LATENCY, rate_limit=1000) as sim:
        print(f"A simulated account at {sim.url}: {LATENCY} s for each response, 1000 requests an hour.\n")
        environment = {**os.environ, "NORTHFLANK_API_TOKEN": sim.token, "NORTHFLANK_API_BASE_URL": sim.url}
        command = ["export", str(target), "--concurrency", str(CONCURRENCY)]

        print(f"$ northflank-async {' '.join(command)}", flush=True)
        process = await start(command, environment)
        while len(sim.requests) < KILLED_AFTER and process.returncode is None:
            await asyncio.sleep(0.01)
        process.kill()
        await process.wait()
        before = len(sim.requests)
        print(f"\nKilled (SIGKILL) after {before} requests, with up to {CONCURRENCY} in flight.")
        print(f"{target} {'exists' if target.exists() else 'does not exist'}; the pages read so far are next to it:")
        print(*(f"  {path}\n" for path in sorted(target.parent.glob(f"{target.name}*"))), sep="")

        print(f"$ northflank-async {' '.join(command)}", flush=True)
        process = await start(command, environment)
        if await process.wait():
            sys.exit("the second export failed")
        print(f"\n{len(sim.requests)} requests in total: only those in flight at the kill were repeated.")
    with target.open(encoding="utf-8") as lines:
        print(f"The first line of {target}:\n{next(lines)[:240]} …")


async def start(command: list[str], environment: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "northflank_async.cli", *command, env=environment)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
