"""The session belongs to an event loop: a client can be used in one after the other."""

import asyncio
import subprocess
import sys

import aiohttp
import pytest

from northflank_async import ConfigurationError, Northflank
from northflank_async.simulator import Simulator
from tests.support.clocks import ManualClock
from tests.support.scripted_server import TOKEN

PROGRAM = """
import asyncio, sys
from northflank_async import Northflank
from northflank_async.simulator import Simulator

async def use(nf, tasks):
    async with Simulator(latency=0.005) as sim:
        nf._transport.base_url = nf._transport.base_url.with_port(int(sim.url.rpartition(":")[2]))
        await asyncio.gather(*(nf.projects().all() for _ in range(tasks)))
        if sys.argv[1] == "cancelled":
            left = [asyncio.create_task(nf.projects().all()) for _ in range(tasks)]
            await asyncio.sleep(0.004)

nf = Northflank(Simulator().token, base_url="http://127.0.0.1:1")
for _ in range(3):
    asyncio.run(use(nf, 20))
assert nf.budget.in_flight == 0
print(nf.budget.spent, nf.rate_limit.limit)
asyncio.run(nf.close())
"""


@pytest.mark.parametrize("how", ["idle", "cancelled"])
def test_a_client_is_used_in_one_event_loop_after_the_other(how: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    spent, limit = map(int, done.stdout.split())
    assert limit == 1000
    assert spent >= 60


def test_a_session_of_another_event_loop_is_a_clear_error() -> None:
    async def open_session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession()

    async def use(nf: Northflank) -> None:
        with pytest.raises(ConfigurationError, match="another event loop"):
            await nf.projects()
        assert nf.budget.spent == 0

    session = asyncio.run(open_session())
    nf = Northflank(TOKEN, base_url="http://127.0.0.1:1", session=session)
    for _ in range(2):
        asyncio.run(use(nf))
    asyncio.run(session.close())


async def test_the_count_of_the_budget_survives_the_loop() -> None:
    clock = ManualClock()
    async with Simulator(clock=clock.time) as sim:
        nf = Northflank(sim.token, base_url=sim.url, clock=clock)
        await nf.projects()
        await nf.close()
        assert nf.rate_limit
        remaining = nf.rate_limit.remaining

    def in_another_loop() -> int | None:
        async def read() -> int | None:
            return nf.rate_limit and nf.rate_limit.remaining

        return asyncio.run(read())

    assert await asyncio.to_thread(in_another_loop) == remaining
