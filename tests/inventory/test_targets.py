"""Whose file or database an inventory writes to, what it leaves behind, and what reading leaves alone."""

import asyncio
import sqlite3
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, select

from northflank_async import AuthenticationError, ConfigurationError
from northflank_async.inventory import Inventory, Query
from northflank_async.inventory.export import export, state_path
from northflank_async.inventory.store import connections
from northflank_async.inventory.store.schema import backup_rows
from tests.support.clocks import wait_until
from tests.support.fake_account import FakeAccount, backups, refusal
from tests.support.inventories import read_lines, stored
from tests.support.postgresql import PostgreSQL

OWN_TABLES = ["failures", "projects", "runs", "listings", "sync_runs", "backup_rows"]


@pytest.fixture
def account() -> FakeAccount:
    return FakeAccount({"p/a": backups(150)})


@pytest.mark.parametrize("table", OWN_TABLES)
async def test_tables_of_an_application_are_left_alone(
    postgresql: PostgreSQL, table: str, account: FakeAccount
) -> None:
    name = f"own_{table}"
    url = postgresql.create(name)
    postgresql.query(name, f"CREATE TABLE {table} AS SELECT generate_series(1, 1000) AS id")
    async with account.serve() as nf:
        for _ in range(2):
            assert (await export(url, nf)).backups == 150
    assert postgresql.query(name, f"SELECT count(*) FROM public.{table}") == ["1000"]
    assert postgresql.query(name, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == [table]
    assert postgresql.query(name, "SELECT count(*) FROM northflank.backups") == ["150"]


async def test_inventories_in_two_schemas_do_not_meet(postgresql: PostgreSQL, account: FakeAccount) -> None:
    url = postgresql.create("two_schemas")
    async with account.serve() as nf:
        await export(url, nf, schema="one")
        account.addons["p/a"] = backups(3)
        async with Inventory(url, schema="Two schemas") as inventory:
            await inventory.sync(nf)
            assert len(await stored(inventory)) == 3
    assert postgresql.query("two_schemas", "SELECT count(*) FROM one.backups") == ["150"]
    assert postgresql.query("two_schemas", 'SELECT count(*) FROM "Two schemas".backups') == ["3"]


async def test_a_schema_of_an_application_is_refused(postgresql: PostgreSQL, account: FakeAccount) -> None:
    url = postgresql.create("own_schema")
    postgresql.query("own_schema", "CREATE SCHEMA northflank")
    postgresql.query("own_schema", "CREATE TABLE northflank.failures AS SELECT generate_series(1, 1000) AS id")
    async with account.serve() as nf:
        with pytest.raises(ConfigurationError, match="--schema"):
            await export(url, nf)
    assert account.requested == []
    assert postgresql.query("own_schema", "SELECT count(*) FROM northflank.failures") == ["1000"]


@pytest.mark.parametrize("table", OWN_TABLES)
async def test_a_file_of_an_application_is_refused(tmp_path: Path, table: str, account: FakeAccount) -> None:
    path = tmp_path / "app.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"CREATE TABLE {table} (id INTEGER)")
        connection.execute(f"INSERT INTO {table} VALUES (1)")
    before = path.read_bytes()
    async with account.serve() as nf:
        with pytest.raises(ConfigurationError, match="not an inventory"):
            await export(str(path), nf)
    assert account.requested == []
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("ending", ["db", "jsonl"])
async def test_an_export_to_a_link_is_one_to_its_file(tmp_path: Path, account: FakeAccount, ending: str) -> None:
    (tmp_path / "data").mkdir()
    real, link = tmp_path / "data" / f"real.{ending}", tmp_path / f"link.{ending}"
    link.symlink_to(real)
    account.holds = lambda page: page == "p/a#1"
    async with account.serve() as nf:
        first = asyncio.create_task(export(str(real), nf))
        await wait_until(lambda: account.held)
        for name in (link, tmp_path / "data" / ".." / "data" / real.name):
            with pytest.raises(BlockingIOError, match="another export") as caught:
                await export(str(name), nf)
            assert caught.value.filename == str(name)
        account.release("p/a#1")
        assert (await first).backups == 150
    assert link.is_symlink()


async def test_a_file_with_hard_links_is_refused(tmp_path: Path, account: FakeAccount) -> None:
    path, link = tmp_path / "x.db", tmp_path / "link.db"
    async with account.serve() as nf:
        await export(str(path), nf)
        link.hardlink_to(path)
        before = path.read_bytes()
        account.requested.clear()
        for name in (path, link):
            with pytest.raises(OSError, match="several names") as caught:
                await export(str(name), nf)
            assert caught.value.filename == str(name)
    assert account.requested == []
    assert path.read_bytes() == before


@pytest.mark.parametrize("idle", [True, False])
@pytest.mark.parametrize("by", ["nothing", "an application's file", "another inventory"])
async def test_a_file_that_is_replaced_meanwhile_is_not_written_to(
    tmp_path: Path, account: FakeAccount, monkeypatch: pytest.MonkeyPatch, by: str, *, idle: bool
) -> None:
    path, other = tmp_path / "x.db", tmp_path / "other.db"
    if by == "an application's file":
        with closing(sqlite3.connect(other)) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("CREATE TABLE failures (run_id, account_id)")
            database.execute("INSERT INTO failures VALUES (1, 'acme')")
            database.commit()
    elif by == "another inventory":
        async with FakeAccount({"q/z": backups(2)}).serve() as nf:
            await export(str(other), nf)
    before = other.read_bytes() if other.exists() else None
    if idle:
        defaults: dict[str, Any] = {**(connections.Database.__init__.__kwdefaults__ or {}), "idle": 0.0}
        monkeypatch.setattr(connections.Database.__init__, "__kwdefaults__", defaults)
    account.holds = lambda page: page == "p/a#1"
    async with account.serve() as nf:
        exporting = asyncio.create_task(export(str(path), nf))
        await wait_until(lambda: account.held)
        if idle:
            await wait_until(lambda: not connections.is_in_use(path))
        path.unlink() if before is None else other.replace(path)
        account.release("p/a#1")
        with pytest.raises(OSError, match="removed or replaced"):
            await exporting
    names = {each.name for each in tmp_path.iterdir()} - {"x.db.lock", "other.db.lock"}
    assert names == (set() if before is None else {"x.db"})
    assert before is None or path.read_bytes() == before


async def test_an_export_that_was_interrupted_is_resumed_under_another_name(
    tmp_path: Path, account: FakeAccount
) -> None:
    real, link = tmp_path / "real.jsonl", tmp_path / "link.jsonl"
    link.symlink_to(real)
    account.faults["p/a#1"] = refusal(401)
    async with account.serve() as nf:
        with pytest.raises(AuthenticationError):
            await export(str(link), nf)
        assert state_path(link) == state_path(real) == tmp_path / "real.jsonl.state"
        account.faults.clear()
        assert (await export(str(real), nf)).resumed
    assert len(read_lines(link)) == 150
    assert sorted(tmp_path.iterdir()) == [link, real]


async def test_a_finished_file_needs_no_log(tmp_path: Path, account: FakeAccount) -> None:
    path = tmp_path / "x.db"
    async with account.serve() as nf:
        await export(str(path), nf)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["x.db", "x.db.lock"]
    assert path.read_bytes()[18:20] == b"\x01\x01"  # the header says: a rollback journal
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        assert connection.execute("SELECT count(*) FROM backups").fetchone() == (150,)


async def test_reading_an_inventory_writes_nothing(tmp_path: Path, account: FakeAccount) -> None:
    path = tmp_path / "folder" / "x.db"
    path.parent.mkdir()
    async with account.serve() as nf, Inventory(path) as inventory:
        await inventory.sync(Query(nf, restores=True))
    (path.parent / "x.db.lock").unlink()
    before = path.read_bytes()
    path.chmod(0o444)
    path.parent.chmod(0o555)
    async with Inventory(path) as inventory:
        assert len(await stored(inventory, restores=True)) == 150
        assert await inventory.export(tmp_path / "out.jsonl", restores=True) == 150
    assert list(path.parent.iterdir()) == [path]
    assert path.read_bytes() == before


async def test_reading_creates_no_inventory(tmp_path: Path) -> None:
    async with Inventory(tmp_path / "x.db") as inventory:
        with pytest.raises(FileNotFoundError, match="no inventory yet"):
            await stored(inventory)
    assert list(tmp_path.iterdir()) == []


async def test_reading_creates_no_schema(postgresql: PostgreSQL) -> None:
    url = postgresql.create("not_created")
    async with Inventory(url) as inventory:
        with pytest.raises(FileNotFoundError, match="no inventory yet"):
            await inventory.export(Path("never.jsonl"))
    assert postgresql.query("not_created", "SELECT nspname FROM pg_namespace WHERE nspname = 'northflank'") == []


@pytest.mark.slow
async def test_no_statement_has_more_variables_than_an_old_sqlite_allows(tmp_path: Path) -> None:
    account = FakeAccount({f"p{number % 3}/a{number}": backups(number % 5) for number in range(1200)})
    account.addons["p0/a0"] = backups(2100)
    account.restores = {name: [{"id": "r", "backupId": "gone", "status": "failed"}] for name in account.addons}

    def limit(connection: Any, _: object) -> None:
        connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 999)

    event.listen(Engine, "connect", limit)
    try:
        async with account.serve() as nf, Inventory(tmp_path / "x.db") as inventory:
            await inventory.sync(Query(nf, restores=True))
            assert len(await stored(inventory, restores=True)) == 2100 + 240 * (0 + 1 + 2 + 3 + 4)
            assert await inventory.export(tmp_path / "out.jsonl", restores=True) == 4500
            account.addons = {name: items[1:] for name, items in account.addons.items() if name.startswith("p0/")}
            account.pages["p1"] = account.pages["p2"] = [[]]
            await inventory.sync(Query(nf, restores=True), allow_mass_deletion=True)
    finally:
        event.remove(Engine, "connect", limit)


