"""Syncs into SQLite and PostgreSQL."""

import asyncio
import gc
import threading
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from northflank_async import (
    AuthenticationError,
    ConfigurationError,
    DecodeError,
    Northflank,
    NotFound,
    RunStatus,
    ServerError,
)
from northflank_async.inventory import Inventory, Query
from northflank_async.inventory.store.ledger import Ledger
from northflank_async.inventory.store.readings import Reading
from northflank_async.simulator import Simulator
from tests.support.clocks import wait_until
from tests.support.fake_account import FakeAccount, backups, refusal
from tests.support.inventories import stored


async def test_a_sync_stores_every_backup_as_json_and_in_columns(sim: Simulator, nf: Northflank, database: str) -> None:
    async with Inventory(database) as inventory:
        outcome = await inventory.sync(nf)
        rows = [row async for row in inventory.backups()]
    assert (outcome.backups, outcome.failures, outcome.resumed) == (3000, [], False)
    assert outcome.progress.requests == len(sim.requests) == 47
    expected = {}
    async with nf.scan() as scan:
        async for found in scan:
            expected[found.project.id, found.addon.id, found.backup.id] = found
    assert len(rows) == len(expected)
    for row in rows:
        found = expected[row.project_id, row.addon_id, row.id]
        backup, config = found.backup, found.backup.config
        assert row.backup == backup
        assert (row.team_id, row.addon_type) == (None, found.addon.spec and found.addon.spec.type)
        assert (row.name, row.uid, row.status) == (backup.name, backup.uid, backup.status)
        assert (row.created_at, row.completed_at) == (backup.created_at, backup.completed_at)
        assert row.size == (config.size if config else None)
        assert row.source_type == (config.source.type if config and config.source else None)
        assert row.deleted_at is None
        assert row.first_seen_at == row.last_seen_at


async def test_a_second_sync_inserts_updates_and_soft_deletes(database: str) -> None:
    account = FakeAccount({"p/a": backups(3), "p/b": backups(1)})
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(nf)
        first = await stored(inventory)
        account.addons["p/a"] = [{**backups(1)[0], "status": "failed"}, *backups(4)[2:]]
        outcome = await inventory.sync(nf)
        second = await stored(inventory, deleted=True)
        there = await stored(inventory)
    assert outcome.backups == 4
    assert set(second) == {"p/a/b0", "p/a/b1", "p/a/b2", "p/a/b3", "p/b/b0"}
    assert set(there) == set(second) - {"p/a/b1"}
    assert (first["p/a/b0"].status, second["p/a/b0"].status) == ("completed", "failed")
    assert second["p/a/b0"].data["status"] == "failed"
    assert second["p/a/b0"].first_seen_at == first["p/a/b0"].first_seen_at
    assert second["p/a/b0"].last_seen_at > first["p/a/b0"].last_seen_at
    gone = second["p/a/b1"]
    assert gone.deleted_at
    assert gone.last_seen_at == first["p/a/b1"].last_seen_at < gone.deleted_at


@pytest.mark.parametrize("gone", ["p/a", "q/a"])
async def test_deleting_an_addon_or_a_project_deletes_its_backups_until_it_returns(database: str, gone: str) -> None:
    account = FakeAccount({"p/a": backups(2), "p/b": backups(1), "q/a": backups(1)})
    restore = {"id": "r", "backupId": "b0", "status": "completed", "restoreTimestamp": "2026-01-02T00:00:00Z"}
    account.restores = {name: [restore] for name in account.addons}
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(Query(nf, restores=True))
        before = await stored(inventory)
        lost = account.addons.pop(gone)
        await inventory.sync(Query(nf, restores=True))
        assert set(await stored(inventory)) == {name for name in before if not name.startswith(gone)}
        account.addons[gone] = lost
        await inventory.sync(Query(nf, restores=True))
        after = await stored(inventory, restores=True)
    assert set(after) == set(before)
    assert [restore.id for restore in after[f"{gone}/b0"].restores] == ["r"]


