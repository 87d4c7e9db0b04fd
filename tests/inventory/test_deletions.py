"""What a sync may mark as deleted: only what the same account no longer lists, as far as that is known."""

import io
from pathlib import Path
from random import Random
from typing import Any

import pytest

from northflank_async import AuthenticationError, ConfigurationError, DecodeError, MassDeletion, Northflank
from northflank_async.inventory import Inventory, Query, Scan
from northflank_async.inventory.export import export
from northflank_async.inventory.store.reader import read_backups
from northflank_async.inventory.store.stored_backup import StoredBackup, UnlistedRestores
from northflank_async.inventory.stream import stream
from tests.support.fake_account import FakeAccount, backups, refusal
from tests.support.inventories import stored

ACME: dict[str, Any] = {"entityId": "acme", "permissions": {"projectScope": ["Read"]}}
ONLY_P = {**ACME, "projectRestrictions": {"enabled": True, "projects": ["p"], "restrictionMode": "in"}}
OTHER_TOKEN = "another-token-to-be-kept-secret"
UNKNOWN = [refusal(403), refusal(404), refusal(500), {"entityId": 7}, {"entityId": ""}, {"entityId": "x" * 501}, None]
"""Answers of `/v1/auth` that do not say whose token it is."""


def another_client(nf: Northflank) -> Northflank:
    return Northflank(OTHER_TOKEN, base_url=nf.base_url)


def an_account(*addons: str, count: int = 1) -> FakeAccount:
    return FakeAccount({name: backups(count) for name in addons}, auth=ACME)


async def test_two_accounts_live_side_by_side(database: str) -> None:
    account = an_account("p/a", "p/b", "q/a")
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(nf)
        account.auth, account.addons = {"entityId": "other"}, {"p/a": backups(2)}
        await inventory.sync(nf)
        rows = [(row.account_id, row.project_id, row.addon_id, row.id) async for row in inventory.backups()]
    assert rows == [
        ("acme", "p", "a", "b0"),
        ("acme", "p", "b", "b0"),
        ("acme", "q", "a", "b0"),
        ("other", "p", "a", "b0"),
        ("other", "p", "a", "b1"),
    ]


async def test_an_interrupted_sync_is_resumed_after_that_of_another_account(database: str) -> None:
    account = an_account("p/a", "p/b", count=150)
    account.faults["p/b#1"] = refusal(401)
    async with account.serve() as nf, Inventory(database) as inventory:
        with pytest.raises(Exception, match="401"):
            await inventory.sync(nf, concurrency=1)
        account.faults.clear()
        account.auth = {"entityId": "other"}
        assert not (await inventory.sync(nf)).resumed
        account.auth = ACME
        account.requested.clear()
        assert (await inventory.sync(nf)).resumed
        assert account.requested == ["p/b#1"]


@pytest.mark.parametrize(("answer", "error"), [([], MassDeletion), (None, DecodeError)])
async def test_an_account_that_lists_no_project_any_longer_is_a_failure(
    database: str, answer: list[Any] | None, error: type[Exception]
) -> None:
    account = an_account("p/a", "q/a")
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(nf)
        account.faults["#0"] = {"projects": answer}
        with pytest.raises(error):
            await inventory.sync(nf)
        assert len(await stored(inventory)) == 2


@pytest.mark.parametrize(
    ("page", "kind"), [("p#0", "addons"), ("p/a#0", "backups"), ("p/a/restores#0", "restores"), ("p/b#1", "backups")]
)
@pytest.mark.parametrize("data", ["null", "other", "nothing"])
async def test_a_listing_without_an_array_is_a_failure_even_if_nothing_of_it_is_known(
    database: str, page: str, kind: str, data: str
) -> None:
    account = an_account("p/a", "p/b", "q/a", count=150)
    account.faults[page] = {"null": {kind: None}, "other": {"items": []}, "nothing": {}}[data]
    async with account.serve() as nf, Inventory(database) as inventory:
        (failure,) = (await inventory.sync(Query(nf, restores=True))).failures
        assert f"data.{kind}: {'expected an array, got null' if data == 'null' else 'missing'}" in str(failure)


