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
from northflank_async.inventory.store.stored_backup import StoredRow
from tests.support.fake_account import FakeAccount, backups
from tests.support.inventories import synced
from tests.support.stored_rows import UNUSUAL_TEXTS, make_backup, make_restore, make_unlisted, write_file


@pytest.mark.slow
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
    assert {table.schema.field(name).type for name in ("id", "addon_id", "status")} == {pa.string()}
    assert pa.types.is_list(table.schema.field("additional_destinations").type)
    stored = await synced(nf, tmp_path / "x.db")
    assert table.to_pylist() == [
        {name: nested(getattr(backup, name)) for name in table.schema.names} for backup in stored
    ]


def nested(value: Any) -> Any:
    if not isinstance(value, tuple):
        return value
    return [{name: field for name, field in asdict(item).items() if name != "data"} for item in value]


async def test_values_that_do_not_fit_parquet_do_not_stop_an_export(tmp_path: Path) -> None:
    destinations = [{"destinationId": "\ud800", "retentionTime": 2**70}]
    account = FakeAccount({"p/a": backups(1, config={"additionalDestinations": destinations})})
    async with account.serve() as nf:
        await export(str(tmp_path / "out.parquet"), nf)
    (row,) = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert row["additional_destinations"] == [{"destination_id": "\\ud800", "type": None, "retention_time": None}]


def test_parquet_stores_repeated_text_once(tmp_path: Path) -> None:
    write_file(tmp_path / "out.parquet", [make_backup(f"b{number}", project_id="p" * 1000) for number in range(1000)])
    assert (tmp_path / "out.parquet").stat().st_size < 40_000


def test_restores_of_unlisted_backups_have_a_row_of_their_addon(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    rows: list[StoredRow] = [
        make_backup(restores=(make_restore("r0"),)),
        make_unlisted(make_restore("r1", "b8"), make_restore("r2", None)),
    ]
    assert write_file(out, rows, restores=True) == 1
    row = pq.read_table(out).to_pylist()[1]
    assert {name: value for name, value in row.items() if value is not None and name != "restores"} == {
        "account_id": "account-1",
        "team_id": "acme",
        "project_id": "p",
        "addon_id": "a",
        "addon_type": "redis",
    }
    assert [(restore["id"], restore["backup_id"]) for restore in row["restores"]] == [("r1", "b8"), ("r2", None)]


def test_parquet_keeps_unusual_text(tmp_path: Path) -> None:
    out, texts = tmp_path / "out.parquet", [*UNUSUAL_TEXTS, "=1+1"]
    write_file(out, [make_backup(text, name=text) for text in texts])
    assert pq.read_table(out, columns=["id", "name"]).to_pylist() == [{"id": text, "name": text} for text in texts]


def test_what_parquet_cannot_store_is_escaped_or_null(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    write_file(out, [make_backup(name="half \ud800, nul \0", size=2**63), make_backup(size=2**63 - 1)])
    rows = pq.read_table(out, columns=["name", "size"]).to_pylist()
    assert rows == [{"name": "half \\ud800, nul \\x00", "size": None}, {"name": None, "size": 2**63 - 1}]
