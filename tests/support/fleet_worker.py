"""A worker process with short times: `python -m tests.support.fleet_worker URL ACCOUNTS CRON CONCURRENCY`.

Its requests name the process in their User-Agent.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

import aiohttp

from northflank_async.fleet import load_accounts
from northflank_async.fleet.worker import Timing, Worker

TIMING = Timing(backoff=0.5, poll=0.2, heartbeat=0.5, stalled_after=5.0)
ROOT = Path(__file__).parents[2]


async def name_process(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    request.headers["User-Agent"] = f"worker/{os.getpid()}"
    return await handler(request)


async def main(url: str, accounts: str, cron: str, concurrency: str) -> None:
    task = asyncio.current_task()
    assert task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    worker = Worker(
        url=url,
        entries=load_accounts(accounts),
        cron=cron,
        concurrency=int(concurrency),
        client_arguments={"middlewares": (name_process,)},
        timing=TIMING,
    )
    await worker.run()


async def start(
    url: str, accounts: Path, *, cron: str = "0 0 1 1 *", concurrency: int = 4
) -> asyncio.subprocess.Process:
    """Start a worker, whose schedule by default has only the time before its start."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "tests.support.fleet_worker"),
        *(url, str(accounts), cron, str(concurrency)),
        cwd=ROOT,
        stderr=asyncio.subprocess.PIPE,
    )


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
