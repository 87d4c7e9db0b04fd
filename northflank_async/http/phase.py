"""The phase of an attempt, observed on the connection rather than inferred from an error's class."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from attrs import define


@define(eq=False)
class Phase:
    """One attempt: waiting for a free connection, connecting, or sent.

    Its timeout covers connecting and the response, not the wait for a free connection.
    """

    seconds: float
    sent: bool = False
    """Whether the first byte of the request may have been written to the connection."""
    succeeded: bool = False
    """Whether a response with a status of success has begun."""
    queued: bool = False
    """Whether it waits for a free connection of the pool."""
    _timeout: asyncio.Timeout | None = None

    @asynccontextmanager
    async def timeout(self) -> AsyncIterator[None]:
        """Raise `TimeoutError` after `seconds`."""
        async with asyncio.timeout(self.seconds) as self._timeout:
            yield

    def wait_in_queue(self) -> None:
        """Stop the timeout until a connection is free."""
        self.queued = True
        if self._timeout:
            self._timeout.reschedule(None)

    def leave_queue(self) -> None:
        """Start the timeout."""
        self.queued = False
        if self._timeout:
            self._timeout.reschedule(asyncio.get_running_loop().time() + self.seconds)


def phase_tracing() -> aiohttp.TraceConfig:
    """Tracing hooks that update the `Phase` that is the `trace_request_ctx` of a request."""
    trace = aiohttp.TraceConfig()
    trace.on_connection_queued_start.append(_on_queued_start)
    trace.on_connection_queued_end.append(_on_queued_end)
    trace.on_request_headers_sent.append(_on_headers_sent)
    return trace


async def _on_queued_start(session: aiohttp.ClientSession, context: Any, params: object) -> None:
    context.trace_request_ctx.wait_in_queue()


async def _on_queued_end(session: aiohttp.ClientSession, context: Any, params: object) -> None:
    context.trace_request_ctx.leave_queue()


async def _on_headers_sent(session: aiohttp.ClientSession, context: Any, params: object) -> None:
    context.trace_request_ctx.sent = True  # called before the first byte is written
