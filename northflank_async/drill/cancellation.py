"""Work that is done to its end, however often its caller is cancelled."""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine

_ATTEMPTS = 100
"""How often work starts that is itself cancelled: an event loop that is being closed cancels every task, and waits."""


async def complete(work: Callable[[], Coroutine[None, None, None]]) -> None:
    """Complete `work`, which starts again where it is cancelled, so it must be safe to repeat.

    It has a context of its own: no deadline of the caller's ends it.

    Raises:
        asyncio.CancelledError: the caller was cancelled meanwhile; the work is done.
    """
    cancelled: asyncio.CancelledError | None = None
    for _ in range(_ATTEMPTS):
        task = asyncio.create_task(work(), context=contextvars.Context())
        while not task.done():
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError as error:
                cancelled = error
        if not task.cancelled():
            task.result()
            break
    if cancelled is not None:
        raise cancelled
