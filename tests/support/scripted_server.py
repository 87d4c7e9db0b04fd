"""Servers on a real socket whose responses are scripted by a test."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from attrs import Factory, define

from northflank_async import Northflank

TOKEN = "nf-secret-token-0123456789"
Responder = Callable[[web.Request], web.StreamResponse | Awaitable[web.StreamResponse]]


@define
class ScriptedServer:
    """A running server: its URL, and the requests it received."""

    url: str
    requests: list[web.Request] = Factory(list)

    def client(self, **options: Any) -> Northflank:
        """A client of this server."""
        return Northflank(TOKEN, base_url=self.url, **options)


@asynccontextmanager
async def serve(respond: Responder, tls: ssl.SSLContext | None = None) -> AsyncIterator[ScriptedServer]:
    """Serve the response that `respond` returns for each request; over https with a TLS context."""

    async def handle(request: web.Request) -> web.StreamResponse:
        await request.read()
        server.requests.append(request)
        response = respond(request)
        return response if isinstance(response, web.StreamResponse) else await response

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handle)
    test_server = TestServer(application, shutdown_timeout=0.01)
    await test_server.start_server(ssl=tls)
    try:
        server = ScriptedServer(f"{'https' if tls else 'http'}://127.0.0.1:{test_server.port}")
        yield server
    finally:
        await test_server.close()


def envelope(data: Any, **pagination: Any) -> web.Response:
    """A response in the documented envelope; without arguments for `pagination`, there is no such object."""
    body = {"data": data, "pagination": pagination} if pagination else {"data": data}
    return web.json_response(body)


async def never_answer(_: web.Request) -> web.Response:
    """Leave the request unanswered."""
    await asyncio.sleep(100)
    raise AssertionError("the client waited for a response that never comes")


def drop_connection(request: web.Request) -> web.Response:
    """Break the connection instead of responding."""
    assert request.transport
    request.transport.abort()
    return web.Response()


@asynccontextmanager
async def serve_bytes(*responses: bytes) -> AsyncIterator[str]:
    """Answer each connection with the next of these bytes, whatever the request, and close it; the last is repeated."""
    remaining = iter(responses)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(next(remaining, responses[-1]))
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def backup(number: int) -> dict[str, Any]:
    """The JSON of a backup with only the required fields."""
    return {"id": f"b{number}", "status": "completed", "createdAt": "2026-01-01T00:00:00.000Z"}


def http_response(body: bytes | str | Any, status: str = "200 OK", *headers: str) -> bytes:
    """The bytes of an HTTP response."""
    if not isinstance(body, bytes):
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body
