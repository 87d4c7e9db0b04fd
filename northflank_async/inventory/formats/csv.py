"""CSV: a flat row for each backup, after a header.

Text and times are quoted, numbers are not; a value that the API did not send is an empty cell without quotes, an empty
text is `""`. Lone surrogates and NUL are escaped: `\\ud800`, `\\x00`. A size beyond 64 bits is left out.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, BinaryIO

from northflank_async.errors import printable
from northflank_async.inventory.encoding import storable
from northflank_async.inventory.formats import Batches, WriteOptions
from northflank_async.inventory.store.stored_backup import StoredBackup, StoredRow, UnlistedRestores
from northflank_async.records.values import unstructure_datetime

COLUMNS = (
    *(
        "account_id",
        "team_id",
        "project_id",
        "addon_id",
        "addon_type",
        "id",
        "name",
        "uid",
        "status",
        "created_at",
        "completed_at",
    ),
    *("source_type", "size", "compression_type", "addon_version", "custom_destination_id", "additional_destinations"),
)
RESTORE_COLUMNS = ("restore_count", "last_restore_status", "last_restore_timestamp")

_FORMULA = re.compile(r"'*([\t\r]|[\s\ufeff\u200b]*[=+\-@＝＋－＠])")
"""The start of a formula, also after white space, which some spreadsheets trim, and full-width, which some convert.

Also after apostrophes: removing one apostrophe before such a start restores every text.
"""


async def write(file: BinaryIO, batches: Batches, options: WriteOptions) -> int:
    """Write a row for each backup, always with the same columns."""
    file.write(_line(_quoted(name) for name in (*COLUMNS, *(RESTORE_COLUMNS if options.restores else ()))))
    count = 0
    async for batch in batches:
        backups = [row for row in batch if isinstance(row, StoredBackup)]
        file.write(b"".join(_line(_cell(value, options) for value in _values(stored, options)) for stored in backups))
        count += len(backups)
        if options.restores:
            _name_unwritten(batch, options)
    return count


def _name_unwritten(batch: Sequence[StoredRow], options: WriteOptions) -> None:
    for row in batch:
        if isinstance(row, UnlistedRestores):
            addon = "/".join(filter(None, (row.team_id, row.project_id, row.addon_id)))
            for restore in row.restores:
                options.on_unwritten(printable(f"{addon}: {restore.id}"))


def _values(stored: StoredBackup, options: WriteOptions) -> Iterable[Any]:
    for name in COLUMNS:
        yield getattr(stored, name)
    if options.restores:
        last = stored.restores[0] if stored.restores else None
        yield len(stored.restores)
        yield last and last.status
        yield last and last.restore_timestamp


def _cell(value: Any, options: WriteOptions) -> str:
    if isinstance(value, tuple):
        value = ";".join(destination.destination_id for destination in value) or None
    if value is None:
        return ""
    if isinstance(value, str):
        return _quoted(value if options.csv_raw else _harmless(value))
    if isinstance(value, datetime):
        return _quoted(unstructure_datetime(value))
    return str(value)


def _harmless(text: str) -> str:
    """Put an apostrophe before what a spreadsheet takes for a formula, so that it shows the text."""
    return f"'{text}" if _FORMULA.match(text) else text


def _quoted(text: str) -> str:
    return '"' + storable(text).replace('"', '""') + '"'


def _line(cells: Iterable[str]) -> bytes:
    return (",".join(cells) + "\n").encode()
