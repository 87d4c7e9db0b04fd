"""The contents of inventories and exported files."""

import json
from pathlib import Path
from typing import Any

from northflank_async import (
    Northflank,
)
from northflank_async.inventory import Inventory, Query
from northflank_async.inventory.store.stored_backup import StoredBackup

FORMATS = ["jsonl", "csv", "parquet"]


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


async def synced(nf: Northflank, path: Path) -> list[StoredBackup]:
    """Sync everything into a database and return its backups."""
    async with Inventory(path) as inventory:
        await inventory.sync(Query(nf, restores=True))
        return [stored async for stored in inventory.backups(restores=True)]


async def stored(inventory: Inventory, **options: Any) -> dict[str, StoredBackup]:
    """The backups of an inventory, by `project/addon/backup`."""
    return {
        "/".join(filter(None, (found.team_id, found.project_id, found.addon_id, found.id))): found
        async for found in inventory.backups(**options)
    }
