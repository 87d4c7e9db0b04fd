"""Syncs into PostgreSQL as people run it: behind a pooler, with sessions that are ended, and queried as JSON."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web
from attrs import asdict

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


@pytest.mark.parametrize(
    "setting",
    [
        "DateStyle = 'German'",
        "DateStyle = 'SQL, DMY'",
        "IntervalStyle = 'iso_8601'",
        "TimeZone = 'Asia/Kolkata'",
        "quote_all_identifiers = on",
        "default_transaction_isolation = 'serializable'",
        "client_encoding = 'LATIN1'",
        "search_path = ''",
        "standard_conforming_strings = off",
    ],
)
async def test_the_settings_of_a_database_make_no_difference(server_database: ServerDatabase, setting: str) -> None:
    server_database.query(f"ALTER DATABASE {server_database.name} SET {setting}")
    async with FakeAccount({"p/a": backups(3)}).serve() as nf, Inventory(server_database.url) as inventory:
        for _ in range(2):
            outcome = await inventory.sync(nf)
            assert (outcome.backups, outcome.failures) == (3, [])
        rows = await stored(inventory)
    assert rows["p/a/b0"].created_at == datetime(2026, 1, 1, tzinfo=UTC)


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


ODD_VALUES = [
    '"nul \\u0000"', '"half \\ud800"', '"\\\\u0000"', '"\\ud83d\\ude00"', '""', "null", "true",
    "[]", '{"\\u0000":{"\\ud800":1}}',
    "-0.0", "1e-400", "1E5", "9223372036854775807", "18446744073709551616", "1" * 400, "[" * 1000 + "]" * 1000,
    '"9999-12-31T23:59:59-12:00"', '"0001-01-01T00:00:00+12:00"', '"0001-01-01T00:00:00Z"', '"infinity"',
    '"' + "x" * 1_000_000 + '"', "1e400", "NaN",
]  # fmt: skip
"""JSON that is odd in a column, in `data`, or (the last two) that makes an answer unreadable."""
ODD_FIELDS = ("name", "uid", "status", "createdAt", "completedAt", "customDestinationId", "extra")


def odd_backups(value: str) -> str:
    """A page of backups, each of which has the value in another place."""
    items = [f'{{"id": "{name}", "{name}": {value}}}' for name in ODD_FIELDS]
    config = f'{{"size": {value}, "compressionType": {value}, "addonVersion": {value}, "source": {{"type": {value}}}}}'
    items.append(f'{{"id": "config", "config": {config}}}')
    return f'{{"data": {{"backups": [{", ".join(items)}]}}, "pagination": {{"hasNextPage": false}}}}'


async def test_odd_values_arrive_in_postgresql_as_in_sqlite(direct: ServerDatabase, tmp_path: Path) -> None:
    names = [f"p/a{number:02}" for number in range(len(ODD_VALUES))]
    account = FakeAccount({name: [] for name in names})
    for name, value in zip(names, ODD_VALUES, strict=True):
        account.faults[f"{name}#0"] = web.Response(text=odd_backups(value))
    found = []
    async with account.serve() as nf:
        for target in (direct.url, str(tmp_path / "x.db")):
            async with Inventory(target) as inventory:
                failures = [str(failure).partition(" [GET ")[0] for failure in (await inventory.sync(nf)).failures]
                rows = [asdict(row) async for row in inventory.backups()]
                rows = [{name: row[name] for name in row if not name.endswith("_seen_at")} for row in rows]
            found.append((sorted(failures), rows))
    (failures, rows), (failures_of_file, rows_of_file) = found
    assert failures == failures_of_file
    assert rows == rows_of_file
    assert len(rows) == (len(ODD_VALUES) - 2) * (len(ODD_FIELDS) + 1)
    assert {failure.split(": ")[0] for failure in failures if "data.backups" not in failure} == set(names[-2:])
    with closing(sqlite3.connect(tmp_path / "x.db")) as connection:
        query = "SELECT json_extract(data, '$.id'), count(json_extract(data, '$.extra')) FROM backups GROUP BY 1"
        in_sqlite = sorted(f"{name}|{count}" for name, count in connection.execute(query))
    query = "SELECT data->>'id', count(data->>'extra') FROM northflank.backups GROUP BY 1"
    assert sorted(direct.query(query)) == in_sqlite
    direct.query("SELECT data::jsonb FROM northflank.backups")
