"""The session belongs to an event loop: a client can be used in one after the other."""

import asyncio
import subprocess
import sys

import aiohttp
import pytest

from northflank_async import ConfigurationError, Northflank
from northflank_async.simulator import Simulator
from tests.support.clocks import ManualClock
from tests.support.scripted_server import TOKEN, envelope, serve

PROGRAM = """
import asyncio, sys
from northflank_async import Northflank

async def use(nf):
    await asyncio.gather(*(nf.projects().all() for _ in range(20)))
    if sys.argv[3] == "cancelled":
        left = [asyncio.create_task(nf.projects().all()) for _ in range(20)]
        await asyncio.sleep(0.004)

nf = Northflank(sys.argv[1], base_url=sys.argv[2])
for _ in range(3):
    asyncio.run(use(nf))
assert nf.budget.in_flight == 0
print(nf.budget.spent, nf.rate_limit.limit)
asyncio.run(nf.close())
"""


@pytest.mark.parametrize("how", ["idle", "cancelled"])
async def test_a_client_is_used_in_one_event_loop_after_the_other(how: str) -> None:
    async with Simulator(latency=0.005) as sim:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROGRAM, sim.token, sim.url, how, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, err = await process.communicate()
    assert err == b""
    spent, limit = map(int, out.split())
    assert limit == 1000
    assert spent >= 60


async def test_a_session_of_another_event_loop_is_a_clear_error() -> None:
    async def use() -> None:
        with pytest.raises(ConfigurationError, match="another event loop"):
            await nf.projects()
        assert nf.budget.spent == 0

    async with aiohttp.ClientSession() as session:
        nf = Northflank(TOKEN, base_url="http://127.0.0.1:1", session=session)
        for _ in range(2):
            await asyncio.to_thread(asyncio.run, use())


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
            return nf.rate_limit.remaining if nf.rate_limit else None

        return asyncio.run(read())

    assert await asyncio.to_thread(in_another_loop) == remaining


async def test_a_closed_session_is_one_clear_error() -> None:
    async with (
        serve(lambda _: envelope({})) as server,
        aiohttp.ClientSession() as session,
        server.client(session=session) as nf,
    ):
        await nf.request("GET", "/v1/x")
        await session.close()
        with pytest.raises(ConfigurationError, match=r"^the session that was passed in is closed \[") as caught:
            await nf.request("GET", "/v1/x")
        assert caught.value.__cause__ is None
