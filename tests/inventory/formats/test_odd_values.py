"""What the API may send and a reader may refuse, from the API into each file and a reader."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from northflank_async.inventory import Query
from northflank_async.inventory.export import export
from northflank_async.inventory.formats import ENDINGS
from northflank_async.inventory.stream import stream
from tests.support.fake_account import FakeAccount, backups
from tests.support.inventories import read_lines

pytestmark = pytest.mark.slow

NUMBER = "7" * 70
DEEP = {"array": "[" * 1000 + "]" * 1000, "object": '{"a":' * 1000 + "1" + "}" * 1000}
FIELDS = '"status": "completed", "createdAt": "2026-01-01T00:00:00Z"'
PAGES = {
    "p/a": [f'{{"id": "{name}", "odd": {text}, {FIELDS}}}' for name, text in DEEP.items()],
    "p/b": [
        '{"id": "half \\ud800", "name": "\\ud800", "status": "\\udfff", "createdAt": "2026-01-01T00:00:00Z"}',
        '{"id": "nul \\u0000", "name": "\\u0000", "status": "\\u0000", "createdAt": "2026-01-01T00:00:00Z"}',
        f'{{"id": "number", "odd": [{NUMBER}, -{NUMBER}, {NUMBER}.5], {FIELDS}}}',
        f'{{"id": "size", "config": {{"size": "{NUMBER}"}}, {FIELDS}}}',
    ],
}
"""The JSON of backups, as it is sent."""
IDS = ["array", "object", "half \\ud800", "nul \\x00", "number", "size"]


def odd_account() -> FakeAccount:
    account = FakeAccount({addon: [] for addon in PAGES})
    for addon, items in PAGES.items():
        body = f'{{"data": {{"backups": [{", ".join(items)}]}}}}'
        account.faults[f"{addon}#0"] = web.Response(status=200, body=body.encode())
    return account


@pytest.mark.parametrize("ending", ENDINGS)
async def test_odd_values_end_no_export_and_every_file_is_readable(tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"out{ending}"
    async with odd_account().serve() as nf:
        outcome = await export(str(out), nf)
    assert (outcome.backups, outcome.failures) == (len(IDS), [])
    column = "backup.id" if ".jsonl" in ending else "id"
    assert query(f"SELECT {column} FROM '{out}'") == [(id,) for id in IDS]


async def test_each_format_writes_odd_values_as_documented(tmp_path: Path) -> None:
    for ending in (".jsonl", ".csv", ".parquet"):
        async with odd_account().serve() as nf:
            await export(str(tmp_path / f"out{ending}"), nf)
    written = {line["backup"]["id"]: line["backup"] for line in read_lines(tmp_path / "out.jsonl")}
    for name, text in DEEP.items():
        innermost = written[name]["odd"]
        while not isinstance(innermost, str):
            (innermost,) = innermost.values() if isinstance(innermost, dict) else innermost
        assert len(innermost) > 1500
        assert innermost in text
    assert written["number"]["odd"][:2] == [int(NUMBER), -int(NUMBER)]
    assert written["size"]["config"]["size"] == NUMBER
    for ending in (".csv", ".parquet"):
        rows = {row[0]: row[1:] for row in query(f"SELECT id, name, status, size FROM '{tmp_path / f'out{ending}'}'")}
        assert rows["nul \\x00"] == ("\\x00", "\\x00", None)
        assert rows["half \\ud800"] == ("\\ud800", "\\udfff", None)
        assert rows["size"] == (None, "completed", None)


async def test_a_stream_writes_odd_values_like_a_file(tmp_path: Path) -> None:
    out = io.BytesIO()
    async with odd_account().serve() as nf:
        await stream(out, nf)
        await export(str(tmp_path / "out.jsonl"), nf)
    assert sorted(out.getvalue().splitlines()) == sorted((tmp_path / "out.jsonl").read_bytes().splitlines())


async def test_every_restore_is_written_or_named(tmp_path: Path) -> None:
    """Also those whose backup is not listed."""
    restores = [
        {"id": f"r{number}", "backupId": backup, "status": "completed", "restoreTimestamp": "2026-01-02T00:00:00Z"}
        for number, backup in enumerate(["b0", "lost", "b1", "lost", "lost too"])
    ]
    account, unwritten = FakeAccount({"p/a": backups(2)}, restores={"p/a": restores}), list[str]()
    async with account.serve() as nf:
        for ending in (".jsonl.gz", ".parquet", ".csv"):
            assert unwritten == []
            target = str(tmp_path / f"out{ending}")
            outcome = await export(target, Query(nf, restores=True), on_unwritten=unwritten.append)
            assert outcome.backups == 2
    assert sorted(unwritten) == ["p/a: r1", "p/a: r3", "p/a: r4"]
    lines = [json.loads(line) for line in gzip.decompress((tmp_path / "out.jsonl.gz").read_bytes()).splitlines()]
    assert sorted(restore["id"] for line in lines for restore in line["restores"]) == ["r0", "r1", "r2", "r3", "r4"]
    assert [line["backup"] and line["backup"]["id"] for line in lines] == ["b0", "b1", None]
    found = query(f"SELECT id, unnest(restores).id FROM '{tmp_path / 'out.parquet'}' ORDER BY 2")
    assert found == [("b0", "r0"), (None, "r1"), ("b1", "r2"), (None, "r3"), (None, "r4")]


def query(sql: str) -> list[tuple[Any, ...]]:
    import duckdb

    with duckdb.connect() as connection:
        return connection.execute(sql).fetchall()
