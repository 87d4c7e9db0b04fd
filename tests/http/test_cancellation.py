"""Cancelling at any moment, and closing, leave nothing open and nothing half done."""

import asyncio
import gc
import warnings
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from northflank_async import Northflank, TransportError
from northflank_async.simulator import Faults, Simulator
from tests.support.clocks import ManualClock, wait_until
from tests.support.scripted_server import TOKEN, envelope, never_answer, serve


@pytest.fixture
async def _nothing_is_left_behind() -> AsyncIterator[None]:
    """Check that no task, no unclosed session or connection and no unawaited coroutine is left."""
    before = asyncio.all_tasks()
    asyncio.get_running_loop().set_debug(True)
    gc.freeze()  # collect only what the test leaves behind: much faster than everything that was imported
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
        await wait_until(lambda: asyncio.all_tasks() - before <= {asyncio.current_task()})
        gc.collect()
    gc.unfreeze()
    assert [str(warning.message) for warning in caught] == []


pytestmark = pytest.mark.usefixtures("_nothing_is_left_behind")


def connections_in_use(nf: Northflank) -> int:
    session = nf._transport._sessions[asyncio.get_running_loop()]
    assert session.connector
    return len(session.connector._acquired)


@pytest.mark.parametrize("moment", [number / 2000 for number in range(60)])
async def test_a_timeout_at_any_moment_leaves_the_client_usable(moment: float) -> None:
    async with (
        Simulator(latency=0.002, faults=Faults(seed=3, slow=0.5, slow_seconds=0.005, errors=0.2)) as sim,
        Northflank(sim.token, base_url=sim.url) as nf,
    ):
        backups = nf.project("default-project").addon("example-addon").backups(per_page=50)
        try:
            async with asyncio.timeout(moment), asyncio.TaskGroup() as group:
                for _ in range(3):
                    group.create_task(backups.all())
        except TimeoutError:
            pass
        if nf._transport._sessions:
            assert connections_in_use(nf) == 0
        assert nf._transport._running == set()
        assert nf.budget.in_flight == 0
        assert len(await backups.all()) == 225


async def test_a_cancelled_iteration_can_be_resumed(sim: Simulator, nf: Northflank) -> None:
    iterator = aiter(nf.project("default-project").addon("example-addon").backups(per_page=50))
    read = []
    while True:
        try:
            async with asyncio.timeout(0.0005):
                read.append((await anext(iterator)).id)
        except TimeoutError:
            await nf.projects()
        except StopAsyncIteration:
            break
        if len(sim.requests) > 40:  # on a slow machine: enough was cancelled
            read += [backup.id async for backup in iterator]
            break
    assert len(read) == len(set(read)) == 225


async def test_closing_ends_requests_that_wait_for_a_response() -> None:
    async with serve(never_answer) as server:
        nf = server.client()
        tasks = [asyncio.create_task(nf.projects().all()) for _ in range(3)]
        await wait_until(lambda: server.requests)
        await nf.close()
        await asyncio.wait(tasks)
        for task in tasks:
            with pytest.raises(TransportError, match="client was closed"):
                task.result()


async def test_closing_ends_requests_that_wait_for_the_rate_limit(sim: Simulator) -> None:
    clock = ManualClock()
    async with Simulator(rate_limit=1, clock=clock.time) as sim:
        nf = Northflank(sim.token, base_url=sim.url, clock=clock)
        await nf.projects()
        tasks = [asyncio.create_task(nf.projects().all()) for _ in range(3)]
        await wait_until(lambda: clock.timers)
        await nf.close()
        await asyncio.wait(tasks)
        assert all("client was closed" in str(task.exception()) for task in tasks)
        assert clock.timers == []


async def test_closing_at_the_reset_does_not_blame_the_session() -> None:
    clock = ManualClock()
    async with Simulator(rate_limit=1, clock=clock.time) as sim:
        nf = Northflank(sim.token, base_url=sim.url, clock=clock)
        await nf.projects()
        task = asyncio.create_task(nf.projects().all())
        await wait_until(lambda: clock.timers)
        clock.advance(3600)
        await nf.close()
        with pytest.raises(TransportError, match=r"client (is|was) closed"):
            await task


async def test_closing_ends_requests_on_a_callers_session_and_leaves_it_open() -> None:
    async with serve(never_answer) as server, aiohttp.ClientSession() as session:
        nf = server.client(session=session)
        task = asyncio.create_task(nf.projects().all())
        await wait_until(lambda: server.requests)
        await nf.close()
        with pytest.raises(TransportError, match="client was closed"):
            await task
        assert not session.closed


async def test_a_closed_client_refuses_requests(sim: Simulator) -> None:
    async with Northflank(sim.token, base_url=sim.url) as nf:
        await nf.projects()
    with pytest.raises(TransportError, match="the client is closed"):
        await nf.projects()
    await nf.close()
    assert len(sim.requests) == 1


async def test_a_client_that_was_never_used_has_nothing_to_close() -> None:
    async with Northflank(TOKEN):
        pass
    Northflank(TOKEN)


async def test_the_callers_own_timeout_is_not_mistaken_for_a_closed_client() -> None:
    async with serve(never_answer) as server, server.client() as nf:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await nf.projects()


async def test_an_error_in_one_task_of_a_group_cancels_the_others_cleanly() -> None:
    async def respond(request: web.Request) -> web.Response:
        if request.path.endswith("/bad"):
            return web.Response(status=404)
        if len(server.requests) > 1:
            await asyncio.sleep(100)
        return envelope({"id": "p"})

    async with serve(respond) as server, server.client() as nf:
        await nf.project("p").get()
        with pytest.raises(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                for id_ in ("p", "p", "bad"):
                    group.create_task(nf.project(id_).get())
        assert connections_in_use(nf) == 0
