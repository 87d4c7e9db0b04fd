"""Parquet: a row a backup with real types, written as the rows come."""

from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from attrs import asdict

from northflank_async.inventory.encoding import storable
from northflank_async.inventory.formats import Batches
from northflank_async.inventory.store.stored_backup import StoredBackup

ROW_GROUP = 50_000
"""Rows that are in memory at a time."""

_TEXT = pa.string()
_WORD = pa.dictionary(pa.int32(), pa.string())
"""Text of which there are few kinds."""
_TIME = pa.timestamp("us", tz="UTC")
_DESTINATION = pa.struct([("destination_id", _TEXT), ("type", _TEXT), ("retention_time", pa.int64())])
_RESTORE = pa.struct([("id", _TEXT), ("status", _TEXT), ("restore_timestamp", _TIME), ("completed_at", _TIME)])
SCHEMA = pa.schema(
    [
        ("team_id", _WORD),
        ("project_id", _WORD),
        ("addon_id", _WORD),
        ("addon_type", _WORD),
        ("id", _TEXT),
        ("name", _TEXT),
        ("uid", _TEXT),
        ("status", _WORD),
        ("created_at", _TIME),
        ("completed_at", _TIME),
        ("source_type", _WORD),
        ("size", pa.int64()),
        ("compression_type", _WORD),
        ("addon_version", _WORD),
        ("custom_destination_id", _WORD),
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
            group.append(_record_batch(batch, schema))
            count += len(batch)
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
        return value  # as the store has it
    return [{name: _plain(field) for name, field in asdict(item).items() if name != "data"} for item in value]


def _plain(value: Any) -> Any:
    """What fits: of the destinations' texts and numbers nobody has made sure so far."""
    match value:
        case str():
            return storable(value)
        case int() if not -(2**63) <= value < 2**63:
            return None
    return value
