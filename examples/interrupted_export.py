"""Export the inventory of a simulated company; the export is killed and resumed. Then audit it.

    python -m examples.interrupted_export build/inventory.jsonl

It needs the extras for the command line and the report: `pip install 'northflank-async[cli,report]'`.
"""

import asyncio
import os
import sys
from pathlib import Path

from northflank_async.simulator import Simulator

LATENCY = 0.15  # seconds
KILL_AFTER = 20  # requests
CONCURRENCY = 8
FINDINGS = 1  # the exit code


async def main(target: Path) -> None:
    for path in files_of(target):  # of an earlier demo
        path.unlink()
    async with Simulator(latency=LATENCY, rate_limit=1000) as sim:
        print(f"A simulated company at {sim.url}: {LATENCY} s per response, 1000 requests an hour.\n")
        environment = {**os.environ, "NORTHFLANK_API_TOKEN": sim.token, "NORTHFLANK_API_BASE_URL": sim.url}
        command = ["export", str(target), "--concurrency", str(CONCURRENCY)]

        print(f"$ northflank-async {' '.join(command)}", flush=True)
        process = await start(command, environment)
        while len(sim.requests) < KILL_AFTER and process.returncode is None:
            await asyncio.sleep(0.01)
        process.kill()
        await process.wait()
        print(f"\nKilled (SIGKILL) after {len(sim.requests)} requests, with up to {CONCURRENCY} in flight.")
        print(f"{target} {'exists' if target.exists() else 'does not exist yet'}. Pages and checkpoints are saved in:")
        print(*(f"  {path}\n" for path in files_of(target)), sep="")

        print(f"$ northflank-async {' '.join(command)}", flush=True)
        process = await start(command, environment)
        if await process.wait():
            sys.exit("The second export failed.")
        print(f"\nKilled and resumed: {len(sim.requests)} requests; only those in flight at the kill were repeated.")
    with target.open(encoding="utf-8") as lines:
        print(f"The first line of {target}:\n{next(lines)[:240]} …\n")
    await audit(target.with_name("audit.html"))


async def audit(report: Path) -> None:
    """Audit another company, some of whose backups have faults."""
    async with Simulator(scenario="audit") as sim:
        environment = {**os.environ, "NORTHFLANK_API_TOKEN": sim.token, "NORTHFLANK_API_BASE_URL": sim.url}
        command = ["audit", "--output", "html", "--output-file", str(report)]
        print(f"Which databases could not be restored today?\n\n$ northflank-async {' '.join(command)}", flush=True)
        process = await start(command, environment)
        if await process.wait() != FINDINGS:
            sys.exit("The audit did not find the faults.")
    print(f"\nThe report: {report.absolute()}")


def files_of(target: Path) -> list[Path]:
    """The file, and the files that an unfinished export keeps beside it."""
    return sorted(target.parent.glob(f"{target.name}*"))


async def start(command: list[str], environment: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "northflank_async.cli", *command, env=environment)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
