"""A simulator in its own thread, for tests with any event loop or none."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from northflank_async.simulator.server import Simulator


@contextmanager
def running_in_thread(simulator: Simulator) -> Iterator[Simulator]:
    """Run the simulator until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="northflank-simulator", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(simulator.__aenter__(), loop).result()
        try:
            yield simulator
        finally:
            asyncio.run_coroutine_threadsafe(simulator.__aexit__(None, None, None), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
