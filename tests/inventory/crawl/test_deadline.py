"""Deadlines of a crawl: one for all of it ends it, one for each call is a failure of its listing."""

from pathlib import Path

import pytest

from northflank_async import DeadlineExceeded
from northflank_async.inventory.export import export
from northflank_async.inventory.plan import plan
from tests.support.fake_account import FakeAccount, backups


async def test_a_deadline_for_a_whole_export_ends_it_and_it_is_resumed(tmp_path: Path) -> None:
    account = FakeAccount({"p/a": backups(3), "p/b": backups(3)}, holds=lambda page: page == "p/b#0")
    target = str(tmp_path / "o.jsonl")
    async with account.serve() as nf:
        with nf.deadline(0.5), pytest.raises(DeadlineExceeded):
            await export(target, nf)
        assert not (tmp_path / "o.jsonl").exists()
        account.holds = lambda _: False
        outcome = await export(target, nf)
    assert (outcome.backups, outcome.failures) == (6, [])
    assert outcome.resumed_from is not None


async def test_no_names_or_accounts_are_guessed_after_the_deadline() -> None:
    account = FakeAccount({"p/a": backups(3)}, holds=lambda _: True)
    async with account.serve() as nf:
        with nf.deadline(0.05), pytest.raises(DeadlineExceeded):
            await plan(nf)


async def test_a_deadline_for_each_call_is_a_failure_of_its_listing(tmp_path: Path) -> None:
    account = FakeAccount({"p/a": backups(3), "p/b": backups(3)}, holds=lambda page: page == "p/b#0")
    async with account.serve(deadline=0.5) as nf:
        outcome = await export(str(tmp_path / "o.jsonl"), nf)
    assert (outcome.backups, [failure.addon_id for failure in outcome.failures]) == (3, ["b"])
