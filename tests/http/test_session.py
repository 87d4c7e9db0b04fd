"""The session belongs to an event loop: a client can be used in one after the other."""

import asyncio
import os
import subprocess
import sys

import aiohttp
import pytest

from northflank_async import ConfigurationError, Northflank
from northflank_async.simulator import Simulator
from tests.support.clocks import ManualClock
from tests.support.scripted_server import TOKEN, envelope, serve
from tests.support.threads import in_thread

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


async def test_a_client_in_two_event_loops_at_the_same_time_is_a_clear_error() -> None:
    async def use() -> None:
        with pytest.raises(ConfigurationError, match=r"^the client is in use in another event loop"):
            await nf.projects()

    async with Simulator() as sim, Northflank(sim.token, base_url=sim.url) as nf:
        await nf.projects()
        await asyncio.to_thread(asyncio.run, use())
        await nf.projects()
        assert len(sim.requests) == 2


def test_event_loops_can_take_turns() -> None:
    loops = [asyncio.new_event_loop() for _ in range(2)]
    with in_thread(Simulator()) as sim:
        nf = Northflank(sim.token, base_url=sim.url)
        for loop in loops * 3:
            assert len(loop.run_until_complete(nf.projects().all())) == 5
        for loop in loops:
            loop.run_until_complete(nf.close())
            loop.close()


FORK = """
import asyncio, os, sys
from northflank_async import Northflank

async def main():
    async with Northflank(sys.argv[1], base_url=sys.argv[2], timeout=5, attempts=1) as nf:
        await nf.projects()
        child = os.fork()
        if not child:
            try:
                asyncio.run(nf.projects().all())
            except BaseException as error:
                print("child:", error, file=sys.stderr, flush=True)
            os._exit(0)
        await asyncio.to_thread(os.waitpid, child, 0)
        await nf.projects()

asyncio.run(main())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.slow
async def test_a_forked_process_leaves_the_connections_of_its_parent_alone() -> None:
    async with Simulator() as sim:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", FORK, sim.token, sim.url, stderr=subprocess.PIPE
        )
        _, err = await process.communicate()
        assert (process.returncode, err) == (0, b"")
        assert len(sim.requests) == 3


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
