"""Copies that are recorded in an inventory."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from northflank_async.inventory import Inventory
from northflank_async.mirror import Copy, mirror
from tests.support.dumps import DumpAccount, dump
from tests.support.postgresql import PostgreSQL
from tests.support.scripted_server import serve


def a_copy(backup_id: str) -> Copy:
    return Copy(
        account_id=None,
        team_id="core",
        project_id="p",
        addon_id="a",
        backup_id=backup_id,
        created_at=datetime(2026, 11, 1, tzinfo=UTC),
        path=f"core/p/a/{backup_id}.gz",
        size=2**40,
        sha256="0" * 64,
        fetched_at=datetime(2026, 11, 2, tzinfo=UTC),
        addon_type=None,
        addon_version=None,
    )


async def test_the_copies_of_a_destination_replace_those_before(postgresql: PostgreSQL) -> None:
    async with Inventory(postgresql.create("copies")) as inventory:
        await inventory.record_copies("/one", [a_copy("b1"), a_copy("b2")])
        await inventory.record_copies("/other", [a_copy("b1")])
        await inventory.record_copies("/one", [a_copy("b2"), a_copy("b3")])
    query = "SELECT destination, account_id, team_id, backup_id, size FROM northflank.copies ORDER BY 1, 4"
    assert postgresql.query("copies", query) == [
        f"/one||core|b2|{2**40}",
        f"/one||core|b3|{2**40}",
        f"/other||core|b1|{2**40}",
    ]


async def test_a_mirror_records_what_the_destination_holds_then(tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [dump("b1"), dump("b2", 1)]}})
    async with (
        serve(account.respond) as server,
        server.client() as nf,
        Inventory(tmp_path / "inventory.db") as inventory,
    ):
        await inventory.sync(nf)
        await mirror(str(tmp_path / "m"), nf, inventory=inventory)
        account.tree["p"]["a"].pop()
        await mirror(str(tmp_path / "m"), nf, inventory=inventory)
        await inventory.sync(nf)
    connection = sqlite3.connect(tmp_path / "inventory.db")
    rows = connection.execute("SELECT account_id, backup_id FROM copies ORDER BY 2").fetchall()
    connection.close()
    assert rows == [("acme", "b1"), ("acme", "b2")]


@pytest.mark.parametrize("name", ["accounts", "copies"])
async def test_the_table_is_there_from_the_first_sync_on(tmp_path: Path, name: str) -> None:
    async with Inventory(tmp_path / "inventory.db") as inventory:
        await inventory.record_copies("/one", [])
    connection = sqlite3.connect(tmp_path / "inventory.db")
    assert connection.execute(f"SELECT count(*) FROM {name}").fetchone() == (0,)
    connection.close()
