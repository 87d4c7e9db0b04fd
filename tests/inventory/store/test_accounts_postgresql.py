"""Several processes that write to one PostgreSQL database, each its own accounts."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from northflank_async import ConfigurationError
from northflank_async.inventory import Inventory
from northflank_async.simulator import Simulator, Tenant
from tests.inventory.store.conftest import ServerDatabase
from tests.support.clients import clients_of, requests_of
from tests.support.clocks import wait_until
from tests.support.fake_account import FakeAccount, backups

pytestmark = pytest.mark.slow

SYNC = """
import asyncio, sys
from northflank_async import Northflank
from northflank_async.inventory import Inventory

async def main(database, url, *tokens):
    clients = [Northflank(token, base_url=url) for token in tokens]
    async with Inventory(database) as inventory:
        outcome = await inventory.sync(*clients)
    for client in clients:
        await client.close()
    print(outcome.backups, len(outcome.failures))

asyncio.run(main(*sys.argv[1:]))
"""


def an_account(name: str, count: int = 150) -> FakeAccount:
    return FakeAccount({"p/a": backups(count)}, auth={"entityId": name}, holds=lambda page: page == "p/a#1")


async def test_processes_with_different_accounts_write_side_by_side(server_database: ServerDatabase) -> None:
    tenants = Tenant.many(6, projects=3, addons=3, backups=30)
    async with Simulator(tenants=tenants, latency=0.005) as sim:
        processes = [
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", SYNC, server_database.url, sim.url, *(tenant.token for tenant in part)),
                stdout=asyncio.subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": str(Path.cwd())},
            )
            for part in (tenants[0:2], tenants[2:4], tenants[4:6])
        ]
        results = [(await process.communicate())[0].decode().split() for process in processes]
        assert [failures for _, failures in results] == ["0", "0", "0"]
        assert [len(requests_of(sim, tenant.name)) for tenant in tenants] == [1 + 1 + 3 + 9] * 6
        async with clients_of(sim) as clients, Inventory(server_database.url) as inventory:
            stored = [row async for row in inventory.backups()]
            assert len(stored) == sum(int(backups) for backups, _ in results)
            assert (await inventory.sync(*clients)).backups == len(stored)
    assert server_database.query("SELECT count(*) FROM northflank.lease WHERE holder IS NULL") == ["6"]
    assert server_database.query("SELECT count(*) FROM northflank.sync_runs WHERE finished_at IS NULL") == ["0"]


async def test_an_account_that_is_being_synced_is_a_failure_of_another_sync(direct: ServerDatabase) -> None:
    busy, free = an_account("busy"), an_account("free")
    async with (
        busy.serve() as first,
        free.serve() as second,
        Inventory(direct.url) as inventory,
        Inventory(direct.url) as another,
    ):
        task = asyncio.create_task(inventory.sync(first))
        await wait_until(lambda: busy.held)
        with pytest.raises(BlockingIOError, match="another export is writing to it"):
            await another.sync(first)
        other = asyncio.create_task(another.sync(first, second))
        await wait_until(lambda: free.held)
        free.release("p/a#1")
        outcome = await other
        (failure,) = outcome.failures
        assert failure.account_id == "busy"
        assert isinstance(failure.error, BlockingIOError)
        assert outcome.backups == 150
        busy.release("p/a#1")
        assert (await task).backups == 150


async def test_an_account_is_not_renamed_while_it_is_being_synced(direct: ServerDatabase) -> None:
    account = an_account("acme")
    account.faults["auth"] = 404
    async with account.serve() as nf, Inventory(direct.url) as inventory, Inventory(direct.url) as another:
        task = asyncio.create_task(inventory.sync(nf))
        await wait_until(lambda: account.held)
        account.faults.clear()
        with pytest.raises(BlockingIOError):
            await another.sync(nf)
        account.release("p/a#1")
        assert (await task).backups == 150
        account.holds = lambda page: False
        assert (await another.sync(nf)).backups == 150
        assert {row.account_id async for row in inventory.backups(deleted=True)} == {"acme"}
    assert direct.query("SELECT account_id FROM northflank.lease") == ["acme"]


async def test_two_hosts_with_the_same_account_are_refused(direct: ServerDatabase) -> None:
    account = FakeAccount({"p/a": backups(3)})
    async with account.serve() as nf, Inventory(direct.url) as inventory:
        await inventory.sync(nf)
        direct.query("UPDATE northflank.accounts SET host = 'api.example.com'")
        with pytest.raises(ConfigurationError, match=r"belongs to api\.example\.com"):
            await inventory.sync(nf)
