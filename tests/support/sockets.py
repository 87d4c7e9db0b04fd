"""Servers below HTTP: TLS, a proxy that tunnels, and ports that never answer."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import aiohttp
import trustme
from attrs import Factory, define

CA = trustme.CA()
HOST = "api.example.test"
"""A host that only the proxies of these tests can reach."""


def server_context() -> ssl.SSLContext:
    """A TLS server's context, with a certificate for `HOST`, localhost and 127.0.0.1."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    CA.issue_cert(HOST, "localhost", "127.0.0.1").configure_cert(context)
    return context


def trusting_session(**options: object) -> aiohttp.ClientSession:
    """A session that trusts `CA`."""
    context = ssl.create_default_context()
    CA.configure_trust(context)
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context), **options)  # type: ignore[arg-type]


@asynccontextmanager
async def listen(handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]) -> AsyncIterator[int]:
    """Handle each connection to a port of 127.0.0.1. A connection ends with its handler."""
    running: set[asyncio.Task[object]] = set()

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        running.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                if asyncio.iscoroutine(work := handle(reader, writer)):
                    await work
        finally:
            writer.transport.abort()
            running.discard(task)

    server = await asyncio.start_server(run, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


@asynccontextmanager
async def serve_silence() -> AsyncIterator[int]:
    """Accept connections, read what comes and answer nothing, not even a TLS handshake."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass

    async with listen(handle) as port:
        yield port


@contextmanager
def full_backlog() -> Iterator[int]:
    """A port whose queue of connections is full, so that the kernel drops each SYN."""
    with socket.socket() as server, socket.socket() as first, socket.socket() as second:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for client in (first, second):
            client.setblocking(False)
            with suppress(BlockingIOError):
                client.connect(server.getsockname())
        yield server.getsockname()[1]


@define
class Proxy:
    """A running HTTP proxy: its URL, and the heads of the requests to it."""

    url: str
    heads: list[str] = Factory(list)


@asynccontextmanager
async def serve_proxy(target: int, refusal: bytes = b"") -> AsyncIterator[Proxy]:
    """Connect each CONNECT to a port of 127.0.0.1, whatever host it names; or answer with a refusal."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        proxy.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        if refusal:
            writer.write(refusal)
            return await writer.drain()
        upstream_reader, upstream = await asyncio.open_connection("127.0.0.1", target)
        try:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_pump(reader, upstream), _pump(upstream_reader, writer))
        finally:
            upstream.transport.abort()

    async with listen(handle) as port:
        proxy = Proxy(f"http://127.0.0.1:{port}")
        yield proxy


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