@pytest.mark.parametrize("target", ["stdout", "file", "scan", "plan"])
async def test_a_null_listing_is_a_failure_wherever_it_is_read(tmp_path: Path, target: str) -> None:
    account = an_account("p/a", "p/b", "q/a")
    account.faults["p/a#0" if target != "plan" else "p#0"] = {"backups": None, "addons": None}
    async with account.serve() as nf:
        match target:
            case "stdout":
                failures = (await stream(io.BytesIO(), nf)).failures
            case "file":
                failures = (await export(str(tmp_path / "x.jsonl"), nf)).failures
            case "scan":
                async with Scan(nf) as scan:
                    assert len([found async for found in scan]) == 2
                failures = list(scan.failures)
            case _:
                failures = list((await nf.plan()).failures)
    (failure,) = failures
    assert "expected an array, got null" in str(failure)


@pytest.mark.parametrize("kind", ["addons", "backups"])
async def test_a_null_listing_with_known_items_is_a_failure(database: str, kind: str) -> None:
    account = an_account("p/a", "p/b")
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(nf)
        account.faults["p#0" if kind == "addons" else "p/a#0"] = {kind: None}
        if kind == "addons":
            with pytest.raises(DecodeError, match="expected an array, got null"):
                await inventory.sync(nf)
        else:
            (failure,) = (await inventory.sync(nf)).failures
            assert str(failure) == "p/a: data.backups: expected an array, got null"
        assert len(await stored(inventory)) == 2


@pytest.mark.slow
@pytest.mark.parametrize(("known", "left", "is_failure"), [(1, 0, True), (9, 1, False), (10, 5, False), (10, 4, True)])
async def test_a_listing_that_loses_most_of_its_addons_is_a_failure(
    database: str, known: int, left: int, is_failure: bool
) -> None:
    account = an_account("q/z", *(f"p/a{number}" for number in range(known)))
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(nf)
        account.pages["p"] = [[{"id": f"a{number}"} for number in range(left)]]
        outcome = await inventory.sync(nf)
        if is_failure:
            (failure,) = outcome.failures
            assert f"{known - left} of {known} known addons are no longer listed" in str(failure)
            assert "--allow-mass-deletion" in str(failure)
            assert len(await stored(inventory)) == 1 + known
            assert (await inventory.sync(nf, allow_mass_deletion=True)).failures == []
        else:
            assert outcome.failures == []
        assert len(await stored(inventory)) == 1 + left


async def test_an_addon_may_lose_all_its_backups(database: str) -> None:
    account = an_account("p/a", "p/b", count=20)
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(nf)
        account.addons["p/a"] = []
        assert (await inventory.sync(nf)).failures == []
        assert len(await stored(inventory)) == 20


async def test_a_token_that_sees_less_deletes_nothing_that_it_cannot_see(database: str) -> None:
    account = an_account("p/a", "p/b", "q/a")
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(nf)
        before = await stored(inventory)
        account.auth, account.pages = ONLY_P, {"": [[{"id": "p"}]]}
        for _ in range(2):
            outcome = await inventory.sync(nf)
            assert (outcome.backups, outcome.failures) == (2, [])
        after = await stored(inventory)
        assert set(after) == set(before)
        assert after["q/a/b0"].last_seen_at == before["q/a/b0"].last_seen_at
        assert after["p/a/b0"].last_seen_at > before["p/a/b0"].last_seen_at
        del account.addons["p/b"]  # an addon that only the wider token has seen is deleted by the wider token
        await inventory.sync(nf)
        account.auth = ACME
        await inventory.sync(nf)
        assert set(await stored(inventory)) == {"p/a/b0"}


@pytest.mark.parametrize("unknown", UNKNOWN)
async def test_an_unknown_account_deletes_nothing_of_a_known_one(database: str, unknown: Any) -> None:
    account = an_account("p/a", "p/b", "q/a", count=2)
    async with account.serve(attempts=1) as nf, Inventory(database) as inventory:
        await inventory.sync(nf)
        account.faults["auth"] = unknown
        account.addons = {"p/a": backups(1)}
        outcome = await inventory.sync(nf)
        assert (outcome.backups, outcome.failures) == (1, [])
        assert len(await stored(inventory)) == 6
        assert {row.account_id for row in (await stored(inventory)).values()} == {"acme"}
        account.faults.clear()
        await inventory.sync(nf, allow_mass_deletion=True)
        assert set(await stored(inventory)) == {"p/a/b0"}


