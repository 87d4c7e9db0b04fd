"""Exports into files: JSON Lines, CSV and Parquet, and a stream of lines."""

import asyncio
import csv
import io
import json
import os
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from attrs import asdict

from northflank_async import (
    AuthenticationError,
    ConfigurationError,
    Northflank,
    NotFound,
    ServerError,
    unstructure,
)
from northflank_async.atomic_write import atomic_write
from northflank_async.inventory import Inventory, Query
from northflank_async.inventory.export import export, state_path
from northflank_async.inventory.formats import parquet
from northflank_async.inventory.store.stored_backup import StoredBackup
from northflank_async.inventory.stream import stream
from northflank_async.simulator import Simulator
from tests.support.clocks import wait_until
from tests.support.command import run
from tests.support.fake_account import FakeAccount, backups, refusal

FORMATS = ["jsonl", "csv", "parquet"]
CSV_COLUMNS = (
    "team_id,project_id,addon_id,addon_type,id,name,uid,status,created_at,completed_at,source_type,size,"
    "compression_type,addon_version,custom_destination_id,additional_destinations"
)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


async def synced(nf: Northflank, path: Path) -> list[StoredBackup]:
    """What a database has after a sync of the same."""
    async with Inventory(path) as inventory:
        await inventory.sync(Query(nf, restores=True))
        return [stored async for stored in inventory.backups(restores=True)]


