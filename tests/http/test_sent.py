"""Sent or not: what an attempt's phase says, over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from northflank_async import ApiError, Northflank, TransportError
from tests.support.clocks import wait_until
from tests.support.scripted_server import TOKEN, envelope, http_response, never_answer, serve, serve_bytes
from tests.support.sockets import HOST, full_backlog, listen, serve_proxy, serve_silence, server_context

METHODS = pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])


@asynccontextmanager
async def stalled_tls() -> AsyncIterator[dict[str, Any]]:
    async with serve_silence() as port:
        yield {"base_url": f"https://127.0.0.1:{port}"}


@asynccontextmanager
async def closed_tls() -> AsyncIterator[dict[str, Any]]:
    async with listen(lambda _, writer: writer.close()) as port:
        yield {"base_url": f"https://127.0.0.1:{port}"}


@asynccontextmanager
async def untrusted_certificate() -> AsyncIterator[dict[str, Any]]:
    async with serve(lambda _: envelope({}), server_context()) as server:
        yield {"base_url": server.url}


@asynccontextmanager
async def dropped_syn() -> AsyncIterator[dict[str, Any]]:
    with full_backlog() as port:
        yield {"base_url": f"http://127.0.0.1:{port}"}


@asynccontextmanager
async def refused_connect() -> AsyncIterator[dict[str, Any]]:
    async with serve_proxy(0, http_response(b"", "407 Proxy Authentication Required")) as proxy:
        yield {"base_url": f"https://{HOST}", "proxy": proxy.url}


@asynccontextmanager
async def silent_proxy() -> AsyncIterator[dict[str, Any]]:
    async with serve_silence() as port:
        yield {"base_url": f"https://{HOST}", "proxy": f"http://127.0.0.1:{port}"}


@asynccontextmanager
async def closing_proxy() -> AsyncIterator[dict[str, Any]]:
    async with listen(lambda _, writer: writer.close()) as port:
        yield {"base_url": f"https://{HOST}", "proxy": f"http://127.0.0.1:{port}"}


@asynccontextmanager
async def proxy_that_hangs_up(sent: bytes) -> AsyncIterator[dict[str, Any]]:
    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        writer.close()

    async with listen(send) as port:
        yield {"base_url": f"https://{HOST}", "proxy": f"http://127.0.0.1:{port}"}


@asynccontextmanager
async def no_proxy_there() -> AsyncIterator[dict[str, Any]]:
    yield {"base_url": f"https://{HOST}", "proxy": "http://127.0.0.1:1"}


@asynccontextmanager
async def unknown_host() -> AsyncIterator[dict[str, Any]]:
    yield {"base_url": "https://api.invalid"}


NEVER_SENT: dict[str, tuple[Callable[[], AbstractAsyncContextManager[dict[str, Any]]], str]] = {
    "a stalled TLS handshake": (stalled_tls, r"^no connection within 0\.1 s "),
    "a broken TLS handshake": (closed_tls, "^no connection to 127"),
    "an untrusted certificate": (untrusted_certificate, "^no connection to 127.*CERTIFICATE_VERIFY_FAILED"),
    "a dropped SYN": (dropped_syn, r"^no connection within 0\.1 s "),
    "a proxy's refusal": (refused_connect, "^the proxy rejected the connection: 407 "),
    "a silent proxy": (silent_proxy, r"^no connection within 0\.1 s "),
    "a proxy that hangs up": (closing_proxy, "^the connection broke: "),
    "a proxy that hangs up early": (
        partial(proxy_that_hangs_up, b"HTTP/1.1 200 OK\r\nX-Link: https://secret.test"),
        "^the connection broke: the server disconnected ",
    ),
    "a proxy that hangs up late": (
        partial(proxy_that_hangs_up, b"HTTP/1.1 200 OK\r\n\r\n"),
        rf"^no connection to {HOST}:443: \S+",
    ),
    "no proxy": (no_proxy_there, r"^no connection to the proxy 127\.0\.0\.1:1: "),
    "an unknown host": (unknown_host, "^no connection to api.invalid:443: |^no connection within"),
}


@METHODS
@pytest.mark.parametrize("reason", NEVER_SENT)
async def test_what_was_never_sent_is_retried_and_not_charged(reason: str, method: str) -> None:
    stage, message = NEVER_SENT[reason]
    async with stage() as options, Northflank(TOKEN, attempts=2, timeout=0.1, **options) as nf:
        with pytest.raises(TransportError, match=message) as caught:
            await nf.request(method, "/v1/x")
        assert (caught.value.sent, caught.value.changed, caught.value.attempts) == (False, False, 2)
        assert (nf.budget.spent, nf.budget.in_flight) == (0, 0)
        assert "may have been made" not in str(caught.value)


@METHODS
async def test_what_was_sent_and_not_answered_is_charged(method: str) -> None:
    async with serve(never_answer) as server, server.client(attempts=1, timeout=0.05) as nf:
        with pytest.raises(TransportError, match=r"^no response within 0\.05 s ") as caught:
            await nf.request(method, "/v1/x")
        assert (caught.value.sent, nf.budget.spent) == (True, 1)
        assert caught.value.changed is (False if method == "GET" else None)
        assert ("(the change may have been made)" in str(caught.value)) == (method != "GET")


async def test_waiting_for_a_free_connection_is_not_part_of_the_timeout() -> None:
    async def respond(_: web.Request) -> web.Response:
        await asyncio.sleep(0.04)
        return envelope({})

    async with (
        serve(respond) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=2)) as session,
        server.client(session=session, timeout=0.3, attempts=1) as nf,
    ):
        await asyncio.gather(*(nf.request("POST", "/v1/x") for _ in range(30)))  # takes 0.6 s
        assert len(server.requests) == nf.budget.spent == 30


@pytest.mark.parametrize("cancel", ["in the queue", "on closing"])
async def test_a_request_that_waits_for_a_free_connection_was_not_sent(cancel: str) -> None:
    async with (
        serve(lambda request: envelope({}) if request.method == "GET" else never_answer(request)) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=2)) as session,
        server.client(session=session, attempts=1) as nf,
    ):
        await nf.request("GET", "/v1/x")  # the first request is sent alone
        tasks = [asyncio.create_task(nf.request("POST", "/v1/x")) for _ in range(30)]
        await wait_until(lambda: len(server.requests) == 3)
        if cancel == "in the queue":
            for task in tasks[2:]:
                task.cancel()
            await asyncio.wait(tasks[2:])
            assert (nf.budget.spent, nf.budget.in_flight) == (3, 2)
        await nf.close()
        errors = await asyncio.gather(*tasks, return_exceptions=True)
        sent = [error.sent for error in errors if isinstance(error, TransportError)]
        assert sent == [True] * 2 + [False] * (0 if cancel == "in the queue" else 28)
        assert nf.budget.spent == len(server.requests) == 3


async def test_a_request_that_is_cancelled_while_it_connects_is_not_charged() -> None:
    async with stalled_tls() as options, Northflank(TOKEN, **options) as nf:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await nf.request("POST", "/v1/x")
        assert (nf.budget.spent, nf.budget.in_flight) == (0, 0)


UNSOLICITED = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@asynccontextmanager
async def serve_unsolicited() -> AsyncIterator[str]:
    """Respond to the first request, and then send a 408 on its idle connection; respond to all on later connections."""
    connections: list[int] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        first = len(connections) == 1
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(http_response({"data": {"projects": []}}).replace(b"Connection: close\r\n", b""))
            if first:
                await asyncio.sleep(0.01)
                writer.write(UNSOLICITED)
                await reader.readuntil(b"\r\n\r\n")
                break

    async with listen(handle) as port:
        yield f"http://127.0.0.1:{port}"


async def test_an_unsolicited_408_is_not_the_response_to_the_next_get() -> None:
    async with serve_unsolicited() as url, Northflank(TOKEN, base_url=url, timeout=5) as nf:
        await nf.projects()
        await asyncio.sleep(0.03)
        assert await nf.projects().all() == []


async def test_an_unsolicited_408_leaves_open_whether_a_change_was_made() -> None:
    async with serve_unsolicited() as url, Northflank(TOKEN, base_url=url, timeout=5) as nf:
        await nf.projects()
        await asyncio.sleep(0.03)
        try:
            await nf.request("POST", "/v1/x")
        except ApiError as error:
            assert (error.status, error.changed) == (408, None)
            assert "(the change may have been made)" in str(error)


@METHODS
@pytest.mark.parametrize("own", [True, False], ids=["own session", "caller's session"])
async def test_aiohttp_sends_nothing_a_second_time_by_itself(method: str, own: bool) -> None:
    seen: list[int] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for turn in range(2):
            await reader.readuntil(b"\r\n\r\n")
            seen.append(turn)
            if turn == 0:
                writer.write(http_response({"data": {}}).replace(b"Connection: close\r\n", b""))

    async with listen(handle) as port, aiohttp.ClientSession() as session:
        options: dict[str, Any] = {} if own else {"session": session}
        async with Northflank(TOKEN, base_url=f"http://127.0.0.1:{port}", attempts=1, **options) as nf:
            await nf.request("GET", "/v1/x")
            with pytest.raises(TransportError) as caught:
                await nf.request(method, "/v1/x")
            assert caught.value.sent
            assert seen == [0, 1]


async def test_a_change_that_failed_after_a_success_says_that_it_was_made() -> None:
    cut = http_response({"data": {}}).replace(b"Content-Length: ", b"Content-Length: 9")
    async with serve_bytes(cut) as url, Northflank(TOKEN, base_url=url) as nf:
        with pytest.raises(TransportError, match=r"\(the change was made\)$") as caught:
            await nf.request("POST", "/v1/x")
        assert (caught.value.changed, caught.value.attempts) == (True, 1)


async def test_a_caller_s_session_keeps_what_it_sets() -> None:
    seen: list[str] = []
    trace = aiohttp.TraceConfig()

    async def on_end(_: Any, __: Any, params: aiohttp.TraceRequestEndParams) -> None:
        seen.append("trace")

    async def middleware(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        seen.append("middleware")
        return await send(request)

    trace.on_request_end.append(on_end)
    async with (
        serve(lambda _: envelope({})) as server,
        aiohttp.ClientSession(
            headers={"X-Ours": "1"},
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            skip_auto_headers=["Accept-Encoding"],
            trace_configs=[trace],
        ) as session,
        server.client(session=session, middlewares=[middleware]) as nf,
    ):
        session.cookie_jar.update_cookies({"c": "1"}, URL(server.url))
        await nf.request("GET", "/v1/x")
        (request,) = server.requests
    assert (request.headers["X-Ours"], request.cookies["c"]) == ("1", "1")
    assert "Accept-Encoding" not in request.headers
    assert seen == ["middleware", "trace"]
    assert len(session.trace_configs) == 1
