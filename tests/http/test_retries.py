"""Which requests are retried, and what the last error says."""

import asyncio
import gzip
import json
import logging
import subprocess
import sys
import tracemalloc
import zlib
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from northflank_async import (
    ApiError,
    AuthenticationError,
    ConfigurationError,
    DecodeError,
    Northflank,
    NotFound,
    RateLimited,
    ServerError,
    TransportError,
)
from northflank_async.http import retry
from tests.support.clocks import AutojumpClock, FastClock
from tests.support.scripted_server import TOKEN, backup, envelope, http_response, serve, serve_bytes

GOOD = {"data": {"projects": [{"id": "p"}]}}


def first(*responses: web.Response) -> Any:
    """Respond with these, then with a success."""
    turns = iter(responses)
    return lambda _: next(turns, None) or web.json_response(GOOD)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 520, 530])
async def test_a_failed_get_is_retried(status: int) -> None:
    failures = [web.Response(status=status) for _ in range(4)]
    async with serve(first(*failures)) as server, server.client(clock=FastClock()) as nf:
        assert len(await nf.projects().all()) == 1
        assert len(server.requests) == 5


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 501, 505])
async def test_a_refusal_is_not_retried(status: int) -> None:
    async with serve(lambda _: web.Response(status=status)) as server, server.client() as nf:
        with pytest.raises(ApiError) as caught:
            await nf.projects()
        assert (caught.value.status, caught.value.attempts, len(server.requests)) == (status, 1, 1)


async def test_the_last_error_has_the_attempts_and_the_elapsed_time() -> None:
    error = {"error": {"status": 503, "message": "Down for repairs.", "id": "e7"}}
    async with serve(lambda _: web.json_response(error, status=503)) as server, server.client(attempts=3) as nf:
        with pytest.raises(ServerError) as caught:
            await nf.projects()
    assert (caught.value.attempts, caught.value.message, caught.value.id) == (3, "Down for repairs.", "e7")
    assert caught.value.elapsed > 0
    assert str(caught.value).startswith("503 Down for repairs. [GET http://127.0.0.1:")
    assert "after 3 attempts in " in str(caught.value)
    assert len(server.requests) == 3


