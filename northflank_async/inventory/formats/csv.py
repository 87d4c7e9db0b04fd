"""CSV: a flat row for each backup, after a header."""

import csv
import io
from datetime import datetime
from typing import Any, BinaryIO

from northflank_async.inventory.formats import Batches
from northflank_async.inventory.store.stored_backup import StoredBackup
from northflank_async.records import unstructure

COLUMNS = (
    *("team_id", "project_id", "addon_id", "addon_type", "id", "name", "uid", "status", "created_at", "completed_at"),
    *("source_type", "size", "compression_type", "addon_version", "custom_destination_id", "additional_destinations"),
)
RESTORE_COLUMNS = ("restore_count", "last_restore_status", "last_restore_timestamp")


async def write(file: BinaryIO, batches: Batches, restores: bool) -> int:
    """Write a row for each backup, always with the same columns."""
    text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="", write_through=True)
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([*COLUMNS, *(RESTORE_COLUMNS if restores else ())])
    count = 0
    async for batch in batches:
        backups = [stored for stored in batch if isinstance(stored, StoredBackup)]
        rows.writerows(_row(stored, restores) for stored in backups)
        count += len(backups)
    text.detach()
    return count


def _row(stored: StoredBackup, restores: bool) -> list[Any]:
    cells = [_cell(getattr(stored, name)) for name in COLUMNS]
    if restores:
        last = stored.restores[0] if stored.restores else None
        cells += [len(stored.restores), last and last.status, last and _cell(last.restore_timestamp)]
    return cells


def _cell(value: Any) -> Any:
    match value:
        case datetime():
            return unstructure(value)
        case tuple():
            return ";".join(destination.destination_id for destination in value)
    return value
