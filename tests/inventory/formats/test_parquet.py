"""Exports to Parquet."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from attrs import asdict

from northflank_async import (
    Northflank,
)
from northflank_async.inventory import Query
from northflank_async.inventory.export import export
from northflank_async.inventory.formats import parquet
from tests.support.fake_account import FakeAccount, backups
from tests.support.inventories import synced


@pytest.mark.parametrize("row_group", [700, 50_000])
async def test_a_parquet_file_contains_the_stored_backups_with_types(
    nf: Northflank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row_group: int
) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP", row_group)
    out = tmp_path / "out.parquet"
    await export(str(out), Query(nf, restores=True))
    table = pq.read_table(out)
    assert pq.ParquetFile(out).num_row_groups == (4 if row_group == 700 else 1)
    assert table.schema.field("created_at").type == pa.timestamp("us", tz="UTC")
    assert table.schema.field("size").type == pa.int64()
    assert pa.types.is_dictionary(table.schema.field("status").type)
    assert pa.types.is_list(table.schema.field("additional_destinations").type)
    stored = await synced(nf, tmp_path / "x.db")
    assert table.to_pylist() == [
        {name: nested(getattr(backup, name)) for name in table.schema.names} for backup in stored
    ]


def nested(value: Any) -> Any:
    if not isinstance(value, tuple):
        return value
    return [
        {name: field for name, field in asdict(item).items() if name not in ("backup_id", "data")} for item in value
    ]


async def test_values_that_do_not_fit_parquet_do_not_stop_an_export(tmp_path: Path) -> None:
    destinations = [{"destinationId": "\ud800", "retentionTime": 2**70}]
    account = FakeAccount({"p/a": backups(1, config={"additionalDestinations": destinations})})
    async with account.serve() as nf:
        await export(str(tmp_path / "out.parquet"), nf)
    (row,) = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert row["additional_destinations"] == [{"destination_id": "\\ud800", "type": None, "retention_time": None}]