async def test_an_account_that_was_never_known_deletes_no_projects(database: str) -> None:
    account = an_account("p/a", "p/b", "q/a")
    account.faults["auth"] = refusal(403)
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(nf)
        account.addons = {"p/a": backups(1)}
        await inventory.sync(nf)
        assert set(await stored(inventory)) == {"p/a/b0", "q/a/b0"}
        assert {row.account_id for row in (await stored(inventory)).values()} == {None}


async def test_an_account_that_was_never_known_deletes_only_what_the_same_token_has_seen(database: str) -> None:
    account = an_account("p/a", "p/b", count=2)
    account.restores["p/a"] = [a_restore("r1", "b0"), a_restore("r2", "b1")]
    account.faults["auth"] = refusal(403)
    async with account.serve() as first, another_client(first) as second, Inventory(database) as inventory:
        await inventory.sync(Query(first, restores=True))
        every, account.addons = account.addons, {"p/a": backups(1)}
        account.restores.clear()
        for _ in range(2):
            await inventory.sync(Query(second, restores=True))
            rows = await stored(inventory, restores=True)
            assert len(rows) == 4
            assert [len(row.restores) for row in rows.values()] == [1, 1, 0, 0]
        account.addons = {"p/c": backups(1)}
        await inventory.sync(second, allow_mass_deletion=True)  # its own addon a is deleted, with its backup
        assert set(await stored(inventory)) == {"p/a/b1", "p/b/b0", "p/b/b1", "p/c/b0"}
        account.addons = every
        await inventory.sync(first)
        account.addons = {"p/a": backups(1)}
        await inventory.sync(first)
        assert set(await stored(inventory)) == {"p/a/b0", "p/c/b0"}
        await inventory.sync(second, allow_mass_deletion=True)
        assert set(await stored(inventory)) == {"p/a/b0"}


async def test_a_run_without_an_account_is_resumed_with_the_same_token_only(database: str) -> None:
    account = an_account("p/a", "p/b")
    account.faults |= {"auth": refusal(403), "p/b#0": refusal(401)}
    async with account.serve() as first, another_client(first) as second:
        for nf, resumes in ((first, True), (second, False)):
            async with Inventory(database) as inventory:
                with pytest.raises(AuthenticationError):
                    await inventory.sync(first, concurrency=1)
                fault = account.faults.pop("p/b#0")
                assert (await inventory.sync(nf)).resumed is resumes
                account.faults["p/b#0"] = fault


async def test_no_token_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "inventory.db"
    account = an_account("p/a")
    account.faults["auth"] = refusal(403)
    async with account.serve() as nf, another_client(nf) as other, Inventory(path) as inventory:
        await inventory.sync(other)
        assert nf.token_fingerprint != other.token_fingerprint
    assert other.token_fingerprint.encode() in path.read_bytes()
    assert OTHER_TOKEN.encode() not in path.read_bytes()


@pytest.mark.parametrize("size", [10, 2])
@pytest.mark.parametrize(
    "auth", [ONLY_P, {**ACME, "permissions": {"projectScope": []}}, {**ACME, "entityId": "other"}, None]
)
async def test_a_token_that_is_narrowed_during_a_run_deletes_nothing(
    database: str, auth: dict[str, Any] | None, size: int
) -> None:
    account = an_account("p/a", "q/a", "r/a", "s/a")
    async with account.serve(attempts=1) as nf, Inventory(database) as inventory:
        await inventory.sync(nf)

        def narrow() -> None:
            left = [{"id": "p"}, {"id": "q"}, {"id": "r"}]
            account.pages[""] = [left[start : start + size] for start in range(0, 3, size)]
            if auth is None:
                account.faults["auth"] = refusal(500)
            else:
                account.auth = auth

        changes_at(account, "#0", narrow)
        assert (await inventory.sync(nf)).failures == []
        assert len(await stored(inventory)) == 4
        account.faults.clear()
        account.auth = ACME
        account.pages.clear()
        await inventory.sync(nf)
        del account.addons["s/a"]
        await inventory.sync(nf)
        assert set(await stored(inventory)) == {"p/a/b0", "q/a/b0", "r/a/b0"}


