"""Streams of JSON Lines."""

import io
from pathlib import Path

import pytest

from northflank_async import (
    ConfigurationError,
    Northflank,
    NotFound,
)
from northflank_async.inventory import Query
from northflank_async.inventory.export import export
from northflank_async.inventory.stream import stream
from northflank_async.simulator import Simulator
from tests.support.fake_account import FakeAccount, backups, refusal


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


async def test_an_invalid_concurrency_is_refused_before_any_request(sim: Simulator, nf: Northflank) -> None:
    with pytest.raises(ConfigurationError, match="concurrency"):
        await stream(io.BytesIO(), nf, concurrency=0)
    assert sim.requests == []
