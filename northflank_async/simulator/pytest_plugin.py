"""The fixture `northflank_simulator` for pytest."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from northflank_async.simulator.server import Simulator


@pytest.fixture
def northflank_simulator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """A running simulator, with the environment set so that `Northflank()` reaches it.

    Its arguments come by `@pytest.mark.parametrize("northflank_simulator", [{"projects": 2}], indirect=True)`.
    """
    simulator = Simulator(**getattr(request, "param", {}))
    with _running(simulator):
        monkeypatch.setenv("NORTHFLANK_API_TOKEN", simulator.token)
        monkeypatch.setenv("NORTHFLANK_API_BASE_URL", simulator.url)
        yield simulator


@contextmanager
def _running(simulator: Simulator) -> Iterator[None]:
    """Run it in a thread with a loop of its own, so that the test may have any loop, or none."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="northflank-simulator", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(simulator.__aenter__(), loop).result()
        try:
            yield
        finally:
            asyncio.run_coroutine_threadsafe(simulator.__aexit__(None, None, None), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