async def test_what_a_token_may_see_is_read_again_only_before_projects_or_addons_are_deleted(database: str) -> None:
    account = an_account("p/a", "p/b", "q/a", "r/a", count=2)
    async with account.serve() as nf, Inventory(database) as inventory:
        for addons, requests in (
            (["p/a", "p/b", "q/a", "r/a"], 1),
            (["p/a", "p/b", "q/a", "r/a"], 1),
            (["p/a", "q/a", "r/a"], 2),
            (["p/a", "q/a"], 2),
            (["p/a", "q/a"], 1),
        ):
            account.auth_requests = 0
            account.addons = {name: backups(len(addons)) for name in addons}  # backups are deleted, too
            await inventory.sync(nf)
            assert account.auth_requests == requests
            assert len(await stored(inventory)) == len(addons) ** 2


async def test_an_inventory_is_adopted_by_the_first_account_that_is_known(database: str) -> None:
    account = an_account("p/a", "p/b", "q/a", count=2)
    account.faults["auth"] = refusal(403)
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(nf)
        account.faults.clear()
        lost, account.addons = account.addons, {"p/a": backups(1)}
        await inventory.sync(nf)
        rows = await stored(inventory)
        assert len(rows) == 6  # they may be another account's
        assert {row.account_id for row in rows.values()} == {"acme"}
        account.addons = lost
        await inventory.sync(nf)
        account.addons = {"p/a": backups(1)}
        await inventory.sync(nf, allow_mass_deletion=True)
        assert set(await stored(inventory)) == {"p/a/b0"}


async def test_an_unknown_account_is_refused_by_an_inventory_of_several(database: str) -> None:
    account = an_account("p/a")
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(nf)
        account.auth = {"entityId": "other"}
        await inventory.sync(nf)
        account.faults["auth"] = refusal(403)
        with pytest.raises(ConfigurationError, match="several accounts"):
            await inventory.sync(nf)


@pytest.mark.parametrize("odd_id", [7, None, "", [], {}, "x" * 501, "ä" * 300, "\ud800" * 100])
async def test_a_listing_with_an_unusable_id_deletes_nothing(database: str, odd_id: Any) -> None:
    account = an_account("p/a", count=3)
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(nf)
        before = await stored(inventory)
        account.addons["p/a"] = [{**backups(1)[0], "id": odd_id}, *backups(3)[1:]]
        (failure,) = (await inventory.sync(nf)).failures
        after = await stored(inventory)
    assert "data.backups[0].id" in str(failure)
    assert set(after) == set(before)
    assert after["p/a/b0"].last_seen_at == before["p/a/b0"].last_seen_at
    assert after["p/a/b1"].last_seen_at > before["p/a/b1"].last_seen_at


@pytest.mark.parametrize("odd_id", [7, "a/b", "..", "x" * 3000])
async def test_a_project_listing_with_an_unusable_id_deletes_nothing(database: str, odd_id: Any) -> None:
    account = an_account("p/a", "q/a", "r/a")
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(nf)
        account.pages[""] = [[{"id": "p"}, {"id": odd_id}]]
        assert len((await inventory.sync(nf)).failures) == 1
        assert len(await stored(inventory)) == 3


async def test_an_addon_with_odd_tags_keeps_its_columns_and_its_backups(database: str) -> None:
    account = an_account("p/a")
    addon = {"id": "a", "name": "A", "status": "running", "spec": {"type": "redis"}, "tags": "production"}
    account.pages["p"] = [[addon]]
    async with account.serve() as nf, Inventory(database) as inventory:
        outcome = await inventory.sync(Query(nf, addon_types="redis"))
        (row,) = (await stored(inventory)).values()
    assert row.addon_type == "redis"
    (failure,) = outcome.failures
    assert str(failure).startswith("p: a: data.addons[0].tags: ")


