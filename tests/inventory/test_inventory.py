"""An inventory in a database."""

from pathlib import Path

import pytest

from northflank_async import (
    ConfigurationError,
    Northflank,
)
from northflank_async.inventory import Inventory, Query
from northflank_async.inventory.export import export
from northflank_async.simulator import Simulator
from tests.support.inventories import FORMATS, stored


async def test_backups_are_ordered_by_team_project_addon_and_id(nf: Northflank, database: str) -> None:
    async with Inventory(database) as inventory:
        await inventory.sync(Query([nf, nf.team("acme")], projects=["billing", "analytics", "default-project"]))
        keys = [(row.team_id or "", row.project_id, row.addon_id, row.id) async for row in inventory.backups()]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)
    assert {key[0] for key in keys} == {"", "acme"}


async def test_iteration_over_backups_can_stop_at_any_point(nf: Northflank, database: str) -> None:
    async with Inventory(database) as inventory:
        await inventory.sync(nf)
        async for row in inventory.backups():
            assert row.id
            break
        assert len(await stored(inventory)) == 3000


async def test_an_inventory_must_be_opened_before_use(nf: Northflank, tmp_path: Path) -> None:
    inventory = Inventory(tmp_path / "x.db")
    with pytest.raises(ConfigurationError, match="async with"):
        await inventory.sync(nf)
    assert "x.db" in repr(inventory)


@pytest.mark.slow
@pytest.mark.parametrize("ending", FORMATS)
async def test_a_synced_inventory_is_exported_without_requests(
    sim: Simulator, nf: Northflank, tmp_path: Path, ending: str
) -> None:
    await export(str(tmp_path / f"direct.{ending}"), nf)
    async with Inventory(tmp_path / "x.db") as inventory:
        await inventory.sync(nf)
        sim.requests.clear()
        assert await inventory.export(tmp_path / f"out.{ending}") == 3000
    assert sim.requests == []
    assert (tmp_path / f"out.{ending}").read_bytes() == (tmp_path / f"direct.{ending}").read_bytes()
