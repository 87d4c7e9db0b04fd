"""JSON Lines: each backup on a line, as the API sent it.

Lone surrogates and NUL are escaped (`\\ud800`, `\\x00`), and what is nested more than 100 levels deep is a text that
contains its JSON, so that readers accept each line. Whole numbers keep all their digits.
"""

from collections.abc import Sequence
from typing import Any, BinaryIO

from northflank_async.inventory.encoding import dump
from northflank_async.inventory.formats import Batches, WriteOptions
from northflank_async.inventory.store.stored_backup import StoredBackup, StoredRow


async def write(file: BinaryIO, batches: Batches, options: WriteOptions) -> int:
    """Write a line for each backup, and one without a backup for an addon's restores of unlisted backups."""
    count = 0
    async for batch in batches:
        file.write(b"".join(_row_line(row, options) for row in batch))
        count += sum(isinstance(row, StoredBackup) for row in batch)
    return count


def _row_line(row: StoredRow, options: WriteOptions) -> bytes:
    place = (row.account_id, row.team_id, row.project_id, row.addon_id, row.addon_type)
    backup = row.json if isinstance(row, StoredBackup) else "null"
    return line(*place, backup, [restore.data for restore in row.restores] if options.restores else None)


def line(
    account_id: str | None,
    team_id: str | None,
    project_id: str,
    addon_id: str,
    addon_type: str | None,
    backup: str,
    restores: Sequence[Any] | None = None,
) -> bytes:
    """Return the line of a backup, which is JSON already. The team is left out if there is none."""
    place = {"account": account_id, "team": team_id, "project": project_id, "addon": addon_id, "addonType": addon_type}
    head = dump({name: value for name, value in place.items() if name != "team" or value is not None})
    tail = "" if restores is None else f',"restores":{dump(list(restores))}'
    return f'{head[:-1]},"backup":{backup}{tail}}}\n'.encode("utf-8", "backslashreplace")
