"""Syncs into PostgreSQL as people run it: behind a pooler, with sessions that are ended, and queried as JSON."""

import asyncio

import pytest

from northflank_async import Northflank
from northflank_async.inventory import Inventory, Query
from northflank_async.inventory.export import export
from tests.inventory.store.conftest import ServerDatabase
from tests.support.clocks import wait_until
from tests.support.fake_account import FakeAccount, backups
from tests.support.inventories import stored
from tests.support.postgresql import USER

pytestmark = pytest.mark.slow


async def test_several_syncs_through_a_pooler_leave_nothing_behind(nf: Northflank, pooled: ServerDatabase) -> None:
    for _ in range(3):
        assert (await export(pooled.url, Query(nf, restores=True))).backups == 3000
    direct = f"postgresql://{USER}@127.0.0.1:{pooled.server.port}/{pooled.name}"
    async with Inventory(direct) as inventory:
        assert (await inventory.sync(nf)).backups == 3000
        assert len(await stored(inventory, restores=True)) == 3000
    async with Inventory(pooled.url) as inventory:
        assert len(await stored(inventory, restores=True)) == 3000
    assert pooled.query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == ["0"]
    assert pooled.query("SELECT count(*) FROM northflank.lease WHERE holder IS NOT NULL") == ["0"]


async def test_a_sync_survives_sessions_that_end_while_it_waits(server_database: ServerDatabase) -> None:
    server_database.query(f"ALTER DATABASE {server_database.name} SET idle_session_timeout = '1s'")
    account = FakeAccount({"p/a": backups(150)}, holds=lambda page: page == "p/a#1")
    async with account.serve() as nf, Inventory(server_database.url) as inventory:
        task = asyncio.create_task(inventory.sync(nf))
        await wait_until(lambda: account.held)
        await asyncio.sleep(2.5)
        server_database.terminate_sessions()
        account.release("p/a#1")
        outcome = await task
        assert (outcome.backups, outcome.failures) == (150, [])
        assert len(await stored(inventory)) == 150


async def test_a_waiting_sync_holds_no_session(direct: ServerDatabase) -> None:
    account = FakeAccount({"p/a": backups(150)}, holds=lambda page: page == "p/a#1")
    async with account.serve() as nf, Inventory(direct.url) as inventory:
        task = asyncio.create_task(inventory.sync(nf))
        await wait_until(lambda: account.held)
        await asyncio.sleep(2)
        assert direct.sessions() == 0
        account.release("p/a#1")
        assert (await task).backups == 150


async def test_odd_text_does_not_break_queries_of_json(direct: ServerDatabase) -> None:
    account = FakeAccount({"p/a": [*backups(2, x="nul \0"), {**backups(3)[2], "x": "half \ud800", "\0": 1}]})
    async with account.serve() as nf:
        await export(direct.url, nf)
    assert direct.query("SELECT data->>'x' FROM northflank.backups ORDER BY id") == [
        r"nul \x00",
        r"nul \x00",
        r"half \ud800",
    ]
    assert direct.query("SELECT count(*) FROM northflank.backups WHERE data::jsonb ? 'x'") == ["3"]


async def test_a_sync_of_unchanged_data_leaves_no_dead_rows(nf: Northflank, direct: ServerDatabase) -> None:
    query = Query(nf, restores=True)
    await export(direct.url, query)
    versions = direct.query("SELECT ctid, id FROM northflank.backup_rows ORDER BY listing_id, id")
    size = direct.query("SELECT pg_relation_size('northflank.backup_rows')")
    for _ in range(2):
        await export(direct.url, query)
    assert direct.query("SELECT ctid, id FROM northflank.backup_rows ORDER BY listing_id, id") == versions
    assert direct.query("SELECT pg_relation_size('northflank.backup_rows')") == size
