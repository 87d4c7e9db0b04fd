"""Parquet: a typed row for each backup, written in row groups."""

from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from attrs import asdict

from northflank_async.inventory.encoding import storable
from northflank_async.inventory.formats import Batches
from northflank_async.inventory.store.stored_backup import StoredBackup

ROW_GROUP = 50_000
"""Rows held in memory."""

_TEXT = pa.string()
_CATEGORY = pa.dictionary(pa.int32(), pa.string())
"""Text with few distinct values."""
_TIME = pa.timestamp("us", tz="UTC")
_DESTINATION = pa.struct([("destination_id", _TEXT), ("type", _TEXT), ("retention_time", pa.int64())])
_RESTORE = pa.struct([("id", _TEXT), ("status", _TEXT), ("restore_timestamp", _TIME), ("completed_at", _TIME)])
SCHEMA = pa.schema(
    [
        ("team_id", _CATEGORY),
        ("project_id", _CATEGORY),
        ("addon_id", _CATEGORY),
        ("addon_type", _CATEGORY),
        ("id", _TEXT),
        ("name", _TEXT),
        ("uid", _TEXT),
        ("status", _CATEGORY),
        ("created_at", _TIME),
        ("completed_at", _TIME),
        ("source_type", _CATEGORY),
        ("size", pa.int64()),
        ("compression_type", _CATEGORY),
        ("addon_version", _CATEGORY),
        ("custom_destination_id", _CATEGORY),
        ("additional_destinations", pa.list_(_DESTINATION)),
    ]
)


async def write(file: BinaryIO, batches: Batches, restores: bool) -> int:
    """Write a row for each backup."""
    schema = SCHEMA.append(pa.field("restores", pa.list_(_RESTORE))) if restores else SCHEMA
    count = 0
    group: list[pa.RecordBatch] = []
    with pq.ParquetWriter(file, schema) as writer:
        async for batch in batches:
            backups = [stored for stored in batch if isinstance(stored, StoredBackup)]
            group.append(_record_batch(backups, schema))
            count += len(backups)
            if sum(part.num_rows for part in group) >= ROW_GROUP:
                _write_group(writer, group)
        _write_group(writer, group)
    return count


def _record_batch(batch: list[StoredBackup], schema: pa.Schema) -> pa.RecordBatch:
    columns = {name: [_cell(getattr(stored, name)) for stored in batch] for name in schema.names}
    return pa.RecordBatch.from_arrays(
        [pa.array(columns[field.name], type=field.type) for field in schema], schema=schema
    )


def _write_group(writer: pq.ParquetWriter, group: list[pa.RecordBatch]) -> None:
    if group:
        writer.write_table(pa.Table.from_batches(group).unify_dictionaries())
        group.clear()


def _cell(value: Any) -> Any:
    if not isinstance(value, tuple):
        return value  # the store has checked its type
    return [{name: _plain(field) for name, field in asdict(item).items() if name != "data"} for item in value]


def _plain(value: Any) -> Any:
    """Make a destination's text or number fit its type; the store has not checked these."""
    match value:
        case str():
            return storable(value)
        case int() if not -(2**63) <= value < 2**63:
            return None
    return value
