"""Volumes and their backups."""

from datetime import datetime
from typing import Any

import pytest

from northflank_async.simulator import Faults
from tests.support.simulated_api import VOLUMES, simulated_api

VOLUME = f"{VOLUMES}/example-volume"
BACKUPS = f"{VOLUME}/backups"
SCHEDULES = f"{VOLUME}/backup-schedules"
DAILY: dict[str, Any] = {"interval": "daily", "minute": [30], "hour": [3]}


async def test_every_project_has_volumes_that_can_be_fetched_alone() -> None:
    async with simulated_api() as api:
        for project in await api.all("/v1/projects", "projects"):
            path = f"/v1/projects/{project['id']}/volumes"
            listed = await api.all(path, None, per_page=2)
            assert [await api.get(f"{path}/{volume['id']}") for volume in listed] == listed
            assert len({volume["id"] for volume in listed}) == 3


async def test_a_volume_backup_can_be_started_completes_and_can_be_deleted() -> None:
    async with simulated_api() as api:
        computed = await api.all(BACKUPS, None)
        settings = {"name": "Example Backup", "description": "Before the upgrade"}
        created = await api.data("POST", BACKUPS, settings)
        assert (created["id"], created["status"]) == ("example-backup-2", "scheduled")
        assert created | settings == created
        for seconds, status in ((5, "in-progress"), (20, "completed")):
            api.advance(seconds)
            backup = await api.get(f"{BACKUPS}/{created['id']}")
            assert backup["status"] == status
            assert backup["updatedAt"] > backup["createdAt"]
            assert await api.all(BACKUPS, None, per_page=5) == [backup, *computed]
        for gone in (created["id"], computed[1]["id"]):
            assert await api.data("DELETE", f"{BACKUPS}/{gone}") == {}
            await api.error(404, "DELETE", f"{BACKUPS}/{gone}")
            await api.error(404, "GET", f"{BACKUPS}/{gone}")
        assert await api.all(BACKUPS, None) == computed[:1] + computed[2:]
        assert (await api.data("POST", BACKUPS, settings))["id"] == "example-backup-3"


async def test_volume_backups_fail_at_a_rate_of_1() -> None:
    async with simulated_api(faults=Faults(runs=1)) as api:
        backup = await api.data("POST", BACKUPS, {"name": "Fails"})
        api.advance(20)
        assert (await api.get(f"{BACKUPS}/{backup['id']}"))["status"] == "failed"


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({}, "name"),
        ({"name": "ab"}, "name"),
        ({"name": "1 begins with a digit"}, "name"),
        ({"name": "with: colon"}, "name"),
        ({"name": "Fine", "description": "é"}, "description"),
        ({"name": "Fine", "description": "a" * 201}, "description"),
        ({"name": "Fine", "backupType": "dump"}, "backupType"),
    ],
)
async def test_an_invalid_body_is_a_400_that_names_the_field(settings: Any, field: str) -> None:
    async with simulated_api() as api:
        assert list((await api.error(400, "POST", BACKUPS, settings))["details"]) == [field]


async def test_a_schedule_can_be_created_listed_and_deleted() -> None:
    async with simulated_api() as api:
        [computed] = await api.all(SCHEDULES, "schedules")
        schedule_id = (await api.data("POST", SCHEDULES, {"scheduling": DAILY, "retentionTime": 60}))["id"]
        created, rest = await api.all(SCHEDULES, "schedules", per_page=1)
        now = "2026-11-01T12:00:00.000Z"
        expected = {"id": schedule_id, "backupType": "snapshot", "scheduling": DAILY, "retentionTime": 60}
        assert (created, rest) == ({**expected, "createdAt": now, "updatedAt": now}, computed)
        shown = [{name: item[name] for name in ("scheduling", "retentionTime")} for item in (created, computed)]
        assert (await api.get(VOLUME))["backupSchedules"] == shown
        await api.error(409, "POST", SCHEDULES, {"scheduling": DAILY, "retentionTime": 1})
        for gone in (schedule_id, computed["id"]):
            assert await api.data("DELETE", f"{SCHEDULES}/{gone}") == {}
            await api.error(404, "DELETE", f"{SCHEDULES}/{gone}")
        assert await api.all(SCHEDULES, "schedules") == (await api.get(VOLUME))["backupSchedules"] == []


async def test_the_computed_schedule_matches_the_times_of_the_backups() -> None:
    async with simulated_api() as api:
        [schedule] = await api.all(SCHEDULES, "schedules")
        newest = datetime.fromisoformat((await api.all(BACKUPS, None))[0]["createdAt"])
    assert schedule["scheduling"] == {
        "interval": "weekly", "minute": [newest.minute], "hour": [newest.hour], "day": [newest.weekday()],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"retentionTime": 7}, "scheduling"),
        ({"scheduling": DAILY}, "retentionTime"),
        ({"scheduling": {"interval": "daily", "hour": [3]}, "retentionTime": 7}, "scheduling.minute"),
        ({"scheduling": {"interval": "daily", "minute": [0]}, "retentionTime": 7}, "scheduling.hour"),
        ({"scheduling": DAILY, "retentionTime": 61}, "retentionTime"),
        ({"scheduling": DAILY, "retentionTime": 7, "backupType": "dump"}, "backupType"),
    ],
)
async def test_an_invalid_schedule_is_a_400_that_names_the_field(settings: Any, field: str) -> None:
    async with simulated_api() as api:
        assert list((await api.error(400, "POST", SCHEDULES, settings))["details"]) == [field]
