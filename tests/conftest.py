import os
from collections.abc import AsyncIterator

import pytest
from hypothesis import settings

from northflank_async import Northflank
from northflank_async.http import retry
from northflank_async.simulator import Simulator
from tests.support.memory import memory_directory
from tests.support.postgresql import postgresql as postgresql

if memory := memory_directory():
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))

settings.register_profile("deterministic", deadline=None, derandomize=True)
settings.load_profile("deterministic")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use a PostgreSQL server as slow."""
    for item in items:
        if isinstance(item, pytest.Function) and "postgresql" in item.fixturenames:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NORTHFLANK_API_TOKEN", "NF_API_TOKEN", "NORTHFLANK_API_BASE_URL", "NF_API_HOST", "NF_HOST"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry without backoff."""
    monkeypatch.setattr(retry, "LONGEST_BACKOFF", 0.0)


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator() as simulator:
        yield simulator


@pytest.fixture
async def nf(sim: Simulator) -> AsyncIterator[Northflank]:
    async with Northflank(sim.token, base_url=sim.url) as client:
        yield client
