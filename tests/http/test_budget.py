"""The budget: waiting for the rate limit."""

import asyncio
import logging
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from northflank_async import ConfigurationError, Northflank, RateLimited
from northflank_async.http.budget import Budget, _WakefulClock
from northflank_async.simulator import Simulator
from tests.support.clocks import AutojumpClock, ManualClock, wait_until
from tests.support.scripted_server import envelope, serve


def limits(remaining: int, reset: float = 60, limit: int = 10) -> dict[str, str]:
    return {
        "x-ratelimit-limit": str(limit),
        "x-ratelimit-remaining": str(remaining),
        "x-ratelimit-reset": str(reset),
    }


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


async def test_64_tasks_never_exceed_a_window_of_20_and_each_ends_in_its_own_window(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "northflank_async")
    ended: list[float] = []
    async with (
        Simulator(rate_limit=20, clock=clock.time) as sim,
        Northflank(sim.token, base_url=sim.url, clock=clock) as nf,
        asyncio.TaskGroup() as group,
    ):

        async def get() -> None:
            await nf.project("default-project").get()
            ended.append(clock.time())

        for _ in range(64):
            group.create_task(get())
        began = clock.time()
        for window in range(1, 4):
            sent = 20 * window
            await wait_until(lambda: clock.timers and len(ended) == sent)  # noqa: B023
            clock.advance(3599.9)
            await asyncio.sleep(0.01)
            assert len(sim.requests) == sent
            clock.advance(0.1)
    assert len(sim.requests) == len(ended) == 64
    assert {request.status for request in sim.requests} == {200}
    assert [time - began for time in ended] == [0] * 20 + [3600] * 20 + [7200] * 20 + [10800] * 4
    waits = [record.getMessage() for record in caplog.records if "waiting" in record.getMessage()]
    assert waits == ["rate limit reached: waiting 3600 s for the window of 20 requests to reset"] * 3


async def test_tasks_are_served_in_their_order(clock: ManualClock) -> None:
    async with (
        Simulator(rate_limit=5, projects=20, clock=clock.time) as sim,
        Northflank(sim.token, base_url=sim.url, clock=clock) as nf,
    ):
        ids = [project.id for project in (await nf.projects()).items]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(nf.project(id_).get()) for id_ in ids[:12]]
            for done in (4, 9):
                await wait_until(lambda: clock.timers and sum(task.done() for task in tasks) == done)  # noqa: B023
                clock.advance(3600)
        assert [request.path.rsplit("/", 1)[1] for request in sim.requests[1:]] == ids[:12]


async def test_the_first_request_is_sent_alone() -> None:
    arrived = asyncio.Event()
    respond_now = asyncio.Event()

    async def respond(request: web.Request) -> web.Response:
        arrived.set()
        await respond_now.wait()
        return envelope({"id": "p"})

    async with serve(respond) as server, server.client() as nf, asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(nf.project("p").get())
        await arrived.wait()
        await asyncio.sleep(0.01)
        assert len(server.requests) == 1
        respond_now.set()
    assert len(server.requests) == 10


# Counting


async def test_a_connection_that_was_never_made_is_refunded(clock: ManualClock) -> None:
    budget = Budget(clock=clock)
    async with budget.admit() as charge:
        budget.update(charge, 200, limits(2))
    async with budget.admit() as charge:
        budget.refund(charge)
    assert budget.rate_limit
    assert (budget.rate_limit.remaining, budget.spent) == (2, 1)


async def test_a_reserve_of_the_whole_window_is_an_error_not_an_endless_wait(clock: ManualClock) -> None:
    async with (
        Simulator(rate_limit=20, clock=clock.time) as sim,
        Northflank(sim.token, base_url=sim.url, clock=clock, reserve=20) as nf,
    ):
        await nf.projects()
        with pytest.raises(ConfigurationError, match="reserve=20 leaves nothing of a window of 20"):
            await nf.projects()


async def test_a_server_that_rounds_down_costs_at_most_one_429_per_window() -> None:
    clock = ManualClock()
    spent, window_end = 0, clock.now + 2.5

    def respond(_: web.Request) -> web.Response:
        nonlocal spent, window_end
        if clock.now >= window_end:
            spent, window_end = 0, clock.now + 2.5
        spent += 1
        headers = limits(max(0, 5 - spent), int(window_end - clock.now), 5)
        status = 200 if spent <= 5 else 429
        return web.json_response({"data": {"projects": []}}, status=status, headers=headers)

    async with serve(respond) as server, server.client(clock=clock) as nf:
        tasks = [asyncio.create_task(nf.projects().all()) for _ in range(12)]
        while not all(task.done() for task in tasks):
            await wait_until(lambda: clock.timers or all(task.done() for task in tasks))
            clock.advance(0.25)
        assert [task.result() for task in tasks] == [[]] * 12
        assert len(server.requests) <= 12 + 2


