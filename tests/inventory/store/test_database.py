"""Targets, and databases that cannot be used."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from northflank_async import (
    ConfigurationError,
    Northflank,
)
from northflank_async.inventory import Inventory
from northflank_async.inventory.store.database import display_name, parse_target
from tests.support.clocks import wait_until
from tests.support.fake_account import FakeAccount, backups
from tests.support.inventories import stored


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("mysql://user:secret-password@host/db", "not mysql"),
        ("postgresql://user:secret-password@host:99999/db", "port"),
        ("postgresql://user:secret-password@host:port/db", "invalid"),
        ("postgresql://user@host/db?password=secret-password&unknown=1", "unknown option: unknown"),
    ],
)
def test_an_invalid_target_is_refused_without_showing_its_password(target: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        Inventory(target)
    assert "secret-password" not in f"{caught.value} {caught.value!r}"
    assert caught.value.__cause__ is None


async def test_the_password_is_not_shown_if_the_server_is_unreachable(unused_tcp_port: int) -> None:
    inventory = Inventory(f"postgresql://user:secret-password@127.0.0.1:{unused_tcp_port}/x?sslmode=disable")
    with pytest.raises(OSError, match=r"Connect call failed") as caught:
        await inventory.__aenter__()
    assert "secret-password" not in f"{inventory!r} {caught.value} {caught.value!r}"


@pytest.mark.parametrize(
    "url",
    ["postgresql://user@host/db?password=secret-password", "postgresql://user:/secret-password@host/db",
     "postgres://user:secret-password@host/db?sslmode=require&channel_binding=prefer&connect_timeout=10"],
)  # fmt: skip
def test_urls_of_other_drivers_are_accepted_and_their_passwords_never_shown(url: str) -> None:
    parsed = parse_target(url)
    assert parsed.drivername == "postgresql+asyncpg"
    assert set(parsed.query) <= {"password", "ssl"}
    assert "secret-password" not in f"{display_name(parsed)} {Inventory(url)!r}"
    assert display_name(parsed).startswith("postgresql://user")


async def test_a_file_that_is_not_a_database_raises_an_os_error_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("something else, and long enough to be taken for a header of some kind" * 20)
    with pytest.raises(OSError, match="not a database") as caught:
        async with Inventory(tmp_path / "x.db"):
            pass
    assert caught.value.filename == str(tmp_path / "x.db")
    with pytest.raises(FileNotFoundError):
        async with Inventory(tmp_path / "missing" / "x.db"):
            pass


async def test_a_database_failure_during_a_sync_raises_an_os_error(nf: Northflank, tmp_path: Path) -> None:
    async with Inventory(tmp_path / "x.db") as inventory:
        await inventory.sync(nf)
    connection = sqlite3.connect(tmp_path / "x.db")
    connection.execute("DROP TABLE backups")
    connection.execute("CREATE TABLE backups (id TEXT)")
    connection.close()
    with pytest.raises(OSError, match="no such column"):
        async with Inventory(tmp_path / "x.db") as inventory:
            await inventory.sync(nf)
    assert await nf.projects()


async def test_a_database_has_one_writer_and_many_readers(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("northflank_async.inventory.store.locks._LOCK_TIMEOUT", 0.01)
    account = FakeAccount({"p/a": backups(150), "p/b": backups(1)}, holds=lambda page: page == "p/a#1")
    async with account.serve() as nf, Inventory(database) as inventory:
        task = asyncio.create_task(inventory.sync(nf))
        await wait_until(lambda: account.held)  # the first page of p/a is stored
        async with Inventory(database) as other:
            assert len(await stored(other)) > 0
            with pytest.raises(BlockingIOError, match="another export is writing to it"):
                await other.sync(nf)
            assert not task.done()
            task.cancel()
            await asyncio.wait([task])
            account.holds = lambda _: False
            assert (await other.sync(nf)).resumed
