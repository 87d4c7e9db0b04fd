"""What happens to sync runs that are interrupted: cursors expire, listings fail, time passes, states are damaged."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from northflank_async import AuthenticationError, Northflank, NorthflankError
from northflank_async.inventory import Inventory, Query
from northflank_async.inventory.export import export, state_path
from northflank_async.inventory.store.ownership import APPLICATION_ID
from tests.support.fake_account import FakeAccount, backups, refusal
from tests.support.inventories import FORMATS, read_lines, stored

REJECTIONS = [400, 404, 409, 410, 422]


def expires(account: FakeAccount, page: str, status: int, times: int) -> None:
    """Have a page reject its cursor so many times."""
    left = [times]

    def holds(requested: str) -> bool:
        if requested == page:
            account.faults.pop(page, None)
            if left[0]:
                left[0] -= 1
                account.faults[page] = refusal(status)
        return False

    account.holds = holds


@pytest.mark.parametrize("status", REJECTIONS)
async def test_a_cursor_that_expires_while_the_process_runs_restarts_its_listing(database: str, status: int) -> None:
    account = FakeAccount({"p/a": backups(250), "p/b": backups(1)})
    expires(account, "p/a#1", status, 1)
    async with account.serve() as nf, Inventory(database) as inventory:
        outcome = await inventory.sync(nf)
    assert (outcome.backups, outcome.failures) == (251, [])
    assert outcome.progress.backups == 251
    assert [page for page in account.requested if page.startswith("p/a")] == [
        *("p/a#0", "p/a#1"),
        *("p/a#0", "p/a#1", "p/a#2"),
    ]


@pytest.mark.parametrize("status", REJECTIONS)
async def test_a_listing_restarts_at_most_three_times(database: str, status: int) -> None:
    account = FakeAccount({"p/a": backups(250), "p/b": backups(1)})
    expires(account, "p/a#1", status, 100)
    async with account.serve() as nf, Inventory(database) as inventory:
        outcome = await inventory.sync(nf)
        assert len(await stored(inventory)) == 101
    assert outcome.backups == 101
    assert [failure.addon_id for failure in outcome.failures] == ["a"]
    assert account.requested.count("p/a#0") == account.requested.count("p/a#1") == 4


@pytest.mark.parametrize("status", [403, 500])
async def test_other_refusals_do_not_restart_a_listing(database: str, status: int) -> None:
    account = FakeAccount({"p/a": backups(250), "p/b": backups(1)}, faults={"p/a#1": refusal(status)})
    async with account.serve(attempts=1) as nf, Inventory(database) as inventory:
        assert len((await inventory.sync(nf)).failures) == 1
    assert account.requested.count("p/a#0") == 1


@pytest.mark.parametrize("status", REJECTIONS)
async def test_a_cursor_that_expired_after_an_interruption_restarts_its_listing(database: str, status: int) -> None:
    account = FakeAccount({"p/a": backups(250)}, faults={"p/a#2": refusal(401)})
    async with account.serve() as nf, Inventory(database) as inventory:
        with pytest.raises(AuthenticationError):
            await inventory.sync(nf)
        account.faults.clear()
        expires(account, "p/a#2", status, 1)
        outcome = await inventory.sync(nf)
    assert outcome.resumed
    assert (outcome.backups, outcome.progress.backups, outcome.failures) == (250, 250, [])


async def test_restarts_are_counted_over_interruptions(database: str) -> None:
    account = FakeAccount({"p/a": backups(250)})
    expires(account, "p/a#1", 410, 100)
    async with account.serve() as nf, Inventory(database) as inventory:
        for _ in range(3):
            assert len((await inventory.sync(nf, strict=True)).failures) == 1
    assert account.requested.count("p/a#0") == 4


async def test_a_scan_survives_an_expired_cursor(database: str) -> None:
    account = FakeAccount({"p/a": backups(250)})
    expires(account, "p/a#2", 410, 1)
    async with account.serve() as nf, nf.scan() as scan:
        ids = [found.backup.id async for found in scan]
    assert (len(ids), len(set(ids)), scan.failures) == (250, 250, [])
    assert scan.progress.backups == 250


@pytest.mark.parametrize("ending", FORMATS)
async def test_addons_that_always_fail_do_not_prevent_an_export(tmp_path: Path, ending: str) -> None:
    account = FakeAccount({f"p/a{number:02}": backups(1) for number in range(80)})
    account.faults = {f"p/a{number:02}#0": refusal(500) for number in range(20)}
    async with account.serve(attempts=1) as nf:
        outcome = await export(str(tmp_path / f"out.{ending}"), nf)
    assert outcome.backups == 60
    assert sorted(failure.addon_id or "" for failure in outcome.failures) == [f"a{n:02}" for n in range(20)]
    assert (tmp_path / f"out.{ending}").exists()


async def interrupted(inventory: Inventory, account: FakeAccount, query: Query | Northflank) -> None:
    account.faults["q/a#1"] = refusal(401)
    with pytest.raises(AuthenticationError):
        await inventory.sync(query, concurrency=1)
    account.faults.clear()
    account.requested.clear()


@pytest.fixture
def account() -> FakeAccount:
    return FakeAccount({"p/a": backups(150), "q/a": backups(150)})


async def test_queries_with_the_same_meaning_resume_each_other(database: str, account: FakeAccount) -> None:
    async with account.serve() as nf, Inventory(database) as inventory:
        await interrupted(inventory, account, Query(nf, projects=["p", "q"], statuses=["failed", "completed"]))
        port = nf.base_url.rpartition(":")[2].strip("/")
        async with Northflank("token", base_url=f"HTTP://127.0.0.1:{port}//") as other:
            query = Query(other, projects=["q", "p", "q"], statuses=("completed", "failed", "failed"))
            assert (await inventory.sync(query)).resumed
    assert account.requested == ["q/a#1"]


@pytest.mark.parametrize(
    "other", [{"projects": ["p"]}, {"statuses": "failed"}, {"restores": True}, {"addon_types": "redis"}], ids=str
)
async def test_queries_with_another_meaning_do_not_resume_each_other(
    database: str, account: FakeAccount, other: dict[str, Any]
) -> None:
    async with account.serve() as nf, Inventory(database) as inventory:
        await interrupted(inventory, account, nf)
        assert not (await inventory.sync(Query(nf, **other))).resumed


async def test_a_token_that_sees_something_else_does_not_resume(database: str, account: FakeAccount) -> None:
    async with account.serve() as nf, Inventory(database) as inventory:
        await interrupted(inventory, account, nf)
        account.auth |= {"permissions": {"projectScope": ["another"]}}
        assert not (await inventory.sync(nf)).resumed


@pytest.mark.parametrize("target", ["x.db", "x.jsonl"])
async def test_an_old_run_is_not_resumed(tmp_path: Path, account: FakeAccount, target: str) -> None:
    path = tmp_path / target
    state = path if target == "x.db" else state_path(path)
    async with account.serve() as nf:
        account.faults["q/a#1"] = refusal(401)
        with pytest.raises(AuthenticationError):
            await export(str(path), nf)
        account.faults.clear()
        started = (datetime.now(UTC) - timedelta(hours=25)).isoformat(" ", "milliseconds")
        with closing(sqlite3.connect(state)) as connection, connection:
            connection.execute("UPDATE sync_runs SET started_at = ?", (started,))
        account.requested.clear()
        outcome = await export(str(path), nf)
    assert (outcome.resumed, outcome.resumed_from) == (False, None)
    assert outcome.discarded_from is not None
    assert outcome.discarded_from.isoformat(" ", "milliseconds") == started
    assert (outcome.backups, len(account.requested)) == (300, 1 + 2 + 4)


@pytest.mark.parametrize(("age", "max_age", "resumes"), [(30, 31, True), (30, 29, False), (1, 0, False)])
async def test_the_age_of_a_run_is_limited_by_the_caller(
    tmp_path: Path, account: FakeAccount, age: int, max_age: int, resumes: bool
) -> None:
    async with account.serve() as nf, Inventory(tmp_path / "x.db") as inventory:
        await interrupted(inventory, account, nf)
        started = (datetime.now(UTC) - timedelta(hours=age)).isoformat(" ", "milliseconds")
        with closing(sqlite3.connect(tmp_path / "x.db")) as connection, connection:
            connection.execute("UPDATE sync_runs SET started_at = ?", (started,))
        outcome = await inventory.sync(nf, resume_max_age=timedelta(hours=max_age))
    assert outcome.resumed is resumes
    if resumes:
        assert outcome.resumed_from is not None
        assert outcome.resumed_from.isoformat(" ", "milliseconds") == started


@pytest.mark.parametrize(("ahead", "resumes"), [(timedelta(minutes=5), True), (timedelta(days=30), False)])
async def test_a_run_that_started_far_in_the_future_is_not_resumed(
    tmp_path: Path, account: FakeAccount, caplog: pytest.LogCaptureFixture, ahead: timedelta, *, resumes: bool
) -> None:
    async with account.serve() as nf, Inventory(tmp_path / "x.db") as inventory:
        await interrupted(inventory, account, nf)
        started = (datetime.now(UTC) + ahead).isoformat(" ", "milliseconds")
        with closing(sqlite3.connect(tmp_path / "x.db")) as connection, connection:
            connection.execute("UPDATE sync_runs SET started_at = ?", (started,))
        caplog.set_level("INFO")
        outcome = await inventory.sync(nf)
    assert outcome.resumed is resumes
    assert ("started less than a minute ago" if resumes else f"started in the future, at {started[:10]}") in caplog.text


async def test_what_a_resumed_run_has_read_has_its_own_times(database: str, account: FakeAccount) -> None:
    account.addons["r/a"] = backups(1)
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(nf)
        before = datetime.now(UTC)
        await interrupted(inventory, account, nf)
        between = datetime.now(UTC)
        assert (await inventory.sync(nf)).resumed
        rows = await stored(inventory)
    assert before < rows["p/a/b0"].last_seen_at < between
    assert before < rows["q/a/b149"].last_seen_at < between  # when its listing was begun
    assert rows["r/a/b0"].last_seen_at > between


async def test_an_api_that_is_down_does_not_destroy_what_was_read(database: str, account: FakeAccount) -> None:
    async with account.serve(attempts=1) as nf, Inventory(database) as inventory:
        await interrupted(inventory, account, nf)
        account.faults = {page: refusal(500) for page in ("auth", "#0", "p#0", "q#0", "q/a#1")}
        outcome = await inventory.sync(nf, strict=True)
        assert (outcome.resumed, len(outcome.failures)) == (True, 1)
        account.faults.clear()
        account.requested.clear()
        outcome = await inventory.sync(nf)
        assert (outcome.resumed, outcome.backups) == (True, 300)
        assert account.requested == ["q/a#1"]


async def test_a_strict_sync_leaves_its_run_open_until_its_failures_are_fixed(database: str) -> None:
    account = FakeAccount({"p/a": backups(1), "p/b": backups(150), "p/c": [{"id": 7}, *backups(1)]})
    account.faults["p/b#1"] = refusal(403)
    async with account.serve() as nf, Inventory(database) as inventory:
        outcome = await inventory.sync(nf, strict=True)
        assert sorted(failure.addon_id or "" for failure in outcome.failures) == ["b", "c"]
        account.faults.clear()
        account.addons["p/c"] = backups(2)
        account.requested.clear()
        outcome = await inventory.sync(nf, strict=True)
        assert (outcome.failures, outcome.backups, outcome.resumed) == ([], 153, True)
        assert outcome.progress.addons_done == outcome.progress.addons == 3
        assert outcome.progress.backups == 153
        assert sorted(account.requested) == ["p/b#1", "p/c#0"]
        assert not (await inventory.sync(nf, strict=True)).resumed


def damage(state: Path, how: str) -> None:
    match how:
        case "no database":
            state.write_bytes(b"something else" * 100)
        case "cut":
            state.write_bytes(state.read_bytes()[:5000])
        case "overwritten":
            content = bytearray(state.read_bytes())
            content[200:] = b"\xff" * len(content[200:])
            state.write_bytes(content)
        case "newer":
            with closing(sqlite3.connect(state)) as connection:
                connection.execute("PRAGMA user_version = 99")
        case "another application's":
            with closing(sqlite3.connect(state)) as connection:
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID + 1}")
        case "other tables":
            with closing(sqlite3.connect(state)) as connection:
                connection.execute("DROP TABLE seen_ids")


@pytest.mark.parametrize("how", ["no database", "cut", "overwritten", "newer", "another application's", "other tables"])
async def test_an_unusable_state_is_named_and_can_be_deleted(tmp_path: Path, account: FakeAccount, how: str) -> None:
    out = tmp_path / "out.jsonl"
    async with account.serve() as nf:
        account.faults["q/a#1"] = refusal(401)
        with pytest.raises(AuthenticationError):
            await export(str(out), nf)
        account.faults.clear()
        damage(state_path(out), how)
        for _ in range(2):
            with pytest.raises(OSError, match="delete it, and the export starts anew") as caught:
                await export(str(out), nf)
            assert caught.value.filename == str(state_path(out))
        state_path(out).unlink()
        assert (await export(str(out), nf)).backups == 300
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("allow_empty", [False, True])
@pytest.mark.parametrize("ending", FORMATS)
async def test_a_result_of_nothing_replaces_a_file_only_if_it_may(
    tmp_path: Path, account: FakeAccount, ending: str, allow_empty: bool
) -> None:
    out = tmp_path / f"out.{ending}"
    async with account.serve() as nf:
        await export(str(out), nf)
        before = out.read_bytes()
        nothing = Query(nf, statuses="failed")
        if allow_empty:
            assert (await export(str(out), nothing, allow_empty=True)).backups == 0
            assert (await export(str(out), nothing)).backups == 0  # it was empty before
        else:
            with pytest.raises(NorthflankError, match="--allow-empty"):
                await export(str(out), nothing)
            assert out.read_bytes() == before
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("depth", [90, 300, 1000])
@pytest.mark.parametrize("ending", ["db", *FORMATS])
async def test_json_of_any_depth_can_be_exported(tmp_path: Path, ending: str, depth: int) -> None:
    item = json.dumps({**backups(1)[0], "x": "here", "additionalDestinations": 7})
    body = item.replace('"here"', "[" * depth + "]" * depth)
    account = FakeAccount({"p/a": []}, faults={"p/a#0": web.Response(text=f'{{"data": {{"backups": [{body}]}}}}')})
    out = tmp_path / f"out.{ending}"
    async with account.serve() as nf:
        outcome = await export(str(out), nf)
    assert (outcome.backups, outcome.failures) == (1, [])
    if ending == "jsonl":
        assert [line["backup"]["id"] for line in read_lines(out)] == ["b0"]


async def test_a_listing_that_broke_after_it_had_been_answered_is_not_an_outage(tmp_path: Path) -> None:
    account = FakeAccount({f"p/a{number:02}": backups(1) for number in range(40)})
    broken = [f"p/a{number:02}#0" for number in range(9, 30)]

    def holds(page: str) -> bool:
        if page == broken[1]:  # the one before it was the last that was answered
            account.faults |= dict.fromkeys(broken, refusal(500))
        return False

    account.holds = holds
    async with account.serve(attempts=1) as nf:
        outcome = await export(str(tmp_path / "x.jsonl"), nf, concurrency=1)
    assert len(outcome.failures) == 20
    assert outcome.backups == 20
