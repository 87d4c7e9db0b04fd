"""A proxy between a client and a database's server that cuts a connection in the middle of a commit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from attrs import define, field


@define(eq=False)
class CuttingProxy:
    """Forwards connections to `port`.

    The next `cuts` commits are cut: `before` the server hears of them, or after it answered, with the answer lost.
    """

    port: int
    cuts: int = 0
    before: bool = False
    is_down: bool = False
    connections: int = 0
    server: asyncio.Server = field(init=False)

    @property
    def own_port(self) -> int:
        port: int = self.server.sockets[0].getsockname()[1]
        return port

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.is_down:
            writer.close()
            return
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.port)
        lost = asyncio.Event()

        async def to_server() -> None:
            while data := await reader.read(65536):
                if self.cuts and b"COMMIT" in data:
                    self.cuts -= 1
                    if self.before:
                        break
                    lost.set()
                server_writer.write(data)
            if not lost.is_set():
                server_writer.close()
                writer.close()

        async def to_client() -> None:
            while (data := await server_reader.read(65536)) and not lost.is_set():
                writer.write(data)
            server_writer.close()
            writer.close()

        with suppress(OSError):
            await asyncio.gather(to_server(), to_client())


@asynccontextmanager
async def cutting_proxy(port: int) -> AsyncIterator[CuttingProxy]:
    """Serve a proxy on a port of its own."""
    proxy = CuttingProxy(port)
    proxy.server = await asyncio.start_server(proxy.forward, "127.0.0.1", 0)
    try:
        yield proxy
    finally:
        proxy.server.close()