@pytest.mark.slow
@given(
    limit=st.integers(1, 8),
    tasks=st.integers(1, 40),
    random=st.randoms(use_true_random=False),
    lost=st.floats(0, 0.5),
)
def test_no_window_is_overspent_whatever_the_order_of_responses_and_losses(
    limit: int, tasks: int, random: Any, lost: float
) -> None:
    """A server in memory: each request arrives late or never_answer, is counted or not, and is answered later still."""
    clock = ManualClock()
    spent: dict[float, int] = {}
    window_end = 0.0

    async def arrive(is_probe: bool) -> dict[str, str] | None:
        nonlocal window_end
        fate = 1.0 if is_probe else random.random()  # a probe may overspend, one request at a time
        if clock.now >= window_end:
            window_end = clock.now + 60
        if fate < lost / 2:
            return None  # it never arrived
        spent[window_end] = spent.get(window_end, 0) + 1
        headers = limits(limit - spent[window_end], window_end - clock.now, limit)
        return None if fate < lost else headers

    async def request(budget: Budget) -> None:
        while True:
            async with budget.admit() as charge:
                for _ in range(random.randrange(4)):
                    await asyncio.sleep(0)
                headers = await arrive(charge.is_probe)
                for _ in range(random.randrange(4)):
                    await asyncio.sleep(0)
                if headers is not None:
                    budget.update(charge, 200, headers)
                    return

    async def run() -> None:
        budget = Budget(clock=clock)
        everyone = asyncio.gather(*(request(budget) for _ in range(tasks)))
        while not everyone.done():
            await asyncio.sleep(0)
            if clock.timers and budget.in_flight == 0:
                clock.advance(60)
        await everyone

    asyncio.run(run())
    assert all(count <= limit for count in spent.values())


# Estimates


async def cancelled(budget: Budget, requests: int) -> None:
    """Send so many requests whose responses nobody awaits."""
    for _ in range(requests):
        async with budget.admit():
            pass


async def test_cancelled_calls_delay_the_next_one_by_30_seconds(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "northflank_async")
    budget = Budget(clock=clock)
    async with budget.admit() as charge:
        budget.update(charge, 200, limits(45, 3500, 1000))
    await cancelled(budget, 45)
    waiting = asyncio.create_task(cancelled(budget, 1))
    await wait_until(lambda: clock.timers)
    assert budget.reset_wait == 30
    clock.advance(30)
    await waiting
    assert budget.total_wait == 30
    assert budget.reset_wait is None
    assert [record.getMessage() for record in caplog.records] == [
        "45 requests got no response and may have used up the rate limit: waiting 30 s, then one request finds out"
    ]


async def test_raise_names_the_seconds_until_a_request_may_find_out(clock: ManualClock) -> None:
    budget = Budget(clock=clock, on_rate_limit="raise")
    async with budget.admit() as charge:
        budget.update(charge, 200, limits(2, 3500))
    await cancelled(budget, 2)
    clock.advance(10)
    with pytest.raises(RateLimited, match="2 requests got no response") as caught:
        await cancelled(budget, 1)
    assert caught.value.reset_after == 20
    clock.advance(20)
    await cancelled(budget, 1)


async def test_calls_that_time_out_do_not_stop_the_client_until_the_reset(clock: ManualClock) -> None:
    is_down = True

    async def respond(request: web.Request) -> web.StreamResponse:
        if is_down and len(server.requests) > 1:
            await asyncio.sleep(10)
        response = envelope({"id": "p"})
        response.headers.update(limits(5, 3500, 1000))
        return response

    async with serve(respond) as server, server.client(clock=clock) as nf:
        await nf.project("p").get()
        for _ in range(5):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await nf.project("p").get()
        is_down = False
        waiting = asyncio.gather(*(nf.project("p").get() for _ in range(4)))
        await wait_until(lambda: clock.timers)
        clock.advance(30)
        assert len(await waiting) == 4


