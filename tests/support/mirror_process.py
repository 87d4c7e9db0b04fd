"""Mirrors in processes that can be killed: forked from one that has imported everything, so that they start fast."""

import asyncio
import multiprocessing
import os
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess

from northflank_async import Northflank
from northflank_async.mirror import mirror


def start_mirror(destination: str, token: str, url: str, concurrency: int) -> BaseProcess:
    """Start a mirror."""
    process = _context().Process(target=_run, args=(destination, token, url, concurrency, dict(os.environ)))
    process.start()
    return process


async def wait_for(process: BaseProcess, seconds: float | None = None) -> bool:
    """Wait until a process has ended, or so many seconds; return whether it has ended."""
    await asyncio.to_thread(process.join, seconds)
    return process.exitcode is not None


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "obstore", "northflank_async.inventory.store.lease"])
    return context


def _run(destination: str, token: str, url: str, concurrency: int, environment: dict[str, str]) -> None:
    os.environ.update(environment)
    asyncio.run(_mirror(destination, token, url, concurrency))


async def _mirror(destination: str, token: str, url: str, concurrency: int) -> None:
    async with Northflank(token, base_url=url) as nf:
        outcome = await mirror(destination, nf, concurrency=concurrency)
    assert not outcome.failures, outcome.failures