def written_at(connection: Connection) -> dict[tuple[int, str], datetime]:
    rows = connection.execute(select(backup_rows.c.listing_id, backup_rows.c.id, backup_rows.c.written_at))
    return {(listing_id, item_id): time for listing_id, item_id, time in rows}


async def test_an_unchanged_row_is_not_rewritten(database: str) -> None:
    account = FakeAccount({"p/a": backups(150), "p/b": backups(5)})
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(nf)
        first, written = await stored(inventory), await inventory._database.read(written_at)
        account.addons["p/b"][0]["status"] = "failed"
        await inventory.sync(nf)
        second, rewritten = await stored(inventory), await inventory._database.read(written_at)
    assert [item_id for (_, item_id), time in rewritten.items() - written.items()] == ["b0"]
    assert all(second[name].last_seen_at > row.last_seen_at for name, row in first.items())
    assert all(second[name].first_seen_at == row.first_seen_at for name, row in first.items())


@pytest.mark.slow
async def test_reading_during_a_sync_leaves_the_locks_of_the_writer_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    account = FakeAccount({"p/a": backups(250)}, holds=lambda page: page == "p/a#2")
    async with account.serve() as nf, Inventory(path) as inventory:
        inventory._database._writer._idle = 3600
        task = asyncio.create_task(inventory.sync(nf))
        await wait_until(lambda: account.held)
        assert len(await stored(inventory)) == 200
        async with Inventory(path) as second:
            assert len(await stored(second)) == 200
        script = f"import sqlite3; c = sqlite3.connect({str(path)!r}); c.execute('SELECT * FROM backups'); c.close()"
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", script)
        assert await process.wait() == 0
        assert (tmp_path / "x.db-wal").exists()  # the other process was not the last one to close the file
        account.release("p/a#2")
        assert (await task).backups == 250