async def test_an_interrupted_sync_resumes_at_its_checkpoint(database: str) -> None:
    account = FakeAccount({"p/a": backups(250), "p/b": backups(150)}, faults={"p/b#1": refusal(401)})
    async with account.serve() as nf:
        async with Inventory(database) as inventory:
            with pytest.raises(AuthenticationError):
                await inventory.sync(nf, concurrency=1)
        before = list(account.requested)
        account.faults.clear()
        account.requested.clear()
        async with Inventory(database) as inventory:
            outcome = await inventory.sync(nf)
            assert len(await stored(inventory)) == 400
    assert outcome.resumed
    assert (outcome.backups, outcome.progress.backups, outcome.progress.addons_done) == (400, 400, 2)
    assert account.requested == ["p/b#1"]
    assert before[-1] == account.requested[0]


async def test_a_cancelled_sync_stores_the_pages_that_have_arrived(database: str) -> None:
    async with (
        Simulator(latency=0.01) as sim,
        Northflank(sim.token, base_url=sim.url) as nf,
        Inventory(database) as inventory,
    ):
        task = asyncio.create_task(inventory.sync(nf, concurrency=4))
        await wait_until(lambda: len(sim.requests) > 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not [task for task in asyncio.all_tasks() if "inventory" in repr(task.get_coro())]
        rest = len(sim.requests)
        outcome = await inventory.sync(nf, concurrency=4)
        assert (outcome.backups, outcome.resumed) == (3000, True)
        assert 48 <= len(sim.requests) <= 48 + 4
        assert len(sim.requests) - rest <= 48 - 21 + 4


async def test_a_rejected_cursor_restarts_only_its_listing(database: str) -> None:
    account = FakeAccount({"p/a": backups(250), "p/b": backups(150)}, faults={"p/a#2": refusal(401)})
    async with account.serve() as nf, Inventory(database) as inventory:
        with pytest.raises(AuthenticationError):
            await inventory.sync(nf, concurrency=1)
        account.faults.clear()
        account.requested.clear()
        account.cursor_prefix = "other"
        del account.addons["p/a"][0]
        outcome = await inventory.sync(nf, concurrency=1)
        there = await stored(inventory)
    assert account.requested == [
        "p/a#2",
        *("p/a#0", "p/a#other1", "p/a#other2"),
        *("p/a#0", "p/a#other1", "p/a#other2"),  # again, because a backup is missing
        *("p/b#0", "p/b#other1"),
    ]
    assert (outcome.backups, outcome.failures, len(there)) == (399, [], 399)
    assert "p/a/b0" not in there


async def test_a_bad_request_without_a_saved_cursor_is_a_failure(database: str) -> None:
    account = FakeAccount({"p/a": backups(250), "p/b": backups(1)}, faults={"p/a#1": refusal(400)})
    async with account.serve() as nf, Inventory(database) as inventory:
        outcome = await inventory.sync(nf)
        assert len(await stored(inventory)) == 101
    assert [failure.addon_id for failure in outcome.failures] == ["a"]


async def test_a_sync_with_another_query_starts_from_the_beginning(database: str) -> None:
    account = FakeAccount({"p/a": backups(1), "q/a": backups(1)}, faults={"q/a#0": refusal(401)})
    async with account.serve() as nf, Inventory(database) as inventory:
        with pytest.raises(AuthenticationError):
            await inventory.sync(nf, concurrency=1)
        account.faults.clear()
        outcome = await inventory.sync(Query(nf, projects=["p", "q"]))
    assert (outcome.resumed, outcome.progress.requests) == (False, 5)


async def test_a_sync_inserts_matching_backups_and_updates_all_stored_ones(database: str) -> None:
    kept, other = backups(2)
    account = FakeAccount({"p/a": [kept, {**other, "status": "failed"}]})
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(Query(nf, statuses=RunStatus.FAILED))
        assert set(await stored(inventory)) == {"p/a/b1"}
        account.addons["p/a"] = [kept, other]
        await inventory.sync(Query(nf, statuses=RunStatus.FAILED))
        assert {name: row.status for name, row in (await stored(inventory)).items()} == {"p/a/b1": "completed"}
        await inventory.sync(Query(nf, since=datetime(2026, 1, 2, tzinfo=UTC)))
        assert set(await stored(inventory)) == {"p/a/b1"}
        await inventory.sync(Query(nf, since=datetime(2026, 1, 1, tzinfo=UTC)))
        assert set(await stored(inventory)) == {"p/a/b0", "p/a/b1"}


async def test_backups_of_other_addon_types_are_not_requested(database: str) -> None:
    account = FakeAccount({"p/a": backups(1), "p/b": backups(1)}, addon_types={"p/b": "postgresql"})
    async with account.serve() as nf, Inventory(database) as inventory:
        outcome = await inventory.sync(Query(nf, addon_types=["postgresql"]))
        assert set(await stored(inventory)) == {"p/b/b0"}
    assert outcome.progress.addons == 1
    assert account.requested == ["#0", "p#0", "p/b#0"]


async def test_backups_have_their_restores_newest_first(nf: Northflank, database: str) -> None:
    async with Inventory(database) as inventory:
        await inventory.sync(Query(nf, restores=True))
        rows = await stored(inventory, restores=True)
    every = [restore for row in rows.values() for restore in row.restores]
    expected = [
        restore
        async for project in nf.projects()
        async for addon in nf.project(project.id).addons()
        async for restore in nf.project(project.id).addon(addon.id).restores().raw()
    ]
    assert Counter(restore.id for restore in every) == Counter(restore["id"] for restore in expected)
    by_id = {restore["id"]: restore for restore in expected}
    for row in rows.values():
        assert [restore.data for restore in row.restores] == [by_id[restore.id] for restore in row.restores]
        assert all(restore.data["backupId"] == row.id for restore in row.restores)
        times = [restore.restore_timestamp for restore in row.restores]
        assert times == sorted(times, reverse=True, key=lambda time: time or datetime.min)


async def test_a_sync_reports_failures_and_stores_the_rest(database: str) -> None:
    account = FakeAccount(
        {
            "p/a": [*backups(1), {"id": "odd", "createdAt": 7}, {"no": "id"}, None],
            "p/b": backups(1),
            "q/a": backups(150),
        },
        faults={
            "p/b#0": refusal(403),
            "q/a#1": web.Response(text='{"data": []}'),
        },
    )
    async with account.serve() as nf, Inventory(database) as inventory:
        outcome = await inventory.sync(nf)
        there = await stored(inventory)
    assert len(there) == 1 + 1 + 100
    assert outcome.backups == 102
    odd = there["p/a/odd"]
    assert (odd.status, odd.created_at, odd.data) == (None, None, {"id": "odd", "createdAt": 7})
    with pytest.raises(DecodeError):
        _ = odd.backup
    shown = sorted(str(failure) for failure in outcome.failures)
    assert len(shown) == 5
    assert shown[0].startswith("p/a: no id: data.backups[2]")
    assert shown[2].startswith("p/a: odd: data.backups[1].status: missing") or "createdAt" in shown[2]
    assert shown[3].startswith("p/b: 403 refused with 403")
    assert shown[4].startswith("q/a: data")


async def test_backups_of_a_failed_addon_are_not_deleted(database: str) -> None:
    account = FakeAccount({"p/a": backups(1), "p/b": backups(1)})
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(nf)
        account.faults["p/b#0"] = refusal(403)
        await inventory.sync(nf)
        assert set(await stored(inventory)) == {"p/a/b0", "p/b/b0"}


async def test_a_sync_that_can_read_no_project_raises_the_error(database: str) -> None:
    account = FakeAccount({"p/a": backups(1)}, faults={"nope#0": refusal(404)})
    async with account.serve() as nf, Inventory(database) as inventory:
        with pytest.raises(NotFound):
            await inventory.sync(Query(nf, projects=["nope"]))
        outcome = await inventory.sync(Query(nf, projects=["nope", "p"]))
    assert len(outcome.failures) == 1


async def test_a_sync_that_could_read_no_project_is_not_resumed(database: str) -> None:
    account = FakeAccount({"p/a": backups(1)}, faults={"p#0": refusal(404)})
    async with account.serve() as nf, Inventory(database) as inventory:
        with pytest.raises(NotFound):
            await inventory.sync(nf)
        account.addons = {"q/a": backups(1)}
        assert (await inventory.sync(nf)).backups == 1


async def test_a_sync_stopped_by_an_outage_resumes(database: str) -> None:
    account = FakeAccount({f"p/a{number}": backups(1) for number in range(40)})

    def fail(page: str) -> bool:
        if page == "p/a10#0":
            account.faults.update({f"p/a{number}#0": refusal(500) for number in range(40)})
        return False

    account.holds = fail
    async with account.serve(attempts=1) as nf, Inventory(database) as inventory:
        with pytest.raises(ServerError):
            await inventory.sync(nf, concurrency=1)
        assert account.requested[12:] == [*(f"p/a{number}#0" for number in range(10, 20)), "p/a9#0", "p/a8#0"]
        account.holds = lambda _: False
        account.faults.clear()
        account.requested.clear()
        outcome = await inventory.sync(nf)
        assert (outcome.backups, outcome.failures) == (40, [])
        assert len(account.requested) == 30


async def test_text_that_databases_reject_is_escaped(database: str) -> None:
    raw = {
        **backups(1)[0],
        "id": "nul \0 half \ud800 whole 😀",
        "name": "\0",
        "status": "\udfff",
        "config": {"size": str(2**70)},
    }
    account = FakeAccount({"p/a": [raw]})
    async with account.serve() as nf, Inventory(database) as inventory:
        outcome = await inventory.sync(nf)
        (row,) = [row async for row in inventory.backups()]
    assert outcome.failures == []
    assert row.data == {**raw, "id": "nul \\x00 half \\ud800 whole 😀", "name": "\\x00", "status": "\\udfff"}
    assert (row.id, row.name, row.status, row.size) == ("nul \\x00 half \\ud800 whole 😀", "\\x00", "\\udfff", None)
    assert row.backup.config
    assert row.backup.config.size == 2**70


async def test_an_addon_that_is_listed_twice_is_read_once(database: str) -> None:
    addons = [[{"id": "a"}, {"id": "a"}], [{"id": "a"}, {"id": "b"}]]
    account = FakeAccount({"p/a": backups(1), "p/b": []}, pages={"p": addons})
    async with account.serve() as nf, Inventory(database) as inventory:
        outcome = await inventory.sync(nf)
    assert account.requested.count("p/a#0") == 1
    assert outcome.progress.addons == outcome.progress.addons_done == 2


async def test_a_cancelled_sync_completes_its_last_transaction(
    nf: Northflank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, released, store_pages = threading.Event(), threading.Event(), Ledger.store_pages

    def slow(*arguments: Any) -> list[Reading]:
        started.set()
        released.wait()
        return store_pages(*arguments)

    monkeypatch.setattr(Ledger, "store_pages", slow)
    async with Inventory(tmp_path / "x.db") as inventory:
        task = asyncio.create_task(inventory.sync(nf))
        await asyncio.to_thread(started.wait)
        task.cancel()
        for _ in range(50):
            await asyncio.sleep(0)
        ended_before = task.done()
        released.set()
        assert not ended_before
        with pytest.raises(asyncio.CancelledError):
            await task
        outcome = await inventory.sync(nf)
    assert outcome.resumed
    assert outcome.progress.projects == len(await nf.projects().all())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning")
async def test_a_hanging_transaction_does_not_block_cancellation(
    nf: Northflank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("northflank_async.inventory.store.connections._GRACE", 0.01)
    started, released = threading.Event(), threading.Event()

    def endless(*_: object) -> None:
        started.set()
        released.wait()

    monkeypatch.setattr(Ledger, "store_pages", endless)
    async with Inventory(tmp_path / "x.db") as inventory:
        inventory._database._patience = 0.01
        task = asyncio.create_task(inventory.sync(nf))
        await asyncio.to_thread(started.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not released.is_set()
    released.set()
    await asyncio.get_running_loop().shutdown_default_executor()
    gc.collect()  # closes the connection of the hanging transaction


async def test_a_sync_of_the_same_account_from_another_host_is_refused(tmp_path: Path) -> None:
    account = FakeAccount({"p/a": backups(3)})
    async with account.serve() as nf, Inventory(tmp_path / "x.db") as inventory:
        await inventory.sync(nf)
        other_url = nf.base_url.replace("127.0.0.1", "localhost")
        async with Northflank("another-token", base_url=other_url) as other:
            with pytest.raises(ConfigurationError, match=r"belongs to 127\.0\.0\.1; syncing from localhost"):
                await inventory.sync(other)
            account.auth = {"entityId": "another"}
            await inventory.sync(other)
        assert len(await stored(inventory)) == 3
        assert len([row async for row in inventory.backups()]) == 6
