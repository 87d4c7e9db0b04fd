"""Exports to CSV."""

import csv
from datetime import datetime
from pathlib import Path
from typing import Any

from northflank_async import (
    Northflank,
    unstructure,
)
from northflank_async.inventory import Query
from northflank_async.inventory.export import export
from tests.support.inventories import synced

CSV_COLUMNS = (
    "team_id,project_id,addon_id,addon_type,id,name,uid,status,created_at,completed_at,source_type,size,"
    "compression_type,addon_version,custom_destination_id,additional_destinations"
)


async def test_a_csv_file_contains_the_stored_backups_in_fixed_columns(nf: Northflank, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    await export(str(out), nf)
    header, *rows = csv.reader(out.read_text(encoding="utf-8").splitlines())
    assert ",".join(header) == CSV_COLUMNS
    assert rows == [[cell(getattr(stored, name)) for name in header] for stored in await synced(nf, tmp_path / "x.db")]


async def test_a_csv_file_with_restores_has_their_count_and_the_latest(nf: Northflank, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    await export(str(out), Query(nf, restores=True))
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row, stored in zip(rows, await synced(nf, tmp_path / "x.db"), strict=True):
        last = stored.restores[0] if stored.restores else None
        assert row["restore_count"] == str(len(stored.restores))
        assert row["last_restore_status"] == cell(last and last.status)
        assert row["last_restore_timestamp"] == cell(last and last.restore_timestamp)


def cell(value: Any) -> str:
    """A value as a CSV cell."""
    match value:
        case None:
            return ""
        case datetime():
            return str(unstructure(value))
        case tuple():
            return ";".join(destination.destination_id for destination in value)
    return str(value)
