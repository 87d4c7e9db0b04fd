"""Servers on a real socket that answer with what a test says."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from attrs import Factory, define

from northflank_async import Northflank

TOKEN = "nf-secret-token-0123456789"
Answer = Callable[[web.Request], web.StreamResponse | Awaitable[web.StreamResponse]]


@define
class Scripted:
    """A running server: where it is, and the requests that came in."""

    url: str
    requests: list[web.Request] = Factory(list)

    def client(self, **options: Any) -> Northflank:
        return Northflank(TOKEN, base_url=self.url, **options)


@asynccontextmanager
async def scripted(answer: Answer) -> AsyncIterator[Scripted]:
    """Serve whatever `answer` makes of each request."""

    async def handle(request: web.Request) -> web.StreamResponse:
        await request.read()
        server.requests.append(request)
        response = answer(request)
        return response if isinstance(response, web.StreamResponse) else await response

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handle)
    test_server = TestServer(application, shutdown_timeout=0.01)
    async with test_server:
        server = Scripted(f"http://127.0.0.1:{test_server.port}")
        yield server


def envelope(data: Any, **pagination: Any) -> web.Response:
    """A documented answer; without pagination if none is given."""
    body = {"data": data, "pagination": pagination} if pagination else {"data": data}
    return web.json_response(body)


async def never(_: web.Request) -> web.Response:
    """An answer that does not come."""
    await asyncio.sleep(100)
    raise AssertionError("too late")


def drop(request: web.Request) -> web.Response:
    """An answer whose connection breaks before it."""
    assert request.transport
    request.transport.abort()
    return web.Response()


@asynccontextmanager
async def raw_server(*answers: bytes) -> AsyncIterator[str]:
    """Send these bytes, one after another for each connection, whatever was asked; then close."""
    turns = iter(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(next(turns, answers[-1]))
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def backup(number: int) -> dict[str, Any]:
    """The JSON of a backup, as short as one can be."""
    return {"id": f"b{number}", "status": "completed", "createdAt": "2026-01-01T00:00:00.000Z"}


def http(body: bytes | str | Any, status: str = "200 OK", *headers: str) -> bytes:
    """The bytes of an HTTP answer."""
    if not isinstance(body, bytes):
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body