async def test_a_burst_limit_does_not_wait_for_the_reset() -> None:
    clock = AutojumpClock()

    def respond(request: web.Request) -> web.Response:
        refused = len(server.requests) in (3, 4)
        response = envelope({"id": "p"})
        response.set_status(429 if refused else 200)
        response.headers.update(limits(500, 3000, 1000))
        return response

    async with serve(respond) as server, server.client(clock=clock) as nf:
        for _ in range(5):
            await nf.project("p").get()
        assert len(server.requests) == 7
    assert 3 <= clock.now <= 5


async def test_waits_end_when_the_machine_wakes_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The event loop's timers stand still while the machine is suspended."""
    monkeypatch.setattr("northflank_async.http.budget._LONGEST_NAP", 0.001)
    now = 0.0
    clock = _WakefulClock()
    clock.time = lambda: now
    fired = asyncio.Event()
    cancelled = clock.call_at(3000, lambda: pytest.fail("it was cancelled"))
    clock.call_at(3000, fired.set)
    await asyncio.sleep(0.005)
    assert not fired.is_set()
    cancelled.cancel()
    now = 3600.0
    await asyncio.wait_for(fired.wait(), 5)


async def test_the_default_clock_works_without_an_event_loop_and_fires_in_time() -> None:
    clock = _WakefulClock()
    fired = asyncio.Event()
    began = clock.time()
    clock.call_at(began + 0.01, fired.set)
    await asyncio.wait_for(fired.wait(), 5)
    assert clock.time() - began >= 0.01


# The public surface


async def test_raise_names_the_seconds_until_the_reset(clock: ManualClock) -> None:
    async with (
        Simulator(rate_limit=2, clock=clock.time) as sim,
        Northflank(sim.token, base_url=sim.url, clock=clock, on_rate_limit="raise") as nf,
    ):
        await nf.projects()
        await nf.projects()
        clock.advance(600)
        with pytest.raises(RateLimited) as caught:
            await nf.projects()
        assert caught.value.reset_after == 3000
        assert caught.value.status == 429
        assert len(sim.requests) == 2
        clock.advance(3000)
        await nf.projects()


@pytest.mark.parametrize(("headers", "reset_after"), [({"Retry-After": "30"}, 30), ({}, None)])
async def test_raise_does_not_retry_a_429(headers: dict[str, str], reset_after: float | None) -> None:
    async with (
        serve(lambda _: web.Response(status=429, headers=headers)) as server,
        server.client(on_rate_limit="raise") as nf,
    ):
        with pytest.raises(RateLimited) as caught:
            await nf.projects()
        assert caught.value.reset_after == reset_after
        assert len(server.requests) == 1


async def test_the_rate_limit_is_shown(clock: ManualClock) -> None:
    async with (
        Simulator(rate_limit=20, clock=clock.time) as sim,
        Northflank(sim.token, base_url=sim.url, clock=clock) as nf,
    ):
        assert nf.rate_limit is None
        await nf.projects()
        clock.advance(100)
        assert nf.rate_limit is not None
        assert (nf.rate_limit.limit, nf.rate_limit.remaining, nf.rate_limit.reset_after) == (20, 19, 3500)
        clock.advance(3500)
        assert nf.rate_limit is None


async def test_other_clients_with_the_token_are_noticed_before_a_429(clock: ManualClock) -> None:
    async with (
        Simulator(rate_limit=10, clock=clock.time) as sim,
        Northflank(sim.token, base_url=sim.url, clock=clock) as nf,
        Northflank(sim.token, base_url=sim.url, clock=clock) as other,
    ):
        await nf.projects()
        for _ in range(5):
            await other.projects()
        for _ in range(4):
            await nf.projects()
        waiting = asyncio.create_task(nf.projects().all())
        await wait_until(lambda: clock.timers)
        clock.advance(3600)
        await waiting
        assert 429 not in {request.status for request in sim.requests}


async def test_a_cancelled_wait_costs_no_request(clock: ManualClock) -> None:
    async with (
        Simulator(rate_limit=1, clock=clock.time) as sim,
        Northflank(sim.token, base_url=sim.url, clock=clock) as nf,
    ):
        await nf.projects()
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.005):
                    await nf.projects()
        assert clock.timers == []
        waiting = [asyncio.create_task(nf.projects().all()) for _ in range(3)]
        await wait_until(lambda: clock.timers)
        waiting[0].cancel()
        waiting[1].cancel()
        await asyncio.wait(waiting[:2])
        await wait_until(lambda: clock.timers)
        clock.advance(3600)
        assert await waiting[2]
        assert len(sim.requests) == 2