async def test_a_backup_with_an_odd_time_keeps_its_status(database: str) -> None:
    one, two = backups(2)
    account = an_account()
    account.addons = {"p/a": [{**one, "completedAt": 7}, {**two, "status": "failed", "completedAt": {}}]}
    async with account.serve() as nf, Inventory(database) as inventory:
        outcome = await inventory.sync(Query(nf, statuses="failed"))
        (row,) = (await stored(inventory)).values()
    assert (row.id, row.status, row.completed_at) == ("b1", "failed", None)
    assert [str(failure).split(": ")[:3] for failure in outcome.failures] == [
        ["p/a", "b0", "data.backups[0].completedAt"],
        ["p/a", "b1", "data.backups[1].completedAt"],
    ]


def changes_at(account: FakeAccount, page: str, change: Any) -> None:
    """Have something happen when a page is requested for the first time."""

    def holds(requested: str) -> bool:
        if requested == page and account.requested.count(page) == 1:
            change()
        return False

    account.requested.clear()
    account.holds = holds


async def test_backups_that_shift_between_pages_are_not_deleted(database: str) -> None:
    account = an_account("p/a", count=250)
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(nf)
        changes_at(account, "p/a#1", lambda: account.addons["p/a"].pop(0))
        outcome = await inventory.sync(nf)
        assert account.requested.count("p/a#0") == 2
        assert outcome.failures == []
        assert len(await stored(inventory)) == 250  # b0 was deleted, and b100 not seen at first
        account.holds = lambda _: False
        account.requested.clear()
        await inventory.sync(nf)
        assert account.requested.count("p/a#0") == 2
        assert set(await stored(inventory)) == {f"p/a/b{number}" for number in range(1, 250)}
        account.requested.clear()
        outcome = await inventory.sync(nf)
        assert account.requested.count("p/a#0") == 1
        assert outcome.progress.backups == outcome.backups == 249


async def test_backups_that_are_repeated_by_an_insertion_are_stored_once(database: str) -> None:
    account = an_account("p/a", count=150)
    new = {**backups(1)[0], "id": "new"}
    changes_at(account, "p/a#1", lambda: account.addons["p/a"].insert(0, new))
    async with account.serve() as nf, Inventory(database) as inventory:
        assert (await inventory.sync(nf)).backups == 150
        assert "p/a/new" not in await stored(inventory)
        assert (await inventory.sync(nf)).backups == 151


async def test_a_listing_that_changes_twice_while_it_is_read_deletes_nothing(database: str) -> None:
    account = an_account("p/a", count=250)
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(nf)
        first = await stored(inventory)
        del account.addons["p/a"][200]

        def holds(page: str) -> bool:
            if page == "p/a#1":
                account.addons["p/a"].insert(0, {**backups(1)[0], "id": f"new{len(account.requested)}"})
            return False

        account.holds = holds
        await inventory.sync(nf)
        second = await stored(inventory)
    assert second["p/a/b200"].last_seen_at == first["p/a/b200"].last_seen_at
    assert second["p/a/b10"].last_seen_at > first["p/a/b10"].last_seen_at


@pytest.fixture
def repeating() -> FakeAccount:
    """An account whose pages repeat an addon and a backup."""
    pages = [[{"id": "a"}, {"id": "b"}], [{"id": "b"}, {"id": "c"}]]
    account = FakeAccount({"p/a": backups(1), "p/b": [], "p/c": backups(1)}, pages={"p": pages})
    account.pages["p/b"] = [backups(2), backups(3)[1:]]
    return account


async def test_what_pages_repeat_is_scanned_once(repeating: FakeAccount) -> None:
    async with repeating.serve() as nf, Scan(nf) as scan:
        found = [(item.addon.id, item.backup.id) async for item in scan]
    assert sorted(found) == [("a", "b0"), ("b", "b0"), ("b", "b1"), ("b", "b2"), ("c", "b0")]
    assert scan.progress.addons == scan.progress.addons_done == 3


async def test_what_pages_repeat_is_streamed_and_planned_once(repeating: FakeAccount) -> None:
    out = io.BytesIO()
    async with repeating.serve() as nf:
        assert (await stream(out, nf)).backups == len(out.getvalue().splitlines()) == 5
        assert (await nf.plan()).addons == 3


