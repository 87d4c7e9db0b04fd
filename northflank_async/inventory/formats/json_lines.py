"""JSON Lines: each backup on a line, as the API sent it."""

from collections.abc import Sequence
from typing import Any, BinaryIO

from northflank_async.inventory.encoding import dump
from northflank_async.inventory.formats import Batches
from northflank_async.inventory.store.stored_backup import StoredBackup


async def write(file: BinaryIO, batches: Batches, restores: bool) -> int:
    """Write a line for each backup."""
    count = 0
    async for batch in batches:
        backups = [stored for stored in batch if isinstance(stored, StoredBackup)]
        for stored in backups:
            place = (stored.team_id, stored.project_id, stored.addon_id, stored.addon_type)
            file.write(line(*place, stored.json, [restore.data for restore in stored.restores] if restores else None))
        count += len(backups)
    return count


def line(
    team_id: str | None,
    project_id: str,
    addon_id: str,
    addon_type: str | None,
    backup: str,
    restores: Sequence[Any] | None = None,
) -> bytes:
    """Return the line of a backup, which is JSON already. The team is left out if there is none."""
    place = {"team": team_id, "project": project_id, "addon": addon_id, "addonType": addon_type}
    head = dump({name: value for name, value in place.items() if name != "team" or value is not None})
    tail = "" if restores is None else f',"restores":{dump(list(restores))}'
    return f'{head[:-1]},"backup":{backup}{tail}}}\n'.encode("utf-8", "backslashreplace")
