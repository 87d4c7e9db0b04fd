"""No change is made twice: all changing calls through every mix of faults, against a server that records its acts."""

import asyncio
import inspect
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import aiohttp
import pytest
from attrs import Factory, define

from northflank_async import Northflank, NorthflankError, resources
from northflank_async.resources.resource import Resource
from tests.resources.test_changes import CHANGES
from tests.support.clocks import FastClock
from tests.support.scripted_server import TOKEN, backup
from tests.support.sockets import listen

pytestmark = pytest.mark.slow

RUNS = 500
CHUNK = 50
REQUEST_ID = "X-Call"
DATA = {**backup(1), "restoreId": "r", "name": "n"}


def response(status: str, body: Any = None, *headers: str) -> bytes:
    """A response on a connection that stays open."""
    sent = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    return "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(sent)}", *headers, "\r\n"]).encode() + sent


REFUSALS = [
    response("429 Too Many Requests"),
    response("429 Too Many Requests", None, "Retry-After: 1"),
    response("503 Service Unavailable", None, "Retry-After: 1"),
]
"""Responses after which nothing was done."""
FAILURES = [
    *(response(f"{status} Failure") for status in (408, 500, 502, 503, 504, 520, 524)),
    response("502 Bad Gateway", b"<html>", "Content-Type: text/html"),
    response("500 Failure", None, "Retry-After: 1"),
    response("503 Service Unavailable", None, "Retry-After: soon"),
    response("302 Found", None, "Location: http://127.0.0.1:1/"),
    response("200 OK", b"<html>Please wait</html>", "Content-Type: text/html"),
    response("200 OK", {"error": {"status": 500, "message": "odd"}}),
    b"HTTP/1.1 2",
    b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    b"",
]
"""Responses that say nothing of what was done. After those that are not HTTP, the connection is closed."""
SUCCESSES = [
    response("200 OK", {"data": DATA}),
    response("201 Created", DATA),
    response("200 OK", {}),
    response("200 OK", b"OK"),
    response("204 No Content"),
    response("200 OK", {"data": {"id": "b1", "restoreId": "r", "name": 7}}),
    response("200 OK", {"data": DATA})[:-5],
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{",
    response("200 OK", b"{}", "Content-Encoding: gzip"),
]
"""Responses after the change was made; the last ones are broken."""


@define
class Recorder:
    """A server that acts, or does not, and then responds, or does not; it records each act by the call."""

    random: Random
    faulty: float
    acts: Counter[str] = Factory(Counter)
    requests: int = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            headers = dict(line.split(": ", 1) for line in head.splitlines()[1:] if line)
            if self.random.random() < self.faulty / 8:
                return  # before the body: nothing was done
            await reader.readexactly(int(headers.get("Content-Length", 0)))
            self.requests += 1
            if not await self.respond(headers[REQUEST_ID], writer):
                return

    async def respond(self, call: str, writer: asyncio.StreamWriter) -> bool:
        """Respond to a request. False to close the connection."""
        if self.random.random() >= self.faulty:
            self.acts[call] += 1
            writer.write(SUCCESSES[0])
            return True
        kind = self.random.choice(["refuse", "fail before", "fail after", "odd", "stall before", "stall after", "drop"])
        if kind == "refuse":
            writer.write(self.random.choice(REFUSALS))
            return True
        if kind in ("fail after", "odd", "stall after") or (kind == "drop" and self.random.random() < 0.5):
            self.acts[call] += 1
        if kind.startswith("stall"):
            await asyncio.sleep(1)
        if kind.startswith(("stall", "drop")):
            return False
        sent = self.random.choice(SUCCESSES if kind == "odd" else FAILURES)
        writer.write(sent)
        await writer.drain()
        return sent.startswith(b"HTTP/1.1 ") and b"\r\n\r\n" in sent and sent not in SUCCESSES[-3:]


@asynccontextmanager
async def client(url: str, random: Random, call: str) -> AsyncIterator[Northflank]:
    """A client that names its call in a header, over connections of a pool of a random size."""
    connector = aiohttp.TCPConnector(limit=random.choice([1, 2, 100]))
    options: dict[str, Any] = {
        "attempts": random.choice([1, 3, 5]),
        "timeout": random.choice([0.02, 0.05]),
        "deadline": random.choice([None, None, 30.0]),
    }
    async with (
        aiohttp.ClientSession(headers={REQUEST_ID: call}, connector=connector) as session,
        Northflank(TOKEN, base_url=url, session=session, clock=FastClock(), **options) as nf,
    ):
        yield nf


async def outcome(work: Awaitable[Any]) -> NorthflankError | None:
    try:
        await work
    except NorthflankError as error:
        return error
    return None


async def run(seed: int) -> Counter[bool | None]:
    """Make four changes, once each. Returns how often they were made, by what the client says."""
    random = Random(seed)
    recorder = Recorder(Random(-seed), faulty=random.choice([0.2, 0.6, 1.0]))
    said: Counter[bool | None] = Counter()
    async with listen(recorder.handle) as port:
        for name in random.sample(list(CHANGES), 4):
            call = f"{name}-{seed}"
            async with client(f"http://127.0.0.1:{port}", random, call) as nf:
                error = await outcome(CHANGES[name](random.choice([nf, nf.team("t")])))
            made = True if error is None else error.changed
            acts = recorder.acts[call]
            assert acts <= 1, f"{call} was made {acts} times"
            assert made is None or made == bool(acts), f"{call}: {acts} acts, but {error!r}"
            said[made] += 1
    return said


@pytest.mark.parametrize("first", range(0, RUNS, CHUNK))
async def test_no_change_is_made_twice_and_no_error_is_wrong_about_it(first: int) -> None:
    said: Counter[bool | None] = Counter()
    for seed in range(first, first + CHUNK):
        async with asyncio.timeout(10):
            said += await run(seed)
    assert set(said) == {True, False, None}


def test_the_campaign_makes_every_change_that_a_resource_has() -> None:
    public = [getattr(resources, name) for name in resources.__all__]
    found = {
        function.__qualname__
        for cls in public if isinstance(cls, type) and issubclass(cls, Resource)
        for name, function in inspect.getmembers(cls, inspect.isfunction)
        if not name.startswith("_") and may_change(cls, function)
    }  # fmt: skip
    assert found == CHANGES.keys()


def may_change(resource: type[Resource], function: Callable[..., Any]) -> bool:
    """Whether a method sends something other than a GET: itself, or by a private method of its resource."""
    code = function.__code__
    if "send" in code.co_names:
        return "GET" not in code.co_consts
    helpers = (getattr(resource, name, None) for name in code.co_names if name.startswith("_"))
    return any(may_change(resource, helper) for helper in helpers if inspect.isfunction(helper))
