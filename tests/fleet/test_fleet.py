"""A fleet of processes, of which one is killed every few seconds."""

import asyncio
import signal
from collections import defaultdict
from pathlib import Path

import pytest

from northflank_async.fleet import load_accounts, open_clients
from northflank_async.fleet.queue import AccountState, Queue
from northflank_async.inventory import Inventory
from northflank_async.simulator import RequestRecord, Simulator, Tenant
from tests.support import fleet_worker
from tests.support.accounts import write_accounts
from tests.support.postgresql import PostgreSQL

ACCOUNTS = 60
PROCESSES = 4
KILLS = 3
ACCOUNTS_AT_ONCE = 2
CONCURRENCY = 16
"""Requests in flight of one sync."""
ROWS = [
    "SELECT account_id, team_id, id, deleted_at IS NULL, data FROM northflank.projects ORDER BY 1, 2, 3",
    "SELECT account_id, team_id, project_id, id, deleted_at IS NULL, data FROM northflank.addons ORDER BY 1, 2, 3, 4",
    """
    SELECT account_id, team_id, project_id, addon_id, id, deleted_at IS NULL, data FROM northflank.backups
    ORDER BY 1, 2, 3, 4, 5
    """,
]


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_workers_that_are_killed_leave_every_account_complete(postgresql: PostgreSQL, tmp_path: Path) -> None:
    url, undisturbed = postgresql.create("killed-fleet"), postgresql.create("undisturbed-fleet")
    async with Simulator(tenants=Tenant.many(ACCOUNTS, projects=1, addons=4, backups=20), latency=0.08) as sim:
        file = write_accounts(tmp_path, sim)
        async with open_clients(load_accounts(file)) as clients, Inventory(undisturbed) as inventory:
            await inventory.sync(*clients, concurrency=100)
        least = count_by_tenant(sim.requests)
        sim.requests.clear()

        workers = [await start(url, file) for _ in range(PROCESSES)]
        for kill in range(KILLS):
            while len(sim.requests) < sum(least.values()) * (kill + 1) // (KILLS + 2):
                await asyncio.sleep(0.02)
            victim = next(worker for worker in workers if f"worker/{worker.pid}" == sim.requests[-1].user_agent)
            victim.send_signal(signal.SIGKILL)
            await victim.wait()
            workers[workers.index(victim)] = await start(url, file)
        states = await all_succeed(Queue(url))
        for worker in workers:
            worker.terminate()
            await worker.wait()

    assert [state.failures for state in states] == [0] * ACCOUNTS
    for query in ROWS:
        rows = postgresql.query("killed-fleet", query)
        assert len(rows) >= ACCOUNTS
        assert rows == postgresql.query("undisturbed-fleet", query)
    resumed = ACCOUNTS_AT_ONCE * KILLS
    sent = count_by_tenant(sim.requests)
    extra = {name: sent[name] - least[name] for name in least}
    assert min(extra.values()) >= 0
    assert sum(1 for number in extra.values() if number) <= resumed
    assert sum(extra.values()) <= resumed * (CONCURRENCY + 1)  # those in flight, and one to identify the token again
    assert overlaps(sim.requests) == []


async def start(url: str, file: Path) -> asyncio.subprocess.Process:
    return await fleet_worker.start(url, file, concurrency=ACCOUNTS_AT_ONCE)


async def all_succeed(queue: Queue) -> list[AccountState]:
    while True:
        states = await queue.states(stalled_after=fleet_worker.TIMING.stalled_after)
        if len(states) == ACCOUNTS and all(state.succeeded_at and state.state == "idle" for state in states):
            return states
        await asyncio.sleep(0.2)


def count_by_tenant(records: list[RequestRecord]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for record in records:
        counts[record.tenant] += 1
    return counts


def overlaps(records: list[RequestRecord]) -> list[str]:
    """The tenants that two processes read in turns: a process must be done before the next one begins."""
    processes: dict[str, list[str]] = defaultdict(list)
    for record in records:
        seen = processes[record.tenant]
        if not seen or seen[-1] != record.user_agent:
            seen.append(record.user_agent)
    return [tenant for tenant, seen in processes.items() if len(set(seen)) < len(seen)]
