"""A database of each released version, as that version wrote it, can still be opened, read and synced."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from northflank_async.inventory import Inventory, Query
from northflank_async.inventory.store.schema import INVENTORY
from tests.inventory.store.conftest import ServerDatabase
from tests.support.fake_account import FakeAccount, backups

pytestmark = pytest.mark.slow

FILES = sorted((Path(__file__).parent / "versions").iterdir())


def test_there_is_a_database_of_every_version() -> None:
    versions = range(1, INVENTORY.version + 1)
    names = {f"{version}.{dialect}.sql" for version in versions for dialect in ("sqlite", "postgresql")}
    assert {path.name for path in FILES} == names


@pytest.fixture(params=[path.name for path in FILES])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that holds what a version has written."""
    script = (Path(__file__).parent / "versions" / request.param).read_text(encoding="utf-8")
    if "sqlite" in request.param:
        with closing(sqlite3.connect(tmp_path / "x.db")) as connection:
            connection.executescript(script)
        return str(tmp_path / "x.db")
    server: ServerDatabase = request.getfixturevalue("direct")
    server.query(script)
    return server.url


async def places(inventory: Inventory) -> set[tuple[str | None, str, str, str, bool]]:
    return {
        (row.account_id, row.project_id, row.addon_id, row.id, row.deleted_at is not None)
        async for row in inventory.backups(deleted=True)
    }


async def test_a_database_of_a_released_version_can_be_read_and_synced(written: str) -> None:
    before = {("acme", "p", "a", f"b{number}", False) for number in range(3)}
    before |= {("acme", "q", "b", "b0", False), ("acme", "q", "b", "b1", True)}
    account = FakeAccount({"p/a": backups(2), "q/b": backups(2)})
    async with account.serve() as nf, Inventory(written) as inventory:
        assert (await inventory.sync(Query(nf, addon_types="mysql"))).failures == []  # it migrates, and reads nothing
        assert await places(inventory) == before
        assert [len(row.restores) async for row in inventory.backups(restores=True)] == [1, 0, 0, 0]
        assert [(drill.addon_id, drill.outcome, len(drill.checks)) for drill in await inventory.drills()] == [
            ("a", "passed", 1)
        ]
        outcome = await inventory.sync(nf)
        assert (outcome.backups, outcome.resumed) == (4, False)
        assert await places(inventory) == {
            *(("acme", "p", "a", f"b{number}", number == 2) for number in range(3)),
            *(("acme", "q", "b", f"b{number}", False) for number in range(2)),
        }


def test_the_dumps_name_no_machine() -> None:
    for path in FILES:
        assert not re.search(r"INSERT INTO [^(]*lease", path.read_text(encoding="utf-8"))
