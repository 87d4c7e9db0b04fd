"""A deadline limits a whole call: with its retries, and its waits for the rate limit."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from northflank_async import ConfigurationError, DeadlineExceeded, Northflank, NorthflankError, TransportError
from tests.support.clocks import FastClock, ManualClock, wait_until
from tests.support.scripted_server import TOKEN, backup, envelope, never_answer, serve
from tests.support.sockets import serve_silence

EXHAUSTED = {"x-ratelimit-limit": "10", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "3000"}


async def test_a_wait_for_the_rate_limit_ends_at_the_deadline() -> None:
    respond = lambda _: web.Response(status=429, headers=EXHAUSTED)  # noqa: E731
    async with serve(respond) as server, server.client(clock=FastClock(), deadline=100) as nf:
        with pytest.raises(DeadlineExceeded) as caught:
            await nf.projects()
        assert len(server.requests) == 1
    error = caught.value
    assert isinstance(error, NorthflankError)
    assert isinstance(error, TimeoutError)
    message = (
        r"not done within the deadline of 100 s, while waiting for the rate limit, which resets in 2[89]\d\d s \[GET "
    )
    assert re.match(message, str(error))
    assert (error.attempts, error.changed) == (1, False)
    assert 100 <= error.elapsed < 1000


async def test_a_retry_after_ends_at_the_deadline() -> None:
    respond = lambda _: web.Response(status=503, headers={"Retry-After": "250"})  # noqa: E731
    async with serve(respond) as server, server.client(clock=FastClock(), deadline=100) as nf:
        with pytest.raises(DeadlineExceeded, match="while waiting for the next attempt") as caught:
            await nf.request("POST", "/v1/x")
        assert len(server.requests) == 1
        assert caught.value.changed is False


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_response_that_does_not_come_ends_at_the_deadline(method: str) -> None:
    async with serve(never_answer) as server, server.client(clock=FastClock(), deadline=20) as nf:
        with pytest.raises(DeadlineExceeded, match="while waiting for the response") as caught:
            await nf.request(method, "/v1/x")
    assert caught.value.changed is (False if method == "GET" else None)
    assert ("(the change may have been made)" in str(caught.value)) == (method == "POST")


async def test_connecting_ends_at_the_deadline() -> None:
    async with (
        serve_silence() as port,
        Northflank(TOKEN, base_url=f"https://127.0.0.1:{port}", clock=FastClock(), deadline=20) as nf,
    ):
        with pytest.raises(DeadlineExceeded, match="while waiting for a connection") as caught:
            await nf.request("POST", "/v1/x")
        assert caught.value.changed is False
        assert (nf.budget.spent, nf.budget.in_flight) == (0, 0)


async def test_waiting_for_a_free_connection_ends_at_the_deadline() -> None:
    async with (
        serve(lambda request: envelope({}) if request.method == "GET" else never_answer(request)) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session,
        server.client(session=session) as nf,
    ):
        await nf.request("GET", "/v1/x")
        first = asyncio.create_task(nf.request("POST", "/v1/x"))
        await wait_until(lambda: len(server.requests) == 2)
        with nf.deadline(0.02), pytest.raises(DeadlineExceeded, match="waiting for a free connection") as caught:
            await nf.request("POST", "/v1/x")
        assert caught.value.changed is False
        await nf.close()
        with pytest.raises(TransportError):
            await first


def pages(request: web.Request) -> web.Response:
    number = int(request.query.get("cursor", "0"))
    return envelope({"projects": [{"id": f"p{number}"}]}, hasNextPage=True, cursor=str(number + 1), count=1)


async def test_a_deadline_is_for_all_pages_together_and_the_listing_can_be_resumed() -> None:
    clock = ManualClock()

    def respond(request: web.Request) -> web.Response:
        clock.advance(6)
        return pages(request)

    async with serve(respond) as server, server.client(clock=clock, deadline=20) as nf:
        with pytest.raises(DeadlineExceeded) as caught:
            await nf.projects().all()
        count = len(caught.value.items)
        assert [project.id for project in caught.value.items] == [f"p{number}" for number in range(count)]
        assert 2 <= count <= 4
        resumed = await nf.projects(cursor=caught.value.cursor)
        assert resumed.items[0].id == f"p{count}"


async def test_each_page_of_an_iteration_is_a_call() -> None:
    clock = ManualClock()

    def respond(request: web.Request) -> web.Response:
        clock.advance(6)
        return pages(request)

    async with serve(respond) as server, server.client(clock=clock, deadline=20) as nf:
        read = 0
        async for _ in nf.projects():
            read += 1
            if read == 10:
                break
        assert len(server.requests) == 10


async def test_a_block_limits_all_of_its_calls_together() -> None:
    clock = ManualClock()

    def respond(request: web.Request) -> web.Response:
        clock.advance(6)
        return envelope({})

    async with serve(respond) as server, server.client(clock=clock) as nf:
        with nf.deadline(20), pytest.raises(DeadlineExceeded, match="the deadline of 20 s"):
            while True:
                await nf.request("GET", "/v1/x")
        assert 3 <= len(server.requests) <= 4
        await nf.request("GET", "/v1/x")


async def test_a_block_covers_the_tasks_that_are_started_in_it() -> None:
    async with serve(never_answer) as server, server.client(clock=FastClock()) as nf:
        with nf.deadline(20), pytest.raises(ExceptionGroup) as caught:
            async with asyncio.TaskGroup() as group:
                for _ in range(3):
                    group.create_task(nf.request("GET", "/v1/x"))
        assert caught.value.subgroup(DeadlineExceeded)


@pytest.mark.parametrize(("outer", "inner"), [(5, 20), (20, 5)])
async def test_the_earlier_deadline_counts(outer: float, inner: float) -> None:
    async with serve(never_answer) as server, server.client(clock=FastClock(), deadline=inner) as nf:
        with nf.deadline(outer), nf.deadline(30), pytest.raises(DeadlineExceeded, match="deadline of 5 s"):
            await nf.request("GET", "/v1/x")


CALLS: dict[str, Callable[[Northflank, Path], Awaitable[Any]]] = {
    "wait": lambda nf, _: nf.project("p").addon("a").backup("b").wait(),
    "wait with a timeout": lambda nf, _: nf.project("p").addon("a").backup("b").wait(timeout=100),
    "wait_restore": lambda nf, _: nf.project("p").addon("a").backup("b").wait_restore("r"),
    "download": lambda nf, path: nf.project("p").addon("a").backup("b").download(path / "b"),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("as_block", [True, False])
async def test_waits_and_downloads_end_at_the_deadline(call: str, as_block: bool, tmp_path: Path) -> None:
    def respond(request: web.Request) -> Any:
        if request.path.endswith("/download-link"):
            return envelope({"downloadLink": f"http://{request.host}/storage/1"})
        if request.path.startswith("/storage"):
            return never_answer(request)
        if request.path.endswith("/restores"):
            restore = {"id": "r", "status": "running", "restoreTimestamp": "2026-01-01T00:00:00Z"}
            return envelope({"restores": [restore]})
        return envelope({**backup(1), "status": "running"})

    options: dict[str, Any] = {} if as_block else {"deadline": 20}
    async with serve(respond) as server, server.client(clock=FastClock(), **options) as nf:
        with pytest.raises(DeadlineExceeded, match="the deadline of 20 s"):
            if as_block:
                with nf.deadline(20):
                    await CALLS[call](nf, tmp_path)
            else:
                await CALLS[call](nf, tmp_path)
        assert nf.budget.in_flight == 0
    assert list(tmp_path.iterdir()) == []


async def test_the_deadline_of_one_client_is_not_that_of_another() -> None:
    async with serve(lambda _: envelope({})) as server, server.client(clock=ManualClock()) as other:
        clock = ManualClock()
        async with server.client(clock=clock) as nf:
            with nf.deadline(5):
                clock.advance(10)
                await other.request("GET", "/v1/x")
                with pytest.raises(DeadlineExceeded):
                    await nf.request("GET", "/v1/x")


async def test_the_callers_own_timeout_stays_one() -> None:
    async with serve(never_answer) as server, server.client(deadline=50) as nf:
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.01):
                await nf.projects()
        assert not isinstance(caught.value, DeadlineExceeded)


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), True, "5"])
async def test_a_deadline_is_a_number_of_seconds(seconds: Any) -> None:
    with pytest.raises(ConfigurationError, match="deadline"):
        Northflank(TOKEN, deadline=seconds)
    with pytest.raises(ConfigurationError, match="seconds"):
        Northflank(TOKEN).deadline(seconds)


async def test_a_call_after_the_deadline_ends_at_once() -> None:
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    async with serve(never_answer) as server, server.client() as nf:
        with nf.deadline(0.01):
            for _ in range(2):
                with pytest.raises(DeadlineExceeded):
                    await nf.projects()
        await asyncio.sleep(0)
        assert len(server.requests) <= 1
    assert errors == []
