"""What the store knows of addons and accounts, and how far."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from northflank_async import ConfigurationError, NorthflankError
from northflank_async.audit import audit
from northflank_async.inventory import Inventory, Query
from northflank_async.inventory.export import export
from northflank_async.inventory.facts import AddonFacts, CopyFact
from northflank_async.records import BackupDestination
from tests.support.fake_account import FakeAccount, backups, refusal

SCHEDULE: dict[str, Any] = {
    "id": "s0",
    "backupType": "dump",
    "scheduling": {"interval": "daily", "minute": [30], "hour": [2]},
    "retentionTime": 7,
    "additionalDestinations": [{"destinationId": "offsite", "type": "custom"}],
    "createdAt": "2026-01-01T00:00:00.000Z",
    "updatedAt": "2026-01-02T00:00:00.000Z",
}
RESTORE = {"id": "r0", "backupId": "b0", "status": "completed", "restoreTimestamp": "2026-01-03T00:00:00.000Z"}


async def facts(inventory: Inventory) -> dict[str, AddonFacts]:
    return {each.addon_id: each async for each in inventory.addon_facts()}


def an_account(*addons: str) -> FakeAccount:
    return FakeAccount(
        {name: backups(2) for name in addons},
        restores={name: [RESTORE] for name in addons},
        schedules={name: [SCHEDULE] for name in addons},
    )


async def test_backups_restores_and_schedules_are_known_with_the_time_when_they_were_read(database: str) -> None:
    account = an_account("p/a")
    account.addon_fields["p/a"] = {"tags": ["production"]}
    before = datetime.now(UTC)
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(Query(nf, restores=True, schedules=True))
        addon = (await facts(inventory))["a"]
        (acme,) = await inventory.account_facts()
    assert (addon.account_id, addon.team_id, addon.project_id, addon.addon_type) == ("acme", None, "p", "redis")
    assert (addon.tags, addon.status, addon.is_deleted, addon.unreadable) == (("production",), "running", False, None)
    for known in (addon.backups, addon.restores, addon.schedules):
        assert known.gap is None
        assert known.read_at is not None
        assert before - timedelta(seconds=1) <= known.read_at <= datetime.now(UTC)
    assert [backup.id for backup in addon.backups.items] == ["b0", "b1"]
    assert addon.backups.items[0].created_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert addon.restores.items[0].backup_id == "b0"
    (schedule,) = addon.schedules.items
    assert schedule.scheduling is not None
    assert (schedule.id, schedule.scheduling.hour, schedule.retention_time) == ("s0", (2,), 7)
    assert schedule.additional_destinations == (BackupDestination(destination_id="offsite", type="custom"),)
    assert (acme.account_id, acme.is_finished, acme.failures, acme.unread) == ("acme", True, 0, ())


async def test_schedules_take_one_request_an_addon_and_only_if_they_are_wanted(database: str) -> None:
    account = an_account("p/a", "p/b")
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(nf)
        assert (await facts(inventory))["a"].schedules.gap == "its schedules were never read"
        assert not any("schedules" in page for page in account.requested)
        await inventory.sync(Query(nf, schedules=True))
        of_schedules = sorted(page for page in account.requested if "schedules" in page)
        assert of_schedules == ["p/a/schedules#0", "p/b/schedules#0"]
        assert (await facts(inventory))["b"].schedules.gap is None
        assert (await facts(inventory))["b"].restores.gap == "its restores were never read"


async def test_a_deleted_schedule_is_not_known_any_more_and_stays_in_the_database(database: str) -> None:
    account = an_account("p/a")
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(Query(nf, schedules=True))
        account.schedules["p/a"] = [{**SCHEDULE, "id": "s1"}]
        await inventory.sync(Query(nf, schedules=True))
        assert [each.id for each in (await facts(inventory))["a"].schedules.items] == ["s1"]


async def test_a_file_cannot_store_schedules(tmp_path: Path) -> None:
    account = an_account("p/a")
    async with account.serve() as nf:
        with pytest.raises(ConfigurationError, match="only a database can store schedules"):
            await export(str(tmp_path / "o.jsonl"), Query(nf, schedules=True))
    assert account.requested == []


async def test_a_listing_that_cannot_be_read_is_a_gap_and_of_backups_makes_the_addon_unreadable(database: str) -> None:
    account = an_account("p/a", "p/b")
    account.faults = {"p/a#0": refusal(403), "p/b/schedules#0": refusal(403)}
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(Query(nf, schedules=True))
        found = await facts(inventory)
        (acme,) = await inventory.account_facts()
        assert "403" in f"{found['a'].unreadable}"
        assert found["b"].unreadable is None
        assert "could not be read" in f"{found['b'].schedules.gap}"
        assert (acme.is_finished, acme.failures, acme.unread) == (True, 2, ())
        account.faults = {}
        await inventory.sync(Query(nf, schedules=True))
        assert (await facts(inventory))["a"].unreadable is None
        account.faults = {"p/a#0": refusal(403)}
        await inventory.sync(nf)
        assert "403" in f"{(await facts(inventory))['a'].unreadable}"  # what was read before does not count


async def test_an_item_that_cannot_be_read_is_a_gap(database: str) -> None:
    account = an_account("p/a")
    account.addons["p/a"] += [{"id": 7}, {**backups(1)[0], "id": "odd", "completedAt": "yesterday"}]
    account.schedules["p/a"] = [{**SCHEDULE, "scheduling": "daily"}]
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(Query(nf, schedules=True))
        found = (await facts(inventory))["a"]
    assert "some of its backups could not be read" in f"{found.backups.gap}"
    assert {backup.id: backup.completed_at for backup in found.backups.items}["odd"] is None
    assert "s0" in f"{found.schedules.gap}"
    assert [(each.scheduling, each.retention_time) for each in found.schedules.items] == [(None, 7)]


@pytest.mark.parametrize("filters", [{"statuses": "failed"}, {"since": timedelta(days=1)}])
async def test_a_filtered_sync_does_not_know_all_backups(database: str, filters: dict[str, Any]) -> None:
    async with an_account("p/a").serve() as nf, Inventory(database) as inventory:
        await inventory.sync(Query(nf, **filters))
        assert "--status or --since" in f"{(await facts(inventory))['a'].backups.gap}"
        await inventory.sync(nf)
        assert (await facts(inventory))["a"].backups.gap is None


async def test_an_addon_whose_backups_were_never_read_is_unreadable(database: str) -> None:
    account = an_account("p/a", "p/b")
    account.addon_types["p/b"] = "mysql"
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(Query(nf, addon_types="mysql"))
        found = await facts(inventory)
    assert found["a"].unreadable == "its backups were never read"
    assert found["b"].unreadable is None


@pytest.mark.parametrize("fields", [{"status": 7}, {"tags": "production"}, {"spec": []}])
async def test_an_addon_that_cannot_be_judged_is_unreadable(database: str, fields: dict[str, Any]) -> None:
    account = an_account("p/a", "p/b")
    account.addon_fields = {"p/a": fields, "p/b": {"description": 7}}
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(nf)
        found = await facts(inventory)
    assert next(iter(fields)) in f"{found['a'].unreadable}"
    assert found["b"].unreadable is None


async def test_a_deleted_addon_is_known_as_deleted(database: str) -> None:
    account = an_account("p/a", "p/b")
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(nf)
        del account.addons["p/a"]
        await inventory.sync(nf)
        found = await facts(inventory)
    assert (found["a"].is_deleted, found["b"].is_deleted) == (True, False)


async def test_an_addon_that_is_not_listed_and_not_known_to_be_deleted_is_unreadable(database: str) -> None:
    account = an_account("p/a", "p/b", "q/c")
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(nf)
        account.pages = {"p": [[]]}
        await inventory.sync(nf)
        found = await facts(inventory)
        (acme,) = await inventory.account_facts()
    assert found.pop("c").unreadable is None
    assert {each.is_deleted for each in found.values()} == {False}
    assert {each.unreadable for each in found.values()} == {"it is no longer listed, but not known to be deleted"}
    assert {each.status for each in found.values()} == {None}
    assert acme.failures == 1
    assert [(place.project_id, place.addon_id) for place in acme.unread] == [("p", None)]


async def test_projects_and_addons_that_cannot_be_read_are_named(database: str) -> None:
    account = an_account("p/a", "q/b")
    account.faults = {"q#0": refusal(403)}
    account.pages = {"p": [[{"id": "a", "spec": {"type": "redis"}, "status": "running"}, {"id": "no/slash"}]]}
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(nf)
        (acme,) = await inventory.account_facts()
    assert sorted((place.project_id, place.addon_id) for place in acme.unread if place.addon_id) == [("p", "no/slash")]
    assert "403" in next(place.error for place in acme.unread if place.project_id == "q")


async def test_an_interrupted_first_sync_is_not_finished(database: str) -> None:
    account = an_account("p/a", "p/b")
    account.faults = {"p/b#0": refusal(401)}
    async with account.serve() as nf, Inventory(database) as inventory:
        with pytest.raises(NorthflankError):
            await inventory.sync(nf, concurrency=1)
        found = await facts(inventory)
        (acme,) = await inventory.account_facts()
    assert (acme.is_finished, acme.synced_at) == (False, None)
    assert found["b"].unreadable is not None


async def test_destinations_of_backups_are_known(database: str) -> None:
    account = an_account("p/a")
    destination = {"config": {"source": {"type": "snapshot"}, "additionalDestinations": [{"destinationId": "x"}]}}
    none: dict[str, Any] = {"config": {"additionalDestinations": []}}
    account.addons["p/a"] = [{**backups(1)[0], **destination}, {**backups(1)[0], "id": "b1", **none}]
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(nf)
        found = (await facts(inventory))["a"].backups.items
    assert [backup.has_additional_destinations for backup in found] == [True, False]


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
async def test_a_time_that_cannot_be_believed_is_not_known_and_can_be_audited(database: str, time: str) -> None:
    account = an_account("p/a")
    account.addons["p/a"] = backups(2, createdAt=time, completedAt=time)
    account.restores["p/a"] = [{**RESTORE, "restoreTimestamp": time, "completedAt": time}]
    account.schedules["p/a"] = [{**SCHEDULE, "createdAt": time, "updatedAt": time}]
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(Query(nf, restores=True, schedules=True))
        addon = (await facts(inventory))["a"]
        found = {each.rule: each.status for each in (await audit(inventory)).findings}
    assert {(each.created_at, each.completed_at) for each in addon.backups.items} == {(None, None)}
    assert (addon.restores.items[0].started_at, addon.restores.items[0].completed_at) == (None, None)
    assert (addon.schedules.items[0].created_at, addon.schedules.items[0].updated_at) == (None, None)
    assert (found["stale"], found["untested"]) == ("unknown", "unknown")


async def test_nothing_is_known_of_an_absent_database(tmp_path: Path) -> None:
    async with Inventory(tmp_path / "absent.db") as inventory:
        with pytest.raises(FileNotFoundError):
            await facts(inventory)
        with pytest.raises(FileNotFoundError):
            await inventory.account_facts()


@frozen(kw_only=True)
class Copied:
    """A copy as a mirror records it; of a dump of the addon `p/a` by default."""

    backup_id: str
    created_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    account_id: str | None = "acme"
    team_id: str | None = None
    project_id: str = "p"
    addon_id: str = "a"
    size: int = 5
    sha256: str = "0" * 64
    fetched_at: datetime = datetime(2026, 1, 2, tzinfo=UTC)

    @property
    def path(self) -> str:
        return f"{self.team_id}/{self.project_id}/{self.addon_id}/{self.created_at.isoformat()}_{self.backup_id}"


async def test_the_newest_copy_at_each_destination_is_known_by_the_source_of_its_dump(database: str) -> None:
    first, other = datetime(2026, 1, 1, tzinfo=UTC), datetime(2025, 12, 1, tzinfo=UTC)
    account = an_account("p/a", "p/b")
    dumps = backups(3)
    for each, source in zip(dumps, ("liveInstance", "liveInstance", "fileUpload"), strict=True):
        each["config"] = {"source": {"type": source}}
    account.pages["p/a"] = [dumps]
    async with account.serve() as nf, Inventory(database) as inventory:
        await inventory.sync(nf)
        account.pages["p/a"] = [dumps[:1]]
        await inventory.sync(nf)
        empty = Copied(backup_id="b3", created_at=first + timedelta(days=1), size=0)
        kept = [Copied(backup_id="b0"), Copied(backup_id="b1")]
        await inventory.record_copies("s3://one", [*kept, Copied(backup_id="b0", created_at=other), empty])
        await inventory.record_copies("s3://two", [Copied(backup_id="b2"), Copied(backup_id="b2", team_id="red")])
        found = await facts(inventory)
    assert found["b"].copies == ()
    assert sorted(found["a"].copies, key=str) == [
        CopyFact(other, None, "s3://one"),  # of another backup that had this id
        CopyFact(first, "fileUpload", "s3://two"),  # of a deleted one, which is still known
        CopyFact(first, "liveInstance", "s3://one"),
    ]
