"""Rows as the store yields them, written to a file without a store."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from northflank_async.atomic_write import atomic_write
from northflank_async.inventory.encoding import dump
from northflank_async.inventory.formats import WriteOptions, load_format
from northflank_async.inventory.store.stored_backup import StoredBackup, StoredRestore, StoredRow, UnlistedRestores

SEEN_AT = datetime(2026, 11, 1, tzinfo=UTC)
CREATED_AT = datetime(2026, 10, 31, 1, 2, 3, 456000, tzinfo=UTC)

UNUSUAL_TEXTS = [
    *("", "plain", "comma, and; semicolon", 'a "quoted" word', '"', "tab\there", "'apostrophe"),
    *("carriage\rreturn", "two\nlines", "crlf\r\nend", "\n", "ä€😀", "\u2028\x85\x1c", "\ufeff", "#comment", "\\"),
    *("NA", "null", "None", "nan", "007", "1e5", "true", "2026-01-01"),
]
"""Text that readers of files tend to misread."""


def make_backup(id: str = "b0", *, json_text: str | None = None, **fields: Any) -> StoredBackup:
    """A stored backup; what is not given is missing."""
    values: dict[str, Any] = {
        "account_id": "account-1",
        "team_id": None,
        "project_id": "p",
        "addon_id": "a",
        "addon_type": "redis",
        **dict.fromkeys(("name", "uid", "status", "created_at", "completed_at", "source_type", "size")),
        **dict.fromkeys(("compression_type", "addon_version", "custom_destination_id", "deleted_at")),
        "first_seen_at": SEEN_AT,
        "last_seen_at": SEEN_AT,
        "json": dump({"id": id}) if json_text is None else json_text,
        **fields,
    }
    return StoredBackup(id=id, **values)


def make_restore(id: str, backup_id: str | None = "b0", **fields: Any) -> StoredRestore:
    """A stored restore."""
    values = {"status": "completed", "restore_timestamp": CREATED_AT, "completed_at": None, **fields}
    return StoredRestore(id=id, backup_id=backup_id, data={"id": id, "backupId": backup_id}, **values)


def make_unlisted(*restores: StoredRestore) -> UnlistedRestores:
    """The restores of an addon whose backups are not listed."""
    place: dict[str, Any] = {"account_id": "account-1", "team_id": "acme", "project_id": "p", "addon_id": "a"}
    return UnlistedRestores(**place, addon_type="redis", restores=restores)


def write_file(path: Path, rows: Sequence[StoredRow], batch_size: int = 1000, **options: Any) -> int:
    """Write rows to a file, as an export does, and return the number of backups."""

    async def batches() -> AsyncIterator[list[StoredRow]]:
        for start in range(0, len(rows), batch_size):
            yield list(rows[start : start + batch_size])

    with atomic_write(path) as file:
        return asyncio.run(load_format(path)(file, batches(), WriteOptions(**options)))


def destinations(*ids: str) -> str:
    """The JSON of a backup with additional destinations."""
    items = [{"destinationId": id, "type": "custom", "retentionTime": 30} for id in ids]
    config = {"additionalDestinations": items}
    return json.dumps({"id": "b0", "status": "completed", "createdAt": "2026-01-01T00:00:00Z", "config": config})
