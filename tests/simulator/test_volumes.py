"""Volumes and their backups."""

from typing import Any

import pytest

from northflank_async.simulator import Faults
from tests.support.simulated_api import VOLUMES, simulated_api

BACKUPS = f"{VOLUMES}/example-volume/backups"


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
