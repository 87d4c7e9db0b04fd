"""Volumes and their backups."""

from typing import Any

import pytest

from northflank_async.simulator import Faults
from tests.support.api import VOLUMES, simulated

BACKUPS = f"{VOLUMES}/example-volume/backups"


async def test_every_project_has_volumes_that_can_be_read_alone() -> None:
    async with simulated() as api:
        for project in await api.all("/v1/projects", "projects"):
            path = f"/v1/projects/{project['id']}/volumes"
            listed = await api.all(path, None, per_page=2)
            assert [await api.get(f"{path}/{volume['id']}") for volume in listed] == listed
            assert len({volume["id"] for volume in listed}) == 3


async def test_a_volume_backup_is_started_ends_and_is_deleted() -> None:
    async with simulated() as api:
        computed = await api.all(BACKUPS, None)
        settings = {"name": "Example Backup", "description": "Before the upgrade"}
        created = await api.done("POST", BACKUPS, settings)
        assert (created["id"], created["status"]) == ("example-backup-2", "scheduled")
        assert created | settings == created
        for seconds, status in ((5, "in-progress"), (20, "completed")):
            api.after(seconds)
            backup = await api.get(f"{BACKUPS}/{created['id']}")
            assert backup["status"] == status
            assert backup["updatedAt"] > backup["createdAt"]
            assert await api.all(BACKUPS, None, per_page=5) == [backup, *computed]
        for gone in (created["id"], computed[1]["id"]):
            assert await api.done("DELETE", f"{BACKUPS}/{gone}") == {}
            await api.refused(404, "DELETE", f"{BACKUPS}/{gone}")
            await api.refused(404, "GET", f"{BACKUPS}/{gone}")
        assert await api.all(BACKUPS, None) == computed[:1] + computed[2:]
        assert (await api.done("POST", BACKUPS, settings))["id"] == "example-backup-3"


async def test_volume_backups_fail_where_the_faults_say_so() -> None:
    async with simulated(faults=Faults(runs=1)) as api:
        backup = await api.done("POST", BACKUPS, {"name": "Fails"})
        api.after(20)
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
async def test_a_bad_body_is_a_400_that_names_the_field(settings: Any, field: str) -> None:
    async with simulated() as api:
        assert list((await api.refused(400, "POST", BACKUPS, settings))["details"]) == [field]
