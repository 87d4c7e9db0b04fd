"""Exports from the API to files."""

import asyncio
import csv
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from northflank_async import (
    AuthenticationError,
    ConfigurationError,
    Northflank,
    NotFound,
    ServerError,
)
from northflank_async.inventory import Query
from northflank_async.inventory.export import export, state_path
from northflank_async.simulator import Simulator
from tests.support.clocks import wait_until
from tests.support.fake_account import FakeAccount, backups, refusal
from tests.support.inventories import FORMATS, read_lines


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
    stored = {**good, "name": 'ä€😀 "quoted", half \\ud800 and\nlines'}
    assert [line["backup"] for line in read_lines(tmp_path / "out.jsonl")] == [stored, {"id": "odd"}]
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
    assert read_lines(tmp_path / "out.jsonl") == [
        line
        for line in read_lines(every)
        if line["backup"]["status"] == "failed"
        and line["backup"]["createdAt"] >= "2026-10-01"
        and line["addonType"] in ("redis", "mongodb")
    ]


@pytest.mark.slow
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
        assert 48 <= len(sim.requests) <= 52
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
    assert [request.path for request in sim.requests] == ["/v1/auth"]
    assert len(read_lines(out)) == 3000


async def test_an_export_with_another_query_starts_from_the_beginning(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    account = FakeAccount({"p/a": backups(150), "q/a": backups(1)}, faults={"p/a#1": refusal(401)})
    async with account.serve() as nf:
        with pytest.raises(AuthenticationError):
            await export(str(out), nf, concurrency=1)
        outcome = await export(str(out), Query(nf, projects=["q"]))
    assert not outcome.resumed
    assert [line["project"] for line in read_lines(out)] == ["q"]


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
    assert (outcome.failures, len(read_lines(out))) == ([], 2)


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
    assert (outcome.failures, [line["backup"]["id"] for line in read_lines(out)]) == ([], ["b0", "b0"])


async def test_an_export_excludes_what_another_query_has_read(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    account = FakeAccount({"p/a": backups(250)}, faults={"p/a#2": refusal(401)})
    async with account.serve() as nf:
        with pytest.raises(AuthenticationError):
            await export(str(out), nf)
        account.faults.clear()
        outcome = await export(str(out), Query(nf, statuses=["failed"]))
    assert (outcome.backups, read_lines(out)) == (0, [])


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
        patched.setattr(Path, "unlink", lambda *_, **__: None)  # as if it was killed before it could delete its state
        async with account.serve() as nf:
            await export(str(out), nf)
    assert state_path(out).exists()
    account.addons["p/a"] = backups(2)
    async with account.serve() as nf:
        await export(str(out), nf)
    assert len(read_lines(out)) == 2
    assert list(tmp_path.iterdir()) == [out]


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


@pytest.mark.parametrize("ending", ["jsonl", "db"])
async def test_a_loop_of_links_is_refused_before_any_request(
    sim: Simulator, nf: Northflank, tmp_path: Path, ending: str
) -> None:
    (tmp_path / f"a.{ending}").symlink_to(f"b.{ending}")
    (tmp_path / f"b.{ending}").symlink_to(f"a.{ending}")
    with pytest.raises(OSError, match=f"a.{ending}"):
        await export(str(tmp_path / f"a.{ending}"), nf)
    assert sim.requests == []
    assert len(list(tmp_path.iterdir())) == 2


async def test_a_second_export_to_the_same_file_is_refused(tmp_path: Path) -> None:
    out = str(tmp_path / "out.jsonl")
    async with Simulator(latency=0.05) as sim, Northflank(sim.token, base_url=sim.url) as nf:
        first = asyncio.create_task(export(out, nf))
        await wait_until(lambda: sim.requests)
        with pytest.raises(BlockingIOError, match="another export"):
            await export(out, nf)
        assert (await first).backups == 3000
    assert len(sim.requests) == 47


@pytest.mark.parametrize("umask", [0o022, 0o000], ids=oct)
async def test_only_the_owner_reads_what_an_export_stores_meanwhile(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        modes: dict[str, int] = {}

        def look(_: str) -> bool:
            for path in tmp_path.iterdir():
                modes[path.name] = modes.get(path.name, 0) | stat.S_IMODE(path.stat().st_mode)
            return False

        account = FakeAccount({"p/a": backups(450)}, holds=look)
        account.faults["p/a#3"] = refusal(401)
        async with account.serve() as nf:
            with pytest.raises(AuthenticationError):
                await export(str(tmp_path / "x.jsonl"), nf)
            account.faults.clear()
            look("")
            assert (await export(str(tmp_path / "x.jsonl"), nf)).resumed
        assert {"x.jsonl.state", "x.jsonl.state-wal", "x.jsonl.state-shm", "x.jsonl.state.lock"} <= modes.keys()
        assert set(modes.values()) == {0o600}
        (path,) = tmp_path.iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
    finally:
        os.umask(before)
