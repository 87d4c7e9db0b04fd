"""Clients of a simulator's tenants."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from northflank_async import Northflank
from northflank_async.simulator import Simulator


@asynccontextmanager
async def clients_of(sim: Simulator, **options: Any) -> AsyncIterator[list[Northflank]]:
    """Open a client of each tenant."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(Northflank(tenant.token, base_url=sim.url, **options))
            for tenant in sim.tenants
        ]


def requests_of(sim: Simulator, tenant: str) -> list[str]:
    """The paths that a tenant's clients have requested, in the order of arrival."""
    return [request.path for request in sim.requests if request.tenant == tenant]
