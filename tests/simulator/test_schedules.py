"""Backup schedules."""

from typing import Any

import pytest

from tests.support.simulated_api import ADDON, simulated_api

SCHEDULES = f"{ADDON}/backup-schedules"
WEEKLY: dict[str, Any] = {"interval": "weekly", "minute": [30], "hour": [18], "day": [4]}


def schedule(**changes: Any) -> dict[str, Any]:
    return {"scheduling": WEEKLY, "backupType": "dump", "retentionTime": 7, **changes}


async def test_a_schedule_can_be_created_listed_and_deleted() -> None:
    async with simulated_api() as api:
        [computed] = await api.all(SCHEDULES, "schedules")
        api.advance(5)
        settings = schedule(compressionType="zstd", customDestinationId="offsite-bucket")
        schedule_id = (await api.data("POST", SCHEDULES, settings))["id"]
        created, rest = await api.all(SCHEDULES, "schedules", per_page=1)
        now = "2026-11-01T12:00:05.000Z"
        del settings["compressionType"]
        expected = {"id": schedule_id, **settings, "backupCompressionType": "zstd", "createdAt": now, "updatedAt": now}
        assert (created, rest) == (expected, computed)
        assert len(schedule_id) == 24
        for gone in (schedule_id, computed["id"]):
            assert await api.data("DELETE", f"{SCHEDULES}/{gone}") == {}
            await api.error(404, "DELETE", f"{SCHEDULES}/{gone}")
        assert await api.all(SCHEDULES, "schedules") == []


async def test_the_computed_schedule_matches_the_times_of_the_backups() -> None:
    intervals = set()
    async with simulated_api() as api:
        for project in await api.all("/v1/projects", "projects"):
            for addon in await api.all(f"/v1/projects/{project['id']}/addons", "addons"):
                path = f"/v1/projects/{project['id']}/addons/{addon['id']}"
                schedules = await api.all(f"{path}/backup-schedules", "schedules")
                backups = (await api.get(f"{path}/backups", per_page=1))["backups"]
                assert len(schedules) == len(backups)
                for found, backup in zip(schedules, backups, strict=True):
                    scheduling = found["scheduling"]
                    intervals.add(scheduling["interval"])
                    assert int(backup["createdAt"][14:16]) in scheduling["minute"]
                    assert int(backup["createdAt"][11:13]) in scheduling.get("hour", range(24))
    assert intervals == {"hourly", "daily", "weekly"}


async def test_an_addon_has_one_schedule_of_each_interval_and_type() -> None:
    async with simulated_api() as api:
        await api.data("POST", SCHEDULES, schedule())
        await api.data("POST", SCHEDULES, schedule(backupType="snapshot"))
        first = (await api.all(SCHEDULES, "schedules"))[1]["id"]
        assert first in (await api.error(409, "POST", SCHEDULES, schedule()))["message"]
        await api.data("DELETE", f"{SCHEDULES}/{first}")
        await api.data("POST", SCHEDULES, schedule())


async def test_an_addon_has_at_most_three_schedules() -> None:
    async with simulated_api() as api:
        for interval in ("weekly", "daily"):
            when = {key: WEEKLY[key] for key in ("minute", "hour", "day")[: 3 if interval == "weekly" else 2]}
            await api.data("POST", SCHEDULES, schedule(scheduling={"interval": interval, **when}))
        hourly = schedule(scheduling={"interval": "hourly", "minute": [0, 30]})
        assert "maximum" in (await api.error(409, "POST", SCHEDULES, hourly))["message"]
        (*_, computed) = await api.all(SCHEDULES, "schedules")
        await api.data("DELETE", f"{SCHEDULES}/{computed['id']}")
        await api.data("POST", SCHEDULES, hourly)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"backupType": "dump", "retentionTime": 7}, "scheduling"),
        ({"scheduling": WEEKLY, "retentionTime": 7}, "backupType"),
        ({"scheduling": WEEKLY, "backupType": "dump"}, "retentionTime"),
        (schedule(scheduling={**WEEKLY, "interval": "monthly"}), "scheduling.interval"),
        (schedule(scheduling={**WEEKLY, "minute": [60]}), "scheduling.minute[0]"),
        (schedule(scheduling={**WEEKLY, "minute": []}), "scheduling.minute"),
        (schedule(scheduling={**WEEKLY, "hour": [0, 24]}), "scheduling.hour[1]"),
        (schedule(scheduling={**WEEKLY, "day": [7]}), "scheduling.day[0]"),
        (schedule(scheduling={**WEEKLY, "day": 4}), "scheduling.day"),
        (schedule(scheduling={"interval": "weekly", "minute": [0], "hour": [0]}), "scheduling.day"),
        (schedule(scheduling={"interval": "daily", "minute": [0]}), "scheduling.hour"),
        (schedule(scheduling={**WEEKLY, "interval": "daily"}), "scheduling.day"),
        (schedule(scheduling={"interval": "hourly", "minute": [0], "hour": [1]}), "scheduling.hour"),
        (schedule(scheduling={"interval": "hourly"}), "scheduling.minute"),
        (schedule(retentionTime=0), "retentionTime"),
        (schedule(retentionTime=121), "retentionTime"),
        (schedule(scheduling={"interval": "hourly", "minute": [0]}, retentionTime=8), "retentionTime"),
        (schedule(backupType="snapshot", compressionType="gz"), "compressionType"),
        (schedule(additionalDestinations=[]), "additionalDestinations"),
        (schedule(customDestinationId="unknown"), "customDestinationId"),
    ],
)
async def test_an_invalid_schedule_is_a_400_that_names_the_field(settings: Any, field: str) -> None:
    async with simulated_api() as api:
        assert list((await api.error(400, "POST", SCHEDULES, settings))["details"]) == [field]
        assert len(await api.all(SCHEDULES, "schedules")) == 1
