"""Parquet: a typed row for each backup, written in row groups.

Ids and all other text are plain strings, which every reader can join and compare (the file itself stores repeated text
only once), times are UTC with microseconds, sizes are 64-bit integers. A value that does not fit is null. Lone
surrogates and NUL are escaped: `\\ud800`, `\\x00`.
"""

from collections.abc import Sequence
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from attrs import asdict

from northflank_async.inventory.encoding import storable
from northflank_async.inventory.formats import Batches, WriteOptions
from northflank_async.inventory.store.stored_backup import StoredBackup, StoredRow

ROW_GROUP = 50_000
"""Rows held in memory."""

_TEXT = pa.string()
_TIME = pa.timestamp("us", tz="UTC")
_DESTINATION = pa.struct([("destination_id", _TEXT), ("type", _TEXT), ("retention_time", pa.int64())])
_RESTORE = pa.struct(
    [
        ("id", _TEXT),
        ("backup_id", _TEXT),
        ("status", _TEXT),
        ("restore_timestamp", _TIME),
        ("completed_at", _TIME),
    ]
)
SCHEMA = pa.schema(
    [
        ("account_id", _TEXT),
        ("team_id", _TEXT),
        ("project_id", _TEXT),
        ("addon_id", _TEXT),
        ("addon_type", _TEXT),
        ("id", _TEXT),
        ("name", _TEXT),
        ("uid", _TEXT),
        ("status", _TEXT),
        ("created_at", _TIME),
        ("completed_at", _TIME),
        ("source_type", _TEXT),
        ("size", pa.int64()),
        ("compression_type", _TEXT),
        ("addon_version", _TEXT),
        ("custom_destination_id", _TEXT),
        ("additional_destinations", pa.list_(_DESTINATION)),
    ]
)


async def write(file: BinaryIO, batches: Batches, options: WriteOptions) -> int:
    """Write a row for each backup, and one without an id for an addon's restores of unlisted backups."""
    schema = SCHEMA.append(pa.field("restores", pa.list_(_RESTORE))) if options.restores else SCHEMA
    count = 0
    group: list[pa.RecordBatch] = []
    with pq.ParquetWriter(file, schema) as writer:
        async for batch in batches:
            group.append(_record_batch(batch, schema))
            count += sum(isinstance(row, StoredBackup) for row in batch)
            if sum(part.num_rows for part in group) >= ROW_GROUP:
                _write_group(writer, group)
        _write_group(writer, group)
    return count


def _record_batch(batch: Sequence[StoredRow], schema: pa.Schema) -> pa.RecordBatch:
    columns = {name: [_cell(getattr(row, name, None)) for row in batch] for name in schema.names}
    return pa.RecordBatch.from_arrays(
        [pa.array(columns[field.name], type=field.type) for field in schema], schema=schema
    )


def _write_group(writer: pq.ParquetWriter, group: list[pa.RecordBatch]) -> None:
    if group:
        writer.write_table(pa.Table.from_batches(group))
        group.clear()


def _cell(value: Any) -> Any:
    """Make a value fit its type."""
    match value:
        case str():
            return storable(value)
        case int() if not -(2**63) <= value < 2**63:
            return None
        case tuple():
            return [{name: _cell(field) for name, field in asdict(item).items() if name != "data"} for item in value]
    return value