async def test_json_lines_contain_each_backup_as_the_api_sent_it(nf: Northflank, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    outcome = await export(str(out), nf)
    assert outcome.backups == 3000
    expected = [
        {"project": project.id, "addon": addon.id, "addonType": addon.spec and addon.spec.type, "backup": raw}
        for project in sorted(await nf.projects().all(), key=lambda project: project.id)
        for addon in sorted(await nf.project(project.id).addons().all(), key=lambda addon: addon.id)
        for raw in sorted(
            await nf.project(project.id).addon(addon.id).backups().raw().all(), key=lambda backup: str(backup["id"])
        )
    ]
    assert lines(out) == expected
    assert [list(line["backup"]) for line in lines(out)] == [list(line["backup"]) for line in expected]


async def test_json_lines_contain_the_team_and_requested_restores(nf: Northflank, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    await export(str(out), Query([nf.team("acme"), nf], restores=True))
    written = lines(out)
    assert len(written) == 6000
    assert {line.get("team") for line in written} == {None, "acme"}
    for line in written:
        assert all(restore["backupId"] == line["backup"]["id"] for restore in line["restores"])
    assert sum(len(line["restores"]) for line in written) > 100


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
    """What CSV makes of a value."""
    match value:
        case None:
            return ""
        case datetime():
            return str(unstructure(value))
        case tuple():
            return ";".join(destination.destination_id for destination in value)
    return str(value)


@pytest.mark.parametrize("row_group", [700, 50_000])
async def test_a_parquet_file_contains_the_stored_backups_with_types(
    nf: Northflank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row_group: int
) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP", row_group)
    out = tmp_path / "out.parquet"
    await export(str(out), Query(nf, restores=True))
    table = pq.read_table(out)
    assert pq.ParquetFile(out).num_row_groups == (3 if row_group == 700 else 1)
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
    return [{name: field for name, field in asdict(item).items() if name != "data"} for item in value]


@pytest.mark.parametrize("ending", FORMATS)
async def test_a_synced_inventory_is_exported_without_requests(
    sim: Simulator, nf: Northflank, tmp_path: Path, ending: str
) -> None:
    await export(str(tmp_path / f"direct.{ending}"), nf)
    async with Inventory(tmp_path / "x.db") as inventory:
        await inventory.sync(nf)
        sim.requests.clear()
        assert await inventory.export(tmp_path / f"out.{ending}") == 3000
    assert sim.requests == []
    assert (tmp_path / f"out.{ending}").read_bytes() == (tmp_path / f"direct.{ending}").read_bytes()


@pytest.mark.parametrize("ending", FORMATS)
async def test_an_empty_inventory_is_exported_to_a_file(tmp_path: Path, ending: str) -> None:
    async with FakeAccount().serve() as nf:
        outcome = await export(str(tmp_path / f"out.{ending}"), nf)
    assert outcome.backups == 0
    assert (tmp_path / f"out.{ending}").exists()


async def test_every_format_contains_unusual_text_and_malformed_backups(tmp_path: Path) -> None:
    good = {**backups(1)[0], "name": 'ä€😀 "quoted", half \ud800 and\nlines', "shard": [1.5, None]}
    account = FakeAccount({"p/a": [good, {"id": "odd"}]})
    async with account.serve() as nf:
        for ending in FORMATS:
            outcome = await export(str(tmp_path / f"out.{ending}"), nf)
            assert len(outcome.failures) == 1
    assert [line["backup"] for line in lines(tmp_path / "out.jsonl")] == [good, {"id": "odd"}]
    assert "ä€😀" in (tmp_path / "out.jsonl").read_text(encoding="utf-8")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ['ä€😀 "quoted", half \\ud800 and\nlines', ""]
    table = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [row["name"] for row in table] == ['ä€😀 "quoted", half \\ud800 and\nlines', None]
    assert [row["status"] for row in table] == ["completed", None]


async def test_an_export_contains_only_backups_that_match_the_query(nf: Northflank, tmp_path: Path) -> None:
    since = datetime(2026, 10, 1, tzinfo=UTC)
    query = Query(nf, statuses=["failed"], since=since, addon_types=["redis", "mongodb"])
    await export(str(tmp_path / "out.jsonl"), query)
    every = tmp_path / "every.jsonl"
    await export(str(every), nf)
    assert lines(tmp_path / "out.jsonl") == [
        line
        for line in lines(every)
        if line["backup"]["status"] == "failed"
        and line["backup"]["createdAt"] >= "2026-10-01"
        and line["addonType"] in ("redis", "mongodb")
    ]


@pytest.mark.parametrize("ending", FORMATS)
async def test_an_interrupted_export_resumes_and_leaves_only_its_file(tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"out.{ending}"
    async with Simulator(latency=0.01) as sim, Northflank(sim.token, base_url=sim.url) as nf:
        task = asyncio.create_task(export(str(out), nf, concurrency=4))
        await wait_until(lambda: len(sim.requests) > 20)
        task.cancel()
        await asyncio.wait([task])
        assert not out.exists()
        assert state_path(out).exists()
        outcome = await export(str(out), nf, concurrency=4)
        assert (outcome.resumed, outcome.backups) == (True, 3000)
        assert 46 <= len(sim.requests) <= 50
        assert list(tmp_path.iterdir()) == [out]
        await export(str(tmp_path / f"again.{ending}"), nf)
    assert out.read_bytes() == (tmp_path / f"again.{ending}").read_bytes()


async def test_pages_are_not_refetched_after_a_failed_write(
    sim: Simulator, nf: Northflank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.jsonl"

    def full(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("northflank_async.inventory.formats.json_lines.line", full)
    with pytest.raises(OSError, match="No space left"):
        await export(str(out), nf)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jsonl.state", "out.jsonl.state.lock"]
    monkeypatch.undo()
    sim.requests.clear()
    await export(str(out), nf)
    assert sim.requests == []
    assert len(lines(out)) == 3000


async def test_an_export_with_another_query_starts_from_the_beginning(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    account = FakeAccount({"p/a": backups(150), "q/a": backups(1)}, faults={"p/a#1": refusal(401)})
    async with account.serve() as nf:
        with pytest.raises(AuthenticationError):
            await export(str(out), nf, concurrency=1)
        outcome = await export(str(out), Query(nf, projects=["q"]))
    assert not outcome.resumed
    assert [line["project"] for line in lines(out)] == ["q"]


async def test_a_strict_export_writes_no_file_until_its_failures_are_fixed(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    account = FakeAccount({"p/a": backups(1), "p/b": backups(1)}, faults={"p/b#0": refusal(403)})
    async with account.serve() as nf:
        outcome = await export(str(out), nf, strict=True)
        assert len(outcome.failures) == 1
        assert not out.exists()
        account.faults.clear()
        account.requested.clear()
        outcome = await export(str(out), nf, strict=True)
    assert account.requested == ["p/b#0"]
    assert (outcome.failures, len(lines(out))) == ([], 2)


async def test_a_strict_export_refetches_malformed_records(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    account = FakeAccount({"p/a": [{"id": "odd"}], "p/b": backups(1)})
    async with account.serve() as nf:
        for _ in range(2):
            assert len((await export(str(out), nf, strict=True)).failures) == 1
        account.addons["p/a"] = backups(1)
        account.requested.clear()
        outcome = await export(str(out), nf, strict=True)
    assert account.requested == ["p/a#0"]
    assert (outcome.failures, [line["backup"]["id"] for line in lines(out)]) == ([], ["b0", "b0"])


async def test_an_export_excludes_what_another_query_has_read(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    account = FakeAccount({"p/a": backups(250)}, faults={"p/a#2": refusal(401)})
    async with account.serve() as nf:
        with pytest.raises(AuthenticationError):
            await export(str(out), nf)
        account.faults.clear()
        outcome = await export(str(out), Query(nf, statuses=["failed"]))
    assert (outcome.backups, lines(out)) == (0, [])


@pytest.mark.parametrize(
    "mistake", [{"projects": ["bad/id"]}, {"concurrency": 0}, {"accounts": []}, {"concurrency": True}], ids=str
)
async def test_an_invalid_argument_keeps_the_state_of_an_interrupted_export(tmp_path: Path, mistake: Any) -> None:
    out = tmp_path / "out.jsonl"
    account = FakeAccount({"p/a": backups(150)}, faults={"p/a#1": refusal(401)})
    async with account.serve() as nf:
        with pytest.raises(AuthenticationError):
            await export(str(out), nf)
        with pytest.raises(ConfigurationError):
            concurrency = mistake.pop("concurrency", 16)
            await export(str(out), Query(**{"accounts": nf, **mistake}), concurrency=concurrency)
        account.faults.clear()
        assert (await export(str(out), nf)).resumed


async def test_a_state_of_a_finished_export_is_not_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out.jsonl"
    account = FakeAccount({"p/a": backups(1)})
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", lambda *_, **__: None)  # as if it had been killed before
        async with account.serve() as nf:
            await export(str(out), nf)
    assert state_path(out).exists()
    account.addons["p/a"] = backups(2)
    async with account.serve() as nf:
        await export(str(out), nf)
    assert len(lines(out)) == 2
    assert list(tmp_path.iterdir()) == [out]


async def test_values_that_do_not_fit_parquet_do_not_stop_an_export(tmp_path: Path) -> None:
    destinations = [{"destinationId": "\ud800", "retentionTime": 2**70}]
    account = FakeAccount({"p/a": backups(1, config={"additionalDestinations": destinations})})
    async with account.serve() as nf:
        await export(str(tmp_path / "out.parquet"), nf)
    (row,) = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert row["additional_destinations"] == [{"destination_id": "\\ud800", "type": None, "retention_time": None}]


@pytest.mark.parametrize("before", [None, "the last inventory\n"])
async def test_a_failed_export_leaves_the_previous_file_unchanged(
    nf: Northflank, tmp_path: Path, before: str | None
) -> None:
    out = tmp_path / "out.jsonl"
    if before:
        out.write_text(before)
    with pytest.raises(NotFound):
        await export(str(out), Query(nf, projects=["no-such-project"]))
    assert [path.read_text() for path in tmp_path.iterdir()] == ([before] if before else [])


async def test_an_api_failure_is_raised_by_the_export(tmp_path: Path) -> None:
    account = FakeAccount(faults={"#0": refusal(500)})
    async with account.serve(attempts=2) as nf:
        with pytest.raises(ServerError) as caught:
            await export(str(tmp_path / "out.jsonl"), nf)
    assert caught.value.attempts == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", ["missing/out.jsonl", "folder.csv", "link.parquet", "out.txt", "out", "x://y"])
async def test_an_unwritable_target_is_refused_before_any_request(
    sim: Simulator, nf: Northflank, tmp_path: Path, target: str
) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "link.parquet").symlink_to("/dev/null")
    path = target if "://" in target else str(tmp_path / target)
    with pytest.raises(
        (OSError, ConfigurationError), match=r"no such folder|is a directory|not a regular|must end|not x:"
    ):
        await export(path, nf)
    assert sim.requests == []
    assert not state_path(Path(path)).exists()


async def test_a_second_export_to_the_same_file_is_refused(tmp_path: Path) -> None:
    out = str(tmp_path / "out.jsonl")
    async with Simulator(latency=0.05) as sim, Northflank(sim.token, base_url=sim.url) as nf:
        first = asyncio.create_task(export(out, nf))
        await wait_until(lambda: sim.requests)
        with pytest.raises(BlockingIOError, match="another export"):
            await export(out, nf)
        assert (await first).backups == 3000
    assert len(sim.requests) == 46


def test_replacing_a_file_keeps_its_mode_and_follows_a_symlink(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(target)
    with atomic_write(link) as file:
        file.write(b"new")
        assert target.read_text() == "old"
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


async def test_a_stream_contains_the_lines_of_a_file_in_order_of_arrival(nf: Northflank, tmp_path: Path) -> None:
    out = io.BytesIO()
    outcome = await stream(out, nf)
    assert outcome.backups == 3000
    await export(str(tmp_path / "out.jsonl"), nf)
    assert sorted(out.getvalue().splitlines()) == sorted((tmp_path / "out.jsonl").read_bytes().splitlines())


async def test_a_stream_reports_failures_and_writes_the_rest(tmp_path: Path) -> None:
    account = FakeAccount({"p/a": [*backups(1), 7], "p/b": backups(1)}, faults={"p/b#0": refusal(403)})
    out = io.BytesIO()
    async with account.serve() as nf:
        outcome = await stream(out, nf)
        assert sorted(str(failure)[:9] for failure in outcome.failures) == ["p/a: no i", "p/b: 403 "]
        assert outcome.backups == len(out.getvalue().splitlines()) == 2
        account.faults["nope#0"] = refusal(404)
        with pytest.raises(NotFound):
            await stream(out, Query(nf, projects=["nope"]))


@pytest.mark.parametrize(
    ("missing", "target", "extra"),
    [
        ("sqlalchemy", "x.db", "sql"),
        ("filelock", "x.csv", "sql"),
        ("asyncpg", "postgresql://u@127.0.0.1:1/x", "postgres"),
        ("pyarrow", "x.parquet", "parquet"),
    ],
)
async def test_a_missing_package_is_reported_with_the_extra_to_install(
    tmp_path: Path, missing: str, target: str, extra: str
) -> None:
    (tmp_path / f"{missing}.py").write_text(f"raise ModuleNotFoundError('No module named {missing}', name='{missing}')")
    path = f"{tmp_path}{os.pathsep}{Path(__file__).parents[2]}"
    place = target if "://" in target else str(tmp_path / target)
    code, out, err = await run("export", "--simulate", place, PYTHONPATH=path)
    assert (code, out) == (3, "")
    assert err == f"northflank-async: {missing} is missing: pip install 'northflank-async[{extra}]'\n"


async def test_scans_and_plans_need_no_extra(tmp_path: Path) -> None:
    for missing in ("sqlalchemy", "filelock", "pyarrow", "click", "rich"):
        (tmp_path / f"{missing}.py").write_text("raise ModuleNotFoundError")
    program = """
import asyncio
from northflank_async import Northflank
from northflank_async.inventory import Scan
from northflank_async.simulator import Simulator

async def main():
    async with Simulator() as sim, Northflank(sim.token, base_url=sim.url) as nf, nf.scan() as scan:
        print(len([found async for found in scan]), (await nf.plan()).addons)

asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", program,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(__file__).parents[2]}"},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert (await process.communicate())[0] == b"3000 20\n"
