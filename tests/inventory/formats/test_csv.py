"""Exports to CSV."""

import csv
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from northflank_async import (
    Northflank,
    unstructure,
)
from northflank_async.inventory import Query
from northflank_async.inventory.export import export
from northflank_async.inventory.store.stored_backup import StoredRow
from tests.support.inventories import synced
from tests.support.stored_rows import (
    CREATED_AT,
    UNUSUAL_TEXTS,
    destinations,
    make_backup,
    make_restore,
    make_unlisted,
    write_file,
)

CSV_COLUMNS = (
    "account_id,team_id,project_id,addon_id,addon_type,id,name,uid,status,created_at,completed_at,source_type,size,"
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


def test_text_is_quoted_and_unusual_text_splits_no_row(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    write_file(out, [make_backup(text, name=text) for text in UNUSUAL_TEXTS], csv_raw=True)
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == UNUSUAL_TEXTS
    assert [row["id"] for row in rows] == UNUSUAL_TEXTS
    with out.open(encoding="utf-8") as file:  # line endings in cells are translated, but split no row
        assert len(list(csv.reader(file))) == 1 + len(UNUSUAL_TEXTS)


@pytest.mark.parametrize(
    "start",
    ["=", "+", "-", "@", "\t", "\r", "'=", "''-", " =", "\n+", "\u00a0@", "\ufeff=", "＝", "＋", "－", "＠", "' ＝"],
)
def test_text_that_looks_like_a_formula_gets_an_apostrophe_unless_raw(tmp_path: Path, start: str) -> None:
    text, out = f"{start}cmd|'/C calc'!A0", tmp_path / "out.csv"
    backup = make_backup(text, name=text, account_id=text, size=-5, json_text=destinations(text, "b"))
    for raw in (False, True):
        write_file(out, [backup], csv_raw=raw)
        with out.open(encoding="utf-8", newline="") as file:
            (row,) = csv.DictReader(file)
        for column in ("id", "name", "account_id"):
            assert row[column] == (text if raw else f"'{text}")
        assert row["additional_destinations"] == (f"{text};b" if raw else f"'{text};b")
        assert row["size"] == "-5"


def test_removing_one_apostrophe_before_a_formula_restores_every_text(tmp_path: Path) -> None:
    texts, out = (
        ["'", "''", "'a", "a=", "'=", "''=", "=", "'\r", " =", "＝", "' ＝", "-1", *UNUSUAL_TEXTS],
        tmp_path / "out.csv",
    )
    write_file(out, [make_backup(name=text) for text in texts])
    with out.open(encoding="utf-8", newline="") as file:
        names = [row["name"] for row in csv.DictReader(file)]
    assert not [name for name in names if name[:1] in {"=", "+", "-", "@", "\t", "\r"}]
    assert [re.sub(r"^'('*([\t\r]|\s*[=+\-@＝]))", r"\1", name) for name in names] == texts


def test_missing_values_have_no_quotes_and_empty_text_does(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    write_file(out, [make_backup(name="", size=0, created_at=CREATED_AT)])
    header, row = out.read_text(encoding="utf-8").splitlines()
    cells = dict(zip(header.replace('"', "").split(","), row.split(","), strict=True))
    assert (cells["name"], cells["uid"], cells["size"]) == ('""', "", "0")
    assert cells["created_at"] == '"2026-10-31T01:02:03.456Z"'
    assert cells["additional_destinations"] == ""


def test_destinations_are_written_as_far_as_they_can_be_read(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    items = [{"destinationId": "a"}, {"destinationId": "b", "retentionTime": "soon"}, {"type": "custom"}, 7, None]
    configs = ({"additionalDestinations": items}, "additionalDestinations", {"additionalDestinations": None})
    texts = [json.dumps({"id": "x", "completedAt": 5, "config": config}) for config in configs]
    write_file(out, [make_backup(json_text=text) for text in texts])
    with out.open(encoding="utf-8", newline="") as file:
        assert [row["additional_destinations"] for row in csv.DictReader(file)] == ["a;b", "", ""]


def test_characters_that_no_reader_accepts_are_escaped_in_csv(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    write_file(out, [make_backup(name="half \ud800, nul \0", json_text=destinations("\ud800\0"))])
    with out.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["name"], row["additional_destinations"]) == ("half \\ud800, nul \\x00", "\\ud800\\x00")


def test_restores_of_unlisted_backups_are_named_as_csv_has_no_row_for_them(tmp_path: Path) -> None:
    out, unwritten = tmp_path / "out.csv", list[str]()
    rows: list[StoredRow] = [
        make_backup(restores=(make_restore("r0"),)),
        make_unlisted(make_restore("r1", "b8"), make_restore("\x1br2")),
    ]
    assert write_file(out, rows, restores=True, on_unwritten=unwritten.append) == 1
    assert unwritten == ["acme/p/a: r1", "acme/p/a: \\x1br2"]
    assert len(out.read_text(encoding="utf-8").splitlines()) == 2


def test_restores_without_a_row_are_logged_by_default(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_file(tmp_path / "out.csv", [make_unlisted(make_restore("r1"))], restores=True)
    assert caplog.messages == ["restore acme/p/a: r1 is not in the file: its backup is not listed"]


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
