"""The hour's requests."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from northflank_async import ConfigurationError, Northflank, RateLimited
from northflank_async.http.budget import Admission, Budget
from northflank_async.simulator import Simulator
from tests.support.clocks import ManualClock, wait_until
from tests.support.scripted_server import envelope, serve


def told(remaining: int, reset: float = 60, limit: int = 10) -> dict[str, str]:
    return {
        "x-ratelimit-limit": str(limit),
        "x-ratelimit-remaining": str(remaining),
        "x-ratelimit-reset": str(reset),
    }


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


class Line:
    """Requests that are under way at the same time, for the test to answer in any order."""

    def __init__(self, budget: Budget, stack: AsyncExitStack) -> None:
        self.budget = budget
        self.stack = stack

    async def admitted(self) -> Admission | None:
        """Try to be admitted now; None where one would have to wait."""
        task = asyncio.ensure_future(self.stack.enter_async_context(self.budget.admit()))
        for _ in range(5):
            await asyncio.sleep(0)
        if task.done():
            return task.result()
        task.cancel()
        await asyncio.wait([task])
        return None

    async def learn(self, remaining: int, **more: Any) -> None:
        admission = await self.admitted()
        assert admission
        admission.told(200, told(remaining, **more))


@pytest.fixture
def line(clock: ManualClock, stack: AsyncExitStack) -> Line:
    return Line(Budget(clock=clock), stack)


# The whole: 64 tasks, a window of 20


async def test_64_tasks_in_a_window_of_20_never_send_more_than_it_allows_and_end_with_the_reset_that_admits_them(
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
            await wait_until(lambda sent=20 * window: clock.timers and len(ended) == sent)
            clock.advance(3599.9)
            await asyncio.sleep(0.01)
            assert len(sim.requests) == 20 * window
            clock.advance(0.1)
    assert len(sim.requests) == len(ended) == 64
    assert {request.status for request in sim.requests} == {200}
    assert [time - began for time in ended] == [0] * 20 + [3600] * 20 + [7200] * 20 + [10800] * 4
    waits = [record.getMessage() for record in caplog.records if "waiting" in record.getMessage()]
    assert waits == ["no requests left of 20: waiting 3600 s for the window to reset"] * 3


async def test_tasks_are_served_in_the_order_in_which_they_came(clock: ManualClock) -> None:
    async with (
        Simulator(rate_limit=5, projects=20, clock=clock.time) as sim,
        Northflank(sim.token, base_url=sim.url, clock=clock) as nf,
    ):
        ids = [project.id for project in (await nf.projects()).items]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(nf.project(id_).get()) for id_ in ids[:12]]
            for done in (4, 9):
                await wait_until(lambda done=done: clock.timers and sum(task.done() for task in tasks) == done)
                clock.advance(3600)
        assert [request.path.rsplit("/", 1)[1] for request in sim.requests[1:]] == ids[:12]


async def test_until_the_first_answer_one_request_goes_out_alone() -> None:
    arrived = asyncio.Event()
    answer_it = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        arrived.set()
        await answer_it.wait()
        return envelope({"id": "p"})

    async with serve(answer) as server, server.client() as nf, asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(nf.project("p").get())
        await arrived.wait()
        await asyncio.sleep(0.01)
        assert len(server.requests) == 1
        answer_it.set()
    assert len(server.requests) == 10


async def test_after_a_reset_one_request_goes_out_alone_to_ask(clock: ManualClock, line: Line) -> None:
    await line.learn(3)
    clock.advance(60)
    probe = await line.admitted()
    assert probe
    assert await line.admitted() is None
    probe.told(200, told(9))
    assert await line.admitted()


async def test_what_was_sent_before_a_reset_says_nothing_of_the_window_after_it(clock: ManualClock, line: Line) -> None:
    await line.learn(4)
    told_late, lost = await line.admitted(), await line.admitted()
    assert told_late
    assert lost
    clock.advance(60)
    probe = await line.admitted()
    assert probe
    told_late.told(200, told(0))
    lost.close()
    assert await line.admitted() is None, "the probe is still under way"
    probe.told(200, told(9))
    assert await line.admitted()


# What is counted


async def test_no_more_are_under_way_than_are_left(line: Line) -> None:
    await line.learn(3)
    assert [bool(await line.admitted()) for _ in range(5)] == [True, True, True, False, False]


async def test_answers_that_overtake_each_other_cost_nothing(line: Line) -> None:
    await line.learn(4)
    first, second = await line.admitted(), await line.admitted()
    assert first
    assert second
    second.told(200, told(2))
    first.told(200, told(3))
    assert [bool(await line.admitted()) for _ in range(3)] == [True, True, False]


async def test_the_servers_number_counts_where_others_use_the_token(line: Line) -> None:
    await line.learn(9)
    await line.learn(1)
    assert [bool(await line.admitted()) for _ in range(2)] == [True, False]


async def test_a_request_that_was_lost_may_still_be_counted_for_a_while(clock: ManualClock) -> None:
    budget = Budget(clock=clock)
    async with budget.admit() as admission:
        admission.told(200, told(9, reset=600))
    async with budget.admit():
        pass  # no answer
    for left_to_us in (7, 6):
        async with budget.admit() as admission:
            admission.told(200, told(left_to_us + 1, reset=600))
        assert budget.rate_limit
        assert budget.rate_limit.remaining == left_to_us
    clock.advance(30)
    async with budget.admit() as admission:
        admission.told(200, told(6, reset=570))  # what was lost has been counted by now, or never will be
    assert budget.rate_limit.remaining == 6


async def test_an_answer_that_tells_nothing_is_in_the_count_of_the_next(clock: ManualClock) -> None:
    budget = Budget(clock=clock)
    async with budget.admit() as admission:
        admission.told(502, {})
    clock.advance(0.01)
    async with budget.admit() as admission:
        admission.told(200, told(9))
    assert budget.rate_limit
    assert budget.rate_limit.remaining == 9


async def test_a_connection_that_was_never_made_costs_nothing(clock: ManualClock) -> None:
    budget = Budget(clock=clock)
    async with budget.admit() as admission:
        admission.told(200, told(2))
    async with budget.admit() as admission:
        admission.unsent()
    assert budget.rate_limit
    assert (budget.rate_limit.remaining, budget.spent) == (2, 1)


async def test_a_reserve_is_left_to_others(clock: ManualClock, stack: AsyncExitStack) -> None:
    line = Line(Budget(clock=clock, reserve=7), stack)
    await line.learn(9)
    assert [bool(await line.admitted()) for _ in range(3)] == [True, True, False]


async def test_a_reserve_of_everything_is_an_error_and_not_an_endless_wait(clock: ManualClock) -> None:
    async with (
        Simulator(rate_limit=20, clock=clock.time) as sim,
        Northflank(sim.token, base_url=sim.url, clock=clock, reserve=20) as nf,
    ):
        await nf.projects()
        with pytest.raises(ConfigurationError, match="reserve=20 leaves nothing of a window of 20"):
            await nf.projects()


async def test_a_server_that_tells_nothing_is_not_limited(line: Line) -> None:
    probe = await line.admitted()
    assert probe
    assert await line.admitted() is None
    probe.told(200, {})
    assert all([await line.admitted() for _ in range(50)])


async def test_a_proxy_in_between_that_tells_nothing_does_not_lift_the_limit(line: Line) -> None:
    probe = await line.admitted()
    assert probe
    probe.told(502, {})
    assert await line.admitted() is None
    probe.close()
    assert await line.admitted()
    assert await line.admitted() is None


async def test_a_429_holds_everybody_back_until_its_time(clock: ManualClock, line: Line) -> None:
    await line.learn(9)
    refused = await line.admitted()
    assert refused
    refused.told(429, {"Retry-After": "30"})
    assert await line.admitted() is None
    clock.advance(29.9)
    assert await line.admitted() is None
    clock.advance(0.1)
    assert await line.admitted()


async def test_after_a_429_that_says_nothing_everybody_backs_off_and_then_one_goes_out_alone(
    clock: ManualClock, line: Line
) -> None:
    for pause in (1, 2, 4, 8, 16, 32, 60, 60):
        refused = await line.admitted()
        assert refused
        refused.told(429, {})
        refused.close()
        clock.advance(pause * 0.99)
        assert await line.admitted() is None
        clock.advance(pause * 0.52)
    assert await line.admitted()
    assert await line.admitted() is None


async def test_a_429_of_another_limit_is_waited_for_alone(clock: ManualClock, line: Line) -> None:
    await line.learn(9, reset=3000)
    refused = await line.admitted()
    assert refused
    refused.told(429, {**told(8, reset=3000), "Retry-After": "2"})
    clock.advance(1.9)
    assert await line.admitted() is None
    clock.advance(0.1)
    assert await line.admitted()


async def test_one_answer_without_numbers_does_not_lift_a_limit_that_was_told(clock: ManualClock, line: Line) -> None:
    await line.learn(9)
    clock.advance(60)
    cached = await line.admitted()
    assert cached
    cached.told(200, {})
    cached.close()
    assert await line.admitted()
    assert await line.admitted() is None


async def test_a_server_that_rounds_its_seconds_down_costs_one_429_a_window_at_most() -> None:
    clock = ManualClock()
    spent, window_end = 0, clock.now + 2.5

    def answer(_: web.Request) -> web.Response:
        nonlocal spent, window_end
        if clock.now >= window_end:
            spent, window_end = 0, clock.now + 2.5
        spent += 1
        headers = told(max(0, 5 - spent), int(window_end - clock.now), 5)
        status = 200 if spent <= 5 else 429
        return web.json_response({"data": {"projects": []}}, status=status, headers=headers)

    async with serve(answer) as server, server.client(clock=clock) as nf:
        tasks = [asyncio.create_task(nf.projects().all()) for _ in range(12)]
        while not all(task.done() for task in tasks):
            await wait_until(lambda: clock.timers or all(task.done() for task in tasks))
            clock.advance(0.25)
        assert [task.result() for task in tasks] == [[]] * 12
        assert len(server.requests) <= 12 + 2


@given(
    limit=st.integers(1, 8),
    tasks=st.integers(1, 40),
    random=st.randoms(use_true_random=False),
    lost=st.floats(0, 0.5),
)
def test_whatever_the_order_of_answers_and_losses_no_window_is_overspent(
    limit: int, tasks: int, random: Any, lost: float
) -> None:
    """A server in memory: each request arrives late or never, is counted or not, and is answered later still."""
    clock = ManualClock()
    spent: dict[float, int] = {}
    window_end = 0.0

    async def arrive(asking: bool) -> dict[str, str] | None:
        nonlocal window_end
        fate = 1.0 if asking else random.random()  # who asks without knowing can overspend, one request at a time
        if clock.now >= window_end:
            window_end = clock.now + 60
        if fate < lost / 2:
            return None  # it never got there
        spent[window_end] = spent.get(window_end, 0) + 1
        headers = told(limit - spent[window_end], window_end - clock.now, limit)
        return None if fate < lost else headers

    async def request(budget: Budget) -> None:
        while True:
            async with budget.admit() as admission:
                for _ in range(random.randrange(4)):
                    await asyncio.sleep(0)
                headers = await arrive(admission._asking)
                for _ in range(random.randrange(4)):
                    await asyncio.sleep(0)
                if headers is not None:
                    admission.told(200, headers)
                    return

    async def run() -> None:
        budget = Budget(clock=clock)
        everyone = asyncio.gather(*(request(budget) for _ in range(tasks)))
        while not everyone.done():
            await asyncio.sleep(0)
            if clock.timers and budget._in_flight == 0:
                clock.advance(60)
        await everyone

    asyncio.run(run())
    assert all(count <= limit for count in spent.values())


# What a user sees


async def test_raise_says_when_there_will_be_more(clock: ManualClock) -> None:
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
async def test_raise_does_not_try_a_429_again(headers: dict[str, str], reset_after: float | None) -> None:
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


async def test_other_clients_with_the_same_token_are_noticed_before_they_cost_a_429(clock: ManualClock) -> None:
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


async def test_waiting_can_be_cancelled_and_takes_nothing_with_it(clock: ManualClock) -> None:
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