def a_restore(name: str, backup_id: str | None) -> dict[str, Any]:
    time = f"2026-01-{name[1:]:0>2}T00:00:00Z"
    return {"id": name, "backupId": backup_id, "status": "completed", "restoreTimestamp": time}


async def read_unlisted(inventory: Inventory, **options: Any) -> dict[str, list[str]]:
    batches = read_backups(inventory._database, with_restores=True, **options)
    return {
        f"{row.project_id}/{row.addon_id}": [restore.id for restore in row.restores]
        async for batch in batches
        for row in batch
        if isinstance(row, UnlistedRestores)
    }


@pytest.mark.slow
@pytest.mark.parametrize("count", [3, 2500])
async def test_restores_without_a_listed_backup_are_read_with_their_addon(database: str, count: int) -> None:
    account = an_account("p/a", "p/b", count=count)
    names = ["gone", "b0", None, "aaa", f"b{count - 1}", "zzz"]
    account.restores["p/a"] = [a_restore(f"r{index}", name) for index, name in enumerate(names, 1)]
    account.restores["p/b"] = [a_restore("r1", "b1")]
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(Query(nf, restores=True))
        assert await read_unlisted(inventory) == {"p/a": ["r6", "r4", "r3", "r1"]}
        rows = await stored(inventory, restores=True)
        assert {name: [each.id for each in row.restores] for name, row in rows.items() if row.restores} == {
            "p/a/b0": ["r2"],
            f"p/a/b{count - 1}": ["r5"],
            "p/b/b1": ["r1"],
        }
        account.addons["p/b"] = [*backups(1), *backups(count)[2:]]  # b1 is deleted
        await inventory.sync(Query(nf, restores=True))
        assert (await read_unlisted(inventory))["p/b"] == ["r1"]
        assert "p/b" not in await read_unlisted(inventory, deleted=True)


async def test_restores_of_excluded_backups_are_not_unlisted(database: str) -> None:
    account = an_account("p/a", count=3)
    account.addons["p/a"][0]["status"] = "failed"
    account.restores["p/a"] = [a_restore("r1", "b0"), a_restore("r2", "b1"), a_restore("r3", "gone")]
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(Query(nf, restores=True, statuses="failed"))
        assert await read_unlisted(inventory) == {"p/a": ["r3"]}
        (row,) = (await stored(inventory, restores=True)).values()
        assert [restore.id for restore in row.restores] == ["r1"]


@pytest.mark.slow
async def test_backups_of_many_small_addons_are_read_in_order(database: str) -> None:
    account = an_account(*(f"p{number % 7}/a{number}" for number in range(900)))
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(nf)
        keys = [(row.project_id, row.addon_id, row.id) async for row in inventory.backups()]
        batches = [batch async for batch in read_backups(inventory._database)]
    assert keys == sorted(keys)
    assert len(keys) == 900
    assert len(batches) <= 4
    assert all(isinstance(row, StoredBackup) for batch in batches for row in batch)


async def test_a_named_project_is_seen_again_when_its_addons_are_listed(database: str) -> None:
    account = an_account("p/a", "q/a")
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(nf)
        account.pages[""] = [[{"id": "q"}]]
        await inventory.sync(nf)
        assert set(await stored(inventory)) == {"q/a/b0"}
        await inventory.sync(Query(nf, projects=["p"]))
        assert set(await stored(inventory)) == {"p/a/b0", "q/a/b0"}


async def test_ids_as_long_as_they_may_be_fit_into_every_index(database: str) -> None:
    letters = Random(0)
    project, addon, backup = ("".join(letters.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=500)) for _ in range(3))
    account = FakeAccount({f"{project}/{addon}": [{**backups(1)[0], "id": backup}]}, auth={"entityId": project})
    account.restores[f"{project}/{addon}"] = [a_restore("r1", backup)]
    async with account.serve() as nf, Inventory(database) as inventory:
        assert (await inventory.sync(Query(nf, restores=True))).failures == []
        (row,) = (await stored(inventory, restores=True)).values()
    assert (row.account_id, row.id, len(row.restores)) == (project, backup, 1)