CUT_SHORT = http_response(GOOD).replace(b"Content-Length: ", b"Content-Length: 9")
FAULTS = {
    "nothing": b"",
    "half a status line": b"HTTP/1.1 2",
    "a body cut short": CUT_SHORT,
    "a chunk cut short": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{",
    "not HTTP": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "not gzip": http_response(b"{}", "200 OK", "Content-Encoding: gzip"),
    "HTML": http_response("<html>Please wait</html>", "200 OK", "Content-Type: text/html"),
    "an empty body": http_response(b""),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_a_get_is_retried_after_a_garbled_response(fault: bytes) -> None:
    async with serve_bytes(fault, fault, http_response(GOOD)) as url, Northflank(TOKEN, base_url=url) as nf:
        assert len(await nf.projects().all()) == 1


@pytest.mark.parametrize("fault", [name for name in FAULTS if name != "an empty body"])
async def test_a_change_is_not_retried_after_a_garbled_response(fault: str) -> None:
    async with serve_bytes(FAULTS[fault], http_response(GOOD)) as url, Northflank(TOKEN, base_url=url) as nf:
        with pytest.raises((TransportError, DecodeError)) as caught:
            await nf.request("POST", "/v1/projects", json={})
        assert caught.value.attempts == 1


async def test_a_change_needs_no_body_in_its_response() -> None:
    async with serve_bytes(http_response(b"")) as url, Northflank(TOKEN, base_url=url) as nf:
        assert await nf.request("POST", "/v1/projects", json={}) is None


@pytest.mark.parametrize("status", [429, 503])
async def test_a_change_that_had_no_effect_is_retried(status: int) -> None:
    refusal = web.Response(status=status, headers={"Retry-After": "1"})
    async with serve(first(refusal)) as server, server.client(clock=FastClock()) as nf:
        await nf.request("DELETE", "/v1/projects/p")
        assert len(server.requests) == 2


async def test_a_redirect_with_a_large_body_is_a_redirect() -> None:
    redirect = http_response(b" " * 5000, "302 Found", "Location: http://127.0.0.1:1/")
    async with serve_bytes(redirect) as url, Northflank(TOKEN, base_url=url, max_response_bytes=1000) as nf:
        with pytest.raises(ApiError, match="redirects to"):
            await nf.projects()


REFUSALS = {
    "cut short": http_response(b'{"error": {}}', "404 Not Found").replace(b"Content-Length: ", b"Content-Length: 9"),
    "too large": http_response(b" " * 5000, "404 Not Found"),
    "not gzip": http_response(b"{}", "404 Not Found", "Content-Encoding: gzip"),
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
async def test_a_refusal_counts_even_if_its_body_is_broken(refusal: bytes) -> None:
    async with serve_bytes(refusal) as url, Northflank(TOKEN, base_url=url, max_response_bytes=1000) as nf:
        with pytest.raises(NotFound) as caught:
            await nf.projects()
        assert caught.value.attempts == 1


async def test_a_refusal_without_its_body_counts_after_the_timeout() -> None:
    async def respond(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=401)
        await response.prepare(request)
        await asyncio.sleep(10)
        return response

    async with serve(respond) as server, server.client(timeout=0.05) as nf:
        with pytest.raises(AuthenticationError):
            await nf.projects()
        assert len(server.requests) == 1


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_any_method_is_retried_if_the_connection_was_never_made(method: str) -> None:
    async with Northflank(TOKEN, base_url="http://127.0.0.1:1", attempts=3) as nf:
        with pytest.raises(TransportError, match=r"no connection to 127\.0\.0\.1:1") as caught:
            await nf.request(method, "/v1/projects")
    assert caught.value.attempts == 3
    assert not caught.value.sent
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
async def test_a_lost_request_is_one_attempt_and_no_more_on_a_new_or_a_used_connection(method: str) -> None:
    """aiohttp would send a GET, PUT or DELETE once more by itself, and nobody would know."""

    def respond(request: web.Request) -> web.Response:
        if request.path == "/v1/lost":
            assert request.transport
            request.transport.abort()
        return envelope({})

    async with serve(respond) as server, server.client(attempts=1) as nf:
        for _ in range(2):
            with pytest.raises(TransportError) as caught:
                await nf.request(method, "/v1/lost")
            assert caught.value.sent
            await nf.request("GET", "/v1/fine")
    assert [request.path for request in server.requests] == ["/v1/lost", "/v1/fine"] * 2


async def test_the_timeout_covers_one_attempt() -> None:
    async def respond(request: web.Request) -> web.Response:
        await asyncio.sleep(10 if len(server.requests) < 3 else 0)
        return web.json_response(GOOD)

    async with serve(respond) as server, server.client(timeout=0.02) as nf:
        assert len(await nf.projects().all()) == 1
        assert len(server.requests) == 3


async def test_the_timeout_ends_a_body_that_trickles() -> None:
    async def respond(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(1000):
            await response.write(b" ")
            await asyncio.sleep(0.005)
        return response

    async with serve(respond) as server, server.client(timeout=0.03, attempts=2) as nf:
        with pytest.raises(TransportError, match=r"no response within 0\.03 s") as caught:
            await nf.projects()
    assert isinstance(caught.value.__cause__, TimeoutError)


async def test_a_503_is_retried_after_its_retry_after() -> None:
    clock = AutojumpClock()
    respond = first(web.Response(status=503, headers={"Retry-After": "17"}))
    async with serve(respond) as server, server.client(clock=clock) as nf:
        await nf.projects()
    assert clock.pauses == [17]


async def test_the_backoff_grows_and_has_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "LONGEST_BACKOFF", 30.0)
    clock = AutojumpClock()
    async with serve(lambda _: web.Response(status=500)) as server, server.client(clock=clock) as nf:
        for _ in range(2):
            with pytest.raises(ServerError):
                await nf.projects()
    assert len(clock.pauses) == len(set(clock.pauses)) == 8
    assert all(0.5 * 2**turn <= pause <= 0.5 * 2**turn + 1 for turn, pause in enumerate(clock.pauses[:4]))


async def test_a_response_that_is_too_large_is_refused_and_not_retried() -> None:
    large = {"data": {"projects": [], "padding": "x" * 5000}}
    async with serve(lambda _: web.json_response(large)) as server:
        async with server.client(max_response_bytes=len(json.dumps(large))) as nf:
            await nf.projects()
        async with server.client(max_response_bytes=len(json.dumps(large)) - 1) as nf:
            with pytest.raises(DecodeError, match="larger than"):
                await nf.projects()
        assert len(server.requests) == 2


async def test_a_response_that_is_too_large_once_decompressed_is_refused() -> None:
    packed = gzip.compress(b'{"data": {"projects": []}}' + b" " * 2**22)
    async with (
        serve_bytes(http_response(packed, "200 OK", "Content-Encoding: gzip")) as url,
        Northflank(TOKEN, base_url=url, max_response_bytes=2**20) as nf,
    ):
        with pytest.raises(DecodeError, match="larger than 1048576 bytes"):
            await nf.projects()


@pytest.mark.slow
@pytest.mark.parametrize(("encoding", "wbits"), [("gzip", 31), ("deflate", 15)])
@pytest.mark.parametrize("status", ["200 OK", "404 Not Found"])
async def test_a_compressed_bomb_takes_little_memory(encoding: str, wbits: int, status: str) -> None:
    """It is decompressed piece by piece, so that the limit ends it."""
    compressor = zlib.compressobj(9, wbits=wbits)
    packed = b"".join(compressor.compress(b" " * 2**20) for _ in range(256)) + compressor.flush()
    async with (
        serve_bytes(http_response(packed, status, f"Content-Encoding: {encoding}")) as url,
        Northflank(TOKEN, base_url=url, max_response_bytes=2**20, attempts=1) as nf,
    ):
        tracemalloc.start()
        try:
            with pytest.raises((DecodeError, NotFound)):
                await nf.projects()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 32 * 2**20


async def test_each_attempt_is_logged_as_debug_and_each_retry_as_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "northflank_async")
    limits = {"x-ratelimit-limit": "9", "x-ratelimit-remaining": "7", "x-ratelimit-reset": "60"}
    bad = web.Response(status=502, headers=limits)
    async with serve(first(bad)) as server, server.client() as nf:
        await nf.projects()
    ours = [record for record in caplog.records if record.name == "northflank_async"]
    assert [record.levelname for record in ours] == ["DEBUG", "WARNING", "DEBUG"]
    debug, warning, _ = [record.getMessage() for record in ours]
    assert debug.startswith("GET /v1/projects?per_page=100 -> 502 in ")
    assert "attempt 1" in debug
    assert "7 requests remaining" in debug
    assert "502 Bad Gateway" in warning
    assert warning.endswith("; retrying (attempt 2 of 5)")


RETRIES = """
import asyncio, logging
from northflank_async import Northflank, TransportError
from northflank_async.http import retry
retry.LONGEST_BACKOFF = 0
async def main():
    async with Northflank("token", base_url="http://127.0.0.1:1", attempts=3) as nf:
        await nf.projects()
try:
    asyncio.run(main())
except TransportError as error:
    assert error.attempts == 3
"""


def test_retries_are_silent_without_logging() -> None:
    program = f"import structlog\n{RETRIES}"  # where it is installed, some libraries print retries to stdout
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_the_package_touches_no_other_logger() -> None:
    program = (
        f"{RETRIES}\nprint([name for name in logging.root.manager.loggerDict if logging.getLogger(name).handlers])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "['northflank_async']\n"


async def test_an_endless_rate_limit_ends_after_all_attempts() -> None:
    async with serve(lambda _: web.Response(status=429)) as server, server.client(clock=FastClock()) as nf:
        with pytest.raises(RateLimited) as caught:
            await nf.projects()
        assert (caught.value.attempts, caught.value.reset_after, len(server.requests)) == (5, None, 5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # aiohttp deprecates it
async def test_a_session_with_its_own_auth_is_a_configuration_error() -> None:
    auth = aiohttp.BasicAuth("user", "password")
    async with (
        serve(lambda _: envelope({"backups": [backup(1)]})) as server,
        aiohttp.ClientSession(auth=auth) as session,
        server.client(session=session) as nf,
    ):
        with pytest.raises(ConfigurationError, match="AUTH"):
            await nf.projects()
        assert server.requests == []
