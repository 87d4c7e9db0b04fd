"""Targets, and databases that cannot be used."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from northflank_async import (
    ConfigurationError,
)
from northflank_async.inventory import Inventory
from tests.support.clocks import wait_until
from tests.support.fake_account import FakeAccount, backups
from tests.support.inventories import stored


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("mysql://user:secret-password@host/db", "not mysql"),
        ("postgresql://user:secret-password@host:99999/db", "port"),
        ("postgresql://user:secret-password@host:port/db", "invalid port"),
        ("postgresql://user@host/db?password=secret-password&unknown=1", "option that is not known: unknown"),
    ],
)
def test_an_invalid_target_is_refused_without_showing_its_password(target: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        Inventory(target)
    assert "secret-password" not in f"{caught.value} {caught.value!r}"
    assert caught.value.__cause__ is None


async def test_the_password_is_not_shown_if_the_server_is_unreachable(unused_tcp_port: int) -> None:
    inventory = Inventory(f"postgresql://user:secret-password@127.0.0.1:{unused_tcp_port}/x?sslmode=disable")
    with pytest.raises(OSError, match=r"[Cc]onnection refused") as caught:
        await inventory.__aenter__()
    assert "secret-password" not in f"{inventory!r} {caught.value} {caught.value!r}"


async def test_a_file_that_is_not_a_database_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("something else, and long enough to be taken for a header of some kind" * 20)
    with pytest.raises(ConfigurationError, match=r"/x\.db is not an inventory of northflank-async"):
        async with Inventory(tmp_path / "x.db"):
            pass
    with pytest.raises(FileNotFoundError):
        async with Inventory(tmp_path / "missing" / "x.db"):
            pass


async def test_a_database_failure_during_a_sync_raises_an_os_error(tmp_path: Path) -> None:
    account = FakeAccount({"p/a": backups(150)}, holds=lambda page: page == "p/a#1")
    async with account.serve() as nf, Inventory(tmp_path / "x.db") as inventory:
        task = asyncio.create_task(inventory.sync(nf))
        await wait_until(lambda: account.held)
        with closing(sqlite3.connect(tmp_path / "x.db")) as connection:
            connection.execute("DROP TABLE seen_ids")
        account.release("p/a#1")
        with pytest.raises(OSError, match="no such table") as caught:
            await task
        assert caught.value.filename == str(tmp_path / "x.db")
        with pytest.raises(ConfigurationError, match="the table seen_ids of"):
            await inventory.sync(nf)
        assert await nf.projects()


async def test_a_database_has_one_writer_and_many_readers(database: str) -> None:
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
